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
/* What the path, and for a route without a body the query, says, as JSON, of
 * the pool.  NULL, or the name of what cannot be read. */
const char *rest_args(const struct op *op, const char *route,
    const struct http_request *h, struct pool *pool,
    struct slice *out) MUST_CHECK;
/* Is this, of a JSON pointer, an id that the path says? */
bool rest_args_is_id(const struct op *op, const char *route, const char *at);
/* Two JSON objects as one, of the pool; the second may be empty. */
struct slice rest_args_merge(struct slice a, struct slice b, struct pool *pool);

/*
 * proto_rest_page.c: lines for the head of an answer.
 */
/* May answers of this route have a next page? */
bool rest_page_has(const struct op *op, const char *route);
/* Then: says where it is, if there is one.  path, query: as they were asked
 * for. */
void rest_page_header(struct buf *b, const struct op *op, struct slice path,
    struct slice query, const void *out);
/* What the client may still ask for, if there is a limit. */
void rest_page_rates(struct buf *b, const struct request *r);

/*
 * proto_rest_etag.c
 */
struct rest_etag {
	int64_t condition;  /* the version that it shall have, or -1 */
	struct slice known; /* those that the client has, of what is read */
	const char *bad;    /* the condition is none: what to send */
	bool same;	    /* the client has what would be answered */
};
/* What the headers of a request say that reads, or changes something. */
void rest_etag_read(struct rest_etag *e, const struct http_request *h,
    bool reads, struct pool *pool);
/* Is this tag, with its quotes, among those of If-None-Match (RFC 9110 13.1.2),
 * weak ones too? */
bool rest_etag_known(struct slice known, const char *tag);
/* Puts the condition into the input of an operation that knows one. */
enum err rest_etag_decode(struct request *r, const struct op *op, void *in,
    struct rest_etag *e) MUST_CHECK;
/* The header of an answer, of the request's pool; "" where it has no version.
 */
const char *rest_etag_headers(
    struct request *r, const void *out, struct rest_etag *e);

/*
 * proto_rest_error.c: the members of an error's body.
 */
/* Is this a route from before /v1, whose clients know another form? */
bool rest_error_is_plain(const char *route);
void rest_error_plain(struct json_writer *w, enum err e, const char *text);
/* RFC 9457 of what is no request: an error of this name. */
void rest_error_problem(struct json_writer *w, int status, const char *name,
    const char *title, const char *text);
/* RFC 9457 3, with `error` and `code` as message-layer's clients expect them.
 */
void rest_error_members(
    struct json_writer *w, enum err e, int status, const char *text);
/* The same, and what is known of where the input is wrong (its example), and
 * of what was missing. */
void rest_error(struct json_writer *w, const struct request *r, int status);

#endif
