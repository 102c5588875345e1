/* SPDX-License-Identifier: ISC */
/*
 * Lists of recipients that are in the database already.  Multicasts of a group
 * go to the same sessions again and again: a list is stored once, under a hash
 * of it, and crowds refer to it.
 *
 * A process that stored a list names it alone for an hour; after that it
 * stores it again, which tells upkeep_audiences that it is in use.
 */
#include <string.h>

#include "core/domain.h"

#define AUDIENCE_KNOWN_MS 3600000

void
audience_id(struct id *id, const uint8_t *recipients, size_t n)
{
	uint8_t digest[CRYPTO_DIGEST_LEN];

	crypto_digest(digest, recipients, n, NULL);
	memcpy(id->b, digest, ID_LEN);
}

/* Two lists that share a slot drive each other out: they are stored more
 * often then. */
static struct audience *
audience_slot(struct core *c, const struct id *id)
{
	return &c->audiences[id->b[0] % NELEM(c->audiences)];
}

bool
audience_known(struct core *c, const struct id *id)
{
	const struct audience *a = audience_slot(c, id);

	return id_same(&a->id, id) && clock_mono() < a->until_ms;
}

void
audience_stored(struct core *c, const struct id *id, int64_t at_ms)
{
	*audience_slot(c, id) = (struct audience){ .id = *id,
		.until_ms = at_ms + AUDIENCE_KNOWN_MS };
}

void
audience_forget(struct core *c)
{
	memset(c->audiences, 0, sizeof(c->audiences));
}
