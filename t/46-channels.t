#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Channels: messages in one order, for who is there and for who comes later;
# private ones are there for nobody else; and the journal that tells of them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA 'sha256_hex';
use Test::More;
use Linnet 'wait_until';
use Linnet::Postgres;

my $pg = Linnet::Postgres->new;
my @hosts = Linnet->hosts($pg, [qw(one two)], workers => 2, options => [
    'rate.member 0', 'rate.requests 0']);
my $broker = $hosts[0];
my $seed = $broker->seed;
my ($ann, $bob) = map { $broker->peer($_) } @{$seed}{qw(peerA peerB)};
my $far = $hosts[1]->peer($seed->{peerB}, name => 'far');

sub asks {
	my ($p, $type, %o) = @_;
	return $p->request({ type => $type, %o });
}
sub refused {
	my ($r, $code, $what) = @_;
	is($r->{type} eq 'error' ? $r->{code} : $r->{type}, $code, $what);
	return;
}
sub says {
	my ($p, $channel, $text, %o) = @_;
	return asks($p, 'post', channel => $channel, text => $text, %o);
}
sub texts {
	return join ' ', map { $_->{parts}[0]{payload}{text} // '-' }
	    @{ $_[0]{messages} };
}

sub rows { return $pg->rows(@_) }

# The chain of a mesh, as anybody can compute it.
sub verified {
	my ($mesh) = @_;
	my ($prev, $n) = ('', 0);
	for (split /\n/, rows("select n || '~' || type || '~' || payload "
	    . "|| '~' || to_char(created_at at time zone 'UTC', "
	    . "'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') || '~' || "
	    . "encode(hash, 'hex') from event where mesh_id = '$mesh' "
	    . 'order by n')) {
		my ($k, $type, $payload, $at, $hash) = split /~/;
		return "line $k stands at $n" if $k != ++$n;
		$prev = sha256_hex("$prev|$type|$payload|$at");
		return "line $k has another hash" if $prev ne $hash;
	}
	return $n;
}

my $dev;
subtest 'a channel' => sub {
	my $r = asks($ann, 'create_channel', name => 'Dev', topic => 'code');
	is($r->{type}, 'channel_created', 'is made');
	$dev = $r->{channelId};
	refused(asks($bob, 'create_channel', name => 'dev'), 'id_conflict',
	    'once, whatever the case');
	refused(asks($ann, 'create_channel', name => "#dev"), 'malformed',
	    'without the mark');
	my @seq = map { $_->{seq} } says($ann, 'dev', 'a'),
	    says($bob, '#DEV', 'b'), says($far, $dev, 'c');
	is("@seq", '1 2 3', 'by any of its names, from every host');
	$r = asks($bob, 'read_channel', channel => 'dev');
	is(texts($r), 'a b c', 'in one order');
	is($r->{messages}[0]{name}, 'peer-a', 'with who said it');
	is($r->{lastSeq}, 3, 'and how far it is');
	is(texts(asks($bob, 'read_channel', channel => 'dev', after => 1,
	    limit => 1)), 'b', 'a page');
	is(texts(asks($bob, 'read_channel', channel => 'dev', limit => 2)),
	    'b c', 'the newest');
	refused(says($ann, 'nowhere', 'x'), 'not_found', 'no other');
	refused(asks($ann, 'post', channel => 'dev'), 'malformed', 'nothing');
	refused(asks($ann, 'post', channel => 'dev', parts =>
	    [{ type => 'text', payload => [] }]), 'malformed', 'no object');
};

subtest 'as a target' => sub {
	my $r = $ann->send(to => '#dev', text => 'by send', id => 's1');
	is($r->{type}, 'ack', 'of a message');
	is($r->{channelId}, $dev, 'which is told');
	is(texts(asks($bob, 'read_channel', channel => 'dev', after =>
	    $r->{seq} - 1)), 'by send', 'with what it says');
	ok($ann->send(to => '#dev', text => 'by send', id => 's1')
	    ->{duplicate}, 'once');
	refused($ann->send(to => ['#dev', 'peer-b'], text => 'x'), 'malformed',
	    'alone');
	refused($ann->send(to => '#nowhere', text => 'x'), 'not_found',
	    'if there is one');
	refused(asks($ann, 'send', targetSpec => '#dev', priority => 'next',
	    nonce => '', ciphertext => '!'), 'malformed', 'in clear');
};

subtest 'once' => sub {
	my $one = says($ann, 'dev', 'again', client_message_id => 'x1');
	my $two = says($ann, 'dev', 'again', client_message_id => 'x1');
	is($two->{messageId}, $one->{messageId}, 'the same message');
	is($two->{seq}, $one->{seq}, 'at the same place');
	ok($two->{duplicate} && !$one->{duplicate}, 'and it says so');
	refused(says($ann, 'dev', 'other', client_message_id => 'x1'),
	    'id_conflict', 'another one is not');
	is(says($bob, 'dev', 'other', client_message_id => 'x1')->{seq},
	    $one->{seq} + 1, 'the id is the sender\'s own');
};

subtest 'private' => sub {
	my $r = asks($ann, 'create_channel', name => 'board', private => \1);
	my $id = $r->{channelId};
	is(says($ann, 'board', 'secret')->{seq}, 1, 'is for its members');
	for my $which ('board', $id) {
		refused(says($bob, $which, 'x'), 'not_found', 'nobody else');
		refused(asks($bob, 'read_channel', channel => $which),
		    'not_found', 'reads it');
		refused(asks($bob, 'follow_channel', channel => $which),
		    'not_found', 'or follows it');
	}
	my $t = asks($bob, 'create_channel', name => 'board');
	is($t->{type}, 'channel_created', 'nor knows that the name is taken');
	is(says($bob, 'board', 'mine')->{seq}, 1, 'which means another one');
	is(texts(asks($ann, 'read_channel', channel => $id)), 'secret',
	    'each has its own');
	refused(asks($ann, 'read_channel', channel => 'board'),
	    'ambiguous_target', 'who sees both has to say which');
};

subtest 'threads' => sub {
	my $m = says($ann, 'dev', 'topic')->{messageId};
	my $t = asks($bob, 'create_thread', channel => 'dev', messageId => $m);
	is($t->{type}, 'thread_created', 'begins at a message');
	is(says($ann, $t->{channelId}, 're')->{seq}, 1, 'has its own order');
	refused(asks($bob, 'create_thread', channel => 'dev', messageId =>
	    'f' x 32), 'not_found', 'at one that is there');
	refused(asks($bob, 'create_thread', channel => $t->{channelId},
	    messageId => $m), 'malformed', 'and not within a thread');
	my $p = asks($ann, 'create_channel', name => 'vault', private => \1);
	$m = says($ann, 'vault', 'x')->{messageId};
	refused(asks($bob, 'create_thread', channel => $p->{channelId},
	    messageId => $m), 'not_found', 'not behind the wall');
	$t = asks($ann, 'create_thread', channel => 'vault', messageId => $m);
	refused(asks($bob, 'read_channel', channel => $t->{channelId}),
	    'not_found', 'which is around threads too');
};

# Follows, and returns the seqs that come until one.
sub follows_to {
	my ($p, $last) = @_;
	my @seq;
	while (!@seq || $seq[-1] < $last) {
		my $m = $p->wait_for('channel_message') or last;
		push @seq, $m->{seq};
	}
	return "@seq";
}

subtest 'following' => sub {
	my $c = asks($ann, 'create_channel', name => 'live')->{channelId};
	says($ann, 'live', "t$_") for 1 .. 250;
	my $r = asks($bob, 'follow_channel', channel => 'live', after => 0);
	is($r->{lastSeq}, 250, 'what was there');
	says($ann, 'live', "t$_") for 251 .. 260;
	is(follows_to($bob, 260), join(' ', 1 .. 260),
	    'comes before what is new: no gap, nothing twice');
	asks($far, 'follow_channel', channel => 'live');
	says($ann, 'live', "t$_") for 261 .. 270;
	is(follows_to($far, 270), join(' ', 261 .. 270), 'on another host');
	follows_to($bob, 270);
	says($ann, 'live', 'y' x 300_000);
	is(follows_to($_, 271), '271', 'one that no record can carry')
	    for $bob, $far;
	ok(asks($bob, 'unfollow_channel', channel => 'live')->{existed},
	    'no more');
	says($ann, 'live', 'z');
	is(follows_to($far, 272), '272', 'others do');
	is($bob->wait_for('channel_message', 0.2), undef, 'and it does not');
	asks($far, 'unfollow_channel', channel => 'live');
};

subtest 'many at once' => sub {
	my $c = asks($ann, 'create_channel', name => 'busy')->{channelId};
	my @p = map { $hosts[$_ % 2]->peer($seed->{ $_ % 3 ? 'peerA' :
	    'peerB' }, name => "p$_") } 1 .. 32;
	asks($far, 'follow_channel', channel => 'busy', after => 0);
	my $each = 20;
	for my $n (1 .. $each) {
		$_->post(type => 'post', channel => 'busy', text => "t$n")
		    for @p;
	}
	my (%seq, $twice);
	for my $p (@p) {
		my $before = 0;
		for (1 .. $each) {
			my $r = $p->wait_for('posted') or last;
			$twice++ if $seq{ $r->{seq} }++;
			is('late', 'never', 'order of one sender')
			    if $r->{seq} <= $before;
			$before = $r->{seq};
		}
	}
	is(join(' ', sort { $a <=> $b } keys %seq), join(' ', 1 .. 32 * $each),
	    'all are there, without gaps');
	ok(!$twice, 'each with a place of its own');
	is(follows_to($far, 32 * $each), join(' ', 1 .. 32 * $each),
	    'and so they come');
	$_->close for @p;
};

subtest 'what changes' => sub {
	my $c = asks($ann, 'create_channel', name => 'draft')->{channelId};
	asks($far, 'follow_channel', channel => 'draft');
	my $m = says($ann, 'draft', 'frist', client_message_id => 'd1')
	    ->{messageId};
	is($far->wait_for('channel_message')->{messageId}, $m, 'a message');
	refused(asks($bob, 'edit_post', messageId => $m, text => 'x'),
	    'forbidden', 'is its author\'s');
	ok(asks($ann, 'edit_post', messageId => $m, text => 'first')
	    ->{changed}, 'who says it better');
	is($far->wait_for(sub { ($_->{event} // '') eq 'message.edited' })
	    ->{payload}{messageId}, $m, 'and others learn of it');
	my $r = asks($bob, 'read_channel', channel => 'draft');
	is(texts($r), 'first', 'it is what it says now');
	ok($r->{messages}[0]{editedAt}, 'and since when');
	is(asks($bob, 'react', messageId => $m, reaction => "\x{1f44d}")
	    ->{count}, 1, 'somebody likes it');
	is(asks($far, 'react', messageId => $m, reaction => "\x{1f44d}")
	    ->{changed} ? 'anew' : 'once', 'once', 'as the member that it is');
	is(asks($ann, 'react', messageId => $m, reaction => "\x{1f44d}")
	    ->{count}, 2, 'so does another');
	is(join(' ', map { "$_->{count} @{ $_->{names} }" } @{ asks($bob,
	    'read_channel', channel => 'draft')->{messages}[0]{reactions} }),
	    '2 peer-b peer-a', 'which all see');
	is(asks($bob, 'react', messageId => $m, reaction => "\x{1f44d}",
	    remove => \1)->{count}, 1, 'and takes it back');
	refused(asks($bob, 'redact_post', messageId => $m), 'forbidden',
	    'who has no hand in the channel takes nothing back');
	ok(asks($ann, 'redact_post', messageId => $m, reason => 'no')
	    ->{changed}, 'its author does');
	ok(!asks($ann, 'redact_post', messageId => $m)->{changed}, 'once');
	is_deeply(asks($bob, 'read_channel', channel => 'draft')
	    ->{messages}[0]{parts}, [], 'it says nothing then');
	refused(asks($ann, 'edit_post', messageId => $m, text => 'y'),
	    'not_found', 'for good');
	refused(asks($ann, 'react', messageId => $m, reaction => 'x'),
	    'not_found', 'and nobody thinks anything of it');
	is($far->wait_for(sub { ($_->{event} // '') eq 'message.redacted' })
	    ->{payload}{reason}, 'no', 'and others learn why');
	my $b = says($bob, 'draft', 'spam')->{messageId};
	ok(asks($ann, 'redact_post', messageId => $b)->{changed},
	    'the owner takes back what others said');
	refused(asks($ann, 'edit_post', messageId => $b, text => 'ham'),
	    'forbidden', 'but puts no words into their mouths');
	my $secret = says($ann, 'vault', 'secret')->{messageId};
	for my $op ([edit_post => text => 'x'], ['redact_post'],
	    [react => reaction => 'x']) {
		my ($type, @args) = @$op;
		refused(asks($bob, $type, messageId => $secret, @args),
		    'not_found', "$type: behind the wall there is nothing");
	}
};

subtest 'who is in it' => sub {
	my $c = asks($ann, 'create_channel', name => 'team',
	    private => \1)->{channelId};
	says($ann, 'team', 'before');
	refused(asks($bob, 'join_channel', channel => $c), 'not_found',
	    'nobody comes in alone');
	asks($ann, 'follow_channel', channel => 'team');
	my $r = asks($ann, 'add_channel_member', channel => 'team',
	    member => $bob->member_key);
	ok($r->{changed} && $r->{role} eq 'member', 'one is let in');
	is($ann->wait_for('channel_event')->{payload}{role}, 'member',
	    'which all are told who follow');
	is(texts(asks($bob, 'read_channel', channel => 'team')), 'before',
	    'and reads what was said');
	is(join(' ', map { "$_->{name}:$_->{role}" } @{ asks($ann,
	    'list_channel_members', channel => 'team')->{members} }),
	    'peer-a:owner peer-b:member', 'the list');
	my $seen = sub {
		my ($n) = grep { $_->{name} eq 'peer-b' } @{ asks($ann,
		    'list_channel_members', channel => 'team')->{members} };
		return join ' ', $n->{online} ? 'online' : 'away',
		    $n->{status} // '';
	};
	is($seen->(), 'online idle', 'it is there');
	asks($_, 'set_status', status => 'working') for $bob, $far;
	ok((wait_until { $seen->() eq 'online working' }), 'what it does');
	asks($_, 'set_visible', visible => \0) for $bob, $far;
	ok((wait_until { $seen->() eq 'away ' }), 'who hides is not seen');
	for ($bob, $far) {
		asks($_, 'set_visible', visible => \1);
		asks($_, 'set_status', status => 'idle');
	}
	refused(asks($bob, 'remove_channel_member', channel => 'team',
	    member => $ann->member_key), 'forbidden', 'has no hand in it');
	asks($bob, 'follow_channel', channel => 'team', after => 0);
	is(follows_to($bob, 1), '1', 'follows');
	asks($ann, 'remove_channel_member', channel => 'team',
	    member => $bob->member_key);
	is($bob->wait_for('channel_closed')->{channelId}, $c,
	    'until it is taken out');
	says($ann, 'team', 'after');
	is($bob->wait_for('channel_message', 0.2), undef, 'and hears no more');
	refused(says($bob, $c, 'x'), 'not_found', 'nor is heard');
	is(asks($bob, 'join_channel', channel => 'live')->{role}, 'member',
	    'a public one is joined');
	ok(!asks($bob, 'join_channel', channel => 'live')->{changed}, 'once');
};

subtest 'the end of one' => sub {
	my $c = asks($ann, 'create_channel', name => 'gone')->{channelId};
	my $m = says($ann, 'gone', 'x')->{messageId};
	my $t = asks($ann, 'create_thread', channel => $c, messageId => $m)
	    ->{channelId};
	says($ann, $t, 'y');
	asks($far, 'follow_channel', channel => $t);
	refused(asks($bob, 'delete_channel', channel => 'gone'), 'forbidden',
	    'is its owner\'s to make');
	is(asks($ann, 'delete_channel', channel => 'gone')->{threads}, 1,
	    'with its threads');
	is($far->wait_for('channel_closed')->{channelId}, $t,
	    'which who follows learns');
	refused(asks($ann, 'read_channel', channel => $_), 'not_found',
	    'it is no more') for 'gone', $c, $t;
	refused(asks($ann, 'react', messageId => $m, reaction => 'x'),
	    'not_found', 'nor what was in it');
	is(asks($ann, 'create_channel', name => 'gone')->{type},
	    'channel_created', 'the name is free');
	kill KILL => $broker->pids('jobs');
	ok(wait_until { rows("select count(*) from channel where id in "
	    . "('$c', '$t')") == 0 } 20, 'and with time it goes');
	is(rows("select count(*) from post where channel_id in ('$c', '$t')"),
	    0, 'with all that was said');
};

subtest 'lists' => sub {
	my %of = map { $_->{name} => $_ }
	    @{ asks($bob, 'list_channels')->{channels} };
	ok(!$of{team} && !$of{vault}, 'do not tell of what is private');
	is($of{live}{role}, 'member', 'but of what one is');
	is($of{live}{unread}, 272, 'and has not read');
	is(asks($bob, 'mark_read', channel => 'live', seq => 200)->{unread},
	    72, 'then less');
	is(asks($bob, 'mark_read', channel => 'live', seq => 100)->{seq}, 200,
	    'and it does not go back');
	is(asks($bob, 'mark_read', channel => 'live', seq => 100,
	    back => \1)->{seq}, 100, 'unless it is asked to');
	refused(asks($bob, 'mark_read', channel => 'live', seq => 1000),
	    'malformed', 'nor further than there is');
	is(asks($bob, 'mark_read', channel => 'live')->{unread}, 0, 'all');
	my (@names, $next);
	do {
		my $r = asks($bob, 'list_channels', limit => 2,
		    $next ? (after => $next) : ());
		push @names, map { $_->{name} } @{ $r->{channels} };
		$next = $r->{next};
	} while ($next);
	is("@names", join(' ', sort { lc $a cmp lc $b } keys %of), 'pages');
	is(join(' ', map { $_->{name} } @{ asks($bob, 'list_channels',
	    joined => \1)->{channels} }), 'board live', 'one\'s own');
	is(scalar @{ asks($bob, 'list_threads', channel => 'dev')->{threads} },
	    1, 'threads');
};

my $mesh = $seed->{meshId};
my $lines = verified($mesh);
like($lines, qr/^\d+$/, "the journal has $lines lines, and their hashes");
is(rows("select count(*) from event where mesh_id = '$mesh' and "
    . "type = 'message.appended'"), 2 + rows("select count(*) from post "
    . "where mesh_id = '$mesh'"), 'a line for each message, also of those '
    . 'that went');
rows("update event set payload = payload || ' ' where n = 7 and "
    . "mesh_id = '$mesh'");
is(verified($mesh), 'line 7 has another hash', 'which show a change');

is($_->stop, 0, 'stops') for reverse @hosts;
done_testing;
