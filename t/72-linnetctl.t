#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# linnetctl as an operator uses it: every command of its table, what it says
# when that does not go, and that what it changes is in force at once.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Test::More;
use Linnet qw(wait_until run slurp scratch);
use Linnet::Postgres;
use Linnet::Proc;

my $ctl = Linnet->program('linnetctl');
my $dir = scratch();
my $json = Cpanel::JSON::XS->new->utf8;
my $b = Linnet->broker(workers => 2);
my %tried; # commands that some test below has run

# Runs it for a broker and notes which command that was.
sub ctl {
	my (@args) = @_;
	note_command(@args);
	return $b->ctl(@args);
}

my @commands;
sub note_command {
	my (@words) = grep { !/^-/ } @_;
	for (@commands) {
		my @name = split ' ';
		$tried{$_} = 1 if @words >= @name
		    && "@words[0 .. $#name]" eq $_;
	}
	return;
}

sub json_of {
	my (@args) = @_;
	my ($st, $out, $err) = ctl(@args, '--json');
	is($st, 0, "@args --json") or diag $err;
	return eval { $json->allow_nonref->decode($out) };
}

sub good {
	my ($like, @args) = @_;
	my ($st, $out, $err) = ctl(@args);
	subtest "@args" => sub {
		is($st, 0, 'status') or diag $err;
		like($out, $like, 'stdout');
		is($err, '', 'stderr');
	};
	return $out;
}

sub bad {
	my ($status, $like, @args) = @_;
	my ($st, $out, $err) = ctl(@args);
	subtest "@args" => sub {
		is($st, $status, 'status');
		is($out, '', 'stdout');
		like($err, $like, 'stderr');
		like($err, qr/^linnetctl: /, 'says who speaks');
	};
	return;
}

sub closed_ok {
	my ($p, $code, $reason, $name) = @_;
	my $c = $p->wait_close;
	is_deeply([@$c{qw(code reason)}], [$code, $reason], $name)
	    or diag explain $c;
	return;
}

{
	my ($st, $out) = run([$ctl, 'help']);
	is($st, 0, 'help needs neither daemon nor database');
	my ($list) = $out =~ /\n\n(.*?)\n\n/s;
	my ($st2, $bash) = run([$ctl, 'completion', 'bash']);
	my %second = $bash =~ /^\t'(\w+) '\) list=\((.*?)\) ;;$/mg;
	my ($first) = $bash =~ /^\t' '\) list=\((.*?)\) ;;$/m;
	for my $word ($first =~ /'(.*?)'/g) {
		push @commands, $second{$word}
		    ? map({ "$word $_" } $second{$word} =~ /'(.*?)'/g) : $word;
	}
	cmp_ok(@commands, '>', 25, 'there are commands');
	my @missing = grep { $list !~ /^  \Q$_\E\b/m } @commands;
	is("@missing", '', 'help lists those that completion knows');
	note_command('help');
	note_command('completion');
}

