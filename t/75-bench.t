#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# linnet-bench: each scenario in small; what it counts adds up, what it writes
# can be read, and nothing stays behind, however it ends.
use strict;
use warnings;
use Cpanel::JSON::XS ();
use File::Path 'remove_tree';
use Linnet;
use Linnet::Proc qw(run reap scratch slurp);
use Test::More;

my $bench = Linnet->program('linnet-bench');
my @short = qw(--quiet --rounds 1 --warm 100ms --duration 300ms);

sub left {
	return ((glob '/tmp/linnet-bench.*'), map { $_->[3] } grep {
		$_->[3] =~ m{/tmp/linnet-bench\.} } Linnet::Proc::all());
}
my @before = left();

# Runs it, and returns its only match.
sub bench {
	my (@args) = @_;
	my ($status, $out, $err) =
	    run([$bench, @args, @short, '--json'], timeout => 120);
	is($status, 0, "linnet-bench @args") or diag $err;
	my $all = eval { Cpanel::JSON::XS->new->utf8->decode($out) };
	ok($all, 'JSON') or diag $@ . $out;
	return $all->{matches}[0];
}

sub figure {
	my ($entry, $name) = @_;
	return $entry->{figures}{$name}{of_rounds}{median};
}

sub count {
	my ($entry, $of) = @_;
	my $l = $entry->{latencies_us};
	return ($l->{"request to $of"} // $l->{"multicast to $of"}
	    // $l->{"state change to $of"})->{count};
}

# Closed loop.
my $m = bench(qw(direct --senders 4));
is($m->{scenario}, 'direct', 'says the scenario');
my $e = $m->{entries}[0];
is($e->{server}, 'linnet', 'and the server');
like($e->{version}, qr/^linnetd \d/, 'and its version');
cmp_ok(figure($e, 'messages_per_second'), '>', 10, 'messages');
cmp_ok(count($e, 'answer'), '>', 3, 'latencies');
is(count($e, 'answer'), count($e, 'delivery'),
    'each that was answered was delivered');
my $l = $e->{latencies_us}{'request to answer'};
ok($l->{p50} <= $l->{p99} && $l->{p99} <= $l->{p100}, 'percentiles rise');
cmp_ok(figure($e, 'server_cpu'), '>', 0, 'processor time of the server');
cmp_ok(figure($e, 'database_cpu'), '>', 0, 'and of its database');
cmp_ok(figure($e, 'deliveries_per_cpu'), '>',
    figure($e, 'deliveries_per_cpu_all'), 'the latter is not in the former');

# Open loop, and messages that are there before.
$m = bench(qw(direct --senders 4 --rate 200 --window 0 --stored 40));
$e = $m->{entries}[0];
cmp_ok(abs(count($e, 'answer') - 60), '<=', 4,
    '200 a second in 0.3 s: ' . count($e, 'answer'));
is(count($e, 'answer'), count($e, 'delivery'), 'all delivered');
ok(defined figure($e, 'late_per_cent'), 'says what was late');

# Channels: searches beside what derives memory, and the rest after it.
for my $stored (300, 0) {
	$e = bench('channels', '--stored', $stored)->{entries}[0];
	for my $of (qw(page search list)) {
		ok(figure($e, "${of}_p50_us") <= figure($e, "${of}_p99_us"),
		    "$of with $stored");
	}
	is(defined figure($e, 'search_busy_p50_us'), $stored > 0,
	    'and while memory is derived');
}

# One to many, from two processes; without a rate and with one.
for my $args (['--hands', 2], ['--rate', 50, '--window', 0]) {
	$e = bench('fanout', '--group', 20, @$args)->{entries}[0];
	cmp_ok(count($e, 'answer'), '>', 1, 'multicasts');
	is(count($e, 'delivery'), 20 * count($e, 'answer'), 'each to all');
}
$e = bench(qw(multicast --senders 2 --rate 100 --client-acks))->{entries}[0];
is(count($e, 'answer'), count($e, 'delivery'), 'groups of one');
$e = bench(qw(state --group 15 --rate 50 --spin))->{entries}[0];
is(count($e, 'delivery'), 15 * count($e, 'answer'),
    'a state change to everybody else');

$e = bench(qw(mixed --senders 3 --rate 60 --group 5 --connections 4
    --rate-group 20 --rate-state 20))->{entries}[0];
my %n = map { $_ => $e->{latencies_us}{$_}{count} }
    keys %{ $e->{latencies_us} };
is($n{'request to answer'}, $n{'request to delivery'}, 'mixed: direct');
is($n{'multicast to delivery'} % 5, 0, 'multicasts to five');
is($n{'state change to delivery'} % 16, 0, 'state to all sixteen others');
ok($n{'multicast to delivery'} > 0 && $n{'state change to delivery'} > 0,
    'of each some');

# Connections, with TLS and without.
for my $tls ([], ['--tls']) {
	$e = bench(qw(idle --connections 300), @$tls)->{entries}[0];
	cmp_ok(figure($e, $_), '>', 0, $_) for qw(upgrades_per_second
	    logins_per_second login_cpu_us user_bytes);
}
$e = bench(qw(storm --connections 50 --hands 2))->{entries}[0];
cmp_ok(figure($e, 'back_seconds'), '>', 0, 'all came back');

# A set: two against each other, as text, a picture and a file.
my $dir = scratch();
my ($status, $out, $err) = run([$bench, 'growth', @short, qw(--group 10
    --stored 2000), '--svg', "$dir/svg", '--save', "$dir/json"],
    timeout => 120);
is($status, 0, 'growth') or diag $err;
like($out, qr/^fan-out to .*^direct from /ms, 'both matches');
like($out, qr/^ +group 10 +[\d,]+ +[\d,]+ +[\d,]+ +[\d.]+ +[\d.]+ +[\d.]+$/m,
    'figures and ratios');
my $saved = eval { Cpanel::JSON::XS->new->utf8->decode(slurp("$dir/json")) };
cmp_ok(scalar @{ $saved->{matches} }, '>=', 2, 'the same as JSON')
    or diag $@;
like($out, qr/^What is meant .*^    deliveries_per_cpu, to group .* (?:yes|no)$/ms,
    'what is meant to be reached');
my $ratio = $saved->{matches}[0]{entries}[1]{figures}{deliveries_per_cpu};
ok($ratio->{first_to_this}{median} > 0, 'with the ratio');
my $svg = slurp("$dir/svg");
like($svg, qr{\A<svg xmlns.*</svg>\n\z}s, 'a picture');
my @open;
while ($svg =~ m{<(/?)(\w+)[^>]*?(/?)>}g) {
	next if $3;
	$1 ? (pop @open) eq $2 || last : push @open, $2;
}
is("@open", '', 'its elements are closed');

# A daemon that runs already.
my $b = Linnet->broker(workers => 1, options => ['rate.now 0']);
open my $f, '>', "$dir/seed" or die "$dir/seed: $!";
print $f Cpanel::JSON::XS->new->encode($b->seed);
close $f;
$e = bench(qw(direct --senders 2 --address), '127.0.0.1:' . $b->port, '--seed',
    "$dir/seed", '--pid', $b->pid)->{entries}[0];
cmp_ok(figure($e, 'messages_per_second'), '>', 2, 'a daemon of ours');
is($b->http(GET => '/health')->{status}, 200, 'it goes on running');
is($b->stop, 0, 'stops');

# What cannot be.
($status, $out, $err) = run([$bench, qw(direct --linnetd /bin/true), @short]);
is($status, 70, 'a linnetd that is none');
like($err, qr/linnet/, 'is told of');
for my $bad ([qw(direct --window x)], [qw(fanout --servers nobody)],
    [qw(idle --group 3)], ['dirct'], [qw(storm extra)]) {
	($status, $out, $err) = run([$bench, @$bad]);
	isnt($status, 0, "linnet-bench @$bad: refused");
	like($err, qr/^(?:linnet-bench|\S+ linnet-bench error|.*fatal)/,
	    'and why');
}
($status, $out) = run([$bench, 'servers']);
like($out, qr/^linnet +installed/m, 'linnetd is found');

# In the middle of it: its process, and its directory.
sub middle {
	my %old = map { $_ => 1 } @before;
	my $pid = Linnet::Proc::start([$bench, qw(fanout --group 5
	    --duration 60s)], stderr => "$dir/err");
	my $of_it;
	wait_until { ($of_it) = grep { !$old{$_} && -s "$_/seed" }
	    glob '/tmp/linnet-bench.*' } 30, 'it to run';
	return ($pid, $of_it);
}
my ($pid) = middle();
kill 'TERM', $pid;
is(reap($pid, 60), 70, 'ends after TERM');
wait_until { left() <= @before } 20;
is_deeply([left()], \@before, 'nothing is left');

# Killed, it cannot clean up; what it started ends by itself.
($pid, my $of_it) = middle();
kill 'KILL', $pid;
reap($pid, 60);
ok((wait_until { !Linnet::Proc::of_dir($of_it) } 30),
    'its server ends without it, too');
ok((wait_until { !grep { (readlink // '') eq "$dir/err" }
    glob '/proc/[0-9]*/fd/2' } 30), 'and what it asks with');
Linnet::Proc::end_all($of_it);
remove_tree($of_it);
done_testing;
