/* SPDX-License-Identifier: ISC */
/*
 * The few primitives that Linnet uses, so that no other file includes a
 * cryptographic library.  All of it is libsodium's but SHA-1, which only the
 * WebSocket handshake asks for and which libcrypto has.  Secrets that are made
 * here on the way are wiped before returning, also when something fails.
 */
#include "base/base.h"

#include <errno.h>
#include <openssl/sha.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(CRYPTO_KEY_LEN == crypto_sign_PUBLICKEYBYTES, "public key");
_Static_assert(CRYPTO_SECRET_LEN == crypto_sign_SECRETKEYBYTES, "secret key");
_Static_assert(CRYPTO_KEY_LEN == crypto_sign_SEEDBYTES, "seed");
_Static_assert(CRYPTO_SIG_LEN == crypto_sign_BYTES, "signature");
_Static_assert(CRYPTO_DIGEST_LEN == crypto_generichash_BYTES, "digest");
_Static_assert(CRYPTO_NONCE_LEN == crypto_box_NONCEBYTES, "nonce");
_Static_assert(CRYPTO_PASSWORD_LEN == crypto_pwhash_STRBYTES, "password");
_Static_assert(CRYPTO_BOX_EXTRA == crypto_box_MACBYTES, "box");

static const int b64_variants[] = {
	[CRYPTO_B64_STD] = sodium_base64_VARIANT_ORIGINAL,
	[CRYPTO_B64_URL] = sodium_base64_VARIANT_URLSAFE_NO_PADDING,
};

void
crypto_start(void)
{
	if (sodium_init() < 0)
		fatalx("libsodium does not start");
}

void
crypto_random_bytes(void *p, size_t n)
{
	randombytes_buf(p, n);
}

void
crypto_new_pair(uint8_t pub[CRYPTO_KEY_LEN], uint8_t secret[CRYPTO_SECRET_LEN])
{
	if (crypto_sign_keypair(pub, secret) != 0)
		fatalx("cannot make a key pair");
}

void
crypto_seed_pair(uint8_t pub[CRYPTO_KEY_LEN], uint8_t secret[CRYPTO_SECRET_LEN],
    const uint8_t seed[CRYPTO_KEY_LEN])
{
	if (crypto_sign_seed_keypair(pub, secret, seed) != 0)
		fatalx("cannot make a key pair");
}

void
crypto_make_sig(uint8_t sig[CRYPTO_SIG_LEN], const void *msg, size_t n,
    const uint8_t secret[CRYPTO_SECRET_LEN])
{
	if (crypto_sign_detached(sig, NULL, msg, n, secret) != 0)
		fatalx("cannot sign");
}

bool
crypto_check_sig(const uint8_t sig[CRYPTO_SIG_LEN], const void *msg, size_t n,
    const uint8_t pub[CRYPTO_KEY_LEN])
{
	return crypto_sign_verify_detached(sig, msg, n, pub) == 0;
}

void
crypto_digest(uint8_t out[CRYPTO_DIGEST_LEN], const void *msg, size_t n,
    const uint8_t *key)
{
	if (crypto_generichash(out, CRYPTO_DIGEST_LEN, msg, n, key,
		key != NULL ? CRYPTO_KEY_LEN : 0) != 0)
		fatalx("cannot compute a digest");
}

void
crypto_sha1(uint8_t out[20], const void *msg, size_t n)
{
	if (SHA1(msg, n, out) == NULL)
		fatalx("libcrypto has no SHA-1");
}

void
crypto_sha256(uint8_t out[CRYPTO_SHA256_LEN], const void *msg, size_t n)
{
	(void)crypto_hash_sha256(out, msg, n);
}

struct crypto_sha256 {
	crypto_hash_sha256_state state;
};

struct crypto_sha256 *
crypto_sha256_new(void)
{
	struct crypto_sha256 *s = xmalloc(sizeof(*s));

	crypto_hash_sha256_init(&s->state);
	return s;
}

void
crypto_sha256_add(struct crypto_sha256 *s, const void *p, size_t n)
{
	crypto_hash_sha256_update(&s->state, p, n);
}

void
crypto_sha256_end(struct crypto_sha256 *s, uint8_t out[CRYPTO_SHA256_LEN])
{
	crypto_hash_sha256_final(&s->state, out);
}

void
crypto_sha256_free(struct crypto_sha256 *s)
{
	free(s);
}

bool
crypto_same(const void *a, const void *b, size_t n)
{
	return sodium_memcmp(a, b, n) == 0;
}

void
crypto_wipe(void *p, size_t n)
{
	sodium_memzero(p, n);
}

/* The X25519 pair that belongs to their public and our secret key. */
static int
box_keys(uint8_t theirs[crypto_box_PUBLICKEYBYTES],
    uint8_t ours[crypto_box_SECRETKEYBYTES], const uint8_t pub[CRYPTO_KEY_LEN],
    const uint8_t secret[CRYPTO_SECRET_LEN])
{
	if (crypto_sign_ed25519_pk_to_curve25519(theirs, pub) != 0)
		return -1;
	return crypto_sign_ed25519_sk_to_curve25519(ours, secret);
}

