#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# The bytes of files over HTTP: streams in both directions, ranges, links and
# tokens, bad input, connections and processes that break, on plain connections
# and with TLS; and memory that does not grow.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Digest::SHA 'sha256_hex';
use Encode 'encode_utf8';
use File::Find ();
use File::Path ();
use Linnet qw(wait_until scratch slurp);
use Linnet::Http;
use Linnet::Tls;
use Test::More;

my $dir = scratch();
my $ca = Linnet::Tls->new($dir);
my ($cert, $key) = $ca->issue('first', names => ['localhost']);
my $b = Linnet->broker(workers => 1, listen => ['127.0.0.1:0',
    'tls:127.0.0.1:0'], tls => [$ca->client('localhost')],
    options => ["tls.certificate $cert", "tls.key $key", 'rate.requests 0',
    'rate.refused_burst 1000000']);
my $s = $b->seed;
my $alice = $b->peer($s->{peerA}, name => 'alice');
my $bob = $b->peer($s->{peerB}, name => 'bob');
my $token = ask($alice, 'create_token')->{token};

sub ask {
	my ($p, $type, %o) = @_;
	return $p->request({ type => $type, %o });
}

sub link_for {
	my ($size, %o) = @_;
	my $r = ask($alice, 'share_file', name => 'f', size => $size, %o);
	return ($r->{url}, $r->{fileId});
}

sub url_of {
	my ($file) = @_;
	return ask($bob, 'get_file', fileId => $file)->{url};
}

sub uploaded {
	my ($bytes, %o) = @_;
	my ($url, $file) = link_for(length $bytes, %o);
	my $r = $b->http('PUT', $url, {}, $bytes);
	is($r->{status}, 201, 'uploaded') or diag $r->{body};
	return $file;
}

sub stored {
	my $n = 0;
	File::Find::find({ no_chdir => 1, wanted => sub { $n++ if -f } },
	    "$b->{dir}/files") if -d "$b->{dir}/files";
	return $n;
}

sub state_of {
	my ($file) = @_;
	return $b->psql("select state from file where id = '$file'");
}

# Sends bytes in pieces and reads the answer.
sub pour {
	my ($io, $method, $target, $headers, @pieces) = @_;
	$io->put(Linnet::Http::request($method, $target, $headers) . '');
	$io->put($_) for @pieces;
	return $io->answer($method);
}

sub chunks {
	return (map({ sprintf("%x\r\n", length $_) . "$_\r\n" } @_),
	    "0\r\n\r\n");
}

subtest 'links' => sub {
	my ($url, $file) = link_for(5);
	my $r = $b->http('GET', $url);
	is($r->{status}, 403, 'a link for an upload reads nothing');
	is($b->http('DELETE', $url)->{status}, 405, 'nor does it delete');
	for (['mesh', 'f' x 32], ['member', $s->{peerB}{memberId}],
	    ['until', 99999999999], ['sig', '0' x 64], ['sig', '0'],
	    ['mesh', '']) {
		my ($name, $value) = @$_;
		(my $bad = $url) =~ s/\b$name=[^&]*/$name=$value/;
		$r = $b->http('PUT', $bad, {}, 'hello');
		is($r->{status}, 403, "another $name");
		like($r->{json}{message}, qr/share_file/, 'says what to do');
	}
	(my $bad = $url) =~ s{/v1/files/[0-9a-f]+}{'/v1/files/' . 'f' x 32}e;
	is($b->http('PUT', $bad, {}, 'hello')->{status}, 403, 'another file');
	($bad = $url) =~ s/\?.*//;
	is($b->http('PUT', $bad, {}, 'hello')->{status}, 403, 'no signature');
	($bad = $url) =~ s{(/v1/files/[0-9a-f]+)/[^?]*}{$1/any%20name};
	is($b->http('PUT', $bad, {}, 'hello')->{status}, 201,
	    'the name in it is for people');
	$url = url_of($file);
	is($b->http('PUT', $url, {}, 'hello')->{status}, 403,
	    'a link for a download stores nothing');
	is($b->http('GET', $url)->{body}, 'hello', 'but reads');
	is($b->http('GET', $url)->{body}, 'hello', 'and again');
	is($b->http('GET', "/v1/files/$_")->{status}, $_ eq '' ? 404 : 401,
	    "/v1/files/$_") for '', 'x', 'f' x 31, 'f' x 33;
};

