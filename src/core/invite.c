/* SPDX-License-Identifier: ISC */
/*
 * join: an invite, signed by the mesh's owner, makes a public key a member.
 *
 * What the owner signed is the text
 *	v|mesh_id|mesh_slug|broker_url|expires_at|mesh_root_key|role|owner_pubkey
 * The token as a whole is known to the database by its digest; uses are
 * counted in the statement that makes the member.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/domain.h"

#define INVITE_HOOK_PREFIX "lnh_"
#define INVITE_UNIQUE_VIOLATION "23505"

struct payload_in {
	int64_t version;
	struct id mesh;
	struct slice slug;
	struct slice url;
	int64_t expires;
	struct slice root_key;
	struct slice role;
	struct slice owner;
	uint8_t signature[CRYPTO_SIG_LEN];
};

#define IN(field) offsetof(struct payload_in, field)
static const struct field payload_fields[] = {
	{ "v", F_INT, IN(version), 1, 1, FIELD_REQUIRED, NULL, NULL, 0,
	    "Version: 1." },
	{ "mesh_id", F_ID, IN(mesh), 0, 0, FIELD_REQUIRED, NULL, NULL, 0,
	    "Mesh." },
	{ "mesh_slug", F_STR, IN(slug), 0, 128, FIELD_REQUIRED, NULL, NULL, 0,
	    "Its short name." },
	{ "broker_url", F_STR, IN(url), 0, 1024, FIELD_REQUIRED, NULL, NULL, 0,
	    "Where its server is." },
	{ "expires_at", F_INT, IN(expires), 0, INT64_MAX, FIELD_REQUIRED, NULL,
	    NULL, 0, "Seconds since 1970." },
	{ "mesh_root_key", F_STR, IN(root_key), 0, 512, FIELD_REQUIRED, NULL,
	    NULL, 0, "The mesh's root key." },
	{ "role", F_STR, IN(role), 0, 32, FIELD_REQUIRED, NULL, NULL, 0,
	    "admin or member." },
	{ "owner_pubkey", F_STR, IN(owner), 64, 64, FIELD_REQUIRED, NULL, NULL,
	    0, "The owner's public key, in hex." },
	{ "signature", F_SIG, IN(signature), 0, 0, FIELD_REQUIRED, NULL, NULL,
	    0, "The owner's signature." },
	{ .type = F_END },
};
#undef IN

struct join_in {
	struct slice token;
	struct payload_in payload;
	uint8_t key[CRYPTO_KEY_LEN];
	struct slice name;
};

#define IN(field) offsetof(struct join_in, field)
static const struct field join_in_fields[] = {
	{ "invite_token", F_STR, IN(token), 1, 8192, FIELD_REQUIRED, NULL, NULL,
	    0, "The token of the join link." },
	{ "invite_payload", F_ROW, IN(payload), 0, 0, FIELD_REQUIRED, NULL,
	    payload_fields, sizeof(struct payload_in),
	    "What the token says, decoded." },
	{ "peer_pubkey", F_KEY, IN(key), 0, 0, FIELD_REQUIRED, NULL, NULL, 0,
	    "Public key of the new member." },
	{ "display_name", F_NAME, IN(name), 1, 128,
	    FIELD_REQUIRED | FIELD_LIMIT(LIMIT_NAME), NULL, NULL, 0,
	    "Its name." },
	{ .type = F_END },
};
#undef IN

struct join_out {
	bool ok;
	struct id member;
	bool already;
	struct slice slug;
	struct slice name;
	struct slice hook_token;
};

#define OUT(field) offsetof(struct join_out, field)
static const struct field join_out_fields[] = {
	{ "ok", F_BOOL, OUT(ok), 0, 0, 0, NULL, NULL, 0, "true." },
	{ "memberId", F_ID, OUT(member), 0, 0, 0, NULL, NULL, 0,
	    "The member." },
	{ "alreadyMember", F_BOOL, OUT(already), 0, 0, FIELD_OMIT, NULL, NULL,
	    0, "It was one before; the invite was not used." },
	{ "meshSlug", F_STR, OUT(slug), 0, 0, 0, NULL, NULL, 0,
	    "Short name of the mesh." },
	{ "meshName", F_STR, OUT(name), 0, 0, 0, NULL, NULL, 0,
	    "Name of the mesh." },
	{ "hookToken", F_STR, OUT(hook_token), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "With it hooks may set the status; shown this once." },
	{ .type = F_END },
};
#undef OUT

struct joining {
	struct request *request;
	struct id member;
	uint8_t owner[CRYPTO_KEY_LEN];
	char hook_token[sizeof(INVITE_HOOK_PREFIX) + 2 * CRYPTO_KEY_LEN];
	bool again;
};

static enum err
join_problem(const struct db_result *r)
{
	struct slice word = db_text(r, 0, 0);
	enum err e;

	for (e = ERR_NONE + 1; e < ERR_MAX; e++)
		if (strlen(table_errors[e].name) == word.n &&
		    memcmp(table_errors[e].name, word.p, word.n) == 0)
			return e;
	return ERR_INTERNAL;
}

static void join_store(struct joining *j);

static void
join_done(void *arg, const struct db_result *r)
{
	struct joining *j = arg;
	struct join_out out;

	/* The same key joined meanwhile: it is a member now. */
	if (db_status(r) == DB_ERROR && !j->again &&
	    strcmp(db_sqlstate(r), INVITE_UNIQUE_VIOLATION) == 0) {
		j->again = true;
		join_store(j);
		return;
	}
	if (op_db_failed(j->request, r))
		return;
	memset(&out, 0, sizeof(out));
	out.ok = true;
	if (!db_null(r, 0, 0)) {
		struct slice word = db_text(r, 0, 0);

		if (word.n != strlen("already") ||
		    memcmp(word.p, "already", word.n) != 0) {
			op_fail(j->request, join_problem(r), NULL);
			return;
		}
		out.already = true;
	} else
		out.hook_token =
		    (struct slice){ j->hook_token, strlen(j->hook_token) };
	db_id(r, 0, 1, &out.member);
	out.slug = db_text(r, 0, 2);
	out.name = db_text(r, 0, 3);
	op_reply(j->request, &out);
}

