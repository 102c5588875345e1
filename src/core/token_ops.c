/* SPDX-License-Identifier: ISC */
/*
 * create_token, list_tokens, revoke_token; and token, which says what the one
 * is by which it is asked.
 *
 * A token is shown once, in the answer to its making; what is stored does not
 * give it back.  One that is made by another token has no more than that: not
 * its scopes, not its time; and it is revoked with it, so that revoking one
 * ends all that came of it.  What somebody makes who logged in with a password
 * is as if it were made by a session that said hello: it stays when that is
 * over.
 */
#include <inttypes.h>
#include <string.h>

#include "core/domain.h"

#define TOKEN_NAME_MAX 128
#define TOKEN_PAGE 50
#define TOKEN_PAGE_MAX 200
/* Of so many members others hear one by one. */
#define REVOKE_TELL 256
#define TOKEN_DAY_MS (INT64_C(86400) * 1000)

/* In the order of the statement token_list. */
enum token_state {
	TOKEN_GOOD,
	TOKEN_EXPIRED,
	TOKEN_REVOKED,
	TOKEN_FOREIGN
};
static const char *const token_states[] = { "good", "expired", "revoked",
	"foreign", NULL };

/* Names of scopes, of the pool. */
static struct list
token_names(struct pool *pool, uint64_t scopes)
{
	struct slice *v = pool_alloc(pool, SCOPE_MAX * sizeof(*v));

	return (struct list){ v, token_scope_names(scopes, v) };
}

struct create_in {
	struct slice name;
	struct list scopes;
	int64_t expires_ms;
};

#define IN(field) offsetof(struct create_in, field)
static const struct field create_in_fields[] = {
	{ "name", F_NAME, IN(name), 1, TOKEN_NAME_MAX, 0, NULL, NULL, 0,
	    "What it is for, in your words." },
	{ "scopes", F_STRS, IN(scopes), 1, SCOPE_MAX, 0, NULL, NULL, 0,
	    "What it may do; all that you may when absent." },
	{ "expiresAt", F_TIME, IN(expires_ms), 0, 0, 0, NULL, NULL, 0,
	    "Until when; token.max_time from now when absent, and at most." },
	{ .type = F_END },
};
#undef IN

struct create_out {
	struct id id;
	struct slice text;
	struct slice name;
	struct list scopes;
	int64_t created_ms;
	int64_t expires_ms;
};

#define OUT(field) offsetof(struct create_out, field)
static const struct field create_out_fields[] = {
	{ "tokenId", F_ID, OUT(id), 0, 0, 0, NULL, NULL, 0,
	    "For revoke_token." },
	{ "token", F_STR, OUT(text), 0, 0, 0, NULL, NULL, 0,
	    "The token; it is not shown again." },
	{ "name", F_STR, OUT(name), 0, 0, 0, NULL, NULL, 0, "As asked." },
	{ "scopes", F_STRS, OUT(scopes), 0, 0, 0, NULL, NULL, 0,
	    "What it may do." },
	{ "createdAt", F_TIME, OUT(created_ms), 0, 0, 0, NULL, NULL, 0,
	    "When." },
	{ "expiresAt", F_TIME, OUT(expires_ms), 0, 0, 0, NULL, NULL, 0,
	    "Until when it is good." },
	{ .type = F_END },
};
#undef OUT

/* A token that is being made; of the request's pool. */
struct token_create {
	struct request *request;
	struct create_out out;
	struct token_new token;
};

void
token_parent_over(struct request *r)
{
	op_fail(r, ERR_UNAUTHORIZED,
	    "The token by which you ask for it was revoked; make a new one.");
}

