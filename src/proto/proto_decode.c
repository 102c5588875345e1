/* SPDX-License-Identifier: ISC */
/*
 * Decoding: the fields of a descriptor are looked for in a JSON object, and
 * put into its struct.  Every limit that a descriptor names is checked here,
 * before the operation sees anything.
 *
 * A key that is no field is passed over: older and newer clients send more
 * than we know.  A field that is there twice is refused, because two readers
 * might not agree which one counts.  null is the same as absent, but for a
 * field that takes any value.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/proto.h"

struct decode {
	struct request *request;
	const struct json *json;
};

typedef enum err decode_fn(
    struct decode *d, const struct field *f, size_t i, void *out);

/* An error was in this part of what is being looked at; returns it. */
static enum err
decode_at(struct request *r, enum err e, const char *part)
{
	r->error_at = pool_printf(
	    &r->pool, "/%s%s", part, r->error_at != NULL ? r->error_at : "");
	return e;
}

static enum err
decode_at_item(struct request *r, enum err e, size_t i)
{
	char part[32];

	snprintf(part, sizeof(part), "%zu", i);
	return decode_at(r, e, part);
}

static enum err
decode_expects(struct decode *d, const struct field *f, const char *what)
{
	return op_error(
	    d->request, ERR_MALFORMED, "%s must be %s.", f->name, what);
}

/* The greatest that may be: what the field says, or a lower option. */
static int64_t
decode_max(const struct decode *d, const struct field *f)
{
	unsigned limit = FIELD_LIMIT_OF(f->flags);
	int64_t max;

	if (limit == LIMIT_NONE)
		return f->max;
	max = d->request->core->limits.fields[limit];
	return max < f->max ? max : f->max;
}

/* Copies the text of a string node; refuses NUL, which no text may have. */
static enum err
decode_text(struct decode *d, const struct field *f, size_t i,
    struct slice *out, int64_t min, int64_t max)
{
	const struct json_node *n = &d->json->nodes[i];
	char *text;

	if (n->type != JSON_STRING)
		return decode_expects(d, f, "a string");
	if (n->n / 6 > (uint64_t)max)
		return op_error(d->request, ERR_TOO_BIG,
		    "%s is longer than %" PRId64 " bytes.", f->name, max);
	text = pool_alloc(&d->request->pool, n->n + 1);
	if (n->escaped)
		out->n = json_unescape(n, text);
	else
		memcpy(text, n->p, out->n = n->n);
	text[out->n] = '\0';
	out->p = text;
	if ((int64_t)out->n > max)
		return op_error(d->request, ERR_TOO_BIG,
		    "%s is longer than %" PRId64 " bytes.", f->name, max);
	if ((int64_t)out->n < min)
		return out->n == 0
			   ? decode_expects(d, f, "not empty")
			   : op_error(d->request, ERR_MALFORMED,
				 "%s is shorter than %" PRId64 " bytes.",
				 f->name, min);
	if (n->escaped && memchr(text, '\0', out->n) != NULL)
		return decode_expects(d, f, "text without \\u0000");
	return ERR_NONE;
}

static enum err
decode_str(struct decode *d, const struct field *f, size_t i, void *out)
{
	return decode_text(d, f, i, out, f->min, decode_max(d, f));
}

static enum err
decode_name(struct decode *d, const struct field *f, size_t i, void *out)
{
	struct slice *s = out;
	enum err e;

	if ((e = decode_text(d, f, i, s, f->min, decode_max(d, f))) != ERR_NONE)
		return e;
	if (s->n > 0 && !str_is_name(s->p, s->n))
		return decode_expects(d, f,
		    "a name: no control or invisible characters, no space at "
		    "either end");
	return ERR_NONE;
}

static enum err
decode_enum(struct decode *d, const struct field *f, size_t i, void *out)
{
	const struct json_node *n = &d->json->nodes[i];
	char list[256] = "";
	size_t k, at = 0;

	for (k = 0; n->type == JSON_STRING && f->names[k] != NULL; k++)
		if (json_is(n, f->names[k])) {
			*(int *)out = (int)k;
			return ERR_NONE;
		}
	for (k = 0; f->names[k] != NULL && at < sizeof(list); k++)
		at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s",
		    k > 0 ? ", " : "", f->names[k]);
	return op_error(
	    d->request, ERR_MALFORMED, "%s must be one of %s.", f->name, list);
}

