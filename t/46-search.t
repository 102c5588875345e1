#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Search: members, channels, threads, messages and memory by words, the best
# first, page by page; and nothing of what the caller may not see.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use utf8;
use Test::More;
use Linnet 'wait_until';
use Linnet::Postgres;

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);

my $pg = Linnet::Postgres->new(conf => { log_statement => 'all' });
my $broker = Linnet->broker(workers => 1, options => ['database "' .
    $pg->conninfo . '"', 'rate.member 0', 'rate.requests 0',
    'memory.units no']);
my $seed = $broker->seed;
my ($ann, $bob) = map { $broker->peer($_) } @{$seed}{qw(peerA peerB)};

sub asks {
	my ($p, $type, %o) = @_;
	my $r = $p->request({ type => $type, %o });
	die "$type: $r->{message}" if $r->{type} eq 'error';
	return $r;
}
sub says {
	my ($p, $channel, $text) = @_;
	return asks($p, 'post', channel => $channel, text => $text);
}
sub finds {
	my ($p, $query, %o) = @_;
	return @{ asks($p, 'search', query => $query, %o)->{hits} };
}
# What was found, by its title.
sub titles { return join '|', map { $_->{title} } finds(@_) }
sub suggests {
	my ($p, $query) = @_;
	return join '|', map { "$_->{kind} $_->{label}" }
	    @{ asks($p, 'suggest', query => $query)->{suggestions} };
}
sub token {
	my ($p, @scopes) = @_;
	return $p->request({ type => 'create_token', name => 'x',
	    @scopes ? (scopes => \@scopes) : () })->{token};
}
sub get {
	my ($path, $token) = @_;
	return $broker->http('GET', $path,
	    { Authorization => "Bearer $token" });
}

