#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Every operation as clients have it: asked by one, seen by another that is on
# the same host, and then by one that is on another host.  A row here is an
# operation of linnet-dump OPS, of which none may be missing; a row fails
# unless its operation was asked for on a connection and had the answer of the
# table.
use strict;
use warnings;
use Cpanel::JSON::XS ();
use Linnet;
use Linnet::Postgres;
use Linnet::Sees;
use Linnet::Visitor;
use Linnet::Workers;
use MIME::Base64 'decode_base64';
use Test::More;
use Time::HiRes 'time';

my ($true, $false) = (Cpanel::JSON::XS::true, Cpanel::JSON::XS::false);

# Type of the answer of each; of those that come by HTTP there is none.
my ($st, $table) = Linnet::run([Linnet->program('linnet-dump'), 'OPS']);
my %reply = $table =~ /^\.It Ic (\w+) No -> Ic (\w+)$/mg;
my @routes = $table =~ /^\.It Ic ((?:GET|POST|PUT|PATCH|DELETE) \S+)$/mg;

# The hosts: who asks is on $here, who sees on $there.  All are of one
# database, to which $sql goes, and make meshes by $ctl.
my ($here, $there, $sql, $ctl);
my %answered;

# A mesh of its own with alice, who keeps order, and bob: { alice, bob, seed }.
sub mesh {
	my $s = $ctl->('seed');
	$_->{meshId} //= $s->{meshId} for @$s{qw(peerA peerB)};
	$sql->("update member set role = 'admin'
	    where id = '$s->{peerA}{memberId}'");
	my $m = { seed => $s,
	    alice => $here->peer($s->{peerA}, name => 'alice', attest => 1),
	    bob => $there->peer($s->{peerB}, name => 'bob', attest => 1,
		acks => 1, cwd => '/bob', session_id => "bob of $s->{meshId}") };
	sees($m->{alice}, 'bob');
	sees($m->{bob}, 'alice');
	# Who of both came first is told of the other.
	$_->ws->pick('push') for $m->{alice}, $m->{bob};
	return $m;
}

# Another session of alice's member, where bob is.
sub beside {
	my ($m, %o) = @_;
	my $p = $there->peer($m->{seed}{peerA}, name => 'beside', attest => 1,
	    %o);
	sees($m->{alice}, 'beside');
	return $p;
}

sub ask {
	my ($p, $type, %o) = @_;
	my $r = $p->request({ type => $type, %o });
	is($r->{type}, $reply{$type}, "$type is answered")
	    ? $answered{$type}++ : diag explain $r;
	return $r;
}

my %row;

$row{hello} = sub {
	my ($m) = @_;
	my $p = $here->peer($m->{seed}{peerA}, name => 'carol',
	    session_key => 1, groups => ['dev:lead']);
	is($p->hello_ack->{type}, $reply{hello}, 'hello is answered')
	    and $answered{hello}++;
	event_ok($m->{bob}, 'peer_joined', 'carol');
	sees($m->{bob}, 'carol', sub { $_[0]{pubkey} eq $p->key
	    && $_[0]{memberPubkey} eq $p->member_key
	    && $_[0]{presenceId} eq $p->hello_ack->{presenceId}
	    && $_[0]{groups}[0]{role} eq 'lead' }, 'with what it said');
	my $ws = $there->ws;
	$ws->send_text($p->said);
	is($ws->wait_for('error')->{code}, 'replayed', 'its hello is used');
	$p->close(1000);
	event_ok($m->{bob}, 'peer_left', 'carol');
	misses($m->{bob}, 'carol', 'it is gone');
};

$row{session_hello} = sub {
	my ($m) = @_;
	my %carol = (name => 'carol', session_id => "c $m->{seed}{meshId}");
	my $p = $here->peer($m->{seed}{peerA}, %carol, attest => 1);
	is($p->hello_ack->{type}, $reply{session_hello},
	    'session_hello is answered') and $answered{session_hello}++;
	event_ok($m->{bob}, 'peer_joined', 'carol');
	ask($p, 'set_summary', summary => 'mine');
	%carol = (%carol, attest => 1, session_key => $p->{session});
	my $q = $there->peer($m->{seed}{peerA}, %carol);
	closed_ok($p, 1000, 'session_replaced', 'the same one elsewhere');
	is_deeply([@{ $q->hello_ack }{qw(restored lastSummary presenceId)}],
	    [$true, 'mine', $p->hello_ack->{presenceId}], 'it is the same');
	$q->drop;
	$p = $here->peer($m->{seed}{peerA}, %carol);
	ok($p->hello_ack->{restored}, 'lost, and back where it was');
	is($there->peer($m->{seed}{peerB}, session_key => $p->{session},
	    refused => 1)->refusal->{code}, 'bad_session_pubkey',
	    'no other member takes its key');
	sees($m->{bob}, 'carol', sub { $_[0]{summary} eq 'mine' },
	    'as it was');
	$p->close(1000);
	event_ok($m->{bob}, 'peer_left', 'carol', 'of all that only its end');
	$p = $there->peer($m->{seed}{peerA}, %carol);
	event_ok($m->{bob}, 'peer_returned', 'carol');
	event_ok($m->{alice}, 'peer_joined', 'carol', 'alice heard the same');
	event_ok($m->{alice}, $_, 'carol') for qw(peer_left peer_returned);
};

$row{send} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	$bob->request({ type => 'join_group', name => 'dev/c' });
	sees($alice, 'bob', sub { @{ $_[0]{groups} } }, 'a group');
	for my $to ($bob->key, $bob->member_key, 'BOB', '@dev', '@all', '*',
	    ['bob', '@dev/c', $bob->key]) {
		my $text = 'to ' . (ref $to ? 'many' : $to);
		my %m = $alice->send_fields(to => $to, text => $text,
		    replyToId => 'r', request_fingerprint => 'f');
		$m{client_message_id} = $m{id};
		my $ack = ask($alice, delete $m{type}, %m);
		is($ack->{recipients}, 1, 'for one');
		my $p = got($bob, $text);
		is_deeply([@$p{qw(messageId meshId senderPubkey
		    senderMemberPubkey senderMemberId senderName priority
		    client_message_id replyToId request_fingerprint)}],
		    [$ack->{messageId}, $m->{seed}{meshId}, $alice->key,
		    $alice->member_key, $m->{seed}{peerA}{memberId}, 'alice',
		    'next', $m{id}, 'r', 'f'], 'from whom, and what it is');
		$bob->ack($p);
		is($alice->send(%m, to => $to, text => $text)->{duplicate},
		    $true, 'once');
	}
	ok($bob->no_push(after => $alice), 'nothing twice');
	my $r = $alice->send(to => 'bop', text => 'x', id => 'z');
	is_deeply([@$r{qw(code id candidates)}], ['unknown_target', 'z',
	    ['bob']], 'a name that is nearly bob');
	$bob->request({ type => 'set_status', status => 'working' });
	sees($alice, 'bob', sub { $_[0]{status} eq 'working' }, 'bob works');
	$alice->send(to => 'bob', text => $_->[0], priority => $_->[1])
	    for ['low', 'low'], ['next', 'next'], ['now', 'now'];
	$bob->ack(got($bob, 'now', 'what is urgent comes'));
	$bob->request({ type => 'set_status', status => 'idle' });
	is(join(' ', sort map { my $p = $bob->expect_push; $bob->ack($p);
	    $p->{text} } 1, 2), 'low next', 'the others when bob is idle');
	$bob->close(1000);
	misses($alice, 'bob', 'bob is away');
	is($alice->send(to => 'peer-b', text => 'held')->{type}, 'ack',
	    'to a member who is away');
	$alice->send(to => 'peer-b', text => 'late', ttl => 1);
	got($there->peer($m->{seed}{peerB}), 'held', 'is held');
};

$row{client_ack} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	for my $by ('brokerMessageId', 'clientMessageId') {
		my $ack = $alice->send(to => 'bob', text => $by, id => "i$by");
		my $p = got($bob, $by);
		is(status_ok($alice, $ack, 'held', 'not yet')->{delivered},
		    $false, 'not delivered');
		ask($bob, 'client_ack', $by => $by =~ /^b/ ? $p->{messageId}
		    : $p->{client_message_id},
		    brokerMessageId => $p->{messageId});
		is(status_ok($alice, $ack, 'delivered')->{recipients}[0]{state},
		    'acked', 'acked');
	}
	# What was not acked is for who comes back.
	$alice->send(to => $bob->key, text => 'again');
	my $first = got($bob, 'again');
	$bob->drop;
	my $back = $here->peer($m->{seed}{peerB}, attest => 1, name => 'bob',
	    session_key => $bob->{session}, acks => 1);
	is(got($back, 'again')->{messageId}, $first->{messageId},
	    'the same one, on the host where it now is');
};

$row{pull} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	my $none = ask($bob, 'pull', limit => 5);
	is_deeply([@$none{qw(pushed waiting highest)}], [0, 0, undef],
	    'nothing waits');
	$bob->request({ type => 'set_status', status => 'dnd' });
	sees($alice, 'bob', sub { $_[0]{status} eq 'dnd' }, 'bob wants peace');
	my @acks = map { $alice->send(to => 'bob', text => $_->[0],
	    priority => $_->[1]) } ['a', 'low'], ['b', 'next'], ['c', 'next'];
	my $r;
	wait_until { $r = $bob->request({ type => 'pull' });
	    $r->{waiting} == 3 } 15, 'three that wait';
	is_deeply([@$r{qw(pushed highest)}], [0, 'next'], 'how urgent');
	ok($bob->no_push(after => $alice), 'asking how many brings none');
	$r = ask($bob, 'pull', limit => 2);
	is_deeply([@$r{qw(pushed waiting highest)}], [2, 1, 'next'],
	    'two of them');
	$bob->ack(got($bob, $_, "$_, in the order sent")) for qw(a b);
	status_ok($alice, $acks[1], 'delivered');
	status_ok($alice, $acks[2], 'held', 'the third one waits');
	$bob->request({ type => 'set_status', status => 'idle' });
	got($bob, 'c', 'until bob is idle');
	is(ask($alice, 'pull', limit => 1)->{pushed}, 0,
	    'they are not for others');
};

