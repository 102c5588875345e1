#!/usr/bin/env perl
# HTTP/1.1 as every client sees it: paths, methods, connections, limits, pages
# of other sites.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet;
use Linnet::Guard qw(def_rows unquote);

my $b = Linnet->broker(workers => 1, options => [
	'limit.head 1k', 'limit.body 4k', 'limit.head_time 1s',
	'limit.keep_time 1s',
]);
# What is served to pages of one other site, and without metrics.
my $open = Linnet->broker(workers => 1, options => [
	'http.origin https://app.example', 'http.metrics no',
]);

sub header {
	my ($r, $name) = @_;
	return $r->{headers}{$name};
}

# An error says what is wrong, by a code and by a sentence.
sub error_ok {
	my ($r, $status, $name) = @_;
	subtest $name => sub {
		ok($r, 'there is an answer') or return;
		is($r->{status}, $status, 'status');
		my $j = $r->{json};
		ok($j, 'it is JSON') or return;
		like($j->{code}, qr/^[a-z_]+$/, 'a code');
		like($j->{message} // $j->{error}, qr{\S \S.*\.$}s,
		    'a sentence');
	};
	return;
}

subtest 'health' => sub {
	for my $path (qw(/health /readyz /livez /health/ready)) {
		my $r = $b->http(GET => $path);
		is($r->{status}, 200, "GET $path");
		like(header($r, 'content-type'), qr{^application/json},
		    "$path is JSON");
		is($r->{json}{db}, 'up', "$path: the database is up");
	}
	my $h = $b->http(GET => '/health')->{json};
	is($h->{status}, 'ok', 'status');
	like($h->{version}, qr/^\d+\.\d+/, 'version');
	like($h->{uptime}, qr/^\d+$/, 'uptime');
	ok(exists $h->{gitSha}, 'gitSha');
};

subtest 'query, HEAD, OPTIONS' => sub {
	is($b->http(GET => $_)->{status}, 200, "GET $_")
	    for '/health?x=1', '/livez?', '/health?a=b&c=%20';
	my $io = $b->tcp;
	my $r = $io->exchange(HEAD => '/health');
	is($r->{status}, 200, 'HEAD');
	cmp_ok(header($r, 'content-length'), '>', 0, 'the length of GET');
	is($io->exchange(GET => '/livez')->{json}{status}, 'alive',
	    'no body came with it');
	for my $path ('/health', '/join', '/nowhere', '*') {
		$r = $b->http(OPTIONS => $path);
		is($r->{status}, 204, "OPTIONS $path");
		like(header($r, 'allow'), qr/\bGET\b.*\bPOST\b/, 'Allow');
		is($r->{body}, '', 'empty');
	}
};

