/* SPDX-License-Identifier: ISC */
/*
 * db against a server that is well: the generators, migrations, every type,
 * errors, batches, deadlines and limits.  What happens when the server is not
 * well is in db_fault.c.
 */
#include <stdlib.h>

#include "db/db.h"
#include "loop.h"
#include "pg.h"
#include "tap.h"

static PGconn *psql;
static struct db *d;

/* What an answer said, by hand of its callback. */
struct answer {
	int count;
	enum db_status status;
	char sqlstate[6];
	size_t rows;
	int64_t number; /* column 0 of the first row, if it is one */
	char text[64];	/* column 0 of all rows */
};

static void
take(void *arg, const struct db_result *r)
{
	struct answer *a = arg;

	a->count++;
	a->status = db_status(r);
	a->rows = db_rows(r);
	str_copy(a->sqlstate, db_sqlstate(r), sizeof(a->sqlstate));
}

static void
take_number(void *arg, const struct db_result *r)
{
	struct answer *a = arg;

	take(arg, r);
	a->number = db_rows(r) > 0 ? db_int(r, 0, 0) : -1;
}

static void
take_text(void *arg, const struct db_result *r)
{
	struct answer *a = arg;
	struct slice s;
	size_t i, n = 0;

	take(arg, r);
	a->text[0] = '\0';
	for (i = 0; i < db_rows(r); i++) {
		s = db_text(r, i, 0);
		n += (size_t)snprintf(a->text + n, sizeof(a->text) - n,
		    SLICE_FMT " ", SLICE_ARG(s));
	}
}

static struct db *
open_db(int64_t deadline_ms, size_t batch_max, size_t queue_max)
{
	struct db_config c = {
		.conninfo = pg.conninfo,
		.name = "linnet test",
		.deadline_ms = deadline_ms,
		.batch_max = batch_max,
		.queue_max = queue_max,
	};
	return db_open(loop, &c);
}

/* An ordinary statement with one number. */
static void
ask_int(enum db_stmt stmt, int64_t v, db_fn *fn, struct answer *a)
{
	struct db_params *p = db_params(stmt);

	db_put_int(p, v);
	db_query(d, p, fn, a);
}

/*
 * The generators.
 */
static const struct {
	const char *input;
	const char *want; /* in what it prints, with a failure when it is not
			   * a row */
	bool good;
} generated[] = {
	{ "-- name: a\nselect $1::uuid, $2::text[];\n", "STMT(a, 2, 0, \"uT\",",
	    true },
	{ "-- name: a\nselect $1, $1::int8, '$2';\n", "STMT(a, 1, 0, \"l\",",
	    true },
	{ "-- name: a\nselect 1 -- $1\n", "STMT(a, 0, 0, \"\",", true },
	{ "-- name: a\nselect '\\\"\t?';\n", "'\\\\\\\"\\t\\?'", true },
	{ "-- name: a batch 2\nselect $1::int4[], $2::bool[]\n",
	    "STMT(a, 2, 2, \"ib\",", true },
	{ "-- name: a warm\nselect $1::uuid;\n", "STMT(a, 1, 0, \"u\", 1,",
	    true },
	{ "-- name: a batch 1 warm\nselect $1::int4[];\n",
	    "STMT(a, 1, 1, \"i\", 1,", true },
	{ "-- name: a batch 1\nselect $1::int4[];\n", "STMT(a, 1, 1, \"i\", 0,",
	    true },
	{ "-- name: a warm 1\nselect 1;\n", "expected", false },
	{ "-- name: a\nselect $1;\n", "$1 has no cast", false },
	{ "-- name: a\nselect $2::int8;\n", "$1 has no cast", false },
	{ "-- name: a\nselect $1::int8, $1::text;\n", "is int8 here", false },
	{ "-- name: a\nselect $1::inet;\n", "unknown type inet", false },
	{ "-- name: a\nselect $1::uuid[];\n", "unknown type", false },
	{ "-- name: a batch 1\nselect $1::int4;\n", "is no array", false },
	{ "-- name: a batch 1\nselect $1::text[];\n", "is the ordinal", false },
	{ "-- name: a batch 1\nselect $1::int4[], $2::uuid[];\n",
	    "$2 is the ordinal", false },
	{ "-- name: a batch 3\nselect $1::int4[];\n", "fewer parameters",
	    false },
	{ "-- name: a bath 3\nselect $1::int4[];\n", "expected", false },
	{ "-- name: a\nselect 1;\n-- name: a\nselect 2;\n", "second", false },
	{ "-- name: A\nselect 1;\n", "a name is", false },
	{ "-- name: a\n", "no statement", false },
	{ "-- name: a\nselect 'x;\n", "without an end", false },
	{ "-- name: a\nselect 1; select 2;\n", "after the semicolon", false },
	{ "-- name: a\nselect $$x$$;\n", "for parameters only", false },
	{ "select 1;\n", "without a name", false },
};

