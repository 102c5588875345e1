#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# A back end made for message-layer: its routes, bodies and answers, unchanged.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Linnet qw(scratch wait_until);
use Linnet::Hooks;
use Linnet::Layer;
use Test::More;

my ($true, $false) = (Cpanel::JSON::XS::true, Cpanel::JSON::XS::false);
my $id = qr/\A[0-9a-f]{32}\z/;
my $time = qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/;
my $key = 'platform-key-of-the-test-0123456789';
my $dir = scratch();
open my $f, '>', "$dir/key" or die $!;
print $f "$key\n";
close $f;
chmod 0600, "$dir/key";
my $hooks = Linnet::Hooks->new;
my $b = Linnet->broker(workers => 2, options => [
    "platform.key_file $dir/key", 'rate.refused_burst 1000000',
    'webhook.http yes', 'webhook.allow 127.0.0.1']);
my $ml = Linnet::Layer->new(broker => $b, key => $key);
my @writes = qw(channel:create thread:create message:append channels:write);

sub text { return Linnet::Layer::text(@_) }
# What a call dies with is what callers look at.
sub dies {
	my ($code, $like, $name) = @_;
	my $r = eval { $code->(); 1 };
	ok(!$r, "$name: fails");
	like($@ // '', $like, $name);
	return;
}

my ($org, $ann, $bob, %who);
subtest 'orgs and actors' => sub {
	is_deeply($b->http(GET => '/health')->{json}{ok}, $true, 'health');
	$org = $ml->create_org('Acme');
	like($org, $id, 'an org');
	for (['ann', 'human'], ['bob', 'agent'], ['app', 'app']) {
		$who{$_->[0]} = $ml->create_actor($org, @$_);
		like($who{$_->[0]}, $id, $_->[0]);
	}
	($ann, $bob) = map { $ml->as($who{$_}, $org, @writes) } qw(ann bob);
	my @a = $ann->actors;
	is_deeply([map { [@{$_}{qw(actorId actorType displayName)}] } @a],
	    [[$who{ann}, 'human', 'ann'], [$who{bob}, 'agent', 'bob'],
	    [$who{app}, 'app', 'app']], 'actors, the oldest first');
	like($a[0]{createdAt}, $time, 'since when');
	is_deeply([sort map { $_->{role} } $ann->members], [('member') x 3],
	    'members have a role');
	dies(sub { $ml->create_org('') }, qr/message-layer 400.*"VALIDATION"/,
	    'an org without a name');
	dies(sub { $ml->create_actor('0' x 32, 'x', 'human') },
	    qr/message-layer 404.*org not found: 0{32}/, 'an org that is not');
	dies(sub { $ml->create_actor($org, 'x', 'cat') },
	    qr/message-layer 400.*actorType must be one of/, 'another kind');
};

subtest 'who may' => sub {
	my $open = Linnet::Layer->new(broker => $b);
	dies(sub { $open->create_org('x') }, qr/401.*platform's key/,
	    'without the key');
	my $wrong = Linnet::Layer->new(broker => $b, key => 'x' x 40);
	dies(sub { $wrong->create_org('x') }, qr/401/, 'with another one');
	dies(sub { $open->as($who{ann}, $org)->channels }, qr/401/,
	    'a principal is not believed without it');
	dies(sub { $open->as('a', 'b')->channels }, qr/401.*service key/,
	    'and of nobody either');
	dies(sub { $ml->channels }, qr/401/, 'nor the key without one');
	dies(sub { $ml->as('0' x 32, $org)->channels },
	    qr/403.*actor is not in org/, 'of who is not in the org');
	my $r = $ml->answer(GET => '/v1/channels', undef,
	    'x-principal' => 'x');
	is_deeply([$r->{status}, $r->{json}{error}],
	    [401, 'missing or invalid principal'], 'nor what is no principal');
	my $other = $ml->create_org('Other');
	dies(sub { $ml->as($who{ann}, $other)->channels },
	    qr/403.*actor is not in org/, 'or is in another one');
};

my ($open, $secret);
subtest 'channels' => sub {
	$open = $ann->create_channel('general');
	like($open, $id, 'public');
	$secret = $ann->create_channel('secret', 'private');
	my ($c) = grep { $_->{id} eq $open } $bob->channels;
	is_deeply([@{$c}{qw(name visibility createdByActorId)}],
	    ['general', 'public', $who{ann}], 'is listed');
	like($c->{createdAt}, $time, 'since when');
	is_deeply([map { $_->{id} } $bob->channels], [$open],
	    'a private one is not');
	my $again = $ann->create_channel('general');
	isnt($again, $open, 'another one of the name may be');
	is_deeply($ann->delete_channel($again)->{ok}, $true, 'and goes');
	my $r = $ann->answer(POST => '/v1/channels', { name => 'quiet' });
	is($r->{status}, 200, 'without visibility');
	($c) = grep { $_->{id} eq $r->{json}{channelId} } $ann->channels;
	is($c->{visibility}, 'private', 'it is private');
	dies(sub { $bob->messages($secret) }, qr/404/,
	    'who is no member does not find it');
	dies(sub { $bob->channel_members($secret) }, qr/404/, 'nor who is in');
	is_deeply($ann->add_member($secret, $who{bob})->{ok}, $true, 'a member');
	is_deeply([map { $_->{actorId} } $bob->channel_members($secret)],
	    [@who{qw(ann bob)}], 'then it does');
	is_deeply([map { $_->{role} } $bob->channel_members($secret)],
	    [qw(owner member)], 'who made it owns it');
	is_deeply($ann->remove_member($secret, $who{bob})->{ok}, $true, 'out');
	dies(sub { $bob->messages($secret) }, qr/404/, 'again not');
};

my $first;
subtest 'messages' => sub {
	my $r = $bob->append('channel', $open, [text('hello')], 'k1');
	like($first = $r->{messageId}, $id, 'a message');
	is_deeply([@{$r}{qw(streamSeq idempotent)}], [1, $false], 'is first');
	$r = $bob->append('channel', $open, [text('something else')], 'k1');
	is_deeply([@{$r}{qw(messageId streamSeq idempotent)}],
	    [$first, 1, $true], 'once, whatever it says');
	$r = $ann->append('channel', $open, [{ type => 'tool_call',
	    payload => { name => 'find', args => { x => 1 } } },
	    { type => 'ui', payload => {} }], 'k1');
	is($r->{streamSeq}, 2, 'the key is of who says it');
	my @m = $ann->messages($open);
	is_deeply([map { $_->{streamSeq} } @m], [1, 2], 'in order');
	my %m = %{ $m[0] };
	is_deeply([@m{qw(id streamSeq actorId redacted redactedAt)}],
	    [$first, 1, $who{bob}, $false, undef], 'as they are');
	is_deeply($m{parts}, [{ index => 0, type => 'text',
	    payload => { text => 'hello' } }], 'with their parts');
	is_deeply([map { $_->{index} } @{ $m[1]{parts} }], [0, 1], 'in order');
	is_deeply([map { $_->{streamSeq} } $ann->messages($open,
	    '?afterSeq=1')], [2], 'after a seq');
	is(scalar(my @one = $ann->messages($open, '?limit=0')), 1,
	    'limits are clamped');
	is(scalar(@one = $ann->messages($open, '?limit=100000')), 2,
	    'at both ends');
	$r = $ann->answer(POST => '/v1/messages', { streamId => $open,
	    streamType => 'channel', parts => [text('x')] });
	is_deeply([$r->{status}, $r->{json}{code}], [400, 'VALIDATION'],
	    'not without a key');
	$r = $ann->answer(POST => '/v1/messages', { streamId => $open,
	    streamType => 'channel', parts => [text('x')] },
	    'idempotency-key' => 'in-a-header');
	is($r->{status}, 200, 'which may be in a header');
	dies(sub { $ann->append('channel', $open, []) },
	    qr/400.*"VALIDATION"/, 'nothing');
	dies(sub { $ann->append('channel', $open, [{ type => 'zz',
	    payload => {} }]) }, qr/400.*type must be one of/, 'a strange part');
	dies(sub { $ann->append('room', $open, [text('x')]) },
	    qr/400.*streamType/, 'a strange stream');
	dies(sub { $ann->append('channel', '0' x 32, [text('x')]) },
	    qr/404.*"NOT_FOUND"/, 'a stream that is not');
	dies(sub { $bob->append('channel', $secret, [text('x')]) },
	    qr/404/, 'or not for all');
};

subtest 'threads' => sub {
	my $t = $ann->create_thread($open, $first);
	like($t, $id, 'a thread');
	my ($row) = $bob->threads($open);
	is_deeply([@{$row}{qw(id parentMessageId visibility createdByActorId)}],
	    [$t, $first, 'public', $who{ann}], 'is listed');
	is($bob->append('thread', $t, [text('in it')])->{streamSeq}, 1,
	    'has a seq of its own');
	is_deeply([map { $_->{parts}[0]{payload}{text} } $ann->messages($t)],
	    ['in it'], 'and messages');
	dies(sub { $ann->create_thread($open, '0' x 32) }, qr/404/,
	    'about a message that is not');
	my $in = $ann->append('channel', $secret, [text('quiet')]);
	my $hidden = $ann->create_thread($secret, $in->{messageId}, 'public');
	dies(sub { $bob->messages($hidden) }, qr/404/,
	    'public in a private channel is not public');
	dies(sub { $bob->create_thread($secret, $in->{messageId}) }, qr/404/,
	    'nor can it be begun there');
};

subtest 'redaction' => sub {
	my $r = $bob->append('channel', $open, [text('oops')]);
	is_deeply($bob->redact($r->{messageId}, 'typo')->{ok}, $true, 'done');
	is_deeply($bob->redact($r->{messageId})->{ok}, $true, 'twice is fine');
	my ($m) = grep { $_->{id} eq $r->{messageId} } $ann->messages($open);
	is_deeply([@{$m}{qw(redacted parts streamSeq)}],
	    [$true, [], $r->{streamSeq}], 'its place stays');
	like($m->{redactedAt}, $time, 'and when');
	my $own = $ann->append('channel', $open, [text('ann')]);
	dies(sub { $bob->redact($own->{messageId}) },
	    qr/403.*"PERMISSION_DENIED"/, 'not that of others');
	dies(sub { $bob->redact('0' x 32) }, qr/404/, 'nor what is not');
};

subtest 'cursors' => sub {
	my $at = "/v1/streams/$open/cursor";
	my $none = $bob->call(GET => $at);
	is($none->{cursor}, undef, 'none');
	is_deeply($bob->call(POST => '/v1/cursors', { streamId => $open,
	    lastSeenSeq => 2, lastAckSeq => 1 })->{ok}, $true, 'set');
	my $c = $bob->call(GET => $at)->{cursor};
	is_deeply([@{$c}{qw(lastSeenSeq lastAckSeq)}], [2, 1], 'it is there');
	like($c->{updatedAt}, $time, 'since when');
	$bob->call(POST => '/v1/cursors', { streamId => $open,
	    streamType => 'channel', lastSeq => 3 });
	is($bob->call(GET => $at)->{cursor}{lastSeenSeq}, 3,
	    'as its own client says it');
	is($bob->call(GET => $at)->{lastSeq}, 3, 'and reads it');
	$bob->call(POST => '/v1/cursors', { streamId => $open,
	    lastSeenSeq => 1, lastAckSeq => 1 });
	is($bob->call(GET => $at)->{cursor}{lastSeenSeq}, 3, 'not backwards');
	$bob->call(POST => '/v1/cursors', { streamId => $open,
	    lastSeenSeq => 1, lastAckSeq => 1, back => $true });
	is($bob->call(GET => $at)->{cursor}{lastSeenSeq}, 1, 'unless asked');
	is($bob->call(POST => '/v1/cursors', { streamId => $open,
	    lastSeenSeq => 1000, lastAckSeq => 1000 })->{unread}, 0,
	    'not beyond what there is');
	dies(sub { $bob->call(GET => "/v1/streams/$secret/cursor") }, qr/404/,
	    'not where one is not');
};

subtest 'clients' => sub {
	like($ann->call(POST => '/v1/clients', { endpoint => 'wss://phone-1',
	    metadata => { platform => 'ios' } })->{clientId}, $id, 'kept');
	dies(sub { $ann->call(POST => '/v1/clients', { endpoint => 'x',
	    metadata => [] }) }, qr/400.*metadata/, 'of an object');
};

subtest 'durable streams' => sub {
	my $plain = $ml->as($who{app}, $org);
	my $path = '/v1/durable-streams';
	my $it = $plain->call(POST => $path, { targetStreamId => $open,
	    targetStreamType => 'channel' })->{durableStreamId};
	like($it, $id, 'whoever makes one needs no scope');
	is($plain->call(POST => "$path/$it/chunks", { chunks =>
	    [{ text => 'some ' }, { text => 'text' }] })->{offset}, 2,
	    'nor to write to it');
	dies(sub { $bob->call(POST => "$path/$it/chunks",
	    { chunks => [{ text => 'x' }] }) },
	    qr/403.*"capability":"durable_stream:write"/, 'as others do');
	dies(sub { $plain->call(POST => "$path/$it/commit", {}) },
	    qr/403.*"capability":"message:append"/, 'but to post it');
	my $boss = $ml->as($who{ann}, $org, 'grant:create');
	$boss->call(POST => '/v1/grants', { actorId => $who{app},
	    resourceType => 'channel', resourceId => $open, maxUses => 1,
	    capability => 'message:append' });
	my $r = $plain->call(POST => "$path/$it/commit", {});
	is_deeply([@{$r}{qw(status committedMessageId)}],
	    ['committed', ($ann->messages($open, '?limit=500'))[-1]{id}],
	    'which may be granted');
	my $own = $plain->call(POST => $path, {})->{durableStreamId};
	is($plain->call(POST => "$path/$own/close", {})->{status}, 'closed',
	    'one of its own ends');
	is($plain->answer(DELETE => "$path/$own")->{status}, 200, 'and goes');
};

subtest 'what is no id' => sub {
	my $all = $ml->as($who{ann}, $org, 'message:redact',
	    'webhook:subscribe', 'memory:promote');
	for (['GET', 'artifacts/zz'], ['DELETE', 'artifacts/zz'],
	    ['GET', 'memory/zz'], ['POST', 'memory/zz/promote'],
	    ['POST', 'messages/zz/redact'],
	    ['GET', 'durable-streams/zz/head'],
	    ['PATCH', 'webhooks/subscriptions/zz', { enabled => $true }]) {
		my $r = $all->answer($_->[0], "/v1/$_->[1]",
		    $_->[2] // ($_->[0] eq 'POST' ? {} : undef));
		is_deeply([@{$r}{qw(status)}, $r->{json}{code}],
		    [404, 'NOT_FOUND'], "$_->[0] /v1/$_->[1]");
	}
	my $r = $ml->answer(GET => '/v1/artifacts/zz');
	is($r->{status}, 401, 'for who is somebody');
};

subtest 'grants of others' => sub {
	my $at = "/v1/grants/check?actorId=$who{bob}&capability=a:b";
	my $boss = $ml->as($who{ann}, $org, 'grant:create');
	$boss->call(POST => '/v1/grants', { actorId => $who{bob},
	    resourceType => 'org', capability => 'a:b' });
	is_deeply($boss->call(GET => $at), { hasGrant => $true },
	    'who may grant sees them');
	is_deeply($ml->as($who{app}, $org)->call(GET => $at),
	    { hasGrant => $false }, 'to others they are not there');
};

subtest 'webhooks of what is in no channel' => sub {
	for (['/audits', 'audit:read'], ['/plain']) {
		my ($path, @scopes) = @$_;
		like($ml->as($who{ann}, $org, 'webhook:subscribe', @scopes)
		    ->call(POST => '/v1/webhooks/subscriptions', {
			endpoint => $hooks->url($path),
			eventTypes => ['grant.created', 'message.appended'],
			secret => 'secret1234' })->{subscriptionId}, $id,
		    "$path is made");
	}
	my $g = $ml->as($who{ann}, $org, 'grant:create')->call(POST =>
	    '/v1/grants', { actorId => $who{bob}, resourceType => 'org',
	    capability => 'c:d' })->{grantId};
	$ann->append('channel', $open, [text('behind it')]);
	wait_until { grep { $_->{type} eq 'message.appended' }
	    $hooks->events($_) } 20 for '/audits', '/plain';
	my ($e) = $hooks->events('/audits');
	is_deeply([$e->{type}, $e->{payload}{grantId}, $e->{streamId}],
	    ['grant.created', $g, undef], 'with audit:read it is sent');
	is_deeply([map { $_->{type} } $hooks->events('/plain')],
	    ['message.appended'], 'without it is not');
};

subtest 'a command of who may grant' => sub {
	my $boss = $ml->as($who{ann}, $org, 'grant:create');
	my $r = $boss->call(POST => '/v1/commands', { name => 'own',
	    description => undef });
	like($r->{$_}, $id, $_) for qw(commandId requestId);
	my $done = $boss->call(POST => '/v1/permission-requests/'
	    . "$r->{requestId}/resolve", { approve => $true });
	is_deeply([@{$done}{qw(status grantId commandId)}],
	    ['approved', undef, $r->{commandId}], 'it approves what it asked');
	is_deeply($boss->call(DELETE => "/v1/commands/$r->{commandId}")->{ok},
	    $true, 'and takes it away');
};

# Its clients ask for all of them, and know of no pages.
subtest 'lists' => sub {
	my $boss = $ml->as($who{ann}, $org, @writes, 'grant:create',
	    'webhook:subscribe');
	my $list = $boss->create_channel('lists');
	$boss->call(POST => '/v1/artifacts', { streamId => $list,
	    streamType => 'channel', filename => "f$_", contentType =>
	    'text/plain', contentBase64 => 'eA==' }) for 1 .. 101;
	$boss->call(POST => '/v1/grants', { actorId => $who{app},
	    resourceType => 'org', capability => "x:$_" }) for 1 .. 101;
	for (1 .. 101) {
		my $r = $boss->call(POST => '/v1/commands',
		    { name => "c$_", channelId => $list });
		$boss->call(POST => "/v1/permission-requests/$r->{requestId}"
		    . '/resolve', { approve => $true });
	}
	$boss->append('channel', $list, [text("Thing number $_ is kept")])
	    for 1 .. 101;
	my $units = sub { return scalar @{ $boss->call(GET =>
	    "/v1/memory?streamId=$list")->{units} } };
	wait_until { $units->() > 100 } 20;
	is($units->(), 101, 'memory');
	is(scalar @{ $boss->call(GET => $_->[1])->{ $_->[0] } }, 101, $_->[0])
	    for ['artifacts', "/v1/streams/$list/artifacts"],
	    ['grants', "/v1/actors/$who{app}/grants"],
	    ['commands', "/v1/commands?channelId=$list"];
	for (1 .. 2) {
		my $asks = $ml->as($ml->create_actor($org, "asks$_", 'agent'),
		    $org);
		$asks->call(POST => '/v1/permission-requests', { action => "x:$_",
		    resourceType => 'org' }) for 1 .. 51;
	}
	cmp_ok(scalar @{ $boss->call(GET => '/v1/permission-requests')
	    ->{requests} }, '>=', 102, 'requests');
	my $r = $boss->answer(GET => "/v1/streams/$list/artifacts?limit=10");
	is(scalar @{ $r->{json}{artifacts} }, 10, 'which may be shorter');
};

subtest 'the end of an org' => sub {
	my $gone = $ml->create_org('Gone');
	my $a = $ml->create_actor($gone, 'last', 'human');
	my $owner = $ml->as($a, $gone, 'org:admin', @writes);
	my $c = $owner->create_channel('x');
	dies(sub { $ml->as($a, $gone)->delete_org($gone) },
	    qr/403.*org:admin/, 'not for anybody');
	dies(sub { $owner->delete_org($org) }, qr/403/, 'nor of another one');
	is_deeply($owner->delete_org($gone)->{ok}, $true, 'done');
	dies(sub { $owner->channels }, qr/403.*actor is not in org/,
	    'nobody is in it');
	dies(sub { $ml->create_actor($gone, 'x', 'human') }, qr/404/,
	    'nor comes');
	is($b->psql("select string_agg(type, ' ' order by n) from event
	    where mesh_id = '$gone'"), 'org.created membership.updated '
	    . 'channel.created audit.logged', 'the journal stays');
};

done_testing;
