/* SPDX-License-Identifier: ISC */
/*
 * seed: a mesh with two members and an invite, for tests: one JSON object with
 * all keys.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"

#define SEED_INVITE_USES 1000
#define SEED_INVITE_MS (86400000LL)

static void
seed_member(struct ctl *c, const struct ctl_mesh *m, struct json_writer *w,
    const char *key, const char *name)
{
	uint8_t pub[CRYPTO_KEY_LEN], secret[CRYPTO_SECRET_LEN];
	struct id id;

	ctl_member_make(c, m, name, "member", &id, pub, secret);
	json_key(w, key);
	json_object(w);
	json_key(w, "memberId");
	json_id(w, &id);
	json_key(w, "pubkey");
	json_hex(w, pub, sizeof(pub));
	json_key(w, "secretKey");
	json_hex(w, secret, sizeof(secret));
	json_key(w, "displayName");
	json_str(w, name);
	json_object_end(w);
}

void
ctl_seed(struct ctl *c)
{
	uint8_t random[4];
	char slug[32], hex[2 * sizeof(random) + 1], *token, *link, *url;
	struct json_writer w;
	struct ctl_mesh m;
	struct buf b;
	struct id id;

	crypto_random_bytes(random, sizeof(random));
	crypto_hex(hex, random, sizeof(random));
	snprintf(slug, sizeof(slug), "seed-%s", hex);
	ctl_mesh_make(c, &m, slug, slug, true);
	token = ctl_invite_make(c, &m, &id, "member", SEED_INVITE_USES,
	    clock_wall() + SEED_INVITE_MS);
	link = xasprintf("linnet://join/%s", token);
	url = ctl_daemon_url(c);
	buf_init(&b, 65536);
	json_start(&w, &b);
	json_object(&w);
	json_key(&w, "meshId");
	json_id(&w, &m.id);
	json_key(&w, "slug");
	json_str(&w, m.slug);
	json_key(&w, "brokerUrl");
	json_str(&w, url);
	json_key(&w, "ownerPubkey");
	json_hex(&w, m.owner, sizeof(m.owner));
	json_key(&w, "ownerSecretKey");
	json_hex(&w, m.secret, sizeof(m.secret));
	json_key(&w, "inviteToken");
	json_str(&w, token);
	json_key(&w, "inviteLink");
	json_str(&w, link);
	seed_member(c, &m, &w, "peerA", "peer-a");
	seed_member(c, &m, &w, "peerB", "peer-b");
	json_object_end(&w);
	ctl_print_json(&b);
	free(token);
	free(link);
	free(url);
}
