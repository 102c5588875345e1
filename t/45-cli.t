#!/usr/bin/env perl
# linnet(1) from joining to forgetting, as people and scripts use it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use MIME::Base64 'decode_base64';
use Test::More;
use Linnet qw(wait_until run slurp);
use Linnet::Cli qw(linnet said said_quietly fails inbox follow);
use Linnet::Proc ();

my $json = Cpanel::JSON::XS->new->utf8->allow_nonref;
my $home = Linnet::Cli::home();
my $linnet = Linnet->program('linnet');

my $b = Linnet->broker(workers => 2);
my $seed = $b->seed;
my $link = $seed->{inviteLink};

subtest 'help' => sub {
	my $all = said('nobody', 'help');
	for my $command (qw(join list send inbox peers remember recall forget),
	    'message status', 'group join', 'group leave', 'state get',
	    'state set', 'state list') {
		like($all, qr/^  \Q$command\E /m, "help has $command");
		like(said('nobody', 'help', split / /, $command),
		    qr/^usage: linnet \Q$command\E/, 'and help of it');
	}
	like(said('nobody', '-V'), qr/^linnet \d/, 'the version');
	like(said('nobody', 'send', '-h'), qr/priority/, 'help by option');
	my ($status, $out, $err) = linnet('nobody');
	is($status, 64, 'nothing is too little');
	like($err, qr/^usage:/, 'and says how');
	fails('nobody', 64, qr/did you mean "send"/, 'sned', 'x');
	fails('nobody', 64, qr/one more word: get, set/, 'state');
	fails('nobody', 64, qr/did you mean --priority/, 'send', '--priorty',
	    'now', 'bob', 'x');
	fails('nobody', 64, qr/something is missing/, 'send');
	fails('nobody', 64, qr/too much/, 'list', 'x');
	fails('nobody', 78, qr/linnet join/, 'peers');
	fails('nobody', 65, qr/UTF-8/, 'recall', "\xff");
};

subtest 'join' => sub {
	my $out = said('alice', 'join', $link, '--name', 'alice');
	like($out, qr/^Joined \S+ as [0-9a-f]{64}$/, 'what was joined');
	said('bob', 'join', '-', '-n', 'bob', { input => "$link\n" });
	my $file = "$home/alice/config.json";
	is((stat $file)[2] & 07777, 0600, 'the keys are private');
	my $config = $json->decode(slurp($file));
	is($config->{version}, 1, 'the version of the file');
	my $mesh = $config->{meshes}[0];
	is($mesh->{meshId}, $seed->{meshId}, 'the mesh');
	like($mesh->{secretKey}, qr/^[0-9a-f]{128}$/, 'a secret key');
	like($mesh->{hookToken}, qr/^lnh_/, 'a token for hooks');
	like($mesh->{joinedAt}, qr/^20\S+Z$/, 'when');
	my $before = $mesh->{secretKey};
	my $again = $json->decode(said('alice', 'join', $link, '--json'));
	ok($again->{alreadyMember}, 'a second join makes no second member');
	$mesh = $json->decode(slurp($file))->{meshes}[0];
	is($mesh->{secretKey}, $before, 'and keeps the key');
	like($mesh->{hookToken}, qr/^lnh_/, 'and the token');
	my $list = $json->decode(said('alice', 'list', '--json'));
	is($list->[0]{pubkey}, $mesh->{pubkey}, 'list has the public key');
	unlike($json->encode($list), qr/$before|lnh_/, 'and no secret');
	my ($slug) = split /\t/, said('alice', 'list');
	is($slug, $mesh->{slug}, 'a line for programs');

	my ($token) = $link =~ m{join/(.*)};
	substr($token, 60, 1) =~ tr/A-Za-z/B-ZAb-za/;
	my ($status) = linnet('eve', 'join', $token);
	ok($status == 65 || $status == 77, 'an invite that was changed');
	fails('eve', 65, qr/no invite/, 'join', 'linnet://join/abc');
	fails('eve', 65, qr/no invite/, 'join', 'https://example.org/');
	ok(!-e "$home/eve/config.json", 'left nothing behind');
	chmod 0644, $file;
	fails('alice', 78, qr/chmod 600/, 'list');
	chmod 0600, $file;
};

