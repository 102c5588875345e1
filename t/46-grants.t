#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Grants: what a member may do beside its role and its tokens, on what, how
# long, how often and within what; used up by the deed itself; and nothing else
# opens a gate, or a wall.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA 'sha256_hex';
use POSIX 'strftime';
use Test::More;
use Linnet 'wait_until';
use Linnet::Postgres;
use Linnet::Rest qw(platform_key principal rest);

my $pg = Linnet::Postgres->new;
my @hosts = Linnet->hosts($pg, [qw(one two)], workers => 2, options => [
    platform_key(), 'rate.member 0', 'rate.requests 0', 'rate.refused 0']);
my $broker = $hosts[0];
my $seed = $broker->seed;
my $mesh = $seed->{meshId};
sub rows { return $pg->rows(@_) }
# Ann may grant; Bob is a member.
rows("update member set role = 'admin' where id = "
    . "'$seed->{peerA}{memberId}'");
my ($a, $b) = @{$seed}{qw(peerA peerB)};
my $ann = $broker->peer($a, name => 'ann');
my $bob = $hosts[1]->peer($b, name => 'bob');
# The same without a session: what its back end says of it.
my @admin = qw(grant:create channel:create message:append command:invoke);
my ($boss, $bot) = (principal($a, @admin), principal($b));

sub asks {
	my ($p, $type, %o) = @_;
	return $p->request({ type => $type, %o });
}
sub refused {
	my ($r, $code, $what) = @_;
	is($r->{type} eq 'error' ? $r->{code} : $r->{type}, $code, $what)
	    or diag explain $r;
	return;
}
sub http_is {
	my ($r, $status, $what) = @_;
	is($r->{http}, $status, $what) or diag explain $r;
	return $r;
}
sub grants {
	my (%o) = @_;
	return http_is(rest($broker, $boss, POST => '/v1/grants',
	    { actorId => $b->{memberId}, %o }), 200,
	    "a grant of $o{capability}")->{grantId};
}
my $key = 0;
sub posts {
	my ($who, $stream, %o) = @_;
	my $host = delete $o{host} // $broker;
	return rest($host, $who, POST => '/v1/messages', { streamId => $stream,
	    streamType => 'channel', idempotencyKey => 'k' . ++$key,
	    parts => [{ type => 'text', payload => { text => 'x' } }], %o });
}
sub verified {
	my ($prev, $n) = ('', 0);
	for (split /\n/, rows("select type || '~' || payload || '~' || "
	    . "to_char(created_at at time zone 'UTC', "
	    . "'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') || '~' || "
	    . "encode(hash, 'hex') from event where mesh_id = '$mesh' "
	    . 'order by n')) {
		my ($type, $payload, $at, $hash) = split /~/;
		$n++;
		$prev = sha256_hex("$prev|$type|$payload|$at");
		return "line $n has another hash" if $prev ne $hash;
	}
	return $n;
}
sub lines {
	return rows("select payload from event where mesh_id = '$mesh' and "
	    . "type = '$_[0]' order by n");
}

my $dev = asks($ann, 'create_channel', name => 'dev')->{channelId};
my $lab = asks($ann, 'create_channel', name => 'lab')->{channelId};

subtest 'without one' => sub {
	my $r = http_is(posts($bot, $dev), 403, 'nothing is posted');
	is_deeply([@$r{qw(code capability resourceType resourceId)}],
	    ['PERMISSION_DENIED', 'message:append', 'channel', $dev],
	    'and it says what is lacking');
	is(http_is(rest($broker, $bot, POST => '/v1/channels',
	    { name => 'x' }), 403, 'no channel made')->{capability},
	    'channel:create', 'for want of that');
	my $m = posts($boss, $dev)->{messageId};
	is(http_is(rest($broker, $bot, POST => '/v1/threads',
	    { channelId => $dev, parentMessageId => $m }), 403, 'no thread')
	    ->{capability}, 'thread:create', 'nor that');
	is(http_is(rest($broker, $bot, POST => "/v1/messages/$m/redact", {}),
	    403, 'nothing redacted')->{capability}, 'message:redact', 'nor');
	is(http_is(rest($broker, $bot, DELETE => "/v1/channels/$dev"), 403,
	    'and nothing deleted')->{capability}, 'channel:admin', 'nor that');
	refused(asks($bob, 'delete_channel', channel => 'dev'), 'forbidden',
	    'nor by a session');
	is(asks($bob, 'post', channel => 'dev', text => 'y')->{type},
	    'posted', 'which has what its role has');
	is(http_is(rest($broker, $bot, POST => '/v1/grants', { actorId =>
	    $b->{memberId}, capability => 'message:append', resourceType =>
	    'channel' }), 403, 'nor does it grant')->{capability},
	    'grant:create', 'for want of that');
};

