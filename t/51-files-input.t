#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Bad input for files, one row for each: what is shared, uploads and downloads,
# heads and bodies.  Each gets its status and a sentence, the connection goes on
# or ends in order, and nothing is stored.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA 'sha256_hex';
use Encode 'encode_utf8';
use File::Find ();
use Linnet qw(wait_until);
use Linnet::Http;
use Test::More;

my $b = Linnet->broker(workers => 1, options => ['rate.requests 0',
    'rate.refused 0', 'limit.file_bytes 1m', 'files.member_transfers 0',
    'limit.write_time 1s']);
my $s = $b->seed;
my $alice = $b->peer($s->{peerA}, name => 'alice');
my $bob = $b->peer($s->{peerB}, name => 'bob');
my $token = ask($alice, 'create_token')->{token};
my $weak = ask($alice, 'create_token', scopes => ['files:read'])->{token};
my $rows = 0;

sub ask {
	my ($p, $type, %o) = @_;
	return $p->request({ type => $type, %o });
}

sub link_for {
	my ($size, %o) = @_;
	my $r = ask($alice, 'share_file', name => 'f', size => $size, %o);
	return ($r->{url}, $r->{fileId});
}

sub stored {
	my $n = 0;
	File::Find::find({ no_chdir => 1, wanted => sub { $n++ if -f } },
	    "$b->{dir}/files") if -d "$b->{dir}/files";
	return $n;
}

sub escaped {
	my ($text) = @_;
	my $bytes = utf8::is_utf8($text) ? encode_utf8($text) : $text;
	return $bytes =~ s/([^A-Za-z0-9._-])/sprintf '%%%02X', ord $1/ger;
}

# A file that is there, and how to get it.
sub there {
	my ($bytes, %o) = @_;
	my ($url, $file) = link_for(length $bytes, %o);
	my $r = $b->http('PUT', $url, {}, $bytes);
	die "$r->{status} $r->{body}" if $r->{status} != 201;
	return (ask($bob, 'get_file', fileId => $file)->{url}, $file);
}

