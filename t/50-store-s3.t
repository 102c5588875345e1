#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# The files process with an S3 server that others wrote: in one request and in
# parts, with a wrong key, and with a server that goes away.  It comes from
# npm, once; without it this is skipped, unless nothing may be.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use HTTP::Tiny;
use Test::More;
use Linnet qw(wait_until);
use Linnet::Filer;
use Linnet::S3;

my $n = 0;
sub id { return sprintf '0190a5d3%024x', ++$n * 0x1234567 }
my $mesh = 'mesh-' . '11' x 16;
my $MiB = 1 << 20;

my $s3 = Linnet::S3->new('one');
my $spool = Linnet::scratch();

sub open_to_all {
	my ($path) = @_;
	chmod 0644, $path or die $!;
	return $path;
}

# Uploads of parts that are not complete.  The server writes a part that it was
# late with also where its upload is no more.
sub uploads {
	return scalar @{ [glob
	    "$s3->{base}/objects/*/._S3rver_uploads/*/key"] };
}

sub filer {
	my ($key, @more) = @_;
	my $f = Linnet::Filer->new(options => ['files.store s3',
	    "files.dir $spool", "files.s3_key_file $key",
	    "files.s3_endpoint http://127.0.0.1:$s3->{port}",
	    'files.idle_time 3s', @more]);
	$f->start;
	return $f;
}

my $f = filer($s3->key, 'files.s3_bucket one');

# bytes, and as many promised
for (['empty', 0, 0], ['small', 100, 100], ['of an unknown length', 70000, '-'],
    ['of one part', 16 * $MiB, 16 * $MiB],
    ['of two parts', 16 * $MiB + 1, 16 * $MiB + 1],
    ['of many', 50 * $MiB, 50 * $MiB],
    ['of many and an unknown length', 50 * $MiB, '-'],
    ['of whole parts and an unknown length', 32 * $MiB, '-']) {
	my ($name, $size, $length) = @$_;
	subtest "a file $name" => sub {
		my $a = id();
		my ($sha) = $f->do("put $a $size $length") =~
		    /^put 0 $size (\w+)$/;
		ok($sha, 'put') or return;
		is_deeply([$s3->objects], ["one/$mesh/shared/$a"],
		    'where it is');
		is($f->do("get $a 0 -"), "get 0 $size $size $sha same", 'get');
		is($f->do('list'), "list 0 1 $size whole", 'list');
		is($f->do("del $a"), 'del 0', 'delete');
		is_deeply([$s3->objects], [], 'nothing is left');
	};
}

subtest 'a part of a file' => sub {
	my $a = id();
	like($f->do("put $a 300000 300000"), qr/^put 0 /, 'put');
	for (['0 1' => 1], ['299999 1' => 1], ['299999 9' => 1],
	    ['70000 -' => 230000], ['70000 100000' => 100000],
	    ['300000 -' => 0], ['0 0' => 0], ['300000 0' => 0]) {
		like($f->do("get $a $_->[0]"),
		    qr/^get 0 300000 $_->[1] \w+ same$/, "get $_->[0]");
	}
	like($f->do("get $a 300001 -"), qr/^get 34 /, 'behind its end: ERANGE');
	like($f->do('get ' . id() . ' 0 -'), qr/^get 2 /, 'none: ENOENT');
	is($f->do("del $_"), 'del 0', 'delete') for $a, $a;
};

