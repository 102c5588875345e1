/* SPDX-License-Identifier: ISC */
/*
 * The meshes that this process serves.  The first who needs a mesh makes the
 * process interested in it on the bus and loads its roster; when nobody has
 * needed it for a while it is forgotten again.
 *
 * Interest comes before the reading, so no event is missed: one that is older
 * than the reading is in what was read, one that is newer comes over the bus.
 * One that arrives while the answer is on its way may be newer than the
 * answer; a session that an event told of is not overwritten by it (its `load`
 * says so), and one that an event ended is not brought back (it has a grave).
 * When all has to be read anew meanwhile, the answer is taken all the same, and
 * then it is read anew: whoever waits for the roster need not wait for quiet.
 *
 * Of what a later reading finds changed, the sessions of this process are told
 * as if the event had come.
 */
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"

#define MESH_UNUSED_MS 10000
/* No process is so far behind the bus. */
#define MESH_GRAVES_MS 60000
/* It is read at most so often in a second, whoever asks for it. */
#define MESH_LOADS 4

struct mesh_wait {
	TAILQ_ENTRY(mesh_wait) entry;
	mesh_fn *fn;
	void *arg;
};

static void mesh_load(struct mesh *m);

struct mesh *
mesh_find(struct core *c, const struct id *id)
{
	struct hash_entry *e = hash_find(&c->meshes, id->b, ID_LEN);

	return e != NULL ? CONTAINER(e, struct mesh, by_id) : NULL;
}

static struct mesh *
mesh_new(struct core *c, const struct id *id)
{
	struct mesh *m = xcalloc(1, sizeof(*m));

	m->core = c;
	m->id = *id;
	m->since_ms = clock_mono();
	roster_init(&m->roster);
	hash_init(&m->versions);
	TAILQ_INIT(&m->deleted);
	hash_init(&m->blocks);
	quota_init(m);
	hash_init(&m->graves);
	TAILQ_INIT(&m->buried);
	TAILQ_INIT(&m->waits);
	hash_insert(&c->meshes, &m->by_id, m->id.b, ID_LEN);
	bus_interest_add(c->bus, id);
	return m;
}

static void
mesh_free(struct mesh *m)
{
	bus_interest_drop(m->core->bus, &m->id);
	hash_remove(&m->core->meshes, &m->by_id);
	state_forget(m);
	block_forget(m);
	quota_forget(m);
	session_forget(m, INT64_MAX);
	hash_free(&m->graves);
	roster_fini(&m->roster);
	free(m);
}

void
mesh_get(struct core *c, const struct id *id, mesh_fn *fn, void *arg)
{
	struct mesh *m = mesh_find(c, id);
	struct mesh_wait *w;

	if (m == NULL)
		m = mesh_new(c, id);
	m->users++;
	if (m->loaded) {
		fn(arg, m);
		return;
	}
	w = xcalloc(1, sizeof(*w));
	w->fn = fn;
	w->arg = arg;
	TAILQ_INSERT_TAIL(&m->waits, w, entry);
	if (!m->loading)
		mesh_load(m);
}

void
mesh_put(struct mesh *m)
{
	if (--m->users == 0)
		m->unused_ms = clock_mono();
}

/* Answers those who wait; with nothing when the roster could not be read. */
static void
mesh_answer(struct mesh *m, bool good)
{
	struct mesh_wait *w;

	while ((w = TAILQ_FIRST(&m->waits)) != NULL) {
		TAILQ_REMOVE(&m->waits, w, entry);
		if (!good)
			mesh_put(m);
		w->fn(w->arg, good ? m : NULL);
		free(w);
	}
}

/* While this host had no database others took it for dead, and ended a session
 * that still has its client here: it has to come anew.  Changes of it that
 * others heard of since are void. */
static void
mesh_lose(struct session *s)
{
	event_gone(s->mesh->core, &s->mesh->id, &s->info.id, s->info.ref, true);
	session_drop(s, ERR_UNAVAILABLE);
}

/* One row of session_roster. */
static void
mesh_row(struct mesh *m, const struct db_result *r, size_t row)
{
	struct session_row in;
	struct session_info *i = &in.info;
	struct session *s;
	bool returns;

	session_row(&in, m->core, &m->id, r, row);
	s = roster_by_id(&m->roster, &i->id);
	if (s != NULL && s->load == m->load)
		return;
	/* It changed while nobody was here who could end it. */
	if (visitor_is(i) && in.ended_ms == 0 && (in.revoked || in.banned)) {
		session_ended(m->core, i, false);
		return;
	}
	if (in.ended_ms == 0 && session_is_buried(m, i, &returns)) {
		if (!returns)
			return;
		in.ended_ms = clock_wall();
	}
	if (s != NULL && s->client != NULL &&
	    i->connected_ms <= s->info.connected_ms) {
		if (in.ended_ms == 0) {
			s->load = m->load;
			member_is(s, i->role, in.revoked, in.banned, in.reason);
			return;
		}
		mesh_lose(s);
	}
	s = session_put(m, i);
	/* Perhaps it was used long ago. */
	s->used_ms = 0;
	if (!m->loaded)
		announce_known(s);
	else if (in.ended_ms == 0)
		announce(s);
	if (in.ended_ms != 0) {
		visitor_over(s);
		roster_end(&m->roster, s, in.ended_ms);
	}
}

