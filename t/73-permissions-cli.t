#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Permissions with linnet(1): granted, asked for, waited for and decided;
# commands and search; and who is concerned hears of it, where it looks.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Test::More;
use Time::HiRes 'time';
use Linnet qw(wait_until slurp);
use Linnet::Cli qw(linnet said fails);
use Linnet::Proc ();

my $json = Cpanel::JSON::XS->new->utf8->allow_nonref;
my $home = Linnet::Cli::home();
my $b = Linnet->broker(workers => 2, options => ['rate.member 0',
    'rate.requests 0', 'rate.refused 0']);
my $seed = $b->seed;
said($_, 'join', $seed->{inviteLink}, '--name', $_) for qw(alice bob);
is(($b->ctl('member', 'role', $seed->{slug}, 'alice', 'admin'))[0], 0,
    'alice may grant');

my $hex = qr/[0-9a-f]{32}/;
my $nothing = 'f' x 32;
my %running;
sub start {
	my ($name, $who, @args) = @_;
	my $out = "$home/$name.out";
	my $pid = Linnet::Proc::start([Linnet->program('linnet'), @args],
	    stdout => $out, stderr => "$out.err",
	    env => Linnet::Cli::environment($who));
	$running{$pid} = 1;
	return { pid => $pid, out => $out };
}
sub over {
	my ($p, $seconds) = @_;
	my $status = Linnet::Proc::reap($p->{pid}, $seconds // 10);
	delete $running{ $p->{pid} } if defined $status;
	return $status;
}
END {
	my $status = $?;
	kill 'KILL', keys %running;
	Linnet::Proc::reap($_, 5) for keys %running;
	$? = $status;
}
sub rows {
	my ($who, @args) = @_;
	return map { [split /\t/, $_, -1] } split /\n/, said($who, @args);
}
sub shown {
	my ($who, @args) = @_;
	return { map { split /\t/, $_, 2 } split /\n/, said($who, 'request',
	    'show', @args) };
}

my $dev = said('alice', 'channel', 'create', 'dev');
my @tool = ('tool:deploy', 'tool', 'prod');

subtest 'grant' => sub {
	fails('bob', 77, qr/grant:create/, 'grant', 'create', 'bob', @tool);
	is((linnet('bob', 'grant', 'check', @tool))[0], 1, 'may not');
	is((linnet('bob', 'grant', 'check', @tool))[1], "no\n", 'is said');
	my $g = said('alice', 'grant', 'create', 'bob', @tool, '--uses', 3,
	    '--expires', '1h');
	like($g, qr/\A$hex\z/, 'is given');
	is(said('bob', 'grant', 'check', @tool), 'yes', 'may');
	is(said('alice', 'grant', 'check', 'tool:deploy', '--member', 'bob'),
	    'yes', 'of another one');
	my ($row) = rows('bob', 'grant', 'list');
	is_deeply([@$row[0 .. 3, 5 .. 7]], [$g, @tool, 0, 3, '{}'],
	    'is listed');
	like($row->[4], qr/\A20\d\d-.*Z\z/, 'until when');
	is((rows('alice', 'grant', 'list', 'bob'))[0][0], $g,
	    'also for others');
	my $h = said('alice', 'grant', 'create', 'bob', 'message:append',
	    'channel', '--constraints', '{"maxParts":2}');
	my (undef, $one, $err) = linnet('bob', 'grant', 'list', '--limit', 1);
	my ($after) = $err =~ /go on with --after '?(.*?)'?$/m or diag $err;
	is_deeply([map { $_->[0] } map { [split /\t/] } $one, said('bob',
	    'grant', 'list', '--after', $after)], [$h, $g], 'in pages');
	said('alice', 'grant', 'revoke', $g, '--reason', 'enough');
	like((linnet('alice', 'grant', 'revoke', $g))[2], qr/revoked before/,
	    'once');
	is((linnet('bob', 'grant', 'check', @tool))[1], "no\n", 'is gone');
	like((linnet('alice', 'grant', 'revoke', 'bob', '--all'))[2],
	    qr/1 grant taken away/, 'all of them');
	is(said('bob', 'grant', 'list'), '', 'nothing is left');
	is(ref $json->decode(said('alice', 'grant', 'list', '--json')),
	    'ARRAY', 'in JSON');
	is((linnet('bob', 'grant', 'check', @tool, '--json'))[1]
	    =~ /"hasGrant":false/ ? 1 : 0, 1, 'the same of a check');
};

subtest 'request' => sub {
	my $r = said('bob', 'request', 'create', @tool, '--reason',
	    "it's \e[31m late", '--id', 'one');
	like($r, qr/\A$hex\z/, 'is opened');
	is(said('bob', 'request', 'create', @tool, '--id', 'one'), $r,
	    'once by its id');
	my ($row) = rows('alice', 'request', 'list');
	is_deeply([@$row[0 .. 4]], [$r, 'bob', @tool], 'is listed');
	like($row->[6], qr/it's \\u001b\[31m late/, 'what for, safe to print');
	is(said('alice', 'request', 'list', '--member', 'alice'), '',
	    'not of others');
	my $s = shown('bob', $r);
	is_deeply([@$s{qw(request status from capability on which)}],
	    [$r, 'open', 'bob', @tool], 'is shown');
	fails('bob', 77, qr/grant:create/, 'request', 'approve', $r);
	my $g = said('alice', 'request', 'approve', $r, '--notes', 'go',
	    '--uses', 1);
	like($g, qr/\A$hex\z/, 'is approved');
	$s = shown('bob', $r);
	is_deeply([@$s{qw(status notes grant)}], ['approved', 'go', $g],
	    'which shows');
	is(said('bob', 'grant', 'check', @tool), 'yes', 'and holds');
	fails('alice', 65, qr/./, 'request', $_, $r) for qw(approve deny);
	my $d = said('bob', 'request', 'create', 'tool:burn', 'tool',
	    '--context', '{"why":[1,2]}', '--json');
	$d = $json->decode($d)->{requestId};
	is($json->decode(said('alice', 'request', 'list', '--json'))->[0]
	    {context}{why}[1], 2, 'with a context of its own');
	said('alice', 'request', 'deny', $d, '--notes', "no \e[1m way");
	is(shown('bob', $d)->{status}, 'denied', 'is denied');
	is(shown('bob', $d)->{notes}, 'no \x1b[1m way', 'says why, safe');
	is($json->decode(said('bob', 'request', 'show', $d, '--json'))
	    ->{status}, 'denied', 'in JSON');
	is(said('alice', 'request', 'list'), '', 'nothing is open');
};

subtest 'waiting' => sub {
	my $open = sub {
		my ($p) = @_;
		my $id;
		wait_until { ($id) = slurp("$p->{out}.err")
		    =~ /request ($hex) waits/ } 20, 'it waits';
		return $id;
	};
	my $p = start('yes', 'bob', 'request', 'create', 'tool:a', 'tool',
	    '--wait');
	my $id = $open->($p);
	my $since = time;
	said('alice', 'request', 'approve', $id);
	is(over($p), 0, 'approved is 0');
	cmp_ok(time - $since, '<', 4, 'at once');
	like(slurp($p->{out}), qr/^status\tapproved\n/m, 'and says so');
	$p = start('no', 'bob', 'request', 'create', 'tool:a', 'tool',
	    '--wait', '--timeout', '1m', '--json');
	said('alice', 'request', 'deny', $id = $open->($p), '--notes', 'no');
	is(over($p), 1, 'denied is 1');
	is($json->decode(slurp($p->{out}))->{notes}, 'no', 'and says why');
	is((linnet('bob', 'request', 'show', $id, '--wait'))[0], 1,
	    'also later');
	my ($status, $out, $err) = linnet('bob', 'request', 'create',
	    'tool:a', 'tool', '--wait', '--timeout', '1s');
	is($status, 75, 'open is 75');
	is($out, '', 'and nothing');
	like($err, qr/still open; linnet request show $hex --wait/,
	    'but what to do');
	($id) = $err =~ /show ($hex)/;
	$p = start('later', 'bob', 'request', 'show', $id, '--wait');
	is($open->($p), $id, 'again');
	$b->kill9;
	$b->start;
	said('alice', 'request', 'approve', $id);
	is(over($p, 30), 0, 'whatever becomes of the broker');
};

subtest 'command' => sub {
	my ($status, $ship, $err) = linnet('bob', 'command', 'register',
	    'ship', '--description', "Ships \e[2J it", '--schema',
	    '{"env":{"type":"string"}}');
	chomp $ship;
	like($ship, qr/\A$hex\z/, 'is offered');
	my ($r) = $err =~ /approves the request ($hex)/ or diag $err;
	is(said('alice', 'command', 'list'), '', 'is not there yet');
	is((rows('alice', 'request', 'list'))[0][2], 'command:register',
	    'but asked for');
	is(said('alice', 'request', 'approve', $r), $ship, 'is approved');
	is_deeply((rows('alice', 'command', 'list'))[0], ['ship', 'bob', '',
	    '{"env":{"type":"string"}}', $ship, 'Ships \x1b[2J it'],
	    'is listed, safe to print');
	fails('bob', 65, qr/already/, 'command', 'register', 'ship');
	my (undef, $own, $none) = linnet('alice', 'command', 'register',
	    'own', '--channel', 'dev');
	is($none, '', 'who may grant needs nobody');
	is(scalar rows('bob', 'command', 'list'), 1, 'one for all');
	is(scalar rows('bob', 'command', 'list', '--channel', '#dev'), 2,
	    'and one of a channel');
	chomp $own;
	fails('bob', 77, qr/./, 'command', 'delete', $own);
	said('alice', 'command', 'delete', $own);
	is(scalar rows('bob', 'command', 'list', '--channel', 'dev'), 1,
	    'is deleted');
};

subtest 'who is told' => sub {
	my %p = (
		inbox => start('inbox', 'bob', 'inbox', '--follow'),
		json => start('inbox-json', 'bob', 'inbox', '--follow',
		    '--json'),
		watch => start('watch', 'bob', 'watch'),
		boss => start('alice', 'alice', 'inbox', '--follow'),
		look => start('look', 'alice', 'watch', '--json'),
	);
	# They are there when what was sent to them is.
	my $n = 0;
	for my $who (qw(bob alice)) {
		wait_until {
			said($who eq 'bob' ? 'alice' : 'bob', 'send', '*',
			    'tick ' . ++$n);
			!grep { slurp($p{$_}{out}) !~ /tick|"message":/ } $who eq 'bob'
			    ? qw(inbox json watch) : qw(boss look) } 30,
		    "$who looks";
	}
	my ($bob) = map { $_->[4] } grep { $_->[0] eq 'bob' }
	    map { [@$_[0 .. 4]] } rows('alice', 'channel', 'members', 'dev');
	if (!$bob) {
		said('bob', 'channel', 'join', 'dev');
		($bob) = map { $_->[4] } grep { $_->[0] eq 'bob' }
		    rows('alice', 'channel', 'members', 'dev');
	}
	said('alice', 'send', '#dev', '--parts', $json->encode([
	    { type => 'mention', payload => { actorId => $bob } },
	    { type => 'command', payload => { command => 'ship',
		args => { env => "\e[5m" } } }]));
	my $r = said('bob', 'request', 'create', 'tool:b', 'tool', 'x');
	said('alice', 'request', 'deny', $r);
	my $line = sub {
		my ($name, $re) = @_;
		ok(wait_until { slurp($p{$name}{out}) =~ $re } 10,
		    "$name: $re") or diag slurp($p{$name}{out});
	};
	$line->(inbox => qr/^\S+\talice\tyou\tmention\tclear\t$hex\tmentions you: linnet replay $dev --after 0 --limit 1$/m);
	$line->(inbox => qr/\tcommand_invoked\t.*\tcalls ship \{"env":"\\u001b\[5m"\}: linnet replay/);
	$line->(inbox => qr/\tbob\tyou\tpermission_resolved\tclear\t$r\tyour request for tool:b on tool x was denied$/m);
	$line->(json => qr/^\{"type":"mention",/m);
	$line->(watch => qr/^notice\t\S+\talice\tmention\t$hex\tmentions you/m);
	$line->(boss => qr/\tpermission_request\tclear\t$r\tasks for tool:b on tool x: linnet request show $r$/m);
	$line->(look => qr/^\{"notice":\{"type":"permission_request",/m);
	unlike(slurp($p{inbox}{out}), qr/permission_request\t/,
	    'what is not for one is not told');
	kill 'TERM', map { $_->{pid} } values %p;
	is(over($_), 0, 'ends') for values %p;
};

subtest 'search' => sub {
	said('alice', 'send', '#dev', "the heron \e[31m stands");
	said('alice', 'channel', 'create', 'den', '--private');
	said('alice', 'send', '#den', 'the heron hides');
	my @found;
	wait_until { @found = rows('bob', 'search', 'heron',
	    '--types', 'message'); @found } 10,
	    'it is found';
	is(scalar @found, 1, 'once');
	is_deeply([@{ $found[0] }[0, 3, 4]], ['message', 'alice', $dev],
	    'where, and by whom');
	like($found[0][6], qr/heron \\x1b\[31m stands/, 'safe to print');
	is(scalar rows('alice', 'search', 'heron', '--types',
	    'message,thread'), 2, 'by who may see it');
	is(scalar rows('alice', 'search', 'heron', '--channel', 'den',
	    '-t', 'message'), 1, 'in one channel');
	is((rows('alice', 'search', 'bob', '--types', 'member'))[0][5], 'bob',
	    'a member');
	my (undef, $one, $err) = linnet('alice', 'search', 'heron', '-n', 1);
	my ($after) = $err =~ /--after '?(.*?)'?$/m or diag $err;
	isnt(said('alice', 'search', 'heron', '-n', 1, '--after', $after),
	    $one, 'in pages');
	is(ref $json->decode(said('alice', 'search', 'heron', '--json')),
	    'ARRAY', 'in JSON');
	is(said('bob', 'search', 'zebra'), '', 'nothing is nothing');
};

subtest 'what is wrong' => sub {
	for my $row (
	    [64, qr/argument|type/, qw(grant create bob x:y)],
	    [67, qr/nobody/, qw(grant create nobody x:y tool)],
	    [65, qr/capability/, qw(grant create bob), '', 'tool'],
	    [65, qr/resourceType/, qw(grant create bob x:y), ''],
	    [65, qr/./, qw(grant create bob message:append channel nowhere)],
	    [64, qr/--uses/, qw(grant create bob x:y tool --uses 0)],
	    [64, qr/--uses/, qw(grant create bob x:y tool --uses x)],
	    [64, qr/--expires/, qw(grant create bob x:y tool --expires soon)],
	    [65, qr/no JSON/, qw(grant create bob x:y tool --constraints {)],
	    [65, qr/must be an object/,
		qw(grant create bob x:y tool --constraints [])],
	    [65, qr/constraint/,
		qw(grant create bob message:append channel --constraints),
		'{"zz":1}'],
	    [64, qr/--limit/, qw(grant list --limit 0)],
	    [65, qr/after/, qw(grant list --after x)],
	    [67, qr/nobody/, qw(grant list nobody)],
	    [66, qr/grant/, qw(grant revoke), $nothing],
	    [66, qr/grant/, qw(grant revoke x)],
	    [67, qr/nobody/, qw(grant revoke nobody --all)],
	    [64, qr/capability/, qw(grant check)],
	    [65, qr/capability/, qw(grant check), ''],
	    [67, qr/nobody/, qw(grant check x:y --member nobody)],
	    [64, qr/./, qw(request create x:y)],
	    [65, qr/action/, qw(request create), '', 'tool'],
	    [65, qr/no JSON/, qw(request create x:y tool --context x)],
	    [64, qr/either/, qw(request create x:y tool --context {} --reason
		x)],
	    [65, qr/UTF-8/, qw(request create x:y tool --reason), "\xff"],
	    [64, qr/--timeout is for/, qw(request create x:y tool --timeout
		3s)],
	    [64, qr/--timeout/, qw(request create x:y tool --wait --timeout
		soon)],
	    [66, qr/request/, qw(request show), $nothing],
	    [66, qr/request/, qw(request show x --wait)],
	    [64, qr/--limit/, qw(request list --limit x)],
	    [66, qr/request/, qw(request approve), $nothing],
	    [66, qr/request/, qw(request deny), $nothing],
	    [64, qr/--uses/, qw(request approve), $nothing, '--uses', '-1'],
	    [64, qr/--expires/, qw(request approve), $nothing, '--expires',
		'x'],
	    [65, qr/name/, qw(command register), 'a b'],
	    [65, qr/no JSON/, qw(command register x --schema {)],
	    [65, qr/must be an object/, qw(command register x --schema 3)],
	    [66, qr/nowhere/, qw(command register x --channel nowhere)],
	    [66, qr/nowhere/, qw(command list --channel nowhere)],
	    [64, qr/--limit/, qw(command list --limit 0)],
	    [66, qr/command/, qw(command delete), $nothing],
	    [64, qr/word/, qw(search)],
	    [66, qr/empty/, 'search', ''],
	    [64, qr/--types/, 'search', 'x', '--types', ','],
	    [65, qr/entityTypes/, qw(search x --types birds)],
	    [66, qr/nowhere/, qw(search x --channel nowhere)],
	    [64, qr/--limit/, qw(search x --limit 0)],
	    [65, qr/after/, qw(search x --after x)],
	) {
		my ($status, $like, @args) = @$row;
		fails('alice', $status, $like, @args);
	}
	is(said('alice', 'request', 'list'), '', 'nothing was opened');
	is(said('bob', 'grant', 'list') =~ /x:y/ ? 1 : 0, 0, 'nor given');
};

subtest 'who is meant' => sub {
	my @app = map { $b->ctl_json('member', 'create', $seed->{slug}, 'app',
	    '--json')->{memberId} } 1, 2;
	fails('alice', 67, qr/Candidates: $app[0], $app[1]\. \(/, 'grant',
	    'create', 'app', 'tool:x', 'tool');
	fails('alice', 65, qr/no scope;.* Candidates: .*channels:read/, 'token',
	    'create', '--scopes', 'nope');
	fails('alice', 67, qr/Several members are called "app"/, 'send', 'app',
	    'x');
	ok(!grep({ !defined || /^0+$/ } map { (split /\t/, $_, -1)[4] }
	    split /\n/, said('alice', 'peers', '--all')), 'no key is no key');
	$b->ctl('member', 'rename', $seed->{slug}, $app[1], 'other');
	fails('alice', 64, qr/"app" has no key to encrypt to/, 'send', 'app',
	    'x');
	like(said('alice', 'send', 'app', '--clear', 'x'), qr/^[0-9a-f]{32}$/,
	    'it can be written to in clear');
};

is($b->stop, 0, 'the broker ends');
done_testing;
