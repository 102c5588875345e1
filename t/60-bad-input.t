#!/usr/bin/env perl
# Bad input, wherever there is a way in: an error with a code and a sentence,
# or a close with a reason.  Never a crash, a hang or silence, and never an
# answer that shows SQL or where the program comes from.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Test::More;
use Linnet qw(wait_until run scratch slurp);

my $broker = Linnet->broker(workers => 2, options => [
	'limit.hello 2k', 'limit.message 256k', 'limit.body 64k',
	'limit.head 4k', 'rate.refused 0',
]);
my $seed = $broker->seed;
my $good = $broker->peer($seed->{peerA}, name => 'good', session_key => 1);
my $well = $broker->peer($seed->{peerB}, name => 'well', session_key => 1);
my @pids = $broker->pids;
my $json = Cpanel::JSON::XS->new->canonical->allow_nonref;
my $rows = 0;

# What no answer may show.
my $inside = qr{\bSQL|\bselect\s.*\bfrom\b|\binsert\s+into\b|\bunnest\b
    |\brelation\b|\bconstraint\b|\bviolates\b|\bcolumn\b|::\w+\[?\]?
    |\bpg_\w+|hello_seen|pending_status|\Q$Linnet::Guard::srcdir\E
    |\bsrc/\w+|\w\.[ch]:\d|0x[0-9a-f]{6,}|\(null\)|%s|%\.\*s}xi;
my $sentence = qr{\S \S};

