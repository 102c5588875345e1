/* SPDX-License-Identifier: ISC */
/*
 * Tools and resources that the public conformance suite for MCP servers looks
 * for (contrib/mcp/conformance).  Only the programs of t/mcp have them.
 *
 * They go through the same envelopes, streams, schemas of results, lists and
 * subscriptions as ours.
 */
#include "mcp/mcp_request.h"

#include <string.h>

#define FIXTURE_PNG                                                            \
	"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwAD" \
	"hgGAWjR9awAAAABJRU5ErkJggg=="
#define FIXTURE_WAV \
	"UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="

/* What schemas may have, which lists have to keep. */
#define FIXTURE_SCHEMA                                                   \
	"{\"$schema\":\"https://json-schema.org/draft/2020-12/"          \
	"schema\",\"type\":\"object\",\"$defs\":{\"address\":{\"$anch"   \
	"or\":\"addressDef\",\"type\":\"object\",\"properties\":{\"st"   \
	"reet\":{\"type\":\"string\"},\"city\":{\"type\":\"string\"}}}"  \
	"},\"properties\":{\"name\":{\"type\":\"string\"},\"address\""   \
	":{\"$ref\":\"#/$defs/address\"},\"contactMethod\":{\"type"      \
	"\":\"string\",\"enum\":[\"phone\",\"email\"]},\"phone\":{\"typ" \
	"e\":\"string\"},\"email\":{\"type\":\"string\"}},\"allOf\":[{"  \
	"\"anyOf\":[{\"required\":[\"phone\"]},{\"required\":[\"emai"    \
	"l\"]}]}],\"if\":{\"properties\":{\"contactMethod\":{\"cons"     \
	"t\":\"phone\"}},\"required\":[\"contactMethod\"]},\"then\":"    \
	"{\"required\":[\"phone\"]},\"else\":{\"required\":[\"email\""   \
	"]},\"additionalProperties\":false}"

static void
fixture_text(struct json_writer *w, const char *text)
{
	json_object(w);
	json_key(w, "type");
	json_str(w, "text");
	json_key(w, "text");
	json_str(w, text);
	json_object_end(w);
}

static void
fixture_data(
    struct json_writer *w, const char *type, const char *mime, const char *data)
{
	json_object(w);
	json_key(w, "type");
	json_str(w, type);
	json_key(w, "data");
	json_str(w, data);
	json_key(w, "mimeType");
	json_str(w, mime);
	json_object_end(w);
}

/* One of the contents of a resource; key: text or blob. */
static void
fixture_contents(struct json_writer *w, const char *uri, const char *mime,
    const char *key, const char *value)
{
	json_object(w);
	json_key(w, "uri");
	json_str(w, uri);
	json_key(w, "mimeType");
	json_str(w, mime);
	json_key(w, key);
	json_str(w, value);
	json_object_end(w);
}

static void
fixture_embed(
    struct json_writer *w, const char *uri, const char *mime, const char *text)
{
	json_object(w);
	json_key(w, "type");
	json_str(w, "resource");
	json_key(w, "resource");
	fixture_contents(w, uri, mime, "text", text);
	json_object_end(w);
}

static struct json_writer *
fixture_result(struct mcp_request *r)
{
	struct json_writer *w = mcp_result(r);

	json_key(w, "content");
	json_array(w);
	return w;
}

static void
fixture_end(struct mcp_request *r, bool failed)
{
	json_array_end(&r->w);
	if (failed) {
		json_key(&r->w, "isError");
		json_bool(&r->w, true);
	}
	mcp_result_end(r);
}

/*
 * Tools.
 */
static void
fixture_simple(struct mcp_request *r)
{
	fixture_text(
	    fixture_result(r), "This is a simple text response for testing.");
	fixture_end(r, false);
}

static void
fixture_image(struct mcp_request *r)
{
	fixture_data(fixture_result(r), "image", "image/png", FIXTURE_PNG);
	fixture_end(r, false);
}

static void
fixture_audio(struct mcp_request *r)
{
	fixture_data(fixture_result(r), "audio", "audio/wav", FIXTURE_WAV);
	fixture_end(r, false);
}

static void
fixture_embedded(struct mcp_request *r)
{
	fixture_embed(fixture_result(r), "test://embedded-resource",
	    "text/plain", "This is an embedded resource content.");
	fixture_end(r, false);
}

