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
my $seed = $b->seed;
said($_, 'join', '-', '--name', $_, { input => $seed->{inviteLink} })
    for qw(alice bob);
my @tokens = map {
	my $p = $b->peer($seed->{$_}, acks => 1);
	my $token = $p->request({ type => 'create_token' })->{token};
	$p->close;
	$token
} qw(peerA peerB);

for ([stdio => Linnet->program('linnet'),
	map { Linnet::Cli::home() . "/$_" } qw(alice bob)],
    [http => 'http', 'http://' . $b->address . '/mcp', @tokens]) {
	my ($how, @args) = @$_;
	my ($status, $out, $err) = Linnet::run(
	    ["$Linnet::Guard::srcdir/contrib/mcp/clients", $dir, @args],
	    timeout => 300);
	is($status, 0, "$how: the clients are content") or diag $err;
	my $n = 0;
	for (split /\n/, $out) {
		if (/^(not )?ok - (.*)/) {
			ok(!$1, "$how: $2");
			$n++;
		} else {
			diag $_;
		}
	}
	ok($n > 20, 'and said so of everything');
}
is($b->stop, 0, 'the broker ends');
done_testing;
