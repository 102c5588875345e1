/* SPDX-License-Identifier: ISC */
/*
 * Who is meant by the targets of a message:
 *
 *	*, @all			every session of the mesh but the sender's
 *	@group			every session in it or in a group below it
 *	64 hex digits		the session or the member with this key
 *	anything else		the member or session with this name
 *
 * Connected ones are found in the roster.  A key or name that is not there is
 * looked up among members and past sessions, for whom the message is held.
 * Only when all targets are known is anybody chosen, in one go, so that each
 * recipient is counted once: groups first, then those named directly.
 */
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"

#define TARGET_NEAR_MAX 5
#define TARGET_NEAR_DISTANCE 3
#define TARGET_KEY_HEX (2 * CRYPTO_KEY_LEN)

/* Somebody who is not in the roster. */
struct absent {
	bool found;
	struct id id; /* member, or past session */
	struct id member;
};

struct resolve {
	struct request *request;
	const struct list *targets;
	enum priority priority;
	target_fn *fn;
	size_t next;	       /* target to look at */
	struct absent *absent; /* one per target */
	struct target out;
};

static bool
target_is(struct slice t, const char *s)
{
	return t.n == strlen(s) && memcmp(t.p, s, t.n) == 0;
}

static bool
target_is_all(struct slice t)
{
	return target_is(t, "*") || target_is(t, "@all");
}

static bool
target_is_group(struct slice t)
{
	return t.n > 1 && t.p[0] == '@' && !target_is_all(t);
}

static bool
target_key(struct slice t, uint8_t key[CRYPTO_KEY_LEN])
{
	return t.n == TARGET_KEY_HEX &&
	       crypto_unhex(key, CRYPTO_KEY_LEN, t.p, t.n) == 0;
}

static void
target_add(struct resolve *v, const struct id *id, const struct id *member,
    const struct session *s)
{
	struct target *t = &v->out;
	struct recipient *grown, *to;

	if (t->n == t->cap) {
		t->cap = t->cap > 0 ? 2 * t->cap : 4;
		grown = pool_alloc(&v->request->pool, t->cap * sizeof(*t->v));
		if (t->n > 0)
			memcpy(grown, t->v, t->n * sizeof(*t->v));
		t->v = grown;
	}
	to = &t->v[t->n++];
	memset(to, 0, sizeof(*to));
	to->id = *id;
	to->who = *member;
	/* Nobody can push to a visitor. */
	if (s == NULL || visitor_is(&s->info))
		return;
	to->member = !id_same(id, &s->info.id);
	to->ref = s->info.ref;
	to->holder = s->info.id;
	to->host = s->info.host;
	to->proc = s->info.proc;
	to->admits = roster_admits(s->info.status, v->priority);
}

/* A session that is meant itself, with a group or by its key. */
static void
target_add_session(struct resolve *v, struct session *s, uint64_t mark)
{
	if (s->mark == mark || s->info.control)
		return;
	s->mark = mark;
	target_add(v, &s->info.id, &s->info.member, s->info.live ? s : NULL);
}

static const struct id *
target_member_of(const struct roster_set *set)
{
	return &LIST_FIRST(&set->links)->session->info.member;
}

/* A member, of whom one session will do. */
static void
target_add_member(
    struct resolve *v, const struct roster_set *set, uint64_t mark)
{
	struct session *from = v->request->client->session;
	struct session *s = roster_best(set, v->priority, from);
	const struct id *member = target_member_of(set);
	size_t i;

	if (s != NULL && s->mark == mark)
		return;
	for (i = 0; i < v->out.n; i++)
		if (id_same(&v->out.v[i].id, member))
			return;
	if (s != NULL)
		s->mark = mark;
	target_add(v, member, member, s);
}

/* Does the member take no such messages of the sender? */
static bool
target_blocks(const struct resolve *v, const struct id *member, enum block what)
{
	const struct session *from = v->request->client->session;

	return block_has(from->mesh, member, &from->info.member, what);
}

/* The same of a direct target, which is remembered then. */
static bool
target_refuses(struct resolve *v, struct slice target, const struct id *member)
{
	struct list *b = &v->out.blocked;

	if (!target_blocks(v, member, BLOCK_DM))
		return false;
	if (b->v == NULL)
		b->v = pool_alloc(
		    &v->request->pool, v->targets->n * sizeof(struct slice));
	((struct slice *)b->v)[b->n++] = target;
	core_count(v->request->core, BLOCKED);
	return true;
}

