# SPDX-License-Identifier: ISC
# A reader of text/event-stream (HTML, 9.2), as EventSource is one.
package Linnet::Events;
use strict;
use warnings;
use Carp;
use Cpanel::JSON::XS ();
use parent 'Linnet::Http';
use Linnet::Io 'wait_until';

my $json = Cpanel::JSON::XS->new->utf8->allow_nonref;

# at: a broker; token; last: Last-Event-ID; headers: more.  Where the answer is
# no stream, response has it.
sub new {
	my ($class, $target, %o) = @_;
	my $io = $class->SUPER::new($o{at}->where);
	$io->{queue} = [];
	$io->{text} = '';
	$io->{comments} = 0;
	$io->put(Linnet::Http::request(GET => $target, {
	    Accept => 'text/event-stream',
	    $o{token} ? (Authorization => "Bearer $o{token}") : (),
	    defined $o{last} ? ('Last-Event-ID' => $o{last}) : (),
	    %{ $o{headers} || {} } }));
	wait_until { $io->{in} =~ /\r\n\r\n/ || $io->{eof} } 30,
	    'an answer to GET' or croak 'no answer';
	if ($io->{in} =~ m{\AHTTP/1\.1\ 200\ .*?\r\ncontent-type:
	    \ text/event-stream\r\n}isx) {
		$io->{in} =~ s/\A(.*?\r\n)\r\n//s;
		$io->{head} = $1;
		$io->{streams} = 1;
		$io->input;
	} else {
		$io->{response} = $io->answer('GET');
	}
	return $io;
}

sub status {
	return $_[0]{streams} ? 200 : $_[0]{response}{status};
}

# The id that was seen last, and how often it said that it lives.
sub last_id { return $_[0]{last} }
sub comments { return $_[0]{comments} }
sub retry { return $_[0]{retry} }

sub input {
	my ($io) = @_;
	return if !$io->{streams};
	while ($io->{in} =~ /\A([0-9a-f]+)\r\n/i) {
		my ($n, $at) = (hex $1, length($1) + 2);
		last if length $io->{in} < $at + $n + 2;
		$io->{ended} = 1 if $n == 0;
		$io->{text} .= substr $io->{in}, $at, $n;
		substr($io->{in}, 0, $at + $n + 2) = '';
	}
	while ($io->{text} =~ s/\A(.*?)\n\n//s) {
		my %e;
		for (split /\n/, $1) {
			my ($k, $v) = /\A([^:]*)(?::\x20?(.*))?\z/s;
			$io->{comments}++ if $k eq '';
			$e{data} = defined $e{data} ? "$e{data}\n$v" : $v
			    if $k eq 'data';
			$e{event} = $v if $k eq 'event';
			$io->{last} = $v if $k eq 'id';
			$io->{retry} = $v if $k eq 'retry';
		}
		next if !defined $e{data};
		push @{ $io->{queue} }, { id => $io->{last}, event =>
		    $e{event} // 'message', data =>
		    eval { $json->decode($e{data}) } // $e{data} };
	}
	return;
}

# The next event; undef: none in time, or it has ended.
sub recv {
	my ($io, $seconds) = @_;
	wait_until { @{ $io->{queue} } || $io->over } $seconds;
	return shift @{ $io->{queue} };
}

sub queued { return @{ $_[0]{queue} } }

# Has it ended, by its last chunk or without?
sub over { return $_[0]{ended} || $_[0]{eof} }

sub wait_over {
	my ($io, $seconds) = @_;
	wait_until { $io->over } $seconds, 'the stream to end';
	return $io->{ended};
}

1;
