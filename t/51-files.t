#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Files as members see them: shared with the mesh or sent with a message, found,
# read by whom they are for and by nobody else, and gone when they are over, in
# the table and in the storage.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Digest::SHA 'sha256_hex';
use Encode 'encode_utf8';
use File::Find ();
use Linnet qw(wait_until);
use Test::More;

my $true = Cpanel::JSON::XS::true;
my $time = qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/;
my $id = qr/\A[0-9a-f]{32}\z/;
my $b = Linnet->broker(workers => 2, options => ['rate.requests 0']);

sub ask {
	my ($p, $type, %o) = @_;
	return $p->request({ type => $type, %o });
}

# share_file and PUT; the answers to both.
sub share {
	my ($p, $name, $bytes, %o) = @_;
	my $r = ask($p, 'share_file', name => $name, size => length $bytes, %o);
	return ($r) if $r->{type} ne 'file_upload';
	return ($r, $b->http('PUT', $r->{url}, {}, $bytes));
}

sub fetch {
	my ($p, $file, %headers) = @_;
	my $r = ask($p, 'get_file', fileId => $file);
	return $r if $r->{type} ne 'file_url';
	return $b->http('GET', $r->{url}, \%headers);
}

# What the storage has, by the ids of files.
sub stored {
	my %have;
	File::Find::find({ no_chdir => 1, wanted => sub {
		$have{$1}++ if -f && m{([0-9a-f]{32})[^/]*\z};
	} }, "$b->{dir}/files") if -d "$b->{dir}/files";
	return \%have;
}

my $s = $b->seed;
my $alice = $b->peer($s->{peerA}, name => 'alice');
my $bob = $b->peer($s->{peerB}, name => 'bob');

subtest 'shared with the mesh' => sub {
	my $bytes = join '', map { chr(rand 256) } 1 .. 100_000;
	my ($r, $put) = share($alice, 'schema ü.bin', $bytes,
	    tags => ['api', 'v2'], mimeType => 'application/x-schema');
	is($r->{type}, 'file_upload', 'share_file');
	like($r->{fileId}, $id, 'the id');
	like($r->{expiresAt}, $time, 'until when');
	is($put->{status}, 201, 'its bytes are taken') or diag $put->{body};
	is($put->{json}{sha256}, sha256_hex($bytes), 'their SHA-256 is told');
	is($put->{json}{size}, length $bytes, 'and their number');
	my $l = ask($bob, 'list_files')->{files};
	is(@$l, 1, 'there is one file');
	is_deeply([@{ $l->[0] }{qw(id name size mimeType tags uploadedBy
	    sha256)}], [$r->{fileId}, 'schema ü.bin', length $bytes,
	    'application/x-schema', ['api', 'v2'], 'alice',
	    sha256_hex($bytes)], 'as it was shared');
	ok($l->[0]{persistent}, 'persistent');
	like($l->[0]{uploadedAt}, $time, 'when');
	my $u = ask($bob, 'get_file', fileId => $r->{fileId});
	is($u->{type}, 'file_url', 'get_file');
	is($u->{name}, 'schema ü.bin', 'its name');
	is($u->{sha256}, sha256_hex($bytes), 'its SHA-256');
	is_deeply(ask($alice, 'file_status', fileId => $r->{fileId})
	    ->{accesses}, [], 'nobody has read it');
	my $get = $b->http('GET', $u->{url});
	is($get->{status}, 200, 'it is read');
	ok($get->{body} eq $bytes, 'the same bytes');
	my $a;
	wait_until { @{ $a = ask($alice, 'file_status',
	    fileId => $r->{fileId})->{accesses} } } 10;
	is($a->[0]{peerName}, $s->{peerB}{displayName} // $a->[0]{peerName},
	    'who read it');
	is($a->[0]{times}, 1, 'once');
	like($a->[0]{accessedAt}, $time, 'when');
	is($a->[0]{memberPubkey}, $bob->member_key, 'by key');
	ok(stored()->{ $r->{fileId} }, 'the storage has it');
	$put = $b->http('PUT', $r->{url}, {}, $bytes);
	is($put->{status}, 409, 'it is uploaded once');
	is($put->{json}{code}, 'id_conflict', 'says so');
	is(ask($bob, 'delete_file', fileId => $r->{fileId})->{code},
	    'forbidden', 'another member does not delete it');
	my $d = ask($alice, 'delete_file', fileId => $r->{fileId});
	is_deeply([@$d{qw(type id messageId)}],
	    ['ack', ($r->{fileId}) x 2], 'who shared it does');
	ok($d->{deleted}, 'and hears so');
	ok(!ask($alice, 'delete_file', fileId => $r->{fileId})->{deleted},
	    'again: it was not there');
	is(ask($bob, 'get_file', fileId => $r->{fileId})->{code}, 'not_found',
	    'it is gone');
	is($b->http('GET', $u->{url})->{status}, 404, 'for its link too');
	ok(wait_until { !stored()->{ $r->{fileId} } } 15,
	    'and from the storage');
	ok(wait_until { $b->psql('select count(*) from file_gone') == 0 } 10,
	    'and nothing of it is left to be done');
};

