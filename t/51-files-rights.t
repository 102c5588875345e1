#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# Who may have files, and how many at a time: tokens without the scope, links
# and transfers whose token was revoked, whose member is out, whose mesh is
# archived; the limits of a member, and the metrics of it all.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Linnet qw(wait_until);
use Linnet::Http;
use Test::More;

my $MiB = 1 << 20;
my $b = Linnet->broker(workers => 2, options => ['rate.requests 0',
    'files.member_transfers 3', 'files.idle_time 20s']);

sub ask {
	my ($p, $type, %o) = @_;
	return $p->request({ type => $type, %o });
}

# A mesh with its owner, and bob, who has a token.
sub mesh {
	my $m = $b->seed;
	$m->{alice} = $b->peer($m->{peerA}, name => 'alice');
	$b->psql("update mesh set owner_key = (select key from member where
	    id = '$m->{peerA}{memberId}') where id = '$m->{meshId}'");
	$m->{alice} = $b->peer($m->{peerA}, name => 'alice');
	$m->{bob} = $b->peer($m->{peerB}, name => 'bob');
	$m->{token} = ask($m->{bob}, 'create_token');
	return $m;
}

sub mac {
	my ($key, $text) = @_;
	my $path = Linnet::scratch() . '/text';
	open my $fh, '>:raw', $path or die $!;
	print $fh $text;
	close $fh or die $!;
	my $hex = `openssl mac -in $path -macopt hexkey:$key -macopt size:32 BLAKE2BMAC`;
	$hex =~ s/\s//g;
	return lc $hex;
}

