/* SPDX-License-Identifier: ISC */
/*
 * Records.  First the rules, one by one, with two ends of a bus in one
 * process; then processes that run against each other.  The content of each
 * record follows from its number, so that a torn or misplaced byte is seen;
 * numbers are dense for each reader, so that a gap is seen, and each gap must
 * have been announced by `lost`.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "bus_end.h"
#include "tap.h"

#define READERS 4
#define WATCHDOG 120 /* seconds; every run takes a few */

/* The start of each record of the runs. */
struct stamp {
	uint32_t life;	       /* of the writer: counts its restarts */
	uint32_t body;	       /* bytes after the stamp */
	uint64_t seq[READERS]; /* number of the record for each reader */
};

/* What a reader saw of a writer. */
struct tally {
	uint64_t got;
	uint64_t gaps; /* records that are missing */
	uint64_t torn;
	uint64_t order;	 /* out of order, or twice */
	uint64_t silent; /* gaps that were not announced */
	uint64_t next;
	uint32_t life;
	bool lost; /* announced, and not yet matched by a gap */
};

/* Shared by the processes of a run. */
struct run {
	_Atomic bool stop;
	_Atomic unsigned open; /* processes that have opened the bus */
	_Atomic unsigned ended;
	_Atomic uint64_t sent[READERS][READERS]; /* writer, reader */
	_Atomic uint64_t taken[READERS][READERS];
	struct tally tally[READERS][READERS]; /* reader, writer */
	uint64_t losses[READERS];
};

static struct run *run;

static void
test_addresses(void)
{
	static const struct {
		uint64_t to;
		bool one, two;
	} rows[] = {
		{ 0, false, false },
		{ BUS_BIT(0), false, false },
		{ BUS_BIT(1), true, false },
		{ BUS_BIT(2), false, true },
		{ BUS_BIT(1) | BUS_BIT(2), true, true },
		{ BUS_BIT(3) | BUS_BIT(63), false, false },
		{ BUS_ALL, true, true },
	};
	int fd = create_or_die(3, 4096);
	struct bus *w = open_or_die(fd, 0);
	struct end own = { .b = w };
	struct end one = { .b = open_or_die(fd, 1) };
	struct end two = { .b = open_or_die(fd, 2) };
	bool lost;
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		publish(w, (uint16_t)(i + 7), rows[i].to, "abc", 3);
		ok(end_read(&one, 10, &lost) == rows[i].one && !lost &&
			one.calls == rows[i].one,
		    "to %" PRIx64 ": process 1", rows[i].to);
		if (rows[i].one) {
			ok(one.from == 0 && one.type == i + 7 && one.n == 3 &&
				one.sum == 'a' + 'b' + 'c',
			    "what it got");
		}
		is_int(end_read(&two, 10, &lost), rows[i].two, "process 2");
		is_int(end_read(&own, 10, &lost), 0, "never to self");
	}
	bus_close(w);
	bus_close(one.b);
	bus_close(two.b);
	close(fd);
}

/* Every length meets every place of the ring, with the parts cut anywhere. */
static void
test_lengths(void)
{
	int fd = create_or_die(2, 4096);
	struct bus *w = open_or_die(fd, 0);
	struct end e = { .b = open_or_die(fd, 1) };
	size_t max = bus_record_max(w), n, i, cut, bad = 0;
	struct slice parts[3];
	uint64_t sum, seed = 88172645463325252;
	bool lost;

	for (n = 0; n <= max; n++) {
		cut = rnd(&seed) % (n + 1);
		parts[0] = (struct slice){ noise + n, cut };
		parts[1] = (struct slice){ NULL, 0 };
		parts[2] = (struct slice){ noise + n + cut, n - cut };
		for (sum = 0, i = 0; i < n; i++)
			sum += (uint8_t)noise[n + i];
		if (bus_publish(w, 1, BUS_ALL, parts, 3) == -1 ||
		    end_read(&e, 10, &lost) != 1 || lost || e.n != n ||
		    e.sum != sum)
			bad++;
	}
	is_int(bad, 0, "every length from 0 to %zu arrives whole", max);
	parts[0].n = max;
	parts[2].n = 1;
	errno = 0;
	ok(bus_publish(w, 1, BUS_ALL, parts, 3) == -1 && errno == EMSGSIZE,
	    "one byte more is too large");
	parts[2].n = SIZE_MAX;
	is_int(bus_publish(w, 1, BUS_ALL, parts, 3), -1,
	    "lengths that overflow are too large");
	is_int(end_read(&e, 10, &lost), 0, "and were not written");
	ok(!lost, "nor lost");
	is_int(bus_publish(w, 1, BUS_ALL, NULL, 0), 0, "no parts");
	ok(end_read(&e, 10, &lost) == 1 && e.n == 0, "an empty record");
	bus_close(w);
	bus_close(e.b);
	close(fd);
}

