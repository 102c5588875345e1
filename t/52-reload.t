#!/usr/bin/env perl
# HUP and `linnetctl reload`: all of a new configuration, or nothing of it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use IO::Socket::INET;
use Linnet qw(wait_until run slurp scratch);
use Linnet::Tls;

my $dir = scratch();
my $file = "$dir/linnetd.conf";
my $ca = Linnet::Tls->new($dir);
my ($cert, $key) = $ca->issue('server');

sub put {
	my ($name, $text) = @_;
	return Linnet::Tls::put($name, $text);
}

# What is in the file beside what a test changes.
my %conf = (
	workers => 2,
	'limit.body' => '4k',
	'log.level' => 'debug',
	'tls.certificate' => $cert,
	'tls.key' => $key,
);
my @listen = ('127.0.0.1:0', 'tls:127.0.0.1:0');

sub write_conf {
	my (%change) = @_;
	my $listen = delete $change{listen} // \@listen;
	my %c = (%conf, %change);
	return put($file, join '', (map { "listen $_\n" } @$listen),
	    map { defined $c{$_} ? "$_ $c{$_}\n" : '' } sort keys %c);
}

write_conf();
my $b = Linnet->broker(args => ['-c', $file], listen => [], expect => 2,
    tls => [$ca->client('localhost')]);

sub status {
	return eval { $b->ctl_json('--json', 'status') } // {};
}

# A request with so large a body: the status.
sub post {
	my ($io, $size) = @_;
	return $io->exchange('POST', '/nowhere', {}, 'x' x $size)->{status};
}

# Several connections are with several workers.
sub everywhere {
	my ($size, $want) = @_;
	my @io = map { $b->tcp(0) } 1 .. 8;
	return !grep { post($_, $size) != $want } @io;
}

my $seed = $b->seed;
my $alice = $b->peer($seed->{peerA}, name => 'alice');
my $bob = $b->peer($seed->{peerB}, name => 'bob', ws => { address => 1 });

sub talk {
	my ($name) = @_;
	is($alice->send(to => 'bob', text => $name)->{type}, 'ack',
	    "$name: a session sends");
	is($bob->expect_push->{text}, $name, "$name: a session gets it");
	return;
}

# Nothing of a file that is wrong is taken, however far it was read.
my $used = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
    or die "listen: $!";
my ($other) = $ca->issue('other');
for (
	[{ 'log.levle' => 'info' }, qr/linnetd\.conf:\d+:1: .*log\.levle.*log\.level/s,
	    'an unknown option'],
	[{ 'limit.body' => '17m' }, qr/limit\.body .* is too large/, 'a range'],
	[{ 'limit.ping_time' => '2h' }, qr/limit\.ping_time/,
	    'options that do not fit each other'],
	[{ listen => ['127.0.0.1:0', 'nowhere'] }, qr/nowhere.* has no port/,
	    'no address'],
	[{ listen => [@listen, '127.0.0.1:' . $used->sockport] },
	    qr/cannot listen on .*Address already in use/,
	    'an address that is taken'],
	[{ 'tls.certificate' => "$dir/none.pem" }, qr/none\.pem: No such file/,
	    'no certificate'],
	[{ 'tls.certificate' => $other }, qr/private key does not belong/,
	    'a certificate of another key'],
	[{ 'tls.certificate' => put("$dir/half.pem", substr slurp($cert), 0, 200)
	    }, qr/holds no certificate/, 'a certificate that is cut off'],
	[{ include => '"' . $file . '"' }, qr/includes itself/,
	    'a file that includes itself'],
) {
	my ($change, $why, $name) = @$_;
	write_conf('limit.body' => '8k', 'limit.message' => '64k', %$change);
	my $before = status();
	my ($st, $out, $err) = $b->ctl('reload');
	is($st, 78, "$name: linnetctl reload fails");
	like($err, $why, 'and says why');
	like($b->log, qr/reload refused, all stays as it was: .*$why/,
	    'the log too');
	is_deeply(status()->{listeners}, $before->{listeners},
	    'the listeners are the same');
	ok(everywhere(5000, 413), 'and the limits') if $name =~ /option|taken/;
	my $seen = length $b->log;
	$b->reload;
	ok((wait_until { substr($b->log, $seen) =~ $why } 10),
	    'HUP is refused in the log');
}
talk('after refused reloads');
unlink "$dir/linnetd.conf";
my ($st, undef, $err) = $b->ctl('reload');
is($st, 78, 'no file: refused');
like($err, qr/linnetd\.conf: No such file/, 'and says why');

# A good file: every process has it, and nobody is disturbed.
{
	my $slow = $b->tcp(0);
	$slow->put("POST /nowhere HTTP/1.1\r\nHost: x\r\n"
	    . "Content-Length: 4000\r\n\r\n" . 'x' x 2000);
	my @pids = sort $b->pids;
	write_conf('limit.body' => '8k', 'mesh.hold' => '3d');
	my $r = $b->ctl_json('--json', 'reload');
	is_deeply([sort @{ $r->{changed} }], ['limit.body', 'mesh.hold'],
	    'the answer says what has changed');
	is_deeply($r->{restart}, [], 'and that nothing needs a restart');
	ok((wait_until { everywhere(5000, 404) } 5), 'every worker has it');
	ok(everywhere(9000, 413), 'with its new limit');
	$slow->put('x' x 2000);
	like($slow->take(qr/^HTTP.*\n\r\n/s), qr{^HTTP/1\.1 404 },
	    'a request that was under way is answered');
	talk('after a reload');
	is_deeply([sort $b->pids], \@pids, 'the processes are the same');
}

