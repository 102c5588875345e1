#!/usr/bin/env perl
# TLS: who is let in and who is not, what a client sees, session tickets,
# several certificates, and what the daemon says of its files.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet qw(wait_until run slurp scratch);
use Linnet::Tls;

my $dir = scratch();
my $ca = Linnet::Tls->new($dir);
my ($cert, $key) = $ca->issue('first', names => ['localhost', '*.a.test']);
my ($cert2, $key2) = $ca->issue('second', names => ['b.test'],
    algorithm => 'rsa:2048');
my $linnetd = Linnet->program('linnetd');

# What -t says of files: certificate, key, and what is expected.
{
	my ($old) = $ca->issue('old', begins => '20200101000000Z',
	    ends => '20200201000000Z');
	my ($soon) = $ca->issue('soon', days => 3);
	my ($later) = $ca->issue('later', begins => '20990101000000Z',
	    ends => '20990201000000Z');
	my $other = "$dir/old.key";
	my $open = Linnet::Tls::put("$dir/open.key", slurp($key));
	my $group = Linnet::Tls::put("$dir/group.key", slurp($key));
	my $write = Linnet::Tls::put("$dir/write.key", slurp($key));
	chmod 0604, $open;
	chmod 0640, $group;
	chmod 0660, $write;
	Linnet::Tls::openssl('pkey', '-in', $key, '-aes128', '-passout',
	    'pass:x', '-out', "$dir/locked.key");
	my $empty = Linnet::Tls::put("$dir/empty", '');
	chmod 0600, $empty, "$dir/locked.key";
	my $huge = Linnet::Tls::put("$dir/huge", 'x' x 70000);
	my $mine = $> == 0 ? 0 : 78;
	for (
		[$cert, $key, 0, qr/^$/, 'good files'],
		[$cert2, $key2, 0, qr/^$/, 'RSA'],
		[$old, "$dir/old.key", 0, qr/has expired \(2020-02-01T/, 'expired'],
		[$soon, "$dir/soon.key", 0, qr/expires soon: 20/, 'soon'],
		[$later, "$dir/later.key", 0, qr/not valid before 2099-01-01T/,
		    'not yet'],
		[$cert, $other, 78, qr/key does not belong to the cert/,
		    'another key'],
		[$cert, $open, 78, qr/open\.key: everybody can use it/,
		    'a key for everybody'],
		[$cert, $group, $mine, qr/^(?:.*its group can use it.*|)$/s,
		    'a key for a group'],
		[$cert, $write, 78, qr/its group can use it; chmod g= it/,
		    'a key that a group may write'],
		[$cert, "$dir/locked.key", 78, qr/is encrypted; give one/,
		    'a key with a passphrase'],
		[$cert, $empty, 78, qr/holds no private key/, 'no key'],
		[$empty, $key, 78, qr/holds no certificate/, 'no certificate'],
		[$cert, "$dir/none", 78, qr/none: No such file/, 'no file'],
		[$cert, $dir, 78, qr/it is no file/, 'a directory'],
		[$huge, $key, 78, qr/longer than 64 KiB/, 'a huge file'],
		[$cert, 'credential:key', 78, qr/no CREDENTIALS_DIRECTORY/,
		    'a credential of nobody'],
		[$cert, 'credential:../key', 78, qr/neither begins with/,
		    'a credential elsewhere'],
		[$cert, 'server.key', 78, qr/neither begins with a slash/,
		    'a relative path'],
	) {
		my ($c, $k, $status, $says, $name) = @$_;
		my ($st, $out, $err) = run([$linnetd, '-t', '-o',
		    "tls.certificate $c", '-o', "tls.key $k"],
		    env => { CREDENTIALS_DIRECTORY => '' });
		is($st, $status, "-t with $name: status");
		like($err, $says, "-t with $name: what it says");
	}
	for (
		['tls.min_version 1.1', qr/neither 1\.2 nor 1\.3/],
		['tls.ciphers NONSENSE', qr/no such cipher/],
		["tls.key $key2", qr/not as many entries/],
	) {
		my ($st, undef, $err) = run([$linnetd, '-t', '-o',
		    "tls.certificate $cert", '-o', "tls.key $key", '-o', $_->[0]]);
		is($st, 78, "-t with $_->[0]");
		like($err, $_->[1], 'and why not');
	}
	my ($st, undef, $err) = run([$linnetd, '-t', '-o', 'listen tls:*:0']);
	is($st, 78, '-t with an address for TLS and no certificate');
	like($err, qr/there is no tls\.certificate/, 'and why not');
}

# The key comes as a credential, as a service manager gives it.
mkdir "$dir/credentials";
Linnet::Tls::put("$dir/credentials/tls-key", slurp($key));
chmod 0400, "$dir/credentials/tls-key";
my $b = Linnet->broker(workers => 2,
    listen => ['127.0.0.1:0', 'tls:127.0.0.1:0'],
    env => { CREDENTIALS_DIRECTORY => "$dir/credentials" },
    tls => [$ca->client('localhost')],
    options => ["tls.certificate $cert", "tls.certificate $cert2",
	'tls.key credential:tls-key', "tls.key $key2",
	'limit.handshake_time 1s', 'tls.ticket_time 1h']);
my $where = $b->address(1) =~ s/^tls://r;
my $ends = Linnet::Tls::openssl('x509', '-in', $cert, '-noout', '-enddate');

sub metrics {
	return { $b->http(GET => '/metrics')->{body}
	    =~ /^(linnet_tls_\w+(?:\{result="\w+"\})?) (\d+)$/mg };
}

# What clients see: arguments, what they say, and how it is counted.
for (
	[[], qr/^New, TLSv1\.3/m, 'ok', 'TLS 1.3'],
	[['-tls1_2'], qr/^New, TLSv1\.2, Cipher is ECDHE-/m, 'ok', 'TLS 1.2'],
	[['-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0'],
	    qr/alert protocol version/, 'version', 'TLS 1.1'],
	[['-tls1_2', '-cipher', 'AES128-SHA'], qr/alert handshake failure/,
	    'cipher', 'a cipher without forward secrecy'],
	[['-alpn', 'http/1.1'], qr{ALPN protocol: http/1\.1}, 'ok', 'ALPN'],
	[['-alpn', 'h2,http/1.1'], qr{ALPN protocol: http/1\.1}, 'ok',
	    'ALPN with more'],
	[['-alpn', 'h2'], qr/alert no application protocol/, 'alpn',
	    'ALPN without HTTP/1.1'],
	[['-alpn', 'http/1.10'], qr/alert no application protocol/, 'alpn',
	    'ALPN with something like HTTP/1.1'],
	[['-verify_return_error', '-verify_hostname', 'c.test'],
	    qr/Hostname mismatch/i, 'alert', 'a client that expects another'],
	[['-servername', 'b.test'], qr/^subject=CN = second$/m, 'ok',
	    'the name of the second certificate'],
	[['-servername', 'x.a.test'], qr/^subject=CN = first$/m, 'ok',
	    'a name that a wildcard has'],
	[['-servername', 'c.test'], qr/^subject=CN = first$/m, 'ok',
	    'a name that none has'],
) {
	my ($args, $says, $result, $name) = @$_;
	my $counter = "linnet_tls_handshakes_total{result=\"$result\"}";
	my $before = metrics()->{$counter};
	my (undef, $out, $err) = $ca->s_client($where, @$args);
	like("$out$err", $says, "$name: what the client says");
	if ($result eq 'ok') {
		like($out, qr{^HTTP/1\.1 200 OK}m, "$name: it is served");
	} else {
		unlike($out, qr{^HTTP/1\.1}m, "$name: it is not served");
	}
	ok((wait_until { metrics()->{$counter} == $before + 1 } 5),
	    "$name: counted as $result");
}
like($ends, qr/notAfter/, 'the certificate ends');
cmp_ok(metrics()->{linnet_tls_cert_expiry_timestamp_seconds}, '>',
    time + 29 * 86400, 'a metric tells when');

# Clients that mistook the port.
{
	my $r = Linnet::Http->new(host => '127.0.0.1', port => $where =~ s/.*://r)
	    ->exchange('OPTIONS', '/health');
	is($r->{status}, 400, 'plain HTTP to the port of TLS: 400');
	like($r->{json}{error}, qr{https:// or wss://}, 'and what to do');
	ok((wait_until {
		metrics()->{'linnet_tls_handshakes_total{result="plain"}'} == 1
	} 3), 'counted');
	my $io = $b->tcp(0);
	$io->put("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . 'x' x 506);
	$io->wait_eof(5);
	like($io->take(0), qr{^HTTP/1\.1 400 .*plain HTTP, not TLS}s,
	    'TLS to the plain port: 400');
}

# Slow clients: nothing, the first byte, half a hello.
{
	my @slow = map {
		my $io = Linnet::Http->new(host => '127.0.0.1',
		    port => $where =~ s/.*://r);
		$io->put($_) if length;
		$io
	} '', "\x16", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
	ok((wait_until { 3 == grep { $_->eof } @slow } 10),
	    'who does not finish the handshake in time is gone');
	ok((wait_until {
		metrics()->{'linnet_tls_handshakes_total{result="timeout"}'} == 3
	} 3), 'counted');
}

# Tickets: any worker resumes, also one that was not there.
for my $version (qw(-tls1_3 -tls1_2)) {
	my $session = "$dir/session$version";
	my (undef, $out) = $ca->s_client($where, $version, '-sess_out', $session);
	like($out, qr/^New, TLSv1/m, "$version: a new session");
	for (1 .. 4) {
		(undef, $out) = $ca->s_client($where, $version,
		    '-sess_in', $session);
		like($out, qr/^Reused, TLSv1/m, "$version: it is resumed");
		like($out, qr{^HTTP/1\.1 200}m, 'and served');
	}
	my @old = $b->pids('worker');
	kill 'KILL', @old;
	ok((wait_until {
		my %is = map { $_ => 1 } $b->pids('worker');
		!(grep { $is{$_} } @old) && 2 == grep { $_->{role} eq 'worker'
		    && $_->{state} eq 'ready' }
		    @{ (eval { $b->ctl_json('--json', 'status') } // {})
			->{processes} || [] };
	} 20), 'the workers are others now');
	(undef, $out) = $ca->s_client($where, $version, '-sess_in', $session);
	like($out, qr/^Reused, TLSv1/m, "$version: they resume it");
}
ok((wait_until { metrics()->{linnet_tls_resumed_total} >= 1 } 3),
    'resumptions are counted');

# Peers, over TLS and plain.
{
	my $seed = $b->seed;
	my $alice = $b->peer($seed->{peerA}, name => 'alice', ws => { address => 1 },
	    groups => ['g']);
	my $bob = $b->peer($seed->{peerB}, name => 'bob', groups => ['g']);
	my $carol = $b->peer($seed->{peerB}, name => 'carol', ws => { address => 1 },
	    groups => ['g']);
	my $large = join '', map { chr(97 + $_ % 26) } 1 .. 600_000;
	for (
		[$alice, 'bob', $bob, 'to a plain peer'],
		[$bob, 'alice', $alice, 'from a plain peer'],
		[$alice, 'carol', $carol, 'between two'],
	) {
		my ($from, $to, $at, $name) = @$_;
		for my $text ('small', $large) {
			is($from->send(to => $to, text => $text)->{type}, 'ack',
			    "$name: sent");
			ok($at->expect_push->{text} eq $text, "$name: there");
		}
	}
	is($bob->send(to => '@g', text => 'all')->{type}, 'ack', 'to a group');
	is($_->expect_push->{text}, 'all', 'it is there') for $alice, $carol;
	for my $n (1 .. 200) {
		$alice->send(to => 'carol', text => "$n " . 'x' x (37 * $n));
	}
	is_deeply([map { $carol->expect_push->{text} =~ /^(\d+)/ } 1 .. 200],
	    [1 .. 200], 'many messages of many sizes, in order');
}

# What the operator sees.
{
	my $s = $b->ctl_json('--json', 'status');
	is_deeply($s->{listeners}, [$b->address(0), $b->address(1)],
	    'status: the listeners');
	is_deeply([map { $_->{name} } @{ $s->{certificates} }],
	    ['localhost', 'b.test'], 'status: the certificates');
	my ($st, $out) = $b->ctl('status');
	like($out, qr/tls:\Q$where\E/, 'status for people has the listener');
	like($out, qr/localhost .*expires 20\d\d-/, 'and when it expires');
}

# A key is with nobody who does not need it, and never in the log.
{
	my ($secret) = slurp($key) =~ /\n(.{40})/;
	unlike($b->log, qr/\Q$secret\E|PRIVATE/, 'no key in the log');
	my (undef, $text) = run([$linnetd, '-T', '-o', "tls.certificate $cert",
	    '-o', "tls.key $key"]);
	unlike($text, qr/PRIVATE/, 'nor in what -T prints');
}
is($b->stop, 0, 'the end');

# Keys of tickets change: two periods, and a session is new.
$b = Linnet->broker(workers => 1, listen => ['127.0.0.1:0', 'tls:127.0.0.1:0'],
    options => ["tls.certificate $cert", "tls.key $key",
	'tls.ticket_time 1s', 'tls.min_version 1.3', 'limit.handshakes 2',
	'log.level debug']);
$where = $b->address(1) =~ s/^tls://r;
{
	my $session = "$dir/session";
	my (undef, $out) = $ca->s_client($where, '-sess_out', $session);
	like($out, qr/^New, TLSv1\.3/m, 'a session');
	my $keys = () = $b->log =~ /a new key for TLS session tickets/g;
	ok((wait_until {
		(() = $b->log =~ /a new key for TLS session tickets/g) >= $keys + 2
	} 10), 'the keys change');
	(undef, $out) = $ca->s_client($where, '-sess_in', $session);
	like($out, qr/^New, TLSv1\.3/m, 'after two periods it is over');
	like($out, qr{^HTTP/1\.1 200}m, 'and the client is served all the same');
	(undef, $out, my $err) = $ca->s_client($where, '-tls1_2');
	like("$out$err", qr/alert protocol version/,
	    'TLS 1.2 is refused by tls.min_version 1.3');
}

# Handshakes under way are limited; those that ended are not counted.
{
	my $full = sub {
		metrics()->{'linnet_tls_handshakes_total{result="limit"}'}
	};
	my @open = map { Linnet::Http->new(host => '127.0.0.1',
	    port => $where =~ s/.*://r) } 1 .. 2;
	my $third = Linnet::Http->new(host => '127.0.0.1',
	    port => $where =~ s/.*://r);
	ok($third->wait_eof(5), 'one more than limit.handshakes is closed');
	ok((wait_until { $full->() >= 1 } 3), 'counted');
	$_->drop for @open;
	ok((wait_until {
		my (undef, $out) = $ca->s_client($where);
		$out =~ m{^HTTP/1\.1 200}m
	} 5), 'there is room again');
}
is($b->stop, 0, 'the end');

done_testing;
