#!/usr/bin/env perl
# WebSocket (RFC 6455): what is read, what is refused and with which code, and
# what becomes of peers that are slow, silent or gone.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Test::More;
use Linnet;

my $b = Linnet->broker(workers => 1, options => [
	'limit.hello 2k', 'limit.message 128k', 'limit.output 256k',
	'limit.unacked 1000', 'limit.hello_time 3s', 'limit.message_time 1s',
	'limit.ping_time 1s', 'limit.dead_time 5s', 'limit.write_time 3s',
	'rate.refused 0',
]);
my $seed = $b->seed;
my ($a_member, $b_member) = @$seed{qw(peerA peerB)};
my $json = Cpanel::JSON::XS->new->canonical;

sub list {
	my ($id) = @_;
	return $json->encode({ type => 'list_peers', _reqId => $id });
}

sub closes_ok {
	my ($ws, $code, $name) = @_;
	my $c = $ws->wait_close;
	is($c && $c->{code}, $code, $name);
	ok($ws->wait_eof, "$name: and the connection ends");
	return;
}

subtest 'messages in every shape' => sub {
	my $p = $b->peer($a_member);
	my $ws = $p->ws;
	$ws->send_frame(2, list('binary'));
	is($p->reply('binary')->{type}, 'peers_list', 'a binary frame');

	my $text = $json->encode({ type => 'set_state', key => 'umlaut',
	    value => "\x{e4}\x{20ac}\x{1f426}", _reqId => 'parts' });
	utf8::encode($text);
	my @bytes = split //, $text;
	$ws->send_frame(1, shift @bytes, fin => 0);
	$ws->send_frame(0, '', fin => 0);
	$ws->send_frame(0, $_, fin => 0) for splice @bytes, 0, -1;
	$ws->send_frame(9, 'in between');
	$ws->send_frame(0, $bytes[0]);
	is($p->reply('parts')->{value}, "\x{e4}\x{20ac}\x{1f426}",
	    'byte by byte in fragments, characters cut in two');
	is(($ws->pongs)[-1], 'in between', 'a ping between fragments');

	my $frames = '';
	{
		no warnings 'redefine';
		local *Linnet::Io::put = sub { $frames .= $_[1] };
		$ws->send_text(list("many-$_")) for 1 .. 20;
		$ws->send_frame(9, '');
	}
	$ws->put($frames);
	is($p->reply("many-$_")->{type}, 'peers_list', "message $_ of a burst")
	    for 1, 20;
	{
		no warnings 'redefine';
		local *Linnet::Io::put = sub { $frames = $_[1] };
		$ws->send_text(list('slowly'));
	}
	for (split //, $frames) {
		$ws->put($_);
		$ws->flush;
	}
	is($p->reply('slowly')->{type}, 'peers_list', 'a frame byte by byte');
	ok(!$ws->closed, 'all of it on one connection');
};

subtest 'ping and close' => sub {
	my $p = $b->peer($a_member);
	for my $payload ('', 'hello', 'x' x 125) {
		my $n = () = $p->ws->pongs;
		$p->ws->send_frame(9, $payload);
		ok((wait_until { $p->ws->pongs > $n }), 'ping is answered');
		is(($p->ws->pongs)[-1], $payload, 'with what it carried');
	}
	$p->ws->send_frame(10, 'unasked');
	is($p->request({ type => 'list_peers' })->{type}, 'peers_list',
	    'a pong that nobody asked for is fine');
	is($p->close(1000, 'done')->{code}, 1000, 'close is answered');
	ok($p->ws->wait_eof, 'and the connection ends');

	$p = $b->peer($a_member);
	is($p->close->{code}, 1005, 'a close without a code too');
	$p = $b->peer($a_member);
	is($p->close(4321, 'mine')->{code}, 4321, 'one of the client\'s own');
	$p = $b->peer($a_member);
	$p->ws->send_text(list('last'));
	$p->ws->send_frame(8, pack 'n', 1000);
	is($p->reply('last')->{type}, 'peers_list',
	    'what was asked before is answered before')
	    or diag($json->encode($p->ws->closed));
};

