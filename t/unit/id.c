/* SPDX-License-Identifier: ISC */
/*
 * id.c: form, order, and that a forked process makes others.  The program has
 * its own clock_gettime(2), so that it can set the clock back.
 */
#include "base/base.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

#define MANY 1000000

static int64_t clock_shift; /* seconds */

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	if (syscall(SYS_clock_gettime, id, ts) != 0)
		return -1;
	if (id == CLOCK_REALTIME)
		ts->tv_sec += clock_shift;
	return 0;
}

static void
test_form(void)
{
	char hex[ID_HEX_LEN + 1];
	struct id id, back;

	clock_update();
	id_new(&id);
	is_int(id.b[6] >> 4, 7, "version 7");
	is_int(id.b[8] >> 6, 2, "the variant of RFC 9562");
	is_int(id_time(&id), clock_wall(), "carries the time of clock_wall");
	ok(id_hex(&id, hex) == hex, "id_hex returns its argument");
	is_int(strspn(hex, "0123456789abcdef"), ID_HEX_LEN, "32 hex digits");
	is_int(hex[ID_HEX_LEN], '\0', "and a NUL");
	ok(id_parse(&back, hex, ID_HEX_LEN) == 0 && id_same(&id, &back),
	    "reads back");
	ok(!id_is_null(&id), "is not null");
	id_at(&back, id_time(&id));
	ok(memcmp(back.b, id.b, ID_LEN) < 0 && id_time(&back) == id_time(&id),
	    "the least id of its time is below it");
	id_at(&back, id_time(&id) + 1);
	ok(memcmp(back.b, id.b, ID_LEN) > 0, "that of the next above it");
	id_at(&back, -1);
	ok(id_is_null(&back), "and that of no time is null");
	memset(&id, 0, sizeof(id));
	ok(id_is_null(&id), "zeroes are null");
}

static void
test_parse(void)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "0193f0a2b4c87d1e9f00112233445566", true },
		{ "0193F0A2B4C87D1E9F00112233445566", true },
		{ "", false },
		{ "0193f0a2b4c87d1e9f0011223344556", false },
		{ "0193f0a2b4c87d1e9f001122334455667", false },
		{ "0193f0a2b4c87d1e9f0011223344556g", false },
		{ "0193f0a2-b4c8-7d1e-9f00-112233445566", false },
		{ " 193f0a2b4c87d1e9f00112233445566", false },
		{ "0x93f0a2b4c87d1e9f00112233445566", false },
	};
	struct id id, before;
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		memset(&id, 0x55, sizeof(id));
		before = id;
		is_int(id_parse(&id, rows[i].text, strlen(rows[i].text)),
		    rows[i].good ? 0 : -1, "'%s'", rows[i].text);
		ok(id_same(&id, &before) != rows[i].good,
		    "is stored only when it is good");
	}
	ok(id_parse(&id, rows[0].text, 31) == -1, "n counts, not the NUL");
}

static void
test_order(void)
{
	struct id a, b;
	size_t i, bad = 0, odd = 0;

	/* The clock stands still here: the counter must carry on. */
	id_new(&a);
	for (i = 0; i < MANY; i++) {
		if (i == MANY / 2)
			clock_update();
		id_new(&b);
		bad += memcmp(a.b, b.b, ID_LEN) >= 0;
		odd += b.b[6] >> 4 != 7 || b.b[8] >> 6 != 2;
		a = b;
	}
	is_int(bad, 0, "%d ids rise", MANY);
	is_int(odd, 0, "and keep their form");
	clock_shift = 86400;
	clock_update();
	id_new(&b);
	is_int(id_time(&b), clock_wall(), "a later clock is followed");
	clock_shift = -86400;
	clock_update();
	for (i = bad = 0; i < 10000; i++) {
		a = b;
		id_new(&b);
		bad += memcmp(a.b, b.b, ID_LEN) >= 0;
	}
	is_int(bad, 0, "ids rise after the clock was set back two days");
	ok(id_time(&b) > clock_wall() + 172000000,
	    "so they do not follow it back");
	clock_shift = 0;
}

static void
test_fork(void)
{
	struct id mine, theirs;
	int fds[2];
	pid_t pid;

	id_new(&mine);
	if (pipe(fds) != 0)
		fatal("pipe");
	pid = fork();
	if (pid == -1)
		fatal("fork");
	if (pid == 0) {
		id_new(&theirs);
		_exit(write(fds[1], &theirs, sizeof(theirs)) !=
		      (ssize_t)sizeof(theirs));
	}
	close(fds[1]);
	id_new(&mine);
	ok(read(fds[0], &theirs, sizeof(theirs)) == (ssize_t)sizeof(theirs),
	    "a forked process makes an id");
	close(fds[0]);
	waitpid(pid, NULL, 0);
	ok(memcmp(mine.b + 8, theirs.b + 8, 8) != 0,
	    "with other random bytes than ours");
}

int
main(void)
{
	crypto_start();
	test_form();
	test_parse();
	test_fork();
	test_order();
	return tap_done();
}