/*
 * The sessions of one name.  Of one member: the member is meant, for whom any
 * of them will do.  NULL and *several: of more than one member.
 */
static struct roster_set *
target_named(const struct roster *r, struct slice t, struct pool *pool,
    struct session **only, bool *several)
{
	char *folded = pool_alloc(pool, 2 * t.n + 1);
	struct session *s = roster_name(r, folded, str_fold(folded, t.p, t.n));
	const struct id *member = NULL;
	size_t n = 0;

	*only = NULL;
	*several = false;
	for (; s != NULL; s = roster_name_next(s)) {
		if (s->info.control)
			continue;
		if (member != NULL && !id_same(member, &s->info.member)) {
			*several = true;
			return NULL;
		}
		member = &s->info.member;
		*only = s;
		n++;
	}
	if (n != 1)
		*only = NULL;
	return n > 0 ? roster_member(r, member) : NULL;
}

/* Is the name a session's own, other than its member's? */
static bool
target_own_name(const struct session *s)
{
	return s->info.name.n != s->info.member_name.n ||
	       memcmp(s->info.name.p, s->info.member_name.p, s->info.name.n) !=
		   0;
}

/* Chooses the recipients of a direct target; false when nobody is in the
 * roster. */
static bool
target_choose(struct resolve *v, struct slice t, uint64_t mark)
{
	struct roster *r = &v->request->client->session->mesh->roster;
	uint8_t key[CRYPTO_KEY_LEN];
	struct roster_set *set;
	struct session *s;
	bool several;

	if (target_key(t, key)) {
		if ((s = roster_by_key(r, key)) != NULL) {
			if (!target_refuses(v, t, &s->info.member))
				target_add_session(v, s, mark);
			return true;
		}
		if ((set = roster_member_key(r, key)) == NULL)
			return false;
		if (!target_refuses(v, t, target_member_of(set)))
			target_add_member(v, set, mark);
		return true;
	}
	set = target_named(r, t, &v->request->pool, &s, &several);
	if (set == NULL)
		return several;
	if (target_refuses(v, t, target_member_of(set)))
		return true;
	if (s != NULL && target_own_name(s))
		target_add_session(v, s, mark);
	else
		target_add_member(v, set, mark);
	return true;
}

/* A sender does not hear its own multicast, nor does the member on whose
 * behalf a tool sends it, nor who is hidden. */
static bool
target_hears(const struct session *s, const struct session *from)
{
	return !id_same(&s->info.id, &from->info.id) && !s->info.hidden &&
	       !(from->info.control &&
		   id_same(&from->info.member, &s->info.member));
}

static void
target_choose_group(struct resolve *v, struct slice t, uint64_t mark)
{
	struct session *from = v->request->client->session, *s;
	struct roster *r = &from->mesh->roster;
	struct roster_set *set;
	struct roster_link *l;

	if (target_is_all(t)) {
		TAILQ_FOREACH (s, &r->sessions, entry)
			if (target_hears(s, from) &&
			    !target_blocks(v, &s->info.member, BLOCK_BROADCAST))
				target_add_session(v, s, mark);
		return;
	}
	if ((set = roster_group(r, t.p + 1, t.n - 1)) == NULL)
		return;
	LIST_FOREACH (l, &set->links, entry)
		if (target_hears(l->session, from) &&
		    !target_blocks(
			v, &l->session->info.member, BLOCK_BROADCAST))
			target_add_session(v, l->session, mark);
}

/* Nobody is left. */
static void
target_blocked(struct resolve *v)
{
	const struct slice *t = v->out.blocked.v;

	op_fail(v->request, ERR_BLOCKED,
	    "\"" SLICE_FMT "\" takes no direct messages from you%s.",
	    SLICE_ARG(*t), v->out.blocked.n > 1 ? ", nor do the others" : "");
}

