#!/usr/bin/env perl
# linnet(1) beyond sending and reading, which is t/45-cli.t: presence, blocks,
# order, later messages, several meshes, what goes on, and what is wrong.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use POSIX ();
use Test::More;
use Linnet qw(wait_until run slurp);
use Linnet::Cli qw(linnet said said_quietly fails inbox follow);
use Linnet::Proc ();
use Linnet::Tls;

my $json = Cpanel::JSON::XS->new->utf8->allow_nonref;
my $home = Linnet::Cli::home();
my $program = Linnet->program('linnet');
my $b = Linnet->broker(workers => 2);
my $seed = $b->seed;
my $link = $seed->{inviteLink};

sub config {
	my ($who) = @_;
	return $json->decode(slurp("$home/$who/config.json"));
}

for my $who (qw(alice bob carol)) {
	said($who, 'join', $link, '--name', $who);
}
my %key = map { $_ => config($_)->{meshes}[0]{pubkey} } qw(alice bob carol);
my %member = map { $_ => config($_)->{meshes}[0]{memberId} } keys %key;
my $slug = config('alice')->{meshes}[0]{slug};
$b->ctl('member', 'role', $slug, 'carol', 'admin');

# The row of a peer in the list, by columns.
sub row_of {
	my ($name) = @_;
	my ($row) = said_quietly('carol', 'peers') =~ /^(\Q$name\E\t.*)/m;
	return defined $row ? split /\t/, $row, -1 : ();
}

subtest 'status and doctor' => sub {
	my %line = map { split /\t/, $_, 2 } split /\n/, said('alice',
	    'status');
	is($line{mesh}, $slug, 'the mesh');
	is($line{key}, $key{alice}, 'the key');
	is($line{member}, $member{alice}, 'the member');
	like($line{broker}, qr/^ws:\S+, connected in [\d.]+ ms, answers in/,
	    'the broker');
	my $s = $json->decode(said('alice', 'status', '--json'));
	is($s->{mesh}{slug}, $slug, 'in JSON');
	cmp_ok($s->{answerMicroseconds}, '>', 0, 'with times');
	my $doctor = said('alice', 'doctor');
	is(join(' ', map { join ':', (split /\t/)[0, 2] }
	    grep { !/\thost\t/ } split /\n/, $doctor),
	    'ok:configuration ok:keys ok:secrecy ok:network ok:hello ok:send '
	    . 'ok:push ok:clock ok:ack ok:hook', 'all is well');
	fails_with('nobody', 78, qr/^fail\t\tjoined\t.*linnet join LINK$/m);
	my $c = config('alice');
	$c->{meshes}[0]{secretKey} =~ s/^(.)/$1 eq '0' ? '1' : '0'/e;
	broken('keys', $c, 78, qr/^fail\t$slug\tkeys\t/m);
	$c = config('alice');
	$c->{meshes}[0]{brokerUrl} = 'ws://127.0.0.1:1';
	broken('away', $c, 69, qr/^fail\t$slug\tnetwork\t.*unreachable.*firewall/m);
	$c->{meshes}[0]{brokerUrl} = 'ws://broker.invalid:7900';
	broken('name', $c, 68, qr/warn\t$slug\tsecrecy.*fail\t$slug\tnetwork/s);
	my ($status, $out) = linnet('name', 'doctor', '--json');
	my ($bad) = grep { $_->{verdict} eq 'fail' } @{ $json->decode($out) };
	is($bad->{check}, 'network', 'in JSON too');
	$c = config('alice');
	$c->{meshes}[0]{memberId} = '0' x 32;
	broken('member', $c, 77, qr/^fail\t$slug\thello\t/m);
};

sub fails_with {
	my ($who, $want, $like) = @_;
	my ($status, $out) = linnet($who, 'doctor');
	is($status, $want, "doctor finds what is wrong with $who");
	like($out, $like, 'and says it');
	return;
}

# The same with this configuration.
sub broken {
	my ($who, $config, $want, $like) = @_;
	mkdir "$home/$who";
	Linnet::Tls::put("$home/$who/config.json", $json->encode($config));
	chmod 0600, "$home/$who/config.json";
	return fails_with($who, $want, $like);
}

