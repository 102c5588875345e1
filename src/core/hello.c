/* SPDX-License-Identifier: ISC */
/*
 * hello: a member enters a mesh, and signs with its own key.
 *
 * Clock and signature are checked here, the rest in hello_open.c.  A session
 * key is only claimed: whoever shows that it has the key, by a session_hello,
 * has it alone from then on.
 */
#include <inttypes.h>
#include <stdio.h>

#include "core/hello.h"

static const struct field hello_in_fields[] = {
	{ "meshId", F_ID, HELLO_IN(mesh), 0, 0, FIELD_REQUIRED, NULL, NULL, 0,
	    "Mesh to enter." },
	{ "memberId", F_ID, HELLO_IN(member), 0, 0, FIELD_REQUIRED, NULL, NULL,
	    0, "Member that enters; it must own the key." },
	{ "pubkey", F_STR, HELLO_IN(member_key), 64, 64, FIELD_REQUIRED, NULL,
	    NULL, 0, "The member's Ed25519 public key, in hex." },
	{ "sessionPubkey", F_STR, HELLO_IN(session_key), 0, 64, 0, NULL, NULL,
	    0,
	    "A key of this session alone, to be addressed and encrypted to, in "
	    "lower-case hex." },
	HELLO_FIELDS,
	{ "signature", F_SIG, HELLO_IN(signature), 0, 0, FIELD_REQUIRED, NULL,
	    NULL, 0,
	    "By the member's key over meshId|memberId|pubkey|timestamp." },
	{ .type = F_END },
};

static enum err
hello_check(
    struct request *r, const struct hello_in *in, struct session_info *i)
{
	char text[2 * ID_HEX_LEN + 64 + 32], mesh[ID_HEX_LEN + 1],
	    member[ID_HEX_LEN + 1];
	enum err e = hello_check_clock(r, in);
	int n;

	if (e != ERR_NONE)
		return e;
	if (crypto_unhex(i->member_key, CRYPTO_KEY_LEN, in->member_key.p,
		in->member_key.n) != 0)
		return op_error(r, ERR_MALFORMED,
		    "pubkey must be 64 hex chars (32 bytes).");
	n = snprintf(text, sizeof(text), "%s|%s|" SLICE_FMT "|%" PRId64,
	    id_hex(&in->mesh, mesh), id_hex(&in->member, member),
	    SLICE_ARG(in->member_key), in->timestamp);
	if (!crypto_check_sig(in->signature, text, (size_t)n, i->member_key))
		return ERR_BAD_SIGNATURE;
	if (in->session_key.n > 0 &&
	    attestation_key(i->key, in->session_key) != 0)
		return op_error(r, ERR_BAD_SESSION_PUBKEY,
		    "sessionPubkey must be 64 lower-case hex digits.");
	return ERR_NONE;
}

static void
hello_exec(struct request *r, void *arg)
{
	const struct hello_in *in = arg;
	struct hello *h = hello_new(r, in);
	enum err e;

	if (h == NULL)
		return;
	if ((e = hello_check(r, in, &h->info)) != ERR_NONE)
		hello_refuse(r, e);
	else
		hello_open(h);
}

const struct op op_hello = {
	.name = "hello",
	.scope = SCOPE_PUBLIC,
	.reply = "hello_ack",
	.flags = OP_OPENS,
	.in = hello_in_fields,
	.in_size = sizeof(struct hello_in),
	.out = hello_out_fields,
	.exec = hello_exec,
	.text = "Enter a mesh as a member: the first message of a connection.",
};
