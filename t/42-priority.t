#!/usr/bin/env perl
# Priorities against statuses: what is pushed, what waits, and what lets it go.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use MIME::Base64 'decode_base64';
use Test::More;
use Linnet;

my $b = Linnet->broker(workers => 2);
# One in which nobody works for longer than a second.
my $short = Linnet->broker(workers => 1, options => ['mesh.status_time 1s']);

# A sender and a receiver, in a mesh of their own; the receiver's group is g.
sub pair {
	my ($broker, %o) = @_;
	my $seed = $broker->seed;
	my $to = $broker->peer($seed->{peerB}, name => 'to', acks => 1,
	    session_key => 1, groups => ['g'], session_id => 'to', %o);
	my $from = $broker->peer($seed->{peerA}, name => 'from');
	ok((wait_until { 2 == @{ $from->request(
	    { type => 'list_peers' })->{peers} } }), 'they met');
	return ($seed, $from, $to);
}

sub status {
	my ($p, $status) = @_;
	my $r = $p->request({ type => 'set_status', status => $status });
	is($r->{status}, $status, "status $status");
	return;
}

sub texts {
	my ($p, $n) = @_;
	my @t;
	for (1 .. $n) {
		my $m = $p->expect_push or last;
		$p->ack($m);
		push @t, $m->{text};
	}
	return "@t";
}

my %passes = (
	idle => { now => 1, next => 1, low => 1 },
	working => { now => 1, next => 0, low => 0 },
	dnd => { now => 1, next => 0, low => 0 },
);

for my $kind (qw(direct group all stored)) {
	subtest "the gate: $kind" => sub {
		my ($seed, $from, $to) = pair($b);
		# With an id a multicast is stored first.
		my %how = (
			direct => { to => $to->key },
			group => { to => '@g', id => undef },
			all => { to => '*', id => undef },
			stored => { to => '@g' },
		);
		my @held;
		for my $status (qw(idle working dnd working idle)) {
			status($to, $status);
			if ($status eq 'idle') {
				is(texts($to, scalar @held), "@held",
				    'what waited comes, in order');
				@held = ();
			}
			for my $p (qw(low next now)) {
				my $text = "$status-$p";
				my $r = $from->send(%{ $how{$kind} },
				    text => $text, priority => $p);
				is($r->{type}, 'ack', "$text: accepted");
				if ($passes{$status}{$p}) {
					is(texts($to, 1), $text, 'pushed');
					next;
				}
				push @held, $text;
				ok($to->no_push(after => $from), 'held');
				my $s = $from->request({
				    type => 'message_status',
				    messageId => $r->{messageId} });
				is($s->{recipients}[0]{state}, 'queued',
				    'and said to be');
				is($s->{recipients}[0]{status}, 'held', 'held');
			}
		}
	};
}

subtest 'drained by set_status' => sub {
	my ($seed, $from, $to) = pair($b);
	status($to, 'dnd');
	$from->send(to => $to->key, text => $_) for 1 .. 100;
	status($to, 'working');
	ok($to->no_push(after => $from), 'working is no better than dnd');
	status($to, 'idle');
	is(texts($to, 100), join(' ', 1 .. 100), 'idle lets all go, in order');
	ok($to->no_push(after => $from), 'once');
};

subtest 'drained by a hook' => sub {
	my ($seed, $from, $to) = pair($b);
	my ($payload) = map { Cpanel::JSON::XS->new->decode($_) }
	    decode_base64($seed->{inviteToken} =~ tr{-_}{+/}r);
	my $key = Linnet::Peer::new_key();
	my $joined = $b->http(POST => '/join', {}, {
	    invite_token => $seed->{inviteToken}, invite_payload => $payload,
	    peer_pubkey => $key->{pubkey}, display_name => 'hooked' })->{json};
	my $member = { %$key, %$joined, meshId => $seed->{meshId} };
	$to = $b->peer($member, name => 'hooked', session_id => 'h',
	    cwd => '/hooked', acks => 1, session_key => 1);
	my $hook = sub {
		my ($status) = @_;
		my $r = $b->http(POST => '/hook/set-status', { Authorization =>
		    "Bearer $joined->{hookToken}" }, { cwd => '/hooked',
		    status => $status, session_id => 'h' });
		is($r->{json}{presence_id}, $to->hello_ack->{presenceId},
		    "hook: $status");
	};
	my $is = sub {
		my ($status) = @_;
		ok((wait_until {
			my ($row) = grep { $_->{displayName} eq 'hooked' } @{
			    $from->request({ type => 'list_peers' })->{peers} };
			$row && $row->{status} eq $status
		}), "it is $status");
	};
	$hook->('working');
	$is->('working');
	$from->send(to => $to->key, text => 'waits');
	ok($to->no_push(after => $from), 'held');
	$hook->('idle');
	is(texts($to, 1), 'waits', 'the hook lets it go');

	status($to, 'dnd');
	$is->('dnd');
	$from->send(to => $to->key, text => 'later');
	$hook->('idle');
	# The hook's word took effect before a second one that does.
	$hook->('working');
	ok($to->no_push(after => $from), 'no hook lifts dnd');
	$is->('dnd');
	status($to, 'idle');
	is(texts($to, 1), 'later', 'the session itself does');
};

subtest 'drained by time' => sub {
	my ($seed, $from, $to) = pair($short);
	status($to, 'working');
	is($from->send(to => $to->key, text => 'soon')->{type}, 'ack', 'held');
	is(texts($to, 1), 'soon', 'working is idle after mesh.status_time');
	my ($row) = grep { $_->{displayName} eq 'to' }
	    @{ $to->request({ type => 'list_peers' })->{peers} };
	is($row->{status}, 'idle', 'and shown as idle');

	status($to, 'dnd');
	my $busy = $short->peer($seed->{peerB}, name => 'busy', acks => 1,
	    session_key => 1);
	status($busy, 'working');
	$from->send(to => $to->key, text => 'no');
	ok((wait_until { $from->send(to => $busy->key, text => 'x')->{type}
	    eq 'ack' }), 'another one');
	is(texts($busy, 1), 'x', 'whose time ran out');
	ok($to->no_push(after => $from), 'dnd does not run out');
};

subtest 'drained by coming back' => sub {
	my ($seed, $from, $to) = pair($b);
	$to->drop;
	ok((wait_until { 1 == @{ $from->request(
	    { type => 'list_peers' })->{peers} } }), 'it is gone');
	$from->send(to => $_->[0], text => $_->[1], priority => $_->[2])
	    for [$to->key, 'a', 'low'], [$to->member_key, 'b', 'next'],
	    ['@g', 'c', 'now'], ['*', 'd', 'low'];
	$to = $b->peer($seed->{peerB}, name => 'to', acks => 1,
	    session_key => $to->{session});
	is(texts($to, 4), 'a b c d', 'it gets what waited, in order');
	ok($to->no_push(after => $from), 'once');

	status($to, 'dnd');
	$to->drop;
	ok((wait_until { 1 == @{ $from->request(
	    { type => 'list_peers' })->{peers} } }), 'gone while dnd');
	$from->send(to => $to->key, text => 'quiet');
	$from->send(to => $to->key, text => 'loud', priority => 'now');
	$to = $b->peer($seed->{peerB}, name => 'to', acks => 1,
	    session_key => $to->{session});
	is(texts($to, 1), 'loud', 'dnd is kept: only what is urgent');
	ok($to->no_push(after => $from), 'the other waits');
	status($to, 'idle');
	is(texts($to, 1), 'quiet', 'until it is idle');
};

is($b->stop, 0, 'stopped');
done_testing;
