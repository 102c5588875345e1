# SPDX-License-Identifier: ISC
# Peers on several workers: the master hands a connection to the worker with
# the fewest, so two that are the only ones are on different workers.
package Linnet::Workers;
use strict;
use warnings;
use Exporter 'import';
use Linnet::Io 'wait_until';

our @EXPORT = qw(spread);

# Connections of each worker, as linnetctl status has them.
sub connections {
	my ($broker) = @_;
	my $s = $broker->ctl_json('status', '--json');
	return map { $_->{connections} }
	    grep { $_->{role} eq 'worker' } @{ $s->{processes} };
}

# True once there are so many connections and the workers share them evenly.
sub spread {
	my ($broker, $n) = @_;
	return wait_until {
		my @c = connections($broker);
		my $sum = 0;
		$sum += $_ for @c;
		$sum == $n && !grep { $_ != $n / @c } @c
	} 10, "$n connections, shared by the workers";
}

1;
