# SPDX-License-Identifier: ISC
# REST as an application has it: routes of /v1, for members for whom a back end
# acts (x-principal), or with tokens.
package Linnet::Rest;
use strict;
use warnings;
use Cpanel::JSON::XS ();
use Exporter 'import';
use Linnet ();
use Linnet::Proc 'scratch';

our @EXPORT_OK = qw(platform_key principal rest);

my $json = Cpanel::JSON::XS->new->utf8->canonical;
my $key = 'a-key-of-the-platform-which-is-long-enough';

# The options of a broker that trusts the key.
sub platform_key {
	my $file = scratch() . '/platform.key';
	open my $fh, '>', $file or die "$file: $!";
	print {$fh} "$key\n";
	close $fh or die "$file: $!";
	chmod 0600, $file or die "$file: $!";
	return ("platform.key_file $file");
}

# Headers of a request for a member, who has these scopes.
sub principal {
	my ($member, @scopes) = @_;
	return { 'x-api-key' => $key, 'x-principal' => $json->encode({
	    actorId => $member->{memberId}, orgId => $member->{meshId},
	    scopes => \@scopes, provider => 'test' }) };
}

# Asks; who: headers, or the text of a token.  The answer's JSON, with its
# status as {http}.
sub rest {
	my ($broker, $who, $method, $path, $body) = @_;
	my $h = ref $who ? $who : { Authorization => "Bearer $who" };
	my $r = $broker->http($method => $path, $h, $body);
	my $j = ref $r->{json} eq 'HASH' ? $r->{json} : { body => $r->{body} };
	return { %$j, http => $r->{status} };
}

1;
