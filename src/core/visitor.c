/* SPDX-License-Identifier: ISC */
/*
 * Visitors: sessions of programs that show a token with each request, and so
 * have no connection that a process could have.
 *
 * A visitor is in every roster like any session, but its ref names no process:
 * what is sent to it waits in the database, and whoever acts as it, in any
 * process, fetches it there (pull_read.c).  It is there until it was not used
 * for mesh.visit, or its token is over; the jobs process sees to that.
 *
 * Its key is made of that of tokens, its token and its name: each process has
 * it whose host has token.key, and the database does not.
 *
 * Anybody may use or change it at any time.  So the database has the last word:
 * each use and change makes used_at greater, a change is made only to what the
 * database had (or else again), and others are told what was read after it.
 * Of two tellings that with the greater used_at, active_ms in a roster, counts.
 */
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"

#define VISITOR_USED_MS 30000 /* each use within that time is one */
#define VISITOR_TRIES 5

bool
visitor_is(const struct session_info *i)
{
	return SESSION_REF_PROC(i->ref) == VISITOR_PROC;
}

void
visitor_open(struct core *c, const uint8_t key[CRYPTO_KEY_LEN])
{
	static const char use[] = "linnet sessions of tokens";

	crypto_digest(c->visitor_key, use, sizeof(use), key);
}

/*
 * Who acts as it.
 */
static void
visitor_come(struct client *c, struct session *s)
{
	struct deputy *d = c->deputy;

	d->visits = s;
	LIST_INSERT_HEAD(&s->visits, d, visit);
	LIST_INSERT_HEAD(&c->core->visiting, d, visiting);
	c->session = s;
}

void
visitor_leave(struct deputy *d)
{
	crypto_wipe(d->secret, sizeof(d->secret));
	if (d->news != NULL)
		LIST_REMOVE(d, watching);
	d->news = NULL;
	if (d->is_nudged)
		LIST_REMOVE(d, nudged);
	d->is_nudged = false;
	if (d->visits == NULL)
		return;
	LIST_REMOVE(d, visit);
	LIST_REMOVE(d, visiting);
	d->visits = NULL;
}

void
visitor_over(struct session *s)
{
	static const char text[] =
	    "Your session here was ended; ask again, and if the token is still "
	    "good it begins anew.";
	struct deputy *d;
	struct client *c;

	while ((d = LIST_FIRST(&s->visits)) != NULL) {
		c = d->client;
		visitor_leave(d);
		c->session = NULL;
		c->scopes = SCOPE_BIT(SCOPE_PUBLIC);
		client_forget(c);
		c->calls->close(c, ERR_DISCONNECTED, text);
	}
}

bool
visitor_unseal(const struct client *c, void *out,
    const uint8_t nonce[CRYPTO_NONCE_LEN], const void *box, size_t n,
    const uint8_t from[CRYPTO_KEY_LEN])
{
	return n >= CRYPTO_BOX_EXTRA && c->deputy->visits != NULL &&
	       crypto_open(out, nonce, box, n, from, c->deputy->secret) == 0;
}

/*
 * News.
 */
/* Whoever hears of it may ask at once: not in the middle of something. */
static void
visitor_nudge_one(struct deputy *d)
{
	if (d->news == NULL || d->is_nudged)
		return;
	d->is_nudged = true;
	LIST_INSERT_HEAD(&d->client->core->nudged, d, nudged);
}

void
visitor_nudge(const struct session *s)
{
	struct deputy *d;

	LIST_FOREACH (d, &s->visits, visit)
		visitor_nudge_one(d);
}

void
visitor_missed(struct mesh *m)
{
	struct deputy *d;

	LIST_FOREACH (d, &m->watching, watching)
		visitor_nudge_one(d);
}

void
visitor_turn(struct core *c)
{
	struct deputy *d;

	while ((d = LIST_FIRST(&c->nudged)) != NULL) {
		LIST_REMOVE(d, nudged);
		d->is_nudged = false;
		d->news(d->client, NULL);
	}
}

