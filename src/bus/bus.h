/* SPDX-License-Identifier: ISC */
/*
 * bus: the shared memory through which the processes of one host tell each
 * other what happened.  One ring per writing process, read by all others;
 * records are addressed to a set of processes; who falls behind by a whole
 * ring loses records, notices, and recovers from the database.
 *
 * Nothing here blocks, allocates per record or takes a lock.
 */
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include "base/base.h"

/* A process is a number below this; a set of processes is a bit mask. */
#define BUS_PROCS_MAX 64
#define BUS_ALL UINT64_MAX
#define BUS_BIT(proc) (UINT64_C(1) << (proc))
#define BUS_COUNTERS 256 /* per process */

struct bus;

/*
 * bus_shm.c: the mapping.
 */
/* A sealed memfd for so many processes; ring_size in bytes is rounded up to a
 * power of two (4 KiB to 1 GiB).  -1 and errno. */
int bus_create(unsigned procs, size_t ring_size) MUST_CHECK;
/* Maps it as process self and checks its layout; the descriptor stays the
 * caller's.  Continues the ring of a process that died as self: a record it
 * had begun is forgotten, and so is its interest.  Reading begins at what is
 * written from now on.  NULL and errno: EPROTO when it is no bus of this
 * version, EINVAL when it has no such process. */
struct bus *bus_open(int fd, unsigned self) MUST_CHECK;
void bus_close(struct bus *b);
unsigned bus_self(const struct bus *b);
unsigned bus_procs(const struct bus *b);
/* BUS_COUNTERS counters of a process, zero at creation; only their process
 * writes them, everybody may read. */
uint64_t *bus_counters(struct bus *b, unsigned proc);

/*
 * bus.c: records.
 */
/* The largest payload that bus_publish() takes: a quarter of a ring. */
size_t bus_record_max(const struct bus *b);
/* Writes one record, the parts in a row, for the processes in `to` but self.
 * -1 and EMSGSIZE when it is too large; it was not written. */
int bus_publish(struct bus *b, uint16_t type, uint64_t to,
    const struct slice *parts, size_t nparts) MUST_CHECK;

/* The payload is a copy that is good during the call, in which bus_read() must
 * not be called.  It may come from a process gone mad: parse it strictly. */
typedef void bus_fn(
    void *arg, unsigned from, uint16_t type, const char *p, size_t n);
/* Reads at most max records that are for this process, ring by ring.  Returns
 * how many; *lost is set when records for this process were overrun since the
 * last call, else cleared.  A loss is told before any record that came after
 * it; at times one is told when none was, never the reverse. */
unsigned bus_read(
    struct bus *b, unsigned max, bus_fn *fn, void *arg, bool *lost);

/*
 * bus_wake.c: one eventfd per process; only sleepers are woken, once a turn.
 */
/* The eventfd (EFD_NONBLOCK) of a process, kept open by the caller; set for all
 * processes before the first flush. */
void bus_set_wake(struct bus *b, unsigned proc, int fd);
/* Before the loop blocks, after the last bus_flush(); its own eventfd is among
 * what it waits for.  False: there is something to read, do not block. */
bool bus_sleep(struct bus *b) MUST_CHECK;
/* After the loop returned; empties the own eventfd. */
void bus_awake(struct bus *b);
/* At the end of a turn: wakes the sleepers among those addressed since the
 * last flush. */
void bus_flush(struct bus *b);

/*
 * bus_interest.c: which processes serve which mesh, so that a record for all
 * of a mesh is addressed to those only.  A superset at times, never less.
 */
void bus_interest_add(struct bus *b, const struct id *mesh);
void bus_interest_drop(struct bus *b, const struct id *mesh);
/* Forgets all interest of a process that died (the master does this). */
void bus_interest_clear(struct bus *b, unsigned proc);
uint64_t bus_interest(const struct bus *b, const struct id *mesh);

#endif
