/* SPDX-License-Identifier: ISC */
/*
 * What the table and the storage do not agree upon: somebody has restored a
 * backup of one of them, or removed something, or a crash came between two
 * steps.  The storage says all that it has:
 *
 *	bytes without a row	are deleted, when they are older than any
 *upload; but only of meshes that this database has, as a bucket may have those
 *of others a row without bytes	is deleted, when the storage was asked for that
 *				one again and has it not; but none, where more
 *				than half of them lack their bytes: then it is
 *				the storage that is wrong, or not mounted
 *
 * What the storage has is remembered as a number for each, of the random part
 * of its id.  Where these would be too many, every other one is left out, by a
 * bit of the number, and so on; another repair looks at others.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"
#include "core/file.h"

#define REPAIR_UNKNOWN_MS (48 * INT64_C(3600000))
#define REPAIR_BATCH 500	  /* rows together */
#define REPAIR_SEEN (1024 * 1024) /* numbers: 8 MiB */
#define REPAIR_LOST 1000	  /* the next repair has the others */
#define REPAIR_MARGIN_MS 60000
#define REPAIR_EVERY_MS 3600000
#define REPAIR_AGAIN_MS 300000 /* after one that failed */

struct file_repair {
	struct core *core;
	bool running;
	bool asking;	  /* the database, about unknown ones */
	bool whole;	  /* the list was */
	int64_t began_ms; /* clock_mono() */
	int64_t due_ms;
	struct transfer *transfer;
	struct storage_entry unknown[REPAIR_BATCH];
	size_t nunknown;
	uint64_t *seen;
	size_t nseen;
	uint64_t mask, phase; /* numbers that are looked at */
	struct id after;
	size_t rows, missing;
	struct storage_entry lost[REPAIR_LOST];
	size_t nlost, next;
	uint64_t removed;
};

static void repair_rows(struct file_repair *r);
static void repair_verify(struct file_repair *r);

void
file_repair_open(struct core *c)
{
	c->file_repair = xcalloc(1, sizeof(*c->file_repair));
	c->file_repair->core = c;
}

void
file_repair_close(struct core *c)
{
	struct file_repair *r = c->file_repair;

	if (r->transfer != NULL)
		c->storage->close(r->transfer);
	free(r->seen);
	free(r);
	c->file_repair = NULL;
}

static void
repair_end(struct file_repair *r)
{
	if (r->removed > 0)
		log_info("%llu stored files that nobody knew of are deleted",
		    (unsigned long long)r->removed);
	free(r->seen);
	r->seen = NULL;
	r->running = false;
}

/* Version and variant aside, the second half of an id is chance. */
static uint64_t
repair_number(const struct id *id)
{
	uint64_t n;

	memcpy(&n, id->b + ID_LEN - sizeof(n), sizeof(n));
	return n;
}

static bool
repair_looks(const struct file_repair *r, uint64_t n)
{
	return (n >> 32 & r->mask) == (r->phase & r->mask);
}

static void
repair_see(struct file_repair *r, const struct id *id)
{
	uint64_t n = repair_number(id);
	size_t i, kept = 0;

	if (r->nseen == REPAIR_SEEN) {
		r->mask = r->mask << 1 | 1;
		for (i = 0; i < r->nseen; i++)
			if (repair_looks(r, r->seen[i]))
				r->seen[kept++] = r->seen[i];
		r->nseen = kept;
	}
	if (r->nseen < REPAIR_SEEN && repair_looks(r, n))
		r->seen[r->nseen++] = n;
}

static int
repair_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * Rows without bytes.
 */
static void
repair_lost_answer(void *arg, const struct db_result *res)
{
	struct file_repair *r = arg;
	char hex[ID_HEX_LEN + 1];

	if (db_status(res) == DB_OK && db_rows(res) > 0) {
		core_count(r->core, FILES_REPAIRED_ROWS);
		log_error("the storage has lost the file %s: it is deleted",
		    id_hex(&r->lost[r->next].file, hex));
	}
	r->next++;
	repair_verify(r);
}

static void
repair_verified(void *arg, const struct storage_answer *a)
{
	struct file_repair *r = arg;
	struct db_params *p;

	r->core->storage->close(r->transfer);
	r->transfer = NULL;
	if (a->error != ENOENT) {
		r->next++;
		repair_verify(r);
		return;
	}
	p = db_params(STMT_file_lost);
	db_put_id(p, &r->lost[r->next].file);
	db_query(r->core->reads, p, repair_lost_answer, r);
}

static void
repair_verify_ended(void *arg, bool whole)
{
	struct file_repair *r = arg;

	(void)whole;
	r->transfer = NULL;
	repair_end(r);
}

static const struct transfer_calls repair_verify_calls = {
	.answer = repair_verified,
	.ended = repair_verify_ended,
};

static void
repair_verify(struct file_repair *r)
{
	const struct core *c = r->core;
	struct storage_order o = { .what = STORAGE_GET };

	if (r->next < r->nlost) {
		o.mesh = r->lost[r->next].mesh;
		o.file = r->lost[r->next].file;
		r->transfer = c->storage->begin(
		    c->storage_arg, &o, &repair_verify_calls, r);
	}
	if (r->transfer == NULL)
		repair_end(r);
}