subtest 'the command line' => sub {
	my $m = $b->seed->{slug};
	bad(@$_) for (
		[64, qr/no command "mehs list"; did you mean "mesh list"/,
		    'mehs', 'list'],
		[64, qr/mesh wants one more word: create, list/, 'mesh'],
		[64, qr/no command "audit frob"; audit wants one of: verify/,
		    'audit', 'frob'],
		[64, qr/linnetctl help lists them/, 'frobnicate'],
		[64, qr/something is missing; usage: linnetctl mesh show mesh$/m,
		    'mesh', 'show'],
		[64, qr/too much; usage: linnetctl ping$/m, 'ping', 'now'],
		[64, qr/mesh list has no option --uses/, 'mesh', 'list',
		    '--uses', 3],
		[64, qr/no option --frob before a command; linnetctl help/, '--frob', 'ping'],
		[64, qr/no option -x; linnetctl help/, 'ping', '-x'],
		[64, qr/--option wants a value: setting/, 'ping', '-o'],
		[64, qr/"king" is none of owner\|admin\|member/, 'member',
		    'role', $m, 'peer-a', 'king'],
		[64, qr/--role "king" is none of member\|admin/, 'invite',
		    'create', $m, '--role', 'king'],
		[64, qr/--uses "0" is too small; it is from 1 to/, 'invite',
		    'create', $m, '--uses', 0],
		[64, qr/--expires "soon".*looks like 30s/, 'invite', 'create',
		    $m, '--expires', 'soon'],
		[64, qr/none of error\|warn\|info\|debug/, 'log-level', 'loud'],
		[64, qr/"tcsh" is none of bash\|zsh\|fish/, 'completion', 'tcsh'],
		[66, qr/no mesh "none"; linnetctl mesh list shows/, 'mesh',
		    'show', 'none'],
		[67, qr/no member "none"; linnetctl member list $m shows/,
		    'member', 'show', $m, 'none'],
		[78, qr/log\.levle/, '-o', 'log.levle debug', 'ping'],
	);
	my ($st, $out, $err) = run([$ctl, '-o', "state_dir $dir/none", 'ping']);
	is($st, 69, 'no daemon: status');
	like($err, qr/no linnetd runs with state_dir .*start it/, 'and advice');
	($st, $out, $err) = run([$ctl, '-o', "state_dir $dir/none", 'mesh',
	    'list']);
	is($st, 69, 'no private database without a daemon');
	like($err, qr/no linnetd runs/, 'and advice');
	($st, $out, $err) = run(['sh', '-c',
	    "exec $ctl -o 'state_dir ${\$b->dir}' mesh list >/dev/full"]);
	is($st, 74, 'output that cannot be written');
	($st, $out) = run([$ctl, 'help', 'mesh']);
	is($st, 0, 'help of all that begin with a word');
	like($out, qr/^usage: linnetctl mesh $_\b/m, $_)
	    for qw(create delete set);
	($st, $out) = run([$ctl, 'mesh', 'set', '--help']);
	like($out, qr/\Ausage: linnetctl mesh set .*--state-bytes size/s,
	    '--help after a command');
};

subtest 'the daemon' => sub {
	good(qr/^linnetd answers$/, 'ping');
	my $s = json_of('status');
	is($s->{state}, 'serving', 'status: state');
	is($s->{queued}, 0, 'status: what waits');
	is(scalar @{ $s->{hosts} }, 1, 'status: hosts');
	my $text = good(qr/^linnetd \S+, serving, pid \d+.*^listening on /ms,
	    'status');
	like($text, qr/^worker\t1\t\d+\tready\t/m, 'a process a row');
	like($text, qr/^messages that wait: 0$/m, 'the queue');
	my ($host) = @{ json_of('host', 'list') };
	is($host->{hostId}, $s->{host}, 'host list');
	is($host->{alive}, Cpanel::JSON::XS::true, 'it is alive');
	good(qr/\t$host->{hostId}$/m, 'host', 'list');

	unlike($b->log, qr/debug/, 'nothing is debugged');
	good(qr/^the log level is changed/, 'log-level', 'debug');
	ok(wait_until { $b->log =~ /^\S+ linnetd\[worker \d\] debug/m ||
	    !eval { $b->http(GET => '/health') } } 10, 'now it is, in workers');
	my $r = json_of('reload');
	is_deeply($r->{changed}, ['log.level'], 'reload says what changed back');
	is_deeply($r->{restart}, [], 'and what needs a restart');
	good(qr/^configuration reloaded$/, 'reload');
};

