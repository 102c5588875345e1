#!/usr/bin/env perl
# send: whom it reaches, what its sender is told, in which order it arrives.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet;
use Linnet::Workers;

my $b = Linnet->broker(workers => 2);

# A mesh of its own with named peers; each has a session key and acks.
sub mesh {
	my (%groups) = @_;
	my $seed = $b->seed;
	my (%p, $n);
	for my $name (sort keys %groups) {
		my $member = $seed->{ $n++ % 2 ? 'peerB' : 'peerA' };
		$p{$name} = $b->peer($member, name => $name, acks => 1,
		    session_key => 1, groups => $groups{$name});
	}
	see_each_other(values %p);
	return { seed => $seed, %p };
}

# Each knows of all of them, on whatever worker they are.
sub see_each_other {
	my (@peers) = @_;
	for my $p (@peers) {
		ok((wait_until { @peers == @{ $p->request(
		    { type => 'list_peers' })->{peers} } }), 'they met');
	}
	return;
}

sub ack_ok {
	my ($r, $recipients, $name) = @_;
	is($r->{type} eq 'ack' ? $r->{recipients} : "$r->{code}",
	    $recipients, $name);
	return $r;
}

sub error_ok {
	my ($r, $code, $name) = @_;
	is($r->{code} // $r->{type}, $code, $name);
	like($r->{message}, qr/\S+ \S+/, "$name: a sentence");
	return $r;
}

# Takes and acks a push.
sub got {
	my ($p) = @_;
	my $m = $p->expect_push or return '(nothing)';
	$p->ack($m);
	return $m->{text};
}

# Which of these got the message, among a marker to each.
sub reached {
	my ($from, $text, %p) = @_;
	my @got;
	for my $name (sort keys %p) {
		$from->send(to => $p{$name}->key, text => 'end',
		    priority => 'now') if $p{$name} != $from;
	}
	for my $name (sort keys %p) {
		next if $p{$name} == $from;
		while ((my $t = got($p{$name})) ne 'end') {
			last if $t eq '(nothing)';
			push @got, $t eq $text ? $name : "$name($t)";
		}
	}
	return "@got";
}

subtest 'ack and push' => sub {
	my $m = mesh(alice => [], bob => []);
	my ($alice, $bob) = @$m{qw(alice bob)};
	my $r = $alice->send(to => $bob->key, text => 'hi', id => 'my-id',
	    nonce => 'not base64!', ciphertext => "caf\x{e9} \x{1f426}\\\"");
	is($r->{type}, 'ack', 'ack');
	is($r->{id}, 'my-id', 'id comes back');
	like($r->{messageId}, qr/^[0-9a-f]{32}$/, 'messageId');
	ok($r->{queued}, 'queued');
	is($r->{recipients}, 1, 'recipients');
	ok(!$r->{duplicate}, 'no duplicate');
	my $push = $bob->expect_push;
	is($push->{messageId}, $r->{messageId}, 'push: messageId');
	is($push->{meshId}, $m->{seed}{meshId}, 'meshId');
	is($push->{senderPubkey}, $alice->key, 'senderPubkey');
	is($push->{senderMemberPubkey}, $alice->member_key,
	    'senderMemberPubkey');
	is($push->{senderMemberId}, $m->{seed}{peerA}{memberId},
	    'senderMemberId');
	is($push->{senderName}, 'alice', 'senderName');
	is($push->{priority}, 'next', 'priority');
	is($push->{nonce}, 'not base64!', 'nonce as it was');
	is($push->{ciphertext}, "caf\x{e9} \x{1f426}\\\"",
	    'ciphertext as it was');
	like($push->{createdAt}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/,
	    'createdAt');
	$r = $alice->send(to => $bob->key, text => 'no id', id => undef);
	is($r->{id}, '', 'without an id the ack has an empty one');
	my %m = $alice->send_fields(to => $bob->key, text => 'two ids',
	    id => 'a');
	$r = $alice->request({ %m, client_message_id => 'b' });
	is($r->{id}, 'a', 'with both the id comes back');
};

subtest 'direct' => sub {
	my $m = mesh("J\x{fc}rgen" => [], alice => []);
	my ($alice, $j) = @$m{ 'alice', "J\x{fc}rgen" };
	my $seed = $m->{seed};
	for my $to ($j->member_key, uc $j->member_key, $j->key, uc $j->key,
	    "J\x{fc}rgen", "j\x{dc}RGEN", ["J\x{fc}rgen"]) {
		my $text = 'to ' . (ref $to ? 'a list' : $to);
		utf8::encode($text);
		ack_ok($alice->send(to => $to, text => $text), 1,
		    $text);
		is(got($j), $text, 'arrives');
	}
	ack_ok($alice->send(to => $alice->member_key, text => 'note'), 1,
	    'to oneself');
	is(got($alice), 'note', 'arrives too');
};

subtest 'held' => sub {
	my $seed = $b->seed;
	my $alice = $b->peer($seed->{peerA}, name => 'alice');
	my $bob = $b->peer($seed->{peerB}, name => 'bob', acks => 1,
	    session_key => 1, groups => ['dev']);
	$bob->close;
	ok((wait_until {
		!grep { $_->{displayName} eq 'bob' } @{ $alice->request(
		    { type => 'list_peers' })->{peers} } }), 'bob is away');
	my @targets = ($seed->{peerB}{pubkey}, $bob->key, 'bob', 'PEER-B',
	    '@dev', '*');
	for my $i (0 .. $#targets) {
		ack_ok($alice->send(to => $targets[$i], text => "held $i",
		    priority => (qw(now next low))[$i % 3]), 1,
		    "held for $targets[$i]");
	}
	$bob = $b->peer($seed->{peerB}, name => 'bob', acks => 1,
	    session_key => $bob->{session});
	is(got($bob), "held $_", "delivered in order: $_") for 0 .. $#targets;
	ok($bob->no_push(after => $alice), 'once');

	# At once after its hello, on whatever worker it is.
	for my $i (1 .. 20) {
		my $new = $b->peer($seed->{peerB}, name => "new $i", acks => 1,
		    session_key => 1);
		my $r = $alice->send(to => $i % 2 ? "NEW $i" : $new->key,
		    text => 'welcome');
		ack_ok($r, 1, 'to one that has just come');
		is(got($new), 'welcome', 'it arrives');
	}

	# A member that was never connected, or not under this session.
	$seed = $b->seed;
	$alice = $b->peer($seed->{peerA}, name => 'alice');
	ack_ok($alice->send(to => 'Peer-B', text => 'first'), 1,
	    'for a member that never was here');
	$bob = $b->peer($seed->{peerB}, session_key => 1, acks => 1);
	is(got($bob), 'first', 'at its first hello');
};

subtest 'groups' => sub {
	my %p = %{ mesh(ann => ['a'], ben => ['a/b'], cem => ['a/b/c', 'x'],
	    dan => ['ab', 'x'], eve => []) };
	delete $p{seed};
	my $eve = $p{eve};
	for (['@a', 3, 'ann ben cem'], ['@a/b', 2, 'ben cem'],
	    ['@a/b/c', 1, 'cem'], ['@ab', 1, 'dan'], ['@x', 2, 'cem dan'],
	    ['@all', 4, 'ann ben cem dan'], ['*', 4, 'ann ben cem dan'],
	    [['@a', '@x'], 4, 'ann ben cem dan'],
	    [['@a/b', 'Ben', $p{ben}->key], 2, 'ben cem'],
	    [['ann', 'dan', 'ann'], 2, 'ann dan'],
	    [['*', '@all', 'cem'], 4, 'ann ben cem dan']) {
		my ($to, $n, $who) = @$_;
		my $name = ref $to ? join ' ', map { substr $_, 0, 8 } @$to : $to;
		# With an id it is stored first, without one pushed first.
		for my $id ("$name-id", undef) {
			ack_ok($eve->send(to => $to, text => $name, id => $id),
			    $n, "$name: how many");
			is(reached($eve, $name, %p), $who, "$name: who");
		}
	}
	my $ann = $p{ann};
	ack_ok($ann->send(to => '@a', text => 'not me'), 2,
	    'a multicast spares its sender');
	is(reached($ann, 'not me', %p), 'ben cem', 'only');
	ok($ann->no_push(after => $eve), 'its sender has nothing');
	ack_ok($ann->send(to => ['@a', 'ann'], text => 'me too'), 3,
	    'unless it is named');
	is(got($ann), 'me too', 'then it has it');

	# Groups change.
	is(reached($ann, '-', %p), 'ben(me too) cem(me too)', 'drained');
	$p{eve}->request({ type => 'join_group', name => 'a/new' });
	$p{ben}->request({ type => 'leave_group', name => 'a/b' });
	my $text = 'after';
	ok((wait_until {
		$ann->send(to => '@a', text => ++$text)->{recipients} == 2
		    && $ann->send(to => '@a/new', text => ++$text)->{type}
		    eq 'ack' }), 'joined and left');
	error_ok($ann->send(to => '@nobody', text => 'x'), 'unknown_target',
	    'a group without anybody');
};

subtest 'alone' => sub {
	my $seed = $b->seed;
	my $p = $b->peer($seed->{peerA});
	ack_ok($p->send(to => '*', text => 'x'), 0, '* without others');
};

subtest 'unknown and ambiguous' => sub {
	my $m = mesh(Reviewer => [], planner => [], coder => []);
	my $p = $m->{planner};
	for my $to ('nobody', '0' x 64, '@', 'a' x 200, '@@x', "it's", '%',
	    "x') or ('1'='1") {
		error_ok($p->send(to => $to, text => 'x'), 'unknown_target',
		    'to ' . substr $to, 0, 20);
	}
	my $r = error_ok($p->send(to => 'reviewr', text => 'x', id => 'one'),
	    'unknown_target', 'a typing error');
	is($r->{id}, 'one', 'the id comes back');
	is_deeply($r->{candidates}, ['Reviewer'], 'the name that is near');
	like($r->{message}, qr/Reviewer/, 'is in the sentence');
	is_deeply($p->send(to => 'peer-q', text => 'x')->{candidates} &&
	    [sort @{ $p->send(to => 'peer-q', text => 'x')->{candidates} }],
	    ['peer-a', 'peer-b'], 'members are near too');
	error_ok($p->send(to => ['coder', 'nobody'], text => 'x'),
	    'unknown_target', 'one of several');
	ok($m->{coder}->no_push(after => $p), 'then nobody gets it');

	# The same name twice, by different members.
	my $seed = $b->seed;
	my ($x, $y) = map { $b->peer($seed->{$_}, name => 'Twin',
	    session_key => 1) } qw(peerA peerB);
	my $z = $b->peer($seed->{peerA}, name => 'asks', session_key => 1);
	see_each_other($x, $y, $z);
	$r = error_ok($z->send(to => 'twin', text => 'x'), 'ambiguous_target',
	    'one name, two members');
	is_deeply([sort @{ $r->{candidates} }], [sort $x->key, $y->key],
	    'both keys');
	ack_ok($z->send(to => $r->{candidates}[0], text => 'x'), 1,
	    'one of which will do');
};

subtest 'two sessions of a member' => sub {
	my $seed = $b->seed;
	my $from = $b->peer($seed->{peerA}, name => 'from');
	my @s = map { $b->peer($seed->{peerB}, name => 'twin', acks => 1,
	    session_key => 1) } 1 .. 2;
	see_each_other($from, @s);
	for my $to ($seed->{peerB}{pubkey}, 'twin') {
		my $r = ack_ok($from->send(to => $to, text => 'one of you'),
		    1, 'to the member');
		my ($m, $who);
		wait_until {
			for (0, 1) {
				$m //= $s[$_]->ws->pick(
				    \&Linnet::Peer::is_message) and $who //= $_;
			}
			$m
		} 10, 'a push' or return fail('no push');
		is($m->{messageId}, $r->{messageId}, 'one has it');
		ok($s[1 - $who]->no_push(after => $from), 'the other has not');
		$s[$who]->drop;
		my $again = $s[1 - $who]->expect_push;
		is($again && $again->{messageId}, $r->{messageId},
		    'when the first dies without an ack it moves');
		$s[1 - $who]->ack($again);
		$s[$who] = $b->peer($seed->{peerB}, name => 'twin', acks => 1,
		    session_key => 1);
		ok($s[$who]->no_push(after => $from), 'and stays there');
	}
	# The one that may be disturbed.
	$s[0]->request({ type => 'set_status', status => 'dnd' });
	my $n = 0;
	ok((wait_until {
		$from->send(to => $seed->{peerB}{pubkey}, text => 'quiet ' . $n++);
		my $t = got($s[1]);
		$t =~ /^quiet/
	}), 'the idle session is chosen');
};

