#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# /mcp: the Model Context Protocol over HTTP, for who shows a token, on any
# worker.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Test::More;
use Linnet qw(wait_until);
use Linnet::Guard;

my $json = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;
my $b = Linnet->broker(workers => 2, options => ['mesh.ack_time 2s',
    'http.origin https://app.example', 'rate.refused_burst 1000000']);
my $m = $b->seed;
my %peer = (alice => $b->peer($m->{peerA}, name => 'alice', acks => 1),
    bob => $b->peer($m->{peerB}, name => 'bob', acks => 1));
my %token = map { $_ => $peer{$_}->request({ type => 'create_token' })
    ->{token} } keys %peer;
# The agents are the members: nobody else of them is there.
$_->close for values %peer;
my $modern = '2026-07-28';
my $id = 0;

# A POST of a JSON-RPC message: the answer of HTTP.
sub post {
	my ($who, $body, %h) = @_;
	my %headers = ('Content-Type' => 'application/json',
	    Accept => 'application/json, text/event-stream',
	    $who ? (Authorization => "Bearer $token{$who}") : (), %h);
	delete $headers{$_} for grep { !defined $headers{$_} } keys %headers;
	return $b->http(POST => '/mcp', \%headers,
	    ref $body ? $json->encode($body) : $body);
}

