#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# linnet mcp as hosts of agents drive it, each in its revision.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Test::More;
use Linnet qw(wait_until slurp);
use Linnet::Cli qw(said inbox);
use Linnet::Mcp;

my $b = Linnet->broker(workers => 2, options => ['mesh.ack_time 2s']);
my $seed = $b->seed;
my $link = $seed->{inviteLink};
my ($true, $false) = (Cpanel::JSON::XS::true, Cpanel::JSON::XS::false);
my %meta = (
	'io.modelcontextprotocol/protocolVersion' => '2026-07-28',
	'io.modelcontextprotocol/clientCapabilities' => {},
	'io.modelcontextprotocol/clientInfo' =>
	    { name => 'test', version => '1' },
);

said($_, 'join', $link, '--name', $_) for qw(alice bob carol);
my $bob = $b->peer($seed->{peerB}, name => 'builder', acks => 1,
    groups => ['plain']);

sub sees {
	my ($m, $name) = @_;
	return wait_until {
		grep { $_->{name} eq $name }
		    @{ $m->does('list_peers')->{peers} }
	} 10, "$name among the peers";
}

# Each revision does the same things.
for my $version (qw(2024-11-05 2025-03-26 2025-06-18 2025-11-25 2026-07-28)) {
	my $modern = $version eq '2026-07-28';
	subtest $version => sub {
		my $m = Linnet::Mcp->new('alice',
		    env => { LINNET_NAME => "agent $version" },
		    meta => $modern ? \%meta : undef);
		my $r = $modern
		    ? $m->request('server/discover')->{result}
		    : $m->initialize($version);
		is($r->{protocolVersion}, $version, 'the revision')
		    if !$modern;
		like($r->{instructions}, qr/^You are "agent \Q$version\E"/,
		    'who it is');
		ok(length $r->{instructions} < 7000, 'not too long');
		my $l = $m->request('tools/list')->{result};
		is(scalar @{ $l->{tools} }, 39, 'tools');
		is(defined $l->{ttlMs}, $modern, 'how long that is good');
		is(scalar(grep { $_->{inputSchema}{type} ne 'object' ||
		    $_->{inputSchema}{additionalProperties} }
		    @{ $l->{tools} }), 0, 'with schemas');
		my $sent = $m->does(send_message => {
		    to => '@plain', message => "from $version" });
		like($sent->{messages}[0]{message_id}, qr/^[0-9a-f]{32}$/,
		    'an id');
		is($sent->{unread}{count}, 0, 'nothing is unread');
		is($bob->expect_push->{text}, "from $version", 'it came');
		my $raw = $m->tool('get_state', { key => 'nothing' });
		is(defined $raw->{structuredContent}, $version ge '2025-06-18',
		    'structured content');
		is_deeply(Cpanel::JSON::XS->new->utf8
		    ->decode($raw->{content}[0]{text}),
		    $raw->{structuredContent}, 'and the same as text')
		    if $raw->{structuredContent};
		is($raw->{resultType}, $modern ? 'complete' : undef,
		    'what it is');
		is($m->request('ping')->{error}{code},
		    $modern ? -32601 : undef, 'ping');
		is($m->stop, 0, 'it ends with its input');
		is($m->errors, '', 'and said nothing else');
	};
}

