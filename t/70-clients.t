#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# The clients that exist: one as version 0.4.0 of claudemesh was, one as 1.37.0
# is, written from the protocol alone.  They share a mesh, on one host and on
# two, and use all that they have in common with Linnet.  Each takes only what
# its version waits for; anything else that arrives is a failure.
use strict;
use warnings;
use Linnet;
use Linnet::Postgres;
use Test::More;
use Time::HiRes 'time';

# What both have.
package Client;
use Cpanel::JSON::XS ();
use Digest::SHA qw(sha256 hmac_sha256);
use Linnet::Io 'wait_until';
use MIME::Base64 qw(encode_base64 decode_base64);

my $counter = 0;

sub connect {
	my ($class, $broker, $member, %o) = @_;
	my $c = bless { broker => $broker, member => $member, name => $o{name},
	    cwd => $o{cwd},
	    session => $o{session} || Linnet::Peer::new_key(),
	    sid => $o{sid} || 'sid-' . ++$counter, inbox => [], changes => [],
	    events => [], wrong => [] }, $class;
	return $c->open;
}

sub key { return $_[0]{session}{pubkey} }
sub now { return int(Time::HiRes::time() * 1000) }
sub put { my ($c, %m) = @_; return $c->{ws}->send_text(\%m) }

sub wrong {
	my ($c, $m) = @_;
	push @{ $c->{wrong} }, Cpanel::JSON::XS->new->canonical->encode($m);
	return;
}

# Hands on whatever has come.
sub serve {
	my ($c) = @_;
	while (my $m = $c->{ws}->pick(sub { 1 })) {
		$c->got($m);
	}
	return $c->{ws}->closed;
}

sub await {
	my ($c, $what, $name) = @_;
	my $r;
	wait_until { $c->serve; $r = $what->() } 15, $name;
	return $r;
}

# In place of crypto_box: what matters here is that both ends name the same
# two keys, and that the bytes come through.
sub stream {
	my ($nonce, $n, @keys) = @_;
	my $out = '';
	for (my $i = 0; length $out < $n; $i++) {
		$out .= sha256(join('|', sort @keys) . $nonce . $i);
	}
	return substr $out, 0, $n;
}

sub seal {
	my ($c, $text, $to) = @_;
	my $nonce = join '', map { chr int rand 256 } 1 .. 24;
	my @keys = ($c->key, $to);
	my $box = $text ^ stream($nonce, length $text, @keys);
	return (nonce => encode_base64($nonce, ''), ciphertext => encode_base64(
	    hmac_sha256($box, join '|', $nonce, sort @keys) . $box, ''));
}

sub unseal {
	my ($m, @keys) = @_;
	my $nonce = decode_base64($m->{nonce});
	my ($tag, $box) = unpack 'a32 a*', decode_base64($m->{ciphertext});
	return if $tag ne hmac_sha256($box, join '|', $nonce, sort @keys);
	return $box ^ stream($nonce, length $box, @keys);
}

# To a key it is sealed, to all others it is plain.
sub body {
	my ($c, $to, $text) = @_;
	return $c->seal($text, $to) if !ref $to && $to =~ /^[0-9a-f]{64}$/;
	return (nonce => encode_base64("\1" x 24, ''),
	    ciphertext => encode_base64($text, ''));
}

sub plain {
	my ($m) = @_;
	my $text = decode_base64($m->{ciphertext});
	return $text =~ /^[\x20-\x7e\n\t]+$/ ? $text : undef;
}

sub expect {
	my ($c) = @_;
	$c->await(sub { @{ $c->{inbox} } }, "a message for $c->{name}");
	return shift @{ $c->{inbox} };
}

sub change {
	my ($c) = @_;
	$c->await(sub { @{ $c->{changes} } }, "a state_change for $c->{name}");
	return shift @{ $c->{changes} };
}

# 0.4.0: no request ids; replies are taken in order, by their type.
package Old;
use MIME::Base64 'decode_base64';
our @ISA = ('Client');

