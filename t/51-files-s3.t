#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Files in S3 as members see them: up, down and gone, downloads that go around
# the daemon, damage that is repaired; and services that answer slowly, wrongly
# or not at all, while the rest of the daemon goes on.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA 'sha256_hex';
use File::Basename 'dirname';
use File::Path 'make_path';
use IO::Socket::IP;
use Linnet qw(wait_until scratch slurp);
use Linnet::Cli qw(said);
use Linnet::Http;
use Linnet::Proc ();
use Linnet::S3;
use POSIX ();
use Test::More;

my $MiB = 1 << 20;
my $s3 = Linnet::S3->new('one');
my $where = "http://127.0.0.1:$s3->{port}";
my @options = ('rate.requests 0', 'files.store s3', 'files.s3_bucket one',
    'files.s3_key_file ' . $s3->key);
my $b = Linnet->broker(workers => 1, options => [@options,
    "files.s3_endpoint $where"]);
my $s = $b->seed;
my $alice = $b->peer($s->{peerA}, name => 'alice');

sub ask {
	my ($p, $type, %o) = @_;
	return $p->request({ type => $type, %o });
}

sub share {
	my ($broker, $p, $bytes, %o) = @_;
	my $r = ask($p, 'share_file', name => 'f', size => length $bytes, %o);
	return ($r->{fileId}, $broker->http('PUT', $r->{url}, {}, $bytes));
}

sub metric {
	my ($broker, $name) = @_;
	my ($n) = $broker->http('GET', '/metrics')->{body}
	    =~ /^\Q$name\E (\d+)$/m;
	return $n // -1;
}

# Where the server keeps an object, without what it adds to the name.
sub object {
	my ($mesh, $file) = @_;
	return "$s3->{base}/objects/one/mesh-$mesh/shared/$file";
}

subtest 'up, down and gone' => sub {
	for my $size (0, 5, 17 * $MiB) {
		my $bytes = 'x' x $size;
		my ($file, $put) = share($b, $alice, $bytes);
		is($put->{status}, 201, "$size bytes go up");
		is_deeply([$s3->objects],
		    ["one/mesh-$s->{meshId}/shared/$file"], 'where they are');
		my $url = ask($alice, 'get_file', fileId => $file)->{url};
		my $r = $b->http('GET', $url);
		ok($r->{status} == 200 && $r->{body} eq $bytes, 'and down');
		is($b->http('GET', $url, { Range => 'bytes=3-4' })->{body},
		    $size ? 'xx' : '', 'or a part of them');
		ask($alice, 'delete_file', fileId => $file);
		ok((wait_until { !@{ [$s3->objects] } } 15), 'and are gone');
	}
	my $r = ask($alice, 'share_file', name => 'f', size => 3,
	    sha256 => sha256_hex('abc'));
	is($b->http('PUT', $r->{url}, {}, 'abd')->{status}, 400,
	    'other bytes than were announced are refused');
	is(ask($alice, 'get_file', fileId => $r->{fileId})->{code},
	    'not_found', 'and are nowhere');
	ok((wait_until { $b->http('PUT', $r->{url}, {}, 'abc')->{status}
	    == 201 } 10), 'the right ones are taken');
	is($b->http('GET', ask($alice, 'get_file', fileId => $r->{fileId})
	    ->{url})->{body}, 'abc', 'as they are');
	ask($alice, 'delete_file', fileId => $r->{fileId});
	ok((wait_until { !@{ [$s3->objects] } } 15), 'and go');
};

