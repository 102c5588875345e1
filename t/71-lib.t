#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# The installed library: programs are built with it as pkg-config says, shared
# and static, in C and C++, with their own loop and with the library's, over
# TLS and without; and they lose nothing and do nothing twice when the broker
# and they themselves are killed.
use strict;
use warnings;
use Linnet qw(wait_until run slurp scratch);
use Linnet::Proc ();
use Linnet::Tls;
use Test::More;

# Programs that run beside the test, which ends them however it ends.
my %running;
sub start {
	my ($program, @o) = @_;
	my $pid = Linnet::Proc::start($program, @o);
	$running{$pid} = 1;
	return $pid;
}
sub over {
	my ($pid, $seconds) = @_;
	my $status = Linnet::Proc::reap($pid, $seconds);
	delete $running{$pid} if defined $status;
	return $status;
}
END {
	my $status = $?;
	kill 'KILL', keys %running;
	over($_, 5) for keys %running;
	$? = $status;
}

my $src = $Linnet::Guard::srcdir;
my $build = $Linnet::Guard::builddir;
my $dir = scratch();
my $root = "$dir/root";
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES)};
my @make = ('make', '-s', "DESTDIR=$root");
my ($status, undef, $err) = run([@make, qw(install-data-local
    install-pkgconfigDATA install-includeHEADERS)], cwd => $build,
    timeout => 300);
is($status, 0, 'the library is installed') or diag $err;
my (undef, $libdir) = run([@make, '-f', '-', 'say'], cwd => $build,
    input => "include Makefile\nsay:\n\t\@echo \$(DESTDIR)\$(libdir)\n");
chomp $libdir;
my ($cc, $flags) = map { slurp("$build/Makefile") =~ /^\Q$_\E = (.*)$/m }
    qw(CC HARDEN_CFLAGS);
my $sanitized = $flags =~ /sanitize/;

