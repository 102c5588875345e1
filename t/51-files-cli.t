#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# linnet file: shared, sent with messages, found and saved by people and
# scripts; whole or not at all, and under no name but one of their own.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Digest::SHA 'sha256_hex';
use Encode 'encode_utf8';
use Linnet qw(wait_until run slurp scratch);
use Linnet::Cli qw(linnet said fails);
use Test::More;

my $json = Cpanel::JSON::XS->new->utf8->allow_nonref;
my $id = qr/\A[0-9a-f]{32}\z/;
my $b = Linnet->broker(workers => 2, options => ['rate.requests 0']);
my $seed = $b->seed;
my $dir = scratch();
said($_, 'join', $seed->{inviteLink}, '--name', $_) for qw(alice bob);

sub put {
	my ($name, $bytes) = @_;
	my $file = "$dir/" . encode_utf8($name);
	open my $fh, '>:raw', $file or die "$file: $!";
	print $fh $bytes;
	close $fh or die "$file: $!";
	return $file;
}

sub bytes {
	open my $fh, '<:raw', $_[0] or return;
	local $/;
	return scalar readline $fh;
}

my $large = join '', map { chr(rand 256) } 1 .. 3_000_000;
mkdir "$dir/in";

subtest 'share and get' => sub {
	my $path = put('große Datei.bin', $large);
	my $f = said('alice', 'file', 'share', $path, '--tag', 'big');
	like($f, $id, 'its id');
	my ($row) = grep { /^$f/ } split /\n/, said('bob', 'file', 'list');
	like($row, qr/\t3000000\talice\t.*\tbig\t/, 'it is listed');
	is(said('bob', 'file', 'list', '--tag', 'small', '-q'), '',
	    'with its tags');
	my $to = said('bob', 'file', 'get', $f, "$dir/in");
	like($to, qr{^\Q$dir\E/in/gro}, 'where it is saved');
	is(sha256_hex(bytes(glob "$dir/in/gro*")), sha256_hex($large),
	    'the same bytes');
	is_deeply([glob "$dir/in/.*.part"], [], 'and nothing beside');
	fails('bob', 73, qr/there already; --force/, 'file', 'get', $f,
	    "$dir/in");
	said('bob', 'file', 'get', $f, "$dir/in", '--force');
	said('bob', 'file', 'get', $f, "$dir/in/other");
	is(sha256_hex(bytes("$dir/in/other")), sha256_hex($large),
	    'under another name');
	ok(wait_until { said('alice', 'file', 'status', $f)
	    =~ /^\S+\t.*\t3$/m } 10, 'who read it, and how often');
	fails('bob', 77, qr/Only who shared it/, 'file', 'delete', $f);
	said('alice', 'file', 'delete', $f);
	fails('alice', 66, qr/there is no file/, 'file', 'delete', $f);
	fails('bob', 66, qr/no such file/i, 'file', 'get', $f, "$dir/in/x");
	ok(!-e "$dir/in/x", 'and nothing is left');
};

subtest 'broken downloads go on' => sub {
	my $f = said('alice', 'file', 'share', put('part.bin', $large));
	my $part = "$dir/in/.$f.part";
	put("in/.$f.part", substr $large, 0, 1_000_000);
	said('bob', 'file', 'get', $f, "$dir/in/part.bin");
	is(sha256_hex(bytes("$dir/in/part.bin")), sha256_hex($large),
	    'after a part');
	unlink "$dir/in/part.bin";
	put("in/.$f.part", 'x' x 1_000_000);
	said_after_noise('bob', 'file', 'get', $f, "$dir/in/part.bin");
	is(sha256_hex(bytes("$dir/in/part.bin")), sha256_hex($large),
	    'after a wrong part');
	ok(!-e $part, 'which is gone');
};

# Succeeds, though something had to be said.
sub said_after_noise {
	my ($status, $out, $err) = linnet(@_);
	is($status, 0, 'it works in the end') or diag $err;
	like($err, qr/SHA-256/, 'and says what was wrong');
	return;
}

subtest 'sent with a message' => sub {
	my $path = put('shot.png', 'pixels');
	said('alice', 'send', 'bob', 'look', '--file', $path, '--file',
	    put('b.txt', 'b'));
	my @m = map { $json->decode($_) } split /\n/, said('bob', 'inbox',
	    '--json');
	is(@m, 1, 'one message');
	is($m[0]{text}, 'look', 'its text');
	is_deeply([map { $_->{name} } @{ $m[0]{files} }],
	    ['shot.png', 'b.txt'], 'its files');
	said('bob', 'file', 'get', $m[0]{files}[0]{id}, "$dir/in/");
	is(bytes("$dir/in/shot.png"), 'pixels', 'one is saved');
	fails('alice', 66, qr/nowhere/, 'send', 'bob', 'x', '--file',
	    '/nowhere');
};

subtest 'names' => sub {
	my $path = put('x', 'x');
	for ('../../evil', '/etc/evil', '.bashrc', "a\\b", '..', '-rf') {
		my $f = said('alice', 'file', 'share', $path, "--name=$_");
		my $d = scratch();
		my $to = said('bob', 'file', 'get', $f, $d);
		my @in = grep { !m{/\.\.?\z} } glob("$d/* $d/.*");
		is(@in, 1, "$_: one file");
		unlike(substr($to, length "$d/"), qr{/|^\.}, 'in its place');
	}
	fails('alice', 66, qr/is not a file/, 'file', 'share', $dir);
	fails('bob', 64, qr/no id/, 'file', 'get', '../x');
};

is($b->stop, 0, 'the end');
done_testing;
