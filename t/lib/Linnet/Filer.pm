# SPDX-License-Identifier: ISC
# A files process of a test's own, driven through its channel by t/load/filer,
# whose commands are the methods here:
#
#	my $f = Linnet::Filer->new(options => ['files.dir /...']);
#	$f->start;
#	is($f->do("put $id 100 -"), "put 0 100 $sha");
package Linnet::Filer;
use strict;
use warnings;
use Carp;
use IPC::Open2;
use Linnet;
use Linnet::Proc qw(scratch slurp cleanup_at_end);

# options: lines of the configuration; before: a command before the program;
# wait: seconds that an answer may take.
sub new {
	my ($class, %o) = @_;
	my $self = bless { base => scratch(), wait => $o{wait} // 120 }, $class;
	open my $conf, '>', "$self->{base}/conf" or croak $!;
	print $conf "$_\n" for 'log.level info', @{ $o{options} || [] };
	close $conf or croak $!;
	open my $old, '>&', \*STDERR or croak $!;
	open STDERR, '>>', "$self->{base}/log" or croak $!;
	local $ENV{http_proxy} = 'http://127.0.0.1:1';
	$self->{child} = open2($self->{out}, $self->{in}, @{ $o{before} || [] },
	    Linnet->program('t/load/filer'), Linnet->program('linnetd'));
	open STDERR, '>&', $old or croak $!;
	$self->{in}->autoflush(1);
	cleanup_at_end($self);
	return $self;
}

sub log { return slurp("$_[0]{base}/log") }

# Says a command, or hears its answer; do is both.
sub say {
	my ($self, $line) = @_;
	local $SIG{PIPE} = 'IGNORE';
	print { $self->{in} } "$line\n" or croak "filer: $!";
	return;
}

sub hear {
	my ($self) = @_;
	my $line;
	local $SIG{ALRM} = sub { croak 'filer does not answer' };
	alarm $self->{wait} * Linnet::Io::patience();
	$line = readline $self->{out};
	alarm 0;
	croak 'filer has ended: ' . $self->log if !defined $line;
	chomp $line;
	return $line;
}

sub do {
	my ($self, $line) = @_;
	$self->say($line);
	return $self->hear;
}

# Starts the files process; its pid.
sub start {
	my ($self) = @_;
	my ($pid) = $self->do("start $self->{base}/conf") =~ /^pid (\d+)$/;
	croak 'no files process: ' . $self->log if !$pid;
	return $self->{pid} = $pid;
}

sub stop { return $_[0]->do('stop') }

# kB of memory that it has needed, as /proc/PID/status names them.
sub memory {
	my ($self, $what, $pid) = @_;
	my ($kb) = slurp('/proc/' . ($pid // $self->{pid}) . '/status') =~
	    /^\Q$what\E:\s+(\d+)/m;
	return $kb // croak "no $what";
}

sub cleanup {
	my ($self) = @_;
	my $child = delete $self->{child} or return;
	kill 'KILL', $self->{pid} if $self->{pid};
	close $self->{in};
	kill 'KILL', $child if !Linnet::reap($child, 5);
	return;
}

1;