subtest 'paths and methods' => sub {
	error_ok($b->http(GET => $_), 404, "GET $_")
	    for qw(/nowhere /ws/ /health/ //health /HEALTH /join/x);
	for ([POST => '/health', 'GET'], [DELETE => '/metrics', 'GET'],
	    [PUT => '/ws', 'GET'], [GET => '/join', 'POST'],
	    [HEAD => '/join', 'POST'], [PATCH => '/hook/set-status', 'POST']) {
		my ($method, $path, $allow) = @$_;
		my $r = $b->http($method, $path);
		is($r->{status}, 405, "$method $path");
		like(header($r, 'allow'), qr/\b$allow\b/, "Allow has $allow");
	}
	error_ok($b->http(GET => '/join'), 405, 'GET /join says why');
	is($b->http(GET => '/')->{status}, 200, 'GET / says what this is');
};

subtest 'connections' => sub {
	my $io = $b->tcp;
	is($io->exchange(GET => '/livez')->{status}, 200, "request $_ of one")
	    for 1 .. 5;
	is($io->exchange(GET => '/nowhere')->{status}, 404,
	    'an error of ours does not end it');
	is($io->exchange(POST => '/join', {}, '{}')->{status}, 400,
	    'nor one in a body');
	my $r = $io->exchange(GET => '/livez', { Connection => 'close' });
	is(header($r, 'connection'), 'close', 'closed when asked to');
	ok($io->wait_eof, 'and it is');

	$io = $b->tcp;
	$io->put("GET /livez HTTP/1.0\r\n\r\n");
	is($io->answer('GET')->{status}, 200, 'HTTP/1.0');
	ok($io->wait_eof, 'is one request');
	$io = $b->tcp;
	for (1, 2) {
		$io->put("GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
		is($io->answer('GET')->{headers}{connection}, 'keep-alive',
		    'HTTP/1.0 that wants to stay');
	}

	$io = $b->tcp;
	is($io->exchange(GET => '/livez')->{status}, 200, 'a request');
	ok($io->wait_eof(15), 'an idle connection ends after limit.keep_time');
};

subtest 'pipelining' => sub {
	my $io = $b->tcp;
	my @want = map { ('/livez' => 200, '/nowhere' => 404,
	    '/readyz' => 200) } 1 .. 7;
	my $bytes = '';
	for (my $i = 0; $i < @want; $i += 2) {
		$bytes .= Linnet::Http::request('GET', $want[$i], {});
		$bytes .= Linnet::Http::request('POST', '/join', {}, '{}')
		    if $i % 6 == 0;
	}
	$io->put($bytes);
	my (@got, @statuses);
	for (my $i = 0; $i < @want; $i += 2) {
		push @statuses, $want[$i + 1];
		push @statuses, 400 if $i % 6 == 0;
	}
	push @got, $io->answer('GET')->{status} for @statuses;
	is("@got", "@statuses", 'answers in the order of the requests');

	$io = $b->tcp;
	for my $byte (split //, Linnet::Http::request('GET', '/livez', {})) {
		$io->put($byte);
		$io->flush;
	}
	is($io->answer('GET')->{status}, 200, 'a request byte by byte');
};

subtest 'bodies' => sub {
	my $body = '{"x":"' . 'y' x 3000 . '"}';
	error_ok($b->http(POST => '/join', {}, $body), 400,
	    'a body below the limit is read');
	my $io = $b->tcp;
	my $r = $io->exchange(POST => '/join', { Expect => '100-continue',
	    'Content-Length' => 2 });
	is($r->{status}, 100, 'a client that waits is told to go on');
	$io->put('{}');
	is($io->answer('POST')->{status}, 400, 'and then answered');

	$io = $b->tcp;
	$r = $io->exchange(POST => '/join', {}, 'x' x 5000);
	error_ok($r, 413, 'a body over limit.body');
	ok($io->wait_eof, 'ends the connection');
	$io = $b->tcp;
	$r = $io->exchange(POST => '/join', { 'Content-Length' => 99999999 });
	error_ok($r, 413, 'without waiting for it');

	$io = $b->tcp;
	$r = $io->exchange(POST => '/join',
	    { 'Transfer-Encoding' => 'chunked' }, "2\r\n{}\r\n0\r\n\r\n");
	error_ok($r, 411, 'a chunked body');
	ok($io->wait_eof, 'ends the connection');
	error_ok($b->tcp->exchange(GET => '/' . 'x' x 2000), 431,
	    'a head over limit.head');
	error_ok($b->tcp->exchange(GET => '/health',
	    [map { ["X-$_", 'y'] } 1 .. 70]), 431, 'too many headers');
};

subtest 'slow requests' => sub {
	my @io = map { $b->tcp } 1 .. 3;
	$io[1]->put("GET /livez HTT");
	$io[2]->put("POST /join HTTP/1.1\r\nHost: x\r\n"
	    . "Content-Length: 9\r\n\r\n{");
	ok($io[0]->wait_eof(15), 'who says nothing is let go');
	error_ok($io[1]->answer('GET', 15), 408, 'half a head');
	ok($io[1]->wait_eof, 'is the end of it');
	error_ok($io[2]->answer('POST', 15), 408, 'half a body');
	# Trickling gives no more time.
	my $io = $b->tcp;
	$io->put("GET /livez HTTP/1.1\r\n");
	my $n = 0;
	wait_until {
		$io->put('X-' . $n++ . ": y\r\n") if $n < 60;
		$io->eof
	} 15;
	ok($io->eof, 'a head that trickles in is cut');
};

subtest 'pages of other sites' => sub {
	my %origin = (Origin => 'https://app.example');
	for my $r ($b->http(GET => '/health', \%origin),
	    $b->http(POST => '/join', \%origin, '{}'),
	    $b->http(OPTIONS => '/join', \%origin),
	    $open->http(GET => '/health', { Origin => 'https://evil.example' }),
	    $open->http(GET => '/health')) {
		my @cors = grep { /^access-control/ } keys %{ $r->{headers} };
		is("@cors", '', 'may not read answers by default');
	}
	for my $r ($open->http(GET => '/health', \%origin),
	    $open->http(POST => '/join', \%origin, '{}'),
	    $open->http(OPTIONS => '/join', \%origin)) {
		is(header($r, 'access-control-allow-origin'),
		    'https://app.example', 'one that is allowed may');
		like(header($r, 'vary'), qr/\borigin\b/i, 'and caches know');
	}
	my $r = $open->http(OPTIONS => '/join', { %origin,
	    'Access-Control-Request-Method' => 'POST',
	    'Access-Control-Request-Headers' => 'content-type' });
	like(header($r, 'access-control-allow-methods'), qr/\bPOST\b/,
	    'preflight: methods');
	like(header($r, 'access-control-allow-headers'), qr/content-type/i,
	    'preflight: headers');

	my $ws = sub {
		my ($broker, %o) = @_;
		return $broker->ws(%o)->status;
	};
	my $evil = { Origin => 'https://evil.example' };
	is($ws->($b, headers => $evil), 403, 'foreign page, no WebSocket');
	is($ws->($open, headers => $evil), 403, 'nor beside an allowed one');
	is($ws->($open, headers => { Origin => 'https://app.example' }), 101,
	    'an allowed page has one');
	is($ws->($b, headers => { Origin => 'http://' . $b->address,
	    Host => $b->address }), 101, 'and a page of this very host');
};

subtest 'upgrade' => sub {
	is($b->ws->status, 101, 'GET /ws');
	is($b->ws(target => '/ws?x=1')->status, 101, 'with a query');
	my $r = $b->http(GET => '/ws');
	error_ok($r, 426, 'without asking for an upgrade');
	like(header($r, 'upgrade'), qr/^websocket$/i, 'Upgrade');
	is(header($r, 'sec-websocket-version'), '13', 'version');
	for (['another version', { 'Sec-WebSocket-Version' => 8 }, 426],
	    ['no version', { 'Sec-WebSocket-Version' => undef }, 426],
	    ['no key', { 'Sec-WebSocket-Key' => undef }, 400],
	    ['a short key', { 'Sec-WebSocket-Key' => 'YWJj' }, 400],
	    ['another protocol', { Upgrade => 'h2c' }, 426]) {
		my ($name, $headers, $status) = @$_;
		error_ok($b->ws(headers => $headers)->{response}, $status,
		    $name);
	}
	is($b->ws(target => '/health')->status, 200,
	    'another path answers as ever');
	is($b->ws(target => '/nowhere')->status, 404, 'or is not there');
};

subtest 'metrics' => sub {
	my $seed = $b->seed;
	my $peer = $b->peer($seed->{peerA}, name => 'a');
	my $r = $b->http(GET => '/metrics');
	is($r->{status}, 200, 'GET /metrics');
	like(header($r, 'content-type'), qr{^text/plain; version=0\.0\.4},
	    'the format of Prometheus');
	like($r->{body}, qr/\n\z/, 'ends with a newline');
	my (%type, %help, %sample, @bad);
	for (split /\n/, $r->{body}) {
		if (/^# TYPE (\S+) (counter|gauge)$/) {
			push @bad, "$_ (again)" if $type{$1}++;
		} elsif (/^# HELP (\S+) \S/) {
			push @bad, "$_ (again)" if $help{$1}++;
		} elsif (/^([a-z_]+)(\{[a-z_]+="[^"]*"\})? (\d+)$/) {
			push @bad, "$_ (without a type)" if !$type{$1};
			push @bad, "$_ (again)" if exists $sample{$1 . ($2 // '')};
			$sample{$1 . ($2 // '')} = $3;
		} else {
			push @bad, $_;
		}
	}
	is("@bad", '', 'every line is what it should be');
	for (def_rows('src/core/metrics.def')) {
		my ($name, $label) = map { unquote($_) } @$_[2, 4];
		$name .= "{$label}" if $label ne '';
		ok(exists $sample{$name}, $name);
	}
	# Those that claudemesh's dashboards read.
	ok($type{$_}, $_) for qw(
	    broker_connections_total broker_connections_rejected_total
	    broker_connections_active broker_messages_routed_total
	    broker_messages_rejected_total broker_queue_depth
	    broker_ttl_sweeps_total broker_hook_requests_total
	    broker_hook_requests_rate_limited_total broker_db_healthy);
	is($sample{broker_db_healthy}, 1, 'the database is well');
	my $value = sub {
		my ($name) = @_;
		my ($v) = $b->http(GET => '/metrics')->{body} =~
		    /^\Q$name\E (\d+)$/m;
		return $v;
	};
	ok(wait_until { $value->('linnet_sessions') == 1 }, 'one session');
	my $before = $value->('linnet_requests_total');
	$peer->request({ type => 'list_peers' });
	cmp_ok($value->('linnet_requests_total'), '>', $before,
	    'requests are counted');
	$peer->close;
	ok(wait_until { $value->('linnet_sessions') == 0 }, 'none any more');
	error_ok($open->http(GET => '/metrics'), 404, 'http.metrics no');
};

is($b->stop, 0, 'stopped');
done_testing;
