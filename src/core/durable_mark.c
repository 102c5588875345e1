/* SPDX-License-Identifier: ISC */
/*
 * How far readers of durable streams have come: each under a name of its own,
 * so that one that comes back goes on where it was.
 */
#include <string.h>

#include "core/durable.h"

#define CONSUMER_MAX 120

struct mark_in {
	struct id durable;
	struct slice consumer;
	int64_t n;
};

#define IN(field) offsetof(struct mark_in, field)
static const struct field mark_fields[] = {
	{ "durableStreamId", F_ID, IN(durable), 0, 0, FIELD_REQUIRED, NULL,
	    NULL, 0, "The durable stream." },
	{ "consumer", F_STR, IN(consumer), 1, CONSUMER_MAX, FIELD_REQUIRED,
	    NULL, NULL, 0, "A name of your own for who reads." },
	{ "offset", F_INT, IN(n), 0, INT64_MAX, FIELD_REQUIRED, NULL, NULL, 0,
	    "The last chunk that it is done with." },
	{ .type = F_END },
};
static const struct field marks_fields[] = {
	{ "durableStreamId", F_ID, IN(durable), 0, 0, FIELD_REQUIRED, NULL,
	    NULL, 0, "The durable stream." },
	{ "consumer", F_STR, IN(consumer), 1, CONSUMER_MAX, 0, NULL, NULL, 0,
	    "Only that of this name." },
	{ .type = F_END },
};
#undef IN

struct mark_out {
	struct id durable;
	struct slice consumer;
	int64_t n;
};

#define OUT(field) offsetof(struct mark_out, field)
static const struct field mark_out_fields[] = {
	{ "durableStreamId", F_ID, OUT(durable), 0, 0, 0, NULL, NULL, 0,
	    "The durable stream." },
	{ "consumer", F_STR, OUT(consumer), 0, 0, 0, NULL, NULL, 0,
	    "As asked." },
	{ "offset", F_INT, OUT(n), 0, 0, 0, NULL, NULL, 0, "As asked." },
	{ .type = F_END },
};
#undef OUT

struct mark_row {
	struct slice consumer;
	int64_t n;
	int64_t updated_ms;
};

#define ROW(field) offsetof(struct mark_row, field)
static const struct field mark_row_fields[] = {
	{ "consumer", F_STR, ROW(consumer), 0, 0, 0, NULL, NULL, 0,
	    "Its name." },
	{ "offset", F_INT, ROW(n), 0, 0, 0, NULL, NULL, 0,
	    "The last chunk that it is done with." },
	{ "updatedAt", F_TIME, ROW(updated_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it said so." },
	{ .type = F_END },
};
#undef ROW

struct marks_out {
	struct list marks;
};

static const struct field marks_out_fields[] = {
	{ "checkpoints", F_ROWS, offsetof(struct marks_out, marks), 0, 0, 0,
	    NULL, mark_row_fields, sizeof(struct mark_row),
	    "One's own, by name." },
	{ .type = F_END },
};

static void
marked(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct mark_in *in = r->in;
	struct mark_out out = { in->durable, in->consumer, in->n };

	if (op_db_failed(r, res))
		return;
	if (db_rows(res) == 0)
		durable_unknown(r);
	else if (!db_bool(res, 0, 0))
		op_fail(r, ERR_MALFORMED,
		    "offset: the durable stream has no such chunk yet.");
	else
		op_reply(r, &out);
}

static void
set_durable_checkpoint_exec(struct request *r, void *arg)
{
	const struct mark_in *in = arg;
	struct db_params *p;

	if (!durable_is_on(r))
		return;
	p = db_params(STMT_durable_mark);
	db_put_id(p, &in->durable);
	durable_who(p, r);
	durable_put_storage(p, r);
	db_put_text(p, in->consumer.p, in->consumer.n);
	db_put_int(p, in->n);
	db_query(r->core->reads, p, marked, r);
}

static void
marks_answer(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct marks_out out;
	struct mark_row *v;
	size_t i, n;

	if (op_db_failed(r, res))
		return;
	if ((n = db_rows(res)) == 0) {
		durable_unknown(r);
		return;
	}
	n -= db_null(res, 0, 0);
	v = pool_zalloc(&r->pool, (n + 1) * sizeof(*v));
	for (i = 0; i < n; i++) {
		v[i].consumer = db_text(res, i, 0);
		v[i].n = db_int(res, i, 1);
		v[i].updated_ms = db_time(res, i, 2);
	}
	out.marks = (struct list){ v, n };
	op_reply(r, &out);
}

static void
list_durable_checkpoints_exec(struct request *r, void *arg)
{
	const struct mark_in *in = arg;
	struct db_params *p;

	if (!durable_is_on(r))
		return;
	p = db_params(STMT_durable_marks);
	db_put_id(p, &in->durable);
	durable_who(p, r);
	durable_put_storage(p, r);
	db_put_text(
	    p, in->consumer.n > 0 ? in->consumer.p : NULL, in->consumer.n);
	db_query(r->core->reads, p, marks_answer, r);
}

const struct op op_set_durable_checkpoint = {
	.name = "set_durable_checkpoint",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "POST /v1/durable-streams/{durableStreamId}/checkpoints",
	    "POST /v1/durable-streams-storage/{durableStreamId}/checkpoints" },
	.reply = "durable_checkpoint_set",
	.in = mark_fields,
	.in_size = sizeof(struct mark_in),
	.out = mark_out_fields,
	.exec = set_durable_checkpoint_exec,
	.text = "Note how far a reader of a durable stream has come.",
};

const struct op op_list_durable_checkpoints = {
	.name = "list_durable_checkpoints",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "GET /v1/durable-streams/{durableStreamId}/checkpoints",
	    "GET /v1/durable-streams-storage/{durableStreamId}/checkpoints" },
	.reply = "durable_checkpoints",
	.in = marks_fields,
	.in_size = sizeof(struct mark_in),
	.out = marks_out_fields,
	.exec = list_durable_checkpoints_exec,
	.text = "How far one's own readers of a durable stream have come.",
};
