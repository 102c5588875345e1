#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# What is old goes, however much of it there is, and what is not stays; what
# expires in masses holds up nobody.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Linnet;
use Test::More;

my $b = Linnet->broker(workers => 1, options => ['mesh.keep 1d',
    'mesh.hold 30d', 'mesh.ack_time 300ms']);
my $seed = $b->seed;
my $mesh = "'$seed->{meshId}'";
my $alice = "'$seed->{peerA}{memberId}'";
my $nobody = "'" . '0' x 31 . "1'";

sub count {
	my ($what) = @_;
	return 0 + $b->psql("select count(*) from $what");
}

sub rows {
	my ($text, $n) = @_;
	$b->psql("$text from generate_series(1, $n) i");
	return;
}

# An id of three days ago.
my $old = q{(lpad(to_hex((extract(epoch from now()) * 1000)::int8
    - 259200000 + i), 12, '0') || '7' || substr(md5(i || %s), 1, 19))::uuid};
sub old { return sprintf $old, "'$_[0]'" }

sub messages {
	my ($kind, $n, $state, $expires) = @_;
	my $id = old($kind);
	$b->psql("begin; insert into message (id, mesh_id, sender_member, sender_session,
	    sender_key, sender_name, target, priority, nonce, ciphertext,
	    fingerprint, created_at, expires_at)
	    select $id, $mesh, $alice, $alice, '', '$kind', 'x', 1, '', '', '',
	    now() - interval '3 days', $expires from generate_series(1, $n) i;
	    insert into delivery (message_id, recipient, mesh_id, priority,
	    state, due_at, expires_at)
	    select $id, $nobody, $mesh, 1, $state, $expires, $expires
	    from generate_series(1, $n) i; commit");
	return;
}

# The upkeep of the first second has nothing to do; the next one is that of
# the next start.
messages('over', 3500, 2, "now() + interval '20 days'");
messages('held', 1200, 0, "now() + interval '20 days'");
rows('insert into delivery (message_id, recipient, mesh_id, priority, state,
    due_at, expires_at) select ' . old('orphan') . ", $nobody, $mesh, 1, 1, now()
    + interval '20 days', now() + interval '20 days'", 700);
rows("insert into hello_seen select decode(md5(i::text), 'hex'),
    now() - interval '1 h'", 11000);
rows("insert into session (id, mesh_id, member_id, ident, name, name_folded,
    client_session, pid, cwd, hostname, peer_type, model, control, acks,
    status, status_source, status_at, groups, host_id, incarnation, ref,
    connected_at, ended_at) select gen_random_uuid(), $mesh, $alice,
    decode(md5(i::text), 'hex'), 'old', 'old', '', 0, '', '', '', '', false,
    false, 0, 0, now(), '{}', $mesh, $mesh, i, now() - interval '60 days',
    now() - interval '50 days'", 2500);
rows("insert into schedule (id, mesh_id, member_id, sender_session, sender_key,
    sender_name, control, targets, priority, subtype, body, created_at,
    last_at, last_error) select gen_random_uuid(), $mesh, $alice, $alice, '',
    'old', false, '{x}', 1, 0, '', now(), now() - interval '3 days', 'x'",
    2500);
rows("insert into state (mesh_id, key, value, version, deleted, by_session,
    by_name, updated_at) select $mesh, 'old ' || i, 'null', 2, 2, $alice, 'x',
    now() - interval '3 days'", 2500);
$b->psql("update mesh set state_floor = 2 where id = $mesh");
rows("insert into audience select gen_random_uuid(), '', now() - interval
    '2 days'", 1200);
rows("insert into audience select gen_random_uuid(), '', now()", 5);
$b->restart;

for (["message where sender_name = 'over'", 'messages'],
    ["delivery where state = 2", 'their deliveries'],
    ["delivery where state = 1", 'marks without a message'],
    ["audience where used_at < now() - interval '1 day'", 'lists'],
    ['hello_seen', 'hellos'], ["session where name = 'old'", 'sessions'],
    ["schedule where sender_name = 'old'", 'what could not be sent'],
    ["state where key like 'old %'", 'deleted keys']) {
	my ($what, $name) = @$_;
	ok((wait_until { count($what) == 0 } 20), "$name: all went at once")
	    or diag(count($what) . ' are left');
}
is(count("message where sender_name = 'held'"), 1200,
    'messages that are held stay');
is(count('delivery where state = 0'), 1200, 'for their recipient');
is(count('audience'), 5, 'and lists that are in use');

# More than expire in a turn come before one that is due.
my $peer = $b->peer($seed->{peerA}, name => 'alice');
my $bobby = $b->peer($seed->{peerB}, name => 'bob', acks => 1,
    session_key => 1);
messages('late', 8000, 0, "now() - interval '1 day'");
is($peer->send(to => $bobby->key, text => 'again')->{type}, 'ack', 'sent');
my $m = $bobby->wait_for(sub { ($_->{type} // '') eq 'push'
    && $_->{senderName} eq 'alice' }, 20);
my $again = $bobby->wait_for(sub { ($_->{type} // '') eq 'push'
    && $_->{messageId} eq $m->{messageId} }, 5);
ok($again, 'it is pushed again in time');
ok((wait_until { count("delivery where state = 3") == 8000 } 20),
    'and the others have expired');
is($b->stop, 0, 'stops');
done_testing;
