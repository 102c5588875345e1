# SPDX-License-Identifier: ISC
# A peer of a mesh: a WebSocket that said hello, and the mesh protocol.
package Linnet::Peer;
use strict;
use warnings;
use Carp;
use Cpanel::JSON::XS ();
use Crypt::PK::Ed25519;
use Linnet::Io 'wait_until';
use Linnet::Ws;
use MIME::Base64 qw(encode_base64 decode_base64);
use Test::More ();
use Time::HiRes 'time';

my $counter = 0;
my $json = Cpanel::JSON::XS->new->utf8->canonical;

# A new Ed25519 pair as a member has it: { pubkey, secretKey } in hex.
sub new_key {
	my $k = Crypt::PK::Ed25519->new->generate_key;
	my $pub = $k->export_key_raw('public');
	return { pubkey => unpack('H*', $pub),
	    secretKey => unpack('H*', $k->export_key_raw('private') . $pub) };
}

# Signature in hex; the secret key is a seed, or seed and public key.
sub sign {
	my ($secret, $text) = @_;
	my $k = Crypt::PK::Ed25519->new->import_key_raw(
	    pack('H64', $secret), 'private');
	return unpack 'H*', $k->sign_message($text);
}

# The hello of a member { meshId, memberId, pubkey, secretKey }, signed.
# Options: name, groups (names, "name:role" or hashes), session_key (1 or a
# pair), session_id, cwd, pid, timestamp (ms), acks => 1 (it acks what is
# pushed, by ->ack; without, what was written to it counts as acked), hello =>
# { more fields, or others; undef leaves one out }.  attest => 1 makes it a
# session_hello.
sub hello {
	my ($member, %o) = @_;
	my $at = int($o{timestamp} // time * 1000);
	my $session = $o{session_key} || $o{attest};
	$session = new_key() if $session && !ref $session;
	my %h = (
		type => 'hello',
		meshId => $member->{meshId},
		memberId => $member->{memberId},
		pubkey => $member->{pubkey},
		sessionId => $o{session_id} // "session-$$-" . ++$counter,
		pid => ($o{pid} // $$) + 0,
		cwd => $o{cwd} // '/tmp/linnet-test',
		timestamp => $at,
	);
	$h{displayName} = $o{name} if defined $o{name};
	$h{capabilities} = ['client_ack'] if $o{acks};
	$h{sessionPubkey} = $session->{pubkey} if $session;
	$h{groups} = [map {
		ref $_ ? $_ : do {
			my ($name, $role) = split /:/, $_, 2;
			{ name => $name, defined $role ? (role => $role) : () }
		}
	} @{ $o{groups} }] if $o{groups};
	if ($o{attest}) {
		my $until = $at + 12 * 3600 * 1000;
		my $mine = $session->{pubkey};
		delete @h{qw(memberId pubkey)};
		%h = (%h,
			type => 'session_hello',
			parentMemberId => $member->{memberId},
			parentMemberPubkey => $member->{pubkey},
			parentAttestation => {
				sessionPubkey => $mine,
				parentMemberPubkey => $member->{pubkey},
				expiresAt => $until,
				signature => sign($member->{secretKey}, join '|',
				    'claudemesh-session-attest',
				    $member->{pubkey}, $mine, $until),
			},
			signature => sign($session->{secretKey}, join '|',
			    'claudemesh-session-hello', $member->{meshId},
			    $member->{pubkey}, $mine, $at),
		);
	} else {
		$h{signature} = sign($member->{secretKey}, join '|',
		    @h{qw(meshId memberId pubkey timestamp)});
	}
	%h = (%h, %{ $o{hello} || {} });
	delete @h{ grep { !defined $h{$_} } keys %h };
	return (\%h, $session);
}

# Connects, says hello and waits for hello_ack.  Dies when it is refused,
# unless refused => 1: then ->refusal is the error.
sub new {
	my ($class, $broker, $member, %o) = @_;
	my $ws = $broker->ws(%{ $o{ws} || {} });
	croak 'no WebSocket: ' . $ws->status if $ws->status != 101;
	my ($hello, $session) = hello($member, %o);
	my $p = bless { ws => $ws, member => $member, session => $session,
	    hello => $hello, name => $o{name} }, $class;
	$ws->send_text($hello);
	my $r = $ws->wait_for(
	    sub { ($_->{type} // '') =~ /^(?:hello_ack|error)$/ });
	if ($r && $r->{type} eq 'hello_ack') {
		$p->{hello_ack} = $r;
	} elsif ($o{refused}) {
		$p->{refusal} = $r;
	} else {
		croak 'hello refused: ' . ($r ? $json->encode($r) : 'no reply');
	}
	return $p;
}

sub ws { return $_[0]{ws} }
sub name { return $_[0]{name} }
sub hello_ack { return $_[0]{hello_ack} }
sub refusal { return $_[0]{refusal} }
sub said { return $_[0]{hello} }
sub member_key { return $_[0]{member}{pubkey} }

# The key that peers see and send to.
sub key {
	my ($p) = @_;
	return ($p->{session} || $p->{member})->{pubkey};
}

sub close { my $p = shift; return $p->{ws}->close(@_) }
sub drop { my $p = shift; return $p->{ws}->drop }
sub wait_close { my $p = shift; return $p->{ws}->wait_close(@_) }
sub wait_for { my $p = shift; return $p->{ws}->wait_for(@_) }

# Sends a message and returns the id that its reply will carry.
sub post {
	my ($p, %m) = @_;
	my $id = $m{_reqId} //= 'r' . ++$counter;
	$p->{ws}->send_text(\%m);
	return $id;
}

# The reply, or error, to what was posted with this id.
sub reply {
	my ($p, $id, $seconds) = @_;
	return $p->{ws}->wait_for(sub { ($_->{_reqId} // '') eq $id }, $seconds);
}

# Sends a request and waits for its reply, or error.
sub request {
	my ($p, $m, $seconds) = @_;
	return $p->reply($p->post(%$m), $seconds);
}

# The message `send` of to, text (or nonce and ciphertext), priority, id.
sub send_fields {
	my ($p, %o) = @_;
	my $to = delete $o{to};
	my $text = delete $o{text};
	utf8::encode($text) if defined $text && utf8::is_utf8($text);
	my %m = (
		type => 'send',
		targetSpec => ref $to eq __PACKAGE__ ? $to->key : $to,
		priority => 'next',
		nonce => encode_base64("\0" x 24, ''),
		ciphertext => encode_base64($text // '', ''),
		id => "m-$$-" . ++$counter,
		%o,
	);
	delete @m{ grep { !defined $m{$_} } keys %m };
	return %m;
}

# Sends text to a key, name, @group, *, a list of them, or a peer object, and
# returns the ack or error.
sub send {
	my ($p, %o) = @_;
	my $seconds = delete $o{timeout};
	return $p->request({ $p->send_fields(%o) }, $seconds);
}

# The same without waiting; ->reply with the returned id gets the ack.
sub send_later {
	my ($p, %o) = @_;
	return $p->post($p->send_fields(%o));
}

sub plain {
	my ($m) = @_;
	$m->{text} = decode_base64($m->{ciphertext} // '') if $m;
	return $m;
}

sub is_message {
	return ($_->{type} // '') eq 'push' && ($_->{subtype} // '') ne 'system';
}

# The next message pushed, with its text decoded; system events stay queued.
sub expect_push {
	my ($p, $seconds) = @_;
	return plain($p->{ws}->wait_for(\&is_message, $seconds));
}

# The next system event of a name, such as peer_joined.
sub expect_event {
	my ($p, $event, $seconds) = @_;
	return $p->{ws}->wait_for(
	    sub { ($_->{type} // '') eq 'push'
		&& ($_->{event} // '') eq $event }, $seconds);
}

# Acks a pushed message.
sub ack {
	my ($p, $push) = @_;
	return $p->request({ type => 'client_ack',
	    brokerMessageId => $push->{messageId} });
}

# True when no message was pushed, told without a clock.  `after => $sender`
# sends a marker from that peer: messages of one sender arrive in their
# order, so what is not here before the marker was not sent before it.
# Without it, the round trip of a request only proves that nothing was queued
# on this connection.
sub no_push {
	my ($p, %o) = @_;
	my @got;
	if ($o{after}) {
		my $mark = "marker-$$-" . ++$counter;
		my $r = $o{after}->send(to => $p->key, text => $mark,
		    priority => 'now');
		return if !$r || $r->{type} ne 'ack';
		while (my $m = $p->expect_push) {
			$p->post(type => 'client_ack',
			    brokerMessageId => $m->{messageId});
			last if $m->{text} eq $mark;
			push @got, $m;
		}
	} else {
		$p->request({ type => 'list_peers' }) or return;
		while (my $m = plain($p->{ws}->pick(\&is_message))) {
			push @got, $m;
		}
	}
	Test::More::diag("pushed: $_->{text}") for @got;
	return !@got;
}

1;
