#!/usr/bin/env perl
# linnet install and uninstall: files of each host as it writes them, and as
# people leave them.  Nothing of others is lost, and what was there comes back.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Cwd 'realpath';
use File::Path 'make_path';
use Test::More;
use Linnet qw(run scratch slurp);

my $json = Cpanel::JSON::XS->new->utf8->allow_nonref;
my $program = Linnet->program('linnet');
my $self = realpath($program);
my $base = scratch();
my $home;
my $homes = 0;

# A new home, with these files.
sub home {
	my (%files) = @_;
	$home = "$base/home" . ++$homes;
	make_path($home);
	put("$home/$_", $files{$_}) for sort keys %files;
	return;
}

sub put {
	my ($file, $text) = @_;
	make_path($file =~ s{/[^/]*$}{}r);
	open my $fh, '>:raw', $file or die "$file: $!";
	print $fh $text;
	close $fh or die "$file: $!";
	return;
}

# (status, stdout, stderr)
sub linnet {
	my @args = @_;
	my %env = (HOME => $home, PATH => '/usr/bin:/bin', NO_COLOR => '1',
	    map { $_ => undef } qw(CLAUDE_CONFIG_DIR CODEX_HOME
	    GEMINI_CLI_HOME XDG_CONFIG_HOME LINNET_CONFIG LINNET_MESH));
	return run(['env', (map { ('-u', $_) } grep { !defined $env{$_} }
	    sort keys %env), (map { "$_=$env{$_}" } grep { defined $env{$_} }
	    sort keys %env), $program, @args], input => '');
}

sub works {
	my @args = @_;
	my ($status, $out, $err) = linnet(@args);
	is($status, 0, "@args") or diag($err);
	return ($out, $err);
}

# Every file below home that is not linnet's own.
sub tree {
	my %file;
	my @dirs = ($home);
	while (defined(my $dir = shift @dirs)) {
		for my $f (glob "$dir/{*,.[!.]*}") {
			next if $f eq "$home/.linnet";
			if (-d $f && !-l $f) {
				push @dirs, $f;
			} elsif (-f $f) {
				$file{ substr $f, length($home) + 1 } =
				    slurp($f);
			}
		}
	}
	return \%file;
}

# Files as their hosts write them; what must be in them afterwards, by path.
my %server = (type => 'stdio', command => $self, args => ['mcp']);
my %plain = (command => $self, args => ['mcp']);
my $claude = <<'CLAUDE';
{
  "numStartups": 12,
  "oauthAccount": {
    "accountUuid": "0d5", "weight": 1.50e3, "big": 12345678901234567890
  },
  "projects": {
    "/home/u/p": {
      "mcpServers": {},
      "allowedTools": []
    }
  },
  "z": "\u00e9\/",
  "mcpServers": {
    "github": {
      "type": "http",
      "url": "https://example.org/mcp"
    }
  },
  "a": null
}
CLAUDE
my $settings = <<'SETTINGS';
{
	"permissions": {"allow": ["Bash(ls:*)"]},
	"hooks": {
		"Stop": [
			{
				"matcher": "",
				"hooks": [
					{"type": "command", "command": "notify-send hook done"}
				]
			}
		]
	}
}
SETTINGS
my $codex = <<'CODEX';
model = "gpt-5"
notify = ["sh", "-c", "echo # no comment"]

[mcp_servers.other]
command = "x"
args = [
  "[mcp_servers.linnet]",
]

[tui]
text = """
[mcp_servers.linnet]
"""
[projects."/home/u/p"]
trust_level = "trusted"
CODEX
my $opencode = <<'OPENCODE';
{
  "$schema": "https://opencode.ai/config.json",
  // which model
  "model": "x/y", /* not
  the other */
  "mcp": {
    "a": { "type": "local", "command": ["a"] }, // of "mine", {really}
  },
}
OPENCODE
my %hosts = (
	claude => {
		'.claude.json' => $claude,
		'.claude/settings.json' => $settings,
	},
	codex => { '.codex/config.toml' => $codex },
	gemini => { '.gemini/settings.json' =>
	    "{\r\n    \"ui\": {\r\n        \"theme\": \"x\"\r\n    }\r\n}" },
	opencode => { '.config/opencode/opencode.jsonc' => $opencode },
	cursor => { '.cursor/mcp.json' => "{\n  \"mcpServers\": {}\n}\n" },
	vscode => { '.config/Code/User/mcp.json' =>
	    "\xef\xbb\xbf{\n\t\"servers\": {},\n\t\"inputs\": []\n}" },
);

