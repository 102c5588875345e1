#!/usr/bin/env perl
# The manual says what the programs do: flags, options, references.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet::Guard;

files('man/*.in') or nothing_to_check('manual page');
my %pages = pages();
my %page = map { $_ => text($pages{$_}) } keys %pages;

# Flags of the SYNOPSIS against getopt's string, and long options against
# their table.  The program's directory; hidden are those that only the
# program itself uses.
my %programs = (
	'linnetd.8' => { dir => 'master', hidden => 'x' },
	'linnetctl.8' => { dir => 'ctl' },
	'linnet.1' => { dir => 'cli' },
	'linnet-bench.1' => { dir => 'bench' },
);
for my $name (sort keys %programs) {
	next if !$page{$name};
	my $p = $programs{$name};
	my (%code, %long);
	for my $f (files("src/$p->{dir}/*.[ch]")) {
		(my $c = strip_c(text($f))) =~ s/\\\n/ /g;
		while ($c =~ /\bgetopt(?:_long)?\s*\([^"]*("(?:[^"\\]|\\.)*")/g) {
			my $s = unquote($1);
			$s =~ s/^[+:]+//;
			$code{$1} = $2 ? 'argument' : 'flag'
			    while $s =~ /([A-Za-z0-9?])(:?)/g;
		}
		while ($c =~ /\{\s*("[^"]+"),\s*(no|required)_argument\b/g) {
			$long{ unquote($1) } =
			    $2 eq 'no' ? 'flag' : 'argument';
		}
		# Rows of struct cli_option; one without a text is hidden.
		while ($c =~ /\{\s*("[^"]+"),\s*(?:'.'|0),\s*(NULL|"[^"]+"),\s*"/g) {
			$long{ unquote($1) } = $2 eq 'NULL' ? 'flag' : 'argument';
		}
	}
	delete $code{$_} for split //, $p->{hidden} // '';
	my ($synopsis) = $page{$name} =~ /^\.Sh SYNOPSIS\n(.*?)^\.Sh /ms;
	my %said;
	for (split /\n/, $synopsis // '') {
		my @w = split ' ';
		for my $i (0 .. $#w) {
			next if $w[$i] ne 'Fl' || ($w[ $i + 1 ] // '') =~ /^-/;
			my @f = split //, $w[ $i + 1 ] // '';
			my $arg = ($w[ $i + 2 ] // '') eq 'Ar'
			    || "@w[$i + 2 .. $#w]" =~ /^Ns Ar/;
			$said{$_} = 'flag' for @f;
			$said{ $f[-1] } = 'argument' if $arg;
		}
	}
	is_deeply(\%said, \%code, "SYNOPSIS of $name has the flags of getopt")
	    if %code;

	# Long options: anywhere on the page.
	my %told;
	while ($page{$name} =~ /(?:\bFl|,) -([a-z][a-z-]*)( Ar\b)?/g) {
		$told{$1} = 'flag' if !$told{$1};
		$told{$1} = 'argument' if $2;
	}
	is_deeply(\%told, \%long, "$name has the long options");
}

# Every option of the table, with its default, in linnetd.conf(5).
if (my $conf = $page{'linnetd.conf.5'}) {
	my @missing = grep { $conf !~ /^\.It Ic \Q$_\E(?: |$)/m }
	    map { unquote($_->[1]) } def_rows('src/conf/options.def');
	is("@missing", '', 'linnetd.conf(5) has every option');
}
if (my $internals = $page{'linnet-internals.7'}) {
	my @missing = grep { $internals !~ /^\.It .*\b\Q$_\E\b/m }
	    map { $_->[1] } def_rows('src/ipc/msgs.def');
	is("@missing", '', 'linnet-internals(7) has every process message');
}

# Every type of line that is written to a journal.
if (my $schema = $page{'linnet-schema.7'}) {
	my %types;
	for my $f (files('src/core/*.c')) {
		my $c = strip_c(text($f));
		while ($c =~ /\bjournal_end\(([^;]*)\);/g) {
			my $args = $1;
			$types{$1} = 1 while $args =~ /"(\w+\.\w+)"/g;
		}
	}
	for my $f (files('sql/*.sql')) {
		my $sql = text($f) =~ s/--.*//gr;
		$types{$1} = 1 while $sql
		    =~ /\bjournal_note\([^']*'(\w+\.\w+)'/g;
	}
	cmp_ok(scalar keys %types, '>', 30, 'types of lines are found');
	my @missing = grep { $schema !~ /^\.It Ic \Q$_\E(?: |$)/m }
	    sort keys %types;
	is("@missing", '', 'linnet-schema(7) has every type of line');
}

# References among our pages lead somewhere, and pages are known by name.
for my $name (sort keys %page) {
	my @lost;
	while ($page{$name} =~ /^\.Xr ((?:lib)?linnet\S*) (\d)/mg) {
		push @lost, "$1($2)" if !$page{"$1.$2"};
	}
	is("@lost", '', "references of $name lead to pages");
	my ($title) = $page{$name} =~ /^\.Dt (\S+ \d)/m;
	is(lc($title // '') =~ s/ /./r, $name, "$name says its own name");
}
done_testing;