$row{read_messages} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	is($bob->request({ type => 'read_messages' })->{code}, 'forbidden',
	    'only behind /mcp');
	my $t = ask($bob, 'create_token');
	my $v = Linnet::Visitor->new($t->{token}, at => [$here, $there],
	    query => 'name=vera', name => 'vera');
	is($v->does('check_messages')->{unread}{count}, 0, 'none')
	    and $answered{read_messages}++;
	sees($alice, 'vera', sub { 1 }, 'it is there');
	my @acks = map { $alice->send(to => 'vera', text => $_->[0],
	    priority => $_->[1]) } ['a', 'low'], ['b', 'next'], ['c', 'next'];
	is_deeply($v->does('get_state', { key => 'x' })->{unread},
	    { count => 3, highest => 'next' }, 'three that wait');
	my $r = $v->does('check_messages', { limit => 2 });
	is_deeply([map { $_->{message_id} } @{ $r->{messages} }],
	    [map { $_->{messageId} } @acks[0, 1]], 'two, in order');
	is_deeply([@{ $r->{messages}[0] }{qw(from priority to text)}],
	    ['alice', 'low', 'you', 'a'], 'what is said');
	status_ok($alice, $acks[1], 'delivered');
	status_ok($alice, $acks[2], 'held', 'the third one waits');
	is($v->texts, 'c', 'and is there');
};

$row{mcp_session} = sub {
	my ($m) = @_;
	my $r = $m->{alice}->request({ type => 'mcp_session',
	    action => 'begin', revision => '2025-06-18' });
	is($r->{code}, 'forbidden', 'only behind /mcp');
	my $t = ask($m->{alice}, 'create_token');
	my %shows = (Authorization => "Bearer $t->{token}");
	$r = $here->http(POST => '/mcp', \%shows, { jsonrpc => '2.0', id => 1,
	    method => 'initialize', params => { capabilities => {},
	    clientInfo => { name => 'x', version => '1' },
	    protocolVersion => '2025-06-18' } });
	like($r->{headers}{'mcp-session-id'}, qr/^[0-9a-f]{32}$/, 'there')
	    ? $answered{mcp_session}++ : diag explain $r;
	my $id = $r->{headers}{'mcp-session-id'};
	$r = $there->http(POST => '/mcp', { %shows, 'Mcp-Session-Id' => $id },
	    { jsonrpc => '2.0', id => 2, method => 'ping' });
	is($r->{status}, 200, 'and wherever it is used');
};

$row{message_status} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	my $beside = beside($m);
	my $ack = $alice->send(to => $bob->key, text => 'x');
	my $p = got($bob, 'x');
	$bob->ack($p);
	status_ok($alice, $ack, 'delivered');
	for my $who ($alice, $bob, $beside) {
		my $r = ask($who, 'message_status',
		    messageId => $ack->{messageId});
		is_deeply([@$r{qw(messageId targetSpec delivered)},
		    @{ $r->{recipients}[0] }{qw(name pubkey status state)}],
		    [$ack->{messageId}, $bob->key, $true, 'bob', $bob->key,
		    'delivered', 'acked'], 'what ' . $who->name . ' reads');
	}
	is($there->peer($m->{seed}{peerB})->request({ type => 'message_status',
	    messageId => $beside->send(to => $bob->key, text => 'y')
	    ->{messageId} })->{code}, 'not_found', 'not what is of others');
	got($bob, 'y');
	$bob->request({ type => 'set_status', status => 'dnd' });
	sees($alice, 'bob', sub { $_[0]{status} eq 'dnd' }, 'bob rests');
	$ack = $alice->send(to => $bob->key, text => 'z', ttl => 60_000);
	my $short = $alice->send(to => $bob->key, text => 'brief', ttl => 100);
	status_ok($_, $ack, 'held') for $alice, $beside;
	status_ok($_, $short, 'expired') for $alice, $beside;
	$bob->close(1000);
	status_ok($_, $ack, 'disconnected') for $alice, $beside;
};

$row{schedule} = sub {
	my ($m) = @_;
	my $at = int(time * 1000) + 300;
	my $r = ask($m->{alice}, 'schedule', to => 'bob', message => 'later',
	    deliverAt => $at, subtype => 'reminder');
	is($r->{deliverAt}, $at, 'when');
	my $p = got($m->{bob}, 'later');
	is_deeply([@$p{qw(subtype senderName priority)}],
	    ['reminder', 'alice', 'now'], 'a reminder of alice');
	cmp_ok(time * 1000, '>=', $at, 'not before its time');
};

$row{list_scheduled} = sub {
	my ($m) = @_;
	my $r = $m->{alice}->request({ type => 'schedule', to => '*',
	    message => 'monday', cron => '0 9 * * mon' });
	for my $p ($m->{alice}, beside($m)) {
		my $list = ask($p, 'list_scheduled')->{messages};
		is_deeply([map { [@$_{qw(id to message cron)}] } @$list],
		    [[$r->{scheduledId}, '*', 'monday', '0 9 * * mon']],
		    'what ' . $p->name . ' reads');
	}
	is_deeply(ask($m->{bob}, 'list_scheduled')->{messages}, [],
	    'bob has none');
};

$row{cancel_scheduled} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	my $at = int(time * 1000) + 1500;
	my ($one, $two) = map { $alice->request({ type => 'schedule',
	    to => 'bob', message => $_, deliverAt => $at })->{scheduledId} }
	    'one', 'two';
	is(ask($bob, 'cancel_scheduled', scheduledId => $one)->{ok}, $false,
	    'not by others');
	is(ask(beside($m), 'cancel_scheduled', scheduledId => $one)->{ok},
	    $true, 'by oneself');
	got($bob, 'two', 'only the other one comes');
	ok($bob->no_push(after => $alice), 'and no more');
};

$row{list_peers} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	for my $p ($alice, $bob) {
		my $r = ask($p, 'list_peers')->{peers};
		is_deeply([map { [@$_{qw(displayName pubkey memberPubkey
		    presenceId status)}] } sort { $a->{displayName} cmp
		    $b->{displayName} } @$r], [map { [$_->name, $_->key,
		    $_->member_key, $_->hello_ack->{presenceId}, 'idle'] }
		    $alice, $bob], 'what ' . $p->name . ' reads');
	}
	$bob->close(1000);
	misses($alice, 'bob', 'bob left');
	is_deeply([map { "$_->{displayName} $_->{status}" }
	    @{ ask($alice, 'list_peers', all => $true)->{peers} }],
	    ['alice idle', 'peer-b offline'], 'the absent too');
};

$row{set_status} = sub {
	my ($m) = @_;
	for my $status (qw(working dnd idle)) {
		is(ask($m->{alice}, 'set_status', status => $status)->{status},
		    $status, $status);
		sees($m->{bob}, 'alice', sub { $_[0]{status} eq $status },
		    "bob sees $status");
	}
	$m->{alice}->ws->send_text({ type => 'set_status', status => 'dnd' });
	sees($m->{bob}, 'alice', sub { $_[0]{status} eq 'dnd' },
	    'without an id too');
};

$row{set_summary} = sub {
	my ($m) = @_;
	is(ask($m->{alice}, 'set_summary', summary => "it's \x{e4}")
	    ->{summary}, "it's \x{e4}", 'its words');
	sees($m->{bob}, 'alice', sub { ($_[0]{summary} // '') eq
	    "it's \x{e4}" }, 'bob reads them');
};

$row{set_visible} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	is(ask($alice, 'set_visible', visible => $false)->{visible}, $false,
	    'hidden');
	event_ok($bob, 'peer_hidden', 'alice');
	misses($bob, 'alice', 'not listed');
	is($bob->send(to => '*', text => 'all')->{recipients}, 0,
	    'not among all');
	is($bob->send(to => $alice->key, text => 'you')->{type}, 'ack',
	    'by its key it is there');
	got($alice, 'you');
	is(ask($alice, 'set_visible', visible => $true)->{visible}, $true,
	    'shown');
	event_ok($bob, 'peer_visible', 'alice');
	sees($bob, 'alice');
};

$row{set_profile} = sub {
	my ($m) = @_;
	my %profile = (avatar => ':)', title => 'T', bio => 'B',
	    capabilities => ['c', 'd']);
	is_deeply(ask($m->{alice}, 'set_profile', %profile)->{profile},
	    \%profile, 'all of it');
	sees($m->{bob}, 'alice', sub { ($_[0]{profile}{title} // '') eq 'T' },
	    'bob sees it');
	is_deeply(row($m->{bob}, 'alice')->{profile}, \%profile, 'all of it');
};

$row{set_stats} = sub {
	my ($m) = @_;
	my %stats = (messagesIn => 1, messagesOut => 2, toolCalls => 3,
	    uptime => 4, errors => 5);
	is_deeply(ask($m->{alice}, 'set_stats', stats => \%stats)->{stats},
	    \%stats, 'all of them');
	sees($m->{bob}, 'alice', sub { ($_[0]{stats}{errors} // 0) == 5 },
	    'bob sees them');
	is_deeply(row($m->{bob}, 'alice')->{stats}, \%stats, 'all of them');
};

$row{join_group} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	# For a group there is somebody once it was joined, not before.
	my $want = { name => "it's/a", role => 'r' };
	is_deeply(ask($alice, 'join_group', %$want)->{groups}, [$want],
	    'a group');
	sees($bob, 'alice', sub { @{ $_[0]{groups} } }, 'bob sees it');
	is_deeply(row($bob, 'alice')->{groups}, [$want], 'with the role');
	is($bob->send(to => "\@it's", text => 'above')->{recipients}, 1,
	    'the group above');
	got($alice, 'above');
};

$row{leave_group} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	$alice->request({ type => 'join_group', name => $_ }) for 'a', 'b';
	sees($bob, 'alice', sub { @{ $_[0]{groups} } == 2 }, 'two groups');
	is_deeply(ask($alice, 'leave_group', name => 'a')->{groups},
	    [{ name => 'b' }], 'one of them');
	sees($bob, 'alice', sub { @{ $_[0]{groups} } == 1 }, 'bob sees it');
	is($bob->send(to => '@a', text => 'x')->{code}, 'unknown_target',
	    'nobody is in the other');
};

$row{set_state} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	my $r = ask($alice, 'set_state', key => 'k', value => [1, undef]);
	is_deeply([@$r{qw(value version)}], [[1, undef], 1], 'a value');
	my $c = change($bob, 'k');
	is_deeply([@$c{qw(value version updatedBy)}], [[1, undef], 1,
	    $r->{updatedBy}], 'which it is');
	is($bob->request({ type => 'set_state', key => 'k', value => 0,
	    ifVersion => 0 })->{code}, 'version_conflict', 'it is there');
	ask($bob, 'set_state', key => 'k', value => 2, ifVersion => 1);
	is(change($alice, 'k')->{value}, 2, 'bob changed it');
};

$row{get_state} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	$alice->request({ type => 'set_state', key => 'k', value => 'v' });
	for my $p ($alice, $bob) {
		my $r = ask($p, 'get_state', key => 'k');
		is_deeply([@$r{qw(key value version)}], ['k', 'v', 1],
		    'what ' . $p->name . ' reads');
	}
	my $r = ask($bob, 'get_state', key => 'none');
	is_deeply([@$r{qw(value updatedBy updatedAt version)}],
	    [undef, '', '', 0], 'what is not there');
};

