/* SPDX-License-Identifier: ISC */
/*
 * Grants are made, and taken away.
 */
#include <string.h>

#include "core/grant.h"

#define REASON_MAX 500
#define CONSTRAINTS_MAX 4096

struct make_in {
	struct slice member;
	struct grant_what what;
};

#define IN(field) offsetof(struct make_in, field)
static const struct field make_fields[] = {
	{ "actorId", F_STR, IN(member), 1, GRANT_WORD_MAX,
	    FIELD_REQUIRED | FIELD_REST, NULL, NULL, 0, "For which member." },
	{ "member", F_STR, IN(member), 1, 256, FIELD_REQUIRED | FIELD_MESH,
	    NULL, NULL, 0, "For which member: its id, key or name." },
	{ "capability", F_STR, IN(what.capability), 1, GRANT_WORD_MAX,
	    FIELD_REQUIRED, NULL, NULL, 0,
	    "What it may do: message:append ..., or a word that applications "
	    "ask for." },
	{ "resourceType", F_STR, IN(what.type), 1, GRANT_WORD_MAX,
	    FIELD_REQUIRED, NULL, NULL, 0,
	    "On what: org, channel, thread ..." },
	{ "resourceId", F_STR, IN(what.id), 0, GRANT_WORD_MAX, 0, NULL, NULL, 0,
	    "On which, by its id; on all of the type when absent." },
	{ "expiresAt", F_TIME, IN(what.expires_ms), 0, 0, 0, NULL, NULL, 0,
	    "How long; for good when absent." },
	{ "maxUses", F_INT, IN(what.max_uses), 1, INT32_MAX, 0, NULL, NULL, 0,
	    "How often; without end when absent." },
	{ "constraints", F_JSON, IN(what.constraints), 2, CONSTRAINTS_MAX, 0,
	    NULL, NULL, 0,
	    "An object: channelIds, a list, and of messages partTypes, a "
	    "list, maxParts and maxBytes (of the parts as JSON)." },
	{ .type = F_END },
};
#undef IN

struct make_out {
	struct id id;
};

static const struct field make_out_fields[] = {
	{ "grantId", F_ID, offsetof(struct make_out, id), 0, 0, 0, NULL, NULL,
	    0, "The grant." },
	{ .type = F_END },
};

/* Of the request's pool. */
struct making {
	struct request *request;
	struct id mesh;
	struct grant_what what;
	struct make_out out;
};

static void
made(void *arg, const struct db_result *res)
{
	struct making *m = arg;
	struct request *r = m->request;

	if (op_db_failed(r, res))
		return;
	switch (db_int(res, 0, 0)) {
	case 0:
		op_reply(r, &m->out);
		break;
	case 1:
		op_fail(r, ERR_UNKNOWN_TARGET, "That member is gone.");
		break;
	default:
		op_deny(r, SCOPE_GRANT_CREATE, "org", &m->mesh);
		break;
	}
}

static void
make_named(struct request *r, const struct member *to)
{
	const struct session *s = r->client->session;
	struct making *m = r->context;
	const struct grant_what *w = &m->what;
	char at[CLOCK_RFC3339_LEN + 1];
	struct db_params *p;

	id_new(&m->out.id);
	m->mesh = s->mesh->id;
	clock_format(clock_wall(), at);
	p = journal_row(r->core, STMT_grant_make, &m->mesh, made, m);
	db_put_id(p, &m->out.id);
	db_put_id(p, &m->mesh);
	db_put_id(p, &to->id);
	db_put_text(p, w->capability.p, w->capability.n);
	db_put_text(p, w->type.p, w->type.n);
	db_put_text(p, w->id.p, w->id.n);
	db_put_text(p, w->constraints.p, w->constraints.n);
	db_put_time(p, w->expires_ms);
	if (w->max_uses > 0)
		db_put_int(p, w->max_uses);
	else
		db_put_null(p);
	db_put_id(p, &s->info.member);
	db_put_str(p, at);
	grant_put_needs(p, r);
	grant_line(p, 0, &m->mesh, &m->out.id, &to->id, &s->info.member, w);
}

static void
create_grant_exec(struct request *r, void *arg)
{
	const struct make_in *in = arg;
	struct making *m = pool_zalloc(&r->pool, sizeof(*m));

	m->request = r;
	m->what = in->what;
	r->context = m;
	if (grant_check(r, &m->what))
		member_named(r, in->member, make_named);
}