subtest 'with one' => sub {
	my $g = grants(capability => 'message:append', resourceType =>
	    'channel', resourceId => $dev);
	http_is(posts($bot, $dev), 200, 'it is posted');
	http_is(posts($bot, $dev, host => $hosts[1]), 200, 'on every host');
	http_is(posts($bot, $lab), 403, 'there, and not elsewhere');
	is(rest($broker, $bot, GET => '/v1/grants/check?capability='
	    . 'message:append')->{hasGrant}, Cpanel::JSON::XS::true,
	    'it has one');
	is(rest($broker, $bot, GET => '/v1/grants/check?capability='
	    . "message:append&resourceType=channel&resourceId=$lab")
	    ->{hasGrant}, Cpanel::JSON::XS::false, 'not for that');
	my $l = rest($broker, $boss, GET => "/v1/actors/$b->{memberId}/grants");
	is_deeply([map { [@$_{qw(grantId capability usesCount maxUses
	    remainingUses constraints)}] } @{ $l->{grants} }],
	    [[$g, 'message:append', 2, undef, undef, {}]], 'which is listed');
	is_deeply([map { $_->{grantId} } @{ asks($bob, 'list_grants')
	    ->{grants} }], [$g], 'for who has it, too');
	http_is(rest($broker, $bot, GET => "/v1/actors/$a->{memberId}/grants"),
	    403, 'but not for others');
	is(http_is(rest($broker, $bot, GET => '/v1/grants/check?capability='
	    . "channel:create&actorId=$a->{memberId}"), 200, 'one may ask')
	    ->{hasGrant}, Cpanel::JSON::XS::false, 'but they are not there');
	http_is(rest($broker, $bot, POST => "/v1/grants/$g/revoke", {}), 403,
	    'nor take it away');
	is(http_is(rest($broker, $boss, POST => "/v1/grants/$g/revoke",
	    { reason => 'enough' }), 200, 'it is taken away')->{ok},
	    Cpanel::JSON::XS::true, 'so');
	http_is(posts($bot, $dev), 403, 'and no more is posted');
	is(http_is(rest($broker, $boss, POST => "/v1/grants/$g/revoke", {}),
	    200, 'again')->{existed}, Cpanel::JSON::XS::false,
	    'is nothing new');
	http_is(rest($broker, $boss, POST => "/v1/grants/$_/revoke", {}), 404,
	    'one that is none') for 'nope', 'f' x 32;
	is(rest($broker, $bot, GET => '/v1/grants/check?capability='
	    . 'message:append')->{hasGrant}, Cpanel::JSON::XS::false,
	    'it has none');
	is(rest($broker, $boss, GET => '/v1/grants/check?capability='
	    . 'channel:create')->{hasGrant}, Cpanel::JSON::XS::true,
	    'what one may anyway counts');
	like(lines('grant.revoked'), qr/"reason":"enough"/, 'and why');
};