static void
test_generator(void)
{
	const char *srcdir = getenv("srcdir");
	char command[512], path[64], out[2048];
	size_t i, n;
	FILE *f;
	int status;

	snprintf(path, sizeof(path), "/tmp/linnet-stmts-%d", (int)getpid());
	snprintf(command, sizeof(command),
	    "awk -f %s/sql/quote.awk -f %s/sql/stmts.awk %s 2>&1",
	    srcdir != NULL ? srcdir : ".", srcdir != NULL ? srcdir : ".", path);
	for (i = 0; i < NELEM(generated); i++) {
		f = fopen(path, "w");
		if (f == NULL || fputs(generated[i].input, f) < 0 ||
		    fclose(f) != 0)
			fatal("%s", path);
		f = popen(command, "r");
		if (f == NULL)
			fatal("awk");
		n = fread(out, 1, sizeof(out) - 1, f);
		out[n] = '\0';
		status = pclose(f);
		ok((status == 0) == generated[i].good &&
			strstr(out, generated[i].want) != NULL,
		    "generator: %s", generated[i].want);
	}
	unlink(path);
}

/*
 * Migrations.
 */
static void
fresh_schema(void)
{
	pg_number(psql, "drop schema public cascade; create schema public");
}

/* In a process of its own: the exit status is what db_migrate() says. */
static pid_t
migrate_elsewhere(void)
{
	struct db_sync *s;
	char *error;
	pid_t pid = fork();
	int n;

	if (pid != 0)
		return pid;
	s = db_sync_open(pg.conninfo, 10000, &error);
	n = s != NULL ? db_migrate(s) : -1;
	db_sync_close(s);
	free(error);
	_exit(n >= 0 ? n : 99);
}

static void
test_migrate_together(void)
{
	pid_t pids[4];
	int i, status, applied = 0;

	fresh_schema();
	for (i = 0; i < 4; i++)
		pids[i] = migrate_elsewhere();
	for (i = 0; i < 4; i++) {
		waitpid(pids[i], &status, 0);
		applied += WIFEXITED(status) ? WEXITSTATUS(status) : 100;
	}
	is_int(applied, 2, "four that start together migrate once");
}

static void
test_migrate(void)
{
	struct db_sync *s;
	char *error;

	s = db_sync_open("host=/nonexistent", 200, &error);
	ok(s == NULL && error != NULL && strchr(error, '\n') == NULL,
	    "no server: a sentence");
	free(error);
	s = db_sync_open(pg.conninfo, 10000, &error);
	if (s == NULL)
		fatalx("%s", error);
	is_int(db_migrate_wanted(), 2, "the program's version");
	is_int(db_migrate_present(s), -1, "no schema yet");

	/* The second migration cannot make what is there. */
	pg_number(psql, "create table late (x int)");
	is_int(db_migrate(s), -1, "a migration fails");
	ok(strstr(db_sync_error(s), "late") != NULL, "and says of what: %s",
	    db_sync_error(s));
	is_int(db_migrate_present(s), 1, "the one before stays");
	pg_number(psql, "drop table late");
	is_int(db_migrate(s), 1, "the rest is applied later");
	is_int(db_migrate_present(s), 2, "all is there");
	is_int(db_migrate(s), 0, "nothing is left to do");
	is_int(pg_number(psql,
		   "insert into note default values;"
		   "select count(*) from note where text = E'\\\\\"?'"),
	    1, "SQL goes through the generator as it is");

	pg_number(psql, "insert into schema_version values (99, 'future', 3)");
	is_int(db_migrate(s), -1, "a newer schema is refused");
	ok(strstr(db_sync_error(s), "99") != NULL, "and says so: %s",
	    db_sync_error(s));
	pg_number(psql,
	    "update schema_version set compatible = 2 where version = 99");
	is_int(db_migrate(s), 0, "one that this program may run on is not");
	is_int(db_migrate_present(s), 99, "nor is it changed");
	pg_number(psql, "delete from schema_version where version = 99");
	is_int(db_migrate(s), 0, "the lock was released");
	db_sync_close(s);
	test_migrate_together();
}

