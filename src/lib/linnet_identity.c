/* SPDX-License-Identifier: ISC */
/*
 * Who a connection speaks for: a member by its secret key, a session by a key
 * of its own for which the member has given its word (the attestation), or
 * both.  Secrets live in this struct only, and end with linnet_identity_wipe().
 *
 * A session that the caller named gets its key from the member's secret and
 * that name: started again it is the same session, can read what waited for
 * it, and nothing had to be kept.
 */
#include "lib/lib.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ATTEST_S (12 * 3600)
#define ATTEST_MAX_S (24 * 3600)
#define ATTEST_NODES 64
#define HEX_DIGITS "0123456789abcdefABCDEF"

static int
identity_fail(struct linnet_error *e, const char *why)
{
	linnet_error_set(e, "bad_argument", "%s", why);
	return -1;
}

static bool
identity_is_hex(const char *s, size_t n)
{
	return s != NULL && strlen(s) == n && strspn(s, HEX_DIGITS) == n;
}

static void
identity_unhex(void *out, size_t n, const char *hex)
{
	if (crypto_unhex(out, n, hex, strlen(hex)) != 0)
		fatalx("hex digits that are none");
}

static int
identity_read_member(struct linnet_identity *id, const struct linnet_config *c,
    struct linnet_error *e)
{
	if (!identity_is_hex(c->public_key, LINNET_KEY_SIZE - 1))
		return identity_fail(e, "The public key is not 64 hex digits.");
	if (!identity_is_hex(c->secret_key, LINNET_SECRET_SIZE - 1))
		return identity_fail(
		    e, "The secret key is not 128 hex digits.");
	if (strncasecmp(c->secret_key + LINNET_KEY_SIZE - 1, c->public_key,
		LINNET_KEY_SIZE - 1) != 0)
		return identity_fail(
		    e, "The secret key does not belong to the public key.");
	(void)str_copy(id->member_key, c->public_key, sizeof(id->member_key));
	identity_unhex(
	    id->member_secret, sizeof(id->member_secret), c->secret_key);
	id->member = true;
	return 0;
}

static void
identity_use_session(struct linnet_identity *id)
{
	/* The public key is the second half. */
	crypto_hex(id->session_key, id->session_secret + CRYPTO_KEY_LEN,
	    CRYPTO_KEY_LEN);
	id->session = true;
}

static void
identity_make_session(
    struct linnet_identity *id, const char *mesh_id, const char *session_id)
{
	uint8_t pub[CRYPTO_KEY_LEN], seed[CRYPTO_DIGEST_LEN];
	char *text;

	if (session_id != NULL) {
		text =
		    xasprintf("linnet-session-key|%s|%s", mesh_id, session_id);
		crypto_digest(seed, text, strlen(text), id->member_secret);
		crypto_seed_pair(pub, id->session_secret, seed);
		crypto_wipe(seed, sizeof(seed));
		free(text);
	} else
		crypto_new_pair(pub, id->session_secret);
	identity_use_session(id);
}

int
linnet_identity_read(struct linnet_identity *id, const struct linnet_config *c,
    struct linnet_error *e)
{
	bool no_key = c->control || c->no_session_key;

	memset(id, 0, sizeof(*id));
	if (c->secret_key != NULL || c->attestation == NULL) {
		if (identity_read_member(id, c, e) != 0)
			goto fail;
	} else if (c->session_key == NULL) {
		(void)identity_fail(
		    e, "An attestation needs the secret key of its session.");
		goto fail;
	}
	if (c->session_key != NULL &&
	    !identity_is_hex(c->session_key, LINNET_SECRET_SIZE - 1)) {
		(void)identity_fail(
		    e, "The secret key of the session is not 128 hex digits.");
		goto fail;
	}
	if (c->session_key != NULL && (!id->member || !no_key)) {
		identity_unhex(id->session_secret, sizeof(id->session_secret),
		    c->session_key);
		identity_use_session(id);
	} else if (!no_key)
		identity_make_session(id, c->mesh_id, c->session_id);
	if (c->attestation == NULL || !id->session)
		return 0;
	if (linnet_identity_attest(id, c->attestation, e) == 0)
		return 0;
fail:
	linnet_identity_wipe(id);
	return -1;
}

void
linnet_identity_wipe(struct linnet_identity *id)
{
	crypto_wipe(id, sizeof(*id));
}

const char *
linnet_identity_key(const struct linnet_identity *id)
{
	return id->session ? id->session_key : id->member_key;
}

