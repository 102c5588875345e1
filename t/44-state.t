#!/usr/bin/env perl
# Shared state: what is set is what is got, by everybody, in one order.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Test::More;
use Linnet;
use Linnet::Workers;

my $broker = Linnet->broker(workers => 2);

# Text messages as they came, for the bytes of a value.
my %raw;
{
	no warnings 'redefine';
	my $got = \&Linnet::Ws::got;
	*Linnet::Ws::got = sub {
		my ($io, $op, $fin, $data) = @_;
		push @{ $raw{$io} }, $data if $op == 1;
		goto &$got;
	};
}

sub set {
	my ($p, $key, $value) = @_;
	return $p->request({ type => 'set_state', key => $key,
	    value => $value });
}

sub get {
	my ($p, $key) = @_;
	return $p->request({ type => 'get_state', key => $key });
}

sub change {
	my ($p) = @_;
	return $p->wait_for('state_change');
}

my $time = qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/;

subtest 'set, get, list' => sub {
	my $s = $broker->seed;
	my $p = $broker->peer($s->{peerA}, name => 'alice');
	my $r = get($p, 'nothing');
	is($r->{type}, 'state_result', 'a key that was never set');
	is_deeply([@$r{qw(key value updatedBy updatedAt version)}],
	    ['nothing', undef, '', '', 0], 'is null');
	is_deeply($p->request({ type => 'list_state' })->{entries}, [],
	    'there is no state');
	$r = set($p, 'k', { a => [1, 2] });
	is($r->{type}, 'state_result', 'set with an id is answered');
	is_deeply($r->{value}, { a => [1, 2] }, 'value');
	is($r->{version}, 1, 'version 1');
	is($r->{updatedBy}, 'alice', 'updatedBy');
	like($r->{updatedAt}, $time, 'updatedAt');
	is(set($p, 'k', $_)->{version}, $_, "version $_") for 2 .. 5;
	$r = get($p, 'k');
	is_deeply([@$r{qw(key value version)}], ['k', 5, 5], 'get');
	set($p, $_, $_) for 'b', "\x{e4}", 'B', ' ', 'a/b', "it's";
	is_deeply([map { $_->{key} }
	    @{ $p->request({ type => 'list_state' })->{entries} }],
	    [' ', 'B', 'a/b', 'b', "it's", 'k', "\x{e4}"], 'list by key');
	my ($row) = grep { $_->{key} eq 'k' }
	    @{ $p->request({ type => 'list_state' })->{entries} };
	is_deeply([@$row{qw(value version updatedBy)}], [5, 5, 'alice'],
	    'its rows');

	$p->ws->send_text({ type => 'set_state', key => 'q', value => 1 });
	$p->ws->send_text({ type => 'get_state', key => 'q' });
	is($p->ws->recv->{version}, 1, 'set without an id is quiet');
	my $id = { type => 'set_state', key => 'q', value => 2, id => 'mine' };
	$p->ws->send_text($id);
	$r = $p->ws->recv;
	is_deeply([@$r{qw(type id version)}], ['state_result', 'mine', 2],
	    'id is as good as _reqId');
};

subtest 'limits' => sub {
	my $p = $broker->peer($broker->seed->{peerA});
	is(set($p, 'k' x 256, 1)->{version}, 1, 'a key of 256 bytes');
	for (['no key', 'malformed', {}], ['empty key', 'malformed',
	    { key => '' }], ['key of 257 bytes', 'too_big',
	    { key => 'k' x 257 }], ['key of another type', 'malformed',
	    { key => 1 }]) {
		my ($name, $code, $m) = @$_;
		is($p->request({ type => 'set_state', value => 1, %$m })
		    ->{code}, $code, "set: $name");
		is($p->request({ type => 'get_state', %$m })->{code}, $code,
		    "get: $name");
	}
	my $r = $p->request({ type => 'set_state', key => 'k' });
	is($r->{code}, 'malformed', 'no value');
	like($r->{message}, qr/\bvalue\b/, 'names the field');
	is(get($p, 'k')->{version}, 0, 'and nothing was set');
};

