#!/usr/bin/env perl
# The manual pages are good mdoc.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet::Guard;

my @sources = files('man/*.in') or nothing_to_check('manual page');
my $mandoc = need_tool($ENV{MANDOC}, 'mandoc');
my %pages = pages();
for my $in (@sources) {
	my ($page) = $in =~ m{([^/]+)\.in$};
	ok($pages{$page}, "$page was made (is it in man/man.mk?)") or next;
	is(`$mandoc -T lint -W warning $pages{$page} 2>&1`, '',
	    "$page is clean");
	unlike(text($pages{$page}), qr/^\@[A-Z]+\@$/m,
	    "$page has its tables");
}
done_testing;