subtest 'of a type' => sub {
	my $g = grants(capability => 'message:append', resourceType =>
	    'channel');
	http_is(posts($bot, $_), 200, 'all of them') for $dev, $lab;
	my $m = posts($boss, $dev)->{messageId};
	my $t = rest($broker, principal($a, 'thread:create'), POST =>
	    '/v1/threads', { channelId => $dev, parentMessageId => $m,
	    visibility => 'public' })->{threadId};
	is(http_is(posts($bot, $t), 403, 'a thread is another type')
	    ->{resourceType}, 'thread', 'as it says');
	my $board = asks($ann, 'create_channel', name => 'board',
	    private => \1)->{channelId};
	http_is(posts($bot, $board), 404, 'and a wall stays a wall');
	my $n = posts($boss, $board)->{messageId};
	grants(capability => 'message:redact', resourceType => 'channel');
	http_is(rest($broker, $bot, POST => "/v1/messages/$n/redact", {}), 404,
	    'for every deed');
	grants(capability => 'channel:admin', resourceType => 'channel');
	http_is(rest($broker, $bot, DELETE => "/v1/channels/$board"), 404,
	    'of those');
	http_is(rest($broker, $bot, POST => "/v1/channels/$board/members",
	    { actorId => $b->{memberId} }), 404, 'and no door in it');
	grants(capability => 'thread:create', resourceType => 'channel');
	http_is(rest($broker, $bot, POST => '/v1/threads', { channelId =>
	    $board, parentMessageId => $n }), 404, 'nor there');
	http_is(rest($broker, $bot, POST => "/v1/messages/$m/redact", {}), 200,
	    'what is seen is redacted');
	my $r = http_is(rest($broker, $boss, POST =>
	    "/v1/actors/$b->{memberId}/revoke-grants", {}), 200, 'all at once');
	is(scalar @{ $r->{revokedGrantIds} }, 4, 'are taken away');
	http_is(posts($bot, $dev), 403, 'and gone');
	is(scalar(() = lines('grant.revoked') =~ /"bulk":true/g), 4,
	    'each with its line');
};

subtest 'so long' => sub {
	my $at = sub { strftime('%FT%TZ', gmtime time + $_[0]) };
	grants(capability => 'message:append', resourceType => 'channel',
	    expiresAt => $at->(2));
	http_is(posts($bot, $dev), 200, 'until then');
	wait_until { posts($bot, $dev)->{http} == 403 } 10;
	is_deeply(rest($broker, $boss, GET =>
	    "/v1/actors/$b->{memberId}/grants")->{grants}, [], 'then no more');
	for my $bad ($at->(-5), '2030-01-01', 'tomorrow', 5) {
		http_is(rest($broker, $boss, POST => '/v1/grants', { actorId =>
		    $b->{memberId}, capability => 'x:y', resourceType => 'org',
		    expiresAt => $bad }), 400, "not $bad");
	}
	# A time with an offset is that time.
	my $zone = strftime('%FT%T+14:00', gmtime time + 14 * 3600 - 60);
	http_is(rest($broker, $boss, POST => '/v1/grants', { actorId =>
	    $b->{memberId}, capability => 'x:y', resourceType => 'org',
	    expiresAt => $zone }), 400, 'nor an earlier one of elsewhere');
};

subtest 'so often' => sub {
	grants(capability => 'message:append', resourceType => 'channel',
	    resourceId => $dev, maxUses => 2);
	my $r = http_is(posts($bot, $dev, idempotencyKey => 'once'), 200, 'one');
	is(http_is(posts($bot, $dev, idempotencyKey => 'once'), 200, 'again')
	    ->{messageId}, $r->{messageId}, 'is the same');
	http_is(posts($bot, $dev, parts => [{ type => 'mention', payload => {
	    actorId => 'f' x 32 } }]), 400, 'what fails costs nothing');
	http_is(posts($bot, $dev), 200, 'two');
	http_is(posts($bot, $dev), 403, 'no more');
	is(http_is(posts($bot, $dev, idempotencyKey => 'once'), 200,
	    'what was posted')->{messageId}, $r->{messageId}, 'stays so');
	like(lines('grant.revoked'), qr/\A.*^\{"autoRevoked":true,"grantId":
	    "[0-9a-f]{32}","orgId":"$mesh","reason":"max_uses\ exhausted"\}\z
	    /msx, 'its end has a line');
	my $o = rows("select string_agg(type, ' ' order by n) from (select * "
	    . "from event where mesh_id = '$mesh' order by n desc limit 2) e");
	is($o, 'grant.revoked message.appended', 'before the last deed');
};

