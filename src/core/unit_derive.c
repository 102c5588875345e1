/* SPDX-License-Identifier: ISC */
/*
 * Makes units of memory of what is said in channels, in the jobs process.
 *
 * It reads the journal of each mesh from where it was read to, and what it
 * makes of some lines is stored together with the place behind them: so every
 * line is used once, whatever dies in between, and when two hosts read the same
 * lines one of them has no effect.  A host keeps the others away while it
 * reads, so that this is rare.
 *
 * A mesh is read when somebody tells of it; another look from time to time
 * finds those of whom nobody could tell.
 */
#include <stdlib.h>
#include <string.h>

#include "core/channel.h"
#include "core/unit.h"

#define UNIT_LINES 50 /* of a journal, at once */
#define UNIT_TEXTS 16 /* of a message: post_texts() in sql/ */

/* A mesh with news. */
struct unit_mesh {
	TAILQ_ENTRY(unit_mesh) entry;
	struct hash_entry by_id;
	struct id id;
};

struct units {
	struct hash by_id;
	TAILQ_HEAD(, unit_mesh) meshes;
	bool hears; /* of entries, by the bus */
	bool looking;
	/* What is under way. */
	bool busy;
	struct id mesh;
	bool ends; /* no line is behind these */
	int64_t began_ms;
	int64_t rests_ms; /* until then others come first */
};

void
unit_open(struct core *c)
{
	c->units = xcalloc(1, sizeof(*c->units));
	hash_init(&c->units->by_id);
	TAILQ_INIT(&c->units->meshes);
}

static void
unit_forget(struct units *u, struct unit_mesh *m)
{
	TAILQ_REMOVE(&u->meshes, m, entry);
	hash_remove(&u->by_id, &m->by_id);
	free(m);
}

void
unit_close(struct core *c)
{
	struct units *u = c->units;
	struct unit_mesh *m;

	if (u == NULL)
		return;
	while ((m = TAILQ_FIRST(&u->meshes)) != NULL)
		unit_forget(u, m);
	hash_free(&u->by_id);
	free(u);
	c->units = NULL;
}

void
unit_told(struct core *c, const struct id *mesh)
{
	struct units *u = c->units;
	struct unit_mesh *m;

	if (u == NULL || hash_find(&u->by_id, mesh->b, ID_LEN) != NULL)
		return;
	m = xcalloc(1, sizeof(*m));
	m->id = *mesh;
	hash_insert(&u->by_id, &m->by_id, m->id.b, ID_LEN);
	TAILQ_INSERT_TAIL(&u->meshes, m, entry);
}

static void
unit_behind(void *arg, const struct db_result *res)
{
	struct core *c = arg;
	struct id mesh;
	size_t i;

	c->units->looking = false;
	if (db_status(res) != DB_OK)
		return;
	for (i = 0; i < db_rows(res); i++) {
		db_id(res, i, 0, &mesh);
		unit_told(c, &mesh);
	}
}

void
unit_look(struct core *c)
{
	struct db_params *p;

	if (c->units == NULL || !c->limits.memory || c->units->looking)
		return;
	if (!c->units->hears)
		event_want_entries(c);
	c->units->hears = true;
	c->units->looking = true;
	p = db_params(STMT_unit_behind);
	db_put_id(p, &c->host);
	db_query(c->reads, p, unit_behind, c);
}

static void
unit_put(struct db_params *p, struct pool *pool, const struct db_result *res,
    size_t row, struct slice chunk)
{
	struct slice words[UNIT_KEYWORDS], summary = unit_summary(pool, chunk);
	struct slice fingerprint = db_bytes(res, row, 4);
	uint8_t hash[CRYPTO_SHA256_LEN];
	struct id id, post;

	id_new(&id);
	db_id(res, row, 3, &post);
	unit_hash(pool, chunk, hash);
	db_more(p);
	db_put_id(p, &id);
	db_put_id(p, &post);
	db_put_bytes(p, fingerprint.p, fingerprint.n);
	db_put_int(p, db_int(res, row, 2));
	db_put_text(p, chunk.p, chunk.n);
	db_put_bytes(p, hash, sizeof(hash));
	db_put_text(p, summary.p, summary.n);
	db_put_texts(p, words, unit_keywords(pool, chunk, words));
}

/* One message. */
static void
unit_derive(struct core *c, struct db_params *p, struct pool *pool,
    const struct db_result *res, size_t row)
{
	struct slice texts[UNIT_TEXTS], chunks[UNIT_CHUNKS];
	size_t i, k, n, ntexts = db_texts(res, row, 5, texts, UNIT_TEXTS);

	for (i = 0; i < ntexts && i < UNIT_TEXTS; i++) {
		n = unit_chunks(pool, texts[i], chunks);
		for (k = 0; k < n; k++)
			unit_put(p, pool, res, row, chunks[k]);
		c->counters[METRIC_MEMORY_UNITS] += n;
	}
}

static void
unit_stored(void *arg, const struct db_result *res)
{
	struct core *c = arg;
	struct units *u = c->units;

	u->busy = false;
	/* While the journal is held nobody posts: as long again they may. */
	u->rests_ms = clock_mono() + (clock_mono() - u->began_ms);
	/* Else the next look finds it. */
	if (db_status(res) == DB_OK && !u->ends)
		unit_told(c, &u->mesh);
}

static void
unit_claimed(void *arg, const struct db_result *res)
{
	struct core *c = arg;
	struct units *u = c->units;
	struct db_params *p;
	struct pool pool;
	int64_t was, now;
	size_t i;

	if (db_status(res) != DB_OK || db_rows(res) == 0) {
		u->busy = false;
		return;
	}
	was = db_int(res, 0, 0);
	now = db_int(res, 0, 1);
	u->ends = now - was < UNIT_LINES;
	pool_init(&pool);
	p = journal_row(c, STMT_unit_put, &u->mesh, unit_stored, c);
	db_put_id(p, &u->mesh);
	db_put_int(p, was);
	db_put_int(p, now);
	db_put_bool(p, u->ends);
	for (i = 0; i < db_rows(res); i++)
		if (!db_null(res, i, 3))
			unit_derive(c, p, &pool, res, i);
	pool_free(&pool);
}

int64_t
unit_next(const struct core *c)
{
	const struct units *u = c->units;

	return u == NULL || u->busy || !c->up || TAILQ_EMPTY(&u->meshes)
		   ? INT64_MAX
		   : u->rests_ms;
}

void
unit_turn(struct core *c)
{
	struct units *u = c->units;
	struct unit_mesh *m;
	struct db_params *p;

	if (u == NULL || u->busy || !c->up || clock_mono() < u->rests_ms ||
	    (m = TAILQ_FIRST(&u->meshes)) == NULL)
		return;
	u->began_ms = clock_mono();
	u->mesh = m->id;
	unit_forget(u, m);
	if (!c->limits.memory)
		return;
	u->busy = true;
	p = db_params(STMT_unit_claim);
	db_put_id(p, &u->mesh);
	db_put_id(p, &c->host);
	db_put_int(p, UNIT_LINES);
	db_query(c->reads, p, unit_claimed, c);
}
