/* SPDX-License-Identifier: ISC */
/*
 * Tokens of members: made here as core/token_ops.c makes them, with the key of
 * this host's linnetd.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "ctl/ctl.h"

#define TOKEN_NAME_MAX 128
#define TOKEN_TIME_MIN_MS 1000
#define TOKEN_LIST_MAX 100000

struct token_new {
	struct id id;
	char id_text[ID_HEX_LEN + 1];
	char text[TOKEN_LEN + 1];
	const char *name;
	struct slice scopes[SCOPE_MAX];
	size_t nscopes;
	int64_t expires_ms;
	const struct ctl_mesh *mesh;
	const struct ctl_member *member;
};

/* Words between commas or spaces; how many there are, at most max of them in
 * v. */
static size_t
token_words(const char *s, struct slice *v, size_t max)
{
	size_t n = 0, len;

	for (s += strspn(s, ", "); *s != '\0';
	     s += len + strspn(s + len, ", ")) {
		len = strcspn(s, ", ");
		if (n < max)
			v[n] = (struct slice){ s, len };
		n++;
	}
	return n;
}

static void
token_scope_unknown(struct slice scope, uint64_t most)
{
	struct slice names[SCOPE_MAX];
	size_t i, n = token_scope_names(most, names);
	struct buf b;

	buf_init(&b, 4096);
	for (i = 0; i < n; i++)
		buf_addf(
		    &b, "%s" SLICE_FMT, i > 0 ? ", " : "", SLICE_ARG(names[i]));
	ctl_fail(EX_USAGE,
	    "--scopes: \"" SLICE_FMT "\" is none of those that this member can "
	    "give: %s",
	    SLICE_ARG(scope), buf_str(&b));
}

static void
token_new_scopes(struct ctl *c, struct token_new *t)
{
	const char *given = ctl_given(c, "scopes");
	const char *role = t->member->role;
	uint64_t most = token_scopes_of((struct slice){ role, strlen(role) });
	uint64_t scopes = most & ~SCOPE_BIT(SCOPE_SERVICE);
	struct slice words[SCOPE_MAX];
	size_t i, n, wrong;

	if (given != NULL) {
		n = token_words(given, words, NELEM(words));
		if (n == 0 || n > NELEM(words))
			ctl_fail(EX_USAGE,
			    "--scopes wants names with commas between, as "
			    "messages:read,messages:write");
		scopes = 0;
		for (i = 0; i < n; i++) {
			uint64_t one = token_scopes(&words[i], 1, &wrong);

			if (one == 0 || (one & ~most) != 0)
				token_scope_unknown(words[i], most);
			scopes |= one;
		}
	}
	t->nscopes = token_scope_names(scopes, t->scopes);
}

struct token_hosts {
	int64_t same;
	int64_t other;
};

static void
token_hosts(void *arg, const struct db_result *r)
{
	*(struct token_hosts *)arg =
	    (struct token_hosts){ db_int(r, 0, 0), db_int(r, 0, 1) };
}

/* A token of a key that no host has would be worthless. */
static void
token_check_key(struct ctl *c, const uint8_t key_name[TOKEN_KEY_NAME_LEN])
{
	struct db_params *p = db_params(STMT_token_key_hosts);
	struct token_hosts hosts;

	db_put_bytes(p, key_name, TOKEN_KEY_NAME_LEN);
	ctl_query(c, p, token_hosts, &hosts);
	if (hosts.same == 0 && hosts.other > 0)
		ctl_fail(EX_CONFIG,
		    "linnetd has another token.key than the one here; say "
		    "where its own is: -o 'token.key FILE'");
}

static void
token_stored(void *arg, const struct db_result *r)
{
	*(bool *)arg = db_rows(r) > 0;
}

static void
token_store(struct ctl *c, const struct token_new *t)
{
	uint8_t key[CRYPTO_KEY_LEN], digest[CRYPTO_DIGEST_LEN];
	uint8_t key_name[TOKEN_KEY_NAME_LEN];
	struct db_params *p = db_params(STMT_token_put);
	bool stored = false;
	char *error;

	if (conf_token_key(c->conf, key, &error) != 0)
		ctl_fail(EX_NOPERM,
		    "%s; the key of linnetd is needed: be its user or root, "
		    "or let the member do it: linnet token create",
		    error);
	token_digest(digest, (struct slice){ t->text, TOKEN_LEN }, key);
	token_key_name(key_name, key);
	crypto_wipe(key, sizeof(key));
	token_check_key(c, key_name);
	db_put_id(p, &t->id);
	db_put_id(p, &t->mesh->id);
	db_put_id(p, &t->member->id);
	db_put_bytes(p, digest, sizeof(digest));
	db_put_bytes(p, key_name, sizeof(key_name));
	db_put_str(p, t->name);
	db_put_texts(p, t->scopes, t->nscopes);
	db_put_int(p, t->expires_ms);
	db_put_int(p, c->conf->limit_tokens);
	db_put_id(p, NULL);
	db_put_id(p, NULL);
	ctl_query(c, p, token_stored, &stored);
	if (!stored)
		ctl_fail(EX_UNAVAILABLE,
		    "%s has %lld tokens that are good, which is limit.tokens; "
		    "revoke some: linnetctl token list %s",
		    t->member->name, (long long)c->conf->limit_tokens,
		    t->mesh->slug);
}