subtest 'constraints' => sub {
	my $bad = sub {
		my ($c, %o) = @_;
		my $r = http_is(rest($broker, $boss, POST => '/v1/grants',
		    { actorId => $b->{memberId}, capability =>
		    'message:append', resourceType => 'channel',
		    constraints => $c, %o }), 400, 'not '
		    . Cpanel::JSON::XS->new->allow_nonref->encode($c));
		is($r->{code}, 'VALIDATION', 'which is said');
	};
	$bad->($_) for { color => 'red' }, [], 'x', { maxParts => 0 },
	    { maxParts => 1.5 }, { maxBytes => 'x' }, { partTypes => [] },
	    { partTypes => ['song'] }, { channelIds => ['dev'] },
	    { channelIds => [] };
	$bad->({ maxParts => 1 }, capability => 'channel:create');
	$bad->({ channelIds => [$dev] }, capability => 'tool:execute:x');
	my $text = { type => 'text', payload => { text => 'x' } };
	my $ui = { type => 'ui', payload => {} };
	my $try = sub {
		my ($c, $good, $wrong) = @_;
		my $g = grants(capability => 'message:append', resourceType =>
		    'channel', constraints => $c);
		http_is(posts($bot, @$wrong), 403, 'else not');
		http_is(posts($bot, @$good), 200, 'within '
		    . join ' ', sort keys %$c);
		rest($broker, $boss, POST => "/v1/grants/$g/revoke", {});
	};
	$try->({ channelIds => [uc $dev] }, [$dev], [$lab]);
	$try->({ maxParts => 2 }, [$dev, parts => [$text, $text]],
	    [$dev, parts => [$text, $text, $text]]);
	$try->({ partTypes => ['text', 'tool_call'] }, [$dev],
	    [$dev, parts => [$text, $ui]]);
	$try->({ maxBytes => 100 }, [$dev], [$dev, parts => [{ type => 'text',
	    payload => { text => 'x' x 100 } }]]);
	$try->({ maxBytes => 200, maxParts => 1, partTypes => ['text'],
	    channelIds => [$dev] }, [$dev], [$lab]);
};

subtest 'what cannot be' => sub {
	for my $c ('channels:write', 'service', 'org:admin', 'audit:read',
	    'state:write') {
		http_is(rest($broker, $boss, POST => '/v1/grants', { actorId =>
		    $b->{memberId}, capability => $c, resourceType => 'org' }),
		    400, "no grant gives $c");
	}
	http_is(rest($broker, $boss, POST => '/v1/grants', { actorId => $_,
	    capability => 'x', resourceType => 'org' }), 404, 'for nobody')
	    for 'nobody', 'f' x 32;
	http_is(rest($broker, $boss, POST => '/v1/grants', { actorId =>
	    $b->{memberId}, capability => 'message:append', resourceType =>
	    'channel', resourceId => 'dev' }), 400, 'a channel has an id');
	http_is(rest($broker, $boss, POST => '/v1/grants', { actorId =>
	    $b->{memberId}, capability => 'x', resourceType => 'org',
	    maxUses => $_ }), 400, "$_ times") for 0, -1, 1.5;
};

subtest 'the right to grant' => sub {
	my $g = grants(capability => 'grant:create', resourceType => 'org',
	    resourceId => $mesh, maxUses => 2);
	is(http_is(rest($broker, $bot, POST => '/v1/grants', { actorId =>
	    $b->{memberId}, capability => 'message:append', resourceType =>
	    'channel' }), 403, 'is not for oneself')->{capability},
	    'grant:create', 'where it was granted');
	http_is(rest($broker, $bot, POST => '/v1/grants', { actorId =>
	    $a->{memberId}, capability => 'x:y', resourceType => 'org' }), 200,
	    'but for another');
	http_is(rest($broker, $bot, GET => "/v1/actors/$a->{memberId}/grants"),
	    200, 'and to look');
	http_is(rest($broker, $bot, POST =>
	    "/v1/actors/$a->{memberId}/revoke-grants", {}), 200, 'twice');
	http_is(rest($broker, $bot, POST => '/v1/grants', { actorId =>
	    $a->{memberId}, capability => 'x:y', resourceType => 'org' }), 403,
	    'no more');
};

