/* SPDX-License-Identifier: ISC */
/*
 * Group commit.  Rows wait in d->rows, in the order of their coming; a batch
 * takes the first of them (but for those that db_alone() keeps apart), sorts
 * them by statement (rows of one statement keep their order) and sends each
 * statement once, with arrays, and one Sync at the end: the statements before a
 * Sync are one transaction, which the Sync commits.  Rows are answered when it
 * is committed, not before.
 *
 * The rows of a batch are rows[0..count); those before `pos` are done.  A
 * transaction takes rows[pos..pos+take).  When it fails for what a row holds,
 * half of it is tried, and so on until the bad row stands alone.  Newer rows
 * are not touched until the batch is at its end: the order of what is about
 * one thing never changes.
 *
 * What rows lock is locked by a statement before theirs, as a statement sees
 * what was committed when it began, and not when it had waited for a lock.
 */
#include <stdlib.h>
#include <string.h>

#include "db/db_conn.h"

/* A batch is full with so many bytes, whatever batch_max says. */
#define BATCH_BYTES ((size_t)4 << 20)
#define BATCH_PATIENCE_MS 5
#define COLUMN_MAX ((size_t)1 << 30)
#define COLUMN_KEEP ((size_t)1 << 20) /* memory of a column between batches */

struct db_batch {
	struct db_op op;
	bool flying;
	struct db_params **rows;
	size_t count;
	size_t cap;
	size_t pos;
	size_t take;
	size_t bad; /* rows[pos..bad) hold a bad one; 0: not known */
	struct db_params **locks; /* what the transaction locks first */
	size_t nlocks;
	size_t locks_cap;
	PGresult *results[STMT_MAX];
	unsigned nresults;
	PGresult *error; /* the first */
	struct buf columns[DB_PARAMS_MAX];
	uint32_t *starts; /* of each row's part of the map */
	size_t starts_cap;
	uint32_t *map; /* rows of an answer by the ordinal of their row */
	size_t map_cap;
};

static void batch_result(struct db *d, struct db_op *op, PGresult *res);
static void batch_done(struct db *d, struct db_op *op);
static void batch_lost(struct db *d, struct db_op *op);

static const struct db_op_type batch_op = {
	batch_result,
	batch_done,
	batch_lost,
};

static struct db_params *
batch_row(struct db *d, enum db_stmt stmt, db_fn *fn, void *arg, bool patient)
{
	struct db_params *p = db_params_new(stmt);

	if (db_stmts[stmt].ngroup == 0)
		fatalx("db: %s is no batch statement", db_stmts[stmt].name);
	p->fn = fn;
	p->arg = arg;
	p->patient = patient;
	db_query_enter(d, p);
	return p;
}

struct db_params *
db_row(struct db *d, enum db_stmt stmt, db_fn *fn, void *arg)
{
	return batch_row(d, stmt, fn, arg, false);
}

struct db_params *
db_row_patient(struct db *d, enum db_stmt stmt, db_fn *fn, void *arg)
{
	return batch_row(d, stmt, fn, arg, true);
}

void
db_lock(struct db_params *p, const struct id *what)
{
	p->locks = true;
	p->lock = *what;
}

void
db_alone(struct db_params *p, const struct id *what)
{
	p->alone = true;
	p->about = *what;
}

/* Only patient rows, and not for long: they wait.  Milliseconds, or 0. */
static int64_t
batch_patience(const struct db *d)
{
	const struct db_params *p = TAILQ_FIRST(&d->rows);
	int64_t age;

	if (p == NULL || d->urgent > 0)
		return 0;
	age = clock_mono() - (p->deadline - d->c.deadline_ms);
	return age < BATCH_PATIENCE_MS ? BATCH_PATIENCE_MS - age : 0;
}

/* Is a row about the same thing in the batch? */
static bool
batch_has_about(struct hash *abouts, struct db_params *p)
{
	if (!p->alone)
		return false;
	if (hash_find(abouts, &p->about, sizeof(p->about)) != NULL)
		return true;
	hash_insert(abouts, &p->by_about, &p->about, sizeof(p->about));
	return false;
}

/* Marks the rows that become the batch, the first ones that wait and may be in
 * it together; how many there are, and of each statement. */
