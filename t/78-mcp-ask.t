#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Questions of /mcp to clients that have a session: the answer is a request of
# its own, which another process may get.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Test::More;
use Linnet qw(wait_until);

my $json = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;
my $b = Linnet->broker(workers => 3);
my $m = $b->seed;
my %token = map {
	my $p = $b->peer($m->{"peer$_"}, acks => 1);
	my $t = $p->request({ type => 'create_token' })->{token};
	$p->close;
	($_ => $t)
} qw(A B);
my $id = 0;

sub head {
	my ($who, $session) = @_;
	return ('Content-Type' => 'application/json',
	    Accept => 'application/json, text/event-stream',
	    Authorization => "Bearer $token{$who}",
	    $session ? ('Mcp-Session-Id' => $session,
	    'MCP-Protocol-Version' => '2025-11-25') : ());
}

sub post {
	my ($who, $session, $body) = @_;
	return $b->http(POST => '/mcp', { head($who, $session) },
	    ref $body ? $json->encode($body) : $body);
}

sub session {
	my ($who, $can, $version) = @_;
	return post($who, undef, { jsonrpc => '2.0', id => ++$id,
	    method => 'initialize', params => { capabilities => $can,
	    protocolVersion => $version // '2025-11-25',
	    clientInfo => { name => 'test', version => '1' } } })
	    ->{headers}{'mcp-session-id'};
}

# Asks for a prompt that lacks something: the connection, and the question.
sub asks {
	my ($who, $session) = @_;
	my $io = $b->tcp;
	$io->put(Linnet::Http::request(POST => '/mcp',
	    { head($who, $session) }, $json->encode({ jsonrpc => '2.0',
	    id => ++$id, method => 'prompts/get',
	    params => { name => 'handoff' } })));
	my ($asked) = events($io, 1);
	is($asked->{method}, 'elicitation/create', 'a question');
	return ($io, $asked);
}

# So many events of a stream.
sub events {
	my ($io, $n) = @_;
	my @e;
	wait_until {
		@e = ($io->{in} // '') =~ /^data: (.*)\r?\n/mg;
		@e >= $n
	} 10;
	return map { $json->decode($_) } @e;
}

sub answers {
	my ($who, $session, $asked, $more) = @_;
	return post($who, $session, { jsonrpc => '2.0', id => $asked->{id},
	    %{ $more // { result => { action => 'accept',
	    content => { to => 'peer-b' } } } } })->{status};
}

my %forms = (elicitation => { form => {} });
my $session = session('A', \%forms);
my $other = session('A', \%forms);
my $bobs = session('B', \%forms);

subtest 'an answer' => sub {
	for (1 .. 6) {
		my ($io, $asked) = asks('A', $session);
		is(answers('A', $session, $asked), 202, 'is taken');
		my (undef, $got) = events($io, 2);
		like($got->{result}{messages}[0]{content}{text},
		    qr/over to peer-b in/, 'and carried out');
		$io->drop;
	}
	ok((wait_until { $b->psql('select cardinality(answers) from '
	    . "mcp_session where id = '$session'") eq '0' } 5),
	    'and not kept');
};

subtest 'what is none' => sub {
	my ($io, $asked) = asks('A', $session);
	is(answers('A', $other, $asked), 202, 'that of another session');
	is(answers('B', $session, $asked), 404, 'of somebody else');
	is(answers('B', $bobs, $asked), 202, 'in their session');
	is(answers('A', undef, $asked), 202, 'without a session');
	is(answers('A', $session, { id => 'linnet-0-1' }), 202,
	    'to another question');
	is(answers('A', $session, $asked, { result => { action => 'accept',
	    content => { to => 'x' x 70000 } } }), 413, 'one too large');
	is(post('A', $session, '{"id":')->{status}, 400, 'no JSON');
	my ($second, $too) = asks('A', $session);
	isnt($too->{id}, $asked->{id}, 'two questions are two');
	is(scalar events($io, 1), 1, 'nothing of that was an answer');
	is(answers('A', $session, $too, { result => { action => 'decline' } }),
	    202, 'a user who does not want to');
	my (undef, $got) = events($second, 2);
	like($got->{error}{message}, qr/^to is missing/, 'gets a sentence');
	is(answers('A', $session, $asked), 202, 'and the first');
	(undef, $got) = events($io, 2);
	ok($got->{result}, 'has its own answer');
	$_->drop for $io, $second;
};

subtest 'many that nobody asked for' => sub {
	my ($io, $asked) = asks('A', $session);
	is(answers('A', $session, { id => "x$_" }), 202, 'x')
	    for 1 .. 40;
	is(answers('A', $session, $asked), 202, 'do not displace');
	my (undef, $got) = events($io, 2);
	ok($got->{result}, 'the one that was');
	cmp_ok($b->psql('select cardinality(answers) from mcp_session '
	    . "where id = '$session'"), '<=', 32, 'and not all are kept');
	$io->drop;
};

subtest 'who is not asked' => sub {
	my $get = { jsonrpc => '2.0', id => ++$id, method => 'prompts/get',
	    params => { name => 'handoff' } };
	my $missing = qr/^to is missing/;
	like(post('A', session('A', {}), $get)->{json}{error}{message},
	    $missing, 'one that cannot be');
	like(post('A', session('A', \%forms, '2025-03-26'), $get)
	    ->{json}{error}{message}, $missing, 'an earlier revision');
	like(post('A', undef, $get)->{json}{error}{message}, $missing,
	    'one without a session');
	my %h = head('A', $session);
	$h{Accept} = 'application/json';
	like($b->http(POST => '/mcp', \%h, $json->encode($get))
	    ->{json}{error}{message}, $missing, 'one that takes no stream');
};

subtest 'who leaves' => sub {
	my ($io) = asks('A', $session);
	$io->drop;
	($io) = asks('A', $session);
	is($b->http(DELETE => '/mcp', { head('A', $session) })->{status}, 204,
	    'a session that ends');
	my (undef, $got) = events($io, 2);
	is($got->{error}{code}, -32603, 'ends what waits');
	$io->drop;
};
is($b->stop, 0, 'the broker ends');
done_testing;
