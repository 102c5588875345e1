/* SPDX-License-Identifier: ISC */
/*
 * swarm: many sessions from one process, to see how a linnetd bears them.
 *
 *	swarm HOST PORT SEED idle N
 *	swarm HOST PORT SEED direct PAIRS WINDOW SECONDS
 *	swarm HOST PORT SEED fanout N WINDOW SECONDS
 *
 * SEED is a file with the output of `linnetctl seed`.  idle says hello N
 * times, prints one line, and holds the connections until its standard input
 * ends.  direct: each sender keeps WINDOW messages to its own receiver under
 * way.  fanout: one sender keeps WINDOW messages to a group of N under way.
 * Every answer is one line of key=value.  Receivers never ack: a message
 * counts as had when it was written to them.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"

#define SWARM_OPENING_MAX 64
#define SWARM_READ 65536
#define SWARM_SAMPLES 2000000
#define SWARM_GROUP "swarm"

enum swarm_state {
	SWARM_CONNECT,
	SWARM_UPGRADE,
	SWARM_HELLO,
	SWARM_OPEN,
	SWARM_GONE
};

struct swarm_conn {
	int fd;
	enum swarm_state state;
	unsigned number;
	struct buf in;
	struct buf out;
	char key[2 * CRYPTO_KEY_LEN + 1]; /* of the session */
	unsigned outstanding;
	int64_t *sent_us; /* times of what is outstanding, a ring */
	unsigned head, tail;
};

struct swarm_member {
	char id[ID_HEX_LEN + 1];
	char pub[2 * CRYPTO_KEY_LEN + 1];
	uint8_t secret[CRYPTO_SECRET_LEN];
	int64_t stamp_ms; /* of its latest hello: none is good twice */
};

static struct {
	struct sockaddr_in addr;
	char mesh[ID_HEX_LEN + 1];
	struct swarm_member members[2];
	int epoll;
	struct swarm_conn *conns;
	unsigned n, opened, opening, ready, gone;
	bool groups; /* hello with the group */
	unsigned window;
	bool sending;
	uint64_t acks, pushes, sends;
	int64_t *samples;
	size_t nsamples;
	void (*on_message)(struct swarm_conn *c, const char *p, size_t n);
} S;

static void
swarm_want(struct swarm_conn *c, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	if (epoll_ctl(S.epoll, EPOLL_CTL_MOD, c->fd, &e) != 0)
		fatal("epoll_ctl");
}

static void
swarm_flush(struct swarm_conn *c)
{
	ssize_t n;

	while (c->out.len > 0) {
		n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);
		if (n < 0) {
			if (errno == EAGAIN) {
				swarm_want(c, EPOLLIN | EPOLLOUT);
				return;
			}
			return; /* the read side will see it */
		}
		buf_drain(&c->out, (size_t)n);
	}
	if (c->out.cap > SWARM_READ)
		buf_free(&c->out);
	swarm_want(c, EPOLLIN);
}

/* A masked text frame; a mask of zero leaves the bytes as they are. */
static void
swarm_frame(struct swarm_conn *c, const char *p, size_t n)
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
swarm_hello(struct swarm_conn *c)
{
	struct swarm_member *m = &S.members[c->number % 2];
	char text[512], sig[2 * CRYPTO_SIG_LEN + 1];
	uint8_t key[CRYPTO_KEY_LEN], raw[CRYPTO_SIG_LEN];
	struct buf b;
	int64_t now;

	clock_update();
	now = clock_wall();
	if (now <= m->stamp_ms)
		now = m->stamp_ms + 1;
	m->stamp_ms = now;
	snprintf(text, sizeof(text), "%s|%s|%s|%" PRId64, S.mesh, m->id, m->pub,
	    now);
	crypto_make_sig(raw, text, strlen(text), m->secret);
	crypto_hex(sig, raw, sizeof(raw));
	crypto_random_bytes(key, sizeof(key));
	crypto_hex(c->key, key, sizeof(key));
	buf_init(&b, 65536);
	buf_addf(&b,
	    "{\"type\":\"hello\",\"meshId\":\"%s\",\"memberId\":\"%s\","
	    "\"pubkey\":\"%s\",\"sessionPubkey\":\"%s\",\"displayName\":"
	    "\"swarm-%u\",\"sessionId\":\"%u-%u\",\"pid\":%d,\"cwd\":\"/\","
	    "\"groups\":[%s],\"timestamp\":%" PRId64 ",\"signature\":\"%s\"}",
	    S.mesh, m->id, m->pub, c->key, c->number, (unsigned)getpid(),
	    c->number, (int)getpid(),
	    S.groups && c->number > 0 ? "{\"name\":\"" SWARM_GROUP "\"}" : "",
	    now, sig);
	swarm_frame(c, b.data, b.len);
	buf_free(&b);
	c->state = SWARM_HELLO;
}

