/* SPDX-License-Identifier: ISC */
/*
 * As much of HTTP (RFC 9112) as a client of a broker needs: the upgrade to
 * WebSocket (RFC 6455 4.1), and one request with a body on a connection of its
 * own.  That one is HTTP/1.0, so that nothing in between may answer in chunks.
 */
#include "config.h" /* memmem(3) */

#include "lib/lib.h"

#include <limits.h>
#include <poll.h>
#include <string.h>
#include <strings.h>

#define HTTP_HEAD_MAX (16 * 1024)
#define HTTP_BODY_MAX (256 * 1024)
#define HTTP_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455 1.3 */
#define HTTP_ACCEPT_LEN 28

int
linnet_http_read(struct linnet_http *h, const char *text, size_t n)
{
	const char *end = n > 0 ? memmem(text, n, "\r\n\r\n", 4) : NULL;
	const char *p = text;
	int i, status = 0;

	if (n > 0 && memcmp(text, "HTTP/1.", n < 7 ? n : 7) != 0)
		return -1;
	if (end == NULL)
		return n > HTTP_HEAD_MAX ? -1 : 0;
	/* "HTTP/1.1 101" */
	if (end - text < 12 || p[8] != ' ')
		return -1;
	for (i = 9; i < 12; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		status = status * 10 + p[i] - '0';
	}
	h->status = status;
	h->text = text;
	h->head = (size_t)(end - text) + 4;
	return 1;
}

struct slice
linnet_http_header(const struct linnet_http *h, const char *name)
{
	const char *p = h->text, *end = h->text + h->head - 2, *eol;
	const size_t n = strlen(name);

	while (p < end) {
		eol = memmem(p, (size_t)(end - p) + 2, "\r\n", 2);
		if ((size_t)(eol - p) > n && p[n] == ':' &&
		    strncasecmp(p, name, n) == 0) {
			for (p += n + 1; p < eol && (*p == ' ' || *p == '\t');)
				p++;
			while (eol > p && (eol[-1] == ' ' || eol[-1] == '\t'))
				eol--;
			return (struct slice){ p, (size_t)(eol - p) };
		}
		p = eol + 2;
	}
	return (struct slice){ NULL, 0 };
}

int64_t
linnet_http_length(const struct linnet_http *h)
{
	struct slice v = linnet_http_header(h, "content-length");
	char digits[20];
	int64_t n;

	if (v.p == NULL)
		return linnet_http_header(h, "transfer-encoding").p != NULL
			   ? -2
			   : -1;
	if (v.n >= sizeof(digits))
		return -2;
	memcpy(digits, v.p, v.n);
	digits[v.n] = '\0';
	return str_num(digits, 0, HTTP_BODY_MAX, &n) == NULL ? n : -2;
}

void
linnet_http_upgrade(
    struct buf *out, const struct linnet_url *u, char key[LINNET_WS_KEY_SIZE])
{
	uint8_t nonce[16];

	crypto_random_bytes(nonce, sizeof(nonce));
	crypto_base64(key, nonce, sizeof(nonce), CRYPTO_B64_STD);
	buf_addf(out,
	    "GET %s HTTP/1.1\r\n"
	    "Host: %s\r\n"
	    "Upgrade: websocket\r\n"
	    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Key: %s\r\n"
	    "Sec-WebSocket-Version: 13\r\n"
	    "User-Agent: liblinnet\r\n\r\n",
	    u->path, u->authority, key);
}

static bool
http_says(struct slice value, const char *word)
{
	const size_t n = strlen(word);
	size_t i = 0, len;

	/* One of the words between commas. */
	while (i < value.n) {
		while (
		    i < value.n && (value.p[i] == ' ' || value.p[i] == '\t' ||
				       value.p[i] == ','))
			i++;
		for (len = 0; i + len < value.n && value.p[i + len] != ',' &&
			      value.p[i + len] != ' ';)
			len++;
		if (len == n && strncasecmp(value.p + i, word, n) == 0)
			return true;
		i += len;
	}
	return false;
}

