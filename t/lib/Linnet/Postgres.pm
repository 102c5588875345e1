# SPDX-License-Identifier: ISC
# A PostgreSQL of the test's own: on a unix socket in a scratch directory, not
# as root, gone at the end.
package Linnet::Postgres;
use strict;
use warnings;
use Carp;
use Linnet::Proc qw(run scratch end_all cleanup_at_end slurp as_user);

# The directory of initdb and postgres: the newest, or undef.
sub bin {
	my @bin = sort { ($a =~ m{/([\d.]+)/bin})[0] <=>
	    ($b =~ m{/([\d.]+)/bin})[0] }
	    grep { -x "$_/initdb" && -x "$_/postgres" }
	    glob '/usr/lib/postgresql/*/bin';
	return $bin[-1] if @bin;
	my ($st, $dir) = run(['sh', '-c', 'pg_config --bindir']);
	chomp $dir;
	return $st == 0 && -x "$dir/initdb" ? $dir : undef;
}

# A cluster with an empty database `linnet`, running.  conf: more settings;
# hba: lines of pg_hba.conf; wrap: a command before the server.
sub new {
	my ($class, %o) = @_;
	my $bin = bin() or croak 'no PostgreSQL here';
	my $dir = scratch();
	my ($uid, $gid, @as) = as_user();
	chown $uid, $gid, $dir if @as;
	my $pg = bless { bin => $bin, dir => $dir,
	    as => [@{ $o{wrap} || [] }, @as], conf => $o{conf} || {} }, $class;
	cleanup_at_end($pg);
	my ($st, $out, $err) = run([@as, "$bin/initdb", '-D', "$dir/pg", '-U',
	    'linnet', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N'],
	    timeout => 120);
	croak "initdb: $out$err" if $st != 0;
	if ($o{hba}) {
		open my $hba, '>>', "$dir/pg/pg_hba.conf" or croak "hba: $!";
		print $hba "$_\n" for @{ $o{hba} };
		close $hba;
	}
	$pg->start;
	($st, $err) = $pg->psql('create database linnet', 'postgres');
	croak "create database: $err" if $st != 0;
	return $pg;
}

sub dir { return $_[0]{dir} }

# What libpq needs to connect.
sub conninfo {
	return "host=$_[0]{dir} user=linnet dbname=linnet";
}

sub ctl {
	my ($pg, @args) = @_;
	my ($st, $out, $err) = run([@{ $pg->{as} }, "$pg->{bin}/pg_ctl", '-D',
	    "$pg->{dir}/pg", '-w', @args], timeout => 120);
	croak "pg_ctl @args: $out$err" . slurp("$pg->{dir}/log") if $st != 0;
	return;
}

sub start {
	my ($pg) = @_;
	my %c = (listen_addresses => '', fsync => 'off', %{ $pg->{conf} });
	$pg->ctl('-l', "$pg->{dir}/log", '-o', join(' ', "-k $pg->{dir}",
	    map { "-c $_=$c{$_}" } sort keys %c), 'start');
	return;
}

sub stop {
	my ($pg, $mode) = @_;
	$pg->ctl('-m', $mode // 'fast', 'stop');
	return;
}

# Runs SQL: (status, rows as text with | between the columns, errors).
sub psql {
	my ($pg, $sql, $database) = @_;
	return run(["$pg->{bin}/psql", '-X', '-q', '-A', '-t', '-v',
	    'ON_ERROR_STOP=1', '-h', $pg->{dir}, '-U', 'linnet', '-d',
	    $database // 'linnet', '-f', '-'], input => $sql);
}

# The same, of SQL that must succeed: the rows.
sub rows {
	my ($pg, $sql) = @_;
	my ($st, $out, $err) = $pg->psql($sql);
	croak $err if $st != 0;
	chomp $out;
	return $out;
}

sub cleanup {
	my ($pg) = @_;
	end_all($pg->{dir});
	return;
}

1;
