#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Several want the same thing changed at once, so that one batch has them all:
# who may not do it takes nothing from who may, what is taken back stays taken
# back, and whoever is told that it is done finds it done.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet 'wait_until';
use Linnet::Postgres;

my $pg = Linnet::Postgres->new;
my $broker = Linnet->broker(workers => 1, options => ['database "' .
    $pg->conninfo . '"', 'webhook.http yes', 'webhook.allow 127.0.0.1']);
my $seed = $broker->seed;
my $mesh = $seed->{meshId};
rows("update member set role = 'admin' where name = 'peer-a'");
my ($ann, $bob) = map { $broker->peer($_) } @{$seed}{qw(peerA peerB)};
my $eve = $broker->peer($broker->joined($seed, 'eve'));
# A connection has one request under way: more of them.
my %more = map { my $p = $_; $p => [map { $broker->peer($p->{member}) } 1 .. 3] }
    $ann, $bob, $eve;

sub rows { return $pg->rows(@_) }
sub good {
	my ($p, $type, %o) = @_;
	my $r = $p->request({ type => $type, %o });
	isnt($r->{type}, 'error', $type) or diag explain $r;
	return $r;
}

# Sends requests, each [peer, type, ...], so that all of them but what holds
# them up are in one batch, in their order.  What each was answered: a code, or
# ok.
my @psql = (Linnet::Postgres::bin() . '/psql', '-X', '-q', '-A', '-t',
    '-h', $pg->dir, '-U', 'linnet', '-d', 'linnet');
