/* SPDX-License-Identifier: ISC */
/*
 * Members get other roles, and go.  Each is for who manages members, over those
 * that are not more than it is, and holds at once on every host: sessions of
 * who is gone end, and its tokens are worth nothing.
 */
#include <string.h>

#include "core/people.h"

struct change_in {
	struct slice member;
	int role;
};

#define IN(field) offsetof(struct change_in, field)
#define MEMBER_FIELD                                                        \
	{ "member", F_STR, IN(member), 1, 256, FIELD_REQUIRED | FIELD_MESH, \
		NULL, NULL, 0, "Who: a member's id, key or name." },        \
	{                                                                   \
		"actorId", F_STR, IN(member), 1, 256,                       \
		    FIELD_REQUIRED | FIELD_REST, NULL, NULL, 0,             \
		    "Who: a member's id, key or name."                      \
	}
static const struct field role_fields[] = {
	MEMBER_FIELD,
	{ "role", F_ENUM, IN(role), 0, 0, FIELD_REQUIRED, people_roles, NULL, 0,
	    "Its new role, not more than yours." },
	{ .type = F_END },
};
static const struct field remove_fields[] = {
	MEMBER_FIELD,
	{ .type = F_END },
};
#undef IN

struct change_out {
	bool ok;
	struct id member;
	struct slice role;
	bool changed;
};

#define OUT(field) offsetof(struct change_out, field)
static const struct field change_out_fields[] = {
	{ "ok", F_BOOL, OUT(ok), 0, 0, FIELD_REST, NULL, NULL, 0, "true." },
	{ "memberId", F_ID, OUT(member), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "The member." },
	{ "actorId", F_ID, OUT(member), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The member." },
	{ "role", F_STR, OUT(role), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "What it is now; null: no member any more." },
	{ "changed", F_BOOL, OUT(changed), 0, 0, 0, NULL, NULL, 0,
	    "It was not that before." },
	{ .type = F_END },
};
#undef OUT

/* Of the request's pool. */
struct changing {
	struct request *request;
	struct id mesh;
	struct slice name;
	struct change_out out;
};

static void
changed(void *arg, const struct db_result *res)
{
	struct changing *c = arg;
	struct request *r = c->request;
	bool gone = c->out.role.p == NULL;

	if (op_db_failed(r, res))
		return;
	if (db_rows(res) == 0) {
		op_fail(r, ERR_UNKNOWN_TARGET, "That member is gone.");
		return;
	}
	if (db_bool(res, 0, 1)) {
		op_fail(r, ERR_FORBIDDEN,
		    "\"" SLICE_FMT "\" has the mesh's own key, and is always "
		    "its owner.",
		    SLICE_ARG(c->name));
		return;
	}
	if (!db_bool(res, 0, 0)) {
		op_fail(r, ERR_FORBIDDEN,
		    "\"" SLICE_FMT "\" has a greater role than you.",
		    SLICE_ARG(c->name));
		return;
	}
	c->out.ok = true;
	c->out.changed = db_bool(res, 0, 2);
	if (c->out.changed)
		member_changed(r->core, &c->mesh, &c->out.member,
		    gone ? ERR_REVOKED : ERR_NONE, clock_wall() + 1,
		    (struct slice){ NULL, 0 });
	op_reply(r, &c->out);
}

/* role NULL: it goes. */
static void
change(struct request *r, const struct member *m, const char *role)
{
	const struct session *by = r->client->session;
	struct changing *c = pool_zalloc(&r->pool, sizeof(*c));
	struct db_params *p = db_params(STMT_member_change);
	struct slice roles[ROLE_MAX];

	c->request = r;
	c->mesh = by->mesh->id;
	c->name = m->name;
	c->out.member = m->id;
	if (role != NULL)
		c->out.role = (struct slice){ role, strlen(role) };
	db_put_id(p, &m->id);
	db_put_id(p, &c->mesh);
	db_put_str(p, role);
	db_put_texts(p, roles, people_below(by->info.role, roles));
	db_put_id(p, &by->info.member);
	db_query(r->core->reads, p, changed, c);
}

static void
role_member(struct request *r, const struct member *m)
{
	const struct change_in *in = r->in;

	change(r, m, people_roles[in->role]);
}

static void
set_role_exec(struct request *r, void *arg)
{
	const struct change_in *in = arg;

	if ((enum member_role)in->role >
	    role_find(r->client->session->info.role))
		op_fail(r, ERR_FORBIDDEN,
		    "You cannot make somebody %s, which is more than you are.",
		    people_roles[in->role]);
	else
		member_named(r, in->member, role_member);
}

static void
remove_one(struct request *r, const struct member *m)
{
	change(r, m, NULL);
}

static void
remove_member_exec(struct request *r, void *arg)
{
	const struct change_in *in = arg;

	member_named(r, in->member, remove_one);
}

const struct op op_set_role = {
	.name = "set_role",
	.scope = SCOPE_MEMBERS_WRITE,
	.rest = { "PATCH /v1/members/{actorId}" },
	.reply = "member_changed",
	.in = role_fields,
	.in_size = sizeof(struct change_in),
	.out = change_out_fields,
	.exec = set_role_exec,
	.text = "Give a member another role, at once.",
};

const struct op op_remove_member = {
	.name = "remove_member",
	.scope = SCOPE_MEMBERS_WRITE,
	.rest = { "DELETE /v1/members/{actorId}" },
	.reply = "member_changed",
	.in = remove_fields,
	.in_size = sizeof(struct change_in),
	.out = change_out_fields,
	.exec = remove_member_exec,
	.text = "End a membership, for good; its sessions end with close code "
		"4002. What it said stays.",
};