static void
test_sync(void)
{
	struct answer a = { 0 };
	struct db_params *p;
	struct db_sync *s;
	char *error;

	s = db_sync_open(pg.conninfo, 10000, &error);
	if (s == NULL)
		fatalx("%s", error);
	p = db_params(STMT_series);
	db_put_int(p, 3);
	is_int(db_sync_query(s, p, take_number, &a), DB_OK, "sync: a query");
	ok(a.count == 1 && a.rows == 3 && a.number == 1, "sync: its rows");
	is_int(db_sync_begin(s), 0, "sync: begin");
	p = db_params(STMT_divide);
	db_put_int(p, 0);
	is_int(db_sync_query(s, p, take, &a), DB_ERROR, "sync: an error");
	is_str(a.sqlstate, "22012", "sync: its state");
	is_str(db_sync_error(s), "ERROR:  division by zero", "sync: its text");
	is_int(db_sync_commit(s), -1, "sync: no commit of what failed");
	is_int(db_sync_begin(s), 0, "sync: begin again");
	db_sync_rollback(s);
	db_sync_close(s);
}

/*
 * Types.
 */
static const struct type_case {
	const char *name;
	int64_t i8, i4, i2, ms;
	const char *text, *json;
	size_t blob;
	size_t texts;
} type_cases[] = {
	{ "usual", 1, 2, 3, 1763690000123, "text", "{\"a\": 1}", 3, 2 },
	{ "largest", INT64_MAX, INT32_MAX, INT16_MAX, 253402300799999,
	    "\xf0\x9f\x90\xa6", "[]", 100000, 3 },
	{ "least", INT64_MIN, INT32_MIN, INT16_MIN, -62135596800000, "", "null",
	    0, 0 },
	{ "before 2000", -1, -1, -1, 946684799999, "\"\\{},", "\"\\u0041\"", 1,
	    1 },
	{ "before 1970", 0, 0, 0, -1, "NULL", "0", 1, 1 },
};
static const struct slice type_texts[3] = { { "a,\"b\\", 5 }, { "", 0 },
	{ "NULL", 4 } };

static void
check_types(void *arg, const struct db_result *r)
{
	const struct type_case *t = arg;
	struct slice v[3], s;
	struct id id;
	size_t i, n;

	if (!ok(db_status(r) == DB_OK && db_rows(r) == 1, "%s: answered %s",
		t->name, db_sqlstate(r)))
		return;
	db_id(r, 0, 0, &id);
	ok(id.b[0] == 0xff && id.b[15] == 0x01, "%s: uuid", t->name);
	is_int(db_int(r, 0, 1), t->i8, "%s: int8", t->name);
	is_int(db_int(r, 0, 2), t->i4, "%s: int4", t->name);
	is_int(db_int(r, 0, 3), t->i2, "%s: int2", t->name);
	is_int(db_bool(r, 0, 4), t->i2 > 0, "%s: bool", t->name);
	s = db_text(r, 0, 5);
	ok(s.n == strlen(t->text) && memcmp(s.p, t->text, s.n) == 0, "%s: text",
	    t->name);
	s = db_bytes(r, 0, 6);
	ok(s.n == t->blob && !db_null(r, 0, 6), "%s: bytea", t->name);
	is_int(db_time(r, 0, 7), t->ms, "%s: timestamptz", t->name);
	s = db_text(r, 0, 8);
	ok(s.n == strlen(t->json) && memcmp(s.p, t->json, s.n) == 0, "%s: json",
	    t->name);
	ok(db_text(r, 0, 9).p[0] == (t->json[1] == '\\' ? '"' : t->json[0]),
	    "%s: jsonb", t->name);
	is_int(db_int(r, 0, 10), t->i4, "%s: float8", t->name);
	n = db_texts(r, 0, 11, v, 2);
	is_int(n, t->texts, "%s: text[]", t->name);
	for (i = 0; i < n && i < 2; i++)
		ok(v[i].n == type_texts[i].n &&
			memcmp(v[i].p, type_texts[i].p, v[i].n) == 0,
		    "%s: text[] element %zu", t->name, i);
}

