/* SPDX-License-Identifier: ISC */
/*
 * The life of a connection, and its input.  Bytes are read into the one
 * buffer of the process and given to the reader of the state (HTTP or
 * WebSocket); only what that cannot consume yet is copied and kept.
 *
 * The invariants: while a callback runs nothing is freed and `in` is not
 * touched, because what the callback looks at may lie there; and libevent
 * watches exactly what conn_rearm() says, so every change of a state that it
 * looks at ends with a call of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/net_conn.h"

/* The only place that reads a socket.  -1 and errno; 0 at the end. */
static ssize_t
conn_io_read(struct conn *c, void *p, size_t n)
{
	ssize_t r;

	/* What is not listened to need not be deciphered. */
	if (c->ssl != NULL && !c->deaf)
		return conn_tls_read(c, p, n);
	do {
		r = recv(event_get_fd(&c->ev), p, n, MSG_DONTWAIT);
	} while (r == -1 && errno == EINTR);
	return r;
}

static void
conn_set_addr(struct conn *c, const struct net_addr *a)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a->ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->ss;

	c->addr.family = a->ss.ss_family;
	if (a->ss.ss_family == AF_INET) {
		memcpy(c->addr.ip, &in->sin_addr, 4);
		c->addr.port = in->sin_port;
	} else if (a->ss.ss_family == AF_INET6) {
		memcpy(c->addr.ip, &in6->sin6_addr, 16);
		c->addr.port = in6->sin6_port;
		c->addr.scope = in6->sin6_scope_id;
	}
}

const struct net_addr *
conn_peer(const struct conn *c)
{
	struct net_addr *a = &c->net->peer_addr;
	struct sockaddr_in *in = (struct sockaddr_in *)&a->ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a->ss;

	memset(a, 0, sizeof(*a));
	a->ss.ss_family = c->addr.family;
	a->len = sizeof(sa_family_t);
	if (c->addr.family == AF_INET) {
		memcpy(&in->sin_addr, c->addr.ip, 4);
		in->sin_port = c->addr.port;
		a->len = sizeof(*in);
	} else if (c->addr.family == AF_INET6) {
		memcpy(&in6->sin6_addr, c->addr.ip, 16);
		in6->sin6_port = c->addr.port;
		in6->sin6_scope_id = c->addr.scope;
		a->len = sizeof(*in6);
	}
	return a;
}

void
conn_set_data(struct conn *c, void *data)
{
	c->data = data;
}

void *
conn_data(const struct conn *c)
{
	return c->data;
}

bool
conn_is_ws(const struct conn *c)
{
	return c->is_ws;
}

bool
conn_is_tls(const struct conn *c)
{
	return c->is_tls;
}

void
conn_mark(struct conn *c)
{
	if (c->is_dirty)
		return;
	c->is_dirty = 1;
	SLIST_INSERT_HEAD(&c->net->dirty, c, dirty);
}

void
conn_die(struct conn *c, enum net_end why)
{
	struct net *n = c->net;
	int fd = event_get_fd(&c->ev);

	if (c->state == CONN_DEAD)
		return;
	/* The reason that was given first stands. */
	if (c->state < CONN_CLOSING)
		c->why = (uint8_t)why;
	conn_tls_free(c);
	c->state = CONN_DEAD;
	event_del(&c->ev);
	c->armed = 0;
	close(fd);
	conn_timer_del(c);
	net_peer_put(n, c);
	n->count--;
	n->stats.ended[c->why]++;
	conn_mark(c);
}

void
conn_reap(struct conn *c)
{
	struct net *n = c->net;

	n->handler->closed(n->arg, c, (enum net_end)c->why, c->code);
	LIST_REMOVE(c, all);
	conn_ws_put(c);
	conn_out_free(c);
	free(c->stream);
	if (c->in != NULL)
		buf_free(c->in);
	free(c->in);
	free(c);
}

void
conn_closing(struct conn *c, enum net_end why, uint16_t code)
{
	c->state = CONN_CLOSING;
	c->why = (uint8_t)why;
	c->code = c->is_ws ? code : 0;
	c->since_ms = clock_mono();
	/* Also with nothing to write the next step is net_flush()'s. */
	conn_mark(c);
	conn_timer(c);
	conn_rearm(c);
}

