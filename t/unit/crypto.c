/* SPDX-License-Identifier: ISC */
/*
 * crypto.c against published vectors, and against the forgeries that a lax
 * check of signatures lets pass.
 */
#include "base/base.h"

#include <sodium.h>

#include "tap.h"

/* RFC 8032 7.1. */
static const struct {
	const char *seed;
	const char *pub;
	const char *msg;
	const char *sig;
} ed25519[] = {
	{
	    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
	    "",
	    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
	    "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
	},
	{
	    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
	    "72",
	    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
	    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
	},
	{
	    "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
	    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
	    "af82",
	    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
	    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
	},
	{
	    "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
	    "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
	    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
	    "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
	    "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
	},
};

/* Points of order 1, 2, 4 and 8, and other ways to write two of them. */
static const char *const small_order[] = {
	"0100000000000000000000000000000000000000000000000000000000000000",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"0100000000000000000000000000000000000000000000000000000000000080",
};

static size_t
unhex(void *out, const char *hex)
{
	size_t n = strlen(hex) / 2;

	if (crypto_unhex(out, n, hex, strlen(hex)) != 0)
		fatalx("bad hex in the test: %s", hex);
	return n;
}

static void
test_sign(void)
{
	uint8_t secret[CRYPTO_SECRET_LEN], pub[CRYPTO_KEY_LEN], msg[65];
	uint8_t sig[CRYPTO_SIG_LEN], want[CRYPTO_SIG_LEN];
	size_t i, k, n, good;

	for (i = 0; i < NELEM(ed25519); i++) {
		unhex(secret, ed25519[i].seed);
		unhex(pub, ed25519[i].pub);
		memcpy(secret + 32, pub, sizeof(pub));
		n = unhex(msg, ed25519[i].msg);
		unhex(want, ed25519[i].sig);
		crypto_make_sig(sig, msg, n, secret);
		ok(memcmp(sig, want, sizeof(sig)) == 0, "vector %zu: sign", i);
		ok(crypto_check_sig(want, msg, n, pub), "vector %zu: check", i);
		for (k = good = 0; k < 8 * sizeof(sig); k++) {
			sig[k / 8] ^= (uint8_t)(1 << k % 8);
			good += crypto_check_sig(sig, msg, n, pub);
			sig[k / 8] ^= (uint8_t)(1 << k % 8);
		}
		is_int(good, 0, "vector %zu: no changed bit passes", i);
		msg[n] = 0;
		ok(!crypto_check_sig(want, msg, n + 1, pub),
		    "vector %zu: nor a longer message", i);
	}
}

/* S + L is the same scalar: a check that takes it lets anybody make a second
 * signature of a first. */
static void
test_canonical_s(void)
{
	uint8_t pub[CRYPTO_KEY_LEN], sig[CRYPTO_SIG_LEN], order[32], msg[64];
	unsigned carry = 0;
	size_t i, n;

	unhex(order, "edd3f55c1a631258d69cf7a2def9de14"
		     "00000000000000000000000000000010");
	unhex(pub, ed25519[1].pub);
	n = unhex(msg, ed25519[1].msg);
	unhex(sig, ed25519[1].sig);
	for (i = 0; i < sizeof(order); i++) {
		carry += (unsigned)sig[32 + i] + order[i];
		sig[32 + i] = (uint8_t)carry;
		carry >>= 8;
	}
	ok(!crypto_check_sig(sig, msg, n, pub), "S must be canonical");
}

/*
 * With the point of order 1 as key, R = [S]B is a signature of anything, for
 * any S that one likes: here the scalar of a pair of our own.
 */
static void
test_small_order(void)
{
	uint8_t pub[CRYPTO_KEY_LEN], secret[CRYPTO_SECRET_LEN],
	    wide[64] = { 0 };
	uint8_t sig[CRYPTO_SIG_LEN], key[CRYPTO_KEY_LEN], hash[64], nonce[24];
	uint8_t box[CRYPTO_BOX_EXTRA + 1];
	size_t i;

	crypto_new_pair(pub, secret);
	crypto_hash_sha512(hash, secret, 32);
	hash[0] &= 248;
	hash[31] = (hash[31] & 127) | 64;
	memcpy(wide, hash, 32);
	memcpy(sig, pub, 32);
	crypto_core_ed25519_scalar_reduce(sig + 32, wide);
	for (i = 0; i < NELEM(small_order); i++) {
		unhex(key, small_order[i]);
		ok(!crypto_check_sig(sig, "x", 1, key),
		    "a key of small order signs nothing: %.8s...%s",
		    small_order[i], small_order[i] + 60);
		ok(crypto_seal(box, nonce, "x", 1, key, secret) == -1,
		    "nor can it be sealed to");
	}
	unhex(sig, small_order[0]);
	memset(sig + 32, 0, 32);
	ok(!crypto_check_sig(sig, "x", 1, pub), "R of small order");
}

