/* SPDX-License-Identifier: ISC */
/*
 * Units of memory: which there are, and what makes one known to the whole mesh.
 *
 * A unit is seen by who may see the channel now.  Of a promoted one everybody
 * sees what it says, and nobody else where, when and by whom it was said.
 */
#include <string.h>

#include "core/channel.h"
#include "core/unit.h"

#define UNIT_PAGE 100
#define UNIT_PAGE_MAX 500
#define UNIT_SOURCES 100 /* that are told: memory_unit_row() in sql/ */
#define UNIT_SUMMARY_MAX 500

#define UNIT(field) offsetof(struct unit, field)
const struct field unit_fields[] = {
	{ "id", F_ID, UNIT(id), 0, 0, 0, NULL, NULL, 0, "The unit's id." },
	{ "orgId", F_ID, UNIT(mesh), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The mesh." },
	{ "sourceStreamId", F_ID, UNIT(channel), 0, 0,
	    FIELD_NULLABLE | FIELD_REST, NULL, NULL, 0,
	    "The channel or thread where it was said; null: you may not see "
	    "that." },
	{ "channelId", F_ID, UNIT(channel), 0, 0, FIELD_OMIT | FIELD_MESH, NULL,
	    NULL, 0,
	    "The channel or thread where it was said; absent: you may not see "
	    "that." },
	{ "sourceStreamType", F_STR, UNIT(channel_type), 0, 0,
	    FIELD_NULLABLE | FIELD_REST, NULL, NULL, 0, "channel or thread." },
	{ "sourceVisibility", F_STR, UNIT(visibility), 0, 0,
	    FIELD_NULLABLE | FIELD_REST, NULL, NULL, 0,
	    "private: only members of the channel may see it there." },
	{ "private", F_BOOL, UNIT(private), 0, 0, FIELD_OMIT | FIELD_MESH, NULL,
	    NULL, 0, "Only members of the channel may see it there." },
	{ "canonicalText", F_STR, UNIT(content), 0, 0, FIELD_REST, NULL, NULL,
	    0, "What was said." },
	{ "content", F_STR, UNIT(content), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "What was said." },
	{ "summary", F_STR, UNIT(summary), 0, 0, 0, NULL, NULL, 0,
	    "How it begins." },
	{ "keywords", F_STRS, UNIT(keywords), 0, 0, 0, NULL, NULL, 0,
	    "Its words, without those that say little." },
	{ "createdByActorId", F_ID, UNIT(member), 0, 0,
	    FIELD_NULLABLE | FIELD_REST, NULL, NULL, 0, "Who said it first." },
	{ "memberId", F_ID, UNIT(member), 0, 0, FIELD_OMIT | FIELD_MESH, NULL,
	    NULL, 0, "Who said it first." },
	{ "sourceMessageIds", F_STRS, UNIT(sources), 0, 0, 0, NULL, NULL, 0,
	    "Messages that say it, the newest hundred." },
	{ "promoted", F_BOOL, UNIT(promoted), 0, 0, 0, NULL, NULL, 0,
	    "It is shown to the whole mesh." },
	{ "promotedAt", F_TIME, UNIT(promoted_ms), 0, 0, FIELD_NULLABLE, NULL,
	    NULL, 0, "Since when." },
	{ "promotedByActorId", F_ID, UNIT(promoted_by), 0, 0,
	    FIELD_NULLABLE | FIELD_REST, NULL, NULL, 0, "By whom." },
	{ "promotedById", F_ID, UNIT(promoted_by), 0, 0,
	    FIELD_OMIT | FIELD_MESH, NULL, NULL, 0, "By whom." },
	{ "promotionSummary", F_STR, UNIT(promoted_summary), 0, 0,
	    FIELD_NULLABLE, NULL, NULL, 0, "What that one says of it." },
	{ "createdAt", F_TIME, UNIT(created_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it was said first." },
	{ "updatedAt", F_TIME, UNIT(updated_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it was said last." },
	{ .type = F_END },
};
#undef UNIT

static struct list
unit_texts(struct request *r, const struct db_result *res, size_t row,
    unsigned column, size_t max)
{
	struct slice *v = pool_alloc(&r->pool, max * sizeof(*v));

	return (struct list){ v, db_texts(res, row, column, v, max) };
}

static struct slice
unit_str(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

void
unit_read(struct request *r, struct unit *u, const struct db_result *res,
    size_t row, unsigned c)
{
	memset(u, 0, sizeof(*u));
	db_id(res, row, c, &u->id);
	u->mesh = r->client->session->mesh->id;
	if (!db_null(res, row, c + 1)) {
		db_id(res, row, c + 1, &u->channel);
		u->channel_type =
		    unit_str(db_bool(res, row, c + 2) ? "thread" : "channel");
		u->private = db_bool(res, row, c + 3);
		u->visibility = unit_str(u->private ? "private" : "public");
	}
	u->content = db_text(res, row, c + 4);
	u->summary = db_text(res, row, c + 5);
	u->keywords = unit_texts(r, res, row, c + 6, UNIT_KEYWORDS);
	if (!db_null(res, row, c + 7))
		db_id(res, row, c + 7, &u->member);
	u->sources = unit_texts(r, res, row, c + 8, UNIT_SOURCES);
	u->promoted = !db_null(res, row, c + 9);
	if (u->promoted) {
		u->promoted_ms = db_time(res, row, c + 9);
		db_id(res, row, c + 10, &u->promoted_by);
	}
	if (!db_null(res, row, c + 11))
		u->promoted_summary = db_text(res, row, c + 11);
	u->created_ms = db_time(res, row, c + 12);
	u->updated_ms = db_time(res, row, c + 13);
}

bool
unit_may(struct request *r)
{
	if (!r->core->limits.memory) {
		op_fail(r, ERR_NOT_FOUND,
		    "This server remembers nothing of messages; memory.units "
		    "in its configuration is off.");
		return false;
	}
	if (r->client->scopes & SCOPE_BIT(SCOPE_CHANNELS_READ))
		return true;
	op_fail(r, ERR_FORBIDDEN,
	    "This shows what was said in channels: it needs channels:read "
	    "too.");
	return false;
}

/*
 * list_memory_units
 */
struct units_in {
	struct slice channel;
	bool promoted;
	int64_t limit;
	struct id after;
};

#define IN(field) offsetof(struct units_in, field)
static const struct field list_units_fields[] = {
	{ "channel", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX, FIELD_MESH, NULL,
	    NULL, 0, "Those of this channel or thread." },
	{ "streamId", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX, FIELD_REST,
	    NULL, NULL, 0, "Those of this channel or thread." },
	{ "promoted", F_BOOL, IN(promoted), 0, 0, 0, NULL, NULL, 0,
	    "Those that are shown to the whole mesh." },
	{ "limit", F_INT, IN(limit), 1, UNIT_PAGE_MAX, FIELD_MESH, NULL, NULL,
	    0, "At most so many; 100 when absent." },
	{ "limit", F_INT, IN(limit), 1, UNIT_PAGE_MAX, FIELD_REST, NULL, NULL,
	    0, "At most so many; 500 when absent." },
	{ "after", F_ID, IN(after), 0, 0, 0, NULL, NULL, 0,
	    "Only those that come after: next of the page before." },
	{ .type = F_END },
};
#undef IN

struct units_out {
	struct list units;
	struct id next;
};

#define OUT(field) offsetof(struct units_out, field)
static const struct field units_out_fields[] = {
	{ "units", F_ROWS, OUT(units), 0, 0, 0, NULL, unit_fields,
	    sizeof(struct unit), "The newest first." },
	{ "next", F_ID, OUT(next), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "There are more: after for the next page." },
	{ .type = F_END },
};
#undef OUT

static int64_t
units_limit(const struct request *r)
{
	const struct units_in *in = r->in;

	return op_page(r, in->limit, UNIT_PAGE, UNIT_PAGE_MAX);
}

static void
units_found(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	size_t i, n, limit = (size_t)units_limit(r);
	struct units_out out = { .next = { .b = { 0 } } };
	struct unit *v;

	if (op_db_failed(r, res) || op_left(r))
		return;
	n = db_rows(res) < limit ? db_rows(res) : limit;
	v = pool_alloc(&r->pool, (n + 1) * sizeof(*v));
	for (i = 0; i < n; i++)
		unit_read(r, &v[i], res, i, 0);
	out.units = (struct list){ v, n };
	if (db_rows(res) > limit)
		out.next = v[n - 1].id;
	op_reply(r, &out);
}

static void
units_ask(struct request *r, const struct channel *c)
{
	const struct session *s = r->client->session;
	const struct units_in *in = r->in;
	struct db_params *p =
	    db_params(c != NULL ? STMT_unit_list : STMT_unit_list_promoted);
	struct id after = in->after;

	if (id_is_null(&after))
		memset(after.b, 0xff, ID_LEN);
	db_put_id(p, c != NULL ? &c->id : &s->mesh->id);
	db_put_id(p, &s->info.member);
	db_put_id(p, &after);
	db_put_int(p, units_limit(r) + 1);
	if (c != NULL)
		db_put_bool(p, in->promoted);
	db_query(r->core->reads, p, units_found, r);
}

static void
units_of(struct request *r, struct channel *c)
{
	units_ask(r, c);
}

static void
list_memory_units_exec(struct request *r, void *arg)
{
	const struct units_in *in = arg;

	if (!unit_may(r))
		return;
	if (in->channel.n > 0)
		channel_find(r, in->channel, units_of);
	else if (in->promoted)
		units_ask(r, NULL);
	else
		op_fail(r, ERR_MALFORMED,
		    "either streamId or promoted=true is required");
}

/*
 * get_memory_unit, promote_memory_unit
 */
struct unit_in {
	struct id unit;
	struct slice summary;
};

#define IN(field) offsetof(struct unit_in, field)
static const struct field get_unit_fields[] = {
	{ "memoryId", F_ID, IN(unit), 0, 0, FIELD_REQUIRED, NULL, NULL, 0,
	    "The unit." },
	{ .type = F_END },
};
static const struct field promote_unit_fields[] = {
	{ "memoryId", F_ID, IN(unit), 0, 0, FIELD_REQUIRED, NULL, NULL, 0,
	    "The unit." },
	{ "summary", F_STR, IN(summary), 0, UNIT_SUMMARY_MAX, 0, NULL, NULL, 0,
	    "What to say of it; its own summary when absent." },
	{ .type = F_END },
};
#undef IN

struct unit_out {
	struct unit unit;
};

static const struct field unit_out_fields[] = {
	{ "unit", F_ROW, offsetof(struct unit_out, unit), 0, 0, 0, NULL,
	    unit_fields, sizeof(struct unit), "The unit." },
	{ .type = F_END },
};

static void
unit_get(struct request *r, db_fn *fn)
{
	const struct session *s = r->client->session;
	const struct unit_in *in = r->in;
	struct db_params *p = db_params(STMT_unit_get);

	db_put_id(p, &s->mesh->id);
	db_put_id(p, &s->info.member);
	db_put_id(p, &in->unit);
	db_query(r->core->reads, p, fn, r);
}

/* False after failing the request. */
static bool
unit_got(struct request *r, const struct db_result *res, struct unit *u)
{
	if (op_db_failed(r, res) || op_left(r))
		return false;
	if (db_rows(res) == 0) {
		op_fail(r, ERR_NOT_FOUND,
		    "There is no such unit of memory for you.");
		return false;
	}
	unit_read(r, u, res, 0, 0);
	return true;
}

static void
unit_tell(void *arg, const struct db_result *res)
{
	struct unit_out out;

	if (unit_got(arg, res, &out.unit))
		op_reply(arg, &out);
}

static void
get_memory_unit_exec(struct request *r, void *arg)
{
	(void)arg;
	if (unit_may(r))
		unit_get(r, unit_tell);
}

static void
unit_promoted(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct id *mesh = r->context;
	struct entry e = { .mesh = *mesh };

	if (op_db_failed(r, res))
		return;
	if (db_int(res, 0, 0) == 2) {
		op_deny(r, SCOPE_MEMORY_PROMOTE, "org", mesh);
		return;
	}
	if (db_int(res, 0, 0) == 0 && db_bool(res, 0, 1)) {
		db_id(res, 0, 2, &e.channel);
		e.n = db_int(res, 0, 3);
		follow_news(r->core, &e.channel, e.n);
		event_entry(r->core, &e);
	}
	if (!op_left(r))
		unit_get(r, unit_tell);
}

static void
promote_line(struct db_params *p, const struct request *r, const struct unit *u,
    struct slice summary, int64_t at_ms)
{
	const struct session *s = r->client->session;
	struct journal_line l;

	journal_begin(&l, p);
	json_key(&l.w, "memoryId");
	json_id(&l.w, &u->id);
	json_key(&l.w, "orgId");
	json_id(&l.w, &s->mesh->id);
	json_key(&l.w, "promotedAt");
	json_time(&l.w, at_ms);
	json_key(&l.w, "promotedByActorId");
	json_id(&l.w, &s->info.member);
	json_key(&l.w, "sourceStreamId");
	json_id(&l.w, &u->channel);
	json_key(&l.w, "sourceStreamType");
	json_strn(&l.w, u->channel_type.p, u->channel_type.n);
	json_key(&l.w, "summary");
	json_strn(&l.w, summary.p, summary.n);
	journal_end(&l, 0, "memory.promoted");
}

static void
unit_promote(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct session *s;
	const struct unit_in *in = r->in;
	char at[CLOCK_RFC3339_LEN + 1];
	int64_t now = clock_wall();
	struct unit_out out;
	struct slice summary;
	struct db_params *p;

	if (!unit_got(r, res, &out.unit))
		return;
	if (out.unit.promoted && !r->by_grant) {
		op_reply(r, &out);
		return;
	}
	s = r->client->session;
	r->context = pool_dup(&r->pool, &s->mesh->id, sizeof(s->mesh->id));
	summary = in->summary.n > 0 ? in->summary : out.unit.summary;
	clock_format(now, at);
	p = journal_row(
	    r->core, STMT_unit_promote, &s->mesh->id, unit_promoted, r);
	db_alone(p, &in->unit);
	db_put_id(p, &s->mesh->id);
	db_put_id(p, &in->unit);
	db_put_id(p, &s->info.member);
	db_put_text(p, summary.p, summary.n);
	db_put_str(p, at);
	db_put_bool(p, r->by_grant);
	promote_line(p, r, &out.unit, summary, now);
}

static void
promote_memory_unit_exec(struct request *r, void *arg)
{
	(void)arg;
	if (unit_may(r))
		unit_get(r, unit_promote);
}

const struct op op_list_memory_units = {
	.name = "list_memory_units",
	.scope = SCOPE_MEMORY_READ,
	.rest = { "GET /v1/memory" },
	.reply = "memory_units",
	.in = list_units_fields,
	.in_size = sizeof(struct units_in),
	.out = units_out_fields,
	.exec = list_memory_units_exec,
	.text = "What is remembered of the messages of a channel, or is "
		"promoted.",
};

const struct op op_get_memory_unit = {
	.name = "get_memory_unit",
	.scope = SCOPE_MEMORY_READ,
	.rest = { "GET /v1/memory/{memoryId}" },
	.reply = "memory_unit",
	.in = get_unit_fields,
	.in_size = sizeof(struct unit_in),
	.out = unit_out_fields,
	.exec = get_memory_unit_exec,
	.text = "A unit of what is remembered of messages.",
};

const struct op op_promote_memory_unit = {
	.name = "promote_memory_unit",
	.scope = SCOPE_MEMORY_PROMOTE,
	.flags = OP_GRANTABLE,
	.rest = { "POST /v1/memory/{memoryId}/promote" },
	.reply = "memory_unit_promoted",
	.in = promote_unit_fields,
	.in_size = sizeof(struct unit_in),
	.out = unit_out_fields,
	.exec = promote_memory_unit_exec,
	.text = "Show a unit to the whole mesh; that it is shown already is "
		"fine.",
};
