#!/usr/bin/env perl
# The C files look as .clang-format says; version 14 decides.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet::Guard;

my $tool = need_tool($ENV{CLANG_FORMAT}, 'clang-format-14');
ok(-e "$srcdir/.clang-format", '.clang-format is here');
for my $f (files('src/*/*.[ch]', 'include/*.h', 't/unit/*.c', 't/lib/*.h',
    't/fuzz/*.c')) {
	my $diff = `$tool --style=file $srcdir/$f | diff -u $srcdir/$f - | head -20`;
	is($diff, '', "$f is formatted");
}
done_testing;