/*
 * revoke_grant, revoke_grants
 */
struct revoke_in {
	struct slice id;
	struct slice member;
	struct slice why;
};

#define IN(field) offsetof(struct revoke_in, field)
static const struct field revoke_fields[] = {
	{ "grantId", F_STR, IN(id), 1, GRANT_WORD_MAX, FIELD_REQUIRED, NULL,
	    NULL, 0, "The grant." },
	{ "reason", F_STR, IN(why), 0, REASON_MAX, 0, NULL, NULL, 0, "Why." },
	{ .type = F_END },
};
static const struct field revoke_all_fields[] = {
	{ "actorId", F_STR, IN(member), 1, GRANT_WORD_MAX,
	    FIELD_REQUIRED | FIELD_REST, NULL, NULL, 0, "Of which member." },
	{ "member", F_STR, IN(member), 1, 256, FIELD_REQUIRED | FIELD_MESH,
	    NULL, NULL, 0, "Of which member: its id, key or name." },
	{ "reason", F_STR, IN(why), 0, REASON_MAX, 0, NULL, NULL, 0, "Why." },
	{ .type = F_END },
};
#undef IN

struct revoke_out {
	bool ok;
	struct slice id;
	bool existed;
	struct list ids;
};

#define OUT(field) offsetof(struct revoke_out, field)
static const struct field revoke_out_fields[] = {
	{ "ok", F_BOOL, OUT(ok), 0, 0, FIELD_REST, NULL, NULL, 0, "true." },
	{ "grantId", F_STR, OUT(id), 0, 0, 0, NULL, NULL, 0, "The grant." },
	{ "existed", F_BOOL, OUT(existed), 0, 0, 0, NULL, NULL, 0,
	    "It was not revoked before." },
	{ .type = F_END },
};
static const struct field revoke_all_out_fields[] = {
	{ "revokedGrantIds", F_STRS, OUT(ids), 0, 0, 0, NULL, NULL, 0,
	    "The grants that it has no more." },
	{ .type = F_END },
};
#undef OUT

/* Of the request's pool. */
struct revoking {
	struct request *request;
	struct id mesh;
	struct id member; /* all of its grants; or zero */
};

static struct revoking *
revoke_begin(struct request *r)
{
	struct revoking *v = pool_zalloc(&r->pool, sizeof(*v));

	v->request = r;
	v->mesh = r->client->session->mesh->id;
	return v;
}

/* k is 1 for grants on what who takes them away does not see.  A member's own
 * events are the lines that name it in certain keys (event_concerns() in sql/),
 * of which this one then has none. */
static void
revoke_line(struct db_params *row, int64_t k, const struct revoking *v,
    const struct id *grant, const struct id *by, struct slice why)
{
	struct journal_line l;

	journal_begin(&l, row);
	if (grant == NULL) {
		json_key(&l.w, "actorId");
		json_id(&l.w, &v->member);
		json_key(&l.w, "bulk");
		json_bool(&l.w, true);
		journal_hole(&l, "grantId");
	} else {
		json_key(&l.w, "grantId");
		json_id(&l.w, grant);
	}
	json_key(&l.w, "orgId");
	json_id(&l.w, &v->mesh);
	json_key(&l.w, "reason");
	json_strn(&l.w, why.n > 0 ? why.p : "", why.n);
	json_key(&l.w, k == 0 ? "revokedByActorId" : "revokedUnseenByActorId");
	json_id(&l.w, by);
	journal_end(&l, k, "grant.revoked");
}

static void
revoked(void *arg, const struct db_result *res)
{
	struct revoking *v = arg;
	struct request *r = v->request;
	const struct revoke_in *in = r->in;
	struct revoke_out out = { .ok = true, .id = in->id };

	if (op_db_failed(r, res))
		return;
	switch (db_int(res, 0, 0)) {
	case 0:
		out.existed = db_bool(res, 0, 1);
		op_reply(r, &out);
		break;
	case 1:
		op_fail(r, ERR_NOT_FOUND,
		    "There is no grant \"" SLICE_FMT "\" here.",
		    SLICE_ARG(in->id));
		break;
	default:
		op_deny(r, SCOPE_GRANT_CREATE, "org", &v->mesh);
		break;
	}
}

