/* SPDX-License-Identifier: ISC */
/*
 * What tokens are made of: their text, what is stored of it, and scopes by
 * name.  linnetd and linnetctl make them by the same functions.
 */
#include <string.h>

#include "core/domain.h"

#define TOKEN_PREFIX "wat_"
#define TOKEN_RANDOM 32
#define TOKEN_CHECK 4
#define TOKEN_RAW (TOKEN_RANDOM + TOKEN_CHECK)
#define TOKEN_PREFIX_LEN (sizeof(TOKEN_PREFIX) - 1)

/* A multiple of three bytes: each token has one spelling. */
_Static_assert(TOKEN_RAW % 3 == 0, "base64 without rest");
_Static_assert(
    TOKEN_PREFIX_LEN + CRYPTO_B64_LEN(TOKEN_RAW) - 1 == TOKEN_LEN, "length");

/* No secret: it is in the token, and says nothing to who has not the rest. */
static void
token_sum(uint8_t sum[TOKEN_CHECK], const uint8_t random[TOKEN_RANDOM])
{
	uint8_t digest[CRYPTO_DIGEST_LEN];

	crypto_digest(digest, random, TOKEN_RANDOM, NULL);
	memcpy(sum, digest, TOKEN_CHECK);
}

void
token_make(char text[TOKEN_LEN + 1])
{
	uint8_t raw[TOKEN_RAW];

	crypto_random_bytes(raw, TOKEN_RANDOM);
	token_sum(raw + TOKEN_RANDOM, raw);
	memcpy(text, TOKEN_PREFIX, TOKEN_PREFIX_LEN);
	crypto_base64(
	    text + TOKEN_PREFIX_LEN, raw, sizeof(raw), CRYPTO_B64_URL);
	crypto_wipe(raw, sizeof(raw));
}

bool
token_check(struct slice text)
{
	uint8_t raw[TOKEN_RAW], sum[TOKEN_CHECK];
	bool good;

	if (text.n != TOKEN_LEN ||
	    memcmp(text.p, TOKEN_PREFIX, TOKEN_PREFIX_LEN) != 0 ||
	    crypto_unbase64(raw, sizeof(raw), text.p + TOKEN_PREFIX_LEN,
		text.n - TOKEN_PREFIX_LEN, CRYPTO_B64_URL) != TOKEN_RAW)
		return false;
	token_sum(sum, raw);
	good = crypto_same(sum, raw + TOKEN_RANDOM, TOKEN_CHECK);
	crypto_wipe(raw, sizeof(raw));
	return good;
}

void
token_digest(uint8_t out[CRYPTO_DIGEST_LEN], struct slice text,
    const uint8_t key[CRYPTO_KEY_LEN])
{
	crypto_digest(out, text.p, text.n, key);
}

void
token_key_name(
    uint8_t out[TOKEN_KEY_NAME_LEN], const uint8_t key[CRYPTO_KEY_LEN])
{
	static const char what[] = "linnet token key";
	uint8_t digest[CRYPTO_DIGEST_LEN];

	crypto_digest(digest, what, sizeof(what) - 1, key);
	memcpy(out, digest, TOKEN_KEY_NAME_LEN);
}

/* What needs no identity needs no token, and the platform has its key. */
#define TOKEN_SCOPES_FIRST (SCOPE_PLATFORM + 1)

uint64_t
token_scopes(const struct slice *names, size_t n, size_t *wrong)
{
	uint64_t scopes = 0;
	enum scope s;
	size_t i;

	*wrong = n;
	for (i = 0; i < n; i++) {
		for (s = TOKEN_SCOPES_FIRST; s < SCOPE_MAX; s++)
			if (strlen(table_scopes[s]) == names[i].n &&
			    memcmp(table_scopes[s], names[i].p, names[i].n) ==
				0)
				break;
		if (s < SCOPE_MAX)
			scopes |= SCOPE_BIT(s) | table_scope_includes[s];
		else if (*wrong == n)
			*wrong = i;
	}
	return scopes;
}

uint64_t
token_scopes_of(struct slice role)
{
	return role_scopes(role) & ~SCOPE_BIT(SCOPE_PUBLIC);
}

size_t
token_scope_names(uint64_t scopes, struct slice v[SCOPE_MAX])
{
	uint64_t included = 0;
	enum scope s;
	size_t n = 0;

	for (s = TOKEN_SCOPES_FIRST; s < SCOPE_MAX; s++)
		if (scopes & SCOPE_BIT(s))
			included |= table_scope_includes[s];
	for (s = TOKEN_SCOPES_FIRST; s < SCOPE_MAX; s++)
		if (scopes & ~included & SCOPE_BIT(s))
			v[n++] = (struct slice){ table_scopes[s],
				strlen(table_scopes[s]) };
	return n;
}
