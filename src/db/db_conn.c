/* SPDX-License-Identifier: ISC */
/*
 * The connection: libpq without waiting, in pipeline mode, on libevent.  It
 * is down, connecting, preparing or up, and one timer moves it on when nothing
 * else does.  What was sent stands in `sent`, in the order in which the
 * server answers; each op there ends with a Sync of its own.  Whatever goes
 * wrong with the connection ends in conn_lost(), which nothing calls that the
 * user of db called: a failed send only sets `broken`.
 *
 * A host name in the conninfo is looked up by libpq, which waits for that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "db/db_conn.h"

/*
 * Planning a batch anew each time takes as long as running it.  So plans are
 * made once, often when a table is still small, and must be good when it has
 * grown: whoever reads a row that is not wanted pays dearly for it.
 */
#define DB_OPTIONS                                                   \
	"-c plan_cache_mode=force_generic_plan -c cpu_tuple_cost=1 " \
	"-c enable_seqscan=off -c jit=off"
#define RETRY_MIN_MS 50
#define RETRY_MAX_MS 2000
#define CONNECT_MS 5000 /* until it is up */
#define STALL_DOUBLINGS 64
#define WINDOW 512 /* ops in flight */
#define WARM_TEXT_MAX 1024

static void conn_in_cb(evutil_socket_t fd, short what, void *arg);
static void conn_startup_result(struct db *d, struct db_op *op, PGresult *res);
static void conn_startup_done(struct db *d, struct db_op *op);
static void conn_startup_lost(struct db *d, struct db_op *op);

static const struct db_op_type conn_startup = {
	conn_startup_result,
	conn_startup_done,
	conn_startup_lost,
};

static void
conn_timer(struct db *d, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(d->timer, &tv);
}

/* Waits for the socket, which libpq may have changed. */
static void
conn_watch(struct db *d, short what)
{
	event_assign(
	    d->in, d->base, PQsocket(d->pg), what | EV_PERSIST, conn_in_cb, d);
	event_add(d->in, NULL);
}

static void
conn_notice(void *arg, const char *message)
{
	struct db *d = arg;

	log_debug(
	    "db: %s: %.*s", d->c.name, (int)strcspn(message, "\n"), message);
}

static void
conn_state(struct db *d, bool up)
{
	if (d->c.state != NULL)
		d->c.state(d->c.arg, up);
}

/*
 * Drops the connection and comes back later.  What was in flight returns to
 * where it was: the last first, so that all keep their order.
 */
static void
conn_lost(struct db *d, const char *why)
{
	bool was_up = d->state == DB_STATE_UP;
	struct db_op *op;
	uint16_t random;

	if (*why == '\0')
		why = "this connection is of no use any more";
	if (was_up || !d->quiet)
		log_warn(
		    "db: %s: %.*s", d->c.name, (int)strcspn(why, "\n"), why);
	d->quiet = true;
	event_del(d->in);
	event_del(d->out);
	event_del(d->timer);
	PQfinish(d->pg);
	d->pg = NULL;
	d->broken = false;
	d->state = DB_STATE_DOWN;
	while ((op = TAILQ_LAST(&d->sent, db_ops)) != NULL) {
		TAILQ_REMOVE(&d->sent, op, next);
		op->type->lost(d, op);
	}
	d->nsent = 0;
	crypto_random_bytes(&random, sizeof(random));
	conn_timer(d, d->retry_ms / 2 + random % (d->retry_ms / 2 + 1));
	d->retry_ms *= 2;
	if (d->retry_ms > RETRY_MAX_MS)
		d->retry_ms = RETRY_MAX_MS;
	if (was_up)
		conn_state(d, false);
}

