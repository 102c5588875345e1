/* SPDX-License-Identifier: ISC */
/*
 * Shared state: keys with JSON values and versions.  A change is stored, then
 * pushed to every session of the mesh but the one that made it.
 *
 * Changes of one key may reach a process out of order, through the rings of
 * two others; each process remembers the newest version it pushed of every
 * key, so that what a client saw last is what is stored.
 */
#include <stdlib.h>
#include <string.h>

#include "core/core.h"

#define STATE_LIST_MAX ((size_t)64 << 20) /* bytes of values */

/* The newest version of a key that was pushed here. */
struct state_version {
	struct hash_entry hash;
	int64_t version;
	char key[];
};

struct state_in {
	struct slice key;
	struct slice value;
};

static const struct field set_fields[] = {
	{ "key", F_STR, offsetof(struct state_in, key), 1, 256, FIELD_REQUIRED,
	    NULL, NULL, 0, "Key." },
	{ "value", F_JSON, offsetof(struct state_in, value), 1, 1048576,
	    FIELD_REQUIRED, NULL, NULL, 0, "Any JSON value." },
	{ .type = F_END },
};

static const struct field get_fields[] = {
	{ "key", F_STR, offsetof(struct state_in, key), 1, 256, FIELD_REQUIRED,
	    NULL, NULL, 0, "Key." },
	{ .type = F_END },
};

struct state_out {
	struct slice key;
	struct slice value;
	struct slice by;
	int64_t updated_ms;
	int64_t version;
};

#define OUT(field) offsetof(struct state_out, field)
static const struct field state_out_fields[] = {
	{ "key", F_STR, OUT(key), 0, 0, 0, NULL, NULL, 0, "Key." },
	{ "value", F_JSON, OUT(value), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "Value; null when the key was never set." },
	{ "updatedBy", F_STR, OUT(by), 0, 0, 0, NULL, NULL, 0, "Who set it." },
	{ "updatedAt", F_TIME, OUT(updated_ms), 0, 0, 0, NULL, NULL, 0,
	    "When." },
	{ "version", F_INT, OUT(version), 0, 0, 0, NULL, NULL, 0,
	    "Rises by one with each change; 0 when it was never set." },
	{ .type = F_END },
};
#undef OUT

struct state_list_out {
	struct list entries;
};

static const struct field state_list_fields[] = {
	{ "entries", F_ROWS, offsetof(struct state_list_out, entries), 0, 0, 0,
	    NULL, state_out_fields, sizeof(struct state_out),
	    "All keys, in order." },
	{ .type = F_END },
};

static const struct field no_fields[] = {
	{ .type = F_END },
};

/* Is the version newer than what was pushed?  It is remembered then. */
static bool
state_is_news(struct mesh *m, struct slice key, int64_t version)
{
	struct hash_entry *e = hash_find(&m->versions, key.p, key.n);
	struct state_version *v;

	if (e != NULL) {
		v = CONTAINER(e, struct state_version, hash);
		if (version <= v->version)
			return false;
		v->version = version;
		return true;
	}
	v = xcalloc(1, sizeof(*v) + key.n);
	memcpy(v->key, key.p, key.n);
	v->version = version;
	hash_insert(&m->versions, &v->hash, v->key, key.n);
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

/* Pushes a change to the sessions of this process. */
static void
state_push(struct mesh *m, const struct state_change *s)
{
	struct session *to;
	struct event e;

	if (!state_is_news(m, s->key, s->version))
		return;
	if (s->updated_ms > m->state_ms)
		m->state_ms = s->updated_ms;
	event_init(&e, EVENT_STATE, s);
	LIST_FOREACH (to, &m->roster.locals, local)
		if (!to->info.control && !id_same(&to->info.id, &s->by_session))
			(void)to->client->calls->push(to->client, &e);
	event_fini(&e);
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
		s.mesh = m->id;
		s.key = db_text(r, i, 0);
		s.value = db_text(r, i, 1);
		s.by_name = db_text(r, i, 2);
		s.updated_ms = db_time(r, i, 3);
		s.version = db_int(r, i, 4);
		db_id(r, i, 5, &s.by_session);
		state_push(m, &s);
	}
	mesh_put(m);
}

void
state_catch_up(struct mesh *m)
{
	/* A commit may become visible some time after its clock reading. */
	const int64_t margin = 60000;
	struct db_params *p = db_params(STMT_state_since);

	m->users++;
	db_put_id(p, &m->id);
	db_put_int(p, m->state_ms - margin);
	db_query(m->core->reads, p, state_caught_up, m);
}

/* A key that is set, on its way. */
struct state_set {
	struct request *request;
	struct state_change change;
};

