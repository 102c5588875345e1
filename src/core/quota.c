/* SPDX-License-Identifier: ISC */
/*
 * How much a mesh may hold.
 *
 * Nothing is counted by adding and taking away, which would drift with every
 * crash: the truth is what the database counts.  After a count a process may
 * let in an eighth of what is left before it counts again, so that far from
 * the limit it hardly ever does, and near to it each time.  What was let in
 * and is not stored yet is added to the count that may have missed it.
 *
 * Who stays at the limit has all of it counted again and again, while others
 * wait for the database: the longer a count takes, the longer it stands.
 */
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"

#define QUOTA_EIGHTH 8
/* A refusal stands so long before it is counted again, or so many times as
 * long as the count took. */
#define QUOTA_FRESH_MS 200
#define QUOTA_FRESH_TIMES 10
/* After a count that took longer some more may be let in. */
#define QUOTA_SLOW_MS 20
#define QUOTA_SLOW_ROOM 64
#define QUOTA_UNUSED_MS 60000
#define QUOTA_BIT(q) (INT64_C(1) << (q))

static const struct quota_text {
	const char *what;
	const char *advice;
} quota_texts[QUOTA_MAX] = {
	[QUOTA_SESSIONS] = { "Sessions of this mesh", "Try again later." },
	[QUOTA_QUEUE] = { "Messages of this mesh that wait for their recipients",
	    "Send again when some were received." },
	[QUOTA_RECIPIENT_QUEUE] = { "Messages that wait for this recipient",
	    "Send again when it has received some." },
	[QUOTA_STATE_KEYS] = { "State keys of this mesh",
	    "Use one that is there, or ask the operator for more." },
	[QUOTA_STATE_BYTES] = { "Bytes of this mesh's state",
	    "Set shorter values, or ask the operator for more." },
	[QUOTA_MEMORIES] = { "Memories of this mesh",
	    "Forget some, or ask the operator for more." },
	[QUOTA_FILES] = { "Files of this mesh",
	    "Delete some, or ask the operator for more." },
	[QUOTA_STORAGE] = { "Bytes of this mesh's files",
	    "Delete some, or ask the operator for more." },
};

struct quota_entry {
	struct hash_entry hash;
	uint8_t key[1 + ID_LEN]; /* enum quota, then whose */
	int64_t counted_ms;	 /* 0: never */
	int64_t took_ms;	 /* the count */
	int64_t used;		 /* at that time */
	int64_t room;		 /* what may be let in before the next count */
	int64_t since;		 /* what was let in since */
	int64_t let_in;		 /* ever */
	int64_t stored;		 /* of it, ever */
	int64_t needed_ms;
	unsigned asked; /* counts on their way */
};

/* What a request was let in with. */
struct quota_hold {
	struct mesh *mesh;
	size_t n;
	struct quota_held {
		struct quota_entry *entry;
		int64_t n;
	} v[];
};

/* A request that waits for a count. */
struct quota_ask {
	struct request *request;
	struct mesh *mesh;
	struct slice key;
	const struct quota_need *needs;
	struct quota_entry **entries;
	int64_t *stored; /* of each, when it was asked */
	int64_t *had;	 /* what is replaced */
	size_t n;
	int64_t mask; /* quotas that are counted */
	int64_t asked_ms;
	unsigned waiting; /* answers that are to come */
	bool unavailable;
	quota_fn *fn;
	void *arg;
};

void
quota_init(struct mesh *m)
{
	size_t i;

	hash_init(&m->quotas);
	for (i = 0; i < QUOTA_MAX; i++)
		m->max[i] = -1;
}

/* What was counted for another limit says nothing of the room now. */
static void
quota_doubt(struct mesh *m)
{
	struct hash_entry *h, *next;
	size_t i;

	HASH_FOREACH (h, next, i, &m->quotas)
		CONTAINER(h, struct quota_entry, hash)->counted_ms = 0;
}

void
quota_load(struct mesh *m, const struct db_result *r)
{
	bool changed = false;
	int64_t max;
	unsigned i;

	for (i = 0; i < QUOTA_MAX && db_rows(r) > 0; i++) {
		max = db_null(r, 0, i) ? -1 : db_int(r, 0, i);
		changed = changed || max != m->max[i];
		m->max[i] = max;
	}
	if (changed)
		quota_doubt(m);
}

int64_t
quota_max(const struct mesh *m, enum quota quota)
{
	return m->max[quota] >= 0 ? m->max[quota]
				  : m->core->limits.quotas[quota];
}

static struct quota_entry *
quota_get(struct mesh *m, const struct quota_need *need)
{
	uint8_t key[1 + ID_LEN] = { (uint8_t)need->quota };
	struct hash_entry *h;
	struct quota_entry *e;

	memcpy(key + 1, need->of->b, ID_LEN);
	if ((h = hash_find(&m->quotas, key, sizeof(key))) != NULL)
		e = CONTAINER(h, struct quota_entry, hash);
	else {
		e = xcalloc(1, sizeof(*e));
		memcpy(e->key, key, sizeof(key));
		hash_insert(&m->quotas, &e->hash, e->key, sizeof(e->key));
	}
	e->needed_ms = clock_mono();
	return e;
}

