/* SPDX-License-Identifier: ISC */
/*
 * People log in with a password, and get a token for a while; and passwords are
 * set, by the member itself or by who manages members.
 *
 * Whoever guesses is held up three times: by how long a password takes to be
 * looked at, by the attempts at one name, and by those from one address.  Of
 * what was wrong, the name or the password, nothing is told, and an answer
 * takes as long for either.
 */
#include <string.h>

#include "core/people.h"

/* Of those that a member got by logging in so many are good. */
#define LOGIN_TOKENS 10
#define LOGIN_WRONG                                                 \
	"There is nobody with this name and this password; or the " \
	"member has no password: linnetctl member password sets one."

struct login_in {
	struct slice mesh;
	struct slice name;
	struct slice password;
};

#define IN(field) offsetof(struct login_in, field)
static const struct field login_fields[] = {
	{ "workspace", F_STR, IN(mesh), 1, 128, FIELD_REQUIRED, NULL, NULL, 0,
	    "The mesh: its id, or its short name." },
	{ "orgId", F_STR, IN(mesh), 1, 128, 0, NULL, NULL, 0, "The same." },
	{ "name", F_STR, IN(name), 1, 256, FIELD_REQUIRED, NULL, NULL, 0,
	    "The member's name." },
	{ "password", F_STR, IN(password), 1, PASSWORD_MAX, FIELD_REQUIRED,
	    NULL, NULL, 0, "Its password." },
	{ .type = F_END },
};
#undef IN

struct login_out {
	struct slice text;
	struct id token;
	struct id mesh;
	struct id member;
	struct slice name;
	struct slice role;
	struct list scopes;
	int64_t expires_ms;
};

#define OUT(field) offsetof(struct login_out, field)
static const struct field login_out_fields[] = {
	{ "token", F_STR, OUT(text), 0, 0, 0, NULL, NULL, 0,
	    "A token of the member." },
	{ "tokenId", F_ID, OUT(token), 0, 0, 0, NULL, NULL, 0,
	    "Its id: DELETE /v1/tokens/{tokenId} logs out." },
	{ "orgId", F_ID, OUT(mesh), 0, 0, 0, NULL, NULL, 0, "The mesh." },
	{ "actorId", F_ID, OUT(member), 0, 0, 0, NULL, NULL, 0, "The member." },
	{ "displayName", F_STR, OUT(name), 0, 0, 0, NULL, NULL, 0,
	    "Its name." },
	{ "role", F_STR, OUT(role), 0, 0, 0, NULL, NULL, 0, "Its role." },
	{ "scopes", F_STRS, OUT(scopes), 0, 0, 0, NULL, NULL, 0,
	    "What the token may do." },
	{ "expiresAt", F_TIME, OUT(expires_ms), 0, 0, 0, NULL, NULL, 0,
	    "Until when it is good." },
	{ .type = F_END },
};
#undef OUT

/* Of the request's pool. */
struct logging {
	struct login_out out;
	struct token_new token;
	const char *stored; /* the password that was looked at, as it is kept */
};

static struct slice
login_keep(struct request *r, struct slice s)
{
	return (struct slice){ pool_strndup(&r->pool, s.p, s.n), s.n };
}

static void
login_stored(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct logging *l = r->context;

	if (op_db_failed(r, res))
		return;
	if (db_rows(res) == 0) {
		op_fail(r, ERR_UNAUTHORIZED, LOGIN_WRONG);
		return;
	}
	/* Older ones may have gone. */
	member_changed(r->core, &l->out.mesh, &l->out.member, ERR_NONE, 0,
	    (struct slice){ NULL, 0 });
	op_reply(r, &l->out);
}

static void
login_store(struct request *r)
{
	struct logging *l = r->context;
	struct db_params *p = db_params(STMT_login_put);
	const struct core_limits *limits = &r->core->limits;
	int64_t ms = limits->login_ms < limits->token_ms ? limits->login_ms
							 : limits->token_ms;

	token_new(r, &l->token,
	    token_scopes_of(l->out.role) & ~SCOPE_BIT(SCOPE_SERVICE),
	    clock_wall() + ms);
	l->out.token = l->token.id;
	l->out.text = (struct slice){ l->token.text, TOKEN_LEN };
	l->out.scopes = l->token.scopes;
	l->out.expires_ms = l->token.expires_ms;
	db_put_id(p, &l->token.id);
	db_put_id(p, &l->out.mesh);
	db_put_id(p, &l->out.member);
	db_put_bytes(p, l->token.digest, sizeof(l->token.digest));
	db_put_bytes(p, l->token.key_name, sizeof(l->token.key_name));
	db_put_str(p, "login");
	db_put_texts(p, l->token.scopes.v, l->token.scopes.n);
	db_put_int(p, l->token.expires_ms);
	db_put_int(p, LOGIN_TOKENS);
	db_put_str(p, l->stored);
	db_query(r->core->reads, p, login_stored, r);
}

