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
	{ 409, "CONFLICT" },
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
rest_error_plain(struct json_writer *w, const struct request *r)
{
	json_key(w, "ok");
	json_bool(w, false);
	json_key(w, "error");
	json_str(w, table_errors[r->error].name);
	json_key(w, "code");
	json_str(w, table_errors[r->error].name);
	json_key(w, "message");
	json_str(w, r->error_text);
	encode_details(w, r);
}

static const char *
rest_class(int http)
{
	size_t i;

	for (i = 0; i < NELEM(rest_classes); i++)
		if (rest_classes[i].http == http)
			return rest_classes[i].code;
	return "ERROR";
}

/* RFC 9457 3, and its example of `errors`. */
void
rest_error(struct json_writer *w, const struct request *r)
{
	const struct err_desc *e = &table_errors[r->error];
	char text[256];

	snprintf(text, sizeof(text), "urn:linnet:error:%s", e->name);
	json_key(w, "type");
	json_str(w, text);
	json_key(w, "title");
	json_str(w, e->text);
	json_key(w, "status");
	json_num(w, e->http);
	json_key(w, "detail");
	json_str(w, r->error_text);
	json_key(w, "error");
	json_str(w, r->error_text);
	json_key(w, "code");
	json_str(w, rest_class(e->http));
	if (r->error_at != NULL) {
		json_key(w, "errors");
		json_array(w);
		json_object(w);
		json_key(w, "pointer");
		snprintf(text, sizeof(text), "#%s", r->error_at);
		json_str(w, text);
		json_key(w, "detail");
		json_str(w, r->error_text);
		json_object_end(w);
		json_array_end(w);
	}
	encode_details(w, r);
}
