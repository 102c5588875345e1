/* SPDX-License-Identifier: ISC */
/*
 * Bodies that are larger than memory: of a request, whose pieces go to the
 * handler as they come, with a Content-Length or in chunks (RFC 9112 7.1); and
 * of a reply, whose pieces come from the handler as the peer reads them.
 *
 * Who takes slowly is never given more than it asked for: input that nobody
 * wants stays in the kernel, and with it the sender; output that the peer does
 * not read stays with whoever has it.  A body is at its end where its framing
 * says so and nowhere else: a connection that breaks before is no end.
 */
#include <stdlib.h>
#include <string.h>

#include "net/net_conn.h"

#define STREAM_LINE_MAX 256	/* of a chunk's size and extensions */
#define STREAM_TRAILER_MAX 8192 /* of all trailers */
#define STREAM_DIGITS_MAX 15	/* fits 60 bits */
#define STREAM_ROOM (CONN_ANSWER_MAX / 2)

enum stream_state {
	STREAM_DATA, /* `left` bytes of the body, or of a chunk */
	STREAM_SIZE, /* the digits of a chunk's size */
	STREAM_EXTENSION,
	STREAM_SIZE_LF,
	STREAM_DATA_CR, /* after a chunk */
	STREAM_DATA_LF,
	STREAM_TRAILER, /* at the begin of a line, or inside of it */
	STREAM_TRAILER_LINE,
	STREAM_TRAILER_LF,
	STREAM_LAST_LF,
	STREAM_DONE,
};

struct net_stream {
	uint64_t left;	 /* bytes of the body or chunk at hand */
	uint64_t answer; /* bytes of the reply that are to come */
	uint32_t line;	 /* bytes of the line at hand, of all trailers */
	uint8_t state;	 /* enum stream_state */
	uint8_t digits;
	bool chunked;
	bool wants;   /* the handler takes more */
	bool expects; /* the peer waits for 100 */
	bool answers; /* conn_answer_begin() was called */
	bool full;    /* room() is owed */
};

void
conn_stream_open(struct conn *c, const struct http_request *r)
{
	struct net_stream *s = xcalloc(1, sizeof(*s));

	s->chunked = r->chunked;
	s->state = r->chunked ? STREAM_SIZE : STREAM_DATA;
	s->left = r->content_length;
	s->expects = r->expect;
	c->stream = s;
	c->need = 0;
}

void
conn_stream_close(struct conn *c)
{
	/* Where the next request begins would be a guess. */
	if (c->stream->state != STREAM_DONE)
		c->keep = 0;
	free(c->stream);
	c->stream = NULL;
}

bool
conn_stream_lacks(const struct conn *c)
{
	return c->stream != NULL && c->stream->state != STREAM_DONE;
}

bool
conn_stream_reads(const struct conn *c)
{
	return conn_stream_lacks(c) && c->stream->wants && !c->is_paused;
}

void
conn_body(struct conn *c, bool on)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct net_stream *s = c->stream;
	struct frame *f;

	if (c->state != CONN_HTTP || s == NULL || s->wants == on)
		return;
	s->wants = on;
	if (on && s->expects) {
		s->expects = false;
		/* Who sends without waiting needs no leave any more. */
		if (c->in == NULL) {
			f = frame_raw(text, sizeof(text) - 1);
			conn_push(c, f);
			frame_unref(f);
		}
	}
	/* Silence while nobody listened does not count. */
	if (on)
		c->heard_ms = clock_mono();
	conn_timer(c);
	conn_rearm(c);
}

static void
stream_bad(struct conn *c)
{
	conn_refuse(c, NET_END_PROTOCOL, 400, "A chunk is malformed.");
}

static bool
stream_digit(struct net_stream *s, char b)
{
	unsigned digit;

	if (b >= '0' && b <= '9')
		digit = (unsigned)(b - '0');
	else if (b >= 'a' && b <= 'f')
		digit = (unsigned)(b - 'a') + 10;
	else if (b >= 'A' && b <= 'F')
		digit = (unsigned)(b - 'A') + 10;
	else
		return false;
	s->left = s->left << 4 | digit;
	return ++s->digits <= STREAM_DIGITS_MAX;
}

/* The byte that must be b, before the state `next`. */
static bool
stream_expect(struct net_stream *s, char got, char b, enum stream_state next)
{
	if (got != b)
		return false;
	s->state = (uint8_t)next;
	return true;
}

/* A control character could be read by others as the end of the line. */
static bool
stream_in_line(struct net_stream *s, char b, uint32_t max)
{
	return (((uint8_t)b >= ' ' && b != 0x7f) || b == '\t') &&
	       ++s->line <= max;
}

