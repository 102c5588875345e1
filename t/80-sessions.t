#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Whose session it is, and where: one session opened several times at once
# lives on exactly one connection; nobody becomes another's session; what one
# sender sends is not overtaken by what it sends next.
use strict;
use warnings;
use Linnet;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes 'time';

my $b = Linnet->broker(workers => 2);
my $seed = $b->seed;
my $alice = $b->peer($seed->{peerA}, name => 'alice');

sub peers {
	my ($who) = @_;
	return join ' ', sort map { $_->{presenceId} }
	    @{ $who->request({ type => 'list_peers' })->{peers} };
}

sub stored {
	return join ' ', sort split /\n/, $b->psql(
	    q{select replace(id::text, '-', '') from session
	    where ended_at is null});
}

# The same session by 8 connections at once, on both workers.
my @also = map { $b->peer($seed->{peerA}) } 1, 2;
my $stamp = int(time * 1000);
for my $round (1 .. 10) {
	my $key = Linnet::Peer::new_key();
	my @ws = map { $b->ws } 1 .. 8;
	for my $ws (@ws) {
		my ($hello) = Linnet::Peer::hello($seed->{peerB},
		    session_key => $key, timestamp => $stamp++);
		$ws->send_text($hello);
	}
	my $one = wait_until { (grep { !$_->closed } @ws) == 1 } 10;
	ok($one, "round $round: one connection has the session") or last;
	my ($has) = grep { !$_->closed } @ws;
	my $same = wait_until { my $is = stored();
		!grep { peers($_) ne $is } $alice, @also } 10;
	ok($same, "round $round: every roster has what is stored") or last;
	$alice->send(to => $key->{pubkey}, text => "round $round");
	my $m = $has->wait_for(sub { ($_->{type} // '') eq 'push' });
	ok($m, "round $round: and it gets what is sent to it") or last;
	$_->drop for @ws;
}

# A client that leaves before its hello is answered takes its older
# connection's session with it, and no ghost stays.
my $key = Linnet::Peer::new_key();
for my $round (1 .. 10) {
	my $old = $b->peer($seed->{peerB}, session_key => $key,
	    timestamp => $stamp++);
	my $ws = $b->ws;
	my ($hello) = Linnet::Peer::hello($seed->{peerB}, session_key => $key,
	    timestamp => $stamp++);
	$ws->send_text($hello);
	$ws->reset;
	my $same = wait_until { my $is = stored();
		!grep { peers($_) ne $is } $alice, @also } 10;
	ok($same, "hello and away, round $round: no ghost") or last;
	$old->drop;
}

# What a peer sees of another (member key, session id) is no key to it.
my $bob = $b->peer($seed->{peerB}, name => 'bob', session_id => 'bob-1');
SKIP: {
	skip 'no b2sum', 2 if !-x '/usr/bin/b2sum';
	my $digest = `perl -e 'print pack("H*", "$seed->{peerB}{pubkey}"), "bob-1"' |
	    b2sum -l 256`;
	my $thief = $b->peer($seed->{peerA}, timestamp => $stamp++,
	    session_key => { pubkey => substr $digest, 0, 64 });
	isnt($thief->hello_ack->{presenceId}, $bob->hello_ack->{presenceId},
	    'a claimed key does not make another member the session');
	is($bob->request({ type => 'list_peers' })->{type}, 'peers_list',
	    'whose connection stays');
}

# The first one has to ask the database who is meant, the second has not.
my $absent = Linnet::Peer::new_key();
$b->peer($seed->{peerB}, name => 'carol', session_key => $absent,
    timestamp => $stamp++)->close(1000);
wait_until { peers($alice) !~ /carol/ } 10;
for my $round (1 .. 10) {
	$alice->send_later(to => [$absent->{pubkey}, 'bob'], text => "a$round");
	$alice->send_later(to => 'bob', text => "b$round");
	is($bob->expect_push->{text}, "a$round", "first a$round") or last;
	is($bob->expect_push->{text}, "b$round", "then b$round") or last;
}
# A mesh of which everything has to be read anew, again and again: who comes
# does not wait for the end of that.
my $busy = $b->seed;
$b->psql("insert into session (id, mesh_id, member_id, ident, name,
    name_folded, client_session, pid, cwd, hostname, peer_type, model, control,
    acks, status, status_source, status_at, groups, host_id, incarnation, ref,
    connected_at) select gen_random_uuid(), '$busy->{meshId}',
    '$busy->{peerA}{memberId}', decode(md5(i::text), 'hex'), 'far', 'far', '',
    0, repeat('/x', 500), '', '', '', false, false, 0, 0, now(), '{}',
    '$busy->{meshId}', '$busy->{meshId}', i, now()
    from generate_series(1, 3000) i");
my $told = fork // die "fork: $!";
if ($told == 0) {
	$b->psql(join ';select pg_sleep(0.005);',
	    ("select pg_notify('linnet', 'changed $busy->{meshId}')") x 1000);
	POSIX::_exit(0);
}
wait_until { $b->psql("select count(*) from pg_stat_activity
    where query like '%pg_sleep%' and pid <> pg_backend_pid()") > 0 } 10;
my $late = $b->peer($busy->{peerB}, name => 'late');
is(waitpid($told, WNOHANG), 0, 'who comes need not wait for a quiet mesh');
is(@{ $late->request({ type => 'list_peers' })->{peers} }, 3001,
    'and sees who is there');
waitpid $told, 0;

is($b->stop, 0, 'stops');
done_testing;
