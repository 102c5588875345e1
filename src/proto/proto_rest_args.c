/* SPDX-License-Identifier: ISC */
/*
 * What a request says in its path and its query, as the JSON object that an
 * operation takes: so there is one way in for both.
 *
 * "GET /v1/files/{fileId}": a name in braces stands for one part of the path,
 * and is a field of the operation; the other fields are in the query, or in the
 * body where there is one.  Lists have commas between.
 */
#include <string.h>

#include "proto/proto_rest.h"

/* The part of a path from p on. */
static struct slice
args_part(const char *p, const char *end)
{
	const char *slash = memchr(p, '/', (size_t)(end - p));

	return (struct slice){ p, (size_t)((slash != NULL ? slash : end) - p) };
}

/* Walks both; fn, if there is one, gets what stands for each name. */
static bool
args_walk(const char *route, struct slice path,
    bool (*fn)(void *arg, struct slice name, struct slice part), void *arg)
{
	const char *p = path.p, *end = path.p + path.n;
	struct slice part;
	size_t n;

	while (*route != '\0' && p < end) {
		if (*route != '{') {
			if (*route++ != *p++)
				return false;
			continue;
		}
		n = strcspn(route, "}");
		part = args_part(p, end);
		if (part.n == 0)
			return false;
		if (fn != NULL &&
		    !fn(arg, (struct slice){ route + 1, n - 1 }, part))
			return false;
		route += n + 1;
		p += part.n;
	}
	return *route == '\0' && p == end;
}

bool
rest_args_match(const char *route, struct slice path)
{
	return args_walk(route, path, NULL, NULL);
}

struct args {
	struct json_writer w;
	const struct op *op;
	const char *route;
	struct pool *pool;
	const struct field *bad; /* it cannot be read */
};

static const struct field *
args_field(const struct op *op, struct slice name)
{
	const struct field *f;

	for (f = op->in; f->type != F_END; f++)
		if (!(f->flags & FIELD_MESH) && strlen(f->name) == name.n &&
		    memcmp(f->name, name.p, name.n) == 0)
			return f;
	return NULL;
}

/* Digits, perhaps with a sign: what is no number stays a text, which the
 * decoder refuses by its name. */
static bool
args_is_number(struct slice v)
{
	size_t i = v.n > 0 && v.p[0] == '-';

	if (i == v.n || v.n > 20 || (v.p[i] == '0' && v.n > i + 1))
		return false;
	for (; i < v.n; i++)
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
	return true;
}

static bool
args_is_bool(struct slice v)
{
	return (v.n == 4 && memcmp(v.p, "true", 4) == 0) ||
	       (v.n == 5 && memcmp(v.p, "false", 5) == 0);
}

static void
args_list(struct json_writer *w, struct slice v)
{
	const char *comma;
	size_t n;

	json_array(w);
	while (v.n > 0) {
		comma = memchr(v.p, ',', v.n);
		n = comma != NULL ? (size_t)(comma - v.p) : v.n;
		json_strn(w, v.p, n);
		n += comma != NULL;
		v.p += n;
		v.n -= n;
	}
	json_array_end(w);
}

static void
args_put(struct args *a, const struct field *f, struct slice v)
{
	if (!str_utf8(v.p, v.n)) {
		a->bad = f;
		return;
	}
	json_key(&a->w, f->name);
	if ((f->type == F_INT && args_is_number(v)) ||
	    (f->type == F_BOOL && args_is_bool(v)))
		json_raw(&a->w, v.p, v.n);
	else if (f->type == F_STRS)
		args_list(&a->w, v);
	else
		json_strn(&a->w, v.p, v.n);
}

static bool
args_from_path(void *arg, struct slice name, struct slice part)
{
	struct args *a = arg;
	const struct field *f = args_field(a->op, name);
	char *text;
	size_t n;

	if (f == NULL)
		fatalx(
		    "%s has no field of its route %s", a->op->name, a->route);
	text = pool_alloc(a->pool, part.n + 1);
	n = http_path_text(part, text);
	args_put(a, f, (struct slice){ text, n });
	return true;
}

static bool
args_in_route(const char *route, const struct field *f)
{
	const char *at = strchr(route, '{');
	size_t n = strlen(f->name);

	for (; at != NULL; at = strchr(at + 1, '{'))
		if (strncmp(at + 1, f->name, n) == 0 && at[n + 1] == '}')
			return true;
	return false;
}

bool
rest_args_is_id(const struct op *op, const char *route, const char *at)
{
	const struct field *f;

	for (f = op->in; at != NULL && f->type != F_END; f++)
		if (f->type == F_ID && strcmp(f->name, at + 1) == 0)
			return args_in_route(route, f);
	return false;
}

const char *
rest_args(const struct op *op, const char *route, const struct http_request *h,
    struct pool *pool, struct slice *out)
{
	struct args a = { .op = op, .route = route, .pool = pool };
	bool query = str_starts(route, "GET ") || str_starts(route, "DELETE ");
	char *value = pool_alloc(pool, h->query.n + 1);
	const struct field *f;
	struct buf b;
	ptrdiff_t n;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&a.w, &b);
	json_object(&a.w);
	(void)args_walk(strchr(route, ' ') + 1, h->path, args_from_path, &a);
	for (f = op->in; query && f->type != F_END; f++) {
		if (f->flags & FIELD_MESH || args_in_route(route, f))
			continue;
		n = http_query(h, f->name, value, h->query.n + 1);
		if (http_query_count(h, f->name) > (n >= 0))
			a.bad = f;
		else if (n >= 0)
			args_put(&a, f, (struct slice){ value, (size_t)n });
	}
	json_object_end(&a.w);
	if (b.failed)
		fatalx("out of memory");
	*out = (struct slice){ pool_dup(pool, b.data, b.len), b.len };
	buf_free(&b);
	return a.bad != NULL ? a.bad->name : NULL;
}

struct slice
rest_args_merge(struct slice a, struct slice b, struct pool *pool)
{
	char *s = pool_alloc(pool, a.n + b.n + 1);
	size_t n = a.n - 1;

	while (*b.p != '{') {
		b.p++;
		b.n--;
	}
	do {
		b.p++;
		b.n--;
	} while (strchr(" \t\r\n", *b.p) != NULL);
	memcpy(s, a.p, n);
	if (*b.p != '}')
		s[n++] = ',';
	memcpy(s + n, b.p, b.n);
	return (struct slice){ s, n + b.n };
}
