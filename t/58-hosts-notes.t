#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# State and memory over two hosts on one database: conditions hold across them,
# deletions and watches too, and what was missed is made up for.
use strict;
use warnings;
use Linnet;
use Linnet::Postgres;
use Test::More;

my $pg = Linnet::Postgres->new;
my @options = ('database "' . $pg->conninfo . '"');

sub host {
	return Linnet->broker(workers => 2, options => [@options,
	    "host_name $_[0]"]);
}

sub psql { return $pg->rows(@_) }

my ($one, $two) = (host('one'), host('two'));
my $seed = $one->seed;
my @one = map { $one->peer($seed->{peerA}, name => "one $_",
    session_key => 1) } 0 .. 1;
my @two = map { $two->peer($seed->{peerB}, name => "two $_",
    session_key => 1) } 0 .. 1;
my ($alice, $bob) = ($one[0], $two[0]);

sub sees {
	my ($who, $name) = @_;
	return wait_until {
		grep { $_->{displayName} eq $name }
		    @{ $who->request({ type => 'list_peers' })->{peers} }
	} 15;
}
ok(sees($bob, 'one 1') && sees($alice, 'two 1'), 'the hosts serve the mesh');

sub change {
	my ($p, $key) = @_;
	my $c = $p->wait_for(sub { ($_->{type} // '') eq 'state_change'
	    && $_->{key} eq $key }, 20);
	return $c ? join ' ', $c->{version}, $c->{deleted} ? 'deleted'
	    : $c->{value} : 'nothing';
}
sub set {
	my ($p, $key, $value, @if) = @_;
	return $p->request({ type => 'set_state', key => $key,
	    value => $value, @if ? (ifVersion => $if[0]) : () });
}
sub del {
	my ($p, $key) = @_;
	return $p->request({ type => 'delete_state', key => $key });
}

is(set($alice, 'k', 'a', 0)->{version}, 1, 'made on one host');
is(change($bob, 'k'), '1 a', 'told on the other');
is(set($bob, 'k', 'b', 0)->{code}, 'version_conflict', 'which knows it');
is(set($bob, 'k', 'b', 1)->{version}, 2, 'and changes it');
is(change($alice, 'k'), '2 b', 'told on the first');
is(set($alice, 'k', 'c', 1)->{version}, 2, 'a conflict tells its version');
is(del($bob, 'k')->{version}, 3, 'deleted');
is(change($alice, 'k'), '3 deleted', 'everybody is told');
is(join(', ', map { change($two[1], 'k') } 1 .. 3), '1 a, 2 b, 3 deleted',
    'of all of it');
is(set($alice, 'k', 'd', 0)->{version}, 4, 'set again');
is(change($bob, 'k'), '4 d', 'goes on above');

# One of two hosts makes a key; a sum that both add to.
my $won = 0;
for my $round (1 .. 10) {
	my @ids = map { [$_, $_->post(type => 'set_state', key => "r$round",
	    value => 1, ifVersion => 0)] } @one, @two;
	$won += grep { $_->[0]->reply($_->[1])->{type} eq 'state_result' } @ids;
}
is($won, 10, 'one of four makes a key, ten times');
my ($adding, $conflicts) = (10, 0);
my @todo = map { { p => $_, left => $adding, at => 0 } } @one, @two;
while (@todo) {
	$_->{id} = $_->{p}->post(type => 'set_state', key => 'sum',
	    value => $_->{at} + 1, ifVersion => $_->{at}) for @todo;
	for my $t (@todo) {
		my $r = $t->{p}->reply($t->{id}) or die 'no answer';
		$t->{at} = $r->{version};
		if ($r->{type} eq 'state_result') {
			$t->{left}--;
		} else {
			$conflicts++;
		}
	}
	@todo = grep { $_->{left} > 0 } @todo;
}
my $sum = $bob->request({ type => 'get_state', key => 'sum' });
is_deeply([@$sum{qw(value version)}], [4 * $adding, 4 * $adding],
    "no addition of four is lost, after $conflicts conflicts");

# Watches.
is($bob->request({ type => 'watch_state', prefix => 'jobs/' })->{type},
    'state_watched', 'a watch on the other host');
$bob->ws->pick('state_change') or last for 1 .. 1000;
set($alice, $_, 1) for 'other', 'jobs/1', 'more';
set($alice, 'jobs/large', 'x' x 20_000);
del($alice, 'jobs/1');
# The large one is read by the other host, so others may come before it.
my %told;
while (keys %told < 2 || $told{'jobs/1'} ne 'deleted') {
	my $c = $bob->wait_for('state_change', 20) or last;
	$told{ $c->{key} } = $c->{deleted} ? 'deleted' : length $c->{value};
}
is_deeply(\%told, { 'jobs/1' => 'deleted', 'jobs/large' => 20_000 },
    'nothing else is told; also what no notification carries, and a deletion');

# What was missed while the relay had no connection.
psql(q{select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'linnetd relay listens'});
set($alice, 'jobs/2', 2);
del($alice, 'k');
set($alice, 'plan', 'p');
is(change($bob, 'jobs/2'), '1 2', 'a change in the meantime');
is(change($two[1], 'k'), '4 d', 'what was before');
is(change($two[1], 'k'), '5 deleted', 'a deletion');
is(change($two[1], 'plan'), '1 p', 'for all');

# Memory is the database's.
my $id = $alice->request({ type => 'remember', tags => ['t'],
    content => 'The owl of one host' })->{memoryId};
my $r = $bob->request({ type => 'recall', query => 'owls', by => 'one 0' });
is($r->{memories}[0]{id}, $id, 'found on the other host');
ok($bob->request({ type => 'forget', memoryId => $id })->{forgotten},
    'forgotten there');
is(scalar @{ $alice->request({ type => 'list_memories' })->{memories} }, 0,
    'and here');
ok($alice->request({ type => 'restore', memoryId => $id })->{restored},
    'restored');
is($bob->request({ type => 'mesh_info' })->{memoryCount}, 1, 'for all');
is($bob->request({ type => 'mesh_info' })->{peers}, 4, 'who are four');

is($_->stop, 0, 'stops') for $two, $one;
done_testing;
