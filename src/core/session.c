/* SPDX-License-Identifier: ISC */
/*
 * Sessions: the hold of a connection on a member's presence in a mesh.
 *
 * hello.c opens them.  The others learn of a session, of a change and of its
 * end only after it is stored, so that whoever loads the roster from the
 * database sees at least what events have told.
 *
 * A ref names the hold of one connection on a session: the same session over
 * a newer connection has another ref, and what comes for the old one does not
 * fit any more.
 */
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"

#define SESSION_SLOTS_START 64

/*
 * Slots: a ref is process, generation and slot, so that finding a session by
 * its ref is one look into an array.
 */
static struct session session_reserved;

uint64_t
session_reserve(struct core *c)
{
	size_t i, n = c->nslots;

	for (i = 0; i < n; i++, c->free_slot++) {
		if (c->free_slot >= n)
			c->free_slot = 0;
		if (c->slots[c->free_slot] == NULL)
			break;
	}
	if (i == n) {
		c->nslots = n > 0 ? 2 * n : SESSION_SLOTS_START;
		c->slots = xreallocarray(
		    c->slots, c->nslots, sizeof(struct session *));
		memset(c->slots + n, 0, (c->nslots - n) * sizeof(*c->slots));
		c->free_slot = n;
	}
	c->slots[c->free_slot] = &session_reserved;
	c->generation = (c->generation + 1) & 0xffffff;
	return (uint64_t)c->proc << 56 | (uint64_t)c->generation << 32 |
	       (uint64_t)c->free_slot++;
}

void
session_release(struct core *c, uint64_t ref)
{
	c->slots[ref & UINT32_MAX] = NULL;
}

struct session *
session_by_ref(const struct core *c, uint64_t ref)
{
	size_t slot = ref & UINT32_MAX;
	struct session *s;

	if (slot >= c->nslots || (s = c->slots[slot]) == NULL ||
	    s->info.ref != ref)
		return NULL;
	return s;
}

/* An end that is not stored yet: kept until it is. */
struct ending {
	TAILQ_ENTRY(ending) entry;
	struct core *core;
	struct id mesh;
	struct id member;
	struct id id;
	uint64_t ref;
	bool returns;
};

static void session_store_end(struct ending *e);

static void
session_stored_end(void *arg, const struct db_result *r)
{
	struct ending *e = arg;
	struct core *c = e->core;

	if (db_status(r) == DB_UNAVAILABLE) {
		TAILQ_INSERT_TAIL(&c->endings, e, entry);
		return;
	}
	event_gone(c, &e->mesh, &e->id, e->ref, e->returns);
	/* A roster that was read meanwhile has it as connected. */
	session_told_gone(c, &e->mesh, &e->id, e->ref, e->returns);
	/* What it held for its member is for another session of it. */
	if (db_status(r) == DB_OK && db_rows(r) > 0 && db_int(r, 0, 0) > 0) {
		struct mesh *m = mesh_find(c, &e->mesh);

		event_nudge(c, &e->mesh, &e->member);
		if (m != NULL)
			delivery_nudge(m, &e->member);
	}
	free(e);
}

static void
session_store_end(struct ending *e)
{
	struct db_params *p =
	    db_row(e->core->marks, STMT_session_close, session_stored_end, e);

	db_put_id(p, &e->id);
	db_put_int(p, (int64_t)e->ref);
	db_put_bool(p, e->returns);
}

void
session_ended(struct core *c, const struct session_info *i, bool returns)
{
	struct ending *e = xcalloc(1, sizeof(*e));

	e->core = c;
	e->mesh = i->mesh;
	e->member = i->member;
	e->id = i->id;
	e->ref = i->ref;
	e->returns = returns;
	session_store_end(e);
}

void
session_close(struct core *c)
{
	struct ending *e;

	while ((e = TAILQ_FIRST(&c->endings)) != NULL) {
		TAILQ_REMOVE(&c->endings, e, entry);
		free(e);
	}
}

void
session_catch_up(struct core *c)
{
	struct hash_entry *h, *next;
	struct session *s;
	struct ending *e;
	size_t i;

	while ((e = TAILQ_FIRST(&c->endings)) != NULL) {
		TAILQ_REMOVE(&c->endings, e, entry);
		session_store_end(e);
	}
	HASH_FOREACH (h, next, i, &c->meshes)
		LIST_FOREACH (
		    s, &CONTAINER(h, struct mesh, by_id)->roster.locals, local)
			if (s->dirty)
				session_changed(s, NULL, NULL);
}

