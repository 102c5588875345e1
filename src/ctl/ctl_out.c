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

struct ctl_table {
	size_t columns;
	size_t rows;
	char **cells;
	size_t *widths;
};

/* What peers chose as a name must not drive the terminal, nor look like another
 * cell or row. */
char *
ctl_safe(const char *s, size_t n)
{
	struct buf b;
	uint32_t cp;
	size_t len;
	char *out;

	buf_init(&b, 8 * n + 1);
	for (; n > 0; s += len, n -= len) {
		len = str_char(s, n, &cp);
		if (len == 0 || cp < ' ' || (cp >= 0x7f && cp < 0xa0) ||
		    (cp != ' ' && !str_is_name(s, len))) {
			len = len == 0 ? 1 : len;
			buf_addc(&b, '?');
		} else
			buf_add(&b, s, len);
	}
	out = xstrdup(buf_str(&b));
	buf_free(&b);
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
		cell = ctl_safe(texts[i], strlen(texts[i]));
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

void
ctl_print_done(
    const struct ctl *c, const char *const *pairs, const char *fmt, ...)
{
	struct json_writer w;
	struct buf b;
	va_list ap;

	if (!c->json) {
		va_start(ap, fmt);
		vprintf(fmt, ap);
		va_end(ap);
		putchar('\n');
		return;
	}
	buf_init(&b, CTL_JSON_MAX);
	json_start(&w, &b);
	json_object(&w);
	for (; *pairs != NULL; pairs += 2) {
		json_key(&w, pairs[0]);
		json_str(&w, pairs[1]);
	}
	json_object_end(&w);
	ctl_print_json(&b);
}

/* The rows of an answer on their way to be printed. */
struct ctl_rows {
	const struct ctl_column *columns;
	size_t n;
	struct ctl_table *table;
	struct json_writer *json;
};

#define CTL_TEXTS_MAX 64

/* Those of an array, with commas between. */
static const char *
ctl_texts(
    struct pool *pool, const struct db_result *r, size_t row, unsigned col)
{
	struct slice v[CTL_TEXTS_MAX];
	size_t i, n = db_texts(r, row, col, v, NELEM(v));
	const char *text = "";

	for (i = 0; i < n; i++)
		text = pool_printf(pool, "%s%s" SLICE_FMT, text,
		    i > 0 ? "," : "", SLICE_ARG(v[i]));
	return n > 0 ? text : "-";
}

static void
ctl_write_texts(
    struct json_writer *w, const struct db_result *r, size_t row, unsigned col)
{
	struct slice v[CTL_TEXTS_MAX];
	size_t i, n = db_texts(r, row, col, v, NELEM(v));

	json_array(w);
	for (i = 0; i < n; i++)
		json_strn(w, v[i].p, v[i].n);
	json_array_end(w);
}

/* A value as text of the pool; "-" where there is none. */
static const char *
ctl_value(struct pool *pool, const struct db_result *r, size_t row,
    const struct ctl_column *col)
{
	char text[2 * CRYPTO_KEY_LEN + 1];
	struct slice s;
	struct id id;
	int64_t v;

	if (db_null(r, row, col->at))
		return "-";
	switch (col->type) {
	case CTL_TEXT:
		s = db_text(r, row, col->at);
		return s.n > 0 ? pool_strndup(pool, s.p, s.n) : "-";
	case CTL_TEXTS:
		return ctl_texts(pool, r, row, col->at);
	case CTL_INT:
		return pool_printf(pool, "%" PRId64, db_int(r, row, col->at));
	case CTL_BOOL:
		return db_bool(r, row, col->at) ? "yes" : "no";
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
	case CTL_STATUS:
		v = db_int(r, row, col->at);
		return v >= STATUS_IDLE && v <= STATUS_DND ? table_statuses[v]
							   : "-";
	case CTL_WORKER:
		return pool_printf(pool, "%u",
		    SESSION_REF_PROC((uint64_t)db_int(r, row, col->at)) + 1);
	}
	return "-";
}

void
ctl_write_row(struct json_writer *w, const struct db_result *r, size_t row,
    const struct ctl_column *columns, size_t n)
{
	const struct ctl_column *col;
	struct slice text;
	struct pool pool;

	pool_init(&pool);
	for (col = columns; col < columns + n; col++) {
		json_key(w, col->key);
		if (db_null(r, row, col->at))
			json_null(w);
		else if (col->type == CTL_INT)
			json_num(w, db_int(r, row, col->at));
		else if (col->type == CTL_BOOL)
			json_bool(w, db_bool(r, row, col->at));
		else if (col->type == CTL_TEXTS)
			ctl_write_texts(w, r, row, col->at);
		else if (col->type == CTL_WORKER)
			json_num(w, SESSION_REF_PROC(
					(uint64_t)db_int(r, row, col->at)) +
					1);
		else if (col->type == CTL_TEXT) {
			text = db_text(r, row, col->at);
			json_strn(w, text.p, text.n);
		} else
			json_str(w, ctl_value(&pool, r, row, col));
	}
	pool_free(&pool);
}

void
ctl_print_row(const struct db_result *r, size_t row,
    const struct ctl_column *columns, size_t n)
{
	bool terminal = isatty(STDOUT_FILENO);
	const struct ctl_column *col;
	struct pool pool;
	const char *value;
	char *safe;

	pool_init(&pool);
	for (col = columns; col < columns + n; col++) {
		value = ctl_value(&pool, r, row, col);
		safe = ctl_safe(value, strlen(value));
		if (terminal)
			printf("%-17s%s\n", col->heading, safe);
		else
			printf("%s\t%s\n", col->heading, safe);
		free(safe);
	}
	pool_free(&pool);
}

static void
ctl_rows(void *arg, const struct db_result *r)
{
	struct ctl_rows *rows = arg;
	const char *cells[CTL_COLUMNS_MAX];
	struct pool pool;
	size_t row, i;

	for (row = 0; row < db_rows(r); row++) {
		if (rows->json != NULL) {
			json_object(rows->json);
			ctl_write_row(
			    rows->json, r, row, rows->columns, rows->n);
			json_object_end(rows->json);
			continue;
		}
		pool_init(&pool);
		for (i = 0; i < rows->n; i++)
			cells[i] = ctl_value(&pool, r, row, &rows->columns[i]);
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