subtest 'broken frames' => sub {
	my @rows = (
		['not masked', 1002, 1, '{}', mask => 0],
		['a reserved bit', 1002, 1, '{}', rsv => 4],
		['a reserved opcode', 1002, 3, '{}'],
		['a reserved control opcode', 1002, 11, ''],
		['a fragmented ping', 1002, 9, 'x', fin => 0],
		['a long ping', 1002, 9, 'x' x 126],
		['a continuation of nothing', 1002, 0, '{}'],
		['text that is not UTF-8', 1007, 1, "{\"type\":\"\xff\"}"],
		['UTF-8 of a surrogate', 1007, 1, "{\"x\":\"\xed\xa0\x80\"}"],
		['a close of one byte', 1002, 8, 'x'],
		['a close with a forbidden code', 1002, 8, pack 'n', 1005],
		['a close with a reason not UTF-8', 1007, 8,
		    pack('n', 1000) . "\xff"],
		['a negative length', 1002, 1, '', length => 2 ** 63],
	);
	for my $trusted (0, 1) {
		for (@rows) {
			my ($name, $code, $op, $bytes, %o) = @$_;
			my $ws = $trusted ? $b->peer($a_member)->ws : $b->ws;
			$ws->send_frame($op, $bytes, %o);
			closes_ok($ws, $code,
			    $name . ($trusted ? ' after hello' : ''));
		}
	}
	my $ws = $b->ws;
	$ws->send_frame(1, '{', fin => 0);
	$ws->send_frame(1, '}');
	closes_ok($ws, 1002, 'a message inside a message');
};

subtest 'sizes' => sub {
	my $long = sub {
		my ($n) = @_;
		my $m = list('long');
		return $m . ' ' x ($n - length $m);
	};
	my $ws = $b->ws;
	$ws->send_text($long->(2049));
	closes_ok($ws, 1009, 'over limit.hello before hello');
	$ws = $b->ws;
	$ws->send_text($long->(2048));
	is($ws->wait_for('error')->{code}, 'no_hello', 'just within it');

	my $p = $b->peer($a_member);
	$p->ws->send_text($long->(128 * 1024));
	is($p->reply('long')->{type}, 'peers_list', 'limit.message after hello');
	$p->ws->send_text($long->(128 * 1024 + 1));
	closes_ok($p->ws, 1009, 'a byte more');
	$p = $b->peer($a_member);
	$p->ws->send_frame(1, ' ', length => 2 ** 40);
	closes_ok($p->ws, 1009, 'told by the header, not by its end');
	$p = $b->peer($a_member);
	$p->ws->send_frame($_ ? 0 : 1, ' ' x 40000, fin => 0) for 0 .. 3;
	closes_ok($p->ws, 1009, 'in fragments');
};

subtest 'time' => sub {
	my ($silent, $talks, $half) = ($b->ws, $b->ws, $b->peer($a_member));
	$half->ws->send_frame(1, '{"type":', fin => 0);
	my $c = $half->ws->wait_close(15);
	is($c && $c->{code}, 1008, 'a message that does not end');
	like($c->{reason}, qr/\S/, 'with a reason');
	wait_until {
		$talks->send_text(list('x')) if !$talks->closed;
		$silent->closed && $talks->closed
	} 15;
	for ($silent, $talks) {
		is($_->closed && $_->closed->{code}, 1008,
		    'no hello within limit.hello_time');
		like($_->closed->{reason}, qr/hello/, 'and the reason says so');
	}
};

subtest 'silent peers' => sub {
	my $gone = $b->peer($a_member, ws => { pong => 0 }, name => 'gone');
	my $here = $b->peer($b_member, name => 'here');
	ok($gone->wait_close(20), 'who does not answer pings is dropped');
	cmp_ok($gone->ws->pings, '>=', 1, 'after it was pinged');
	ok((wait_until { $here->ws->pings >= 3 } 20), 'who answers stays');
	my @names = map { $_->{displayName} }
	    @{ $here->request({ type => 'list_peers' })->{peers} };
	is("@names", 'here', 'and only it is there');
};

