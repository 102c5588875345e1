#!/usr/bin/env perl
# Memory: what is remembered is found by its words, by everybody in the mesh.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet;

my $b = Linnet->broker(workers => 2);
my $seed = $b->seed;
my $alice = $b->peer($seed->{peerA}, name => 'alice');
my $bob = $b->peer($seed->{peerB}, name => 'bob');
my $wall = $b->peer($b->seed->{peerA}, name => 'wall');

sub remember {
	my ($p, $content, @tags) = @_;
	my $r = $p->request({ type => 'remember', content => $content,
	    @tags ? (tags => \@tags) : () });
	is($r->{type}, 'memory_stored', 'remembered') or diag($r->{message});
	return $r->{memoryId};
}

sub recall {
	my ($p, $query, %o) = @_;
	my $r = $p->request({ type => 'recall', query => $query, %o });
	is($r->{type}, 'memory_results', "recall $query") or diag($r->{message});
	return @{ $r->{memories} || [] };
}

sub found {
	return join ' ', sort map { $_->{id} } recall(@_);
}

my $r = $alice->request({ type => 'remember', tags => ['db', 'how to'],
    content => 'The migration runs before the workers start.' });
like($r->{memoryId}, qr/^[0-9a-f]{32}$/, 'memoryId');
is($r->{id}, $r->{memoryId}, 'id is the same');
my $migration = $r->{memoryId};
my $worker = remember($bob, 'A worker that dies is started again; workers,
    workers, everywhere workers.');
my $cafe = remember($bob, "Das Caf\x{e9} \x{1f426} it's; DROP TABLE memory; --",
    "\x{fc}ber", '{"a","b"}', 'NULL', '');

subtest 'found' => sub {
	my ($m) = recall($bob, 'migration');
	is($m->{id}, $migration, 'by a word');
	is($m->{content}, 'The migration runs before the workers start.',
	    'content');
	is_deeply($m->{tags}, ['db', 'how to'], 'tags');
	is($m->{rememberedBy}, 'alice', 'by whom');
	like($m->{rememberedAt}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/,
	    'when');
	is(found($bob, 'migrations RUNNING'), $migration, 'by their stems');
	is(found($bob, 'worker migrating'), $migration, 'all of them');
	is(found($bob, 'migration dies'), '', 'not only one');
	is(join(' ', map { $_->{id} } recall($alice, 'worker')),
	    "$worker $migration", 'the best first');
	is(found($alice, $_), '', "nothing for '$_'")
	    for '', 'the', 'nowhere', "' or 1=1 --", '& | ! ( :*', '\\';
	($m) = recall($alice, "caf\x{e9}");
	is($m->{content}, "Das Caf\x{e9} \x{1f426} it's; DROP TABLE memory; --",
	    'text as it was');
	is_deeply($m->{tags}, ["\x{fc}ber", '{"a","b"}', 'NULL', ''],
	    'tags as they were');
};

subtest 'a mesh is a wall' => sub {
	is(found($wall, 'migration'), '', 'not found from another mesh');
	my $f = $wall->request({ type => 'forget', memoryId => $migration });
	ok(!$f->{forgotten}, 'nor forgotten from there');
	is(found($alice, 'migration'), $migration, 'it is still there');
};

subtest 'limit' => sub {
	my $p = $b->peer($b->seed->{peerA});
	my @ids = map { $p->post(type => 'remember',
	    content => "penguin number $_") } 1 .. 30;
	$p->reply($_) for @ids;
	is(scalar(recall($p, 'penguin')), 20, '20 without a limit');
	is(scalar(recall($p, 'penguin', limit => $_)), $_, "limit $_")
	    for 1, 7, 30;
	is(scalar(recall($p, 'penguin', limit => 100)), 30, 'all there are');
	for my $limit (0, -1, 101, 1.5, '5') {
		is($p->request({ type => 'recall', query => 'x',
		    limit => $limit })->{code}, 'malformed',
		    'limit ' . Cpanel::JSON::XS->new->allow_nonref
		    ->encode($limit));
	}
};

subtest 'forget' => sub {
	my $f = $bob->request({ type => 'forget', memoryId => $migration });
	is($f->{type}, 'ack', 'anybody in the mesh may');
	is_deeply([@$f{qw(id messageId)}], [$migration, $migration],
	    'its id, twice for older clients');
	ok(!$f->{queued}, 'queued is false');
	ok($f->{forgotten}, 'forgotten');
	is(found($alice, 'migration'), '', 'it is not found any more');
	for my $id ($migration, '0' x 32) {
		$f = $bob->request({ type => 'forget', memoryId => $id });
		is($f->{type}, 'ack', 'again, or what never was: fine');
		ok(!$f->{forgotten}, 'and said so');
	}
	is($bob->request({ type => 'forget', memoryId => 'x' })->{code},
	    'malformed', 'no id');
	is($bob->request({ type => 'forget' })->{code}, 'malformed',
	    'nothing');
	isnt(found($bob, 'worker'), '', 'the others are still there');
};

subtest 'limits' => sub {
	my $long = 'word ' x 13107 . '.';
	is(length $long, 65536, 'the longest text');
	my $id = remember($alice, $long, ('t') x 64);
	is(scalar @{ (recall($bob, 'word'))[0]{tags} }, 64, '64 tags');
	for (['no content', 'malformed', {}],
	    ['empty', 'malformed', { content => '' }],
	    ['too long', 'too_big', { content => "x$long" }],
	    ['too many tags', 'too_big', { content => 'x',
		tags => [('t') x 65] }],
	    ['tags of another type', 'malformed', { content => 'x',
		tags => 'db' }],
	    ['a tag of another type', 'malformed', { content => 'x',
		tags => [1] }],
	    ['NUL', 'malformed', { content => "a\0b" }]) {
		my ($name, $code, $m) = @$_;
		is($alice->request({ type => 'remember', %$m })->{code}, $code,
		    $name);
	}
	is($alice->request({ type => 'recall' })->{code}, 'malformed',
	    'recall without a query');
	# A word longer than the index takes, and one without spaces.
	remember($alice, 'y' x 60000);
	remember($alice, join ' ', map { "w$_" } 1 .. 9000);
	is(scalar(recall($alice, 'w8999')), 1, 'many different words');
};

is($b->stop, 0, 'stopped');
done_testing;
