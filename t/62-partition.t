#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Three hosts that reach their database over a network of their own: one of
# them is cut off for a moment, or for longer than its lease.  The hosts speak
# to each other through the database only, so this is also what a partition
# between hosts is.
use strict;
use warnings;
use Linnet;
use Linnet::Guard 'need';
use Linnet::Netns;
use Linnet::Postgres;
use Test::More;

my $net = need(Linnet::Netns->new(3), 'root with network namespaces');
my $pg = Linnet::Postgres->new(wrap => [$net->database],
    conf => { listen_addresses => "'*'" },
    hba => ['host all all 198.18.0.0/15 trust']);

sub options {
	my ($i) = @_;
	return ("host_name h$i", 'mesh.ack_time 2s', 'host_lease 4s',
	    'limit.request_time 1s', 'database "host='
	    . $net->database_address($i) . ' user=linnet dbname=linnet"');
}

my @host = (undef, map { Linnet->broker(workers => 2,
    wrap => [$net->host($_)], listen => [$net->host_address($_) . ':0'],
    options => [options($_)]) } 1 .. 3);
my $seed = $host[1]->ctl_json('-o', 'database "' . $pg->conninfo . '"', 'seed');
$_->{meshId} //= $seed->{meshId} for @$seed{qw(peerA peerB)};

sub peer {
	my ($i, $member, $name, %o) = @_;
	return $host[$i]->peer($member, name => $name, session_key => 1,
	    groups => ['g'], acks => 1, %o);
}
my $alice = peer(1, $seed->{peerA}, 'alice');
my $bob = peer(2, $seed->{peerB}, 'bob');
my $carol = peer(3, $seed->{peerA}, 'carol');

sub names {
	my ($p) = @_;
	my $r = $p->request({ type => 'list_peers' });
	return join ' ', sort $p->name, grep { $_ ne $p->name }
	    map { $_->{displayName} } @{ $r->{peers} || [] };
}

sub agree {
	my ($why, $want, @peers) = @_;
	my @seen;
	my $agree = wait_until {
		@seen = map { names($_) } @peers;
		!grep { $_ ne "@$want" } @seen
	} 20;
	ok($agree, "all agree on who is there: $why")
	    or diag join "\n", map { $peers[$_]->name . ": $seen[$_]" } 0 .. $#peers;
	return;
}

# Everything that came to a peer and was not acked yet, by text.
sub take {
	my ($p, $want) = @_;
	my %got;
	wait_until {
		while ($p->ws->queued) {
			my $m = $p->ws->wait_for(sub { 1 }, 0);
			next if ($m->{type} // '') ne 'push' || $m->{subtype};
			$got{ Linnet::Peer::plain($m)->{text} }++;
			$p->ack($m);
		}
		keys %got >= $want
	} 15;
	return \%got;
}

agree('all', [qw(alice bob carol)], $alice, $bob, $carol);

# For a moment: nobody notices but by waiting.
$net->cut(2);
for my $n (1 .. 5) {
	is($alice->send(to => $_, text => "short $n to $_")->{type}, 'ack',
	    "sent to $_ while it is cut off") for 'bob', '@g';
}
$alice->request({ type => 'set_state', key => 'k', value => 'short' });
$net->heal(2);
is(scalar(keys %{ take($bob, 10) }), 10, 'a short cut: all arrived');
is(scalar(keys %{ take($carol, 5) }), 5, 'elsewhere too');
ok(!$bob->ws->closed, 'and bob is still connected');
agree('a short cut', [qw(alice bob carol)], $alice, $bob, $carol);

# For longer than the lease: the others see the host's sessions end.  On the
# host itself a request waits, and then says that it could not be done; nothing
# is pushed that could not be stored.
$net->cut(2);
my $near = eval { peer(2, $seed->{peerA}, 'near', refused => 1) };
ok(!$near || !$near->hello_ack, 'nobody comes in there');
my $late = $bob->send(to => '*', text => 'from beyond', id => 'beyond',
    timeout => 20);
is($late->{code}, 'unavailable', 'bob cannot send');
agree('a long cut', [qw(alice carol)], $alice, $carol);
is($alice->send(to => $bob->key, text => "long $_")->{type}, 'ack',
    'a message for bob is held') for 1 .. 3;
ok(!$bob->ws->closed, 'bob has his connection still');
# What was told over the cut connections meanwhile shall not arrive later.
$net->forget(2);
$net->heal(2);
my $closed = $bob->wait_close(20);
is($closed && $closed->{code}, 1013, 'the host is back: bob has to come anew');
$bob = wait_until { eval { peer(2, $seed->{peerB}, 'bob',
    session_key => $bob->{session}) } } 10;
ok($bob, 'he does');
is(join(',', sort keys %{ take($bob, 3) }), 'long 1,long 2,long 3',
    'and has what was held');
agree('after a long cut', [qw(alice bob carol)], $alice, $bob, $carol);
is($bob->send(to => '*', text => 'from beyond', id => 'beyond')->{type}, 'ack',
    'bob sends it again');
for my $p ($alice, $carol) {
	is_deeply(take($p, 1), { 'from beyond' => 1 },
	    $p->name . ' has it once');
}

# All are cut off, so that nobody can say who is dead: nobody is.
$net->cut($_) for 1 .. 3;
is($alice->send(to => 'bob', text => 'nobody', timeout => 20)->{code},
    'unavailable', 'no database for anybody');
$net->heal($_) for 1 .. 3;
my $ok = wait_until { $alice->send(to => 'bob', text => 'again')->{type}
    eq 'ack' } 15;
ok($ok, 'it is back');
# What was answered with unavailable may have been stored, and come first.
ok((wait_until { take($bob, 1)->{again} } 15), 'bob hears of it');
agree('a cut of all', [qw(alice bob carol)], $alice, $bob, $carol);
ok(!$_->ws->closed, $_->name . ' is still connected') for $alice, $carol;

is($_->stop, 0, 'stops') for @host[1 .. 3];
done_testing;
