/* SPDX-License-Identifier: ISC */
/*
 * Answers: rows that line up on a terminal and are split by tabs elsewhere, or
 * JSON.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"

#define CTL_JSON_MAX (256u << 20)

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

/* The rows of an answer on their way to be printed. */
struct ctl_rows {
	const struct ctl_column *columns;
	size_t n;
	struct ctl_table *table;
	struct json_writer *json;
};

/* A value as text of the pool; "-" where there is none. */
static const char *
ctl_value(struct pool *pool, const struct db_result *r, size_t row,
    const struct ctl_column *col)
{
	char text[2 * CRYPTO_KEY_LEN + 1];
	struct slice s;
	struct id id;

	if (db_null(r, row, col->at))
		return "-";
	switch (col->type) {
	case CTL_TEXT:
		s = db_text(r, row, col->at);
		return pool_strndup(pool, s.p, s.n);
	case CTL_INT:
		return pool_printf(pool, "%" PRId64, db_int(r, row, col->at));
	case CTL_ID:
		db_id(r, row, col->at, &id);
		return pool_printf(pool, "%s", id_hex(&id, text));
	case CTL_KEY:
		s = db_bytes(r, row, col->at);
		if (s.n != CRYPTO_KEY_LEN)
			return "-";
		crypto_hex(text, s.p, s.n);
		return pool_printf(pool, "%s", text);
	case CTL_TIME:
		clock_format(db_time(r, row, col->at), text);
		return pool_printf(pool, "%s", text);
	}
	return "-";
}

static void
ctl_value_json(struct json_writer *w, struct pool *pool,
    const struct db_result *r, size_t row, const struct ctl_column *col)
{
	json_key(w, col->key);
	if (db_null(r, row, col->at))
		json_null(w);
	else if (col->type == CTL_INT)
		json_num(w, db_int(r, row, col->at));
	else
		json_str(w, ctl_value(pool, r, row, col));
}

static void
ctl_rows(void *arg, const struct db_result *r)
{
	struct ctl_rows *rows = arg;
	const char *cells[CTL_COLUMNS_MAX];
	struct pool pool;
	size_t row, i;

	for (row = 0; row < db_rows(r); row++) {
		pool_init(&pool);
		if (rows->json != NULL)
			json_object(rows->json);
		for (i = 0; i < rows->n; i++) {
			if (rows->json != NULL)
				ctl_value_json(rows->json, &pool, r, row,
				    &rows->columns[i]);
			else
				cells[i] =
				    ctl_value(&pool, r, row, &rows->columns[i]);
		}
		if (rows->json != NULL)
			json_object_end(rows->json);
		else
			ctl_table_row(rows->table, cells);
		pool_free(&pool);
	}
}

void
ctl_print_rows(struct ctl *c, struct db_params *p,
    const struct ctl_column *columns, size_t n)
{
	const char *headings[CTL_COLUMNS_MAX + 1] = { NULL };
	struct ctl_rows rows = { columns, n, NULL, NULL };
	struct json_writer w;
	struct buf b;
	size_t i;

	if (!c->json) {
		for (i = 0; i < n; i++)
			headings[i] = columns[i].heading;
		rows.table = ctl_table_new(headings);
		ctl_query(c, p, ctl_rows, &rows);
		ctl_table_print(rows.table);
		return;
	}
	buf_init(&b, CTL_JSON_MAX);
	json_start(&w, &b);
	json_array(&w);
	rows.json = &w;
	ctl_query(c, p, ctl_rows, &rows);
	json_array_end(&w);
	ctl_print_json(&b);
}
