#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Channels as agents have them: the tools, by linnet mcp and over HTTP, what
# each says to wrong arguments, and what others say in channels that an agent
# follows, of which nothing is missed or comes twice.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Test::More;
use Linnet 'wait_until';
use Linnet::Cli 'said';
use Linnet::Mcp;

my $json = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;
my ($true, $false) = (Cpanel::JSON::XS::true, Cpanel::JSON::XS::false);
my $b = Linnet->broker(workers => 2, options => ['rate.member 0',
    'rate.requests 0', 'rate.refused_burst 1000000']);
my $seed = $b->seed;
said($_, 'join', $seed->{inviteLink}, '--name', $_) for qw(alice bob);
my $hex = qr/^[0-9a-f]{32}$/;

# The two doors: each calls a tool, and has its result.
my $stdio = Linnet::Mcp->new('alice', env => { LINNET_NAME => 'planner' });
$stdio->initialize('2025-11-25');
my $peer = $b->peer($seed->{peerB}, name => 'maker', acks => 1);
my $token = $peer->request({ type => 'create_token' })->{token};
$peer->close;
my $asked = 0;
my $version = '2026-07-28';

sub http {
	my ($method, $p) = @_;
	my $r = $b->http(POST => '/mcp', {
		'Content-Type' => 'application/json',
		Accept => 'application/json, text/event-stream',
		Authorization => "Bearer $token",
		'MCP-Protocol-Version' => $version, 'Mcp-Method' => $method,
		$p->{name} ? ('Mcp-Name' => $p->{name}) : (),
	}, $json->encode({ jsonrpc => '2.0', id => ++$asked,
	    method => $method, params => { %{ $p // {} }, _meta => {
		'io.modelcontextprotocol/protocolVersion' => $version,
		'io.modelcontextprotocol/clientCapabilities' => {},
	    } } }));
	return $r->{json}{result} // $r->{json};
}
my %door = (
	stdio => sub { $stdio->tool(@_) },
	http => sub { http('tools/call', { name => $_[0],
	    arguments => $_[1] // {} }) },
);
my %tools = (
	stdio => $stdio->request('tools/list')->{result}{tools},
	http => http('tools/list')->{tools},
);

# A value as its schema says?  What is wrong, or nothing.
sub wrong {
	my ($v, $s, $at) = @_;
	my $type = $s->{type} // return;
	if ($type eq 'object') {
		return "$at is no object" if ref $v ne 'HASH';
		return ((map { exists $v->{$_} ? () : "$at.$_ is missing" }
		    @{ $s->{required} }), map { $s->{properties}{$_}
		    ? wrong($v->{$_}, $s->{properties}{$_}, "$at.$_")
		    : "$at.$_ is not in the schema" } sort keys %$v);
	}
	if ($type eq 'array') {
		return "$at is no array" if ref $v ne 'ARRAY';
		return map { wrong($v->[$_], $s->{items}, "$at\[$_]") }
		    0 .. $#$v;
	}
	return if !defined $v;
	return "$at is no boolean"
	    if $type eq 'boolean' && !Cpanel::JSON::XS::is_bool($v);
	return "$at is no integer"
	    if $type eq 'integer' && $v !~ /^-?\d+$/;
	return;
}

# Calls a tool that succeeds, as its schema says; its result.
sub does {
	my ($door, $tool, $args) = @_;
	my $r = $door{$door}->($tool, $args);
	my ($t) = grep { $_->{name} eq $tool } @{ $tools{$door} };
	my $v = $r->{structuredContent};
	ok(!$r->{isError} && $v, "$door: $tool") or diag explain $r;
	is_deeply([wrong($v, $t->{outputSchema}, '')], [],
	    'as its schema says') if $v;
	return $v // {};
}
sub refuses {
	my ($door, $tool, $args, $like) = @_;
	my $r = $door{$door}->($tool, $args);
	my $text = $r->{isError} ? $r->{content}[0]{text} : undef;
	like($text, $like, "$door: $tool refuses " . substr $json->encode(
	    $args), 0, 60) or diag explain $r;
	unlike($text // '', qr/[\0-\x1f]/, 'in a sentence');
	return;
}
sub texts { return join ' ', map { $_->{text} // '-' } @{ $_[0]{messages} } }

for my $d (qw(stdio http)) {
	subtest "the tools by $d" => sub {
		my $name = "c-$d";
		my $c = does($d, create_channel => { name => $name,
		    topic => 'it' })->{channel_id};
		like($c, $hex, 'an id');
		my $s = does($d, send_message => { to => "#$name",
		    message => 'hello', id => 'one', priority => 'next' });
		my $m = $s->{messages}[0];
		is($m->{seq}, 1, 'what is said has a place');
		is($m->{to}, "#$name", 'there');
		ok(does($d, send_message => { to => "#$c", message => 'hello',
		    id => 'one' })->{messages}[0]{duplicate}, 'once');
		does($d, send_message => { to => ["#$name"],
		    reply_to => $m->{message_id}, parts => [
			{ type => 'text', payload => { text => 'see' } },
			{ type => 'tool_call', payload => { name => 'x' } }] });
		my $r = does($d, read_channel => { channel => $name });
		is(texts($r), 'hello see', 'is read');
		is($r->{messages}[1]{parts}[1]{payload}{name}, 'x',
		    'with what is no text');
		ok(!$r->{messages}[0]{parts}, 'and text as text alone');
		is($r->{messages}[1]{reply_to}, $m->{message_id}, 'an answer');
		is($r->{last_seq}, 2, 'how far it is');
		$r = does($d, read_channel => { channel => "#$name",
		    after => 0, limit => 1 });
		is(texts($r), 'hello', 'a page');
		ok($r->{more}, 'of more');
		my $l = does($d, list_channels => {});
		my ($it) = grep { $_->{name} eq $name } @{ $l->{channels} };
		is("$it->{unread} $it->{last_seq} $it->{role}", '2 2 owner',
		    'is listed');
		is(does($d, mark_read => { channel => $name, seq => 1 })
		    ->{unread_there}, 1, 'is read so far');
		does($d, create_channel => { name => "d-$d" });
		$r = does($d, list_channels => { limit => 1 });
		is(scalar @{ does($d, list_channels => { limit => 1,
		    after => $r->{next} })->{channels} }, 1, 'pages');
		my $t = does($d, create_thread => { channel => $name,
		    message_id => $m->{message_id} })->{channel_id};
		does($d, send_message => { to => "#$t", message => 're' });
		$r = does($d, list_channels => { threads_of => $name });
		is($r->{threads}[0]{channel_id}, $t, 'its threads');
		is(texts(does($d, read_channel => { channel => $t })), 're',
		    'are as channels');
		my %of = (id => $m->{message_id});
		ok(does($d, change_message => { %of, action => 'edit',
		    text => 'hullo' })->{changed}, 'an edit');
		does($d, change_message => { %of, action => 'react',
		    reaction => 'ok' });
		$r = does($d, read_channel => { channel => $name,
		    limit => 100 })->{messages}[0];
		is("$r->{text} $r->{reactions}[0]{reaction}", 'hullo ok',
		    'a reaction');
		ok($r->{edited_at}, 'since when');
		ok(does($d, change_message => { %of, action => 'unreact',
		    reaction => 'ok' })->{changed}, 'not any more');
		does($d, change_message => { %of, action => 'redact',
		    reason => 'wrong' });
		$r = does($d, read_channel => { channel => $name })
		    ->{messages}[0];
		ok(!$r->{text} && $r->{redacted_at}, 'taken back');
		$r = does($d, change_channel_members => { channel => $name,
		    action => 'add', member => 'bob', role => 'admin' });
		is($r->{role}, 'admin', 'somebody else');
		is(join(' ', map { $_->{role} } @{ does($d,
		    list_channel_members => { channel => $name })->{members} }),
		    $d eq 'stdio' ? 'owner admin' : 'admin owner', 'is in it');
		is(join(' ', map { $_->{status} // 'away' } @{ does($d,
		    list_channel_members => { channel => $name })->{members} }),
		    'idle away', 'who is here') if $d eq 'stdio';
		does($d, change_channel_members => { channel => $name,
		    action => 'remove', member => 'bob' });
		does($d, change_channel_members => { channel => $name,
		    action => $_ }) for qw(join leave);
	};

	subtest "what is wrong by $d" => sub {
		my $c = "c-$d";
		my @rows = (
		[create_channel => {}, qr/name is missing/],
		[create_channel => { name => '' }, qr/empty/],
		[create_channel => { name => '#x' }, qr/does not begin with #/],
		[create_channel => { name => 'x' x 81 }, qr/80/],
		[create_channel => { name => uc $c }, qr/already/],
		[create_channel => { name => 'x', private => 'yes' },
		    qr/true or false/],
		[create_channel => { name => 'x', topic => 'x' x 501 },
		    qr/500/],
		[create_channel => { nam => 'x' }, qr/did you mean "name"/],
		[create_thread => { channel => $c }, qr/message_id is missing/],
		[create_thread => { channel => $c, message_id => 'x' },
		    qr/32 hex/],
		[create_thread => { channel => $c, message_id => 'f' x 32 },
		    qr/no such message/],
		[list_channels => { joined => 1 }, qr/true or false/],
		[list_channels => { limit => 0 }, qr/1 to 100/],
		[list_channels => { after => 'x' }, qr/after/],
		[list_channels => { threads_of => 'nowhere' }, qr/nowhere/],
		[read_channel => {}, qr/channel is missing/],
		[read_channel => { channel => 'nowhere' }, qr/nowhere/],
		[read_channel => { channel => $c, after => -1 }, qr/after/],
		[read_channel => { channel => $c, after => 'x' }, qr/after/],
		[read_channel => { channel => $c, limit => 101 }, qr/1 to 100/],
		[mark_read => { channel => $c, seq => 99 }, qr/newest/],
		[mark_read => { channel => 'nowhere' }, qr/nowhere/],
		[change_message => { id => 'f' x 32, action => 'edit' },
		    qr/needs text/],
		[change_message => { id => 'f' x 32, action => 'react' },
		    qr/needs reaction/],
		[change_message => { id => 'f' x 32, action => 'burn' },
		    qr/one of: edit, redact/],
		[change_message => { id => 'f' x 32, action => 'redact',
		    text => 'x' }, qr/text does not go with/],
		[change_message => { id => 'f' x 32, action => 'redact' },
		    qr/no such message/],
		[change_channel_members => { channel => $c, action => 'add' },
		    qr/needs member/],
		[change_channel_members => { channel => $c, action => 'add',
		    member => 'nobody' }, qr/nobody/],
		[change_channel_members => { channel => $c, action => 'join',
		    member => 'bob' }, qr/member does not go with/],
		[change_channel_members => { channel => $c, action => 'add',
		    member => 'bob', role => 'king' }, qr/one of: member/],
		[list_channel_members => { channel => 'nowhere' },
		    qr/nowhere/],
		[send_message => { to => '#nowhere', message => 'x' },
		    qr/nowhere/],
		[send_message => { to => "#$c" }, qr/message, parts/],
		[send_message => { to => "#$c", message => '' }, qr/empty/],
		[send_message => { to => ["#$c", 'bob'], message => 'x' },
		    qr/only target/],
		[send_message => { to => "#$c", message => 'x',
		    ttl_seconds => 5 }, qr/ttl_seconds is not for/],
		[send_message => { to => "#$c", message => 'x',
		    file => 'f' x 32 }, qr/file is not for/],
		[send_message => { to => 'bob', parts => [{ type => 'text',
		    payload => { text => 'x' } }] }, qr/parts are for/],
		[send_message => { to => "#$c", message => 'x', parts =>
		    [{ type => 'text', payload => {} }] }, qr/either/],
		(map { [send_message => { to => "#$c", parts => $_ },
		    qr/parts|type|payload/] } [], 'x', {}, [1],
		    [{ type => 'zz', payload => {} }], [{ type => 'text' }],
		    [{ type => 'text', payload => 1 }]),
		);
		refuses($d, @$_) for @rows;
	};
}

subtest 'where tools are' => sub {
	my %names = map { $_ => join ' ', map { $_->{name} } @{ $tools{$_} } }
	    keys %tools;
	like($names{stdio}, qr/\bfollow_channel\b/, 'following is for agents');
	unlike($names{http}, qr/\bfollow_channel\b/, 'who can be told');
	my %hints = map { $_->{name} => $_->{annotations} }
	    @{ $tools{http} };
	ok($hints{$_}{readOnlyHint}, "$_ changes nothing")
	    for qw(list_channels read_channel list_channel_members);
	ok($hints{$_}{destructiveHint}, "$_ may take something away")
	    for qw(change_message change_channel_members);
	ok(!$hints{$_}{destructiveHint}, "$_ does not")
	    for qw(create_channel create_thread mark_read send_message);
};

subtest 'private' => sub {
	my $c = does(stdio => create_channel => { name => 'board',
	    private => $true })->{channel_id};
	my $m = does(stdio => send_message => { to => '#board',
	    message => 'secret' })->{messages}[0]{message_id};
	for my $which ('board', $c) {
		refuses(http => $_->[0], $_->[1], qr/There is no|no such/) for
		    [read_channel => { channel => $which }],
		    [mark_read => { channel => $which }],
		    [create_thread => { channel => $which, message_id => $m }],
		    [list_channels => { threads_of => $which }],
		    [list_channel_members => { channel => $which }],
		    [change_channel_members => { channel => $which,
			action => 'join' }],
		    [send_message => { to => "#$which", message => 'x' }];
	}
	refuses(http => change_message => { id => $m, action => $_->[0],
	    @$_[1 .. $#$_] }, qr/no such message/) for ['redact'],
	    [edit => text => 'x'], [react => reaction => 'x'];
	unlike($json->encode(does(http => list_channels => { limit => 100 })),
	    qr/board|$c/, 'nor listed');
};

# What bob says as a person.
sub bob { return said('bob', 'send', @_) }
sub heard {
	my ($m, $n) = @_;
	my @got;
	for (1 .. 20) {
		my $r = $m->does(wait_for_message => { seconds => 5,
		    limit => 50 });
		push @got, @{ $r->{messages} };
		last if @got >= $n;
	}
	return @got;
}

subtest 'following' => sub {
	my $c = does(stdio => create_channel => { name => 'live' });
	refuses(stdio => follow_channel => { channel => 'nowhere' },
	    qr/nowhere/);
	refuses(stdio => follow_channel => { channel => 'live',
	    after => -1 }, qr/after/);
	bob('#live', 'before');
	is(does(stdio => follow_channel => { channel => 'live', after => 0 })
	    ->{last_seq}, 1, 'a channel');
	is(join(' ', map { "$_->{to} $_->{from} $_->{seq} $_->{text}" }
	    heard($stdio, 1)), '#live bob 1 before', 'from a place on');
	does(stdio => send_message => { to => '#live', message => 'mine' });
	does(stdio => send_message => { to => '#live', message => 'also',
	    id => 'my-own' });
	bob('#live', 'yours');
	my @got = heard($stdio, 1);
	is(join(' ', map { "$_->{seq} $_->{text}" } @got), '4 yours',
	    'of others');
	is($got[0]{from_key}, '', 'without a key');
	does(stdio => send_message => { to => '#live', message => 'answer',
	    reply_to => $got[0]{message_id} });
	ok(wait_until { my ($it) = grep { $_->{name} eq 'live' } @{
	    does(stdio => list_channels => { limit => 100 })->{channels} };
	    $it->{unread} == 0 } 10, 'what was acknowledged is read');
	does(stdio => follow_channel => { channel => 'live', stop => $true });
	bob('#live', 'unheard');
	bob('planner', 'direct');
	is(join(' ', map { $_->{text} } heard($stdio, 1)), 'direct', 'no more');
};

subtest 'pushes' => sub {
	my $m = Linnet::Mcp->new('alice', args => ['--push', 'on'],
	    env => { LINNET_NAME => 'pushed' });
	$m->initialize('2025-11-25', 'claude-code');
	$m->does(follow_channel => { channel => 'live' });
	my $id = bob('#live', 'wake up');
	my $note = $m->note('notifications/claude/channel', 15);
	is($note->{params}{content}, 'wake up', 'are as those of messages');
	my $meta = $note->{params}{meta};
	is("$meta->{kind} $meta->{to} $meta->{from_name} $meta->{seq} "
	    . $meta->{message_id}, "message #live bob 7 $id", 'with where');
	is(scalar(grep { ref } values %$meta), 0, 'texts all');
	is_deeply($m->does(ack => { ids => [$id] })->{acknowledged}, [$id],
	    'and acknowledged');
	is($m->does('check_messages')->{unread}{count}, 0, 'then it is read');
	is($m->stop, 0, 'ends');
};

subtest 'whatever becomes of the broker' => sub {
	does(stdio => create_channel => { name => 'storm' });
	does(stdio => follow_channel => { channel => '#storm' });
	my @got;
	for my $round (1 .. 3) {
		bob('#storm', '--id', "r$round-$_", "r$round-$_") for 1 .. 3;
		$b->kill9($round == 2 ? 'all' : undef);
		$b->start;
		bob('#storm', '--id', "s$round", "s$round");
		push @got, map { $_->{text} } heard($stdio, 4);
	}
	is("@got", join(' ', map { my $r = $_; ((map { "r$r-$_" } 1 .. 3),
	    "s$r") } 1 .. 3), 'nothing is missed, nothing comes twice');
};

subtest 'much at once' => sub {
	does(stdio => create_channel => { name => 'busy' });
	does(stdio => follow_channel => { channel => 'busy' });
	my $far = $b->peer($seed->{peerB}, name => 'far');
	for my $n (1 .. 700) {
		$far->post(type => 'post', channel => 'busy', text => "t$n");
	}
	$far->wait_for('posted') for 1 .. 700;
	my (@got, $most);
	while (@got < 700) {
		my $r = $stdio->does(wait_for_message => { seconds => 10,
		    limit => 50 });
		last if !@{ $r->{messages} };
		push @got, @{ $r->{messages} };
		$most = $r->{unread}{count}
		    if $r->{unread}{count} > ($most // 0);
	}
	is(join(' ', map { $_->{seq} } @got), join(' ', 1 .. 700),
	    'all comes, once and in order');
	cmp_ok($most, '<=', 200, "though little of it waits ($most)");
	$far->close;
};

is($stdio->stop, 0, 'the agent ends');
unlike($stdio->errors, qr/^(?!linnet: The connection .* broke off)/m,
    'and said nothing else');
is($b->stop, 0, 'the broker ends');
done_testing;
