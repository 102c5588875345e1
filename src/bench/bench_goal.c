/* SPDX-License-Identifier: ISC */
/*
 * What linnetd is meant to reach, and whether it did.
 */
#include "bench/bench.h"

#include <string.h>

/* A server, or a variant by its option, as "group" is of "group 19000". */
static bool
goal_is_to(const struct bench_entry *e, const char *to)
{
	size_t n = strlen(to);

	return strncmp(e->label, to, n) == 0 &&
	       (e->label[n] == '\0' || e->label[n] == ' ');
}

/* The value that a goal is about; false: it was not measured. */
static bool
goal_value(double *v, const struct bench_match *m, const struct bench_goal *g)
{
	struct bench_spread s;
	unsigned i;

	if (g->to == NULL) {
		if (!bench_result_spread(&s, &m->entries[0], g->figure))
			return false;
		*v = s.median;
		return true;
	}
	for (i = 1; i < m->n; i++)
		if (goal_is_to(&m->entries[i], g->to) &&
		    bench_result_ratio(&s, m, i, g->figure)) {
			*v = s.median;
			return true;
		}
	return false;
}

static void
goal_line(struct buf *b, const struct bench_goal *g, double v)
{
	const struct bench_figure_info *f = &bench_figures[g->figure];
	bool most = g->most || (g->to == NULL && f->better < 0);
	int decimals = g->to != NULL ? 2 : f->decimals;
	char what[80];
	struct buf w;

	buf_init(&w, sizeof(what) - 1);
	buf_addf(&w, "%s%s%s", f->name, g->to != NULL ? ", to " : "",
	    g->to != NULL ? g->to : "");
	str_copy(what, buf_str(&w), sizeof(what));
	buf_free(&w);
	buf_addf(b, "    %-44s %13.*f   at %-5s %10.*f   %s\n", what, decimals,
	    v, most ? "most" : "least", decimals, g->limit,
	    (most ? v <= g->limit : v >= g->limit) ? "yes" : "no");
}

void
bench_goal_report(struct buf *b, const struct bench_match *m, unsigned n)
{
	const struct bench_goal *g;
	bool begun = false, titled;
	unsigned i;
	double v;

	for (i = 0; i < n; i++) {
		titled = false;
		for (g = m[i].goals; g != NULL && g->figure != BENCH_FIGURES;
		     g++) {
			if (!goal_value(&v, &m[i], g))
				continue;
			if (!begun)
				buf_addf(b, "\n%-48s %13s   %s\n",
				    "What is meant to be reached", "is",
				    "meant");
			if (!titled)
				buf_addf(b, "  %s\n", m[i].title);
			begun = titled = true;
			goal_line(b, g, v);
		}
	}
}
