/* SPDX-License-Identifier: ISC */
/*
 * session_hello: a session enters a mesh with its own key, and shows the word
 * of its member (the parent) that the key is the member's session.
 *
 * Who has the member's key need not be there: a client may keep that key apart
 * and hand out attestations.  The session key is proven by this, and whoever
 * only claims it is refused from then on.
 */
#include <string.h>

#include "core/hello.h"

#define IN(field) offsetof(struct hello_attestation, field)
static const struct field attestation_fields[] = {
	{ "sessionPubkey", F_STR, IN(session_key), 0, 64, FIELD_REQUIRED, NULL,
	    NULL, 0, "The session's key; the same as outside." },
	{ "parentMemberPubkey", F_STR, IN(member_key), 0, 64, FIELD_REQUIRED,
	    NULL, NULL, 0, "The member's key; the same as outside." },
	{ "expiresAt", F_INT, IN(expires_ms), 0, INT64_MAX, FIELD_REQUIRED,
	    NULL, NULL, 0,
	    "Until when, in milliseconds since 1970; at most 24 hours ahead." },
	{ "signature", F_SIG, IN(signature), 0, 0, FIELD_REQUIRED, NULL, NULL,
	    0,
	    "By the member's key over claudemesh-session-attest|"
	    "parentMemberPubkey|sessionPubkey|expiresAt." },
	{ .type = F_END },
};
#undef IN

static const struct field session_hello_fields[] = {
	{ "meshId", F_ID, HELLO_IN(mesh), 0, 0, FIELD_REQUIRED, NULL, NULL, 0,
	    "Mesh to enter." },
	{ "parentMemberId", F_ID, HELLO_IN(member), 0, 0, FIELD_REQUIRED, NULL,
	    NULL, 0, "Member whose session it is; it must own the key." },
	{ "parentMemberPubkey", F_STR, HELLO_IN(member_key), 0, 64,
	    FIELD_REQUIRED, NULL, NULL, 0,
	    "The member's Ed25519 public key, in lower-case hex." },
	{ "sessionPubkey", F_STR, HELLO_IN(session_key), 0, 64, FIELD_REQUIRED,
	    NULL, NULL, 0, "The session's, likewise." },
	{ "parentAttestation", F_ROW, HELLO_IN(attestation), 0, 0,
	    FIELD_REQUIRED, NULL, attestation_fields,
	    sizeof(struct hello_attestation),
	    "The member's word that the key is its session's." },
	HELLO_FIELDS,
	{ "signature", F_SIG, HELLO_IN(signature), 0, 0, FIELD_REQUIRED, NULL,
	    NULL, 0,
	    "By the session's key over claudemesh-session-hello|meshId|"
	    "parentMemberPubkey|sessionPubkey|timestamp." },
	{ .type = F_END },
};

static bool
session_hello_same(struct slice a, struct slice b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static enum err
session_hello_check(
    struct request *r, const struct hello_in *in, struct session_info *i)
{
	struct attestation a = {
		.member_key = in->member_key,
		.session_key = in->session_key,
		.expires_ms = in->attestation.expires_ms,
	};
	enum err e;

	if (attestation_key(i->key, in->session_key) != 0)
		return op_error(r, ERR_BAD_SESSION_PUBKEY,
		    "sessionPubkey must be 64 lower-case hex digits.");
	if (attestation_key(i->member_key, in->member_key) != 0)
		return op_error(r, ERR_BAD_PARENT_PUBKEY,
		    "parentMemberPubkey must be 64 lower-case hex digits.");
	if (!session_hello_same(in->attestation.session_key, in->session_key) ||
	    !session_hello_same(in->attestation.member_key, in->member_key))
		return ERR_ATTESTATION_MISMATCH;
	memcpy(a.signature, in->attestation.signature, CRYPTO_SIG_LEN);
	if ((e = attestation_check(&a, i->member_key, clock_wall())) !=
		ERR_NONE ||
	    (e = hello_check_clock(r, in)) != ERR_NONE)
		return e;
	return attestation_check_hello(
		   &a, &in->mesh, in->timestamp, in->signature, i->key)
		   ? ERR_NONE
		   : ERR_BAD_SIGNATURE;
}

static void
session_hello_exec(struct request *r, void *arg)
{
	const struct hello_in *in = arg;
	struct hello *h = hello_new(r, in);
	enum err e;

	if (h == NULL)
		return;
	h->proven = true;
	if ((e = session_hello_check(r, in, &h->info)) != ERR_NONE)
		hello_refuse(r, e);
	else
		hello_open(h);
}

const struct op op_session_hello = {
	.name = "session_hello",
	.scope = SCOPE_PUBLIC,
	.reply = "hello_ack",
	.flags = OP_OPENS,
	.in = session_hello_fields,
	.in_size = sizeof(struct hello_in),
	.out = hello_out_fields,
	.exec = session_hello_exec,
	.text = "Enter a mesh as a session that its member attested, in place "
		"of hello.",
};