static void
test_laps(void)
{
	int fd = create_or_die(3, 4096);
	struct bus *w = open_or_die(fd, 0);
	struct end e = { .b = open_or_die(fd, 1) };
	struct end late;
	unsigned i;
	bool lost;

	for (i = 0; i < 100; i++)
		publish(w, 1, BUS_ALL, noise, 100);
	ok(end_read(&e, 1000, &lost) == 0 && lost, "a lapped reader is told");
	ok(end_read(&e, 1000, &lost) == 0 && !lost, "once");
	publish(w, 1, BUS_ALL, noise, 100);
	ok(end_read(&e, 1000, &lost) == 1 && !lost, "and reads on");

	for (i = 0; i < 100; i++)
		publish(w, 1, BUS_BIT(2), noise, 100);
	ok(end_read(&e, 1000, &lost) == 0 && !lost,
	    "lapped by records for others: nothing is lost");
	publish(w, 1, BUS_BIT(1), noise, 5);
	for (i = 0; i < 20; i++)
		publish(w, 1, BUS_BIT(2), noise, 100);
	ok(end_read(&e, 1000, &lost) == 1 && !lost && e.n == 5,
	    "the one among many is found");
	publish(w, 1, BUS_BIT(1), noise, 5);
	for (i = 0; i < 100; i++)
		publish(w, 1, BUS_BIT(2), noise, 100);
	ok(end_read(&e, 1000, &lost) == 0 && lost, "or missed");

	for (i = 0; i < 10; i++)
		publish(w, 1, BUS_ALL, noise, 8);
	e.spoil = w;
	e.spoil_n = 100;
	ok(end_read(&e, 1000, &lost) == 1 && lost,
	    "lapped in the middle of a call: the rest is dropped");

	late.b = open_or_die(fd, 2);
	ok(end_read(&late, 1000, &lost) == 0 && !lost,
	    "who comes late begins at what comes next");
	for (i = 0; i < 10; i++)
		publish(w, 1, BUS_ALL, noise, 8);
	is_int(end_read(&e, 4, &lost), 4, "at most max");
	is_int(end_read(&e, 4, &lost), 4, "then more");
	is_int(end_read(&e, 4, &lost), 2, "then the rest");
	bus_close(w);
	bus_close(e.b);
	bus_close(late.b);
	close(fd);
}

/* A ring that is always full does not starve the next. */
static void
test_turns(void)
{
	int fd = create_or_die(3, 4096);
	struct bus *busy = open_or_die(fd, 0);
	struct bus *calm = open_or_die(fd, 1);
	struct end e = { .b = open_or_die(fd, 2) };
	unsigned i, calls = 0;
	bool lost;

	publish(calm, 1, BUS_ALL, noise, 1);
	do {
		for (i = 0; i < 4; i++)
			publish(busy, 1, BUS_ALL, noise, 1);
		end_read(&e, 2, &lost);
		calls++;
	} while (!(e.seen & BUS_BIT(1)) && calls < 10);
	ok(calls < 4, "the calm ring is read among the busy one's records");
	bus_close(busy);
	bus_close(calm);
	bus_close(e.b);
	close(fd);
}