int
crypto_seal_as(void *out, const uint8_t nonce[CRYPTO_NONCE_LEN],
    const void *msg, size_t n, const uint8_t to[CRYPTO_KEY_LEN],
    const uint8_t secret[CRYPTO_SECRET_LEN])
{
	uint8_t theirs[crypto_box_PUBLICKEYBYTES];
	uint8_t ours[crypto_box_SECRETKEYBYTES];
	int rc;

	rc = box_keys(theirs, ours, to, secret);
	if (rc == 0)
		rc = crypto_box_easy(out, msg, n, nonce, theirs, ours);
	sodium_memzero(ours, sizeof(ours));
	return rc == 0 ? 0 : -1;
}

int
crypto_seal(void *out, uint8_t nonce[CRYPTO_NONCE_LEN], const void *msg,
    size_t n, const uint8_t to[CRYPTO_KEY_LEN],
    const uint8_t secret[CRYPTO_SECRET_LEN])
{
	randombytes_buf(nonce, CRYPTO_NONCE_LEN);
	return crypto_seal_as(out, nonce, msg, n, to, secret);
}

int
crypto_open(void *out, const uint8_t nonce[CRYPTO_NONCE_LEN], const void *box,
    size_t n, const uint8_t from[CRYPTO_KEY_LEN],
    const uint8_t secret[CRYPTO_SECRET_LEN])
{
	uint8_t theirs[crypto_box_PUBLICKEYBYTES];
	uint8_t ours[crypto_box_SECRETKEYBYTES];
	int rc;

	rc = box_keys(theirs, ours, from, secret);
	if (rc == 0)
		rc = crypto_box_open_easy(out, box, n, nonce, theirs, ours);
	sodium_memzero(ours, sizeof(ours));
	return rc == 0 ? 0 : -1;
}

int
crypto_password(char out[CRYPTO_PASSWORD_LEN], const char *s, size_t n)
{
	return crypto_pwhash_str_alg(out, s, n,
	    crypto_pwhash_OPSLIMIT_INTERACTIVE,
	    crypto_pwhash_MEMLIMIT_INTERACTIVE, crypto_pwhash_ALG_ARGON2ID13);
}

int
crypto_password_is(const char *stored, const char *s, size_t n)
{
	errno = 0;
	if (crypto_pwhash_str_verify(stored, s, n) == 0)
		return 1;
	return errno == ENOMEM ? -1 : 0;
}

_Static_assert(CRYPTO_LOCK_EXTRA ==
		   crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES,
    "a nonce, then the box");

void
crypto_lock(
    void *out, const void *msg, size_t n, const uint8_t key[CRYPTO_KEY_LEN])
{
	uint8_t *nonce = out;

	randombytes_buf(nonce, crypto_secretbox_NONCEBYTES);
	if (crypto_secretbox_easy(
		nonce + crypto_secretbox_NONCEBYTES, msg, n, nonce, key) != 0)
		fatalx("crypto_secretbox");
}

int
crypto_unlock(
    void *out, const void *box, size_t n, const uint8_t key[CRYPTO_KEY_LEN])
{
	const uint8_t *nonce = box;

	if (n < CRYPTO_LOCK_EXTRA)
		return -1;
	return crypto_secretbox_open_easy(out,
	    nonce + crypto_secretbox_NONCEBYTES,
	    n - crypto_secretbox_NONCEBYTES, nonce, key);
}

void
crypto_hex(char *out, const void *p, size_t n)
{
	sodium_bin2hex(out, 2 * n + 1, p, n);
}

int
crypto_unhex(void *out, size_t n, const char *hex, size_t len)
{
	size_t got;

	if (sodium_hex2bin(out, n, hex, len, NULL, &got, NULL) != 0)
		return -1;
	return got == n ? 0 : -1;
}

void
crypto_base64(char *out, const void *p, size_t n, enum crypto_b64 kind)
{
	sodium_bin2base64(out, CRYPTO_B64_LEN(n), p, n, b64_variants[kind]);
}

ptrdiff_t
crypto_unbase64(
    void *out, size_t max, const char *s, size_t n, enum crypto_b64 kind)
{
	size_t got, i;

	/* libsodium 1.0.18 takes some bytes past ASCII for digits. */
	for (i = 0; i < n; i++)
		if ((unsigned char)s[i] >= 0x80)
			return -1;
	if (sodium_base642bin(
		out, max, s, n, NULL, &got, NULL, b64_variants[kind]) != 0)
		return -1;
	return (ptrdiff_t)got;
}

void
crypto_hmac(uint8_t out[CRYPTO_HMAC_LEN], const void *key, size_t keylen,
    const void *msg, size_t n)
{
	crypto_auth_hmacsha256_state st;

	crypto_auth_hmacsha256_init(&st, key, keylen);
	crypto_auth_hmacsha256_update(&st, msg, n);
	crypto_auth_hmacsha256_final(&st, out);
	sodium_memzero(&st, sizeof(st));
}

_Static_assert(CRYPTO_HMAC_LEN == crypto_auth_hmacsha256_BYTES, "HMAC");
