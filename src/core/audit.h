/* SPDX-License-Identifier: ISC */
/*
 * The audit trail: is the journal of a mesh what it was?  Each line has a hash
 * over itself and all before, so that a change shows where it was made; what a
 * hash cannot show, that the end is gone or all was written anew, checkpoints
 * do, which the server signs with a key that is not in the database.
 */
#ifndef CORE_AUDIT_H
#define CORE_AUDIT_H

#include "base/base.h"
#include "db/db.h"

struct core;

/*
 * audit_checkpoint.c
 */
struct audit_checkpoint {
	struct id mesh;
	int64_t n;
	uint8_t hash[CRYPTO_SHA256_LEN]; /* of that line */
	int64_t at_ms;
	uint8_t key[CRYPTO_KEY_LEN];
	uint8_t signature[CRYPTO_SIG_LEN];
};
/* Sets key and signature. */
void audit_sign(struct audit_checkpoint *k, const uint8_t seed[CRYPTO_KEY_LEN]);
bool audit_is_signed(const struct audit_checkpoint *k) MUST_CHECK;
/* The parameters of STMT_checkpoint_put. */
struct db_params *audit_checkpoint_put(const struct audit_checkpoint *k);

/* Whose checkpoints count. */
struct audit_keys {
	const uint8_t (*v)[CRYPTO_KEY_LEN];
	size_t n;
};
bool audit_trusts(
    const struct audit_keys *keys, const uint8_t key[CRYPTO_KEY_LEN]);

/*
 * audit.c: goes through a journal, one statement after the other, none of which
 * takes long or locks anything:
 *
 *	audit_begin(&a, ...);
 *	while ((p = audit_next(&a)) != NULL)
 *		run p, and hand what it answers to audit_take(&a, res);
 */
enum audit_step {
	AUDIT_HEAD,
	AUDIT_LINES,
	AUDIT_CHECKPOINTS,
	AUDIT_OVER
};

#define AUDIT_PROBLEM 400
struct audit {
	struct id mesh;
	const struct audit_keys *keys; /* NULL: any key */
	int64_t slice;
	bool recent; /* only what is behind the newest checkpoint */
	enum audit_step step;
	/* The last line that was seen. */
	int64_t n;
	uint8_t hash[CRYPTO_SHA256_LEN];
	/* The last that the journal says it has, and that there is. */
	int64_t head;
	uint8_t head_hash[CRYPTO_SHA256_LEN];
	int64_t last;
	int64_t checkpoints;  /* that were seen */
	int64_t checkpointed; /* the line of the newest; 0: there is none */
	uint8_t key[CRYPTO_KEY_LEN]; /* of that */
	bool found;		     /* there is such a mesh */
	/* What is wrong: the line, and a sentence; else 0 and "". */
	int64_t bad;
	char problem[AUDIT_PROBLEM];
};
/* slice: lines of one statement. */
void audit_begin(struct audit *a, const struct id *mesh,
    const struct audit_keys *keys, int64_t slice, bool recent);
/* NULL: it is over. */
struct db_params *audit_next(struct audit *a);
void audit_take(struct audit *a, const struct db_result *res);
/* How many lines are vouched for by what was found. */
bool audit_is_valid(const struct audit *a);
/* Keeps the first problem. */
void audit_problem(struct audit *a, int64_t line, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* A checkpoint where the journal has a line with this hash (NULL: it has no
 * such line). */
void audit_compare(
    struct audit *a, const struct audit_checkpoint *k, const uint8_t *hash);
/* The hash of a line behind one with the hash before (NULL: the first). */
void audit_hash(uint8_t out[CRYPTO_SHA256_LEN], const uint8_t *before,
    struct slice type, struct slice payload, struct slice at);

/*
 * audit_jobs.c: checkpoints by the clock, in the jobs process.
 */
void audit_jobs_look(struct core *c);

#endif
