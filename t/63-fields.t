#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Every field of every request: missing, null, of a wrong type, empty, too
# long, out of range, with control and bidirectional characters, with half a
# surrogate pair, and twice.  Each gets an answer that names the field, and the
# session lives on.  The fields come from the table of operations; a new
# operation needs a row of %good.
use strict;
use warnings;
use Cpanel::JSON::XS ();
use Linnet;
use POSIX 'strftime';
use Test::More;
use Time::HiRes 'time';

my $broker = Linnet->broker(workers => 2, options => ['limit.hello 1m',
    'rate.refused 0']);
my $seed = $broker->seed;
# Who may do everything.
$broker->psql("update member set role = 'owner'
    where id = '$seed->{peerA}{memberId}'");
my $json = Cpanel::JSON::XS->new->canonical->allow_nonref;
my $other = $broker->peer($seed->{peerB}, name => 'other', session_key => 1);
my $id = '0' x 31 . '1';
my $channels = 0;
$other->request({ type => 'create_channel', name => 'there' });
$other->request({ type => 'post', channel => 'there', text => "wombat $_" })
    for 1 .. 2;
my $place = $other->request({ type => 'search', query => 'wombat',
    limit => 1 })->{next};

# What is asked when nothing is wrong with it.
my $stamp = int(time * 1000);
my %good = (
	hello => sub { (Linnet::Peer::hello($seed->{peerA}, session_key => 1,
	    timestamp => $stamp++, groups => ['g:r']))[0] },
	session_hello => sub { (Linnet::Peer::hello($seed->{peerA},
	    attest => 1, timestamp => $stamp++, groups => ['g:r']))[0] },
	send => sub { { targetSpec => 'other', priority => 'low', nonce => '',
	    ciphertext => 'eA==' } },
	client_ack => sub { { messageId => $id, brokerMessageId => $id } },
	pull => sub { { limit => 1 } },
	mcp_session => sub { { action => 'find', sessionId => $id } },
	read_messages => sub { { limit => 1 } },
	message_status => sub { { messageId => $id } },
	schedule => sub { { to => 'other', message => 'x',
	    deliverAt => int(time * 1000) + 3600_000 } },
	list_scheduled => sub { {} },
	cancel_scheduled => sub { { scheduledId => $id } },
	list_peers => sub { {} },
	set_status => sub { { status => 'idle' } },
	set_summary => sub { { summary => 'x' } },
	set_visible => sub { { visible => Cpanel::JSON::XS::true } },
	set_profile => sub { { title => 'x', capabilities => ['y'] } },
	set_stats => sub { { stats => { errors => 1 } } },
	join_group => sub { { name => 'g', role => 'r' } },
	leave_group => sub { { name => 'g' } },
	set_state => sub { { key => 'k', value => 1 } },
	get_state => sub { { key => 'k' } },
	list_state => sub { { prefix => 'k', limit => 1, after => 'a' } },
	delete_state => sub { { key => 'k', ifVersion => 1 } },
	watch_state => sub { { prefix => 'k' } },
	unwatch_state => sub { { prefix => 'k' } },
	remember => sub { { content => 'x', tags => ['t'],
	    language => 'simple' } },
	recall => sub { { query => 'x', tags => ['t'], by => 'x', limit => 1,
	    language => 'simple', after => "1.$id" } },
	forget => sub { { memoryId => $id } },
	restore => sub { { memoryId => $id } },
	list_memories => sub { { tags => ['t'], by => 'x', limit => 1,
	    after => "0.$id", forgotten => Cpanel::JSON::XS::true } },
	search => sub { { query => 'x', entityTypes => ['member'],
	    actorType => 'human',
	    channel => 'there', limit => 1, after => $place } },
	suggest => sub { { query => 'x', limit => 1 } },
	list_memory_units => sub { { channel => 'there', limit => 1,
	    promoted => Cpanel::JSON::XS::true, after => $id } },
	search_memory_units => sub { { query => 'x', channel => 'there',
	    limit => 1, after => $place } },
	get_memory_unit => sub { { memoryId => $id } },
	promote_memory_unit => sub { { memoryId => $id, summary => 'x' } },
	share_file => sub { { name => 'x', size => 1, tags => ['t'],
	    mimeType => 'text/plain', sha256 => 'f' x 64 } },
	get_file => sub { { fileId => $id } },
	list_files => sub { { query => 'x', from => 'x', tags => ['t'],
	    limit => 1, after => $id } },
	file_status => sub { { fileId => $id } },
	delete_file => sub { { fileId => $id } },
	audit_rows => sub { { actorId => $id, limit => 1, before => 1,
	    after => 0 } },
	audit_verify => sub { {} },
	mesh_info => sub { {} },
	list_skills => sub { { query => 'x' } },
	get_skill => sub { { name => 'x' } },
	create_token => sub { { name => 'x', scopes => ['state:read'],
	    expiresAt => strftime('%FT%TZ', gmtime time + 3600) } },
	list_tokens => sub { { target => 'other', limit => 1,
	    after => $id } },
	revoke_token => sub { { tokenId => $id } },
	register_artifact => sub { { channel => 'there', filename => 'x',
	    contentType => 'text/plain', contentBase64 => 'eA==',
	    sha256 => '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717'
	    . '921a4881' } },
	get_artifact => sub { { artifactId => $id } },
	list_artifacts => sub { { channel => 'there', includeDeleted =>
	    Cpanel::JSON::XS::true, after => $id, limit => 1 } },
	delete_artifact => sub { { artifactId => $id, reason => 'x' } },
	create_channel => sub { { name => 'c' . ++$channels, topic => 'x',
	    private => Cpanel::JSON::XS::false } },
	create_thread => sub { { channel => 'there', messageId => $id,
	    private => Cpanel::JSON::XS::false } },
	delete_channel => sub { { channel => $id } },
	post => sub { { channel => 'there', replyToId => $id,
	    client_message_id => 'p' . ++$channels,
	    autoRequestOnDeny => Cpanel::JSON::XS::true,
	    parts => [{ type => 'text', payload => { text => 'x' } }] } },
	edit_post => sub { { messageId => $id,
	    parts => [{ type => 'text', payload => { text => 'x' } }] } },
	redact_post => sub { { messageId => $id, reason => 'x' } },
	react => sub { { messageId => $id, reaction => 'x',
	    remove => Cpanel::JSON::XS::false } },
	read_channel => sub { { channel => 'there', after => 0,
	    limit => 1 } },
	list_channels => sub { { joined => Cpanel::JSON::XS::true, limit => 1,
	    after => "$id x" } },
	list_threads => sub { { channel => 'there', limit => 1,
	    after => $id } },
	join_channel => sub { { channel => 'there' } },
	leave_channel => sub { { channel => 'there' } },
	add_channel_member => sub { { channel => 'there', member => 'nobody',
	    role => 'member' } },
	remove_channel_member => sub { { channel => 'there',
	    member => 'nobody' } },
	list_channel_members => sub { { channel => 'there', limit => 1,
	    after => "$id x" } },
	mark_read => sub { { channel => 'there', seq => 0, acked => 0,
	    back => Cpanel::JSON::XS::true } },
	read_cursor => sub { { channel => 'there' } },
	create_member => sub { { name => 'm' . ++$channels, kind => 'app',
	    role => 'member', scopes => ['state:read'],
	    expiresAt => strftime('%FT%TZ', gmtime time + 3600) } },
	list_members => sub { { limit => 1, after => $id } },
	set_role => sub { { member => 'nobody', role => 'member' } },
	remove_member => sub { { member => 'nobody' } },
	follow_channel => sub { { channel => 'there', after => 0,
	    afterEvent => 'f' x 32 } },
	unfollow_channel => sub { { channel => 'there' } },
	create_grant => sub { { member => 'other', capability => 'x:y',
	    resourceType => 'org', resourceId => $seed->{meshId},
	    maxUses => 1, constraints => {},
	    expiresAt => strftime('%FT%TZ', gmtime time + 3600) } },
	revoke_grant => sub { { grantId => $id, reason => 'x' } },
	revoke_grants => sub { { member => 'other', reason => 'x' } },
	list_grants => sub { { member => 'other', limit => 1,
	    after => "$id x" } },
	check_grant => sub { { capability => 'x:y', member => 'other',
	    resourceType => 'org', resourceId => $id } },
	request_permission => sub { { action => 'x:y', resourceType => 'org',
	    resourceId => $seed->{meshId}, context => {},
	    idempotencyKey => 'x' } },
	list_permission_requests => sub { { member => 'other', limit => 1,
	    after => $id } },
	get_permission_request => sub { { requestId => $id } },
	resolve_permission => sub { { requestId => $id, notes => 'x',
	    approve => Cpanel::JSON::XS::true, maxUses => 1,
	    expiresAt => strftime('%FT%TZ', gmtime time + 3600) } },
	register_command => sub { { name => 'c' . ++$channels,
	    description => 'x', argsSchema => {}, channel => 'there' } },
	list_commands => sub { { channel => 'there', limit => 1,
	    after => "$id x" } },
	delete_command => sub { { commandId => $id } },
	follow_mesh => sub { { after => '0' } },
	channel_events => sub { { channel => 'there', fromSeq => 0, after => '0',
	    limit => 1 } },
	mesh_events => sub { { after => '0', limit => 1 } },
	create_webhook => sub { { endpoint => 'https://a.example/', eventTypes =>
	    ['x'], streamId => $id, secret => 'x' x 20 } },
	list_webhooks => sub { {
	    includeDisabled => Cpanel::JSON::XS::true, limit => 1,
	    before => $id } },
	set_webhook => sub { { subscriptionId => $id, enabled =>
	    Cpanel::JSON::XS::true, skip => Cpanel::JSON::XS::false } },
	delete_webhook => sub { { subscriptionId => $id } },
	list_webhook_deliveries => sub { { subscriptionId => $id, limit => 1,
	    state => 'dead', before => $id } },
	retry_webhook_delivery => sub { { deliveryId => $id } },
	create_durable_stream => sub { { targetStreamId => $id,
	    targetStreamType => 'channel', contentType => 'text/plain',
	    metadata => {}, ttlSeconds => 60, storage => 'files' } },
	get_durable_stream => sub { { durableStreamId => $id } },
	list_durable_streams => sub { { limit => 1, before => $id } },
	append_durable_chunks => sub { { durableStreamId => $id,
	    chunks => [{ text => 'x' }] } },
	read_durable_stream => sub { { durableStreamId => $id, offset => 0,
	    limit => 1 } },
	close_durable_stream => sub { { durableStreamId => $id,
	    reason => 'x' } },
	commit_durable_stream => sub { { durableStreamId => $id,
	    idempotencyKey => 'x' } },
	delete_durable_stream => sub { { durableStreamId => $id } },
	set_durable_checkpoint => sub { { durableStreamId => $id,
	    consumer => 'x', offset => 0 } },
	list_durable_checkpoints => sub { { durableStreamId => $id,
	    consumer => 'x' } },
	kick => sub { { target => 'nobody' } },
	disconnect => sub { { target => 'nobody' } },
	ban => sub { { target => 'nobody' } },
	unban => sub { { target => 'nobody' } },
	list_bans => sub { {} },
	block => sub { { target => 'nobody', what => ['dm'] } },
	unblock => sub { { target => 'nobody', what => ['dm'] } },
	list_blocks => sub { {} },
);

# One of several must be there, and it is this one in the row above.
my %one_of = map { $_ => 1 } 'post parts', 'edit_post parts',
    'kick target', 'disconnect target',
    'schedule message', 'schedule deliverAt';

my ($st, $table) = Linnet::run([$broker->program('linnet-dump'), 'FIELDS']);
is($st, 0, 'the table of fields');
my (@ops, %fields);
for (split /\n/, $table) {
	my ($op, $path, $type, $min, $max, $required, $names)
	    = split /\t/, $_, -1;
	if (!defined $path) {
		push @ops, $op;
		next;
	}
	push @{ $fields{$op} }, { path => $path, type => $type, min => $min,
	    max => $max, required => $required, names => $names };
}

# JSON as it is written here.
sub raw { return \$_[0] }
sub text { return ref $_[0] eq 'SCALAR' ? ${ $_[0] } : $json->encode($_[0]) }

# The values that a type refuses: [what it is, value, code].
my @any = (['a number', 5], ['true', Cpanel::JSON::XS::true], ['an array', []],
    ['an object', {}], ['a text', 'x']);
my %takes = (
	str => qr/text/, name => qr/text/, int => qr/number/, bool => qr/true/,
	strs => qr/array/, target => qr/text/, rows => qr/array/,
	row => qr/object/, json => qr/./,
);
my %inside = (
	strs => [['a number in it', [5]], ['an array in it', [['x']]]],
	target => [['a number in it', [5]], ['an object in it', [{}]]],
	rows => [['a number in it', [5]], ['a text in it', ['x']]],
	enum => [['another word', 'no such word'], ['an empty text', '']],
	key => [['not hex', 'x' x 64], ['half', 'ab' x 16]],
	sig => [['not hex', 'x' x 128], ['half', 'ab' x 32]],
	id => [['not hex', 'x' x 32], ['too long', '0' x 33], ['empty', '']],
	int => [['a fraction', raw('1.5')], ['a huge number', raw('1e300')],
	    ['a number of 400 digits', raw('9' x 400)]],
	name => [['a control character', "a\x01b"], ['a new line', "a\nb"],
	    ['a turn of direction', "a\x{202e}b"],
	    ['an invisible one', "a\x{200b}b"], ['a space before', ' a']],
	time => [['no time', 'yesterday'], ['an empty text', '']],
);

sub refused {
	my ($f) = @_;
	my $type = $f->{type};
	my $takes = $takes{$type} // qr/(?!)/;
	my @bad = map { [@$_, 'malformed'] }
	    (grep { $_->[0] !~ $takes } @any), @{ $inside{$type} || [] };
	push @bad, ['an array', [], 'malformed'] if $type eq 'target';
	push @bad, ['half a surrogate pair', raw('"\ud800x"'), 'malformed'],
	    ['the other half', raw('"x\udc00"'), 'malformed'],
	    ['NUL', "a\0b", 'malformed']
	    if $type =~ /^(?:str|name|target)$/;
	push @bad, ['too long', 'x' x ($f->{max} + 1), 'too_big']
	    if $type =~ /^(?:str|name)$/ && $f->{max} < 500_000;
	push @bad, ['an empty text', '', 'malformed']
	    if $type =~ /^(?:str|name)$/ && $f->{min} > 0;
	push @bad, ['too many', [('x') x ($f->{max} + 1)], 'too_big'],
	    ['a long one', ['x' x 5000], 'too_big']
	    if $type eq 'strs' || $type eq 'target';
	push @bad, ['too many', [({ name => 'x' }) x ($f->{max} + 1)],
	    'too_big'] if $type eq 'rows';
	push @bad, ['too small', $f->{min} - 1, 'malformed']
	    if $type eq 'int' && $f->{min} > -2 ** 53;
	push @bad, ['too great', $f->{max} + 1, 'malformed']
	    if $type eq 'int' && $f->{max} < 2 ** 53;
	return @bad;
}

# The request with one field put as text, or left out; groups[].name is the
# name in the first of the groups.
sub with {
	my ($m, $path, $text, $twice) = @_;
	my ($head, $rest) = $path =~ /^(\w+)(?:\[\])?(?:\.(.+))?$/;
	my %parts = map { $_ => text($m->{$_}) } keys %$m;
	if (defined $rest) {
		my $in = $m->{$head};
		my $row = ref $in eq 'ARRAY' ? $in->[0] : $in;
		$text = with($row || {}, $rest, $text, $twice);
		$text = "[$text]" if $path =~ /^\w+\[\]/;
		$twice = 0;
	}
	delete $parts{$head};
	my @all = map { $json->encode($_) . ":$parts{$_}" } sort keys %parts;
	push @all, ($json->encode($head) . ":$text") x ($twice ? 2 : 1)
	    if defined $text;
	return '{' . join(',', @all) . '}';
}

my ($peer, $asked) = (undef, 0);

# Asks and returns the answer; handshakes have a connection each.
sub ask {
	my ($op, $text, $is_hello) = @_;
	my $ws = $is_hello ? $broker->ws : do {
		$peer = $broker->peer($seed->{peerA}, name => 'bad',
		    session_key => 1, timestamp => $stamp++)
		    if !$peer || $peer->ws->closed;
		$peer->ws
	};
	my $req = 'q' . ++$asked;
	$text =~ s/^\{/{"type":"$op","_reqId":"$req",/;
	$text =~ s/,\}$/}/;
	$ws->send_text($text);
	my $r = $ws->wait_for($is_hello
	    ? sub { ($_->{type} // '') =~ /^(?:hello_ack|error)$/ }
	    : sub { ($_->{_reqId} // '') eq $req || ($_->{type} // '') eq 'error'
		&& !defined $_->{_reqId} });
	$ws->drop if $is_hello;
	return $r;
}

for my $op (@ops) {
	my $make = $good{$op};
	ok($make, "$op has a row here") or next;
	my $is_hello = $op =~ /hello$/;
	my $good = sub {
		my %m = %{ $make->() };
		delete $m{type};
		return \%m;
	};
	my $r = ask($op, with($good->(), 'none', undef), $is_hello);
	isnt($r && $r->{code} // '', 'malformed', "$op: as it should be")
	    or diag($json->encode($r));
	for my $f (@{ $fields{$op} || [] }) {
		my ($last) = $f->{path} =~ /(\w+)$/;
		my $check = sub {
			my ($what, $code, $value, $twice) = @_;
			my $name = "$op: $f->{path}: $what";
			my $r = ask($op,
			    with($good->(), $f->{path}, $value, $twice),
			    $is_hello);
			return fail("$name: an answer") if !$r;
			if (!$code) {
				isnt($r->{code} // '', 'malformed', $name)
				    or diag($json->encode($r));
				return;
			}
			is($r->{code} // $r->{type}, $code, $name)
			    or return diag($json->encode($r));
			like($r->{message}, qr/\b\Q$last\E\b/,
			    "$name: says which") if $what !~ /surrogate|half/;
			return;
		};
		my $need = ($f->{required} || $one_of{"$op $f->{path}"})
		    && 'malformed';
		$check->('missing', $need, undef);
		$check->('null', $need, 'null') if $f->{type} ne 'json';
		$check->('twice', 'malformed',
		    text($good->()->{$last} // 'x'), 1)
		    if $f->{path} eq $last && $f->{type} !~ /^(?:rows|row)$/;
		$check->($_->[0], $_->[2], text($_->[1])) for refused($f);
	}
}
is($other->request({ type => 'list_peers' })->{type}, 'peers_list',
    'after all of them others are served');
is($broker->stop, 0, 'stops');
done_testing;