sub open {
	my ($c) = @_;
	my $m = $c->{member};
	my $at = Client::now();
	$c->{ws} = $c->{broker}->ws;
	$c->{waits} = {};
	$c->{sends} = {};
	my $ack;
	push @{ $c->{waits}{hello_ack} }, sub { $ack = $_[0] };
	$c->put(type => 'hello', meshId => $m->{meshId},
	    memberId => $m->{memberId}, pubkey => $m->{pubkey},
	    sessionPubkey => $c->key, displayName => $c->{name},
	    sessionId => $c->{sid}, pid => $$ + 0, cwd => $c->{cwd} //= '/old',
	    timestamp => $at, signature => Linnet::Peer::sign($m->{secretKey},
	    "$m->{meshId}|$m->{memberId}|$m->{pubkey}|$at"));
	$c->await(sub { $ack || $c->{refused} || $c->{ws}->closed }, 'hello');
	$c->{hello} = $ack;
	return $c;
}

sub got {
	my ($c, $m) = @_;
	my $type = $m->{type} // '';
	if ($type eq 'push') {
		return $c->wrong($m) if grep { !defined $m->{$_} } qw(messageId
		    meshId senderPubkey priority nonce ciphertext createdAt);
		return $c->wrong($m) if $m->{senderPubkey} !~ /^[0-9a-f]{64}$/;
		# Only its session key opens; what is printable is shown.
		$m->{text} = Client::unseal($m, $c->key, $m->{senderPubkey})
		    // Client::plain($m);
		push @{ $c->{inbox} }, $m;
	} elsif ($type eq 'state_change') {
		push @{ $c->{changes} }, $m;
	} elsif ($type eq 'ack' || $type eq 'error' && defined $m->{id}) {
		my $fn = delete $c->{sends}{ $m->{id} } or return $c->wrong($m);
		$fn->($m);
	} elsif ($type eq 'error' && !%{ $c->{waits} }) {
		$c->wrong($m);
	} elsif ($type eq 'error') {
		$c->{refused} = $m;
	} else {
		my $fn = shift @{ $c->{waits}{$type} || [] };
		return $c->wrong($m) if !$fn || defined $m->{_reqId};
		$fn->($m);
	}
	return;
}

# What `claudemesh join` does: a member, for hello.
sub join_mesh {
	my ($broker, $token, $name) = @_;
	my $key = Linnet::Peer::new_key();
	my $payload = Cpanel::JSON::XS->new->decode(
	    decode_base64($token =~ tr{-_}{+/}r));
	my $r = $broker->http(POST => '/join', { 'Content-Type' =>
	    'application/json' }, Cpanel::JSON::XS->new->encode({
	    invite_token => $token, invite_payload => $payload,
	    peer_pubkey => $key->{pubkey}, display_name => $name }));
	return ($r, { %$key, meshId => $payload->{mesh_id},
	    memberId => $r->{json}{memberId} });
}

# What `claudemesh hook` does, which knows no token.
sub hook {
	my ($c, $broker, $status) = @_;
	return $broker->http(POST => '/hook/set-status', { 'Content-Type' =>
	    'application/json' }, Cpanel::JSON::XS->new->encode({
	    cwd => $c->{cwd},
	    pid => getppid() + 0, status => $status, session_id => $c->{sid} }));
}

# Asks, and says where the answer will be.
sub later {
	my ($c, $reply, %m) = @_;
	my $box = {};
	push @{ $c->{waits}{$reply} }, sub { $box->{r} = $_[0] };
	$c->put(%m);
	return $box;
}

sub ask {
	my ($c, $reply, %m) = @_;
	my $box = $c->later($reply, %m);
	return $c->await(sub { $box->{r} }, "$reply for $m{type}");
}

