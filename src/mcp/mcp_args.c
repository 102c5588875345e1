/* SPDX-License-Identifier: ISC */
/*
 * Arguments of tools: checked, and made the fields of an operation.
 *
 * An agent that reads what is wrong with its arguments mends them; so each
 * sentence says what would be right.  What only the broker can know, such as
 * limits that it was configured with, is left to the broker.
 */
#include "mcp/mcp_request.h"

#include <string.h>

#define ARGS_NAMES 32

static const char *
args_list(struct pool *p, const char *const *names)
{
	const char *list = "";
	size_t i;

	for (i = 0; names[i] != NULL; i++)
		list =
		    pool_printf(p, "%s%s%s", list, i > 0 ? ", " : "", names[i]);
	return list;
}

static const struct mcp_field *
args_field(const struct mcp_tool *t, const struct json_node *key)
{
	const struct mcp_field *f;

	for (f = t->in; f->type != M_END; f++)
		if (json_is(key, f->name))
			return f;
	return NULL;
}

static const char *
args_unknown(
    struct pool *p, const struct mcp_tool *t, const struct json_node *key)
{
	const char *names[ARGS_NAMES + 1], *near, *name;
	size_t n = 0;

	for (; t->in[n].type != M_END && n < ARGS_NAMES; n++)
		names[n] = t->in[n].name;
	names[n] = NULL;
	name = mcp_json_text(p, key);
	if (name == NULL || n == 0)
		return pool_printf(p, "%s takes %s%s.", t->name,
		    n > 0 ? "only these arguments: " : "no arguments",
		    args_list(p, names));
	near = str_nearest(name, names);
	return pool_printf(p,
	    "%s has no argument \"%.100s\"%s%s%s. It takes: %s.", t->name, name,
	    near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
	    near != NULL ? "\"?" : "", args_list(p, names));
}

/* What is wrong with a text, with {NULL, 0} for the name of an item. */
static const char *
args_text(struct pool *p, const struct mcp_field *f, const char *what,
    const struct json_node *v, int64_t min, int64_t max)
{
	const char *s;
	size_t n;

	if (v->type != JSON_STRING)
		return pool_printf(p, "%s must be a text.", what);
	if ((s = mcp_json_text(p, v)) == NULL)
		return pool_printf(p, "%s must not contain U+0000.", what);
	n = strlen(s);
	if ((int64_t)n < min)
		return pool_printf(
		    p, "%s must not be empty. %s", what, f->text);
	if (max > 0 && (int64_t)n > max)
		return pool_printf(p,
		    "%s has %zu bytes, and may have %lld: shorten it.", what, n,
		    (long long)max);
	return NULL;
}

static const char *
args_id(struct pool *p, const char *what, const struct json_node *v)
{
	struct id id;

	if (v->type == JSON_STRING && id_parse(&id, v->p, v->n) == 0)
		return NULL;
	return pool_printf(p,
	    "%s must be an id of 32 hex digits, as another tool gave it.",
	    what);
}

/* An array of texts or ids, or with `one` also a single one. */
static const char *
args_texts(struct pool *p, const struct mcp_field *f, const struct json *j,
    size_t at, bool one, bool ids)
{
	const struct json_node *v = &j->nodes[at];
	const char *what, *problem;
	size_t i;
	int64_t n = 0;

	if (one && v->type == JSON_STRING)
		return ids ? args_id(p, f->name, v)
			   : args_text(p, f, f->name, v, 1, 4096);
	if (v->type != JSON_ARRAY)
		return pool_printf(p, "%s must be %san array of texts.",
		    f->name, one ? "a text or " : "");
	for (i = JSON_FIRST(at); i < v->end; i = j->nodes[i].end) {
		what = pool_printf(p, "%s[%lld]", f->name, (long long)n++);
		problem = ids ? args_id(p, what, &j->nodes[i])
			      : args_text(p, f, what, &j->nodes[i], 1, 4096);
		if (problem != NULL)
			return problem;
	}
	if (n < f->min)
		return pool_printf(
		    p, "%s must not be empty. %s", f->name, f->text);
	if (f->max > 0 && n > f->max)
		return pool_printf(p, "%s has %lld items, and may have %lld.",
		    f->name, (long long)n, (long long)f->max);
	return NULL;
}

static const char *
args_number(
    struct pool *p, const struct mcp_field *f, const struct json_node *v)
{
	int64_t n;

	if (v->type == JSON_NUMBER && json_int(v, &n) == 0 && n >= f->min &&
	    n <= f->max)
		return NULL;
	return pool_printf(p, "%s must be a whole number from %lld to %lld.",
	    f->name, (long long)f->min, (long long)f->max);
}

static const char *
args_enum(struct pool *p, const struct mcp_field *f, const struct json_node *v)
{
	size_t i;

	for (i = 0; v->type == JSON_STRING && f->names[i] != NULL; i++)
		if (json_is(v, f->names[i]))
			return NULL;
	return pool_printf(
	    p, "%s must be one of: %s.", f->name, args_list(p, f->names));
}

