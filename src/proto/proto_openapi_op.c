/* SPDX-License-Identifier: ISC */
/*
 * The routes of operations in the OpenAPI document: what each takes, who may,
 * and what may come back, from its row of the table.
 */
#include <stdio.h>
#include <string.h>

#include "proto/proto_openapi.h"

static bool
op_route_reads(const char *route)
{
	return str_starts(route, "GET ");
}

static bool
op_route_has_body(const char *route)
{
	return !op_route_reads(route) && !str_starts(route, "DELETE ");
}

bool
openapi_op_is_plain(const char *route)
{
	return !str_starts(strchr(route, ' ') + 1, "/v1/");
}

int
openapi_op_status(const struct op *op)
{
	return op->rest_status != 0 ? op->rest_status : 200;
}

size_t
openapi_op_noun(const char *route, const char **tag)
{
	const char *p = strchr(route, ' ') + 2;

	if (str_starts(p, "v1/"))
		p += 3;
	*tag = p;
	return strcspn(p, "/");
}

void
openapi_op_answer(const struct op *op, char out[64])
{
	snprintf(out, 64, "%s_answer", op->name);
}

static const struct field *
op_field(const struct op *op, const char *name)
{
	const struct field *f;

	for (f = op->in; f->type != F_END; f++)
		if (!(f->flags & FIELD_MESH) && strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

/* Is it done under a condition on a version?  And has the answer one? */
static bool
op_is_conditional(const struct op *op)
{
	const struct field *f = op_field(op, "ifVersion");

	return f != NULL && f->type == F_INT;
}

static bool
op_has_version(const struct op *op)
{
	const struct field *f;

	for (f = op->out; f->type != F_END; f++)
		if (!(f->flags & FIELD_MESH) && f->type == F_INT &&
		    strcmp(f->name, "version") == 0)
			return true;
	return false;
}

static bool
op_takes(const struct op *op)
{
	const struct field *f;

	for (f = op->in; f->type != F_END; f++)
		if (!(f->flags & FIELD_MESH))
			return true;
	return false;
}

bool
openapi_op_may_fail(const struct op *op, int http)
{
	switch (http) {
	case 404:
	case 409:
	case 413:
		return op_takes(op);
	case 412:
		return op_is_conditional(op);
	default:
		return true;
	}
}

/*
 * What it says of itself.
 */
static void
op_summary(struct json_writer *w, const char *text)
{
	size_t n;

	for (n = 0; text[n] != '\0'; n++)
		if (strchr(".;:", text[n]) != NULL &&
		    (text[n + 1] == ' ' || text[n + 1] == '\0'))
			break;
	json_key(w, "summary");
	json_strn(w, text, n);
}

static void
op_about(
    struct json_writer *w, const struct op *op, const char *route, size_t nth)
{
	char text[1024];
	const char *tag;
	size_t n = openapi_op_noun(route, &tag);

	if (nth == 0)
		snprintf(text, sizeof(text), "%s", op->name);
	else
		snprintf(text, sizeof(text), "%s_%zu", op->name, nth + 1);
	openapi_schema_word(w, "operationId", text);
	op_summary(w, op->text);
	if (op->scope == SCOPE_PUBLIC)
		snprintf(text, sizeof(text), "%s", op->text);
	else
		snprintf(text, sizeof(text), "%s Scope: `%s`%s.", op->text,
		    table_scopes[op->scope],
		    op->flags & OP_GRANTABLE ? ", or a grant of it" : "");
	openapi_schema_word(w, "description", text);
	json_key(w, "tags");
	json_array(w);
	json_strn(w, tag, n);
	json_array_end(w);
}

static void
op_scheme(struct json_writer *w, const char *scheme, const char *also)
{
	json_object(w);
	json_key(w, scheme);
	json_array(w);
	json_array_end(w);
	if (also != NULL) {
		json_key(w, also);
		json_array(w);
		json_array_end(w);
	}
	json_object_end(w);
}

bool
openapi_op_is_platform(const struct op *op)
{
	return strcmp(table_scopes[op->scope], "platform") == 0;
}

static void
op_security(struct json_writer *w, const struct op *op)
{
	json_key(w, "security");
	json_array(w);
	if (openapi_op_is_platform(op))
		op_scheme(w, "platformKey", NULL);
	else if (op_field(op, "token") != NULL) {
		json_object(w);
		json_object_end(w);
		op_scheme(w, "ownToken", NULL);
	} else if (!(op->flags & OP_STRANGER)) {
		op_scheme(w, "token", NULL);
		op_scheme(w, "serviceKey", "principal");
	}
	json_array_end(w);
}

/*
 * What it takes.
 */
static void
op_parameter(struct json_writer *w, const struct field *f, const char *place,
    const int64_t *limits)
{
	bool path = strcmp(place, "path") == 0;

	json_object(w);
	openapi_schema_word(w, "name", f->name);
	openapi_schema_word(w, "in", place);
	json_key(w, "required");
	json_bool(w, path || f->flags & FIELD_REQUIRED);
	openapi_schema_word(w, "description", f->text);
	if (f->type == F_STRS) {
		/* RFC 6570 2.4.2: a comma between them. */
		openapi_schema_word(w, "style", path ? "simple" : "form");
		json_key(w, "explode");
		json_bool(w, false);
	}
	json_key(w, "schema");
	openapi_schema_field(w, f, OPENAPI_PARAMETER, limits);
	json_object_end(w);
}

static void
op_header_parameter(struct json_writer *w, const char *name, const char *text)
{
	json_object(w);
	openapi_schema_word(w, "name", name);
	openapi_schema_word(w, "in", "header");
	json_key(w, "required");
	json_bool(w, false);
	openapi_schema_word(w, "description", text);
	json_key(w, "schema");
	json_object(w);
	openapi_schema_word(w, "type", "string");
	json_object_end(w);
	json_object_end(w);
}

static void
op_header_parameters(
    struct json_writer *w, const struct op *op, const char *route)
{
	if (op_field(op, "idempotencyKey") != NULL && op_route_has_body(route))
		op_header_parameter(w, "Idempotency-Key",
		    "The same as idempotencyKey, which goes before it.");
	if (op_is_conditional(op)) {
		op_header_parameter(w, "If-Match",
		    "The ETag of an answer: do it only while it is that.");
		op_header_parameter(
		    w, "If-None-Match", "*: do it only where there is none.");
	} else if (op_route_reads(route) && op_has_version(op))
		op_header_parameter(w, "If-None-Match",
		    "The ETag of an answer: 304 while it is that.");
}

static void
op_parameters(struct json_writer *w, const struct op *op, const char *route,
    const int64_t *limits)
{
	const struct field *f;

	json_key(w, "parameters");
	json_array(w);
	for (f = op->in; f->type != F_END; f++)
		if (!(f->flags & FIELD_MESH) &&
		    openapi_schema_in_path(route, f))
			op_parameter(w, f, "path", limits);
	for (f = op->in; !op_route_has_body(route) && f->type != F_END; f++) {
		/* What has members is for bodies. */
		if (f->flags & FIELD_MESH || openapi_schema_in_path(route, f) ||
		    f->type == F_ROWS || f->type == F_ROW)
			continue;
		op_parameter(w, f, "query", limits);
	}
	op_header_parameters(w, op, route);
	json_array_end(w);
}

static void
op_body(struct json_writer *w, const struct op *op, const char *route,
    const int64_t *limits)
{
	json_key(w, "requestBody");
	json_object(w);
	/* Where the path says all, none is needed. */
	json_key(w, "required");
	json_bool(w, strchr(route, '{') == NULL);
	json_key(w, "content");
	json_object(w);
	json_key(w, "application/json");
	json_object(w);
	json_key(w, "schema");
	json_object(w);
	openapi_schema_object(w, op->in, OPENAPI_BODY, route, limits);
	json_object_end(w);
	json_object_end(w);
	json_object_end(w);
	json_object_end(w);
}

/*
 * What may come back.
 */
static void
op_header(struct json_writer *w, const char *name, const char *component)
{
	json_key(w, name);
	json_object(w);
	openapi_schema_ref(w, "headers", component);
	json_object_end(w);
}

static void
op_etag(struct json_writer *w)
{
	json_key(w, "ETag");
	json_object(w);
	openapi_schema_word(w, "description", "The version.");
	json_key(w, "schema");
	json_object(w);
	openapi_schema_word(w, "type", "string");
	json_object_end(w);
	json_object_end(w);
}

static bool
op_pages(const struct op *op, const char *route)
{
	const struct field *f;

	if (!op_route_reads(route))
		return false;
	for (f = op->out; f->type != F_END; f++)
		if (!(f->flags & FIELD_MESH) &&
		    (strcmp(f->name, "next_cursor") == 0 ||
			strcmp(f->name, "next") == 0))
			return true;
	return false;
}

static void
op_success(struct json_writer *w, const struct op *op, const char *route,
    const char *also)
{
	char text[64];

	snprintf(text, sizeof(text), "%d", openapi_op_status(op));
	json_key(w, text);
	json_object(w);
	openapi_schema_word(w, "description", "It is done.");
	if (!(op->flags & OP_STRANGER) || op_pages(op, route) ||
	    op_has_version(op)) {
		json_key(w, "headers");
		json_object(w);
		if (!(op->flags & OP_STRANGER)) {
			op_header(w, "RateLimit", "RateLimit");
			op_header(w, "RateLimit-Policy", "RateLimitPolicy");
		}
		if (op_pages(op, route))
			op_header(w, "Link", "Link");
		if (op_has_version(op))
			op_etag(w);
		json_object_end(w);
	}
	json_key(w, "content");
	json_object(w);
	json_key(w, "application/json");
	json_object(w);
	json_key(w, "schema");
	json_object(w);
	openapi_op_answer(op, text);
	openapi_schema_ref(w, "schemas", text);
	json_object_end(w);
	json_object_end(w);
	if (also != NULL) {
		json_key(w, also);
		json_object(w);
		json_object_end(w);
	}
	json_object_end(w);
	json_object_end(w);
}

static void
op_failures(struct json_writer *w, const struct op *op, const char *route)
{
	const char *kind = openapi_op_is_plain(route) ? "Plain" : "Problem";
	char text[1024];
	int http;

	for (http = 400; http < 600; http++) {
		if (!openapi_errors_of(http, text) ||
		    !openapi_op_may_fail(op, http))
			continue;
		snprintf(text, sizeof(text), "%d", http);
		json_key(w, text);
		json_object(w);
		snprintf(text, sizeof(text), "%s%d", kind, http);
		openapi_schema_ref(w, "responses", text);
		json_object_end(w);
	}
}

void
openapi_op_write(struct json_writer *w, const struct op *op, size_t nth,
    const char *also, const int64_t limits[LIMIT_MAX])
{
	const char *route = op->rest[nth];

	json_object(w);
	op_about(w, op, route, nth);
	op_security(w, op);
	op_parameters(w, op, route, limits);
	if (op_route_has_body(route))
		op_body(w, op, route, limits);
	json_key(w, "responses");
	json_object(w);
	op_success(w, op, route, also);
	if (op_route_reads(route) && op_has_version(op)) {
		json_key(w, "304");
		json_object(w);
		openapi_schema_word(
		    w, "description", "It is as If-None-Match has it.");
		json_object_end(w);
	}
	op_failures(w, op, route);
	json_object_end(w);
	json_object_end(w);
}