static bool
join_is_signed(struct pool *pool, const struct payload_in *p,
    uint8_t owner[CRYPTO_KEY_LEN])
{
	char mesh[ID_HEX_LEN + 1];
	const char *text;

	if (crypto_unhex(owner, CRYPTO_KEY_LEN, p->owner.p, p->owner.n) != 0)
		return false;
	text = pool_printf(pool,
	    "%" PRId64 "|%s|" SLICE_FMT "|" SLICE_FMT "|%" PRId64 "|" SLICE_FMT
	    "|" SLICE_FMT "|" SLICE_FMT,
	    p->version, id_hex(&p->mesh, mesh), SLICE_ARG(p->slug),
	    SLICE_ARG(p->url), p->expires, SLICE_ARG(p->root_key),
	    SLICE_ARG(p->role), SLICE_ARG(p->owner));
	return crypto_check_sig(p->signature, text, strlen(text), owner);
}

static void
join_store(struct joining *j)
{
	struct request *r = j->request;
	const struct join_in *in = r->in;
	struct db_params *p = db_params(STMT_member_join);
	uint8_t digest[CRYPTO_DIGEST_LEN];
	char *folded;

	crypto_digest(digest, in->token.p, in->token.n, NULL);
	db_put_bytes(p, digest, sizeof(digest));
	db_put_id(p, &in->payload.mesh);
	db_put_bytes(p, j->owner, sizeof(j->owner));
	db_put_bytes(p, in->key, sizeof(in->key));
	db_put_id(p, &j->member);
	db_put_text(p, in->name.p, in->name.n);
	folded = pool_alloc(&r->pool, 2 * in->name.n + 1);
	db_put_text(p, folded, str_fold(folded, in->name.p, in->name.n));
	crypto_digest(digest, j->hook_token, strlen(j->hook_token), NULL);
	db_put_bytes(p, digest, sizeof(digest));
	db_query(r->core->reads, p, join_done, j);
}

static void
join_exec(struct request *r, void *arg)
{
	const struct join_in *in = arg;
	struct joining *j = pool_zalloc(&r->pool, sizeof(*j));
	uint8_t hook[CRYPTO_KEY_LEN];

	if (!join_is_signed(&r->pool, &in->payload, j->owner)) {
		op_fail(r, ERR_INVITE_BAD_SIGNATURE, NULL);
		return;
	}
	j->request = r;
	crypto_random_bytes(hook, sizeof(hook));
	memcpy(j->hook_token, INVITE_HOOK_PREFIX, strlen(INVITE_HOOK_PREFIX));
	crypto_hex(
	    j->hook_token + strlen(INVITE_HOOK_PREFIX), hook, sizeof(hook));
	id_new(&j->member);
	join_store(j);
}

const struct op op_join = {
	.name = "join",
	.scope = SCOPE_PUBLIC,
	.rest = { "POST /join" },
	.reply = "joined",
	.flags = OP_REST_ONLY | OP_STRANGER,
	.in = join_in_fields,
	.in_size = sizeof(struct join_in),
	.out = join_out_fields,
	.exec = join_exec,
	.text = "Become a member of a mesh with an invite.",
};
