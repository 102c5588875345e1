/* SPDX-License-Identifier: ISC */
/* str.c: tables of texts and what is made of them. */
#include "base/base.h"

#include "tap.h"

static void
test_copy(void)
{
	char out[6] = "?????";

	is_int(str_copy(out, "abc", sizeof(out)), 3, "a copy that fits");
	is_str(out, "abc", "is whole");
	is_int(str_copy(out, "abcdef", sizeof(out)), 6, "one that does not");
	is_str(out, "abcde", "is cut and ended");
	is_int(str_copy(out, "abcde", sizeof(out)), 5, "exactly");
	is_str(out, "abcde", "with its NUL");
	is_int(str_copy(out, "xyz", 0), 3, "no room at all");
	is_str(out, "abcde", "writes nothing");
}

static void
test_utf8(void)
{
	static const struct {
		const char *text;
		int chars; /* -1: not valid */
	} rows[] = {
		{ "", 0 },
		{ "plain", 5 },
		{ "longer than eight bytes", 23 },
		{ "\x7f", 1 },
		{ "\xc2\x80", 1 },
		{ "\xdf\xbf", 1 },
		{ "\xe0\xa0\x80", 1 },
		{ "\xed\x9f\xbf", 1 },
		{ "\xee\x80\x80", 1 },
		{ "\xef\xbf\xbf", 1 },
		{ "\xf0\x90\x80\x80", 1 },
		{ "\xf4\x8f\xbf\xbf", 1 },
		{ "12345678\xc3\xa4", 9 },
		{ "1234567\xc3\xa4", 8 },
		{ "\xe2\x82\xac\xf0\x9f\x90\xa6z", 3 },
		{ "\x80", -1 },
		{ "\xbf", -1 },
		{ "\xc0\x80", -1 },
		{ "\xc1\xbf", -1 },
		{ "\xc2", -1 },
		{ "\xc2\x41", -1 },
		{ "\xc2\xc2", -1 },
		{ "\xe0\x9f\xbf", -1 },
		{ "\xe0\xa0", -1 },
		{ "\xe1\x80\x41", -1 },
		{ "\xe1\x80\xc0", -1 },
		{ "\xed\xa0\x80", -1 },
		{ "\xed\xbf\xbf", -1 },
		{ "\xf0\x8f\xbf\xbf", -1 },
		{ "\xf0\x90\x80", -1 },
		{ "\xf0\x90\x80\x41", -1 },
		{ "\xf4\x90\x80\x80", -1 },
		{ "\xf5\x80\x80\x80", -1 },
		{ "\xf8\x88\x80\x80\x80", -1 },
		{ "\xfe", -1 },
		{ "\xff", -1 },
		{ "12345678\xff", -1 },
		{ "1234567\xc3", -1 },
	};
	char again[4];
	uint32_t cp, i;
	size_t k, n, bad = 0;

	for (k = 0; k < NELEM(rows); k++) {
		n = strlen(rows[k].text);
		ok(str_utf8(rows[k].text, n) == (rows[k].chars >= 0),
		    "row %zu: valid or not", k);
		if (rows[k].chars >= 0)
			is_int(str_chars(rows[k].text, n), rows[k].chars,
			    "row %zu: code points", k);
	}
	ok(str_utf8("a\0b", 3), "a NUL is a character");
	for (i = 0; i < 0x110000; i++) {
		n = str_put_char(again, i);
		if (i >= 0xd800 && i < 0xe000)
			bad += str_char(again, n, &cp) != 0;
		else
			bad += str_char(again, n, &cp) != n || cp != i ||
			       str_char(again, n - 1, &cp) != 0;
	}
	is_int(bad, 0, "every code point is read as written, no surrogate is");
}