static void
token_print(const struct ctl *c, const struct token_new *t)
{
	struct json_writer w;
	struct buf b;
	size_t i;

	if (!c->json) {
		printf("%s\n", t->text);
		return;
	}
	buf_init(&b, 65536);
	json_start(&w, &b);
	json_object(&w);
	json_key(&w, "tokenId");
	json_id(&w, &t->id);
	json_key(&w, "token");
	json_str(&w, t->text);
	json_key(&w, "memberId");
	json_id(&w, &t->member->id);
	json_key(&w, "name");
	json_str(&w, t->name);
	json_key(&w, "scopes");
	json_array(&w);
	for (i = 0; i < t->nscopes; i++)
		json_strn(&w, t->scopes[i].p, t->scopes[i].n);
	json_array_end(&w);
	json_key(&w, "expiresAt");
	json_time(&w, t->expires_ms);
	json_object_end(&w);
	ctl_print_json(&b);
}

void
ctl_token_create(struct ctl *c)
{
	const char *name = ctl_given(c, "name");
	struct token_new t = { .name = name != NULL ? name : "" };
	struct ctl_member member;
	struct ctl_mesh m;
	size_t n = strlen(t.name);

	if (n > TOKEN_NAME_MAX || (n > 0 && !str_is_name(t.name, n)))
		ctl_fail(EX_DATAERR,
		    "\"%s\" is no name: at most %d bytes, without blanks "
		    "around and characters that cannot be seen",
		    t.name, TOKEN_NAME_MAX);
	t.expires_ms = ctl_given_time(
	    c, "expires", TOKEN_TIME_MIN_MS, c->conf->token_max_time);
	if (t.expires_ms > c->conf->token_max_time)
		ctl_fail(EX_USAGE,
		    "--expires is longer than token.max_time, %lld days",
		    (long long)(c->conf->token_max_time / 86400000));
	ctl_mesh_find(c, &m, c->args[0], 0);
	ctl_member_find(c, &m, &member, c->args[1]);
	t.mesh = &m;
	t.member = &member;
	token_new_scopes(c, &t);
	t.expires_ms += clock_wall();
	id_new(&t.id);
	token_make(t.text);
	token_store(c, &t);
	token_print(c, &t);
	crypto_wipe(t.text, sizeof(t.text));
}

void
ctl_token_list(struct ctl *c)
{
	static const struct ctl_column columns[] = {
		{ "ID", "tokenId", CTL_ID, 0 },
		{ "STATE", "state", CTL_TEXT, 10 },
		{ "MEMBER", "member", CTL_TEXT, 2 },
		{ "NAME", "name", CTL_TEXT, 3 },
		{ "SCOPES", "scopes", CTL_TEXTS, 4 },
		{ "CREATED", "createdAt", CTL_TIME, 5 },
		{ "EXPIRES", "expiresAt", CTL_TIME, 6 },
		{ "USED", "lastUsedAt", CTL_TIME, 7 },
		{ "REVOKED", "revokedAt", CTL_TIME, 8 },
	};
	uint8_t key[CRYPTO_KEY_LEN], key_name[TOKEN_KEY_NAME_LEN];
	struct ctl_member member;
	struct db_params *p;
	struct ctl_mesh m;
	struct id last;
	char *error;

	ctl_mesh_find(c, &m, c->args[0], CTL_MESH_ARCHIVED);
	if (c->nargs > 1)
		ctl_member_find(c, &m, &member, c->args[1]);
	memset(&last, 0xff, sizeof(last));
	p = db_params(STMT_token_list);
	db_put_id(p, &m.id);
	db_put_id(p, c->nargs > 1 ? &member.id : NULL);
	db_put_id(p, &last);
	db_put_int(p, TOKEN_LIST_MAX);
	/* Without the key nobody can tell which are of another one. */
	if (conf_token_key(c->conf, key, &error) == 0) {
		token_key_name(key_name, key);
		crypto_wipe(key, sizeof(key));
		db_put_bytes(p, key_name, sizeof(key_name));
	} else {
		free(error);
		db_put_null(p);
	}
	ctl_print_rows(c, p, columns, NELEM(columns));
}

struct token_end {
	struct id mesh;
	struct id member;
	bool found;
	bool was_good;
};

static void
token_ended(void *arg, const struct db_result *r)
{
	struct token_end *e = arg;

	e->found = db_rows(r) > 0;
	if (!e->found)
		return;
	db_id(r, 0, 0, &e->mesh);
	db_id(r, 0, 1, &e->member);
	e->was_good = db_bool(r, 0, 3);
}

void
ctl_token_revoke(struct ctl *c)
{
	const char *text = c->args[0];
	const char *const pairs[] = { "tokenId", text, NULL };
	struct db_params *p = db_params(STMT_token_revoke);
	struct token_end e = { .found = false };
	struct id id;

	if (id_parse(&id, text, strlen(text)) != 0)
		ctl_fail(EX_USAGE,
		    "a token is revoked by its id, 32 hex digits, never by "
		    "itself; linnetctl token list MESH shows it");
	db_put_id(p, &id);
	db_put_id(p, NULL);
	db_put_id(p, NULL);
	db_put_texts(p, NULL, 0);
	db_put_id(p, NULL);
	ctl_query(c, p, token_ended, &e);
	if (!e.found)
		ctl_fail(EX_NOINPUT,
		    "there is no token %s; linnetctl token list MESH shows "
		    "those of a mesh",
		    text);
	ctl_tell(c, &e.mesh, &e.member);
	ctl_print_done(c, pairs,
	    e.was_good ? "token %s revoked" : "token %s was worthless before",
	    text);
}
