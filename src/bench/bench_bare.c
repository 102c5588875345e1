/* SPDX-License-Identifier: ISC */
/*
 * What the broadcast servers of contrib/bench/peers speak, in text messages:
 *
 *	S topic			subscribe; answered by K
 *	P topic payload		the payload goes to all subscribers
 */
#include "bench/bench.h"

#include <stdio.h>

static void
bare_subscribe(struct bench_conn *c, char letter, unsigned number)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "S %c%u", letter, number);

	c->left++;
	bench_conn_send(c, text, (size_t)n);
}

static void
bare_login(struct bench_conn *c)
{
	bare_subscribe(c, 'd', c->number);
	if (c->group >= 0)
		bare_subscribe(c, 'g', (unsigned)c->group);
}

static size_t
bare_take(struct bench_conn *c, const char *p, size_t n)
{
	if (c->state == BENCH_OPEN)
		c->loop->calls->got(c, p, n);
	else if (n != 1 || *p != 'K')
		c->loop->calls->refused(c, p, n);
	else if (--c->left == 0)
		bench_conn_opened(c);
	return n;
}

static void
bare_publish(struct bench_conn *c, enum bench_kind kind, unsigned to,
    const char *payload, size_t n)
{
	struct buf b;

	buf_init(&b, BENCH_PAYLOAD_MAX + 64);
	buf_addf(&b, "P %c%u ", kind == BENCH_GROUP ? 'g' : 'd', to);
	buf_add(&b, payload, n);
	bench_conn_send(c, b.data, b.len);
	buf_free(&b);
}

const struct bench_dialect bench_bare_dialect = {
	.name = "bare",
	.login = bare_login,
	.take = bare_take,
	.publish = bare_publish,
};
