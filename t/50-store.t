#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# The files process with a directory: what is stored is whole, what was not
# finished leaves nothing, and a gigabyte needs no memory.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Find;
use Test::More;
use Linnet;
use Linnet::Filer;
use Linnet::Guard 'need';

my $n = 0;
sub id { return sprintf '0190a5d2%024x', ++$n * 0x1234567 }
my $mesh = '11' x 16;

# Every file below a directory, without what is before it.
sub names {
	my ($dir) = @_;
	my @found;
	find(sub { push @found, $File::Find::name =~ s{^\Q$dir\E/}{}r if -f },
	    $dir);
	return join ' ', sort @found;
}

my $dir = Linnet::scratch();
my $f = Linnet::Filer->new(options => ["files.dir $dir",
    'files.transfers 4', 'files.idle_time 2s']);
my $pid = $f->start;

subtest 'objects' => sub {
	my ($a, $b) = (id(), id());
	like($f->do("put $a 1000000 1000000"), qr/^put 0 1000000 [0-9a-f]{64}$/,
	    'put');
	is(names($dir), "$mesh/" . substr($a, -2) . "/$a", 'where it is');
	my ($sha) = $f->do("put $b 1000000 -") =~ /(\w+)$/;
	is($f->do("get $b 0 -"), "get 0 1000000 1000000 $sha same", 'get');
	like($f->do("get $b 999000 -"), qr/^get 0 1000000 1000 \w+ same$/,
	    'from an offset');
	like($f->do("get $b 70001 131072"),
	    qr/^get 0 1000000 131072 \w+ same$/, 'a part');
	like($f->do("get $b 1000000 -"), qr/^get 0 1000000 0 /, 'the end');
	like($f->do("get $b 1000001 -"), qr/^get 34 0 0 /, 'behind it: ERANGE');
	like($f->do('get ' . id() . ' 0 -'), qr/^get 2 0 0 /, 'none: ENOENT');
	is($f->do('list'), 'list 0 2 2000000 whole', 'list');
	is($f->do("del $_"), 'del 0', 'delete') for $a, $b, $b;
	is(names($dir), '', 'nothing is left');
	like($f->do('put ' . id() . ' 0 0'), qr/^put 0 0 e3b0c44298fc1c14/,
	    'an empty one');
	$f->do("del " . sprintf '0190a5d2%024x', $n * 0x1234567);
};

subtest 'what was not finished' => sub {
	my $a = id();
	like($f->do("put $a 500000 600000"), qr/^put 90 0 /, 'too few bytes');
	like($f->do("put $a 700000 600000"), qr/^put 90 0 /, 'too many');
	is($f->do("cut $a 500000"), 'cut', 'gone without an end');
	wait_until { names($dir) eq '' } 10, 'nothing left';
	is(names($dir), '', 'nothing is left of any');
	like($f->do("get $a 0 -"), qr/^get 2 /, 'or to be had');
	$f->do("hold $a 500000");
	wait_until { names($dir) =~ m{^tmp/} } 10, 'bytes on the disk';
	like(names($dir), qr{^tmp/$a\.\w+$}, 'what waits is in tmp');
	wait_until { names($dir) eq '' } 10, 'its end';
	is(names($dir), '', 'silence ends it (files.idle_time)');
	like($f->do('end'), qr/^put 110 /, 'and says so: ETIMEDOUT');
	$f->do("hold $a 500000");
	like($f->do("put $a 10 10"), qr/^put 16 0 /,
	    'one file is put once at a time: EBUSY');
	like($f->do('end'), qr/^put 0 500000 /, 'the first is kept');
	is($f->do("del $a"), 'del 0', 'delete');
};

subtest 'slow readers' => sub {
	my @a = map { id() } 1 .. 5;
	$f->do("put $_ 3000000 -") for @a;
	is($f->do("stall $_"), 'stall 0', 'one reads nothing') for @a[0 .. 3];
	like($f->do("get $a[4] 0 -"), qr/^get 0 3000000 3000000 \w+ same$/,
	    'another gets its turn when they are given up');
	is($f->do("del $_"), 'del 0', 'delete') for @a[1 .. 4];

	my $p = Linnet::Filer->new(options => ["files.dir $dir",
	    'files.transfers 1', 'files.idle_time 1h'], wait => 30);
	$p->start;
	is($p->do("stall $a[0]"), 'stall 0', 'patience without end');
	is($p->do('list'), 'list 0 1 3000000 whole', 'a list does not wait');
	is($p->do("del $a[0]"), 'del 0', 'nor a deletion');
	is($p->stop, 'stop 0', 'nor the end');
	is(names($dir), '', 'nothing is left');
};

