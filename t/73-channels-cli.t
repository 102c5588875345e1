#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Channels with linnet(1): made, listed, read and followed; what is private is
# not there; and who follows misses nothing and sees nothing twice, whatever
# becomes of the broker.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Test::More;
use Linnet qw(wait_until run slurp);
use Linnet::Cli qw(linnet said said_quietly fails);
use Linnet::Proc ();

my $json = Cpanel::JSON::XS->new->utf8->allow_nonref;
my $home = Linnet::Cli::home();
my $b = Linnet->broker(workers => 2, options => ['rate.member 0',
    'rate.requests 0']);
my $link = $b->seed->{inviteLink};
said($_, 'join', $link, '--name', $_) for qw(alice bob);

my $id = qr/[0-9a-f]{32}/;
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
sub lines { return split /\n/, slurp($_[0]{out}) }
sub texts { return map { (split /\t/, $_, -1)[5] } @_ }
sub rows {
	my ($who, @args) = @_;
	return map { [split /\t/, $_, -1] } split /\n/, said($who, @args);
}

my $dev;
subtest 'channel' => sub {
	$dev = said('alice', 'channel', 'create', 'dev', '--topic',
	    "what \e[31m we make");
	like($dev, qr/^$id$/, 'is made');
	fails('alice', 65, qr/already/, 'channel', 'create', 'DEV');
	fails('alice', 65, qr/does not begin with #/, 'channel', 'create',
	    '#x');
	fails('alice', 64, qr/name/, 'channel', 'create');
	my ($row) = rows('bob', 'channel', 'list');
	is_deeply($row, ['dev', 0, 0, 'false', '', $dev,
	    'what \x1b[31m we make'], 'is listed, safe to print');
	is(said('bob', 'channel', 'list', '--joined'), '', 'not as joined');
	said('bob', 'channel', 'join', '#dev');
	is_deeply([map { "$_->[0] $_->[1]" } rows('alice', 'channel',
	    'members', 'dev')], ['alice owner', 'bob member'], 'is joined');
	my (undef, undef, $err) = linnet('bob', 'channel', 'join', 'dev');
	like($err, qr/so already/, 'once');
	fails('bob', 77, qr/./, 'channel', 'remove', 'dev', 'alice');
	said('alice', 'channel', 'add', 'dev', 'bob', '--role', 'admin');
	is((rows('alice', 'channel', 'members', 'dev'))[1][1], 'admin',
	    'has a role');
	fails('alice', 64, qr/member\|admin\|owner|member, admin/, 'channel',
	    'add', 'dev', 'bob', '--role', 'king');
	said('bob', 'channel', 'leave', 'dev');
	is(scalar rows('alice', 'channel', 'members', 'dev'), 1, 'is left');
	fails('alice', 66, qr/nowhere/, 'channel', $_, 'nowhere')
	    for qw(join leave members delete);
	fails('alice', 64, qr/limit/, 'channel', 'list', '--limit', 'x');
	said('alice', 'channel', 'create', "it's $_") for 1 .. 3;
	my (undef, $two, $more) = linnet('alice', 'channel', 'list',
	    '--limit', '2');
	is(scalar split(/\n/, $two), 2, 'a page');
	my ($after) = $more =~ /go on with (--after '.*')/
	    or diag $more;
	my (undef, $rest) = run(['sh', '-c', Linnet->program('linnet')
	    . " channel list $after"],
	    env => Linnet::Cli::environment('alice'));
	like($rest, qr/^it's 2\t.*^it's 3\t/ms, 'and the next, as it says');
	said('alice', 'channel', 'delete', "it's $_") for 1 .. 3;
	is(scalar rows('alice', 'channel', 'list'), 1, 'is deleted');
};

