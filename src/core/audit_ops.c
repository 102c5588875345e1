/* SPDX-License-Identifier: ISC */
/*
 * audit_rows and audit_verify: the journal of the mesh, whole, for who may read
 * the audit.
 */
#include <inttypes.h>
#include <string.h>

#include "core/domain.h"

#define ROWS_MAX 5000
/* A page ends where it has so many bytes. */
#define ROWS_BYTES ((size_t)1 << 20)
#define ROWS_ACTOR 256
/* Some milliseconds; other questions wait behind them. */
#define VERIFY_SLICE 1000

struct rows_in {
	struct slice actor;
	int64_t limit;
	int64_t before;
	int64_t after;
};

#define IN(field) offsetof(struct rows_in, field)
static const struct field rows_in_fields[] = {
	{ "actorId", F_STR, IN(actor), 1, ROWS_ACTOR, 0, NULL, NULL, 0,
	    "Only what is about this member, or was done by it: its id." },
	{ "limit", F_INT, IN(limit), 1, ROWS_MAX, 0, NULL, NULL, 0,
	    "At most so many; 5000 when absent." },
	{ "before", F_INT, IN(before), 1, INT64_MAX, 0, NULL, NULL, 0,
	    "Only lines before this one: the next of the page before. The last "
	    "ones when absent." },
	{ "after", F_INT, IN(after), 0, INT64_MAX, FIELD_ABSENT, NULL, NULL, 0,
	    "The first lines behind this one, and not the last: 0, then the "
	    "next of the page before." },
	{ .type = F_END },
};
#undef IN

struct row {
	int64_t n;
	struct id id;
	struct slice type;
	struct slice payload;
	struct slice before;
	struct slice hash;
	int64_t at_ms;
};

#define ROW(field) offsetof(struct row, field)
static const struct field row_fields[] = {
	{ "n", F_INT, ROW(n), 0, 0, 0, NULL, NULL, 0,
	    "Its place; from 1, without gaps." },
	{ "id", F_ID, ROW(id), 0, 0, 0, NULL, NULL, 0, "Its id." },
	{ "eventType", F_STR, ROW(type), 0, 0, 0, NULL, NULL, 0,
	    "What happened." },
	{ "payload", F_JSON, ROW(payload), 0, 0, 0, NULL, NULL, 0,
	    "To what, and by whom: an object." },
	{ "prevHash", F_STR, ROW(before), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "Hash of the line before; null: there is none." },
	{ "eventHash", F_STR, ROW(hash), 0, 0, 0, NULL, NULL, 0,
	    "SHA-256 over prevHash, eventType, payload and createdAt, with a "
	    "bar between each." },
	{ "createdAt", F_TIME, ROW(at_ms), 0, 0, 0, NULL, NULL, 0, "When." },
	{ .type = F_END },
};
#undef ROW

struct rows_out {
	struct list rows;
	int64_t next;
};

#define OUT(field) offsetof(struct rows_out, field)
static const struct field rows_out_fields[] = {
	{ "rows", F_ROWS, OUT(rows), 0, 0, 0, NULL, row_fields,
	    sizeof(struct row), "Lines of the journal, the oldest first." },
	{ "next", F_INT, OUT(next), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "There may be more: before, or after, for the next page." },
	{ .type = F_END },
};
#undef OUT

static int64_t
rows_limit(const struct rows_in *in)
{
	return in->limit > 0 ? in->limit : ROWS_MAX;
}

static struct slice
rows_hex(struct request *r, const struct db_result *res, size_t i, unsigned col)
{
	struct slice s;
	char *hex;

	if (db_null(res, i, col))
		return (struct slice){ NULL, 0 };
	s = db_bytes(res, i, col);
	hex = pool_alloc(&r->pool, 2 * s.n + 1);
	crypto_hex(hex, s.p, s.n);
	return (struct slice){ hex, 2 * s.n };
}

static void
rows_read(
    struct request *r, struct row *o, const struct db_result *res, size_t i)
{
	o->n = db_int(res, i, 0);
	db_id(res, i, 1, &o->id);
	o->type = db_text(res, i, 2);
	o->payload = db_text(res, i, 3);
	o->before = rows_hex(r, res, i, 4);
	o->hash = rows_hex(r, res, i, 5);
	o->at_ms = db_time(res, i, 6);
}

static void
rows_found(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct rows_in *in = r->in;
	bool up = in->after >= 0;
	size_t n = 0, bytes = 0, total, i;
	struct rows_out out;
	struct row *v, swap;

	if (op_db_failed(r, res))
		return;
	total = db_rows(res);
	v = pool_zalloc(&r->pool, (total + 1) * sizeof(*v));
	while (n < total && (n == 0 || bytes < ROWS_BYTES)) {
		rows_read(r, &v[n], res, n);
		bytes += v[n++].payload.n;
	}
	out = (struct rows_out){ .rows = { v, n } };
	if (n < total || total == (size_t)rows_limit(in))
		out.next = v[n - 1].n;
	for (i = 0; !up && i < n / 2; i++) {
		swap = v[i];
		v[i] = v[n - 1 - i];
		v[n - 1 - i] = swap;
	}
	op_reply(r, &out);
}

