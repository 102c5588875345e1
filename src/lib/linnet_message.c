/* SPDX-License-Identifier: ISC */
/*
 * Messages, sealed and opened.
 *
 * To one peer a text is a crypto_box between the Ed25519 keys of both, made to
 * X25519; to many it is base64 of the text under a nonce that nobody uses.  A
 * receiver cannot tell by looking: it tries its key first, and takes what
 * reads as text when that fails.  Which of both it was is told, because only
 * a box says that nobody read or changed it, and who wrote it.
 */
#include "lib/lib.h"

#include <stdlib.h>
#include <string.h>

static int
message_seal_to(struct json_writer *w, const struct linnet *l, const char *key,
    const struct linnet_outgoing *m)
{
	uint8_t to[CRYPTO_KEY_LEN], nonce[CRYPTO_NONCE_LEN];
	char nonce64[CRYPTO_B64_LEN(CRYPTO_NONCE_LEN)], *text;
	size_t n = m->length + CRYPTO_BOX_EXTRA;
	uint8_t *box = xmalloc(n);
	int r = -1;

	if (crypto_unhex(to, sizeof(to), key, strlen(key)) != 0 ||
	    crypto_seal(box, nonce, m->text, m->length, to, l->secret) != 0)
		goto fail;
	text = xmalloc(CRYPTO_B64_LEN(n));
	crypto_base64(nonce64, nonce, sizeof(nonce), CRYPTO_B64_STD);
	crypto_base64(text, box, n, CRYPTO_B64_STD);
	json_key(w, "nonce");
	json_str(w, nonce64);
	json_key(w, "ciphertext");
	json_str(w, text);
	free(text);
	r = 0;
fail:
	free(box);
	return r;
}

static void
message_put_clear(struct json_writer *w, const struct linnet_outgoing *m)
{
	uint8_t nonce[CRYPTO_NONCE_LEN];
	char nonce64[CRYPTO_B64_LEN(CRYPTO_NONCE_LEN)];
	char *text = xmalloc(CRYPTO_B64_LEN(m->length));

	crypto_random_bytes(nonce, sizeof(nonce));
	crypto_base64(nonce64, nonce, sizeof(nonce), CRYPTO_B64_STD);
	crypto_base64(text, m->text, m->length, CRYPTO_B64_STD);
	json_key(w, "nonce");
	json_str(w, nonce64);
	json_key(w, "ciphertext");
	json_str(w, text);
	free(text);
}

int
linnet_message_seal(struct buf *out, const struct linnet *l, const char *target,
    const struct linnet_outgoing *m, struct linnet_error *e)
{
	char id[2 * ID_LEN + 1];
	uint8_t random[ID_LEN];
	struct json_writer w;

	crypto_random_bytes(random, sizeof(random));
	crypto_hex(id, random, sizeof(random));
	json_start(&w, out);
	json_key(&w, "targetSpec");
	json_str(&w, target);
	json_key(&w, "priority");
	json_str(&w, m->priority != NULL ? m->priority : "next");
	json_key(&w, "client_message_id");
	json_str(&w, m->id != NULL ? m->id : id);
	if (linnet_target_is_many(target))
		message_put_clear(&w, m);
	else if (message_seal_to(&w, l, target, m) != 0) {
		linnet_error_set(e, "bad_argument",
		    "%.64s is no public key that one can encrypt to.", target);
		return -1;
	}
	return 0;
}

/* Text that people wrote has no control characters but those of layout. */
static bool
message_is_text(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (((unsigned char)s[i] < ' ' && s[i] != '\n' &&
			s[i] != '\r' && s[i] != '\t') ||
		    s[i] == 0x7f)
			return false;
	return str_utf8(s, n);
}

/* Opens the box; the text goes over the bytes of it. */
static bool
message_open(struct linnet_message *m, struct pool *p, const char *nonce64,
    const uint8_t *box, size_t n, const uint8_t secret[CRYPTO_SECRET_LEN])
{
	uint8_t nonce[CRYPTO_NONCE_LEN], from[CRYPTO_KEY_LEN];
	char *text;

	if (n < CRYPTO_BOX_EXTRA ||
	    crypto_unhex(from, sizeof(from), m->sender_key,
		strlen(m->sender_key)) != 0 ||
	    crypto_unbase64(nonce, sizeof(nonce), nonce64, strlen(nonce64),
		CRYPTO_B64_STD) != (ptrdiff_t)sizeof(nonce))
		return false;
	text = pool_alloc(p, n - CRYPTO_BOX_EXTRA + 1);
	if (crypto_open(text, nonce, box, n, from, secret) != 0)
		return false;
	m->length = n - CRYPTO_BOX_EXTRA;
	text[m->length] = '\0';
	m->text = text;
	m->secrecy = LINNET_SEALED;
	return true;
}

static void
message_decode(struct linnet_message *m, struct pool *p, const char *nonce64,
    const char *ciphertext, const uint8_t secret[CRYPTO_SECRET_LEN])
{
	size_t max = strlen(ciphertext);
	char *bytes = pool_alloc(p, max + 1);
	ptrdiff_t n =
	    crypto_unbase64(bytes, max, ciphertext, max, CRYPTO_B64_STD);

	m->secrecy = LINNET_UNREADABLE;
	m->text = NULL;
	m->length = 0;
	if (n < 0 ||
	    message_open(
		m, p, nonce64, (const uint8_t *)bytes, (size_t)n, secret) ||
	    !message_is_text(bytes, (size_t)n))
		return;
	bytes[n] = '\0';
	m->text = bytes;
	m->length = (size_t)n;
	m->secrecy = LINNET_CLEAR;
}

int
linnet_message_read(struct linnet_message *m, struct pool *p,
    const struct json *j, const uint8_t secret[CRYPTO_SECRET_LEN])
{
	m->id = linnet_json_str(p, j, 0, "messageId");
	m->mesh_id = linnet_json_str(p, j, 0, "meshId");
	m->sender_key = linnet_json_str(p, j, 0, "senderPubkey");
	m->sender_member_key = linnet_json_str(p, j, 0, "senderMemberPubkey");
	m->sender_member_id = linnet_json_str(p, j, 0, "senderMemberId");
	m->sender_name = linnet_json_str(p, j, 0, "senderName");
	m->target = linnet_json_str(p, j, 0, "targetSpec");
	m->priority = linnet_json_str(p, j, 0, "priority");
	m->created_at = linnet_json_str(p, j, 0, "createdAt");
	if (m->id[0] == '\0')
		return -1;
	message_decode(m, p, linnet_json_str(p, j, 0, "nonce"),
	    linnet_json_str(p, j, 0, "ciphertext"), secret);
	return 0;
}
