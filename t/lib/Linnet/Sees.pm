# SPDX-License-Identifier: ISC
# What a peer (Linnet::Peer) comes to see of others and of messages, wherever
# they are: each waits for it, and is a test.
package Linnet::Sees;
use strict;
use warnings;
use Exporter 'import';
use Linnet::Io 'wait_until';
use Test::More;

our @EXPORT = qw(row sees misses event_ok closed_ok got change status_ok);

# Told by another host, on a busy machine.
my $seconds = 15;

# Its row of list_peers now, by its name.
sub row {
	my ($p, $name) = @_;
	my $r = $p->request({ type => 'list_peers' }) || {};
	return (grep { $_->{displayName} eq $name } @{ $r->{peers} || [] })[0];
}

# Its row of list_peers becomes as wanted.
sub sees {
	my ($p, $name, $test, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$test //= sub { 1 };
	my $ok = wait_until {
		my $r = row($p, $name);
		$r && $test->($r)
	} $seconds;
	return ok($ok, $what // "$name is there")
	    || diag explain row($p, $name);
}

sub misses {
	my ($p, $name, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok((wait_until { !row($p, $name) } $seconds), $what);
}

sub event_ok {
	my ($p, $event, $name, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $e = $p->wait_for(sub { ($_->{type} // '') eq 'push'
	    && ($_->{subtype} // '') eq 'system' }, $seconds) || {};
	return is_deeply([$e->{event}, $e->{eventData}{displayName}],
	    [$event, $name], $what // "$event $name");
}

sub closed_ok {
	my ($p, $code, $reason, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $c = $p->wait_close($seconds) || {};
	return is_deeply([@$c{qw(code reason)}], [$code, $reason], $what);
}

sub got {
	my ($p, $text, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $m = $p->expect_push($seconds) || {};
	is($m->{text}, $text, $what // "$text arrives");
	return $m;
}

sub change {
	my ($p, $key, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $c = $p->wait_for('state_change', $seconds) || {};
	is($c->{key}, $key, $what // "a change of $key is told");
	return $c;
}

# What is said of the first recipient of a message becomes this.
sub status_ok {
	my ($p, $ack, $want, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $r;
	my $ok = wait_until {
		$r = $p->request({ type => 'message_status',
		    messageId => $ack->{messageId} });
		($r->{recipients}[0]{status} // '') eq $want
	} $seconds;
	ok($ok, $what // "it is $want") or diag explain $r;
	return $r;
}

1;
