#!/usr/bin/env perl
# What the master does when something dies: each process, PostgreSQL, the
# master itself at any moment; and when it has no descriptor left.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes 'time';
use Linnet qw(wait_until run slurp);
use Linnet::Proc;

my $b = Linnet->broker(workers => 2);

sub status {
	my $s = eval { $b->ctl_json('--json', 'status') };
	return $s // {};
}

sub process {
	my ($role) = @_;
	return (grep { $_->{role} eq $role } @{ status()->{processes} || [] })[0];
}

sub is_serving {
	my $r = eval { $b->http(GET => '/health') };
	return $r && ($r->{status} // 0) == 200;
}

sub are_gone {
	my (@pids) = @_;
	return wait_until {
		!grep { -d "/proc/$_" && !Linnet::is_zombie($_) } @pids
	} 20;
}

# Every process of the broker, known by what status says, because those that
# lost their parent are nobody's children.
sub family {
	my $s = status();
	return grep { $_ } $s->{pid}, $s->{postgres}{pid}, $b->pids,
	    map { $_->{pid} } @{ $s->{processes} || [] };
}

for my $role (qw(worker relay jobs files)) {
	my $old = process($role);
	kill 'KILL', $old->{pid};
	my $new;
	wait_until {
		$new = process($role);
		$new && $new->{restarts} > $old->{restarts}
		    && $new->{state} eq 'ready'
	} 10;
	isnt($new->{pid}, $old->{pid}, "$role: another process");
	is($new->{restarts}, $old->{restarts} + 1, 'status counts the restart');
	is($new->{state}, 'ready', 'it is ready');
	like($b->log, qr/$role 1 \(process $old->{pid}\) ended: killed by signal 9/,
	    'the log says how the old one ended');
	ok(is_serving(), 'there is service');
}

# A process that dies again and again is started ever more slowly.
{
	my $since = time;
	my $deaths = 0;
	for (1 .. 4) {
		my $w;
		wait_until { ($w = process('worker'))->{state} eq 'ready' } 20;
		kill 'KILL', $w->{pid};
		wait_until { process('worker')->{restarts} > $w->{restarts} } 10;
		$deaths = process('worker')->{restarts};
	}
	my @delays = $b->log =~ /worker 1 .* the next one starts in (\d+) ms/g;
	is_deeply([@delays[0 .. 4]], [100, 200, 400, 800, 1600],
	    'the delay doubles from one death to the next');
	ok((wait_until { is_serving() } 5), 'another worker serves meanwhile');
	is(status()->{pid}, $b->pid, 'the master lives');
	wait_until { process('worker')->{state} eq 'ready' } 20;
}

# No worker at all: clients wait in the queue of the listening socket.
{
	my @workers = grep { $_->{role} eq 'worker' } @{ status()->{processes} };
	kill 'KILL', map { $_->{pid} } @workers;
	wait_until {
		!grep { $_->{role} eq 'worker' && $_->{state} eq 'ready' }
		    @{ status()->{processes} }
	} 10;
	my $io = $b->tcp;
	$io->put("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	like($io->take(qr/200 OK/, 20), qr{^HTTP/1\.1 200 OK},
	    'a client that comes while there is no worker is served later');
}

# PostgreSQL.
for my $how (qw(KILL INT QUIT)) {
	my $old = status()->{postgres};
	kill $how, $old->{pid};
	my $new = {};
	wait_until {
		$new = status()->{postgres} || {};
		($new->{pid} // 0) != $old->{pid} && $new->{state} eq 'up'
	} 30;
	is($new->{state}, 'up', "PostgreSQL is started again after $how");
	is($new->{restarts}, $old->{restarts} + 1, 'status counts it');
	ok((wait_until {
		my $r = eval { $b->http(GET => '/readyz') };
		$r && ($r->{status} // 0) == 200
	} 20), 'and the workers find it');
}

# The master.
{
	my @all = family();
	$b->kill9;
	ok(are_gone(@all), 'kill -9 of the master leaves no process');
	my $begin = time;
	$b->start;
	ok(is_serving(), 'a new start works on the same address');
	cmp_ok(time - $begin, '<', 20 * Linnet::Io::patience(),
	    'without waiting long');

	# At once, while PostgreSQL is still ending.
	for (1 .. 3) {
		$b->kill9;
		$b->start;
		ok(is_serving(), 'a new start right after a kill -9');
	}
	@all = family();
	$b->kill9('all');
	ok(are_gone(@all), 'all were killed');
	$b->start;
	ok(is_serving(), 'a new start after everything was killed');
}

# Locks of PostgreSQL that name a process which is alive, and is none of it.
{
	$b->stop;
	for my $file ('postgres/postmaster.pid', 'run/.s.PGSQL.5432.lock') {
		open my $fh, '>', $b->dir . "/$file" or die "$file: $!";
		print $fh "$$\n", $b->dir,
		    "/postgres\n1\n5432\n\n\n 1 1\nready   \n";
		close $fh;
	}
	$b->start;
	ok(is_serving(), 'a start over locks that somebody else seems to hold');
	$b->stop;
}

# Killed at any moment of the very first start, the next one works.
for my $when ('making the database in', 'PostgreSQL serves', undef) {
	my $young = Linnet->broker(workers => 1, start => 0);
	my $pid = Linnet::Proc::start([$young->program('linnetd'), '-f',
	    $young->option_args], stderr => $young->log_file);
	wait_until {
		defined $when ? $young->log =~ /$when/
		    : -d $young->dir . '/postgres.new'
	} 20;
	kill 'KILL', $pid;
	Linnet::Proc::reap($pid, 10);
	$young->start;
	is($young->http(GET => '/health')->{status}, 200,
	    'a start after a kill -9 at: ' . ($when // 'half a cluster'));
	ok(!-e $young->dir . '/postgres.new', 'nothing half-made is left');
	is($young->stop, 0, 'it stops');
}

# No descriptor left.
SKIP: {
	$b->start;
	my $pid = $b->pid;
	my $log = $b->log_file . '.strace';
	my $tracer = Linnet::Proc::start(['strace', '-q', '-p', $pid, '-e',
	    'trace=accept4,close', '-e', 'inject=accept4:error=EMFILE', '-o',
	    $log]);
	wait_until {
		slurp("/proc/$pid/status") =~ /^TracerPid:\s+[1-9]/m
		    || !-d "/proc/$tracer" || Linnet::is_zombie($tracer)
	} 10;
	skip 'strace(1) cannot be used here', 4
	    if slurp("/proc/$pid/status") !~ /^TracerPid:\s+[1-9]/m;
	my $io = $b->tcp;
	$io->put("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	my $tries = sub { return scalar(() = slurp($log) =~ /accept4\(/g) };
	my $since = time;
	ok((wait_until { $tries->() >= 10 } 20), 'accepting is tried again');
	# Two tries every 100 ms: with and without the reserve.
	cmp_ok($tries->() / (time - $since), '<', 50, 'without spinning');
	like($b->log, qr/accepting on \S+ pauses: Too many open files/,
	    'the log says why');
	kill 'TERM', $tracer;
	Linnet::Proc::reap($tracer, 10);
	like($io->take(qr/200 OK/, 10), qr{^HTTP/1\.1 200},
	    'who waited is served when there are descriptors again');
}
done_testing;