static void
revoke_grant_exec(struct request *r, void *arg)
{
	const struct session *s = r->client->session;
	const struct revoke_in *in = arg;
	struct revoking *v = revoke_begin(r);
	struct id id = grant_id(in->id);
	char at[CLOCK_RFC3339_LEN + 1];
	struct db_params *p;

	clock_format(clock_wall(), at);
	p = journal_row(r->core, STMT_grant_revoke, &v->mesh, revoked, v);
	db_alone(p, &id);
	db_put_id(p, &id);
	db_put_id(p, &v->mesh);
	db_put_id(p, &s->info.member);
	db_put_text(p, in->why.n > 0 ? in->why.p : "", in->why.n);
	db_put_str(p, at);
	grant_put_needs(p, r);
	db_put_bool(p, grant_owns(r->client));
	revoke_line(p, 0, v, &id, &s->info.member, in->why);
}

static void
revoked_all(void *arg, const struct db_result *res)
{
	struct revoking *v = arg;
	struct request *r = v->request;
	struct revoke_out out = { .ok = true };
	struct slice *ids;
	struct id id;
	size_t i;

	if (op_db_failed(r, res))
		return;
	if (db_int(res, 0, 0) == 1) {
		op_fail(r, ERR_UNKNOWN_TARGET, "That member is gone.");
		return;
	}
	if (db_int(res, 0, 0) != 0) {
		op_deny(r, SCOPE_GRANT_CREATE, "org", &v->mesh);
		return;
	}
	ids = pool_alloc(&r->pool, (db_rows(res) + 1) * sizeof(*ids));
	for (i = 0; i < db_rows(res); i++) {
		if (db_null(res, i, 1))
			continue;
		db_id(res, i, 1, &id);
		ids[out.ids.n].p =
		    id_hex(&id, pool_alloc(&r->pool, ID_HEX_LEN + 1));
		ids[out.ids.n++].n = ID_HEX_LEN;
	}
	out.ids.v = ids;
	op_reply(r, &out);
}

static void
revoke_named(struct request *r, const struct member *of)
{
	const struct session *s = r->client->session;
	const struct revoke_in *in = r->in;
	struct revoking *v = revoke_begin(r);
	char at[CLOCK_RFC3339_LEN + 1];
	struct db_params *p;

	v->member = of->id;
	clock_format(clock_wall(), at);
	p = journal_row(
	    r->core, STMT_grant_revoke_all, &v->mesh, revoked_all, v);
	db_alone(p, &v->member);
	db_put_id(p, &v->mesh);
	db_put_id(p, &v->member);
	db_put_id(p, &s->info.member);
	db_put_text(p, in->why.n > 0 ? in->why.p : "", in->why.n);
	db_put_str(p, at);
	grant_put_needs(p, r);
	revoke_line(p, 0, v, NULL, &s->info.member, in->why);
	revoke_line(p, 1, v, NULL, &s->info.member, in->why);
}

static void
revoke_grants_exec(struct request *r, void *arg)
{
	const struct revoke_in *in = arg;

	member_named(r, in->member, revoke_named);
}

const struct op op_create_grant = {
	.name = "create_grant",
	.scope = SCOPE_GRANT_CREATE,
	.rest = { "POST /v1/grants" },
	.reply = "grant_created",
	.flags = OP_GRANTABLE,
	.in = make_fields,
	.in_size = sizeof(struct make_in),
	.out = make_out_fields,
	.exec = create_grant_exec,
	.text = "Give a member a permission that it has not got.",
};

const struct op op_revoke_grant = {
	.name = "revoke_grant",
	.scope = SCOPE_GRANT_CREATE,
	.rest = { "POST /v1/grants/{grantId}/revoke" },
	.reply = "grant_revoked",
	.flags = OP_GRANTABLE,
	.in = revoke_fields,
	.in_size = sizeof(struct revoke_in),
	.out = revoke_out_fields,
	.exec = revoke_grant_exec,
	.text = "Take a grant away.",
};

const struct op op_revoke_grants = {
	.name = "revoke_grants",
	.scope = SCOPE_GRANT_CREATE,
	.rest = { "POST /v1/actors/{actorId}/revoke-grants" },
	.reply = "grants_revoked",
	.flags = OP_GRANTABLE,
	.in = revoke_all_fields,
	.in_size = sizeof(struct revoke_in),
	.out = revoke_all_out_fields,
	.exec = revoke_grants_exec,
	.text = "Take away all grants that a member has.",
};
