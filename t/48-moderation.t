#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Keeping order: roles and what they may do, kicks, bans, blocks; for sessions
# on any worker.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Linnet;
use Linnet::Postgres;
use Test::More;

my $b = Linnet->broker(workers => 2);

# One more member of a mesh; its key is a new one, or the given pair.
sub member {
	my ($seed, $name, $role, $key) = @_;
	$key //= Linnet::Peer::new_key();
	my $id = $b->psql(<<~"EOS");
		insert into member (id, mesh_id, key, name, name_folded, role)
		values (gen_random_uuid(), '$seed->{meshId}',
		    decode('$key->{pubkey}', 'hex'), '$name', '$name', '$role')
		returning replace(id::text, '-', '')
		EOS
	return { %$key, memberId => $id, meshId => $seed->{meshId} };
}

sub owner {
	my ($seed) = @_;
	return member($seed, 'owner', 'member', {
	    pubkey => $seed->{ownerPubkey},
	    secretKey => $seed->{ownerSecretKey} });
}

sub ask {
	my ($p, $type, %o) = @_;
	return $p->request({ type => $type, %o });
}

sub refused_ok {
	my ($r, $code, $name, $like) = @_;
	is($r->{code} // $r->{type}, $code, $name) or diag explain $r;
	like($r->{message}, $like // qr/\w"?\.$/, "$name: says why");
	return;
}

sub closed_ok {
	my ($p, $code, $reason, $name) = @_;
	my $c = $p->wait_close;
	is_deeply([@$c{qw(code reason)}], [$code, $reason], $name)
	    or diag explain $c;
	return;
}

# Tells the daemons that a member changed, as linnetctl does.
sub notify {
	my ($m) = @_;
	$b->psql("select pg_notify('linnet',
	    'changed $m->{meshId} $m->{memberId}')");
	return;
}

subtest 'roles' => sub {
	my $s = $b->seed;
	my $p = $b->peer($s->{peerA}, name => 'plain');
	my $admin = $b->peer(member($s, 'ada', 'admin'), name => 'ada');
	my $owner = $b->peer(owner($s), name => 'olga');
	my %role = map { @$_{qw(displayName role)} }
	    @{ ask($p, 'list_peers')->{peers} };
	is_deeply(\%role, { plain => 'member', ada => 'admin',
	    olga => 'owner' }, 'the mesh key makes the owner');
	for (['kick', target => 'ada'],
	    ['disconnect', all => Cpanel::JSON::XS::true],
	    ['ban', target => 'ada'], ['unban', target => 'ada'],
	    ['list_bans']) {
		my ($type, @o) = @$_;
		refused_ok(ask($p, $type, @o), 'forbidden', "$type by a member",
		    qr/mesh:moderate.*member/);
	}
	refused_ok(ask($admin, 'kick', target => 'olga'), 'forbidden',
	    'an admin does not kick an owner');
	refused_ok(ask($admin, 'ban', target => 'olga'), 'forbidden',
	    'nor ban one');
	is_deeply([@{ ask($admin, 'kick', all => Cpanel::JSON::XS::true) }
	    {qw(kicked affected)}], [['plain'], 1],
	    'all are those whom the role allows');
	closed_ok($p, 4001, 'kicked', 'and they are gone');
	ok(ask($owner, 'list_peers')->{peers}, 'the owner is not');
};

subtest 'a role that changes' => sub {
	my $s = $b->seed;
	my @p = map { $b->peer($s->{peerA}, name => "a$_") } 0, 1;
	my $o = $b->peer($s->{peerB}, name => 'o');
	my $id = $s->{peerA}{memberId};
	$b->psql("update member set role = 'admin' where id = '$id'");
	notify($s->{peerA});
	for (@p) {
		my $p = $_;
		ok(wait_until { ask($p, 'list_bans')->{type} eq 'bans_list' }
		    10, 'may more at once');
	}
	my %role = map { @$_{qw(displayName role)} }
	    @{ ask($o, 'list_peers')->{peers} };
	is($role{a0}, 'admin', 'which others see');
	$b->psql("update member set role = 'member' where id = '$id'");
	notify($s->{peerA});
	ok(wait_until { ask($p[0], 'list_bans')->{type} eq 'error' } 10,
	    'and less');
	$b->psql("update member set revoked_at = now() where id = '$id'");
	notify($s->{peerA});
	closed_ok($_, 4002, 'revoked', 'a revoked member is gone') for @p;
};

subtest 'kick and disconnect' => sub {
	my $s = $b->seed;
	my $o = $b->peer(owner($s), name => 'olga');
	my @far = map { $b->peer($s->{peerA}, name => "far$_",
	    session_key => 1) } 1 .. 4;
	my $tool = $b->peer($s->{peerB}, hello => {
	    peerRole => 'control-plane' });
	for my $case ([target => 'FAR1', 'a name'],
	    [target => $far[1]->key, 'a session key'],
	    [target => $far[2]->hello_ack->{presenceId}, 'a session id'],
	    [target => $s->{peerA}{memberId}, 'a member id']) {
		my ($field, $value, $what) = @$case;
		my $p = shift @far;
		my $r = ask($o, 'kick', $field => $value, reason => 'why not');
		is_deeply([@$r{qw(type kicked affected)}],
		    ['kick_ack', [$p->name], 1], "kick by $what")
		    or diag explain $r;
		closed_ok($p, 4001, 'kicked: why not', 'it is told');
		ok(!(grep { $_->{displayName} eq $p->name }
		    @{ ask($o, 'list_peers')->{peers} }), 'and not listed');
	}
	refused_ok(ask($o, 'kick', target => 'nobody'), 'unknown_target',
	    'nobody');
	refused_ok(ask($o, 'kick', target => 'olga'), 'forbidden', 'oneself');
	refused_ok(ask($o, 'kick'), 'malformed', 'no target');
	refused_ok(ask($o, 'kick', target => 'x', stale => 1), 'malformed',
	    'two of them');
	my $r = ask($o, 'kick', all => Cpanel::JSON::XS::true);
	is_deeply([@$r{qw(kicked affected skipped_control_plane)}], [[], 0, 1],
	    'tools are left alone') or diag explain $r;
	ok(ask($tool, 'list_peers')->{peers}, 'and work on');

	my %same = (name => 'back', groups => ['g'], session_key =>
	    Linnet::Peer::new_key(), session_id => 'same');
	my $p = $b->peer($s->{peerA}, %same);
	is_deeply(ask($o, 'disconnect', target => 'back')->{kicked}, ['back'],
	    'disconnect');
	closed_ok($p, 1000, 'disconnected', 'with another code');
	delete $same{groups};
	ok($b->peer($s->{peerA}, %same)->hello_ack->{restored},
	    'it may come back and has what it had');
};

subtest 'stale' => sub {
	my $s = $b->seed;
	my $o = $b->peer(owner($s), name => 'olga');
	my %p = map { $_ => $b->peer($s->{peerA}, name => $_) }
	    'a' .. 'd';
	my $start = time;
	wait_until {
		ask($p{$_}, 'list_peers') for 'a', 'b';
		time > $start + 1
	} 10;
	my $r = ask($o, 'kick', stale => 900);
	is_deeply([sort @{ $r->{kicked} }], ['c', 'd'],
	    'who asked for nothing, on whichever worker') or diag explain $r;
	closed_ok($p{$_}, 4001, 'kicked', "$_ is gone") for 'c', 'd';
	ok(ask($p{$_}, 'list_peers')->{peers}, "$_ is not") for 'a', 'b';
	is(ask($o, 'kick', stale => 3600000)->{affected}, 0, 'nobody else');
};

subtest 'bans' => sub {
	my $s = $b->seed;
	my $o = $b->peer(owner($s), name => 'olga');
	my @p = map { $b->peer($s->{peerA}, name => "p$_") } 1 .. 3;
	my $r = ask($o, 'ban', target => 'p2', reason => 'spam');
	is_deeply([@$r{qw(type name memberId pubkey reason affected)}],
	    ['ban_ack', 'peer-a', @{ $s->{peerA} }{qw(memberId pubkey)},
	    'spam', 3], 'a ban') or diag explain $r;
	closed_ok($_, 4002, 'banned: spam', 'every session is gone') for @p;
	for my $attest (0, 1) {
		my $p = $b->peer($s->{peerA}, attest => $attest, refused => 1);
		refused_ok($p->refusal, 'banned', 'no hello',
		    qr/by olga: spam\. .*unban/);
		closed_ok($p, 4002, 'banned', 'is admitted');
	}
	my ($ban) = @{ ask($o, 'list_bans')->{bans} };
	is_deeply([@$ban{qw(memberId pubkey name reason bannedBy)}],
	    [@{ $s->{peerA} }{qw(memberId pubkey)}, 'peer-a', 'spam', 'olga'],
	    'list_bans');
	like($ban->{bannedAt}, qr/^\d{4}-.*Z$/, 'since when');
	is($o->send(to => 'peer-a', text => 'later')->{type}, 'ack',
	    'messages to it are held');
	refused_ok(ask($o, 'ban', target => 'olga'), 'forbidden', 'oneself');
	refused_ok(ask($o, 'ban', target => 'nobody'), 'unknown_target',
	    'nobody');
	refused_ok(ask($o, 'unban', target => 'peer-b'), 'not_found',
	    'who is not banned');
	is(ask($o, 'unban', target => $s->{peerA}{pubkey})->{type},
	    'unban_ack', 'unban');
	is_deeply(ask($o, 'list_bans')->{bans}, [], 'nobody is banned');
	is($b->peer($s->{peerA})->expect_push->{text}, 'later',
	    'it is in again and has its messages');
};

subtest 'blocks' => sub {
	my $s = $b->seed;
	# Two of each: one of each is on each worker.
	my @alice = map { $b->peer($s->{peerA}, name => 'alice',
	    session_key => 1) } 0, 1;
	my @bob = map { $b->peer($s->{peerB}, name => 'bob',
	    session_key => 1) } 0, 1;
	my $carol = $b->peer(member($s, 'carol', 'member'), name => 'carol');
	my $r = ask($alice[0], 'block', target => 'bob');
	is_deeply([@$r{qw(type name memberId what)}], ['block_ack', 'peer-b',
	    $s->{peerB}{memberId}, [qw(dm broadcast state)]], 'block')
	    or diag explain $r;
	for my $bob (@bob) {
		refused_ok($bob->send(to => $_, text => 'no'), 'blocked',
		    'a direct message')
		    for 'alice', $alice[1]->key, $s->{peerA}{pubkey};
		my $ack = $bob->send(to => ['alice', 'carol'], text => 'both');
		is_deeply([@$ack{qw(type recipients blocked)}],
		    ['ack', 1, ['alice']], 'of several the rest get it')
		    or diag explain $ack;
		is($carol->expect_push->{text}, 'both', 'which it does');
		is($bob->send(to => '*', text => 'all')->{recipients}, 2,
		    'a multicast goes to the others');
		is($carol->expect_push->{text}, 'all', 'who have it');
		ask($bob, 'set_state', key => 'k', value => 1);
		ok($carol->wait_for('state_change'), 'state goes to others');
	}
	is($carol->send(to => '@all', text => 'end')->{recipients}, 4,
	    'others are not blocked');
	ask($carol, 'set_state', key => 'end', value => 1);
	for (@alice) {
		is($_->expect_push->{text}, 'end', 'nothing came of bob');
		is($_->wait_for('state_change')->{key}, 'end', 'no state');
	}
	is($alice[0]->send(to => $bob[0]->key, text => 'yes')->{type}, 'ack',
	    'the other way is open');

	my ($row) = @{ ask($alice[1], 'list_blocks')->{blocks} };
	is_deeply([@$row{qw(memberId name what)}], [$s->{peerB}{memberId},
	    'peer-b', [qw(dm broadcast state)]], 'list_blocks');
	is_deeply(ask($alice[1], 'unblock', target => 'bob',
	    what => ['dm', 'state'])->{what}, ['broadcast'], 'unblock some');
	is($_->send(to => 'alice', text => 'hi')->{type}, 'ack',
	    'direct messages go again') for @bob;
	is($bob[0]->send(to => '*', text => 'no')->{recipients}, 2,
	    'multicasts do not');
	is_deeply(ask($alice[0], 'unblock', target => 'bob')->{what}, [],
	    'unblock all');
	is_deeply(ask($alice[0], 'list_blocks')->{blocks}, [], 'no blocks');
	is($bob[0]->send(to => '*', text => 'yes')->{recipients}, 4,
	    'all are open') for @bob;
	refused_ok(ask($alice[0], 'block', target => 'alice'), 'forbidden',
	    'oneself');
	refused_ok(ask($alice[0], 'block', target => 'bob', what => ['x']),
	    'malformed', 'what there is not', qr/what\[0\]/);
	refused_ok(ask($alice[0], 'block', target => 'nobody'),
	    'unknown_target', 'nobody');
};

subtest 'blocks are there after a restart, and for the absent' => sub {
	my $s = $b->seed;
	my $alice = $b->peer($s->{peerA}, name => 'alice');
	is(ask($alice, 'block', target => 'peer-b', what => ['dm'])->{type},
	    'block_ack', 'block');
	$b->restart;
	my $bob = $b->peer($s->{peerB}, name => 'bob');
	refused_ok($bob->send(to => 'peer-a', text => 'no'), 'blocked',
	    'of one who is not here', qr/peer-a/);
};

is($b->stop, 0, 'stops');

subtest 'sessions of another host' => sub {
	my $pg = Linnet::Postgres->new;
	my $database = 'database "' . $pg->conninfo . '"';
	my @host = map { Linnet->broker(workers => 1, options => [$database,
	    "host_name h$_"]) } 1, 2;
	my $s = $host[0]->seed;
	my ($st, undef, $err) = $pg->psql(<<~"EOS");
		update member set role = 'admin'
		where id = '$s->{peerA}{memberId}'
		EOS
	is($st, 0, 'an admin') or diag $err;
	my $ada = $host[0]->peer($s->{peerA}, name => 'ada');
	my @b = map { $host[1]->peer($s->{peerB}, name => "b$_",
	    session_key => 1) } 1 .. 3;
	my $sees = sub {
		my ($p, $n) = @_;
		wait_until { $n == @{ ask($p, 'list_peers')->{peers} } } 15
	};
	ok($sees->($_, 4), 'they see each other') for $ada, @b;
	is_deeply(ask($ada, 'kick', target => 'b1')->{kicked}, ['b1'],
	    'a kick');
	closed_ok($b[0], 4001, 'kicked', 'reaches it');
	ask($ada, 'block', target => 'peer-b', what => ['dm']);
	ok(wait_until { ($b[1]->send(to => 'ada', text => 'x')->{code} // '')
	    eq 'blocked' } 10, 'a block');
	is(ask($ada, 'ban', target => 'peer-b')->{affected}, 2, 'a ban');
	closed_ok($_, 4002, 'banned', 'reaches them') for @b[1, 2];
	is($host[1]->peer($s->{peerB}, refused => 1)->refusal->{code},
	    'banned', 'and holds there');
	is($_->stop, 0, 'stops') for @host;
};

done_testing;