static void
swarm_gone(struct swarm_conn *c)
{
	if (c->state == SWARM_GONE)
		return;
	if (c->state != SWARM_OPEN)
		S.opening--;
	else
		S.ready--;
	c->state = SWARM_GONE;
	S.gone++;
	close(c->fd);
	buf_free(&c->in);
	buf_free(&c->out);
}

static void
swarm_message(struct swarm_conn *c, const char *p, size_t n)
{
	if (c->state == SWARM_HELLO) {
		if (n < 20 || memcmp(p, "{\"type\":\"hello_ack\"", 19) != 0)
			fatalx("hello: %.*s", (int)n, p);
		c->state = SWARM_OPEN;
		S.opening--;
		S.ready++;
		return;
	}
	if (S.on_message != NULL)
		S.on_message(c, p, n);
}

/* Handles what is complete in c->in; false when more must come. */
static bool
swarm_take(struct swarm_conn *c)
{
	const uint8_t *p = (const uint8_t *)c->in.data;
	size_t head = 2, n;
	char *end;

	if (c->state == SWARM_UPGRADE) {
		end = memmem(c->in.data, c->in.len, "\r\n\r\n", 4);
		if (end == NULL)
			return false;
		if (memcmp(c->in.data, "HTTP/1.1 101", 12) != 0)
			fatalx("upgrade: %.*s", 60, c->in.data);
		buf_drain(&c->in, (size_t)(end - c->in.data) + 4);
		swarm_hello(c);
		return true;
	}
	if (c->in.len < head)
		return false;
	n = p[1] & 0x7f;
	if (n == 126) {
		head = 4;
		if (c->in.len < head)
			return false;
		n = (size_t)p[2] << 8 | p[3];
	} else if (n == 127) {
		head = 10;
		if (c->in.len < head)
			return false;
		n = (size_t)p[6] << 24 | (size_t)p[7] << 16 |
		    (size_t)p[8] << 8 | p[9];
	}
	if (c->in.len < head + n)
		return false;
	if ((p[0] & 15) == 1)
		swarm_message(c, c->in.data + head, n);
	else if ((p[0] & 15) == 9) {
		buf_add(&c->out, "\x8a\x80\0\0\0\0", 6);
	} else if ((p[0] & 15) == 8) {
		fprintf(stderr, "closed: %.*s\n", (int)n - 2,
		    c->in.data + head + 2);
		swarm_gone(c);
		return false;
	}
	buf_drain(&c->in, head + n);
	return c->in.len > 0;
}

static void
swarm_read(struct swarm_conn *c)
{
	char *room = buf_reserve(&c->in, SWARM_READ);
	ssize_t n = recv(c->fd, room, SWARM_READ, 0);

	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		swarm_gone(c);
		return;
	}
	if (n < 0)
		return;
	c->in.len += (size_t)n;
	while (c->state != SWARM_GONE && swarm_take(c))
		;
	if (c->state == SWARM_GONE)
		return;
	if (c->in.len == 0)
		buf_free(&c->in);
	if (c->out.len > 0)
		swarm_flush(c);
}

