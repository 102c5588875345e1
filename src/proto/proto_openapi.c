/* SPDX-License-Identifier: ISC */
/*
 * What is served over HTTP, as an OpenAPI 3.1 document: the routes of the table
 * of operations and those of paths.def, and what they have in common.
 *
 * It says what this build with these limits does; nothing else is in it, so
 * that two servers that are alike have the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "proto/proto_openapi.h"

#define OPENAPI_ROUTES 512

/* One route: of an operation, or where there is none the i-th of paths.def. */
struct openapi_route {
	const char *route;
	const struct op *op;
	size_t i;
};

struct openapi {
	struct json_writer w;
	const int64_t *limits;
	struct pool pool;
	struct openapi_route routes[OPENAPI_ROUTES];
	size_t n;
};

static const struct {
	const char *name;
	const char *text;
} openapi_nouns[] = {
#define NOUN(name, text) { name, text },
#include "proto/nouns.def"
#undef NOUN
};

/*
 * Answers that no operation has.
 */
#define SAYS(name, type, flags, rows, text)                     \
	{                                                       \
		name, type, 0, 0, 0, flags, NULL, rows, 0, text \
	}

static const struct field openapi_wrong[] = {
	SAYS("pointer", F_STR, 0, NULL,
	    "Where in what was sent (RFC 6901), as a fragment."),
	SAYS("detail", F_STR, 0, NULL, "What is wrong with it."),
	{ .type = F_END },
};

#define OPENAPI_DETAILS                                                    \
	SAYS("reason", F_STR, FIELD_OMIT, NULL, "Which of several."),      \
	    SAYS("limit", F_INT, FIELD_OMIT, NULL,                         \
		"The limit that was reached."),                            \
	    SAYS("used", F_INT, FIELD_OMIT, NULL, "What was used of it."), \
	    SAYS("retryAfterMs", F_INT, FIELD_OMIT, NULL,                  \
		"When to try again."),                                     \
	    SAYS("version", F_INT, FIELD_OMIT, NULL,                       \
		"Of a conflict: the version that there is."),              \
	    SAYS("capability", F_STR, FIELD_OMIT, NULL,                    \
		"The permission that is missing."),                        \
	    SAYS("resourceType", F_STR, FIELD_OMIT, NULL,                  \
		"For what kind of thing."),                                \
	    SAYS("resourceId", F_STR, FIELD_OMIT, NULL, "For which one.")

static const struct field openapi_problem[] = {
	SAYS("type", F_STR, 0, NULL,
	    "Which error: urn:linnet:error: and a name of linnet-rest(7)."),
	SAYS("title", F_STR, 0, NULL, "What the error is in general."),
	SAYS("status", F_INT, 0, NULL, "The status of the answer."),
	SAYS("detail", F_STR, 0, NULL, "What is wrong, and what to do."),
	SAYS("error", F_STR, 0, NULL, "The same as detail."),
	SAYS("code", F_STR, 0, NULL, "The class of the error."),
	SAYS("errors", F_ROWS, FIELD_OMIT, openapi_wrong,
	    "What of the request was wrong."),
	OPENAPI_DETAILS,
	{ .type = F_END },
};

static const struct field openapi_plain[] = {
	SAYS("ok", F_BOOL, FIELD_OMIT, NULL, "false."),
	SAYS("error", F_STR, 0, NULL, "Which error, or a sentence."),
	SAYS("code", F_STR, 0, NULL, "Which error."),
	SAYS("message", F_STR, FIELD_OMIT, NULL,
	    "What is wrong, and what to do."),
	OPENAPI_DETAILS,
	{ .type = F_END },
};

static const struct field openapi_health[] = {
	SAYS("ok", F_BOOL, FIELD_OMIT, NULL, "Is all well?"),
	SAYS("status", F_STR, 0, NULL, "How the service is, in words."),
	SAYS("db", F_STR, 0, NULL, "up or down."),
	SAYS("version", F_STR, 0, NULL, "The version of the server."),
	SAYS("gitSha", F_STR, 0, NULL, "unknown."),
	SAYS("uptime", F_INT, 0, NULL, "Seconds since the worker began."),
	{ .type = F_END },
};

