/* SPDX-License-Identifier: ISC */
/*
 * Attestations: with its own key a member says that a session key is its own
 * until a time, and with the session key the client shows that it has it.
 *
 * The texts that are signed contain the keys as they were sent, so there is
 * one spelling of them: lower case.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/domain.h"

#define ATTESTATION_TAG "claudemesh-session-attest"
#define ATTESTATION_HELLO_TAG "claudemesh-session-hello"
#define ATTESTATION_TEXT_MAX 256

int
attestation_key(uint8_t key[CRYPTO_KEY_LEN], struct slice hex)
{
	size_t i;

	for (i = 0; i < hex.n; i++)
		if (hex.p[i] >= 'A' && hex.p[i] <= 'F')
			return -1;
	return crypto_unhex(key, CRYPTO_KEY_LEN, hex.p, hex.n);
}

enum err
attestation_check(const struct attestation *a,
    const uint8_t member_key[CRYPTO_KEY_LEN], int64_t now_ms)
{
	char text[ATTESTATION_TEXT_MAX];
	int n;

	if (a->expires_ms <= now_ms)
		return ERR_EXPIRED;
	if (a->expires_ms - now_ms > ATTESTATION_TTL_MS)
		return ERR_TTL_TOO_LONG;
	n = snprintf(text, sizeof(text),
	    ATTESTATION_TAG "|" SLICE_FMT "|" SLICE_FMT "|%" PRId64,
	    SLICE_ARG(a->member_key), SLICE_ARG(a->session_key), a->expires_ms);
	return crypto_check_sig(a->signature, text, (size_t)n, member_key)
		   ? ERR_NONE
		   : ERR_BAD_SIGNATURE;
}

bool
attestation_check_hello(const struct attestation *a, const struct id *mesh,
    int64_t timestamp, const uint8_t signature[CRYPTO_SIG_LEN],
    const uint8_t session_key[CRYPTO_KEY_LEN])
{
	char text[ATTESTATION_TEXT_MAX], hex[ID_HEX_LEN + 1];
	int n = snprintf(text, sizeof(text),
	    ATTESTATION_HELLO_TAG "|%s|" SLICE_FMT "|" SLICE_FMT "|%" PRId64,
	    id_hex(mesh, hex), SLICE_ARG(a->member_key),
	    SLICE_ARG(a->session_key), timestamp);

	return crypto_check_sig(signature, text, (size_t)n, session_key);
}
