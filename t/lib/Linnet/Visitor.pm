# SPDX-License-Identifier: ISC
# An agent that uses /mcp with a token, each request on a connection of its own,
# and on the next of its brokers.
package Linnet::Visitor;
use strict;
use warnings;
use Cpanel::JSON::XS ();
use Linnet::Http;
use Test::More;

my $json = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;
my $modern = '2026-07-28';
my $id = 0;

# at: a broker, or several; query: of the path.
sub new {
	my ($class, $token, %o) = @_;
	my $at = ref $o{at} eq 'ARRAY' ? $o{at} : [$o{at}];
	return bless { token => $token, at => $at, next => 0,
	    path => '/mcp' . ($o{query} ? "?$o{query}" : ''),
	    name => $o{name} // 'agent' }, $class;
}

sub next_broker {
	my ($v) = @_;
	return $v->{at}[$v->{next}++ % @{ $v->{at} }];
}

# Asks, and does not wait for the answer: the connection.
sub begin {
	my ($v, $method, $params) = @_;
	my %p = (%{ $params // {} }, _meta => {
	    'io.modelcontextprotocol/protocolVersion' => $modern,
	    'io.modelcontextprotocol/clientCapabilities' => {} });
	my $name = $p{name} // $p{uri};
	my $io = $v->next_broker->tcp;
	$io->put(Linnet::Http::request(POST => $v->{path}, {
	    'Content-Type' => 'application/json',
	    Accept => 'application/json, text/event-stream',
	    Authorization => "Bearer $v->{token}",
	    'MCP-Protocol-Version' => $modern, 'Mcp-Method' => $method,
	    $method =~ m{^(tools/call|resources/read)$}
		? ('Mcp-Name' => $name) : () },
	    $json->encode({ jsonrpc => '2.0', id => ++$id,
		method => $method, params => \%p })));
	return $io;
}

# The answer of HTTP.
sub ask {
	my ($v, $method, $params) = @_;
	return $v->begin($method, $params)->answer('POST', 30) // {};
}

sub call {
	my ($v, $tool, $args) = @_;
	return $v->begin('tools/call',
	    { name => $tool, arguments => $args // {} });
}

# What a tool that succeeds says.
sub result {
	my ($v, $tool, $io) = @_;
	my $r = $io->answer('POST', 30);
	my $ok = $r && $r->{json}{result} && !$r->{json}{result}{isError};
	Test::More::ok($ok, "$v->{name}: $tool") or diag explain $r;
	return $r->{json}{result}{structuredContent} // {};
}

sub does {
	my ($v, $tool, $args) = @_;
	return $v->result($tool, $v->call($tool, $args));
}

# The same without a test.
sub tries {
	my ($v, $tool, $args) = @_;
	my $r = $v->call($tool, $args)->answer('POST', 30);
	return $r->{json}{result}{structuredContent} // {};
}

# A stream of what is told of these; see `hears`.
sub listen {
	my ($v, @uris) = @_;
	my $io = $v->begin('subscriptions/listen', { notifications =>
	    { resourceSubscriptions => \@uris } });
	return $io if hears($io, qr/subscriptions\/acknowledged/);
	Test::More::fail("$v->{name} listens");
	return $io;
}

sub hears {
	my ($io, $like, $seconds) = @_;
	return Linnet::Io::wait_until(
	    sub { ($io->{in} // '') =~ $like }, $seconds // 10);
}

# The texts that wait for it, which it takes.
sub texts {
	my ($v, $seconds) = @_;
	my $r = $v->does(wait_for_message => { seconds => $seconds // 10 });
	return join ' ', map { $_->{text} // '?' } @{ $r->{messages} };
}

1;