static void
login_checked(struct request *r, bool good, const char *stored)
{
	(void)stored;
	if (good)
		login_store(r);
	else
		op_fail(r, ERR_UNAUTHORIZED, LOGIN_WRONG);
}

static void
login_found(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct login_in *in = r->in;
	struct logging *l = r->context;

	if (op_db_failed(r, res))
		return;
	/* Two of one name cannot be told apart. */
	if (db_rows(res) == 1) {
		db_id(res, 0, 0, &l->out.member);
		db_id(res, 0, 1, &l->out.mesh);
		l->out.name = login_keep(r, db_text(res, 0, 2));
		l->out.role = login_keep(r, db_text(res, 0, 3));
		l->stored = login_keep(r, db_text(res, 0, 4)).p;
	}
	password_check(r, l->stored, in->password, login_checked);
}

static void
login_exec(struct request *r, void *arg)
{
	const struct login_in *in = arg;
	char *folded = pool_alloc(&r->pool, 2 * in->name.n + 1);
	size_t n = str_fold(folded, in->name.p, in->name.n);
	uint8_t who[CRYPTO_DIGEST_LEN];
	struct db_params *p;
	const char *text;
	struct id mesh;

	text = pool_printf(
	    &r->pool, SLICE_FMT "\n%.*s", SLICE_ARG(in->mesh), (int)n, folded);
	crypto_digest(who, text, strlen(text), NULL);
	if (rate_login(r, who) != ERR_NONE) {
		op_fail(r, r->error, NULL);
		return;
	}
	r->context = pool_zalloc(&r->pool, sizeof(struct logging));
	p = db_params(STMT_login_find);
	db_put_id(
	    p, id_parse(&mesh, in->mesh.p, in->mesh.n) == 0 ? &mesh : NULL);
	db_put_text(p, in->mesh.p, in->mesh.n);
	db_put_text(p, folded, n);
	db_query(r->core->reads, p, login_found, r);
}

/*
 * set_password
 */
struct set_in {
	struct slice member;
	struct slice password;
	struct slice current;
};

#define IN(field) offsetof(struct set_in, field)
static const struct field set_fields[] = {
	{ "actorId", F_STR, IN(member), 1, 256, FIELD_REQUIRED, NULL, NULL, 0,
	    "Whose: a member's id or name, or me." },
	{ "password", F_STR, IN(password), PASSWORD_MIN, PASSWORD_MAX,
	    FIELD_REQUIRED, NULL, NULL, 0, "The new one." },
	{ "current", F_STR, IN(current), 1, PASSWORD_MAX, 0, NULL, NULL, 0,
	    "The one that it has, where you set your own." },
	{ .type = F_END },
};
#undef IN

struct set_out {
	bool ok;
	struct id member;
};

static const struct field set_out_fields[] = {
	{ "ok", F_BOOL, offsetof(struct set_out, ok), 0, 0, 0, NULL, NULL, 0,
	    "true." },
	{ "actorId", F_ID, offsetof(struct set_out, member), 0, 0, 0, NULL,
	    NULL, 0, "The member." },
	{ .type = F_END },
};

/* Of the request's pool. */
struct setting {
	struct id mesh;
	struct id member;
	struct id keep; /* the token that goes on, or zero */
	bool own;
};

static void
set_stored(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct setting *s = r->context;
	struct set_out out = { true, s->member };

	if (op_db_failed(r, res))
		return;
	if (db_rows(res) == 0) {
		op_fail(r, ERR_UNKNOWN_TARGET, "That member is gone.");
		return;
	}
	member_changed(r->core, &s->mesh, &s->member, ERR_NONE, 0,
	    (struct slice){ NULL, 0 });
	op_reply(r, &out);
}

