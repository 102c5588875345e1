# SPDX-License-Identifier: ISC
# One select loop for every socket of a test: whoever waits for one of them
# serves them all, so that a single process can be many peers at once.
package Linnet::Io;
use strict;
use warnings;
use Carp;
use Errno qw(EAGAIN EINTR);
use Exporter 'import';
use IO::Socket::IP;
use IO::Socket::UNIX;
use Scalar::Util 'weaken';
use Socket qw(SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY);
use Time::HiRes 'time';

our @EXPORT_OK = qw(wait_until patience);

my %open;    # descriptor -> object, weak

# Timeouts are for a quick and idle machine and a plain daemon; this makes them
# longer, which costs time only where something fails.
sub patience {
	return $ENV{LINNET_PATIENCE} // ($ENV{LINNET_WRAP} ? 10 : 3);
}

# wait_until { condition } seconds, 'name': the condition's value once it is
# true, else false; what did not happen is said.
sub wait_until(&;$$) {
	my ($cond, $seconds, $name) = @_;
	my $end = time + ($seconds // 10) * patience();
	while (1) {
		my $v = $cond->();
		return $v if $v;
		if (time >= $end) {
			Test::More::diag("waited in vain for $name")
			    if defined $name && $INC{'Test/More.pm'};
			return $v;
		}
		pump(0.02);
	}
}

# Reads and writes what can be, waiting at most so many seconds for it.
sub pump {
	my ($seconds) = @_;
	my ($r, $w) = ('', '');
	for my $fd (keys %open) {
		my $io = $open{$fd};
		if (!$io) {
			delete $open{$fd};
			next;
		}
		vec($r, $fd, 1) = 1 unless $io->{eof} || $io->{paused};
		vec($w, $fd, 1) = 1 if length $io->{out} && !$io->{eof};
	}
	my $n = select($r, $w, undef, $seconds);
	return if $n <= 0;
	for my $fd (keys %open) {
		my $io = $open{$fd} or next;
		$io->write_some if vec($w, $fd, 1);
		$io->read_some if vec($r, $fd, 1);
	}
	return;
}

# A connected socket.  host and port, or path of a unix socket; tls: arguments
# of openssl s_client, which then stands between, in an array.
sub new {
	my ($class, %o) = @_;
	return $class->new_tls(%o) if $o{tls};
	my $fh = defined $o{path}
	    ? IO::Socket::UNIX->new(Peer => $o{path})
	    : IO::Socket::IP->new(PeerHost => $o{host}, PeerPort => $o{port},
		Timeout => 10 * patience());
	croak 'connect to ' . ($o{path} // "$o{host}:$o{port}") . ": $@"
	    unless $fh;
	$fh->blocking(0);
	binmode $fh;
	setsockopt($fh, IPPROTO_TCP, TCP_NODELAY, 1) unless defined $o{path};
	my $io = bless { fh => $fh, in => '', out => '' }, $class;
	weaken($open{fileno $fh} = $io);
	return $io;
}

sub new_tls {
	my ($class, %o) = @_;
	require Linnet::Tls;
	require File::Temp;
	my $err = File::Temp->new;
	my ($fh, $pid) = Linnet::Tls::connect_to($o{host}, $o{port},
	    $err->filename, @{ $o{tls} });
	$fh->blocking(0);
	binmode $fh;
	my $io = bless { fh => $fh, in => '', out => '', tls => $pid,
	    tls_err => $err }, $class;
	weaken($open{fileno $fh} = $io);
	return $io;
}

# What the TLS client says of its connection, after it ended.
sub tls_says {
	my ($io) = @_;
	seek $io->{tls_err}, 0, 0;
	local $/;
	return readline($io->{tls_err}) // '';
}

sub DESTROY {
	my ($io) = @_;
	local ($@, $!);
	$io->drop if $io->{fh};
	return;
}

# Ends it at once, as a client that just goes.
sub drop {
	my ($io) = @_;
	my $fh = delete $io->{fh} or return;
	delete $open{fileno $fh};
	close $fh;
	$io->{eof} = 1;
	if (my $pid = delete $io->{tls}) {
		local $?;
		kill 'KILL', $pid;
		waitpid $pid, 0;
	}
	return;
}

# Ends it with a reset.
sub reset {
	my ($io) = @_;
	setsockopt($io->{fh}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0))
	    if $io->{fh};
	return $io->drop;
}

# Stops reading, or goes on: a peer that is too slow.
sub pause {
	my ($io, $on) = @_;
	$io->{paused} = $on;
	return;
}

# Queues bytes and writes what goes at once.
sub put {
	my ($io, $bytes) = @_;
	$io->{out} .= $bytes;
	$io->write_some if $io->{fh};
	return;
}

# Waits until everything queued is with the kernel.
sub flush {
	my ($io, $seconds) = @_;
	return wait_until { $io->{eof} || $io->{out} eq '' } $seconds,
	    'output to be taken';
}

sub write_some {
	my ($io) = @_;
	while (length $io->{out} && $io->{fh}) {
		local $SIG{PIPE} = 'IGNORE';
		my $n = syswrite $io->{fh}, $io->{out}, 65536;
		if (!defined $n) {
			return if $! == EAGAIN || $! == EINTR;
			$io->{out} = '';	# reading will say why
			return;
		}
		substr($io->{out}, 0, $n) = '';
	}
	return;
}

sub read_some {
	my ($io) = @_;
	while ($io->{fh} && !$io->{eof}) {
		my $n = sysread $io->{fh}, $io->{in}, 262144, length $io->{in};
		last if !defined $n && ($! == EAGAIN || $! == EINTR);
		if (!$n) {
			$io->{eof} = 1;
			$io->{error} = "$!" if !defined $n;
		}
	}
	$io->input;
	return;
}

# What arrived is in $io->{in}; a protocol takes it from there.
sub input {
	return;
}

sub eof {
	return $_[0]{eof};
}

# For raw tests: the bytes so far once they match, or number so many, or the
# peer closed.  They are taken from the input.
sub take {
	my ($io, $what, $seconds) = @_;
	my $done = ref $what ? sub { $io->{in} =~ $what }
	    : sub { length $io->{in} >= $what };
	wait_until { $io->{eof} || $done->() } $seconds, 'bytes from the server';
	my $in = $io->{in};
	$io->{in} = '';
	return $in;
}

# Did the server end the connection within the time?
sub wait_eof {
	my ($io, $seconds) = @_;
	return wait_until { $io->{eof} } $seconds, 'the server to close';
}

1;
