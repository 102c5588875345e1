# SPDX-License-Identifier: ISC
# A certificate authority of the test's own, in its scratch directory, and TLS
# clients: openssl s_client between a socket and the test.
#
#	my $ca = Linnet::Tls->new($dir);
#	my ($cert, $key) = $ca->issue('server', names => ['localhost']);
#	my $io = Linnet::Http->new($b->where, tls => [$ca->client('localhost')]);
#	my ($status, $text) = $ca->s_client($b->where, '-tls1_2');
package Linnet::Tls;
use strict;
use warnings;
use Carp;
use Linnet::Proc qw(run slurp);
use POSIX ();
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC);

sub openssl {
	my (@args) = @_;
	my ($st, $out, $err) = run(['openssl', @args]);
	croak "openssl @args: $err" if $st != 0;
	return $out;
}

sub put {
	my ($file, $text) = @_;
	unlink $file;
	open my $fh, '>', $file or croak "$file: $!";
	print $fh $text;
	close $fh or croak "$file: $!";
	return $file;
}

sub new {
	my ($class, $dir) = @_;
	my $ca = bless { dir => $dir, serial => 1 }, $class;
	openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt',
	    'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=Test CA', '-days',
	    30, '-keyout', "$dir/ca.key", '-out', "$dir/ca.pem");
	return $ca;
}

sub file {
	return "$_[0]{dir}/ca.pem";
}

# A certificate and its key: their files.  names: DNS names; days of validity
# (30); begins, ends: times as YYYYMMDDHHMMSSZ instead; algorithm: of the key.
sub issue {
	my ($ca, $name, %o) = @_;
	my $f = "$ca->{dir}/$name";
	my @key = $o{algorithm} ? ('-newkey', $o{algorithm})
	    : ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256');
	my $names = join ',', map { "DNS:$_" } @{ $o{names} || ['localhost'] };
	openssl('req', @key, '-nodes', '-subj', "/CN=$name", '-keyout',
	    "$f.key", '-out', "$f.csr");
	put("$f.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase=$f.db\n"
	    . "serial=$f.serial\nnew_certs_dir=$ca->{dir}\ndefault_md=sha256\n"
	    . "policy=p\nx509_extensions=x\nunique_subject=no\n"
	    . "[p]\ncommonName=supplied\n[x]\nsubjectAltName=$names\n");
	put("$f.db", '');
	put("$f.serial", sprintf "%04X\n", $ca->{serial}++);
	openssl('ca', '-batch', '-notext', '-config', "$f.cnf", '-cert',
	    $ca->file, '-keyfile', "$ca->{dir}/ca.key", '-in', "$f.csr",
	    '-out', "$f.pem", $o{begins} ? ('-startdate', $o{begins}) : (),
	    $o{ends} ? ('-enddate', $o{ends}) : ('-days', $o{days} // 30));
	return ("$f.pem", "$f.key");
}

# Arguments of a client that asks for the name, and believes this CA alone.
sub client {
	my ($ca, $name) = @_;
	return ('-CAfile', $ca->file, '-verify_return_error',
	    defined $name ? ('-servername', $name, '-verify_hostname', $name)
	    : ());
}

# One request over TLS: the client's status, all that it says, and the rest of
# what it says on stderr.
sub s_client {
	my ($ca, $where, @args) = @_;
	my $request = "GET /health HTTP/1.1\r\nHost: x\r\n"
	    . "Connection: close\r\n\r\n";
	return run(['openssl', 's_client', '-ign_eof', '-CAfile', $ca->file,
	    '-connect', $where, @args], input => $request, timeout => 30);
}

# For Linnet::Io: a socket whose other end is a client, its process, and the
# file that has its stderr.
sub connect_to {
	my ($host, $port, $err, @args) = @_;
	socketpair my $mine, my $its, AF_UNIX, SOCK_STREAM, PF_UNSPEC
	    or croak "socketpair: $!";
	my $pid = fork // croak "fork: $!";
	return ($mine, $pid) if $pid;
	close $mine;
	open STDIN, '<&', $its or POSIX::_exit(126);
	open STDOUT, '>&', $its or POSIX::_exit(126);
	open STDERR, '>>', $err or POSIX::_exit(126);
	close $its;
	{
		# Without -quiet letters at a line's start are commands to it.
		no warnings 'exec';
		exec 'openssl', 's_client', '-quiet', '-connect',
		    "$host:$port", @args;
	}
	POSIX::_exit(127);
}

1;
