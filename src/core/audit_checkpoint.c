/* SPDX-License-Identifier: ISC */
/*
 * Checkpoints: what the server signs of a journal.  The signed text begins with
 * what it is for, so that nothing else that the key may sign can be taken for
 * one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/audit.h"
#include "core/core.h"

#define CHECKPOINT_TEXT 256

static size_t
checkpoint_text(char out[CHECKPOINT_TEXT], const struct audit_checkpoint *k)
{
	char mesh[ID_HEX_LEN + 1], hash[2 * CRYPTO_SHA256_LEN + 1];
	char at[CLOCK_RFC3339_LEN + 1];

	id_hex(&k->mesh, mesh);
	crypto_hex(hash, k->hash, sizeof(k->hash));
	clock_format(k->at_ms, at);
	return (size_t)snprintf(out, CHECKPOINT_TEXT,
	    "linnet-checkpoint-1|%s|%" PRId64 "|%s|%s", mesh, k->n, hash, at);
}

void
audit_sign(struct audit_checkpoint *k, const uint8_t seed[CRYPTO_KEY_LEN])
{
	uint8_t secret[CRYPTO_SECRET_LEN];
	char text[CHECKPOINT_TEXT];

	crypto_seed_pair(k->key, secret, seed);
	crypto_make_sig(k->signature, text, checkpoint_text(text, k), secret);
	crypto_wipe(secret, sizeof(secret));
}

bool
audit_is_signed(const struct audit_checkpoint *k)
{
	char text[CHECKPOINT_TEXT];

	return crypto_check_sig(
	    k->signature, text, checkpoint_text(text, k), k->key);
}

bool
audit_trusts(const struct audit_keys *keys, const uint8_t key[CRYPTO_KEY_LEN])
{
	size_t i;

	for (i = 0; i < keys->n; i++)
		if (memcmp(keys->v[i], key, CRYPTO_KEY_LEN) == 0)
			return true;
	return false;
}

struct db_params *
audit_checkpoint_put(const struct audit_checkpoint *k)
{
	struct db_params *p = db_params(STMT_checkpoint_put);
	char at[CLOCK_RFC3339_LEN + 1];

	clock_format(k->at_ms, at);
	db_put_id(p, &k->mesh);
	db_put_int(p, k->n);
	db_put_bytes(p, k->hash, sizeof(k->hash));
	db_put_str(p, at);
	db_put_bytes(p, k->key, sizeof(k->key));
	db_put_bytes(p, k->signature, sizeof(k->signature));
	return p;
}
