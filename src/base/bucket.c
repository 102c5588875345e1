/* SPDX-License-Identifier: ISC */
/*
 * Token buckets.  A bucket is two numbers that its owner embeds; a bucket of
 * zeroes is new and full.  Nothing runs in the background: what was gained
 * since the last call is added by the next one.
 */
#include "base/base.h"

/* Tokens that are this nearly there count: sums of fractions do not come out
 * even, and who waited as long as told must not be refused again. */
#define BUCKET_NEARLY 0.000001

static void
bucket_fill(struct bucket *b, double burst, double per_second)
{
	int64_t now = clock_mono();

	if (b->at_ms == 0)
		b->tokens = burst;
	else if (now > b->at_ms)
		b->tokens += (double)(now - b->at_ms) * per_second / 1000;
	/* The limits may have been lowered since. */
	if (b->tokens > burst)
		b->tokens = burst;
	b->at_ms = now;
}

/* How long until there are n. */
static int64_t
bucket_wait(const struct bucket *b, double n, double burst, double per_second)
{
	double wait;

	if (burst < n || per_second <= 0)
		return INT64_MAX;
	wait = (n - BUCKET_NEARLY - b->tokens) * 1000 / per_second;
	if (wait >= (double)INT32_MAX)
		return INT32_MAX;
	return (int64_t)wait + ((double)(int64_t)wait < wait);
}

int64_t
bucket_look(struct bucket *b, double n, double burst, double per_second)
{
	bucket_fill(b, burst, per_second);
	if (b->tokens >= n - BUCKET_NEARLY)
		return 0;
	return bucket_wait(b, n, burst, per_second);
}

int64_t
bucket_take(struct bucket *b, double n, double burst, double per_second)
{
	int64_t wait = bucket_look(b, n, burst, per_second);

	if (wait == 0)
		b->tokens -= n;
	return wait;
}