static int64_t
quota_left(const struct mesh *m, const struct quota_entry *e)
{
	return quota_max(m, (enum quota)e->key[0]) - e->used - e->since;
}

static enum err
quota_refuse(
    struct request *r, const struct mesh *m, const struct quota_entry *e)
{
	enum quota quota = (enum quota)e->key[0];
	const struct quota_text *t = &quota_texts[quota];

	core_count(r->core, QUOTA_REFUSED);
	r->error_used = e->used + e->since;
	r->error_limit = quota_max(m, quota);
	return op_error(r, ERR_QUOTA, "%s: %lld of %lld. %s", t->what,
	    (long long)r->error_used, (long long)r->error_limit, t->advice);
}

static void
quota_hold(struct quota_ask *a)
{
	struct quota_hold *h =
	    pool_alloc(&a->request->pool, sizeof(*h) + a->n * sizeof(h->v[0]));
	struct quota_entry *e;
	size_t i;

	h->mesh = a->mesh;
	h->n = a->n;
	for (i = 0; i < a->n; i++) {
		e = a->entries[i];
		h->v[i].entry = e;
		h->v[i].n = a->needs[i].n;
		e->since += a->needs[i].n;
		e->let_in += a->needs[i].n;
	}
	a->mesh->users++;
	a->request->quota = h;
}

void
quota_release(struct request *r)
{
	struct quota_hold *h = r->quota;
	size_t i;

	if (h == NULL)
		return;
	r->quota = NULL;
	for (i = 0; i < h->n; i++)
		h->v[i].entry->stored += h->v[i].n;
	mesh_put(h->mesh);
}

static bool
quota_is_fresh(const struct quota_entry *e)
{
	int64_t fresh_ms = QUOTA_FRESH_TIMES * e->took_ms;

	if (fresh_ms < QUOTA_FRESH_MS)
		fresh_ms = QUOTA_FRESH_MS;
	return e->counted_ms != 0 && clock_mono() - e->counted_ms < fresh_ms;
}

static bool
quota_has_room(const struct quota_entry *e, int64_t n)
{
	return e->counted_ms != 0 && e->since + n <= e->room;
}

/* All counts are there: is there room now? */
static void
quota_decide(struct quota_ask *a)
{
	struct request *r = a->request;
	struct client *c = r->client;
	enum err e = ERR_NONE;
	int64_t more;
	size_t i;

	for (i = 0; i < a->n; i++) {
		a->entries[i]->asked--;
		more = a->needs[i].n - a->had[i];
		if (e == ERR_NONE && more > 0 &&
		    quota_left(a->mesh, a->entries[i]) < more)
			e = quota_refuse(r, a->mesh, a->entries[i]);
	}
	if (a->unavailable || c == NULL)
		e = op_error(r, ERR_UNAVAILABLE, "%s",
		    table_errors[ERR_UNAVAILABLE].text);
	if (e == ERR_NONE)
		quota_hold(a);
	mesh_put(a->mesh);
	r->holds = false;
	if (e == ERR_NONE)
		a->fn(r, a->arg);
	else
		op_fail(r, e, NULL);
	/* Its place in the order is settled. */
	if (c != NULL)
		op_go_on(c);
}

static void
quota_counted(struct quota_ask *a, size_t i, int64_t count)
{
	struct quota_entry *e = a->entries[i];
	int64_t left;

	/* What was let in and not stored when it was asked. */
	e->used = count + e->let_in - a->stored[i];
	e->since = 0;
	e->counted_ms = clock_mono();
	e->took_ms = e->counted_ms - a->asked_ms;
	left = quota_left(a->mesh, e);
	e->room = left > QUOTA_EIGHTH ? left / QUOTA_EIGHTH : left > 0;
	if (e->took_ms > QUOTA_SLOW_MS && e->room < QUOTA_SLOW_ROOM)
		e->room = left < QUOTA_SLOW_ROOM ? left : QUOTA_SLOW_ROOM;
}

static void
quota_answered(struct quota_ask *a, const struct db_result *r)
{
	if (db_status(r) != DB_OK)
		a->unavailable = true;
	if (--a->waiting == 0)
		quota_decide(a);
}

static void
quota_mesh_counted(void *arg, const struct db_result *r)
{
	static const unsigned columns[QUOTA_MAX] = { [QUOTA_QUEUE] = 0,
		[QUOTA_STATE_KEYS] = 1,
		[QUOTA_STATE_BYTES] = 2,
		[QUOTA_MEMORIES] = 3,
		[QUOTA_FILES] = 5,
		[QUOTA_STORAGE] = 6 };
	struct quota_ask *a = arg;
	enum quota quota;
	size_t i;

	for (i = 0; db_status(r) == DB_OK && i < a->n; i++) {
		quota = a->needs[i].quota;
		if (quota == QUOTA_RECIPIENT_QUEUE)
			continue;
		if (!db_null(r, 0, columns[quota]))
			quota_counted(a, i, db_int(r, 0, columns[quota]));
		if (db_null(r, 0, 4))
			continue;
		if (quota == QUOTA_STATE_KEYS)
			a->had[i] = 1;
		else if (quota == QUOTA_STATE_BYTES)
			a->had[i] = db_int(r, 0, 4);
	}
	quota_answered(a, r);
}

