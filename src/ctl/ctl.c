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

void
ctl_database(struct ctl *c)
{
	struct buf conninfo;
	char *error;
	int have, want = db_migrate_wanted();

	ctl_must_run(c);
	buf_init(&conninfo, 65536);
	conf_conninfo(c->conf, false, &conninfo);
	c->db = db_sync_open(buf_str(&conninfo), CTL_CONNECT_MS, &error);
	buf_free(&conninfo);
	if (c->db == NULL)
		ctl_fail(EX_UNAVAILABLE,
		    "%s\nlinnetctl: is linnetd running, and is this its "
		    "state_dir (-o 'state_dir DIR')?",
		    error);
	have = db_migrate_present(c->db);
	if (have < want)
		ctl_fail(EX_UNAVAILABLE,
		    "the database has schema %d, this program needs %d; start "
		    "linnetd, which brings it up to date",
		    have, want);
	if (have > want)
		ctl_fail(EX_UNAVAILABLE,
		    "the database has schema %d, which is newer than this "
		    "program's %d; use the newer linnetctl",
		    have, want);
}

struct ctl_answer {
	db_fn *fn;
	void *arg;
	enum db_status status;
};

static void
ctl_answered(void *arg, const struct db_result *r)
{
	struct ctl_answer *a = arg;

	a->status = db_status(r);
	if (a->status == DB_OK && a->fn != NULL)
		a->fn(a->arg, r);
}

void
ctl_query(struct ctl *c, struct db_params *p, db_fn *fn, void *arg)
{
	struct ctl_answer a = { fn, arg, DB_OK };

	if (db_sync_query(c->db, p, ctl_answered, &a) != DB_OK ||
	    a.status != DB_OK)
		ctl_fail(EX_UNAVAILABLE, "%s", db_sync_error(c->db));
}