# As the host reads it: without comments, trailing commas and a byte order mark.
sub read_as_host {
	my ($text) = @_;
	$text =~ s/^\xef\xbb\xbf//;
	return Cpanel::JSON::XS->new->utf8->decode($text)
	    if $text !~ m{/[/*]|,\s*[\]\}]};
	$text =~ s{("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/}{$1 // ''}gse;
	$text =~ s/,(\s*[\]\}])/$1/g;
	return Cpanel::JSON::XS->new->utf8->decode($text);
}

for my $host (sort keys %hosts) {
	subtest $host => sub {
		home(%{ $hosts{$host} });
		my $before = tree();
		my ($out) = works('install', $host, '--dry-run');
		like($out, qr/^  \+ .*linnet/m, 'shows what it adds');
		is_deeply(tree(), $before, 'and does not do it');
		my ($st, undef, $err) = linnet('install', $host);
		is($st, 64, 'without a terminal it wants --yes');
		like($err, qr/--yes/, 'and says so');
		is_deeply(tree(), $before, 'and did nothing');
		works('install', $host, '-y');
		my $after = tree();
		for my $f (sort keys %$before) {
			my ($old, $new) = ($before->{$f}, $after->{$f});
			isnt($new, $old, "$f is another");
			my @lost = grep { index($new, $_) < 0 }
			    map { s/(?:\{\})?,?$//r } split /\r?\n/, $old;
			is("@lost", '', 'no line of it is lost');
			is(scalar(() = $new =~ /(?<!\r)\n/g), 0,
			    'its ends of lines stay') if $old =~ /\r\n/;
		}
		my ($o, $e) = works('install', $host, '-y');
		is_deeply(tree(), $after, 'again changes nothing');
		like($e, qr/nothing to change/, 'and says so');
		is($o, '', 'and shows nothing');
		works('uninstall', $host, '-y');
		is_deeply(tree(), $before, 'uninstall brings all of it back');
		works('uninstall', $host, '-y');
		is_deeply(tree(), $before, 'and again');
	};
}

subtest 'a home without anything' => sub {
	home();
	works('install', $_, '-y') for qw(claude codex);
	works('uninstall', $_, '-y') for qw(claude codex);
	is(join(' ', sort map { s{.*/}{}r } glob "$home/.[a-z]*"), '.linnet',
	    'is as empty as before');
};

