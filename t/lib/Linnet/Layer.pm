# SPDX-License-Identifier: ISC
# A back end as message-layer has them: it shows the key of the platform, says
# for whom it acts, and dies with the status and the body of what fails, which
# is what its callers look at.
package Linnet::Layer;
use strict;
use warnings;
use Carp 'croak';
use Cpanel::JSON::XS ();

my $json = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;

# broker, key; of a principal: actor, org, scopes.
sub new {
	my ($class, %o) = @_;
	return bless {%o}, $class;
}

# The same back end for another member.
sub as {
	my ($self, $actor, $org, @scopes) = @_;
	return Linnet::Layer->new(%$self, principal => { actorId => $actor,
	    orgId => $org, scopes => \@scopes, provider => 'test' });
}

# A request as it is answered.
sub answer {
	my ($self, $method, $path, $body, %headers) = @_;
	my $h = { 'content-type' => 'application/json', %headers };
	$h->{'x-api-key'} = $self->{key} if defined $self->{key};
	$h->{'x-principal'} = $json->encode($self->{principal})
	    if defined $self->{principal};
	return $self->{broker}->http($method, $path, $h,
	    defined $body ? $json->encode($body) : undef);
}

# What a good answer says; dies of any other.
sub call {
	my ($self, $method, $path, $body) = @_;
	my $r = $self->answer($method, $path, $body);
	croak "message-layer $r->{status}: $r->{body}"
	    if $r->{status} < 200 || $r->{status} > 299;
	return $json->decode($r->{body});
}

# The same for who is nobody yet.
sub setup {
	my ($self, $path, $body) = @_;
	my %o = %$self;
	delete $o{principal};
	return Linnet::Layer->new(%o)->call('POST', $path, $body);
}
sub create_org { return $_[0]->setup('/v1/orgs', { name => $_[1] })->{orgId} }
sub create_actor {
	my ($self, $org, $name, $type) = @_;
	return $self->setup('/v1/actors', { orgId => $org,
	    displayName => $name, actorType => $type })->{actorId};
}
sub delete_org { return $_[0]->call('DELETE', "/v1/orgs/$_[1]") }
sub actors { return @{ $_[0]->call('GET', '/v1/actors')->{actors} } }
sub members { return @{ $_[0]->call('GET', '/v1/members')->{members} } }

sub create_channel {
	my ($self, $name, $visibility) = @_;
	return $self->call('POST', '/v1/channels', { name => $name,
	    visibility => $visibility // 'public' })->{channelId};
}
sub channels { return @{ $_[0]->call('GET', '/v1/channels')->{channels} } }
sub delete_channel { return $_[0]->call('DELETE', "/v1/channels/$_[1]") }
sub add_member {
	my ($self, $channel, $actor, $role) = @_;
	return $self->call('POST', "/v1/channels/$channel/members",
	    { actorId => $actor, role => $role // 'member' });
}
sub remove_member {
	return $_[0]->call('DELETE', "/v1/channels/$_[1]/members/$_[2]");
}
sub channel_members {
	return @{ $_[0]->call('GET', "/v1/channels/$_[1]/members")
	    ->{members} };
}
sub create_thread {
	my ($self, $channel, $message, $visibility) = @_;
	return $self->call('POST', '/v1/threads', { channelId => $channel,
	    parentMessageId => $message,
	    visibility => $visibility // 'public' })->{threadId};
}
sub threads {
	return @{ $_[0]->call('GET', "/v1/channels/$_[1]/threads")
	    ->{threads} };
}

my $keys = 0;
sub text { return { type => 'text', payload => { text => $_[0] } } }
# kind, id, parts; key, or one of its own.
sub append {
	my ($self, $kind, $id, $parts, $key) = @_;
	return $self->call('POST', '/v1/messages', { streamId => $id,
	    streamType => $kind, parts => $parts,
	    idempotencyKey => $key // 'key-' . ++$keys });
}
sub messages {
	my ($self, $stream, $query) = @_;
	return @{ $self->call('GET', "/v1/streams/$stream/messages"
	    . ($query // ''))->{messages} };
}
sub redact {
	return $_[0]->call('POST', "/v1/messages/$_[1]/redact",
	    { reason => $_[2] // '' });
}

1;
