/* SPDX-License-Identifier: ISC */
/*
 * Secrets of webhooks, and what is signed with them.  A secret is shown once;
 * the database has it locked under a key that is made from that of tokens, and
 * bound to its webhook: who reads or changes the table can sign nothing.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/webhook.h"

#define SECRET_PREFIX "whsec_"
#define SECRET_BYTES 32
#define SECRET_USE "linnet secrets of webhooks"

_Static_assert(WEBHOOK_SECRET_LEN ==
		   sizeof(SECRET_PREFIX) - 1 + CRYPTO_B64_LEN(SECRET_BYTES) - 1,
    "the length of a secret");

void
webhook_secret_make(char out[WEBHOOK_SECRET_LEN + 1])
{
	uint8_t bytes[SECRET_BYTES];

	crypto_random_bytes(bytes, sizeof(bytes));
	memcpy(out, SECRET_PREFIX, sizeof(SECRET_PREFIX) - 1);
	crypto_base64(out + sizeof(SECRET_PREFIX) - 1, bytes, sizeof(bytes),
	    CRYPTO_B64_STD);
	crypto_wipe(bytes, sizeof(bytes));
}

/* Another one for each: what is locked for one opens for no other. */
static void
secret_lock_key(
    const struct core *c, const struct id *webhook, uint8_t key[CRYPTO_KEY_LEN])
{
	uint8_t all[CRYPTO_KEY_LEN];

	token_key_for(c, SECRET_USE, all);
	crypto_digest(key, webhook->b, ID_LEN, all);
	crypto_wipe(all, sizeof(all));
}

void
webhook_secret_lock(const struct core *c, const struct id *webhook,
    struct slice secret, uint8_t *out)
{
	uint8_t key[CRYPTO_KEY_LEN];

	secret_lock_key(c, webhook, key);
	crypto_lock(out, secret.p, secret.n, key);
	crypto_wipe(key, sizeof(key));
}

ptrdiff_t
webhook_secret_unlock(
    const struct core *c, const struct id *webhook, struct slice box, char *out)
{
	uint8_t key[CRYPTO_KEY_LEN];
	int r;

	if (box.n < CRYPTO_LOCK_EXTRA ||
	    box.n > WEBHOOK_SECRET_MAX + CRYPTO_LOCK_EXTRA)
		return -1;
	secret_lock_key(c, webhook, key);
	r = crypto_unlock(out, box.p, box.n, key);
	crypto_wipe(key, sizeof(key));
	return r == 0 ? (ptrdiff_t)(box.n - CRYPTO_LOCK_EXTRA) : -1;
}

/* What a secret is in bytes; key has room for WEBHOOK_SECRET_MAX. */
static size_t
secret_key(struct slice secret, uint8_t *key)
{
	const size_t n = sizeof(SECRET_PREFIX) - 1;
	ptrdiff_t len = -1;

	if (secret.n > n && memcmp(secret.p, SECRET_PREFIX, n) == 0)
		len = crypto_unbase64(key, WEBHOOK_SECRET_MAX, secret.p + n,
		    secret.n - n, CRYPTO_B64_STD);
	if (len > 0)
		return (size_t)len;
	memcpy(key, secret.p, secret.n);
	return secret.n;
}

void
webhook_sign(char out[WEBHOOK_SIGNATURE_LEN + 1], struct slice secret,
    const char *id, int64_t at_s, struct slice body)
{
	uint8_t key[WEBHOOK_SECRET_MAX], mac[CRYPTO_HMAC_LEN];
	size_t n = secret_key(secret, key);
	struct buf b;

	_Static_assert(
	    WEBHOOK_SIGNATURE_LEN == 3 + CRYPTO_B64_LEN(CRYPTO_HMAC_LEN) - 1,
	    "the length of a signature");
	buf_init(&b, SIZE_MAX / 2);
	buf_addf(&b, "%s.%" PRId64 ".", id, at_s);
	buf_add(&b, body.p, body.n);
	if (b.failed)
		fatalx("out of memory");
	crypto_hmac(mac, key, n, b.data, b.len);
	buf_free(&b);
	memcpy(out, "v1,", 3);
	crypto_base64(out + 3, mac, sizeof(mac), CRYPTO_B64_STD);
	crypto_wipe(key, sizeof(key));
}

void
webhook_sign_body(
    char out[2 * CRYPTO_HMAC_LEN + 1], struct slice secret, struct slice body)
{
	uint8_t mac[CRYPTO_HMAC_LEN];

	crypto_hmac(mac, secret.p, secret.n, body.p, body.n);
	crypto_hex(out, mac, sizeof(mac));
}
