#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Durable streams: chunks in one order, read while they come, by who may see
# them; and how they end.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX ();
use Test::More;
use Time::HiRes 'time';
use Linnet qw(wait_until);
use Linnet::Postgres;

my $pg = Linnet::Postgres->new;
my $key = Linnet::Proc::scratch() . '/token.key';
open my $fh, '>', $key or die "$key: $!";
print $fh 'ab' x 32;
close $fh;
chmod 0600, $key;
my @hosts = Linnet->hosts($pg, [qw(one two)], workers => 2, options => [
    "token.key $key", 'limit.durable_bytes 4k', 'limit.durable_streams 50',
    'limit.head_time 1s', 'limit.keep_time 1s']);
my $b = $hosts[0];
my $seed = $b->seed;
my ($ann, $bob) = map { $b->peer($_) } @{$seed}{qw(peerA peerB)};
my ($ann_token, $bob_token) = map { $_->request({ type => 'create_token' })
    ->{token} } $ann, $bob;

sub rest {
	my ($method, $path, $body, %o) = @_;
	return ($o{host} // $b)->http($method, '/v1/durable-streams' . $path,
	    { Authorization => 'Bearer ' . ($o{token} // $ann_token) },
	    defined $body ? Cpanel::JSON::XS->new->utf8->encode($body) : undef);
}
sub fails {
	my ($r, $status, $what) = @_;
	is($r->{status}, $status, $what) or diag $r->{body};
	return;
}
sub makes {
	my (%o) = @_;
	return rest('POST', '', \%o)->{json}{durableStreamId};
}
sub puts {
	my ($id, @texts) = @_;
	return rest('POST', "/$id/chunks", { chunks =>
	    [map { { text => "$_" } } @texts] })->{json};
}
sub texts { return join ' ', map { $_->{text} } @{ $_[0]{json}{chunks} } }
sub asks {
	my ($p, $type, %o) = @_;
	return $p->request({ type => $type, %o });
}

subtest 'one' => sub {
	my $r = rest('POST', '', { contentType => 'text/markdown',
	    metadata => { run => 7 }, ttlSeconds => 60 });
	is($r->{status}, 200, 'is made') or diag $r->{body};
	my $id = $r->{json}{durableStreamId};
	like($id, qr/^[0-9a-f]{32}$/, 'has an id');
	is_deeply([@{ $r->{json} }{qw(status offset chunkCount)}],
	    ['open', 0, 0], 'is open');
	for my $path ("/$id", "/$id/head") {
		my $h = rest('GET', $path)->{json};
		is_deeply([@$h{qw(durableStreamId status offset contentType
		    targetStreamId committedMessageId closedAt)}], [$id, 'open',
		    0, 'text/markdown', undef, undef, undef], $path);
		is_deeply($h->{metadata}, { run => 7 }, 'with what was said');
	}
	is_deeply([@{ puts($id, 'a', 'b') }{qw(appended offset byteCount)}],
	    [2, 2, 2], 'chunks');
	is(puts($id, 'c')->{offset}, 3, 'and more');
	$r = rest('GET', "/$id/read");
	is(texts($r), 'a b c', 'are read');
	is_deeply([@{ $r->{json} }{qw(fromOffset nextOffset status)}],
	    [0, 3, 'open'], 'all');
	ok($r->{json}{upToDate}, 'of them');
	$r = rest('GET', "/$id/read?offset=1&limit=1");
	is(texts($r), 'b', 'a page');
	ok(!$r->{json}{upToDate}, 'that is not the last');
	is(texts(rest('GET', "/$id/read?offset=3")), '', 'nothing behind');
	fails(rest('GET', "/$id/read?offset=-1"), 400, 'no such place');
	is((asks($ann, 'list_durable_streams')->{durableStreams})->[0]
	    {durableStreamId}, $id, 'is listed');
	$r = rest('POST', "/$id/close", { reason => 'done' });
	is_deeply([@{ $r->{json} }{qw(status offset)}], ['closed', 3], 'closed');
	fails(rest('POST', "/$id/close", {}), 400, 'once');
	fails(rest('POST', "/$id/chunks", { chunks => [{ text => 'x' }] }), 400,
	    'takes no more');
	fails(rest('POST', "/$id/commit", {}), 400, 'is for no channel');
	is(rest('GET', "/$id")->{json}{reason}, 'done', 'says why');
	for my $what (['GET', "/$id"], ['GET', "/$id/read"],
	    ['POST', "/$id/chunks", { chunks => [{ text => 'x' }] }],
	    ['POST', "/$id/close", {}], ['DELETE', "/$id"],
	    ['GET', "/$id/checkpoints"]) {
		fails(rest(@$what, $#$what < 2 ? undef : (), token =>
		    $bob_token), 404, "nobody else: $what->[0] $what->[1]");
	}
	is(rest('DELETE', "/$id")->{status}, 200, 'is deleted');
	fails(rest('GET', "/$id"), 404, 'and gone');
};

subtest 'bad' => sub {
	my $id = makes();
	for (['POST', '', { metadata => [] }], ['POST', '', { ttlSeconds => 0 }],
	    ['POST', '', { targetStreamType => 'pond' }],
	    ['POST', "/$id/chunks", {}], ['POST', "/$id/chunks",
		{ chunks => [] }], ['POST', "/$id/chunks",
		{ chunks => [{ text => 1 }] }]) {
		fails(rest(@$_), 400, join ' ', map { ref
		    ? Cpanel::JSON::XS->new->encode($_) : $_ } @$_);
	}
	fails(rest('POST', '', { contentType => 'x' x 121 }), 413, 'long');
	fails(rest('POST', '', { targetStreamId => 'f' x 32 }), 404,
	    'no such channel');
	fails(rest('GET', '/' . 'f' x 32), 404, 'no such one');
	fails(rest('POST', "/$id/chunks", { chunks => [{ text => 'y' x 5000 }]
	    }), 413, 'too long');
	is(puts($id, 'y' x 4000)->{byteCount}, 4000, 'what fits');
	fails(rest('POST', "/$id/chunks", { chunks => [{ text => 'y' x 97 }] }),
	    413, 'not more');
	is(rest('GET', "/$id")->{json}{offset}, 1, 'all or nothing');
};

subtest 'many writers' => sub {
	my $id = makes();
	my @p = map { $hosts[$_ % 2]->peer($seed->{peerA}, name => "w$_") }
	    1 .. 8;
	for my $n (1 .. 10) {
		$_->post(type => 'append_durable_chunks', durableStreamId =>
		    $id, chunks => [{ text => 'p' }, { text => 'q' }]) for @p;
	}
	for my $p (@p) {
		is(scalar(grep { $_->{type} eq 'durable_chunks_appended' }
		    map { $p->wait_for('durable_chunks_appended') } 1 .. 10),
		    10, 'all of one');
	}
	my @c = @{ rest('GET', "/$id/read")->{json}{chunks} };
	is(join(' ', map { $_->{offset} } @c), join(' ', 1 .. 160), 'dense');
	is(join('', map { $_->{text} } @c), 'pq' x 80, 'each whole');
	$_->close for @p;
};

# Chunks that come while it ends are before its end.
subtest 'an end that waits for a writer' => sub {
	my $id = makes();
	my $busy = sub {
		my ($what) = @_;
		return wait_until { ($pg->psql("select count(*) from
		    pg_stat_activity where pid <> pg_backend_pid()
		    and $what"))[1] > 0 } 10;
	};
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		my ($st) = $pg->psql("begin; update durable set chunks = 1,
		    bytes = 1 where id = '$id'; insert into durable_chunk
		    (durable_id, n, put_id, bytes, text, created_at) values
		    ('$id', 1, gen_random_uuid(), 1, 'x', now());
		    select pg_sleep(6); commit;");
		POSIX::_exit($st);
	}
	ok($busy->("query like '%pg_sleep(%' and state = 'active'"),
	    'a writer has it');
	# On a connection that the child has not.
	my $io = $b->tcp;
	$io->put(Linnet::Http::request(POST => "/v1/durable-streams/$id/close",
	    { Authorization => "Bearer $ann_token",
	    'Content-Type' => 'application/json' }, '{}'));
	ok($busy->("wait_event_type = 'Lock'"), 'the end waits for it');
	is($io->answer('POST')->{json}{chunkCount}, 1, 'and counts what it brought');
	waitpid $pid, 0;
	is($?, 0, 'all went well');
};

sub waits {
	my ($io, $what) = @_;
	$io->put(Linnet::Http::request('GET', "/v1/durable-streams/$what",
	    { Authorization => "Bearer $ann_token" }));
	return;
}

subtest 'live' => sub {
	my $id = makes();
	for my $host (@hosts) {
		my $io = Linnet::Http->new($host->where);
		my $offset = rest('GET', "/$id")->{json}{offset};
		my $began = time;
		waits($io, "$id/read?offset=$offset&live=true&timeoutMs=20000");
		puts($id, 'now');
		my $r = $io->answer('GET');
		is($r->{json}{chunks}[0]{text}, 'now', 'what comes is told, '
		    . 'on any host');
		cmp_ok(time - $began, '<', 10, 'at once');
		is($r->{json}{nextOffset}, $offset + 1, 'once');
	}
	my $began = time;
	my $r = rest('GET', "/$id/read?offset=2&live=true&timeoutMs=2500");
	is(texts($r), '', 'nothing came');
	cmp_ok(time - $began, '>=', 2.5, 'it waited');
	cmp_ok(time - $began, '<', 8, 'not for ever');
	my $io = Linnet::Http->new($hosts[1]->where);
	waits($io, "$id/read?offset=2&live=true&timeoutMs=60000");
	rest('POST', "/$id/close", {});
	is($io->answer('GET')->{json}{status}, 'closed', 'nor when it ends');
	is(rest('GET', "/$id/read?offset=2&live=true")->{json}{status},
	    'closed', 'or has');
};

subtest 'tail' => sub {
	my $id = makes();
	puts($id, 'a', "b\nc");
	my $io = Linnet::Http->new($hosts[1]->where);
	waits($io, "$id/tail?offset=0");
	my $sees = sub {
		my ($re) = @_;
		wait_until { $io->{in} =~ $re } 10;
		return $io->{in};
	};
	like($sees->(qr/"b\\nc"/), qr{^HTTP/1\.1 200.*text/event-stream}s,
	    'a stream of events');
	like($io->{in}, qr/event: ready\nid: 0\ndata: \{"durableStreamId":"$id","offset":0\}\n\n/,
	    'that begins');
	like($io->{in}, qr/event: chunks\nid: 2\ndata: \{"durableStreamId":"$id","offset":2,"items":\[\{"offset":1,"text":"a"/,
	    'with what is there');
	puts($id, 'live');
	like($sees->(qr/"live"/), qr/event: chunks\nid: 3\n/, 'then what comes');
	rest('POST', "/$id/close", {});
	like($sees->(qr/event: eof/), qr/event: eof\nid: 3\n/, 'until it is over');
	my $r = rest('GET', "/$id/tail?offset=2");
	like($r->{body}, qr/"live".*event: eof/s, 'from a place on');
	unlike($r->{body}, qr/"a"/, 'not before');
	$io = Linnet::Http->new($b->where);
	$r = $io->exchange('GET', "/v1/durable-streams/$id/tail", {
	    Authorization => "Bearer $ann_token", 'Last-Event-ID' => 3 });
	unlike($r->{body}, qr/event: chunks/, 'behind the last event');
	fails(rest('GET', "/$id/tail", undef, token => $bob_token), 404,
	    'nobody else');
	fails(rest('GET', "/$id/tail?offset=x"), 400, 'a place is a number');
	fails(rest('GET', '/' . 'x' x 32 . '/tail'), 400, 'an id is one');
	fails($b->http('GET', "/v1/durable-streams/$id/tail"), 401, 'by a token');
	# Who goes in the middle leaves nothing behind.
	my $open = makes();
	for (1 .. 20) {
		my $gone = Linnet::Http->new($b->where);
		waits($gone, "$open/tail");
		wait_until { $gone->{in} =~ /event: ready/ } 10;
		$gone->drop;
	}
	puts($open, 'x');
	is(rest('GET', "/$open")->{json}{offset}, 1, 'and others are served');
};

subtest 'for a channel' => sub {
	my $c = asks($ann, 'create_channel', name => 'room')->{channelId};
	asks($bob, 'follow_channel', channel => 'room');
	my $id = makes(targetStreamId => $c, targetStreamType => 'channel');
	my $e = $bob->wait_for('channel_event');
	is($e->{event}, 'durable_stream.created', 'its members are told')
	    or diag explain $e;
	puts($id, 'Hello, ', 'wor', 'ld');
	is(texts(rest('GET', "/$id/read", undef, token => $bob_token)),
	    'Hello,  wor ld', 'and see it');
	fails(rest('POST', "/$id/chunks", { chunks => [{ text => 'x' }] },
	    token => $bob_token), 403, 'it is written by its member');
	fails(rest('POST', "/$id/commit", {}, token => $bob_token), 403,
	    'and committed');
	my $r = rest('POST', "/$id/commit", {});
	is($r->{status}, 200, 'by it') or diag $r->{body};
	is_deeply([@{ $r->{json} }{qw(status streamSeq chunkCount byteCount)}],
	    ['committed', 1, 3, 12], 'as one message');
	my $m = $bob->wait_for('channel_message');
	is($m->{messageId}, $r->{json}{committedMessageId}, 'which is told');
	is($m->{parts}[0]{payload}{text}, 'Hello, world', 'whole');
	my $again = rest('POST', "/$id/commit", {});
	is($again->{json}{committedMessageId}, $m->{messageId}, 'once');
	is(asks($ann, 'read_channel', channel => 'room')->{lastSeq}, 1,
	    'and no other');
	fails(rest('POST', "/$id/chunks", { chunks => [{ text => 'x' }] }), 400,
	    'nothing more');
	# The message was stored, and its note was lost.
	$pg->psql("update durable set state = 1, post_id = null, "
	    . "post_seq = null where id = '$id'");
	is(rest('POST', "/$id/commit", {})->{json}{committedMessageId},
	    $m->{messageId}, 'whatever dies between');
	my $empty = makes(targetStreamId => $c);
	fails(rest('POST', "/$empty/commit", {}), 400, 'nothing is no message');
};

subtest 'private' => sub {
	my $c = asks($ann, 'create_channel', name => 'vault',
	    private => Cpanel::JSON::XS::true)->{channelId};
	fails(rest('POST', '', { targetStreamId => $c }, token => $bob_token),
	    404, 'a channel that is not there');
	my $id = makes(targetStreamId => $c);
	puts($id, 'secret');
	fails(rest('GET', "/$id/read", undef, token => $bob_token), 404,
	    'what is for it is not there either');
	asks($ann, 'add_channel_member', channel => $c, member =>
	    $seed->{peerB}{memberId});
	is(texts(rest('GET', "/$id/read", undef, token => $bob_token)),
	    'secret', 'but for members');
};

subtest 'checkpoints' => sub {
	my $id = makes();
	puts($id, 1 .. 5);
	is(rest('POST', "/$id/checkpoints", { consumer => 'ui', offset => 3 })
	    ->{json}{offset}, 3, 'set');
	is(rest('POST', "/$id/checkpoints", { consumer => 'log', offset => 5 })
	    ->{status}, 200, 'and another');
	fails(rest('POST', "/$id/checkpoints", { consumer => 'ui',
	    offset => 6 }), 400, 'not ahead');
	is_deeply([map { "$_->{consumer} $_->{offset}" }
	    @{ rest('GET', "/$id/checkpoints")->{json}{checkpoints} }],
	    ['log 5', 'ui 3'], 'are kept');
	rest('POST', "/$id/checkpoints", { consumer => 'ui', offset => 1 });
	is_deeply([map { "$_->{consumer} $_->{offset}" } @{ rest('GET',
	    "/$id/checkpoints?consumer=ui")->{json}{checkpoints} }], ['ui 1'],
	    'may go back');
};

subtest 'time' => sub {
	my $id = makes(ttlSeconds => 1);
	puts($id, 'x');
	wait_until { rest('GET', "/$id")->{status} == 404 } 10;
	is(rest('GET', "/$id")->{status}, 404, 'it goes');
	my $far = makes(ttlSeconds => 3_000_000_000);
	my $at = rest('GET', "/$far")->{json}{expiresAt};
	my ($y) = $at =~ /^(\d+)/;
	cmp_ok($y, '<', 1901 + (localtime)[5] + 1, 'not later than durable.max_ttl');
};

subtest 'kill' => sub {
	my $id = makes();
	puts($id, 'before');
	$b->kill9('all');
	$b->allow_log(qr/./);
	$b->start;
	is(texts(rest('GET', "/$id/read")), 'before', 'what was said stays');
};

is($_->stop, 0, 'stops') for @hosts;
my $off = Linnet->broker(workers => 1, options => ['durable.enabled no']);
my $s = $off->seed;
is(asks($off->peer($s->{peerA}), 'create_durable_stream')->{code},
    'unknown_message_type', 'turned off');
done_testing;
