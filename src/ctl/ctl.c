/* SPDX-License-Identifier: ISC */
/*
 * What the commands share: how they end, and the database.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "ctl/ctl.h"

#define CTL_CONNECT_MS 10000

void
ctl_fail(int status, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("linnetctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

/* A private database is there while linnetd runs, and only then. */
static void
ctl_must_run(const struct ctl *c)
{
	char *path;

	if (!conf_is_private(c->conf))
		return;
	path = xasprintf("%s/control.sock", c->conf->state_dir);
	if (access(path, F_OK) != 0 && errno == ENOENT)
		ctl_fail(EX_UNAVAILABLE,
		    "no linnetd runs with state_dir %s; start it, or say where "
		    "it is: -o 'state_dir DIR'",
		    c->conf->state_dir);
	free(path);
}

/* NULL, or why it cannot be reached: the caller's to free. */
static char *
ctl_connect(struct ctl *c)
{
	struct buf conninfo;
	char *error = NULL;

	buf_init(&conninfo, 65536);
	conf_conninfo(c->conf, false, &conninfo);
	c->db = db_sync_open(buf_str(&conninfo), CTL_CONNECT_MS, &error);
	crypto_wipe(conninfo.data, conninfo.len);
	buf_free(&conninfo);
	return c->db == NULL ? error : NULL;
}

void
ctl_database(struct ctl *c)
{
	int have, want = db_migrate_wanted();
	char *error;

	ctl_must_run(c);
	if ((error = ctl_connect(c)) != NULL)
		ctl_fail(EX_UNAVAILABLE, "%s\nlinnetctl: %s", error,
		    conf_is_private(c->conf)
			? "is linnetd running, and is this its state_dir (-o "
			  "'state_dir DIR')?"
			: "is the option database right (--database)?");
	have = db_migrate_present(c->db);
	if (have == -1)
		ctl_fail(EX_UNAVAILABLE,
		    "this database is not linnetd's; start linnetd on it once, "
		    "which makes it so");
	if (have < want)
		ctl_fail(EX_UNAVAILABLE,
		    "the database has schema %d, this program needs %d; start "
		    "the linnetd of this version, which brings it up to date",
		    have, want);
	if (db_migrate_check(c->db, have) == -1)
		ctl_fail(EX_UNAVAILABLE, "%s", db_sync_error(c->db));
}

bool
ctl_database_try(struct ctl *c)
{
	char *error = ctl_connect(c);
	int have;

	free(error);
	if (c->db == NULL)
		return false;
	have = db_migrate_present(c->db);
	return have >= db_migrate_wanted() &&
	       db_migrate_check(c->db, have) == 0;
}

struct ctl_answer {
	db_fn *fn;
	void *arg;
	enum db_status status;
	size_t rows;
};

static void
ctl_answered(void *arg, const struct db_result *r)
{
	struct ctl_answer *a = arg;

	a->status = db_status(r);
	if (a->status != DB_OK)
		return;
	a->rows = db_rows(r);
	if (a->fn != NULL)
		a->fn(a->arg, r);
}

static size_t
ctl_ask(struct ctl *c, struct db_params *p, db_fn *fn, void *arg)
{
	struct ctl_answer a = { fn, arg, DB_OK, 0 };

	if (db_sync_query(c->db, p, ctl_answered, &a) != DB_OK ||
	    a.status != DB_OK)
		ctl_fail(EX_UNAVAILABLE, "%s", db_sync_error(c->db));
	return a.rows;
}

void
ctl_query(struct ctl *c, struct db_params *p, db_fn *fn, void *arg)
{
	(void)ctl_ask(c, p, fn, arg);
}

size_t
ctl_query_rows(struct ctl *c, struct db_params *p)
{
	return ctl_ask(c, p, NULL, NULL);
}

void
ctl_tell(struct ctl *c, const struct id *mesh, const struct id *member)
{
	struct db_params *p = db_params(STMT_member_tell);

	db_put_id(p, mesh);
	db_put_id(p, member);
	ctl_query(c, p, NULL, NULL);
}
