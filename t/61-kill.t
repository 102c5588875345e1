#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# kill -9 of each process at random moments under 1,000 messages a second: no
# acknowledged message is lost, each is delivered, and service returns by
# itself.  LINNET_SEED repeats a run's moments.
use strict;
use warnings;
use Linnet;
use Test::More;

my $rate = $ENV{LINNET_WRAP} ? 100 : 1000;
my $seconds = 6;
my $seed = $ENV{LINNET_SEED} // int rand 2**31;
srand $seed;
diag "LINNET_SEED=$seed" if $ENV{LINNET_KEEP};

# Two daemons may not bind one port; the one after the kill must have it.
sub free_port {
	my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
	    or die "socket: $!";
	return $s->sockport;
}

sub checker {
	my ($b) = @_;
	my $file = $b->dir . '.seed';
	open my $f, '>', $file or die "$file: $!";
	print $f Cpanel::JSON::XS->new->encode($b->seed);
	close $f;
	my $pid = open my $out, '-|', Linnet->program('t/load/checker'),
	    '127.0.0.1', $b->port, $file, 8, $rate, $seconds
	    or die "checker: $!";
	is(scalar(readline $out), "ready\n", 'the checker is connected');
	return { out => $out, pid => $pid };
}

# Waits a random time; the moments are what the test is about.
sub a_moment { select undef, undef, undef, 0.3 + rand 0.9 }

# One kind of victim: killed again and again while messages flow.
sub storm {
	my ($what, $kills, $kill) = @_;
	my $b = Linnet->broker(workers => 2,
	    listen => ['127.0.0.1:' . free_port()],
	    options => ['mesh.ack_time 2s', 'rate.member 0', 'rate.now 0',
		'rate.pair 0']);
	my $c = checker($b);
	for (1 .. $kills) {
		a_moment();
		$kill->($b);
	}
	my $line = readline $c->{out};
	close $c->{out};
	is($?, 0, "$what: nothing lost, nothing left unacked") or diag $line;
	my %n = $line =~ /(\w+)=(\d+)/g;
	cmp_ok($n{acked}, '>', $rate * $seconds / 4,
	    "$what: messages flowed ($line)");
	is($n{lost}, 0, "$what: every acked message arrived");
	return ($b, \%n);
}

sub kill_one {
	my ($role) = @_;
	return sub {
		my ($b) = @_;
		my @pids = $b->pids($role) or return;
		kill KILL => $pids[rand @pids];
	};
}

my ($b, $n);
($b) = storm(worker => 4, kill_one('worker'));
is($b->stop, 0, 'worker: stops in order');
($b, $n) = storm(relay => 4, kill_one('relay'));
is($n->{gone}, 0, 'relay: no client noticed');
is($b->stop, 0, 'relay: stops in order');
($b, $n) = storm(jobs => 4, kill_one('jobs'));
is($n->{gone}, 0, 'jobs: no client noticed');
is($b->stop, 0, 'jobs: stops in order');
($b, $n) = storm(postgres => 3, kill_one('postgres'));
is($n->{gone}, 0, 'postgres: no client was disconnected');
is($b->http(GET => '/readyz')->{status}, 200, 'postgres: ready again');
is($b->stop, 0, 'postgres: stops in order');
($b) = storm(master => 3, sub { $_[0]->kill9; $_[0]->restart });
is($b->stop, 0, 'master: stops in order');
done_testing;
