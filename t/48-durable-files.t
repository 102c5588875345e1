#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Durable streams whose chunks are in the store of files: the same to who reads
# them, one object for each append, and nothing left of what is over or was cut
# short.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA 'sha256_hex';
use Encode ();
use POSIX ();
use Test::More;
use Linnet qw(wait_until slurp);
use Linnet::Guard ();

my $mount = '/v1/durable-streams-storage';
my $json = Cpanel::JSON::XS->new->utf8;
my @options = ('rate.requests 0', 'limit.durable_bytes 4m', 'limit.head_time 1s',
    'limit.keep_time 1s', 'files.idle_time 500ms');
my $b = Linnet->broker(workers => 2, options => \@options);
my $seed = $b->seed;
my ($ann, $bob) = map { $b->peer($_) } @{$seed}{qw(peerA peerB)};
my ($ann_token, $bob_token) = map { $_->request({ type => 'create_token' })
    ->{token} } $ann, $bob;

sub rest {
	my ($method, $path, $body, %o) = @_;
	return ($o{host} // $b)->http($method, ($o{mount} // $mount) . $path,
	    { Authorization => 'Bearer ' . ($o{token} // $ann_token) },
	    defined $body ? $json->encode($body) : undef);
}
sub fails {
	my ($r, $status, $what) = @_;
	is($r->{status}, $status, $what) or diag $r->{body};
	like($r->{json}{error} // '', qr/\w/, 'says so');
	return;
}
sub makes {
	my ($body, %o) = @_;
	return rest('POST', '', $body // {}, %o)->{json}{durableStreamId};
}
sub chunks { return { chunks => [map { { text => "$_" } } @_] } }
sub puts {
	my ($id, @texts) = @_;
	return rest('POST', "/$id/chunks", chunks(@texts));
}
sub texts { return join ' ', map { $_->{text} } @{ $_[0]{json}{chunks} } }

# All of it, page after page.
sub all {
	my ($id, $limit, %o) = @_;
	my ($at, @found, $r) = (0);
	do {
		$r = rest('GET', "/$id/read?offset=$at&limit=$limit", undef, %o);
		return [$r->{status}] if $r->{status} != 200;
		push @found, [map { $_->{text} } @{ $r->{json}{chunks} }];
		$at = $r->{json}{nextOffset};
	} until $r->{json}{upToDate} || !@{ $found[-1] };
	return \@found;
}
# The objects in the directory of a broker, and the file of one.
sub objects {
	my ($broker) = @_;
	my @found = sort map { m{/([0-9a-f]{32})$} ? $1 : () }
	    glob $broker->dir . '/files/*/*/*';
	return @found;
}
sub object {
	my ($id) = @_;
	return (glob $b->dir . "/files/*/*/$id")[0];
}
sub sql { return $b->psql(@_) }

# Its time is over long before the end of this test.
my $short = rest('POST', '', { ttlSeconds => 1 }, token => $bob_token)->{json}
    {durableStreamId};
rest('POST', "/$short/chunks", chunks('x'), token => $bob_token);

subtest 'one' => sub {
	my $r = rest('POST', '', { contentType => 'text/markdown', metadata =>
	    { run => 7 } });
	is($r->{status}, 200, 'is made') or diag $r->{body};
	my $id = $r->{json}{durableStreamId};
	is_deeply([@{ $r->{json} }{qw(status chunkCount)}], ['open', 0],
	    'empty');
	$r = puts($id, 'a', 'bé', 'c');
	is_deeply([@{ $r->{json} }{qw(durableStreamId appended offset
	    byteCount)}], [$id, 3, 3, 5], 'chunks');
	is(puts($id, 'd')->{json}{offset}, 4, 'and more');
	is(sql("select count(*) from durable_object where durable_id = '$id'"),
	    2, 'an object for each append');
	is(slurp(object(sql("select put_id from durable_chunk
	    where durable_id = '$id' and n = 1") =~ s/-//gr)),
	    Encode::encode_utf8('abéc'), 'has its chunks');
	is(sql("select count(*) from durable_chunk where durable_id = '$id'
	    and text is null and octet_length(sha256) = 32"), 4,
	    'the rows have no text');
	$r = rest('GET', "/$id/read");
	is(texts($r), 'a bé c d', 'are read');
	is_deeply([@{ $r->{json} }{qw(fromOffset nextOffset status)}],
	    [0, 4, 'open'], 'all');
	like($r->{json}{chunks}[0]{createdAt}, qr/^\d{4}-/, 'with their time');
	$r = rest('GET', "/$id/read?offset=1&limit=1");
	is(texts($r), 'bé', 'a part of an object');
	ok(!$r->{json}{upToDate}, 'and more behind it');
	is(texts(rest('GET', "/$id/read?offset=2&limit=2")), 'c d',
	    'parts of two');
	is(texts(rest('GET', "/$id/read?offset=4")), '', 'nothing behind');
	for ("/$id", "/$id/head") {
		my $h = rest('GET', $_)->{json};
		is_deeply([@$h{qw(storage chunkCount byteCount contentType
		    status closedAt)}], ['files', 4, 6, 'text/markdown',
		    'open', undef], $_);
		is_deeply($h->{metadata}, { run => 7 }, 'with its metadata');
	}
	$r = rest('POST', "/$id/close", { reason => 'done' });
	is_deeply([@{ $r->{json} }{qw(status chunkCount)}], ['closed', 4],
	    'closed');
	fails(puts($id, 'x'), 400, 'takes no more');
	is(sql("select count(*) from durable_object where durable_id = '$id'"),
	    2, 'of which nothing is stored');
	my @of = split /\n/, sql("select replace(id::text, '-', '')
	    from durable_object where durable_id = '$id'");
	is(scalar(grep { object($_) } @of), 2, 'but these');
	is(rest('DELETE', "/$id")->{status}, 200, 'deleted');
	fails(rest('GET', "/$id/read"), 404, 'gone');
	ok((wait_until { !grep { object($_) } @of } 20),
	    'and so are its objects');
	ok((wait_until { sql('select count(*) from file_gone') == 0 } 10),
	    'with no trace');
};

subtest 'its own mount' => sub {
	my %id = (files => makes(), rows => makes({}, mount =>
	    '/v1/durable-streams'));
	my %at = (files => $mount, rows => '/v1/durable-streams');
	is(rest('POST', "/$id{$_}/chunks", chunks('x'), mount => $at{$_})
	    ->{status}, 200, $_) for sort keys %at;
	for my $kind (sort keys %at) {
		my ($other) = grep { $_ ne $kind } keys %at;
		my $id = $id{$kind};
		for (['GET', "/$id"], ['GET', "/$id/head"],
		    ['GET', "/$id/read"], ['GET', "/$id/tail"],
		    ['POST', "/$id/chunks", chunks('x')],
		    ['POST', "/$id/close", {}], ['POST', "/$id/commit", {}],
		    ['DELETE', "/$id"], ['GET', "/$id/checkpoints"],
		    ['POST', "/$id/checkpoints", { consumer => 'x',
			offset => 0 }]) {
			fails(rest(@$_[0, 1, 2], mount => $at{$other}), 404,
			    "$kind: $_->[0] $_->[1] at the other");
		}
		is_deeply([map { $_->{durableStreamId} } @{ rest('GET', '',
		    undef, mount => $at{$kind})->{json}{durableStreams} }],
		    [$id], "$kind: listed at its own");
		is(rest('GET', "/$id", undef, mount => $at{$kind})->{json}
		    {storage}, $kind, 'says what it is');
	}
	my $l = $ann->request({ type => 'list_durable_streams' });
	is(scalar @{ $l->{durableStreams} }, 2, 'the mesh protocol has both');
	my $mine = $ann->request({ type => 'create_durable_stream',
	    storage => 'files' })->{durableStreamId};
	is($ann->request({ type => 'append_durable_chunks', durableStreamId =>
	    $mine, %{ chunks('p', 'q') } })->{appended}, 2, 'makes both');
	is(texts({ json => $ann->request({ type => 'read_durable_stream',
	    durableStreamId => $mine }) }), 'p q', 'and reads both');
	is(texts(rest('GET', "/$mine/read")), 'p q', 'it is one thing');
	rest('DELETE', "/$_") for $mine, $id{files};
};

subtest 'bad' => sub {
	my $id = makes();
	for ({}, { chunks => [] }, { chunks => [{ text => 1 }] },
	    { chunks => [{ text => '' }] }, { chunks => 'x' }) {
		fails(rest('POST', "/$id/chunks", $_), 400, $json->encode($_));
	}
	fails(puts('f' x 32, 'x'), 404, 'no such one');
	fails(puts('x', 'x'), 404, 'no id');
	fails(rest('POST', "/$id/chunks", chunks('x'), token => $bob_token),
	    404, "another's");
	my $big = 'y' x (1 << 19);
	puts($id, $big) for 1 .. 7;
	is(puts($id, substr $big, 1)->{status}, 200, 'what fits');
	fails(puts($id, 'zz'), 413, 'not more');
	is(puts($id, 'z')->{json}{byteCount}, 1 << 22, 'to the last byte');
	is(sql('select count(*) from durable_object where sha256 is null'), 0,
	    'what was refused leaves nothing');
	my $pages = all($id, 2000);
	cmp_ok(scalar @$pages, '>=', 4, 'a page ends before it is too large');
	is(sha256_hex(join '', map { @$_ } @$pages), sha256_hex(
	    'y' x ((1 << 22) - 1) . 'z'), 'none lacks a byte');
	rest('DELETE', "/$id");
};

subtest 'many objects' => sub {
	my $id = makes();
	my $n = 450;
	my @p = map { $b->peer($seed->{peerA}, name => "w$_") } 1 .. 3;
	for my $i (1 .. $n / 3) {
		$_->post(type => 'append_durable_chunks', durableStreamId =>
		    $id, %{ chunks('p', "q\n") }) for @p;
	}
	for my $p (@p) {
		$p->wait_for('durable_chunks_appended', 60) for 1 .. $n / 3;
	}
	$_->close for @p;
	my $pages = all($id, 2000);
	is(join('', map { @$_ } @$pages), "pq\n" x $n,
	    'each whole, in one order');
	cmp_ok(scalar @$pages, '>', 2, 'in pages');
	is(sql("select count(*) from durable_object where durable_id = '$id'
	    and sha256 is not null"), $n, 'one object each');
	rest('DELETE', "/$id");
};

subtest 'live' => sub {
	my $id = makes();
	my $io = Linnet::Http->new($b->where);
	my $asks = sub {
		$io->put(Linnet::Http::request('GET', "$mount/$id/$_[0]",
		    { Authorization => "Bearer $ann_token" }));
	};
	$asks->('read?live=true&timeoutMs=20000');
	puts($id, 'now');
	is(texts($io->answer('GET')), 'now', 'what comes is told');
	$io = Linnet::Http->new($b->where);
	$asks->('tail?offset=0');
	wait_until { $io->{in} =~ /"now"/ } 10;
	like($io->{in}, qr/event: ready\nid: 0\n.*event: chunks\nid: 1\n/s,
	    'a tail has what is there');
	puts($id, 'a', 'b');
	wait_until { $io->{in} =~ /"b"/ } 10;
	like($io->{in}, qr/event: chunks\nid: 3\n.*"text":"a".*"text":"b"/,
	    'and what comes');
	rest('POST', "/$id/close", {});
	wait_until { $io->{in} =~ /event: eof/ } 10;
	like($io->{in}, qr/event: eof\nid: 3\n/, 'until it is over');
	rest('DELETE', "/$id");
};

subtest 'commit' => sub {
	my $c = $ann->request({ type => 'create_channel', name => 'room' })
	    ->{channelId};
	my $id = makes({ targetStreamId => $c, targetStreamType => 'channel' });
	puts($id, "Grüß\n", '"Gott"');
	puts($id, ', ', 'Welt');
	is(texts(rest('GET', "/$id/read?offset=3", undef, token => $bob_token)),
	    'Welt', 'who sees the channel reads it');
	fails(rest('POST', "/$id/chunks", chunks('x'), token => $bob_token),
	    403, 'and does not write it');
	fails(rest('POST', "/$id/commit", {}, token => $bob_token), 403,
	    'nor commits it');
	my $r = rest('POST', "/$id/commit", {});
	is_deeply([@{ $r->{json} }{qw(status streamSeq chunkCount byteCount)}],
	    ['committed', 1, 4, 19], 'as one message') or diag $r->{body};
	my $m = $bob->request({ type => 'read_channel', channel => 'room' })
	    ->{messages}[0];
	is($m->{parts}[0]{payload}{text}, "Grüß\n\"Gott\", Welt", 'whole');
	my $again = rest('POST', "/$id/commit", {})->{json};
	is($again->{committedMessageId}, $m->{messageId}, 'once');
	# The message was stored, and its note was lost.
	sql("update durable set state = 1, post_id = null, post_seq = null
	    where id = '$id'");
	is(rest('POST', "/$id/commit", {})->{json}{committedMessageId},
	    $m->{messageId}, 'whatever dies between');
	like(sql("select client_id from post where id = '$m->{messageId}'"),
	    qr/^dss-commit-$id-/, 'under a key of its own');
	fails(rest('POST', '/' . makes({ targetStreamId => $c }) . '/commit',
	    {}), 400, 'nothing is no message');
	rest('DELETE', "/$id");
	is($bob->request({ type => 'read_channel', channel => 'room' })
	    ->{messages}[0]{messageId}, $m->{messageId}, 'which stays');

	my $vault = $ann->request({ type => 'create_channel', name => 'vault',
	    private => Cpanel::JSON::XS::true })->{channelId};
	fails(rest('POST', '', { targetStreamId => $vault }, token =>
	    $bob_token), 404, 'a channel that is not there');
	my $secret = makes({ targetStreamId => $vault });
	puts($secret, 'x');
	fails(rest('GET', "/$secret/$_", undef, token => $bob_token), 404,
	    "nor what is for it: $_") for qw(head read tail);
};

subtest 'damage' => sub {
	my $id = makes();
	puts($id, $_) for qw(one two three);
	my @of = map { sql("select replace(put_id::text, '-', '')
	    from durable_chunk where durable_id = '$id' and n = $_") } 1 .. 3;
	my $path = object($of[1]);
	chmod 0600, $path;
	open my $fh, '>', $path or die $!;
	print $fh 'twp';
	close $fh;
	is(texts(rest('GET', "/$id/read")), 'one', 'what is before it is read');
	fails(rest('GET', "/$id/read?offset=1"), 500, 'it is not');
	like($b->log, qr/lost or damaged $of[1]/, 'the log says which');
	unlink $path;
	fails(rest('GET', "/$id/read?offset=1"), 500, 'nor what is lost');
	is(texts(rest('GET', "/$id/read?offset=2")), 'three', 'others are');
	$b->allow_log(qr/lost or damaged/);
	rest('DELETE', "/$id");
};

subtest 'room' => sub {
	my $id = makes();
	puts($id, 'x' x 1000);
	ok(settled(), 'nothing else is left');
	my $used = sql("select (select coalesce(sum(size), 0) from
	    durable_object) + (select coalesce(sum(size), 0) from file)");
	sql("update mesh set max_storage = $used + 100");
	$b->restart;
	($ann, $bob) = map { $b->peer($_) } @{$seed}{qw(peerA peerB)};
	my $r = puts($id, 'x' x 101);
	fails($r, 429, 'bytes count as those of files');
	like($r->{json}{type}, qr/:quota$/, 'as one') or diag $r->{body};
	is(puts($id, 'x' x 100)->{status}, 200, 'what fits');
	# A worker that counted before may let in an eighth of what was left.
	ok((wait_until { puts(makes({}), 'x' x 13)->{status} == 429 } 10),
	    'in all of them');
	my $rows = makes({}, mount => '/v1/durable-streams');
	is(rest('POST', "/$rows/chunks", chunks('x' x 500), mount =>
	    '/v1/durable-streams')->{status}, 200, 'rows need none of it');
	sql('update mesh set max_storage = null');
	$b->restart;
	rest('DELETE', "/$id");
};

sub settled {
	# What was cut short is given up after a time.
	sql("update durable_object set created_at = now() - interval '1 h'
	    where sha256 is null");
	return wait_until {
		my @rows = split /\n/, sql("select replace(id::text, '-', '')
		    from durable_object where sha256 is not null");
		sql('select (select count(*) from file_gone) + (select count(*)
		    from durable_object where sha256 is null)') == 0
		    && join(' ', objects($b)) eq join ' ', sort @rows
	} 30;
}

subtest 'nothing is left' => sub {
	ok(settled(), 'an object for each row, and a row for each object')
	    or diag sql('select * from durable_object');
	is(sql('select count(*) from file_gone'), 0, 'and nothing to do');
};

# Writers that note what was answered, while something dies.
sub writes {
	my ($what, $kill) = @_;
	my $id = makes();
	my @kids;
	for my $who (1 .. 3) {
		pipe my $r, my $w or die $!;
		my $pid = fork // die $!;
		if ($pid == 0) {
			close $r;
			$w->autoflush(1);
			for my $i (1 .. 4000) {
				my $a = eval { puts($id, "$who:$i;",
				    'x' x 2000) };
				print $w "$i\n"
				    if ($a->{status} // 0) == 200;
			}
			POSIX::_exit(0);
		}
		push @kids, [$pid, $r, $who];
	}
	wait_until { rest('GET', "/$id")->{json}{chunkCount} > 20 } 20;
	for (1 .. 3) {
		my ($before) = sql("select chunks from durable
		    where id = '$id'");
		$kill->();
		wait_until { (eval { sql("select chunks from durable
		    where id = '$id'") } // 0) > $before + 20 } 30;
	}
	kill 'KILL', map { $_->[0] } @kids;
	my %told;
	for (@kids) {
		my ($pid, $r, $who) = @$_;
		$told{"$who:$_"} = 1 for map { chomp; $_ } readline $r;
		waitpid $pid, 0;
	}
	cmp_ok(scalar keys %told, '>', 20, "$what: writers wrote");
	# What was on its way may still be stored.
	my (@have, $count);
	wait_until {
		@have = map { ref ? @$_ : () } @{ all($id, 100) };
		$count = sql("select chunks from durable where id = '$id'");
		@have == $count
	} 20;
	is(scalar(@have), $count, 'every chunk has its bytes');
	my %have;
	$have{$_}++ for map { /^(\d+:\d+);$/ ? $1 : () } @have;
	is(join(' ', grep { !$have{$_} } sort keys %told), '',
	    'and what was acknowledged is there');
	is(scalar(grep { $_ > 1 } values %have), 0, 'once');
	ok(settled(), 'nothing else is stored')
	    or diag sql('select * from durable_object where sha256 is null');
	rest('DELETE', "/$id");
	return;
}

subtest 'killed' => sub {
	$b->allow_log(qr/./);
	writes('the files process', sub { kill 'KILL', $b->pids('files') });
	writes('a worker', sub { kill 'KILL', ($b->pids('worker'))[0] });
	writes('all of it', sub { $b->kill9('all'); $b->start });
};

subtest 'time' => sub {
	fails(rest('GET', "/$short", undef, token => $bob_token), 404, 'it goes');
	ok((wait_until { sql("select count(*) from durable_object
	    where durable_id = '$short'") == 0 } 90), 'with its rows');
	ok(settled(), 'and its objects');
};

subtest 'the storage is away' => sub {
	my $id = makes();
	puts($id, 'x');
	my ($pid) = $b->pids('files');
	kill 'STOP', $pid;
	fails(puts($id, 'y'), 503, 'nothing is taken');
	fails(rest('GET', "/$id/read"), 503, 'nor read');
	is(rest('GET', "/$id")->{json}{chunkCount}, 1, 'what it has is known');
	my $rows = makes({}, mount => '/v1/durable-streams');
	is(rest('POST', "/$rows/chunks", chunks('x'), mount =>
	    '/v1/durable-streams')->{status}, 200, 'rows go on');
	kill 'CONT', $pid;
	ok((wait_until { puts($id, 'z')->{status} == 200 } 10), 'it is back');
	is(texts(rest('GET', "/$id/read")), 'x z', 'as before');
	ok(settled(), 'without a rest');
};

SKIP: {
	my $node = "$Linnet::Guard::builddir/s3/node_modules";
	skip "an S3 server in $node is not here", 1
	    if !-d $node && !$ENV{LINNET_NOSKIP};
	require Linnet::S3;
	subtest 'in S3' => sub {
		my $s3 = Linnet::S3->new('one');
		my $c = Linnet->broker(workers => 1, options => [@options,
		    'files.store s3', 'files.s3_bucket one', 'files.s3_key_file '
		    . $s3->key, "files.s3_endpoint http://127.0.0.1:$s3->{port}"]);
		my $p = $c->peer($c->seed->{peerA});
		my %o = (host => $c, token =>
		    $p->request({ type => 'create_token' })->{token});
		my $id = makes({}, %o);
		for (['a', 'b'], ['c'], ['d' x 100_000, 'e']) {
			is(rest('POST', "/$id/chunks", chunks(@$_), %o)
			    ->{status}, 200, 'stored');
		}
		is(scalar(@{ [$s3->objects] }), 3, 'as objects');
		is(texts(rest('GET', "/$id/read", undef, %o)),
		    'a b c ' . 'd' x 100_000 . ' e', 'and read');
		is(texts(rest('GET', "/$id/read?offset=1&limit=2", undef, %o)),
		    'b c', 'or a part');
		is(texts(rest('GET', "/$id/read?offset=4", undef, %o)), 'e',
		    'or its end');
		$c->allow_log(qr/./);
		$s3->kill9;
		fails(rest('POST', "/$id/chunks", chunks('x'), %o), 503,
		    'a service that is away');
		fails(rest('GET', "/$id/read", undef, %o), 503,
		    'both ways');
		$s3->start;
		ok((wait_until { rest('POST', "/$id/chunks", chunks('x'), %o)
		    ->{status} == 200 } 20), 'is back');
		is(rest('DELETE', "/$id", undef, %o)->{status}, 200, 'deleted');
		ok((wait_until { !@{ [$s3->objects] } } 30), 'everywhere');
		is($c->stop, 0, 'the end');
	};
}
is($b->stop, 0, 'the end');
done_testing;
