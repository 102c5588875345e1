/* SPDX-License-Identifier: ISC */
/*
 * The paths in the OpenAPI document that belong to no operation: paths.def.
 */
#include <stdio.h>
#include <string.h>

#include "proto/proto_openapi.h"

enum path_credential {
	OPEN,
	TOKEN,
	LINK
};

enum path_id {
#define PATH(id, method, path, noun, credential, body, status, answer, text) \
	PATH_##id,
#include "proto/paths.def"
#undef PATH
	PATH_MAX_ID
};

static const struct path {
	const char *id;
	const char *method;
	const char *path;
	const char *noun;
	enum path_credential credential;
	const char *body;
	int status;
	const char *answer;
	const char *text;
} paths[] = {
#define PATH(id, method, path, noun, credential, body, status, answer, text) \
	{ #id, method, path, noun, credential, body, status, answer, text },
#include "proto/paths.def"
#undef PATH
};

static const struct path_param {
	enum path_id path;
	const char *in;
	const char *name;
	const char *type;
	bool required;
	const char *text;
} params[] = {
#define PARAM(id, in, name, type, required, text) \
	{ PATH_##id, in, name, type, required, text },
#include "proto/params.def"
#undef PARAM
};

static const struct path_answer {
	enum path_id path;
	int status;
	const char *text;
} answers[] = {
#define ANSWER(id, status, text) { PATH_##id, status, text },
#include "proto/answers.def"
#undef ANSWER
};

void
openapi_path_each(openapi_path_fn *fn, void *arg)
{
	char route[128];
	size_t i;

	for (i = 0; i < NELEM(paths); i++) {
		snprintf(route, sizeof(route), "%s %s", paths[i].method,
		    paths[i].path);
		fn(arg, route, i);
	}
}

const char *
openapi_path_noun(size_t i)
{
	return paths[i].noun;
}

const char *
openapi_path_also(const char *route)
{
	const size_t n = strcspn(route, " ");
	size_t i;

	for (i = 0; i < NELEM(paths); i++)
		if (strlen(paths[i].method) == n &&
		    memcmp(paths[i].method, route, n) == 0 &&
		    strcmp(paths[i].path, route + n + 1) == 0)
			return paths[i].answer;
	return NULL;
}

bool
openapi_path_is_ws(size_t i)
{
	return paths[i].status == 101;
}

static void
path_param(struct json_writer *w, const struct path_param *p)
{
	json_object(w);
	openapi_schema_word(w, "name", p->name);
	openapi_schema_word(w, "in", p->in);
	json_key(w, "required");
	json_bool(w, p->required);
	openapi_schema_word(w, "description", p->text);
	json_key(w, "schema");
	json_object(w);
	openapi_schema_word(w, "type", p->type);
	json_object_end(w);
	json_object_end(w);
}

/* What stands in the path itself: an id, or a text. */
static void
path_braces(struct json_writer *w, const struct path *p)
{
	struct path_param v = {
		.in = "path", .type = "string", .required = true
	};
	const char *at = p->path;
	char name[32];

	while ((at = strchr(at, '{')) != NULL) {
		at++;
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(at, "}"), at);
		v.name = name;
		v.text = strcmp(name, "name") == 0
			     ? "For people: any text."
			     : "The id of what is meant, 32 hex digits.";
		path_param(w, &v);
	}
}

static void
path_params(struct json_writer *w, size_t i)
{
	size_t k;

	json_key(w, "parameters");
	json_array(w);
	path_braces(w, &paths[i]);
	for (k = 0; k < NELEM(params); k++)
		if (params[k].path == (enum path_id)i)
			path_param(w, &params[k]);
	json_array_end(w);
}

/* "Schema type/subtype", or a type of bytes. */
static void
path_media(struct json_writer *w, const char *what, size_t n)
{
	const char *space = memchr(what, ' ', n);
	char name[64];

	if (space != NULL) {
		snprintf(name, sizeof(name), "%.*s",
		    (int)(what + n - space - 1), space + 1);
		json_key(w, name);
	} else {
		snprintf(name, sizeof(name), "%.*s", (int)n, what);
		json_key(w, name);
	}
	json_object(w);
	if (space != NULL) {
		snprintf(name, sizeof(name), "%.*s", (int)(space - what), what);
		json_key(w, "schema");
		json_object(w);
		openapi_schema_ref(w, "schemas", name);
		json_object_end(w);
	}
	json_object_end(w);
}

/* One of these, or several with commas between. */
static void
path_content(struct json_writer *w, const char *what)
{
	size_t n;

	json_key(w, "content");
	json_object(w);
	for (; *what != '\0'; what += n + (what[n] == ',')) {
		n = strcspn(what, ",");
		path_media(w, what, n);
	}
	json_object_end(w);
}

static void
path_security(struct json_writer *w, const struct path *p)
{
	json_key(w, "security");
	json_array(w);
	if (p->credential == TOKEN) {
		json_object(w);
		json_key(w, "token");
		json_array(w);
		json_array_end(w);
		json_object_end(w);
	}
	json_array_end(w);
}

static void
path_answer(struct json_writer *w, const char *status, const char *text,
    const char *content)
{
	json_key(w, status);
	json_object(w);
	openapi_schema_word(w, "description", text);
	if (*content != '\0')
		path_content(w, content);
	json_object_end(w);
}

static void
path_answers(struct json_writer *w, const struct path *p)
{
	const char *error = str_starts(p->path, "/v1/")
				? "Problem application/problem+json,"
				  "PlainError application/json"
				: "PlainError application/json";
	char status[8];
	size_t k;

	snprintf(status, sizeof(status), "%d", p->status);
	json_key(w, "responses");
	json_object(w);
	path_answer(w, status, "It is done.", p->answer);
	for (k = 0; k < NELEM(answers); k++) {
		if (answers[k].path != (enum path_id)(p - paths))
			continue;
		snprintf(status, sizeof(status), "%d", answers[k].status);
		path_answer(w, status, answers[k].text,
		    answers[k].status == 206 ? p->answer : "");
	}
	path_answer(w, "4XX", "It is refused; the body says why.", error);
	path_answer(w, "5XX", "The server cannot do it now.",
	    strncmp(p->answer, "Health ", 7) == 0 ? p->answer : error);
	json_object_end(w);
}

void
openapi_path(struct json_writer *w, size_t i)
{
	const struct path *p = &paths[i];
	size_t k, n = strcspn(p->text, ";.");
	char id[64];

	for (k = 0; p->id[k] != '\0' && k < sizeof(id) - 1; k++)
		id[k] = (char)(p->id[k] >= 'A' && p->id[k] <= 'Z'
				   ? p->id[k] - 'A' + 'a'
				   : p->id[k]);
	id[k] = '\0';
	json_object(w);
	openapi_schema_word(w, "operationId", id);
	json_key(w, "summary");
	json_strn(w, p->text, n);
	openapi_schema_word(w, "description", p->text);
	json_key(w, "tags");
	json_array(w);
	json_str(w, p->noun);
	json_array_end(w);
	path_security(w, p);
	path_params(w, i);
	if (*p->body != '\0') {
		json_key(w, "requestBody");
		json_object(w);
		json_key(w, "required");
		json_bool(w, true);
		path_content(w, p->body);
		json_object_end(w);
	}
	path_answers(w, p);
	json_object_end(w);
}
