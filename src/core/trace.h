/* SPDX-License-Identifier: ISC */
/*
 * trace.c: what passes, told to core.trace.  Names, sizes and results, never
 * what a message says.  Call these only where core.trace is not NULL.
 */
#ifndef CORE_TRACE_H
#define CORE_TRACE_H

#include "core/core.h"

enum trace_what {
	TRACE_REQUEST, /* it was answered */
	TRACE_PUSH,    /* something goes to a client */
	TRACE_END      /* a session has no connection any more */
};

struct trace {
	enum trace_what what;
	/* NULL: it has not said hello. */
	const struct session_info *session;
	const char *type;
	struct slice sender; /* of a message */
	struct slice target; /* the first one, or a key of state */
	size_t targets;
	struct id message; /* null: it is about none */
	size_t size;	   /* of a request as it came, of a push its body */
	enum err result;
	int64_t took_ms;
};

/* out: the answer, or NULL. */
void trace_request(const struct request *r, const void *out);
void trace_push(const struct client *c, const struct event *e);
void trace_end(const struct session *s);

#endif
