/* SPDX-License-Identifier: ISC */
/*
 * The OpenAPI document, inside.  It needs the tables and nothing that runs, so
 * that linnet-dump can print it.
 */
#ifndef PROTO_PROTO_OPENAPI_H
#define PROTO_PROTO_OPENAPI_H

#include "proto/proto.h"

/*
 * proto_openapi.c: the names of the errors with this status; false: none has.
 */
bool openapi_errors_of(int http, char text[1024]);

/*
 * proto_openapi_op.c: the route of an operation, its braces included.  nth: of
 * those that the operation has.  also: another type of its answer, or NULL.
 */
void openapi_op_write(struct json_writer *w, const struct op *op, size_t nth,
    const char *also, const int64_t limits[LIMIT_MAX]);
/* What stands for a route's noun, and its length: "files" of "GET
 * /v1/files/{fileId}". */
size_t openapi_op_noun(const char *route, const char **tag);
/* Whose errors have the form from before /v1? */
bool openapi_op_is_plain(const char *route);
/* Is it for who runs the server? */
bool openapi_op_is_platform(const struct op *op);
bool openapi_op_may_fail(const struct op *op, int http);
/* What an operation answers has a schema of its own; out gets its name. */
void openapi_op_answer(const struct op *op, char out[64]);

/*
 * proto_openapi_path.c: routes that are no operation: paths.def.
 */
/* Calls fn with each route, "GET /health". */
typedef void openapi_path_fn(void *arg, const char *route, size_t i);
void openapi_path_each(openapi_path_fn *fn, void *arg);
/* The i-th of them: what it is; its noun; is it a WebSocket? */
void openapi_path(struct json_writer *w, size_t i);
const char *openapi_path_noun(size_t i);
/* How else a route of an operation is answered: a type, or NULL. */
const char *openapi_path_also(const char *route);
bool openapi_path_is_ws(size_t i);

/*
 * proto_openapi_schema.c: JSON Schema (2020-12) of fields.
 */
enum openapi_place {
	OPENAPI_BODY,
	OPENAPI_PARAMETER,
	OPENAPI_ANSWER
};
/* The schema of a field: an object. */
void openapi_schema_field(struct json_writer *w, const struct field *f,
    enum openapi_place place, const int64_t limits[LIMIT_MAX]);
/* The schema of an object, without its braces.  route: NULL, or what has some
 * of the fields in its path. */
void openapi_schema_object(struct json_writer *w, const struct field *fields,
    enum openapi_place place, const char *route,
    const int64_t limits[LIMIT_MAX]);
/* Does a route have this field in its path? */
bool openapi_schema_in_path(const char *route, const struct field *f);
/* A member that is a string. */
void openapi_schema_word(
    struct json_writer *w, const char *key, const char *value);
/* A member that is the reference to a component: "responses", "Problem". */
void openapi_schema_ref(
    struct json_writer *w, const char *kind, const char *name);

#endif
