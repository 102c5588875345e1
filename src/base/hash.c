/* SPDX-License-Identifier: ISC */
/*
 * A multimap in chained slots.  A new entry goes to the head of its chain, and
 * growing keeps the order within a chain: so the newest entry of a key is
 * always found first.  Every entry knows the pointer that points to it, which
 * makes removal cheap also when very many entries share one key (the sessions
 * of a channel).  The table grows when it has more entries than slots and
 * never shrinks.
 */
#include "base/base.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define HASH_MIN 8

static uint8_t hash_secret[crypto_shorthash_KEYBYTES];
static bool hash_has_secret;

static uint32_t
hash_of(const void *key, size_t keylen)
{
	uint8_t out[crypto_shorthash_BYTES];
	uint32_t h;

	crypto_shorthash(out, key, keylen, hash_secret);
	memcpy(&h, out, sizeof(h));
	return h;
}

void
hash_init(struct hash *h)
{
	if (!hash_has_secret) {
		crypto_random_bytes(hash_secret, sizeof(hash_secret));
		hash_has_secret = true;
	}
	*h = (struct hash){ 0 };
}

void
hash_free(struct hash *h)
{
	free(h->slots);
	*h = (struct hash){ 0 };
}

static bool
hash_is(const struct hash_entry *e, uint32_t hash, const void *key, size_t n)
{
	return e->hash == hash && e->keylen == n &&
	       (n == 0 || memcmp(e->key, key, n) == 0);
}

struct hash_entry *
hash_find(const struct hash *h, const void *key, size_t keylen)
{
	struct hash_entry *e;
	uint32_t hash;

	if (h->count == 0)
		return NULL;
	hash = hash_of(key, keylen);
	for (e = h->slots[hash & (h->nslots - 1)]; e != NULL; e = e->next)
		if (hash_is(e, hash, key, keylen))
			return e;
	return NULL;
}

struct hash_entry *
hash_find_next(const struct hash_entry *e)
{
	struct hash_entry *o;

	for (o = e->next; o != NULL; o = o->next)
		if (hash_is(o, e->hash, e->key, e->keylen))
			return o;
	return NULL;
}

/* Doubles the slots.  Chain i splits into i and i + the old number. */
static void
hash_grow(struct hash *h)
{
	size_t old = h->nslots, i;
	struct hash_entry **slots, **tail[2], ***t, *e, *next;

	h->nslots = old != 0 ? old * 2 : HASH_MIN;
	slots = xcalloc(h->nslots, sizeof(*slots));
	for (i = 0; i < old; i++) {
		tail[0] = &slots[i];
		tail[1] = &slots[i + old];
		for (e = h->slots[i]; e != NULL; e = next) {
			next = e->next;
			t = &tail[(e->hash & old) != 0];
			e->next = NULL;
			e->at = *t;
			**t = e;
			*t = &e->next;
		}
	}
	free(h->slots);
	h->slots = slots;
}

void
hash_insert(
    struct hash *h, struct hash_entry *e, const void *key, size_t keylen)
{
	struct hash_entry **slot;

	if (h->count >= h->nslots)
		hash_grow(h);
	e->key = key;
	e->keylen = (uint32_t)keylen;
	e->hash = hash_of(key, keylen);
	slot = &h->slots[e->hash & (h->nslots - 1)];
	e->next = *slot;
	e->at = slot;
	if (e->next != NULL)
		e->next->at = &e->next;
	*slot = e;
	h->count++;
}

void
hash_remove(struct hash *h, struct hash_entry *e)
{
	*e->at = e->next;
	if (e->next != NULL)
		e->next->at = e->at;
	e->next = NULL;
	e->at = NULL;
	h->count--;
}
