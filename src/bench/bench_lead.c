/* SPDX-License-Identifier: ISC */
/*
 * Rounds, as the first process leads them.  Entries of a match take turns, so
 * that what else the machine does falls upon all of them.  Each round has
 * hands of its own: what one of them kept in memory does not help the next.
 */
#include "config.h"

#include "bench/bench.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEAD_POLL_NS 1000000
#define LEAD_OPEN_MS 120000
#define LEAD_CLOSE_MS 20000
#define LEAD_FILL_MS 600000
#define LEAD_DRAIN_MS 30000
#define LEAD_START_NS 20000000 /* until all hands know */
#define LEAD_SPARE 200	       /* descriptors of a hand beside connections */
#define LEAD_QUIET_NS 1000000000

/* The stamps of hellos live as long as the servers. */
static int64_t lead_stamps[2];

static void
lead_count_hands(struct bench_run *r)
{
	const struct bench_options *o = r->options;
	struct rlimit limit;
	unsigned need, each;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		fatal("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		fatal("setrlimit");
	each = limit.rlim_cur > 1000000 ? 1000000
					: (unsigned)limit.rlim_cur - LEAD_SPARE;
	need = r->connections / each + 1;
	r->nhands = o->hands > 0 ? (unsigned)o->hands : need;
	if (r->nhands < need || need > BENCH_HANDS_MAX)
		fatalx("%u connections need %u processes: the limit of "
		       "descriptors is %lu",
		    r->connections, need, (unsigned long)limit.rlim_cur);
	/* A hand without connections has nothing to do. */
	if (r->nhands > r->connections)
		r->nhands = r->connections;
}

static void
lead_fork(struct bench_run *r)
{
	unsigned i;

	r->board = mmap(NULL, sizeof(*r->board), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r->board == MAP_FAILED)
		fatal("mmap");
	for (i = 0; i < 2; i++)
		r->board->stamps[i] = lead_stamps[i];
	r->entry->server->seed.stamps = r->board->stamps;
	fflush(NULL);
	for (i = 0; i < r->nhands; i++) {
		r->wakes[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (r->wakes[i] < 0)
			fatal("eventfd");
	}
	for (i = 0; i < r->nhands; i++) {
		r->pids[i] = bench_proc_fork(SIGKILL);
		if (r->pids[i] < 0)
			fatal("fork");
		if (r->pids[i] == 0)
			bench_hand(r, i);
	}
}

static void
lead_end(struct bench_run *r)
{
	unsigned i;
	int status;

	for (i = 0; i < r->nhands; i++)
		if (r->pids[i] > 0)
			(void)kill(r->pids[i], SIGKILL);
	for (i = 0; i < r->nhands; i++) {
		if (r->pids[i] > 0)
			(void)waitpid(r->pids[i], &status, 0);
		close(r->wakes[i]);
	}
	for (i = 0; i < 2; i++)
		lead_stamps[i] = r->board->stamps[i];
	r->entry->server->seed.stamps = NULL;
	(void)munmap(r->board, sizeof(*r->board));
}

/* Did a hand or the server fail? */
static bool
lead_failed(struct bench_run *r)
{
	unsigned i;
	int status;

	for (i = 0; i < r->nhands; i++) {
		if (r->board->hands[i].failed) {
			log_error("%s: %s", r->entry->label,
			    r->board->hands[i].error);
			return true;
		}
		if (waitpid(r->pids[i], &status, WNOHANG) == r->pids[i]) {
			log_error("%s: a process of linnet-bench ended with "
				  "status %#x",
			    r->entry->label, (unsigned)status);
			r->pids[i] = 0;
			return true;
		}
	}
	return bench_server_ended(r->entry->server) || bench_proc_interrupted();
}

static int
lead_await(struct bench_run *r, unsigned order, int64_t timeout_ms)
{
	int64_t end = bench_proc_now() + timeout_ms * 1000000;
	unsigned i;

	for (;;) {
		for (i = 0; i < r->nhands; i++)
			if (r->board->hands[i].did != order)
				break;
		if (lead_failed(r))
			return -1;
		if (i == r->nhands)
			return 0;
		if (bench_proc_now() > end)
			break;
		bench_proc_sleep_until(bench_proc_now() + LEAD_POLL_NS);
	}
	log_error("%s: not done after %lld s: sent %llu, answered %llu, "
		  "delivered %llu",
	    r->entry->label, (long long)timeout_ms / 1000,
	    (unsigned long long)r->board->totals[0].sent,
	    (unsigned long long)r->board->totals[0].acked,
	    (unsigned long long)r->board->totals[0].got);
	return -1;
}

static unsigned
lead_give(struct bench_run *r, enum bench_order order)
{
	unsigned next = (r->board->order / 16 + 1) * 16 + order, i;
	uint64_t one = 1;

	r->board->order = next;
	for (i = 0; i < r->nhands; i++)
		if (write(r->wakes[i], &one, sizeof(one)) < 0)
			fatal("eventfd");
	return next;
}

int
bench_lead_order(
    struct bench_run *r, enum bench_order order, int64_t timeout_ms)
{
	return lead_await(r, lead_give(r, order), timeout_ms);
}

/* Gives an order; how long it took, until the last one was done. */
static double
lead_timed(struct bench_run *r, enum bench_order order)
{
	int64_t start = bench_proc_now(), end = start;
	unsigned i;

	if (bench_lead_order(r, order, LEAD_OPEN_MS) != 0)
		return -1;
	for (i = 0; i < r->nhands; i++)
		if (r->board->hands[i].done_at > end)
			end = r->board->hands[i].done_at;
	return (double)(end - start + 1) / 1e9;
}

static void
lead_usage(struct bench_run *r, struct bench_usage *u, bool memory)
{
	memset(u, 0, sizeof(*u));
	if (r->server > 0)
		bench_proc_usage(u, r->server, memory);
}

static void
lead_merge(
    struct bench_hist *h, const struct bench_run *r, unsigned flow, bool acks)
{
	unsigned i;

	bench_hist_clear(h);
	for (i = 0; i < r->nhands; i++)
		bench_hist_merge(
		    h, acks ? &r->board->hands[i].flows[flow].ack
			    : &r->board->hands[i].flows[flow].deliver);
}

static void
lead_percentiles(struct bench_run *r, const struct bench_hist *h,
    enum bench_figure p50, enum bench_figure p99, int hist)
{
	static const double parts[] = { 0.5, 0.99, 0.999 };
	size_t i;

	if (h->count == 0)
		return;
	/* The fan-out and state of mixed have no third one. */
	for (i = 0; i < NELEM(parts); i++)
		if (i < 2 || p99 == BENCH_ACK_P99 || p99 == BENCH_DELIVER_P99)
			r->values[i == 0 ? p50 : p99 + i - 1] =
			    (double)bench_hist_at(h, parts[i]) / 1e3;
	bench_hist_merge(&r->entry->hists[hist], h);
}

/* What the hands counted. */
static void
lead_tally(struct bench_run *r, const struct bench_usage *used, double seconds)
{
	static const int of[] = { BENCH_HIST_DELIVER, BENCH_HIST_FANOUT,
		BENCH_HIST_STATE };
	struct bench_hist h;
	double acked = 0, got = 0, messages = 0, sent = 0, late = 0, cpu = 0;
	unsigned i, k;

	for (i = 0; i < r->nhands; i++)
		cpu += r->board->hands[i].cpu;
	for (k = 0; k < r->nflows; k++) {
		const struct bench_flow *f = &r->flows[k];
		double flow_acked = 0, flow_got = 0;
		bool alone = r->nflows == 1;

		for (i = 0; i < r->nhands; i++) {
			const struct bench_flow_tally *t =
			    &r->board->hands[i].flows[k];

			flow_acked += (double)t->acked_then;
			flow_got += (double)t->got_then;
			sent += (double)t->sent_then;
			late += f->rate > 0 ? (double)t->late : 0;
		}
		acked += flow_acked;
		got += flow_got;
		messages +=
		    r->where.dialect->acks && flow_acked < flow_got / f->fan
			? flow_acked
			: flow_got / f->fan;
		lead_merge(&h, r, k, true);
		if (k == 0)
			lead_percentiles(r, &h, BENCH_ACK_P50, BENCH_ACK_P99,
			    BENCH_HIST_ACK);
		lead_merge(&h, r, k, false);
		if (alone || f->of == BENCH_OF_DIRECT)
			lead_percentiles(r, &h, BENCH_DELIVER_P50,
			    BENCH_DELIVER_P99, of[f->of]);
		else if (f->of == BENCH_OF_FANOUT)
			lead_percentiles(r, &h, BENCH_FANOUT_P50,
			    BENCH_FANOUT_P99, of[f->of]);
		else
			lead_percentiles(
			    r, &h, BENCH_STATE_P50, BENCH_STATE_P99, of[f->of]);
	}
	r->values[BENCH_MESSAGES] = messages / seconds;
	r->values[BENCH_DELIVERIES] = got / seconds;
	r->values[BENCH_CLIENT_CPU] = cpu;
	if (sent > 0 && r->flows[0].rate > 0)
		r->values[BENCH_LATE] = 100 * late / sent;
	if (r->server == 0)
		return;
	r->values[BENCH_SERVER_CPU] = used->server / seconds;
	if (r->entry->peer->ours)
		r->values[BENCH_DATABASE_CPU] = used->database / seconds;
	if (used->server > 0) {
		r->values[BENCH_PER_CPU] = got / used->server;
		r->values[BENCH_PER_CPU_ALL] =
		    got / (used->server + used->database);
	}
}

static void
lead_minus(struct bench_usage *a, const struct bench_usage *b)
{
	a->server -= b->server;
	a->database -= b->database;
	a->dirty -= b->dirty;
	a->database_dirty -= b->database_dirty;
}

static int
lead_fill(struct bench_run *r)
{
	struct bench_server *s = r->entry->server;
	int64_t want = r->options->stored - s->stored;

	if (want <= 0 || r->flows[0].kind != BENCH_DIRECT)
		return 0;
	r->board->fill = (uint64_t)want / r->flows[0].senders + 1;
	if (bench_lead_order(r, BENCH_ORDER_FILL, LEAD_FILL_MS) != 0)
		return -1;
	s->stored = r->options->stored;
	return 0;
}

/* A delivery that is repeated is allowed, but worth a word. */
static void
lead_repeats(const struct bench_run *r)
{
	unsigned i;

	for (i = 0; i < r->nflows; i++) {
		uint64_t sent = r->board->totals[i].sent * r->flows[i].fan;

		if (r->board->totals[i].got > sent)
			log_warn("%s: %llu of %llu deliveries came once more",
			    r->entry->label,
			    (unsigned long long)(r->board->totals[i].got -
						 sent),
			    (unsigned long long)sent);
	}
}

int
bench_lead_measure(struct bench_run *r)
{
	const struct bench_options *o = r->options;
	struct bench_usage before, after;
	int64_t t[2];
	unsigned order;

	if (bench_lead_order(r, BENCH_ORDER_PREPARE, LEAD_OPEN_MS) != 0 ||
	    bench_lead_order(r, BENCH_ORDER_OPEN, LEAD_OPEN_MS) != 0 ||
	    lead_fill(r) != 0)
		return -1;
	r->board->start = bench_proc_now() + LEAD_START_NS;
	r->board->begin = r->board->start + o->warm_ms * 1000000;
	r->board->end = r->board->begin + o->duration_ms * 1000000;
	order = lead_give(r, BENCH_ORDER_RUN);
	bench_proc_sleep_until(r->board->begin);
	lead_usage(r, &before, false);
	t[0] = bench_proc_now();
	bench_proc_sleep_until(r->board->end);
	lead_usage(r, &after, false);
	t[1] = bench_proc_now();
	if (lead_await(r, order, LEAD_DRAIN_MS) != 0)
		return -1;
	lead_repeats(r);
	lead_minus(&after, &before);
	after.server *= (double)o->duration_ms * 1e6 / (double)(t[1] - t[0]);
	after.database *= (double)o->duration_ms * 1e6 / (double)(t[1] - t[0]);
	lead_tally(r, &after, (double)o->duration_ms / 1e3);
	return bench_lead_order(r, BENCH_ORDER_CLOSE, LEAD_CLOSE_MS);
}

static int
lead_close(struct bench_run *r)
{
	if (bench_lead_order(r, BENCH_ORDER_CLOSE, LEAD_CLOSE_MS) != 0)
		return -1;
	bench_proc_sleep_until(bench_proc_now() + LEAD_QUIET_NS);
	return 0;
}

/* Sessions, and what they hold; memory that others had before is not seen to
 * grow, so this comes first. */
static int
lead_idle_sessions(struct bench_run *r)
{
	double n = r->connections, took, *v = r->values;
	struct bench_usage before, after;
	int64_t kernel = bench_proc_kernel();

	lead_usage(r, &before, true);
	if ((took = lead_timed(r, BENCH_ORDER_OPEN)) < 0)
		return -1;
	lead_usage(r, &after, false);
	lead_minus(&after, &before);
	v[BENCH_LOGINS] = n / took;
	if (r->server > 0) {
		v[BENCH_LOGIN_CPU] = after.server / n * 1e6;
		v[BENCH_LOGIN_CPU_ALL] =
		    (after.server + after.database) / n * 1e6;
	}
	bench_proc_sleep_until(bench_proc_now() + LEAD_QUIET_NS);
	v[BENCH_KERNEL_BYTES] = (double)(bench_proc_kernel() - kernel) / n;
	lead_usage(r, &after, true);
	lead_minus(&after, &before);
	if (r->server > 0) {
		v[BENCH_USER_BYTES] = (double)after.dirty / n;
		/* What the database gave back has nothing to do with it. */
		if (after.database_dirty < 0)
			after.database_dirty = 0;
		v[BENCH_USER_BYTES_ALL] =
		    (double)(after.dirty + after.database_dirty) / n;
	}
	return 0;
}

int
bench_lead_idle(struct bench_run *r)
{
	double n = r->connections, took;
	struct bench_usage before, after;

	if (bench_lead_order(r, BENCH_ORDER_PREPARE, LEAD_OPEN_MS) != 0 ||
	    bench_lead_order(r, BENCH_ORDER_WARM, LEAD_OPEN_MS) != 0 ||
	    lead_close(r) != 0 ||
	    bench_lead_order(r, BENCH_ORDER_PREPARE, LEAD_OPEN_MS) != 0 ||
	    lead_idle_sessions(r) != 0 || lead_close(r) != 0)
		return -1;
	lead_usage(r, &before, false);
	if ((took = lead_timed(r, BENCH_ORDER_UPGRADE)) < 0)
		return -1;
	lead_usage(r, &after, false);
	lead_minus(&after, &before);
	r->values[BENCH_UPGRADES] = n / took;
	if (r->server > 0)
		r->values[BENCH_UPGRADE_CPU] = after.server / n * 1e6;
	return bench_lead_order(r, BENCH_ORDER_CLOSE, LEAD_CLOSE_MS);
}

int
bench_lead_storm(struct bench_run *r)
{
	struct bench_usage before, after;
	struct bench_hist h;
	double took;
	unsigned i;

	if (bench_lead_order(r, BENCH_ORDER_PREPARE, LEAD_OPEN_MS) != 0 ||
	    bench_lead_order(r, BENCH_ORDER_OPEN, LEAD_OPEN_MS) != 0 ||
	    bench_lead_order(r, BENCH_ORDER_PREPARE, LEAD_OPEN_MS) != 0)
		return -1;
	lead_usage(r, &before, false);
	if ((took = lead_timed(r, BENCH_ORDER_STORM)) < 0)
		return -1;
	lead_usage(r, &after, false);
	lead_minus(&after, &before);
	bench_hist_clear(&h);
	for (i = 0; i < r->nhands; i++)
		bench_hist_merge(&h, &r->board->hands[i].opens);
	r->values[BENCH_BACK_SECONDS] = took;
	r->values[BENCH_BACK_RATE] = r->connections / took;
	r->values[BENCH_BACK_P50] = (double)bench_hist_at(&h, 0.5) / 1e6;
	if (r->server > 0)
		r->values[BENCH_BACK_CPU] = after.server / r->connections * 1e6;
	return bench_lead_order(r, BENCH_ORDER_CLOSE, LEAD_CLOSE_MS);
}

static int
lead_round(struct bench_match *m, struct bench_entry *e)
{
	static unsigned source;
	struct bench_run r = { .scenario = m->scenario,
		.options = &e->options,
		.entry = e,
		.where = e->server->where,
		.server = e->server->pid,
		.values = e->values[e->rounds] };
	int status;

	r.where.source = ++source;
	crypto_random_bytes(
	    e->server->seed.nonce, sizeof(e->server->seed.nonce));
	r.where.seed = &e->server->seed;
	r.where.client_acks = e->options.client_acks;
	m->scenario->plan(&r);
	lead_count_hands(&r);
	bench_result_clear(r.values);
	lead_fork(&r);
	status = m->scenario->lead(&r);
	lead_end(&r);
	if (status == 0)
		e->rounds++;
	return status;
}

static int
lead_start(struct bench_entry *e)
{
	if (e->server == NULL)
		e->server = bench_server_start(e->peer, &e->options);
	return e->server != NULL ? 0 : -1;
}

static void
lead_stop(struct bench_entry *e)
{
	if (e->server != NULL)
		bench_server_stop(e->server);
	e->server = NULL;
}

static void
lead_entry(struct bench_match *m, struct bench_entry *e)
{
	if (e->failed)
		return;
	e->failed = lead_start(e) != 0 || lead_round(m, e) != 0;
	if (e->failed || m->scenario->fresh)
		lead_stop(e);
}

int
bench_lead_match(struct bench_match *m)
{
	unsigned i, round;
	int status = 0;

	for (i = 0; i < m->n; i++)
		m->entries[i].values =
		    xcalloc(m->rounds, sizeof(*m->entries[i].values));
	for (round = 0; round < m->rounds; round++)
		for (i = 0; i < m->n && !bench_proc_interrupted(); i++) {
			log_info("%s: round %u of %u: %s", m->title, round + 1,
			    m->rounds, m->entries[i].label);
			lead_entry(m, &m->entries[i]);
		}
	for (i = 0; i < m->n; i++) {
		lead_stop(&m->entries[i]);
		if (m->entries[i].failed)
			status = -1;
	}
	return bench_proc_interrupted() ? -1 : status;
}
