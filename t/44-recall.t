#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Finding what was remembered: by the words of several languages, tags and
# authors, page by page; and restoring what was forgotten.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Test::More;
binmode Test::More->builder->$_, ":utf8" for qw(output failure_output);
use Time::HiRes 'time';
use Linnet;

my $b = Linnet->broker(workers => 2);
my $json = Cpanel::JSON::XS->new->canonical->allow_nonref;

sub remember {
	my ($p, $content, %o) = @_;
	my $r = $p->request({ type => 'remember', content => $content, %o });
	die $r->{message} if $r->{type} ne 'memory_stored';
	# Two processes do not agree on the order within a millisecond.
	my $now = int(time * 1000);
	1 while int(time * 1000) - $now < 2;
	return $r->{memoryId};
}
sub recall {
	my ($p, $query, %o) = @_;
	return $p->request({ type => 'recall', query => $query, %o });
}
sub memories {
	my ($p, %o) = @_;
	return $p->request({ type => 'list_memories', %o });
}
# First words of what came, in its order.
sub found {
	my ($r) = @_;
	return $r->{code} if $r->{type} eq 'error';
	return join ' ', map { $_->{content} =~ /^(\S+)/ } @{ $r->{memories} };
}

my $seed = $b->seed;
my $alice = $b->peer($seed->{peerA}, name => 'Älice', session_key => 1);
my $bob = $b->peer($seed->{peerB}, name => 'bob', session_key => 1);
my $wall = $b->peer($b->seed->{peerA}, name => 'bob');
remember($wall, 'wall brown fox', tags => ['a', 'b']);
# When there is nothing to tell them apart, the newest is first.
remember($alice, 'one quick brown fox', tags => ['a']);
remember($bob, 'two the brown fox jumps', tags => ['a', 'b']);
remember($alice, 'three a lazy dog', tags => ['b']);
remember($bob, 'four foxes and dogs, brown ones', tags => ['a', 'b', 'c d']);
remember($alice, 'five brown, then a fox');

subtest 'a query' => sub {
	for (
		['fox', 'five four two one'],
		['foxes jumping', 'two'],
		['"brown fox"', 'two one'],
		['"fox brown"', ''],
		['jumps or lazy', 'three two'],
		['JUMPS OR LAZY', 'three two'],
		['brown -fox', ''],
		['brown -jumps', 'five four one'],
		['dog -fox', 'three'],
		['-fox', 'three'],
		['the', ''], ['the or and', ''], ['or', ''], ['-', ''],
		['"', ''], ['""', ''], ['- -', ''], ['"the"', ''],
		['fox"', 'five four two one'], ['fox or', 'five four two one'],
		['fox & dog | !x', ''], ['fox:*', 'five four two one'],
		['(fox)', 'five four two one'], ["fox'); --", 'five four two one'],
		['\\', ''], ['"fox', 'five four two one'],
		['or or or', ''], ['fox or -', 'five four two one'],
		['<->', ''], ['fox <-> jumps', 'two'],
		['-' x 1024, ''], ['"' x 1023, ''], ['- ' x 512, ''],
		['-"' x 512, ''], ['-- ' x 300 . 'fox', ''],
		['--fox', 'five four two one'], ['x' x 1024, ''], ['(' x 1024, ''],
		['or ' x 341, ''], ['fox -' x 200, undef],
		['fox ' x 256, 'five four two one'],
		['"a b" ' x 170, ''], ["\x{1f426}\x{202e}\x{7f}", ''],
	) {
		my ($query, $expected) = @$_;
		my $r = recall($alice, $query);
		my $name = length $query > 30 ? substr($query, 0, 20) . '...'
		    : $query;
		is($r->{type}, 'memory_results', "$name: no error");
		# Equal ranks are in the order of time; others as they rank.
		is(join(' ', sort split / /, found($r)),
		    join(' ', sort split / /, $expected), "$name: found")
		    if defined $expected;
	}
	is(found(recall($alice, 'quick or fox')), 'one five four two',
	    'the best first, the newer of equal ones');
};

