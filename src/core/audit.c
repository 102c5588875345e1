/* SPDX-License-Identifier: ISC */
/*
 * Is a journal what it was?  Its lines are looked at in slices, in their order,
 * up to the one that was the last when this began; the database computes what
 * their hashes should be.  Then come the checkpoints.
 *
 * A line that was there when this began does not change, so that what is added
 * meanwhile does no harm, and nothing has to be locked.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/audit.h"
#include "core/core.h"

/* A signature costs a tenth of a millisecond. */
#define AUDIT_CHECKPOINTS_PAGE 50

void
audit_begin(struct audit *a, const struct id *mesh,
    const struct audit_keys *keys, int64_t slice, bool recent)
{
	memset(a, 0, sizeof(*a));
	a->mesh = *mesh;
	a->keys = keys;
	a->slice = slice;
	a->recent = recent;
}

bool
audit_is_valid(const struct audit *a)
{
	return a->bad == 0;
}

void
audit_problem(struct audit *a, int64_t line, const char *fmt, ...)
{
	va_list ap;

	if (a->bad != 0)
		return;
	a->bad = line;
	va_start(ap, fmt);
	vsnprintf(a->problem, sizeof(a->problem), fmt, ap);
	va_end(ap);
}

void
audit_hash(uint8_t out[CRYPTO_SHA256_LEN], const uint8_t *before,
    struct slice type, struct slice payload, struct slice at)
{
	struct crypto_sha256 *s = crypto_sha256_new();
	char hex[2 * CRYPTO_SHA256_LEN + 1];

	if (before != NULL) {
		crypto_hex(hex, before, CRYPTO_SHA256_LEN);
		crypto_sha256_add(s, hex, sizeof(hex) - 1);
	}
	crypto_sha256_add(s, "|", 1);
	crypto_sha256_add(s, type.p, type.n);
	crypto_sha256_add(s, "|", 1);
	crypto_sha256_add(s, payload.p, payload.n);
	crypto_sha256_add(s, "|", 1);
	crypto_sha256_add(s, at.p, at.n);
	crypto_sha256_end(s, out);
	crypto_sha256_free(s);
}

/* Up to where the slice goes. */
static int64_t
audit_slice_end(const struct audit *a)
{
	int64_t most = a->last < a->head ? a->last : a->head;

	return most - a->n > a->slice ? a->n + a->slice : most;
}

struct db_params *
audit_next(struct audit *a)
{
	struct db_params *p;

	switch (a->step) {
	case AUDIT_HEAD:
		p = db_params(STMT_audit_head);
		db_put_id(p, &a->mesh);
		return p;
	case AUDIT_LINES:
		p = db_params(STMT_audit_slice);
		db_put_id(p, &a->mesh);
		db_put_int(p, a->n);
		db_put_int(p, audit_slice_end(a));
		db_put_bytes(p, a->hash, a->n > 0 ? sizeof(a->hash) : 0);
		return p;
	case AUDIT_CHECKPOINTS:
		p = db_params(STMT_audit_checkpoints);
		db_put_id(p, &a->mesh);
		db_put_int(p, a->checkpointed);
		db_put_int(p, AUDIT_CHECKPOINTS_PAGE);
		return p;
	case AUDIT_OVER:
		break;
	}
	return NULL;
}

/* False: it is none of so many bytes. */
static bool
audit_bytes(const struct db_result *res, size_t row, unsigned col, uint8_t *out,
    size_t n)
{
	struct slice s;

	if (db_null(res, row, col))
		return false;
	s = db_bytes(res, row, col);
	if (s.n != n)
		return false;
	memcpy(out, s.p, n);
	return true;
}

void
audit_compare(
    struct audit *a, const struct audit_checkpoint *k, const uint8_t *hash)
{
	char hex[2 * CRYPTO_KEY_LEN + 1];

	crypto_hex(hex, k->key, sizeof(k->key));
	a->checkpoints++;
	a->checkpointed = k->n;
	memcpy(a->key, k->key, sizeof(a->key));
	if (a->keys != NULL && !audit_trusts(a->keys, k->key))
		audit_problem(a, k->n,
		    "the checkpoint of line %" PRId64 " is signed with a key "
		    "that is not trusted here: %s. If it is one of yours, name "
		    "it in audit.trust",
		    k->n, hex);
	else if (!audit_is_signed(k))
		audit_problem(a, k->n,
		    "the checkpoint of line %" PRId64 " is not what was signed",
		    k->n);
	else if (hash == NULL && k->n <= a->head)
		audit_problem(a, k->n, "line %" PRId64 " is gone", k->n);
	else if (hash == NULL)
		audit_problem(a, a->head + 1,
		    "lines are gone from the end: a checkpoint was made at "
		    "line %" PRId64 ", and the journal ends with line %" PRId64,
		    k->n, a->head);
	else if (memcmp(hash, k->hash, sizeof(k->hash)) != 0)
		audit_problem(a, k->n,
		    "line %" PRId64 " had another hash when a checkpoint was "
		    "made of it: it, or one before, was written anew with all "
		    "hashes behind it",
		    k->n);
}

