#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# session_hello: a session enters with its own key and the word of its member;
# what is refused, and what a key that was proven is worth afterwards.
use strict;
use warnings;
use Linnet;
use Linnet::Workers;
use Test::More;
use Time::HiRes 'time';

my $b = Linnet->broker(workers => 2, options => ['limit.sessions 3']);
my $hour = 3600 * 1000;

sub now { return int(time * 1000) }

sub said {
	my ($hello) = @_;
	my $ws = $b->ws;
	$ws->send_text($hello);
	return $ws;
}

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

# A session_hello of a member, put together here so that each part can be
# wrong: session (a pair), expires, said, by (pair that signs the attestation),
# from (pair that signs the hello), inner and outer (fields to change).
sub hello {
	my ($m, %o) = @_;
	my $s = $o{session} // Linnet::Peer::new_key();
	my $said = $o{said} // now();
	my $until = $o{expires} // $said + 12 * $hour;
	my $by = $o{by} // $m;
	my $from = $o{from} // $s;
	my $mine = $o{as} // $s->{pubkey};
	return {
		type => 'session_hello',
		meshId => $m->{meshId},
		parentMemberId => $m->{memberId},
		parentMemberPubkey => $m->{pubkey},
		sessionPubkey => $mine,
		sessionId => 'any',
		pid => $$ + 0,
		cwd => '/work',
		timestamp => $said,
		parentAttestation => {
			sessionPubkey => $mine,
			parentMemberPubkey => $m->{pubkey},
			expiresAt => $until,
			signature => Linnet::Peer::sign($by->{secretKey},
			    join '|', 'claudemesh-session-attest',
			    $m->{pubkey}, $mine, $until),
			%{ $o{inner} || {} },
		},
		signature => Linnet::Peer::sign($from->{secretKey}, join '|',
		    'claudemesh-session-hello', $m->{meshId}, $m->{pubkey},
		    $mine, $said),
		%{ $o{outer} || {} },
	};
}

subtest 'hello_ack' => sub {
	my $s = $b->seed;
	my $p = $b->peer($s->{peerA}, attest => 1, name => 'alice',
	    groups => ['dev:lead'], hello => { role => 'reviewer',
		channel => 'plugin', protocolVersion => 2, peerType => 'ai' });
	my $ack = $p->hello_ack;
	like($ack->{presenceId}, qr/^[0-9a-f]{32}$/, 'presenceId');
	is($ack->{memberDisplayName}, 'alice', 'its name');
	is($ack->{protocolVersion}, 2, 'protocolVersion comes back');
	ok(!exists $ack->{lastSeenAt}, 'it was never seen');
	my $q = $b->peer($s->{peerB}, name => 'bob', session_key => 1);
	ok(!exists $q->hello_ack->{protocolVersion}, 'only where it was said');
	my ($row) = grep { $_->{displayName} eq 'alice' }
	    @{ $q->request({ type => 'list_peers' })->{peers} };
	is_deeply([@$row{qw(pubkey memberPubkey memberId role sessionRole
	    channel)}], [$p->key, $s->{peerA}{pubkey}, $s->{peerA}{memberId},
	    'member', 'reviewer', 'plugin'], 'its row');
	is($q->send(to => $p->key, text => 'hi')->{type}, 'ack', 'sent to it');
	is($p->expect_push->{text}, 'hi', 'it arrives');
	$p->send(to => $q->key, text => 'ho');
	my $m = $q->expect_push;
	is_deeply([@$m{qw(senderPubkey senderMemberPubkey)}],
	    [$p->key, $s->{peerA}{pubkey}], 'with both keys of the sender');
	my $tool = $b->peer($s->{peerA}, attest => 1, name => 'tool',
	    hello => { role => 'control-plane' });
	is(scalar(grep { $_->{displayName} eq 'tool' }
	    @{ $q->request({ type => 'list_peers' })->{peers} }), 0,
	    'role control-plane: not listed');
};