static void
conn_start(struct db *d)
{
	char user_timeout[24];
	/* What stands before the conninfo is a default, what stands after it
	 * is said. */
	const char *const keys[] = { "keepalives_idle", "keepalives_interval",
		"keepalives_count", "tcp_user_timeout", "options", "dbname",
		"application_name", "client_encoding", NULL };
	const char *const values[] = { "10", "5", "3", user_timeout, DB_OPTIONS,
		d->c.conninfo, d->c.name, "UTF8", NULL };

	snprintf(user_timeout, sizeof(user_timeout), "%lld",
	    (long long)(2 * d->c.deadline_ms));
	d->pg = PQconnectStartParams(keys, values, 1);
	if (d->pg == NULL)
		fatalx("db: no memory for a connection");
	d->state = DB_STATE_CONNECTING;
	if (PQstatus(d->pg) == CONNECTION_BAD) {
		conn_lost(d, PQerrorMessage(d->pg));
		return;
	}
	PQsetNoticeProcessor(d->pg, conn_notice, d);
	conn_watch(d, EV_WRITE);
	conn_timer(d, CONNECT_MS);
}

static bool
conn_prepare(struct db *d, enum db_stmt stmt)
{
	const struct db_stmt_desc *s = &db_stmts[stmt];
	Oid oids[DB_PARAMS_MAX];

	db_stmt_oids(stmt, oids);
	return PQsendPrepare(d->pg, s->name, s->text, (int)s->nparams, oids);
}

static bool
conn_listen(struct db *d, const char *channel)
{
	char *name = PQescapeIdentifier(d->pg, channel, strlen(channel));
	char *text;
	bool good;

	if (name == NULL)
		return false;
	text = xasprintf("listen %s", name);
	good = PQsendQueryParams(d->pg, text, 0, NULL, NULL, NULL, NULL, 1);
	free(text);
	PQfreemem(name);
	return good;
}

/* As a client's use of it would plan it; see enum db_warm. */
static bool
conn_warm(struct db *d, enum db_stmt stmt)
{
	const struct db_stmt_desc *s = &db_stmts[stmt];
	struct buf text;
	unsigned i;
	bool good;

	if (!s->warm || d->c.warm == DB_WARM_NONE ||
	    (d->c.warm == DB_WARM_BATCHES) != (s->ngroup > 0))
		return true;
	if (s->nparams == 0)
		return PQsendQueryPrepared(
		    d->pg, s->name, 0, NULL, NULL, NULL, 1);
	buf_init(&text, WARM_TEXT_MAX);
	buf_addf(&text, "explain (costs off) execute %s(", s->name);
	for (i = 0; i < s->nparams; i++)
		buf_adds(&text, i > 0 ? ", null" : "null");
	buf_adds(&text, ")");
	good = PQsendQueryParams(
	    d->pg, buf_str(&text), 0, NULL, NULL, NULL, NULL, 0);
	buf_free(&text);
	return good;
}

/* Connected: all statements and LISTEN in one go. */
static void
conn_prepare_all(struct db *d)
{
	const char *const *channel = d->c.listen;
	bool good;
	int i;

	d->state = DB_STATE_PREPARING;
	good = PQsetnonblocking(d->pg, 1) == 0 && PQenterPipelineMode(d->pg);
	for (i = 0; good && i < STMT_MAX; i++)
		good = conn_prepare(d, i);
	for (i = 0; good && i < STMT_MAX; i++)
		good = conn_warm(d, i);
	for (; good && channel != NULL && *channel != NULL; channel++)
		good = conn_listen(d, *channel);
	if (!good)
		d->broken = true;
	db_conn_sent(d, &d->startup);
	conn_watch(d, EV_READ);
}

static void
conn_startup_result(struct db *d, struct db_op *op, PGresult *res)
{
	(void)op;
	if (PQresultStatus(res) == PGRES_FATAL_ERROR) {
		log_error("db: %s: cannot prepare: %s", d->c.name,
		    PQresultErrorMessage(res));
		d->broken = true;
	}
	PQclear(res);
}

