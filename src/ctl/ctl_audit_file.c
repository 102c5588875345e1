/* SPDX-License-Identifier: ISC */
/*
 * Verifies an export of the audit trail from what is in it alone: without a
 * server, without a database, a line at a time.  What is wrong is told with the
 * line of the file where it shows.  Behind the first that is wrong in a mesh,
 * the lines of this mesh are passed over.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "ctl/ctl_audit.h"

#define TRAIL_LINE_MAX ((size_t)8 << 20)
#define TRAIL_NODES (1u << 20)
#define TRAIL_DEPTH 128
#define TRAIL_CHUNK 65536

struct trail {
	struct ctl *c;
	const char *path;
	FILE *f;
	char *chunk;
	size_t pos, len; /* of what is in it */
	struct buf line;
	size_t at; /* its number, from 1 */
	struct json j;
	struct buf text; /* strings of the line, without escapes */
	struct ctl_audit_keys keys;
	bool any; /* nobody said whose checkpoints count */
	struct ctl_verdicts verdicts;
	size_t meshes;
	/* Of the mesh that is read. */
	bool open;
	struct audit audit;
	bool has_head;
	char slug[129];
	size_t bad_at; /* where it is wrong */
	struct crypto_sha256 *sum;
};

/* The next line, without its end; false: there is none. */
static bool
trail_line(struct trail *t)
{
	const char *from, *end;
	size_t n;

	buf_clear(&t->line);
	t->at++;
	for (;;) {
		if (t->pos == t->len) {
			t->pos = 0;
			t->len = fread(t->chunk, 1, TRAIL_CHUNK, t->f);
			if (t->len == 0 && ferror(t->f))
				ctl_fail(EX_IOERR, "%s: %s", t->path,
				    strerror(errno));
			if (t->len == 0)
				return t->line.len > 0;
		}
		from = t->chunk + t->pos;
		end = memchr(from, '\n', t->len - t->pos);
		n = end != NULL ? (size_t)(end - from) : t->len - t->pos;
		buf_add(&t->line, from, n);
		if (t->line.failed)
			ctl_fail(EX_DATAERR,
			    "%s: line %zu has more than %zu bytes: this is no "
			    "export of linnetctl audit export",
			    t->path, t->at, TRAIL_LINE_MAX);
		t->pos += n + (end != NULL);
		if (end != NULL)
			return true;
	}
}

