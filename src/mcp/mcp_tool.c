/* SPDX-License-Identifier: ISC */
/*
 * tools/list and tools/call.
 *
 * A call checks its arguments, asks the backend, makes the result from the
 * answer, and then asks how many messages are unread, with which every result
 * ends: so an agent that nothing can wake hears of its messages all the same.
 * What goes wrong is a result, too, that says so in a sentence; only a tool
 * that does not exist is an error of the protocol.
 */
#include "mcp/mcp_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOOLS_PAGE 50
#define TOOLS_TTL_MS 3600000

static void
tool_annotations(struct json_writer *w, const struct mcp_tool *t)
{
	json_key(w, "annotations");
	json_object(w);
	json_key(w, "title");
	json_str(w, t->title);
	json_key(w, "readOnlyHint");
	json_bool(w, t->hints & HINT_READ);
	json_key(w, "destructiveHint");
	json_bool(w, t->hints & HINT_DESTRUCTIVE);
	json_key(w, "idempotentHint");
	json_bool(w, t->hints & HINT_IDEMPOTENT);
	json_key(w, "openWorldHint");
	json_bool(w, false);
	json_object_end(w);
}

static void
tool_describe(
    struct json_writer *w, const struct mcp_tool *t, enum mcp_revision revision)
{
	json_object(w);
	json_key(w, "name");
	json_str(w, t->name);
	if (revision >= MCP_2025_06_18) {
		json_key(w, "title");
		json_str(w, t->title);
	}
	json_key(w, "description");
	json_str(w, t->text);
	json_key(w, "inputSchema");
	mcp_schema(w, t, true);
	if (revision >= MCP_2025_06_18) {
		json_key(w, "outputSchema");
		mcp_schema(w, t, false);
	}
	if (revision >= MCP_2025_03_26)
		tool_annotations(w, t);
	json_object_end(w);
}

void
mcp_tool_list(struct mcp_request *r, size_t params)
{
	const char *cursor = mcp_param(r, params, "cursor");
	const struct mcp_tool *t;
	int64_t from = 0, at = 0;
	struct json_writer *w;

	if (cursor != NULL && str_num(cursor, 1, 1000, &from) != NULL) {
		mcp_fail(r, RPC_PARAMS, 400,
		    "The cursor is not one that tools/list gave.");
		return;
	}
	w = mcp_result(r);
	json_key(w, "tools");
	json_array(w);
	for (t = mcp_tools; t->name != NULL; t++) {
		if (!mcp_tool_is_in(t, &r->m->config) || at++ < from)
			continue;
		if (at > from + TOOLS_PAGE)
			break;
		tool_describe(w, t, r->revision);
	}
#ifdef MCP_FIXTURES
	mcp_fixture_tools(w);
#endif
	json_array_end(w);
	if (t->name != NULL) {
		json_key(w, "nextCursor");
		json_str(w, pool_printf(&r->pool, "%lld",
				(long long)(from + TOOLS_PAGE)));
	}
	mcp_result_cache(r, TOOLS_TTL_MS, true);
	mcp_result_end(r);
}

/*
 * Results.
 */
static void
tool_text(struct json_writer *w, const char *text, size_t n)
{
	json_object(w);
	json_key(w, "type");
	json_str(w, "text");
	json_key(w, "text");
	json_strn(w, text, n);
	json_object_end(w);
}

static void
tool_result_failed(struct mcp_request *r, struct slice unread)
{
	struct json_writer *w = mcp_result(r);

	json_key(w, "content");
	json_array(w);
	tool_text(w, r->result.data, r->result.len);
	if (unread.n > 0)
		tool_text(w, unread.p, unread.n);
	json_array_end(w);
	json_key(w, "isError");
	json_bool(w, true);
	mcp_result_end(r);
}

/* unread: its JSON. */
static void
tool_result_good(struct mcp_request *r, struct slice unread)
{
	struct json_writer *w;

	buf_addf(&r->result, "%s\"unread\":", r->result.len > 1 ? "," : "");
	buf_add(&r->result, unread.p, unread.n);
	buf_addc(&r->result, '}');
	if (r->result.failed)
		fatalx("out of memory");
	w = mcp_result(r);
	json_key(w, "content");
	json_array(w);
	tool_text(w, r->result.data, r->result.len);
	json_array_end(w);
	if (r->revision >= MCP_2025_06_18) {
		json_key(w, "structuredContent");
		json_raw(w, r->result.data, r->result.len);
	}
	json_key(w, "isError");
	json_bool(w, false);
	mcp_result_end(r);
}

/* The last answer: how many messages are unread. */
static void
tool_counted(
    struct mcp_request *r, const struct mcp_error *e, const struct json *j)
{
	int64_t count = e == NULL ? mcp_json_int(j, 0, "count") : 0;
	const char *highest =
	    e == NULL ? mcp_json_str(&r->pool, j, 0, "highest") : NULL;
	struct slice unread;

	if (count <= 0 || highest == NULL)
		highest = "";
	if (r->failed) {
		unread.p = pool_printf(&r->pool,
		    "%lld unread message%s, highest priority %s; read them "
		    "with check_messages.",
		    (long long)count, count == 1 ? "" : "s", highest);
		unread.n = count > 0 ? strlen(unread.p) : 0;
		tool_result_failed(r, unread);
		return;
	}
	unread.p = pool_printf(&r->pool, "{\"count\":%lld%s%s%s}",
	    (long long)count, highest[0] != '\0' ? ",\"highest\":\"" : "",
	    highest, highest[0] != '\0' ? "\"" : "");
	unread.n = strlen(unread.p);
	tool_result_good(r, unread);
}