subtest 'damage' => sub {
	my %file = map { $_ => (share($b, $alice, "bytes of $_"))[0] }
	    1 .. 6;
	my ($lost, $sound) = @file{1, 2};
	unlink glob object($s->{meshId}, $lost) . '*' or die 'no object';
	# Bytes without a row, older than any upload: of this mesh, of another.
	my $like = object($s->{meshId}, $sound);
	my %orphan = (mine => object($s->{meshId}, 'e' x 32),
	    other => object('f' x 32, 'e' x 32));
	for my $to (values %orphan) {
		make_path(dirname($to));
		for my $path (glob "$like*") {
			my $copy = $to . substr $path, length $like;
			system('cp', $path, $copy) == 0 or die 'cp';
			utime 0, time - 3 * 86400, $copy or die $!;
		}
	}
	# And two that are too new to be judged, in both directions.
	my $young = object($s->{meshId}, 'd' x 32);
	system('cp', $_, $young . substr $_, length $like) for glob "$like*";
	unlink glob object($s->{meshId}, $file{6}) . '*';
	$b->psql("update file set changed_at = now() - interval '1 h'
	    where id <> '$file{6}'");
	$b->restart;
	ok((wait_until { metric($b, 'linnet_file_repairs_total{what="row"}')
	    == 1 } 30), 'a row without bytes is found');
	is($b->psql("select count(*) from file where id = '$lost'"), 0,
	    'and deleted');
	ok((wait_until { !glob "$orphan{mine}*" } 20),
	    'bytes without a row are deleted');
	is(metric($b, 'linnet_file_repairs_total{what="bytes"}'), 1,
	    'which is counted');
	ok(scalar glob("$orphan{other}*"), 'of another database not');
	ok(scalar glob("$young*"), 'nor what came just now');
	is($b->psql('select count(*) from file where state = 2'), 5,
	    'nor any other row');
	like($b->log, qr/has lost the file $lost/, 'the log says which');
	$b->allow_log(qr/has lost the file/);
	unlink glob "$_*" for $orphan{other}, $young;

	# An empty bucket is no reason to forget everything.
	$b->psql("update file set changed_at = now() - interval '1 h'");
	for my $n (2 .. 5) {
		rename $_, "$_.away" for glob object($s->{meshId}, $file{$n})
		    . '*';
	}
	$b->restart;
	ok((wait_until { $b->log =~ /lacks 5 of 5 files/ } 30),
	    'where most is missing, it says so');
	is($b->psql('select count(*) from file where state = 2'), 5,
	    'and deletes nothing');
	for my $n (2 .. 5) {
		rename $_, s/\.away\z//r for glob object($s->{meshId},
		    $file{$n}) . '*.away';
	}
	$b->psql("delete from file where id = '$file{6}'");
	$alice = $b->peer($s->{peerA}, name => 'alice');
	is($b->http('GET', ask($alice, 'get_file', fileId => $sound)
	    ->{url})->{body}, 'bytes of 2', 'what is there is read');
};

