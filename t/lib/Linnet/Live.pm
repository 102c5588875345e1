# SPDX-License-Identifier: ISC
# Two hosts of one service, two members, and what applications follow there.
package Linnet::Live;
use strict;
use warnings;
use Exporter 'import';
use Linnet;
use Linnet::Postgres;
use Linnet::Proc 'scratch';
use Linnet::Ws;

our @EXPORT = qw(hosts asks says many token seqs_to);
my $pg;

# The hosts, a seed, and a peer of each member, an owner and another, on the
# first host.
sub hosts {
	my (@options) = @_;
	my $key = scratch() . '/token.key';
	open my $fh, '>', $key or die "$key: $!";
	print $fh 'ab' x 32;
	close $fh;
	chmod 0600, $key;
	$pg = Linnet::Postgres->new;
	my @database = ('database "' . $pg->conninfo . '"');
	my @hosts = map { Linnet->broker(workers => 2, options => [@database,
	    "host_name $_", "token.key $key", 'rate.member 0',
	    'rate.requests 0', 'rate.refused 0', @options]) } qw(one two);
	my $seed = $hosts[0]->ctl_json('-o', @database, 'seed');
	$_->{meshId} //= $seed->{meshId} for @{$seed}{qw(peerA peerB)};
	# Who may make service keys.
	$pg->psql("update member set role = 'owner'
	    where id = '$seed->{peerA}{memberId}'");
	return (\@hosts, $seed, map { $hosts[0]->peer($_) }
	    @{$seed}{qw(peerA peerB)});
}

sub asks {
	my ($p, $type, %o) = @_;
	return $p->request({ type => $type, %o });
}

sub token {
	my ($p, @scopes) = @_;
	return asks($p, 'create_token', @scopes ? (scopes => \@scopes) : ());
}

sub says {
	my ($p, $channel, $text, %o) = @_;
	return asks($p, 'post', channel => $channel, text => $text, %o);
}

# Messages with a number each.
sub many {
	my ($p, $channel, $from, $to) = @_;
	$p->post(type => 'post', channel => $channel, text => "t$_")
	    for $from .. $to;
	$p->wait_for('posted', 60) or last for $from .. $to;
	return;
}

# The seqs that came until one, in the order in which they came; seq: which a
# message has, or undef.
sub seqs_to {
	my ($ws, $last, $seq, $seconds) = @_;
	my @seq;
	while (!@seq || $seq[-1] < $last) {
		my $m = $ws->recv($seconds // 20) or last;
		last if $m->{close};
		my $n = $seq->($m);
		push @seq, $n if defined $n;
	}
	return "@seq";
}

1;
