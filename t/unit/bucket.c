/* SPDX-License-Identifier: ISC */
/*
 * Token buckets against a clock that the test moves (linked with
 * --wrap=clock_mono).
 */
#include "base/base.h"
#include "tap.h"

static int64_t now_ms = 1000;

int64_t __wrap_clock_mono(void);

int64_t
__wrap_clock_mono(void)
{
	return now_ms;
}

static unsigned
take_all(struct bucket *b, double burst, double per_second)
{
	unsigned n = 0;

	while (n < 1000 && bucket_take(b, 1, burst, per_second) == 0)
		n++;
	return n;
}

static void
test_table(void)
{
	static const struct {
		const char *name;
		double burst;
		double per_second;
		int64_t after_ms;
		unsigned want;
	} rows[] = {
		{ "nothing at once", 5, 10, 0, 0 },
		{ "nothing before a token is whole", 5, 10, 99, 0 },
		{ "one when it is", 5, 10, 100, 1 },
		{ "as many as were gained", 5, 10, 350, 3 },
		{ "no more than the burst", 5, 10, 3600000, 5 },
		{ "fractions of a rate", 2, 0.5, 2000, 1 },
		{ "high rates", 100, 1000, 50, 50 },
		{ "nothing without a rate", 3, 0, 100000, 0 },
	};
	struct bucket b;
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		b = (struct bucket){ 0, 0 };
		is_int(take_all(&b, rows[i].burst, rows[i].per_second),
		    (int64_t)rows[i].burst, "a new bucket is full: %s",
		    rows[i].name);
		now_ms += rows[i].after_ms;
		is_int(take_all(&b, rows[i].burst, rows[i].per_second),
		    rows[i].want, "%s", rows[i].name);
	}
}

/* Who waits as long as told is let in, and not a millisecond earlier. */
static void
test_wait(void)
{
	static const double rates[] = { 0.1, 0.7, 1, 3, 7, 10, 333, 999 };
	struct bucket b, early;
	int64_t wait;
	bool in = true, out = true;
	size_t i, turn;

	for (i = 0; i < NELEM(rates); i++) {
		b = (struct bucket){ 0, 0 };
		take_all(&b, 2, rates[i]);
		for (turn = 0; turn < 200; turn++) {
			wait = bucket_take(&b, 1, 2, rates[i]);
			if (wait <= 0)
				break;
			now_ms += wait - 1;
			early = b;
			out = out && (bucket_take(&early, 1, 2, rates[i]) > 0);
			now_ms += 1;
			in = in && bucket_take(&b, 1, 2, rates[i]) == 0;
		}
		is_int(turn, 200, "waits at %g a second", rates[i]);
	}
	ok(in, "who waited is let in");
	ok(out, "who came a millisecond early is not");
}

static void
test_edges(void)
{
	struct bucket b = { 0, 0 };

	ok(bucket_take(&b, 1, 0, 10) > 1000000,
	    "a burst of none never lets in");
	b = (struct bucket){ 0, 0 };
	take_all(&b, 10, 1);
	now_ms += 100000;
	is_int(take_all(&b, 3, 1), 3, "a lowered burst counts at once");
	take_all(&b, 3, 1);
	now_ms -= 500;
	ok(bucket_take(&b, 1, 3, 1) > 0,
	    "a clock that went back gives nothing");
}

static void
test_several(void)
{
	struct bucket b = { 0, 0 };

	is_int(bucket_take(&b, 4, 10, 1), 0, "four of ten");
	is_int(bucket_look(&b, 6, 10, 1), 0, "six are left");
	is_int(bucket_take(&b, 7, 10, 1), 1000, "seven are not");
	is_int(bucket_take(&b, 6, 10, 1), 0, "nothing was taken");
	ok(bucket_take(&b, 11, 10, 1) == INT64_MAX,
	    "more than it holds will never be there");
}

int
main(void)
{
	test_table();
	test_wait();
	test_edges();
	test_several();
	return tap_done();
}