static void
create_stored(void *arg, const struct db_result *res)
{
	struct token_create *t = arg;
	struct request *r = t->request;

	if (op_db_failed(r, res))
		return;
	if (db_rows(res) == 0) {
		r->error_limit = r->error_used = r->core->limits.tokens;
		op_fail(r, ERR_QUOTA,
		    "You have %" PRId64 " tokens that are good, which is as "
		    "many as you may; revoke some.",
		    r->core->limits.tokens);
		return;
	}
	if (!db_bool(res, 0, 3)) {
		token_parent_over(r);
		return;
	}
	t->out.created_ms = db_time(res, 0, 0);
	t->out.expires_ms = db_time(res, 0, 1);
	op_reply(r, &t->out);
}

uint64_t
token_scopes_asked(
    struct request *r, const struct list *asked, struct slice role)
{
	const struct slice *v = asked->v;
	const struct client *c = r->client;
	uint64_t most = c->scopes & token_scopes_of(role), scopes, more;
	struct slice names[SCOPE_MAX];
	size_t wrong;

	if (asked->n == 0)
		return most & ~SCOPE_BIT(SCOPE_SERVICE);
	scopes = token_scopes(v, asked->n, &wrong);
	if (wrong < asked->n) {
		r->error_names = token_names(&r->pool, most);
		op_fail(r, ERR_MALFORMED,
		    "scopes[%zu] is no scope; candidates has those that you "
		    "may give.",
		    wrong);
		return 0;
	}
	more = scopes & ~most;
	if (more == 0)
		return scopes;
	token_scope_names(more, names);
	op_fail(r, ERR_FORBIDDEN,
	    "You cannot give the scope " SLICE_FMT
	    ", which your role (" SLICE_FMT ") has not.",
	    SLICE_ARG(names[0]), SLICE_ARG(role));
	return 0;
}

/* The token with which what it makes ends, or NULL. */
static const struct token *
token_parent(const struct request *r)
{
	const struct token *t =
	    r->client != NULL ? deputy_token(r->client) : NULL;

	return t != NULL && !t->login ? t : NULL;
}

int64_t
token_expires_asked(struct request *r, int64_t asked_ms)
{
	int64_t now = clock_wall(), most = now + r->core->limits.token_ms;
	const struct token *parent = token_parent(r);

	if (parent != NULL && parent->expires_ms < most)
		most = parent->expires_ms;
	if (asked_ms == 0)
		return most;
	if (asked_ms > now && asked_ms <= most)
		return asked_ms;
	if (asked_ms <= now)
		op_fail(r, ERR_MALFORMED,
		    "expiresAt is over: it must be in the future.");
	else if (parent != NULL && most == parent->expires_ms)
		op_fail(r, ERR_MALFORMED,
		    "expiresAt is later than the end of the token by which "
		    "you ask for it.");
	else
		op_fail(r, ERR_MALFORMED,
		    "expiresAt is more than %" PRId64 " days ahead, which is "
		    "the most that token.max_time allows here.",
		    r->core->limits.token_ms / TOKEN_DAY_MS);
	return 0;
}

void
token_new(
    struct request *r, struct token_new *t, uint64_t scopes, int64_t expires_ms)
{
	const struct token *parent = token_parent(r);
	const uint8_t *key = token_key(r->core);

	id_new(&t->id);
	token_make(t->text);
	token_digest(t->digest, (struct slice){ t->text, TOKEN_LEN }, key);
	token_key_name(t->key_name, key);
	t->scopes = token_names(&r->pool, scopes);
	t->expires_ms = expires_ms;
	t->parent = parent != NULL ? &parent->id : NULL;
}

static void
create_store(struct token_create *t)
{
	struct request *r = t->request;
	const struct session *s = r->client->session;
	const struct token_new *n = &t->token;
	struct db_params *p = db_params(STMT_token_put);

	db_put_id(p, &n->id);
	db_put_id(p, &s->mesh->id);
	db_put_id(p, &s->info.member);
	db_put_bytes(p, n->digest, sizeof(n->digest));
	db_put_bytes(p, n->key_name, sizeof(n->key_name));
	db_put_text(p, t->out.name.p, t->out.name.n);
	db_put_texts(p, t->out.scopes.v, t->out.scopes.n);
	db_put_int(p, t->out.expires_ms);
	db_put_int(p, r->core->limits.tokens);
	db_put_id(p, &s->info.member);
	db_put_id(p, n->parent);
	db_query(r->core->reads, p, create_stored, t);
}