static size_t
batch_choose(struct db *d, size_t *of)
{
	size_t n = 0, weight = 0, bytes = 0;
	struct hash abouts;
	struct db_params *p;

	hash_init(&abouts);
	TAILQ_FOREACH (p, &d->rows, next) {
		db_params_check(p);
		if (batch_has_about(&abouts, p))
			continue;
		weight += 1 + p->more;
		bytes += p->values.len;
		if (n > 0 && (weight > d->c.batch_max || bytes > BATCH_BYTES))
			break;
		p->taken = true;
		of[p->stmt]++;
		n++;
	}
	hash_free(&abouts);
	return n;
}

static void
batch_gather(struct db *d, struct db_batch *b)
{
	size_t next[STMT_MAX] = { 0 };
	size_t at = 0, first, i, n = batch_choose(d, next);
	struct db_params *p, *after;

	if (n > b->cap) {
		b->rows = xreallocarray(b->rows, n, sizeof(struct db_params *));
		b->cap = n;
	}
	for (i = 0; i < STMT_MAX; i++) {
		first = at;
		at += next[i];
		next[i] = first;
	}
	for (p = TAILQ_FIRST(&d->rows), i = 0; i < n; p = after) {
		after = TAILQ_NEXT(p, next);
		if (!p->taken)
			continue;
		TAILQ_REMOVE(&d->rows, p, next);
		d->urgent -= !p->patient;
		b->rows[next[p->stmt]++] = p;
		i++;
	}
	b->count = n;
	b->pos = b->bad = 0;
}

/* Rows whose time ran out before their transaction was committed. */
static void
batch_drop_expired(struct db_batch *b)
{
	size_t i, n = b->pos, bad = b->bad;

	for (i = b->pos; i < b->count; i++) {
		if (b->rows[i]->answered) {
			db_params_free(b->rows[i]);
			if (i < b->bad)
				bad--;
		} else {
			b->rows[n++] = b->rows[i];
		}
	}
	b->count = n;
	b->bad = bad > b->pos ? bad : 0;
}

/* One element, from a row's values to the end of a column. */
static const char *
batch_copy(struct buf *column, const char *at)
{
	const char *from = at;
	int32_t n = db_params_length(&at);

	if (n > 0)
		at += n;
	else if (n < 0)
		column->data[7] = 1; /* the array has nulls */
	buf_add(column, from, (size_t)(at - from));
	return at;
}

static void
batch_add_ordinal(struct buf *column, size_t n)
{
	buf_add32(column, 4);
	buf_add32(column, (uint32_t)n);
}

/* Binary arrays begin: dimensions, nulls, type, elements, lower bound. */
static void
batch_begin_column(struct buf *column, enum db_type type, size_t n)
{
	if (column->cap > COLUMN_KEEP)
		buf_free(column);
	buf_clear(column);
	buf_add32(column, n > 0);
	buf_add32(column, 0);
	buf_add32(column, db_stmt_oid(type));
	if (n == 0)
		return;
	buf_add32(column, (uint32_t)n);
	buf_add32(column, 1);
}

/* Turns n rows of one statement into its columns. */
static void
batch_columns(struct db_batch *b, struct db_params **rows, size_t n)
{
	const struct db_stmt_desc *s = &db_stmts[rows[0]->stmt];
	size_t more = 0, i;
	const char *at;
	unsigned c, m;

	for (i = 0; i < n; i++)
		more += rows[i]->more;
	for (c = 0; c < s->nparams; c++)
		batch_begin_column(
		    &b->columns[c], s->types[c], c < s->ngroup ? n : more);
	for (i = 0; i < n; i++) {
		at = rows[i]->values.data;
		batch_add_ordinal(&b->columns[0], i);
		for (c = 1; c < s->ngroup; c++)
			at = batch_copy(&b->columns[c], at);
		for (m = 0; m < rows[i]->more; m++) {
			batch_add_ordinal(&b->columns[s->ngroup], i);
			for (c = s->ngroup + 1; c < s->nparams; c++)
				at = batch_copy(&b->columns[c], at);
		}
	}
}

