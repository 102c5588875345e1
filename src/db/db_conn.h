/* SPDX-License-Identifier: ISC */
/*
 * What the files of db share: the connection, the requests that wait for it,
 * and the order in which its answers come.
 */
#ifndef DB_DB_CONN_H
#define DB_DB_CONN_H

#include <sys/queue.h>

#include <libpq-fe.h>

#include "db/db.h"

#define DB_PARAMS_MAX 64 /* as in sql/stmts.awk */

/* PostgreSQL counts time from 2000-01-01. */
#define DB_EPOCH_MS INT64_C(946684800000)

/* A parameter's type; of a batch statement, its elements' type. */
enum db_type {
	DB_UUID = 'u',
	DB_INT8 = 'l',
	DB_INT4 = 'i',
	DB_INT2 = 's',
	DB_BOOL = 'b',
	DB_TEXT = 't',
	DB_BYTEA = 'y',
	DB_TIMESTAMPTZ = 'z',
	DB_JSON = 'j',
	DB_JSONB = 'J',
	DB_FLOAT8 = 'd',
	DB_TEXTS = 'T',
};

/* Object ids of built-in types; PostgreSQL never changes them. */
enum db_oid {
	OID_BOOL = 16,
	OID_BYTEA = 17,
	OID_NAME = 19,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_JSON = 114,
	OID_FLOAT8 = 701,
	OID_UNKNOWN = 705,
	OID_TEXTS = 1009,
	OID_BPCHAR = 1042,
	OID_VARCHAR = 1043,
	OID_TIMESTAMPTZ = 1184,
	OID_UUID = 2950,
	OID_JSONB = 3802,
	OID_USER = 16384, /* the first that is not built in */
};

/*
 * db_stmt.c
 */
/* The type as a parameter of its own, and as the element of an array. */
Oid db_stmt_oid(enum db_type type);
Oid db_stmt_array_oid(enum db_type type);
/* The parameters' types, for the server: room for DB_PARAMS_MAX. */
void db_stmt_oids(enum db_stmt stmt, Oid *oids);

/*
 * Something that was sent and is not answered yet.  Each ends with a Sync, so
 * each is a transaction of its own, and an error in one harms no other.
 */
struct db_op;
struct db_op_type {
	/* One result; it is the callee's. */
	void (*result)(struct db *d, struct db_op *op, PGresult *res);
	/* The Sync is answered: committed, unless a result was an error. */
	void (*done)(struct db *d, struct db_op *op);
	/* The connection is gone and with it the knowledge. */
	void (*lost)(struct db *d, struct db_op *op);
};

struct db_op {
	const struct db_op_type *type;
	TAILQ_ENTRY(db_op) next;
};
TAILQ_HEAD(db_ops, db_op);

/*
 * db_param.c: a request: an ordinary statement, or a row of a batch statement.
 */
struct db_params {
	enum db_stmt stmt;
	unsigned at;	   /* the parameter that is put next */
	unsigned more;	   /* rows of the second group */
	struct buf values; /* each: length as 4 bytes, -1 for null; bytes */
	db_fn *fn;
	void *arg;
	int64_t deadline;
	bool patient;  /* a row that may wait for others */
	bool taken;    /* sent, or in a batch: no longer in its queue */
	bool answered; /* and out of the list of deadlines */
	bool locks;    /* this, first */
	struct id lock;
	bool alone; /* with this in its transaction */
	struct id about;
	struct hash_entry by_about; /* of the batch that is gathered */
	TAILQ_ENTRY(db_params) next;
	TAILQ_ENTRY(db_params) due;
	struct db_op op; /* of an ordinary statement */
	PGresult *res;
};
TAILQ_HEAD(db_reqs, db_params);

struct db_params *db_params_new(enum db_stmt stmt);
void db_params_free(struct db_params *p);
/* fatal when values are missing: our own bug. */
void db_params_check(const struct db_params *p);
/* Of an ordinary statement: what libpq wants to know. */
void db_params_values(
    const struct db_params *p, const char **values, int *lengths, int *formats);
