#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Requests about one thing that one commit takes: each has the answer, and does
# what it would do, if it had come alone, in the order in which they came.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Handle;
use Test::More;
use Linnet 'wait_until';
use Linnet::Postgres;
use Linnet::Proc;

my $pg = Linnet::Postgres->new;
my $broker = Linnet->broker(workers => 1, options => ['database "' .
    $pg->conninfo . '"', 'rate.member 0', 'rate.requests 0']);
my $seed = $broker->ctl_json('-o', 'database "' . $pg->conninfo . '"', 'seed');
$_->{meshId} //= $seed->{meshId} for @{$seed}{qw(peerA peerB)};
sub rows {
	my ($st, $out, $err) = $pg->psql(@_);
	die $err if $st != 0;
	chomp $out;
	return $out;
}
# Ann keeps order among others, and Bob does not.
my ($a, $b) = @{$seed}{qw(peerA peerB)};
rows("update member set role = 'admin' where id = '$a->{memberId}'");
my $ann = $broker->peer($a, name => 'ann');
my $bob = $broker->peer($b, name => 'bob');
# Bob has two sessions, as what one session asks for is done one by one.
my $bot = $broker->peer($b, name => 'bot');
my $lead = $broker->peer($a, name => 'lead');

sub asks {
	my ($p, $type, %o) = @_;
	return $p->request({ type => $type, %o });
}

# Holds the mesh's journal until it is closed.
sub hold {
	my ($pid, $to) = (open my $fh, '|-', "$pg->{bin}/psql", '-X', '-q', '-h',
	    $pg->dir, '-U', 'linnet', '-d', 'linnet', '-f', '-');
	die "psql: $!" if !$pid;
	$fh->autoflush;
	print {$fh} "begin; select mesh_id from journal where mesh_id = "
	    . "'$seed->{meshId}' for update \\g /dev/null\n";
	wait_until { rows("select count(*) from pg_stat_activity where "
	    . "state = 'idle in transaction'") == 1 } 10, 'the journal is held';
	return $fh;
}

# What these, [who, type, fields], are answered when one commit takes all: the
# one before waits for the journal meanwhile.
my $n = 0;
sub gathered {
	my (@all) = @_;
	my $fh = hold();
	my $first = $lead->post(type => 'create_channel', name => 'n' . ++$n);
	wait_until { rows("select count(*) from pg_stat_activity where "
	    . "wait_event_type = 'Lock' and application_name ~ 'worker'") == 1 } 10, 'a commit waits';
	my @ids;
	for (@all) {
		my ($p, $type, %o) = @$_;
		push @ids, $p->post(type => $type, %o);
		# What it reads before is read, and the row is behind the others.
		asks($broker->{other} //= $broker->peer($a, name => 'other'),
		    'list_channels', prefix => '') for 1 .. 3;
	}
	close $fh;
	$lead->reply($first)->{type} eq 'channel_created' or die 'not made';
	return map { $all[$_][0]->reply($ids[$_]) } 0 .. $#all;
}

sub are {
	my ($got, $want, $what) = @_;
	is(join(' ', map { $_->{type} eq 'error' ? $_->{code} : $_->{type} }
	    @$got), $want, $what) or diag explain $got;
	return;
}

my $dev = asks($ann, 'create_channel', name => 'dev')->{channelId};
sub said {
	my ($p) = @_;
	return asks($p, 'post', channel => 'dev', text => 'x')->{messageId};
}
sub text {
	return rows("select parts -> 0 -> 'payload' ->> 'text' from post where id = '$_[0]'");
}

subtest 'messages' => sub {
	my $m = said($ann);
	are([gathered([$ann, 'edit_post', messageId => $m, text => 'y'],
	    [$bob, 'edit_post', messageId => $m, text => 'z'])],
	    'post_changed forbidden', 'an edit, and one that is refused');
	is(text($m), 'y', 'it is edited');
	$m = said($bob);
	are([gathered([$ann, 'redact_post', messageId => $m],
	    [$bob, 'edit_post', messageId => $m, text => 'z'])],
	    'post_changed not_found', 'taken back, and then an edit');
	is(text($m), '', 'it is taken back');
	$m = said($bob);
	are([gathered([$bob, 'edit_post', messageId => $m, text => 'y'],
	    [$bot, 'edit_post', messageId => $m, text => 'z'])],
	    'post_changed post_changed', 'two edits');
	is(text($m), 'z', 'the last one counts');
};

