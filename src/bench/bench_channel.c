/* SPDX-License-Identifier: ISC */
/*
 * Channels: how long it takes to read a page of one, to search them, and to
 * list them with what is unread, when so much was posted before.  One client
 * asks one thing at a time; what others do at that time is for the other
 * scenarios.
 *
 * What is posted is made of words of which few are frequent and many are rare,
 * as in a language.  Memory is derived of it for a while: everything is
 * measured beside that, and searches once more after it.
 */
#include "config.h" /* memmem(3) */

#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL_COUNT 64
#define CHANNEL_WRITERS 8
#define CHANNEL_WINDOW 64 /* posts of a writer under way */
#define CHANNEL_WORDS 50000
#define CHANNEL_TEXT 12 /* words */
#define CHANNEL_PAGE 50
#define CHANNEL_OPEN_NS INT64_C(20000000000)
#define CHANNEL_STALL_NS INT64_C(60000000000)
#define CHANNEL_TURN_NS INT64_C(20000000)
#define CHANNEL_DERIVE_NS INT64_C(3600000000000)
#define CHANNEL_LOOK_NS INT64_C(200000000)
#define CHANNEL_LAST "lastofall" /* a word of the last message alone */

/* The questions, in the order in which they are asked. */
static void channel_ask_page(struct buf *b, struct bench_server *s);
static void channel_ask_search(struct buf *b, struct bench_server *s);
static void channel_ask_list(struct buf *b, struct bench_server *s);
enum channel_when {
	CHANNEL_SOON,	/* memory may still be derived */
	CHANNEL_BESIDE, /* only while it is */
	CHANNEL_AFTER	/* only when it is not */
};
static const struct {
	void (*ask)(struct buf *b, struct bench_server *s);
	enum bench_figure p50, p99;
	enum channel_when when;
} channel_questions[] = {
	{ channel_ask_page, BENCH_PAGE_P50, BENCH_PAGE_P99, CHANNEL_SOON },
	{ channel_ask_list, BENCH_LIST_P50, BENCH_LIST_P99, CHANNEL_SOON },
	{ channel_ask_search, BENCH_SEARCH_BUSY_P50, BENCH_SEARCH_BUSY_P99,
	    CHANNEL_BESIDE },
	{ channel_ask_search, BENCH_SEARCH_P50, BENCH_SEARCH_P99,
	    CHANNEL_AFTER },
};

struct channel_load {
	struct bench_run *run;
	struct bench_loop loop;
	int64_t want; /* answers, in all */
	int64_t asked;
	int64_t answered;
	bool found; /* the last answer has a hit */
	bool failed;
};

static unsigned
channel_random(unsigned below)
{
	return (unsigned)(random() % below);
}

/* The k-th word is met about as often as 1/k of the first. */
static unsigned
channel_word(void)
{
	double u = (double)random() / RAND_MAX;

	return (unsigned)(CHANNEL_WORDS * u * u * u);
}

static void
channel_ask_page(struct buf *b, struct bench_server *s)
{
	int64_t each = s->stored / CHANNEL_COUNT;

	buf_addf(b,
	    "{\"type\":\"read_channel\",\"id\":\"1\",\"channel\":\"bench-%u\","
	    "\"after\":%u,\"limit\":%d}",
	    channel_random(CHANNEL_COUNT),
	    each > CHANNEL_PAGE ? channel_random((unsigned)each - CHANNEL_PAGE)
				: 0,
	    CHANNEL_PAGE);
}

static void
channel_ask_search(struct buf *b, struct bench_server *s)
{
	(void)s;
	buf_addf(b,
	    "{\"type\":\"search\",\"id\":\"1\",\"query\":\"word%u\","
	    "\"limit\":20}",
	    channel_word());
}

static void
channel_ask_list(struct buf *b, struct bench_server *s)
{
	(void)s;
	buf_addf(b,
	    "{\"type\":\"list_channels\",\"id\":\"1\",\"joined\":true,"
	    "\"limit\":%d}",
	    CHANNEL_PAGE);
}

