#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Artifacts: files that are kept with a channel, and share its privacy.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use utf8;
use Cpanel::JSON::XS ();
use Digest::SHA qw(sha256_hex);
use MIME::Base64 qw(encode_base64 encode_base64url);
use Test::More;
use Linnet;

my $b = Linnet->broker(workers => 2);
my $s = $b->seed;
my ($ann, $bob) = map { $b->peer($_) } @{$s}{qw(peerA peerB)};

sub token {
	my ($p, @scopes) = @_;
	return $p->request({ type => 'create_token', name => 'x',
	    @scopes ? (scopes => \@scopes) : () })->{token};
}
my %token = (ann => token($ann), bob => token($bob));

sub asks {
	my ($who, $method, $path, $body, %h) = @_;
	return $b->http($method, $path,
	    { Authorization => "Bearer $token{$who}", %h },
	    defined $body ? Cpanel::JSON::XS::encode_json($body) : undef);
}
sub keep {
	my ($who, $stream, $bytes, %more) = @_;
	return asks($who, POST => '/v1/artifacts', { streamId => $stream,
	    streamType => 'channel', filename => 'a.txt',
	    contentType => 'text/plain', contentBase64 =>
	    encode_base64($bytes, ''), %more });
}
my $open = $ann->request({ type => 'create_channel', name => 'open' })
    ->{channelId};
my $closed = $ann->request({ type => 'create_channel', name => 'closed',
    private => $Cpanel::JSON::XS::true })->{channelId};