sub send {
	my ($c, $to, $text, $priority) = @_;
	my $id = 'old-' . ++$counter;
	my $r;
	$c->{sends}{$id} = sub { $r = $_[0] };
	$c->put(type => 'send', targetSpec => $to, id => $id,
	    priority => $priority // 'next', $c->body($to, $text));
	return $c->await(sub { $r }, "an answer to $id");
}

sub forget {
	my ($c, $id) = @_;
	my $r;
	$c->{sends}{$id} = sub { $r = $_[0] };
	$c->put(type => 'forget', memoryId => $id);
	return $c->await(sub { $r }, 'an answer to forget');
}

sub peers {
	return @{ $_[0]->ask('peers_list', type => 'list_peers')->{peers} };
}

# 1.37.0: _reqId with everything; session keys with an attestation that is
# made anew for every connection; acks what it has; pings.
package New;
our @ISA = ('Client');

sub open {
	my ($c) = @_;
	my ($m, $at) = ($c->{member}, Client::now());
	my $until = $at + 12 * 3600_000;
	$c->{ws} = $c->{broker}->ws;
	$c->{waits} = {};
	$c->{seen} ||= {};
	my $ack;
	$c->{hello_fn} = sub { $ack = $_[0] };
	$c->put(type => 'session_hello', meshId => $m->{meshId},
	    parentMemberId => $m->{memberId}, parentMemberPubkey => $m->{pubkey},
	    sessionPubkey => $c->key, parentAttestation => {
		sessionPubkey => $c->key, parentMemberPubkey => $m->{pubkey},
		expiresAt => $until, signature => Linnet::Peer::sign(
		    $m->{secretKey}, 'claudemesh-session-attest|'
		    . "$m->{pubkey}|" . $c->key . "|$until") },
	    displayName => $c->{name}, sessionId => $c->{sid}, pid => $$ + 0,
	    cwd => '/new', hostname => 'box', peerType => 'ai',
	    channel => 'test', model => 'm', groups => [{ name => 'crew',
	    role => 'lead' }], role => 'tester', timestamp => $at,
	    signature => Linnet::Peer::sign($c->{session}{secretKey},
		"claudemesh-session-hello|$m->{meshId}|$m->{pubkey}|"
		. $c->key . "|$at"));
	$c->await(sub { $ack || $c->{refused} || $c->{ws}->closed }, 'hello');
	$c->{hello} = $ack;
	return $c;
}

sub got {
	my ($c, $m) = @_;
	my $type = $m->{type} // '';
	if ($type eq 'push' && ($m->{subtype} // '') eq 'system') {
		return $c->wrong($m) if $m->{senderPubkey} ne 'system'
		    || $m->{nonce} ne '' || $m->{ciphertext} ne ''
		    || !ref $m->{eventData};
		push @{ $c->{events} }, $m;
	} elsif ($type eq 'push') {
		return $c->wrong($m) if grep { !defined $m->{$_} } qw(messageId
		    senderPubkey senderMemberPubkey senderMemberId senderName
		    priority nonce ciphertext createdAt);
		my $id = $m->{client_message_id} // $m->{messageId};
		$c->put(type => 'client_ack', clientMessageId => $id,
		    brokerMessageId => $m->{messageId}) if !$c->{mute};
		return if $c->{seen}{$id}++;
		$m->{text} = Client::unseal($m, $c->key, $m->{senderPubkey})
		    // Client::unseal($m, $c->{member}{pubkey},
		    $m->{senderPubkey}) // Client::plain($m);
		push @{ $c->{inbox} }, $m;
	} elsif ($type eq 'state_change') {
		push @{ $c->{changes} }, $m;
	} elsif ($type eq 'hello_ack' && $c->{hello_fn}) {
		(delete $c->{hello_fn})->($m);
	} elsif (my $fn = delete $c->{waits}{ $m->{_reqId} // '' }) {
		$fn->($m);
	} elsif ($type eq 'error' && $c->{hello_fn}) {
		$c->{refused} = $m;
	} else {
		$c->wrong($m);
	}
	return;
}

sub ask {
	my ($c, %m) = @_;
	my $id = 'q' . ++$counter;
	my $r;
	$c->{waits}{$id} = sub { $r = $_[0] };
	$c->put(%m, _reqId => $id);
	return $c->await(sub { $r }, "an answer to $m{type}");
}

sub send {
	my ($c, $to, $text, %o) = @_;
	my $id = $o{id} // 'new-' . ++$counter;
	return $c->ask(type => 'send', targetSpec => $to, id => $id,
	    client_message_id => $id, request_fingerprint => 'fp-' . $id,
	    priority => 'next', $c->body($to, $text), %o);
}

sub event {
	my ($c, $name) = @_;
	my $e;
	$c->await(sub {
		($e) = grep { $_->{event} eq $name } @{ $c->{events} };
		$c->{events} = [grep { $_ != $e } @{ $c->{events} }] if $e;
		$e
	}, $name);
	return $e;
}

sub peers { return @{ $_[0]->ask(type => 'list_peers')->{peers} } }

package main;

sub is_id { return like($_[0], qr/^[A-Za-z0-9]{32}$/, $_[1]) }

sub named {
	my ($name, @peers) = @_;
	return (grep { $_->{displayName} eq $name } @peers)[0];
}

# What the other says of itself arrives in time.
sub sees {
	my ($c, $name, $test, $what) = @_;
	my $ok = wait_until { my $p = named($name, $c->peers); $p && $test->($p) }
	    15, $what;
	return ok($ok, "$c->{name} sees: $what");
}

sub presence {
	my ($old, $new) = @_;
	is_id($old->{hello}{presenceId}, 'old: presenceId');
	is($old->{hello}{memberDisplayName}, 'Olda', 'old: its name');
	is_id($new->{hello}{presenceId}, 'new: presenceId');
	sees($old, 'Newt', sub { 1 }, 'new is there');
	sees($new, 'Olda', sub { 1 }, 'old is there');
	my $p = named('Newt', $old->peers);
	is_deeply([@$p{qw(pubkey status summary sessionId)}],
	    [$new->key, 'idle', undef, $new->{sid}], 'old: the fields it knows');
	is_deeply($p->{groups}, [{ name => 'crew', role => 'lead' }], 'groups');
	like($p->{connectedAt}, qr/^\d{4}-.*T.*Z$/, 'connectedAt');
	is_deeply([@$p{qw(memberPubkey cwd hostname peerType channel model)}],
	    [$new->{member}{pubkey}, qw(/new box ai test m)],
	    'and the later ones');

	$old->put(type => 'set_summary', summary => 'I am old');
	$old->put(type => 'join_group', name => 'elders', role => 'sage');
	$old->put(type => 'set_status', status => 'dnd');
	sees($new, 'Olda', sub { ($_[0]{summary} // '') eq 'I am old'
	    && $_[0]{status} eq 'dnd' && ($_[0]{groups}[0]{role} // '')
	    eq 'sage' }, 'summary, group and status');
	$old->put(type => 'leave_group', name => 'elders');
	$old->put(type => 'set_status', status => 'idle');
	sees($new, 'Olda', sub { !@{ $_[0]{groups} }
	    && $_[0]{status} eq 'idle' }, 'group left, idle');

	$new->ask(type => 'set_summary', summary => 'I am new');
	$new->ask(type => 'set_profile', title => 'T', bio => 'B',
	    avatar => ':)', capabilities => ['x']);
	$new->ask(type => 'set_stats', stats => { messagesIn => 1,
	    uptime => 2 });
	sees($old, 'Newt', sub { ($_[0]{summary} // '') eq 'I am new'
	    && ($_[0]{profile}{title} // '') eq 'T'
	    && ($_[0]{stats}{messagesIn} // 0) == 1 },
	    'summary, profile and stats');
	$new->ask(type => 'set_visible', visible => Cpanel::JSON::XS::false);
	my $hidden = wait_until { !named('Newt', $old->peers) } 15;
	ok($hidden, 'old does not see who is hidden');
	$new->ask(type => 'set_visible', visible => Cpanel::JSON::XS::true);
	sees($old, 'Newt', sub { 1 }, 'new again');
	return;
}

sub messages {
	my ($old, $new) = @_;
	my $ack = $old->send($new->key, 'sealed');
	is_id($ack->{messageId}, 'old: its ack');
	ok($ack->{queued}, 'queued');
	my $m = $new->expect;
	is_deeply([@$m{qw(text senderPubkey senderMemberPubkey senderName
	    messageId)}], ['sealed', $old->key, $old->{member}{pubkey}, 'Olda',
	    $ack->{messageId}], 'new opens it');
	my $status;
	my $done = wait_until { $new->serve; $status = $old->ask(
	    'message_status_result', type => 'message_status',
	    messageId => $ack->{messageId}); $status->{delivered} } 15;
	ok($done, 'old: delivered');
	is_deeply([$status->{targetSpec}, scalar @{ $status->{recipients} },
	    $status->{recipients}[0]{status}, $status->{recipients}[0]{name}],
	    [$new->key, 1, 'delivered', 'Newt'], 'to whom');
	is($new->ask(type => 'message_status', messageId => $ack->{messageId})
	    ->{delivered}, Cpanel::JSON::XS::true, 'its recipient may ask too');

	$ack = $new->send($old->key, 'back', id => 'cm-1', replyToId => 'r1');
	is_deeply([@$ack{qw(type id client_message_id request_fingerprint)}],
	    ['ack', 'cm-1', 'cm-1', 'fp-cm-1'], 'new: its ack');
	my $r = $new->ask(type => 'send', targetSpec => $old->key,
	    id => 'cm-1', client_message_id => 'cm-1', priority => 'next',
	    nonce => 'other', ciphertext => 'other');
	is_deeply([@$r{qw(type code id)}], ['error', 'id_conflict', 'cm-1'],
	    'another message under its id');
	$m = $old->expect;
	is_deeply([@$m{qw(text senderPubkey)}], ['back', $new->key],
	    'old opens it');
	is_deeply([@$m{qw(client_message_id request_fingerprint replyToId)}],
	    ['cm-1', 'fp-cm-1', 'r1'], 'what it does not know is there too');

	# Member keys: 0.4.0 cannot open those.
	$old->send($new->{member}{pubkey}, 'to the member');
	is($new->expect->{text}, 'to the member', 'to a member key');
	$new->send($old->{member}{pubkey}, 'to the member');
	is($old->expect->{text}, undef, 'which old cannot open');

	for my $to ('*', '@all', '@crew', 'newt') {
		$old->send($to, "plain $to");
		is($new->expect->{text}, "plain $to", "to $to");
	}
	$new->send('*', 'to all');
	is($old->expect->{text}, 'to all', 'from new to all');
	$old->put(type => 'join_group', name => 'duo');
	sees($new, 'Olda', sub { @{ $_[0]{groups} } }, 'the group of old');
	$ack = $new->send(['@duo', 'olda', $old->key, '@all'], 'once');
	is($ack->{recipients}, 1, 'many ways to say one');
	is($old->expect->{text}, 'once', 'once');

	$r = $old->send('Nobody', 'x');
	is_deeply([@$r{qw(type code)}], ['error', 'unknown_target'],
	    'old: a failed send answers with its id');
	$r = $new->send('Nwt', 'x', id => 'cm-2');
	is_deeply([@$r{qw(type code id)}], ['error', 'unknown_target', 'cm-2'],
	    'new: the same');

	$old->put(type => 'set_status', status => 'working');
	sees($new, 'Olda', sub { $_[0]{status} eq 'working' }, 'old works');
	$new->send($old->key, 'wait', id => 'w1');
	$new->send($old->key, 'urgent', id => 'w2', priority => 'now');
	is($old->expect->{text}, 'urgent', 'now passes');
	$old->put(type => 'set_status', status => 'idle');
	is($old->expect->{text}, 'wait', 'the other one when it is idle');
	return;
}

sub shared {
	my ($old, $new) = @_;
	$old->put(type => 'set_state', key => 'k1', value => { n => 1 });
	my $c = $new->change;
	is_deeply([@$c{qw(key value)}], ['k1', { n => 1 }], 'state_change');
	ok(length $c->{updatedBy}, 'by somebody');
	is_deeply($new->ask(type => 'set_state', key => 'k2', value => 'v2')
	    ->{value}, 'v2', 'new: state_result to its _reqId');
	is($old->change->{key}, 'k2', 'old: state_change');
	# In order, although no id says which is which.
	my @box = map { $old->later('state_result', type => 'get_state',
	    key => $_) } qw(k1 k2 none);
	$old->await(sub { $box[2]{r} }, 'three state_results');
	is_deeply([map { $_->{r}{key} } @box], [qw(k1 k2 none)],
	    'answers in order');
	is_deeply([@{ $box[2]{r} }{qw(value updatedBy updatedAt)}],
	    [undef, '', ''], 'a key that is not there');
	is($new->ask(type => 'get_state', key => 'k1')->{value}{n}, 1,
	    'new: get_state');
	is_deeply([map { $_->{key} } @{ $_->{entries} }], [qw(k1 k2)],
	    'list_state') for $old->ask('state_list', type => 'list_state'),
	    $new->ask(type => 'list_state');

	my $one = $old->ask('memory_stored', type => 'remember',
	    content => 'the old lighthouse keeps burning', tags => ['a']);
	is_id($one->{id}, 'old: memory_stored');
	my $two = $new->ask(type => 'remember', content => 'a new lighthouse');
	is($two->{memoryId}, $two->{id}, 'new: memoryId too');
	for my $r ($old->ask('memory_results', type => 'recall',
	    query => 'burning lighthouses'), $new->ask(type => 'recall',
	    query => 'burning lighthouses')) {
		is_deeply([map { [@$_{qw(id content tags)}] }
		    @{ $r->{memories} }], [[$one->{id},
		    'the old lighthouse keeps burning', ['a']]], 'recall');
	}
	is($old->forget($one->{id})->{messageId}, $one->{id}, 'old: forget');
	is($new->ask(type => 'forget', memoryId => $two->{id})->{type}, 'ack',
	    'new: forget');
	is_deeply($new->ask(type => 'recall', query => 'lighthouse')
	    ->{memories}, [], 'forgotten');
	return;
}

sub later_ones {
	my ($old, $new) = @_;
	my $at = Client::now() + 500;
	my $r = $new->ask(type => 'schedule', to => 'Olda', message => 'wake',
	    deliverAt => $at, subtype => 'reminder');
	is($r->{deliverAt}, $at, 'scheduled_ack');
	my $far = $new->ask(type => 'schedule', to => 'Olda', message => 'far',
	    deliverAt => $at, cron => '0 9 * * mon', recurring => \1);
	is($far->{cron}, '0 9 * * mon', 'and by a cron line');
	is_deeply([sort map { $_->{id} } @{ $new->ask(
	    type => 'list_scheduled')->{messages} }],
	    [sort map { $_->{scheduledId} } $r, $far], 'scheduled_list');
	is($new->ask(type => 'cancel_scheduled', scheduledId =>
	    $far->{scheduledId})->{ok}, Cpanel::JSON::XS::true, 'cancelled');
	my $m = $old->expect;
	is_deeply([@$m{qw(text subtype)}], ['wake', 'reminder'], 'old gets it');

	$r = $new->ask(type => 'no_such_thing');
	is_deeply([@$r{qw(type code)}], ['error', 'unknown_message_type'],
	    'what is not there says so');
	$r = $new->ask(type => 'kick', target => 'Olda');
	is($r->{code}, 'forbidden', 'a member keeps no order');
	$new->{ws}->send_frame(9, 'are you there');
	$new->await(sub { grep { $_ eq 'are you there' } $new->{ws}->pongs },
	    'a pong');
	pass('its own ping is answered');
	return;
}

sub returns {
	my ($old, $new) = @_;
	# It has it, but its ack never arrives.
	$new->{mute} = 1;
	$old->send($new->key, 'twice');
	is($new->expect->{text}, 'twice', 'a message');
	$new->{ws}->drop;
	delete $new->{mute};
	$new->open;
	ok($new->{hello}{restored}, 'new comes back as who it was');
	$old->send($new->key, 'after');
	is($new->expect->{text}, 'after', 'what it has had it drops itself');
	sees($old, 'Newt', sub { ($_[0]{summary} // '') eq 'I am new'
	    && @{ $_[0]{groups} } == 1 }, 'with summary and groups');
	return;
}

sub order {
	my ($old, $new, $seed, $sql) = @_;
	my $third = Old->connect($old->{broker}, $seed->{peerA},
	    name => 'Third');
	my $e = $new->event('peer_joined');
	is_deeply([@{ $e->{eventData} }{qw(name displayName pubkey)}],
	    ['Third', 'Third', $third->key], 'new hears who comes');
	is_deeply([@$e{qw(priority subtype)}], ['low', 'system'], 'a push');
	$third->{ws}->close(1000);
	is($new->event('peer_left')->{eventData}{name}, 'Third', 'and leaves');
	is_deeply($third->{wrong}, [], 'an old one hears nothing of that');

	$sql->("update member set role = 'admin'
	    where id = '$new->{member}{memberId}'");
	$new->{ws}->drop;
	$new->open;
	my $r = $new->ask(type => 'disconnect', target => 'Olda');
	is_deeply($r->{kicked}, ['Olda'], 'disconnect_ack');
	$old->await(sub { $old->serve }, 'the end');
	is($old->{ws}->closed->{code}, 1000, 'old may come back');
	$old->open;
	sees($new, 'Olda', sub { 1 }, 'old again');
	is($new->ask(type => 'kick', target => 'Olda')->{affected}, 1,
	    'kick_ack');
	$old->await(sub { $old->serve }, 'the end');
	is($old->{ws}->closed->{code}, 4001, 'old is kicked');
	$old->{wrong} = [];
	is($new->ask(type => 'ban', target => $old->{member}{pubkey},
	    reason => 'test')->{type}, 'ban_ack', 'ban_ack');
	ok(@{ $new->ask(type => 'list_bans')->{bans} } == 1, 'list_bans');
	$old->open;
	$old->await(sub { $old->serve }, 'the end');
	is($old->{ws}->closed->{code}, 4002, 'old is banned');
	is($new->ask(type => 'unban', target => $old->{member}{pubkey})
	    ->{type}, 'unban_ack', 'unban_ack');
	delete $old->{refused};
	$old->open;
	ok($old->{hello}, 'old may come again');
	return;
}

# What the daemon of 1.37.0 asks for when it begins.
sub begins {
	my ($old, $new) = @_;
	my $r = $new->ask(type => 'mesh_info');
	is_deeply([@$r{qw(type mesh peers yourName fileCount)}],
	    ['mesh_info_result', $new->{member}{meshId}, 2, 'Newt', 0],
	    'mesh_info');
	is_deeply($r->{yourGroups}, [{ name => 'crew', role => 'lead' }],
	    'its groups');
	$r = $new->ask(type => 'list_skills');
	is_deeply([@$r{qw(type skills)}], ['skill_list', []], 'list_skills');
	$r = $new->ask(type => 'get_skill', name => 'x');
	is_deeply([@$r{qw(type skill)}], ['skill_data', undef], 'get_skill');
	return;
}

# Joins by an invite, works and rests by hooks; $far is the host that it does
# not speak to.
sub newcomer {
	my ($near, $far, $new, $token) = @_;
	my ($r, $member) = Old::join_mesh($far, $token, 'Joan');
	is_deeply([$r->{status}, $r->{json}{ok}], [200, Cpanel::JSON::XS::true],
	    'an old client joins') or diag explain $r;
	is_id($member->{memberId}, 'its member id');
	my $joan = Old->connect($near, $member, name => 'Joan',
	    cwd => '/joan');
	is($new->event('peer_joined')->{eventData}{name}, 'Joan',
	    'and is there');
	for my $status (qw(working idle working)) {
		$r = $joan->hook($far, $status);
		is_deeply($r->{json}, { ok => Cpanel::JSON::XS::true,
		    presence_id => $joan->{hello}{presenceId} },
		    "a hook without a token: $status") or diag explain $r;
		sees($new, 'Joan', sub { $_[0]{status} eq $status }, $status);
	}
	my $held = $new->send($joan->key, 'held')->{messageId};
	$joan->hook($far, 'idle');
	is($joan->expect->{text}, 'held', 'what was held comes after a hook');
	# What is not written down as delivered would come again.
	wait_until { $new->ask(type => 'message_status',
	    messageId => $held)->{delivered} } 10, 'the mark of held';
	# The same session id, as when it was lost without a word.
	my $again = Old->connect($far, $member, name => 'Joan',
	    cwd => '/joan', sid => $joan->{sid}, session => $joan->{session});
	$joan->await(sub { $joan->serve }, 'the end');
	is_deeply([@{ $joan->{ws}->closed }{qw(code reason)}],
	    [1000, 'session_replaced'], 'a newer connection takes its place');
	is($again->{hello}{presenceId}, $joan->{hello}{presenceId},
	    'and is the same');
	$new->send($again->key, 'still you');
	is($again->expect->{text}, 'still you', 'also for others');
	$again->{ws}->close(1000);
	is($new->event('peer_left')->{eventData}{name}, 'Joan', 'it leaves');
	is_deeply([@{ $_->{wrong} }], [], 'nothing unexpected')
	    for $joan, $again;
	return;
}

# Two of 1.37.0: one hides and shows itself, goes and comes back.
sub comes_and_goes {
	my ($near, $new, $seed) = @_;
	my $other = New->connect($near, $seed->{peerA}, name => 'Nina');
	is($new->event('peer_joined')->{eventData}{name}, 'Nina', 'joined');
	for (['hidden', Cpanel::JSON::XS::false],
	    ['visible', Cpanel::JSON::XS::true]) {
		my ($event, $visible) = @$_;
		$other->ask(type => 'set_visible', visible => $visible);
		is($new->event("peer_$event")->{eventData}{name}, 'Nina',
		    $event);
	}
	$other->{ws}->close(1000);
	is($new->event('peer_left')->{eventData}{name}, 'Nina', 'left');
	$other->open;
	my $e = $new->event('peer_returned')->{eventData};
	is_deeply([@$e{qw(name pubkey)}], ['Nina', $other->key], 'returned');
	like($e->{lastSeenAt}, qr/^\d{4}-.*T.*Z$/, 'since when');
	$other->{ws}->close(1000);
	is($new->event('peer_left')->{eventData}{name}, 'Nina', 'left again');
	is_deeply($other->{wrong}, [], 'nothing unexpected');
	return;
}

sub all {
	my ($one, $two, $seed, $sql) = @_;
	my $old = Old->connect($one, $seed->{peerA}, name => 'Olda');
	my $new = New->connect($two, $seed->{peerB}, name => 'Newt');
	presence($old, $new);
	messages($old, $new);
	shared($old, $new);
	later_ones($old, $new);
	begins($old, $new);
	returns($old, $new);
	newcomer($one, $two, $new, $seed->{inviteToken});
	comes_and_goes($one, $new, $seed);
	for my $c ($old, $new) {
		$c->peers;
		is_deeply($c->{wrong}, [], "$c->{name}: nothing unexpected");
		is_deeply([map { $_->{text} } @{ $c->{inbox} }], [],
		    "$c->{name}: no other messages");
		is_deeply($c->{changes}, [], "$c->{name}: no other changes");
	}
	order($old, $new, $seed, $sql);
	$_->peers for $old, $new;
	is_deeply($_->{wrong}, [], "$_->{name}: nothing unexpected to the end")
	    for $old, $new;
	return;
}

subtest 'one host' => sub {
	my $b = Linnet->broker(workers => 2,
	    options => ['hook.loopback yes']);
	all($b, $b, $b->seed, sub { $b->psql($_[0]) });
	is($b->stop, 0, 'stopped');
};

subtest 'two hosts' => sub {
	my $pg = Linnet::Postgres->new;
	my $database = 'database "' . $pg->conninfo . '"';
	my ($one, $two) = map { Linnet->broker(workers => 1,
	    options => [$database, 'hook.loopback yes', "host_name $_"]) }
	    qw(one two);
	my $seed = $one->seed;
	all($one, $two, $seed, sub { my ($st, undef, $err) = $pg->psql($_[0]);
	    die $err if $st != 0; });
	is($_->stop, 0, 'stopped') for $one, $two;
};

done_testing;
