#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# What is remembered of messages: made of the journal, once, whatever dies;
# gone with the messages that said it; seen by who may see the channel.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet 'wait_until';
use Linnet::Postgres;

my $pg = Linnet::Postgres->new;
my @hosts = Linnet->hosts($pg, [qw(one two)], workers => 1, options => [
    'rate.member 0', 'rate.requests 0', 'host_lease 3s']);
my $broker = $hosts[0];
my $seed = $broker->seed;
{
	my ($st, $out, $err) = $pg->psql("update member set role = 'admin'");
	die $err if $st != 0;
}
my ($ann, $bob) = map { $broker->peer($_) } @{$seed}{qw(peerA peerB)};
my $far = $hosts[1]->peer($seed->{peerA}, name => 'far');

sub asks {
	my ($p, $type, %o) = @_;
	my $r = $p->request({ type => $type, %o });
	die "$type: $r->{message}" if $r->{type} eq 'error';
	return $r;
}
sub refused {
	my ($r, $code, $what) = @_;
	is($r->{type} eq 'error' ? $r->{code} : $r->{type}, $code, $what);
	return;
}
sub says {
	my ($p, $channel, $text) = @_;
	return asks($p, 'post', channel => $channel, text => $text);
}
sub rows { return $pg->rows(@_) }
# All that was said is remembered.
sub settled {
	my ($what) = @_;
	ok(wait_until { rows('select count(*) from journal j left join '
	    . 'memory_mark m using (mesh_id) where j.n > coalesce(m.n, 0)') == 0
	    } 40, $what // 'the journal was read');
	return;
}
sub units {
	my ($p, %o) = @_;
	return @{ asks($p, 'list_memory_units', %o)->{units} };
}
sub contents { return join '|', sort map { $_->{content} } units(@_) }
sub hits {
	my ($p, $q, %o) = @_;
	return join '|', map { $_->{unit}{content} } @{ asks($p,
	    'search_memory_units', query => $q, %o)->{hits} };
}

my $dev = asks($ann, 'create_channel', name => 'dev')->{channelId};
my ($first, $again);
subtest 'what is worth it' => sub {
	$first = says($ann, $dev, "  The staging   database\nlives on host nine ")
	    ->{messageId};
	says($bob, $dev, 'thanks!');
	says($bob, $dev, 'ok');
	$again = says($bob, $dev, 'the STAGING database lives on host nine')
	    ->{messageId};
	my $long = 'We rotate keys on Mondays. ' . 'word ' x 60 . 'end.';
	says($ann, $dev, $long);
	settled();
	my %of = map { $_->{content} => $_ } units($ann, channel => 'dev');
	my $u = $of{'The staging database lives on host nine'};
	ok($u, 'is what was said, in one line');
	is_deeply([sort @{ $u->{sourceMessageIds} }], [sort $first, $again],
	    'once, whoever says it again');
	is_deeply($u->{keywords}, [qw(staging database lives host nine)],
	    'with its words');
	is($u->{summary}, $u->{content}, 'and a summary');
	is($u->{channelId}, $dev, 'where it was said');
	ok($of{'We rotate keys on Mondays.'}, 'a long text by its sentences');
	is(scalar(keys %of), 4, 'no fillers');
	is(hits($bob, 'rotating key'), 'We rotate keys on Mondays.',
	    'it is found by its words');
	is(asks($ann, 'search', query => 'staging database',
	    entityTypes => ['memory'])->{hits}[0]{entityId}, $u->{id},
	    'also by search');
	is(asks($ann, 'get_memory_unit', memoryId => $u->{id})->{unit}
	    {content}, $u->{content}, 'and by its id');
	is_deeply(asks($ann, 'recall', query => 'staging')->{memories}, [],
	    'what somebody remembered is something else');
};

subtest 'what is taken back' => sub {
	asks($ann, 'redact_post', messageId => $first);
	is(hits($ann, 'staging'), 'The staging database lives on host nine',
	    'another one still says it');
	asks($bob, 'edit_post', messageId => $again,
	    text => 'The production database lives on host ten');
	is(hits($ann, 'staging'), '', 'nobody does: at once');
	settled();
	is(hits($ann, 'production'),
	    'The production database lives on host ten',
	    'but what it says instead');
	asks($bob, 'redact_post', messageId => $again);
	is(hits($ann, 'production'), '', 'and nothing then');
	is(rows("select count(*) from memory_source s where not exists "
	    . "(select from post p where p.id = s.post_id and p.redacted_at "
	    . "is null)"), 0, 'nothing is left of them');
	my $c = asks($ann, 'create_channel', name => 'brief')->{channelId};
	my $m = says($ann, $c, 'Wombats dig at night')->{messageId};
	asks($ann, 'redact_post', messageId => $m);
	settled();
	is(hits($ann, 'wombats'), '', 'nor of what was taken back before it '
	    . 'was read');
	says($ann, $c, 'Numbats eat termites');
	settled();
	is(hits($ann, 'numbats'), 'Numbats eat termites', 'there');
	asks($ann, 'delete_channel', channel => $c);
	is(hits($ann, 'numbats'), '', 'and with its channel not');
};

my ($vault, $unit);
subtest 'the wall' => sub {
	$vault = asks($ann, 'create_channel', name => 'vault',
	    private => \1)->{channelId};
	my $m = says($ann, $vault, 'The merger closes in October')->{messageId};
	my $t = asks($ann, 'create_thread', channel => $vault,
	    messageId => $m)->{channelId};
	says($ann, $t, 'The merger is called Falcon');
	settled();
	is(scalar(split /\|/, hits($ann, 'merger')), 2, 'members find it');
	($unit) = units($ann, channel => $vault);
	is($unit->{private}, 1, 'and that it is private');
	is(hits($bob, 'merger'), '', 'nobody else');
	is_deeply(asks($bob, 'search', query => 'merger')->{hits}, [],
	    'by any way');
	my $none = 'f' x 32;
	for (['list_memory_units', 'channel', $vault],
	    ['list_memory_units', 'channel', $t],
	    ['search_memory_units', 'query', 'merger', 'channel', $vault],
	    ['get_memory_unit', 'memoryId', $unit->{id}],
	    ['promote_memory_unit', 'memoryId', $unit->{id}]) {
		my ($type, %o) = @$_;
		my $r = $bob->request({ type => $type, %o });
		my $key = $o{channel} ? 'channel' : 'memoryId';
		my $n = $bob->request({ type => $type, %o, $key => $none });
		$r->{message} =~ s/\Q$o{$key}\E/$none/g;
		is($r->{message}, $n->{message}, "$type: nothing is there");
	}
	asks($ann, 'add_channel_member', channel => $vault,
	    member => $bob->member_key);
	is(scalar(split /\|/, hits($bob, 'merger')), 2, 'who is let in does');
	asks($ann, 'remove_channel_member', channel => $vault,
	    member => $bob->member_key);
	is(hits($bob, 'merger'), '', 'no longer than that');
};

subtest 'promoted' => sub {
	asks($far, 'follow_channel', channel => $vault);
	my $r = asks($ann, 'promote_memory_unit', memoryId => $unit->{id},
	    summary => 'A merger');
	ok($r->{unit}{promoted} && $r->{unit}{promotedAt}, 'it is');
	is($r->{unit}{promotionSummary}, 'A merger', 'as what');
	is($far->wait_for(sub { ($_->{event} // '') eq 'memory.promoted' })
	    ->{payload}{memoryId}, $unit->{id}, 'who is there is told');
	is(asks($ann, 'promote_memory_unit', memoryId => $unit->{id},
	    summary => 'other')->{unit}{promotionSummary}, 'A merger', 'once');
	is(rows("select payload::json ->> 'summary' from event where "
	    . "type = 'memory.promoted'"), 'A merger', 'one line tells of it');
	my ($u) = units($bob, promoted => \1);
	is($u->{content}, $unit->{content}, 'others see what it says');
	is(join(' ', grep { exists $u->{$_} } qw(channelId memberId private)),
	    '', 'not where, and by whom');
	is_deeply($u->{sourceMessageIds}, [], 'nor in what');
	is($u->{updatedAt}, $u->{promotedAt}, 'nor when');
	is(hits($bob, 'merger'), $unit->{content}, 'they find it');
	my ($hit) = @{ asks($bob, 'search', query => 'merger')->{hits} };
	ok($hit->{promoted} && !exists $hit->{channelId}, 'also by search');
	refused($bob->request({ type => 'get_memory_unit',
	    memoryId => $unit->{id} }), 'memory_unit', 'by its id');
	is(asks($bob, 'promote_memory_unit', memoryId => $unit->{id})->{unit}
	    {promotionSummary}, 'A merger', 'and cannot do it again');
	asks($ann, 'redact_post', messageId =>
	    $unit->{sourceMessageIds}[0]);
	is(hits($bob, 'merger'), '', 'and it ends as it was said');
	is(scalar(units($bob, promoted => \1)), 0, 'for all');
};

sub token {
	my ($p, @scopes) = @_;
	return $p->request({ type => 'create_token', name => 'x',
	    @scopes ? (scopes => \@scopes) : () })->{token};
}
sub http {
	my ($method, $path, $token, $body) = @_;
	return $broker->http($method, $path, { Authorization =>
	    "Bearer $token", 'Content-Type' => 'application/json' }, $body);
}

subtest 'over HTTP' => sub {
	says($ann, $dev, 'Otters hold hands while asleep');
	settled();
	my $t = token($ann);
	my $r = http(GET => "/v1/memory/search?q=otters", $t)->{json};
	is($r->{query}, 'otters', 'a search');
	my $u = $r->{hits}[0]{unit};
	is($u->{canonicalText}, 'Otters hold hands while asleep', 'its text');
	is(join(' ', sort keys %$u), join(' ', sort qw(id orgId sourceStreamId
	    sourceStreamType sourceVisibility canonicalText summary keywords
	    createdByActorId sourceMessageIds promoted promotedAt
	    promotedByActorId promotionSummary createdAt updatedAt)),
	    'as message-layer has it');
	is($u->{promotedAt}, undef, 'not promoted');
	like($r->{hits}[0]{score}, qr/^\d+\.\d+$/, 'a score');
	is(http(GET => "/v1/memory/$u->{id}", $t)->{json}{unit}{id}, $u->{id},
	    'by id');
	ok(grep({ $_->{id} eq $u->{id} } @{ http(GET =>
	    "/v1/memory?streamId=$dev", $t)->{json}{units} }), 'of a channel');
	$r = http(POST => "/v1/memory/$u->{id}/promote", $t, '{}');
	is($r->{json}{unit}{promotionSummary}, $u->{summary}, 'promoted');
	is(http(GET => '/v1/memory?promoted=true', $t)->{json}{units}[0]{id},
	    $u->{id}, 'a list');
	$r = http(GET => '/v1/memory', $t);
	is($r->{status}, 400, 'of something');
	like($r->{body}, qr/either streamId or promoted=true is required/,
	    'as it says');
	is(http(GET => $_, $t)->{status}, 404, $_) for "/v1/memory/" . 'f' x 32,
	    '/v1/memory/x', '/v1/memory?streamId=nowhere';
	is(http(GET => $_, $t)->{status}, 400, $_) for '/v1/memory/search',
	    '/v1/memory/search?q=x&limit=101';
	for (['memory:read'], ['channels:read']) {
		is(http(GET => '/v1/memory?promoted=true',
		    token($ann, @$_))->{status}, 403, "@$_ is not enough");
	}
	is(http(POST => "/v1/memory/$u->{id}/promote", token($ann,
	    'memory:read', 'channels:read'), '{}')->{status}, 403,
	    'nor to promote');
};

subtest 'pages' => sub {
	my $c = asks($ann, 'create_channel', name => 'pages')->{channelId};
	$ann->post(type => 'post', channel => $c, text => "quokka number $_")
	    for 1 .. 130;
	$ann->wait_for('posted') for 1 .. 130;
	settled();
	my (%seen, $next, $twice);
	do {
		my $r = asks($ann, 'list_memory_units', channel => $c,
		    limit => 50, $next ? (after => $next) : ());
		$twice++ for grep { $seen{ $_->{id} }++ } @{ $r->{units} };
		$next = $r->{next};
	} while ($next);
	is(scalar(keys %seen), 130, 'a list');
	do {
		my $r = asks($ann, 'search_memory_units', query => 'quokka',
		    limit => 40, $next ? (after => $next) : ());
		$seen{ $_->{unit}{id} } |= 1 << 8 for @{ $r->{hits} };
		$next = $r->{next};
	} while ($next);
	is(scalar(grep { $_ == 257 } values %seen), 130, 'a search');
	ok(!$twice, 'each once');
};

subtest 'whatever dies' => sub {
	my $c = asks($ann, 'create_channel', name => 'crash')->{channelId};
	for my $n (1 .. 300) {
		my $p = $n % 2 ? $ann : $far;
		$p->post(type => 'post', channel => $c,
		    text => "Fact number $n: same as always. Fact $n.");
		if ($n % 50 == 0) {
			kill KILL => $hosts[$n / 50 % 2]->pids('jobs');
		}
	}
	for my $n (1 .. 300) {
		($n % 2 ? $ann : $far)->wait_for('posted') or last;
	}
	settled('the journal is read to its end');
	is(rows("select count(*) from memory_unit where channel_id = '$c'"),
	    300, 'everything is remembered');
	is(rows("select count(*) from memory_source s join memory_unit u on "
	    . "u.id = s.unit_id where u.channel_id = '$c'"), 300, 'once');
};

subtest 'turned off' => sub {
	my $other = Linnet->broker(workers => 1, options => ['database "' .
	    $pg->conninfo . '"', 'host_name three', 'memory.units no']);
	my $p = $other->peer($seed->{peerB}, name => 'third');
	refused($p->request({ type => 'list_memory_units', promoted => \1 }),
	    'not_found', 'there is none');
	like($p->request({ type => 'search_memory_units', query => 'x' })
	    ->{message}, qr/memory\.units/, 'and why');
	is_deeply(asks($p, 'search', query => 'quokka',
	    entityTypes => ['memory'])->{hits}, [], 'nor is it found');
	is($_->stop, 0, 'stops') for @hosts;
	my $c = asks($p, 'create_channel', name => 'later')->{channelId};
	says($p, $c, 'Kiwis cannot fly');
	is(rows("select count(*) from memory_unit where channel_id = '$c'"),
	    0, 'nothing is made');
	is($other->stop, 0, 'stops');
	$broker = Linnet->broker(workers => 1, options => ['database "' .
	    $pg->conninfo . '"', 'host_name four', 'host_lease 3s']);
	settled('turned on again');
	is(rows("select content from memory_unit where channel_id = '$c'"),
	    'Kiwis cannot fly', 'it goes on where it was');
};

is($broker->stop, 0, 'stops');
done_testing;