# What needs a restart is said, and the rest is taken.
{
	write_conf(workers => 3, 'bus.ring' => '8m', 'limit.body' => '16k');
	my $r = $b->ctl_json('--json', 'reload');
	is_deeply([sort @{ $r->{restart} }], ['bus.ring', 'workers'],
	    'two options need a restart');
	like($b->log, qr/reload: workers needs a restart/, 'the log says so');
	my ($st, $out) = $b->ctl('reload');
	is($st, 0, 'that is no failure');
	like($out, qr/^workers needs a restart/m, 'linnetctl says it for people');
	ok((wait_until { everywhere(9000, 404) } 5), 'the rest is in force');
	is(scalar(grep { $_->{role} eq 'worker' } @{ status()->{processes} }), 2,
	    'there are as many workers as before');
}

# Listeners come and go; those that stay do not notice.
{
	my @old = @{ status()->{listeners} };
	my $unix = "$dir/new.sock";
	write_conf(listen => [@listen, '127.0.0.1:0', "unix:$unix"]);
	is(($b->ctl('reload'))[0], 0, 'two more listeners');
	my @new = @{ status()->{listeners} };
	is_deeply([@new[0, 1]], \@old, 'those of before are the same');
	is(scalar @new, 4, 'two are new');
	my ($port) = $new[2] =~ /:(\d+)$/;
	my $kept = Linnet::Http->new(host => '127.0.0.1', port => $port);
	is(post($kept, 1), 404, 'a new one serves');
	is(post(Linnet::Http->new(path => $unix), 1), 404, 'a unix socket too');
	talk('with more listeners');

	write_conf(listen => [reverse @listen]);
	is(($b->ctl('reload'))[0], 0, 'without them');
	is_deeply(status()->{listeners}, [reverse @old],
	    'the others are left, in their new order');
	ok(!IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port"),
	    'nobody listens there any more');
	ok(!-e $unix, 'the unix socket is removed');
	is(post($kept, 1), 404, 'but who came through it is still served');

	# The same address, another protocol.
	my ($plain, $tls) = map { /:(\d+)$/ } @old;
	write_conf(listen => ["tls:127.0.0.1:$plain", "127.0.0.1:$tls"]);
	is(($b->ctl('reload'))[0], 0, 'plain and TLS change places');
	is_deeply(status()->{listeners},
	    ["tls:127.0.0.1:$plain", "127.0.0.1:$tls"], 'on the same ports');
	my (undef, $out) = $ca->s_client("127.0.0.1:$plain");
	like($out, qr{^HTTP/1\.1 200}m, 'what was plain speaks TLS');
	@listen = @old;
	write_conf();
	is(($b->ctl('reload'))[0], 0, 'and back');
	is_deeply(status()->{listeners}, \@old, 'as it was');
	talk('with the first listeners');
}

# Certificates: the file changes, not its name.
{
	my ($where) = map { s/^tls://r } grep { /^tls:/ }
	    @{ status()->{listeners} };
	my $subject = sub {
		my (undef, $out) = $ca->s_client($where);
		return $out =~ /^subject=CN = (\w+)$/m ? $1 : 'none';
	};
	is($subject->(), 'server', 'the first certificate');
	my ($new, $new_key) = $ca->issue('renewed');
	put($cert, slurp($new));
	is(($b->ctl('reload'))[0], 78, 'a certificate without its key: refused');
	is($subject->(), 'server', 'the first one is served');
	put($key, slurp($new_key));
	chmod 0600, $key;
	is(($b->ctl('reload'))[0], 0, 'with its key');
	ok((wait_until { $subject->() eq 'renewed' } 5), 'it is served');
	talk('with another certificate');
	# A worker that starts now gets what is in force, whatever the files say.
	put($cert, 'nothing');
	my @old = $b->pids('worker');
	undef $bob;
	undef $alice;
	kill 'KILL', @old;
	ok((wait_until {
		2 == grep { my $p = $_; $p->{role} eq 'worker'
		    && $p->{state} eq 'ready' && !grep { $_ == $p->{pid} } @old }
		    @{ status()->{processes} || [] }
	} 20), 'other workers');
	is($subject->(), 'renewed', 'have the certificate too');
}
is($b->stop, 0, 'the end');

# A daemon's log is opened again, by all of its processes.
{
	my $state = $b->dir;
	my $log = "$state/linnetd.log";
	my $linnetd = Linnet->program('linnetd');
	my ($st) = run([$linnetd, '-o', "state_dir $state", '-o', 'workers 1',
	    '-o', 'listen 127.0.0.1:0', '-o', 'log.level debug']);
	is($st, 0, 'a daemon');
	rename $log, "$log.1" or die "$log: $!";
	is(($b->ctl('reload'))[0], 0, 'reload after the log was moved away');
	for my $who ('linnetd', map { "linnetd\\[$_\\]" } 'worker 1', 'relay',
	    'jobs') {
		ok((wait_until { $b->ctl('reload'); -e $log
		    && slurp($log) =~ /^\S+ $who \w+: /m } 10),
		    "$who writes to the new file");
	}
	my $size = -s "$log.1";
	$b->ctl('reload');
	ok((wait_until { slurp($log) =~ /worker 1\] \w+: .*RELOAD.*RELOAD/s } 5),
	    'more is written');
	is(-s "$log.1", $size, 'nobody writes to the old one');
	is(($b->ctl('stop'))[0], 0, 'stop');
	ok((wait_until { !Linnet::Proc::of_dir($state) } 20), 'it ends');
}

done_testing;
