/* SPDX-License-Identifier: ISC */
/*
 * Connections of a crowd: upgrade, hello, frames.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crowd.h"

#define CROWD_OPENING_MAX 64
#define CROWD_READ 65536
#define CROWD_PAST_MS 30000 /* half the server's clock window */
#define CROWD_PORTS 10000   /* of one source address */
#define CROWD_ADDRS 8

struct crowd_member {
	char id[ID_HEX_LEN + 1];
	char pub[2 * CRYPTO_KEY_LEN + 1];
	uint8_t secret[CRYPTO_SECRET_LEN];
	int64_t stamp_ms; /* of its latest hello: none is good twice */
};

struct crowd crowd;
static struct sockaddr_in crowd_addrs[CROWD_ADDRS];
static unsigned crowd_naddrs;
static char crowd_mesh[ID_HEX_LEN + 1];
static struct crowd_member crowd_members[2];
static int crowd_epoll = -1;

static void
crowd_want(struct crowd_conn *c, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	if (epoll_ctl(crowd_epoll, EPOLL_CTL_MOD, c->fd, &e) != 0)
		fatal("epoll_ctl");
}

void
crowd_flush(struct crowd_conn *c)
{
	ssize_t n;

	if (c->state == CROWD_GONE || c->out.len == 0)
		return;
	while (c->out.len > 0) {
		n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);
		if (n < 0) {
			if (errno == EAGAIN)
				crowd_want(c, EPOLLIN | EPOLLOUT);
			return; /* else the read side will see it */
		}
		buf_drain(&c->out, (size_t)n);
	}
	if (c->out.cap > CROWD_READ)
		buf_free(&c->out);
	crowd_want(c, EPOLLIN);
}

/* A masked text frame; a mask of zero leaves the bytes as they are. */
void
crowd_send(struct crowd_conn *c, const char *p, size_t n)
{
	buf_addc(&c->out, (char)0x81);
	if (n < 126)
		buf_addc(&c->out, (char)(0x80 | n));
	else if (n < 65536) {
		buf_addc(&c->out, (char)(0x80 | 126));
		buf_add16(&c->out, (uint16_t)n);
	} else {
		buf_addc(&c->out, (char)(0x80 | 127));
		buf_add64(&c->out, n);
	}
	buf_add32(&c->out, 0);
	buf_add(&c->out, p, n);
}

static void
crowd_hello(struct crowd_conn *c)
{
	struct crowd_member *m = &crowd_members[c->number % 2];
	char text[512], sig[2 * CRYPTO_SIG_LEN + 1], group[64] = "";
	uint8_t raw[CRYPTO_SIG_LEN];
	struct buf b;

	clock_update();
	/* A signature is good once, so no two hellos of a member may have one
	 * time; those of the past leave the present to other clients. */
	m->stamp_ms = clock_wall() - CROWD_PAST_MS > m->stamp_ms
			  ? clock_wall() - CROWD_PAST_MS
			  : m->stamp_ms + 1;
	snprintf(text, sizeof(text), "%s|%s|%s|%" PRId64, crowd_mesh, m->id,
	    m->pub, m->stamp_ms);
	crypto_make_sig(raw, text, strlen(text), m->secret);
	crypto_hex(sig, raw, sizeof(raw));
	if (crowd.group != NULL && c->number > 0)
		snprintf(
		    group, sizeof(group), "{\"name\":\"%s\"}", crowd.group);
	buf_init(&b, 65536);
	buf_addf(&b,
	    "{\"type\":\"hello\",\"meshId\":\"%s\",\"memberId\":\"%s\","
	    "\"pubkey\":\"%s\",\"sessionPubkey\":\"%s\",\"displayName\":"
	    "\"crowd-%u\",\"sessionId\":\"%d-%u\",\"pid\":%d,\"cwd\":\"/\","
	    "\"capabilities\":[%s],\"groups\":[%s],\"timestamp\":%" PRId64
	    ",\"signature\":\"%s\"}",
	    crowd_mesh, m->id, m->pub, c->key, c->number, (int)getpid(),
	    c->number, (int)getpid(), crowd.acks ? "\"client_ack\"" : "", group,
	    m->stamp_ms, sig);
	crowd_send(c, b.data, b.len);
	buf_free(&b);
	c->state = CROWD_HELLO;
}

