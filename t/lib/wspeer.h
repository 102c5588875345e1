/* SPDX-License-Identifier: ISC */
/*
 * The server's end of a WebSocket, for tests of clients: a thread that follows
 * a script, blocking, on connections to a socket of its own.  A script that
 * cannot go on says why and ends; nothing waits longer than PEER_PATIENCE.
 */
#ifndef LIB_WSPEER_H
#define LIB_WSPEER_H

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/base.h"

#define PEER_PATIENCE 20 /* seconds */
#define PEER_FIN 0x80
#define PEER_TEXT 1
#define PEER_BINARY 2
#define PEER_CLOSE 8
#define PEER_PING 9
#define PEER_PONG 10

struct peer;
typedef void peer_script(struct peer *p);

struct peer {
	char dir[64];
	char url[128];
	char path[100];
	int listener;
	int fd; /* of the connection at hand, or -1 */
	pthread_t thread;
	peer_script *script;
	bool slow;	     /* writes byte by byte */
	char frame[1 << 20]; /* the one read last */
	size_t n;
	uint8_t mask[4];
	char failed[256];
	char note[4096]; /* what the script found out */
};

static void
peer_fail(struct peer *p, const char *why)
{
	if (p->failed[0] == '\0')
		snprintf(p->failed, sizeof(p->failed), "%s", why);
}

static bool
peer_read(struct peer *p, void *to, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = recv(p->fd, (char *)to + done, n - done, 0);

		if (r <= 0) {
			peer_fail(p, r == 0 ? "the client closed" : "no input");
			return false;
		}
		done += (size_t)r;
	}
	return true;
}

static void
peer_write(struct peer *p, const void *from, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = send(p->fd, (const char *)from + done,
		    p->slow ? 1 : n - done, MSG_NOSIGNAL);

		if (r <= 0)
			return;
		done += (size_t)r;
	}
}

static bool
peer_accept(struct peer *p)
{
	struct timeval patience = { .tv_sec = PEER_PATIENCE };

	if (p->fd != -1)
		close(p->fd);
	p->fd = accept(p->listener, NULL, NULL);
	if (p->fd == -1) {
		peer_fail(p, "nobody connected");
		return false;
	}
	setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(p->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return true;
}

/* The head of a request, into frame. */
static bool
peer_read_head(struct peer *p)
{
	p->n = 0;
	while (p->n < 4 || memcmp(p->frame + p->n - 4, "\r\n\r\n", 4) != 0) {
		if (p->n == 4096 || !peer_read(p, p->frame + p->n, 1))
			return false;
		p->n++;
	}
	p->frame[p->n] = '\0';
	return true;
}

/* Consents to the upgrade of the request in frame. */
static void
peer_consent(struct peer *p)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char *key = strstr(p->frame, "Sec-WebSocket-Key: ");
	char text[64 + sizeof(guid)], accept[CRYPTO_B64_LEN(20)];
	uint8_t digest[20];

	if (key == NULL) {
		peer_fail(p, "no upgrade");
		return;
	}
	snprintf(text, sizeof(text), "%.24s%s", key + 19, guid);
	crypto_sha1(digest, text, strlen(text));
	crypto_base64(accept, digest, sizeof(digest), CRYPTO_B64_STD);
	snprintf(p->frame, 512,
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
	    accept);
	peer_write(p, p->frame, strlen(p->frame));
}

/* One frame, whose mask is undone; its first byte, or -1. */
static int
peer_frame(struct peer *p)
{
	uint8_t head[8];
	uint64_t n;
	int first, k;
	size_t i;

	if (!peer_read(p, head, 2))
		return -1;
	first = head[0];
	if (!(head[1] & 0x80)) {
		peer_fail(p, "a frame without a mask");
		return -1;
	}
	n = head[1] & 0x7f;
	if (n >= 126) {
		k = n == 126 ? 2 : 8;
		if (!peer_read(p, head, (size_t)k))
			return -1;
		for (n = 0, i = 0; i < (size_t)k; i++)
			n = n << 8 | head[i];
	}
	if (n >= sizeof(p->frame)) {
		peer_fail(p, "too large a frame");
		return -1;
	}
	if (!peer_read(p, p->mask, 4) || !peer_read(p, p->frame, (size_t)n))
		return -1;
	for (i = 0; i < n; i++)
		p->frame[i] = (char)(p->frame[i] ^ p->mask[i % 4]);
	p->n = (size_t)n;
	p->frame[n] = '\0';
	return first;
}

