/* SPDX-License-Identifier: ISC */
/*
 * Exports of the audit trail: JSON lines, which ctl_audit_file.c verifies.  Of
 * each mesh one that says what follows, a line for each line of the journal,
 * behind some of these their checkpoint, and one that says that this is all.
 * They are read and written in pages, and never held together.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "ctl/ctl_audit.h"

/* A line may have a megabyte. */
#define EXPORT_LINES 200
#define EXPORT_LINE_MAX ((size_t)8 << 20)

struct export
{
	struct ctl *c;
	FILE *f;
	const char *path;
	struct json_writer w;
	struct buf b;
	/* Of the mesh. */
	struct id mesh;
	int64_t head; /* the last line */
	uint8_t hash[CRYPTO_SHA256_LEN];
	struct crypto_sha256 *sum;
	int64_t n; /* the last line, and checkpoint, that was written */
	int64_t checkpoint;
	int64_t checkpoints;
	size_t rows;		       /* of the last answer */
	const struct db_result *marks; /* checkpoints behind `checkpoint` */
	size_t mark;
};

static void
export_begin(struct export *e)
{
	buf_clear(&e->b);
	json_start(&e->w, &e->b);
	json_object(&e->w);
}

static void
export_write(struct export *e)
{
	buf_add(&e->b, "\n", 1);
	if (e->b.failed)
		ctl_fail(EX_DATAERR, "a line of more than %zu bytes",
		    EXPORT_LINE_MAX);
	if (e->sum != NULL)
		crypto_sha256_add(e->sum, e->b.data, e->b.len);
	if (fwrite(e->b.data, 1, e->b.len, e->f) != e->b.len)
		ctl_fail(EX_IOERR, "%s: %s", e->path, strerror(errno));
}

static void
export_end(struct export *e)
{
	json_object_end(&e->w);
	export_write(e);
}

static void
export_hash(struct export *e, const char *key, struct slice bytes)
{
	json_key(&e->w, key);
	json_hex(&e->w, bytes.p, bytes.n);
}

static void
export_checkpoint(struct export *e, const struct db_result *r, size_t i)
{
	export_begin(e);
	e->checkpoint = db_int(r, i, 0);
	e->checkpoints++;
	json_key(&e->w, "checkpoint");
	json_num(&e->w, e->checkpoint);
	export_hash(e, "eventHash", db_bytes(r, i, 1));
	json_key(&e->w, "at");
	json_time(&e->w, db_time(r, i, 2));
	export_hash(e, "key", db_bytes(r, i, 3));
	export_hash(e, "signature", db_bytes(r, i, 4));
	export_end(e);
}

static void
export_line(struct export *e, const struct db_result *r, size_t i)
{
	struct slice s;
	struct id id;

	export_begin(e);
	e->n = db_int(r, i, 0);
	json_key(&e->w, "n");
	json_num(&e->w, e->n);
	json_key(&e->w, "id");
	db_id(r, i, 1, &id);
	json_id(&e->w, &id);
	json_key(&e->w, "eventType");
	s = db_text(r, i, 2);
	json_strn(&e->w, s.p, s.n);
	json_key(&e->w, "payload");
	s = db_text(r, i, 3);
	json_raw(&e->w, s.p, s.n);
	json_key(&e->w, "createdAt");
	json_time(&e->w, db_time(r, i, 5));
	export_hash(e, "eventHash", db_bytes(r, i, 4));
	if (!db_null(r, i, 6)) {
		json_key(&e->w, "streamId");
		db_id(r, i, 6, &id);
		json_id(&e->w, &id);
	}
	if (!db_null(r, i, 7)) {
		json_key(&e->w, "streamSeq");
		json_num(&e->w, db_int(r, i, 7));
	}
	export_end(e);
}

static void
export_lines(void *arg, const struct db_result *r)
{
	struct export *e = arg;
	size_t i;

	e->rows = db_rows(r);
	for (i = 0; i < e->rows; i++) {
		export_line(e, r, i);
		for (; e->mark < db_rows(e->marks) &&
		       db_int(e->marks, e->mark, 0) <= e->n;
		     e->mark++)
			export_checkpoint(e, e->marks, e->mark);
	}
}

/* A page of lines, with the checkpoints that may be of these. */
static void
export_page(void *arg, const struct db_result *r)
{
	struct export *e = arg;
	struct db_params *p = db_params(STMT_audit_lines);

	e->marks = r;
	e->mark = 0;
	db_put_id(p, &e->mesh);
	db_put_int(p, e->n);
	db_put_int(p, e->head + 1);
	db_put_int(p, EXPORT_LINES);
	ctl_query(e->c, p, export_lines, e);
}

/* Those of lines that are gone; not those of lines that came meanwhile. */
static void
export_rest(void *arg, const struct db_result *r)
{
	struct export *e = arg;
	size_t i;

	e->rows = db_rows(r);
	for (i = 0; i < e->rows; i++) {
		if (db_int(r, i, 0) > db_int(r, i, 5))
			export_checkpoint(e, r, i);
		e->checkpoint = db_int(r, i, 0);
	}
}

