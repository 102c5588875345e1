#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Webhooks: each event once or more, in order, signed; to nobody who may not see
# it, and nowhere but where it may go; whatever fails or dies on the way.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(hmac_sha256 hmac_sha256_hex);
use MIME::Base64;
use POSIX ();
use Test::More;
use Linnet qw(wait_until scratch);
use Linnet::Hooks;
use Linnet::Postgres;
use Linnet::Tls;

my $h = Linnet::Hooks->new;
my $dir = scratch();
my $ca = Linnet::Tls->new($dir);
my ($cert, $key) = $ca->issue('first', names => ['good.test']);
my @options = ('webhook.http yes', 'webhook.allow 127.0.0.1',
    "webhook.resolver $h->{dns}", 'webhook.ca_file ' . $ca->file,
    'webhook.retry_min 10ms', 'webhook.retry_max 100ms',
    'webhook.timeout 2s', 'webhook.tries 3', 'webhook.give_up 365d',
    "tls.certificate $cert", "tls.key $key", 'limit.webhooks 100');
my $b = Linnet->broker(workers => 2, options => \@options,
    listen => ['127.0.0.1:0', 'tls:127.0.0.1:0'],
    tls => [$ca->client('good.test')]);
my $seed = $b->seed;
sub role {
	my ($who, $role) = @_;
	my ($st, undef, $err) = $b->ctl('member', 'role', $seed->{slug}, $who,
	    $role);
	is($st, 0, "$who becomes $role") or diag $err;
	return;
}
role('peer-a', 'admin');
my ($ann, $bob) = map { $b->peer($_) } @{$seed}{qw(peerA peerB)};

