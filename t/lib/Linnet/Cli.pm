# linnet(1) as people and scripts use it, several of them, each with a
# configuration in a directory of their own.
package Linnet::Cli;
use strict;
use warnings;
use Exporter 'import';
use Test::More ();
use Linnet qw(run scratch);
use Linnet::Proc ();

our @EXPORT_OK = qw(linnet said said_quietly fails inbox follow);

my $home;

# Where everybody's directory is.
sub home {
	return $home //= scratch();
}

sub environment {
	my ($who, %more) = @_;
	return { LINNET_CONFIG => home() . "/$who", NO_COLOR => '', %more };
}

# Runs linnet as somebody: (status, stdout, stderr).
sub linnet {
	my ($who, @args) = @_;
	my %o = ref $args[-1] eq 'HASH' ? %{ pop @args } : ();
	my $env = delete $o{env} // {};
	return run([Linnet->program('linnet'), @args], %o,
	    env => environment($who, %$env));
}

# What it prints, whatever becomes of it.
sub said_quietly {
	my ($status, $out) = linnet(@_);
	return $out;
}

# The same for what must succeed: its output without the last newline.
sub said {
	my ($who, @args) = @_;
	my ($status, $out, $err) = linnet($who, @args);
	my @words = grep { !ref } @args;
	Test::More::is($status, 0,
	    "$who: @words[0 .. ($#words > 2 ? 2 : $#words)]")
	    or Test::More::diag($err);
	chomp $out;
	return $out;
}

# What must fail, with an exit status and a sentence.
sub fails {
	my ($who, $want, $sentence, @args) = @_;
	my ($status, $out, $err) = linnet($who, @args);
	my @words = grep { !ref } @args;
	Test::More::is($status, $want, "exit status $want: @words");
	Test::More::like($err, $sentence, 'and a sentence');
	Test::More::is($out, '', 'and no output');
	Test::More::unlike($err, qr/[0-9a-f]{128}|lnh_/, 'and no secret');
	return;
}

# The messages of an inbox.
my @fields = qw(at from to priority secrecy id text);
sub inbox {
	my ($who, @args) = @_;
	return map {
		my %m;
		@m{@fields} = split /\t/, $_, -1;
		\%m
	} split /\n/, said($who, 'inbox', @args);
}

# Runs one that goes on, into a file; returns the pid and the file.
sub go_on {
	my ($who, @args) = @_;
	my $out = home() . "/$who.follow";
	unlink $out, "$out.err";
	my $pid = Linnet::Proc::start([Linnet->program('linnet'), @args],
	    stdout => $out, stderr => "$out.err", env => environment($who));
	return ($pid, $out);
}

sub follow {
	my ($who, @args) = @_;
	return go_on($who, 'inbox', '--follow', @args);
}

1;
