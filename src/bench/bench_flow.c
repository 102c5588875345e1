/* SPDX-License-Identifier: ISC */
/*
 * Sending.  A payload begins with the letter of its flow and the time when it
 * was due, so that whoever gets it knows how long it took.
 *
 * Open loop: message i is due at start + i / rate, whatever became of those
 * before it; latencies count from then, so a server that stalls is charged
 * with all that waited meanwhile.  Closed loop: a sender has so many messages
 * under way and sends the next one when one is complete: answered where the
 * server answers, and delivered where the flow is one to many.
 *
 * A message is measured when it was due while it was measured, however late
 * it arrives; rates count what arrived in that time.
 */
#include "config.h"

#include "bench/bench.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FLOW_LATE_NS 1000000
#define FLOW_LOOK_NS 50000000 /* somebody wakes us; but if not */
#define FLOW_DUE 1024	      /* times of requests, at first */
#define FLOW_FILL 256	      /* under way while messages are stored */
#define FLOW_DEPTH 100000     /* of a sender without a window */

struct flow_sender {
	struct bench_conn *conn;
	struct flow *flow;
	unsigned to;
	uint64_t sent;
	uint64_t acked;
	uint64_t done; /* delivered, where the receiver is here */
	int64_t *due;  /* of those not answered yet, as a ring */
	uint64_t mask;
};

struct flow {
	const struct bench_flow *plan;
	struct bench_flow_tally *tally;
	struct flow_sender *senders; /* of this hand */
	unsigned n;
	unsigned turn;
	uint64_t count; /* of messages, in open loop */
	double per_ns;
	uint64_t settled[3]; /* what the board knows */
	bool blocked;
};

struct bench_flows {
	const struct bench_run *run;
	struct bench_tally *tally;
	struct bench_loop *loop;
	unsigned hand;
	bool acks;
	uint64_t fill;
	int64_t start, begin, end;
	struct flow flows[BENCH_FLOWS_MAX];
	char payload[BENCH_PAYLOAD_MAX + 1];
	struct flow_sender **by_number; /* senders of this hand, or NULL */
};

struct bench_flows *
bench_flow_new(const struct bench_run *r, struct bench_loop *l,
    struct bench_tally *t, unsigned hand)
{
	struct bench_flows *f = xcalloc(1, sizeof(*f));
	unsigned i, k;

	f->run = r;
	f->tally = t;
	f->loop = l;
	f->hand = hand;
	f->acks = r->where.dialect->acks;
	f->by_number = xcalloc(r->connections, sizeof(struct flow_sender *));
	memset(f->payload, 'x', BENCH_PAYLOAD_MAX);
	for (i = 0; i < r->nflows; i++) {
		struct flow *w = &f->flows[i];

		w->plan = &r->flows[i];
		w->tally = &t->flows[i];
		w->senders = xcalloc(w->plan->senders, sizeof(*w->senders));
		w->n = 0;
	}
	for (k = 0; k < l->n; k++)
		for (i = 0; i < r->nflows; i++) {
			struct flow *w = &f->flows[i];
			unsigned at = l->conns[k].number - w->plan->first;
			struct flow_sender *s;

			if (at >= w->plan->senders)
				continue;
			s = &w->senders[w->n++];
			s->conn = &l->conns[k];
			s->flow = w;
			s->to = w->plan->to_first + at;
			s->mask = FLOW_DUE - 1;
			s->due = xcalloc(FLOW_DUE, sizeof(*s->due));
			f->by_number[l->conns[k].number] = s;
		}
	return f;
}

void
bench_flow_begin(struct bench_flows *f, uint64_t fill)
{
	struct bench_board *b = f->run->board;
	unsigned i;

	f->fill = fill;
	f->start = fill > 0 ? 0 : b->start;
	f->begin = fill > 0 ? INT64_MAX : b->begin;
	f->end = fill > 0 ? INT64_MAX : b->end;
	for (i = 0; i < f->run->nflows; i++) {
		struct flow *w = &f->flows[i];

		w->count = 0;
		w->blocked = false;
		w->per_ns = w->plan->rate * w->n / w->plan->senders / 1e9;
	}
}