static const struct field openapi_file[] = {
	SAYS("ok", F_BOOL, 0, NULL, "true."),
	SAYS("fileId", F_ID, 0, NULL, "The file."),
	SAYS("name", F_STR, 0, NULL, "Its name."),
	SAYS("size", F_INT, 0, NULL, "Its bytes."),
	SAYS("sha256", F_STR, 0, NULL, "The digest of them, in hex."),
	{ .type = F_END },
};

static const struct {
	const char *name;
	const struct field *fields;
} openapi_schemas[] = {
	{ "Problem", openapi_problem },
	{ "PlainError", openapi_plain },
	{ "Health", openapi_health },
	{ "File", openapi_file },
};

static void
openapi_schema(
    struct json_writer *w, const char *name, const struct field *fields)
{
	json_key(w, name);
	json_object(w);
	openapi_schema_object(w, fields, OPENAPI_ANSWER, NULL, NULL);
	json_object_end(w);
}

static void
openapi_components_schemas(struct openapi *o)
{
	struct json_writer *w = &o->w;
	const struct op *const *op;
	char name[64];
	size_t i;

	json_key(w, "schemas");
	json_object(w);
	for (i = 0; i < NELEM(openapi_schemas); i++)
		openapi_schema(
		    w, openapi_schemas[i].name, openapi_schemas[i].fields);
	json_key(w, "Any");
	json_object(w);
	openapi_schema_word(w, "description", "Any JSON value.");
	json_object_end(w);
	for (op = op_table; *op != NULL; op++) {
		if ((*op)->rest[0] == NULL)
			continue;
		openapi_op_answer(*op, name);
		openapi_schema(w, name, (*op)->out);
	}
	json_object_end(w);
}

bool
openapi_errors_of(int http, char text[1024])
{
	size_t i, n = 0;

	text[0] = '\0';
	for (i = 1; i < ERR_MAX; i++)
		/* RFC 9110 15.5.13: where a header has the condition. */
		if ((http == 412 ? i == ERR_VERSION_CONFLICT
				 : table_errors[i].http == http) &&
		    n < 1000)
			n += (size_t)snprintf(text + n, 1024 - n, "%s%s",
			    n > 0 ? ", " : "", table_errors[i].name);
	return n > 0;
}

static bool
openapi_has_error(const struct openapi *o, int http, bool plain)
{
	size_t i;

	for (i = 0; i < o->n; i++)
		if (o->routes[i].op != NULL &&
		    openapi_op_is_plain(o->routes[i].route) == plain &&
		    openapi_op_may_fail(o->routes[i].op, http))
			return true;
	return false;
}

static void
openapi_media(struct json_writer *w, const char *type, const char *schema)
{
	json_key(w, type);
	json_object(w);
	json_key(w, "schema");
	json_object(w);
	openapi_schema_ref(w, "schemas", schema);
	json_object_end(w);
	json_object_end(w);
}

static void
openapi_response(struct openapi *o, int http, bool plain)
{
	struct json_writer *w = &o->w;
	char text[1024], name[32];

	if (!openapi_errors_of(http, text) ||
	    !openapi_has_error(o, http, plain))
		return;
	snprintf(name, sizeof(name), "%s%d", plain ? "Plain" : "Problem", http);
	json_key(w, name);
	json_object(w);
	openapi_schema_word(w, "description", text);
	if (http == 429 || http == 503) {
		json_key(w, "headers");
		json_object(w);
		json_key(w, "Retry-After");
		json_object(w);
		openapi_schema_ref(w, "headers", "RetryAfter");
		json_object_end(w);
		json_object_end(w);
	}
	json_key(w, "content");
	json_object(w);
	if (!plain)
		openapi_media(w, "application/problem+json", "Problem");
	/* What is no good HTTP is answered before its path is looked at. */
	if (plain || http == 400 || http == 413)
		openapi_media(w, "application/json", "PlainError");
	json_object_end(w);
	json_object_end(w);
}

static void
openapi_header(
    struct json_writer *w, const char *name, const char *type, const char *text)
{
	json_key(w, name);
	json_object(w);
	openapi_schema_word(w, "description", text);
	json_key(w, "schema");
	json_object(w);
	openapi_schema_word(w, "type", type);
	json_object_end(w);
	json_object_end(w);
}

