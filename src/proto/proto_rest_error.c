/* SPDX-License-Identifier: ISC */
/*
 * What a failed request is answered over HTTP.
 */
#include <stdio.h>
#include <string.h>

#include "proto/proto_rest.h"

/* The classes of errors that clients of message-layer tell apart. */
static const struct {
	int http;
	const char *code;
} rest_classes[] = {
	{ 400, "VALIDATION" },
	{ 401, "UNAUTHORIZED" },
	{ 403, "PERMISSION_DENIED" },
	{ 404, "NOT_FOUND" },
	{ 405, "METHOD_NOT_ALLOWED" },
	{ 409, "CONFLICT" },
	{ 412, "CONFLICT" },
	{ 413, "VALIDATION" },
	{ 429, "RATE_LIMITED" },
	{ 503, "UNAVAILABLE" },
};

bool
rest_error_is_plain(const char *route)
{
	return !str_starts(strchr(route, ' ') + 1, "/v1/");
}

void
rest_error_plain(struct json_writer *w, enum err e, const char *text)
{
	json_key(w, "ok");
	json_bool(w, false);
	json_key(w, "error");
	json_str(w, table_errors[e].name);
	json_key(w, "code");
	json_str(w, table_errors[e].name);
	json_key(w, "message");
	json_str(w, text);
}

/* What its clients know by a name of its own. */
static const struct {
	enum err error;
	const char *code;
} rest_codes[] = {
	{ ERR_WEBHOOK_ENDPOINT_BLOCKED, "WEBHOOK_ENDPOINT_BLOCKED" },
};

const char *
rest_error_class(int http)
{
	size_t i;

	for (i = 0; i < NELEM(rest_classes); i++)
		if (rest_classes[i].http == http)
			return rest_classes[i].code;
	return "ERROR";
}

static const char *
rest_code(const char *name, int http)
{
	size_t i;

	for (i = 0; i < NELEM(rest_codes); i++)
		if (strcmp(table_errors[rest_codes[i].error].name, name) == 0)
			return rest_codes[i].code;
	return rest_error_class(http);
}

void
rest_error_problem(struct json_writer *w, int status, const char *name,
    const char *title, const char *text)
{
	char type[128];

	snprintf(type, sizeof(type), "urn:linnet:error:%s", name);
	json_key(w, "type");
	json_str(w, type);
	json_key(w, "title");
	json_str(w, title);
	json_key(w, "status");
	json_num(w, status);
	json_key(w, "detail");
	json_str(w, text);
	json_key(w, "error");
	json_str(w, text);
	json_key(w, "code");
	json_str(w, rest_code(name, status));
}

void
rest_error_members(
    struct json_writer *w, enum err e, int status, const char *text)
{
	rest_error_problem(
	    w, status, table_errors[e].name, table_errors[e].text, text);
}

void
rest_error(struct json_writer *w, const struct request *r, int status)
{
	char at[256];

	rest_error_members(w, r->error, status, r->error_text);
	if (r->error_at != NULL) {
		json_key(w, "errors");
		json_array(w);
		json_object(w);
		json_key(w, "pointer");
		snprintf(at, sizeof(at), "#%s", r->error_at);
		json_str(w, at);
		json_key(w, "detail");
		json_str(w, r->error_text);
		json_object_end(w);
		json_array_end(w);
	}
	encode_details(w, r);
}
