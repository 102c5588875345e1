/* SPDX-License-Identifier: ISC */
/*
 * What a member was granted: for itself, and for who decides about grants.
 */
#include <string.h>

#include "core/grant.h"

#define GRANTS_NEXT (ID_HEX_LEN + 1) /* then the capability */

static void
grants_denied(struct request *r)
{
	op_deny(r, SCOPE_GRANT_CREATE, "org", &r->client->session->mesh->id);
}

/*
 * list_grants
 */
struct grants_in {
	struct slice member;
	int64_t limit;
	struct slice after;
};

#define IN(field) offsetof(struct grants_in, field)
static const struct field grants_fields[] = {
	{ "actorId", F_STR, IN(member), 1, GRANT_WORD_MAX,
	    FIELD_REQUIRED | FIELD_REST, NULL, NULL, 0, "Of which member." },
	{ "member", F_STR, IN(member), 1, 256, FIELD_MESH, NULL, NULL, 0,
	    "Of which member: its id, key or name; your own when absent." },
	{ "limit", F_INT, IN(limit), 1, GRANT_PAGE_MAX, FIELD_MESH, NULL, NULL,
	    0, "At most so many; 100 when absent." },
	{ "limit", F_INT, IN(limit), 1, GRANT_PAGE_MAX, FIELD_REST, NULL, NULL,
	    0, "At most so many; 500 when absent." },
	{ "after", F_STR, IN(after), GRANTS_NEXT, GRANTS_NEXT + GRANT_WORD_MAX,
	    0, NULL, NULL, 0,
	    "Only those behind this one: next of the page before." },
	{ .type = F_END },
};
#undef IN

struct grant_row {
	struct id id;
	struct id member;
	struct slice type;
	struct slice resource;
	struct slice capability;
	int64_t expires_ms;
	int64_t max_uses;
	int64_t uses;
	int64_t left;
	struct slice constraints;
	int64_t created_ms;
	struct id by;
};

#define ROW(field) offsetof(struct grant_row, field)
static const struct field grant_row_fields[] = {
	{ "grantId", F_ID, ROW(id), 0, 0, 0, NULL, NULL, 0, "The grant." },
	{ "actorId", F_ID, ROW(member), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "Who has it." },
	{ "memberId", F_ID, ROW(member), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "Who has it." },
	{ "resourceType", F_STR, ROW(type), 0, 0, 0, NULL, NULL, 0,
	    "On what: org, channel, thread ..." },
	{ "resourceId", F_STR, ROW(resource), 0, 0, FIELD_NULLABLE, NULL, NULL,
	    0, "On which; null: on all of the type." },
	{ "capability", F_STR, ROW(capability), 0, 0, 0, NULL, NULL, 0,
	    "What it gives." },
	{ "expiresAt", F_TIME, ROW(expires_ms), 0, 0, FIELD_NULLABLE, NULL,
	    NULL, 0, "Until when; null: for good." },
	{ "maxUses", F_INT, ROW(max_uses), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "How often; null: without end." },
	{ "usesCount", F_INT, ROW(uses), 0, 0, 0, NULL, NULL, 0,
	    "How often it was used." },
	{ "remainingUses", F_INT, ROW(left), 0, 0, FIELD_NULLABLE, NULL, NULL,
	    0, "How often it can be used; null: without end." },
	{ "constraints", F_JSON, ROW(constraints), 0, 0, 0, NULL, NULL, 0,
	    "What else is asked of its use." },
	{ "createdAt", F_TIME, ROW(created_ms), 0, 0, 0, NULL, NULL, 0,
	    "Since when." },
	{ "createdByActorId", F_ID, ROW(by), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "Who gave it." },
	{ "createdByMemberId", F_ID, ROW(by), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "Who gave it." },
	{ .type = F_END },
};
#undef ROW

struct grants_out {
	struct id member;
	struct list grants;
	struct slice next;
};