subtest 'ranges' => sub {
	my $bytes = join '', map { sprintf '%04d', $_ } 0 .. 24;
	my $sha = sha256_hex($bytes);
	my $file = uploaded($bytes, mimeType => 'text/plain');
	my $url = url_of($file);
	my $r = $b->http('HEAD', $url);
	is($r->{status}, 200, 'HEAD');
	is($r->{headers}{'content-length'}, 100, 'tells the length');
	is($r->{headers}{etag}, qq("$sha"), 'the digest');
	is($r->{headers}{'accept-ranges'}, 'bytes', 'and that there are ranges');
	is($r->{headers}{'content-type'}, 'text/plain', 'the type');
	is($r->{headers}{'x-content-type-options'}, 'nosniff', 'no guessing');
	like($r->{headers}{'content-security-policy'}, qr/sandbox/, 'no page');
	for (['bytes=0-9', 0, 10], ['bytes=90-', 90, 10], ['bytes=-5', 95, 5],
	    ['bytes=50-1000', 50, 50]) {
		my ($range, $from, $n) = @$_;
		$r = $b->http('GET', $url, { Range => $range });
		is($r->{status}, 206, $range);
		is($r->{body}, substr($bytes, $from, $n), 'those bytes');
		is($r->{headers}{'content-range'},
		    sprintf('bytes %d-%d/100', $from, $from + $n - 1), 'which');
	}
	$r = $b->http('GET', $url, { Range => 'bytes=100-' });
	is($r->{status}, 416, 'behind the end');
	is($r->{headers}{'content-range'}, 'bytes */100', 'says where that is');
	$r = $b->http('GET', $url, { Range => 'bytes=9-3' });
	is($r->{status}, 200, 'what is no range is ignored');
	$r = $b->http('GET', $url, { Range => 'bytes=50-',
	    'If-Range' => qq("$sha") });
	is($r->{status}, 206, 'If-Range fits');
	$r = $b->http('GET', $url, { Range => 'bytes=50-',
	    'If-Range' => '"x"' });
	is($r->{status}, 200, 'If-Range does not');
	$r = $b->http('GET', $url, { 'If-None-Match' => qq("$sha") });
	is($r->{status}, 304, 'If-None-Match');
	my $io = $b->tcp;
	for (1 .. 3) {
		is($io->exchange('GET', $url, { Range => "bytes=$_-$_" })
		    ->{body}, substr($bytes, $_, 1),
		    'one connection, many answers');
	}
	my $empty = uploaded('');
	is($b->http('GET', url_of($empty))->{headers}{'content-length'}, 0,
	    'an empty file');
};