static void
audit_rows_exec(struct request *r, void *arg)
{
	const struct rows_in *in = arg;
	struct db_params *p =
	    db_params(in->after >= 0 ? STMT_audit_rows_up : STMT_audit_rows);

	db_put_id(p, &r->client->session->mesh->id);
	db_put_int(p, in->after >= 0 ? in->after : 0);
	db_put_int(p, in->before > 0 ? in->before : INT64_MAX);
	db_put_text(p, in->actor.n > 0 ? in->actor.p : NULL, in->actor.n);
	db_put_int(p, rows_limit(in));
	db_query(r->core->reads, p, rows_found, r);
}

struct verify_out {
	bool valid;
	struct slice first_bad;
	int64_t total;
	struct slice problem;
	int64_t checkpoints;
	int64_t checkpointed;
	struct slice hash;
	uint8_t key[CRYPTO_KEY_LEN];
};

#define OUT(field) offsetof(struct verify_out, field)
static const struct field verify_out_fields[] = {
	{ "valid", F_BOOL, OUT(valid), 0, 0, 0, NULL, NULL, 0,
	    "The journal is what it was." },
	{ "firstBadIndex", F_JSON, OUT(first_bad), 0, 0, 0, NULL, NULL, 0,
	    "Where it is not: the place of the first line that is wrong or "
	    "gone, from 0, so one less than its n. null: nowhere." },
	{ "total", F_INT, OUT(total), 0, 0, 0, NULL, NULL, 0,
	    "How many lines the journal says it has." },
	{ "problem", F_STR, OUT(problem), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "What is wrong, in a sentence." },
	{ "checkpoints", F_INT, OUT(checkpoints), 0, 0, 0, NULL, NULL, 0,
	    "Checkpoints that were compared." },
	{ "checkpointed", F_INT, OUT(checkpointed), 0, 0, 0, NULL, NULL, 0,
	    "The n of the line up to which the newest one vouches; 0: there "
	    "is none." },
	{ "headHash", F_STR, OUT(hash), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "eventHash of the last line." },
	{ "key", F_KEY, OUT(key), 0, 0, 0, NULL, NULL, 0,
	    "The public key with which this server signs checkpoints." },
	{ .type = F_END },
};
#undef OUT

/* Of the request's pool. */
struct verifying {
	struct request *request;
	struct audit audit;
};

static void
verify_reply(struct verifying *v)
{
	struct request *r = v->request;
	const struct audit *a = &v->audit;
	struct verify_out out = { .valid = audit_is_valid(a),
		.first_bad = { "null", 4 },
		.total = a->head,
		.checkpoints = a->checkpoints,
		.checkpointed = a->checkpointed };
	char *text;

	memcpy(out.key, r->core->audit_keys.v[0], sizeof(out.key));
	if (!out.valid) {
		text = pool_printf(&r->pool, "%" PRId64, a->bad - 1);
		out.first_bad = (struct slice){ text, strlen(text) };
		out.problem = (struct slice){ a->problem, strlen(a->problem) };
	}
	if (a->head > 0) {
		text = pool_alloc(&r->pool, 2 * CRYPTO_SHA256_LEN + 1);
		crypto_hex(text, a->head_hash, CRYPTO_SHA256_LEN);
		out.hash = (struct slice){ text, 2 * CRYPTO_SHA256_LEN };
	}
	op_reply(r, &out);
}

static void verify_next(struct verifying *v);

static void
verify_step(void *arg, const struct db_result *res)
{
	struct verifying *v = arg;

	if (op_db_failed(v->request, res))
		return;
	audit_take(&v->audit, res);
	/* Nobody waits for it any more. */
	if (v->request->client == NULL)
		op_fail(v->request, ERR_UNAVAILABLE, NULL);
	else
		verify_next(v);
}

static void
verify_next(struct verifying *v)
{
	struct db_params *p = audit_next(&v->audit);

	if (p != NULL)
		db_query(v->request->core->reads, p, verify_step, v);
	else
		verify_reply(v);
}

static void
audit_verify_exec(struct request *r, void *arg)
{
	struct verifying *v = pool_zalloc(&r->pool, sizeof(*v));

	(void)arg;
	v->request = r;
	audit_begin(&v->audit, &r->client->session->mesh->id,
	    &r->core->audit_keys, VERIFY_SLICE, false);
	verify_next(v);
}

static const struct field no_fields[] = {
	{ .type = F_END },
};

const struct op op_audit_rows = {
	.name = "audit_rows",
	.scope = SCOPE_AUDIT_READ,
	.rest = { "GET /v1/audit/rows" },
	.reply = "audit",
	.in = rows_in_fields,
	.in_size = sizeof(struct rows_in),
	.out = rows_out_fields,
	.exec = audit_rows_exec,
	.text = "Read the journal of the mesh: what was done, and by whom.",
};

const struct op op_audit_verify = {
	.name = "audit_verify",
	.scope = SCOPE_AUDIT_READ,
	.rest = { "GET /v1/audit/verify" },
	.reply = "audit_verified",
	.in = no_fields,
	.out = verify_out_fields,
	.exec = audit_verify_exec,
	.text = "Verify the journal of the mesh: the hash of every line, and "
		"every checkpoint.",
};
