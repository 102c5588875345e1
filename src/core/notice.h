/* SPDX-License-Identifier: ISC */
/*
 * Notices: what some sessions of a mesh are told at once, wherever they are,
 * and can find out otherwise when they were away.
 */
#ifndef CORE_NOTICE_H
#define CORE_NOTICE_H

#include "core/core.h"

/* At most so many are told of one that is about a channel. */
#define NOTICE_INSIDERS_MAX 256
/* A member that is in the channel which a notice is about. */
#define NOTICE_DECIDES 1U /* by what it is in the mesh, if its client may */
#define NOTICE_MANAGES 2U /* the channel, if its client may */
#define NOTICE_GRANTED 4U /* it decides by a grant */
struct notice_insider {
	struct id member;
	uint8_t bits;
};

struct notice {
	enum notice_kind kind;
	struct id mesh;
	struct id to; /* a member; zero: those who may decide about grants */
	bool walled;  /* of them none but the insiders */
	const struct notice_insider *insiders;
	size_t ninsiders;
	struct id about; /* the request, or the message */
	int64_t at_ms;
	struct slice payload; /* a JSON object */
};
/* Tells the sessions of all processes. */
void notice(struct core *c, const struct notice *n);
/* Those of this one. */
void notice_told(struct core *c, const struct notice *n);

#endif
