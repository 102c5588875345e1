/* SPDX-License-Identifier: ISC */
/*
 * The protocol of NATS clients, over TCP or in frames of WebSocket, which may
 * hold a part of a message or several.  JetStream: the same, but messages to
 * one connection are stored in a stream, and their senders hear of it.
 */
#include "config.h"

#include "bench/bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define NATS_STREAM "bench"
#define NATS_TIMEOUT_S 10

enum {
	NATS_DIRECT = 1,
	NATS_GROUP,
	NATS_ACK
}; /* ids of subscriptions */

static const char nats_connect[] =
    "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false,"
    "\"lang\":\"c\",\"version\":\"0\",\"protocol\":1,\"headers\":false}\r\n";

static void
nats_login_as(struct bench_conn *c, bool acks)
{
	struct buf b;

	buf_init(&b, 4096);
	buf_adds(&b, nats_connect);
	buf_addf(&b, "SUB d.%u %d\r\n", c->number, NATS_DIRECT);
	if (c->group >= 0)
		buf_addf(&b, "SUB g.%d %d\r\n", c->group, NATS_GROUP);
	if (acks)
		buf_addf(&b, "SUB a.%u %d\r\n", c->number, NATS_ACK);
	buf_adds(&b, "PING\r\n");
	bench_conn_send(c, b.data, b.len);
	buf_free(&b);
}

static void
nats_login(struct bench_conn *c)
{
	nats_login_as(c, false);
}

static void
jetstream_login(struct bench_conn *c)
{
	nats_login_as(c, true);
}

/* MSG subject id [reply] bytes, a line's end, the bytes, a line's end. */
static size_t
nats_message(struct bench_conn *c, const char *p, size_t line, size_t n)
{
	const struct bench_calls *calls = c->loop->calls;
	const char *id = memchr(p + 4, ' ', line - 4), *last;
	size_t len;

	last = memrchr(p, ' ', line);
	if (id == NULL || last == NULL) {
		calls->refused(c, p, line);
		return n;
	}
	len = strtoul(last + 1, NULL, 10);
	p += line + 2;
	if (n - line - 2 < len + 2)
		return 0;
	if (id[1] != '0' + NATS_ACK)
		calls->got(c, p, len);
	else if (memmem(p, len, "\"error\"", 7) != NULL)
		calls->refused(c, p, len);
	else
		calls->acked(c);
	return line + 2 + len + 2;
}

static size_t
nats_take_one(struct bench_conn *c, const char *p, size_t n)
{
	const char *end = memchr(p, '\n', n);
	size_t line;

	if (end == NULL || end == p)
		return 0;
	line = (size_t)(end - p) - 1;
	if (line > 4 && memcmp(p, "MSG ", 4) == 0)
		return nats_message(c, p, line, n);
	if (line == 4 && memcmp(p, "PING", 4) == 0)
		bench_conn_send(c, "PONG\r\n", 6);
	else if (line == 4 && memcmp(p, "PONG", 4) == 0) {
		if (c->state == BENCH_LOGIN)
			bench_conn_opened(c);
	} else if (line > 0 && *p == '-')
		c->loop->calls->refused(c, p, line);
	return line + 2;
}

static size_t
nats_take(struct bench_conn *c, const char *p, size_t n)
{
	size_t done = 0, taken;

	while (done < n && c->state != BENCH_GONE &&
	       (taken = nats_take_one(c, p + done, n - done)) > 0)
		done += taken;
	return done;
}

static void
nats_publish_as(struct bench_conn *c, enum bench_kind kind, unsigned to,
    const char *payload, size_t n, bool acks)
{
	struct buf b;

	buf_init(&b, BENCH_PAYLOAD_MAX + 128);
	buf_addf(&b, "PUB %c.%u ", kind == BENCH_GROUP ? 'g' : 'd', to);
	if (acks)
		buf_addf(&b, "a.%u ", c->number);
	buf_addf(&b, "%zu\r\n", n);
	buf_add(&b, payload, n);
	buf_adds(&b, "\r\n");
	bench_conn_send(c, b.data, b.len);
	buf_free(&b);
}

static void
nats_publish(struct bench_conn *c, enum bench_kind kind, unsigned to,
    const char *payload, size_t n)
{
	nats_publish_as(c, kind, to, payload, n, false);
}

static void
jetstream_publish(struct bench_conn *c, enum bench_kind kind, unsigned to,
    const char *payload, size_t n)
{
	nats_publish_as(c, kind, to, payload, n, true);
}

/* Waits for a message; -1: none came, or it tells of an error. */
static int
nats_await(int fd)
{
	char text[16384];
	size_t have = 0;
	ssize_t n;

	for (;;) {
		n = recv(fd, text + have, sizeof(text) - 1 - have, 0);
		if (n <= 0)
			return -1;
		have += (size_t)n;
		text[have] = '\0';
		if (strstr(text, "-ERR") != NULL ||
		    strstr(text, "\"error\"") != NULL ||
		    have == sizeof(text) - 1) {
			log_error("nats-server: %s", text);
			return -1;
		}
		if (strstr(text, "\"created\"") != NULL)
			return 0;
	}
}

int
bench_nats_make_stream(const struct sockaddr_in *address)
{
	const struct timeval time = { .tv_sec = NATS_TIMEOUT_S };
	char config[256];
	struct buf b;
	int fd, n, done = -1;

	n = snprintf(config, sizeof(config),
	    "{\"name\":\"" NATS_STREAM "\",\"subjects\":[\"d.>\",\"g.>\"],"
	    "\"retention\":\"limits\",\"discard\":\"old\",\"storage\":"
	    "\"file\",\"max_msgs\":10000000,\"num_replicas\":1}");
	buf_init(&b, 4096);
	buf_adds(&b, nats_connect);
	buf_addf(&b,
	    "SUB made 1\r\nPUB $JS.API.STREAM.CREATE." NATS_STREAM
	    " made %d\r\n%s\r\n",
	    n, config);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)) == 0 &&
	    connect(fd, (const struct sockaddr *)address, sizeof(*address)) ==
		0 &&
	    send(fd, b.data, b.len, MSG_NOSIGNAL) == (ssize_t)b.len)
		done = nats_await(fd);
	if (fd >= 0)
		close(fd);
	buf_free(&b);
	return done;
}

const struct bench_dialect bench_nats_dialect = {
	.name = "nats",
	.stream = true,
	.binary = true,
	.login = nats_login,
	.take = nats_take,
	.publish = nats_publish,
};

const struct bench_dialect bench_jetstream_dialect = {
	.name = "jetstream",
	.stream = true,
	.binary = true,
	.acks = true,
	.login = jetstream_login,
	.take = nats_take,
	.publish = jetstream_publish,
};