/* The length of the value at *at, -1 for null; *at is then at its bytes. */
int32_t db_params_length(const char **at);

/*
 * db_result.c
 */
struct db_result {
	enum db_status status;
	char sqlstate[6];
	const PGresult *res;
	const uint32_t *map; /* its rows, or NULL: all, in order */
	size_t rows;
	unsigned hidden; /* columns at the front */
};

/* What to do about an error. */
enum db_fault {
	DB_FAULT_ROW,	 /* what was asked is at fault */
	DB_FAULT_RACE,	 /* nobody is: the same again */
	DB_FAULT_SERVER, /* the server cannot: nor for any other row */
	DB_FAULT_CONN,	 /* this connection cannot: another may */
};
enum db_fault db_result_fault(const char *sqlstate);
/* The answer of a whole PGresult. */
void db_result_set(struct db_result *r, const PGresult *res);
/* Is it the error of a connection that ends, not of a statement? */
bool db_result_fatal(const PGresult *res);
/* Writes the error to the log: what clients can bring about as debug. */
void db_result_log(const PGresult *res, const char *name);

/*
 * db_conn.c
 */
enum db_state {
	DB_STATE_DOWN,	     /* until the timer */
	DB_STATE_CONNECTING, /* libpq is at it */
	DB_STATE_PREPARING,
	DB_STATE_UP,
	DB_STATE_CLOSED,
};

struct db_batch;
struct db {
	struct event_base *base;
	struct db_config c; /* its strings are ours */
	enum db_state state;
	PGconn *pg;
	bool broken;	  /* to be dropped at the next chance */
	unsigned calling; /* we are inside a callback of ours */
	bool quiet;	  /* this outage is in the log already */
	int64_t retry_ms;
	int64_t stall_ms; /* so long without any answer: drop it */
	int64_t progress; /* when the last answer came */
	struct event *in;
	struct event *out;
	struct event *timer; /* retry, connect timeout, stall */
	struct event *kick;  /* what may not be done within a call */
	struct event *due_timer;

	struct db_ops sent; /* the order of the answers */
	size_t nsent;
	struct db_op startup;

	struct db_reqs due; /* not answered, by deadline; oldest first */
	size_t waiting;
	struct db_reqs queries; /* not sent yet */
	struct db_reqs rows;	/* in no batch yet */
	size_t urgent;		/* those of them that are not patient */
	struct db_reqs refused; /* the queue was full */
	struct db_batch *batch;
};

/* The op's last message was sent: its Sync.  Also when sending failed, which
 * sets d->broken: it is then among those that are lost. */
void db_conn_sent(struct db *d, struct db_op *op);
/* Room for another op? */
bool db_conn_room(const struct db *d);
/* Calls back soon, when nothing else is on the stack. */
void db_conn_kick(struct db *d);
void db_conn_kick_in(struct db *d, int64_t ms);

/*
 * db_query.c
 */
void db_query_start(struct db *d);
void db_query_stop(struct db *d);
/* Sends what waits, as far as there is room. */
void db_query_send(struct db *d);
/* Puts a request in its queue, or among the refused. */
void db_query_enter(struct db *d, struct db_params *p);
/* Calls back unless that was done; the request stays the caller's. */
void db_query_answer(
    struct db *d, struct db_params *p, const struct db_result *r);
/* Answers those that were refused. */
void db_query_refuse(struct db *d);

/*
 * db_batch.c
 */
void db_batch_start(struct db *d);
void db_batch_stop(struct db *d);
/* Sends the next transaction, if none is under way. */
void db_batch_send(struct db *d);

/*
 * db_sync.c
 */
/* Runs SQL of several statements, or one with n values as text.  The rows are
 * the caller's to clear; NULL when it failed: db_sync_error(). */
PGresult *db_sync_run(struct db_sync *s, const char *sql, int n,
    const char *const *values) MUST_CHECK;
void db_sync_fail(struct db_sync *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
