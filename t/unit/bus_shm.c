/* SPDX-License-Identifier: ISC */
/*
 * The mapping: what is made, what is refused, and how a process takes up the
 * ring of one that died, or that was scribbled over.
 */
#include "config.h" /* memfd_create(2) */

#include <sys/mman.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "bus_end.h"
#include "tap.h"

static void
test_geometry(void)
{
	static const struct {
		unsigned procs;
		size_t ring;
		size_t max; /* 0: refused */
	} rows[] = {
		{ 1, 4096, 1024 },
		{ 64, 4096, 1024 },
		{ 2, 1, 1024 },
		{ 2, 4097, 2048 },
		{ 2, 1 << 22, 1 << 20 },
		{ 0, 4096, 0 },
		{ 65, 4096, 0 },
		{ 2, ((size_t)1 << 30) + 1, 0 },
		{ 2, SIZE_MAX, 0 },
	};
	struct bus *b;
	size_t i;
	int fd;

	for (i = 0; i < NELEM(rows); i++) {
		errno = 0;
		fd = bus_create(rows[i].procs, rows[i].ring);
		if (rows[i].max == 0) {
			ok(fd == -1 && errno == EINVAL,
			    "%u processes, rings of %zu: refused",
			    rows[i].procs, rows[i].ring);
			continue;
		}
		b = open_or_die(fd, rows[i].procs - 1);
		ok(bus_procs(b) == rows[i].procs &&
			bus_self(b) == rows[i].procs - 1 &&
			bus_record_max(b) == rows[i].max,
		    "%u processes, rings of %zu", rows[i].procs, rows[i].ring);
		bus_close(b);
		errno = 0;
		ok(bus_open(fd, rows[i].procs) == NULL && errno == EINVAL,
		    "there is no process %u", rows[i].procs);
		close(fd);
	}
	bus_close(NULL);
}

static void
test_strange_files(void)
{
	const uint64_t bad = 1;
	int fd;

	errno = 0;
	ok(bus_open(-1, 0) == NULL && errno == EBADF, "no descriptor");
	fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	errno = 0;
	ok(bus_open(fd, 0) == NULL && errno == EPROTO, "an empty file");
	close(fd);
	fd = create_or_die(2, 4096);
	ok(ftruncate(fd, 4096) == -1 && errno == EPERM, "a bus cannot shrink");
	if (pwrite(fd, &bad, sizeof(bad),
		offsetof(struct bus_header, ring_size)) != sizeof(bad))
		fatal("pwrite");
	ok(bus_open(fd, 0) == NULL && errno == EPROTO, "a wrong ring size");
	if (pwrite(fd, &bad, sizeof(bad), 0) != sizeof(bad))
		fatal("pwrite");
	ok(bus_open(fd, 0) == NULL && errno == EPROTO, "a wrong magic");
	close(fd);
}

/* What a writer may leave when it dies at any instruction of a publish. */
static void
test_deaths(void)
{
	static const struct {
		const char *when;
		uint64_t reserve, need; /* past head; 0: as it is */
	} rows[] = {
		{ "between two records", 0, 0 },
		{ "having reserved", 256, 0 },
		{ "having written", 256, 64 },
	};
	int fd = create_or_die(2, 4096);
	struct end e = { .b = open_or_die(fd, 1) };
	struct bus *w;
	struct bus_proc *p;
	uint64_t old, reserve;
	size_t i;
	bool lost;

	for (i = 0; i < NELEM(rows); i++) {
		w = open_or_die(fd, 0);
		publish(w, 1, BUS_ALL, noise, 10);
		p = bus_proc(w, 0);
		old = p->head;
		if (rows[i].reserve != 0)
			p->reserve = old + rows[i].reserve;
		if (rows[i].need != 0) {
			p->need[1] = old + rows[i].need;
			memset(bus_ring(w, 0) + old % 4096, 0x55, 40);
		}
		reserve = p->reserve;
		bus_close(w);
		ok(end_read(&e, 10, &lost) == 1 && !lost && e.n == 10,
		    "dead %s: what was whole is read", rows[i].when);
		w = open_or_die(fd, 0);
		p = bus_proc(w, 0);
		ok(p->head == old && p->reserve == reserve,
		    "its positions stay");
		ok(end_read(&e, 10, &lost) == 0 && !lost,
		    "the record that was begun is forgotten");
		publish(w, 1, BUS_ALL, noise, 20);
		ok(end_read(&e, 10, &lost) == 1 && !lost && e.n == 20,
		    "the successor's record is read");
		bus_close(w);
	}
	bus_close(e.b);
	close(fd);
}

