#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# /v1/ws: what happens in channels, as message-layer's clients are told it:
# replayed whole, then live, each event once and in order, as long as the member
# may see the channel and its token is good.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Test::More;
use Linnet 'wait_until';
use Linnet::Live;

my ($hosts, $seed, $ann, $bob) = hosts();
my @hosts = @$hosts;
my $broker = $hosts[0];
my %token = (ann => token($ann), bob => token($bob));
# A connection of somebody; welcome is taken.
sub live {
	my ($who, %o) = @_;
	my $b = delete $o{host} // $broker;
	my $ws = Linnet::Ws->new($b->where, target => '/v1/ws', headers =>
	    { Authorization => "Bearer $token{$who}{token}" }, %o);
	$ws->wait_for('welcome') if $ws->status == 101;
	return $ws;
}
sub follows {
	my ($ws, $stream, $from, %o) = @_;
	$ws->send_text({ type => 'subscribe', streamId => $stream,
	    defined $from ? (fromSeq => $from) : (), %o });
	return;
}
# The seq of a message.
sub seq {
	my ($m) = @_;
	return $m->{type} eq 'event' && $m->{event}{type} eq 'message.appended'
	    ? $m->{event}{streamSeq} : undef;
}

my $c = asks($ann, 'create_channel', name => 'general')->{channelId};
subtest 'a conversation' => sub {
	my $m = says($ann, $c, 'before');
	my $ws = Linnet::Ws->new($broker->where, target => '/v1/ws', headers =>
	    { Authorization => "Bearer $token{ann}{token}" });
	is($ws->status, 101, 'with a token');
	my $w = $ws->recv;
	is_deeply($w, { type => 'welcome', actorId => $seed->{peerA}{memberId},
	    orgId => $seed->{meshId} }, 'welcome');
	follows($ws, $c, 0, streamType => 'channel');
	my $e = $ws->recv;
	is_deeply([sort keys %$e], [qw(event type)], 'the first event');
	is_deeply([sort keys %{ $e->{event} }], [qw(createdAt orgId payload
	    streamId streamSeq type)], 'has what message-layer has');
	is($e->{event}{type}, 'message.appended', 'a message');
	is($e->{event}{streamSeq}, 1, 'its place');
	is($e->{event}{streamId}, $c, 'where');
	my %want = (actorId => $seed->{peerA}{memberId}, messageId =>
	    $m->{messageId}, orgId => $seed->{meshId}, partCount => 1,
	    streamId => $c, streamSeq => 1, streamType => 'channel',
	    createdAt => $m->{createdAt});
	is_deeply($e->{event}{payload}, \%want, 'what');
	is_deeply($ws->recv, { type => 'subscribed', streamId => $c,
	    lastSeq => 1 }, 'then it is subscribed');
	$m = says($bob, $c, 'live');
	$e = $ws->recv;
	is($e->{event}{streamSeq}, 2, 'what is new comes');
	@want{qw(actorId messageId streamSeq createdAt)} =
	    ($seed->{peerB}{memberId}, $m->{messageId}, 2, $m->{createdAt});
	is_deeply($e->{event}{payload}, \%want, 'in the same form');
	asks($bob, 'redact_post', messageId => $m->{messageId});
	$e = $ws->recv->{event};
	is($e->{type}, 'message.redacted', 'what is taken back');
	is($e->{streamSeq}, undef, 'without a place');
	is($e->{payload}{messageId}, $m->{messageId}, 'which');
	$ws->send_text({ type => 'ping' });
	is_deeply($ws->recv, { type => 'pong' }, 'ping');
	follows($ws, $c, 0);
	is_deeply($ws->recv, { type => 'error', error => 'already subscribed',
	    streamId => $c }, 'once');
	$ws->send_text({ type => 'unsubscribe', streamId => $c });
	is_deeply($ws->recv, { type => 'unsubscribed', streamId => $c },
	    'no more');
	says($bob, $c, 'x');
	$ws->send_text({ type => 'unsubscribe', streamId => $c });
	is_deeply($ws->recv, { type => 'unsubscribed', streamId => $c },
	    'which is answered always, and nothing came');
	is($ws->close(1000)->{code}, 1000, 'goodbye');
};

