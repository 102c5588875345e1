#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Clients that leave while the database is asked for them, and a token that is
# revoked meanwhile: nobody else notices, and nothing is told any more.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use IO::Handle;
use Test::More;
use Linnet 'wait_until';
use Linnet::Postgres;

my $pg = Linnet::Postgres->new;
my $broker = Linnet->broker(workers => 1, options => ['database "' .
    $pg->conninfo . '"', 'rate.member 0', 'rate.requests 0']);
my $seed = $broker->ctl_json('-o', 'database "' . $pg->conninfo . '"', 'seed');
$_->{meshId} //= $seed->{meshId} for @{$seed}{qw(peerA peerB)};
my ($ann, $bob) = map { $broker->peer($_) } @{$seed}{qw(peerA peerB)};
sub rows {
	my ($st, $out, $err) = $pg->psql(@_);
	die $err if $st != 0;
	chomp $out;
	return $out;
}
sub asks {
	my ($p, $type, %o) = @_;
	return $p->request({ type => $type, %o });
}
my $all = asks($ann, 'create_token')->{token};
my $few = asks($ann, 'create_token', scopes => ['member', 'channels:read'])
    ->{token};

sub rest {
	my ($method, $path, $body, %o) = @_;
	return $broker->http($method, $path, { authorization => 'Bearer '
	    . ($o{token} // $all) }, $body);
}
sub later {
	my ($method, $path, $body, %o) = @_;
	my $text = defined $body ? Cpanel::JSON::XS::encode_json($body) : '';
	my $io = $broker->tcp;
	$io->put(Linnet::Http::request($method, $path, { Authorization =>
	    'Bearer ' . ($o{token} // $all),
	    'Content-Type' => 'application/json' }, $text));
	return $io;
}

my $c = asks($ann, 'create_channel', name => 'dev')->{channelId};
asks($ann, 'post', channel => $c, text => 'hello deploy world');
my $unit;
wait_until { $unit = rows("select replace(id::text, '-', '')
    from memory_unit") } 20, 'a unit of memory';
my $file = rest(POST => '/v1/artifacts', { streamId => $c, streamType =>
    'channel', filename => 'a.txt', contentType => 'text/plain',
    contentBase64 => 'eA==' })->{json}{artifact}{id};

# Those that tell who runs it.
sub workers {
	return rows("select string_agg(pid::text, ' ' order by pid)
	    from pg_stat_activity where application_name ~ 'worker'");
}

subtest 'a client that leaves' => sub {
	my $before = workers();
	for (['memory_unit', GET => '/v1/memory/search?q=deploy'],
	    ['memory_unit', GET => "/v1/memory?streamId=$c"],
	    ['memory_unit', GET => "/v1/memory/$unit"],
	    ['memory_unit', POST => "/v1/memory/$unit/promote", {}],
	    ['artifact', DELETE => "/v1/artifacts/$file"],
	    ['channel', POST => '/v1/channels', { name => 'new' },
	    token => $few]) {
		my ($table, $method, $path, $body, %o) = @$_;
		# The token is known, and not looked up.
		is(rest(GET => '/v1/token', undef, %o)->{status}, 200, 'good');
		open my $fh, '|-', "$pg->{bin}/psql", '-X', '-q', '-h', $pg->dir,
		    '-U', 'linnet', '-d', 'linnet', '-f', '-' or die "psql: $!";
		$fh->autoflush;
		print {$fh} "begin; lock table $table in access exclusive mode;\n";
		wait_until { rows("select count(*) from pg_locks where granted
		    and mode = 'AccessExclusiveLock' and relation =
		    '$table'::regclass") } 10, "$table is held";
		my $io = later($method, $path, $body, %o);
		wait_until { rows("select count(*) from pg_stat_activity where
		    wait_event_type = 'Lock' and application_name ~ 'worker'") }
		    10, "$method $path waits";
		$io->reset;
		# What needs no database is behind that.
		is(asks($bob, 'list_peers')->{type}, 'peers_list', $path)
		    for 1, 2;
		close $fh;
		wait_until { eval { rest(GET => '/v1/token')->{status} == 200 } }
		    20, 'it goes on';
		is(workers(), $before, 'it is the same worker');
	}
};

subtest 'a token that is revoked while it waits' => sub {
	my $s = asks($ann, 'create_durable_stream', channel => $c)
	    ->{durableStreamId};
	for my $how ("read?live=true&timeoutMs=20000", 'tail?offset=0') {
		my $offset = asks($ann, 'get_durable_stream',
		    durableStreamId => $s)->{offset};
		my $t = asks($ann, 'create_token');
		my $io = later(GET => "/v1/durable-streams/$s/"
		    . ($how =~ s/offset=0/offset=$offset/r) . ($how =~ /live/
		    ? "&offset=$offset" : ''), undef, token => $t->{token});
		my $tail = $how =~ /tail/;
		wait_until { $io->{in} =~ /event: ready/ } 10, 'ready' if $tail;
		# A look at the token, once it waits.
		wait_until { rows("select last_used_at is not null from token
		    where id = '$t->{tokenId}'") eq 't' } 10;
		asks($ann, 'revoke_token', tokenId => $t->{tokenId});
		asks($ann, 'append_durable_chunks', durableStreamId => $s,
		    chunks => [{ text => 'secret' }]);
		if ($tail) {
			wait_until { $io->{in} =~ /event: error/ } 30,
			    'an error';
			unlike($io->{in}, qr/secret/, 'nothing of it');
		} else {
			my $r = $io->answer('GET');
			is($r->{status}, 401, $how) or diag explain $r;
		}
	}
};

is($broker->stop, 0, 'stops');
done_testing;