my %key = map {
	$_ => $json->decode(slurp("$home/$_/config.json"))->{meshes}[0]{pubkey}
} qw(alice bob);

subtest 'direct' => sub {
	my $first = said('alice', 'send', 'Bob', 'hello', 'there');
	like($first, qr/^[0-9a-f]{32}$/, 'the id of the message');
	like(said('alice', 'message', 'status', $first), qr/^bob\tqueued\t/,
	    'it waits');
	my $sealed = $b->psql("select ciphertext from message
	    where id = '$first'");
	ok(length $sealed, 'the broker has it');
	unlike(decode_base64($sealed), qr/hello/, 'and cannot read it');
	my $second = said('alice', 'send', $key{bob}, '-',
	    { input => "two\nlines\twith \xc3\xbc\n" });
	my @got = inbox('bob');
	is(@got, 2, 'both wait for bob');
	is("$got[0]{id} $got[1]{id}", "$first $second", 'the oldest first');
	is($got[0]{text}, 'hello there', 'the text');
	is($got[1]{text}, "two\\nlines\\twith \xc3\xbc", 'on one line');
	is_deeply([@{ $got[0] }{qw(from to priority secrecy)}],
	    [qw(alice you next encrypted)], 'and the rest');
	is(inbox('bob'), 0, 'they come once');
	like(said('alice', 'message', 'status', $first), qr/^bob\tacked\t/,
	    'its sender knows');
	my $s = $json->decode(
	    said('alice', 'message', 'status', $first, '--json'));
	is($s->{recipients}[0]{state}, 'acked', 'in JSON too');
	said('bob', 'send', 'alice', "\e[31mred\e[0m", '-p', 'low');
	my $m = $json->decode(said('alice', 'inbox', '--json'));
	is($m->{text}, "\e[31mred\e[0m", 'JSON is the text as it was');
	is($m->{senderPubkey}, $key{bob}, 'who');
	is($m->{priority}, 'low', 'how urgent');
	ok($m->{encrypted}, 'that it was encrypted');
	said('bob', 'send', 'alice', "\e[31mred");
	my ($red) = inbox('alice');
	is($red->{text}, '\x1b[31mred', 'lines are harmless');

	fails('alice', 67, qr/Did you mean "bob"/, 'send', 'bobb', 'x');
	fails('alice', 67, qr/unknown_target/, 'send', '@nobody', 'x');
	fails('alice', 67, qr/unknown_target/, 'send',
	    Linnet::Peer::new_key()->{pubkey}, 'x');
	fails('alice', 64, qr/no public key/, 'send', 'a' x 64, 'x');
	fails('alice', 64, qr/now\|next\|low/, 'send', 'bob', 'x', '-p',
	    'soon');
	fails('alice', 66, qr/empty/, 'send', 'bob', { input => "\n" });
	fails('alice', 65, qr/UTF-8/, 'send', 'bob', '-',
	    { input => "\xff\xfe" });
	fails('alice', 66, qr/not_found/, 'message', 'status', '0' x 31 . '1');
	fails('alice', 65, qr/malformed/, 'message', 'status', 'x');
	fails('alice', 65, qr/too_big/, 'send', 'bob', '-',
	    { input => 'x' x (2 << 20) });
};

subtest 'groups, and an ordinary client' => sub {
	my $carol = $b->peer($seed->{peerA}, name => 'carol', acks => 1);
	said('bob', 'group', 'join', '@dev', '--role', 'lead', '-q');
	my ($pid, $out) = follow('bob');
	wait_until { said_quietly('alice', 'peers') =~ /^bob\t/m } 20,
	    'bob to be there';
	my ($row) = said('alice', 'peers') =~ /^(bob\t.*)/m;
	like($row, qr/^bob\tidle\tdev:lead\t.*\t$key{bob}\t$/, 'bob is listed');
	unlike(said('alice', 'peers'), qr/^alice/m, 'who asks is not');
	like(said('alice', 'peers', '-a'), qr/^alice\toffline/m,
	    'among all members she is');
	is_deeply([map { $_->{displayName} } @{ $json->decode(
	    said('alice', 'peers', '-g', 'dev', '--json')) }], ['bob'],
	    'the peers of a group');
	$carol->send(to => '@dev', text => 'from carol');
	wait_until { slurp($out) =~ /from carol/ } 20, 'what carol said';
	like(slurp($out), qr/\tcarol\t\@dev\tnext\tclear\t/,
	    'to a group it is in clear');
	my $id = said('alice', 'send', '*', 'to all');
	is($carol->expect_push->{text}, 'to all', 'carol hears alice');
	wait_until { slurp($out) =~ /to all/ } 20, 'bob hears alice';
	wait_until {
		said_quietly('alice', 'message', 'status', $id)
		    =~ /^bob\tacked/m
	} 20, 'his ack';
	kill 'TERM', $pid;
	Linnet::Proc::reap($pid, 10);
	like(said('bob', 'list'), qr/\tdev:lead\t/, 'bob is in the group');
	said('bob', 'group', 'leave', 'dev');
	unlike(said('bob', 'list'), qr/dev/, 'and out of it');
	fails('bob', 64, qr/cannot be a group/, 'group', 'join', 'a//b');
};

subtest 'an inbox that is run again is the same session' => sub {
	said('bob', 'group', 'join', 'ops', '-q');
	inbox('bob');
	said('alice', 'send', '@ops', 'while away');
	my ($heard) = inbox('bob');
	is($heard->{text}, 'while away', 'a group is heard within the lease');
	said('bob', 'group', 'leave', 'ops', '-q');
	inbox('bob');
	my $status;
	wait_until {
		($status) = linnet('alice', 'send', '@ops', 'nobody');
		$status != 0
	} 20, 'the other worker to know';
	is($status, 67, 'a group that was left is left');
	inbox('bob');
};

subtest 'state' => sub {
	said('alice', 'state', 'set', 'plan', 'two', 'words');
	is(said('bob', 'state', 'get', 'plan'), 'two words', 'plain text');
	said('alice', 'state', 'set', 'plan', '{"a": [1, "x"]}');
	is(said('bob', 'state', 'get', 'plan'), '{"a": [1, "x"]}', 'JSON');
	my $s = $json->decode(said('bob', 'state', 'get', 'plan', '--json'));
	is($s->{version}, 2, 'its version');
	is($s->{updatedBy}, 'alice', 'by whom');
	said('alice', 'state', 'set', 'note', '-', { input => "a\nb\n" });
	is(said('bob', 'state', 'get', 'note'), "a\nb", 'from a pipe');
	like(said('bob', 'state', 'list'), qr/^plan\talice\t\S+\t2\t\{"a"/m,
	    'the list');
	is(scalar @{ $json->decode(said('bob', 'state', 'list', '--json')) },
	    2, 'in JSON');
	fails('bob', 66, qr/no key "nothing"/, 'state', 'get', 'nothing');
	fails('bob', 65, qr/no JSON/, 'state', 'set', 'k', 'word', '--json');
};

subtest 'memory' => sub {
	my $id = said('alice', 'remember', 'The deploy key rotates monthly.',
	    '--tag', 'ops', '--tag', 'keys');
	like($id, qr/^[0-9a-f]{32}$/, 'the id of the memory');
	like(said('bob', 'recall', 'deploy', 'keys'),
	    qr/^$id\talice\t\S+\tops, keys\tThe deploy key rotates monthly\.$/,
	    'found by words in any form');
	is($json->decode(said('bob', 'recall', 'monthly', '--json'))->[0]{id},
	    $id, 'in JSON');
	is(said('bob', 'recall', 'unheard'), '', 'what nobody said');
	said('bob', 'forget', $id);
	is(said('bob', 'recall', 'monthly'), '', 'forgotten');
	fails('bob', 66, qr/no memory/, 'forget', $id);
};

subtest 'two meshes' => sub {
	my $other = $b->seed;
	said('alice', 'join', $other->{inviteLink}, '-n', 'alice2');
	my @slugs = map { (split /\t/)[0] }
	    split /\n/, said('alice', 'list');
	is(@slugs, 2, 'both are there');
	fails('alice', 64, qr/\Q$slugs[0], $slugs[1]\E/, 'peers');
	unlike(said('alice', 'peers', '-a', '-m', $slugs[1]), qr/^bob/m,
	    'bob is not in the other one');
	fails('alice', 64, qr/no mesh "x"/, '-m', 'x', 'peers');
	fails('alice', 67, qr/unknown_target/, '--mesh', $slugs[1], 'send',
	    'bob', 'x');
};

subtest 'following through a restart' => sub {
	my ($slug) = split /\t/, said('alice', 'list');
	my ($pid, $out) = follow('bob', '--json');
	wait_until {
		said_quietly('alice', '-m', $slug, 'peers') =~ /^bob\t/m
	} 20, 'bob to be there';
	my $session = sub {
		my ($p) = grep { $_->{displayName} eq 'bob' } @{ $json->decode(
		    said_quietly('alice', '-m', $slug, 'peers', '--json')
		    || '[]') };
		return $p ? $p->{sessionId} : '';
	};
	my $before = $session->();
	$b->restart;
	wait_until { $session->() ne '' } 40, 'bob to return';
	is($session->(), $before, 'as the same session');
	said('alice', '-m', $slug, 'send', 'bob', 'after the restart');
	wait_until { slurp($out) =~ /after the restart/ } 20, 'a message';
	is($json->decode(slurp($out))->{text}, 'after the restart',
	    'one line of JSON');
	kill 'TERM', $pid;
	Linnet::Proc::reap($pid, 10);

	($pid, $out) = follow('bob');
	wait_until { $session->() ne '' } 20, 'bob to be there again';
	kill 'STOP', $pid;
	my $id = said('alice', '-m', $slug, 'send', 'bob', 'to the dead');
	kill 'KILL', $pid;
	Linnet::Proc::reap($pid, 10);
	my @got;
	wait_until { push @got, inbox('bob'); @got > 0 } 40,
	    'what a killed inbox did not ack';
	is($got[0]{id}, $id, 'comes again');
	my $start = time;
	is(inbox('bob', '--timeout', '1s'), 0, 'a wait without a message');
	cmp_ok(time - $start, '>=', 1, 'takes its time');
};

subtest 'a terminal' => sub {
	plan skip_all => 'script(1) is not here' if !-x '/usr/bin/script';
	my ($slug) = split /\t/, said('alice', 'list');
	my ($status, $out) = run(['/usr/bin/script', '-qec',
	    "$linnet -m $slug state list", '/dev/null'], env => {
		LINNET_CONFIG => "$home/alice", NO_COLOR => '',
		TERM => 'xterm' });
	is($status, 0, 'a list');
	like($out, qr/^\e\[1mKEY +BY +WHEN +VERSION +VALUE/,
	    'has a head there');
	like($out, qr/^plan  +alice  +20/m, 'and columns');
	($status, $out) = run(['/usr/bin/script', '-qec',
	    "$linnet -m $slug state list", '/dev/null'], env => {
		LINNET_CONFIG => "$home/alice", NO_COLOR => '1',
		TERM => 'xterm' });
	unlike($out, qr/\e/, 'without colour when that is not wanted');
};

subtest 'without a broker' => sub {
	my ($slug) = split /\t/, said('alice', 'list');
	$b->stop;
	fails('alice', 69, qr/Is linnetd running/, '-m', $slug, 'peers');
	fails('bob', 69, qr/unreachable/, 'inbox', '--follow');
	is(said('alice', 'list', '-q') =~ tr/\n//, 1,
	    'the list needs none');
};

done_testing;
