#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Private is a wall: two meshes in which the same happens, but for what happens
# in a private channel of one of them.  Who is not in it asks everything, by
# every door, and hears what is pushed: it cannot tell which mesh is which.  Nor
# can who decides about grants, and sees webhooks of others.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use MIME::Base64 'encode_base64';
use Test::More;
use Linnet 'wait_until';
use Linnet::Events;
use Linnet::Hooks;
use Linnet::Rest qw(platform_key principal rest);
use Linnet::Ws;

my $json = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;
my ($true, $false) = (Cpanel::JSON::XS::true, Cpanel::JSON::XS::false);
my $hooks = Linnet::Hooks->new;
# What somebody who guesses asks for by its name.
my $name = 'zebra';

sub new_id { return join '', map { sprintf '%x', rand 16 } 1 .. 32 }

# What dan does without the scope to read all that happened.
my @decides = qw(channels:read channels:write grant:create webhook:read);

# A mesh, with an owner (ann), some outside (bob; cid, who may grant and see
# webhooks of others by grants; dan, who may by its role), and one inside (zoe);
# loud: it has a private channel.
sub world {
	my ($loud) = @_;
	my $b = Linnet->broker(workers => 2, options => [platform_key(),
	    'rate.member 0', 'rate.requests 0', 'rate.refused 0',
	    'webhook.http yes', 'webhook.allow 127.0.0.1',
	    "webhook.resolver $hooks->{dns}"]);
	my $seed = $b->seed;
	my $w = { loud => $loud, b => $b, seed => $seed, ids => {} };
	$b->ctl('member', 'role', $seed->{slug}, 'peer-a', 'owner');
	$w->{ann} = $b->peer($seed->{peerA}, name => 'ann');
	$w->{bob} = $b->peer($seed->{peerB}, name => 'bob');
	$w->{zoe} = does($w, ann => 'create_member', name => 'zoe',
	    kind => 'app');
	for my $who (qw(cid dan)) {
		my $m = $w->{key}{$who} = $b->joined($seed, $who);
		$b->ctl('member', 'role', $seed->{slug}, $who, 'admin')
		    if $who eq 'dan';
		$w->{$who} = $b->peer($m, name => $who);
	}
	does($w, ann => 'create_grant', member => 'cid', capability => $_,
	    resourceType => 'org') for qw(grant:create webhook:read);
	$w->{token}{$_} = does($w, $_ => 'create_token')->{token}
	    for qw(bob cid);
	$w->{token}{dan} = does($w, dan => 'create_token', scopes =>
	    \@decides)->{token};
	$w->{as_zoe} = principal({ meshId => $w->{zoe}{meshId}
	    // $seed->{meshId}, memberId => $w->{zoe}{memberId} },
	    qw(channels:read channels:write webhook:subscribe));
	return $w;
}

sub does {
	my ($w, $who, $type, %o) = @_;
	my $r = $w->{$who}->request({ type => $type, %o });
	die "$type: " . $json->encode($r) if $r->{type} eq 'error';
	return $r;
}
sub says {
	my ($w, $channel, $text, %o) = @_;
	return does($w, ann => 'post', channel => $channel, text => $text, %o)
	    ->{messageId};
}
sub as_zoe {
	my ($w, $method, $path, $body) = @_;
	my $r = rest($w->{b}, $w->{as_zoe}, $method, $path, $body);
	die "$path: " . $json->encode($r) if $r->{http} >= 300;
	return $r;
}

# Everything that can happen in a channel; the ids of it.
sub live {
	my ($w, $channel, $words) = @_;
	my %p = (channel => $channel);
	$p{message} = says($w, $channel, "$words: first, and long enough.");
	$p{thread} = does($w, ann => 'create_thread', channel => $channel,
	    messageId => $p{message})->{channelId};
	says($w, $p{thread}, "$words $_ in the thread, and why.") for 1 .. 3;
	as_zoe($w, POST => '/v1/messages', { streamId => $channel,
	    streamType => 'channel', idempotencyKey => "k$_", parts =>
	    [{ type => 'text', payload => { text => "$words by zoe $_." } }] })
	    for 1 .. 5;
	my $m = says($w, $channel, "$words will be changed.");
	does($w, ann => 'edit_post', messageId => $m, text => "$words changed");
	does($w, ann => 'react', messageId => $m, reaction => '+1');
	does($w, ann => 'redact_post', messageId => $m, reason => $words);
	my $a = does($w, ann => 'register_artifact', channel => $channel,
	    filename => "$words.txt", contentType => 'text/plain',
	    contentBase64 => encode_base64($words, ''));
	$p{artifact} = $a->{id} // $a->{artifact}{id};
	for my $end (0, 1) {
		$p{durable} = does($w, ann => 'create_durable_stream',
		    targetStreamId => $channel, targetStreamType => 'channel',
		    contentType => 'text/plain')->{durableStreamId};
		does($w, ann => 'append_durable_chunks', durableStreamId =>
		    $p{durable}, chunks => [{ text => "$words streamed" }]);
		does($w, ann => 'commit_durable_stream', durableStreamId =>
		    $p{durable}, idempotencyKey => 'd') if !$end;
	}
	$p{request} = as_zoe($w, POST => '/v1/permission-requests', {
	    action => 'channel:admin', resourceType => 'channel',
	    resourceId => $channel })->{requestId};
	for my $approve ($true, $false, undef) {
		my @ids = (as_zoe($w, POST => '/v1/permission-requests', {
		    action => 'message:append', resourceType => 'thread',
		    resourceId => $p{thread}, context => { why => $words } })
		    ->{requestId}, as_zoe($w, POST => '/v1/commands', {
		    name => 'z' . ($approve // 'open') . $words,
		    channelId => $channel })->{requestId});
		defined $approve and does($w, ann => 'resolve_permission',
		    requestId => $_, approve => $approve) for @ids;
	}
	$p{command} = does($w, ann => 'register_command', name => "x$words",
	    channel => $channel)->{commandId};
	does($w, ann => 'mark_read', channel => $channel, seq => 3);
	does($w, ann => 'create_grant', member => 'zoe', capability =>
	    'channel:admin', resourceType => 'channel', resourceId => $channel);
	$p{webhook} = does($w, ann => 'create_webhook', endpoint =>
	    $hooks->url('/ann'), eventTypes => ['*'], streamId => $channel)
	    ->{subscriptionId};
	my $units;
	wait_until { $units = does($w, ann => 'list_memory_units', channel =>
	    $channel)->{units}; @$units > 0 } 20, 'units of memory';
	$p{unit} = $units->[0]{memoryId} // $units->[0]{id};
	$p{$_} // die "no $_" for qw(artifact durable request command unit);
	$p{event} = (does($w, ann => 'channel_events', channel => $channel)
	    ->{events})->[-1]{id};
	says($w, $channel, "$words: last.");
	return %p;
}

# What bob hears all the time.
sub hears {
	my ($w) = @_;
	my $c = $w->{open};
	# What happens in private alone, and where nothing is taken.
	$hooks->answers("/$_->[0]$w->{loud}", ($_->[1]) x 100),
	    $w->{ $_->[0] } = as_zoe($w, POST => '/v1/webhooks/subscriptions',
	    { endpoint => $hooks->url("/$_->[0]$w->{loud}"), eventTypes =>
	    ['membership.updated'] })->{subscriptionId}
	    for ['fails', 500], ['ends', 410];
	does($w, bob => 'follow_mesh');
	$w->{sse} = [map { Linnet::Events->new($_, at => $w->{b},
	    token => $w->{token}{bob}) } '/v1/events',
	    "/v1/streams/$c/events?fromSeq=0"];
	$w->{ws} = Linnet::Ws->new($w->{b}->where, target => '/v1/ws',
	    headers => { Authorization => "Bearer $w->{token}{bob}" });
	$w->{ws}->wait_for('welcome');
	$w->{ws}->send_text($json->encode({ type => 'subscribe',
	    streamId => $c }));
	does($w, ann => 'create_grant', member => 'peer-b', capability =>
	    'webhook:subscribe', resourceType => 'org', resourceId =>
	    $w->{seed}{meshId});
	$w->{hook} = does($w, bob => 'create_webhook', endpoint =>
	    $hooks->url("/bob$w->{loud}"), eventTypes => ['*'])
	    ->{subscriptionId};
	return;
}

# Ids and times by nothing but the order in which they came.
sub plain {
	my ($w, $what) = @_;
	my $t = ref $what ? $json->encode($what) : $what;
	my $seen = $w->{ids};
	$t =~ s/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/TIME/g;
	$t =~ s/127\.0\.0\.1:\d+/HOST/g;
	$t =~ s{/(bob|fails|ends)[01]}{/$1}g;
	$t =~ s/seed-[0-9a-f]+/seed/g;
	$t =~ s/session-\d+-\d+/session/g;
	$t =~ s{(?<![\w-])((?:whsec_)?[A-Za-z0-9_\/+-]{40,}=*|[0-9a-f]{16,})(?![\w-])}
	    {'ID' . ($seen->{$1} //= 1 + keys %$seen)}ge;
	$t =~ s/\b1[67]\d{11}\b/MS/g;
	$t =~ s/\buntil=\d+/until=S/g;
	return $t;
}

# What to say in a field of a request, by its name.
sub value {
	my ($w, $op, $field, $type) = @_;
	my $p = $w->{probe};
	my %by = (channel => $p->{channel}, streamId => $p->{channel},
	    targetStreamId => $p->{channel}, messageId => $p->{message},
	    replyToId => $p->{message}, artifactId => $p->{artifact},
	    fileId => $p->{artifact}, durableStreamId => $p->{durable},
	    memoryId => $p->{unit}, requestId => $p->{request},
	    commandId => $p->{command}, subscriptionId => $p->{webhook},
	    deliveryId => $p->{event}, resourceId => $p->{channel},
	    grantId => $p->{event}, scheduledId => $p->{event},
	    tokenId => $p->{event}, event => $p->{event},
	    target => 'nobody', member => 'zoe', name => 'n', query => 'zebra',
	    capability => 'message:append', action => 'message:append',
	    resourceType => 'channel', consumer => 'c', offset => 0,
	    chunks => [{ text => 'x' }], reaction => '+1', filename => 'f',
	    contentType => 'text/plain', contentBase64 => 'eA==', key => 'k',
	    value => 1, content => 'x', approve => $true, enabled => $true,
	    endpoint => $hooks->url('/x'), eventTypes => ['*'], role =>
	    'member', visible => $true, status => 'idle', prefix => 'k',
	    parts => [{ type => 'text', payload => { text => 'x' } }]);
	return $by{$field};
}

my @doors;
# Asks the same of both; which is told apart by nothing.
sub same {
	my ($what, $ask) = @_;
	my @said;
	for my $w (@doors) {
		$w->{ids} = {};
		push @said, plain($w, $ask->($w));
	}
	is($said[0], $said[1], $what);
	return;
}

@doors = map { world($_) } 1, 0;
for my $w (@doors) {
	$w->{open} = does($w, ann => 'create_channel', name => 'general')
	    ->{channelId};
	says($w, $w->{open}, 'The zebra is open.');
	hears($w);
	live($w, $w->{open}, 'unicorn');
	$w->{probe} = { map { $_ => new_id() } qw(channel message thread
	    artifact durable request command webhook unit event) };
	if ($w->{loud}) {
		my $c = does($w, ann => 'create_channel', name => $name,
		    topic => 'zebra topic', private => $true)->{channelId};
		my $gone = does($w, ann => 'create_channel', name => 'gone',
		    private => $true)->{channelId};
		does($w, ann => 'add_channel_member', channel => $_,
		    member => 'zoe') for $c, $gone;
		$w->{probe} = { live($w, $c, 'zebra') };
		live($w, $gone, 'zebra');
		does($w, ann => 'delete_channel', channel => $gone);
	}
	live($w, does($w, ann => 'create_channel', name => 'later')
	    ->{channelId}, 'okapi');
	$w->{last} = says($w, $w->{open}, 'The end.');
	$w->{asked} = as_zoe($w, POST => '/v1/permission-requests', { action =>
	    'x:last', resourceType => 'channel', resourceId => $w->{open} })
	    ->{requestId};
	$w->{probe}{$_} = $w->{$_} for qw(fails ends);
	next if !$w->{loud};
	wait_until { $w->{b}->psql('select count(*) from webhook where tries > 0 '
	    . 'and failing_since is not null or not enabled') == 2 } 20,
	    'webhooks that fail';
	$w->{probe}{delivery} = $w->{b}->psql("select replace(id::text, '-', '')"
	    . " from webhook_delivery where webhook_id = '$w->{ends}'");
}
$doors[1]{probe}{delivery} = new_id();

# A message that is changed at once is told as it was or as it is, by when it
# is read.
sub whenever {
	my ($v) = @_;
	whenever($_) for ref $v eq 'HASH' ? values %$v
	    : ref $v eq 'ARRAY' ? @$v : ();
	return $v if ref $v ne 'HASH' || ref $v->{parts} ne 'ARRAY';
	return $v if !$v->{editedAt} && !$v->{redactedAt}
	    && $json->encode($v->{parts}) !~ /will be changed/;
	delete @$v{grep { /^(?:parts|text|edited|redacted|reactions)/ } keys %$v};
	return $v;
}

subtest 'what is pushed' => sub {
	my %got;
	for my $w (@doors) {
		my $last = $w->{last};
		my @lists;
		for my $io (@{ $w->{sse} }) {
			my @all;
			while (my $e = $io->recv) {
				push @all, $e;
				last if ($e->{data}{message}{id} // '') eq
				    $last;
			}
			push @lists, \@all;
		}
		for ($w->{ws}, $w->{bob}->ws) {
			my @all;
			while (my $m = $_->recv(20)) {
				push @all, $m;
				last if $json->encode($m) =~ /$last/;
			}
			push @lists, \@all;
		}
		# They come in any order, those of two channels and the last.
		my %asked;
		for ([15, 20], [16, 1]) {
			my ($n, $seconds) = @$_;
			wait_until { $w->{dan}->ws->pick(sub {
			    $asked{ $_->{payload}{requestId} } = $_->{payload}
				if ($_->{type} // '') eq 'permission_request';
			    return 0 }); keys %asked >= $n } $seconds;
		}
		push @lists, [@asked{ sort keys %asked }];
		my @posted;
		wait_until {
			@posted = map { $json->decode($_->{body}) }
			    $hooks->got("/bob$w->{loud}");
			return grep { $json->encode($_) =~ /$last/ } @posted;
		} 20, 'the last one';
		push @lists, [map { $_->{deliveryId} = 'D'; $_ } @posted];
		$got{ $w->{loud} } = [map { [map { plain($w, whenever($_)) }
		    @$_] } @lists];
	}
	my @names = ('events of the mesh', 'events of a channel', '/v1/ws',
	    'the mesh protocol', 'requests', 'webhooks');
	for my $i (0 .. $#names) {
		cmp_ok(scalar @{ $got{0}[$i] }, '>', 10, "$names[$i]: some");
		is_deeply($got{1}[$i], $got{0}[$i], $names[$i]);
	}
};

sub rest_as {
	my ($who, $w, $method, $path, $body) = @_;
	my $r = $w->{b}->http($method => $path,
	    { Authorization => "Bearer $w->{token}{$who}" }, $body);
	delete @{ $r->{headers} }{qw(date etag content-length)};
	return { map { $_ => $r->{$_} } qw(status headers body) };
}

# What dan asks by its session, which reads the journal, too.
my $of_dan = qr/grant|permission|webhook/;

for my $who (qw(dan bob cid)) {
subtest "the mesh protocol, $who" => sub {
	my ($st, $table) = Linnet::run([$doors[0]{b}->program('linnet-dump'),
	    'FIELDS']);
	is($st, 0, 'the table of fields');
	my (@ops, %fields);
	for (split /\n/, $table) {
		my ($op, $path, $type, undef, undef, $must) = split /\t/;
		push @ops, $op if !defined $path;
		push @{ $fields{$op} }, [$path, $type, $must]
		    if defined $path && $path !~ /[.\[]/;
	}
	for my $op (sort { ($a eq 'revoke_grants') - ($b eq 'revoke_grants') }
	    @ops) {
		next if $op =~ /^(?:hello|session_hello|kick|disconnect|leave_
		    |delete_org|set_password|login|schedule|send|pull
		    )$/x || $who eq 'dan' && $op !~ $of_dan
		    || $who ne 'cid' && $op eq 'revoke_grants';
		for my $all (0, 1) {
			same("$op $all", sub {
				my ($w) = @_;
				my %m = (type => $op);
				for (@{ $fields{$op} }) {
					my ($f, $type, $must) = @$_;
					my $v = value($w, $op, $f, $type);
					$m{$f} = $v if defined $v
					    && ($must || $all);
				}
				my $r = $w->{$who}->request(\%m);
				delete $r->{_reqId};
				return $r;
			});
		}
	}
	for ([get_permission_request => {}], [set_webhook => { subscriptionId =>
	    'ends', enabled => $true }], [set_webhook => { subscriptionId =>
	    'fails', enabled => $true }], [list_webhook_deliveries =>
	    { subscriptionId => 'fails' }], [retry_webhook_delivery =>
	    { deliveryId => 'delivery' }]) {
		my ($op, $in) = @$_;
		same("$op of zoe's", sub {
			my ($w) = @_;
			my $r = $w->{$who}->request({ type => $op, requestId =>
			    $w->{probe}{request}, map { $_ =>
			    $w->{probe}{ $in->{$_} } // $in->{$_} }
			    keys %$in });
			delete $r->{_reqId};
			return $r;
		});
	}
	return if $who eq 'dan';
	for my $by ('channel', 'thread') {
		same("$_ of a $by", sub {
			my ($w) = @_;
			my $r = $w->{$who}->request({ type => $_, channel =>
			    $w->{probe}{$by} });
			delete $r->{_reqId};
			return $r;
		}) for qw(read_channel list_threads channel_events join_channel
		    follow_channel list_artifacts list_memory_units
		    list_commands read_cursor list_channel_members);
	}
	same("$_ by name", sub {
		my ($w) = @_;
		my $r = $w->{$who}->request({ type => $_, channel => $name,
		    text => 'x' });
		delete $r->{_reqId};
		return $r;
	}) for qw(read_channel join_channel channel_events post);
	same("a page of $_->[0]", sub {
		my ($w) = @_;
		my (@all, $after);
		do {
			my $r = $w->{$who}->request({ type => $_->[0], limit =>
			    1, %{ $_->[1] }, $after ? (after => $after) : () });
			delete $r->{_reqId};
			push @all, $r;
			$after = $r->{next};
			$after = undef if !$r->{more} && $_->[0] =~ /events/;
		} while (defined $after && @all < 100);
		return \@all;
	}) for ['list_channels', {}], ['mesh_events', { limit => 7 }],
	    ['search', { query => 'zebra' }], ['search', { query =>
	    'zebra or unicorn or okapi' }], ['search_memory_units', { query =>
	    'zebra or okapi' }], ['list_memory_units', { promoted => $true }],
	    ['list_commands', {}], ['list_members', {}],
	    ['list_permission_requests', {}], ['list_grants', { member =>
	    'zoe' }];
};
}

for my $who (qw(dan bob cid)) {
subtest "REST, $who" => sub {
	my $api = $doors[0]{b}->http('GET', '/openapi.json')->{json};
	my @paths = grep { $api->{paths}{$_}{get} } sort keys
	    %{ $api->{paths} };
	cmp_ok(scalar @paths, '>', 20, 'paths');
	for my $path (@paths) {
		next if $path !~ m{^/v1/} || $path =~ m{^/v1/ws};
		my @q = grep { $_->{in} eq 'query' }
		    @{ $api->{paths}{$path}{get}{parameters} || [] };
		for my $all (0, 1) {
			same("GET $path $all", sub {
				my ($w) = @_;
				my $p = $path =~ s/\{(\w+)\}/
				    value($w, '', $1) \/\/ 'x'/ger;
				my @pairs = map {
					my $v = value($w, '', $_->{name});
					defined $v && !ref $v
					    && ($all || $_->{required})
					    ? "$_->{name}=$v" : ();
				} @q;
				$p .= '?' . join '&', @pairs if @pairs;
				return rest_as($who, $w, GET => $p);
			});
		}
	}
	same("the stream after $_->[0]", sub {
		my ($w) = @_;
		my $io = Linnet::Events->new('/v1/events', at => $w->{b},
		    token => $w->{token}{$who}, last => $_->[1]->($w));
		my $e = $io->recv(2);
		return [$io->status, $e->{event}];
	}) for ['an event behind the wall', sub { $_[0]{probe}{event} =~
	    s/^.{13}/'0' x 13/er }],
	    ['a page', sub { $_[0]{bob}->request({ type => 'mesh_events' })
	    ->{next} }];
	# The id of one that is there, and of one that is not, of that time.
	my $w = $doors[0];
	my @r = map { rest_as($who, $w, GET => "/v1/events?after=$_") }
	    $w->{probe}{event}, substr($w->{probe}{event}, 0, 13) . '0' x 19;
	for (@r) {
		my $j = $json->decode($_->{body});
		delete $j->{next};
		$_ = $j;
	}
	is_deeply($r[0], $r[1], 'an event that is not for one is none');
	ok($r[0]{gap}, 'of which the answer says so');
};
}

for my $who (qw(dan bob cid)) {
subtest "MCP, $who" => sub {
	my $id = 0;
	my $ask = sub {
		my ($w, $method, %p) = @_;
		my $r = $w->{b}->http(POST => '/mcp', {
		    Authorization => "Bearer $w->{token}{$who}",
		    'Content-Type' => 'application/json',
		    'MCP-Protocol-Version' => '2025-06-18',
		    Accept => 'application/json, text/event-stream' },
		    $json->encode({ jsonrpc => '2.0', id => 1,
		    method => $method, params => \%p }));
		return $r->{json} // $r->{body};
	};
	my $tools = $ask->($doors[0], 'tools/list')->{result}{tools};
	cmp_ok(scalar @$tools, '>', 20, 'tools');
	for my $t (@$tools) {
		next if $t->{name} =~ /^(?:wait_for_message|schedule_message
		    |send_message|share_file|check_messages)$/x;
		same("tool $t->{name}", sub {
			my ($w) = @_;
			my $in = $t->{inputSchema};
			my %must = map { $_ => 1 } @{ $in->{required} || [] };
			my %a;
			for (keys %{ $in->{properties} }) {
				my $v = $_ eq 'id' || $_ =~ /message/
				    ? $w->{probe}{message} : value($w, '', $_);
				$a{$_} = $v if defined $v
				    && ($must{$_} || $_ eq 'channel');
			}
			return $ask->($w, 'tools/call', name => $t->{name},
			    arguments => \%a);
		});
	}
	same($_, sub { return $ask->($_[0], $_) })
	    for qw(resources/list resources/templates/list prompts/list);
	same("resource $_", sub { return $ask->($_[0], 'resources/read',
	    uri => $_) }) for "linnet://channels/$name", 'linnet://channels';
};
}

$_->{b}->stop for @doors;
done_testing;