subtest 'bodies' => sub {
	my $bytes = 'x' x 300_000;
	my ($url, $file) = link_for(length $bytes);
	my $io = $b->tcp;
	my $r = pour($io, 'PUT', $url, { 'Transfer-Encoding' => 'chunked' },
	    chunks(map { substr $bytes, $_ * 30_000, 30_000 } 0 .. 9));
	is($r->{status}, 201, 'chunks');
	is($r->{json}{sha256}, sha256_hex($bytes), 'all bytes');
	is($io->exchange('GET', '/livez')->{status}, 200,
	    'the connection stays');
	($url, $file) = link_for(10);
	$io = $b->tcp;
	$io->put(Linnet::Http::request('PUT', $url, { 'Content-Length' => 10,
	    Expect => '100-continue' }));
	is($io->answer('PUT')->{status}, 100, '100 Continue');
	$io->put('0123456789');
	is($io->answer('PUT')->{status}, 201, 'then 201');
	$io = $b->tcp;
	$io->put(Linnet::Http::request('PUT', $url, { 'Content-Length' => 10,
	    Expect => '100-continue' }));
	is($io->answer('PUT')->{status}, 409, 'a refusal comes before a body');
	($url, $file) = link_for(10);
	$r = $b->http('PUT', $url, {}, 'x' x 11);
	is($r->{status}, 413, 'more than was said');
	ok(wait_until { state_of($file) == 0 } 10, 'it may be tried again');
	$r = pour($b->tcp, 'PUT', $url, { 'Transfer-Encoding' => 'chunked' },
	    chunks('x' x 11));
	is($r->{status}, 413, 'more in chunks');
	$r = pour($b->tcp, 'PUT', $url, { 'Transfer-Encoding' => 'chunked' },
	    "5\r\nhello\r\nzz\r\n");
	is($r->{status}, 400, 'a malformed chunk');
	ok(wait_until { state_of($file) == 0 } 10, 'it may be tried again');
	my $have = stored();
	$io = $b->tcp;
	$io->put(Linnet::Http::request('PUT', $url,
	    { 'Content-Length' => 10 }) . '01234');
	wait_until { state_of($file) == 1 } 10;
	is($b->http('PUT', $url, {}, 'x' x 10)->{status}, 409,
	    'one at a time');
	$io->drop;
	ok(wait_until { state_of($file) == 0 } 10,
	    'a connection that breaks is no end of a file');
	ok(wait_until { stored() == $have } 10, 'and leaves nothing behind');
	$r = $b->http('PUT', $url, {}, 'abcdefghij');
	is($r->{status}, 201, 'the next one is taken');
	is($b->http('GET', url_of($file))->{body}, 'abcdefghij', 'as it is');
	($url, $file) = link_for(3, sha256 => sha256_hex('abc'));
	is($b->http('PUT', $url, {}, 'abd')->{status}, 400, 'other bytes');
	is($b->http('PUT', $url, {}, 'abc')->{status}, 201, 'the right ones');
};

subtest 'deleted while it comes' => sub {
	my ($url, $file) = link_for(10);
	my $have = stored();
	my $io = $b->tcp;
	$io->put(Linnet::Http::request('PUT', $url,
	    { 'Content-Length' => 10 }) . '01234');
	wait_until { state_of($file) == 1 } 10;
	ok(ask($alice, 'delete_file', fileId => $file)->{deleted}, 'deleted');
	ok(wait_until { state_of($file) eq '' } 10, 'its row is gone');
	$io->put('56789');
	my $r = $io->answer('PUT');
	is($r->{status}, 404, 'who brings the rest is told');
	like($r->{json}{message}, qr/deleted while/, 'why');
	ok(wait_until { stored() == $have } 10, 'and nothing is stored');
	($url, $file) = link_for(10);
	ok(ask($alice, 'delete_file', fileId => $file)->{deleted},
	    'one that never came can be given up');
	is($b->http('PUT', $url, {}, '0123456789')->{status}, 404,
	    'and does not come then');
};

subtest 'tokens' => sub {
	my $r = $b->http('POST', '/v1/files?name=a.txt', {}, 'hello');
	is($r->{status}, 401, 'no token');
	like($r->{headers}{'www-authenticate'}, qr/^Bearer/, 'what is missing');
	$r = $b->http('POST', '/v1/files?name=a.txt',
	    { Authorization => 'Bearer wat_x' }, 'hello');
	is($r->{status}, 401, 'no such token');
	my %auth = (Authorization => "Bearer $token");
	$r = $b->http('POST', '/v1/files', \%auth, 'hello');
	is($r->{status}, 400, 'no name');
	my $name = 'Übersicht 📎.txt';
	(my $escaped = encode_utf8($name)) =~ s/([^\w.])/sprintf '%%%02X', ord $1/ge;
	$r = $b->http('POST', "/v1/files?name=$escaped&tags=a,b",
	    { %auth, 'Content-Type' => 'text/plain' }, 'hello');
	is($r->{status}, 201, 'uploaded') or diag $r->{body};
	is($r->{json}{ok}, Cpanel::JSON::XS::true, 'ok');
	is($r->{json}{name}, $name, 'its name');
	my $l = ask($bob, 'list_files', tags => ['a', 'b'])->{files};
	is(@$l, 1, 'by its tags it is found');
	is($l->[0]{name}, $name, 'by its name');
	is($l->[0]{mimeType}, 'text/plain', 'with its type');
	my $get = $b->http('GET', url_of($r->{json}{fileId}));
	is($get->{body}, 'hello', 'and read');
	is($get->{headers}{'content-disposition'}, 'attachment; '
	    . 'filename="__bersicht ____.txt"; filename*=UTF-8\'\''
	    . '%C3%9Cbersicht%20%F0%9F%93%8E.txt', 'its name in a header')
	    or diag $get->{headers}{'content-disposition'};
	$r = $b->http('POST', '/upload', { %auth, 'X-File-Name' => 'old.txt',
	    'X-Tags' => '["c","d"]', 'X-Mesh-Id' => 'f' x 32,
	    'X-Member-Id' => $s->{peerB}{memberId} }, 'old');
	is($r->{status}, 201, '/upload');
	$l = ask($bob, 'list_files', query => 'old')->{files};
	is_deeply($l->[0]{tags}, ['c', 'd'], 'tags of a header');
	is($l->[0]{uploadedByKey}, $alice->member_key,
	    'the token says whose it is, no header');
	$r = pour($b->tcp, 'POST', '/v1/files?name=chunked', { %auth,
	    'Transfer-Encoding' => 'chunked' }, chunks('a' x 1000, 'b' x 10));
	is($r->{status}, 201, 'of unknown length');
	is($r->{json}{size}, 1010, 'which is known then');
	my $weak = ask($alice, 'create_token', scopes => ['files:read'])
	    ->{token};
	$r = $b->http('POST', '/v1/files?name=x',
	    { Authorization => "Bearer $weak" }, 'x');
	is($r->{status}, 403, 'a token that may not');
	is($b->http('PUT', '/v1/files')->{status}, 405, 'PUT /v1/files');
};

