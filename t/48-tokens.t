#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Tokens: made, shown, listed and revoked by their members, by who keeps order
# and by who runs the server; worth what they say and no more, at once, on every
# worker and host; and nowhere to be read but where they are given out.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Linnet qw(wait_until run scratch slurp);
use Linnet::Cli qw(linnet said fails);
use Linnet::Postgres;
use POSIX 'strftime';
use Test::More;
use Time::HiRes 'time';

my ($true, $false) = (Cpanel::JSON::XS::true, Cpanel::JSON::XS::false);
my $json = Cpanel::JSON::XS->new->utf8->allow_nonref;
my $form = qr/\Awat_[A-Za-z0-9_-]{48}\z/;
my $time = qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/;
my @all = qw(member messages:write messages:read presence:read presence:write
    state:read state:write memory:read memory:write files:read files:write
    channels:read channels:write);
my $b = Linnet->broker(workers => 2, options => ['log.level debug',
    'limit.tokens 8', 'rate.refused_burst 1000000']);

# Milliseconds from now, as the wire has it.
sub in_ms {
	my $at = time + $_[0] / 1000;
	return strftime('%Y-%m-%dT%H:%M:%S', gmtime $at)
	    . sprintf '.%03dZ', ($at - int $at) * 1000;
}

# Is a time so many milliseconds from now, or from a little earlier?
sub is_in {
	my ($at, $ms, $what) = @_;
	ok($at ge in_ms($ms - 60_000) && $at le in_ms($ms), $what)
	    or diag($at);
	return;
}

# A mesh with alice and bob, who are members, and ada, an admin.
sub mesh {
	my ($host, @ctl) = @_;
	$host //= $b;
	my $s = $host->ctl_json(@ctl, 'seed');
	my $m = { slug => $s->{slug}, seed => $s, id => $s->{meshId} };
	for (['alice', 'peerA'], ['bob', 'peerB']) {
		my ($name, $key) = @$_;
		$s->{$key}{meshId} = $s->{meshId};
		$m->{member}{$name} = $s->{$key};
		$m->{$name} = $host->peer($s->{$key}, name => $name);
	}
	return $m;
}

sub make_admin {
	my ($m, $name) = @_;
	my ($st) = $b->ctl('member', 'role', $m->{slug},
	    $m->{member}{$name}{memberId}, 'admin');
	is($st, 0, "$name is admin");
	wait_until { $m->{$name}->request({ type => 'list_bans' })->{type}
	    eq 'bans_list' } 10;
	return;
}

sub ask {
	my ($p, $type, %o) = @_;
	return $p->request({ type => $type, %o });
}

sub token {
	my ($p, %o) = @_;
	my $r = ask($p, 'create_token', %o);
	is($r->{type}, 'token_created', 'a token') or diag explain $r;
	return $r;
}

