/* SPDX-License-Identifier: ISC */
/* pool.c: alignment, that pieces do not overlap, and the helpers. */
#include "base/base.h"

#include <stdlib.h>

#include "tap.h"

#define PIECES 2000

static void
test_pieces(void)
{
	struct pool p;
	unsigned char *at[PIECES];
	size_t size[PIECES], total = 0, i, k, bad = 0, crooked = 0;

	pool_init(&p);
	for (i = 0; i < PIECES; i++) {
		/* Small ones, with some larger than any block. */
		size[i] = i % 97 == 0 ? 70000 : i % 13 * i % 700;
		at[i] = pool_alloc(&p, size[i]);
		if ((uintptr_t)at[i] % _Alignof(max_align_t) != 0)
			crooked++;
		memset(at[i], (int)(i & 0xff), size[i]);
		total += size[i];
	}
	for (i = 0; i < PIECES; i++)
		for (k = 0; k < size[i]; k++)
			bad += at[i][k] != (i & 0xff);
	is_int(crooked, 0, "every piece is aligned");
	is_int(bad, 0, "no piece overlaps another");
	is_int(p.used, total, "used counts what was asked for");
	pool_free(&p);
	ok(p.used == 0 && p.blocks == NULL, "freed is empty");
	pool_free(&p);
	ok(pool_alloc(&p, 1) != NULL, "and usable");
	pool_free(&p);
}

static void
test_large_first(void)
{
	struct pool p;
	char *large, *small;

	pool_init(&p);
	large = pool_zalloc(&p, 100000);
	small = pool_zalloc(&p, 10);
	memset(large, 'x', 100000);
	ok(small[0] == 0 && small[9] == 0, "a large piece first");
	pool_free(&p);
}

static void
test_helpers(void)
{
	char text[5000];
	struct pool p;
	char *a, *b, *c, *d;
	size_t i, dirty = 0;

	pool_init(&p);
	a = pool_dup(&p, "a\0b", 3);
	b = pool_strndup(&p, "hello world", 5);
	c = pool_printf(&p, "%s-%d", "n", 42);
	memset(text, 'y', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	d = pool_printf(&p, "%s", text);
	ok(memcmp(a, "a\0b", 3) == 0, "dup copies bytes");
	is_str(b, "hello", "strndup ends with a NUL");
	is_str(c, "n-42", "printf");
	is_str(d, text, "a long printf");
	is_str(pool_strndup(&p, "", 0), "", "an empty string");
	ok(pool_dup(&p, NULL, 0) != NULL, "a copy of nothing");
	for (i = 0; i < 50; i++) {
		char *z = pool_zalloc(&p, 100);
		size_t k;

		for (k = 0; k < 100; k++)
			dirty += z[k] != 0;
		memset(z, 0xff, 100);
	}
	is_int(dirty, 0, "zalloc zeroes");
	pool_free(&p);
}

int
main(void)
{
	test_pieces();
	test_large_first();
	test_helpers();
	return tap_done();
}
