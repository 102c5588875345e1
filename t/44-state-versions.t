#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# State on a condition and deleted: one of many wins, nothing is overwritten
# that was not read, and versions only rise.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Test::More;
use Linnet;
use Linnet::Workers;

my $broker = Linnet->broker(workers => 2);
my $json = Cpanel::JSON::XS->new->canonical->allow_nonref;

sub set {
	my ($p, $key, $value, @if) = @_;
	return $p->request({ type => 'set_state', key => $key,
	    value => $value, @if ? (ifVersion => $if[0]) : () });
}
sub del {
	my ($p, $key, @if) = @_;
	return $p->request({ type => 'delete_state', key => $key,
	    @if ? (ifVersion => $if[0]) : () });
}
sub get {
	my ($p, $key) = @_;
	return $p->request({ type => 'get_state', key => $key });
}
sub change {
	return $_[0]->wait_for('state_change');
}

subtest 'one after the other' => sub {
	my $s = $broker->seed;
	my $p = $broker->peer($s->{peerA}, name => 'alice');
	my $told = $broker->peer($s->{peerB}, name => 'bob');
	my $wall = $broker->peer($broker->seed->{peerA});
	# op, value, ifVersion, then: version made, or the present one in a
	# conflict, and what others are told.
	for (
		['set', 1, 0, 1], ['set', 2, 0, 'conflict 1'],
		['set', 2, 1, 2], ['set', 3, 1, 'conflict 2'],
		['set', 3, 7, 'conflict 2'], ['set', 4, undef, 3],
		['delete', undef, 2, 'conflict 3'], ['delete', undef, 3, 4],
		['delete', undef, 3, 'conflict 0'],
		['delete', undef, undef, 'nothing'],
		['set', 5, 4, 'conflict 0'], ['set', 5, 0, 5],
		['set', 6, undef, 6], ['delete', undef, undef, 7],
		['set', 7, undef, 8], ['set', undef, 8, 9], ['set', 8, 9, 10],
	) {
		my ($op, $value, $if, $then) = @$_;
		my @if = defined $if ? $if : ();
		my $name = "$op" . (@if ? " if $if" : '') . ": $then";
		my $r = $op eq 'set' ? set($p, 'k', $value, @if)
		    : del($p, 'k', @if);
		if ($then eq 'nothing') {
			is($r->{type}, 'state_deleted', $name);
			is_deeply([@$r{qw(key version)}], ['k', 0],
			    'what was not there');
			ok(!$r->{existed}, 'and says so');
			next;
		}
		if ($then =~ /conflict (\d+)/) {
			is($r->{code}, 'version_conflict', $name);
			is($r->{version}, $1, 'the present version');
			like($r->{message}, $1 ? qr/\b$1\b.*\b$if\b.*read it/
			    : qr/no such key/, 'in words');
			is(get($p, 'k')->{version}, $1, 'and it is that');
			next;
		}
		is($r->{version}, $then, $name);
		is($r->{type}, $op eq 'set' ? 'state_result' : 'state_deleted',
		    'answer');
		ok($r->{existed}, 'it was there') if $op eq 'delete';
		my $c = change($told);
		is_deeply([@$c{qw(key value version updatedBy)}],
		    ['k', $value, $then, 'alice'], 'others are told');
		is($c->{deleted} // 'no', $op eq 'set' ? 'no' : 1,
		    'that it is deleted, or not');
		$r = get($told, 'k');
		is_deeply([@$r{qw(value version)}],
		    $op eq 'set' ? [$value, $then] : [undef, 0],
		    'and it is so');
		my @list = map { $_->{key} }
		    @{ $p->request({ type => 'list_state' })->{entries} };
		is("@list", $op eq 'set' ? 'k' : '', 'also in a list');
	}
	is_deeply([@{ get($p, 'gone') }{qw(value updatedBy updatedAt version)}],
	    [undef, '', '', 0], 'a deleted key is as one that never was')
	    if del($p, 'gone');
	$p->request({ type => 'list_peers' });
	ok(!$p->ws->pick('state_change'), 'who changes is not told');
	is(del($wall, 'k')->{version}, 0, 'another mesh has no such key');
	is(get($p, 'k')->{version}, 10, 'and does not take it from here');
};