static void
fixture_mixed(struct mcp_request *r)
{
	struct json_writer *w = fixture_result(r);

	fixture_text(w, "Multiple content types test:");
	fixture_data(w, "image", "image/png", FIXTURE_PNG);
	fixture_embed(w, "test://mixed-content-resource", "application/json",
	    "{\"test\":\"data\",\"value\":123}");
	fixture_end(r, false);
}

static void
fixture_error(struct mcp_request *r)
{
	fixture_text(fixture_result(r),
	    "This tool intentionally returns an error for testing");
	fixture_end(r, true);
}

static void
fixture_progress(struct mcp_request *r)
{
	struct json_writer w;
	struct buf b;
	int64_t i;

	for (i = 0; i <= 100 && r->progress.n > 0; i += 50) {
		mcp_note(&w, &b, "notifications/progress");
		json_key(&w, "progressToken");
		json_raw(&w, r->progress.p, r->progress.n);
		json_key(&w, "progress");
		json_num(&w, i);
		json_key(&w, "total");
		json_num(&w, 100);
		mcp_note_end(r->m, &w, &b, r->tag);
	}
	fixture_simple(r);
}

static void
fixture_logging(struct mcp_request *r)
{
	static const char *const texts[] = { "Tool execution started",
		"Tool processing data", "Tool execution completed" };
	struct json_writer w;
	struct buf b;
	size_t i;

	for (i = 0; i < NELEM(texts) && r->revision < MCP_2026_07_28; i++) {
		mcp_note(&w, &b, "notifications/message");
		json_key(&w, "level");
		json_str(&w, "info");
		json_key(&w, "data");
		json_str(&w, texts[i]);
		mcp_note_end(r->m, &w, &b, r->tag);
	}
	fixture_simple(r);
}

/* No client has what this one wants. */
static void
fixture_capability(struct mcp_request *r)
{
	mcp_fail_data(r, RPC_CAPABILITY, 400,
	    "{\"requiredCapabilities\":{\"sampling\":{}}}",
	    "The client did not declare the capability sampling.");
}

static const struct fixture {
	const char *name;
	void (*fn)(struct mcp_request *r);
} fixtures[] = {
	{ "test_simple_text", fixture_simple },
	{ "test_image_content", fixture_image },
	{ "test_audio_content", fixture_audio },
	{ "test_embedded_resource", fixture_embedded },
	{ "test_multiple_content_types", fixture_mixed },
	{ "test_error_handling", fixture_error },
	{ "test_tool_with_progress", fixture_progress },
	{ "test_tool_with_logging", fixture_logging },
	{ "test_logging_tool", fixture_logging },
	{ "test_missing_capability", fixture_capability },
	{ "test_streaming_elicitation", fixture_simple },
};

static void
fixture_answered(struct mcp_request *r)
{
	fixture_text(fixture_result(r),
	    r->input_state != NULL ? "state-ok" : "That was the answer.");
	fixture_end(r, false);
}

static void
fixture_tool(struct json_writer *w, const char *name, const char *schema)
{
	json_object(w);
	json_key(w, "name");
	json_str(w, name);
	json_key(w, "description");
	json_str(w, "Used by the conformance suite.");
	json_key(w, "inputSchema");
	json_raw(w, schema, strlen(schema));
	json_object_end(w);
}

void
mcp_fixture_tools(struct json_writer *w)
{
	const char *name;
	size_t i;

	for (i = 0; i < NELEM(fixtures); i++)
		fixture_tool(w, fixtures[i].name, "{\"type\":\"object\"}");
	for (i = 0; (name = mcp_fixture_ask_name(i)) != NULL; i++)
		if (mcp_fixture_prompt(name) == NULL)
			fixture_tool(w, name, "{\"type\":\"object\"}");
	fixture_tool(w, "json_schema_2020_12_tool", FIXTURE_SCHEMA);
}

/*
 * Resources.
 */
