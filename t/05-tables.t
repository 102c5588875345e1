#!/usr/bin/env perl
# The rows of the tables are complete, sensible, and there once.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet::Guard;

my %unit = (ms => 1, s => 1000, m => 60_000, h => 3_600_000, d => 86_400_000);
my %scale = (k => 1 << 10, m => 1 << 20, g => 1 << 30);

# A default as the configuration reads it, or undef.
sub value_of {
	my ($type, $v) = @_;
	return $v =~ /^-?\d+$/ ? $v : undef if $type eq 'INT';
	return { yes => 1, no => 0 }->{$v} if $type eq 'BOOL';
	return $v =~ /^(\d+)(ms|[smhd])?$/ ? $1 * $unit{ $2 // 's' } : undef
	    if $type eq 'TIME';
	return $v =~ /^(\d+)([kmg])?$/ ? $1 * ($2 ? $scale{$2} : 1) : undef
	    if $type eq 'SIZE';
	return $type eq 'LIST' ? scalar split ' ', $v : length $v;
}

my $sentence = qr/\A[A-Z*0-9a-z].*[.?)]\z/s;
my %process = map { $_ => 1 } qw(ANY MASTER WORKER RELAY JOBS FILES FILES_USER CTL);

# One entry a macro: how many arguments, which of them together must be
# unique, which are texts, and what else must hold of a row.
my %tables = (
	OPT => { n => 8, unique => [[0], [1]], text => 7, check => sub {
		my ($name, $field, $type, $min, $max, $default, $reload) = @_;
		my $d = unquote($default);
		my $v = value_of($type, $d // '');
		return (
			$type !~ /^(?:STR|INT|BOOL|TIME|SIZE|LIST)$/
			    ? "type $type" : (),
			unquote($name) !~ /^[a-z][a-z_]*(?:\.[a-z][a-z0-9_]*)?$/
			    ? "name $name" : (),
			unquote($name) =~ s/\./_/gr ne $field
			    ? "field $field is not named for it" : (),
			"$min$max" !~ /^\d+$/ || $min > $max ? 'range' : (),
			$reload !~ /^[01]$/ ? "reload $reload" : (),
			!defined $v ? "default $default cannot be read" : (),
			$type eq 'LIST' || $type eq 'STR' && $d eq '' ? ()
			    : defined $v && ($v < $min || $v > $max)
			    ? "default $default is out of range" : (),
		);
	} },
	MSG => { n => 7, unique => [[0]], text => 6, check => sub {
		my ($name, $from, $to, $payload, $fds, $tail) = @_;
		return (
			!$process{$from} ? "from $from" : (),
			!$process{$to} ? "to $to" : (),
			$from eq $to ? 'to itself' : (),
			$payload !~ /^struct (?:ipc|files)_\w+$/ ? "payload $payload" : (),
			$fds !~ /^\d+$/ ? "descriptors $fds" : (),
			$tail !~ /^[01]$/ ? "tail $tail" : (),
		);
	} },
	NET_END => { n => 2, unique => [[0]], words => 1 },
	NET_TLS => { n => 2, unique => [[0]], words => 1 },
	ERR => { n => 7, unique => [[0], [1, 5]], text => 6, check => sub {
		my (undef, $code, $http, $rpc, $exit, $close) = @_;
		return (
			unquote($code) !~ /^[a-z][a-z_]*$/ ? "code $code" : (),
			$http !~ /^[45]\d\d$/ ? "HTTP status $http" : (),
			$rpc !~ /^-32\d{3}$/ ? "JSON-RPC code $rpc" : (),
			$exit !~ /^(?:6[4-9]|7[0-8])$/ ? "exit $exit" : (),
			$close !~ /^(?:0|1\d{3}|4\d{3})$/
			    ? "close code $close" : (),
		);
	} },
	SCOPE => { n => 4, unique => [[0], [1]], text => 3 },
	ROLE => { n => 4, unique => [[0], [1]], text => 3 },
	EVENT => { n => 4, unique => [[0]], text => 3 },
	METRIC => { n => 5, unique => [[0], [1, 3]], text => 4, check => sub {
		my (undef, $name, $kind, $label) = @_;
		$name = unquote($name);
		return (
			$name !~ /^linnet_[a-z_]+$/ ? "name $name" : (),
			$kind !~ /^(?:COUNT|GAUGE|SAME)$/ ? "kind $kind" : (),
			($kind eq 'COUNT') != ($name =~ /_total$/)
			    ? 'counters, and they alone, end in _total' : (),
			unquote($label) !~ /^(?:[a-z_]+="[^"]+")?$/
			    ? "label $label" : (),
		);
	} },
	FIGURE => { n => 5, unique => [[0], [1]], text => 4, check => sub {
		my (undef, $name, $decimals, $better) = @_;
		return (
			unquote($name) !~ /^[a-z][a-z0-9_]*$/ ? "name $name" : (),
			$decimals !~ /^[0-3]$/ ? "decimals $decimals" : (),
			$better !~ /^(?:-1|0|1)$/ ? "better $better" : (),
		);
	} },
	OP => { n => 1, unique => [[0]] },
	PATH => { n => 9, unique => [[0], [1, 2]], text => 8,
		check => sub {
		my (undef, $method, $path, undef, $credential, undef, $status)
		    = @_;
		return (
			unquote($method) !~ /^[A-Z]+$/ ? "method $method" : (),
			unquote($path) !~ m{^/} ? "path $path" : (),
			$credential !~ /^(?:OPEN|TOKEN|LINK)$/
			    ? "credential $credential" : (),
			$status !~ /^[12]\d\d$/ ? "status $status" : (),
		);
	} },
	PARAM => { n => 6, unique => [[0, 1, 2]], text => 5, check => sub {
		my (undef, $in, undef, $type, $required) = @_;
		return (
			unquote($in) !~ /^(?:query|header)$/ ? "in $in" : (),
			unquote($type) !~ /^(?:string|integer|boolean)$/
			    ? "type $type" : (),
			$required !~ /^(?:true|false)$/
			    ? "required $required" : (),
		);
	} },
	ANSWER => { n => 3, unique => [[0, 1]], text => 2, check => sub {
		return $_[1] =~ /^[23]\d\d$/ ? () : "status $_[1]";
	} },
	NOUN => { n => 2, unique => [[0]], text => 1 },
);

my %seen_macro;
for my $file (files('src/*/*.def')) {
	my (@bad, %seen);
	my @rows = def_rows($file);
	push @bad, 'no row' if !@rows;
	for my $row (@rows) {
		my ($macro, @a) = @$row;
		my $t = $tables{$macro};
		if (!$t) {
			push @bad, "$macro is unknown to this test: @a";
			next;
		}
		$seen_macro{$macro}++;
		if (@a != $t->{n}) {
			push @bad, "$a[0]: " . @a . " arguments, not $t->{n}";
			next;
		}
		push @bad, map { "$a[0]: empty argument" } grep { $_ eq '' } @a;
		for my $u (@{ $t->{unique} }) {
			push @bad, "twice: @a[@$u]"
			    if $seen{"$macro @$u: @a[@$u]"}++;
		}
		if (my $i = $t->{text} // $t->{words}) {
			my $s = unquote($a[$i]) // '';
			push @bad, "$a[0]: text \"$s\""
			    if $s !~ ($t->{words} ? qr/\S/ : $sentence)
			    || $s =~ /  |^\s|\s$/;
		}
		push @bad, map { "$a[0]: $_" } $t->{check}->(@a) if $t->{check};
	}
	is(join("\n", @bad), '', $file) or diag(join "\n", @bad);
}
ok($seen_macro{OPT} && $seen_macro{MSG}, 'the tables were found');
done_testing;
