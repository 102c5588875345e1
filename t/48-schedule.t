#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Messages for later: when they come, from whom, how often, and what becomes of
# those that cannot be sent.
use strict;
use warnings;
use Linnet;
use Linnet::Io 'patience';
use MIME::Base64 'decode_base64';
use Test::More;
use Time::HiRes 'time';

my $b = Linnet->broker(workers => 2, options => ['limit.schedules 5']);

sub now { return int(time * 1000) }

sub mesh {
	my (%o) = @_;
	my $seed = $b->seed;
	$b->psql("update member set role = 'admin'
	    where id = '$seed->{peerA}{memberId}'") if $o{admin};
	my $alice = $b->peer($seed->{peerA}, name => 'alice', groups => ['g'],
	    session_key => 1);
	my $bob = $b->peer($seed->{peerB}, name => 'bob', groups => ['g'],
	    session_key => 1);
	for my $p ($alice, $bob) {
		wait_until { @{ $p->request({ type => 'list_peers' })->{peers} }
		    == 2 } 10, 'both to be there';
	}
	return ($alice, $bob, $seed);
}

sub schedule {
	my ($p, %o) = @_;
	return $p->request({ type => 'schedule', %o });
}

sub list {
	my ($p, %o) = @_;
	return @{ $p->request({ type => 'list_scheduled', %o })->{messages} };
}

# One of them is due now, and the daemon hears of it as of a missed one.
sub let_be_due {
	my ($id, $ago) = @_;
	$b->psql("update schedule set due_at = date_trunc('milliseconds',
	    now() - interval '$ago') where id = '$id'");
	return;
}

subtest 'once' => sub {
	my ($alice, $bob, $seed) = mesh();
	my $at = now() + 700;
	my $r = schedule($alice, to => 'bob', message => "caf\x{e9}",
	    deliverAt => $at, subtype => 'reminder');
	is($r->{type}, 'scheduled_ack', 'scheduled');
	like($r->{scheduledId}, qr/^[0-9a-f]{32}$/, 'scheduledId');
	is($r->{deliverAt}, $at, 'deliverAt');
	my ($row, @more) = list($alice);
	is(@more, 0, 'one is listed');
	is_deeply([@$row{qw(id to message deliverAt subtype priority
	    firedCount)}], [$r->{scheduledId}, 'bob', "caf\x{e9}", $at,
	    'reminder', 'now', 0], 'as it was scheduled');
	ok($row->{createdAt} <= now() && $row->{pending}, 'since, pending');
	is(list($bob), 0, 'not for others');
	my $m = $bob->expect_push;
	my $late = now() - $at;
	ok($late >= 0 && $late < 1000 * patience(), "it is $late ms late");
	is($m->{text}, "caf\xc3\xa9", 'base64 of the text');
	is(length decode_base64($m->{nonce}), 24, 'a nonce of 24 bytes');
	is_deeply([@$m{qw(subtype priority senderPubkey senderName
	    senderMemberPubkey targetSpec)}], ['reminder', 'now', $alice->key,
	    'alice', $alice->member_key, 'bob'], 'from its sender');
	is(list($alice), 0, 'then it is gone');
	is($alice->request({ type => 'message_status',
	    messageId => $m->{messageId} })->{targetSpec}, 'bob',
	    'its sender may ask what became of it');
	ok($bob->no_push(after => $alice), 'once');

	# One after the other: not only when jobs happens to look.
	for my $i (1 .. 3) {
		$at = now() + 200;
		schedule($alice, to => 'bob', message => "number $i",
		    deliverAt => $at);
		is($bob->expect_push->{text}, "number $i", "number $i");
		$late = now() - $at;
		ok($late >= 0 && $late < 1000 * patience(),
		    "it is $late ms late");
	}

	# A later one does not hide a sooner one; one that is over comes now.
	schedule($alice, to => 'bob', message => 'third',
	    deliverAt => now() + 900);
	schedule($alice, to => 'bob', message => 'second',
	    deliverAt => now() + 300);
	schedule($alice, to => 'bob', message => 'first', deliverAt => 1);
	is($bob->expect_push->{text}, $_, $_) for qw(first second third);
};

subtest 'what is sent, and to whom' => sub {
	my ($alice, $bob) = mesh();
	schedule($alice, to => $bob->key, nonce => 'no nonce!',
	    ciphertext => '"x"', priority => 'low', deliverAt => now());
	my $m = $bob->expect_push;
	is_deeply([@$m{qw(nonce ciphertext priority)}],
	    ['no nonce!', '"x"', 'low'], 'what is encrypted stays as it is');
	ok(!exists $m->{subtype}, 'and has no subtype');
	for my $to ('*', '@g', ['bob', '@g', '*']) {
		schedule($alice, to => $to, message => 'all',
		    deliverAt => now());
		is($bob->expect_push->{text}, 'all', 'to many');
		ok($bob->no_push(after => $alice), 'once');
		ok($alice->no_push(after => $bob), 'but the sender');
	}
	schedule($alice, to => $alice->member_key, message => 'note',
	    deliverAt => now());
	is($alice->expect_push->{text}, 'note', 'to oneself');
	$bob->request({ type => 'set_status', status => 'working' });
	schedule($alice, to => 'bob', message => 'held', priority => 'next',
	    deliverAt => now());
	wait_until { !list($alice) } 10;
	ok($bob->no_push(after => $alice), 'held like any other');
	$bob->post(type => 'set_status', status => 'idle');
	is($bob->expect_push->{text}, 'held', 'until it may come');
	$alice->request({ type => 'block', target => 'bob' });
	is(schedule($bob, to => 'alice', message => 'blocked',
	    deliverAt => now())->{type}, 'scheduled_ack', 'to one who blocks');
	ok((wait_until { (list($bob))[0]{lastError} } 10), 'says so');
	ok($alice->no_push(after => $alice), 'and does not come');
};

subtest 'cancel' => sub {
	my ($alice, $bob, $seed) = mesh(admin => 1);
	my $cancel = sub {
		my ($p, $id) = @_;
		my $r = $p->request({ type => 'cancel_scheduled',
		    scheduledId => $id });
		is($r->{type}, 'cancel_scheduled_ack', 'answered');
		is($r->{scheduledId}, $id, 'with its id');
		return $r->{ok} ? 1 : 0;
	};
	my $id = schedule($bob, to => 'alice', message => 'x',
	    deliverAt => now() + 3600_000)->{scheduledId};
	my $mine = schedule($alice, to => 'bob', message => 'y',
	    deliverAt => now() + 3600_000)->{scheduledId};
	is($cancel->($bob, $mine), 0, 'not what another one scheduled');
	is($cancel->($bob, '0' x 32), 0, 'nor what is not there');
	is($bob->request({ type => 'list_scheduled', all => \1 })->{code},
	    'forbidden', 'nor are those of all for everybody');
	is_deeply([sort map { $_->{senderName} } list($alice, all => \1)],
	    ['alice', 'bob'], 'but for who keeps order');
	my ($other) = mesh(admin => 1);
	is($cancel->($other, $id), 0, 'of the same mesh');
	is($cancel->($alice, $id), 1, 'and who may cancel');
	is($cancel->($alice, $mine), 1, 'one cancels one\'s own');
	is($cancel->($alice, $mine), 0, 'once');
	is(list($alice, all => \1), 0, 'nothing is left');
};

subtest 'cron' => sub {
	my ($alice, $bob) = mesh();
	my $soon = schedule($alice, to => 'bob', message => 'tick',
	    cron => '* * * * *', deliverAt => now() + 3_600_000);
	ok($soon->{deliverAt} >= now() + 3_500_000
	    && $soon->{deliverAt} % 60_000 == 0, 'the next minute after it');
	$alice->request({ type => 'cancel_scheduled',
	    scheduledId => $soon->{scheduledId} });
	# Once a year: it does not come by itself while this runs.
	my $r = schedule($alice, to => 'bob', message => 'tick',
	    cron => '0 0 29 2 *', subtype => 'reminder', recurring => \1);
	is($r->{cron}, '0 0 29 2 *', 'the line comes back');
	# Three hours were missed.
	let_be_due($r->{scheduledId}, '3 hours');
	is($bob->expect_push(20)->{text}, 'tick', 'comes');
	my ($row) = list($alice);
	is_deeply([@$row{qw(firedCount cron)}], [1, '0 0 29 2 *'], 'counted');
	ok($row->{deliverAt} > now(), 'and due again');
	ok($bob->no_push(after => $alice), 'once for all that it missed');
	$b->psql("update schedule set until_at = now()
	    where id = '$r->{scheduledId}'");
	let_be_due($r->{scheduledId}, '1 second');
	is($bob->expect_push(20)->{text}, 'tick', 'the last one');
	is(list($alice), 0, 'after which it is gone');

	my $year = now() + 200 * 86400_000;
	$r = schedule($alice, to => 'bob', message => 'x', deliverAt => $year,
	    cron => '*/5 * * * *');
	ok($r->{deliverAt} >= $year && $r->{deliverAt} < $year + 300_000,
	    'not before deliverAt');
	$r = schedule($alice, to => 'nobody', message => 'x',
	    cron => '0 0 1 1 *');
	let_be_due($r->{scheduledId}, '1 second');
	ok((wait_until { (list($alice))[0]{lastError} || (list($alice))[1]
	    {lastError} } 20), 'one that fails says why');
	($row) = grep { $_->{lastError} } list($alice);
	like($row->{lastError}, qr/nobody/, 'with the name');
	ok($row->{pending} && $row->{deliverAt} > now(), 'and goes on');
};

subtest 'refused' => sub {
	my ($alice) = mesh();
	my %good = (to => 'bob', message => 'x', deliverAt => now() + 60_000);
	for (['a year ahead', qr/\b40[01] days.*366/,
		deliverAt => now() + 401 * 86400_000],
	    ['no time', qr/deliverAt/, deliverAt => undef],
	    ['for a channel', qr/for channels/, to => '#dev'],
	    ['also for one', qr/for channels/, to => ['bob', '#dev']],
	    ['neither text', qr/message/, message => undef],
	    ['two texts', qr/nonce/, nonce => '', ciphertext => ''],
	    ['half of one', qr/nonce/, message => undef, ciphertext => ''],
	    ['until without cron', qr/until/, until => now()],
	    ['no line', qr/five fields/, cron => '* * *'],
	    ['a bad minute', qr/minute.*0 to 59/, cron => '60 * * * *'],
	    ['a bad weekday', qr/weekday.*names/, cron => '* * * * x'],
	    ['31 February', qr/day that comes/, cron => '0 0 31 2 *'],
	    ['over before it begins', qr/until/, cron => '0 0 1 1 *',
		until => 1000]) {
		my ($name, $why, %bad) = @$_;
		my $r = schedule($alice, %good, %bad);
		is($r->{code} // $r->{type}, 'malformed', $name);
		like($r->{message}, $why, 'says why');
	}
	is(schedule($alice, %good)->{type}, 'scheduled_ack', "the $_. one")
	    for 1 .. 5;
	my $r = schedule($alice, %good);
	is($r->{code}, 'quota', 'not the sixth');
	like($r->{message}, qr/\b5\b/, 'with the number');
	$b->psql('update schedule set due_at = null, last_at = now()');
	is(schedule($alice, %good)->{type}, 'scheduled_ack',
	    'what failed does not count');
	$r = schedule($alice, %good, to => [('x') x 101]);
	is($r->{code}, 'quota', 'too many targets');
};

subtest 'a sender that is gone' => sub {
	my ($alice, $bob, $seed) = mesh();
	schedule($alice, to => 'bob', message => 'bye',
	    deliverAt => now() + 500);
	$alice->close(1000);
	my $m = $bob->expect_push;
	is_deeply([@$m{qw(text senderName senderPubkey)}],
	    ['bye', 'alice', $alice->key], 'its name and key stay');
	for my $case (['revoked', "update member set revoked_at = now()
	    where id = '$seed->{peerA}{memberId}'"],
	    ['banned', "update member set revoked_at = null;
	    insert into ban (member_id, mesh_id, reason, by_member, by_name)
	    select id, mesh_id, '', id, '' from member
	    where id = '$seed->{peerA}{memberId}'"]) {
		my ($name, $sql) = @$case;
		$b->psql("delete from ban");
		$alice = $b->peer($seed->{peerA}, name => 'alice',
		    session_key => 1);
		my $r = schedule($alice, to => 'bob', message => $name,
		    deliverAt => now() + 3600_000);
		$alice->close(1000);
		$b->psql($sql);
		let_be_due($r->{scheduledId}, '0 seconds');
		ok((wait_until { $b->psql("select last_error from schedule
		    where id = '$r->{scheduledId}'") =~ /$name/ } 20),
		    "$name: noted");
		$b->psql("delete from ban; update member set revoked_at = null");
		my $again = $b->peer($seed->{peerA}, name => 'again',
		    session_key => 1);
		ok($bob->no_push(after => $again), "$name: not sent");
		$again->close(1000);
	}
};

subtest 'missed and interrupted' => sub {
	my ($alice, $bob, $seed) = mesh();
	my $at = now() + 1500;
	schedule($alice, to => 'peer-b', message => 'while away',
	    deliverAt => $at);
	is($b->stop, 0, 'the daemon stops');
	wait_until { now() > $at } 10;
	$b->start;
	$bob = $b->peer($seed->{peerB}, name => 'bob', session_key => 1);
	is($bob->expect_push->{text}, 'while away', 'sent at the next start');

	# jobs dies just when it sends.
	$alice = $b->peer($seed->{peerA}, name => 'alice', session_key => 1);
	for my $round (1 .. 5) {
		$at = now() + 300;
		schedule($alice, to => 'bob', message => "$round.$_",
		    deliverAt => $at) for 1 .. 5;
		wait_until { now() >= $at + $round - 3 } 10;
		kill 'KILL', $b->pids('jobs');
		my %got;
		$got{ $bob->expect_push(30)->{text} }++ for 1 .. 5;
		is_deeply(\%got, { map { ("$round.$_" => 1) } 1 .. 5 },
		    "round $round: all arrive");
		ok($bob->no_push(after => $alice), 'and none twice');
	}
};

is($b->stop, 0, 'stopped');
done_testing;