subtest 'a link' => sub {
	my $a = id();
	like($f->do("put $a 300000 300000"), qr/^put 0 /, 'put');
	my ($url) = $f->do("link $a 60") =~ m{^link 0 (http://\S+)$};
	my $http = HTTP::Tiny->new(proxy => undef, http_proxy => undef);
	my $r = $http->get($url);
	is("$r->{status} " . length $r->{content}, '200 300000',
	    'gets it without a key');
	is($http->get($url =~ s/Expires=60/Expires=600/r)->{status}, 403,
	    'and not when it was changed');
	is($http->get($url =~ s/$a/id()/er)->{status}, 403, 'nor another one');
	is($f->do("link $a $_"), 'link 22 ', "no link for $_ s: EINVAL")
	    for 0, 604801;
	is($f->do("del $a"), 'del 0', 'delete');
};

subtest 'what was not finished' => sub {
	my $a = id();
	for ([0, 1], [1, 0], [500000, 600000], [700000, 600000], [40 * $MiB, 48 * $MiB],
	    [50 * $MiB, 48 * $MiB]) {
		like($f->do("put $a @$_"), qr/^put 90 0 /, "put @$_");
	}
	is($f->do("cut $a $_"), 'cut', "gone after $_")
	    for 500000, 40 * $MiB;
	# Not before the last one is given up.
	ok((wait_until {
		$f->do("hold $a 500000");
		$f->do('end') =~ /^put 0 500000 /
	} 10), 'a slow one');
	is_deeply([$s3->objects], ["one/$mesh/shared/$a"],
	    'only that is there');
	ok((wait_until { uploads() == 0 } 10), 'and no part of another')
	    or diag `find $s3->{base}/objects/one/._S3rver_uploads -ls; find $spool -type f`, $f->log;
	is($f->do("del $a"), 'del 0', 'delete');
};

subtest 'memory' => sub {
	my ($a, $size) = (id(), 200 * $MiB);
	my $before = $f->memory('VmRSS');
	for my $length ($size, '-') {
		my ($sha) = $f->do("put $a $size $length") =~
		    /^put 0 $size (\w+)$/;
		ok($sha, "up ($length)");
		is($f->do("get $a 0 -"), "get 0 $size $size $sha same", 'down');
	}
	my $grown = $f->memory('VmHWM') - $before;
	cmp_ok($grown, '<', 32 * 1024, "$grown kB of growth");
	is($f->do("del $a"), 'del 0', 'delete');
	is(join(' ', glob "$spool/tmp/*"), '', 'nothing waits on the disk');
};

subtest 'the server goes away' => sub {
	my ($a, $b) = (id(), id());
	like($f->do("put $b 300000 -"), qr/^put 0 /, 'one before');
	$f->do("hold $a " . 20 * $MiB);
	$s3->kill9;
	like($f->do('end'), qr/^put (?:5|110) 0 /, 'put: EIO or ETIMEDOUT');
	like($f->do("get $b 0 -"), qr/^get 5 0 0 /, 'get');
	like($f->do("put $b 10 10"), qr/^put 5 0 /, 'put');
	is($f->do("del $b"), 'del 5', 'delete');
	is($f->do('list'), 'list 0 0 0 broken', 'list');
	$s3->start;
	like($f->do("get $b 0 -"), qr/^get 0 300000 300000 \w+ same$/,
	    'it is back: get');
	like($f->do("put $a 300000 300000"), qr/^put 0 300000 /, 'put');
	is($f->do("del $_"), 'del 0', 'delete') for $a, $b;
	is_deeply([$s3->objects], [], 'nothing is left');
	like($f->log, qr/warn: S3: PUT of one\/\S+: \S+/, 'the log says why');
};

subtest 'killed in the middle' => sub {
	my $a = id();
	$f->do("hold $a " . 40 * $MiB);
	kill 'KILL', $f->{pid};
	like($f->do('end'), qr/^put -1 /, 'the answer does not come');
	is($f->do('stop'), 'stop 9', 'it was killed');
	is_deeply([$s3->objects], [], 'nothing is to be seen');
	# One is left since the server went away.
	is(uploads(), 2, 'but parts are there');
	like(join(' ', glob "$spool/tmp/*"), qr{/note\.\w+$}, 'and a note');
	$f->start;
	ok((wait_until { uploads() == 0 && !glob "$spool/tmp/*" } 10),
	    'the next one aborts the upload');
	like($f->do("put $a 100 100"), qr/^put 0 100 /, 'the next one works');
	is($f->do("del $a"), 'del 0', 'delete');
};
is($f->stop, 'stop 0', 'it ends in order');
unlike($f->log, qr/Sanitizer|fatal|secret/, 'the log');

subtest 'a wrong key' => sub {
	for (['linnet-key', 'wrong'], ['nobody', 'linnet/secret+key']) {
		my $w = filer($s3->key(@$_), 'files.s3_bucket one');
		like($w->do('put ' . id() . ' 100 100'), qr/^put 13 0 /,
		    "@$_: put: EACCES");
		like($w->do('put ' . id() . " $_ -"), qr/^put 13 0 /, "put $_")
		    for 100, 20 * $MiB;
		like($w->do('get ' . id() . ' 0 -'), qr/^get 13 /, 'get');
		is($w->do('list'), 'list 0 0 0 broken', 'list');
		like($w->log, qr/403 (?:SignatureDoesNotMatch|InvalidAccessKeyId)/,
		    'the log says so');
		is($w->stop, 'stop 0', 'it ends in order');
	}
	is_deeply([$s3->objects], [], 'nothing was stored');
};

subtest 'a bucket that is not there' => sub {
	my $w = filer($s3->key, 'files.s3_bucket two');
	like($w->do('put ' . id() . " $_ -"), qr/^put 2 0 /, "put $_: ENOENT")
	    for 100, 20 * $MiB;
	is($w->do('list'), 'list 0 0 0 broken', 'list');
	like($w->log, qr/S3: $_ of two\/\S*: 404 NoSuchBucket/,
	    "the log says so of $_") for qw(PUT POST GET);
	is($w->stop, 'stop 0', 'it ends in order');
};

subtest 'a key file that is none' => sub {
	my @bad = (['/nonexistent/key', qr/No such file/],
		[$s3->key('one', ''), qr/does not have two words/],
		[$s3->key('one', 'two three'), qr/does not have two words/],
		[open_to_all($s3->key), qr/everybody can use it/],
		['/etc', qr/it is no file/]);
	for (@bad) {
		my $w = eval { filer($_->[0]) };
		ok(!$w, 'it does not start');
		like($@, $_->[1], 'and says why');
		unlike($@, qr/three/, 'and no secret');
	}
};

subtest 'a bucket for each mesh' => sub {
	my ($a, $b) = (id(), id());
	my $w = filer($s3->key);
	like($w->do("put $a 100 100"), qr/^put 0 100 /, 'it is made');
	like($w->do("put $b 200 -"), qr/^put 0 200 /, 'and used');
	is_deeply([$s3->objects], [map { "$mesh/shared/$_" } $a, $b],
	    'where they are');
	is($w->do('list'), 'list 0 2 300 whole', 'list');
	like($w->do("get $b 0 -"), qr/^get 0 200 200 \w+ same$/, 'get');
	is($w->do("del $_"), 'del 0', 'delete') for $a, $b;
	is($w->stop, 'stop 0', 'it ends in order');
};

done_testing;
