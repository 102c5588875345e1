/* SPDX-License-Identifier: ISC */
/*
 * The layout of the bus, shared by the files of this directory only.
 *
 *	0		struct bus_header	one page
 *	4 KiB		struct bus_proc		one page for each process
 *			interest		BUS_SLOTS masks, 512 KiB
 *			rings			ring_size bytes for each process
 *
 * Whatever is shared may have been overwritten by a process gone mad: sizes
 * are read once, when the bus is opened, and kept in struct bus.
 */
#ifndef BUS_BUS_SHM_H
#define BUS_BUS_SHM_H

#include <assert.h>
#include <stdatomic.h>

#include "bus/bus.h"

#define BUS_MAGIC UINT64_C(0x73756274656e6e6c) /* "lnnetbus" in memory */
#define BUS_VERSION 1

#define BUS_PAGE 4096
#define BUS_LINE 64 /* bytes of a cache line */
#define BUS_SLOTS 65536
#define BUS_RING_MIN 4096
#define BUS_RING_MAX (UINT64_C(1) << 30)

static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2,
    "atomics in shared memory must not hide a lock");

typedef _Atomic uint64_t bus_word;

struct bus_header {
	uint64_t magic;
	uint32_t version;
	uint32_t procs;
	uint64_t ring_size;
};

/*
 * The page of a process.  All of it is written by that process only, but for
 * sleeping, which a waker clears.  What several processes look at while one
 * writes it has a cache line of its own.
 */
struct bus_proc {
	_Alignas(BUS_LINE) bus_word head;    /* records end here */
	_Alignas(BUS_LINE) bus_word reserve; /* may be overwritten up to here */
	/* End of the newest record for each reader; it may lie past head. */
	_Alignas(BUS_LINE) bus_word need[BUS_PROCS_MAX];
	_Alignas(BUS_LINE) _Atomic uint32_t sleeping;
	_Alignas(BUS_LINE) uint64_t counters[BUS_COUNTERS];
};

static_assert(sizeof(struct bus_header) <= BUS_PAGE, "header is one page");
static_assert(sizeof(struct bus_proc) <= BUS_PAGE, "a process is one page");

/* What one process knows of the bus; private memory. */
struct bus {
	char *shm;
	size_t shm_size;
	bus_word *interest;
	char *rings;
	uint64_t ring_size;
	size_t record_max;
	unsigned procs;
	unsigned self;
	uint64_t all; /* mask of the processes that there are */

	/* Writing. */
	uint64_t pos;	    /* = own head, but cannot be scribbled over */
	uint64_t reserved;  /* = own reserve, likewise */
	uint64_t unflushed; /* addressed since the last flush */

	/* Reading. */
	uint64_t next[BUS_PROCS_MAX]; /* position in each ring */
	unsigned first;		      /* ring to begin with */
	char *copy;		      /* of one payload */

	int wake[BUS_PROCS_MAX]; /* eventfds */
	uint32_t *counts;	 /* of own interest, for each slot */
};

static inline struct bus_proc *
bus_proc(const struct bus *b, unsigned proc)
{
	return (void *)(b->shm + BUS_PAGE + (size_t)proc * BUS_PAGE);
}

static inline char *
bus_ring(const struct bus *b, unsigned proc)
{
	return b->rings + (size_t)proc * b->ring_size;
}

#endif
