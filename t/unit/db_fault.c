/* SPDX-License-Identifier: ISC */
/*
 * db against a server that dies, hangs and comes back.  The checker: every row
 * is answered once; what was answered DB_OK is in the table once; nothing was
 * written twice or out of order.
 */
#include <stdlib.h>

#include "db/db.h"
#include "loop.h"
#include "pg.h"
#include "tap.h"

#define ROWS 6000
#define OUTSTANDING 256

static PGconn *psql;
static struct db *d;
static int ups, downs, notes;
static char note[32];

/* A load: rows of rising k, so many at a time. */
static struct row {
	struct id id;
	int answers;
	enum db_status status;
} rows[ROWS];
static size_t put, last, answered, good, reads, reads_good;

static void
on_state(void *arg, bool up)
{
	(void)arg;
	*(up ? &ups : &downs) += 1;
}

static void
on_notify(void *arg, const char *payload)
{
	(void)arg;
	notes++;
	str_copy(note, payload, sizeof(note));
}

static void
open_db(int64_t deadline_ms)
{
	static const char *const channels[] = { "linnet_second", "linnet_test",
		NULL };
	struct db_config c = {
		.conninfo = pg.conninfo,
		.name = "linnet test",
		.deadline_ms = deadline_ms,
		.batch_max = 100,
		.queue_max = 10000,
		.listen = channels,
		.notify = on_notify,
		.state = on_state,
	};

	ups = downs = 0;
	d = db_open(loop, &c);
}

static void put_row(void);

static void
on_row(void *arg, const struct db_result *r)
{
	struct row *row = arg;

	row->answers++;
	row->status = db_status(r);
	answered++;
	good += row->status == DB_OK;
	if (put < last)
		put_row();
}

static void
put_row(void)
{
	struct row *row = &rows[put];
	struct db_params *p = db_row(d, STMT_item_put, on_row, row);

	id_new(&row->id);
	db_put_id(p, &row->id);
	db_put_int(p, 1000 + (int64_t)put++);
	db_put_str(p, "body");
	db_put_bytes(p, NULL, 0);
	db_put_time(p, clock_wall());
}

static void
on_read(void *arg, const struct db_result *r)
{
	(void)arg;
	reads++;
	reads_good +=
	    db_status(r) == DB_OK && db_rows(r) == 3 && db_int(r, 2, 0) == 3;
}

static void
read_rows(void)
{
	struct db_params *p = db_params(STMT_series);

	db_put_int(p, 3);
	db_query(d, p, on_read, NULL);
}

static void
start_load(void)
{
	size_t i;

	memset(rows, 0, sizeof(rows));
	put = answered = good = reads = reads_good = 0;
	last = ROWS;
	pg_number(psql, "truncate item cascade");
	for (i = 0; i < OUTSTANDING; i++)
		put_row();
	db_flush(d);
}

/* Counts rows that were answered DB_OK and are there, each by its id. */
static size_t
stored(void)
{
	const char *value;
	char hex[ID_HEX_LEN + 1];
	PGresult *res;
	size_t i, n = 0;

	for (i = 0; i < ROWS; i++) {
		if (rows[i].status != DB_OK || rows[i].answers == 0)
			continue;
		value = id_hex(&rows[i].id, hex);
		res = PQexecPrepared(psql, "there", 1, &value, NULL, NULL, 0);
		n += PQntuples(res) == 1;
		PQclear(res);
	}
	return n;
}

static void
reconnect_psql(void)
{
	PQfinish(psql);
	do {
		psql = pg_connect();
		if (psql == NULL)
			pg_pause();
	} while (psql == NULL);
	PQclear(PQprepare(
	    psql, "there", "select 1 from item where id = $1", 1, NULL));
}

static void
check_load(const char *what)
{
	size_t i, once = 0;

	for (i = 0; i < put; i++)
		once += rows[i].answers == 1;
	is_int(once, put, "%s: each row is answered once", what);
	is_int(stored(), good, "%s: what is acknowledged is stored", what);
	is_int(pg_number(psql,
		   "select count(*) from (select k - lag(k) over (order by ord)"
		   " as step from item) s where step < 1"),
	    0, "%s: in order, nothing twice", what);
}

/*
 * The connection dies, in mid-load.
 */
static void
terminate_backend(void)
{
	until(pg_number(psql,
		  "select count(pg_terminate_backend(pid)) from"
		  " pg_stat_activity where application_name = 'linnet test'") ==
	      1);
}

static pid_t
backend(void)
{
	return (pid_t)pg_number(psql,
	    "select pid from pg_stat_activity"
	    " where application_name = 'linnet test'");
}

/* Which makes the server end all others as well: when it has ended ours it
 * takes no new one until it is well again. */
static void
kill_backend(void)
{
	if (!until(pg_signal(backend(), SIGKILL)))
		fatalx("no backend to kill");
	while (PQstatus(psql) == CONNECTION_OK)
		PQclear(PQexec(psql, "select 1"));
	reconnect_psql();
}

static void
crash_server(void)
{
	pg_down(SIGKILL);
	pg_up();
	reconnect_psql();
}

static void
restart_server(void)
{
	pg_down(SIGINT);
	pg_up();
	reconnect_psql();
}

static const struct {
	const char *what;
	void (*run)(void);
	int times;
} deaths[] = {
	{ "pg_terminate_backend", terminate_backend, 10 },
	{ "kill -9 of the backend", kill_backend, 3 },
	{ "kill -9 of the postmaster", crash_server, 3 },
	{ "fast restart", restart_server, 2 },
};

