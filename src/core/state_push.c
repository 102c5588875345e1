/* SPDX-License-Identifier: ISC */
/*
 * Telling of changes of shared state.
 *
 * Changes of one key may reach a process out of order, through the rings of
 * two others; each process remembers the newest version it pushed of every
 * key, so that what a client saw last is what is stored.  That of a deleted
 * key is kept until no reading of what was missed can bring it up again.
 */
#include <stdlib.h>
#include <string.h>

#include "core/state.h"

/* A commit may become visible some time after its clock reading. */
#define STATE_MARGIN_MS 60000

/* The newest version of a key that was pushed here. */
struct state_version {
	struct hash_entry hash;
	TAILQ_ENTRY(state_version) entry; /* when it is deleted */
	int64_t version;
	int64_t deleted_ms; /* 0: it is not */
	char key[];
};

static void
state_version_free(struct mesh *m, struct state_version *v)
{
	hash_remove(&m->versions, &v->hash);
	if (v->deleted_ms != 0)
		TAILQ_REMOVE(&m->deleted, v, entry);
	free(v);
}

/* Forgets keys that were deleted before what state_catch_up() reads. */
static void
state_trim(struct mesh *m)
{
	struct state_version *v;

	while ((v = TAILQ_FIRST(&m->deleted)) != NULL &&
	       v->deleted_ms < m->state_ms - STATE_MARGIN_MS)
		state_version_free(m, v);
}

/* Is the change newer than what was pushed?  It is remembered then. */
static bool
state_is_news(struct mesh *m, const struct state_change *s)
{
	struct hash_entry *e = hash_find(&m->versions, s->key.p, s->key.n);
	struct state_version *v;

	if (e != NULL) {
		v = CONTAINER(e, struct state_version, hash);
		if (s->version <= v->version)
			return false;
		if (v->deleted_ms != 0)
			TAILQ_REMOVE(&m->deleted, v, entry);
		v->deleted_ms = 0;
	} else {
		v = xcalloc(1, sizeof(*v) + s->key.n);
		memcpy(v->key, s->key.p, s->key.n);
		hash_insert(&m->versions, &v->hash, v->key, s->key.n);
	}
	v->version = s->version;
	if (s->value.p == NULL) {
		v->deleted_ms = s->updated_ms;
		TAILQ_INSERT_TAIL(&m->deleted, v, entry);
	}
	return true;
}

void
state_forget(struct mesh *m)
{
	struct hash_entry *e, *next;
	size_t i;

	HASH_FOREACH (e, next, i, &m->versions)
		free(CONTAINER(e, struct state_version, hash));
	hash_free(&m->versions);
}

void
state_push(struct mesh *m, const struct state_change *s)
{
	struct session *to;
	struct event e;

	if (!state_is_news(m, s))
		return;
	if (s->updated_ms > m->state_ms)
		m->state_ms = s->updated_ms;
	state_trim(m);
	event_init(&e, EVENT_STATE, s);
	LIST_FOREACH (to, &m->roster.locals, local)
		if (state_wants(to, s->key) &&
		    !id_same(&to->info.id, &s->by_session) &&
		    !block_has(m, &to->info.member, &s->by_member, BLOCK_STATE))
			(void)client_push(to->client, &e);
	event_fini(&e);
	visitor_state(m, s);
}

void
state_told(struct core *c, const struct state_change *s)
{
	struct mesh *m = mesh_find(c, &s->mesh);

	if (m != NULL)
		state_push(m, s);
}

static void
state_caught_up(void *arg, const struct db_result *r)
{
	struct mesh *m = arg;
	struct state_change s;
	size_t i;

	for (i = 0; db_status(r) == DB_OK && i < db_rows(r); i++) {
		memset(&s, 0, sizeof(s));
		s.mesh = m->id;
		s.key = db_text(r, i, 0);
		s.by_name = db_text(r, i, 2);
		s.updated_ms = db_time(r, i, 3);
		s.version = db_int(r, i, 4);
		db_id(r, i, 5, &s.by_session);
		db_id(r, i, 6, &s.by_member);
		if (!db_bool(r, i, 7))
			s.value = db_text(r, i, 1);
		state_push(m, &s);
	}
	mesh_put(m);
}

void
state_catch_up(struct mesh *m)
{
	struct db_params *p = db_params(STMT_state_since);

	m->users++;
	db_put_id(p, &m->id);
	db_put_int(p, m->state_ms - STATE_MARGIN_MS);
	db_query(m->core->reads, p, state_caught_up, m);
}
