/* SPDX-License-Identifier: ISC */
/*
 * Bytes that grow up to a ceiling.  After one add has failed all further adds
 * are ignored, so that the content is always a prefix of what was meant and
 * never has a hole.  The memory may be one byte larger than the ceiling: that
 * byte is for the NUL, which is no content.
 */
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_MIN 64

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void
buf_free(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max);
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

/* Memory for n more bytes of content and `extra` that are none. */
static bool
buf_room(struct buf *b, size_t n, size_t extra)
{
	size_t need, cap;
	char *data;

	if (b->failed)
		return false;
	if (b->max - b->len < n || SIZE_MAX - b->len - n < extra) {
		b->failed = true;
		return false;
	}
	need = b->len + n + extra;
	if (need <= b->cap)
		return true;
	cap = b->cap < SIZE_MAX / 2 ? b->cap * 2 : SIZE_MAX;
	if (cap > b->max)
		cap = b->max;
	if (cap < BUF_MIN && b->max >= BUF_MIN)
		cap = BUF_MIN;
	if (cap < need)
		cap = need;
	data = realloc(b->data, cap);
	if (data == NULL) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->cap = cap;
	return true;
}

char *
buf_reserve(struct buf *b, size_t n)
{
	/* A reservation of nothing in an empty buf still is no failure. */
	if (!buf_room(b, n, n == 0))
		return NULL;
	return b->data + b->len;
}

void
buf_add(struct buf *b, const void *p, size_t n)
{
	if (n == 0 || !buf_room(b, n, 0))
		return;
	memcpy(b->data + b->len, p, n);
	b->len += n;
}

void
buf_addc(struct buf *b, char c)
{
	if (!buf_room(b, 1, 0))
		return;
	b->data[b->len++] = c;
}

void
buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	size_t room;
	int n;

	if (b->failed)
		return;
	room = b->cap - b->len;
	va_start(ap, fmt);
	n = vsnprintf(room != 0 ? b->data + b->len : NULL, room, fmt, ap);
	va_end(ap);
	if (n < 0 || !buf_room(b, (size_t)n, 1)) {
		b->failed = true;
		return;
	}
	if ((size_t)n >= room) {
		va_start(ap, fmt);
		vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)n;
}

void
buf_add16(struct buf *b, uint16_t v)
{
	uint8_t be[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	buf_add(b, be, sizeof(be));
}

void
buf_add32(struct buf *b, uint32_t v)
{
	uint8_t be[4];
	size_t i;

	for (i = 0; i < sizeof(be); i++)
		be[i] = (uint8_t)(v >> (24 - 8 * i));
	buf_add(b, be, sizeof(be));
}

void
buf_add64(struct buf *b, uint64_t v)
{
	uint8_t be[8];
	size_t i;

	for (i = 0; i < sizeof(be); i++)
		be[i] = (uint8_t)(v >> (56 - 8 * i));
	buf_add(b, be, sizeof(be));
}

void
buf_drain(struct buf *b, size_t n)
{
	if (n >= b->len) {
		b->len = 0;
		return;
	}
	if (n == 0)
		return;
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}

const char *
buf_str(struct buf *b)
{
	if (!buf_room(b, 0, 1))
		return NULL;
	b->data[b->len] = '\0';
	return b->data;
}