# The plans of a search are made before anybody waits for one.
{
	open my $f, '<', $pg->dir . '/log' or die "log: $!";
	my @log = <$f>;
	my ($connections, $run) = map { my $what = $_; scalar grep { /$what/ }
	    @log } qr/: explain \(costs off\) execute search\(/,
	    qr/execute search_warm: select/;
	ok($connections > 0 && $run == $connections,
	    'each connection for reading plans a search when it is made');
}

my $dev = asks($ann, 'create_channel', name => 'release-train',
    topic => 'what goes out')->{channelId};
says($ann, $dev, 'Deploying the gateway tonight');
my $said = says($bob, $dev, 'The deploy of the gateway failed; rollback');
says($ann, $dev, 'lunch');
my $thread = asks($bob, 'create_thread', channel => $dev,
    messageId => $said->{messageId})->{channelId};
says($ann, $thread, 'rollback done');

subtest 'messages' => sub {
	my @hits = finds($ann, 'deploy', entityTypes => ['message']);
	is(scalar @hits, 2, 'by words in any form');
	my ($hit) = grep { $_->{entityId} eq $said->{messageId} } @hits;
	is($hit->{kind}, 'message', 'what it is');
	is($hit->{channelId}, $dev, 'where');
	is($hit->{seq}, 2, 'at what place');
	is($hit->{name}, 'peer-b', 'by whom');
	like($hit->{snippet}, qr/^The deploy of the gateway/, 'what it says');
	like("@{ $hit->{highlights} }", qr/deploy/, 'and where in it');
	is(titles($ann, 'gateway rollback', entityTypes => ['message']),
	    'The deploy of the gateway failed; rollback', 'all words');
	is(scalar(finds($ann, 'lunch or tonight')), 2, 'or one of them');
	is(titles($ann, 'deploy -failed', entityTypes => ['message']),
	    'Deploying the gateway tonight', 'and not another');
	is(titles($ann, '"gateway failed"', entityTypes => ['message']),
	    'The deploy of the gateway failed; rollback', 'one after another');
	is(titles($ann, 'nowhere'), '', 'nothing');
	is(titles($ann, 'the'), '', 'nothing of a word that says nothing');
	is(titles($ann, '-deploy'), '', 'nor by what is not there alone');
};

subtest 'all kinds' => sub {
	is(join(' ', map { $_->{kind} } finds($ann, 'rollback')),
	    'thread message message', 'threads by what they are about');
	is(titles($ann, 'rollback', entityTypes => ['thread']),
	    're: The deploy of the gateway failed; rollback', 'its title');
	my ($hit) = finds($ann, 'train');
	is($hit->{entityId}, $dev, 'channels by any word of their name');
	is($hit->{title}, 'release-train', 'which it tells');
	is(titles($ann, '#Rel'), 'release-train', 'as it begins');
	is(join('|', sort { $a cmp $b } map { $_->{title} }
	    finds($ann, 'peer')), 'peer-a|peer-b', 'members');
	asks($ann, 'remember', content => 'The gateway has two replicas',
	    tags => []);
	($hit) = finds($ann, 'replicas');
	is($hit->{kind}, 'memory', 'what was remembered');
	is(titles($ann, 'gateway', entityTypes => ['memory']),
	    'The gateway has two replicas', 'alone');
	my $r = $ann->request({ type => 'search', query => 'x',
	    entityTypes => ['nothing'] });
	is($r->{code}, 'malformed', 'no other');
	like($r->{message}, qr/entityTypes\[0\].*member/, 'as it says');
	is(join(' ', map { $_->{kind} } finds($ann, 'rollback',
	    channel => $thread)), 'message', 'in a thread alone');
	is(scalar(finds($ann, 'rollback', channel => '#release-train')), 2,
	    'or in a channel, with what begins there');
};

subtest 'what changes' => sub {
	my $m = says($ann, $dev, 'zebra crossing')->{messageId};
	is(titles($bob, 'zebra'), 'zebra crossing', 'is found');
	asks($ann, 'edit_post', messageId => $m, text => 'giraffe crossing');
	is(titles($bob, 'zebra'), '', 'not by what it said');
	is(titles($bob, 'giraffe'), 'giraffe crossing', 'but says');
	my $t = asks($ann, 'create_thread', channel => $dev,
	    messageId => $m)->{channelId};
	is(scalar(finds($bob, 'giraffe')), 2, 'with its thread');
	asks($ann, 'redact_post', messageId => $m);
	is(titles($bob, 'giraffe'), '', 'and taken back not at all');
	my $c = asks($ann, 'create_channel', name => 'shortlived')
	    ->{channelId};
	says($ann, $c, 'ephemeral words');
	is(scalar(finds($bob, 'ephemeral')), 1, 'it is there');
	asks($ann, 'delete_channel', channel => $c);
	is(titles($bob, 'ephemeral'), '', 'while its channel is');
	is(titles($bob, 'shortlived'), '', 'which has no name then');
};

# All pages of a search: the answers.
sub pages {
	my ($p, $query, %o) = @_;
	my (@pages, $next);
	do {
		my $r = asks($p, 'search', query => $query, %o,
		    $next ? (after => $next) : ());
		push @pages, $r;
		$next = $r->{next};
	} while ($next && @pages < 100);
	return @pages;
}
sub ids { return map { $_->{entityId} } map { @{ $_->{hits} } } @_ }

subtest 'pages' => sub {
	my $c = asks($ann, 'create_channel', name => 'many')->{channelId};
	my %want;
	$ann->post(type => 'post', channel => $c, text => "walrus $_"
	    . ($_ % 3 ? '' : ' walrus')) for 1 .. 450;
	$want{ $ann->wait_for('posted')->{messageId} } = 1 for 1 .. 450;
	my @pages = pages($bob, 'walrus', limit => 30);
	my @ids = ids(@pages);
	is(scalar @ids, 450, 'all');
	is(scalar(keys %{ { map { $_ => 1 } @ids } }), 450, 'each once');
	is(scalar(grep { !$want{$_} } @ids), 0, 'and no other');
	my @best = map { $_->{score} } @{ $pages[0]{hits} };
	is_deeply(\@best, [sort { $b <=> $a } @best], 'the best first');
	like($pages[0]{hits}[0]{title}, qr/ walrus$/, 'who says it twice');
	says($ann, $c, 'walrus anew') for 1 .. 3;
	my $r = asks($bob, 'search', query => 'walrus', limit => 30,
	    after => $pages[0]{next});
	my %first = map { $_ => 1 } ids($pages[0]);
	is(scalar(grep { $first{$_} } ids($r)), 0,
	    'what is said meanwhile repeats nothing');
	for my $after ('x', '1', '1.2.3', '.....', $pages[0]{next} . '0',
	    '1.1.-2.1.1.' . '0' x 32, '9' x 30, "99999999999999999.1.1.1.1."
	    . '0' x 32) {
		my $e = $bob->request({ type => 'search', query => 'walrus',
		    after => $after });
		is($e->{code}, 'malformed', "no place: $after");
	}
};

subtest 'the wall' => sub {
	my $c = asks($ann, 'create_channel', name => 'secret-santa',
	    topic => 'platypus', private => \1)->{channelId};
	my $m = says($ann, $c, "platypus gift $_") for 1 .. 5;
	$m = says($ann, $c, 'platypus thread')->{messageId};
	my $t = asks($ann, 'create_thread', channel => $c, messageId => $m)
	    ->{channelId};
	says($ann, $t, 'platypus answer');
	my $open = asks($ann, 'create_thread', channel => $dev,
	    messageId => $said->{messageId}, private => \1)->{channelId};
	says($ann, $open, 'platypus aside');
	is(scalar(finds($ann, 'platypus')), 9, 'who is in it finds all');
	is(titles($ann, 'santa'), 'secret-santa', 'and it');
	is(suggests($ann, 'secr'), 'channel secret-santa', 'by its beginning');
	# Nothing differs from what was never said: no find, no cursor.
	for my $q ('platypus', 'platypus -aside', 'platypus or aside',
	    '"platypus gift"', 'santa', 'secret', '#secret-santa') {
		my @pages = pages($bob, $q, limit => 1);
		delete @{$_}{qw(id _reqId)} for @pages;
		is_deeply(\@pages, [{ type => 'search_results', query => $q,
		    hits => [] }], "nobody else, by $q");
		is(suggests($bob, $q), '', "nor is told of it, by $q");
	}
	is(suggests($bob, 'platypus'), '', 'nor of its threads');
	for my $which ($c, '#secret-santa', $t, $open) {
		my $r = $bob->request({ type => 'search', query => 'platypus',
		    channel => $which });
		is($r->{code}, 'not_found', 'nor looks there');
		my $n = $bob->request({ type => 'search', query => 'platypus',
		    channel => 'f' x length $which });
		(my $text = $r->{message}) =~ s/\Q$which\E//g;
		$n->{message} =~ s/f{4,}//g;
		is($text, $n->{message}, 'which might as well not be');
	}
	# A cursor of who may see takes nobody further.
	my $next = asks($ann, 'search', query => 'platypus', limit => 2)
	    ->{next};
	is_deeply([finds($bob, 'platypus', after => $next)], [],
	    'by any way');
	asks($ann, 'add_channel_member', channel => $c,
	    member => $bob->member_key);
	is(scalar(finds($bob, 'platypus')), 8, 'who is let in finds it');
	is(suggests($bob, 'secr'), 'channel secret-santa', 'and it');
	asks($ann, 'remove_channel_member', channel => $c,
	    member => $bob->member_key);
	is(titles($bob, 'platypus'), '', 'no longer than that');
	is(titles($bob, 'santa'), '', 'in the same moment');
};

subtest 'over HTTP' => sub {
	my $all = token($ann);
	my $r = get('/v1/search?q=deploy&entityTypes=message,actor&limit=1',
	    $all)->{json};
	is($r->{query}, 'deploy', 'the same');
	my ($hit) = @{ $r->{hits} };
	is($hit->{entityType}, 'message', 'as message-layer tells it');
	is($hit->{sourceStreamId}, $dev, 'where');
	is($hit->{sourceStreamType}, 'channel', 'in what');
	is($hit->{sourceVisibility}, 'public', 'for whom');
	like($hit->{documentId}, qr/^[0-9a-f]{32}$/, 'an id');
	ok($hit->{metadata}{actorId} && $hit->{metadata}{streamSeq}, 'more');
	like($hit->{score}, qr/^\d+\.\d+$/, 'a number');
	ok(!exists $hit->{kind} && !exists $hit->{channelId}, 'no more');
	ok(get("/v1/search?q=deploy&entityTypes=message&limit=1&after="
	    . $r->{next}, $all)->{json}{hits}[0], 'the next page');
	is(get('/v1/search?q=peer-a', $all)->{json}{hits}[0]{entityType},
	    'actor', 'members are actors');
	is(get($_, $all)->{status}, 400, $_) for '/v1/search', '/v1/search?q=',
	    '/v1/search?q=x&limit=0', '/v1/search?q=x&limit=101',
	    '/v1/search?q=x&entityTypes=x', '/v1/search/suggest',
	    '/v1/search/suggest?q=x&limit=21';
	is(get('/v1/search?q=x&streamId=nowhere', $all)->{status}, 404,
	    'a channel that is not there');
	$r = get('/v1/search/suggest?q=re', $all)->{json};
	is_deeply([map { "$_->{entityType} $_->{label}" }
	    @{ $r->{suggestions} }], ['channel release-train'], 'suggestions');
	my $few = token($ann, 'channels:read');
	is_deeply([map { $_->{entityType} } @{ get(
	    '/v1/search?q=peer-a%20or%20replicas', $few)->{json}{hits} }], [],
	    'members and memory need permissions of their own');
	is(get('/v1/search/suggest?q=peer', $few)->{json}{suggestions}[0],
	    undef, 'also to be suggested');
	is(get('/v1/search?q=x', token($ann, 'memory:read'))->{status}, 403,
	    'as all of it does');
};

subtest 'odd text' => sub {
	my $r = asks($ann, 'post', channel => $dev, parts => [{ type => 'text',
	    payload => { text => "nul\0nought" } }]);
	ok($r->{messageId}, 'a NUL is no obstacle');
	is(scalar(finds($ann, 'nought')), 1, 'to be found behind it');
	ok(says($ann, $dev, join ' ', map { "w$_" } 1 .. 60_000)->{seq},
	    'nor are many words');
	is(scalar(finds($ann, 'w17')), 1, 'of which the first ones are found');
	for my $q ('"', "'", '\\', '%', '_', ':*', '!', '& |', '()', '<->',
	    "a' | 'b", 'x' x 1024, ('- ' x 40), "\x{10ffff}", "\x{1f980}",
	    "o'clock", 'a|b c&d') {
		is($ann->request({ type => $_, query => $q })->{type},
		    $_ eq 'search' ? 'search_results' : 'suggestions',
		    "$_ by " . sprintf "%vd", substr $q, 0, 8) for 'search', 'suggest';
	}
	says($ann, $dev, "meet at five o'clock sharp");
	is(scalar(finds($ann, "o'clock")), 1, 'an apostrophe');
	says($ann, $dev, 'well-known half-baked');
	is(scalar(finds($ann, 'well-known')), 1, 'a hyphen');
};

subtest 'of what kind' => sub {
	$pg->psql("update member set role = 'owner' where id =
	    '$seed->{peerA}{memberId}'");
	my $boss = $broker->peer($seed->{peerA});
	my $z = asks($boss, 'create_member', name => 'Zora Quill', kind =>
	    'human');
	says($ann, $dev, "quill $_") for 1 .. 30;
	my @all = finds($ann, 'quill', limit => 100);
	is(scalar @all, 31, 'a member and what was said');
	is_deeply({ map { $_->{kind} => $_->{actorType} } @all },
	    { member => 'human', message => 'agent' }, 'each by whom');
	is_deeply([map { $_->{entityId} } finds($ann, 'quill', actorType =>
	    'human', limit => 1)], [$z->{memberId}], 'only of one kind');
	is(scalar finds($ann, 'quill', actorType => 'agent', limit => 100), 30,
	    'or of the other');
	is(scalar finds($ann, 'quill', actorType => 'app'), 0, 'of none');
	my ($n, $after) = (0);
	do {
		my $r = asks($ann, 'search', query => 'quill', limit => 7,
		    actorType => 'agent', $after ? (after => $after) : ());
		$n += @{ $r->{hits} };
		$after = $r->{next};
	} while ($after);
	is($n, 30, 'page by page');
	is_deeply([map { [@$_{qw(label actorType)}] } @{ asks($ann, 'suggest',
	    query => 'zor')->{suggestions} }], [['Zora Quill', 'human']],
	    'in suggestions');
	is(asks($ann, 'suggest', query => 'release')->{suggestions}[0]
	    {actorType}, undef, 'a channel is of no kind');
};

# The newest are found however many there are and wherever they are: as often as
# a word is, and as it comes and goes, more or less is read at once.
subtest 'in a long journal' => sub {
	my $lines = 100_000;
	my ($mesh, $channel) = map { sprintf '%08x-0000-7000-8000-%012x', $_, $_ }
	    0xfeed, 0xf00d;
	my $sql = sub {
		my ($status, $out, $err) = $pg->psql(@_);
		is($err, '', 'no error') if $status != 0;
		return $out;
	};
	$sql->("insert into mesh (id, slug, name, owner_key, root_key)
	    values ('$mesh', 'long', 'long', '', '');
	    update journal set n = $lines where mesh_id = '$mesh';
	    insert into channel (id, mesh_id, name, name_folded, private,
	    member_id, by_name, created_at) values ('$channel', '$mesh', 'long',
	    'long', false, '$channel', '', now());
	    alter table post disable trigger post_words;
	    insert into post (id, mesh_id, channel_id, seq, member_id, by_name,
	    fingerprint, parts, created_at, place, search, terms)
	    select lpad(to_hex(i), 32, '0')::uuid, '$mesh', '$channel', i,
	    '$channel', '', '', '[]', now(), i, w, search_terms('$mesh',
	    '$channel', '$mesh', i, w)
	    from generate_series(1, $lines) i, lateral (select
		to_tsvector('english', concat_ws(' ', 'every',
		case when i % 40 = 0 then 'often' end,
		case when i % 311 = 0 then 'seldom' end,
		case when i % 7919 = 0 then 'rare' end,
		case when i < 60000 then 'once' end,
		case when i between 70000 and 70300 then 'burst' end,
		case when i between 20000 and 60000 and i % 20 = 0
		    then 'gone' end,
		case when i < 9 then 'first' end)) w) t;
	    alter table post enable trigger post_words;
	    analyze post");
	my $bad = 0;
	for my $word (qw(every often seldom rare once burst gone first none),
	    'often seldom', 'gone once', 'rare or burst', 'once -gone') {
		my $q = "memory_query('english', '$word')";
		for my $below ('9223372036854775807', 90_001, 65_000) {
			# As pages go on, until there are enough.
			my ($got, $from, $n) = ('', $below, 0);
			while ($from > 0 && $n < 50) {
				my ($k, $ends, $places) = split /\|/, $sql->(
				    "select cardinality(l.finds), l.ends,
				    (select string_agg(f.place::text, ' '
					order by f.place desc)
				    from unnest(l.finds) f)
				    from search_sets($q, array['$mesh'::uuid]) s,
				    search_latest(false, '$mesh', $q, s.one, s.two,
				    '{}', $from, null, 0, 1024, 50) l");
				chomp $places;
				$got .= " $places" if $places ne '';
				$n += $k;
				last if ($from = $ends) < 0;
			}
			my $want = $sql->("select string_agg(place::text, ' '
			    order by place desc) from (select place from post
			    where mesh_id = '$mesh' and place < $below
			    and search @@ $q order by place desc limit $n) t");
			chomp $want;
			$bad++, diag("$word below $below: $got, not $want")
			    if $got ne ($n > 0 ? " $want" : '') ||
			    $n < 50 && $want ne '' && $n < $sql->("select
			    count(*) from post where mesh_id = '$mesh'
			    and place < $below and search @@ $q");
		}
	}
	is($bad, 0, 'the newest, and all of them');
};

is($broker->stop, 0, 'stops');

done_testing;