/* A head, a reserve and a need that cannot be: told once, then mended by the
 * writer, or by its successor. */
static void
test_nonsense(void)
{
	static const struct {
		const char *what;
		uint64_t head, reserve, need;
	} rows[] = {
		{ "all ones", UINT64_MAX, UINT64_MAX, UINT64_MAX },
		{ "zeros", 0, 0, 0 },
		{ "an odd head", 1003, 5000, 1003 },
		{ "a head far off", UINT64_C(1) << 40, 0, UINT64_MAX },
		{ "a reserve far off", 2048, UINT64_C(1) << 63, UINT64_MAX },
		{ "a head before reserve", 4096, 1 << 20, UINT64_MAX },
	};
	struct end e;
	struct bus *w;
	struct bus_proc *p;
	unsigned tries, i;
	bool lost;
	int fd, heir;

	for (i = 0; i < 2 * NELEM(rows); i++) {
		heir = i % 2;
		fd = create_or_die(2, 4096);
		w = open_or_die(fd, 0);
		e = (struct end){ .b = open_or_die(fd, 1) };
		publish(w, 1, BUS_ALL, noise, 1000);
		p = bus_proc(w, 0);
		p->head = rows[i / 2].head;
		p->reserve = rows[i / 2].reserve;
		p->need[1] = rows[i / 2].need;
		end_read(&e, 10, &lost);
		if (heir) {
			bus_close(w);
			w = open_or_die(fd, 0);
		}
		tries = 0;
		do
			publish(w, 1, BUS_ALL, noise, 20);
		while ((end_read(&e, 10, &lost) != 1 || lost || e.n != 20) &&
		       ++tries < 100);
		ok(tries < 10, "%s: mended by %s", rows[i / 2].what,
		    heir ? "the successor" : "the writer");
		publish(w, 1, BUS_ALL, noise, 30);
		ok(end_read(&e, 10, &lost) == 1 && !lost && e.n == 30,
		    "and reads on");
		bus_close(w);
		bus_close(e.b);
		close(fd);
	}
}

static void
test_counters(void)
{
	int fd = create_or_die(3, 4096);
	struct bus *a = open_or_die(fd, 0), *b = open_or_die(fd, 2);
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < BUS_COUNTERS; i++)
		sum += bus_counters(a, 0)[i] + bus_counters(a, 2)[i];
	is_int(sum, 0, "counters are zero at creation");
	for (i = 0; i < BUS_COUNTERS; i++)
		bus_counters(b, 2)[i] = i;
	publish(b, 1, BUS_ALL, noise, 1);
	for (i = 0; i < BUS_COUNTERS; i++)
		sum += bus_counters(a, 2)[i];
	is_int(sum, BUS_COUNTERS * (BUS_COUNTERS - 1) / 2,
	    "all of them are seen by others");
	is_int(bus_counters(a, 0)[BUS_COUNTERS - 1] + bus_counters(a, 1)[0], 0,
	    "and are nobody else's");
	bus_close(b);
	b = open_or_die(fd, 2);
	is_int(bus_counters(b, 2)[3], 3, "they survive a restart");
	bus_close(a);
	bus_close(b);
	close(fd);
}

int
main(void)
{
	noise_start();
	test_geometry();
	test_strange_files();
	test_deaths();
	test_nonsense();
	test_counters();
	return tap_done();
}