/* A record that was tampered with is never handed out. */
static void
test_forgery(void)
{
	static const struct {
		const char *what;
		unsigned word; /* of the record */
		uint64_t flip;
	} rows[] = {
		{ "another position", 0, 8 },
		{ "another lap", 0, 4096 },
		{ "another writer", 2, UINT64_C(1) << 48 },
		{ "a length past head", 2, 8 },
		{ "a length past the largest", 2, 1 << 11 },
		{ "a length past memory", 2, UINT32_MAX },
	};
	int fd = create_or_die(2, 4096);
	struct bus *w = open_or_die(fd, 0);
	struct end e = { .b = open_or_die(fd, 1) };
	bus_word *word;
	size_t i;
	bool lost;

	for (i = 0; i < NELEM(rows); i++) {
		word = (void *)(bus_ring(w, 0) + bus_proc(w, 0)->head % 4096);
		publish(w, 1, BUS_ALL, noise, 16);
		word[rows[i].word] ^= rows[i].flip;
		ok(end_read(&e, 10, &lost) == 0 && lost, "%s: refused",
		    rows[i].what);
		publish(w, 1, BUS_ALL, noise, 17);
		ok(end_read(&e, 10, &lost) == 1 && !lost && e.n == 17,
		    "the next is read");
	}
	bus_close(w);
	bus_close(e.b);
	close(fd);
}

/*
 * Processes.
 */
static pid_t
child(void (*fn)(int fd, unsigned self), int fd, unsigned self,
    struct bus *inherited)
{
	pid_t parent = getpid(), pid;

	fflush(stdout);
	pid = fork();
	if (pid == -1)
		fatal("fork");
	if (pid > 0)
		return pid;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent)
		_exit(2);
	alarm(WATCHDOG);
	bus_close(inherited);
	fn(fd, self);
	_exit(0);
}