subtest 'what is one\'s own' => sub {
	grants(capability => 'channel:create', resourceType => 'org',
	    maxUses => 1);
	my $c = http_is(rest($broker, $bot, POST => '/v1/channels',
	    { name => 'mine', visibility => 'public' }), 200,
	    'a channel by a grant')->{channelId};
	http_is(rest($broker, $bot, POST => '/v1/channels', { name => 'two' }),
	    403, 'one');
	http_is(posts($bot, $c), 403, 'who owns it does not post');
	http_is(rest($broker, $bot, POST => "/v1/channels/$c/members",
	    { actorId => $a->{memberId} }), 200, 'but says who is in it');
	my $t = asks($bob, 'create_token', scopes => ['member',
	    'channels:read'])->{token};
	is(http_is(rest($hosts[1], $t, DELETE => "/v1/channels/$c"), 403,
	    'a token that reads owns nothing')->{capability},
	    'channel:admin', 'and says so');
	my $m = asks($bob, 'post', channel => $c, text => 'by bob')->{messageId};
	http_is(rest($hosts[1], $t, POST => "/v1/messages/$m/redact", {}), 403,
	    'and takes nothing back');
	http_is(rest($broker, $bot, POST => "/v1/messages/$m/redact", {}), 200,
	    'which an author does');
	http_is(rest($broker, $bot, DELETE => "/v1/channels/$c"), 200,
	    'as an owner deletes');
	refused(asks($bob, 'add_channel_member', channel => 'dev', member =>
	    $b->{memberId}, role => 'owner'), 'forbidden',
	    'nobody makes itself an owner');
	is(asks($bob, 'join_channel', channel => 'dev')->{role}, 'member',
	    'but comes in');
	refused(asks($bob, 'add_channel_member', channel => 'dev', member =>
	    $b->{memberId}, role => 'admin'), 'forbidden', 'as a member');
};

subtest 'tokens' => sub {
	my $t = asks($bob, 'create_token', scopes => ['member',
	    'channels:read'])->{token};
	http_is(posts($t, $dev, host => $hosts[1]), 403, 'one that reads does not write');
	grants(capability => 'message:append', resourceType => 'channel',
	    maxUses => 1);
	http_is(posts($t, $dev, host => $hosts[1]), 200, 'but for a grant');
	http_is(posts($t, $dev, host => $hosts[1]), 403, 'which it uses up');
	my $w = asks($bob, 'create_token', scopes => ['message:append'])->{token};
	http_is(posts($w, $dev, host => $hosts[1]), 200, 'a token with one deed has that');
	http_is(rest($hosts[1], $w, POST => '/v1/channels', { name => 'no' }),
	    403, 'and no other');
};

subtest 'artifacts' => sub {
	my %file = (streamId => $dev, streamType => 'channel', filename => 'x',
	    contentType => 'text/plain', contentBase64 => 'eHl6');
	my $keeps = sub { rest($broker, $_[0], POST => '/v1/artifacts',
	    { %file }) };
	is(http_is($keeps->($bot), 403, 'none is kept')->{capability},
	    'artifact:register', 'for want of that');
	grants(capability => 'artifact:register', resourceType => 'channel',
	    resourceId => $dev, maxUses => 1);
	my $id = http_is($keeps->($bot), 200, 'but for a grant')->{artifact}{id};
	http_is($keeps->($bot), 403, 'once');
	grants(capability => 'message:append', resourceType => 'channel',
	    resourceId => $dev, maxUses => 1);
	http_is($keeps->($bot), 200, 'who may post may do that');
	http_is($keeps->($bot), 403, 'as often');
	my $t = asks($bob, 'create_token', scopes => ['channels:read'])
	    ->{token};
	http_is(rest($hosts[1], $t, DELETE => "/v1/artifacts/$id"), 403,
	    'a token that reads deletes nothing');
	http_is(rest($broker, $bot, DELETE => "/v1/artifacts/$id"), 200,
	    'which who kept it does');
	$id = http_is($keeps->($boss), 200, 'of another one')->{artifact}{id};
	is(http_is(rest($broker, $bot, DELETE => "/v1/artifacts/$id"), 403,
	    'it does not')->{capability}, 'artifact:admin', 'as it says');
	grants(capability => 'artifact:admin', resourceType => 'channel',
	    maxUses => 1);
	http_is(rest($broker, $bot, DELETE => "/v1/artifacts/$id"), 200,
	    'but for a grant');
};

