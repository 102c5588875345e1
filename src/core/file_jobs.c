/* SPDX-License-Identifier: ISC */
/*
 * What becomes of files that are over: their time, or a member, or the end of
 * their mesh deletes their rows, which leaves others in file_gone; then the
 * storage deletes their bytes; then these go.  A crash between two of these
 * steps leaves what the next sweep finds.
 */
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"
#include "core/file.h"

/* Its link is over by then. */
#define FILE_WAITING_MS ((FILE_UPLOAD_S + 600) * INT64_C(1000))
/* An upload takes no longer, unless files.transfer_time says more. */
#define FILE_UNFINISHED_MS (24 * INT64_C(3600000))
#define JOBS_GONE 64   /* looked at together */
#define JOBS_DELETES 4 /* under way */

struct file_deletion {
	struct file_jobs *jobs;
	struct transfer *transfer;
	struct id file;
	struct id mesh;
	bool used;
	bool done; /* the storage has deleted it */
};

struct file_jobs {
	struct core *core;
	bool sweeping;
	struct file_deletion gone[JOBS_GONE];
	size_t ngone, next; /* those that wait are from next on */
	struct file_deletion deletions[JOBS_DELETES];
	unsigned running;
	struct id after; /* where the next look begins */
};

static void jobs_next(struct file_jobs *j);

void
file_jobs_open(struct core *c)
{
	c->file_jobs = xcalloc(1, sizeof(*c->file_jobs));
	c->file_jobs->core = c;
	file_repair_open(c);
}

void
file_jobs_close(struct core *c)
{
	struct file_jobs *j = c->file_jobs;
	size_t i;

	if (j == NULL)
		return;
	file_repair_close(c);
	for (i = 0; i < JOBS_DELETES; i++)
		if (j->deletions[i].used)
			c->storage->close(j->deletions[i].transfer);
	free(j);
	c->file_jobs = NULL;
}

/* The row goes when the bytes are gone. */
static void
jobs_forget(struct core *c, const struct id *file)
{
	struct db_params *p = db_params(STMT_file_forget);
	char hex[ID_HEX_LEN + 1];
	struct slice text = { id_hex(file, hex), ID_HEX_LEN };

	db_put_texts(p, &text, 1);
	db_query(c->reads, p, NULL, NULL);
}

static void
deletion_answer(void *arg, const struct storage_answer *a)
{
	struct file_deletion *d = arg;

	d->done = a->error == 0;
	if (a->error != 0)
		log_warn("the storage did not delete a file: %s",
		    strerror(a->error));
}

static void
deletion_ended(void *arg, bool whole)
{
	struct file_deletion *d = arg;
	struct file_jobs *j = d->jobs;

	(void)whole;
	d->used = false;
	j->running--;
	if (d->done)
		jobs_forget(j->core, &d->file);
	jobs_next(j);
}

static const struct transfer_calls deletion_calls = {
	.answer = deletion_answer,
	.ended = deletion_ended,
};

static bool
jobs_begin(struct file_jobs *j, const struct file_deletion *what)
{
	const struct core *c = j->core;
	struct storage_order o = {
		.what = STORAGE_DELETE, .mesh = what->mesh, .file = what->file
	};
	struct file_deletion *d = j->deletions;

	while (d->used)
		d++;
	*d = *what;
	d->jobs = j;
	d->transfer = c->storage->begin(c->storage_arg, &o, &deletion_calls, d);
	d->used = d->transfer != NULL;
	j->running += d->used;
	return d->used;
}

static void
jobs_gone(void *arg, const struct db_result *r)
{
	struct file_jobs *j = arg;
	size_t i;

	j->ngone = j->next = 0;
	if (db_status(r) == DB_OK)
		for (i = 0; i < db_rows(r) && i < JOBS_GONE; i++) {
			struct file_deletion *d = &j->gone[j->ngone++];

			*d = (struct file_deletion){ .jobs = j };
			db_id(r, i, 0, &d->file);
			db_id(r, i, 1, &d->mesh);
			j->after = d->file;
		}
	if (j->ngone == 0) {
		j->sweeping = false;
		return;
	}
	jobs_next(j);
}

static void
jobs_look(struct file_jobs *j)
{
	struct db_params *p = db_params(STMT_file_gone);

	db_put_id(p, &j->after);
	db_put_int(p, JOBS_GONE);
	db_query(j->core->reads, p, jobs_gone, j);
}

/* As many at a time as may be; then the next page. */
static void
jobs_next(struct file_jobs *j)
{
	while (j->next < j->ngone && j->running < JOBS_DELETES)
		if (!jobs_begin(j, &j->gone[j->next++])) {
			/* The next sweep begins where this one did. */
			j->ngone = j->next = 0;
			j->sweeping = false;
			return;
		}
	if (j->sweeping && j->ngone > 0 && j->next == j->ngone &&
	    j->running == 0) {
		j->ngone = j->next = 0;
		jobs_look(j);
	}
}

static void
jobs_expired(void *arg, const struct db_result *r)
{
	struct file_jobs *j = arg;

	(void)r;
	memset(&j->after, 0, sizeof(j->after));
	jobs_look(j);
}

void
file_jobs_sweep(struct core *c)
{
	struct file_jobs *j = c->file_jobs;
	struct db_params *p;

	if (j == NULL || c->storage == NULL || j->sweeping || j->running > 0)
		return;
	j->sweeping = true;
	p = db_params(STMT_file_expire);
	db_put_int(p, FILE_WAITING_MS);
	db_put_int(p, c->limits.transfer_ms > FILE_UNFINISHED_MS
			  ? c->limits.transfer_ms
			  : FILE_UNFINISHED_MS);
	db_query(c->reads, p, jobs_expired, j);
}
