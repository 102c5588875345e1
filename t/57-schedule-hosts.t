#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Scheduled messages with several hosts: every one knows what is due, one of
# them sends it, also when it was scheduled on a host that is gone.
use strict;
use warnings;
use Linnet;
use Linnet::Postgres;
use Test::More;
use Time::HiRes 'time';

my $pg = Linnet::Postgres->new;
my $database = 'database "' . $pg->conninfo . '"';

sub host {
	return Linnet->broker(workers => 1,
	    options => [$database, "host_name $_[0]"]);
}

sub now { return int(time * 1000) }

my @hosts = map { host($_) } qw(one two three);
my $seed = $hosts[0]->seed;
my $alice = $hosts[0]->peer($seed->{peerA}, name => 'alice', session_key => 1);
my $bob = $hosts[1]->peer($seed->{peerB}, name => 'bob', session_key => 1);
my $seen = wait_until { @{ $_->request({ type => 'list_peers' })->{peers} }
    == 2 } 15 for $alice, $bob;

# So far ahead that every host finds them before they are due.
for my $round (1 .. 3) {
	my $at = now() + 6000;
	for my $i (1 .. 30) {
		$alice->request({ type => 'schedule', to => 'bob',
		    message => "$round.$i", deliverAt => $at });
	}
	my %got;
	$got{ $bob->expect_push(30)->{text} }++ for 1 .. 30;
	is_deeply(\%got, { map { ("$round.$_" => 1) } 1 .. 30 },
	    "round $round: all arrive");
	ok($bob->no_push(after => $alice), 'and none twice');
}

$alice->request({ type => 'schedule', to => 'bob', message => 'orphan',
    deliverAt => now() + 2000 });
$hosts[0]->kill9(1);
is($bob->expect_push(30)->{text}, 'orphan', 'the host that knew it died');
is($_->stop, 0, 'stops') for @hosts[1, 2];
done_testing;