sub build {
	my ($out, $file, %o) = @_;
	my $static = $o{static} ? '--static' : '';
	my ($pre, $post) = $o{static} ? ('-Wl,-Bstatic', '-Wl,-Bdynamic')
	    : ('', '');
	my ($st, undef, $why) = run(['sh', '-c', ($o{cc} // $cc)
	    . " $flags -Wall -Wextra -Werror -o $dir/$out $file "
	    . "\$(pkg-config $static --cflags --libs linnet | "
	    . "sed 's/-llinnet/$pre -llinnet $post/')"],
	    env => { PKG_CONFIG_PATH => "$libdir/pkgconfig",
		PKG_CONFIG_SYSROOT_DIR => $root });
	is($st, 0, "$out is built") or diag $why;
	return;
}
build('echo-shared', "$src/contrib/examples/echo-agent.c");
build('echo-static', "$src/contrib/examples/echo-agent.c", static => 1);
build('asker', "$src/t/lib/asker.c");
build('everything', "$src/t/lib/everything.c");
Linnet::Tls::put("$dir/plus.cc", <<'END');
#include <linnet.h>
int main() { return linnet_exit_status("busy") == 70 ? 0 : 1; }
END
SKIP: {
	my ($none) = run(['sh', '-c', 'command -v c++']);
	skip 'no C++ compiler', 2 if $none;
	build('plus', "$dir/plus.cc", cc => 'c++');
	my ($ran) = run(["$dir/plus"], env => { LD_LIBRARY_PATH => $libdir });
	is($ran, 0, 'and runs');
}

my $header = join '', map { slurp("$src/include/$_") }
    qw(linnet.h linnet_channels.h linnet_permissions.h);
my @declared;
# Names: what the header declares, of one version, and no other.
{
	my ($so) = glob "$libdir/liblinnet.so.0.*";
	@declared = sort grep { !/^linnet_reply_fn$/ }
	    $header
	    =~ /^(?:[a-z][\w ]*[ *])(linnet_\w+)\(/mg;
	my @exported = map { (split)[-1] }
	    grep { !/ A / } split /\n/, `nm -D --defined-only $so`;
	is_deeply([sort map { s/@.*//r } @exported], \@declared,
	    'the shared library exports what the header declares');
	is_deeply([grep { !/\@\@LINNET_0$/ } @exported], [],
	    'with the version LINNET_0');
	my @public = map { (split)[-1] }
	    grep { / [A-Z] linnet_| [TDBRVW] / }
	    split /\n/, `nm -g --defined-only $libdir/liblinnet.a`;
	@public = grep { !/^(?:__|_)/ } @public;
	is_deeply([sort @public], \@declared, 'and so does the archive');
	like(`readelf -d $so`, qr/SONAME.*\[liblinnet\.so\.0\]/, 'its soname');
}

my $ca = Linnet::Tls->new($dir);
my ($cert, $key) = $ca->issue('server', names => ['localhost', '127.0.0.1']);
my $b = Linnet->broker(workers => 2,
    listen => ['127.0.0.1:0', 'tls:127.0.0.1:0'],
    options => ["tls.certificate $cert", "tls.key $key",
	'mesh.ack_time 2s']);
my $seed = $b->seed;
my $plain = 'ws://' . $b->address(0);
my $tls = 'wss://localhost:' . ($b->address(1) =~ /:(\d+)$/)[0];

sub env {
	my ($m, $url, %o) = @_;
	return {
		LD_LIBRARY_PATH => $libdir,
		LINNET_URL => $url,
		LINNET_MESH_ID => $seed->{meshId},
		LINNET_MEMBER_ID => $m->{memberId},
		LINNET_PUBLIC_KEY => $m->{pubkey},
		LINNET_SECRET_KEY => $m->{secretKey},
		LINNET_CA_FILE => $ca->file,
		%o,
	};
}

# What keeps the standard input of an agent open.
my $fifo = "$dir/stdin";
system('mkfifo', $fifo) == 0 or die 'mkfifo';
open my $hold, '+<', $fifo or die "$fifo: $!";

sub agent {
	my ($program, $name, $url, @args) = @_;
	my $pid = start(["$dir/$program", @args, $name],
	    stdin => $fifo, stdout => "$dir/$name.out",
	    stderr => "$dir/$name.err", env => env($seed->{peerB}, $url));
	return $pid;
}
sub opened { return scalar(() = slurp("$dir/$_[0].out") =~ /^open/mg) }

# Who is not believed.
for (
	['another name', $tls =~ s/localhost/127.0.0.1/r, $ca->file,
	    qr/IP address mismatch/],
	['another authority', $tls, '', qr/self.signed|local issuer/],
	['no TLS there', $plain =~ s/^ws:/wss:/r, $ca->file,
	    qr/does not speak TLS|before TLS/],
) {
	my ($name, $url, $file, $says) = @$_;
	my $env = env($seed->{peerB}, $url);
	delete $env->{LINNET_CA_FILE} if $file eq '';
	local $ENV{LINNET_CA_FILE};
	delete $ENV{LINNET_CA_FILE};
	my ($st, $out) = run(["$dir/echo-shared", '-l'], env => $env,
	    timeout => 20);
	isnt($st, 0, "$name: refused");
	like($out, $says, "$name: and says why");
}

my %pid = (
	tls => agent('echo-shared', 'tls', $tls),
	own => agent('echo-static', 'own', $plain, '-l'),
);
wait_until { opened('tls') && opened('own') } 20, 'agents to connect';

my $out = "$dir/asker.out";
my $count = $ENV{LINNET_WRAP} || $sanitized ? 100 : 400;
my $asker = start(["$dir/asker", $count, 'tls', 'own'],
    stdout => $out, stderr => "$out.err", env => env($seed->{peerA}, $plain));
wait_until { slurp($out) =~ /^half/m } 60, 'half of the questions';
# An agent too, which comes back as the same session.
kill 'KILL', $pid{tls};
over($pid{tls}, 5);
$b->kill9('all');
$pid{tls} = agent('echo-shared', 'tls', $tls);
$b->start;
wait_until { slurp($out) =~ /^acked/m || defined over($asker, 0) }
    90, 'all answers';
like(slurp($out), qr/^acked (\d+) refused 0 echoed \1 doubled 0 clear 0$/m,
    'nothing lost, nothing twice, all of it encrypted')
    or diag slurp($out), slurp("$out.err"), map { slurp("$dir/$_.err") }
	qw(tls own);
like(slurp($out), qr/acked ${\ ($count * 2)} /, 'as many as were asked');
is($b->psql(q{select count(*) || ' ' || count(distinct client_id)
    from message where client_id like 'echo-%'}), join(' ', ($count * 2) x 2),
    'each answer is stored once');
ok(opened('own') >= 2, 'an agent connected again by itself');

# Who was lost may return, and is found by its name meanwhile.
{
	kill 'KILL', $pid{tls};
	over($pid{tls}, 5);
	wait_until { $b->psql(q{select ended_at is not null from session
	    where name = 'tls'}) eq 't' } 20, 'the agent to be lost';
	my $lost = start(["$dir/asker", 10, 'tls'], stdout => "$dir/lost.out",
	    stderr => "$dir/lost.err", env => env($seed->{peerB}, $plain));
	wait_until { $b->psql(q{select count(*) from message m
	    join session s on s.key = m.sender_key
	    join member o on o.id = s.member_id
	    where m.client_id like 'ask-%' and o.key = decode('}
	    . "$seed->{peerB}{pubkey}', 'hex')") == 10 } 20,
	    'what it is asked to be held';
	$pid{tls} = agent('echo-shared', 'tls', $tls);
	is(over($lost, 30), 0, 'it answers when it is back');
	is(slurp("$dir/lost.out") =~ s/.*^(?=acked)//msr,
	    "acked 10 refused 0 echoed 10 doubled 0 clear 0\n",
	    'all that it was asked') or diag slurp("$dir/lost.err");
}

# Goodbye.
print $hold "quit\n";
$hold->flush;
is(over($pid{tls}, 10), 0, 'quit ends an agent with its own loop');
like(slurp("$dir/tls.out"), qr/^stopped: .*\(closed\)$/m, 'and it says so');
kill 'TERM', $pid{own};
over($pid{own}, 10);

# A session with the member's word only.
{
	my $m = $seed->{peerB};
	my $s = Linnet::Peer::new_key();
	my $until = (time + 3600) * 1000;
	my $word = Cpanel::JSON::XS->new->encode({
		sessionPubkey => $s->{pubkey},
		parentMemberPubkey => $m->{pubkey},
		expiresAt => $until,
		signature => Linnet::Peer::sign($m->{secretKey}, join '|',
		    'claudemesh-session-attest', $m->{pubkey}, $s->{pubkey},
		    $until),
	});
	my $env = env($m, $plain, LINNET_SESSION_KEY => $s->{secretKey},
	    LINNET_ATTESTATION => $word);
	delete @$env{qw(LINNET_PUBLIC_KEY LINNET_SECRET_KEY)};
	my $pid = start(["$dir/echo-shared", 'word'],
	    stdin => $fifo, stdout => "$dir/word.out", stderr => "$dir/word.err",
	    env => $env);
	wait_until { opened('word') } 20, 'a session with an attestation';
	like(slurp("$dir/word.out"), qr/^open as $s->{pubkey}$/m,
	    'it has its own key');
	my $alice = $b->peer($seed->{peerA}, name => 'alice');
	my ($peer) = grep { $_->{displayName} eq 'word' }
	    @{ $alice->request({ type => 'list_peers' })->{peers} };
	is($peer->{memberPubkey}, $m->{pubkey}, 'and is of its member');
	kill 'TERM', $pid;
	over($pid, 10);
	my ($st, undef, $why) = run(["$dir/echo-shared", 'x'], input => '',
	    env => env($m, $plain, LINNET_SESSION_KEY => 'x'));
	is($st, 64, 'a wrong key is a wrong argument');
	like($why, qr/session is not 128 hex digits/, 'and it is said which');
}

# Every operation, as the broker knows it.
{
	my ($st, $o) = run(["$dir/everything"], env => env($seed->{peerA},
	    $plain, OTHER => $seed->{peerB}{pubkey}));
	is($st, 0, 'everything is asked');
	my %said = map { /^linnet_(\w+) (.*)/ ? ($1 => $2) : () }
	    reverse split /\n/, $o;
	my ($conflicts) = $o =~ /^linnet_set_state (version_conflict)/m;
	is($conflicts, 'version_conflict', 'a condition that does not hold');
	like($o, qr/^negative_$_ malformed: /m, "$_ of less than nothing")
	    for qw(uses token);
	my @bad = grep { $said{$_} !~ /^(?:good|forbidden)/ } sort keys %said;
	is_deeply([map { "$_: $said{$_}" } @bad], [], 'the broker knows all');
	my ($ops) = $header =~ /(int linnet_message_status\(.*)/s;
	my @never = grep { !exists $said{$_} } $ops =~ /^int linnet_(\w+)\(/mg;
	is("@never", '', 'and all were asked');
}

# The manual has every function and every error of the library.
{
	my $page = slurp("$src/man/liblinnet.3.in");
	my $h = $header;
	my ($codes) = $h =~ /The library's own:\n(.*?)\*\//s;
	my @missing = grep { $page !~ /^\.It Ic .*\b$_\b/m }
	    $codes =~ /^ \*\t([a-z_]+)\t/mg;
	is("@missing", '', 'liblinnet(3) has the codes of linnet.h');
	@missing = grep { $page !~ /^\.Fo $_$/m } @declared;
	is("@missing", '', 'and its functions');
}
unlike(join('', map { slurp($_) } glob "$dir/*.err"),
    qr/Sanitizer|runtime error/, 'no sanitizer has anything to say');
is($b->stop, 0, 'the broker ends');
done_testing;
