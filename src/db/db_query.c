/* SPDX-License-Identifier: ISC */
/*
 * Requests until they are answered.  All have the same time to live, so the
 * list of deadlines is the order of their coming, and one timer serves it.
 * A request is answered once: after its deadline it may still be in flight,
 * and then whoever has it frees it when the server is done with it.
 *
 * An ordinary statement is an op of the connection by itself.
 */
#include <string.h>

#include <event2/event.h>

#include "db/db_conn.h"

static void query_result(struct db *d, struct db_op *op, PGresult *res);
static void query_done(struct db *d, struct db_op *op);
static void query_lost(struct db *d, struct db_op *op);

static const struct db_op_type query_op = {
	query_result,
	query_done,
	query_lost,
};

static const struct db_result unavailable = { .status = DB_UNAVAILABLE };

static struct db_reqs *
query_queue(struct db *d, const struct db_params *p)
{
	return db_stmts[p->stmt].ngroup > 0 ? &d->rows : &d->queries;
}

static void
query_due_set(struct db *d, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(d->due_timer, &tv);
}

void
db_query_enter(struct db *d, struct db_params *p)
{
	if (d->waiting >= d->c.queue_max || d->state == DB_STATE_CLOSED) {
		p->taken = true;
		TAILQ_INSERT_TAIL(&d->refused, p, next);
		db_conn_kick(d);
		return;
	}
	p->deadline = clock_mono() + d->c.deadline_ms;
	TAILQ_INSERT_TAIL(&d->due, p, due);
	TAILQ_INSERT_TAIL(query_queue(d, p), p, next);
	if (db_stmts[p->stmt].ngroup > 0 && !p->patient)
		d->urgent++;
	d->waiting++;
	if (!event_pending(d->due_timer, EV_TIMEOUT, NULL))
		query_due_set(d, d->c.deadline_ms);
}

void
db_query(struct db *d, struct db_params *p, db_fn *fn, void *arg)
{
	db_params_check(p);
	p->fn = fn;
	p->arg = arg;
	db_query_enter(d, p);
	db_conn_kick(d);
}

void
db_query_answer(struct db *d, struct db_params *p, const struct db_result *r)
{
	if (p->answered)
		return;
	p->answered = true;
	TAILQ_REMOVE(&d->due, p, due);
	d->waiting--;
	if (p->fn != NULL)
		p->fn(p->arg, r);
}

/* Gives up the oldest. */
static void
query_expire(struct db *d)
{
	struct db_params *p = TAILQ_FIRST(&d->due);
	bool queued = !p->taken;

	if (queued) {
		TAILQ_REMOVE(query_queue(d, p), p, next);
		if (db_stmts[p->stmt].ngroup > 0 && !p->patient)
			d->urgent--;
		p->taken = true;
	}
	db_query_answer(d, p, &unavailable);
	if (queued)
		db_params_free(p);
}

static void
query_due_cb(evutil_socket_t fd, short what, void *arg)
{
	struct db *d = arg;
	struct db_params *p;

	(void)fd;
	(void)what;
	clock_update();
	d->calling++;
	while (
	    (p = TAILQ_FIRST(&d->due)) != NULL && p->deadline <= clock_mono())
		query_expire(d);
	if (p != NULL)
		query_due_set(d, p->deadline - clock_mono());
	d->calling--;
}

/* Those that come meanwhile are for the next time. */
void
db_query_refuse(struct db *d)
{
	struct db_reqs now = TAILQ_HEAD_INITIALIZER(now);
	struct db_params *p;

	TAILQ_CONCAT(&now, &d->refused, next);
	while ((p = TAILQ_FIRST(&now)) != NULL) {
		TAILQ_REMOVE(&now, p, next);
		if (p->fn != NULL)
			p->fn(p->arg, &unavailable);
		db_params_free(p);
	}
}

void
db_query_send(struct db *d)
{
	const char *values[DB_PARAMS_MAX];
	int lengths[DB_PARAMS_MAX], formats[DB_PARAMS_MAX];
	const struct db_stmt_desc *s;
	struct db_params *p;

	while (db_conn_room(d) && (p = TAILQ_FIRST(&d->queries)) != NULL) {
		TAILQ_REMOVE(&d->queries, p, next);
		p->taken = true;
		p->op.type = &query_op;
		s = &db_stmts[p->stmt];
		db_params_values(p, values, lengths, formats);
		if (!PQsendQueryPrepared(d->pg, s->name, (int)s->nparams,
			values, lengths, formats, 1))
			d->broken = true;
		db_conn_sent(d, &p->op);
	}
}

/* The last one counts: after rows there may be an error of the commit. */
static void
query_result(struct db *d, struct db_op *op, PGresult *res)
{
	struct db_params *p = CONTAINER(op, struct db_params, op);

	(void)d;
	PQclear(p->res);
	p->res = res;
}

/* It is run again, unless nobody waits for it any more. */
static void
query_again(struct db *d, struct db_params *p)
{
	PQclear(p->res);
	p->res = NULL;
	if (p->answered) {
		db_params_free(p);
		return;
	}
	p->taken = false;
	TAILQ_INSERT_HEAD(&d->queries, p, next);
}

static void
query_done(struct db *d, struct db_op *op)
{
	struct db_params *p = CONTAINER(op, struct db_params, op);
	struct db_result r;

	db_result_set(&r, p->res);
	if (r.status == DB_ERROR) {
		db_result_log(p->res, db_stmts[p->stmt].name);
		switch (db_result_fault(r.sqlstate)) {
		case DB_FAULT_CONN:
			d->broken = true;
			/* FALLTHROUGH */
		case DB_FAULT_RACE:
			query_again(d, p);
			return;
		default:
			break;
		}
	}
	db_query_answer(d, p, &r);
	db_params_free(p);
}

static void
query_lost(struct db *d, struct db_op *op)
{
	query_again(d, CONTAINER(op, struct db_params, op));
}

size_t
db_waiting(const struct db *d)
{
	return d->waiting;
}

void
db_query_start(struct db *d)
{
	TAILQ_INIT(&d->due);
	TAILQ_INIT(&d->queries);
	TAILQ_INIT(&d->rows);
	TAILQ_INIT(&d->refused);
	d->due_timer = evtimer_new(d->base, query_due_cb, d);
	if (d->due_timer == NULL)
		fatalx("db: no memory for events");
}

/* Nothing is in flight any more. */
void
db_query_stop(struct db *d)
{
	while (!TAILQ_EMPTY(&d->due))
		query_expire(d);
	while (!TAILQ_EMPTY(&d->refused))
		db_query_refuse(d);
	event_free(d->due_timer);
}