static void trail_wrong(struct trail *t, int64_t line, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
static void
trail_wrong(struct trail *t, int64_t line, const char *fmt, ...)
{
	char text[AUDIT_PROBLEM];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	audit_problem(&t->audit, line, "%s", text);
}

/* A member that is a string: in t->text, until the next line. */
static bool
trail_str(struct trail *t, const char *key, struct slice *out)
{
	size_t i = json_get(&t->j, 0, key);
	const struct json_node *node = &t->j.nodes[i];
	char *to;

	if (i == 0 || node->type != JSON_STRING)
		return false;
	/* Room for all was made before: nothing moves. */
	to = buf_reserve(&t->text, node->n);
	if (to == NULL)
		return false;
	out->p = to;
	out->n = json_unescape(node, to);
	t->text.len += out->n;
	return true;
}

static bool
trail_num(const struct trail *t, const char *key, int64_t *v)
{
	size_t i = json_get(&t->j, 0, key);

	return i != 0 && t->j.nodes[i].type == JSON_NUMBER &&
	       json_int(&t->j.nodes[i], v) == 0;
}

static bool
trail_hex(struct trail *t, const char *key, uint8_t *out, size_t n)
{
	struct slice s;

	return trail_str(t, key, &s) && crypto_unhex(out, n, s.p, s.n) == 0;
}

static bool
trail_id(struct trail *t, const char *key, struct id *id)
{
	struct slice s;

	return trail_str(t, key, &s) && id_parse(id, s.p, s.n) == 0;
}

static bool
trail_time(struct trail *t, const char *key, struct slice *text, int64_t *ms)
{
	return trail_str(t, key, text) &&
	       clock_parse(text->p, text->n, ms) == 0;
}

/* All of the mesh was read, or no more of it can be. */
static void
trail_close(struct trail *t)
{
	struct ctl_verdict one = { &t->audit, t->slug, t->bad_at, t->any };

	ctl_verdicts_add(&t->verdicts, &one);
	crypto_sha256_free(t->sum);
	t->sum = NULL;
	t->open = false;
}

static void
trail_open(struct trail *t)
{
	struct slice format, slug;
	int64_t version = 0;
	struct id mesh;

	if (!trail_str(t, "format", &format) ||
	    format.n != strlen(AUDIT_FORMAT) ||
	    memcmp(format.p, AUDIT_FORMAT, format.n) != 0 ||
	    !trail_num(t, "version", &version) ||
	    !trail_id(t, "meshId", &mesh) || !trail_str(t, "mesh", &slug))
		ctl_fail(EX_DATAERR,
		    "%s: line %zu does not begin an export of linnetctl audit "
		    "export",
		    t->path, t->at);
	if (version != AUDIT_FORMAT_VERSION)
		ctl_fail(EX_DATAERR,
		    "%s: line %zu says version %" PRId64 ", and this program "
		    "knows %d; use a newer one",
		    t->path, t->at, version, AUDIT_FORMAT_VERSION);
	audit_begin(&t->audit, &mesh, t->any ? NULL : &t->keys.keys, 0, false);
	snprintf(t->slug, sizeof(t->slug), SLICE_FMT, SLICE_ARG(slug));
	t->open = true;
	t->meshes++;
	t->bad_at = 0;
	t->sum = crypto_sha256_new();
	t->has_head = trail_hex(
	    t, "headHash", t->audit.head_hash, sizeof(t->audit.head_hash));
	if (!trail_num(t, "total", &t->audit.head) || t->audit.head < 0 ||
	    t->has_head != (t->audit.head > 0))
		trail_wrong(t, 1, "it is not said how many lines there are");
}

static void
trail_event(struct trail *t)
{
	size_t i = json_get(&t->j, 0, "payload");
	uint8_t hash[CRYPTO_SHA256_LEN], want[CRYPTO_SHA256_LEN];
	struct slice type, payload, at;
	struct audit *a = &t->audit;
	int64_t n, ms;

	if (!trail_num(t, "n", &n) || !trail_str(t, "eventType", &type) ||
	    i == 0 || t->j.nodes[i].type != JSON_OBJECT ||
	    !trail_time(t, "createdAt", &at, &ms) ||
	    !trail_hex(t, "eventHash", hash, sizeof(hash))) {
		trail_wrong(t, a->n + 1,
		    "line %" PRId64 " of the journal is not whole", a->n + 1);
		return;
	}
	if (n != a->n + 1) {
		trail_wrong(t, a->n + 1,
		    "line %" PRId64 " is gone, where line %" PRId64 " is",
		    a->n + 1, n);
		return;
	}
	payload = (struct slice){ t->j.nodes[i].p, t->j.nodes[i].n };
	audit_hash(want, a->n > 0 ? a->hash : NULL, type, payload, at);
	if (memcmp(want, hash, sizeof(hash)) != 0) {
		trail_wrong(t, n,
		    "line %" PRId64 " has another hash than it and the line "
		    "before it make: one of them was changed",
		    n);
		return;
	}
	a->n = n;
	memcpy(a->hash, hash, sizeof(hash));
}

static void
trail_checkpoint(struct trail *t)
{
	struct audit *a = &t->audit;
	struct audit_checkpoint k = { .mesh = a->mesh };
	struct slice at;

	if (!trail_num(t, "checkpoint", &k.n) || k.n < 1 ||
	    !trail_hex(t, "eventHash", k.hash, sizeof(k.hash)) ||
	    !trail_time(t, "at", &at, &k.at_ms) ||
	    !trail_hex(t, "key", k.key, sizeof(k.key)) ||
	    !trail_hex(t, "signature", k.signature, sizeof(k.signature)))
		trail_wrong(t, a->n,
		    "the checkpoint behind line %" PRId64 " is not whole",
		    a->n);
	else if (k.n < a->n || (a->checkpoints > 0 && k.n <= a->checkpointed))
		trail_wrong(t, k.n,
		    "the checkpoint of line %" PRId64 " is not at its place",
		    k.n);
	else if (t->any && a->checkpoints > 0 &&
		 memcmp(k.key, a->key, sizeof(k.key)) != 0)
		trail_wrong(t, k.n,
		    "the checkpoint of line %" PRId64 " is signed with another "
		    "key than those before; say with --key which count",
		    k.n);
	else
		audit_compare(a, &k, k.n == a->n ? a->hash : NULL);
}

/* Is this the line that an export ends with? */
static bool
trail_ends(struct trail *t)
{
	struct json_writer w;
	struct buf b;
	bool same;

	buf_init(&b, TRAIL_LINE_MAX);
	json_start(&w, &b);
	ctl_audit_end(&w, &t->audit.mesh, t->audit.checkpoints, t->sum);
	same = b.len == t->line.len && memcmp(b.data, t->line.data, b.len) == 0;
	buf_free(&b);
	return same;
}

static void
trail_end(struct trail *t)
{
	struct audit *a = &t->audit;
	int64_t checkpoints;
	struct id mesh;

	if (!trail_id(t, "end", &mesh) || !id_same(&mesh, &a->mesh) ||
	    !trail_num(t, "checkpoints", &checkpoints))
		trail_wrong(t, a->n + 1, "the end of the mesh is not whole");
	else if (a->n != a->head)
		trail_wrong(t, a->n + 1,
		    "lines are gone from the end: the journal had %" PRId64
		    ", and the last one that is there is line %" PRId64,
		    a->head, a->n);
	else if (t->has_head &&
		 memcmp(a->hash, a->head_hash, sizeof(a->hash)) != 0)
		trail_wrong(t, a->n,
		    "the last line, %" PRId64 ", has another hash than the "
		    "journal had",
		    a->n);
	else if (checkpoints != a->checkpoints)
		trail_wrong(t, a->n,
		    "checkpoints are gone: there were %" PRId64 ", and %" PRId64
		    " are there",
		    checkpoints, a->checkpoints);
	else if (!trail_ends(t))
		trail_wrong(t, a->n,
		    "something was changed that no hash of a line is over");
}

/* False: behind this line nothing can be made out. */
static bool
trail_take(struct trail *t)
{
	bool last = false;

	buf_clear(&t->text);
	if (buf_reserve(&t->text, t->line.len + 1) == NULL)
		fatalx("no room for a line");
	if (json_read(&t->j, t->line.data, t->line.len) != 0 ||
	    t->j.nodes[0].type != JSON_OBJECT) {
		if (!t->open)
			ctl_fail(EX_DATAERR, "%s: line %zu is no JSON object",
			    t->path, t->at);
		trail_wrong(t, t->audit.n + 1, "this is no JSON object");
		return false;
	}
	if (!t->open) {
		trail_open(t);
	} else if ((last = json_get(&t->j, 0, "end") != 0)) {
		if (audit_is_valid(&t->audit))
			trail_end(t);
	} else if (json_get(&t->j, 0, "format") != 0) {
		trail_wrong(
		    t, t->audit.n + 1, "the end of the mesh is missing");
		return false;
	} else if (!audit_is_valid(&t->audit)) {
		return true;
	} else if (json_get(&t->j, 0, "checkpoint") != 0) {
		trail_checkpoint(t);
	} else {
		trail_event(t);
	}
	if (!audit_is_valid(&t->audit) && t->bad_at == 0)
		t->bad_at = t->at;
	if (!last) {
		crypto_sha256_add(t->sum, t->line.data, t->line.len);
		crypto_sha256_add(t->sum, "\n", 1);
	} else
		trail_close(t);
	return true;
}

static void
trail_read(struct trail *t)
{
	while (trail_line(t))
		if (!trail_take(t))
			break;
	if (t->open) {
		if (audit_is_valid(&t->audit))
			trail_wrong(t, t->audit.n + 1,
			    "the file ends before the mesh does");
		if (t->bad_at == 0)
			t->bad_at = t->at;
		trail_close(t);
	}
	if (t->meshes == 0)
		ctl_fail(EX_DATAERR, "%s: there is nothing in it", t->path);
}

void
ctl_audit_file(struct ctl *c, const char *path)
{
	bool here = strcmp(path, "-") == 0;
	struct trail t = { .c = c, .path = here ? "standard input" : path };
	int status;

	t.any = !ctl_audit_given(c, &t.keys);
	if ((t.f = here ? stdin : fopen(path, "re")) == NULL)
		ctl_fail(EX_NOINPUT, "%s: %s", path, strerror(errno));
	t.chunk = xmalloc(TRAIL_CHUNK);
	buf_init(&t.line, TRAIL_LINE_MAX);
	buf_init(&t.text, TRAIL_LINE_MAX + 2);
	json_init(&t.j, TRAIL_NODES, TRAIL_DEPTH);
	ctl_verdicts_begin(&t.verdicts, c);
	trail_read(&t);
	if (!here)
		fclose(t.f);
	json_free(&t.j);
	buf_free(&t.line);
	buf_free(&t.text);
	free(t.chunk);
	free(t.keys.v);
	status = ctl_verdicts_end(&t.verdicts);
	if (status != 0)
		ctl_fail(status, "%s is not what was exported", t.path);
}
