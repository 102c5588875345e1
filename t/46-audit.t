#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# The audit trail as those see it who may: what was done in a mesh and by whom,
# a page at a time, and whether it is what it was.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Digest::SHA 'sha256_hex';
use Test::More;
use Linnet 'wait_until';

my $b = Linnet->broker(workers => 2, options => ['rate.member 0',
    'rate.requests 0', 'audit.checkpoint_time 1s']);
my $s = $b->seed;
my $mesh = $s->{meshId};
my ($ann, $bob) = map { $b->peer($_) } @{$s}{qw(peerA peerB)};

sub asks {
	my ($p, $type, %o) = @_;
	return $p->request({ type => $type, %o });
}
sub rows {
	my (%o) = @_;
	return @{ asks($ann, 'audit_rows', %o)->{rows} };
}
sub last_row { return (rows(limit => 1))[0] }

subtest 'who may' => sub {
	for my $type (qw(audit_rows audit_verify)) {
		my $r = asks($ann, $type);
		is($r->{code}, 'forbidden', "$type: no member");
		like($r->{message}, qr/audit:read/, 'which is told why');
	}
	is(($b->ctl('member', 'role', $s->{slug}, 'peer-a', 'admin'))[0], 0,
	    'an admin');
	ok(wait_until { asks($ann, 'audit_rows')->{type} eq 'audit' } 10,
	    'does');
};

my ($anns, $bobs) = map { $_->{memberId} } @{$s}{qw(peerA peerB)};
subtest 'from the beginning' => sub {
	my @r = rows();
	is(join(' ', map { $_->{eventType} } @r), 'org.created '
	    . 'invite.created membership.updated membership.updated '
	    . 'membership.updated', 'what made the mesh');
	is($r[0]{payload}{name}, $s->{slug}, 'its name');
	is($r[0]{prevHash}, undef, 'nothing before the first');
	is($r[-1]{payload}{role}, 'admin', 'and the last role');
	is($r[-1]{payload}{actorId}, $anns, 'of whom');
	is($r[-1]{payload}{addedByActorId}, undef, 'by the operator');
	is($r[$_]{prevHash}, $r[$_ - 1]{eventHash}, 'a chain') for 1 .. $#r;
	is($_->{payload}{orgId}, $mesh, 'of this mesh') for @r;
};

# What is done, and the line that it leaves: type, what its payload has.
sub leaves {
	my ($what, $type, %has) = @_;
	my $r = last_row();
	is($r->{eventType}, $type, $what);
	is($r->{payload}{$_}, $has{$_}, "$what: $_") for sort keys %has;
	return $r;
}