static void
test_deaths(void)
{
	size_t i, step;
	int k, before;

	for (i = 0; i < NELEM(deaths); i++) {
		start_load();
		before = ups;
		step = ROWS / (size_t)(deaths[i].times + 1);
		for (k = 1; k <= deaths[i].times; k++) {
			/* At any point of a transaction. */
			until(answered >= (size_t)k * step && db_up(d));
			read_rows();
			loop_turn();
			deaths[i].run();
		}
		ok(until(answered == ROWS && db_waiting(d) == 0),
		    "%s: all is answered", deaths[i].what);
		is_int(good, ROWS, "%s: all rows are good", deaths[i].what);
		ok(reads == (size_t)k - 1 && reads_good == reads,
		    "%s: reads are asked again", deaths[i].what);
		ok(ups - before >= deaths[i].times,
		    "%s: connected again each time", deaths[i].what);
		check_load(deaths[i].what);
	}
}

/*
 * The server hangs.
 */
static void
test_stopped(void)
{
	int64_t start;
	size_t was_good;

	start_load();
	read_rows();
	until(answered > 1000);
	pg_signal_all(SIGSTOP);
	start = clock_usec();
	read_rows();
	ok(until(answered == ROWS || good < answered),
	    "stopped: the first row is given up");
	ok(clock_usec() - start < 2000000, "stopped: in its time");
	until(reads == 2);
	was_good = good;
	pg_signal_all(SIGCONT);
	ok(until(good > was_good), "continued: rows are good again");
	printf("# %d ms after the start of the stop\n",
	    (int)((clock_usec() - start) / 1000));
	ok(until(answered == ROWS && db_waiting(d) == 0),
	    "continued: all is answered");
	ok(reads_good < reads, "stopped: a read is given up");
	read_rows();
	ok(until(reads == 3), "continued: a read");
	check_load("stopped");
}

/* One backend hangs, in the midst of a transaction, and goes on hanging:
 * another one is found.  It waits for a row when it is stopped, so that it
 * holds nothing that the whole server needs. */
static void
test_stuck(void)
{
	PGconn *other = pg_connect();
	int before = ups;
	pid_t pid;

	memset(rows, 0, sizeof(rows));
	put = last = answered = good = 0;
	put_row();
	put_row();
	pg_number(other, "begin; lock table item");
	db_flush(d);
	until(pg_number(psql, "select count(*) from pg_stat_activity"
			      " where wait_event_type = 'Lock'") == 1);
	pid = backend();
	pg_signal(pid, SIGSTOP);
	pg_number(other, "rollback");
	ok(until(answered == 2) && good == 0, "stuck: the rows are given up");
	ok(until(ups == before + 1), "stuck: another backend is found");
	put_row();
	db_flush(d);
	ok(until(answered == 3) && good == 1, "stuck: the next row is good");
	pg_signal(pid, SIGCONT);
	ok(until(
	       pg_number(psql, "select count(*) from pg_stat_activity"
			       " where application_name = 'linnet test'") == 1),
	    "stuck: its work done, it goes away");
	PQfinish(other);
}

/*
 * LISTEN.
 */
static void
notify(const char *payload)
{
	struct db_params *p = db_params(STMT_notify);

	db_put_str(p, payload);
	db_query(d, p, NULL, NULL);
}

static void
test_listen(void)
{
	notes = 0;
	notify("one");
	ok(until(notes == 1), "a notification");
	is_str(note, "one", "with its payload");
	pg_number(psql, "notify linnet_test, 'two'");
	ok(until(notes == 2), "from elsewhere");
	pg_number(psql, "notify linnet_other, 'no'");
	terminate_backend();
	ok(until(downs == 1 && ups == 2), "lost, and connected again");
	notify("three");
	ok(until(notes == 3), "it listens again");
	is_str(note, "three", "with the payload");
	pg_number(psql, "notify linnet_second, 'four'");
	ok(until(notes == 4), "on every channel");
}

/*
 * No server at first.
 */
static void
test_late(void)
{
	struct row row = { .answers = 0 };
	struct db_params *p;

	db_close(d);
	pg_down(SIGINT);
	put = last = answered = 0;
	open_db(20000);
	p = db_row(d, STMT_item_put, on_row, &row);
	id_new(&row.id);
	db_put_id(p, &row.id);
	db_put_int(p, 1);
	db_put_null(p);
	db_put_null(p);
	db_put_null(p);
	db_flush(d);
	loop_turn();
	pg_up();
	ok(until(row.answers == 1) && row.status == DB_OK,
	    "a server that starts later");
	ok(ups == 1 && downs == 0, "is up once");
	reconnect_psql();
}

/* The schema the test needs. */
static void
migrate(void)
{
	struct db_sync *s;
	char *error;

	s = db_sync_open(pg.conninfo, 10000, &error);
	if (s == NULL)
		fatalx("%s", error);
	if (db_migrate(s) < 0)
		fatalx("%s", db_sync_error(s));
	db_sync_close(s);
}

int
main(void)
{
	log_start("db_fault", LOG_ERROR);
	crypto_start();
	if (!pg_start()) {
		ok(true, "skipped: no PostgreSQL");
		return tap_done();
	}
	migrate();
	reconnect_psql();
	loop_start();
	open_db(20000);
	ok(until(db_up(d)), "up");
	test_listen();
	test_deaths();
	db_close(d);
	open_db(300);
	ok(until(db_up(d)), "up");
	test_stopped();
	test_stuck();
	test_late();
	db_close(d);
	loop_stop();
	PQfinish(psql);
	return tap_done();
}