sub refused_ok {
	my ($r, $code, $like, $name) = @_;
	is($r->{code} // $r->{type}, $code, $name) or diag explain $r;
	like($r->{message}, $like, "$name: says so");
	return;
}

# What the server says of a token.
sub shown {
	my ($text, $host) = @_;
	return ($host // $b)->http(GET => '/v1/token',
	    { Authorization => "Bearer $text" });
}

sub is_good {
	my ($text, $name, $host) = @_;
	my $r = shown($text, $host);
	return is($r->{status}, 200, $name) || diag explain $r;
}

sub is_bad {
	my ($text, $status, $code, $like, $name, $host) = @_;
	my $r = shown($text, $host);
	is_deeply([$r->{status}, $r->{json}{type}],
	    [$status, "urn:linnet:error:$code"], $name)
	    or diag explain $r;
	like($r->{json}{error}, $like, "$name: says so");
	return $r;
}

# Each worker has been asked for it, so that both remember it.
sub known {
	my ($text) = @_;
	is_good($text, 'good') for 1 .. 6;
	return;
}

subtest 'what a token is' => sub {
	my $m = mesh();
	my $t = token($m->{alice}, name => 'CI', scopes => ['state:read',
	    'messages:write'], expiresAt => in_ms(3600_000));
	like($t->{token}, $form, 'its form');
	is_deeply($t->{scopes}, ['messages:write', 'state:read'], 'scopes');
	is_in($t->{expiresAt}, 3600_000, 'expiry');
	my $r = shown($t->{token});
	is($r->{status}, 200, 'it is good') or diag explain $r;
	is($r->{headers}{'content-type'}, 'application/json', 'JSON');
	is_deeply($r->{json}, {
		(map { $_ => $t->{$_} } qw(tokenId name scopes createdAt
		    expiresAt)),
		meshId => $m->{id}, meshSlug => $m->{slug},
		memberId => $m->{member}{alice}{memberId},
		memberName => 'peer-a', role => 'member',
	}, 'whose it is, and what it may');
	like($r->{json}{$_}, $time, "$_ is a time") for qw(createdAt expiresAt);

	my $d = token($m->{alice});
	is_deeply($d->{scopes}, \@all, 'by default all scopes');
	is($d->{name}, '', 'and no name');
	cmp_ok($d->{expiresAt}, 'gt', in_ms(364 * 86400_000), 'for a year');
	cmp_ok($d->{expiresAt}, 'le', in_ms(365 * 86400_000), 'and no longer');
	isnt($d->{token}, $t->{token}, 'each is another');
	is(shown($d->{token})->{json}{tokenId}, $d->{tokenId}, 'also here');

	my $head = $b->http(HEAD => '/v1/token',
	    { Authorization => "Bearer $d->{token}" });
	is_deeply([$head->{status}, $head->{body}], [200, ''], 'HEAD');
	$r = $b->http(POST => '/v1/token', {}, '{}');
	is_deeply([$r->{status}, $r->{headers}{allow}],
	    [405, 'GET, HEAD, OPTIONS'], 'POST');
	$r = $b->http(GET => '/v1/token', { Authorization =>
	    "bearer $d->{token}" });
	is($r->{status}, 200, 'bearer in any case');
	$r = $b->http(GET => '/v1/token', { Authorization =>
	    "Bearer  $d->{token}" });
	is($r->{status}, 200, 'and any number of spaces');
	$r = $b->http(POST => '/join', { Authorization => "Bearer $d->{token}" },
	    { invite_token => 'x' });
	is($r->{status}, 400, 'another route, known or not, does what it does');
};

subtest 'what is no token' => sub {
	my $m = mesh();
	my $t = token($m->{alice})->{token};
	my $other = Linnet->broker(workers => 1);
	my $strange = token(mesh($other)->{alice})->{token};
	my $r = $b->http(GET => '/v1/token');
	is_deeply([@{ $r->{json} }{qw(code status)}, $r->{status}],
	    ['UNAUTHORIZED', 401, 401], 'none');
	like($r->{json}{error}, qr/Authorization: Bearer wat_/, 'says how');
	like($r->{headers}{'www-authenticate'}, qr/^Bearer/, 'in a header too');
	(my $typo = $t) =~ s/(.)\z/$1 eq 'A' ? 'B' : 'A'/e;
	my $whole = qr/no whole token/;
	for (['a mistyped one', $typo], ['half of one', substr $t, 0, 30],
	    ['one and more', "${t}A"], ['another kind', 'lnh_' . 'a' x 64],
	    ['a text', 'password'], ['bytes', "wat_\xff\xfe"],
	    ['a long one', 'wat_' . 'A' x 4000]) {
		my $r = is_bad($_->[1], 401, 'unauthorized', $whole, $_->[0]);
		like($r->{headers}{'www-authenticate'}, qr/^Bearer/,
		    "$_->[0]: says what is wanted");
		unlike($r->{body}, qr/\Q$_->[1]\E/, "$_->[0]: not its text");
	}
	is_bad($strange, 401, 'unauthorized', qr/^Nobody here has this token/,
	    'one of elsewhere');
	$r = $b->http(GET => '/v1/token', { Authorization => "Basic $t" });
	is($r->{status}, 401, 'another scheme is no token');
	is_good($t, 'and the right one is good');
	is($other->stop, 0, 'the other server stops');
};

subtest 'what is asked for' => sub {
	my $m = mesh();
	my $p = $m->{alice};
	my $r = ask($p, 'create_token', scopes => ['state:read', 'root']);
	refused_ok($r, 'malformed', qr/^scopes\[1\] is no scope/,
	    'an unknown scope');
	is_deeply($r->{candidates}, \@all, 'and which there are');
	refused_ok(ask($p, 'create_token', scopes => ['public']), 'malformed',
	    qr/scopes\[0\]/, 'public needs none');
	refused_ok(ask($p, 'create_token', scopes => ['mesh:moderate']),
	    'forbidden', qr/mesh:moderate.*\(member\) has not/,
	    'a scope that one has not');
	refused_ok(ask($p, 'create_token', expiresAt => in_ms(-1)),
	    'malformed', qr/^expiresAt is over/, 'a time that is over');
	refused_ok(ask($p, 'create_token', expiresAt => in_ms(366 * 86400_000)),
	    'malformed', qr/more than 365 days/, 'a time too far');
	my @t = map { token($p, name => "t$_") } 1 .. 8;
	$r = ask($p, 'create_token');
	refused_ok($r, 'quota', qr/^You have 8 tokens.*revoke/, 'too many');
	is($r->{limit}, 8, 'the limit');
	is($b->psql("select count(*) from token where mesh_id = '$m->{id}'"), 8,
	    'nothing else was made');
	ask($p, 'revoke_token', tokenId => $t[0]{tokenId});
	is(token($p)->{type}, 'token_created', 'one fewer makes room');
	is(token($m->{bob})->{type}, 'token_created', 'each member has its own');
};

subtest 'lists' => sub {
	my $m = mesh();
	my $p = $m->{alice};
	my @t = map { token($p, name => "t$_", scopes => ['state:read']) }
	    1 .. 5;
	is_good($t[1]{token}, 'one is used');
	ask($p, 'revoke_token', tokenId => $t[2]{tokenId});
	$b->psql("update token set expires_at = now() where name = 't4'
	    and mesh_id = '$m->{id}'");
	my $r = ask($p, 'list_tokens');
	is($r->{type}, 'tokens_list', 'a list');
	is_deeply([map { "$_->{name} $_->{state}" } @{ $r->{tokens} }],
	    ['t5 good', 't4 expired', 't3 revoked', 't2 good', 't1 good'],
	    'the newest first');
	my ($five, undef, $three, $two) = @{ $r->{tokens} };
	is_deeply([@$five{qw(tokenId memberId memberName scopes lastUsedAt
	    revokedAt)}], [$t[4]{tokenId}, $m->{member}{alice}{memberId},
	    'peer-a', ['state:read'], undef, undef], 'what it says');
	like($two->{lastUsedAt}, $time, 'when it was used');
	like($three->{revokedAt}, $time, 'when it was revoked');
	unlike($json->encode($r), qr/wat_/, 'and no token');
	my @seen;
	my %o = (limit => 2);
	do {
		$r = ask($p, 'list_tokens', %o);
		push @seen, map { $_->{name} } @{ $r->{tokens} };
		cmp_ok(@{ $r->{tokens} }, '<=', 2, 'a page');
		$o{after} = $r->{next};
	} while ($r->{more});
	is("@seen", 't5 t4 t3 t2 t1', 'pages have all of them, once');
	is_deeply(ask($m->{bob}, 'list_tokens')->{tokens}, [],
	    'others have their own');

	# Making and revoking does not fill the disk.
	for (6 .. 20) {
		my $t = token($p, name => "t$_");
		ask($p, 'revoke_token', tokenId => $t->{tokenId});
	}
	is(token($p, name => 'last')->{type}, 'token_created', 'and one more');
	is_deeply([map { $_->{name} } grep { $_->{state} ne 'good' }
	    @{ ask($p, 'list_tokens')->{tokens} }],
	    [map { "t$_" } reverse 13 .. 20],
	    'as many that are over stay as may be good, the newest');
	is_deeply([map { $_->{name} } grep { $_->{state} eq 'good' }
	    @{ ask($p, 'list_tokens')->{tokens} }],
	    ['last', 't5', 't2', 't1'], 'and all that are good');
};

subtest 'order' => sub {
	my $m = mesh();
	my ($alice, $bob) = @$m{qw(alice bob)};
	my $t = token($bob);
	refused_ok(ask($alice, 'list_tokens', @$_), 'forbidden',
	    qr/mesh:moderate/, "@$_ by a member")
	    for [all => $true], [target => 'peer-b'];
	is(ask($bob, 'list_tokens', target => 'peer-b')->{tokens}[0]{tokenId},
	    $t->{tokenId}, 'oneself by name');
	refused_ok(ask($alice, 'revoke_token', tokenId => $t->{tokenId}),
	    'not_found', qr/list_tokens/, "another's by a member");
	is_good($t->{token}, 'it is still good');
	make_admin($m, 'alice');
	refused_ok(ask($alice, 'list_tokens', all => $true, target => 'x'),
	    'malformed', qr/all and target/, 'both');
	refused_ok(ask($alice, 'list_tokens', target => 'nobody'),
	    'unknown_target', qr/nobody/, 'of nobody');
	my $mine = token($alice);
	is_deeply($mine->{scopes}, [@all, 'mesh:moderate'],
	    'an admin can give more');
	is_deeply([map { $_->{memberName} } @{ ask($alice, 'list_tokens',
	    all => $true)->{tokens} }], ['peer-a', 'peer-b'], 'all of them');
	is_deeply([map { $_->{tokenId} } @{ ask($alice, 'list_tokens',
	    target => $bob->member_key)->{tokens} }], [$t->{tokenId}],
	    'those of one');
	known($t->{token});
	my $r = ask($alice, 'revoke_token', tokenId => $t->{tokenId});
	is_deeply([@$r{qw(type tokenId memberId wasGood)}], ['token_revoked',
	    $t->{tokenId}, $m->{member}{bob}{memberId}, $true], 'revoked');
	is_bad($t->{token}, 401, 'unauthorized', qr/was revoked at 20\d\d-/,
	    'at once') for 1 .. 4;
	is(ask($bob, 'revoke_token', tokenId => $t->{tokenId})->{wasGood},
	    $false, 'once more makes no difference');

	# Of somebody greater.
	my ($st, $text) = $b->ctl('token', 'create', $m->{slug}, 'peer-b');
	chomp $text;
	$b->psql("update member set role = 'owner' where
	    id = '$m->{member}{bob}{memberId}'");
	my $id = shown($text)->{json}{tokenId};
	refused_ok(ask($alice, 'revoke_token', tokenId => $id), 'forbidden',
	    qr/greater role/, "an owner's by an admin");
	is_good($text, 'it is still good');

	# With the role goes what it gave.
	known($mine->{token});
	$b->ctl('member', 'role', $m->{slug}, 'peer-a', 'member');
	ok((wait_until { !grep { $_ eq 'mesh:moderate' }
	    @{ shown($mine->{token})->{json}{scopes} } } 3),
	    'a role that is less makes its tokens less')
	    or diag explain shown($mine->{token});
	is(shown($mine->{token})->{json}{role}, 'member', 'the role');

	my $else = mesh();
	make_admin($else, 'alice');
	refused_ok(ask($else->{alice}, 'revoke_token', tokenId => $id),
	    'not_found', qr/./, 'not from another mesh');
	is_deeply(ask($else->{alice}, 'list_tokens', all => $true)->{tokens},
	    [], 'nor seen');
};

subtest 'what ends them' => sub {
	my $m = mesh();
	make_admin($m, 'alice');
	my $t = token($m->{bob}, expiresAt => in_ms(1500));
	is_good($t->{token}, 'before it expires');
	ok((wait_until { shown($t->{token})->{status} == 401 } 4), 'it expires');
	# By our clock; that of the database may be a millisecond behind.
	wait_until { 0 } 0.2;
	is_bad($t->{token}, 401, 'unauthorized', qr/has expired at 20\d\d-/,
	    'expired');

	$t = token($m->{bob});
	my $second = token($m->{bob});
	known($_->{token}) for $t, $second;
	is(ask($m->{alice}, 'ban', target => 'peer-b', reason => 'loud')
	    ->{type}, 'ban_ack', 'a ban');
	is_bad($_->{token}, 403, 'banned', qr/banned.*by alice: loud/, 'banned')
	    for ($t, $second) x 4;
	is(ask($m->{alice}, 'unban', target => 'peer-b')->{type}, 'unban_ack',
	    'no ban any more');
	is_good($t->{token}, 'good again');

	known($t->{token});
	$b->ctl('mesh', 'archive', $m->{slug});
	ok((wait_until { shown($t->{token})->{status} == 403 } 3), 'archived');
	is_bad($t->{token}, 403, 'forbidden', qr/archived/, 'archived');
	$b->ctl('mesh', 'unarchive', $m->{slug});
	is_good($t->{token}, 'good again');

	known($t->{token});
	$b->ctl('member', 'revoke', $m->{slug}, 'peer-b', '--yes');
	ok((wait_until { shown($t->{token})->{status} == 403 } 3), 'revoked');
	is_bad($t->{token}, 403, 'revoked', qr/membership was revoked/,
	    'revoked');

	# A change of which nobody was told.
	$m = mesh();
	$t = token($m->{alice});
	known($t->{token});
	$b->psql("update token set revoked_at = now()
	    where id = '$t->{tokenId}'");
	my $start = time;
	ok((wait_until { shown($t->{token})->{status} == 401
	    && shown($t->{token})->{status} == 401
	    && shown($t->{token})->{status} == 401 } 15),
	    'what is remembered is not trusted for long');
	cmp_ok(time - $start, '<', 8, 'but for some seconds');

	my ($st, undef, $err) = $b->ctl('mesh', 'delete', $m->{slug}, '--yes');
	is($st, 0, 'its mesh is deleted') or diag $err;
	is_bad($t->{token}, 401, 'unauthorized', qr/^Nobody here/, 'no token');
};

subtest 'use' => sub {
	my $m = mesh();
	my $t = token($m->{alice});
	my $used = sub { $b->psql("select extract(epoch from last_used_at)
	    from token where id = '$t->{tokenId}'") };
	is($used->(), '', 'never');
	known($t->{token});
	my $first = $used->();
	cmp_ok(abs($first - time), '<', 10, 'now');
	# Another look at the database, within the minute.
	$b->ctl('member', 'role', $m->{slug}, 'peer-a', 'member');
	known($t->{token});
	is($used->(), $first, 'noted once a minute');
	$b->psql("update token set last_used_at = now() - interval '61 s'
	    where id = '$t->{tokenId}'");
	$b->ctl('member', 'role', $m->{slug}, 'peer-a', 'member');
	ok((wait_until { is_good($t->{token}, 'used'); $used->() ne ''
	    && abs($used->() - time) < 10 } 8), 'and again later');

	# What is refused is no use.
	for (['revoked', 'update token set revoked_at = now() where id = :t'],
	    ['expired', 'update token set expires_at = now() where id = :t'],
	    ['banned', "insert into ban (member_id, mesh_id, reason, by_member,
		by_name) values (:m, :mesh, '', :m, '')"],
	    ['no member', 'update member set revoked_at = now() where id = :m'],
	    ['archived', 'update mesh set archived_at = now()
		where id = :mesh']) {
		my ($what, $sql) = @$_;
		my $m = mesh();
		my $t = token($m->{alice});
		my %of = (t => $t->{tokenId}, mesh => $m->{id},
		    m => $m->{member}{alice}{memberId});
		$sql =~ s/:(\w+)/'$of{$1}'/g;
		$b->psql($sql);
		isnt(shown($t->{token})->{status}, 200, $what) for 1 .. 3;
		is($b->psql("select last_used_at from token
		    where id = '$t->{tokenId}'"), '', "$what: no use");
	}
};

# In a process of its own.
sub beside(&) {
	my ($do) = @_;
	my $pid = fork // die "fork: $!";
	return $pid if $pid != 0;
	my $good = eval { $do->(); 1 };
	print STDERR "# $@" if !$good;
	POSIX::_exit($good ? 0 : 1);
}

# A lookup waits, and has read what is not so any more when it is answered.
subtest 'a change while a token is looked up' => sub {
	my $h = Linnet->broker(workers => 1);
	my $m = mesh($h);
	my $t = token($m->{alice});
	my $busy = sub {
		my ($what) = @_;
		wait_until { $h->psql("select count(*) from pg_stat_activity
		    where pid <> pg_backend_pid() and $what") > 0 } 10;
	};
	my @pid = (beside {
		$h->psql("begin; update token set name = name where
		    id = '$t->{tokenId}'; select pg_sleep(6); commit;");
	});
	ok($busy->("query like '%pg_sleep(%' and state = 'active'"),
	    'its row is held');
	push @pid, beside {
		$busy->("wait_event_type = 'Lock'") or die "nobody waits\n";
		my ($st, undef, $err) = $h->ctl('member', 'role', $m->{slug},
		    'peer-a', 'admin');
		die $err if $st != 0;
	};
	is(shown($t->{token}, $h)->{json}{role}, 'member',
	    'what was read before the change');
	is(shown($t->{token}, $h)->{json}{role}, 'admin', 'is not remembered');
	for (@pid) {
		waitpid $_, 0;
		is($?, 0, 'all went well');
	}
	is($h->stop, 0, 'stops');
};

# What waits for the journal meanwhile is no older than what it waits for.
subtest 'a token that is made while its parent is revoked' => sub {
	my $h = Linnet->broker(workers => 1);
	my $m = mesh($h);
	my $waits = sub {
		my ($n) = @_;
		wait_until { $h->psql("select count(*) from pg_stat_activity
		    where wait_event_type = 'Lock'") == $n } 10;
	};
	for my $first (qw(made revoked)) {
		my $t = token($m->{alice}, scopes => ['member', 'state:read']);
		my @do = (sub {
			my $r = $h->http(POST => '/v1/tokens', { authorization =>
			    "Bearer $t->{token}" }, { name => 'child' });
			my $want = $first eq 'made' ? 200 : 401;
			die "child: $r->{status}\n" if $r->{status} != $want;
		}, sub {
			my ($st, undef, $err) = $h->ctl('token', 'revoke',
			    $t->{tokenId});
			die $err if $st != 0;
		});
		@do = reverse @do if $first eq 'revoked';
		is(shown($t->{token}, $h)->{status}, 200, 'the parent is good');
		my @pid = (beside {
			$h->psql("begin; select n from journal where mesh_id =
			    '$m->{id}' for update; select pg_sleep(6); commit;");
		});
		wait_until { $h->psql("select count(*) from pg_stat_activity
		    where pid <> pg_backend_pid() and state = 'active'
		    and query like '%pg_sleep(%'") > 0 } 10;
		push @pid, beside { $do[0]->() };
		ok($waits->(1), "$first first");
		push @pid, beside { $do[1]->() };
		ok($waits->(2), 'and the other one behind it');
		for (@pid) {
			waitpid $_, 0;
			is($?, 0, 'all went well');
		}
		is($h->psql("select count(*) from token where parent_id =
		    '$t->{tokenId}' and revoked_at is null"), 0, 'no child lives');
	}
	is($h->stop, 0, 'stops');
};

# Of the same address as the others, but a server of its own.
subtest 'guesses' => sub {
	my $h = Linnet->broker(workers => 1, options => ['rate.refused 30',
	    'rate.refused_burst 5', 'rate.requests 60',
	    'rate.requests_burst 20']);
	my $m = mesh($h);
	my $t = token($m->{alice});
	my $other = token($m->{bob});
	is_good($_->{token}, 'a good one', $h) for $t, $other;
	my @st = map { shown('wat_' . 'A' x 48, $h)->{status} } 1 .. 8;
	is("@st", '401 401 401 401 401 429 429 429', 'wrong ones are counted');
	my $r = shown('wat_' . 'A' x 48, $h);
	is($r->{json}{code}, 'RATE_LIMITED', 'the code');
	cmp_ok($r->{json}{retryAfterMs}, '>', 0, 'and when to come again');
	is_good($t->{token}, 'who is known is served', $h);
	@st = map { shown($t->{token}, $h)->{status} } 1 .. 25;
	is($st[-1], 429, 'but not without end');
	is_good($other->{token}, 'another one is', $h);
	$r = $h->http(POST => '/join', { Authorization =>
	    "Bearer $other->{token}" }, { invite_token => 'x' });
	is($r->{status}, 429, 'a token gives no more attempts to join');
	like(shown($t->{token}, $h)->{json}{error},
	    qr/^Requests with your token/, 'which is said');
	is($h->stop, 0, 'stops');
};

subtest 'linnetctl' => sub {
	my $m = mesh();
	my ($st, $out, $err) = $b->ctl('token', 'create', $m->{slug}, 'peer-b',
	    '--name', 'deploy', '--scopes', 'state:read,memory:read',
	    '--expires', '1d');
	is($st, 0, 'create') or diag $err;
	chomp $out;
	like($out, $form, 'prints the token and nothing else');
	is($err, '', 'nor elsewhere');
	my $r = shown($out)->{json};
	is_deeply([@$r{qw(name scopes memberName)}], ['deploy',
	    ['state:read', 'memory:read'], 'peer-b'], 'it is as asked');
	is_in($r->{expiresAt}, 86400_000, 'a day');
	my $j = $b->ctl_json('token', 'create', $m->{slug}, 'peer-a', '--json');
	is(shown($j->{token})->{json}{tokenId}, $j->{tokenId}, 'as JSON');
	is_deeply($j->{scopes}, \@all, 'all that a member has');
	my $list = $b->ctl_json('token', 'list', $m->{slug}, '--json');
	is_deeply([map { [@$_{qw(tokenId state member name scopes)}] } @$list],
	    [[$j->{tokenId}, 'good', 'peer-a', '', \@all],
	    [$r->{tokenId}, 'good', 'peer-b', 'deploy',
	    ['state:read', 'memory:read']]], 'list');
	is(@{ $b->ctl_json('token', 'list', $m->{slug}, 'peer-b', '--json') },
	    1, 'of one member');
	($st, my $rows) = $b->ctl('token', 'list', $m->{slug}, 'peer-b');
	like($rows, qr/^$r->{tokenId}\tgood\tpeer-b\tdeploy\tstate:read,memory:read\t/,
	    'for people');
	known($out);
	($st, my $said) = $b->ctl('token', 'revoke', $r->{tokenId});
	is_deeply([$st, $said], [0, "token $r->{tokenId} revoked\n"], 'revoke');
	ok((wait_until { shown($out)->{status} == 401 } 2), 'in force at once');
	($st, $said) = $b->ctl('token', 'revoke', $r->{tokenId});
	is_deeply([$st, $said], [0,
	    "token $r->{tokenId} was worthless before\n"], 'again');
	for ([64, qr/by its id/, 'revoke', $j->{token}],
	    [66, qr/no token 0{32}/, 'revoke', '0' x 32],
	    [66, qr/no mesh/, 'create', 'nowhere', 'peer-a'],
	    [67, qr/no member/, 'create', $m->{slug}, 'nobody'],
	    [64, qr/"root" is none of.*state:read/, 'create', $m->{slug},
		'peer-a', '--scopes', 'state:read,root'],
	    [64, qr/"mesh:moderate" is none of/, 'create', $m->{slug},
		'peer-a', '--scopes', 'mesh:moderate'],
	    [64, qr/--scopes wants/, 'create', $m->{slug}, 'peer-a',
		'--scopes', ','],
	    [64, qr/token\.max_time/, 'create', $m->{slug}, 'peer-a',
		'--expires', '366d'],
	    [65, qr/no name/, 'create', $m->{slug}, 'peer-a', '--name',
		"a\nb"]) {
		my ($want, $like, @args) = @$_;
		my ($st, $out, $err) = $b->ctl('token', @args);
		is($st, $want, "status $want: @args[0 .. 1]");
		like($err, $like, 'a sentence');
		unlike("$out$err", qr/wat_/, 'and no token');
	}
	$b->ctl_json('token', 'create', $m->{slug}, 'peer-a', '--json')
	    for 1 .. 7;
	# linnetctl reads the daemon's configuration; this one has no file.
	($st, undef, $err) = $b->ctl('-o', 'limit.tokens 8', 'token', 'create',
	    $m->{slug}, 'peer-a');
	is($st, 69, 'too many');
	like($err, qr/8 tokens.*limit\.tokens/, 'says so');
};

subtest 'linnet' => sub {
	my $m = mesh();
	said($_, 'join', $m->{seed}{inviteLink}, '--name', $_)
	    for 'alice', 'ada';
	$b->ctl('member', 'role', $m->{slug}, 'ada', 'admin');
	my ($st, $out, $err) = linnet('alice', 'token', 'create', '--name',
	    'CI', '--scopes', 'state:read,state:write', '--expires', '2h');
	is($st, 0, 'create') or diag $err;
	chomp $out;
	like($out, $form, 'prints the token and nothing else');
	unlike($err, qr/wat_/, 'the rest is on stderr');
	my $r = shown($out)->{json};
	like($err, qr/token $r->{tokenId}, good until \Q$r->{expiresAt}\E, for: state:read, state:write; it is not shown again/,
	    'what it is');
	is_deeply([@$r{qw(name memberName)}], ['CI', 'alice'], 'as asked');
	is_in($r->{expiresAt}, 7200_000, 'two hours');
	my $j = $json->decode(said('ada', 'token', 'create', '--json'));
	like($j->{token}, $form, 'as JSON');
	my ($row) = split /\n/, said('alice', 'token', 'list');
	like($row, qr/^$r->{tokenId}\tgood\talice\tCI\t\S+\t20\S+\tstate:read, state:write$/,
	    'list');
	is(@{ $json->decode(said('ada', 'token', 'list', '--all', '--json')) },
	    2, 'all of them for an admin');
	my @page = split /\n/, said('ada', 'token', 'list', '--all', '--limit',
	    1);
	is(@page, 1, 'a page');
	like(said('ada', 'token', 'list', '--all', '--limit', 1, '--after',
	    $j->{tokenId}), qr/^$r->{tokenId}\t/, 'the next one');
	like(said('ada', 'token', 'list', '--member', $r->{memberId}),
	    qr/^$r->{tokenId}\t/, 'of one');
	fails('alice', 77, qr/mesh:moderate/, 'token', 'list', '--all');
	fails('alice', 77, qr/cannot give the scope mesh:moderate/, 'token',
	    'create', '--scopes', 'mesh:moderate');
	fails('alice', 65, qr/scopes\[0\] is no scope/, 'token', 'create',
	    '--scopes', 'root');
	fails('alice', 64, qr/--scopes wants/, 'token', 'create', '--scopes',
	    ', ');
	fails('alice', 65, qr/is over/, 'token', 'create', '--expires', '0s');
	fails('alice', 64, qr/--expires/, 'token', 'create', '--expires',
	    'soon');
	fails('alice', 66, qr/no token with this id/, 'token', 'revoke',
	    $j->{tokenId});
	($st, my $o, $err) = linnet('alice', 'token', 'revoke', $out);
	is($st, 64, 'not by itself');
	unlike("$o$err", qr/wat_/, 'and it is not said');
	known($out);
	said('ada', 'token', 'revoke', $r->{tokenId});
	is_bad($out, 401, 'unauthorized', qr/revoked/, 'worthless') for 1 .. 4;
};

subtest 'secrets' => sub {
	my $m = mesh();
	my $file = scratch() . '/trace';
	my $pid = Linnet::Proc::start([Linnet->program('linnetctl'), '-o',
	    'state_dir ' . $b->dir, '--json', 'trace', '--mesh', $m->{slug}],
	    stdout => $file);
	wait_until {
		ask($m->{alice}, 'list_tokens');
		slurp($file) =~ /list_tokens/
	} 20;
	my $t = token($m->{alice}, name => 'traced');
	is_good($t->{token}, 'used');
	ok((wait_until { slurp($file) =~ /"create_token"/
	    && slurp($file) =~ /"type":"token"/ } 10), 'traced')
	    or diag slurp($file);
	kill 'TERM', $pid;
	Linnet::Proc::reap($pid, 10);
	unlike(slurp($file), qr/wat_/, 'no token in a trace');
	unlike($b->log, qr/wat_[A-Za-z0-9]/, 'nor in the log');
	my $key = slurp($b->dir . '/token.key');
	like($key, qr/\A[0-9a-f]{64}\n\z/, 'the key');
	is((stat $b->dir . '/token.key')[2] & 0777, 0600, 'is for nobody else');
	chomp $key;
	my $dump = $b->psql('select t::text from token t');
	like($dump, qr/traced/, 'the table has it');
	unlike($dump, qr/wat_/, 'and no token');
	unlike($dump, qr/$key/, 'nor the key');
	unlike($b->log, qr/$key/, 'which is not in the log');
	my ($st, $conf) = run([$b->program('linnetd'), '-T', $b->option_args]);
	unlike($conf, qr/$key/, 'nor in the configuration');
};

subtest 'another key, and upkeep' => sub {
	my $m = mesh();
	my $t = token($m->{alice}, name => 'old');
	my $gone = token($m->{alice}, name => 'gone');
	is_good($t->{token}, 'before');
	$b->restart;
	is_good($t->{token}, 'after a restart');
	$b->psql("update token set created_at = now() - interval '40 days',
	    expires_at = now() - interval '31 days' where name = 'gone'
	    and mesh_id = '$m->{id}'");
	$b->psql("update token set revoked_at = now() - interval '29 days'
	    where name = 'traced'");
	my $file = scratch() . '/key';
	open my $fh, '>', $file or die $!;
	print $fh 'ab' x 32;
	close $fh;
	chmod 0600, $file;
	my @args = @{ $b->{options} };
	push @{ $b->{options} }, "token.key $file";
	$b->restart;
	is_bad($t->{token}, 401, 'unauthorized', qr/^Nobody here/,
	    'a token of another key');
	ok((wait_until { $b->psql("select count(*) from token
	    where name = 'gone' and mesh_id = '$m->{id}'") == 0 } 20),
	    'what is over for long is removed');
	is($b->psql("select count(*) from token where name = 'traced'"), 1,
	    'and no other');
	my $p = $b->peer($m->{member}{alice});
	is_deeply([map { "$_->{name} $_->{state}" } @{ ask($p, 'list_tokens')
	    ->{tokens} }], ['old foreign'], 'which its member can see');
	my ($st, $out, $err);
	# The host says which key it has when it has started.
	wait_until {
		($st, $out, $err) = $b->ctl('token', 'create', $m->{slug},
		    'peer-a');
		$st != 0
	} 10;
	is($st, 78, 'linnetctl does not make what is worth nothing');
	like($err, qr/another token\.key.*-o 'token\.key FILE'/, 'and says so');
	($st, $out, $err) = $b->ctl('-o', "token.key $file", 'token', 'create',
	    $m->{slug}, 'peer-a');
	is($st, 0, 'with the key it does') or diag $err;
	chomp $out;
	is_good($out, 'a good one');

	# Keys that are none.
	for ([0644, 'ab' x 32, qr/everybody can use it/],
	    [0640, 'ab' x 32, $> == 0 ? undef : qr/its group can use it/],
	    [0600, 'ab' x 31, qr/no key of 64 hex digits/],
	    [0600, 'xy' x 32, qr/no key of 64 hex digits/],
	    [0600, 'ab' x 40, qr/longer than/],
	    [0600, '', qr/no key of 64 hex digits/]) {
		my ($mode, $text, $like) = @$_;
		open my $fh, '>', $file or die $!;
		print $fh $text;
		close $fh;
		chmod $mode, $file;
		my ($st, $out, $err) = run([$b->program('linnetd'), '-t', '-o',
		    "token.key $file"]);
		if (!$like) {
			is($st, 0, 'what is root\'s a group may read');
			next;
		}
		is($st, 78, 'linnetd -t: ' . length($text) . sprintf ' %o',
		    $mode);
		like($err, $like, 'says so');
		unlike($err, qr/abab/, 'and not the key');
	}
	my ($st2, undef, $err2) = run([$b->program('linnetd'), '-t', '-o',
	    'token.key credential:x']);
	is($st2, 78, 'a credential that is not there');
	like($err2, qr/CREDENTIALS_DIRECTORY/, 'says so');
	open $fh, '>', $file or die $!;
	print $fh 'ab' x 32, "\n";
	close $fh;
	chmod 0600, $file;
	is($b->stop, 0, 'stops');
};

subtest 'two hosts' => sub {
	my $pg = Linnet::Postgres->new;
	my $dir = scratch();
	my @database = ('database "' . $pg->conninfo . '"');
	for (['key', 'cd'], ['other', 'ef']) {
		open my $fh, '>', "$dir/$_->[0]" or die $!;
		print $fh $_->[1] x 32, "\n";
		close $fh;
		chmod 0600, "$dir/$_->[0]";
	}
	my $host = sub {
		my ($name, $key) = @_;
		return Linnet->broker(workers => 2, options => [@database,
		    'host_lease 3s', "host_name $name", "token.key $dir/$key"]);
	};
	my ($one, $two) = map { $host->($_, 'key') } 'one', 'two';
	my @o = ('-o', $database[0]);
	my $m = mesh($one, @o);
	# So that both serve the mesh.
	my $far = $two->peer($m->{member}{alice}, name => 'far');
	my $t = token($m->{alice});
	is_good($t->{token}, "$_->[0]: good", $_->[1])
	    for (['one', $one], ['two', $two]) x 3;
	ask($far, 'revoke_token', tokenId => $t->{tokenId});
	my $start = time;
	for my $h ($one, $two) {
		ok((wait_until { shown($t->{token}, $h)->{status} == 401 } 2),
		    'revoked on one, worthless on both');
		is(shown($t->{token}, $h)->{status}, 401, 'on each worker')
		    for 1 .. 4;
	}
	cmp_ok(time - $start, '<', 4, 'at once');

	$t = token($m->{alice});
	is_good($t->{token}, 'good', $_) for ($one, $two) x 4;
	my ($st, undef, $err) = $one->ctl(@o, 'token', 'revoke', $t->{tokenId});
	is($st, 0, 'linnetctl') or diag $err;
	$start = time;
	for my $h ($one, $two) {
		ok((wait_until { shown($t->{token}, $h)->{status} == 401 } 2),
		    'worthless on both');
		is(shown($t->{token}, $h)->{status}, 401, 'on each worker')
		    for 1 .. 4;
	}
	cmp_ok(time - $start, '<', 4, 'at once');

	# A host that nobody has sessions on.
	my $three = $host->('three', 'key');
	$t = token($m->{alice});
	is_good($t->{token}, 'good where nobody is', $three) for 1 .. 4;
	ask($m->{alice}, 'ban', target => 'x');
	ask($m->{alice}, 'revoke_token', tokenId => $t->{tokenId});
	ok((wait_until { shown($t->{token}, $three)->{status} == 401 } 3),
	    'worthless there too');
	is($three->stop, 0, 'three stops');

	my $four = $host->('four', 'other');
	ok((wait_until { $four->log =~ /another token\.key/ } 10),
	    'a host with another key says so');
	ok((wait_until { $one->log =~ /another token\.key/ } 10),
	    'and the others do');
	is($_->stop, 0, 'stops') for $one, $two, $four;
};
done_testing;