subtest 'idempotent' => sub {
	my $m = mesh(alice => [], bob => ['g']);
	my ($alice, $bob) = @$m{qw(alice bob)};
	for my $to ('bob', '@g', '*') {
		my %o = (to => $to, text => "only once $to", id => "i-$to");
		my $first = $alice->send(%o);
		is($first->{type}, 'ack', "$to: sent");
		my $second = $alice->send(%o);
		ok($second->{duplicate}, 'again: a duplicate');
		is($second->{messageId}, $first->{messageId}, 'the same id');
		error_ok($alice->send(%o, text => 'other'), 'id_conflict',
		    'other text, same id');
		error_ok($alice->send(%o, priority => 'low'), 'id_conflict',
		    'other priority, same id');
		error_ok($alice->send(%o, to => $bob->key), 'id_conflict',
		    'other target, same id');
		ok(!$bob->send(%o, to => 'alice')->{duplicate},
		    'the id of another sender is another id')
		    if $to eq 'bob';
		is(got($bob), "only once $to", 'it arrives');
		ok($bob->no_push(after => $alice), 'once');
	}
	# All at once, and over another connection of the same session.
	my %o = (to => 'bob', text => 'burst', id => 'burst');
	my @r = map { $alice->reply($_) } map { $alice->send_later(%o) } 1 .. 20;
	my %ids = map { $_->{messageId} => 1 } @r;
	is(keys %ids, 1, 'twenty at once are one message');
	is((grep { !$_->{duplicate} } @r), 1, 'one of them new');
	is(got($bob), 'burst', 'it arrives');
	ok($bob->no_push(after => $alice), 'once');
	my $again = $b->peer($m->{seed}{peerA}, name => 'alice',
	    session_key => $alice->{session});
	is($again->send(%o)->{messageId}, $r[0]{messageId},
	    'also after the sender came back');
};