static bool
fixture_read(struct mcp_request *r, const char *uri)
{
	const char *key = "text", *mime = "text/plain", *value, *id;
	struct json_writer *w;

	if (strcmp(uri, "test://static-text") == 0)
		value = "This is the content of the static text resource.";
	else if (strcmp(uri, "test://watched-resource") == 0)
		value = "It does not change.";
	else if (strcmp(uri, "test://static-binary") == 0) {
		key = "blob";
		mime = "image/png";
		value = FIXTURE_PNG;
	} else if (str_starts(uri, "test://template/") &&
		   (id = strchr(uri + 16, '/')) != NULL &&
		   strcmp(id, "/data") == 0) {
		mime = "application/json";
		value = pool_printf(&r->pool,
		    "{\"id\":\"%.*s\",\"templateTest\":true,"
		    "\"data\":\"Data for ID: %.*s\"}",
		    (int)(id - uri - 16), uri + 16, (int)(id - uri - 16),
		    uri + 16);
	} else
		return false;
	w = mcp_result(r);
	json_key(w, "contents");
	json_array(w);
	fixture_contents(w, uri, mime, key, value);
	json_array_end(w);
	mcp_result_cache(r, 1000, true);
	mcp_result_end(r);
	return true;
}

/*
 * Prompts.
 */
#define FIXTURE_ARG(name)                                        \
	{                                                        \
		name, "An argument", "Used by the suite.", true, \
		    COMPLETE_NOTHING                             \
	}

static const struct mcp_prompt fixture_prompts[] = {
	{ "test_simple_prompt", "A prompt", "Used by the conformance suite.",
	    "This is a simple prompt for testing.", { { .name = NULL } } },
	{ "test_prompt_with_arguments", "A prompt",
	    "Used by the conformance suite.",
	    "Prompt with arguments: arg1='{arg1}', arg2='{arg2}'",
	    { FIXTURE_ARG("arg1"), FIXTURE_ARG("arg2"), { .name = NULL } } },
	{ "test_prompt_with_embedded_resource", "A prompt",
	    "Used by the conformance suite.", NULL,
	    { FIXTURE_ARG("resourceUri"), { .name = NULL } } },
	{ "test_input_required_result_prompt", "A prompt",
	    "Used by the conformance suite.", "It has its answer.",
	    { { .name = NULL } } },
	{ "test_prompt_with_image", "A prompt",
	    "Used by the conformance suite.", NULL, { { .name = NULL } } },
};

const struct mcp_prompt *
mcp_fixture_prompt_at(size_t i)
{
	return i < NELEM(fixture_prompts) ? &fixture_prompts[i] : NULL;
}

const struct mcp_prompt *
mcp_fixture_prompt(const char *name)
{
	size_t i;

	for (i = 0; i < NELEM(fixture_prompts); i++)
		if (strcmp(fixture_prompts[i].name, name) == 0)
			return &fixture_prompts[i];
	return NULL;
}

static void
fixture_says(struct json_writer *w)
{
	json_object(w);
	json_key(w, "role");
	json_str(w, "user");
	json_key(w, "content");
}

/* What is no text alone. */
bool
mcp_fixture_prompt_get(
    struct mcp_request *r, const struct mcp_prompt *p, size_t params)
{
	struct json_writer *w;
	const char *uri;

	if (mcp_fixture_ask(r, p->name, params))
		return true;
	if (p->text != NULL)
		return false;
	uri = mcp_prompt_value(r, params, "resourceUri", 11);
	w = mcp_prompt_begin(r, p);
	fixture_says(w);
	if (uri != NULL)
		fixture_embed(w, uri, "text/plain",
		    "Embedded resource content for testing.");
	else
		fixture_data(w, "image", "image/png", FIXTURE_PNG);
	json_object_end(w);
	fixture_says(w);
	fixture_text(w, "Please look at what is above.");
	json_object_end(w);
	mcp_prompt_end(r);
	return true;
}

bool
mcp_fixture(struct mcp_request *r, const char *method, size_t params)
{
	const char *name = mcp_param(r, params, "name");
	const char *uri = mcp_param(r, params, "uri");
	size_t i;

	if (strcmp(method, "tools/call") == 0 && name != NULL &&
	    mcp_fixture_asks(name)) {
		if (!mcp_fixture_ask(r, name, params))
			fixture_answered(r);
		return true;
	}
	if (strcmp(method, "tools/call") == 0 && name != NULL)
		for (i = 0; i < NELEM(fixtures); i++)
			if (strcmp(fixtures[i].name, name) == 0) {
				fixtures[i].fn(r);
				return true;
			}
	if (uri == NULL || !str_starts(uri, "test://"))
		return false;
	if (strcmp(method, "resources/read") == 0)
		return fixture_read(r, uri);
	if (strcmp(method, "resources/subscribe") == 0 ||
	    strcmp(method, "resources/unsubscribe") == 0) {
		mcp_result_empty(r);
		return true;
	}
	return false;
}
