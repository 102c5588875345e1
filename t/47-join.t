#!/usr/bin/env perl
# POST /join: an invite makes a member, once for each of its uses.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use MIME::Base64 'decode_base64';
use Test::More;
use Linnet;

my $broker = Linnet->broker(workers => 2);
my $json = Cpanel::JSON::XS->new;
my $seed = $broker->seed;

sub payload {
	my ($token) = @_;
	return $json->decode(decode_base64($token =~ tr{-_}{+/}r));
}

# The body of a request; with changes.
sub body {
	my ($token, %o) = @_;
	return {
		invite_token => $token,
		$o{invite_payload} ? () : (invite_payload => payload($token)),
		peer_pubkey => Linnet::Peer::new_key()->{pubkey},
		display_name => 'newcomer',
		%o,
	};
}

sub post {
	return $broker->http(POST => '/join', {}, $_[0]);
}

sub error_ok {
	my ($r, $code, $name, $status) = @_;
	is($r->{status}, $status // 400, "$name: status");
	is_deeply([@{ $r->{json} }{qw(ok error code)}],
	    [Cpanel::JSON::XS::false, $code, $code], "$name: $code");
	like($r->{json}{message}, qr/\S \S.*\.$/, "$name: a sentence");
	return;
}

# A payload that this owner signs.
sub sign {
	my ($p, $secret) = @_;
	my %p = %$p;
	$p{signature} = Linnet::Peer::sign($secret, join '|', @p{qw(v mesh_id
	    mesh_slug broker_url expires_at mesh_root_key role
	    owner_pubkey)});
	return \%p;
}

sub invite {
	my (@args) = @_;
	return $broker->ctl_json('invite', 'create', $seed->{slug}, '--json',
	    @args)->{token};
}

subtest 'join' => sub {
	my $token = invite('--uses', 2);
	my $key = Linnet::Peer::new_key();
	my $r = post(body($token, peer_pubkey => $key->{pubkey},
	    display_name => "Zo\x{eb} \x{1f426}"));
	is($r->{status}, 200, 'joined');
	my $j = $r->{json};
	ok($j->{ok}, 'ok');
	like($j->{memberId}, qr/^[0-9a-f]{32}$/, 'memberId');
	ok(!$j->{alreadyMember}, 'a new member');
	is($j->{meshSlug}, $seed->{slug}, 'meshSlug');
	like($j->{meshName}, qr/\S/, 'meshName');
	like($j->{hookToken}, qr/^\S{20,}$/, 'hookToken');
	my $member = { %$key, meshId => $seed->{meshId},
	    memberId => $j->{memberId} };
	my $p = $broker->peer($member);
	is($p->hello_ack->{memberDisplayName}, "Zo\x{eb} \x{1f426}",
	    'who joined may say hello');
	for (1 .. 3) {
		my $again = post(body($token, peer_pubkey => $key->{pubkey},
		    display_name => 'other'))->{json};
		ok($again->{alreadyMember}, 'the same key again');
		is($again->{memberId}, $j->{memberId}, 'is the same member');
		ok(!exists $again->{hookToken}, 'the token is shown once');
	}
	is(post(body($token))->{status}, 200,
	    'which did not use up the second use');
	error_ok(post(body($token)), 'invite_exhausted', 'a third');
	my ($row) = grep { $_->{memberId} eq $j->{memberId} } @{
	    $broker->ctl_json('member', 'list', $seed->{slug}, '--json') };
	is($row->{name}, "Zo\x{eb} \x{1f426}", 'the operator sees it');
	is($row->{role}, 'member', 'as a member');
	$r = post(body(invite('--role', 'admin'),
	    display_name => 'boss'));
	($row) = grep { $_->{memberId} eq $r->{json}{memberId} } @{
	    $broker->ctl_json('member', 'list', $seed->{slug}, '--json') };
	is($row->{role}, 'admin', 'the role of the invite');
};

subtest 'refused' => sub {
	my $token = $seed->{inviteToken};
	my $p = payload($token);
	my $other = $broker->seed;
	my $q = payload($other->{inviteToken});
	my $mallory = Linnet::Peer::new_key();

	for (['role', 'admin'], ['mesh_slug', 'x'], ['expires_at', 10_000_000_000],
	    ['broker_url', 'ws://evil.example/ws'], ['mesh_root_key', 'x'],
	    ['mesh_id', $other->{meshId}], ['signature', '0' x 128],
	    ['owner_pubkey', $other->{ownerPubkey}]) {
		my ($field, $value) = @$_;
		error_ok(post(body($token, invite_payload =>
		    { %$p, $field => $value })), 'invite_bad_signature',
		    "another $field");
	}
	error_ok(post(body($token, invite_payload => sign({ %$p,
	    owner_pubkey => $mallory->{pubkey} }, $mallory->{secretKey}))),
	    'invite_owner_mismatch', 'signed by another');
	error_ok(post(body($token, invite_payload => sign({ %$p,
	    mesh_id => '0' x 31 . '1' }, $seed->{ownerSecretKey}))),
	    'mesh_not_found', 'a mesh that does not exist');
	error_ok(post(body($token . 'x', invite_payload => $p)),
	    'invite_not_found', 'a token that nobody made');
	error_ok(post(body($token, invite_payload => $q)),
	    'invite_mesh_mismatch', "another mesh's payload");

	my $short = invite('--expires', '1s');
	ok((wait_until { (post(body($short))->{json}{code} // '')
	    eq 'invite_expired' }), 'after its time');
	error_ok(post(body($short)), 'invite_expired', 'expired');
	my $one = invite('--uses', 1);
	is(post(body($one))->{status}, 200, 'an invite for one');
	error_ok(post(body($one)), 'invite_exhausted', 'exhausted');
	my $back = invite();
	$broker->psql("update invite set revoked_at = now() where id =
	    (select id from invite order by created_at desc limit 1)");
	error_ok(post(body($back)), 'invite_revoked', 'revoked');
	my $key = Linnet::Peer::new_key()->{pubkey};
	my $r = post(body($token, peer_pubkey => $key));
	$broker->psql("update member set revoked_at = now()
	    where id = '$r->{json}{memberId}'");
	error_ok(post(body($token, peer_pubkey => $key)), 'revoked',
	    'a revoked member', 403);
	is(post(body($token))->{status}, 200, 'the invite is still good');
};

subtest 'malformed' => sub {
	my $token = $seed->{inviteToken};
	my $p = payload($token);
	my @rows = (
		(map { [$_, undef] } qw(invite_token invite_payload
		    peer_pubkey display_name)),
		[invite_token => 5], [invite_token => ''],
		[invite_payload => 'x'], [invite_payload => []],
		[peer_pubkey => 'ab'], [peer_pubkey => 'z' x 64],
		[display_name => ''], [display_name => ['x']],
		[display_name => "a\x{0}b"], [display_name => "a\x{202e}b"],
		[display_name => " a"],
	);
	for (@rows) {
		my ($field, $value) = @$_;
		my $b = body($token, $field => $value);
		delete $b->{$field} if !defined $value;
		my $r = post($b);
		error_ok($r, 'malformed', $field);
		like($r->{json}{message}, qr/\b$field\b/, 'names it');
	}
	for my $field (grep { $_ ne 'invite_id' } sort keys %$p) {
		my %less = %$p;
		delete $less{$field};
		my $r = post(body($token, invite_payload => \%less));
		error_ok($r, 'malformed', "payload without $field");
		like($r->{json}{message}, qr/\b$field\b/, 'names it');
	}
	for (['v', 2], ['v', 'one'], ['mesh_id', 'x'], ['expires_at', -1],
	    ['owner_pubkey', 'ab'], ['signature', 'ab']) {
		my $r = post(body($token, invite_payload =>
		    { %$p, $_->[0] => $_->[1] }));
		error_ok($r, 'malformed', "payload with $_->[0] $_->[1]");
		like($r->{json}{message}, qr/\b$_->[0]\b/, 'names it');
	}
	error_ok(post(body($token, display_name => 'x' x 129)), 'too_big',
	    'a long name', 413);
	error_ok(post(body('x' x 8193, invite_payload => $p)), 'too_big',
	    'a long token', 413);
	error_ok($broker->http(POST => '/join', {}, $_), 'malformed',
	    "body '$_'") for '', '{', '[]', 'null', '"x"', '{}x';
};

# Sends all at once, over connections of their own.
sub at_once {
	my (@bodies) = @_;
	my @io = map { $broker->tcp } @bodies;
	$io[$_]->put(Linnet::Http::request(POST => '/join', {}, $bodies[$_]))
	    for 0 .. $#bodies;
	return map { $_->answer('POST') } @io;
}

subtest 'at once' => sub {
	for my $uses (1, 3) {
		my $token = invite('--uses', $uses);
		my @r = at_once(map { body($token) } 1 .. 12);
		my @codes = sort map { $_->{json}{code} // 'joined' } @r;
		is("@codes", join(' ', ('invite_exhausted') x (12 - $uses),
		    ('joined') x $uses), "$uses of twelve get in");
	}
	my $token = invite('--uses', 5);
	my $body = body($token);
	my @r = at_once(($body) x 8);
	is((grep { $_->{status} == 200 } @r), 8,
	    'one key eight times: each is told that it is a member')
	    or diag(explain([map { $_->{json} } @r]));
	my %ids = map { $_->{json}{memberId} // '' => 1 } @r;
	is(keys %ids, 1, 'and there is one');
	is((grep { $_->{json}{hookToken} } @r), 1, 'with one hook token');
	my @more = at_once(map { body($token) } 1 .. 6);
	is((grep { $_->{status} == 200 } @more), 4,
	    'it took one use of five');
};

is($broker->stop, 0, 'stopped');
done_testing;
