/* SPDX-License-Identifier: ISC */
/*
 * Joining: POST /join to the broker that the invite names, and new keys.
 */
#include "lib/lib.h"

#include <stdlib.h>
#include <string.h>

#define JOIN_ANSWER_MAX (64 * 1024)

struct membership {
	struct linnet_membership face;
	struct pool pool;
	char *hook_token;
};

void
linnet_new_key(
    char public_key[LINNET_KEY_SIZE], char secret_key[LINNET_SECRET_SIZE])
{
	uint8_t pub[CRYPTO_KEY_LEN], secret[CRYPTO_SECRET_LEN];

	linnet_start();
	crypto_new_pair(pub, secret);
	crypto_hex(public_key, pub, sizeof(pub));
	crypto_hex(secret_key, secret, sizeof(secret));
	crypto_wipe(secret, sizeof(secret));
}

static void
join_write(struct buf *out, const struct linnet_invite *invite,
    const char *public_key, const char *display_name)
{
	struct json_writer w;

	json_start(&w, out);
	json_object(&w);
	json_key(&w, "invite_token");
	json_str(&w, invite->token);
	json_key(&w, "invite_payload");
	json_raw(&w, invite->payload, strlen(invite->payload));
	json_key(&w, "peer_pubkey");
	json_str(&w, public_key);
	json_key(&w, "display_name");
	json_str(&w, display_name);
	json_object_end(&w);
}

/* A secret is in no pool, so that it can be wiped. */
static char *
join_secret(const struct json *j, const char *key)
{
	size_t at = json_get(j, 0, key);
	const struct json_node *node = &j->nodes[at];
	char *s;

	if (at == 0 || node->type != JSON_STRING || node->n == 0)
		return NULL;
	s = xmalloc((size_t)node->n + 1);
	s[json_unescape(node, s)] = '\0';
	return s;
}

static struct linnet_membership *
join_read(const char *text, size_t n, struct linnet_error *error)
{
	struct membership *m = xcalloc(1, sizeof(*m));
	struct linnet_membership *f = &m->face;
	struct json j;

	pool_init(&m->pool);
	json_init(&j, LINNET_JSON_NODES, LINNET_JSON_DEPTH);
	if (json_read(&j, text, n) == 0 && linnet_json_bool(&j, 0, "ok")) {
		f->member_id = linnet_json_str(&m->pool, &j, 0, "memberId");
		f->mesh_slug = linnet_json_str(&m->pool, &j, 0, "meshSlug");
		f->mesh_name = linnet_json_str(&m->pool, &j, 0, "meshName");
		f->already = linnet_json_bool(&j, 0, "alreadyMember");
		f->hook_token = m->hook_token = join_secret(&j, "hookToken");
	}
	json_free(&j);
	if (f->member_id != NULL && f->member_id[0] != '\0')
		return f;
	linnet_membership_free(f);
	linnet_error_set(error, "protocol",
	    "The answer to the join names no member; is it a Linnet broker?");
	return NULL;
}

struct linnet_membership *
linnet_join(const struct linnet_invite *invite, const char *public_key,
    const char *display_name, const struct linnet_tls *tls, int timeout_ms,
    struct linnet_error *error)
{
	static const struct linnet_tls usual = { 0 };
	struct linnet_membership *m = NULL;
	struct ssl_ctx_st *ctx = NULL;
	struct buf body, answer;
	struct linnet_url url;

	linnet_start();
	if (!str_is_name(display_name, strlen(display_name))) {
		linnet_error_set(error, "bad_argument",
		    "The name is empty, or holds characters that cannot be "
		    "seen; choose another.");
		return NULL;
	}
	if (linnet_url_read(&url, invite->broker_url, error) != 0)
		return NULL;
	if (url.tls &&
	    (ctx = linnet_tls_new(tls != NULL ? tls : &usual, error)) == NULL)
		return NULL;
	buf_init(&body, SIZE_MAX / 2);
	buf_init(&answer, JOIN_ANSWER_MAX);
	join_write(&body, invite, public_key, display_name);
	if (linnet_http_post(&url, ctx, "/join", &body, &answer,
		timeout_ms > 0 ? timeout_ms : LINNET_CONNECT_MS, error) == 0)
		m = join_read(answer.data, answer.len, error);
	if (answer.data != NULL)
		crypto_wipe(answer.data, answer.len);
	buf_free(&answer);
	buf_free(&body);
	linnet_tls_free(ctx);
	return m;
}

void
linnet_membership_free(struct linnet_membership *membership)
{
	struct membership *m;

	if (membership == NULL)
		return;
	m = CONTAINER(membership, struct membership, face);
	if (m->hook_token != NULL)
		crypto_wipe(m->hook_token, strlen(m->hook_token));
	free(m->hook_token);
	pool_free(&m->pool);
	free(m);
}
