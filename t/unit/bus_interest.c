/* SPDX-License-Identifier: ISC */
/*
 * Interest: who serves a mesh is always named; who shares a slot with one
 * that does may be.
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "bus/bus.h"
#include "tap.h"

#define WATCHDOG 60 /* seconds */
#define TOGGLES 2000000

/* Ids in the shape of UUIDv7: some time, some random bits. */
static struct id
mesh_id(uint64_t n)
{
	uint64_t w[2] = { UINT64_C(0x0070563412000000) + n % 4096,
		n * UINT64_C(0xd1342543de82ef95) };
	struct id id;

	memcpy(id.b, w, sizeof(id.b));
	return id;
}

static struct bus *
join(int fd, unsigned self)
{
	struct bus *b = bus_open(fd, self);

	if (b == NULL)
		fatal("bus_open");
	return b;
}

/* Another mesh in the slot of the only mesh that b serves. */
static struct id
neighbour(struct bus *b, uint64_t of)
{
	struct id id;
	uint64_t n;

	for (n = of + 1; n < of + 10000000; n++) {
		id = mesh_id(n);
		if (bus_interest(b, &id) != 0)
			return id;
	}
	fatalx("no mesh shares a slot with mesh %" PRIu64, of);
}

static void
test_rules(int fd)
{
	struct bus *a = join(fd, 0), *b = join(fd, 5);
	struct id one = mesh_id(1), two;

	is_int(bus_interest(a, &one), 0, "nobody serves it");
	bus_interest_add(a, &one);
	is_int(bus_interest(b, &one), BUS_BIT(0), "one does");
	two = neighbour(b, 1);
	bus_interest_add(b, &one);
	is_int(bus_interest(a, &one), BUS_BIT(0) | BUS_BIT(5), "two do");
	bus_interest_drop(a, &one);
	is_int(bus_interest(a, &one), BUS_BIT(5), "one dropped it");

	bus_interest_add(b, &two);
	bus_interest_drop(b, &one);
	is_int(bus_interest(a, &two), BUS_BIT(5),
	    "of two in a slot one is dropped: the other is served");
	bus_interest_drop(b, &two);
	is_int(bus_interest(a, &two), 0, "then that, too");

	bus_interest_add(a, &one);
	bus_interest_add(b, &one);
	bus_interest_clear(a, 5);
	is_int(bus_interest(b, &one), BUS_BIT(0), "a dead one is forgotten");
	bus_close(b);
	b = join(fd, 5);
	bus_interest_add(b, &one);
	is_int(bus_interest(a, &one), BUS_BIT(0) | BUS_BIT(5), "it comes back");
	bus_close(b);
	b = join(fd, 5);
	is_int(bus_interest(a, &one), BUS_BIT(0),
	    "who begins again begins without");
	bus_interest_drop(a, &one);
	bus_close(a);
	bus_close(b);
}

/* Ids that differ little spread over the table. */
static void
test_spread(int fd)
{
	struct bus *a = join(fd, 0), *b = join(fd, 1);
	unsigned n, shared = 0;
	struct id id;

	for (n = 0; n < 1000; n++) {
		id = mesh_id(n);
		if (bus_interest(b, &id) != 0)
			shared++;
		bus_interest_add(a, &id);
	}
	/* By chance it is 8. */
	ok(shared < 40, "of 1000 meshes few share a slot (%u)", shared);
	bus_close(a);
	bus_close(b);
}

/* Adds and drops without end what the other serves throughout. */
static void
toggle(int fd, const struct id *id, struct bus *const inherited[2])
{
	struct bus *b = join(fd, 2);
	unsigned i;

	bus_close(inherited[0]);
	bus_close(inherited[1]);
	for (i = 0; i < TOGGLES; i++) {
		bus_interest_add(b, id);
		bus_interest_drop(b, id);
	}
	bus_interest_add(b, id);
	bus_close(b);
	_exit(0);
}

static void
test_race(int fd)
{
	struct bus *a = join(fd, 0), *b = join(fd, 1);
	pid_t parent = getpid(), pid;
	struct id id = mesh_id(77);
	unsigned missed = 0;
	int status;

	bus_interest_add(a, &id);
	fflush(stdout);
	pid = fork();
	if (pid == -1)
		fatal("fork");
	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
		    getppid() != parent)
			_exit(2);
		alarm(WATCHDOG);
		toggle(fd, &id, (struct bus *[2]){ a, b });
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		bus_interest_add(b, &id);
		if ((bus_interest(b, &id) & 3) != 3)
			missed++;
		bus_interest_drop(b, &id);
	}
	is_int(missed, 0, "others' changes of a slot change no other's bit");
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the other ends");
	is_int(bus_interest(a, &id), BUS_BIT(0) | BUS_BIT(2),
	    "what is left is what was added");
	bus_close(a);
	bus_close(b);
}

int
main(void)
{
	int fd = bus_create(6, 4096);

	alarm(2 * WATCHDOG);
	if (fd == -1)
		fatal("bus_create");
	test_rules(fd);
	test_spread(fd);
	test_race(fd);
	close(fd);
	return tap_done();
}
