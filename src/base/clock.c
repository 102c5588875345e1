/* SPDX-License-Identifier: ISC */
/*
 * The clocks, read once a turn of the event loop: all that happens in a turn
 * happens at one time.  The calendar is computed here, because gmtime(3) wants
 * the time zone files, which a chroot does not have.
 */
#include "base/base.h"

#include <string.h>
#include <time.h>

#define DAY_MS INT64_C(86400000)
/* 0000-01-01 and the last millisecond of 9999, which is all that fits. */
#define FORMAT_MIN INT64_C(-62167219200000)
#define FORMAT_MAX INT64_C(253402300799999)

static struct {
	int64_t mono;
	int64_t wall;
} clock_now;

static int64_t
read_clock(clockid_t id, int64_t per_second)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) != 0)
		fatal("clock_gettime");
	return (int64_t)ts.tv_sec * per_second +
	       ts.tv_nsec / (1000000000 / per_second);
}

void
clock_update(void)
{
	clock_now.mono = read_clock(CLOCK_MONOTONIC, 1000);
	clock_now.wall = read_clock(CLOCK_REALTIME, 1000);
}

int64_t
clock_mono(void)
{
	if (clock_now.wall == 0)
		clock_update();
	return clock_now.mono;
}

int64_t
clock_wall(void)
{
	if (clock_now.wall == 0)
		clock_update();
	return clock_now.wall;
}

int64_t
clock_usec(void)
{
	return read_clock(CLOCK_MONOTONIC, 1000000);
}

/*
 * Days between 1970-01-01 and a date.  The year is taken to begin in March,
 * which puts the leap day last; 400 years have 146097 days.
 */
static int64_t
days_of_date(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year;
	int m = month <= 2 ? month + 9 : month - 3;
	int era = (y >= 0 ? y : y - 399) / 400;
	int of_era = y - era * 400;

	return (int64_t)era * 146097 + of_era * 365 + of_era / 4 -
	       of_era / 100 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static void
date_of_days(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int doe = (int)(z - era * 146097);
	int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int m = (5 * doy + 2) / 153;

	*day = doy - (153 * m + 2) / 5 + 1;
	*month = m < 10 ? m + 3 : m - 9;
	*year = (int)(era * 400) + yoe + (*month <= 2);
}

static void
put_digits(char *out, int n, int v)
{
	while (n-- > 0) {
		out[n] = (char)('0' + v % 10);
		v /= 10;
	}
}

void
clock_format(int64_t wall_ms, char out[CLOCK_RFC3339_LEN + 1])
{
	int64_t days;
	int year, month, day, ms;

	if (wall_ms < FORMAT_MIN)
		wall_ms = FORMAT_MIN;
	if (wall_ms > FORMAT_MAX)
		wall_ms = FORMAT_MAX;
	days = wall_ms / DAY_MS - (wall_ms % DAY_MS < 0);
	ms = (int)(wall_ms - days * DAY_MS);
	date_of_days(days, &year, &month, &day);
	memcpy(out, "0000-00-00T00:00:00.000Z", CLOCK_RFC3339_LEN + 1);
	put_digits(out, 4, year);
	put_digits(out + 5, 2, month);
	put_digits(out + 8, 2, day);
	put_digits(out + 11, 2, ms / 3600000);
	put_digits(out + 14, 2, ms / 60000 % 60);
	put_digits(out + 17, 2, ms / 1000 % 60);
	put_digits(out + 20, 3, ms % 1000);
}

/* Exactly n digits, or -1. */
static int
get_digits(const char *s, int n)
{
	int i, v = 0;

	for (i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (s[i] - '0');
	}
	return v;
}

static bool
is_date(int year, int month, int day)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	if (year < 0 || month < 1 || month > 12 || day < 1)
		return false;
	return day <= days[month - 1] + (month == 2 && leap);
}

/* Z, or +hh:mm, which fills the text; minutes east of UTC. */
static int
parse_zone(const char *s, size_t n, int *minutes)
{
	int h, m;

	*minutes = 0;
	if (n == 1 && (*s == 'Z' || *s == 'z'))
		return 0;
	if (n != 6 || (*s != '+' && *s != '-') || s[3] != ':')
		return -1;
	h = get_digits(s + 1, 2);
	m = get_digits(s + 4, 2);
	if (h < 0 || h > 23 || m < 0 || m > 59)
		return -1;
	*minutes = (h * 60 + m) * (*s == '-' ? -1 : 1);
	return 0;
}

int
clock_parse(const char *s, size_t n, int64_t *wall_ms)
{
	int year, month, day, hour, min, sec, zone, ms = 0;
	size_t i = 19, scale = 100;

	if (n < 20 || s[4] != '-' || s[7] != '-' ||
	    (s[10] != 'T' && s[10] != 't') || s[13] != ':' || s[16] != ':')
		return -1;
	year = get_digits(s, 4);
	month = get_digits(s + 5, 2);
	day = get_digits(s + 8, 2);
	hour = get_digits(s + 11, 2);
	min = get_digits(s + 14, 2);
	sec = get_digits(s + 17, 2);
	if (!is_date(year, month, day) || hour < 0 || hour > 23 || min < 0 ||
	    min > 59 || sec < 0 || sec > 59)
		return -1;
	if (s[i] == '.') {
		for (i++; i < n && s[i] >= '0' && s[i] <= '9'; i++) {
			ms += (s[i] - '0') * (int)scale;
			scale /= 10;
		}
		if (i == 20)
			return -1;
	}
	if (parse_zone(s + i, n - i, &zone) != 0)
		return -1;
	*wall_ms = days_of_date(year, month, day) * DAY_MS +
		   (((int64_t)hour * 60 + min - zone) * 60 + sec) * 1000 + ms;
	return 0;
}
