#!/usr/bin/env perl
# Every limit is an option: what a client sees who goes past it, and that a
# reload is enough to change it.  A row is the options, what is done, and what
# comes of it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet qw(wait_until run slurp scratch);
use Linnet::Tls;
use Linnet::Peer;

my $dir = scratch();
my $file = Linnet::Tls::put("$dir/linnetd.conf", '');
my $b = Linnet->broker(workers => 2, args => ['-c', $file]);
my $seed = $b->seed;
my $count = 0;

# A session of a member, under a name of its own.
sub peer {
	my ($who, %o) = @_;
	return $b->peer($seed->{"peer$who"}, name => 'p' . ++$count, %o);
}

# How a connection is answered that says so much of HTTP.
sub http {
	my (@lines) = @_;
	my $io = $b->tcp;
	$io->put(join "\r\n", @lines, '', '');
	my $in = $io->take(qr/^HTTP.*\r\n\r\n/s, 5);
	return $in =~ m{^HTTP/1\.1 (\d+)} ? "status $1" : 'nothing';
}

# What comes of a request: ok, or the error's code.
sub answer {
	my ($p, %m) = @_;
	my $r = $p->request(\%m) or return 'no answer';
	return $r->{type} eq 'error' ? "$r->{code}: $r->{message}" : 'ok';
}

# How the server ends a WebSocket.
sub closed {
	my ($ws) = @_;
	$ws->wait_close(10);
	my $c = $ws->closed || {};
	return join ' ', $c->{code} // 'not closed', $c->{reason} // '';
}

sub nested {
	my ($n) = @_;
	return '[' x $n . ']' x $n;
}

