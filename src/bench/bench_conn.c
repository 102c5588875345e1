/* SPDX-License-Identifier: ISC */
/*
 * Connections of a load generator.  What is read goes through one buffer of
 * the loop; a connection keeps only the beginning of what is not whole, so
 * that very many of them are cheap.
 *
 * A callback may close or drop its connection, so after each one its state is
 * looked at before anything else; it may not start one again.
 */
#include "bench/bench.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONN_READ ((size_t)256 << 10)
#define CONN_BUF_MAX ((size_t)64 << 20)
#define CONN_KEEP ((size_t)64 << 10) /* output memory that is kept */
#define CONN_EVENTS 256
#define CONN_OPENING 64
#define CONN_PORTS 10000 /* of one source address */

void
bench_conn_loop(struct bench_loop *l, const struct bench_where *where,
    const struct bench_calls *calls, unsigned n)
{
	unsigned i;

	memset(l, 0, sizeof(*l));
	if ((l->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
		fatal("epoll_create1");
	l->calls = calls;
	l->n = l->want = n;
	l->opening_max = CONN_OPENING;
	l->goal = BENCH_OPEN;
	l->conns = xcalloc(n, sizeof(*l->conns));
	l->flush = xcalloc(n, sizeof(struct bench_conn *));
	l->input = xmalloc(CONN_READ);
	for (i = 0; i < n; i++) {
		l->conns[i].number = i;
		l->conns[i].loop = l;
		l->conns[i].group = -1;
		l->conns[i].fd = -1;
		l->conns[i].where = where;
	}
}

static void
conn_free(struct bench_conn *c)
{
	if (c->ssl != NULL)
		bench_tls_free(c->ssl);
	c->ssl = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_free(&c->in);
	buf_free(&c->out);
	buf_free(&c->rest);
}

void
bench_conn_loop_free(struct bench_loop *l)
{
	unsigned i;

	for (i = 0; i < l->n; i++) {
		conn_free(&l->conns[i]);
		buf_free(&l->conns[i].login);
	}
	free(l->conns);
	free(l->flush);
	free(l->input);
	close(l->epoll);
}

void
bench_conn_watch(struct bench_loop *l, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = NULL };

	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) != 0)
		fatal("epoll_ctl");
}

static void
conn_want(struct bench_conn *c, bool out)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

	if (c->wants_out == out)
		return;
	c->wants_out = out;
	if (out)
		e.events |= EPOLLOUT;
	if (epoll_ctl(c->loop->epoll, EPOLL_CTL_MOD, c->fd, &e) != 0)
		fatal("epoll_ctl");
}

static void
conn_gone(struct bench_conn *c)
{
	struct bench_loop *l = c->loop;

	if (c->state == BENCH_GONE)
		return;
	if (c->state == l->goal || c->state == BENCH_CLOSING)
		l->ready -= c->state == l->goal;
	else
		l->opening--;
	l->gone++;
	c->last = c->state;
	c->state = BENCH_GONE;
	conn_free(c);
	if (l->calls->gone != NULL)
		l->calls->gone(c);
}

static void
conn_ready(struct bench_conn *c)
{
	c->loop->opening--;
	c->loop->ready++;
	if (c->loop->calls->open != NULL)
		c->loop->calls->open(c);
}

void
bench_conn_opened(struct bench_conn *c)
{
	c->state = BENCH_OPEN;
	conn_ready(c);
}

static void
conn_queue(struct bench_conn *c)
{
	if (c->queued)
		return;
	c->queued = true;
	c->loop->flush[c->loop->nflush++] = c;
}

void
bench_conn_send(struct bench_conn *c, const char *p, size_t n)
{
	const struct bench_where *w = c->where;

	if (w->websocket)
		bench_ws_frame(&c->out,
		    w->dialect->binary ? BENCH_WS_BINARY : BENCH_WS_TEXT, p, n);
	else
		buf_add(&c->out, p, n);
	conn_queue(c);
}

static void
conn_flush(struct bench_conn *c)
{
	ssize_t n;

	while (c->out.len > 0) {
		n = c->ssl != NULL
			? bench_tls_write(c->ssl, c->out.data, c->out.len)
			: send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return; /* the reading side will see it */
		buf_drain(&c->out, (size_t)n);
	}
	if (c->out.len == 0 && c->out.cap > CONN_KEEP)
		buf_free(&c->out);
	conn_want(c, c->out.len > 0);
}