my $token;
subtest 'what is done' => sub {
	my $t = asks($ann, 'create_token', name => "a \"b\"\n"
	    =~ s/\n//r, scopes => ['audit:read']);
	$token = $t->{token};
	my $r = leaves('a token', 'token.created', actorId => $anns,
	    createdByActorId => $anns, tokenId => $t->{tokenId},
	    name => 'a "b"');
	is("@{ $r->{payload}{scopes} }", 'audit:read', 'what it may');
	unlike(Cpanel::JSON::XS->new->encode($r), qr/\Q$token\E/, 'but not it');
	$t = asks($bob, 'create_token');
	asks($ann, 'revoke_token', tokenId => $t->{tokenId});
	asks($ann, 'revoke_token', tokenId => $t->{tokenId});
	leaves('the end of one', 'token.revoked', actorId => $bobs,
	    revokedByActorId => $anns, tokenId => $t->{tokenId});
	is((rows(limit => 2))[0]{eventType}, 'token.created', 'once');
	my $p = $b->peer($s->{peerB}, name => 'spare');
	wait_until { grep { $_->{displayName} eq 'spare' }
	    @{ asks($ann, 'list_peers')->{peers} } };
	is(asks($ann, 'kick', target => 'spare', reason => 'why')->{affected},
	    1, 'kick');
	leaves('a kick', 'session.kicked', actorId => $bobs,
	    kickedByActorId => $anns, reason => 'why');
	asks($ann, 'ban', target => $bob->member_key, reason => 'spam');
	leaves('a ban', 'member.banned', actorId => $bobs,
	    bannedByActorId => $anns, reason => 'spam');
	asks($ann, 'unban', target => $bob->member_key);
	leaves('the end of it', 'member.unbanned', actorId => $bobs,
	    unbannedByActorId => $anns);
	$bob = $b->peer($s->{peerB});
	my $n = last_row()->{n};
	asks($bob, 'set_state', key => 'k', value => 1);
	asks($bob, 'set_status', status => 'idle');
	$ann->send(to => 'peer-b', text => 'x');
	is(last_row()->{n}, $n, 'nothing of what is done all the time');
	my $f = $b->http(POST => '/v1/files?name=f.txt', { Authorization =>
	    'Bearer ' . asks($bob, 'create_token')->{token} }, 'bytes');
	is($f->{status}, 201, 'a file');
	leaves('a file', 'artifact.registered', createdByActorId => $bobs,
	    artifactId => $f->{json}{fileId}, size => 5,
	    filename => 'f.txt', sha256 => sha256_hex('bytes'));
	asks($ann, 'delete_file', fileId => $f->{json}{fileId});
	leaves('its end', 'artifact.deleted', deletedByActorId => $anns,
	    artifactId => $f->{json}{fileId});
	my $c = asks($bob, 'create_channel', name => 'board',
	    private => \1)->{channelId};
	asks($bob, 'post', channel => $c, text => 'secret');
	$r = leaves('also where one may not look', 'message.appended',
	    actorId => $bobs, streamId => $c, streamSeq => 1);
	unlike(Cpanel::JSON::XS->new->encode($r), qr/secret/,
	    'but not what is said');
};

subtest 'pages' => sub {
	my @all = rows();
	is(join(' ', map { $_->{n} } @all), join(' ', 1 .. @all), 'all');
	my $r = asks($ann, 'audit_rows', limit => 3);
	is(join(' ', map { $_->{n} } @{ $r->{rows} }),
	    join(' ', @all - 2 .. @all), 'the last');
	my @back = @{ $r->{rows} };
	while ($r->{next}) {
		$r = asks($ann, 'audit_rows', limit => 3,
		    before => $r->{next});
		unshift @back, @{ $r->{rows} };
	}
	is_deeply(\@back, \@all, 'back to the first');
	my (@on, $next);
	do {
		$r = asks($ann, 'audit_rows', limit => 4,
		    after => $next // 0);
		push @on, @{ $r->{rows} };
	} while ($next = $r->{next});
	is_deeply(\@on, \@all, 'and on to the last');
	my %of = map { $_ => [grep { my $p = $_->{payload};
	    grep { ($p->{$_} // '') eq $bobs } grep { /(?:^a|ByA)ctorId$/ }
	    keys %$p } @all] } $bobs;
	my @his = rows(actorId => $bobs);
	ok(@his > 5, 'of somebody');
	is_deeply(\@his, $of{$bobs}, 'what he did, and what was done to him');
	is(join(' ', map { $_->{n} } rows(actorId => $bobs, limit => 2)),
	    join(' ', map { $_->{n} } @his[-2, -1]), 'the last of it');
	is_deeply([rows(actorId => 'f' x 32)], [], 'nobody');
};

sub rest {
	my ($path, $text) = @_;
	return $b->http(GET => "/v1/audit/$path",
	    { Authorization => 'Bearer ' . ($text // $token) });
}
subtest 'over HTTP' => sub {
	my $r = rest('rows?limit=2');
	is($r->{status}, 200, 'rows');
	is(scalar @{ $r->{json}{rows} }, 2, 'two');
	is(rest("rows?actorId=$bobs&limit=1")->{json}{rows}[0]{eventType},
	    'message.appended', 'of one');
	is(rest("rows?$_")->{status}, 400, $_) for qw(limit=0 limit=5001
	    limit=x before=0 after=-1);
	$r = rest('verify');
	is($r->{json}{valid}, Cpanel::JSON::XS::true, 'valid');
	is($r->{json}{firstBadIndex}, undef, 'nowhere bad');
	is($r->{json}{total}, last_row()->{n}, 'how many');
	my $t = asks($bob, 'create_token')->{token};
	is(rest('rows', $t)->{status}, 403, 'not for members');
	is(rest('verify', $t)->{status}, 403, 'nor this');
};

subtest 'by the clock' => sub {
	my ($n, $r) = last_row()->{n};
	ok(wait_until { ($r = asks($ann, 'audit_verify'))->{checkpointed}
	    >= $n } 20, 'a checkpoint') or diag explain $r;
	ok($r->{valid}, 'which is right');
	is($r->{key}, $b->ctl_json('audit', 'key', '--json')->{key},
	    'by the key that is told');
	my $had = $r->{checkpoints};
	asks($bob, 'create_token');
	ok(wait_until { ($r = asks($ann, 'audit_verify'))->{checkpointed}
	    > $n } 20, 'another one, when something happened');
	is($r->{checkpoints}, $had + 1, 'one');
	is($r->{headHash}, last_row()->{eventHash}, 'of the last line');
};

subtest 'while things happen' => sub {
	asks($bob, 'create_channel', name => 'busy');
	my $before = last_row()->{n};
	$bob->post(type => 'post', channel => 'busy', text => "t$_", id => $_)
	    for 1 .. 500;
	my ($bad, $times) = (0, 0);
	do {
		my $r = asks($ann, 'audit_verify');
		$bad++, diag explain $r if !$r->{valid};
		$times++;
	} while (last_row()->{n} < $before + 500 && $times < 2000);
	is($bad, 0, "valid, $times times");
	is(scalar(grep { $bob->wait_for('posted') } 1 .. 500), 500,
	    'and all of it was done');
	# What comes behind a checkpoint nothing vouches for.
	ok(wait_until { asks($ann, 'audit_verify')->{checkpointed}
	    == last_row()->{n} } 20, 'a checkpoint of the end');
};

# Each is undone.  The index is from 0.
sub tampered {
	my ($what, $do, $undo, $index, $like) = @_;
	$b->psql($do);
	my $r = asks($ann, 'audit_verify');
	ok(!$r->{valid}, $what);
	is($r->{firstBadIndex}, $index, "$what: where");
	like($r->{problem} // '', $like, "$what: what");
	$b->psql($undo);
	return;
}
my $event = "event where mesh_id = '$mesh' and n";
my $set = "update event set payload";
my $if = "where mesh_id = '$mesh' and n";
subtest 'what was changed' => sub {
	my $n = last_row()->{n};
	$b->psql("create table kept as select * from event "
	    . "where mesh_id = '$mesh'");
	tampered('a payload', "$set = replace(payload, 'admin', 'owner') "
	    . "$if = 5", "$set = replace(payload, 'owner', 'admin') $if = 5",
	    4, qr/^line 5 has another hash/);
	tampered('the first', "$set = payload || ' ' $if = 1",
	    "$set = rtrim(payload) $if = 1", 0, qr/^line 1 has/);
	tampered('a time', "update event set created_at = created_at + "
	    . "interval '1 s' $if = 7", "update event set created_at = "
	    . "created_at - interval '1 s' $if = 7", 6, qr/^line 7 has/);
	tampered('a line that is gone', "delete from $event = 4",
	    "insert into event select * from kept where n = 4", 3,
	    qr/^line 4 is gone/);
	tampered('the last', "delete from $event > " . ($n - 2), 'insert into '
	    . 'event select * from kept where n > ' . ($n - 2), $n - 2,
	    qr/gone from the end/);
	tampered('one too many', "insert into event select mesh_id, n + 1, id, "
	    . "type, channel_id, seq, payload, created_at, hash from $event = "
	    . $n, "delete from $event > $n", $n, qr/behind the end/);
	tampered('a checkpoint', "update checkpoint set at = at + interval "
	    . "'1 s' where mesh_id = '$mesh'", "update checkpoint set at = at "
	    . "- interval '1 s' where mesh_id = '$mesh'", $b->psql("select "
	    . "min(n) - 1 from checkpoint where mesh_id = '$mesh'") =~ s/\n//r,
	    qr/not what was signed/);
	ok(asks($ann, 'audit_verify')->{valid}, 'all is as it was');
};

# Whoever changes a line, and all hashes behind it.
my $anew = "update event e set hash = f.h from (select n, journal_fold('', "
    . "type, payload, journal_time(created_at)) over (order by n) as h from "
    . "event where mesh_id = '$mesh') f where e.mesh_id = '$mesh' and "
    . "e.n = f.n; update journal j set n = e.n, hash = e.hash from (select * "
    . "from event where mesh_id = '$mesh' order by n desc limit 1) e "
    . "where j.mesh_id = '$mesh'";
subtest 'what was written anew' => sub {
	my $n = last_row()->{n};
	my $first = $b->psql("select min(n) from checkpoint where mesh_id = "
	    . "'$mesh' and n >= 5") =~ s/\n//r;
	$anew =~ s/journal_fold\(''/journal_fold(''::bytea/;
	tampered('the whole chain', "$set = replace(payload, 'admin', 'owner')"
	    . " $if = 5; $anew", "$set = replace(payload, 'owner', 'admin') "
	    . "$if = 5; $anew", $first - 1, qr/was written anew/);
	tampered('a new end', "delete from $event > " . ($n - 1) . "; $anew",
	    'insert into event select * from kept where n > ' . ($n - 1)
	    . "; $anew", $n - 1, qr/gone from the end: a checkpoint/);
	ok(asks($ann, 'audit_verify')->{valid}, 'all is as it was');
	$b->allow_log(qr/is not what it was/);
	$b->psql("$set = payload || ' ' $if = $n; $anew");
	asks($bob, 'create_token');
	ok(wait_until { $b->log =~ /line $n had another hash/ } 20,
	    'no checkpoint is made of it, and the log says why');
};

is($b->stop, 0, 'stops');
done_testing;
