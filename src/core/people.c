/* SPDX-License-Identifier: ISC */
/*
 * New members, and who there is.  A member that is made here has no key: it
 * acts by tokens, or logs in with a password.  Those who join with an invite
 * have one.
 *
 * Nobody makes a member that is more than it is itself, and a token that comes
 * with one has no scope that who asks for it has not.
 */
#include <string.h>

#include "core/people.h"

#define PEOPLE_PAGE 100
#define PEOPLE_PAGE_MAX 1000
#define PEOPLE_NAME_MAX 128

const char *const people_roles[] = {
#define ROLE(id, name, scopes, text) name,
#include "core/roles.def"
#undef ROLE
	NULL,
};

size_t
people_below(struct slice role, struct slice v[ROLE_MAX])
{
	size_t n, most = role_find(role) + 1;

	for (n = 0; n < most; n++)
		v[n] = (struct slice){ table_roles[n].name,
			strlen(table_roles[n].name) };
	return n;
}

uint64_t
people_scopes(
    struct request *r, const struct list *asked, enum member_role role)
{
	const char *name = table_roles[role].name;

	return token_scopes_asked(
	    r, asked, (struct slice){ name, strlen(name) });
}

/*
 * create_actor, create_member
 */
struct add_in {
	struct id mesh;
	struct slice name;
	int kind;
	int role;
	struct list scopes;
	int64_t expires_ms;
};

#define IN(field) offsetof(struct add_in, field)
static const struct field actor_fields[] = {
	{ "orgId", F_ID, IN(mesh), 0, 0, FIELD_REQUIRED, NULL, NULL, 0,
	    "The mesh." },
	{ "displayName", F_NAME, IN(name), 1, PEOPLE_NAME_MAX,
	    FIELD_REQUIRED | FIELD_LIMIT(LIMIT_NAME), NULL, NULL, 0,
	    "Its name." },
	{ "actorType", F_ENUM, IN(kind), 0, 0, FIELD_REQUIRED, table_kinds,
	    NULL, 0, "What it is." },
	{ .type = F_END },
};
static const struct field add_fields[] = {
	{ "name", F_NAME, IN(name), 1, PEOPLE_NAME_MAX,
	    FIELD_REQUIRED | FIELD_LIMIT(LIMIT_NAME), NULL, NULL, 0,
	    "Its name." },
	{ "displayName", F_NAME, IN(name), 1, PEOPLE_NAME_MAX,
	    FIELD_REST | FIELD_LIMIT(LIMIT_NAME), NULL, NULL, 0, "The same." },
	{ "kind", F_ENUM, IN(kind), 0, 0, 0, table_kinds, NULL, 0,
	    "What it is; agent when absent." },
	{ "actorType", F_ENUM, IN(kind), 0, 0, FIELD_REST, table_kinds, NULL, 0,
	    "The same." },
	{ "role", F_ENUM, IN(role), 0, 0, 0, people_roles, NULL, 0,
	    "Its role, not more than yours; member when absent." },
	{ "scopes", F_STRS, IN(scopes), 1, SCOPE_MAX, 0, NULL, NULL, 0,
	    "What its token may do; all that its role and you may when "
	    "absent." },
	{ "expiresAt", F_TIME, IN(expires_ms), 0, 0, 0, NULL, NULL, 0,
	    "Until when its token is good; token.max_time from now when "
	    "absent, and at most." },
	{ .type = F_END },
};
#undef IN

struct add_out {
	struct id id;
	struct slice name;
	int kind;
	int role;
	struct id token_id;
	struct slice token;
	struct list scopes;
	int64_t expires_ms;
};

