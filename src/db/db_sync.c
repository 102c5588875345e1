/* SPDX-License-Identifier: ISC */
/*
 * A connection that waits: for the start of the daemon and for linnetctl.  No
 * event loop, no deadlines but that of connecting; not for a process that
 * serves clients.  The error is that of the last thing that failed.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "db/db_conn.h"

#define PAUSE_MS 50

struct db_sync {
	PGconn *pg;
	char *error;
};

static int64_t
sync_now(void)
{
	return clock_usec() / 1000;
}

/* libpq's messages have lines; a sentence has none. */
static char *
sync_sentence(const char *message)
{
	char *text = xstrdup(message);
	size_t n = strlen(text), i;

	while (n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	for (i = 0; i < n; i++)
		if (text[i] == '\n' || text[i] == '\t')
			text[i] = ' ';
	return text;
}

/* One attempt: NULL when connected. */
static char *
sync_connect(PGconn *pg, int64_t until)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;
	struct pollfd pfd;
	int64_t left;

	while (status != PGRES_POLLING_OK) {
		if (PQstatus(pg) == CONNECTION_BAD ||
		    status == PGRES_POLLING_FAILED)
			return sync_sentence(PQerrorMessage(pg));
		left = until - sync_now();
		if (left <= 0)
			return xstrdup("the database does not answer");
		pfd.fd = PQsocket(pg);
		pfd.events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
		if (poll(&pfd, 1, (int)left) > 0)
			status = PQconnectPoll(pg);
	}
	return NULL;
}

static void
sync_notice(void *arg, const char *message)
{
	(void)arg;
	log_debug("db: %.*s", (int)strcspn(message, "\n"), message);
}

struct db_sync *
db_sync_open(const char *conninfo, int64_t timeout_ms, char **error)
{
	const char *const keys[] = { "dbname", "client_encoding", NULL };
	const char *const values[] = { conninfo, "UTF8", NULL };
	int64_t until = sync_now() + timeout_ms;
	struct db_sync *s;
	PGconn *pg;

	*error = NULL;
	for (;;) {
		pg = PQconnectStartParams(keys, values, 1);
		if (pg == NULL)
			fatalx("db: no memory for a connection");
		free(*error);
		*error = sync_connect(pg, until);
		if (*error == NULL)
			break;
		PQfinish(pg);
		/* It may be starting just now. */
		if (sync_now() + PAUSE_MS >= until)
			return NULL;
		poll(NULL, 0, PAUSE_MS);
	}
	PQsetNoticeProcessor(pg, sync_notice, NULL);
	s = xcalloc(1, sizeof(*s));
	s->pg = pg;
	return s;
}

void
db_sync_close(struct db_sync *s)
{
	if (s == NULL)
		return;
	PQfinish(s->pg);
	free(s->error);
	free(s);
}

void
db_sync_fail(struct db_sync *s, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	free(s->error);
	s->error = sync_sentence(text);
}

const char *
db_sync_error(const struct db_sync *s)
{
	return s->error != NULL ? s->error : "";
}

static bool
sync_good(const PGresult *res)
{
	ExecStatusType status = PQresultStatus(res);

	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
	       status == PGRES_EMPTY_QUERY;
}

PGresult *
db_sync_run(
    struct db_sync *s, const char *sql, int n, const char *const *values)
{
	PGresult *res;

	if (n == 0)
		res = PQexec(s->pg, sql);
	else
		res = PQexecParams(s->pg, sql, n, NULL, values, NULL, NULL, 0);
	if (sync_good(res))
		return res;
	db_sync_fail(s, "%s",
	    res != NULL ? PQresultErrorMessage(res) : PQerrorMessage(s->pg));
	PQclear(res);
	return NULL;
}

enum db_status
db_sync_query(struct db_sync *s, struct db_params *p, db_fn *fn, void *arg)
{
	const struct db_stmt_desc *desc = &db_stmts[p->stmt];
	const char *values[DB_PARAMS_MAX];
	int lengths[DB_PARAMS_MAX], formats[DB_PARAMS_MAX];
	Oid oids[DB_PARAMS_MAX];
	struct db_result r;
	PGresult *res;

	db_params_check(p);
	db_params_values(p, values, lengths, formats);
	db_stmt_oids(p->stmt, oids);
	res = PQexecParams(s->pg, desc->text, (int)desc->nparams, oids, values,
	    lengths, formats, 1);
	db_result_set(&r, res);
	if (r.status != DB_OK) {
		db_sync_fail(s, "%s",
		    res != NULL ? PQresultErrorMessage(res)
				: PQerrorMessage(s->pg));
		if (res == NULL || db_result_fatal(res))
			r.status = DB_UNAVAILABLE;
	}
	if (fn != NULL)
		fn(arg, &r);
	PQclear(res);
	db_params_free(p);
	return r.status;
}

static int
sync_command(struct db_sync *s, const char *sql)
{
	PGresult *res = db_sync_run(s, sql, 0, NULL);

	PQclear(res);
	return res != NULL ? 0 : -1;
}

int
db_sync_begin(struct db_sync *s)
{
	return sync_command(s, "begin");
}

int
db_sync_commit(struct db_sync *s)
{
	/* COMMIT of a failed transaction says ROLLBACK, without an error. */
	if (PQtransactionStatus(s->pg) != PQTRANS_INTRANS) {
		db_sync_rollback(s);
		return -1;
	}
	return sync_command(s, "commit");
}

void
db_sync_rollback(struct db_sync *s)
{
	PQclear(PQexec(s->pg, "rollback"));
}
