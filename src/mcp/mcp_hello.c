/* SPDX-License-Identifier: ISC */
/*
 * Which revision is spoken, and what we say of ourselves.
 *
 * A legacy client says initialize once; it gets the revision that it asks for
 * if we speak it, else our newest legacy one, and never an error for it, since
 * it could do nothing about that.  A modern one says its revision in every
 * request.  Both may come over one connection.
 *
 * Claude Code takes what a server pushes to it only from a legacy connection:
 * where messages shall be pushed, server/discover is an unknown method, and it
 * falls back to initialize.
 */
#include "mcp/mcp_request.h"

#include <stdlib.h>
#include <string.h>

#define CLAUDE_CODE "claude-code"

const char *const mcp_push_names[] = { "auto", "on", "off", NULL };

const char *const mcp_revision_names[] = {
	[MCP_UNKNOWN] = "",
	[MCP_2024_11_05] = "2024-11-05",
	[MCP_2025_03_26] = "2025-03-26",
	[MCP_2025_06_18] = "2025-06-18",
	[MCP_2025_11_25] = "2025-11-25",
	[MCP_2026_07_28] = "2026-07-28",
};

enum mcp_revision
mcp_revision(const char *name, size_t n)
{
	size_t i;

	for (i = MCP_2024_11_05; i < NELEM(mcp_revision_names); i++)
		if (strlen(mcp_revision_names[i]) == n &&
		    memcmp(mcp_revision_names[i], name, n) == 0)
			return (enum mcp_revision)i;
	return MCP_UNKNOWN;
}

const char *
mcp_revision_name(enum mcp_revision r)
{
	return mcp_revision_names[r];
}

static void
hello_flag(struct json_writer *w, const char *key)
{
	json_key(w, key);
	json_object(w);
	json_object_end(w);
}

static void
hello_capabilities(struct mcp_request *r, struct json_writer *w)
{
	json_key(w, "capabilities");
	json_object(w);
	hello_flag(w, "tools");
	hello_flag(w, "prompts");
	if (r->revision >= MCP_2025_03_26)
		hello_flag(w, "completions");
	json_key(w, "resources");
	json_object(w);
	json_key(w, "subscribe");
	json_bool(w, r->revision == MCP_2026_07_28 ||
			 !r->m->config.is_passing || r->m->config.is_kept);
	json_object_end(w);
	if (r->revision < MCP_2026_07_28)
		hello_flag(w, "logging");
	json_key(w, "extensions");
	json_object(w);
	hello_flag(w, EXTENSION_SKILLS);
	json_object_end(w);
	if (r->m->pushes && r->revision < MCP_2026_07_28) {
		json_key(w, "experimental");
		json_object(w);
		hello_flag(w, CHANNEL);
		json_object_end(w);
	}
	json_object_end(w);
}

static void
hello_server(struct mcp_request *r, struct json_writer *w)
{
	json_key(w, "serverInfo");
	json_object(w);
	json_key(w, "name");
	json_str(w, "linnet");
	json_key(w, "title");
	json_str(w, "Linnet");
	json_key(w, "version");
	json_str(w, r->m->config.version);
	json_object_end(w);
}

/* The guide, and who the agent is. */
static void
hello_instructions(struct mcp_request *r, struct json_writer *w)
{
	const struct mcp_config *c = &r->m->config;
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	if (c->name != NULL && c->mesh != NULL)
		buf_addf(&b, "You are \"%s\" in the mesh \"%s\".\n\n", c->name,
		    c->mesh);
	buf_adds(
	    &b, c->tools == MCP_TOOLS_NONE ? mcp_guide_command : mcp_guide);
	if (b.failed)
		fatalx("out of memory");
	json_key(w, "instructions");
	json_strn(w, b.data, b.len);
	buf_free(&b);
}

/* Does the client say that it is Claude Code? */
static bool
hello_is_claude(struct mcp_request *r, size_t info)
{
	const char *name =
	    info != 0 ? mcp_json_str(&r->pool, &r->m->json, info, "name")
		      : NULL;

	return name != NULL && strcmp(name, CLAUDE_CODE) == 0;
}