subtest 'what hosts find' => sub {
	home(map { %{ $hosts{$_} } } keys %hosts);
	works('install', '-y');
	my $t = tree();
	my $c = read_as_host($t->{'.claude.json'});
	is_deeply($c->{mcpServers}{linnet}, { %server, env => {} }, 'claude');
	is(join(' ', sort keys %{ $c->{mcpServers} }), 'github linnet',
	    'beside the others');
	my $s = read_as_host($t->{'.claude/settings.json'});
	is(scalar @{ $s->{hooks}{Stop} }, 2, 'hooks are added');
	is($s->{hooks}{Stop}[1]{hooks}[0]{command}, "$self hook stop",
	    'stop');
	is($s->{hooks}{UserPromptSubmit}[0]{hooks}[0]{command},
	    "$self hook prompt --messages", 'prompt');
	like($t->{'.codex/config.toml'}, qr/\A\Q$codex\E
	    \n\#[^\n]*\n\[mcp_servers\.linnet\]\n
	    command\ =\ "\Q$self\E"\nargs\ =\ \["mcp"\]\nenv_vars\ =\ \[/x,
	    'codex');
	ok(read_as_host($t->{'.codex/hooks.json'})->{hooks}{Stop},
	    'its hooks');
	my $g = read_as_host($t->{'.gemini/settings.json'});
	is_deeply($g->{mcpServers}{linnet}, \%plain, 'gemini');
	is($g->{hooks}{AfterAgent}[0]{hooks}[0]{timeout}, 5000,
	    'with its milliseconds');
	is_deeply(read_as_host($t->{'.config/opencode/opencode.jsonc'})
	    ->{mcp}{linnet}, { type => 'local', command => [$self, 'mcp'],
	    enabled => Cpanel::JSON::XS::true }, 'opencode');
	like($t->{'.config/opencode/plugins/linnet.js'},
	    qr/"\Q$self\E hook "/, 'its plugin');
	is_deeply(read_as_host($t->{'.cursor/mcp.json'})->{mcpServers}{linnet},
	    \%plain, 'cursor');
	is(read_as_host($t->{'.cursor/hooks.json'})->{version}, 1,
	    'its hooks');
	is_deeply(read_as_host($t->{'.config/Code/User/mcp.json'})->{servers}
	    {linnet}, \%server, 'vscode');
	my ($out) = works('install', '--json', '-n');
	is((grep { $_->{changed} } @{ $json->decode($out) }), 0,
	    'in JSON: nothing is left to do');
};

subtest 'what others changed meanwhile stays' => sub {
	home(map { %{ $hosts{$_} } } qw(claude codex opencode));
	works('install', '-y');
	my $t = tree();
	put("$home/.claude.json", $t->{'.claude.json'}
	    =~ s/"numStartups": 12/"numStartups": 13/r);
	put("$home/.claude/settings.json", $t->{'.claude/settings.json'}
	    =~ s/(\s*\{"type": "command", "command": "notify)/
		\{"type":"command","command":"later"},$1/xr
	    =~ s/("command": "\Q$self\E hook stop",)/"async": true, $1/r);
	put("$home/.codex/config.toml", $t->{'.codex/config.toml'}
	    . "startup_timeout_sec = 20\n\n[mcp_servers.linnet.tools.x]\n"
	    . "approval_mode = \"approve\"\n\n[after]\nx = 1\n");
	put("$home/.codex/hooks.json", $t->{'.codex/hooks.json'}
	    =~ s/"hooks": \{/"hooks": {\n    "Interrupt": [],/r);
	put("$home/.config/opencode/opencode.jsonc",
	    $t->{'.config/opencode/opencode.jsonc'} . "// the end\n");
	works('uninstall', '-y');
	my $now = tree();
	is($now->{'.claude.json'}, $claude =~ s/12,/13,/r, 'a member');
	is($now->{'.claude/settings.json'}, $settings
	    =~ s/(\s*\{"type": "command", "command": "notify)/
		\{"type":"command","command":"later"},$1/xr, 'a hook');
	is($now->{'.codex/config.toml'}, "$codex\n[after]\nx = 1\n",
	    'a table; settings of ours go');
	is($now->{'.codex/hooks.json'},
	    "{\n  \"hooks\": {\n    \"Interrupt\": []\n  }\n}\n",
	    'in a file of ours');
	is($now->{'.config/opencode/opencode.jsonc'},
	    "$opencode// the end\n", 'a comment');
};

subtest 'a hook that was put among others' => sub {
	home('.claude/settings.json' => '{"hooks":{"Stop":[{"hooks":['
	    . '{"type":"command","command":"/old/linnet hook stop"},'
	    . '{"type":"command","command":"mine"}]}]}}');
	put("$home/.claude.json", '{}');
	works('install', 'claude', '-y');
	my $s = read_as_host(slurp("$home/.claude/settings.json"));
	is(scalar @{ $s->{hooks}{Stop} }, 1, 'is not there twice');
	is($s->{hooks}{Stop}[0]{hooks}[0]{command}, "$self hook stop",
	    'and runs this program');
	unlink glob "$home/.linnet/backup/*";
	works('uninstall', 'claude', '-y');
	is(slurp("$home/.claude/settings.json"), '{"hooks":{"Stop":[{"hooks":'
	    . '[{"type":"command","command":"mine"}]}],"SessionStart":[],'
	    . '"UserPromptSubmit":[]}}', 'and goes alone');
};

subtest 'an entry of before' => sub {
	my $own = '{"mcpServers":{"linnet":{"command":"/old/linnet",'
	    . '"args":["mcp","--tools","core"],"env":{"A":"1"}}}}';
	home('.cursor/mcp.json' => $own);
	works('install', 'cursor', '-y');
	is(slurp("$home/.cursor/mcp.json"), $own =~ s{/old/linnet}{$self}r,
	    'keeps what was chosen');
	works('uninstall', 'cursor', '-y');
	is(slurp("$home/.cursor/mcp.json"), $own, 'and comes back');
	works('install', 'cursor', '-y');
	put("$home/.cursor/mcp.json",
	    slurp("$home/.cursor/mcp.json") =~ s/\}$/,"x":1}/r);
	works('uninstall', 'cursor', '-y');
	is(slurp("$home/.cursor/mcp.json"), $own =~ s/\}$/,"x":1}/r,
	    'also when others changed the file');
	home('.cursor/mcp.json' =>
	    '{"mcpServers":{"linnet":{"command":"/x/bird"}}}');
	my $before = tree();
	my ($st, undef, $err) = linnet('install', 'cursor', '-y');
	is($st, 65, 'one of something else');
	like($err, qr/another server that is called linnet/, 'is refused');
	is_deeply(tree(), $before, 'and stays');
	my $table = "[mcp_servers.linnet]\ncommand = \"/old/linnet\"\n"
	    . "args = [\"mcp\"]\nenabled = false\n";
	home('.codex/config.toml' => $table);
	works('install', 'codex', '-y');
	is(slurp("$home/.codex/config.toml"), $table =~ s{/old/linnet}{$self}r,
	    'a table keeps what was chosen, too');
	works('uninstall', 'codex', '-y');
	is(slurp("$home/.codex/config.toml"), $table, 'and comes back');
	home('.codex/config.toml' => "[mcp_servers]\nlinnet = { command = "
	    . "\"x\" }\n");
	my $inline = tree()->{'.codex/config.toml'};
	works('install', 'codex', '-y');
	is(slurp("$home/.codex/config.toml"), $inline,
	    'one in other words is left');
	home('.codex/config.toml' =>
	    "[mcp_servers.linnet]\ncommand = \"/x/bird\"\n");
	($st, undef, $err) = linnet('install', 'codex', '-y');
	is($st, 65, 'one of something else');
	like($err, qr/another server that is called linnet/, 'is refused');
};

subtest 'codex writes its file again, without comments' => sub {
	home('.codex/config.toml' => "a = 1\n");
	works('install', 'codex', '-y');
	my $text = slurp("$home/.codex/config.toml") =~ s/^#.*\n//mr;
	put("$home/.codex/config.toml", "$text\n[mcp_servers.third]\n"
	    . "command = \"x\"\n");
	my (undef, $err) = works('install', 'codex', '-y');
	like($err, qr/nothing to change/, 'it is known still');
	works('uninstall', 'codex', '-y');
	is(slurp("$home/.codex/config.toml"),
	    "a = 1\n\n[mcp_servers.third]\ncommand = \"x\"\n",
	    'and goes');
};

subtest 'small files' => sub {
	for my $text ('', " \n", '{}', "{}\n", "{\n}\n", '{"mcpServers":{}}',
	    '{ "mcpServers": { "a": { "command": "b" } }, "x": 1 }') {
		home('.cursor/mcp.json' => $text);
		works('install', 'cursor', '-y');
		is_deeply(read_as_host(slurp("$home/.cursor/mcp.json"))
		    ->{mcpServers}{linnet}, \%plain, "in '$text'");
		works('uninstall', 'cursor', '-y');
		is(slurp("$home/.cursor/mcp.json"), $text, 'and out of it');
	}
	for my $text ('', 'a = 1', "a = 1\n", "a = 1\n\n\n",
	    "[a]\n# of b\n[b]\n") {
		home('.codex/config.toml' => $text);
		works('install', 'codex', '-y');
		works('uninstall', 'codex', '-y');
		is(slurp("$home/.codex/config.toml"), $text,
		    'a table in and out');
	}
};

subtest 'bad files' => sub {
	my @bad = (
		['.cursor/mcp.json', '{"mcpServers":{"a":{', qr/no JSON/],
		['.cursor/mcp.json', 'mcpServers: {}', qr/no JSON/],
		['.cursor/mcp.json', '[]', qr/no JSON object/],
		['.cursor/mcp.json', '{"mcpServers":[]}', qr/no object/],
		['.cursor/mcp.json', '{"mcpServers":{},"mcpServers":{}}',
		    qr/"mcpServers" twice \(line 1\)/],
		['.cursor/mcp.json', "{} /* never", qr/comment in it has no/],
		['.cursor/mcp.json', "{\"a\":\"\0\"}", qr/control char/],
		['.cursor/mcp.json', "{\"a\":\"\xff\"}", qr/no JSON/],
		['.claude.json', "{\n  // no\n}", qr/no JSON: line 2/],
		['.claude/settings.json', '{"hooks":{"Stop":{}}}',
		    qr/"hooks\/Stop" in it is no array/],
		['.codex/config.toml', "a = \"x\n", qr/string in it has no/],
		['.codex/config.toml', "a = '''x\n", qr/string in it has no/],
		['.codex/config.toml', "a = [1,\n", qr/not closed/],
		['.codex/config.toml', "{\"a\":1}\n", qr/neither a key/],
		['.codex/config.toml', "a = \"\xff\"\n", qr/no text/],
		['.config/opencode/plugins/linnet.js', "export {}\n",
		    qr/not written by linnet/],
	);
	for my $row (@bad) {
		my ($file, $text, $like) = @$row;
		my ($host) = $file =~ /cursor|claude|codex|opencode/g
		    ? $& : '';
		home($file => $text);
		my $before = tree();
		my ($st, undef, $err) = linnet('install', $host, '-y');
		is($st, 65, "$host: $text") or diag($err);
		like($err, qr/^linnet: \Q$home\/$file\E: .*$like/m,
		    'says the file and why');
		is_deeply(tree(), $before, 'writes nothing at all');
	}
	home();
	make_path("$home/.cursor/mcp.json");
	my ($st, undef, $err) = linnet('install', 'cursor', '-y');
	is($st, 66, 'a directory');
	like($err, qr/no file/, 'is refused');
	home('.cursor/mcp.json' => '{}');
	chmod 0444, "$home/.cursor/mcp.json";
	($st, undef, $err) = linnet('install', 'cursor', '-y');
	is($st, 77, 'one that may not be written');
	like($err, qr/may not be written/, 'is refused');
	is(slurp("$home/.cursor/mcp.json"), '{}', 'and stays');
	ok(!-e "$home/.cursor/hooks.json", 'nor is another written');
	home();
	make_path("$home/.cursor");
	symlink '/nowhere/x', "$home/.cursor/mcp.json" or die;
	($st, undef, $err) = linnet('install', 'cursor', '-y');
	is($st, 66, 'a link to nothing');
	home();
	($st, undef, $err) = linnet('install');
	is($st, 66, 'no host at all');
	like($err, qr/claude\|codex/, 'says which there are');
	($st, undef, $err) = linnet('install', 'emacs');
	is($st, 64, 'a host that is none');
};

subtest 'links and modes' => sub {
	home('dot/mcp.json' => "{}\n");
	make_path("$home/.cursor");
	symlink '../dot/mcp.json', "$home/.cursor/mcp.json" or die;
	chmod 0640, "$home/dot/mcp.json";
	works('install', 'cursor', '-y');
	ok(-l "$home/.cursor/mcp.json", 'a link stays a link');
	like(slurp("$home/dot/mcp.json"), qr/linnet/,
	    'what it points to is changed');
	is((stat "$home/dot/mcp.json")[2] & 07777, 0640, 'its mode stays');
	is((stat "$home/.cursor/hooks.json")[2] & 07777, 0600,
	    'a new file is for its owner');
	my ($kept) = grep { /mcp\.json$/ } glob "$home/.linnet/backup/*";
	is(slurp($kept), "{}\n", 'what was there is kept');
	is((stat $kept)[2] & 0777, 0600, 'for its owner only');
	works('uninstall', 'cursor', '-y');
	ok(-l "$home/.cursor/mcp.json", 'still a link');
	is(slurp("$home/dot/mcp.json"), "{}\n", 'to what it was');
	ok(!-e $kept, 'what was kept is gone');
	my @rest = grep { m{linnet-[^/]*$} } glob "$home/{dot,.cursor}/{*,.*}";
	is("@rest", '', 'nothing is left beside it');
};

subtest 'on a terminal it asks' => sub {
	home('.cursor/mcp.json' => '{}');
	my @ask = ('env', "HOME=$home", 'script', '-qec',
	    "'$program' install cursor", '/dev/null');
	my ($st, $out) = run([@ask], input => "n\n");
	is($st, 75, 'no');
	like($out, qr/\+ .*mcpServers.*Change these files\? \[Y\/n\]/s,
	    'after it has shown all of it');
	is(slurp("$home/.cursor/mcp.json"), '{}', 'nothing is written');
	($st) = run([@ask], input => '');
	is($st, 75, 'no answer is no');
	($st) = run([@ask], input => "\n");
	is($st, 0, 'yes');
	like(slurp("$home/.cursor/mcp.json"), qr/linnet/, 'it is written');
};

subtest 'a program and configuration in odd places' => sub {
	home('.cursor/mcp.json' => '{}');
	my $odd = "$base/it's \"odd\" here";
	make_path($odd);
	symlink $self, "$odd/linnet" or die;
	put("$odd/config.json", '{"version":1,"meshes":[]}');
	chmod 0600, "$odd/config.json";
	my ($st, undef, $err) = run(['env', "HOME=$home", "PATH=$odd:/bin",
	    "$odd/linnet", '--config', "$odd/config.json", 'install',
	    'cursor', '-y'], input => '');
	is($st, 0, 'installs') or diag($err);
	is_deeply(read_as_host(slurp("$home/.cursor/mcp.json"))
	    ->{mcpServers}{linnet}, { command => "$odd/linnet",
	    args => ['--config', "$odd/config.json", 'mcp'] },
	    'the name by which it was found');
	my $hook = read_as_host(slurp("$home/.cursor/hooks.json"))
	    ->{hooks}{stop}[0]{command};
	($st) = run(['sh', '-c', $hook], input => '');
	is($st, 0, 'the shell runs its hook');
};

done_testing;