static bool
flow_measures(const struct bench_flows *f, int64_t t)
{
	return t >= f->begin && t < f->end;
}

/* Messages of a sender that are not complete. */
static uint64_t
flow_open(const struct bench_flows *f, const struct flow_sender *s)
{
	const struct bench_flow *plan = s->flow->plan;
	size_t i = (size_t)(plan - f->run->flows);
	uint64_t done = f->acks ? s->acked : s->done;

	if (plan->fan > 1) {
		/* Such a flow has one sender. */
		uint64_t all = f->run->board->totals[i].got / plan->fan;

		done = f->acks && s->acked < all ? s->acked : all;
	}
	return s->sent > done ? s->sent - done : 0;
}

/* The ring is full: one twice as large. */
static void
flow_grow(struct flow_sender *s)
{
	uint64_t n = 2 * (s->mask + 1), i;
	int64_t *due = xcalloc((size_t)n, sizeof(*due));

	for (i = s->acked; i < s->sent; i++)
		due[i & (n - 1)] = s->due[i & s->mask];
	free(s->due);
	s->due = due;
	s->mask = n - 1;
}

static void
flow_send(
    struct bench_flows *f, struct flow_sender *s, int64_t due, int64_t now)
{
	struct flow *w = s->flow;
	size_t size = (size_t)f->run->options->size;
	char head[18];

	snprintf(head, sizeof(head), "%c%016" PRIx64,
	    (char)('a' + (w - f->flows)), (uint64_t)due);
	memcpy(f->payload, head, 17);
	s->conn->where->dialect->publish(
	    s->conn, w->plan->kind, s->to, f->payload, size);
	if (f->acks) {
		if (s->sent - s->acked > s->mask)
			flow_grow(s);
		s->due[s->sent & s->mask] = due;
	}
	s->sent++;
	w->tally->sent++;
	if (!flow_measures(f, due))
		return;
	w->tally->sent_then++;
	w->tally->late += now - due > FLOW_LATE_NS;
}

/* Closed loop: as many as may be under way. */
static void
flow_fill(struct bench_flows *f, struct flow_sender *s)
{
	unsigned window = s->flow->plan->window;
	uint64_t open;
	int64_t now;

	if (s->conn->state != BENCH_OPEN)
		return;
	if (f->fill > 0 && window < FLOW_FILL / s->flow->plan->senders)
		window = FLOW_FILL / s->flow->plan->senders;
	for (open = flow_open(f, s); open < window; open++) {
		now = bench_proc_now();
		if (now >= f->end || now < f->start ||
		    (f->fill > 0 && s->sent >= f->fill))
			return;
		flow_send(f, s, now, now);
	}
}

/* Open loop: all that are due. */
static int64_t
flow_pace(struct bench_flows *f, struct flow *w)
{
	unsigned window = w->plan->window > 0 ? w->plan->window : FLOW_DEPTH;
	unsigned full = 0;
	int64_t now = bench_proc_now(), due;
	struct flow_sender *s;

	for (;;) {
		due = f->start + (int64_t)((double)w->count / w->per_ns);
		if (due >= f->end)
			return INT64_MAX;
		if (due > now)
			return due;
		s = &w->senders[w->turn++ % w->n];
		if (flow_open(f, s) >= window) {
			if (++full < w->n)
				continue;
			return now + FLOW_LOOK_NS;
		}
		full = 0;
		w->count++;
		flow_send(f, s, due, now);
	}
}

int64_t
bench_flow_turn(struct bench_flows *f)
{
	int64_t now = bench_proc_now(), next = now + FLOW_LOOK_NS, at;
	unsigned i, k;

	if (now < f->start)
		return f->start - now;
	for (i = 0; i < f->run->nflows; i++) {
		struct flow *w = &f->flows[i];

		if (w->n == 0)
			continue;
		if (w->plan->rate > 0 && f->fill == 0) {
			at = flow_pace(f, w);
			next = at < next ? at : next;
			continue;
		}
		for (k = 0; k < w->n; k++)
			flow_fill(f, &w->senders[k]);
	}
	now = bench_proc_now();
	return next > now ? next - now : 0;
}

