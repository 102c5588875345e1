/* SPDX-License-Identifier: ISC */
/*
 * A net with one event loop, and peers on socketpairs in the same process:
 * what one side writes is at once there for the other, so a test needs no
 * waiting, only turns of the loop.
 */
#ifndef LIB_NETRIG_H
#define LIB_NETRIG_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/net_conn.h"

#define RIG_TURNS 4
#define RIG_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define RIG_UPGRADE                                              \
	"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n" \
	"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"    \
	"Sec-WebSocket-Key: " RIG_KEY "\r\n\r\n"

struct rig {
	struct event_base *base;
	struct net *net;
	struct net_limits limits;
	struct conn *conn; /* the last that asked for something */
	unsigned requests;
	unsigned messages;
	unsigned closed;
	enum net_end why;
	uint16_t code;
	uint64_t written;
	unsigned writtens;
	char out[4 * 1024 * 1024]; /* what rig_read() read */
	size_t n;
};

static struct rig rig;

static inline void
rig_turn(void)
{
	clock_update();
	event_base_loop(rig.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	net_flush(rig.net);
}

static inline void
rig_turns(void)
{
	int i;

	for (i = 0; i < RIG_TURNS; i++)
		rig_turn();
}

static inline struct net_limits
rig_limits(void)
{
	return (struct net_limits){
		.head = 8192,
		.body = 65536,
		.message_early = 8192,
		.message = 1024 * 1024,
		.output = 1024 * 1024,
		.head_ms = 10000,
		.hello_ms = 5000,
		.message_ms = 20000,
		.ping_ms = 30000,
		.dead_ms = 45000,
		.write_ms = 10000,
		.keep_ms = 60000,
	};
}

static inline void
rig_start(const struct net_limits *limits, const struct net_handler *h)
{
	memset(&rig, 0, offsetof(struct rig, out));
	rig.n = 0;
	clock_update();
	rig.limits = *limits;
	rig.base = event_base_new();
	rig.net = net_new(rig.base, &rig.limits, h, &rig);
}

static inline void
rig_stop(void)
{
	net_free(rig.net);
	event_base_free(rig.base);
	rig.net = NULL;
}

static inline struct net_addr
rig_addr(const char *ip)
{
	struct net_addr a;
	struct sockaddr_in *in = (struct sockaddr_in *)&a.ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a.ss;

	memset(&a, 0, sizeof(a));
	if (strchr(ip, ':') != NULL) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(4000);
		inet_pton(AF_INET6, ip, &in6->sin6_addr);
		a.len = sizeof(*in6);
	} else {
		in->sin_family = AF_INET;
		in->sin_port = htons(4000);
		inet_pton(AF_INET, ip, &in->sin_addr);
		a.len = sizeof(*in);
	}
	return a;
}

/* The peer's end of a new connection from ip. */
static inline int
rig_connect_from(const char *ip)
{
	struct net_addr a = rig_addr(ip);
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		fds) == -1)
		fatal("socketpair");
	net_adopt(rig.net, fds[0], &a, false);
	return fds[1];
}

static inline int
rig_connect(void)
{
	return rig_connect_from("192.0.2.1");
}

/* Writes with turns of the loop in between; how much could be written before
 * the server closed or stopped reading. */
static inline size_t
rig_write(int fd, const void *p, size_t n)
{
	size_t at = 0;
	unsigned stuck = 0;
	ssize_t r;

	while (at < n && stuck < 3) {
		r = send(fd, (const char *)p + at, n - at, MSG_NOSIGNAL);
		if (r > 0) {
			at += (size_t)r;
			stuck = 0;
		} else if (errno == EAGAIN) {
			stuck++;
		} else {
			break;
		}
		rig_turn();
	}
	rig_turns();
	return at;
}

static inline size_t
rig_puts(int fd, const char *s)
{
	return rig_write(fd, s, strlen(s));
}

/* Reads all there is into rig.out, after what is there.  True at the end of
 * the stream. */
static inline bool
rig_read(int fd)
{
	ssize_t r;

	do {
		rig_turns();
		r = read(fd, rig.out + rig.n, sizeof(rig.out) - 1 - rig.n);
		if (r > 0)
			rig.n += (size_t)r;
	} while (r > 0);
	rig.out[rig.n] = '\0';
	return r == 0 || (r == -1 && errno != EAGAIN);
}

/* A connection that was upgraded; rig.conn is the server's end. */
static inline int
rig_upgrade(void)
{
	int fd = rig_connect();

	rig_puts(fd, RIG_UPGRADE);
	rig.n = 0;
	rig_read(fd);
	if (strncmp(rig.out, "HTTP/1.1 101 ", 13) != 0)
		fatalx("no upgrade: %s", rig.out);
	rig.n = 0;
	return fd;
}

/* A client's frame; returns its length.  out has room for n + 14. */
static inline size_t
rig_frame(char *out, uint8_t b0, const void *payload, size_t n)
{
	static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
	uint8_t *o = (uint8_t *)out;
	size_t len = 0, i;

	o[len++] = b0;
	if (n < 126) {
		o[len++] = (uint8_t)(0x80 | n);
	} else if (n < 65536) {
		o[len++] = 0x80 | 126;
		o[len++] = (uint8_t)(n >> 8);
		o[len++] = (uint8_t)n;
	} else {
		o[len++] = 0x80 | 127;
		for (i = 0; i < 8; i++)
			o[len++] = (uint8_t)((uint64_t)n >> (56 - 8 * i));
	}
	memcpy(o + len, mask, 4);
	len += 4;
	for (i = 0; i < n; i++)
		o[len + i] = ((const uint8_t *)payload)[i] ^ mask[i % 4];
	return len + n;
}

static inline size_t
rig_send_frame(int fd, uint8_t b0, const void *payload, size_t n)
{
	char *p = malloc(n + 14);
	size_t len = rig_frame(p, b0, payload, n), sent;

	sent = rig_write(fd, p, len);
	free(p);
	return sent;
}

#endif