/* In the order of `types`, and of `types_batch` but for its last. */
static void
put_types(struct db_params *p, const struct type_case *t, const char *blob)
{
	static const struct id id = { .b = { [0] = 0xff, [15] = 0x01 } };

	db_put_id(p, &id);
	db_put_int(p, t->i8);
	db_put_int(p, t->i4);
	db_put_int(p, t->i2);
	db_put_bool(p, t->i2 > 0);
	db_put_str(p, t->text);
	db_put_bytes(p, blob, t->blob);
	db_put_time(p, t->ms);
	db_put_str(p, t->json);
	db_put_str(p, t->json);
	db_put_int(p, t->i4);
}

static void
check_nulls(void *arg, const struct db_result *r)
{
	bool *all = arg;
	unsigned i;
	struct id id;

	*all = db_rows(r) == 1;
	for (i = 0; *all && i < 11; i++)
		*all = db_null(r, 0, i);
	db_id(r, 0, 0, &id);
	*all = *all && id_is_null(&id) && db_int(r, 0, 1) == 0 &&
	       !db_bool(r, 0, 4) && db_text(r, 0, 5).p == NULL &&
	       db_time(r, 0, 7) == 0;
}

static void
put_nulls(struct db_params *p)
{
	db_put_id(p, NULL);
	db_put_null(p);
	db_put_null(p);
	db_put_null(p);
	db_put_null(p);
	db_put_str(p, NULL);
	db_put_bytes(p, NULL, 0);
	db_put_time(p, 0);
	db_put_text(p, NULL, 0);
	db_put_null(p);
	db_put_null(p);
}

static void
check_tags(void *arg, const struct db_result *r)
{
	struct slice v[3];
	size_t i, *good = arg;

	if (db_rows(r) != 1 || db_texts(r, 0, 0, v, 3) != 3)
		return;
	for (i = 0; i < 3; i++)
		*good += v[i].n == type_texts[i].n &&
			 memcmp(v[i].p, type_texts[i].p, v[i].n) == 0;
}

static void
test_types(void)
{
	char *blob = xcalloc(1, 100000);
	bool nulls = false, row_nulls = false;
	size_t i, tags = 0;
	struct db_params *p;

	for (i = 0; i < NELEM(type_cases); i++) {
		p = db_params(STMT_types);
		put_types(p, &type_cases[i], blob);
		db_put_texts(p, type_texts, type_cases[i].texts);
		db_query(d, p, check_types, (void *)&type_cases[i]);
	}
	p = db_params(STMT_types);
	put_nulls(p);
	db_put_null(p);
	db_query(d, p, check_nulls, &nulls);
	ok(until(db_waiting(d) == 0) && nulls, "nulls");

	put_nulls(db_row(d, STMT_types_batch, check_nulls, &row_nulls));
	for (i = 0; i < NELEM(type_cases); i++)
		put_types(db_row(d, STMT_types_batch, NULL, NULL),
		    &type_cases[i], blob);
	p = db_row(d, STMT_tags, check_tags, &tags);
	db_put_texts(p, type_texts, 3);
	db_flush(d);
	ok(until(db_waiting(d) == 0) && row_nulls, "nulls in arrays");
	is_int(tags, 3, "text[] in the syntax of arrays");
	free(blob);
}

/*
 * Errors, each alone.
 */
static void
test_errors(void)
{
	struct answer a = { 0 }, b = { 0 }, c = { 0 }, e = { 0 };
	struct db_params *p;

	ask_int(STMT_divide, 1, take_number, &a);
	ask_int(STMT_divide, 0, take, &b);
	ask_int(STMT_divide, -1, take_number, &c);
	ask_int(STMT_divide, INT64_C(1) << 32, take, &e);
	is_int(a.count, 0, "no callback from within the call");
	ok(until(db_waiting(d) == 0), "all are answered");
	ok(a.count == 1 && a.status == DB_OK && a.number == 1, "one is good");
	ok(b.count == 1 && b.status == DB_ERROR, "one fails");
	is_str(b.sqlstate, "22012", "with its state");
	ok(c.count == 1 && c.status == DB_OK && c.number == -1,
	    "the one after it is good");
	is_str(e.sqlstate, "22P03", "a number out of range is an error");

	p = db_params(STMT_quoted);
	db_put_text(p, "x\0y", 3);
	db_query(d, p, take, &a);
	p = db_params(STMT_quoted);
	db_put_str(p, "x");
	db_query(d, p, take_text, &b);
	ok(until(db_waiting(d) == 0), "all are answered");
	is_str(a.sqlstate, "22021", "a NUL in a text");
	is_str(b.text, "$1; -- \"\\x ", "quotes go through");
}

