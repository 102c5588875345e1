#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Permissions, commands and search as agents have them: the tools, by linnet
# mcp and over HTTP, what each says to wrong arguments, and what an agent is
# told at once of what concerns it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Test::More;
use Time::HiRes 'time';
use Linnet 'wait_until';
use Linnet::Cli 'said';
use Linnet::Mcp;

my $json = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;
my ($true, $false) = (Cpanel::JSON::XS::true, Cpanel::JSON::XS::false);
my $b = Linnet->broker(workers => 2, options => ['rate.member 0',
    'rate.requests 0', 'rate.refused 0']);
my $seed = $b->seed;
said($_, 'join', $seed->{inviteLink}, '--name', $_) for qw(alice bob);
is(($b->ctl('member', 'role', $seed->{slug}, $_, 'admin'))[0], 0,
    "$_ may grant") for qw(alice peer-a);
my $hex = qr/\A[0-9a-f]{32}\z/;
my $nothing = 'f' x 32;

# The two doors: each calls a tool, and has its result.  Both are of members
# who may not grant; boss may.
my $stdio = Linnet::Mcp->new('bob', env => { LINNET_NAME => 'maker' });
$stdio->initialize('2025-11-25');
my $boss = Linnet::Mcp->new('alice', env => { LINNET_NAME => 'boss' });
$boss->initialize('2025-11-25');
my %token;
for my $who (qw(peerA peerB)) {
	my $p = $b->peer($seed->{$who}, acks => 1);
	$token{$who} = $p->request({ type => 'create_token' })->{token};
	$p->close;
}
my $asked = 0;
my $version = '2026-07-28';

