/* SPDX-License-Identifier: ISC */
/* clock.c: the calendar in both directions, and what is no time. */
#include "base/base.h"

#include "tap.h"

static const struct {
	int64_t ms;
	const char *text;
} both[] = {
	{ 0, "1970-01-01T00:00:00.000Z" },
	{ -1, "1969-12-31T23:59:59.999Z" },
	{ 951782400000, "2000-02-29T00:00:00.000Z" },
	{ 951868800000, "2000-03-01T00:00:00.000Z" },
	{ 1795176000000, "2026-11-20T12:00:00.000Z" },
	{ 1709251199999, "2024-02-29T23:59:59.999Z" },
	{ 4107542399999, "2100-02-28T23:59:59.999Z" },
	{ 4107542400000, "2100-03-01T00:00:00.000Z" },
	{ -62167219200000, "0000-01-01T00:00:00.000Z" },
	{ 253402300799999, "9999-12-31T23:59:59.999Z" },
};

static const struct {
	const char *text;
	int64_t ms; /* -1: refused */
} reads[] = {
	{ "1970-01-01T00:00:01Z", 1000 },
	{ "1970-01-01t00:00:01z", 1000 },
	{ "1970-01-01T00:00:00.5Z", 500 },
	{ "1970-01-01T00:00:00.05Z", 50 },
	{ "1970-01-01T00:00:00.123456789Z", 123 },
	{ "1970-01-01T00:00:00.9999Z", 999 },
	{ "1970-01-01T01:00:00+01:00", 0 },
	{ "1970-01-01T00:00:00-00:30", 1800000 },
	{ "1970-01-01T00:00:00.250-23:59", 86340250 },
	{ "", -1 },
	{ "1970-01-01", -1 },
	{ "1970-01-01T00:00:00", -1 },
	{ "1970-01-01T00:00:00.Z", -1 },
	{ "1970-01-01T00:00:00.000", -1 },
	{ "1970-01-01T00:00:00.000ZZ", -1 },
	{ "1970-01-01T00:00:00.000Z ", -1 },
	{ " 1970-01-01T00:00:00.000Z", -1 },
	{ "1970-01-01 00:00:00.000Z", -1 },
	{ "1970-01-01T00:00:00,000Z", -1 },
	{ "1970-01-01T00:00:00+0100", -1 },
	{ "1970-01-01T00:00:00+01", -1 },
	{ "1970-01-01T00:00:00+24:00", -1 },
	{ "1970-01-01T00:00:00+01:60", -1 },
	{ "1970-01-01T24:00:00Z", -1 },
	{ "1970-01-01T00:60:00Z", -1 },
	{ "1970-01-01T00:00:60Z", -1 },
	{ "1970-00-01T00:00:00Z", -1 },
	{ "1970-13-01T00:00:00Z", -1 },
	{ "1970-01-00T00:00:00Z", -1 },
	{ "1970-04-31T00:00:00Z", -1 },
	{ "2023-02-29T00:00:00Z", -1 },
	{ "1900-02-29T00:00:00Z", -1 },
	{ "-970-01-01T00:00:00Z", -1 },
	{ "19x0-01-01T00:00:00Z", -1 },
	{ "+1970-01-01T00:00:00Z", -1 },
};

static void
test_both(void)
{
	char out[CLOCK_RFC3339_LEN + 1];
	int64_t ms;
	size_t i;

	for (i = 0; i < NELEM(both); i++) {
		clock_format(both[i].ms, out);
		is_str(out, both[i].text, "write %s", both[i].text);
		ms = 1;
		ok(clock_parse(both[i].text, CLOCK_RFC3339_LEN, &ms) == 0,
		    "read %s", both[i].text);
		is_int(ms, both[i].ms, "and it is the same");
	}
	clock_format(INT64_MAX, out);
	is_str(out, "9999-12-31T23:59:59.999Z", "no year past 9999");
	clock_format(INT64_MIN, out);
	is_str(out, "0000-01-01T00:00:00.000Z", "and none before 0");
}

static void
test_reads(void)
{
	int64_t ms;
	size_t i;
	int rc;

	for (i = 0; i < NELEM(reads); i++) {
		ms = -1;
		rc = clock_parse(reads[i].text, strlen(reads[i].text), &ms);
		is_int(rc, reads[i].ms == -1 ? -1 : 0, "'%s'", reads[i].text);
		is_int(ms, reads[i].ms, "its value");
	}
	ok(clock_parse("1970-01-01T00:00:00Zjunk", 20, &ms) == 0,
	    "nothing past n is read");
}

/* Every day of 400 years and more goes there and back. */
static void
test_days(void)
{
	char out[CLOCK_RFC3339_LEN + 1], before[CLOCK_RFC3339_LEN + 1] = "";
	int64_t day, ms, bad = 0;

	for (day = -135140; day < 150000; day++) {
		clock_format(day * 86400000, out);
		if (clock_parse(out, CLOCK_RFC3339_LEN, &ms) != 0 ||
		    ms != day * 86400000 || strcmp(before, out) >= 0)
			bad++;
		memcpy(before, out, sizeof(out));
	}
	is_int(bad, 0, "each day reads back and follows the one before");
}

static void
test_now(void)
{
	int64_t mono, wall, usec;

	mono = clock_mono();
	wall = clock_wall();
	ok(wall > 1700000000000, "the wall clock is read at the first need");
	usec = clock_usec();
	while (clock_usec() < usec + 3000)
		;
	ok(clock_mono() == mono && clock_wall() == wall,
	    "time stands still during a turn");
	clock_update();
	ok(clock_mono() >= mono + 3, "and goes on with the next");
}

int
main(void)
{
	test_both();
	test_reads();
	test_days();
	test_now();
	return tap_done();
}
