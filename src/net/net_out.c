/* SPDX-License-Identifier: ISC */
/*
 * Output.  During a turn frames are only queued; net_flush() then writes each
 * connection with one sendmsg(), so that frames of one turn share a system
 * call, which is what sending costs; and many connections together where there
 * is an io_uring (net_uring.c), which makes it cheaper and changes nothing
 * else.
 *
 * `written` may only ever count bytes that the kernel took in the order in
 * which they were queued: the layer above takes it as proof of delivery.
 * After conn_cut() it therefore stands still.
 */
#include <sys/uio.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/net_conn.h"

#define OUT_IOVS 64
#define OUT_CALLS 8  /* of a connection per turn */
#define OUT_PONGS 32 /* queued; of more only the newest is kept */
#define OUT_ROUNDS 4 /* of callbacks that queue more */
#define OUT_CAP 8
#define OUT_BATCH_MIN 4	      /* connections */
#define OUT_BATCH_RUN 64      /* frames of a connection that go with others */
#define OUT_BATCH_BYTES 65536 /* of their runs */

/* The only place that writes a socket, but for net_uring.c.  -1 and errno. */
static ssize_t
conn_io_write(struct conn *c, struct iovec *iov, size_t n)
{
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };
	ssize_t r;

	if (c->ssl != NULL)
		return conn_tls_write(c, iov, n);
	do {
		r = sendmsg(
		    event_get_fd(&c->ev), &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (r == -1 && errno == EINTR);
	return r;
}

static struct frame *
out_frame(const struct conn_out *o, uint32_t i)
{
	return o->frames[(o->head + i) & (o->cap - 1)];
}

static void
out_grow(struct conn_out *o)
{
	uint32_t cap = o->cap > 0 ? o->cap * 2 : OUT_CAP;
	struct frame **frames = xreallocarray(NULL, cap, sizeof(*frames));
	uint32_t i;

	for (i = 0; i < o->count; i++)
		frames[i] = out_frame(o, i);
	free(o->frames);
	o->frames = frames;
	o->cap = cap;
	o->head = 0;
}

void
conn_push(struct conn *c, struct frame *f)
{
	struct conn_out *o = c->out;

	if (c->state == CONN_DEAD)
		return;
	if (o == NULL) {
		o = c->out = xcalloc(1, sizeof(*o));
		o->since_ms = clock_mono();
	}
	if (o->count == o->cap)
		out_grow(o);
	o->frames[(o->head + o->count++) & (o->cap - 1)] = frame_ref(f);
	o->bytes += f->len;
	c->queued += f->len;
	c->net->stats.frames_out++;
	conn_mark(c);
}

/* RFC 6455 5.5.3: who pings faster than it reads gets the newest answer. */
void
conn_push_pong(struct conn *c, const void *p, size_t n)
{
	struct frame *f = frame_ws(WS_PONG, p, n);

	if (c->out != NULL && c->out->pongs >= OUT_PONGS) {
		frame_unref(c->out->pong);
		c->out->pong = f;
		return;
	}
	conn_push(c, f);
	frame_unref(f);
	if (c->out != NULL)
		c->out->pongs++;
}

void
conn_out_free(struct conn *c)
{
	struct conn_out *o = c->out;
	uint32_t i;

	if (o == NULL)
		return;
	for (i = 0; i < o->count; i++)
		frame_unref(out_frame(o, i));
	frame_unref(o->pong);
	free(o->frames);
	free(o);
	c->out = NULL;
}

/* n bytes went to the kernel. */
static void
out_advance(struct conn *c, size_t n)
{
	struct conn_out *o = c->out;
	struct frame *f;
	size_t left;

	c->net->stats.bytes_out += n;
	o->bytes -= n;
	o->since_ms = clock_mono();
	if (!c->cut) {
		c->written += n;
		c->progress = 1;
	}
	while (o->count > 0) {
		f = out_frame(o, 0);
		left = f->len - o->sent;
		if (n < left) {
			o->sent += (uint32_t)n;
			return;
		}
		n -= left;
		o->sent = 0;
		o->head = (o->head + 1) & (o->cap - 1);
		o->count--;
		frame_unref(f);
	}
}

static size_t
out_gather(const struct conn_out *o, struct iovec *iov, size_t *bytes)
{
	struct frame *f;
	size_t n;

	*bytes = 0;
	for (n = 0; n < OUT_IOVS && n < o->count; n++) {
		f = out_frame(o, (uint32_t)n);
		iov[n].iov_base = f->data + (n == 0 ? o->sent : 0);
		iov[n].iov_len = f->len - (n == 0 ? o->sent : 0);
		*bytes += iov[n].iov_len;
	}
	return n;
}

/* Writes what the kernel takes; calls nobody. */
static void
out_write(struct conn *c)
{
	struct conn_out *o = c->out;
	struct iovec iov[OUT_IOVS];
	size_t n, bytes;
	unsigned calls;
	ssize_t r;

	c->writable = 0;
	if (o->pong != NULL) {
		conn_push(c, o->pong);
		frame_unref(o->pong);
		o->pong = NULL;
	}
	for (calls = 0; calls < OUT_CALLS && o->count > 0; calls++) {
		n = out_gather(o, iov, &bytes);
		r = conn_io_write(c, iov, n);
		if (r == -1) {
			if (errno == EAGAIN || errno == EWOULDBLOCK)
				break;
			conn_die(c, NET_END_PEER);
			return;
		}
		c->net->stats.writes++;
		out_advance(c, (size_t)r);
		if ((size_t)r < bytes)
			break;
	}
	c->blocked = o->count > 0;
	if (!c->blocked)
		conn_out_free(c);
}

/* A frame that the peer has in part, or that OpenSSL has taken in part, must
 * be completed, or the close frame would be read as a piece of it.  Returns
 * the number of such frames. */
static uint32_t
out_begun(const struct conn *c)
{
	const struct conn_out *o = c->out;
	size_t begun = o != NULL ? o->sent + c->tls_pend : 0, n = 0;
	uint32_t i;

	for (i = 0; o != NULL && i < o->count && n < begun; i++)
		n += out_frame(o, i)->len;
	return i;
}

void
conn_cut(struct conn *c)
{
	struct conn_out *o = c->out;
	struct frame *f;
	uint32_t keep;

	if (c->state >= CONN_CLOSING)
		return;
	if (!c->is_ws) {
		conn_die(c, NET_END_SLOW);
		return;
	}
	c->cut = 1;
	keep = out_begun(c);
	while (o != NULL && o->count > keep) {
		f = out_frame(o, --o->count);
		o->bytes -= f->len;
		frame_unref(f);
	}
	if (o != NULL) {
		frame_unref(o->pong);
		o->pong = NULL;
		o->since_ms = clock_mono();
	}
	f = net_ws_close_frame(1013, "too slow");
	conn_push(c, f);
	frame_unref(f);
	conn_closing(c, NET_END_SLOW, 1013);
}

/* Is there no room for n more bytes?  A single frame always has it. */
static bool
out_full(const struct conn *c, size_t n)
{
	size_t max = c->net->limits.output;

	return c->out != NULL && max > 0 && c->out->bytes + n > max;
}

uint64_t
conn_send(struct conn *c, struct frame *f)
{
	if (c->state >= CONN_CLOSING)
		return CONN_UNSENT;
	if (out_full(c, f->len)) {
		/* Much in one turn does not make a peer slow. */
		if (!c->blocked)
			out_write(c);
		if (c->state == CONN_DEAD)
			return CONN_UNSENT;
		if (out_full(c, f->len)) {
			conn_cut(c);
			return CONN_UNSENT;
		}
	}
	conn_push(c, f);
	return c->queued;
}

void
conn_want_written(struct conn *c, bool on)
{
	c->want_written = on;
}

uint64_t
conn_written(const struct conn *c)
{
	return c->written;
}

/* May its output go with that of others? */
static bool
out_is_plain(const struct conn *c)
{
	return c->state != CONN_DEAD && c->out != NULL && c->ssl == NULL &&
	       c->out->pong == NULL && (!c->blocked || c->writable);
}

/* What the kernel took of one that went with others. */
static void
out_sent(struct conn *c, int result, size_t bytes)
{
	c->writable = 0;
	c->net->stats.writes++;
	if (result < 0) {
		c->blocked = 1;
		if (result != -EAGAIN && result != -EWOULDBLOCK &&
		    result != -EINTR)
			conn_die(c, NET_END_PEER);
		return;
	}
	out_advance(c, (size_t)result);
	c->blocked = (size_t)result < bytes;
	if (c->out->count == 0)
		conn_out_free(c);
}

/*
 * What goes out together.  Frames in a row are joined first: the kernel takes
 * a piece faster than the same in pieces, and a run that was sent to many is
 * joined once, for the first of them.
 */
struct out_batch {
	struct conn *conns[NET_URING_OPS];
	struct net_uring_op ops[NET_URING_OPS];
	size_t n;
	struct frame *run[OUT_BATCH_RUN]; /* that was joined last */
	uint32_t nrun;
	uint8_t data[OUT_BATCH_BYTES]; /* the run is the last of it */
	size_t used;
};

static void
out_batch_send(struct net *n, struct out_batch *b)
{
	size_t i;

	/* Of a few, each is left to out_flush(). */
	if (b->n >= OUT_BATCH_MIN) {
		net_uring_send(n->uring, b->ops, b->n);
		for (i = 0; i < b->n; i++)
			out_sent(b->conns[i], b->ops[i].result, b->ops[i].n);
	}
	b->n = b->used = 0;
	b->nrun = 0;
}

static bool
out_batch_is_run(const struct out_batch *b, const struct conn_out *o)
{
	uint32_t i;

	if (o->count != b->nrun || o->sent != 0)
		return false;
	for (i = 0; i < o->count; i++)
		if (out_frame(o, i) != b->run[i])
			return false;
	return true;
}

static void
out_batch_join(struct out_batch *b, const struct conn_out *o)
{
	uint8_t *p = b->data + b->used;
	const struct frame *f;
	uint32_t i;

	for (i = 0; i < o->count; i++) {
		size_t skip = i == 0 ? o->sent : 0;

		f = b->run[i] = out_frame(o, i);
		memcpy(p, f->data + skip, f->len - skip);
		p += f->len - skip;
	}
	b->used += o->bytes;
	b->nrun = o->sent == 0 ? o->count : 0;
}

/* All that a connection has, in one piece. */
static void
out_batch_add(struct net *n, struct out_batch *b, struct conn *c)
{
	const struct conn_out *o = c->out;
	bool join = o->count > 1 && !out_batch_is_run(b, o);
	struct net_uring_op *op;

	if (b->n == NET_URING_OPS ||
	    (join && o->bytes > sizeof(b->data) - b->used)) {
		out_batch_send(n, b);
		join = o->count > 1;
	}
	if (join)
		out_batch_join(b, o);
	b->conns[b->n] = c;
	op = &b->ops[b->n++];
	op->fd = event_get_fd(&c->ev);
	op->n = o->bytes;
	if (o->count > 1)
		op->p = b->data + b->used - o->bytes;
	else
		op->p = out_frame(o, 0)->data + o->sent;
}

/* Sends what all of them have; out_flush() has the rest to do. */
static void
out_batch(struct net *n, const struct conn_dirty *list)
{
	static struct out_batch b;
	struct conn *c;

	SLIST_FOREACH(c, list, dirty)
	if (out_is_plain(c) &&
	    (c->out->count == 1 || (c->out->count <= OUT_BATCH_RUN &&
				       c->out->bytes <= OUT_BATCH_BYTES / 4)))
		out_batch_add(n, &b, c);
	out_batch_send(n, &b);
}

static void
out_flush(struct conn *c)
{
	struct net *n = c->net;

	if (c->state == CONN_DEAD) {
		conn_reap(c);
		return;
	}
	if (c->out != NULL && (!c->blocked || c->writable))
		out_write(c);
	if (c->progress && c->state != CONN_DEAD) {
		c->progress = 0;
		if (c->want_written)
			n->handler->written(n->arg, c, c->written);
	}
	if (c->stream != NULL && c->state == CONN_HTTP)
		conn_stream_flushed(c);
	if (c->state == CONN_CLOSING && c->out == NULL)
		conn_linger(c);
	conn_settle(c);
}

void
net_flush(struct net *n)
{
	struct conn_dirty list;
	struct conn *c;
	unsigned round;

	for (round = 0; round < OUT_ROUNDS && !SLIST_EMPTY(&n->dirty);
	     round++) {
		list = n->dirty;
		SLIST_INIT(&n->dirty);
		if (n->uring != NULL)
			out_batch(n, &list);
		while ((c = SLIST_FIRST(&list)) != NULL) {
			SLIST_REMOVE_HEAD(&list, dirty);
			c->is_dirty = 0;
			out_flush(c);
		}
	}
	if (!SLIST_EMPTY(&n->dirty))
		event_active(&n->kick, EV_TIMEOUT, 0);
}
