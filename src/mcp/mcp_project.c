/* SPDX-License-Identifier: ISC */
/*
 * What an agent gets of an answer: the members that the tool's row names,
 * under their names there, and of lists a page.  So a result is what its
 * schema says, whatever the broker answers beside it.
 *
 * A page ends after so many rows, or when it has become too large for an
 * agent's context; it has one row at least.
 */
#include "mcp/mcp_request.h"

#include <stdio.h>
#include <string.h>

#define PROJECT_CUT 500 /* bytes that are left of a text on a full page */

struct project {
	struct json_writer *w;
	const struct json *j;
	const struct mcp_page *page; /* of the rows at the top, or NULL */
	size_t begin;		     /* of the result, in w->b */
	size_t last;		     /* the last row of the page, or 0 */
	size_t nrows;
	bool more;
};

static bool
project_is_full(const struct project *p)
{
	return p->w->b->len - p->begin >= MCP_PAGE_BYTES;
}

static void
project_raw(struct project *p, size_t at)
{
	struct slice raw = mcp_json_raw(p->j, at);

	json_raw(p->w, raw.p, raw.n);
}

/* A text, of which only the beginning fits. */
static void
project_cut(struct project *p, const struct json_node *v)
{
	struct pool pool;
	uint32_t cp;
	size_t n, len, i = 0;
	char *s;

	pool_init(&pool);
	s = pool_alloc(&pool, v->n + 1);
	n = json_unescape(v, s);
	while (
	    i < n && i < PROJECT_CUT && (len = str_char(s + i, n - i, &cp)) > 0)
		i += len;
	json_strn(p->w, s, i);
	pool_free(&pool);
	if (i < n) {
		json_key(p->w, "cut");
		json_bool(p->w, true);
	}
}

static void project_object(
    struct project *p, const struct mcp_field *fields, size_t at);

static void
project_row(struct project *p, const struct mcp_field *f, size_t at)
{
	json_object(p->w);
	project_object(p, f->rows, at);
	json_object_end(p->w);
}

/* The rows of the list that has pages. */
static void
project_page(struct project *p, const struct mcp_field *f, size_t at)
{
	const struct json_node *v = &p->j->nodes[at];
	size_t i, n = 0;

	for (i = JSON_FIRST(at); i < v->end; i = p->j->nodes[i].end, n++) {
		if (p->page->paging == PAGE_OFFSET && n < p->page->offset)
			continue;
		if (p->nrows > 0 && p->page->paging != PAGE_THERE &&
		    (p->nrows == p->page->limit || project_is_full(p))) {
			p->more = true;
			break;
		}
		project_row(p, f, i);
		p->last = i;
		p->nrows++;
	}
}

static void
project_rows(struct project *p, const struct mcp_field *f, size_t at)
{
	const struct json_node *v = &p->j->nodes[at];
	size_t i;

	json_array(p->w);
	if (p->page != NULL && p->page->paging != PAGE_NONE && v->depth == 1)
		project_page(p, f, at);
	else
		for (i = JSON_FIRST(at); i < v->end; i = p->j->nodes[i].end)
			project_row(p, f, i);
	json_array_end(p->w);
}

/* Where the next page begins, if there is one. */
static void
project_next(struct project *p, size_t at)
{
	size_t v = 0;
	char number[24];

	if (p->page == NULL)
		return;
	if (p->more && p->page->paging == PAGE_OFFSET) {
		snprintf(
		    number, sizeof(number), "%zu", p->page->offset + p->nrows);
		json_key(p->w, "next");
		json_str(p->w, number);
		return;
	}
	if (p->more &&
	    (p->page->paging == PAGE_KEYS || p->page->paging == PAGE_IDS))
		v = json_get(
		    p->j, p->last, p->page->paging == PAGE_KEYS ? "key" : "id");
	else if (p->page->paging != PAGE_OFFSET)
		v = json_get(p->j, at, "next");
	if (v == 0 || p->j->nodes[v].type != JSON_STRING ||
	    p->j->nodes[v].n == 0)
		return;
	json_key(p->w, "next");
	project_raw(p, v);
}