subtest 'bad conditions' => sub {
	my $p = $broker->peer($broker->seed->{peerA});
	set($p, 'k', 1);
	for my $v (-1, '"1"', '1.5', 'true', '[]', '9007199254740993') {
		for my $op ('set_state', 'delete_state') {
			$p->ws->send_text("{\"type\":\"$op\",\"key\":\"k\","
			    . "\"value\":2,\"ifVersion\":$v,\"id\":\"x\"}");
			my $r = $p->ws->wait_for(
			    sub { ($_->{id} // '') eq 'x' });
			is($r->{code}, 'malformed', "$op: $v");
			like($r->{message}, qr/ifVersion/, 'names the field');
		}
	}
	is(del($p, 'k', 0)->{code}, 'malformed', 'deleted if it is not there');
	$p->ws->send_text('{"type":"set_state","key":"k","value":2,'
	    . '"ifVersion":null,"id":"y"}');
	is($p->ws->wait_for(sub { ($_->{id} // '') eq 'y' })->{version}, 2,
	    'null is none');
	# Without an id a success is quiet, a conflict is not.
	$p->ws->send_text({ type => 'set_state', key => 'k', value => 3,
	    ifVersion => 9 });
	is($p->ws->recv->{code}, 'version_conflict', 'a conflict is told');
};

subtest 'many at once' => sub {
	my $s = $broker->seed;
	my @p = map { $broker->peer($s->{ $_ % 2 ? 'peerA' : 'peerB' },
	    name => "p$_", session_key => 1) } 0 .. 5;
	my $watch = $broker->peer($s->{peerA}, session_key => 1);
	for my $round (1 .. 10) {
		my @ids = map { [$_, $p[$_]->post(type => 'set_state',
		    key => "new$round", value => $_, ifVersion => 0)] } 0 .. 5;
		my @r = map { [$_->[0], $p[$_->[0]]->reply($_->[1])] } @ids;
		my @won = grep { ($_->[1]{type} // '') eq 'state_result' } @r;
		is(scalar @won, 1, "round $round: one makes the key");
		is(join(' ', map { $_->[1]{version} } @r), '1 1 1 1 1 1',
		    'and all know its version');
		is(get($p[0], "new$round")->{value}, $won[0][0],
		    'the value is the winner\'s');
	}
	# Each adds 1 to what it read, until it wins, and again.
	my ($each, %todo) = (15);
	my %at = map { $_ => { left => $each, version => 0, value => 0 } }
	    0 .. 5;
	my $ask = sub {
		my ($i) = @_;
		my $a = $at{$i};
		$a->{id} = $p[$i]->post(type => 'set_state', key => 'sum',
		    value => $a->{value} + 1, ifVersion => $a->{version});
	};
	$ask->($_) for keys %at;
	my ($conflicts, $turns) = (0, 0);
	while (%at && $turns++ < 5000) {
		for my $i (sort keys %at) {
			my $a = $at{$i};
			my $r = $p[$i]->reply($a->{id}) or last;
			if ($r->{type} eq 'state_result') {
				@$a{qw(value version)} = @$r{qw(value version)};
				delete $at{$i}, next if --$a->{left} == 0;
			} else {
				$conflicts++;
				$r = get($p[$i], 'sum');
				@$a{qw(value version)} = @$r{qw(value version)};
			}
			$ask->($i);
		}
	}
	ok(!%at, 'all are done');
	my $r = get($p[0], 'sum');
	is_deeply([@$r{qw(value version)}], [6 * $each, 6 * $each],
	    'no addition is lost');
	cmp_ok($conflicts, '>', 0, "after $conflicts conflicts");
	my ($last, $wrong) = (0, 0);
	while ($last < 6 * $each) {
		my $c = $watch->wait_for(sub {
		    ($_->{type} // '') eq 'state_change'
		    && $_->{key} eq 'sum' }) or last;
		$wrong++ if $c->{version} <= $last
		    || $c->{value} != $c->{version};
		$last = $c->{version};
	}
	is($last, 6 * $each, 'a watcher ends with the last one');
	is($wrong, 0, 'and saw them in order');
};

subtest 'made and deleted by many' => sub {
	my $s = $broker->seed;
	my @p = map { $broker->peer($s->{ $_ % 2 ? 'peerA' : 'peerB' },
	    session_key => 1) } 0 .. 3;
	my (@ids, %seen, $made, $deleted);
	for my $n (1 .. 25) {
		push @ids, [$p[$_], $p[$_]->post(
		    $_ < 2 ? (type => 'set_state', value => $n, ifVersion => 0)
		    : (type => 'delete_state'), key => 'flip')] for 0 .. 3;
	}
	for (@ids) {
		my $r = $_->[0]->reply($_->[1]);
		next if !$r->{version} || $r->{type} eq 'error';
		$seen{ $r->{version} }++;
		$r->{type} eq 'state_result' ? $made++ : $deleted++;
	}
	my @versions = sort { $a <=> $b } keys %seen;
	is(join(' ', @versions), join(' ', 1 .. @versions),
	    'every change has its version');
	is((grep { $_ > 1 } values %seen), 0, 'and none the same');
	my $there = get($p[0], 'flip')->{version} > 0;
	is($made - $deleted, $there ? 1 : 0, 'made as often as deleted');
};

subtest 'room for what was deleted' => sub {
	my $small = Linnet->broker(workers => 1,
	    options => ['limit.state_keys 3', 'limit.state_bytes 1k']);
	my $p = $small->peer($small->seed->{peerA});
	set($p, "k$_", 1) for 1 .. 3;
	my $r = set($p, 'k4', 1);
	is($r->{code}, 'quota', 'no fourth key');
	is_deeply([@$r{qw(limit used)}], [3, 3], 'with numbers');
	ok(del($p, 'k2')->{existed}, 'until one is deleted');
	my $made = wait_until { set($p, 'k4', 1)->{type} eq 'state_result' } 5;
	ok($made, 'then there is');
	is($small->stop, 0, 'stopped');
};

is($broker->stop, 0, 'stopped');
done_testing;
