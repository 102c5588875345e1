/* SPDX-License-Identifier: ISC */
/*
 * Figures as a picture (SVG 1.1): for each match bars of its first figures,
 * from least to greatest round with the median marked, and latencies by
 * percentile, both axes logarithmic.
 */
#include "bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PLOT_WIDTH 960.0
#define PLOT_MARGIN 20.0
#define PLOT_BARS 3 /* figures of a match */
#define PLOT_BAR 18.0
#define PLOT_LABEL 130.0
#define PLOT_CURVES 220.0 /* height */
#define PLOT_NINES 5.0	  /* the right end is 99.999 per cent */

static const char *const plot_colours[] = { "#1f77b4", "#d62728", "#2ca02c",
	"#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#7f7f7f" };

static const char *
plot_colour(unsigned i)
{
	return plot_colours[i % NELEM(plot_colours)];
}

static void
plot_text(struct buf *b, double x, double y, const char *anchor, const char *s)
{
	buf_addf(
	    b, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
	for (; *s != '\0'; s++)
		if (*s == '<')
			buf_adds(b, "&lt;");
		else if (*s == '&')
			buf_adds(b, "&amp;");
		else
			buf_addc(b, *s);
	buf_adds(b, "</text>\n");
}

static void
plot_line(struct buf *b, double x1, double y1, double x2, double y2,
    const char *colour)
{
	buf_addf(b,
	    "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
	    "stroke=\"%s\"/>\n",
	    x1, y1, x2, y2, colour);
}

/* Returns the height. */
static double
plot_bars(
    struct buf *b, const struct bench_match *m, enum bench_figure f, double top)
{
	const double width = PLOT_WIDTH - PLOT_LABEL - 2 * PLOT_MARGIN - 90;
	double y = top + 16, most = 0, left = PLOT_MARGIN + PLOT_LABEL, unit;
	struct bench_spread s;
	char text[64];
	unsigned i;

	for (i = 0; i < m->n; i++)
		if (bench_result_spread(&s, &m->entries[i], f) && s.max > most)
			most = s.max;
	if (most <= 0)
		return 0;
	unit = width / most;
	plot_text(b, PLOT_MARGIN, y, "start", bench_figures[f].text);
	y += 6;
	for (i = 0; i < m->n; i++) {
		if (!bench_result_spread(&s, &m->entries[i], f))
			continue;
		plot_text(
		    b, left - 6, y + PLOT_BAR - 6, "end", m->entries[i].label);
		buf_addf(b,
		    "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
		    "fill=\"%s\"/>\n",
		    left, y + 2, s.median * unit, PLOT_BAR - 4, plot_colour(i));
		plot_line(b, left + s.min * unit, y + PLOT_BAR / 2,
		    left + s.max * unit, y + PLOT_BAR / 2, "#000");
		snprintf(text, sizeof(text), "%.*f", bench_figures[f].decimals,
		    s.median);
		plot_text(b, left + s.max * unit + 6, y + PLOT_BAR - 5, "start",
		    text);
		y += PLOT_BAR;
	}
	return y - top + 4;
}

/* Which latencies of a match are drawn; -1: it has none. */
static int
plot_hist(const struct bench_match *m)
{
	static const int order[] = { BENCH_HIST_DELIVER, BENCH_HIST_FANOUT,
		BENCH_HIST_STATE, BENCH_HIST_ACK };
	size_t k;

	for (k = 0; k < NELEM(order); k++)
		if (m->n > 0 && m->entries[0].hists[order[k]].count > 0)
			return order[k];
	return -1;
}

struct plot_axes {
	double left, right, top, bottom;
	double low, high; /* logarithms of ns */
};

static double
plot_y(const struct plot_axes *a, double ns)
{
	return a->bottom - (log10(ns > 1 ? ns : 1) - a->low) /
			       (a->high - a->low) * (a->bottom - a->top);
}

/* The place of 1 - 10^-nines. */
static double
plot_x(const struct plot_axes *a, double nines)
{
	return a->left + nines / PLOT_NINES * (a->right - a->left);
}

static void
plot_grid(struct buf *b, const struct plot_axes *a)
{
	static const char *const parts[] = { "0", "90", "99", "99.9", "99.99",
		"99.999" };
	char text[64];
	double v;
	size_t i;

	for (i = 0; i < NELEM(parts); i++) {
		double x = plot_x(a, (double)i);

		plot_line(b, x, a->top, x, a->bottom, "#ddd");
		snprintf(text, sizeof(text), "%s %%", parts[i]);
		plot_text(b, x, a->bottom + 14, "middle", text);
	}
	for (v = a->low; v <= a->high + 0.001; v++) {
		double y = plot_y(a, pow(10, v));

		plot_line(b, a->left, y, a->right, y, "#ddd");
		snprintf(text, sizeof(text), "%g us", pow(10, v - 3));
		plot_text(b, a->left - 6, y + 4, "end", text);
	}
}

static double
plot_curves(struct buf *b, const struct bench_match *m, double top)
{
	struct plot_axes a = { .left = PLOT_MARGIN + PLOT_LABEL,
		.right = PLOT_WIDTH - PLOT_MARGIN - 110,
		.top = top + 24,
		.bottom = top + PLOT_CURVES - 24 };
	double low = 1e18, high = 1, nines;
	int hist = plot_hist(m);
	unsigned i;

	if (hist < 0)
		return 0;
	for (i = 0; i < m->n; i++) {
		const struct bench_hist *h = &m->entries[i].hists[hist];

		if (h->count == 0)
			continue;
		low = (double)h->min < low ? (double)h->min : low;
		high = (double)h->max > high ? (double)h->max : high;
	}
	a.low = floor(log10(low > 1 ? low : 1));
	a.high = ceil(log10(high > low ? high + 1 : low + 1));
	plot_text(b, PLOT_MARGIN, top + 14, "start", bench_result_hists[hist]);
	plot_grid(b, &a);
	for (i = 0; i < m->n; i++) {
		const struct bench_hist *h = &m->entries[i].hists[hist];

		if (h->count == 0)
			continue;
		buf_addf(b,
		    "<polyline fill=\"none\" stroke=\"%s\" "
		    "stroke-width=\"1.5\" points=\"",
		    plot_colour(i));
		for (nines = 0; nines <= PLOT_NINES; nines += 0.05)
			buf_addf(b, "%.1f,%.1f ", plot_x(&a, nines),
			    plot_y(&a,
				(double)bench_hist_at(h, 1 - pow(10, -nines))));
		buf_adds(b, "\"/>\n");
		buf_addf(b, "<g fill=\"%s\">", plot_colour(i));
		plot_text(b, a.right + 6, a.top + 14 + 16 * i, "start",
		    m->entries[i].label);
		buf_adds(b, "</g>\n");
	}
	return PLOT_CURVES;
}

static double
plot_match(struct buf *b, const struct bench_match *m, double top)
{
	const enum bench_figure *f;
	double y = top + 24, height;
	unsigned bars = 0;

	buf_adds(b, "<g font-weight=\"bold\" font-size=\"14\">");
	plot_text(b, PLOT_MARGIN, y, "start", m->title);
	buf_adds(b, "</g>\n");
	y += 8;
	for (f = m->figures; *f != BENCH_FIGURES; f++) {
		if (bars == PLOT_BARS || bench_figures[*f].better == 0)
			continue;
		height = plot_bars(b, m, *f, y);
		bars += height > 0;
		y += height;
	}
	y += plot_curves(b, m, y);
	return y - top + 16;
}

void
bench_plot(struct buf *b, const struct bench_match *m, unsigned n)
{
	double y = 40;
	struct buf body;
	unsigned i;

	buf_init(&body, 32u << 20);
	for (i = 0; i < n; i++)
		y += plot_match(&body, &m[i], y);
	buf_addf(b,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" "
	    "height=\"%.0f\" font-family=\"sans-serif\" font-size=\"12\">\n"
	    "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
	    PLOT_WIDTH, y + PLOT_MARGIN);
	plot_text(b, PLOT_MARGIN, 24, "start", bench_report_machine());
	buf_add(b, body.data, body.len);
	buf_adds(b, "</svg>\n");
	buf_free(&body);
}
