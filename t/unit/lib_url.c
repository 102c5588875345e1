/* SPDX-License-Identifier: ISC */
/* linnet_url.c: addresses of brokers, good and bad. */
#include "lib/lib.h"

#include <string.h>
#include <strings.h>

#include "tap.h"

static const struct {
	const char *url;
	const char *host; /* NULL: refused with the code in `port` */
	const char *port;
	const char *authority;
	const char *path;
} rows[] = {
	{ "ws://h", "h", "80", "h", "/ws" },
	{ "ws://h/", "h", "80", "h", "/ws" },
	{ "ws://h:7900/ws", "h", "7900", "h:7900", "/ws" },
	{ "WS://h:7900/mesh/ws?x=1", "h", "7900", "h:7900", "/mesh/ws?x=1" },
	{ "http://10.0.0.1:7900", "10.0.0.1", "7900", "10.0.0.1:7900", "/ws" },
	{ "ws://[::1]:7900/ws", "::1", "7900", "[::1]:7900", "/ws" },
	{ "ws://[fe80::1%25eth0]", "fe80::1%25eth0", "80", "[fe80::1%25eth0]",
	    "/ws" },
	{ "unix:/run/linnet.sock", "/run/linnet.sock", "", "localhost", "/ws" },
	{ "wss://h/ws", "h", "443", "h", "/ws" },
	{ "https://h", "h", "443", "h", "/ws" },
	{ "WSS://h:7943", "h", "7943", "h:7943", "/ws" },
	{ "", NULL, "bad_url", NULL, NULL },
	{ "h:7900", NULL, "bad_url", NULL, NULL },
	{ "ftp://h", NULL, "bad_url", NULL, NULL },
	{ "ws://", NULL, "bad_url", NULL, NULL },
	{ "ws://:7900", NULL, "bad_url", NULL, NULL },
	{ "ws:///ws", NULL, "bad_url", NULL, NULL },
	{ "ws://h:", NULL, "bad_url", NULL, NULL },
	{ "ws://h:0", NULL, "bad_url", NULL, NULL },
	{ "ws://h:65536", NULL, "bad_url", NULL, NULL },
	{ "ws://h:12x", NULL, "bad_url", NULL, NULL },
	{ "ws://[::1", NULL, "bad_url", NULL, NULL },
	{ "ws://[::1]x", NULL, "bad_url", NULL, NULL },
	{ "ws://[]:1", NULL, "bad_url", NULL, NULL },
	{ "ws://u:p@h", NULL, "bad_url", NULL, NULL },
	{ "ws://h/ws#x", NULL, "bad_url", NULL, NULL },
	{ "ws://h?x", NULL, "bad_url", NULL, NULL },
	{ "ws://h/ws\r\nX: y", NULL, "bad_url", NULL, NULL },
	{ "ws://h/a b", NULL, "bad_url", NULL, NULL },
	{ "unix:sock", NULL, "bad_url", NULL, NULL },
};

int
main(void)
{
	struct linnet_error e;
	struct linnet_url u;
	char path[200];
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		int r = linnet_url_read(&u, rows[i].url, &e);

		if (rows[i].host == NULL) {
			is_str(r == -1 ? e.code : "accepted", rows[i].port,
			    "refused: \"%s\"", rows[i].url);
			continue;
		}
		ok(r == 0, "read: %s", rows[i].url);
		is_int(u.tls,
		    strncasecmp(rows[i].url, "wss", 3) == 0 ||
			strncasecmp(rows[i].url, "https", 5) == 0,
		    "with TLS or without");
		is_str(u.host, rows[i].host, "its host");
		is_str(u.port, rows[i].port, "its port");
		is_str(u.authority, rows[i].authority, "its authority");
		is_str(u.path, rows[i].path, "its path");
	}
	memset(path, 'x', sizeof(path));
	memcpy(path, "unix:/", 6);
	path[sizeof(path) - 1] = '\0';
	ok(linnet_url_read(&u, path, &e) == -1,
	    "a socket's path has its limit");
	return tap_done();
}