static void
state_stored(void *arg, const struct db_result *r)
{
	struct state_set *set = arg;
	struct request *req = set->request;
	struct state_change *s = &set->change;
	struct state_out out;
	struct mesh *m;

	if (op_db_failed(req, r))
		return;
	s->version = db_int(r, 0, 0);
	s->updated_ms = db_time(r, 0, 1);
	core_count(req->core, STATE_CHANGES);
	if ((m = mesh_find(req->core, &s->mesh)) != NULL)
		state_push(m, s);
	event_state(req->core, s);
	out = (struct state_out){ s->key, s->value, s->by_name, s->updated_ms,
		s->version };
	op_reply(req, &out);
}

static void
set_state_exec(struct request *r, void *arg)
{
	const struct state_in *in = arg;
	const struct session *s = r->client->session;
	struct state_set *set = pool_zalloc(&r->pool, sizeof(*set));
	struct state_change *c = &set->change;
	struct db_params *p;

	set->request = r;
	c->mesh = s->mesh->id;
	c->key = in->key;
	c->value = in->value;
	c->by_session = s->info.id;
	c->by_name =
	    (struct slice){ pool_dup(&r->pool, s->info.name.p, s->info.name.n),
		    s->info.name.n };
	p = db_row(r->core->writes, STMT_state_set, state_stored, set);
	db_put_id(p, &c->mesh);
	db_put_text(p, c->key.p, c->key.n);
	db_put_text(p, c->value.p, c->value.n);
	db_put_id(p, &c->by_session);
	db_put_text(p, c->by_name.p, c->by_name.n);
}

static void
state_got(void *arg, const struct db_result *r)
{
	struct request *req = arg;
	const struct state_in *in = req->in;
	struct state_out out = { .key = in->key, .by = { "", 0 } };

	if (op_db_failed(req, r))
		return;
	if (db_rows(r) > 0) {
		out.value = db_text(r, 0, 0);
		out.by = db_text(r, 0, 1);
		out.updated_ms = db_time(r, 0, 2);
		out.version = db_int(r, 0, 3);
	}
	op_reply(req, &out);
}

static void
get_state_exec(struct request *r, void *arg)
{
	const struct state_in *in = arg;
	struct db_params *p = db_params(STMT_state_get);

	db_put_id(p, &r->client->session->mesh->id);
	db_put_text(p, in->key.p, in->key.n);
	db_query(r->core->reads, p, state_got, r);
}

static void
state_listed(void *arg, const struct db_result *r)
{
	struct request *req = arg;
	struct state_list_out out;
	struct state_out *v;
	size_t i, n, bytes = 0;

	if (op_db_failed(req, r))
		return;
	n = db_rows(r);
	for (i = 0; i < n; i++)
		bytes += db_text(r, i, 1).n;
	if (bytes > STATE_LIST_MAX) {
		op_fail(req, ERR_TOO_BIG,
		    "All values together are too large; get them one by one.");
		return;
	}
	v = pool_alloc(&req->pool, (n + 1) * sizeof(*v));
	for (i = 0; i < n; i++)
		v[i] = (struct state_out){ db_text(r, i, 0), db_text(r, i, 1),
			db_text(r, i, 2), db_time(r, i, 3), db_int(r, i, 4) };
	out.entries = (struct list){ v, n };
	op_reply(req, &out);
}

static void
list_state_exec(struct request *r, void *arg)
{
	struct db_params *p = db_params(STMT_state_list);

	(void)arg;
	db_put_id(p, &r->client->session->mesh->id);
	db_put_int(p, (int64_t)STATE_LIST_MAX);
	db_query(r->core->reads, p, state_listed, r);
}

const struct op op_set_state = {
	.name = "set_state",
	.scope = SCOPE_STATE_WRITE,
	.reply = "state_result",
	.flags = OP_QUIET,
	.in = set_fields,
	.in_size = sizeof(struct state_in),
	.out = state_out_fields,
	.exec = set_state_exec,
	.text = "Set a key for the whole mesh; everybody is told.",
};

const struct op op_get_state = {
	.name = "get_state",
	.scope = SCOPE_STATE_READ,
	.reply = "state_result",
	.in = get_fields,
	.in_size = sizeof(struct state_in),
	.out = state_out_fields,
	.exec = get_state_exec,
	.text = "Read a key.",
};

const struct op op_list_state = {
	.name = "list_state",
	.scope = SCOPE_STATE_READ,
	.reply = "state_list",
	.in = no_fields,
	.out = state_list_fields,
	.exec = list_state_exec,
	.text = "Read all keys.",
};