subtest 'kept and read' => sub {
	my $bytes = join '', map { chr } 0 .. 255;
	my $f = $bob->request({ type => 'follow_channel', channel => $open });
	my $r = keep('ann', $open, $bytes, sha256 => sha256_hex($bytes));
	is($r->{status}, 200, 'kept') or diag explain $r;
	my $a = $r->{json}{artifact};
	is_deeply([@{$a}{qw(orgId streamId streamType filename contentType size
	    sha256 storageKind createdByActorId deleted deletedAt
	    deletedByActorId)}],
	    [$s->{meshId}, $open, 'channel', 'a.txt', 'text/plain', 256,
	    sha256_hex($bytes), 'local-fs', $s->{peerA}{memberId},
	    $Cpanel::JSON::XS::false, undef, undef], 'what is said of it');
	my $e = $bob->wait_for(sub { ($_->{event} // '') eq
	    'artifact.registered' });
	is($e->{payload}{artifactId}, $a->{id}, 'who follows hears of it');
	is_deeply(asks('bob', GET => "/v1/artifacts/$a->{id}")->{json},
	    { artifact => $a }, 'asked for');
	is_deeply(asks('bob', GET => "/v1/streams/$open/artifacts")->{json},
	    { artifacts => [$a] }, 'listed');
	my $c = asks('bob', GET => "/v1/artifacts/$a->{id}/content");
	is($c->{body}, $bytes, 'its bytes');
	is_deeply([@{ $c->{headers} }{qw(content-type x-artifact-id
	    x-artifact-size x-artifact-sha256 x-content-type-options)}],
	    ['text/plain', $a->{id}, 256, $a->{sha256}, 'nosniff'],
	    'its headers');
	is(asks('bob', GET => "/v1/artifacts/$a->{id}/content", undef,
	    Range => 'bytes=10-19')->{body}, substr($bytes, 10, 10),
	    'a range of them');
	is(asks('bob', HEAD => "/v1/artifacts/$a->{id}/content")->{status},
	    200, 'HEAD');
	is(asks('bob', DELETE => "/v1/artifacts/$a->{id}")->{status}, 403,
	    'another one does not delete it');
	is(asks('bob', DELETE => "/v1/files/$a->{id}")->{json}{deleted},
	    $Cpanel::JSON::XS::false, 'nor as a file');
	is(asks('ann', GET => '/v1/files')->{body} =~ /\Q$a->{id}\E/, '',
	    'it is no file of the mesh');
	is(asks('ann', DELETE => "/v1/artifacts/$a->{id}?reason=old")->{json}
	    {ok}, $Cpanel::JSON::XS::true, 'who kept it does') for 1 .. 2;
	$e = $bob->wait_for(sub { ($_->{event} // '') eq 'artifact.deleted' });
	is($e->{payload}{reason}, 'old', 'and says why');
	my $gone = asks('bob', GET => "/v1/artifacts/$a->{id}")->{json}
	    {artifact};
	is_deeply([@{$gone}{qw(deleted deletedByActorId filename)}],
	    [$Cpanel::JSON::XS::true, $s->{peerA}{memberId}, 'a.txt'],
	    'that it was there is known');
	$c = asks('bob', GET => "/v1/artifacts/$a->{id}/content");
	is_deeply([$c->{status}, $c->{json}{error} // $c->{json}{message}],
	    [404, "artifact deleted: $a->{id}"], 'its bytes are gone');
	is_deeply(asks('bob', GET => "/v1/streams/$open/artifacts")->{json}
	    {artifacts}, [], 'it is not listed');
	is_deeply([map { $_->{id} } @{ asks('bob', GET => "/v1/streams/$open/" .
	    'artifacts?includeDeleted=true')->{json}{artifacts} }], [$a->{id}],
	    'but where that is asked for');
};

subtest 'private is a wall' => sub {
	my $a = keep('ann', $closed, 'secret')->{json}{artifact}{id};
	for ([GET => "/v1/artifacts/$a"], [GET => "/v1/artifacts/$a/content"],
	    [DELETE => "/v1/artifacts/$a"],
	    [GET => "/v1/streams/$closed/artifacts"],
	    [GET => "/v1/files/$a"]) {
		is(asks('bob', @$_)->{status}, 404, "@$_");
	}
	is(keep('bob', $closed, 'x')->{status}, 404, 'none is brought there');
	is(asks('ann', GET => "/v1/artifacts/$a/content")->{body}, 'secret',
	    'for a member it is there');
	$ann->request({ type => 'add_channel_member', channel => $closed,
	    member => $s->{peerB}{memberId} });
	is(asks('bob', GET => "/v1/artifacts/$a/content")->{body}, 'secret',
	    'for a new one, too');
	$ann->request({ type => 'remove_channel_member', channel => $closed,
	    member => $s->{peerB}{memberId} });
	is(asks('bob', GET => "/v1/artifacts/$a/content")->{status}, 404,
	    'and then it is not');
	my $m = $ann->request({ type => 'post', channel => $closed,
	    text => 'x' })->{messageId};
	my $t = $ann->request({ type => 'create_thread', channel => $closed,
	    messageId => $m })->{channelId};
	my $r = keep('ann', $t, 'in a thread', streamType => 'thread')->{json}
	    {artifact};
	is($r->{streamType}, 'thread', 'a thread');
	is(asks('bob', GET => "/v1/artifacts/$r->{id}")->{status}, 404,
	    'is behind the wall of its channel');
	$ann->request({ type => 'delete_channel', channel => $closed });
	is(asks('ann', GET => "/v1/artifacts/$a")->{status}, 404,
	    'a channel that is no more has none');
};

subtest 'what is asked for' => sub {
	my %good = (streamId => $open, streamType => 'channel',
	    filename => 'a', contentType => 'text/plain',
	    contentBase64 => 'eA==');
	for (['urlsafe', encode_base64url("\xff\xfe\xfd")],
	    ['unpadded', '_-79'], ['padded', '//79']) {
		my $r = asks('ann', POST => '/v1/artifacts', { %good,
		    contentBase64 => $_->[1] });
		is($r->{status}, 200, $_->[0]) or diag $r->{body};
	}
	for ([400, streamId => undef], [404, streamId => '0' x 32],
	    [404, streamId => 'nowhere'], [400, filename => ''],
	    [400, filename => "a\nb"], [413, filename => 'x' x 300],
	    [400, contentType => 'nonsense'], [400, contentType => "a/b\r\nX: y"],
	    [400, contentBase64 => ''], [400, contentBase64 => '===='],
	    [400, contentBase64 => '*'], [400, contentBase64 => 5],
	    [400, sha256 => 'x'], [400, sha256 => '0' x 64]) {
		my ($status, %bad) = @$_;
		my $r = asks('ann', POST => '/v1/artifacts', { %good, %bad });
		is($r->{status}, $status, join ' ', map { substr $_ // 'undef',
		    0, 30 } %bad) or diag $r->{body};
		like($r->{json}{error}, qr/\w/, 'says so');
	}
	is($b->http(POST => '/v1/artifacts', {},
	    Cpanel::JSON::XS::encode_json(\%good))
	    ->{status}, 401, 'without a token');
	$token{reader} = token($bob, 'channels:read');
	my $r = asks('reader', POST => '/v1/artifacts', \%good);
	is_deeply([$r->{status}, $r->{json}{capability}],
	    [403, 'artifact:register'], 'with one that only reads');
	is(asks('reader', GET => '/v1/artifacts/' . '0' x 32)->{status}, 404,
	    'one that is not there');
	is(asks('reader', GET => '/v1/artifacts/x/content')->{status}, 404,
	    'no id');
};

done_testing;