subtest 'presence' => sub {
	said('bob', 'set', 'summary', 'reading', 'the', 'parser', '-q');
	said('bob', 'set', 'profile', '--title', 'Reviewer', '--capability',
	    'review', '--capability', 'C', '-q');
	my ($pid, $out) = follow('bob');
	ok(wait_until { (row_of('bob'))[5] // '' eq 'reading the parser' } 20,
	    'an inbox says the summary');
	my ($peer) = grep { $_->{displayName} eq 'bob' }
	    @{ $json->decode(said('carol', 'peers', '--json')) };
	is_deeply($peer->{profile}, { title => 'Reviewer',
	    capabilities => ['review', 'C'] }, 'and the profile');
	said('bob', 'set', 'status', 'dnd', '-q');
	ok(wait_until { (row_of('bob'))[1] eq 'dnd' } 20,
	    'one that runs says what is set now');
	said('alice', 'send', 'bob', 'not urgent');
	said('bob', 'group', 'join', 'dev', '--role', 'lead', '-q');
	ok(wait_until { (row_of('bob'))[2] eq 'dev:lead' } 20,
	    'enters a group');
	unlike(slurp($out), qr/not urgent/, 'is not disturbed');
	said('bob', 'set', 'status', 'idle', '-q');
	ok(wait_until { slurp($out) =~ /not urgent/ } 20, 'until it may be');
	said('bob', 'group', 'leave', 'dev', '-q');
	ok(wait_until { (row_of('bob'))[2] eq '' } 20, 'leaves the group');
	said('bob', 'set', 'visible', 'no', '-q');
	ok(wait_until { !row_of('bob') } 20, 'hides');
	said('bob', 'set', 'visible', 'yes', '-q');
	ok(wait_until { row_of('bob') } 20, 'and shows itself');
	kill 'TERM', $pid;
	is(Linnet::Proc::reap($pid, 10), 0, 'and ends when it is told to');
	fails('bob', 64, qr/none of idle\|working\|dnd/, 'set', 'status', 'x');
	fails('bob', 64, qr/--title/, 'set', 'profile');
	said('bob', 'set', 'profile', '--bio', 'x', '-q');
	is(config('bob')->{meshes}[0]{title}, 'Reviewer',
	    'what was not given stays');
};

subtest 'several targets, and how long' => sub {
	my $out = said('alice', 'send', 'bob', '--also', 'carol', 'to both');
	my %id = map { split /\t/ } split /\n/, $out;
	is(join(' ', sort keys %id), 'bob carol', 'each is told apart');
	like($id{bob}, qr/^[0-9a-f]{32}$/, 'with its id');
	is((inbox($_))[-1]{text}, 'to both', "$_ has it") for qw(bob carol);
	fails('alice', 67, qr/unknown_target/, 'send', 'bob', '-a',
	    'nobody at all', 'to some');
	is(inbox('bob'), 0, 'a name that is not there is seen before');
	my ($status, $some) = linnet('alice', 'send', 'bob', '-a',
	    Linnet::Peer::new_key()->{pubkey}, 'to some');
	is($status, 67, 'a key that is not there');
	like($some, qr/^bob\t[0-9a-f]{32}$/m, 'does not keep it from others');
	is((inbox('bob'))[0]{text}, 'to some', 'who have it');
	my $id = said('alice', 'send', 'bob', '--ttl', '1ms', 'too late');
	ok(wait_until {
		said_quietly('alice', 'message', 'status', $id)
		    =~ /^bob\texpired/m
	} 20, 'what expires');
	is(inbox('bob'), 0, 'does not come');
	my $first = said('alice', 'send', 'bob', '--id', 'mine', 'once');
	is(said('alice', 'send', 'bob', '--id', 'mine', 'once', '-q'), $first,
	    'an id of the own is sent once');
	said('alice', 'send', 'bob', '--reply-to', $first, '--clear', 'reply');
	my @got = map { $json->decode($_) } split /\n/, said('bob', 'inbox',
	    '--json');
	is(scalar @got, 2, 'they come once');
	is($got[1]{replyToId}, $first, 'what it answers');
	ok(!$got[1]{encrypted}, 'in clear, as asked');
	fails('alice', 64, qr/looks like 30s/, 'send', 'bob', '--ttl', 'x',
	    'y');
};

subtest 'later' => sub {
	my $id = said('alice', 'schedule', 'add', 'bob', '--in', '1s', '-q',
	    'in a second');
	like($id, qr/^[0-9a-f]{32}$/, 'the id');
	my ($m) = inbox('bob', '--timeout', '20s');
	is($m->{text}, 'in a second', 'it comes');
	my $at = POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + 3600));
	$id = said('alice', 'remind', 'bob', '--at', $at, '--reminder', '-q',
	    'in an hour');
	my $cron = said('alice', 'schedule', 'add', '@dev', '--cron',
	    '0 9 1 1 *', '-q', 'new year');
	my $list = said('alice', 'schedule', 'list');
	(my $day = $at) =~ s/Z$//;
	like($list, qr/^$id\t\Q$day\E\.000Z\t\tbob\talice\t0\t\tin an hour$/m,
	    'is listed');
	like($list, qr/^$cron\t[^\t]*-01-01T09:00:00.000Z\t0 9 1 1 \*\t\@dev\t/m,
	    'the next time too');
	said('alice', 'schedule', 'cancel', $id);
	unlike(said('alice', 'schedule', 'list'), qr/$id/, 'is cancelled');
	fails('alice', 66, qr/no scheduled message/, 'schedule', 'cancel',
	    $id);
	fails('bob', 66, qr/no scheduled message/, 'schedule', 'cancel',
	    $cron);
	said('carol', 'schedule', 'list', '--all');
	fails('bob', 77, qr/forbidden/, 'schedule', 'list', '--all');
	fails('alice', 64, $_->[0], 'schedule', 'add', 'bob', 'x', @$_[1 .. $#$_])
	    for [qr/--at, --in or --cron/], [qr/say one/, '--in', '1s',
	    '--at', $at], [qr/is no time/, '--at', 'noon'], [qr/goes with/,
	    '--in', '1h', '--until', $at];
	fails('alice', 65, qr/cron/, 'schedule', 'add', 'bob', 'x', '--cron',
	    '61 * * * *');
	said('alice', 'schedule', 'cancel', $cron);
};

subtest 'blocks' => sub {
	said('bob', 'block', 'alice', '--dm', '-q');
	like(said('bob', 'blocks'), qr/^alice\tdm\t20\S+\t$key{alice}$/,
	    'is listed');
	my ($status, $out, $err) = linnet('alice', 'send', 'bob', 'psst');
	isnt($err, '', 'who is blocked is told');
	is(inbox('bob'), 0, 'and not heard');
	said('bob', 'block', 'alice', '-q');
	like(said('bob', 'blocks'), qr/^alice\tdm, broadcast, state\t/,
	    'all of it');
	said('bob', 'unblock', 'alice', '-q');
	is(said('bob', 'blocks', '-q'), '', 'and nothing');
	said('alice', 'send', 'bob', 'hello again');
	is((inbox('bob'))[0]{text}, 'hello again', 'is heard again');
	fails('bob', 67, qr/unknown_target/, 'block', 'nobody at all');
};

subtest 'order' => sub {
	my ($pid) = follow('bob');
	ok(wait_until { row_of('bob') } 20, 'bob is there');
	fails('alice', 77, qr/forbidden/, 'kick', 'bob');
	said('carol', 'disconnect', 'bob', '-q');
	ok(wait_until { row_of('bob') } 20, 'who is disconnected returns');
	said('carol', 'kick', 'bob', '--reason', 'noise', '-q');
	is(Linnet::Proc::reap($pid, 20), 75, 'who is kicked does not');
	like(slurp("$home/bob.follow.err"), qr/noise/, 'and hears why');
	said('carol', 'ban', 'bob', '--reason', 'more noise', '-q');
	like(said('carol', 'bans'),
	    qr/^bob\tcarol\t20\S+\t$key{bob}\tmore noise$/, 'is listed');
	fails('bob', 77, qr/banned/, 'peers');
	said('carol', 'unban', 'bob');
	is(said('carol', 'bans', '-q'), '', 'nobody is banned');
	said('bob', 'peers');
};

subtest 'state' => sub {
	my ($pid, $out) = Linnet::Cli::go_on('bob', 'state', 'watch', 'build/');
	said('alice', 'state', 'set', 'other', '1');
	said('alice', 'state', 'set', 'build/status', 'green');
	ok(wait_until { slurp($out) =~ m{^build/status\talice\t20\S+\t1\tgreen$}m }
	    20, 'a change is told');
	said('alice', 'state', 'set', 'build/status', 'red', '-v', '1');
	fails('alice', 75, qr/version_conflict/, 'state', 'set',
	    'build/status', 'blue', '--if-version', '1');
	unlike(said('bob', 'state', 'list', 'build/'), qr/^other/m, 'by prefix');
	said('alice', 'state', 'delete', 'build/status');
	ok(wait_until { slurp($out) =~ /\(deleted\)$/m } 20, 'so is the end');
	unlike(slurp($out), qr/^other/m, 'nothing else');
	kill 'INT', $pid;
	is(Linnet::Proc::reap($pid, 10), 0, 'a watch ends when it is told to');
	fails('alice', 66, qr/no key/, 'state', 'delete', 'build/status');
	fails('alice', 64, qr/--if-version x/, 'state', 'set', 'k', 'v', '-v',
	    'x');
	($pid, $out) = Linnet::Cli::go_on('bob', 'state', 'watch', 'oth',
	    '--json', '-n', '1');
	my $n = 1;
	ok(wait_until {
		said('alice', 'state', 'set', 'other', $n++);
		-s $out
	} 20, 'so many changes');
	is(Linnet::Proc::reap($pid, 10), 0, 'and no more');
	my $one = $json->decode(slurp($out));
	is($one->{key}, 'other', 'as JSON');
	ok(!$one->{deleted}, 'with what it is');
	is(said('bob', 'state', 'watch', 'none', '-t', '1s'), '',
	    'and ends when nothing changes');
};

subtest 'memory' => sub {
	my @id = map { said('alice', 'remember', "Fact $_ of the build.",
	    '--tag', $_ % 2 ? 'odd' : 'even') } 1 .. 3;
	my @list = map { (split /\t/)[0] } split /\n/, said('bob', 'memory',
	    'list');
	is("@list", join(' ', reverse @id), 'the newest first');
	unlike(said('bob', 'memory', 'list', '-t', 'odd'), qr/Fact 2/,
	    'by tag');
	my ($status, $out, $err) = linnet('bob', 'memory', 'list', '-n', '2');
	my ($after) = $err =~ /--after (\S+)/;
	like(said('bob', 'memory', 'list', '--after', $after),
	    qr/^$id[0]\t[^\n]*$/, 'the next page');
	like(said('bob', 'recall', '--by', 'alice', '--tag', 'even'),
	    qr/^$id[1]\t[^\n]*$/, 'no words are needed');
	said('alice', 'forget', $id[0]);
	fails('alice', 66, qr/no memory/, 'forget', $id[0]);
	like(said('bob', 'memory', 'list', '--forgotten'), qr/^$id[0]\t/,
	    'what was forgotten');
	said('bob', 'memory', 'restore', $id[0]);
	fails('bob', 66, qr/that was forgotten/, 'memory', 'restore', $id[0]);
	like(said('bob', 'recall', '"fact 1"'), qr/^$id[0]\t/,
	    'is there again');
	said('alice', 'remember', '-l', 'german', 'Die Bibliotheken sind gebaut');
	like(said('bob', 'recall', '--language', 'german', 'Bibliothek'),
	    qr/sind gebaut$/, 'words of another language');
	fails('bob', 64, qr/--limit/, 'memory', 'list', '-n', '0');
};

subtest 'several meshes' => sub {
	my ($status, $out) = $b->ctl('mesh', 'create', 'second');
	($status, $out) = $b->ctl('invite', 'create', 'second');
	chomp $out;
	said('alice', 'join', $out, '--name', 'alice');
	fails('alice', 64, qr/which mesh.*$slug, second/, 'peers');
	said('alice', '-m', 'second', 'state', 'set', 'where', 'second');
	fails('alice', 64, qr/no mesh "third"/, 'use', 'third');
	said('alice', 'use', 'second');
	is(said('alice', 'state', 'get', 'where'), 'second', 'the chosen one');
	fails('alice', 66, qr/no key/, '-m', $slug, 'state', 'get', 'where');
	is((linnet('alice', 'state', 'get', 'where',
	    { env => { LINNET_MESH => $slug } }))[0], 66, 'LINNET_MESH');
	like(said('alice', 'list'), qr/^second\t.*\tchosen$/m, 'is marked');
	like(said('alice', 'doctor'), qr/^ok\tsecond\tack\t/m,
	    'doctor looks at all');
	said('alice', 'leave', 'second', '-q');
	unlike(slurp("$home/alice/config.json"), qr/second/, 'it is left');
	like(said('alice', 'status'), qr/^mesh\t$slug$/m,
	    'and the other one meant');
	fails('alice', 64, qr/no mesh/, 'leave', 'second');
};

subtest 'watch' => sub {
	my ($pid, $out) = Linnet::Cli::go_on('bob', 'watch', 'w/');
	ok(wait_until { row_of('bob') } 20, 'who watches is listed');
	said('alice', 'send', 'bob', "a \e[31mmessage");
	said('alice', 'state', 'set', 'w/key', 'value');
	ok(wait_until { slurp($out) =~ /^state\tw\/key\t"value"\talice$/m
	    && slurp($out) =~ /^message\t\S+\talice\tyou\t\S+\ta \\x1b\[31mm/m }
	    20, 'lines where there is no terminal');
	kill 'TERM', $pid;
	is(Linnet::Proc::reap($pid, 10), 0, 'it ends');
	($pid, $out) = Linnet::Cli::go_on('bob', 'watch', '--look', '--json');
	ok(wait_until { slurp($out) =~ /"w\/key"/ } 20, 'JSON');
	ok(!row_of('bob'), 'who only looks is not');
	kill 'TERM', $pid;
	is(Linnet::Proc::reap($pid, 10), 0, 'it ends');
};

subtest 'watch on a terminal' => sub {
	plan skip_all => 'script(1) is not here' if !-x '/usr/bin/script';
	pipe my $keys, my $type or die "pipe: $!";
	my $screen = "$home/screen";
	my $pid = Linnet::Proc::start(['/usr/bin/script', '-qec',
	    "stty rows 24 cols 60; $program watch", '/dev/null'],
	    stdin => "/proc/self/fd/" . fileno($keys), stdout => $screen,
	    env => { LINNET_CONFIG => "$home/bob", TERM => 'xterm' });
	ok(wait_until { slurp($screen) =~ /\e\[\?1049h.*Peers \(\d\)/s } 20,
	    'the whole screen');
	said('alice', 'send', 'bob', 'on the screen, and a text that is longer '
	    . 'than it is wide');
	ok(wait_until { slurp($screen) =~ /alice to you: on the screen/ } 20,
	    'a message');
	ok(wait_until { slurp($screen) =~ m{w/key = "value"  \(alice\)} } 20,
	    'state');
	unlike(slurp($screen), qr/than it is wide/, 'is cut at the edge');
	syswrite $type, "\t";
	ok(wait_until { slurp($screen) =~ /> State/ } 20, 'the next part');
	syswrite $type, 'q';
	is(Linnet::Proc::reap($pid, 10), 0, 'q ends it');
	like(slurp($screen), qr/\e\[\?1049l\s*$/,
	    'and the terminal is as it was');
};

subtest 'TLS with an authority of its own' => sub {
	my $ca = Linnet::Tls->new($home);
	my ($cert, $key) = $ca->issue('broker', names => ['localhost']);
	my $tls = Linnet->broker(workers => 1, options => [
	    'listen tls:127.0.0.1:0', "tls.certificate $cert",
	    "tls.key $key"]);
	my ($port) = $tls->log =~ /listening on tls:127.0.0.1:(\d+)/;
	$tls->ctl('mesh', 'create', 'safe');
	my ($status, $link) = $tls->ctl('invite', 'create', 'safe', '--url',
	    "wss://localhost:$port");
	chomp $link;
	fails('dora', 77, qr/bad_certificate/, 'join', $link);
	said('dora', 'join', $link, '--ca-file', $ca->file);
	my $doctor = said('dora', 'doctor');
	like($doctor, qr/^ok\tsafe\tsecrecy\t.*is encrypted$/m,
	    'all that follows believes it');
	like($doctor, qr/^ok\tsafe\ttls\t.*^ok\tsafe\thook\t/ms,
	    'the hook too');
	my $c = config('dora');
	delete $c->{meshes}[0]{caFile};
	broken('doubt', $c, 77,
	    qr/^ok\tsafe\tnetwork\t.*\nfail\tsafe\ttls\t.*--ca-file/m);
	$c->{meshes}[0]{brokerUrl} =~ s/:\d+/':' . $b->port/e;
	broken('plain', $c, 76,
	    qr/^ok\tsafe\tnetwork\t.*\nfail\tsafe\ttls\t.*ws:\/\/ is without/m);
};

subtest 'completion' => sub {
	for my $shell (qw(bash zsh fish)) {
		like(said('nobody', 'completion', $shell), qr/state/,
		    "for $shell");
	}
	fails('nobody', 64, qr/bash\|zsh\|fish/, 'completion', 'csh');
	my ($status, $out) = run(['bash', '-c', '. /dev/stdin; '
	    . 'COMP_WORDS=(linnet state s); COMP_CWORD=2; '
	    . 'COMP_LINE="linnet state s"; COMP_POINT=14; '
	    . '$(complete -p linnet | sed -n "s/.*-F \([^ ]*\).*/\1/p"); '
	    . 'echo "${COMPREPLY[@]}"'],
	    input => said('nobody', 'completion', 'bash'));
	like($out, qr/^set\s*$/, 'bash completes');
};

done_testing;