void
visitor_state(struct mesh *m, const struct state_change *s)
{
	struct deputy *d, *next;

	LIST_FOREACH_SAFE (d, &m->watching, watching, next)
		if (!id_same(&d->visits->info.id, &s->by_session) &&
		    d->client->scopes & SCOPE_BIT(SCOPE_STATE_READ) &&
		    !block_has(
			m, &d->visits->info.member, &s->by_member, BLOCK_STATE))
			d->news(d->client, s);
}

/*
 * What the database has of it.
 */
/* Tells what was read, here and to the others. */
static void
visitor_told(struct core *c, const struct id *mesh, const struct db_result *res)
{
	struct session_row in;

	session_row(&in, c, mesh, res, 0);
	if (in.ended_ms != 0) {
		session_told_gone(c, mesh, &in.info.id, in.info.ref, true);
		return;
	}
	session_told(c, &in.info);
	event_session(c, &in.info);
}

static void
visitor_ask(struct core *c, const struct id *mesh,
    const uint8_t key[CRYPTO_KEY_LEN], db_fn *fn, void *arg)
{
	struct db_params *p = db_params(STMT_session_row);

	db_put_id(p, mesh);
	db_put_bytes(p, key, CRYPTO_KEY_LEN);
	db_query(c->reads, p, fn, arg);
}

/* A visitor in a mesh; it may be gone by then. */
struct visitor_arg {
	struct core *core;
	struct id mesh;
	uint8_t key[CRYPTO_KEY_LEN];
};

static struct session *
visitor_find(
    struct core *c, const struct id *mesh, const uint8_t key[CRYPTO_KEY_LEN])
{
	struct mesh *m = mesh_find(c, mesh);
	struct session *s = m != NULL ? roster_by_key(&m->roster, key) : NULL;

	return s != NULL && s->info.live && visitor_is(&s->info) ? s : NULL;
}

static void
visitor_has_read(void *arg, const struct db_result *res)
{
	struct visitor_arg *a = arg;
	struct session *s = visitor_find(a->core, &a->mesh, a->key);

	if (s != NULL)
		s->reading = false;
	if (db_status(res) == DB_OK && db_rows(res) > 0)
		visitor_told(a->core, &a->mesh, res);
	free(a);
}

void
visitor_read(
    struct core *c, const struct id *mesh, const uint8_t key[CRYPTO_KEY_LEN])
{
	struct visitor_arg *a = xcalloc(1, sizeof(*a));

	a->core = c;
	a->mesh = *mesh;
	memcpy(a->key, key, sizeof(a->key));
	visitor_ask(c, mesh, key, visitor_has_read, a);
}

/*
 * Coming by.
 */
/* Of the request's pool. */
struct entering {
	struct request *request;
	struct visit visit;
	visitor_fn *fn;
	struct id mesh;
	struct id member;
	uint8_t key[CRYPTO_KEY_LEN];
	uint64_t told; /* the mesh's, before it was opened */
};

/* The pair of a token and a name, for whoever has the key of tokens. */
static void
visitor_pair(struct entering *e, struct slice folded)
{
	struct deputy *d = e->request->client->deputy;
	const size_t n = ID_LEN + folded.n;
	uint8_t *text = pool_alloc(&e->request->pool, n);
	uint8_t seed[CRYPTO_DIGEST_LEN];

	memcpy(text, d->token.id.b, ID_LEN);
	if (folded.n > 0)
		memcpy(text + ID_LEN, folded.p, folded.n);
	crypto_digest(seed, text, n, e->request->core->visitor_key);
	crypto_seed_pair(e->key, d->secret, seed);
	crypto_wipe(seed, sizeof(seed));
}

static int64_t
visitor_used_ms(const struct core *c)
{
	int64_t part = c->limits.visit_ms / 4;

	return part < VISITOR_USED_MS ? part : VISITOR_USED_MS;
}

static bool
visitor_was_used(const struct session *s)
{
	return s->used_ms != 0 &&
	       clock_mono() - s->used_ms < visitor_used_ms(s->mesh->core);
}

static void
visitor_entered(struct entering *e, struct session *s)
{
	struct request *r = e->request;

	visitor_come(r->client, s);
	r->state = REQUEST_WAITS;
	e->fn(r);
}

