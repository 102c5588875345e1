#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Bad input to every route, made from the document that the server serves: each
# parameter and each member missing, null, of wrong types, empty, too long, out
# of range, no id, no time, with NUL, with half a character, twice; bodies that
# are no object or no JSON; credentials of all bad kinds; ids of nobody and of
# another mesh; other methods.  Each is refused with the right status, as a
# problem that names the member and says what to do, and the server goes on.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Linnet qw(scratch);
use Linnet::OpenAPI;
use Test::More;
use Time::HiRes 'time';

my $json = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;
my $unknown = '0' x 31 . '1';
my $key = 'k' x 40;
my $key_file = scratch() . '/key';
open my $fh, '>', $key_file or die "$key_file: $!";
print $fh "$key\n";
close $fh or die "$key_file: $!";
chmod 0600, $key_file;
my $broker = Linnet->broker(workers => 2, options => ['rate.requests 0',
    'rate.refused 0', 'rate.member 0', 'limit.tokens 100',
    "platform.key_file $key_file"]);

# A mesh in which one member may do everything, with a thing of each kind.
sub mesh {
	my $s = $broker->seed;
	$broker->psql("update member set role = 'owner'
	    where id = '$s->{peerA}{memberId}'");
	my $peer = $broker->peer($s->{peerA}, name => 'private-owner');
	my $m = { seed => $s, peer => $peer };
	my $token = sub { return $peer->request({ type => 'create_token',
	    name => $_[0] }) };
	$m->{token} = $token->('good')->{token};
	my $over = $token->('over');
	my $gone = $token->('gone');
	$broker->psql("update token set expires_at = now() - interval '1 h'
	    where id = '$over->{tokenId}'");
	$peer->request({ type => 'revoke_token',
	    tokenId => $gone->{tokenId} });
	$m->{over} = $over->{token};
	$m->{gone} = $gone->{token};
	my $channel = $peer->request({ type => 'create_channel',
	    name => 'private-channel', private => Cpanel::JSON::XS::true });
	my $post = $peer->request({ type => 'post', channel => 'private-channel',
	    client_message_id => 'x', parts => [{ type => 'text',
	    payload => { text => 'private-text' } }] });
	my $file = $broker->http(POST => '/v1/files?name=private-file',
	    { Authorization => "Bearer $m->{token}" }, 'private-bytes');
	$m->{ids} = {
		fileId => $file->{json}{fileId},
		artifactId => $file->{json}{fileId},
		messageId => $post->{messageId},
		memberId => $s->{peerA}{memberId},
		actorId => $s->{peerA}{memberId},
		orgId => $s->{meshId},
		tokenId => $gone->{tokenId},
		map { $_ => $channel->{channelId} // $channel->{channel} }
		    qw(channelId streamId channel),
	};
	return $m;
}
my ($mine, $other) = (mesh(), mesh());

my $served = $broker->http(GET => '/openapi.json');
is($served->{status}, 200, 'the document is served');
my $document = $served->{json};
is_deeply($document, Linnet::OpenAPI::document(),
    'and is what linnet-dump prints');
my $etag = $served->{headers}{etag};
is($broker->http(GET => '/openapi.json', { 'If-None-Match' => $etag })
    ->{status}, 304, 'its tag is known');
is($broker->http(GET => '/openapi.json', { 'If-None-Match' => '"x"' })
    ->{status}, 200, 'another is not');
is($broker->http(HEAD => '/openapi.json')->{body}, '', 'HEAD');

#
# Values.
#
sub resolve { return Linnet::OpenAPI::resolve($_[0]) }

sub types {
	my ($s) = @_;
	return map { types(resolve($_)) } @{ $s->{anyOf} } if $s->{anyOf};
	return ref $s->{type} ? @{ $s->{type} } : $s->{type} // ();
}

# One that is right.
sub good {
	my ($schema) = @_;
	my $s = resolve($schema);
	return good($s->{anyOf}[0]) if $s->{anyOf};
	return $s->{enum}[0] if $s->{enum};
	my ($type) = types($s);
	return { x => 1 } if !defined $type;
	if ($type eq 'integer') {
		my ($min, $max) = ($s->{minimum} // 0, $s->{maximum} // 1);
		return $min <= 1 && $max >= 1 ? 1 : $min;
	}
	return Cpanel::JSON::XS::true if $type eq 'boolean';
	return [map { good($s->{items}) } 1 .. ($s->{minItems} // 0)]
	    if $type eq 'array';
	return { map { $_ => good($s->{properties}{$_}) }
	    @{ $s->{required} || [] } } if $type eq 'object';
	return $unknown x ($1 / 32)
	    if ($s->{pattern} // '') =~ /\{(32|64|128)\}/;
	return '2099-01-01T00:00:00Z' if ($s->{format} // '') eq 'date-time';
	# A limit of bytes may be four times that of characters.
	my $n = 4 * ($s->{minLength} // 1) || 1;
	$n = $s->{maxLength} if defined $s->{maxLength} && $n > $s->{maxLength};
	return 'x' x ($n > 4 ? $n : 1);
}

# What a schema refuses, as JSON: [what it is, text, whether it is no JSON, the
# member of it that is wrong].
sub wrong {
	my ($schema, $deep) = @_;
	my $s = resolve($schema);
	my %is = map { $_ => 1 } types($s);
	return () if !%is;
	my @bad;
	push @bad, ['null', 'null'] if !$is{null};
	push @bad, ['a number', '5'] if !$is{integer};
	push @bad, ['true', 'true'] if !$is{boolean};
	push @bad, ['an array', '[]']
	    if !$is{array} || ($s->{minItems} // 0) > 0;
	push @bad, ['an object', '{}'] if !$is{object};
	push @bad, ['a text', '"x y"'] if !$is{string};
	return @bad if $deep > 2;
	push @bad, wrong_text($s) if $is{string} && !$s->{anyOf};
	push @bad, wrong_number($s) if $is{integer};
	for my $one ($s, map { resolve($_) } @{ $s->{anyOf} || [] }) {
		push @bad, wrong_items($one, $deep) if $one->{items};
		push @bad, map { my $name = $_; map { ["$name: $_->[0]",
		    object($one, $name, $_->[1]), $_->[2], $_->[3] // $name] }
		    wrong($one->{properties}{$name}, $deep + 1) }
		    sort keys %{ $one->{properties} || {} };
	}
	return @bad;
}

sub wrong_text {
	my ($s) = @_;
	return (['another word', '"no such word"'], ['an empty text', '""'])
	    if $s->{enum};
	return (['no time', '"yesterday"'], ['an empty text', '""'],
	    ['a 13th month', '"2026-13-01T00:00:00Z"'],
	    ['a day only', '"2026-11-21"'])
	    if ($s->{format} // '') eq 'date-time';
	return (['not hex', '"' . 'x' x 32 . '"'], ['half', '"abab"'],
	    ['an empty text', '""'], ['too long', '"' . 'a' x 129 . '"'],
	    ['a quote', '"\' or 1=1 --"']) if $s->{pattern};
	my $max = $s->{maxLength};
	return (['NUL', '"a\u0000b"'], ['half a pair', '"\ud800x"', 1],
	    ['the other half', '"x\udc00"', 1], ["a byte that is no UTF-8",
	    "\"a\xff\"", 1], ['a byte of control', "\"a\x01\"", 1],
	    ['a long form', "\"\xc0\xaf\"", 1],
	    defined $max && $max <= 100_000
		? (['too long', '"' . 'x' x ($max + 1) . '"'],
		    ['too long in bytes', '"' . "\xc3\xa9" x
			int($max / 2 + 1) . '"']) : (),
	    ($s->{minLength} // 0) > 0 ? ['an empty text', '""'] : ());
}

sub wrong_number {
	my ($s) = @_;
	my ($min, $max) = @$s{qw(minimum maximum)};
	return (['a fraction', '1.5'], ['a huge number', '1e300'],
	    ['a number of 400 digits', '9' x 400], ['digits as text', '"5"'],
	    ['infinity', '1e999'], ['less than any', '-9223372036854775809'])
	    if !defined $min && !defined $max;
	return (['a fraction', '1.5'], ['a huge number', '1e300'],
	    ['a number of 400 digits', '9' x 400], ['digits as text', '"5"'],
	    ['infinity', '1e999'],
	    defined $min && abs $min < 2 ** 53
		? ['too small', $json->encode($min - 1)] : (),
	    defined $max && abs $max < 2 ** 53
		? ['too great', $json->encode($max + 1)] : ());
}

sub wrong_items {
	my ($s, $deep) = @_;
	my $max = $s->{maxItems};
	my $good = $json->encode(good($s->{items}));
	return ((map { ["$_->[0] in it", "[$_->[1]]", $_->[2], $_->[3]] }
	    grep { $_->[0] ne 'null' } wrong($s->{items}, $deep + 1)),
	    defined $max && $max <= 2000
		? ['too many', '[' . join(',', ($good) x ($max + 1)) . ']'] : (),
	    ['too many to count', '[' . join(',', ('1') x 70_000) . ']', 1]);
}

# The same of a parameter, as it stands in the address.
sub wrong_word {
	my ($schema, $in) = @_;
	my $s = resolve($schema);
	my %is = map { $_ => 1 } types($s);
	my @bad = (['no UTF-8', '%ff'], ['half an escape', '%z']);
	push @bad, ['NUL', '%00'] if $is{string} || $is{integer};
	if ($is{integer}) {
		push @bad, map { [$_, $_] } qw(abc 1.5 - 1e3 0x10 +1 01 5%20
		    99999999999999999999 -9223372036854775809), '9' x 400;
		push @bad, ['nothing', ''] if $in eq 'query';
		push @bad, ['too small', $s->{minimum} - 1]
		    if defined $s->{minimum} && abs $s->{minimum} < 2 ** 53;
		push @bad, ['too great', $s->{maximum} + 1]
		    if defined $s->{maximum} && abs $s->{maximum} < 2 ** 53;
	} elsif ($is{boolean}) {
		push @bad, map { [$_, $_] } qw(yes 1 0 TRUE null);
	} elsif ($s->{enum} || $s->{pattern}
	    || ($s->{format} // '') eq 'date-time') {
		push @bad, map { [$_, $_] } qw(nope %27%20or%201=1 null ..);
		push @bad, ['too long', 'a' x 500];
	} elsif ($is{array}) {
		push @bad, ['too many', join ',', ('x') x ($s->{maxItems} + 1)]
		    if defined $s->{maxItems} && $s->{maxItems} <= 1000;
	} elsif ($is{string}) {
		push @bad, ['too long', 'x' x ($s->{maxLength} + 1)]
		    if defined $s->{maxLength} && $s->{maxLength} <= 4000;
		push @bad, ['nothing', ''] if $in eq 'query'
		    && ($s->{minLength} // 0) > 0;
	}
	return @bad;
}

#
# Cases: what is sent, and what must come back.
#
my (@cases, %routes);
# What is also told as a stream is asked for as JSON.
my %auth = (Accept => 'application/json',
    Authorization => "Bearer $mine->{token}");

sub case {
	my ($op, $what, %o) = @_;
	push @cases, { op => $op, name => "$op->{method} $op->{path}: $what",
	    headers => $op->{for_platform} ? { 'X-Platform-Key' => $key }
		: { %auth }, method => $op->{method},
	    target => target($op), body => body($op), %o };
	return;
}

sub target {
	my ($op, %with) = @_;
	my $target = $op->{path} =~ s{\{(\w+)\}}{
		$with{$1} // escape(good($op->{param}{"path $1"}{schema})) }ger;
	my @query = map { "$_=" . ($with{$_} // escape(good(
	    $op->{param}{"query $_"}{schema}))) } grep {
		defined $with{$_} || $op->{param}{"query $_"}{required} }
	    map { /^query (.*)/ } sort keys %{ $op->{param} };
	return @query ? "$target?" . join '&', @query : $target;
}

sub escape {
	my ($v) = @_;
	$v = $v ? 'true' : 'false' if Cpanel::JSON::XS::is_bool($v);
	return ref $v ? 'x' : $v =~ s/([^A-Za-z0-9._~:-])/
	    sprintf '%%%02X', ord $1/ger;
}

sub body {
	my ($op, @put) = @_;
	return $op->{body} ? object($op->{body}, @put) : undef;
}

# An object with one member put as JSON, or left out.
sub object {
	my ($schema, $name, $text, $twice) = @_;
	my $p = $schema->{properties};
	# And one of the names of what has several.
	my %parts = map { $_ => $json->encode(good($p->{$_})) }
	    @{ $schema->{required} || [] },
	    map { $_->{anyOf}[0]{required}[0] } @{ $schema->{allOf} || [] };
	delete $parts{$name} if defined $name;
	my @all = map { $json->encode($_) . ":$parts{$_}" } sort keys %parts;
	push @all, ($json->encode($name) . ":$text") x ($twice ? 2 : 1)
	    if defined $text;
	return '{' . join(',', @all) . '}';
}

sub of_members {
	my ($op) = @_;
	my $s = $op->{body} or return;
	my %required = map { $_ => 1 } @{ $s->{required} || [] };
	my $p = $s->{properties};
	for my $name (sort keys %$p) {
		my %bad = (is => qr/^(?:400|413)$/, at => $name);
		case($op, "$name missing", %bad, body => body($op, $name))
		    if $required{$name};
		case($op, "$name twice", %bad, body => body($op, $name,
		    $json->encode(good($p->{$name})), 1));
		for (wrong($p->{$name}, 0)) {
			my ($what, $text, $raw, $inner) = @$_;
			case($op, "$name: $what", %bad,
			    $raw ? (at => undef) : (), inner => $inner,
			    body => body($op, $name, $text));
		}
	}
	my $whole = $s->{required} && @{ $s->{required} };
	my %bad = (is => qr/^(?:400|413)$/);
	case($op, "the body is $_->[0]", %bad, body => $_->[1]) for
	    ['no JSON', 'x'], ['an array', '[]'], ['a text', '"x"'],
	    ['a number', '5'], ['null', 'null'], ['true', 'true'],
	    ['cut', '{"a":'], ['an array of objects', '[{}]'],
	    ['with a comma too many', '{"a":1,}'], ['with more', '{} {}'],
	    ['in single quotes', "{'a':1}"], ['with a comment', '{}//x'],
	    ['no UTF-8', "{\"a\":\"\xff\"}"], ['NUL', "\0"],
	    ['UTF-16', "\xff\xfe{\0}\0"], ['in UTF-16', "{\0}\0"],
	    ['deep', '{"a":' . '[' x 5000 . ']' x 5000 . '}'],
	    ['deep in objects', '{"a":' x 2000 . '1' . '}' x 2000],
	    ['not closed and deep', '[' x 100_000],
	    ['a key that is no text', '{1:2}'], ['infinity', '{"a":NaN}'],
	    ['a form', 'a=1&b=2'], ['XML', '<a/>'];
	case($op, 'an empty body', %bad, body => '') if $whole;
	case($op, 'an empty object', %bad, body => '{}') if $whole;
	case($op, 'a member that is not known',
	    body => body($op, 'noSuchMember', '[{"x":null}]'));
	return;
}

sub of_parameters {
	my ($op) = @_;
	for my $key (sort keys %{ $op->{param} }) {
		my $p = $op->{param}{$key};
		my ($in, $name) = @$p{qw(in name)};
		next if $in eq 'header';
		for (wrong_word($p->{schema}, $in)) {
			my ($what, $text) = @$_;
			case($op, "$name in the $in: $what",
			    is => $in eq 'path' ? qr/^(?:400|404|405|413)$/
				: qr/^(?:400|413)$/,
			    $in eq 'query' ? (at => $name) : (),
			    target => target($op, $name => $text));
		}
		my $target = target($op);
		case($op, "$name missing", is => qr/^400$/, at => $name,
		    target => $target =~ s/([?&])$name=[^&]*&?/$1/r)
		    if $in eq 'query' && $p->{required};
	}
	return;
}

sub of_credentials {
	my ($op) = @_;
	my $needs = @{ $op->{security} || [] }
	    && !grep { !%$_ } @{ $op->{security} };
	return if !$needs;
	my $typo = $mine->{token} =~ s/(.)\z/$1 eq 'A' ? 'B' : 'A'/er;
	for (['none', {}], ['no token', { Authorization => 'Bearer x' }],
	    ['an empty one', { Authorization => 'Bearer ' }],
	    ['another scheme', { Authorization => 'Basic eDp5' }],
	    ['a mistyped one', { Authorization => "Bearer $typo" }],
	    ['a long one', { Authorization => 'Bearer ' . 'x' x 4000 }],
	    ['one with a quote', { Authorization => "Bearer ' or 1=1 --" }],
	    ['bytes', { Authorization => "Bearer \xff\xfe" }],
	    ['one that is over', { Authorization => "Bearer $mine->{over}" }],
	    ['a revoked one', { Authorization => "Bearer $mine->{gone}" }],
	    ['a key only', { 'X-Api-Key' => 'x' }],
	    ['a principal without a key', { 'X-Principal' => $json->encode({
		actorId => $mine->{ids}{actorId}, provider => 'x', scopes => [],
		orgId => $mine->{ids}{orgId} }) }],
	    ['a principal and a bad key', { 'X-Api-Key' => 'x',
		'X-Principal' => $json->encode({ scopes => ['state:read'],
		actorId => $mine->{ids}{actorId}, provider => 'x',
		orgId => $mine->{ids}{orgId} }) }],
	    ['a principal that is no JSON', { %auth, 'X-Principal' => '{' }],
	    ['a principal of nothing', { %auth, 'X-Principal' => '{}' }]) {
		case($op, "credential: $_->[0]", is => qr/^401$/,
		    headers => $_->[1]);
	}
	return;
}

sub of_methods {
	my ($op) = @_;
	return if $routes{ $op->{path} }++;
	for my $method (qw(GET POST PUT PATCH DELETE)) {
		# What has a link's form is looked at as one.
		next if Linnet::OpenAPI::operations($method, target($op))
		    || $method eq 'PUT' && $op->{path} =~ m{^/v1/files/};
		case($op, "$method instead", is => qr/^405$/, body => '{}',
		    method => $method, allow => 1);
	}
	case($op, 'with a slash behind it', is => qr/^40[0-5]$/,
	    target => target($op) =~ s{(?=\?|\z)}{/}r);
	case($op, 'an unknown method', is => qr/^(?:400|405|501)$/,
	    method => 'FETCH', body => undef);
	return;
}

my %mine = map { $_ => 1 } qw(GET POST PUT PATCH DELETE);
for my $path (sort keys %{ $document->{paths} }) {
	for my $verb (sort keys %{ $document->{paths}{$path} }) {
		my $o = $document->{paths}{$path}{$verb};
		# Of paths.def: their own tests have them.
		next if $o->{responses}{'4XX'};
		my $op = { path => $path, method => uc $verb, %$o, param => {
		    map { ("$_->{in} $_->{name}" => $_) }
			map { resolve($_) } @{ $o->{parameters} } },
		    for_platform => scalar grep { $_->{platformKey} }
			@{ $o->{security} } };
		my $body = $o->{requestBody};
		$op->{body} = resolve(
		    $body->{content}{'application/json'}{schema}) if $body;
		case($op, 'as it should be', good => 1);
		of_members($op);
		of_parameters($op);
		of_credentials($op);
		of_methods($op);
	}
}
my $nothing = { path => '/v1/nothing', method => 'GET', param => {} };
case($nothing, $_, is => qr/^(?:400|404)$/, target => $_) for
    qw(/v1 /v1/ /v1/nothing /v2/files /v1//files /v1/files/../token
    /V1/token /v1/token/x /v1/%2e%2e/token);

#
# Sends them all on few connections, several at a time.
#
my %faults;
my $secret = qr/\b(?:select|insert|update|delete)\b.*\b(?:from|into|where|set)\b
    |SQLSTATE|postgres|relation\ "|constraint\ "|\bsrc\/|\.c:\d
    |wat_[A-Za-z0-9_-]{48}|lnh_/xi;

sub fault {
	my ($c, $r, $what) = @_;
	push @{ $faults{"$c->{op}{method} $c->{op}{path}"} },
	    "$c->{name}: $c->{method} $c->{target}: $what: "
	    . ($r ? "$r->{status} " . substr $r->{body}, 0, 300 : 'no answer');
	return;
}

sub judge {
	my ($c, $r) = @_;
	return fault($c, $r, 'failed') if $r->{status} >= 500
	    && !($c->{is} && $r->{status} =~ $c->{is});
	my @bad = Linnet::OpenAPI::check($c->{method}, $c->{target}, $r);
	fault($c, $r, join '; ', @bad) if @bad;
	fault($c, $r, 'another status') if $c->{is} && $r->{status} !~ $c->{is};
	fault($c, $r, 'shows what it should not')
	    if $r->{status} >= 400 && $r->{body} =~ $secret;
	return if $r->{status} < 400 || $c->{method} eq 'HEAD';
	my $e = $r->{json};
	return fault($c, $r, 'no JSON') if ref $e ne 'HASH';
	my $type = $r->{headers}{'content-type'};
	my $says = $type =~ /problem/ ? $e->{detail} : $e->{message} // $e->{error};
	fault($c, $r, 'no sentence') if ($says // '') !~ /\A\S.*\S.*\S\z/s
	    || length $says < 10;
	fault($c, $r, 'the status is another one inside')
	    if $type =~ /problem/ && $e->{status} != $r->{status};
	fault($c, $r, 'no Allow') if $c->{allow} && !$r->{headers}{allow};
	return if !defined $c->{at};
	if ($type =~ /problem/) {
		my @at = map { $_->{pointer} } @{ $e->{errors} || [] };
		fault($c, $r, "does not name $c->{at}")
		    if !grep { m{^#/\Q$c->{at}\E(?:/|\z)} } @at;
	} else {
		my $name = $c->{inner} // $c->{at};
		fault($c, $r, "does not name $name") if $says !~ /\b\Q$name\E\b/;
	}
	return;
}

# Answers in the order of asking; a connection that ends takes the rest on the
# next one.
sub send_all {
	my ($judge, @todo) = @_;
	my $stuck = 0;
	while (@todo) {
		my $io = $broker->tcp;
		my (@open, $bytes);
		my $before = @todo;
		while (@todo || @open) {
			$bytes = 0;
			while (@todo && @open < 16 && $bytes < 200_000) {
				my $c = shift @todo;
				my $out = Linnet::Http::request($c->{method},
				    $c->{target}, $c->{headers}, $c->{body});
				$bytes += length $out;
				$io->put($out);
				push @open, $c;
			}
			my $r = $io->answer($open[0]{method}, 30) or last;
			my $c = shift @open;
			$judge->($c, $r);
			last if ($r->{headers}{connection} // '') =~ /close/i;
		}
		unshift @todo, @open;
		$stuck = @todo < $before ? 0 : $stuck + 1;
		if ($stuck > 2) {
			fault(shift @todo, undef, 'unanswered');
			$stuck = 0;
		}
	}
	return;
}

my $began = time;
send_all(\&judge, @cases);
my $took = time - $began;
for my $route (sort keys %{ { map {
    ("$_->{op}{method} $_->{op}{path}" => 1) } @cases } }) {
	my $bad = $faults{$route} || [];
	is(scalar @$bad, 0, $route)
	    or diag(join "\n", @$bad > 12 ? (@$bad[0 .. 11], '...') : @$bad);
}
note(sprintf '%d cases in %.1f s', scalar @cases, $took);
cmp_ok(scalar @cases, '>=', 2000, 'as many cases as there should be');

#
# The wall: what another mesh has is answered as what never was.
#
my (@walls, %answers);
for my $c (grep { $_->{good} } @cases) {
	my $op = $c->{op};
	my %ids = map { my $n = $_; ($n => $mine->{ids}{$n}) }
	    grep { defined $mine->{ids}{$_} }
	    map { /^(?:path|query) (.*)/ } keys %{ $op->{param} };
	next if !%ids;
	my %none = map { $_ => $unknown } keys %ids;
	for ([theirs => \%ids], [nobody => \%none]) {
		push @walls, { %$c, which => $_->[0],
		    target => target($op, %{ $_->[1] }),
		    headers => { %auth,
			Authorization => "Bearer $other->{token}" } };
	}
}
send_all(sub {
	my ($c, $r) = @_;
	my $body = $r->{body} =~ s/[0-9a-f]{32}/ID/gr;
	$answers{ $c->{name} }{ $c->{which} } = "$r->{status} $body";
}, @walls);
for my $name (sort keys %answers) {
	my $a = $answers{$name};
	is($a->{theirs}, $a->{nobody}, "$name: as if it were not there");
	unlike($a->{theirs}, qr/private-/, 'and nothing of it is said');
}

#
# And all goes on.
#
sub asks {
	my ($target, $token) = @_;
	return $broker->http(GET => $target,
	    { %auth, Authorization => 'Bearer ' . ($token // $mine->{token}) });
}
is(asks('/v1/token')->{status}, 200, 'the token is good after all of this');
like(asks('/v1/files')->{body}, qr/private-file/, 'the file is there');
for my $c (grep { $_->{good} && $_->{method} eq 'GET'
    && $_->{op}{path} !~ /\{/ && !grep { $_->{required} }
	values %{ $_->{op}{param} } } @cases) {
	next if !@{ $c->{op}{security} || [] };
	# One of several parameters may be needed.
	like(asks($c->{op}{path})->{status}, qr/^(?:200|400)$/,
	    "GET $c->{op}{path} is good")
	    if !$c->{op}{for_platform};
}
is($other->{peer}->request({ type => 'list_peers' })->{type}, 'peers_list',
    'others are served');
my @errors = grep { /^<[0-3]>| error: / } split /\n/, $broker->log;
is("@errors[0 .. ($#errors < 4 ? $#errors : 4)]", '',
    'nothing was an error of the server');
is($broker->stop, 0, 'stops');
done_testing;
