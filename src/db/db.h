/* SPDX-License-Identifier: ISC */
/*
 * db: PostgreSQL without waiting.  Statements are rows of sql/stmts.sql,
 * known here by name only.  Reads are pipelined; writes are gathered: what
 * arrived while the last commit was under way is the next transaction (group
 * commit, no timer).  A lost connection is made again by itself, and what was
 * not answered is sent again: every write is made to bear repetition.
 */
#ifndef DB_DB_H
#define DB_DB_H

#include "base/base.h"

struct event_base;
struct db;

/*
 * db_stmt.c: the statements, generated from sql/stmts.sql.
 */
enum db_stmt {
#define STMT(name, nparams, ngroup, types, warm, text) STMT_##name,
#include "db/stmts.inc"
#undef STMT
	STMT_MAX
};

struct db_stmt_desc {
	const char *name;
	unsigned nparams;
	/* 0: an ordinary statement.  Else a batch statement: its parameters
	 * are arrays; the first `ngroup` form one row per item, the rest (if
	 * any) any number of rows per item.  The first of each group is the
	 * item's ordinal, which db_batch.c puts itself. */
	unsigned ngroup;
	const char *types; /* a letter per parameter, see db_conn.h */
	bool warm;	   /* see enum db_warm */
	const char *text;
};
extern const struct db_stmt_desc db_stmts[STMT_MAX];

/*
 * db_param.c: parameters, in PostgreSQL's binary form.  An ordinary statement
 * gets single values, a batch statement one element of each array per row.
 * Values are put in the order of the statement's parameters.
 */
struct db_params;
/* A set for one db_query(); freed by it. */
struct db_params *db_params(enum db_stmt stmt);
void db_put_null(struct db_params *p);
void db_put_bool(struct db_params *p, bool v);
/* int8, int4, int2, float8.  One that does not fit: the server refuses it. */
void db_put_int(struct db_params *p, int64_t v);
void db_put_id(
    struct db_params *p, const struct id *id); /* uuid; NULL id: null */
void db_put_text(struct db_params *p, const char *s, size_t n); /* NULL: null */
void db_put_str(struct db_params *p, const char *s);		/* NULL: null */
void db_put_bytes(struct db_params *p, const void *v, size_t n); /* bytea */
void db_put_time(struct db_params *p, int64_t wall_ms);		 /* 0: null */
/* One text[] value; in a batch statement this is a text in array syntax. */
void db_put_texts(struct db_params *p, const struct slice *v, size_t n);

/*
 * db_result.c: an answer, good during the callback.
 */
enum db_status {
	DB_OK,
	DB_ERROR,	/* the statement failed; db_sqlstate() */
	DB_UNAVAILABLE, /* no answer within the deadline: outcome unknown */
};
struct db_result;
enum db_status db_status(const struct db_result *r);
const char *db_sqlstate(const struct db_result *r);
size_t db_rows(const struct db_result *r);
bool db_null(const struct db_result *r, size_t row, unsigned col);
bool db_bool(const struct db_result *r, size_t row, unsigned col);
int64_t db_int(const struct db_result *r, size_t row, unsigned col);
void db_id(const struct db_result *r, size_t row, unsigned col, struct id *id);
struct slice db_text(const struct db_result *r, size_t row, unsigned col);
struct slice db_bytes(const struct db_result *r, size_t row, unsigned col);
int64_t db_time(const struct db_result *r, size_t row, unsigned col);
/* A text[]; returns the number of elements, at most max of them in v. */
size_t db_texts(const struct db_result *r, size_t row, unsigned col,
    struct slice *v, size_t max);

/* Called exactly once for each query and batch row, never from within the
 * call that made it.  It may ask again; it may not call db_close(). */
typedef void db_fn(void *arg, const struct db_result *r);

/*
 * Which of the statements that are marked `warm` are planned before a
 * connection is up, so that nobody waits for that: the first plans cost tens of
 * milliseconds, as all that they touch is read from the catalogs.  One without
 * parameters is run: it calls functions, which have plans of their own.
 */
enum db_warm {
	DB_WARM_NONE,
	DB_WARM_QUERIES, /* ordinary statements */
	DB_WARM_BATCHES,
};

/*
 * db_conn.c: one asynchronous connection.  Deadlines are by clock_mono(): the
 * loop must call clock_update() before its callbacks run.
 */