static void
repair_judge(struct file_repair *r)
{
	r->next = 0;
	if (r->missing > 0 && r->missing * 2 > r->rows) {
		log_error("the storage lacks %zu of %zu files that the "
			  "database has: none is deleted, as it may be the "
			  "wrong storage (files.*), or an empty one",
		    r->missing, r->rows);
		r->nlost = 0;
	}
	repair_verify(r);
}

static void
repair_page(void *arg, const struct db_result *res)
{
	struct file_repair *r = arg;
	struct storage_entry e;
	uint64_t n;
	size_t i;

	if (db_status(res) != DB_OK) {
		repair_end(r);
		return;
	}
	for (i = 0; i < db_rows(res); i++) {
		db_id(res, i, 0, &e.file);
		db_id(res, i, 1, &e.mesh);
		r->after = e.file;
		n = repair_number(&e.file);
		if (!repair_looks(r, n))
			continue;
		r->rows++;
		if (bsearch(&n, r->seen, r->nseen, sizeof(n), repair_compare) !=
		    NULL)
			continue;
		r->missing++;
		if (r->nlost < REPAIR_LOST)
			r->lost[r->nlost++] = e;
	}
	if (i == REPAIR_BATCH)
		repair_rows(r);
	else
		repair_judge(r);
}

/* Those that were stored before the storage was asked. */
static void
repair_rows(struct file_repair *r)
{
	struct db_params *p = db_params(STMT_file_stored);

	db_put_id(p, &r->after);
	db_put_int(p, clock_mono() - r->began_ms + REPAIR_MARGIN_MS);
	db_put_int(p, REPAIR_BATCH);
	db_query(r->core->reads, p, repair_page, r);
}

/*
 * Bytes without a row.
 */
static void
repair_listed(struct file_repair *r)
{
	if (!r->whole) {
		r->due_ms = clock_mono() + REPAIR_AGAIN_MS;
		repair_end(r);
		return;
	}
	qsort(r->seen, r->nseen, sizeof(r->seen[0]), repair_compare);
	memset(&r->after, 0, sizeof(r->after));
	repair_rows(r);
}

static void
repair_unknown(void *arg, const struct db_result *res)
{
	struct file_repair *r = arg;

	r->asking = false;
	r->nunknown = 0;
	if (db_status(res) == DB_OK) {
		r->removed += db_rows(res);
		r->core->counters[METRIC_FILES_REPAIRED_BYTES] += db_rows(res);
	}
	if (r->transfer != NULL)
		r->core->storage->want(r->transfer, true);
	else
		repair_listed(r);
}

/* They become what the storage has to delete, as if a row had gone. */
static void
repair_ask(struct file_repair *r)
{
	struct db_params *p = db_params(STMT_file_unknown);
	char hex[2 * REPAIR_BATCH][ID_HEX_LEN + 1];
	struct slice files[REPAIR_BATCH], meshes[REPAIR_BATCH];
	const struct storage_entry *e;
	size_t i;

	for (i = 0; i < r->nunknown; i++) {
		e = &r->unknown[i];
		files[i] =
		    (struct slice){ id_hex(&e->file, hex[2 * i]), ID_HEX_LEN };
		meshes[i] = (struct slice){ id_hex(&e->mesh, hex[2 * i + 1]),
			ID_HEX_LEN };
	}
	r->asking = true;
	if (r->transfer != NULL)
		r->core->storage->want(r->transfer, false);
	db_put_texts(p, files, r->nunknown);
	db_put_texts(p, meshes, r->nunknown);
	db_query(r->core->reads, p, repair_unknown, r);
}

static void
repair_answer(void *arg, const struct storage_answer *a)
{
	(void)arg;
	if (a->error != 0)
		log_warn("the storage does not say what it has: %s",
		    strerror(a->error));
}

static void
repair_entry(void *arg, const struct storage_entry *e)
{
	struct file_repair *r = arg;

	repair_see(r, &e->file);
	if (clock_wall() - e->stored_ms < REPAIR_UNKNOWN_MS)
		return;
	r->unknown[r->nunknown++] = *e;
	if (r->nunknown == REPAIR_BATCH)
		repair_ask(r);
}

static void
repair_ended(void *arg, bool whole)
{
	struct file_repair *r = arg;

	r->transfer = NULL;
	r->whole = whole;
	if (r->asking)
		return;
	if (r->nunknown > 0)
		repair_ask(r);
	else
		repair_listed(r);
}

static const struct transfer_calls repair_calls = {
	.answer = repair_answer,
	.entry = repair_entry,
	.ended = repair_ended,
};

void
file_repair(struct core *c)
{
	struct storage_order o = { .what = STORAGE_LIST };
	struct file_repair *r = c->file_repair;

	if (r == NULL || c->storage == NULL || r->running ||
	    clock_mono() < r->due_ms)
		return;
	r->transfer = c->storage->begin(c->storage_arg, &o, &repair_calls, r);
	if (r->transfer == NULL)
		return;
	r->running = true;
	r->began_ms = clock_mono();
	r->due_ms = r->began_ms + REPAIR_EVERY_MS;
	r->seen = xcalloc(REPAIR_SEEN, sizeof(r->seen[0]));
	r->nseen = r->nunknown = r->nlost = r->rows = r->missing = 0;
	r->removed = r->mask = 0;
	crypto_random_bytes(&r->phase, sizeof(r->phase));
}