static void
test_name(void)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "a", true },
		{ "build agent 7", true },
		{ "a_b-c.d@e:f/g", true },
		{ "\xc3\x84rger", true },
		{ "\xe6\x97\xa5\xe6\x9c\xac", true },
		{ "\xf0\x9f\x90\xa6", true },
		{ "\xe2\x9d\xa4\xef\xb8\x8f", true }, /* with FE0F */
		{ "e\xcc\x81", true },
		/* A joiner, in Persian, Devanagari and between emoji. */
		{ "\xd9\x85\xdb\x8c\xe2\x80\x8c\xd8\xae\xd9\x88", true },
		{ "\xe0\xa4\x95\xe0\xa5\x8d\xe2\x80\x8d\xe0\xa4\xb7", true },
		{ "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb dev", true },
		{ "\xe2\x9d\xa4\xef\xb8\x8f\xe2\x80\x8d\xf0\x9f\x94\xa5",
		    true },
		{ "\xd9\x85\xe2\x80\x8c", false },
		{ "\xe2\x80\x8c\xd9\x85", false },
		{ "\xd9\x85\xe2\x80\x8c\xe2\x80\x8c\xd9\x85", false },
		{ "\xd9\x85\xe2\x80\x8cz", false },
		{ "\xd9\x85\xe2\x80\x8c \xd9\x85", false },
		{ "a\xc2\xa0z", true },
		{ "", false },
		{ " ", false },
		{ " a", false },
		{ "a ", false },
		{ "\xc2\xa0", false },
		{ "\xc2\xa0z", false },
		{ "z\xe3\x80\x80", false },
		{ "z\xe2\x80\x83", false },
		{ "a\tb", false },
		{ "a\nb", false },
		{ "a\x1b[31m", false },
		{ "a\x7f", false },
		{ "a\xc2\x85z", false },	 /* NEL */
		{ "a\xc2\x9bz", false },	 /* CSI */
		{ "a\xc2\xadz", false },	 /* soft hyphen */
		{ "a\xd8\x9cz", false },	 /* Arabic letter mark */
		{ "a\xe2\x80\x8bz", false },	 /* zero width space */
		{ "a\xe2\x80\x8dz", false },	 /* zero width joiner */
		{ "a\xe2\x80\x8ez", false },	 /* left-to-right mark */
		{ "a\xe2\x80\x8fz", false },	 /* right-to-left mark */
		{ "a\xe2\x80\xa8z", false },	 /* line separator */
		{ "a\xe2\x80\xa9z", false },	 /* paragraph separator */
		{ "a\xe2\x80\xaaz", false },	 /* embedding */
		{ "a\xe2\x80\xaez", false },	 /* override */
		{ "a\xe2\x81\xa0z", false },	 /* word joiner */
		{ "a\xe2\x81\xa6z", false },	 /* isolate */
		{ "a\xe2\x81\xa9z", false },	 /* end of isolate */
		{ "\xef\xbb\xbfz", false },	 /* byte order mark */
		{ "a\xef\xbf\xbez", false },	 /* U+FFFE */
		{ "a\xf3\xa0\x80\x81z", false }, /* tag */
		{ "a\xf3\xa0\x81\xbfz", false }, /* cancel tag */
		{ "a\xe3\x85\xa4", false },	 /* Hangul filler */
		{ "a\xff", false },
		{ "a\xed\xa0\x80", false },
	};
	size_t i;

	for (i = 0; i < NELEM(rows); i++)
		ok(str_is_name(rows[i].text, strlen(rows[i].text)) ==
			rows[i].good,
		    "row %zu is %s name", i, rows[i].good ? "a" : "no");
	ok(!str_is_name("a\0b", 3), "no NUL in a name");
}

static void
test_fold(void)
{
	static const struct {
		const char *text;
		const char *folded;
	} rows[] = {
		{ "", "" },
		{ "Already low", "already low" },
		{ "AZaz@[`{09", "azaz@[`{09" },
		{ "\xc3\x84\xc3\x96", "\xc3\xa4\xc3\xb6" },
		{ "\xce\xa9", "\xcf\x89" },
		{ "\xd0\x96", "\xd0\xb6" },
		{ "\xc8\xba", "\xe2\xb1\xa5" }, /* two bytes become three */
		{ "\xe1\xba\x9e", "\xc3\x9f" },
		{ "\xf0\x90\x90\x80", "\xf0\x90\x90\xa8" },
		{ "\xe6\x97\xa5", "\xe6\x97\xa5" },
		{ "\xc3\x9f", "\xc3\x9f" },
	};
	char in[4], out[32], twice[32];
	size_t i, n, bad = 0;
	uint32_t cp;

	str_start();
	str_start();
	for (i = 0; i < NELEM(rows); i++) {
		n = str_fold(out, rows[i].text, strlen(rows[i].text));
		is_str(out, rows[i].folded, "fold %s", rows[i].text);
		is_int(n, strlen(rows[i].folded), "its length");
	}
	for (cp = 1; cp < 0x110000; cp++) {
		if (cp >= 0xd800 && cp < 0xe000)
			continue;
		n = str_fold(out, in, str_put_char(in, cp));
		bad += n > 2 * str_put_char(in, cp) || !str_utf8(out, n) ||
		       str_fold(twice, out, n) != n ||
		       memcmp(out, twice, n) != 0;
	}
	is_int(bad, 0, "folding keeps to its room and is done after once");
}