static void
channel_post(struct bench_conn *c)
{
	struct buf b;
	unsigned i;

	buf_init(&b, BENCH_PAYLOAD_MAX);
	buf_addf(&b,
	    "{\"type\":\"post\",\"id\":\"1\",\"channel\":\"bench-%u\","
	    "\"text\":\"",
	    channel_random(CHANNEL_COUNT));
	for (i = 0; i < CHANNEL_TEXT; i++)
		buf_addf(&b, "%sword%u", i > 0 ? " " : "", channel_word());
	buf_adds(&b, "\"}");
	bench_conn_send(c, b.data, b.len);
	buf_free(&b);
}

static bool
channel_is(const char *p, size_t n, const char *start)
{
	return n > strlen(start) && memcmp(p, start, strlen(start)) == 0;
}

static void
channel_message_cb(struct bench_conn *c, const char *p, size_t n)
{
	struct channel_load *l = c->loop->data;

	if (channel_is(p, n, "{\"type\":\"push\""))
		return;
	if (channel_is(p, n, "{\"type\":\"error\"")) {
		log_error("the server says: %.*s", n > 300 ? 300 : (int)n, p);
		l->failed = true;
	}
	l->found = memmem(p, n, "\"hits\":[{", 9) != NULL;
	l->answered++;
	if (l->asked < l->want && c->loop->n > 1) {
		l->asked++;
		channel_post(c);
	}
}

static void
channel_nothing_cb(struct bench_conn *c)
{
	(void)c;
}

static void
channel_refused_cb(struct bench_conn *c, const char *p, size_t n)
{
	struct channel_load *l = c->loop->data;

	log_error("the server says: %.*s", n > 300 ? 300 : (int)n, p);
	l->failed = true;
}

static void
channel_gone_cb(struct bench_conn *c)
{
	struct channel_load *l = c->loop->data;

	l->failed = true;
}

static const struct bench_calls channel_calls = {
	.open = channel_nothing_cb,
	.refused = channel_refused_cb,
	.gone = channel_gone_cb,
	.message = channel_message_cb,
};

/* n sessions of one member; -1 when they do not open. */
static int
channel_open(struct channel_load *l, unsigned n)
{
	int64_t end = bench_proc_now() + CHANNEL_OPEN_NS;
	unsigned i;

	bench_conn_loop(&l->loop, &l->run->where, &channel_calls, n);
	l->loop.data = l;
	l->loop.goal = BENCH_OPEN;
	l->loop.want = n;
	l->loop.opening_max = n;
	for (i = 0; i < n; i++) {
		/* Those of even numbers are of one member. */
		l->loop.conns[i].number = 2 * i;
		l->loop.conns[i].group = -1;
		l->run->where.dialect->prepare(&l->loop.conns[i]);
	}
	bench_conn_open_more(&l->loop);
	while (l->loop.ready < n && !l->failed && bench_proc_now() < end)
		bench_conn_turn(&l->loop, CHANNEL_TURN_NS);
	return l->loop.ready == n ? 0 : -1;
}

static void
channel_close(struct channel_load *l)
{
	unsigned i;

	for (i = 0; i < l->loop.n; i++)
		bench_conn_drop(&l->loop.conns[i]);
	bench_conn_loop_free(&l->loop);
}

/* Until all that was asked for is answered. */
static int
channel_await(struct channel_load *l)
{
	int64_t moved = bench_proc_now(), answered = l->answered;

	while (l->answered < l->want && !l->failed) {
		bench_conn_turn(&l->loop, CHANNEL_TURN_NS);
		if (l->answered > answered) {
			answered = l->answered;
			moved = bench_proc_now();
		} else if (bench_proc_now() - moved > CHANNEL_STALL_NS ||
			   bench_server_ended(l->run->entry->server) ||
			   bench_proc_interrupted())
			return -1;
	}
	return l->failed ? -1 : 0;
}

/* Every other one is private. */
static int
channel_make(struct channel_load *l)
{
	char text[160];
	int i, n;

	l->want = CHANNEL_COUNT;
	l->asked = l->answered = 0;
	for (i = 0; i < CHANNEL_COUNT; i++) {
		n = snprintf(text, sizeof(text),
		    "{\"type\":\"create_channel\",\"id\":\"1\",\"name\":"
		    "\"bench-%d\",\"private\":%s}",
		    i, i % 2 > 0 ? "true" : "false");
		l->asked++;
		bench_conn_send(&l->loop.conns[0], text, (size_t)n);
	}
	bench_conn_flush(&l->loop);
	return channel_await(l);
}

