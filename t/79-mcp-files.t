#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Files as tools and resources: of linnet mcp, which has the agent's files, and
# over HTTP, where there are links.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Cwd 'realpath';
use Digest::SHA 'sha256_hex';
use Encode qw(decode_utf8 encode_utf8);
use MIME::Base64 'encode_base64';
use POSIX ();
use Socket;
use Test::More;
use Linnet qw(wait_until scratch slurp);
use Linnet::Cli 'said';
use Linnet::Mcp;

my $json = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;
my $b = Linnet->broker(workers => 2, options => ['mesh.ack_time 2s',
    'limit.file_bytes 100000000', 'rate.refused_burst 1000000']);
my $seed = $b->seed;
said($_, 'join', $seed->{inviteLink}, '--name', $_) for qw(alice bob carol);
my %home = map { $_ => realpath(scratch()) } qw(alice bob carol);
my $none = '0' x 32;

sub agent {
	my ($who, %o) = @_;
	my $m = Linnet::Mcp->new($who, cwd => $home{$who},
	    env => { LINNET_NAME => $who }, %o);
	$m->initialize('2025-11-25', $o{host});
	return $m;
}

sub file {
	my ($path, $bytes) = @_;
	open my $fh, '>:raw', $path or die "$path: $!";
	print $fh $bytes;
	close $fh or die "$path: $!";
	return $path;
}

# Who has read a file and how often, as file_status says it.  It is stored while
# the reader gets the last bytes, so who asks at once may be early.
sub readers {
	my ($want, $status) = @_;
	my $is;
	wait_until {
		$is = join ' ', map { "$_->{name} $_->{times}" }
		    @{ $status->()->{readers} };
		$is eq $want
	} 10;
	return $is;
}

# What is in the storage of the broker, and in its table.
sub rows { return $b->psql('select count(*) from file') }

# Files below a directory that no list shows, too.
sub hidden {
	my ($dir) = @_;
	return grep { !/\/\.\.?$/ } glob "\Q$dir\E/.* \Q$dir\E/*/.*";
}

# The processes that move bytes for a linnet mcp.
sub movers {
	my ($m) = @_;
	my @pids = split ' ',
	    slurp("/proc/$m->{pid}/task/$m->{pid}/children") // '';
	return @pids;
}

sub mover {
	my ($m) = @_;
	my $pid;
	wait_until { ($pid) = movers($m) } 10, 'a process moves bytes';
	return $pid;
}

my ($alice, $bob) = (agent('alice'), agent('bob'));

subtest 'shared, found, got' => sub {
	my $bytes = join '', map { chr } 0 .. 255;
	file("$home{alice}/pic.png", $bytes);
	my $s = $alice->does(share_file => { path => 'pic.png',
	    mime_type => 'image/png', tags => [qw(ui draft)] });
	like($s->{id}, qr/^[0-9a-f]{32}$/, 'an id');
	is_deeply([@$s{qw(name size sha256)}],
	    ['pic.png', 256, sha256_hex($bytes)], 'what was shared');
	my $t = $alice->does(share_file => { content => "über\n",
	    name => 'notes.txt' });
	is($t->{size}, 6, 'a text');
	my $l = $bob->does(list_files => { tags => ['ui'] });
	is_deeply([@{ $l->{files}[0] }{qw(id name size mime_type by shared
	    tags)}], [$s->{id}, 'pic.png', 256, 'image/png', 'alice',
	    Cpanel::JSON::XS::true, [qw(ui draft)]], 'found by its tag')
	    or diag explain $l;
	is_deeply([map { $_->{id} } @{ $bob->does(list_files =>
	    { query => 'NOTES' })->{files} }], [$t->{id}], 'by its name');
	is(scalar @{ $bob->does(list_files => { by => 'bob' })->{files} }, 0,
	    'by who shared it');
	my $p = $bob->does(list_files => { limit => 1 });
	is($p->{files}[0]{id}, $t->{id}, 'the newest first');
	$p = $bob->does(list_files => { limit => 1, after => $p->{next} });
	is($p->{files}[0]{id}, $s->{id}, 'a page after the other');
	ok(!exists $p->{next}, 'which is the last');

	my $g = $bob->does(get_file => { id => $t->{id} });
	is($g->{text}, "über\n", 'a short text is told');
	is($g->{mime_type}, 'text/plain; charset=utf-8', 'what it is');
	ok(!exists $g->{path} && !-e "$home{bob}/linnet-files",
	    'and not written');
	$g = $bob->does(get_file => { id => $s->{id} });
	is($g->{path}, "$home{bob}/linnet-files/pic.png", 'bytes are');
	is(slurp($g->{path}), $bytes, 'all of them');
	is($bob->does(get_file => { id => $s->{id} })->{path},
	    "$home{bob}/linnet-files/pic-2.png", 'and replace nothing');
	is($bob->does(get_file => { id => $t->{id}, path => 'here.txt' })
	    ->{path}, "$home{bob}/here.txt", 'a path');
	is(slurp("$home{bob}/here.txt"), encode_utf8("über\n"), 'has it');
	mkdir "$home{bob}/dir";
	is($bob->does(get_file => { id => $t->{id}, path =>
	    "$home{bob}/dir" })->{path}, "$home{bob}/dir/notes.txt",
	    'a directory');
	is_deeply([hidden($home{bob})], [], 'nothing else is left');
	is(sprintf('%o', (stat "$home{bob}/dir/notes.txt")[2] & 0777),
	    sprintf('%o', 0666 & ~umask), 'with the mode of new files');

	is(readers('bob 3', sub { $alice->does(file_status => { id =>
	    $t->{id} }) }), 'bob 3', 'who has read it');
	is($alice->does(delete_file => { id => $t->{id} })->{deleted},
	    Cpanel::JSON::XS::true, 'deleted');
	like($bob->refuses(get_file => { id => $t->{id} }),
	    qr/no such file.*list_files/s, 'and gone');
};

