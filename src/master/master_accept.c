/* SPDX-License-Identifier: ISC */
/*
 * The listeners.  The master alone accepts, so that it can choose: each
 * connection goes to the worker with the fewest, and those of one wake-up
 * travel together, up to 16 in a message.
 *
 * A reload binds what is new before anything else happens, and closes what is
 * not wanted any more when nothing can fail any more: a listener whose address
 * stays is never closed, and nobody who waits in its queue is lost.
 *
 * Nothing here may spin.  A listening socket stays readable as long as
 * anybody waits; so whenever a connection cannot be taken (no worker is
 * ready, or there is no descriptor) the listeners are switched off, until a
 * worker is ready or the pause is over.
 */
#include "config.h" /* accept4(2) */

#include "master/master.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"
#include "net/net.h"

#define ACCEPT_TURN 64
#define ACCEPT_PAUSE_MS 100
/* What would be said for each connection is said so often. */
#define ACCEPT_WARN_MS 10000

struct master_listener {
	struct master *m;
	struct net_addr asked; /* as the configuration has it */
	struct net_addr addr;  /* as it was bound */
	bool tls;
	bool stays; /* through the reload that is under way */
	char name[NET_ADDR_LEN + 4];
	int fd;
	struct event *event;
};

static void accept_cb(int fd, short what, void *arg);
static void accept_pause_cb(int fd, short what, void *arg);

const char *
master_accept_name(const struct master *m, size_t i)
{
	return m->listeners[i]->name;
}

unsigned
master_accept_port(const struct master *m, size_t i)
{
	const struct sockaddr_storage *ss = &m->listeners[i]->addr.ss;

	switch (ss->ss_family) {
	case AF_INET:
		return ntohs(((const struct sockaddr_in *)ss)->sin_port);
	case AF_INET6:
		return ntohs(((const struct sockaddr_in6 *)ss)->sin6_port);
	}
	return 0;
}

static int
accept_open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
accept_set_tls(struct master_listener *l, bool tls)
{
	char name[NET_ADDR_LEN];

	l->tls = tls;
	net_addr_print(&l->addr, name);
	snprintf(l->name, sizeof(l->name), "%s%s", tls ? "tls:" : "", name);
}

static void
accept_listener_close(struct master_listener *l)
{
	event_free(l->event);
	close(l->fd);
	if (l->addr.ss.ss_family == AF_UNIX) {
		master_state_root(l->m, true);
		if (unlink(((struct sockaddr_un *)&l->addr.ss)->sun_path) == -1)
			log_debug("%s: %s", l->name, strerror(errno));
		master_state_root(l->m, false);
	}
	free(l);
}

/* NULL and errno when it cannot be bound. */
static struct master_listener *
accept_listener_open(struct master *m, const struct net_addr *a, bool tls)
{
	struct master_listener *l = xcalloc(1, sizeof(*l));
	mode_t old;

	l->m = m;
	l->asked = l->addr = *a;
	/* Who may connect to a unix socket is decided by the directory that
	 * it is in. */
	old = umask(0111);
	l->fd = net_listen(&l->addr, SOMAXCONN);
	umask(old);
	if (l->fd == -1) {
		free(l);
		return NULL;
	}
	accept_set_tls(l, tls);
	l->event =
	    event_new(m->base, l->fd, EV_READ | EV_PERSIST, accept_cb, l);
	if (l->event == NULL)
		fatalx("no event for %s", l->name);
	return l;
}

static bool
accept_is_same(const struct net_addr *a, const struct net_addr *b)
{
	return a->len == b->len && memcmp(&a->ss, &b->ss, a->len) == 0;
}

/* The listener that has this address already; of several that asked for any
 * port, rather the one that speaks the same. */
static struct master_listener *
accept_find(const struct master *m, const struct net_addr *a, bool tls)
{
	struct master_listener *l, *other = NULL;
	size_t i;

	for (i = 0; i < m->nlisteners; i++) {
		l = m->listeners[i];
		if (l->stays || (!accept_is_same(&l->asked, a) &&
				    !accept_is_same(&l->addr, a)))
			continue;
		if (l->tls == tls)
			return l;
		other = l;
	}
	return other;
}

void
master_accept_abandon(struct master *m, struct master_accept_next *next)
{
	size_t i;

	for (i = 0; i < next->n; i++) {
		if (next->v[i].l->stays)
			next->v[i].l->stays = false;
		else
			accept_listener_close(next->v[i].l);
	}
	free(next->v);
	(void)m;
}