void
bench_flow_settle(struct bench_flows *f)
{
	struct bench_board *b = f->run->board;
	unsigned i, k;
	bool wake = false;

	for (i = 0; i < f->run->nflows; i++) {
		struct flow *w = &f->flows[i];
		const struct bench_flow_tally *t = w->tally;
		uint64_t now[3] = { t->sent, t->acked, t->got };
		_Atomic uint64_t *all[3] = { &b->totals[i].sent,
			&b->totals[i].acked, &b->totals[i].got };

		for (k = 0; k < 3; k++) {
			if (now[k] == w->settled[k])
				continue;
			/* Somebody else's sender waits for deliveries here. */
			wake |= k == 2 && w->n == 0 && w->plan->fan > 1;
			atomic_fetch_add(all[k], now[k] - w->settled[k]);
			w->settled[k] = now[k];
		}
	}
	for (i = 0; wake && i < f->run->nflows; i++) {
		unsigned hand = bench_hand_of(f->run, f->run->flows[i].first);
		uint64_t one = 1;

		if (f->run->flows[i].fan > 1 && hand != f->hand &&
		    write(f->run->wakes[hand], &one, sizeof(one)) < 0)
			log_debug("eventfd");
	}
}

bool
bench_flow_done(struct bench_flows *f)
{
	struct bench_board *b = f->run->board;
	unsigned i, k;

	if (f->fill == 0 && bench_proc_now() < f->end)
		return false;
	for (i = 0; i < f->run->nflows; i++) {
		struct flow *w = &f->flows[i];

		for (k = 0; k < w->n; k++)
			if (w->senders[k].sent < f->fill ||
			    (f->acks &&
				w->senders[k].acked < w->senders[k].sent))
				return false;
		if (b->totals[i].got < b->totals[i].sent * w->plan->fan)
			return false;
	}
	return true;
}

static int64_t
flow_hex(const char *p)
{
	uint64_t v = 0;
	int i;

	for (i = 0; i < 16; i++)
		v = v << 4 |
		    (uint64_t)(p[i] <= '9' ? p[i] - '0' : p[i] - 'a' + 10);
	return (int64_t)v;
}

void
bench_flow_got(
    struct bench_flows *f, struct bench_conn *c, const char *payload, size_t n)
{
	int64_t now = bench_proc_now(), due;
	struct flow_sender *s;
	struct flow *w;
	unsigned at;

	if (n < 17 || *payload < 'a' ||
	    *payload >= (char)('a' + f->run->nflows))
		return;
	w = &f->flows[*payload - 'a'];
	due = flow_hex(payload + 1);
	w->tally->got++;
	w->tally->got_then += flow_measures(f, now);
	if (flow_measures(f, due))
		bench_hist_add(&w->tally->deliver, now - due);
	if (f->acks || w->plan->fan > 1)
		return;
	/* The sender of this receiver, which is in this hand. */
	at = c->number - w->plan->senders - w->plan->first;
	if (at < f->run->connections && (s = f->by_number[at]) != NULL) {
		s->done++;
		if (w->plan->rate <= 0 || f->fill > 0)
			flow_fill(f, s);
	}
}

void
bench_flow_acked(struct bench_flows *f, struct bench_conn *c)
{
	struct flow_sender *s = f->by_number[c->number];
	int64_t now = bench_proc_now(), due;

	if (s == NULL || s->acked == s->sent)
		return;
	due = s->due[s->acked++ & s->mask];
	s->flow->tally->acked++;
	s->flow->tally->acked_then += flow_measures(f, now);
	if (flow_measures(f, due))
		bench_hist_add(&s->flow->tally->ack, now - due);
	if (s->flow->plan->rate <= 0 || f->fill > 0)
		flow_fill(f, s);
}
