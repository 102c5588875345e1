/* SPDX-License-Identifier: ISC */
/*
 * Saying who we are.  hello is signed by the member's key, session_hello by
 * the session's, for which the member's attestation stands.  The letters of
 * keys are sent as they are signed.
 */
#include "lib/lib.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HELLO_CONTROL "control-plane"
#define HELLO_ATTEST_MS ((int64_t)12 * 3600 * 1000)

/* What the machine calls itself or its directories need not be UTF-8. */
static void
hello_add(struct json_writer *w, const char *key, const char *text)
{
	if (text == NULL || text[0] == '\0' || !str_utf8(text, strlen(text)))
		return;
	json_key(w, key);
	json_str(w, text);
}

static void
hello_host(struct json_writer *w)
{
	char host[256];

	if (gethostname(host, sizeof(host)) == 0) {
		host[sizeof(host) - 1] = '\0';
		hello_add(w, "hostname", host);
	}
}

static void
hello_groups(struct json_writer *w, const struct linnet_config *c)
{
	size_t i;

	if (c->ngroups == 0)
		return;
	json_key(w, "groups");
	json_array(w);
	for (i = 0; i < c->ngroups; i++) {
		json_object(w);
		json_key(w, "name");
		json_str(w, c->groups[i].name);
		hello_add(w, "role", c->groups[i].role);
		json_object_end(w);
	}
	json_array_end(w);
}

static void
hello_sign(struct json_writer *w, const uint8_t secret[CRYPTO_SECRET_LEN],
    int64_t wall_ms, char *text)
{
	uint8_t sig[CRYPTO_SIG_LEN];

	crypto_make_sig(sig, text, strlen(text), secret);
	free(text);
	json_key(w, "timestamp");
	json_num(w, wall_ms);
	json_key(w, "signature");
	json_hex(w, sig, sizeof(sig));
}

/* By the member. */
static void
hello_member(struct json_writer *w, const struct linnet *l, int64_t wall_ms)
{
	const struct linnet_config *c = &l->config;
	const struct linnet_identity *id = &l->id;

	json_key(w, "memberId");
	json_str(w, c->member_id);
	json_key(w, "pubkey");
	json_str(w, id->member_key);
	/* Only claimed: the broker may not know how to have it proven. */
	hello_add(w, "sessionPubkey", id->session_key);
	hello_sign(w, id->member_secret, wall_ms,
	    xasprintf("%s|%s|%s|%" PRId64, c->mesh_id, c->member_id,
		id->member_key, wall_ms));
}

/* By the session. */
static void
hello_session(struct json_writer *w, const struct linnet *l, int64_t wall_ms)
{
	const struct linnet_config *c = &l->config;
	const struct linnet_identity *id = &l->id;
	char made[LINNET_ATTESTATION_SIZE], member[LINNET_KEY_SIZE];
	const char *attestation = id->attestation;
	uint8_t key[CRYPTO_KEY_LEN];

	if (crypto_unhex(
		key, sizeof(key), id->member_key, strlen(id->member_key)) != 0)
		fatalx("hex digits that are none");
	crypto_hex(member, key, sizeof(key));
	if (attestation[0] == '\0') {
		linnet_identity_write(made, id->member_secret, member,
		    id->session_key, wall_ms + HELLO_ATTEST_MS);
		attestation = made;
	}
	json_key(w, "parentMemberId");
	json_str(w, c->member_id);
	json_key(w, "parentMemberPubkey");
	json_str(w, member);
	json_key(w, "sessionPubkey");
	json_str(w, id->session_key);
	json_key(w, "parentAttestation");
	json_raw(w, attestation, strlen(attestation));
	hello_sign(w, id->session_secret, wall_ms,
	    xasprintf("claudemesh-session-hello|%s|%s|%s|%" PRId64, c->mesh_id,
		member, id->session_key, wall_ms));
}

void
linnet_hello_write(
    struct buf *out, const struct linnet *l, int64_t wall_ms, bool session)
{
	const struct linnet_config *c = &l->config;
	struct json_writer w;

	json_start(&w, out);
	json_object(&w);
	json_key(&w, "type");
	json_str(&w, session ? "session_hello" : "hello");
	json_key(&w, "meshId");
	json_str(&w, c->mesh_id);
	hello_add(&w, "displayName", c->name);
	json_key(&w, "sessionId");
	json_str(&w, c->session_id);
	json_key(&w, "pid");
	json_num(&w, getpid());
	hello_host(&w);
	hello_add(&w, "cwd", c->cwd);
	hello_add(&w, "peerType", c->peer_type);
	hello_add(&w, "channel", c->channel);
	hello_add(&w, "model", c->model);
	hello_add(&w, "role", c->role);
	if (c->control)
		hello_add(&w, "peerRole", HELLO_CONTROL);
	json_key(&w, "capabilities");
	json_array(&w);
	json_str(&w, "client_ack");
	json_array_end(&w);
	hello_groups(&w, c);
	if (session)
		hello_session(&w, l, wall_ms);
	else
		hello_member(&w, l, wall_ms);
	json_object_end(&w);
}