static void
visitor_row(void *arg, const struct db_result *res)
{
	struct entering *e = arg;
	struct request *r = e->request;
	struct core *c = r->core;
	struct session *s;
	struct mesh *m;

	if (op_db_failed(r, res))
		return;
	if (db_rows(res) > 0)
		visitor_told(c, &e->mesh, res);
	m = mesh_find(c, &e->mesh);
	/* It may have been opened before, and answered after, a change. */
	if (m != NULL && m->told != e->told)
		member_told(c, &e->mesh, &e->member, ERR_NONE, 0,
		    (struct slice){ NULL, 0 });
	s = visitor_find(c, &e->mesh, e->key);
	if (r->client == NULL || s == NULL)
		op_fail(r, ERR_UNAVAILABLE, NULL);
	else
		visitor_entered(e, s);
}

static void
visitor_used(void *arg, const struct db_result *res)
{
	struct entering *e = arg;
	struct request *r = e->request;

	if (op_db_failed(r, res))
		return;
	if (!db_bool(res, 0, 0))
		op_fail(r, ERR_UNAUTHORIZED,
		    "This token is over; linnet token create makes a new one.");
	else if (db_bool(res, 0, 1))
		op_fail(r, ERR_CAPACITY, NULL);
	else
		visitor_ask(r->core, &e->mesh, e->key, visitor_row, e);
}

/* Sessions of the member beside this one. */
static int64_t
visitor_others(const struct entering *e, const struct mesh *m)
{
	const struct roster_set *set = roster_member(&m->roster, &e->member);
	const struct roster_link *l;
	int64_t n = 0;

	if (set != NULL)
		LIST_FOREACH (l, &set->links, entry)
			n += l->session->info.live &&
			     memcmp(l->session->info.key, e->key,
				 CRYPTO_KEY_LEN) != 0;
	return n;
}

static enum err
visitor_check(struct entering *e, const struct mesh *m)
{
	struct request *r = e->request;

	if (visitor_others(e, m) >= r->core->limits.member_sessions)
		return op_error(r, ERR_CAPACITY,
		    "A member may have %lld sessions at a time; end one.",
		    (long long)r->core->limits.member_sessions);
	return rate_hello(r, m, r->client->deputy->session.info.member_key);
}

static void
visitor_put(struct entering *e, const struct mesh *m, struct slice folded)
{
	struct core *c = e->request->core;
	const struct slice name = e->visit.name;
	struct db_params *p = db_params(STMT_visitor_use);
	uint8_t ident[CRYPTO_DIGEST_LEN];
	struct id id;
	uint64_t ref;

	id_new(&id);
	/* As that of any session with a key. */
	crypto_digest(ident, e->key, CRYPTO_KEY_LEN, NULL);
	crypto_random_bytes(&ref, sizeof(ref));
	ref = ref >> 8 | (uint64_t)VISITOR_PROC << 56;
	db_put_id(p, &id);
	db_put_id(p, &e->mesh);
	db_put_id(p, &e->request->client->deputy->token.id);
	db_put_bytes(p, ident, sizeof(ident));
	db_put_bytes(p, e->key, CRYPTO_KEY_LEN);
	db_put_text(p, name.n > 0 ? name.p : NULL, name.n);
	db_put_text(p, name.n > 0 ? folded.p : NULL, folded.n);
	db_put_int(p, (int64_t)ref);
	db_put_int(p, c->limits.lease_ms);
	if ((int64_t)m->roster.live >= quota_max(m, QUOTA_SESSIONS))
		db_put_int(p, quota_max(m, QUOTA_SESSIONS));
	else
		db_put_null(p);
	db_put_int(p, e->visit.hidden);
	db_query(c->reads, p, visitor_used, e);
}

void
visitor_enter(struct request *r, const struct visit *v, visitor_fn *fn)
{
	struct entering *e = pool_zalloc(&r->pool, sizeof(*e));
	const struct session *own = r->client->session;
	const struct mesh *m = own->mesh;
	struct slice folded = { NULL, 0 };
	struct session *s;
	char *text;

	e->request = r;
	e->visit = *v;
	e->fn = fn;
	e->mesh = m->id;
	e->member = own->info.member;
	e->told = m->told;
	if (v->name.n > 0) {
		text = pool_alloc(&r->pool, 2 * v->name.n + 1);
		folded.n = str_fold(text, v->name.p, v->name.n);
		folded.p = text;
	}
	visitor_pair(e, folded);
	s = visitor_find(r->core, &e->mesh, e->key);
	if (s != NULL && visitor_was_used(s) &&
	    (v->hidden < 0 || s->info.hidden == v->hidden)) {
		visitor_entered(e, s);
		return;
	}
	if (s == NULL && visitor_check(e, m) != ERR_NONE) {
		op_fail(r, r->error, NULL);
		return;
	}
	/* It is not given up when its client goes. */
	r->state = REQUEST_RUNS;
	visitor_put(e, m, folded);
}

