/* SPDX-License-Identifier: ISC */
/*
 * A hand: a process with a part of the connections, which does what the board
 * orders and says there when it is done.  It goes on serving its connections
 * after that: others may still send to them.
 */
#include "config.h"

#include "bench/bench.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define HAND_WAIT_NS 20000000
#define HAND_STORM_OPENING 256
#define HAND_OPENING 64
#define HAND_WARM 16
#define HAND_CLOSE_NS 5000000000

struct hand {
	const struct bench_run *run;
	struct bench_board *board;
	struct bench_tally *tally;
	struct bench_loop loop;
	struct bench_flows *flows;
	unsigned seen; /* the order at hand */
	enum bench_order order;
	int64_t since; /* of it */
	bool losing;   /* connections may end */
	bool done;
	int64_t begin; /* when processor time was read first; 0: not yet */
	double cpu;
};

unsigned
bench_hand_of(const struct bench_run *r, unsigned number)
{
	if (number < 2 * r->pairs)
		number %= r->pairs;
	return number % r->nhands;
}

static void hand_fail(struct hand *h, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
hand_fail(struct hand *h, const char *fmt, ...)
{
	va_list ap;

	if (h->tally->failed)
		return;
	va_start(ap, fmt);
	vsnprintf(h->tally->error, sizeof(h->tally->error), fmt, ap);
	va_end(ap);
	h->tally->failed = true;
}

static void
hand_open_cb(struct bench_conn *c)
{
	struct hand *h = c->loop->data;
	int64_t from = h->order == BENCH_ORDER_STORM ? h->since : c->since;

	bench_hist_add(&h->tally->opens, bench_proc_now() - from);
}

static void
hand_got_cb(struct bench_conn *c, const char *payload, size_t n)
{
	struct hand *h = c->loop->data;

	bench_flow_got(h->flows, c, payload, n);
}

static void
hand_acked_cb(struct bench_conn *c)
{
	struct hand *h = c->loop->data;

	bench_flow_acked(h->flows, c);
}

static void
hand_refused_cb(struct bench_conn *c, const char *p, size_t n)
{
	struct hand *h = c->loop->data;

	if (!h->losing)
		hand_fail(h, "connection %u: the server says: %.*s", c->number,
		    n > 200 ? 200 : (int)n, p);
}

static void
hand_gone_cb(struct bench_conn *c)
{
	struct hand *h = c->loop->data;

	if (!h->losing)
		hand_fail(h, "connection %u ended", c->number);
}

static const struct bench_calls hand_calls = {
	.open = hand_open_cb,
	.got = hand_got_cb,
	.acked = hand_acked_cb,
	.refused = hand_refused_cb,
	.gone = hand_gone_cb,
};

static void
hand_all(struct hand *h, void (*fn)(struct bench_conn *))
{
	unsigned i;

	for (i = 0; i < h->loop.n; i++)
		fn(&h->loop.conns[i]);
	bench_conn_flush(&h->loop);
}

static void
hand_open(struct hand *h, enum bench_state goal, unsigned opening)
{
	h->loop.goal = goal;
	h->loop.want = h->loop.n;
	if (h->order == BENCH_ORDER_WARM && h->loop.n > HAND_WARM)
		h->loop.want = HAND_WARM;
	h->loop.opening_max = opening;
	h->loop.opened = 0;
	bench_hist_clear(&h->tally->opens);
}

static void
hand_begin(struct hand *h)
{
	const struct bench_dialect *d = h->run->where.dialect;

	h->losing =
	    h->order == BENCH_ORDER_CLOSE || h->order == BENCH_ORDER_STORM;
	switch (h->order) {
	case BENCH_ORDER_PREPARE:
		if (d->prepare != NULL)
			hand_all(h, d->prepare);
		break;
	case BENCH_ORDER_UPGRADE:
		hand_open(h, BENCH_UPGRADED, HAND_OPENING);
		break;
	case BENCH_ORDER_WARM:
	case BENCH_ORDER_OPEN:
		hand_open(h, BENCH_OPEN, HAND_OPENING);
		break;
	case BENCH_ORDER_STORM:
		hand_all(h, bench_conn_drop);
		hand_open(h, BENCH_OPEN, HAND_STORM_OPENING);
		break;
	case BENCH_ORDER_CLOSE:
		hand_all(h, bench_conn_close);
		break;
	case BENCH_ORDER_FILL:
		bench_flow_begin(h->flows, h->board->fill);
		break;
	case BENCH_ORDER_RUN:
		h->begin = 0;
		bench_flow_begin(h->flows, 0);
		break;
	case BENCH_ORDER_QUIT:
		exit(0);
	case BENCH_ORDER_NONE:
		break;
	}
}

static double
hand_cpu(void)
{
	struct rusage u;

	if (getrusage(RUSAGE_SELF, &u) != 0)
		return 0;
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void
hand_measure(struct hand *h)
{
	int64_t now = bench_proc_now();

	if (h->begin == 0 && now >= h->board->begin) {
		h->begin = now;
		h->cpu = hand_cpu();
	} else if (h->begin > 0 && h->tally->cpu == 0 && now >= h->board->end)
		h->tally->cpu =
		    (hand_cpu() - h->cpu) / ((double)(now - h->begin) / 1e9);
}

/* Those who were turned away try again. */
static bool
hand_storm(struct hand *h)
{
	struct bench_loop *l = &h->loop;

	if (l->ready == l->n)
		return true;
	if (l->opened == l->n && l->opening == 0)
		l->opened = 0;
	return false;
}

static bool
hand_closed(struct hand *h)
{
	unsigned i;

	if (bench_proc_now() - h->since > HAND_CLOSE_NS)
		hand_all(h, bench_conn_drop);
	for (i = 0; i < h->loop.n; i++)
		if (h->loop.conns[i].state != BENCH_NEW &&
		    h->loop.conns[i].state != BENCH_GONE)
			return false;
	return true;
}

static bool
hand_is_done(struct hand *h)
{
	switch (h->order) {
	case BENCH_ORDER_WARM:
	case BENCH_ORDER_UPGRADE:
	case BENCH_ORDER_OPEN:
		return h->loop.ready == h->loop.want;
	case BENCH_ORDER_STORM:
		return hand_storm(h);
	case BENCH_ORDER_CLOSE:
		return hand_closed(h);
	case BENCH_ORDER_FILL:
	case BENCH_ORDER_RUN:
		return bench_flow_done(h->flows);
	default:
		return true;
	}
}

static void
hand_turn(struct hand *h)
{
	unsigned order = h->board->order;
	int64_t wait = HAND_WAIT_NS;

	if (order != h->seen) {
		h->seen = order;
		h->order = order % 16;
		h->since = bench_proc_now();
		h->done = false;
		hand_begin(h);
	}
	if (h->order == BENCH_ORDER_WARM || h->order == BENCH_ORDER_UPGRADE ||
	    h->order == BENCH_ORDER_OPEN || h->order == BENCH_ORDER_STORM)
		bench_conn_open_more(&h->loop);
	if (h->order == BENCH_ORDER_RUN || h->order == BENCH_ORDER_FILL) {
		wait = bench_flow_turn(h->flows);
		bench_conn_flush(&h->loop);
		bench_flow_settle(h->flows);
		hand_measure(h);
	}
	if (!h->done && hand_is_done(h)) {
		h->done = true;
		h->tally->done_at = bench_proc_now();
		h->tally->did = h->seen;
	}
	bench_conn_turn(&h->loop, h->run->options->spin ? 0
				  : wait < HAND_WAIT_NS ? wait
							: HAND_WAIT_NS);
	if (h->order == BENCH_ORDER_RUN || h->order == BENCH_ORDER_FILL)
		bench_flow_settle(h->flows);
}

/* Its part of the connections. */
static void
hand_connections(struct hand *h, unsigned index)
{
	const struct bench_run *r = h->run;
	unsigned i, n = 0;

	for (i = 0; i < r->connections; i++)
		n += bench_hand_of(r, i) == index;
	bench_conn_loop(&h->loop, &r->where, &hand_calls, n);
	h->loop.data = h;
	for (i = 0, n = 0; i < r->connections; i++) {
		struct bench_conn *c;

		if (bench_hand_of(r, i) != index)
			continue;
		c = &h->loop.conns[n++];
		c->number = i;
		if (r->scenario->group != NULL)
			c->group = r->scenario->group(r, i);
	}
}

void
bench_hand(const struct bench_run *r, unsigned index)
{
	struct hand h = {
		.run = r, .board = r->board, .tally = &r->board->hands[index]
	};
	uint64_t woken;

	(void)prctl(PR_SET_TIMERSLACK, 1);
	(void)signal(SIGINT, SIG_IGN); /* the first process ends us */
	(void)signal(SIGTERM, SIG_DFL);
	if (r->options->client_cpus != NULL)
		bench_server_pin(r->options->client_cpus);
	hand_connections(&h, index);
	h.flows = bench_flow_new(r, &h.loop, h.tally, index);
	bench_conn_watch(&h.loop, r->wakes[index]);
	for (;;) {
		hand_turn(&h);
		if (read(r->wakes[index], &woken, sizeof(woken)) < 0 &&
		    errno != EAGAIN)
			fatal("eventfd");
	}
}