static void
test_digest(void)
{
	static const struct {
		const char *msg;
		const char *blake2b;
		const char *sha1;
	} rows[] = {
		{
		    "",
		    "0e5751c026e543b2e8ab2eb06099daa1"
		    "d1e5df47778f7787faab45cdf12fe3a8",
		    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
		},
		{
		    "abc",
		    "bddd813c634239723171ef3fee98579b"
		    "94964e3bb1cb3e427262c8c068d52319",
		    "a9993e364706816aba3e25717850c26c9cd0d89d",
		},
	};
	uint8_t out[CRYPTO_DIGEST_LEN], keyed[CRYPTO_DIGEST_LEN];
	uint8_t key[32] = { 1 };
	char hex[65], accept[CRYPTO_B64_LEN(20)];
	const char *ws = "dGhlIHNhbXBsZSBub25jZQ=="
			 "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		crypto_digest(out, rows[i].msg, strlen(rows[i].msg), NULL);
		crypto_hex(hex, out, sizeof(out));
		is_str(
		    hex, rows[i].blake2b, "BLAKE2b-256 of '%s'", rows[i].msg);
		crypto_sha1(out, rows[i].msg, strlen(rows[i].msg));
		crypto_hex(hex, out, 20);
		is_str(hex, rows[i].sha1, "SHA-1 of '%s'", rows[i].msg);
	}
	crypto_digest(out, "abc", 3, key);
	key[31] = 1;
	crypto_digest(keyed, "abc", 3, key);
	ok(!crypto_same(out, keyed, sizeof(out)), "the whole key counts");
	crypto_sha1(out, ws, strlen(ws));
	crypto_base64(accept, out, 20, CRYPTO_B64_STD);
	is_str(accept,
	    "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "the example of RFC 6455 1.3");
}

static void
test_box(void)
{
	uint8_t a_pub[CRYPTO_KEY_LEN], a_secret[CRYPTO_SECRET_LEN];
	uint8_t b_pub[CRYPTO_KEY_LEN], b_secret[CRYPTO_SECRET_LEN];
	uint8_t nonce[CRYPTO_NONCE_LEN], nonce2[CRYPTO_NONCE_LEN];
	uint8_t box[5 + CRYPTO_BOX_EXTRA];
	char out[8] = "";

	crypto_new_pair(a_pub, a_secret);
	crypto_new_pair(b_pub, b_secret);
	is_int(crypto_seal(box, nonce, "hello", 5, b_pub, a_secret), 0, "seal");
	is_int(crypto_open(out, nonce, box, sizeof(box), a_pub, b_secret), 0,
	    "open");
	is_str(out, "hello", "is what was sealed");
	is_int(crypto_open(out, nonce, box, sizeof(box), b_pub, b_secret), -1,
	    "not from that sender");
	is_int(
	    crypto_open(out, nonce, box, CRYPTO_BOX_EXTRA - 1, a_pub, b_secret),
	    -1, "too short to be a box");
	box[0] ^= 1;
	is_int(crypto_open(out, nonce, box, sizeof(box), a_pub, b_secret), -1,
	    "a changed box");
	is_int(crypto_seal(box, nonce2, "", 0, b_pub, a_secret), 0,
	    "seal nothing");
	ok(!crypto_same(nonce, nonce2, sizeof(nonce)), "a nonce of its own");
	is_int(crypto_open(out, nonce2, box, CRYPTO_BOX_EXTRA, a_pub, b_secret),
	    0, "open nothing");
}

