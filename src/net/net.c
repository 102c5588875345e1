/* SPDX-License-Identifier: ISC */
/*
 * The set of connections of one process: who is let in, how many there are
 * from where, and the memory that they share (the read buffer, the idle
 * WebSocket readers, the ping).
 *
 * A host of an IPv6 network owns at least a /64, so that is what counts as
 * one address.  Unix sockets have none and are not limited by it.
 */
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/net_conn.h"

#define IPV6_HOST 8 /* bytes of an address that make a host */

struct net_peer {
	struct hash_entry entry;
	uint8_t key[16];
	uint32_t count;
};

static const char net_full[] = "HTTP/1.1 503 Service Unavailable\r\n"
			       "Content-Type: application/json\r\n"
			       "Content-Length: 73\r\n"
			       "Retry-After: 5\r\n"
			       "Connection: close\r\n"
			       "\r\n"
			       "{\"error\":\"There are too many connections.\","
			       "\"code\":\"service_unavailable\"}\n";

static const char *const net_ends[] = {
#define NET_END(id, text) #id,
#include "net/ends.def"
#undef NET_END
};

const char *
net_end_name(enum net_end e)
{
	return (unsigned)e < NELEM(net_ends) ? net_ends[e] : "?";
}

/* What net_flush() could not finish in one turn is due in the next: this
 * keeps the loop from sleeping before it. */
static void
net_kick_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

struct net *
net_new(struct event_base *base, const struct net_limits *limits,
    const struct net_handler *handler, void *arg)
{
	struct net *n = xcalloc(1, sizeof(*n));
	size_t i;

	n->base = base;
	n->limits = *limits;
	n->handler = handler;
	n->arg = arg;
	LIST_INIT(&n->conns);
	SLIST_INIT(&n->dirty);
	hash_init(&n->peers);
	for (i = 0; i < NET_WHEEL; i++)
		LIST_INIT(&n->wheel[i]);
	n->wheel_s = (uint32_t)(clock_mono() / 1000);
	n->ping = frame_ws(WS_PING, NULL, 0);
	n->uring = limits->uring ? net_uring_new() : NULL;
	if (event_assign(&n->kick, base, -1, EV_PERSIST, net_kick_cb, n) == -1)
		fatalx("event_assign");
	return n;
}

void
net_free(struct net *n)
{
	struct conn *c;

	if (n == NULL)
		return;
	LIST_FOREACH (c, &n->conns, all)
		conn_die(c, NET_END_SHUTDOWN);
	while ((c = SLIST_FIRST(&n->dirty)) != NULL) {
		SLIST_REMOVE_HEAD(&n->dirty, dirty);
		conn_reap(c);
	}
	event_del(&n->kick);
	net_uring_free(n->uring);
	net_ws_fini(n);
	hash_free(&n->peers);
	frame_unref(n->ping);
	net_tls_free(n->tls);
	crypto_wipe(n->tickets, sizeof(n->tickets));
	free(n);
}

void
net_set_limits(struct net *n, const struct net_limits *limits)
{
	n->limits = *limits;
}

const struct net_stats *
net_stats(const struct net *n)
{
	return &n->stats;
}

size_t
net_count(const struct net *n)
{
	return n->count;
}

uint32_t
net_addr_key(const struct net_addr *a, uint8_t key[16])
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a->ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->ss;

	switch (a->ss.ss_family) {
	case AF_INET:
		memcpy(key, &in->sin_addr, 4);
		return 4;
	case AF_INET6:
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			memcpy(key, &in6->sin6_addr.s6_addr[12], 4);
			return 4;
		}
		memcpy(key, &in6->sin6_addr, IPV6_HOST);
		return IPV6_HOST;
	default:
		return 0;
	}
}

/* Counts one more of this address.  False when that is one too many. */
static bool
net_peer_get(struct net *n, const struct net_addr *a, struct net_peer **found)
{
	struct hash_entry *e;
	struct net_peer *p;
	uint8_t key[16];
	uint32_t len;

	*found = NULL;
	if ((len = net_addr_key(a, key)) == 0)
		return true;
	if ((e = hash_find(&n->peers, key, len)) != NULL) {
		p = CONTAINER(e, struct net_peer, entry);
		if (n->limits.per_addr > 0 && p->count >= n->limits.per_addr)
			return false;
	} else {
		p = xcalloc(1, sizeof(*p));
		memcpy(p->key, key, len);
		hash_insert(&n->peers, &p->entry, p->key, len);
	}
	p->count++;
	*found = p;
	return true;
}

void
net_peer_put(struct net *n, struct conn *c)
{
	struct net_peer *p = c->peer;

	c->peer = NULL;
	if (p == NULL || --p->count > 0)
		return;
	hash_remove(&n->peers, &p->entry);
	free(p);
}

/* No memory and no time for who is too many: one try to say so.  What the
 * peer sent is read first, or the kernel would answer it with a reset that
 * overtakes the reply. */
static void
net_turn_away(struct net *n, int fd)
{
	n->stats.opened++;
	n->stats.ended[NET_END_LIMIT]++;
	(void)!recv(fd, n->read, sizeof(n->read), MSG_DONTWAIT);
	(void)!send(
	    fd, net_full, sizeof(net_full) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(fd, SHUT_WR);
	close(fd);
}

static void
net_set_options(const struct net *n, int fd)
{
	unsigned dead = n->limits.dead_ms > 0 && n->limits.dead_ms < INT32_MAX
			    ? (unsigned)n->limits.dead_ms
			    : 0;
	int on = 1;

	/* Neither matters enough to refuse a peer when it fails. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(
	    fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof(dead));
}

static bool
net_is_full(const struct net *n, bool tls)
{
	const struct net_limits *l = &n->limits;

	if (l->conns > 0 && n->count >= l->conns)
		return true;
	return tls && (n->tls == NULL || (l->handshakes > 0 &&
					     n->handshakes >= l->handshakes));
}

void
net_adopt(struct net *n, int fd, const struct net_addr *peer, bool tls)
{
	struct net_peer *p;
	struct conn *c;

	if (net_is_full(n, tls) || !net_peer_get(n, peer, &p)) {
		if (tls)
			net_tls_turn_away(n, fd);
		else
			net_turn_away(n, fd);
		return;
	}
	if (peer->ss.ss_family != AF_UNIX)
		net_set_options(n, fd);
	n->stats.opened++;
	c = conn_new(n, fd, peer, tls);
	c->peer = p;
	conn_timer(c);
	conn_rearm(c);
}

void
net_each(struct net *n, void (*fn)(void *arg, struct conn *c), void *arg)
{
	struct conn *c;

	/* fn may end any connection: nothing is freed before net_flush(). */
	LIST_FOREACH (c, &n->conns, all)
		if (c->state != CONN_DEAD)
			fn(arg, c);
}
