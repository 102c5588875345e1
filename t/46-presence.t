#!/usr/bin/env perl
# Who is there, what they say of themselves, and what hooks say of them.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use MIME::Base64 'decode_base64';
use Test::More;
use Linnet;

my $broker = Linnet->broker(workers => 2, options => ['hook.rate 6']);
# Where hooks of this machine need no token.
my $local = Linnet->broker(workers => 1, options => ['hook.loopback yes']);

sub peers {
	my ($p, %o) = @_;
	my $r = $p->request({ type => 'list_peers', %o });
	is($r->{type}, 'peers_list', 'peers_list') or diag($r->{message});
	return @{ $r->{peers} || [] };
}

sub names {
	return join ' ', map { $_->{displayName} } peers(@_);
}

# Waits until a row of a peer, by its name, is as wanted.
sub row_ok {
	my ($p, $name, $want, $what) = @_;
	my $row;
	ok((wait_until {
		($row) = grep { $_->{displayName} eq $name } @{ $p->request(
		    { type => 'list_peers' })->{peers} };
		$row && !grep { ($row->{$_} // '') ne ($want->{$_} // '') }
		    keys %$want
	}), $what) or diag(explain($row));
	return $row;
}

# A member who joined by invite, so that it has a hook token.
sub joined {
	my ($b, $seed, $name) = @_;
	my $key = Linnet::Peer::new_key();
	my $token = $seed->{inviteToken};
	my $r = $b->http(POST => '/join', {}, { invite_token => $token,
	    invite_payload => Cpanel::JSON::XS->new->decode(
		decode_base64($token =~ tr{-_}{+/}r)),
	    peer_pubkey => $key->{pubkey}, display_name => $name });
	return { %$key, %{ $r->{json} }, meshId => $seed->{meshId} };
}

sub hook {
	my ($b, $token, %body) = @_;
	return $b->http(POST => '/hook/set-status', defined $token
	    ? { Authorization => "Bearer $token" } : {},
	    { cwd => '/work', status => 'working', %body });
}

subtest 'list_peers' => sub {
	my $s = $broker->seed;
	my @p = map { $broker->peer($s->{ $_ % 2 ? 'peerA' : 'peerB' },
	    name => "p$_", session_key => 1) } 1 .. 3;
	my $q = $broker->peer($s->{peerA}, name => "Zo\x{eb}",
	    groups => ['dev:lead', 'ops/night'], cwd => "/tmp/\x{e4}",
	    session_id => 'my-session', pid => 4711, hello => {
		hostname => 'laptop', peerType => 'ai', model => 'small-1' });
	my $control = $broker->peer($s->{peerA}, name => 'tool',
	    session_key => 1, hello => { peerRole => 'control-plane' });
	ok((wait_until { names($p[0]) eq "p1 p2 p3 Zo\x{eb}" }),
	    'all, the asker too, the oldest first; no control plane');
	is(names($control), "p1 p2 p3 Zo\x{eb}", 'which sees the others');
	is($p[0]->send(to => '*', text => 'x')->{recipients}, 3,
	    'and is not written to');
	is($p[0]->send(to => 'tool', text => 'x')->{code}, 'unknown_target',
	    'by no name');
	my ($row) = grep { $_->{displayName} eq "Zo\x{eb}" } peers($p[0]);
	is_deeply([@$row{qw(pubkey memberPubkey memberId presenceId status
	    summary sessionId cwd hostname peerType model role)}],
	    [$q->key, $s->{peerA}{pubkey}, $s->{peerA}{memberId},
	    $q->hello_ack->{presenceId}, 'idle', undef, 'my-session',
	    "/tmp/\x{e4}", 'laptop', 'ai', 'small-1', 'member'],
	    'its fields');
	like($row->{connectedAt}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/,
	    'connectedAt');
	is_deeply($row->{groups}, [{ name => 'dev', role => 'lead' },
	    { name => 'ops/night' }], 'groups');
	my ($first) = peers($p[0]);
	is($first->{pubkey}, $p[0]->key, 'the session key where it has one');
	is(names($p[0], group => $_->[0]), $_->[1], "group $_->[0]")
	    for ['dev', "Zo\x{eb}"], ['ops', "Zo\x{eb}"],
	    ['ops/night', "Zo\x{eb}"], ['night', ''], ['nobody', ''];
	$p[1]->close;
	ok((wait_until { names($p[0]) eq "p1 p3 Zo\x{eb}" }),
	    'who leaves is gone');
	$broker->peer($s->{peerA}, name => 'p2', session_key => 1);
	my $wall = $broker->peer($broker->seed->{peerA}, name => 'wall');
	is(names($wall), 'wall', 'nobody of another mesh');
};

subtest 'absent members' => sub {
	my $s = $broker->seed;
	my $p = $broker->peer($s->{peerA}, name => 'here');
	my @all = peers($p, all => \1);
	is(join(' ', map { "$_->{displayName}:$_->{status}" } @all),
	    'here:idle peer-b:offline', 'all: absent members last');
	is_deeply([@{ $all[1] }{qw(memberId pubkey memberPubkey summary
	    sessionId role)}], [$s->{peerB}{memberId}, $s->{peerB}{pubkey},
	    $s->{peerB}{pubkey}, undef, '', 'member'], 'with their keys');
	ok(!exists $all[1]{presenceId}, 'they have no session');
	is(names($p, all => \0), 'here', 'unless not asked for');
	$broker->psql("update member set revoked_at = now()
	    where id = '$s->{peerB}{memberId}'");
	is(names($p, all => \1), 'here', 'revoked ones are no members');
};

# Messages are held for them, so they can be found.
subtest 'sessions that may return' => sub {
	my $s = $broker->seed;
	my @w = map { $broker->peer($s->{peerB}, name => "w$_",
	    session_key => 1) } 1, 2;
	my %key = map { $_ => Linnet::Peer::new_key() } qw(bye kim shy);
	my %p = map { $_ => $broker->peer($s->{peerA}, name => $_,
	    session_key => $key{$_}, groups => ['dev']) } sort keys %key;
	$p{kim}->request({ type => 'set_summary', summary => 'builds' });
	$p{shy}->request({ type => 'set_visible', visible => \0 });
	$p{bye}->close(1000);
	$p{$_}->drop for qw(kim shy);
	my $list = sub {
		return join ' ', map { "$_->{displayName}:$_->{status}" }
		    peers(@_);
	};
	for my $w (@w) {
		ok((wait_until { $list->($w) eq 'w1:idle w2:idle' }), 'lost');
		is($list->($w, all => \1),
		    'w1:idle w2:idle kim:offline peer-a:offline',
		    'all: after the connected, but who hides or said goodbye');
		is($list->($w, all => \1, group => 'dev'), 'kim:offline',
		    'those of a group');
		my ($row) = grep { $_->{displayName} eq 'kim' }
		    peers($w, all => \1);
		is_deeply([@$row{qw(pubkey memberPubkey summary presenceId)}],
		    [$key{kim}{pubkey}, $s->{peerA}{pubkey}, 'builds',
		    $p{kim}->hello_ack->{presenceId}], 'with what they had');
		is($w->send(to => 'kim', text => $w->name)->{type}, 'ack',
		    'and a message to it');
	}
	my $p = $broker->peer($s->{peerA}, name => 'kim',
	    session_key => $key{kim});
	is(join(' ', sort map { $p->expect_push->{text} } 1, 2), 'w1 w2',
	    'is held');
	ok((wait_until { $list->($_, all => \1) eq
	    'w1:idle w2:idle kim:idle' }), 'back') for @w;
};

subtest 'summary and groups' => sub {
	my $s = $broker->seed;
	my $p = $broker->peer($s->{peerA}, name => 'me', groups => ['a']);
	my $watch = $broker->peer($s->{peerB}, name => 'watch');
	my $r = $p->request({ type => 'set_summary',
	    summary => "baut \x{fc}ber" });
	is_deeply([@$r{qw(type summary)}], ['summary', "baut \x{fc}ber"],
	    'set_summary');
	row_ok($watch, 'me', { summary => "baut \x{fc}ber" }, 'others see it');
	is($p->request({ type => 'set_summary' })->{summary}, '',
	    'without one it is empty');
	row_ok($watch, 'me', { summary => '' }, 'and seen so');

	my $groups = sub {
		return join ' ', map { "$_->{name}:" . ($_->{role} // '') }
		    @{ $_[0]{groups} };
	};
	$r = $p->request({ type => 'join_group', name => 'b', role => 'r' });
	is($r->{type}, 'groups', 'join_group');
	is($groups->($r), 'a: b:r', 'now in both');
	$r = $p->request({ type => 'join_group', name => 'b', role => 's' });
	is($groups->($r), 'a: b:s', 'again: another role');
	$r = $p->request({ type => 'leave_group', name => 'a' });
	is($groups->($r), 'b:s', 'leave_group');
	$r = $p->request({ type => 'leave_group', name => 'never' });
	is($groups->($r), 'b:s', 'one that it was not in: fine');
	ok((wait_until {
		my ($row) = grep { $_->{displayName} eq 'me' } peers($watch);
		$groups->($row) eq 'b:s'
	}), 'others see it');
	for my $name ('@a', '/a', 'a/', 'a//b', 'a/b/c/d/e/f/g/h/i', '', "a\nb", ' a') {
		is($p->request({ type => 'join_group', name => $name })
		    ->{code}, 'malformed', "no group: '" . $name =~ s/\n/\\n/r
		    . "'");
	}
	is($p->request({ type => 'join_group', name => "it's" })->{type},
	    'groups', 'an apostrophe is a letter like any other');
	$p->request({ type => 'leave_group', name => $_ }) for "it's", 'b';
	my @ids = map { $p->post(type => 'join_group', name => "g$_") }
	    1 .. 33;
	my @r = map { $p->reply($_) } @ids;
	is($r[31]{type}, 'groups', '32 groups');
	is($r[32]{code}, 'quota', 'not 33');
	is(@{ $p->request({ type => 'leave_group', name => 'x' })->{groups} },
	    32, 'it is in 32');

	for my $type (qw(set_summary set_status join_group leave_group)) {
		$p->ws->send_text({ type => $type, name => 'g1',
		    status => 'idle', summary => 'x' });
	}
	is($p->request({ type => 'list_peers' })->{type}, 'peers_list',
	    'without an id they are quiet');
	is(scalar(grep { $_->{type} ne 'push' } $p->ws->queued), 0,
	    'nothing else came');
};

subtest 'seen at once' => sub {
	my $s = $broker->seed;
	my $watch = $broker->peer($s->{peerB}, name => 'watch');
	my @late;
	for my $i (1 .. 20) {
		my $p = $broker->peer($s->{peerA}, name => "p$i",
		    session_key => 1);
		my $row = sub {
			my ($r) = grep { $_->{displayName} eq "p$i" } @{
			    $watch->request({ type => 'list_peers' })->{peers} };
			return $r || {};
		};
		push @late, "p$i" if !$row->()->{pubkey};
		$p->request({ type => 'set_summary', summary => "does $i" });
		push @late, "summary $i"
		    if ($row->()->{summary} // '') ne "does $i";
		$p->request({ type => 'join_group', name => "g$i" });
		push @late, "group $i"
		    if $watch->send(to => "\@g$i", text => 'x')->{type} ne 'ack';
	}
	is("@late", '', 'whoever hears of a change from its maker finds it');
};

subtest 'status' => sub {
	my $s = $broker->seed;
	my $p = $broker->peer($s->{peerA}, name => 'me');
	my $watch = $broker->peer($s->{peerB}, name => 'watch');
	for my $status (qw(working dnd idle working idle dnd)) {
		is($p->request({ type => 'set_status', status => $status })
		    ->{status}, $status, "set_status $status");
		row_ok($watch, 'me', { status => $status }, 'others see it');
	}
	my $e = $p->request({ type => 'set_status', status => 'asleep' });
	is($e->{code}, 'malformed', 'no such status');
	like($e->{message}, qr/idle, working, dnd/, 'says which there are');
};

subtest 'hooks' => sub {
	my $s = $broker->seed;
	my $m = joined($broker, $s, 'hooked');
	like($m->{hookToken}, qr/^\S{20,}$/, 'who joins gets a hook token');
	my $watch = $broker->peer($s->{peerB}, name => 'watch');
	my %p = map { $_ => $broker->peer($m, name => $_, session_key => 1,
	    session_id => "id-$_", pid => length $_, cwd => '/work') }
	    qw(a bb);
	my $other = $broker->peer($s->{peerA}, name => 'other',
	    cwd => '/work', session_id => 'id-other');
	for my $token (undef, '', 'lnh_' . '0' x 64, "' or 1=1 --") {
		my $r = hook($broker, $token, cwd => '/x' . ($token // ''));
		is($r->{status}, 401, 'token ' . ($token // '(none)'));
		is_deeply([@{ $r->{json} }{qw(ok code)}],
		    [Cpanel::JSON::XS::false, 'unauthorized'], 'unauthorized');
		like($r->{json}{message}, qr/\S \S/, 'a sentence');
	}
	my %by = (
		'session id' => [a => session_id => 'id-a', pid => 99],
		'pid and directory' => [bb => pid => 2],
	);
	for my $how (sort keys %by) {
		my ($name, @body) = @{ $by{$how} };
		my $r = hook($broker, $m->{hookToken}, @body);
		is($r->{status}, 200, $how);
		is($r->{json}{presence_id}, $p{$name}->hello_ack->{presenceId},
		    'the session that is meant');
		row_ok($watch, $name, { status => 'working' }, 'it works');
	}
	my $r = hook($broker, $m->{hookToken}, pid => 77, status => 'idle');
	is($r->{json}{presence_id}, $p{bb}->hello_ack->{presenceId},
	    'by directory alone: the latest');
	row_ok($watch, 'bb', { status => 'idle' }, 'it is idle');
	# The token of one member does not reach another's sessions.
	$r = hook($broker, $m->{hookToken}, session_id => 'id-other',
	    cwd => '/nowhere');
	ok($r->{json}{pending}, "another member's session is not found");
	row_ok($watch, 'other', { status => 'idle' }, 'nor changed');
	$r = $broker->http(POST => '/hook/set-status', {}, {
	    cwd => '/body', status => 'idle', token => $m->{hookToken},
	    session_id => 'id-a' });
	is($r->{json}{presence_id}, $p{a}->hello_ack->{presenceId},
	    'the token may be in the body');
	row_ok($watch, 'a', { status => 'idle' }, 'and works');

	# A hook knows better than the session, dnd is the session's own.
	$p{a}->request({ type => 'set_status', status => 'dnd' });
	row_ok($watch, 'a', { status => 'dnd' }, 'dnd');
	hook($broker, $m->{hookToken}, cwd => '/dnd', session_id => 'id-a');
	hook($broker, $m->{hookToken}, cwd => '/dnd2', session_id => 'id-bb');
	row_ok($watch, 'bb', { status => 'working' }, 'another hook has come');
	row_ok($watch, 'a', { status => 'dnd' }, 'a hook does not lift dnd');
};

subtest 'a hook before its session' => sub {
	my $s = $broker->seed;
	my $m = joined($broker, $s, 'hooked');
	for (['its session id', '/elsewhere', 'soon'],
	    ['its directory', '/soon', undef]) {
		my ($how, $cwd, $id) = @$_;
		my $r = hook($broker, $m->{hookToken}, cwd => $cwd,
		    $id ? (session_id => $id) : ());
		is_deeply($r->{json}, { ok => Cpanel::JSON::XS::true,
		    pending => Cpanel::JSON::XS::true }, "by $how: pending");
		my $p = $broker->peer($m, session_key => 1, name => $how,
		    session_id => $id // 'any', cwd => $id ? '/here' : $cwd);
		my ($row) = grep { $_->{displayName} eq $how } peers($p);
		is($row->{status}, 'working', 'it works from its hello on');
		my $q = $broker->peer($m, session_key => 1, name => "$how 2",
		    session_id => $id // 'other', cwd => $id ? '/here' : $cwd);
		($row) = grep { $_->{displayName} eq "$how 2" } peers($q);
		is($row->{status}, 'idle', 'once');
		$_->close for $p, $q;
	}
	# The pending word of one member is not for another one's session.
	hook($broker, $m->{hookToken}, cwd => '/mine');
	my $p = $broker->peer($s->{peerA}, name => 'not me', cwd => '/mine');
	my ($row) = grep { $_->{displayName} eq 'not me' } peers($p);
	is($row->{status}, 'idle', "another member's session stays idle");
	my $q = $broker->peer($broker->seed->{peerA}, name => 'far',
	    cwd => '/mine');
	is((peers($q))[0]{status}, 'idle', 'as does one in another mesh');
};

subtest 'rate' => sub {
	my $s = $broker->seed;
	my $m = joined($broker, $s, 'hooked');
	my (@r, $n);
	# Two workers count for themselves.
	push @r, hook($broker, $m->{hookToken}, cwd => '/rate', pid => 5)
	    for 1 .. 20;
	$n = grep { $_->{status} == 200 } @r;
	cmp_ok($n, '>=', 6, 'hook.rate calls are fine');
	cmp_ok($n, '<=', 13, 'many more are not');
	my ($e) = grep { $_->{status} != 200 } @r;
	is($e->{status}, 429, 'status');
	is($e->{json}{code}, 'rate_limited', 'rate_limited');
	is(hook($broker, $m->{hookToken}, cwd => '/rate', pid => 6)
	    ->{status}, 200, 'another process may');
	my ($limited) = $broker->http(GET => '/metrics')->{body} =~
	    /^linnet_hook_requests_rate_limited_total (\d+)$/m;
	is($limited, 20 - $n, 'they are counted');
};

subtest 'hook.loopback' => sub {
	my $s = $local->seed;
	my $p = $local->peer($s->{peerA}, name => 'me', cwd => '/work');
	my $r = hook($local, undef);
	is($r->{status}, 200, 'without a token, from this machine');
	is($r->{json}{presence_id}, $p->hello_ack->{presenceId}, 'found');
	row_ok($p, 'me', { status => 'working' }, 'it works');
	is(hook($local, 'lnh_wrong')->{status}, 401,
	    'a wrong token is wrong all the same');
	$r = hook($local, undef, cwd => '/later');
	ok($r->{json}{pending}, 'one that is to come');
	$p = $local->peer($s->{peerB}, name => 'later', cwd => '/later');
	my ($row) = grep { $_->{displayName} eq 'later' } peers($p);
	is($row->{status}, 'working', 'works from its hello on');
};

is($broker->stop, 0, 'stopped');
done_testing;
