/* SPDX-License-Identifier: ISC */
/*
 * Finding things by words.  The database ranks and leaves out what the member
 * may not see; here a page of it is asked for and told.
 */
#include <string.h>

#include "core/channel.h"
#include "core/search.h"
#include "core/upkeep.h"

#define SEARCH_PAGE 20
#define SEARCH_PAGE_MAX 100
#define SEARCH_TYPES 16 /* that can be named */
#define SEARCH_SNIPPET 160
#define SEARCH_HIGHLIGHTS 8
#define SEARCH_ACTOR 15 /* column of an answer */
/* Of pages without one that is wanted; then the client asks on. */
#define SEARCH_ROUNDS 16
#define SEARCH_USE "search cursor" /* of the key of cursors */

struct search_in {
	struct slice query;
	struct list types;
	struct slice channel;
	int actor;
	int64_t limit;
	struct slice after;
};

#define IN(field) offsetof(struct search_in, field)
#define SEARCH_QUERY_TEXT                                                    \
	"Words that must all be in it, in any form; or between words "       \
	"means either, - before one that it must not be there, quotes that " \
	"words follow each other. Names are found by the beginnings of "     \
	"their words."
/* As members are; and first any. */
static const char *const search_actors[] = { "any", "agent", "human", "app",
	"bridge", NULL };
static const struct field search_fields[] = {
	{ "query", F_STR, IN(query), 1, SEARCH_QUERY_MAX,
	    FIELD_REQUIRED | FIELD_MESH, NULL, NULL, 0, SEARCH_QUERY_TEXT },
	{ "q", F_STR, IN(query), 1, SEARCH_QUERY_MAX,
	    FIELD_REQUIRED | FIELD_REST, NULL, NULL, 0, SEARCH_QUERY_TEXT },
	{ "entityTypes", F_STRS, IN(types), 1, SEARCH_TYPES, 0, NULL, NULL, 0,
	    "Only these: member (or actor), channel, thread, message, "
	    "memory." },
	{ "channel", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX, FIELD_MESH, NULL,
	    NULL, 0, "Only this channel or thread, and what is in it." },
	{ "streamId", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX, FIELD_REST,
	    NULL, NULL, 0, "Only this channel or thread, and what is in it." },
	{ "actorType", F_ENUM, IN(actor), 0, 0, 0, search_actors, NULL, 0,
	    "Only members of this kind, and what one of this kind made or "
	    "said." },
	{ "limit", F_INT, IN(limit), 1, SEARCH_PAGE_MAX, 0, NULL, NULL, 0,
	    "At most so many; 20 when absent." },
	{ "after", F_STR, IN(after), 1, SEARCH_CURSOR_MAX, 0, NULL, NULL, 0,
	    "Only what comes after: next of the page before, when the same was "
	    "asked." },
	{ .type = F_END },
};
#undef IN

struct search_hit {
	struct slice document;
	struct slice type; /* as members are called over HTTP */
	struct slice kind; /* and elsewhere */
	struct id id;
	struct slice score;
	struct slice title;
	struct slice snippet;
	struct list highlights;
	struct id channel;
	struct slice channel_type;
	struct slice visibility;
	bool private;
	bool promoted;
	struct id member;
	struct slice name;
	struct slice actor;
	int64_t seq;
	struct slice metadata;
	int64_t updated_ms;
};