void
conn_linger(struct conn *c)
{
	/* With both close frames exchanged, or the peer's stream at its end,
	 * there is nothing left to wait for. */
	if (c->peer_closed || c->peer_eof) {
		conn_die(c, c->why);
		return;
	}
	c->state = CONN_LINGER;
	c->since_ms = clock_mono();
	/* Closing at once could reset the connection while the peer still
	 * sends, and the reset would take our last words from its buffer
	 * (RFC 9112 9.6). */
	if (!c->is_ws || c->deaf) {
		c->deaf = 1;
		conn_tls_bye(c);
		(void)shutdown(event_get_fd(&c->ev), SHUT_WR);
	}
	conn_timer(c);
	conn_rearm(c);
}

void
conn_close(struct conn *c, enum net_end why, uint16_t code, const char *reason)
{
	struct frame *f;

	if (c->state >= CONN_CLOSING)
		return;
	/* There is no way yet to say anything. */
	if (c->state == CONN_TLS) {
		conn_die(c, why);
		return;
	}
	if (c->is_ws) {
		f = net_ws_close_frame(code, reason);
		conn_push(c, f);
		frame_unref(f);
		/* The push may have found the peer gone. */
		if (c->state >= CONN_CLOSING)
			return;
	}
	conn_closing(c, why, code);
}

void
conn_drop(struct conn *c, enum net_end why)
{
	conn_die(c, why);
}

void
conn_trust(struct conn *c)
{
	c->is_trusted = 1;
}

void
conn_pause(struct conn *c, bool on)
{
	if (c->is_paused == on)
		return;
	c->is_paused = on;
	/* Silence while nobody listened does not count. */
	if (!on)
		c->heard_ms = clock_mono();
	conn_timer(c);
	conn_rearm(c);
}

bool
conn_may_consume(const struct conn *c)
{
	switch ((enum conn_state)c->state) {
	case CONN_TLS:
		return false;
	case CONN_HTTP:
		if (c->stream != NULL)
			return conn_stream_reads(c);
		return !c->is_busy && !c->is_paused && c->out == NULL;
	case CONN_WS:
		/* Who does not drain what it causes causes no more. */
		return !c->is_paused && !c->blocked &&
		       (c->out == NULL || c->net->limits.output == 0 ||
			   c->out->bytes <= c->net->limits.output / 2);
	case CONN_CLOSING:
	case CONN_LINGER:
		return true;
	case CONN_DEAD:
		break;
	}
	return false;
}

static bool
conn_may_read(const struct conn *c)
{
	size_t kept = c->in != NULL ? c->in->len : 0;

	if (c->peer_eof)
		return false;
	if (conn_may_consume(c))
		return true;
	/* The next request may come early, and a peer that leaves is noticed,
	 * but it may not fill our memory. */
	return c->state == CONN_HTTP && !c->is_paused &&
	       kept < c->net->limits.head;
}

/* What libevent is to watch. */
static short
conn_want(const struct conn *c)
{
	short want = 0;

	if (c->state == CONN_TLS || conn_may_read(c))
		want |= c->tls_read_w ? EV_WRITE : EV_READ;
	if (c->out != NULL && c->blocked)
		want |= c->tls_write_r ? EV_READ : EV_WRITE;
	return want;
}

static void conn_event_cb(evutil_socket_t fd, short what, void *arg);

void
conn_rearm(struct conn *c)
{
	int fd = event_get_fd(&c->ev);
	short want;

	if (c->state == CONN_DEAD)
		return;
	want = conn_want(c);
	if (want != c->armed) {
		event_del(&c->ev);
		c->armed = 0;
		event_assign(&c->ev, c->net->base, fd, want | EV_PERSIST,
		    conn_event_cb, c);
		if (want != 0 && event_add(&c->ev, NULL) == -1) {
			conn_die(c, NET_END_LIMIT);
			return;
		}
		c->armed = want;
	}
	/* What waits in memory wakes nobody by itself. */
	if ((c->stalled && conn_may_consume(c)) ||
	    (c->tls_more && conn_may_read(c)))
		event_active(&c->ev, EV_READ, 0);
}

/* Keeps bytes for later. */
static void
conn_keep(struct conn *c, const char *p, size_t n)
{
	const struct net_limits *l = &c->net->limits;

	if (c->in == NULL) {
		c->in = xmalloc(sizeof(*c->in));
		/* A request, and what one reading may bring besides. */
		buf_init(c->in, l->head + l->body + NET_READ_SIZE);
	}
	buf_add(c->in, p, n);
	if (c->in->failed)
		conn_die(c, NET_END_LIMIT);
}

/* Gives bytes to whoever's turn it is; returns how many were taken. */
static size_t
conn_consume(struct conn *c, const char *p, size_t n)
{
	size_t used = 0, k;

	while (used < n && conn_may_consume(c)) {
		if (c->deaf || (c->state >= CONN_CLOSING && !c->is_ws))
			return n;
		if (c->is_ws)
			k = conn_feed_ws(c, p + used, n - used);
		else
			k = conn_feed_http(c, p + used, n - used);
		if (k == 0)
			break;
		used += k;
	}
	return used;
}