static void
swarm_connect(struct swarm_conn *c)
{
	struct epoll_event e = { .events = EPOLLOUT, .data.ptr = c };
	struct sockaddr_in from = { .sin_family = AF_INET };
	int on = 1;

	buf_init(&c->in, 64u << 20);
	buf_init(&c->out, 64u << 20);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		fatal("socket");
	/* One address has too few ports for a large swarm. */
	from.sin_addr.s_addr = htonl(0x7f000001 + c->number / 10000 * 256);
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0)
		fatal("bind");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->fd, (struct sockaddr *)&S.addr, sizeof(S.addr)) != 0 &&
	    errno != EINPROGRESS)
		fatal("connect");
	if (epoll_ctl(S.epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
		fatal("epoll_ctl");
	S.opening++;
}

static void
swarm_event(struct swarm_conn *c, uint32_t events)
{
	if (c->state == SWARM_GONE)
		return;
	if (c->state == SWARM_CONNECT) {
		if (events & (EPOLLERR | EPOLLHUP)) {
			swarm_gone(c);
			return;
		}
		buf_adds(&c->out,
		    "GET /ws HTTP/1.1\r\nHost: swarm\r\n"
		    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
		    "Sec-WebSocket-Version: 13\r\n"
		    "Sec-WebSocket-Key: "
		    "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
		c->state = SWARM_UPGRADE;
		swarm_flush(c);
		return;
	}
	if (events & EPOLLOUT)
		swarm_flush(c);
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		swarm_read(c);
}

static void
swarm_turn(int timeout_ms)
{
	struct epoll_event events[256];
	int i, n;

	while (S.opened < S.n && S.opening < SWARM_OPENING_MAX) {
		S.conns[S.opened].number = S.opened;
		swarm_connect(&S.conns[S.opened++]);
	}
	n = epoll_wait(S.epoll, events, NELEM(events), timeout_ms);
	for (i = 0; i < n; i++)
		swarm_event(events[i].data.ptr, events[i].events);
}

static void
swarm_open(unsigned n)
{
	int64_t start = clock_usec();

	S.n = n;
	S.conns = xcalloc(n, sizeof(*S.conns));
	while (S.ready + S.gone < n)
		swarm_turn(1000);
	printf("sessions=%u gone=%u seconds=%.3f\n", S.ready, S.gone,
	    (double)(clock_usec() - start) / 1e6);
	fflush(stdout);
}

static void
swarm_send(struct swarm_conn *c, const char *target)
{
	static char text[101];
	char message[512];
	int n;

	if (text[0] == '\0')
		memset(text, 'x', sizeof(text) - 1);
	n = snprintf(message, sizeof(message),
	    "{\"type\":\"send\",\"targetSpec\":\"%s\",\"priority\":\"now\","
	    "\"nonce\":\"n\",\"ciphertext\":\"%s\"}",
	    target, text);
	swarm_frame(c, message, (size_t)n);
	c->sent_us[c->head++ % S.window] = clock_usec();
	c->outstanding++;
	S.sends++;
}

static void
swarm_fill(struct swarm_conn *c, const char *target)
{
	while (S.sending && c->outstanding < S.window)
		swarm_send(c, target);
	swarm_flush(c);
}

static void
swarm_acked(struct swarm_conn *c)
{
	S.acks++;
	c->outstanding--;
	if (S.nsamples < SWARM_SAMPLES)
		S.samples[S.nsamples++] =
		    clock_usec() - c->sent_us[c->tail % S.window];
	c->tail++;
}

static bool
swarm_is(const char *p, size_t n, const char *type)
{
	return n > strlen(type) && memcmp(p, type, strlen(type)) == 0;
}

static void
swarm_on_direct(struct swarm_conn *c, const char *p, size_t n)
{
	if (swarm_is(p, n, "{\"type\":\"push\"")) {
		S.pushes++;
		return;
	}
	if (!swarm_is(p, n, "{\"type\":\"ack\""))
		fatalx("%.*s", (int)n, p);
	swarm_acked(c);
	swarm_fill(c, S.conns[c->number + S.n / 2].key);
}

static void
swarm_on_fanout(struct swarm_conn *c, const char *p, size_t n)
{
	if (swarm_is(p, n, "{\"type\":\"push\"")) {
		S.pushes++;
		return;
	}
	if (!swarm_is(p, n, "{\"type\":\"ack\""))
		fatalx("%.*s", (int)n, p);
	swarm_acked(c);
	swarm_fill(c, "@" SWARM_GROUP);
}

static int
swarm_compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Runs for the time, then waits for what is under way. */
static void
swarm_measure(unsigned senders, double seconds, uint64_t per_send)
{
	int64_t start = clock_usec(), end = start + (int64_t)(seconds * 1e6);
	double took;
	uint64_t acks, pushes;
	size_t n;

	S.samples = xcalloc(SWARM_SAMPLES, sizeof(*S.samples));
	while (clock_usec() < end && S.gone == 0)
		swarm_turn(10);
	took = (double)(clock_usec() - start) / 1e6;
	acks = S.acks;
	pushes = S.pushes;
	S.sending = false;
	end = clock_usec() + 10000000;
	while (clock_usec() < end && S.gone == 0 &&
	       (S.acks < S.sends || S.pushes < S.sends * per_send))
		swarm_turn(10);
	qsort(S.samples, S.nsamples, sizeof(*S.samples), swarm_compare);
	n = S.nsamples;
	printf("senders=%u window=%u seconds=%.3f acks_per_second=%.0f "
	       "pushes_per_second=%.0f ack_p50_us=%" PRId64
	       " ack_p99_us=%" PRId64 " sends=%" PRIu64 " acks=%" PRIu64
	       " pushes=%" PRIu64 " gone=%u\n",
	    senders, S.window, took, (double)acks / took, (double)pushes / took,
	    n > 0 ? S.samples[n / 2] : 0,
	    n > 0 ? S.samples[n - 1 - n / 100] : 0, S.sends, S.acks, S.pushes,
	    S.gone);
}

static void
swarm_start(unsigned i)
{
	S.conns[i].sent_us = xcalloc(S.window, sizeof(int64_t));
}

static void
swarm_text(const struct json *j, size_t object, const char *key, char *out,
    size_t size)
{
	size_t i = json_get(j, object, key);

	if (i == 0 || j->nodes[i].n >= size)
		fatalx("the seed has no %s", key);
	memcpy(out, j->nodes[i].p, j->nodes[i].n);
	out[j->nodes[i].n] = '\0';
}

static void
swarm_seed(const char *file)
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
	swarm_text(&j, 0, "meshId", S.mesh, sizeof(S.mesh));
	for (i = 0; i < NELEM(names); i++) {
		struct swarm_member *m = &S.members[i];

		k = json_get(&j, 0, names[i]);
		swarm_text(&j, k, "memberId", m->id, sizeof(m->id));
		swarm_text(&j, k, "pubkey", m->pub, sizeof(m->pub));
		swarm_text(&j, k, "secretKey", secret, sizeof(secret));
		if (crypto_unhex(m->secret, sizeof(m->secret), secret,
			strlen(secret)) != 0)
			fatalx("%s: a bad key", file);
	}
	json_free(&j);
}

int
main(int argc, char **argv)
{
	unsigned n, i;
	char byte;

	log_start("swarm", LOG_INFO);
	crypto_start();
	if (argc < 6)
		fatalx("usage: swarm host port seed mode n [window seconds]");
	S.addr.sin_family = AF_INET;
	S.addr.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	if (inet_pton(AF_INET, argv[1], &S.addr.sin_addr) != 1)
		fatalx("%s is no IPv4 address", argv[1]);
	swarm_seed(argv[3]);
	if ((S.epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
		fatal("epoll_create1");
	n = (unsigned)strtoul(argv[5], NULL, 10);
	S.window = argc > 6 ? (unsigned)strtoul(argv[6], NULL, 10) : 1;
	S.sending = true;
	if (strcmp(argv[4], "idle") == 0) {
		swarm_open(n);
		if (fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) != 0)
			fatal("fcntl");
		while (read(STDIN_FILENO, &byte, 1) != 0)
			swarm_turn(100);
		printf("held=%u gone=%u\n", S.ready, S.gone);
	} else if (strcmp(argv[4], "direct") == 0 && argc > 7) {
		S.on_message = swarm_on_direct;
		swarm_open(2 * n);
		for (i = 0; i < n; i++) {
			swarm_start(i);
			swarm_fill(&S.conns[i], S.conns[i + n].key);
		}
		swarm_measure(n, strtod(argv[7], NULL), 1);
	} else if (strcmp(argv[4], "fanout") == 0 && argc > 7) {
		S.on_message = swarm_on_fanout;
		S.groups = true;
		swarm_open(n + 1);
		swarm_start(0);
		swarm_fill(&S.conns[0], "@" SWARM_GROUP);
		swarm_measure(1, strtod(argv[7], NULL), n);
	} else
		fatalx("no such mode: %s", argv[4]);
	return S.gone > 0;
}
