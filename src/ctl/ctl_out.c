/* SPDX-License-Identifier: ISC */
/*
 * Answers: rows that line up on a terminal and are split by tabs elsewhere, or
 * JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"

struct ctl_table {
	size_t columns;
	size_t rows;
	char **cells;
	size_t *widths;
};

/* What peers chose as a name must not drive the terminal. */
static char *
ctl_cell(const char *s)
{
	char *out = xstrdup(s), *p;

	for (p = out; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	return out;
}

struct ctl_table *
ctl_table_new(const char *const *headings)
{
	struct ctl_table *t = xcalloc(1, sizeof(*t));

	while (headings[t->columns] != NULL)
		t->columns++;
	t->widths = xcalloc(t->columns, sizeof(*t->widths));
	ctl_table_row(t, headings);
	return t;
}

void
ctl_table_row(struct ctl_table *t, const char *const *texts)
{
	size_t i, width;
	char *cell;

	t->cells = xreallocarray(
	    t->cells, (t->rows + 1) * t->columns, sizeof(*t->cells));
	for (i = 0; i < t->columns; i++) {
		cell = ctl_cell(texts[i]);
		width = str_chars(cell, strlen(cell));
		if (width > t->widths[i])
			t->widths[i] = width;
		t->cells[t->rows * t->columns + i] = cell;
	}
	t->rows++;
}

void
ctl_table_print(struct ctl_table *t)
{
	bool terminal = isatty(STDOUT_FILENO);
	size_t row, i, pad;

	for (row = 0; row < t->rows; row++) {
		/* Programs want rows, not headings. */
		if (row == 0 && !terminal)
			continue;
		for (i = 0; i < t->columns; i++) {
			const char *cell = t->cells[row * t->columns + i];

			fputs(cell, stdout);
			if (i + 1 == t->columns)
				break;
			pad = t->widths[i] - str_chars(cell, strlen(cell)) + 2;
			if (terminal)
				printf("%*s", (int)pad, "");
			else
				fputc('\t', stdout);
		}
		fputc('\n', stdout);
	}
	for (i = 0; i < t->rows * t->columns; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t->widths);
	free(t);
}

void
ctl_print_json(struct buf *b)
{
	if (b->failed)
		fatalx("the answer is too large");
	fwrite(b->data, 1, b->len, stdout);
	fputc('\n', stdout);
	buf_free(b);
}