static void
set_made(struct request *r, bool good, const char *stored)
{
	const struct setting *s = r->context;
	struct db_params *p = db_params(STMT_password_put);

	(void)good;
	db_put_id(p, &s->member);
	db_put_id(p, &s->mesh);
	db_put_str(p, stored);
	db_put_id(p, id_is_null(&s->keep) ? NULL : &s->keep);
	db_query(r->core->reads, p, set_stored, r);
}

static void
set_checked(struct request *r, bool good, const char *stored)
{
	const struct set_in *in = r->in;

	(void)stored;
	if (good)
		password_make(r, in->password, set_made);
	else
		op_fail(r, ERR_FORBIDDEN,
		    "current is not the password that you have.");
}

static void
set_found(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct set_in *in = r->in;
	const struct setting *s = r->context;
	struct slice role;
	uint64_t gives;

	if (op_db_failed(r, res) || op_left(r))
		return;
	if (db_rows(res) == 0) {
		op_fail(r, ERR_UNKNOWN_TARGET, "That member is gone.");
		return;
	}
	role = db_text(res, 0, 1);
	gives = token_scopes_of(role) & ~SCOPE_BIT(SCOPE_SERVICE);
	if (s->own && !db_null(res, 0, 0)) {
		if (in->current.n == 0)
			op_fail(r, ERR_MALFORMED,
			    "current is missing: the password that you have.");
		else
			password_check(r, login_keep(r, db_text(res, 0, 0)).p,
			    in->current, set_checked);
	} else if (!s->own &&
		   role_find(role) > role_find(r->client->session->info.role))
		op_fail(r, ERR_FORBIDDEN,
		    "The member has a greater role than you.");
	else if ((gives & ~r->client->scopes) != 0)
		op_fail(r, ERR_FORBIDDEN,
		    "Who logs in may do all that the member may, and this "
		    "token may not do all of that.");
	else
		password_make(r, in->password, set_made);
}

static void
set_ask(struct request *r, const struct id *member)
{
	const struct session *by = r->client->session;
	const struct token *t = deputy_token(r->client);
	struct setting *s = pool_zalloc(&r->pool, sizeof(*s));
	uint8_t who[CRYPTO_DIGEST_LEN];
	struct db_params *p;

	s->mesh = by->mesh->id;
	s->member = *member;
	s->own = id_same(member, &by->info.member);
	if (s->own && t != NULL)
		s->keep = t->id;
	if (!s->own && !(r->client->scopes & SCOPE_BIT(SCOPE_MEMBERS_WRITE))) {
		op_fail(r, ERR_FORBIDDEN,
		    "To set the password of others needs the scope %s.",
		    table_scopes[SCOPE_MEMBERS_WRITE]);
		return;
	}
	crypto_digest(who, member->b, ID_LEN, NULL);
	if (rate_login(r, who) != ERR_NONE) {
		op_fail(r, r->error, NULL);
		return;
	}
	r->context = s;
	p = db_params(STMT_password_find);
	db_put_id(p, &s->member);
	db_put_id(p, &s->mesh);
	db_query(r->core->reads, p, set_found, r);
}

static void
set_named(struct request *r, const struct member *m)
{
	set_ask(r, &m->id);
}

static void
set_password_exec(struct request *r, void *arg)
{
	const struct set_in *in = arg;

	if (in->member.n == 2 && memcmp(in->member.p, "me", 2) == 0)
		set_ask(r, &r->client->session->info.member);
	else
		member_named(r, in->member, set_named);
}

const struct op op_login = {
	.name = "login",
	.scope = SCOPE_PUBLIC,
	.rest = { "POST /v1/login" },
	.reply = "logged_in",
	.flags = OP_REST_ONLY | OP_STRANGER,
	.in = login_fields,
	.in_size = sizeof(struct login_in),
	.out = login_out_fields,
	.exec = login_exec,
	.text = "Get a token for a name and a password.",
};

const struct op op_set_password = {
	.name = "set_password",
	.scope = SCOPE_MEMBER,
	.rest = { "PUT /v1/members/{actorId}/password" },
	.reply = "password_set",
	.flags = OP_REST_ONLY,
	.in = set_fields,
	.in_size = sizeof(struct set_in),
	.out = set_out_fields,
	.exec = set_password_exec,
	.text = "Set one's password, or with members:write that of a member "
		"whose role is not greater. Whoever had logged in with the "
		"old one is logged out.",
};