static void
test_distance(void)
{
	static const struct {
		const char *a;
		const char *b;
		unsigned want; /* at most 4 */
	} rows[] = {
		{ "", "", 0 },
		{ "a", "", 1 },
		{ "", "abc", 3 },
		{ "abc", "abc", 0 },
		{ "abc", "abd", 1 },
		{ "abc", "ab", 1 },
		{ "abc", "xabc", 1 },
		{ "abcd", "abdc", 1 },
		{ "abcd", "badc", 2 },
		{ "kitten", "sitting", 3 },
		{ "abcdef", "uvwxyz", 4 },
		{ "a", "abcdefgh", 4 },
		{ "listen", "lisetn", 1 },
		{ "ca", "abc", 3 },
	};
	char a[300], b[300];
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		size_t an = strlen(rows[i].a), bn = strlen(rows[i].b);

		is_int(str_distance(rows[i].a, an, rows[i].b, bn, 3),
		    rows[i].want, "'%s' and '%s'", rows[i].a, rows[i].b);
		is_int(str_distance(rows[i].b, bn, rows[i].a, an, 3),
		    rows[i].want, "and the other way");
		is_int(str_distance(rows[i].a, an, rows[i].b, bn, 0),
		    rows[i].want != 0, "equal or not");
	}
	memset(a, 'a', sizeof(a));
	memset(b, 'a', sizeof(b));
	is_int(str_distance(a, 300, b, 300, 2), 0, "long and equal");
	b[7] = 'b';
	is_int(str_distance(a, 300, b, 300, 2), 3, "long and not equal");
	is_int(str_distance(a, 128, b, 128, 2), 1, "the longest compared");
}

static void
test_nearest(void)
{
	static const char *const list[] = { "listen", "state_dir", "database",
		"user", "workers", "log.level", "id", NULL };
	static const struct {
		const char *text;
		const char *want;
	} rows[] = {
		{ "listen", "listen" },
		{ "lisen", "listen" },
		{ "lsiten", "listen" },
		{ "usr", "user" },
		{ "users", "user" },
		{ "datbase", "database" },
		{ "worker", "workers" },
		{ "log.lvel", "log.level" },
		{ "stat_dr", NULL },
		{ "something", NULL },
		{ "", NULL },
		{ "x", NULL },
		{ "ix", NULL },
	};
	size_t i;

	for (i = 0; i < NELEM(rows); i++)
		is_str(str_nearest(rows[i].text, list), rows[i].want,
		    "nearest to '%s'", rows[i].text);
}

static void
test_num(void)
{
	static const struct {
		const char *text;
		int64_t min;
		int64_t max;
		const char *wrong;
		int64_t v;
	} rows[] = {
		{ "0", 0, 10, NULL, 0 },
		{ "10", 0, 10, NULL, 10 },
		{ "007", 0, 10, NULL, 7 },
		{ "-5", -10, 10, NULL, -5 },
		{ "-0", 0, 10, NULL, 0 },
		{ "9223372036854775807", 0, INT64_MAX, NULL, INT64_MAX },
		{ "-9223372036854775808", INT64_MIN, 0, NULL, INT64_MIN },
		{ "11", 0, 10, "is too large", 0 },
		{ "-1", 0, 10, "is too small", 0 },
		{ "4", 5, 10, "is too small", 0 },
		{ "9223372036854775808", 0, INT64_MAX, "is too large", 0 },
		{ "99999999999999999999999", 0, 9, "is too large", 0 },
		{ "-9223372036854775809", INT64_MIN, 0, "is too small", 0 },
		{ "-99999999999999999999", INT64_MIN, 0, "is too small", 0 },
		{ "", 0, 10, "is not a number", 0 },
		{ "-", 0, 10, "is not a number", 0 },
		{ "+1", 0, 10, "is not a number", 0 },
		{ " 1", 0, 10, "is not a number", 0 },
		{ "1 ", 0, 10, "is not a number", 0 },
		{ "1x", 0, 10, "is not a number", 0 },
		{ "0x1", 0, 10, "is not a number", 0 },
		{ "1.5", 0, 10, "is not a number", 0 },
		{ "1e3", 0, 10, "is not a number", 0 },
		{ "--1", 0, 10, "is not a number", 0 },
	};
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		int64_t v = 4711;

		is_str(str_num(rows[i].text, rows[i].min, rows[i].max, &v),
		    rows[i].wrong, "number '%s'", rows[i].text);
		is_int(
		    v, rows[i].wrong == NULL ? rows[i].v : 4711, "its value");
	}
}