static void
test_hex(void)
{
	static const struct {
		const char *hex;
		size_t n;
		bool good;
	} rows[] = {
		{ "", 0, true },
		{ "00", 1, true },
		{ "aF09", 2, true },
		{ "aF0", 2, false },
		{ "aF09", 1, false },
		{ "aF09", 3, false },
		{ "g0", 1, false },
		{ " 0", 1, false },
		{ "0x", 1, false },
		{ "0a:0b", 2, false },
	};
	uint8_t out[8];
	char hex[5];
	size_t i, n;

	for (i = 0; i < NELEM(rows); i++)
		is_int(crypto_unhex(
			   out, rows[i].n, rows[i].hex, strlen(rows[i].hex)),
		    rows[i].good ? 0 : -1, "'%s' as %zu bytes", rows[i].hex,
		    rows[i].n);
	for (i = 0, n = 0; i < 256; i++) {
		char two[2] = { (char)i, '0' };

		n += crypto_unhex(out, 1, two, 2) == 0;
	}
	is_int(n, 22, "there are 22 hex digits");
	is_int(crypto_unhex(out, 2, "aF09", 4), 0, "both cases");
	ok(out[0] == 0xaf && out[1] == 0x09, "mean the same");
	crypto_hex(hex, out, 2);
	is_str(hex, "af09", "written in lower case");
}

static void
test_base64(void)
{
	static const struct {
		const char *text;
		const char *std;
		const char *url;
	} good[] = {
		{ "", "", "" },
		{ "f", "Zg==", "Zg" },
		{ "fo", "Zm8=", "Zm8" },
		{ "foo", "Zm9v", "Zm9v" },
		{ "foob", "Zm9vYg==", "Zm9vYg" },
		{ "fooba", "Zm9vYmE=", "Zm9vYmE" },
		{ "foobar", "Zm9vYmFy", "Zm9vYmFy" },
		{ "\xfb\xef\xff", "++//", "--__" },
	};
	static const struct {
		const char *text;
		enum crypto_b64 kind;
	} bad[] = {
		{ "Zg", CRYPTO_B64_STD },
		{ "Zg=", CRYPTO_B64_STD },
		{ "Zg===", CRYPTO_B64_STD },
		{ "Zh==", CRYPTO_B64_STD },
		{ "Zm9=", CRYPTO_B64_STD },
		{ "Z", CRYPTO_B64_STD },
		{ "Z===", CRYPTO_B64_STD },
		{ "=", CRYPTO_B64_STD },
		{ "====", CRYPTO_B64_STD },
		{ " Zg==", CRYPTO_B64_STD },
		{ "Zg==\n", CRYPTO_B64_STD },
		{ "Zm9v\nYmFy", CRYPTO_B64_STD },
		{ "Zg==Zg==", CRYPTO_B64_STD },
		{ "--__", CRYPTO_B64_STD },
		{ "Zm9v*", CRYPTO_B64_STD },
		{ "Zg==", CRYPTO_B64_URL },
		{ "Zm8=", CRYPTO_B64_URL },
		{ "Zh", CRYPTO_B64_URL },
		{ "Zm9", CRYPTO_B64_URL },
		{ "Z", CRYPTO_B64_URL },
		{ "++//", CRYPTO_B64_URL },
		{ "Zm9v ", CRYPTO_B64_URL },
		{ "\xc3\xa9\xc3\xa9", CRYPTO_B64_URL },
	};
	char out[CRYPTO_B64_LEN(8)];
	size_t i, n;

	for (i = 0; i < NELEM(good); i++) {
		n = strlen(good[i].text);
		crypto_base64(out, good[i].text, n, CRYPTO_B64_STD);
		is_str(out, good[i].std, "write %s", good[i].std);
		crypto_base64(out, good[i].text, n, CRYPTO_B64_URL);
		is_str(out, good[i].url, "write %s", good[i].url);
		is_int(crypto_unbase64(out, n, good[i].std, strlen(good[i].std),
			   CRYPTO_B64_STD),
		    n, "read %s", good[i].std);
		ok(memcmp(out, good[i].text, n) == 0, "its bytes");
		is_int(crypto_unbase64(out, n, good[i].url, strlen(good[i].url),
			   CRYPTO_B64_URL),
		    n, "read %s", good[i].url);
		ok(memcmp(out, good[i].text, n) == 0, "its bytes");
	}
	for (i = 0; i < NELEM(bad); i++)
		is_int(crypto_unbase64(out, sizeof(out), bad[i].text,
			   strlen(bad[i].text), bad[i].kind),
		    -1, "refuse row %zu", i);
	for (i = 0, n = 0; i < 256; i++) {
		char four[4] = { (char)i, 'A', 'A', 'A' };

		n += crypto_unbase64(out, 8, four, 4, CRYPTO_B64_STD) == 3;
		n += crypto_unbase64(out, 8, four, 4, CRYPTO_B64_URL) == 3;
	}
	is_int(n, 128, "each alphabet has 64 digits");
	is_int(crypto_unbase64(out, 5, "Zm9vYmFy", 8, CRYPTO_B64_STD), -1,
	    "no room for six bytes in five");
	is_int(crypto_unbase64(out, 8, "Zm9v\0Zg=", 8, CRYPTO_B64_STD), -1,
	    "a NUL is no digit");
}

