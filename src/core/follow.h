/* SPDX-License-Identifier: ISC */
/*
 * Following: whoever wants to be told of what happens in a channel, or in a
 * mesh, from a place in the journal on, is told of every line of it that the
 * member may see, once and in order.
 */
#ifndef CORE_FOLLOW_H
#define CORE_FOLLOW_H

#include "core/core.h"

/* What comes. */
#define FOLLOW_POSTS 0x01 /* messages with what they say, and nothing else */
#define FOLLOW_LINES 0x02 /* with their payload */
#define FOLLOW_BARE 0x04  /* without what messages say */
#define FOLLOW_ONCE 0x08  /* it is an error to follow it already */

/* The input of follow_channel and follow_mesh.  A protocol with places of
 * its own to begin at decodes into this. */
struct follow_in {
	struct slice channel;
	int64_t after; /* seq; FOLLOW_ALL, FOLLOW_NEW */
	struct id event;
	struct slice place; /* of an event; then `after` is not looked at */
	/* Not a field: */
	unsigned flags;
};
/* A place by an event: its id, or the next of a page, or 0. */
#define ENTRY_PLACE_MAX 88
#define FOLLOW_NEW INT64_C(-1) /* from now on; the field's absence */
#define FOLLOW_ALL INT64_C(-2) /* from the first line on */
#define FOLLOW_MAX 1000	       /* of a connection */

/* An entry as message-layer tells it. */
extern const struct field entry_fields[];

#endif
