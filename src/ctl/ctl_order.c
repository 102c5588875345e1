/* SPDX-License-Identifier: ISC */
/*
 * Keeping order: who is connected, ends of sessions, bans.
 *
 * A session is ended by the process that has it, on whichever host: it is told
 * by NOTIFY, and what the database says afterwards is whether it did.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "ctl/ctl.h"

#define ORDER_REASON_MAX 200
#define ORDER_WAIT_MS 5000
#define ORDER_LOOK_MS 20
/* Who is named as having banned somebody. */
#define ORDER_OPERATOR "operator"

void
ctl_host_list(struct ctl *c)
{
	static const struct ctl_column columns[] = {
		{ "NAME", "name", CTL_TEXT, 1 },
		{ "VERSION", "version", CTL_TEXT, 2 },
		{ "ALIVE", "alive", CTL_BOOL, 5 },
		{ "SESSIONS", "sessions", CTL_INT, 6 },
		{ "MESHES", "meshes", CTL_INT, 7 },
		{ "STARTED", "startedAt", CTL_TIME, 3 },
		{ "LEASE", "leaseUntil", CTL_TIME, 4 },
		{ "ID", "hostId", CTL_ID, 0 },
	};

	ctl_print_rows(c, db_params(STMT_host_list), columns, NELEM(columns));
}

void
ctl_session_list(struct ctl *c)
{
	static const struct ctl_column columns[] = {
		{ "MESH", "mesh", CTL_TEXT, 0 },
		{ "NAME", "name", CTL_TEXT, 2 },
		{ "MEMBER", "member", CTL_TEXT, 3 },
		{ "HOST", "host", CTL_TEXT, 5 },
		{ "WORKER", "worker", CTL_WORKER, 6 },
		{ "STATUS", "status", CTL_STATUS, 8 },
		{ "TYPE", "peerType", CTL_TEXT, 9 },
		{ "UNACKED", "unacked", CTL_INT, 11 },
		{ "CONNECTED", "connectedAt", CTL_TIME, 7 },
		{ "ID", "sessionId", CTL_ID, 1 },
		{ "CONTROL", "control", CTL_BOOL, 10 },
	};
	bool all = ctl_given(c, "all") != NULL;
	struct db_params *p;
	struct ctl_mesh m;

	if (c->nargs > 0)
		ctl_mesh_find(c, &m, c->args[0], CTL_MESH_ARCHIVED);
	p = db_params(STMT_session_list);
	db_put_id(p, c->nargs > 0 ? &m.id : NULL);
	db_put_bool(p, all);
	ctl_print_rows(c, p, columns, NELEM(columns) - !all);
}

static const char *
order_reason(const struct ctl *c)
{
	const char *reason = ctl_given(c, "reason");

	if (reason == NULL)
		return "";
	if (strlen(reason) > ORDER_REASON_MAX ||
	    !str_utf8(reason, strlen(reason)))
		ctl_fail(EX_DATAERR, "--reason is no text of at most %d bytes",
		    ORDER_REASON_MAX);
	return reason;
}

/* A session that has to end. */
struct order_session {
	struct id id;
	int64_t ref;
	char *name;
	char *host;
	bool over;
};

struct order_kick {
	struct order_session *v;
	size_t n;
	bool several; /* they are of several members */
};

static char *
order_text(const struct db_result *r, size_t row, unsigned col)
{
	struct slice s = db_text(r, row, col);

	return db_null(r, row, col) ? xstrdup("?") : xstrndup(s.p, s.n);
}

static void
order_named(void *arg, const struct db_result *r)
{
	struct order_kick *k = arg;
	struct id first, member;
	size_t i;

	k->n = db_rows(r);
	k->v = xcalloc(k->n + 1, sizeof(*k->v));
	for (i = 0; i < k->n; i++) {
		db_id(r, i, 0, &k->v[i].id);
		k->v[i].ref = db_int(r, i, 1);
		k->v[i].name = order_text(r, i, 2);
		k->v[i].host = order_text(r, i, 5);
		db_id(r, i, 3, &member);
		if (i == 0)
			first = member;
		k->several = k->several || !id_same(&first, &member);
	}
}

static void
order_free(struct order_kick *k)
{
	size_t i;

	for (i = 0; i < k->n; i++) {
		free(k->v[i].name);
		free(k->v[i].host);
	}
	free(k->v);
}

static struct db_params *
order_session(enum db_stmt stmt, const struct order_session *s)
{
	struct db_params *p = db_params(stmt);

	db_put_id(p, &s->id);
	db_put_int(p, s->ref);
	return p;
}

/* Waits until all have ended; how many did. */
static size_t
order_wait(struct ctl *c, struct order_kick *k)
{
	const struct timespec pause = { 0, ORDER_LOOK_MS * 1000000L };
	int64_t until = clock_usec() + ORDER_WAIT_MS * 1000LL;
	size_t over = 0, i;

	for (;;) {
		for (i = 0; i < k->n; i++)
			if (!k->v[i].over &&
			    ctl_query_rows(c, order_session(STMT_session_there,
						  &k->v[i])) == 0) {
				k->v[i].over = true;
				over++;
			}
		if (over == k->n || clock_usec() >= until)
			return over;
		nanosleep(&pause, NULL);
	}
}

