/* SPDX-License-Identifier: ISC */
/* hash.c: many keys, equal keys in order of age, removal while walking. */
#include "base/base.h"

#include <stdlib.h>

#include "tap.h"

#define MANY 100000

struct item {
	struct hash_entry entry;
	uint64_t key;
	size_t serial;
	bool seen;
};

static struct item *
item_of(struct hash_entry *e)
{
	return e != NULL ? CONTAINER(e, struct item, entry) : NULL;
}

static void
test_many(void)
{
	struct item *items = calloc(MANY, sizeof(*items));
	struct hash_entry *e, *tmp;
	struct hash h;
	size_t i, bad = 0, walked = 0;
	uint64_t none = MANY + 1;

	hash_init(&h);
	ok(hash_find(&h, "x", 1) == NULL, "an empty hash holds nothing");
	for (i = 0; i < MANY; i++) {
		items[i].key = i;
		hash_insert(
		    &h, &items[i].entry, &items[i].key, sizeof(uint64_t));
	}
	is_int(h.count, MANY, "all are in");
	ok(h.nslots >= MANY && h.nslots <= 2 * MANY, "load is 1 at most");
	for (i = 0; i < MANY; i++) {
		uint64_t key = i;

		bad += item_of(hash_find(&h, &key, sizeof(key))) != &items[i];
	}
	is_int(bad, 0, "each is found by an equal key elsewhere in memory");
	ok(hash_find(&h, &none, sizeof(none)) == NULL, "a key that is not in");
	none = 5;
	ok(hash_find(&h, &none, 7) == NULL, "a shorter key is another key");
	HASH_FOREACH (e, tmp, i, &h) {
		walked++;
		bad += item_of(e)->seen;
		item_of(e)->seen = true;
		if (item_of(e)->key % 2 != 0)
			hash_remove(&h, e);
	}
	is_int(walked, MANY, "a walk with removals meets all");
	is_int(bad, 0, "and each once");
	is_int(h.count, MANY / 2, "the odd ones are out");
	for (i = 0; i < MANY; i++)
		bad += (hash_find(&h, &items[i].key, sizeof(uint64_t)) !=
			   NULL) != (i % 2 == 0);
	is_int(bad, 0, "those and no others");
	hash_free(&h);
	ok(h.count == 0 && hash_find(&h, &none, 8) == NULL, "freed is empty");
	free(items);
}

/* The serials of a key from newest to oldest, as text. */
static const char *
order(const struct hash *h, const char *key)
{
	static char out[256];
	struct hash_entry *e = hash_find(h, key, strlen(key));
	size_t n = 0;

	out[0] = '\0';
	for (; e != NULL && n < 240; e = hash_find_next(e))
		n += (size_t)snprintf(
		    out + n, sizeof(out) - n, "%zu ", item_of(e)->serial);
	return out;
}

static void
test_equal(void)
{
	static const char *const keys[] = { "b", "", "abc", "ab" };
	struct item items[64];
	struct hash h;
	size_t i;

	hash_init(&h);
	memset(items, 0, sizeof(items));
	for (i = 0; i < 12; i++) {
		items[i].serial = i;
		hash_insert(
		    &h, &items[i].entry, keys[i % 4], strlen(keys[i % 4]));
	}
	is_str(order(&h, "b"), "8 4 0 ", "newest first");
	is_str(order(&h, ""), "9 5 1 ", "an empty key is a key");
	is_str(order(&h, "abc"), "10 6 2 ", "equal keys keep apart");
	hash_remove(&h, &items[4].entry);
	is_str(order(&h, "b"), "8 0 ", "the middle one out");
	hash_remove(&h, &items[8].entry);
	is_str(order(&h, "b"), "0 ", "the newest out");
	hash_remove(&h, &items[0].entry);
	is_str(order(&h, "b"), "", "the last out");
	hash_insert(&h, &items[4].entry, "ab", 2);
	is_str(order(&h, "ab"), "4 11 7 3 ", "an entry may come back");
	for (i = 12; i < 64; i++)
		hash_insert(&h, &items[i].entry, &items[i], sizeof(items[i]));
	is_str(order(&h, "ab"), "4 11 7 3 ", "growing keeps the order");
	is_str(order(&h, "abc"), "10 6 2 ", "of every key");
	hash_free(&h);
}

/* Removing the oldest of very many must not walk over all the others. */
static void
test_equal_many(void)
{
	struct item *items = calloc(MANY, sizeof(*items));
	struct hash h;
	size_t i, n = 0, bad = 0;
	struct hash_entry *e;

	hash_init(&h);
	for (i = 0; i < MANY; i++) {
		items[i].serial = i;
		hash_insert(&h, &items[i].entry, "channel", 7);
	}
	for (e = hash_find(&h, "channel", 7); e != NULL; e = hash_find_next(e))
		bad += item_of(e)->serial != MANY - ++n;
	ok(n == MANY && bad == 0, "%d entries of one key, newest first", MANY);
	for (i = 0; i < MANY; i++)
		hash_remove(&h, &items[i].entry);
	ok(h.count == 0 && hash_find(&h, "channel", 7) == NULL,
	    "all out again, the oldest first");
	hash_free(&h);
	free(items);
}

int
main(void)
{
	crypto_start();
	test_many();
	test_equal();
	test_equal_many();
	return tap_done();
}
