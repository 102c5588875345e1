#!/usr/bin/env perl
# What src/d/foo_bar.c exports is called foo_* (or bar_*, where foo is the
# directory), and none of it is a variable that can be written.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet::Guard;

# Names that are words of the whole program, or of net's face, which has more
# than one noun.
my %also = (
	alloc => qr/^x(?:malloc|calloc|reallocarray|strdup|strndup|memdup|asprintf)$/,
	log => qr/^fatalx?$/,
	net => qr/^(?:frame|conn|http)_/,
);

my $objects = 0;
for my $f (files('src/*/*.c')) {
	my ($dir, $base) = $f =~ m{^src/(.*)/(\w+)\.c$};
	my ($o) = grep { m{/(?:\w+-)?\Q$base\E\.o$} }
	    glob "$builddir/src/$dir/*.o";
	next if !$o;
	$objects++;
	my $stem = $base =~ s/_.*//r;
	my $part = $base =~ s/^\Q$dir\E_//r;
	my (@foreign, @writable);
	for (`nm -g --defined-only -f sysv $o`) {
		my ($name, undef, $class, undef, undef, undef, $section) =
		    map { s/^\s+|\s+$//gr } split /\|/;
		next if !defined $section || $name =~ /^__/;
		push @foreign, $name
		    unless $name =~ /^(?:\Q$stem\E|\Q$part\E)(?:_|$)/
		    || $name eq 'main'
		    # The descriptor of an operation is beside its handler.
		    || ($dir eq 'core' && $name =~ /^op_/)
		    || ($also{$stem} && $name =~ $also{$stem});
		push @writable, $name
		    if $class =~ /^[BDCGSV]$/ && $section !~ /^\.data\.rel\.ro/;
	}
	is("@foreign", '', "$f exports only ${stem}_*");
	is("@writable", '', "$f exports no variable");
}
nothing_to_check('object') if !$objects;
done_testing;