void
bench_conn_flush(struct bench_loop *l)
{
	unsigned i;

	for (i = 0; i < l->nflush; i++) {
		struct bench_conn *c = l->flush[i];

		c->queued = false;
		if (c->fd >= 0 && c->state >= BENCH_UPGRADE)
			conn_flush(c);
	}
	l->nflush = 0;
}

static void
conn_login(struct bench_conn *c)
{
	c->state = BENCH_UPGRADED;
	if (c->loop->goal == BENCH_UPGRADED) {
		conn_ready(c);
		return;
	}
	c->state = BENCH_LOGIN;
	c->where->dialect->login(c);
}

/* The way for bytes is open. */
static void
conn_secured(struct bench_conn *c)
{
	conn_want(c, false);
	if (!c->where->websocket) {
		conn_login(c);
		return;
	}
	bench_ws_upgrade(&c->out, c->where);
	c->state = BENCH_UPGRADE;
	conn_queue(c);
}

static void
conn_shake(struct bench_conn *c)
{
	bool out = false;
	int done = bench_tls_shake(c->ssl, &out);

	if (done < 0)
		conn_gone(c);
	else if (done > 0)
		conn_secured(c);
	else
		conn_want(c, out);
}

static void
conn_connected(struct bench_conn *c)
{
	int error = 0;
	socklen_t n = sizeof(error);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0 ||
	    error != 0) {
		conn_gone(c);
		return;
	}
	if (c->where->tls == NULL) {
		conn_secured(c);
		return;
	}
	c->ssl = bench_tls_new(c->where->tls, c->fd);
	c->state = BENCH_SHAKE;
	conn_shake(c);
}

/* Bytes of a dialect: of a stream some may be left for later. */
static void
conn_payload(struct bench_conn *c, const char *p, size_t n)
{
	const struct bench_dialect *d = c->where->dialect;
	size_t taken;

	if (c->loop->calls->message != NULL && c->state == BENCH_OPEN) {
		c->loop->calls->message(c, p, n);
		return;
	}
	if (!d->stream) {
		(void)d->take(c, p, n);
		return;
	}
	if (c->rest.len > 0) {
		buf_add(&c->rest, p, n);
		taken = d->take(c, c->rest.data, c->rest.len);
		if (c->state != BENCH_GONE)
			buf_drain(&c->rest, taken);
		return;
	}
	taken = d->take(c, p, n);
	if (c->state != BENCH_GONE && taken < n)
		buf_add(&c->rest, p + taken, n - taken);
}

static size_t
conn_upgraded(struct bench_conn *c, const char *p, size_t n)
{
	ptrdiff_t head = bench_ws_upgraded(p, n);

	if (head > 0)
		conn_login(c);
	else if (head < 0) {
		if (c->loop->calls->refused != NULL)
			c->loop->calls->refused(c, p, n);
		conn_gone(c);
	}
	return head > 0 ? (size_t)head : 0;
}

/* Takes one thing from the start; 0: it is not whole, or all is over. */
static size_t
conn_take_one(struct bench_conn *c, const char *p, size_t n)
{
	struct slice payload;
	size_t taken;
	int opcode;

	if (c->state == BENCH_UPGRADE)
		return conn_upgraded(c, p, n);
	if (!c->where->websocket) {
		conn_payload(c, p, n);
		return n;
	}
	taken = bench_ws_take(p, n, &opcode, &payload);
	if (taken == 0)
		return 0;
	if (opcode < BENCH_WS_CLOSE) {
		if (c->state != BENCH_CLOSING)
			conn_payload(c, payload.p, payload.n);
	} else if (opcode == BENCH_WS_PING) {
		buf_add(&c->out, "\x8a\x80\0\0\0\0", 6);
		conn_queue(c);
	} else if (opcode == BENCH_WS_CLOSE) {
		if (c->state != BENCH_CLOSING &&
		    c->loop->calls->refused != NULL)
			c->loop->calls->refused(c, payload.p, payload.n);
		conn_gone(c);
	}
	return taken;
}

static size_t
conn_take(struct bench_conn *c, const char *p, size_t n)
{
	size_t done = 0, taken;

	while (done < n && c->state != BENCH_GONE) {
		taken = conn_take_one(c, p + done, n - done);
		if (taken == 0)
			break;
		done += taken;
	}
	return done;
}

