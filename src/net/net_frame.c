/* SPDX-License-Identifier: ISC */
/*
 * Frames: what is sent, made once, shared by reference.  Header and payload
 * are contiguous, so that a recipient costs one iovec.  The references are
 * counted without atomics: a frame never leaves its process.
 */
#include <stdlib.h>
#include <string.h>

#include "net/net_conn.h"

/* RFC 6455 5.2: two bytes and eight of length; a server does not mask. */
#define FRAME_HEADER_MAX 10

/* Bytes of all frames that are large. */
static size_t frame_sum;

size_t
frame_large(void)
{
	return frame_sum;
}

struct frame *
frame_join(const void *p, size_t n, const void *q, size_t m)
{
	struct frame *f;

	if (n > UINT32_MAX || m > UINT32_MAX - n)
		fatalx("frame of %zu and %zu bytes", n, m);
	f = xmalloc(sizeof(*f) + n + m);
	f->refs = 1;
	f->len = (uint32_t)(n + m);
	if (f->len > FRAME_LARGE)
		frame_sum += f->len;
	if (n > 0)
		memcpy(f->data, p, n);
	if (m > 0)
		memcpy(f->data + n, q, m);
	return f;
}

struct frame *
frame_ws(enum ws_op op, const void *payload, size_t n)
{
	uint8_t head[FRAME_HEADER_MAX];
	size_t len = 0, i;

	head[len++] = 0x80 | (uint8_t)op;
	if (n < 126) {
		head[len++] = (uint8_t)n;
	} else if (n <= UINT16_MAX) {
		head[len++] = 126;
		head[len++] = (uint8_t)(n >> 8);
		head[len++] = (uint8_t)n;
	} else {
		head[len++] = 127;
		for (i = 0; i < 8; i++)
			head[len++] = (uint8_t)((uint64_t)n >> (56 - 8 * i));
	}
	return frame_join(head, len, payload, n);
}

struct frame *
frame_raw(const void *p, size_t n)
{
	return frame_join(p, n, NULL, 0);
}

struct frame *
frame_ref(struct frame *f)
{
	f->refs++;
	return f;
}

void
frame_unref(struct frame *f)
{
	if (f == NULL || --f->refs > 0)
		return;
	if (f->len > FRAME_LARGE)
		frame_sum -= f->len;
	free(f);
}
