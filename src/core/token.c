/* SPDX-License-Identifier: ISC */
/*
 * Who shows a token: the member that it is of, with the token's scopes, as far
 * as the member has them itself.
 *
 * What the database says of a token is remembered for some seconds.  Whatever
 * makes it worth less is told as a change of its member, and a process hears
 * of the changes of meshes that it serves: only what was read after it began
 * to serve the mesh is remembered, and nothing that was read while a change
 * came.  An operation that began goes on when its token ends.
 *
 * Tokens are compared by their keyed digests, of which nobody can choose the
 * bytes: how long that takes tells nothing.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"

/* Less than a mesh without users is served: see mesh.c. */
#define TOKEN_TRUST_MS 5000
#define TOKEN_KNOWN_MAX 16384

struct tokens {
	uint8_t key[CRYPTO_KEY_LEN];
	struct hash digests;
	struct hash members;
	uint64_t told; /* how often something changed */
	bool foreign;  /* another host has another key, which was said */
};

/* A token that was good when it was read. */
struct token_known {
	struct hash_entry by_digest;
	struct hash_entry by_member;
	uint8_t digest[CRYPTO_DIGEST_LEN];
	uint8_t member_key[CRYPTO_KEY_LEN];
	struct token token;
	struct pool pool;
	int64_t until_ms; /* clock_mono() */
};

/* A request whose token is being looked up; of its pool. */
struct token_entering {
	struct request *request;
	token_fn *fn;
	uint8_t digest[CRYPTO_DIGEST_LEN];
	uint64_t told;
	int64_t asked_ms;
};

void
token_open(struct core *c, const uint8_t key[CRYPTO_KEY_LEN])
{
	c->tokens = xcalloc(1, sizeof(*c->tokens));
	memcpy(c->tokens->key, key, CRYPTO_KEY_LEN);
	hash_init(&c->tokens->digests);
	hash_init(&c->tokens->members);
}

const uint8_t *
token_key(const struct core *c)
{
	return c->tokens->key;
}

void
token_key_for(
    const struct core *c, const char *use, uint8_t out[CRYPTO_KEY_LEN])
{
	_Static_assert(
	    CRYPTO_KEY_LEN == CRYPTO_DIGEST_LEN, "a digest is a key");
	crypto_digest(out, use, strlen(use), c->tokens->key);
}

static void
token_forget(struct tokens *t, struct token_known *k)
{
	hash_remove(&t->digests, &k->by_digest);
	hash_remove(&t->members, &k->by_member);
	pool_free(&k->pool);
	free(k);
}

void
token_told(struct core *c, const struct id *mesh, const struct id *member)
{
	struct tokens *t = c->tokens;
	struct hash_entry *e, *next;
	struct token_known *k;
	size_t i;

	t->told++;
	token_watch_told(c, mesh, member);
	if (member != NULL) {
		while ((e = hash_find(&t->members, member->b, ID_LEN)) != NULL)
			token_forget(
			    t, CONTAINER(e, struct token_known, by_member));
		return;
	}
	HASH_FOREACH (e, next, i, &t->digests) {
		k = CONTAINER(e, struct token_known, by_digest);
		if (mesh == NULL || id_same(mesh, &k->token.mesh))
			token_forget(t, k);
	}
}

void
token_tick(struct core *c)
{
	struct tokens *t = c->tokens;
	struct hash_entry *e, *next;
	struct token_known *k;
	size_t i;

	token_watch_tick(c);
	HASH_FOREACH (e, next, i, &t->digests) {
		k = CONTAINER(e, struct token_known, by_digest);
		if (clock_mono() >= k->until_ms)
			token_forget(t, k);
	}
}

void
token_close(struct core *c)
{
	token_told(c, NULL, NULL);
	hash_free(&c->tokens->digests);
	hash_free(&c->tokens->members);
	crypto_wipe(c->tokens, sizeof(*c->tokens));
	free(c->tokens);
}