static void
crowd_gone(struct crowd_conn *c)
{
	if (c->state == CROWD_GONE)
		return;
	if (c->state == CROWD_OPEN)
		crowd.ready--;
	else
		crowd.opening--;
	/* Whom nobody answers tries the next address. */
	if (c->state == CROWD_CONNECT)
		c->refused++;
	c->state = CROWD_GONE;
	crowd.gone++;
	close(c->fd);
	buf_free(&c->in);
	buf_free(&c->out);
	crowd.calls->gone(c);
}

bool
crowd_is(const char *p, size_t n, const char *start)
{
	return n > strlen(start) && memcmp(p, start, strlen(start)) == 0;
}

static void
crowd_message(struct crowd_conn *c, const char *p, size_t n)
{
	if (c->state != CROWD_HELLO) {
		/* Of peers that come and go nobody here wants to hear. */
		if (!crowd_is(
			p, n, "{\"type\":\"push\",\"subtype\":\"system\""))
			crowd.calls->message(c, p, n);
		return;
	}
	if (!crowd_is(p, n, "{\"type\":\"hello_ack\"")) {
		log_warn("hello: %.*s", (int)n, p);
		crowd_gone(c);
		return;
	}
	c->state = CROWD_OPEN;
	crowd.opening--;
	crowd.ready++;
	crowd.calls->open(c);
}

/* Is the answer to the upgrade there? */
static bool
crowd_upgraded(struct crowd_conn *c)
{
	char *end = memmem(c->in.data, c->in.len, "\r\n\r\n", 4);

	if (end == NULL)
		return false;
	if (memcmp(c->in.data, "HTTP/1.1 101", 12) != 0) {
		log_warn("upgrade: %.*s", 40, c->in.data);
		crowd_gone(c);
		return false;
	}
	buf_drain(&c->in, (size_t)(end - c->in.data) + 4);
	crowd_hello(c);
	return true;
}

/* Handles one frame; false when more must come. */
static bool
crowd_take(struct crowd_conn *c)
{
	const uint8_t *p = (const uint8_t *)c->in.data;
	size_t head = 2, n;

	if (c->state == CROWD_UPGRADE)
		return crowd_upgraded(c);
	if (c->in.len < 10 && (c->in.len < 2 || (p[1] & 0x7f) > 125))
		return false;
	n = p[1] & 0x7f;
	if (n == 126) {
		head = 4;
		n = (size_t)p[2] << 8 | p[3];
	} else if (n == 127) {
		head = 10;
		n = (size_t)p[6] << 24 | (size_t)p[7] << 16 |
		    (size_t)p[8] << 8 | p[9];
	}
	if (c->in.len < head + n)
		return false;
	if ((p[0] & 15) == 1)
		crowd_message(c, c->in.data + head, n);
	else if ((p[0] & 15) == 9)
		buf_add(&c->out, "\x8a\x80\0\0\0\0", 6);
	else if ((p[0] & 15) == 8)
		crowd_gone(c);
	if (c->state == CROWD_GONE)
		return false;
	buf_drain(&c->in, head + n);
	return c->in.len > 0;
}

static void
crowd_read(struct crowd_conn *c)
{
	char *room = buf_reserve(&c->in, CROWD_READ);
	ssize_t n = recv(c->fd, room, CROWD_READ, 0);

	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		crowd_gone(c);
		return;
	}
	if (n < 0)
		return;
	c->in.len += (size_t)n;
	while (crowd_take(c))
		;
	if (c->state == CROWD_GONE)
		return;
	if (c->in.len == 0)
		buf_free(&c->in);
	crowd_flush(c);
}

