/* SPDX-License-Identifier: ISC */
/*
 * Memory: texts with tags that outlive their sessions.  A text is taken apart
 * into words by the rules of a language when it is stored; what is forgotten
 * is not found any more, but can be restored.
 */
#include <string.h>

#include "core/memory.h"

struct remember_in {
	struct slice content;
	struct list tags;
	struct slice language;
};

static const struct field remember_fields[] = {
	{ "content", F_STR, offsetof(struct remember_in, content), 1, 65536,
	    FIELD_REQUIRED | FIELD_LIMIT(LIMIT_MEMORY), NULL, NULL, 0,
	    "What to remember." },
	{ "tags", F_STRS, offsetof(struct remember_in, tags), 0,
	    MEMORY_TAGS_MAX, 0, NULL, NULL, 0, "Labels." },
	{ "language", F_STR, offsetof(struct remember_in, language), 1,
	    MEMORY_LANGUAGE_MAX, 0, NULL, NULL, 0,
	    "Whose words these are: english when absent; simple: words as they "
	    "stand; or another one of PostgreSQL's." },
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

struct memory_in {
	struct id memory;
};

static const struct field memory_fields[] = {
	{ "memoryId", F_ID, offsetof(struct memory_in, memory), 0, 0,
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

struct restore_out {
	struct id memory;
	bool restored;
};

static const struct field restore_out_fields[] = {
	{ "memoryId", F_ID, offsetof(struct restore_out, memory), 0, 0, 0, NULL,
	    NULL, 0, "The memory's id." },
	{ "restored", F_BOOL, offsetof(struct restore_out, restored), 0, 0, 0,
	    NULL, NULL, 0, "It was forgotten until now." },
	{ .type = F_END },
};

/* A question for the languages that there are. */
struct memory_check {
	struct request *request;
	struct slice language;
	memory_fn *fn;
	void *arg;
};

static void
memory_languages(void *arg, const struct db_result *res)
{
	struct memory_check *q = arg;
	struct request *r = q->request;
	struct slice *names, name;
	size_t i, n;

	if (op_db_failed(r, res))
		return;
	n = db_rows(res);
	names = pool_alloc(&r->pool, (n + 1) * sizeof(*names));
	for (i = 0; i < n; i++) {
		name = db_text(res, i, 0);
		if (name.n == q->language.n &&
		    memcmp(name.p, q->language.p, name.n) == 0) {
			q->fn(r, q->arg);
			return;
		}
		names[i] = (struct slice){ pool_dup(&r->pool, name.p, name.n),
			name.n };
	}
	r->error_names = (struct list){ names, n };
	op_fail(r, ERR_MALFORMED,
	    "language must be one of the candidates, not \"" SLICE_FMT "\".",
	    SLICE_ARG(q->language));
}

void
memory_check_language(
    struct request *r, struct slice language, memory_fn *fn, void *arg)
{
	struct memory_check *q = pool_alloc(&r->pool, sizeof(*q));

	*q = (struct memory_check){ r, language, fn, arg };
	db_query(r->core->reads, db_params(STMT_memory_languages),
	    memory_languages, q);
}

/* A memory on its way, with its id. */
struct remembering {
	struct request *request;
	struct id id;
	struct id mesh;
	struct id member;
	struct slice name;
	struct slice folded;
	struct quota_need need;
};

static void memory_store(struct request *r, void *arg);

static void
memory_stored(void *arg, const struct db_result *res)
{
	struct remembering *m = arg;
	struct request *r = m->request;
	const struct remember_in *in = r->in;
	struct stored_out out = { m->id, m->id };

	if (op_db_failed(r, res))
		return;
	if (db_bool(res, 0, 0))
		op_reply(r, &out);
	else
		memory_check_language(r, in->language, memory_store, m);
}

static void
memory_store(struct request *r, void *arg)
{
	const struct remember_in *in = r->in;
	struct remembering *m = arg;
	struct db_params *p =
	    db_row(r->core->writes, STMT_memory_put, memory_stored, m);

	db_put_id(p, &m->id);
	db_put_id(p, &m->mesh);
	db_put_id(p, &m->member);
	db_put_text(p, m->name.p, m->name.n);
	db_put_text(p, m->folded.p, m->folded.n);
	db_put_text(p, in->content.p, in->content.n);
	db_put_texts(p, in->tags.v, in->tags.n);
	if (in->language.n > 0)
		db_put_text(p, in->language.p, in->language.n);
	else
		db_put_str(p, MEMORY_LANGUAGE);
}

static struct slice
memory_keep(struct request *r, struct slice s)
{
	return (struct slice){ pool_dup(&r->pool, s.p, s.n), s.n };
}

static void
remember_exec(struct request *r, void *arg)
{
	const struct session *s = r->client->session;
	struct remembering *m = pool_zalloc(&r->pool, sizeof(*m));

	(void)arg;
	m->request = r;
	id_new(&m->id);
	m->mesh = s->mesh->id;
	m->member = s->info.member;
	m->name = memory_keep(r, s->info.name);
	m->folded = memory_keep(r, s->info.name_folded);
	m->need = (struct quota_need){ QUOTA_MEMORIES, 1, &m->mesh };
	quota_take(r, (struct slice){ NULL, 0 }, &m->need, 1, memory_store, m);
}

static void
memory_forgotten(void *arg, const struct db_result *r)
{
	struct request *req = arg;
	const struct memory_in *in = req->in;
	struct forget_out out = { in->memory, in->memory, false, false };

	if (op_db_failed(req, r))
		return;
	out.forgotten = db_rows(r) > 0;
	op_reply(req, &out);
}

static void
forget_exec(struct request *r, void *arg)
{
	const struct memory_in *in = arg;
	struct db_params *p = db_params(STMT_memory_forget);

	db_put_id(p, &r->client->session->mesh->id);
	db_put_id(p, &in->memory);
	db_query(r->core->reads, p, memory_forgotten, r);
}

static void
memory_restored(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct memory_in *in = r->in;
	struct restore_out out = { in->memory, false };

	if (op_db_failed(r, res))
		return;
	if (db_rows(res) == 0) {
		op_fail(r, ERR_NOT_FOUND,
		    "This mesh never had such a memory; list_memories with "
		    "forgotten tells of those that can be restored.");
		return;
	}
	out.restored = db_bool(res, 0, 0);
	op_reply(r, &out);
}

static void
memory_restore(struct request *r, void *arg)
{
	const struct memory_in *in = r->in;
	const struct quota_need *need = arg;
	struct db_params *p = db_params(STMT_memory_restore);

	db_put_id(p, need->of);
	db_put_id(p, &in->memory);
	db_query(r->core->reads, p, memory_restored, r);
}

static void
restore_exec(struct request *r, void *arg)
{
	struct quota_need *need = pool_alloc(&r->pool, sizeof(*need));
	const struct id *mesh = &r->client->session->mesh->id;

	(void)arg;
	*need = (struct quota_need){ QUOTA_MEMORIES, 1,
		pool_dup(&r->pool, mesh, sizeof(*mesh)) };
	quota_take(r, (struct slice){ NULL, 0 }, need, 1, memory_restore, need);
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

const struct op op_forget = {
	.name = "forget",
	.scope = SCOPE_MEMORY_WRITE,
	.reply = "ack",
	.in = memory_fields,
	.in_size = sizeof(struct memory_in),
	.out = forget_out_fields,
	.exec = forget_exec,
	.text = "Forget a memory; that it is not there is fine.",
};

const struct op op_restore = {
	.name = "restore",
	.scope = SCOPE_MEMORY_WRITE,
	.reply = "memory_restored",
	.in = memory_fields,
	.in_size = sizeof(struct memory_in),
	.out = restore_out_fields,
	.exec = restore_exec,
	.text = "Bring back a memory that was forgotten.",
};
