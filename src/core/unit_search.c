/* SPDX-License-Identifier: ISC */
/*
 * Finding units of memory by their words.
 */
#include <string.h>

#include "core/channel.h"
#include "core/search.h"
#include "core/unit.h"

#define UNIT_HITS 20
#define UNIT_HITS_MAX 100

struct unit_search_in {
	struct slice query;
	struct slice channel;
	int64_t limit;
	struct slice after;
};

#define IN(field) offsetof(struct unit_search_in, field)
static const struct field unit_search_fields[] = {
	{ "query", F_STR, IN(query), 1, SEARCH_QUERY_MAX,
	    FIELD_REQUIRED | FIELD_MESH, NULL, NULL, 0,
	    "Words, as search takes them." },
	{ "q", F_STR, IN(query), 1, SEARCH_QUERY_MAX,
	    FIELD_REQUIRED | FIELD_REST, NULL, NULL, 0,
	    "Words, as search takes them." },
	{ "channel", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX, FIELD_MESH, NULL,
	    NULL, 0, "Only those of this channel or thread." },
	{ "streamId", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX, FIELD_REST,
	    NULL, NULL, 0, "Only those of this channel or thread." },
	{ "limit", F_INT, IN(limit), 1, UNIT_HITS_MAX, 0, NULL, NULL, 0,
	    "At most so many; 20 when absent." },
	{ "after", F_STR, IN(after), 1, SEARCH_CURSOR_MAX, 0, NULL, NULL, 0,
	    "Only what comes after: next of the page before, when the same was "
	    "asked." },
	{ .type = F_END },
};
#undef IN

struct unit_hit {
	struct unit unit;
	struct slice score;
	struct list highlights;
};

#define HIT(field) offsetof(struct unit_hit, field)
static const struct field unit_hit_fields[] = {
	{ "unit", F_ROW, HIT(unit), 0, 0, 0, NULL, unit_fields,
	    sizeof(struct unit), "The unit." },
	{ "score", F_JSON, HIT(score), 0, 0, 0, NULL, NULL, 0,
	    "How good it is, a number." },
	{ "highlights", F_STRS, HIT(highlights), 0, 0, 0, NULL, NULL, 0,
	    "Up to three passages with the words." },
	{ .type = F_END },
};
#undef HIT

struct unit_search_out {
	struct slice query;
	struct list hits;
	struct slice next;
};

#define OUT(field) offsetof(struct unit_search_out, field)
static const struct field unit_search_out_fields[] = {
	{ "query", F_STR, OUT(query), 0, 0, 0, NULL, NULL, 0,
	    "What was looked for." },
	{ "hits", F_ROWS, OUT(hits), 0, 0, 0, NULL, unit_hit_fields,
	    sizeof(struct unit_hit), "What was found, the best first." },
	{ "next", F_STR, OUT(next), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "There may be more: after for the next page." },
	{ .type = F_END },
};
#undef OUT

static void
unit_search_found(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct search_ask *ask = r->context;
	struct unit_search_out out = { .query = ask->query };
	struct unit_hit *v;
	size_t i, n;

	if (op_db_failed(r, res) || op_left(r))
		return;
	n = search_rows(r, res, ask, &out.next);
	v = pool_alloc(&r->pool, (n + 1) * sizeof(*v));
	for (i = 0; i < n; i++) {
		v[i].score = search_score(&r->pool, db_int(res, i + 1, 2));
		v[i].highlights = search_texts(r, res, i + 1, 3);
		unit_read(r, &v[i].unit, res, i + 1, 4);
	}
	out.hits = (struct list){ v, n };
	op_reply(r, &out);
}

static void
unit_search_go(struct request *r)
{
	struct db_params *p = db_params(STMT_unit_search);

	search_put(r, p, r->context);
	db_query(r->core->reads, p, unit_search_found, r);
}

static void
unit_search_in_channel(struct request *r, struct channel *c)
{
	struct search_ask *ask = r->context;

	ask->channel = c->id;
	unit_search_go(r);
}

static void
search_memory_units_exec(struct request *r, void *arg)
{
	const struct unit_search_in *in = arg;
	struct search_ask *ask = pool_zalloc(&r->pool, sizeof(*ask));

	r->context = ask;
	ask->query = in->query;
	ask->kinds = SEARCH_BIT(SEARCH_UNIT);
	ask->limit = in->limit > 0 ? in->limit : UNIT_HITS;
	if (!unit_may(r) || search_from(r, in->after, &ask->from) != 0)
		return;
	if (in->channel.n > 0)
		channel_find(r, in->channel, unit_search_in_channel);
	else
		unit_search_go(r);
}

const struct op op_search_memory_units = {
	.name = "search_memory_units",
	.scope = SCOPE_MEMORY_READ,
	.rest = { "GET /v1/memory/search" },
	.reply = "memory_unit_results",
	.in = unit_search_fields,
	.in_size = sizeof(struct unit_search_in),
	.out = unit_search_out_fields,
	.exec = search_memory_units_exec,
	.text = "Find what is remembered of messages, the best first.",
};