const uint8_t *
linnet_identity_secret(const struct linnet_identity *id)
{
	return id->session ? id->session_secret : id->member_secret;
}

int
linnet_identity_attest(
    struct linnet_identity *id, const char *attestation, struct linnet_error *e)
{
	const size_t n = strlen(attestation);
	const char *member, *session;
	int64_t expires;
	struct json j;
	struct pool p;
	int r = -1;

	json_init(&j, ATTEST_NODES, 4);
	pool_init(&p);
	if (n >= sizeof(id->attestation) ||
	    json_read(&j, attestation, n) != 0) {
		(void)identity_fail(e, "The attestation is no attestation.");
		goto fail;
	}
	member = linnet_json_str(&p, &j, 0, "parentMemberPubkey");
	session = linnet_json_str(&p, &j, 0, "sessionPubkey");
	expires = linnet_json_int(&j, 0, "expiresAt");
	if (!identity_is_hex(member, LINNET_KEY_SIZE - 1) || expires <= 0) {
		(void)identity_fail(e, "The attestation is no attestation.");
		goto fail;
	}
	if (strcmp(session, id->session_key) != 0) {
		(void)identity_fail(
		    e, "The attestation is for another session key.");
		goto fail;
	}
	if (id->member && strcasecmp(member, id->member_key) != 0) {
		(void)identity_fail(
		    e, "The attestation is from another member.");
		goto fail;
	}
	(void)str_copy(id->member_key, member, sizeof(id->member_key));
	memcpy(id->attestation, attestation, n + 1);
	r = 0;
fail:
	pool_free(&p);
	json_free(&j);
	return r;
}

void
linnet_identity_write(char out[LINNET_ATTESTATION_SIZE],
    const uint8_t secret[CRYPTO_SECRET_LEN], const char *member_key,
    const char *session_key, int64_t expires_ms)
{
	uint8_t sig[CRYPTO_SIG_LEN];
	char *text = xasprintf("claudemesh-session-attest|%s|%s|%" PRId64,
	    member_key, session_key, expires_ms);
	struct json_writer w;
	struct buf b;

	crypto_make_sig(sig, text, strlen(text), secret);
	free(text);
	buf_init(&b, LINNET_ATTESTATION_SIZE - 1);
	json_start(&w, &b);
	json_object(&w);
	json_key(&w, "sessionPubkey");
	json_str(&w, session_key);
	json_key(&w, "parentMemberPubkey");
	json_str(&w, member_key);
	json_key(&w, "expiresAt");
	json_num(&w, expires_ms);
	json_key(&w, "signature");
	json_hex(&w, sig, sizeof(sig));
	json_object_end(&w);
	if (b.failed)
		fatalx("an attestation is too long");
	memcpy(out, b.data, b.len);
	out[b.len] = '\0';
	buf_free(&b);
}

/* Keys are signed, and compared by brokers, in lower case. */
static void
identity_lower(char out[LINNET_KEY_SIZE], const char *hex)
{
	uint8_t key[CRYPTO_KEY_LEN];

	identity_unhex(key, sizeof(key), hex);
	crypto_hex(out, key, sizeof(key));
}

int
linnet_attest(const char *member_secret_key, const char *session_public_key,
    int64_t lifetime_s, char attestation[LINNET_ATTESTATION_SIZE],
    struct linnet_error *error)
{
	char member[LINNET_KEY_SIZE], session[LINNET_KEY_SIZE];
	uint8_t secret[CRYPTO_SECRET_LEN];

	linnet_start();
	if (!identity_is_hex(member_secret_key, LINNET_SECRET_SIZE - 1))
		return identity_fail(
		    error, "The secret key is not 128 hex digits.");
	if (!identity_is_hex(session_public_key, LINNET_KEY_SIZE - 1))
		return identity_fail(
		    error, "The key of the session is not 64 hex digits.");
	if (lifetime_s < 0 || lifetime_s > ATTEST_MAX_S)
		return identity_fail(
		    error, "An attestation is good for 1 to 86400 seconds.");
	identity_unhex(secret, sizeof(secret), member_secret_key);
	identity_lower(member, member_secret_key + LINNET_KEY_SIZE - 1);
	identity_lower(session, session_public_key);
	linnet_identity_write(attestation, secret, member, session,
	    linnet_wall() + (lifetime_s > 0 ? lifetime_s : ATTEST_S) * 1000);
	crypto_wipe(secret, sizeof(secret));
	return 0;
}