/* RFC 4231, test cases 2 and 6. */
static void
test_hmac(void)
{
	static const char data[] = "what do ya want for nothing?";
	static const char large[] =
	    "Test Using Larger Than Block-Size Key - Hash Key First";
	uint8_t out[CRYPTO_HMAC_LEN], key[131];
	char hex[2 * CRYPTO_HMAC_LEN + 1];

	crypto_hmac(out, "Jefe", 4, data, sizeof(data) - 1);
	crypto_hex(hex, out, sizeof(out));
	is_str(hex,
	    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
	    "HMAC with a short key");
	memset(key, 0xaa, sizeof(key));
	crypto_hmac(out, key, sizeof(key), large, sizeof(large) - 1);
	crypto_hex(hex, out, sizeof(out));
	is_str(hex,
	    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
	    "HMAC with a long key");
}

static void
test_lock(void)
{
	static const char text[] = "a secret";
	uint8_t key[CRYPTO_KEY_LEN] = { 1 }, other[CRYPTO_KEY_LEN] = { 2 };
	uint8_t box[sizeof(text) + CRYPTO_LOCK_EXTRA], again[sizeof(box)];
	char out[sizeof(text)];

	crypto_lock(box, text, sizeof(text), key);
	crypto_lock(again, text, sizeof(text), key);
	ok(memcmp(box, again, sizeof(box)) != 0, "no two locks are the same");
	is_int(crypto_unlock(out, box, sizeof(box), key), 0, "unlocked");
	is_str(out, text, "what was locked");
	is_int(crypto_unlock(out, box, sizeof(box), other), -1,
	    "not with another key");
	is_int(crypto_unlock(out, box, CRYPTO_LOCK_EXTRA - 1, key), -1,
	    "not in part");
	box[sizeof(box) - 1] ^= 1;
	is_int(crypto_unlock(out, box, sizeof(box), key), -1,
	    "not when it was changed");
}

static void
test_password(void)
{
	char stored[CRYPTO_PASSWORD_LEN], again[CRYPTO_PASSWORD_LEN];

	is_int(crypto_password(stored, "correct horse", 13), 0, "stored");
	is_int(crypto_password(again, "correct horse", 13), 0, "twice");
	ok(strncmp(stored, "$argon2id$", 10) == 0, "by argon2id");
	ok(strcmp(stored, again) != 0, "with salt");
	is_int(crypto_password_is(stored, "correct horse", 13), 1, "it is it");
	is_int(crypto_password_is(stored, "correct horsf", 13), 0, "another");
	is_int(crypto_password_is(stored, "correct horse", 12), 0, "shorter");
	is_int(crypto_password_is("", "", 0), 0, "nothing is nobody's");
	is_int(crypto_password_is("$argon2id$x", "x", 1), 0, "nor rubbish");
}

static void
test_rest(void)
{
	uint8_t a[32] = { 0 }, b[32] = { 0 }, zero[32] = { 0 };

	crypto_random_bytes(a, sizeof(a));
	crypto_random_bytes(b, sizeof(b));
	ok(!crypto_same(a, b, sizeof(a)), "random bytes differ");
	ok(crypto_same(a, a, sizeof(a)), "the same is the same");
	crypto_wipe(a, sizeof(a));
	ok(crypto_same(a, zero, sizeof(a)), "wiped is zero");
}

int
main(void)
{
	crypto_start();
	test_sign();
	test_canonical_s();
	test_small_order();
	test_digest();
	test_box();
	test_hex();
	test_base64();
	test_hmac();
	test_lock();
	test_password();
	test_rest();
	return tap_done();
}
