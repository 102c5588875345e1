/* SPDX-License-Identifier: ISC */
/*
 * Which processes serve which mesh: a table of masks, indexed by a hash of
 * the mesh's id.  Meshes that share a slot share their interest; a process
 * counts its meshes in private, so that dropping one of two keeps the bit.
 * At worst a process is told of a mesh that it does not serve.
 *
 * The order is the promise.  Who begins to serve a mesh sets its bit and then
 * reads the database; who changes a mesh commits and then reads the bits.
 * With both sequentially consistent one of the two sees the other, and
 * nothing falls between them.
 */
#include "bus/bus_shm.h"

#include <string.h>

/* Ids are ours, not the clients': a plain mix of time and random bits does. */
static unsigned
bus_interest_slot(const struct id *mesh)
{
	uint64_t w[2];

	static_assert(sizeof(w) == sizeof(mesh->b), "an id is two words");
	memcpy(w, mesh->b, sizeof(w));
	return ((w[0] ^ (w[1] << 32 | w[1] >> 32)) *
		   UINT64_C(0x9e3779b97f4a7c15)) >>
	       48;
}

void
bus_interest_add(struct bus *b, const struct id *mesh)
{
	unsigned slot = bus_interest_slot(mesh);

	if (b->counts[slot]++ == 0) {
		atomic_fetch_or(&b->interest[slot], BUS_BIT(b->self));
		/* Before any later read, whatever that reads. */
		atomic_thread_fence(memory_order_seq_cst);
	}
}

void
bus_interest_drop(struct bus *b, const struct id *mesh)
{
	unsigned slot = bus_interest_slot(mesh);

	assert(b->counts[slot] > 0);
	if (--b->counts[slot] == 0)
		atomic_fetch_and(&b->interest[slot], ~BUS_BIT(b->self));
}

void
bus_interest_clear(struct bus *b, unsigned proc)
{
	size_t i;

	assert(proc < b->procs);
	for (i = 0; i < BUS_SLOTS; i++) {
		/* Most are clear: do not take their lines from readers. */
		if (atomic_load(&b->interest[i]) & BUS_BIT(proc))
			atomic_fetch_and(&b->interest[i], ~BUS_BIT(proc));
	}
}

uint64_t
bus_interest(const struct bus *b, const struct id *mesh)
{
	unsigned slot = bus_interest_slot(mesh);

	atomic_thread_fence(memory_order_seq_cst);
	return atomic_load(&b->interest[slot]) & b->all;
}