subtest 'from where' => sub {
	my $ws = live('bob');
	my %got;
	for ([none => undef, 1], [0 => 0, 1], [1 => 1, 2], [2 => 2, 3],
	    [99 => 99, undef], [-1 => -1, undef]) {
		my ($what, $from, $first) = @$_;
		follows($ws, $c, $from);
		my @e;
		while ((my $m = $ws->recv)->{type} ne 'subscribed') {
			push @e, $m->{event};
			last if @e > 20;
		}
		$got{$what} = join ' ', map { $_->{streamSeq} //
		    $_->{type} } @e;
		$ws->send_text({ type => 'unsubscribe', streamId => $c });
		$ws->wait_for('unsubscribed');
	}
	is($got{none}, '1 2 message.redacted 3', 'without a place');
	is($got{0}, $got{none}, 'from 0: from the first message on');
	is($got{1}, '2 message.redacted 3', 'from a message on');
	is($got{2}, 'message.redacted 3', 'with what happened after it');
	is($got{99}, '', 'that is still to come');
	is($got{-1}, 'channel.created 1 2 message.redacted 3', 'everything');
};

subtest 'a long history' => sub {
	my $id = asks($ann, 'create_channel', name => 'long')->{channelId};
	many($ann, $id, 1, 3000);
	my @ws = map { live('bob', host => $hosts[$_ % 2]) } 0 .. 3;
	my @writers = map { $hosts[$_ % 2]->peer($seed->{peerA},
	    name => "w$_") } 0 .. 3;
	for my $n (1 .. 50) {
		$_->post(type => 'post', channel => $id, text => "n$n")
		    for @writers;
		follows($ws[$n / 10], $id, 0) if $n % 10 == 0 && $n < 40;
	}
	follows($ws[0], $id, 0);
	for my $w (@writers) {
		$w->wait_for('posted') for 1 .. 50;
	}
	for my $i (0 .. 3) {
		is(seqs_to($ws[$i], 3200, \&seq), join(' ', 1 .. 3200),
		    "$i: all of it, while four write: once and in order");
		is_deeply([grep { $_ !~ /^(event|subscribed)$/ }
		    map { $_->{type} } $ws[$i]->queued], [],
		    'and nothing else');
	}
	$_->close for @ws, @writers;
	my $slow = live('bob');
	$slow->pause(1);
	follows($slow, $id, 0);
	many($ann, $id, 1, 300);
	$slow->pause(0);
	is(seqs_to($slow, 3500, \&seq), join(' ', 1 .. 3500), 'to who reads late');
	$slow->close;
};

sub says_error {
	my ($ws, $text, $code, $like, $what) = @_;
	$ws->send_text($text);
	my $m = $ws->recv;
	is($m->{type}, 'error', "$what: an error");
	is($m->{code}, $code, 'its code') or diag explain $m;
	like($m->{error}, $like, 'and what is wrong');
	return;
}
subtest 'bad input' => sub {
	my $ws = live('ann');
	$ws->send_text('{');
	is_deeply($ws->recv, { type => 'error', error => 'invalid json' },
	    'no JSON');
	$ws->send_text({ type => 'shout' });
	is_deeply($ws->recv, { type => 'error', error =>
	    'unknown message type' }, 'an unknown type');
	says_error($ws, $_, undef, qr/invalid json/, $_) for '', '[]', '1',
	    '"x"', "{\"type\":\"ping\"";
	says_error($ws, $_, undef, qr/unknown message type/, $_) for '{}',
	    '{"type":1}', '{"type":null}', '{"type":{}}';
	says_error($ws, "{\"type\":\"subscribe\"$_}", 'VALIDATION',
	    qr/streamId|fromSeq|streamType/, $_) for '', ',"streamId":1',
	    ',"streamId":null', ',"streamId":""', ',"streamId":[]',
	    qq(,"streamId":"$c","fromSeq":"1"), qq(,"streamId":"$c","fromSeq":-2),
	    qq(,"streamId":"$c","fromSeq":1.5),
	    qq(,"streamId":"$c","fromSeq":1e99),
	    qq(,"streamId":"$c","streamType":"x");
	says_error($ws, { type => 'subscribe', streamId => 'x' x 200 },
	    'TOO_BIG', qr/128/, 'a long name');
	says_error($ws, { type => 'subscribe', streamId => $_ },
	    'PERMISSION_DENIED', qr/\Q$_/, $_) for 'f' x 32, 'general',
	    '#general', "$c'";
	says_error($ws, { type => 'unsubscribe' }, 'VALIDATION', qr/streamId/,
	    'nothing to leave');
	$ws->send_frame(Linnet::Ws::BINARY, '{"type":"ping"}');
	is($ws->recv->{type}, 'pong', 'a binary frame does');
	follows($ws, $c, 0);
	ok($ws->wait_for('subscribed'), 'and after all that it works');
	is($ws->close->{code}, 1005, 'until it goes');
};