/* True when it ended well. */
static bool
reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) == -1) {
		if (errno != EINTR)
			return false;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Which length and which noise the record with this number has. */
static size_t
body_len(uint64_t seq)
{
	uint64_t h = (seq + 1) * UINT64_C(0x9e3779b97f4a7c15);

	return seq % 1024 == 1023 ? (h >> 40) % 4000 : (h >> 40) % 300;
}

static const char *
body_of(uint64_t seq)
{
	return noise + (seq * 7919) % (NOISE - 4096);
}

/* Publishes the next record for the readers in `to`. */
static void
stamp_publish(struct bus *b, uint32_t life, uint64_t to)
{
	_Atomic uint64_t *sent = run->sent[bus_self(b)];
	struct stamp s = { .life = life };
	struct slice parts[2];
	uint64_t seed = life;
	unsigned i, lead = READERS;

	for (i = 0; i < READERS; i++) {
		s.seq[i] = sent[i];
		if (to & BUS_BIT(i)) {
			if (lead == READERS)
				lead = i;
			seed += sent[i];
		}
	}
	s.body = (uint32_t)body_len(seed);
	parts[0] = (struct slice){ (char *)&s, sizeof(s) };
	parts[1] = (struct slice){ body_of(seed), s.body };
	if (bus_publish(b, (uint16_t)to, to, parts, 2) == -1)
		_exit(3);
	for (i = 0; i < READERS; i++) {
		if (to & BUS_BIT(i))
			sent[i]++;
	}
}

/* Checks a record: whole, mine, and the next. */
static void
stamp_take(void *arg, unsigned from, uint16_t type, const char *p, size_t n)
{
	struct bus *b = arg;
	struct tally *t = &run->tally[bus_self(b)][from];
	struct stamp s;
	uint64_t seed, seq;
	unsigned i;

	if (n < sizeof(s) || !(type & BUS_BIT(bus_self(b)))) {
		t->torn++;
		return;
	}
	memcpy(&s, p, sizeof(s));
	for (seed = s.life, i = 0; i < READERS; i++) {
		if (type & BUS_BIT(i))
			seed += s.seq[i];
	}
	if (s.body != n - sizeof(s) || s.body != body_len(seed) ||
	    memcmp(p + sizeof(s), body_of(seed), s.body) != 0) {
		t->torn++;
		return;
	}
	seq = s.seq[bus_self(b)];
	if (s.life > t->life) {
		t->life = s.life;
		t->next = 0;
		if (seq != 0)
			t->silent++;
	} else if (s.life < t->life || seq < t->next) {
		t->order++;
	} else if (seq > t->next) {
		if (!t->lost)
			t->silent++;
		t->gaps += seq - t->next;
		t->lost = false;
	}
	t->got++;
	t->next = seq + 1;
	run->taken[from][bus_self(b)] = t->next;
}

/* One reading of the bus; a loss may concern any writer. */
static unsigned
stamp_read(struct bus *b, unsigned max)
{
	unsigned self = bus_self(b), n, i;
	bool lost;

	n = bus_read(b, max, stamp_take, b, &lost);
	if (lost) {
		run->losses[self]++;
		for (i = 0; i < READERS; i++)
			run->tally[self][i].lost = true;
	}
	return n;
}

/* Reads what is left after all writers have ended; what is missing at the
 * end must have been announced, too. */
static void
stamp_finish(struct bus *b)
{
	unsigned self = bus_self(b), i;
	uint64_t missing;
	struct tally *t;

	while (stamp_read(b, 1000) > 0)
		continue;
	for (i = 0; i < READERS; i++) {
		t = &run->tally[self][i];
		missing = run->sent[i][self] - t->next;
		if (missing > 0 && !t->lost)
			t->silent++;
		t->gaps += missing;
	}
}

static void
run_reset(void)
{
	memset(run, 0, sizeof(*run));
}

/* Sound: nothing torn, nothing out of order, every record got or announced. */
static void
check_tally(unsigned reader, unsigned writer, uint64_t sent)
{
	const struct tally *t = &run->tally[reader][writer];

	is_int(t->torn, 0, "%u from %u: nothing torn", reader, writer);
	is_int(t->order, 0, "%u from %u: in order", reader, writer);
	is_int(t->silent, 0, "%u from %u: every gap announced", reader, writer);
	is_int(t->got + t->gaps, sent,
	    "%u from %u: got %" PRIu64 ", gaps %" PRIu64, reader, writer,
	    t->got, t->gaps);
}

/* Does a reader lag behind this writer by as much as half a ring? */
static bool
is_ahead(unsigned writer)
{
	unsigned i;

	for (i = 0; i < READERS; i++) {
		if (i != writer &&
		    run->sent[writer][i] > run->taken[writer][i] + 500)
			return true;
	}
	return false;
}

/* Writes while the reader keeps up to half a ring of such records. */
static void
paced_writer(int fd, unsigned self)
{
	struct bus *b = open_or_die(fd, self);
	uint64_t i;

	for (i = 0; i < 4000000; i++) {
		while (is_ahead(self))
			sched_yield();
		stamp_publish(b, 0, BUS_BIT(1));
	}
	bus_close(b);
}

static void
test_two(void)
{
	int fd = create_or_die(2, 1 << 18);
	struct bus *b = open_or_die(fd, 1);
	pid_t pid;

	run_reset();
	pid = child(paced_writer, fd, 0, b);
	while (run->tally[1][0].next < 4000000) {
		if (stamp_read(b, 100) == 0) {
			if (waitpid(pid, NULL, WNOHANG) == pid)
				break;
			sched_yield();
		}
	}
	stamp_finish(b);
	waitpid(pid, NULL, 0);
	check_tally(1, 0, 4000000);
	is_int(run->losses[1], 0, "a reader that keeps up loses nothing");
	bus_close(b);
	close(fd);
}

/* Writes as fast as it can. */
static void
fast_writer(int fd, unsigned self)
{
	struct bus *b = open_or_die(fd, self);
	uint64_t seed = 5;

	while (!run->stop) {
		stamp_publish(b, 0, BUS_BIT(1));
		/* With one processor, the reader's turn: before a lap or
		 * after one. */
		if (rnd(&seed) % 256 == 0)
			sched_yield();
	}
	bus_close(b);
}

/* Waits until writer 0 is so far ahead of what b will read next. */
static void
dawdle(struct bus *b, uint64_t lag)
{
	struct bus_proc *writer = bus_proc(b, 0);
	unsigned looks;

	for (looks = 1; writer->head - b->next[0] < lag; looks++) {
		if (looks % 1024 == 0)
			sched_yield();
	}
}

static void
test_slow(void)
{
	int fd = create_or_die(2, 1 << 16);
	struct bus *b = open_or_die(fd, 1);
	uint64_t seed = 42;
	pid_t pid;

	run_reset();
	pid = child(fast_writer, fd, 0, b);
	while (run->losses[1] < 10000 || run->tally[1][0].got < 1000000) {
		if (stamp_read(b, 50) == 0)
			sched_yield();
		/* Dawdles at times until the writer is about to lap it. */
		if (rnd(&seed) % 16 == 0)
			dawdle(b, b->ring_size - rnd(&seed) % 2048);
	}
	run->stop = true;
	ok(reap(pid), "a reader is lapped %" PRIu64 " times", run->losses[1]);
	stamp_finish(b);
	check_tally(1, 0, run->sent[0][1]);
	bus_close(b);
	close(fd);
}

/* Writes to a changing set of the others, and reads all of them. */
static void
both_ways(int fd, unsigned self)
{
	struct bus *b = open_or_die(fd, self);
	uint64_t i, seed = self + 1;

	run->open++;
	while (run->open < READERS)
		sched_yield();
	for (i = 0; i < 300000; i++) {
		stamp_publish(b, 0, rnd(&seed) % 16 & ~BUS_BIT(self));
		while (is_ahead(self)) {
			if (stamp_read(b, 1000) == 0)
				sched_yield();
		}
	}
	run->ended++;
	while (run->ended < READERS) {
		if (stamp_read(b, 1000) == 0)
			sched_yield();
	}
	stamp_finish(b);
	bus_close(b);
}

static void
test_four(void)
{
	int fd = create_or_die(READERS, 1 << 18);
	pid_t pids[READERS];
	unsigned i, j, good = 0;

	run_reset();
	for (i = 0; i < READERS; i++)
		pids[i] = child(both_ways, fd, i, NULL);
	for (i = 0; i < READERS; i++)
		good += reap(pids[i]);
	is_int(good, READERS, "four processes end well");
	for (i = 0; i < READERS; i++) {
		for (j = 0; j < READERS; j++) {
			if (i != j)
				check_tally(i, j, run->sent[j][i]);
		}
		is_int(run->losses[i], 0, "%u: loses nothing", i);
	}
	close(fd);
}

/* Writes until it is killed, never more than the ring holds. */
static uint32_t life;

static void
mortal_writer(int fd, unsigned self)
{
	struct bus *b = open_or_die(fd, self);

	for (;;) {
		while (run->sent[0][1] - run->taken[0][1] > 100)
			sched_yield();
		stamp_publish(b, life, BUS_BIT(1));
	}
}

static void
test_kill(void)
{
	int fd = create_or_die(2, 1 << 16);
	struct bus *b = open_or_die(fd, 1);
	struct tally *t = &run->tally[1][0];
	uint64_t short_lives = 0, seed = 7, until, total = 0;
	pid_t pid;

	run_reset();
	for (life = 1; life <= 200; life++) {
		run->sent[0][1] = run->taken[0][1] = 0;
		t->next = 0;
		pid = child(mortal_writer, fd, 0, b);
		until = 1 + rnd(&seed) % 5000;
		while (run->taken[0][1] < until) {
			if (stamp_read(b, 16) == 0)
				sched_yield();
		}
		kill(pid, SIGKILL);
		reap(pid);
		while (stamp_read(b, 1000) > 0)
			continue;
		/* A record may be whole though its publish did not return. */
		if (t->next < run->sent[0][1] || t->next > run->sent[0][1] + 1)
			short_lives++;
		total += t->next;
	}
	is_int(short_lives, 0,
	    "of 200 killed writers all that was published is read");
	is_int(t->torn, 0, "nothing of what was not");
	is_int(t->order + t->silent + t->gaps, 0, "in order, without a gap");
	is_int(t->got, total, "each once: %" PRIu64, total);
	is_int(run->losses[1], 0, "and nobody is told of a loss");
	bus_close(b);
	close(fd);
}

/* Writes noise over its own page and ring, and once in a while a record. */
static void
mad_writer(int fd, unsigned self)
{
	struct bus *b = open_or_die(fd, self);
	struct bus_proc *p = bus_proc(b, self);
	char *ring = bus_ring(b, self);
	uint64_t seed = 99, at;

	while (!run->stop) {
		at = rnd(&seed);
		switch (rnd(&seed) % 8) {
		case 0:
			p->head = at >> (at % 64);
			break;
		case 1:
			p->reserve = p->head + at % 10000;
			break;
		case 2:
			p->need[1] = at >> (at % 64);
			break;
		case 3: /* a record that lies about its length */
			at = p->head & (b->ring_size - 8);
			memcpy(ring + at, &p->head, 8);
			memset(ring + (at + 8) % b->ring_size, 0xff, 8);
			p->need[1] = UINT64_MAX;
			p->head += 8 * (rnd(&seed) % 1000);
			p->reserve = p->head;
			break;
		case 4:
			memcpy(ring + at % (b->ring_size - 64),
			    noise + at % (NOISE - 64), 64);
			break;
		case 5:
			sched_yield();
			break;
		default:
			stamp_publish(b, 0, BUS_BIT(1));
			break;
		}
	}
	bus_close(b);
}

static void
swallow(void *arg, unsigned from, uint16_t type, const char *p, size_t n)
{
	uint64_t *sum = arg;
	size_t i;

	*sum += from + type;
	for (i = 0; i < n; i++)
		*sum += (uint8_t)p[i];
}

static void
sane_reader(int fd, unsigned self)
{
	struct bus *b = open_or_die(fd, self);
	uint64_t sum = 0;
	unsigned n;
	bool lost;

	while (run->losses[self] < 20000 || run->tally[self][0].got < 20000) {
		n = bus_read(b, 100, swallow, &sum, &lost);
		if (n == 0)
			sched_yield();
		run->tally[self][0].got += n;
		run->losses[self] += lost;
	}
	bus_close(b);
}

static void
test_scribbler(void)
{
	int fd = create_or_die(2, 1 << 14);
	struct end e;
	struct bus *w;
	unsigned tries = 0;
	pid_t mad, sane;
	bool lost;

	run_reset();
	mad = child(mad_writer, fd, 0, NULL);
	sane = child(sane_reader, fd, 1, NULL);
	ok(reap(sane), "the reader of a scribbler survives");
	printf("# %" PRIu64 " losses, %" PRIu64 " records\n", run->losses[1],
	    run->tally[1][0].got);
	run->stop = true;
	ok(reap(mad), "the scribbler ends");
	e = (struct end){ .b = open_or_die(fd, 1) };
	w = open_or_die(fd, 0);
	do
		publish(w, 1, BUS_ALL, noise, 20);
	while ((end_read(&e, 10, &lost) != 1 || lost || e.n != 20) &&
	       ++tries < 100);
	ok(tries < 10, "the successor's records are read");
	bus_close(w);
	bus_close(e.b);
	close(fd);
}

int
main(void)
{
	alarm(2 * WATCHDOG);
	run = mmap(NULL, sizeof(*run), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run == MAP_FAILED)
		fatal("mmap");
	noise_start();
	test_addresses();
	test_lengths();
	test_laps();
	test_turns();
	test_forgery();
	test_two();
	test_slow();
	test_four();
	test_kill();
	test_scribbler();
	return tap_done();
}
