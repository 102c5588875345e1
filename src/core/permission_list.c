/* SPDX-License-Identifier: ISC */
/*
 * Requests for permissions, as those see them who asked, and who may decide.
 */
#include <string.h>

#include "core/grant.h"

#define PERMISSION_WAIT_MAX 60 /* seconds */

/* A row of permission_list or permission_get, from a column on; texts are the
 * answer's. */
static void
permission_read(
    struct permission *q, const struct db_result *res, size_t row, unsigned col)
{
	memset(q, 0, sizeof(*q));
	db_id(res, row, col, &q->id);
	db_id(res, row, col + 1, &q->member);
	q->name = db_text(res, row, col + 2);
	q->action = db_text(res, row, col + 3);
	q->type = db_text(res, row, col + 4);
	if (!db_null(res, row, col + 5))
		q->resource = db_text(res, row, col + 5);
	q->status = db_text(res, row, col + 6);
	if (!db_null(res, row, col + 7))
		q->context = db_text(res, row, col + 7);
	if (!db_null(res, row, col + 8))
		q->notes = db_text(res, row, col + 8);
	if (!db_null(res, row, col + 9))
		db_id(res, row, col + 9, &q->grant);
	if (!db_null(res, row, col + 10))
		db_id(res, row, col + 10, &q->command);
	q->created_ms = db_time(res, row, col + 11);
	if (!db_null(res, row, col + 12))
		q->resolved_ms = db_time(res, row, col + 12);
}

static void
permission_put_viewer(struct db_params *p, struct request *r)
{
	const struct session *s = r->client->session;

	db_put_id(p, &s->mesh->id);
	db_put_id(p, &s->info.member);
	db_put_bool(p, grant_has(r->client, SCOPE_GRANT_CREATE));
}

/* What it is in a channel is for its client to use. */
static void
permission_put_manages(struct db_params *p, struct request *r)
{
	db_put_bool(p, grant_owns(r->client));
}

void
permission_find(struct request *r, struct slice which, db_fn *fn, void *arg)
{
	struct db_params *p = db_params(STMT_permission_get);
	struct id id = grant_id(which);

	permission_put_viewer(p, r);
	db_put_id(p, &id);
	permission_put_manages(p, r);
	db_query(r->core->reads, p, fn, arg);
}

bool
permission_decides(const struct db_result *res)
{
	return db_bool(res, 0, 0);
}

void
permission_unknown(struct request *r, struct slice which)
{
	op_fail(r, ERR_NOT_FOUND,
	    "There is no permission request \"" SLICE_FMT "\" for you.",
	    SLICE_ARG(which));
}

bool
permission_found(struct request *r, const struct db_result *res,
    struct slice which, struct permission *out)
{
	if (op_db_failed(r, res))
		return false;
	if (db_null(res, 0, 1)) {
		permission_unknown(r, which);
		return false;
	}
	permission_read(out, res, 0, 1);
	return true;
}

/*
 * list_permission_requests
 */
struct asks_in {
	struct slice member;
	int64_t limit;
	struct slice after;
};

#define IN(field) offsetof(struct asks_in, field)
static const struct field asks_fields[] = {
	{ "actorId", F_STR, IN(member), 1, GRANT_WORD_MAX, FIELD_REST, NULL,
	    NULL, 0, "Only those of this member." },
	{ "member", F_STR, IN(member), 1, GRANT_WORD_MAX, FIELD_MESH, NULL,
	    NULL, 0, "Only those of this member, by its id, key or name." },
	{ "limit", F_INT, IN(limit), 1, GRANT_PAGE_MAX, FIELD_MESH, NULL, NULL,
	    0, "At most so many; 100 when absent." },
	{ "limit", F_INT, IN(limit), 1, GRANT_PAGE_MAX, FIELD_REST, NULL, NULL,
	    0, "At most so many; 500 when absent." },
	{ "after", F_STR, IN(after), 1, GRANT_WORD_MAX, 0, NULL, NULL, 0,
	    "Only those behind this one: next of the page before." },
	{ .type = F_END },
};
#undef IN

struct asks_out {
	struct list requests;
	struct slice next;
};

#define OUT(field) offsetof(struct asks_out, field)
static const struct field asks_out_fields[] = {
	{ "requests", F_ROWS, OUT(requests), 0, 0, 0, NULL, permission_fields,
	    sizeof(struct permission), "The open ones, the oldest first." },
	{ "next", F_STR, OUT(next), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "There are more: after for the next page." },
	{ .type = F_END },
};
#undef OUT

static int64_t
asks_limit(const struct request *r)
{
	const struct asks_in *in = r->in;

	return op_page(r, in->limit, GRANT_PAGE, GRANT_PAGE_MAX);
}

