/* SPDX-License-Identifier: ISC */
/*
 * Addresses: what is read, how it is printed, what is this machine, and that
 * one can listen on them.
 */
#include <sys/stat.h>
#include <sys/un.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/net.h"
#include "tap.h"

#define LONG_60 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void
test_parse(void)
{
	/* print is NULL for what is refused. */
	static const struct {
		const char *text;
		const char *print;
		bool loopback;
	} rows[] = {
		{ "127.0.0.1:7900", "127.0.0.1:7900", true },
		{ "127.255.0.9:1", "127.255.0.9:1", true },
		{ "10.0.0.1:65535", "10.0.0.1:65535", false },
		{ "0.0.0.0:0", "0.0.0.0:0", false },
		{ "[::1]:0", "[::1]:0", true },
		{ "[::1]:7900", "[::1]:7900", true },
		{ "[2001:db8::7]:443", "[2001:db8::7]:443", false },
		{ "[::ffff:127.0.0.1]:80", "127.0.0.1:80", true },
		{ "[::ffff:8.8.8.8]:80", "8.8.8.8:80", false },
		{ "[::]:80", "*:80", false },
		{ "unix:/run/linnet.sock", "unix:/run/linnet.sock", true },
		{ "unix:relative", "unix:relative", true },
		{ "", NULL, false },
		{ "127.0.0.1", NULL, false },
		{ "127.0.0.1:", NULL, false },
		{ "127.0.0.1:x", NULL, false },
		{ "127.0.0.1: 80", NULL, false },
		{ "127.0.0.1:-1", NULL, false },
		{ "127.0.0.1:+1", NULL, false },
		{ "127.0.0.1:65536", NULL, false },
		{ "127.0.0.1:99999999999999999999", NULL, false },
		{ ":80", NULL, false },
		{ "::1:80", NULL, false },
		{ "[::1]", NULL, false },
		{ "[::1:80", NULL, false },
		{ "[]:80", NULL, false },
		{ "[127.0.0.1]:80", NULL, false },
		{ "[x::y]:80", NULL, false },
		{ "no.such.host.invalid:80", NULL, false },
		{ "unix:", NULL, false },
		{ "unix:/" LONG_60 LONG_60, NULL, false },
		{ LONG_60 LONG_60 LONG_60 LONG_60 LONG_60 ":80", NULL, false },
	};
	char out[NET_ADDR_LEN];
	struct net_addr a;
	const char *wrong;
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		wrong = net_addr_parse(rows[i].text, &a);
		if (rows[i].print == NULL) {
			ok(wrong != NULL, "refuses \"%.30s\": %s", rows[i].text,
			    wrong != NULL ? wrong : "");
			continue;
		}
		is_str(wrong, NULL, "reads %s", rows[i].text);
		net_addr_print(&a, out);
		is_str(out, rows[i].print, "prints %s", rows[i].text);
		is_int(net_addr_is_loopback(&a), rows[i].loopback,
		    "%s is%s this machine", rows[i].text,
		    rows[i].loopback ? "" : " not");
	}
	is_str(net_addr_parse("*:7900", &a), NULL, "reads *:7900");
	net_addr_print(&a, out);
	ok(strcmp(out, "*:7900") == 0 || strcmp(out, "0.0.0.0:7900") == 0,
	    "prints what is every address");
	ok(!net_addr_is_loopback(&a), "every address is not only this one");
	is_str(net_addr_parse("localhost:80", &a), NULL, "resolves localhost");
	ok(net_addr_is_loopback(&a), "which is this machine");
}

static void
test_print_foreign(void)
{
	struct net_addr a;
	char out[NET_ADDR_LEN];

	memset(&a, 0, sizeof(a));
	a.ss.ss_family = AF_UNIX;
	a.len = sizeof(sa_family_t);
	net_addr_print(&a, out);
	is_str(out, "unix:", "the end of a client on a unix socket");
	memset(&a.ss, 'x', sizeof(a.ss));
	a.ss.ss_family = AF_UNIX;
	a.len = sizeof(struct sockaddr_un);
	net_addr_print(&a, out);
	is_int(strlen(out), 5 + 108, "a path without a NUL stays in bounds");
	a.ss.ss_family = AF_UNSPEC;
	net_addr_print(&a, out);
	is_str(out, "unknown", "another family");
	ok(!net_addr_is_loopback(&a), "is not this machine");
}

/* Listens at an address and connects to what it became. */
static void
test_listen(const char *text)
{
	struct net_addr a;
	int fd, client;
	char out[NET_ADDR_LEN];

	is_str(net_addr_parse(text, &a), NULL, "%s", text);
	if ((fd = net_listen(&a, 16)) == -1) {
		ok(errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT,
		    "%s is not there on this machine", text);
		return;
	}
	net_addr_print(&a, out);
	ok(strcmp(out + strlen(out) - 2, ":0") != 0,
	    "%s got a port of its own: %s", text, out);
	client = socket(a.ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	is_int(connect(client, (struct sockaddr *)&a.ss, a.len), 0,
	    "one can connect to %s", out);
	is_int(net_listen(&a, 16), -1, "nobody else can have it");
	is_int(errno, EADDRINUSE, "as errno says");
	close(client);
	close(fd);
}

static void
test_unix(void)
{
	char dir[] = "/tmp/linnet-net-XXXXXX", text[64];
	struct net_addr a;
	int fd, again, clients[32];
	size_t n;
	FILE *f;

	if (mkdtemp(dir) == NULL) {
		ok(false, "mkdtemp");
		return;
	}
	snprintf(text, sizeof(text), "unix:%s/s", dir);
	is_str(net_addr_parse(text, &a), NULL, "a unix socket");
	fd = net_listen(&a, 16);
	ok(fd != -1, "listens on a unix socket");
	is_int(net_listen(&a, 16), -1, "a living one is not taken over");
	for (n = 0; n < NELEM(clients); n++) {
		clients[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(clients[n], (struct sockaddr *)&a.ss, a.len);
	}
	is_int(net_listen(&a, 16), -1, "nor one that is too busy to answer");
	for (n = 0; n < NELEM(clients); n++)
		close(clients[n]);
	close(fd);
	again = net_listen(&a, 16);
	ok(again != -1, "a dead one is");
	close(again);
	unlink(text + 5);
	if ((f = fopen(text + 5, "w")) != NULL)
		fclose(f);
	is_int(net_listen(&a, 16), -1, "a file is never removed");
	is_int(access(text + 5, F_OK), 0, "it is still there");
	unlink(text + 5);
	rmdir(dir);
}

int
main(void)
{
	test_parse();
	test_print_foreign();
	test_listen("127.0.0.1:0");
	test_listen("[::1]:0");
	test_listen("*:0");
	test_unix();
	return tap_done();
}
