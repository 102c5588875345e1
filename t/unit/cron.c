/* SPDX-License-Identifier: ISC */
/* cron.c: which lines are good, and the times that they name. */
#include "core/schedule.h"

#include "tap.h"

static const struct {
	const char *line;
	const char *after;
	const char *next;
} times[] = {
	{ "* * * * *", "2026-11-21T06:40:00Z", "2026-11-21T06:41:00Z" },
	{ "* * * * *", "2026-11-21T06:40:59.999Z", "2026-11-21T06:41:00Z" },
	{ "* * * * *", "2026-12-31T23:59:01Z", "2027-01-01T00:00:00Z" },
	{ "0 9 * * *", "2026-11-21T08:59:59Z", "2026-11-21T09:00:00Z" },
	{ "0 9 * * *", "2026-11-21T09:00:00Z", "2026-11-22T09:00:00Z" },
	{ "  0\t9  * * * ", "2026-11-21T09:00:00Z", "2026-11-22T09:00:00Z" },
	{ "*/15 * * * *", "2026-11-21T09:01:00Z", "2026-11-21T09:15:00Z" },
	{ "*/15 * * * *", "2026-11-21T09:45:00Z", "2026-11-21T10:00:00Z" },
	{ "5/20 * * * *", "2026-11-21T09:26:00Z", "2026-11-21T09:45:00Z" },
	{ "10-20/5 3 * * *", "2026-11-21T03:15:00Z", "2026-11-21T03:20:00Z" },
	{ "10-20/5 3 * * *", "2026-11-21T03:20:00Z", "2026-11-22T03:10:00Z" },
	{ "59 23 31 12 *", "2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z" },
	{ "1,2,30-31 0 1 1 *", "2027-01-01T00:02:00Z", "2027-01-01T00:30:00Z" },
	{ "0 0 * jan *", "2026-11-21T00:00:00Z", "2027-01-01T00:00:00Z" },
	{ "0 0 1 JAN-mar,Dec *", "2026-11-21T00:00:00Z",
	    "2026-12-01T00:00:00Z" },
	/* 2026-11-21 is a Saturday. */
	{ "0 0 * * 0", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z" },
	{ "0 0 * * 7", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z" },
	{ "0 0 * * sun", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z" },
	{ "0 0 * * mon-fri", "2026-11-21T00:00:00Z", "2026-11-23T00:00:00Z" },
	{ "0 0 * * sat-sun", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z" },
	{ "0 0 * * 6-7", "2026-11-22T00:00:00Z", "2026-11-28T00:00:00Z" },
	{ "0 0 * * 5-7/2", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z" },
	/* Either day field, when both say something. */
	{ "0 0 13 * 5", "2026-11-21T00:00:00Z", "2026-11-27T00:00:00Z" },
	{ "0 0 13 * 5", "2026-12-11T00:00:00Z", "2026-12-13T00:00:00Z" },
	/* Both, when one begins with *. */
	{ "0 0 */2 * 1", "2026-11-23T00:00:00Z", "2026-12-07T00:00:00Z" },
	{ "0 0 13 * */5", "2026-11-21T00:00:00Z", "2026-12-13T00:00:00Z" },
	{ "0 0 29 2 *", "2026-11-21T00:00:00Z", "2028-02-29T00:00:00Z" },
	{ "0 0 29 2 *", "2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z" },
	{ "0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z" },
	{ "0 0 29 2 *", "1999-03-01T00:00:00Z", "2000-02-29T00:00:00Z" },
	{ "0 0 31 * *", "2026-11-01T00:00:00Z", "2026-12-31T00:00:00Z" },
	{ "0 0 31 4,5 *", "2026-11-01T00:00:00Z", "2027-05-31T00:00:00Z" },
	{ "0 0 29 2 */7", "2026-11-21T00:00:00Z", "2032-02-29T00:00:00Z" },
	{ "0 0 31 2 1", "2026-11-21T00:00:00Z", "2027-02-01T00:00:00Z" },
	{ "0 0 1 3 *", "2027-02-28T23:59:00Z", "2027-03-01T00:00:00Z" },
	{ "0 0 1 1 *", "2370-01-01T00:00:00Z", "2371-01-01T00:00:00Z" },
	{ "0 0 29 2 *", "2399-01-01T00:00:00Z", "2400-02-29T00:00:00Z" },
};

static const char *const bad[] = { "", " ", "*", "* * * *", "* * * * * *",
	"60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 0 *",
	"* * * 13 *", "* * * * 8", "-1 * * * *", "1- * * * *", "-5 * * * *",
	"5-1 * * * *", "*/0 * * * *", "*/60 * * * *", "*/ * * * *",
	"/5 * * * *", ", * * * *", "1, * * * *", ",1 * * * *", "1,,2 * * * *",
	"1.5 * * * *", "a * * * *", "mon * * * *", "* * * mon *", "* * * * jan",
	"* * * * monday", "* * * * mo", "001 * * * *", "100 * * * *",
	"99999999999999999999 * * * *", "** * * * *", "*-5 * * * *",
	"*,61 * * * *", "1-2-3 * * * *", "*/5/5 * * * *", "@daily",
	"* * * * *\n", "*\n* * * *", "0 0 31 2 *", "0 0 30 2 *",
	"0 0 31 4,6,9,11 *", "0 0 31 2 */2", "* * * * fri-mon" };

static int64_t
when(const char *text)
{
	int64_t ms = -1;

	if (clock_parse(text, strlen(text), &ms) != 0)
		printf("Bail out! %s is no time\n", text);
	return ms;
}

static void
test_times(void)
{
	char error[CRON_ERROR_MAX], text[CLOCK_RFC3339_LEN + 1],
	    want[CLOCK_RFC3339_LEN + 1];
	struct cron c;
	size_t i;

	for (i = 0; i < NELEM(times); i++) {
		struct slice line = { times[i].line, strlen(times[i].line) };

		if (!ok(cron_parse(&c, line, error) == 0, "%s is good",
			times[i].line))
			continue;
		clock_format(cron_next(&c, when(times[i].after)), text);
		clock_format(when(times[i].next), want);
		is_str(
		    text, want, "%s after %s", times[i].line, times[i].after);
	}
}

static void
test_bad(void)
{
	char error[CRON_ERROR_MAX];
	struct cron c;
	size_t i;

	for (i = 0; i < NELEM(bad); i++) {
		struct slice line = { bad[i], strlen(bad[i]) };

		error[0] = '\0';
		ok(cron_parse(&c, line, error) == -1, "bad line %zu", i);
		ok(error[0] != '\0', "with a reason");
	}
}

/* Every minute of nine years that the line names, and no other. */
static void
test_walk(void)
{
	const struct slice line = { "30 12 29 2 *", 12 };
	char error[CRON_ERROR_MAX];
	int64_t at = when("2095-01-01T00:00:00Z");
	struct cron c;
	int n = 0;

	ok(cron_parse(&c, line, error) == 0, "a leap day");
	while ((at = cron_next(&c, at)) < when("2117-01-01T00:00:00Z"))
		n++;
	is_int(n, 5, "2096, 2104, 2108, 2112 and 2116");
}

int
main(void)
{
	test_times();
	test_bad();
	test_walk();
	return tap_done();
}