#define HIT(field) offsetof(struct search_hit, field)
static const struct field search_hit_fields[] = {
	{ "documentId", F_STR, HIT(document), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The same for the same thing." },
	{ "entityType", F_STR, HIT(type), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "actor, channel, thread, message or memory." },
	{ "kind", F_STR, HIT(kind), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "member, channel, thread, message or memory." },
	{ "entityId", F_ID, HIT(id), 0, 0, 0, NULL, NULL, 0, "Its id." },
	{ "score", F_JSON, HIT(score), 0, 0, 0, NULL, NULL, 0,
	    "How good it is, a number: the best come first." },
	{ "title", F_STR, HIT(title), 0, 0, 0, NULL, NULL, 0,
	    "Its name, or how it begins." },
	{ "snippet", F_STR, HIT(snippet), 0, 0, 0, NULL, NULL, 0,
	    "Some of what it says." },
	{ "highlights", F_STRS, HIT(highlights), 0, 0, 0, NULL, NULL, 0,
	    "Up to three passages with the words." },
	{ "sourceStreamId", F_ID, HIT(channel), 0, 0,
	    FIELD_NULLABLE | FIELD_REST, NULL, NULL, 0,
	    "The channel or thread that it is, or is in." },
	{ "channelId", F_ID, HIT(channel), 0, 0, FIELD_OMIT | FIELD_MESH, NULL,
	    NULL, 0, "The channel or thread that it is, or is in." },
	{ "sourceStreamType", F_STR, HIT(channel_type), 0, 0,
	    FIELD_NULLABLE | FIELD_REST, NULL, NULL, 0, "channel or thread." },
	{ "sourceVisibility", F_STR, HIT(visibility), 0, 0, FIELD_REST, NULL,
	    NULL, 0, "private: only members of the channel know of it." },
	{ "private", F_BOOL, HIT(private), 0, 0, FIELD_OMIT | FIELD_MESH, NULL,
	    NULL, 0, "Only members of the channel know of it." },
	{ "promoted", F_BOOL, HIT(promoted), 0, 0, 0, NULL, NULL, 0,
	    "Of memory from messages: it is shown to the whole mesh." },
	{ "memberId", F_ID, HIT(member), 0, 0, FIELD_OMIT | FIELD_MESH, NULL,
	    NULL, 0, "Who made or said it." },
	{ "name", F_STR, HIT(name), 0, 0, FIELD_OMIT | FIELD_MESH, NULL, NULL,
	    0, "By what name." },
	{ "actorType", F_STR, HIT(actor), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "Of what kind the member is, or who made or said it." },
	{ "seq", F_INT, HIT(seq), 0, 0, FIELD_OMIT | FIELD_MESH, NULL, NULL, 0,
	    "Of a message: its place in the channel; of a channel or thread: "
	    "that of its newest message." },
	{ "metadata", F_JSON, HIT(metadata), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "What else there is of it: actorId, name, streamSeq." },
	{ "updatedAt", F_TIME, HIT(updated_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it was made, or last changed." },
	{ .type = F_END },
};
#undef HIT

struct search_out {
	struct slice query;
	struct list hits;
	struct slice next;
};

#define OUT(field) offsetof(struct search_out, field)
static const struct field search_out_fields[] = {
	{ "query", F_STR, OUT(query), 0, 0, 0, NULL, NULL, 0,
	    "What was looked for." },
	{ "hits", F_ROWS, OUT(hits), 0, 0, 0, NULL, search_hit_fields,
	    sizeof(struct search_hit), "What was found, the best first." },
	{ "next", F_STR, OUT(next), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "There may be more: after for the next page." },
	{ .type = F_END },
};
#undef OUT

static const struct search_type {
	const char *name;
	const char *rest;
	int64_t bits;
	enum scope scope; /* that it needs */
} search_types[] = {
	{ "member", "actor", SEARCH_BIT(SEARCH_MEMBER), SCOPE_PRESENCE_READ },
	{ "channel", "channel", SEARCH_BIT(SEARCH_CHANNEL),
	    SCOPE_CHANNELS_READ },
	{ "thread", "thread", SEARCH_BIT(SEARCH_THREAD), SCOPE_CHANNELS_READ },
	{ "message", "message", SEARCH_BIT(SEARCH_MESSAGE),
	    SCOPE_CHANNELS_READ },
	{ "memory", "memory",
	    SEARCH_BIT(SEARCH_UNIT) | SEARCH_BIT(SEARCH_MEMORY),
	    SCOPE_MEMORY_READ },
};

static const struct search_type *
search_type(int64_t kind)
{
	size_t i;

	for (i = 0; i < NELEM(search_types); i++)
		if (search_types[i].bits & SEARCH_BIT(kind))
			break;
	return &search_types[i < NELEM(search_types) ? i : 0];
}

static bool
search_is(struct slice s, const char *name)
{
	return s.n == strlen(name) && memcmp(s.p, name, s.n) == 0;
}

/* What the client may look for, of what it names; -1 after failing the
 * request. */
static int
search_kinds(struct request *r, const struct list *types, int64_t *kinds)
{
	const struct search_type *t, *end = search_types + NELEM(search_types);
	const struct slice *v = types->v;
	size_t i;

	*kinds = 0;
	for (i = 0; i < types->n; i++) {
		for (t = search_types; t < end; t++)
			if (search_is(v[i], t->name) ||
			    search_is(v[i], t->rest))
				break;
		if (t == end) {
			op_fail(r, ERR_MALFORMED,
			    "entityTypes[%zu]: must be member, actor, channel, "
			    "thread, message or memory.",
			    i);
			return -1;
		}
		*kinds |= t->bits;
	}
	for (t = search_types; t < end; t++) {
		if (types->n == 0)
			*kinds |= t->bits;
		if (!(r->client->scopes & SCOPE_BIT(t->scope)))
			*kinds &= ~t->bits;
	}
	if (!r->core->limits.memory)
		*kinds &= ~SEARCH_BIT(SEARCH_UNIT);
	return 0;
}

int
search_from(struct request *r, struct slice after, struct search_place *from)
{
	uint8_t key[CRYPTO_KEY_LEN];

	if (after.n == 0) {
		search_begin(from, clock_wall(), INT64_MAX);
		return 0;
	}
	token_key_for(r->core, SEARCH_USE, key);
	if (search_read_place(after, key, from) == 0)
		return 0;
	op_fail(r, ERR_MALFORMED, "after must be the next of another page.");
	return -1;
}

void
search_put(struct request *r, struct db_params *p, const struct search_ask *ask)
{
	const struct search_place *from = &ask->from;
	const struct session *s = r->client->session;
	struct search_words words;

	search_words(&r->pool, ask->query, &words);
	db_put_id(p, &s->mesh->id);
	db_put_id(p, &s->info.member);
	db_put_text(p, ask->query.p, ask->query.n);
	db_put_texts(p, words.v, words.n);
	db_put_text(p, words.whole.p, words.whole.n);
	db_put_int(p, ask->kinds);
	db_put_id(p, id_is_null(&ask->channel) ? NULL : &ask->channel);
	db_put_time(p, from->at_ms > 0 ? from->at_ms : 1);
	db_put_int(p, from->below);
	if (from->until == -1)
		db_put_null(p);
	else
		db_put_int(p, from->until);
	db_put_bool(p, from->below == INT64_MAX);
	db_put_int(p, from->score);
	db_put_int(p, from->kind);
	db_put_id(p, &from->id);
	db_put_int(p, ask->limit + 1);
}

size_t
search_rows(struct request *r, const struct db_result *res,
    const struct search_ask *ask, struct slice *next)
{
	struct search_place to = ask->from;
	size_t n = db_rows(res) - 1;
	uint8_t key[CRYPTO_KEY_LEN];

	*next = (struct slice){ NULL, 0 };
	to.until = db_int(res, 0, 2);
	if (n > (size_t)ask->limit) {
		n = (size_t)ask->limit;
		to.kind = db_int(res, n, 0);
		db_id(res, n, 1, &to.id);
		to.score = db_int(res, n, 2);
	} else if (to.until > 0)
		search_begin(&to, to.at_ms, to.until);
	else
		return n;
	token_key_for(r->core, SEARCH_USE, key);
	*next = search_place_text(&r->pool, key, &to);
	return n;
}

/* An answer is gone when the next one comes. */
static struct slice
search_keep(struct request *r, struct slice s)
{
	return (struct slice){ pool_dup(&r->pool, s.p, s.n), s.n };
}

struct list
search_texts(
    struct request *r, const struct db_result *res, size_t row, unsigned col)
{
	struct slice *v = pool_alloc(&r->pool, SEARCH_HIGHLIGHTS * sizeof(*v));

	size_t i, n = db_texts(res, row, col, v, SEARCH_HIGHLIGHTS);

	for (i = 0; i < n; i++)
		v[i] = search_keep(r, v[i]);
	return (struct list){ v, n };
}

static struct slice
search_str(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

/* One thing of one mesh, whatever is found of it. */
static struct slice
search_document(struct request *r, const char *type, const struct id *id)
{
	char mesh[ID_HEX_LEN + 1], hex[ID_HEX_LEN + 1], *s;
	uint8_t digest[CRYPTO_SHA256_LEN];

	s = pool_printf(&r->pool, "%s|%s|%s",
	    id_hex(&r->client->session->mesh->id, mesh), type, id_hex(id, hex));
	crypto_sha256(digest, s, strlen(s));
	s = pool_alloc(&r->pool, ID_HEX_LEN + 1);
	crypto_hex(s, digest, ID_LEN);
	return (struct slice){ s, ID_HEX_LEN };
}

static struct slice
search_metadata(struct request *r, const struct search_hit *h)
{
	struct json_writer w;
	struct slice out;
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_object(&w);
	if (!id_is_null(&h->member)) {
		json_key(&w, "actorId");
		json_id(&w, &h->member);
	}
	if (h->name.n > 0) {
		json_key(&w, "name");
		json_strn(&w, h->name.p, h->name.n);
	}
	if (h->seq > 0) {
		json_key(&w, "streamSeq");
		json_num(&w, h->seq);
	}
	json_object_end(&w);
	if (b.failed)
		fatalx("out of memory");
	out = (struct slice){ pool_dup(&r->pool, b.data, b.len), b.len };
	buf_free(&b);
	return out;
}

static void
search_hit(struct request *r, const struct db_result *res, size_t i,
    struct search_hit *h)
{
	const struct search_type *t = search_type(db_int(res, i, 0));

	h->type = search_str(t->rest);
	h->kind = search_str(t->name);
	db_id(res, i, 1, &h->id);
	h->document = search_document(r, t->rest, &h->id);
	h->score = search_score(&r->pool, db_int(res, i, 2));
	h->title = search_keep(r, db_text(res, i, 3));
	h->snippet = search_keep(
	    r, search_cut(&r->pool, db_text(res, i, 4), SEARCH_SNIPPET));
	h->highlights = search_texts(r, res, i, 5);
	h->visibility = search_str("public");
	if (!db_null(res, i, 6)) {
		db_id(res, i, 6, &h->channel);
		h->channel_type =
		    search_str(db_bool(res, i, 7) ? "thread" : "channel");
		h->private = db_bool(res, i, 8);
		if (h->private)
			h->visibility = search_str("private");
	}
	h->promoted = db_bool(res, i, 9);
	if (!db_null(res, i, 10))
		db_id(res, i, 10, &h->member);
	if (!db_null(res, i, 11))
		h->name = search_keep(r, db_text(res, i, 11));
	if (!db_null(res, i, 12))
		h->seq = db_int(res, i, 12);
	h->updated_ms = db_time(res, i, 13);
	if (!db_null(res, i, SEARCH_ACTOR))
		h->actor = search_keep(r, db_text(res, i, SEARCH_ACTOR));
	h->metadata = search_metadata(r, h);
}

/* A page of what is asked for; who wants what has to do with one kind of member
 * goes on until it is full. */
struct search_page {
	struct search_ask ask;
	struct slice kind; /* of member; or {NULL, 0} */
	struct search_hit *v;
	size_t n, most;
	unsigned rounds;
};

static void search_go(struct request *r);

static bool
search_wants(const struct search_page *g, const struct db_result *res, size_t i)
{
	struct slice kind;

	if (g->kind.n == 0)
		return true;
	if (db_null(res, i, SEARCH_ACTOR))
		return false;
	kind = db_text(res, i, SEARCH_ACTOR);
	return kind.n == g->kind.n && memcmp(kind.p, g->kind.p, kind.n) == 0;
}

static void
search_found(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct search_page *g = r->context;
	struct search_out out = { .query = g->ask.query };
	size_t i, n;

	if (op_db_failed(r, res) || op_left(r))
		return;
	n = search_rows(r, res, &g->ask, &out.next);
	for (i = 1; i <= n; i++)
		if (search_wants(g, res, i))
			search_hit(r, res, i, &g->v[g->n++]);
	if (g->kind.n > 0 && out.next.n > 0 && g->n < g->most &&
	    ++g->rounds < SEARCH_ROUNDS) {
		g->ask.limit = (int64_t)(g->most - g->n);
		if (search_from(r, out.next, &g->ask.from) == 0)
			search_go(r);
		return;
	}
	out.hits = (struct list){ g->v, g->n };
	op_reply(r, &out);
}

static void
search_go(struct request *r)
{
	struct search_page *g = r->context;
	struct db_params *p = db_params(STMT_search);

	search_put(r, p, &g->ask);
	db_query(r->core->reads, p, search_found, r);
}

static void
search_in_channel(struct request *r, struct channel *c)
{
	struct search_page *g = r->context;

	g->ask.channel = c->id;
	search_go(r);
}

static void
search_exec(struct request *r, void *arg)
{
	const struct search_in *in = arg;
	struct search_page *g = pool_zalloc(&r->pool, sizeof(*g));

	r->context = g;
	g->ask.query = in->query;
	g->ask.limit = in->limit > 0 ? in->limit : SEARCH_PAGE;
	g->most = (size_t)g->ask.limit;
	g->v = pool_zalloc(&r->pool, (g->most + 1) * sizeof(*g->v));
	if (in->actor > 0)
		g->kind = search_str(search_actors[in->actor]);
	if (search_kinds(r, &in->types, &g->ask.kinds) != 0 ||
	    search_from(r, in->after, &g->ask.from) != 0)
		return;
	if (in->channel.n > 0)
		channel_find(r, in->channel, search_in_channel);
	else
		search_go(r);
}

static void
search_settled(void *arg, const struct db_result *res)
{
	/* The next time, if it failed. */
	(void)arg;
	(void)res;
}

void
search_settle(struct core *c)
{
	if (c->up)
		db_query(
		    c->reads, db_params(STMT_search_settle), search_settled, c);
}

const struct op op_search = {
	.name = "search",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "GET /v1/search" },
	.reply = "search_results",
	.in = search_fields,
	.in_size = sizeof(struct search_in),
	.out = search_out_fields,
	.exec = search_exec,
	.text =
	    "Find members, channels, threads, messages and memory by words, "
	    "among what you may see, the best first.",
};
