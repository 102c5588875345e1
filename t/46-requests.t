#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Requests for permissions: opened by who lacks one, told to who may give it,
# decided once, heard of by who waits; and what they quote is for no other eyes
# than what it is quoted from.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Test::More;
use Time::HiRes 'time';
use Linnet 'wait_until';
use Linnet::Postgres;
use Linnet::Rest qw(platform_key principal rest);

my ($true, $false) = (Cpanel::JSON::XS::true, Cpanel::JSON::XS::false);
my $pg = Linnet::Postgres->new;
my @hosts = Linnet->hosts($pg, [qw(one two)], workers => 2, options => [
    platform_key(), 'rate.member 0', 'rate.requests 0', 'rate.refused 0']);
my $broker = $hosts[0];
my $seed = $broker->seed;
my $mesh = $seed->{meshId};
sub rows { return $pg->rows(@_) }
rows("update member set role = 'admin' where id = "
    . "'$seed->{peerA}{memberId}'");
my ($a, $b) = @{$seed}{qw(peerA peerB)};
my $ann = $broker->peer($a, name => 'ann');
my $away = $hosts[1]->peer($a, name => 'away');
my $bob = $hosts[1]->peer($b, name => 'bob');
my $boss = principal($a, qw(grant:create channel:create message:append));
my $bot = principal($b);