/* New bytes, after those that were kept. */
static void
conn_input(struct conn *c, const char *p, size_t n)
{
	struct buf *in;
	size_t used;

	if (c->in != NULL) {
		if (n > 0)
			conn_keep(c, p, n);
		if (c->state == CONN_DEAD || c->in->len < c->need)
			return;
		/* Callbacks run now: nobody else may touch these bytes. */
		in = c->in;
		c->in = NULL;
		used = conn_consume(c, in->data, in->len);
		buf_drain(in, used);
		if (in->len > 0 && c->state != CONN_DEAD) {
			c->in = in;
		} else {
			buf_free(in);
			free(in);
		}
	} else {
		used = conn_consume(c, p, n);
		if (used < n && c->state != CONN_DEAD)
			conn_keep(c, p + used, n - used);
	}
	c->stalled = c->in != NULL && !conn_may_consume(c);
}

static void
conn_eof(struct conn *c)
{
	c->peer_eof = 1;
	switch ((enum conn_state)c->state) {
	case CONN_TLS:
		break;
	case CONN_HTTP:
		/* Half closed: conn_settle() sees when all is answered. */
		if (c->is_busy && c->is_waiting)
			conn_die(c, NET_END_PEER);
		break;
	case CONN_CLOSING:
		if (c->is_ws)
			conn_die(c, c->why);
		break;
	case CONN_WS:
	case CONN_LINGER:
		conn_die(c, NET_END_PEER);
		break;
	case CONN_DEAD:
		break;
	}
}

void
conn_settle(struct conn *c)
{
	if (c->state == CONN_HTTP && c->peer_eof && !c->is_busy &&
	    c->out == NULL && !c->stalled)
		conn_die(
		    c, c->served && !c->partial ? NET_END_DONE : NET_END_PEER);
	/* What it left out will never come. */
	if (c->state == CONN_HTTP && c->peer_eof && conn_stream_lacks(c) &&
	    c->in == NULL)
		conn_die(c, NET_END_PEER);
	conn_timer(c);
	conn_rearm(c);
}

static void
conn_read(struct conn *c)
{
	struct net *n = c->net;
	size_t budget = NET_READ_BUDGET;
	ssize_t r;

	if (c->stalled) {
		c->stalled = 0;
		conn_input(c, NULL, 0);
	}
	while (budget > 0 && c->state != CONN_DEAD && conn_may_read(c)) {
		r = conn_io_read(c, n->read, sizeof(n->read));
		if (r == 0) {
			conn_eof(c);
			break;
		}
		if (r == -1) {
			if (errno != EAGAIN && errno != EWOULDBLOCK)
				conn_die(c, NET_END_PEER);
			break;
		}
		n->stats.bytes_in += (uint64_t)r;
		c->heard_ms = clock_mono();
		c->pinged = 0;
		conn_input(c, n->read, (size_t)r);
		if ((size_t)r < sizeof(n->read))
			break;
		budget -= (size_t)r;
	}
}

static void
conn_event_cb(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	bool readable, writable;

	(void)fd;
	if (c->state == CONN_DEAD)
		return;
	/* The loop may have slept since the last reading. */
	clock_update();
	readable = (what & (c->tls_read_w ? EV_WRITE : EV_READ)) != 0;
	writable = (what & (c->tls_write_r ? EV_READ : EV_WRITE)) != 0;
	if (c->state == CONN_TLS) {
		conn_tls_shake(c);
		/* The first request may have come with the handshake's end. */
		readable = c->state != CONN_TLS;
	}
	if (writable && c->state != CONN_DEAD) {
		c->writable = 1;
		conn_mark(c);
	}
	if (readable)
		conn_read(c);
	conn_settle(c);
}

struct conn *
conn_new(struct net *n, int fd, const struct net_addr *peer, bool tls)
{
	struct conn *c = xcalloc(1, sizeof(*c));

	(void)evutil_make_socket_nonblocking(fd);
	c->net = n;
	c->state = tls ? CONN_TLS : CONN_HTTP;
	c->is_tls = tls;
	n->handshakes += tls;
	c->since_ms = c->heard_ms = clock_mono();
	conn_set_addr(c, peer);
	event_assign(
	    &c->ev, n->base, fd, EV_READ | EV_PERSIST, conn_event_cb, c);
	LIST_INSERT_HEAD(&n->conns, c, all);
	n->count++;
	return c;
}