subtest 'every tool' => sub {
	my $m = Linnet::Mcp->new('alice', env => {
		LINNET_NAME => 'planner', LINNET_ROLE => 'boss',
		LINNET_GROUPS => 'dev:lead,@qa' });
	$m->initialize('2025-11-25');
	my $w = Linnet::Mcp->new('bob', env => { LINNET_NAME => 'worker',
		LINNET_GROUPS => 'dev' });
	$w->initialize('2025-06-18');
	sees($m, 'worker');
	my ($me) = grep { $_->{name} eq 'planner' }
	    @{ $w->does('list_peers')->{peers} };
	is($me->{role}, 'boss', 'the role');
	is_deeply($me->{groups}, [{ name => 'dev', role => 'lead' },
	    { name => 'qa' }], 'the groups');
	is($me->{type}, 'ai', 'an agent');
	is(scalar @{ $m->does(list_peers => { group => 'qa' })->{peers} }, 1,
	    'of a group');

	my $s = $m->does(send_message => { to => ['worker', '@dev', 'builder'],
	    message => "x\n\x{fc}" });
	is(scalar @{ $s->{messages} }, 3, 'each has an id');
	my ($c, %to);
	for (1, 2) {
		last if %to == 2;
		$c = $w->does('wait_for_message', { seconds => 10 });
		$to{ $_->{to} } = $_ for @{ $c->{messages} };
	}
	is($to{you}{text}, "x\n\x{fc}", 'it came');
	is($to{you}{from}, 'planner', 'from whom');
	ok($to{you}{encrypted}, 'encrypted');
	is($to{'@dev'}{text}, "x\n\x{fc}", 'and to the group');
	ok(!$to{'@dev'}{encrypted}, 'in clear');
	my ($id) = $s->{messages}[0]{message_id};
	ok(wait_until { $m->does(message_status => { id => $id })->{delivered} }
	    10, 'acked');
	is_deeply([map { "$_->{name} $_->{state}" } @{ $m->does(message_status =>
	    { id => $id })->{recipients} }], ['worker acked'], 'by whom');
	my $answer = $w->does(send_message => { to => 'planner',
	    message => 'done', reply_to => $id, priority => 'now' });
	$c = $m->does('wait_for_message');
	is($c->{messages}[0]{reply_to}, $id, 'an answer');
	is($c->{messages}[0]{priority}, 'now', 'its priority');

	is($w->does(set_summary => { summary => 'builds' })->{summary},
	    'builds', 'a summary');
	is($w->does(set_status => { status => 'dnd' })->{status}, 'dnd',
	    'a status');
	my ($it) = grep { $_->{name} eq 'worker' }
	    @{ $m->does('list_peers')->{peers} };
	is("$it->{summary} $it->{status}", 'builds dnd', 'others see it');
	is_deeply($w->does(join_group => { name => 'ui', role => 'r' })->{groups},
	    [{ name => 'dev' }, { name => 'ui', role => 'r' }], 'a group');
	is_deeply($w->does(leave_group => { name => 'dev' })->{groups},
	    [{ name => 'ui', role => 'r' }], 'and not');

	is($m->does(set_state => { key => 'plan', value => { a => [1, $true] }
	    })->{version}, 1, 'state');
	is_deeply($w->does(get_state => { key => 'plan' })->{value},
	    { a => [1, $true] }, 'is shared');
	like($m->refuses(set_state => { key => 'plan', value => 2,
	    if_version => 7 }), qr/version 1.*\(version_conflict\)/s,
	    'on a condition');
	$m->does(set_state => { key => "p$_", value => $_ }) for 1 .. 3;
	my $l = $m->does(list_state => { prefix => 'p', limit => 3 });
	is_deeply([map { $_->{key} } @{ $l->{entries} }], [qw(p1 p2 p3)],
	    'a page');
	$l = $m->does(list_state => { prefix => 'p', limit => 3,
	    after => $l->{next} });
	is_deeply([map { $_->{key} } @{ $l->{entries} }], ['plan'],
	    'and the next');
	ok(!exists $l->{next}, 'which is the last');

	my $mem = $m->does(remember => { content => 'Deploy on Friday never.',
	    tags => ['ops'] })->{id};
	my $found = $w->does(recall => { query => 'deploying' })->{memories};
	is($found->[0]{id}, $mem, 'recalled');
	is($found->[0]{by}, 'planner', 'by whom');
	my $read = $w->request('resources/read',
	    { uri => "linnet://memory/$mem" })->{result}{contents}[0];
	like($read->{text}, qr/Friday/, 'as a resource');
	is($m->does(forget => { id => $mem })->{forgotten}, $true, 'forgotten');
	is($w->request('resources/read', { uri => "linnet://memory/$mem" })
	    ->{error}{code}, -32002, 'it is gone');

	my $later = $m->does(schedule_message => { to => 'worker',
	    message => 'wake up', in_seconds => 3600 })->{id};
	is($m->does('list_scheduled')->{messages}[0]{id}, $later, 'scheduled');
	is($m->does(cancel_scheduled => { id => $later })->{cancelled}, $true,
	    'cancelled');
	is(scalar @{ $m->does('list_scheduled')->{messages} }, 0, 'gone');

	like($m->refuses(send_message => { to => 'wroker', message => 'x' }),
	    qr/Did you mean "worker"/, 'a wrong name');
	like($m->refuses(message_status => { id => '0' x 32 }),
	    qr/no such message/, 'a wrong id');
	is($_->stop, 0, 'ends') for $m, $w;
};

