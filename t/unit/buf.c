/* SPDX-License-Identifier: ISC */
/* buf.c: growth, ceilings, and that nothing is added after a failure. */
#include "base/base.h"

#include <stdlib.h>

#include "tap.h"

static void
test_adds(void)
{
	static const uint8_t want[] = { 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef,
		0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08 };
	struct buf b;

	buf_init(&b, 1000);
	is_str(buf_str(&b), "", "an empty buf is an empty string");
	buf_add(&b, NULL, 0);
	buf_add(&b, "ab", 2);
	buf_addc(&b, 'c');
	buf_adds(&b, "def");
	buf_addf(&b, "-%d-%s", 42, "x");
	is_str(buf_str(&b), "abcdef-42-x", "adds follow each other");
	is_int(b.len, 11, "the NUL does not count");
	buf_clear(&b);
	buf_add16(&b, 0x1234);
	buf_add32(&b, 0xdeadbeef);
	buf_add64(&b, 0x0102030405060708);
	ok(b.len == sizeof(want) && memcmp(b.data, want, b.len) == 0,
	    "integers are big-endian");
	buf_free(&b);
	ok(b.data == NULL && b.len == 0 && b.cap == 0, "freed is empty");
	buf_adds(&b, "again");
	is_str(buf_str(&b), "again", "and usable");
	buf_free(&b);
}

static void
test_ceiling(void)
{
	static const struct {
		size_t max;
		size_t have;
		size_t add;
		bool fits;
	} rows[] = {
		{ 0, 0, 1, false },
		{ 1, 0, 1, true },
		{ 1, 1, 1, false },
		{ 10, 4, 6, true },
		{ 10, 4, 7, false },
		{ 63, 0, 63, true },
		{ 64, 63, 1, true },
		{ 65, 64, 1, true },
		{ 65, 64, 2, false },
		{ 1000, 999, 1, true },
		{ 1000, 999, 2, false },
		{ 100000, 1, 99999, true },
		{ 100000, 1, 100000, false },
		{ 100, 10, SIZE_MAX, false },
		{ 100, 10, SIZE_MAX - 9, false },
	};
	char *junk = malloc(100000);
	size_t i;

	memset(junk, 'x', 100000);
	for (i = 0; i < NELEM(rows); i++) {
		size_t max = rows[i].max, have = rows[i].have;
		struct buf b;

		buf_init(&b, max);
		buf_add(&b, junk, have);
		if (rows[i].add <= 100000)
			buf_add(&b, junk, rows[i].add);
		else
			(void)buf_reserve(&b, rows[i].add);
		is_int(!b.failed, rows[i].fits, "row %zu: %zu of %zu, and %zu",
		    i, have, max, rows[i].add);
		is_int(b.len, have + (rows[i].fits ? rows[i].add : 0),
		    "row %zu: all or nothing", i);
		ok(b.cap <= max + 1, "row %zu: no more memory than that", i);
		ok((buf_str(&b) != NULL) == rows[i].fits,
		    "row %zu: a string when all fits", i);
		buf_free(&b);
	}
	free(junk);
}

static void
test_failed(void)
{
	struct buf b;

	buf_init(&b, 8);
	buf_adds(&b, "12345");
	buf_adds(&b, "6789");
	buf_adds(&b, "a");
	buf_addf(&b, "%d", 1);
	buf_addc(&b, 'b');
	ok(b.failed && b.len == 5, "after a failure nothing is added");
	ok(buf_reserve(&b, 1) == NULL, "nor reserved");
	ok(buf_str(&b) == NULL, "and there is no string");
	buf_clear(&b);
	ok(!b.failed && b.len == 0, "clear forgets the failure");
	buf_addf(&b, "%s", "12345678");
	is_str(buf_str(&b), "12345678", "a format may fill it");
	buf_clear(&b);
	buf_addf(&b, "%s", "123456789");
	ok(b.failed && b.len == 0, "a format past the ceiling adds nothing");
	buf_free(&b);
}

static void
test_reserve_drain(void)
{
	struct buf b;
	char *p;
	size_t i;

	buf_init(&b, 4096);
	ok(buf_reserve(&b, 0) != NULL, "nothing can be reserved");
	p = buf_reserve(&b, 3);
	memcpy(p, "abc", 3);
	b.len += 3;
	buf_adds(&b, "defg");
	buf_drain(&b, 0);
	is_str(buf_str(&b), "abcdefg", "drain nothing");
	buf_drain(&b, 3);
	is_str(buf_str(&b), "defg", "drain the front");
	buf_drain(&b, 4);
	is_str(buf_str(&b), "", "drain all");
	buf_drain(&b, 9);
	is_int(b.len, 0, "drain more than there is");
	for (i = 0; i < 1000; i++)
		buf_addf(&b, "%03zu,", i % 1000);
	ok(!b.failed && b.len == 4000, "formats grow it");
	ok(memcmp(b.data + 3996, "999,", 4) == 0, "to the last one");
	buf_free(&b);
	buf_init(&b, SIZE_MAX);
	buf_adds(&b, "no ceiling");
	is_str(buf_str(&b), "no ceiling", "the largest ceiling");
	buf_free(&b);
}

int
main(void)
{
	test_adds();
	test_ceiling();
	test_failed();
	test_reserve_drain();
	return tap_done();
}