/* Sessions that neither the answer nor an event confirmed are no more.  Of one
 * that still has its client somebody else has put an end to it. */
static void
mesh_sweep(struct mesh *m)
{
	struct session *s, *next;

	TAILQ_FOREACH_SAFE (s, &m->roster.sessions, entry, next) {
		if (s->load == m->load)
			continue;
		if (s->client != NULL)
			mesh_lose(s);
		session_remove(s);
	}
}

static void mesh_load_again(struct mesh *m);

static void
mesh_loaded(void *arg, const struct db_result *r)
{
	struct mesh *m = arg;
	size_t i;
	bool again = m->loaded;

	m->loading = false;
	mesh_put(m);
	if (db_status(r) != DB_OK) {
		/* What is there stands until it is read again. */
		m->stale = true;
		mesh_answer(m, false);
		return;
	}
	for (i = 0; i < db_rows(r); i++)
		mesh_row(m, r, i);
	mesh_sweep(m);
	m->loaded = true;
	if (again)
		state_catch_up(m);
	else
		m->state_ms = clock_wall();
	if (m->stale)
		mesh_load_again(m);
	mesh_answer(m, true);
}

/* The answers come in the order of asking: the roster's is the last. */
static void
mesh_blocks(void *arg, const struct db_result *r)
{
	struct mesh *m = arg;

	if (db_status(r) == DB_OK)
		block_load(m, r);
	else
		m->stale = true;
	mesh_put(m);
}

static void
mesh_quotas(void *arg, const struct db_result *r)
{
	struct mesh *m = arg;

	if (db_status(r) == DB_OK)
		quota_load(m, r);
	else
		m->stale = true;
	mesh_put(m);
}

static void
mesh_ask(struct mesh *m, enum db_stmt stmt, db_fn *fn)
{
	struct db_params *p = db_params(stmt);

	m->users++;
	db_put_id(p, &m->id);
	db_query(m->core->reads, p, fn, m);
}

static void
mesh_load(struct mesh *m)
{
	struct db_params *p = db_params(STMT_session_roster);

	m->loading = true;
	m->stale = false;
	m->load++;
	event_serves(m->core, &m->id);
	m->told++;
	mesh_ask(m, STMT_block_load, mesh_blocks);
	mesh_ask(m, STMT_mesh_quotas, mesh_quotas);
	m->users++;
	db_put_id(p, &m->id);
	db_put_int(p, m->core->limits.lease_ms);
	db_query(m->core->reads, p, mesh_loaded, m);
}

/* Has it been read too often lately? */
static bool
mesh_is_restless(struct mesh *m)
{
	int64_t now = clock_mono();

	if (now - m->loads_ms >= 1000) {
		m->loads_ms = now;
		m->loads = 0;
	}
	return m->loads++ >= MESH_LOADS;
}

static void
mesh_load_again(struct mesh *m)
{
	if (m->loading || mesh_is_restless(m))
		m->stale = true;
	else if (m->loaded)
		mesh_load(m);
}

void
mesh_reload(struct mesh *m)
{
	struct session *s;

	token_told(m->core, &m->id, NULL);
	/* At once: what was lost comes before what arrives from now on. */
	LIST_FOREACH (s, &m->roster.locals, local)
		delivery_drain(s);
	visitor_missed(m);
	mesh_load_again(m);
}

void
mesh_free_all(struct core *c)
{
	struct hash_entry *e, *next;
	size_t i;

	HASH_FOREACH (e, next, i, &c->meshes)
		mesh_free(CONTAINER(e, struct mesh, by_id));
	hash_free(&c->meshes);
}

void
mesh_tick(struct core *c)
{
	int64_t before = clock_wall() - c->limits.lease_ms;
	struct hash_entry *e, *next;
	struct session *s;
	struct mesh *m;
	size_t i;

	HASH_FOREACH (e, next, i, &c->meshes) {
		m = CONTAINER(e, struct mesh, by_id);
		while ((s = roster_ended(&m->roster, before)) != NULL)
			session_remove(s);
		session_forget(m, clock_mono() - MESH_GRAVES_MS);
		quota_tick(m);
		if (m->stale && c->up)
			mesh_load_again(m);
		if (m->users == 0 &&
		    clock_mono() - m->unused_ms > MESH_UNUSED_MS)
			mesh_free(m);
	}
}
