/* SPDX-License-Identifier: ISC */
/*
 * What a change adds and takes away, line by line, for people.
 *
 * Only lines that change are shown, since others keep secrets in these files;
 * a line that only gets or loses its comma is none.
 */
#include "cli/cli_host.h"

#include <string.h>

#define DIFF_WIDTH 160	 /* bytes of a line; some files are one line */
#define DIFF_WINDOW 2000 /* lines in which what is the same again is sought */

struct diff {
	struct cli *c;
	struct slice *a, *b;
	size_t na, nb;
};

static struct slice *
diff_lines(struct cli *c, const char *text, size_t n, size_t *count)
{
	struct slice *lines;
	const char *p = text, *end = text + n, *nl;
	size_t k = 0;

	for (*count = 0; p < end; p++)
		*count += *p == '\n';
	lines = pool_alloc(&c->pool, (*count + 1) * sizeof(*lines));
	for (p = text; p < end; p = nl + 1) {
		if ((nl = memchr(p, '\n', (size_t)(end - p))) == NULL)
			nl = end;
		lines[k++] = (struct slice){ p, (size_t)(nl - p) };
	}
	*count = k;
	return lines;
}

/* The same, but for a comma at the end. */
static bool
diff_same(struct slice x, struct slice y)
{
	while (x.n > 0 && (x.p[x.n - 1] == '\r' || x.p[x.n - 1] == ','))
		x.n--;
	while (y.n > 0 && (y.p[y.n - 1] == '\r' || y.p[y.n - 1] == ','))
		y.n--;
	return x.n == y.n && memcmp(x.p, y.p, x.n) == 0;
}

static void
diff_print(struct cli *c, char sign, struct slice line)
{
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	cli_print_escape(&b, line.p, line.n > DIFF_WIDTH ? DIFF_WIDTH : line.n,
	    CLI_ONE_LINE);
	if (line.n > DIFF_WIDTH)
		buf_addf(&b, "... (%zu bytes)", line.n);
	fprintf(c->out, "  %s%c %s%s\n",
	    !c->colour	  ? ""
	    : sign == '+' ? "\033[32m"
			  : "\033[31m",
	    sign, b.len > 0 ? buf_str(&b) : "", c->colour ? "\033[0m" : "");
	buf_free(&b);
}

/* The fewest lines to leave out on both sides until they are the same. */
static void
diff_resync(const struct diff *d, size_t i, size_t j, size_t *di, size_t *dj)
{
	size_t sum;

	for (sum = 1; sum < DIFF_WINDOW; sum++)
		for (*di = 0; *di <= sum; ++*di) {
			*dj = sum - *di;
			if (i + *di <= d->na && j + *dj <= d->nb &&
			    (i + *di == d->na || j + *dj == d->nb
				    ? i + *di == d->na && j + *dj == d->nb
				    : diff_same(d->a[i + *di], d->b[j + *dj])))
				return;
		}
	*di = d->na - i;
	*dj = d->nb - j;
}

void
cli_diff_print(struct cli *c, const struct buf *old, const struct buf *new)
{
	struct diff d = { .c = c };
	size_t i = 0, j = 0, di, dj;

	d.a = diff_lines(c, old->data, old->len, &d.na);
	d.b = diff_lines(c, new->data, new->len, &d.nb);
	while (i < d.na || j < d.nb) {
		if (i < d.na && j < d.nb && diff_same(d.a[i], d.b[j])) {
			i++;
			j++;
			continue;
		}
		diff_resync(&d, i, j, &di, &dj);
		while (di-- > 0)
			diff_print(c, '-', d.a[i++]);
		while (dj-- > 0)
			diff_print(c, '+', d.b[j++]);
	}
}