static void
create_token_exec(struct request *r, void *arg)
{
	const struct create_in *in = arg;
	struct token_create *t;
	int64_t expires_ms;
	uint64_t scopes;

	if ((scopes = token_scopes_asked(
		 r, &in->scopes, r->client->session->info.role)) == 0 ||
	    (expires_ms = token_expires_asked(r, in->expires_ms)) == 0)
		return;
	t = pool_zalloc(&r->pool, sizeof(*t));
	t->request = r;
	token_new(r, &t->token, scopes, expires_ms);
	t->out.id = t->token.id;
	t->out.expires_ms = expires_ms;
	t->out.text = (struct slice){ t->token.text, TOKEN_LEN };
	t->out.name = in->name.n > 0 ? in->name : (struct slice){ "", 0 };
	t->out.scopes = t->token.scopes;
	create_store(t);
}

struct list_in {
	struct slice target;
	bool all;
	int64_t limit;
	struct id after;
};

#define IN(field) offsetof(struct list_in, field)
static const struct field list_in_fields[] = {
	{ "target", F_STR, IN(target), 1, 256, 0, NULL, NULL, 0,
	    "Those of this member: its id, public key or name; of another one "
	    "with mesh:moderate. Your own when absent." },
	{ "all", F_BOOL, IN(all), 0, 0, 0, NULL, NULL, 0,
	    "Those of all members; needs mesh:moderate." },
	{ "limit", F_INT, IN(limit), 1, TOKEN_PAGE_MAX, 0, NULL, NULL, 0,
	    "At most so many; 50 when absent." },
	{ "after", F_ID, IN(after), 0, 0, 0, NULL, NULL, 0,
	    "The next of the page before." },
	{ .type = F_END },
};
#undef IN

struct list_row {
	struct id id;
	struct id member;
	struct slice member_name;
	struct slice name;
	struct list scopes;
	int state;
	int64_t created_ms;
	int64_t expires_ms;
	int64_t used_ms;
	int64_t revoked_ms;
};

