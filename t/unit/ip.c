/* SPDX-License-Identifier: ISC */
/*
 * ip.c: what is an address and a network, and which are not for everybody.
 */
#include "base/base.h"

#include <string.h>

#include "tap.h"

static const struct {
	const char *ip;
	const char *why; /* NULL: it is for everybody */
} specials[] = {
	{ "8.8.8.8", NULL },
	{ "1.1.1.1", NULL },
	{ "9.255.255.255", NULL },
	{ "11.0.0.0", NULL },
	{ "172.15.255.255", NULL },
	{ "172.32.0.0", NULL },
	{ "100.63.255.255", NULL },
	{ "100.128.0.0", NULL },
	{ "223.255.255.255", NULL },
	{ "2606:4700::1111", NULL },
	{ "2a00::1", NULL },
	{ "64:ff9b::808:808", NULL },
	{ "2002:808:808::1", NULL },
	{ "::ffff:8.8.8.8", NULL },
	{ "0.0.0.0", "unspecified" },
	{ "0.255.255.255", "unspecified" },
	{ "10.0.0.0", "private-use" },
	{ "10.255.255.255", "private-use" },
	{ "100.64.0.0", "shared-address" },
	{ "100.127.255.255", "shared-address" },
	{ "127.0.0.1", "loopback" },
	{ "127.255.255.255", "loopback" },
	{ "168.63.129.16", "metadata" },
	{ "169.254.169.254", "link-local" },
	{ "172.16.0.0", "private-use" },
	{ "172.31.255.255", "private-use" },
	{ "192.0.0.8", "reserved" },
	{ "192.0.2.1", "documentation" },
	{ "192.168.255.255", "private-use" },
	{ "198.19.0.1", "benchmarking" },
	{ "224.0.0.1", "multicast" },
	{ "239.255.255.255", "multicast" },
	{ "240.0.0.1", "reserved" },
	{ "255.255.255.255", "reserved" },
	{ "::", "unspecified" },
	{ "::1", "loopback" },
	{ "::2", "reserved" },
	{ "::127.0.0.1", "reserved" },
	{ "::ffff:127.0.0.1", "loopback" },
	{ "::ffff:a9fe:a9fe", "link-local" },
	{ "64:ff9b::7f00:1", "loopback" },
	{ "64:ff9b:1::1", "private-use" },
	{ "100::1", "discard" },
	{ "2001::1", "reserved" },
	{ "2001:db8::1", "documentation" },
	{ "2002:7f00:1::", "loopback" },
	{ "3fff::1", "documentation" },
	{ "4000::1", "reserved" },
	{ "fc00::1", "unique-local" },
	{ "fd00:ec2::254", "unique-local" },
	{ "fe80::1", "link-local" },
	{ "fec0::1", "reserved" },
	{ "ff02::1", "multicast" },
};

static void
test_special(void)
{
	const char *why;
	struct ip ip;
	size_t i;

	for (i = 0; i < NELEM(specials); i++) {
		const char *s = specials[i].ip;

		if (ip_parse(&ip, s, strlen(s)) == -1) {
			ok(false, "%s is an address", s);
			continue;
		}
		why = ip_special(&ip);
		is_str(why != NULL ? why : "for everybody",
		    specials[i].why != NULL ? specials[i].why : "for everybody",
		    "%s", s);
	}
}

static void
test_parse(void)
{
	static const char *const bad[] = { "", "1", "1.2.3", "1.2.3.256",
		"01.2.3.4", "0x7f.0.0.1", "127.1", "1.2.3.4.5", "[::1]",
		":::", "fe80::1%eth0", "1.2.3.4 ", "::ffff:1.2.3", "g::" };
	char text[IP_TEXT_LEN + 1];
	struct ip ip;
	size_t i;

	for (i = 0; i < NELEM(bad); i++)
		is_int(ip_parse(&ip, bad[i], strlen(bad[i])), -1,
		    "\"%s\" is none", bad[i]);
	is_int(ip_parse(&ip, "1.2.3.4\0", 8), -1, "nor is one with a NUL");
	is_int(ip_parse(&ip, "::FFFF:1.2.3.4", 14), 0, "a mapped one");
	is_str(ip_text(&ip, text), "1.2.3.4", "is that of IPv4");
	is_int(ip_parse(&ip, "2A00:0:0::1", 11), 0, "one of IPv6");
	is_str(ip_text(&ip, text), "2a00::1", "is written shortly");
}

static void
test_net(void)
{
	static const struct {
		const char *net, *ip;
		bool has;
	} rows[] = {
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "10.0.0.0/9", "10.127.0.1", true },
		{ "10.0.0.0/9", "10.128.0.1", false },
		{ "10.1.2.3", "10.1.2.3", true },
		{ "10.1.2.3", "10.1.2.4", false },
		{ "10.1.2.3/32", "::ffff:10.1.2.3", true },
		{ "0.0.0.0/0", "255.1.2.3", true },
		{ "0.0.0.0/0", "::1", false },
		{ "fd00::/8", "fdff::1", true },
		{ "fd00::/8", "fc00::1", false },
		{ "::/0", "1.2.3.4", true },
	};
	static const char *const bad[] = { "10.0.0.0/33", "10.0.0.0/",
		"10.0.0.0/-1", "10.0.0.0/8x", "::/129", "/8", "x/8",
		"10.0.0.0/0008" };
	struct ip_net net;
	struct ip ip;
	size_t i;

	for (i = 0; i < NELEM(rows); i++)
		ok(ip_net_parse(&net, rows[i].net, strlen(rows[i].net)) == 0 &&
			ip_parse(&ip, rows[i].ip, strlen(rows[i].ip)) == 0 &&
			ip_net_has(&net, &ip) == rows[i].has,
		    "%s %s %s", rows[i].net, rows[i].has ? "has" : "has not",
		    rows[i].ip);
	for (i = 0; i < NELEM(bad); i++)
		is_int(ip_net_parse(&net, bad[i], strlen(bad[i])), -1,
		    "\"%s\" is no network", bad[i]);
}

int
main(void)
{
	test_special();
	test_parse();
	test_net();
	return tap_done();
}
