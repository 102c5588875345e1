/* SPDX-License-Identifier: ISC */
/*
 * Replies whose end is not known when they begin: chunked (RFC 9112 7.1).  A
 * client of HTTP/1.0 reads until the connection ends instead.
 */
#include "net/net_conn.h"

static void
chunked_push(struct conn *c, const void *p, size_t n)
{
	struct frame *f = frame_raw(p, n);

	conn_push(c, f);
	frame_unref(f);
}

void
conn_chunked(struct conn *c, int status, const char *type, const char *headers)
{
	struct buf head;

	if (c->state != CONN_HTTP || !c->is_busy || c->is_chunked)
		return;
	if (c->stream != NULL)
		conn_stream_close(c);
	if (c->is_old)
		c->keep = 0;
	conn_reply_head(&head, c, status, type, headers, REPLY_CHUNKED);
	c->is_chunked = 1;
	c->is_waiting = 1;
	chunked_push(c, head.data, head.len);
	buf_free(&head);
}

void
conn_chunk(struct conn *c, const void *p, size_t n)
{
	struct frame *f;
	struct buf b;

	if (c->state != CONN_HTTP || !c->is_chunked || c->is_head || n == 0)
		return;
	buf_init(&b, SIZE_MAX / 2);
	if (!c->is_old)
		buf_addf(&b, "%zx\r\n", n);
	buf_add(&b, p, n);
	if (!c->is_old)
		buf_adds(&b, "\r\n");
	if (b.failed)
		fatalx("out of memory");
	f = frame_raw(b.data, b.len);
	(void)conn_send(c, f);
	frame_unref(f);
	buf_free(&b);
}

void
conn_chunked_end(struct conn *c)
{
	static const char last[] = "0\r\n\r\n";

	if (c->state != CONN_HTTP || !c->is_chunked)
		return;
	if (!c->is_old && !c->is_head)
		chunked_push(c, last, sizeof(last) - 1);
	conn_reply_done(c);
}