#define OUT(field) offsetof(struct grants_out, field)
static const struct field grants_out_fields[] = {
	{ "grants", F_ROWS, OUT(grants), 0, 0, 0, NULL, grant_row_fields,
	    sizeof(struct grant_row),
	    "By capability, the newest first: those that can be used." },
	{ "next", F_STR, OUT(next), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "There are more: after for the next page." },
	{ .type = F_END },
};
#undef OUT

static int64_t
grants_limit(const struct request *r)
{
	const struct grants_in *in = r->in;

	return op_page(r, in->limit, GRANT_PAGE, GRANT_PAGE_MAX);
}

static void
grants_read(struct grant_row *g, const struct id *member,
    const struct db_result *res, size_t i)
{
	memset(g, 0, sizeof(*g));
	g->member = *member;
	db_id(res, i, 1, &g->id);
	g->type = db_text(res, i, 2);
	if (!db_null(res, i, 3))
		g->resource = db_text(res, i, 3);
	g->capability = db_text(res, i, 4);
	if (!db_null(res, i, 5))
		g->expires_ms = db_time(res, i, 5);
	g->max_uses = db_int(res, i, 6);
	g->uses = db_int(res, i, 7);
	g->left = g->max_uses > 0 ? g->max_uses - g->uses : 0;
	g->constraints = db_text(res, i, 8);
	g->created_ms = db_time(res, i, 9);
	db_id(res, i, 10, &g->by);
}

static void
grants_listed(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct grants_out *out = r->context;
	size_t i, n, limit = (size_t)grants_limit(r);
	char hex[ID_HEX_LEN + 1];
	struct grant_row *rows;

	if (op_db_failed(r, res) || op_left(r))
		return;
	if (!db_bool(res, 0, 0)) {
		grants_denied(r);
		return;
	}
	n = db_rows(res) < limit ? db_rows(res) : limit;
	if (db_null(res, 0, 1))
		n = 0;
	rows = pool_alloc(&r->pool, (n + 1) * sizeof(*rows));
	for (i = 0; i < n; i++)
		grants_read(&rows[i], &out->member, res, i);
	out->grants = (struct list){ rows, n };
	if (db_rows(res) > limit) {
		out->next.p = pool_printf(&r->pool, "%s " SLICE_FMT,
		    id_hex(&rows[n - 1].id, hex),
		    SLICE_ARG(rows[n - 1].capability));
		out->next.n = strlen(out->next.p);
	}
	op_reply(r, out);
}

static void
grants_ask(struct request *r, const struct id *member)
{
	const struct session *s = r->client->session;
	const struct grants_in *in = r->in;
	struct grants_out *out = pool_zalloc(&r->pool, sizeof(*out));
	struct db_params *p;
	struct id after;

	memset(&after, 0, sizeof(after));
	if (in->after.n > 0 && id_parse(&after, in->after.p, ID_HEX_LEN) != 0) {
		op_fail(r, ERR_MALFORMED, "after is no next of a page.");
		return;
	}
	out->member = *member;
	r->context = out;
	p = db_params(STMT_grant_list);
	db_put_id(p, &s->mesh->id);
	db_put_id(p, member);
	db_put_id(p, &s->info.member);
	if (in->after.n > 0)
		db_put_text(
		    p, in->after.p + GRANTS_NEXT, in->after.n - GRANTS_NEXT);
	else
		db_put_null(p);
	db_put_bool(p, grant_has(r->client, SCOPE_GRANT_CREATE));
	db_put_id(p, &after);
	db_put_int(p, grants_limit(r) + 1);
	db_query(r->core->reads, p, grants_listed, r);
}

static void
grants_named(struct request *r, const struct member *m)
{
	grants_ask(r, &m->id);
}

static void
list_grants_exec(struct request *r, void *arg)
{
	const struct grants_in *in = arg;

	if (in->member.n > 0)
		member_named(r, in->member, grants_named);
	else
		grants_ask(r, &r->client->session->info.member);
}

