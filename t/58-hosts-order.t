#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Keeping order over two hosts on one database: who is sent away on one is so
# on both, also where it comes again at that very moment, where the word is
# lost on its way, and where the host of it is dead; blocks end up the same
# everywhere; and a session is in one place, wherever it is opened at once.
use strict;
use warnings;
use Cpanel::JSON::XS ();
use Linnet;
use Linnet::Postgres;
use Linnet::Sees;
use Test::More;
use Time::HiRes 'time';

my $pg = Linnet::Postgres->new;
my $database = 'database "' . $pg->conninfo . '"';
my ($true, $false) = (Cpanel::JSON::XS::true, Cpanel::JSON::XS::false);

sub host {
	return Linnet->broker(workers => 2, options => [$database,
	    'host_lease 4s', 'limit.hello 1m', "host_name $_[0]"]);
}

sub psql { return $pg->rows(@_) }

my ($one, $two) = (host('one'), host('two'));
my @hosts = ($one, $two);

sub seed {
	my $s = $one->seed;
	psql("update member set role = 'admin'
	    where id = '$s->{peerA}{memberId}'");
	return $s;
}

# The line between the hosts is cut; what is said meanwhile is lost.
sub cut {
	psql(q{select pg_terminate_backend(pid) from pg_stat_activity
	    where application_name = 'linnetd relay listens'});
	return;
}

sub ask {
	my ($p, $type, %o) = @_;
	return $p->request({ type => $type, %o });
}

# What becomes of a hello that was sent: a hello_ack, or the error.
sub answered {
	my ($ws) = @_;
	return $ws->wait_for(sub { ($_->{type} // '') =~
	    /^(?:hello_ack|error)$/ }, 15) || {};
}

sub says {
	my ($host, $hello) = @_;
	my $ws = $host->ws;
	$ws->send_text($hello);
	return $ws;
}

subtest 'kick' => sub {
	my $s = seed();
	my $ada = $one->peer($s->{peerA}, name => 'ada', session_key => 1);
	my @far = map { $two->peer($s->{peerB}, name => "far$_",
	    session_key => 1) } 1 .. 4;
	my $near = $one->peer($s->{peerB}, name => 'near', session_key => 1);
	my $tool = $two->peer($s->{peerB}, session_key => 1,
	    hello => { peerRole => 'control-plane' });
	sees($ada, "far$_") for 1 .. 4;
	for my $by (['a name', 'FAR1'], ['a session key', $far[1]->key],
	    ['a session id', $far[2]->hello_ack->{presenceId}]) {
		my ($what, $target) = @$by;
		my $p = shift @far;
		is_deeply(ask($ada, 'kick', target => $target,
		    reason => $what)->{kicked}, [$p->name], "by $what");
		closed_ok($p, 4001, "kicked: $what", 'it is told');
		ok(!row($ada, $p->name), 'it is gone when that is answered');
	}
	my $r = ask($ada, 'kick', target => $s->{peerB}{memberId});
	is_deeply([sort @{ $r->{kicked} }], ['far4', 'near', 'peer-b'],
	    'a member, on both hosts') or diag explain $r;
	closed_ok($_, 4001, 'kicked', 'each is told')
	    for @far, $near, $tool;

	my %p = map { my $h = $_ eq 'a' ? $one : $two;
	    $_ => $h->peer($s->{peerB}, name => $_, session_key => 1) }
	    'a' .. 'd';
	$tool = $two->peer($s->{peerB}, session_key => 1,
	    hello => { peerRole => 'control-plane' });
	sees($ada, $_) for sort keys %p;
	my $start = time;
	wait_until {
		ask($p{$_}, 'list_peers') for 'b', 'c';
		time > $start + 1
	} 10;
	$r = ask($ada, 'kick', stale => 900);
	is_deeply([sort @{ $r->{kicked} }], ['a', 'd'],
	    'who asked for nothing, which their own host knows')
	    or diag explain $r;
	closed_ok($p{$_}, 4001, 'kicked', "$_ is gone") for 'a', 'd';
	$r = ask($ada, 'disconnect', all => $true);
	is_deeply([[sort @{ $r->{kicked} }], $r->{skipped_control_plane}],
	    [['b', 'c'], 1], 'all, but no tools') or diag explain $r;
	closed_ok($p{$_}, 1000, 'disconnected', "$_ may come back")
	    for 'b', 'c';
	ok(ask($tool, 'list_peers')->{peers}, 'the tool works on');
};

subtest 'a ban, and hellos at that moment' => sub {
	my $s = seed();
	my $ada = $one->peer($s->{peerA}, name => 'ada', session_key => 1);
	my $late = $two->peer($s->{peerA}, name => 'late', session_key => 1);
	sees($late, 'ada');
	my (@in, @wrong);
	for my $round (1 .. 12) {
		my @ws = map { says($hosts[$_ % 2],
		    (Linnet::Peer::hello($s->{peerB}, name => "in$_",
		    session_key => 1))[0]) } 1 .. 4;
		my $keeper = $round % 2 ? $ada : $late;
		my $id = $keeper->post(type => 'ban', target => 'peer-b',
		    reason => "round $round");
		push @ws, map { says($hosts[$_ % 2],
		    (Linnet::Peer::hello($s->{peerB}, name => "in$_",
		    session_key => 1))[0]) } 5 .. 8;
		my $r = $keeper->reply($id);
		push @wrong, "round $round: $r->{type}"
		    if $r->{type} ne 'ban_ack';
		for (@ws) {
			push @in, 1 if answered($_)->{type} eq 'hello_ack';
			my $c = $_->wait_close(15);
			push @wrong, "round $round: " . ($c ? "$c->{code} "
			    . "$c->{reason}" : 'stays')
			    if !$c || $c->{code} != 4002;
		}
		# The other one lets it in again, on any host.
		$r = ask($keeper == $ada ? $late : $ada, 'unban',
		    target => 'peer-b');
		push @wrong, "round $round: $r->{type}"
		    if $r->{type} ne 'unban_ack';
		my $p = $hosts[$round / 2 % 2]->peer($s->{peerB},
		    refused => 1);
		push @wrong, "round $round: " . $p->refusal->{code}
		    if $p->refusal;
		ask($p, 'list_peers') or push @wrong, "round $round: no answer";
		$p->close(1000);
	}
	is_deeply(\@wrong, [], 'nobody stays, and afterwards all may come');
	note scalar(@in) . ' of 96 were in for a moment';
};

subtest 'a ban and blocks of which the word is lost' => sub {
	my $s = seed();
	my $ada = $one->peer($s->{peerA}, name => 'ada', session_key => 1);
	for my $round (1 .. 3) {
		my $bob = $two->peer($s->{peerB}, name => 'bob',
		    session_key => 1);
		sees($_, 'ada') && sees($_, 'bob') for $ada, $bob;
		cut();
		ask($ada, 'block', target => 'peer-b', what => ['dm']);
		ok((wait_until { ($bob->send(to => 'ada', text => 'x')->{code}
		    // '') eq 'blocked' } 15), 'a block is made up for');
		cut();
		ask($ada, 'unblock', target => 'peer-b');
		ok((wait_until { $bob->send(to => 'ada', text => 'x')->{type}
		    eq 'ack' } 15), 'and its end');
		cut();
		ask($ada, 'ban', target => 'peer-b');
		closed_ok($bob, 4002, 'banned', 'a ban is made up for');
		ask($ada, 'unban', target => 'peer-b');
	}
};

subtest 'blocks changed on both hosts' => sub {
	my $s = seed();
	my @ada = map { $_->peer($s->{peerA}, name => 'ada',
	    session_key => 1) } @hosts;
	my @bob = map { $_->peer($s->{peerB}, name => 'bob',
	    session_key => 1) } @hosts;
	for my $p (@bob) {
		ok((wait_until { $p->send(to => '*', text => 'x')->{recipients}
		    == 3 } 15), 'everybody is known');
	}
	my @wrong;
	for my $round (1 .. 15) {
		my @ids;
		for my $i (0 .. 3) {
			push @ids, [$_, $_->post(type => ($round + $i) % 3
			    ? 'block' : 'unblock', target => 'peer-b',
			    what => ['dm'])] for @ada;
		}
		$_->[0]->reply($_->[1]) for @ids;
		my $want = @{ ask($ada[0], 'list_blocks')->{blocks} }
		    ? 'error' : 'ack';
		for my $p (@bob) {
			my $r;
			wait_until {
				$r = $p->send(to => $ada[1]->key, text => 'x');
				$r->{type} eq $want
			} 15;
			push @wrong, "round $round: $r->{type}, not $want"
			    if $r->{type} ne $want;
		}
	}
	is_deeply(\@wrong, [], 'what the database says is what holds');
};

subtest 'one session opened on both hosts at once' => sub {
	my $s = seed();
	my %watch = map { $_ => $hosts[$_]->peer($s->{peerA},
	    name => "watch $_", attest => 1) } 0, 1;
	sees($watch{0}, 'watch 1');
	sees($watch{1}, 'watch 0');
	my $key = Linnet::Peer::new_key();
	my %same = (name => 'same', session_key => $key);
	for my $round (1 .. 12) {
		my $now = int(time * 1000);
		# By its key, or by its own word for itself.
		my @hello = map { (Linnet::Peer::hello($s->{peerB},
		    $round % 2 ? (%same, attest => 1)
		    : (name => 'same', session_id => 'same'),
		    timestamp => $now - $_))[0] } 0 .. 5;
		my @ws = map { says($hosts[$_ % 2], $hello[$_]) } 0 .. 5;
		my @r = map { answered($_) } @ws;
		# One may be replaced before it was answered.
		my ($in, $out) = ([], []);
		push @{ $_->{type} eq 'hello_ack' ? $in : $out }, $_ for @r;
		is_deeply([grep { ($_->{code} // '')
		    !~ /^(?:session_replaced|unavailable)$/ } @$out], [],
		    "round $round: each is let in, or comes too late")
		    or diag explain \@r;
		my %id = map { $_->{presenceId} => 1 } @$in;
		is(scalar keys %id, 1, 'as one');
		ok((wait_until { 1 == grep { !$_->closed } @ws } 15),
		    'one stays') or next;
		is_deeply([grep { $_->{reason}
		    !~ /^(?:session_replaced|unavailable)$/ }
		    map { $_->closed || () } @ws], [], 'the others are told');
		my $last = $ws[0];
		ok(!$last->closed, 'the one that was said last');
		for my $w (values %watch) {
			sees($w, 'same');
			my $text = "round $round of " . $w->name;
			$w->send(to => (keys %id)[0], text => $text);
			is($w->send(to => 'same', text => $text)->{type},
			    'ack', 'it is written to');
			my $m = $last->wait_for(
			    \&Linnet::Peer::is_message, 15);
			is(Linnet::Peer::plain($m)->{text}, $text,
			    'and has it');
		}
		$last->close(1000);
		misses($_, 'same', 'gone for all') for values %watch;
	}
};

subtest 'a host that is dead' => sub {
	my $s = seed();
	my $ada = $one->peer($s->{peerA}, name => 'ada', session_key => 1);
	my $bob = $two->peer($s->{peerB}, name => 'bob', session_key => 1);
	sees($ada, 'bob');
	$two->kill9(1);
	my $r = ask($ada, 'kick', target => 'bob');
	ok($r && $r->{type} =~ /^(?:kick_ack|error)$/, 'a kick is answered');
	is(ask($ada, 'ban', target => 'peer-b')->{type}, 'ban_ack', 'a ban');
	is($one->peer($s->{peerB}, refused => 1)->refusal->{code}, 'banned',
	    'which holds where it comes now');
	misses($ada, 'bob', 'and in time it is gone');
	$two->start;
	is($two->peer($s->{peerB}, refused => 1)->refusal->{code}, 'banned',
	    'nor is it let in when that host is back');
};

is($_->stop, 0, 'stops') for $two, $one;
done_testing;
