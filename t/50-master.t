#!/usr/bin/env perl
# The master seen from outside: its command line, what it says of itself, its
# signals, and that nothing of it stays when it ends.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use IO::Socket::UNIX;
use Linnet qw(wait_until run slurp scratch);
use Linnet::Proc;

my $linnetd = Linnet->program('linnetd');
my $dir = scratch();

sub linnetd {
	return run([$linnetd, @_], timeout => 30);
}

sub put_file {
	my ($file, $text) = @_;
	open my $fh, '>', $file or die "$file: $!";
	print $fh $text;
	close $fh or die "$file: $!";
	return $file;
}

# The command line: arguments, status, stdout, stderr.
my $good = put_file("$dir/good.conf", "state_dir $dir/s\nlisten 127.0.0.1:0\n");
my $bad = put_file("$dir/bad.conf", "state_dir $dir/s\n\nlog.levle debug\n");
my $long = "$dir/" . 'x' x 100;
for (
	[['-t', '-c', $good], 0, qr/^configuration OK$/, qr/^$/],
	[['-t', '-o', 'log.level warn'], 0, qr/^configuration OK$/, qr/^$/],
	[['-V'], 0, qr/^linnetd \d+\.\d+.*^features: \w/ms, qr/^$/],
	[['-t', '-c', $bad], 78, qr/^$/,
	    qr/^linnetd: \Q$bad\E:3:1: .*log\.level/],
	[['-c', $bad, '-f'], 78, qr/^$/, qr/\Q$bad\E:3:1: /],
	[['-t', '-c', "$dir/none"], 78, qr/^$/, qr/\Q$dir\E\/none: No such/],
	[['-t', '-c', $dir], 78, qr/^$/, qr/directory/],
	[['-t', '-c', '/dev/null'], 0, qr/OK/, qr/^$/],
	[['-t', '-o', "platform.key_file $dir/none"], 78, qr/^$/,
	    qr/platform\.key_file: \Q$dir\E\/none: No such/],
	[['-t', '-o', 'workers 1000'], 78, qr/^$/, qr/^linnetd: -o: workers/],
	[['-t', '-o', 'listen nowhere'], 78, qr/^$/, qr/listen "nowhere" has/],
	[['-t', '-o', 'listen unix:here'], 78, qr/^$/, qr/begin with unix:\//],
	[['-t', '-o', 'listen ""'], 78, qr/^$/, qr/listen has no address/],
	[['-t', '-o', "state_dir $long"], 78, qr/^$/, qr/state_dir is longer/],
	[['-t', '-o', 'state_dir "/tmp/a,b"'], 78, qr/^$/, qr/has a comma/],
	[['-f', '-o', "state_dir $good"], 1, qr/^$/, qr/not a directory/],
	[['-q'], 64, qr/^$/, qr/^usage: linnetd /m],
	[['-c'], 64, qr/^$/, qr/^usage: /m],
	[['serve'], 64, qr/^$/, qr/^usage: /m],
	[['-x', 'king'], 64, qr/^$/, qr/^usage: /m],
	[['-x', 'worker'], 1, qr/^$/, qr/-x is for linnetd itself/],
) {
	my ($args, $status, $out, $err) = @$_;
	my ($st, $o, $e) = linnetd(@$args);
	my $name = join(' ', @$args) =~ s/x{50,}/xxx.../r;
	subtest $name => sub {
		is($st, $status, 'status');
		like($o, $out, 'stdout');
		like($e, $err, 'stderr');
	};
}

# -T is the configuration, as it is in force, without secrets.
{
	my ($st, $text) = linnetd('-T', '-c', $good, '-o', 'mesh.hold 90m',
	    '-o', 'listen 127.0.0.1:1', '-o', 'listen [::1]:2');
	is($st, 0, '-T');
	like($text, qr/^mesh\.hold 90m$/m, '-T has what -o says');
	is_deeply([$text =~ /^listen (.*)/mg], ['127.0.0.1:1', '[::1]:2'],
	    '-o replaces a list of the file');
	my ($again, $same) =
	    linnetd('-T', '-c', put_file("$dir/again.conf", $text));
	is($same, $text, 'what -T prints reads back to the same');
}
for (
	['postgresql://me:hush@db/linnet', 'postgresql://me:***@db/linnet'],
	['postgresql://me:hu:@sh@db/x', 'postgresql://me:***@db/x'],
	['postgresql://me@db:5433/x', 'postgresql://me@db:5433/x'],
	['postgresql://db/x?user=me&password=hush&sslmode=require',
	    'postgresql://db/x?user=me&password=***&sslmode=require'],
	['host=db password=hush user=me', 'host=db password=*** user=me'],
	["host=db password = 'hu\\'sh it' user=me",
	    'host=db password = *** user=me'],
	['sslpassword=hush password=hush', 'sslpassword=*** password=***'],
) {
	my ($database, $shown) = @$_;
	my $quoted = $database =~ s/([\\"])/\\$1/gr;
	my ($st, $text) = linnetd('-T', '-o', "database \"$quoted\"");
	my ($have) = $text =~ /^database (.*)$/m;
	is(($have // '') =~ s/^"|"$//gr, $shown, "-T shows $shown");
}

# A daemon with two listeners.
my $b = Linnet->broker(workers => 2, args => ['-c', $good],
    listen => ['127.0.0.1:0', "unix:$dir/sock"]);

sub status {
	my $s = eval { $b->ctl_json('--json', 'status') };
	return $s // {};
}

# Everything that lives below the master, its database included.
sub family {
	return ($b->pid, $b->pids);
}

# Without PostgreSQL's, of which some come and go.
sub roles {
	return ($b->pid, map { $b->pids($_) } qw(worker relay jobs));
}

sub are_gone {
	my ($name, @pids) = @_;
	wait_until { !grep { -d "/proc/$_" && !Linnet::is_zombie($_) } @pids } 10;
	is(join(' ', grep { -d "/proc/$_" && !Linnet::is_zombie($_) } @pids), '',
	    $name);
	return;
}

{
	my $s = status();
	is($s->{state}, 'serving', 'status: state');
	is($s->{pid}, $b->pid, 'status: the process');
	is($s->{database}, 'private', 'status: database');
	is_deeply($s->{listeners}, [$b->address(0), "unix:$dir/sock"],
	    'status: listeners as they were announced');
	is_deeply([map { "$_->{role} $_->{number} $_->{state}" }
	    @{ $s->{processes} }],
	    ['worker 1 ready', 'worker 2 ready', 'relay 1 ready',
		'files 1 ready', 'jobs 1 ready'], 'status: processes');
	my %pids = map { $_ => 1 } $b->pids;
	is_deeply([grep { !$pids{$_} }
	    map { $_->{pid} } @{ $s->{processes} }, $s->{postgres}], [],
	    'status: they are children of the master');
	is($b->http(GET => '/health')->{status}, 200, 'TCP is served');
	my $io = Linnet::Http->new(path => "$dir/sock");
	is($io->exchange('GET', '/health')->{status}, 200,
	    'a unix socket is served');
}

# Nothing runs as root but the master, and that without root's powers.
SKIP: {
	skip 'not started as root', 2 if $> != 0;
	my %field = map { /^(\w+):\s+(.*)/ ? ($1 => $2) : () }
	    split /\n/, slurp('/proc/' . $b->pid . '/status');
	like($field{CapEff}, qr/^0+$/, 'the master has no capability in effect');
	my @root = grep {
		slurp("/proc/$_/status") =~ /^Uid:.*\b0\b/m
	} $b->pids;
	is("@root", '', 'no other process has a user id of root');
}

# The control socket.
{
	my ($st, $out, $err) = $b->ctl('reload', 'now');
	isnt($st, 0, 'a request with an argument too much');
	is(($b->ctl('ping'))[0], 0, 'ping');
}

# A second daemon on the same directory.
{
	my ($st, $out, $err) = linnetd('-f', '-o', "state_dir " . $b->dir, '-o',
	    'listen 127.0.0.1:0');
	isnt($st, 0, 'a second daemon on the same state_dir is refused');
	my $pid = $b->pid;
	like($err, qr/another linnetd \(process $pid\) uses state_dir/,
	    'it says who has it');
	($st, $out, $err) = linnetd('-f', '-o', "state_dir $dir/other", '-o',
	    'listen ' . $b->address);
	isnt($st, 0, 'a second daemon on the same port is refused');
	like($err, qr/cannot listen on \S+: Address already in use/,
	    'it says which');
	is(status()->{state}, 'serving', 'the first one serves on');
}

# Reload: all or nothing.
{
	my @before = sort(roles());
	my $seen = length $b->log;
	put_file($good, "limit.connections 3\nmesh.hodl 1d\n");
	$b->reload;
	wait_until { substr($b->log, $seen) =~ /reload refused/ } 10;
	like(substr($b->log, $seen), qr/reload refused.*good\.conf:2:1: /,
	    'a bad file is refused, with its place');
	my ($st, $out, $err) = $b->ctl('reload');
	is($st, 78, 'linnetctl gets the same');
	like($err, qr/good\.conf:2:1: /, 'with its place');

	# With the limit of the refused file the fourth would be closed.
	my @open = map { $b->tcp } 1 .. 6;
	ok($_->exchange('GET', '/health', [['Connection', 'keep-alive']]),
	    'the old limit holds') for $open[5];
	undef @open;
	wait_until { !grep { $_->{connections} } @{ status()->{processes} } } 10;

	$seen = length $b->log;
	put_file($good, "limit.connections 3\nworkers 5\nbus.ring 8m\n");
	is(($b->ctl('reload'))[0], 0, 'a good file is taken');
	like(substr($b->log, $seen), qr/bus\.ring needs a restart/,
	    'an option that needs a restart is named');
	unlike(substr($b->log, $seen), qr/(?:listen|state_dir) stays/,
	    'one that did not change is not');
	@open = map {
		my $io = $b->tcp;
		$io->exchange('GET', '/health', [['Connection', 'keep-alive']]);
		$io;
	} 1 .. 3;
	my $io = $b->tcp;
	ok($io->wait_eof(10), 'above limit.connections a connection is closed');
	undef @open;
	my $served = wait_until {
		my $r = eval { $b->http(GET => '/health') };
		$r && ($r->{status} // 0) == 200
	} 10;
	ok($served, 'below it there is service again');
	is_deeply([sort(roles())], \@before, 'no process was replaced');
}

# The end, by each signal.
for my $sig (qw(TERM INT QUIT)) {
	$b->start if !$b->pid;
	my @all = family();
	kill $sig, $b->pid;
	ok($b->ended(30), "$sig ends it");
	is($b->status, 0, 'with status 0');
	are_gone('no process is left', @all);
	ok(!-e $b->dir . '/control.sock', 'no control socket is left');
	ok(!-e "$dir/sock", 'no listening socket is left');
}
for my $word (qw(stop drain)) {
	$b->start;
	my @all = family();
	is(($b->ctl($word))[0], 0, "linnetctl $word");
	ok($b->ended(30), 'ends it');
	is($b->status, 0, 'with status 0');
	are_gone('no process is left', @all);
}

# A drain waits for clients, a second signal for nobody.
{
	push @{ $b->{options} }, 'limit.drain_time 1h';
	$b->start;
	my @all = family();
	my $io = $b->tcp;
	$io->put("GET /health HTTP/1.1\r\n");
	wait_until { grep { $_->{connections} } @{ status()->{processes} } } 10;
	kill 'TERM', $b->pid;
	wait_until { (status()->{state} // '') eq 'draining' } 10;
	is(status()->{state}, 'draining', 'TERM drains while a client is there');
	ok(!IO::Socket::UNIX->new(Peer => "$dir/sock"),
	    'and nobody new is accepted');
	kill 'TERM', $b->pid;
	ok($b->ended(20), 'the second TERM ends it');
	is($b->status, 0, 'with status 0');
	are_gone('no process is left', @all);
}

# As a daemon.
{
	my @args = ('-o', 'state_dir ' . $b->dir, '-o', 'listen 127.0.0.1:0');
	my ($st, $out, $err) = linnetd(@args);
	is($st, 0, 'a daemon: whoever starts it gets status 0');
	is($out . $err, '', 'and no words');
	my $s = status();
	is($s->{state}, 'serving', 'it serves by then');
	like(slurp($b->dir . '/linnetd.log'), qr/listening on \Q$s->{listeners}[0]/,
	    'its log is in the state directory');
	my @all = ($s->{pid}, $s->{postgres}{pid},
	    map { $_->{pid} } @{ $s->{processes} });
	($st, $out, $err) = linnetd(@args);
	isnt($st, 0, 'a second one fails');
	like($err, qr/another linnetd/, 'with the reason on stderr');
	is(($b->ctl('stop'))[0], 0, 'it can be stopped');
	are_gone('no process is left', @all);
	($st, $out, $err) = linnetd(@args, '-o', "postgres_bin $dir");
	isnt($st, 0, 'without PostgreSQL the start fails');
	like($err, qr/\Q$dir\E\/postgres cannot be run/, 'with the reason');
}
done_testing;