subtest 'found' => sub {
	my %file;
	for my $n (1 .. 7) {
		my ($r) = share($n % 2 ? $alice : $bob, "Report $n.txt", "n$n",
		    tags => [$n % 3 ? 'odd' : 'even', "n$n"]);
		$file{$n} = $r->{fileId};
	}
	my $names = sub {
		return [map { $_->{name} =~ /(\d)/ }
		    @{ ask($alice, 'list_files', @_)->{files} }];
	};
	is_deeply($names->(), [reverse 1 .. 7], 'the newest first');
	is_deeply($names->(query => 'REPORT 3'), [3], 'by name, in any case');
	is_deeply($names->(query => 'n5'), [5], 'by a tag');
	is_deeply($names->(query => '%'), [], 'signs mean themselves');
	is_deeply($names->(tags => ['even']), [6, 3], 'by tags');
	is_deeply($names->(tags => ['even', 'n3']), [3], 'by all of them');
	is_deeply($names->(from => 'BOB'), [6, 4, 2], 'by uploader');
	is_deeply($names->(from => $alice->member_key), [7, 5, 3, 1],
	    'by key');
	is_deeply($names->(from => 'nobody'), [], 'by nobody');
	my ($after, @all);
	for (1 .. 4) {
		my $l = ask($alice, 'list_files', limit => 2,
		    defined $after ? (after => $after) : ());
		push @all, map { $_->{name} =~ /(\d)/ } @{ $l->{files} };
		ok(@{ $l->{files} } <= 2, 'a page');
		last if !defined($after = $l->{next});
	}
	is_deeply(\@all, [reverse 1 .. 7], 'pages make the whole');
	is(ask($alice, 'list_files', after => 'x')->{code}, 'malformed',
	    'after must be a next');
};