static void
export_ask_checkpoints(struct export *e, int64_t after, db_fn *fn)
{
	struct db_params *p = db_params(STMT_audit_checkpoints);

	db_put_id(p, &e->mesh);
	db_put_int(p, after);
	db_put_int(p, EXPORT_LINES);
	ctl_query(e->c, p, fn, e);
}

static void
export_head(void *arg, const struct db_result *r)
{
	struct export *e = arg;
	struct slice s;

	if (db_rows(r) == 0)
		ctl_fail(EX_UNAVAILABLE, "the mesh was deleted meanwhile");
	e->head = db_int(r, 0, 0);
	s = db_bytes(r, 0, 1);
	if (s.n == sizeof(e->hash))
		memcpy(e->hash, s.p, s.n);
}

static void
export_opens(struct export *e, const struct ctl_mesh *m)
{
	export_begin(e);
	json_key(&e->w, "format");
	json_str(&e->w, AUDIT_FORMAT);
	json_key(&e->w, "version");
	json_num(&e->w, AUDIT_FORMAT_VERSION);
	json_key(&e->w, "meshId");
	json_id(&e->w, &m->id);
	json_key(&e->w, "mesh");
	json_str(&e->w, m->slug);
	json_key(&e->w, "exportedAt");
	json_time(&e->w, clock_wall());
	json_key(&e->w, "total");
	json_num(&e->w, e->head);
	if (e->head > 0) {
		json_key(&e->w, "headHash");
		json_hex(&e->w, e->hash, sizeof(e->hash));
	}
	export_end(e);
}

void
ctl_audit_end(struct json_writer *w, const struct id *mesh, int64_t checkpoints,
    struct crypto_sha256 *sum)
{
	uint8_t digest[CRYPTO_SHA256_LEN];

	crypto_sha256_end(sum, digest);
	json_object(w);
	json_key(w, "end");
	json_id(w, mesh);
	json_key(w, "checkpoints");
	json_num(w, checkpoints);
	json_key(w, "sha256");
	json_hex(w, digest, sizeof(digest));
	json_object_end(w);
}

static void
export_closes(struct export *e)
{
	buf_clear(&e->b);
	json_start(&e->w, &e->b);
	ctl_audit_end(&e->w, &e->mesh, e->checkpoints, e->sum);
	crypto_sha256_free(e->sum);
	e->sum = NULL;
	export_write(e);
}

static void
export_mesh(struct ctl *c, const struct ctl_mesh *m, void *arg)
{
	struct export *e = arg;
	struct db_params *p = db_params(STMT_audit_head);

	e->c = c;
	e->mesh = m->id;
	e->n = e->checkpoint = e->checkpoints = 0;
	e->sum = crypto_sha256_new();
	db_put_id(p, &m->id);
	ctl_query(c, p, export_head, e);
	export_opens(e, m);
	do
		export_ask_checkpoints(e, e->checkpoint, export_page);
	while (e->rows == EXPORT_LINES);
	e->checkpoint = e->checkpoint > e->head ? e->checkpoint : e->head;
	do
		export_ask_checkpoints(e, e->checkpoint, export_rest);
	while (e->rows == EXPORT_LINES);
	export_closes(e);
}

/* What is written beside the file until it is whole, or NULL. */
static char *export_fresh;

/* However the program ends. */
static void
export_forget(void)
{
	if (export_fresh != NULL)
		unlink(export_fresh);
}

/*
 * Not for others to read.  What is there and no file, as a pipe or a device, is
 * written to and stays what it is.
 */
static FILE *
export_open(const char *path)
{
	struct stat st;
	int fd;
	FILE *f;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		if ((f = fopen(path, "we")) == NULL)
			ctl_fail(EX_CANTCREAT, "%s: %s", path, strerror(errno));
		return f;
	}
	export_fresh = xasprintf("%s.%d", path, (int)getpid());
	fd = open(export_fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	f = fd != -1 ? fdopen(fd, "w") : NULL;
	if (f == NULL) {
		free(export_fresh);
		export_fresh = NULL;
		ctl_fail(EX_CANTCREAT, "%s: %s", path, strerror(errno));
	}
	atexit(export_forget);
	return f;
}

static void
export_close(struct export *e)
{
	if (fflush(e->f) != 0 ||
	    (export_fresh != NULL &&
		(fsync(fileno(e->f)) != 0 || fclose(e->f) != 0 ||
		    rename(export_fresh, e->path) != 0)))
		ctl_fail(EX_IOERR, "%s: %s", e->path, strerror(errno));
	free(export_fresh);
	export_fresh = NULL;
}

void
ctl_audit_export(struct ctl *c)
{
	const char *slug = c->nargs > 0 ? c->args[0] : NULL;
	const char *path = c->nargs > 1 ? c->args[1] : "-";
	bool here = strcmp(path, "-") == 0;
	struct export e = { .path = here ? "standard output" : path };

	buf_init(&e.b, EXPORT_LINE_MAX);
	e.f = here ? stdout : export_open(path);
	ctl_audit_each(c, slug, export_mesh, &e);
	export_close(&e);
	buf_free(&e.b);
}
