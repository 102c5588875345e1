/* SPDX-License-Identifier: ISC */
/*
 * Finding what was remembered: by its words, tags and author, the best first;
 * or all of it, the newest first.
 *
 * A page ends with a cursor, which is the place of its last memory in that
 * order: its score and its id, by which equally good ones are told apart.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"

#define MEMORY_PAGE 20
#define MEMORY_PAGE_MAX 100
#define MEMORY_CURSOR_MAX 64
#define MEMORY_BY_MAX 256

struct memory_in {
	struct slice query;
	struct list tags;
	struct slice by;
	struct slice language;
	int64_t limit;
	struct slice after;
	bool forgotten;
	struct id id;
};

#define IN(field) offsetof(struct memory_in, field)
#define MEMORY_CHOICE                                                       \
	{ "tags", F_STRS, IN(tags), 0, MEMORY_TAGS_MAX, 0, NULL, NULL, 0,   \
		"Only those that have all of these labels." },              \
	{                                                                   \
		"by", F_STR, IN(by), 1, MEMORY_BY_MAX, 0, NULL, NULL, 0,    \
		    "Only those of this author: a member's public key, or " \
		    "a name as rememberedBy tells it, in any case."         \
	}
#define MEMORY_PLACE                                                        \
	{ "limit", F_INT, IN(limit), 1, MEMORY_PAGE_MAX, 0, NULL, NULL, 0,  \
		"At most so many; 20 when absent." },                       \
	{                                                                   \
		"after", F_STR, IN(after), 1, MEMORY_CURSOR_MAX, 0, NULL,   \
		    NULL, 0,                                                \
		    "Only what comes after: next of the page before, when " \
		    "the same was asked."                                   \
	}
static const struct field recall_fields[] = {
	{ "query", F_STR, IN(query), 0, 1024, FIELD_REQUIRED, NULL, NULL, 0,
	    "Words that must all be in it, in any form; or between words means "
	    "either, - before one that it must not be there, quotes that words "
	    "follow each other. Empty, and with tags or by: all of these, the "
	    "newest first." },
	MEMORY_CHOICE,
	{ "language", F_STR, IN(language), 1, MEMORY_LANGUAGE_MAX, 0, NULL,
	    NULL, 0,
	    "Whose words these are, as remember was told; english when "
	    "absent." },
	MEMORY_PLACE,
	{ .type = F_END },
};

static const struct field list_fields[] = {
	MEMORY_CHOICE,
	{ "forgotten", F_BOOL, IN(forgotten), 0, 0, 0, NULL, NULL, 0,
	    "Only those that were forgotten, which no other way shows." },
	{ "id", F_ID, IN(id), 0, 0, 0, NULL, NULL, 0,
	    "Only this one; nothing else is asked then." },
	MEMORY_PLACE,
	{ .type = F_END },
};
#undef IN

struct memory_row {
	struct id id;
	struct slice content;
	struct list tags;
	struct slice by;
	int64_t created_ms;
	struct slice language;
	int64_t forgotten_ms;
};

#define ROW(field) offsetof(struct memory_row, field)
static const struct field memory_row_fields[] = {
	{ "id", F_ID, ROW(id), 0, 0, 0, NULL, NULL, 0, "The memory's id." },
	{ "content", F_STR, ROW(content), 0, 0, 0, NULL, NULL, 0, "Text." },
	{ "tags", F_STRS, ROW(tags), 0, 0, 0, NULL, NULL, 0, "Labels." },
	{ "rememberedBy", F_STR, ROW(by), 0, 0, 0, NULL, NULL, 0, "By whom." },
	{ "rememberedAt", F_TIME, ROW(created_ms), 0, 0, 0, NULL, NULL, 0,
	    "When." },
	{ "language", F_STR, ROW(language), 0, 0, 0, NULL, NULL, 0,
	    "Whose words these are." },
	{ "forgottenAt", F_TIME, ROW(forgotten_ms), 0, 0, FIELD_OMIT, NULL,
	    NULL, 0, "When it was forgotten." },
	{ .type = F_END },
};
#undef ROW

struct memory_out {
	struct list memories;
	bool more;
	struct slice next;
};

#define OUT(field) offsetof(struct memory_out, field)
static const struct field memory_out_fields[] = {
	{ "memories", F_ROWS, OUT(memories), 0, 0, 0, NULL, memory_row_fields,
	    sizeof(struct memory_row), "What fits, in its order." },
	{ "more", F_BOOL, OUT(more), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "There are more." },
	{ "next", F_STR, OUT(next), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "What after has to be for the next page." },
	{ .type = F_END },
};
#undef OUT

struct memory_place {
	int64_t score;
	struct id id;
};

static int64_t
memory_limit(const struct memory_in *in)
{
	return in->limit > 0 ? in->limit : MEMORY_PAGE;
}

/* -1: it is no cursor. */
static int
memory_read_place(struct slice s, struct memory_place *p)
{
	const char *dot = s.n > 0 ? memchr(s.p, '.', s.n) : NULL;
	char number[MEMORY_CURSOR_MAX + 1];
	size_t n;

	if (s.n == 0) {
		p->score = INT64_MAX;
		memset(p->id.b, 0xff, ID_LEN);
		return 0;
	}
	if (dot == NULL)
		return -1;
	n = (size_t)(dot - s.p);
	memcpy(number, s.p, n);
	number[n] = '\0';
	if (str_num(number, 0, INT64_MAX, &p->score) != NULL)
		return -1;
	return id_parse(&p->id, dot + 1, s.n - n - 1);
}

static void
memory_row(struct request *r, const struct db_result *res, size_t i,
    struct memory_row *row)
{
	struct slice *tags =
	    pool_alloc(&r->pool, MEMORY_TAGS_MAX * sizeof(*tags));

