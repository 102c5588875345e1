#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Commands that members offer, and who is mentioned: found by name, written to
# the journal, and told to whom they concern, wherever that is, unless a wall is
# between.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Test::More;
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
my $bob = $hosts[1]->peer($b, name => 'bob');
my $boss = principal($a, qw(grant:create channel:create message:append
    command:invoke));
my $bot = principal($b);

sub asks {
	my ($p, $type, %o) = @_;
	return $p->request({ type => $type, %o });
}
sub refused {
	my ($r, $code, $what) = @_;
	is($r->{type} eq 'error' ? $r->{code} : $r->{type}, $code, $what)
	    or diag explain $r;
	return $r;
}
sub http_is {
	my ($r, $status, $what) = @_;
	is($r->{http}, $status, $what) or diag explain $r;
	return $r;
}
sub offers {
	my ($who, $name, %o) = @_;
	return rest($broker, $who, POST => '/v1/commands', { name => $name,
	    %o });
}
sub allows {
	return http_is(rest($broker, $boss, POST =>
	    "/v1/permission-requests/$_[0]{requestId}/resolve",
	    { approve => $true }), 200, 'it is allowed');
}
sub calls {
	my ($p, $channel, $command, %payload) = @_;
	return asks($p, 'post', channel => $channel, parts => [{ type =>
	    'command', payload => { command => $command, %payload } }]);
}
sub names {
	my ($who, $query) = @_;
	return join ' ', map { $_->{name} } @{ rest($hosts[1], $who, GET =>
	    '/v1/commands' . ($query // ''))->{commands} };
}
sub line_of {
	my ($type) = @_;
	return Cpanel::JSON::XS->new->decode(rows(
	    "select payload from event where "
	    . "mesh_id = '$mesh' and type = '$type' order by n desc limit 1"));
}

my $dev = asks($ann, 'create_channel', name => 'dev')->{channelId};
my $lab = asks($ann, 'create_channel', name => 'lab')->{channelId};
my $den = asks($ann, 'create_channel', name => 'den', private => \1)
    ->{channelId};

my $ship;
subtest 'offered' => sub {
	my $r = $ship = http_is(offers($bot, 'ship', description => 'Ships it',
	    argsSchema => { env => { type => 'string' } }), 201, 'it is');
	like($r->{$_}, qr/\A[0-9a-f]{32}\z/, $_) for qw(commandId requestId);
	my $p = $ann->wait_for('permission_request');
	is_deeply([@{ $p->{payload} }{qw(requestId action resourceType
	    resourceId memberId)}], [$r->{requestId}, 'command:register',
	    'org', $mesh, $b->{memberId}], 'who decides hears of it');
	is_deeply(rest($broker, $boss, GET =>
	    "/v1/permission-requests/$r->{requestId}")->{request}{context},
	    { kind => 'command.register', commandId => $r->{commandId},
	    name => 'ship', description => 'Ships it', channelId => undef,
	    ownerActorId => $b->{memberId} }, 'and what it is');
	is(names($boss), '', 'it is not there yet');
	is(http_is(offers($bot, 'SHIP'), 400, 'nor twice')->{code},
	    'VALIDATION', 'which is said');
	my $d = allows($r);
	is_deeply([@$d{qw(grantId commandId)}], [undef, $r->{commandId}],
	    'with no grant');
	my $c = rest($broker, $boss, GET => '/v1/commands')->{commands}[0];
	is_deeply([@$c{qw(id orgId channelId name ownerActorId owner
	    description argsSchema status permissionRequestId)}],
	    [$r->{commandId}, $mesh, undef, 'ship', $b->{memberId}, 'peer-b',
	    'Ships it', { env => { type => 'string' } }, 'active',
	    $r->{requestId}], 'then it is there');
	is_deeply([@{ line_of('command.registered') }{qw(commandId requestId
	    name channelId ownerActorId resolverActorId)}],
	    [@$r{qw(commandId requestId)}, 'ship', undef, $b->{memberId},
	    $a->{memberId}], 'with a line');
	$r = asks($ann, 'register_command', name => 'halt');
	is($r->{type}, 'command_registered', 'who may grant asks nobody');
	is($r->{requestId}, undef, 'and is asked by nobody');
	is(names($bot), 'halt ship', 'it is there at once');
	http_is(offers($bot, $_), 400, "not '$_'") for 'a b', '#x', '/x', ' ';
	http_is(offers($bot, 'x', argsSchema => $_), 400, 'no object')
	    for 'x', [];
	http_is(offers($bot, 'x', channelId => $den), 404, 'behind a wall');
	http_is(offers($bot, 'null', description => undef), 201, 'nothing');
	$r = http_is(offers($bot, 'bad'), 201, 'one');
	rest($broker, $boss, POST =>
	    "/v1/permission-requests/$r->{requestId}/resolve",
	    { approve => $false });
	http_is(offers($bot, 'bad'), 201, 'that was denied can be offered');
};

subtest 'called' => sub {
	my $r = calls($ann, 'dev', 'ship', args => { env => 'live', n => 1 },
	    invocationId => 'i1');
	is($r->{type}, 'posted', 'in a message');
	my $p = $bob->wait_for('command_invoked');
	is_deeply($p->{payload}, { commandId => $ship->{commandId}, command =>
	    'ship', invocationId => 'i1', args => { env => 'live', n => 1 },
	    channelId => $dev, messageId => $r->{messageId},
	    seq => $r->{seq}, partIndex => 0, memberId => $a->{memberId},
	    name => 'ann' }, 'its owner hears, on another host');
	is_deeply(line_of('command.invoked'), { orgId => $mesh, streamId =>
	    $dev, streamType => 'channel', messageId => $r->{messageId},
	    streamSeq => $r->{seq}, command => 'ship', commandId =>
	    $ship->{commandId}, ownerActorId => $b->{memberId}, invocationId =>
	    'i1', partIndex => 0, argKeys => ['env', 'n'], actorId =>
	    $a->{memberId} }, 'with a line');
	calls($ann, 'dev', '/Ship', args => { x => 'y' x 5000 });
	$p = $bob->wait_for('command_invoked')->{payload};
	is_deeply([@$p{qw(command args)}], ['/Ship', undef],
	    'with a stroke; what is large is to be read');
	calls($ann, 'dev', ' peer-b : ship ');
	is($bob->wait_for('command_invoked')->{payload}{commandId},
	    $ship->{commandId}, 'by its owner\'s name');
	for my $x ('nothing', 'nobody:ship', ':ship') {
		is(calls($ann, 'dev', $x)->{type}, 'posted', "$x is posted");
		is_deeply([@{ line_of('command.invoked') }{qw(commandId
		    ownerActorId)}], [undef, undef], 'and nobody\'s');
	}
	refused(calls($ann, 'dev', $_), 'malformed', "not '$_'")
	    for '', ' ', '/', 'ship:', 'x: ';
	refused(asks($ann, 'post', channel => 'dev', parts => [{ type =>
	    'command', payload => $_ }]), 'malformed', 'nor so')
	    for {}, { command => 5 }, { command => 'x', args => [] },
	    { command => 'x', invocationId => 1 }, { command => 'x' x 300 };
	is($bob->wait_for('command_invoked', 0.2), undef, 'nothing else came');
};

subtest 'which' => sub {
	asks($ann, 'register_command', name => 'ship');
	my $r = refused(calls($ann, 'dev', 'ship'), 'malformed',
	    'of two nobody knows');
	is_deeply($r->{candidates}, ['peer-a:ship', 'peer-b:ship'],
	    'but both are named');
	is(calls($ann, 'dev', 'peer-b:ship')->{type}, 'posted', 'so it can be');
	$bob->wait_for('command_invoked');
	my $own = offers($bot, 'ship', channelId => $dev);
	allows($own);
	is(names($boss), 'halt ship ship', 'that of a channel is not in all');
	is(names($boss, "?channelId=$dev"), 'halt ship ship ship', 'but there');
	is(names($boss, "?channelId=$lab"), 'halt ship ship', 'and only there');
	http_is(rest($broker, $bot, GET => "/v1/commands?channelId=$den"), 404,
	    'of what is not seen there are none');
	calls($ann, 'dev', 'ship');
	is($bob->wait_for('command_invoked')->{payload}{commandId},
	    $own->{commandId}, 'and it goes first there');
	refused(calls($ann, 'lab', 'ship'), 'malformed', 'not elsewhere');
	my $m = asks($ann, 'post', channel => 'dev', text => 't')->{messageId};
	my $t = asks($ann, 'create_thread', channel => 'dev', messageId => $m);
	calls($ann, $t->{channelId}, 'ship');
	my $p = $bob->wait_for('command_invoked')->{payload};
	is_deeply([@$p{qw(commandId channelId)}], [$own->{commandId},
	    $t->{channelId}], 'threads are of their channel');
	is(calls($ann, 'den', 'peer-b:ship')->{type}, 'posted', 'in private');
	is(line_of('command.invoked')->{commandId}, $ship->{commandId},
	    'it is known');
	is($bob->wait_for('command_invoked', 0.3), undef,
	    'but not told to who is outside');
	my @page = @{ asks($bob, 'list_commands', limit => 2) }{qw(commands
	    next)};
	is(join(' ', map { $_->{name} } @{ $page[0] },
	    @{ asks($bob, 'list_commands', limit => 2, after => $page[1])
	    ->{commands} }), 'halt ship ship', 'pages');
};

subtest 'deleted' => sub {
	my $halt = asks($ann, 'list_commands')->{commands}[0]{commandId};
	my $r = http_is(rest($broker, $bot, DELETE => "/v1/commands/$halt"),
	    403, 'not by others');
	is($r->{capability}, 'grant:create', 'for want of that');
	is(http_is(rest($broker, $bot, DELETE =>
	    "/v1/commands/$ship->{commandId}"), 200, 'by its owner')->{ok},
	    $true, 'so');
	http_is(rest($broker, $bot, DELETE => "/v1/commands/$_"), 404,
	    'not what is not there') for $ship->{commandId}, 'nope';
	is(line_of('command.deleted')->{deletedByActorId}, $b->{memberId},
	    'with a line');
	$r = offers($bot, 'later');
	$ann->wait_for(sub { ($_->{type} // '') eq 'permission_request'
	    && $_->{payload}{requestId} eq $r->{requestId} });
	http_is(rest($broker, $boss, DELETE => "/v1/commands/$r->{commandId}"),
	    200, 'also before it is there');
	is($bob->wait_for(sub { ($_->{type} // '') eq 'permission_resolved'
	    && $_->{payload}{requestId} eq $r->{requestId} })
	    ->{payload}{status}, 'denied', 'which ends the request');
	is(line_of('permission_request.resolved')->{requestId},
	    $r->{requestId}, 'with a line');
	my $in = http_is(offers($bot, 'den', channelId => $dev), 201, 'one');
	http_is(rest($broker, principal($a, 'channel:admin'), DELETE =>
	    "/v1/commands/$in->{commandId}"), 200, 'by who manages a channel');
};

sub listed {
	return scalar grep { $_->{name} eq $_[0] }
	    @{ asks($bob, 'list_commands', limit => 100)->{commands} };
}

subtest 'of who is no member any more' => sub {
	my @ctl = ('-o', 'database "' . $pg->conninfo . '"', 'member');
	my $gone = $broker->ctl_json('--json', @ctl, 'create', $seed->{slug},
	    'gone');
	my $r = http_is(offers(principal({ %$gone, meshId => $mesh },
	    'message:append'), 'left'), 201, 'offered');
	allows($r);
	is(listed('left'), 1, 'it is there');
	is(($broker->ctl(@ctl, 'revoke', $seed->{slug}, 'gone', '--yes'))[0],
	    0, 'its owner goes');
	is(listed('left'), 0, 'what nobody answers is not listed');
	http_is(rest($broker, $boss, DELETE => "/v1/commands/$r->{commandId}"),
	    200, 'who decides takes it away');
};

sub mentions {
	my ($p, $channel, @payload) = @_;
	return asks($p, 'post', channel => $channel, parts => [map { { type =>
	    'mention', payload => $_ } } @payload]);
}

subtest 'mentioned' => sub {
	asks($bob, 'follow_channel', channel => 'dev');
	my $r = mentions($ann, 'dev', { actorId => uc $b->{memberId}, label =>
	    '@bob', start => 0, end => 4 }, { actorId => $a->{memberId} });
	is($r->{type}, 'posted', 'in a message');
	my $p = $bob->wait_for('mention')->{payload};
	is_deeply($p, { channelId => $dev, messageId => $r->{messageId}, seq =>
	    $r->{seq}, partIndex => 0, label => '@bob', memberId =>
	    $a->{memberId}, name => 'ann' }, 'who is meant hears');
	is($bob->wait_for('channel_message')->{seq}, $r->{seq},
	    'beside the message');
	is(join(' ', map { $bob->wait_for('channel_event')->{event} } 1, 2),
	    'mention.recorded mention.recorded', 'and its lines');
	is($ann->wait_for('mention')->{payload}{partIndex}, 1,
	    'each of whom is meant');
	is_deeply(line_of('mention.recorded'), { orgId => $mesh, streamId =>
	    $dev, streamType => 'channel', messageId => $r->{messageId},
	    streamSeq => $r->{seq}, mentionedActorId => $a->{memberId},
	    partIndex => 1, label => undef, start => undef, end => undef,
	    actorId => $a->{memberId} }, 'so');
	refused(mentions($ann, 'dev', $_), 'malformed', 'not so') for {},
	    { actorId => 'nobody' }, { actorId => 'f' x 32 },
	    { actorId => $b->{memberId}, start => -1 },
	    { actorId => $b->{memberId}, start => 3, end => 2 },
	    { actorId => $b->{memberId}, start => 'x' };
	refused(mentions($ann, 'den', { actorId => $b->{memberId} }),
	    'malformed', 'nor who is outside');
	is($bob->wait_for('mention', 0.2), undef, 'who does not hear of it');
	http_is(rest($broker, $boss, POST => '/v1/messages', { streamId =>
	    $dev, streamType => 'channel', idempotencyKey => 'm', parts =>
	    [{ type => 'mention', payload => { actorId => $b->{memberId} } }]
	    }), 200, 'by another door');
	ok($bob->wait_for('mention'), 'it is the same');
};

subtest 'in their order' => sub {
	asks($ann, 'create_channel', name => 'order');
	my @r = map { $ann->post(type => 'post', channel => 'order', $_ % 3
	    ? (text => "t$_") : (parts => [{ type => 'mention', payload =>
	    { actorId => $b->{memberId} } }])) } 1 .. 60;
	is(join(' ', map { $ann->reply($_)->{seq} // '?' } @r),
	    join(' ', 1 .. 60),
	    'what is said first is first, whoever is mentioned');
};

is($_->stop, 0, 'stops') for reverse @hosts;
done_testing;