sub http_as {
	my ($who, $method, $p) = @_;
	my $r = $b->http(POST => '/mcp', {
		'Content-Type' => 'application/json',
		Accept => 'application/json, text/event-stream',
		Authorization => "Bearer $token{$who}",
		'MCP-Protocol-Version' => $version, 'Mcp-Method' => $method,
		$p->{name} ? ('Mcp-Name' => $p->{name}) : (),
	}, $json->encode({ jsonrpc => '2.0', id => ++$asked,
	    method => $method, params => { %{ $p // {} }, _meta => {
		'io.modelcontextprotocol/protocolVersion' => $version,
		'io.modelcontextprotocol/clientCapabilities' => {},
	    } } }));
	my ($event) = ($r->{body} // '') =~ /^data: (\{.*"result".*)$/m;
	my $j = $event ? $json->decode($event) : $r->{json};
	return $j->{result} // $j;
}
sub http_tool {
	my ($who, $tool, $args) = @_;
	return http_as($who, 'tools/call', { name => $tool,
	    arguments => $args // {} });
}
my %door = (
	stdio => sub { $stdio->tool(@_) },
	boss => sub { $boss->tool(@_) },
	http => sub { http_tool('peerB', @_) },
	'http boss' => sub { http_tool('peerA', @_) },
);
my %tools = (
	stdio => $stdio->request('tools/list')->{result}{tools},
	http => http_as('peerB', 'tools/list')->{tools},
);
$tools{boss} = $tools{stdio};
$tools{'http boss'} = $tools{http};

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
	return "$at is null" if !defined $v;
	return "$at is none of its values" if $s->{enum}
	    && !grep { $_ eq $v } @{ $s->{enum} };
	return;
}
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
# What the agents were told of, until there is one of a kind.
sub told {
	my ($m, $kind) = @_;
	for (1 .. 10) {
		for my $g (@{ $m->does(wait_for_message => { seconds => 5 })
		    ->{messages} }) {
			return $g if ($g->{subtype} // '') eq $kind;
		}
	}
	return {};
}

for my $d (qw(stdio http)) {
	my ($by, $who) = $d eq 'stdio' ? ('boss', 'bob')
	    : ('http boss', 'peer-b');
	subtest "permissions by $d" => sub {
		my %want = (capability => "tool:$d", resource_type => 'tool',
		    resource_id => 'prod');
		my $since = time;
		my $r = does($d, request_permission => { %want, seconds => 0,
		    reason => 'to ship' });
		like(my $id = $r->{request_id}, $hex, 'is asked for');
		is($r->{status}, 'open', 'and open');
		like($r->{advice}, qr/other work.*this request_id/,
		    'with what to do');
		cmp_ok(time - $since, '<', 3, 'at once');
		is(does($d, request_permission => { %want, seconds => 0,
		    reason => 'please' })->{request_id}, $id,
		    'asked again it is the same');
		$since = time;
		is(does($d, request_permission => { request_id => $id,
		    seconds => 2 })->{status}, 'open', 'is waited for');
		cmp_ok(time - $since, '>', 1.5, 'as long as is said');
		my ($it) = @{ does($by, list_permission_requests => {})
		    ->{requests} };
		is_deeply([@$it{qw(request_id from capability resource_type
		    resource_id)}], [$id, $who, "tool:$d", 'tool', 'prod'],
		    'is listed');
		is($it->{context}{reason}, 'to ship', 'and what for');
		refuses($d, resolve_permission => { request_id => $id,
		    approve => $true }, qr/grant:create/);
		$r = does($by, resolve_permission => { request_id => $id,
		    approve => $true, max_uses => 2, notes => 'twice',
		    expires_at => '2099-01-01T00:00:00Z' });
		is($r->{status}, 'approved', 'is approved');
		like($r->{grant_id}, $hex, 'by a grant');
		$r = does($d, request_permission => { request_id => $id });
		is("$r->{status} $r->{notes}", 'approved twice', 'is known');
		like($r->{advice}, qr/do now what was refused/, 'so do it');
		refuses($by, resolve_permission => { request_id => $id,
		    approve => $false }, qr/./);
		$id = does($d, request_permission => { %want, seconds => 0 })
		    ->{request_id};
		is(does($by, resolve_permission => { request_id => $id,
		    approve => $false, notes => 'no' })->{status}, 'denied',
		    'is denied');
		$r = does($d, request_permission => { request_id => $id });
		is("$r->{status} $r->{notes}", 'denied no', 'is known');
		like($r->{advice}, qr/not look for a way around/, 'so do not');
		$_ = does($d, request_permission => { %want, seconds => 0,
		    resource_id => "p$_" })->{request_id} for my @p = 1 .. 3;
		my $page = does($by, list_permission_requests => {
		    limit => 2, member => $who });
		is_deeply([map { $_->{request_id} } @{ $page->{requests} },
		    @{ does($by, list_permission_requests => { limit => 2,
			member => $who, after => $page->{next} })
		    ->{requests} }], \@p, 'pages');
		does($by, resolve_permission => { request_id => $_,
		    approve => $false }) for @p;
	};

	subtest "commands by $d" => sub {
		my $r = does($d, register_command => { name => "ship-$d",
		    description => 'Ships it',
		    args_schema => { env => { type => 'string' } } });
		like($r->{$_}, $hex, $_) for qw(command_id request_id);
		is_deeply(does($d, list_commands => {})->{commands}, [],
		    'is not there yet');
		my ($it) = @{ does($by, list_permission_requests => {})
		    ->{requests} };
		is($it->{command_id}, $r->{command_id}, 'but asked for');
		is(does($by, resolve_permission => { approve => $true,
		    request_id => $r->{request_id} })->{command_id},
		    $r->{command_id}, 'is allowed');
		is(does($d, request_permission => { request_id =>
		    $r->{request_id} })->{status}, 'approved', 'is waited for');
		($it) = @{ does($by, list_commands => {})->{commands} };
		is_deeply([@$it{qw(name owner description)}], ["ship-$d", $who,
		    'Ships it'], 'is listed');
		is($it->{args_schema}{env}{type}, 'string', 'with arguments');
		my $c = does($by, create_channel => { name => "c-$d" })
		    ->{channel_id};
		$r = does($by, register_command => { name => 'own',
		    channel => "c-$d" });
		ok(!$r->{request_id}, 'who may grant needs nobody');
		my $page = does($d, list_commands => { channel => $c,
		    limit => 1 });
		is($page->{commands}[0]{name}, 'own', 'a page');
		is($page->{commands}[0]{channel_id}, $c, 'of a channel');
		is(does($d, list_commands => { channel => $c,
		    after => $page->{next} })->{commands}[0]{name}, "ship-$d",
		    'and the next');
		my ($id) = said('alice', 'command', 'list') =~ /([0-9a-f]{32})/;
		said('alice', 'command', 'delete', $id);
	};

	subtest "search by $d" => sub {
		does($by, send_message => { to => "#c-$d",
		    message => "the $d heron stands" });
		my $r;
		wait_until { $r = does($d, search => { query => "$d heron",
		    types => ['message'] }); @{ $r->{hits} } } 10, 'is found';
		does($by, send_message => { to => "#c-$d",
		    message => "the $d raven flies $_" }) for 1, 2;
		my $h = $r->{hits}[0];
		is("$h->{kind} $h->{text} $h->{seq}",
		    "message the $d heron stands 1", 'what was said');
		is(does($d, read_channel => { channel => $h->{channel_id},
		    after => $h->{seq} - 1 })->{messages}[0]{message_id},
		    $h->{id}, 'and where');
		is(scalar @{ does($d, search => { query => "$d heron",
		    channel => "c-$d", types => ['message'] })->{hits} }, 1,
		    'in a channel');
		my %ravens = (query => "$d raven", types => ['message'],
		    limit => 1);
		$r = does($d, search => { %ravens });
		ok($r->{next}, 'there are more');
		isnt(does($d, search => { %ravens, after => $r->{next} })
		    ->{hits}[0]{id}, $r->{hits}[0]{id}, 'on the next page');
		is_deeply(does($d, search => { query => 'zebra' })->{hits}, [],
		    'nothing is nothing');
	};

	subtest "what is wrong by $d" => sub {
		my %of = (capability => 'x:y', resource_type => 'tool');
		refuses($d, @$_) for (
		[request_permission => {}, qr/capability, request_id/],
		[request_permission => { capability => 'x:y' },
		    qr/resource_type is missing/],
		[request_permission => { %of, capability => '' }, qr/empty/],
		[request_permission => { %of, capability => 'x' x 129 },
		    qr/128/],
		[request_permission => { %of, capability => 3 }, qr/text/],
		[request_permission => { %of, resource_type => '' },
		    qr/empty/],
		[request_permission => { %of, resource_id => 'x' x 129 },
		    qr/128/],
		[request_permission => { %of, resource_id => {} }, qr/text/],
		[request_permission => { %of, reason => 'x' x 1001 },
		    qr/1000/],
		[request_permission => { %of, reason => [] }, qr/text/],
		[request_permission => { %of, seconds => 56 }, qr/0 to 55/],
		[request_permission => { %of, seconds => 'x' }, qr/0 to 55|number/],
		[request_permission => { %of, request_id => $nothing },
		    qr/either/],
		[request_permission => { request_id => 'x' }, qr/32 hex/],
		[request_permission => { request_id => $nothing },
		    qr/request/],
		[request_permission => { %of, action => 'x' },
		    qr/no argument|action/],
		[list_permission_requests => { limit => 0 }, qr/1 to 100/],
		[list_permission_requests => { after => '' }, qr/after/],
		[list_permission_requests => { member => 3 }, qr/text/],
		[resolve_permission => { approve => $true },
		    qr/request_id is missing/],
		[resolve_permission => { request_id => $nothing },
		    qr/approve is missing/],
		[resolve_permission => { request_id => 'x', approve => $true },
		    qr/32 hex/],
		[resolve_permission => { request_id => $nothing,
		    approve => 'yes' }, qr/true or false/],
		[resolve_permission => { request_id => $nothing,
		    approve => $true, notes => 'x' x 501 }, qr/500/],
		[resolve_permission => { request_id => $nothing,
		    approve => $true, max_uses => 0 }, qr/1 to/],
		[resolve_permission => { request_id => $nothing,
		    approve => $true, expires_at => 'soon' }, qr/expires_at/],
		[register_command => {}, qr/name is missing/],
		[register_command => { name => 'a b' }, qr/name/],
		[register_command => { name => '' }, qr/empty/],
		[register_command => { name => 'x' x 65 }, qr/64/],
		[register_command => { name => 'x', description => 3 },
		    qr/text/],
		[register_command => { name => 'x', args_schema => 'x' },
		    qr/argsSchema|args_schema/],
		[register_command => { name => 'x', channel => 'nowhere' },
		    qr/nowhere/],
		[list_commands => { channel => 'nowhere' }, qr/nowhere/],
		[list_commands => { limit => 101 }, qr/1 to 100/],
		[list_commands => { after => 'x' }, qr/after/],
		[search => {}, qr/query is missing/],
		[search => { query => '' }, qr/empty/],
		[search => { query => 'x' x 257 }, qr/256/],
		[search => { query => 'x', types => 'message' },
		    qr/array/],
		[search => { query => 'x', types => ['birds'] },
		    qr/entityTypes|types/],
		[search => { query => 'x', types => [] }, qr/types/],
		[search => { query => 'x', channel => 'nowhere' },
		    qr/nowhere/],
		[search => { query => 'x', limit => 0 }, qr/1 to 100/],
		[search => { query => 'x', after => 'x' }, qr/after/],
		);
		refuses($d eq 'stdio' ? 'boss' : 'http boss',
		    resolve_permission => { request_id => $nothing,
		    approve => $true }, qr/request/);
	};
}

subtest 'where tools are' => sub {
	my %hints = map { $_->{name} => $_->{annotations} }
	    @{ $tools{http} };
	ok($hints{$_}{readOnlyHint}, "$_ changes nothing")
	    for qw(search list_commands list_permission_requests);
	ok($hints{resolve_permission}{destructiveHint},
	    'a host asks before something is given');
	my $m = Linnet::Mcp->new('bob', args => ['--tools', 'core']);
	$m->initialize('2025-11-25');
	my %core = map { $_->{name} => 1 }
	    @{ $m->request('tools/list')->{result}{tools} };
	ok($core{$_}, "$_ is in the core") for qw(search request_permission);
	ok(!$core{$_}, "$_ is not")
	    for qw(resolve_permission register_command list_commands);
	is($m->stop, 0, 'ends');
};

sub drain {
	my ($m) = @_;
	while (1) {
		my $r = $m->does(check_messages => { limit => 50 });
		last if !@{ $r->{messages} };
	}
	return;
}

subtest 'what an agent is told' => sub {
	drain($_) for $stdio, $boss;
	my $id = said('bob', 'request', 'create', 'tool:t', 'tool', 'x');
	my $m = told($boss, 'permission_request');
	is("$m->{message_id} $m->{from} $m->{to}", "$id bob you",
	    'that somebody asks');
	like($m->{text}, qr/^bob asks for the permission tool:t on tool x\..*resolve_permission and request_id $id\.$/,
	    'and what to do');
	is($boss->does('check_messages')->{unread}{count}, 0, 'once');
	does(boss => resolve_permission => { request_id => $id,
	    approve => $true });
	$m = told($stdio, 'permission_resolved');
	is($m->{text}, 'Your request for the permission tool:t on tool x was '
	    . 'approved.', 'that it was approved');
	$id = said('bob', 'request', 'create', 'tool:t', 'tool', 'y');
	does(boss => resolve_permission => { request_id => $id,
	    approve => $false });
	like(told($stdio, 'permission_resolved')->{text},
	    qr/was denied\. Do not look for a way around it/, 'or denied');
	drain($boss);

	my $since = time;
	my $call = $stdio->ask('tools/call', { name => 'request_permission',
	    arguments => { capability => 'tool:w', resource_type => 'tool',
		seconds => 30 } });
	$m = told($boss, 'permission_request');
	does(boss => resolve_permission => { approve => $true, request_id =>
	    $m->{message_id} });
	my $r = $stdio->answer($call)->{result}{structuredContent};
	is($r->{status}, 'approved', 'who waits hears it');
	cmp_ok(time - $since, '<', 15, 'at once');
	is($r->{unread}{count}, 0, 'and not twice');
};

subtest 'mentions and calls' => sub {
	my $r = does(stdio => register_command => { name => 'go' });
	does(boss => resolve_permission => { approve => $true, request_id =>
	    $r->{request_id} });
	my $c = does(boss => create_channel => { name => 'den' })
	    ->{channel_id};
	my ($bob) = grep { $_->{title} eq 'bob' } @{ does(boss => search => {
	    query => 'bob', types => ['member'] })->{hits} };
	drain($stdio);
	my @parts = ({ type => 'mention', payload => { actorId =>
	    $bob->{id} } }, { type => 'command', payload => {
	    command => 'go', args => { to => 'x' } } });
	my $post = sub {
		return does(boss => send_message => { to => '#den',
		    parts => [@_] })->{messages}[0]{message_id};
	};
	my $id = $post->($parts[0]);
	my $m = told($stdio, 'mention');
	is("$m->{message_id} $m->{to} $m->{from} $m->{seq}",
	    "$id #$c boss 1", 'where it is mentioned');
	like($m->{text}, qr/read_channel with after 0/, 'and how to read it');
	$id = $post->(@parts[1, 1]);
	my @calls;
	wait_until { push @calls, @{ $stdio->does(wait_for_message => {
	    seconds => 1 })->{messages} }; @calls >= 2 } 20, 'both calls come';
	like($_->{text}, qr/^boss calls your command go with \{"to":"x"\}, in message $id of #$c\./,
	    'a call of its command') for @calls;
	is($calls[0]{message_id}, $id, 'with the id of the message');
	like($calls[1]{message_id}, $hex, 'and another one');
	drain($stdio);
	does(stdio => follow_channel => { channel => 'den' });
	$id = $post->(@parts);
	my @got;
	wait_until { push @got, @{ $stdio->does(wait_for_message => {
	    seconds => 1 })->{messages} }; @got >= 2 } 20, 'both come';
	my ($said) = grep { !$_->{subtype} } @got;
	my ($call) = grep { ($_->{subtype} // '') eq 'command_invoked' } @got;
	is($said->{message_id}, $id, 'of a channel that is followed the '
	    . 'message');
	isnt($call->{message_id}, $id, 'and the call');
	is(scalar(grep { ($_->{subtype} // '') eq 'mention' } @got), 0,
	    'and no more');
	does(stdio => send_message => { to => '#den', message => 'done',
	    reply_to => $id });
};

subtest 'pushes' => sub {
	my $m = Linnet::Mcp->new('alice', args => ['--push', 'on'],
	    env => { LINNET_NAME => 'pushed' });
	$m->initialize('2025-11-25', 'claude-code');
	$m->does('list_commands');
	my $id = said('bob', 'request', 'create', 'tool:p', 'tool');
	my $note = $m->note('notifications/claude/channel', 15);
	my $meta = $note->{params}{meta};
	is("$meta->{kind} $meta->{subtype} $meta->{message_id}",
	    "message permission_request $id", 'are as those of messages');
	is(scalar(grep { ref } values %$meta), 0, 'texts all');
	is_deeply($m->does(ack => { ids => [$id] })->{acknowledged}, [$id],
	    'and acknowledged');
	is($m->does('check_messages')->{unread}{count}, 0, 'then read');
	is($m->stop, 0, 'ends');
};

subtest 'much at once' => sub {
	drain($stdio);
	does(stdio => follow_channel => { channel => 'den', stop => $true });
	my ($bob) = @{ does(boss => search => { query => 'bob',
	    types => ['member'] })->{hits} };
	my $far = $b->peer($seed->{peerA}, name => 'far');
	$far->post(type => 'post', channel => 'den', parts => [{ type =>
	    'mention', payload => { actorId => $bob->{id} } }])
	    for 1 .. 250;
	$far->wait_for('posted') for 1 .. 250;
	wait_until { $stdio->does('list_commands')->{unread}{count} >= 200 }
	    20, 'they come';
	sleep 1;
	is($stdio->does('list_commands')->{unread}{count}, 200,
	    'so many are kept, the newest');
	$far->close;
};

is($stdio->stop, 0, 'the agent ends');
is($boss->stop, 0, 'and the other');
is($stdio->errors, '', 'and said nothing else');
is($b->stop, 0, 'the broker ends');
done_testing;
