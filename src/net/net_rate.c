/* SPDX-License-Identifier: ISC */
/*
 * Token buckets.  A bucket is two numbers that its owner embeds; a bucket of
 * zeroes is new and full.  Nothing runs in the background: what was gained
 * since the last call is added by the next one.
 */
#include "net/net.h"

/* A token that is this nearly there counts: sums of fractions do not come out
 * even, and who waited as long as told must not be refused again. */
#define RATE_TOKEN 0.999999

int64_t
net_rate(struct net_bucket *b, double burst, double per_second)
{
	int64_t now = clock_mono();
	double wait;

	if (b->at_ms == 0)
		b->tokens = burst;
	else if (now > b->at_ms)
		b->tokens += (double)(now - b->at_ms) * per_second / 1000;
	/* The limits may have been lowered since. */
	if (b->tokens > burst)
		b->tokens = burst;
	b->at_ms = now;
	if (b->tokens >= RATE_TOKEN) {
		b->tokens -= 1;
		return 0;
	}
	if (burst < 1 || per_second <= 0)
		return INT64_MAX;
	wait = (RATE_TOKEN - b->tokens) * 1000 / per_second;
	if (wait >= (double)INT32_MAX)
		return INT32_MAX;
	return (int64_t)wait + ((double)(int64_t)wait < wait);
}
