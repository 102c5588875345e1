/* SPDX-License-Identifier: ISC */
/*
 * Tokens: their text and what is stored of it, scopes by name, and the gate
 * before who shows one.
 */
#include <stdlib.h>

#include "core/domain.h"
#include "tap.h"

static struct slice
text(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

static void
test_text(void)
{
	static const char *const wrong[] = { "", "wat_", "wat",
		"Bearer wat_x" };
	char one[TOKEN_LEN + 2], two[TOKEN_LEN + 1], bad[TOKEN_LEN + 2];
	unsigned refused = 0;
	size_t i;

	token_make(one);
	token_make(two);
	is_int((int64_t)strlen(one), TOKEN_LEN, "as long as it has to be");
	ok(strncmp(one, "wat_", 4) == 0, "begins with wat_");
	is_int((int64_t)strspn(one + 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"abcdefghijklmnopqrstuvwxyz"
					"0123456789-_"),
	    TOKEN_LEN - 4, "goes into a header as it is");
	ok(strcmp(one, two) != 0, "each is another");
	ok(token_check(text(one)) && token_check(text(two)), "both are whole");
	for (i = 0; i < NELEM(wrong); i++)
		ok(!token_check(text(wrong[i])), "\"%s\" is none", wrong[i]);
	for (i = 0; i < TOKEN_LEN; i++) {
		memcpy(bad, one, TOKEN_LEN + 1);
		bad[i] = bad[i] == 'a' ? 'b' : 'a';
		refused += !token_check(text(bad));
	}
	is_int(refused, TOKEN_LEN, "a mistyped character is noticed anywhere");
	for (i = 4, refused = 0; i + 1 < TOKEN_LEN; i++) {
		memcpy(bad, one, TOKEN_LEN + 1);
		bad[i] = one[i + 1];
		bad[i + 1] = one[i];
		refused += one[i] == one[i + 1] || !token_check(text(bad));
	}
	is_int(refused, TOKEN_LEN - 5, "and two that changed places");
	ok(!token_check((struct slice){ one, TOKEN_LEN - 1 }), "cut off");
	one[TOKEN_LEN] = 'A';
	ok(!token_check((struct slice){ one, TOKEN_LEN + 1 }), "too long");
}

static void
test_digest(void)
{
	uint8_t key[CRYPTO_KEY_LEN] = { 1 }, other[CRYPTO_KEY_LEN] = { 2 };
	uint8_t a[CRYPTO_DIGEST_LEN], b[CRYPTO_DIGEST_LEN];
	uint8_t name[TOKEN_KEY_NAME_LEN], name2[TOKEN_KEY_NAME_LEN];
	char token[TOKEN_LEN + 1];

	token_make(token);
	token_digest(a, text(token), key);
	token_digest(b, text(token), key);
	ok(memcmp(a, b, sizeof(a)) == 0, "one digest of one token");
	token_digest(b, text(token), other);
	ok(memcmp(a, b, sizeof(a)) != 0, "another one under another key");
	crypto_digest(b, token, TOKEN_LEN, NULL);
	ok(memcmp(a, b, sizeof(a)) != 0, "and not the one without a key");
	token_key_name(name, key);
	token_key_name(name2, other);
	ok(memcmp(name, name2, sizeof(name)) != 0, "keys have names");
	ok(memcmp(name, key, sizeof(name)) != 0, "that are not the keys");
}

static void
test_scopes(void)
{
	const struct slice good[] = { text("state:read"),
		text("messages:write") };
	const struct slice some[] = { text("state:read"), text("public"),
		text("STATE:WRITE"), text("state:write") };
	const uint64_t all = token_scopes_of(text("admin"));
	const uint64_t member = token_scopes_of(text("member"));
	struct slice names[SCOPE_MAX];
	size_t wrong, n;

	is_int(token_scopes(good, 2, &wrong),
	    SCOPE_BIT(SCOPE_STATE_READ) | SCOPE_BIT(SCOPE_MESSAGES_WRITE),
	    "two scopes");
	is_int((int64_t)wrong, 2, "both are some");
	is_int(token_scopes(some, 4, &wrong),
	    SCOPE_BIT(SCOPE_STATE_READ) | SCOPE_BIT(SCOPE_STATE_WRITE),
	    "what is none is passed over");
	is_int((int64_t)wrong, 1, "and said; public is for no token");
	ok((all & SCOPE_BIT(SCOPE_PUBLIC)) == 0, "nor is it given");
	is_int(all & ~member,
	    SCOPE_BIT(SCOPE_MESH_MODERATE) |
		table_scope_includes[SCOPE_MESH_MODERATE],
	    "a member has not what an admin has");
	n = token_scope_names(all, names);
	is_int(token_scopes(names, n, &wrong), all, "names and back");
}

/*
 * The gate, before a client that acts by a token.
 */
static enum err got;
static char why[512];

static void
fake_encode(struct request *r, const void *out)
{
	(void)out;
	got = r->error;
	snprintf(
	    why, sizeof(why), "%s", r->error_text != NULL ? r->error_text : "");
}

static void
fake_answer(struct request *r)
{
	(void)r;
}

static void
fake_close(struct client *c, enum err e, const char *s)
{
	(void)c;
	(void)e;
	(void)s;
}

static const struct client_calls fake_calls = {
	.encode = fake_encode,
	.answer = fake_answer,
	.close = fake_close,
};

/* What passes the gate comes here, and no further. */
static enum err
fake_decode(struct request *r, const struct op *op, void *in, void *arg)
{
	(void)op;
	(void)in;
	(void)arg;
	return op_error(r, ERR_NOT_FOUND, "it was let in");
}

static void
test_gate(void)
{
	static const struct {
		const char *op;
		const char *granted;
		const char *role;
		enum err error;
		const char *says;
	} rows[] = {
		{ "get_state", "state:read", "member", ERR_NOT_FOUND,
		    "let in" },
		{ "set_state", "state:read", "member", ERR_FORBIDDEN,
		    "lacks the scope state:write, which set_state needs" },
		{ "send", "state:read", "owner", ERR_FORBIDDEN,
		    "lacks the scope messages:write" },
		{ "ban", "mesh:moderate", "admin", ERR_NOT_FOUND, "let in" },
		/* Its member is no admin any more. */
		{ "ban", "mesh:moderate", "member", ERR_FORBIDDEN,
		    "This token lacks the scope mesh:moderate, for which its "
		    "member's role (member) is not enough" },
		{ "ban", "state:read", "member", ERR_FORBIDDEN,
		    "linnet token create --scopes mesh:moderate" },
		{ "token", "state:read", "member", ERR_NOT_FOUND, "let in" },
		/* What is about a session, whatever the scopes. */
		{ "set_status", "presence:write", "owner", ERR_FORBIDDEN,
		    "set_status is about a session" },
		{ "join_group", "presence:write", "owner", ERR_FORBIDDEN,
		    "show the token to /mcp" },
		{ "watch_state", "state:read", "owner", ERR_FORBIDDEN,
		    "a token is not enough" },
		{ "pull", "messages:read", "owner", ERR_FORBIDDEN,
		    "a token is not enough" },
		/* A token makes and revokes tokens where it is as good as its
		 * member. */
		{ "create_token", "messages:read", "owner", ERR_FORBIDDEN,
		    "lacks the scope member" },
		{ "list_tokens", "messages:read", "owner", ERR_FORBIDDEN,
		    "lacks the scope member" },
		{ "revoke_token", "messages:read", "owner", ERR_FORBIDDEN,
		    "lacks the scope member" },
		{ "create_token", "member", "owner", ERR_NOT_FOUND, "let in" },
		{ "revoke_token", "member", "owner", ERR_NOT_FOUND, "let in" },
	};
	static uint64_t counters[METRIC_MAX];
	struct core core;
	struct client c;
	struct deputy d;
	struct slice granted;
	struct request *r;
	size_t i, wrong;

	memset(&core, 0, sizeof(core));
	core.counters = counters;
	core.limits.pending = 16;
	core.looked = true;
	for (i = 0; i < NELEM(rows); i++) {
		client_init(&c, &core, &fake_calls, false);
		memset(&d, 0, sizeof(d));
		d.session.info.role = text(rows[i].role);
		d.shown = true;
		granted = text(rows[i].granted);
		d.token.granted = token_scopes(&granted, 1, &wrong);
		d.token.scopes =
		    d.token.granted & token_scopes_of(text(rows[i].role));
		c.deputy = &d;
		c.session = &d.session;
		c.scopes = d.token.scopes | SCOPE_BIT(SCOPE_PUBLIC);
		r = client_request(&c);
		got = ERR_NONE;
		op_run(r, rows[i].op, strlen(rows[i].op), fake_decode, NULL);
		is_int(got, rows[i].error, "%s by a token with %s of an %s",
		    rows[i].op, rows[i].granted, rows[i].role);
		ok(strstr(why, rows[i].says) != NULL, "says: %s", why);
	}
}

int
main(void)
{
	clock_update();
	crypto_start();
	test_text();
	test_digest();
	test_scopes();
	test_gate();
	return tap_done();
}
