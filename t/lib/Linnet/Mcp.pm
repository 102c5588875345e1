# SPDX-License-Identifier: ISC
# A `linnet mcp`, and the host that speaks with it, a line at a time.
#
#	my $m = Linnet::Mcp->new('alice', args => ['--push', 'on']);
#	$m->initialize('2025-11-25');
#	my $r = $m->tool(send_message => { to => 'bob', message => 'hi' });
#	is($m->stop, 0);
package Linnet::Mcp;
use strict;
use warnings;
use Carp;
use Cpanel::JSON::XS ();
use POSIX 'mkfifo';
use Linnet::Cli ();
use Linnet::Io 'wait_until';
use Linnet::Proc qw(reap scratch slurp);

my $json = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;

# As who: a directory of Linnet::Cli.  args, env; cwd.
sub new {
	my ($class, $who, %o) = @_;
	my $dir = scratch();
	my $self = bless { id => 0, at => 0, notes => [], answers => {},
	    out => "$dir/out", err => "$dir/err", meta => $o{meta} }, $class;
	mkfifo("$dir/in", 0600) or croak "mkfifo: $!";
	$self->{pid} = Linnet::Proc::start(
	    [Linnet->program('linnet'), 'mcp', @{ $o{args} || [] }],
	    stdin => "$dir/in", stdout => $self->{out},
	    stderr => $self->{err}, cwd => $o{cwd} // '/',
	    env => Linnet::Cli::environment($who, %{ $o{env} || {} }));
	open $self->{in}, '>', "$dir/in" or croak "$dir/in: $!";
	$self->{in}->autoflush(1);
	return $self;
}

# A line as it is.
sub line {
	my ($self, $text) = @_;
	local $SIG{PIPE} = 'IGNORE';
	print { $self->{in} } "$text\n";
	return;
}

sub post {
	my ($self, $method, $params) = @_;
	return $self->line($json->encode({ jsonrpc => '2.0',
	    method => $method, $params ? (params => $params) : () }));
}

# Sends a request; its id.
sub ask {
	my ($self, $method, $params) = @_;
	my $id = ++$self->{id};
	$params = { %{ $params // {} }, _meta => $self->{meta} }
	    if $self->{meta};
	$self->line($json->encode({ jsonrpc => '2.0', id => $id,
	    method => $method, $params ? (params => $params) : () }));
	return $id;
}

# Reads what came: answers by id, notifications in their order.
sub look {
	my ($self) = @_;
	my $text = slurp($self->{out});
	while ((my $end = index $text, "\n", $self->{at}) >= 0) {
		my $line = substr $text, $self->{at}, $end - $self->{at};
		$self->{at} = $end + 1;
		my $m = eval { $json->decode($line) };
		if (!$m) {
			Linnet::Proc::complain("no JSON on stdout: $line");
			next;
		}
		for (ref $m eq 'ARRAY' ? @$m : $m) {
			if (exists $_->{method}) {
				push @{ $self->{notes} }, $_;
			} else {
				$self->{answers}{ $_->{id} // '' } = $_;
			}
		}
	}
	return;
}

# The answer to an id ('': one that answers nothing), or undef in time.
sub answer {
	my ($self, $id, $seconds) = @_;
	wait_until { $self->look; $self->{answers}{$id} } $seconds // 10;
	return delete $self->{answers}{$id};
}

sub request {
	my ($self, $method, $params, $seconds) = @_;
	return $self->answer($self->ask($method, $params), $seconds);
}

# The next notification of a method, or undef in time.
sub note {
	my ($self, $method, $seconds) = @_;
	my $i;
	wait_until {
		$self->look;
		($i) = grep { $self->{notes}[$_]{method} eq $method }
		    0 .. $#{ $self->{notes} };
		defined $i
	} $seconds // 10;
	return defined $i ? splice @{ $self->{notes} }, $i, 1 : undef;
}

sub initialize {
	my ($self, $version, $client) = @_;
	my $r = $self->request(initialize => { protocolVersion => $version,
	    capabilities => {}, clientInfo => { name => $client // 'test',
	    version => '1' } });
	$self->post('notifications/initialized');
	return $r->{result};
}

# Calls a tool: its result.
sub tool {
	my ($self, $name, $arguments, $seconds) = @_;
	my $r = $self->request('tools/call', { name => $name,
	    arguments => $arguments // {} }, $seconds);
	return $r->{result} // $r;
}

# The same of one that succeeds: its structured content.
sub does {
	my ($self, $name, $arguments, $seconds) = @_;
	my $r = $self->tool($name, $arguments, $seconds);
	Test::More::ok(!$r->{isError} && $r->{content}, "$name does it")
	    or Test::More::diag(Test::More::explain($r));
	return $r->{structuredContent}
	    // $json->decode($r->{content}[0]{text} // '{}');
}

# The sentence of one that fails.
sub refuses {
	my ($self, $name, $arguments) = @_;
	my $r = $self->tool($name, $arguments);
	return $r->{isError} ? $r->{content}[0]{text} : undef;
}

sub end_input {
	my ($self) = @_;
	close $self->{in} if $self->{in};
	$self->{in} = undef;
	return;
}

# Ends its input; the exit status.
sub stop {
	my ($self, $seconds) = @_;
	$self->end_input;
	return reap(delete $self->{pid}, $seconds // 10);
}

sub errors { return slurp($_[0]{err}) }

1;