$row{list_state} = sub {
	my ($m) = @_;
	$m->{alice}->request({ type => 'set_state', key => $_,
	    value => "v$_" }) for 'b/2', 'a', 'b/1';
	for my $p (@$m{qw(alice bob)}) {
		is_deeply([map { "$_->{key} $_->{value}" }
		    @{ ask($p, 'list_state', prefix => 'b/')->{entries} }],
		    ['b/1 vb/1', 'b/2 vb/2'], 'what ' . $p->name . ' reads');
	}
};

$row{delete_state} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	$alice->request({ type => 'set_state', key => 'k', value => 'v' });
	change($bob, 'k', 'it is set');
	my $r = ask($alice, 'delete_state', key => 'k', ifVersion => 1);
	is_deeply([@$r{qw(existed version)}], [$true, 2], 'it was there');
	my $c = change($bob, 'k');
	is_deeply([@$c{qw(deleted value version)}], [$true, undef, 2],
	    'it is deleted');
	is($bob->request({ type => 'get_state', key => 'k' })->{value}, undef,
	    'nor found');
};

$row{watch_state} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	$alice->request({ type => 'set_state', key => 'a/0', value => 0 });
	change($bob, 'a/0', 'before it watches it is told of all');
	my $r = ask($bob, 'watch_state', prefix => 'a/');
	is_deeply([map { $_->{key} } @{ $r->{entries} }], ['a/0'],
	    'what there is');
	$alice->request({ type => 'set_state', key => $_, value => 1 })
	    for 'b', 'a/1', 'c', 'a/2';
	change($bob, $_) for 'a/1', 'a/2';
};

$row{unwatch_state} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	$bob->request({ type => 'watch_state', prefix => $_ }) for 'a/', 'b/';
	ask($bob, 'unwatch_state', prefix => 'a/');
	$alice->request({ type => 'set_state', key => $_, value => 1 })
	    for 'a/1', 'c', 'b/1';
	change($bob, 'b/1', 'only the other watch');
	ask($bob, 'unwatch_state', prefix => 'b/');
	$alice->request({ type => 'set_state', key => $_, value => 2 })
	    for 'a/1', 'c', 'b/1';
	change($bob, $_) for 'a/1', 'c', 'b/1';
};

$row{remember} = sub {
	my ($m) = @_;
	my $r = ask($m->{alice}, 'remember', content => 'Lighthouses burn',
	    tags => ['t']);
	is($r->{id}, $r->{memoryId}, 'both names of its id');
	my ($found) = @{ $m->{bob}->request({ type => 'recall',
	    query => 'lighthouse burning' })->{memories} };
	is_deeply([@$found{qw(id content tags rememberedBy)}],
	    [$r->{id}, 'Lighthouses burn', ['t'], 'alice'], 'bob finds it');
};

$row{recall} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	my @id = map { $alice->request({ type => 'remember',
	    content => "the $_ owl", tags => [$_] })->{id} } 'red', 'grey';
	$bob->request({ type => 'remember', content => 'a cat' });
	for my $p ($alice, $bob) {
		is_deeply([sort map { $_->{id} } @{ ask($p, 'recall',
		    query => 'owls')->{memories} }], [sort @id],
		    'what ' . $p->name . ' finds');
		is_deeply([map { $_->{id} } @{ ask($p, 'recall',
		    query => 'owls', tags => ['red'])->{memories} }],
		    [$id[0]], 'by its tag');
	}
};

$row{forget} = sub {
	my ($m) = @_;
	my $id = $m->{alice}->request({ type => 'remember',
	    content => 'an owl' })->{id};
	my $r = ask($m->{bob}, 'forget', memoryId => $id);
	is_deeply([@$r{qw(messageId queued)}], [$id, $false], 'as 0.4.0 has it');
	is_deeply($m->{alice}->request({ type => 'recall', query => 'owl' })
	    ->{memories}, [], 'nobody finds it');
};

$row{restore} = sub {
	my ($m) = @_;
	my $id = $m->{alice}->request({ type => 'remember',
	    content => 'an owl' })->{id};
	$m->{alice}->request({ type => 'forget', memoryId => $id });
	is(ask($m->{bob}, 'restore', memoryId => $id)->{restored}, $true,
	    'it was forgotten');
	is($m->{alice}->request({ type => 'recall', query => 'owl' })
	    ->{memories}[0]{id}, $id, 'and is found again');
};

$row{list_memories} = sub {
	my ($m) = @_;
	my @id = map { $m->{alice}->request({ type => 'remember',
	    content => "m$_" })->{id} } 1 .. 3;
	$m->{bob}->request({ type => 'forget', memoryId => $id[1] });
	for my $p (@$m{qw(alice bob)}) {
		is_deeply([map { $_->{content} } @{ ask($p,
		    'list_memories')->{memories} }], ['m3', 'm1'],
		    'what ' . $p->name . ' reads');
		is_deeply([map { $_->{content} } @{ ask($p, 'list_memories',
		    forgotten => $true)->{memories} }], ['m2'],
		    'and of what was forgotten');
		is_deeply([map { [map { $_->{content} } @{ ask($p,
		    'list_memories', id => $_)->{memories} }] } @id],
		    [['m1'], [], ['m3']], 'by their ids');
	}
};

$row{mesh_info} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	$alice->request({ type => 'join_group', name => 'dev/c' });
	$alice->request({ type => 'set_state', key => 'k', value => 1 });
	$alice->request({ type => 'remember', content => 'x' });
	sees($bob, 'alice', sub { @{ $_[0]{groups} } }, 'a group');
	for my $p ($alice, $bob) {
		my $r = ask($p, 'mesh_info');
		is_deeply([@$r{qw(mesh slug peers stateKeys stateKeyCount
		    memoryCount yourName)}, [sort @{ $r->{groups} }],
		    scalar @{ $r->{yourGroups} }], [$m->{seed}{meshId},
		    $m->{seed}{slug}, 2, ['k'], 1, 1, $p->name,
		    ['@dev', '@dev/c'], $p == $alice ? 1 : 0],
		    'what ' . $p->name . ' reads') or diag explain $r;
	}
};

$row{list_skills} = sub {
	my ($m) = @_;
	is_deeply(ask($_, 'list_skills')->{skills}, [], 'none')
	    for @$m{qw(alice bob)};
};

$row{get_skill} = sub {
	my ($m) = @_;
	is(ask($_, 'get_skill', name => 'x')->{skill}, undef, 'none')
	    for @$m{qw(alice bob)};
};

$row{kick} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	is($bob->request({ type => 'kick', target => 'alice' })->{code},
	    'forbidden', 'not by a member');
	my $r = ask($alice, 'kick', target => 'bob', reason => 'why not');
	is_deeply([@$r{qw(kicked affected)}], [['bob'], 1], 'bob');
	closed_ok($bob, 4001, 'kicked: why not', 'bob is told');
	event_ok($alice, 'peer_left', 'bob', 'alice too');
	ok(!row($alice, 'bob'), 'and bob is not there');
};

$row{disconnect} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	$bob->request({ type => 'set_summary', summary => 'here' });
	is_deeply(ask($alice, 'disconnect', target => $bob->key)->{kicked},
	    ['bob'], 'bob');
	closed_ok($bob, 1000, 'disconnected', 'bob is told');
	my $back = $here->peer($m->{seed}{peerB}, attest => 1, name => 'bob',
	    session_key => $bob->{session});
	is_deeply([@{ $back->hello_ack }{qw(restored lastSummary)}],
	    [$true, 'here'], 'and may come back as it was, on any host');
	sees($alice, 'bob');
	ok(!$alice->ws->pick('push'), 'nobody hears of that');
};

$row{ban} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	my $b = $m->{seed}{peerB};
	my $near = $here->peer($b, name => 'near');
	sees($_, 'near') for $alice, $bob;
	my $r = ask($alice, 'ban', target => 'bob', reason => 'spam');
	is_deeply([@$r{qw(name memberId pubkey reason affected)}],
	    ['peer-b', @$b{qw(memberId pubkey)}, 'spam', 2], 'all of it');
	closed_ok($_, 4002, 'banned: spam', 'a session is told')
	    for $bob, $near;
	for my $host ($here, $there) {
		my $p = $host->peer($b, refused => 1);
		is($p->refusal->{code}, 'banned', 'it is not let in');
		closed_ok($p, 4002, 'banned', 'and told');
	}
	misses($alice, $_, "$_ is gone") for 'bob', 'near';
	is($alice->send(to => 'peer-b', text => 'x')->{type}, 'ack',
	    'what is for it is held');
};

