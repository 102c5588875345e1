/* SPDX-License-Identifier: ISC */
/*
 * Versions over HTTP (RFC 9110 8.8.3 and 13.1): what has a version is answered
 * with it as its entity tag, and asked for or changed under a condition on it.
 * A condition in a header is the field ifVersion of the operation; that it does
 * not hold is 412.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/proto_rest.h"

static const struct field *
etag_field(const struct field *fields, const char *name)
{
	const struct field *f;

	for (f = fields; f != NULL && f->type != F_END; f++)
		if (f->type == F_INT && strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

/* "17", as it was answered; weak ones are none of ours. */
static bool
etag_parse(struct slice s, int64_t *version)
{
	char text[24];

	if (s.n < 3 || s.n - 2 >= sizeof(text) || s.p[0] != '"' ||
	    s.p[s.n - 1] != '"')
		return false;
	memcpy(text, s.p + 1, s.n - 2);
	text[s.n - 2] = '\0';
	return str_num(text, 0, INT64_MAX, version) == NULL;
}

static bool
etag_is_any(struct slice s)
{
	return s.n == 1 && s.p[0] == '*';
}

bool
rest_etag_known(struct slice known, const char *tag)
{
	const size_t n = strlen(tag);

	if (etag_is_any(known))
		return true;
	for (; known.n >= n; known.p++, known.n--)
		if (memcmp(known.p, tag, n) == 0)
			return true;
	return false;
}

void
rest_etag_read(struct rest_etag *e, const struct http_request *h, bool reads,
    struct pool *pool)
{
	struct slice match = http_header(h, "if-match");
	struct slice none = http_header(h, "if-none-match");

	*e = (struct rest_etag){ .condition = -1 };
	if (match.n > 0 && !etag_parse(match, &e->condition))
		e->bad = "If-Match is the ETag of an answer, as \"3\".";
	else if (match.n > 0)
		return;
	else if (reads)
		e->known = (struct slice){ pool_strndup(pool, none.p, none.n),
			none.n };
	else if (etag_is_any(none))
		e->condition = 0;
	else if (none.n > 0)
		e->bad = "If-None-Match is * where something is changed: only "
			 "if it is not there. If-Match has an ETag.";
}

enum err
rest_etag_decode(
    struct request *r, const struct op *op, void *in, struct rest_etag *e)
{
	const struct field *f = etag_field(op->in, "ifVersion");

	if (f == NULL) {
		e->condition = -1;
		return ERR_NONE;
	}
	if (e->bad != NULL)
		return op_error(r, ERR_MALFORMED, "%s", e->bad);
	if (e->condition != -1)
		*(int64_t *)(void *)((char *)in + f->offset) = e->condition;
	return ERR_NONE;
}

const char *
rest_etag_headers(struct request *r, const void *out, struct rest_etag *e)
{
	const struct field *f = etag_field(r->op->out, "version");
	const char *tag;

	if (f == NULL)
		return "";
	tag = pool_printf(&r->pool, "\"%" PRId64 "\"",
	    *(const int64_t *)(const void *)((const char *)out + f->offset));
	e->same = e->known.n > 0 && rest_etag_known(e->known, tag);
	return pool_printf(&r->pool, "ETag: %s\r\n", tag);
}