static void
conn_startup_done(struct db *d, struct db_op *op)
{
	(void)op;
	if (d->broken)
		return;
	event_del(d->timer);
	d->state = DB_STATE_UP;
	d->retry_ms = RETRY_MIN_MS;
	if (d->quiet)
		log_info("db: %s: connected", d->c.name);
	d->quiet = false;
	conn_state(d, true);
}

static void
conn_startup_lost(struct db *d, struct db_op *op)
{
	(void)d;
	(void)op;
}

/* Goes on connecting. */
static void
conn_poll(struct db *d)
{
	/* libpq may close the socket and open another. */
	event_del(d->in);
	switch (PQconnectPoll(d->pg)) {
	case PGRES_POLLING_READING:
		conn_watch(d, EV_READ);
		break;
	case PGRES_POLLING_WRITING:
		conn_watch(d, EV_WRITE);
		break;
	case PGRES_POLLING_OK:
		conn_prepare_all(d);
		break;
	default:
		conn_lost(d, PQerrorMessage(d->pg));
		break;
	}
}

void
db_conn_sent(struct db *d, struct db_op *op)
{
	if (!d->broken && !PQpipelineSync(d->pg))
		d->broken = true;
	if (d->broken)
		db_conn_kick(d);
	if (d->nsent++ == 0 && d->state == DB_STATE_UP) {
		d->progress = clock_mono();
		if (!event_pending(d->timer, EV_TIMEOUT, NULL))
			conn_timer(d, d->stall_ms);
	}
	TAILQ_INSERT_TAIL(&d->sent, op, next);
}

bool
db_conn_room(const struct db *d)
{
	return d->state == DB_STATE_UP && !d->broken && d->nsent < WINDOW;
}

void
db_conn_kick(struct db *d)
{
	event_active(d->kick, EV_TIMEOUT, 0);
}

void
db_conn_kick_in(struct db *d, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (!event_pending(d->kick, EV_TIMEOUT, NULL))
		event_add(d->kick, &tv);
}

/* Sends what waits, and what libpq could not write before. */
static void
conn_push(struct db *d)
{
	if (d->state == DB_STATE_UP && !d->broken) {
		db_query_send(d);
		db_batch_send(d);
	}
	if (d->state < DB_STATE_PREPARING || d->pg == NULL || d->broken)
		return;
	switch (PQflush(d->pg)) {
	case 0:
		event_del(d->out);
		break;
	case 1:
		if (!event_pending(d->out, EV_WRITE, NULL)) {
			event_assign(d->out, d->base, PQsocket(d->pg), EV_WRITE,
			    conn_in_cb, d);
			event_add(d->out, NULL);
		}
		break;
	default:
		d->broken = true;
		db_conn_kick(d);
		break;
	}
}

/* Takes the answers that are there. */
static void
conn_results(struct db *d)
{
	struct db_op *op;
	PGresult *res;

	while (!d->broken && (op = TAILQ_FIRST(&d->sent)) != NULL &&
	       !PQisBusy(d->pg)) {
		res = PQgetResult(d->pg);
		if (res == NULL)
			continue; /* between two statements */
		if (PQresultStatus(res) == PGRES_PIPELINE_SYNC) {
			PQclear(res);
			TAILQ_REMOVE(&d->sent, op, next);
			d->nsent--;
			d->progress = clock_mono();
			if (op != &d->startup)
				d->stall_ms = 2 * d->c.deadline_ms;
			op->type->done(d, op);
		} else if (db_result_fatal(res)) {
			PQclear(res);
			d->broken = true;
		} else {
			op->type->result(d, op, res);
		}
	}
}

static void
conn_notifies(struct db *d)
{
	PGnotify *n;

	while ((n = PQnotifies(d->pg)) != NULL) {
		if (d->c.notify != NULL && d->state == DB_STATE_UP)
			d->c.notify(d->c.arg, n->extra);
		PQfreemem(n);
	}
}

