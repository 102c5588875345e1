#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Three hosts on one database: what concerns nobody on a host is not sent to it,
# what is too large to send is read, what was lost is made up for, and all
# agree on who is there.
use strict;
use warnings;
use Linnet;
use Linnet::Postgres;
use MIME::Base64 'encode_base64';
use Test::More;

my $pg = Linnet::Postgres->new;
my @options = ('database "' . $pg->conninfo . '"', 'mesh.ack_time 30s',
    'host_lease 4s');

sub host {
	my ($name) = @_;
	return Linnet->broker(workers => 2, options => [@options,
	    "host_name $name"]);
}

sub psql { return $pg->rows(@_) }

my %host = map { $_ => host($_) } qw(one two three);
sub seed {
	my $s = $host{one}->seed(@_);
	return $s;
}
my ($seed, $other) = (seed(), seed());

sub peer {
	my ($host, $member, $name, %o) = @_;
	return $host{$host}->peer($member, name => $name, session_key => 1,
	    groups => ['all-of-us'], acks => 1, %o);
}

sub names {
	my ($p) = @_;
	return join ' ', sort map { $_->{displayName} }
	    @{ $p->request({ type => 'list_peers' })->{peers} };
}

# Everybody sees the same peers, themselves included or not.
sub agree {
	my ($why, $want, @peers) = @_;
	my @seen;
	my $agree = wait_until {
		@seen = map { my $p = $_;
		    join ' ', sort grep { $_ ne $p->name } split / /, names($p)
		} @peers;
		!grep { my $p = $peers[$_];
		    $seen[$_] ne join ' ', sort grep { $_ ne $p->name } @$want
		} 0 .. $#peers
	} 15;
	ok($agree, "all agree on who is there: $why")
	    or diag join "\n", map { $peers[$_]->name . ": $seen[$_]" } 0 .. $#peers;
	return;
}

# A metric of a host, over all its processes.
sub metric {
	my ($host, $name) = @_;
	my ($v) = $host{$host}->http(GET => '/metrics')->{body} =~
	    /^\Q$name\E (\d+)/m;
	return $v;
}

my $alice = peer(one => $seed->{peerA}, 'alice');
my $bob = peer(two => $seed->{peerB}, 'bob');
my $eve = peer(three => $other->{peerA}, 'eve');
agree('two hosts', ['alice', 'bob'], $alice, $bob);

# Directed: the third host serves another mesh.  The word of a mesh that begins
# to be served goes to all, so wait until that is over.
my $in = 'linnet_relay_records_total{direction="in"}';
my ($before, $two) = (metric(three => $in), metric(two => $in));
for (1 .. 20) {
	$alice->send(to => '*', text => "for two $_");
	$alice->request({ type => 'set_state', key => 'two', value => $_ });
	$bob->ack($bob->expect_push);
}
# The first changes may be made before host one knows that host two listens,
# which reads them then.
ok((wait_until { metric(two => $in) - $two >= 35 } 10),
    'host two hears of the mesh');
cmp_ok(metric(three => $in) - $before, '<', 5, 'host three does not');

my $carol = peer(three => $seed->{peerB}, 'carol');
agree('three hosts', [qw(alice bob carol)], $alice, $bob, $carol);

