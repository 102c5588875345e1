#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# The OpenAPI document is clean for public tools: contrib/openapi/lint.  They
# come from npm, once.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Linnet::Guard qw(need need_tool);
use Linnet::Proc qw(run scratch);
use Test::More;

my $dir = "$Linnet::Guard::builddir/openapi";
need_tool(undef, $_) for qw(node npm);
need(-d "$dir/node_modules" || $ENV{LINNET_NOSKIP}, "a linter in $dir");

my ($st, $document) = run(
    ["$Linnet::Guard::builddir/linnet-dump", 'OPENAPI']);
is($st, 0, 'the document');

sub lint {
	my ($text) = @_;
	my $file = scratch() . '/openapi.json';
	open my $fh, '>', $file or die "$file: $!";
	print $fh $text;
	close $fh or die "$file: $!";
	return run(["$Linnet::Guard::srcdir/contrib/openapi/lint", $dir, $file],
	    timeout => 400);
}

my ($status, $out, $err) = lint($document);
is($status, 0, 'is clean') or diag "$out$err";
# And they look.
($status, $out) = lint($document =~ s/"operationId":"token",//r);
isnt($status, 0, 'without an operationId it is not');
like($out, qr/operation-operationId\b/, 'which is said');
done_testing;