subtest 'meshes' => sub {
	good(qr/^mesh team made, id [0-9a-f]{32}\nnext: linnetctl invite/,
	    'mesh', 'create', 'team', '--name', 'The team');
	bad(65, qr/there is a mesh "team" already/, 'mesh', 'create', 'team');
	bad(65, qr/no short name/, 'mesh', 'create', 'Te am');
	my $own = json_of('mesh', 'create', 'own', '--show-key');
	like($own->{ownerSecretKey}, qr/^[0-9a-f]{128}$/, '--show-key');
	bad(66, qr/--owner-key FILE/, 'invite', 'create', 'own');
	my ($st, $out, $err) = run([$ctl, '-o', "state_dir ${\$b->dir}",
	    'invite', 'create', 'own', '--owner-key', '-'],
	    input => "$own->{ownerSecretKey}\n");
	like($out, qr{^linnet://join/\S+$}, 'its key from standard input');
	($st, $out, $err) = run([$ctl, '-o', "state_dir ${\$b->dir}",
	    'invite', 'create', 'own', '--owner-key', '-'],
	    input => '0' x 128);
	is($st, 77, "another mesh's key");

	good(qr/^team is|^mesh team is called A team now$/, 'mesh', 'rename',
	    'team', 'A team');
	my ($row) = grep { $_->{slug} eq 'team' } @{ json_of('mesh', 'list') };
	is($row->{name}, 'A team', 'mesh list has the new name');
	good(qr/^team\tA team\t0\t0\t/m, 'mesh', 'list');

	my $show = json_of('mesh', 'show', 'team');
	is($show->{ownerKeyStored}, Cpanel::JSON::XS::true,
	    'its key is stored');
	is_deeply($show->{limits}{sessions}, { used => 0, limit => 100000,
	    own => Cpanel::JSON::XS::false }, 'a limit of the configuration');
	bad(64, qr/nothing to set; linnetctl help mesh set/, 'mesh', 'set',
	    'team');
	bad(64, qr/--sessions "0" is too small; it is from 1 to 10000000, or/,
	    'mesh', 'set', 'team', '--sessions', 0);
	bad(64, qr/--state-bytes "9t"/, 'mesh', 'set', 'team',
	    '--state-bytes', '9t');
	good(qr/^mesh team set; /, 'mesh', 'set', 'team', '--sessions', 5,
	    '--state-bytes', '2m', '--queue', 7, '--recipient-queue', 6,
	    '--state-keys', 4, '--memories', 3, '--files', 8, '--storage', '9k',
	    '--file-bytes', '2k');
	$show = json_of('mesh', 'show', 'team')->{limits};
	is_deeply({ map { $_ => $show->{$_}{limit} } keys %$show },
	    { sessions => 5, stateBytes => 2 << 20, queue => 7,
	    recipientQueue => 6, stateKeys => 4, memories => 3, files => 8,
	    storage => 9 << 10, fileBytes => 2 << 10 }, 'all limits');
	good(qr/^SESSIONS\t0\t5\town$/m, 'mesh', 'show', 'team');
	ctl('mesh', 'set', 'team', '--sessions', 'default');
	$show = json_of('mesh', 'show', 'team')->{limits};
	is_deeply([map { $show->{$_}{own} ? 1 : 0 } qw(sessions queue)],
	    [0, 1], 'default gives back one, and leaves the others');
};

subtest 'a limit is in force at once' => sub {
	my $s = $b->seed;
	my $p = $b->peer($s->{peerA}, name => 'p');
	my $r = $p->request({ type => 'set_state', key => 'a', value => 1 });
	isnt($r->{type}, 'error', 'below') or diag explain $r;
	ctl('mesh', 'set', $s->{slug}, '--state-keys', 1);
	ok(wait_until { $r = $p->request({ type => 'set_state',
	    key => 'k' . rand, value => 1 }); ($r->{code} // '') eq 'quota' }
	    10, 'a session that is there feels it') or diag explain $r;
};

subtest 'archive and delete' => sub {
	my $s = $b->seed;
	my $m = $s->{slug};
	my $p = $b->peer($s->{peerA}, name => 'p');
	$p->send(to => $s->{peerB}{pubkey}, text => 'for later');
	good(qr/^mesh $m archived; sessions that ended: 1$/, 'mesh', 'archive',
	    $m);
	ok($p->wait_close, 'its session ended');
	my $again = $b->peer($s->{peerA}, name => 'p', refused => 1);
	ok($again->refusal, 'and nobody gets in');
	bad(66, qr/archived; linnetctl mesh unarchive $m/, 'invite', 'create',
	    $m);
	good(qr/archived already/, 'mesh', 'archive', $m);
	good(qr/^mesh $m is open again$/, 'mesh', 'unarchive', $m);
	my $q = $b->peer($s->{peerB}, name => 'q');
	is($q->expect_push->{text}, 'for later', 'nothing was lost');
	$q->request({ type => 'create_channel', name => 'dev' });
	my ($said) = map { $q->request({ type => 'post', channel => 'dev',
	    text => $_ })->{messageId} } qw(a b);
	my $thread = $q->request({ type => 'create_thread', channel => 'dev',
	    messageId => $said })->{channelId};
	$q->request({ type => 'post', channel => $thread, text => 'c' });
	my $shown = json_of('mesh', 'show', $m);
	is_deeply([@$shown{qw(channels channelMessages)}], [1, 3],
	    'its channels');
	bad(64, qr/members 2, sessions 1.*channels 1 with messages 3, .*add --y/s,
	    'mesh', 'delete', $m);
	SKIP: {
		skip 'no script(1)', 2 if !-x '/usr/bin/script';
		my @asked = ('/usr/bin/script', '-qec',
		    "$ctl -o 'state_dir ${\$b->dir}' mesh delete $m",
		    '/dev/null');
		my ($st, $out) = run(\@asked, input => "no\n");
		is($st, 75, 'on a terminal another word is none');
		($st, $out) = run(\@asked, input => "$m\n");
		is($st, 0, 'its name is') or diag $out;
	}
	good(qr/^mesh $m deleted$/, 'mesh', 'delete', $m, '--yes')
	    if (ctl('mesh', 'show', $m))[0] == 0;
	note_command('mesh', 'delete');
	ok($q->wait_close, 'its sessions end');
	bad(66, qr/no mesh/, 'mesh', 'show', $m);
	is($b->psql("select (select count(*) from message where mesh_id =
	    '$s->{meshId}') + (select count(*) from delivery where mesh_id =
	    '$s->{meshId}') + (select count(*) from member where mesh_id =
	    '$s->{meshId}')"), 0, 'nothing of it is left');
};

subtest 'members' => sub {
	my $s = $b->seed;
	my $m = $s->{slug};
	my $p = $b->peer($s->{peerA}, name => 'p');
	is(scalar @{ json_of('member', 'list', $m) }, 2, 'member list');
	my $show = json_of('member', 'show', $m, 'peer-a');
	is($show->{memberId}, $s->{peerA}{memberId}, 'by name');
	is(json_of('member', 'show', $m, $s->{peerA}{pubkey})->{name},
	    'peer-a', 'by key');
	is($show->{sessions}, 1, 'its sessions');
	good(qr/^ROLE\tmember$/m, 'member', 'show', $m, $s->{peerA}{memberId});

	good(qr/^peer-a is admin of mesh $m now$/, 'member', 'role', $m,
	    'peer-a', 'admin');
	ok(wait_until { $p->request({ type => 'list_bans' })->{type} eq
	    'bans_list' } 10, 'the role is in force');
	good(qr/^peer-b is called Bea now$/, 'member', 'rename', $m, 'peer-b',
	    'Bea');
	bad(65, qr/is no name/, 'member', 'rename', $m, 'Bea', "a\x{202e}b");
	is(json_of('member', 'show', $m, 'BEA')->{name}, 'Bea',
	    'names are found in any case');
	ctl('member', 'rename', $m, 'peer-a', 'Bea');
	bad(67, qr/several members are called "bea".*\n  $s->{peerA}{pubkey}/,
	    'member', 'show', $m, 'bea');
	my $keyless = json_of('member', 'create', $m, 'Bea')->{memberId};
	bad(67, qr/several members are called "bea".*\n  $keyless$/ms,
	    'member', 'show', $m, 'bea');
	bad(64, qr/nothing was done, add --yes/, 'member', 'revoke', $m,
	    $s->{peerA}{pubkey});
	good(qr/^Bea is no member of mesh $m any more$/, 'member', 'revoke',
	    $m, $s->{peerA}{pubkey}, '--yes');
	closed_ok($p, 4002, 'revoked', 'its session ends');
	my $back = $b->peer($s->{peerA}, name => 'p', refused => 1);
	is($back->refusal->{code}, 'revoked', 'it does not get in again');
	like(json_of('member', 'show', $m, $s->{peerA}{memberId})->{revokedAt},
	    qr/^20/, 'by id a revoked one can be looked at');
};

subtest 'members without a key' => sub {
	my $s = $b->seed;
	my $m = $s->{slug};
	good(qr/^carol is a member of mesh $m, id [0-9a-f]{32}; next: /,
	    'member', 'create', $m, 'carol');
	my $r = json_of('member', 'create', $m, 'dan', '--kind', 'human',
	    '--role', 'admin');
	is_deeply([@{$r}{qw(name kind role)}], ['dan', 'human', 'admin'],
	    'as asked');
	my $show = json_of('member', 'show', $m, 'dan');
	is_deeply([@{$show}{qw(memberId kind role pubkey hasPassword)}],
	    [$r->{memberId}, 'human', 'admin', undef, Cpanel::JSON::XS::false],
	    'it is shown');
	good(qr/^wat_/, 'token', 'create', $m, 'carol');
	bad(64, qr/--kind "cat" is none of agent/, 'member', 'create',
	    $m, 'x', '--kind', 'cat');
	bad(64, qr/--role "king" is none of owner/, 'member', 'create', $m,
	    'x', '--role', 'king');
	bad(65, qr/is no name/, 'member', 'create', $m, "a\x{202e}b");
	bad(65, qr/a password has 8 bytes at least/, 'member', 'password', $m,
	    'dan');
};

subtest 'keeping order' => sub {
	my $s = $b->seed;
	my $m = $s->{slug};
	my @p = map { $b->peer($s->{peerA}, name => "p$_", session_key => 1) }
	    1 .. 4;
	my $q = $b->peer($s->{peerB}, name => 'q');
	my $rows = json_of('session', 'list', $m);
	is_deeply([sort map { $_->{name} } @$rows], [qw(p1 p2 p3 p4 q)],
	    'session list');
	is_deeply([grep { $_->{worker} !~ /^[12]$/ } @$rows], [], 'workers');
	good(qr/^$m\tq\tpeer-b\t\S+\t[12]\tidle\t/m, 'session', 'list');
	bad(67, qr/called "x"; linnetctl session list $m shows/, 'kick', $m,
	    'x');
	good(qr/^session p1 ended$/, 'kick', $m, 'p1', '--reason', 'too loud');
	closed_ok($p[0], 4001, 'kicked: too loud', 'a kicked session');
	my ($id) = map { $_->{sessionId} } grep { $_->{name} eq 'p2' } @$rows;
	my $r = json_of('kick', $m, $id);
	is_deeply($r, [{ sessionId => $id, name => 'p2',
	    ended => Cpanel::JSON::XS::true }], 'by id');
	closed_ok($p[1], 4001, 'kicked', 'that one');
	my @k = @{ json_of('kick', $m, 'peer-a') };
	is(@k, 2, 'all sessions of a member');
	closed_ok($_, 4001, 'kicked', 'each') for @p[2, 3];
	is($q->request({ type => 'list_peers' })->{type}, 'peers_list',
	    'nobody else');

	good(qr/^peer-b is banned from mesh $m$/, 'ban', $m, 'peer-b',
	    '--reason', 'spam');
	closed_ok($q, 4002, 'banned: spam', 'a banned member');
	is($b->peer($s->{peerB}, refused => 1)->refusal->{code}, 'banned', 'stays out');
	is_deeply([map { [@$_{qw(name reason bannedBy)}] }
	    @{ json_of('bans', $m) }], [['peer-b', 'spam', 'operator']],
	    'bans');
	good(qr/^peer-b\tspam\toperator\t/, 'bans', $m);
	good(qr/^peer-b is not banned from mesh $m any more$/, 'unban', $m,
	    'peer-b');
	bad(66, qr/not banned; linnetctl bans $m/, 'unban', $m, 'peer-b');
	ok($b->peer($s->{peerB}, name => 'q')->hello_ack, 'unbanned');
};

# What they are worth is in t/48-tokens.t.
subtest 'tokens' => sub {
	my $m = $b->seed->{slug};
	my $t = json_of('token', 'create', $m, 'peer-a', '--name', 'CI');
	is($t->{name}, 'CI', 'token create');
	good(qr/^wat_\S{48}$/, 'token', 'create', $m, 'peer-a');
	good(qr/^$t->{tokenId}\tgood\tpeer-a\tCI\t\S+\t20\S+\t20\S+\t-\t-$/m,
	    'token', 'list', $m);
	bad(64, qr/by its id/, 'token', 'revoke', 'x');
	bad(66, qr/no token 0{32}/, 'token', 'revoke', '0' x 32);
	good(qr/^token $t->{tokenId} revoked$/, 'token', 'revoke',
	    $t->{tokenId});
	good(qr/was worthless before$/, 'token', 'revoke', $t->{tokenId});
	is((grep { $_->{tokenId} eq $t->{tokenId} } @{ json_of('token', 'list',
	    $m) })[0]{state}, 'revoked', 'it is so in the list');
};

subtest 'invites' => sub {
	my $s = $b->seed;
	my $m = $s->{slug};
	my $i = json_of('invite', 'create', $m, '--uses', 3, '--expires', '1h',
	    '--role', 'admin', '--url', 'wss://mesh.example/ws');
	is_deeply([@$i{qw(role uses)}, $i->{link}],
	    ['admin', 3, "linnet://join/$i->{token}"], 'invite create');
	my ($row) = grep { $_->{inviteId} eq $i->{inviteId} }
	    @{ json_of('invite', 'list', $m) };
	is_deeply([@$row{qw(state role used uses)}], ['open', 'admin', 0, 3],
	    'invite list');
	good(qr/^$i->{inviteId}\topen\tadmin\t0\t3\t/m, 'invite', 'list', $m);
	bad(64, qr/by its id.*invite list/, 'invite', 'revoke', 'x');
	bad(66, qr/no invite 0{32}/, 'invite', 'revoke', '0' x 32);
	good(qr/^invite $i->{inviteId} revoked$/, 'invite', 'revoke',
	    $i->{inviteId});
	good(qr/was revoked before$/, 'invite', 'revoke', $i->{inviteId});
	($row) = grep { $_->{inviteId} eq $i->{inviteId} }
	    @{ json_of('invite', 'list', $m) };
	is($row->{state}, 'revoked', 'it is so in the list');

	my ($st, $out, $err) = ctl('invite', 'create', $m, '--qr');
	if ($st == 69) {
		like($err, qr/built without libqrencode/, 'no QR codes here');
		is($out, '', 'and no invite was made for nothing');
	} else {
		my ($link, @rows) = split /\n/, $out;
		like($link, qr{^linnet://join/\S+$}, '--qr prints the link too');
		utf8::decode($_) for @rows;
		my %widths = map { length($_) => 1 } @rows;
		is(keys %widths, 1, 'a code is a rectangle');
		my $side = length $rows[0];
		ok(abs($side - 2 * @rows) <= 1, 'and a square on a terminal');
		unlike("@rows", qr/[^ \x{2580}\x{2584}\x{2588}]/, 'of blocks');
		is($rows[0], "\x{2588}" x $side, 'with a margin');
	}
};

# A trace in the background; its records when it has ended.
sub trace {
	my ($name, @args) = @_;
	note_command('trace');
	my $pid = Linnet::Proc::start([$ctl, '-o', "state_dir ${\$b->dir}",
	    'trace', @args], stdout => "$dir/$name", stderr => "$dir/$name.e");
	return $pid;
}

subtest 'trace' => sub {
	my $s = $b->seed;
	my $other = $b->seed;
	my $pid = trace('all', '--json', '--mesh', $s->{slug});
	my $p = $b->peer($s->{peerA}, name => 'p', session_key => 1);
	# Until it runs in both workers.
	my @q;
	ok(wait_until { push @q, $b->peer($s->{peerA}, name => 'x');
	    my %w = map { $_->{worker} => 1 } map { $json->decode($_) }
		split /\n/, slurp("$dir/all");
	    $w{1} && $w{2} } 20, 'both workers trace');
	my $q = $b->peer($s->{peerB}, name => 'q', session_key => 1);
	my $secret = 'a text that nobody else shall read';
	my $id = $p->send(to => $q->key, text => $secret)->{messageId};
	$q->expect_push;
	$p->request({ type => 'set_state', key => 'k', value => $secret });
	$p->request({ type => 'no_such' });
	$b->peer($other->{peerA}, name => 'elsewhere')
	    ->request({ type => 'list_peers' });
	$q->close;
	my @r;
	ok(wait_until { @r = map { $json->decode($_) } split /\n/,
	    slurp("$dir/all");
	    grep { $_->{what} eq 'end' && $_->{session} eq 'q' } @r } 10,
	    'the end of a session');
	my ($send) = grep { $_->{type} eq 'send' } @r;
	is_deeply([@$send{qw(what session target targets result messageId)}],
	    ['request', 'p', $q->key, 1, 'ok', $id], 'a request');
	cmp_ok($send->{bytes}, '>', length $secret, 'its size');
	my ($push) = grep { $_->{type} eq 'push' } @r;
	is_deeply([@$push{qw(what session sender messageId)}],
	    ['push', 'q', 'p', $id], 'its push');
	my ($set) = grep { $_->{type} eq 'set_state' } @r;
	is($set->{target}, 'k', 'a key of state');
	ok((grep { $_->{result} eq 'unknown_message_type' } @r), 'a refusal');
	ok(!(grep { $_->{meshId} ne $s->{meshId} } @r), 'only of the mesh');
	unlike(slurp("$dir/all"), qr/nobody else/, 'no text of anybody');
	kill 'INT', $pid;
	is(Linnet::Proc::reap($pid, 10), 0, 'interrupted, it succeeds');

	$pid = trace('few', '--type', 'set_state', '--session', 'p',
	    '--count', 2);
	ok(wait_until { $p->request({ type => 'get_state', key => 'k' });
	    $p->request({ type => 'set_state', key => 'k', value => 2 });
	    defined Linnet::Proc::reap($pid, 0) } 20, '--count ends it');
	my @lines = split /\n/, slurp("$dir/few");
	is(@lines, 2, 'after so many lines');
	like($_, qr/^20\S+Z\t[12]\t$s->{slug}\tp\trequest\tset_state\t-\tk\t1\t
	    \d+\tok\t\d+\t-$/x, 'for people') for @lines;
};

subtest 'a trace that nobody reads' => sub {
	my $s = $b->seed;
	my $p = $b->peer($s->{peerA}, name => 'p');
	my $pid = trace('slow', '--json', '--session', 'p');
	ok(wait_until { $p->request({ type => 'list_peers' });
	    -s "$dir/slow" } 20, 'it runs');
	kill 'STOP', $pid;
	for my $round (1 .. 40) {
		my @ids = map { $p->post(type => 'get_state',
		    key => 'x' x 200) } 1 .. 50;
		$p->reply($_, 20) for @ids;
	}
	kill 'CONT', $pid;
	ok(wait_until { slurp("$dir/slow.e") =~ /dropped \d+ records/ } 20,
	    'what was dropped is said');
	my @r = map { $json->decode($_) } split /\n/, slurp("$dir/slow");
	my ($dropped) = map { $_->{dropped} // () } @r;
	cmp_ok($dropped, '>', 0, 'and counted');
	is((grep { ($_->{type} // '') eq 'get_state' } @r) + $dropped, 2000,
	    'none is missing from the count');
	kill 'TERM', $pid;
	is(Linnet::Proc::reap($pid, 10), 0, 'terminated, it succeeds');
};

subtest 'seed' => sub {
	my $s = json_of('seed');
	like($s->{inviteLink}, qr{^linnet://join/}, 'an invite');
};

subtest 'completion' => sub {
	for my $shell (qw(bash zsh fish)) {
		my ($st, $out) = run([$ctl, 'completion', $shell]);
		is($st, 0, $shell);
		open my $fh, '>', "$dir/c.$shell" or die;
		print $fh $out;
		close $fh;
		my ($which) = grep { -x } map { "$_/$shell" }
		    split /:/, $ENV{PATH};
		next if !$which;
		is((run([$which, '-n', "$dir/c.$shell"]))[0], 0,
		    "$shell reads it");
	}
	for (['mesh sh', 'show'], ['member role m x ', 'owner admin member'],
	    ['invite create --role ', 'member admin'],
	    ['-o x mesh sho', 'show'], ['log-level d', 'debug'],
	    ['mesh create --show', '--show-key'], ['mesh create ', '']) {
		my ($line, $want) = @$_;
		my ($st, $out, $err) = run(['bash', '-c', <<~'EOS', 'x', "$dir/c.bash", split(/ /, $line, -1)]);
			. "$1"; shift
			COMP_WORDS=(linnetctl "$@"); COMP_CWORD=$#
			_linnetctl; echo "${COMPREPLY[*]}"
			EOS
		is($out, "$want\n", "bash: $line") or diag $err;
	}
};

# On the database alone, and for all hosts of it.
subtest 'without a daemon, and with two' => sub {
	my $pg = Linnet::Postgres->new;
	my $database = $pg->conninfo;
	my @at = ('-o', "state_dir $dir", '--database', $database);
	my ($st, $out, $err) = run([$ctl, @at, 'mesh', 'list']);
	is($st, 69, 'an empty database');
	like($err, qr/not linnetd's; start linnetd on it/, 'and advice');
	my @hosts = map { Linnet->broker(workers => 1, options => [
	    "database \"$database\"", "host_name $_"]) } qw(one two);
	($st, $out) = run([$ctl, @at, 'seed']);
	my $s = $json->decode($out);
	$_->{meshId} = $s->{meshId} for @$s{qw(peerA peerB)};
	my $p = $hosts[0]->peer($s->{peerA}, name => 'p');
	my $q = $hosts[1]->peer($s->{peerB}, name => 'q');
	($st, $out) = run([$ctl, @at, 'session', 'list']);
	like($out, qr/\tp\tpeer-a\tone\t1\t.*\tq\tpeer-b\ttwo\t1\t/s,
	    'sessions of all hosts');
	for (['p', $p], ['q', $q]) {
		($st, $out, $err) = run([$ctl, @at, 'kick', $s->{slug},
		    $_->[0]]);
		is($st, 0, "kick $_->[0]") or diag $err;
		closed_ok($_->[1], 4001, 'kicked', 'wherever it is');
	}
	$q = $hosts[1]->peer($s->{peerB}, name => 'q');
	run([$ctl, @at, 'member', 'revoke', $s->{slug}, 'peer-b', '--yes']);
	closed_ok($q, 4002, 'revoked', 'a change reaches all hosts');
	is($_->stop, 0, 'stopped') for @hosts;
	($st, $out) = run([$ctl, @at, 'mesh', 'list']);
	like($out, qr/^$s->{slug}\t/, 'no daemon runs, and it works');
	($st, $out) = run([$ctl, @at, 'member', 'rename', $s->{slug},
	    'peer-a', 'Ann']);
	is($st, 0, 'also to change something');
	for ([999, 999, qr/schema 999|version 999|newer|too new/i],
	    [0, 0, qr/schema \d+, this program needs \d+; start/]) {
		my ($version, $compatible, $like) = @$_;
		$pg->psql($version ? "insert into schema_version
		    (version, name, compatible) values ($version, 'x',
		    $compatible)" : 'delete from schema_version
		    where version > 1', 'linnet');
		($st, $out, $err) = run([$ctl, @at, 'mesh', 'list']);
		is($st, 69, "a schema of version $version is refused");
		like($err, $like, 'with the reason');
	}
};

# More in t/72-audit-ctl.t.
subtest 'the audit trail' => sub {
	good(qr/^[0-9a-f]{64}$/, 'audit', 'key');
	good(qr/checkpoint of line/, 'audit', 'checkpoint');
	good(qr/^mesh \S+: \d+ lines are valid/, 'audit', 'verify');
	good(qr/"format":"linnet-audit"/, 'audit', 'export');
	bad(66, qr/no mesh/, 'audit', $_, 'nowhere')
	    for qw(verify checkpoint export);
	bad(73, qr{/none/x}, 'audit', 'export', 'nowhere', '/none/x');
};

subtest 'the end' => sub {
	my $p = $b->peer($b->seed->{peerA}, name => 'p');
	my $pid = trace('end');
	ok(wait_until { $p->request({ type => 'list_peers' }); -s "$dir/end" }
	    20, 'a trace runs');
	bad(64, qr/--timeout "x"/, 'drain', '--timeout', 'x');
	bad(64, qr/longer than limit\.drain_time may be/, 'drain', '--timeout',
	    '2h');
	good(qr/^draining; /, 'drain', '--timeout', '5s');
	ok($b->ended(30), 'drain ends it');
	is($b->status, 0, 'in order');
	is(Linnet::Proc::reap($pid, 10), 69, 'a trace ends with it');
	like(slurp("$dir/end.e"), qr/linnetd has ended/, 'and says why');
	$b->start;
	good(qr/^stopping$/, 'stop');
	ok($b->ended(30), 'stop ends it');
};

is(join(', ', grep { !$tried{$_} } @commands), '', 'every command was tried');
done_testing;