#define ROW(field) offsetof(struct list_row, field)
static const struct field list_row_fields[] = {
	{ "tokenId", F_ID, ROW(id), 0, 0, 0, NULL, NULL, 0,
	    "For revoke_token." },
	{ "memberId", F_ID, ROW(member), 0, 0, 0, NULL, NULL, 0,
	    "Whose it is." },
	{ "memberName", F_STR, ROW(member_name), 0, 0, 0, NULL, NULL, 0,
	    "The member's name." },
	{ "name", F_STR, ROW(name), 0, 0, 0, NULL, NULL, 0, "What it is for." },
	{ "scopes", F_STRS, ROW(scopes), 0, 0, 0, NULL, NULL, 0,
	    "What it may do, as far as its member may." },
	{ "state", F_ENUM, ROW(state), 0, 0, 0, token_states, NULL, 0,
	    "good, expired, revoked; foreign: of another token.key than the "
	    "server's." },
	{ "createdAt", F_TIME, ROW(created_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it was made." },
	{ "expiresAt", F_TIME, ROW(expires_ms), 0, 0, 0, NULL, NULL, 0,
	    "Until when it is good." },
	{ "lastUsedAt", F_TIME, ROW(used_ms), 0, 0, FIELD_NULLABLE, NULL, NULL,
	    0, "When it was last used, within a minute." },
	{ "revokedAt", F_TIME, ROW(revoked_ms), 0, 0, FIELD_NULLABLE, NULL,
	    NULL, 0, "When it was revoked." },
	{ .type = F_END },
};
#undef ROW

struct list_out {
	struct list tokens;
	bool more;
	struct id next;
};

#define OUT(field) offsetof(struct list_out, field)
static const struct field list_out_fields[] = {
	{ "tokens", F_ROWS, OUT(tokens), 0, 0, 0, NULL, list_row_fields,
	    sizeof(struct list_row),
	    "The newest first; those that were over for 30 days are gone, and "
	    "of the others that are over all but the newest limit.tokens." },
	{ "more", F_BOOL, OUT(more), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "There are more." },
	{ "next", F_ID, OUT(next), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "What after has to be for them." },
	{ .type = F_END },
};
#undef OUT

static int64_t
list_limit(const struct list_in *in)
{
	return in->limit > 0 ? in->limit : TOKEN_PAGE;
}

static void
list_row(struct list_row *row, struct pool *pool, const struct db_result *res,
    size_t i)
{
	struct slice *names = pool_alloc(pool, SCOPE_MAX * sizeof(*names));

	db_id(res, i, 0, &row->id);
	db_id(res, i, 1, &row->member);
	row->member_name = db_text(res, i, 2);
	row->name = db_text(res, i, 3);
	row->scopes.v = names;
	row->scopes.n = db_texts(res, i, 4, names, SCOPE_MAX);
	row->created_ms = db_time(res, i, 5);
	row->expires_ms = db_time(res, i, 6);
	row->used_ms = db_null(res, i, 7) ? 0 : db_time(res, i, 7);
	row->revoked_ms = db_null(res, i, 8) ? 0 : db_time(res, i, 8);
	row->state = (int)db_int(res, i, 9);
}

static void
list_answer(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct list_out out;
	struct list_row *v;
	size_t i, n;

	if (op_db_failed(r, res))
		return;
	memset(&out, 0, sizeof(out));
	n = db_rows(res);
	if (n > (size_t)list_limit(r->in)) {
		out.more = true;
		n--;
	}
	v = pool_zalloc(&r->pool, (n + 1) * sizeof(*v));
	for (i = 0; i < n; i++)
		list_row(&v[i], &r->pool, res, i);
	if (out.more)
		out.next = v[n - 1].id;
	out.tokens = (struct list){ v, n };
	op_reply(r, &out);
}

/* NULL: of all members. */
static void
list_ask(struct request *r, const struct id *member)
{
	static const struct id last = { .b = { 0xff, 0xff, 0xff, 0xff, 0xff,
					    0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					    0xff, 0xff, 0xff, 0xff, 0xff } };
	const struct list_in *in = r->in;
	uint8_t key_name[TOKEN_KEY_NAME_LEN];
	struct db_params *p = db_params(STMT_token_list);

	token_key_name(key_name, token_key(r->core));
	db_put_id(p, &r->client->session->mesh->id);
	db_put_id(p, member);
	db_put_id(p, id_is_null(&in->after) ? &last : &in->after);
	db_put_int(p, list_limit(in) + 1);
	db_put_bytes(p, key_name, sizeof(key_name));
	db_query(r->core->reads, p, list_answer, r);
}

static bool
token_may_moderate(const struct client *c)
{
	return c->scopes & SCOPE_BIT(SCOPE_MESH_MODERATE);
}

static void
list_refuse(struct request *r)
{
	op_fail(r, ERR_FORBIDDEN,
	    "To see tokens of others needs the scope %s, which this session "
	    "lacks.",
	    table_scopes[SCOPE_MESH_MODERATE]);
}

static void
list_member(struct request *r, const struct member *m)
{
	if (id_same(&m->id, &r->client->session->info.member) ||
	    token_may_moderate(r->client))
		list_ask(r, &m->id);
	else
		list_refuse(r);
}

static void
list_tokens_exec(struct request *r, void *arg)
{
	const struct list_in *in = arg;

	if (in->all && in->target.n > 0)
		op_fail(r, ERR_MALFORMED,
		    "all and target together make no sense; give one.");
	else if (in->all && !token_may_moderate(r->client))
		list_refuse(r);
	else if (in->target.n > 0)
		member_named(r, in->target, list_member);
	else
		list_ask(r, in->all ? NULL : &r->client->session->info.member);
}

struct revoke_in {
	struct id id;
};

static const struct field revoke_in_fields[] = {
	{ "tokenId", F_ID, offsetof(struct revoke_in, id), 0, 0, FIELD_REQUIRED,
	    NULL, NULL, 0, "Which one: its id, not the token." },
	{ .type = F_END },
};

struct revoke_out {
	struct id id;
	struct id member;
	bool was_good;
};

#define OUT(field) offsetof(struct revoke_out, field)
static const struct field revoke_out_fields[] = {
	{ "tokenId", F_ID, OUT(id), 0, 0, 0, NULL, NULL, 0, "As asked." },
	{ "memberId", F_ID, OUT(member), 0, 0, 0, NULL, NULL, 0,
	    "Whose it is." },
	{ "wasGood", F_BOOL, OUT(was_good), 0, 0, 0, NULL, NULL, 0,
	    "false: it was revoked before, or had expired." },
	{ .type = F_END },
};
#undef OUT

/* Members whose tokens ended: those that were made by it may be of others. */
static void
revoke_tell(struct core *c, const struct id *mesh, const struct db_result *res)
{
	struct slice v[REVOKE_TELL];
	size_t i, n;
	struct id member;

	if (db_null(res, 0, 4))
		return;
	n = db_texts(res, 0, 4, v, NELEM(v));
	if (n == NELEM(v)) {
		/* All of the mesh: they may be more. */
		event_reload(c, mesh);
		token_told(c, mesh, NULL);
		return;
	}
	for (i = 0; i < n; i++)
		if (id_parse(&member, v[i].p, v[i].n) == 0)
			member_changed(c, mesh, &member, ERR_NONE, 0,
			    (struct slice){ NULL, 0 });
}

static void
revoke_done(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct revoke_in *in = r->in;
	struct revoke_out out = { .id = in->id };
	struct id mesh;

	if (op_db_failed(r, res))
		return;
	/* What others have is nobody's business but theirs who keep order. */
	if (db_rows(res) == 0 ||
	    (!db_bool(res, 0, 2) &&
		(r->client == NULL || !token_may_moderate(r->client)))) {
		op_fail(r, ERR_NOT_FOUND,
		    "You have no token with this id; list_tokens says which "
		    "you have.");
		return;
	}
	if (!db_bool(res, 0, 2)) {
		op_fail(r, ERR_FORBIDDEN,
		    "The member of this token has a greater role than you.");
		return;
	}
	db_id(res, 0, 0, &mesh);
	db_id(res, 0, 1, &out.member);
	out.was_good = db_bool(res, 0, 3);
	revoke_tell(r->core, &mesh, res);
	op_reply(r, &out);
}

static void
revoke_token_exec(struct request *r, void *arg)
{
	const struct revoke_in *in = arg;
	const struct session *s = r->client->session;
	const struct token *parent = token_parent(r);
	struct slice roles[ROLE_MAX];
	struct db_params *p = db_params(STMT_token_revoke);
	size_t n = 0;

	if (token_may_moderate(r->client))
		for (; n <= role_find(s->info.role); n++)
			roles[n] = (struct slice){ table_roles[n].name,
				strlen(table_roles[n].name) };
	db_put_id(p, &in->id);
	db_put_id(p, &s->mesh->id);
	db_put_id(p, &s->info.member);
	db_put_texts(p, roles, n);
	db_put_id(p, parent != NULL ? &parent->id : NULL);
	db_query(r->core->reads, p, revoke_done, r);
}

static const struct field no_fields[] = {
	{ .type = F_END },
};

struct token_out {
	struct id id;
	struct slice name;
	struct id mesh;
	struct slice slug;
	struct id member;
	struct slice member_name;
	struct slice role;
	struct list scopes;
	int64_t created_ms;
	int64_t expires_ms;
};

#define OUT(field) offsetof(struct token_out, field)
static const struct field token_out_fields[] = {
	{ "tokenId", F_ID, OUT(id), 0, 0, 0, NULL, NULL, 0, "Its id." },
	{ "name", F_STR, OUT(name), 0, 0, 0, NULL, NULL, 0, "What it is for." },
	{ "meshId", F_ID, OUT(mesh), 0, 0, 0, NULL, NULL, 0, "The mesh." },
	{ "meshSlug", F_STR, OUT(slug), 0, 0, 0, NULL, NULL, 0,
	    "The mesh's short name." },
	{ "memberId", F_ID, OUT(member), 0, 0, 0, NULL, NULL, 0,
	    "Who acts by it." },
	{ "memberName", F_STR, OUT(member_name), 0, 0, 0, NULL, NULL, 0,
	    "The member's name." },
	{ "role", F_STR, OUT(role), 0, 0, 0, NULL, NULL, 0,
	    "The member's role." },
	{ "scopes", F_STRS, OUT(scopes), 0, 0, 0, NULL, NULL, 0,
	    "What it may do now: its scopes that the role has." },
	{ "createdAt", F_TIME, OUT(created_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it was made." },
	{ "expiresAt", F_TIME, OUT(expires_ms), 0, 0, 0, NULL, NULL, 0,
	    "Until when it is good." },
	{ .type = F_END },
};
#undef OUT

static void
token_exec(struct request *r, void *arg)
{
	const struct token *t = deputy_token(r->client);
	struct token_out out;

	(void)arg;
	if (t == NULL) {
		op_fail(r, ERR_UNAUTHORIZED,
		    "A token is needed: Authorization: Bearer wat_...");
		return;
	}
	out = (struct token_out){ .id = t->id,
		.name = t->name,
		.mesh = t->mesh,
		.slug = t->slug,
		.member = t->member,
		.member_name = t->member_name,
		.role = t->role,
		.scopes = token_names(&r->pool, r->client->scopes),
		.created_ms = t->created_ms,
		.expires_ms = t->expires_ms };
	op_reply(r, &out);
}

const struct op op_create_token = {
	.name = "create_token",
	.scope = SCOPE_MEMBER,
	.rest = { "POST /v1/tokens" },
	.reply = "token_created",
	.in = create_in_fields,
	.in_size = sizeof(struct create_in),
	.out = create_out_fields,
	.exec = create_token_exec,
	.text = "Make a token, with which programs act for the member over "
		"HTTP.",
};

const struct op op_list_tokens = {
	.name = "list_tokens",
	.scope = SCOPE_MEMBER,
	.rest = { "GET /v1/tokens" },
	.reply = "tokens_list",
	.in = list_in_fields,
	.in_size = sizeof(struct list_in),
	.out = list_out_fields,
	.exec = list_tokens_exec,
	.text = "The tokens that one has, or with mesh:moderate others.",
};

const struct op op_revoke_token = {
	.name = "revoke_token",
	.scope = SCOPE_MEMBER,
	.rest = { "DELETE /v1/tokens/{tokenId}" },
	.reply = "token_revoked",
	.in = revoke_in_fields,
	.in_size = sizeof(struct revoke_in),
	.out = revoke_out_fields,
	.exec = revoke_token_exec,
	.text = "Make a token worthless, at once, and those that were made by "
		"it; one's own (by a token: itself, and what it made), or with "
		"mesh:moderate that of a member whose role is not greater.",
};

const struct op op_token = {
	.name = "token",
	.scope = SCOPE_PUBLIC,
	.rest = { "GET /v1/token" },
	.reply = "token",
	.flags = OP_REST_ONLY,
	.in = no_fields,
	.out = token_out_fields,
	.exec = token_exec,
	.text = "What the token is that the request shows.",
};
