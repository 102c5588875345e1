/* SPDX-License-Identifier: ISC */
/*
 * Chunks that go to the storage: those of one append are one object.
 *
 *	row of durable_object -> bytes in the storage -> rows of the chunks
 *
 * The object has a SHA-256 in its row from the moment that it has chunks; the
 * statement that gives it both is what an append is answered for.  A row that
 * stays without one was left by a crash, and jobs deletes it with its bytes.
 */
#include <string.h>

#include "core/durable.h"
#include "core/file.h"

/* Of the request's pool.  Who asks may be gone when the storage answers. */
struct storing {
	struct request *request;
	struct id durable;
	struct id object;
	struct id mesh;
	struct id member;
	bool reads; /* also those of others */
	bool writes;
	struct quota_need need;
	char *bytes;
	size_t size;
	size_t done;
	struct slice *sizes; /* of the chunks: decimal, and SHA-256 in hex */
	struct slice *digests;
	size_t n;
	uint8_t sha256[FILE_SHA256_LEN];
	struct transfer *transfer;
	db_fn *fn;
	void *arg;
};

/* It did not come to stay; nobody waits for that. */
static void
store_fail(struct storing *g, enum err e, const char *text)
{
	struct request *r = g->request;
	struct db_params *p = db_params(STMT_durable_object_drop);

	db_put_id(p, &g->object);
	db_put_id(p, &g->mesh);
	db_query(r->core->reads, p, NULL, NULL);
	op_fail(r, e, "%s", text);
}

static void
store_put_who(struct db_params *p, const struct storing *g)
{
	db_put_id(p, &g->durable);
	db_put_id(p, &g->mesh);
	db_put_id(p, &g->member);
	db_put_bool(p, g->reads);
	db_put_bool(p, g->writes);
	db_put_id(p, &g->object);
}

/* The storage has it, or does not. */
static void
store_answer(void *arg, const struct storage_answer *a)
{
	struct storing *g = arg;
	struct core *c = g->request->core;
	struct db_params *p;
	const char *text;
	enum err e;

	/* What ended() says now is nothing new. */
	c->storage->close(g->transfer);
	g->transfer = NULL;
	if (a->error != 0) {
		e = file_storage_error(a->error, &text);
		store_fail(g, e, text);
		return;
	}
	p = db_params(STMT_durable_object_append);
	store_put_who(p, g);
	db_put_texts(p, g->sizes, g->n);
	db_put_texts(p, g->digests, g->n);
	db_put_bytes(p, g->sha256, sizeof(g->sha256));
	db_put_int(p, c->limits.durable.bytes);
	db_query(c->reads, p, g->fn, g->arg);
}

static void
store_ended(void *arg, bool whole)
{
	struct storing *g = arg;

	(void)whole;
	g->transfer = NULL;
	store_fail(g, ERR_UNAVAILABLE, "The storage broke off; try again.");
}

static void
store_write(void *arg)
{
	struct storing *g = arg;
	const struct storage *s = g->request->core->storage;

	if (g->done == g->size)
		return;
	g->done += s->write(g->transfer, g->bytes + g->done, g->size - g->done);
	if (g->done == g->size)
		s->finish(g->transfer);
}

static const struct transfer_calls store_calls = {
	.answer = store_answer,
	.room = store_write,
	.ended = store_ended,
};

static void
store_made(void *arg, const struct db_result *res)
{
	struct storing *g = arg;
	const struct core *c = g->request->core;
	struct storage_order o = { .what = STORAGE_PUT,
		.mesh = g->mesh,
		.file = g->object,
		.length = g->size,
		.sha256 = g->sha256 };

	if (db_status(res) != DB_OK || db_rows(res) == 0 ||
	    db_int(res, 0, 0) != 0) {
		g->fn(g->arg, res);
		return;
	}
	g->transfer = c->storage->begin(c->storage_arg, &o, &store_calls, g);
	if (g->transfer == NULL)
		store_fail(g, ERR_UNAVAILABLE,
		    "The storage does not answer; try again later.");
	else
		store_write(g);
}

static void
store_make(struct request *r, void *arg)
{
	struct storing *g = arg;
	struct db_params *p = db_params(STMT_durable_object_make);

	store_put_who(p, g);
	db_put_int(p, (int64_t)g->size);
	db_put_int(p, r->core->limits.durable.bytes);
	db_query(r->core->reads, p, store_made, g);
}

/* What the rows of the chunks say of them. */
static void
store_gather(struct storing *g, const struct slice *texts)
{
	struct pool *pool = &g->request->pool;
	uint8_t sha256[FILE_SHA256_LEN];
	size_t i, at = 0;
	char *hex, *size;

	for (i = 0; i < g->n; i++)
		g->size += texts[i].n;
	g->bytes = pool_alloc(pool, g->size + 1);
	g->sizes = pool_alloc(pool, g->n * sizeof(*g->sizes));
	g->digests = pool_alloc(pool, g->n * sizeof(*g->digests));
	for (i = 0; i < g->n; i++) {
		memcpy(g->bytes + at, texts[i].p, texts[i].n);
		at += texts[i].n;
		size = pool_printf(pool, "%zu", texts[i].n);
		g->sizes[i] = (struct slice){ size, strlen(size) };
		hex = pool_alloc(pool, 2 * FILE_SHA256_LEN + 1);
		crypto_sha256(sha256, texts[i].p, texts[i].n);
		crypto_hex(hex, sha256, FILE_SHA256_LEN);
		g->digests[i] = (struct slice){ hex, 2 * FILE_SHA256_LEN };
	}
	crypto_sha256(g->sha256, g->bytes, g->size);
}

void
durable_store(struct request *r, const struct id *durable,
    const struct slice *texts, size_t n, db_fn *fn, void *arg)
{
	const struct session *s;
	struct storing *g;

	if (r->core->storage == NULL) {
		op_fail(r, ERR_UNAVAILABLE, DURABLE_NO_FILES);
		return;
	}
	if (op_left(r))
		return;
	s = r->client->session;
	g = pool_zalloc(&r->pool, sizeof(*g));
	g->request = r;
	g->durable = *durable;
	id_new(&g->object);
	g->mesh = s->mesh->id;
	g->member = s->info.member;
	g->reads = (r->client->scopes & SCOPE_BIT(SCOPE_STREAM_READ)) != 0;
	g->writes = durable_writes_all(r);
	g->n = n;
	g->fn = fn;
	g->arg = arg;
	store_gather(g, texts);
	g->need =
	    (struct quota_need){ QUOTA_STORAGE, (int64_t)g->size, &g->mesh };
	quota_take(r, (struct slice){ NULL, 0 }, &g->need, 1, store_make, g);
}