subtest 'by tags and author' => sub {
	my $key = $seed->{peerB}{pubkey};
	for (
		['fox', { tags => ['a'] }, 'four two one'],
		['fox', { tags => ['a', 'b'] }, 'four two'],
		['fox', { tags => ['b', 'a', 'a'] }, 'four two'],
		['fox', { tags => ['c d'] }, 'four'],
		['fox', { tags => ['c'] }, ''], ['fox', { tags => ['A'] }, ''],
		['fox', { tags => [] }, 'five four two one'],
		['fox', { by => 'bob' }, 'four two'],
		['fox', { by => 'BOB' }, 'four two'],
		['fox', { by => 'äLICE' }, 'five one'],
		['fox', { by => 'carol' }, ''],
		['fox', { by => $key }, 'four two'],
		['fox', { by => uc $key }, 'four two'],
		['fox', { by => 'ab' x 32 }, ''],
		['fox', { by => 'bob', tags => ['c d'] }, 'four'],
		['dog', { by => 'Älice', tags => ['b'] }, 'three'],
		['', { tags => ['b'] }, 'four three two'],
		[" \t\n", { by => 'bob' }, 'four two'],
		['', { by => $key, tags => ['b'] }, 'four two'],
		['', {}, ''], ['', { tags => [] }, ''],
		['the', { tags => ['b'] }, ''],
		['', { tags => ['mesh'] }, ''],
		['', { by => "bob' or 1=1" }, ''],
	) {
		my ($query, $o, $expected) = @$_;
		is(found(recall($alice, $query, %$o)), $expected,
		    "'$query' " . $json->encode($o));
		next if $query ne '' && $query ne " \t\n";
		is(found(memories($alice, %$o)), $expected || (
		    !%$o || $o->{tags} && !@{ $o->{tags} } && !$o->{by}
		    ? 'five four three two one' : ''),
		    'listed ' . $json->encode($o));
	}
	is(found(recall($wall, 'fox', by => 'bob')), 'wall',
	    'a mesh is a wall');
	is(found(recall($wall, '', tags => ['a'])), 'wall', 'for tags too');
	is(found(memories($wall)), 'wall', 'and for all of them');
	my $long = 't' x 4096;
	remember($wall, 'long tag', tags => [$long, 'x' . $long x 0]);
	is(found(recall($wall, '', tags => [$long])), 'long', 'a long tag');
	is(found(recall($wall, '', tags => ['t' x 4095])), '',
	    'is not another one');
};