static void
peer_send_frame(struct peer *p, int first, const void *data, size_t n)
{
	uint8_t head[10] = { (uint8_t)first };
	size_t k = 2, i;

	if (n < 126)
		head[1] = (uint8_t)n;
	else if (n < 65536) {
		head[1] = 126;
		head[2] = (uint8_t)(n >> 8);
		head[3] = (uint8_t)n;
		k = 4;
	} else {
		head[1] = 127;
		for (i = 0; i < 8; i++)
			head[2 + i] = (uint8_t)((uint64_t)n >> (56 - 8 * i));
		k = 10;
	}
	peer_write(p, head, k);
	peer_write(p, data, n);
}

static void
peer_say(struct peer *p, const char *text)
{
	peer_send_frame(p, PEER_FIN | PEER_TEXT, text, strlen(text));
}

static void
peer_say_close(struct peer *p, int code, const char *reason)
{
	char payload[128];
	size_t n = strlen(reason);

	payload[0] = (char)(code >> 8);
	payload[1] = (char)code;
	memcpy(payload + 2, reason, n);
	peer_send_frame(p, PEER_FIN | PEER_CLOSE, payload, n + 2);
}

/* The next text, or false. */
static bool
peer_hear(struct peer *p)
{
	int first = peer_frame(p);

	if (first != -1 && first != (PEER_FIN | PEER_TEXT))
		peer_fail(p, "another frame than a text");
	return first == (PEER_FIN | PEER_TEXT);
}

/* Connection, upgrade and hello, which is left in frame. */
static bool
peer_meet(struct peer *p)
{
	if (!peer_accept(p) || !peer_read_head(p))
		return false;
	peer_consent(p);
	return peer_hear(p);
}

/* The same, and hello is accepted. */
static bool
peer_greet(struct peer *p)
{
	if (!peer_meet(p))
		return false;
	peer_say(p, "{\"type\":\"hello_ack\",\"presenceId\":\"x\"}");
	return true;
}

/* The _reqId of the text in frame. */
static int64_t
peer_reqid(const struct peer *p)
{
	const char *at = strstr(p->frame, "\"_reqId\":");

	return at != NULL ? strtoll(at + 9, NULL, 10) : -1;
}

static void *
peer_run(void *arg)
{
	struct peer *p = arg;

	p->script(p);
	if (p->fd != -1)
		close(p->fd);
	p->fd = -1;
	return NULL;
}

static struct peer *
peer_start(peer_script *script)
{
	struct timeval patience = { .tv_sec = PEER_PATIENCE };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct peer *p = calloc(1, sizeof(*p));

	p->fd = -1;
	p->script = script;
	snprintf(p->dir, sizeof(p->dir), "/tmp/linnet-peer-XXXXXX");
	if (mkdtemp(p->dir) == NULL)
		abort();
	snprintf(p->path, sizeof(p->path), "%s/s", p->dir);
	snprintf(p->url, sizeof(p->url), "unix:%s", p->path);
	memcpy(un.sun_path, p->path, sizeof(p->path));
	p->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	setsockopt(
	    p->listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (bind(p->listener, (struct sockaddr *)&un, sizeof(un)) != 0 ||
	    listen(p->listener, 5) != 0 ||
	    pthread_create(&p->thread, NULL, peer_run, p) != 0)
		abort();
	return p;
}

/* Waits for the end of the script. */
static void
peer_join(struct peer *p)
{
	pthread_join(p->thread, NULL);
	close(p->listener);
	unlink(p->path);
	rmdir(p->dir);
}

#endif