	memset(row, 0, sizeof(*row));
	db_id(res, i, 0, &row->id);
	row->content = db_text(res, i, 1);
	row->tags.v = tags;
	row->tags.n = db_texts(res, i, 2, tags, MEMORY_TAGS_MAX);
	row->by = db_text(res, i, 3);
	row->created_ms = db_time(res, i, 4);
	row->language = db_text(res, i, 5);
	if (!db_null(res, i, 6))
		row->forgotten_ms = db_time(res, i, 6);
}

static void
memory_nothing(struct request *r, void *arg)
{
	struct memory_out out = { .more = false };

	(void)arg;
	op_reply(r, &out);
}

static void
memory_found(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct memory_in *in = r->in;
	size_t i, n, limit = (size_t)memory_limit(in);
	struct memory_out out = { .more = false };
	char hex[ID_HEX_LEN + 1];
	struct memory_row *rows;

	if (op_db_failed(r, res))
		return;
	n = db_rows(res);
	if (n == 0 && in->language.n > 0) {
		memory_check_language(r, in->language, memory_nothing, NULL);
		return;
	}
	out.more = n > limit;
	if (out.more)
		n = limit;
	rows = pool_alloc(&r->pool, (n + 1) * sizeof(*rows));
	for (i = 0; i < n; i++)
		memory_row(r, res, i, &rows[i]);
	out.memories = (struct list){ rows, n };
	if (out.more) {
		out.next.p = pool_printf(&r->pool, "%" PRId64 ".%s",
		    db_int(res, n - 1, 7), id_hex(&rows[n - 1].id, hex));
		out.next.n = strlen(out.next.p);
	}
	op_reply(r, &out);
}

/* The author: a name as names are compared and a key, of which one or both
 * are null. */
static void
memory_put_by(struct request *r, struct db_params *p, struct slice by)
{
	uint8_t key[CRYPTO_KEY_LEN];
	bool is_key = crypto_unhex(key, sizeof(key), by.p, by.n) == 0;
	char *folded;

	if (by.n == 0 || is_key)
		db_put_text(p, NULL, 0);
	else {
		folded = pool_alloc(&r->pool, 2 * by.n + 1);
		db_put_text(p, folded, str_fold(folded, by.p, by.n));
	}
	if (is_key)
		db_put_bytes(p, key, sizeof(key));
	else
		db_put_null(p);
}

static void
memory_get(struct request *r, const struct memory_in *in)
{
	struct db_params *p = db_params(STMT_memory_get);

	db_put_id(p, &r->client->session->mesh->id);
	db_put_id(p, &in->id);
	db_query(r->core->reads, p, memory_found, r);
}

static void
memory_list(struct request *r, const struct memory_in *in,
    const struct memory_place *place)
{
	bool all = in->tags.n == 0 && in->by.n == 0 && !in->forgotten;
	struct db_params *p =
	    db_params(all	      ? STMT_memory_list
		      : in->forgotten ? STMT_memory_list_forgotten
				      : STMT_memory_list_chosen);

	db_put_id(p, &r->client->session->mesh->id);
	if (!all) {
		db_put_texts(p, in->tags.v, in->tags.n);
		memory_put_by(r, p, in->by);
	}
	db_put_id(p, &place->id);
	db_put_int(p, memory_limit(in) + 1);
	db_query(r->core->reads, p, memory_found, r);
}

static void
memory_search(struct request *r, const struct memory_in *in,
    const struct memory_place *place)
{
	struct db_params *p = db_params(STMT_memory_search);

	db_put_id(p, &r->client->session->mesh->id);
	db_put_text(p, in->query.p, in->query.n);
	db_put_texts(p, in->tags.v, in->tags.n);
	memory_put_by(r, p, in->by);
	if (in->language.n > 0)
		db_put_text(p, in->language.p, in->language.n);
	else
		db_put_str(p, MEMORY_LANGUAGE);
	db_put_int(p, place->score);
	db_put_id(p, &place->id);
	db_put_int(p, memory_limit(in) + 1);
	db_query(r->core->reads, p, memory_found, r);
}

static void
memory_find(struct request *r, const struct memory_in *in, bool search)
{
	struct memory_place place;

	if (memory_read_place(in->after, &place) == -1)
		op_fail(r, ERR_MALFORMED,
		    "after must be the next of another page.");
	else if (search)
		memory_search(r, in, &place);
	else
		memory_list(r, in, &place);
}

static bool
memory_is_blank(struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (strchr(" \t\r\n", s.p[i]) == NULL)
			return false;
	return true;
}

static void
recall_exec(struct request *r, void *arg)
{
	const struct memory_in *in = arg;
	bool blank = memory_is_blank(in->query);

	/* Nothing to search for finds nothing. */
	memory_find(r, in, !blank || (in->tags.n == 0 && in->by.n == 0));
}

static void
list_memories_exec(struct request *r, void *arg)
{
	const struct memory_in *in = arg;

	if (!id_is_null(&in->id))
		memory_get(r, in);
	else
		memory_find(r, in, false);
}

const struct op op_recall = {
	.name = "recall",
	.scope = SCOPE_MEMORY_READ,
	.reply = "memory_results",
	.in = recall_fields,
	.in_size = sizeof(struct memory_in),
	.out = memory_out_fields,
	.exec = recall_exec,
	.text = "Find what was remembered, the best first.",
};

const struct op op_list_memories = {
	.name = "list_memories",
	.scope = SCOPE_MEMORY_READ,
	.reply = "memory_list",
	.in = list_fields,
	.in_size = sizeof(struct memory_in),
	.out = memory_out_fields,
	.exec = list_memories_exec,
	.text = "What is remembered, the newest first.",
};