const char *
linnet_http_upgraded(
    const struct linnet_http *h, const char key[LINNET_WS_KEY_SIZE])
{
	char text[LINNET_WS_KEY_SIZE + sizeof(HTTP_GUID)];
	char want[CRYPTO_B64_LEN(20)];
	uint8_t digest[20];
	struct slice accept = linnet_http_header(h, "sec-websocket-accept");

	if (h->status != 101)
		return "it does not switch to WebSocket";
	if (!http_says(linnet_http_header(h, "upgrade"), "websocket") ||
	    !http_says(linnet_http_header(h, "connection"), "upgrade"))
		return "it does not switch to WebSocket";
	(void)str_copy(text, key, sizeof(text));
	(void)str_copy(
	    text + LINNET_WS_KEY_SIZE - 1, HTTP_GUID, sizeof(HTTP_GUID));
	crypto_sha1(digest, text, strlen(text));
	crypto_base64(want, digest, sizeof(digest), CRYPTO_B64_STD);
	if (accept.n != HTTP_ACCEPT_LEN ||
	    memcmp(accept.p, want, HTTP_ACCEPT_LEN) != 0)
		return "Sec-WebSocket-Accept does not fit our key";
	if (linnet_http_header(h, "sec-websocket-extensions").n > 0 ||
	    linnet_http_header(h, "sec-websocket-protocol").n > 0)
		return "it speaks an extension that was not asked for";
	return NULL;
}

void
linnet_http_error(struct linnet_error *e, const struct linnet_http *h,
    const char *body, size_t n)
{
	struct json j;
	struct pool p;
	const char *code = "", *text = "";

	json_init(&j, LINNET_JSON_NODES, LINNET_JSON_DEPTH);
	pool_init(&p);
	if (n > 0 && json_read(&j, body, n) == 0) {
		code = linnet_json_str(&p, &j, 0, "code");
		if (code[0] == '\0')
			code = linnet_json_str(&p, &j, 0, "error");
		text = linnet_json_str(&p, &j, 0, "message");
	}
	/* An older broker has a sentence for a code. */
	if (text[0] == '\0')
		text = code;
	if (code[0] == '\0' || strpbrk(code, " :") != NULL)
		code = h->status >= 500	  ? "unavailable"
		       : h->status == 429 ? "rate_limited"
					  : "protocol";
	if (strcmp(code, "draining") == 0)
		code = "unavailable";
	if (text[0] != '\0')
		linnet_error_set(e, code, "%s", text);
	else
		linnet_error_set(e, code,
		    "The server answers with HTTP status %d. Is it a Linnet "
		    "broker?",
		    h->status);
	pool_free(&p);
	json_free(&j);
}

/* Waits for an event; -1: the time is over. */
int
linnet_http_wait(const struct linnet_socket *s, short events, int64_t deadline)
{
	struct pollfd p = { .fd = s->fd,
		.events = s->wants != 0 ? s->wants : events };
	int64_t left = deadline - linnet_now();

	if (left <= 0)
		return -1;
	(void)poll(&p, 1, left > INT_MAX ? INT_MAX : (int)left);
	return 0;
}

static int
http_timeout(struct linnet_error *e, const struct linnet_url *u)
{
	linnet_error_set(e, "timeout",
	    "%s does not answer in time; try again later.", u->authority);
	return -1;
}

int
linnet_http_connect(struct linnet_socket *s, const struct linnet_url *u,
    struct ssl_ctx_st *ctx, int64_t deadline, struct linnet_error *e)
{
	int done;