my $lobby;
sub at_once {
	my @ids;
	open my $first, '|-', @psql or die "psql: $!";
	$first->autoflush(1);
	print $first "begin; select n from journal where mesh_id = '$mesh'
	    for update \\g /dev/null\n";
	my $seen = sub {
		my ($what) = @_;
		return wait_until {
			rows("select count(*) from pg_stat_activity
			    where $what") > 0
		} 20;
	};
	$seen->("state = 'idle in transaction' and query like '%journal%'")
	    or die 'nobody has the journal';
	my $held = $ann->post(type => 'post', channel => $lobby, text => 'x');
	$seen->("wait_event_type = 'Lock'") or die 'nobody waits';
	for (@_) {
		my ($p, $type, %o) = @$_;
		my $c = shift @{ $more{$p} };
		push @{ $more{$p} }, $c;
		push @ids, [$c, $c->post(type => $type, %o)];
		# One worker reads what is sent, and the database what it asks,
		# in its order; nothing here reads more than twice first.
		$bob->request({ type => 'list_channels' }) for 1 .. 3;
	}
	print $first "commit;\n";
	close $first;
	$ann->reply($held);
	return [map {
		my $r = $_->[0]->reply($_->[1]);
		$r->{type} eq 'error' ? $r->{code} : 'ok'
	} @ids];
}

$lobby = good($ann, 'create_channel', name => 'lobby')->{channelId};
my $seq = 0;
sub said {
	my ($p) = @_;
	$seq++;
	return good($p, 'post', channel => 'work', text => 'first')->{messageId};
}
sub reads {
	my ($id) = @_;
	return rows("select coalesce(parts -> 0 -> 'payload' ->> 'text',
	    'nothing') from post where id = '$id'");
}
my $work = good($ann, 'create_channel', name => 'work')->{channelId};

subtest 'messages' => sub {
	my $m = said($ann);
	is_deeply(at_once([$ann, 'redact_post', messageId => $m],
	    [$ann, 'edit_post', messageId => $m, text => 'again']),
	    ['ok', 'not_found'], 'taken back, then edited');
	is(reads($m), 'nothing', 'it stays taken back');
	$m = said($ann);
	is_deeply(at_once([$ann, 'edit_post', messageId => $m, text => 'again'],
	    [$ann, 'redact_post', messageId => $m],
	    [$ann, 'redact_post', messageId => $m]), ['ok', 'ok', 'ok'],
	    'edited, then taken back twice');
	is(reads($m), 'nothing', 'it is taken back');
	$m = said($bob);
	is_deeply(at_once([$bob, 'edit_post', messageId => $m, text => 'one'],
	    [$bob, 'edit_post', messageId => $m, text => 'two']),
	    ['ok', 'ok'], 'edited twice');
	is(reads($m), 'two', 'the last one counts');
	is_deeply(at_once([$eve, 'redact_post', messageId => $m],
	    [$bob, 'edit_post', messageId => $m, text => 'second'],
	    [$eve, 'edit_post', messageId => $m, text => 'mine']),
	    ['forbidden', 'ok', 'forbidden'], 'who may not write it');
	is(reads($m), 'second', 'does not keep its author from it');
	is_deeply(at_once([$eve, 'redact_post', messageId => $m],
	    [$ann, 'redact_post', messageId => $m],
	    [$eve, 'redact_post', messageId => $m]),
	    ['forbidden', 'ok', 'forbidden'], 'nor who may not take it back');
	is(reads($m), 'nothing', 'whoever has a hand in the channel');
};

subtest 'names' => sub {
	is_deeply(at_once([$ann, 'create_channel', name => 'plan',
	    private => \1], [$bob, 'create_channel', name => 'plan']),
	    ['ok', 'ok'], 'one that is behind a wall');
	is_deeply(at_once([$ann, 'create_channel', name => 'both'],
	    [$bob, 'create_channel', name => 'both']), ['ok', 'id_conflict'],
	    'one that both see');
};

subtest 'members of a channel' => sub {
	my $c = good($ann, 'create_channel', name => 'closed', private => \1)
	    ->{channelId};
	my ($b, $e) = map { rows("select id from member where name = '$_'") =~
	    tr/-//dr } 'peer-b', 'eve';
	good($ann, 'add_channel_member', channel => $c, member => $_)
	    for $b, $e;
	is_deeply(at_once(
	    [$ann, 'remove_channel_member', channel => $c, member => $b],
	    [$eve, 'add_channel_member', channel => $c, member => $b],
	    [$eve, 'add_channel_member', channel => $c, member => $b,
		role => 'owner']), ['ok', 'forbidden', 'forbidden'],
	    'one is taken out of it while another one adds it');
	is(rows("select count(*) from channel_member where channel_id = '$c'
	    and member_id = '$b'"), 0, 'it is out');
	is_deeply(at_once([$eve, 'delete_channel', channel => $c],
	    [$ann, 'delete_channel', channel => $c]), ['forbidden', 'ok'],
	    'who may not delete it is first');
	is(rows("select closed_at is not null from channel where id = '$c'"),
	    't', 'it is deleted');
};

subtest 'grants and requests' => sub {
	my $e = rows("select id from member where name = 'eve'") =~ tr/-//dr;
	my $c = good($ann, 'create_channel', name => 'granted')->{channelId};
	my $g = good($ann, 'create_grant', member => $e,
	    capability => 'message:redact', resourceType => 'channel',
	    resourceId => $c)->{grantId};
	is_deeply(at_once([$bob, 'revoke_grant', grantId => $g],
	    [$ann, 'revoke_grant', grantId => $g]), ['forbidden', 'ok'],
	    'a grant is revoked by who may not, and who may');
	is(rows("select revoked_at is not null from permission_grant
	    where id = '$g'"), 't', 'it is revoked');
	$g = good($ann, 'create_grant', member => $e, capability => 'x:a',
	    resourceType => 'org')->{grantId};
	is_deeply(at_once([$bob, 'revoke_grants', member => $e],
	    [$ann, 'revoke_grants', member => $e]), ['forbidden', 'ok'],
	    'all of a member');
	is(rows("select revoked_at is not null from permission_grant
	    where id = '$g'"), 't', 'are revoked');
	my $r = good($eve, 'request_permission', action => 'channel:admin',
	    resourceType => 'channel', resourceId => $c)->{requestId};
	is_deeply(at_once([$bob, 'resolve_permission', requestId => $r,
	    approve => \0], [$ann, 'resolve_permission', requestId => $r,
	    approve => \1], [$ann, 'resolve_permission', requestId => $r,
	    approve => \0]), ['forbidden', 'ok', 'malformed'],
	    'a request is resolved by who may not, who may, and once more');
	is(rows("select status from permission_request where id = '$r'"),
	    'approved', 'it is approved');
};

subtest 'durable streams' => sub {
	my $d = good($ann, 'create_durable_stream',
	    targetStreamId => $work)
	    ->{durableStreamId};
	is_deeply(at_once([$ann, 'close_durable_stream', durableStreamId => $d],
	    [$eve, 'close_durable_stream', durableStreamId => $d]),
	    ['ok', 'forbidden'], 'one is closed, also by who may not');
	is(rows("select state from durable where id = '$d'"), 1, 'it is closed');
	is_deeply(at_once(
	    [$ann, 'delete_durable_stream', durableStreamId => $d],
	    [$eve, 'delete_durable_stream', durableStreamId => $d]),
	    ['ok', 'not_found'], 'it is deleted, also by who may not');
	is(rows("select count(*) from durable where id = '$d'"), 0,
	    'it is gone');
	$d = good($bob, 'create_durable_stream', targetStreamId => $work)
	    ->{durableStreamId};
	good($bob, 'append_durable_chunks', durableStreamId => $d,
	    chunks => [{ text => 'once' }]);
	is_deeply(at_once(
	    [$bob, 'commit_durable_stream', durableStreamId => $d],
	    [$ann, 'commit_durable_stream', durableStreamId => $d]),
	    ['ok', 'ok'], 'two commit it');
	is(rows("select count(*) from post
	    where parts -> 0 -> 'payload' ->> 'text' = 'once'"), 1,
	    'it is one message');
};

subtest 'webhooks' => sub {
	my $w = good($ann, 'create_webhook', endpoint => 'http://127.0.0.1:9/',
	    eventTypes => ['message.appended'], streamId => $work)
	    ->{subscriptionId};
	is_deeply(at_once([$ann, 'set_webhook', subscriptionId => $w,
	    enabled => \0], [$bob, 'delete_webhook', subscriptionId => $w]),
	    ['ok', 'not_found'], 'one is turned off, and removed by who may not');
	is(rows("select enabled from webhook where id = '$w'"), 'f',
	    'it is off');
	is_deeply(at_once([$ann, 'delete_webhook', subscriptionId => $w],
	    [$ann, 'set_webhook', subscriptionId => $w, enabled => \1]),
	    ['ok', 'not_found'], 'it is removed, then turned on');
	is(rows("select count(*) from webhook where id = '$w'"), 0,
	    'it is gone');
};

done_testing();
