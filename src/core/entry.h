/* SPDX-License-Identifier: ISC */
/*
 * What happened in a channel: an entry of the journal, as it is told.
 */
#ifndef CORE_ENTRY_H
#define CORE_ENTRY_H

#include "core/core.h"

/* A message in a channel. */
struct post {
	struct id id;
	struct id mesh;
	struct id channel;
	int64_t seq;
	struct id member;
	struct slice by_name;
	struct slice client_id;
	struct id reply_to;	/* or zero */
	struct slice parts;	/* a JSON array of {index, type, payload} */
	struct slice reactions; /* the same of {reaction, count, names} */
	int64_t created_ms;
	int64_t edited_ms;
	int64_t redacted_ms;
	bool redacted;
};
/* As it is answered and told. */
extern const struct field post_fields[];

#define POST_ENTRY "message.appended"
struct entry {
	struct id mesh;
	struct id channel;
	struct id id;	   /* its own */
	int64_t n;	   /* its place in the journal; 0: some, to be read */
	int64_t before;	   /* that of the one before about this channel */
	struct slice type; /* {NULL, 0}: to be read; "message.appended" ... */
	int64_t seq;	   /* of the message that it is about, or 0 */
	struct slice payload; /* JSON, as it is in the journal */
	int64_t at_ms;
	const struct post *post; /* that was posted, or NULL */
};

#endif