subtest 'order' => sub {
	ok((wait_until {
		!grep { $_ } Linnet::Workers::connections($b) } 10),
	    'no connections');
	my $seed = $b->seed;
	my $from = $b->peer($seed->{peerA}, name => 'from');
	my $to = $b->peer($seed->{peerB}, name => 'to', acks => 1,
	    session_key => 1, groups => ['g']);
	ok(spread($b, 2), 'on two workers');
	my $near = $b->peer($seed->{peerB}, name => 'near', session_key => 1,
	    groups => ['g'], acks => 1);
	my $near2 = $b->peer($seed->{peerB}, name => 'near2', session_key => 1,
	    groups => ['g']);
	ok(spread($b, 4), 'and two more');
	see_each_other($from, $to, $near, $near2);

	my @ids = map { $from->send_later(to => $to->key, text => $_) }
	    1 .. 300;
	my @order;
	while (@order < 300) {
		my $r = $from->ws->recv or last;
		push @order, $r->{_reqId} if $r->{type} eq 'ack';
	}
	is("@order", "@ids", '300 requests are answered in order');
	my @got = map { got($to) } 1 .. 300;
	is("@got", join(' ', 1 .. 300), 'and arrive in order');
	# Other requests between them.
	@ids = map { ($from->send_later(to => $to->key, text => $_),
	    $from->post(type => 'set_state', key => 'k', value => $_),
	    $from->post(type => 'get_state', key => 'k'),
	    $from->post(type => 'list_peers')) } 1 .. 30;
	my (@values, @mixed);
	while (@mixed < @ids) {
		my $r = $from->ws->recv or last;
		next if !defined $r->{_reqId};
		push @mixed, $r->{_reqId};
		push @values, $r->{value} if $r->{type} eq 'state_result';
	}
	is("@mixed", "@ids", 'so are requests of many kinds');
	is("@values", join(' ', map { ($_, $_) } 1 .. 30),
	    'what was set is what is read');
	@got = map { got($to) } 1 .. 30;
	is("@got", join(' ', 1 .. 30), 'messages among them are in order');

	# Direct, multicast and held ones, to both workers, with a status that
	# changes in the middle.
	my @targets = ($to->key, '@g', '*', ['to', '@g'], 'to');
	my @peers = ($to, $near, $near2);
	for my $round (1 .. 3) {
		my (%sent, %got);
		my $n = 0;
		my $burst = sub {
			my @later;
			for (1 .. 40) {
				my $i = $n % @targets;
				push @later, $from->send_later(
				    to => $targets[$i], text => ++$n,
				    $i % 2 ? (id => undef) : ());
				push @{ $sent{$_} }, $n for $i == 0 || $i == 4
				    ? 0 : (0 .. 2);
			}
			return @later;
		};
		my @later = $burst->();
		$to->post(type => 'set_status', status => 'working');
		push @later, $burst->();
		is($from->reply($_)->{type}, 'ack', 'sent')
		    or last for @later;
		@later = $burst->();
		$to->post(type => 'set_status', status => 'idle');
		push @later, $burst->();
		is($from->reply($_)->{type}, 'ack', 'sent')
		    or last for @later;
		for my $i (0 .. 2) {
			my @g = map { got($peers[$i]) } @{ $sent{$i} };
			is("@g", "@{ $sent{$i} }",
			    "round $round: mixed kinds in order, peer $i");
			ok($peers[$i]->no_push(after => $from), 'and no more');
		}
	}
};

# A name that only the database knows takes longer than a key.
subtest 'order over many ways to say who' => sub {
	my $seed = $b->seed;
	my $from = $b->peer($seed->{peerA}, name => 'from');
	my $to = $b->peer($seed->{peerB}, name => 'to', acks => 1,
	    session_key => 1);
	see_each_other($from, $to);
	my @ways = ('PEER-B', $to->key, 'to', ['peer-b'], $to->member_key);
	my @ids = map { $from->send_later(to => $ways[$_ % @ways],
	    text => $_) } 1 .. 200;
	is($from->reply($_)->{type}, 'ack', 'sent') or last for @ids;
	is(join(' ', map { got($to) } 1 .. 200), join(' ', 1 .. 200),
	    'in order');
};

is($b->stop, 0, 'stopped');
done_testing;
