/* SPDX-License-Identifier: ISC */
/*
 * Tables: on a terminal columns under a head, the last as long as it likes; in
 * a pipe one row a line, tabs between, and no head.  Cells are safe to print
 * already.
 */
#include "cli/cli.h"

#include <string.h>

#define TABLE_GAP 2

void
cli_table_init(struct cli_table *t, const char *const *head)
{
	memset(t, 0, sizeof(*t));
	t->head = head;
	while (head[t->columns] != NULL)
		t->columns++;
}

void
cli_table_add(struct cli *c, struct cli_table *t, const char *cell)
{
	const char **grown;

	if (t->n == t->cap) {
		t->cap = t->cap > 0 ? 2 * t->cap : 64;
		grown = pool_alloc(&c->pool, t->cap * sizeof(*grown));
		if (t->n > 0)
			memcpy(grown, t->cells, t->n * sizeof(*grown));
		t->cells = grown;
	}
	t->cells[t->n++] = cell;
}

/* Columns that a text takes: one for each character is near enough. */
static size_t
table_width(const char *s)
{
	return str_chars(s, strlen(s));
}

static void
table_row(struct cli *c, const struct cli_table *t, const char *const *row,
    const size_t *widths)
{
	size_t i, pad;

	for (i = 0; i < t->columns; i++) {
		fputs(row[i], c->out);
		if (i + 1 == t->columns)
			break;
		if (!c->tty) {
			fputc('\t', c->out);
			continue;
		}
		pad = widths[i] + TABLE_GAP - table_width(row[i]);
		fprintf(c->out, "%*s", (int)pad, "");
	}
	fputc('\n', c->out);
}

void
cli_table_print(struct cli *c, struct cli_table *t)
{
	size_t *widths = pool_alloc(&c->pool, t->columns * sizeof(*widths));
	size_t i;

	for (i = 0; i < t->columns; i++)
		widths[i] = table_width(t->head[i]);
	for (i = 0; i < t->n; i++)
		if (table_width(t->cells[i]) > widths[i % t->columns])
			widths[i % t->columns] = table_width(t->cells[i]);
	if (c->tty && t->n > 0) {
		fputs(c->colour ? "\033[1m" : "", c->out);
		table_row(c, t, t->head, widths);
		fputs(c->colour ? "\033[0m" : "", c->out);
	}
	for (i = 0; i + t->columns <= t->n; i += t->columns)
		table_row(c, t, t->cells + i, widths);
}

static const char *
table_cell(struct cli *c, const struct json *j, size_t row,
    const struct cli_column *column)
{
	char when[CLOCK_RFC3339_LEN + 1];
	size_t at;

	switch (column->kind) {
	case CELL_TEXT:
		return cli_json_safe(c, j, row, column->key);
	case CELL_NUMBER:
		return pool_printf(&c->pool, "%lld",
		    (long long)cli_json_int(j, row, column->key));
	case CELL_TIME:
		clock_format(cli_json_int(j, row, column->key), when);
		return pool_strndup(&c->pool, when, strlen(when));
	case CELL_TEXTS:
		return cli_json_texts(c, j, row, column->key);
	case CELL_GROUPS:
		return cli_json_groups(c, j, row);
	case CELL_VALUE:
		at = json_get(j, row, column->key);
		return at != 0 ? cli_json_text(c, j, at, CLI_ONE_LINE) : "";
	}
	return "";
}

bool
cli_table_list(struct cli *c, const struct json *j, size_t list,
    const struct cli_column *columns)
{
	const struct cli_column *k;
	const char **head;
	struct cli_table t;
	size_t n = 0, at;

	if (list == 0)
		return false;
	while (columns[n].head != NULL)
		n++;
	head = pool_alloc(&c->pool, (n + 1) * sizeof(*head));
	for (n = 0; columns[n].head != NULL; n++)
		head[n] = columns[n].head;
	head[n] = NULL;
	cli_table_init(&t, head);
	for (at = JSON_FIRST(list); at < j->nodes[list].end;
	     at = j->nodes[at].end)
		for (k = columns; k->head != NULL; k++)
			cli_table_add(c, &t, table_cell(c, j, at, k));
	cli_table_print(c, &t);
	return t.n > 0;
}