/* A row with a checkpoint in columns from col on; false: malformed. */
static bool
audit_read(struct audit *a, struct audit_checkpoint *k,
    const struct db_result *res, size_t row, unsigned col)
{
	k->mesh = a->mesh;
	k->n = db_int(res, row, col);
	k->at_ms = db_time(res, row, col + 2);
	if (audit_bytes(res, row, col + 1, k->hash, sizeof(k->hash)) &&
	    audit_bytes(res, row, col + 3, k->key, sizeof(k->key)) &&
	    audit_bytes(res, row, col + 4, k->signature, sizeof(k->signature)))
		return true;
	audit_problem(a, k->n,
	    "the checkpoint of line %" PRId64 " is not what was signed", k->n);
	return false;
}

/* What only the newest checkpoint vouches for is begun behind it. */
static void
audit_take_newest(struct audit *a, const struct db_result *res)
{
	uint8_t hash[CRYPTO_SHA256_LEN];
	struct audit_checkpoint k;
	bool there;

	if (!audit_read(a, &k, res, 0, 3))
		return;
	there = audit_bytes(res, 0, 8, hash, sizeof(hash));
	audit_compare(a, &k, there && k.n <= a->head ? hash : NULL);
	a->n = k.n;
	memcpy(a->hash, k.hash, sizeof(a->hash));
}

static void
audit_take_head(struct audit *a, const struct db_result *res)
{
	a->step = AUDIT_OVER;
	if (db_rows(res) == 0)
		return;
	a->found = true;
	a->head = db_int(res, 0, 0);
	a->last = db_int(res, 0, 2);
	if (!audit_bytes(res, 0, 1, a->head_hash, sizeof(a->head_hash)) &&
	    a->head > 0)
		audit_problem(
		    a, a->head, "the head of the journal has no hash");
	if (a->recent && !db_null(res, 0, 3))
		audit_take_newest(a, res);
	if (a->bad == 0)
		a->step = AUDIT_LINES;
}

/* All lines that there are were looked at. */
static void
audit_lines_over(struct audit *a)
{
	a->step = a->recent ? AUDIT_OVER : AUDIT_CHECKPOINTS;
	if (a->last < a->head)
		audit_problem(a, a->last + 1,
		    "lines are gone from the end: the journal has %" PRId64
		    ", and the last one that is there is line %" PRId64,
		    a->head, a->last);
	else if (a->last > a->head)
		audit_problem(a, a->head + 1,
		    "there are lines behind the end of the journal, which is "
		    "line %" PRId64,
		    a->head);
	else if (a->n > 0 &&
		 memcmp(a->hash, a->head_hash, sizeof(a->hash)) != 0)
		audit_problem(a, a->n,
		    "the last line, %" PRId64 ", has another hash than the "
		    "journal says",
		    a->n);
}

static void
audit_take_lines(struct audit *a, const struct db_result *res)
{
	int64_t end = audit_slice_end(a);
	int64_t gap = db_null(res, 0, 3) ? INT64_MAX : db_int(res, 0, 3);
	int64_t wrong = db_null(res, 0, 4) ? INT64_MAX : db_int(res, 0, 4);

	/* The slice has no line at its end. */
	if (gap == INT64_MAX && db_int(res, 0, 0) < end - a->n)
		gap = db_null(res, 0, 1) ? a->n + 1 : db_int(res, 0, 1) + 1;
	if (gap < wrong)
		audit_problem(a, gap, "line %" PRId64 " is gone", gap);
	else if (wrong != INT64_MAX)
		audit_problem(a, wrong,
		    "line %" PRId64 " has another hash than it and the line "
		    "before it make: one of them was changed",
		    wrong);
	if (a->bad != 0) {
		a->step = AUDIT_OVER;
		return;
	}
	if (end > a->n && !audit_bytes(res, 0, 2, a->hash, sizeof(a->hash)))
		audit_problem(a, end, "line %" PRId64 " has no hash", end);
	a->n = end;
	if (a->n == (a->last < a->head ? a->last : a->head))
		audit_lines_over(a);
	if (a->bad != 0)
		a->step = AUDIT_OVER;
}

static void
audit_take_checkpoints(struct audit *a, const struct db_result *res)
{
	uint8_t hash[CRYPTO_SHA256_LEN];
	struct audit_checkpoint k;
	size_t i;
	bool there;

	for (i = 0; i < db_rows(res) && a->bad == 0; i++) {
		if (!audit_read(a, &k, res, i, 0))
			break;
		/* Of lines that came meanwhile too. */
		there = k.n <= db_int(res, i, 5) &&
			audit_bytes(res, i, 6, hash, sizeof(hash));
		audit_compare(a, &k, there ? hash : NULL);
	}
	if (a->bad != 0 || db_rows(res) < AUDIT_CHECKPOINTS_PAGE)
		a->step = AUDIT_OVER;
}

void
audit_take(struct audit *a, const struct db_result *res)
{
	switch (a->step) {
	case AUDIT_HEAD:
		audit_take_head(a, res);
		break;
	case AUDIT_LINES:
		audit_take_lines(a, res);
		break;
	case AUDIT_CHECKPOINTS:
		audit_take_checkpoints(a, res);
		break;
	case AUDIT_OVER:
		break;
	}
}
