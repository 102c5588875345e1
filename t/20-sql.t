#!/usr/bin/env perl
# On an empty database of its own: migrate, then PREPARE every statement.
# And: all SQL is in sql/, and all of it is used.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet::Guard;
use Linnet::Postgres;

my @migrations = files('sql/[0-9]*_*.sql') or nothing_to_check('migration');
need(-e "$builddir/src/db/stmts.inc", 'a build of src/db/stmts.inc');
need(Linnet::Postgres::bin(), 'PostgreSQL');
is_deeply([map { m{/(\d{4})_[a-z0-9_]+\.sql$} ? $1 + 0 : $_ } @migrations],
    [1 .. @migrations], 'migrations are numbered without a gap');

# Nobody but the generated tables speaks SQL.
my $sql = qr/^\s*(?:select\s+\S|insert\s+into\s|update\s+\S+\s+set\s
    |delete\s+from\s|merge\s+into\s|with\s+\S+\s+as\s*\(
    |(?:create|alter|drop|truncate)\s+(?:table|index|schema|type|role)\s)/ix;
for my $f (files('src/*/*.[ch]')) {
	my @found = grep { $_ =~ $sql }
	    map { unquote($_) // '' } strip_c(text($f)) =~
	    /((?:"(?:\\.|[^"\\\n])*"\s*)+)/g;
	is("@found", '', "$f has no SQL of its own");
}

# name => text of the rows of a generated file.
sub statements {
	my ($file) = @_;
	my @rows = grep { $_->[0] eq 'STMT' } rows(text("$builddir/$file"));
	ok(scalar @rows, "$file has statements");
	return map { [@$_[1, 2], unquote($_->[-1]), $_->[5]] } @rows;
}
my @statements = statements('src/db/stmts.inc');
my @bootstrap = statements('src/db/migrate.inc');
my @embedded = grep { $_->[0] eq 'MIGRATION' }
    rows(text("$builddir/src/db/migrations.inc"));
is(scalar @embedded, scalar @migrations, 'the programs carry all migrations');

my @empty = grep { !files("src/$_/*.c") } qw(core worker relay jobs ctl);
SKIP: {
	skip "src/@empty has no code", 1 if @empty;
	my $code = join '', map { strip_c(text($_)) } files('src/*/*.[ch]');
	# One that is warm and has no parameters is run with each connection.
	my @unused = grep { $code !~ /\bSTMT_\Q$_\E\b/ } map { $_->[0] }
	    grep { $_->[1] || !$_->[3] } @statements;
	is("@unused", '', 'every statement is used');
}

my $pg = Linnet::Postgres->new;
sub works {
	my ($text, $name) = @_;
	my ($status, $out, $err) = $pg->psql($text);
	ok($status == 0, $name) or diag($err);
	return $out;
}

my $utility = qr/^\s*(?:create|alter|drop)\s/i;
for (grep { $_->[2] =~ $utility } @bootstrap) {
	works($_->[2], "run $_->[0]");
}
works('begin;' . text($_) . ';commit;', "migrate $_") for @migrations;
for (grep { $_->[2] !~ $utility } @bootstrap, @statements) {
	my ($name, $params, $text) = @$_;
	my $out = works("prepare \"$name\" as $text;
	    select coalesce(cardinality(parameter_types), 0)
	    from pg_prepared_statements where name = '$name'",
	    "prepare $name");
	is($out + 0, $params, "parameters of $name") if $out =~ /^\d+$/;
}
done_testing;