subtest 'names are data' => sub {
	my $i = 0;
	for (['../../../x', '.._.._.._x' =~ s/^\./_/r], ['.profile',
	    '_profile'], ['a\\b', 'a_b'], ['/etc/passwd', '_etc_passwd'],
	    ['-rf', '-rf'], ["\x{202e}txt.\x{e9}", "\x{202e}txt.\x{e9}"],
	    ['..', '_.'], ["it's; \$(true) `x`", "it's; \$(true) `x`"],
	    ["\x{e9}" x 127, "\x{e9}" x 127]) {
		my ($name, $want) = @$_;
		my $id = $alice->does(share_file => { name => $name,
		    content => encode_base64("\0$i"), encoding => 'base64' })
		    ->{id};
		my $g = $bob->does(get_file => { id => $id });
		is($g->{name}, $name, 'it is told as it is');
		is($g->{path}, "$home{bob}/linnet-files/$want",
		    'and stays in the directory');
		is(slurp(encode_utf8($g->{path} // '')), "\0$i", 'its bytes');
		$i++;
	}
};

subtest 'resources' => sub {
	my %id = map { $_->[0] => $alice->does(share_file => { name => $_->[0],
	    content => $_->[1], encoding => $_->[2] })->{id} }
	    ['t.md', '# x', 'text'], ['b', 'AAEC', 'base64'],
	    ['large', 'x' x 70000, 'text'];
	my (@all, $r);
	do {
		$r = $bob->request('resources/list', {
		    $r ? (cursor => $r->{nextCursor}) : () })->{result};
		push @all, @{ $r->{resources} };
	} while ($r->{nextCursor});
	my ($it) = grep { $_->{uri} eq "linnet://file/$id{'t.md'}" } @all;
	is($it->{name}, 't.md', 'listed');
	my $read = sub {
		return $bob->request('resources/read', { uri =>
		    "linnet://file/$_[0]" });
	};
	is($read->($id{'t.md'})->{result}{contents}[0]{text}, '# x', 'text');
	my $c = $read->($id{b})->{result}{contents}[0];
	is_deeply([@$c{qw(blob mimeType)}], ['AAEC',
	    'application/octet-stream'], 'bytes');
	$c = $read->($id{large})->{result}{contents}[0];
	is($json->decode($c->{text})->{size}, 70000, 'what is large is told');
	like($c->{text}, qr/get_file/, 'with what gets it');
	is($read->($_)->{error}{code}, -32002, "no resource $_")
	    for $none, 'x', '../x', '%00';
	ok(!-e "$home{bob}/linnet-files/large", 'nothing is written for it');
};

subtest 'with messages' => sub {
	file("$home{alice}/a.txt", 'first');
	file("$home{alice}/b.txt", 'second');
	my $claude = agent('bob', env => { LINNET_NAME => 'claude' },
	    host => 'claude-code');
	wait_until { grep { $_->{name} eq 'claude' } @{ $alice
	    ->does('list_peers')->{peers} } } 10, 'claude is there';
	my $sent = $alice->does(send_message => { to => ['bob', 'claude'],
	    message => 'look', files => ['a.txt', "$home{alice}/b.txt"] });
	is(scalar(grep { $_->{message_id} } @{ $sent->{messages} }), 2, 'sent');
	my $m = $bob->does(wait_for_message => { seconds => 10 })
	    ->{messages}[0];
	is_deeply([map { "$_->{name} $_->{size}" } @{ $m->{files} }],
	    ['a.txt 5', 'b.txt 6'], 'bob is told of the files');
	my $id = $m->{files}[1]{id};
	my $note = $claude->note('notifications/claude/channel');
	is_deeply($json->decode(encode_utf8($note->{params}{meta}{files} //
	    'null')), $m->{files}, 'and so is who is pushed to');
	is($claude->does(get_file => { id => $id })->{text}, 'second',
	    'who gets them');
	is(readers('bob 1', sub { $alice->does(file_status => { id => $id }) }),
	    'bob 1', 'the sender sees it');
	my $carol = agent('carol');
	like($carol->refuses(get_file => { id => $id }), qr/no such file/,
	    'nobody else does');
	is_deeply($carol->does(list_files => { query => 'b.txt' })->{files},
	    [], 'nor hears of it');
	# To a third: with the id of one that came.
	$bob->does(send_message => { to => 'carol', message => 'for you',
	    file => $id });
	$m = $carol->does(wait_for_message => { seconds => 10 })->{messages}[0];
	is($m->{files}[0]{id}, $id, 'handed on');
	is($carol->does(get_file => { id => $id })->{text}, 'second',
	    'and read');
	is($_->stop, 0, 'ends') for $claude, $carol;
};

# A hook that shows a message acks it: so it shows what came with it.
subtest 'with a hook' => sub {
	my $id = $alice->does(share_file => { name => 'h.txt',
	    content => 'x', attachment => Cpanel::JSON::XS::true })->{id};
	$alice->does(send_message => { to => 'carol', message => 'read this',
	    file => $id });
	my ($status, $out) = Linnet::Cli::linnet('carol', 'hook', 'prompt',
	    '--messages', { input => '' });
	like($out, qr/read this\n    file id $id, 1 bytes, called h.txt\n/,
	    'a hook tells of the file');
};

subtest 'sent again' => sub {
	file("$home{alice}/c.txt", 'one');
	my %m = (to => 'bob', message => 'again', id => 'once');
	my $first = $alice->does(send_message => { %m, file => 'c.txt' })
	    ->{messages}[0];
	my $second = $alice->does(send_message => { %m, file => 'c.txt' })
	    ->{messages}[0];
	is($second->{message_id}, $first->{message_id},
	    'the same file is the same message');
	ok($second->{duplicate}, 'which it says');
	file("$home{alice}/c.txt", 'two');
	like($alice->refuses(send_message => { %m, file => 'c.txt' }),
	    qr/id_conflict/, 'another file is another one');
	like($alice->refuses(send_message => \%m), qr/id_conflict/,
	    'none is another one');
	$bob->does('check_messages');
	my $rows = rows();
	like($alice->refuses(send_message => { to => 'bbo', message => 'x',
	    files => ['c.txt', 'a.txt'] }), qr/Did you mean "bob"/,
	    'a message that cannot be sent');
	is(rows(), $rows, 'leaves no files');
};

my $sock = "$home{alice}/sock";
socket my $s, AF_UNIX, SOCK_STREAM, 0 or die;
bind $s, pack_sockaddr_un($sock) or die;
POSIX::mkfifo("$home{alice}/fifo", 0600) or die;
mkdir "$home{alice}/dir" or die;
file("$home{alice}/there", 'x');
open my $huge, '>', "$home{alice}/huge" or die;
truncate $huge, 200_000_000 or die;

subtest 'bad input' => sub {
	my $id = $alice->does(share_file => { name => 'n', content =>
	    encode_base64("\0"), encoding => 'base64' })->{id};
	my $rows = rows();
	for (
		[share_file => {}, qr/One of these is needed: path, content/],
		[share_file => { path => '' }, qr/path must not be empty/],
		[share_file => { path => 7 }, qr/path must be a text/],
		[share_file => { path => "a\0b" }, qr/U\+0000/],
		[share_file => { path => 'nothing' },
		    qr/cannot be read: No such file.*below \Q$home{alice}\E/],
		[share_file => { path => 'dir' }, qr/is a directory.*tar/],
		[share_file => { path => '/' }, qr/is a directory/],
		[share_file => { path => '/dev/zero' }, qr/only files/],
		[share_file => { path => 'fifo' }, qr/only files/],
		[share_file => { path => 'sock' }, qr/cannot be read|only fil/],
		[share_file => { path => 'there/x' }, qr/Not a directory/],
		[share_file => { path => 'x' x 4096 }, qr/too long/],
		[share_file => { path => 'x' x 4097 }, qr/shorten it/],
		[share_file => { path => 'huge' },
		    qr/may have 100000000 bytes, this one has 200000000/],
		[share_file => { path => 'there', content => 'x' },
		    qr/path or content, not both/],
		[share_file => { path => 'there', name => '' },
		    qr/name must not be empty/],
		[share_file => { path => 'there', name => 'x' x 256 },
		    qr/name has 256 bytes/],
		[share_file => { path => 'there', name => "a\nb" },
		    qr/control character/],
		[share_file => { path => 'there', tags => 'x' }, qr/an array/],
		[share_file => { path => 'there', tags => [('x') x 33] },
		    qr/33 items, and may have 32/],
		[share_file => { path => 'there', mime_type => 'text' },
		    qr/no media type/],
		[share_file => { path => 'there', mime_type => "a/b\r\nX: y" },
		    qr/no media type/],
		[share_file => { path => 'there', encoding => 'base64' },
		    qr/encoding is of content/],
		[share_file => { content => 'x' }, qr/name is missing/],
		[share_file => { content => 'x' x 1048577, name => 'n' },
		    qr/may have 1048576/],
		[share_file => { content => '###', name => 'n',
		    encoding => 'base64' }, qr/no base64/],
		[share_file => { content => 'x', name => 'n',
		    encoding => 'hex' }, qr/one of: text, base64/],
		[share_file => { file => 'x' }, qr/no argument "file".*path/],
		[get_file => {}, qr/id is missing/],
		[get_file => { id => 'x' }, qr/32 hex digits/],
		[get_file => { id => $none }, qr/no such file/],
		[get_file => { id => $id, path => 'there' },
		    qr/is there already.*another path/],
		[get_file => { id => $id, path => 'fifo' },
		    qr/is there already/],
		[get_file => { id => $id, path => 'no/such/x' },
		    qr/Nothing can be written to the directory no\/such\//],
		[get_file => { id => $id, path => '/proc/x' },
		    qr/Nothing can be written/],
		[get_file => { id => $id, path => '' }, qr/must not be empty/],
		[list_files => { limit => 101 }, qr/from 1 to 100/],
		[list_files => { limit => 0 }, qr/from 1 to 100/],
		[list_files => { after => 'x' }, qr/no next of a page/],
		[list_files => { query => 'x' x 256 }, qr/shorten it/],
		[file_status => { id => $none }, qr/no such file/],
		[file_status => { id => $id, after => 'x' }, qr/`next`/],
		[delete_file => { id => [] }, qr/32 hex digits/],
		[send_message => { to => 'bob', message => 'x', file => [] },
		    qr/file must be a text/],
		[send_message => { to => 'bob', message => 'x', files => 'x' },
		    qr/an array/],
		[send_message => { to => 'bob', message => 'x', files => [] },
		    qr/files must not be empty/],
		[send_message => { to => 'bob', message => 'x',
		    files => [('there') x 17] }, qr/17 items, and may have 16/],
		[send_message => { to => 'bob', message => 'x',
		    files => ['there', 'nothing'] }, qr/No such file/],
		[send_message => { to => 'bob', message => 'x', file => $none },
		    qr/you have no file $none/],
		[send_message => { to => 'bob', message => 'x',
		    file => 'there', files => ['there'] },
		    qr/file or files, not both/],
	    ) {
		my ($tool, $args, $like) = @$_;
		my $said = $alice->refuses($tool, $args) // 'it is not';
		like($said, $like, "$tool is refused")
		    or diag explain $args;
	}
	is($bob->does(delete_file => { id => $none })->{deleted},
	    Cpanel::JSON::XS::false, 'what is not there is deleted');
	like($bob->refuses(delete_file => { id => $id }), qr/Only who shared/,
	    'what another shared is not');
	is(rows(), $rows, 'no file is left of it');
	is(slurp("$home{alice}/there"), 'x', 'and none was harmed');
	is_deeply([hidden($home{alice})], [], 'none is left here');
};

# What takes long stops nothing else, is told, and ends when it is not wanted.
subtest 'while bytes move' => sub {
	my $path = file("$home{alice}/long", 'x' x 48_000_000);
	my $rows = rows();
	my $id = $alice->ask('tools/call', { name => 'share_file',
	    arguments => { path => $path }, _meta => { progressToken => 7 } });
	my $pid = mover($alice);
	kill 'STOP', $pid;
	is_deeply($alice->request('ping', undef, 2)->{result}, {}, 'a ping');
	ok($alice->does(list_peers => {}, 5)->{peers}, 'another tool');
	is($alice->does(share_file => { name => 'n', content => 'x' })->{size},
	    1, 'another file');
	kill 'CONT', $pid;
	my $n = $alice->note('notifications/progress');
	is_deeply([@{ $n->{params} }{qw(progressToken total)}],
	    [7, 48_000_000], 'how far it is');
	my $r = $alice->answer($id, 60);
	my $file = $r->{result}{structuredContent};
	is($file->{size}, 48_000_000, 'and it comes to its end')
	    or diag explain $r;
	is(rows(), $rows + 2, 'there');

	for my $how ('cancelled', 'killed', 'closed') {
		my $m = agent('alice');
		$rows = rows();
		$id = $m->ask('tools/call', { name => 'share_file',
		    arguments => { path => $path } });
		my $moving = mover($m);
		# A stopped one would be ended by the kernel when we are gone.
		kill 'STOP', $how eq 'killed' ? $b->pids('files') : $moving;
		if ($how eq 'cancelled') {
			$m->post('notifications/cancelled',
			    { requestId => $id });
		} elsif ($how eq 'closed') {
			$m->end_input;
		} else {
			kill 'KILL', $m->{pid};
		}
		ok((wait_until { !kill 0, $moving } 10),
		    "$how: the process ends");
		kill 'CONT', $b->pids('files');
		if ($how ne 'killed') {
			ok((wait_until { rows() == $rows } 10),
			    'and its file is gone');
		}
		if ($how eq 'cancelled') {
			is_deeply($m->request('ping')->{result}, {},
			    'the others go on');
		}
		$m->stop;
	}
	# The process breaks: once more, from where it was.
	my $g = agent('bob', cwd => $home{bob});
	$id = $g->ask('tools/call', { name => 'get_file', arguments =>
	    { id => $file->{id}, path => 'long' } });
	kill 'KILL', mover($g);
	$r = $g->answer($id, 60);
	is($r->{result}{structuredContent}{path}, "$home{bob}/long",
	    'a process that dies is replaced') or diag explain $r;
	is(-s "$home{bob}/long", 48_000_000, 'and all is there');
	is_deeply([hidden($home{bob})], [], 'and nothing else');
	$id = $g->ask('tools/call', { name => 'get_file', arguments =>
	    { id => $file->{id}, path => 'never' } });
	kill 'STOP', mover($g);
	is(scalar(hidden($home{bob})), 1, 'a part has no name');
	$g->post('notifications/cancelled', { requestId => $id });
	ok((wait_until { !hidden($home{bob}) } 10), 'and goes when cancelled');
	ok(!-e "$home{bob}/never", 'without a trace');

	# No more than four at a time, and all in the end.
	file("$home{bob}/many", 'x' x 3_000_000);
	kill 'STOP', $b->pids('files');
	my @ids = map { $g->ask('tools/call', { name => 'share_file',
	    arguments => { path => 'many', name => "n$_" } }) } 1 .. 6;
	wait_until { 4 == movers($g) } 10, 'four processes';
	is_deeply($g->request('ping')->{result}, {}, 'a ping');
	is(scalar(movers($g)), 4, 'no more of them');
	kill 'CONT', $b->pids('files');
	is(scalar(grep { ($g->answer($_, 30) // {})->{result}
	    {structuredContent}{size} } @ids), 6, 'all come to their end');
	is($g->stop, 0, 'ends');
};

is($_->stop, 0, 'ends') for $alice, $bob;
unlike($_->errors, qr/./, 'and said nothing') for $alice, $bob;

#
# Over HTTP.
#
my %peer = map { $_->[0] => $b->peer($seed->{ $_->[1] }, name => $_->[0],
    acks => 1) } ['a', 'peerA'], ['b', 'peerB'];
my %token = map { $_ => $peer{$_}->request({ type => 'create_token' })
    ->{token} } keys %peer;
$_->close for values %peer;
my $modern = '2026-07-28';
my $rpc = 0;

sub ask {
	my ($who, $method, $params) = @_;
	my $name = $params->{name} // $params->{uri};
	return $b->http(POST => '/mcp', { 'Content-Type' => 'application/json',
	    Accept => 'application/json, text/event-stream',
	    Authorization => "Bearer $token{$who}",
	    'MCP-Protocol-Version' => $modern, 'Mcp-Method' => $method,
	    $name ? ('Mcp-Name' => $name) : () },
	    $json->encode({ jsonrpc => '2.0', id => ++$rpc,
	    method => $method, params => { %$params, _meta => {
	    'io.modelcontextprotocol/protocolVersion' => $modern,
	    'io.modelcontextprotocol/clientCapabilities' => {} } } }))
	    ->{json} // {};
}

sub does {
	my ($who, $tool, $args) = @_;
	my $r = ask($who, 'tools/call', { name => $tool,
	    arguments => $args // {} });
	ok($r->{result} && !$r->{result}{isError}, "$who: $tool does it")
	    or diag explain $r;
	return $r->{result}{structuredContent} // {};
}

# The path of a link, and that the command has it in quotes.
sub path_of {
	my ($r, $url) = @_;
	like($r->{$url}, qr{^http://linnet\.test/v1/files/},
	    'an absolute link');
	my $quoted = quotemeta $r->{$url};
	like($r->{curl}, qr/^curl [ A-Za-z0-9._'-]+ '$quoted'$/,
	    'and a command') ;
	return $r->{$url} =~ m{^http://[^/]+(/.*)};
}

subtest 'over HTTP' => sub {
	my $t = does('a', share_file => { name => 'x.txt', content => "a\x{fc}" });
	ok($t->{uploaded}, 'a text is there at once');
	is($t->{sha256}, sha256_hex(encode_utf8("a\x{fc}")), 'its digest');
	my $g = does('b', get_file => { id => $t->{id} });
	is($g->{text}, "a\x{fc}", 'and read in the answer');
	ok(!exists $g->{url}, 'without a link');
	is(readers('peer-b 1', sub { does('a', file_status => { id =>
	    $t->{id} }) }), 'peer-b 1', 'who has read it');
	my $empty = does('a', share_file => { name => 'e', content => '' });
	is(does('b', get_file => { id => $empty->{id} })->{text}, '',
	    'one of no bytes');
	my $bytes = join '', map { chr } 0 .. 255;
	my $bin = does('a', share_file => { name => "it's \$(x).bin", encoding =>
	    'base64', content => encode_base64($bytes, '') });
	$g = does('b', get_file => { id => $bin->{id} });
	is($b->http('GET', path_of($g, 'url'))->{body}, $bytes,
	    'bytes come by a link');
	like($g->{curl}, qr/-o 'it_s___x_.bin'/, 'with a harmless name');
	my $r = ask('b', 'resources/read', { uri => "linnet://file/$bin->{id}" });
	is($r->{result}{contents}[0]{blob}, encode_base64($bytes, ''),
	    'or as a resource');

	my $up = does('a', share_file => { name => 'big', size => 200000,
	    tags => ['t'] });
	ok(!$up->{uploaded}, 'what is large is not there yet');
	my $big = "line\n" x 40000;
	is($b->http('PUT', path_of($up, 'upload_url'), {}, $big)->{status},
	    201, 'it is uploaded');
	$g = does('b', get_file => { id => $up->{id} });
	is($b->http('GET', path_of($g, 'url'))->{body}, $big,
	    'and downloaded');
	$r = ask('b', 'resources/read', { uri => "linnet://file/$up->{id}" });
	is($json->decode($r->{result}{contents}[0]{text})->{url} =~
	    m{/v1/files/$up->{id}/}, 1, 'the resource has a link');

	my $att = does('a', share_file => { name => 'private', content => 'x',
	    attachment => Cpanel::JSON::XS::true });
	does('a', send_message => { to => 'peer-b', message => 'see',
	    file => $att->{id} });
	my $m = does('b', wait_for_message => { seconds => 10 })->{messages}[0];
	is_deeply($m->{files}, [{ id => $att->{id}, name => 'private',
	    size => 1 }], 'a message with a file');
	is(does('b', get_file => { id => $att->{id} })->{text}, 'x',
	    'which is got');
	is(does('a', delete_file => { id => $t->{id} })->{deleted},
	    Cpanel::JSON::XS::true, 'deleted');
	is_deeply([map { $_->{id} } @{ does('b', list_files => { tags => ['t'],
	    })->{files} }], [$up->{id}], 'a list');
};

subtest 'bad input over HTTP' => sub {
	my $rows = rows();
	for (
		[share_file => {}, qr/name is missing/],
		[share_file => { name => 'x', path => '/etc/passwd' },
		    qr/no argument "path"/],
		[share_file => { name => 'x', content => 'x', size => 1 },
		    qr/content or size, not both/],
		[share_file => { name => 'x', size => -1 }, qr/whole number/],
		[share_file => { name => 'x', size => 200_000_000 },
		    qr/may have 100000000/],
		[share_file => { name => 'x', content => '!', encoding =>
		    'base64' }, qr/no base64/],
		[share_file => { name => 'x', encoding => 'base64' },
		    qr/encoding is of content/],
		[share_file => { name => "a\x01", content => '' },
		    qr/control character/],
		[share_file => { name => 'x', content => '', mime_type =>
		    'nothing' }, qr/no media type/],
		[get_file => { id => 'x' }, qr/32 hex digits/],
		[get_file => { id => $none }, qr/no such file/],
		[get_file => { id => $none, path => 'x' },
		    qr/no argument "path"/],
		[send_message => { to => 'peer-b', message => 'x',
		    file => '/etc/passwd' }, qr/not on this server.*share_fil/],
		[send_message => { to => 'peer-b', message => 'x',
		    files => [$none] }, qr/you have no file/],
		[list_files => { after => 'x' }, qr/no next of a page/],
		[file_status => { id => $none }, qr/no such file/],
		[delete_file => {}, qr/id is missing/],
	    ) {
		my ($tool, $args, $like) = @$_;
		my $r = ask('a', 'tools/call', { name => $tool,
		    arguments => $args })->{result};
		ok($r->{isError}, "$tool is refused") or diag explain $args;
		like($r->{content}[0]{text}, $like, 'in a sentence');
	}
	is(ask('a', 'resources/read', { uri => "linnet://file/$_" })
	    ->{error}{code}, -32602, "no resource $_") for $none, 'x', '../x';
	is(rows(), $rows, 'no file is left of it');
};

subtest 'scopes' => sub {
	my $p = $b->peer($seed->{peerA}, name => 'a');
	$token{reader} = $p->request({ type => 'create_token',
	    scopes => ['files:read'] })->{token};
	$p->close;
	my $r = ask('reader', 'tools/call', { name => 'share_file',
	    arguments => { name => 'x', content => 'x' } })->{result};
	ok($r->{isError}, 'a token without the scope');
	like($r->{content}[0]{text}, qr/files:write/, 'is told which');
	ok(does('reader', 'list_files')->{files}, 'and may read');
};

# Who leaves in the middle leaves nothing.
subtest 'who leaves' => sub {
	for my $tool ('share_file', 'get_file') {
		my $id = does('a', share_file => { name => 'n',
		    content => 'x' x 30000 })->{id};
		my $args = $tool eq 'get_file' ? { id => $id }
		    : { name => 'gone', content => 'x' x 900000 };
		for (1 .. 5) {
			my $io = $b->tcp;
			$io->put(Linnet::Http::request(POST => '/mcp', {
			    'Content-Type' => 'application/json',
			    Accept => 'application/json, text/event-stream',
			    Authorization => "Bearer $token{a}",
			    'MCP-Protocol-Version' => '2025-11-25' },
			    $json->encode({ jsonrpc => '2.0', id => 1,
			    method => 'tools/call', params => { name => $tool,
			    arguments => $args } })));
			$io->drop;
		}
		is(does('a', get_file => { id => $id })->{size}, 30000,
		    "the server lives on after $tool");
	}
	ok((wait_until { $b->psql('select count(*) from file where state = 1')
	    == 0 } 10), 'no upload hangs');
};

is($b->stop, 0, 'the broker ends');
done_testing;
