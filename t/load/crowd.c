/* SPDX-License-Identifier: ISC */
/*
 * Sessions of a crowd: who they are, and where they connect.
 */
#include "config.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "crowd.h"

#define CROWD_ADDRS 8

struct crowd crowd;
static struct bench_where crowd_wheres[CROWD_ADDRS];
static unsigned crowd_nwheres;
static struct bench_seed crowd_seed;
static _Atomic int64_t crowd_stamps[2];
static struct bench_loop crowd_loop;
static unsigned crowd_opened; /* connected so far */

bool
crowd_is(const char *p, size_t n, const char *start)
{
	return n > strlen(start) && memcmp(p, start, strlen(start)) == 0;
}

bool
crowd_is_open(const struct crowd_conn *c)
{
	return c->conn->state == BENCH_OPEN;
}

bool
crowd_is_gone(const struct crowd_conn *c)
{
	return c->conn->state == BENCH_GONE;
}

static void
crowd_open_cb(struct bench_conn *c)
{
	crowd.ready = crowd_loop.ready;
	crowd.calls->open(c->data);
}

static void
crowd_message_cb(struct bench_conn *c, const char *p, size_t n)
{
	/* Of peers that come and go nobody here wants to hear. */
	if (!crowd_is(p, n, "{\"type\":\"push\",\"subtype\":\"system\""))
		crowd.calls->message(c->data, p, n);
}

static void
crowd_refused_cb(struct bench_conn *c, const char *p, size_t n)
{
	log_warn("session %u: %.*s", c->number, n < 200 ? (int)n : 200, p);
	bench_conn_drop(c);
}

static void
crowd_gone_cb(struct bench_conn *c)
{
	struct crowd_conn *own = c->data;

	/* Whom nobody answers tries the next address. */
	if (c->last == BENCH_CONNECT)
		own->refused++;
	crowd.ready = crowd_loop.ready;
	crowd.gone++;
	crowd.calls->gone(own);
}

static const struct bench_calls crowd_calls = {
	.open = crowd_open_cb,
	.message = crowd_message_cb,
	.refused = crowd_refused_cb,
	.gone = crowd_gone_cb,
};

void
crowd_connect(struct crowd_conn *c)
{
	c->conn->where = &crowd_wheres[(c->place + c->refused) % crowd_nwheres];
	bench_mesh_dialect.prepare(c->conn);
	bench_conn_start(c->conn);
}

void
crowd_turn(int timeout_ms)
{
	while (crowd_opened < crowd.n &&
	       crowd_loop.opening < crowd_loop.opening_max)
		crowd_connect(&crowd.conns[crowd_opened++]);
	bench_conn_turn(&crowd_loop, (int64_t)timeout_ms * 1000000);
}

void
crowd_send(struct crowd_conn *c, const char *p, size_t n)
{
	bench_conn_send(c->conn, p, n);
}

void
crowd_flush(void)
{
	bench_conn_flush(&crowd_loop);
}

/* One port, or several with commas between. */
static void
crowd_address(const char *host, const char *ports)
{
	struct bench_where where = { .address.sin_family = AF_INET,
		.websocket = true,
		.path = "/ws",
		.dialect = &bench_mesh_dialect,
		.seed = &crowd_seed,
		.client_acks = crowd.acks };
	char *end;

	if (inet_pton(AF_INET, host, &where.address.sin_addr) != 1)
		fatalx("%s is no IPv4 address", host);
	do {
		where.address.sin_port =
		    htons((uint16_t)strtoul(ports, &end, 10));
		if (end == ports || crowd_nwheres == CROWD_ADDRS)
			fatalx("%s: not a list of ports", ports);
		crowd_wheres[crowd_nwheres++] = where;
		ports = end + 1;
	} while (*end == ',');
}

void
crowd_start(const char *host, const char *ports, const char *seed, unsigned n,
    const struct crowd_calls *calls)
{
	unsigned i;

	crypto_start();
	crowd_address(host, ports);
	bench_mesh_read_seed(&crowd_seed, seed);
	crypto_random_bytes(crowd_seed.nonce, sizeof(crowd_seed.nonce));
	crowd_seed.stamps = crowd_stamps;
	bench_conn_loop(&crowd_loop, crowd_wheres, &crowd_calls, n);
	crowd.calls = calls;
	crowd.n = n;
	crowd.conns = xcalloc(n, sizeof(*crowd.conns));
	for (i = 0; i < n; i++) {
		crowd.conns[i].conn = &crowd_loop.conns[i];
		crowd.conns[i].number = i;
		crowd_loop.conns[i].data = &crowd.conns[i];
		crowd_loop.conns[i].group = crowd.group && i > 0 ? 0 : -1;
		bench_mesh_key(&crowd_seed, i, crowd.conns[i].key);
	}
}
