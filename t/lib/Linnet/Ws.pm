# SPDX-License-Identifier: ISC
# A WebSocket client (RFC 6455) that can also break the rules on purpose.
package Linnet::Ws;
use strict;
use warnings;
use Carp;
use Cpanel::JSON::XS ();
use Digest::SHA 'sha1_base64';
use MIME::Base64 'encode_base64';
use parent 'Linnet::Http';
use Linnet::Io 'wait_until';
use Test::More ();

use constant {
	CONT => 0, TEXT => 1, BINARY => 2, CLOSE => 8, PING => 9, PONG => 10,
};

# A value of somebody else may have a key twice.
my $json = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref->allow_dupkeys;

# Connects and upgrades.  Beside host and port: target (/ws), headers (more,
# or another value for one), pong => 0 (leaves pings unanswered).  Where the
# server does not upgrade, status and response say what it answered.
sub new {
	my ($class, %o) = @_;
	my $io = $class->SUPER::new(%o);
	my $key = encode_base64(join('', map { chr int rand 256 } 1 .. 16), '');
	my %h = (
		Connection => 'Upgrade',
		Upgrade => 'websocket',
		'Sec-WebSocket-Key' => $key,
		'Sec-WebSocket-Version' => 13,
		%{ $o{headers} || {} },
	);
	delete @h{ grep { !defined $h{$_} } keys %h };
	$io->{pong} = $o{pong} // 1;
	$io->{queue} = [];
	$io->{pings} = 0;
	$io->{pongs} = [];
	$io->{response} = $io->exchange('GET',
	    $o{target} // '/ws', \%h)
	    or croak 'no answer to the WebSocket upgrade';
	return $io if $io->status != 101;
	my $want = sha1_base64($h{'Sec-WebSocket-Key'}
	    . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11') . '=';
	croak 'wrong Sec-WebSocket-Accept'
	    if ($io->{response}{headers}{'sec-websocket-accept'} // '')
	    ne $want;
	$io->{ws} = 1;
	$io->input;
	return $io;
}

sub status {
	return $_[0]{response}{status};
}

# Pings received, and the payloads of pongs.
sub pings {
	return $_[0]{pings};
}

sub pongs {
	return @{ $_[0]{pongs} };
}

# { code, reason } once the connection is closed; 1006 when without a word.
sub closed {
	return $_[0]{closed};
}

sub send_text {
	my ($io, $text) = @_;
	$text = $json->encode($text) if ref $text;
	utf8::encode($text) if utf8::is_utf8($text);
	return $io->send_frame(TEXT, $text);
}

# One frame.  fin, rsv (3 bits), mask: as wanted; length: what the header
# says instead of the truth.
sub send_frame {
	my ($io, $op, $bytes, %o) = @_;
	my $n = $o{length} // length $bytes;
	my $mask = ($o{mask} // 1) ? 0x80 : 0;
	my $frame = pack 'C',
	    ($o{fin} // 1 ? 0x80 : 0) | ($o{rsv} // 0) << 4 | $op;
	$frame .= $n < 126 ? pack 'C', $mask | $n
	    : $n < 65536 ? pack 'Cn', $mask | 126, $n
	    : pack 'CQ>', $mask | 127, $n;
	if ($mask) {
		my $key = join '', map { chr int rand 256 } 1 .. 4;
		my $pad = $key x (int(length($bytes) / 4) + 1);
		$frame .= $key . ($bytes ^ substr $pad, 0, length $bytes);
	} else {
		$frame .= $bytes;
	}
	return $io->put($frame);
}

# A close frame; waits until the server has closed too.
sub close {
	my ($io, $code, $reason) = @_;
	return $io->{closed} if $io->{closed} || !$io->{fh};
	$io->send_frame(CLOSE,
	    defined $code ? pack('n', $code) . ($reason // '') : '')
	    unless $io->{said_close}++;
	return $io->wait_close;
}

sub wait_close {
	my ($io, $seconds) = @_;
	wait_until { $io->{closed} } $seconds, 'the connection to be closed';
	return $io->{closed};
}

# The next message, decoded; { close => { code, reason } } at the end; undef
# when nothing comes in time.
sub recv {
	my ($io, $seconds) = @_;
	wait_until { @{ $io->{queue} } || $io->{closed} } $seconds;
	return shift @{ $io->{queue} } if @{ $io->{queue} };
	return { close => $io->{closed} } if $io->{closed};
	return;
}

# The first message, also among those that came before, of a type or for
# which a sub is true (it gets the message as $_).  The others stay queued.
# undef, and a note of what did come, when there is none in time.
sub wait_for {
	my ($io, $what, $seconds) = @_;
	my $m;
	wait_until { ($m = $io->pick($what)) || $io->{closed} } $seconds;
	$m //= $io->pick($what);
	if (!$m) {
		Test::More::diag('no ' . (ref $what ? 'such message' : $what)
		    . '; ' . ($io->{closed}
		    ? "closed with $io->{closed}{code} $io->{closed}{reason}; "
		    : '') . 'queued: ' . $json->encode($io->{queue}));
	}
	return $m;
}

# The same without waiting.
sub pick {
	my ($io, $what) = @_;
	my $q = $io->{queue};
	for my $i (0 .. $#$q) {
		local $_ = $q->[$i];
		next unless ref $what ? $what->($_)
		    : ($_->{type} // '') eq $what;
		return splice @$q, $i, 1;
	}
	return;
}

# Everything queued, without taking it.
sub queued {
	return @{ $_[0]{queue} };
}

sub input {
	my ($io) = @_;
	return unless $io->{ws};
	1 while !$io->{closed} && $io->frame;
	$io->{closed} ||= { code => 1006, reason => '' } if $io->{eof};
	return;
}

sub drop {
	my ($io) = @_;
	$io->SUPER::drop;
	$io->{closed} ||= { code => 1006, reason => '' };
	return;
}

# Takes one frame from the input; false while there is none.
sub frame {
	my ($io) = @_;
	my $in = \$io->{in};
	return 0 if length $$in < 2;
	my ($b0, $b1) = unpack 'CC', $$in;
	my ($n, $at) = ($b1 & 0x7f, 2);
	if ($n == 126) {
		return 0 if length $$in < 4;
		($n, $at) = (unpack('x2 n', $$in), 4);
	} elsif ($n == 127) {
		return 0 if length $$in < 10;
		($n, $at) = (unpack('x2 Q>', $$in), 10);
	}
	return 0 if length $$in < $at + $n;
	my $data = substr $$in, $at, $n;
	substr($$in, 0, $at + $n) = '';
	croak sprintf 'the server broke RFC 6455: frame %02x %02x', $b0, $b1
	    if $b1 & 0x80 || $b0 & 0x70
	    || ($b0 & 0x08 && ($n > 125 || !($b0 & 0x80)));
	$io->got($b0 & 0x0f, $b0 & 0x80, $data);
	return 1;
}

sub got {
	my ($io, $op, $fin, $data) = @_;
	if ($op == PING) {
		$io->{pings}++;
		$io->send_frame(PONG, $data) if $io->{pong} && !$io->{said_close};
	} elsif ($op == PONG) {
		push @{ $io->{pongs} }, $data;
	} elsif ($op == CLOSE) {
		my ($code, $reason) = length $data >= 2
		    ? unpack('n a*', $data) : (1005, '');
		$io->{closed} = { code => $code, reason => $reason };
		$io->send_frame(CLOSE, substr $data, 0, 2)
		    unless $io->{said_close}++;
	} else {
		croak 'the server broke RFC 6455: fragments'
		    if ($op == CONT) != defined $io->{part};
		$io->{part_op} = $op if $op != CONT;
		$io->{part} .= $data;
		return if !$fin;
		my $whole = delete $io->{part};
		push @{ $io->{queue} }, $io->{part_op} == BINARY
		    ? { binary => $whole }
		    : eval { $json->decode($whole) } // { text => $whole };
	}
	return;
}

1;
