#!/usr/bin/env perl
# SPDX-License-Identifier: ISC
# The OpenAPI document: all that is served is in it, and it is in order.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Linnet::Guard;
use Linnet::OpenAPI;

need(-x "$builddir/linnet-dump", 'linnet-dump');
my $doc = Linnet::OpenAPI::document();
is($doc->{openapi}, '3.1.0', 'the version of OpenAPI');
my @paths = (keys %{ $doc->{paths} }, keys %{ $doc->{'x-websockets'} });

# Every path that the protocols know, or with which one begins or ends.
my @lost;
for my $file (files('src/proto/*.c')) {
	next if $file =~ /openapi/;
	my $c = strip_c(text($file));
	while ($c =~ m!"(?:[A-Z]+ )?(/(?:[a-z][\w.{}/-]*)?)"!g) {
		my $path = $1;
		push @lost, "$file: $path" if !grep {
			$_ eq $path || length $path > 1
			    && (index($_, $path =~ s{(?<=.)/\z}{}r) == 0
			    || /\Q$path\E\z/)
		} @paths;
	}
}
is(join("\n", @lost), '', 'paths in src/proto are in the document');
my @routes;
for my $file (files('src/core/*.c')) {
	my $c = strip_c(text($file));
	while ($c =~ /\.rest\s*=\s*\{(.*?)\}\s*,\s*\n/gs) {
		push @routes, map { [$file, /^([A-Z]+) (.*)$/] }
		    map { unquote($_) } $1 =~ /("[^"]+")/g;
	}
}
is(join("\n", map { "@$_" } grep {
    !$doc->{paths}{ $_->[2] }{ lc $_->[1] } } @routes), '',
    'routes of operations are in the document');
cmp_ok(scalar @routes, '>', 5, 'and there are some');

# One shape, one path: else it is chance which one is meant.
my (%shape, %id, @bad);
for my $path (@paths) {
	my $shape = $path =~ s/\{\w+\}/{}/gr;
	push @bad, "$path and $shape{$shape}" if $shape{$shape};
	$shape{$shape} = $path;
}
is("@bad", '', 'names in paths of one shape are the same');

my %tag = map { $_->{name} => 1 } @{ $doc->{tags} };
@bad = ();
for my $path (sort keys %{ $doc->{paths} }) {
	for my $verb (sort keys %{ $doc->{paths}{$path} }) {
		my $op = $doc->{paths}{$path}{$verb};
		my $name = "$verb $path";
		push @bad, "$name: operationId $op->{operationId} is twice"
		    if $id{ $op->{operationId} }++;
		push @bad, map { "$name: nouns.def has no $_" }
		    grep { !$tag{$_} } @{ $op->{tags} };
		my @in = sort map { $_->{name} }
		    grep { $_->{in} eq 'path' } @{ $op->{parameters} };
		my @braces = sort $path =~ /\{(\w+)\}/g;
		push @bad, "$name: the path has @braces, and not @in"
		    if "@in" ne "@braces";
		my %seen;
		push @bad, map { "$name: parameter $_->{name} is twice" }
		    grep { $seen{"$_->{in} $_->{name}"}++ }
		    @{ $op->{parameters} };
		my %way = map { %$_ ? (join(' ', sort keys %$_) => 1) : () }
		    @{ $op->{security} };
		push @bad, map { "$name: no such credential: $_" }
		    grep { !$doc->{components}{securitySchemes}{$_} }
		    map { split } keys %way;
	}
}
is(join("\n", @bad), '', 'operations are in order');

# References lead somewhere, and what is required is a property.
@bad = ();
sub walk {
	my ($v, $at) = @_;
	if (ref $v eq 'ARRAY') {
		walk($v->[$_], "$at/$_") for 0 .. $#$v;
		return;
	}
	return if ref $v ne 'HASH';
	push @bad, "$at: $v->{'$ref'}"
	    if defined $v->{'$ref'} && !defined Linnet::OpenAPI::resolve($v);
	push @bad, map { "$at: $_ is required" }
	    grep { !$v->{properties}{$_} } @{ $v->{required} }
	    if ref $v->{required} eq 'ARRAY' && $v->{properties};
	walk($v->{$_}, "$at/$_") for sort keys %$v;
	return;
}
walk($doc, '');
is(join("\n", @bad), '', 'references and required members are there');
done_testing;