sub sanitized {
	return slurp("$Linnet::Guard::builddir/config.status")
	    =~ /-fsanitize/ || $ENV{LINNET_WRAP};
}

# The resident memory of all processes, in KiB.
sub memory {
	my %m;
	for my $pid ($b->pids) {
		my ($kib) = (slurp("/proc/$pid/status") // '')
		    =~ /^VmHWM:\s+(\d+)/m;
		$m{$pid} = $kib if $kib;
	}
	return \%m;
}

subtest 'large files' => sub {
	my $mib = $ENV{LINNET_FILE_MIB} // 48;
	my $piece = join '', map { chr(rand 256) } 1 .. 65536;
	for my $n (0, 1) {
		my $what = $n ? 'with TLS' : 'plain';
		my ($url, $file) = link_for($mib << 20);
		my $before = memory();
		my $sha = Digest::SHA->new(256);
		my $io = $b->tcp($n);
		$io->put(Linnet::Http::request('PUT', $url,
		    { 'Content-Length' => $mib << 20 }));
		for (1 .. $mib * 16) {
			$sha->add($piece);
			$io->put($piece);
			wait_until { length $io->{out} < 1 << 20 } 60;
		}
		my $r = $io->answer('PUT', 60);
		is($r->{status}, 201, "$what: up") or diag explain $r;
		my $want = $sha->hexdigest;
		is($r->{json}{sha256}, $want, "$what: the same bytes");
		$io = $b->tcp($n);
		$io->put(Linnet::Http::request('GET', url_of($file)));
		my ($got, $sum) = (0, Digest::SHA->new(256));
		wait_until { $io->{in} =~ s/\A.*?\r\n\r\n//s } 20;
		while ($got < $mib << 20) {
			wait_until { length $io->{in} } 20 or last;
			$got += length $io->{in};
			$sum->add($io->{in});
			$io->{in} = '';
		}
		is($sum->hexdigest, $want, "$what: down");
		my ($after, $most) = (memory(), 0);
		for (keys %$after) {
			my $grown = $after->{$_} - ($before->{$_} // 0);
			$most = $grown if defined $before->{$_}
			    && $grown > $most;
		}
		# A sanitizer keeps what is freed.
		ok($most < 32 * 1024 || sanitized(), "$what: no process has grown much: "
		    . "$most KiB");
	}
};

subtest 'a worker that dies' => sub {
	my ($url, $file) = link_for(1 << 20);
	my $have = stored();
	my $io = $b->tcp;
	$io->put(Linnet::Http::request('PUT', $url,
	    { 'Content-Length' => 1 << 20 }) . 'x' x 300_000);
	wait_until { state_of($file) == 1 && stored() > $have } 10;
	ok(stored() > $have, 'a part is stored');
	kill 'KILL', $b->pids('worker');
	ok($io->wait_eof(10), 'the connection breaks');
	ok(wait_until { stored() == $have } 20, 'what came is gone');
	ok(wait_until { state_of($file) == 0 } 20, 'it may be tried again');
	ok(wait_until {
		my $r = eval { $b->http('PUT', $url, {}, 'y' x (1 << 20)) };
		$r && $r->{status} == 201
	} 20, 'and is stored then');
	$alice = $b->peer($s->{peerA}, name => 'alice');
	$bob = $b->peer($s->{peerB}, name => 'bob');
};

subtest 'a storage that dies' => sub {
	my ($url, $file) = link_for(1 << 20);
	my $io = $b->tcp;
	$io->put(Linnet::Http::request('PUT', $url,
	    { 'Content-Length' => 1 << 20 }) . 'x' x 1000);
	wait_until { state_of($file) == 1 } 10;
	my ($pid) = $b->pids('files');
	kill 'KILL', $pid;
	my $r = $io->answer('PUT');
	is($r->{status}, 503, 'an upload is told so');
	ok(wait_until { state_of($file) == 0 } 10, 'it may be tried again');
	ok(wait_until {
		my ($other) = $b->pids('files');
		defined $other && $other != $pid
	} 20, 'it is started again');
	ok(wait_until {
		$b->http('PUT', $url, {}, 'y' x (1 << 20))->{status} == 201
	} 20, 'and works');
};

# A stored file without a row, older than any upload takes.
sub orphan {
	my ($mesh) = @_;
	my $id = sprintf '%032x', 1 + rand(1 << 30);
	my $dir = "$b->{dir}/files/$mesh/" . substr $id, -2;
	my ($like) = glob "$b->{dir}/files/$s->{meshId}/*";
	my $old = time - 3 * 86400;
	File::Path::make_path($dir);
	open my $fh, '>', "$dir/$id" or die "$dir/$id: $!";
	print $fh 'lost';
	close $fh;
	my ($uid, $gid) = (stat $like)[4, 5];
	chown $uid, $gid, "$b->{dir}/files/$mesh", $dir, "$dir/$id";
	utime $old, $old, "$dir/$id" or die "$dir/$id: $!";
	return "$dir/$id";
}

subtest 'what nobody knows of' => sub {
	my ($mine, $other) = (orphan($s->{meshId}), orphan('f' x 32));
	$b->restart;
	ok(wait_until { !-e $mine } 20, 'of a mesh that is here it is deleted');
	ok(-e $other, 'of one that is not it stays');
	unlink $other;
	$alice = $b->peer($s->{peerA}, name => 'alice');
	$bob = $b->peer($s->{peerB}, name => 'bob');
};

subtest 'the end of a mesh' => sub {
	my $m = $b->seed;
	my $p = $b->peer($m->{peerA}, name => 'p');
	my $have = stored();
	my $r = ask($p, 'share_file', name => 'f', size => 1);
	is($b->http('PUT', $r->{url}, {}, 'x')->{status}, 201, 'a file');
	is(stored(), $have + 1, 'is stored');
	$b->psql("delete from mesh where id = '$m->{meshId}'");
	ok(wait_until { stored() == $have } 20, 'and goes with its mesh');
};

subtest 'all that dies' => sub {
	my ($url, $file) = link_for(1 << 20);
	my $have = stored();
	my $gone = uploaded('deleted');
	my $io = $b->tcp;
	$io->put(Linnet::Http::request('PUT', $url,
	    { 'Content-Length' => 1 << 20 }) . 'x' x 300_000);
	wait_until { state_of($file) == 1 } 10;
	ask($alice, 'delete_file', fileId => $gone);
	$b->kill9('all');
	$b->start;
	ok(wait_until { state_of($file) == 0 } 20,
	    'an upload may be tried again');
	ok(wait_until { $b->psql("select count(*) from file
	    where id = '$gone'") == 0 } 20, 'what was deleted goes');
	ok(wait_until { stored() == $have } 20, 'nothing is left behind')
	    or diag stored() . " instead of $have";
	is($b->http('PUT', $url, {}, 'z' x (1 << 20))->{status}, 201,
	    'the link is still good');
};

is($b->stop, 0, 'the end');
done_testing;
