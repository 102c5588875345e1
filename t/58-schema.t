#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# A newer program changes the schema while this one runs.  A change that says it
# is compatible disturbs nobody; after another one this program leaves in order
# and does not come back.  The test does what the newer program would.
use strict;
use warnings;
use Linnet;
use Linnet::Postgres;
use Test::More;

my $pg = Linnet::Postgres->new;
my @options = ('database "' . $pg->conninfo . '"', 'host_lease 3s');

sub host {
	my ($name, %o) = @_;
	return Linnet->broker(workers => 1,
	    options => [@options, "host_name $name"], %o);
}

sub psql { return $pg->rows(@_) }

my $one = host('one');
my $seed = $one->seed;
my $alice = $one->peer($seed->{peerA}, name => 'alice', session_key => 1);
my $version = psql('select max(version) from schema_version');
my ($next, $far) = ($version + 1, $version + 2);

sub works {
	my ($p, $when) = @_;
	my $set = $p->request({ type => 'set_state', key => $when, value => 1 });
	is($set->{version}, 1, "$when: a batch statement");
	is($p->request({ type => 'get_state', key => $when })->{value}, 1,
	    "$when: an ordinary one");
	is($p->send(to => $seed->{peerB}{pubkey}, text => $when)->{type}, 'ack',
	    "$when: a message is taken");
	return;
}
works($alice, 'before');

# The type of what a statement returns changes, for which PostgreSQL refuses
# the plan that was prepared.
psql(qq{begin;
    alter table state alter column updated_at type timestamptz(3);
    alter table message add column future text;
    insert into schema_version (version, name, compatible)
    values ($next, 'future', $version);
    commit});
works($alice, 'compatible');
$one->allow_log(qr/cached plan/);
ok(!$alice->ws->closed, 'nobody was disconnected');
my $two = host('two');
my $bob = $two->peer($seed->{peerB}, name => 'bob', session_key => 1);
works($bob, 'a program that is older than the schema');
my ($st, $out, $err) = $one->ctl('mesh', 'list');
is($st, 0, 'linnetctl works on it too') or diag $err;
is(psql('select max(version) from schema_version'), $next,
    'and the schema stays as it is');

psql("insert into schema_version (version, name, compatible)
    values ($far, 'far', $far)");
my $closed = $alice->wait_close(20);
is($closed && $closed->{code}, 1012, 'too new: clients are sent elsewhere');
my $why = qr/version $far and needs a program that knows version $far; this one /;
for my $host ($one, $two) {
	my $ended = $host->ended(30);
	ok($ended, 'a host that is too old ends by itself');
	is($host->status, 0, 'in order');
	like($host->log, $why, 'and says why');
	$host->allow_log(qr/schema of the database/);
}
my $three = host('three', start => 0);
$three->allow_log(qr/./);
ok(!eval { $three->start; 1 }, 'and does not start again');
like($three->log, $why, 'it says why');
($st, $out, $err) = $one->ctl('mesh', 'list');
isnt($st, 0, 'nor does linnetctl touch it');
like($err, $why, 'it says the same');
done_testing;
