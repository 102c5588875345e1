/* SPDX-License-Identifier: ISC */
/*
 * Wake-ups.  The rules one by one, then two processes that wake each other
 * 30,000 times: a lost wake-up leaves both asleep, which the time limit of
 * poll() shows.
 */
#include "config.h" /* sched_setaffinity(2) */

#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "bus/bus.h"
#include "tap.h"

#define ROUNDS 30000
#define WATCHDOG 60	 /* seconds */
#define POLL_LIMIT 10000 /* ms: a wake-up that takes longer is lost */

static void
count(void *arg, unsigned from, uint16_t type, const char *p, size_t n)
{
	unsigned *got = arg;

	(void)from;
	(void)type;
	(void)p;
	(void)n;
	++*got;
}

static unsigned
drain(struct bus *b)
{
	unsigned got = 0;
	bool lost;

	while (bus_read(b, 100, count, &got, &lost) > 0)
		continue;
	return got;
}

static void
say(struct bus *b, uint64_t to)
{
	const struct slice part = { "hello", 5 };

	if (bus_publish(b, 1, to, &part, 1) == -1)
		fatal("bus_publish");
}

static bool
is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* A bus with an eventfd for each process. */
static int
make(unsigned procs, int *wake)
{
	int fd = bus_create(procs, 1 << 16);
	unsigned i;

	for (i = 0; i < procs; i++) {
		wake[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (fd == -1 || wake[i] == -1)
			fatal("make");
	}
	return fd;
}

static struct bus *
join(int fd, unsigned self, const int *wake)
{
	struct bus *b = bus_open(fd, self);
	unsigned i;

	if (b == NULL)
		fatal("bus_open");
	for (i = 0; i < bus_procs(b); i++)
		bus_set_wake(b, i, wake[i]);
	return b;
}

static void
test_rules(void)
{
	int wake[3], fd = make(3, wake);
	struct bus *a, *b, *c;
	uint64_t n;

	a = join(fd, 0, wake);
	b = join(fd, 1, wake);
	c = join(fd, 2, wake);
	bus_flush(a); /* what a dead predecessor may have owed */

	say(a, BUS_BIT(1));
	bus_flush(a);
	ok(!is_readable(wake[1]), "who is awake is not woken");
	ok(!bus_sleep(b), "and does not sleep over a record");
	say(a, BUS_BIT(1));
	bus_flush(a);
	ok(!is_readable(wake[1]), "having tried to sleep it is awake");
	is_int(drain(b), 2, "it reads them");
	ok(bus_sleep(b), "then it may sleep");

	say(a, BUS_BIT(2));
	bus_flush(a);
	ok(!is_readable(wake[1]), "a record for another wakes nobody");
	bus_awake(b);
	ok(bus_sleep(b), "nor keeps it from sleep");
	bus_awake(b);
	is_int(drain(c), 1, "who was awake finds it");
	ok(bus_sleep(b) && bus_sleep(c), "two sleep");

	say(a, BUS_ALL);
	say(a, BUS_ALL);
	ok(!is_readable(wake[1]), "nobody is woken before the flush");
	bus_flush(a);
	say(a, BUS_ALL);
	bus_flush(a);
	ok(is_readable(wake[1]) && is_readable(wake[2]), "the flush wakes all");
	ok(!is_readable(wake[0]), "but the writer");
	ok(read(wake[1], &n, sizeof(n)) == sizeof(n) && n == 1, "once");
	bus_awake(b);
	bus_awake(c);
	ok(!is_readable(wake[2]), "being awake empties the eventfd");
	is_int(drain(b), 3, "one got three");
	is_int(drain(c), 3, "two got three");

	ok(bus_sleep(b), "a sleeper");
	say(a, BUS_BIT(1));
	bus_close(a);
	ok(!is_readable(wake[1]), "whose writer dies before its flush");
	a = join(fd, 0, wake);
	bus_flush(a);
	ok(is_readable(wake[1]), "is woken by the successor's");
	bus_awake(b);
	is_int(drain(b), 1, "and gets the record");

	ok(bus_sleep(b), "a sleeper that dies");
	bus_close(b);
	b = join(fd, 1, wake);
	say(a, BUS_BIT(1));
	bus_flush(a);
	ok(!is_readable(wake[1]), "has an heir that is awake");
	bus_close(a);
	bus_close(b);
	bus_close(c);
	for (n = 0; n < 3; n++)
		close(wake[n]);
	close(fd);
}

/*
 * Reads until something came, as the loop of a process does, but looks so many
 * times before it sleeps.  False: the wake-up did not come.
 */
static bool
wait_for_record(struct bus *b, int wake, unsigned looks)
{
	struct pollfd p = { .fd = wake, .events = POLLIN };
	int n;

	while (drain(b) == 0) {
		if (looks > 0) {
			looks--;
			continue;
		}
		n = 1;
		if (bus_sleep(b))
			n = poll(&p, 1, POLL_LIMIT);
		bus_awake(b);
		if (n == 0)
			return false;
	}
	return true;
}

static void
pause_for(unsigned turns)
{
	volatile unsigned spin;

	for (spin = turns; spin > 0; spin--)
		continue;
}

/*
 * In a round one side is about to fall asleep while the other, which stayed
 * awake for the answer, writes: both after a varying pause, so that every
 * instruction of the one meets every instruction of the other.
 */
static bool
play(struct bus *b, int wake, unsigned round)
{
	bool stays = ((round / 16 + bus_self(b)) & 1) != 0;

	if (stays)
		pause_for(round * 7919 % 251);
	say(b, BUS_BIT(1 - bus_self(b)));
	bus_flush(b);
	if (!stays)
		pause_for(round * 104729 % 1009);
	return wait_for_record(b, wake, stays ? 20000 : 0);
}

/* To the n-th processor: the kernel likes to put who is woken beside its
 * waker, and there they would never meet.  With one only, they do not. */
static void
pin(unsigned n)
{
	cpu_set_t all, one;
	unsigned i;

	if (sched_getaffinity(0, sizeof(all), &all) == -1)
		return;
	n %= (unsigned)CPU_COUNT(&all);
	for (i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, &all) && n-- == 0)
			break;
	}
	CPU_ZERO(&one);
	CPU_SET(i, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

/* The other side; ends with a status that says how it went. */
static void
pong(int fd, const int *wake, struct bus *inherited)
{
	struct bus *b = join(fd, 1, wake);
	unsigned i;

	bus_close(inherited);
	for (i = 0; i < ROUNDS; i++) {
		if (!play(b, wake[1], i))
			_exit(3);
	}
	say(b, BUS_BIT(0));
	bus_flush(b);
	bus_close(b);
	_exit(0);
}

static void
test_ping_pong(void)
{
	int wake[2], status, fd = make(2, wake);
	struct bus *b = join(fd, 0, wake);
	pid_t parent = getpid(), pid;
	unsigned i;

	fflush(stdout);
	pid = fork();
	if (pid == -1)
		fatal("fork");
	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
		    getppid() != parent)
			_exit(2);
		alarm(WATCHDOG);
		pin(1);
		pong(fd, wake, b);
	}
	pin(0);
	ok(wait_for_record(b, wake[0], 0), "the other is there");
	for (i = 0; i < ROUNDS; i++) {
		if (!play(b, wake[0], i))
			break;
	}
	is_int(i, ROUNDS, "no wake-up is lost");
	if (i < ROUNDS)
		kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "on neither side");
	bus_close(b);
	close(wake[0]);
	close(wake[1]);
	close(fd);
}

int
main(void)
{
	alarm(2 * WATCHDOG);
	test_rules();
	test_ping_pong();
	return tap_done();
}
