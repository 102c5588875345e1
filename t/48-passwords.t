#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Passwords: set by the member, by who manages members and by who runs the
# server; a token for one, for a while; guessing is slow, held up, and learns
# nothing; and nobody else waits for it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Linnet qw(run scratch slurp wait_until);
use List::Util 'min';
use POSIX ();
use Test::More;
use Time::HiRes 'time';

my $b = Linnet->broker(workers => 1, options => ['log.level debug',
    'rate.refused_burst 1000000', 'rate.login 0', 'token.login_time 1h']);
my $s = $b->seed;
$b->psql("update member set role = 'admin'
    where id = '$s->{peerA}{memberId}'");
my ($ann, $bob) = map { $b->peer($s->{$_}) } qw(peerA peerB);
my %token = map { $_->[0] => $_->[1]->request({ type => 'create_token' })
    ->{token} } ['ann', $ann], ['bob', $bob];

sub login {
	my ($name, $password, %o) = @_;
	return ($o{host} // $b)->http(POST => '/v1/login',
	    { 'content-type' => 'application/json' },
	    { workspace => $s->{slug}, name => $name, password => $password,
	    %{ $o{body} // {} } });
}
sub set {
	my ($token, $who, %body) = @_;
	return $b->http(PUT => "/v1/members/$who/password",
	    { authorization => "Bearer $token" }, { %body });
}
sub worth {
	return $b->http(GET => '/v1/token',
	    { authorization => "Bearer $_[0]" })->{status};
}

subtest 'one\'s own' => sub {
	is(login('peer-b', 'x' x 12)->{status}, 401, 'none yet');
	is(set($token{bob}, 'me', password => 'short')->{status}, 400,
	    'a short one');
	my $r = set($token{bob}, 'me', password => 'correct horse');
	is($r->{status}, 200, 'set') or diag explain $r;
	$r = login('peer-b', 'correct horse');
	is($r->{status}, 200, 'logged in') or diag explain $r;
	is($r->{json}{actorId}, $s->{peerB}{memberId}, 'as that member');
	like($r->{json}{token}, qr/\Awat_/, 'with a token');
	is(worth($r->{json}{token}), 200, 'which is good');
	is(login('PEER-B', 'correct horse')->{status}, 200, 'in any case');
	is(login('peer-b', 'correct horse', body => { workspace =>
	    $s->{meshId} })->{status}, 200, 'by the id of the mesh');
	is(login('peer-b', 'Correct horse')->{status}, 401, 'not another one');
	is(login('peer-b', 'correct horse', body => { workspace => 'nowhere' })
	    ->{status}, 401, 'nor elsewhere');
	is(set($token{bob}, 'me', password => 'another one')->{status}, 400,
	    'to change it the old one is needed');
	is(set($token{bob}, 'me', password => 'another one', current =>
	    'wrong one')->{status}, 403, 'and that has to be right');
	my $kept = login('peer-b', 'correct horse')->{json}{token};
	is(set($kept, 'me', password => 'another one', current =>
	    'correct horse')->{status}, 200, 'changed');
	is(worth($kept), 200, 'who did it goes on');
	is(worth($r->{json}{token}), 401, 'others are logged out');
	is(worth($token{bob}), 200, 'tokens of programs stay');
	is(login('peer-b', 'correct horse')->{status}, 401, 'it is the new one');
	is(login('peer-b', 'another one')->{status}, 200, 'that counts');
};

subtest 'that of others' => sub {
	is(set($token{bob}, $s->{peerA}{memberId}, password => 'evil deed')
	    ->{status}, 403, 'not for a member');
	is(set($token{ann}, 'peer-b', password => 'from an admin')->{status},
	    200, 'for an admin');
	is(login('peer-b', 'from an admin')->{status}, 200, 'it is that');
	$b->psql("update member set role = 'owner'
	    where id = '$s->{peerB}{memberId}'");
	is(set($token{ann}, 'peer-b', password => 'evil deed')->{status}, 403,
	    'not of an owner');
	$b->psql("update member set role = 'member'
	    where id = '$s->{peerB}{memberId}'");
};

subtest 'a token for a while' => sub {
	my $t = login('peer-b', 'from an admin')->{json}{token};
	my $r = $b->http(GET => '/v1/token', { authorization => "Bearer $t" })
	    ->{json};
	is($b->psql("select '$r->{expiresAt}'::timestamptz between
	    now() + interval '59 minutes' and now() + interval '61 minutes'"),
	    't', 'token.login_time');
	my $made = $b->http(POST => '/v1/tokens', { authorization =>
	    "Bearer $t" }, { name => 'my agent' })->{json};
	is($b->http(DELETE => "/v1/tokens/$r->{tokenId}", { authorization =>
	    "Bearer $t" })->{status}, 200, 'logged out');
	is(worth($t), 401, 'it is over');
	is(worth($made->{token}), 200,
	    'what was made by who logged in is not');
	my @t = map { login('peer-b', 'from an admin')->{json}{token} } 1 .. 11;
	is(worth($t[0]), 401, 'the eleventh ends the first');
	is(worth($t[1]), 200, 'ten are good');
};

subtest 'guessing' => sub {
	my ($t, %took) = (0);
	for my $name ('peer-b', 'nobody') {
		my @times;
		for (1 .. 3) {
			my $at = time;
			is(login($name, 'guess 12345')->{status}, 401, $name);
			push @times, time - $at;
		}
		$took{$name} = min(@times);
	}
	cmp_ok($took{nobody}, '>', $took{'peer-b'} / 4,
	    'who is not there takes as long');
	my ($one, $two) = map { login($_, 'guess 12345')->{json}{error} }
	    'peer-b', 'nobody';
	is($one, $two, 'and is told the same');
	my $h = Linnet->broker(workers => 1, options => ['rate.login 5',
	    'rate.login_burst 3']);
	my $seed = $h->seed;
	my @st = map { login('peer-b', 'guess 12345', host => $h, body =>
	    { workspace => $seed->{slug} })->{status} } 1 .. 4;
	is_deeply(\@st, [401, 401, 401, 429], 'so often, and then not');
	my $r = login('peer-a', 'guess 12345', host => $h, body =>
	    { workspace => $seed->{slug} });
	is($r->{status}, 401, 'others are not held up');
	$h->end;
};

subtest 'beside the loop' => sub {
	my @io = map { $b->tcp } 1 .. 4;
	for (@io) {
		my $body = Cpanel::JSON::XS->new->utf8->encode({ workspace =>
		    $s->{slug}, name => 'peer-b', password => 'from an admin' });
		$_->put("POST /v1/login HTTP/1.1\r\nHost: x\r\n"
		    . "Content-Type: application/json\r\nContent-Length: "
		    . length($body) . "\r\n\r\n$body");
	}
	my $worst = 0;
	for (1 .. 20) {
		my $at = time;
		$bob->request({ type => 'list_state', prefix => 'none' });
		$worst = time - $at if time - $at > $worst;
	}
	ok(1, sprintf 'the longest anybody waited: %.0f ms', 1000 * $worst);
	is($_->answer('POST')->{status}, 200, 'all got in') for @io;
};

# linnetctl member password, and this on its terminal.
sub types {
	my ($password) = @_;
	my $dir = scratch();
	open my $f, '>', "$dir/pw" or die $!;
	print $f "$password\n";
	close $f;
	my ($st, $out, $err) = run(['sh', '-c', 'exec "$@" < "$0"',
	    "$dir/pw", $b->program('linnetctl'), '-o', 'state_dir ' . $b->dir,
	    'member', 'password', $s->{slug}, 'carol']);
	diag $err if $st != 0;
	return $st;
}

subtest 'who runs the server' => sub {
	my ($st, $out, $err) = $b->ctl('member', 'create', $s->{slug}, 'carol',
	    '--kind', 'human', '--role', 'admin');
	is($st, 0, 'makes a member') or diag $err;
	like($out, qr/carol/, 'and is told');
	is(types('as it was typed'), 0, 'gives it a password');
	my $r = login('carol', 'as it was typed');
	is($r->{status}, 200, 'with which it logs in');
	is($r->{json}{role}, 'admin', 'as what it is');
	($st, $out, $err) = $b->ctl('member', 'list', $s->{slug});
	like($out, qr/carol\s+.*human/, 'it is listed');
	is($b->psql("select count(*) from event where mesh_id =
	    '$s->{meshId}' and payload like '%\"role\":\"admin\"%'"), 1,
	    'and in the journal');
};

# The old one was good when it was looked at.
subtest 'another one while somebody logs in' => sub {
	my $busy = sub {
		my ($what) = @_;
		return wait_until { $b->psql("select count(*) from
		    pg_stat_activity where pid <> pg_backend_pid()
		    and $what") > 0 } 10;
	};
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		eval { $b->psql("begin; select n from journal where mesh_id =
		    '$s->{meshId}' for update; select pg_sleep(6); commit;") };
		POSIX::_exit($@ ? 1 : 0);
	}
	ok($busy->("query like '%pg_sleep(%' and state = 'active'"),
	    'the journal is held');
	my $io = $b->tcp;
	my $body = Cpanel::JSON::XS->new->utf8->encode({ workspace =>
	    $s->{slug}, name => 'carol', password => 'as it was typed' });
	$io->put("POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: "
	    . "application/json\r\nContent-Length: " . length($body)
	    . "\r\n\r\n$body");
	ok($busy->("wait_event_type = 'Lock'"), 'who logs in waits for it');
	is(types('the one after'), 0, 'another password');
	waitpid $pid, 0;
	is($?, 0, 'the journal is free');
	is($io->answer('POST')->{status}, 401, 'the old one is good no more');
	is($b->psql("select count(*) from token join member m on m.id =
	    member_id where m.name = 'carol' and token.revoked_at is null"), 0,
	    'nor what was had for it');
	is(login('carol', 'the one after')->{status}, 200, 'the new one is');
};

subtest 'nowhere to be read' => sub {
	unlike($b->log, qr/correct horse|another one|from an admin/, 'in logs');
	like($b->psql("select password from member
	    where id = '$s->{peerB}{memberId}'"), qr/\A\$argon2id\$/, 'stored');
};

done_testing;
