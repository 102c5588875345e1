/* SPDX-License-Identifier: ISC */
/*
 * Records of the bus that drains have overtaken.
 *
 * A drain finds in the database what another process has stored, and the
 * record that says so may come after it: when the line between hosts was cut,
 * or a process had to wait for a processor.  If the client has acked by then,
 * nothing of the message is left in the outbox, and it would be pushed again.
 * So what drains brought is remembered here.
 *
 * Each message has one place, which the next one with that place takes: what
 * is remembered was brought lately, and a record that comes later than that
 * brings the message twice, which clients have to bear in any case.
 */
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"

#define OVERTAKEN_MAX 8192 /* a power of two */

struct overtaken {
	struct id message;
	uint64_t ref; /* the session's */
};

/* The last bytes of an id are random. */
static struct overtaken *
overtaken_place(struct overtaken *table, uint64_t ref, const struct id *message)
{
	uint32_t n;

	memcpy(&n, message->b + ID_LEN - sizeof(n), sizeof(n));
	return &table[(n ^ (uint32_t)ref) % OVERTAKEN_MAX];
}

void
overtaken_note(struct core *c, uint64_t ref, const struct id *message)
{
	struct overtaken *o;

	if (c->overtaken == NULL)
		c->overtaken = xcalloc(OVERTAKEN_MAX, sizeof(*c->overtaken));
	o = overtaken_place(c->overtaken, ref, message);
	o->message = *message;
	o->ref = ref;
}

bool
overtaken_is(const struct core *c, uint64_t ref, const struct id *message)
{
	const struct overtaken *o;

	if (c->overtaken == NULL)
		return false;
	o = overtaken_place(c->overtaken, ref, message);
	return o->ref == ref && id_same(&o->message, message);
}