/* The session leaves its client; the roster keeps it for its return. */
static void
session_detach(struct session *s)
{
	struct client *c = s->client;

	if (c->core->trace != NULL)
		trace_end(s);
	delivery_fini(s);
	free(s->recent);
	s->recent = NULL;
	if (s->is_busy) {
		LIST_REMOVE(s, busy);
		s->is_busy = false;
	}
	LIST_REMOVE(s, local);
	session_release(c->core, s->info.ref);
	c->core->sessions--;
	s->client = NULL;
	c->session = NULL;
	c->scopes = SCOPE_BIT(SCOPE_PUBLIC);
	mesh_put(s->mesh);
}

/*
 * A hold that ended and of which the roster knows nothing: its process may be
 * behind with telling of it, or an older one with telling of its own.
 */
struct grave {
	struct hash_entry by_id;
	TAILQ_ENTRY(grave) entry;
	struct id id;
	uint64_t ref;
	int64_t connected_ms; /* 0: not known */
	bool returns;
	int64_t at_ms;
};

static struct grave *
session_grave(const struct mesh *m, const struct id *id)
{
	struct hash_entry *e = hash_find(&m->graves, id->b, ID_LEN);

	return e != NULL ? CONTAINER(e, struct grave, by_id) : NULL;
}

static void
session_bury(struct mesh *m, const struct id *id, uint64_t ref,
    int64_t connected_ms, bool returns)
{
	struct grave *g = session_grave(m, id);

	if (g == NULL) {
		g = xcalloc(1, sizeof(*g));
		g->id = *id;
		hash_insert(&m->graves, &g->by_id, g->id.b, ID_LEN);
	} else
		TAILQ_REMOVE(&m->buried, g, entry);
	TAILQ_INSERT_TAIL(&m->buried, g, entry);
	g->ref = ref;
	if (connected_ms > g->connected_ms)
		g->connected_ms = connected_ms;
	g->returns = returns;
	g->at_ms = clock_mono();
}

bool
session_is_buried(
    const struct mesh *m, const struct session_info *info, bool *returns)
{
	const struct grave *g = session_grave(m, &info->id);

	if (g == NULL ||
	    (g->ref != info->ref && g->connected_ms < info->connected_ms))
		return false;
	*returns = g->returns;
	return true;
}

void
session_forget(struct mesh *m, int64_t before_ms)
{
	struct grave *g;

	while ((g = TAILQ_FIRST(&m->buried)) != NULL && g->at_ms < before_ms) {
		TAILQ_REMOVE(&m->buried, g, entry);
		hash_remove(&m->graves, &g->by_id);
		free(g);
	}
}

void
session_remove(struct session *s)
{
	visitor_over(s);
	announce_left(s);
	roster_remove(&s->mesh->roster, s);
}

/* Who is lost keeps a place in the roster through the lease. */
static void
session_leave(struct session *s, bool returns)
{
	struct roster *r = &s->mesh->roster;

	if (returns) {
		/* What is being read may have it as it was. */
		s->load = s->mesh->load;
		visitor_over(s);
		roster_end(r, s, clock_wall());
		return;
	}
	session_bury(
	    s->mesh, &s->info.id, s->info.ref, s->info.connected_ms, returns);
	session_remove(s);
}

void
session_end(struct client *c, bool returns)
{
	struct session *s = c->session;

	/* Its last marks, before its end frees what is not marked. */
	delivery_fini(s);
	session_ended(c->core, &s->info, returns);
	session_detach(s);
	session_leave(s, returns);
}

void
session_drop(struct session *s, enum err why)
{
	struct client *old = s->client;

	session_detach(s);
	client_forget(old);
	old->calls->close(old, why, table_errors[why].name);
}

void
session_expel(struct session *s, enum err why, struct slice reason)
{
	struct client *c = s->client;
	const char *name = table_errors[why].name;
	char *text = reason.n > 0
			 ? xasprintf("%s: " SLICE_FMT, name, SLICE_ARG(reason))
			 : xstrdup(name);

	core_count(c->core, EXPELLED);
	session_end(c, why == ERR_DISCONNECTED);
	client_forget(c);
	c->calls->close(c, why, text);
	free(text);
}

void
session_set_role(struct session *s, struct slice role)
{
	struct session_info info = s->info;

	info.role = role;
	roster_put(&s->mesh->roster, &info);
	if (s->client != NULL)
		s->client->scopes = role_scopes(role);
}

/* The same session connected again: the older connection goes. */
static void
session_replace(struct session *s)
{
	session_drop(s, ERR_SESSION_REPLACED);
}

/*
 * Records of two processes come in any order; the times at which the database
 * opened the session do not.  A hold that is over does not come back.
 */
