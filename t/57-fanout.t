#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Multicasts to several hundred sessions on two workers: each worker stores
# messages whose rows the other one marks at the same time, and neither waits
# for the other in a ring.
use strict;
use warnings;
use IPC::Open3;
use Linnet;
use Test::More;

# Two crowds at once, of two meshes, so that both workers have senders.
sub fan_out {
	my ($rounds, @options) = @_;
	my $b = Linnet->broker(workers => 2,
	    options => ['rate.member 0', 'rate.now 0', @options]);
	my @files = map {
		my $file = $b->dir . ".seed$_";
		open my $f, '>', $file or die "$file: $!";
		print $f Cpanel::JSON::XS->new->encode($b->seed);
		close $f;
		$file
	} 1, 2;
	for my $round (1 .. $rounds) {
		my @runs = map {
			my $pid = open3(my $in, my $out, undef,
			    Linnet->program('t/load/swarm'), '127.0.0.1',
			    $b->port, $_, 'fanout', 300, 1, 2);
			close $in;
			[$pid, $out]
		} @files;
		for my $run (@runs) {
			my $said = join '', readline $run->[1];
			waitpid $run->[0], 0;
			is($?, 0, "round $round: the crowd ended well")
			    or diag($said);
			my %n = $said =~ /(\w+)=([\d.]+)/g;
			cmp_ok($n{acks} // 0, '>', 2,
			    "round $round: $n{acks} multicasts acked");
			is($n{pushes}, $n{acks} * 300,
			    "round $round: each came once to everybody");
		}
	}
	unlike($b->log, qr/deadlock detected/, 'no deadlock');
	is($b->stop, 0, 'stops');
	return;
}

subtest 'as the kernel lets us' => sub { fan_out(2) };
subtest 'without io_uring' => sub { fan_out(1, 'io_uring no') };
done_testing;