subtest 'what is held back' => sub {
	my $m = Linnet::Mcp->new('alice', env => { LINNET_NAME => 'busy' });
	$m->initialize('2025-11-25');
	$m->does(set_status => { status => 'dnd' });
	my $w = Linnet::Mcp->new('bob', env => { LINNET_NAME => 'other' });
	$w->initialize('2025-11-25');
	sees($w, 'busy');
	my @ids = map { $w->does(send_message => { to => 'busy',
	    message => $_, priority => $_ })->{messages}[0]{message_id} }
	    qw(low next);
	my $u = $m->does(get_state => { key => 'x' })->{unread};
	is_deeply($u, { count => 2, highest => 'next' },
	    'it is told of all the same');
	is($w->does(message_status => { id => $ids[0] })
	    ->{recipients}[0]{state}, 'queued', 'though it is held');
	is_deeply([map { $_->{text} } @{ $m->does('check_messages')
	    ->{messages} }], [qw(low next)], 'and read when it asks');
	ok(wait_until { $w->does(message_status => { id => $ids[1] })
	    ->{delivered} } 10, 'acked');
	my $id = $m->ask('tools/call', { name => 'wait_for_message',
	    arguments => { seconds => 20 }, });
	$w->does(send_message => { to => 'busy', message => 'more' });
	my $r = $m->answer($id, 10);
	is($r->{result}{structuredContent}{messages}[0]{text}, 'more',
	    'so is who waits');
	is($_->stop, 0, 'ends') for $m, $w;
};

subtest 'an agent that comes back' => sub {
	my $m = Linnet::Mcp->new('carol', env => { LINNET_NAME => 'runner' });
	$m->initialize('2025-11-25');
	my $w = Linnet::Mcp->new('bob');
	$w->initialize('2025-11-25');
	sees($w, 'runner');
	my ($key) = map { $_->{key} } grep { $_->{name} eq 'runner' }
	    @{ $w->does('list_peers')->{peers} };
	my $twin = Linnet::Mcp->new('carol', env => { LINNET_NAME => 'runner' });
	$twin->initialize('2025-11-25');
	wait_until { 2 == grep { $_->{name} eq 'runner' }
	    @{ $w->does('list_peers')->{peers} } } 10, 'another one';
	is($m->does('list_state')->{unread}{count}, 0,
	    'two of a name are two sessions');
	is($_->stop, 0, 'both end') for $m, $twin;
	wait_until { !grep { $_->{name} eq 'runner' }
	    @{ $w->does('list_peers')->{peers} } } 10, 'they are gone';
	$w->does(send_message => { to => $key, message => 'later' });
	$m = Linnet::Mcp->new('carol', env => { LINNET_NAME => 'runner' });
	$m->initialize('2025-11-25');
	is($m->does('wait_for_message')->{messages}[0]{text}, 'later',
	    'it is the same session again');
	is($_->stop, 0, 'ends') for $m, $w;
};

# An agent leaves its environment to what it starts, and so its session's name.
subtest 'an agent within an agent' => sub {
	my %env = (LINNET_NAME => 'outer', LINNET_SESSION => 'launch-outer');
	my $m = Linnet::Mcp->new('carol', env => \%env);
	$m->initialize('2025-11-25');
	sees($m, 'outer');
	my $inner = Linnet::Mcp->new('carol', env => \%env);
	$inner->initialize('2025-11-25');
	wait_until { 2 == grep { $_->{name} eq 'outer' }
	    @{ $inner->does('list_peers')->{peers} } } 10, 'two of them';
	is(scalar(grep { $_->{name} eq 'outer' }
	    @{ $m->does('list_peers')->{peers} }), 2, 'neither took over');
	is($_->stop, 0, 'ends') for $inner, $m;
	$m = Linnet::Mcp->new('carol', env => \%env);
	$m->initialize('2025-11-25');
	wait_until { 1 == grep { $_->{name} eq 'outer' }
	    @{ $m->does('list_peers')->{peers} } } 10, 'one again';
	is($m->stop, 0, 'ends');
};

