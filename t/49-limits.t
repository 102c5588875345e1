#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Rates and quotas: what is over a limit is refused with numbers, and is let in
# again when there is room; a mesh may have quotas of its own.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Linnet;
use Test::More;
use Time::HiRes 'time';

sub broker {
	return Linnet->broker(workers => 2, options => [@_]);
}

# A refusal with its numbers.
sub limited_ok {
	my ($r, $code, $limit, $name) = @_;
	is($r->{code} // $r->{type}, $code, $name) or diag explain $r;
	is($r->{limit}, $limit, "$name: the limit");
	like($r->{used} // '', qr/^\d+$/, "$name: what was used");
	like($r->{message} // '', qr/\d.*\d.*\.$/, "$name: a sentence");
	if ($code eq 'rate_limited') {
		cmp_ok($r->{retryAfterMs} // 0, '>', 0, "$name: when");
		like($r->{message}, qr/\b$r->{retryAfterMs} ms/,
		    "$name: also in the sentence");
	}
	return;
}

# Sends until it is refused: how many were let in, and the refusal.
sub flood {
	my ($p, $most, %o) = @_;
	my @id = map { $p->send_later(text => $_, %o) } 1 .. $most;
	my @r = map { $p->reply($_) } @id;
	my ($no) = grep { $_->{type} eq 'error' } @r;
	return (scalar(grep { $_->{type} eq 'ack' } @r), $no);
}

subtest 'messages of a member' => sub {
	my $b = broker('rate.member 60', 'rate.member_burst 10');
	my $s = $b->seed;
	my @a = map { $b->peer($s->{peerA}, name => 'alice',
	    session_key => 1) } 1 .. 4;
	my $bob = $b->peer($s->{peerB}, name => 'bob');
	my $start = time;
	my $sum = 0;
	for (@a) {
		my ($n, $no) = flood($_, 12, to => 'bob');
		$sum += $n;
		limited_ok($no, 'rate_limited', 60, 'over the burst');
	}
	my $most = 10 + (time - $start) + 1;
	cmp_ok($sum, '>=', 2, "$sum were let in");
	cmp_ok($sum, '<=', $most,
	    "no more by sessions on two workers ($sum of $most)");
	is($bob->send(to => 'alice', text => 'x')->{type}, 'ack',
	    'others are not limited');
	my $r = $a[0]->send(to => 'bob', text => 'x');
	my $wait = $r->{retryAfterMs};
	my $until = time + $wait / 1000;
	wait_until { time >= $until } 10;
	is($a[0]->send(to => 'bob', text => 'x')->{type}, 'ack',
	    'who waits as long as told is let in') or diag explain $r;
	is($b->stop, 0, 'stops');
};

subtest 'priority now, and pairs' => sub {
	my $b = broker('rate.now 6', 'rate.now_burst 3', 'rate.pair 6',
	    'rate.pair_burst 5', 'workers 1');
	my $s = $b->seed;
	my $alice = $b->peer($s->{peerA}, name => 'alice');
	my $bob = $b->peer($s->{peerB}, name => 'bob');
	my ($n, $no) = flood($alice, 5, to => '*', priority => 'now');
	is($n, 3, 'so many with priority now');
	limited_ok($no, 'rate_limited', 6, 'no more');
	like($no->{message}, qr/priority now/, 'says which');
	is($alice->send(to => '*', text => 'x', priority => 'low')->{type},
	    'ack', 'others go');
	($n, $no) = flood($alice, 7, to => 'bob');
	is($n, 5, 'so many to one recipient');
	limited_ok($no, 'rate_limited', 6, 'no more');
	is($alice->send(to => '*', text => 'x')->{type}, 'ack',
	    'multicasts are another matter');
	is($bob->send(to => 'alice', text => 'x')->{type}, 'ack',
	    'and so is the other direction');
	is($b->stop, 0, 'stops');
};

subtest 'requests and strangers' => sub {
	my $b = broker('rate.requests 60', 'rate.requests_burst 20',
	    'rate.refused 6', 'rate.refused_burst 4', 'workers 1');
	my $s = $b->seed;
	my $alice = $b->peer($s->{peerA}, name => 'alice');
	my @id = map { $alice->post(type => $_ % 2 ? 'list_peers' : 'rubbish') }
	    1 .. 25;
	my @r = map { $alice->reply($_) } @id;
	my @no = grep { ($_->{code} // '') eq 'rate_limited' } @r;
	cmp_ok(scalar @no, '>=', 4, 'requests beyond the burst are refused');
	limited_ok($no[0], 'rate_limited', 60, 'a request');
	is($r[0]{type}, 'peers_list', 'the first ones are not');

	my $bob = $b->peer($s->{peerB}, name => 'bob');
	for (1 .. 4) {
		my $p = $b->peer($s->{peerA}, refused => 1,
		    hello => { signature => '0' x 128 });
		is($p->refusal->{code}, 'bad_signature', "stranger $_");
	}
	my $p = $b->peer($s->{peerA}, refused => 1);
	limited_ok($p->refusal, 'rate_limited', 6, 'even a good hello');
	is($b->http(POST => '/join', {}, '{}')->{status}, 429,
	    'or a join');
	is($bob->send(to => 'bob', text => 'x')->{type}, 'ack',
	    'who is in stays in');
	is($b->stop, 0, 'stops');
};

subtest 'hellos of a member' => sub {
	my $b = broker('rate.hello 20', 'rate.hello_burst 5', 'workers 1');
	my $s = $b->seed;
	$b->peer($s->{peerA})->drop for 1 .. 5;
	my $p = $b->peer($s->{peerA}, refused => 1);
	limited_ok($p->refusal, 'rate_limited', 20, 'one more');
	is($p->wait_close->{code}, 1008, 'and the connection ends');
	my $bob = $b->peer($s->{peerB}, name => 'bob');
	is($bob->send(to => 'bob', text => 'x')->{type}, 'ack',
	    'others may come');
	ok((wait_until { !$b->peer($s->{peerA}, refused => 1)->refusal } 10),
	    'and the member later');
	is($b->stop, 0, 'stops');
};

subtest 'acks' => sub {
	my $b = broker('rate.requests 600', 'rate.requests_burst 50');
	my $s = $b->seed;
	my $alice = $b->peer($s->{peerA}, name => 'alice');
	my $bob = $b->peer($s->{peerB}, name => 'bob', acks => 1);
	my $unknown = sub { $bob->post(type => 'client_ack',
	    messageId => Linnet::Peer::new_key()->{pubkey} =~ s/.{32}\z//r) };
	$alice->send(to => 'bob', text => $_) for 1 .. 40;
	my @got = map { $bob->expect_push->{messageId} } 1 .. 40;
	my @id = map { $bob->post(type => 'client_ack', messageId => $_) } @got;
	is(scalar(grep { $bob->reply($_)->{type} eq 'client_acked' } @id), 40,
	    'acks of what was pushed do not count');
	@id = map { $unknown->() } 1 .. 70;
	my @r = map { $bob->reply($_) } @id;
	is($r[0]{type}, 'client_acked', 'of what came before: answered');
	my ($no) = grep { $_->{type} eq 'error' } @r;
	limited_ok($no, 'rate_limited', 600, 'but they count');
	$alice->send(to => 'bob', text => 'more');
	my $m = $bob->expect_push;
	is($bob->reply($bob->post(type => 'client_ack',
	    messageId => $m->{messageId}))->{type}, 'client_acked',
	    'another one is still acked');
	is($b->stop, 0, 'stops');
};

subtest 'what is sent later' => sub {
	my $b = broker('rate.now 60', 'rate.now_burst 3', 'rate.member 120',
	    'rate.member_burst 6');
	my $s = $b->seed;
	my $alice = $b->peer($s->{peerA}, name => 'alice');
	my $bob = $b->peer($s->{peerB}, name => 'bob');
	my @r = map { $alice->request({ type => 'schedule', to => 'bob',
	    message => "now $_", deliverAt => 1 }) } 1 .. 4;
	is($_->{type}, 'scheduled_ack', 'at once') for @r[0 .. 2];
	limited_ok($r[3], 'rate_limited', 60,
	    'no way round the rate of priority now');
	limited_ok($alice->send(to => 'bob', text => 'x', priority => 'now'),
	    'rate_limited', 60, 'it is one rate');
	@r = map { $alice->request({ type => 'schedule', to => 'bob',
	    message => "next $_", deliverAt => 1, priority => 'next' }) }
	    1 .. 6;
	my ($no) = grep { $_->{type} eq 'error' } @r;
	limited_ok($no, 'rate_limited', 120, 'nor round that of the member');
	my $n = grep { $_->{type} eq 'scheduled_ack' } @r;
	is(scalar(grep { $bob->expect_push } 1 .. 3 + $n), 3 + $n,
	    'what was taken is sent');
	is($b->stop, 0, 'stops');
};

my $b = broker('limit.recipient_queue 5', 'limit.queue 12',
    'limit.state_keys 4', 'limit.state_bytes 1k', 'limit.memories 3',
    'limit.blocks 1');

sub ask {
	my ($p, $type, %o) = @_;
	return $p->request({ type => $type, %o });
}

# Tells the daemons that a mesh changed, as linnetctl does.
sub quota {
	my ($s, %o) = @_;
	my $set = join ', ', map { "$_ = $o{$_}" } keys %o;
	$b->psql("update mesh set $set where id = '$s->{meshId}';
	    select pg_notify('linnet', 'changed $s->{meshId}')");
	return;
}

subtest 'messages that wait' => sub {
	my $s = $b->seed;
	my $alice = $b->peer($s->{peerA}, name => 'alice');
	for (1 .. 5) {
		is($alice->send(to => 'peer-b', text => $_)->{type}, 'ack',
		    "message $_ is held");
	}
	limited_ok($alice->send(to => 'peer-b', text => 6), 'quota', 5,
	    'one more');
	my @b = map { $b->peer($s->{peerB}, acks => 1) } 1;
	for (1 .. 5) {
		my $m = $b[0]->expect_push;
		is($m->{text}, $_, "message $_ was not lost");
		$b[0]->ack($m);
	}
	ok(wait_until { $alice->send(to => 'peer-b',
	    text => 'again')->{type} eq 'ack' } 10,
	    'there is room when they were received');
};

subtest 'messages of a mesh' => sub {
	my $s = $b->seed;
	my @p = map { $b->peer($s->{peerA}, name => "p$_", acks => 1,
	    session_key => 1) } 1 .. 4;
	my $alice = $b->peer($s->{peerB}, name => 'alice');
	is($alice->send(to => '*', text => $_)->{recipients}, 4,
	    "multicast $_") for 1 .. 3;
	my $r = $alice->send(to => '*', text => 4);
	limited_ok($r, 'quota', 12, 'one more');
	for my $p (@p) {
		$p->ack($p->expect_push) for 1 .. 3;
	}
	ok(wait_until { $alice->send(to => '*', text => 4)->{type} eq 'ack' }
	    10, 'there is room when they were acked');
};

subtest 'state and memories' => sub {
	my $s = $b->seed;
	my @p = map { $b->peer($s->{peerA}, name => "p$_") } 1, 2;
	for (1 .. 4) {
		is(ask($p[$_ % 2], 'set_state', key => "k$_", value => $_)
		    ->{type}, 'state_result', "key $_");
	}
	for (@p) {
		limited_ok(ask($_, 'set_state', key => 'new', value => 1),
		    'quota', 4, 'one more key');
		is(ask($_, 'set_state', key => 'k1', value => 'x')->{type},
		    'state_result', 'a key that is there');
		limited_ok(ask($_, 'set_state', key => 'k1',
		    value => 'x' x 1100), 'quota', 1024, 'a long value');
		# A refusal stands a moment before it is counted again.
		my $p = $_;
		ok((wait_until { ask($p, 'set_state', key => 'k1',
		    value => 'x' x 900)->{type} eq 'state_result' } 5),
		    'a shorter one');
		is(ask($_, 'set_state', key => 'k1', value => 'y' x 900)
		    ->{type}, 'state_result', 'in place of it');
	}
	my @id = map { ask($p[$_ % 2], 'remember', content => "fact $_")
	    ->{memoryId} } 1 .. 3;
	ok(3 == grep({ defined } @id), 'three memories');
	limited_ok(ask($_, 'remember', content => 'more'), 'quota', 3,
	    'one more') for @p;
	ask($p[0], 'forget', memoryId => $id[0]);
	ok(wait_until { ask($p[1], 'remember', content => 'more')->{type} eq
	    'memory_stored' } 10, 'there is room when one is forgotten');

	quota($s, max_state_keys => 6, max_memories => 2);
	ok(wait_until { ask($_, 'set_state', key => 'k5', value => 1)->{type}
	    eq 'state_result' } 10, 'a mesh may have more') for @p;
	ok(wait_until { (ask($_, 'remember', content => 'x')->{limit} // 0)
	    == 2 } 10, 'or less') for @p;
	my $t = $b->seed;
	my $q = $b->peer($t->{peerA});
	is(ask($q, 'set_state', key => 'new', value => 1)->{type},
	    'state_result', 'another mesh has its own');
};

subtest 'sessions, blocks' => sub {
	my $s = $b->seed;
	my @p = map { $b->peer($s->{peerA}, name => "p$_") } 1, 2;
	quota($s, max_sessions => 2);
	my $no;
	ok(wait_until {
		my $p = $b->peer($s->{peerB}, refused => 1);
		$no = $p->refusal;
		$p->close;
		$no
	} 10, 'no more sessions than the mesh may have');
	is($no->{code}, 'capacity', 'capacity');
	quota($s, max_sessions => 'null');
	my $bob;
	ok(wait_until {
		$bob = $b->peer($s->{peerB}, name => 'bob', refused => 1);
		!$bob->refusal
	} 10, 'null is what is configured');
	is(ask($p[0], 'block', target => 'bob')->{type}, 'block_ack', 'block');
	is(ask($p[0], 'block', target => 'bob', what => ['dm'])->{type},
	    'block_ack', 'the same again');
	my $key = Linnet::Peer::new_key()->{pubkey};
	$b->psql("insert into member (id, mesh_id, key, name, name_folded,
	    role) values (gen_random_uuid(), '$s->{meshId}',
	    decode('$key', 'hex'), 'eve', 'eve', 'member')");
	limited_ok(ask($p[0], 'block', target => 'eve'), 'quota', 1,
	    'one more');
};

is($b->stop, 0, 'stops');
done_testing;
