/* SPDX-License-Identifier: ISC */
/*
 * Invites: a token is base64url of a JSON object that the mesh's owner signed
 * as the text
 *	v|mesh_id|mesh_slug|broker_url|expires_at|mesh_root_key|role|owner_pubkey
 * Nothing of it is used before the signature was checked: the address of the
 * broker is in there, and a forged one would lead elsewhere.
 */
#include "lib/lib.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define INVITE_TOKEN_MIN 20
#define INVITE_TOKEN_MAX 8192
#define INVITE_NODES 64

/* The face, and the memory behind it. */
struct invite {
	struct linnet_invite face;
	struct pool pool;
};

static const char *const invite_schemes[] = { "linnet://join/", "ic://join/" };

/* Where the token begins and how long it is. */
static struct slice
invite_token(const char *link)
{
	const char *p = NULL, *q;
	size_t i;

	while (isspace((unsigned char)*link))
		link++;
	for (i = 0; i < NELEM(invite_schemes) && p == NULL; i++)
		if (strncasecmp(link, invite_schemes[i],
			strlen(invite_schemes[i])) == 0)
			p = link + strlen(invite_schemes[i]);
	if (p == NULL && (strncasecmp(link, "http://", 7) == 0 ||
			     strncasecmp(link, "https://", 8) == 0)) {
		for (q = link; (q = strstr(q, "/join/")) != NULL;)
			p = q += strlen("/join/");
		if (p == NULL)
			p = "";
	}
	if (p == NULL)
		p = link;
	i = strcspn(p, "/?# \t\r\n");
	return (struct slice){ p, i };
}

static int
invite_fail(struct linnet_error *e, const char *why)
{
	linnet_error_set(e, "bad_invite",
	    "This is no invite: %s. Ask for the whole link, which begins with "
	    "linnet://join/ or http.",
	    why);
	return -1;
}

static int
invite_check(const struct linnet_invite *v, const char *root_key,
    const char *signature, int64_t version, struct linnet_error *e)
{
	uint8_t owner[CRYPTO_KEY_LEN], sig[CRYPTO_SIG_LEN];
	char *text;
	bool good;

	text = xasprintf("%" PRId64 "|%s|%s|%s|%" PRId64 "|%s|%s|%s", version,
	    v->mesh_id, v->mesh_slug, v->broker_url, v->expires_at, root_key,
	    v->role, v->owner_key);
	good =
	    crypto_unhex(owner, sizeof(owner), v->owner_key,
		strlen(v->owner_key)) == 0 &&
	    crypto_unhex(sig, sizeof(sig), signature, strlen(signature)) == 0 &&
	    crypto_check_sig(sig, text, strlen(text), owner);
	free(text);
	if (good)
		return 0;
	linnet_error_set(e, "invite_bad_signature",
	    "The invite is not signed by the owner it names: it was changed "
	    "on the way. Ask for a new one.");
	return -1;
}

static int
invite_read(struct invite *v, const struct json *j, struct linnet_error *e)
{
	struct linnet_invite *f = &v->face;
	int64_t version = linnet_json_int(j, 0, "v");

	if (j->nodes[0].type != JSON_OBJECT)
		return invite_fail(e, "it does not hold what an invite holds");
	if (version != 1)
		return invite_fail(e, "it is not of version 1");
	f->mesh_id = linnet_json_str(&v->pool, j, 0, "mesh_id");
	f->mesh_slug = linnet_json_str(&v->pool, j, 0, "mesh_slug");
	f->broker_url = linnet_json_str(&v->pool, j, 0, "broker_url");
	f->role = linnet_json_str(&v->pool, j, 0, "role");
	f->owner_key = linnet_json_str(&v->pool, j, 0, "owner_pubkey");
	f->expires_at = linnet_json_int(j, 0, "expires_at");
	if (f->mesh_id[0] == '\0' || f->broker_url[0] == '\0')
		return invite_fail(e, "it names no mesh and no broker");
	return invite_check(f, linnet_json_str(&v->pool, j, 0, "mesh_root_key"),
	    linnet_json_str(&v->pool, j, 0, "signature"), version, e);
}

struct linnet_invite *
linnet_invite_read(const char *link, struct linnet_error *error)
{
	struct slice token = invite_token(link);
	struct invite *v;
	struct json j;
	char *payload;
	ptrdiff_t n;

	linnet_start();
	if (token.n < INVITE_TOKEN_MIN || token.n > INVITE_TOKEN_MAX) {
		(void)invite_fail(error, "it is too short or too long");
		return NULL;
	}
	v = xcalloc(1, sizeof(*v));
	pool_init(&v->pool);
	json_init(&j, INVITE_NODES, 4);
	v->face.token = pool_strndup(&v->pool, token.p, token.n);
	payload = pool_alloc(&v->pool, token.n + 1);
	n = crypto_unbase64(payload, token.n, token.p, token.n, CRYPTO_B64_URL);
	if (n < 0 || json_read(&j, payload, (size_t)n) != 0) {
		(void)invite_fail(error, "it cannot be decoded");
		goto fail;
	}
	payload[n] = '\0';
	v->face.payload = payload;
	if (invite_read(v, &j, error) != 0)
		goto fail;
	json_free(&j);
	return &v->face;
fail:
	json_free(&j);
	linnet_invite_free(&v->face);
	return NULL;
}

void
linnet_invite_free(struct linnet_invite *invite)
{
	struct invite *v;

	if (invite == NULL)
		return;
	v = CONTAINER(invite, struct invite, face);
	pool_free(&v->pool);
	free(v);
}
