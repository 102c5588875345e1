/* SPDX-License-Identifier: ISC */
/* unit_text.c: what of a text is remembered, and by which words. */
#include "core/unit.h"

#include "tap.h"

#define X10 "xxxxxxxxx "
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define AE10                                       \
	"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4" \
	"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
#define AE140 \
	AE10 AE10 AE10 AE10 AE10 AE10 AE10 AE10 AE10 AE10 AE10 AE10 AE10 AE10

/* Passages, with a bar behind each. */
static const struct {
	const char *text;
	const char *want;
} passages[] = {
	{ "", "" },
	{ " \t\n ", "" },
	{ "The  build\n\tis green. ", "The build is green.|" },
	{ "\xc2\xa0one\xe3\x80\x80two\xc2\xa0", "one two|" },
	/* Fillers. */
	{ "ok", "" },
	{ "Thanks!", "" },
	{ "THANK YOU.", "" },
	{ "+1", "" },
	{ "ja", "" },
	{ "\xe5\xa5\xbd\xe7\x9a\x84", "" },
	{ "okay then", "okay then|" },
	{ "yes, deploy it", "yes, deploy it|" },
	/* A short text is one passage. */
	{ "One. Two. Three.", "One. Two. Three.|" },
	/* A long one is its sentences. */
	{ "One more time. Thanks! Is it? " X100 X100 X100,
	    "One more time.|Is it?|" X100 X100 X10 X10 X10 X10 X10 X10 X10
	    "xxxxxxxxx|xxxxxxxxx xxxxxxxxx|" },
	{ "v1.2 is out. It works. " X100 X100
	  "xxxxxxxxx end. " X10 X10 X10 X10 X10 X10 X10 "z.",
	    "v1.2 is out.|It works.|" X100 X100
	    "xxxxxxxxx end.|" X10 X10 X10 X10 X10 X10 X10 "z.|" },
	/* The first eight. */
	{ X100 X100 X100 "a1. b22. c33. d44. e55. f66. g77. h88. i99.",
	    X100 X100 X10 X10 X10 X10 X10 X10 X10
	    "xxxxxxxxx|xxxxxxxxx xxxxxxxxx a1.|b22.|c33.|d44.|e55.|f66.|g77.|" },
};

static void
test_passages(void)
{
	struct slice v[UNIT_CHUNKS];
	struct pool pool;
	size_t i, k, n;
	struct buf b;

	for (i = 0; i < NELEM(passages); i++) {
		pool_init(&pool);
		buf_init(&b, SIZE_MAX / 2);
		n = unit_chunks(&pool,
		    (struct slice){
			passages[i].text, strlen(passages[i].text) },
		    v);
		for (k = 0; k < n; k++) {
			buf_add(&b, v[k].p, v[k].n);
			buf_addc(&b, '|');
		}
		is_str(buf_str(&b), passages[i].want, "passages %zu", i);
		buf_free(&b);
		pool_free(&pool);
	}
}

static void
test_limits(void)
{
	static char text[3 * 1000 + 1];
	struct slice v[UNIT_CHUNKS], s;
	struct pool pool;
	size_t i;

	pool_init(&pool);
	/* No white space to cut at: at a character. */
	for (i = 0; i < 1000; i++)
		memcpy(text + 2 * i, "\xc3\xa4", 3);
	is_int(unit_chunks(&pool, (struct slice){ text, 2000 }, v), 4,
	    "a word without an end is cut");
	is_int(v[0].n, 2 * UNIT_CHARS, "at characters, not bytes");
	is_int(v[3].n, 2 * (1000 - 3 * UNIT_CHARS), "to its end");
	is_int(unit_chunks(&pool, (struct slice){ text, 2 * UNIT_CHARS }, v), 1,
	    "one that fits is whole");
	s = unit_summary(&pool, (struct slice){ AE140, strlen(AE140) });
	is_int(s.n, strlen(AE140), "what is short is its own summary");
	s = unit_summary(&pool, (struct slice){ AE140 "b", sizeof(AE140) });
	is_int(str_chars(s.p, s.n), UNIT_SUMMARY - 2, "else its beginning");
	is_str(s.p + s.n - 3, "\xe2\x80\xa6", "and that there is more");
	pool_free(&pool);
}

static const struct {
	const char *text;
	const char *want;
} words[] = {
	{ "The Deploy of deploy-bot, and DEPLOY!", "deploy deploy-bot" },
	{ "a of it", "" },
	{ "snake_case; foo.bar 1234 12", "snake_case foo bar 1234" },
	{ "\xc3\x9c"
	  "bung macht",
	    "\xc3\xbc"
	    "bung macht" },
	{ "w01 w02 w03 w04 w05 w06 w07 w08 w09 w10 w11 w12 w13 w14 w15 w16 w17",
	    "w01 w02 w03 w04 w05 w06 w07 w08 w09 w10 w11 w12 w13 w14 w15 w16" },
};

static void
test_words(void)
{
	struct slice v[UNIT_KEYWORDS];
	struct pool pool;
	size_t i, k, n;
	struct buf b;

	for (i = 0; i < NELEM(words); i++) {
		pool_init(&pool);
		buf_init(&b, SIZE_MAX / 2);
		n = unit_keywords(&pool,
		    (struct slice){ words[i].text, strlen(words[i].text) }, v);
		for (k = 0; k < n; k++) {
			if (k > 0)
				buf_addc(&b, ' ');
			buf_add(&b, v[k].p, v[k].n);
		}
		is_str(buf_str(&b), words[i].want, "words %zu", i);
		buf_free(&b);
		pool_free(&pool);
	}
}

static bool
same(const char *a, const char *b)
{
	uint8_t x[CRYPTO_SHA256_LEN], y[CRYPTO_SHA256_LEN];
	struct pool pool;

	pool_init(&pool);
	unit_hash(&pool, (struct slice){ a, strlen(a) }, x);
	unit_hash(&pool, (struct slice){ b, strlen(b) }, y);
	pool_free(&pool);
	return memcmp(x, y, sizeof(x)) == 0;
}

int
main(void)
{
	str_start();
	crypto_start();
	test_passages();
	test_limits();
	test_words();
	ok(same("Ship it \xc3\x84", "ship IT \xc3\xa4"), "case does not count");
	ok(!same("ship it", "ship it."), "all else does");
	return tap_done();
}
