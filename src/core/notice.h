/* SPDX-License-Identifier: ISC */
/*
 * Notices: what some sessions of a mesh are told at once, wherever they are,
 * and can find out otherwise when they were away.
 */
#ifndef CORE_NOTICE_H
#define CORE_NOTICE_H

#include "core/core.h"

struct notice {
	enum notice_kind kind;
	struct id mesh;
	struct id to;	 /* a member; zero: all who may decide about grants */
	struct id about; /* the request, or the message */
	int64_t at_ms;
	struct slice payload; /* a JSON object */
};
/* Tells the sessions of all processes. */
void notice(struct core *c, const struct notice *n);
/* Those of this one. */
void notice_told(struct core *c, const struct notice *n);

#endif