/*
 * Batches.
 */
static struct db_params *
fill_item(struct db_params *p, struct id *id, int64_t k)
{
	db_put_id(p, id);
	db_put_int(p, k);
	db_put_str(p, k % 7 == 0 ? NULL : "body");
	db_put_bytes(p, "\0\1", 2);
	db_put_time(p, clock_wall());
	return p;
}

static struct db_params *
put_item(struct id *id, int64_t k, db_fn *fn, struct answer *a)
{
	return fill_item(db_row(d, STMT_item_put, fn, a), id, k);
}

#define MANY 10000

static void
test_many(void)
{
	struct answer *a = xcalloc(MANY, sizeof(*a));
	size_t i, good = 0;
	struct id id;

	for (i = 0; i < MANY; i++) {
		id_new(&id);
		put_item(&id, 1000 + (int64_t)i, take_number, &a[i]);
	}
	is_int(db_waiting(d), MANY, "all wait");
	db_flush(d);
	ok(until(db_waiting(d) == 0), "%d rows are answered", MANY);
	for (i = 0; i < MANY; i++)
		good += a[i].count == 1 && a[i].status == DB_OK &&
			a[i].rows == 1 && a[i].number == 1000 + (int64_t)i;
	is_int(good, MANY, "each once, with its own row");
	is_int(pg_number(psql, "select count(*) from item"), MANY, "all there");
	is_int(pg_number(psql,
		   "select count(*) from (select k - lag(k) over (order by ord)"
		   " as step from item) s where step <> 1"),
	    0, "in their order");
	free(a);
}

static void
test_poison(void)
{
	struct answer a[100] = { { 0 } };
	size_t i, good = 0;
	struct id id;

	pg_number(psql, "truncate item cascade");
	for (i = 0; i < 100; i++) {
		id_new(&id);
		put_item(&id, i == 37 ? 666 : (int64_t)i, take, &a[i]);
	}
	db_flush(d);
	ok(until(db_waiting(d) == 0), "a batch with a bad row is answered");
	for (i = 0; i < 100; i++)
		good += a[i].count == 1 && a[i].status == DB_OK;
	is_int(good, 99, "99 are good");
	ok(a[37].count == 1 && a[37].status == DB_ERROR, "one is not");
	is_str(a[37].sqlstate, "23514", "and knows why");
	is_int(pg_number(psql, "select count(*) from item"), 99, "99 there");
	is_int(pg_number(psql,
		   "select count(*) from (select k - lag(k) over (order by ord)"
		   " as step from item) s where step < 1"),
	    0, "in their order");
}

/* Statements of one transaction: the parent is written first, whatever came
 * first; and what breaks at the commit is found too. */
static void
test_statements(void)
{
	struct answer child = { 0 }, item = { 0 }, late[3] = { { 0 } };
	struct db_params *p;
	struct id id;
	int i;

	id_new(&id);
	p = db_row(d, STMT_child_put, take, &child);
	db_put_id(p, &id);
	db_put_str(p, "child");
	put_item(&id, 1, take, &item);
	for (i = 0; i < 3; i++) {
		p = db_row(d, STMT_late_put, take, &late[i]);
		db_put_int(p, i == 1 ? 0 : i);
	}
	db_flush(d);
	ok(until(db_waiting(d) == 0), "a mixed batch is answered");
	ok(child.status == DB_OK && item.status == DB_OK,
	    "the order of statements holds, even in halves");
	is_int(child.rows, 0, "a statement without rows in its answer");
	ok(late[0].status == DB_OK && late[2].status == DB_OK,
	    "the good ones are committed");
	ok(late[1].status == DB_ERROR && late[1].count == 1 &&
		strcmp(late[1].sqlstate, "23505") == 0,
	    "an error of the commit finds its row");
}

