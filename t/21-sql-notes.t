#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# The statements of state and memory, alone: what a batch of changes makes of
# a key, also when it comes twice; how deleted keys are forgotten; and that
# each finds its rows by an index where there are many.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use IO::Handle;
use Linnet::Guard;
use Linnet::Io qw(wait_until);
use Linnet::Postgres;

my @migrations = files('sql/[0-9]*_*.sql') or nothing_to_check('migration');
need(Linnet::Postgres::bin(), 'PostgreSQL');

my $pg = Linnet::Postgres->new;
sub sql { return $pg->rows(@_) }
# What was there before, and what programs of that time go on writing.
my $past = '00000000-0000-0000-0000-0000000000ff';
sub remembered {
	my ($id, $name, $tags) = @_;
	sql("insert into memory (id, mesh_id, member_id, by_name, content,
	    tags, created_at) values ('" . id($id) . "', '$past', '$past',
	    '$name', 'Old owls', $tags, now())");
}
sql('begin;' . text($migrations[0]) . ';commit;');
sql("insert into mesh (id, slug, name, owner_key, root_key)
    values ('$past', 'old', 'old', '', '');
    insert into state (mesh_id, key, value, version, by_session, by_name,
    updated_at) values ('$past', 'k', '1', 7, '$past', '', now())");
remembered(1000, 'Before', "array['t', repeat('x', 4096)]");
sql('begin;' . text($_) . ';commit;') for @migrations[1 .. $#migrations];
remembered(1001, 'After', "array['t']");

# Statements by name, as the programs prepare them.
my (%statement, $name);
for (split /^/, text('sql/stmts.sql')) {
	$name = $1 if /^-- name: (\S+)/;
	$statement{$name} .= $_ if defined $name && !/^--/;
}
s/;\s*\z// for values %statement;

sub id {
	return sprintf '00000000-0000-0000-0000-%012x', $_[0];
}
sub prepared {
	my ($name, $args, $before) = @_;
	return "set plan_cache_mode = force_generic_plan;\n"
	    . "prepare x as $statement{$name};\n" . ($before // '')
	    . "execute x($args);";
}
my ($mesh, $other) = map { id($_) } 1, 2;
sql("insert into mesh (id, slug, name, owner_key, root_key)
    values ('$mesh', 'a', 'a', '', ''), ('$other', 'b', 'b', '', '')");

# SQL for changes, each an [id, key, value (undef: delete), ifVersion].
sub changes {
	my @c = @_;
	my $array = sub {
		my ($type, @v) = @_;
		return 'array[' . join(', ', map { defined $_ ? "'$_'" : 'null' }
		    @v) . "]::$type\[]";
	};
	my $args = join ', ', $array->('int4', 0 .. $#c),
	    $array->('uuid', map { id($_->[0]) } @c),
	    $array->('uuid', ($mesh) x @c),
	    $array->('text', map { $_->[1] } @c),
	    $array->('text', map { $_->[2] } @c),
	    $array->('int8', map { $_->[3] } @c),
	    $array->('uuid', ($mesh) x @c), $array->('text', ('by') x @c);
	return prepared('state_write', $args);
}
# What became of each: the version that was made, the one that is there, or it
# has to be tried again.
sub became {
	my ($out) = @_;
	my @became;
	for (split /\n/, $out) {
		my ($n, $again, $changed, $made, $present) = split /\|/;
		$became[$n] = $again eq 't' ? 'again'
		    : $changed eq 't' ? "made $made" : "is $present";
	}
	return \@became;
}
sub change {
	return became(sql(changes(@_)));
}
sub there {
	return sql("select version || ' ' || value from state
	    where mesh_id = '$mesh' and key = '$_[0]' and version <> deleted");
}

subtest 'rows of older programs' => sub {
	my $last = id(0) =~ tr/0/f/r;
	my $found = sub {
		my ($query, $tags, $by) = @_;
		return join ' ', map { hex((split /\|/)[0] =~ s/.*-//r) }
		    split /\n/, sql(prepared('memory_search', "'$past',
		    '$query', $tags, $by, null, 'english', 9e18::int8, '$last',
		    9"));
	};
	is($found->('owl', "'{}'", 'null'), '1001 1000', 'found by their words');
	is($found->('owl', "'{t}'", "'before'"), '1000', 'by tag and author');
	is($found->('owl', "array[repeat('x', 4096)]", 'null'), '1000',
	    'by a long tag');
	is(sql(prepared('state_get', "'$past', 'k'")) =~ /\|(\d+)$/ && $1, 7,
	    'a key');
	sql("update state set version = version + 1, deleted = version + 1
	    where mesh_id = '$past'");
	is(sql(prepared('state_get', "'$past', 'k'")), '', 'that is deleted');
	sql("update state set value = '2', version = version + 1
	    where mesh_id = '$past'");
	like(sql(prepared('state_get', "'$past', 'k'")), qr/^2\|.*\|9$/,
	    'and set by a program that does not know of deletions');
};

my $ids = 100;
sub set { return [$ids++, @_] }
for (
	['sets are numbered', [set('a', 1), set('a', 2), set('b', 1)],
	    ['made 1', 'made 2', 'made 1'], { a => '2 2', b => '1 1' }],
	['and go on', [set('a', 3)], ['made 3'], { a => '3 3' }],
	['on the right version', [set('a', 4, 3)], ['made 4'], { a => '4 4' }],
	['on another', [set('a', 5, 3)], ['is 4'], { a => '4 4' }],
	['if it is not there, but it is', [set('a', 5, 0)], ['is 4'],
	    { a => '4 4' }],
	['if it is not there', [set('c', 1, 0)], ['made 1'], { c => '1 1' }],
	['nothing has a version', [set('d', 1, 7)], ['is 0'], { d => '' }],
	['one of several', [map { set('e', $_, 0) } 1 .. 4],
	    ['made 1', 'is 1', 'is 1', 'is 1'], { e => '1 1' }],
	['a chain of them', [set('e', 'true', 1), set('e', 'false', 2),
	    set('e', 'null', 3), set('e', 9, 3)],
	    ['made 2', 'made 3', 'made 4', 'is 4'], { e => '4 null' }],
	['with others between', [set('e', 5), set('e', 6, 5), set('e', 7),
	    set('e', 8, 6)], ['made 5', 'made 6', 'made 7', 'is 7'],
	    { e => '7 7' }],
	['several keys', [set('f', 1, 0), set('e', 8, 7), set('f', 2, 1),
	    set('e', 9, 7), set('b', 2)],
	    ['made 1', 'made 8', 'made 2', 'is 8', 'made 2'],
	    { e => '8 8', f => '2 2', b => '2 2' }],
	['deleted', [set('f', undef)], ['made 3'], { f => '' }],
	['twice', [set('f', undef), set('f', undef, 3)], ['is 0', 'is 0'],
	    { f => '' }],
	['what never was', [set('g', undef)], ['is 0'], { g => '' }],
	['set again', [set('f', 1, 0), set('f', 2)], ['made 4', 'made 5'],
	    { f => '5 2' }],
	['deleted on a version', [set('f', undef, 4), set('f', undef, 5),
	    set('f', 3, 5), set('f', 3, 0), set('f', undef, 7)],
	    ['is 5', 'made 6', 'is 0', 'made 7', 'made 8'], { f => '' }],
	['made and deleted at once', [set('h', 1), set('h', undef),
	    set('h', 2, 2), set('h', 3, 0)],
	    ['made 1', 'made 2', 'is 0', 'made 3'], { h => '3 3' }],
	['made and deleted for good', [set('i', 1, 0), set('i', undef, 1)],
	    ['made 1', 'made 2'], { i => '' }],
) {
	my ($name, $changes, $expected, $left) = @$_;
	is_deeply(change(@$changes), $expected, $name);
	# The connection was lost before the answer: the same once more.  What
	# is there may be told as it is now.
	my @sure = map { /made/ ? $_ : 'is' } @$expected;
	my $strict = !grep { defined $_->[2] && !defined $_->[3] } @$changes;
	is_deeply([map { s/^is.*/is/r } @{ change(@$changes) }], \@sure,
	    "$name: repeated") if $strict;
	is(there($_), $left->{$_}, "$name: $_") for sort keys %$left;
}
is(sql("select version || ' ' || value from state where key = 'i'"), '2 null',
    'what is left of a deleted key');

subtest 'two processes make the same key at once' => sub {
	my @psql = (Linnet::Postgres::bin() . '/psql', '-X', '-q', '-A', '-t',
	    '-h', $pg->dir, '-U', 'linnet', '-d', 'linnet');
	my @waits = (set('race', 1, 0), set('race', 2, 0), set('alone', 1, 0));
	my $seen = sub {
		my ($what) = @_;
		return wait_until {
			sql("select count(*) from pg_stat_activity
			    where $what") > 0
		} 10;
	};
	open my $first, '|-', @psql or die "psql: $!";
	$first->autoflush(1);
	print $first "begin; insert into state (mesh_id, key, value, version,
	    by_session, by_name, updated_at) values ('$mesh', 'race', '0', 1,
	    '$mesh', '', now());\n";
	ok($seen->("state = 'idle in transaction'"), 'one is first');
	open my $second, '-|', @psql, '-c', changes(@waits) or die "psql: $!";
	ok($seen->("wait_event_type = 'Lock'"), 'the other waits for it');
	print $first "commit;\n";
	close $first;
	my $out = join '', <$second>;
	close $second;
	is_deeply(became($out), ['again', 'again', 'made 1'],
	    'and has to try again, but for the key that nobody else made');
	is_deeply(change(@waits), ['is 1', 'is 1', 'made 1'],
	    'which says what is there');
};

subtest 'forgetting deleted keys' => sub {
	my $upkeep = sub { sql(prepared('upkeep_state', '3600000')) };
	my $old = sub { sql("update state set updated_at = now()
	    - interval '2 hours' where key = '$_[0]'") };
	my $rows = sub { sql("select count(*) from state where key = '$_[0]'") };
	my $versions = join ' ', @{ change(map { set('old', $_) } 1 .. 30) };
	like($versions, qr/made 30$/, 'a key with 30 versions');
	change(set('old', undef));
	$upkeep->();
	is($rows->('old'), 1, 'what was just deleted stays');
	$old->('old');
	$upkeep->();
	is($rows->('old'), 1, 'later others are told of its version first');
	is(sql("select state_floor from mesh where id = '$mesh'"), 31,
	    'the floor of its mesh');
	$upkeep->();
	is($rows->('old'), 0, 'then it goes');
	is_deeply(change(set('old', 1), set('new', 1, 0), set('old', 2),
	    set('old', 3, 33)), ['made 32', 'made 32', 'made 33', 'made 34'],
	    'new keys go on from there');
	is_deeply(change(set('old', 4), set('newer', 1)), ['made 35',
	    'made 32'], 'and those that are there from where they are');
	$old->('a');
	$upkeep->() for 1, 2;
	isnt(there('a'), '', 'a key that is there stays, however old');
};

# A memory of several meshes with many texts each.
sql("insert into member (id, mesh_id, key, name, name_folded, role)
    select ('00000000-0000-0000-0000-0000000000f' || g)::uuid, '$mesh',
    ('\\x0' || g)::bytea, 'm' || g, 'm' || g, 'member'
    from generate_series(1, 9) g;
insert into memory (id, mesh_id, member_id, by_name, by_folded, content, tags,
    created_at)
select ('01900000-0000-7000-8000-' || lpad(to_hex(g), 12, '0'))::uuid,
    case g % 3 when 0 then '$mesh' else '$other' end::uuid,
    ('00000000-0000-0000-0000-0000000000f' || (1 + g % 9))::uuid,
    'M' || g % 9, 'm' || g % 9, 'text ' || g || ' word' || g % 1000,
    array['t' || g % 50, 'rare' || g % 5000], now()
from generate_series(1, 150000) g;
update memory set forgotten_at = now() where hashtext(id::text) % 20 = 0;
insert into state (mesh_id, key, value, version, by_session, by_name,
    updated_at)
select '$mesh', 'k/' || g % 100 || '/' || g, '1', 1, '$mesh', '', now()
from generate_series(1, 50000) g;
analyze;");
sub rare {
	my $n = sql("select count(*) from memory where mesh_id = '$mesh'
	    and 'rare9' = any(tags) and forgotten_at is null and $_[0]");
	die 'none' if $n == 0;
	return $n;
}
my $last = id(0) =~ tr/0/f/r;
my $search = "9223372036854775807, '$last', 21";
for (
	['memory_search', "'$mesh', 'word7 text', '{}', null, null, 'english',
	    $search", 'memory_search', 21],
	['memory_search', "'$mesh', 'text', '{rare9}', 'm0', null, 'english',
	    $search", 'memory_search', rare("by_folded = 'm0'")],
	['memory_search', "'$mesh', 'text', '{}', null, '\\x7f', 'english',
	    $search", 'memory_search', 0],
	['memory_list', "'$mesh', '$last', 21", 'memory_newest', 21],
	['memory_list_chosen', "'$mesh', '{t9,rare9}', null, null, '$last', 21",
	    'memory_search', rare("'t9' = any(tags)")],
	['memory_list_chosen', "'$mesh', '{}', 'm3', null, '$last', 21",
	    'memory_search', 21],
	['memory_list_chosen', "'$mesh', '{}', null, '\\x04', '$last', 21",
	    'memory_search', 21],
	['memory_list_forgotten', "'$mesh', '{t9}', null, null, '$last', 21",
	    'memory_forgotten', 21],
	['memory_forget', "'$mesh', '" . id(7) . "'", 'memory_(?:newest|pkey)',
	    0],
	['memory_restore', "'$mesh', '" . id(7) . "'", 'memory_pkey', 0],
	['state_list', "'$mesh', 'k/42/', '', null, 1048576", 'state_pkey',
	    500],
	['state_list', "'$mesh', '', 'k/5', 21, 1048576", 'state_pkey', 21],
	['state_get', "'$mesh', 'k/5/5'", 'state_pkey', 1],
) {
	my ($name, $args, $index, $rows) = @$_;
	my $label = "$name($args)" =~ s/\s+/ /gr;
	my $plan = sql(prepared($name, $args) =~
	    s/^execute/explain (costs off) execute/mr);
	like($plan, qr/(?:using|on) $index\b/, "$label: $index");
	unlike($plan, qr/Seq Scan on (?:memory|state)\b/, "$label: no scan")
	    or diag($plan);
	my @got = split /\n/, sql(prepared($name, $args));
	is(scalar @got, $rows, "$label: rows");
}

# Another mesh's memories cost nothing.
my $plan = sql(prepared('memory_search', "'" . id(3) . "', 'text', '{}', null,
    null, 'english', $search") =~
    s/^execute/explain (analyze, costs off, timing off) execute/mr);
like($plan, qr/Bitmap Index Scan on memory_search \(actual rows=0 /,
    'nothing of another mesh is looked at') or diag($plan);

# However long a journal is, what is new in it is read from where it was read to.
$plan = sql(prepared('unit_claim', "'$mesh', '$mesh', 50",
    "set enable_seqscan = off;\n") =~
    s/^execute/explain (costs off) execute/mr);
like($plan, qr/on event\b.*\n\s+Index Cond: .*\bn > mark_1\.n/,
    'unit_claim: from the mark') or diag($plan);
done_testing;