$row{unban} = sub {
	my ($m) = @_;
	my $b = $m->{seed}{peerB};
	my $beside = beside($m);
	$m->{alice}->request({ type => 'ban', target => 'bob' });
	$m->{alice}->send(to => 'peer-b', text => 'held');
	is(ask($beside, 'unban', target => 'peer-b')->{memberId},
	    $b->{memberId}, 'it may come');
	got($here->peer($b, name => 'bob', acks => 1), 'held',
	    'and has what was held');
	is($m->{alice}->request({ type => 'unban', target => 'peer-b' })
	    ->{code}, 'not_found', 'once');
};

$row{list_bans} = sub {
	my ($m) = @_;
	my $beside = beside($m);
	$m->{alice}->request({ type => 'ban', target => 'bob',
	    reason => 'spam' });
	for my $p ($m->{alice}, $beside) {
		is_deeply([map { [@$_{qw(memberId name reason bannedBy)}] }
		    @{ ask($p, 'list_bans')->{bans} }],
		    [[$m->{seed}{peerB}{memberId}, 'peer-b', 'spam',
		    'alice']], 'what ' . $p->name . ' reads');
	}
	$beside->request({ type => 'unban', target => 'peer-b' });
	is_deeply(ask($m->{alice}, 'list_bans')->{bans}, [], 'and no more');
};

$row{audit_rows} = sub {
	my ($m) = @_;
	my $c = $m->{bob}->request({ type => 'create_channel', name => 'it',
	    private => $true })->{channelId};
	my $r = ask($m->{alice}, 'audit_rows', limit => 1);
	is_deeply([$r->{rows}[0]{eventType}, $r->{rows}[0]{payload}{channelId}],
	    ['channel.created', $c], 'what bob did, also behind the wall');
	is($m->{bob}->request({ type => 'audit_rows' })->{code}, 'forbidden',
	    'who keeps no order reads nothing');
};

$row{audit_verify} = sub {
	my ($m) = @_;
	my $n = $m->{alice}->request({ type => 'audit_rows', limit => 1 })
	    ->{rows}[0]{n};
	my $r = ask($m->{alice}, 'audit_verify');
	is_deeply([@$r{qw(valid firstBadIndex total)}], [$true, undef, $n],
	    'it is what it was');
	$m->{bob}->request({ type => 'create_channel', name => 'more' });
	is($m->{alice}->request({ type => 'audit_verify' })->{total}, $n + 1,
	    'and goes on');
};