/* One question, and its answer. */
static int
channel_ask(struct channel_load *l, struct buf *b)
{
	l->want = 1;
	l->asked = 1;
	l->answered = 0;
	bench_conn_send(&l->loop.conns[0], b->data, b->len);
	buf_free(b);
	bench_conn_flush(&l->loop);
	return channel_await(l);
}

static int
channel_fill(struct bench_run *r)
{
	struct channel_load l = { .run = r };
	struct bench_server *s = r->entry->server;
	int64_t want = r->options->stored;
	unsigned i, k;
	struct buf b;
	int status;

	if (channel_open(&l, CHANNEL_WRITERS) != 0)
		return -1;
	status = channel_make(&l);
	l.want = want;
	l.asked = l.answered = 0;
	for (i = 0; i < CHANNEL_WRITERS && status == 0; i++)
		for (k = 0; k < CHANNEL_WINDOW && l.asked < want; k++) {
			l.asked++;
			channel_post(&l.loop.conns[i]);
		}
	bench_conn_flush(&l.loop);
	if (status == 0)
		status = channel_await(&l);
	if (status == 0 && want > 0) {
		buf_init(&b, BENCH_PAYLOAD_MAX);
		buf_adds(&b, "{\"type\":\"post\",\"id\":\"1\",\"channel\":"
			     "\"bench-0\",\"text\":\"" CHANNEL_LAST "\"}");
		status = channel_ask(&l, &b);
	}
	channel_close(&l);
	s->stored = want > 0 ? want : 1;
	return status;
}

/* What is said is derived in its order: until the last is there. */
static int
channel_settle(struct channel_load *l)
{
	int64_t end = bench_proc_now() + CHANNEL_DERIVE_NS;
	struct buf b;

	while (bench_proc_now() < end) {
		buf_init(&b, BENCH_PAYLOAD_MAX);
		buf_adds(&b,
		    "{\"type\":\"search\",\"id\":\"1\",\"query\":"
		    "\"" CHANNEL_LAST "\",\"entityTypes\":[\"memory\"]}");
		if (channel_ask(l, &b) != 0)
			return -1;
		if (l->found)
			return 0;
		bench_proc_sleep_until(bench_proc_now() + CHANNEL_LOOK_NS);
	}
	log_error("no memory is derived of what was posted");
	return -1;
}

static int
channel_measure(struct channel_load *l, size_t question, int64_t duration_ns)
{
	struct bench_server *s = l->run->entry->server;
	struct bench_hist h;
	int64_t end = bench_proc_now() + duration_ns, start;
	struct buf b;

	bench_hist_clear(&h);
	while ((start = bench_proc_now()) < end) {
		buf_init(&b, BENCH_PAYLOAD_MAX);
		channel_questions[question].ask(&b, s);
		if (channel_ask(l, &b) != 0)
			return -1;
		bench_hist_add(&h, bench_proc_now() - start);
	}
	l->run->values[channel_questions[question].p50] =
	    (double)bench_hist_at(&h, 0.5) / 1e3;
	l->run->values[channel_questions[question].p99] =
	    (double)bench_hist_at(&h, 0.99) / 1e3;
	return 0;
}

int
bench_channel_lead(struct bench_run *r)
{
	struct channel_load l = { .run = r };
	int64_t each = r->options->duration_ms * 1000000 /
		       (int64_t)NELEM(channel_questions);
	/* The channels are there already when a round came before. */
	bool fresh = r->entry->server->stored == 0;
	bool derives = fresh && r->options->stored > 0;
	enum channel_when when;
	int status = 0;
	size_t i;

	if ((fresh && channel_fill(r) != 0) || channel_open(&l, 1) != 0)
		return -1;
	for (i = 0; i < NELEM(channel_questions) && status == 0; i++) {
		when = channel_questions[i].when;
		if (when == CHANNEL_BESIDE && !derives)
			continue;
		if (when == CHANNEL_AFTER && derives)
			status = channel_settle(&l);
		if (status == 0)
			status = channel_measure(&l, i, each);
	}
	channel_close(&l);
	return status;
}
