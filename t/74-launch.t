#!/usr/bin/env perl
# linnet launch with an agent that only says how it was started, linnet hook
# as hosts call it, and linnet doctor over all links.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use File::Path 'make_path';
use Test::More;
use Time::HiRes 'time';
use Linnet qw(wait_until run slurp);
use Linnet::Mcp;
use Linnet::Cli qw(linnet said said_quietly fails inbox follow);
use Linnet::Proc ();
use Linnet::Tls;

my $json = Cpanel::JSON::XS->new->utf8->allow_nonref;
my $home = Linnet::Cli::home();
my $program = Linnet->program('linnet');
my $b = Linnet->broker(workers => 2);
my $seed = $b->seed;
my $link = $seed->{inviteLink};
my @agents = qw(claude codex);

# The agent: writes what it was given, and stays until it is told to go.
make_path("$home/bin", "$home/work", "$home/other");
for my $agent (@agents) {
	Linnet::Tls::put("$home/bin/$agent", <<'AGENT');
#!/bin/sh
{
	for v in MESH NAME ROLE GROUPS SESSION CONFIG; do
		eval "[ -n \"\${LINNET_$v+x}\" ] && echo \"$v=\$LINNET_$v\""
	done
	echo "PROGRAM=${0##*/}"
	for a; do echo "ARG=$a"; done
	echo END
} >"$AGENT_SAYS"
while [ -n "$AGENT_STAYS" ] && [ -e "$AGENT_STAYS" ]; do sleep 0.05; done
exit 7
AGENT
	chmod 0755, "$home/bin/$agent";
}

said($_, 'join', $link, '--name', $_) for qw(alice bob);
said('alice', 'join', $b->seed->{inviteLink}, '--name', 'alice');

sub config {
	my ($who) = @_;
	return $json->decode(slurp("$home/$who/config.json"));
}

my ($mesh, $second) = @{ config('alice')->{meshes} };
said('alice', 'use', $mesh->{slug}, '-q');

sub environment {
	my ($says, %more) = @_;
	return { HOME => "$home/alice", PATH => "$home/bin:/usr/bin:/bin",
	    AGENT_SAYS => $says, AGENT_STAYS => '', CLAUDE_CONFIG_DIR => '',
	    CODEX_HOME => '', XDG_CONFIG_HOME => '', %more };
}

# What the agent said.
sub read_says {
	my ($file) = @_;
	my %said = (ARG => []);
	for (split /\n/, slurp($file)) {
		my ($k, $v) = split /=/, $_, 2;
		if ($k eq 'ARG') { push @{ $said{ARG} }, $v } else {
			$said{$k} = $v }
	}
	return \%said;
}