#define OUT(field) offsetof(struct add_out, field)
static const struct field actor_out_fields[] = {
	{ "actorId", F_ID, OUT(id), 0, 0, 0, NULL, NULL, 0, "The member." },
	{ .type = F_END },
};
static const struct field add_out_fields[] = {
	{ "memberId", F_ID, OUT(id), 0, 0, 0, NULL, NULL, 0, "The member." },
	{ "actorId", F_ID, OUT(id), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The same." },
	{ "name", F_STR, OUT(name), 0, 0, 0, NULL, NULL, 0, "Its name." },
	{ "kind", F_ENUM, OUT(kind), 0, 0, 0, table_kinds, NULL, 0,
	    "What it is." },
	{ "role", F_ENUM, OUT(role), 0, 0, 0, people_roles, NULL, 0,
	    "Its role." },
	{ "tokenId", F_ID, OUT(token_id), 0, 0, 0, NULL, NULL, 0,
	    "Its token's id, for revoke_token." },
	{ "token", F_STR, OUT(token), 0, 0, 0, NULL, NULL, 0,
	    "Its token; it is not shown again." },
	{ "scopes", F_STRS, OUT(scopes), 0, 0, 0, NULL, NULL, 0,
	    "What the token may do." },
	{ "expiresAt", F_TIME, OUT(expires_ms), 0, 0, 0, NULL, NULL, 0,
	    "Until when the token is good." },
	{ .type = F_END },
};
#undef OUT

/* Of the request's pool. */
struct adding {
	struct request *request;
	struct id mesh;
	bool has_token;
	struct token_new token;
	struct add_out out;
};

static void
added(void *arg, const struct db_result *res)
{
	struct adding *a = arg;
	struct request *r = a->request;
	char hex[ID_HEX_LEN + 1];

	if (op_db_failed(r, res))
		return;
	if (db_rows(res) == 0)
		op_fail(r, ERR_NOT_FOUND, "org not found: %s",
		    id_hex(&a->mesh, hex));
	else if (!db_bool(res, 0, 2))
		token_parent_over(r);
	else
		op_reply(r, &a->out);
}

static void
add_put_token(struct db_params *p, const struct adding *a)
{
	const struct token_new *t = &a->token;

	if (!a->has_token) {
		db_put_id(p, NULL);
		db_put_bytes(p, NULL, 0);
		db_put_bytes(p, NULL, 0);
		db_put_texts(p, NULL, 0);
		db_put_null(p);
		db_put_id(p, NULL);
		return;
	}
	db_put_id(p, &t->id);
	db_put_bytes(p, t->digest, sizeof(t->digest));
	db_put_bytes(p, t->key_name, sizeof(t->key_name));
	db_put_texts(p, t->scopes.v, t->scopes.n);
	db_put_int(p, t->expires_ms);
	db_put_id(p, t->parent);
}

/* by: who makes it; NULL: the platform. */
static void
add_store(struct adding *a, const struct add_in *in, const struct id *by)
{
	struct request *r = a->request;
	char *folded = pool_alloc(&r->pool, 2 * in->name.n + 1);
	struct db_params *p = db_params(STMT_member_add);

	id_new(&a->out.id);
	a->out.name = in->name;
	a->out.kind = in->kind;
	a->out.role = in->role;
	db_put_id(p, &a->out.id);
	db_put_id(p, &a->mesh);
	db_put_text(p, in->name.p, in->name.n);
	db_put_text(p, folded, str_fold(folded, in->name.p, in->name.n));
	db_put_str(p, table_kinds[in->kind]);
	db_put_str(p, people_roles[in->role]);
	db_put_id(p, by);
	add_put_token(p, a);
	db_query(r->core->reads, p, added, a);
}

static void
create_actor_exec(struct request *r, void *arg)
{
	const struct add_in *in = arg;
	struct adding *a = pool_zalloc(&r->pool, sizeof(*a));

	a->request = r;
	a->mesh = in->mesh;
	add_store(a, in, NULL);
}

static void
create_member_exec(struct request *r, void *arg)
{
	const struct add_in *in = arg;
	const struct session *s = r->client->session;
	struct adding *a = pool_zalloc(&r->pool, sizeof(*a));
	int64_t expires_ms;
	uint64_t scopes;

	if ((enum member_role)in->role > role_find(s->info.role)) {
		op_fail(r, ERR_FORBIDDEN,
		    "You cannot make an %s, which is more than you are.",
		    people_roles[in->role]);
		return;
	}
	if ((scopes = people_scopes(
		 r, &in->scopes, (enum member_role)in->role)) == 0 ||
	    (expires_ms = token_expires_asked(r, in->expires_ms)) == 0)
		return;
	a->request = r;
	a->mesh = s->mesh->id;
	a->has_token = true;
	token_new(r, &a->token, scopes, expires_ms);
	a->out.token_id = a->token.id;
	a->out.token = (struct slice){ a->token.text, TOKEN_LEN };
	a->out.scopes = a->token.scopes;
	a->out.expires_ms = expires_ms;
	add_store(a, in, &s->info.member);
}

/*
 * list_members, list_actors
 */
struct page_in {
	int64_t limit;
	struct id after;
};

#define IN(field) offsetof(struct page_in, field)
static const struct field page_fields[] = {
	{ "limit", F_INT, IN(limit), 1, PEOPLE_PAGE_MAX, FIELD_MESH, NULL, NULL,
	    0, "At most so many; 100 when absent." },
	{ "limit", F_INT, IN(limit), 1, PEOPLE_PAGE_MAX,
	    FIELD_REST | FIELD_CLAMP, NULL, NULL, 0,
	    "At most so many; 1000 when absent." },
	{ "after", F_ID, IN(after), 0, 0, 0, NULL, NULL, 0,
	    "Only those that come after: next of the page before." },
	{ .type = F_END },
};
#undef IN

struct page_row {
	struct id id;
	struct slice name;
	struct slice kind;
	struct slice role;
	int64_t joined_ms;
	uint8_t key[CRYPTO_KEY_LEN];
	bool password;
};

#define ROW(field) offsetof(struct page_row, field)
static const struct field actor_row_fields[] = {
	{ "actorId", F_ID, ROW(id), 0, 0, 0, NULL, NULL, 0, "The member." },
	{ "actorType", F_STR, ROW(kind), 0, 0, 0, NULL, NULL, 0,
	    "What it is." },
	{ "displayName", F_STR, ROW(name), 0, 0, 0, NULL, NULL, 0,
	    "Its name." },
	{ "createdAt", F_TIME, ROW(joined_ms), 0, 0, 0, NULL, NULL, 0,
	    "Since when." },
	{ .type = F_END },
};
static const struct field member_row_fields[] = {
	{ "memberId", F_ID, ROW(id), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "The member." },
	{ "name", F_STR, ROW(name), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "Its name." },
	{ "kind", F_STR, ROW(kind), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "What it is." },
	{ "joinedAt", F_TIME, ROW(joined_ms), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "Since when." },
	{ "actorId", F_ID, ROW(id), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The member." },
	{ "actorType", F_STR, ROW(kind), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "What it is." },
	{ "displayName", F_STR, ROW(name), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "Its name." },
	{ "role", F_STR, ROW(role), 0, 0, 0, NULL, NULL, 0, "Its role." },
	{ "createdAt", F_TIME, ROW(joined_ms), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "Since when." },
	{ "pubkey", F_KEY, ROW(key), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "Its public key, if it has one." },
	{ "hasPassword", F_BOOL, ROW(password), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "It may log in." },
	{ .type = F_END },
};
#undef ROW

struct page_out {
	struct list rows;
	struct id next;
};

#define OUT(field) offsetof(struct page_out, field)
#define NEXT_FIELD                                                        \
	{                                                                 \
		"next", F_ID, OUT(next), 0, 0, FIELD_OMIT, NULL, NULL, 0, \
		    "There are more: after for the next page."            \
	}
static const struct field members_out_fields[] = {
	{ "members", F_ROWS, OUT(rows), 0, 0, 0, NULL, member_row_fields,
	    sizeof(struct page_row), "The oldest first." },
	NEXT_FIELD,
	{ .type = F_END },
};
static const struct field actors_out_fields[] = {
	{ "actors", F_ROWS, OUT(rows), 0, 0, 0, NULL, actor_row_fields,
	    sizeof(struct page_row), "The oldest first." },
	NEXT_FIELD,
	{ .type = F_END },
};
#undef OUT

static size_t
page_limit(const struct request *r)
{
	const struct page_in *in = r->in;

	return (size_t)op_page(r, in->limit, PEOPLE_PAGE, PEOPLE_PAGE_MAX);
}

static void
page_row(struct page_row *row, const struct db_result *res, size_t i)
{
	struct slice key;

	db_id(res, i, 0, &row->id);
	row->name = db_text(res, i, 1);
	row->kind = db_text(res, i, 2);
	row->role = db_text(res, i, 3);
	row->joined_ms = db_time(res, i, 4);
	key = db_bytes(res, i, 5);
	if (!db_null(res, i, 5) && key.n == sizeof(row->key))
		memcpy(row->key, key.p, key.n);
	row->password = db_bool(res, i, 6);
}

static void
page_found(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct page_out out;
	struct page_row *v;
	size_t i, n;

	if (op_db_failed(r, res))
		return;
	memset(&out, 0, sizeof(out));
	n = db_rows(res);
	if (n > page_limit(r))
		n--;
	v = pool_zalloc(&r->pool, (n + 1) * sizeof(*v));
	for (i = 0; i < n; i++)
		page_row(&v[i], res, i);
	if (n < db_rows(res))
		out.next = v[n - 1].id;
	out.rows = (struct list){ v, n };
	op_reply(r, &out);
}

static void
page_exec(struct request *r, void *arg)
{
	const struct page_in *in = arg;
	struct db_params *p = db_params(STMT_members_page);

	db_put_id(p, &r->client->session->mesh->id);
	db_put_id(p, &in->after);
	db_put_int(p, (int64_t)page_limit(r) + 1);
	db_query(r->core->reads, p, page_found, r);
}

const struct op op_create_actor = {
	.name = "create_actor",
	.scope = SCOPE_PLATFORM,
	.rest = { "POST /v1/actors" },
	.reply = "actor_created",
	.flags = OP_REST_ONLY,
	.in = actor_fields,
	.in_size = sizeof(struct add_in),
	.out = actor_out_fields,
	.exec = create_actor_exec,
	.text = "Make a member of any mesh, as the platform; it acts by a "
		"principal.",
};

const struct op op_create_member = {
	.name = "create_member",
	.scope = SCOPE_MEMBERS_WRITE,
	.rest = { "POST /v1/members" },
	.reply = "member_created",
	.in = add_fields,
	.in_size = sizeof(struct add_in),
	.out = add_out_fields,
	.exec = create_member_exec,
	.text = "Make a member that acts by a token, and the token.",
};

const struct op op_list_members = {
	.name = "list_members",
	.scope = SCOPE_PRESENCE_READ,
	.rest = { "GET /v1/members" },
	.reply = "members",
	.in = page_fields,
	.in_size = sizeof(struct page_in),
	.out = members_out_fields,
	.exec = page_exec,
	.text = "List the members of the mesh, whether they are there or not.",
};

const struct op op_list_actors = {
	.name = "list_actors",
	.scope = SCOPE_PRESENCE_READ,
	.rest = { "GET /v1/actors" },
	.reply = "actors",
	.flags = OP_REST_ONLY,
	.in = page_fields,
	.in_size = sizeof(struct page_in),
	.out = actors_out_fields,
	.exec = page_exec,
	.text = "The same, under the names of message-layer.",
};
