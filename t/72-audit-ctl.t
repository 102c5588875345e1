#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# linnetctl audit: what the operator does is in the trail too; it is verified in
# the database, and, exported, anywhere; checkpoints are signed with a key that
# the database does not have.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use POSIX 'mkfifo';
use Test::More;
use Linnet qw(run slurp scratch);

my $dir = scratch();
my $b = Linnet->broker(workers => 1, options =>
    ['audit.checkpoint_time 0']);
my $json = Cpanel::JSON::XS->new->utf8->canonical;
my $ctl = Linnet->program('linnetctl');
my $seed = $b->seed;
my ($mesh, $slug) = @{$seed}{qw(meshId slug)};

sub rows {
	my ($sql) = @_;
	my $out = $b->psql($sql);
	chomp $out;
	return $out;
}
sub done {
	my (@args) = @_;
	my ($st, $out, $err) = $b->ctl(@args);
	is($st, 0, "@args[0, 1]") or diag $err;
	return $out;
}
sub last_line {
	my ($type, $payload) = split / /, rows("select type || ' ' || payload "
	    . "from event where mesh_id = '$mesh' order by n desc limit 1"), 2;
	return ($type, $json->decode($payload));
}
sub leaves {
	my ($args, $want, %has) = @_;
	my $before = rows("select n from journal where mesh_id = '$mesh'");
	my $out = done(@$args);
	my ($type, $p) = last_line();
	is($type, $want, "@$args[0, 1]: its line");
	is($p->{$_}, $has{$_}, "@$args[0, 1]: $_") for sort keys %has;
	is(rows("select n from journal where mesh_id = '$mesh'"), $before + 1,
	    'and no other');
	return $out;
}

subtest 'what the operator does' => sub {
	my $who = $seed->{peerB}{memberId};
	leaves(['member', 'role', $slug, 'peer-b', 'admin'],
	    'membership.updated', actorId => $who, role => 'admin',
	    addedByActorId => undef, scope => 'org');
	leaves(['member', 'rename', $slug, 'peer-b', 'Bee'], 'actor.updated',
	    actorId => $who, displayName => 'Bee');
	leaves(['ban', $slug, 'Bee', '--reason', "a \"b\"\\"],
	    'member.banned', actorId => $who, reason => "a \"b\"\\",
	    bannedByActorId => undef);
	leaves(['unban', $slug, 'Bee'], 'member.unbanned', actorId => $who,
	    unbannedByActorId => undef);
	my $t = $json->decode(leaves(['token', 'create', $slug, 'Bee',
	    '--json'], 'token.created', actorId => $who,
	    createdByActorId => undef));
	unlike(rows('select payload from event'), qr/$t->{token}/, 'no secret');
	leaves(['token', 'revoke', $t->{tokenId}], 'token.revoked',
	    tokenId => $t->{tokenId}, revokedByActorId => undef);
	my $i = $json->decode(leaves(['invite', 'create', $slug, '--uses', 3,
	    '--json'], 'invite.created', maxUses => 3, role => 'member'));
	unlike(rows('select payload from event'), qr/\Q$i->{token}\E/,
	    'no invite');
	leaves(['invite', 'revoke', $i->{inviteId}], 'invite.revoked',
	    inviteId => $i->{inviteId});
	leaves(['mesh', 'rename', $slug, 'M'], 'org.updated', name => 'M');
	leaves(['mesh', 'set', $slug, '--files', 7], 'org.updated');
	is((last_line())[1]{limits}{files}, 7, 'what it may have');
	leaves(['mesh', 'archive', $slug], 'org.archived', orgId => $mesh);
	leaves(['mesh', 'unarchive', $slug], 'org.unarchived');
	my $p = $b->peer($seed->{peerA}, name => 'spare');
	leaves(['kick', $slug, 'spare', '--reason', 'x'], 'session.kicked',
	    actorId => $seed->{peerA}{memberId}, reason => 'x');
	leaves(['member', 'revoke', $slug, 'Bee', '--yes'],
	    'membership.updated', actorId => $who, role => undef,
	    removedByActorId => undef);
	my $n = rows("select n from journal where mesh_id = '$mesh'");
	done('mesh', 'rename', $slug, 'M');
	done('member', 'role', $slug, 'peer-a', 'member');
	is(rows("select n from journal where mesh_id = '$mesh'"), $n,
	    'nothing is said of what changes nothing');
};

