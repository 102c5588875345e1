# SPDX-License-Identifier: ISC
# A receiver of webhooks, and a name server: processes of a test's own, on free
# ports of 127.0.0.1.
#
#	my $h = Linnet::Hooks->new;
#	$h->answers('/x', 500);              # then and after it: 200
#	$h->names('a.test' => '10.0.0.1');   # or several: one for each question
#	my @got = $h->got('/x');             # { headers, body, at }, as they came
package Linnet::Hooks;
use strict;
use warnings;
use Cpanel::JSON::XS ();
use Fcntl ':flock';
use IO::Socket::INET;
use Linnet::Proc qw(scratch cleanup_at_end slurp);
use POSIX ();
use Socket 'inet_aton';
use Time::HiRes ();

sub new {
	my ($class) = @_;
	my $self = bless { dir => scratch(), pids => [] }, $class;
	my $tcp = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1',
	    ReuseAddr => 1) or die "listen: $!";
	my $udp = IO::Socket::INET->new(Proto => 'udp',
	    LocalAddr => '127.0.0.1') or die "udp: $!";
	$self->{port} = $tcp->sockport;
	$self->{dns} = '127.0.0.1:' . $udp->sockport;
	cleanup_at_end($self);
	$self->child(sub { $self->serve($tcp) });
	$self->child(sub { $self->resolve($udp) });
	return $self;
}

# Nothing that the test has at its end is the child's.
sub child {
	my ($self, $code) = @_;
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		setpgrp(0, 0);
		$SIG{$_} = 'DEFAULT' for qw(INT TERM);
		eval { $code->() };
		POSIX::_exit(0);
	}
	setpgrp($pid, $pid);
	push @{ $self->{pids} }, $pid;
	return;
}

sub cleanup {
	my ($self) = @_;
	for (splice @{ $self->{pids} }) {
		kill 'KILL', -$_;
		waitpid $_, 0;
	}
	return;
}

sub url {
	my ($self, $path, $host) = @_;
	return 'http://' . ($host // '127.0.0.1') . ":$self->{port}$path";
}

sub file {
	my ($self, $kind, $path) = @_;
	return "$self->{dir}/$kind" . ($path =~ s{/}{_}gr);
}

# What the next requests to a path get: a status, or [status, headers, body,
# seconds before it]; a 'x' for a number in front stands for ever.
sub answers {
	my ($self, $path, @list) = @_;
	my $f = $self->file('say', $path);
	open my $fh, '>', "$f.new" or die "$f: $!";
	print $fh map {
	    Cpanel::JSON::XS->new->canonical->encode(ref ? $_ : [$_])
	    . "\n" } @list;
	close $fh;
	rename "$f.new", $f or die "$f: $!";
	return;
}

sub names {
	my ($self, $name, @addresses) = @_;
	my $f = $self->file('name', $name);
	open my $fh, '>', "$f.new" or die "$f: $!";
	print $fh "@addresses";
	close $fh;
	rename "$f.new", $f or die "$f: $!";
	return;
}

sub got {
	my ($self, $path) = @_;
	# The last line may not be whole yet.
	return map { Cpanel::JSON::XS->new->utf8->decode($_) }
	    slurp($self->file('got', $path)) =~ /(.*)\n/g;
}

# The events that came, each delivery once.
sub events {
	my ($self, $path) = @_;
	my %seen;
	return map { $_->{event} } grep { !$seen{ $_->{deliveryId} }++ }
	    map { Cpanel::JSON::XS->new->utf8->decode($_->{body}) }
	    $self->got($path);
}

sub next_answer {
	my ($self, $path) = @_;
	my $f = $self->file('say', $path);
	open my $lock, '>>', "$f.lock" or die;
	flock $lock, LOCK_EX;
	my ($first, @rest) = split /^/, slurp($f);
	return [200, {}, 'ok'] if !defined $first;
	$first = Cpanel::JSON::XS->new->decode($first);
	return $first if !@rest && $first->[4];
	open my $fh, '>', $f or die;
	print $fh @rest;
	close $fh;
	return $first;
}

sub serve {
	my ($self, $tcp) = @_;
	$SIG{CHLD} = 'IGNORE';
	while (1) {
		my $c = $tcp->accept or next;
		next if fork;
		eval { $self->take($c) };
		POSIX::_exit(0);
	}
	return;
}

sub take {
	my ($self, $c) = @_;
	while (defined(my $line = <$c>)) {
		my ($method, $path) = $line =~ /^(\S+) (\S+)/ or return;
		my (%h, $body);
		while (($line = <$c> // return) =~ /^([^:]+):\s*(.*?)\r?\n/) {
			$h{ lc $1 } = $2;
		}
		read $c, $body, $h{'content-length'} // 0;
		my $a = $self->next_answer($path);
		my $f = $self->file('got', $path);
		open my $fh, '>>', $f or die;
		flock $fh, LOCK_EX;
		print $fh Cpanel::JSON::XS->new->utf8->encode({ headers => \%h,
		    method => $method, body => $body, at => Time::HiRes::time() })
		    . "\n";
		close $fh;
		Time::HiRes::sleep($a->[3]) if $a->[3];
		my ($status, $more, $text) = @$a;
		$text //= 'x';
		print $c "HTTP/1.1 $status x\r\n", (map { "$_: $more->{$_}\r\n" }
		    sort keys %{ $more // {} }),
		    'Content-Length: ', length $text, "\r\n\r\n$text";
		$c->flush;
	}
	return;
}

# One A record for each question; of IPv6 there is none.
sub resolve {
	my ($self, $udp) = @_;
	my %asked;
	while (defined $udp->recv(my $q, 512)) {
		my ($at, @labels) = (12);
		while (my $n = ord substr $q, $at, 1) {
			push @labels, substr $q, $at + 1, $n;
			$at += 1 + $n;
		}
		my $question = substr $q, 12, $at + 5 - 12;
		my ($type) = unpack 'n', substr $q, $at + 1, 2;
		my $name = lc join '.', @labels;
		my @a = split ' ', slurp($self->file('name', $name));
		my $rcode = @a ? 0 : 3;
		my $answer = '';
		if ($type == 1 && @a) {
			my $all = $a[0] eq 'all';
			shift @a if $all;
			my @now = $all ? @a : $a[$asked{$name}++ % @a];
			$answer = join '', map { pack('nnnNn', 0xc00c, 1, 1, 0,
			    4) . inet_aton($_) } @now;
		}
		$udp->send(substr($q, 0, 2) . pack('nnnnn', 0x8180 | $rcode, 1,
		    length($answer) / 16, 0, 0) . $question . $answer);
	}
	return;
}

1;