void
mcp_tool_end(struct mcp_request *r)
{
	mcp_ask_unread(r, tool_counted);
}

void
mcp_tool_fail(struct mcp_request *r, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	buf_clear(&r->result);
	if (n < 0 || (text = buf_reserve(&r->result, (size_t)n + 1)) == NULL)
		fatalx("out of memory");
	va_start(ap, fmt);
	(void)vsnprintf(text, (size_t)n + 1, fmt, ap);
	va_end(ap);
	r->result.len = (size_t)n;
	r->failed = true;
	mcp_tool_end(r);
}

/* What to do about an error, where its sentence does not say it. */
static const char *
tool_advice(const char *code)
{
	static const struct {
		const char *code;
		const char *text;
	} advice[] = {
		{ "ambiguous_target", " list_peers shows the keys." },
		{ "version_conflict", " get_state reads it." },
	};
	size_t i;

	for (i = 0; i < NELEM(advice); i++)
		if (strcmp(advice[i].code, code) == 0)
			return advice[i].text;
	return "";
}

void
mcp_tool_failed(struct mcp_request *r, const struct mcp_error *e)
{
	mcp_tool_fail(
	    r, "%s%s (%s)", e->message, tool_advice(e->code), e->code);
}

void
mcp_tool_answered(
    struct mcp_request *r, const struct mcp_error *e, const struct json *j)
{
	const struct mcp_page page = {
		.paging = r->tool->paging,
		.limit = r->limit,
		.offset = r->offset,
	};
	struct json_writer w;

	if (e != NULL) {
		mcp_tool_failed(r, e);
		return;
	}
	json_start(&w, &r->result);
	json_object(&w);
	mcp_project(&w, r->tool->out, j, 0, &page);
	if (r->reply_to != NULL)
		mcp_message_used(r->m, r->reply_to);
	mcp_tool_end(r);
}

/*
 * Calls.
 */
/* Pages that are made here: limit, and as after the number of rows before. */
static bool
tool_page(struct mcp_request *r, size_t args)
{
	const struct json *j = &r->m->json;
	int64_t limit = args != 0 ? mcp_json_int(j, args, "limit") : 0;
	const char *after =
	    args != 0 ? mcp_json_str(&r->pool, j, args, "after") : NULL;
	int64_t offset = 0;

	r->limit = limit > 0 ? (size_t)limit : MCP_PAGE;
	if (r->tool->paging != PAGE_OFFSET || after == NULL)
		return true;
	if (str_num(after, 0, INT32_MAX, &offset) != NULL)
		return false;
	r->offset = (size_t)offset;
	return true;
}

static void
tool_run(struct mcp_request *r, size_t args)
{
	const struct json *j = &r->m->json;
	struct buf fields;

	if (!tool_page(r, args)) {
		mcp_tool_fail(r,
		    "after must be the `next` of a page before, when the same "
		    "was asked.");
		return;
	}
	buf_init(&fields, SIZE_MAX / 2);
	mcp_args_fields(&fields, r->tool, j, args);
	if (r->tool->kind != TOOL_SEND ||
	    !mcp_file_attach(r, j, args, fields.data))
		mcp_ask_op(r, r->tool->op, fields.data, mcp_tool_answered);
	buf_free(&fields);
}

void
mcp_tool_call(struct mcp_request *r, size_t params)
{
	const struct json *j = &r->m->json;
	const char *name = mcp_param(r, params, "name"), *problem;
	size_t args = params != 0 ? json_get(j, params, "arguments") : 0;

	if (name != NULL)
		r->tool = mcp_tool_find(
		    &r->m->config, (struct slice){ name, strlen(name) });
	if (r->tool == NULL) {
		mcp_fail(r, RPC_PARAMS, 400, "There is no tool %.100s.",
		    name != NULL ? name : "without a name");
		return;
	}
	if (args != 0 && j->nodes[args].type == JSON_NULL)
		args = 0;
	problem = mcp_args_check(&r->pool, r->tool, j, args);
	if (problem != NULL) {
		mcp_tool_fail(r, "%s", problem);
		return;
	}
	switch (r->tool->kind) {
	case TOOL_CHECK:
		mcp_message_check(r, j, args);
		break;
	case TOOL_WAIT:
		mcp_message_wait(r, j, args);
		break;
	case TOOL_ACK:
		mcp_message_ack(r, j, args);
		break;
	case TOOL_SHARE:
		mcp_file_share(r, j, args);
		break;
	case TOOL_FETCH:
		mcp_file_fetch(r, j, args);
		break;
	case TOOL_CHANNEL:
		if (tool_page(r, args))
			mcp_channel_call(r, args);
		break;
	case TOOL_PERMISSION:
		mcp_permission_request(r, j, args);
		break;
	case TOOL_SEND:
		r->reply_to = mcp_json_str(&r->pool, j, args, "reply_to");
		if (!mcp_channel_send(r, args))
			tool_run(r, args);
		break;
	case TOOL_CALL:
		tool_run(r, args);
		break;
	}
}