# What is not used up, and is about no message.
subtest 'webhooks, durable streams and memory' => sub {
	my $hook = sub {
		return rest($broker, principal($b, 'channels:read'), POST =>
		    '/v1/webhooks/subscriptions', { endpoint =>
		    'https://hooks.example/x', eventTypes => ['*'], @_ });
	};
	my $r = http_is($hook->(), 403, 'no webhook');
	is_deeply([@$r{qw(capability resourceType resourceId)}],
	    ['webhook:subscribe', 'org', $mesh], 'for want of that');
	is(http_is($hook->(streamId => $lab), 403, 'nor of a channel')
	    ->{resourceId}, $lab, 'which it names');
	grants(capability => 'webhook:subscribe', resourceType => 'channel',
	    resourceId => $dev, maxUses => 1);
	http_is($hook->(), 403, 'a grant of a channel is not one of all');
	http_is($hook->(streamId => $lab), 403, 'nor of another');
	http_is($hook->(streamId => $dev), 200, 'but of that');
	my $mine = http_is($hook->(streamId => $dev), 200, 'again: it is '
	    . 'not used up')->{subscriptionId};
	my $wall = asks($ann, 'create_channel', name => 'walled', private =>
	    Cpanel::JSON::XS::true)->{channelId};
	grants(capability => 'webhook:subscribe', resourceType => 'org');
	http_is($hook->(), 200, 'one of the mesh');
	http_is($hook->(streamId => $wall), 404, 'opens no wall');

	my $see = sub { return join ' ', sort map { $_->{id} } @{ asks($bob,
	    'list_webhooks')->{subscriptions} } };
	my ($of_dev, $of_wall, $of_all) = map { asks($ann, 'create_webhook',
	    endpoint => 'https://hooks.example/y', eventTypes => ['*'],
	    $_ ? (streamId => $_) : ())->{subscriptionId} } $dev, $wall, undef;
	my $before = $see->();
	unlike($before, qr/$of_all/, 'those of others are not shown');
	grants(capability => 'webhook:read', resourceType => 'channel',
	    resourceId => $dev);
	is($see->(), join(' ', sort split(/ /, $before), $of_dev),
	    'with a grant of a channel those of that');
	grants(capability => 'webhook:read', resourceType => 'org');
	is($see->(), join(' ', sort split(/ /, $before), $of_dev, $of_all),
	    'with one of the mesh all, but for what is behind a wall');
	refused(asks($bob, 'list_webhook_deliveries', subscriptionId =>
	    $of_wall), 'not_found', 'which is not there');
	refused(asks($bob, 'delete_webhook', subscriptionId => $of_wall),
	    'not_found', 'nor to be deleted');
	is(asks($bob, 'list_webhook_deliveries', subscriptionId => $of_dev)
	    ->{type}, 'webhook_deliveries', 'the log of one of a channel');
	refused(asks($bob, 'list_webhook_deliveries', subscriptionId =>
	    $of_all), 'forbidden', 'not that of one of all');
	is(asks($bob, 'delete_webhook', subscriptionId => $of_all)->{type},
	    'webhook_deleted', 'which it may delete');

	my ($none, $open, $hid) = map { asks($ann, 'create_durable_stream',
	    $_ ? (targetStreamId => $_, targetStreamType => 'channel') : (),
	    contentType => 'text/plain')->{durableStreamId} } undef, $dev,
	    $wall;
	my $reads = sub { return asks($bob, 'read_durable_stream',
	    durableStreamId => $_[0]) };
	my $writes = sub { return asks($bob, 'append_durable_chunks',
	    durableStreamId => $_[0], chunks => [{ text => 'x' }]) };
	refused($reads->($none), 'not_found', "another's durable stream");
	grants(capability => 'durable_stream:read', resourceType => 'org');
	isnt($reads->($none)->{type}, 'error', 'is read with a grant');
	refused($reads->($hid), 'not_found', 'not through a wall');
	$r = $writes->($none);
	refused($r, 'forbidden', 'nor written');
	is($r->{capability}, 'durable_stream:write', 'for want of that');
	my $w = grants(capability => 'durable_stream:write', resourceType =>
	    'channel', resourceId => $dev);
	isnt($writes->($open)->{type}, 'error', 'with one for its channel');
	refused($writes->($none), 'forbidden', 'that is');
	grants(capability => 'durable_stream:write', resourceType => 'org');
	isnt($writes->($none)->{type}, 'error', 'or for all');
	refused($writes->($hid), 'not_found', 'but not through a wall');
	isnt(asks($bob, $_->[0], durableStreamId => $_->[1])->{type}, 'error',
	    $_->[0]) for ['close_durable_stream', $none],
	    ['commit_durable_stream', $open], ['delete_durable_stream', $none];

	asks($ann, 'post', channel => $_, text =>
	    "What is remembered of $_, and why.") for $dev, $wall;
	my %unit;
	wait_until {
		%unit = map { my $c = $_; map { ($c => $_->{id}
		    // $_->{memoryId}) } @{ asks($ann, 'list_memory_units',
		    channel => $c)->{units} } } $dev, $wall;
		return keys %unit == 2;
	} 20, 'units of memory';
	$r = asks($bob, 'promote_memory_unit', memoryId => $unit{$dev});
	refused($r, 'forbidden', 'no unit is promoted');
	is_deeply([@$r{qw(capability resourceType resourceId)}],
	    ['memory:promote', 'org', $mesh], 'for want of that');
	grants(capability => 'memory:promote', resourceType => 'org',
	    maxUses => 1);
	refused(asks($bob, 'promote_memory_unit', memoryId => $unit{$wall}),
	    'not_found', 'not through a wall');
	ok(asks($bob, 'promote_memory_unit', memoryId => $unit{$dev})
	    ->{unit}{promoted}, 'with a grant') for 1, 2;
	is(rest($broker, $boss, GET => "/v1/actors/$b->{memberId}/grants")
	    ->{http}, 200, 'all of which are listed');
	ok(!(grep { $_->{usesCount} && $_->{capability} =~
	    /^(?:webhook|durable_stream|memory):/ } @{ rest($broker, $boss,
	    GET => "/v1/actors/$b->{memberId}/grants")->{grants} }),
	    'and none is used up');
};