static void
quota_recipients_counted(void *arg, const struct db_result *r)
{
	struct quota_ask *a = arg;
	struct id id;
	size_t i, k;

	for (k = 0; db_status(r) == DB_OK && k < db_rows(r); k++) {
		db_id(r, k, 0, &id);
		for (i = 0; i < a->n; i++)
			if (a->needs[i].quota == QUOTA_RECIPIENT_QUEUE &&
			    id_same(a->needs[i].of, &id))
				quota_counted(a, i, db_int(r, k, 1));
	}
	quota_answered(a, r);
}

static void
quota_count_recipients(struct quota_ask *a)
{
	struct pool *pool = &a->request->pool;
	struct slice *ids = pool_alloc(pool, a->n * sizeof(*ids));
	struct db_params *p;
	char *hex;
	size_t i, n = 0;

	for (i = 0; i < a->n; i++) {
		if (a->needs[i].quota != QUOTA_RECIPIENT_QUEUE ||
		    quota_has_room(a->entries[i], a->needs[i].n))
			continue;
		hex = pool_alloc(pool, ID_HEX_LEN + 1);
		ids[n++] =
		    (struct slice){ id_hex(a->needs[i].of, hex), ID_HEX_LEN };
	}
	p = db_params(STMT_quota_recipients);
	db_put_texts(p, ids, n);
	db_put_int(p, quota_max(a->mesh, QUOTA_RECIPIENT_QUEUE) + 1);
	a->waiting++;
	db_query(a->request->core->reads, p, quota_recipients_counted, a);
}

static void
quota_count_mesh(struct quota_ask *a)
{
	struct db_params *p = db_params(STMT_quota_mesh);

	db_put_id(p, &a->mesh->id);
	db_put_int(p, a->mask);
	db_put_text(p, a->key.p, a->key.n);
	a->waiting++;
	db_query(a->request->core->reads, p, quota_mesh_counted, a);
}

static void
quota_count(struct quota_ask *a)
{
	const int64_t recipients = QUOTA_BIT(QUOTA_RECIPIENT_QUEUE);
	size_t i;

	/* What comes next must not overtake it meanwhile. */
	a->request->holds = true;
	a->mesh->users++;
	a->asked_ms = clock_mono();
	for (i = 0; i < a->n; i++) {
		a->entries[i]->asked++;
		a->stored[i] = a->entries[i]->stored;
	}
	if (a->mask & recipients)
		quota_count_recipients(a);
	if (a->mask & ~recipients || a->key.p != NULL)
		quota_count_mesh(a);
}

void
quota_take(struct request *r, struct slice key, const struct quota_need *needs,
    size_t n, quota_fn *fn, void *arg)
{
	struct quota_ask *a = pool_zalloc(&r->pool, sizeof(*a));
	struct quota_entry *e;
	bool fits = true;
	size_t i;

	*a = (struct quota_ask){ .request = r,
		.mesh = r->client->session->mesh,
		.key = key,
		.needs = needs,
		.n = n,
		.fn = fn,
		.arg = arg };
	a->entries = pool_alloc(&r->pool, n * sizeof(struct quota_entry *));
	a->stored = pool_alloc(&r->pool, n * sizeof(*a->stored));
	a->had = pool_zalloc(&r->pool, n * sizeof(*a->had));
	for (i = 0; i < n; i++) {
		e = a->entries[i] = quota_get(a->mesh, &needs[i]);
		if (quota_has_room(e, needs[i].n))
			continue;
		fits = false;
		if (!quota_is_fresh(e) || quota_left(a->mesh, e) >= needs[i].n)
			a->mask |= QUOTA_BIT(needs[i].quota);
		else if (key.p == NULL) {
			op_fail(r, quota_refuse(r, a->mesh, e), NULL);
			return;
		}
	}
	if (!fits) {
		quota_count(a);
		return;
	}
	quota_hold(a);
	fn(r, arg);
}

static void
quota_drop(struct mesh *m, struct quota_entry *e)
{
	hash_remove(&m->quotas, &e->hash);
	free(e);
}

void
quota_tick(struct mesh *m)
{
	int64_t before = clock_mono() - QUOTA_UNUSED_MS;
	struct hash_entry *h, *next;
	struct quota_entry *e;
	size_t i;

	HASH_FOREACH (h, next, i, &m->quotas) {
		e = CONTAINER(h, struct quota_entry, hash);
		if (e->needed_ms < before && e->asked == 0 &&
		    e->let_in == e->stored)
			quota_drop(m, e);
	}
}

void
quota_forget(struct mesh *m)
{
	struct hash_entry *h, *next;
	size_t i;

	HASH_FOREACH (h, next, i, &m->quotas)
		quota_drop(m, CONTAINER(h, struct quota_entry, hash));
	hash_free(&m->quotas);
}