bool
session_is_newer(const struct session *s, const struct session_info *info)
{
	if (s->info.connected_ms != info->connected_ms)
		return s->info.connected_ms > info->connected_ms;
	/* Anybody may tell of a visitor. */
	if (visitor_is(info) && s->info.active_ms > info->active_ms)
		return true;
	return s->info.ref == info->ref && !s->info.live;
}

/* It was lost, and came back when its lease was over: that is told, also when
 * our clock has not come so far. */
static bool
session_lapsed(const struct session *s, const struct session_info *info)
{
	return !s->info.live && info->connected_ms > s->info.connected_ms &&
	       info->connected_ms - info->seen_ms >=
		   s->mesh->core->limits.lease_ms;
}

struct session *
session_put(struct mesh *m, const struct session_info *info)
{
	struct session *s = roster_by_id(&m->roster, &info->id);

	if (s != NULL && s->client != NULL)
		session_replace(s);
	if (s != NULL && session_lapsed(s, info))
		session_remove(s);
	s = roster_put(&m->roster, info);
	s->mesh = m;
	s->load = m->load;
	return s;
}

void
session_told(struct core *c, const struct session_info *info)
{
	struct mesh *m = mesh_find(c, &info->mesh);
	struct session *s;
	struct grave *g;

	if (m == NULL)
		return;
	s = roster_by_id(&m->roster, &info->id);
	if (s != NULL && session_is_newer(s, info))
		return;
	g = session_grave(m, &info->id);
	if (g != NULL && info->connected_ms <= g->connected_ms)
		return;
	s = session_put(m, info);
	s->used_ms = clock_mono();
	if (g != NULL && g->ref == info->ref)
		session_leave(s, g->returns);
	else
		announce(s);
}

void
session_told_gone(struct core *c, const struct id *mesh, const struct id *id,
    uint64_t ref, bool returns)
{
	struct mesh *m = mesh_find(c, mesh);
	struct session *s;

	if (m == NULL)
		return;
	s = roster_by_id(&m->roster, id);
	if (s == NULL || s->info.ref != ref) {
		session_bury(m, id, ref, 0, returns);
		return;
	}
	/* Somebody took this process for dead: the client opens it anew. */
	if (s->client != NULL)
		session_drop(s, ERR_UNAVAILABLE);
	session_leave(s, returns);
}

/* A session from a database callback: it may be gone by then. */
struct session_arg {
	struct core *core;
	uint64_t ref;
	struct request *request;
	void *out;
};

static void
session_changed_stored(void *arg, const struct db_result *r)
{
	struct session_arg *a = arg;
	struct session *s = session_by_ref(a->core, a->ref);

	if (s != NULL) {
		s->dirty = db_status(r) == DB_UNAVAILABLE;
		event_session(a->core, &s->info);
	}
	if (a->request != NULL && !op_db_failed(a->request, r))
		op_reply(a->request, a->out);
	free(a);
}

void
session_changed(struct session *s, struct request *r, void *out)
{
	const struct session_info *i = &s->info;
	struct slice profile = { NULL, 0 }, stats = { NULL, 0 };
	struct session_arg *a;
	struct db_params *p;

	if (visitor_is(i)) {
		visitor_changed(s, r, out);
		return;
	}
	a = xcalloc(1, sizeof(*a));
	if (i->more != NULL) {
		profile = i->more->profile;
		stats = i->more->stats;
	}
	a->core = s->mesh->core;
	a->ref = i->ref;
	a->request = r;
	a->out = out;
	s->dirty = true;
	p = db_row(
	    a->core->marks, STMT_session_update, session_changed_stored, a);
	db_put_id(p, &i->id);
	db_put_int(p, (int64_t)i->ref);
	db_put_int(p, i->status);
	db_put_int(p, i->source);
	db_put_int(p, s->status_ms);
	db_put_text(p, i->summary.p, i->summary.n);
	db_put_texts(p, i->groups, 2 * i->ngroups);
	db_put_bool(p, i->acks);
	db_put_bool(p, i->hidden);
	db_put_text(p, profile.n > 0 ? profile.p : NULL, profile.n);
	db_put_text(p, stats.n > 0 ? stats.p : NULL, stats.n);
}

struct session *
session_enter(
    struct mesh *m, const struct session_info *info, struct client *client)
{
	struct core *c = m->core;
	struct session *s = session_put(m, info);

	s->client = client;
	s->status_ms = clock_wall();
	LIST_INSERT_HEAD(&m->roster.locals, s, local);
	c->slots[info->ref & UINT32_MAX] = s;
	c->sessions++;
	client->session = s;
	client->scopes = role_scopes(s->info.role);
	announce(s);
	return s;
}