static enum err
decode_hex(struct decode *d, const struct field *f, size_t i, void *out,
    size_t size, const char *what)
{
	const struct json_node *n = &d->json->nodes[i];

	if (n->type != JSON_STRING || crypto_unhex(out, size, n->p, n->n) != 0)
		return decode_expects(d, f, what);
	return ERR_NONE;
}

static enum err
decode_key(struct decode *d, const struct field *f, size_t i, void *out)
{
	return decode_hex(
	    d, f, i, out, CRYPTO_KEY_LEN, "64 hex chars (32 bytes)");
}

static enum err
decode_sig(struct decode *d, const struct field *f, size_t i, void *out)
{
	return decode_hex(
	    d, f, i, out, CRYPTO_SIG_LEN, "128 hex chars (64 bytes)");
}

static enum err
decode_id(struct decode *d, const struct field *f, size_t i, void *out)
{
	return decode_hex(d, f, i, out, ID_LEN, "an id of 32 hex digits");
}

static enum err
decode_int(struct decode *d, const struct field *f, size_t i, void *out)
{
	const struct json_node *n = &d->json->nodes[i];
	int64_t *v = out;

	if (n->type != JSON_NUMBER || json_int(n, v) != 0)
		return decode_expects(d, f, "a whole number");
	if (f->flags & FIELD_CLAMP &&
	    d->request->client->calls->hides & FIELD_MESH)
		*v = *v < f->min ? f->min : *v > f->max ? f->max : *v;
	if (*v < f->min || *v > f->max)
		return op_error(d->request, ERR_MALFORMED,
		    "%s must be between %" PRId64 " and %" PRId64 ".", f->name,
		    f->min, f->max);
	return ERR_NONE;
}

static enum err
decode_bool(struct decode *d, const struct field *f, size_t i, void *out)
{
	uint8_t type = d->json->nodes[i].type;

	if (type != JSON_TRUE && type != JSON_FALSE)
		return decode_expects(d, f, "true or false");
	*(bool *)out = type == JSON_TRUE;
	return ERR_NONE;
}

static enum err
decode_time(struct decode *d, const struct field *f, size_t i, void *out)
{
	const struct json_node *n = &d->json->nodes[i];

	if (n->type != JSON_STRING || clock_parse(n->p, n->n, out) != 0)
		return decode_expects(d, f, "a time as RFC 3339 writes it");
	return ERR_NONE;
}

/* The raw text of a value, its quotes included. */
static enum err
decode_json(struct decode *d, const struct field *f, size_t i, void *out)
{
	const struct json_node *n = &d->json->nodes[i];
	struct slice *s = out;
	size_t quotes = n->type == JSON_STRING;
	int64_t max = decode_max(d, f);

	s->n = n->n + 2 * quotes;
	if ((int64_t)s->n > max)
		return op_error(d->request, ERR_TOO_BIG,
		    "%s is longer than %" PRId64 " bytes.", f->name, max);
	s->p = pool_dup(&d->request->pool, n->p - quotes, s->n);
	return ERR_NONE;
}

/* Counts the items of an array against the limits. */
static enum err
decode_items(struct decode *d, const struct field *f, size_t i, size_t *n)
{
	const struct json_node *nodes = d->json->nodes;
	size_t k;

	if (nodes[i].type != JSON_ARRAY)
		return decode_expects(d, f, "an array");
	*n = 0;
	for (k = JSON_FIRST(i); k != nodes[i].end; k = nodes[k].end)
		(*n)++;
	if ((int64_t)*n > f->max)
		return op_error(d->request, ERR_TOO_BIG,
		    "%s has more than %" PRId64 " items.", f->name, f->max);
	if ((int64_t)*n < f->min)
		return decode_expects(d, f, "not empty");
	return ERR_NONE;
}

static enum err
decode_strs(struct decode *d, const struct field *f, size_t i, void *out)
{
	const struct json_node *nodes = d->json->nodes;
	struct list *list = out;
	struct slice *v;
	enum err e;
	size_t k, n;

	if ((e = decode_items(d, f, i, &n)) != ERR_NONE)
		return e;
	list->v = v = pool_zalloc(&d->request->pool, (n + 1) * sizeof(*v));
	list->n = n;
	for (k = JSON_FIRST(i); k != nodes[i].end; k = nodes[k].end, v++)
		if ((e = decode_text(d, f, k, v, f->type == F_TARGET,
			 FIELD_ELEMENT)) != ERR_NONE)
			return decode_at_item(d->request, e,
			    (size_t)(v - (struct slice *)list->v));
	return ERR_NONE;
}

