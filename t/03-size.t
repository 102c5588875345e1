#!/usr/bin/env perl
# Files and functions stay short.  t/size.allow lists what may be longer, as
# `base/file.c lines` or `base/file.c:function lines`; it may only shrink.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet::Guard;

my ($file_max, $function_max) = (800, 100);
my %allow;
if (-e "$srcdir/t/size.allow") {
	for (split /\n/, text('t/size.allow')) {
		my ($what, $n) = /^([^#\s]\S*)\s+(\d+)$/ or next;
		$allow{$what} = $n;
	}
}
for my $f (files('src/*/*.[ch]', 'include/*.h')) {
	my $n = $f =~ s{^src/}{}r;
	my @lines = split /\n/, text($f), -1;
	pop @lines;
	my ($start, $name, @long) = (0, '?');
	for my $i (0 .. $#lines) {
		local $_ = $lines[$i];
		$name = $1 if /^(\w+)\(/;
		$start = $i + 1 if /^\{/;
		next unless /^\}/ && $start;
		my $len = $i + 2 - $start;
		push @long, "$name: $len"
		    if $len > (delete $allow{"$n:$name"} // $function_max);
		$start = 0;
	}
	push @long, 'file: ' . @lines
	    if @lines > (delete $allow{$n} // $file_max);
	is("@long", '', "$f is short enough");
}
is(join(' ', sort keys %allow), '', 't/size.allow lists nothing that is gone');
done_testing;