static void
target_finish(struct resolve *v)
{
	const struct slice *t = v->targets->v;
	struct client *c = v->request->client;
	uint64_t mark = roster_mark(&c->session->mesh->roster);
	bool held;
	size_t i, k;

	v->out.multicast = true;
	for (i = 0; i < v->targets->n; i++)
		if (target_is_all(t[i]) || target_is_group(t[i]))
			target_choose_group(v, t[i], mark);
	for (i = 0; i < v->targets->n; i++) {
		if (target_is_all(t[i]) || target_is_group(t[i]))
			continue;
		v->out.multicast = false;
		if (target_choose(v, t[i], mark) || !v->absent[i].found)
			continue;
		for (k = 0; k < v->out.n; k++)
			if (id_same(&v->out.v[k].id, &v->absent[i].id))
				break;
		if (k == v->out.n &&
		    !target_refuses(v, t[i], &v->absent[i].member))
			target_add(
			    v, &v->absent[i].id, &v->absent[i].member, NULL);
	}
	/* Its place in the order is settled when fn returns. */
	held = v->request->holds;
	v->request->holds = false;
	if (v->out.n == 0 && v->out.blocked.n > 0)
		target_blocked(v);
	else
		v->fn(v->request, &v->out);
	if (held)
		op_go_on(c);
}

/* Keeps the names nearest to what was asked. */
static void
target_near(struct resolve *v, const struct db_result *r)
{
	const struct slice t = ((const struct slice *)v->targets->v)[v->next];
	struct pool *pool = &v->request->pool;
	char *want = pool_alloc(pool, 2 * t.n + 1), *have;
	size_t n = str_fold(want, t.p, t.n), i, k;
	struct slice *near = pool_alloc(pool, TARGET_NEAR_MAX * sizeof(*near));
	struct list *out = &v->request->error_names;

	out->v = near;
	out->n = 0;
	for (i = 0; i < db_rows(r) && out->n < TARGET_NEAR_MAX; i++) {
		struct slice name = db_text(r, i, 0);

		have = pool_alloc(pool, 2 * name.n + 1);
		k = str_fold(have, name.p, name.n);
		if (str_distance(want, n, have, k, TARGET_NEAR_DISTANCE) <=
			TARGET_NEAR_DISTANCE &&
		    n > 2)
			near[out->n++] =
			    (struct slice){ pool_dup(pool, name.p, name.n),
				    name.n };
	}
}

static void
target_unknown(void *arg, const struct db_result *r)
{
	struct resolve *v = arg;
	const struct slice t = ((const struct slice *)v->targets->v)[v->next];
	const struct slice *near;

	if (db_status(r) == DB_OK)
		target_near(v, r);
	near = v->request->error_names.v;
	if (v->request->error_names.n > 0)
		op_fail(v->request, ERR_UNKNOWN_TARGET,
		    "Nobody here is called \"" SLICE_FMT
		    "\". Did you mean \"" SLICE_FMT "\"?",
		    SLICE_ARG(t), SLICE_ARG(near[0]));
	else
		op_fail(v->request, ERR_UNKNOWN_TARGET,
		    "Nobody here has the key, name or group \"" SLICE_FMT "\".",
		    (int)(t.n > 128 ? 128 : t.n), t.p);
}

static void
target_ask_names(struct resolve *v)
{
	struct db_params *p = db_params(STMT_target_names);

	db_put_id(p, &v->request->client->session->mesh->id);
	db_query(v->request->core->reads, p, target_unknown, v);
}

/* Several members or past sessions of the same name. */
static void
target_ambiguous(struct resolve *v, const struct slice t)
{
	op_fail(v->request, ERR_AMBIGUOUS_TARGET,
	    "Several peers are called \"" SLICE_FMT
	    "\"; use the public key of the one you mean.",
	    SLICE_ARG(t));
}

static void target_next(struct resolve *v);

static void
target_found(void *arg, const struct db_result *r)
{
	struct resolve *v = arg;
	const struct slice t = ((const struct slice *)v->targets->v)[v->next];
	struct absent *a = &v->absent[v->next];
	size_t i;

	if (op_db_failed(v->request, r))
		return;
	if (v->request->client == NULL) {
		op_fail(v->request, ERR_UNAVAILABLE, NULL);
		return;
	}
	if (db_rows(r) == 0) {
		target_ask_names(v);
		return;
	}
	for (i = 1; i < db_rows(r); i++) {
		struct id first, other;

		db_id(r, 0, 0, &first);
		db_id(r, i, 0, &other);
		if (!id_same(&first, &other)) {
			target_ambiguous(v, t);
			return;
		}
	}
	a->found = true;
	db_id(r, 0, db_null(r, 0, 1) ? 0 : 1, &a->id);
	db_id(r, 0, 0, &a->member);
	v->next++;
	target_next(v);
}

