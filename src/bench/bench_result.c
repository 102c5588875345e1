/* SPDX-License-Identifier: ISC */
/*
 * Figures of rounds.  A ratio is taken round by round, between measurements
 * that were made one after the other, and then looked at over the rounds.
 */
#include "bench/bench.h"

#include <math.h>
#include <stdlib.h>

const struct bench_figure_info bench_figures[BENCH_FIGURES] = {
#define FIGURE(id, name, decimals, better, text) \
	{ name, decimals, better, text },
#include "bench/figures.def"
#undef FIGURE
};

const char *const bench_result_hists[BENCH_HISTS] = {
	[BENCH_HIST_ACK] = "request to answer",
	[BENCH_HIST_DELIVER] = "request to delivery",
	[BENCH_HIST_FANOUT] = "multicast to delivery",
	[BENCH_HIST_STATE] = "state change to delivery",
};

void
bench_result_clear(double values[BENCH_FIGURES])
{
	size_t i;

	for (i = 0; i < BENCH_FIGURES; i++)
		values[i] = NAN;
}

static int
result_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Of n values, which are sorted by it. */
static bool
result_spread(struct bench_spread *s, double *v, unsigned n)
{
	if (n == 0)
		return false;
	qsort(v, n, sizeof(*v), result_compare);
	s->min = v[0];
	s->max = v[n - 1];
	s->median = n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
	return true;
}

bool
bench_result_spread(
    struct bench_spread *s, const struct bench_entry *e, enum bench_figure f)
{
	double *v = xcalloc(e->rounds + 1, sizeof(*v));
	unsigned i, n = 0;
	bool any;

	for (i = 0; i < e->rounds; i++)
		if (!isnan(e->values[i][f]))
			v[n++] = e->values[i][f];
	any = result_spread(s, v, n);
	free(v);
	return any;
}

bool
bench_result_ratio(struct bench_spread *s, const struct bench_match *m,
    unsigned entry, enum bench_figure f)
{
	const struct bench_entry *a = &m->entries[0], *b = &m->entries[entry];
	double *v = xcalloc(m->rounds + 1, sizeof(*v)), x, y;
	unsigned i, n = 0;
	bool any;

	for (i = 0; i < a->rounds && i < b->rounds; i++) {
		x = a->values[i][f];
		y = b->values[i][f];
		if (isnan(x) || isnan(y) || x <= 0 || y <= 0)
			continue;
		v[n++] = bench_figures[f].better < 0 ? y / x : x / y;
	}
	any =
	    entry > 0 && bench_figures[f].better != 0 && result_spread(s, v, n);
	free(v);
	return any;
}
