/* SPDX-License-Identifier: ISC */
/*
 * What is looked for, as names are compared; and places in what was found, as
 * clients carry them.
 */
#include <inttypes.h>
#include <string.h>

#include "core/search.h"

#define SEARCH_MARKS "#@\"'()[]{}<>,.;:!?"
#define SEARCH_TIME_MAX                                      \
	INT64_C(253402300799999) /* the end of the year 9999 \
				  */

static struct slice
search_strip(struct slice s)
{
	while (s.n > 0 && strchr(SEARCH_MARKS, s.p[0]) != NULL) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && strchr(SEARCH_MARKS, s.p[s.n - 1]) != NULL)
		s.n--;
	return s;
}

void
search_words(struct pool *pool, struct slice query, struct search_words *out)
{
	char *folded = pool_alloc(pool, 2 * query.n + 1);
	char *whole = pool_alloc(pool, 2 * query.n + 1);
	struct slice left = { folded, str_fold(folded, query.p, query.n) };
	struct slice word;
	size_t n;

	out->n = 0;
	out->whole = (struct slice){ whole, 0 };
	while (left.n > 0 && out->n < SEARCH_WORDS) {
		for (n = 0; n < left.n && strchr(" \t\r\n", left.p[n]) == NULL;)
			n++;
		word = search_strip((struct slice){ left.p, n });
		n += n < left.n;
		left.p += n;
		left.n -= n;
		if (word.n == 0)
			continue;
		if (out->n > 0)
			whole[out->whole.n++] = ' ';
		memcpy(whole + out->whole.n, word.p, word.n);
		out->whole.n += word.n;
		out->v[out->n++] = word;
	}
}

void
search_begin(struct search_place *p, int64_t at_ms, int64_t below)
{
	*p = (struct search_place){ .at_ms = at_ms,
		.below = below,
		.until = -1,
		.score = INT64_MAX,
		.kind = SEARCH_KINDS };
	memset(p->id.b, 0xff, ID_LEN);
}

/* What a cursor has inside: places of the journal tell how much happens where
 * one may not see it, so they are sealed. */
#define SEARCH_NUMBERS 5
#define SEARCH_PLACE (SEARCH_NUMBERS * sizeof(int64_t) + ID_LEN)
#define SEARCH_LOCKED (SEARCH_PLACE + CRYPTO_LOCK_EXTRA)
_Static_assert(CRYPTO_B64_LEN(SEARCH_LOCKED) <= SEARCH_CURSOR_MAX,
    "a cursor fits its field");

int
search_read_place(
    struct slice s, const uint8_t key[CRYPTO_KEY_LEN], struct search_place *p)
{
	uint8_t locked[SEARCH_LOCKED], open[SEARCH_PLACE];
	int64_t v[SEARCH_NUMBERS];

	if (crypto_unbase64(locked, sizeof(locked), s.p, s.n, CRYPTO_B64_URL) !=
		sizeof(locked) ||
	    crypto_unlock(open, locked, sizeof(locked), key) != 0)
		return -1;
	memcpy(v, open, sizeof(v));
	*p = (struct search_place){ v[0], v[1], v[2], v[3], v[4], { { 0 } } };
	memcpy(p->id.b, open + sizeof(v), ID_LEN);
	return 0;
}

struct slice
search_place_text(struct pool *pool, const uint8_t key[CRYPTO_KEY_LEN],
    const struct search_place *p)
{
	int64_t v[SEARCH_NUMBERS] = { p->at_ms, p->below, p->until, p->score,
		p->kind };
	uint8_t locked[SEARCH_LOCKED], open[SEARCH_PLACE];
	char *s = pool_alloc(pool, CRYPTO_B64_LEN(sizeof(locked)));

	memcpy(open, v, sizeof(v));
	memcpy(open + sizeof(v), p->id.b, ID_LEN);
	crypto_lock(locked, open, sizeof(open), key);
	crypto_base64(s, locked, sizeof(locked), CRYPTO_B64_URL);
	return (struct slice){ s, strlen(s) };
}

struct slice
search_score(struct pool *pool, int64_t score)
{
	char *s = pool_printf(
	    pool, "%" PRId64 ".%03" PRId64, score / 1000, score % 1000);

	return (struct slice){ s, strlen(s) };
}

struct slice
search_cut(struct pool *pool, struct slice s, size_t chars)
{
	static const char ellipsis[] = "\xe2\x80\xa6";
	size_t at = 0, n = 0, k, keep = 0;
	uint32_t cp;
	char *out;

	while (at < s.n && n < chars) {
		if (n == chars - 1)
			keep = at;
		k = str_char(s.p + at, s.n - at, &cp);
		at += k > 0 ? k : 1;
		n++;
	}
	if (at == s.n)
		return s;
	out = pool_alloc(pool, keep + sizeof(ellipsis));
	memcpy(out, s.p, keep);
	memcpy(out + keep, ellipsis, sizeof(ellipsis));
	return (struct slice){ out, keep + sizeof(ellipsis) - 1 };
}
