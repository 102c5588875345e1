# SPDX-License-Identifier: ISC
# Processes of a test: run them, find them, and leave none behind, however
# the test ends.
package Linnet::Proc;
use strict;
use warnings;
use Carp;
use Exporter 'import';
use File::Path 'remove_tree';
use File::Temp 'tempdir';
use Linnet::Io qw(wait_until patience);
use POSIX ':sys_wait_h';

our @EXPORT_OK = qw(run start reap scratch of_dir end_all cleanup_at_end
    complain slurp as_user);

my $owner = $$;
my (@things, @scratch, @complaints);

# The whole content of a file; '' when there is none.
sub slurp {
	my ($file) = @_;
	open my $fh, '<', $file or return '';
	local $/;
	return <$fh> // '';
}

# A new directory below /tmp that other users can reach; removed at the end,
# unless LINNET_KEEP is set.
sub scratch {
	my $d = tempdir('linnet-XXXXXX', DIR => '/tmp');
	chmod 0755, $d;
	push @scratch, $d;
	return $d;
}

# At the end of the test ->cleanup is called for each of these.
sub cleanup_at_end {
	push @things, $_[0];
	return;
}

# Makes the test fail at its end, with this reason.
sub complain {
	push @complaints, @_;
	return;
}

# What comes before a command that must not run as root.
sub as_user {
	return if $> != 0;
	for my $u (qw(postgres linnet nobody)) {
		my ($uid, $gid) = (getpwnam $u)[2, 3] or next;
		return ($uid, $gid, 'setpriv', "--reuid=$uid", "--regid=$gid",
		    '--clear-groups', '--');
	}
	croak 'no user to run PostgreSQL as';
}

# Starts a command in a process group of its own.  stdin, stdout, stderr:
# files; env: more environment; cwd.
sub start {
	my ($cmd, %o) = @_;
	my $pid = fork // croak "fork: $!";
	return $pid if $pid;
	eval {
		setpgrp 0, 0;
		$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
		open STDIN, '<', $o{stdin} // '/dev/null' or die "stdin: $!";
		open STDOUT, '>>', $o{stdout} // '/dev/null' or die "stdout: $!";
		open STDERR, '>>', $o{stderr} // '/dev/null' or die "stderr: $!";
		chdir($o{cwd} // '/') or die "chdir: $!";
		%ENV = (%ENV, %{ $o{env} || {} });
		exec { $cmd->[0] } @$cmd or die "$cmd->[0]: $!\n";
	};
	print STDERR $@;
	POSIX::_exit(127);
}

# Waits for a child: its status as the shell gives it, or undef in time.
sub reap {
	my ($pid, $seconds) = @_;
	my $status;
	wait_until {
		my $r = waitpid $pid, WNOHANG;
		$status = $r == $pid
		    ? (WIFSIGNALED($?) ? 128 + WTERMSIG($?) : WEXITSTATUS($?))
		    : -1 if $r;
		defined $status
	} $seconds;
	return $status;
}

# Runs a command to its end: (status, stdout, stderr).  input: its stdin;
# timeout in seconds (60), after which it is killed.  One that leaves a child
# running fails the test.
sub run {
	my ($cmd, %o) = @_;
	my $dir = File::Temp->newdir('linnet-run-XXXXXX', DIR => '/tmp');
	if (defined $o{input}) {
		open my $fh, '>', "$dir/in" or croak "$dir/in: $!";
		print $fh $o{input};
		close $fh;
		$o{stdin} = "$dir/in";
	}
	my $pid = start($cmd, %o, stdout => "$dir/out", stderr => "$dir/err");
	my $status = reap($pid, $o{timeout} // 60);
	if (!defined $status) {
		kill 'KILL', -$pid;
		$status = reap($pid, 10) // 137;
		complain("timed out: @$cmd");
	}
	if (kill(0, -$pid) && !wait_until { !grep { $_->[2] == $pid } all() } 2) {
		complain("left processes behind: @$cmd");
		kill 'KILL', -$pid;
	}
	return ($status, slurp("$dir/out"), slurp("$dir/err"));
}

# [pid, parent, group, command line] of every process.
sub all {
	my @all;
	for my $d (glob '/proc/[0-9]*') {
		my ($pid) = $d =~ m{(\d+)$};
		my ($state, $parent, $group) =
		    slurp("$d/stat") =~ /^.*\) (\S) (\d+) (\d+)/s or next;
		next if $state eq 'Z' || $pid == $$;
		push @all, [$pid, $parent, $group, slurp("$d/cmdline")];
	}
	return @all;
}

# The processes that live in a directory: it is in their command line, or
# they work in it (PostgreSQL's own children).
sub of_dir {
	my ($dir) = @_;
	croak 'no directory of a test: ' . ($dir // 'undef')
	    if ($dir // '') !~ m{^/[^/]+/[^/]};
	return map { $_->[0] } grep {
		my $cwd = readlink("/proc/$_->[0]/cwd") // '';
		$_->[3] =~ m{\Q$dir\E(?:[/\0 '"]|$)} || $cwd =~ m{^\Q$dir\E(?:/|$)}
	} all();
}

# Ends a process group and everything that lives in a directory: PostgreSQL
# gets the chance to give its shared memory back, then there is no mercy.
sub end_all {
	my ($dir, $group) = @_;
	my $left = sub {
		my %seen = map { $_ => 1 } of_dir($dir);
		$seen{$_->[0]} = 1
		    for grep { $group && $_->[2] == $group } all();
		return keys %seen;
	};
	my @masters = map { slurp($_) =~ /^(\d+)$/m ? $1 : () }
	    glob "$dir/*/postmaster.pid $dir/postmaster.pid $dir/*/*/postmaster.pid";
	my %mine = map { $_ => 1 } $left->();
	kill 'KILL', -$group if $group;
	if (my @quit = grep { $mine{$_} } @masters) {
		kill 'QUIT', @quit;
		wait_until { my %l = map { $_ => 1 } $left->();
		    !grep { $l{$_} } @quit } 5;
	}
	wait_until {
		my @l = $left->();
		kill 'KILL', @l;
		!@l
	} 10 or complain("processes of $dir cannot be ended");
	return;
}

$SIG{$_} = sub { exit 130 } for qw(INT TERM HUP);
# Whoever read what the test says is gone: end, and say nothing while ending.
$SIG{PIPE} = sub { $SIG{PIPE} = 'IGNORE'; exit 141 };

END {
	if ($$ == $owner) {
		my $status = $?;
		local ($@, $!);
		for my $t (reverse @things) {
			eval { $t->cleanup; 1 } or push @complaints, $@;
		}
		remove_tree(@scratch) if @scratch && !$ENV{LINNET_KEEP};
		print STDERR "# kept: @scratch\n"
		    if @scratch && $ENV{LINNET_KEEP};
		if (@complaints) {
			print STDERR map { s/^/# /mgr . "\n" } @complaints;
			$status ||= 1;
		}
		$? = $status;
	}
}

1;