subtest 'send and replay' => sub {
	my $m = said('alice', 'send', '#dev', 'hello');
	like($m, qr/^$id$/, 'a text');
	said('bob', 'send', '#dev', { input => "from\nstdin\n" });
	said('bob', 'send', "#$dev", '--reply-to', $m, '--parts',
	    '[{"type":"text","payload":{"text":"see"}},'
	    . '{"type":"tool_call","payload":{"name":"x"}}]');
	said('bob', 'send', '#dev', '--parts', '-', { input =>
	    '[{"type":"ui","payload":{}}]' });
	my @r = rows('bob', 'replay', 'dev');
	is_deeply([map { $_->[1] } @r], [1 .. 4], 'one after the other');
	is_deeply([map { $_->[5] } @r], ['hello', 'from\nstdin',
	    'see [tool_call]', '[ui]'], 'what they say');
	is("$r[0][0] $r[0][3] $r[0][4]", "dev alice $m", 'where, who, which');
	my @j = map { $json->decode($_) } split /\n/, said('bob', 'replay',
	    '#dev', '--json', '--after', '2', '--limit', '1');
	is(scalar @j, 1, 'one of them');
	is($j[0]{replyToId}, $m, 'an answer, in JSON');
	is(said('bob', 'replay', 'dev', '--after', '4'), '', 'no more');
	said('bob', 'send', '#dev', '--id', 'x1', 'once') for 1, 2;
	is(scalar rows('bob', 'replay', 'dev', '--after', 4), 1,
	    'once by its id');
	my @t = texts(split /\n/, said('bob', 'replay', 'dev', '--limit', 2));
	is("@t", '[ui] once', 'the newest');
	fails('bob', 64, qr/--parts are for a channel/, 'send', 'alice',
	    '--parts', '[]');
	fails('bob', 64, qr/either a text or --parts/, 'send', '#dev', 'x',
	    '--parts', '[]');
	fails('bob', 65, qr/no JSON/, 'send', '#dev', '--parts', '[');
	fails('bob', 65, qr/must be an array/, 'send', '#dev', '--parts',
	    '{}');
	fails('bob', 65, qr/parts|type/, 'send', '#dev', '--parts', $_) for '[]',
	    '[{"type":"zz","payload":{}}]', '[{"type":"text","payload":3}]';
	fails('bob', 64, qr/--$_->[0] is not for channels/, 'send', '#dev',
	    'x', "--$_->[0]", grep { defined } $_->[1])
	    for [also => 'alice'], [ttl => '3s'], [priority => 'now'],
	    [file => '/x'], ['clear'];
	fails('bob', 64, qr/--also is not for channels/, 'send', 'alice',
	    '--also', '#dev', 'x');
	fails('bob', 66, qr/nowhere/, 'send', '#nowhere', 'x');
	fails('bob', 65, qr/replyToId/, 'send', '#dev', 'x', '--reply-to', 'y');
	fails('bob', 64, qr/--after/, $_, 'dev', '--after', '-1')
	    for qw(replay follow);
	fails('bob', 64, qr/--limit/, 'replay', 'dev', '--limit', '0');
	fails('bob', 64, qr/500 at most/, 'replay', 'dev', '--limit', '501');
	fails('bob', 66, qr/nowhere/, 'replay', 'nowhere');
};

subtest 'read and mark' => sub {
	is((rows('bob', 'channel', 'list'))[0][1], 5, 'what is unread');
	is(scalar rows('bob', 'read', 'dev', '--limit', 2), 2, 'some');
	is((rows('bob', 'channel', 'list'))[0][1], 3, 'are read');
	is(join(' ', map { $_->[1] } rows('bob', 'read', 'dev')), '3 4 5',
	    'the rest');
	is(said('bob', 'read', 'dev'), '', 'nothing new');
	is(said('bob', 'mark', 'dev', '2'), 0, 'not back by mistake');
	is(said('bob', 'mark', 'dev', '2', '--back'), 3, 'but if it is meant');
	is(said('bob', 'mark', 'dev'), 0, 'all');
	fails('bob', 65, qr/newest/, 'mark', 'dev', '99');
	fails('bob', 64, qr/seq of the last/, 'mark', 'dev', 'x');
	fails('bob', 66, qr/nowhere/, $_, 'nowhere') for qw(read mark);
};

