#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# What the command line of AMS does, by its steps: a workspace, a member with a
# token, a channel, messages with idempotency keys, replay.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Linnet qw(scratch);
use Test::More;

my $id = qr/\A[0-9a-f]{32}\z/;
my $form = qr/\Awat_[A-Za-z0-9_-]{48}\z/;
my $key = 'platform-key-of-the-test-0123456789';
my $dir = scratch();
open my $f, '>', "$dir/key" or die $!;
print $f "$key\n";
close $f;
chmod 0600, "$dir/key";
my $b = Linnet->broker(workers => 2, options => [
    "platform.key_file $dir/key", 'rate.refused_burst 1000000']);

# As who shows a token, or the platform's key.
sub ask {
	my ($who, $method, $path, $body, %h) = @_;
	return $b->http($method, $path, { 'content-type' => 'application/json',
	    ($who =~ /\Awat_/ ? (authorization => "Bearer $who")
	    : ('x-platform-key' => $who)), %h }, $body);
}
sub good {
	my $r = ask(@_);
	is($r->{status}, 200, "$_[1] $_[2]") or diag explain $r->{json};
	return $r->{json};
}

my ($owner, $bot, $bot_id, $channel);
subtest 'a workspace' => sub {
	my $r = good($key, POST => '/v1/workspaces', { name => 'Acme',
	    slug => 'acme' });
	like($owner = $r->{owner_token}, $form, 'the token of its owner');
	like($r->{workspace}{id}, $id, 'its id');
	is($r->{workspace}{slug}, 'acme', 'its slug');
	like($r->{ownerSecretKey}, qr/\A[0-9a-f]{128}\z/, 'its key');
	is(ask($key, POST => '/v1/workspaces', { name => 'B', slug => 'acme' })
	    ->{status}, 409, 'a slug is for one');
	is(ask($key, POST => '/v1/workspaces', { name => 'B', slug => 'A_' })
	    ->{status}, 400, 'and has a form');
	is(ask('x' x 40, POST => '/v1/workspaces', { name => 'B' })->{status},
	    401, 'not without the key');
	is(ask($owner, POST => '/v1/workspaces', { name => 'B' })->{status},
	    401, 'nor with a token');
	my $who = good($owner, GET => '/v1/token');
	is($who->{role}, 'owner', 'its owner');
	ok(!(grep { $_ eq 'service' || $_ eq 'platform' }
	    @{ $who->{scopes} }), 'who is no back end');
};

subtest 'a member' => sub {
	my $r = good($owner, POST => '/v1/members', { name => 'Build Bot',
	    kind => 'agent', role => 'member' });
	like($bot = $r->{token}, $form, 'its token');
	like($bot_id = $r->{memberId}, $id, 'its id');
	is_deeply([@{$r}{qw(name kind role)}], ['Build Bot', 'agent',
	    'member'], 'as asked');
	is(ask($bot, POST => '/v1/members', { name => 'x' })->{status}, 403,
	    'a member makes none');
	is(good($bot, GET => '/v1/token')->{role}, 'member', 'it is that');
	my @m = @{ good($bot, GET => '/v1/members')->{members} };
	is_deeply([map { [@{$_}{qw(displayName actorType role)}] } @m],
	    [['owner', 'agent', 'owner'], ['Build Bot', 'agent', 'member']],
	    'both are there');
};

subtest 'a channel and its messages' => sub {
	my $r = good($bot, POST => '/v1/channels', { name => 'builds',
	    visibility => 'public' });
	like($channel = $r->{channelId}, $id, 'a channel');
	my $at = "/v1/channels/$channel/messages";
	$r = good($bot, POST => $at, { text => 'deploy started',
	    idempotencyKey => 'msg-1' });
	is($r->{seq}, 1, 'from 1');
	$r = good($bot, POST => $at, { text => 'deploy started' },
	    'idempotency-key' => 'msg-1');
	is($r->{seq}, 1, 'once');
	is(ask($bot, POST => $at, { text => 'x' })->{status}, 400,
	    'a key is needed');
	is(good($owner, POST => $at, { text => 'thanks' },
	    'idempotency-key' => 'msg-1')->{seq}, 2, 'of each sender its own');
	my @m = @{ good($owner, GET => "$at?after=0")->{messages} };
	is_deeply([map { [$_->{seq}, $_->{parts}[0]{payload}{text}] } @m],
	    [[1, 'deploy started'], [2, 'thanks']], 'replay from the start');
	is_deeply([map { $_->{seq} } @{ good($owner, GET => "$at?after=1")
	    ->{messages} }], [2], 'and from a seq');
	is_deeply([map { $_->{seq} } @{ good($owner, GET =>
	    "/v1/channels/builds/messages?limit=1")->{messages} }], [1],
	    'by name, in pages');
};

subtest 'walls' => sub {
	my $r = good($key, POST => '/v1/workspaces', { name => 'Other' });
	my $other = $r->{owner_token};
	is(ask($other, GET => "/v1/channels/$channel/messages")->{status}, 404,
	    'a token is of one workspace');
	is_deeply(good($other, GET => '/v1/channels')->{channels}, [],
	    'and sees no other');
	is_deeply([map { $_->{displayName} } @{ good($other,
	    GET => '/v1/members')->{members} }], ['owner'], 'nor its members');
	is(ask($other, PATCH => "/v1/members/$bot_id", { role => 'admin' })
	    ->{status}, 404, 'nor changes them');
};

done_testing;
