#!/usr/bin/env perl
# hello: how a connection becomes a session, who is refused and how, and what
# a session finds again when it comes back.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes 'time';
use Linnet;
use Linnet::Workers;

my $b = Linnet->broker(workers => 2, options => ['limit.sessions 4']);
my @all = $b->pids;

# A WebSocket on which these bytes or this hello were said.
sub said {
	my ($hello) = @_;
	my $ws = $b->ws;
	$ws->send_text($hello);
	return $ws;
}

# It is refused with a code, a sentence, and the code as reason of the close.
sub refused_ok {
	my ($ws, $code, $name, $like, $close) = @_;
	subtest $name => sub {
		my $e = $ws->wait_for('error') or return fail('an error');
		is($e->{code}, $code, 'code');
		like($e->{message}, $like // qr/\S+ \S+/, 'sentence');
		my $c = $ws->wait_close;
		is($c->{code}, $close // 1008, 'close code');
		is($c->{reason}, $code, 'close reason');
	};
	return;
}

sub hello {
	my ($hello) = Linnet::Peer::hello(@_);
	return $hello;
}

# The hello again, signed once more, with other fields.
sub signed {
	my ($member, %fields) = @_;
	my $h = { %{ hello($member) }, %fields };
	$h->{signature} = Linnet::Peer::sign($member->{secretKey}, join '|',
	    map { $_ // '' } @$h{qw(meshId memberId pubkey timestamp)});
	return $h;
}

sub row {
	my ($by, $presence) = @_;
	my ($row) = grep { $_->{presenceId} eq $presence }
	    @{ $by->request({ type => 'list_peers' })->{peers} };
	return $row;
}

subtest 'hello_ack' => sub {
	my $s = $b->seed;
	my $p = $b->peer($s->{peerA}, name => "J\x{fc}rgen",
	    hello => { _reqId => 'first' });
	my $ack = $p->hello_ack;
	like($ack->{presenceId}, qr/^[0-9a-f]{32}$/, 'presenceId');
	is($ack->{memberDisplayName}, "J\x{fc}rgen", 'the name it said');
	is($ack->{meshSlug}, $s->{slug}, 'the mesh');
	ok(!$ack->{restored}, 'nothing was restored');
	is($ack->{_reqId}, 'first', '_reqId');
	my $q = $b->peer($s->{peerB});
	is($q->hello_ack->{memberDisplayName}, 'peer-b', "the member's name");
	isnt($q->hello_ack->{presenceId}, $ack->{presenceId}, 'its own id');
	my $upper = { %{ $s->{peerB} }, pubkey => uc $s->{peerB}{pubkey} };
	ok($b->peer($upper)->hello_ack, 'a key in capitals is the same key');
	my $bare = hello($s->{peerB});
	delete @$bare{qw(sessionId pid cwd)};
	is(said($bare)->recv->{type}, 'hello_ack', 'the least that is needed');
};

subtest 'before and again' => sub {
	my $s = $b->seed;
	my $ws = $b->ws;
	for my $type (qw(list_peers send get_state client_ack)) {
		$ws->send_text({ type => $type, _reqId => $type });
		my $e = $ws->wait_for('error');
		is($e->{code}, 'no_hello', "$type before hello");
		is($e->{_reqId}, $type, '_reqId comes back');
	}
	ok(!$ws->closed, 'the socket stays open');
	$ws->send_text(hello($s->{peerA}));
	is($ws->recv->{type}, 'hello_ack', 'for hello');
	$ws->send_text(hello($s->{peerA}));
	is($ws->wait_for('error')->{code}, 'already_hello', 'a second hello');
	$ws->send_text({ type => 'list_peers' });
	is(@{ $ws->wait_for('peers_list')->{peers} }, 1,
	    'is refused, and the session lives');
};

subtest 'clock' => sub {
	my $s = $b->seed;
	my $now = time * 1000;
	refused_ok(said(hello($s->{peerA}, timestamp => $now + $_)),
	    'timestamp_skew', "$_ ms off") for -3_600_000, -66_000, 66_000;
	refused_ok(said(signed($s->{peerA}, timestamp => $_)),
	    'timestamp_skew', "timestamp $_") for 0, 9007199254740991;
	is(said(hello($s->{peerA}, timestamp => $now + $_))->recv->{type},
	    'hello_ack', "$_ ms off is near enough") for -50_000, 50_000;
};

subtest 'malformed' => sub {
	my $s = $b->seed;
	my @rows = (
		(map { [$_, undef] }
		    qw(meshId memberId pubkey timestamp signature)),
		[meshId => 17], [meshId => 'x'], [meshId => 'g' x 32],
		[memberId => []], [memberId => ''],
		[pubkey => 'ab'], [pubkey => { }], [pubkey => 'zz' x 32],
		[timestamp => 'now'], [timestamp => -1], [timestamp => 1.5],
		[signature => 'ab' x 63], [signature => 'xy' x 64],
		[displayName => 7], [displayName => "a\x{202e}b"],
		[displayName => "new\nline"], [displayName => ' a'],
		[pid => 'one'], [pid => -1], [cwd => 1], [sessionId => {}],
		[groups => 'dev'], [groups => [1]], [groups => [{}]],
		[groups => [{ name => '' }]], [capabilities => 'client_ack'],
		[capabilities => [1]], [sessionPubkey => 5],
	);
	for (@rows) {
		my ($field, $value) = @$_;
		my $h = { %{ hello($s->{peerA}) }, $field => $value };
		delete $h->{$field} if !defined $value;
		my $name = "$field " . (!defined $value ? 'missing'
		    : ref $value || "'" . $value =~ s/[^ -~]/?/gr . "'");
		# What is wrong is inside it.
		my $said = ref $value eq 'ARRAY' && ref $value->[0]
		    ? qr/\bname\b/ : qr/\b\Q$field\E\b/;
		refused_ok(said($h), 'malformed', $name, $said);
	}
	for my $group ('@dev', '/dev', 'dev/', 'a//b') {
		refused_ok(said(hello($s->{peerA}, groups => [{ name => $group }])),
		    'malformed', "group $group", qr/\bgroup\b/);
	}
	refused_ok(said(hello($s->{peerA}, hello => { displayName =>
	    'x' x 129 })), 'too_big', 'a long name', qr/\bdisplayName\b/);
	refused_ok(said(hello($s->{peerA}, groups => [map { "g$_" } 1 .. 33])),
	    'quota', 'more than limit.groups', qr/\bgroups\b/);
};

subtest 'signature' => sub {
	my ($s, $t) = ($b->seed, $b->seed);
	my $h = hello($s->{peerA});
	for my $field (qw(meshId memberId pubkey)) {
		refused_ok(said({ %$h, $field => $field eq 'meshId'
		    ? $t->{meshId} : $s->{peerB}{$field} }), 'bad_signature',
		    "another $field");
	}
	refused_ok(said({ %$h, timestamp => $h->{timestamp} + 1 }),
	    'bad_signature', 'another timestamp');
	refused_ok(said({ %$h, signature => '0' x 128 }), 'bad_signature',
	    'zeros');
	# The neutral element as key, R = it, S = 0: fits any text unless keys
	# of small order are refused.
	my $neutral = '01' . '00' x 31;
	refused_ok(said({ %$h, pubkey => $neutral,
	    signature => $neutral . '00' x 32 }), 'bad_signature',
	    'a key of small order');

	my $stranger = { %{ $s->{peerA} }, %{ Linnet::Peer::new_key() } };
	refused_ok(said(hello($stranger)), 'unauthorized', 'an unknown key');
	refused_ok(said(hello({ %{ $s->{peerA} },
	    memberId => $s->{peerB}{memberId} })), 'unauthorized',
	    "another member's id");
	refused_ok(said(hello({ %{ $s->{peerA} }, meshId => $t->{meshId} })),
	    'unauthorized', 'a mesh of which one is no member');
	refused_ok(said(hello({ %{ $s->{peerA} }, meshId => '0' x 32 })),
	    'unauthorized', 'a mesh that does not exist');
	$b->psql("update member set revoked_at = now()
	    where id = '$s->{peerB}{memberId}'");
	refused_ok(said(hello($s->{peerB})), 'revoked', 'a revoked member',
	    undef, 4002);
	is(said($h)->recv->{type}, 'hello_ack',
	    'none of this used up the hello');
};

subtest 'replay' => sub {
	my $s = $b->seed;
	ok((wait_until {
		!grep { $_ } Linnet::Workers::connections($b) } 10),
	    'no connections');
	my @ws = map { $b->ws } 1 .. 4;
	ok(spread($b, 4), 'two on each worker');
	my $h = hello($s->{peerA});
	$ws[0]->send_text($h);
	is($ws[0]->recv->{type}, 'hello_ack', 'a hello');
	$_->send_text($h) for @ws[1 .. 3];
	refused_ok($ws[$_], 'replayed', "the same on connection $_")
	    for 1 .. 3;
	my @race = map { $b->ws } 1 .. 3;
	$h = hello($s->{peerB});
	$_->send_text($h) for @race;
	my @types = sort map { $_->recv->{type} } @race;
	is("@types", 'error error hello_ack', 'one of three at once is taken');
	$ws[0]->send_text({ type => 'list_peers' });
	is(@{ $ws[0]->wait_for('peers_list')->{peers} }, 2,
	    'who was there is still there');
};

subtest 'session keys' => sub {
	my $s = $b->seed;
	my $bob = $b->peer($s->{peerB}, name => 'bob', session_key => 1);
	my $steal = sub {
		return said(hello($s->{peerA},
		    session_key => { pubkey => $_[0] }));
	};
	refused_ok($steal->($bob->key), 'bad_session_pubkey',
	    "another member's session key");
	refused_ok($steal->($s->{peerB}{pubkey}), 'bad_session_pubkey',
	    "another member's own key");
	refused_ok($steal->('zz' x 32), 'bad_session_pubkey', 'no key');
	$bob->close;
	refused_ok($steal->($bob->key), 'bad_session_pubkey',
	    'the same when its owner is away');
	my $alice = $b->peer($s->{peerA}, name => 'alice');
	is($alice->send(to => $s->{peerB}{pubkey}, text => 'for bob')->{type},
	    'ack', 'who writes to a member');
	$bob = $b->peer($s->{peerB}, session_key => $bob->{session});
	is($bob->expect_push->{text}, 'for bob', 'reaches that member');
};

subtest 'capacity' => sub {
	my $s = $b->seed;
	my @p = map { $b->peer($s->{peerA}, session_key => 1) } 1 .. 4;
	refused_ok(said(hello($s->{peerB})), 'capacity', 'a fifth session');
	is($b->peer($b->seed->{peerA})->hello_ack->{type}, 'hello_ack',
	    'another mesh has room');
	my $again = $b->peer($s->{peerA}, session_key => $p[0]{session},
	    refused => 1);
	ok($again->hello_ack, 'a session that comes back takes no place');
	$again->close;
	my $got;
	wait_until {
		my $r = said(hello($s->{peerB}))->recv or return 1;
		($got = $r->{type}) eq 'hello_ack'
	};
	is($got, 'hello_ack', 'who leaves makes room');
};

subtest 'coming back' => sub {
	for my $how ('session key', 'session id') {
		my $s = $b->seed;
		my $watch = $b->peer($s->{peerB}, name => 'watch');
		my %o = (name => 'alice', $how eq 'session key'
		    ? (session_key => Linnet::Peer::new_key())
		    : (session_id => 'mine'));
		my $p = $b->peer($s->{peerA}, %o, groups => ['dev:lead', 'ops/night']);
		my $id = $p->hello_ack->{presenceId};
		$p->request({ type => 'set_summary', summary => 'builds it' });
		$p->request({ type => 'set_status', status => 'dnd' });
		$p->request({ type => 'join_group', name => 'late' });
		ok((wait_until { row($watch, $id)->{status} eq 'dnd' }),
		    "$how: dnd");
		$p->drop;
		ok((wait_until { !row($watch, $id) }), 'it is gone');
		$p = $b->peer($s->{peerA}, %o);
		my $ack = $p->hello_ack;
		ok($ack->{restored}, 'restored');
		is($ack->{presenceId}, $id, 'the same session');
		is($ack->{lastSummary}, 'builds it', 'lastSummary');
		is_deeply([map { "$_->{name}:" . ($_->{role} // '') }
		    @{ $ack->{restoredGroups} }],
		    ['dev:lead', 'ops/night:', 'late:'], 'restoredGroups');
		ok((wait_until { row($watch, $id) }), 'others see it');
		my $row = row($watch, $id);
		is($row->{status}, 'dnd', 'its status');
		is($row->{summary}, 'builds it', 'its summary');
		is(join(' ', map { $_->{name} } @{ $row->{groups} }),
		    'dev ops/night late', 'its groups');
		$watch->send(to => '@ops', text => 'hi', priority => 'now');
		is($p->expect_push->{text}, 'hi', 'the groups are real');

		$p->close;
		ok((wait_until { !row($watch, $id) }), 'it leaves again');
		$p = $b->peer($s->{peerA}, %o, groups => ['new']);
		is(join(' ', map { $_->{name} }
		    @{ row($p, $p->hello_ack->{presenceId})->{groups} }),
		    'new', 'groups of the new hello count');
		$p->close;
		ok((wait_until { !row($watch, $id) }), 'and again');
		$b->psql("update session set ended_at =
		    ended_at - interval '100 s' where id = '$id'");
		$p = $b->peer($s->{peerA}, %o);
		ok(!$p->hello_ack->{restored}, 'not after mesh.lease');
		my $new = row($p, $p->hello_ack->{presenceId});
		is_deeply([@$new{qw(status summary)}, scalar @{ $new->{groups} }],
		    ['idle', undef, 0], 'then it begins anew');
	}
	my $s = $b->seed;
	my ($p, $q) = map { $b->peer($s->{$_}, session_id => 'same') }
	    qw(peerA peerB);
	isnt($p->hello_ack->{presenceId}, $q->hello_ack->{presenceId},
	    'a session id is one of its member only');
	ok(!$p->ws->closed, 'nobody was replaced');
};

subtest 'one session twice' => sub {
	my $s = $b->seed;
	for my $turn (1 .. 4) {
		my $old = $b->peer($s->{peerA}, session_id => 'one');
		my $new = $b->peer($s->{peerA}, session_id => 'one');
		ok($new->hello_ack->{restored}, 'the newer has the session');
		my $c = $old->wait_close;
		is($c->{code}, 1000, 'the older is closed');
		is($c->{reason}, 'session_replaced', 'and told why');
		my $r = $new->request({ type => 'list_peers' });
		is(@{ $r->{peers} }, 1, 'there is one');
		$new->close;
	}

	# With requests under way.
	for my $turn (1 .. 25) {
		my $old = $b->peer($s->{peerA}, session_id => 'two');
		my $ws = $b->ws;
		my $h = hello($s->{peerA}, session_id => 'two');
		for my $i (1 .. 6) {
			$old->post(type => 'set_state', key => 'k', value => $i);
			$old->send_later(to => 'nobody at all', text => 'x');
			$old->post(type => 'message_status',
			    messageId => '0' x 32);
			$old->post(type => 'list_peers', all => \1);
		}
		$ws->send_text($h);
		my $r = $ws->recv;
		is($r && $r->{type}, 'hello_ack', 'replaced in the middle')
		    or last;
		$old->wait_close;
		$ws->send_text({ type => 'list_peers' });
		ok($ws->wait_for('peers_list'), 'and well');
		$ws->close;
	}

	# At the same time: the one that was said last has it in the end, and
	# those that come after it are let in no more.
	my @ws = map { $b->ws } 1 .. 4;
	my $now = int(time * 1000);
	$ws[$_]->send_text(hello($s->{peerA}, session_id => 'three',
	    timestamp => $now + $_)) for 0 .. 3;
	my @r = map { $_->recv } @ws;
	is(scalar(grep { $_->{type} eq 'hello_ack'
	    || $_->{code} eq 'unavailable' } @r), 4, 'four at once are answered');
	ok((wait_until { 3 == grep { $_->closed } @ws }), 'one stays');
	ok(!$ws[3]->closed, 'the last one');
	is(scalar(grep { $_->closed->{reason} =~ /^(?:session_replaced
	    |unavailable)$/x } @ws[0 .. 2]), 3, 'the others are told');
};

# A hello that was under way while its client came anew.
subtest 'one that was said before' => sub {
	my $s = $b->seed;
	my $now = int(time * 1000);
	for my $as ({ session_id => 'late' }, { session_key =>
	    Linnet::Peer::new_key() }) {
		my $p = $b->peer($s->{peerA}, %$as, timestamp => ++$now);
		my $late = $b->peer($s->{peerA}, %$as, refused => 1,
		    timestamp => $now - 12_000);
		is($late->refusal->{code}, 'unavailable', 'is not let in');
		like($late->refusal->{message}, qr/say hello again/,
		    'and told what to do');
		is($p->request({ type => 'list_peers' })->{type}, 'peers_list',
		    'the session stays with who has it');
		$p->close;
		ok(wait_until { $b->psql("select count(*) from session
		    where ended_at is null and mesh_id = '$s->{meshId}'") == 0 }
		    10, 'it ends');
		$p = $b->peer($s->{peerA}, %$as, timestamp => $now - 11_000);
		ok($p->hello_ack, 'one that is over can be taken up');
		# A clock that was set back.
		$b->psql("update session set connected_at = connected_at
		    - interval '2 minutes' where mesh_id = '$s->{meshId}'");
		ok($b->peer($s->{peerA}, %$as, timestamp => $now - 20_000)
		    ->hello_ack, 'and after a minute any');
		$p->wait_close;
	}
};

is(join(' ', $b->pids), join(' ', @all), 'no process died');
is($b->stop, 0, 'stopped');
done_testing;
