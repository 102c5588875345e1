/* SPDX-License-Identifier: ISC */
/* linnet_http.c: heads of responses, the consent to an upgrade, errors. */
#include "lib/lib.h"

#include "tap.h"

/* RFC 6455 1.3 */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static const struct {
	const char *text;
	int r;
	int status;
	int64_t length;
} heads[] = {
	{ "", 0, 0, 0 },
	{ "HTT", 0, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nA: b\r\n", 0, 0, 0 },
	{ "HTTP/1.1 200 OK\r\n\r\n", 1, 200, -1 },
	{ "HTTP/1.0 404 \r\nContent-Length:  12 \r\n\r\n", 1, 404, 12 },
	{ "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 1, 200, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 1, 200, -2 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
	    1, 200, -2 },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 1, 200, -2 },
	{ "HTTP/2 200\r\n\r\n", -1, 0, 0 },
	{ "SSH-2.0-OpenSSH\r\n", -1, 0, 0 },
	{ "HTTP/1.1\r\n\r\n", -1, 0, 0 },
	{ "HTTP/1.1 2x0 OK\r\n\r\n", -1, 0, 0 },
};

#define SWITCH "HTTP/1.1 101 Switching Protocols\r\n"
#define UP "Upgrade: WebSocket\r\n"
#define CO "Connection: keep-alive, Upgrade\r\n"
#define AC "Sec-WebSocket-Accept: "
static const struct {
	const char *text;
	bool good;
} upgrades[] = {
	{ SWITCH UP CO AC ACCEPT "\r\n\r\n", true },
	{ SWITCH "upgrade: websocket\r\nCONNECTION: upgrade\r\n"
		 "sec-websocket-accept:" ACCEPT "\r\n\r\n",
	    true },
	{ "HTTP/1.1 200 OK\r\n" UP CO AC ACCEPT "\r\n\r\n", false },
	{ SWITCH CO AC ACCEPT "\r\n\r\n", false },
	{ SWITCH UP AC ACCEPT "\r\n\r\n", false },
	{ SWITCH UP CO "\r\n", false },
	{ SWITCH UP CO AC "s3pPLMBiTxaQ9kYGzzhZRbK+xOO=\r\n\r\n", false },
	{ SWITCH UP CO AC KEY "\r\n\r\n", false },
	{ SWITCH UP CO AC ACCEPT
	    "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
	    false },
	{ SWITCH UP CO AC ACCEPT "\r\nSec-WebSocket-Protocol: x\r\n\r\n",
	    false },
};

static const struct {
	int status;
	const char *body;
	const char *code;
	const char *message; /* begins so */
} errors[] = {
	{ 400,
	    "{\"ok\":false,\"error\":\"invite_expired\",\"code\":"
	    "\"invite_expired\",\"message\":\"Too late.\"}",
	    "invite_expired", "Too late." },
	{ 400, "{\"ok\":false,\"error\":\"invite_revoked\"}", "invite_revoked",
	    "invite_revoked" },
	{ 400, "{\"error\":\"peer_pubkey must be 64 hex chars\"}", "protocol",
	    "peer_pubkey must" },
	{ 503,
	    "{\"error\":\"draining\",\"code\":\"draining\",\"message\":"
	    "\"The server restarts.\"}",
	    "unavailable", "The server restarts." },
	{ 503, "", "unavailable", "The server answers with HTTP status 503." },
	{ 429, "slow down", "rate_limited", "The server answers" },
	{ 404, "<html>", "protocol", "The server answers with" },
};

static void
test_heads(void)
{
	struct linnet_http h;
	size_t i;

	for (i = 0; i < NELEM(heads); i++) {
		memset(&h, 0, sizeof(h));
		is_int(
		    linnet_http_read(&h, heads[i].text, strlen(heads[i].text)),
		    heads[i].r, "head %zu", i);
		if (heads[i].r != 1)
			continue;
		is_int(h.status, heads[i].status, "its status");
		is_int(linnet_http_length(&h), heads[i].length,
		    "the length of its body");
	}
}

int
main(void)
{
	struct linnet_url u;
	struct linnet_error e;
	struct linnet_http h;
	char key[LINNET_WS_KEY_SIZE];
	struct buf b;
	size_t i;

	linnet_start();
	test_heads();
	for (i = 0; i < NELEM(upgrades); i++) {
		if (linnet_http_read(
			&h, upgrades[i].text, strlen(upgrades[i].text)) != 1)
			return 1;
		ok((linnet_http_upgraded(&h, KEY) == NULL) == upgrades[i].good,
		    "upgrade %zu is %s", i,
		    upgrades[i].good ? "taken" : "refused");
	}
	for (i = 0; i < NELEM(errors); i++) {
		h = (struct linnet_http){ .status = errors[i].status };
		linnet_http_error(
		    &e, &h, errors[i].body, strlen(errors[i].body));
		is_str(e.code, errors[i].code, "code of error %zu", i);
		ok(strncmp(e.message, errors[i].message,
		       strlen(errors[i].message)) == 0,
		    "sentence: %s", e.message);
	}
	buf_init(&b, 4096);
	if (linnet_url_read(&u, "ws://[::1]:7900/a", &e) != 0)
		return 1;
	linnet_http_upgrade(&b, &u, key);
	ok(strstr(buf_str(&b), "GET /a HTTP/1.1\r\nHost: [::1]:7900\r\n") ==
		b.data,
	    "the request line and the host");
	ok(strstr(b.data, key) != NULL && strlen(key) == 24,
	    "a key of 16 bytes");
	buf_free(&b);
	return tap_done();
}
