/* SPDX-License-Identifier: ISC */
/*
 * Reading shared state: one key, all of them, or a page of those with a
 * prefix.  Keys are in the order of their bytes, in every database.
 */
#include "core/state.h"

#define STATE_LIST_BYTES ((int64_t)64 << 20) /* values of a whole list */
#define STATE_PAGE_BYTES ((int64_t)1 << 20)  /* of a page */

struct get_in {
	struct slice key;
};

static const struct field get_fields[] = {
	{ "key", F_STR, offsetof(struct get_in, key), 1, STATE_KEY_MAX,
	    FIELD_REQUIRED, NULL, NULL, 0, "Key." },
	{ .type = F_END },
};

#define OUT(field) offsetof(struct state_out, field)
const struct field state_out_fields[] = {
	{ "key", F_STR, OUT(key), 0, 0, 0, NULL, NULL, 0, "Key." },
	{ "value", F_JSON, OUT(value), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "Value; null when there is no such key." },
	{ "updatedBy", F_STR, OUT(by), 0, 0, 0, NULL, NULL, 0, "Who set it." },
	{ "updatedAt", F_TIME, OUT(updated_ms), 0, 0, 0, NULL, NULL, 0,
	    "When." },
	{ "version", F_INT, OUT(version), 0, 0, 0, NULL, NULL, 0,
	    "Rises by one with each change; 0 when there is no such key." },
	{ .type = F_END },
};
#undef OUT

struct list_in {
	struct slice prefix;
	struct slice after;
	int64_t limit;
};

#define IN(field) offsetof(struct list_in, field)
static const struct field list_fields[] = {
	{ "prefix", F_STR, IN(prefix), 0, STATE_KEY_MAX, 0, NULL, NULL, 0,
	    "Only keys that begin with it." },
	{ "limit", F_INT, IN(limit), 1, STATE_PAGE_MAX, 0, NULL, NULL, 0,
	    "At most so many, and 1 MiB of values; all of them when absent." },
	{ "after", F_STR, IN(after), 0, STATE_KEY_MAX, 0, NULL, NULL, 0,
	    "Only keys after this one: next of the page before." },
	{ .type = F_END },
};
#undef IN

#define PAGE(field) offsetof(struct state_page, field)
static const struct field list_out_fields[] = {
	{ "entries", F_ROWS, PAGE(entries), 0, 0, 0, NULL, state_out_fields,
	    sizeof(struct state_out), "Keys, in the order of their bytes." },
	{ "more", F_BOOL, PAGE(more), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "There are more." },
	{ "next", F_STR, PAGE(next), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "What after has to be for the next page." },
	{ .type = F_END },
};
#undef PAGE

static void
state_got(void *arg, const struct db_result *r)
{
	struct request *req = arg;
	const struct get_in *in = req->in;
	struct state_out out = { .key = in->key, .by = { "", 0 } };

	if (op_db_failed(req, r))
		return;
	if (db_rows(r) == 0 && op_is_rest(req)) {
		op_fail(req, ERR_NOT_FOUND,
		    "There is no state key \"" SLICE_FMT "\".",
		    SLICE_ARG(in->key));
		return;
	}
	if (db_rows(r) > 0) {
		out.value = db_text(r, 0, 0);
		out.by = db_text(r, 0, 1);
		out.updated_ms = db_time(r, 0, 2);
		out.version = db_int(r, 0, 3);
	}
	op_reply(req, &out);
}

static void
get_state_exec(struct request *r, void *arg)
{
	const struct get_in *in = arg;
	struct db_params *p = db_params(STMT_state_get);

	db_put_id(p, &r->client->session->mesh->id);
	db_put_text(p, in->key.p, in->key.n);
	db_query(r->core->reads, p, state_got, r);
}

void
state_page_ask(struct request *r, struct slice prefix, struct slice after,
    int64_t limit, db_fn *fn)
{
	struct db_params *p = db_params(STMT_state_list);

	db_put_id(p, &r->client->session->mesh->id);
	db_put_text(p, prefix.n > 0 ? prefix.p : "", prefix.n);
	db_put_text(p, after.n > 0 ? after.p : "", after.n);
	if (limit > 0)
		db_put_int(p, limit + 1);
	else
		db_put_null(p);
	db_put_int(p, limit > 0 ? STATE_PAGE_BYTES : STATE_LIST_BYTES);
	db_query(r->core->reads, p, fn, r);
}

/* How many of the rows fit. */
static size_t
state_page_fits(const struct db_result *res, int64_t count, int64_t max)
{
	size_t i, n = db_rows(res);
	int64_t bytes = 0;

	for (i = 0; i < n && (count == 0 || (int64_t)i < count); i++) {
		bytes += (int64_t)db_text(res, i, 1).n;
		/* One always does, or there would be no end of it. */
		if (bytes > max && i > 0)
			break;
	}
	return i;
}

bool
state_page_read(struct request *r, const struct db_result *res, int64_t limit,
    struct state_page *page)
{
	size_t i, n, rows;
	struct state_out *v;

	if (op_db_failed(r, res))
		return false;
	rows = db_rows(res);
	n = state_page_fits(
	    res, limit, limit > 0 ? STATE_PAGE_BYTES : STATE_LIST_BYTES);
	if (limit == 0 && n < rows) {
		op_fail(r, ERR_TOO_BIG,
		    "All values together are too large; ask for pages, with "
		    "limit.");
		return false;
	}
	v = pool_alloc(&r->pool, (n + 1) * sizeof(*v));
	for (i = 0; i < n; i++)
		v[i] = (struct state_out){ db_text(res, i, 0),
			db_text(res, i, 1), db_text(res, i, 2),
			db_time(res, i, 3), db_int(res, i, 4) };
	page->entries = (struct list){ v, n };
	page->more = n < rows;
	if (page->more)
		page->next = v[n - 1].key;
	return true;
}

static void
state_listed(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct list_in *in = r->in;
	struct state_page page = { .more = false };

	if (state_page_read(r, res, in->limit, &page))
		op_reply(r, &page);
}

static void
list_state_exec(struct request *r, void *arg)
{
	const struct list_in *in = arg;

	state_page_ask(r, in->prefix, in->after, in->limit, state_listed);
}

const struct op op_get_state = {
	.name = "get_state",
	.scope = SCOPE_STATE_READ,
	.rest = { "GET /v1/state/{key}" },
	.reply = "state_result",
	.in = get_fields,
	.in_size = sizeof(struct get_in),
	.out = state_out_fields,
	.exec = get_state_exec,
	.text = "Read a key.",
};

const struct op op_list_state = {
	.name = "list_state",
	.scope = SCOPE_STATE_READ,
	.rest = { "GET /v1/state" },
	.reply = "state_list",
	.in = list_fields,
	.in_size = sizeof(struct list_in),
	.out = list_out_fields,
	.exec = list_state_exec,
	.text = "Read all keys, or those with a prefix.",
};
