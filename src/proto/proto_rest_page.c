/* SPDX-License-Identifier: ISC */
/*
 * What an answer over HTTP says in its head of the pages of a list (RFC 8288)
 * and of what the caller may still ask for
 * (draft-ietf-httpapi-ratelimit-headers).
 */
#include <inttypes.h>
#include <string.h>

#include "proto/proto_rest.h"

#define PAGE_VALUE_MAX 8192

/* What a list says of its next page, and what to ask for it. */
static const struct {
	const char *next;
	const char *cursor;
} page_names[] = {
	{ "next_cursor", "cursor" },
	{ "next", "after" },
	{ "next", "afterSeq" },
	{ "next", "before" },
	{ "nextSeq", "fromSeq" },
};

static const struct field *
page_field(const struct field *f, const char *name)
{
	for (; f->type != F_END; f++)
		if (!(f->flags & FIELD_MESH) && strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

/* The field of an answer, and the key of the query, if it has those of a row of
 * the table. */
static const struct field *
page_next(const struct op *op, size_t i, const char **key)
{
	*key = page_names[i].cursor;
	return page_field(op->in, *key) != NULL
		   ? page_field(op->out, page_names[i].next)
		   : NULL;
}

/* What happens goes on: such a list says where also on its last page. */
static bool
page_is_last(const struct op *op, const void *out)
{
	const struct field *f = page_field(op->out, "more");

	return f != NULL &&
	       !*(const bool *)(const void *)((const char *)out + f->offset);
}

bool
rest_page_has(const struct op *op, const char *route)
{
	const char *key;
	size_t i;

	for (i = 0; i < NELEM(page_names); i++)
		if (page_next(op, i, &key) != NULL)
			return str_starts(route, "GET ");
	return false;
}

/* The query without a key, an & behind each part. */
static void
page_query(struct buf *b, struct slice query, const char *key)
{
	const char *p = query.p, *end = query.p + query.n, *part, *name;

	for (; p < end; p = part + 1) {
		part = memchr(p, '&', (size_t)(end - p));
		if (part == NULL)
			part = end;
		name = memchr(p, '=', (size_t)(part - p));
		if (p == part ||
		    http_query_is(
			(struct slice){
			    p, (size_t)((name != NULL ? name : part) - p) },
			key))
			continue;
		buf_add(b, p, (size_t)(part - p));
		buf_addc(b, '&');
	}
}

/* RFC 3986 2.3: what needs no escape. */
static void
page_escape(struct buf *b, struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		const uint8_t ch = (uint8_t)s.p[i];

		if ((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') ||
		    (ch >= 'A' && ch <= 'Z') || (ch && strchr("-._~", ch)))
			buf_addc(b, (char)ch);
		else
			buf_addf(b, "%%%02X", ch);
	}
}

/* What to ask for it; false: there is no next page. */
static bool
page_value(struct buf *b, const struct field *f, const void *out)
{
	const void *v = (const char *)out + f->offset;
	char hex[ID_HEX_LEN + 1];

	switch (f->type) {
	case F_STR:
		page_escape(b, *(const struct slice *)v);
		break;
	case F_ID:
		if (!id_is_null(v))
			buf_adds(b, id_hex(v, hex));
		break;
	case F_INT:
		if (*(const int64_t *)v > 0)
			buf_addf(b, "%" PRId64, *(const int64_t *)v);
		break;
	default:
		break;
	}
	return b->len > 0;
}

void
rest_page_header(struct buf *b, const struct op *op, struct slice path,
    struct slice query, const void *out)
{
	const struct field *f;
	const char *key;
	struct buf value;
	size_t i;

	if (page_is_last(op, out))
		return;
	buf_init(&value, PAGE_VALUE_MAX);
	for (i = 0; i < NELEM(page_names); i++) {
		f = page_next(op, i, &key);
		if (f != NULL && page_value(&value, f, out))
			break;
	}
	if (i == NELEM(page_names)) {
		buf_free(&value);
		return;
	}
	buf_adds(b, "Link: <");
	buf_add(b, path.p, path.n);
	buf_addc(b, '?');
	page_query(b, query, key);
	buf_addf(b, "%s=", key);
	buf_add(b, value.data, value.len);
	buf_free(&value);
	buf_adds(b, ">; rel=\"next\"\r\n");
}

void
rest_page_rates(struct buf *b, const struct request *r)
{
	struct rate_left left;

	if (!rate_left(r, &left))
		return;
	buf_addf(b,
	    "RateLimit-Policy: \"requests\";q=%" PRId64 ";w=%" PRId64 "\r\n"
	    "RateLimit: \"requests\";r=%" PRId64 ";t=%" PRId64 "\r\n",
	    left.burst, left.window_s, left.left, left.full_s);
}
