# SPDX-License-Identifier: ISC
# The OpenAPI document as built, and whether answers are as it says.
package Linnet::OpenAPI;
use strict;
use warnings;
use B ();
use Cpanel::JSON::XS ();
use Linnet::Guard ();
use Linnet::Proc qw(run complain);

my ($document, @paths);

sub document {
	$document //= do {
		my ($st, $out) = run(
		    ["$Linnet::Guard::builddir/linnet-dump", 'OPENAPI']);
		die "linnet-dump OPENAPI: status $st" if $st != 0;
		Cpanel::JSON::XS->new->utf8->decode($out);
	};
	return $document;
}

# What a reference stands for.
sub resolve {
	my ($v) = @_;
	while (ref $v eq 'HASH' && defined $v->{'$ref'}) {
		my @parts = split m{/}, $v->{'$ref'} =~ s{^#/}{}r;
		$v = document();
		$v = $v->{$_} for @parts;
	}
	return $v;
}

# A template as a pattern.
sub shape {
	my ($path) = @_;
	my $any = '[^/]+';
	my $p = join $any, map { quotemeta } split /\{\w+\}/, $path, -1;
	# A file may have no name that a path can have.
	$p =~ s/\Q$any\E\z/[^\/]*/ if $path =~ /\{name\}\z/;
	return qr/\A$p\z/;
}

# The operations that a request may be meant for, the closest first.
sub operations {
	my ($method, $target) = @_;
	my ($path) = $target =~ /^([^?]*)/;
	@paths = map { [$_, shape($_), tr/{//] } keys %{ document()->{paths} }
	    if !@paths;
	my $verb = $method eq 'HEAD' ? 'get' : lc $method;
	return grep { defined } map { document()->{paths}{ $_->[0] }{$verb} }
	    sort { $a->[2] <=> $b->[2] } grep { $path =~ $_->[1] } @paths;
}

my %is = (
	null => sub { !defined $_[0] },
	boolean => sub { Cpanel::JSON::XS::is_bool($_[0]) },
	object => sub { ref $_[0] eq 'HASH' },
	array => sub { ref $_[0] eq 'ARRAY' },
	number => sub { is_number($_[0]) },
	integer => sub { is_number($_[0]) && $_[0] =~ /^-?\d+$/ },
	string => sub { defined $_[0] && !ref $_[0] && is_text($_[0]) },
);

sub is_text {
	return B::svref_2object(\$_[0])->FLAGS & B::SVf_POK;
}

# The decoder has what is too long for a number as text.
sub is_number {
	return defined $_[0] && !ref $_[0]
	    && (!is_text($_[0]) || $_[0] =~ /^-?\d{17,}$/);
}

sub is_one_of {
	my ($v, @of) = @_;
	return scalar grep {
		defined $v && defined $_ ? $v eq $_ : !defined $v && !defined $_
	} @of;
}

# What is wrong with a value: a sentence each, with the place.
sub faults {
	my ($schema, $v, $at) = @_;
	$schema = resolve($schema);
	if (my $any = $schema->{anyOf}) {
		my @all = map { [faults($_, $v, $at)] } @$any;
		return (grep { !@$_ } @all) ? () : @{ $all[0] };
	}
	my $types = $schema->{type};
	$types = [$types] if defined $types && !ref $types;
	my ($type) = grep { $is{$_}->($v) } @{ $types || [] };
	return "$at is no @$types" if $types && !defined $type;
	my @bad;
	push @bad, "$at is none of the words"
	    if $schema->{enum} && !is_one_of($v, @{ $schema->{enum} });
	return (@bad, members($schema, $v, $at)) if ref $v eq 'HASH';
	return (@bad, items($schema, $v, $at)) if ref $v eq 'ARRAY';
	return @bad if !defined $v || ref $v;
	push @bad, "$at does not fit $schema->{pattern}: $v"
	    if defined $schema->{pattern} && $v !~ /$schema->{pattern}/;
	push @bad, "$at is no time: $v"
	    if ($schema->{format} // '') eq 'date-time'
	    && $v !~ /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/;
	push @bad, "$at is too long"
	    if defined $schema->{maxLength} && length $v > $schema->{maxLength};
	push @bad, "$at is too great"
	    if defined $schema->{maximum} && $v > $schema->{maximum};
	push @bad, "$at is too small"
	    if defined $schema->{minimum} && $v < $schema->{minimum};
	return @bad;
}

sub members {
	my ($schema, $v, $at) = @_;
	my $p = $schema->{properties} || {};
	# An answer has nothing that the document does not know.
	return ((map { "$at/$_ is missing" } grep { !exists $v->{$_} }
		@{ $schema->{required} || [] }),
	    (map { "$at/$_ is not described" } grep { $schema->{properties}
		&& !exists $p->{$_} } sort keys %$v),
	    (map { faults($p->{$_}, $v->{$_}, "$at/$_") }
		grep { exists $p->{$_} } sort keys %$v));
}

sub items {
	my ($schema, $v, $at) = @_;
	return () if !$schema->{items};
	return map { faults($schema->{items}, $v->[$_], "$at/$_") } 0 .. $#$v;
}

# What is wrong with an answer to an operation.
sub answer_faults {
	my ($op, $r, $is_head) = @_;
	my $all = $op->{responses};
	my $said = resolve($all->{ $r->{status} }
	    // $all->{ substr($r->{status}, 0, 1) . 'XX' });
	return "the status $r->{status} is not described" if !$said;
	my ($type) = ($r->{headers}{'content-type'} // '') =~ /^([^;\s]*)/;
	my $content = $said->{content};
	return () if $is_head || $r->{body} eq '';
	my $media = $content && ($content->{$type} // $content->{'*/*'});
	return "the type $type is not described for $r->{status}" if !$media;
	return () if !$media->{schema} || $type !~ /json$/;
	my $v = eval {
		Cpanel::JSON::XS->new->utf8->allow_nonref->decode($r->{body});
	};
	return "the body is no JSON: $@" if $@;
	return faults($media->{schema}, $v, '');
}

# The same of an answer to a request; nothing where the path is not described
# and not answered well.
sub check {
	my ($method, $target, $r) = @_;
	my @ops = operations($method, $target);
	my @best;
	if (!@ops) {
		return () if $r->{status} >= 400 && $r->{status} < 500
		    || $method eq 'OPTIONS' || $r->{status} == 101;
		return "$r->{status} for what is not described";
	}
	for my $op (@ops) {
		my @bad = answer_faults($op, $r, $method eq 'HEAD');
		return () if !@bad;
		@best = @bad if !@best;
	}
	return @best;
}

# For the harness: what is wrong fails the test at its end.
sub watch {
	my ($method, $target, $r) = @_;
	my @bad = check($method, $target, $r);
	complain("$method $target: " . join('; ', @bad[0 .. ($#bad < 4
	    ? $#bad : 4)]) . "\n$r->{body}") if @bad;
	return;
}

1;
