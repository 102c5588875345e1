/* SPDX-License-Identifier: ISC */
/*
 * Cron lines: five fields (minute, hour, day of the month, month, weekday) and
 * the times that they name, in UTC.
 *
 * A field becomes a set of bits.  A day counts when its month is named and
 * either day field names it; but a day field that begins with `*` says nothing
 * of its own, so then both must.  The calendar repeats after 400 years: what
 * is not found in that time never comes.
 */
#include <stdio.h>
#include <string.h>

#include "core/schedule.h"

#define CRON_DAY_MS INT64_C(86400000)
#define CRON_MINUTE_MS INT64_C(60000)
#define CRON_CYCLE_DAYS 146097 /* 400 years */
#define CRON_NAME 3	       /* letters of a name */

enum cron_part {
	CRON_MINUTE,
	CRON_HOUR,
	CRON_DAY,
	CRON_MONTH,
	CRON_WEEKDAY
};

static const struct cron_field {
	const char *name;
	unsigned min;
	unsigned max;
	const char *words; /* three letters each, from min on */
} cron_fields[CRON_FIELDS] = {
	[CRON_MINUTE] = { "minute", 0, 59, "" },
	[CRON_HOUR] = { "hour", 0, 23, "" },
	[CRON_DAY] = { "day of the month", 1, 31, "" },
	[CRON_MONTH] = { "month", 1, 12,
	    "janfebmaraprmayjunjulaugsepoctnovdec" },
	[CRON_WEEKDAY] = { "weekday", 0, 7, "sunmontuewedthufrisat" },
};

static bool
cron_is_set(uint64_t set, unsigned v)
{
	return set >> v & 1;
}

/* A number, or a name where the field has some; false: neither. */
static bool
cron_value(const struct cron_field *f, struct slice *s, unsigned *v)
{
	size_t i, n;

	for (n = 0; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++)
		if (n == 2)
			return false;
	for (*v = 0, i = 0; i < n; i++)
		*v = 10 * *v + (unsigned)(s->p[i] - '0');
	for (i = 0; n == 0 && s->n >= CRON_NAME && f->words[i] != '\0';
	     i += CRON_NAME)
		if (strncasecmp(f->words + i, s->p, CRON_NAME) == 0) {
			*v = f->min + (unsigned)(i / CRON_NAME);
			n = CRON_NAME;
		}
	s->p += n;
	s->n -= n;
	return n > 0 && *v >= f->min && *v <= f->max;
}

static bool
cron_skip(struct slice *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	s->p++;
	s->n--;
	return true;
}

/* One item of a list: `*`, a value or a range, perhaps with a step. */
static bool
cron_item(const struct cron_field *f, struct slice *s, uint64_t *set)
{
	struct cron_field step = { f->name, 1, f->max, "" };
	unsigned from = f->min, to = f->max, by = 1;

	if (!cron_skip(s, '*')) {
		if (!cron_value(f, s, &from))
			return false;
		to = from;
		if (cron_skip(s, '-')) {
			if (!cron_value(f, s, &to))
				return false;
			/* The Sunday at the end of a week. */
			if (to == 0 && f == &cron_fields[CRON_WEEKDAY])
				to = 7;
		} else if (s->n > 0 && s->p[0] == '/')
			to = f->max;
	}
	if (cron_skip(s, '/') && !cron_value(&step, s, &by))
		return false;
	if (from > to)
		return false;
	for (; from <= to; from += by)
		*set |= UINT64_C(1) << from;
	return true;
}

static bool
cron_list(const struct cron_field *f, struct slice s, uint64_t *set)
{
	*set = 0;
	do {
		if (!cron_item(f, &s, set))
			return false;
	} while (cron_skip(&s, ','));
	return s.n == 0;
}

/* The next word; {p, 0} at the end. */
static struct slice
cron_word(struct slice *s)
{
	struct slice word;

	while (s->n > 0 && (s->p[0] == ' ' || s->p[0] == '\t')) {
		s->p++;
		s->n--;
	}
	word = (struct slice){ s->p, 0 };
	while (s->n > 0 && s->p[0] != ' ' && s->p[0] != '\t') {
		s->p++;
		s->n--;
		word.n++;
	}
	return word;
}