# What bob may still do to alice: send to it, be among all, change state.
sub open_ok {
	my ($m, $want, $what) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	my $is = sub {
		return join ' ',
		    ($bob->send(to => 'alice', text => 'dm')->{code} // 'dm')
			eq 'blocked' ? () : 'dm',
		    $bob->send(to => '*', text => 'all')->{recipients}
			? 'broadcast' : ();
	};
	my $dms = join ' ', grep { $_ ne 'state' } split / /, $want;
	ok((wait_until { $is->() eq $dms } 15), "$what: " . ($dms || 'nothing'))
	    or diag $is->();
	1 while $alice->ws->pick(\&Linnet::Peer::is_message);
	my $told = wait_until {
		$bob->request({ type => 'set_state', key => 'of bob',
		    value => 1 });
		$alice->request({ type => 'set_state', key => 'mark',
		    value => 1 });
		$m->{beside}->wait_for(sub { ($_->{key} // '') eq 'mark' }, 15)
		    or return 1;
		my $n = grep { ($_->{key} // '') eq 'of bob' }
		    $alice->ws->queued;
		1 while $alice->ws->pick('state_change');
		!!$n == ($want =~ /state/)
	} 15;
	return ok($told, "$what: state is " . ($want =~ /state/ ? '' : 'not ')
	    . 'told');
}

$row{block} = sub {
	my ($m) = @_;
	my $beside = $m->{beside} = beside($m);
	open_ok($m, 'dm broadcast state', 'before');
	my $r = ask($m->{alice}, 'block', target => 'bob');
	is_deeply([@$r{qw(name memberId what)}], ['peer-b',
	    $m->{seed}{peerB}{memberId}, [qw(dm broadcast state)]], 'whom');
	open_ok($m, '', 'blocked');
	$r = $m->{bob}->send(to => 'alice', text => 'x', id => 'b1');
	is_deeply([@$r{qw(type code id)}], ['error', 'blocked', 'b1'],
	    'bob is told');
	is($m->{alice}->send(to => 'bob', text => 'to bob')->{type}, 'ack',
	    'the other way is open');
	got($m->{bob}, 'to bob');
};

$row{unblock} = sub {
	my ($m) = @_;
	my $beside = $m->{beside} = beside($m);
	$m->{alice}->request({ type => 'block', target => 'bob' });
	open_ok($m, '', 'blocked');
	is_deeply(ask($beside, 'unblock', target => 'bob', what => ['dm'])
	    ->{what}, [qw(broadcast state)], 'on another session');
	open_ok($m, 'dm', 'a part');
	is_deeply(ask($m->{alice}, 'unblock', target => 'bob')->{what}, [],
	    'all');
	open_ok($m, 'dm broadcast state', 'all');
};

$row{list_blocks} = sub {
	my ($m) = @_;
	my $beside = beside($m);
	$m->{alice}->request({ type => 'block', target => 'bob',
	    what => ['state'] });
	for my $p ($m->{alice}, $beside) {
		is_deeply([map { [@$_{qw(memberId name what)}] }
		    @{ ask($p, 'list_blocks')->{blocks} }],
		    [[$m->{seed}{peerB}{memberId}, 'peer-b', ['state']]],
		    'what ' . $p->name . ' reads');
	}
	is_deeply(ask($m->{bob}, 'list_blocks')->{blocks}, [],
	    'not for whom it is');
};

# Shows a token to a host, with the answer.
sub show_token {
	my ($host, $token) = @_;
	return $host->http(GET => '/v1/token',
	    { Authorization => "Bearer $token" });
}

$row{create_token} = sub {
	my ($m) = @_;
	my $r = ask($m->{alice}, 'create_token', name => 'CI',
	    scopes => ['state:read']);
	like($r->{token}, qr/^wat_[\w-]{48}$/, 'a token');
	is_deeply([@$r{qw(name scopes)}], ['CI', ['state:read']], 'as asked');
	for my $host ($here, $there) {
		is_deeply([@{ show_token($host, $r->{token})->{json} }{
		    qw(tokenId memberId scopes)}], [$r->{tokenId},
		    $m->{seed}{peerA}{memberId}, ['state:read']],
		    'good wherever it is shown');
	}
};

$row{list_tokens} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	my @id = map { $bob->request({ type => 'create_token',
	    name => $_ })->{tokenId} } 'one', 'two';
	$bob->request({ type => 'revoke_token', tokenId => $id[0] });
	for my $ask ([$bob], [$alice, target => 'bob'],
	    [beside($m), all => $true]) {
		my ($p, %o) = @$ask;
		is_deeply([map { [@$_{qw(tokenId name state memberId)}] }
		    @{ ask($p, 'list_tokens', %o)->{tokens} }],
		    [[$id[1], 'two', 'good', $m->{seed}{peerB}{memberId}],
		    [$id[0], 'one', 'revoked', $m->{seed}{peerB}{memberId}]],
		    'what ' . $p->name . ' reads');
	}
	is_deeply(ask($alice, 'list_tokens')->{tokens}, [], 'alice has none');
};

$row{revoke_token} = sub {
	my ($m) = @_;
	my ($alice, $bob) = @$m{qw(alice bob)};
	my ($one, $two) = map { $bob->request({ type => 'create_token' }) }
	    1 .. 2;
	for my $by ([$bob, $one], [$alice, $two]) {
		my ($p, $t) = @$by;
		is(show_token($_, $t->{token})->{status}, 200, 'good')
		    for ($here, $there) x 2;
		my $r = ask($p, 'revoke_token', tokenId => $t->{tokenId});
		is_deeply([@$r{qw(tokenId wasGood)}], [$t->{tokenId}, $true],
		    'by ' . $p->name);
		for my $host ($here, $there) {
			ok((wait_until { show_token($host, $t->{token})
			    ->{status} == 401 } 3), 'worthless');
		}
	}
	is($bob->request({ type => 'revoke_token', tokenId =>
	    $alice->request({ type => 'create_token' })->{tokenId} })->{code},
	    'not_found', "not another's");
};

$row{'GET /v1/token'} = sub {
	my ($m) = @_;
	my $t = $m->{alice}->request({ type => 'create_token' });
	for my $host ($here, $there) {
		my $r = show_token($host, $t->{token});
		is_deeply([$r->{status}, @{ $r->{json} }{qw(meshId meshSlug
		    memberId memberName role)}], [200, @{ $m->{seed} }{
		    qw(meshId slug)}, $m->{seed}{peerA}{memberId}, 'peer-a',
		    'admin'], 'GET /v1/token is answered')
		    ? $answered{'GET /v1/token'}++ : diag explain $r;
	}
};

# Who joins with the mesh's invite, as a member that can say hello.
sub joins {
	my ($host, $m, $name) = @_;
	my $token = $m->{seed}{inviteToken};
	my $key = Linnet::Peer::new_key();
	my $r = $host->http(POST => '/join', {}, { invite_token => $token,
	    invite_payload => Cpanel::JSON::XS->new->decode(
		decode_base64($token =~ tr{-_}{+/}r)),
	    peer_pubkey => $key->{pubkey}, display_name => $name });
	is_deeply([$r->{status}, $r->{json}{ok}], [200, $true],
	    'POST /join is answered') ? $answered{'POST /join'}++
	    : diag explain $r;
	return { %$key, %{ $r->{json} }, meshId => $m->{seed}{meshId} };
}

$row{'POST /join'} = sub {
	my ($m) = @_;
	my $carol = joins($here, $m, 'carol');
	is($m->{bob}->send(to => 'carol', text => 'welcome')->{type}, 'ack',
	    'bob can write to it at once');
	my $p = $there->peer($carol, attest => 1);
	event_ok($m->{bob}, 'peer_joined', 'carol');
	got($p, 'welcome');
};

$row{'POST /hook/set-status'} = sub {
	my ($m) = @_;
	my $carol = joins($there, $m, 'carol');
	my $hook = sub {
		my ($host, %body) = @_;
		my $r = $host->http(POST => '/hook/set-status', {
		    Authorization => "Bearer $carol->{hookToken}" }, \%body);
		is_deeply([$r->{status}, $r->{json}{ok}], [200, $true],
		    'POST /hook/set-status is answered')
		    ? $answered{'POST /hook/set-status'}++ : diag explain $r;
		return $r->{json};
	};
	my $p = $there->peer($carol, attest => 1, name => 'carol', cwd => '/c',
	    pid => 7, session_id => 'of carol');
	sees($m->{alice}, 'carol');
	my $status = 'idle';
	for my $by ([session_id => 'of carol', cwd => '/x'],
	    [pid => 7, cwd => '/c'], [cwd => '/c']) {
		$status = $status eq 'idle' ? 'working' : 'idle';
		is($hook->($here, @$by, status => $status)->{presence_id},
		    $p->hello_ack->{presenceId}, "found by $by->[0]");
		sees($_, 'carol', sub { $_[0]{status} eq $status },
		    $_->name . " sees $status") for $m->{alice}, $m->{bob}, $p;
	}
	$m->{alice}->send(to => 'carol', text => 'wait');
	$hook->($here, cwd => '/c', status => 'idle');
	got($p, 'wait', 'what was held comes when a hook says idle');
	# A hook that comes before its session.
	is($hook->($here, cwd => '/soon', status => 'working')->{pending},
	    $true, 'it may come first');
	my $soon = $there->peer($carol, name => 'soon', cwd => '/soon');
	is(row($soon, 'soon')->{status}, 'working', 'and holds');
};

# A file of alice's with its bytes, as it was answered.
# A channel of alice's, which bob follows.
sub channel {
	my ($m, %o) = @_;
	my $c = $m->{alice}->request({ type => 'create_channel',
	    name => 'ch', %o })->{channelId};
	$m->{bob}->request({ type => 'follow_channel', channel => $c });
	return $c;
}
sub posts {
	my ($p, $c, $text) = @_;
	return $p->request({ type => 'post', channel => $c, text => $text });
}
sub said {
	my ($p, $text, $what) = @_;
	is(($p->wait_for('channel_message') // {})->{parts}[0]{payload}{text},
	    $text, $what // "bob hears $text");
	return;
}
sub happened {
	my ($p, $event, $what) = @_;
	my $e = $p->wait_for(sub { ($_->{event} // '') eq $event });
	ok($e, $what // "bob learns of $event");
	return $e ? $e->{payload} : {};
}

sub kept {
	my ($m, $c) = @_;
	return ask($m->{alice}, 'register_artifact', channel => $c,
	    filename => 'a.txt', contentType => 'text/plain',
	    contentBase64 => 'aGVsbG8=')->{artifact};
}

$row{register_artifact} = sub {
	my ($m) = @_;
	my $c = channel($m);
	my $a = kept($m, $c);
	is(happened($m->{bob}, 'artifact.registered')->{artifactId}, $a->{id},
	    'it is that');
};

$row{get_artifact} = sub {
	my ($m) = @_;
	my $a = kept($m, channel($m));
	is_deeply(ask($m->{bob}, 'get_artifact',
	    artifactId => $a->{id})->{artifact}, $a, 'bob sees it');
};

$row{list_artifacts} = sub {
	my ($m) = @_;
	my $c = channel($m);
	my $a = kept($m, $c);
	is_deeply(ask($m->{bob}, 'list_artifacts', channel => $c)->{artifacts},
	    [$a], 'bob finds it');
};

$row{delete_artifact} = sub {
	my ($m) = @_;
	my $a = kept($m, channel($m));
	ask($m->{alice}, 'delete_artifact', artifactId => $a->{id},
	    reason => 'old');
	is(happened($m->{bob}, 'artifact.deleted')->{reason}, 'old', 'and why');
};

$row{create_channel} = sub {
	my ($m) = @_;
	my $c = ask($m->{alice}, 'create_channel', name => 'Plans',
	    topic => 't')->{channelId};
	my ($l) = @{ $m->{bob}->request({ type => 'list_channels' })
	    ->{channels} };
	is_deeply([@$l{qw(channelId name topic private lastSeq)}],
	    [$c, 'Plans', 't', $false, 0], 'bob finds it');
};

$row{create_thread} = sub {
	my ($m) = @_;
	my $c = channel($m);
	my $id = posts($m->{alice}, $c, 'a')->{messageId};
	my $t = ask($m->{alice}, 'create_thread', channel => $c,
	    messageId => $id)->{channelId};
	is(posts($m->{bob}, $t, 'b')->{seq}, 1, 'bob writes to it');
};

$row{delete_channel} = sub {
	my ($m) = @_;
	my $c = channel($m);
	ask($m->{alice}, 'delete_channel', channel => $c);
	is($m->{bob}->wait_for('channel_closed')->{channelId}, $c,
	    'bob hears of it no more');
	is(posts($m->{bob}, $c, 'x')->{code}, 'not_found', 'nor finds it');
};

$row{post} = sub {
	my ($m) = @_;
	my $c = channel($m);
	is(ask($m->{alice}, 'post', channel => $c, text => 'hi')->{seq}, 1,
	    'the first');
	said($m->{bob}, 'hi');
	is(posts($m->{bob}, $c, 'ho')->{seq}, 2, 'bob has the next');
};

$row{edit_post} = sub {
	my ($m) = @_;
	my $c = channel($m);
	my $id = posts($m->{alice}, $c, 'a')->{messageId};
	ask($m->{alice}, 'edit_post', messageId => $id, text => 'b');
	is(happened($m->{bob}, 'message.edited')->{messageId}, $id, 'which');
};

$row{redact_post} = sub {
	my ($m) = @_;
	my $c = channel($m);
	my $id = posts($m->{bob}, $c, 'a')->{messageId};
	ask($m->{alice}, 'redact_post', messageId => $id, reason => 'why');
	is(happened($m->{bob}, 'message.redacted')->{reason}, 'why', 'why');
};

$row{react} = sub {
	my ($m) = @_;
	my $c = channel($m);
	my $id = posts($m->{bob}, $c, 'a')->{messageId};
	ask($m->{alice}, 'react', messageId => $id, reaction => '+1');
	is(happened($m->{bob}, 'reaction.added')->{reaction}, '+1', 'what');
};

$row{read_channel} = sub {
	my ($m) = @_;
	my $c = channel($m);
	posts($m->{bob}, $c, $_) for 'a', 'b';
	is(join(' ', map { $_->{parts}[0]{payload}{text} } @{ ask($m->{alice},
	    'read_channel', channel => $c)->{messages} }), 'a b',
	    'what bob said');
};

$row{list_channels} = sub {
	my ($m) = @_;
	my $c = channel($m);
	posts($m->{bob}, $c, 'a');
	my ($l) = @{ ask($m->{alice}, 'list_channels')->{channels} };
	is_deeply([@$l{qw(channelId lastSeq unread role)}],
	    [$c, 1, 1, 'owner'], 'with what bob said');
};

$row{search} = sub {
	my ($m) = @_;
	my $c = channel($m);
	posts($m->{bob}, $c, 'an owl by night');
	my ($hit) = @{ ask($m->{alice}, 'search', query => 'owls')->{hits} };
	is($hit->{title}, 'an owl by night', 'what bob said');
};

$row{suggest} = sub {
	my ($m) = @_;
	channel($m);
	is_deeply([map { $_->{label} } @{ ask($m->{alice}, 'suggest',
	    query => 'ch')->{suggestions} }], ['ch'], 'the channel');
};

# What is remembered of what bob says.
sub remembers {
	my ($m) = @_;
	my $c = channel($m);
	posts($m->{bob}, $c, 'the owl hunts by night');
	my @units;
	ok(wait_until { @units = @{ $m->{bob}->request({
	    type => 'list_memory_units', channel => $c })->{units} } },
	    'it is remembered');
	return $units[0]{id};
}

$row{list_memory_units} = sub {
	my ($m) = @_;
	my $id = remembers($m);
	is(ask($m->{alice}, 'list_memory_units', channel => 'ch')->{units}[0]
	    {id}, $id, 'what bob said');
};

$row{search_memory_units} = sub {
	my ($m) = @_;
	my $id = remembers($m);
	is(ask($m->{alice}, 'search_memory_units', query => 'owls')->{hits}[0]
	    {unit}{id}, $id, 'what bob said');
};

$row{get_memory_unit} = sub {
	my ($m) = @_;
	my $id = remembers($m);
	is(ask($m->{alice}, 'get_memory_unit', memoryId => $id)->{unit}
	    {content}, 'the owl hunts by night', 'what bob said');
};

$row{promote_memory_unit} = sub {
	my ($m) = @_;
	my $id = remembers($m);
	is($m->{bob}->request({ type => 'promote_memory_unit',
	    memoryId => $id })->{code}, 'forbidden', 'not by a member');
	ok(ask($m->{alice}, 'promote_memory_unit', memoryId => $id)->{unit}
	    {promoted}, 'by who keeps order');
	is(happened($m->{bob}, 'memory.promoted')->{memoryId}, $id,
	    'bob is told');
};

$row{list_threads} = sub {
	my ($m) = @_;
	my $c = channel($m);
	my $id = posts($m->{bob}, $c, 'a')->{messageId};
	$m->{bob}->request({ type => 'create_thread', channel => $c,
	    messageId => $id });
	is(ask($m->{alice}, 'list_threads', channel => $c)
	    ->{threads}[0]{messageId}, $id, 'that of bob');
};

$row{join_channel} = sub {
	my ($m) = @_;
	my $c = $m->{bob}->request({ type => 'create_channel',
	    name => 'his' })->{channelId};
	$m->{bob}->request({ type => 'follow_channel', channel => $c });
	is(ask($m->{alice}, 'join_channel', channel => 'his')->{role},
	    'member', 'as that');
	is(happened($m->{bob}, 'membership.updated')->{role}, 'member', 'as');
};

$row{leave_channel} = sub {
	my ($m) = @_;
	my $c = channel($m);
	ask($m->{alice}, 'leave_channel', channel => $c);
	is(happened($m->{bob}, 'membership.updated')->{role}, undef, 'gone');
};

$row{add_channel_member} = sub {
	my ($m) = @_;
	my $c = channel($m, private => $true);
	is(posts($m->{bob}, $c, 'x')->{code}, 'not_found', 'bob sees nothing');
	ask($m->{alice}, 'add_channel_member', channel => $c,
	    member => $m->{bob}->member_key);
	is(posts($m->{bob}, $c, 'x')->{seq}, 1, 'and then he does');
};

$row{remove_channel_member} = sub {
	my ($m) = @_;
	my $c = channel($m, private => $true);
	my @bob = (channel => $c, member => $m->{bob}->member_key);
	$m->{alice}->request({ type => 'add_channel_member', @bob });
	$m->{bob}->request({ type => 'follow_channel', channel => $c });
	ask($m->{alice}, 'remove_channel_member', @bob);
	is($m->{bob}->wait_for('channel_closed')->{channelId}, $c,
	    'bob sees it no more');
};

$row{list_channel_members} = sub {
	my ($m) = @_;
	my $c = channel($m);
	$m->{bob}->request({ type => 'join_channel', channel => $c });
	is(scalar @{ ask($m->{alice}, 'list_channel_members', channel => $c)
	    ->{members} }, 2, 'bob too');
};

# A request for a permission that bob lacks; alice, who keeps order, hears.
sub lacks {
	my ($m) = @_;
	my $id = ask($m->{bob}, 'request_permission', action => 'x:y',
	    resourceType => 'org', context => { why => 'z' })->{requestId};
	is($m->{alice}->wait_for('permission_request')->{payload}{requestId},
	    $id, 'alice hears of it');
	return $id;
}

$row{create_grant} = sub {
	my ($m) = @_;
	my $id = ask($m->{alice}, 'create_grant', member => 'peer-b',
	    capability => 'x:y', resourceType => 'org')->{grantId};
	is(ask($m->{bob}, 'list_grants')->{grants}[0]{grantId}, $id,
	    'bob has it');
};

$row{revoke_grant} = sub {
	my ($m) = @_;
	my $id = ask($m->{alice}, 'create_grant', member => 'peer-b',
	    capability => 'x:y', resourceType => 'org')->{grantId};
	is($m->{bob}->request({ type => 'revoke_grant', grantId => $id })
	    ->{code}, 'forbidden', 'not by bob');
	is(ask($m->{alice}, 'revoke_grant', grantId => $id)->{existed}, $true,
	    'it was there');
	is_deeply(ask($m->{bob}, 'list_grants')->{grants}, [], 'it is gone');
};

$row{revoke_grants} = sub {
	my ($m) = @_;
	my @id = map { ask($m->{alice}, 'create_grant', member => 'peer-b',
	    capability => $_, resourceType => 'org')->{grantId} } 'a', 'b';
	is_deeply(ask($m->{alice}, 'revoke_grants', member => 'peer-b')
	    ->{revokedGrantIds}, \@id, 'both');
	is_deeply(ask($m->{bob}, 'list_grants')->{grants}, [], 'are gone');
};

$row{list_grants} = sub {
	my ($m) = @_;
	ask($m->{alice}, 'create_grant', member => 'peer-b', capability =>
	    'x:y', resourceType => 'org', maxUses => 3);
	for my $ask ([$m->{bob}], [$m->{alice}, member => 'peer-b']) {
		my ($p, %o) = @$ask;
		is_deeply([map { [@$_{qw(capability maxUses remainingUses)}] }
		    @{ ask($p, 'list_grants', %o)->{grants} }],
		    [['x:y', 3, 3]], 'what ' . $p->name . ' reads');
	}
	is($m->{bob}->request({ type => 'list_grants', member => 'peer-a' })
	    ->{code}, 'forbidden', 'not those of others');
};

$row{check_grant} = sub {
	my ($m) = @_;
	is(ask($m->{bob}, 'check_grant', capability => 'x:y')->{hasGrant},
	    $false, 'bob may not');
	ask($m->{alice}, 'create_grant', member => 'peer-b', capability =>
	    'x:y', resourceType => 'org');
	is(ask($m->{bob}, 'check_grant', capability => 'x:y')->{hasGrant},
	    $true, 'then bob may');
};

$row{request_permission} = sub {
	my ($m) = @_;
	my $id = lacks($m);
	is($m->{alice}->request({ type => 'get_permission_request',
	    requestId => $id })->{request}{context}{why}, 'z', 'what for');
};

$row{list_permission_requests} = sub {
	my ($m) = @_;
	my $id = lacks($m);
	is(ask($_, 'list_permission_requests')->{requests}[0]{requestId}, $id,
	    'what ' . $_->name . ' reads') for $m->{alice}, $m->{bob};
};

$row{get_permission_request} = sub {
	my ($m) = @_;
	my $id = lacks($m);
	is(ask($_, 'get_permission_request', requestId => $id)
	    ->{request}{status}, 'open', 'what ' . $_->name . ' reads')
	    for $m->{alice}, $m->{bob};
};

$row{resolve_permission} = sub {
	my ($m) = @_;
	my $id = lacks($m);
	my $r = ask($m->{alice}, 'resolve_permission', requestId => $id,
	    approve => $true);
	is($m->{bob}->wait_for('permission_resolved')->{payload}{grantId},
	    $r->{grantId}, 'bob hears of it');
};

$row{register_command} = sub {
	my ($m) = @_;
	my $c = channel($m);
	my $id = ask($m->{bob}, 'register_command', name => 'ship')
	    ->{requestId};
	ask($m->{alice}, 'resolve_permission', requestId => $id,
	    approve => $true);
	$m->{alice}->request({ type => 'post', channel => $c, parts => [{
	    type => 'command', payload => { command => 'ship' } }] });
	is($m->{bob}->wait_for('command_invoked')->{payload}{command}, 'ship',
	    'bob is to do it');
};

$row{list_commands} = sub {
	my ($m) = @_;
	my $id = ask($m->{alice}, 'register_command', name => 'ship')
	    ->{commandId};
	is(ask($m->{bob}, 'list_commands')->{commands}[0]{commandId}, $id,
	    'bob finds it');
};

$row{delete_command} = sub {
	my ($m) = @_;
	my $id = ask($m->{alice}, 'register_command', name => 'ship')
	    ->{commandId};
	is($m->{bob}->request({ type => 'delete_command', commandId => $id })
	    ->{code}, 'forbidden', 'not by bob');
	ask($m->{alice}, 'delete_command', commandId => $id);
	is_deeply(ask($m->{bob}, 'list_commands')->{commands}, [],
	    'it is gone');
};

$row{mark_read} = sub {
	my ($m) = @_;
	my $c = channel($m);
	posts($m->{bob}, $c, $_) for 'a', 'b';
	is(ask($m->{alice}, 'mark_read', channel => $c, seq => 1)->{unread},
	    1, 'what bob said, but for one');
};

$row{follow_channel} = sub {
	my ($m) = @_;
	my $c = channel($m);
	posts($m->{bob}, $c, $_) for 'a', 'b';
	is(ask($m->{alice}, 'follow_channel', channel => $c, after => 1)
	    ->{lastSeq}, 2, 'how far it is');
	said($m->{alice}, 'b', 'what was said after');
	posts($m->{bob}, $c, 'c');
	said($m->{alice}, 'c', 'and what is said then');
};

$row{unfollow_channel} = sub {
	my ($m) = @_;
	my $c = channel($m);
	my $d = channel($m, name => 'other');
	$m->{alice}->request({ type => 'follow_channel', channel => $_ })
	    for $c, $d;
	ask($m->{alice}, 'unfollow_channel', channel => $c);
	posts($m->{bob}, $c, 'a');
	posts($m->{bob}, $d, 'b');
	said($m->{alice}, 'b', 'only the other one');
};

$row{follow_mesh} = sub {
	my ($m) = @_;
	my $c = channel($m);
	ask($m->{alice}, 'follow_mesh');
	posts($m->{bob}, $c, 'a');
	said($m->{alice}, 'a', 'whatever channel it is in');
};

$row{channel_events} = sub {
	my ($m) = @_;
	my $c = channel($m);
	posts($m->{bob}, $c, $_) for 'a', 'b';
	is(join(' ', map { $_->{streamSeq} } @{ ask($m->{alice},
	    'channel_events', channel => $c)->{events} }), '1 2',
	    'both messages');
};

$row{mesh_events} = sub {
	my ($m) = @_;
	my $c = channel($m);
	posts($m->{bob}, $c, 'a');
	is(ask($m->{alice}, 'mesh_events')->{events}[-1]{streamId}, $c,
	    'the last is in the channel');
};

sub file {
	my ($m, %o) = @_;
	my $r = ask($m->{alice}, 'share_file', name => 'plan.txt', size => 5,
	    tags => ['t'], %o);
	is($there->http('PUT', $r->{url}, {}, 'hello')->{status}, 201,
	    'its bytes, by the other host');
	return $r->{fileId};
}

$row{share_file} = sub {
	my ($m) = @_;
	my $f = file($m);
	my ($found) = @{ $m->{bob}->request({ type => 'list_files' })
	    ->{files} };
	is_deeply([@$found{qw(id name size tags uploadedBy persistent)}],
	    [$f, 'plan.txt', 5, ['t'], 'alice', $true], 'bob finds it');
	$f = file($m, attachment => $true);
	is($m->{bob}->request({ type => 'get_file', fileId => $f })->{code},
	    'not_found', 'an attachment he does not');
	$m->{alice}->send(to => 'bob', text => 'see', files => [$f]);
	my $push = got($m->{bob}, 'see', 'a message with it');
	is_deeply($push->{files}, [{ id => $f, name => 'plan.txt',
	    size => 5 }], 'which names it');
	is($m->{bob}->request({ type => 'get_file', fileId => $f })->{name},
	    'plan.txt', 'then he may');
};

$row{get_file} = sub {
	my ($m) = @_;
	my $f = file($m);
	my $r = ask($m->{bob}, 'get_file', fileId => $f);
	is($here->http('GET', $r->{url})->{body}, 'hello',
	    'a link of the one host is good on the other');
};

$row{list_files} = sub {
	my ($m) = @_;
	my $f = file($m);
	for my $p (@$m{qw(alice bob)}) {
		is_deeply([map { $_->{id} } @{ ask($p, 'list_files', @$_)
		    ->{files} }], [$f], $p->name . " finds it by $_->[0]")
		    for [query => 'PLAN'], [tags => ['t']], [from => 'alice'];
	}
};

$row{file_status} = sub {
	my ($m) = @_;
	my $f = file($m);
	my $url = $m->{bob}->request({ type => 'get_file', fileId => $f })
	    ->{url};
	is(@{ ask($m->{alice}, 'file_status', fileId => $f)->{accesses} }, 0,
	    'nobody has read it');
	$there->http('GET', $url);
	my $a;
	ok(wait_until { ($a) = @{ ask($m->{alice}, 'file_status',
	    fileId => $f)->{accesses} } } 10, 'then somebody has');
	is($a->{memberPubkey}, $m->{bob}->member_key, 'it was bob');
};

$row{delete_file} = sub {
	my ($m) = @_;
	my $f = file($m);
	my $url = $m->{bob}->request({ type => 'get_file', fileId => $f })
	    ->{url};
	ok(ask($m->{alice}, 'delete_file', fileId => $f)->{deleted},
	    'deleted');
	is_deeply($m->{bob}->request({ type => 'list_files' })->{files}, [],
	    'bob finds it no more');
	is($there->http('GET', $url)->{status}, 404, 'nor by its link');
};

# A webhook of alice's that goes nowhere.
sub webhook {
	my ($m) = @_;
	return $m->{alice}->request({ type => 'create_webhook', endpoint =>
	    'https://hooks.invalid/', eventTypes => ['message.appended'] })
	    ->{subscriptionId};
}
# The webhook as another session of its member has it, where bob is.
sub listed {
	my ($m, $id, %o) = @_;
	my ($w) = grep { $_->{id} eq $id } @{ $m->{beside}->request({
	    type => 'list_webhooks', %o })->{subscriptions} };
	return $w;
}

$row{create_webhook} = sub {
	my ($m) = @_;
	$m->{beside} = beside($m);
	my $r = ask($m->{alice}, 'create_webhook', endpoint =>
	    'https://hooks.invalid/x', eventTypes => ['*']);
	like($r->{secret}, qr/^whsec_/, 'with a secret');
	is(listed($m, $r->{subscriptionId})->{endpoint},
	    'https://hooks.invalid/x', 'and is there');
	is($m->{bob}->request({ type => 'create_webhook', endpoint =>
	    'https://hooks.invalid/', eventTypes => ['*'] })->{code},
	    'forbidden', 'bob may not');
};

$row{list_webhooks} = sub {
	my ($m) = @_;
	my $w = webhook($m);
	my ($l) = @{ ask($m->{alice}, 'list_webhooks')->{subscriptions} };
	is_deeply([@$l{qw(id enabled tries)}], [$w, $true, undef],
	    'what it has');
	is_deeply($m->{bob}->request({ type => 'list_webhooks' })
	    ->{subscriptions}, [], 'bob has none');
};

$row{set_webhook} = sub {
	my ($m) = @_;
	$m->{beside} = beside($m);
	my $w = webhook($m);
	ask($m->{alice}, 'set_webhook', subscriptionId => $w, enabled => $false);
	is(listed($m, $w), undef, 'it is off');
	is(listed($m, $w, includeDisabled => $true)->{enabled}, $false,
	    'and says so');
	is($m->{bob}->request({ type => 'set_webhook', subscriptionId => $w,
	    enabled => $true })->{code}, 'not_found', 'not for bob');
};

$row{delete_webhook} = sub {
	my ($m) = @_;
	$m->{beside} = beside($m);
	my $w = webhook($m);
	is($m->{bob}->request({ type => 'delete_webhook', subscriptionId => $w })
	    ->{code}, 'not_found', 'not by bob');
	ask($m->{alice}, 'delete_webhook', subscriptionId => $w);
	is(listed($m, $w, includeDisabled => $true), undef, 'it is gone');
};

# A delivery of bob's message that fails: its webhook, and what is noted.
sub failed_delivery {
	my ($m) = @_;
	my $w = webhook($m);
	posts($m->{bob}, channel($m), 'x');
	my $d;
	wait_until { ($d) = @{ $m->{alice}->request({ type =>
	    'list_webhook_deliveries', subscriptionId => $w })->{deliveries} } }
	    30;
	return ($w, $d);
}

$row{list_webhook_deliveries} = sub {
	my ($m) = @_;
	my ($w, $d) = failed_delivery($m);
	is($d->{eventType}, 'message.appended', 'what bob said');
	is(ask($m->{alice}, 'list_webhook_deliveries', subscriptionId => $w)
	    ->{deliveries}[0]{deliveryId}, $d->{deliveryId}, 'was tried');
};

$row{retry_webhook_delivery} = sub {
	my ($m) = @_;
	my ($w, $d) = failed_delivery($m);
	# Without the claim what is tried at this moment changes nothing.
	$sql->("with w as (update webhook set n = n + 1, retry_at = null,
		claim = null, claimed_until = now() where id = '$w')
	    update webhook_delivery set state = 2
	    where id = '$d->{deliveryId}'");
	is(ask($m->{alice}, 'retry_webhook_delivery', deliveryId =>
	    $d->{deliveryId})->{subscriptionId}, $w, 'once more');
	my $now;
	wait_until { ($now) = @{ $m->{alice}->request({ type =>
	    'list_webhook_deliveries', subscriptionId => $w })->{deliveries} };
	    $now->{tries} > $d->{tries} } 30;
	is($now->{state}, 'dead', 'and given up again');
};

# A durable stream of alice's for a channel that bob sees.
sub durable {
	my ($m, @texts) = @_;
	my $id = $m->{alice}->request({ type => 'create_durable_stream',
	    targetStreamId => channel($m) })->{durableStreamId};
	$m->{alice}->request({ type => 'append_durable_chunks',
	    durableStreamId => $id, chunks => [map { { text => $_ } } @texts] })
	    if @texts;
	return $id;
}
sub durable_is {
	my ($m, $id, $what) = @_;
	return $m->{bob}->request({ type => 'get_durable_stream',
	    durableStreamId => $id })->{$what};
}

$row{create_durable_stream} = sub {
	my ($m) = @_;
	my $c = channel($m);
	my $id = ask($m->{alice}, 'create_durable_stream', targetStreamId => $c,
	    contentType => 'text/x')->{durableStreamId};
	is(durable_is($m, $id, 'contentType'), 'text/x', 'bob sees it');
	is(happened($m->{bob}, 'durable_stream.created')->{durableStreamId},
	    $id, 'bob is told');
	$id = ask($m->{alice}, 'create_durable_stream', targetStreamId => $c,
	    storage => 'files')->{durableStreamId};
	is(durable_is($m, $id, 'storage'), 'files', 'or where files are');
};

$row{get_durable_stream} = sub {
	my ($m) = @_;
	my $id = durable($m, 'a', 'b');
	is(ask($m->{alice}, 'get_durable_stream', durableStreamId => $id)
	    ->{offset}, 2, 'how far it is');
};

$row{list_durable_streams} = sub {
	my ($m) = @_;
	my $id = durable($m);
	is(ask($m->{alice}, 'list_durable_streams')->{durableStreams}[0]
	    {durableStreamId}, $id, 'her own');
	is_deeply($m->{bob}->request({ type => 'list_durable_streams' })
	    ->{durableStreams}, [], 'bob has none');
};

$row{append_durable_chunks} = sub {
	my ($m) = @_;
	my $id = durable($m);
	is(ask($m->{alice}, 'append_durable_chunks', durableStreamId => $id,
	    chunks => [{ text => 'a' }])->{offset}, 1, 'the first');
	is(durable_is($m, $id, 'byteCount'), 1, 'bob sees it');
	$id = $m->{alice}->request({ type => 'create_durable_stream',
	    targetStreamId => channel($m, name => 'other'), storage => 'files'
	    })->{durableStreamId};
	is(ask($m->{alice}, 'append_durable_chunks', durableStreamId => $id,
	    chunks => [{ text => 'a' }, { text => 'b' }])->{offset}, 2,
	    'or those of one in files');
	is($m->{bob}->request({ type => 'read_durable_stream',
	    durableStreamId => $id })->{chunks}[1]{text}, 'b', 'as bob reads');
};

$row{read_durable_stream} = sub {
	my ($m) = @_;
	my $id = durable($m, 'a', 'b');
	is(ask($m->{alice}, 'read_durable_stream', durableStreamId => $id,
	    offset => 1)->{chunks}[0]{text}, 'b', 'what is behind one');
	is(scalar @{ $m->{bob}->request({ type => 'read_durable_stream',
	    durableStreamId => $id })->{chunks} }, 2, 'bob reads all');
};

$row{close_durable_stream} = sub {
	my ($m) = @_;
	my $id = durable($m, 'a');
	ask($m->{alice}, 'close_durable_stream', durableStreamId => $id);
	is(durable_is($m, $id, 'status'), 'closed', 'bob sees it');
	is(happened($m->{bob}, 'durable_stream.closed')->{durableStreamId},
	    $id, 'bob is told');
};

$row{commit_durable_stream} = sub {
	my ($m) = @_;
	my $id = durable($m, 'a', 'b');
	ask($m->{alice}, 'commit_durable_stream', durableStreamId => $id);
	said($m->{bob}, 'ab');
	is(durable_is($m, $id, 'status'), 'committed', 'and sees it');
};

$row{delete_durable_stream} = sub {
	my ($m) = @_;
	my $id = durable($m, 'a');
	ask($m->{alice}, 'delete_durable_stream', durableStreamId => $id);
	is(durable_is($m, $id, 'code'), 'not_found', 'for bob, too');
};

$row{set_durable_checkpoint} = sub {
	my ($m) = @_;
	my $p = beside($m);
	my $id = durable($m, 'a');
	ask($m->{alice}, 'set_durable_checkpoint', durableStreamId => $id,
	    consumer => 'x', offset => 1);
	is($p->request({ type => 'list_durable_checkpoints', durableStreamId =>
	    $id })->{checkpoints}[0]{offset}, 1, 'is hers, wherever she is');
};

$row{list_durable_checkpoints} = sub {
	my ($m) = @_;
	my $id = durable($m, 'a');
	$m->{bob}->request({ type => 'set_durable_checkpoint', durableStreamId
	    => $id, consumer => 'b', offset => 1 });
	is_deeply(ask($m->{alice}, 'list_durable_checkpoints', durableStreamId
	    => $id)->{checkpoints}, [], 'those of others are not hers');
};

# A request by who shows a token, or the platform's key, of a route.
sub rest {
	my ($route, $host, $who, $path, $body) = @_;
	my ($method) = split / /, $route;
	my $r = $host->http($method, $path, { 'content-type' =>
	    'application/json', $who =~ /\Awat_/
	    ? (authorization => "Bearer $who") : ('x-platform-key' => $who) },
	    $body);
	is($r->{status}, 200, "$route is answered")
	    ? $answered{$route}++ : diag explain $r;
	return $r->{json};
}

sub token_of {
	my ($p) = @_;
	return $p->request({ type => 'create_token' })->{token};
}

my $platform = 'platform-key-of-the-test-0123456789';
my $platform_file = Linnet::Proc::scratch() . '/platform.key';
open my $platform_fh, '>', $platform_file or die "$platform_file: $!";
print $platform_fh "$platform\n";
close $platform_fh;
chmod 0600, $platform_file;

$row{'POST /v1/orgs'} = sub {
	my $r = rest('POST /v1/orgs', $here, $platform, '/v1/orgs',
	    { name => 'Org' });
	is(rest('POST /v1/actors', $there, $platform, '/v1/actors',
	    { orgId => $r->{orgId}, displayName => 'x',
	    actorType => 'human' })->{actorId} =~ /\A[0-9a-f]{32}\z/, 1,
	    'a member of it is made elsewhere');
};
$row{'POST /v1/actors'} = sub {
	my ($m) = @_;
	my $r = rest('POST /v1/actors', $here, $platform, '/v1/actors',
	    { orgId => $m->{seed}{meshId}, displayName => 'dora',
	    actorType => 'app' });
	ok((grep { $_->{memberId} eq $r->{actorId} && $_->{kind} eq 'app' }
	    @{ ask($m->{bob}, 'list_members')->{members} }),
	    'bob finds it');
};
$row{'POST /v1/workspaces'} = sub {
	my $r = rest('POST /v1/workspaces', $here, $platform,
	    '/v1/workspaces', { name => 'W' });
	is(rest('GET /v1/actors', $there, $r->{owner_token}, '/v1/actors')
	    ->{actors}[0]{displayName}, 'owner', 'its owner is there');
	is(rest('DELETE /v1/orgs/{orgId}', $there, $r->{owner_token},
	    "/v1/orgs/$r->{orgId}")->{ok}, $true, 'and ends it');
};
$row{'GET /v1/actors'} = sub {
	my ($m) = @_;
	is_deeply([map { $_->{displayName} } @{ rest('GET /v1/actors', $there,
	    token_of($m->{bob}), '/v1/actors')->{actors} }],
	    ['peer-a', 'peer-b'], 'both');
};
$row{'DELETE /v1/orgs/{orgId}'} = sub {
	my $r = rest('POST /v1/workspaces', $here, $platform,
	    '/v1/workspaces', { name => 'W' });
	rest('DELETE /v1/orgs/{orgId}', $here, $r->{owner_token},
	    "/v1/orgs/$r->{orgId}");
	ok(wait_until { show_token($there, $r->{owner_token})->{status}
	    == 403 } 10, 'nobody gets in, on any host');
};
$row{'PUT /v1/members/{actorId}/password'} = sub {
	my ($m) = @_;
	rest('PUT /v1/members/{actorId}/password', $here, token_of($m->{bob}),
	    '/v1/members/me/password', { password => 'of bob, the peer' });
	ok(rest('POST /v1/login', $there, $platform, '/v1/login',
	    { workspace => $m->{seed}{slug}, name => 'peer-b',
	    password => 'of bob, the peer' })->{token}, 'and it is good');
};
$row{'POST /v1/login'} = sub {
	my ($m) = @_;
	rest('PUT /v1/members/{actorId}/password', $there,
	    token_of($m->{bob}), '/v1/members/me/password',
	    { password => 'of bob, the peer' });
	my $r = rest('POST /v1/login', $here, $platform, '/v1/login',
	    { workspace => $m->{seed}{meshId}, name => 'peer-b',
	    password => 'of bob, the peer' });
	is(show_token($there, $r->{token})->{json}{memberName}, 'peer-b',
	    'it is he');
};
$row{'POST /v1/clients'} = sub {
	my ($m) = @_;
	ok(rest('POST /v1/clients', $here, token_of($m->{alice}),
	    '/v1/clients', { endpoint => 'x' })->{clientId}, 'kept');
};
$row{'DELETE /v1/messages/{messageId}/reactions/{reaction}'} = sub {
	my ($m) = @_;
	my $c = ask($m->{alice}, 'create_channel', name => 'r')->{channelId};
	my $p = ask($m->{alice}, 'post', channel => $c, text => 'x')
	    ->{messageId};
	ask($m->{bob}, 'react', messageId => $p, reaction => '+1');
	is(rest('DELETE /v1/messages/{messageId}/reactions/{reaction}', $there,
	    token_of($m->{bob}), "/v1/messages/$p/reactions/%2B1")->{count},
	    0, 'it is gone');
};

$row{read_cursor} = sub {
	my ($m) = @_;
	my $c = ask($m->{alice}, 'create_channel', name => 'rc')->{channelId};
	ask($m->{alice}, 'post', channel => $c, text => 'x');
	is(ask($m->{bob}, 'read_cursor', channel => $c)->{unread}, 1,
	    'not read');
	ask($m->{bob}, 'mark_read', channel => $c);
	is(ask($m->{bob}, 'read_cursor', channel => $c)->{cursor}{seq}, 1,
	    'read');
};
$row{create_member} = sub {
	my ($m) = @_;
	my $r = ask($m->{alice}, 'create_member', name => 'eve');
	is(show_token($there, $r->{token})->{json}{memberName}, 'eve',
	    'it may act everywhere');
};
$row{list_members} = sub {
	my ($m) = @_;
	is_deeply([map { "$_->{name} $_->{role}" } @{ ask($m->{bob},
	    'list_members')->{members} }], ['peer-a admin', 'peer-b member'],
	    'both');
};
$row{set_role} = sub {
	my ($m) = @_;
	ok(ask($m->{alice}, 'set_role', member => 'peer-b', role => 'admin')
	    ->{changed}, 'bob is admin');
	ok(wait_until { $m->{bob}->request({ type => 'list_bans' })->{type}
	    eq 'bans_list' } 10, 'where he is');
};
$row{remove_member} = sub {
	my ($m) = @_;
	ok(ask($m->{alice}, 'remove_member', member => 'peer-b')->{changed},
	    'bob is out');
	is($m->{bob}->ws->wait_close->{code}, 4002, 'where he was');
};

sub all {
	%answered = ();
	# On one host alice and bob are on different workers: they come in
	# turns, and nobody leaves before all are there.
	my %mesh = map { $_ => mesh() } sort keys %row;
	ok(spread($here, 2 * keys %row), 'one of each two on each worker')
	    if $here == $there;
	for my $op (sort keys %row) {
		subtest $op => sub {
			eval { $row{$op}->($mesh{$op}); 1 } or fail($@);
			ok($answered{$op}, "$op was asked for and answered");
		};
	}
	return;
}

is($st, 0, 'the table of operations');
is_deeply([sort keys %row], [sort keys %reply, @routes],
    'each operation has a row');


subtest 'one host' => sub {
	$here = $there = Linnet->broker(workers => 2,
	    options => ["platform.key_file $platform_file"]);
	$sql = sub { $here->psql($_[0]) };
	$ctl = sub { $here->ctl_json(@_) };
	all();
	is($here->stop, 0, 'stops');
};

subtest 'two hosts' => sub {
	my $pg = Linnet::Postgres->new;
	my $database = 'database "' . $pg->conninfo . '"';
	my $key = Linnet::Proc::scratch() . '/token.key';
	open my $fh, '>', $key or die "$key: $!";
	print $fh 'ab' x 32;
	close $fh;
	chmod 0600, $key;
	# Both write there, as the user of the service.
	my $files = Linnet::Proc::scratch();
	chmod 0777, $files;
	($here, $there) = map { Linnet->broker(workers => 1,
	    options => [$database, "host_name $_", "token.key $key",
		"audit.key $key", "files.dir $files/of-both",
		"platform.key_file $platform_file"]) }
	    qw(here there);
	$sql = sub { my ($st, undef, $err) = $pg->psql($_[0]);
	    die $err if $st != 0; };
	$ctl = sub { $here->ctl_json('-o', $database, @_) };
	all();
	is($_->stop, 0, 'stops') for $here, $there;
};

done_testing;