sub asks {
	my ($p, $type, %o) = @_;
	return $p->request({ type => $type, %o });
}
sub http_is {
	my ($r, $status, $what) = @_;
	is($r->{http}, $status, $what) or diag explain $r;
	return $r;
}
my $key = 0;
sub posts {
	my ($who, $stream, %o) = @_;
	return rest($broker, $who, POST => '/v1/messages', { streamId => $stream,
	    streamType => 'channel', idempotencyKey => 'k' . ++$key,
	    parts => [{ type => 'text', payload => { text => 'x' } }],
	    autoRequestOnDeny => $true, %o });
}
sub says {
	return parts => [{ type => 'text', payload => { text => $_[0] } }];
}
sub resolves {
	my ($who, $id, %o) = @_;
	return rest($broker, $who, POST =>
	    "/v1/permission-requests/$id/resolve", { approve => $true, %o });
}
sub open_of {
	my ($who, $query) = @_;
	return rest($hosts[1], $who, GET => '/v1/permission-requests'
	    . ($query // ''))->{requests};
}
sub hears {
	my ($p, $type, $id, $what) = @_;
	my $m = $p->wait_for(sub { ($_->{type} // '') eq $type
	    && $_->{payload}{requestId} eq $id });
	ok($m, "$what hears of it");
	return $m ? $m->{payload} : {};
}

my $dev = asks($ann, 'create_channel', name => 'dev')->{channelId};

my $first;
subtest 'what is denied' => sub {
	my $r = http_is(posts($bot, $dev, says('please'), idempotencyKey =>
	    'one'), 200, 'is answered');
	is_deeply([@$r{qw(denied capability resourceType resourceId)}],
	    [$true, 'message:append', 'channel', $dev], 'with what is lacking');
	ok(!exists $r->{messageId}, 'and no message');
	like($first = $r->{requestId}, qr/\A[0-9a-f]{32}\z/, 'and a request');
	for ([$ann, 'who may decide'], [$away, 'the same elsewhere']) {
		my $p = hears($_->[0], 'permission_request', $first, $_->[1]);
		is_deeply([@$p{qw(memberId name action resourceType
		    resourceId)}], [$b->{memberId}, 'peer-b',
		    'message:append', 'channel', $dev], 'all but the text');
		ok(!exists $p->{context}, 'which is not pushed');
	}
	is($bob->wait_for('permission_request', 0.2), undef, 'others do not');
	is(posts($bot, $dev, says('please'), idempotencyKey => 'one')
	    ->{requestId}, $first, 'asked again it is the same');
	is($ann->wait_for('permission_request', 0.2), undef, 'of which once');
	isnt(posts($bot, $dev, says('else'), idempotencyKey => 'two')
	    ->{requestId}, $first, 'another message is another');
	my $l = open_of($boss);
	is(scalar @$l, 2, 'both are open');
	is_deeply($l->[0]{context}, { kind => 'message.append', streamType =>
	    'channel', streamId => $dev, idempotencyKey => 'one',
	    partCount => 1, parts => [{ index => 0, type => 'text',
	    text => 'please' }] }, 'with what is to be posted');
	is_deeply([map { $_->{requestId} } @{ open_of($bot) }],
	    [map { $_->{requestId} } @$l], 'one sees one\'s own');
	is(open_of($boss, "?actorId=$a->{memberId}")->[0], undef,
	    'of another one there are none');
	is(scalar @{ asks($ann, 'list_permission_requests', member => 'peer-b',
	    limit => 1)->{requests} }, 1, 'a page');
	is(rows("select count(*) from event where payload like '%please%'"), 0,
	    'the journal does not quote');
	like(rows("select payload from event where type = "
	    . "'permission_request.created' order by n limit 1"),
	    qr/"context":\{"digest":"[0-9a-f]{64}"\}/, 'but knows what');
	http_is(posts($bot, $dev, autoRequestOnDeny => $false), 403,
	    'nothing is asked for unless it is wanted');
};

subtest 'approved' => sub {
	http_is(resolves($bot, $first), 403, 'not by oneself');
	http_is(resolves($bot, 'f' x 32), 403, 'who learns nothing');
	http_is(resolves($boss, $first, maxUses => 0), 400, 'nor for no use');
	http_is(resolves($boss, $first, expiresAt => '2020-01-01T00:00:00Z'),
	    400, 'nor in the past');
	my $r = http_is(resolves($boss, $first, maxUses => 1, notes => 'ok'),
	    200, 'by who may');
	is($r->{status}, 'approved', 'so');
	like($r->{grantId}, qr/\A[0-9a-f]{32}\z/, 'with a grant');
	my $p = hears($bob, 'permission_resolved', $first, 'who waits');
	is_deeply([@$p{qw(status grantId)}], ['approved', $r->{grantId}],
	    'and with what');
	http_is(resolves($boss, $first), 400, 'once');
	http_is(resolves($boss, $_), 404, "not $_") for 'nope', 'f' x 32;
	my $q = rest($broker, $bot, GET => "/v1/permission-requests/$first")
	    ->{request};
	is_deeply([@$q{qw(status notes grantId)}], ['approved', 'ok',
	    $r->{grantId}], 'as it stands');
	ok($q->{resolvedAt}, 'and since when');
	http_is(posts($bot, $dev, says('please'), idempotencyKey => 'one'),
	    200, 'then it is posted');
	my $again = posts($bot, $dev, idempotencyKey => 'three');
	ok($again->{denied}, 'once') or diag explain $again;
	isnt($again->{requestId}, $first, 'and asked for anew');
	is(rows("select string_agg(type, ' ' order by n) from event where "
	    . "type like 'grant.%' or type like 'permission_request.res%'"),
	    'grant.created permission_request.resolved grant.revoked',
	    'each with its line');
};

subtest 'denied' => sub {
	my $id = posts($bot, $dev, idempotencyKey => 'two', says('else'))
	    ->{requestId};
	my $r = http_is(resolves($boss, $id, approve => $false, notes =>
	    'not now'), 200, 'by who may');
	is_deeply([@$r{qw(status grantId)}], ['denied', undef], 'so');
	is(hears($bob, 'permission_resolved', $id, 'who waits')->{status},
	    'denied', 'and how');
	is(rest($broker, $bot, GET => "/v1/permission-requests/$id")
	    ->{request}{notes}, 'not now', 'and why');
	isnt(posts($bot, $dev, idempotencyKey => 'two', says('else'))
	    ->{requestId}, $id, 'who asks again asks anew');
};

subtest 'waiting' => sub {
	my $id = posts($bot, $dev, idempotencyKey => 'w')->{requestId};
	my $path = "/v1/permission-requests/$id?wait=";
	my $t = time;
	is(rest($hosts[1], $bot, GET => "${path}1")->{request}{status},
	    'open', 'for nothing');
	cmp_ok(time - $t, '>=', 0.9, 'takes its time');
	my @io = map { my $io = $_->tcp; $io->put(Linnet::Http::request(
	    GET => "${path}30", { %$bot, Connection => 'close' })); $io }
	    @hosts, @hosts;
	# One that goes away.
	my $gone = $hosts[1]->tcp;
	$gone->put(Linnet::Http::request(GET => "${path}30", $bot));
	rest($hosts[1], $bot, GET => "${path}1");
	$gone->drop;
	$t = time;
	resolves($boss, $id);
	is($_->answer('GET')->{json}{request}{status}, 'approved', 'hears it')
	    for @io;
	cmp_ok(time - $t, '<', 5, 'at once, on every host');
	$t = time;
	rest($broker, $bot, GET => "${path}30");
	cmp_ok(time - $t, '<', 5, 'and does not wait for what is over');
	rest($broker, $boss, POST =>
	    "/v1/actors/$b->{memberId}/revoke-grants", {});
};

subtest 'private' => sub {
	my $den = asks($bob, 'create_channel', name => 'den', private => \1)
	    ->{channelId};
	my $board = asks($ann, 'create_channel', name => 'board',
	    private => \1)->{channelId};
	my $before = @{ open_of($boss) };
	http_is(posts($bot, $board), 404, 'what is not seen is not there');
	is(scalar @{ open_of($boss) }, $before, 'and not asked for');
	my $id = http_is(posts($bot, $den, says('secret')), 200, 'one\'s own')
	    ->{requestId};
	my ($q) = grep { $_->{requestId} eq $id } @{ open_of($boss) };
	is($q->{context}, undef, 'is not quoted to who is outside');
	($q) = grep { $_->{requestId} eq $id } @{ open_of($bot) };
	is($q->{context}{parts}[0]{text}, 'secret', 'but inside');
	asks($bob, 'add_channel_member', channel => $den, member => 'peer-a');
	is(rest($broker, $boss, GET => "/v1/permission-requests/$id")
	    ->{request}{context}{parts}[0]{text}, 'secret',
	    'and to who comes in');
	resolves($boss, $id, approve => $false);
	# Whether it is there or not makes no difference.
	my @ids = map { rest($broker, $bot, POST => '/v1/permission-requests',
	    { action => 'message:append', resourceType => 'channel',
	    resourceId => $_, context => { why => 'x' } })->{requestId} }
	    $board, 'e' x 32;
	my %of = map { $_->{requestId} => $_->{context} } @{ open_of($boss) };
	is($of{ $ids[1] }, undef, 'of what is not there nothing is shown');
	is_deeply($of{ $ids[0] }, { why => 'x' }, 'and of what is seen all');
	resolves($boss, $_, approve => $false) for @ids;
};

subtest 'a command' => sub {
	my $w = principal($b, 'message:append');
	my $r = http_is(posts($w, $dev, parts => [{ type => 'command',
	    payload => { command => 'ship', args => { env => 'x', y => 1 },
	    invocationId => 'i1' } }]), 200, 'takes a permission more');
	is_deeply([@$r{qw(denied capability)}], [$true, 'command:invoke'],
	    'which it names');
	my ($q) = grep { $_->{requestId} eq $r->{requestId} }
	    @{ open_of($boss) };
	is_deeply([@{ $q->{context} }{qw(kind commands)}], ['command.invoke',
	    [{ command => 'ship', invocationId => 'i1', partIndex => 0,
	    argKeys => ['env', 'y'] }]], 'with what it would do');
	resolves($boss, $r->{requestId}, maxUses => 1);
	# Neither is used up unless both are there.
	rest($broker, $boss, POST => '/v1/grants', { actorId => $b->{memberId},
	    capability => 'message:append', resourceType => 'channel',
	    resourceId => $dev, maxUses => 1 });
	http_is(posts($bot, $dev, parts => [{ type => 'command', payload =>
	    { command => 'ship' } }]), 200, 'then it is called');
	is(rows("select string_agg(uses || '', ' ') from permission_grant "
	    . "where max_uses = 1 and member_id = '$b->{memberId}' and "
	    . "created_at > now() - interval '1 minute' and capability in "
	    . "('command:invoke', 'message:append')"), '1 1 1', 'both used');
};

subtest 'by hand' => sub {
	my %q = (action => 'tool:execute:deploy', resourceType => 'org');
	my $r = http_is(rest($broker, $bot, POST => '/v1/permission-requests',
	    { %q, context => { tool => 'deploy', args => [1] } }), 200,
	    'of any kind');
	is_deeply(rest($broker, $boss, GET => '/v1/permission-requests/'
	    . $r->{requestId})->{request}{context}, { tool => 'deploy',
	    args => [1] }, 'with what it is for');
	is(rest($broker, $bot, POST => '/v1/permission-requests', { %q,
	    idempotencyKey => 'h' })->{requestId}, rest($hosts[1], $bot,
	    POST => '/v1/permission-requests', { %q, idempotencyKey => 'h' })
	    ->{requestId}, 'once');
	http_is(rest($broker, $bot, POST => '/v1/permission-requests',
	    { %q, context => $_ }), 400, 'what it is for is an object')
	    for 'x', [], 5;
	http_is(rest($broker, $bot, POST => '/v1/permission-requests',
	    { %q, action => 'service' }), 400, 'not what no grant gives');
	resolves($boss, $r->{requestId});
	is(rest($broker, $bot, GET => '/v1/grants/check?capability='
	    . $q{action})->{hasGrant}, $true, 'then it may');
	$r = asks($bob, 'request_permission', action => 'channel:admin',
	    resourceType => 'channel', resourceId => $dev);
	is($r->{type}, 'permission_requested', 'by a session');
	is(asks($ann, 'resolve_permission', requestId => $r->{requestId},
	    approve => \1, maxUses => 1)->{type}, 'permission_resolution',
	    'for a session');
	is(asks($bob, 'get_permission_request', requestId => $r->{requestId})
	    ->{request}{status}, 'approved', 'as it stands');
	is(asks($bob, 'delete_channel', channel => 'dev')->{type},
	    'channel_deleted', 'which opens the gate');
};

subtest 'who decides' => sub {
	my $self = principal($a, 'grant:create');
	my $mine = sub { rest($broker, $_[0], POST => '/v1/permission-requests',
	    { action => 'x:y', resourceType => 'org' })->{requestId} };
	http_is(resolves($self, $mine->($self)), 200,
	    'oneself, who might have granted it');
	rest($broker, $boss, POST => '/v1/grants', { actorId => $b->{memberId},
	    capability => 'grant:create', resourceType => 'org' });
	http_is(resolves($bot, $mine->($bot)), 403, 'not by a grant');
	http_is(resolves($bot, $mine->($self)), 200, 'which is for others');
	cmp_ok(scalar @{ open_of($bot) }, '>', 0, 'and sees all');
	my $n;
	for (1 .. 110) {
		my $r = rest($broker, $bot, POST => '/v1/permission-requests',
		    { action => 'x:y', resourceType => 'org' });
		$n = $r->{http};
		last if $n != 200;
	}
	is($n, 429, 'and nobody asks without end');
};

is($_->stop, 0, 'stops') for reverse @hosts;
done_testing;
