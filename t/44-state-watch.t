#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Pages of keys, and watches of prefixes: who watches is told of nothing else,
# and misses nothing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use utf8;
use Test::More;
use Linnet;
use Linnet::Workers;

my $broker = Linnet->broker(workers => 2, options => ['limit.watches 3',
    'limit.output 8m']);

sub set {
	my ($p, $key, $value) = @_;
	my $r = $p->request({ type => 'set_state', key => $key,
	    value => $value // 1 });
	die $r->{message} if $r->{type} ne 'state_result';
	return $r;
}
sub list {
	my ($p, %o) = @_;
	return $p->request({ type => 'list_state', %o });
}
sub keys_of {
	return join ' ', map { $_->{key} } @{ $_[0]{entries} };
}
# Keys of the changes that came, before that of a marker.
sub told {
	my ($p, $by) = @_;
	my @keys;
	for (;;) {
		my $c = $p->wait_for('state_change') or return 'no marker';
		last if $c->{key} =~ /mark$/;
		push @keys, $c->{key} . ($c->{deleted} ? ' deleted' : '');
	}
	return join ', ', @keys;
}

subtest 'pages' => sub {
	my $p = $broker->peer($broker->seed->{peerA});
	my @keys = sort map { utf8::encode(my $k = $_); utf8::decode($k); $k }
	    (map { sprintf 'a/%02d', $_ } 1 .. 9), 'a', 'a0', 'A', 'b', 'ä',
	    'ä/x', "a/\x{10ffff}", "a/\x{10ffff}z", "it's", '%', 'a_1', 'a%1';
	set($p, $_) for @keys;
	# For UTF-8 the order of bytes is that of code points.
	is(keys_of(list($p)), join(' ', @keys), 'all, in the order of bytes');
	ok(!exists list($p)->{more}, 'and no more');
	for my $prefix ('', 'a', 'a/', 'a/0', 'a/01', 'A', 'ä', '%', 'a%', 'a_',
	    "a/\x{10ffff}", 'zz', "it's", 'a/01x') {
		is(keys_of(list($p, prefix => $prefix)),
		    join(' ', grep { index($_, $prefix) == 0 } @keys),
		    'prefix ' . ($prefix =~ s/[^ -~]/?/gr));
	}
	for my $limit (1, 2, 3, 7, 1000) {
		my (@got, $pages, %at);
		do {
			my $r = list($p, prefix => 'a', limit => $limit, %at);
			push @got, map { $_->{key} } @{ $r->{entries} };
			cmp_ok(scalar @{ $r->{entries} }, '<=', $limit,
			    'no more than asked for');
			is($r->{next} // '', $r->{more} ? $got[-1] : '',
			    'next when there is more');
			%at = (after => $r->{next});
		} while (defined $at{after} && ++$pages < 50);
		is(join(' ', @got), join(' ', grep { /^a/ } @keys),
		    "pages of $limit");
	}
	is(keys_of(list($p, after => 'b')), join(' ', grep { $_ gt 'b' } @keys),
	    'after, alone');
	set($p, "big$_", 'x' x 400_000) for 1 .. 4;
	my $r = list($p, prefix => 'big', limit => 10);
	is(keys_of($r), 'big1 big2', 'a page has a bound of bytes too');
	is($r->{next}, 'big2', 'and goes on');
	is(keys_of(list($p, prefix => 'big', limit => 10, after => 'big2')),
	    'big3 big4', 'there');
	is(scalar @{ list($p, prefix => 'big')->{entries} }, 4,
	    'without a limit all of them');
	$p->request({ type => 'delete_state', key => 'big2' });
	is(keys_of(list($p, prefix => 'big', limit => 10)), 'big1 big3',
	    'without a deleted one');
	for (['limit', 0], ['limit', 1001], ['limit', '1'], ['prefix', 1],
	    ['after', []]) {
		my $r = list($p, $_->[0] => $_->[1]);
		is($r->{code}, 'malformed', "wrong $_->[0]");
	}
};

subtest 'watches' => sub {
	my $s = $broker->seed;
	my ($all, $one, $two, $by) = map { $broker->peer(
	    $s->{ $_ % 2 ? 'peerA' : 'peerB' }, session_key => 1,
	    name => "p$_") } 0 .. 3;
	set($by, $_) for 'jobs/1', 'jobs/2', 'plan', 'mark';
	is(told($_), 'jobs/1, jobs/2, plan', 'who does not watch hears all')
	    for $all, $one, $two;
	my $r = $one->request({ type => 'watch_state', prefix => 'jobs/' });
	is($r->{type}, 'state_watched', 'watched');
	is($r->{prefix}, 'jobs/', 'the prefix');
	is(keys_of($r), 'jobs/1 jobs/2', 'and what there is');
	is($r->{entries}[0]{version}, 1, 'with versions');
	is($two->request({ type => 'watch_state', prefix => $_ })->{type},
	    'state_watched', "another: $_") for 'plan', 'none';
	is($two->request({ type => 'watch_state', prefix => 'plan' })->{type},
	    'state_watched', 'the same once more');
	my $each = sub {
		my ($what) = @_;
		set($by, $_) for 'jobs/3', 'job', 'plan/b', 'other';
		$by->request({ type => 'delete_state', key => 'jobs/1' });
		set($by, "$_/mark") for 'jobs', 'plan';
	};
	$each->();
	is(told($all), 'jobs/3, job, plan/b, other, jobs/1 deleted',
	    'it still does');
	is($all->wait_for('state_change')->{key}, 'plan/mark', 'all');
	is(told($one), 'jobs/3, jobs/1 deleted', 'one prefix');
	is(told($two), 'plan/b', 'two of them');

	$r = $one->request({ type => 'unwatch_state', prefix => 'plan' });
	is($r->{type}, 'state_unwatched', 'unwatched');
	ok(!$r->{existed}, 'what was not watched');
	is($r->{watches}, 1, 'one is left');
	$r = $one->request({ type => 'unwatch_state', prefix => 'jobs/' });
	ok($r->{existed}, 'what was');
	is($r->{watches}, 0, 'none is left');
	$each->();
	is(told($one), 'jobs/3, job, plan/b, other', 'who watches no more '
	    . 'hears all again');
	is(told($two), 'plan/b', 'the other one does not');

	is($two->request({ type => 'watch_state', prefix => 'third' })->{type},
	    'state_watched', 'as many as may be');
	$r = $two->request({ type => 'watch_state', prefix => 'fourth' });
	is($r->{code}, 'quota', 'no more');
	is_deeply([@$r{qw(limit used)}], [3, 3], 'with numbers');
	$two->request({ type => 'unwatch_state', prefix => 'third' });
	is($two->request({ type => 'watch_state', prefix => '' })->{type},
	    'state_watched', 'an empty prefix is every key');
	set($by, $_) for 'a', 'mark';
	is(told($two), 'a', 'it is');

	$r = $one->request({ type => 'watch_state' });
	is($r->{code}, 'malformed', 'a watch of nothing');
	# Watches end with the connection.
	my $session = 'watcher';
	my $w = $broker->peer($s->{peerA}, session_id => $session);
	$w->request({ type => 'watch_state', prefix => 'jobs/' });
	$w->close;
	$w = $broker->peer($s->{peerA}, session_id => $session);
	set($by, $_) for 'other', 'mark';
	is(told($w), 'other', 'the same session over a new connection has none');
};

subtest 'tools' => sub {
	my $s = $broker->seed;
	my $by = $broker->peer($s->{peerA});
	my ($tool, $other) = map { $broker->peer($s->{peerB},
	    session_key => 1, hello => { peerRole => 'control-plane' }) } 1, 2;
	$tool->request({ type => 'watch_state', prefix => 'a' });
	set($by, $_) for 'a', 'b', 'mark';
	$tool->request({ type => 'watch_state', prefix => '' });
	set($by, 'mark');
	is(told($tool), 'a', 'a tool is told of what it watches');
	ok($other->request({ type => 'list_peers' }), 'and without a watch');
	ok(!$other->ws->pick('state_change'), 'of nothing');
};

subtest 'nothing falls between' => sub {
	my $s = $broker->seed;
	my @by = map { $broker->peer($s->{peerA}, session_key => 1) } 0 .. 2;
	my ($lost, $rounds) = (0, 30);
	for my $round (1 .. $rounds) {
		my $w = $broker->peer($s->{peerB}, session_key => 1);
		my @ids = map { [$_, $by[$_]->post(type => 'set_state',
		    key => "r/$round/$_", value => 1)] } 0 .. 1;
		my $watch = $w->post(type => 'watch_state',
		    prefix => "r/$round/");
		push @ids, [2, $by[2]->post(type => 'set_state',
		    key => "r/$round/2", value => 1)];
		$by[$_->[0]]->reply($_->[1]) for @ids;
		my %known = map { $_->{key} => 1 }
		    @{ $w->reply($watch)->{entries} };
		set($by[0], "r/$round/mark");
		while (my $c = $w->wait_for('state_change')) {
			last if $c->{key} =~ /mark/;
			$known{ $c->{key} } = 1;
		}
		$lost += 3 - grep { $known{"r/$round/$_"} } 0 .. 2;
		$w->drop;
	}
	is($lost, 0, "a change is in the answer or is pushed, $rounds times");
};

subtest 'a page of a watch' => sub {
	my $s = $broker->seed;
	my $p = $broker->peer($s->{peerA}, session_key => 1);
	my @ids = map { $p->post(type => 'set_state', key => "k$_", value => 1) }
	    1 .. 1003;
	$p->reply($_) for @ids;
	my $r = $broker->peer($s->{peerB})->request({ type => 'watch_state',
	    prefix => 'k' });
	is(scalar @{ $r->{entries} }, 1000, 'a thousand keys');
	ok($r->{more}, 'and more');
	$r = list($p, prefix => 'k', after => $r->{next});
	is(scalar @{ $r->{entries} }, 3, 'which a list has');
};

is($broker->stop, 0, 'stopped');
done_testing;
