# SPDX-License-Identifier: ISC
# A network of the test's own: a namespace for the database, and one for each
# host, which has a link to the database and one to the test's clients.  Cutting
# the first is a partition: nothing is refused, packets are just gone.
#
#	my $net = Linnet::Netns->new(3);	# undef when that cannot be
#	$net->database			# a command prefix
#	$net->database_address(1)	# where host 1 finds the database
#	$net->host(1)			# a command prefix
#	$net->host_address(1)		# where clients find host 1
#	$net->cut(1); $net->heal(1);
#	$net->forget(1)			# the database's side of its connections
#
# The addresses are of 198.18.0.0/15, which is for tests of networks.
package Linnet::Netns;
use strict;
use warnings;
use Carp;
use Linnet::Proc qw(run cleanup_at_end);

sub ip {
	my (@args) = @_;
	my ($st, $out, $err) = run(['ip', @args]);
	return $st == 0 ? undef : "ip @args: $err";
}

sub must {
	my $error = ip(@_);
	croak $error if defined $error;
	return;
}

# Can namespaces and links be made here?
sub possible {
	return 0 if $> != 0 || defined ip('netns', 'add', "ln$$-try");
	my $error = ip('link', 'add', "ln$$-t0", 'type', 'veth', 'peer', 'name',
	    "ln$$-t1");
	ip('link', 'del', "ln$$-t0");
	ip('netns', 'del', "ln$$-try");
	return !defined $error;
}

sub address {
	my ($link, $host, $end) = @_;
	return sprintf '198.%d.%d.%d', $link, $$ % 256, 4 * $host + $end;
}

sub new {
	my ($class, $hosts) = @_;
	return if !possible();
	my $self = bless { hosts => $hosts, name => "ln$$" }, $class;
	cleanup_at_end($self);
	must('netns', 'add', "$self->{name}-db");
	must('-n', "$self->{name}-db", 'link', 'set', 'lo', 'up');
	$self->add_host($_) for 1 .. $hosts;
	return $self;
}

sub add_host {
	my ($self, $i) = @_;
	my ($db, $ns) = ("$self->{name}-db", "$self->{name}-$i");
	must('netns', 'add', $ns);
	must('-n', $ns, 'link', 'set', 'lo', 'up');
	must('link', 'add', "d$i", 'netns', $db, 'type', 'veth', 'peer', 'name',
	    'db0', 'netns', $ns);
	must('link', 'add', "$self->{name}c$i", 'type', 'veth', 'peer', 'name',
	    'cl0', 'netns', $ns);
	must('-n', $db, 'address', 'add', address(18, $i, 1) . '/30', 'dev',
	    "d$i");
	must('-n', $ns, 'address', 'add', address(18, $i, 2) . '/30', 'dev',
	    'db0');
	must('address', 'add', address(19, $i, 1) . '/30', 'dev',
	    "$self->{name}c$i");
	must('-n', $ns, 'address', 'add', address(19, $i, 2) . '/30', 'dev',
	    'cl0');
	must('-n', $db, 'link', 'set', "d$i", 'up');
	must('link', 'set', "$self->{name}c$i", 'up');
	must('-n', $ns, 'link', 'set', $_, 'up') for qw(db0 cl0);
	return;
}

sub database { return ('ip', 'netns', 'exec', "$_[0]{name}-db") }
sub database_address { return address(18, $_[1], 1) }
sub host { return ('ip', 'netns', 'exec', "$_[0]{name}-$_[1]") }
sub host_address { return address(19, $_[1], 2) }

# Between a host and the database; its clients still reach it.
sub cut {
	my ($self, $i) = @_;
	must('-n', "$self->{name}-db", 'link', 'set', "d$i", 'down');
	return;
}

sub heal {
	my ($self, $i) = @_;
	must('-n', "$self->{name}-db", 'link', 'set', "d$i", 'up');
	return;
}

sub forget {
	my ($self, $i) = @_;
	my ($st, $out, $err) =
	    run([$self->database, 'ss', '-K', 'dst', address(18, $i, 2)]);
	croak "ss -K: $err" if $st != 0;
	return;
}

sub cleanup {
	my ($self) = @_;
	ip('link', 'del', "$self->{name}c$_") for 1 .. $self->{hosts};
	ip('netns', 'del', "$self->{name}-$_") for 1 .. $self->{hosts}, 'db';
	return;
}

1;
