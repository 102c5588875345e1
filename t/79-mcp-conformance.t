#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# The public conformance suite for MCP servers: contrib/mcp/conformance, on
# both transports, against programs that have its fixtures.  It comes from npm,
# once; without it this is skipped, unless nothing may be.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet;
use Linnet::Cli 'said';
use Linnet::Guard qw(need need_tool);

# What `make check` builds beside the programs that are installed.
{
	package Conformance;
	our @ISA = 'Linnet';
	sub program {
		my $made = "$Linnet::Guard::builddir/t/mcp/$_[-1]";
		return -x $made ? $made : Linnet->program($_[-1]);
	}
}

my $dir = "$Linnet::Guard::builddir/conformance";
need_tool(undef, $_) for qw(node npm);
need(-d "$dir/node_modules" || $ENV{LINNET_NOSKIP}, "the suite in $dir");
need(-x "$Linnet::Guard::builddir/t/mcp/$_", "a $_ with fixtures")
    for qw(linnetd linnet);

my $b = Conformance->broker(workers => 2,
    options => ['rate.refused_burst 1000000']);
my $seed = $b->seed;
my $alice = $b->peer($seed->{peerA}, name => 'alice', acks => 1);
my $token = $alice->request({ type => 'create_token' })->{token};
$alice->close;
said('bob', 'join', $seed->{inviteLink}, '--name', 'bob');

# How many scenarios there are, less those that are refused.
my %least = ('2025-03-26' => 1, '2025-06-18' => 27, '2025-11-25' => 30,
    '2026-07-28' => 37);
my @ways = (
	[http => 'http://' . $b->address . '/mcp', $token],
	[stdio => Conformance->program('linnet')],
);
for my $way (@ways) {
	my ($status, $out, $err) = Linnet::run(
	    ["$Linnet::Guard::srcdir/contrib/mcp/conformance", $dir, @$way],
	    timeout => 400, env => Linnet::Cli::environment('bob'));
	is($status, 0, "$way->[0]: as refused.txt says") or diag $err;
	my $n = 0;
	for (split /\n/, $out) {
		if (/ (\S+): (\d+) passed, \d+ refused, 0 failed$/) {
			cmp_ok($2, '>=', $least{$1}, $_);
			$n++;
		} elsif (!/: refused /) {
			fail $_;
		} else {
			note $_;
		}
	}
	is($n, keys %least, "$way->[0]: each revision");
}
is($b->stop, 0, 'the broker ends');
done_testing;