subtest 'members' => sub {
	my $c = asks($ann, 'create_channel', name => 'walled', private => \1)
	    ->{channelId};
	asks($ann, 'add_channel_member', channel => $c, member => $b->{memberId});
	are([gathered([$ann, 'remove_channel_member', channel => $c,
	    member => $b->{memberId}], [$bob, 'join_channel', channel => $c])],
	    'channel_membership not_found', 'one goes, and joins');
	is(rows("select count(*) from channel_member where channel_id = '$c'"),
	    1, 'it is gone');
	asks($ann, 'add_channel_member', channel => $c, member => $b->{memberId});
	are([gathered([$ann, 'remove_channel_member', channel => $c,
	    member => $b->{memberId}], [$bob, 'add_channel_member',
	    channel => $c, member => $b->{memberId}, role => 'owner'])],
	    'channel_membership not_found', 'one goes, and would be more');
	is(rows("select count(*) from channel_member where channel_id = '$c'"),
	    1, 'it is gone');
};

subtest 'the end of a channel' => sub {
	my $c = asks($ann, 'create_channel', name => 'short')->{channelId};
	are([gathered([$bob, 'delete_channel', channel => $c],
	    [$ann, 'delete_channel', channel => $c])],
	    'forbidden channel_deleted', 'one may not, one may');
	is(rows("select closed_at is not null from channel where id = '$c'"),
	    't', 'it is closed');
};

subtest 'grants' => sub {
	my ($g, $h) = map { asks($ann, 'create_grant', member => $b->{memberId},
	    capability => $_, resourceType => 'org')->{grantId} }
	    qw(x:a x:b);
	are([gathered([$bob, 'revoke_grant', grantId => $g],
	    [$ann, 'revoke_grant', grantId => $g])],
	    'forbidden grant_revoked', 'one may not, one may');
	is(rows("select revoked_at is not null from permission_grant where id = '$g'"),
	    't', 'it is revoked');
	are([gathered([$bob, 'revoke_grants', member => $b->{memberId}],
	    [$ann, 'revoke_grants', member => $b->{memberId}])],
	    'forbidden grants_revoked', 'all of them');
	is(rows("select revoked_at is not null from permission_grant where id = '$h'"),
	    't', 'are revoked');
	my $q = asks($bob, 'request_permission', action => 'channel:create',
	    resourceType => 'org')->{requestId};
	are([gathered([$bob, 'resolve_permission', requestId => $q, approve => \1],
	    [$ann, 'resolve_permission', requestId => $q, approve => \1])],
	    'forbidden permission_resolution', 'a request');
	is(rows("select status from permission_request where id = '$q'"),
	    'approved', 'is approved');
};
subtest 'walls' => sub {
	are([gathered([$ann, 'create_channel', name => 'plan', private => \1],
	    [$bob, 'create_channel', name => 'plan'])],
	    'channel_created channel_created', 'a name that only one sees');
	are([gathered([$ann, 'create_channel', name => 'both'],
	    [$bob, 'create_channel', name => 'both'])],
	    'channel_created id_conflict', 'a name that both see');
};

subtest 'durable streams' => sub {
	my $s = asks($ann, 'create_durable_stream', channel => 'dev');
	$s = $s->{durableStreamId} // die explain $s;
	are([gathered([$ann, 'close_durable_stream', durableStreamId => $s],
	    [$bob, 'close_durable_stream', durableStreamId => $s])],
	    'durable_stream_closed not_found', 'closed, and one that may not');
	is(rows("select state from durable where id = '$s'"), 1, 'it is');
	are([gathered([$ann, 'delete_durable_stream', durableStreamId => $s],
	    [$bob, 'delete_durable_stream', durableStreamId => $s])],
	    'durable_stream_deleted not_found', 'deleted, and one that may not');
	is(rows("select count(*) from durable where id = '$s'"), 0, 'it is gone');
};

is($broker->stop, 0, 'stops');
done_testing;