# Whatever the answer was: the connection serves the next request, or it ends.
sub is_sane {
	my ($io, $r, $method) = @_;
	if (($r->{headers}{connection} // '') =~ /close/i) {
		return $io->wait_eof(10) && $io->{in} eq '';
	}
	my $next = $io->exchange('GET', '/livez');
	return $next && $next->{status} == 200;
}

# Sends the bytes, and reads what comes.
sub row {
	my ($what, $bytes, $status, $says, $method) = @_;
	my $io = $b->tcp;
	$rows++;
	$method //= ($bytes =~ /\A(\S+)/)[0];
	$io->put($bytes);
	my $r = $io->answer($method, 10) // { status => 'none', headers => {} };
	my $good = $r->{status} eq $status;
	my $text = $r->{json}{message} // $r->{json}{error} // $r->{body} // '';
	$good &&= $text =~ $says if defined $says;
	$good &&= $text =~ /\.\s*\z|: linnet [^.]+\z/ if $status >= 400 && $status != 416
	    && $status != 412 && $method ne 'HEAD';
	ok($good && is_sane($io, $r, $method), "$what: $status")
	    or diag explain [$r, $io->{eof}];
	$io->drop;
	return $r;
}

sub req {
	my ($method, $target, @rest) = @_;
	return Linnet::Http::request($method, $target, @rest) . '';
}

my %auth = (Authorization => "Bearer $token");
my $S = "\x{1F4CE}";

# share_file: name, tags, sizes and digests.
subtest 'what is shared' => sub {
	my @bad = (
		['no name', 'malformed', size => 1],
		(map { [sprintf('control character U+%04X', $_), 'malformed',
		    name => 'a' . chr($_) . 'b', size => 1] }
		    0 .. 0x1f, 0x7f .. 0x9f),
		['a name of 256 bytes', 'too_big', name => 'a' x 256, size => 1],
		['a name of 86 signs of 3 bytes', 'too_big',
		    name => "\x{20AC}" x 86, size => 1],
		['a name that is a number', 'malformed', name => 5, size => 1],
		['a name that is a list', 'malformed', name => ['a'], size => 1],
		['a name that is null', 'malformed', name => undef, size => 1],
		['an empty name', 'malformed', name => '', size => 1],
		(map { ["size $_->[0]", $_->[1], name => 'a', size => $_->[2]] }
		    ['negative', 'malformed', -1],
		    ['a fraction', 'malformed', 1.5],
		    ['a text', 'malformed', 'ten'],
		    ['one too many', 'too_big', (1 << 20) + 1],
		    ['a petabyte', 'too_big', 1 << 50],
		    ['more than that', 'malformed', (1 << 50) + 1],
		    ['that overflows', 'malformed', 1e30],
		    ['true', 'malformed', Cpanel::JSON::XS::true()]),
		(map { ["tags $_->[0]", $_->[1], name => 'a', size => 1,
		    tags => $_->[2]] }
		    ['that are a text', 'malformed', 'a'],
		    ['of numbers', 'malformed', [1]],
		    ['33 of them', 'too_big', [('a') x 33]],
		    ['one empty', 'malformed', ['a', '']],
		    ['one of 129 bytes', 'malformed', ['a' x 129]],
		    ['one of 100,000 bytes', 'too_big', ['a' x 100000]],
		    ['one with a line end', 'malformed', ["a\nb"]],
		    ['one with NUL', 'malformed', ["a\0b"]]),
		(map { ["sha256 $_->[0]", $_->[1], name => 'a', size => 1,
		    sha256 => $_->[2]] }
		    ['of 63 digits', 'malformed', 'a' x 63],
		    ['of 65 digits', 'too_big', 'a' x 65],
		    ['of other letters', 'malformed', 'g' x 64],
		    ['of a number', 'malformed', 5]),
		(map { ["mimeType $_", 'malformed', name => 'a', size => 1,
		    mimeType => $_] } 'text', '/', 'text/', '/plain', 'a/b/c',
		    "text/plain\r\nX-Evil: 1", "text/\x{e9}", 'a/b, c/d',
		    "text/plain\0"),
		['mimeType of 128 bytes', 'too_big', name => 'a', size => 1,
		    mimeType => 'a/' . 'b' x 126],
		['attachment maybe', 'malformed', name => 'a', size => 1,
		    attachment => 'maybe'],
	);
	my $before = $b->psql('select count(*) from file');
	for (@bad) {
		my ($what, $code, %o) = @$_;
		my $r = ask($alice, 'share_file', %o);
		$rows++;
		ok($r->{type} eq 'error' && $r->{code} =~ /\A$code\z/
		    && $r->{message} =~ /\.\z/, $what)
		    or diag explain $r;
	}
	is($b->psql('select count(*) from file'), $before, 'no row is made');
};

# Names that are odd, and fine: they are data, and lead nowhere.
subtest 'names' => sub {
	for my $name ('..', '.', '...', '../../etc/passwd', '/etc/passwd',
	    '..\\..\\boot.ini', 'C:\\x', 'a/b', '.bashrc', '-rf', '~root', 'CON',
	    'a b', ' ', 'a;b', 'a"b', "a'b", 'a%00b', '%2e%2e%2f', 'a=b&c=d',
	    "\x{202E}txt.exe", "\x{2066}x\x{2069}", "e\x{301}", "\x{FEFF}bom",
	    "a\x{2028}b", "\x{200B}", "\x{FFFD}", "\x{10FFFF}", $S x 63,
	    'x' x 255, '名前.txt', 'ملف', "\x{1F468}\x{200D}\x{1F469}",
	    '<script>', '*', '?', '|', '#', 'a?b', 'a\\"b', '$(id)', '`id`') {
		my ($url, $file) = there('x', name => $name,
		    mimeType => 'text/html');
		my $shown = substr escaped($name), 0, 40;
		$rows++;
		my $u = ask($bob, 'get_file', fileId => $file);
		my $r = $b->http('GET', $url);
		my $h = $r->{headers}{'content-disposition'};
		my ($plain, $star) = $h =~
		    /\Aattachment; filename="([ !#-\[\]-~]*)"; filename\*=UTF-8''([!#\$&+.^_`|~\w%-]*)\z/;
		ok($u->{name} eq $name && $r->{status} == 200
		    && defined $plain && $plain !~ m{[/\\:%]|\A\.+\z}
		    && ($name =~ /\A\.+\z/ || $star =~ s/%(..)/chr hex $1/ger
			eq encode_utf8($name))
		    && $r->{headers}{'x-content-type-options'} eq 'nosniff'
		    && $r->{headers}{'content-security-policy'} =~ /sandbox/,
		    "$shown is data") or diag explain [$u, $r];
	}
};

# POST: a token, and a head that says what comes.
subtest 'POST' => sub {
	my $have = stored();
	my $files = $b->psql('select count(*) from file where state = 2');
	my @head = (
		['no token', {}, 401],
		(map { [$_->[0], { Authorization => $_->[1] }, $_->[2] // 401] }
		    ['Basic', 'Basic YTpi'], ['an empty one', 'Bearer '],
		    ['half a token', substr "Bearer $token", 0, 30],
		    ['a mistyped one', "Bearer $token" =~ s/.\z/!/r],
		    ['one in other words', "Token $token"],
		    ['two', "Bearer $token, Bearer $token"],
		    ['one that may not', "Bearer $weak", 403]),
	);
	row("token: $_->[0]", req('POST', '/v1/files?name=a', $_->[1], 'x'),
	    $_->[2]) for @head;
	my @query = (
		['no name', ''], ['an empty name', 'name='],
		['a name of 256 bytes', 'name=' . 'a' x 256],
		['a name of 5000 bytes', 'name=' . 'a' x 5000],
		(map { ["a name with $_", "name=a${_}b"] } '%00', '%0A', '%0D',
		    '%1F', '%7F', '%C2%85', '%80', '%FF', '%C0%AF',
		    '%ED%A0%80', '%F5%80%80%80', '%E2%82', '%zz', '%4&x='),
		['33 tags', 'name=a&tags=' . join ',', 1 .. 33],
		['a tag of 129 bytes', 'name=a&tags=' . 'a' x 129],
		['tags of 5000 bytes', 'name=a&tags=' . 'a,' x 2500],
		(map { ["a tag with $_", "name=a&tags=a${_}b"] } '%00', '%0A',
		    '%FF', '%zz'),
		(map { ["sha256 $_", "name=a&sha256=$_"] } '', 'a' x 63,
		    'a' x 65, 'g' x 64, '%00' x 64),
		(map { ["attachment $_", "name=a&attachment=$_"] } '', 'yes',
		    '1', 'TRUE', 'true%00', '%zz'),
	);
	row("query: $_->[0]", req('POST', "/v1/files?$_->[1]", \%auth, 'x'),
	    400) for @query;
	row("headers: $_->[0]", req('POST', '/upload', { %auth,
	    'X-File-Name' => 'a', @$_[1 .. $#$_] }, 'x'), 400)
	    for ['X-Persistent: no', 'X-Persistent' => 'no'],
	    ['X-Persistent: 0', 'X-Persistent' => '0'],
	    ['33 tags', 'X-Tags' => join ',', 1 .. 33],
	    ['no media type', 'Content-Type' => 'text'],
	    ['a long media type', 'Content-Type' => 'a/' . 'b' x 200],
	    ['Content-Range', 'Content-Range' => 'bytes 0-0/2'];
	row("Content-Encoding: $_", req('POST', '/v1/files?name=a', { %auth,
	    'Content-Encoding' => $_ }, 'x'), 415) for qw(gzip br x aws-chunked);
	row('no length', "POST /v1/files?name=a HTTP/1.1\r\nHost: a\r\n"
	    . "Authorization: Bearer $token\r\n\r\n", 411);
	row('no length, HTTP/1.0', "POST /v1/files?name=a HTTP/1.0\r\n"
	    . "Authorization: Bearer $token\r\n\r\n", 411);
	row('more than a file may have', req('POST', '/v1/files?name=a',
	    { %auth, 'Content-Length' => (1 << 20) + 1 }) . 'x', 413);
	row('another SHA-256', req('POST', '/v1/files?name=a&sha256='
	    . 'a' x 64, \%auth, 'x'), 400, qr/another SHA-256/);
	row('more than a file may have, in chunks', req('POST',
	    '/v1/files?name=a', { %auth, 'Transfer-Encoding' => 'chunked' })
	    . sprintf("%x\r\n", 0x100001) . 'x' x 0x100001 . "\r\n0\r\n\r\n",
	    413);
	row("$_ /v1/files", req($_, '/v1/files', \%auth), 405)
	    for qw(PUT DELETE PATCH);
	ok((wait_until { stored() == $have } 10), 'nothing is stored');
	is($b->psql('select count(*) from file where state = 2'), $files,
	    'no file is there');
};

# Heads that no two readers would read alike, of a PUT.
subtest 'heads' => sub {
	my ($url, $file) = link_for(5);
	my $have = stored();
	my $put = "PUT $url HTTP/1.1\r\nHost: a\r\n";
	my @length = ('-1', '+5', '5.0', '0x5', '05', ' ', '5,5', '5 5', '5a',
	    '9' x 30, "\x{661}", '1e1');
	row("Content-Length: $_", $put . encode_utf8("Content-Length: $_")
	    . "\r\n\r\nhello", $_ eq '9' x 30 ? 413 : 400) for @length;
	row($_->[0], "$put$_->[1]\r\n", $_->[2] // 400) for (
		['Content-Length twice',
		    "Content-Length: 5\r\nContent-Length: 5\r\n"],
		['Content-Length twice, others',
		    "Content-Length: 5\r\nContent-Length: 6\r\n"],
		['chunks and a length',
		    "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"],
		['a length and chunks',
		    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"],
		['chunks twice', "Transfer-Encoding: chunked\r\n"
		    . "Transfer-Encoding: chunked\r\n"],
		(map { ["Transfer-Encoding: $_", "Transfer-Encoding: $_\r\n"] }
		    'gzip', 'identity', 'gzip, chunked', 'chunked, gzip',
		    'xchunked', 'chunked;q=1', "\x0bchunked"),
		['a space before the colon', "Content-Length : 5\r\n"],
		['a folded line', "X: a\r\n b\r\nContent-Length: 5\r\n"],
		['no colon', "Content-Length\r\n"],
		['NUL', "X: a\0b\r\nContent-Length: 5\r\n"],
		['Expect: something', "Content-Length: 5\r\nExpect: more\r\n",
		    417],
		['a head of 9 KiB', 'X: ' . 'a' x 9216 . "\r\n", 431],
		['no length', '', 411],
		['Content-Range',
		    "Content-Length: 5\r\nContent-Range: bytes 0-4/5\r\n"],
		['gzip', "Content-Length: 5\r\nContent-Encoding: gzip\r\n", 415],
	);
	row('chunks of HTTP/1.0', "PUT $url HTTP/1.0\r\n"
	    . "Transfer-Encoding: chunked\r\n\r\n", 400);
	row('no Host', "PUT $url HTTP/1.1\r\nContent-Length: 5\r\n\r\n", 400);
	row('HTTP/2.0', "PUT $url HTTP/2.0\r\nHost: a\r\n\r\n", 505);
	my $chunks = $put . "Transfer-Encoding: chunked\r\n\r\n";
	row("chunk: $_->[0]", $chunks . $_->[1], 400) for (
		['no digits', "\r\n"], ['letters', "xyz\r\n"],
		['a sign', "-5\r\n"], ['a prefix', "0x5\r\n"],
		['17 digits', '0' x 16 . "5\r\n"],
		['that overflows', 'f' x 16 . "\r\n"],
		['a lone LF', "5\nhello"], ['a lone CR', "5\rhello"],
		['too long for its size', "5\r\nhello!\r\n0\r\n\r\n"],
		['no CRLF behind it', "5\r\nhelloXX0\r\n\r\n"],
		['a long extension', '5;' . 'a' x 300 . "\r\nhello\r\n"],
		['NUL in an extension', "5;a\0\r\nhello\r\n"],
		['a bad trailer', "5\r\nhello\r\n0\r\nX: a\0\r\n\r\n"],
		['trailers without end', "5\r\nhello\r\n0\r\n"
		    . "X: aaaaaaaaaaaaaaaaaaaa\r\n" x 500],
	);
	row('a byte too many', req('PUT', $url, {}, 'hello!'), 413);
	row('a byte too many, in chunks', $chunks
	    . "6\r\nhello!\r\n0\r\n\r\n", 413);
	is($b->psql("select state from file where id = '$file'"), 0,
	    'the link is still good') if wait_until {
		$b->psql("select state from file where id = '$file'") == 0 } 10;
	ok((wait_until { stored() == $have } 10), 'nothing is stored');
	my $r = row('Expect of HTTP/1.0 means nothing', "PUT $url HTTP/1.0\r\n"
	    . "Expect: 100-continue\r\nConnection: keep-alive\r\n"
	    . "Content-Length: 5\r\n\r\nhello", 201, undef, 'PUT');
	is($r->{json}{sha256}, sha256_hex('hello'), 'and it is used');
};

# Bodies that end too early, come too slowly, or have something behind them.
subtest 'bodies' => sub {
	my ($url, $file) = link_for(5);
	my $have = stored();
	my $is_waiting = sub { (wait_until {
		$b->psql("select state from file where id = '$file'") eq '0'
		    && stored() == $have } 10) };
	for (['closed', 'drop'], ['reset', 'reset']) {
		my ($what, $how) = @$_;
		my $io = $b->tcp;
		$io->put(req('PUT', $url, { 'Content-Length' => 5 }) . 'hel');
		wait_until { $b->psql("select state from file
		    where id = '$file'") == 1 } 10;
		$io->$how;
		$rows++;
		ok($is_waiting->(), "$what in the middle: nothing is kept");
	}
	for my $head (['Content-Length' => 5], ['Transfer-Encoding' =>
	    'chunked']) {
		my $io = $b->tcp;
		$io->put(req('PUT', $url, { @$head })
		    . ($head->[1] eq '5' ? 'hel' : "3\r\nhel\r\n"));
		my $r = $io->answer('PUT', 15);
		$rows++;
		is($r->{status}, 408, "$head->[0]: it stops: 408");
		ok($io->wait_eof(10), 'and the connection ends');
		ok($is_waiting->(), 'nothing is kept');
	}
	# Half of a body, and then the end of what is sent.
	my $io = $b->tcp;
	$io->put(req('PUT', $url, { 'Content-Length' => 5 }) . 'hel');
	wait_until { $io->{out} eq '' } 5;
	shutdown $io->{fh}, 1;
	$rows++;
	ok($io->wait_eof(10), 'half closed: the connection ends');
	ok($is_waiting->(), 'and nothing is kept');
	# A request behind an upload, in the same packet.
	$io = $b->tcp;
	$io->put(req('PUT', $url, {}, 'hello') . req('GET', '/livez')
	    . req('PUT', $url, {}, 'again') . req('GET', '/readyz'));
	$rows++;
	is(join(' ', map { ($io->answer($_) // {})->{status} // 'none' }
	    qw(PUT GET PUT GET)), '201 200 409 none',
	    'pipelined: each its answer, up to one whose body is not read');
	# A refused upload, with a request in its bytes.
	my ($next) = link_for(5);
	$io = $b->tcp;
	$io->put(req('PUT', $next =~ s/sig=./sig=x/r, {},
	    'x' x 100 . req('GET', '/livez')));
	$rows++;
	is($io->answer('PUT')->{status}, 403, 'refused with its bytes unread');
	ok($io->wait_eof(10) && $io->{in} eq '',
	    'and nothing in them is taken for a request');
	$b->http('PUT', $next, {}, '01234');
};

# Links that are not what was made.
subtest 'links' => sub {
	my ($put, $file) = link_for(5);
	my ($get, $other) = there('hello');
	for (['GET', $get, 'get_file'], ['HEAD', $get], ['PUT', $put,
	    'share_file']) {
		my ($method, $url, $says) = @$_;
		my $body = $method eq 'PUT' ? 'hello' : undef;
		my %bad;
		for my $key (qw(mesh member until sig)) {
			my ($value) = $url =~ /\b$key=([^&]*)/;
			$bad{"no $key"} = $url =~ s/\b$key=[^&]*&?//r;
			$bad{"an empty $key"} = $url =~ s/\b$key=[^&]*/$key=/r;
			$bad{"another $key"} =
			    $url =~ s/\b$key=\K./{ $& eq '1' ? '2' : '1' }/er;
			$bad{"a longer $key"} = $url =~ s/\b$key=[^&]*\K/0/r;
			$bad{"$key that is escaped badly"} =
			    $url =~ s/\b$key=[^&]*/$key=%zz/r;
		}
		$bad{'upper case'} = $url =~ s/sig=\K(\w+)/\U$1/r;
		$bad{'a token beside it'} = "$url&token=" . 'a' x 32;
		$bad{'another way'} = $method eq 'PUT' ? $get : $put;
		$bad{'no query'} = $url =~ s/\?.*//r;
		$bad{'of another file'} =
		    $url =~ s{files/\w+}{'files/' . 'f' x 32}er;
		for my $what (sort keys %bad) {
			next if $bad{$what} eq $url;
			row("$method, $what", req($method, $bad{$what}, {},
			    $body), 403, $says ? qr/$says/ : undef);
		}
	}
	row("/v1/files/$_", req('GET', "/v1/files/$_"), $_ eq '' ? 404 : 401)
	    for '', 'x', 'f' x 31, 'f' x 33, 'f' x 32 . 'x';
	row("/v1/files/$_", req('GET', "/v1/files/$_"), 400) for '../',
	    '%2e%2e', '%zz', 'f' x 32 . '/..';
	row('without its query', req('GET', '/v1/files/' . 'F' x 32 . '/a'),
	    403);
	row("$_ with a link", req($_, $get), 405) for qw(DELETE PATCH TRACE);
	# Its time is over: the signature is right for another time.
	$b->psql("update file set expires_at = now() - interval '1 s',
	    attached = true where id = '$other'");
	row('a file that is over', req('GET', $get), 404);
	is($b->psql("select state from file where id = '$file'"), 0,
	    'none was used');
};

# Ranges and conditions.
subtest 'ranges' => sub {
	my $bytes = join '', 'a' .. 'z';
	my $tag = '"' . sha256_hex($bytes) . '"';
	my ($url) = there($bytes);
	my $want = sub {
		my ($what, $headers, $status, $body, $range) = @_;
		my $r = row($what, req('GET', $url, $headers), $status, undef,
		    'GET');
		is($r->{body}, $body, 'those bytes') if defined $body;
		is($r->{headers}{'content-range'}, $range, 'which')
		    if defined $range;
	};
	$want->("Range: $_", { Range => $_ }, 200, $bytes) for '', 'bytes',
	    'bytes=', 'bytes=-', 'bytes=a-b', 'bytes=5', 'bytes=5-4', 'bytes=--5',
	    'bytes=+1-2', 'bytes=1-2-3', 'bytes= 1-2', 'bytes=1 -2', 'bytes=1-b',
	    'lines=1-2', 'bytes=0x1-2', 'bytes=1.0-2', 'bytes 1-2',
	    'bytes=0-1,3-4', 'bytes=0-,0-,0-', 'bytes=0-4,2-6', 'bytes=,',
	    'bytes=' . join(',', map { "$_-$_" } 0 .. 500),
	    "bytes=1-\x{feff}2" =~ s/[^ -~]/\xff/r;
	$want->("Range: $_", { Range => $_ }, 416, '', 'bytes */26') for
	    'bytes=26-', 'bytes=26-30', 'bytes=-0', 'bytes=999999999999999999-',
	    'bytes=99999999999999999999999999-', 'bytes=18446744073709551616-';
	for (['0-0', 0, 1], ['25-', 25, 1], ['25-25', 25, 1], ['0-', 0, 26],
	    ['-1', 25, 1], ['-26', 0, 26], ['-27', 0, 26],
	    ['-99999999999999999999999', 0, 26],
	    ['3-99999999999999999999999', 3, 23], ['007-8', 7, 2]) {
		my ($range, $from, $n) = @$_;
		$want->("Range: $range", { Range => "bytes=$range" },
		    $n == 26 ? qr/20[06]/ : 206, substr($bytes, $from, $n))
		    if $n != 26;
		my $r = $b->http('GET', $url, { Range => "bytes=$range" });
		is($r->{body}, substr($bytes, $from, $n), "$range: the bytes");
	}
	my %range = (Range => 'bytes=1-2');
	$want->('If-Range, the same', { %range, 'If-Range' => $tag }, 206,
	    'bc');
	$want->("If-Range: $_", { %range, 'If-Range' => $_ }, 200, $bytes)
	    for '', '"x"', "W/$tag", $tag =~ tr/"//dr, "$tag, $tag", '*',
	    'Sat, 21 Nov 2026 12:00:00 GMT';
	$want->('If-None-Match, the same', { 'If-None-Match' => $tag }, 304, '');
	$want->("If-None-Match: $_", { 'If-None-Match' => $_ }, 304, '')
	    for '*', "W/$tag", "\"x\", $tag";
	$want->('If-None-Match, another', { 'If-None-Match' => '"x"' }, 200,
	    $bytes);
	$want->('If-Match, the same', { 'If-Match' => $tag }, 200, $bytes);
	$want->('If-Match, another', { 'If-Match' => '"x"' }, 412, '');
	my $r = row('HEAD with a range', req('HEAD', $url, { %range }), 206);
	is($r->{headers}{'content-length'}, 2, 'the length of the part');
	row('HEAD behind the end', req('HEAD', $url,
	    { Range => 'bytes=26-' }), 416);
	row('GET of HTTP/1.0', "GET $url HTTP/1.0\r\n\r\n", 200);
	$r = row('GET with a body', req('GET', $url, {}, 'hello'), 200);
	is($r->{body}, $bytes, 'is answered all the same');
	my ($empty) = there('');
	row('an empty file', req('GET', $empty), 200);
	row('a range of it', req('GET', $empty, \%range), 416);
	row('the last byte of it', req('GET', $empty,
	    { Range => 'bytes=-1' }), 416);
	my $io = $b->tcp;
	$io->put(join '', map { req('GET', $url, { Range => "bytes=$_-$_" }) }
	    0 .. 9);
	$rows++;
	is(join('', map { $io->answer('GET')->{body} } 0 .. 9), 'abcdefghij',
	    'ten at once, in order');
};

cmp_ok($rows, '>=', 200, "$rows rows");
is($b->psql('select count(*) from file where state = 1'), 0,
    'no upload counts as under way');
unlike($b->log, qr/error|fatal|Sanitizer/, 'the log has no error');
is($b->stop, 0, 'the end');
done_testing;
