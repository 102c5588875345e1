/* SPDX-License-Identifier: ISC */
/*
 * Histograms of linnet-bench: what they say of known values, within the error
 * that is promised.
 */
#include <stdlib.h>

#include "bench/bench.h"
#include "tap.h"

static struct bench_hist h, other, all;

static bool
near(int64_t got, int64_t want)
{
	int64_t most = want / 100;

	return got >= want && got - want <= most;
}

static void
test_parts(void)
{
	static const struct {
		double part;
		int64_t want;
	} rows[] = {
		{ 0, 1 },
		{ 0.000001, 1 },
		{ 0.5, 500000 },
		{ 0.9, 900000 },
		{ 0.99, 990000 },
		{ 0.999, 999000 },
		{ 1, 1000000 },
	};
	int64_t v, got;
	size_t i;

	bench_hist_clear(&h);
	is_int(bench_hist_at(&h, 0.5), 0, "of nothing: 0");
	for (v = 1000000; v > 0; v--)
		bench_hist_add(&h, v);
	is_int((int64_t)h.count, 1000000, "all are counted");
	for (i = 0; i < NELEM(rows); i++) {
		got = bench_hist_at(&h, rows[i].part);
		ok(near(got, rows[i].want), "%g: %" PRId64 " is near %" PRId64,
		    rows[i].part, got, rows[i].want);
	}
}

/* One value is found again, whatever it is. */
static void
test_values(void)
{
	bool good = true;
	int64_t v, got;
	unsigned i;

	for (v = 1; v < (int64_t)1 << BENCH_HIST_RANGE; v += v / 7 + 1) {
		bench_hist_clear(&h);
		bench_hist_add(&h, v);
		bench_hist_add(&h, 2 * v);
		got = bench_hist_at(&h, 0.5);
		if (!near(got, v) && (good = false) == false)
			break;
	}
	ok(good, "each value alone; the last: %" PRId64 " as %" PRId64, v, got);
	for (i = 0; i < 256; i++) {
		bench_hist_clear(&h);
		bench_hist_add(&h, i);
		bench_hist_add(&h, 1000);
		good &= bench_hist_at(&h, 0.5) == (int64_t)i;
	}
	ok(good, "small values are exact");
}

static void
test_ends(void)
{
	bench_hist_clear(&h);
	bench_hist_add(&h, -5);
	is_int(bench_hist_at(&h, 1), 0, "nothing is sooner than at once");
	bench_hist_add(&h, INT64_MAX);
	is_int(h.max, INT64_MAX, "the greatest is kept as it is");
	is_int(bench_hist_at(&h, 0.5), 0, "and half is not touched by it");
	ok(bench_hist_at(&h, 1) > ((int64_t)1 << (BENCH_HIST_RANGE - 1)),
	    "what is past the range counts as its end");
}

static void
test_merge(void)
{
	bool same = true;
	int64_t v;
	double p;
	unsigned i;

	bench_hist_clear(&h);
	bench_hist_clear(&other);
	bench_hist_clear(&all);
	srandom(1);
	for (i = 0; i < 100000; i++) {
		v = random() % 10000000;
		bench_hist_add(i % 3 == 0 ? &h : &other, v);
		bench_hist_add(&all, v);
	}
	bench_hist_merge(&h, &other);
	for (p = 0; p <= 1; p += 0.001)
		same &= bench_hist_at(&h, p) == bench_hist_at(&all, p);
	ok(same, "two that were merged are as one");
	is_int((int64_t)h.count, 100000, "all are counted");
	is_int(h.min, all.min, "the least");
	is_int(h.max, all.max, "the greatest");
	bench_hist_clear(&other);
	bench_hist_merge(&other, &h);
	is_int(other.min, all.min, "merged into nothing: the least");
	bench_hist_clear(&h);
	bench_hist_merge(&other, &h);
	is_int(other.min, all.min, "nothing merged: the least");
}

int
main(void)
{
	test_parts();
	test_values();
	test_ends();
	test_merge();
	return tap_done();
}