static void
asks_listed(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	size_t i, n, limit = (size_t)asks_limit(r);
	struct asks_out out;
	struct permission *rows;
	char hex[ID_HEX_LEN + 1];

	if (op_db_failed(r, res))
		return;
	memset(&out, 0, sizeof(out));
	n = db_rows(res) < limit ? db_rows(res) : limit;
	rows = pool_alloc(&r->pool, (n + 1) * sizeof(*rows));
	for (i = 0; i < n; i++)
		permission_read(&rows[i], res, i, 0);
	out.requests = (struct list){ rows, n };
	if (db_rows(res) > limit)
		out.next =
		    (struct slice){ id_hex(&rows[n - 1].id, hex), ID_HEX_LEN };
	op_reply(r, &out);
}

/* member: or NULL. */
static void
asks_ask(struct request *r, const struct id *member)
{
	const struct asks_in *in = r->in;
	struct db_params *p = db_params(STMT_permission_list);
	struct id after = grant_id(in->after);

	permission_put_viewer(p, r);
	db_put_id(p, member);
	db_put_id(p, &after);
	db_put_int(p, asks_limit(r) + 1);
	permission_put_manages(p, r);
	db_query(r->core->reads, p, asks_listed, r);
}

static void
asks_named(struct request *r, const struct member *m)
{
	asks_ask(r, &m->id);
}

static void
list_permission_requests_exec(struct request *r, void *arg)
{
	const struct asks_in *in = arg;
	struct id id;

	if (in->after.n > 0 && id_parse(&id, in->after.p, in->after.n) != 0)
		op_fail(r, ERR_MALFORMED, "after is no next of a page.");
	else if (in->member.n > 0)
		member_named(r, in->member, asks_named);
	else
		asks_ask(r, NULL);
}

/*
 * get_permission_request
 */
struct look_in {
	struct slice id;
	int64_t wait;
};

#define IN(field) offsetof(struct look_in, field)
static const struct field look_fields[] = {
	{ "requestId", F_STR, IN(id), 1, GRANT_WORD_MAX, FIELD_REQUIRED, NULL,
	    NULL, 0, "The request." },
	{ "wait", F_INT, IN(wait), 0, PERMISSION_WAIT_MAX,
	    FIELD_REST | FIELD_CLAMP, NULL, NULL, 0,
	    "Seconds to wait until it is decided, at most." },
	{ .type = F_END },
};
#undef IN

struct look_out {
	struct permission request;
};

static const struct field look_out_fields[] = {
	{ "request", F_ROW, offsetof(struct look_out, request), 0, 0, 0, NULL,
	    permission_fields, sizeof(struct permission), "How it stands." },
	{ .type = F_END },
};

static void look_ask(struct permission_waiter *w);

/* It waits before it asks, so that it hears what is decided meanwhile. */
static void
look_found(void *arg, const struct db_result *res)
{
	struct permission_waiter *w = arg;
	struct request *r = w->request;
	const struct look_in *in = r->in;
	bool told = permission_wait_leave(w);
	struct look_out out;

	if (!permission_found(r, res, in->id, &out.request))
		return;
	if (out.request.resolved_ms > 0 || clock_mono() >= w->until_ms ||
	    r->client == NULL || r->client->session == NULL)
		op_reply(r, &out);
	else if (told)
		look_ask(w);
	else
		permission_wait_enter(w, false);
}

static void
look_ask(struct permission_waiter *w)
{
	const struct look_in *in = w->request->in;

	permission_wait_enter(w, true);
	permission_find(w->request, in->id, look_found, w);
}

static void
get_permission_request_exec(struct request *r, void *arg)
{
	const struct look_in *in = arg;
	struct permission_waiter *w = pool_zalloc(&r->pool, sizeof(*w));

	w->request = r;
	w->id = grant_id(in->id);
	w->until_ms = r->started_ms + in->wait * 1000;
	w->fn = look_ask;
	look_ask(w);
}

const struct op op_list_permission_requests = {
	.name = "list_permission_requests",
	.scope = SCOPE_MEMBER,
	.rest = { "GET /v1/permission-requests" },
	.reply = "permission_requests",
	.in = asks_fields,
	.in_size = sizeof(struct asks_in),
	.out = asks_out_fields,
	.exec = list_permission_requests_exec,
	.text = "Open requests for permissions: your own, and those that you "
		"may decide.",
};

const struct op op_get_permission_request = {
	.name = "get_permission_request",
	.scope = SCOPE_MEMBER,
	.rest = { "GET /v1/permission-requests/{requestId}" },
	.reply = "permission_status",
	.in = look_fields,
	.in_size = sizeof(struct look_in),
	.out = look_out_fields,
	.exec = get_permission_request_exec,
	.text = "How a request for a permission stands.",
};
