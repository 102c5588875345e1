#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# /parties/channel-room/<channel_id>: one channel, message after message, from a
# seq on.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet 'wait_until';
use Linnet::Live;

my ($hosts, $seed, $ann, $bob) = hosts();
my @hosts = @$hosts;
my $broker = $hosts[0];
my %token = (ann => token($ann), bob => token($bob));

sub room {
	my ($who, $channel, $query, %o) = @_;
	return Linnet::Ws->new((delete $o{host} // $broker)->where, target =>
	    "/parties/channel-room/$channel" . ($query // ''), headers =>
	    { Authorization => "Bearer $token{$who}{token}" }, %o);
}
sub seq {
	return $_[0]{type} eq 'message' ? $_[0]{seq} : undef;
}

my $c = asks($ann, 'create_channel', name => 'room')->{channelId};
subtest 'a message' => sub {
	my $first = says($ann, $c, 'hello');
	my $ws = room('bob', $c, '?after=0');
	is($ws->status, 101, 'with a token');
	my %want = (type => 'message', seq => 1, id => $first->{messageId},
	    channelId => $c, author => { id => $seed->{peerA}{memberId},
	    name => 'peer-a' }, parts => [{ index => 0, type => 'text', payload =>
	    { text => 'hello' } }], text => 'hello',
	    createdAt => $first->{createdAt});
	is_deeply($ws->recv, \%want, 'that was there');
	is_deeply($ws->recv, { type => 'subscribed', channelId => $c,
	    lastSeq => 1 }, 'then it is subscribed');
	my $m = asks($bob, 'post', channel => $c, replyToId =>
	    $first->{messageId}, parts => [map { { type => 'text',
	    payload => { text => $_ } } } "one \x{263a}", 'two']);
	my $got = $ws->recv;
	is($got->{text}, "one \x{263a}\ntwo", 'and what is new, as text');
	is(scalar @{ $got->{parts} }, 2, 'in its parts');
	is($got->{replyToId}, $first->{messageId}, 'and what it answers');
	asks($bob, 'react', messageId => $m->{messageId}, reaction => '+1');
	asks($bob, 'redact_post', messageId => $m->{messageId});
	says($ann, $c, 'next');
	is($ws->recv->{seq}, 3, 'nothing but messages');
	$ws->send_text({ type => 'ping' });
	is_deeply($ws->recv, { type => 'pong' }, 'ping');
	$ws->close(1000);
	$ws = room('bob', $c, '?after=1');
	$got = $ws->recv;
	is($got->{seq}, 2, 'after a seq');
	is_deeply($got->{parts}, [], 'what was taken back says nothing');
	is($got->{text}, '', 'at all');
	ok($got->{redactedAt}, 'since when');
	$ws = room('bob', $c);
	is_deeply($ws->recv, { type => 'subscribed', channelId => $c,
	    lastSeq => 3 }, 'without one: only what is new');
	$ws = room('bob', $c, '?after=1000');
	is($ws->recv->{lastSeq}, 1000, 'after one that is to come');
	says($ann, $c, 'before that');
	$ws->send_text({ type => 'ping' });
	is($ws->recv->{type}, 'pong', 'it waits');
};

subtest 'a long one' => sub {
	my $id = asks($ann, 'create_channel', name => 'long')->{channelId};
	many($ann, $id, 1, 3000);
	my @ws = map { room('bob', $id, '?after=0', host => $hosts[$_ % 2]) }
	    0 .. 1;
	my @writers = map { $hosts[$_ % 2]->peer($seed->{peerA},
	    name => "w$_") } 0 .. 3;
	for my $n (1 .. 50) {
		$_->post(type => 'post', channel => $id, text => "n$n")
		    for @writers;
		push @ws, room('bob', $id, '?after=0', host =>
		    $hosts[@ws % 2]) if $n % 25 == 0;
	}
	for my $w (@writers) {
		$w->wait_for('posted') for 1 .. 50;
	}
	for my $i (0 .. 3) {
		is(seqs_to($ws[$i], 3200, \&seq), join(' ', 1 .. 3200),
		    "$i: all of it, once and in order");
	}
	$_->close for @ws, @writers;
	# More than a connection may have waiting.
	says($ann, $id, 'x' x 300_000) for 1 .. 60;
	my $slow = room('bob', $id, '?after=3100', host => $hosts[1]);
	$slow->pause(1);
	says($ann, $id, 'x' x 300_000) for 1 .. 5;
	wait_until { 0 } 2;
	$slow->pause(0);
	is(seqs_to($slow, 3265, \&seq), join(' ', 3101 .. 3265),
	    'to who reads late, however much it is');
};

subtest 'bad input' => sub {
	for ('?after=', '?after=x', '?after=-1', '?after=1.5', '?after=1e3',
	    '?after=99999999999999999999', '?after=+1', '?after=%30%00') {
		my $ws = room('bob', $c, $_);
		is($ws->status, 400, $_);
		is($ws->{response}{json}{code}, 'VALIDATION', 'and why');
	}
	is(room('bob', $_)->status, 404, "no channel $_") for 'f' x 32, 'x',
	    'x%20y';
	is(room('bob', $_)->status, 404, "no path $_") for '', "$c/", "$c/x";
	is(Linnet::Ws->new($broker->where, target =>
	    "/parties/channel-room/$c")->status, 401, 'nobody');
	is(Linnet::Ws->new($broker->where, target =>
	    "/parties/channel-room/$c?token=wat_x")->status, 401, 'no token');
	is(Linnet::Ws->new($broker->where, target => "/parties/channel-room/$c"
	    . "?after=0&token=$token{ann}{token}")->status, 101,
	    'a token in the query');
	is($broker->http('GET', "/parties/channel-room/$c", { Authorization =>
	    "Bearer $token{ann}{token}" })->{status}, 400, 'no WebSocket');
	my $ws = room('bob', $c);
	$ws->recv;
	for ('', '{', '[]', '{}', '{"type":1}', '{"type":"message"}') {
		$ws->send_text($_);
		my $m = $ws->recv;
		is($m->{type}, 'error', "$_: an error");
		like($m->{code}, qr/^(VALIDATION|UNKNOWN_MESSAGE_TYPE)$/,
		    'its code');
		ok($m->{error}, 'and what is wrong');
	}
	my $other = asks($ann, 'create_token', scopes => ['state:read'])
	    ->{token};
	is(Linnet::Ws->new($broker->where, target => "/parties/channel-room/$c"
	    . "?token=$other")->status, 403, 'a token for other things');
};

subtest 'private' => sub {
	my $p = asks($ann, 'create_channel', name => 'board', private => \1)
	    ->{channelId};
	my @r = map { room('bob', $_)->{response} } $p, 'f' x 32;
	is($r[0]{status}, 404, 'is not there');
	$_->{body} =~ s/[0-9a-f]{32}/ID/g for @r;
	is($r[0]{body}, $r[1]{body}, 'as one that is not');
	for my $host (@hosts) {
		asks($ann, 'add_channel_member', channel => $p, member =>
		    $bob->member_key);
		my $ws = room('bob', $p, '?after=0', host => $host);
		$ws->wait_for('subscribed');
		asks($ann, 'remove_channel_member', channel => $p, member =>
		    $bob->member_key);
		my $n = says($ann, $p, 'behind its back')->{seq};
		is($ws->wait_for('error')->{code}, 'PERMISSION_DENIED',
		    'who is taken out hears it');
		is($ws->wait_close->{code}, 1008, 'and is out');
		ok(!(grep { ($_->{seq} // 0) == $n } $ws->queued),
		    'and hears no more');
	}
};

subtest 'ends' => sub {
	for my $host (@hosts) {
		local $token{bob} = token($bob);
		my $ws = room('bob', $c, '', host => $host);
		$ws->wait_for('subscribed');
		asks($bob, 'revoke_token', tokenId => $token{bob}{tokenId});
		like($ws->wait_close(10)->{reason}, qr/revoked/,
		    'of the token');
	}
	my $id = asks($ann, 'create_channel', name => 'kill')->{channelId};
	my $ws = room('bob', $id, '?after=0', host => $hosts[1]);
	$ws->wait_for('subscribed');
	many($ann, $id, 1, 100);
	my @seq = (seqs_to($ws, 40, \&seq) =~ /\d+/g);
	kill KILL => $hosts[1]->pids('worker');
	$ws->wait_close;
	push @seq, grep { defined } map { seq($_) } $ws->queued;
	many($ann, $id, 101, 150);
	my $again;
	wait_until { eval { $again = room('bob', $id, "?after=$seq[-1]",
	    host => $hosts[1]); $again->status == 101 } } 20,
	    'the host to serve again';
	push @seq, split / /, seqs_to($again, 150, \&seq);
	is("@seq", join(' ', 1 .. 150), 'of a worker: it goes on');
};

my @last = map { room('bob', $c, '', host => $_) } @hosts;
$_->wait_for('subscribed') for @last;
$_->stop for reverse @hosts;
is_deeply([map { $_->wait_close } @last], [({ code => 1000, reason =>
    'server closing' }) x 2], 'the end is said');
done_testing;
