/* SPDX-License-Identifier: ISC */
/*
 * Waking sleepers.  A wake-up costs as much as six writes to sockets, so only
 * who sleeps is woken, once, at the end of the writer's turn.
 *
 *	sleeper				waker
 *	sleeping = 1			head = ...	(bus_publish)
 *	--- full fence ---		--- full fence ---
 *	looks at all heads		looks at sleeping
 *	none new: blocks		1: clears it, writes the eventfd
 *
 * Each stores, fences, and then looks at what the other stored; so at least
 * one of the two sees the other, and no wake-up is lost.  Of several wakers
 * the one that exchanges the 1 for a 0 writes.  A sleeper that another event
 * woke may find the eventfd written late: that is one idle turn, no more.
 */
#include "bus/bus_shm.h"

#include <errno.h>
#include <unistd.h>

void
bus_set_wake(struct bus *b, unsigned proc, int fd)
{
	assert(proc < b->procs);
	b->wake[proc] = fd;
}

/* Is something in a ring that bus_read() would hand out, or complain of? */
static bool
bus_is_pending(const struct bus *b, unsigned from)
{
	struct bus_proc *p = bus_proc(b, from);
	uint64_t head, need, next = b->next[from];

	head = atomic_load_explicit(&p->head, memory_order_acquire);
	need = atomic_load_explicit(&p->need[b->self], memory_order_relaxed);
	return head < next || (head > next && need > next);
}

bool
bus_sleep(struct bus *b)
{
	struct bus_proc *own = bus_proc(b, b->self);
	unsigned i;

	atomic_store(&own->sleeping, 1);
	atomic_thread_fence(memory_order_seq_cst);
	for (i = 0; i < b->procs; i++) {
		if (i != b->self && bus_is_pending(b, i)) {
			atomic_store(&own->sleeping, 0);
			return false;
		}
	}
	return true;
}

void
bus_awake(struct bus *b)
{
	uint64_t n;

	atomic_store(&bus_proc(b, b->self)->sleeping, 0);
	if (read(b->wake[b->self], &n, sizeof(n)) == -1 && errno != EAGAIN)
		fatal("bus: read from the own eventfd");
}

void
bus_flush(struct bus *b)
{
	const uint64_t one = 1;
	struct bus_proc *p;
	uint64_t left = b->unflushed;
	unsigned i;

	if (left == 0)
		return;
	b->unflushed = 0;
	atomic_thread_fence(memory_order_seq_cst);
	for (; left != 0; left &= left - 1) {
		i = (unsigned)__builtin_ctzll(left);
		p = bus_proc(b, i);
		/* A look first: an exchange would take the line each time. */
		if (atomic_load_explicit(&p->sleeping, memory_order_relaxed) ==
			0 ||
		    atomic_exchange(&p->sleeping, 0) == 0)
			continue;
		/* EAGAIN: it is readable already, to the brim. */
		if (write(b->wake[i], &one, sizeof(one)) == -1 &&
		    errno != EAGAIN)
			fatal("bus: write to the eventfd of process %u", i);
	}
}