sub verdict {
	my (@args) = @_;
	my ($st, $out, $err) = $b->ctl('audit', 'verify', '--json', @args);
	my $v = eval { $json->decode($out) } or diag $err;
	return ($st, $v->[0], $err);
}

my ($key) = done('audit', 'key') =~ /^([0-9a-f]{64})$/;
my $other = $b->seed;
subtest 'verify' => sub {
	my ($st, $v) = verdict($slug);
	is($st, 0, 'valid');
	is($v->{checkpoints}, 0, 'with no checkpoint');
	like(done('audit', 'verify', $slug), qr/no checkpoint vouches/,
	    'which is said');
	like(done('audit', 'checkpoint'), qr/^mesh $slug: checkpoint of line/m,
	    'one is made of each mesh');
	like(done('audit', 'checkpoint', $slug), qr/has a checkpoint already/,
	    'once');
	($st, $v) = verdict($slug);
	is($v->{checkpointed}, $v->{total}, 'up to the end');
	is($v->{key}, $key, 'with our key');
	is(scalar(split /\n/, done('audit', 'verify')), 2, 'all meshes');
	($st, $v) = verdict($slug, '--key', 'f' x 64);
	is($st, 65, 'another key is not trusted');
	like($v->{problem}, qr/not trusted here: $key/, 'and told');
	is((verdict($slug, '--key', 'f' x 64, '--key', $key))[0], 0,
	    'two are');
	my ($bad, undef, $err) = $b->ctl('audit', 'verify', '--key', 'x');
	is($bad, 64, 'no key');
	($bad, undef, $err) = $b->ctl('audit', 'verify', $slug, '--file', 'x');
	is($bad, 64, 'either a mesh or a file');
	($bad) = $b->ctl('audit', 'verify', 'nowhere');
	is($bad, 66, 'no such mesh') or diag $bad;
};

my $ann = $seed->{peerA}{memberId};
done('member', 'rename', $slug, $ann, "Zo\x{c3}\x{ab} \\\"");
done('member', 'role', $slug, $ann, 'admin');
done('audit', 'checkpoint', $slug);
done('member', 'rename', $slug, $ann, 'peer-a');
my $n = rows("select n from journal where mesh_id = '$mesh'");

# Somewhere else: no server, no database, no configuration.
sub elsewhere {
	my (@args) = @_;
	my ($st, $out, $err) = run([$ctl, '-o', "state_dir $dir/none", 'audit',
	    'verify', '--json', @args]);
	return ($st, scalar eval { $json->decode($out) }, $err);
}
sub put {
	my ($name, @lines) = @_;
	open my $f, '>:raw', "$dir/$name" or die;
	print $f @lines;
	close $f or die;
	return "$dir/$name";
}

sub lines {
	open my $f, '<:raw', $_[0] or die "$_[0]: $!";
	return <$f>;
}
my $file = "$dir/trail.jsonl";
my @lines;
subtest 'export' => sub {
	done('audit', 'export', $slug, $file);
	is((stat $file)[2] & 0777, 0600, 'is for its owner');
	is(done('audit', 'export', $slug) =~ tr/\n//,
	    scalar(@lines = lines($file)), 'or comes here');
	my ($st, $v, $err) = elsewhere('--file', $file, '--key', $key);
	is($st, 0, 'verified') or diag $err;
	is_deeply([@{ $v->[0] }{qw(meshId total checkpoints trusted)}],
	    [$mesh, $n, 2, Cpanel::JSON::XS::true], 'what there is');
	my ($head, @r) = map { $json->decode($_) } @lines;
	is_deeply([@{$head}{qw(format version meshId total)}],
	    ['linnet-audit', 1, $mesh, $n], 'it says what it is');
	is(join(' ', map { $_->{n} } grep { $_->{n} } @r),
	    join(' ', 1 .. $n), 'each line');
	is((elsewhere('--file', $file))[1][0]{trusted}, Cpanel::JSON::XS::false,
	    'without a key it says that');
	is((elsewhere('--file', $file, '--key', 'f' x 64))[0], 65,
	    'with another one it is not');
	my $all = done('audit', 'export');
	($st, $v) = elsewhere('--file', put('two', $all), '--key', $key);
	is($st, 0, 'all meshes');
	is(scalar @$v, 2, 'both');
	mkfifo("$dir/pipe", 0600) or die "$dir/pipe: $!";
	my $pid = open my $reader, '-|', 'cat', "$dir/pipe" or die "cat: $!";
	done('audit', 'export', $slug, "$dir/pipe");
	ok(-p "$dir/pipe", 'what is no file stays what it is');
	kill 'TERM', $pid if !-p _;
	is(scalar(() = <$reader>), scalar @lines, 'and is written to');
	close $reader;
	is((stat "$dir/pipe")[2] & 0777, 0600, 'with the mode that it had');
};

