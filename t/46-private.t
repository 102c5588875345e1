#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Requests and grants about what is private: there for who asked, and for those
# inside who may decide, its owners and admins among them; to anybody else as
# those about what never was.
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

# out: outside; in: in the private channel.
my %who = (peer_a => $seed->{peerA}, map { $_ => $broker->joined($seed, $_) }
    qw(out_admin out_grant out_plain in_owner in_manager in_admin in_grant
    in_plain));
rows("update member set role = 'admin' where id = '$who{$_}{memberId}'")
    for qw(peer_a out_admin in_admin);
my @names = grep { $_ ne 'peer_a' } sort keys %who;
my $i = 0;
my %at = map { $_ => $hosts[$i++ % 2] } sort keys %who;
my %p = map { $_ => $at{$_}->peer($who{$_}, name => $_) } keys %who;
# As a back end does it; the admins decide by their scope.
my %as = map { $_ => principal($who{$_}, /_admin/ ? 'grant:create' : ()) }
    @names;

sub asks {
	my ($who, $type, %o) = @_;
	my $r = $p{$who}->request({ type => $type, %o });
	return $r;
}
sub does {
	my ($who, $type, %o) = @_;
	my $r = asks($who, $type, %o);
	die "$type: " . Cpanel::JSON::XS->new->canonical->encode($r)
	    if $r->{type} eq 'error';
	return $r;
}
sub http_is {
	my ($r, $status, $what) = @_;
	is($r->{http}, $status, $what) or diag explain $r;
	return $r;
}
sub wants {
	my ($who, $resource, %o) = @_;
	return http_is(rest($broker, $as{$who}, POST =>
	    '/v1/permission-requests', { action => 'message:append',
	    resourceType => 'channel', resourceId => $resource, %o }), 200,
	    "$who asks")->{requestId};
}
sub seen {
	my ($who, $id) = @_;
	return rest($hosts[1], $as{$who}, GET =>
	    "/v1/permission-requests/$id");
}
sub listed {
	my ($who, $query) = @_;
	return rest($hosts[1], $as{$who}, GET => '/v1/permission-requests'
	    . ($query // ''));
}
sub resolves {
	my ($who, $id, %o) = @_;
	return rest($broker, $as{$who}, POST =>
	    "/v1/permission-requests/$id/resolve", { approve => $true, %o });
}
# What is said of a thing, but for its id.
sub but {
	my ($r, $id) = @_;
	return Cpanel::JSON::XS->new->canonical->encode($r) =~ s/$id/ID/gr;
}
# Who hears of a request.
sub hear {
	my ($id) = @_;
	# What was told before this has come when this one has.
	my $last = rest($broker, $as{in_grant}, POST =>
	    '/v1/permission-requests', { action => 'x:last', resourceType =>
	    'channel', resourceId => does(peer_a => 'create_channel',
	    name => 'c' . ++$i)->{channelId} })->{requestId};
	my @hear;
	for my $who (@names) {
		my %got;
		$p{$who}->wait_for(sub { $got{ $_->{payload}{requestId} } = 1
		    if ($_->{type} // '') eq 'permission_request';
		    return $got{$last} }, $who =~ /admin/ ? 10 : 0.2);
		push @hear, $who if $got{$id};
	}
	resolves('in_grant', $last, approve => $false);
	return join ' ', @hear;
}

does(peer_a => 'create_grant', member => $_, capability => 'grant:create',
    resourceType => 'org') for map { $who{$_}{memberId} }
    qw(out_grant in_grant);
my $den = does(in_owner => 'create_channel', name => 'den',
    private => $true)->{channelId};
my $pub = does(in_owner => 'create_channel', name => 'pub')->{channelId};
for my $c ($den, $pub) {
	does(in_owner => 'add_channel_member', channel => $c, member =>
	    $who{$_}{memberId}, role => /manager/ ? 'admin' : 'member')
	    for qw(in_manager in_admin in_grant in_plain);
}
my $said = does(in_owner => 'post', channel => $den, text => 'x')->{messageId};
my $open = does(in_plain => 'create_thread', channel => $den,
    messageId => $said)->{channelId};
$said = does(in_owner => 'post', channel => $pub, text => 'x')->{messageId};
my $shut = does(in_plain => 'create_thread', channel => $pub,
    messageId => $said, private => $true)->{channelId};
my $gone = does(in_owner => 'create_channel', name => 'gone')->{channelId};
does(in_owner => 'delete_channel', channel => $gone);
my $else = $broker->seed;
$else->{peerA}{meshId} //= $else->{meshId};
my $far = rest($broker, principal($else->{peerA}, 'channel:create'), POST =>
    '/v1/channels', { name => 'far', visibility => 'public' })->{channelId};
my $never = 'e' x 32;

my $inside = 'in_admin in_grant in_manager in_owner';
for (
	# About what, by whom; who may decide, and hears of it.
	['a private channel', $den, 'in_plain', $inside, 'in_plain'],
	['one, by who is outside', $den, 'out_plain', $inside, 'out_plain'],
	['a thread there', $open, 'in_plain', $inside, 'in_plain', 'thread'],
	['a private thread elsewhere', $shut, 'in_plain', $inside, 'in_plain',
	    'thread'],
	['what never was', $never, 'in_plain', '', 'in_plain'],
	['what is gone', $gone, 'in_plain', '', 'in_plain'],
	['what is of another mesh', $far, 'in_plain', '', 'in_plain'],
	['a public channel', $pub, 'in_plain', "$inside out_admin",
	    'in_plain', 'channel', 'out_grant'],
	['an admin of the mesh that is outside', $den, 'out_admin', $inside,
	    'out_admin'],
) {
	my ($what, $resource, $by, $decide, $asked, $type, $silent) = @$_;
	subtest $what => sub {
		my $id = wants($by, $resource, resourceType =>
		    $type // 'channel', context => { why => 'x' });
		my $other = wants($by, 'd' x 32);
		my %sees = map { $_ => 1 } split(/ /, $decide), $asked,
		    $silent // ();
		is(hear($id), $decide, 'is told to those who may decide it');
		for my $who (@names) {
			my $r = seen($who, $id);
			my @l = grep { $_->{requestId} eq $id }
			    @{ listed($who)->{requests} };
			if ($sees{$who}) {
				is_deeply([$r->{http}, $r->{request}{context}],
				    [200, { why => 'x' }], "$who sees it");
				is(scalar @l, 1, 'and finds it');
				next;
			}
			is(but($r, $id), but(seen($who, 'f' x 32), 'f' x 32),
			    "to $who it is as one that never was");
			is(but($r, $id), but(seen($who, $other), $other),
			    'and as one about what never was');
			is(scalar @l, 0, 'nor listed');
			next if $who !~ /^out_/;
			is(but(resolves($who, $id, approve => $_), $id),
			    but(resolves($who, 'f' x 32, approve => $_),
			    'f' x 32), 'nor decided') for $true, $false;
			my $m = asks($who, 'resolve_permission', requestId =>
			    $id, approve => $true);
			is($m->{code}, $who =~ /plain/ ? 'forbidden' :
			    'not_found', 'by the mesh protocol, too');
		}
		is(seen($by, $id)->{request}{status}, 'open', 'and it is open');
		http_is(resolves($by, $_, approve => $false), 200,
		    'who asked takes it back') for $id, $other;
		is(seen($by, $id)->{request}{status}, 'denied', 'which ends it');
	};
}

sub posts {
	my ($who, $channel) = @_;
	return rest($broker, $as{$who}, POST => '/v1/messages', { streamId =>
	    $channel, streamType => 'channel', idempotencyKey => 'k' . ++$i,
	    parts => [{ type => 'text', payload => { text => 'x' } }],
	    autoRequestOnDeny => $true });
}

subtest 'an owner decides' => sub {
	my $id = http_is(posts('in_plain', $den), 200, 'what was denied')
	    ->{requestId};
	my $r = http_is(resolves('in_owner', $id, maxUses => 2), 200,
	    'is approved');
	is_deeply([map { $_->{payload}{status} } $p{in_plain}->wait_for(sub {
	    ($_->{type} // '') eq 'permission_resolved'
	    && $_->{payload}{requestId} eq $id })], ['approved'],
	    'of which who asked hears');
	is(rows("select capability || ' ' || resource_type || ' ' || "
	    . "resource_id || ' ' || max_uses from permission_grant where id = "
	    . "'$r->{grantId}'"), "message:append channel $den 2",
	    'by a grant on the channel');
	ok(http_is(posts('in_plain', $den), 200, 'it is posted')->{messageId},
	    'there');
	ok(posts('in_plain', $pub)->{denied}, 'and nowhere else');
	http_is(resolves('in_owner', $id), 400, 'once');
	http_is(rest($broker, $as{out_admin}, POST =>
	    "/v1/grants/$r->{grantId}/revoke", {}), 404,
	    'the grant is not there outside');
	http_is(rest($broker, $as{in_plain}, POST =>
	    "/v1/grants/$r->{grantId}/revoke", {}), 403, 'nor for others');
	is(http_is(rest($broker, $as{in_manager}, POST =>
	    "/v1/grants/$r->{grantId}/revoke", {}), 200,
	    'its owners and admins take it away')->{existed}, $true, 'so');
	ok(posts('in_plain', $den)->{denied}, 'it is over');
	my $c = http_is(rest($broker, $as{in_plain}, POST => '/v1/commands',
	    { name => 'go', channelId => $den }), 201, 'a command');
	is(resolves('in_manager', $c->{requestId})->{commandId},
	    $c->{commandId}, 'is approved');
	is(does(in_plain => 'list_commands', channel => $den)
	    ->{commands}[0]{name}, 'go', 'and there');
};

subtest 'but not all' => sub {
	for my $w ('tool:execute:x', 'grant:create', 'memory:promote',
	    'channel:create', 'command:register') {
		my $id = wants('in_plain', $den, action => $w);
		is(http_is(resolves('in_owner', $id), 403, "not $w")
		    ->{capability}, 'grant:create', 'which takes more');
		http_is(resolves('in_owner', $id, approve => $false), 200,
		    'but no');
	}
	for my $w ('channel:admin', 'message:redact', 'thread:create',
	    'webhook:subscribe', 'durable_stream:write', 'artifact:admin') {
		my $id = wants('in_plain', $den, action => $w);
		my $r = http_is(resolves('in_owner', $id), 200, $w);
		rest($broker, $as{in_owner}, POST =>
		    "/v1/grants/$r->{grantId}/revoke", {});
	}
	for my $who (qw(in_owner in_manager in_grant)) {
		my $id = wants($who, $den);
		http_is(resolves($who, $id), 403, "nor $who its own");
		http_is(resolves($who, $id, approve => $false), 200,
		    'which it can take back');
	}
	http_is(resolves('in_owner', wants('in_plain', undef,
	    resourceType => 'org')), 403, 'nor of the mesh');
	my $all = wants('in_plain', undef);
	http_is(resolves('in_owner', $all), 403, 'nor of all channels');
	is(seen('out_admin', $all)->{http}, 200, 'which are for who may grant');
	http_is(resolves('out_admin', $all, approve => $false), 200, 'to do');
	my $id = wants('in_plain', $den);
	my $token = does(in_owner => 'create_token', name => 'r', scopes =>
	    ['channels:read'])->{token};
	is(rest($at{in_owner}, $token, GET => '/v1/permission-requests')
	    ->{requests}[0], undef, 'a token that may not write in channels');
	http_is(rest($at{in_owner}, $token, POST =>
	    "/v1/permission-requests/$id/resolve", { approve => $true }), 403,
	    'does not decide there');
	does(in_owner => 'add_channel_member', channel => $den, member =>
	    $who{in_manager}{memberId}, role => 'member');
	http_is(resolves('in_manager', $id), 403, 'nor who is no admin more');
	does(in_owner => 'add_channel_member', channel => $den, member =>
	    $who{in_manager}{memberId}, role => 'admin');
	http_is(resolves('in_plain', $id, approve => $false), 200, 'back');
};

subtest 'pages' => sub {
	resolves('in_owner', $_->{requestId}, approve => $false)
	    for @{ listed('in_owner')->{requests} };
	my @hid = map { wants('in_plain', $den) } 1 .. 5;
	my @see = map { wants('in_plain', $pub), wants('in_plain', $den) }
	    1 .. 3;
	@see = @see[0, 2, 4];
	my $old = @{ listed('out_admin')->{requests} } - 3;
	for my $who (qw(out_admin out_grant)) {
		my $after = $old == 0 ? undef
		    : listed($who, "?limit=$old")->{next};
		my $r = listed($who, '?limit=3' . ($after ? "&after=$after"
		    : ''));
		is_deeply([map { $_->{requestId} } @{ $r->{requests} }], \@see,
		    "$who has a full page");
		ok(!exists $r->{next}, 'behind which nothing is');
	}
	is(scalar @{ listed('in_manager')->{requests} }, 11,
	    'inside there are all');
	my $r = listed('in_manager', '?limit=8');
	is(scalar @{ $r->{requests} }, 8, 'in pages');
	is(scalar @{ listed('in_manager', "?after=$r->{next}")->{requests} },
	    3, 'to the end');
	is_deeply([map { $_->{requestId} } @{ listed('in_manager',
	    "?actorId=$who{in_plain}{memberId}&limit=5")->{requests} }], \@hid,
	    'of one member');
	resolves('in_owner', $_->{requestId}, approve => $false)
	    for @{ listed('in_owner')->{requests} };
	is_deeply(listed('in_manager')->{requests}, [], 'then none');
};

subtest 'what ends' => sub {
	my ($c, $kept) = map { does(in_owner => 'create_channel', name =>
	    'ends' . ++$i, private => $_)->{channelId} } $false, $true;
	my @t = map { my $c = $_; map { does(in_owner => 'create_thread',
	    channel => $c, messageId => does(in_owner => 'post', channel => $c,
	    text => 'x')->{messageId})->{channelId} } 1, 2 } $c, $kept;
	my @id = (wants('in_plain', $c), wants('in_plain', $kept),
	    map { wants('in_plain', $_, resourceType => 'thread') } @t);
	my $sees = sub { return join ' ', map { my $id = $_; grep { $id[$_] eq
	    $id } 0 .. $#id } map { $_->{requestId} }
	    @{ listed($_[0])->{requests} } };
	is($sees->('in_owner'), '0 1 2 3 4 5', 'who manages sees all');
	is($sees->('out_admin'), '0 2 3', 'outside what is public');
	does(in_owner => 'delete_channel', channel => $_) for @t[0, 2];
	is($sees->('in_owner'), '0 1 3 5', 'without threads that are gone');
	is($sees->('out_admin'), '0 3', 'for all');
	does(in_owner => 'delete_channel', channel => $_) for $c, $kept;
	is($sees->($_), '', "$_: without channels, too")
	    for qw(in_owner out_admin);
	is($sees->('in_plain'), '0 1 2 3 4 5', 'who asked has them');
	http_is(resolves($_, $id[0]), $_ eq 'in_owner' ? 403 : 404,
	    "$_ does not decide them") for qw(in_owner out_admin out_grant);
	http_is(resolves('in_plain', $_, approve => $false), 200,
	    'and takes them back') for @id;
};

subtest 'waiting' => sub {
	my $id = wants('in_plain', $den);
	my $path = "/v1/permission-requests/$id?wait=30";
	my $t = time;
	http_is(rest($hosts[1], $as{out_admin}, GET => $path), 404,
	    'outside there is nothing to wait for');
	cmp_ok(time - $t, '<', 5, 'which is said at once');
	my $io = $hosts[1]->tcp;
	$io->put(Linnet::Http::request(GET => $path, { %{ $as{in_admin} },
	    Connection => 'close' }));
	rest($hosts[1], $as{in_admin}, GET =>
	    "/v1/permission-requests/$id?wait=1");
	does(in_owner => 'remove_channel_member', channel => $den, member =>
	    $who{in_admin}{memberId});
	http_is(resolves('in_owner', $id), 200, 'it is decided');
	is($io->answer('GET')->{status}, 404,
	    'and who is outside by then does not learn how');
	does(in_owner => 'add_channel_member', channel => $den, member =>
	    $who{in_admin}{memberId});
	is(seen('in_admin', $id)->{request}{status}, 'approved', 'who is in '
	    . 'again does');
	rest($broker, $as{in_admin}, POST =>
	    "/v1/actors/$who{in_plain}{memberId}/revoke-grants", {});
};

sub grants {
	my ($who, %o) = @_;
	return http_is(rest($broker, $as{$who}, POST => '/v1/grants', {
	    actorId => $who{in_plain}{memberId}, capability =>
	    'message:append', resourceType => 'channel', %o }), 200,
	    "$who grants")->{grantId};
}
sub has {
	my ($who) = @_;
	my $r = rest($hosts[1], $as{$who}, GET =>
	    "/v1/actors/$who{in_plain}{memberId}/grants");
	return join ' ', sort map { $_->{grantId} } @{ $r->{grants} };
}
sub revokes {
	my ($who, $id) = @_;
	return rest($broker, $as{$who}, POST => "/v1/grants/$id/revoke", {});
}

subtest 'grants' => sub {
	my %g = (den => grants('in_admin', resourceId => $den),
	    named => grants('in_admin', constraints => { channelIds =>
		[$pub, uc $den] }),
	    pub => grants('in_admin', resourceId => $pub,
		constraints => { channelIds => [$pub] }),
	    shut => grants('in_admin', resourceType => 'thread',
		resourceId => $shut));
	my $all = join ' ', sort values %g;
	is(has('in_admin'), $all, 'inside all are there');
	is(has('in_plain'), $all, 'and for whose they are');
	for my $who (qw(out_admin out_grant)) {
		is(has($who), $g{pub}, "$who sees none that names it");
		is_deeply([map { rest($broker, $as{$who}, GET =>
		    "/v1/grants/check?capability=message:append&actorId="
		    . "$who{in_plain}{memberId}&resourceType=channel&"
		    . "resourceId=$_")->{hasGrant} } $den, $never, $pub],
		    [$false, $false, $true], 'nor asks for one');
		is(but(revokes($who, $g{$_}), $g{$_}), but(revokes($who,
		    'f' x 32), 'f' x 32), "nor takes away $_")
		    for qw(den named shut);
	}
	is(has('in_admin'), $all, 'they are all there');
	revokes('in_admin', $_) for values %g;
	is(has('in_admin'), '', 'who is in takes them away');

	# What becomes of one that was made from outside does not show there.
	for my $who (qw(out_admin out_grant)) {
		my @made = map { grants($who, resourceId => $_, maxUses => 1) }
		    $den, $never;
		http_is(posts('in_plain', $den), 200, 'it holds inside');
		is(has($who), '', 'and is not listed');
		is(but(revokes($who, $made[0]), $made[0]), but(revokes($who,
		    $made[1]), $made[1]), "one for $who to take away");
		is(revokes($who, $made[0])->{existed}, $true,
		    'of which it hears no more');
		my @l = grep { ($_->{payload}{grantId} // '') eq $made[0] }
		    @{ events($who) };
		is(join(' ', map { $_->{type} } @l), 'grant.created '
		    . 'grant.revoked grant.revoked', 'than what it did');
	}
	my @g = (grants('in_admin', resourceId => $den),
	    grants('in_admin', resourceId => $pub));
	my $r = rest($broker, $as{out_admin}, POST =>
	    "/v1/actors/$who{in_plain}{memberId}/revoke-grants", {});
	is_deeply($r->{revokedGrantIds}, [$g[1]], 'who takes away all hears '
	    . 'of what it sees');
	is(has('in_admin'), '', 'but takes away all');
	is_deeply([grep { ($_->{payload}{grantId} // '') eq $g[0] }
	    @{ events('out_admin') }], [], 'its own events do not tell');
	is(rows("select count(*) from event where payload like '%$g[0]%' and "
	    . "type = 'grant.revoked' and payload like "
	    . "'%$who{out_admin}{memberId}%'"), 1, 'but the audit');
};

sub events {
	my ($who) = @_;
	my (@all, $next);
	my $p = principal($who{$who}, 'channels:read');
	while (1) {
		my $r = rest($broker, $p, GET => '/v1/events?limit=500'
		    . ($next ? "&after=$next" : ''));
		push @all, @{ $r->{events} };
		last if !$r->{more};
		$next = $r->{next};
	}
	return \@all;
}

is($_->stop, 0, 'stops') for reverse @hosts;
done_testing;
