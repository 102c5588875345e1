# SPDX-License-Identifier: ISC
# What the guards share: where things are, rows of tables, when to skip.
package Linnet::Guard;
use strict;
use warnings;
use Cwd 'abs_path';
use Exporter 'import';
use File::Basename 'dirname';
use Test::More;

our @EXPORT = qw($srcdir $builddir files text need need_tool nothing_to_check rows
    def_rows unquote pages strip_c);

# The repository and the build; make says, else they are found.
our $srcdir = $ENV{srcdir} // dirname(abs_path(__FILE__)) . '/../../..';
$srcdir = abs_path($srcdir);
our $builddir = abs_path($ENV{builddir}
    // (-f "$srcdir/build/Makefile" ? "$srcdir/build" : $srcdir));

# Files below the source, by pattern, sorted; names as in the repository.
sub files {
	my @files = sort map { s{^\Q$srcdir\E/}{}r }
	    map { glob "$srcdir/$_" } @_;
	return @files;
}

sub text {
	my ($file) = @_;
	$file = "$srcdir/$file" if $file !~ m{^/};
	open my $fh, '<', $file or BAIL_OUT("$file: $!");
	local $/;
	return <$fh>;
}

# A tool or a thing that the test cannot do without: skips where it is
# missing, fails where LINNET_NOSKIP says that nothing may be missing.
sub need {
	my ($there, $what) = @_;
	return $there if $there;
	if ($ENV{LINNET_NOSKIP}) {
		fail("$what is here");
		done_testing;
		exit 1;
	}
	plan skip_all => "$what is not here";
}

# The path of a tool, as configure found it or in PATH; see need().
sub need_tool {
	my ($configured, $name) = @_;
	my ($found) = grep { -x } map { "$_/$name" } split /:/, $ENV{PATH};
	return need($configured || $found, $name);
}

# Ends a test that found no file of its kind.
sub nothing_to_check {
	my ($what) = @_;
	plan skip_all => "there is no $what";
}

# C text without comments, lines kept.
sub strip_c {
	my ($c) = @_;
	$c =~ s{("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|/\*.*?\*/|//[^\n]*}
	    {defined $1 ? $1 : $& =~ tr/\n//cdr}gse;
	return $c;
}

# The value of adjacent C strings, or undef when it is no string.
sub unquote {
	my ($v) = @_;
	return unless $v =~ /\A(?:"(?:\\.|[^"\\])*"\s*)+\z/s;
	my $s = join '', $v =~ /"((?:\\.|[^"\\])*)"/gs;
	my %c = (n => "\n", t => "\t");
	$s =~ s/\\(.)/$c{$1} \/\/ $1/gse;
	return $s;
}

# The calls NAME(argument, ...) that stand in a text: [name, arguments...].
sub rows {
	my ($c) = @_;
	$c = strip_c($c);
	my @rows;
	while ($c =~ /\G\s*(\w+)\s*\(/gc) {
		my @row = ($1, '');
		my $depth = 1;
		while ($depth && $c =~
		    /\G("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^"'])/gcs) {
			my $t = $1;
			if ($t eq '(') {
				$depth++;
			} elsif ($t eq ')') {
				last if --$depth == 0;
			} elsif ($t eq ',' && $depth == 1) {
				push @row, '';
				next;
			}
			$row[-1] .= $t;
		}
		s/^\s+|\s+$//g for @row;
		push @rows, \@row;
	}
	$c =~ /\G\s*\z/gc or push @rows,
	    ['', 'not a row: ' . substr $c, pos($c) // 0, 40];
	return @rows;
}

sub def_rows {
	return rows(text($_[0]));
}

# The manual pages as made, by name: linnetd.8 => file.
sub pages {
	my %p;
	for my $dir ($srcdir, $builddir) {
		$p{ s{.*/}{}r } = $_ for glob "$dir/man/*.[1-9]";
	}
	return %p;
}

1;