# A message whose value is nested so deep, the message itself included.
sub deep {
	my ($n) = @_;
	my $p = peer('A');
	$p->ws->send_text('{"type":"set_state","_reqId":"d","key":"k","value":'
	    . nested($n - 1) . '}');
	my $r = $p->wait_for(sub { $_->{type} eq 'error'
	    || ($_->{_reqId} // '') eq 'd' }) // {};
	return ($r->{type} // '') eq 'error' ? "$r->{code}: $r->{message}" : 'ok';
}

# Opens connections until one is refused: how many were not.
sub many {
	my ($most) = @_;
	my @io;
	for (1 .. $most) {
		my $io = $b->tcp;
		$io->put("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
		my $in = $io->take(qr/^HTTP.*\r\n\r\n/s, 5);
		last if $in !~ m{^HTTP/1\.1 200};
		push @io, $io;
	}
	my $n = @io;
	$_->drop for @io;
	return $n;
}

my @rows = (
	# HTTP.
	['limit.head 1k', sub { http('GET /health HTTP/1.1', 'Host: x',
	    'X: ' . 'x' x 2000) }, qr/^status 431$/],
	['limit.head 4k', sub { http('GET /health HTTP/1.1', 'Host: x',
	    'X: ' . 'x' x 2000) }, qr/^status 200$/],
	['limit.body 1k', sub { http('POST /join HTTP/1.1', 'Host: x',
	    'Content-Length: 1025') }, qr/^status 413$/],
	['limit.head_time 200ms', sub {
		my $io = $b->tcp;
		$io->put("GET / HTTP/1.1\r\n");
		$io->wait_eof(5);
		$io->take(0) =~ /^HTTP\S+ (\d+)/ ? $1 : 'nothing';
	    }, qr/^408$/],
	['limit.keep_time 200ms', sub {
		my $io = $b->tcp;
		my $r = $io->exchange('GET', '/health');
		"$r->{status} " . ($io->wait_eof(5) ? 'closed' : 'open');
	    }, qr/^200 closed$/],

	['limit.webhooks 1', sub {
		$b->ctl('member', 'role', $seed->{slug}, 'peer-a', 'admin');
		my $p = peer('A');
		my @r = map { $p->request({ type => 'create_webhook', endpoint =>
		    "https://hooks.invalid/$_", eventTypes => ['*'] }) } 1, 2;
		join ' ', map { $_->{code} // $_->{type} } @r;
	    }, qr/^webhook_created quota$/],

	# WebSocket.
	['limit.hello_time 200ms', sub { closed($b->ws) },
	    qr/^1008 no hello in time/],
	['limit.hello 1k', sub {
		my $ws = $b->ws;
		$ws->send_text('x' x 1025);
		closed($ws);
	    }, qr/^1009 /],
	["limit.message 16k\nlimit.hello 16k", sub {
		my $p = peer('A');
		$p->ws->send_text('x' x 16385);
		closed($p->ws);
	    }, qr/^1009 /],
	['limit.message_time 200ms', sub {
		my $p = peer('A');
		$p->ws->send_frame(1, 'x', fin => 0);
		closed($p->ws);
	    }, qr/^1008 message not complete/],
	["limit.ping_time 200ms\nlimit.dead_time 10s", sub {
		my $ws = peer('A')->ws;
		wait_until { $ws->pings > 0 } 5;
		$ws->pings > 0 ? 'pinged' : 'not pinged';
	    }, qr/^pinged$/],
	["limit.ping_time 200ms\nlimit.dead_time 500ms", sub {
		my $p = peer('A', ws => { pong => 0 });
		$p->ws->wait_eof(5) ? 'gone' : 'there';
	    }, qr/^gone$/],
	["limit.message 64k\nlimit.output 64k\nlimit.write_time 1h", sub {
		my $slow = peer('B');
		my $p = peer('A');
		$slow->ws->pause(1);
		my $big = 'x' x 50_000;
		answer($p, type => 'set_state', key => 'big', value => $big)
		    for 1 .. 400;
		# Beyond this it is told why, which it has a while to read.
		my $gone = wait_until {
			!grep { ($_->{displayName} // '') eq $slow->name }
			    @{ $p->request({ type => 'list_peers' })->{peers} }
		} 20;
		$gone ? 'gone' : 'there';
	    }, qr/^gone$/],
	["limit.write_time 300ms\nlimit.output 1g", sub {
		my $slow = peer('B');
		my $p = peer('A');
		$slow->ws->pause(1);
		answer($p, type => 'set_state', key => 'big', value => 'x' x 900_000)
		    for 1 .. 12;
		my $gone = wait_until {
			!grep { ($_->{displayName} // '') eq $slow->name }
			    @{ $p->request({ type => 'list_peers' })->{peers} }
		} 10;
		$gone ? 'gone' : 'there';
	    }, qr/^gone$/],

	# Messages.
	['limit.json_depth 4', sub { deep(5) }, qr/^malformed: .*deep/],
	['limit.json_depth 4', sub { deep(4) }, qr/^ok$/],
	['limit.targets 2', sub {
		my $r = peer('A')->send(to => ['@a', '@b', '@c'], text => 'x');
		"$r->{code} $r->{message}";
	    }, qr/^quota .*2 targets.*3/],
	['limit.unacked 2', sub {
		my ($p, $to) = (peer('A'), peer('B', acks => 1));
		$p->send(to => $to->name, text => $_) for 1 .. 3;
		my @got = map { $to->expect_push } 1 .. 2;
		my $third = $to->no_push ? 'held' : 'pushed';
		$to->ack($got[0]);
		$third . ' then ' . ($to->expect_push // {})->{text};
	    }, qr/^held then 3$/],
	['limit.pending 2', sub {
		my $p = peer('A');
		my @ids = map { $p->post(type => 'get_state', key => "k$_") }
		    1 .. 300;
		scalar grep { $p->reply($_) } @ids;
	    }, qr/^300$/],
	['limit.groups 2', sub {
		my $p = peer('A', groups => ['a', 'b']);
		answer($p, type => 'join_group', name => 'c');
	    }, qr/^quota: .* 2 groups/],
	['limit.file_bytes 4', sub {
		answer(peer('A'), type => 'share_file', name => 'f', size => 5)
	    }, qr/^too_big: .* 4 bytes/],
	['limit.group_name 8', sub {
		answer(peer('A'), type => 'join_group', name => 'g' x 9)
	    }, qr/^too_big: name is longer than 8 bytes/],
	['limit.group_name 8', sub {
		answer(peer('A'), type => 'join_group', name => 'g' x 8)
	    }, qr/^ok$/],
	['limit.name 16', sub {
		my $r = $b->peer($seed->{peerA}, name => 'n' x 17,
		    refused => 1)->refusal;
		"$r->{code} $r->{message}";
	    }, qr/^too_big displayName is longer than 16 bytes/],
	['limit.state_key 8', sub {
		answer(peer('A'), type => 'set_state', key => 'k' x 9, value => 1)
	    }, qr/^too_big: key is longer than 8 bytes/],
	['limit.state_value 16', sub {
		answer(peer('A'), type => 'set_state', key => 'k',
		    value => 'v' x 15)
	    }, qr/^too_big: value is longer than 16 bytes/],
	['limit.state_value 16', sub {
		answer(peer('A'), type => 'set_state', key => 'k',
		    value => 'v' x 14)
	    }, qr/^ok$/],
	['limit.memory 16', sub {
		answer(peer('A'), type => 'remember', content => 'm' x 17)
	    }, qr/^too_big: content is longer than 16 bytes/],

	# Connections and sessions.
	['limit.member_sessions 2', sub {
		my @p = map { peer('A', session_id => "s$_") } 1 .. 2;
		my $r = peer('A', refused => 1)->refusal;
		my $other = peer('B');
		my $again = peer('A', session_id => 's2');
		join ' ', $r->{code}, $r->{message}, $again->hello_ack->{type};
	    }, qr/^capacity .*2 sessions.* hello_ack$/],
	['limit.sessions 2', sub {
		my @p = (peer('A'), peer('B'));
		my $r = peer('A', refused => 1)->refusal;
		$r->{code};
	    }, qr/^capacity$/],
	['limit.per_address 3', sub { many(20) }, qr/^[3-6]$/],
	['limit.connections 4', sub {
		# Those of the row before may still be there.
		my $n;
		wait_until { ($n = many(20)) >= 3 } 5;
		$n;
	    }, qr/^[34]$/],
);

# Those that need more than a row, and where they have it.
my %elsewhere = (
	'limit.handshakes' => 't/32-tls.t',
	'limit.handshake_time' => 't/32-tls.t',
	'limit.drain_time' => 't/50-master.t',
	'limit.peer_events' => 't/49-leases.t',
	'limit.schedules' => 't/48-schedule.t',
	'limit.tokens' => 't/48-tokens.t',
	'limit.files' => 't/51-files.t',
	'limit.storage' => 't/51-files.t',
	'limit.watches' => 't/44-state-watch.t',
	'limit.durable_streams' => 't/48-durable-streams.t',
	'limit.durable_bytes' => 't/48-durable-streams.t',
	map({ ("limit.$_" => 't/49-limits.t') } qw(queue recipient_queue
	    state_keys state_bytes memories blocks)),
);

my %tested;
for (@rows) {
	my ($options, $do, $want) = @$_;
	my $name = $options =~ s/\n/, /gr;
	$tested{$_} = 1 for $options =~ /^(\S+)/mg;
	Linnet::Tls::put($file, "$options\n");
	my ($st, undef, $err) = $b->ctl('reload');
	is($st, 0, "$name: taken by a reload") or diag $err;
	# Who was there before is gone.
	wait_until { $b->psql('select count(*) from session '
	    . 'where ended_at is null') == 0 } 10;
	my $got = eval { $do->() } // "died: $@";
	like($got, $want, "$name: what a client sees");
}
is($b->stop, 0, 'the end');

# A database that does not answer.
$tested{'limit.request_time'} = 1;
$b = Linnet->broker(workers => 1, options => ['limit.request_time 500ms']);
{
	my $p = $b->peer($b->seed->{peerA}, name => 'p');
	my ($postgres) = map { $_->{postgres}{pid} } $b->ctl_json('--json',
	    'status');
	my @all = ($postgres, map { $_->[0] }
	    grep { $_->[1] == $postgres } Linnet::Proc::all());
	kill 'STOP', @all;
	my $r = $p->request({ type => 'get_state', key => 'k' }, 10);
	kill 'CONT', @all;
	is($r->{type}, 'error', 'limit.request_time 500ms: an error');
	is($r->{code}, 'unavailable', 'which says that it may be tried again');
}
is($b->stop, 0, 'the end');

# No limit is forgotten.
my (undef, $all) = run([Linnet->program('linnetd'), '-T', '-c', '/dev/null']);
for my $option ($all =~ /^(limit\.\w+)/mg) {
	next if $tested{$option};
	my $where = $elsewhere{$option};
	ok($where && slurp("$Linnet::Guard::srcdir/$where") =~ /\Q$option\E\b/,
	    "$option has a test");
}

done_testing;