subtest 'what is wrong' => sub {
	my $s = $b->seed;
	my ($m, $o) = @$s{qw(peerA peerB)};
	my $key = Linnet::Peer::new_key();
	my $other = Linnet::Peer::new_key()->{pubkey};
	my @rows = (
		['bad_session_pubkey', 'no hex', outer =>
		    { sessionPubkey => 'z' x 64 }],
		['bad_session_pubkey', 'too short', outer =>
		    { sessionPubkey => 'ab' }],
		['bad_session_pubkey', 'empty', outer =>
		    { sessionPubkey => '' }],
		['bad_session_pubkey', 'capitals', session => $key,
		    as => uc $key->{pubkey}],
		['bad_parent_pubkey', 'no hex', outer =>
		    { parentMemberPubkey => 'z' x 64 }],
		['bad_parent_pubkey', 'capitals', outer =>
		    { parentMemberPubkey => uc $m->{pubkey} }],
		['attestation_mismatch', 'another session inside', inner =>
		    { sessionPubkey => $other }],
		['attestation_mismatch', 'another member inside', inner =>
		    { parentMemberPubkey => $o->{pubkey} }],
		['attestation_mismatch', 'another session outside', outer =>
		    { sessionPubkey => $other }],
		['expired', 'just now', expires => now() - 1],
		['expired', 'at the beginning', expires => 0],
		['ttl_too_long', 'by an hour', expires => now() + 25 * $hour],
		['bad_signature', 'attested by itself', session => $key,
		    by => $key],
		['bad_signature', 'attested by another member', by => $o],
		['bad_signature', 'attested until another time', inner =>
		    { expiresAt => now() + 11 * $hour }],
		['bad_signature', 'signed by the member', from => $m],
		['bad_signature', 'signed for another time', outer =>
		    { timestamp => now() - 1 }],
		['bad_signature', 'signed for another mesh', outer =>
		    { meshId => $b->seed->{meshId} }],
		['timestamp_skew', 'an hour ago', said => now() - $hour],
		['timestamp_skew', 'ahead', said => now() + 70_000],
		['parent_member_id_mismatch', "another member's id", outer =>
		    { parentMemberId => $o->{memberId} }],
		['parent_member_id_mismatch', "nobody's id", outer =>
		    { parentMemberId => '0' x 32 }],
		['malformed', 'a group', outer => { groups => [{ name => '@' }] }],
		['malformed', 'no attestation', outer =>
		    { parentAttestation => undef }],
		['malformed', 'half a signature', inner =>
		    { signature => 'ab' x 32 }],
	);
	for (@rows) {
		my ($code, $name, @how) = @$_;
		refused_ok(said(hello($m, @how)), $code, "$code: $name");
	}
	my $stranger = { %$m, %{ Linnet::Peer::new_key() } };
	refused_ok(said(hello($stranger)), 'unauthorized', 'a stranger');
	$b->psql("update member set revoked_at = now()
	    where id = '$o->{memberId}'");
	refused_ok(said(hello($o)), 'revoked', 'a revoked member', undef, 4002);
	is(said(hello($m, expires => now() + 24 * $hour - 5000))->recv->{type},
	    'hello_ack', 'nearly 24 hours are fine');
};

subtest 'replay' => sub {
	my $s = $b->seed;
	ok((wait_until { !grep { $_ } Linnet::Workers::connections($b) } 10),
	    'no connections');
	my @ws = map { $b->ws } 1 .. 4;
	ok(spread($b, 4), 'two on each worker');
	my $h = hello($s->{peerA}, session => my $key = Linnet::Peer::new_key());
	$ws[0]->send_text($h);
	is($ws[0]->recv->{type}, 'hello_ack', 'once');
	$ws[$_]->send_text($h) for 1 .. 3;
	refused_ok($ws[$_], 'replayed', "not on connection $_") for 1 .. 3;
	my $again = hello($s->{peerA}, session => $key, said => now() + 1);
	$again->{parentAttestation} = $h->{parentAttestation};
	is(said($again)->recv->{type}, 'hello_ack',
	    'the attestation is good again');
};

subtest 'capacity' => sub {
	my $s = $b->seed;
	my @p = map { $b->peer($s->{peerA}, attest => 1) } 1 .. 3;
	refused_ok(said(hello($s->{peerB})), 'capacity', 'a fourth');
	ok($b->peer($s->{peerA}, attest => 1, session_key => $p[0]{session})
	    ->hello_ack->{restored}, 'one that comes back has its place');
};

subtest 'proof' => sub {
	my $s = $b->seed;
	my $key = Linnet::Peer::new_key();
	my $claim = sub {
		my ($member) = @_;
		return said((Linnet::Peer::hello($s->{$member},
		    session_key => $key))[0]);
	};
	my $p = $b->peer($s->{peerA}, session_key => $key);
	my $id = $p->hello_ack->{presenceId};
	$p = $b->peer($s->{peerA}, session_key => $key);
	is($p->hello_ack->{presenceId}, $id, 'a claim may be repeated');
	refused_ok($claim->('peerB'), 'bad_session_pubkey',
	    'not by another member', qr/another member/);
	refused_ok(said(hello($s->{peerB}, session => $key)),
	    'bad_session_pubkey', 'nor with proof: one key is one session',
	    qr/another member/);

	$p = $b->peer($s->{peerA}, attest => 1, session_key => $key);
	is($p->hello_ack->{presenceId}, $id, 'a proof takes over the session');
	refused_ok($claim->('peerA'), 'bad_session_pubkey',
	    'a claim is not enough any more', qr/session_hello/);
	ok(!$p->ws->closed, 'and does not close the session');
	$p->close;
	refused_ok($claim->('peerA'), 'bad_session_pubkey',
	    'nor when it is away', qr/session_hello/);
	$p = $b->peer($s->{peerA}, attest => 1, session_key => $key);
	is($p->hello_ack->{presenceId}, $id, 'another proof is');
};

is($b->stop, 0, 'stopped');
done_testing;