subtest 'around the daemon' => sub {
	my $c = Linnet->broker(workers => 1, options => [@options,
	    "files.s3_endpoint $where", 'files.s3_redirect yes']);
	my $m = $c->seed;
	my $p = $c->peer($m->{peerA}, name => 'p');
	my $bytes = join '', map { chr(rand 256) } 1 .. 300_000;
	my $name = "sch\x{f6}n <1>.html";
	my ($file, $put) = share($c, $p, $bytes, name => $name,
	    mimeType => 'text/html');
	is($put->{status}, 201, 'up as ever');
	my $url = ask($p, 'get_file', fileId => $file)->{url};
	my $r = $c->http('GET', $url);
	is($r->{status}, 307, 'a download leads on');
	is($r->{headers}{'cache-control'}, 'no-store', 'this once');
	my ($there, $target) = $r->{headers}{location} =~ m{\A(http://[^/]+)(/.*)\z};
	is($there, $where, 'to the service');
	unlike($r->{headers}{location}, qr/linnet\/secret|secret%2F/,
	    'without the secret');
	my $io = Linnet::Http->new(host => '127.0.0.1', port => $s3->{port});
	$io->put(Linnet::Http::request('GET', $target,
	    { Host => "127.0.0.1:$s3->{port}" }));
	my $got = $io->answer('GET');
	is($got->{status}, 200, 'which serves it');
	ok($got->{body} eq $bytes, 'the same bytes');
	is($got->{headers}{'content-type'}, 'application/octet-stream',
	    'as nothing that runs');
	is($got->{headers}{'content-disposition'}, 'attachment; '
	    . 'filename="sch__n _1_.html"; filename*=UTF-8\'\''
	    . 'sch%C3%B6n%20%3C1%3E.html', 'and with its name');
	for my $n (1, 2) {
		my $bad = $n == 1 ? $target =~ s/html/exe/r
		    : $target =~ s/Expires=300/Expires=900/r;
		my $io = Linnet::Http->new(host => '127.0.0.1',
		    port => $s3->{port});
		$io->put(Linnet::Http::request('GET', $bad,
		    { Host => "127.0.0.1:$s3->{port}" }));
		is($io->answer('GET')->{status}, 403, 'no other link');
	}
	ok((wait_until { @{ ask($p, 'file_status', fileId => $file)
	    ->{accesses} } } 10), 'who has the link has read it');
	is($c->http('HEAD', $url)->{status}, 200, 'HEAD is answered here');
	is($c->http('GET', $url, { Range => 'bytes=300000-' })->{status}, 416,
	    'and what no range is');
	is($c->http('GET', $url =~ s/sig=./sig=x/r)->{status}, 403,
	    'and who may not');
	is(metric($c, 'linnet_file_bytes_total{direction="down"}'), 0,
	    'no byte came through the daemon');
	cmp_ok(metric($c, 'linnet_file_transfers_ended_total'
	    . '{result="redirected"}'), '>=', 1, 'as its metrics say');

	my $home = scratch();
	said('zoe', 'join', $m->{inviteLink}, '--name', 'zoe');
	said('zoe', 'file', 'get', $file, "$home/whole");
	is(sha256_hex(slurp("$home/whole")), sha256_hex($bytes),
	    'linnet file get follows');
	open my $part, '>:raw', "$home/.$file.part" or die $!;
	print $part substr $bytes, 0, 100_000;
	close $part or die $!;
	said('zoe', 'file', 'get', $file, "$home/rest");
	is(sha256_hex(slurp("$home/rest")), sha256_hex($bytes),
	    'and goes on where it was');
	is(metric($c, 'linnet_file_bytes_total{direction="down"}'), 0,
	    'around the daemon, too');
	is($c->stop, 0, 'the end');
};

# A service of our own that does what a file says; it ends with this process.
my $mode = scratch() . '/mode';
my %modes = (
	'500 to everything' => sub {
		my ($io, $head) = @_;
		body($io, $head);
		reply($io, 500, '<Error><Code>InternalError</Code></Error>');
	},
	'silence' => sub { sleep 60 },
	'no HTTP' => sub {
		my ($io) = @_;
		print $io "220 ready\r\n";
		$io->flush;
		POSIX::_exit(0);
	},
	'a body that ends too early' => after_put(sub {
		my ($io) = @_;
		print $io "HTTP/1.1 206 Partial\r\nContent-Length: 10\r\n"
		    . "Content-Range: bytes 0-9/10\r\n\r\nxxx";
		$io->flush;
		POSIX::_exit(0);
	}),
	'a length that is a lie' => after_put(sub {
		reply($_[0], 206, 'x' x 99, 'Content-Range: bytes 0-98/99');
	}),
	'another range' => after_put(sub {
		reply($_[0], 206, 'x' x 5, 'Content-Range: bytes 5-9/10');
	}),
	'no range' => after_put(sub { reply($_[0], 200, 'x' x 10) }),
	'nothing there' => after_put(sub {
		reply($_[0], 404, '<Error><Code>NoSuchKey</Code></Error>');
	}),
	'a reply without end' => after_put(sub {
		my ($io) = @_;
		print $io "HTTP/1.1 500 No\r\n\r\n";
		local $SIG{PIPE} = 'DEFAULT';
		print $io 'y' x 65536 while 1;
	}),
);

# PUT is fine, and whatever else comes is not.
sub after_put {
	my ($do) = @_;
	return sub {
		my ($io, $head) = @_;
		body($io, $head);
		return reply($io, 200, '', 'ETag: "x"') if $head =~ /^PUT/;
		return $do->($io);
	};
}

sub body {
	my ($io, $head) = @_;
	my ($left) = $head =~ /^Content-Length: (\d+)/mi;
	print $io "HTTP/1.1 100 Continue\r\n\r\n" if $head =~ /^Expect:/mi;
	$io->flush;
	while ($left) {
		my $got = sysread $io, my $piece, $left > 65536 ? 65536 : $left;
		last if !$got;
		$left -= $got;
	}
	return;
}

sub reply {
	my ($io, $status, $body, @headers) = @_;
	print $io join "\r\n", "HTTP/1.1 $status Word", @headers,
	    'Content-Length: ' . length $body, '', $body;
	$io->flush;
	return;
}

sub serve {
	my ($io) = @_;
	while (1) {
		my $head = '';
		while ($head !~ /\r\n\r\n/) {
			sysread $io, $head, 1, length $head or POSIX::_exit(0);
		}
		$modes{ slurp($mode) }->($io, $head);
	}
}

sub service {
	my $listen = IO::Socket::IP->new(LocalHost => '127.0.0.1', Listen => 64,
	    LocalPort => 0) or die $@;
	my $pid = fork // die $!;
	return ($pid, $listen->sockport) if $pid;
	setpgrp;
	$SIG{CHLD} = 'IGNORE';
	while (1) {
		my $io = $listen->accept or next;
		serve($io) if !fork;
	}
}

sub set_mode {
	open my $fh, '>', $mode or die $!;
	print $fh $_[0];
	close $fh or die $!;
	return;
}

subtest 'bad services' => sub {
	set_mode('500 to everything');
	my ($pid, $port) = service();
	my $c = Linnet->broker(workers => 1, options => [@options,
	    "files.s3_endpoint http://127.0.0.1:$port",
	    'files.idle_time 1s']);
	my $m = $c->seed;
	my $p = $c->peer($m->{peerA}, name => 'p');
	for (['500 to everything', 503, 503], ['silence', 503, 503],
	    ['no HTTP', 503, 503], ['a body that ends too early', 201, 'short'],
	    ['a length that is a lie', 201, 500],
	    ['another range', 201, 503], ['no range', 201, 503],
	    ['a reply without end', 201, 503],
	    ['nothing there', 201, 404]) {
		bad_service($c, $p, @$_);
	}
	my $r = ask($p, 'list_files')->{files}[0];
	$c->http('GET', ask($p, 'get_file', fileId => $r->{id})->{url})
	    for 1 .. 100;
	my ($files) = $c->pids('files');
	# What is kept has three for each of sixteen, at most.
	cmp_ok(Linnet::S3::sockets($files), '<', 60, 'no descriptor is left');
	is(metric($c, "linnet_file_transfers{direction=\"$_\"}"), 0,
	    "nor a transfer $_") for qw(up down);
	$c->allow_log(qr/./);
	is($c->stop, 0, 'the end');
	kill 'TERM', -$pid;
	waitpid $pid, 0;
};

sub bad_service {
	my ($c, $p, $what, $up, $down) = @_;
	set_mode($what);
	my $r = ask($p, 'share_file', name => 'f', size => 10);
	my $id = $r->{fileId};
	my $io = $c->tcp;
	$io->put(Linnet::Http::request('PUT', $r->{url}, {}, 'x' x 10));
	is($c->http('GET', '/livez', {}, undef, 2)->{status}, 200,
	    "$what: others are served meanwhile");
	my $put = $io->answer('PUT', 30);
	is($put->{status}, $up, "$what: up: $up") or diag explain $put;
	if ($up != 201) {
		like($put->{json}{message}, qr/again\b.*\.\z/,
		    'with what to do');
		ok((wait_until { $c->psql("select state from file
		    where id = '$id'") eq '0' } 10), 'it may be tried again');
		$c->psql("update file set state = 2, sha256 = '\\x"
		    . '0' x 64 . "' where id = '$id'");
	}
	$io = $c->tcp;
	$io->put(Linnet::Http::request('GET',
	    ask($p, 'get_file', fileId => $id)->{url}));
	my $get = $io->answer('GET', 30);
	if ($down eq 'short') {
		ok($io->wait_eof(10) && (!$get || length $get->{body} < 10),
		    "$what: down: it ends before its length");
		return;
	}
	is($get->{status}, $down, "$what: down: $down") or diag explain $get;
	like($get->{json}{message}, qr/\.\z/, 'and a sentence');
	return;
}

# Whoever stops the files process stops no worker, and nobody waits for ever.
subtest 'a files process that hangs' => sub {
	my $c = Linnet->broker(workers => 1, options => ['rate.requests 0',
	    'files.idle_time 500ms']);
	my $m = $c->seed;
	my $p = $c->peer($m->{peerA}, name => 'p');
	my ($file) = share($c, $p, 'hello');
	my ($pid) = $c->pids('files');
	my $get = ask($p, 'get_file', fileId => $file)->{url};
	my $put = ask($p, 'share_file', name => 'f', size => $MiB);
	kill 'STOP', $pid;
	my @io = map { $c->tcp } 1, 2;
	$io[0]->put(Linnet::Http::request('GET', $get));
	$io[1]->put(Linnet::Http::request('PUT', $put->{url}, {}, 'x' x $MiB));
	is(ask($p, 'list_files')->{type}, 'file_list', 'others go on');
	is($io[0]->answer('GET', 10)->{status}, 503, 'a download is told so');
	is($io[1]->answer('PUT', 10)->{status}, 503, 'and an upload');
	kill 'CONT', $pid;
	ok((wait_until { $c->http('PUT', $put->{url}, {}, 'x' x $MiB)
	    ->{status} == 201 } 10), 'then it goes on');
	is($c->http('GET', ask($p, 'get_file', fileId => $file)->{url})
	    ->{body}, 'hello', 'both ways');
	$c->allow_log(qr/silent for too long/);
	is($c->stop, 0, 'the end');
};

is($b->stop, 0, 'the end');
done_testing;
