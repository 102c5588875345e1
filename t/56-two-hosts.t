#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Two daemons on one database are one service: what is sent, set or reported
# on one host arrives on the other; one alone tells nobody.
use strict;
use warnings;
use Linnet;
use Linnet::Postgres;
use Test::More;

my $pg = Linnet::Postgres->new;
my @options = ('database "' . $pg->conninfo . '"', 'mesh.ack_time 2s',
    'host_lease 3s');

sub host {
	my ($name) = @_;
	return Linnet->broker(workers => 2, options => [@options,
	    "host_name $name"]);
}

my $one = host('one');
my $seed = $one->seed;
my $alice = $one->peer($seed->{peerA}, name => 'alice', groups => ['dev'],
    session_key => 1);
is($alice->send(to => '*', text => 'alone')->{type}, 'ack', 'one host alone');

my $two = host('two');
my $bob = $two->peer($seed->{peerB}, name => 'bob', groups => ['dev'],
    session_key => 1, cwd => '/work/bob', session_id => 'bob-1');

# Who was there and who has just come: each sees the other.
sub sees {
	my ($who, $name) = @_;
	return wait_until {
		grep { $_->{displayName} eq $name }
		    @{ $who->request({ type => 'list_peers' })->{peers} }
	} 15, "$name to be seen";
}
ok(sees($bob, 'alice'), 'bob sees alice');
ok(sees($alice, 'bob'), 'alice sees bob');

for my $case ([$alice, $bob, 'there'], [$bob, $alice, 'back']) {
	my ($from, $to, $way) = @$case;
	for my $target ($to->key, '@dev', '*', $to->name) {
		my $text = "$way " . substr $target, 0, 8;
		my $ack = $from->send(to => $target, text => $text);
		is($ack->{recipients}, 1, "$text: one recipient");
		my $m = $to->expect_push;
		is($m->{text}, $text, "$text: arrives");
		my $known = wait_until { $from->request({
		    type => 'message_status',
		    messageId => $ack->{messageId} })->{delivered} } 10;
		ok($known, "$text: its sender knows");
	}
}
my $large = 'x' x 100_000;
is($alice->send(to => $bob->key, text => $large)->{type}, 'ack',
    'more than a notification carries');
is($bob->expect_push->{text}, $large, 'arrives');

$alice->request({ type => 'set_state', key => 'k', value => { n => 1 } });
my $change = $bob->wait_for(sub { ($_->{type} // '') eq 'state_change' });
is_deeply([@$change{qw(key value)}], ['k', { n => 1 }], 'state is pushed');

# Held on one host for a session of the other, by its own word or a hook's.
is($bob->request({ type => 'set_status', status => 'working' })->{status},
    'working', 'bob works');
is($alice->send(to => $bob->key, text => 'later')->{type}, 'ack', 'held');
ok($bob->no_push(after => $alice), 'and not pushed');
$bob->post(type => 'set_status', status => 'idle');
is($bob->expect_push->{text}, 'later', 'until bob is idle');

# The hook of bob's host calls the other daemon.
my $status = sub {
	my ($p) = grep { $_->{displayName} eq 'bob' }
	    @{ $alice->request({ type => 'list_peers' })->{peers} };
	return $p->{status};
};
my $hook = Linnet->broker(workers => 1, options => [@options,
    'host_name three', 'hook.loopback yes']);
my $r = $hook->http(POST => '/hook/set-status',
    { 'Content-Type' => 'application/json' },
    '{"cwd":"/work/bob","status":"working","session_id":"bob-1"}');
is($r->{status}, 200, 'a hook calls a third host');
my $works = wait_until { $status->() eq 'working' } 10;
ok($works, 'bob works, says alice');

# A host that dies takes its sessions with it.
$two->kill9(1);
my $cut = wait_until { $bob->ws->closed } 10;
ok($cut, 'bob is cut off');
my $gone = wait_until {
	!grep { $_->{displayName} eq 'bob' }
	    @{ $alice->request({ type => 'list_peers' })->{peers} }
} 20;
ok($gone, 'whoever was on a dead host is gone');
is($_->stop, 0, 'stops') for $hook, $one;
done_testing;