subtest 'who may not' => sub {
	for ([{}, 401, 'nobody'], [{ Authorization => 'Bearer x' }, 401,
	    'no token'], [{ Authorization => 'Basic eA==' }, 401, 'another '
	    . 'scheme'], [{ Authorization => 'Bearer wat_' . 'A' x 48 }, 401,
	    'a false one'], [{ 'x-principal' => '{}' }, 401, 'a word']) {
		my ($h, $status, $what) = @$_;
		my $ws = Linnet::Ws->new($broker->where, target => '/v1/ws',
		    headers => $h);
		is($ws->status, $status, $what);
	}
	my $ws = Linnet::Ws->new($broker->where, target =>
	    "/v1/ws?token=$token{ann}{token}");
	is($ws->status, 101, 'a token in the query does');
	is(Linnet::Ws->new($broker->where, target => "/v1/$_", headers =>
	    { Authorization => "Bearer $token{ann}{token}" })->status, 404,
	    "$_ is nothing") for 'ws/', 'wss', 'ws/x';
	is($broker->http('GET', '/v1/ws', { Authorization =>
	    "Bearer $token{ann}{token}" })->{status}, 426,
	    'without an upgrade');
	is($broker->http('POST', '/v1/ws', {}, {})->{status}, 405, 'POST');
	my $mute = asks($ann, 'create_token', scopes => ['state:read'])
	    ->{token};
	$ws = Linnet::Ws->new($broker->where, target =>
	    "/v1/ws?token=$mute");
	$ws->wait_for('welcome');
	says_error($ws, { type => 'subscribe', streamId => $c },
	    'PERMISSION_DENIED', qr/channels:read/, 'a token for other things');
	my $p = asks($ann, 'create_channel', name => 'board', private => \1)
	    ->{channelId};
	says($ann, $p, 'secret');
	$ws = live('bob');
	$ws->send_text({ type => 'subscribe', streamId => $_ })
	    for $p, 'f' x 32;
	my @e = map { $ws->recv } 1 .. 2;
	$_->{error} =~ s/[0-9a-f]{32}/ID/ for @e;
	is_deeply($e[0], $e[1], 'a private channel is as one that is not');
	is($e[0]{code}, 'PERMISSION_DENIED', 'as message-layer says it');
};

