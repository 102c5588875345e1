/* SPDX-License-Identifier: ISC */
/* search_text.c: words as names are compared, and cursors. */
#include "core/search.h"

#include "tap.h"

static const struct {
	const char *query;
	const char *words;
	const char *whole;
} queries[] = {
	{ "Ann", "ann", "ann" },
	{ "  Ann\tLee \n", "ann|lee", "ann lee" },
	{ "#Release-Train", "release-train", "release-train" },
	{ "@bob, (\"carol\")", "bob|carol", "bob carol" },
	{ "\xc3\x84nne", "\xc3\xa4nne", "\xc3\xa4nne" },
	{ "# ! ''", "", "" },
	{ "", "", "" },
	{ "a b c d e f g h i j", "a|b|c|d|e|f|g|h", "a b c d e f g h" },
};

static void
test_words(void)
{
	struct search_words w;
	struct pool pool;
	size_t i, k;
	struct buf b;

	for (i = 0; i < NELEM(queries); i++) {
		pool_init(&pool);
		buf_init(&b, SIZE_MAX / 2);
		search_words(&pool,
		    (struct slice){
			queries[i].query, strlen(queries[i].query) },
		    &w);
		for (k = 0; k < w.n; k++) {
			if (k > 0)
				buf_addc(&b, '|');
			buf_add(&b, w.v[k].p, w.v[k].n);
		}
		is_str(buf_str(&b), queries[i].words, "words %zu", i);
		buf_clear(&b);
		buf_add(&b, w.whole.p, w.whole.n);
		is_str(buf_str(&b), queries[i].whole, "as one %zu", i);
		buf_free(&b);
		pool_free(&pool);
	}
}

static void
test_places(void)
{
	uint8_t key[CRYPTO_KEY_LEN] = { 1 }, other[CRYPTO_KEY_LEN] = { 2 };
	struct search_place p, q;
	struct slice s;
	struct pool pool;
	char *bad;

	pool_init(&pool);
	search_begin(&p, 17, INT64_MAX);
	is_int(p.until, -1, "the end of a round is not known at its beginning");
	p.score = 5000;
	id_new(&p.id);
	s = search_place_text(&pool, key, &p);
	ok(s.n < SEARCH_CURSOR_MAX, "a cursor fits");
	is_int(search_read_place(s, key, &q), 0, "and is read");
	ok(p.at_ms == q.at_ms && p.below == q.below && p.until == q.until &&
		p.score == q.score && p.kind == q.kind && id_same(&p.id, &q.id),
	    "as it was");
	is_int(search_read_place(s, other, &q), -1, "with its key alone");
	is_int(search_read_place((struct slice){ s.p, s.n - 1 }, key, &q), -1,
	    "whole");
	bad = pool_strndup(&pool, s.p, s.n);
	bad[s.n / 2] = bad[s.n / 2] == 'A' ? 'B' : 'A';
	is_int(search_read_place((struct slice){ bad, s.n }, key, &q), -1,
	    "and as it was made");
	is_int(search_read_place((struct slice){ "", 0 }, key, &q), -1, "none");
	pool_free(&pool);
}

static const struct {
	const char *text;
	size_t chars;
	const char *want;
} cuts[] = {
	{ "abc", 3, "abc" },
	{ "abcd", 3, "ab\xe2\x80\xa6" },
	{ "\xc3\xa4\xc3\xa4\xc3\xa4", 3, "\xc3\xa4\xc3\xa4\xc3\xa4" },
	{ "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", 3,
	    "\xc3\xa4\xc3\xa4\xe2\x80\xa6" },
	{ "", 3, "" },
};

int
main(void)
{
	struct slice s;
	struct pool pool;
	size_t i;

	str_start();
	crypto_start();
	test_words();
	test_places();
	for (i = 0; i < NELEM(cuts); i++) {
		pool_init(&pool);
		s = search_cut(&pool,
		    (struct slice){ cuts[i].text, strlen(cuts[i].text) },
		    cuts[i].chars);
		is_str(
		    pool_strndup(&pool, s.p, s.n), cuts[i].want, "cut %zu", i);
		pool_free(&pool);
	}
	pool_init(&pool);
	s = search_score(&pool, 12045);
	is_str(pool_strndup(&pool, s.p, s.n), "12.045", "a score");
	pool_free(&pool);
	return tap_done();
}