# A request in a revision, with what its head has to say.
sub message {
	my ($version, $method, $params) = @_;
	my %p = %{ $params // {} };
	my %h = ('MCP-Protocol-Version' => $version);
	if ($version eq $modern) {
		%p = (%p, _meta => {
		    'io.modelcontextprotocol/protocolVersion' => $version,
		    'io.modelcontextprotocol/clientCapabilities' => {},
		    %{ $p{_meta} // {} } });
		$h{'Mcp-Method'} = $method;
		$h{'Mcp-Name'} = $p{name} // $p{uri}
		    if $method =~ m{^(tools/call|resources/read|prompts/get)$};
	}
	return ({ jsonrpc => '2.0', id => ++$id, method => $method,
	    %p ? (params => \%p) : () }, %h);
}

sub ask {
	my ($who, $version, $method, $params) = @_;
	my $r = post($who, message($version, $method, $params));
	return $r->{json} // {};
}

# Calls a tool that succeeds: its structured content.
sub does {
	my ($who, $tool, $args, $version) = @_;
	my $r = ask($who, $version // $modern, 'tools/call',
	    { name => $tool, arguments => $args // {} });
	ok($r->{result} && !$r->{result}{isError}, "$who: $tool does it")
	    or diag explain $r;
	return $r->{result}{structuredContent}
	    // $json->decode($r->{result}{content}[0]{text} // '{}');
}

for my $version ('2025-03-26', '2025-06-18', '2025-11-25') {
	subtest $version => sub {
		my $r = post('alice', { jsonrpc => '2.0', id => 1,
		    method => 'initialize', params => {
		    protocolVersion => $version, capabilities => {},
		    clientInfo => { name => 'test', version => '1' } } });
		is($r->{status}, 200, 'initialize') or diag explain $r;
		is($r->{json}{result}{protocolVersion}, $version, 'revision');
		is($r->{json}{result}{serverInfo}{name}, 'linnet', 'who');
		like($r->{json}{result}{instructions},
		    qr/^You are "peer-a" in the mesh "\Q$m->{slug}\E"/,
		    'as whom');
		$r = post('alice', { jsonrpc => '2.0',
		    method => 'notifications/initialized' },
		    'MCP-Protocol-Version' => $version);
		is_deeply([@$r{qw(status body)}], [202, ''], 'initialized');
		my $l = ask('alice', $version, 'tools/list');
		is(scalar @{ $l->{result}{tools} }, 38, 'tools');
		is_deeply(ask('alice', $version, 'ping')->{result}, {}, 'ping');
		is(does('alice', 'get_state', { key => 'none' }, $version)
		    ->{version}, 0, 'a tool');
	};
}

subtest $modern => sub {
	my $r = post('alice', message($modern, 'server/discover'));
	is($r->{status}, 200, 'discover') or diag explain $r;
	is_deeply($r->{json}{result}{supportedVersions}, [$modern], 'versions');
	is($r->{json}{result}{resultType}, 'complete', 'complete');
	is(ask('alice', $modern, 'tools/list')->{result}{cacheScope}, 'public',
	    'the list of tools');
	my $none = post('alice', message($modern, 'no/such'));
	is_deeply([$none->{status}, $none->{json}{error}{code}],
	    [404, -32601], 'an unknown method');
};

# Any process may have the answer to what another one asked.
subtest 'prompts' => sub {
	my %can = (_meta => { 'io.modelcontextprotocol/clientCapabilities' =>
	    { elicitation => {} } });
	my $l = ask('alice', $modern, 'prompts/list')->{result};
	is($l->{prompts}[0]{name}, 'inbox', 'a list');
	is_deeply(ask('alice', '2025-06-18', 'completion/complete', {
	    ref => { type => 'ref/prompt', name => 'learned' },
	    argument => { name => 'tag', value => 'x' } })->{result}, {
	    completion => { values => [],
	    hasMore => Cpanel::JSON::XS::false } },
	    'completion');
	for my $try (1 .. 8) {
		my $r = ask('alice', $modern, 'prompts/get',
		    { name => 'handoff', %can })->{result};
		is($r->{resultType}, 'input_required', 'a question');
		my %again = (name => 'handoff', %can,
		    requestState => $r->{requestState}, inputResponses =>
		    { arguments => { action => 'accept',
		    content => { to => 'peer-b' } } });
		like(ask('alice', $modern, 'prompts/get', \%again)
		    ->{result}{messages}[0]{content}{text},
		    qr/over to peer-b in/, 'its answer');
		my $other = post('bob', message($modern, 'prompts/get',
		    \%again));
		is_deeply([$other->{status}, $other->{json}{error}{code}],
		    [400, -32602], 'not from somebody else');
	}
};

subtest 'a conversation' => sub {
	my $s = does('alice', 'send_message', { to => 'peer-b',
	    message => "hello\n\x{fc}", priority => 'now' });
	my $sent = $s->{messages}[0]{message_id};
	like($sent, qr/^[0-9a-f]{32}$/, 'an id');
	is($s->{messages}[0]{recipients}, 1, 'one recipient')
	    or diag explain $s;
	is_deeply(does('bob', 'get_state', { key => 'x' })->{unread},
	    { count => 1, highest => 'now' }, 'bob hears of it');
	my $inbox = ask('bob', $modern, 'resources/read',
	    { uri => 'linnet://inbox' });
	like($inbox->{result}{contents}[0]{text} // '', qr/hello/,
	    'he may look') or diag explain $inbox;
	my $c = does('bob', 'check_messages');
	is($c->{messages}[0]{text}, "hello\n\x{fc}", 'and reads it');
	is($c->{messages}[0]{message_id}, $sent, 'by its id');
	is($c->{messages}[0]{from}, 'peer-a', 'whose it is');
	is($c->{messages}[0]{to}, 'you', 'to him');
	ok(!$c->{messages}[0]{encrypted}, 'in clear');
	is($c->{unread}{count}, 0, 'nothing is left');
	ok((wait_until { does('alice', 'message_status', { id => $sent })
	    ->{delivered} } 10), 'acked');
	my $a = does('bob', 'send_message', { to =>
	    $c->{messages}[0]{from_key}, message => 'back',
	    reply_to => $sent });
	my $w = does('alice', 'wait_for_message', { seconds => 5 });
	is($w->{messages}[0]{text}, 'back', 'the answer');
	is($w->{messages}[0]{reply_to}, $sent, 'to what');
	is_deeply(does('alice', 'check_messages')->{messages}, [],
	    'nothing comes twice');
	my $begun = time;
	is_deeply(does('alice', 'wait_for_message', { seconds => 1 })
	    ->{messages}, [], 'a wait in vain');
	cmp_ok(time - $begun, '<', 10, 'ends in time');
	$s = does('alice', 'set_state', { key => 'k', value => { a => [1] } });
	is_deeply(does('bob', 'get_state', { key => 'k' })->{value},
	    { a => [1] }, 'state');
	like(does('alice', 'remember', { content => 'a red door' })->{id},
	    qr/./, 'memory');
	my $bad = ask('alice', $modern, 'tools/call', { name => 'send_message',
	    arguments => { to => 'peer-c', message => 'x' } })->{result};
	ok($bad->{isError}, 'a mistake is a result');
	like($bad->{content}[0]{text}, qr/peer-b|nobody|no /i,
	    'with a sentence') or diag explain $bad;
	is(does('alice', 'set_status', { status => 'working' })->{status},
	    'working', 'a status');
};

# Asks for a tool, and does not wait for the answer.
sub begins {
	my ($who, $tool, $args, $meta) = @_;
	my ($body, %h) = message($modern, 'tools/call', { name => $tool,
	    arguments => $args, $meta ? (_meta => $meta) : () });
	my $io = $b->tcp;
	$io->put(Linnet::Http::request(POST => '/mcp', { %h,
	    'Content-Type' => 'application/json',
	    Accept => 'application/json, text/event-stream',
	    Authorization => "Bearer $token{$who}" }, $json->encode($body)));
	return $io;
}

subtest 'who leaves' => sub {
	my $io = begins('bob', 'wait_for_message', { seconds => 30 });
	does('bob', 'get_state', { key => 'x' });
	$io->drop;
	does('alice', 'send_message', { to => 'peer-b', message => 'kept' });
	is(does('bob', 'wait_for_message', { seconds => 5 })
	    ->{messages}[0]{text}, 'kept', 'and took nothing with it');
	# Of two who wait each message comes to one.
	my @io = map { begins('bob', 'wait_for_message', { seconds => 6 }) }
	    1, 2;
	does('bob', 'get_state', { key => 'x' });
	does('alice', 'send_message', { to => 'peer-b', message => 'one' });
	my @r = map { $_->answer('POST', 10) } @io;
	is_deeply([sort map { $_->{text} } map { @{ $_->{json}{result}
	    {structuredContent}{messages} } } @r], ['one'], 'once');
};

subtest 'progress' => sub {
	my $io = begins('bob', 'wait_for_message', { seconds => 12 },
	    { progressToken => 'p1' });
	my $r = $io->answer('POST', 20);
	my @e = map { $json->decode($_) } $r->{body} =~ /^data: (.*)$/mg;
	is(scalar @e, 2, 'a stream of two');
	is_deeply([@{ $e[0]{params} }{qw(progressToken total)}], ['p1', 12],
	    'it still waits');
	is_deeply($e[1]{result}{structuredContent}{messages}, [],
	    'and the answer');
};

subtest 'streams' => sub {
	my ($body, %h) = message($modern, 'subscriptions/listen',
	    { notifications => { resourceSubscriptions =>
	    ['linnet://state/plan', 'linnet://inbox'] } });
	my $io = $b->tcp;
	$io->put(Linnet::Http::request(POST => '/mcp', { %h,
	    'Content-Type' => 'application/json',
	    Accept => 'application/json, text/event-stream',
	    Authorization => "Bearer $token{bob}" }, $json->encode($body)));
	my $seen = sub {
		my ($like, $name) = @_;
		$io->{in} //= '';
		return ok((wait_until { $io->{in} =~ $like } 10, $name), $name)
		    || diag $io->{in};
	};
	$seen->(qr/subscriptions\/acknowledged.*?linnet:\/\/inbox/s,
	    'what is honoured');
	like($io->{in}, qr{^HTTP/1.1 200.*text/event-stream}s, 'a stream');
	like($io->{in}, qr/X-Accel-Buffering: no/, 'that nobody holds back');
	does('alice', 'set_state', { key => 'plan', value => 1 });
	$seen->(qr/resources\/updated[^\n]*linnet:\/\/state\/plan/,
	    'a change of state');
	does('alice', 'send_message', { to => 'peer-b', message => 'news' });
	$seen->(qr/resources\/updated[^\n]*linnet:\/\/inbox/, 'a message');
	like($io->{in}, qr/subscriptionId":\Q$body->{id}\E\}/, 'of that request');
	$io->drop;
	is(does('bob', 'check_messages')->{messages}[0]{text}, 'news',
	    'which is there');
	is(does('alice', 'get_state', { key => 'k' })->{unread}{count}, 0,
	    'and alice has none');
};

# The head of a request in a session, and a stream of it that was asked for.
sub in_session {
	my ($who, $session, %more) = @_;
	return (Authorization => "Bearer $token{$who}",
	    'MCP-Protocol-Version' => '2025-06-18',
	    'Mcp-Session-Id' => $session, %more);
}

sub listens {
	my ($who, $session) = @_;
	my $io = $b->tcp;
	$io->put(Linnet::Http::request(GET => '/mcp', { in_session($who,
	    $session, Accept => 'text/event-stream') }));
	ok((wait_until { ($io->{in} // '') =~ /\r\n:\n\n/ } 10), 'a stream');
	return $io;
}

subtest 'sessions' => sub {
	my $init = sub {
		my ($who) = @_;
		my $r = post($who, { jsonrpc => '2.0', id => 1, method =>
		    'initialize', params => { protocolVersion => '2025-06-18',
		    capabilities => {}, clientInfo => { name => 'test',
		    version => '1' } } });
		ok($r->{json}{result}{capabilities}{resources}{subscribe},
		    'it may subscribe');
		return $r->{headers}{'mcp-session-id'};
	};
	my $session = $init->('bob');
	like($session, qr/^[0-9a-f]{32}$/, 'an id');
	my $io = listens('bob', $session);
	my $call = sub {
		my ($method, $uri) = @_;
		my $r = post('bob', { jsonrpc => '2.0', id => 2,
		    method => $method, params => { uri => $uri } },
		    in_session('bob', $session));
		return $r->{json};
	};
	for ('linnet://state/a', 'linnet://state/a', 'linnet://inbox') {
		is_deeply($call->('resources/subscribe', $_)->{result}, {},
		    "to $_");
	}
	is($call->('resources/subscribe', 'linnet://memory/x')->{error}{code},
	    -32602, 'to what is never told');
	my $seen = sub {
		my ($like, $name) = @_;
		return ok((wait_until { $io->{in} =~ $like } 10), $name)
		    || diag $io->{in};
	};
	$seen->(qr{updated[^\n]*state/a.*updated[^\n]*inbox}s,
	    'what is new to the stream is told once');
	$io->{in} = '';
	does('alice', 'set_state', { key => 'a', value => 1 });
	$seen->(qr{updated[^\n]*state/a}, 'a change');
	does('alice', 'send_message', { to => 'peer-b', message => 'psst' });
	$seen->(qr{updated[^\n]*inbox}, 'a message');
	is_deeply($call->('resources/unsubscribe', 'linnet://inbox')
	    ->{result}, {}, 'no more of that');
	does('bob', 'check_messages');
	my $again = listens('bob', $session);
	$io->{in} = '';
	does('alice', 'send_message', { to => 'peer-b', message => 'psst' });
	does('alice', 'set_state', { key => 'a', value => 2 });
	ok((wait_until { $again->{in} =~ m{state/a} } 10), 'a change');
	unlike($again->{in}, qr/inbox/, 'and no message');
	does('bob', 'check_messages');

	my $r = $b->http(GET => '/mcp', { in_session('alice', $session,
	    Accept => 'text/event-stream') });
	is($r->{status}, 404, 'nobody else has it');
	is(post('alice', { jsonrpc => '2.0', id => 1, method => 'ping' },
	    in_session('alice', $session))->{status}, 404, 'not to ask');
	is($b->http(DELETE => '/mcp', { in_session('alice', $session) })
	    ->{status}, 404, 'nor to end');
	$r = post('bob', { jsonrpc => '2.0', id => 1, method => 'ping' },
	    in_session('bob', $session, 'MCP-Protocol-Version' => undef));
	is($r->{status}, 200, 'it knows its revision');
	for ('', 'x', '0' x 32, 'f' x 64) {
		is(post('bob', { jsonrpc => '2.0', id => 1, method => 'ping' },
		    in_session('bob', $_))->{status}, 404, "not \"$_\"");
	}
	$r = $b->http(GET => '/mcp', { in_session('bob', $session) });
	is($r->{status}, 406, 'a stream that is not taken');
	$r = $b->http(GET => '/mcp', { Accept => 'text/event-stream',
	    Authorization => "Bearer $token{bob}" });
	is($r->{status}, 400, 'a stream of nothing');
	$r = $b->http(DELETE => '/mcp', { in_session('bob', $session) });
	is_deeply([@$r{qw(status body)}], [204, ''], 'it ends');
	is($b->http(DELETE => '/mcp', { in_session('bob', $session) })
	    ->{status}, 404, 'once');
	is(post('bob', { jsonrpc => '2.0', id => 1, method => 'ping' },
	    in_session('bob', $session))->{status}, 404, 'it is over');
	ok((wait_until { $again->{in} =~ /\r\n0\r\n\r\n\z/ } 10),
	    'and so is its stream');
	isnt($init->('bob'), $init->('bob'), 'each is another');
};

subtest 'bad input' => sub {
	my $r = post(undef, message($modern, 'tools/list'));
	is($r->{status}, 401, 'no token');
	like($r->{headers}{'www-authenticate'}, qr/^Bearer/, 'what is wanted');
	like($r->{json}{message}, qr/token create/, 'and how to get it');
	$r = post(undef, message($modern, 'tools/list'),
	    Authorization => 'Bearer wat_' . 'A' x 48);
	is($r->{status}, 401, 'a token that is none');
	like($r->{headers}{'www-authenticate'}, qr/invalid_token/, 'says so');
	for (['not JSON', '{"jsonrpc":', 400, -32700],
	    ['nothing', '', 400, -32700],
	    ['a text', '"x"', 400, -32600],
	    ['no request', '{"a":1}', 400, -32600],
	    ['a batch in a revision without', '[]', 400, -32600]) {
		my ($name, $body, $status, $code) = @$_;
		$r = post('alice', $body, 'MCP-Protocol-Version' =>
		    '2025-11-25');
		is_deeply([$r->{status}, $r->{json}{error}{code}],
		    [$status, $code], $name) or diag explain $r;
		ok(length $r->{json}{error}{message}, "$name: says why");
	}
	$r = post('alice', [map { { jsonrpc => '2.0', id => $_,
	    method => 'ping' } } 1 .. 3]);
	is_deeply([$r->{status}, ref $r->{json}, scalar @{ $r->{json} }],
	    [200, 'ARRAY', 3], 'a batch in a revision that has them');
	my ($body, %h) = message($modern, 'tools/call', { name => 'get_state',
	    arguments => { key => 'k' } });
	for (['no Mcp-Method', { 'Mcp-Method' => undef }],
	    ['another one', { 'Mcp-Method' => 'tools/list' }],
	    ['in another case', { 'Mcp-Method' => 'Tools/Call' }],
	    ['no Mcp-Name', { 'Mcp-Name' => undef }],
	    ['another name', { 'Mcp-Name' => 'set_state' }],
	    ['no revision', { 'MCP-Protocol-Version' => undef }],
	    ['another revision', { 'MCP-Protocol-Version' => '2025-11-25' }]) {
		$r = post('alice', $body, %h, %{ $_->[1] });
		is_deeply([$r->{status}, $r->{json}{error}{code},
		    $r->{json}{id}], [400, -32020, $body->{id}], $_->[0])
		    or diag explain $r;
	}
	$r = post('alice', $body, %h, 'Mcp-Name' => '=?base64?Z2V0X3N0YXRl?=');
	is($r->{status}, 200, 'a name in base64');
	$r = post('alice', { jsonrpc => '2.0', id => 1, method => 'ping' },
	    'MCP-Protocol-Version' => '1999-01-01');
	is_deeply([$r->{status}, $r->{json}{error}{code},
	    $r->{json}{error}{data}{requested}], [400, -32022, '1999-01-01'],
	    'a revision that nobody speaks');
	for (['PUT'], ['HEAD'], ['GET', 'MCP-Protocol-Version' => $modern],
	    ['DELETE', 'MCP-Protocol-Version' => $modern]) {
		my ($method, %more) = @$_;
		$r = $b->http($method => '/mcp', { Authorization =>
		    "Bearer $token{alice}", Accept => 'text/event-stream',
		    %more });
		is_deeply([$r->{status}, $r->{headers}{allow}],
		    [405, 'GET, POST, DELETE, OPTIONS'], $method);
	}
	my @list = message($modern, 'tools/list');
	is(post('alice', @list, Accept => 'text/html')->{status}, 406,
	    'nothing that it would take');
	is(post('alice', @list, Accept => undef)->{status}, 200,
	    'nothing said of that');
	is(post('alice', @list, 'Content-Type' => 'text/plain')->{status}, 415,
	    'no JSON');
	is(post('alice', @list, Origin => $_)->{status}, 403, "from $_")
	    for 'https://evil.example', 'null', 'http://linnet.test',
	    'https://app.example.evil';
	$r = post('alice', @list, Origin => 'https://app.example');
	is_deeply([$r->{status}, $r->{headers}{'access-control-allow-origin'}],
	    [200, 'https://app.example'], 'from one that may');
	is(post('alice', @list, Origin => 'http://localhost:7',
	    Host => 'localhost:7')->{status}, 200, 'from this machine');
	is(post('alice', @list, Origin => 'http://evil.example:7',
	    Host => 'evil.example:7')->{status}, 403, 'by a name for it');
	$r = post('alice', '{' . ' ' x (1 << 20) . '}');
	is($r->{status}, 413, 'too large');
	my $deep = post('alice', ('[' x 200) . (']' x 200));
	is($deep->{status}, 400, 'too deep');
};

# Clients that others wrote; they come from npm, once.
my $dir = "$Linnet::Guard::builddir/node";
SKIP: {
	skip "no clients in $dir", 1
	    if !-d "$dir/node_modules" && !$ENV{LINNET_NOSKIP};
	my ($status, $out, $err) = Linnet::run(
	    ["$Linnet::Guard::srcdir/contrib/mcp/clients", $dir, 'http',
	    'http://127.0.0.1:' . $b->port . '/mcp', @token{qw(alice bob)}],
	    timeout => 120);
	is($status, 0, 'the clients are content') or diag $err;
	my $n = 0;
	for (split /\n/, $out) {
		if (/^(not )?ok - (.*)/) {
			ok(!$1, $2);
			$n++;
		} else {
			diag $_;
		}
	}
	ok($n > 15, 'and said so of everything');
}

# A server that ends answers those who wait.
my $waits = begins('bob', 'wait_for_message', { seconds => 50 });
my ($body, %h) = message($modern, 'subscriptions/listen', { notifications =>
    { resourceSubscriptions => ['linnet://inbox'] } });
my $listens = $b->tcp;
$listens->put(Linnet::Http::request(POST => '/mcp', { %h,
    'Content-Type' => 'application/json', Accept => 'text/event-stream, */*',
    Authorization => "Bearer $token{bob}" }, $json->encode($body)));
ok((wait_until { ($listens->{in} // '') =~ /acknowledged/ } 10), 'one listens');
does('bob', 'get_state', { key => 'x' });
is($b->stop, 0, 'the broker ends');
is_deeply($waits->answer('POST', 5)->{json}{result}{structuredContent}
    {messages}, [], 'who waits has an answer');
like($listens->{in}, qr/"resultType":"complete".*\r\n0\r\n\r\n\z/s,
    'and who listens');
done_testing;
