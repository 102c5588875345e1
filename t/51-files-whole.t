#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# A gigabyte through all of it: client, worker, files process, storage, and
# back; for a directory, and for S3.  No process grows by 32 MiB, what was cut
# goes on where it was, and whatever is killed in the middle leaves nothing
# behind.  LINNET_SLOW=1 takes a whole gigabyte to S3, too.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use File::Find ();
use Linnet qw(wait_until scratch slurp);
use Linnet::Cli qw(linnet said);
use Linnet::Proc ();
use Linnet::S3;
use Test::More;
use Time::HiRes 'time';

my $MiB = 1 << 20;
my $dir = scratch();
my $sanitized = slurp("$Linnet::Guard::builddir/Makefile")
    =~ /^HARDEN_CFLAGS = .*sanitize/m || $ENV{LINNET_WRAP};

# A file of so many bytes that cannot be foretold.
sub fill {
	my ($path, $mib) = @_;
	system("head -c ${mib}M /dev/zero | openssl enc -aes-128-ctr -nosalt"
	    . " -K " . '0' x 32 . " -iv " . '0' x 32 . " >$path") == 0
	    or die "openssl: $?";
	return $path;
}

# KiB that are this process's own, and changed.
sub dirty {
	my ($pid) = @_;
	my $text = eval { slurp("/proc/$pid/smaps_rollup") } // '';
	return $text =~ /^Private_Dirty:\s+(\d+)/m ? $1 : undef;
}

