/* SPDX-License-Identifier: ISC */
/*
 * Memory of one request.  Pieces are cut from the block at the head of the
 * list; a piece that would waste much of it gets a block of its own behind the
 * head, so that small pieces go on filling the head.  Nothing is freed before
 * all of it is.
 */
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POOL_ALIGN _Alignof(max_align_t)
#define POOL_FIRST 1024	 /* bytes of the first block */
#define POOL_LARGE 32768 /* where blocks stop to double */

struct pool_block {
	struct pool_block *next;
	size_t size;
	size_t used;
	max_align_t data[];
};

void
pool_init(struct pool *p)
{
	*p = (struct pool){ 0 };
}

void
pool_free(struct pool *p)
{
	struct pool_block *b, *next;

	for (b = p->blocks; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	pool_init(p);
}

static struct pool_block *
pool_block_new(size_t size)
{
	struct pool_block *b = xmalloc(sizeof(*b) + size);

	b->next = NULL;
	b->size = size;
	b->used = 0;
	return b;
}

/* A block with room for n bytes (rounded up). */
static struct pool_block *
pool_block_for(struct pool *p, size_t n)
{
	struct pool_block *head = p->blocks, *b;
	size_t size;

	if (head != NULL && head->size - head->used >= n)
		return head;
	size = head == NULL ? POOL_FIRST : head->size * 2;
	if (size > POOL_LARGE)
		size = POOL_LARGE;
	if (n > size / 4 && head != NULL) {
		b = pool_block_new(n);
		b->next = head->next;
		head->next = b;
		return b;
	}
	b = pool_block_new(n > size ? n : size);
	b->next = head;
	p->blocks = b;
	return b;
}

void *
pool_alloc(struct pool *p, size_t n)
{
	struct pool_block *b;
	size_t size;
	char *at;

	if (n > SIZE_MAX / 2)
		fatalx("pool: a piece of %zu bytes", n);
	size = (n + POOL_ALIGN - 1) / POOL_ALIGN * POOL_ALIGN;
	if (size == 0)
		size = POOL_ALIGN;
	b = pool_block_for(p, size);
	at = (char *)b->data + b->used;
	b->used += size;
	p->used += n;
	return at;
}

void *
pool_zalloc(struct pool *p, size_t n)
{
	return memset(pool_alloc(p, n), 0, n);
}

void *
pool_dup(struct pool *p, const void *src, size_t n)
{
	void *copy = pool_alloc(p, n);

	if (n != 0)
		memcpy(copy, src, n);
	return copy;
}

char *
pool_strndup(struct pool *p, const char *s, size_t n)
{
	char *copy = pool_alloc(p, n + 1);

	if (n != 0)
		memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

char *
pool_printf(struct pool *p, const char *fmt, ...)
{
	va_list ap;
	char *out;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		fatal("vsnprintf");
	out = pool_alloc(p, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(out, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return out;
}
