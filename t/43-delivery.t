#!/usr/bin/env perl
# What became of a message: for each recipient, honestly, until it is acked or
# its time is over.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet;

my $b = Linnet->broker(workers => 2, options => ['mesh.ack_time 1s']);
my $short = Linnet->broker(workers => 1, options => [
	'mesh.ack_time 1s', 'mesh.hold 1s',
]);

sub status {
	my ($p, $id) = @_;
	return $p->request({ type => 'message_status', messageId => $id });
}

# Waits until a message is in a state, for its only recipient.
sub becomes {
	my ($p, $id, $state, $name) = @_;
	my $s;
	ok((wait_until {
		$s = status($p, $id);
		($s->{recipients}[0]{state} // '') eq $state
	} 15), $name) or diag(explain($s));
	return $s;
}

sub all_there {
	my (@p) = @_;
	for my $p (@p) {
		ok((wait_until { @p == @{ $p->request(
		    { type => 'list_peers' })->{peers} } }), 'they met');
	}
	return;
}

my $time = qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/;

subtest 'one that acks' => sub {
	my $seed = $b->seed;
	my $alice = $b->peer($seed->{peerA}, name => 'alice');
	my $bob = $b->peer($seed->{peerB}, name => 'bob', acks => 1,
	    session_key => 1);
	my $other = $b->peer($seed->{peerB}, name => 'other',
	    session_key => 1);
	all_there($alice, $bob, $other);
	$bob->request({ type => 'set_status', status => 'dnd' });
	ok((wait_until { grep { $_->{status} eq 'dnd' } @{ $alice->request(
	    { type => 'list_peers' })->{peers} } }), 'bob is dnd');
	my $id = $alice->send(to => $bob->key, text => 'x')->{messageId};
	my $s = status($alice, $id);
	is($s->{type}, 'message_status_result', 'message_status_result');
	is($s->{messageId}, $id, 'messageId');
	is($s->{targetSpec}, $bob->key, 'targetSpec');
	ok(!$s->{delivered}, 'not delivered');
	is($s->{deliveredAt}, undef, 'at no time');
	like($s->{createdAt}, $time, 'createdAt');
	like($s->{expiresAt}, $time, 'expiresAt');
	is(@{ $s->{recipients} }, 1, 'one recipient');
	my $r = $s->{recipients}[0];
	is($r->{name}, 'bob', 'its name');
	is($r->{pubkey}, $bob->key, 'its key');
	is($r->{state}, 'queued', 'queued');
	is($r->{status}, 'held', 'held: it is connected');
	is($r->{pushedAt}, undef, 'not pushed');
	is($r->{pushes}, 0, 'never');

	$bob->request({ type => 'set_status', status => 'idle' });
	my $push = $bob->expect_push;
	is($push->{messageId}, $id, 'pushed');
	$s = becomes($alice, $id, 'pushed', 'and said to be');
	like($s->{recipients}[0]{pushedAt}, $time, 'pushedAt');
	ok(!$s->{delivered}, 'not delivered before the ack');
	$bob->ack($push);
	$s = becomes($alice, $id, 'acked', 'acked');
	ok($s->{delivered}, 'delivered');
	like($s->{deliveredAt}, $time, 'deliveredAt');
	like($s->{recipients}[0]{ackedAt}, $time, 'ackedAt');
	is($s->{recipients}[0]{status}, 'delivered', 'in the older word');

	is(status($bob, $id)->{type}, 'message_status_result',
	    'its recipient may ask');
	# The session is of the same member, which the message was not for.
	is(status($other, $id)->{code}, 'not_found', 'who has neither sent '
	    . 'nor got it may not');
	my $wall = $b->peer($b->seed->{peerA});
	is(status($wall, $id)->{code}, 'not_found', 'nor another mesh');
	is(status($alice, '0' x 32)->{code}, 'not_found', 'no such message');
	is(status($alice, 'x')->{code}, 'malformed', 'no id');
};

subtest 'one that does not ack' => sub {
	my $seed = $b->seed;
	my $alice = $b->peer($seed->{peerA}, name => 'alice');
	my $old = $b->peer($seed->{peerB}, name => 'old', session_key => 1);
	all_there($alice, $old);
	my $id = $alice->send(to => $old->key, text => 'x')->{messageId};
	is($old->expect_push->{messageId}, $id, 'pushed');
	my $s = becomes($alice, $id, 'acked', 'acked once written');
	ok($s->{delivered}, 'delivered');
	my $mark = $alice->send(to => $old->key, text => 'mark');
	is($old->expect_push->{text}, 'mark', 'the next one');
	# Longer than the ack time of another, which is pushed again.
	my $new = $b->peer($seed->{peerB}, name => 'new', session_key => 1,
	    acks => 1);
	$alice->send(to => $new->key, text => 'again');
	is($new->expect_push->{text}, 'again', 'pushed')
	    for 1 .. 2;
	ok($old->no_push(after => $alice), 'an old client gets nothing twice');
};

subtest 'pushed again' => sub {
	my $seed = $b->seed;
	my $alice = $b->peer($seed->{peerA}, name => 'alice');
	my $bob = $b->peer($seed->{peerB}, name => 'bob', acks => 1,
	    session_key => 1);
	all_there($alice, $bob);
	for my $to ($bob->key, '*') {
		my $id = $alice->send(to => $to, text => "to $to")->{messageId};
		my $n = 0;
		for (1 .. 2) {
			my $m = $bob->expect_push(15) or last;
			is($m->{messageId}, $id, "push $_");
			is($m->{text}, "to $to", 'with its text');
			$n++;
		}
		is($n, 2, 'as long as there is no ack');
		my $s;
		ok((wait_until { $s = status($alice, $id);
		    $s->{recipients}[0]{pushes} >= 2 }), 'pushes are counted');
		is($s->{recipients}[0]{state}, 'pushed', 'it is not acked');
		$bob->post(type => 'client_ack', brokerMessageId => $id);
		becomes($alice, $id, 'acked', 'the ack ends it');
		# One may have been on its way.
		$bob->ws->pick(\&Linnet::Peer::is_message);
		my $other = $alice->send(to => $bob->key, text => 'unacked');
		is($bob->expect_push(15)->{messageId}, $other->{messageId},
		    'another is pushed') for 1 .. 2;
		$bob->ack({ messageId => $other->{messageId} });
		becomes($alice, $other->{messageId}, 'acked', 'and acked');
		$bob->ws->pick(\&Linnet::Peer::is_message);
		ok($bob->no_push(after => $alice),
		    'what was acked is not pushed again');
	}

	# Acked over the next connection, and after it was redelivered there.
	my $id = $alice->send(to => $bob->key, text => 'late')->{messageId};
	is($bob->expect_push->{messageId}, $id, 'pushed');
	$bob->drop;
	$bob = $b->peer($seed->{peerB}, name => 'bob', acks => 1,
	    session_key => $bob->{session});
	is($bob->expect_push->{messageId}, $id, 'again when it comes back');
	$bob->ack({ messageId => $id });
	becomes($alice, $id, 'acked', 'then acked');
};

subtest 'multicast' => sub {
	my $seed = $b->seed;
	my $alice = $b->peer($seed->{peerA}, name => 'alice');
	my %p = (
		acks => $b->peer($seed->{peerB}, name => 'acks', acks => 1,
		    session_key => 1, groups => ['g']),
		busy => $b->peer($seed->{peerB}, name => 'busy', acks => 1,
		    session_key => 1, groups => ['g']),
		mute => $b->peer($seed->{peerB}, name => 'mute', acks => 1,
		    session_key => 1, groups => ['g']),
		gone => $b->peer($seed->{peerB}, name => 'gone', acks => 1,
		    session_key => 1, groups => ['g']),
		old => $b->peer($seed->{peerB}, name => 'old',
		    session_key => 1, groups => ['g']),
	);
	all_there($alice, values %p);
	$p{busy}->request({ type => 'set_status', status => 'working' });
	$p{gone}->drop;
	ok((wait_until {
		my @rows = @{ $alice->request(
		    { type => 'list_peers' })->{peers} };
		@rows == 5 && grep { $_->{status} eq 'working' } @rows
	}), 'one works, one is gone');
	for my $o ({ to => '@g', id => undef }, { to => '@g' },
	    { to => '*', id => undef }, { to => '*' }) {
		my $r = $alice->send(%$o, text => 'all');
		is($r->{recipients}, 5, "$o->{to}: five recipients");
		my $id = $r->{messageId};
		for (qw(acks mute old)) {
			my $m = $p{$_}->expect_push;
			is($m->{messageId}, $id, "$_ gets it");
			$p{$_}->ack($m) if $_ eq 'acks';
		}
		my %want = (acks => 'acked delivered', busy => 'queued held',
		    mute => 'pushed held', gone => 'queued disconnected',
		    old => 'acked delivered');
		my ($s, %got);
		ok((wait_until {
			$s = status($alice, $id);
			%got = map { $_->{name} => "$_->{state} $_->{status}" }
			    @{ $s->{recipients} };
			"@got{sort keys %want}" eq "@want{sort keys %want}"
		}), 'each has a state of its own') or diag(explain(\%got));
		is(keys %got, 5, 'five rows');
		ok(!$s->{delivered}, 'not delivered to all');
		$p{mute}->ack({ messageId => $id });
	}
	my $last = $alice->send(to => '*', text => 'last')->{messageId};
	$p{gone} = $b->peer($seed->{peerB}, name => 'gone', acks => 1,
	    session_key => $p{gone}{session});
	$p{busy}->request({ type => 'set_status', status => 'idle' });
	for my $who (qw(gone busy)) {
		for (1 .. 4) {
			my $m = $p{$who}->expect_push or last;
			is($m->{text}, 'all', "$who gets the others later");
			$p{$who}->ack($m);
		}
	}
	for my $who (qw(acks mute gone busy)) {
		my $m = $p{$who}->ws->wait_for(sub {
		    ($_->{messageId} // '') eq $last }) or next;
		$p{$who}->ack($m);
	}
	my $s;
	ok((wait_until { ($s = status($alice, $last))->{delivered} } 15),
	    'delivered when all have acked') or diag(explain($s));
};

subtest 'expiry' => sub {
	my $seed = $short->seed;
	my $alice = $short->peer($seed->{peerA}, name => 'alice');
	my $id = $alice->send(to => 'peer-b', text => 'too late')->{messageId};
	is(status($alice, $id)->{recipients}[0]{status}, 'disconnected',
	    'it waits for one who is not there');
	my $s = becomes($alice, $id, 'expired', 'until mesh.hold is over');
	is($s->{recipients}[0]{status}, 'expired', 'in the older word too');
	ok(!$s->{delivered}, 'not delivered');
	my $bob = $short->peer($seed->{peerB}, name => 'bob', acks => 1,
	    session_key => 1);
	all_there($alice, $bob);
	ok($bob->no_push(after => $alice), 'it does not come any more');
	$id = $alice->send(to => $bob->key, text => 'never acked')->{messageId};
	is($bob->expect_push->{messageId}, $id, 'pushed');
	becomes($alice, $id, 'expired', 'nor is what nobody acked kept');
};

subtest 'client_ack' => sub {
	my $seed = $b->seed;
	my $alice = $b->peer($seed->{peerA}, name => 'alice');
	my $bob = $b->peer($seed->{peerB}, name => 'bob', acks => 1,
	    session_key => 1);
	all_there($alice, $bob);
	my $id = $alice->send(to => $bob->key, text => 'x')->{messageId};
	$bob->expect_push;
	$bob->ws->send_text({ type => 'client_ack', brokerMessageId => $id });
	my $next = $bob->ws;
	$next->send_text({ type => 'list_peers' });
	is($next->recv->{type}, 'peers_list', 'without an id it is quiet');
	becomes($alice, $id, 'acked', 'and works');
	for my $field (qw(brokerMessageId messageId)) {
		my $r = $bob->request({ type => 'client_ack', $field => $id });
		is($r->{type}, 'client_acked', "$field: with an id answered");
		is($r->{messageId}, $id, 'messageId');
	}
	is($bob->request({ type => 'client_ack', messageId => 'f' x 32 })
	    ->{type}, 'client_acked', 'of an unknown message: fine');
	is($bob->request({ type => 'client_ack' })->{code}, 'malformed',
	    'of no message: an error');
	is($bob->request({ type => 'client_ack', messageId => 'no' })->{code},
	    'malformed', 'of no id: an error');
	# Nobody acks for another.
	$id = $alice->send(to => $bob->key, text => 'mine')->{messageId};
	$bob->expect_push;
	is($alice->request({ type => 'client_ack', messageId => $id })->{type},
	    'client_acked', 'the sender acks');
	is($bob->expect_push(15)->{messageId}, $id, 'it is pushed again');
	isnt(status($alice, $id)->{recipients}[0]{state}, 'acked',
	    'only the recipient can');
};

is($b->stop, 0, 'stopped');
done_testing;