subtest 'sent with a message' => sub {
	my $carol = $b->peer($s->{peerA}, name => 'carol');
	my ($r, $put) = share($alice, 'shot.png', 'pixels',
	    attachment => $true);
	is($put->{status}, 201, 'uploaded');
	my $f = $r->{fileId};
	is(fetch($bob, $f)->{code}, 'not_found', 'for nobody until it is sent');
	is($alice->send(to => $bob, text => 'x', files => ['f' x 32])->{code},
	    'not_found', 'a file that is not there is not sent');
	is($alice->send(to => $bob, text => 'x', files => ['f'])->{code},
	    'malformed', 'nor what is no id');
	is($bob->send(to => $alice, text => 'x', files => [$f])->{code},
	    'not_found', 'nor one that the sender has not');
	is($alice->send(to => $bob, text => 'look', files => [$f])->{type},
	    'ack', 'sent');
	my $push = $bob->expect_push;
	is($push->{text}, 'look', 'it comes');
	is_deeply($push->{files}, [{ id => $f, name => 'shot.png',
	    size => 6 }], 'with its file');
	my $l = ask($bob, 'list_files', query => 'shot')->{files};
	is(@$l, 1, 'the recipient finds it');
	ok(!$l->[0]{persistent}, 'not persistent');
	like($l->[0]{expiresAt}, $time, 'for a time');
	is_deeply(ask($alice, 'file_status', fileId => $f)->{unread},
	    [$b->psql("select name from member where id =
	    '$s->{peerB}{memberId}'")], 'bob has not read it');
	is(fetch($bob, $f)->{body}, 'pixels', 'bob reads it');
	ok(wait_until { !ask($alice, 'file_status', fileId => $f)->{unread} }
	    10, 'all have read it');
	ok($b->psql("select expires_at < now() + interval '11 min' from file
	    where id = '$f'") eq 't', 'then it goes soon');
	$b->psql("update file set expires_at = now() - interval '1 s'
	    where id = '$f'");
	is(fetch($bob, $f)->{code}, 'not_found', 'when it is over');
	ok(wait_until { !stored()->{$f} && $b->psql(
	    "select count(*) from file where id = '$f'") == 0 } 15,
	    'it goes from table and storage');
	($r) = share($alice, 'all.txt', 'for all', attachment => $true);
	is($alice->send(to => '*', text => 'all', files => [$r->{fileId}])
	    ->{type}, 'ack', 'a multicast has files too');
	is($bob->expect_push->{files}[0]{name}, 'all.txt', 'it comes');
	is(fetch($bob, $r->{fileId})->{body}, 'for all', 'and is read');
	$carol->close;
};

subtest 'a mesh is a wall' => sub {
	my $other = $b->seed;
	my $eve = $b->peer($other->{peerA}, name => 'eve');
	my ($r) = share($alice, 'secret', 'secret');
	is_deeply(ask($eve, 'list_files')->{files}, [], 'others see nothing');
	for (qw(get_file file_status)) {
		is(ask($eve, $_, fileId => $r->{fileId})->{code}, 'not_found',
		    $_);
	}
	ok(!ask($eve, 'delete_file', fileId => $r->{fileId})->{deleted},
	    'nor delete');
	is(fetch($bob, $r->{fileId})->{body}, 'secret', 'it is still there');
	my $u = ask($bob, 'get_file', fileId => $r->{fileId});
	(my $url = $u->{url}) =~ s/mesh=[0-9a-f]+/mesh=$other->{meshId}/;
	is($b->http('GET', $url)->{status}, 403, 'a link is for its mesh');
};

subtest 'limits' => sub {
	my $m = $b->seed;
	my $p = $b->peer($m->{peerA}, name => 'p');
	is(($b->ctl('mesh', 'set', $m->{slug}, '--files', 2, '--storage', 100,
	    '--file-bytes', 80))[0], 0, 'limits of a mesh');
	wait_until { (share($p, 'x', 'x' x 81))[0]{type} eq 'error' } 10;
	my ($r) = share($p, 'x', 'x' x 81);
	is($r->{code}, 'too_big', 'a file that is too large');
	$b->psql("delete from file where mesh_id = '$m->{meshId}'");
	# What it has is counted now and then, if it goes by itself.
	my $one;
	wait_until { ($one) = share($p, 'one', 'x' x 60);
	    $one->{type} eq 'file_upload' } 20;
	is($one->{type}, 'file_upload', 'one');
	($r) = share($p, 'two', 'x' x 60);
	is($r->{code}, 'quota', 'no room for its bytes');
	is(ask($p, 'share_file', name => 'two', size => 10)->{type},
	    'file_upload', 'but for fewer');
	($r) = share($p, 'three', '');
	is($r->{code}, 'quota', 'no third file');
	like($r->{message}, qr/2 of 2/, 'it says why');
	ask($p, 'delete_file', fileId => $one->{fileId});
	ok(wait_until { (share($p, 'three', ''))[0]{type} eq 'file_upload' } 10,
	    'until one is deleted');
};

subtest 'limits of all meshes' => sub {
	my $c = Linnet->broker(workers => 1, options => ['limit.files 1',
	    'limit.storage 1k']);
	my $m = $c->seed;
	my $p = $c->peer($m->{peerA}, name => 'p');
	my $r = ask($p, 'share_file', name => 'x', size => 1025);
	is($r->{code}, 'quota', 'too many bytes');
	like($r->{message}, qr/^Bytes of this mesh's files: 0 of 1024/,
	    'says how many');
	is(ask($p, 'share_file', name => 'x', size => 1024)->{type},
	    'file_upload', 'as many as may be');
	$r = ask($p, 'share_file', name => 'x', size => 0);
	is($r->{code}, 'quota', 'one file too many');
	like($r->{message}, qr/^Files of this mesh: 1 of 1/, 'says so');
	is($c->stop, 0, 'the end');
};

subtest 'input' => sub {
	for (['no name', 'malformed', size => 1],
	    ['an empty name', 'malformed', name => '', size => 1],
	    ['a name with a line end', 'malformed', name => "a\nb", size => 1],
	    ['a name of 256 bytes', 'too_big', name => 'a' x 256, size => 1],
	    ['a negative size', 'malformed', name => 'a', size => -1],
	    ['no media type', 'malformed', name => 'a', size => 1,
	    mimeType => "text/plain\r\nX-Evil: 1"],
	    ['no digest', 'malformed', name => 'a', size => 1,
	    sha256 => 'z' x 64]) {
		my ($what, $code, %o) = @$_;
		is(ask($alice, 'share_file', %o)->{code}, $code, $what);
	}
	my ($r, $put) = share($alice, '../../etc/passwd', 'x');
	is($put->{status}, 201, 'a name is no path');
	is(ask($bob, 'get_file', fileId => $r->{fileId})->{name},
	    '../../etc/passwd', 'it is data');
	my $get = fetch($bob, $r->{fileId});
	like($get->{headers}{'content-disposition'},
	    qr/\Aattachment; filename="[^\/"]*"; filename\*=UTF-8''[^\/"]*\z/,
	    'and leads nowhere');
};

is($b->stop, 0, 'the end');
done_testing;