static struct token_known *
token_recall(struct tokens *t, const uint8_t digest[CRYPTO_DIGEST_LEN])
{
	struct hash_entry *e =
	    hash_find(&t->digests, digest, CRYPTO_DIGEST_LEN);
	struct token_known *k;

	if (e == NULL)
		return NULL;
	k = CONTAINER(e, struct token_known, by_digest);
	if (clock_mono() < k->until_ms)
		return k;
	token_forget(t, k);
	return NULL;
}

static struct slice
token_keep_text(struct pool *pool, struct slice s)
{
	return (struct slice){ pool_strndup(pool, s.p, s.n), s.n };
}

static void
token_remember(const struct token_entering *n, const struct token *token,
    const uint8_t member_key[CRYPTO_KEY_LEN], int64_t left_ms)
{
	struct core *c = n->request->core;
	struct tokens *t = c->tokens;
	const struct mesh *m = mesh_find(c, &token->mesh);
	struct token_known *k;

	if (m == NULL || m->since_ms >= n->asked_ms || t->told != n->told ||
	    t->digests.count >= TOKEN_KNOWN_MAX ||
	    hash_find(&t->digests, n->digest, CRYPTO_DIGEST_LEN) != NULL)
		return;
	k = xcalloc(1, sizeof(*k));
	pool_init(&k->pool);
	memcpy(k->digest, n->digest, CRYPTO_DIGEST_LEN);
	memcpy(k->member_key, member_key, CRYPTO_KEY_LEN);
	k->token = *token;
	k->token.name = token_keep_text(&k->pool, token->name);
	k->token.slug = token_keep_text(&k->pool, token->slug);
	k->token.member_name = token_keep_text(&k->pool, token->member_name);
	k->token.role = token_keep_text(&k->pool, token->role);
	k->until_ms = clock_mono() +
		      (left_ms < TOKEN_TRUST_MS ? left_ms : TOKEN_TRUST_MS);
	hash_insert(&t->digests, &k->by_digest, k->digest, CRYPTO_DIGEST_LEN);
	hash_insert(&t->members, &k->by_member, k->token.member.b, ID_LEN);
}

static void
token_begun(void *arg, bool good)
{
	struct token_entering *n = arg;
	struct request *r = n->request;

	if (r->client == NULL)
		client_request_free(r);
	else if (!good)
		op_fail(r, ERR_UNAVAILABLE, NULL);
	else {
		r->state = REQUEST_WAITS;
		n->fn(r);
	}
}

static void
token_begin(struct token_entering *n, const struct token *t,
    const uint8_t member_key[CRYPTO_KEY_LEN])
{
	struct session_info i;

	memset(&i, 0, sizeof(i));
	i.id = t->id;
	i.mesh = t->mesh;
	i.member = t->member;
	memcpy(i.member_key, member_key, CRYPTO_KEY_LEN);
	i.name = i.member_name = t->member_name;
	i.role = t->role;
	i.control = true;
	deputy_begin(n->request->client, &i, t, t->scopes, token_begun, n);
}

/* What speaks against a token that was read; true: it was refused. */
static bool
token_refuse(struct request *r, const struct db_result *res)
{
	char at[CLOCK_RFC3339_LEN + 1];
	struct slice reason, by;

	if (!db_null(res, 0, 11)) {
		clock_format(db_time(res, 0, 11), at);
		op_refuse(r, ERR_UNAUTHORIZED,
		    "This token was revoked at %s; make a new one.", at);
	} else if (db_int(res, 0, 16) <= 0) {
		clock_format(db_time(res, 0, 10), at);
		op_refuse(r, ERR_UNAUTHORIZED,
		    "This token has expired at %s; make a new one.", at);
	} else if (db_bool(res, 0, 12))
		op_refuse(r, ERR_REVOKED, NULL);
	else if (!db_null(res, 0, 14)) {
		reason = db_text(res, 0, 14);
		by = db_text(res, 0, 15);
		op_refuse(r, ERR_BANNED,
		    "The member of this token was banned from the mesh by " SLICE_FMT
		    "%s" SLICE_FMT ". Ask an owner or admin of it "
		    "to unban it.",
		    SLICE_ARG(by), reason.n > 0 ? ": " : "", SLICE_ARG(reason));
	} else if (db_bool(res, 0, 13))
		op_refuse(r, ERR_FORBIDDEN,
		    "The mesh of this token is archived; who runs the server "
		    "can open it again.");
	else
		return false;
	return true;
}