char *
master_accept_prepare(
    struct master *m, const struct conf *c, struct master_accept_next *next)
{
	const char *wrong;
	char *error;
	size_t i;

	next->v = xcalloc(c->listen.n, sizeof(*next->v));
	next->n = 0;
	for (i = 0; i < c->listen.n; i++) {
		struct master_listener *l;
		struct net_addr a;
		bool tls;

		wrong = net_listen_parse(c->listen.v[i], &a, &tls);
		if (wrong == NULL && (l = accept_find(m, &a, tls)) != NULL)
			l->stays = true;
		else if (wrong == NULL &&
			 (l = accept_listener_open(m, &a, tls)) == NULL)
			wrong = strerror(errno);
		if (wrong != NULL) {
			error = xasprintf(
			    "cannot listen on %s: %s", c->listen.v[i], wrong);
			master_accept_abandon(m, next);
			return error;
		}
		next->v[i].l = l;
		next->v[i].asked = a;
		next->v[i].tls = tls;
		next->n++;
	}
	return NULL;
}

void
master_accept_commit(struct master *m, struct master_accept_next *next)
{
	size_t i;

	for (i = 0; i < m->nlisteners; i++) {
		struct master_listener *l = m->listeners[i];

		if (l->stays)
			continue;
		log_info("not listening on %s any more", l->name);
		accept_listener_close(l);
	}
	free(m->listeners);
	m->listeners = xcalloc(next->n, sizeof(*m->listeners));
	m->nlisteners = next->n;
	for (i = 0; i < next->n; i++) {
		struct master_listener *l = next->v[i].l;
		bool is_new = !l->stays || l->tls != next->v[i].tls;

		m->listeners[i] = l;
		l->stays = false;
		l->asked = next->v[i].asked;
		accept_set_tls(l, next->v[i].tls);
		event_del(l->event);
		if (is_new && m->phase >= MASTER_SERVE)
			master_accept_tell(m, i);
	}
	free(next->v);
	m->accepting = false;
	master_accept_update(m);
}

void
master_accept_tell(const struct master *m, size_t i)
{
	log_info("listening on %s", m->listeners[i]->name);
	if (m->args->foreground) {
		printf("listening on %s\n", m->listeners[i]->name);
		fflush(stdout);
	}
}

void
master_accept_open(struct master *m)
{
	struct master_accept_next next;
	char *error;

	m->accept_reserve = accept_open_reserve();
	m->accept_pause = event_new(m->base, -1, 0, accept_pause_cb, m);
	if (m->accept_reserve == -1 || m->accept_pause == NULL)
		fatal("starting to accept");
	error = master_accept_prepare(m, m->conf, &next);
	if (error != NULL)
		fatalx("%s", error);
	master_accept_commit(m, &next);
}

static bool
accept_can_take(const struct master_child *c)
{
	return (c->role->may & MASTER_NET) != 0 && c->ready && c->peer != NULL;
}

static unsigned
accept_load(const struct master_child *c)
{
	return c->conns + c->handed + c->batch.n;
}

/* One that does not keep up with what it is sent comes last. */
static bool
accept_is_better(const struct master_child *a, const struct master_child *b)
{
	bool a_waits = ipc_queued(a->peer) > 0;
	bool b_waits = ipc_queued(b->peer) > 0;

	return a_waits != b_waits ? b_waits : accept_load(a) < accept_load(b);
}

/* The worker with the fewest connections; NULL when none takes any. */
static struct master_child *
accept_pick(struct master *m)
{
	struct master_child *c, *best = NULL;
	unsigned i;

	for (i = 0; i < m->nchildren; i++) {
		c = &m->children[i];
		if (accept_can_take(c) &&
		    (best == NULL || accept_is_better(c, best)))
			best = c;
	}
	return best;
}

static int64_t
accept_total(const struct master *m)
{
	int64_t total = 0;
	unsigned i;

	for (i = 0; i < m->nchildren; i++)
		total += accept_load(&m->children[i]);
	return total;
}

static void PRINTF_LIKE(2, 3)
    accept_warn(struct master *m, const char *fmt, ...)
{
	int64_t now = master_now();
	char text[256];
	va_list ap;

	if (m->accept_warned_ms != 0 &&
	    now - m->accept_warned_ms < ACCEPT_WARN_MS)
		return;
	m->accept_warned_ms = now;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_warn("%s", text);
}

/* Sends what was gathered for a worker.  A worker that does not take it is
 * in trouble, and these clients have to come again. */