/*
 * check_grant
 */
struct check_in {
	struct slice capability;
	struct slice member;
	struct slice type;
	struct slice resource;
};

#define IN(field) offsetof(struct check_in, field)
static const struct field check_fields[] = {
	{ "capability", F_STR, IN(capability), 1, GRANT_WORD_MAX,
	    FIELD_REQUIRED, NULL, NULL, 0, "To do what." },
	{ "actorId", F_STR, IN(member), 1, GRANT_WORD_MAX, FIELD_REST, NULL,
	    NULL, 0, "May this member? You, when absent." },
	{ "member", F_STR, IN(member), 1, 256, FIELD_MESH, NULL, NULL, 0,
	    "May this member (its id, key or name)? You, when absent." },
	{ "resourceType", F_STR, IN(type), 1, GRANT_WORD_MAX, 0, NULL, NULL, 0,
	    "On what; on anything, when absent." },
	{ "resourceId", F_STR, IN(resource), 1, GRANT_WORD_MAX, 0, NULL, NULL,
	    0, "On which; on any, when absent." },
	{ .type = F_END },
};
#undef IN

struct check_out {
	bool has;
};

static const struct field check_out_fields[] = {
	{ "hasGrant", F_BOOL, offsetof(struct check_out, has), 0, 0, 0, NULL,
	    NULL, 0, "It has it by a grant, or you by your role in the mesh." },
	{ .type = F_END },
};

static void
check_found(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct check_out out;

	if (op_db_failed(r, res) || op_left(r))
		return;
	/* Those that one may not see are not there. */
	out.has = db_bool(res, 0, 1);
	op_reply(r, &out);
}

static void
check_ask(struct request *r, const struct id *member)
{
	const struct session *s = r->client->session;
	const struct check_in *in = r->in;
	struct db_params *p;
	size_t wrong;
	uint64_t scope = token_scopes(&in->capability, 1, &wrong);
	struct check_out out = { .has = true };

	if (wrong == 1 && id_same(member, &s->info.member) &&
	    (scope & ~r->client->scopes) == 0) {
		op_reply(r, &out);
		return;
	}
	p = db_params(STMT_grant_check);
	db_put_id(p, &s->mesh->id);
	db_put_id(p, member);
	db_put_id(p, &s->info.member);
	db_put_text(p, in->capability.p, in->capability.n);
	db_put_bool(p, grant_has(r->client, SCOPE_GRANT_CREATE));
	db_put_text(p, in->type.p, in->type.n);
	db_put_text(p, in->resource.p, in->resource.n);
	db_query(r->core->reads, p, check_found, r);
}

static void
check_named(struct request *r, const struct member *m)
{
	check_ask(r, &m->id);
}

static void
check_grant_exec(struct request *r, void *arg)
{
	const struct check_in *in = arg;

	if (in->member.n > 0)
		member_named(r, in->member, check_named);
	else
		check_ask(r, &r->client->session->info.member);
}

const struct op op_list_grants = {
	.name = "list_grants",
	.scope = SCOPE_MEMBER,
	.rest = { "GET /v1/actors/{actorId}/grants" },
	.reply = "grants_list",
	.in = grants_fields,
	.in_size = sizeof(struct grants_in),
	.out = grants_out_fields,
	.exec = list_grants_exec,
	.text = "What you were granted; those of others are for who may "
		"grant.",
};

const struct op op_check_grant = {
	.name = "check_grant",
	.scope = SCOPE_MEMBER,
	.rest = { "GET /v1/grants/check" },
	.reply = "grant_checked",
	.in = check_fields,
	.in_size = sizeof(struct check_in),
	.out = check_out_fields,
	.exec = check_grant_exec,
	.text = "Have you a permission, or another member? What one may as "
		"owner or admin of a channel is not asked, nor whether it is "
		"there. Of the grants of others only who may grant is told; to "
		"anybody else it is false.",
};
