#!/usr/bin/env perl
# Multicasts to so many that their recipients are recorded together: told for
# each of them what became of it, pushed again to those who do not ack, and to
# those who were away, whatever dies.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet;

my $many = 48; # on two workers: enough on each
my $b = Linnet->broker(workers => 2, options => ['mesh.ack_time 3s',
	'mesh.lease 60s', 'limit.unacked 4', 'rate.member 0', 'rate.now 0',
	'rate.requests 0']);
my $seed = $b->seed;
my $alice = $b->peer($seed->{peerA}, name => 'alice');
my @crowd = map { $b->peer($seed->{peerB}, name => "p$_", acks => 1,
    session_key => 1, session_id => "s$_", groups => ['g']) } 1 .. $many;
ok((wait_until { @{ $alice->request({ type => 'list_peers' })->{peers} }
    >= $many + 1 } 20), 'they met');

# The states of the recipients of a message, counted, and the answer.
sub states {
	my ($id, $of) = @_;
	my $s = $alice->request({ type => 'message_status', messageId => $id });
	my %n;
	$n{ $_->{state} }++ for @{ $s->{recipients} };
	return (join(' ', map { "$_:$n{$_}" } sort keys %n), $s);
}

sub becomes {
	my ($id, $want, $name) = @_;
	my ($got, $s);
	ok((wait_until { ($got, $s) = states($id); $got eq $want } 20), $name)
	    or diag($got);
	return $s;
}

# Everybody reads one message, and perhaps acks it.  What came before may come
# again where all of this takes long.
my %seen;
sub all_get {
	my ($id, $ack, @who) = @_;
	my $right = 0;
	for my $p (@who) {
		my $m;
		while ($m = $p->expect_push(20)) {
			last if $m->{messageId} eq $id
			    || !$seen{ $m->{messageId} };
			$p->ack($m);
		}
		last if !$m;
		$right++ if $m->{messageId} eq $id;
		$p->ack($m) if $ack;
	}
	is($right, @who, 'it comes to ' . @who);
	$seen{$id} = 1;
	return;
}

