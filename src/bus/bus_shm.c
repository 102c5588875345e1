/* SPDX-License-Identifier: ISC */
/*
 * The mapping of the bus: makes the memfd, maps and checks it, and takes up
 * the ring of a process that died.  Owns struct bus.
 *
 * The seals matter: without them a process could shrink the file, and all
 * others would die of SIGBUS.  Positions in a ring only rise over the whole
 * life of the memfd, whoever writes it; a writer that began again at 0 would
 * hide what it writes from every reader.
 */
#include "config.h" /* memfd_create(2) */

#include "bus/bus_shm.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUS_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Bytes of a bus; the parts before the rings are whole pages. */
static uint64_t
bus_total(unsigned procs, uint64_t ring_size)
{
	return BUS_PAGE + procs * (BUS_PAGE + ring_size) +
	       BUS_SLOTS * sizeof(bus_word);
}

static bool
bus_is_geometry(unsigned procs, uint64_t ring_size)
{
	return procs >= 1 && procs <= BUS_PROCS_MAX &&
	       ring_size >= BUS_RING_MIN && ring_size <= BUS_RING_MAX &&
	       (ring_size & (ring_size - 1)) == 0;
}

int
bus_create(unsigned procs, size_t ring_size)
{
	struct bus_header h = { .magic = BUS_MAGIC, .version = BUS_VERSION };
	uint64_t size = BUS_RING_MIN;
	int fd, saved;

	while (size < ring_size && size < BUS_RING_MAX)
		size *= 2;
	if (size < ring_size || !bus_is_geometry(procs, size)) {
		errno = EINVAL;
		return -1;
	}
	h.procs = procs;
	h.ring_size = size;
	fd = memfd_create("linnet-bus", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return -1;
	if (ftruncate(fd, (off_t)bus_total(procs, size)) == -1 ||
	    pwrite(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) ||
	    fcntl(fd, F_ADD_SEALS, BUS_SEALS) == -1)
		goto fail;
	return fd;

fail:
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* Maps the whole file when it is a bus of this version. */
static int
bus_map(struct bus *b, int fd)
{
	struct bus_header h;
	struct stat st;
	int seals;

	seals = fcntl(fd, F_GET_SEALS);
	if (seals == -1 || fstat(fd, &st) == -1)
		return -1;
	if (pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) ||
	    (seals & BUS_SEALS) != BUS_SEALS || h.magic != BUS_MAGIC ||
	    h.version != BUS_VERSION ||
	    !bus_is_geometry(h.procs, h.ring_size) ||
	    (uint64_t)st.st_size != bus_total(h.procs, h.ring_size)) {
		errno = EPROTO;
		return -1;
	}
	b->shm_size = (size_t)st.st_size;
	b->procs = h.procs;
	b->ring_size = h.ring_size;
	b->shm =
	    mmap(NULL, b->shm_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return b->shm == MAP_FAILED ? -1 : 0;
}

/*
 * Continues the own ring where the last owner left it.  A record that it had
 * begun lies past head, where nobody looks, and is overwritten; reserve stays
 * as it is, because what it had begun to overwrite is damaged.  A head and a
 * reserve that cannot be were scribbled over: all that is in the ring is
 * declared overwritten.
 */
static void
bus_continue(struct bus *b)
{
	struct bus_proc *own = bus_proc(b, b->self);
	uint64_t head, reserve;
	bool good;
	unsigned i;

	head = atomic_load(&own->head);
	reserve = atomic_load(&own->reserve);
	good = head % sizeof(uint64_t) == 0 && head <= UINT64_MAX / 4 &&
	       reserve >= head && reserve - head <= b->ring_size;
	if (!good) {
		head &= UINT64_MAX / 4 & ~(uint64_t)(sizeof(uint64_t) - 1);
		reserve = head + b->ring_size;
		atomic_store(&own->reserve, reserve);
	}
	for (i = 0; i < b->procs; i++) {
		if (!good || atomic_load(&own->need[i]) > head)
			atomic_store(&own->need[i], head);
	}
	atomic_store(&own->head, head);
	atomic_store(&own->sleeping, 0);
	/* As in ring_reserve(): reserve comes before what will be written. */
	atomic_thread_fence(memory_order_release);
	b->pos = head;
	b->reserved = reserve;
	/* The last owner may have died before it woke whom it wrote to. */
	b->unflushed = b->all & ~BUS_BIT(b->self);
}

struct bus *
bus_open(int fd, unsigned self)
{
	struct bus *b;
	unsigned i;
	int saved;

	b = xcalloc(1, sizeof(*b));
	if (bus_map(b, fd) == -1)
		goto fail;
	b->self = self;
	if (self >= b->procs) {
		munmap(b->shm, b->shm_size);
		errno = EINVAL;
		goto fail;
	}
	b->all = BUS_ALL >> (BUS_PROCS_MAX - b->procs);
	b->interest = (void *)bus_proc(b, b->procs);
	b->rings = (char *)(b->interest + BUS_SLOTS);
	b->record_max = b->ring_size / 4;
	b->copy = xmalloc(b->record_max);
	b->counts = xcalloc(BUS_SLOTS, sizeof(*b->counts));
	for (i = 0; i < BUS_PROCS_MAX; i++)
		b->wake[i] = -1;
	for (i = 0; i < b->procs; i++) {
		b->next[i] = atomic_load_explicit(
		    &bus_proc(b, i)->head, memory_order_acquire);
	}
	bus_continue(b);
	bus_interest_clear(b, self);
	return b;

fail:
	saved = errno;
	free(b);
	errno = saved;
	return NULL;
}

void
bus_close(struct bus *b)
{
	if (b == NULL)
		return;
	munmap(b->shm, b->shm_size);
	free(b->copy);
	free(b->counts);
	free(b);
}

unsigned
bus_self(const struct bus *b)
{
	return b->self;
}

unsigned
bus_procs(const struct bus *b)
{
	return b->procs;
}

uint64_t *
bus_counters(struct bus *b, unsigned proc)
{
	assert(proc < b->procs);
	return bus_proc(b, proc)->counters;
}