static bool
stream_size(struct net_stream *s, char b)
{
	if (s->digits > 0 && b == '\r')
		return stream_expect(s, b, '\r', STREAM_SIZE_LF);
	if (s->digits > 0 && (b == ';' || b == ' ' || b == '\t'))
		return stream_expect(s, b, b, STREAM_EXTENSION);
	return stream_digit(s, b);
}

/* One byte of what stands around chunks; false: it may not stand there. */
static bool
stream_frame(struct net_stream *s, char b)
{
	switch ((enum stream_state)s->state) {
	case STREAM_SIZE:
		return stream_size(s, b);
	case STREAM_EXTENSION:
		if (b == '\r')
			return stream_expect(s, b, '\r', STREAM_SIZE_LF);
		return stream_in_line(s, b, STREAM_LINE_MAX);
	case STREAM_SIZE_LF:
		s->line = 0;
		s->digits = 0;
		return stream_expect(
		    s, b, '\n', s->left > 0 ? STREAM_DATA : STREAM_TRAILER);
	case STREAM_DATA_CR:
		return stream_expect(s, b, '\r', STREAM_DATA_LF);
	case STREAM_DATA_LF:
		return stream_expect(s, b, '\n', STREAM_SIZE);
	case STREAM_TRAILER:
		if (b == '\r')
			return stream_expect(s, b, '\r', STREAM_LAST_LF);
		s->state = STREAM_TRAILER_LINE;
		return stream_in_line(s, b, STREAM_TRAILER_MAX);
	case STREAM_TRAILER_LINE:
		if (b == '\r')
			return stream_expect(s, b, '\r', STREAM_TRAILER_LF);
		return stream_in_line(s, b, STREAM_TRAILER_MAX);
	case STREAM_TRAILER_LF:
		return stream_expect(s, b, '\n', STREAM_TRAILER);
	case STREAM_LAST_LF:
		return stream_expect(s, b, '\n', STREAM_DONE);
	case STREAM_DATA:
	case STREAM_DONE:
		break;
	}
	return false;
}

/* Bytes of the body itself; returns how many were taken. */
static size_t
stream_data(struct conn *c, const char *p, size_t n)
{
	struct net_stream *s = c->stream;
	size_t taken;

	if (n > s->left)
		n = (size_t)s->left;
	taken = c->net->handler->body(c->net->arg, c, p, n);
	/* It may have replied: then there is no stream any more. */
	if (c->state != CONN_HTTP || c->stream != s)
		return taken;
	if (taken < n)
		s->wants = false;
	s->left -= taken;
	if (s->left == 0)
		s->state = s->chunked ? STREAM_DATA_CR : STREAM_DONE;
	return taken;
}

size_t
conn_feed_body(struct conn *c, const char *p, size_t n)
{
	struct net_stream *s = c->stream;
	size_t used = 0;

	while (c->state == CONN_HTTP && c->stream == s &&
	       s->state != STREAM_DONE && s->wants && used < n) {
		if (s->state == STREAM_DATA)
			used += stream_data(c, p + used, n - used);
		else if (!stream_frame(s, p[used++])) {
			stream_bad(c);
			return n;
		}
	}
	if (c->state == CONN_HTTP && c->stream == s && s->state == STREAM_DONE)
		(void)c->net->handler->body(c->net->arg, c, NULL, 0);
	return used;
}

bool
conn_answer_begin(struct conn *c, int status, const char *type,
    const char *headers, uint64_t length)
{
	struct buf head;
	struct frame *f;

	if (c->state != CONN_HTTP || !c->is_busy)
		return false;
	if (c->stream != NULL)
		conn_stream_close(c);
	conn_reply_head(&head, c, status, type, headers, length);
	f = frame_raw(head.data, head.len);
	conn_push(c, f);
	frame_unref(f);
	buf_free(&head);
	if (length == 0 || c->is_head) {
		conn_reply_done(c);
		return false;
	}
	c->stream = xcalloc(1, sizeof(*c->stream));
	c->stream->state = STREAM_DONE;
	c->stream->answers = true;
	c->stream->answer = length;
	return true;
}

bool
conn_answer(struct conn *c, const void *p, size_t n)
{
	struct net_stream *s = c->stream;
	struct frame *f;

	if (c->state != CONN_HTTP || s == NULL || !s->answers)
		return false;
	if (n > s->answer)
		fatalx("an answer is longer than it began");
	f = frame_raw(p, n);
	conn_push(c, f);
	frame_unref(f);
	s->answer -= n;
	if (s->answer == 0) {
		conn_stream_close(c);
		conn_reply_done(c);
		return false;
	}
	s->full = c->out->bytes >= CONN_ANSWER_MAX;
	return !s->full;
}

void
conn_stream_flushed(struct conn *c)
{
	struct net_stream *s = c->stream;

	if (!s->full || (c->out != NULL && c->out->bytes > STREAM_ROOM))
		return;
	s->full = false;
	c->net->handler->room(c->net->arg, c);
}
