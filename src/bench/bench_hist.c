/* SPDX-License-Identifier: ISC */
/*
 * Histograms: up to 2^BENCH_HIST_BITS a slot for each value, above that so
 * many slots for each doubling, so that a slot is never wider than its least
 * value by more than one part in 2^BENCH_HIST_BITS.
 */
#include "bench/bench.h"

#include <string.h>

#define HIST_HALF ((uint64_t)1 << BENCH_HIST_BITS)

void
bench_hist_clear(struct bench_hist *h)
{
	memset(h, 0, sizeof(*h));
}

static size_t
hist_slot(uint64_t v)
{
	unsigned shift;

	if (v < 2 * HIST_HALF)
		return (size_t)v;
	shift = 63 - BENCH_HIST_BITS - (unsigned)__builtin_clzll(v);
	return (size_t)(shift * HIST_HALF + (v >> shift));
}

/* The greatest value of a slot. */
static int64_t
hist_end(size_t slot)
{
	unsigned shift;

	if (slot < 2 * HIST_HALF)
		return (int64_t)slot;
	shift = (unsigned)(slot / HIST_HALF) - 1;
	return (int64_t)(((slot - shift * HIST_HALF + 1) << shift) - 1);
}

void
bench_hist_add(struct bench_hist *h, int64_t value)
{
	const int64_t most = ((int64_t)1 << BENCH_HIST_RANGE) - 1;

	if (value < 0)
		value = 0;
	if (h->count == 0 || value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
	h->count++;
	h->slots[hist_slot((uint64_t)(value < most ? value : most))]++;
}

void
bench_hist_merge(struct bench_hist *into, const struct bench_hist *from)
{
	size_t i;

	if (from->count == 0)
		return;
	if (into->count == 0 || from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
	into->count += from->count;
	for (i = 0; i < BENCH_HIST_SLOTS; i++)
		into->slots[i] += from->slots[i];
}

int64_t
bench_hist_at(const struct bench_hist *h, double part)
{
	double exact = part * (double)h->count;
	uint64_t want = (uint64_t)exact, seen = 0;
	size_t i;

	if (h->count == 0)
		return 0;
	if ((double)want < exact)
		want++;
	if (want == 0)
		return h->min;
	for (i = 0; i < BENCH_HIST_SLOTS; i++)
		if ((seen += h->slots[i]) >= want)
			break;
	return i == BENCH_HIST_SLOTS || hist_end(i) > h->max ? h->max
							     : hist_end(i);
}
