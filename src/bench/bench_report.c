/* SPDX-License-Identifier: ISC */
/*
 * Figures for people: a block for each figure, a line for each server.
 */
#include "bench/bench.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* 1234567.8 as 1,234,567.8. */
static void
report_number(char *out, size_t size, double v, int decimals)
{
	char plain[64], *point;
	size_t whole, i, n = 0;

	snprintf(plain, sizeof(plain), "%.*f", decimals, v);
	point = strchr(plain, '.');
	whole = point != NULL ? (size_t)(point - plain) : strlen(plain);
	for (i = 0; plain[i] != '\0' && n + 2 < size; i++) {
		if (i > 0 && i < whole && (whole - i) % 3 == 0 &&
		    plain[i - 1] != '-')
			out[n++] = ',';
		out[n++] = plain[i];
	}
	out[n] = '\0';
}

static void
report_line(
    struct buf *b, const struct bench_match *m, unsigned i, enum bench_figure f)
{
	const struct bench_entry *e = &m->entries[i];
	int decimals = bench_figures[f].decimals;
	char min[64], median[64], max[64];
	struct bench_spread s;

	if (!bench_result_spread(&s, e, f))
		return;
	report_number(min, sizeof(min), s.min, decimals);
	report_number(median, sizeof(median), s.median, decimals);
	report_number(max, sizeof(max), s.max, decimals);
	buf_addf(b, "    %-16s %13s %13s %13s", e->label, median, min, max);
	if (bench_result_ratio(&s, m, i, f))
		buf_addf(b, "   %7.2f %7.2f %7.2f", s.median, s.min, s.max);
	buf_addc(b, '\n');
}

static bool
report_has(const struct bench_match *m, enum bench_figure f)
{
	struct bench_spread s;
	unsigned i;

	for (i = 0; i < m->n; i++)
		if (bench_result_spread(&s, &m->entries[i], f))
			return true;
	return false;
}

void
bench_report_match(struct buf *b, const struct bench_match *m)
{
	const enum bench_figure *f;
	unsigned i;

	buf_addf(b, "\n%s\n", m->title);
	buf_addf(b, "    %-16s %13s %13s %13s", "", "median", "min", "max");
	if (m->n > 1)
		buf_addf(
		    b, "   %s to it: median, min, max", m->entries[0].label);
	buf_addc(b, '\n');
	for (f = m->figures; *f != BENCH_FIGURES; f++) {
		if (!report_has(m, *f))
			continue;
		buf_addf(b, "  %s\n", bench_figures[*f].text);
		for (i = 0; i < m->n; i++)
			report_line(b, m, i, *f);
	}
}

static bool
report_seen(const struct bench_match *m, unsigned match, unsigned entry)
{
	unsigned i, k;

	for (i = 0; i <= match; i++)
		for (k = 0; k < m[i].n; k++) {
			if (i == match && k == entry)
				return false;
			if (m[i].entries[k].peer ==
			    m[match].entries[entry].peer)
				return true;
		}
	return false;
}

void
bench_report_servers(struct buf *b, const struct bench_match *m, unsigned n)
{
	unsigned i, k;

	for (i = 0; i < n; i++)
		for (k = 0; k < m[i].n; k++) {
			const struct bench_entry *e = &m[i].entries[k];

			if (!report_seen(m, i, k))
				buf_addf(b, "%-15s %s (%s)\n%-15s %s\n",
				    e->peer->name, e->peer->text, e->version,
				    "", e->peer->does);
		}
}

const char *
bench_report_machine(void)
{
	static char machine[512];
	static char model[128] = "unknown processor";
	char line[256];
	struct utsname u;
	FILE *f = fopen("/proc/cpuinfo", "re");
	double gib = (double)sysconf(_SC_PHYS_PAGES) *
		     (double)sysconf(_SC_PAGESIZE) / (1 << 30);
	char *colon;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (str_starts(line, "model name") &&
		    (colon = strchr(line, ':')) != NULL) {
			line[strcspn(line, "\n")] = '\0';
			str_copy(model, colon + 2, sizeof(model));
			break;
		}
	if (f != NULL)
		fclose(f);
	if (uname(&u) != 0)
		return model;
	snprintf(machine, sizeof(machine),
	    "%ld processors (%s), %.0f GiB, %s %s",
	    sysconf(_SC_NPROCESSORS_ONLN), model, gib, u.sysname, u.release);
	return machine;
}
