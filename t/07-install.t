#!/usr/bin/env perl
# What make install puts where, and that a program can be built with the
# installed library by what pkg-config says.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet::Guard;
use Linnet::Proc qw(run scratch slurp);

my $dir = scratch();
my $root = "$dir/root";
# Not a part of the make that may run this.
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES)};
my @make = ('make', '-s', "DESTDIR=$root");
my ($status, undef, $err) = run([@make, 'install'], cwd => $builddir,
    timeout => 300);
is($status, 0, 'make install DESTDIR=') or diag $err;

# Where configure was told to put things.
my @dirs = qw(bindir datadir includedir libdir mandir sbindir);
my ($asked, $said) = run([@make, '-f', '-', 'say-dirs'], cwd => $builddir,
    input => join "\n\t\@echo ", "include Makefile\nsay-dirs:",
    map { "\$(DESTDIR)\$($_)" } @dirs);
is($asked, 0, 'make knows the directories');
my %dir;
@dir{@dirs} = split /\n/, $said;
my %mode = (
	"$dir{bindir}/linnet" => 0755,
	"$dir{bindir}/linnet-bench" => 0755,
	(map { ("$dir{datadir}/linnet/bench/" . s{.*/}{}r => 0644) }
	    files('contrib/bench/peers/*')),
	"$dir{includedir}/linnet.h" => 0644,
	"$dir{includedir}/linnet_channels.h" => 0644,
	"$dir{includedir}/linnet_permissions.h" => 0644,
	"$dir{libdir}/liblinnet.a" => 0644,
	(map { ("$dir{libdir}/$_" => 0644) } qw(liblinnet.so liblinnet.so.0
	    liblinnet.so.0.0.0)),
	"$dir{libdir}/pkgconfig/linnet.pc" => 0644,
	(map { ("$dir{datadir}/bash-completion/completions/$_" => 0644,
	    "$dir{datadir}/zsh/site-functions/_$_" => 0644,
	    "$dir{datadir}/fish/vendor_completions.d/$_.fish" => 0644) }
	    qw(linnet linnet-bench linnetctl)),
	"$dir{sbindir}/linnetctl" => 0755,
	"$dir{sbindir}/linnetd" => 0755,
	map { m{^man/(.*\.(\d))\.in$} ? ("$dir{mandir}/man$2/$1" => 0644) : () }
	    files('man/*.in'),
);
is_deeply([sort split /\n/, `find $root ! -type d`], [sort keys %mode],
    'these files, and no others');
for my $f (sort keys %mode) {
	my $mode = (stat $f)[2] // 0;
	is(sprintf('%o', $mode & 07777), sprintf('%o', $mode{$f}), "mode of $f");
}

open my $c, '>', "$dir/hello.c" or die "$dir/hello.c: $!";
print $c <<'END';
#include <linnet.h>
#include <stdio.h>

int
main(void)
{
	char key[LINNET_KEY_SIZE], secret[LINNET_SECRET_SIZE];

	linnet_new_key(key, secret);
	return printf("%s\n", key) == LINNET_KEY_SIZE ? 0 : 1;
}
END
close $c or die "$dir/hello.c: $!";
my ($cc, $flags) = map { slurp("$builddir/Makefile") =~ /^\Q$_\E = (.*)$/m }
    qw(CC HARDEN_CFLAGS);
my ($built, undef, $why) = run(['sh', '-c',
    "exec $cc $flags -o $dir/hello $dir/hello.c " .
    '$(pkg-config --static --cflags --libs linnet)'],
    env => { PKG_CONFIG_PATH => "$dir{libdir}/pkgconfig",
	PKG_CONFIG_SYSROOT_DIR => $root });
is($built, 0, 'a program is built with what pkg-config says') or diag $why;
my ($ran, $out) = run(["$dir/hello"],
    env => { LD_LIBRARY_PATH => $dir{libdir} });
is($ran, 0, 'and runs');
like($out, qr/^[0-9a-f]{64}$/, 'it made a key');
done_testing;