# Large messages without a JSON parser in Perl, which is itself a slow reader.
sub quickly {
	my ($got, @args) = @_;
	my ($io, $op, $fin, $data) = @args;
	if ($op != 1 || length $data < 10_000) {
		$got->(@args);
		return;
	}
	push @{ $io->{queue} }, { type => 'push',
	    map { $_ => $data =~ /"$_":"([^"]*)"/ } qw(messageId ciphertext) };
	return;
}

subtest 'slow readers' => sub {
	my ($n, $size) = (100, 90_000);
	my $got = \&Linnet::Ws::got;
	no warnings 'redefine';
	local *Linnet::Ws::got = sub { quickly($got, @_) };
	my %slow = (name => 'slow', acks => 1, session_key => 1);
	my $slow = $b->peer($a_member, %slow);
	my $from = $b->peer($b_member, name => 'from');
	my $other = $b->peer($b_member, name => 'other', session_key => 1);
	$slow->ws->pause(1);
	# The kernel takes much, too.
	setsockopt($slow->ws->{fh}, SOL_SOCKET, SO_RCVBUF, 65536);
	my (@acks, @names);
	for my $i (1 .. $n) {
		push @acks, $from->send_later(to => $slow->key,
		    text => "$i " . 'x' x $size, id => undef);
		$from->reply(shift @acks, 30) if @acks > 8;
	}
	is($from->reply($_, 30)->{type}, 'ack', 'sent') for @acks;
	ok((wait_until {
		@names = map { $_->{displayName} }
		    @{ $from->request({ type => 'list_peers' })->{peers} };
		!grep { $_ eq 'slow' } @names
	} 30), 'the slow reader is cut') or diag("@names");
	is($from->send(to => $other->key, text => 'still here')->{type}, 'ack',
	    'nobody else is harmed');
	is($other->expect_push->{text}, 'still here', 'and it arrives');
	$slow->ws->pause(0);
	my $c = $slow->wait_close(30);
	like($c && $c->{code}, qr/^(?:1013|1006)$/, 'it was closed');
	like($c->{reason}, qr/slow/, 'with a reason') if $c->{code} == 1013;

	my %got;
	while (my $m = Linnet::Peer::plain(
	    $slow->ws->pick(\&Linnet::Peer::is_message))) {
		# Too late: these acks never left.
		$m->{text} =~ /^(\d+) / and $got{old}{$1} = 1;
	}
	my $back = $b->peer($a_member, %slow,
	    session_key => $slow->{session});
	ok($back->hello_ack->{restored}, 'it comes back');
	my @order;
	while (keys %{ $got{new} || {} } < $n) {
		my $m = $back->expect_push(30) or last;
		$m->{text} =~ /^(\d+) /;
		push @order, $1 if !$got{new}{$1}++;
		$back->post(type => 'client_ack',
		    brokerMessageId => $m->{messageId});
	}
	is(scalar keys %{ $got{new} }, $n, 'every message was kept for it');
	is("@order", join(' ', 1 .. $n), 'in order');
};

subtest 'what cannot be held back' => sub {
	my $deaf = $b->peer($a_member, name => 'deaf', session_key => 1);
	my $from = $b->peer($b_member, name => 'from');
	$deaf->ws->pause(1);
	setsockopt($deaf->ws->{fh}, SOL_SOCKET, SO_RCVBUF, 65536);
	$from->ws->send_text({ type => 'set_state', key => 'k',
	    value => $_ . 'x' x 100_000 }) for 1 .. 100;
	ok((wait_until {
		!grep { $_->{displayName} eq 'deaf' }
		    @{ $from->request({ type => 'list_peers' }, 30)->{peers} }
	} 30), 'over limit.output the connection is closed');
	is($from->request({ type => 'get_state', key => 'k' })->{type},
	    'state_result', 'nobody else is harmed');
	my $got = \&Linnet::Ws::got;
	no warnings 'redefine';
	local *Linnet::Ws::got = sub { quickly($got, @_) };
	$deaf->ws->pause(0);
	my $c = $deaf->wait_close(30);
	like($c && $c->{code}, qr/^(?:1013|1006)$/, 'it finds it closed');
	like($c->{reason}, qr/slow/, 'with a reason') if $c->{code} == 1013;
};

is($b->stop, 0, 'stopped');
done_testing;