subtest 'threads and changes' => sub {
	my $m = (rows('alice', 'replay', 'dev'))[0][4];
	my $t = said('bob', 'thread', 'create', 'dev', $m);
	said('alice', 'send', "#$t", 're');
	is_deeply([(rows('bob', 'thread', 'list', 'dev'))[0]->@[0 .. 3]],
	    [$t, $m, 1, 1], 'a thread');
	is((rows('bob', 'replay', $t))[0][5], 're', 'is read as a channel is');
	fails('bob', 65, qr/messageId/, 'thread', 'create', 'dev', 'x');
	fails('bob', 66, qr/no such message/, 'thread', 'create', 'dev',
	    'f' x 32);
	said('alice', 'message', 'edit', $m, 'hello', 'again');
	is((rows('bob', 'replay', 'dev'))[0][5], 'hello again', 'an edit');
	fails('bob', 77, qr/wrote it/, 'message', 'edit', $m, 'x');
	fails('bob', 65, qr/messageId/, 'message', 'edit', 'x', 'x');
	said('bob', 'message', 'react', $m, 'yes');
	my ($j) = map { $json->decode($_) } split /\n/, said('alice',
	    'replay', 'dev', '--json', '--after', 0, '--limit', 1);
	is($j->{reactions}[0]{reaction}, 'yes', 'a reaction');
	said('bob', 'message', 'react', $m, 'yes', '--remove');
	said('alice', 'message', 'redact', $m, '--reason', 'x');
	is((rows('bob', 'replay', 'dev'))[0][5], '(it was taken back)',
	    'no more');
	fails('alice', 66, qr/taken back/, 'message', 'edit', $m, 'x');
};

subtest 'private' => sub {
	my $c = said('alice', 'channel', 'create', 'board', '--private');
	said('alice', 'send', '#board', 'secret');
	for my $which ('board', $c) {
		fails('bob', 66, qr/There is no|no such/, @$_) for
		    ['send', "#$which", 'x'], ['replay', $which],
		    ['follow', $which], ['read', $which], ['mark', $which],
		    ['channel', 'join', $which],
		    ['channel', 'members', $which],
		    ['thread', 'list', $which];
	}
	unlike(said('bob', 'channel', 'list'), qr/board|$c/, 'nor listed');
	said('alice', 'channel', 'add', 'board', 'bob');
	my $f = start('board', 'bob', 'follow', 'board', '--after', 0);
	wait_until { lines($f) == 1 } 20, 'a member follows';
	said('alice', 'channel', 'remove', 'board', 'bob');
	is(over($f), 66, 'and is told that it is none any more');
	like(slurp("$f->{out}.err"), qr/#board is no more, or not for you/,
	    'in words');
};