# The link that a token would have made, signed like one of a session.
sub by_token {
	my ($m, $url) = @_;
	my $key = Linnet::slurp((glob "$b->{dir}/*token*key*")[0]);
	my ($file, $mesh, $member, $until) = $url =~
	    m{files/(\w+).*mesh=(\w+)&member=(\w+)&until=(\d+)};
	my $token = $m->{token}{tokenId};
	my $way = $url =~ m{/(?:up|link)\?} ? 'put' : 'get';
	my $sig = mac(mac($key =~ s/\s//gr, "linnet links to files\0"),
	    "$way $mesh $file $member $token $until");
	return $url =~ s/&until=/&token=$token&until=/r
	    =~ s/sig=\w+/sig=$sig/r;
}

# What a tool says to who shows a token at /mcp.
sub mcp {
	my ($token, $name, %args) = @_;
	my $r = $b->http('POST', '/mcp', {
	    Authorization => "Bearer $token",
	    Accept => 'application/json, text/event-stream',
	    'MCP-Protocol-Version' => '2025-06-18',
	    'Content-Type' => 'application/json' },
	    { jsonrpc => '2.0', id => 1, method => 'tools/call',
		params => { name => $name, arguments => \%args } });
	return $r;
}

sub metric {
	my ($name) = @_;
	my ($n) = $b->http('GET', '/metrics')->{body} =~ /^\Q$name\E (\d+)$/m;
	return $n // -1;
}

sub uploaded {
	my ($p, $bytes) = @_;
	my $r = ask($p, 'share_file', name => 'f', size => length $bytes);
	my $put = $b->http('PUT', $r->{url}, {}, $bytes);
	die $put->{body} if $put->{status} != 201;
	return $r->{fileId};
}

# An upload in its middle.
sub upload {
	my ($url, $size) = @_;
	my $io = $b->tcp;
	$io->put(Linnet::Http::request('PUT', $url,
	    { 'Content-Length' => $size }) . 'x' x ($size / 2));
	my ($file) = $url =~ m{files/(\w+)};
	wait_until { $b->psql("select state from file
	    where id = '$file'") == 1 } 10;
	return $io;
}

# A download that nobody reads.
sub download {
	my ($url) = @_;
	my $io = $b->tcp;
	$io->pause(1);
	$io->put(Linnet::Http::request('GET', $url));
	wait_until { metric('linnet_file_transfers{direction="down"}') == 1 }
	    10, 'a download';
	return $io;
}

subtest 'limits of a member' => sub {
	my $m = mesh();
	my @url = map { ask($m->{bob}, 'share_file', name => "f$_",
	    size => $MiB)->{url} } 0 .. 3;
	my @io = map { upload($_, $MiB) } @url[0 .. 2];
	is(metric('linnet_file_transfers{direction="up"}'), 3,
	    'three are under way, whichever worker has them');
	my $refused = metric('linnet_file_transfers_ended_total'
	    . '{result="refused"}');
	for my $r ($b->http('PUT', $url[3], {}, 'x' x $MiB),
	    $b->http('GET', ask($m->{bob}, 'get_file',
		fileId => uploaded($m->{alice}, 'hello'))->{url})) {
		is($r->{status}, 429, 'a fourth is refused');
		is($r->{json}{code}, 'quota', 'by name');
		like($r->{json}{message},
		    qr/ 3 files .*\(files\.member_transfers\)/,
		    'with the number, and where it is from');
	}
	is(metric('linnet_file_transfers_ended_total{result="refused"}'),
	    $refused + 2, 'which is counted');
	ok(uploaded($m->{alice}, 'x'), 'another member is not concerned');
	my $stored = metric('linnet_file_transfers_ended_total'
	    . '{result="stored"}');
	my $io = shift @io;
	$io->put('x' x ($MiB / 2));
	is($io->answer('PUT')->{status}, 201, 'one ends');
	is(metric('linnet_file_transfers_ended_total{result="stored"}'),
	    $stored + 1, 'which is counted');
	is($b->http('PUT', $url[3], {}, 'x' x $MiB)->{status}, 201,
	    'then there is room');
	$_->drop for @io;
	ok((wait_until { metric('linnet_file_transfers{direction="up"}') == 0 }
	    10), 'what breaks off is not under way');
	ok((wait_until { metric('linnet_file_transfers_ended_total'
	    . '{result="broken"}') >= 2 } 10), 'and counts as broken');
};

subtest 'scopes' => sub {
	my $m = mesh();
	my $file = uploaded($m->{bob}, 'hello');
	my %of = map { $_ => ask($m->{bob}, 'create_token',
	    scopes => [$_])->{token} } qw(files:read files:write state:read
	    state:write memory:read memory:write messages:read messages:write);
	for (grep { $_ ne 'files:write' } sort keys %of) {
		my $r = $b->http('POST', '/v1/files?name=a',
		    { Authorization => "Bearer $of{$_}" }, 'x');
		is("$r->{status} $r->{json}{code}", '403 forbidden',
		    "$_ uploads nothing");
		like($r->{json}{message}, qr/lacks the scope files:write/,
		    'and is told what is missing');
	}
	is($b->http('POST', '/v1/files?name=a',
	    { Authorization => "Bearer $of{'files:write'}" }, 'x')->{status},
	    201, 'files:write does');
	for (['set_state', 'state:write', key => 'k', value => 1],
	    ['get_state', 'state:read', key => 'k'],
	    ['list_state', 'state:read'],
	    ['remember', 'memory:write', content => 'x'],
	    ['recall', 'memory:read', query => 'x'],
	    ['forget', 'memory:write', id => 'f' x 32],
	    ['send_message', 'messages:write', to => 'alice', message => 'x'],
	    ['share_file', 'files:write', name => 'a', size => 1],
	    ['get_file', 'files:read', id => $file],
	    ['list_files', 'files:read'],
	    ['file_status', 'files:read', id => $file],
	    ['delete_file', 'files:write', id => $file]) {
		my ($tool, $scope, %args) = @$_;
		for my $other (grep { $_ ne $scope } sort keys %of) {
			my $r = mcp($of{$other}, $tool, %args);
			my $text = $r->{body};
			ok($text =~ /lacks the scope \Q$scope\E/
			    || $r->{status} == 403,
			    "/mcp: $tool with $other alone") or diag $text;
		}
	}
	is($b->psql("select count(*) from file where id = '$file'"), 1,
	    'nothing came of it');
};

# What ends a right, and what it says of a link.
my @ends = (
	['the token is revoked', sub {
		my ($m) = @_;
		return ask($m->{bob}, 'revoke_token',
		    tokenId => $m->{token}{tokenId})->{type};
	}, qr/token .* revoked/, 'token'],
	['the token expires', sub {
		my ($m) = @_;
		return $b->psql("update token set expires_at = now()
		    where id = '$m->{token}{tokenId}' returning 1");
	}, qr/token .* expired/, 'token', 'goes on'],
	['the member is banned', sub {
		my ($m) = @_;
		return ask($m->{alice}, 'ban', target =>
		    $m->{bob}->member_key)->{type};
	}, qr/not in the mesh/],
	['the membership is revoked', sub {
		my ($m) = @_;
		return $b->psql("update member set revoked_at = now()
		    where id = '$m->{peerB}{memberId}' returning 1");
	}, qr/not in the mesh/],
	['the mesh is archived', sub {
		my ($m) = @_;
		return ($b->ctl('mesh', 'archive', $m->{slug}))[0] == 0;
	}, qr/archived/],
	['the session is kicked', sub {
		my ($m) = @_;
		return ask($m->{alice}, 'kick', target => 'bob')->{type};
	}, undef, undef, 'goes on'],
);

for (@ends) {
	my ($what, $end, $says, $by, $goes_on) = @$_;
	subtest $what => sub {
		my $m = mesh();
		my $file = uploaded($m->{alice}, 'y' x (48 * $MiB));
		my ($up, $link, $down);
		$up = ask($m->{bob}, 'share_file', name => 'up',
		    size => $MiB)->{url};
		$link = ask($m->{bob}, 'share_file', name => 'link',
		    size => $MiB)->{url};
		$down = ask($m->{bob}, 'get_file', fileId => $file)->{url};
		($up, $link, $down) = map { by_token($m, $_) } $up, $link,
		    $down if $by;
		my $io = upload($up, $MiB);
		my $in = download($down);
		ok($end->($m), $what);
		my ($id) = $up =~ m{files/(\w+)};
		my $put = $b->http('PUT', $link, {}, 'x' x $MiB);
		my $get = $b->http('GET', $down);
		if ($says) {
			is($put->{status}, 403, 'a link for an upload is over');
			like($put->{json}{message}, $says, 'and says why');
			is($get->{status}, 403, 'a link for a download is over');
			like($get->{json}{message}, $says, 'and says why');
		} else {
			is("$put->{status} $get->{status}", '201 200',
			    'links are still good');
		}
		if ($goes_on) {
			$io->put('x' x ($MiB / 2));
			is($io->answer('PUT')->{status}, 201,
			    'an upload under way goes on');
			$in->pause(0);
			ok((wait_until { length $in->{in} > 48 * $MiB } 20),
			    'and a download');
			return;
		}
		my $r = $io->answer('PUT', 20);
		is($r->{status}, 403, 'an upload under way ends');
		like($r->{json}{message}, qr/may not/, 'and says why');
		ok((wait_until { $b->psql("select state from file
		    where id = '$id'") ne '1' } 10), 'it is given up');
		ok((wait_until {
			metric('linnet_file_transfers{direction="down"}') == 0
		} 10), 'a download under way ends');
		$in->pause(0);
		ok($in->wait_eof(20), 'and its connection');
		cmp_ok(length $in->{in}, '<', 48 * $MiB, 'before all of it came');
	};
}

subtest 'metrics' => sub {
	ok((wait_until { metric('linnet_files') == $b->psql('select count(*)
	    from file where state = 2') } 40), 'how many there are');
	is(metric('linnet_files_bytes'), $b->psql('select sum(size) from file
	    where state = 2'), 'and their bytes');
	cmp_ok(metric('linnet_file_bytes_total{direction="up"}'), '>',
	    40 * $MiB, 'bytes up');
	cmp_ok(metric('linnet_file_bytes_total{direction="down"}'), '>',
	    48 * $MiB, 'bytes down');
	cmp_ok(metric('linnet_file_transfers_ended_total{result="read"}'), '>',
	    1, 'what was read');
};

is($b->stop, 0, 'the end');
done_testing;