subtest 'any value, byte for byte' => sub {
	my $s = $broker->seed;
	my $p = $broker->peer($s->{peerA});
	my $q = $broker->peer($s->{peerB});
	my @values = ('null', 'true', 'false', '0', '-0', '-0.0', '1e400',
	    '1E-7', '123456789012345678901234567890', '0.10', '""', '"\u00e4"',
	    "\"\xc3\xa4\"", '"\ud83d\udc26"', '"a\/b\\\\ \u0022"', '[]', '{}',
	    '[1, 2 ,3]', '{"b":1,"a":2}', '{"a":1,"a":2}',
	    "{\n\t\"x\" : [ ]\n}", '"\u0000"', '[' x 50 . ']' x 50,
	    '"' . 'x' x 700_000 . '"');
	for my $v (@values) {
		my $name = length $v > 40 ? substr($v, 0, 20) . '...' : $v;
		$name =~ s/\s/ /g;
		$p->ws->send_text("{\"type\":\"set_state\",\"key\":\"v\","
		    . "\"value\":$v,\"_reqId\":\"s\"}");
		my $r = $p->reply('s');
		is($r->{type}, 'state_result', "$name: set")
		    or diag($r->{message}), next;
		like($raw{ $p->ws }[-1], qr/"value":\Q$v\E,"/, 'answer');
		ok(change($q), 'told');
		like($raw{ $q->ws }[-1], qr/"value":\Q$v\E,"/, 'as it was set');
		get($q, 'v');
		like($raw{ $q->ws }[-1], qr/"value":\Q$v\E,"/, 'and read');
	}
	set($p, 'n', undef);
	is(get($q, 'n')->{version}, 1, 'null is a value');
};

subtest 'everybody is told' => sub {
	ok((wait_until { !grep { $_ } Linnet::Workers::connections($broker) } 10),
	    'no connections');
	my $s = $broker->seed;
	my @p = map { $broker->peer($s->{ $_ % 2 ? 'peerA' : 'peerB' },
	    name => "p$_", session_key => 1) } 0 .. 3;
	ok(spread($broker, 4), 'two on each worker');
	my $wall = $broker->peer($broker->seed->{peerA}, name => 'wall');
	for my $i (0 .. 3) {
		my $r = set($p[$i], 'k', "by $i");
		for my $k (grep { $_ != $i } 0 .. 3) {
			my $c = change($p[$k]);
			is_deeply([@$c{qw(key value updatedBy version)}],
			    ['k', "by $i", "p$i", $r->{version}],
			    "p$k is told of p$i");
			is($c->{updatedAt}, $r->{updatedAt}, 'when');
		}
		$p[$i]->request({ type => 'list_peers' });
		ok(!$p[$i]->ws->pick('state_change'), 'its setter is not');
	}
	is(get($wall, 'k')->{version}, 0, 'another mesh has no such key');
	ok(!$wall->ws->pick('state_change'), 'nor is it told');
	is(set($wall, 'k', 1)->{version}, 1, 'its own has its own version');

	my $large = 'x' x 600_000;
	set($p[0], 'large', $large);
	is(change($p[$_])->{value}, $large, "a large value reaches p$_")
	    for 1 .. 3;
};

subtest 'many writers' => sub {
	my $s = $broker->seed;
	my @p = map { $broker->peer($s->{ $_ % 2 ? 'peerA' : 'peerB' },
	    session_key => 1, name => "w$_") } 0 .. 3;
	my $watch = $broker->peer($s->{peerA}, session_key => 1);
	my ($each, @ids, %version) = (50);
	for my $n (1 .. $each) {
		push @ids, map { [$p[$_], $p[$_]->post(type => 'set_state',
		    key => 'counter', value => "$_/$n")] } 0 .. 3;
	}
	for (@ids) {
		my $r = $_->[0]->reply($_->[1]);
		$version{ $r->{version} // 0 }++;
	}
	is(join(' ', sort { $a <=> $b } keys %version),
	    join(' ', 1 .. 4 * $each), 'versions rise by one');
	is((grep { $_ > 1 } values %version), 0, 'none twice');
	my $r = get($p[0], 'counter');
	is($r->{version}, 4 * $each, 'the last version');
	my ($last, $seen) = (0, 0);
	while ($last < 4 * $each) {
		my $c = change($watch) or last;
		cmp_ok($c->{version}, '>', $last, 'no older one after a newer')
		    if $c->{version} <= $last;
		$last = $c->{version};
		$seen++;
	}
	is($last, 4 * $each, 'a watcher ends with the last one');
	is(get($watch, 'counter')->{value}, $r->{value}, 'which all read');
	# Several keys in one batch.
	@ids = map { my $n = $_; map { [$_, $p[$_ % 4]->post(
	    type => 'set_state', key => "k$_", value => $n)] } 0 .. 7 } 1 .. 20;
	my %last;
	for (@ids) {
		my ($k, $id) = @$_;
		my $v = $p[$k % 4]->reply($id)->{version};
		is($v, ($last{$k} // 0) + 1, "key $k") if $v != ($last{$k} // 0) + 1;
		$last{$k} = $v;
	}
	is(join(' ', map { $last{$_} } 0 .. 7), join(' ', (20) x 8),
	    'each key has its own versions');
};

is($broker->stop, 0, 'stopped');
done_testing;