static void
token_read(struct token *t, const struct db_result *r)
{
	struct slice names[SCOPE_MAX];
	size_t n, wrong;

	memset(t, 0, sizeof(*t));
	db_id(r, 0, 0, &t->id);
	db_id(r, 0, 1, &t->mesh);
	db_id(r, 0, 2, &t->member);
	t->name = db_text(r, 0, 4);
	n = db_texts(r, 0, 5, names, NELEM(names));
	t->granted = token_scopes(names, n, &wrong);
	t->slug = db_text(r, 0, 6);
	t->member_name = db_text(r, 0, 7);
	t->role = db_text(r, 0, 8);
	t->scopes = t->granted & token_scopes_of(t->role);
	t->created_ms = db_time(r, 0, 9);
	t->expires_ms = db_time(r, 0, 10);
	t->login = db_bool(r, 0, 17);
}

static void
token_found(void *arg, const struct db_result *res)
{
	struct token_entering *n = arg;
	struct request *r = n->request;
	uint8_t key[CRYPTO_KEY_LEN] = { 0 };
	struct slice bytes;
	struct token t;

	if (r->client == NULL) {
		client_request_free(r);
		return;
	}
	if (op_db_failed(r, res))
		return;
	if (db_rows(res) == 0) {
		op_refuse(r, ERR_UNAUTHORIZED,
		    "Nobody here has this token; it was made elsewhere, or is "
		    "gone. linnet token create makes one.");
		return;
	}
	if (token_refuse(r, res))
		return;
	token_read(&t, res);
	memcpy(t.digest, n->digest, sizeof(t.digest));
	bytes = db_bytes(res, 0, 3);
	if (bytes.n == sizeof(key))
		memcpy(key, bytes.p, bytes.n);
	token_remember(n, &t, key, db_int(res, 0, 16));
	token_begin(n, &t, key);
}

static void
token_look_up(struct token_entering *n)
{
	struct request *r = n->request;
	struct db_params *p = db_params(STMT_token_find);

	n->told = r->core->tokens->told;
	n->asked_ms = clock_mono();
	db_put_bytes(p, n->digest, sizeof(n->digest));
	db_query(r->core->reads, p, token_found, n);
}

void
token_enter(struct request *r, struct slice text, token_fn *fn)
{
	struct tokens *t = r->core->tokens;
	struct token_entering *n = pool_zalloc(&r->pool, sizeof(*n));
	const struct token_known *k = NULL;
	bool whole = token_check(text);

	n->request = r;
	n->fn = fn;
	if (whole) {
		token_digest(n->digest, text, t->key);
		k = token_recall(t, n->digest);
	}
	/* A token that is known does not suffer for others of its address. */
	if (k == NULL && rate_stranger(r) != ERR_NONE) {
		op_refuse(r, r->error, NULL);
		return;
	}
	if (!whole) {
		op_refuse(r, ERR_UNAUTHORIZED,
		    "This is no whole token: it is wat_ and 48 characters, of "
		    "which some are missing or mistyped.");
		return;
	}
	/* It is not given up when its client goes. */
	r->state = REQUEST_RUNS;
	if (k != NULL)
		token_begin(n, &k->token, k->member_key);
	else
		token_look_up(n);
}

static void
token_key_said(void *arg, const struct db_result *r)
{
	struct core *c = arg;
	bool foreign;

	if (db_status(r) != DB_OK || db_rows(r) == 0)
		return;
	foreign = db_int(r, 0, 0) > 0;
	if (foreign && !c->tokens->foreign)
		log_warn("other hosts on this database have another token.key "
			 "than this one, and do not take its tokens, nor this "
			 "one theirs; give all of them the same key");
	c->tokens->foreign = foreign;
}

void
token_key_say(struct core *c)
{
	uint8_t name[TOKEN_KEY_NAME_LEN];
	struct db_params *p = db_params(STMT_token_key_say);

	token_key_name(name, c->tokens->key);
	db_put_id(p, &c->host);
	db_put_bytes(p, name, sizeof(name));
	db_query(c->reads, p, token_key_said, c);
}