static const char *
args_time(struct pool *p, const struct mcp_field *f, const struct json_node *v)
{
	int64_t ms;

	if (v->type == JSON_STRING && clock_parse(v->p, v->n, &ms) == 0)
		return NULL;
	return pool_printf(p,
	    "%s must be a time as RFC 3339 writes it, with its offset from "
	    "UTC: 2026-11-24T09:00:00Z.",
	    f->name);
}

static const char *
args_value(
    struct pool *p, const struct mcp_field *f, const struct json *j, size_t at)
{
	const struct json_node *v = &j->nodes[at];

	switch (f->type) {
	case M_TEXT:
	case M_FILE:
		return args_text(p, f, f->name, v, f->min, f->max);
	case M_ID:
		return args_id(p, f->name, v);
	case M_IDS:
		return args_texts(p, f, j, at, true, true);
	case M_TARGET:
		return args_texts(p, f, j, at, true, false);
	case M_TEXTS:
	case M_FILES:
		return args_texts(p, f, j, at, false, false);
	case M_INT:
	case M_DELAY:
	case M_SECONDS:
		return args_number(p, f, v);
	case M_ENUM:
		return args_enum(p, f, v);
	case M_TIME:
	case M_MS:
		return args_time(p, f, v);
	case M_BOOL:
	case M_FLAG:
		return v->type == JSON_TRUE || v->type == JSON_FALSE
			   ? NULL
			   : pool_printf(
				 p, "%s must be true or false.", f->name);
	default:
		return NULL;
	}
}

/* The value of an argument; 0: it is not there.  null is no value, but where
 * any JSON may stand. */
static size_t
args_get(const struct json *j, size_t at, const struct mcp_field *f)
{
	size_t v = at != 0 ? json_get(j, at, f->name) : 0;

	return v != 0 && j->nodes[v].type == JSON_NULL && f->type != M_JSON ? 0
									    : v;
}

/* Arguments that are missing, or do not go together. */
static const char *
args_together(
    struct pool *p, const struct mcp_tool *t, const struct json *j, size_t at)
{
	const struct mcp_field *f, *g;
	size_t i;

	for (f = t->in; f->type != M_END; f++) {
		if (f->flags & M_REQUIRED && args_get(j, at, f) == 0)
			return pool_printf(
			    p, "%s is missing. %s", f->name, f->text);
		for (g = t->in; g < f; g++)
			if (f->as != NULL && g->as != NULL &&
			    strcmp(f->as, g->as) == 0 &&
			    args_get(j, at, f) != 0 && args_get(j, at, g) != 0)
				return pool_printf(p,
				    "Give %s or %s, not both.", g->name,
				    f->name);
	}
	if (t->need == NULL)
		return NULL;
	for (i = 0; t->need[i] != NULL; i++)
		if (at != 0 && json_get(j, at, t->need[i]) != 0)
			return NULL;
	return pool_printf(
	    p, "One of these is needed: %s.", args_list(p, t->need));
}

const char *
mcp_args_check(
    struct pool *p, const struct mcp_tool *t, const struct json *j, size_t at)
{
	const struct mcp_field *f;
	const char *problem;
	size_t i;

	if (at != 0 && j->nodes[at].type != JSON_OBJECT)
		return "The arguments of a tool are a JSON object.";
	for (i = JSON_FIRST(at); at != 0 && i < j->nodes[at].end;
	     i = j->nodes[i + 1].end)
		if (args_field(t, &j->nodes[i]) == NULL)
			return args_unknown(p, t, &j->nodes[i]);
	for (f = t->in; f->type != M_END; f++) {
		i = args_get(j, at, f);
		if (i != 0 && (problem = args_value(p, f, j, i)) != NULL)
			return problem;
	}
	return args_together(p, t, j, at);
}

static void
args_put(struct json_writer *w, const struct mcp_field *f, const struct json *j,
    size_t at)
{
	const struct json_node *v = &j->nodes[at];
	struct slice raw = mcp_json_raw(j, at);
	int64_t n;

	json_key(w, f->as);
	switch (f->type) {
	case M_MS:
		if (clock_parse(v->p, v->n, &n) != 0)
			fatalx("a time that is none");
		json_num(w, n);
		break;
	case M_DELAY:
	case M_SECONDS:
		if (json_int(v, &n) != 0)
			fatalx("a number that is none");
		n *= 1000;
		json_num(w, f->type == M_DELAY ? clock_wall() + n : n);
		break;
	case M_FLAG:
		json_str(w, f->names[0]);
		break;
	default:
		json_raw(w, raw.p, raw.n);
	}
}

void
mcp_args_fields(
    struct buf *out, const struct mcp_tool *t, const struct json *j, size_t at)
{
	const struct mcp_field *f;
	struct json_writer w;
	size_t v;

	json_start(&w, out);
	for (f = t->in; f->type != M_END; f++) {
		if (f->as == NULL || f->type == M_FILE || f->type == M_FILES)
			continue;
		v = args_get(j, at, f);
		if (v != 0 &&
		    (f->type != M_FLAG || j->nodes[v].type == JSON_TRUE))
			args_put(&w, f, j, v);
		else if (strcmp(f->as, "limit") == 0) {
			json_key(&w, "limit");
			json_num(&w, MCP_PAGE);
		}
	}
	if (buf_str(out) == NULL)
		fatalx("out of memory");
}