sub asks {
	my ($p, $type, %o) = @_;
	return $p->request({ type => $type, %o });
}
sub refused {
	my ($r, $code, $what) = @_;
	is($r->{type} eq 'error' ? $r->{code} : $r->{type}, $code, $what);
	return;
}
my $channels = 0;
sub channel {
	my ($p, %o) = @_;
	return asks($p, 'create_channel', name => 'c' . ++$channels, %o)
	    ->{channelId};
}
sub says {
	my ($p, $channel, $text) = @_;
	return asks($p, 'post', channel => $channel, text => '' . ($text // 'x'));
}
# A webhook of ann's for what is said in a new channel.
sub hook {
	my ($path, %o) = @_;
	my $c = channel($ann);
	my $w = asks($ann, 'create_webhook', endpoint => $h->url($path),
	    eventTypes => ['message.appended'], streamId => $c, %o);
	return ($c, $w->{subscriptionId}, $w->{secret});
}
sub deliveries {
	my ($id, %o) = @_;
	return @{ asks($ann, 'list_webhook_deliveries', subscriptionId => $id,
	    %o)->{deliveries} // [] };
}
sub came {
	my ($path, $n, $what) = @_;
	wait_until { $h->got($path) >= $n } 30, $what;
	return $h->got($path);
}
# The first delivery in this state.
sub becomes {
	my ($id, $state) = @_;
	my $d;
	wait_until { ($d) = deliveries($id, state => $state) } 30, $state;
	return $d // {};
}

subtest 'endpoints' => sub {
	for (
		['ftp://example.com/', 'protocol'],
		['example.com', 'invalid-url'],
		['https://', 'invalid-url'],
		['https://user@example.com/', 'invalid-url'],
		['https://exa mple.com/', 'invalid-url'],
		["https://example.com\\\@10.0.0.1/", 'invalid-url'],
		['https://example.com:0/', 'invalid-url'],
		['https://example.com:70000/', 'invalid-url'],
		['https://example.com/#x', 'invalid-url'],
		['https://2130706433/', 'invalid-url'],
		['https://0x7f.1/', 'invalid-url'],
		['https://127.1/', 'invalid-url'],
		['https://localhost/', 'blocked-hostname'],
		['https://LOCALHOST:8443/', 'blocked-hostname'],
		['https://a.localhost/', 'blocked-hostname'],
		['http://127.0.0.2/', 'loopback'],
		['https://0.0.0.0/', 'unspecified'],
		['https://10.1.2.3/', 'private-use'],
		['https://172.31.0.1/', 'private-use'],
		['https://192.168.1.1/', 'private-use'],
		['https://169.254.169.254/latest', 'link-local'],
		['https://100.64.0.1/', 'shared-address'],
		['https://198.18.0.1/', 'benchmarking'],
		['https://192.0.2.1/', 'documentation'],
		['https://224.0.0.1/', 'multicast'],
		['https://255.255.255.255/', 'reserved'],
		['https://[::1]/', 'loopback'],
		['https://[::]/', 'unspecified'],
		['https://[fe80::1]/', 'link-local'],
		['https://[fd00::1]/', 'unique-local'],
		['https://[ff02::1]/', 'multicast'],
		['https://[::ffff:10.0.0.1]/', 'private-use'],
		['https://[64:ff9b::a00:1]/', 'private-use'],
		['https://[2002:a00:1::]/', 'private-use'],
	) {
		my ($url, $why) = @$_;
		my $r = asks($ann, 'create_webhook', endpoint => $url,
		    eventTypes => ['*']);
		is($r->{code}, 'webhook_endpoint_blocked', $url);
		like($r->{message}, qr/: \Q$why\E\./, 'and why');
	}
	for ('https://hooks.example.com/a?b=c', 'https://8.8.8.8:8443',
	    'HTTPS://Example.COM', 'https://[2606:4700::1]/') {
		my $r = asks($ann, 'create_webhook', endpoint => $_,
		    eventTypes => ['x']);
		is($r->{type}, 'webhook_created', $_);
		is(asks($ann, 'delete_webhook', subscriptionId =>
		    $r->{subscriptionId})->{ok}, Cpanel::JSON::XS::true,
		    'deleted');
	}
};

subtest 'a delivery' => sub {
	my ($c, $id, $secret) = hook('/one');
	like($secret, qr/^whsec_[A-Za-z0-9+\/]{43}=$/, 'a secret');
	my $m = says($ann, $c, 'hello');
	my ($got) = came('/one', 1);
	my ($head, $body) = @$got{qw(headers body)};
	my $in = Cpanel::JSON::XS->new->utf8->decode($body);
	is($got->{method}, 'POST', 'is a POST');
	is($in->{subscriptionId}, $id, 'of the webhook');
	is($in->{event}{type}, 'message.appended', 'with the event');
	is($in->{event}{payload}{messageId}, $m->{messageId}, 'that happened');
	is_deeply([@{ $in->{event} }{qw(streamId streamSeq orgId)}],
	    [$c, 1, $seed->{meshId}], 'where');
	is($head->{'content-type'}, 'application/json', 'JSON');
	is($head->{'webhook-id'}, $in->{deliveryId}, 'its id');
	is($head->{'x-message-layer-delivery-id'}, $in->{deliveryId}, 'twice');
	is($head->{'x-message-layer-event-type'}, 'message.appended', 'type');
	ok(abs($head->{'webhook-timestamp'} - time) < 60, 'when');
	is($head->{'webhook-signature'}, 'v1,' . encode_base64(hmac_sha256(
	    "$in->{deliveryId}.$head->{'webhook-timestamp'}.$body",
	    decode_base64($secret =~ s/^whsec_//r)), ''), 'signed');
	is($head->{'x-message-layer-signature'},
	    hmac_sha256_hex($body, $secret), 'in both ways');
	my $d = becomes($id, 'delivered');
	is_deeply([@$d{qw(deliveryId eventType tries status response)}],
	    [$in->{deliveryId}, 'message.appended', 1, 200, 'ok'], 'is noted');
	my ($w) = grep { $_->{id} eq $id } @{ asks($ann, 'list_webhooks')
	    ->{subscriptions} };
	is_deeply([@$w{qw(endpoint enabled streamId actorId)}],
	    [$h->url('/one'), Cpanel::JSON::XS::true, $c,
	    $seed->{peerA}{memberId}], 'is listed');
	is($w->{tries}, undef, 'and tried no more');
	is_deeply($w->{eventTypes}, ['message.appended'], 'with its types');
	unlike($b->psql('select secret from webhook'), qr/whsec/,
	    'the database has no secret');
	my ($c2) = hook('/own', secret => 'correct horse');
	says($ann, $c2);
	($got) = came('/own', 1);
	is($got->{headers}{'x-message-layer-signature'},
	    hmac_sha256_hex($got->{body}, 'correct horse'), 'a secret of mine');
};

subtest 'in order' => sub {
	my ($c, $id) = hook('/order');
	$h->answers('/order', 200, 500, 503, 200, 500);
	says($ann, $c, $_) for 1 .. 20;
	wait_until { $h->events('/order') >= 20 } 30;
	is(join(' ', map { $_->{streamSeq} } $h->events('/order')),
	    join(' ', 1 .. 20), 'each, whatever fails');
	is(scalar $h->got('/order'), 23, 'what failed came again');
	my %by;
	push @{ $by{ $_->{headers}{'webhook-id'} } }, $_->{body}
	    for $h->got('/order');
	ok(!(grep { my %x = map { $_ => 1 } @$_; keys %x > 1 } values %by),
	    'as it was');
	wait_until { deliveries($id, state => 'delivered') == 20 } 10;
	my ($two) = grep { $_->{tries} == 3 } deliveries($id);
	is($two->{state}, 'delivered', 'after three tries');
};

# What was under way is done, and does not lead back.
subtest 'told to skip while it sends' => sub {
	$h->answers('/skip', [200, {}, 'ok', 1]);
	my ($c, $w) = hook('/skip');
	says($ann, $c, 'one');
	came('/skip', 1, 'it is sent');
	my $busy = sub {
		my ($what) = @_;
		return wait_until { $b->psql("select count(*) from
		    pg_stat_activity where pid <> pg_backend_pid()
		    and $what") > 0 } 10;
	};
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		eval { $b->psql("begin; update webhook set claim = null,
		    n = 1000000 where id = '$w'; select pg_sleep(6); commit;") };
		POSIX::_exit($@ ? 1 : 0);
	}
	ok($busy->("query like '%pg_sleep(%' and state = 'active'"),
	    'it is told');
	ok($busy->("wait_event_type = 'Lock'"), 'and then the answer comes');
	waitpid $pid, 0;
	is($?, 0, 'it was told');
	wait_until { $b->psql("select count(*) from webhook_delivery where
	    webhook_id = '$w' and state = 1") == 1 } 10, 'it was delivered';
	is($b->psql("select n from webhook where id = '$w'"), 1000000,
	    'it goes on where it was told');
};

subtest 'Retry-After' => sub {
	my ($c) = hook('/wait');
	$h->answers('/wait', [429, { 'Retry-After' => 3 }]);
	says($ann, $c);
	my @got = came('/wait', 2);
	cmp_ok($got[1]{at} - $got[0]{at}, '>=', 3, 'is waited for');
};

subtest 'given up' => sub {
	my ($c, $id) = hook('/dead');
	$h->answers('/dead', (500) x 3, [200, {}, 'fine']);
	says($ann, $c) for 1 .. 2;
	my $d = becomes($id, 'dead');
	is_deeply([@$d{qw(tries status error)}],
	    [3, 500, 'It answered 500.'], 'after so many tries');
	cmp_ok(becomes($id, 'delivered')->{eventId}, 'gt', $d->{eventId},
	    'then the next one comes');
	is(asks($ann, 'retry_webhook_delivery', deliveryId =>
	    $d->{deliveryId})->{subscriptionId}, $id, 'once more');
	wait_until { deliveries($id, state => 'delivered') == 2 } 10;
	my ($last) = reverse $h->got('/dead');
	is($last->{headers}{'webhook-id'}, $d->{deliveryId}, 'the same one');
	is(scalar deliveries($id, state => 'dead'), 0, 'is not dead any more');
	is(scalar deliveries($id, limit => 1), 1, 'a page');
	refused(asks($bob, 'retry_webhook_delivery', deliveryId =>
	    $d->{deliveryId}), 'not_found', 'for its member');
	refused(asks($bob, 'list_webhook_deliveries', subscriptionId => $id),
	    'not_found', 'as all of it');
};

subtest 'what goes wrong' => sub {
	for (
		['redirect', [302, { Location => $h->url('/secret') }], 302,
		    qr/It answered 302/],
		['slow', [200, {}, 'x', 5], 0, qr/time/i],
		['huge', [200, {}, 'y' x 1_000_000], 200, undef],
		['bytes', [400, {}, "a\x{ff}\0b"], 400, qr/400/],
	) {
		my ($name, $answer, $status, $error) = @$_;
		my ($c, $id) = hook("/$name");
		$h->answers("/$name", ($answer) x 3);
		says($ann, $c);
		my $d = becomes($id, $error ? 'dead' : 'delivered');
		is($d->{status}, $status, "$name: status");
		like($d->{error}, $error, "$name: why") if $error;
		cmp_ok(length($d->{response} // ''), '<=', 1024, 'is cut');
	}
	is(scalar $h->got('/secret'), 0, 'nobody was followed');
};

subtest 'names' => sub {
	$h->names('good.test', '127.0.0.1');
	$h->names('bad.test', '10.0.0.1');
	$h->names('both.test', 'all', '127.0.0.1', '192.168.0.1');
	$h->names('turn.test', '127.0.0.1', '169.254.169.254');
	for (['good.test', qr/^$/], ['bad.test', qr/not allowed \(private-use/],
	    ['both.test', qr/not allowed \(private-use/],
	    ['none.test', qr/has no address/]) {
		my ($name, $why) = @$_;
		my ($c, $id) = hook("/$name",
		    endpoint => $h->url("/$name", $name));
		says($ann, $c);
		my $d = becomes($id, $name eq 'good.test' ? 'delivered'
		    : 'dead');
		like($d->{error} // '', $why, $name);
		unlike($d->{error} // '', qr/\d\.\d/, 'and no address');
		is(scalar $h->got("/$name"), $name eq 'good.test' ? 1 : 0,
		    'what came');
	}
	my ($got) = $h->got('/good.test');
	is($got->{headers}{host}, "good.test:$h->{port}", 'under its name');
	my ($c, $id) = hook('/turn', endpoint => $h->url('/turn', 'turn.test'));
	says($ann, $c) for 1 .. 4;
	wait_until { deliveries($id) == 4
	    && !deliveries($id, state => 'waiting') } 30;
	is(scalar $h->events('/turn'), 4, 'one that changes its mind: to where '
	    . 'it may, at last');
};

subtest 'TLS' => sub {
	my ($port) = $b->address(1) =~ /:(\d+)$/;
	$h->names('other.test', '127.0.0.1');
	for (['good.test', 404, qr/404/], ['other.test', 0, qr/subject|certif/i])
	{
		my ($name, $status, $why) = @$_;
		my ($c, $id) = hook("/tls",
		    endpoint => "https://$name:$port/none");
		says($ann, $c);
		my $d = becomes($id, 'dead');
		is($d->{status}, $status, "$name: status");
		like($d->{error}, $why, "$name: why");
	}
};

subtest 'who may see it' => sub {
	my $private = channel($bob, private => Cpanel::JSON::XS::true);
	my $open = channel($bob);
	my $r = asks($ann, 'create_webhook', endpoint => $h->url('/see'),
	    eventTypes => ['*']);
	refused(asks($ann, 'create_webhook', endpoint => $h->url('/see'),
	    eventTypes => ['*'], streamId => $private), 'not_found',
	    'what is private is not there');
	refused(asks($bob, 'create_webhook', endpoint => $h->url('/see'),
	    eventTypes => ['*']), 'forbidden', 'not every member makes them');
	# What counts is what its member is when it is sent.
	role('peer-a', 'member');
	asks($bob, 'create_channel', name => 'nobody hears');
	says($bob, $private, 'secret');
	says($bob, $open, 'public');
	wait_until { grep { ($_->{streamId} // '') eq $open } $h->events('/see') }
	    20;
	asks($bob, 'add_channel_member', channel => $private,
	    member => $seed->{peerA}{memberId});
	says($bob, $private, 'for members');
	my @seen;
	wait_until { @seen = map { "$_->{streamId} $_->{streamSeq}" }
	    grep { $_->{type} eq 'message.appended' } $h->events('/see');
	    grep { $_ eq "$private 2" } @seen } 20;
	is_deeply(\@seen, ["$open 1", "$private 2"], 'from when it may');
	asks($bob, 'remove_channel_member', channel => $private,
	    member => $seed->{peerA}{memberId});
	says($bob, $private, 'secret again');
	says($bob, $open, 'more');
	wait_until { grep { ($_->{streamSeq} // 0) == 2
	    && $_->{streamId} eq $open } $h->events('/see') } 20;
	ok(!(grep { ($_->{streamSeq} // 0) > 2 } $h->events('/see')),
	    'until it may no more');
	asks($ann, 'set_webhook', subscriptionId => $r->{subscriptionId},
	    enabled => Cpanel::JSON::XS::false);
	says($bob, $open, 'while it is off');
	asks($ann, 'set_webhook', subscriptionId => $r->{subscriptionId},
	    enabled => Cpanel::JSON::XS::true);
	wait_until { grep { ($_->{streamSeq} // 0) == 3
	    && $_->{streamId} eq $open } $h->events('/see') } 20;
	# That it was made may have been sent while its member was an owner.
	ok(!(grep { !defined $_->{streamId} && $_->{type} ne 'webhook.created' }
	    $h->events('/see')), 'what is in no channel is not for members');
	role('peer-a', 'admin');
	$ann = $b->peer($seed->{peerA});
	my $token = asks($ann, 'create_token', name => 't',
	    scopes => ['webhook:subscribe'])->{token};
	is($b->http('POST', '/v1/webhooks/subscriptions', { Authorization =>
	    "Bearer $token" }, '{"endpoint":"https://a.example/",'
	    . '"eventTypes":["*"]}')->{status}, 403,
	    'a token gets no more by one than by itself');
};

subtest 'an admin' => sub {
	role('peer-b', 'admin');
	my $adm = $b->peer($seed->{peerB}, name => 'adm');
	my $r = asks($adm, 'create_webhook', endpoint => $h->url('/audit'),
	    eventTypes => ['webhook.updated', 'webhook.created']);
	is($r->{type}, 'webhook_created', 'makes one') or diag explain $r;
	my ($c, $id) = hook('/seen');
	ok((grep { $_->{id} eq $id } @{ asks($adm, 'list_webhooks')
	    ->{subscriptions} }), 'sees those of others');
	is(asks($adm, 'set_webhook', subscriptionId => $id, enabled =>
	    Cpanel::JSON::XS::false)->{ok}, Cpanel::JSON::XS::true,
	    'turns them off');
	wait_until { grep { $_->{type} eq 'webhook.updated'
	    && $_->{payload}{subscriptionId} eq $id } $h->events('/audit') } 20;
	ok((grep { $_->{type} eq 'webhook.updated' && !defined $_->{streamId} }
	    $h->events('/audit')), 'and gets what is in no channel');
	ok(!(grep { $_->{id} eq $id } @{ asks($ann, 'list_webhooks')
	    ->{subscriptions} }), 'one that is off is not listed');
	ok((grep { $_->{id} eq $id } @{ asks($ann, 'list_webhooks',
	    includeDisabled => Cpanel::JSON::XS::true)->{subscriptions} }),
	    'unless it is asked for');
};

subtest 'kill -9' => sub {
	my ($c, $id) = hook('/kill');
	$h->answers('/kill', ([200, {}, 'ok', 0.05]) x 200);
	my $n = 0;
	for my $round (1 .. 3) {
		says($ann, $c, ++$n) for 1 .. 15;
		my $before = $h->got('/kill');
		wait_until { $h->got('/kill') > $before } 20;
		my ($jobs) = $b->pids('jobs');
		kill 'KILL', $jobs;
		wait_until { my ($p) = $b->pids('jobs'); $p && $p != $jobs } 20;
	}
	wait_until { $h->events('/kill') >= $n } 40;
	is(join(' ', map { $_->{streamSeq} } $h->events('/kill')),
	    join(' ', 1 .. $n), 'loses nothing, and keeps the order');
};

subtest 'how it goes' => sub {
	my $adm = $b->peer($seed->{peerB}, name => 'adm');
	my $c = channel($ann);
	my %id = map { $_ => asks($ann, 'create_webhook', endpoint =>
	    $h->url("/how-$_"), eventTypes => ['message.appended'],
	    /all/ ? () : (streamId => $c))->{subscriptionId} } qw(all one
	    all-off one-off);
	my $of = sub {
		my ($who, $which) = @_;
		my ($w) = grep { $_->{id} eq $id{$which} } @{ asks($who,
		    'list_webhooks')->{subscriptions} };
		return join ' ', map { $_ . (/enabled/ ? ": $w->{$_}" : '') }
		    grep { defined $w->{$_} } qw(enabled disabledReason
		    failingSince tries);
	};
	is($of->($adm, $_), $of->($ann, $_), "$_: it is on") for keys %id;
	$h->answers("/how-$_", ([500, {}, '', 0, 1]) x 2) for qw(all one);
	$h->answers("/how-$_", 410) for qw(all-off one-off);
	says($ann, $c);
	for (qw(all one)) {
		my $which = $_;
		wait_until { $of->($ann, $which) =~ /failingSince/ } 20;
	}
	like($of->($ann, $_), qr/failingSince/, "$_: its member knows")
	    for qw(all one);
	like($of->($adm, 'one'), qr/failingSince/,
	    'another, where it is of a channel');
	is($of->($adm, 'all'), 'enabled: 1', 'but not else');
	wait_until { $of->($ann, 'all-off') eq ''
	    && $of->($ann, 'one-off') eq '' } 20;
	is($of->($adm, 'one-off'), '', 'that it was turned off');
	is($of->($adm, 'all-off'), 'enabled: 1', 'the same');
	is(asks($adm, 'list_webhook_deliveries', subscriptionId => $id{one})
	    ->{type}, 'webhook_deliveries', 'the log of one');
	refused(asks($adm, 'list_webhook_deliveries', subscriptionId =>
	    $id{all}), 'forbidden', 'not of the other');
	my ($d) = deliveries($id{'all-off'});
	refused(asks($adm, 'retry_webhook_delivery', deliveryId =>
	    $d->{deliveryId}), 'not_found', 'nor what is in it');
	my $lines = sub { return $b->psql("select count(*) from event where "
	    . "type = 'webhook.updated' and payload like "
	    . "'%$id{'all-off'}%'") };
	my $n = $lines->();
	my $set = sub { return asks($adm, 'set_webhook', subscriptionId =>
	    $id{'all-off'}, enabled => $_[0])->{ok} };
	ok($set->(Cpanel::JSON::XS::true), 'it is on, as far as others know');
	is($lines->(), $n, 'so turning it on is nothing');
	is($of->($ann, 'all-off'), '', 'and does nothing');
	ok($set->(Cpanel::JSON::XS::false), 'turning it off');
	is($lines->(), $n + 1, 'has a line');
	is($of->($adm, 'all-off'), '', 'and then it is off');
	asks($ann, 'delete_webhook', subscriptionId => $_) for values %id;
	$adm->close;
};

subtest 'too long' => sub {
	my ($c, $id) = hook('/gone');
	$h->answers('/gone', 410);
	says($ann, $c);
	my $w;
	my $find = sub {
		($w) = grep { $_->{id} eq $id } @{ asks($ann, 'list_webhooks',
		    includeDisabled => Cpanel::JSON::XS::true)
		    ->{subscriptions} };
		return !$w->{enabled};
	};
	wait_until { $find->() } 20;
	like($w->{disabledReason}, qr/410/, 'one that says it is gone');
	like($b->psql("select payload from event where type = 'webhook.updated'"
	    . ' order by n desc limit 1'), qr/"enabled":false.*410/,
	    'is told to the journal');
	refused(asks($ann, 'retry_webhook_delivery', deliveryId =>
	    (deliveries($id))[0]{deliveryId}), 'id_conflict', 'is off');
	($c, $id) = hook('/never');
	$h->answers('/never', (500) x 200);
	$b->{options} = [@options[0 .. 6], 'webhook.tries 100',
	    'webhook.give_up 2s', @options[9 .. $#options]];
	push @{ $b->{options} }, 'workers 2';
	says($ann, $c);
	$b->restart;
	$ann = $b->peer($seed->{peerA});
	wait_until { $find->() } 30;
	like($w->{disabledReason}, qr/too long/, 'one that took nothing');
};

subtest 'REST' => sub {
	my $token = asks($ann, 'create_token', name => 'r')->{token};
	my $rest = sub {
		my ($method, $path, $body) = @_;
		return $b->http($method, "/v1/webhooks$path", { Authorization =>
		    "Bearer $token" }, $body);
	};
	my $r = $rest->('POST', '/subscriptions', { endpoint =>
	    'https://localhost/', eventTypes => ['x'] });
	is_deeply([$r->{status}, @{ $r->{json} }{qw(code reason)}], [400,
	    'WEBHOOK_ENDPOINT_BLOCKED', 'blocked-hostname'], 'blocked');
	$r = $rest->('POST', '/subscriptions', { endpoint => $h->url('/rest'),
	    eventTypes => ['message.appended'], streamId => undef });
	is($r->{status}, 200, 'made') or diag $r->{body};
	my $id = $r->{json}{subscriptionId};
	is_deeply($rest->('PATCH', "/subscriptions/$id", { enabled =>
	    Cpanel::JSON::XS::false })->{json}{ok}, Cpanel::JSON::XS::true,
	    'off');
	is(scalar(grep { $_->{id} eq $id } @{ $rest->('GET',
	    '/subscriptions')->{json}{subscriptions} }), 0, 'not listed');
	my ($w) = grep { $_->{id} eq $id } @{ $rest->('GET',
	    '/subscriptions?includeDisabled=true')->{json}{subscriptions} };
	is_deeply([@$w{qw(orgId enabled streamId)}], [$seed->{meshId},
	    Cpanel::JSON::XS::false, undef], 'but with those that are off');
	is($rest->('GET', '/subscriptions?includeDisabled=maybe')->{status},
	    400, 'yes or no');
	is($rest->('PATCH', '/subscriptions/' . 'f' x 32, { enabled =>
	    Cpanel::JSON::XS::true })->{status}, 404, 'no such one');
	is($rest->('GET', "/subscriptions/$id/deliveries?state=dead")->{status},
	    200, 'its log');
	is($rest->('POST', '/deliveries/' . 'f' x 32 . '/retry', {})->{status},
	    404, 'no such delivery');
	is($rest->('DELETE', "/subscriptions/$id")->{status}, 200, 'deleted');
	is($rest->('DELETE', "/subscriptions/$id")->{status}, 404, 'and gone');
};

is($b->stop, 0, 'stops');

subtest 'two hosts' => sub {
	my $pg = Linnet::Postgres->new;
	my $key = "$dir/token.key";
	Linnet::Tls::put($key, 'ab' x 32);
	chmod 0600, $key;
	my @hosts = map { Linnet->broker(workers => 1, options => [@options,
	    'database "' . $pg->conninfo . '"', "host_name $_", 'host_lease 3s',
	    "token.key $key"], listen => ['127.0.0.1:0', 'tls:127.0.0.1:0'],
	    tls => [$ca->client('good.test')]) } qw(one two);
	$seed = $hosts[0]->seed;
	$pg->psql("update member set role = 'admin'");
	$ann = $hosts[1]->peer({ %{ $seed->{peerA} }, meshId =>
	    $seed->{meshId} });
	$h->answers('/two', ([200, {}, 'ok', 0.02]) x 40);
	my ($c, $id) = hook('/two');
	says($ann, $c) for 1 .. 40;
	wait_until { $h->got('/two') >= 40 } 30;
	is(join(' ', map { $_->{streamSeq} }
	    map { Cpanel::JSON::XS->new->utf8->decode(
	    $_->{body})->{event} } $h->got('/two')), join(' ', 1 .. 40),
	    'one at a time delivers');
	# The one that has it dies in the middle.
	$h->answers('/two', ([200, {}, 'ok', 0.2]) x 40);
	says($ann, $c) for 41 .. 60;
	wait_until { $h->got('/two') > 42 } 20;
	my (undef, $name) = $pg->psql("select h.name from webhook w
	    join host h on h.id = w.host_id where w.id = '$id'");
	chomp $name;
	my ($dead) = grep { $_->{options}[-3] eq "host_name $name" } @hosts;
	my ($alive) = grep { $_ != $dead } @hosts;
	$dead->kill9('all');
	$dead->allow_log(qr/./);
	wait_until { $h->events('/two') >= 60 } 40;
	is(join(' ', map { $_->{streamSeq} } $h->events('/two')),
	    join(' ', 1 .. 60), 'another one goes on');
	is($alive->stop, 0, 'stops');
};

my $off = Linnet->broker(workers => 1, options => ['webhook.enabled no']);
my $s = $off->seed;
my $p = $off->peer($s->{peerA});
refused(asks($p, $_->[0], %{ $_->[1] }), 'unknown_message_type', "off: $_->[0]")
    for ['list_webhooks', {}], ['delete_webhook', { subscriptionId =>
	'f' x 32 }], ['list_webhook_deliveries', { subscriptionId => 'f' x 32 }];
done_testing;