/* The transactions that the items came in. */
static void
test_patient(void)
{
	struct answer a[4] = { { 0 } };
	struct id id;
	int i;

	pg_number(psql, "truncate item cascade");
	for (i = 0; i < 3; i++) {
		id_new(&id);
		fill_item(
		    db_row_patient(d, STMT_item_put, take, &a[i]), &id, i);
		db_flush(d);
	}
	ok(until(db_waiting(d) == 0), "patient rows are answered");
	ok(a[0].status == DB_OK && a[2].status == DB_OK, "and written");
	is_int(pg_number(psql, "select count(distinct xmin::text) from item"),
	    1, "in one transaction, though each was flushed");
	id_new(&id);
	fill_item(db_row_patient(d, STMT_item_put, take, &a[0]), &id, 10);
	db_flush(d);
	id_new(&id);
	put_item(&id, 11, take, &a[1]);
	db_flush(d);
	ok(until(db_waiting(d) == 0), "a row that cannot wait is answered");
	is_int(pg_number(psql, "select count(distinct xmin::text) from item"),
	    2, "and takes along what was waiting");
}

static void
test_groups(void)
{
	struct answer a[3] = { { 0 } };
	struct db_params *p;

	p = db_row(d, STMT_parts, take_text, &a[0]);
	db_put_str(p, "a");
	db_more(p);
	db_put_str(p, "1");
	db_more(p);
	db_put_str(p, "2");
	p = db_row(d, STMT_parts, take_text, &a[1]);
	db_put_str(p, "b");
	p = db_row(d, STMT_parts, take_text, &a[2]);
	db_put_str(p, "c");
	db_more(p);
	db_put_str(p, "3");
	db_flush(d);
	ok(until(db_waiting(d) == 0), "rows with rows of their own");
	is_str(a[0].text, "a2 a1 ", "two, in the order of the answer");
	ok(a[1].count == 1 && a[1].rows == 0, "none");
	is_str(a[2].text, "c3 ", "one");

	p = db_row(d, STMT_parts, take_text, &a[1]);
	db_put_str(p, "b");
	db_flush(d);
	ok(until(db_waiting(d) == 0) && a[1].status == DB_OK,
	    "no rows in the second group at all");
}

/* A row that is put from within a callback is in the next batch. */
static struct answer chained;
static int links;

static void
chain(void *arg, const struct db_result *r)
{
	struct id id;

	take(arg, r);
	if (++links < 20) {
		id_new(&id);
		put_item(&id, 5000 + links, chain, &chained);
		db_flush(d);
	}
}

static void
test_chain(void)
{
	struct id id;

	id_new(&id);
	put_item(&id, 5000, chain, &chained);
	db_flush(d);
	ok(until(links == 20), "a callback may put the next row");
	ok(until(db_waiting(d) == 0), "and nothing is left over");
}

/* Errors that are nobody's fault: the first tries fail, for a reason that goes
 * by itself or with another connection. */
static void
test_races(void)
{
	static const char *const states[] = { "40001", "40P01", "25006",
		"0A000" };
	char sql[512];
	struct answer row, query;
	struct db_params *p;
	struct id id;
	size_t i;

	for (i = 0; i < NELEM(states); i++) {
		snprintf(sql, sizeof(sql),
		    "create sequence tries;"
		    "create function try() returns trigger language plpgsql as"
		    " $$ begin if nextval('tries') < 4 then"
		    " raise exception 'not now' using errcode = '%s';"
		    " end if; return new; end $$;"
		    "create trigger try before insert on item"
		    " for each row execute function try()",
		    states[i]);
		is_int(pg_number(psql, sql), 0, "%s: prepared", states[i]);
		memset(&row, 0, sizeof(row));
		memset(&query, 0, sizeof(query));
		id_new(&id);
		put_item(&id, 1, take, &row);
		db_flush(d);
		p = db_params(STMT_item_add);
		id_new(&id);
		db_put_id(p, &id);
		db_query(d, p, take, &query);
		ok(until(db_waiting(d) == 0), "%s: answered", states[i]);
		ok(row.count == 1 && row.status == DB_OK, "%s: the row is good",
		    states[i]);
		ok(query.count == 1 && query.status == DB_OK,
		    "%s: the query is good", states[i]);
		pg_number(
		    psql, "drop function try cascade; drop sequence tries");
	}
}