	if (linnet_socket_start(s, u, e) != 0)
		return -1;
	while ((done = linnet_socket_check(s, u, e)) == 0)
		if (linnet_http_wait(s, POLLOUT, deadline) != 0)
			return http_timeout(e, u);
	if (done < 0 || !u->tls)
		return done > 0 ? 0 : -1;
	linnet_tls_begin(s, ctx, u);
	while ((done = linnet_tls_shake(s, u, e)) == 0)
		if (linnet_http_wait(s, s->wants, deadline) != 0)
			return http_timeout(e, u);
	return done > 0 ? 0 : -1;
}

static int
http_put(struct linnet_socket *s, const struct linnet_url *u, struct buf *b,
    int64_t deadline, struct linnet_error *e)
{
	ptrdiff_t n;

	while (b->len > 0) {
		n = linnet_socket_write(s, b->data, b->len);
		/* It may have answered before it closed. */
		if (n < 0)
			return 0;
		buf_drain(b, (size_t)n);
		if (n == 0 && linnet_http_wait(s, POLLOUT, deadline) != 0)
			return http_timeout(e, u);
	}
	return 0;
}

/* Reads a whole response into b. */
static int
http_get(struct linnet_socket *s, const struct linnet_url *u, struct buf *b,
    struct linnet_http *h, int64_t deadline, struct linnet_error *e)
{
	char chunk[4096];
	int64_t body = -1;
	ptrdiff_t n;
	int head = 0;

	for (;;) {
		if (head == 0 &&
		    (head = linnet_http_read(h, b->data, b->len)) < 0)
			break;
		if (head > 0) {
			h->text = b->data;
			if ((body = linnet_http_length(h)) == -2)
				break;
			if (body >= 0 && b->len - h->head >= (size_t)body) {
				b->len = h->head + (size_t)body;
				return 0;
			}
		}
		n = linnet_socket_read(s, chunk, sizeof(chunk));
		if (n < 0 && head > 0 && body == -1)
			return 0;
		if (n < 0)
			break;
		if (n == 0 && linnet_http_wait(s, POLLIN, deadline) != 0)
			return http_timeout(e, u);
		buf_add(b, chunk, (size_t)n);
		if (b->failed)
			break;
	}
	linnet_error_set(e, "protocol",
	    "What answers at %s does not speak HTTP as it should; is it a "
	    "Linnet broker?",
	    u->authority);
	return -1;
}

int
linnet_http_post(const struct linnet_url *u, struct ssl_ctx_st *ctx,
    const char *path, const struct buf *body, struct buf *out, int timeout_ms,
    struct linnet_error *e)
{
	struct linnet_socket s;
	struct linnet_http h;
	struct buf b;
	int64_t now = linnet_now();
	int r = -1;

	linnet_socket_init(&s);
	buf_init(&b, HTTP_HEAD_MAX + HTTP_BODY_MAX);
	buf_addf(&b,
	    "POST %s HTTP/1.0\r\n"
	    "Host: %s\r\n"
	    "Content-Type: application/json\r\n"
	    "Content-Length: %zu\r\n"
	    "User-Agent: liblinnet\r\n\r\n",
	    path, u->authority, body->len);
	buf_add(&b, body->data, body->len);
	if (b.failed) {
		linnet_error_set(e, "bad_argument", "The request is too big.");
		goto fail;
	}
	if (linnet_http_connect(&s, u, ctx, now + timeout_ms, e) != 0)
		goto fail;
	now = linnet_now();
	if (http_put(&s, u, &b, now + timeout_ms, e) != 0)
		goto fail;
	buf_clear(&b);
	if (http_get(&s, u, &b, &h, now + timeout_ms, e) != 0)
		goto fail;
	h.text = b.data;
	if (h.status != 200) {
		linnet_http_error(e, &h, b.data + h.head, b.len - h.head);
		goto fail;
	}
	buf_add(out, b.data + h.head, b.len - h.head);
	r = 0;
fail:
	linnet_socket_close(&s);
	/* The answer may hold a secret. */
	if (b.data != NULL)
		crypto_wipe(b.data, b.cap);
	buf_free(&b);
	return r;
}
