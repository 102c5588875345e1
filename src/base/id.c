/* SPDX-License-Identifier: ISC */
/*
 * UUIDv7: 48 bits of milliseconds, 12 bits of a counter, 62 random bits (RFC
 * 9562 5.7, and 6.2 method 1).  The invariant is that the pair of time and
 * counter rises with every id.  So the time never follows a clock that was set
 * back, and when the counter is used up it runs ahead of the clock.
 */
#include "base/base.h"

#include <pthread.h>
#include <string.h>

#define COUNTER_MAX 0xfff
/* A new millisecond begins in the lower half and leaves room to count. */
#define COUNTER_SEED 0x7ff
#define RANDOM_LEN 8

/* Random bytes are fetched for many ids at once: a system call each is
 * dearer than all the rest. */
static struct {
	uint64_t ms;
	uint16_t counter;
	bool started;
	size_t left;
	uint8_t random[64 * RANDOM_LEN];
} id_state;

/* Two processes must not spend the same random bytes. */
static void
id_forked(void)
{
	id_state.left = 0;
}

static void
id_random(uint8_t out[RANDOM_LEN])
{
	if (!id_state.started) {
		pthread_atfork(NULL, NULL, id_forked);
		id_state.started = true;
	}
	if (id_state.left == 0) {
		crypto_random_bytes(id_state.random, sizeof(id_state.random));
		id_state.left = sizeof(id_state.random);
	}
	id_state.left -= RANDOM_LEN;
	memcpy(out, id_state.random + id_state.left, RANDOM_LEN);
}

static void
put_time(struct id *id, uint64_t ms)
{
	size_t i;

	for (i = 0; i < 6; i++)
		id->b[i] = (uint8_t)(ms >> (40 - 8 * i));
}

void
id_new(struct id *id)
{
	uint64_t now = (uint64_t)clock_wall();
	uint8_t seed[RANDOM_LEN];

	if (now > id_state.ms) {
		id_random(seed);
		id_state.ms = now;
		id_state.counter =
		    (uint16_t)((seed[0] << 8 | seed[1]) & COUNTER_SEED);
	} else if (id_state.counter == COUNTER_MAX) {
		id_state.ms++;
		id_state.counter = 0;
	} else {
		id_state.counter++;
	}
	put_time(id, id_state.ms);
	id->b[6] = (uint8_t)(0x70 | id_state.counter >> 8);
	id->b[7] = (uint8_t)id_state.counter;
	id_random(id->b + 8);
	id->b[8] = (id->b[8] & 0x3f) | 0x80;
}

bool
id_is_null(const struct id *id)
{
	static const struct id null;

	return id_same(id, &null);
}

bool
id_same(const struct id *a, const struct id *b)
{
	return memcmp(a->b, b->b, ID_LEN) == 0;
}

char *
id_hex(const struct id *id, char out[ID_HEX_LEN + 1])
{
	crypto_hex(out, id->b, ID_LEN);
	return out;
}

int
id_parse(struct id *id, const char *s, size_t n)
{
	struct id read;

	if (crypto_unhex(read.b, ID_LEN, s, n) != 0)
		return -1;
	*id = read;
	return 0;
}

int64_t
id_time(const struct id *id)
{
	int64_t ms = 0;
	size_t i;

	for (i = 0; i < 6; i++)
		ms = ms << 8 | id->b[i];
	return ms;
}

void
id_at(struct id *id, int64_t wall_ms)
{
	memset(id->b, 0, sizeof(id->b));
	put_time(id, wall_ms > 0 ? (uint64_t)wall_ms : 0);
}