static enum err
decode_target(struct decode *d, const struct field *f, size_t i, void *out)
{
	struct list *list = out;

	if (d->json->nodes[i].type == JSON_ARRAY)
		return decode_strs(d, f, i, out);
	if (d->json->nodes[i].type != JSON_STRING)
		return decode_expects(d, f, "a string or an array of strings");
	list->v = pool_zalloc(&d->request->pool, sizeof(struct slice));
	list->n = 1;
	return decode_text(d, f, i, list->v, 1, FIELD_ELEMENT);
}

static enum err
decode_row(struct decode *d, const struct field *f, size_t i, void *out)
{
	if (d->json->nodes[i].type != JSON_OBJECT)
		return decode_expects(d, f, "an object");
	return decode_object(d->request, d->json, i, f->rows, out);
}

static enum err
decode_rows(struct decode *d, const struct field *f, size_t i, void *out)
{
	const struct json_node *nodes = d->json->nodes;
	struct list *list = out;
	enum err e;
	size_t k, n;
	char *v;

	if ((e = decode_items(d, f, i, &n)) != ERR_NONE)
		return e;
	list->v = v = pool_zalloc(&d->request->pool, (n + 1) * f->row_size);
	list->n = n;
	for (k = JSON_FIRST(i); k != nodes[i].end;
	     k = nodes[k].end, v += f->row_size)
		if ((e = decode_row(d, f, k, v)) != ERR_NONE)
			return decode_at_item(d->request, e,
			    (size_t)(v - (char *)list->v) / f->row_size);
	return ERR_NONE;
}

static decode_fn *const decoders[] = {
	[F_STR] = decode_str,
	[F_NAME] = decode_name,
	[F_ENUM] = decode_enum,
	[F_KEY] = decode_key,
	[F_SIG] = decode_sig,
	[F_ID] = decode_id,
	[F_INT] = decode_int,
	[F_BOOL] = decode_bool,
	[F_TIME] = decode_time,
	[F_JSON] = decode_json,
	[F_STRS] = decode_strs,
	[F_TARGET] = decode_target,
	[F_ROWS] = decode_rows,
	[F_ROW] = decode_row,
};

static const struct field *
decode_find(
    const struct field *fields, const struct json_node *key, unsigned hides)
{
	const struct field *f;

	for (f = fields; f->type != F_END; f++)
		if (!(f->flags & hides) && json_is(key, f->name))
			return f;
	return NULL;
}

/* A value may have several names, of which one is enough. */
static bool
decode_has(const struct field *fields, uint64_t seen, const struct field *of)
{
	const struct field *f;

	for (f = fields; f->type != F_END; f++)
		if (seen & UINT64_C(1) << (f - fields) &&
		    f->offset == of->offset)
			return true;
	return false;
}

enum err
decode_object(struct request *r, const struct json *j, size_t i,
    const struct field *fields, void *out)
{
	struct decode d = { r, j };
	const struct json_node *nodes = j->nodes;
	const struct field *f;
	unsigned hides = r->client->calls->hides;
	uint64_t seen = 0, bit;
	size_t k;
	enum err e;

	for (k = JSON_FIRST(i); k != nodes[i].end; k = nodes[k + 1].end) {
		if ((f = decode_find(fields, &nodes[k], hides)) == NULL)
			continue;
		bit = UINT64_C(1) << (f - fields);
		if (seen & bit)
			return decode_at(r,
			    op_error(r, ERR_MALFORMED, "%s is there twice.",
				f->name),
			    f->name);
		if (nodes[k + 1].type == JSON_NULL && f->type != F_JSON)
			continue;
		seen |= bit;
		e = decoders[f->type](&d, f, k + 1, (char *)out + f->offset);
		if (e != ERR_NONE)
			return decode_at(r, e, f->name);
	}
	for (f = fields; f->type != F_END; f++) {
		if (f->flags & hides || decode_has(fields, seen, f))
			continue;
		if (f->flags & FIELD_REQUIRED)
			return decode_at(r,
			    op_error(
				r, ERR_MALFORMED, "%s is missing.", f->name),
			    f->name);
		if (f->flags & FIELD_ABSENT)
			*(int64_t *)(void *)((char *)out + f->offset) = -1;
	}
	return ERR_NONE;
}