# Large: not a notification's, then not even the bus's.
for my $n (4_000, 100_000, 700_000) {
	my $text = 'x' x $n;
	for my $to ([$bob->key, $bob], ['@all-of-us', $bob, $carol]) {
		my ($target, @to) = @$to;
		is($alice->send(to => $target, text => $text)->{type}, 'ack',
		    "$n bytes to " . substr $target, 0, 10);
		for my $p (@to) {
			my $m = $p->expect_push;
			ok($m && $m->{text} eq $text, '... reach ' . $p->name);
			$p->ack($m) if $m;
		}
	}
	$alice->request({ type => 'set_state', key => "k$n",
	    value => $text });
	for my $p ($bob, $carol) {
		my $s = $p->wait_for(sub { ($_->{type} // '') eq 'state_change'
		    && $_->{key} eq "k$n" });
		ok($s && $s->{value} eq $text,
		    "a value of $n bytes is pushed to " . $p->name);
	}
}
# Order, between what is sent and what is read.
$alice->send_later(to => $bob->key, text => "$_ " . 'y' x ($_ % 3 * 6000))
    for 1 .. 30;
is(join(' ', map { my $m = $bob->expect_push; $bob->ack($m);
    (split / /, $m->{text})[0] } 1 .. 30), join(' ', 1 .. 30),
    'large and small ones arrive in order');

# The line is cut again and again, while messages flow.
my $sent = 0;
for (1 .. 5) {
	psql(q{select pg_terminate_backend(pid) from pg_stat_activity
	    where application_name = 'linnetd relay listens'});
	$alice->send_later(to => $bob->key, text => 'cut ' . ++$sent) for 1 .. 10;
	$alice->request({ type => 'set_state', key => 'cut', value => $sent });
}
my %got;
wait_until {
	while ($bob->ws->queued) {
		my $m = $bob->ws->wait_for(sub { 1 }, 0);
		next if $m->{type} ne 'push' || $m->{subtype};
		$got{ Linnet::Peer::plain($m)->{text} }++;
		$bob->ack($m);
	}
	keys %got >= $sent
} 10;
is(scalar(keys %got), $sent, 'LISTEN cut: everything arrived');
is_deeply([grep { $_ > 1 } values %got], [], 'once');
ok($carol->wait_for(sub { ($_->{type} // '') eq 'state_change'
    && $_->{key} eq 'cut' && $_->{value} == $sent }), 'the last value of the state too');

# What is none of ours, or of another version, harms nobody; a gap in the
# numbers of a host is a loss.
my ($stranger, $life) = ('f' x 32, 'e' x 32);
my $lost = metric(two => 'linnet_relay_lost_total');
psql("select pg_notify('linnet', p) from unnest(array['', 'x', '$stranger',
    '$stranger $life', '$stranger $life ', '$stranger $life *x',
    '$stranger $life *1 !!', '$stranger $life *2 AA==',
    '$stranger $life *3 " . encode_base64("\xff" x 60, '') . "',
    '$stranger $life *9']) as p");
$alice->send(to => $bob->key, text => 'after nonsense');
my $after = $bob->expect_push;
is($after && $after->{text}, 'after nonsense', 'nonsense is ignored');
$bob->ack($after);
cmp_ok(metric(two => 'linnet_relay_lost_total'), '>', $lost,
    'a gap is noticed');
is($host{two}->pids('relay'), 1, 'by a relay that lives');

# Who writes to somebody knows only where it was a moment ago: what goes there
# finds its way, long before it is due again.
my $key = Linnet::Peer::new_key();
my $stamp = int(time * 1000);
for my $round (1 .. 15) {
	my @hold = map { peer(two => $seed->{peerB}, 'eve',
	    session_key => $key, timestamp => $stamp++) } 1, 2;
	my $ack = $alice->send(to => $key->{pubkey}, text => "moved $round");
	my $m = $hold[1]->wait_for(sub { ($_->{type} // '') eq 'push'
	    && $_->{messageId} eq ($ack->{messageId} // '') }, 10);
	ok($m, "round $round: it follows a session that moved") or last;
	$hold[1]->ack($m);
	$_->close(1000) for @hold;
}
agree('eve was here', ['alice', 'bob', 'carol'], $alice, $bob, $carol);

# A host that dies, and one that comes back after its lease.
$host{three}->kill9(1);
agree('a host was killed', ['alice', 'bob'], $alice, $bob);
is($alice->send(to => $carol->key, text => 'while away')->{type}, 'ack',
    'a message for who was there is held');
my $again = peer(two => $seed->{peerB}, 'carol',
    session_key => $carol->{session});
is($again->expect_push->{text}, 'while away', 'and found on another host');
$host{three}->start;
my $dave = peer(three => $seed->{peerA}, 'dave');
agree('the host is back', [qw(alice bob carol dave)],
    $alice, $bob, $again, $dave);
is($_->stop, 0, 'stops') for @host{qw(three two one)};
done_testing;
