/* SPDX-License-Identifier: ISC */
/*
 * principal.c, for protocols: a back end that is trusted says for whom it
 * acts.  It is trusted with all meshes by the platform's key, or with one by a
 * token that has the scope `service`.
 */
#ifndef CORE_PRINCIPAL_H
#define CORE_PRINCIPAL_H

#include "core/core.h"

struct principal {
	struct id mesh;
	struct id member;
	/* Names of what it may do beside reading; those that no scope has mean
	 * nothing here. */
	const struct slice *scopes;
	size_t nscopes;
};

/* Is this the platform's key? */
bool principal_platform(const struct core *c, struct slice key) MUST_CHECK;
/* The request's client acts for the principal, and fn is called, at once or
 * later; or the request is refused.  The client has shown the platform's key
 * (platform), or has entered with a token.  p is copied. */
void principal_enter(
    struct request *r, const struct principal *p, bool platform, token_fn *fn);

#endif
