#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Who shows a token to /mcp is a peer like any other: on one worker, on two, and
# on two hosts, where each request goes to the other one.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Test::More;
use Time::HiRes 'time';
use Linnet qw(wait_until);
use Linnet::Cli 'said';
use Linnet::Postgres;
use Linnet::Proc 'scratch';
use Linnet::Visitor;

my @options = ('mesh.ack_time 5s', 'mesh.lease 2s', 'rate.refused 0',
    'rate.hello 0', 'rate.member 0', 'rate.pair 0', 'rate.requests 0');
my $places = 0;

sub row {
	my ($p, $name) = @_;
	my ($row) = grep { $_->{displayName} eq $name }
	    @{ $p->request({ type => 'list_peers' })->{peers} };
	return $row;
}

# An event of a peer of this name.
sub heard {
	my ($p, $event, $name) = @_;
	my $e = $p->wait_for(sub { ($_->{event} // '') eq $event
	    && $_->{eventData}{displayName} eq $name }, 20);
	return ok($e, "$event: $name");
}

sub has_state {
	my ($alice, $ack, $want, $name) = @_;
	my $state;
	ok((wait_until {
		my $r = $alice->request({ type => 'message_status',
		    messageId => $ack->{messageId} });
		$state = join ' ', map { $_->{state} } @{ $r->{recipients} };
		$state eq $want } 10), $name // $want) or diag $state;
	return;
}

# A mesh in which alice rules and is connected; and a token of the other one.
sub mesh {
	my ($sql, @at) = @_;
	my $seed = $at[0]->ctl_json((map { ('-o', $_) } grep { /^database/ }
	    @{ $at[0]{options} }), 'seed');
	$_->{meshId} //= $seed->{meshId} for @$seed{qw(peerA peerB)};
	$sql->("update member set role = 'admin'
	    where id = '$seed->{peerA}{memberId}'");
	my $alice = $at[0]->peer($seed->{peerA}, name => 'alice',
	    attest => 1, acks => 1);
	my $b = $at[0]->peer($seed->{peerB}, name => 'b', control => 1);
	my $t = $b->request({ type => 'create_token', name => 'agent' });
	$b->close;
	return ($seed, $alice, $t);
}

# What holds wherever the requests go.
sub everywhere {
	my ($sql, @at) = @_;
	my ($seed, $alice, $t) = mesh($sql, @at);
	my $bob = Linnet::Visitor->new($t->{token}, at => \@at, name => 'bob');
	my $bname = 'peer-b';

	# It comes.
	my $who = $bob->does('list_peers');
	heard($alice, 'peer_joined', $bname);
	my $row = row($alice, $bname);
	is_deeply([@$row{qw(peerType channel status)}], ['ai', 'mcp', 'idle'],
	    'what it is');
	isnt($row->{pubkey}, $row->{memberPubkey}, 'with a key of its own');
	ok((grep { $_->{name} eq $bname } @{ $who->{peers} }),
	    'it sees itself');

	# Messages of every kind.
	$alice->send(to => $bname, text => 'name');
	is($bob->texts, 'name', 'by its name');
	$alice->send(to => $row->{pubkey}, text => 'key');
	is($bob->texts, 'key', 'by its key');
	$alice->send(to => '*', text => 'all');
	is($bob->texts, 'all', 'to everybody');
	my %g = map { $_ => $bob->call(join_group => { name => $_ }) }
	    qw(one two three four);
	$bob->result('join_group', $_) for values %g;
	ok((wait_until { join(' ', sort map { $_->{name} }
	    @{ row($alice, $bname)->{groups} }) eq 'four one three two' } 10),
	    'groups that it joined at once')
	    or diag explain row($alice, $bname);
	$bob->does(leave_group => { name => 'two' });
	$alice->send(to => '@three', text => 'group');
	is($bob->texts, 'group', 'to a group');
	is(($alice->send(to => '@two', text => 'x') // {})->{type}, 'error',
	    'which it left');
	$bob->does(set_summary => { summary => 'counts peas' });
	$bob->does(set_status => { status => 'dnd' });
	ok((wait_until { my $r = row($alice, $bname);
	    $r->{status} eq 'dnd' && $r->{summary} eq 'counts peas' } 10),
	    'what it says of itself');
	$alice->send(to => $bname, text => 'low', priority => 'low');
	is($bob->texts, 'low', 'it has what its status would hold back');
	$bob->does(set_status => { status => 'idle' });
	my $said = $bob->does(send_message => { to => 'alice',
	    message => 'to you' });
	my $push = $alice->expect_push;
	is_deeply([@$push{qw(text senderName senderPubkey)}],
	    ['to you', $bname, $row->{pubkey}], 'what it sends is from it');
	$alice->ack($push);

	# Sealed.
	my $n = ++$places;
	said("carol$n", 'join', $seed->{inviteLink}, '--name', 'carol');
	said("carol$n", 'send', $row->{pubkey}, 'behind seals');
	my $m = $bob->does(wait_for_message => { seconds => 10 })
	    ->{messages}[0];
	is($m->{text}, 'behind seals', 'what is sealed to its key');
	ok($m->{encrypted}, 'and was');

	# How far it is.
	my $ack = $alice->send(to => $row->{pubkey}, text => 'status');
	has_state($alice, $ack, 'queued', 'it waits');
	my $look = sub { $bob->ask('resources/read',
	    { uri => 'linnet://inbox' })->{json}{result}{contents}[0]{text} };
	like($look->(), qr/status/, 'it is looked at');
	has_state($alice, $ack, 'pushed');
	like($look->(), qr/status/, 'and again');
	is($bob->tries('get_state', { key => 'x' })->{unread}{count}, 1,
	    'still unread');
	is($bob->does('check_messages')->{messages}[0]{text}, 'status',
	    'and taken');
	has_state($alice, $ack, 'acked');
	$ack = $alice->send(to => '*', text => 'by id');
	like($look->(), qr/by id/, 'another one');
	$bob->does(ack => { ids => [$ack->{messageId}] });
	ok((wait_until { my $r = $alice->request({ type => 'message_status',
	    messageId => $ack->{messageId} });
	    grep { $_->{name} eq $bname && $_->{state} eq 'acked' }
	    @{ $r->{recipients} } } 10), 'acked by its id');
	is($bob->tries('get_state', { key => 'x' })->{unread}{count}, 0,
	    'nothing is unread');

	# It is woken, wherever it waits.
	for my $to ($bname, $row->{pubkey}, '@one', '*') {
		my $io = $bob->call(wait_for_message => { seconds => 30 });
		$bob->tries('get_state', { key => 'x' }) for @at;
		my $begun = time;
		$alice->send(to => $to, text => 'wake up');
		is($bob->result('wait_for_message', $io)->{messages}[0]{text},
		    'wake up', "by a message to " . substr $to, 0, 8);
		cmp_ok(time - $begun, '<', 5, 'at once');
	}
	my @io = map { $bob->call(wait_for_message => { seconds => 4 }) } 1 .. 3;
	$bob->tries('get_state', { key => 'x' }) for @at;
	$alice->send(to => '*', text => 'once');
	is(join(' ', map { map { $_->{text} } @{ $bob->result(
	    'wait_for_message', $_)->{messages} } } @io), 'once',
	    'of three who wait one has it');
	my $listens = $bob->listen('linnet://inbox', 'linnet://state/plan');
	$alice->request({ type => 'set_state', key => 'plan', value => 1 });
	ok(Linnet::Visitor::hears($listens, qr{updated[^\n]*state/plan}),
	    'a change of state');
	$alice->send(to => '@one', text => 'news');
	ok(Linnet::Visitor::hears($listens, qr{updated[^\n]*inbox}),
	    'a message to a group');
	is($bob->texts, 'news', 'which is there');

	# Two that share a token.
	my %v = map { $_ => Linnet::Visitor->new($t->{token}, at => \@at,
	    query => "name=$_", name => $_) } qw(red blue);
	$_->does('list_peers') for values %v;
	heard($alice, 'peer_joined', $_) for sort keys %v;
	$alice->send(to => 'red', text => 'for red');
	is($v{red}->texts, 'for red', 'by its own name');
	is_deeply($v{blue}->does('check_messages')->{messages}, [],
	    'and for nobody else');
	my $hidden = Linnet::Visitor->new($t->{token}, at => \@at,
	    query => 'name=grey&hidden=true', name => 'grey');
	$hidden->does('list_peers');
	is(row($alice, 'grey'), undef, 'who is hidden');
	$hidden->{path} =~ s/true/false/;
	$hidden->does('list_peers');
	heard($alice, 'peer_visible', 'grey');

	# Order is kept.
	my $waits = $v{red}->call(wait_for_message => { seconds => 30 });
	$v{red}->tries('get_state', { key => 'x' }) for @at;
	my $kick = $alice->request({ type => 'kick', target => 'red' });
	is_deeply($kick->{kicked}, ['red'], 'kicked') or diag explain $kick;
	heard($alice, 'peer_left', 'red');
	my $r = $waits->answer('POST', 10);
	ok($r && $r->{status} >= 400 && $r->{json}{message},
	    'who waits hears of it') or diag explain $r;
	$v{red}->does('list_peers');
	ok((wait_until { row($alice, 'red') } 10), 'it may come again');
	$kick = $alice->request({ type => 'disconnect', target => 'blue' });
	is_deeply($kick->{kicked}, ['blue'], 'disconnected');
	is(row($alice, 'blue'), undef, 'it is not there');
	$ack = $alice->send(to => '*', text => 'for blue');
	is($v{blue}->texts, 'for blue', 'but has what it missed');
	$alice->request({ type => 'ban', target => $bname, reason => 'tests' });
	heard($alice, 'peer_left', $bname);
	ok((wait_until { $bob->ask('tools/list')->{status} == 403 } 10), 'banned');
	ok((wait_until { !grep { $_->{displayName} ne 'alice' } @{
	    $alice->request({ type => 'list_peers' })->{peers} } } 10),
	    'with all its sessions');
	$alice->request({ type => 'unban', target => $bname });
	# The other host may not have heard of the end yet.
	ok((wait_until { $bob->ask('tools/list')->{status} == 200
	    && row($alice, $bname) } 10), 'it comes again');
	is(row($alice, $bname)->{pubkey}, $row->{pubkey}, 'under its key');

	# Its token ends.
	$listens = $bob->listen('linnet://inbox');
	$alice->request({ type => 'revoke_token', tokenId => $t->{tokenId} });
	heard($alice, 'peer_left', $bname);
	is($bob->ask('tools/list')->{status}, 401, 'nobody has this token');
	ok(Linnet::Visitor::hears($listens, qr/\r\n0\r\n\r\n\z/),
	    'its stream ends');
	my $own = $alice->request({ type => 'create_token' });
	my $v = Linnet::Visitor->new($own->{token}, at => \@at,
	    query => 'name=short');
	$v->does('list_peers');
	heard($alice, 'peer_joined', 'short');
	$sql->("update token set expires_at = now()
	    where id = '$own->{tokenId}'");
	heard($alice, 'peer_left', 'short');
	return;
}

for my $workers (1, 2) {
	subtest "workers: $workers" => sub {
		my $b = Linnet->broker(workers => $workers,
		    options => \@options);
		everywhere(sub { $b->psql($_[0]) }, $b);
		is($b->stop, 0, 'it ends');
	};
}

subtest 'two hosts' => sub {
	my $pg = Linnet::Postgres->new;
	my $key = scratch() . '/token.key';
	open my $fh, '>', $key or die "$key: $!";
	print $fh 'ab' x 32;
	close $fh;
	chmod 0600, $key;
	my @at = map { Linnet->broker(workers => 1, options => [@options,
	    'database "' . $pg->conninfo . '"', "host_name $_",
	    "token.key $key"]) } qw(one two);
	everywhere(sub { my ($st, $out, $err) = $pg->psql($_[0]);
	    die $err if $st != 0; }, @at);
};

subtest 'who is not there any more' => sub {
	my $b = Linnet->broker(workers => 2, options => [@options,
	    'mesh.visit 2s', 'mesh.status_time 1s', 'limit.member_sessions 2']);
	my ($seed, $alice, $t) = mesh(sub { $b->psql($_[0]) }, $b);
	my %v = map { $_ => Linnet::Visitor->new($t->{token}, at => $b,
	    query => "name=$_", name => $_) } qw(stays goes third);
	$v{$_}->does('join_group', { name => 'g' }) for qw(stays goes);
	my $r = $v{third}->ask('tools/list');
	is_deeply([$r->{status}, $r->{json}{code}], [503, 'capacity'],
	    'a member has so many sessions') or diag explain $r;
	$v{goes}->does(set_status => { status => 'working' });
	ok((wait_until { row($alice, 'goes')->{status} eq 'working' } 10),
	    'it works');
	ok((wait_until { row($alice, 'goes')->{status} eq 'idle' } 10),
	    'until it is quiet for too long');
	my $listens = $v{stays}->listen('linnet://inbox');
	ok((wait_until { !row($alice, 'goes') } 15), 'it was not used');
	my $ack = $alice->send(to => '@g', text => 'meanwhile');
	is($ack->{recipients}, 2, 'but may come back');
	heard($alice, 'peer_left', 'goes');
	ok(row($alice, 'stays'), 'who listens uses it');
	is($v{goes}->texts, 'meanwhile', 'what was sent is there');
	heard($alice, 'peer_returned', 'goes');
	$listens->drop;
	heard($alice, 'peer_left', 'stays');
	is(row($alice, 'stays'), undef, 'and who does not, not');
};

subtest 'faults' => sub {
	my $b = Linnet->broker(workers => 2, options => \@options);
	my ($seed, $alice, $t) = mesh(sub { $b->psql($_[0]) }, $b);
	my $v = Linnet::Visitor->new($t->{token}, at => $b, name => 'v');
	$v->does(join_group => { name => 'g' });
	my $key = row($alice, 'peer-b')->{pubkey};
	$alice->send(to => '@g', text => 'kept');
	$b->restart;
	$alice = $b->peer($seed->{peerA}, name => 'alice', attest => 1,
	    acks => 1);
	is((row($alice, 'peer-b') // {})->{pubkey}, $key,
	    'a restart is nothing to it');
	is($v->texts, 'kept', 'nor to its messages');
	my $io = $v->call(wait_for_message => { seconds => 30 });
	$v->tries('get_state', { key => 'x' }) for 1, 2;
	my ($st, $out, $err) = $b->ctl('kick', $seed->{slug}, $key);
	is($st, 0, 'linnetctl kick') or diag $err;
	heard($alice, 'peer_left', 'peer-b');
	ok($io->answer('POST', 10)->{status} >= 400, 'who waits hears of it');
	$v->does('list_peers');
	heard($alice, 'peer_joined', 'peer-b')
	    if !row($alice, 'peer-b');
	($st, $out, $err) = $b->ctl('token', 'revoke', $t->{tokenId});
	is($st, 0, 'linnetctl token revoke') or diag $err;
	heard($alice, 'peer_left', 'peer-b');
	is($v->ask('tools/list')->{status}, 401, 'and is not let in');
};

subtest 'bad input' => sub {
	my $b = Linnet->broker(workers => 1, options => \@options);
	my ($seed, $alice, $t) = mesh(sub { $b->psql($_[0]) }, $b);
	for ('name=', 'name=%00', 'name=%zz', 'name=%ff',
	    'name=' . 'x' x 4000, 'name=a%0ab', 'name', 'hidden=1',
	    'hidden=', 'hidden=truetruetrue') {
		my $r = Linnet::Visitor->new($t->{token}, at => $b,
		    query => $_)->ask('tools/list');
		is_deeply([$r->{status}, $r->{json}{code}],
		    [400, 'malformed'], substr $_, 0, 12) or diag explain $r;
		like($r->{json}{message}, qr/query/, 'says what');
	}
	my $r = $b->http(GET => '/v1/token', { Authorization =>
	    "Bearer $t->{token}" });
	is($r->{status}, 200, 'a token that is used elsewhere');
	is_deeply([map { $_->{displayName} } @{ $alice->request({
	    type => 'list_peers' })->{peers} }], ['alice'], 'makes no session');
	is($alice->request({ type => 'read_messages' })->{code}, 'forbidden',
	    'who is connected is pushed to');
	my $v = Linnet::Visitor->new($t->{token}, at => $b,
	    query => 'x=1&name=J%C3%BCrgen+B', name => 'j');
	$v->does('list_peers');
	ok(row($alice, "J\x{fc}rgen B"), 'a name');
};
done_testing;