/* What is wrong with the server is not looked for in the rows. */
static void
test_cancel(void)
{
	struct answer a = { 0 }, b = { 0 };
	struct id id = { .b = { 9 } };
	PGconn *other = pg_connect();

	pg_number(other, "begin; insert into item (id, k) values"
			 " ('09000000-0000-0000-0000-000000000000', 1)");
	put_item(&id, 1, take, &a);
	id_new(&id);
	put_item(&id, 2, take, &b);
	db_flush(d);
	until(pg_number(psql,
		  "select count(pg_cancel_backend(pid)) from pg_stat_activity"
		  " where wait_event_type = 'Lock'") == 1);
	ok(until(db_waiting(d) == 0), "a cancelled batch is answered");
	ok(a.status == DB_ERROR && b.status == DB_ERROR &&
		strcmp(b.sqlstate, "57014") == 0,
	    "all its rows with the error");
	PQfinish(other);
}

/*
 * Limits.
 */
static void
test_deadline(void)
{
	struct answer a = { 0 }, b = { 0 }, c = { 0 };
	struct id id;

	db_close(d);
	d = open_db(1000, 256, 3);
	ask_int(STMT_series, 1, take_number, &c);
	ok(until(c.count == 1) && c.status == DB_OK, "asked before it was up");
	ask_int(STMT_wait, 1200, take, &a);
	id_new(&id);
	put_item(&id, 1, take, &b);
	ok(until(a.count == 1) && a.status == DB_UNAVAILABLE,
	    "a query past its deadline");
	ok(b.count == 1 && b.status == DB_UNAVAILABLE,
	    "a row that was never flushed");
	c.count = 0;
	ask_int(STMT_series, 1, take_number, &c);
	ok(until(c.count == 1) && c.status == DB_OK, "the next one is good");
	is_int(a.count, 1, "the late answer is nobody's");
}

static void
test_full(void)
{
	struct answer a[5] = { { 0 } };
	struct id id;
	int i;

	for (i = 0; i < 3; i++)
		ask_int(STMT_wait, 50, take, &a[i]);
	ask_int(STMT_wait, 0, take, &a[3]);
	id_new(&id);
	put_item(&id, 7, take, &a[4]);
	is_int(a[3].count + a[4].count, 0, "not from within the call");
	is_int(db_waiting(d), 3, "three wait");
	ok(until(a[3].count == 1 && a[4].count == 1), "the fourth is refused");
	ok(a[3].status == DB_UNAVAILABLE && a[4].status == DB_UNAVAILABLE &&
		a[0].count == 0,
	    "at once");
	ok(until(db_waiting(d) == 0) && a[0].status == DB_OK &&
		a[2].status == DB_OK,
	    "the three are answered");
}

static void
ask_again(void *arg, const struct db_result *r)
{
	take(arg, r);
	ask_int(STMT_wait, 1000, take, &chained);
}

static void
test_close(void)
{
	struct answer a = { 0 }, b = { 0 }, c = { 0 };
	struct id id;

	chained.count = 0;
	ask_int(STMT_wait, 1000, ask_again, &a);
	id_new(&id);
	put_item(&id, 8, take, &b);
	db_flush(d);
	id_new(&id);
	put_item(&id, 9, take, &c);
	db_close(d);
	ok(a.count == 1 && b.count == 1 && c.count == 1 && chained.count == 1 &&
		a.status == DB_UNAVAILABLE && b.status == DB_UNAVAILABLE &&
		chained.status == DB_UNAVAILABLE,
	    "closing fails what waits, and what is asked then");
	d = open_db(300, 256, 10);
	db_close(d);
	d = open_db(300, 256, 10);
	loop_turn();
	db_close(d);
	ok(true, "closed before it was up");
}

int
main(void)
{
	log_start("db", LOG_ERROR);
	crypto_start();
	test_generator();
	if (!pg_start()) {
		ok(true, "skipped: no PostgreSQL");
		return tap_done();
	}
	psql = pg_connect();
	loop_start();
	test_migrate();
	test_sync();
	d = open_db(10000, 256, 2 * MANY);
	ok(until(db_up(d)), "up");
	test_types();
	test_errors();
	test_many();
	test_poison();
	test_patient();
	test_statements();
	test_groups();
	test_chain();
	test_races();
	test_cancel();
	test_deadline();
	test_full();
	test_close();
	loop_stop();
	PQfinish(psql);
	return tap_done();
}
