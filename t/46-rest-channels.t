#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Channels over REST beside the other doors: what is done here is seen there;
# names, pages and conditions of REST; and the wall around private ones.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Linnet 'wait_until';
use Test::More;

my ($true, $false) = (Cpanel::JSON::XS::true, Cpanel::JSON::XS::false);
my $b = Linnet->broker(workers => 2,
    options => ['rate.refused_burst 1000000']);
my $s = $b->seed;
my ($ann, $bob) = map { $b->peer($s->{$_}) } qw(peerA peerB);
my %token = map { $_->[0] => $_->[1]->request({ type => 'create_token' })
    ->{token} } ['ann', $ann], ['bob', $bob];

sub ask {
	my ($who, $method, $path, $body, %h) = @_;
	return $b->http($method, $path, { 'content-type' => 'application/json',
	    authorization => "Bearer $token{$who}", %h }, $body);
}
sub good {
	my $r = ask(@_);
	is($r->{status}, 200, "$_[1] $_[2]") or diag explain $r->{json};
	return $r->{json};
}
sub refused {
	my ($status, $code, $name, @ask) = @_;
	my $r = ask(@ask);
	is_deeply([$r->{status}, $r->{json}{code}], [$status, $code], $name)
	    or diag explain $r->{json};
	is($r->{headers}{'content-type'}, 'application/problem+json',
	    "$name: a problem");
	return $r->{json};
}

my ($dev, $quiet, $first);
subtest 'one log, all doors' => sub {
	$dev = good('ann', POST => '/v1/channels', { name => 'dev',
	    topic => 'code', visibility => 'public' })->{channelId};
	my ($c) = grep { $_->{channelId} eq $dev }
	    @{ $bob->request({ type => 'list_channels' })->{channels} };
	is_deeply([@{$c}{qw(name topic private)}], ['dev', 'code', $false],
	    'made over REST, seen on the mesh');
	$bob->request({ type => 'follow_channel', channel => 'dev' });
	my $r = good('ann', POST => '/v1/messages', { streamId => $dev,
	    parts => [{ type => 'text', payload => { text => 'hi' } }],
	    idempotencyKey => 'a' });
	$first = $r->{messageId};
	my $told = $bob->ws->wait_for(sub { $_[0]{type} eq 'channel_message' });
	is_deeply([@{$told}{qw(messageId seq)}], [$first, 1],
	    'posted over REST, pushed on the mesh');
	$r = $bob->request({ type => 'post', channel => 'dev',
	    text => 'hello' });
	is_deeply([map { $_->{parts}[0]{payload}{text} } @{ good('ann',
	    GET => "/v1/streams/$dev/messages?afterSeq=1")->{messages} }],
	    ['hello'], 'posted on the mesh, read over REST');
	$quiet = $bob->request({ type => 'create_channel', name => 'quiet',
	    private => $true })->{channelId};
};

subtest 'messages that change' => sub {
	my $at = "/v1/messages/$first";
	is_deeply(good('ann', PATCH => $at, { text => 'hi all' })->{ok}, $true,
	    'edited');
	my ($m) = @{ good('bob', GET => "/v1/streams/$dev/messages")
	    ->{messages} };
	is($m->{parts}[0]{payload}{text}, 'hi all', 'it says so');
	like($m->{editedAt}, qr/Z\z/, 'and when');
	refused(403, 'PERMISSION_DENIED', 'not by another', 'bob',
	    PATCH => $at, { text => 'x' });
	is(good('bob', POST => "$at/reactions", { reaction => '+1' })
	    ->{count}, 1, 'a reaction');
	is(good('bob', POST => "$at/reactions", { reaction => '+1' })
	    ->{changed}, $false, 'once');
	is(good('bob', DELETE => "$at/reactions/%2B1")->{count}, 0,
	    'taken back');
	good('ann', POST => "$at/redact", {});
	refused(404, 'NOT_FOUND', 'what was redacted is not edited', 'ann',
	    PATCH => $at, { text => 'x' });
	refused(404, 'NOT_FOUND', 'no id', 'ann', POST =>
	    '/v1/messages/nothing/redact', {});
};