static bool
batch_send_statement(struct db *d, struct db_params **rows, size_t n)
{
	const struct db_stmt_desc *s = &db_stmts[rows[0]->stmt];
	struct db_batch *b = d->batch;
	const char *values[DB_PARAMS_MAX];
	int lengths[DB_PARAMS_MAX], formats[DB_PARAMS_MAX];
	unsigned c;

	batch_columns(b, rows, n);
	for (c = 0; c < s->nparams; c++) {
		if (b->columns[c].failed)
			fatalx("db: no room for a batch of %s", s->name);
		values[c] = b->columns[c].data;
		lengths[c] = (int)b->columns[c].len;
		formats[c] = 1;
	}
	return PQsendQueryPrepared(
	    d->pg, s->name, (int)s->nparams, values, lengths, formats, 1);
}

static bool
batch_has_lock(const struct db_batch *b, const struct id *what)
{
	size_t i;

	for (i = 0; i < b->nlocks; i++)
		if (id_same(&b->locks[i]->lock, what))
			return true;
	return false;
}

static void
batch_add_lock(struct db *d, struct db_batch *b, const struct id *what)
{
	struct db_params *p;

	if (batch_has_lock(b, what))
		return;
	if (b->nlocks == b->locks_cap) {
		b->locks_cap = b->locks_cap > 0 ? 2 * b->locks_cap : 16;
		b->locks = xreallocarray(
		    b->locks, b->locks_cap, sizeof(struct db_params *));
	}
	p = db_params_new(d->c.lock);
	db_put_id(p, what);
	p->lock = *what;
	b->locks[b->nlocks++] = p;
}

static void
batch_forget_locks(struct db_batch *b)
{
	while (b->nlocks > 0)
		db_params_free(b->locks[--b->nlocks]);
}

/* Before the statements of the transaction. */
static bool
batch_send_locks(struct db *d, struct db_batch *b)
{
	size_t i;

	for (i = b->pos; i < b->pos + b->take; i++)
		if (b->rows[i]->locks)
			batch_add_lock(d, b, &b->rows[i]->lock);
	return b->nlocks == 0 || batch_send_statement(d, b->locks, b->nlocks);
}

/* How many rows from i on are of the same statement. */
static size_t
batch_run(const struct db_batch *b, size_t i)
{
	size_t n;

	for (n = 1; i + n < b->pos + b->take; n++)
		if (b->rows[i + n]->stmt != b->rows[i]->stmt)
			break;
	return n;
}

void
db_batch_send(struct db *d)
{
	struct db_batch *b = d->batch;
	int64_t ms;
	size_t i, n;

	if (b->flying || !db_conn_room(d))
		return;
	batch_drop_expired(b);
	if (b->pos == b->count) {
		if ((ms = batch_patience(d)) > 0) {
			db_conn_kick_in(d, ms);
			return;
		}
		batch_gather(d, b);
	}
	if (b->count == 0)
		return;
	b->take = b->count - b->pos;
	if (b->bad > 0)
		b->take = b->bad - b->pos > 1 ? (b->bad - b->pos) / 2 : 1;
	if (!batch_send_locks(d, b))
		d->broken = true;
	for (i = b->pos; i < b->pos + b->take && !d->broken; i += n) {
		n = batch_run(b, i);
		if (!batch_send_statement(d, b->rows + i, n))
			d->broken = true;
	}
	b->flying = true;
	db_conn_sent(d, &b->op);
}

static void
batch_clear_results(struct db_batch *b)
{
	while (b->nresults > 0)
		PQclear(b->results[--b->nresults]);
	PQclear(b->error);
	b->error = NULL;
}

/* One for each statement, in order; then perhaps an error of the commit. */
static void
batch_result(struct db *d, struct db_op *op, PGresult *res)
{
	struct db_batch *b = CONTAINER(op, struct db_batch, op);

	(void)d;
	switch (PQresultStatus(res)) {
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
		if (b->nresults == STMT_MAX)
			fatalx("db: too many answers to a batch");
		b->results[b->nresults++] = res;
		break;
	case PGRES_FATAL_ERROR:
		if (b->error == NULL) {
			b->error = res;
			break;
		}
		/* FALLTHROUGH */
	default:
		PQclear(res); /* not run after an error */
		break;
	}
}

static void
batch_answer(struct db *d, struct db_params *p, const struct db_result *r)
{
	db_query_answer(d, p, r);
	db_params_free(p);
}

/*
 * Sorts the rows of an answer by the ordinal in their column 0: those of row i
 * of the statement are map[starts[i]..starts[i + 1]).
 */
