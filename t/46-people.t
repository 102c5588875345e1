#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# People of a mesh: made, listed, given other roles and taken out, by who may;
# tokens that are made by tokens; and the journal, which tells of all that.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Linnet qw(wait_until scratch);
use Test::More;

my ($true, $false) = (Cpanel::JSON::XS::true, Cpanel::JSON::XS::false);
my $key = 'platform-key-of-the-test-0123456789';
my $dir = scratch();
open my $f, '>', "$dir/key" or die $!;
print $f "$key\n";
close $f;
chmod 0600, "$dir/key";
my $b = Linnet->broker(workers => 2, options => [
    "platform.key_file $dir/key", 'rate.refused_burst 1000000']);

sub ask {
	my ($token, $method, $path, $body, %h) = @_;
	return $b->http($method, $path, { 'content-type' => 'application/json',
	    authorization => "Bearer $token", %h }, $body);
}
sub good {
	my $r = ask(@_);
	is($r->{status}, 200, "$_[1] $_[2]") or diag explain $r->{json};
	return $r->{json};
}
sub refused {
	my ($status, $like, $name, @ask) = @_;
	my $r = ask(@ask);
	is($r->{status}, $status, $name) or diag explain $r->{json};
	like($r->{json}{error}, $like, "$name: says so");
	return;
}
sub worth {
	my ($token) = @_;
	return ask($token, GET => '/v1/token')->{status};
}

my $made = $b->http(POST => '/v1/workspaces', { 'x-platform-key' => $key },
    { name => 'Team "x"', slug => 'team', ownerName => 'olga',
    ownerKind => 'human' })->{json};
my ($mesh, $owner) = @{$made}{qw(orgId owner_token)};
my $ada = good($owner, POST => '/v1/members', { name => 'ada',
    kind => 'human', role => 'admin' });
my $bot = good($ada->{token}, POST => '/v1/members', { name => 'bot' });

subtest 'made' => sub {
	is_deeply([@{$bot}{qw(kind role)}], ['agent', 'member'], 'as a default');
	refused(403, qr/more than you/, 'no greater one', $ada->{token},
	    POST => '/v1/members', { name => 'x', role => 'owner' });
	refused(403, qr/members:write/, 'not by a member', $bot->{token},
	    POST => '/v1/members', { name => 'x' });
	refused(403, qr/which your role \(member\) has not/,
	    'no scope that the role has not', $ada->{token},
	    POST => '/v1/members', { name => 'x', scopes => ['members:write'] });
	my $r = good($ada->{token}, POST => '/v1/members', { name => 'reader',
	    scopes => ['channels:read'] });
	is_deeply($r->{scopes}, ['channels:read'], 'scopes as asked');
	refused(403, qr/channel.?:?/, 'and no more', $r->{token},
	    POST => '/v1/channels', { name => 'x' });
	good($ada->{token}, DELETE => "/v1/members/$r->{memberId}");
};

subtest 'listed' => sub {
	my @m = @{ good($bot->{token}, GET => '/v1/members')->{members} };
	is_deeply([map { [@{$_}{qw(displayName actorType role)}] } @m],
	    [['olga', 'human', 'owner'], ['ada', 'human', 'admin'],
	    ['bot', 'agent', 'member']], 'all that are there');
	my $p = good($bot->{token}, GET => '/v1/members?limit=2');
	is(scalar @{ $p->{members} }, 2, 'a page');
	is_deeply([map { $_->{displayName} } @{ good($bot->{token},
	    GET => "/v1/members?limit=2&after=$p->{next}")->{members} }],
	    ['bot'], 'and the next');
	is_deeply([map { $_->{actorId} } @{ good($bot->{token},
	    GET => '/v1/actors')->{actors} }], [map { $_->{actorId} } @m],
	    'also as actors');
};

subtest 'roles' => sub {
	my $at = "/v1/members/$bot->{memberId}";
	refused(403, qr/members:write/, 'not by a member', $bot->{token},
	    PATCH => $at, { role => 'admin' });
	refused(403, qr/more than you/, 'not above oneself', $ada->{token},
	    PATCH => $at, { role => 'owner' });
	my $r = good($ada->{token}, PATCH => $at, { role => 'admin' });
	is_deeply([@{$r}{qw(role changed)}], ['admin', $true], 'an admin');
	is(good($ada->{token}, PATCH => $at, { role => 'admin' })->{changed},
	    $false, 'already');
	is(good($bot->{token}, GET => '/v1/token')->{role}, 'admin',
	    'its token knows');
	refused(403, qr/greater role|mesh's own key/, 'nobody demotes an owner',
	    $ada->{token}, PATCH => "/v1/members/$made->{ownerId}",
	    { role => 'member' });
	refused(403, qr/mesh's own key/, 'who has the key stays that', $owner,
	    PATCH => "/v1/members/$made->{ownerId}", { role => 'member' });
	good($owner, PATCH => $at, { role => 'owner' });
	refused(403, qr/greater role than you/, 'nor another owner',
	    $ada->{token}, PATCH => $at, { role => 'member' });
	refused(403, qr/greater role than you/, 'nor takes one out',
	    $ada->{token}, DELETE => $at);
	good($owner, PATCH => $at, { role => 'member' });
	refused(404, qr/No member/, 'nobody', $owner,
	    PATCH => '/v1/members/nobody', { role => 'member' });
	refused(400, qr/role/, 'no role', $owner, PATCH => $at, {});
};

