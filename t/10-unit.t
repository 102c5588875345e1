#!/usr/bin/env perl
# Runs every C unit program; each prints TAP of its own.  `t/unit/name` in
# the build directory runs one alone.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Text::ParseWords 'shellwords';
use Linnet::Guard;
use Linnet::Io 'wait_until';
use Linnet::Proc qw(run);

my @sources = files('t/unit/*.c') or nothing_to_check('unit test');
for my $f (@sources) {
	my ($name) = $f =~ m{([^/]+)\.c$};
	my $program = "$builddir/t/unit/$name";
	if (!-x $program) {
		fail("$name was built (is it in t/t.mk?)");
		next;
	}
	my ($status, $out, $err) = run([shellwords($ENV{LINNET_WRAP} // ''),
	    $program], timeout => 120, cwd => $builddir,
	    env => { srcdir => $srcdir, builddir => $builddir });
	my @ok = $out =~ /^(ok|not ok) /mg;
	my ($plan) = $out =~ /^1\.\.(\d+)$/m;
	my $good = $status == 0 && !grep({ $_ ne 'ok' } @ok) && @ok
	    && defined $plan && $plan == @ok;
	ok($good, "$name: " . @ok . ' checks');
	next if $good;
	diag("exit status $status, plan " . ($plan // 'missing'));
	diag(join '', map { "$_\n" } grep { /^(?:not ok|#)/ } split /\n/, $out);
	diag($err);
}
done_testing;
