/* SPDX-License-Identifier: ISC */
/*
 * The journal of a mesh: what happened, in one order without gaps, each line
 * with a hash over itself and all lines before.  A line is written by the
 * transaction that does what it tells of; the database numbers and hashes it
 * (journal_write() in sql/), while it holds the mesh's journal.
 */
#include <string.h>

#include "core/channel.h"

#define JOURNAL_LINE_MAX ((size_t)1 << 20)

struct db_params *
journal_row(struct core *c, enum db_stmt stmt, const struct id *mesh, db_fn *fn,
    void *arg)
{
	struct db_params *p = db_row(c->journal, stmt, fn, arg);

	db_lock(p, mesh);
	return p;
}

void
journal_begin(struct journal_line *l, struct db_params *row)
{
	l->row = row;
	l->hole = SIZE_MAX;
	buf_init(&l->b, JOURNAL_LINE_MAX);
	json_start(&l->w, &l->b);
	json_object(&l->w);
}

void
journal_hole(struct journal_line *l, const char *key)
{
	json_key(&l->w, key);
	json_raw(&l->w, "", 0);
	l->hole = l->b.len;
}

void
journal_text(
    const struct journal_line *l, struct pool *pool, struct journal_text *t)
{
	const size_t head = l->hole == SIZE_MAX ? 0 : l->hole;

	t->head = (struct slice){ pool_dup(pool, l->b.data, head), head };
	t->tail.p = pool_printf(
	    pool, "%.*s}", (int)(l->b.len - head), l->b.data + head);
	t->tail.n = l->b.len - head + 1;
}

struct id
journal_end(struct journal_line *l, int64_t k, const char *type)
{
	size_t head = l->hole == SIZE_MAX ? 0 : l->hole;
	struct id id;

	json_object_end(&l->w);
	if (l->b.failed)
		fatalx("a line of the journal of more than %zu bytes",
		    JOURNAL_LINE_MAX);
	id_new(&id);
	db_more(l->row);
	db_put_int(l->row, k);
	db_put_id(l->row, &id);
	db_put_str(l->row, type);
	if (l->hole != SIZE_MAX)
		db_put_text(l->row, l->b.data, head);
	db_put_text(l->row, l->b.data + head, l->b.len - head);
	buf_free(&l->b);
	return id;
}
