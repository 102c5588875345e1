/* SPDX-License-Identifier: ISC */
/*
 * Whom or what somebody may mean, while it is being typed.
 */
#include <string.h>

#include "core/search.h"

#define SUGGEST_PAGE 8
#define SUGGEST_PAGE_MAX 20

struct suggest_in {
	struct slice query;
	int64_t limit;
};

#define IN(field) offsetof(struct suggest_in, field)
static const struct field suggest_fields[] = {
	{ "query", F_STR, IN(query), 1, SEARCH_QUERY_MAX,
	    FIELD_REQUIRED | FIELD_MESH, NULL, NULL, 0,
	    "How a word of a name begins; or words of what a thread is "
	    "about." },
	{ "q", F_STR, IN(query), 1, SEARCH_QUERY_MAX,
	    FIELD_REQUIRED | FIELD_REST, NULL, NULL, 0,
	    "How a word of a name begins; or words of what a thread is "
	    "about." },
	{ "limit", F_INT, IN(limit), 1, SUGGEST_PAGE_MAX, 0, NULL, NULL, 0,
	    "At most so many; 8 when absent." },
	{ .type = F_END },
};
#undef IN

static const char *const suggest_types[] = { "actor", "channel", "thread",
	NULL };
static const char *const suggest_kinds[] = { "member", "channel", "thread",
	NULL };

struct suggestion {
	int kind;
	struct id id;
	struct slice label;
	struct slice actor;
};

#define ROW(field) offsetof(struct suggestion, field)
static const struct field suggestion_fields[] = {
	{ "entityType", F_ENUM, ROW(kind), 0, 0, FIELD_REST, suggest_types,
	    NULL, 0, "What it is." },
	{ "kind", F_ENUM, ROW(kind), 0, 0, FIELD_MESH, suggest_kinds, NULL, 0,
	    "What it is." },
	{ "entityId", F_ID, ROW(id), 0, 0, 0, NULL, NULL, 0, "Its id." },
	{ "label", F_STR, ROW(label), 0, 0, 0, NULL, NULL, 0,
	    "Its name; of a thread, how the message begins that it is "
	    "about." },
	{ "actorType", F_STR, ROW(actor), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "Of what kind a member is." },
	{ .type = F_END },
};
#undef ROW

struct suggest_out {
	struct slice query;
	struct list suggestions;
};

#define OUT(field) offsetof(struct suggest_out, field)
static const struct field suggest_out_fields[] = {
	{ "query", F_STR, OUT(query), 0, 0, 0, NULL, NULL, 0,
	    "What was looked for." },
	{ "suggestions", F_ROWS, OUT(suggestions), 0, 0, 0, NULL,
	    suggestion_fields, sizeof(struct suggestion), "The best first." },
	{ .type = F_END },
};
#undef OUT

static void
suggest_found(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct suggest_in *in = r->in;
	struct suggest_out out = { .query = in->query };
	struct suggestion *v;
	size_t i, n;

	if (op_db_failed(r, res))
		return;
	n = db_rows(res);
	v = pool_zalloc(&r->pool, (n + 1) * sizeof(*v));
	for (i = 0; i < n; i++) {
		v[i].kind = (int)db_int(res, i, 0);
		db_id(res, i, 1, &v[i].id);
		v[i].label = db_text(res, i, 2);
		if (!db_null(res, i, 3))
			v[i].actor = db_text(res, i, 3);
	}
	out.suggestions = (struct list){ v, n };
	op_reply(r, &out);
}

static void
suggest_exec(struct request *r, void *arg)
{
	const struct session *s = r->client->session;
	const struct suggest_in *in = arg;
	struct db_params *p = db_params(STMT_search_suggest);
	struct search_words words;

	search_words(&r->pool, in->query, &words);
	db_put_id(p, &s->mesh->id);
	db_put_id(p, &s->info.member);
	db_put_text(p, in->query.p, in->query.n);
	db_put_texts(p, words.v, words.n);
	db_put_text(p, words.whole.p, words.whole.n);
	db_put_bool(
	    p, (r->client->scopes & SCOPE_BIT(SCOPE_PRESENCE_READ)) != 0);
	db_put_int(p, in->limit > 0 ? in->limit : SUGGEST_PAGE);
	db_query(r->core->reads, p, suggest_found, r);
}

const struct op op_suggest = {
	.name = "suggest",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "GET /v1/search/suggest" },
	.reply = "suggestions",
	.in = suggest_fields,
	.in_size = sizeof(struct suggest_in),
	.out = suggest_out_fields,
	.exec = suggest_exec,
	.text = "Members, channels and threads that you may mean, by the "
		"beginnings of words.",
};