static void
conn_read(struct bench_conn *c)
{
	char *p = c->loop->input;
	size_t taken, len;
	ssize_t n;

	n = c->ssl != NULL ? bench_tls_read(c->ssl, p, CONN_READ)
			   : recv(c->fd, p, CONN_READ, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		conn_gone(c);
		return;
	}
	len = (size_t)n;
	if (c->in.len > 0) {
		buf_add(&c->in, p, len);
		taken = conn_take(c, c->in.data, c->in.len);
		if (c->state == BENCH_GONE)
			return;
		buf_drain(&c->in, taken);
		if (c->in.len == 0)
			buf_free(&c->in);
		return;
	}
	taken = conn_take(c, p, len);
	if (c->state != BENCH_GONE && taken < len)
		buf_add(&c->in, p + taken, len - taken);
}

/* An address of its own for each so many connections: their number is limited
 * by the ports of one. */
static void
conn_source(const struct bench_conn *c)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	uint32_t to = ntohl(c->where->address.sin_addr.s_addr);
	int on = 1;

	if (to >> 24 != 127)
		return;
	from.sin_addr.s_addr =
	    htonl(127u << 24 | (c->where->source & 0xff) << 16 |
		  (c->number / CONN_PORTS & 0xff) << 8 | 1);
	(void)setsockopt(
	    c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0)
		fatal("bind");
}

void
bench_conn_start(struct bench_conn *c)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT, .data.ptr = c };
	const struct sockaddr_in *to = &c->where->address;
	int on = 1;

	buf_init(&c->in, CONN_BUF_MAX);
	buf_init(&c->out, CONN_BUF_MAX);
	buf_init(&c->rest, CONN_BUF_MAX);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		fatal("socket");
	conn_source(c);
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (epoll_ctl(c->loop->epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
		fatal("epoll_ctl");
	c->wants_out = true;
	c->state = BENCH_CONNECT;
	c->left = 0;
	c->since = bench_proc_now();
	c->loop->opening++;
	if (connect(c->fd, (const struct sockaddr *)to, sizeof(*to)) != 0 &&
	    errno != EINPROGRESS)
		conn_gone(c);
}

void
bench_conn_open_more(struct bench_loop *l)
{
	while (l->opened < l->want && l->opening < l->opening_max) {
		struct bench_conn *c = &l->conns[l->opened++];

		if (c->state == BENCH_NEW || c->state == BENCH_GONE)
			bench_conn_start(c);
	}
}

static void
conn_event(struct bench_conn *c, uint32_t events)
{
	switch ((enum bench_state)c->state) {
	case BENCH_NEW:
	case BENCH_GONE:
		return;
	case BENCH_CONNECT:
		conn_connected(c);
		return;
	case BENCH_SHAKE:
		conn_shake(c);
		return;
	default:
		break;
	}
	if (events & EPOLLOUT)
		conn_queue(c);
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		conn_read(c);
}

void
bench_conn_turn(struct bench_loop *l, int64_t timeout_ns)
{
	struct timespec ts = { .tv_sec = timeout_ns / 1000000000,
		.tv_nsec = timeout_ns % 1000000000 };
	struct epoll_event events[CONN_EVENTS];
	int i, n;

	n = epoll_pwait2(l->epoll, events, CONN_EVENTS, &ts, NULL);
	for (i = 0; i < n; i++)
		if (events[i].data.ptr != NULL)
			conn_event(events[i].data.ptr, events[i].events);
	bench_conn_flush(l);
}

void
bench_conn_close(struct bench_conn *c)
{
	if (c->state == BENCH_NEW || c->state == BENCH_GONE ||
	    c->state == BENCH_CLOSING)
		return;
	if (c->state < BENCH_UPGRADED || !c->where->websocket) {
		conn_gone(c);
		return;
	}
	if (c->state == c->loop->goal)
		c->loop->ready--;
	else
		c->loop->opening--;
	c->state = BENCH_CLOSING;
	bench_ws_frame(&c->out, BENCH_WS_CLOSE, "\x03\xe8", 2);
	conn_queue(c);
}

void
bench_conn_drop(struct bench_conn *c)
{
	struct linger reset = { .l_onoff = 1 };

	if (c->fd >= 0)
		(void)setsockopt(
		    c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (c->state != BENCH_NEW)
		conn_gone(c);
}
