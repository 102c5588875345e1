/* SPDX-License-Identifier: ISC */
/*
 * Members, while their sessions are here: who is meant by one, and what
 * becomes of its sessions when its role changes or it may not be here any
 * more.
 *
 * A record says that something changed; what it is now is read from the
 * database, on the connection that answers in order: so whatever order the
 * records come in, the last reading is the newest.  Only what cannot wait, the
 * end of its sessions, is in the record itself.
 */
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"

#define MEMBER_CANDIDATES 5
#define MEMBER_KEY_HEX (2 * CRYPTO_KEY_LEN)

struct member_query {
	struct request *request;
	struct slice target;
	member_fn *fn;
};

/* Several have the name: their keys, or the ids of those without one. */
static void
member_ambiguous(struct member_query *q, const struct db_result *res)
{
	struct request *r = q->request;
	struct slice *names =
	    pool_alloc(&r->pool, MEMBER_CANDIDATES * sizeof(*names));
	struct slice key;
	struct id id;
	char *hex;
	size_t i;

	r->error_names.v = names;
	for (i = 0; i < db_rows(res) && i < MEMBER_CANDIDATES; i++) {
		hex = pool_alloc(&r->pool, MEMBER_KEY_HEX + 1);
		key = db_bytes(res, i, 1);
		if (key.n == CRYPTO_KEY_LEN) {
			crypto_hex(hex, (const uint8_t *)key.p, key.n);
		} else {
			db_id(res, i, 0, &id);
			id_hex(&id, hex);
		}
		names[r->error_names.n++] = (struct slice){ hex, strlen(hex) };
	}
	op_fail(r, ERR_AMBIGUOUS_TARGET,
	    "Several members are called \"" SLICE_FMT
	    "\"; use the public key or id of the one you mean.",
	    SLICE_ARG(q->target));
}

static void
member_found(void *arg, const struct db_result *res)
{
	struct member_query *q = arg;
	struct request *r = q->request;
	struct member m;
	struct slice key, name;

	if (op_db_failed(r, res) || op_left(r))
		return;
	if (db_rows(res) == 0) {
		op_fail(r, ERR_UNKNOWN_TARGET,
		    "No member here has the id, key or name \"" SLICE_FMT "\".",
		    SLICE_ARG(q->target));
		return;
	}
	if (db_rows(res) > 1) {
		member_ambiguous(q, res);
		return;
	}
	memset(&m, 0, sizeof(m));
	db_id(res, 0, 0, &m.id);
	key = db_bytes(res, 0, 1);
	if (key.n == sizeof(m.key))
		memcpy(m.key, key.p, key.n);
	name = db_text(res, 0, 2);
	m.name = (struct slice){ pool_dup(&r->pool, name.p, name.n), name.n };
	m.role = role_find(db_text(res, 0, 3));
	m.banned = db_bool(res, 0, 4);
	q->fn(r, &m);
}

void
member_named(struct request *r, struct slice target, member_fn *fn)
{
	struct member_query *q = pool_alloc(&r->pool, sizeof(*q));
	char *folded = pool_alloc(&r->pool, 2 * target.n + 1);
	struct db_params *p = db_params(STMT_member_named);
	uint8_t key[CRYPTO_KEY_LEN];
	struct id id;

	*q = (struct member_query){ r, target, fn };
	db_put_id(p, &r->client->session->mesh->id);
	db_put_id(p, id_parse(&id, target.p, target.n) == 0 ? &id : NULL);
	if (target.n == MEMBER_KEY_HEX &&
	    crypto_unhex(key, sizeof(key), target.p, target.n) == 0)
		db_put_bytes(p, key, sizeof(key));
	else
		db_put_null(p);
	db_put_text(p, folded, str_fold(folded, target.p, target.n));
	db_query(r->core->reads, p, member_found, q);
}

void
member_is(struct session *s, struct slice role, bool revoked, bool banned,
    struct slice reason)
{
	if (revoked)
		session_expel(s, ERR_REVOKED, (struct slice){ NULL, 0 });
	else if (banned)
		session_expel(s, ERR_BANNED, reason);
	else
		session_set_role(s, role);
}

/* A change that is being read. */
struct member_change {
	struct core *core;
	struct id mesh;
	struct id member;
};

/* The sessions of a member that began before a time, of this process. */
static void
member_end(struct mesh *m, const struct id *member, enum err why, int64_t at_ms,
    struct slice reason)
{
	struct roster_set *set = roster_member(&m->roster, member);
	struct roster_link *l, *next;
	struct session *s;

	if (set == NULL)
		return;
	/* The set may go with the last of them. */
	for (l = LIST_FIRST(&set->links); l != NULL; l = next) {
		next = LIST_NEXT(l, entry);
		s = l->session;
		if (s->client != NULL && s->info.connected_ms < at_ms)
			session_expel(s, why, reason);
	}
}

static void
member_read(void *arg, const struct db_result *r)
{
	struct member_change *ch = arg;
	struct mesh *m = mesh_find(ch->core, &ch->mesh);
	struct roster_set *set;
	struct roster_link *l, *next;
	struct session *s;

	if (m != NULL && db_status(r) != DB_OK)
		m->stale = true;
	set = m != NULL ? roster_member(&m->roster, &ch->member) : NULL;
	l = set != NULL && db_status(r) == DB_OK && db_rows(r) > 0
		? LIST_FIRST(&set->links)
		: NULL;
	for (; l != NULL; l = next) {
		next = LIST_NEXT(l, entry);
		s = l->session;
		if (s->client != NULL)
			member_is(s, db_text(r, 0, 0), db_bool(r, 0, 1),
			    !db_null(r, 0, 2), db_text(r, 0, 2));
		else if (visitor_is(&s->info) &&
			 (db_bool(r, 0, 1) || !db_null(r, 0, 2)))
			session_ended(ch->core, &s->info, false);
		else
			session_set_role(s, db_text(r, 0, 0));
	}
	free(ch);
}

void
member_told(struct core *c, const struct id *mesh, const struct id *member,
    enum err why, int64_t at_ms, struct slice reason)
{
	struct mesh *m = mesh_find(c, mesh);
	struct member_change *ch;
	struct db_params *p;

	token_told(c, mesh, member);
	if (m == NULL)
		return;
	/* What is being loaded, or opened, may be from before the change. */
	m->told++;
	if (m->loading)
		m->stale = true;
	if (why != ERR_NONE)
		member_end(m, member, why, at_ms, reason);
	ch = xcalloc(1, sizeof(*ch));
	ch->core = c;
	ch->mesh = *mesh;
	ch->member = *member;
	p = db_params(STMT_member_facts);
	db_put_id(p, member);
	db_put_id(p, mesh);
	db_query(c->reads, p, member_read, ch);
}

void
member_changed(struct core *c, const struct id *mesh, const struct id *member,
    enum err why, int64_t at_ms, struct slice reason)
{
	event_member(c, mesh, member, why, at_ms, reason);
	member_told(c, mesh, member, why, at_ms, reason);
}
