/* SPDX-License-Identifier: ISC */
/*
 * Range and If-Range (RFC 9110 14.2, 13.1.5): one range of bytes.  Of several
 * ranges, and of units that are not bytes, the header is ignored, as any
 * server may.
 */
#include <string.h>
#include <strings.h>

#include "net/net.h"

#define RANGE_UNIT "bytes="
#define RANGE_DIGITS_MAX 18

/* Takes digits; false: there are none.  No file has so many bytes that more of
 * them would matter. */
static bool
range_number(struct slice *s, uint64_t *n)
{
	size_t i;

	*n = 0;
	for (i = 0; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++) {
		if (i >= RANGE_DIGITS_MAX)
			*n = UINT64_MAX / 100;
		*n = *n * 10 + (uint64_t)(s->p[i] - '0');
	}
	s->p += i;
	s->n -= i;
	return i > 0;
}

/* "A-B", "A-" and "-N"; false: it is none of these. */
static bool
range_read(struct slice s, uint64_t size, uint64_t *from, uint64_t *end)
{
	uint64_t last;

	if (s.n > 0 && s.p[0] == '-') {
		s.p++;
		s.n--;
		if (!range_number(&s, &last) || s.n > 0)
			return false;
		*from = last < size ? size - last : 0;
		*end = last > 0 ? size : 0;
		return true;
	}
	if (!range_number(&s, from) || s.n == 0 || s.p[0] != '-')
		return false;
	s.p++;
	s.n--;
	*end = size;
	if (s.n == 0)
		return true;
	if (!range_number(&s, &last) || s.n > 0 || last < *from)
		return false;
	if (last < size)
		*end = last + 1;
	return true;
}

enum http_range
http_range(const struct http_request *r, uint64_t size, const char *etag,
    uint64_t *from, uint64_t *n)
{
	struct slice range = http_header(r, "range");
	struct slice if_range = http_header(r, "if-range");
	const size_t unit = strlen(RANGE_UNIT);
	uint64_t end;

	*from = 0;
	*n = size;
	if (range.n <= unit || strncasecmp(range.p, RANGE_UNIT, unit) != 0)
		return HTTP_RANGE_NONE;
	/* A weak tag or a date never matches. */
	if (if_range.p != NULL && (if_range.n != strlen(etag) ||
				      memcmp(if_range.p, etag, if_range.n)))
		return HTTP_RANGE_NONE;
	range.p += unit;
	range.n -= unit;
	if (!range_read(range, size, from, &end)) {
		*from = 0;
		return HTTP_RANGE_NONE;
	}
	if (*from >= end)
		return HTTP_RANGE_BAD;
	*n = end - *from;
	return HTTP_RANGE_PART;
}
