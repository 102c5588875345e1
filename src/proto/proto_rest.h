/* SPDX-License-Identifier: ISC */
/*
 * Operations over HTTP from the inside.
 */
#ifndef PROTO_PROTO_REST_H
#define PROTO_PROTO_REST_H

#include "proto/proto.h"

/*
 * proto_rest_args.c
 */
/* Is this the path of a route ("/v1/files/{fileId}")? */
bool rest_args_match(const char *route, struct slice path);
/* The input of an operation whose route this is the path of, as JSON, of the
 * pool; false: something in it is no UTF-8. */
bool rest_args(const struct op *op, const struct http_request *h,
    struct pool *pool, struct slice *out) MUST_CHECK;

#endif
