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

static void
message_put(struct json_writer *w, const uint8_t nonce[CRYPTO_NONCE_LEN],
    const void *bytes, size_t n)
{
	char nonce64[CRYPTO_B64_LEN(CRYPTO_NONCE_LEN)];
	char *text = xmalloc(CRYPTO_B64_LEN(n));

	crypto_base64(nonce64, nonce, CRYPTO_NONCE_LEN, CRYPTO_B64_STD);
	crypto_base64(text, bytes, n, CRYPTO_B64_STD);
	json_key(w, "nonce");
	json_str(w, nonce64);
	json_key(w, "ciphertext");
	json_str(w, text);
	free(text);
}

/* What a message has whomever it is to. */
static void
message_begin(
    struct json_writer *w, const struct linnet_outgoing *m, const char *id)
{
	size_t i;

	json_key(w, "priority");
	json_str(w, m->priority != NULL ? m->priority : "next");
	json_key(w, "client_message_id");
	json_str(w, id);
	if (m->reply_to != NULL) {
		json_key(w, "replyToId");
		json_str(w, m->reply_to);
	}
	if (m->files != NULL) {
		json_key(w, "files");
		json_array(w);
		for (i = 0; m->files[i] != NULL; i++)
			json_str(w, m->files[i]);
		json_array_end(w);
	}
	if (m->ttl_ms > 0) {
		json_key(w, "ttl");
		json_num(w, m->ttl_ms);
	}
}

/*
 * The same message, sent again under the same id by a program that was started
 * again meanwhile, has to be the same bytes: else the broker takes it for
 * another one.  So the nonce is no random number but a keyed digest of all
 * that goes in; for different messages it differs.
 */
static void
message_nonce(uint8_t nonce[CRYPTO_NONCE_LEN], const struct linnet *l,
    const struct slice *to, const struct linnet_outgoing *m, const char *id)
{
	uint8_t digest[CRYPTO_DIGEST_LEN];
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	buf_addf(&b, "linnet-nonce|%zu|%s|%zu|", strlen(id), id, to->n);
	buf_add(&b, to->p, to->n);
	buf_add(&b, m->length > 0 ? m->text : "", m->length);
	if (b.failed)
		fatalx("out of memory");
	crypto_digest(digest, b.data, b.len, linnet_identity_secret(&l->id));
	memcpy(nonce, digest, CRYPTO_NONCE_LEN);
	crypto_wipe(b.data, b.len);
	buf_free(&b);
}

int
linnet_message_seal(struct buf *out, const struct linnet *l, const char *key,
    const struct linnet_outgoing *m, const char *id, struct linnet_error *e)
{
	uint8_t to[CRYPTO_KEY_LEN], nonce[CRYPTO_NONCE_LEN];
	const size_t n = m->length + CRYPTO_BOX_EXTRA;
	uint8_t *box = xmalloc(n);
	struct json_writer w;
	int r = -1;

	message_nonce(
	    nonce, l, &(const struct slice){ key, strlen(key) }, m, id);
	if (crypto_unhex(to, sizeof(to), key, strlen(key)) != 0 ||
	    crypto_seal_as(box, nonce, m->text, m->length, to,
		linnet_identity_secret(&l->id)) != 0) {
		linnet_error_set(e, "bad_argument",
		    "%.64s is no public key that one can encrypt to.", key);
		goto fail;
	}
	json_start(&w, out);
	json_key(&w, "targetSpec");
	json_str(&w, key);
	message_begin(&w, m, id);
	message_put(&w, nonce, box, n);
	r = 0;
fail:
	free(box);
	return r;
}

void
linnet_message_clear(struct buf *out, const struct linnet *l,
    const struct slice *targets, const struct linnet_outgoing *m,
    const char *id)
{
	uint8_t nonce[CRYPTO_NONCE_LEN];
	struct json_writer w;

	message_nonce(nonce, l, targets, m, id);
	json_start(&w, out);
	json_key(&w, "targetSpec");
	json_raw(&w, targets->p, targets->n);
	message_begin(&w, m, id);
	message_put(&w, nonce, m->length > 0 ? m->text : "", m->length);
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

/* Whoever wrote to the member did not know the session, so both keys count. */
static bool
message_open_any(struct linnet_message *m, struct pool *p, const char *nonce64,
    const char *box, size_t n, const struct linnet_identity *id)
{
	const uint8_t *bytes = (const uint8_t *)box;

	return (id->session &&
		   message_open(m, p, nonce64, bytes, n, id->session_secret)) ||
	       (id->member &&
		   message_open(m, p, nonce64, bytes, n, id->member_secret));
}

static void
message_decode(struct linnet_message *m, struct pool *p, const char *nonce64,
    const char *ciphertext, const struct linnet_identity *id)
{
	size_t max = strlen(ciphertext);
	char *bytes = pool_alloc(p, max + 1);
	ptrdiff_t n =
	    crypto_unbase64(bytes, max, ciphertext, max, CRYPTO_B64_STD);

	m->secrecy = LINNET_UNREADABLE;
	m->text = NULL;
	m->length = 0;
	if (n < 0 || message_open_any(m, p, nonce64, bytes, (size_t)n, id) ||
	    !message_is_text(bytes, (size_t)n))
		return;
	bytes[n] = '\0';
	m->text = bytes;
	m->length = (size_t)n;
	m->secrecy = LINNET_CLEAR;
}

/* What goes with it; a file that cannot be asked for is none. */
static void
message_read_files(
    struct linnet_message *m, struct pool *p, const struct json *j)
{
	size_t at = json_get(j, 0, "files"), i, n = 0;
	struct linnet_attachment *files;

	if (at == 0 || j->nodes[at].type != JSON_ARRAY)
		return;
	for (i = JSON_FIRST(at); i < j->nodes[at].end; i = j->nodes[i].end)
		n++;
	m->files = files = pool_alloc(p, (n + 1) * sizeof(*files));
	for (i = JSON_FIRST(at); i < j->nodes[at].end; i = j->nodes[i].end) {
		files[m->nfiles] = (struct linnet_attachment){
			.id = linnet_json_str(p, j, i, "id"),
			.name = linnet_json_str(p, j, i, "name"),
		};
		if (json_int(&j->nodes[json_get(j, i, "size")],
			&files[m->nfiles].size) != 0)
			files[m->nfiles].size = 0;
		m->nfiles += files[m->nfiles].id[0] != '\0';
	}
}

int
linnet_message_read(struct linnet_message *m, struct pool *p,
    const struct json *j, const struct linnet_identity *id)
{
	*m = (struct linnet_message){ 0 };
	m->id = linnet_json_str(p, j, 0, "messageId");
	m->mesh_id = linnet_json_str(p, j, 0, "meshId");
	m->sender_key = linnet_json_str(p, j, 0, "senderPubkey");
	m->sender_member_key = linnet_json_str(p, j, 0, "senderMemberPubkey");
	m->sender_member_id = linnet_json_str(p, j, 0, "senderMemberId");
	m->sender_name = linnet_json_str(p, j, 0, "senderName");
	m->target = linnet_json_str(p, j, 0, "targetSpec");
	m->priority = linnet_json_str(p, j, 0, "priority");
	m->created_at = linnet_json_str(p, j, 0, "createdAt");
	m->reply_to = linnet_json_str(p, j, 0, "replyToId");
	m->subtype = linnet_json_str(p, j, 0, "subtype");
	if (m->id[0] == '\0')
		return -1;
	message_read_files(m, p, j);
	message_decode(m, p, linnet_json_str(p, j, 0, "nonce"),
	    linnet_json_str(p, j, 0, "ciphertext"), id);
	return 0;
}