sub shows_nothing {
	my ($text, $name) = @_;
	unlike($text // '', $inside, "$name: shows nothing of the inside");
	return;
}

# Raw bytes on the port: [name, status, bytes].
sub request {
	my ($head, $body) = @_;
	return "$head\r\nHost: x\r\n\r\n" . ($body // '');
}

sub post {
	my ($path, $body, @headers) = @_;
	return join "\r\n", "POST $path HTTP/1.1", 'Host: x', @headers,
	    'Content-Length: ' . length $body, '', $body;
}

my @http = (
	['TLS on a plain port', 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc"],
	['NULs', 400, "\0" x 64],
	['SSH', 400, "SSH-2.0-OpenSSH_9.2\r\n\r\n"],
	['HTTP/2', 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
	['HTTP/1.2', 505, request('GET /health HTTP/1.2')],
	['HTTP/9', 505, request('GET /health HTTP/9.1')],
	['no version', 400, "GET /health\r\n\r\n"],
	['no target', 400, request('GET  HTTP/1.1')],
	['two spaces', 400, request('GET  /health HTTP/1.1')],
	['only a line', 400, "hello?\r\n\r\n"],
	['bare LF', 400, "GET /health HTTP/1.1\nHost: x\n\n"],
	['no Host', 400, "GET /health HTTP/1.1\r\n\r\n"],
	['two Hosts', 400, request("GET /health HTTP/1.1\r\nHost: y")],
	['a bad Host', 400, "GET /health HTTP/1.1\r\nHost: a b\r\n\r\n"],
	['Host and target differ', 400,
	    request('GET http://evil.example/health HTTP/1.1')],
	['a folded header', 400, request("GET / HTTP/1.1\r\nA: b\r\n c: d")],
	['a space before the colon', 400, request("GET / HTTP/1.1\r\nA : b")],
	['a header without a colon', 400, request("GET / HTTP/1.1\r\nabc")],
	['a control character', 400, request("GET / HTTP/1.1\r\nA: \x01")],
	['an escape', 400, request('GET /%zz HTTP/1.1')],
	['an escaped NUL', 400, request('GET /a%00b HTTP/1.1')],
	['up', 400, request('GET /../../etc/passwd HTTP/1.1')],
	['up, escaped', 400, request('GET /%2e%2e/etc/passwd HTTP/1.1')],
	['an escaped slash', 400, request('GET /a%2fb HTTP/1.1')],
	['a fragment', 400, request('GET /#x HTTP/1.1')],
	['bytes over 127', 400, request("GET /\xc3\xa4 HTTP/1.1")],
	['a long method', 400, request('X' x 100 . ' / HTTP/1.1')],
	['another method', 405, request('BREW /health HTTP/1.1')],
	['a method in lower case', 405, request('get /health HTTP/1.1')],
	['CONNECT', 501, request('CONNECT x:443 HTTP/1.1')],
	['a proxy request', 400, request('GET ftp://x/ HTTP/1.1')],
	['a long head', 431, request('GET /' . 'x' x 5000 . ' HTTP/1.1')],
	['many headers', 431, request("GET / HTTP/1.1" . "\r\nA: b" x 100)],
	(map { ["Content-Length: $_", 400,
	    request("POST /join HTTP/1.1\r\nContent-Length: $_")] }
	    'x', '-1', '+1', '1,1', '01', '0x1', ''),
	['two lengths', 400, request("POST /join HTTP/1.1\r\n"
	    . "Content-Length: 1\r\nContent-Length: 2")],
	['length and chunks', 400, request("POST /join HTTP/1.1\r\n"
	    . "Content-Length: 1\r\nTransfer-Encoding: chunked")],
	['chunks', 411, request("POST /join HTTP/1.1\r\n"
	    . "Transfer-Encoding: chunked")],
	['another coding', 400, request("POST /join HTTP/1.1\r\n"
	    . "Transfer-Encoding: gzip, chunked")],
	['a huge body', 413, request("POST /join HTTP/1.1\r\n"
	    . "Content-Length: 999999999999999999999999")],
	['another expectation', 417, request("POST /join HTTP/1.1\r\n"
	    . "Content-Length: 1\r\nExpect: gold")],
	['nothing here', 404, request("GET /'%20or%201=1 HTTP/1.1")],
	['a script', 404, request('GET /%3Cscript%3E HTTP/1.1')],
	(map { my ($name, $body) = @$_;
	    map { ["$_ with $name", 400, post($_, $body)] }
		'/join', '/hook/set-status' }
	    ['nothing', ''], ['no JSON', 'a=b&c=d'], ['half', '{"cwd":'],
	    ['an array', '[]'], ['a string', '"x"'], ['null', 'null'],
	    ['an empty object', '{}'], ['not UTF-8', "{\"cwd\":\"\xff\"}"],
	    ['depth', '[' x 30000], ['deep keys', '{"a":' x 9000],
	    ['many values', '[' . '0,' x 30000 . '0]']),
	(map { ["hook: $_", 400, post('/hook/set-status', $_)] }
	    '{"cwd":"/x","status":"asleep"}', '{"cwd":1,"status":"idle"}',
	    '{"cwd":"/x","status":"idle","pid":"one"}',
	    '{"cwd":"","status":"idle"}', '{"cwd":"a\u0000b","status":"idle"}',
	    '{"cwd":"/x","status":"idle","status":"dnd"}'),
	['hook: a token', 401, post('/hook/set-status',
	    '{"cwd":"/x","status":"idle"}',
	    "Authorization: Bearer ' or 1=1 --")],
	(map { ["token: $_->[0]", $_->[1], request('GET /v1/token HTTP/1.1'
	    . "\r\nAuthorization: Bearer $_->[2]")] }
	    ['SQL', 401, "' or 1=1 --"], ['empty', 401, ''],
	    ['bytes', 401, "wat_\xff\xc0\x80"], ['spaces', 401, '  x  y  '],
	    ['a format', 401, 'wat_%s%n%s%n'], ['long', 401, 'x' x 3000],
	    ['zeros', 401, 'wat_' . 'A' x 48], ['a control character', 400,
	    "wat_\x01"]),
	['token: two at once', 400, request('GET /v1/token HTTP/1.1'
	    . "\r\nAuthorization: Bearer x" x 2)],
	['token: another method', 405, request('DELETE /v1/token HTTP/1.1')],
	['token: a query', 404, request('GET /v1/token/x HTTP/1.1')],
	['hook: a long token', 413, post('/hook/set-status',
	    '{"cwd":"/y","status":"idle","token":"' . 'x' x 300 . '"}')],
);

for (@http) {
	my ($name, $status, $bytes) = @$_;
	$name = "http: $name";
	$rows++;
	my $io = $broker->tcp;
	$io->put($bytes);
	my $r = $io->answer('GET') or fail("$name: an answer"), next;
	is($r->{status}, $status, "$name: status") or diag($r->{body});
	like($r->{json}{code} // '', qr/^[a-z_]+$|^[A-Z_]+$/, "$name: code");
	like($r->{json}{message} // $r->{json}{error} // '', $sentence,
	    "$name: sentence");
	shows_nothing($r->{body}, $name);
}

# Messages before hello: [name, code, text].
my @early = (
	['nothing', 'malformed', ''],
	['no JSON', 'malformed', 'hello'],
	['an array', 'malformed', '[]'],
	['a number', 'malformed', '7'],
	['half an object', 'malformed', '{"type":"hello"'],
	['no type', 'malformed', '{"meshId":"x"}'],
	['another type', 'unknown_message_type', '{"type":"x"}'],
	['a hello of HTTP', 'unknown_message_type', '{"type":"join"}'],
	['send', 'no_hello', '{"type":"send"}'],
	['list_state', 'no_hello', '{"type":"list_state"}'],
);
{
	my $ws = $broker->ws;
	for (@early) {
		my ($name, $code, $text) = @$_;
		$name = "before hello: $name";
		$rows++;
		$ws->send_text($text);
		my $e = $ws->recv or fail("$name: an answer"), next;
		is($e->{type}, 'error', "$name: error");
		is($e->{code}, $code, "$name: code");
		like($e->{message}, $sentence, "$name: sentence");
		shows_nothing($json->encode($e), $name);
	}
	ok(!$ws->closed, 'before hello: the socket stays open');
}

# After hello: [code, what the sentence names, text of the message].
sub message {
	my ($type, %m) = @_;
	return $json->encode({ type => $type, %m });
}

sub send_with {
	my (%m) = @_;
	%m = (targetSpec => 'well', priority => 'now', nonce => '',
	    ciphertext => 'eA==', %m);
	delete @m{ grep { !defined $m{$_} } keys %m };
	return message('send', %m);
}

my @messages = (
	(map { ['malformed', '', $_] } '', ' ', 'x', '{', '{}', '[]', 'null',
	    '"list_peers"', '{"type"}', '{"type":}', '{"type":1}',
	    '{"type":null}', '{"type":["send"]}', '{type:"list_peers"}',
	    "{'type':'list_peers'}", '{"type":"list_peers"} x',
	    '{"type":"list_peers",}', '{"type":"list_peers"}{}',
	    '{"a":01,"type":"list_peers"}', '{"a":+1,"type":"list_peers"}',
	    '{"a":.5,"type":"list_peers"}', '{"a":NaN,"type":"list_peers"}',
	    '{"a":tru,"type":"list_peers"}', '{"a":"\x","type":"list_peers"}',
	    '{"a":"\u12","type":"list_peers"}', "{\"a\":\"\x01\",\"type\":1}",
	    "\xef\xbb\xbf{\"type\":\"list_peers\"}",
	    '{"type":"set_state","key":"k","value":' . '[' x 100
	    . ']' x 100 . '}', '[' x 200_000,
	    '{"type":"set_state","key":"k","value":[' . '0,' x 70000 . '0]}'),
	(map { ['unknown_message_type', '', $_] } '{"type":""}',
	    '{"type":"LIST_PEERS"}', '{"type":"list_peers "}',
	    '{"type":"' . 'x' x 300 . '"}', '{"type":"se\u0000nd"}',
    '{"type":"list_peers\u0000"}', '{"type":"send\u0000and more"}',
	    "{\"type\":\"'; drop table mesh; --\"}", '{"type":"join"}',
	    '{"type":"hook_set_status"}', '{"type":"%s%n"}'),
	(map { ['malformed', $_, send_with($_ => undef)] }
	    qw(targetSpec priority nonce ciphertext)),
	(map { ['malformed', 'targetSpec', send_with(targetSpec => $_)] }
	    5, {}, [], [5], [[]], [''], '', \1),
	['malformed', 'priority', send_with(priority => 'urgent')],
	['malformed', 'priority', send_with(priority => 1)],
	['malformed', 'nonce', send_with(nonce => 5)],
	['malformed', 'ciphertext', send_with(ciphertext => ['x'])],
	['malformed', 'ciphertext', send_with(ciphertext => "a\0b")],
	['malformed', 'id', send_with(id => 5)],
	['malformed', 'targetSpec',
	    '{"type":"send","targetSpec":"a","targetSpec":"b"}'],
	['too_big', 'nonce', send_with(nonce => 'x' x 2000)],
	['too_big', 'id', send_with(id => 'x' x 200)],
	['too_big', 'targetSpec', send_with(targetSpec => [(1) x 2000])],
	['too_big', 'targetSpec', send_with(targetSpec => 'x' x 5000)],
	['quota', 'targets', send_with(targetSpec => [('well') x 101])],
	(map { ['unknown_target', '', send_with(targetSpec => $_)] }
	    '@', '@nobody', "x') or ('1'='1", '0' x 64, '%s%n',
	    "a\nb", '*'x 2, '@all/x', "\x{202e}"),
	(map { ['not_found', '', send_with(targetSpec => $_)] }
	    '#channel', "#') or ('1'='1", '#' . '0' x 32),
	(map { ['malformed', 'messageId',
	    message('message_status', defined $_ ? (messageId => $_) : ())] }
	    undef, '', 'x' x 32, 5, '0' x 31),
	['not_found', '', message('message_status', messageId => '0' x 32)],
	['malformed', '', message('client_ack')],
	['malformed', 'messageId', message('client_ack', messageId => {})],
	(map { ['malformed', 'status',
	    message('set_status', defined $_ ? (status => $_) : ())] }
	    undef, '', 'away', 5, ['idle']),
	['malformed', 'summary', message('set_summary', summary => 5)],
	['too_big', 'summary', message('set_summary', summary => 'x' x 5000)],
	['malformed', 'all', message('list_peers', all => 'yes')],
	['malformed', 'group', message('list_peers', group => 5)],
	(map { ['malformed', '',
	    message('join_group', defined $_ ? (name => $_) : ())] }
	    undef, '', 5, '@x', 'a//b', '/', "a\nb"),
	['malformed', 'role', message('join_group', name => 'a', role => 5)],
	['too_big', 'name', message('join_group', name => 'x' x 200)],
	['malformed', 'name', message('leave_group')],
	['malformed', 'key', message('set_state', value => 1)],
	['malformed', 'value', message('set_state', key => 'k')],
	['malformed', 'key', message('set_state', key => '', value => 1)],
	['malformed', 'key', message('set_state', key => "a\0", value => 1)],
	['too_big', 'key', message('set_state', key => 'x' x 300, value => 1)],
	['malformed', 'key', message('get_state', key => [])],
	['malformed', 'twice', '{"type":"get_state","key":"a","key":"b"}'],
	['malformed', 'content', message('remember')],
	['malformed', 'tags', message('remember', content => 'x',
	    tags => 'x')],
	['malformed', 'tags', message('remember', content => 'x',
	    tags => [[]])],
	['too_big', 'tags', message('remember', content => 'x',
	    tags => ['x' x 5000])],
	['malformed', 'query', message('recall')],
	['malformed', 'limit', message('recall', query => 'x', limit => 0)],
	['malformed', 'limit', message('recall', query => 'x',
	    limit => 1e300)],
	['malformed', 'memoryId', message('forget', memoryId => "' or 1=1")],
	['already_hello', '', $json->encode(
	    (Linnet::Peer::hello($seed->{peerA}))[0])],
	['malformed', '', message('hello')],
);
my $ws = $broker->peer($seed->{peerA}, name => 'bad', session_key => 1)->ws;
for (@messages) {
	my ($code, $names, $text) = @$_;
	my $name = substr $text, 0, 60;
	$name =~ s/[^ -~]/?/g;
	$name = "message: $name";
	$rows++;
	$ws->send_text($text);
	my $e = $ws->wait_for(sub { ($_->{type} // '') ne 'push' }) or
	    fail("$name: an answer"), next;
	is($e->{code}, $code, "$name: code") or diag($json->encode($e));
	like($e->{message} // '', $sentence, "$name: sentence");
	like($e->{message} // '', qr/\b\Q$names\E\b/, "$name: names it")
	    if $names ne '';
	shows_nothing($json->encode($e) =~
	    s/\Q${\substr $json->encode($names), 1, -1}\E//gr, $name)
	    if $text !~ /%s/;
}
$ws->send_text('{"type":"list_peers"}');
ok($ws->wait_for('peers_list'), 'after all of them the session lives');

# Frames: [name, close code, opcode, bytes, options].
for (['not masked', 1002, 1, '{}', mask => 0],
    ['a reserved bit', 1002, 1, '{}', rsv => 2],
    ['a reserved opcode', 1002, 5, ''],
    ['half a ping', 1002, 9, '', fin => 0],
    ['a continuation', 1002, 0, 'x'],
    ['not UTF-8', 1007, 1, "\xff\xfe"],
    ['too big', 1009, 1, ' ' x 300_000],
    ['too big, it says', 1009, 1, ' ', length => 2 ** 50],
    ['a close with a wrong code', 1002, 8, pack 'n', 999],
    ['a close without UTF-8', 1007, 8, pack('n', 1000) . "\xc0"]) {
	my ($name, $code, $op, $bytes, %o) = @$_;
	$rows++;
	my $p = $broker->peer($seed->{peerA}, session_key => 1);
	$p->ws->send_frame($op, $bytes, %o);
	my $c = $p->wait_close;
	is($c && $c->{code}, $code, "frame: $name: close code");
	shows_nothing($c && $c->{reason}, "frame: $name");
	ok($p->ws->wait_eof, "frame: $name: the end");
}

# Command lines: [status, what is said, program, arguments].
my $dir = scratch();
my $n = 0;

sub file {
	my ($text) = @_;
	my $f = "$dir/f" . $n++;
	open my $fh, '>', $f or die "$f: $!";
	binmode $fh;
	print $fh $text;
	close $fh;
	return $f;
}

sub refuses {
	my ($status, $like, $program, @args) = @_;
	my $name = join ' ', $program, map { s/\Q$dir\E\///gr
	    =~ s/[^ -~]/?/gr } @args;
	$name = substr($name, 0, 70);
	$rows++;
	my ($st, $out, $err) = run([$broker->program($program), @args],
	    timeout => 30);
	is($st, $status, "$name: status") or diag($err);
	like($err, $like, "$name: says so");
	like($err, $sentence, "$name: sentence");
	# What the caller typed is no news to it.
	$err =~ s/\Q$dir\E|^\Q$Linnet::Guard::builddir\E//gm;
	shows_nothing($err, $name);
	return;
}

refuses(64, qr/^usage: linnetd/m, 'linnetd', @$_)
    for ['-Z'], ['extra'], ['-o'], ['-c'], ['-x', 'nonsense'], ['--help'];
refuses(78, $_->[1], 'linnetd', '-t', '-o', $_->[0]) for (
	['workerz 2', qr/did you mean "workers"/],
	['frame 1', qr/no option "frame"/],
	['workers', qr/workers has no value/],
	['', qr/give one "option value"/],
	['workers 1 2', qr/takes one value/],
	['workers many', qr/workers "many"/],
	['workers -1', qr/workers "-1".*0 to 60/],
	['workers 61', qr/workers "61".*0 to 60/],
	['workers 99999999999999999999', qr/workers/],
	['workers 1; workers 2', qr/give one "option value"/],
	['limit { head 1k }', qr/give one "option value"/],
	["workers 1\nworkers 2", qr/control character/],
	['limit.head 1', qr/limit\.head "1".*1k/],
	['limit.head 8q', qr/limit\.head "8q"/],
	['mesh.ack_time 50ms', qr/mesh\.ack_time/],
	['mesh.ack_time 5parsec', qr/mesh\.ack_time/],
	['hook.loopback maybe', qr/neither yes nor no/],
	['log.level loud', qr/log\.level is not error, warn/],
	['state_dir relative', qr/state_dir does not begin/],
	['state_dir ""', qr/state_dir/],
	['state_dir /' . 'x' x 200, qr/state_dir is longer/],
	['database mysql', qr/database is neither/],
	['listen nonsense', qr/listen "nonsense"/],
	['listen 127.0.0.1:99999', qr/listen/],
	['listen unix:relative', qr/unix:\//],
	['listen ""', qr/listen has no address/],
	['http.origin https://x/', qr/no origin/],
	['limit.ping_time 80s', qr/limit\.ping_time/],
	['limit.message 2m', qr/limit\.message is greater/],
	['mesh.join_url http://x', qr/mesh\.join_url/],
	['include /etc/passwd', qr/no option "include"/],
	["workers \"1", qr/quote/],
	["workers \xff", qr/UTF-8/],
);
refuses(78, $_->[1], 'linnetd', '-t', '-c', file($_->[0])) for (
	["\n\n  workerz 2\n", qr/f\d+:3:3: .*did you mean "workers"/],
	["workers 1\nworkers 2\n", qr/:2:1: workers was given before/],
	["limit {\n\tworkers 2\n}\n", qr/:2:2: /],
	["limit {\n\thead 8k\n", qr/:1:1: the block .* is not closed/],
	["}\n", qr/:1:1: this "\}" closes no block/],
	["{ }\n", qr/:1:1: there is no name/],
	["nothing { }\n", qr/no block "nothing"/],
	["state_dir \"/x\n", qr/:1:11: the quote/],
	["state_dir \"a\\q\"\n", qr/backslash/],
	["include nowhere.conf\n", qr/:1:9: there is no file/],
	["include\n", qr/include takes/],
	["workers\0 2\n", qr/:1:8: there is a NUL/],
	["work\x1bers 2\n", qr/control character/],
	["# " . 'x' x 5000 . "\n", qr/longer than 4096/],
	["\xff\xfe\n", qr/UTF-8/],
	['x' x 2_000_000, qr/larger than/],
	["listen a b c d e f g h i j k l m n o p q\n", qr/too many/],
);
my $loop = "$dir/loop";
symlink $loop, $loop;
my $self = file('');
{
	open my $fh, '>', $self or die $!;
	print $fh "include $self\n";
}
refuses(78, $_->[1], 'linnetd', '-t', '-c', $_->[0]) for (
	["$dir/nowhere", qr/No such file/],
	[$dir, qr/directory/],
	['/dev/zero', qr/larger than/],
	['/bin/sh', qr/not UTF-8|NUL|control|larger than/],
	[$loop, qr/symbolic links/],
	[$self, qr/includes itself/],
);
refuses(78, qr/No such file/, 'linnetctl', '-c', "$dir/nowhere", 'status');

# A daemon that cannot start says why and ends.
for (['a file as state_dir', "state_dir " . file('x')],
    ['a state_dir that cannot be made', 'state_dir /proc/nowhere/x'],
    ['an address in use', "state_dir $dir/s1", 'listen '
	. $broker->address],
    ['an address of another', "state_dir $dir/s2", 'listen 192.0.2.1:1'],
    ['a directory of files that cannot be made', "state_dir $dir/s4",
	'files.dir /proc/nowhere/x', 'listen 127.0.0.1:0'],
    (map { my $o = $_; ["files in S3: @$o", "state_dir $dir/s5",
	'files.store s3', 'listen 127.0.0.1:0', @$o] }
	['files.s3_endpoint ftp://x', 'files.s3_key_file /k'],
	['files.s3_endpoint https://', 'files.s3_key_file /k'],
	['files.s3_endpoint https://x/y', 'files.s3_key_file /k'],
	['files.s3_endpoint https://x@y', 'files.s3_key_file /k'],
	['files.s3_endpoint https://x'],
	['files.s3_endpoint https://x', 'files.s3_key_file k'],
	['files.s3_endpoint https://x', 'files.s3_key_file /k',
	    'files.s3_bucket a/b'],
	['files.s3_endpoint https://x', 'files.s3_key_file /k',
	    'files.s3_region "a b"']),
    ['a PostgreSQL that is none', "state_dir $dir/s3",
	"postgres_bin $dir", 'listen 127.0.0.1:0']) {
	my ($name, @options) = @$_;
	$rows++;
	my ($st, $out, $err) = run([$broker->program('linnetd'), '-f',
	    map { ('-o', $_) } @options], timeout => 60);
	isnt($st, 0, "start: $name: status");
	cmp_ok($st, '<', 128, "start: $name: no signal");
	like($err, $sentence, "start: $name: sentence");
	unlike($out, qr/listening/, "start: $name: it does not serve");
}
for my $role (qw(worker relay jobs files)) {
	$rows++;
	my ($st, $out, $err) = run([$broker->program('linnetd'), '-x', $role],
	    timeout => 30);
	isnt($st, 0, "linnetd -x $role by hand: status");
	cmp_ok($st, '<', 128, "linnetd -x $role by hand: no signal");
	like($err, $sentence, "linnetd -x $role by hand: sentence");
}

my @here = ('-o', 'state_dir ' . $broker->dir);
refuses(64, $_->[1], 'linnetctl', @here, @{ $_->[0] }) for (
	[[], qr/^usage: linnetctl/m],
	[['stats'], qr/did you mean "status"/],
	[['mesh'], qr/mesh wants one more word: create, list/],
	[['mesh', 'creat'], qr/did you mean "mesh create"/],
	[['frobnicate'], qr/no command "frobnicate"/],
	[['--frob', 'status'], qr/frob/],
	[['status', 'more'], qr/usage: linnetctl status/],
	[['mesh', 'create'], qr/usage: linnetctl mesh create mesh/],
	[['mesh', 'create', 'a', 'b'], qr/usage/],
	[['invite', 'create'], qr/usage: linnetctl invite create mesh/],
	(map { [['invite', 'create', $seed->{slug}, @$_], qr/$_->[0]/] }
	    ['--uses', '0'], ['--uses', 'x'], ['--uses', '-1'],
	    ['--uses', '99999999999999'], ['--expires', 'soon'],
	    ['--expires', '0s'], ['--role', 'king']),
	[['token', 'create', $seed->{slug}], qr/usage: linnetctl token create/],
	[['token', 'revoke', "' or 1=1 --"], qr/by its id/],
	(map { [['token', 'create', $seed->{slug}, 'peer-a', @$_],
	    qr/$_->[0]/] } ['--scopes', ''], ['--scopes', 'x' x 5000],
	    ['--scopes', "' or 1=1 --"], ['--expires', '0s'],
	    ['--expires', 'never'], ['--expires', '99999d']),
);
refuses($_->[0], $_->[1], 'linnetctl', @here, @{ $_->[2] }) for (
	[65, qr/no short name/, ['mesh', 'create', 'Big Mesh']],
	[65, qr/no short name/, ['mesh', 'create', '']],
	[65, qr/no short name/, ['mesh', 'create', "x'; drop table mesh"]],
	[65, qr/no short name/, ['mesh', 'create', 'x' x 65]],
	[65, qr/no name/, ['mesh', 'create', 'x', '--name', "a\nb"]],
	[65, qr/UTF-8/, ['mesh', 'create', 'x', '--name', "\xff"]],
	[65, qr/already/, ['mesh', 'create', $seed->{slug}]],
	[66, qr/no mesh "nowhere"/, ['invite', 'create', 'nowhere']],
	[66, qr/no mesh "nowhere"/, ['member', 'list', 'nowhere']],
	[66, qr/no mesh/, ['member', 'list', "' or 1=1 --"]],
	[66, qr/nowhere/, ['invite', 'create', $seed->{slug},
	    '--owner-key', "$dir/nowhere"]],
	[65, qr/no secret key/, ['invite', 'create', $seed->{slug},
	    '--owner-key', file('not a key')]],
	[77, qr/not the key of the owner/, ['invite', 'create', $seed->{slug},
	    '--owner-key', file($seed->{peerA}{secretKey})]],
	[78, qr/did you mean/, ['-o', 'stat_dir /x', 'status']],
);
refuses(69, qr/$_->[1]/, 'linnetctl', '-o', "state_dir $dir/nobody",
    @{ $_->[0] }) for (
	[['status'], 'no linnetd runs'], [['reload'], 'no linnetd runs'],
	[['mesh', 'list'], 'no linnetd runs']);

cmp_ok($rows, '>=', 60, "$rows bad inputs");

# After all of this the others are well.
is(join(' ', $broker->pids), join(' ', @pids), 'no process died');
is($good->send(to => $well->key, text => 'still here')->{type}, 'ack',
    'who behaves is served');
is($well->expect_push->{text}, 'still here', 'and heard');
is($good->request({ type => 'set_state', key => 'k', value => 1 })->{version},
    1, 'state is as before: nothing bad was stored');
my $late = $broker->peer($seed->{peerA}, name => 'late', session_key => 1);
is(join(' ', sort grep { /good|well|late/ } map { $_->{displayName} } @{
    $late->request({ type => 'list_peers' })->{peers} }), 'good late well',
    'and newcomers are welcome');
is($broker->http(GET => '/health')->{status}, 200, 'health');
is($broker->stop, 0, 'stopped');
done_testing;
