#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# MCP clients that others wrote: contrib/mcp/clients.  They come from npm,
# once; without them this is skipped, unless nothing may be.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet;
use Linnet::Cli 'said';
use Linnet::Guard qw(need need_tool);

my $dir = "$Linnet::Guard::builddir/node";
need_tool(undef, $_) for qw(node npm);
need(-d "$dir/node_modules" || $ENV{LINNET_NOSKIP}, "a client in $dir");

my $b = Linnet->broker(workers => 2);
my $link = $b->seed->{inviteLink};
said($_, 'join', '-', '--name', $_, { input => $link }) for qw(alice bob);
my ($status, $out, $err) = Linnet::run(
    ["$Linnet::Guard::srcdir/contrib/mcp/clients", $dir,
    Linnet->program('linnet'), map { Linnet::Cli::home() . "/$_" }
    qw(alice bob)], timeout => 300);
is($status, 0, 'the clients are content') or diag $err;
my $n = 0;
for (split /\n/, $out) {
	if (/^(not )?ok - (.*)/) {
		ok(!$1, $2);
		$n++;
	} else {
		diag $_;
	}
}
ok($n > 34, 'and said so of everything');
is($b->stop, 0, 'the broker ends');
done_testing;