static void
target_ask(struct resolve *v, struct slice t)
{
	struct pool *pool = &v->request->pool;
	struct db_params *p = db_params(STMT_target_find);
	uint8_t key[CRYPTO_KEY_LEN];
	char *folded;

	/* What its sender sends next must not overtake it meanwhile. */
	v->request->holds = true;
	db_put_id(p, &v->request->client->session->mesh->id);
	if (target_key(t, key)) {
		db_put_bytes(p, key, sizeof(key));
		db_put_null(p);
	} else {
		folded = pool_alloc(pool, 2 * t.n + 1);
		db_put_null(p);
		db_put_text(p, folded, str_fold(folded, t.p, t.n));
	}
	db_query(v->request->core->reads, p, target_found, v);
}

/* Candidates of an ambiguous name, by their keys. */
static void
target_candidates(struct resolve *v, const struct roster *r, struct slice t)
{
	struct pool *pool = &v->request->pool;
	char *folded = pool_alloc(pool, 2 * t.n + 1), *hex;
	const struct session *s =
	    roster_name(r, folded, str_fold(folded, t.p, t.n));
	struct list *out = &v->request->error_names;
	struct slice *names =
	    pool_alloc(pool, TARGET_NEAR_MAX * sizeof(*names));
	static const uint8_t none[CRYPTO_KEY_LEN];

	out->v = names;
	out->n = 0;
	for (; s != NULL; s = roster_name_next(s)) {
		const struct session_info *i = &s->info;

		if (i->control || out->n == TARGET_NEAR_MAX)
			continue;
		hex = pool_alloc(pool, TARGET_KEY_HEX + 1);
		crypto_hex(hex,
		    memcmp(i->key, none, sizeof(none)) != 0 ? i->key
							    : i->member_key,
		    CRYPTO_KEY_LEN);
		names[out->n++] = (struct slice){ hex, TARGET_KEY_HEX };
	}
	target_ambiguous(v, t);
}

/* Is the target known without the database?  True also when the request was
 * failed. */
static bool
target_is_known(struct resolve *v, struct slice t, bool *failed)
{
	struct roster *r = &v->request->client->session->mesh->roster;
	uint8_t key[CRYPTO_KEY_LEN];
	struct session *only;
	bool several;

	*failed = false;
	if (target_is_all(t))
		return true;
	if (target_is_group(t)) {
		if (roster_group(r, t.p + 1, t.n - 1) != NULL)
			return true;
		*failed = true;
		op_fail(v->request, ERR_UNKNOWN_TARGET,
		    "Nobody is in the group \"" SLICE_FMT "\".", SLICE_ARG(t));
		return true;
	}
	if (target_key(t, key))
		return roster_by_key(r, key) != NULL ||
		       roster_member_key(r, key) != NULL;
	if (target_named(r, t, &v->request->pool, &only, &several) != NULL)
		return true;
	if (several) {
		*failed = true;
		target_candidates(v, r, t);
	}
	return several;
}

static void
target_next(struct resolve *v)
{
	const struct slice *t = v->targets->v;
	bool failed;

	for (; v->next < v->targets->n; v->next++) {
		if (!target_is_known(v, t[v->next], &failed)) {
			target_ask(v, t[v->next]);
			return;
		}
		if (failed)
			return;
	}
	target_finish(v);
}

void
target_resolve(struct request *r, const struct list *targets,
    enum priority priority, target_fn *fn)
{
	struct resolve *v = pool_zalloc(&r->pool, sizeof(*v));

	v->request = r;
	v->targets = targets;
	v->priority = priority;
	v->fn = fn;
	v->absent = pool_zalloc(&r->pool, targets->n * sizeof(*v->absent));
	target_next(v);
}

struct slice
target_text(struct pool *pool, const struct list *targets)
{
	const struct slice *t = targets->v;
	size_t i, n = 0;
	char *text;

	for (i = 0; i < targets->n; i++)
		n += t[i].n + 1;
	text = pool_alloc(pool, n);
	for (n = 0, i = 0; i < targets->n; i++) {
		if (i > 0)
			text[n++] = ',';
		memcpy(text + n, t[i].p, t[i].n);
		n += t[i].n;
	}
	return (struct slice){ text, n };
}
