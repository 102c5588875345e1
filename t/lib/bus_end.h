/* SPDX-License-Identifier: ISC */
/*
 * An end of a bus, as the tests of the rules use it: two or more of them in
 * one process, so that each step follows the other.
 */
#ifndef LIB_BUS_END_H
#define LIB_BUS_END_H

#include "bus/bus_shm.h"

#define NOISE (1 << 20)

/* Random bytes, the same in each run and in all its processes. */
static char noise[NOISE];

static inline uint64_t
rnd(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline void
noise_start(void)
{
	uint64_t seed = 123456789;
	size_t i;

	for (i = 0; i < NOISE; i++)
		noise[i] = (char)rnd(&seed);
}

struct end {
	struct bus *b;
	unsigned calls;
	uint64_t seen; /* mask of the writers, never cleared here */
	unsigned from;
	uint16_t type;
	size_t n;
	uint64_t sum;	   /* of the bytes of all payloads */
	struct bus *spoil; /* the callback publishes spoil_n records with it */
	unsigned spoil_n;
};

static inline void
publish(struct bus *b, uint16_t type, uint64_t to, const char *p, size_t n)
{
	const struct slice part = { p, n };

	if (bus_publish(b, type, to, &part, 1) == -1)
		fatal("bus_publish of %zu bytes", n);
}

static inline void
end_take(void *arg, unsigned from, uint16_t type, const char *p, size_t n)
{
	struct end *e = arg;
	unsigned left;
	size_t i;

	e->calls++;
	e->from = from;
	e->seen |= BUS_BIT(from);
	e->type = type;
	e->n = n;
	for (i = 0; i < n; i++)
		e->sum += (uint8_t)p[i];
	for (left = e->spoil_n; left > 0; left--)
		publish(e->spoil, 9, BUS_ALL, noise, 100);
	e->spoil_n = 0;
}

static inline unsigned
end_read(struct end *e, unsigned max, bool *lost)
{
	e->calls = 0;
	e->sum = 0;
	return bus_read(e->b, max, end_take, e, lost);
}

static inline struct bus *
open_or_die(int fd, unsigned self)
{
	struct bus *b = bus_open(fd, self);

	if (b == NULL)
		fatal("bus_open");
	return b;
}

static inline int
create_or_die(unsigned procs, size_t ring)
{
	int fd = bus_create(procs, ring);

	if (fd == -1)
		fatal("bus_create");
	return fd;
}

#endif