subtest 'follow' => sub {
	said('alice', 'channel', 'create', 'live');
	said('alice', 'channel', 'create', 'other');
	my $f = start('two', 'bob', 'follow', 'live', '#other', 'live', '-n', 3,
	    '--events');
	fails('bob', 66, qr/nowhere/, 'follow', 'live', 'nowhere');
	fails('bob', 64, qr/--count/, 'follow', 'live', '-n', 'x');
	fails('bob', 64, qr/--timeout/, 'follow', 'live', '--timeout', 'x');
	fails('bob', 64, qr/channel/, 'follow');
	# Only what is new: until it is there, it is not heard.
	wait_until {
		said_quietly('alice', 'send', '#live', 'are you there');
		lines($f) > 0
	} 20, 'it follows';
	my $m = said('alice', 'send', '#other', "bad \e]0;x\a");
	said('bob', 'message', 'react', $m, 'ok');
	is(over($f), 0, 'ends after so many');
	my @l = lines($f);
	is((split /\t/, $l[1])[5], 'bad \x1b]0;x\x07', 'safe to print');
	like($l[2], qr/^other\t-\t\S+\treaction\.added\t$id\t\{.*"ok"/,
	    'and what happens beside');
	is(said('bob', 'follow', 'live', '--timeout', '1s'), '',
	    'nothing in time');
};

# Says things with a broker that dies, and says how many were acknowledged.
sub talk {
	my ($from, $to, $channel) = @_;
	for my $k ($from .. $to) {
		my ($st, undef, $err) = linnet('alice', 'send', "#$channel",
		    '--id', "t$k", "t$k");
		redo if $st != 0;
		linnet('bob', 'message', 'react', (said_quietly('bob',
		    'replay', $channel, '-n', 1) =~ /\t($id)\t/)[0], "r$k")
		    if $k % 5 == 0;
	}
	return;
}

subtest 'whatever becomes of the broker' => sub {
	said('alice', 'channel', 'create', 'storm');
	talk(1, 5, 'storm');
	my $plain = start('plain', 'bob', 'follow', 'storm', '--after', '0');
	my $all = start('all', 'bob', 'follow', 'storm', '--after', '0',
	    '--events', '--json');
	wait_until { lines($plain) == 5 } 20, 'what was said before';
	wait_until { lines($all) > 5 } 20, 'with events';
	for my $round (1 .. 3) {
		$b->kill9($round == 2 ? 'all' : undef);
		$b->start;
		talk($round * 6, $round * 6 + 5, 'storm');
	}
	wait_until { lines($plain) >= 23 } 60, 'all to come';
	wait_until { ((lines($all))[-1] // '') =~ /t23/ } 30, 'here, too';
	kill 'TERM', $plain->{pid}, $all->{pid};
	is(over($plain), 0, 'ends when it is told to');
	over($all);
	my @texts = texts(lines($plain));
	is("@texts", join(' ', map { "t$_" } 1 .. 23),
	    'no gap, nothing twice');
	my @e = map { $json->decode($_) } lines($all);
	my %twice;
	is(join(' ', grep { $twice{$_}++ } map { $_->{eventId} // $_->{seq} }
	    @e), '', 'no event twice');
	is(join(' ', map { $_->{payload}{reaction} } grep {
	    ($_->{event} // '') eq 'reaction.added' } @e),
	    join(' ', map { 'r' . 5 * $_ } 1 .. 4), 'and none is missing');
	like(slurp("$plain->{out}.err"), qr/Connecting again/, 'it says so');
};

# What becomes of a channel while a follower is away.
subtest 'while it was away' => sub {
	my %after = (
		gone => sub { said('alice', 'channel', 'delete', 'gone') },
		mine => sub { said('alice', 'channel', 'remove', 'mine',
		    'bob') },
	);
	for my $c (sort keys %after) {
		said('alice', 'channel', 'create', $c, '--private');
		said('alice', 'channel', 'add', $c, 'bob');
		said('alice', 'send', "#$c", 'x');
	}
	my %f = map { $_ => start("away-$_", 'bob', 'follow', $_, '--after',
	    '0') } keys %after;
	wait_until { lines($f{$_}) == 1 } 20, 'it follows' for keys %f;
	kill 'STOP', map { $_->{pid} } values %f;
	$b->kill9;
	$b->start;
	said('alice', 'send', "#$_", 'unheard') for keys %f;
	$after{$_}->() for sort keys %f;
	kill 'CONT', map { $_->{pid} } values %f;
	for my $c (sort keys %f) {
		is(over($f{$c}, 30), 66, "$c: it ends");
		is(scalar lines($f{$c}), 1, 'and hears nothing more');
		like(slurp("$f{$c}{out}.err"), qr/#$c is no more, or not for/,
		    'and says why');
	}
};

subtest 'JSON' => sub {
	my $j = $json->decode(said('alice', 'channel', 'create', 'j',
	    '--json'));
	like($j->{channelId}, $id, 'of an answer');
	is(ref $json->decode(said('alice', 'channel', 'list', '--json')),
	    'ARRAY', 'of a list');
	is($json->decode(said('alice', 'send', '#j', 'x', '--json'))->{seq}, 1,
	    'of a send');
	is($json->decode(said('alice', 'mark', 'j', '--json'))->{unread}, 0,
	    'of a mark');
};

is($b->stop, 0, 'the broker ends');
done_testing;