int
cron_parse(struct cron *c, struct slice line, char error[CRON_ERROR_MAX])
{
	struct slice word[CRON_FIELDS + 1];
	uint64_t set[CRON_FIELDS];
	size_t i;

	for (i = 0; i < NELEM(word); i++)
		word[i] = cron_word(&line);
	if (word[CRON_FIELDS - 1].n == 0 || word[CRON_FIELDS].n > 0) {
		snprintf(error, CRON_ERROR_MAX,
		    "five fields: minute, hour, day of the month, month and "
		    "weekday");
		return -1;
	}
	for (i = 0; i < CRON_FIELDS; i++)
		if (!cron_list(&cron_fields[i], word[i], &set[i])) {
			snprintf(error, CRON_ERROR_MAX,
			    "its %s must be *, values from %u to %u%s, ranges "
			    "and steps of these, separated by commas",
			    cron_fields[i].name, cron_fields[i].min,
			    cron_fields[i].max,
			    *cron_fields[i].words != '\0' ? " or their names"
							  : "");
			return -1;
		}
	c->minutes = set[CRON_MINUTE];
	c->hours = (uint32_t)set[CRON_HOUR];
	c->days = (uint32_t)set[CRON_DAY];
	c->months = (uint16_t)set[CRON_MONTH];
	/* 7 is another name of 0. */
	c->weekdays =
	    (uint8_t)((set[CRON_WEEKDAY] | set[CRON_WEEKDAY] >> 7) & 0x7f);
	c->either =
	    word[CRON_DAY].p[0] != '*' && word[CRON_WEEKDAY].p[0] != '*';
	if (cron_next(c, 0) < 0) {
		snprintf(error, CRON_ERROR_MAX,
		    "a day that comes: none of its months has such a day");
		return -1;
	}
	return 0;
}

struct cron_date {
	int64_t year;
	unsigned month;
	unsigned day;
	unsigned weekday;
};

static unsigned
cron_month_days(const struct cron_date *d)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };
	bool leap =
	    d->year % 4 == 0 && (d->year % 100 != 0 || d->year % 400 == 0);

	return days[d->month - 1] + (d->month == 2 && leap ? 1 : 0);
}

static void
cron_tomorrow(struct cron_date *d)
{
	d->weekday = (d->weekday + 1) % 7;
	if (d->day++ < cron_month_days(d))
		return;
	d->day = 1;
	if (d->month++ < 12)
		return;
	d->month = 1;
	d->year++;
}

/* The date of a day since 1970, which began with a Thursday. */
static struct cron_date
cron_date(int64_t day)
{
	struct cron_date d = { 1970, 1, 1, 4 };

	d.year += day / CRON_CYCLE_DAYS * 400;
	d.weekday += (unsigned)(day % 7);
	d.weekday %= 7;
	for (day %= CRON_CYCLE_DAYS; day > 0;) {
		unsigned n = cron_month_days(&d);

		if (day < n) {
			d.day += (unsigned)day;
			break;
		}
		day -= n;
		if (d.month++ == 12) {
			d.month = 1;
			d.year++;
		}
	}
	return d;
}

static bool
cron_has_day(const struct cron *c, const struct cron_date *d)
{
	bool day = cron_is_set(c->days, d->day);
	bool weekday = cron_is_set(c->weekdays, d->weekday);

	return cron_is_set(c->months, d->month) &&
	       (c->either ? day || weekday : day && weekday);
}

/* The first time of a day that is named, from a minute of it on; -1: none. */
static int64_t
cron_time(const struct cron *c, unsigned from)
{
	unsigned minute;

	for (minute = from; minute < 24 * 60; minute++) {
		if (!cron_is_set(c->hours, minute / 60))
			minute += 59 - minute % 60;
		else if (cron_is_set(c->minutes, minute % 60))
			return minute * CRON_MINUTE_MS;
	}
	return -1;
}

int64_t
cron_next(const struct cron *c, int64_t after_ms)
{
	int64_t day, last, at;
	struct cron_date d;
	unsigned from;

	/* The minute after the one that has it. */
	after_ms += CRON_MINUTE_MS;
	day = after_ms / CRON_DAY_MS;
	from = (unsigned)(after_ms % CRON_DAY_MS / CRON_MINUTE_MS);
	d = cron_date(day);
	for (last = day + CRON_CYCLE_DAYS; day <= last; day++) {
		if (cron_has_day(c, &d) && (at = cron_time(c, from)) >= 0)
			return day * CRON_DAY_MS + at;
		from = 0;
		cron_tomorrow(&d);
	}
	return -1;
}