subtest 'languages' => sub {
	my $p = $b->peer($b->seed->{peerA});
	remember($p, 'english The children were running');
	remember($p, 'deutsch Die Häuser der Kinder', language => 'german');
	remember($p, 'simple The children were running', language => 'simple');
	for (
		['runs', undef, 'english'],
		['runs', 'english', 'english'],
		['haus kind', 'german', 'deutsch'],
		['kinder', 'english', ''],
		['the children', 'simple', 'simple'],
		['run', 'simple', 'english'],
		['running', 'simple', 'simple'],
		['nowhere', 'german', ''],
	) {
		my ($query, $language, $expected) = @$_;
		my $r = recall($p, $query,
		    $language ? (language => $language) : ());
		is(found($r), $expected, "$query as "
		    . ($language // 'nothing'));
	}
	my ($m) = @{ recall($p, 'haus', language => 'german')->{memories} };
	is($m->{language}, 'german', 'it says which');
	is(recall($p, 'runs')->{memories}[0]{language}, 'english',
	    'and which without one');
	for my $language ('klingon', 'English', "x'; drop table memory; --",
	    'pg_catalog.english', '"', "\x{e4}") {
		for my $r ($p->request({ type => 'remember', content => 'x',
		    language => $language }), recall($p, 'run',
		    language => $language), recall($p, '', tags => ['none'],
		    language => $language)) {
			is($r->{code}, 'malformed', "no language $language");
			like($r->{message}, qr/^language must be one of/,
			    'names the field');
			ok((grep { $_ eq 'german' } @{ $r->{candidates} }),
			    'and those that there are');
		}
	}
	is(found(memories($p)), 'simple deutsch english',
	    'and nothing was stored');
	# A bad one does no harm to others in its batch.
	my @ids = map { $p->post(type => 'remember', content => "batch $_",
	    language => $_ % 3 ? 'simple' : 'none') } 1 .. 30;
	my @r = map { $p->reply($_)->{type} } @ids;
	is((grep { $_ eq 'memory_stored' } @r), 20, 'good ones are stored');
	is((grep { $_ eq 'error' } @r), 10, 'bad ones are not');
};

subtest 'pages' => sub {
	my $p = $b->peer($b->seed->{peerA}, name => 'writer');
	my @ids = map { $p->post(type => 'remember', tags => ['page'],
	    content => "$_ penguin" . ' penguin' x ($_ % 3)
	    . ' of many words' x ($_ % 2)) } 1 .. 45;
	my @mine = map { $p->reply($_)->{memoryId} } @ids;
	my %ask = (
		recall => { query => 'penguin' },
		'recall by tag' => { type => 'recall', query => '',
		    tags => ['page'] },
		list => { type => 'list_memories' },
		'list by author' => { type => 'list_memories',
		    by => 'writer' },
	);
	for my $name (sort keys %ask) {
		my %m = (type => 'recall', %{ $ask{$name} });
		my $all = $p->request({ %m, limit => 100 });
		is(scalar @{ $all->{memories} }, 45, "$name: all");
		ok(!exists $all->{more}, "$name: no more");
		is(scalar @{ $p->request(\%m)->{memories} }, 20,
		    "$name: 20 without a limit");
		my $order = join ' ', map { $_->{id} } @{ $all->{memories} };
		is($order, join(' ', reverse @mine), "$name: the newest first")
		    if $name ne 'recall';
		for my $limit (1, 7, 44, 45, 46) {
			my (@got, %at);
			while (@got < 100) {
				my $r = $p->request({ %m, limit => $limit,
				    %at });
				push @got, map { $_->{id} }
				    @{ $r->{memories} };
				last if !$r->{more};
				%at = (after => $r->{next});
			}
			is(join(' ', @got), $order, "$name: pages of $limit");
		}
		for my $after ('x', '1', '.', '1.', ".$mine[0]",
		    "-1.$mine[0]", "1.$mine[0]0", '9' x 30 . ".$mine[0]") {
			is($p->request({ %m, after => $after })->{code},
			    'malformed', "$name: after $after");
		}
	}
	for (0, 101, '5') {
		is(memories($p, limit => $_)->{code}, 'malformed',
		    "limit $_");
	}
};

subtest 'forgotten and restored' => sub {
	my $s = $b->seed;
	my ($p, $q) = map { $b->peer($s->{$_}, name => $_) } 'peerA', 'peerB';
	my %id = map { $_ => remember($p, "$_ owl", tags => [$_]) }
	    qw(one two three);
	ok($q->request({ type => 'forget', memoryId => $id{$_} })->{forgotten},
	    "$_ is forgotten") for 'one', 'two';
	is(found(recall($p, 'owl')), 'three', 'not found');
	is(found(memories($p)), 'three', 'nor listed');
	is(found(recall($p, '', tags => ['one'])), '', 'nor by a tag');
	my $r = memories($q, forgotten => Cpanel::JSON::XS::true);
	is(found($r), 'two one', 'but listed where one asks for it');
	like($r->{memories}[0]{forgottenAt}, qr/^\d{4}-.*Z$/, 'with the time');
	ok(!exists memories($q)->{memories}[0]{forgottenAt},
	    'which others do not have');
	is(found(memories($q, forgotten => Cpanel::JSON::XS::true,
	    @$_[0, 1])), $_->[2],
	    "of them: $_->[0]") for [tags => ['one'], 'one'],
	    [by => 'peerA', 'two one'], [by => 'peerB', ''], [limit => 1,
	    'two'];
	$r = $q->request({ type => 'restore', memoryId => $id{one} });
	is($r->{type}, 'memory_restored', 'restored');
	is($r->{memoryId}, $id{one}, 'its id');
	ok($r->{restored}, 'it was forgotten');
	is(found(recall($p, 'owl')), 'three one', 'it is found again');
	is(found(memories($p, tags => ['one'])), 'one', 'by its tag too');
	$r = $q->request({ type => 'restore', memoryId => $id{one} });
	ok($r->{type} eq 'memory_restored' && !$r->{restored}, 'once more');
	$r = $q->request({ type => 'restore', memoryId => '0' x 32 });
	is($r->{code}, 'not_found', 'what never was');
	$r = $wall->request({ type => 'restore', memoryId => $id{two} });
	is($r->{code}, 'not_found', 'nor from another mesh');
	is(found(memories($p)), 'three one', 'it stays forgotten');
};

is($b->stop, 0, 'stopped');
done_testing;