subtest 'orders that are none' => sub {
	is($f->do("order 0 1"), 'order 22', 'of another version: EINVAL');
	is($f->do("order 1 $_"), 'order 22', "for $_: EINVAL")
	    for 0, 6, 4294967295;
	is($f->do('link ' . id() . ' 60'), 'link 95 ', 'a link: ENOTSUP');
	is($f->do('list'), 'list 0 0 0 whole', 'it goes on');
};

subtest 'killed in the middle' => sub {
	my ($a, $b) = (id(), id());
	like($f->do("put $b 3000000 -"), qr/^put 0 /, 'one before');
	$f->do("hold $a 3000000");
	kill 'KILL', $f->{pid};
	like($f->do('end'), qr/^put -1 /, 'the answer does not come');
	like($f->do('stop'), qr/^stop 9$/, 'it was killed');
	like(names($dir), qr{tmp/$a\.}, 'its bytes are left');
	$f->start;
	wait_until { names($dir) !~ /tmp/ } 10, 'the sweep';
	is(names($dir), "$mesh/" . substr($b, -2) . "/$b",
	    'the next one removes them, and nothing else');
	is($f->do('list'), 'list 0 1 3000000 whole', 'list');
	is($f->do("del $b"), 'del 0', 'delete');
};

subtest 'a gigabyte' => sub {
	my ($a, $size) = (id(), 1 << 30);
	my $before = $f->memory('VmRSS');
	my ($sha) = $f->do("put $a $size -") =~ /^put 0 $size (\w+)$/;
	ok($sha, 'up');
	is($f->do("get $a 0 -"), "get 0 $size $size $sha same", 'and down');
	my $grown = $f->memory('VmHWM') - $before;
	cmp_ok($grown, '<', 32 * 1024, "with $grown kB of growth");
	is($f->do("del $a"), 'del 0', 'delete');
};

subtest 'the sandbox' => sub {
	my $status = Linnet::slurp("/proc/$f->{pid}/status");
	plan skip_all => 'built with sanitizers'
	    if Linnet::slurp("$Linnet::Guard::builddir/Makefile") =~
	    /^HARDEN_CFLAGS = .*sanitize/m;
	like($status, qr/^Seccomp:\s+2$/m, 'a filter');
	like($status, qr/^CapEff:\s+0+$/m, 'no capabilities');
	cmp_ok($f->memory('Threads'), '==', 7, 'loop, transfers and chores');
	SKIP: {
		skip 'the root is changed by root only', 1 if $> != 0;
		is(readlink "/proc/$f->{pid}/root", $dir, 'its root');
	}
};
is($f->stop, 'stop 0', 'it ends in order');
unlike($f->log, qr/Sanitizer|fatal/, 'the log');

# A disk that is full, and one that is read-only: in a namespace of mounts.
subtest 'disks' => sub {
	my ($full, $ro, $a) = (Linnet::scratch(), Linnet::scratch(), id());
	my @unshare = ('unshare', $> == 0 ? '-m' : '-rm', 'sh', '-ec');
	if (system(@unshare, "mount -t tmpfs none $full >/dev/null 2>&1")) {
		plan skip_all => 'no namespaces' if !$ENV{LINNET_NOSKIP};
	}
	my $d = Linnet::Filer->new(options => ["files.dir $full"],
	    before => [@unshare,
	    "mount -t tmpfs -o size=8m none $full; exec \"\$@\"", '-']);
	$d->start;
	like($d->do("put $a 20000000 -"), qr/^put 28 0 /, 'full: ENOSPC');
	like($d->do("put $a 20000000 20000000"), qr/^put 28 0 /, 'again');
	like($d->do("put $a 7000000 -"), qr/^put 0 7000000 /,
	    'nothing was left of it: another one has room');
	is($d->stop, 'stop 0', 'it ends in order');

	$d = Linnet::Filer->new(options => ["files.dir $ro"]);
	$d->start;
	like($d->do("put $a 7000 -"), qr/^put 0 7000 /, 'while it can');
	$d->stop;
	$d = Linnet::Filer->new(options => ["files.dir $ro"], before => [
	    @unshare, "mount --bind $ro $ro; mount -o remount,bind,ro $ro; "
	    . 'exec "$@"', '-']);
	$d->start;
	like($d->do("get $a 0 -"), qr/^get 0 7000 7000 \w+ same$/,
	    'read-only: get');
	like($d->do('put ' . id() . ' 7000 -'), qr/^put 30 0 /, 'put: EROFS');
	is($d->do("del $a"), 'del 30', 'delete: EROFS');
	is($d->stop, 'stop 0', 'it ends in order');
};

done_testing;
