/* SPDX-License-Identifier: ISC */
/*
 * Migrations: the files sql/NNNN_*.sql, which the program carries.  Each is a
 * transaction of its own and is recorded in it, so that a start that was
 * interrupted goes on where it ended.  All is done under an advisory lock of
 * the session: of programs that start together one migrates, the others wait
 * and then find nothing to do.
 *
 * A migration says which programs may run on what it makes: those that know
 * its number `compatible`.  So a schema may be newer than a program that runs
 * on it, and hosts are upgraded one by one.
 */
#include <stdio.h>
#include <stdlib.h>

#include "db/db_conn.h"

/* The statements of sql/migrate.sql. */
#define STMT(name, nparams, ngroup, types, warm, text) \
	static const char sql_##name[] = text;
#include "db/migrate.inc"
#undef STMT

static const struct migration {
	int version;
	const char *name;
	int compatible; /* the oldest program that may run on it */
	const char *sql;
} migrations[] = {
#define MIGRATION(version, name, compatible, sql) \
	{ version, name, compatible, sql },
#include "db/migrations.inc"
#undef MIGRATION
};

int
db_migrate_wanted(void)
{
	return (int)NELEM(migrations);
}

char *
db_migrate_refusal(int64_t version, int64_t compatible)
{
	if (compatible <= db_migrate_wanted())
		return NULL;
	return xasprintf(
	    "the schema of the database is version %lld and needs a program "
	    "that knows version %lld; this one knows version %d at most: run "
	    "a newer program",
	    (long long)version, (long long)compatible, db_migrate_wanted());
}

/* The value of the first row and column; NULL when it failed. */
static char *
migrate_value(struct db_sync *s, const char *sql)
{
	PGresult *res = db_sync_run(s, sql, 0, NULL);
	char *value = res != NULL ? xstrdup(PQgetvalue(res, 0, 0)) : NULL;

	PQclear(res);
	return value;
}

static int
migrate_run(struct db_sync *s, const char *sql)
{
	PGresult *res = db_sync_run(s, sql, 0, NULL);

	PQclear(res);
	return res != NULL ? 0 : -1;
}

static int
migrate_number(struct db_sync *s, const char *sql)
{
	char *value = migrate_value(s, sql);
	int64_t version = -1;

	if (value != NULL && str_num(value, 0, INT32_MAX, &version) != NULL)
		version = -1;
	free(value);
	return (int)version;
}

int
db_migrate_present(struct db_sync *s)
{
	char *value = migrate_value(s, sql_present);
	bool there = value != NULL && value[0] == 't';

	free(value);
	return there ? migrate_number(s, sql_version) : -1;
}

static int
migrate_apply(struct db_sync *s, const struct migration *m)
{
	char number[16], compatible[16];
	const char *const values[] = { number, m->name, compatible };
	PGresult *res = NULL;

	snprintf(number, sizeof(number), "%d", m->version);
	snprintf(compatible, sizeof(compatible), "%d", m->compatible);
	if (db_sync_begin(s) == -1)
		return -1;
	if (migrate_run(s, m->sql) == -1)
		goto fail;
	res = db_sync_run(s, sql_record, NELEM(values), values);
	if (res == NULL)
		goto fail;
	PQclear(res);
	if (db_sync_commit(s) == -1)
		return -1;
	log_info("db: schema version %d, %s", m->version, m->name);
	return 0;

fail:
	db_sync_rollback(s);
	return -1;
}

int
db_migrate_check(struct db_sync *s, int version)
{
	int compatible = migrate_number(s, sql_compatible);
	char *why;

	if (compatible == -1)
		return -1;
	why = db_migrate_refusal(version, compatible);
	if (why == NULL)
		return 0;
	db_sync_fail(s, "%s", why);
	free(why);
	return -1;
}

/* With the lock held. */
static int
migrate_all(struct db_sync *s)
{
	int version, applied = 0;

	if (migrate_run(s, sql_create) == -1)
		return -1;
	version = migrate_number(s, sql_version);
	if (version == -1 || db_migrate_check(s, version) == -1)
		return -1;
	for (; version < db_migrate_wanted(); version++, applied++)
		if (migrate_apply(s, &migrations[version]) == -1)
			return -1;
	return applied;
}

int
db_migrate(struct db_sync *s)
{
	char *error;
	int applied;

	if (migrate_run(s, sql_lock) == -1)
		return -1;
	applied = migrate_all(s);
	/* When this fails too, the first error is the one to tell. */
	error = xstrdup(db_sync_error(s));
	if (migrate_run(s, sql_unlock) == -1 && applied == -1)
		db_sync_fail(s, "%s", error);
	free(error);
	return applied;
}