subtest 'many at once' => sub {
	my $g = grants(capability => 'message:append', resourceType =>
	    'channel', resourceId => $dev, maxUses => 5);
	my $json = Cpanel::JSON::XS->new->utf8->canonical;
	my @io;
	for my $n (1 .. 32) {
		my $body = $json->encode({ streamId => $dev, streamType =>
		    'channel', idempotencyKey => "race$n", parts => [{ type =>
		    'text', payload => { text => "r$n" } }] });
		my $io = $hosts[$n % 2]->tcp;
		$io->put(Linnet::Http::request(POST => '/v1/messages',
		    { %$bot, 'Content-Type' => 'application/json',
		    Connection => 'close' }, $body));
		push @io, $io;
	}
	my %status;
	$status{ $_->answer('POST')->{status} }++ for @io;
	is_deeply(\%status, { 200 => 5, 403 => 27 }, 'five of 32 are first');
	is(rows("select count(*) from post where parts::text like '%\"r%'"), 5,
	    'and are there');
	is(rows("select uses || ' ' || revoked_why from permission_grant "
	    . "where id = '$g'"), '5 max_uses exhausted', 'it is used up');
};

# It is used up, and then taken away, by one statement.
subtest 'a grant that takes itself away' => sub {
	rows("update permission_grant set revoked_at = now() "
	    . 'where revoked_at is null');
	for my $uses (undef, 1) {
		my $what = $uses ? 'with one use' : 'without end';
		my $g = grants(capability => 'grant:create', resourceType => 'org',
		    $uses ? (maxUses => $uses) : ());
		my $r = asks($bob, 'revoke_grant', grantId => $g);
		is($r->{type}, 'grant_revoked', $what) or diag explain $r;
		is(rows("select uses || ' ' || (revoked_at is not null) from "
		    . "permission_grant where id = '$g'"), '1 true', 'it is gone');
		grants(capability => 'grant:create', resourceType => 'org',
		    $uses ? (maxUses => $uses) : ()) for 1, 2;
		$r = asks($bob, 'revoke_grants', member => $b->{memberId});
		is($r->{type}, 'grants_revoked', 'all') or diag explain $r;
		is(rows('select count(*) from permission_grant '
		    . 'where revoked_at is null'), 0, 'they are gone');
	}
};

like(verified(), qr/^\d+$/, 'the journal has it all, with its hashes');
is($_->stop, 0, 'stops') for reverse @hosts;
done_testing;
