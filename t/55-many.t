#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# 10,000 idle connections on two workers: all are held, spread evenly, and the
# daemon answers as before.
use strict;
use warnings;
use IPC::Open2;
use Linnet;
use Test::More;
use Time::HiRes 'time';

my $many = 10000;
# A worker has half of them and some descriptors of its own, swarm has all.
# The limit is low until somebody asks for more.
system "prlimit --pid $$ --nofile=@{[$many + 500]}: 2>/dev/null"
    if `sh -c 'ulimit -n'` < $many + 500;
my $limit = `sh -c 'ulimit -n'`;
plan skip_all => "descriptor limit $limit" if $limit < $many + 500;
plan skip_all => 'too slow under a wrapper' if $ENV{LINNET_WRAP};

my $b = Linnet->broker(workers => 2);
my $seed = $b->seed;
my $file = $b->dir . '.seed';
open my $f, '>', $file or die "$file: $!";
print $f Cpanel::JSON::XS->new->encode($seed);
close $f;

my $pid = open2(my $out, my $in, Linnet->program('t/load/swarm'), '127.0.0.1',
    $b->port, $file, 'idle', $many);
my $line = readline $out;
like($line, qr/^sessions=$many gone=0/, "$many said hello: $line");

my $workers = sub {
	grep { $_->{role} eq 'worker' }
	    @{ $b->ctl_json('status', '--json')->{processes} };
};
wait_until {
	my $sum = 0;
	$sum += $_->{connections} for $workers->();
	$sum >= $many
} 10, 'the workers count them';
for ($workers->()) {
	cmp_ok($_->{connections}, '>', $many * 0.45,
	    "worker $_->{number} has its share: $_->{connections}");
}

my $start = time;
my $alice = $b->peer($seed->{peerA}, name => 'alice');
my $bob = $b->peer($seed->{peerB}, name => 'bob');
for my $i (1 .. 20) {
	is($alice->send(to => $bob->key, text => "hi $i")->{type}, 'ack',
	    "message $i is acked") or last;
	is($bob->expect_push->{text}, "hi $i", "message $i arrives") or last;
}
cmp_ok(time - $start, '<', 15, 'two hellos and 20 messages in good time');
is($b->http(GET => '/health')->{status}, 200, 'healthy');
my $peers = $alice->request({ type => 'list_peers' });
is(scalar @{ $peers->{peers} }, $many + 2, 'the list of peers has them all');

close $in;
like(scalar(readline $out), qr/^held=$many gone=0/, 'all were held');
waitpid $pid, 0;
is($?, 0, 'swarm ends well');
wait_until { @{ $alice->request({ type => 'list_peers' })->{peers} } == 2 }
    20, 'when they leave the roster empties';
is($b->stop, 0, 'stops');
done_testing;