# A message is acked when the agent used it, not before.
subtest 'push' => sub {
	my $m = Linnet::Mcp->new('alice', env => { LINNET_NAME => 'claude' });
	my $r = $m->request('server/discover', { _meta => { %meta,
	    'io.modelcontextprotocol/clientInfo' =>
	    { name => 'claude-code', version => '2' } } });
	is($r->{error}{code}, -32601, 'Claude Code shall say initialize');
	$r = $m->initialize('2025-11-25', 'claude-code');
	ok($r->{capabilities}{experimental}{'claude/channel'}, 'a channel');
	my $w = Linnet::Mcp->new('bob', env => { LINNET_NAME => 'sender' });
	$w->initialize('2025-11-25');
	sees($w, 'claude');
	my $id = $w->does(send_message => { to => 'claude',
	    message => "do <it>" })->{messages}[0]{message_id};
	my $note = $m->note('notifications/claude/channel');
	is($note->{params}{content}, 'do <it>', 'the text');
	my $meta = $note->{params}{meta};
	is("$meta->{kind} $meta->{message_id} $meta->{from_name}",
	    "message $id sender", 'what is known of it');
	is(scalar(grep { ref || !/./ } values %$meta), 0, 'texts only');
	is(scalar(grep { !/^[a-zA-Z_][a-zA-Z0-9_]*$/ } keys %$meta), 0,
	    'with names that a host takes');
	# Not acked in time it is queued again, for a moment.
	ok(wait_until { $r = $w->does(message_status => { id => $id })
	    ->{recipients}[0]{state}; $r ne 'queued' } 10, 'it went out');
	is($r, 'pushed', 'it is pushed, not acked');
	is($m->does(get_state => { key => 'x' })->{unread}{count}, 1,
	    'and unread');
	# The broker pushes it again; the agent is not told again.
	wait_until { $b->psql("select pushes from delivery
	    where message_id = '$id'") > 1 } 20, 'pushed again';
	$w->does(set_state => { key => 'push', value => 'yes' });
	$note = $m->note('notifications/claude/channel');
	is($note->{params}{content}, 'push = "yes"', 'a change of state');
	is($note->{params}{meta}{kind}, 'state_change', 'as such');
	$m->does(ack => { ids => $id });
	ok(wait_until { $w->does(message_status => { id => $id })->{delivered} }
	    10, 'acked by ack');
	is($_->stop, 0, 'ends') for $m, $w;
};

subtest 'resources' => sub {
	my $m = Linnet::Mcp->new('alice');
	$m->initialize('2025-11-25');
	my $w = Linnet::Mcp->new('bob');
	$w->initialize('2025-11-25');
	$w->does(set_state => { key => "a b/\x{fc}", value => 1 });
	my (@uris, $r);
	do {
		$r = $m->request('resources/list', {
		    $r ? (cursor => $r->{nextCursor}) : () })->{result};
		push @uris, map { $_->{uri} } @{ $r->{resources} };
	} while ($r->{nextCursor});
	my ($uri) = grep { /a%20b/ } @uris;
	is($uri, 'linnet://state/a%20b/%C3%BC', 'a key');
	ok((grep { $_ eq 'linnet://inbox' } @uris), 'the inbox');
	$m->request('resources/subscribe', { uri => $uri });
	$w->does(set_state => { key => "a b/\x{fc}", value => 2 });
	is($m->note('notifications/resources/updated')->{params}{uri}, $uri,
	    'a change');
	$r = $m->request('resources/read', { uri => $uri });
	like($r->{result}{contents}[0]{text}, qr/"value":2/, 'its value');
	is(scalar @{ $m->request('resources/templates/list')
	    ->{result}{resourceTemplates} }, 3, 'templates');
	is($m->request('prompts/list')->{result}{prompts}[0]{name}, 'inbox',
	    'prompts');
	is($_->stop, 0, 'ends') for $m, $w;
};

subtest 'prompts' => sub {
	my $m = Linnet::Mcp->new('alice', meta => { %meta,
	    'io.modelcontextprotocol/clientCapabilities' =>
	    { elicitation => { form => {} } } });
	my $w = Linnet::Mcp->new('bob', env => { LINNET_NAME => 'Worker',
	    LINNET_GROUPS => 'dev/ui' });
	$w->initialize('2025-11-25');
	sees($m, 'Worker');
	my @names = map { $_->{name} }
	    @{ $m->request('prompts/list')->{result}{prompts} };
	is($names[0], 'inbox', 'prompts');
	like($m->request('prompts/get', { name => $_, arguments =>
	    { $_ =~ /ask|handoff/ ? (to => 'Worker') : (),
	    $_ eq 'ask' ? (question => 'what?') : () } })
	    ->{result}{messages}[0]{content}{text}, qr/^[A-Z].*\.$/s, $_)
	    for @names;
	my $complete = sub {
		my ($client, $name, $argument, $value) = @_;
		return $client->request('completion/complete', { ref =>
		    { type => 'ref/prompt', name => $name }, argument =>
		    { name => $argument, value => $value } })
		    ->{result}{completion}{values};
	};
	is_deeply($complete->($m, 'ask', 'to', 'wor'), ['Worker'], 'a peer');
	is_deeply($complete->($w, 'who', 'group', 'ui'), ['dev/ui'],
	    'a group');
	$w->does(remember => { content => 'x', tags => ['Tag1', 'tag2'] });
	is_deeply($complete->($m, 'learned', 'tag', 't'), [qw(Tag1 tag2)],
	    'labels');
	$w->does(set_state => { key => 'complete/me', value => 1 });
	is_deeply($m->request('completion/complete', { ref =>
	    { type => 'ref/resource', uri => 'linnet://state/{key}' },
	    argument => { name => 'key', value => 'comp' } })
	    ->{result}{completion}, { values => ['complete/me'],
	    hasMore => $false }, 'a key');
	my $r = $m->request('prompts/get', { name => 'handoff' })->{result};
	is($r->{resultType}, 'input_required', 'what is missing is asked for');
	my $form = $r->{inputRequests}{arguments}{params}{requestedSchema};
	ok((grep { $_ eq 'Worker' } @{ $form->{properties}{to}{enum} }),
	    'of those who are here');
	my %again = (name => 'handoff', requestState => $r->{requestState},
	    inputResponses => { arguments => { action => 'accept',
	    content => { to => 'Worker' } } });
	like($m->request('prompts/get', \%again)
	    ->{result}{messages}[0]{content}{text}, qr/over to Worker in/,
	    'the answer');
	my $other = Linnet::Mcp->new('alice', meta => \%meta);
	is($other->request('prompts/get', \%again)->{error}{code}, -32602,
	    'is for the server that asked');
	is($_->stop, 0, 'ends') for $m, $w, $other;
};

subtest 'choices of tools' => sub {
	my %count = (core => 18, none => 0, full => 39);
	for my $tools (sort keys %count) {
		my $m = Linnet::Mcp->new('alice', args => ['--tools', $tools]);
		my $r = $m->initialize('2025-11-25');
		is(scalar @{ $m->request('tools/list')->{result}{tools} },
		    $count{$tools}, $tools);
		like($r->{instructions}, $tools eq 'none'
		    ? qr/linnet send/ : qr/check_messages/, 'as it is told');
		$r = $m->request('tools/call', { name => 'forget',
		    arguments => {} });
		is($r->{error}{code}, $tools eq 'full' ? undef : -32602,
		    'others there are not');
		is($m->stop, 0, 'ends');
	}
};

subtest 'hostile input' => sub {
	my $m = Linnet::Mcp->new('alice');
	$m->initialize('2025-03-26');
	for my $bad ('{', '[]', '"x"', "\x00", "\xff\xfe", '{"jsonrpc":"2.0"}',
	    '[' x 200, '{"jsonrpc":"2.0","id":{},"method":"ping"}') {
		$m->line($bad);
		ok($m->answer('')->{error}{code}, 'answered: '
		    . (substr($bad, 0, 20) =~ s/[^ -~]/?/gr));
	}
	$m->line('x' x (5 << 20));
	like($m->answer('')->{error}{message}, qr/at most 4194304 bytes/,
	    'a line that is too long');
	is_deeply($m->request('ping')->{result}, {}, 'it lives');
	$m->line('[{"jsonrpc":"2.0","id":"a","method":"ping"},'
	    . '{"jsonrpc":"2.0","id":"b","method":"tools/call",'
	    . '"params":{"name":"list_peers"}}]');
	ok($m->answer('a') && $m->answer('b'), 'a batch');
	$m->line("\r");
	is_deeply($m->request('ping')->{result}, {}, 'an empty line is none');
	my @ids = map { $m->ask('tools/call', { name => 'get_state',
	    arguments => { key => "k$_" } }) } 1 .. 300;
	is(scalar(grep { $m->answer($_) } @ids), 300, 'many at once');
	is($m->stop, 0, 'ends');
	unlike($m->errors, qr/./, 'and said nothing');
};

# What was asked is answered, and then it ends, whoever else has the pipe.
subtest 'the end' => sub {
	my $m = Linnet::Mcp->new('alice');
	$m->initialize('2025-11-25');
	my $id = $m->ask('tools/call', { name => 'wait_for_message',
	    arguments => { seconds => 55 } });
	my $last = $m->ask('tools/call', { name => 'list_peers' });
	is($m->stop(5), 0, 'ends at once');
	ok($m->answer($last), 'after what was asked');
	ok($m->answer($id), 'what waits is not waited for');
	$m = Linnet::Mcp->new('alice', env => { LINNET_NAME => 'term' });
	$m->initialize('2025-11-25');
	sees($m, 'term');
	kill 'TERM', $m->{pid};
	is($m->stop, 0, 'so does one that is told to');
	my $w = Linnet::Mcp->new('bob');
	$w->initialize('2025-11-25');
	ok((wait_until { !grep { $_->{name} eq 'term' }
	    @{ $w->does('list_peers')->{peers} } } 10), 'and says goodbye');
	is($w->stop, 0, 'ends');
};

# A host asks for the tools when it starts, whatever is wrong.
subtest 'without a broker' => sub {
	my $m = Linnet::Mcp->new('nobody');
	$m->initialize('2025-11-25');
	is(scalar @{ $m->request('tools/list')->{result}{tools} }, 39,
	    'tools without a configuration');
	like($m->refuses('list_peers'), qr/linnet doctor/, 'which say so');
	Linnet::Cli::said('nobody', 'join', $link, '--name', 'nobody');
	ok($m->does('list_peers')->{peers}, 'until there is one');
	is($m->stop, 0, 'ends');

	$m = Linnet::Mcp->new('alice', env => { LINNET_NAME => 'patient',
	    LINNET_GROUPS => 'early,left' });
	$m->initialize('2025-11-25');
	$m->does(set_summary => { summary => 'stays' });
	$m->does(join_group => { name => 'late' });
	$m->does(leave_group => { name => 'left' });
	$b->stop;
	like($m->note('notifications/message')->{params}{data}, qr/\w/,
	    'it says that the broker went');
	my $w = Linnet::Mcp->new('bob');
	$w->initialize('2025-11-25');
	is(scalar @{ $w->request('tools/list', undef, 2)->{result}{tools} }, 39,
	    'tools while it is away');
	like($w->refuses('list_peers'), qr/cannot be reached now.*repeat/s,
	    'which say so');
	is($w->stop(5), 0, 'ends all the same');
	$b->start;
	wait_until { ($m->tool('list_peers')->{structuredContent}{peers} || [])
	    ->[0] } 40, 'it comes back';
	my ($me) = grep { $_->{name} eq 'patient' }
	    @{ $m->does('list_peers')->{peers} };
	is($me->{summary}, 'stays', 'with what it said of itself');
	is(join(' ', sort map { $_->{name} } @{ $me->{groups} }),
	    'early late', 'and its groups');
	is($m->stop, 0, 'ends');
};

is($b->stop, 0, 'the broker ends');
done_testing;