# A file in which something was changed: the line of the file, the index.
sub told {
	my ($what, $like, $at, $index, @new) = @_;
	my ($st, $v, $err) = elsewhere('--file', put('bad', @new),
	    '--key', $key);
	is($st, 65, $what);
	like($v->[0]{problem} // $err, $like, "$what: why");
	is($v->[0]{line}, $at, "$what: the line");
	is($v->[0]{firstBadIndex}, $index, "$what: the index");
	return;
}
subtest 'a file that was changed' => sub {
	my @at = grep { $lines[$_] =~ /"n":/ } 0 .. $#lines;
	my $is = sub { # the line of the file, from 1, of line n
		my ($k) = @_;
		return $at[$k - 1] + 1;
	};
	my $with = sub {
		my ($i, $from, $to) = @_;
		my @l = @lines;
		$l[$i - 1] =~ s/$from/$to/ or die "no $from in $l[$i - 1]";
		return @l;
	};
	told('a payload', qr/^line 5 has another hash/, $is->(5), 4,
	    $with->($is->(5), 'admin', 'owner'));
	told('a type', qr/^line 1 has another hash/, $is->(1), 0,
	    $with->($is->(1), 'org.created', 'org.creates'));
	told('a time', qr/^line 9 has another hash/, $is->(9), 8,
	    $with->($is->(9), '(?<="createdAt":"20)\d', '9'));
	told('a line that is gone', qr/^line 4 is gone/, $is->(4), 3,
	    @lines[grep { $_ != $at[3] } 0 .. $#lines]);
	told('two that changed places', qr/^line 4 is gone/, $is->(4), 3,
	    @lines[0 .. $at[3] - 1], $lines[$at[4]], $lines[$at[3]],
	    @lines[$at[4] + 1 .. $#lines]);
	told('the last', qr/gone from the end/, scalar @lines - 1, $n - 1,
	    @lines[grep { $_ != $at[-1] } 0 .. $#lines]);
	told('an id', qr/changed that no hash/, scalar @lines, $n - 1,
	    $with->($is->(2), '(?<="id":")0', '1'));
	told('a file that was cut', qr/ends before the mesh/, 11, 9,
	    @lines[0 .. $at[8]]);
	told('half a line', qr/no JSON/, $is->(3), 2,
	    @lines[0 .. $at[2] - 1], substr $lines[$at[2]], 0, 50);
	my ($mark) = grep { $lines[$_] =~ /"checkpoint":/ } 0 .. $#lines;
	my $of = $json->decode($lines[$mark])->{checkpoint};
	told('a signature', qr/not what was signed/, $mark + 1, $of - 1,
	    $with->($mark + 1, '(?<="signature":").{16}', 'f' x 16));
	told('a checkpoint that is gone', qr/checkpoints are gone/,
	    scalar @lines - 1, $n - 1,
	    @lines[grep { $_ != $mark } 0 .. $#lines]);
	my $flips = 0;
	for my $i (1 .. 150) {
		my $text = join '', @lines;
		my $at = int rand length $text;
		substr($text, $at, 1) = chr(ord(substr $text, $at, 1) ^
		    (1 << int rand 7));
		my ($st, $v, $err) = elsewhere('--file', put('bad', $text),
		    '--key', $key);
		$flips++, next if $st == 65;
		diag "byte $at: status $st, $err";
	}
	is($flips, 150, 'any byte');
	for (['', qr/nothing in it/], ["x\n", qr/line 1 is no JSON/],
	    ["{}\n", qr/line 1 does not begin/],
	    [$with->(1, '"version":1', '"version":2'), qr/version 2/]) {
		my $like = pop @$_;
		my ($st, undef, $err) = elsewhere('--file', put('bad', @$_));
		is($st, 65, "$like");
		like($err, $like, 'is said');
	}
	is((elsewhere('--file', "$dir/nowhere"))[0], 66, 'no file');
};

# In the database; the file was exported before.
sub tampered {
	my ($what, $do, $index, $like) = @_;
	rows('begin; create table keep_event as select * from event; '
	    . 'create table keep_journal as select * from journal; commit');
	rows($do);
	my ($st, $v) = verdict($slug);
	is($st, 65, $what);
	is($v->{firstBadIndex}, $index, "$what: where");
	like($v->{problem}, $like, "$what: what");
	my ($bad, undef, $err) = $b->ctl('audit', 'checkpoint', $slug);
	is($bad, $what =~ /before/ ? 0 : 65, "$what: what is signed")
	    or diag $err;
	my $out = "$dir/tampered";
	is(($b->ctl('audit', 'export', $slug, $out))[0], 0, 'exported');
	my ($off, $w) = elsewhere('--file', $out, '--key', $key);
	is($off, 65, "$what: also in an export");
	is($w->[0]{firstBadIndex}, $index, 'at the same place')
	    or diag explain $w;
	rows('begin; delete from event; insert into event select * from '
	    . 'keep_event; update journal j set n = k.n, hash = k.hash from '
	    . 'keep_journal k where k.mesh_id = j.mesh_id; drop table '
	    . 'keep_event, keep_journal; delete from checkpoint where n > '
	    . "$n; commit");
	return;
}
my $if = "where mesh_id = '$mesh' and n";
my $anew = "update event e set hash = f.h from (select n, "
    . "journal_fold(''::bytea, type, payload, journal_time(created_at)) over "
    . "(order by n) as h from event where mesh_id = '$mesh') f where "
    . "e.mesh_id = '$mesh' and e.n = f.n; update journal j set n = e.n, "
    . "hash = e.hash from (select * from event where mesh_id = '$mesh' order "
    . "by n desc limit 1) e where j.mesh_id = '$mesh'";
subtest 'what was changed in the database' => sub {
	my @marks = split /\n/, rows("select n from checkpoint where "
	    . "mesh_id = '$mesh' order by n");
	tampered('a payload behind the checkpoints', "update event set payload "
	    . "= replace(payload, 'peer', 'beer') $if = $n", $n - 1,
	    qr/^line $n has another hash/);
	tampered('the end', "delete from event $if = $n", $n - 1,
	    qr/gone from the end/);
	tampered('a new end', "delete from event $if >= $marks[-1]; $anew",
	    $marks[-1] - 1, qr/gone from the end: a checkpoint/);
	tampered('all anew', "update event set payload = replace(payload, "
	    . "'admin', 'owner') $if = 5; $anew", $marks[0] - 1,
	    qr/written anew/);
};
is((verdict($slug))[0], 0, 'all is as it was');

subtest 'keys' => sub {
	my $own = $b->dir . '/audit.key';
	is((stat $own)[2] & 0777, 0600, 'is for nobody else');
	my ($secret) = slurp($own) =~ /^([0-9a-f]{64})$/;
	unlike($b->log, qr/$secret/, 'nor in the log');
	my $new = put('key', 'ab' x 32, "\n");
	chmod 0600, $new;
	is($b->stop, 0, 'stops');
	push @{ $b->{options} }, "audit.key $new";
	$b->start;
	my @with = ('-o', "audit.key $new");
	my ($st, $v) = verdict($slug, @with);
	is($st, 65, 'another key: what the old one signed counts no more');
	like($v->{problem}, qr/not trusted here: $key.*audit\.trust/,
	    'until it is named');
	my ($bad, undef, $err) = $b->ctl(@with, 'audit', 'checkpoint', $slug);
	is($bad, 65, 'and nothing is signed');
	push @with, '-o', "audit.trust $key";
	is((verdict($slug, @with))[0], 0, 'then it does');
	done('mesh', 'rename', $slug, 'newer');
	is(($b->ctl(@with, 'audit', 'checkpoint', $slug))[0], 0, 'and so does');
	($st, $v) = verdict($slug, @with);
	isnt($v->{key}, $key, 'what the new one signs');
	is($b->stop, 0, 'stops');
	push @{ $b->{options} }, "audit.trust $key";
	$b->start;
	($bad, undef, $err) = $b->ctl('-o', 'audit.trust x', 'audit', 'key');
	is($bad, 78, 'what is no key');
	like($err, qr/audit\.trust/, 'is told');
	($bad) = $b->ctl('audit', 'export', 'nowhere', "$dir/left");
	is($bad, 66, 'no such mesh');
	is(scalar(() = glob "$dir/left*"), 0, 'leaves nothing');
};
is((elsewhere('--file', $file, '--key', $key))[0], 0, 'so is the file');

is($b->stop, 0, 'stops');
done_testing;
