# SPDX-License-Identifier: ISC
# An HTTP/1.1 client: one request, one answer.
package Linnet::Http;
use strict;
use warnings;
use Cpanel::JSON::XS ();
use parent 'Linnet::Io';
use Linnet::Io 'wait_until';

my $json = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;

# A request as bytes.  headers: a hash, or a list of [name, value] in order.
# A reference as body is sent as JSON.
sub request {
	my ($method, $target, $headers, $body) = @_;
	my @h = ref $headers eq 'ARRAY' ? @$headers
	    : map { [$_, $headers->{$_}] } sort keys %{ $headers || {} };
	my %have = map { lc $_->[0] => 1 } @h;
	if (ref $body) {
		$body = $json->encode($body);
		push @h, ['Content-Type', 'application/json']
		    unless $have{'content-type'};
	}
	unshift @h, ['Host', 'linnet.test'] unless $have{host};
	push @h, ['Content-Length', length $body]
	    if defined $body && !$have{'content-length'}
	    && !$have{'transfer-encoding'};
	return join('', "$method $target HTTP/1.1\r\n",
	    (map { "$_->[0]: $_->[1]\r\n" } @h), "\r\n", $body // '');
}

# Reads an answer from the front of $$in: undef while it is incomplete, else
# { status, reason, headers, body, json }.  Names of headers in lower case.
sub response {
	my ($in, $eof, $method) = @_;
	$$in =~ /\A(HTTP\/1\.[01] (\d{3})(?: ([^\r\n]*))?\r\n(.*?)\r\n)\r\n/s
	    or $$in =~ /\A(HTTP\/1\.[01] (\d{3})(?: ([^\r\n]*))?\r\n)()\r\n/
	    or return;
	my ($head, $status, $reason, $lines) = (length($1) + 2, $2, $3, $4);
	my %h;
	for (split /\r\n/, $lines) {
		my ($n, $v) = /\A([^:\s]+):[ \t]*(.*?)[ \t]*\z/ or next;
		$h{lc $n} = defined $h{lc $n} ? "$h{lc $n}, $v" : $v;
	}
	my $rest = substr $$in, $head;
	my ($body, $used);
	if ($method eq 'HEAD' || $status == 204 || $status == 304
	    || $status < 200) {
		($body, $used) = ('', 0);
	} elsif (($h{'transfer-encoding'} // '') =~ /chunked/i) {
		($body, $used) = ('', 0);
		while (1) {
			pos($rest) = $used;
			$rest =~ /\G([0-9a-fA-F]+)[^\r\n]*\r\n/gc or return;
			my $n = hex $1;
			my $at = pos $rest;
			return if length $rest < $at + $n + 2;
			$body .= substr $rest, $at, $n;
			$used = $at + $n + 2;
			last if $n == 0;
		}
	} elsif (defined $h{'content-length'}) {
		$used = $h{'content-length'};
		return if length $rest < $used && !$eof;
		$body = substr $rest, 0, $used;
	} else {
		return unless $eof;
		($body, $used) = ($rest, length $rest);
	}
	substr($$in, 0, $head + $used) = '';
	my $r = { status => $status, reason => $reason, headers => \%h,
	    body => $body };
	$r->{json} = eval { $json->decode($body) }
	    if ($h{'content-type'} // '') =~ m{^application/(?:\w+\+)?json}
	    && length $body;
	return $r;
}

# Sends one request on this connection and waits for its answer; undef when
# none comes.
sub exchange {
	my ($io, $method, $target, $headers, $body, $seconds) = @_;
	$io->put(request($method, $target, $headers, $body));
	return $io->answer($method, $seconds);
}

sub answer {
	my ($io, $method, $seconds) = @_;
	my $r;
	wait_until {
		($r = response(\$io->{in}, $io->{eof}, $method)) || $io->{eof}
	} $seconds, "an answer to $method";
	return $r;
}

1;