static bool
hello_pushes(struct mcp_request *r, size_t info)
{
	enum mcp_push push = r->m->config.push;

	return push == MCP_PUSH_ON ||
	       (push == MCP_PUSH_AUTO && hello_is_claude(r, info));
}

void
mcp_hello_initialize(struct mcp_request *r, size_t params)
{
	const struct json *j = &r->m->json;
	const char *wanted = mcp_param(r, params, "protocolVersion");
	struct json_writer *w;
	enum mcp_revision revision;

	if (wanted == NULL) {
		mcp_fail(r, RPC_PARAMS, 400,
		    "The member protocolVersion is missing.");
		return;
	}
	if (r->batch != NULL) {
		mcp_fail(r, RPC_REQUEST, 400,
		    "Send initialize alone, not in a batch.");
		return;
	}
	revision = mcp_revision(wanted, strlen(wanted));
	if (revision == MCP_UNKNOWN || revision > MCP_2025_11_25)
		revision = MCP_2025_11_25;
	r->revision = r->m->revision = revision;
	r->m->initialized = false;
	r->m->can = r->m->config.is_duplex ? mcp_can(j, params) : 0;
	r->m->pushes =
	    hello_pushes(r, mcp_json_in(j, params, "clientInfo", JSON_OBJECT));
	w = mcp_result(r);
	json_key(w, "protocolVersion");
	json_str(w, mcp_revision_names[revision]);
	hello_capabilities(r, w);
	hello_server(r, w);
	hello_instructions(r, w);
	mcp_result_end(r);
}

void
mcp_hello_discover(struct mcp_request *r, size_t params)
{
	const struct json *j = &r->m->json;
	size_t meta = mcp_json_in(j, params, "_meta", JSON_OBJECT);
	struct json_writer *w;

	if (hello_pushes(r, mcp_json_in(j, meta, META_CLIENT, JSON_OBJECT))) {
		mcp_fail(r, RPC_METHOD, 404,
		    "There is no method server/discover here; say "
		    "initialize.");
		return;
	}
	w = mcp_result(r);
	json_key(w, "supportedVersions");
	json_array(w);
	json_str(w, mcp_revision_names[MCP_2026_07_28]);
	json_array_end(w);
	hello_capabilities(r, w);
	/* It is in _meta already, but clients of drafts look here. */
	hello_server(r, w);
	hello_instructions(r, w);
	mcp_result_cache(r, 3600000, false);
	mcp_result_end(r);
}

bool
mcp_hello_modern(struct mcp_request *r, size_t meta)
{
	const struct json *j = &r->m->json;
	const char *wanted =
	    meta != 0 ? mcp_json_str(&r->pool, j, meta, META_VERSION) : NULL;
	struct json_writer w;
	struct buf data;

	if (wanted == NULL ||
	    mcp_json_in(j, meta, META_CAPABILITIES, JSON_OBJECT) == 0) {
		mcp_fail(r, RPC_PARAMS, 400,
		    "The _meta of a request has a text \"%s\" and an object "
		    "\"%s\".",
		    META_VERSION, META_CAPABILITIES);
		return false;
	}
	if (mcp_revision(wanted, strlen(wanted)) == MCP_2026_07_28) {
		r->revision = MCP_2026_07_28;
		r->can = mcp_input_can(
		    j, mcp_json_in(j, meta, META_CAPABILITIES, JSON_OBJECT));
		return true;
	}
	buf_init(&data, SIZE_MAX / 2);
	json_start(&w, &data);
	json_object(&w);
	json_key(&w, "supported");
	json_array(&w);
	json_str(&w, mcp_revision_names[MCP_2026_07_28]);
	json_array_end(&w);
	json_key(&w, "requested");
	json_str(&w, wanted);
	json_object_end(&w);
	mcp_fail_data(r, RPC_VERSION, 400, buf_str(&data),
	    "This revision of MCP is not spoken here; those before 2026-07-28 "
	    "begin with initialize.");
	buf_free(&data);
	return false;
}