struct db_config {
	const char *conninfo; /* libpq's */
	const char *name;     /* application_name */
	int64_t deadline_ms;  /* for queries and rows */
	size_t batch_max;  /* rows of one commit, those of second groups too */
	size_t queue_max;  /* rows and queries that may wait */
	enum db_stmt lock; /* a batch statement of one id; see db_lock() */
	enum db_warm warm;
	const char *const *listen; /* channels to LISTEN on, NULL-ended; or
				    * NULL; they live as long as d */
	void (*notify)(void *arg, const char *payload);
	/* up: connected, prepared, and listening; also after a loss.  What was
	 * notified in between is lost. */
	void (*state)(void *arg, bool up);
	void *arg;
};
/* Connects in the background and keeps connecting, with growing delay. */
struct db *db_open(struct event_base *base, const struct db_config *c);
/* Fails what is waiting with DB_UNAVAILABLE, and closes.  Not from within a
 * callback of d. */
void db_close(struct db *d);
bool db_up(const struct db *d);
/* At the end of a turn: sends the queries, and starts the next batch if none
 * is under way. */
void db_flush(struct db *d);

/*
 * db_query.c: ordinary statements, and the deadlines of all.
 */
/* Runs an ordinary statement in a transaction of its own; frees p.  fn may be
 * NULL.  It bears repetition: when the connection is lost before the answer
 * it is run again. */
void db_query(struct db *d, struct db_params *p, db_fn *fn, void *arg);
/* Queries and rows that wait for an answer. */
size_t db_waiting(const struct db *d);

/*
 * db_batch.c: gathered writes.
 */
/* Begins a row of a batch statement; put its values, then perhaps rows of the
 * second group, each begun with db_more().  Rows of one statement are applied
 * in the order they came; statements of one transaction in the order of
 * sql/stmts.sql.  The answer's rows are those whose column 0, `n`, is this
 * row's; that column is hidden: column 0 is the next one.  fn may be NULL.
 * The values are put before the control returns to the event loop. */
struct db_params *db_row(struct db *d, enum db_stmt stmt, db_fn *fn, void *arg);
void db_more(struct db_params *p);
/* What the row is about is changed by one transaction at a time: it is locked
 * first, by the connection's db_config.lock, and what that transaction runs
 * sees all that was changed under the lock before.  What the rows of a
 * transaction name is locked in one order, so that nobody waits in a circle. */
void db_lock(struct db_params *p, const struct id *what);
/* No transaction has two rows about the same thing: the second one waits for
 * the next, and so sees what the first did, and nothing of it that was refused;
 * rows about other things go before it meanwhile. */
void db_alone(struct db_params *p, const struct id *what);
/* The same as db_row() for what nobody waits for: it may wait some milliseconds
 * for company, so that it does not cost a commit of its own. */
struct db_params *db_row_patient(
    struct db *d, enum db_stmt stmt, db_fn *fn, void *arg);

/*
 * db_migrate.c and db_sync.c: at start and for linnetctl, waiting.
 */
struct db_sync;
/* NULL when it cannot connect within the time; *error is then a sentence to
 * be freed. */
struct db_sync *db_sync_open(
    const char *conninfo, int64_t timeout_ms, char **error) MUST_CHECK;
void db_sync_close(struct db_sync *s);
/* Runs an ordinary statement; frees p.  fn is called before the return. */
enum db_status db_sync_query(
    struct db_sync *s, struct db_params *p, db_fn *fn, void *arg) MUST_CHECK;
/* A whole transaction around what is run between. */
int db_sync_begin(struct db_sync *s) MUST_CHECK;
int db_sync_commit(struct db_sync *s) MUST_CHECK;
void db_sync_rollback(struct db_sync *s);
const char *db_sync_error(const struct db_sync *s);
/* Brings the schema to this program's version, under an advisory lock.
 * Returns the number of migrations applied, or -1 with db_sync_error(): it
 * failed, or the schema is too new for this program. */
int db_migrate(struct db_sync *s) MUST_CHECK;
/* Why this program may not run on a schema of a version that asks for programs
 * which know the version `compatible`: a sentence to be freed; NULL: it may. */
char *db_migrate_refusal(int64_t version, int64_t compatible) MUST_CHECK;
/* The version this program needs, and the one that is there (-1: none). */
int db_migrate_wanted(void);
int db_migrate_present(struct db_sync *s);
/* -1 with db_sync_error(): a schema of this version, which is there, is too new
 * for this program. */
int db_migrate_check(struct db_sync *s, int version) MUST_CHECK;

#endif
