#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Sessions over two hosts on one database: what peers are told, a session that
# goes from one host to the other, what was signed once, and a host that dies.
use strict;
use warnings;
use Linnet;
use Linnet::Postgres;
use Test::More;

my $pg = Linnet::Postgres->new;
my @options = ('database "' . $pg->conninfo . '"', 'mesh.lease 5s');

sub host {
	return Linnet->broker(workers => 2, options => [@options,
	    "host_name $_[0]"]);
}

sub psql { return $pg->rows(@_) }

my ($one, $two) = (host('one'), host('two'));
my $seed = $one->seed;
my $x = $one->peer($seed->{peerB}, name => 'on one', attest => 1);
my $y = $two->peer($seed->{peerB}, name => 'on two', attest => 1);

sub heard {
	my ($who, $want, $name, $seconds) = @_;
	for my $w (@$who) {
		my $e = $w->wait_for(sub { ($_->{type} // '') eq 'push' &&
		    ($_->{event} // '') =~ /^peer_/ }, $seconds // 20);
		is($e ? "$e->{event} $e->{eventData}{displayName}" : 'nothing',
		    $want, $name // $want);
	}
	return;
}

sub listed {
	my ($who, $name) = @_;
	return grep { $_->{displayName} eq $name }
	    @{ $who->request({ type => 'list_peers' })->{peers} };
}

# From the moment on in which the hosts know of each other's mesh.
ok((wait_until { listed($x, 'on two') && listed($y, 'on one') } 15),
    'both hosts serve the mesh');
heard([$x], 'peer_joined on two');

my $p = $two->peer($seed->{peerA}, name => 'alice', attest => 1,
    groups => ['dev']);
heard([$x, $y], 'peer_joined alice');
$p->request({ type => 'set_visible', visible => \0 });
heard([$x, $y], 'peer_hidden alice');
$p->request({ type => 'set_visible', visible => \1 });
heard([$x, $y], 'peer_visible alice');
$p->request({ type => 'set_stats', stats => { errors => 7 } });
ok((wait_until { (listed($x, 'alice'))[0]{stats} } 10), 'stats');

my %again = (name => 'alice', attest => 1, session_key => $p->{session});
my $q = $one->peer($seed->{peerA}, %again);
is($p->wait_close->{reason}, 'session_replaced', 'it goes to the other host');
is($q->hello_ack->{restoredStats}{errors}, 7, 'with what it had');
$q->drop;
ok((wait_until { !listed($y, 'alice') } 10), 'it is lost there');
$p = $two->peer($seed->{peerA}, %again);
ok($p->hello_ack->{restored}, 'and back here');
ok((wait_until { listed($x, 'alice') } 10), 'and seen');

# What was signed and proven on one host is so on all.
my $replay = $one->ws;
$replay->send_text($p->said);
is($replay->wait_for('error')->{code}, 'replayed', 'a hello is good once');
my $claim = $one->peer($seed->{peerA}, session_key => $p->{session},
    refused => 1);
is($claim->refusal->{code}, 'bad_session_pubkey', 'a claim is not enough');

$p->close(1000);
heard([$x, $y], 'peer_left alice', 'of all that only that it left');
$p = $two->peer($seed->{peerA}, %again);
heard([$x, $y], 'peer_returned alice');

# The lease of those on a host that died begins when that is noticed.
$two->kill9(1);
psql(q{update host set lease_until = now() - interval '1 second'
    where name = 'two'});
ok((wait_until { !listed($x, 'alice') } 40), 'a dead host is noticed');
my $r = $one->peer($seed->{peerA}, %again);
ok($r->hello_ack->{restored}, 'who comes back in time is not told of');
heard([$x], 'peer_left on two', 'who does not has left');
$r->close(1000);
heard([$x], 'peer_left alice');
is($one->stop, 0, 'stops');
done_testing;
