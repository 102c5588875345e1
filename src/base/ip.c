/* SPDX-License-Identifier: ISC */
/*
 * Addresses of the Internet protocols.  All have 16 bytes: one of IPv4 is
 * mapped into IPv6 (RFC 4291 2.5.5.2), so that one table serves both, and an
 * address has no second form in which it is let through.
 */
#include "base/base.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define IP_TEXT 64

static const uint8_t ip_mapped[12] = { [10] = 0xff, [11] = 0xff };

/*
 * What is not for everybody (IANA IPv4 and IPv6 Special-Purpose Address
 * Registries), the narrower first.  168.63.129.16 is where a cloud tells its
 * machines about themselves, under a public address.
 */
static const struct ip_range {
	const char *net;
	const char *why;
} ip_ranges[] = {
	{ "0.0.0.0/8", "unspecified" },
	{ "10.0.0.0/8", "private-use" },
	{ "100.64.0.0/10", "shared-address" },
	{ "127.0.0.0/8", "loopback" },
	{ "168.63.129.16/32", "metadata" },
	{ "169.254.0.0/16", "link-local" },
	{ "172.16.0.0/12", "private-use" },
	{ "192.0.0.0/24", "reserved" },
	{ "192.0.2.0/24", "documentation" },
	{ "192.88.99.0/24", "reserved" },
	{ "192.168.0.0/16", "private-use" },
	{ "198.18.0.0/15", "benchmarking" },
	{ "198.51.100.0/24", "documentation" },
	{ "203.0.113.0/24", "documentation" },
	{ "224.0.0.0/4", "multicast" },
	{ "240.0.0.0/4", "reserved" },
	{ "0.0.0.0/0", NULL },
	{ "::/128", "unspecified" },
	{ "::1/128", "loopback" },
	{ "64:ff9b:1::/48", "private-use" },
	{ "100::/64", "discard" },
	{ "2001::/23", "reserved" },
	{ "2001:db8::/32", "documentation" },
	{ "3fff::/20", "documentation" },
	{ "fc00::/7", "unique-local" },
	{ "fe80::/10", "link-local" },
	{ "ff00::/8", "multicast" },
	{ "2000::/3", NULL },
	{ "::/0", "reserved" },
};

/* Where one of IPv4 is within one of IPv6: NAT64 (RFC 6052), 6to4 (RFC 3056).
 */
static const struct ip_within {
	const char *net;
	size_t at;
} ip_withins[] = {
	{ "64:ff9b::/96", 12 },
	{ "2002::/16", 2 },
};

int
ip_parse(struct ip *ip, const char *s, size_t n)
{
	char text[IP_TEXT];

	if (n >= sizeof(text) || memchr(s, '\0', n) != NULL)
		return -1;
	memcpy(text, s, n);
	text[n] = '\0';
	if (inet_pton(AF_INET6, text, ip->b) == 1)
		return 0;
	memcpy(ip->b, ip_mapped, sizeof(ip_mapped));
	return inet_pton(AF_INET, text, ip->b + sizeof(ip_mapped)) == 1 ? 0
									: -1;
}

bool
ip_is_v4(const struct ip *ip)
{
	return memcmp(ip->b, ip_mapped, sizeof(ip_mapped)) == 0;
}

char *
ip_text(const struct ip *ip, char out[IP_TEXT_LEN + 1])
{
	const char *done;

	if (ip_is_v4(ip))
		done = inet_ntop(
		    AF_INET, ip->b + sizeof(ip_mapped), out, IP_TEXT_LEN + 1);
	else
		done = inet_ntop(AF_INET6, ip->b, out, IP_TEXT_LEN + 1);
	if (done == NULL)
		fatal("inet_ntop");
	return out;
}

int
ip_net_parse(struct ip_net *net, const char *s, size_t n)
{
	const char *slash = memchr(s, '/', n);
	size_t len = slash != NULL ? (size_t)(slash - s) : n, i;
	unsigned most, bits = 0;

	if (ip_parse(&net->ip, s, len) == -1)
		return -1;
	most = memchr(s, ':', len) != NULL ? 128 : 32;
	if (slash == NULL)
		bits = most;
	else if (len + 1 == n || n - len > 4)
		return -1;
	for (i = len + 1; slash != NULL && i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		bits = bits * 10 + (unsigned)(s[i] - '0');
	}
	if (bits > most)
		return -1;
	net->bits = bits + 128 - most;
	return 0;
}

bool
ip_net_has(const struct ip_net *net, const struct ip *ip)
{
	unsigned bytes = net->bits / 8, rest = net->bits % 8;

	return memcmp(net->ip.b, ip->b, bytes) == 0 &&
	       (rest == 0 ||
		   ((net->ip.b[bytes] ^ ip->b[bytes]) >> (8 - rest)) == 0);
}

static bool
ip_is_in(const char *text, const struct ip *ip)
{
	struct ip_net net;

	if (ip_net_parse(&net, text, strlen(text)) == -1)
		fatalx("the network %s", text);
	return ip_net_has(&net, ip);
}

const char *
ip_special(const struct ip *ip)
{
	const struct ip_within *w;
	const struct ip_range *r;
	struct ip inner;

	for (w = ip_withins; w < ip_withins + NELEM(ip_withins); w++)
		if (ip_is_in(w->net, ip)) {
			memcpy(inner.b, ip_mapped, sizeof(ip_mapped));
			memcpy(inner.b + sizeof(ip_mapped), ip->b + w->at, 4);
			return ip_special(&inner);
		}
	for (r = ip_ranges; !ip_is_in(r->net, ip); r++)
		continue;
	return r->why;
}