/*
 * Staying.
 */
static void
visitor_touched(void *arg, const struct db_result *res)
{
	struct visitor_arg *a = arg;
	struct session *s;

	if (db_status(res) == DB_OK) {
		visitor_ask(a->core, &a->mesh, a->key, visitor_has_read, a);
		return;
	}
	if ((s = visitor_find(a->core, &a->mesh, a->key)) != NULL)
		s->reading = false;
	free(a);
}

static void
visitor_touch(struct session *s)
{
	struct visitor_arg *a = xcalloc(1, sizeof(*a));
	struct db_params *p = db_params(STMT_visitor_touch);

	a->core = s->mesh->core;
	a->mesh = s->mesh->id;
	memcpy(a->key, s->info.key, sizeof(a->key));
	s->reading = true;
	db_put_id(p, &s->info.id);
	db_put_int(p, (int64_t)s->info.ref);
	db_query(a->core->reads, p, visitor_touched, a);
}

void
visitor_tick(struct core *c)
{
	struct deputy *d;

	LIST_FOREACH (d, &c->visiting, visiting)
		if (!d->visits->reading && !visitor_was_used(d->visits))
			visitor_touch(d->visits);
}

/*
 * What it says of itself.
 */
/* Of the request's pool, as its context. */
struct change {
	struct id mesh;
	uint8_t key[CRYPTO_KEY_LEN];
	void *out;
	unsigned tries;
	bool stored;
};

static void
visitor_change_read(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct change *ch = r->context;
	struct mesh *m = mesh_find(r->core, &ch->mesh);

	/* The roster has what is not stored. */
	if (db_status(res) != DB_OK && m != NULL)
		m->stale = true;
	if (op_db_failed(r, res))
		return;
	if (db_rows(res) > 0)
		visitor_told(r->core, &ch->mesh, res);
	if (ch->stored)
		op_reply(r, ch->out);
	else if (r->client == NULL || ++ch->tries == VISITOR_TRIES)
		op_fail(r, ERR_UNAVAILABLE,
		    "The session changes too often; try again.");
	else
		r->op->exec(r, r->in);
}

static void
visitor_change_stored(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct change *ch = r->context;

	ch->stored = db_status(res) == DB_OK && db_rows(res) > 0;
	visitor_ask(r->core, &ch->mesh, ch->key, visitor_change_read, r);
}

void
visitor_changed(struct session *s, struct request *r, void *out)
{
	const struct session_info *i = &s->info;
	struct slice profile = { NULL, 0 }, stats = { NULL, 0 };
	struct db_params *p = db_params(STMT_visitor_change);
	struct change *ch = r->context;

	if (ch == NULL)
		ch = r->context = pool_zalloc(&r->pool, sizeof(*ch));
	ch->mesh = s->mesh->id;
	memcpy(ch->key, i->key, sizeof(ch->key));
	ch->out = out;
	if (i->more != NULL) {
		profile = i->more->profile;
		stats = i->more->stats;
	}
	db_put_id(p, &i->id);
	db_put_int(p, (int64_t)i->ref);
	db_put_int(p, i->active_ms);
	db_put_int(p, i->status);
	db_put_int(p, i->source);
	db_put_text(p, i->summary.p, i->summary.n);
	db_put_texts(p, i->groups, 2 * i->ngroups);
	db_put_bool(p, i->hidden);
	db_put_text(p, profile.n > 0 ? profile.p : NULL, profile.n);
	db_put_text(p, stats.n > 0 ? stats.p : NULL, stats.n);
	db_query(r->core->reads, p, visitor_change_stored, r);
}
