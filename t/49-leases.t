#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# What peers are told of each other: who joined, was lost and came back in
# time, left, returned, hides; once each, on every worker, also when workers
# or the words between them were lost.
use strict;
use warnings;
use Linnet;
use Linnet::Workers;
use Test::More;

my $b = Linnet->broker(workers => 2, options => ['mesh.lease 5s']);
my %new = (hello => { protocolVersion => 2 });

sub is_event {
	return ($_->{type} // '') eq 'push' && ($_->{subtype} // '') eq 'system';
}

# The next event, whatever it is: "peer_joined bob".
sub next_event {
	my ($p, $seconds) = @_;
	my $e = defined $seconds ? $p->wait_for(\&is_event, $seconds)
	    : $p->ws->pick(\&is_event);
	return 'nothing' if !$e;
	return "$e->{event} $e->{eventData}{displayName}";
}

# Every watcher hears these, in this order, and nothing between.
sub heard {
	my ($watchers, $want, $name) = @_;
	my @got = map { next_event($_, 20) } @$watchers;
	is(join(', ', @got), join(', ', ($want) x @$watchers), $name // $want);
	return;
}

sub row {
	my ($p, $name) = @_;
	my ($row) = grep { $_->{displayName} eq $name }
	    @{ $p->request({ type => 'list_peers' })->{peers} };
	return $row;
}

# Two watchers, one on each worker.
sub watchers {
	my ($seed) = @_;
	wait_until { !grep { $_ } Linnet::Workers::connections($b) } 10
	    or diag('connections are left');
	my @w = map { $b->peer($seed->{peerB}, name => "w$_", attest => 1) } 1, 2;
	ok(spread($b, 2), 'a watcher on each worker');
	heard([$w[0]], 'peer_joined w2');
	return @w;
}

subtest 'joined, lost, back, left, returned' => sub {
	my $s = $b->seed;
	my @w = watchers($s);
	my $p = $b->peer($s->{peerA}, name => 'alice', session_key => 1, %new,
	    groups => ['dev:lead']);
	my $e = $w[0]->expect_event('peer_joined');
	is_deeply($e->{eventData}, { name => 'alice', displayName => 'alice',
	    pubkey => $p->key, memberPubkey => $s->{peerA}{pubkey},
	    presenceId => $p->hello_ack->{presenceId},
	    groups => [{ name => 'dev', role => 'lead' }] }, 'eventData');
	is_deeply([@$e{qw(senderPubkey priority nonce ciphertext meshId)}],
	    ['system', 'low', '', '', $s->{meshId}], 'a push of the system');
	like($e->{messageId}, qr/^[0-9a-f]{32}$/, 'messageId');
	like($e->{createdAt}, qr/^\d{4}-.*Z$/, 'createdAt');
	heard([$w[1]], 'peer_joined alice');
	$p->request({ type => 'set_summary', summary => 'builds' });

	for my $turn (1, 2) {
		$p->drop;
		ok((wait_until { !row($w[0], 'alice') }), 'lost: not listed');
		$p = $b->peer($s->{peerA}, name => 'alice', %new,
		    session_key => $p->{session});
		ok($p->hello_ack->{restored}, 'back in time');
		like($p->hello_ack->{lastSeenAt}, qr/^\d{4}-/, 'lastSeenAt');
	}
	my $q = $b->peer($s->{peerA}, name => 'alice', %new,
	    session_key => $p->{session});
	is($p->wait_close->{reason}, 'session_replaced', 'and replaced');
	$q->drop;
	heard(\@w, 'peer_left alice', 'of all that, that its lease ended');
	is(scalar(grep { $_->{displayName} eq 'alice' } map { @{ $_->request({
	    type => 'list_peers', all => \1 })->{peers} } } @w), 0,
	    'and nobody can find it');

	$p = $b->peer($s->{peerA}, name => 'alice', %new,
	    session_key => $p->{session});
	ok(!$p->hello_ack->{restored}, 'too late for its groups');
	my @e = map { $_->expect_event('peer_returned') } @w;
	like($e[$_]{eventData}{lastSeenAt}, qr/^\d{4}-.*Z$/, 'returned')
	    for 0, 1;
	is($e[0]{eventData}{lastSeenAt}, $p->hello_ack->{lastSeenAt},
	    'since when');
	$p->request({ type => 'set_summary', summary => 'tests' });
	$p->close(1000);
	heard(\@w, 'peer_left alice', 'a goodbye is told at once');
	$p = $b->peer($s->{peerA}, name => 'alice', %new,
	    session_key => $p->{session});
	is($_->expect_event('peer_returned')->{eventData}{summary}, 'tests',
	    'returned with its summary') for @w;
	is(next_event($p), 'nothing', 'it hears nothing of itself');
};

subtest 'who is told' => sub {
	my $s = $b->seed;
	my @w = watchers($s);
	my %deaf = (
		'of 0.4.0' => $b->peer($s->{peerA}, name => 'old',
		    session_key => 1),
		'a tool' => $b->peer($s->{peerA}, name => 'tool',
		    session_key => 1, acks => 1,
		    hello => { peerRole => 'control-plane' }),
		'in another mesh' => $b->peer($b->seed->{peerA},
		    name => 'far', session_key => 1, %new),
	);
	heard(\@w, 'peer_joined old', 'an old client is told of');
	my $able = $b->peer($s->{peerA}, name => 'able', session_key => 1,
	    acks => 1);
	heard(\@w, 'peer_joined able', 'a tool and another mesh are not');
	my $late = $b->peer($s->{peerA}, name => 'late', session_key => 1);
	heard([@w, $able], 'peer_joined late', 'capabilities are enough');
	for my $who (sort keys %deaf) {
		my $p = $deaf{$who};
		$p->request({ type => 'list_peers' });
		is(next_event($p), 'nothing', "$who: not told");
	}
	$deaf{"a tool"}->close(1000);
	$late->close(1000);
	heard(\@w, 'peer_left late', 'nor of the end of a tool');
	my $n = $b->psql('select count(*) from message');
	is($n, 0, 'nothing of it is stored');
};

subtest 'hidden' => sub {
	my $s = $b->seed;
	my @w = watchers($s);
	my $key = Linnet::Peer::new_key();
	my $p = $b->peer($s->{peerA}, name => 'shy', %new, session_key => $key,
	    groups => ['dev']);
	heard(\@w, 'peer_joined shy');
	my $r = $p->request({ type => 'set_visible', visible => \0 });
	is_deeply([@$r{qw(type visible)}], ['visible', Cpanel::JSON::XS::false],
	    'set_visible');
	heard(\@w, 'peer_hidden shy');
	ok(!row($_, 'shy'), 'others do not see it') for @w;
	my $mine = row($p, 'shy');
	ok($mine && !$mine->{visible}, 'it sees itself');
	is(scalar(grep { $_->{memberId} eq $s->{peerA}{memberId} &&
	    $_->{status} ne 'offline' } @{ $w[0]->request({
	    type => 'list_peers', all => \1 })->{peers} }), 0,
	    'its member is offline for others');
	is($w[0]->send(to => '*', text => 'all')->{recipients}, 1,
	    'no broadcast');
	is($w[0]->send(to => '@dev', text => 'dev')->{recipients} // 0, 0,
	    'no message to its group');
	is($w[0]->send(to => $p->key, text => 'you')->{type}, 'ack',
	    'a direct one');
	is($p->expect_push->{text}, 'you', 'arrives, and nothing before it');

	$p->drop;
	ok((wait_until { $b->psql("select ended_at is not null from session
	    where id = '$mine->{presenceId}'") eq 't' }), 'lost');
	$p = $b->peer($s->{peerA}, name => 'shy', %new, session_key => $key);
	ok(!row($p, 'shy')->{visible}, 'and still hidden when it is back');
	ok(!row($w[0], 'shy'), 'for others too');
	$p->post(type => 'set_visible', visible => \1);
	heard(\@w, 'peer_visible shy');
	is(row($w[0], 'shy')->{visible}, Cpanel::JSON::XS::true, 'it is seen');
	$p->request({ type => 'set_visible', visible => \1 });
	$p->request({ type => 'set_visible', visible => \0 });
	heard(\@w, 'peer_hidden shy', 'twice is once');
	$p->close(1000);
	$p = $b->peer($s->{peerA}, name => 'next', %new, session_key => 1);
	heard(\@w, 'peer_joined next', 'the end of a hidden one is not told');
	$w[0]->ws->send_text({ type => 'set_visible', visible => \1 });
	is($w[0]->request({ type => 'list_peers' })->{type}, 'peers_list',
	    'without an id there is no answer');
};

subtest 'profile and stats' => sub {
	my $s = $b->seed;
	my @w = watchers($s);
	my $key = Linnet::Peer::new_key();
	my $p = $b->peer($s->{peerA}, name => 'me', session_key => $key, %new,
	    hello => { protocolVersion => 1, role => 'lead',
		channel => 'plugin' });
	my $profile = { avatar => "\x{1f426}", title => 'a "bird"',
	    bio => 'sings', capabilities => ['sing', "fl\x{fc}gge"] };
	my $r = $p->request({ type => 'set_profile', %$profile });
	is($r->{type}, 'profile', 'set_profile');
	is_deeply($r->{profile}, $profile, 'as it was said');
	my $stats = { messagesIn => 1, messagesOut => 2, toolCalls => 3,
	    uptime => 4, errors => 9007199254740992 };
	$r = $p->request({ type => 'set_stats', stats => $stats });
	is_deeply([$r->{type}, $r->{stats}], ['stats', $stats], 'set_stats');
	for my $w (@w) {
		ok((wait_until { row($w, 'me')->{stats} }), 'others see');
		my $row = row($w, 'me');
		is_deeply([@$row{qw(profile stats sessionRole channel)}],
		    [$profile, $stats, 'lead', 'plugin'], 'all of it');
		ok(!exists row($w, 'w1')->{$_}, "$_ only where there is one")
		    for qw(profile stats sessionRole channel);
	}
	$p->drop;
	ok((wait_until { !row($w[0], 'me') }), 'lost');
	$p = $b->peer($s->{peerA}, name => 'me', session_key => $key, %new);
	is_deeply($p->hello_ack->{restoredStats}, $stats, 'restoredStats');
	is_deeply([@{ row($p, 'me') }{qw(profile stats sessionRole)}],
	    [$profile, $stats, 'lead'], 'back, with what it had');
	$r = $p->request({ type => 'set_profile', title => 'x' });
	is_deeply($r->{profile}, { title => 'x' },
	    'a new profile takes the place of the old one');
	is($p->request({ type => 'set_profile',
	    capabilities => [('x' x 200) x 32] })->{code}, 'too_big',
	    'a large one is refused');
	is($p->request({ type => 'set_stats', stats => { errors => -1 } })
	    ->{code}, 'malformed', 'as is a count below zero');
};

subtest 'a worker dies' => sub {
	my $s = $b->seed;
	my @w = watchers($s);
	my @p = map { $b->peer($s->{peerA}, name => "p$_", session_key => 1,
	    %new) } 1 .. 4;
	heard(\@w, "peer_joined p$_") for 1 .. 4;
	ok(spread($b, 6), 'three connections on each worker');
	my ($pid) = $b->pids('worker');
	kill 'KILL', $pid;
	ok((wait_until { 3 == grep { $_->ws->closed } @w, @p } 10),
	    'half of them are cut');
	my ($w) = grep { !$_->ws->closed } @w;
	my ($back, @lost) = grep { $_->ws->closed } @p;
	ok((wait_until { !row($w, $back->name) } 10), 'and reaped');
	my $q = $b->peer($s->{peerA}, name => $back->name, %new,
	    session_key => $back->{session});
	ok($q->hello_ack->{restored}, 'one comes back in time');
	my @left = sort map { next_event($w, 20) } 1 .. 2;
	is("@left", join(' ', sort map { 'peer_left ' . $_->name } @lost,
	    grep { $_->ws->closed } @w), 'the others left, it did not');
	$q->close(1000);
	heard([$w], 'peer_left ' . $back->name, 'once each');
};

# What a process missed it finds in the database, and tells.
subtest 'words were lost' => sub {
	my $s = $b->seed;
	my @w = watchers($s);
	my $p = $b->peer($s->{peerA}, name => 'alice', session_key => 1, %new);
	heard(\@w, 'peer_joined alice');
	my $id = $p->hello_ack->{presenceId};
	my $reread = sub {
		$b->psql("select pg_terminate_backend(pid)
		    from pg_stat_activity where pid <> pg_backend_pid()
		    and application_name like '%worker%'");
	};
	$b->psql("insert into session select (json_populate_record(s,
	    json_build_object('id', gen_random_uuid(), 'ident', '\\x01',
		'key', null, 'name', 'ghost', 'name_folded', 'ghost'))).*
	    from session s where id = '$id'");
	$reread->();
	heard(\@w, 'peer_joined ghost', 'one of whom nobody told');
	$b->psql("update session set ended_at = now() - interval '60 s'
	    where name = 'ghost'");
	$reread->();
	heard(\@w, 'peer_left ghost', 'nor of its end');
	$reread->();
	$p->close(1000);
	heard(\@w, 'peer_left alice', 'what is known is not told again');
};

subtest 'limit.peer_events' => sub {
	my $few = Linnet->broker(workers => 1, options =>
	    ['limit.peer_events 2']);
	my $s = $few->seed;
	my $w = $few->peer($s->{peerB}, name => 'w', attest => 1);
	my @p = map { $few->peer($s->{peerA}, name => "p$_", session_key => 1) }
	    1, 2;
	$w->request({ type => 'list_peers' });
	heard([$w], 'peer_joined p1', 'of two one is told');
	is(next_event($w), 'nothing', 'of three not');
	$_->close(1000) for @p[1, 0];
	heard([$w], 'peer_left p1', 'of two again');
	is($few->stop, 0, 'stopped');
};

is($b->stop, 0, 'stopped');
done_testing;