static void
batch_map(struct db_batch *b, struct db_result *r, size_t n)
{
	size_t rows = r->rows, i;
	int64_t v;

	if (n + 2 > b->starts_cap) {
		b->starts_cap = n + 2;
		b->starts =
		    xreallocarray(b->starts, b->starts_cap, sizeof(*b->starts));
	}
	if (rows > b->map_cap) {
		b->map_cap = rows;
		b->map = xreallocarray(b->map, rows, sizeof(*b->map));
	}
	/* Counted one place further on, so that the second pass, which moves
	 * each start to its end, leaves them where they belong. */
	memset(b->starts, 0, (n + 2) * sizeof(*b->starts));
	for (i = 0; i < rows; i++) {
		v = db_int(r, i, 0);
		if (v < 0 || (size_t)v >= n)
			fatalx("db: an answer to row %lld of %zu", (long long)v,
			    n);
		b->starts[v + 2]++;
	}
	for (i = 2; i < n + 2; i++)
		b->starts[i] += b->starts[i - 1];
	for (i = 0; i < rows; i++)
		b->map[b->starts[db_int(r, i, 0) + 1]++] = (uint32_t)i;
}

/* Gives n rows of one statement their parts of its answer. */
static void
batch_distribute(
    struct db *d, struct db_params **rows, size_t n, const PGresult *res)
{
	struct db_batch *b = d->batch;
	struct db_result all, part;
	size_t i;

	db_result_set(&all, res);
	batch_map(b, &all, n);
	for (i = 0; i < n; i++) {
		part = all;
		part.map = b->map + b->starts[i];
		part.rows = b->starts[i + 1] - b->starts[i];
		part.hidden = 1;
		batch_answer(d, rows[i], &part);
	}
}

static void
batch_committed(struct db *d, struct db_batch *b)
{
	unsigned k = b->nlocks > 0;
	size_t i, n;

	for (i = b->pos; i < b->pos + b->take; i += n) {
		n = batch_run(b, i);
		if (k == b->nresults)
			fatalx("db: too few answers to a batch");
		batch_distribute(d, b->rows + i, n, b->results[k++]);
	}
	b->pos += b->take;
	if (b->pos >= b->bad)
		b->bad = 0;
}

static void
batch_failed(struct db *d, struct db_batch *b)
{
	struct db_result r;
	size_t i;

	db_result_set(&r, b->error);
	switch (db_result_fault(r.sqlstate)) {
	case DB_FAULT_CONN:
		db_result_log(b->error, "batch");
		d->broken = true;
		break;
	case DB_FAULT_RACE:
		break;
	case DB_FAULT_ROW:
		if (b->take > 1) {
			b->bad = b->pos + b->take;
			break;
		}
		/* FALLTHROUGH */
	case DB_FAULT_SERVER:
		db_result_log(b->error, db_stmts[b->rows[b->pos]->stmt].name);
		for (i = 0; i < b->take; i++)
			batch_answer(d, b->rows[b->pos + i], &r);
		b->pos += b->take;
		b->bad = 0;
		break;
	}
}

/* The next one is sent when all answers that are there were taken. */
static void
batch_done(struct db *d, struct db_op *op)
{
	struct db_batch *b = CONTAINER(op, struct db_batch, op);

	if (b->error != NULL)
		batch_failed(d, b);
	else
		batch_committed(d, b);
	batch_clear_results(b);
	batch_forget_locks(b);
	b->flying = false;
}

static void
batch_lost(struct db *d, struct db_op *op)
{
	struct db_batch *b = CONTAINER(op, struct db_batch, op);

	(void)d;
	batch_clear_results(b);
	batch_forget_locks(b);
	b->flying = false;
}

void
db_batch_start(struct db *d)
{
	struct db_batch *b = xcalloc(1, sizeof(*b));
	size_t i;

	b->op.type = &batch_op;
	for (i = 0; i < NELEM(b->columns); i++)
		buf_init(&b->columns[i], COLUMN_MAX);
	d->batch = b;
}

/* All rows were answered. */
void
db_batch_stop(struct db *d)
{
	struct db_batch *b = d->batch;
	size_t i;

	batch_drop_expired(b);
	for (i = 0; i < NELEM(b->columns); i++)
		buf_free(&b->columns[i]);
	free(b->rows);
	free(b->locks);
	free(b->starts);
	free(b->map);
	free(b);
}