static void
openapi_scheme(struct json_writer *w, const char *name, const char *header,
    const char *text)
{
	json_key(w, name);
	json_object(w);
	openapi_schema_word(w, "type", header != NULL ? "apiKey" : "http");
	if (header != NULL) {
		openapi_schema_word(w, "in", "header");
		openapi_schema_word(w, "name", header);
	} else
		openapi_schema_word(w, "scheme", "bearer");
	openapi_schema_word(w, "description", text);
	json_object_end(w);
}

static bool
openapi_has_platform(const struct openapi *o)
{
	size_t i;

	for (i = 0; i < o->n; i++)
		if (o->routes[i].op != NULL &&
		    openapi_op_is_platform(o->routes[i].op))
			return true;
	return false;
}

static void
openapi_components(struct openapi *o)
{
	struct json_writer *w = &o->w;
	int http;

	json_key(w, "components");
	json_object(w);
	json_key(w, "securitySchemes");
	json_object(w);
	openapi_scheme(w, "token", NULL,
	    "A token of a member, wat_...: linnet token create makes one.");
	openapi_scheme(w, "serviceKey", "x-api-key",
	    "The platform's key, or a token with the scope service.");
	openapi_scheme(w, "principal", "x-principal",
	    "For whom: JSON with actorId, orgId, scopes and provider. It is "
	    "believed with a service key only.");
	if (openapi_has_platform(o))
		openapi_scheme(w, "platformKey", "x-platform-key",
		    "The platform's key (platform.key_file), which only who "
		    "runs the server has.");
	openapi_scheme(w, "ownToken", NULL,
	    "A credential of the operation's own, instead of its token.");
	json_object_end(w);
	json_key(w, "headers");
	json_object(w);
	openapi_header(w, "RateLimit", "string",
	    "How many requests are left, and in how many seconds there are "
	    "all again.");
	openapi_header(w, "RateLimitPolicy", "string",
	    "How many requests may come in how many seconds.");
	openapi_header(w, "RetryAfter", "integer", "Seconds to wait.");
	openapi_header(w, "Link", "string",
	    "Where the next page is (rel=next), if there is one.");
	json_object_end(w);
	json_key(w, "responses");
	json_object(w);
	for (http = 400; http < 600; http++) {
		openapi_response(o, http, false);
		openapi_response(o, http, true);
	}
	json_object_end(w);
	openapi_components_schemas(o);
	json_object_end(w);
}

/*
 * Paths.
 */
static void
openapi_add(struct openapi *o, const char *route, const struct op *op, size_t i)
{
	if (o->n == NELEM(o->routes))
		fatalx("more than %d routes", OPENAPI_ROUTES);
	o->routes[o->n++] = (struct openapi_route){ route, op, i };
}

static bool
openapi_is_operation(const char *route)
{
	const struct op *const *op;
	size_t i;

	for (op = op_table; *op != NULL; op++)
		for (i = 0; (*op)->rest[i] != NULL; i++)
			if (strcmp((*op)->rest[i], route) == 0)
				return true;
	return false;
}

/* A row with an operation's route is another type of its answer. */
static void
openapi_add_path(void *arg, const char *route, size_t i)
{
	struct openapi *o = arg;

	if (openapi_is_operation(route))
		return;
	openapi_add(o, pool_strndup(&o->pool, route, strlen(route)), NULL, i);
}

static void
openapi_collect(struct openapi *o)
{
	const struct op *const *op;
	size_t i;

	openapi_path_each(openapi_add_path, o);
	for (op = op_table; *op != NULL; op++)
		for (i = 0; (*op)->rest[i] != NULL; i++)
			openapi_add(o, (*op)->rest[i], *op, i);
}

static const char *
openapi_path_of(const struct openapi_route *r)
{
	return strchr(r->route, ' ') + 1;
}

static bool
openapi_is_first(const struct openapi *o, size_t i)
{
	size_t k;

	for (k = 0; k < i; k++)
		if (strcmp(openapi_path_of(&o->routes[k]),
			openapi_path_of(&o->routes[i])) == 0)
			return false;
	return true;
}