static void
accept_hand_over(struct master_child *c)
{
	struct ipc_conns *b = &c->batch;
	unsigned i;

	if (b->n == 0)
		return;
	if (ipc_send(c->peer, IPC_CONN_NEW, b, NULL, 0, c->batch_fds, b->n) ==
	    -1)
		accept_warn(c->m,
		    "%u connections for worker %u were closed: "
		    "%s",
		    b->n, c->number, strerror(errno));
	else
		c->handed += b->n;
	for (i = 0; i < b->n; i++)
		close(c->batch_fds[i]);
	b->n = 0;
}

static void
accept_give(
    struct master_child *c, int fd, const struct net_addr *peer, bool tls)
{
	struct ipc_conns *b = &c->batch;

	memcpy(&b->addr[b->n].ss, &peer->ss, sizeof(peer->ss));
	b->addr[b->n].len = peer->len;
	b->addr[b->n].tls = tls;
	c->batch_fds[b->n++] = fd;
	if (b->n == IPC_FDS_MAX)
		accept_hand_over(c);
}

/* Out of descriptors: with the one in reserve a client is at least told that
 * it is not wanted now, instead of waiting. */
static void
accept_refuse(struct master_listener *l)
{
	struct master *m = l->m;
	int fd;

	close(m->accept_reserve);
	fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd != -1)
		close(fd);
	m->accept_reserve = accept_open_reserve();
}

static void
accept_pause(struct master_listener *l, int error)
{
	accept_warn(
	    l->m, "accepting on %s pauses: %s", l->name, strerror(error));
	if (error == EMFILE || error == ENFILE)
		accept_refuse(l);
	master_timer(l->m->accept_pause, ACCEPT_PAUSE_MS);
	master_accept_update(l->m);
}

/* Errors of the one connection, accept(2); the next one may be well. */
static bool
accept_is_passing(int error)
{
	static const int passing[] = {
		EINTR,
		ECONNABORTED,
		EPERM,
		EPROTO,
		ENETDOWN,
		ENOPROTOOPT,
		EHOSTDOWN,
		ENONET,
		EHOSTUNREACH,
		EOPNOTSUPP,
		ENETUNREACH,
	};
	size_t i;

	for (i = 0; i < NELEM(passing); i++) {
		if (passing[i] == error)
			return true;
	}
	return false;
}

/* False: there is no more, or accepting pauses. */
static bool
accept_one(struct master_listener *l)
{
	struct master *m = l->m;
	struct master_child *c;
	struct net_addr peer;
	int fd;

	memset(&peer, 0, sizeof(peer));
	peer.len = sizeof(peer.ss);
	fd = accept4(l->fd, (struct sockaddr *)&peer.ss, &peer.len,
	    SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd == -1) {
		if (errno == EAGAIN)
			return false;
		if (accept_is_passing(errno))
			return true;
		accept_pause(l, errno);
		return false;
	}
	c = accept_pick(m);
	if (c == NULL || accept_total(m) >= m->conf->limit_connections) {
		if (c != NULL)
			accept_warn(m, "connections are closed: there are as "
				       "many as limit.connections allows");
		close(fd);
		return true;
	}
	accept_give(c, fd, &peer, l->tls);
	return true;
}

static void
accept_cb(int fd, short what, void *arg)
{
	struct master_listener *l = arg;
	struct master *m = l->m;
	unsigned i;

	(void)fd;
	(void)what;
	for (i = 0; i < ACCEPT_TURN && accept_one(l); i++)
		continue;
	for (i = 0; i < m->nchildren; i++)
		accept_hand_over(&m->children[i]);
}

static void
accept_pause_cb(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	master_accept_update(arg);
}

void
master_accept_update(struct master *m)
{
	bool on = m->phase == MASTER_SERVE && accept_pick(m) != NULL &&
		  !event_pending(m->accept_pause, EV_TIMEOUT, NULL);
	size_t i;

	if (on == m->accepting)
		return;
	m->accepting = on;
	for (i = 0; i < m->nlisteners; i++) {
		if ((on ? event_add(m->listeners[i]->event, NULL)
			: event_del(m->listeners[i]->event)) == -1)
			fatalx("no event for %s", m->listeners[i]->name);
	}
}

void
master_accept_close(struct master *m)
{
	size_t i;

	if (m->accept_pause == NULL)
		return;
	event_free(m->accept_pause);
	m->accept_pause = NULL;
	for (i = 0; i < m->nlisteners; i++)
		accept_listener_close(m->listeners[i]);
	free(m->listeners);
	m->listeners = NULL;
	m->nlisteners = 0;
	close(m->accept_reserve);
	m->accepting = false;
}
