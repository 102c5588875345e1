#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Messages with a time to live: they are delivered before it is over or not at
# all, and their sender is told.
use strict;
use warnings;
use Linnet;
use Test::More;
use Time::HiRes 'time';

my $b = Linnet->broker(workers => 2, options => ['mesh.hold 1h',
    'mesh.ack_time 200ms']);
my $seed = $b->seed;
my $alice = $b->peer($seed->{peerA}, name => 'alice', session_key => 1);

sub stamp {
	my ($ms) = @_;
	my @t = gmtime($ms / 1000);
	return sprintf '%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', $t[5] + 1900,
	    $t[4] + 1, @t[3, 2, 1, 0], $ms % 1000;
}
sub now { return int(time * 1000) }

sub status {
	my ($ack) = @_;
	my $r = $alice->request({ type => 'message_status',
	    messageId => $ack->{messageId} });
	return $r->{recipients}[0];
}

sub expires {
	my ($ack, $name) = @_;
	ok((wait_until { status($ack)->{state} eq 'expired' } 20),
	    "$name: expired");
	my $r = status($ack);
	is($r->{status}, 'expired', 'says the status');
	is($r->{expiredAt}, $ack->{expiresAt}, 'at the time it was told');
	return;
}

subtest 'what is asked for' => sub {
	my $before = now();
	my $r = $alice->send(to => 'peer-b', text => 'x', ttl => 60_000);
	is($r->{type}, 'ack', 'ttl');
	ok($r->{expiresAt} ge stamp($before + 60_000)
	    && $r->{expiresAt} le stamp(now() + 60_000), 'so long');
	my $at = stamp($before + 90_000);
	$r = $alice->send(to => 'peer-b', text => 'x', expiresAt => $at);
	is($r->{expiresAt}, $at, 'expiresAt');
	$r = $alice->send(to => 'peer-b', text => 'x', expiresAt => $at,
	    ttl => 1_000_000);
	is($r->{expiresAt}, $at, 'the earlier of both');
	$r = $alice->send(to => 'peer-b', text => 'x', ttl => 31_536_000_000);
	ok($r->{expiresAt} le stamp(now() + 3_600_000), 'no more than '
	    . 'mesh.hold');
	$r = $alice->send(to => 'peer-b', text => 'x');
	ok(!exists $r->{expiresAt}, 'nothing where nothing was asked');
	for my $bad ({ ttl => 0 }, { ttl => -5 }, { ttl => 31_536_000_001 },
	    { expiresAt => stamp($before) }, { expiresAt => 'soon' }) {
		my ($field) = keys %$bad;
		$r = $alice->send(to => 'peer-b', text => 'x', %$bad);
		is($r->{code}, 'malformed', "$field $bad->{$field}");
		like($r->{message}, qr/$field/, 'says which field');
	}
	my %twice = (to => 'peer-b', text => 'x', id => 'same', ttl => 60_000);
	my $first = $alice->send(%twice);
	my $second = $alice->send(%twice);
	ok($second->{duplicate}, 'a repeated one is the same message');
	is($second->{messageId}, $first->{messageId}, 'the first');
};

subtest 'absent' => sub {
	my $r = $alice->send(to => 'peer-b', text => 'too late', ttl => 200);
	my $kept = $alice->send(to => 'peer-b', text => 'in time');
	expires($r, 'absent');
	is(status($kept)->{state}, 'queued', 'the next one stays');
	my $bob = $b->peer($seed->{peerB}, name => 'bob', session_key => 1,
	    acks => 1);
	my @got;
	while (my $m = $bob->expect_push) {
		$bob->ack($m);
		push @got, $m->{text};
		last if $m->{text} eq 'in time';
	}
	ok(!(grep { $_ eq 'too late' } @got), 'a drain does not find it');
	$bob->close(1000);
};

subtest 'held' => sub {
	my $bob = $b->peer($seed->{peerB}, name => 'bob', session_key => 1,
	    acks => 1);
	$bob->request({ type => 'set_status', status => 'dnd' });
	ok((wait_until { (grep { $_->{displayName} eq 'bob'
	    && $_->{status} eq 'dnd' } @{ $alice->request(
	    { type => 'list_peers' })->{peers} }) == 1 } 10), 'bob rests');
	my @acks = map { $alice->send(to => $_, text => "for $_",
	    ttl => 300) } $bob->key, '*';
	expires($_, 'held') for @acks;
	$bob->request({ type => 'set_status', status => 'idle' });
	ok($bob->no_push(after => $alice), 'not when it may come again');

	# In time it is like any other.
	for my $to ($bob->key, '*') {
		my $r = $alice->send(to => $to, text => 'quick',
		    ttl => 60_000);
		my $m = $bob->expect_push;
		is($m->{messageId}, $r->{messageId}, 'in time it comes');
		$bob->ack($m);
		ok((wait_until { status($r)->{state} eq 'acked' } 10),
		    'and is acked');
	}

	# Pushed, but never acked: again and again, until it is over.
	for my $to ($bob->key, '*') {
		my $r = $alice->send(to => $to, text => 'again', ttl => 2500);
		is($bob->expect_push->{text}, 'again', 'pushed');
		is($bob->expect_push->{text}, 'again', 'and once more');
		expires($r, 'pushed');
		1 while $bob->ws->pick(\&Linnet::Peer::is_message);
		ok($bob->no_push(after => $alice), 'not after that');
	}
};

is($b->stop, 0, 'stopped');
done_testing;
