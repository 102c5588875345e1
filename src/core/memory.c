/* SPDX-License-Identifier: ISC */
/*
 * Memory: texts with tags that outlive their sessions, found by their words.
 */
#include <string.h>

#include "core/core.h"

#define MEMORY_RECALL_MAX 20
#define MEMORY_TAGS_MAX 64

struct remember_in {
	struct slice content;
	struct list tags;
};

static const struct field remember_fields[] = {
	{ "content", F_STR, offsetof(struct remember_in, content), 1, 65536,
	    FIELD_REQUIRED, NULL, NULL, 0, "What to remember." },
	{ "tags", F_STRS, offsetof(struct remember_in, tags), 0,
	    MEMORY_TAGS_MAX, 0, NULL, NULL, 0, "Labels." },
	{ .type = F_END },
};

struct stored_out {
	struct id id;
	struct id memory;
};

static const struct field stored_fields[] = {
	{ "id", F_ID, offsetof(struct stored_out, id), 0, 0, 0, NULL, NULL, 0,
	    "The memory's id." },
	{ "memoryId", F_ID, offsetof(struct stored_out, memory), 0, 0, 0, NULL,
	    NULL, 0, "The same by its other name." },
	{ .type = F_END },
};

struct recall_in {
	struct slice query;
	int64_t limit;
};

static const struct field recall_fields[] = {
	{ "query", F_STR, offsetof(struct recall_in, query), 0, 1024,
	    FIELD_REQUIRED, NULL, NULL, 0,
	    "Words that must all be in it, in any form." },
	{ "limit", F_INT, offsetof(struct recall_in, limit), 1, 100, 0, NULL,
	    NULL, 0, "At most so many; 20 when absent." },
	{ .type = F_END },
};

struct memory_row {
	struct id id;
	struct slice content;
	struct list tags;
	struct slice by;
	int64_t created_ms;
};

#define ROW(field) offsetof(struct memory_row, field)
static const struct field memory_row_fields[] = {
	{ "id", F_ID, ROW(id), 0, 0, 0, NULL, NULL, 0, "The memory's id." },
	{ "content", F_STR, ROW(content), 0, 0, 0, NULL, NULL, 0, "Text." },
	{ "tags", F_STRS, ROW(tags), 0, 0, 0, NULL, NULL, 0, "Labels." },
	{ "rememberedBy", F_STR, ROW(by), 0, 0, 0, NULL, NULL, 0, "By whom." },
	{ "rememberedAt", F_TIME, ROW(created_ms), 0, 0, 0, NULL, NULL, 0,
	    "When." },
	{ .type = F_END },
};
#undef ROW

struct recall_out {
	struct list memories;
};

static const struct field recall_out_fields[] = {
	{ "memories", F_ROWS, offsetof(struct recall_out, memories), 0, 0, 0,
	    NULL, memory_row_fields, sizeof(struct memory_row),
	    "What fits, the best first." },
	{ .type = F_END },
};

struct forget_in {
	struct id memory;
};

static const struct field forget_fields[] = {
	{ "memoryId", F_ID, offsetof(struct forget_in, memory), 0, 0,
	    FIELD_REQUIRED, NULL, NULL, 0, "The memory's id." },
	{ .type = F_END },
};

struct forget_out {
	struct id id;
	struct id message;
	bool queued;
	bool forgotten;
};

static const struct field forget_out_fields[] = {
	{ "id", F_ID, offsetof(struct forget_out, id), 0, 0, 0, NULL, NULL, 0,
	    "The memory's id." },
	{ "messageId", F_ID, offsetof(struct forget_out, message), 0, 0, 0,
	    NULL, NULL, 0, "The same, for older clients." },
	{ "queued", F_BOOL, offsetof(struct forget_out, queued), 0, 0, 0, NULL,
	    NULL, 0, "Always false." },
	{ "forgotten", F_BOOL, offsetof(struct forget_out, forgotten), 0, 0, 0,
	    NULL, NULL, 0, "There was such a memory." },
	{ .type = F_END },
};