subtest 'members' => sub {
	my $at = "/v1/channels/$dev/members";
	good('ann', POST => $at, { actorId => $s->{peerB}{memberId},
	    role => 'admin' });
	is_deeply([sort map { "$_->{name} $_->{role}" } @{ good('bob',
	    GET => $at)->{members} }], ['peer-a owner', 'peer-b admin'],
	    'who is in');
	my $p = good('bob', GET => "$at?limit=1");
	is(scalar @{ $p->{members} }, 1, 'a page');
	$p->{next} =~ s/ /%20/;
	is(good('bob', GET => "$at?limit=1&after=$p->{next}")
	    ->{members}[0]{name}, 'peer-b', 'the next');
	is(good('ann', POST => $at, { actorId => 'peer-b', role => 'reviewer' })
	    ->{role}, 'reviewer', 'a role in free words');
	good('bob', DELETE => "$at/$s->{peerB}{memberId}");
	is(scalar @{ good('bob', GET => $at)->{members} }, 1, 'out');
	good('bob', POST => "/v1/channels/$dev/join");
	good('bob', POST => "/v1/channels/$dev/leave");
	refused(403, 'PERMISSION_DENIED', 'others add nobody', 'bob',
	    POST => $at, { actorId => 'peer-a', role => 'member' });
	refused(404, 'NOT_FOUND', 'nobody', 'ann', POST => $at,
	    { actorId => 'nobody' });
};

subtest 'private is a wall' => sub {
	my $m = $bob->request({ type => 'post', channel => 'quiet',
	    text => 'secret' })->{messageId};
	my $none = '0' x 32;
	for (['GET', '/v1/streams/%s/messages'],
	    ['GET', '/v1/channels/%s/messages'],
	    ['GET', '/v1/channels/%s/members'],
	    ['GET', '/v1/channels/%s/threads'],
	    ['GET', '/v1/streams/%s/cursor'], ['DELETE', '/v1/channels/%s'],
	    ['POST', '/v1/channels/%s/join', {}],
	    ['POST', '/v1/channels/%s/members', { actorId => 'peer-a' }],
	    ['DELETE', '/v1/channels/%s/members/peer-a'],
	    ['POST', '/v1/channels/%s/messages', { text => 'x',
		idempotencyKey => 'w' }],
	    ['POST', '/v1/cursors', { streamId => '%s' }],
	    ['POST', '/v1/threads', { channelId => '%s',
		parentMessageId => $m }]) {
		my ($method, $path, $body) = @$_;
		my @r = map { my $id = $_; ask('ann', $method,
		    $path =~ s/%s/$id/r, $body && { map { my $v = $body->{$_};
		    $v =~ s/%s/$id/; ($_ => $v) } keys %$body }) }
		    $quiet, $none;
		$_->{body} =~ s/\Q$quiet\E|\Q$none\E/X/g for @r;
		is($r[0]{status}, 404, "$method $path") or diag explain $r[0];
		is($r[0]{body}, $r[1]{body}, 'as if it were not there');
	}
	my @r = map { my $id = $_; my $x = ask('ann', POST =>
	    "/v1/messages/$id/redact", {}); $x->{body} =~ s/$id/X/g; $x }
	    $m, $none;
	is($r[0]{body}, $r[1]{body}, 'nor what was said in it');
	is_deeply([grep { $_->{id} eq $quiet } @{ good('ann',
	    GET => '/v1/channels')->{channels} }], [], 'in no list');
	is_deeply([map { $_->{name} } @{ good('bob',
	    GET => '/v1/channels?joined=true')->{channels} }], ['quiet'],
	    'but for who is in it');
};

