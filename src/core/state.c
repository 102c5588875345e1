/* SPDX-License-Identifier: ISC */
/*
 * Shared state: keys with JSON values and versions.  A change is stored, then
 * pushed to every session of the mesh but the one that made it.
 *
 * The version of a key rises by one with each change, its deletion included,
 * and goes on rising when it is set again; a condition counts a key that is
 * not there as version 0.  A change may come to the database twice, when the
 * answer to it was lost: its id is there so that one with a condition does not
 * fail for what it did itself.
 */
#include "core/state.h"

/* The greatest number that every JSON reader has whole. */
#define STATE_VERSION_MAX (INT64_C(1) << 53)

struct state_in {
	struct slice key;
	struct slice value;
	int64_t if_version;
};

static const struct field set_fields[] = {
	{ "key", F_STR, offsetof(struct state_in, key), 1, STATE_KEY_MAX,
	    FIELD_REQUIRED | FIELD_LIMIT(LIMIT_STATE_KEY), NULL, NULL, 0,
	    "Key." },
	{ "value", F_JSON, offsetof(struct state_in, value), 1, 1048576,
	    FIELD_REQUIRED | FIELD_LIMIT(LIMIT_STATE_VALUE), NULL, NULL, 0,
	    "Any JSON value." },
	{ "ifVersion", F_INT, offsetof(struct state_in, if_version), 0,
	    STATE_VERSION_MAX, FIELD_ABSENT, NULL, NULL, 0,
	    "Only if the key has this version; 0: only if it is not there. "
	    "Else version_conflict, with the version that it has." },
	{ .type = F_END },
};

static const struct field delete_fields[] = {
	{ "key", F_STR, offsetof(struct state_in, key), 1, STATE_KEY_MAX,
	    FIELD_REQUIRED, NULL, NULL, 0, "Key." },
	{ "ifVersion", F_INT, offsetof(struct state_in, if_version), 1,
	    STATE_VERSION_MAX, FIELD_ABSENT, NULL, NULL, 0,
	    "Only if the key has this version." },
	{ .type = F_END },
};

struct delete_out {
	struct slice key;
	int64_t version;
	bool existed;
};

static const struct field delete_out_fields[] = {
	{ "key", F_STR, offsetof(struct delete_out, key), 0, 0, 0, NULL, NULL,
	    0, "Key." },
	{ "version", F_INT, offsetof(struct delete_out, version), 0, 0, 0, NULL,
	    NULL, 0, "Of this change; 0 when there was nothing to delete." },
	{ "existed", F_BOOL, offsetof(struct delete_out, existed), 0, 0, 0,
	    NULL, NULL, 0, "There was such a key." },
	{ .type = F_END },
};

/* A change on its way. */
struct state_write {
	struct request *request;
	struct id id;
	struct state_change change;
	int64_t if_version; /* -1: whatever it has */
	struct quota_need needs[2];
};

static void state_store(struct request *r, void *arg);

/* The key is as it was. */
static void
state_unchanged(struct state_write *w, int64_t version)
{
	struct request *r = w->request;
	struct delete_out out = { w->change.key, 0, false };

	if (w->if_version == -1 || w->if_version == version) {
		op_reply(r, &out);
		return;
	}
	r->error_version = version;
	if (version == 0)
		op_fail(r, ERR_VERSION_CONFLICT,
		    "There is no such key, so it has not version %lld.",
		    (long long)w->if_version);
	else
		op_fail(r, ERR_VERSION_CONFLICT,
		    "The key has version %lld, not %lld; read it and try "
		    "again with that.",
		    (long long)version, (long long)w->if_version);
}

static void
state_changed(struct state_write *w)
{
	struct request *r = w->request;
	const struct state_change *s = &w->change;
	struct delete_out deleted = { s->key, s->version, true };
	struct state_out set = { s->key, s->value, s->by_name, s->updated_ms,
		s->version };
	struct mesh *m;

	core_count(r->core, STATE_CHANGES);
	if ((m = mesh_find(r->core, &s->mesh)) != NULL)
		state_push(m, s);
	event_state(r->core, s);
	if (s->value.p == NULL)
		op_reply(r, &deleted);
	else
		op_reply(r, &set);
}

static void
state_written(void *arg, const struct db_result *r)
{
	struct state_write *w = arg;

	if (op_db_failed(w->request, r))
		return;
	if (db_bool(r, 0, 0)) {
		/* Another process made the key meanwhile: now it is there, to
		 * be compared. */
		state_store(w->request, w);
		return;
	}
	if (!db_bool(r, 0, 1)) {
		state_unchanged(w, db_int(r, 0, 3));
		return;
	}
	w->change.version = db_int(r, 0, 2);
	w->change.updated_ms = db_time(r, 0, 4);
	state_changed(w);
}

static void
state_store(struct request *r, void *arg)
{
	struct state_write *w = arg;
	const struct state_change *c = &w->change;
	struct db_params *p =
	    db_row(r->core->writes, STMT_state_write, state_written, w);

	db_put_id(p, &w->id);
	db_put_id(p, &c->mesh);
	db_put_text(p, c->key.p, c->key.n);
	db_put_text(p, c->value.p, c->value.n);
	if (w->if_version == -1)
		db_put_null(p);
	else
		db_put_int(p, w->if_version);
	db_put_id(p, &c->by_session);
	db_put_text(p, c->by_name.p, c->by_name.n);
}

/* The change that a request is about. */
static struct state_write *
state_begin(struct request *r, const struct state_in *in)
{
	const struct session *s = r->client->session;
	struct state_write *w = pool_zalloc(&r->pool, sizeof(*w));
	struct slice name = s->info.name;

	id_new(&w->id);
	w->request = r;
	w->if_version = in->if_version;
	w->change = (struct state_change){ .mesh = s->mesh->id,
		.key = in->key,
		.value = in->value,
		.by_session = s->info.id,
		.by_member = s->info.member,
		.by_name = { pool_dup(&r->pool, name.p, name.n), name.n } };
	return w;
}

static void
set_state_exec(struct request *r, void *arg)
{
	const struct state_in *in = arg;
	const struct id *mesh = &r->client->session->mesh->id;
	struct state_write *w = state_begin(r, in);

	w->needs[0] = (struct quota_need){ QUOTA_STATE_KEYS, 1, mesh };
	w->needs[1] = (struct quota_need){ QUOTA_STATE_BYTES,
		(int64_t)in->value.n, mesh };
	quota_take(r, in->key, w->needs, NELEM(w->needs), state_store, w);
}

static void
delete_state_exec(struct request *r, void *arg)
{
	state_store(r, state_begin(r, arg));
}

const struct op op_set_state = {
	.name = "set_state",
	.scope = SCOPE_STATE_WRITE,
	.rest = { "PUT /v1/state/{key}" },
	.reply = "state_result",
	.flags = OP_QUIET,
	.in = set_fields,
	.in_size = sizeof(struct state_in),
	.out = state_out_fields,
	.exec = set_state_exec,
	.text = "Set a key for the whole mesh; everybody is told.",
};

const struct op op_delete_state = {
	.name = "delete_state",
	.scope = SCOPE_STATE_WRITE,
	.rest = { "DELETE /v1/state/{key}" },
	.reply = "state_deleted",
	.in = delete_fields,
	.in_size = sizeof(struct state_in),
	.out = delete_out_fields,
	.exec = delete_state_exec,
	.text = "Delete a key for the whole mesh; everybody is told. That it "
		"is not there is fine.",
};
