#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Operations about files over HTTP: what is asked stands in path and query.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use utf8;
use Test::More;
use Linnet;

my $b = Linnet->broker(workers => 1);
my $s = $b->seed;
my ($ann, $bob) = map { $b->peer($_) } @{$s}{qw(peerA peerB)};

sub token {
	my ($p, @scopes) = @_;
	return $p->request({ type => 'create_token', name => 'x',
	    @scopes ? (scopes => \@scopes) : () })->{token};
}
my ($mine, $his) = map { token($_) } $ann, $bob;

sub asks {
	my ($method, $path, $token) = @_;
	$token //= $mine;
	utf8::encode($path);
	return $b->http($method, $path, $token eq '' ? {}
	    : { Authorization => "Bearer $token" });
}
sub put {
	my ($name, $tags, $token) = @_;
	my $r = $b->http('POST', "/v1/files?name=$name&tags=$tags",
	    { Authorization => 'Bearer ' . ($token // $mine) }, "of $name");
	is($r->{status}, 201, "$name is there");
	return $r->{json}{fileId};
}
sub names { return join ' ', map { $_->{name} } @{ $_[0]{json}{files} } }

my $plan = put('plan.txt', 'plan,big');
my $status = put('status', 'plan');
put('other.txt', 'x', $his);

subtest 'list' => sub {
	my $r = asks('GET', '/v1/files');
	is($r->{status}, 200, 'all of them');
	is(names($r), 'other.txt status plan.txt', 'the newest first');
	for (['query=TXT', 'other.txt plan.txt'], ['tags=plan', 'status plan.txt'],
	    ['tags=plan,big', 'plan.txt'], ['from=peer-b', 'other.txt'],
	    ['query=%73tat', 'status'], ['query=none', ''],
	    ['limit=1', 'other.txt'], ['what=ever', 'other.txt status plan.txt']) {
		is(names(asks('GET', "/v1/files?$_->[0]")), $_->[1], $_->[0]);
	}
	my $page = asks('GET', '/v1/files?limit=2')->{json};
	is(names(asks('GET', "/v1/files?limit=2&after=$page->{next}")),
	    'plan.txt', 'pages');
	is(asks('HEAD', '/v1/files')->{status}, 200, 'HEAD');

	my ($next, @all) = '/v1/files?limit=1&tags=plan';
	while (defined $next && @all < 5) {
		my $r = asks('GET', $next);
		push @all, names($r);
		($next) = ($r->{headers}{link} // '')
		    =~ /\A<(\S+)>; rel="next"\z/;
	}
	is("@all", 'status plan.txt', 'Link leads from page to page');
	my $h = asks('GET', '/v1/files')->{headers};
	is($h->{link}, undef, 'and there is none at the end');
	my ($q, $w) = ($h->{'ratelimit-policy'} // '')
	    =~ /\A"requests";q=(\d+);w=(\d+)\z/;
	my ($left, $t) = ($h->{ratelimit} // '')
	    =~ /\A"requests";r=(\d+);t=(\d+)\z/;
	ok($q && $w && defined $left && $left <= $q && $t <= $w,
	    'what may still be asked for') or diag explain $h;
	is(asks('GET', '/v1/files', '')->{headers}{ratelimit}, undef,
	    'not for who is nobody');
};

subtest 'one' => sub {
	my $r = asks('GET', "/v1/files/$plan");
	is($r->{json}{name}, 'plan.txt', 'what it is');
	my $path = $r->{json}{url} =~ s{^\w+://[^/]+}{}r;
	is($b->http('GET', $path)->{body}, 'of plan.txt', 'and a link');
	my $who;
	wait_until { ($who) = map { $_->{peerName} } @{ asks('GET',
	    "/v1/files/$plan/status", $his)->{json}{accesses} } } 10;
	is($who, 'peer-a', 'who read it');
	$path = asks('GET', "/v1/files/$status")->{json}{url}
	    =~ s{^\w+://[^/]+}{}r;
	is($b->http('GET', $path)->{body}, 'of status',
	    'a file may have any name');
	is(asks('DELETE', "/v1/files/$plan", $his)->{status}, 403,
	    'is deleted by its uploader');
	is(asks('DELETE', "/v1/files/$plan")->{status}, 200, 'alone');
	is(asks('GET', "/v1/files/$plan")->{status}, 404, 'then it is gone');
	is(asks('DELETE', "/v1/files/$plan")->{status}, 200, 'again is fine');
};

# RFC 9110 11.4: any case, and one space or more; at every door.
subtest 'how a token is shown' => sub {
	for my $shown ("Bearer $mine", "bearer   $mine") {
		my %h = (Authorization => $shown);
		is($b->http('GET', '/v1/files', \%h)->{status}, 200, 'REST');
		is($b->http('POST', '/v1/files?name=shown', \%h, 'x')
		    ->{status}, 201, 'uploads');
		is($b->http('POST', '/mcp', { %h, 'Content-Type' =>
		    'application/json', Accept =>
		    'application/json, text/event-stream' },
		    '{"jsonrpc":"2.0","id":1,"method":"ping"}')->{status},
		    200, 'MCP');
	}
	for my $shown ("Basic $mine", 'Bearer', 'Bearer    ', $mine) {
		my %h = (Authorization => $shown);
		is($b->http('GET', '/v1/files', \%h)->{status}, 401,
		    'is shown: REST');
		is($b->http('POST', '/v1/files?name=shown', \%h, 'x')
		    ->{status}, 401, 'is shown: uploads');
		is($b->http('POST', '/mcp', { %h, 'Content-Type' =>
		    'application/json', Accept =>
		    'application/json, text/event-stream' },
		    '{"jsonrpc":"2.0","id":1,"method":"ping"}')->{status},
		    401, 'is shown: MCP');
	}
};

subtest 'refused' => sub {
	my $id = 'f' x 32;
	my $reads = token($ann, 'files:read');
	for (['GET', '/v1/files', 401, qr/token/, ''],
	    ['GET', "/v1/files/$id", 401, qr/token/, ''],
	    ['DELETE', "/v1/files/$id", 401, qr/token/, ''],
	    ['GET', '/v1/files', 401, qr/token/, 'wat_x'],
	    ['DELETE', "/v1/files/$status", 403, qr/files:write/, $reads],
	    ['GET', '/v1/files', 403, qr/files:read/,
		token($ann, 'state:read')],
	    ['GET', "/v1/files/$id", 404, qr/no/i],
	    ['GET', "/v1/files/$id/status", 404, qr/no/i],
	    ['GET', '/v1/files/x', 404, qr/fileId/],
	    ['GET', '/v1/files/x/status', 404, qr/fileId/],
	    ['GET', '/v1/files/%00', 400, qr/./],
	    ['GET', '/v1/files/' . 'f' x 33, 404, qr/fileId/],
	    (map { ['GET', "/v1/files?limit=$_", 400, qr/limit/] } 'x', '',
		'0', '-1', '101', '1.5', '1e2', '9' x 30, '01', 'true'),
	    ['GET', '/v1/files?after=x', 400, qr/after/],
	    ['GET', '/v1/files?query=' . 'x' x 300, 413, qr/query/],
	    ['GET', '/v1/files?query=%ff', 400, qr/UTF-8/],
	    ['GET', '/v1/files?tags=' . join(',', 1 .. 40), 413, qr/tags/],
	    ['GET', '/v1/files//status', 404, qr/nothing here/],
	    ['GET', "/v1/files/$id/none", 403, qr/link/],
	    ['PUT', '/v1/files', 405, qr/another method/],
	    ['POST', "/v1/files/$id", 405, qr/another method/]) {
		my ($method, $path, $code, $says, $token) = @$_;
		my $r = asks($method, $path, $token);
		is($r->{status}, $code, "$method " . substr $path, 0, 60);
		like($r->{body}, $says, 'and says why');
		ok($r->{headers}{allow}, 'and what else') if $code == 405;
	}
	is(names(asks('GET', '/v1/files')), 'shown shown other.txt status',
	    'nothing came of it');
};

is($b->stop, 0, 'stops');
done_testing;