/* A memory on its way, with its id. */
struct remembering {
	struct request *request;
	struct id id;
};

static void
memory_stored(void *arg, const struct db_result *r)
{
	struct remembering *m = arg;
	struct stored_out out = { m->id, m->id };

	if (!op_db_failed(m->request, r))
		op_reply(m->request, &out);
}

static void
remember_exec(struct request *r, void *arg)
{
	const struct remember_in *in = arg;
	const struct session *s = r->client->session;
	struct remembering *m = pool_zalloc(&r->pool, sizeof(*m));
	struct db_params *p =
	    db_row(r->core->writes, STMT_memory_put, memory_stored, m);

	m->request = r;
	id_new(&m->id);
	db_put_id(p, &m->id);
	db_put_id(p, &s->mesh->id);
	db_put_id(p, &s->info.member);
	db_put_text(p, s->info.name.p, s->info.name.n);
	db_put_text(p, in->content.p, in->content.n);
	db_put_texts(p, in->tags.v, in->tags.n);
}

static void
memory_found(void *arg, const struct db_result *r)
{
	struct request *req = arg;
	struct recall_out out;
	struct memory_row *rows;
	struct slice *tags;
	size_t i, n;

	if (op_db_failed(req, r))
		return;
	n = db_rows(r);
	rows = pool_alloc(&req->pool, (n + 1) * sizeof(*rows));
	for (i = 0; i < n; i++) {
		db_id(r, i, 0, &rows[i].id);
		rows[i].content = db_text(r, i, 1);
		tags = pool_alloc(&req->pool, MEMORY_TAGS_MAX * sizeof(*tags));
		rows[i].tags.v = tags;
		rows[i].tags.n = db_texts(r, i, 2, tags, MEMORY_TAGS_MAX);
		rows[i].by = db_text(r, i, 3);
		rows[i].created_ms = db_time(r, i, 4);
	}
	out.memories = (struct list){ rows, n };
	op_reply(req, &out);
}

static void
recall_exec(struct request *r, void *arg)
{
	const struct recall_in *in = arg;
	struct db_params *p = db_params(STMT_memory_search);

	db_put_id(p, &r->client->session->mesh->id);
	db_put_text(p, in->query.p, in->query.n);
	db_put_int(p, in->limit > 0 ? in->limit : MEMORY_RECALL_MAX);
	db_query(r->core->reads, p, memory_found, r);
}

static void
memory_forgotten(void *arg, const struct db_result *r)
{
	struct request *req = arg;
	const struct forget_in *in = req->in;
	struct forget_out out = { in->memory, in->memory, false, false };

	if (op_db_failed(req, r))
		return;
	out.forgotten = db_rows(r) > 0;
	op_reply(req, &out);
}

static void
forget_exec(struct request *r, void *arg)
{
	const struct forget_in *in = arg;
	struct db_params *p = db_params(STMT_memory_forget);

	db_put_id(p, &r->client->session->mesh->id);
	db_put_id(p, &in->memory);
	db_query(r->core->reads, p, memory_forgotten, r);
}

const struct op op_remember = {
	.name = "remember",
	.scope = SCOPE_MEMORY_WRITE,
	.reply = "memory_stored",
	.in = remember_fields,
	.in_size = sizeof(struct remember_in),
	.out = stored_fields,
	.exec = remember_exec,
	.text = "Remember something for the whole mesh.",
};

const struct op op_recall = {
	.name = "recall",
	.scope = SCOPE_MEMORY_READ,
	.reply = "memory_results",
	.in = recall_fields,
	.in_size = sizeof(struct recall_in),
	.out = recall_out_fields,
	.exec = recall_exec,
	.text = "Find what was remembered, by its words.",
};

const struct op op_forget = {
	.name = "forget",
	.scope = SCOPE_MEMORY_WRITE,
	.reply = "ack",
	.in = forget_fields,
	.in_size = sizeof(struct forget_in),
	.out = forget_out_fields,
	.exec = forget_exec,
	.text = "Forget a memory; that it is not there is fine.",
};
