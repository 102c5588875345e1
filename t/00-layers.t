#!/usr/bin/env perl
# src/LAYERS says which directory may include headers of which; a directory's
# face is the header of its name, the others are its own; and every header can
# be included alone.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet::Guard;

my (%may, @order);
for (split /\n/, text('src/LAYERS')) {
	next if /^\s*(?:#|$)/;
	my ($dir, @ok) = grep { $_ ne '-' } split;
	my @later = grep { !$may{$_} } @ok;
	is("@later", '', "$dir stands above all that it may include");
	$may{$dir} = { map { $_ => 1 } $dir, @ok };
}

for my $f (files('src/*/*.[ch]')) {
	my ($dir) = $f =~ m{^src/([^/]+)/};
	my @bad;
	push @bad, 'src/LAYERS does not have it' if !$may{$dir};
	my $n = 0;
	for (split /\n/, strip_c(text($f))) {
		$n++;
		my ($h) = /^\s*#\s*include\s+"([^"]+)"/ or next;
		next if $h eq 'config.h';
		next if $h eq 'linnet.h' && $dir =~ /^(?:lib|cli|bench)$/;
		my ($of, $file) = $h =~ m{^([^/]+)/([^/]+)$};
		push @bad, "line $n: $h" if !$of || !$may{$dir}{$of}
		    || ($of ne $dir && $file !~ /^\Q$of\E\.h$|\.def$/);
	}
	is("@bad", '', "$f keeps to its layer");
}

# A header that needs another one includes it.
my $cc = $ENV{CC} || 'cc';
my $flags = join ' ', map { "-I$_" } "$srcdir/src", "$builddir/src",
    "$srcdir/include";
chomp(my $pq = `pkg-config --cflags libpq 2>/dev/null`);
for my $f (files('src/*/*.h', 'include/*.h')) {
	my $h = $f =~ s{^(?:src|include)/}{}r;
	my $out = `printf '#include "$h"\\n' | $cc -std=gnu11 -D_GNU_SOURCE \\
	    $flags $pq -Wall -Werror -fsyntax-only -x c - 2>&1`;
	is($out, '', "$f can be included alone");
}
done_testing;
