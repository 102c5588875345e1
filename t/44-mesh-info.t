#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# What later clients of claudemesh ask when they begin.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet;

my $broker = Linnet->broker(workers => 2);
my $s = $broker->seed;
my ($alice, $bob) = ($broker->peer($s->{peerA}, name => 'alice', session_key => 1,
    groups => ['dev:lead', 'ops/night']), $broker->peer($s->{peerB}, name => 'bob',
    session_key => 1, groups => ['dev']));
my $tool = $broker->peer($s->{peerB}, session_key => 1, groups => ['tools'],
    hello => { peerRole => 'control-plane' });

my $r = $alice->request({ type => 'mesh_info' });
is($r->{type}, 'mesh_info_result', 'an answer');
is($r->{mesh}, $s->{meshId}, 'the mesh');
is($r->{peers}, 2, 'peers, as list_peers shows them');
is(join(' ', sort @{ $r->{groups} }), '@dev @ops @ops/night', 'groups');
is($r->{yourName}, 'alice', 'who asks');
is_deeply([sort { $a->{name} cmp $b->{name} } @{ $r->{yourGroups} }],
    [{ name => 'dev', role => 'lead' }, { name => 'ops/night' }],
    'its groups');
is_deeply([@$r{qw(stateKeys stateKeyCount memoryCount fileCount)}],
    [[], 0, 0, 0], 'nothing yet');
is_deeply([@$r{qw(streams tables collections)}], [[], [], []],
    'what there is not');
is_deeply($r->{tasks}, { open => 0, claimed => 0, done => 0 }, 'no tasks');

$alice->request({ type => 'set_state', key => $_, value => 1 })
    for 'b', 'a', 'c';
$alice->request({ type => 'delete_state', key => 'c' });
my @ids = map { $alice->request({ type => 'remember',
    content => "m$_" })->{memoryId} } 1 .. 3;
$alice->request({ type => 'forget', memoryId => $ids[0] });
$bob->request({ type => 'set_visible', visible => Cpanel::JSON::XS::false });
# What one worker was told of, the other hears a moment later.
my $now = wait_until {
	$r = $alice->request({ type => 'mesh_info' });
	$r->{peers} == 1
} 5;
ok($now, 'a hidden one is not counted');
is_deeply([@$r{qw(stateKeys stateKeyCount memoryCount)}], [['a', 'b'], 2, 2],
    'state and memory');
is($bob->request({ type => 'mesh_info' })->{peers}, 2, 'but by itself');
is($broker->peer($broker->seed->{peerA})->request({ type => 'mesh_info' })->{memoryCount},
    0, 'another mesh has its own');

is_deeply($alice->request({ type => 'list_skills', query => 'x' })->{skills},
    [], 'no skills');
$r = $alice->request({ type => 'get_skill', name => 'x' });
is($r->{type}, 'skill_data', 'a skill is answered');
ok(exists $r->{skill} && !defined $r->{skill}, 'that there is none');
is($broker->stop, 0, 'stopped');
done_testing;
