/* SPDX-License-Identifier: ISC */
/*
 * Requests and replies of one connection: one request at a time.  Bytes of a
 * next one wait until the reply is with the kernel, so a peer that sends
 * requests without reading replies stops itself.
 *
 * After any error the connection is closed: where the next request would
 * begin is then a guess.
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "net/net_conn.h"

#define HEAD_MAX (64 * 1024) /* of a reply: ours, so more is a bug */

/* Takes a frame of its own into the output. */
static void
request_push(struct conn *c, struct frame *f)
{
	conn_push(c, f);
	frame_unref(f);
}

/* Of which kind the body is: RFC 9112 6. */
static void
reply_framing(
    struct buf *head, const struct conn *c, int status, uint64_t length)
{
	if (status == 204 || status == 304)
		return;
	if (length != REPLY_CHUNKED)
		buf_addf(head, "Content-Length: %" PRIu64 "\r\n", length);
	else if (!c->is_old)
		buf_adds(head, "Transfer-Encoding: chunked\r\n");
}

void
conn_reply_head(struct buf *head, const struct conn *c, int status,
    const char *type, const char *headers, uint64_t length)
{
	buf_init(head, HEAD_MAX);
	buf_addf(head, "HTTP/1.1 %d %s\r\n", status, http_status_text(status));
	if (type != NULL)
		buf_addf(head, "Content-Type: %s\r\n", type);
	reply_framing(head, c, status, length);
	if (headers != NULL)
		buf_adds(head, headers);
	if (!c->keep)
		buf_adds(head, "Connection: close\r\n");
	else if (c->is_old)
		buf_adds(head, "Connection: keep-alive\r\n");
	buf_adds(head, "\r\n");
	if (head->failed)
		fatalx("reply with a head of more than %d bytes", HEAD_MAX);
}

void
conn_reply_done(struct conn *c)
{
	c->is_busy = 0;
	c->is_chunked = 0;
	c->is_waiting = 0;
	c->served = 1;
	c->since_ms = clock_mono();
	if (!c->keep) {
		conn_closing(c, NET_END_DONE, 0);
		return;
	}
	conn_timer(c);
	conn_rearm(c);
}

void
conn_reply(struct conn *c, int status, const char *type, const char *headers,
    const void *body, size_t n)
{
	bool bare = status == 204 || status == 304;
	struct buf head;

	if (c->state != CONN_HTTP || !c->is_busy || c->is_chunked)
		return;
	if (c->stream != NULL)
		conn_stream_close(c);
	conn_reply_head(&head, c, status, type, headers, n);
	request_push(c,
	    frame_join(head.data, head.len, body, bare || c->is_head ? 0 : n));
	buf_free(&head);
	conn_reply_done(c);
}

void
conn_wait(struct conn *c)
{
	if (c->state != CONN_HTTP || !c->is_busy)
		return;
	c->is_waiting = 1;
	/* It may have ended before. */
	if (c->peer_eof)
		conn_die(c, NET_END_PEER);
}

uint64_t
conn_queued(const struct conn *c)
{
	return c->queued;
}

void
conn_reply_error(
    struct conn *c, int status, const char *reason, const char *headers)
{
	const char *text = http_status_text(status);
	struct json_writer w;
	char slug[64];
	struct buf b;
	size_t i;

	/* "Bad Request" becomes bad_request. */
	for (i = 0; text[i] != '\0' && i < sizeof(slug) - 1; i++)
		slug[i] =
		    text[i] == ' ' ? '_' : (char)tolower((uint8_t)text[i]);
	slug[i] = '\0';
	buf_init(&b, 4096);
	json_start(&w, &b);
	json_object(&w);
	json_key(&w, "error");
	json_str(&w, reason);
	json_key(&w, "code");
	json_str(&w, slug);
	json_object_end(&w);
	buf_addc(&b, '\n');
	conn_reply(c, status, "application/json", headers, b.data, b.len);
	buf_free(&b);
}

void
conn_refuse(struct conn *c, enum net_end why, int status, const char *reason)
{
	if (c->state != CONN_HTTP)
		return;
	c->is_busy = 1;
	c->keep = 0;
	c->is_head = 0;
	conn_reply_error(c, status, reason, NULL);
	c->why = (uint8_t)why;
}

/* The head is good, the body is not here yet. */
static size_t
request_wait(struct conn *c, const struct http_request *r, size_t need)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	/* Until they are all here it is not read again: this is said once. */
	c->need = need;
	if (r->expect)
		request_push(c, frame_raw(text, sizeof(text) - 1));
	return 0;
}

static void
request_take(struct conn *c, struct http_request *r)
{
	struct net *n = c->net;

	n->stats.requests++;
	c->partial = 0;
	c->is_busy = 1;
	c->is_old = r->minor == 0;
	c->is_head = r->method.n == 4 && memcmp(r->method.p, "HEAD", 4) == 0;
	c->keep = r->keep_alive;
	n->handler->request(n->arg, c, r);
}

static bool
request_streams(const struct conn *c, const struct http_request *r)
{
	const struct net_handler *h = c->net->handler;

	return h->streams != NULL && h->streams(c->net->arg, r);
}

size_t
conn_feed_http(struct conn *c, const char *p, size_t n)
{
	const struct net_limits *l = &c->net->limits;
	struct http_request r;
	const char *reason = NULL;
	ptrdiff_t head;
	size_t need;
	int status = 0;

	if (c->stream != NULL)
		return conn_feed_body(c, p, n);
	/* The first byte of a TLS client, RFC 8446 5.1. */
	if (!c->partial && p[0] == 0x16) {
		conn_refuse(c, NET_END_PROTOCOL, 400,
		    "This port speaks plain HTTP, not TLS.");
		return n;
	}
	if (!c->partial) {
		/* The clock of a request runs from its first byte to its
		 * last, however it trickles in. */
		c->partial = 1;
		if (c->served)
			c->since_ms = clock_mono();
	}
	c->need = 0;
	head = http_parse(&r, p, n, &status, &reason);
	if (head == -1) {
		conn_refuse(c,
		    status == 413 || status == 431 ? NET_END_TOO_BIG
						   : NET_END_PROTOCOL,
		    status, reason);
		return n;
	}
	if ((head == 0 && n >= l->head) || (size_t)head > l->head) {
		conn_refuse(
		    c, NET_END_TOO_BIG, 431, "The request head is too large.");
		return n;
	}
	if (head == 0)
		return 0;
	if ((r.chunked || r.content_length > 0) && request_streams(c, &r)) {
		conn_stream_open(c, &r);
		request_take(c, &r);
		return (size_t)head;
	}
	if (r.chunked) {
		conn_refuse(c, NET_END_PROTOCOL, 411,
		    "A body must come with a Content-Length.");
		return n;
	}
	if (r.content_length > l->body) {
		conn_refuse(c, NET_END_TOO_BIG, 413, "The body is too large.");
		return n;
	}
	need = (size_t)head + r.content_length;
	if (n < need)
		return request_wait(c, &r, need);
	r.body = (struct slice){ p + head, r.content_length };
	request_take(c, &r);
	return need;
}
