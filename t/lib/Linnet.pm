# SPDX-License-Identifier: ISC
# A broker of the test's own: its daemon on a free port, its database, its
# directory; all of it gone when the test ends, however it ends.
#
#	use Linnet;
#	my $b = Linnet->broker(workers => 2, options => ['mesh.ack_time 2s']);
#	my $seed = $b->seed;
#	my $alice = $b->peer($seed->{peerA}, name => 'alice');
#	my $bob = $b->peer($seed->{peerB}, name => 'bob', groups => ['dev']);
#	is($alice->send(to => '@dev', text => 'hi')->{type}, 'ack');
#	is($bob->expect_push->{text}, 'hi');
#	is($b->stop, 0);
#
# No test sleeps: wait_until { condition } seconds, 'name' waits and serves
# every socket meanwhile.  In the environment:
#   LINNET_WRAP      a command before the daemon, such as valgrind
#   LINNET_USE       host:port of a daemon that runs already (under gdb), and
#                    after a comma its state directory
#   LINNET_KEEP      keep the directories
#   LINNET_PATIENCE  factor for timeouts (10 with LINNET_WRAP)
# A sanitizer's report or a line with `fatal` in the log fails the test;
# ->allow_log(qr/.../) names those that it provokes.
package Linnet;
use strict;
use warnings;
use Carp;
use Cpanel::JSON::XS ();
use Exporter 'import';
use MIME::Base64 'decode_base64';
use Linnet::Guard ();
use Linnet::Http;
use Linnet::Io qw(wait_until patience);
use Linnet::OpenAPI;
use Linnet::Peer;
use Linnet::Proc qw(run reap scratch of_dir end_all cleanup_at_end
    complain slurp);
use Linnet::Ws;
use Test::More ();
use Text::ParseWords 'shellwords';

our @EXPORT = qw(wait_until);
our @EXPORT_OK = qw(run slurp scratch);

my $bad_log = qr/ERROR:\ \w+Sanitizer|runtime\ error:|SUMMARY:\ \w+Sanitizer
    |\bfatal\b|[Aa]ssertion.*failed|ERROR\ SUMMARY:\ [1-9]/x;

# A program as built.
sub program {
	return "$Linnet::Guard::builddir/$_[-1]";
}

# Starts a daemon and waits until it listens.  workers; options: lines of the
# configuration; listen (127.0.0.1:0); env: more environment; args: more
# arguments; wrap: a command before the daemon; dir: a state directory of the
# test's; start => 0 only prepares; tls: arguments of clients of addresses with
# tls:, see Linnet::Tls; expect: how many addresses, where the configuration
# file has them and listen is [].
sub broker {
	my ($class, %o) = @_;
	my $self = bless {
		options => [
			defined $o{workers} ? "workers $o{workers}" : (),
			@{ $o{options} || [] },
		],
		listen => $o{listen} // ['127.0.0.1:0'],
		env => $o{env} || {},
		args => $o{args} || [],
		wrap => $o{wrap} || [],
		allow => [],
		tls => $o{tls} // [],
	}, $class;
	$self->{listen} = [$self->{listen}] unless ref $self->{listen};
	$self->{expect} = $o{expect} // @{ $self->{listen} };
	if (my $use = $ENV{LINNET_USE}) {
		my ($where, $dir) = split /,/, $use, 2;
		$self->{addresses} = [$where];
		$self->{dir} = $dir;
		$self->{used} = 1;
		return $self;
	}
	$self->{base} = scratch();
	$self->{dir} = $o{dir} // "$self->{base}/state";
	cleanup_at_end($self);
	$self->start if $o{start} // 1;
	return $self;
}

# Hosts of these names on one database; and what broker() takes.
sub hosts {
	my ($class, $pg, $names, %o) = @_;
	return map { $class->broker(%o, options => [@{ $o{options} || [] },
	    'database "' . $pg->conninfo . '"', "host_name $_"]) } @$names;
}