/* The socket is ready, for reading or for writing. */
static void
conn_in_cb(evutil_socket_t fd, short what, void *arg)
{
	struct db *d = arg;

	(void)fd;
	(void)what;
	clock_update();
	d->calling++;
	if (d->state == DB_STATE_CONNECTING) {
		conn_poll(d);
		/* All statements are more than a socket may take at once. */
		conn_push(d);
	} else {
		bool good = PQconsumeInput(d->pg);

		/* What was read before the end counts. */
		conn_results(d);
		conn_notifies(d);
		if (good)
			conn_push(d);
		if (!good || d->broken)
			conn_lost(d, PQerrorMessage(d->pg));
	}
	d->calling--;
}

/* Does what was put off until nobody called us. */
static void
conn_kick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct db *d = arg;

	(void)fd;
	(void)what;
	d->calling++;
	db_query_refuse(d);
	conn_push(d);
	if (d->broken)
		conn_lost(d, PQerrorMessage(d->pg));
	d->calling--;
}

/* Nothing came for long: a server that is stopped, or a way that is cut.
 * Each time it waits longer: what hangs there is a backend of the server. */
static void
conn_stall(struct db *d)
{
	int64_t idle = clock_mono() - d->progress;

	if (d->nsent == 0)
		return;
	if (idle < d->stall_ms) {
		conn_timer(d, d->stall_ms - idle);
		return;
	}
	if (d->stall_ms < STALL_DOUBLINGS * d->c.deadline_ms)
		d->stall_ms *= 2;
	conn_lost(d, "the server does not answer");
}

static void
conn_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct db *d = arg;

	(void)fd;
	(void)what;
	clock_update();
	d->calling++;
	switch (d->state) {
	case DB_STATE_DOWN:
		conn_start(d);
		break;
	case DB_STATE_CONNECTING:
	case DB_STATE_PREPARING:
		conn_lost(d, "no connection in time");
		break;
	case DB_STATE_UP:
		conn_stall(d);
		break;
	case DB_STATE_CLOSED:
		break;
	}
	d->calling--;
}

struct db *
db_open(struct event_base *base, const struct db_config *c)
{
	struct db *d = xcalloc(1, sizeof(*d));

	d->base = base;
	d->c = *c;
	d->c.conninfo = xstrdup(c->conninfo);
	d->c.name = xstrdup(c->name);
	d->retry_ms = RETRY_MIN_MS;
	d->stall_ms = 2 * c->deadline_ms;
	d->startup.type = &conn_startup;
	TAILQ_INIT(&d->sent);
	d->in = event_new(base, -1, 0, conn_in_cb, d);
	d->out = event_new(base, -1, 0, conn_in_cb, d);
	d->timer = evtimer_new(base, conn_timer_cb, d);
	d->kick = evtimer_new(base, conn_kick_cb, d);
	if (d->in == NULL || d->out == NULL || d->timer == NULL ||
	    d->kick == NULL)
		fatalx("db: no memory for events");
	db_query_start(d);
	db_batch_start(d);
	conn_timer(d, 0);
	return d;
}

void
db_close(struct db *d)
{
	if (d->calling > 0)
		fatalx("db: closed from within a callback of its own");
	d->calling++;
	if (d->state == DB_STATE_UP)
		d->state = DB_STATE_CLOSED; /* no word of its going down */
	d->quiet = true;
	conn_lost(d, "closed");
	d->state = DB_STATE_CLOSED;
	db_query_stop(d);
	db_batch_stop(d);
	event_free(d->in);
	event_free(d->out);
	event_free(d->timer);
	event_free(d->kick);
	free((char *)d->c.conninfo);
	free((char *)d->c.name);
	free(d);
}

bool
db_up(const struct db *d)
{
	return d->state == DB_STATE_UP;
}

void
db_flush(struct db *d)
{
	conn_push(d);
}
