/* SPDX-License-Identifier: ISC */
/*
 * Pieces of objects out of the storage, into one buffer: what is next to each
 * other in an object is asked for together, and some at a time.  Each piece is
 * what its SHA-256 says, or it is not told.
 */
#include <errno.h>
#include <string.h>

#include "core/durable.h"
#include "core/file.h"

#define FETCH_AT_ONCE 4

/* Pieces that are one behind the other in an object. */
struct fetch_run {
	struct fetch *fetch;
	struct transfer *transfer;
	size_t first, n;
	char *text;
	size_t size;
	size_t have;
	int error;
};

/* Of the request's pool. */
struct fetch {
	struct request *request;
	struct id mesh;
	struct durable_piece *v;
	struct fetch_run *runs;
	size_t nruns, next;
	unsigned running;
	size_t good; /* none behind these is wanted any more */
	int error;
	durable_fetched_fn *fn;
	void *arg;
};

static void
fetch_damaged(struct fetch *f)
{
	char hex[ID_HEX_LEN + 1];

	log_error("the storage has lost or damaged %s, which has chunks of a "
		  "durable stream: %s",
	    id_hex(&f->v[f->good].object, hex), strerror(f->error));
	f->fn(f->arg, f->good, ERR_INTERNAL,
	    "The storage has lost what comes next, or damaged it; ask the "
	    "operator.");
}

/* What is deleted meanwhile is not lost. */
static void
fetch_known(void *arg, const struct db_result *res)
{
	struct fetch *f = arg;

	if (db_status(res) == DB_OK && db_rows(res) > 0)
		fetch_damaged(f);
	else if (db_status(res) == DB_OK)
		f->fn(f->arg, f->good, ERR_NOT_FOUND,
		    "The durable stream was deleted.");
	else
		f->fn(f->arg, f->good, ERR_UNAVAILABLE,
		    table_errors[ERR_UNAVAILABLE].text);
}

static void
fetch_end(struct fetch *f)
{
	enum err e = ERR_NONE;
	const char *text = NULL;
	struct db_params *p;

	if (f->error == ENOENT) {
		p = db_params(STMT_durable_object_is);
		db_put_id(p, &f->v[f->good].object);
		db_query(f->request->core->reads, p, fetch_known, f);
		return;
	}
	if (f->error == ERANGE || f->error == EBADMSG) {
		fetch_damaged(f);
		return;
	}
	if (f->error != 0)
		e = file_storage_error(f->error, &text);
	f->fn(f->arg, f->good, e, text);
}

/* From this piece on there is nothing. */
static void
fetch_miss(struct fetch *f, size_t piece, int error)
{
	if (piece < f->good) {
		f->good = piece;
		f->error = error;
	}
}

static void
fetch_check(struct fetch_run *run)
{
	struct durable_piece *v = run->fetch->v + run->first;
	uint8_t sha256[FILE_SHA256_LEN];
	size_t i;

	for (i = 0; i < run->n; i++) {
		crypto_sha256(sha256, v[i].text.p, v[i].text.n);
		if (memcmp(sha256, v[i].sha256, sizeof(sha256)) != 0) {
			fetch_miss(run->fetch, run->first + i, EBADMSG);
			break;
		}
	}
}

static void
fetch_answer(void *arg, const struct storage_answer *a)
{
	struct fetch_run *run = arg;

	run->error = a->error;
	if (a->error == 0)
		run->fetch->request->core->storage->want(run->transfer, true);
}

static void
fetch_data(void *arg, const char *p, size_t n)
{
	struct fetch_run *run = arg;

	if (n > run->size - run->have)
		n = run->size - run->have;
	memcpy(run->text + run->have, p, n);
	run->have += n;
}

static void fetch_next(struct fetch *f);

static void
fetch_ended(void *arg, bool whole)
{
	struct fetch_run *run = arg;
	struct fetch *f = run->fetch;

	f->running--;
	if (run->error == 0 && whole && run->have == run->size)
		fetch_check(run);
	else
		fetch_miss(f, run->first,
		    run->error != 0 ? run->error
		    : whole	    ? EBADMSG
				    : EIO);
	fetch_next(f);
}

static const struct transfer_calls fetch_calls = {
	.answer = fetch_answer,
	.data = fetch_data,
	.ended = fetch_ended,
};

static bool
fetch_begin(struct fetch *f, struct fetch_run *run)
{
	const struct core *c = f->request->core;
	struct storage_order o = { .what = STORAGE_GET,
		.mesh = f->mesh,
		.file = f->v[run->first].object,
		.offset = (uint64_t)f->v[run->first].place,
		.length = run->size };

	run->transfer =
	    c->storage->begin(c->storage_arg, &o, &fetch_calls, run);
	return run->transfer != NULL;
}

/* Those before the first that is missing have all begun before it. */
static void
fetch_next(struct fetch *f)
{
	struct fetch_run *run;

	while (f->running < FETCH_AT_ONCE && f->next < f->nruns) {
		run = &f->runs[f->next];
		if (run->first >= f->good)
			break;
		f->next++;
		if (fetch_begin(f, run))
			f->running++;
		else
			fetch_miss(f, run->first, EIO);
	}
	if (f->running == 0)
		fetch_end(f);
}

static void
fetch_plan(struct fetch *f, size_t n)
{
	struct durable_piece *v = f->v;
	struct fetch_run *run = NULL;
	size_t i, size = 0;
	char *text;

	for (i = 0; i < n; i++)
		size += (size_t)v[i].bytes;
	text = pool_alloc(&f->request->pool, size + 1);
	f->runs = pool_zalloc(&f->request->pool, (n + 1) * sizeof(*f->runs));
	for (i = 0; i < n; i++) {
		v[i].text = (struct slice){ text, (size_t)v[i].bytes };
		if (run == NULL || !id_same(&v[i].object, &v[i - 1].object) ||
		    v[i].place != v[i - 1].place + v[i - 1].bytes) {
			run = &f->runs[f->nruns++];
			*run = (struct fetch_run){
				.fetch = f, .first = i, .text = text
			};
		}
		run->n++;
		run->size += v[i].text.n;
		text += v[i].text.n;
	}
}

void
durable_fetch(struct request *r, const struct id *mesh, struct durable_piece *v,
    size_t n, durable_fetched_fn *fn, void *arg)
{
	struct fetch *f;

	if (r->core->storage == NULL) {
		fn(arg, 0, ERR_UNAVAILABLE, DURABLE_NO_FILES);
		return;
	}
	f = pool_zalloc(&r->pool, sizeof(*f));
	f->request = r;
	f->mesh = *mesh;
	f->v = v;
	f->good = n;
	f->fn = fn;
	f->arg = arg;
	fetch_plan(f, n);
	fetch_next(f);
}