subtest 'until it may not' => sub {
	my $p = asks($ann, 'create_channel', name => 'team', private => \1)
	    ->{channelId};
	asks($ann, 'add_channel_member', channel => $p, member =>
	    $bob->member_key);
	my $m = says($ann, $p, 'x')->{messageId};
	my $t = asks($ann, 'create_thread', channel => $p, messageId => $m)
	    ->{channelId};
	for my $host (@hosts) {
		asks($ann, 'add_channel_member', channel => $p, member =>
		    $bob->member_key);
		my $ws = live('bob', host => $host);
		follows($ws, $_, 0) for $p, $t, $c;
		$ws->wait_for(sub { $_->{type} eq 'subscribed'
		    && $_->{streamId} eq $t });
		$ws->wait_for(sub { $_->{type} eq 'subscribed'
		    && $_->{streamId} eq $p });
		asks($ann, 'remove_channel_member', channel => $p, member =>
		    $bob->member_key);
		my %not = map { $_->{messageId} => 1 }
		    says($ann, $p, 'behind its back'),
		    says($ann, $t, 'and here');
		for my $s ($p, $t) {
			my $e = $ws->wait_for(sub { $_->{type} eq 'error'
			    && $_->{streamId} eq $s });
			is($e->{code}, 'PERMISSION_DENIED', 'it is taken out');
			ok($ws->wait_for(sub { $_->{type} eq 'unsubscribed'
			    && $_->{streamId} eq $s }), 'and told so');
		}
		$not{ says($ann, $p, 'again')->{messageId} } = 1;
		my $n = says($ann, $c, 'public')->{seq};
		$ws->wait_for(sub { $_->{type} eq 'event'
		    && ($_->{event}{streamSeq} // 0) == $n });
		ok(!(grep { $_->{type} eq 'event' && $not{
		    $_->{event}{payload}{messageId} // '' } } $ws->queued),
		    'and hears no more of it, but of others');
	}
	my $gone = asks($ann, 'create_channel', name => 'gone')->{channelId};
	my $ws = live('bob');
	follows($ws, $gone);
	$ws->wait_for('subscribed');
	asks($ann, 'delete_channel', channel => $gone);
	is($ws->wait_for('error')->{code}, 'PERMISSION_DENIED',
	    'a channel that ends');
};

subtest 'tokens end' => sub {
	for my $host (@hosts) {
		local $token{bob} = token($bob);
		my $ws = live('bob', host => $host);
		follows($ws, $c, 0);
		$ws->wait_for('subscribed');
		asks($bob, 'revoke_token', tokenId => $token{bob}{tokenId});
		like($ws->wait_close(10)->{reason}, qr/revoked/,
		    'a revoked one ends its streams');
	}
};

subtest 'for whom somebody acts' => sub {
	my $service = token($ann, 'service');
	my $json = Cpanel::JSON::XS->new->canonical;
	my $principal = $json->encode({ actorId => $seed->{peerB}{memberId},
	    orgId => $seed->{meshId}, scopes => [], provider => 'test' });
	my $escaped = $principal =~ s/([^\w])/sprintf '%%%02x', ord $1/ger;
	for my $host (@hosts) {
		my @ws = map { Linnet::Ws->new($host->where, %$_) }
		    { target => '/v1/ws', headers => { 'x-principal' =>
			$principal, 'x-api-key' => $service->{token} } },
		    { target => "/v1/ws?principal=$escaped&x-api-key="
			. $service->{token} };
		for my $ws (@ws) {
			is($ws->recv->{actorId}, $seed->{peerB}{memberId},
			    'by a service key');
			follows($ws, $c, 0);
			ok($ws->wait_for('subscribed'), 'it may read');
		}
		asks($ann, 'revoke_token', tokenId => $service->{tokenId})
		    if $host == $hosts[1];
		next if $host != $hosts[1];
		like($_->wait_close(10)->{reason}, qr/revoked/,
		    'as long as the key is good') for @ws;
	}
	is(Linnet::Ws->new($broker->where, target => '/v1/ws', headers =>
	    { 'x-principal' => $principal })->status, 401, 'not without');
};

subtest 'a worker dies' => sub {
	my $id = asks($ann, 'create_channel', name => 'kill')->{channelId};
	my $ws = live('bob', host => $hosts[1]);
	follows($ws, $id, 0);
	$ws->wait_for('subscribed');
	many($ann, $id, 1, 100);
	my @seq = (seqs_to($ws, 40, \&seq) =~ /\d+/g);
	kill KILL => $hosts[1]->pids('worker');
	$ws->wait_close;
	push @seq, map { $_->{event}{streamSeq} } grep { $_->{event} }
	    $ws->queued;
	many($ann, $id, 101, 150);
	my $again;
	wait_until { eval { $again = live('bob', host => $hosts[1]);
	    $again->status == 101 } } 20, 'the host to serve again';
	follows($again, $id, $seq[-1]);
	push @seq, split / /, seqs_to($again, 150, \&seq);
	is("@seq", join(' ', 1 .. 150), 'and it goes on where it was');
};

# A client that others wrote.
subtest 'ws of node' => sub {
	my $modules = '/usr/share/nodejs';
	plan skip_all => 'no node with ws'
	    if Linnet::run(['sh', '-c', "node -e 'require(\"$modules/ws\")'"]);
	my $id = asks($ann, 'create_channel', name => 'node')->{channelId};
	many($ann, $id, 1, 500);
	my ($st, $out, $err) = Linnet::run(['node', '-e', <<'NODE',
const [, modules, url, token, id] = process.argv;
const WebSocket = require(modules + '/ws');
const ws = new WebSocket(url, { headers: { authorization: 'Bearer ' + token }});
const seqs = [];
let subscribed;
ws.on('message', (raw) => {
	const m = JSON.parse(raw.toString());
	if (m.type === 'welcome')
		ws.send(JSON.stringify({ type: 'subscribe', streamId: id,
		    streamType: 'channel', fromSeq: 0 }));
	if (m.type === 'event') seqs.push(m.event.streamSeq);
	if (m.type === 'subscribed') {
		subscribed = m.lastSeq;
		ws.close(1000);
	}
});
ws.on('close', () => console.log(subscribed + ': ' + seqs.join(' ')));
ws.on('error', (e) => { console.error(e.message); process.exit(1); });
NODE
	    $modules, 'ws://' . $broker->address . '/v1/ws',
	    $token{bob}{token}, $id], timeout => 30);
	is($err, '', 'has no complaint');
	is($out, '500: ' . join(' ', 1 .. 500) . "\n", 'and hears all of it');
};

my @last = map { live('bob', host => $_) } @hosts;
$_->stop for reverse @hosts;
is_deeply([map { $_->wait_close } @last], [({ code => 1000, reason =>
    'server closing' }) x 2], 'the end is said');
done_testing;