subtest 'names, pages and limits' => sub {
	good('ann', POST => "/v1/channels/dev/messages", { text => "n $_",
	    idempotencyKey => "n$_" }) for 1 .. 5;
	my $p = good('bob', GET => '/v1/channels/dev/messages?limit=2');
	is_deeply([map { $_->{seq} } @{ $p->{messages} }], [1, 2],
	    'the first');
	is($p->{lastSeq}, 7, 'of so many');
	is($p->{more}, $true, 'there are more');
	is($p->{next}, 2, 'behind that');
	is(scalar @{ good('bob', GET => '/v1/channels/dev/messages?limit=-5')
	    ->{messages} }, 1, 'at least one');
	is(scalar @{ good('bob', GET => '/v1/channels/dev/messages?after=-9')
	    ->{messages} }, 7, 'before the first is from the first');
	my $r = refused(400, 'VALIDATION', 'no number', 'bob', GET =>
	    '/v1/channels/dev/messages?after=abc');
	is($r->{errors}[0]{pointer}, '#/after', 'which is told');
	my ($at, @all) = ('/v1/channels/dev/messages?after=1&limit=2');
	while (defined $at) {
		my $page = ask('bob', GET => $at);
		push @all, map { $_->{seq} } @{ $page->{json}{messages} };
		($at) = ($page->{headers}{link} // '')
		    =~ /\A<([^>]+)>; rel="next"\z/;
	}
	is("@all", '2 3 4 5 6 7', 'links lead through all of it');
	good('ann', POST => '/v1/channels', { name => "c$_",
	    visibility => 'public' }) for 1 .. 3;
	my $link = ask('bob', GET => '/v1/channels?limit=2')->{headers}{link};
	like($link, qr{\A</v1/channels\?limit=2&after=[0-9a-f]{32}%20c2>; }, 'is linked');
	$p = good('bob', GET => '/v1/channels?limit=2');
	is_deeply([map { $_->{name} } @{ $p->{channels} }], ['c1', 'c2'],
	    'a page of channels');
	$p->{next} =~ s/ /%20/;
	is(good('bob', GET => "/v1/channels?limit=1&after=$p->{next}")
	    ->{channels}[0]{name}, 'c3', 'the next');
};

subtest 'state under conditions' => sub {
	my $at = '/v1/state/build:main';
	is(ask('ann', GET => $at)->{status}, 404, 'not there');
	my $r = ask('ann', PUT => $at, { value => { n => 1 } },
	    'if-none-match' => '*');
	is_deeply([@{$r}{qw(status)}, $r->{headers}{etag}], [200, '"1"'],
	    'made');
	$r = refused(412, 'CONFLICT', 'not again', 'bob', PUT => $at,
	    { value => 2 }, 'if-none-match' => '*');
	is_deeply([@{$r}{qw(version status)}], [1, 412], 'which says why');
	is(ask('bob', PUT => $at, { value => { n => 2 } },
	    'if-match' => '"1"')->{headers}{etag}, '"2"', 'changed');
	is(ask('ann', PUT => $at, { value => 3 }, 'if-match' => '"1"')
	    ->{status}, 412, 'not by who knows an older one');
	is(ask('ann', PUT => $at, { value => 3, ifVersion => 1 })->{status},
	    409, 'in the body it is a conflict');
	$r = ask('ann', GET => $at);
	is_deeply([$r->{json}{value}, $r->{headers}{etag}], [{ n => 2 }, '"2"'],
	    'read');
	$r = ask('ann', GET => $at, undef, 'if-none-match' => '"2"');
	is_deeply([@{$r}{qw(status body)}], [304, ''], 'known already');
	is(ask('ann', GET => $at, undef, 'if-none-match' => '"1"')->{status},
	    200, 'or not');
	is(ask('ann', PUT => $at, { value => 1 }, 'if-match' => '2')->{status},
	    400, 'no ETag');
	is(ask('ann', DELETE => $at, undef, 'if-match' => '"1"')->{status},
	    412, 'not deleted');
	is(ask('ann', DELETE => $at, undef, 'if-match' => '"2"')->{status},
	    200, 'deleted');
	is_deeply(good('ann', GET => '/v1/state?prefix=build:')->{entries}, [],
	    'it is gone');
};

subtest 'methods' => sub {
	my $r = ask('ann', PUT => '/v1/channels', {});
	is($r->{status}, 405, 'another method');
	like($r->{headers}{allow}, qr/POST.*GET|GET.*POST/, 'is told which');
	is(ask('ann', HEAD => "/v1/streams/$dev/messages")->{status}, 200,
	    'HEAD is GET');
	is(ask('ann', GET => '/v1/nothing')->{status}, 404, 'no route');
	is_deeply($b->http(GET => '/health')->{json}{ok}, $true, 'health');
	is($b->http(GET => '/v1/channels')->{status}, 401, 'nobody');
};

subtest 'names in paths' => sub {
	my $id = good('ann', POST => '/v1/channels',
	    { name => "caf\x{e9} one" })->{channelId};
	good('ann', POST => '/v1/messages', { streamId => $id, text => 'hi',
	    idempotencyKey => 'n' });
	my $at = '/v1/streams/caf%C3%A9%20one';
	is(good('ann', GET => "$at/messages")->{messages}[0]{streamId}, $id,
	    'messages');
	is(good('ann', GET => "$at/events?fromSeq=0", undef,
	    accept => 'application/json')->{events}[0]{streamId}, $id,
	    'a page of events');
	my $ws = $b->ws(
	    target => '/parties/channel-room/caf%C3%A9%20one?after=0',
	    headers => { authorization => "Bearer $token{ann}" });
	is($ws->status, 101, 'a room');
	is($ws->wait_for(sub { $_[0]{type} eq 'message' })->{channelId}, $id,
	    'its messages');
	$ws->close;
	is(ask('bob', GET => "$at/events")->{status}, 404,
	    'a stream of events, for who may not see it');
	for (['ann', '/v1/streams/caf%E9/events'],
	    ['ann', '/v1/streams/caf%E9/messages']) {
		refused(400, 'VALIDATION', "no text: $_->[1]", $_->[0],
		    GET => $_->[1]);
	}
};

subtest 'methods of a path' => sub {
	for (['/v1/memory/search', 'GET, HEAD, OPTIONS'],
	    ['/v1/ws', 'GET, OPTIONS'],
	    ["/parties/channel-room/$dev", 'GET, OPTIONS'],
	    ["/v1/durable-streams/$dev/tail", 'GET, OPTIONS'],
	    ["/v1/artifacts/$dev/content", 'GET, HEAD, OPTIONS']) {
		my $r = ask('ann', PUT => $_->[0], {});
		is_deeply([$r->{status}, $r->{headers}{allow}],
		    [405, $_->[1]], $_->[0]);
	}
};

subtest 'what is known already' => sub {
	my $at = '/v1/state/known';
	good('ann', PUT => $at, { value => $_ }) for 1 .. 3;
	for (['W/"3"', 304], ['"2", "3"', 304], ['*', 304], ['"2"', 200],
	    ['3', 200], ['"33"', 200]) {
		is(ask('ann', GET => $at, undef, 'if-none-match' => $_->[0])
		    ->{status}, $_->[1], "If-None-Match: $_->[0]");
	}
	refused(400, 'VALIDATION', 'a tag is no condition of a change', 'ann',
	    PUT => $at, { value => 4 }, 'if-none-match' => '"4"');
	refused(400, 'VALIDATION', 'nor of a deletion', 'ann',
	    DELETE => $at, undef, 'if-none-match' => '"4"');
	is(good('ann', GET => $at)->{value}, 3, 'so that nothing is done');
};

subtest 'a key in a header' => sub {
	my $with = sub {
		return ask('ann', POST => '/v1/messages', { streamId => $dev,
		    text => 'x' }, 'idempotency-key' => $_[0]);
	};
	is_deeply([$with->("caf\xe9")->{status}, $with->('k' x 257)->{status},
	    $with->('k' x 256)->{status}], [400, 413, 200],
	    'is as it would be in the body');
};

subtest 'each part of a query' => sub {
	for ('limit=1&limit=2', '%6cimit=%zz', 'limit=1&%6Cimit=1') {
		my $p = refused(400, 'VALIDATION', "is there once: $_", 'ann',
		    GET => "/v1/channels?$_");
		is($p->{errors}[0]{pointer}, '#/limit', 'which is named');
	}
};

subtest 'the next page' => sub {
	good('ann', POST => '/v1/durable-streams', {}) for 1 .. 5;
	my ($next, %seen) = ('/v1/durable-streams?limit=2');
	for (1 .. 4) {
		my $r = ask('ann', GET => $next);
		$seen{ $_->{durableStreamId} }++
		    for @{ $r->{json}{durableStreams} };
		($next) = ($r->{headers}{link} // '') =~ /^<(.*)>; rel="next"$/
		    or last;
	}
	is_deeply([undef, (1) x 5], [$next, sort values %seen],
	    'of a list from its end');
	for my $from (0, -1) {
		my ($at, @seqs) = ("/v1/streams/$dev/subscribe?fromSeq=$from"
		    . '&limit=2');
		for (1 .. 50) {
			my $r = ask('ann', GET => $at);
			push @seqs, grep { defined } map { $_->{streamSeq} }
			    @{ $r->{json}{events} };
			($at) = ($r->{headers}{link} // '') =~ /^<(.*)>;/
			    or last;
		}
		is($at, undef, "from $from: it ends");
		is_deeply(\@seqs, [1 .. $seqs[-1]], 'with all, once');
		is(scalar @seqs, good('ann', GET =>
		    "/v1/streams/$dev/messages?limit=1")->{lastSeq}, 'of them');
	}
	my $all = good('ann', GET => '/v1/members?limit=1')->{next};
	my $r = ask('ann', GET => "/v1/members?limit=1&%61fter=$all");
	unlike($r->{headers}{link} // '', qr/%61fter/,
	    'and its address has one place');
};

done_testing;