static void
openapi_method(struct openapi *o, const struct openapi_route *r)
{
	char method[8];
	size_t i;

	for (i = 0; i < sizeof(method) - 1 && r->route[i] != ' '; i++)
		method[i] = (char)(r->route[i] - 'A' + 'a');
	method[i] = '\0';
	json_key(&o->w, method);
	if (r->op != NULL)
		openapi_op_write(
		    &o->w, r->op, r->i, openapi_path_also(r->route), o->limits);
	else
		openapi_path(&o->w, r->i);
}

static bool
openapi_is_ws(const struct openapi_route *r)
{
	return r->op == NULL && openapi_path_is_ws(r->i);
}

/* WebSockets are no answers of HTTP, which is all that paths can say. */
static void
openapi_write_paths(struct openapi *o, const char *key, bool ws)
{
	size_t i, k;

	json_key(&o->w, key);
	json_object(&o->w);
	for (i = 0; i < o->n; i++) {
		if (openapi_is_ws(&o->routes[i]) != ws ||
		    !openapi_is_first(o, i))
			continue;
		json_key(&o->w, openapi_path_of(&o->routes[i]));
		json_object(&o->w);
		for (k = i; k < o->n; k++)
			if (strcmp(openapi_path_of(&o->routes[i]),
				openapi_path_of(&o->routes[k])) == 0)
				openapi_method(o, &o->routes[k]);
		json_object_end(&o->w);
	}
	json_object_end(&o->w);
}

static bool
openapi_has_noun(const struct openapi *o, const char *noun)
{
	const char *tag;
	size_t i, n;

	for (i = 0; i < o->n; i++) {
		if (o->routes[i].op == NULL) {
			if (!openapi_is_ws(&o->routes[i]) &&
			    strcmp(openapi_path_noun(o->routes[i].i), noun) ==
				0)
				return true;
			continue;
		}
		n = openapi_op_noun(o->routes[i].route, &tag);
		if (n == strlen(noun) && memcmp(tag, noun, n) == 0)
			return true;
	}
	return false;
}

static void
openapi_tags(struct openapi *o)
{
	size_t i;

	json_key(&o->w, "tags");
	json_array(&o->w);
	for (i = 0; i < NELEM(openapi_nouns); i++) {
		if (!openapi_has_noun(o, openapi_nouns[i].name))
			continue;
		json_object(&o->w);
		openapi_schema_word(&o->w, "name", openapi_nouns[i].name);
		openapi_schema_word(
		    &o->w, "description", openapi_nouns[i].text);
		json_object_end(&o->w);
	}
	json_array_end(&o->w);
}

static void
openapi_info(struct json_writer *w)
{
	openapi_schema_word(w, "openapi", "3.1.0");
	json_key(w, "info");
	json_object(w);
	openapi_schema_word(w, "title", "Linnet");
	openapi_schema_word(w, "version", PACKAGE_VERSION);
	openapi_schema_word(w, "summary",
	    "Channels, people and permissions for agents and applications.");
	openapi_schema_word(w, "description",
	    "Operations over HTTP; linnet-rest(7) has the rules that all of "
	    "them share. Limits of text are in bytes of UTF-8. A member of a "
	    "request that is no property is passed over.");
	json_key(w, "contact");
	json_object(w);
	openapi_schema_word(w, "name", "The operator of this server");
	json_object_end(w);
	json_key(w, "license");
	json_object(w);
	openapi_schema_word(w, "name", "ISC");
	openapi_schema_word(w, "identifier", "ISC");
	json_object_end(w);
	json_object_end(w);
	json_key(w, "servers");
	json_array(w);
	json_object(w);
	openapi_schema_word(w, "url", "/");
	openapi_schema_word(w, "description", "Where this document is.");
	json_object_end(w);
	json_array_end(w);
}

void
openapi_write(struct buf *b, const int64_t limits[LIMIT_MAX])
{
	struct openapi *o = xcalloc(1, sizeof(*o));

	o->limits = limits;
	pool_init(&o->pool);
	openapi_collect(o);
	json_start(&o->w, b);
	json_object(&o->w);
	openapi_info(&o->w);
	openapi_tags(o);
	openapi_write_paths(o, "paths", false);
	openapi_write_paths(o, "x-websockets", true);
	openapi_components(o);
	json_object_end(&o->w);
	pool_free(&o->pool);
	free(o);
}
