# SPDX-License-Identifier: ISC
# An S3 server of a test's own: contrib/s3/server.
package Linnet::S3;
use strict;
use warnings;
use Carp;
use File::Find;
use IPC::Open2;
use Linnet::Guard qw(need need_tool);
use Linnet::Proc qw(scratch cleanup_at_end);

# Skips the test where the server is not here.
sub new {
	my ($class, @buckets) = @_;
	my $node = "$Linnet::Guard::builddir/s3";
	need_tool(undef, $_) for qw(node npm);
	need(-d "$node/node_modules" || $ENV{LINNET_NOSKIP},
	    "an S3 server in $node");
	my $self = bless { node => $node, port => 0, base => scratch(),
		buckets => \@buckets }, $class;
	mkdir "$self->{base}/objects" or croak $!;
	cleanup_at_end($self);
	$self->start;
	return $self;
}

# On the port that it had before.
sub start {
	my ($self) = @_;
	$self->{pid} = open2($self->{out}, $self->{in},
	    "$Linnet::Guard::srcdir/contrib/s3/server", $self->{node},
	    "$self->{base}/objects", $self->{port}, @{ $self->{buckets} });
	local $SIG{ALRM} = sub { croak 'no S3 server' };
	alarm 120;
	my $line = readline $self->{out};
	alarm 0;
	($self->{port}) = ($line // '') =~ /^port (\d+)$/
	    or croak 'the S3 server has ended';
	return;
}

sub kill9 {
	my ($self) = @_;
	my $pid = delete $self->{pid} or return;
	kill 'KILL', $pid;
	Linnet::Proc::reap($pid, 5);
	return;
}

sub cleanup { return $_[0]->kill9 }

# Writes a file with a key; its path.
sub key {
	my ($self, $id, $secret) = @_;
	my $path = "$self->{base}/key" . ++$self->{keys};
	open my $fh, '>', $path or croak $!;
	chmod 0600, $path;
	print $fh $id // 'linnet-key', "\n", $secret // 'linnet/secret+key',
	    "\n";
	close $fh or croak $!;
	return $path;
}

# How many sockets a process has.
sub sockets {
	my ($pid) = @_;
	return scalar grep { (readlink // '') =~ /^socket/ }
	    glob "/proc/$pid/fd/*";
}

# The objects that it has, as bucket/key, in order.
sub objects {
	my ($self) = @_;
	my @found;
	find(sub {
		push @found, $1 if $File::Find::name =~
		    m{^\Q$self->{base}\E/objects/([^/]+/(?:mesh|shared).*)\._S3rver_object$}
	}, "$self->{base}/objects");
	return sort @found;
}

1;
