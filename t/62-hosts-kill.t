#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Messages from host to host while the line between them is cut, relays die and
# a whole host does: no acknowledged message is lost.
use strict;
use warnings;
use Linnet;
use Linnet::Postgres;
use Test::More;

my $rate = $ENV{LINNET_WRAP} ? 50 : 500;
my $seconds = 4;
my $seed = $ENV{LINNET_SEED} // int rand 2**31;
srand $seed;
diag "LINNET_SEED=$seed" if $ENV{LINNET_KEEP};

# Two daemons may not bind one port; the one after the kill must have it.
sub free_port {
	my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
	    or die "socket: $!";
	return $s->sockport;
}

my $pg = Linnet::Postgres->new;
my @options = ('database "' . $pg->conninfo . '"', 'mesh.ack_time 2s', 'rate.member 0',
    'rate.now 0', 'rate.pair 0',
    'host_lease 3s');
my ($one, $two) = map { Linnet->broker(workers => 2,
    listen => ['127.0.0.1:' . free_port()],
    options => [@options, "host_name $_"]) } qw(one two);
my $members = $one->seed;
my $file = $one->dir . '.seed';
open my $f, '>', $file or die "$file: $!";
print $f Cpanel::JSON::XS->new->encode($members);
close $f;

# Waits a random time; the moments are what the test is about.
sub a_moment { select undef, undef, undef, 0.2 + rand 0.6 }

sub storm {
	my ($what, $times, $do) = @_;
	open my $out, '-|', Linnet->program('t/load/checker'), '127.0.0.1',
	    $one->port . ',' . $two->port, $file, 8, $rate, $seconds
	    or die "checker: $!";
	is(scalar(readline $out), "ready\n", 'the checker is connected');
	for (1 .. $times) {
		a_moment();
		$do->();
	}
	my $line = readline $out;
	close $out;
	is($?, 0, "$what: nothing lost, nothing left unacked") or diag $line;
	my %n = ($line // '') =~ /(\w+)=(\d+)/g;
	cmp_ok($n{acked} // 0, '>', $rate * $seconds / 4, "messages flowed ($line)");
	is($n{lost}, 0, 'every acked message arrived');
	return \%n;
}

my $n = storm('the line is cut', 5, sub {
	$pg->psql(q{select pg_terminate_backend(pid) from pg_stat_activity
	    where application_name = 'linnetd relay listens'});
});
is($n->{gone}, 0, 'no client noticed');
is($n->{repeats}, 0, 'nothing came twice');
is($n->{disorder}, 0, 'all came in the order of sending');
$n = storm('relays die', 4, sub {
	my $host = (($one, $two)[rand 2]);
	kill KILL => $host->pids('relay');
});
is($n->{gone}, 0, 'no client noticed');
storm('a host dies', 1, sub { $two->kill9(1) });
$two->start;
storm('a host dies and comes back', 1, sub { $two->kill9(1); $two->start });
is($_->stop, 0, 'stops') for $two, $one;
done_testing;
