/* SPDX-License-Identifier: ISC */
/*
 * Figures for programs: all rounds, and what was made of them.
 */
#include "config.h"

#include "bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void
put_double(struct json_writer *w, double v)
{
	char text[64];
	int n;

	if (!isfinite(v)) {
		json_null(w);
		return;
	}
	n = snprintf(text, sizeof(text), "%.6g", v);
	if (fabs(v) >= 1e6)
		n = snprintf(text, sizeof(text), "%.0f", v);
	json_raw(w, text, (size_t)n);
}

static void
put_spread(struct json_writer *w, const char *key, const struct bench_spread *s)
{
	json_key(w, key);
	json_object(w);
	json_key(w, "min");
	put_double(w, s->min);
	json_key(w, "median");
	put_double(w, s->median);
	json_key(w, "max");
	put_double(w, s->max);
	json_object_end(w);
}

static void
put_figure(struct json_writer *w, const struct bench_match *m, unsigned entry,
    enum bench_figure f)
{
	const struct bench_entry *e = &m->entries[entry];
	struct bench_spread s;
	unsigned i;

	if (!bench_result_spread(&s, e, f))
		return;
	json_key(w, bench_figures[f].name);
	json_object(w);
	json_key(w, "rounds");
	json_array(w);
	for (i = 0; i < e->rounds; i++)
		put_double(w, e->values[i][f]);
	json_array_end(w);
	put_spread(w, "of_rounds", &s);
	if (bench_result_ratio(&s, m, entry, f))
		put_spread(w, "first_to_this", &s);
	json_object_end(w);
}

static void
put_latencies(struct json_writer *w, const struct bench_entry *e)
{
	static const double parts[] = { 0.5, 0.9, 0.99, 0.999, 0.9999, 1 };
	size_t i, k;
	char key[32];

	json_key(w, "latencies_us");
	json_object(w);
	for (i = 0; i < BENCH_HISTS; i++) {
		if (e->hists[i].count == 0)
			continue;
		json_key(w, bench_result_hists[i]);
		json_object(w);
		json_key(w, "count");
		json_num(w, (int64_t)e->hists[i].count);
		for (k = 0; k < NELEM(parts); k++) {
			snprintf(key, sizeof(key), "p%g", 100 * parts[k]);
			json_key(w, key);
			put_double(
			    w, (double)bench_hist_at(&e->hists[i], parts[k]) /
				   1e3);
		}
		json_object_end(w);
	}
	json_object_end(w);
}

static void
put_entry(struct json_writer *w, const struct bench_match *m, unsigned i)
{
	const struct bench_entry *e = &m->entries[i];
	const enum bench_figure *f;

	json_object(w);
	json_key(w, "label");
	json_str(w, e->label);
	json_key(w, "server");
	json_str(w, e->peer->name);
	json_key(w, "version");
	json_str(w, e->version);
	json_key(w, "stores");
	json_bool(w, e->peer->stores);
	json_key(w, "note");
	json_str(w, e->peer->does);
	json_key(w, "figures");
	json_object(w);
	for (f = m->scenario->figures; *f != BENCH_FIGURES; f++)
		put_figure(w, m, i, *f);
	json_object_end(w);
	put_latencies(w, e);
	json_object_end(w);
}

void
bench_json(struct buf *b, const struct bench_match *m, unsigned n)
{
	struct json_writer w;
	unsigned i, k;

	clock_update();
	json_start(&w, b);
	json_object(&w);
	json_key(&w, "program");
	json_str(&w, "linnet-bench " PACKAGE_VERSION);
	json_key(&w, "machine");
	json_str(&w, bench_report_machine());
	json_key(&w, "ended_at");
	json_time(&w, clock_wall());
	json_key(&w, "matches");
	json_array(&w);
	for (i = 0; i < n; i++) {
		json_object(&w);
		json_key(&w, "scenario");
		json_str(&w, m[i].scenario->name);
		json_key(&w, "title");
		json_str(&w, m[i].title);
		json_key(&w, "entries");
		json_array(&w);
		for (k = 0; k < m[i].n; k++)
			put_entry(&w, &m[i], k);
		json_array_end(&w);
		json_object_end(&w);
	}
	json_array_end(&w);
	json_object_end(&w);
	buf_addc(b, '\n');
}