my $rows = sub { $b->psql("select count(*) from $_[0]
    where message_id = '$_[1]'") };

subtest 'acked' => sub {
	my $sent = $alice->send(to => '@g', text => 'one');
	is($sent->{recipients}, $many, 'it is for all');
	my $id = $sent->{messageId};
	all_get($id, 1, @crowd);
	my $s = becomes($id, "acked:$many", 'all acked');
	ok($s->{delivered}, 'delivered');
	my $time = qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/;
	my @good = grep { $_->{pushedAt} =~ $time && $_->{ackedAt} =~ $time
	    && $_->{pushedAt} ge $s->{createdAt}
	    && $_->{ackedAt} ge $_->{pushedAt} && $_->{pushes} == 1 }
	    @{ $s->{recipients} };
	is(@good, $many, 'each has its times');
	is(join(',', sort map { $_->{name} } @{ $s->{recipients} }),
	    join(',', sort map { "p$_" } 1 .. $many), 'and its name');
	is($rows->('crowd', $id), 2, 'a row for each worker');
	is($rows->('delivery', $id), 0, 'and none for a recipient');
	is($crowd[7]->request({ type => 'message_status',
	    messageId => $id })->{type}, 'message_status_result',
	    'a recipient may ask');
	is($b->psql("select sum(waiting) from crowd
	    where message_id = '$id'"), 0, 'nobody waits');
};

subtest 'some do not ack' => sub {
	my $id = $alice->send(to => '@g', text => 'two')->{messageId};
	my @late = @crowd[0 .. 4];
	all_get($id, 1, @crowd[5 .. $#crowd]);
	all_get($id, 0, @late);
	becomes($id, 'acked:' . ($many - 5) . ' pushed:5', 'said of each');
	all_get($id, 1, @late);
	my $s = becomes($id, "acked:$many", 'pushed again, and acked');
	is(scalar(grep { $_->{pushes} == 2 } @{ $s->{recipients} }), 5,
	    'to those alone');
	is($rows->('delivery', $id), 5, 'who have rows now');
	ok($crowd[9]->no_push(after => $alice), 'others get it once');
};

subtest 'an ack after the row was split' => sub {
	my $id = $alice->send(to => '@g', text => 'three')->{messageId};
	my $first = $crowd[0]->expect_push;
	all_get($id, 1, @crowd[1 .. $#crowd]);
	is($crowd[0]->expect_push(20)->{messageId}, $id, 'it came again');
	$crowd[0]->ack($first);
	becomes($id, "acked:$many", 'the ack counts');
	is($b->psql('select count(*) from audience'), 2,
	    'all went to the same, who are listed once for each worker');
};

subtest 'away, and back' => sub {
	my $id = $alice->send(to => '@g', text => 'four')->{messageId};
	all_get($id, 0, $crowd[0]);
	all_get($id, 1, @crowd[1 .. $#crowd]);
	$crowd[0]->drop;
	$crowd[0] = $b->peer($seed->{peerB}, name => 'p1', acks => 1,
	    session_key => $crowd[0]{session}, session_id => 's1');
	all_get($id, 1, $crowd[0]);
	becomes($id, "acked:$many", 'what was not acked is there again');

	$crowd[1]->drop;
	$id = $alice->send(to => '@g', text => 'five')->{messageId};
	all_get($id, 1, @crowd[0, 2 .. $#crowd]);
	$crowd[1] = $b->peer($seed->{peerB}, name => 'p2', acks => 1,
	    session_key => $crowd[1]{session}, session_id => 's2');
	all_get($id, 1, $crowd[1]);
	becomes($id, "acked:$many", 'and what was sent meanwhile');
};

subtest 'not to be disturbed' => sub {
	$_->request({ type => 'set_status', status => 'dnd' })
	    for @crowd[0 .. 2];
	ok((wait_until { 3 == grep { $_->{status} eq 'dnd' }
	    @{ $alice->request({ type => 'list_peers' })->{peers} } }),
	    'three are not');
	my $id = $alice->send(to => '@g', text => 'six')->{messageId};
	all_get($id, 1, @crowd[3 .. $#crowd]);
	becomes($id, 'acked:' . ($many - 3) . ' queued:3', 'they wait');
	$_->request({ type => 'set_status', status => 'idle' })
	    for @crowd[0 .. 2];
	all_get($id, 1, @crowd[0 .. 2]);
	becomes($id, "acked:$many", 'until they may');
};

subtest 'a full window' => sub {
	# More than four that are not acked: the rest waits, in its order.
	my @id = map { $alice->send(to => '@g', text => "w$_")->{messageId} }
	    1 .. 10;
	my @slow = @crowd[0 .. 1];
	for my $id (@id) {
		all_get($id, 1, @crowd[2 .. $#crowd]);
	}
	for my $p (@slow) {
		my @got;
		while (@got < 10) {
			my $m = $p->expect_push(20) or last;
			push @got, $m->{text}
			    if $m->{text} =~ /^w/
			    && !grep { $_ eq $m->{text} } @got;
			$p->ack($m);
		}
		is("@got", join(' ', map { "w$_" } 1 .. 10), 'all, in order');
	}
	becomes($_, "acked:$many", 'acked') for $id[0], $id[9];
};

subtest 'a worker dies' => sub {
	my $id = $alice->send(to => '@g', text => 'last')->{messageId};
	all_get($id, 0, @crowd);
	my ($pid) = $b->pids('worker');
	kill 'KILL', $pid;
	my @lost;
	ok((wait_until { @lost = split ' ', $b->psql("select name
	    from session where ended_at is not null
	    and name like 'p%'"); @lost >= 16 } 20), 'its sessions ended');
	for my $i (map { /(\d+)/; $1 - 1 } @lost) {
		$crowd[$i] = $b->peer($seed->{peerB}, name => 'p' . ($i + 1),
		    acks => 1, session_key => $crowd[$i]{session},
		    session_id => 's' . ($i + 1));
	}
	$alice = $b->peer($seed->{peerA}, name => 'alice')
	    if $alice->ws->wait_close(1);
	all_get($id, 1, @crowd);
	becomes($id, "acked:$many", 'it comes again to all');
};

is($b->stop, 0, 'stops');
done_testing;