sub start {
	my ($self) = @_;
	croak 'already running' if $self->{pid};
	my $out = "$self->{base}/out";
	unlink $out;
	my @pdeath = -x '/usr/bin/setpriv'
	    ? ('/usr/bin/setpriv', '--pdeathsig=TERM', '--') : ();
	$self->{pid} = Linnet::Proc::start([
		@pdeath, @{ $self->{wrap} },
		shellwords($ENV{LINNET_WRAP} // ''),
		$self->program('linnetd'), '-f', $self->option_args,
		@{ $self->{args} },
	], stdout => $out, stderr => $self->log_file, env => $self->{env});
	my @there;
	wait_until {
		@there = slurp($out) =~ /^listening on (\S+)$/mg;
		@there >= $self->{expect} || $self->ended
	} 60;
	if (@there < $self->{expect}) {
		my $status = $self->ended ? "exit status $self->{status}" : 'timeout';
		croak "linnetd does not listen: $status\n" . $self->log_tail;
	}
	$self->{addresses} = \@there;
	# A restart serves where clients look for it.
	$self->{listen} = [@there] if @{ $self->{listen} };
	return $self;
}

sub option_args {
	my ($self) = @_;
	return map { ('-o', $_) } "state_dir $self->{dir}",
	    (map { "listen $_" } @{ $self->{listen} }), @{ $self->{options} };
}

sub dir { return $_[0]{dir} }
sub pid { return $_[0]{pid} }
sub log_file { return "$_[0]{base}/log" }
sub log { return slurp($_[0]->log_file) }

sub log_tail {
	my @lines = split /\n/, $_[0]->log;
	splice @lines, 0, @lines - 40 if @lines > 40;
	return join "\n", @lines;
}

# Lines of the log that the test provokes.
sub allow_log {
	my ($self, @patterns) = @_;
	push @{ $self->{allow} }, @patterns;
	return;
}

# The first address that is host:port, or the n-th of all.
sub address {
	my ($self, $n) = @_;
	return $self->{addresses}[$n] if defined $n;
	return (grep { !/^unix:/ } @{ $self->{addresses} })[0];
}

sub port {
	return $_[0]->address =~ /:(\d+)$/ ? $1 : undef;
}

# Where to connect, as Linnet::Io->new wants it.
sub where {
	my ($self, $n) = @_;
	my $a = $self->address($n);
	return (path => $1) if $a =~ /^unix:(.*)/;
	my ($tls, $host, $port) = $a =~ /^(tls:)?\[?(.*?)\]?:(\d+)$/;
	return (host => $host, port => $port,
	    $tls ? (tls => $self->{tls}) : ());
}

# Has the master ended?  Then status is how.
sub ended {
	my ($self, $seconds) = @_;
	return 1 if !$self->{pid};
	my $status = reap($self->{pid}, $seconds // 0);
	return 0 if !defined $status;
	$self->{status} = $status;
	$self->{group} = delete $self->{pid};
	return 1;
}

sub status { return $_[0]{status} }

# TERM, and waits for the end of everything.  Returns the exit status; the
# test fails at its end when that is not 0 or something was left running.
sub stop {
	my ($self) = @_;
	return 0 if $self->{used};
	croak 'not running' if !$self->{pid};
	kill 'TERM', $self->{pid};
	if (!$self->ended(30)) {
		complain("linnetd did not end after TERM\n" . $self->log_tail);
		$self->end;
		return 137;
	}
	complain("linnetd ended with $self->{status}\n" . $self->log_tail)
	    if $self->{status} != 0;
	wait_until { !of_dir($self->{dir}) } 10
	    or complain('left running: ' . join ' ', of_dir($self->{dir}));
	return $self->{status};
}

# KILL to the master, or with 'all' to every process of the broker, its
# database too; waits until they are gone.
sub kill9 {
	my ($self, $all) = @_;
	croak 'not running' if !$self->{pid};
	my @pids = ($self->{pid}, $all ? ($self->pids, of_dir($self->{dir})) : ());
	kill 'KILL', @pids;
	$self->ended(10);
	wait_until { !grep { -d "/proc/$_" && !is_zombie($_) } @pids } 10,
	    'killed processes to be gone';
	return;
}

sub is_zombie {
	return slurp("/proc/$_[0]/stat") =~ /^.*\) Z /s;
}

# Stops if it runs, and starts again on the same directory and addresses.
sub restart {
	my ($self) = @_;
	$self->stop if $self->{pid};
	return $self->start;
}

sub reload {
	my ($self) = @_;
	kill 'HUP', $self->{pid};
	return;
}

# Ends everything, without a word.
sub end {
	my ($self) = @_;
	end_all($self->{dir}, $self->{pid} // $self->{group});
	$self->ended(5);
	return;
}

# Pids of the processes under the master, of one role (worker, relay, jobs)
# or all.
sub pids {
	my ($self, $role) = @_;
	my @all = Linnet::Proc::all();
	my %mine = (($self->{pid} // 0) => 1);
	my @found;
	while (my @new = grep { $mine{$_->[1]} && !$mine{$_->[0]}++ } @all) {
		push @found, @new;
	}
	return map { $_->[0] } sort { $a->[0] <=> $b->[0] } grep {
		!defined $role || $_->[3] =~ /(?:^|\0)-x\0\Q$role\E(?:\0|$)/
		    || $_->[3] =~ /^linnetd: \Q$role\E\b/
	} @found;
}

# Runs linnetctl for this broker: (status, stdout, stderr).
sub ctl {
	my ($self, @args) = @_;
	return run([$self->program('linnetctl'), '-o', "state_dir $self->{dir}",
	    map({ ('-o', $_) } grep { /^database / } @{ $self->{options} }),
	    @args]);
}

# The same for a command that prints JSON and must succeed.
sub ctl_json {
	my ($self, @args) = @_;
	my ($st, $out, $err) = $self->ctl(@args);
	croak "linnetctl @args: status $st\n$err" if $st != 0;
	return Cpanel::JSON::XS->new->utf8->allow_nonref->decode($out);
}

# A mesh with members, from `linnetctl seed`; each member carries its meshId.
sub seed {
	my ($self, @args) = @_;
	my $s = $self->ctl_json('seed', @args);
	$_->{meshId} //= $s->{meshId}
	    for grep { ref eq 'HASH' && $_->{memberId} } values %$s;
	return $s;
}

# A member of it that joins by its invite, with a key.
sub joined {
	my ($self, $seed, $name) = @_;
	my $key = Linnet::Peer::new_key();
	my $token = $seed->{inviteToken};
	my $r = $self->http(POST => '/join', {}, { invite_token => $token,
	    invite_payload => Cpanel::JSON::XS->new->decode(
		decode_base64($token =~ tr{-_}{+/}r)),
	    peer_pubkey => $key->{pubkey}, display_name => $name });
	return { %$key, %{ $r->{json} }, meshId => $seed->{meshId} };
}

# Runs SQL on the private database: its rows as text, | between columns.
sub psql {
	my ($self, $sql) = @_;
	require Linnet::Postgres;
	my ($socket) = map { glob "$self->{dir}/$_.s.PGSQL.*" } '', '*/', '*/*/';
	croak "no database socket below $self->{dir}" if !$socket;
	$socket =~ s/\.lock$//;
	my ($dir, $port) = $socket =~ m{(.*)/\.s\.PGSQL\.(\d+)$};
	my $uid = (stat $socket)[4];
	my @as = $> != 0 || $uid == 0 ? () : ('setpriv', "--reuid=$uid",
	    '--clear-groups', '--');
	my @psql = (@as, Linnet::Postgres::bin() . '/psql', '-X', '-q', '-A',
	    '-t', '-v', 'ON_ERROR_STOP=1', '-h', $dir, '-p', $port, '-U',
	    $self->db_user($dir, $port, $uid, @as), '-d');
	my ($st, $out, $err) = run([@psql, 'linnet', '-f', '-'],
	    input => $sql);
	croak "psql: $err" if $st != 0;
	chomp $out;
	return $out;
}

# The database's owner: the user linnet, or who the cluster belongs to.
sub db_user {
	my ($self, $dir, $port, $uid, @as) = @_;
	return $self->{db_user} //= do {
		my ($st) = run([@as, Linnet::Postgres::bin() . '/psql', '-X',
		    '-h', $dir, '-p', $port, '-U', 'linnet', '-d', 'linnet',
		    '-c', 'select 1']);
		$st == 0 ? 'linnet' : getpwuid $uid;
	};
}

# One HTTP request on a connection of its own: { status, reason, headers,
# body, json }.  An answer that is not as /openapi.json says fails the test.
sub http {
	my ($self, $method, $target, $headers, $body) = @_;
	my $io = Linnet::Http->new($self->where);
	my @h = ref $headers eq 'ARRAY' ? @$headers
	    : map { [$_, $headers->{$_}] } sort keys %{ $headers || {} };
	my $r = $io->exchange($method, $target,
	    [@h, ['Connection', 'close']], $body);
	Linnet::OpenAPI::watch($method, $target, $r)
	    if $r && $target =~ m{^/(?:v1/|join|hook/|openapi)};
	return $r;
}

# A raw connection; ->put, ->take, ->wait_eof, and ->exchange for HTTP.
sub tcp {
	my ($self, $n) = @_;
	return Linnet::Http->new($self->where($n));
}

# A WebSocket on /ws; see Linnet::Ws.
sub ws {
	my ($self, %o) = @_;
	return Linnet::Ws->new($self->where($o{address}), %o);
}

# A peer that said hello; see Linnet::Peer.
sub peer {
	my ($self, $member, %o) = @_;
	return Linnet::Peer->new($self, $member, %o);
}

# At the end of the test.
sub cleanup {
	my ($self) = @_;
	$self->end;
	my @bad = grep { my $l = $_;
	    $l =~ $bad_log && !grep { $l =~ $_ } @{ $self->{allow} } }
	    split /\n/, $self->log;
	complain("in the log of linnetd:\n" . join "\n", @bad) if @bad;
	return;
}

1;
