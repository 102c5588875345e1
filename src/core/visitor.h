/* SPDX-License-Identifier: ISC */
/*
 * visitor.c, for protocols: a program that shows its token with each request
 * comes by as a session of the mesh, the same one each time.
 */
#ifndef CORE_VISITOR_H
#define CORE_VISITOR_H

#include "core/core.h"

/* As whom it wants to be there. */
struct visit {
	struct slice name; /* {NULL, 0}: under that of its member */
	int hidden;	   /* -1: as it is */
};
typedef void visitor_fn(struct request *r);
/* After token_enter(): the client's session is that of its token and name,
 * which others see and write to, and fn is called, at once or later; or the
 * request is refused.  When the session ends, calls->close is called, and the
 * client has none any more. */
void visitor_enter(struct request *r, const struct visit *v, visitor_fn *fn);
/* Opens what was encrypted to the client's session: out has room for n bytes
 * less CRYPTO_BOX_EXTRA.  false: it was not, or not by this sender. */
bool visitor_unseal(const struct client *c, void *out,
    const uint8_t nonce[CRYPTO_NONCE_LEN], const void *box, size_t n,
    const uint8_t from[CRYPTO_KEY_LEN]) MUST_CHECK;

#endif