void
crowd_connect(struct crowd_conn *c)
{
	struct epoll_event e = { .events = EPOLLOUT, .data.ptr = c };
	struct sockaddr_in from = { .sin_family = AF_INET };
	const struct sockaddr_in *to;
	int on = 1;

	buf_init(&c->in, 64u << 20);
	buf_init(&c->out, 64u << 20);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		fatal("socket");
	from.sin_addr.s_addr =
	    htonl(0x7f000001 + c->number / CROWD_PORTS * 256);
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0)
		fatal("bind");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (epoll_ctl(crowd_epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
		fatal("epoll_ctl");
	c->state = CROWD_CONNECT;
	crowd.opening++;
	to = &crowd_addrs[(c->place + c->refused) % crowd_naddrs];
	if (connect(c->fd, (const struct sockaddr *)to, sizeof(*to)) != 0 &&
	    errno != EINPROGRESS)
		crowd_gone(c);
}

static void
crowd_event(struct crowd_conn *c, uint32_t events)
{
	if (c->state == CROWD_GONE)
		return;
	if (c->state == CROWD_CONNECT) {
		if (events & (EPOLLERR | EPOLLHUP)) {
			crowd_gone(c);
			return;
		}
		buf_adds(&c->out,
		    "GET /ws HTTP/1.1\r\nHost: crowd\r\n"
		    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
		    "Sec-WebSocket-Version: 13\r\n"
		    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
		c->state = CROWD_UPGRADE;
		crowd_flush(c);
		return;
	}
	if (events & EPOLLOUT)
		crowd_flush(c);
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		crowd_read(c);
}

void
crowd_turn(int timeout_ms)
{
	struct epoll_event events[256];
	int i, n;

	while (crowd.opened < crowd.n && crowd.opening < CROWD_OPENING_MAX)
		crowd_connect(&crowd.conns[crowd.opened++]);
	n = epoll_wait(crowd_epoll, events, NELEM(events), timeout_ms);
	for (i = 0; i < n; i++)
		crowd_event(events[i].data.ptr, events[i].events);
}

static void
crowd_text(const struct json *j, size_t object, const char *key, char *out,
    size_t size)
{
	size_t i = json_get(j, object, key);

	if (i == 0 || j->nodes[i].n >= size)
		fatalx("the seed has no %s", key);
	memcpy(out, j->nodes[i].p, j->nodes[i].n);
	out[j->nodes[i].n] = '\0';
}

static void
crowd_seed(const char *file)
{
	static const char *const names[] = { "peerA", "peerB" };
	char text[32768], secret[2 * CRYPTO_SECRET_LEN + 1];
	struct json j;
	size_t n, i, k;
	FILE *f = fopen(file, "re");

	if (f == NULL)
		fatal("%s", file);
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	json_init(&j, 1000, 8);
	if (json_read(&j, text, n) != 0)
		fatalx("%s: %s", file, j.error);
	crowd_text(&j, 0, "meshId", crowd_mesh, sizeof(crowd_mesh));
	for (i = 0; i < NELEM(names); i++) {
		struct crowd_member *m = &crowd_members[i];

		k = json_get(&j, 0, names[i]);
		crowd_text(&j, k, "memberId", m->id, sizeof(m->id));
		crowd_text(&j, k, "pubkey", m->pub, sizeof(m->pub));
		crowd_text(&j, k, "secretKey", secret, sizeof(secret));
		if (crypto_unhex(m->secret, sizeof(m->secret), secret,
			strlen(secret)) != 0)
			fatalx("%s: a bad key", file);
	}
	json_free(&j);
}

/* One port, or several with commas between. */
static void
crowd_address(const char *host, const char *ports)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	char *end;

	if (inet_pton(AF_INET, host, &addr.sin_addr) != 1)
		fatalx("%s is no IPv4 address", host);
	do {
		addr.sin_port = htons((uint16_t)strtoul(ports, &end, 10));
		if (end == ports || crowd_naddrs == CROWD_ADDRS)
			fatalx("%s: not a list of ports", ports);
		crowd_addrs[crowd_naddrs++] = addr;
		ports = end + 1;
	} while (*end == ',');
}

void
crowd_start(const char *host, const char *ports, const char *seed, unsigned n,
    const struct crowd_calls *calls)
{
	uint8_t key[CRYPTO_KEY_LEN];
	unsigned i;

	crypto_start();
	crowd_address(host, ports);
	crowd_seed(seed);
	if ((crowd_epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
		fatal("epoll_create1");
	crowd.calls = calls;
	crowd.n = n;
	crowd.conns = xcalloc(n, sizeof(*crowd.conns));
	for (i = 0; i < n; i++) {
		crowd.conns[i].number = i;
		crypto_random_bytes(key, sizeof(key));
		crypto_hex(crowd.conns[i].key, key, sizeof(key));
	}
}