static void
order_kicked(struct ctl *c, const struct order_kick *k)
{
	struct json_writer w;
	struct buf b;
	size_t i;

	if (!c->json) {
		for (i = 0; i < k->n; i++) {
			char *name =
			    ctl_safe(k->v[i].name, strlen(k->v[i].name));

			if (k->v[i].over)
				printf("session %s ended\n", name);
			free(name);
		}
		return;
	}
	buf_init(&b, CTL_JSON_MAX);
	json_start(&w, &b);
	json_array(&w);
	for (i = 0; i < k->n; i++) {
		json_object(&w);
		json_key(&w, "sessionId");
		json_id(&w, &k->v[i].id);
		json_key(&w, "name");
		json_str(&w, k->v[i].name);
		json_key(&w, "ended");
		json_bool(&w, k->v[i].over);
		json_object_end(&w);
	}
	json_array_end(&w);
	ctl_print_json(&b);
}

void
ctl_kick(struct ctl *c)
{
	const char *reason = order_reason(c);
	struct order_kick k = { .n = 0 };
	struct db_params *p;
	struct ctl_mesh m;
	size_t over, i;

	ctl_mesh_find(c, &m, c->args[0], 0);
	p = db_params(STMT_session_named);
	db_put_id(p, &m.id);
	ctl_put_who(p, c->args[1]);
	ctl_query(c, p, order_named, &k);
	if (k.n == 0)
		ctl_fail(EX_NOUSER,
		    "nobody who is connected to mesh %s is called \"%s\"; "
		    "linnetctl session list %s shows who is",
		    m.slug, c->args[1], m.slug);
	if (k.several)
		ctl_fail(EX_NOUSER,
		    "sessions of several members are called \"%s\"; say the "
		    "id of one, from linnetctl session list %s",
		    c->args[1], m.slug);
	for (i = 0; i < k.n; i++) {
		p = order_session(STMT_session_tell_kick, &k.v[i]);
		db_put_str(p, reason);
		ctl_query(c, p, NULL, NULL);
	}
	over = order_wait(c, &k);
	order_kicked(c, &k);
	for (i = 0; i < k.n; i++)
		if (!k.v[i].over)
			ctl_fail(EX_TEMPFAIL,
			    "host %s has not ended %zu of %zu sessions; "
			    "linnetctl host list shows whether it is there",
			    k.v[i].host, k.n - over, k.n);
	order_free(&k);
}

void
ctl_ban(struct ctl *c)
{
	static const struct id nobody;
	const char *reason = order_reason(c);
	char id[ID_HEX_LEN + 1];
	const char *const pairs[] = { "memberId", id, "reason", reason, NULL };
	struct ctl_member member;
	struct db_params *p;
	struct ctl_mesh m;

	ctl_mesh_find(c, &m, c->args[0], CTL_MESH_ARCHIVED);
	ctl_member_find(c, &m, &member, c->args[1]);
	id_hex(&member.id, id);
	p = db_params(STMT_ban_put);
	db_put_id(p, &member.id);
	db_put_id(p, &m.id);
	db_put_str(p, reason);
	db_put_id(p, &nobody);
	db_put_str(p, ORDER_OPERATOR);
	ctl_query(c, p, NULL, NULL);
	ctl_tell(c, &m.id, &member.id);
	ctl_print_done(
	    c, pairs, "%s is banned from mesh %s", member.name, m.slug);
}

void
ctl_unban(struct ctl *c)
{
	char id[ID_HEX_LEN + 1];
	const char *const pairs[] = { "memberId", id, NULL };
	struct ctl_member member;
	struct db_params *p;
	struct ctl_mesh m;

	ctl_mesh_find(c, &m, c->args[0], CTL_MESH_ARCHIVED);
	ctl_member_find(c, &m, &member, c->args[1]);
	id_hex(&member.id, id);
	p = db_params(STMT_ban_drop);
	db_put_id(p, &member.id);
	db_put_id(p, &m.id);
	db_put_id(p, NULL);
	if (ctl_query_rows(c, p) == 0)
		ctl_fail(EX_NOINPUT,
		    "%s is not banned; linnetctl bans %s shows who is",
		    member.name, m.slug);
	ctl_tell(c, &m.id, &member.id);
	ctl_print_done(c, pairs, "%s is not banned from mesh %s any more",
	    member.name, m.slug);
}

void
ctl_bans(struct ctl *c)
{
	static const struct ctl_column columns[] = {
		{ "NAME", "name", CTL_TEXT, 2 },
		{ "REASON", "reason", CTL_TEXT, 3 },
		{ "BY", "bannedBy", CTL_TEXT, 4 },
		{ "BANNED", "bannedAt", CTL_TIME, 5 },
		{ "ID", "memberId", CTL_ID, 0 },
		{ "KEY", "pubkey", CTL_KEY, 1 },
	};
	struct db_params *p;
	struct ctl_mesh m;

	ctl_mesh_find(c, &m, c->args[0], CTL_MESH_ARCHIVED);
	p = db_params(STMT_ban_list);
	db_put_id(p, &m.id);
	db_put_int(p, INT64_MAX);
	ctl_print_rows(c, p, columns, NELEM(columns));
}