# Launches, and returns what the agent said, and what was on stderr.
sub launch {
	my ($args, %o) = @_;
	my $says = "$home/says";
	unlink $says;
	my ($status, $out, $err) = linnet('alice', 'launch', @$args,
	    { env => environment($says, %{ $o{env} // {} }),
	    cwd => $o{cwd} // "$home/work", input => '' });
	is($status, 7, "launch @$args: its exit status is the agent's")
	    or diag($err);
	return (read_says($says), $err, $out);
}

subtest 'launch' => sub {
	my ($said, $err) = launch(['--name', 'Big T', '--role', 'dealer',
	    '--groups', 'dealers:lead,all', '-y', '--', '--append', 'x y']);
	is($said->{PROGRAM}, 'claude', 'the first agent that is here');
	is($said->{MESH}, $mesh->{meshId}, 'the mesh');
	is($said->{NAME}, 'Big T', 'the name');
	is($said->{ROLE}, 'dealer', 'the role');
	is($said->{GROUPS}, 'dealers:lead,all', 'the groups');
	like($said->{SESSION}, qr/^launch-[0-9a-f]{32}-0$/, 'the session');
	is_deeply($said->{ARG},
	    ['--dangerously-load-development-channels=server:linnet',
	    '--append', 'x y'], 'its arguments, and what has messages wake it');
	like($err, qr/starting Claude Code as Big T \(dealer\)/,
	    'and that is said');
	ok(-e "$home/alice/.claude.json", 'it was installed, as -y says');
	my $session = $said->{SESSION};
	($said) = launch(['-n', 'Big T', '-q']);
	is($said->{SESSION}, $session, 'again it is the same session');
	is($said->{ROLE}, undef, 'without a role');
	is($said->{GROUPS}, undef, 'and groups of the configuration');
	($said) = launch(['-n', 'Big T', '-g', ''], cwd => "$home/other");
	isnt($said->{SESSION}, $session, 'elsewhere it is another');
	is($said->{GROUPS}, '', 'no groups at all');
	($said, $err) = launch(['codex', '-q', '--mesh', $second->{slug}, '--',
	    'claude'], env => { map { ("LINNET_$_" => 'outer') }
	    qw(NAME ROLE GROUPS SESSION) });
	is($said->{PROGRAM}, 'codex', 'another agent');
	is_deeply($said->{ARG}, ['claude'], 'with its arguments only');
	is($said->{MESH}, $second->{meshId}, 'in another mesh');
	is($said->{$_}, undef, "no $_ of an agent around it")
	    for qw(NAME ROLE GROUPS);
	isnt($said->{SESSION}, 'outer', 'nor its session');
	is($err, '', 'quietly');
	($said) = launch(['--', '--dangerously-load-development-channels',
	    'server:mine']);
	is_deeply($said->{ARG}, ['--dangerously-load-development-channels',
	    'server:mine'], 'what the user says of channels is enough');
};

subtest 'side by side' => sub {
	Linnet::Tls::put("$home/stay", '');
	my @pids;
	for my $i (1 .. 3) {
		push @pids, Linnet::Proc::start([$program, 'launch', '-n',
		    'twin', '-q'], cwd => "$home/work", stderr => "$home/err",
		    env => { %{ environment("$home/says$i",
			AGENT_STAYS => "$home/stay") },
			LINNET_CONFIG => "$home/alice" });
		ok(wait_until { slurp("$home/says$i") =~ /^END/m } 20,
		    "agent $i runs");
	}
	my %sessions = map { (read_says("$home/says$_")->{SESSION} => 1) }
	    1 .. 3;
	is(scalar keys %sessions, 3, 'three sessions');
	unlink "$home/stay";
	is(Linnet::Proc::reap($_, 20), 7, 'and it ends') for @pids;
};

subtest 'launch: questions and mistakes' => sub {
	my $says = "$home/says";
	unlink $says;
	my %env = (%{ environment($says) }, LINNET_CONFIG => "$home/alice",
	    LINNET_MESH => '', SHELL => '/bin/sh');
	my ($st, $out) = run(['script', '-qec', "'$program' launch --role dev",
	    '/dev/null'], env => \%env, input => "Zoe\ndev:lead\n",
	    cwd => "$home/work");
	my $said = read_says($says);
	is($said->{NAME}, 'Zoe', 'a name is asked for') or diag($out);
	is($said->{ROLE}, 'dev', 'what was said is not');
	is($said->{GROUPS}, 'dev:lead', 'groups are');
	unlike($out, qr/Role/, 'no question too many');
	($st, $out) = run(['script', '-qec', "'$program' launch -n x -r y -g z",
	    '/dev/null'], env => \%env, input => '', cwd => "$home/work");
	is(read_says($says)->{NAME}, 'x', 'nothing is missing');
	unlike($out, qr/: $|\?/m, 'nothing is asked');
	unlink $says;
	my %new = (%env, LINNET_CONFIG => "$home/zed", HOME => "$home/zed");
	make_path("$home/zed");
	($st, $out) = run(['script', '-qec', "'$program' launch codex -n zed",
	    '/dev/null'], env => \%new, input => "$link\n\n\ny\n",
	    cwd => "$home/work");
	is(read_says($says)->{MESH}, $mesh->{meshId},
	    'without a mesh it asks for a link') or diag($out);
	like(slurp("$home/zed/.codex/config.toml"), qr/linnet/,
	    'and installs when told so');
	my @wrong = (
		[65, qr/dev:lead,ops/, '--groups', 'a,,b'],
		[65, qr/--groups/, '--groups', ':lead'],
		[65, qr/a name is not empty/, '--name', ' '],
		[65, qr/--role/, '--role', "a\nb"],
		[64, qr/there is no mesh/, '--mesh', 'nowhere'],
		[65, qr/./, '--join', 'linnet://join/x'],
		[69, qr/is Gemini CLI installed/, 'gemini'],
	);
	for my $w (@wrong) {
		my ($want, $like, @args) = @$w;
		($st, undef, my $err) = linnet('alice', 'launch', '-y', @args,
		    { env => environment("$home/none"), input => '' });
		is($st, $want, "launch @args");
		like($err, $like, 'says why');
	}
	ok(!-e "$home/none", 'and starts nothing');
	($st, undef, my $err) = linnet('alice', 'launch', '-y', { env =>
	    environment("$home/none", PATH => '/nowhere'), input => '' });
	is($st, 69, 'no agent at all');
	make_path("$home/eve");
	($st, undef, $err) = linnet('eve', 'launch', '-n', 'eve', '-r', 'x',
	    '--join', $link, { env => environment($says,
	    HOME => "$home/eve"), input => '' });
	is($st, 7, 'joins first') or diag($err);
	is(config('eve')->{meshes}[0]{meshId}, $mesh->{meshId}, 'the mesh');
	is(read_says($says)->{NAME}, 'eve', 'and starts');
	like($err, qr/linnet install claude/,
	    'without a terminal and -y it does not install');
};

# Runs a hook as somebody: what it prints.
sub hook {
	my ($who, $event, $input, @args) = @_;
	my %env = ref $args[-1] ? %{ pop @args } : ();
	my $start = time;
	my ($status, $out, $err) = linnet($who, 'hook', $event, @args,
	    { env => { map({ ($_ => '') } qw(CLAUDE_PROJECT_DIR
	    GEMINI_PROJECT_DIR CURSOR_PROJECT_DIR LINNET_SESSION)), %env },
	    input => ref $input ? $json->encode($input) : $input });
	is($status, 0, "hook $event: 0");
	cmp_ok(time - $start, '<', 4 * Linnet::Io::patience(), 'in time');
	return wantarray ? ($out, $err) : $out;
}

sub status_of {
	my ($who) = @_;
	my ($row) = said_quietly('bob', 'peers', '--mesh', $mesh->{slug})
	    =~ /^(\Q$who\E\t.*)/m;
	return defined $row ? (split /\t/, $row, -1)[1] : 'away';
}

subtest 'hook: status' => sub {
	my $member = { map({ ($_ => $mesh->{$_} ) }
	    qw(meshId memberId pubkey secretKey)) };
	my $one = $b->peer($member, name => 'one', session_id => 'launch-1',
	    session_key => 1, cwd => '/w/one');
	my $two = $b->peer($member, name => 'two', session_id => 'launch-2',
	    session_key => 1, cwd => '/w/one');
	my %in = (session_id => 'of-claude', cwd => '/w/one',
	    hook_event_name => 'UserPromptSubmit');
	is(hook('alice', 'prompt', \%in, { LINNET_SESSION => 'launch-1' }), '',
	    'says nothing');
	ok(wait_until { status_of('one') eq 'working' } 20, 'works');
	is(status_of('two'), 'idle', 'and the other in the same place not');
	hook('alice', 'stop', \%in, { LINNET_SESSION => 'launch-1' });
	ok(wait_until { status_of('one') eq 'idle' } 20, 'is idle');
	my $three = $b->peer($member, name => 'three', session_key => 1,
	    cwd => '/w/three');
	hook('alice', 'working', '', { CLAUDE_PROJECT_DIR => '/w/three' });
	ok(wait_until { status_of('three') eq 'working' } 20,
	    'found by where the project is');
	hook('alice', 'stop', { cwd => '/w/three' });
	ok(wait_until { status_of('three') eq 'idle' } 20,
	    'and by what the host says');
	$_->close for $one, $two, $three;
};

# Sends to alice; the id.
sub to_alice {
	my ($text, @args) = @_;
	return said('bob', 'send', 'alice', @args, $text);
}

sub state_of {
	my ($id) = @_;
	my $s = $json->decode(said_quietly('bob', 'message', 'status', $id,
	    '--json'));
	return $s->{recipients}[0]{state} // '';
}

subtest 'hook: messages' => sub {
	my @m = ('--messages');
	my $event = { hook_event_name => 'UserPromptSubmit', cwd => '/' };
	is(hook('alice', 'prompt', $event, @m), '', 'there is none');
	my $id = to_alice("look at\nthis \e[31m");
	is(hook('alice', 'prompt', { hook_event_name => 'beforeSubmitPrompt' },
	    @m), '', 'a host that cannot be told gets none');
	is(hook('alice', 'prompt', $event), '', 'nor one that does not ask');
	is(state_of($id), 'queued', 'and it waits');
	my $out = $json->decode(hook('alice', 'prompt', $event, @m));
	is($out->{hookSpecificOutput}{hookEventName}, 'UserPromptSubmit',
	    'as the host wants it');
	my $text = $out->{hookSpecificOutput}{additionalContext};
	like($text, qr/^From\ bob,\ next,\ at\ \S+,\ id\ $id:\n
	    \ {4}look\ at\n\ {4}this\ [^\e]*\[31m\n/mx, 'the message');
	like($text, qr/not by your user/, 'and whose words these are');
	ok(wait_until { state_of($id) eq 'acked' } 20, 'its sender sees that');
	is(hook('alice', 'prompt', $event, @m), '', 'it comes once');
	to_alice('second');
	like(hook('alice', 'start', '', @m), qr/^From bob.*\n    second\n/m,
	    'for people it is text');
	to_alice('third');
	like($json->decode(hook('alice', 'start', { hook_event_name =>
	    'sessionStart' }, @m))->{additional_context}, qr/third/,
	    'another host');
	$id = to_alice('x' x 9000);
	like(hook('alice', 'prompt', '', @m), qr/^1 more.*linnet inbox/m,
	    'one that is too long is only told of');
	isnt(state_of($id), 'acked', 'and not taken');
	is((inbox('alice'))[0]{id}, $id, 'the inbox has it');
	$id = to_alice('nobody reads');
	my ($st) = run(['sh', '-c', '"$@" >/dev/full', 'sh', $program, 'hook',
	    'prompt', @m], input => '',
	    env => { LINNET_CONFIG => "$home/alice" });
	is($st, 0, 'a host that takes nothing');
	isnt(state_of($id), 'acked', 'has not got it');
	is((inbox('alice'))[0]{text}, 'nobody reads', 'and it is not lost');
	hook('alice', 'prompt', $event, @m);
	said('bob', 'send', '*', 'to all');
	is(hook('alice', 'prompt', '', @m), '',
	    'what is for everybody is the agent\'s');
};

subtest 'hook: what the agent has not read' => sub {
	inbox('alice');
	my @m = ('prompt', { hook_event_name => 'UserPromptSubmit',
	    cwd => $home }, '--messages');
	# An agent that works gets little; one that is idle has it at once.
	my $told = sub {
		my ($said) = hook('alice', @m, @_) =~ /(\d+ unread.*?)"/;
		hook('alice', 'stop', $m[1], @_);
		return $said;
	};
	my $agent = Linnet::Mcp->new('alice', cwd => $home);
	$agent->initialize('2025-11-25');
	ok(wait_until { status_of('alice') ne 'away' } 10, 'an agent');
	is($told->(), undef, 'has nothing to read');
	to_alice('for the agent');
	wait_until { $agent->does('list_state')->{unread}{count} == 1 } 10, 'it';
	is($told->(), "1 unread in your session of the mesh $mesh->{slug} " .
	    '(Linnet), the highest priority is next: call check_messages.\n',
	    'then something');
	is($told->({ CLAUDE_PROJECT_DIR => '/' }), undef,
	    'which is not for one elsewhere');
	my $twin = Linnet::Mcp->new('alice', cwd => $home);
	$twin->initialize('2025-11-25');
	$twin->does('list_state');
	to_alice('for one of them');
	wait_until { 2 == grep { $_->{unread}{count} > 0 }
	    map { $_->does('list_state') } $agent, $twin } 10, 'one each';
	is($told->(), undef, 'which of two is not known');
	is($_->stop, 0, 'ends') for $twin, $agent;
	is($told->(), undef, 'who has ended has nothing');
	my %env = (LINNET_SESSION => 'launch-7');
	$agent = Linnet::Mcp->new('alice', cwd => '/', env => \%env);
	$agent->initialize('2025-11-25');
	ok(wait_until { status_of('alice') ne 'away' } 10, 'another');
	to_alice('by its session');
	wait_until { $agent->does('list_state')->{unread}{count} > 0 } 10, 'it';
	like($told->(\%env), qr/^\d unread/, 'known by its session');
	$agent->does('check_messages');
	is($told->(\%env), undef, 'read');
	is($agent->stop, 0, 'ends');
};

subtest 'hook: a host that does not read' => sub {
	inbox('alice');
	my $id = to_alice('held up');
	pipe my $r, my $w or die;
	$w->blocking(0);
	1 while syswrite $w, 'x' x 4096;
	1 while syswrite $w, 'x';
	my $start = time;
	my $pid = Linnet::Proc::start([$program, 'hook', 'prompt',
	    '--messages'], stdout => "/proc/$$/fd/" . fileno $w,
	    env => { LINNET_CONFIG => "$home/alice" });
	ok(wait_until { state_of($id) eq 'pushed' } 10, 'it has the message');
	is(status_of('alice'), 'away', 'and is seen by nobody');
	is(Linnet::Proc::reap($pid, 10), 0, 'it ends all the same');
	cmp_ok(time - $start, '<', 4 * Linnet::Io::patience(), 'in time');
	isnt(state_of($id), 'acked', 'and has not taken it');
	is((inbox('alice', '--timeout', '1m'))[0]{id}, $id, 'it is not lost');
};

# Gives somebody this configuration.
sub put_config {
	my ($who, $config) = @_;
	make_path("$home/$who");
	Linnet::Tls::put("$home/$who/config.json", $json->encode($config));
	chmod 0600, "$home/$who/config.json";
	return;
}

subtest 'hook: never in the way' => sub {
	for my $in ('{"cwd":', '[]', "\0\xff", '{"cwd":1,"session_id":[]}',
	    '{"hook_event_name":"' . 'x' x 400000) {
		hook('alice', 'prompt', $in, '--messages');
	}
	my ($out, $err) = hook('alice', 'sneeze', '');
	like($err, qr/no event "sneeze"/, 'an event that is none');
	hook('nobody', 'prompt', '', '--messages');
	my $away = config('alice');
	$away->{meshes} = [$away->{meshes}[0]];
	$away->{meshes}[0]{brokerUrl} = 'ws://127.0.0.1:1';
	put_config('away', $away);
	($out, $err) = hook('away', 'prompt', '', '--messages');
	is($out, '', 'a broker that is away');
	like($err, qr/unreachable/, 'is told on stderr');
	require IO::Socket::INET;
	my $mute = IO::Socket::INET->new(Listen => 5,
	    LocalAddr => '127.0.0.1') or die;
	$away->{meshes}[0]{brokerUrl} = 'ws://127.0.0.1:' . $mute->sockport;
	put_config('away', $away);
	($out, $err) = hook('away', 'prompt', '', '--messages');
	unlike($err, qr/config/, 'one that does not answer');
	pipe my $r, my $w or die;
	my $start = time;
	my ($st) = run([$program, 'hook', 'stop'],
	    stdin => "/proc/$$/fd/" . fileno $r,
	    env => { LINNET_CONFIG => "$home/alice" });
	is($st, 0, 'input that does not end');
	cmp_ok(time - $start, '<', 4, 'is not waited for');
};

subtest 'doctor' => sub {
	my @links = qw(keys secrecy network hello send push clock ack hook);
	my $out = said('bob', 'doctor', { env => environment('') });
	is(join(' ', map { join ':', (split /\t/)[0, 2] } grep { !/\thost\t/ }
	    split /\n/, $out), join(' ', map { "ok:$_" } 'configuration',
	    @links), 'every link');
	like($out, qr/^ok\t\thost\tClaude Code has linnet$/m, 'a host');
	my ($inbox, $file) = follow('bob');
	ok(wait_until { status_of('bob') ne 'away' } 20, 'with an inbox');
	said('bob', 'doctor', { env => environment('') });
	kill 'TERM', $inbox;
	is(Linnet::Proc::reap($inbox, 10), 0, 'which ends');
	is(slurp($file), '', 'and got nothing of it');
	my $c = config('bob');
	$c->{meshes}[0]{hookToken} = 'lnh_wrong';
	put_config('sick', $c);
	my ($st, $said) = linnet('sick', 'doctor');
	is($st, 77, 'a wrong token');
	like($said, qr/^ok\t\S+\tack\t.*\nfail\t\S+\thook\t.*unauthorized/m,
	    'is the hook\'s');
	unlike($said, qr/lnh_/, 'and not shown');
	delete $c->{meshes}[0]{hookToken};
	put_config('sick', $c);
	($st, $said) = linnet('sick', 'doctor');
	is($st, 0, 'none at all');
	like($said, qr/^warn\t\S+\thook\t.*join it again/m, 'is a warning');
};

is($b->stop, 0, 'the broker ends');
done_testing;