subtest 'taken out' => sub {
	my $s = $b->seed;
	$b->psql("update member set role = 'admin'
	    where id = '$s->{peerA}{memberId}'");
	my ($p, $q) = map { $b->peer($s->{$_}) } qw(peerA peerB);
	my $r = $q->request({ type => 'create_token' });
	my $member = $s->{peerB}{memberId};
	$r = $p->request({ type => 'remove_member', member => 'peer-b' });
	is_deeply([@{$r}{qw(type role changed)}],
	    ['member_changed', undef, $true], 'done') or diag explain $r;
	is($q->ws->wait_close->{code}, 4002, 'its session ends');
	is($p->request({ type => 'remove_member', member => $member })->{code},
	    'unknown_target', 'once');
	is($p->request({ type => 'set_role', member => 'peer-a',
	    role => 'member' })->{changed}, $true, 'oneself is like others');
};

subtest 'tokens by tokens' => sub {
	my $more = good($ada->{token}, POST => '/v1/tokens', { name => 'a',
	    scopes => ['member', 'members:write', 'channels:read'] });
	my $less = good($more->{token}, POST => '/v1/tokens', { name => 'b',
	    scopes => ['member', 'channels:read'] });
	my $least = good($less->{token}, POST => '/v1/tokens', {});
	is_deeply($least->{scopes}, ['member', 'channels:read'],
	    'has what the other has');
	refused(403, qr/cannot give the scope state:write/, 'and not more',
	    $less->{token}, POST => '/v1/tokens', { scopes => ['state:write'] });
	ok($least->{expiresAt} le $more->{expiresAt}, 'nor for longer');
	my $short = good($ada->{token}, POST => '/v1/tokens', { scopes =>
	    ['member'], expiresAt => '2027-01-01T00:00:00Z' });
	is(good($short->{token}, POST => '/v1/tokens', {})->{expiresAt},
	    '2027-01-01T00:00:00.000Z', 'which holds by itself');
	refused(400, qr/later than the end of the token/, 'and is said',
	    $short->{token}, POST => '/v1/tokens',
	    { expiresAt => '2027-01-02T00:00:00Z' });
	my $child = good($more->{token}, POST => '/v1/members',
	    { name => 'made', scopes => ['member', 'channels:read'] });
	is(worth($_->{token}), 200, 'all are good') for $more, $less, $least,
	    $child;
	my ($row) = grep { $_->{tokenId} eq $least->{tokenId} }
	    @{ good($less->{token}, GET => '/v1/tokens')->{tokens} };
	is($row->{state}, 'good', 'and listed');
	refused(404, qr/no token with this id/, 'not that of another member',
	    $child->{token}, DELETE => "/v1/tokens/$less->{tokenId}");
	good($ada->{token}, DELETE => "/v1/tokens/$more->{tokenId}");
	is(worth($_->{token}), 401, 'all that came of it ended')
	    for $more, $less, $least, $child;
	is(worth($ada->{token}), 200, 'what it came of did not');
	my ($left, $right) = map { good($bot->{token}, POST => '/v1/tokens',
	    { scopes => ['member'] }) } 1, 2;
	refused(404, qr/no token with this id/, 'one does not end another',
	    $left->{token}, DELETE => "/v1/tokens/$right->{tokenId}");
	good($left->{token}, DELETE => "/v1/tokens/$left->{tokenId}");
	refused(403, qr/may not do all of that/, 'nor sets a password',
	    $right->{token}, PUT => '/v1/members/me/password',
	    { password => 'a way to more' });
	my $narrow = good($ada->{token}, POST => '/v1/tokens',
	    { scopes => ['channels:read'] });
	refused(403, qr/scope member/, 'without that scope none are made',
	    $narrow->{token}, POST => '/v1/tokens', {});
};

subtest 'the journal' => sub {
	is($b->psql("select string_agg(type || ' ' || (payload::json ->> 'role')
	    || coalesce(' by ' || m.name, ''), ', ' order by n)
	    from event e left join member m on m.id = coalesce(
	    (payload::json ->> 'addedByActorId')::uuid,
	    (payload::json ->> 'removedByActorId')::uuid)
	    where e.mesh_id = '$mesh' and type = 'membership.updated'
	    and payload::json ->> 'actorId' = '$bot->{memberId}'"),
	    'membership.updated member by ada, membership.updated admin by '
	    . 'ada, membership.updated owner by olga, '
	    . 'membership.updated member by olga', 'who made whom what');
	is($b->psql("select payload from event where mesh_id = '$mesh'
	    and n = 1"), qq({"name":"Team \\"x\\"","orgId":"$mesh","slug":"team"}),
	    'in the form of which the hash is');
	is($b->psql("select bool_and(hash = want) from (select hash,
	    sha256(convert_to(coalesce(encode(lag(hash) over w, 'hex'), '')
	    || '|' || type || '|' || payload || '|' || to_char(created_at
	    at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), 'UTF8'))
	    as want from event where mesh_id = '$mesh' window w as
	    (order by n)) t"), 't', 'and the hashes fit');
};

done_testing;