static void
project_time(struct project *p, const struct json_node *v)
{
	char out[CLOCK_RFC3339_LEN + 1];
	int64_t ms;

	if (json_int(v, &ms) != 0)
		ms = 0;
	clock_format(ms, out);
	json_strn(p->w, out, CLOCK_RFC3339_LEN);
}

/* Has the value the type of the field? */
static bool
project_fits(const struct mcp_field *f, const struct json_node *v)
{
	int64_t n;

	switch (f->type) {
	case M_TEXT:
	case M_ID:
		return v->type == JSON_STRING;
	case M_TIME:
	case M_ENUM:
		return v->type == JSON_STRING && v->n > 0;
	case M_INT:
		return v->type == JSON_NUMBER && json_int(v, &n) == 0;
	case M_MS:
		return v->type == JSON_NUMBER && json_int(v, &n) == 0 && n > 0;
	case M_BOOL:
		return v->type == JSON_TRUE || v->type == JSON_FALSE;
	case M_TEXTS:
	case M_ROWS:
		return v->type == JSON_ARRAY;
	case M_IDS:
	case M_TARGET:
		return v->type == JSON_STRING || v->type == JSON_ARRAY;
	case M_ROW:
		return v->type == JSON_OBJECT;
	default:
		return true;
	}
}

/* What a member is that the answer does not have. */
static void
project_none(struct project *p, const struct mcp_field *f)
{
	json_key(p->w, f->name);
	switch (f->type) {
	case M_INT:
		json_num(p->w, 0);
		break;
	case M_BOOL:
		json_bool(p->w, false);
		break;
	case M_TEXTS:
	case M_ROWS:
		json_array(p->w);
		json_array_end(p->w);
		break;
	case M_JSON:
		json_null(p->w);
		break;
	case M_ENUM:
		json_str(p->w, f->names[0]);
		break;
	case M_TIME:
	case M_MS:
		json_str(p->w, "1970-01-01T00:00:00.000Z");
		break;
	default:
		json_str(p->w, "");
	}
}

/* Nothing that is not there is said, nor that a list or text is empty. */
static bool
project_is_empty(const struct json *j, size_t at)
{
	const struct json_node *v = &j->nodes[at];

	return v->type == JSON_NULL || (v->type == JSON_STRING && v->n == 0) ||
	       (v->type == JSON_ARRAY && JSON_FIRST(at) == v->end);
}

static void
project_member(struct project *p, const struct mcp_field *f, size_t at)
{
	size_t v = json_get(p->j, at, f->as);
	const struct json_node *node = &p->j->nodes[v];

	if (v == 0 || !project_fits(f, node)) {
		if (f->flags & M_REQUIRED)
			project_none(p, f);
		return;
	}
	if (!(f->flags & (M_REQUIRED | M_EMPTY)) && project_is_empty(p->j, v))
		return;
	json_key(p->w, f->name);
	switch (f->type) {
	case M_ROWS:
		project_rows(p, f, v);
		break;
	case M_ROW:
		project_row(p, f, v);
		break;
	case M_MS:
		project_time(p, node);
		break;
	default:
		if (f->flags & M_CUT && p->nrows > 0 && project_is_full(p))
			project_cut(p, node);
		else
			project_raw(p, v);
	}
}

static void
project_object(struct project *p, const struct mcp_field *fields, size_t at)
{
	const struct mcp_field *f;

	for (f = fields; f->type != M_END; f++)
		if (strcmp(f->name, "next") == 0)
			project_next(p, at);
		else if (f->as != NULL) /* else the tool itself says it */
			project_member(p, f, at);
}

void
mcp_project(struct json_writer *w, const struct mcp_field *fields,
    const struct json *j, size_t at, const struct mcp_page *page)
{
	struct project p = {
		.w = w,
		.j = j,
		.page = page,
		.begin = w->b->len,
	};

	project_object(&p, fields, at);
}
