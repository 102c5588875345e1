#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# What happens, over plain HTTP: as streams of events that go on where they were,
# and in pages that wait until there is something.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes 'time';
use Linnet 'wait_until';
use Linnet::Events;
use Linnet::Guard ();
use Linnet::Live;

my ($hosts, $seed, $ann, $bob) = hosts();
my @hosts = @$hosts;
my $broker = $hosts[0];
my %token = (ann => token($ann), bob => token($bob));

sub events {
	my ($who, $path, %o) = @_;
	return Linnet::Events->new($path, at => $o{host} // $broker,
	    token => $token{$who}{token}, %o);
}
sub get {
	my ($who, $path, %o) = @_;
	return ($o{host} // $broker)->http('GET', $path, { Authorization =>
	    "Bearer $token{$who}{token}", %{ $o{headers} || {} } });
}
sub seq {
	return $_[0]{data}{type} && $_[0]{data}{type} eq 'message.appended'
	    ? $_[0]{data}{streamSeq} : undef;
}
# An id of the same time that is of no event.
sub lost { return substr($_[0], 0, 13) . ('0' x 19) }
# The ids of the events of a stream up to the message of a seq.
sub typed_ids {
	my ($io, $seq) = @_;
	my @ids;
	while (my $e = $io->recv) {
		push @ids, $e->{id};
		last if (seq($e) // 0) == $seq;
	}
	return @ids;
}
# The ids of all lines of the journal, up to one.
sub lines {
	my ($last) = @_;
	my @ids;
	for (my $after = 0; defined $after;) {
		my $r = asks($ann, 'audit_rows', after => $after);
		for (@{ $r->{rows} }) {
			push @ids, $_->{id};
			return @ids if $_->{id} eq $last;
		}
		$after = $r->{next};
	}
	return @ids;
}
# The next event of a type.
sub typed {
	my ($io, $type, $seconds) = @_;
	while (my $e = $io->recv($seconds)) {
		return $e if ($e->{data}{type} // '') eq $type;
	}
	return;
}

my $c = asks($ann, 'create_channel', name => 'general')->{channelId};
subtest 'a stream' => sub {
	my $first = says($ann, $c, "one\ntwo");
	my $io = events('bob', "/v1/streams/$c/events?fromSeq=0");
	is($io->status, 200, 'with a token');
	like($io->{head}, qr/^Cache-Control: no-cache\r$/m, 'not to be kept');
	my $e = $io->recv;
	is($io->retry, 2000, 'it says when to come again');
	is($e->{event}, 'message', 'what EventSource hears by itself');
	like($e->{id}, qr/^[0-9a-f]{32}$/, 'by its own id');
	is($e->{id}, $e->{data}{id}, 'which is in it as well');
	is($e->{data}{n}, undef, 'not by a number that says how much there is');
	is($e->{data}{type}, 'message.appended', 'a message');
	is($e->{data}{streamSeq}, 1, 'its seq');
	is($e->{data}{payload}{messageId}, $first->{messageId}, 'which');
	is($e->{data}{message}{parts}[0]{payload}{text}, "one\ntwo",
	    'what it says');
	my $m = asks($bob, 'post', channel => $c, parts => [{ type => 'text',
	    payload => { text => 'live' } }]);
	$e = $io->recv;
	is($e->{data}{streamSeq}, 2, 'what is new');
	is($e->{data}{payload}{partCount}, 1, 'as the journal has it');
	my $id = $e->{id};
	asks($ann, 'react', messageId => $m->{messageId}, reaction => '+1');
	$e = $io->recv;
	isnt($e->{data}{type}, 'message.appended', 'and whatever happens');
	is($e->{data}{streamSeq}, undef, 'without a seq');
	my $again = events('bob', "/v1/streams/$c/events", last => $id);
	is($again->recv->{id}, $e->{id}, 'it goes on by its last id');
	$again = events('bob', "/v1/streams/$c/events?after=$id&fromSeq=0");
	is($again->recv->{id}, $e->{id}, 'in the query as well');
	$again = events('bob', "/v1/streams/$c/subscribe?fromSeq=1");
	is($again->recv->{data}{streamSeq}, 2, 'on either path');
	my $new = events('bob', "/v1/streams/$c/events");
	my $q = events('bob', "/v1/streams/$c/events?token="
	    . $token{bob}{token}, token => undef);
	is($q->status, 200, 'the token in the query');
	says($ann, $c, 'three');
	is($_->recv->{data}{streamSeq}, 3, 'else only what is new')
	    for $new, $q;
	my $gap = events('bob', "/v1/streams/$c/events", last => 'f' x 32);
	$e = $gap->recv;
	is($e->{event}, 'gap', 'of an event that is not there: it says so');
	is_deeply($e->{data}, { after => 'f' x 32 }, 'what was asked for');
	is($e->{id}, undef, 'who comes again hears it again');
	says($ann, $c, 'four');
	is($gap->recv->{data}{streamSeq}, 4, 'and goes on');
	$gap = events('bob', "/v1/events", last => lost($id));
	is($gap->recv->{event}, 'gap', 'of the mesh');
	my %seen = map { $_ => 1 } typed_ids($gap, 4);
	ok($seen{$id} && $seen{ $again->last_id }, 'which goes on a little '
	    . 'before the time of that: nothing is missed');
	my $r = get('bob', '/v1/events?after=' . lost($id))->{json};
	ok($r->{gap}, 'pages say it');
	ok((grep { $_->{id} eq $id } @{ $r->{events} }), 'and do so too');
	$r = get('bob', "/v1/events?after=$id")->{json};
	ok(!$r->{gap}, 'of an event that is there: no gap');
	ok(!(grep { $_->{id} eq $id } @{ $r->{events} }), 'and nothing twice');
	my $t = asks($ann, 'create_thread', channel => $c, messageId =>
	    $first->{messageId})->{channelId};
	$io = events('bob', "/v1/streams/$t/events?fromSeq=-1");
	is($io->recv->{data}{type}, 'thread.created', 'a thread from its '
	    . 'beginning');
	says($ann, $t, 're');
	is($io->recv->{data}{streamSeq}, 1, 'and on');
};

my %hidden; # lines of a channel that is gone
subtest 'a mesh' => sub {
	my $io = events('bob', '/v1/events');
	my $all = events('ann', '/v1/events?after=0', host => $hosts[1]);
	my $p = asks($ann, 'create_channel', name => 'board', private => \1)
	    ->{channelId};
	my $secret = says($ann, $p, 'secret')->{messageId};

	my $open = says($ann, $c, 'open');
	my $e = $io->recv;
	is($e->{data}{streamId}, $c, 'what one may see');
	is($e->{data}{message}{id}, $open->{messageId}, 'is told');
	my @ids;
	while ($e = $all->recv) {
		push @ids, $e->{id};
		$hidden{ $e->{id} } = 1
		    if ($e->{data}{streamId} // '') eq $p;
		last if ($e->{data}{message}{id} // '')
		    eq $open->{messageId};
	}
	is("@ids", join(' ', lines($e->{id})), 'to who sees all: every line');
	asks($ann, 'add_channel_member', channel => $p, member =>
	    $bob->member_key);
	is($io->recv->{data}{streamId}, $p, 'who is let in hears of it');
	$io = events('bob', '/v1/events', last => 0);
	my $seen;
	while ($e = $io->recv) {
		$seen++ if ($e->{data}{message}{id} // '') eq $secret;
		last if ($e->{data}{streamId} // '') eq $p
		    && $e->{data}{type} eq 'membership.updated'
		    && $e->{data}{payload}{actorId}
		    eq $seed->{peerB}{memberId};
	}
	ok($seen, 'also of what was before');
	asks($ann, 'remove_channel_member', channel => $p, member =>
	    $bob->member_key);
	says($ann, $p, 'secret again');
	$open = says($ann, $c, 'open again');
	$e = typed($io, 'message.appended');
	is($e->{data}{message}{id}, $open->{messageId},
	    'and who is taken out no more');
	asks($ann, 'delete_channel', channel => $p);
	while ($e = $all->recv) {
		last if $e->{data}{type} eq 'audit.logged';
		$hidden{ $e->{id} } = 1
		    if ($e->{data}{streamId} // '') eq $p;
	}
	is($e->{data}{streamId}, undef, 'what is about no channel');
	$open = says($ann, $c, 'open still');
	$e = $io->recv;
	is($e->{data}{message}{id}, $open->{messageId},
	    'is not for everybody');
};

subtest 'a long history' => sub {
	my $id = asks($ann, 'create_channel', name => 'long')->{channelId};
	many($ann, $id, 1, 3000);
	my @io = map { events('bob', $_ < 2
	    ? "/v1/streams/$id/events?fromSeq=0" : '/v1/events?after=0',
	    host => $hosts[$_ % 2]) } 0 .. 3;
	my @writers = map { $hosts[$_ % 2]->peer($seed->{peerA},
	    name => "w$_") } 0 .. 3;
	for my $n (1 .. 50) {
		$_->post(type => 'post', channel => $id, text => "n$n")
		    for @writers;
	}
	for my $w (@writers) {
		$w->wait_for('posted') for 1 .. 50;
	}
	my $of = sub { return ($_[0]{data}{streamId} // '') eq $id
	    ? seq($_[0]) : undef };
	is(seqs_to($io[$_], 3200, $of), join(' ', 1 .. 3200),
	    "$_: all of it, once and in order") for 0 .. 3;
	$_->drop for @io;
	says($ann, $id, 'x' x 300_000) for 1 .. 60;
	my $slow = events('bob', "/v1/streams/$id/events?fromSeq=3150");
	$slow->pause(1);
	says($ann, $id, 'x' x 300_000) for 1 .. 5;
	wait_until { 0 } 2;
	$slow->pause(0);
	is(seqs_to($slow, 3265, $of), join(' ', 3151 .. 3265),
	    'to who reads late');
	$slow->drop;
};

subtest 'bad input' => sub {
	for ("after=x", 'after=', 'after=-1', 'after=1', 'after=' . 'f' x 31,
	    'after=' . 'f' x 33, 'fromSeq=x',
	    'fromSeq=-2', 'fromSeq=99999999999999999999') {
		my $io = events('bob', "/v1/streams/$c/events?$_");
		is($io->status, 400, $_);
		is($io->{response}{json}{code}, 'VALIDATION', 'and why');
	}
	for ('x', '-1', '1', '00', 'f' x 31, 'f' x 33, 'g' x 32) {
		is(events('bob', "/v1/$_->[0]", last => $_->[1])->status, 400,
		    "Last-Event-ID $_->[1]")
		    for ["streams/$c/events", $_], ['events', $_];
	}
	is(events('bob', "/v1/streams/$_/events")->status, 404, "no stream $_")
	    for 'f' x 32, 'nowhere';
	is(events('bob', '/v1/events', token => undef)->status, 401, 'nobody');
	my $mute = asks($ann, 'create_token', scopes => ['state:read'])
	    ->{token};
	my $io = events('bob', '/v1/events', token => $mute);
	is($io->status, 403, 'a token for other things');
	is($io->{response}{headers}{'content-type'},
	    'application/problem+json', 'as problems are told');
	is($broker->http('POST', '/v1/events', {}, {})->{status}, 405, 'POST');
	my $p = asks($ann, 'create_channel', name => 'wall', private => \1)
	    ->{channelId};
	is(events('bob', "/v1/streams/$p/events")->status, 404,
	    'a private one is not there');
};

subtest 'pages' => sub {
	my $id = asks($ann, 'create_channel', name => 'pages')->{channelId};
	many($ann, $id, 1, 450);
	my $r = get('bob', "/v1/streams/$id/subscribe");
	is($r->{status}, 200, 'without asking for a stream');
	is(scalar @{ $r->{json}{events} }, 200, 'a page');
	is_deeply([sort keys %{ $r->{json}{events}[0] }], [qw(createdAt id orgId
	    payload streamId streamSeq type)], 'of events');
	my (@seq, $from);
	for ($from = 0;; $from = $r->{json}{nextSeq}) {
		$r = get('bob', "/v1/streams/$id/subscribe?fromSeq=$from",
		    host => $hosts[@seq % 2]);
		push @seq, map { $_->{streamSeq} } @{ $r->{json}{events} };
		last if !$r->{json}{more};
	}
	is("@seq", join(' ', 1 .. 450), 'page after page');
	is_deeply([map { $_->{streamSeq} } @{ get('bob',
	    "/v1/streams/$id/subscribe?fromSeq=448")->{json}{events} }],
	    [449, 450], 'after a seq');
	is(get('bob', "/v1/streams/$id/subscribe?fromSeq=-1&limit=1")
	    ->{json}{events}[0]{type}, 'channel.created', 'from the first');
	my (@ids, $after);
	for ($after = 0;; $after = $r->{json}{next}) {
		$r = get('ann', "/v1/events?after=$after&limit=500");
		push @ids, map { $_->{id} } @{ $r->{json}{events} };
		last if !$r->{json}{more};
	}
	is("@ids", join(' ', grep { !$hidden{$_} } lines($ids[-1])),
	    'all of a mesh, but for a channel that is gone');
	for ('limit=0', 'limit=501', 'limit=x', 'after=-1', 'after=1', 'wait=61',
	    'wait=-1', 'wait=x') {
		is(get('bob', "/v1/$_->[0]?$_->[1]")->{status}, 400,
		    "$_->[0] $_->[1]")
		    for ['events', $_], ["streams/$id/subscribe", $_];
	}
	is(get('bob', '/v1/streams/' . 'f' x 32 . '/subscribe')->{status}, 404,
	    'no stream');
	is($broker->http('GET', '/v1/events')->{status}, 401, 'nobody');
};

subtest 'pages that wait' => sub {
	my $id = asks($ann, 'create_channel', name => 'wait')->{channelId};
	my $n = 0;
	for ("streams/$id/subscribe?fromSeq=SEQ",
	    "streams/$id/subscribe?after=LINE", 'events?after=LINE') {
		for my $host (@hosts) {
			my $seq = asks($ann, 'read_channel', channel => $id)
			    ->{lastSeq};
			while (1) {
				my $r = get('ann',
				    "/v1/events?limit=500&after=$n");
				$n = $r->{json}{next};
				last if !$r->{json}{more};
			}
			my $io = $host->tcp;
			$io->put(Linnet::Http::request(GET => '/v1/'
			    . s/SEQ/$seq/r =~ s/LINE/$n/r . '&wait=20', {
			    Authorization => "Bearer $token{bob}{token}" }));
			wait_until { $io->{in} ne '' } 0.3;
			is($io->{in}, '', 'while there is nothing');
			my $m = says($ann, $id, 'now');
			my $t = time;
			my $r = $io->answer('GET', 10);
			is($r->{json}{events}[0]{payload}{messageId},
			    $m->{messageId}, 'as soon as there is something');
			ok(time - $t < 5, 'at once');
		}
	}
	my $t = time;
	my $r = get('bob', "/v1/streams/$id/subscribe?fromSeq=1000&wait=1");
	is_deeply($r->{json}{events}, [], 'nothing at the end of the time');
	ok(time - $t > 0.9, 'and not before');
	$r = get('bob', "/v1/streams/$id/subscribe?fromSeq=0&wait=60");
	is(scalar @{ $r->{json}{events} }, 6, 'what there is comes at once');
	{
		local $token{bob} = token($bob);
		my $io = $broker->tcp;
		$io->put(Linnet::Http::request(GET =>
		    "/v1/streams/$id/subscribe?fromSeq=6&wait=60", {
		    Authorization => "Bearer $token{bob}{token}" }));
		wait_until { 0 } 0.3;
		asks($bob, 'revoke_token', tokenId => $token{bob}{tokenId});
		wait_until { 0 } 0.3;
		says($ann, $id, 'not for who has no token');
		is($io->answer('GET', 10)->{status}, 401,
		    'a token that ends meanwhile');
	}
	# Who goes while it waits leaves nothing behind.
	my @io = map { $broker->tcp } 1 .. 20;
	$_->put(Linnet::Http::request(GET =>
	    "/v1/streams/$id/subscribe?fromSeq=1000&wait=60", {
	    Authorization => "Bearer $token{bob}{token}" })) for @io;
	wait_until { 0 } 0.3;
	$_->drop for @io;
	says($ann, $id, 'after');
	is(get('bob', '/livez')->{status}, 200, 'it lives');
};

subtest 'ends' => sub {
	my $p = asks($ann, 'create_channel', name => 'team', private => \1)
	    ->{channelId};
	for my $host (@hosts) {
		asks($ann, 'add_channel_member', channel => $p, member =>
		    $bob->member_key);
		my $io = events('bob', "/v1/streams/$p/events", host => $host);
		asks($ann, 'remove_channel_member', channel => $p, member =>
		    $bob->member_key);
		says($ann, $p, 'behind its back');
		my $e = $io->recv;
		is($e->{event}, 'end', 'of who is taken out');
		is($e->{data}{code}, 'PERMISSION_DENIED', 'says why');
		ok($io->wait_over, 'and is the end');
		local $token{bob} = token($bob);
		$io = events('bob', '/v1/events', host => $host);
		my $two = events('bob', "/v1/streams/$c/events", host => $host);
		asks($bob, 'revoke_token', tokenId => $token{bob}{tokenId});
		for ($io, $two) {
			# What the mesh has of the token itself may come first.
			do { $e = $_->recv } while ($e && ($e->{data}{type}
			    // '') =~ /^token\./);
			is($e->{event}, 'end', 'of a token');
			is($e->{data}{code}, 'UNAUTHORIZED', 'says why');
			ok($_->wait_over, 'and is the end');
		}
	}
	my $id = asks($ann, 'create_channel', name => 'kill')->{channelId};
	my $io = events('bob', "/v1/streams/$id/events?fromSeq=0", host =>
	    $hosts[1]);
	many($ann, $id, 1, 100);
	my @seq = (seqs_to($io, 40, \&seq) =~ /\d+/g);
	kill KILL => $hosts[1]->pids('worker');
	$io->wait_over;
	push @seq, grep { defined } map { seq($_) } $io->queued;
	many($ann, $id, 101, 150);
	my $again;
	wait_until { eval { $again = events('bob', "/v1/streams/$id/events",
	    host => $hosts[1], last => $io->last_id);
	    $again->status == 200 } } 20, 'the host to serve again';
	push @seq, split / /, seqs_to($again, 150, \&seq);
	is("@seq", join(' ', 1 .. 150), 'of a worker: it goes on');
};

subtest 'quiet' => sub {
	my $io = events('bob', "/v1/streams/$c/events");
	ok(wait_until { $io->comments > 0 } 20, 'it says that it lives');
	says($ann, $c, 'not quiet');
	is($io->recv->{data}{message}{parts}[0]{payload}{text}, 'not quiet',
	    'and goes on');
};

# A client that others wrote.
subtest 'EventSource of node' => sub {
	my $modules = "$Linnet::Guard::builddir/node/node_modules";
	plan skip_all => 'no node with eventsource'
	    if !-d "$modules/eventsource"
	    || Linnet::run(['node', '--version']);
	my $id = asks($ann, 'create_channel', name => 'node')->{channelId};
	many($ann, $id, 1, 300);
	# The worker that it is with dies in the middle.
	my ($st, $out, $err) = Linnet::run(['node', '-e', <<'NODE',
const [, modules, url, token, ...pids] = process.argv;
const { EventSource } = require(modules + '/eventsource');
const es = new EventSource(url + '&token=' + token);
const seqs = [];
es.onmessage = (m) => {
	const e = JSON.parse(m.data);
	if (e.type !== 'message.appended') return;
	seqs.push(e.streamSeq);
	if (seqs.length === 150)
		for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
	if (e.streamSeq < 300) return;
	console.log(seqs.join(' '));
	es.close();
};
NODE
	    $modules, 'http://' . $hosts[1]->address
	    . "/v1/streams/$id/events?fromSeq=0", $token{bob}{token},
	    $hosts[1]->pids('worker')], timeout => 60);
	is($err, '', 'has no complaint');
	is($out, join(' ', 1 .. 300) . "\n",
	    'and hears all of it, though its worker was killed');
};

my @last = map { events('bob', '/v1/events', host => $_) } @hosts;
$_->stop for reverse @hosts;
ok($_->wait_over, 'the end is clean') for @last;
done_testing;