static void
test_units(void)
{
	static const struct {
		const char *text;
		const char *(*read)(const char *, int64_t *);
		void (*print)(char *, int64_t);
		int64_t v; /* -1: refused */
		const char *again;
	} rows[] = {
		{ "0", str_duration, str_print_duration, 0, "0" },
		{ "5", str_duration, str_print_duration, 5000, "5s" },
		{ "250ms", str_duration, str_print_duration, 250, "250ms" },
		{ "1000ms", str_duration, str_print_duration, 1000, "1s" },
		{ "90s", str_duration, str_print_duration, 90000, "90s" },
		{ "60s", str_duration, str_print_duration, 60000, "1m" },
		{ "2h", str_duration, str_print_duration, 7200000, "2h" },
		{ "24h", str_duration, str_print_duration, 86400000, "1d" },
		{ "7d", str_duration, str_print_duration, 604800000, "7d" },
		{ "9223372036854775807ms", str_duration, str_print_duration,
		    INT64_MAX, "9223372036854775807ms" },
		{ "9223372036854776s", str_duration, NULL, -1, "is too large" },
		{ "106751991168d", str_duration, NULL, -1, "is too large" },
		{ "99999999999999999999", str_duration, NULL, -1,
		    "is too large" },
		{ "", str_duration, NULL, -1, "is not a number" },
		{ "s", str_duration, NULL, -1, "is not a number" },
		{ "-5s", str_duration, NULL, -1, "is not a number" },
		{ "5 s", str_duration, NULL, -1, "has an unknown unit" },
		{ "5S", str_duration, NULL, -1, "has an unknown unit" },
		{ "5w", str_duration, NULL, -1, "has an unknown unit" },
		{ "1h30m", str_duration, NULL, -1, "has an unknown unit" },
		{ "1.5h", str_duration, NULL, -1, "has an unknown unit" },
		{ "0", str_size, str_print_size, 0, "0" },
		{ "1", str_size, str_print_size, 1, "1" },
		{ "1023", str_size, str_print_size, 1023, "1023" },
		{ "1024", str_size, str_print_size, 1024, "1k" },
		{ "1500k", str_size, str_print_size, 1536000, "1500k" },
		{ "4m", str_size, str_print_size, 4194304, "4m" },
		{ "2048m", str_size, str_print_size, 2147483648, "2g" },
		{ "8589934591g", str_size, str_print_size,
		    INT64_C(8589934591) << 30, "8589934591g" },
		{ "8589934592g", str_size, NULL, -1, "is too large" },
		{ "1kb", str_size, NULL, -1, "has an unknown unit" },
		{ "1K", str_size, NULL, -1, "has an unknown unit" },
		{ "1t", str_size, NULL, -1, "has an unknown unit" },
		{ "k", str_size, NULL, -1, "is not a number" },
		{ "-1k", str_size, NULL, -1, "is not a number" },
	};
	char out[32];
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		const char *wrong;
		int64_t v = -1, w = -1;

		wrong = rows[i].read(rows[i].text, &v);
		is_int(v, rows[i].v, "value of '%s'", rows[i].text);
		if (rows[i].v == -1) {
			is_str(wrong, rows[i].again, "and what is wrong");
			continue;
		}
		rows[i].print(out, v);
		is_str(out, rows[i].again, "is printed");
		ok(rows[i].read(out, &w) == NULL && w == v, "and read again");
	}
}

static void
test_starts(void)
{
	ok(str_starts("abc", "ab"), "a prefix");
	ok(str_starts("abc", "abc"), "the whole");
	ok(str_starts("abc", ""), "nothing");
	ok(!str_starts("ab", "abc"), "longer");
	ok(!str_starts("xabc", "abc"), "elsewhere");
}

int
main(void)
{
	test_copy();
	test_utf8();
	test_name();
	test_fold();
	test_distance();
	test_nearest();
	test_num();
	test_units();
	test_starts();
	return tap_done();
}