# Runs linnet to its end, or until a condition; what each process has grown.
sub watched {
	my ($b, $who, $until, @args) = @_;
	my %first = map { $_ => dirty($_) } $b->pids;
	my %most = %first;
	my ($pid) = Linnet::Cli::go_on($who, @args);
	my ($began, $ended) = (time);
	while (!$ended) {
		for ($pid, keys %first) {
			my $kib = dirty($_) // next;
			$first{$_} //= $kib;
			$most{$_} = $kib if $kib > ($most{$_} // 0);
		}
		if ($until && $until->()) {
			kill 'KILL', $pid;
			$until = undef;
		}
		wait_until { $ended = waitpid($pid, 1) == $pid } 0.05;
	}
	my $status = $?;
	my ($grown, $name) = (0, '');
	for (grep { defined $most{$_} && defined $first{$_} } keys %most) {
		my $g = $most{$_} - $first{$_};
		($grown, $name) = ($g, $_ == $pid ? 'linnet' : $_)
		    if $g > $grown;
	}
	return ($status, $grown, time - $began, $name);
}

sub small {
	my ($grown, $took, $who, $what) = @_;
	ok($grown < 32 * 1024 || $sanitized,
	    sprintf '%s: %d KiB of growth, %.1f s', $what, $grown, $took)
	    or diag "of $who";
	return;
}

sub metric {
	my ($b, $name) = @_;
	my ($n) = $b->http('GET', '/metrics')->{body} =~ /^\Q$name\E (\d+)$/m;
	return $n;
}

sub through {
	my ($who, $mib, @options) = @_;
	my $b = Linnet->broker(workers => 1, options => ['rate.requests 0',
	    'limit.file_bytes 2g', 'files.idle_time 5s', @options]);
	my $seed = $b->seed;
	said($who, 'join', $seed->{inviteLink}, '--name', $who);
	my $size = $mib * $MiB;
	my $path = fill("$dir/large", $mib);
	# What every process needs once does not count.
	said($who, 'file', 'share', fill("$dir/first", 20));
	my ($status, @grown) = watched($b, $who, undef, 'file', 'share',
	    $path, '--json');
	is($status, 0, "$mib MiB go up")
	    or diag slurp(Linnet::Cli::home() . "/$who.follow.err");
	small(@grown, 'up');
	my ($id) = $b->psql("select replace(id::text, '-', '') from file
	    where size = $size and state = 2");
	ok($id, 'they are stored') or return;
	my $down = 'linnet_file_bytes_total{direction="down"}';
	my $part = "$dir/.$id.part";
	($status, @grown) = watched($b, $who,
	    sub { (-s $part // 0) > $size / 3 }, 'file', 'get', $id,
	    "$dir/back");
	is($status & 127, 9, 'it is cut on its way down');
	my $have = -s $part;
	cmp_ok($have, '>', $size / 3, 'a part is there');
	small(@grown, 'down');
	my $before;
	wait_until { metric($b, 'linnet_file_transfers{direction="down"}')
	    == 0 } 10;
	$before = metric($b, $down);
	($status, @grown) = watched($b, $who, undef, 'file', 'get', $id,
	    "$dir/back");
	is($status, 0, 'the next one goes on')
	    or diag slurp(Linnet::Cli::home() . "/$who.follow.err");
	small(@grown, 'the rest');
	is(metric($b, $down) - $before, $size - $have, 'with the rest alone');
	is(system('cmp', '-s', $path, "$dir/back"), 0, 'the same bytes');
	unlink "$dir/back", $path;
	said($who, 'file', 'delete', $id);
	return $b;
}

# What is stored, in a directory or in S3, with what waits there.
sub held {
	my ($b, $s3) = @_;
	my @found;
	File::Find::find({ no_chdir => 1, wanted => sub {
		push @found, $_ if -f && !/_metadata|\.json$/;
	} }, "$b->{dir}/files", $s3 ? "$s3->{base}/objects" : ());
	return \@found;
}

# Kills something in the middle of an upload: nothing is left of it.
sub killed {
	my ($b, $who, $s3, $what, $kill) = @_;
	my $have = @{ held($b, $s3) };
	my $path = fill("$dir/killed", 200);
	my ($pid) = Linnet::Cli::go_on($who, 'file', 'share', $path);
	my $up = 'linnet_file_bytes_total{direction="up"}';
	my $before = metric($b, $up);
	wait_until { metric($b, $up) > $before + 20 * $MiB } 30,
	    'the middle of an upload';
	$kill->($pid);
	wait_until { waitpid($pid, 1) == $pid } 30, 'its end';
	# It may have been patient enough to begin again.
	if ($? == 0) {
		said($who, 'file', 'delete',
		    (split ' ', slurp(Linnet::Cli::home() . "/$who.follow"))[0]);
	}
	my $held;
	ok((wait_until { @{ $held = held($b, $s3) } == $have } 30),
	    "$what: no bytes are left") or diag explain $held;
	ok((wait_until { (eval { $b->psql(
	    'select count(*) from file where state = 1') } // 1) == 0 } 30),
	    "$what: no upload counts as under way");
	$b->psql("update file set changed_at = now() - interval '2 h'
	    where state = 0");
	ok((wait_until { $b->psql('select count(*) from file where state < 2')
	    + $b->psql('select count(*) from file_gone') == 0 } 30),
	    "$what: no row is left, when its time is over");
	is(@{ held($b, $s3) }, $have, "$what: and still no bytes");
	return;
}

sub kills {
	my ($b, $who, $s3) = @_;
	wait_until { $b->psql('select count(*) from file_gone') == 0 } 30,
	    'what was deleted to go';
	killed($b, $who, $s3, 'the client', sub { kill 'KILL', $_[0] });
	killed($b, $who, $s3, 'the worker', sub { kill 'KILL', $b->pids('worker') });
	wait_until { eval { metric($b, 'linnet_connections') } } 20;
	killed($b, $who, $s3, 'the files process',
	    sub { kill 'KILL', $b->pids('files') });
	wait_until { $b->pids('files') } 20;
	killed($b, $who, $s3, 'all of it', sub { $b->kill9('all'); $b->start });
	return;
}

subtest 'a directory' => sub {
	my $b = through('alice', 1024);
	kills($b, 'alice');
	is($b->stop, 0, 'the end');
};

subtest 'S3' => sub {
	my $s3 = Linnet::S3->new('one');
	my $b = through('bob', $ENV{LINNET_SLOW} ? 1024 : 200, 'files.store s3',
	    'files.s3_key_file ' . $s3->key, 'files.s3_bucket one',
	    "files.s3_endpoint http://127.0.0.1:$s3->{port}");
	kills($b, 'bob', $s3);
	is($b->stop, 0, 'the end');
};

done_testing;
