/* SPDX-License-Identifier: ISC */
/*
 * mcp: what a client says, what the backend is asked, what the client gets.
 * A row is a line of the client; the tables share a backend that answers what
 * the row says, and a clock that only the test moves.
 */
#include "mcp/mcp.h"

#include <stdlib.h>

#include "mcp/mcp_request.h"
#include "tap.h"

static int64_t now_ms = 1000;
int64_t __wrap_clock_mono(void);
int64_t
__wrap_clock_mono(void)
{
	return now_ms;
}

/*
 * The backend: remembers what it was asked; answers at once, or, when there is
 * no answer, keeps the question.
 */
static struct {
	char op[64];
	char fields[1024];
	const char *answer;	/* NULL: later */
	struct mcp_error error; /* code NULL: none */
	struct mcp_ask *ask;
	int forgotten;
	struct mcp_inbox *inbox;
	char acked[256];
	int64_t more;
} back;

static void
back_answer(struct mcp_ask *a)
{
	if (back.error.code != NULL)
		mcp_answer(a, &back.error, NULL, 0);
	else if (back.answer != NULL)
		mcp_answer(a, NULL, back.answer, strlen(back.answer));
	else
		back.ask = a;
}

static void
back_call(void *arg, struct mcp_ask *a, const char *op, const char *fields)
{
	(void)arg;
	(void)str_copy(back.op, op, sizeof(back.op));
	(void)str_copy(back.fields, fields, sizeof(back.fields));
	back_answer(a);
}

/* What is to be shared or got, as text. */
static void
back_share(void *arg, struct mcp_ask *a, const struct mcp_share *s)
{
	(void)arg;
	(void)str_copy(back.op, "share", sizeof(back.op));
	snprintf(back.fields, sizeof(back.fields), "%s;%.*s;%s;%s;%s;%d;%d",
	    s->path != NULL ? s->path : "", (int)s->n,
	    s->bytes != NULL ? s->bytes : "", s->name != NULL ? s->name : "",
	    s->mime != NULL ? s->mime : "", s->tags != NULL ? s->tags : "",
	    s->attached, (int)s->size);
	back_answer(a);
}

static void
back_fetch(void *arg, struct mcp_ask *a, const struct mcp_fetch *f)
{
	(void)arg;
	(void)str_copy(back.op, "fetch", sizeof(back.op));
	snprintf(back.fields, sizeof(back.fields), "%s;%s;%zu;%d", f->id,
	    f->path != NULL ? f->path : "", f->most, f->look);
	back_answer(a);
}

static void
back_messages(void *arg, struct mcp_ask *a, size_t limit, bool take)
{
	struct buf b;

	(void)arg;
	(void)take;
	buf_init(&b, SIZE_MAX / 2);
	mcp_inbox_list(back.inbox, &b, limit, false);
	mcp_answer(a, NULL, b.data, b.len);
	buf_free(&b);
}

static void
back_unread(void *arg, struct mcp_ask *a)
{
	struct buf b;

	(void)arg;
	buf_init(&b, SIZE_MAX / 2);
	mcp_inbox_unread(back.inbox, &b, back.more, back.more > 0 ? "low" : "");
	mcp_answer(a, NULL, b.data, b.len);
	buf_free(&b);
}

static bool
back_take(void *arg, const char *id)
{
	(void)arg;
	return mcp_inbox_take(back.inbox, id);
}

static void
back_untake(void *arg, const char *id)
{
	(void)arg;
	mcp_inbox_untake(back.inbox, id);
}

static void
back_ack(void *arg, const char *id)
{
	size_t n = strlen(back.acked);

	(void)arg;
	mcp_inbox_drop(back.inbox, id);
	/* The ids of these tests differ in the last digit. */
	if (n + 2 < sizeof(back.acked)) {
		back.acked[n] = id[strlen(id) - 1];
		back.acked[n + 1] = '\0';
	}
}

static void
back_forget(void *arg, struct mcp_ask *a)
{
	(void)arg;
	back.forgotten++;
	if (back.ask == a)
		back.ask = NULL;
}

static const struct mcp_backend backend = {
	.call = back_call,
	.messages = back_messages,
	.unread = back_unread,
	.take = back_take,
	.untake = back_untake,
	.ack = back_ack,
	.share = back_share,
	.fetch = back_fetch,
	.forget = back_forget,
};

/*
 * The client: keeps what it got, a line each.
 */
static char *heard;
static size_t heard_n;

static void
client_out(void *arg, const struct mcp_out *o)
{
	struct json j;

	(void)arg;
	json_init(&j, 100000, 100);
	if (json_read(&j, o->text, o->n) != 0 ||
	    memchr(o->text, '\n', o->n) != NULL)
		ok(false, "JSON on a line: %.*s", (int)o->n, o->text);
	json_free(&j);
	heard = xreallocarray(heard, heard_n + o->n + 2, 1);
	memcpy(heard + heard_n, o->text, o->n);
	heard_n += o->n;
	heard[heard_n++] = '\n';
	heard[heard_n] = '\0';
}

static const char *
said(void)
{
	return heard_n > 0 ? heard : "";
}

static void
deaf(void)
{
	heard_n = 0;
}

static struct mcp *
client_new(enum mcp_revision revision, enum mcp_push push)
{
	const struct mcp_config c = {
		.backend = &backend,
		.out = client_out,
		.revision = revision,
		.push = push,
		.version = "1.2.3",
		.name = "alice",
		.mesh = "app",
	};

	memset(&back, 0, sizeof(back));
	back.answer = "{}";
	back.inbox = mcp_inbox_new();
	deaf();
	return mcp_new(&c);
}

static void
client_free(struct mcp *m)
{
	mcp_free(m);
	mcp_inbox_free(back.inbox);
}

static bool
say(struct mcp *m, const char *line)
{
	return mcp_input(m, line, strlen(line), NULL);
}

/* Everything of `wants`, between bars, is in what was heard. */
static void
hears(const char *wants, const char *name)
{
	char *copy = xstrdup(wants), *rest = copy, *want;
	bool good = true;

	while ((want = strsep(&rest, "|")) != NULL)
		if (strstr(said(), want) == NULL) {
			good = false;
			break;
		}
	if (!ok(good, "%s", name))
		printf("# want %s\n# got %s\n", want, said());
	free(copy);
}

#define META                                                          \
	"\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":"     \
	"\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities" \
	"\":{}}"

#define MODERN MCP_2026_07_28
static void
test_protocol(void)
{
	static const struct {
		const char *name;
		enum mcp_revision revision;
		const char *line;
		const char *wants; /* "": nothing is heard */
	} rows[] = {
		{ "no JSON", 0, "{\"a\":", "-32700|\"id\":null|at byte" },
		{ "no object", 0, "3", "-32600|\"id\":null" },
		{ "an empty batch", MCP_2025_03_26, "[]", "-32600" },
		{ "a batch where there are none", MCP_2025_06_18,
		    "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
		    "-32600|no batches" },
		{ "a batch", MCP_2025_03_26,
		    "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},3,"
		    "{\"jsonrpc\":\"2.0\",\"method\":\"x\"},"
		    "{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"method\":\"x/y\"}]",
		    "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}},"
		    "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":|"
		    "\"id\":\"b\",\"error\":{\"code\":-32601|}]\n" },
		{ "a batch of notifications", MCP_2025_03_26,
		    "[{\"jsonrpc\":\"2.0\",\"method\":\"x\"}]", "" },
		{ "initialize in a batch", MCP_2025_03_26,
		    "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\","
		    "\"params\":{\"protocolVersion\":\"2025-03-26\"}}]",
		    "-32600|alone" },
		{ "jsonrpc is missing", 0, "{\"id\":7,\"method\":\"ping\"}",
		    "\"id\":7|-32600" },
		{ "a null id", 0,
		    "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}",
		    "-32600|\"id\":null" },
		{ "an id that is no whole number", 0,
		    "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}",
		    "-32600|whole number" },
		{ "an id with escapes comes back as it was", 0,
		    "{\"jsonrpc\":\"2.0\",\"id\":\"\\u0041\\n\","
		    "\"method\":\"ping\"}",
		    "\"id\":\"\\u0041\\n\",\"result\":{}" },
		{ "params that are a list", MCP_2025_06_18,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\","
		    "\"params\":[]}",
		    "-32602" },
		{ "an answer is not answered", MCP_2025_06_18,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", "" },
		{ "a notification is not answered", MCP_2025_06_18,
		    "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}", "" },
		{ "before initialize", 0,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
		    "-32600|initialize" },
		{ "ping before initialize", 0,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
		    "\"result\":{}" },
		{ "an unknown method", MCP_2025_11_25,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a/b\"}",
		    "-32601|a/b" },
		{ "initialize without a version", 0,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\"}",
		    "-32602|protocolVersion" },
		{ "discover without _meta", 0,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,"
		    "\"method\":\"server/discover\"}",
		    "-32602|protocolVersion" },
		{ "discover", 0,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,"
		    "\"method\":\"server/discover\",\"params\":{" META "}}",
		    "\"supportedVersions\":[\"2026-07-28\"]|\"resultType\":"
		    "\"complete\"|\"ttlMs\":|\"cacheScope\":\"private\"|"
		    "serverInfo\":{\"name\":\"linnet\",\"version\":\"1.2.3\"}|"
		    "You are \\\"alice\\\" in the mesh \\\"app\\\"" },
		{ "a modern client of a later revision", 0,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\","
		    "\"params\":{\"_meta\":{\"io.modelcontextprotocol/"
		    "protocolVersion\":\"2031-01-01\",\"io.modelcontextprotocol"
		    "/clientCapabilities\":{}}}}",
		    "-32022|\"requested\":\"2031-01-01\"|\"supported\":[" },
		{ "a modern client that does not say what it can", 0,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\","
		    "\"params\":{\"_meta\":{\"io.modelcontextprotocol/"
		    "protocolVersion\":\"2026-07-28\"}}}",
		    "-32602|clientCapabilities" },
		{ "the tools of a modern client", 0,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\","
		    "\"params\":{" META "}}",
		    "\"cacheScope\":\"public\"|\"outputSchema\"|send_message" },
		{ "ping is not modern", 0,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\","
		    "\"params\":{" META "}}",
		    "-32601" },
		{ "HTTP may have said which revision it is", MODERN,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
		    "-32602" },
		{ "a cursor that is none", MCP_2025_06_18,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\","
		    "\"params\":{\"cursor\":\"x\"}}",
		    "-32602" },
		{ "a cursor", MCP_2025_06_18,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\","
		    "\"params\":{\"cursor\":\"18\"}}",
		    "\"tools\":[{\"name\":\"cancel_scheduled\"" },
		{ "a level", MCP_2025_06_18,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,"
		    "\"method\":\"logging/setLevel\","
		    "\"params\":{\"level\":\"loud\"}}",
		    "-32602|emergency" },
		{ "an unknown tool", MCP_2025_06_18,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\","
		    "\"params\":{\"name\":\"rm\"}}",
		    "-32602|no tool rm" },
		{ "a resource that is not there", MCP_2025_11_25,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,"
		    "\"method\":\"resources/read\","
		    "\"params\":{\"uri\":\"linnet://x\"}}",
		    "-32002|\"uri\":\"linnet://x\"" },
		{ "and for a modern client", 0,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,"
		    "\"method\":\"resources/read\",\"params\":{"
		    "\"uri\":\"linnet://state/%00\"," META "}}",
		    "-32602|\"uri\"" },
		{ "the skill", MCP_2025_11_25,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,"
		    "\"method\":\"resources/read\","
		    "\"params\":{\"uri\":\"skill://linnet/SKILL.md\"}}",
		    "text/markdown|---\\nname: linnet\\n" },
		{ "its digest", MCP_2025_11_25,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"skills/list\"}",
		    "\"digest\":\"sha256:|\"uri\":\"skill://linnet/SKILL.md\"" },
	};
	struct mcp *m;
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		m = client_new(rows[i].revision, MCP_PUSH_AUTO);
		is_int(say(m, rows[i].line), rows[i].wants[0] != '\0',
		    "%s: is answered or not", rows[i].name);
		if (rows[i].wants[0] == '\0')
			is_str(said(), "", "%s", rows[i].name);
		else
			hears(rows[i].wants, rows[i].name);
		client_free(m);
	}
}

static void
test_revisions(void)
{
	static const struct {
		const char *asked;
		const char *got;
		bool structured;
	} rows[] = {
		{ "2024-11-05", "2024-11-05", false },
		{ "2025-03-26", "2025-03-26", false },
		{ "2025-06-18", "2025-06-18", true },
		{ "2025-11-25", "2025-11-25", true },
		{ "2026-07-28", "2025-11-25", true },
		{ "1999-01-01", "2025-11-25", true },
	};
	struct mcp *m;
	char *line;
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		m = client_new(MCP_UNKNOWN, MCP_PUSH_AUTO);
		line = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
				 "\"initialize\",\"params\":{"
				 "\"protocolVersion\":\"%s\"}}",
		    rows[i].asked);
		(void)say(m, line);
		free(line);
		line = xasprintf("\"protocolVersion\":\"%s\"", rows[i].got);
		hears(line, rows[i].asked);
		free(line);
		deaf();
		back.answer = "{\"status\":\"idle\"}";
		(void)say(m,
		    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\","
		    "\"params\":{\"name\":\"set_status\",\"arguments\":"
		    "{\"status\":\"idle\"}}}");
		is_int(strstr(said(), "structuredContent") != NULL,
		    rows[i].structured, "%s: structured", rows[i].asked);
		ok(strstr(said(), "resultType") == NULL, "and not modern");
		client_free(m);
	}
}

#define ID1 "0000000000000000000000000000000a"
/* Arguments in, fields and results out. */
static void
test_tools(void)
{
	static const struct {
		const char *name;
		const char *tool;
		const char *arguments;
		const char *fields; /* NULL: the backend is not asked */
		const char *answer;
		const char *wants;
	} rows[] = {
		{ "one target", "send_message",
		    "{\"to\":\"bob\",\"message\":\"a\\nb\"}",
		    "\"to\":\"bob\",\"message\":\"a\\nb\"",
		    "{\"messages\":[{\"to\":\"bob\",\"messageId\":\"" ID1
		    "\",\"recipients\":1,\"duplicate\":false,\"x\":1}]}",
		    "\"structuredContent\":{\"messages\":[{\"to\":\"bob\","
		    "\"message_id\":\"" ID1 "\",\"recipients\":1,"
		    "\"duplicate\":false}],\"unread\":{\"count\":0}}|"
		    "\"isError\":false" },
		{ "several, and all that may be said", "send_message",
		    "{\"to\":[\"@a\",\"b\"],\"message\":\"x\","
		    "\"priority\":\"now\",\"ttl_seconds\":60,\"id\":\"i\","
		    "\"reply_to\":\"" ID1 "\"}",
		    "\"to\":[\"@a\",\"b\"],\"message\":\"x\",\"priority\":"
		    "\"now\",\"replyToId\":\"" ID1
		    "\",\"ttl\":60000,\"id\":\"i\"",
		    "{\"messages\":[]}", "\"messages\":[]" },
		{ "what is missing", "send_message", "{\"message\":\"x\"}",
		    NULL, NULL, "isError\":true|to is missing" },
		{ "no arguments at all", "send_message", "null", NULL, NULL,
		    "isError\":true|to is missing" },
		{ "arguments that are none", "send_message", "[]", NULL, NULL,
		    "isError\":true|object" },
		{ "null is missing, too", "send_message",
		    "{\"to\":null,\"message\":\"x\"}", NULL, NULL,
		    "to is missing" },
		{ "an argument that there is not", "send_message",
		    "{\"to\":\"b\",\"mesage\":\"x\"}", NULL, NULL,
		    "no argument \\\"mesage\\\"; did you mean "
		    "\\\"message\\\"?" },
		{ "a wrong type", "send_message",
		    "{\"to\":7,\"message\":\"x\"}", NULL, NULL,
		    "to must be a text or an array of texts." },
		{ "a wrong type in a list", "send_message",
		    "{\"to\":[\"b\",{}],\"message\":\"x\"}", NULL, NULL,
		    "to[1] must be a text." },
		{ "an empty list", "send_message",
		    "{\"to\":[],\"message\":\"x\"}", NULL, NULL,
		    "to must not be empty." },
		{ "an empty text", "send_message",
		    "{\"to\":\"b\",\"message\":\"\"}", NULL, NULL,
		    "message must not be empty." },
		{ "a NUL", "send_message",
		    "{\"to\":\"b\",\"message\":\"a\\u0000b\"}", NULL, NULL,
		    "U+0000" },
		{ "a word that is none of them", "send_message",
		    "{\"to\":\"b\",\"message\":\"x\",\"priority\":\"high\"}",
		    NULL, NULL, "priority must be one of: now, next, low." },
		{ "an id that is none", "message_status", "{\"id\":\"7\"}",
		    NULL, NULL, "id must be an id of 32 hex digits" },
		{ "a number out of range", "wait_for_message",
		    "{\"seconds\":600}", NULL, NULL,
		    "seconds must be a whole number from 1 to 55." },
		{ "a number with a fraction", "list_state", "{\"limit\":1.5}",
		    NULL, NULL, "limit must be a whole number" },
		{ "too long", "get_state",
		    "{\"key\":\"0123456789012345678901234567890123456789"
		    "0123456789012345678901234567890123456789"
		    "0123456789012345678901234567890123456789"
		    "0123456789012345678901234567890123456789"
		    "0123456789012345678901234567890123456789"
		    "0123456789012345678901234567890123456789"
		    "01234567890123456789\"}",
		    NULL, NULL, "key has 260 bytes, and may have 256" },
		{ "neither of what is needed", "schedule_message",
		    "{\"to\":\"b\",\"message\":\"x\"}", NULL, NULL,
		    "One of these is needed: at, in_seconds, cron." },
		{ "both of what excludes each other", "schedule_message",
		    "{\"to\":\"b\",\"message\":\"x\",\"in_seconds\":5,"
		    "\"at\":\"2026-11-24T09:00:00Z\"}",
		    NULL, NULL, "Give at or in_seconds, not both." },
		{ "a time", "schedule_message",
		    "{\"to\":\"b\",\"message\":\"x\","
		    "\"at\":\"2026-11-24T09:00:00+01:00\",\"reminder\":true}",
		    "\"to\":\"b\",\"message\":\"x\",\"deliverAt\":"
		    "1795507200000,\"subtype\":\"reminder\"",
		    "{\"scheduledId\":\"" ID1 "\",\"deliverAt\":1795507200000}",
		    "\"id\":\"" ID1 "\",\"due_at\":"
		    "\"2026-11-24T08:00:00.000Z\"" },
		{ "a time that is none", "schedule_message",
		    "{\"to\":\"b\",\"message\":\"x\",\"at\":\"tomorrow\"}",
		    NULL, NULL, "at must be a time as RFC 3339" },
		{ "any value", "set_state",
		    "{\"key\":\"k\",\"value\":{\"a\":[1.5,null]}}",
		    "\"key\":\"k\",\"value\":{\"a\":[1.5,null]}",
		    "{\"key\":\"k\",\"version\":3}",
		    "{\"key\":\"k\",\"version\":3,\"unread\"" },
		{ "null is a value", "set_state",
		    "{\"key\":\"k\",\"value\":null,\"if_version\":0}",
		    "\"key\":\"k\",\"value\":null,\"ifVersion\":0",
		    "{\"key\":\"k\",\"version\":1}", "\"version\":1" },
		{ "a value over several lines", "get_state", "{\"key\":\"k\"}",
		    "\"key\":\"k\"",
		    "{\"key\":\"k\",\"value\":{\"a\":\n1},\"version\":1,"
		    "\"updatedBy\":\"bob\",\"updatedAt\":\"\"}",
		    "\"value\":{\"a\": 1}" },
		{ "what is empty is left out", "list_peers", "{}", "",
		    "{\"peers\":[{\"displayName\":\"bob\",\"pubkey\":\"k\","
		    "\"status\":\"idle\",\"summary\":null,\"groups\":[],"
		    "\"cwd\":\"\"}]}",
		    "{\"peers\":[{\"name\":\"bob\",\"key\":\"k\",\"status\":"
		    "\"idle\"}],\"unread\"" },
		{ "a page of what comes whole", "list_peers",
		    "{\"limit\":1,\"after\":\"1\",\"all\":true}",
		    "\"all\":true",
		    "{\"peers\":[{\"displayName\":\"a\"},"
		    "{\"displayName\":\"b\"},{\"displayName\":\"c\"}]}",
		    "[{\"name\":\"b\",\"status\":\"idle\"}],"
		    "\"next\":\"2\"" },
		{ "the last one", "list_peers", "{\"limit\":1,\"after\":\"2\"}",
		    "",
		    "{\"peers\":[{\"displayName\":\"a\"},"
		    "{\"displayName\":\"b\"},{\"displayName\":\"c\"}]}",
		    "[{\"name\":\"c\",\"status\":\"idle\"}],"
		    "\"unread\"" },
		{ "after what was no page", "list_peers", "{\"after\":\"x\"}",
		    NULL, NULL, "after must be" },
		{ "a page that the broker makes", "list_state",
		    "{\"prefix\":\"p\"}", "\"prefix\":\"p\",\"limit\":20",
		    "{\"entries\":[{\"key\":\"p1\",\"value\":1,\"version\":1}],"
		    "\"more\":true,\"next\":\"p1\"}",
		    "\"value\":1,\"version\":1}],\"next\":\"p1\"" },
		{ "an answer that is not what it should be", "forget",
		    "{\"id\":\"" ID1 "\"}", "\"memoryId\":\"" ID1 "\"",
		    "{\"forgotten\":\"perhaps\"}", "\"forgotten\":false" },
		{ "no answer", "forget", "{\"id\":\"" ID1 "\"}",
		    "\"memoryId\":\"" ID1 "\"", "[]",
		    "isError\":true|cannot be read" },
		{ "a file", "share_file",
		    "{\"path\":\"a/b\",\"tags\":[\"t\"],"
		    "\"mime_type\":\"x/y\",\"attachment\":true}",
		    "a/b;;;x/y;[\"t\"];1;-1",
		    "{\"fileId\":\"" ID1 "\",\"name\":\"b\",\"size\":3,"
		    "\"sha256\":\"f\",\"uploaded\":true}",
		    "{\"id\":\"" ID1 "\",\"name\":\"b\",\"size\":3,"
		    "\"sha256\":\"f\",\"unread\"" },
		{ "a text as a file", "share_file",
		    "{\"content\":\"\",\"name\":\"n\"}",
		    ";;n;text/plain; charset=utf-8;;0;-1", "{}", "unread" },
		{ "bytes as a file", "share_file",
		    "{\"content\":\"YW\\nI=\\n\",\"name\":\"n\","
		    "\"encoding\":\"base64\"}",
		    ";ab;n;;;0;-1", "{}", "unread" },
		{ "bytes that are none", "share_file",
		    "{\"content\":\"YWI\",\"name\":\"n\","
		    "\"encoding\":\"base64\"}",
		    NULL, NULL, "isError\":true|no base64" },
		{ "a path and a text", "share_file",
		    "{\"content\":\"x\",\"path\":\"n\"}", NULL, NULL,
		    "Give path or content, not both." },
		{ "a file that is got", "get_file",
		    "{\"id\":\"" ID1 "\",\"path\":\"d\"}", ID1 ";d;32768;0",
		    "{\"fileId\":\"" ID1 "\",\"name\":\"b\",\"size\":0,"
		    "\"mimeType\":\"x/y\",\"sha256\":\"f\","
		    "\"text\":\"\",\"path\":\"/d/b\"}",
		    "\"text\":\"\",\"path\":\"/d/b\",\"unread\"" },
		{ "files of a message", "send_message",
		    "{\"to\":\"b\",\"message\":\"x\",\"files\":[\"p\",\""
		    "0000000000000000000000000000000b\",\"q\"]}",
		    "\"to\":\"b\",\"message\":\"x\",\"files\":[\"" ID1
		    "\",\"0000000000000000000000000000000b\",\"" ID1 "\"]",
		    "{\"fileId\":\"" ID1 "\",\"messages\":[]}",
		    "\"messages\":[]" },
		{ "one and several", "send_message",
		    "{\"to\":\"b\",\"message\":\"x\",\"files\":[\"p\"],"
		    "\"file\":\"q\"}",
		    NULL, NULL, "Give file or files, not both." },
		{ "a page of files ends by its bytes", "list_files",
		    "{\"limit\":1}", "\"limit\":1",
		    "{\"files\":[{\"id\":\"a\"},{\"id\":\"b\"}]}",
		    "\"shared\":false}],\"next\":\"a\"" },
	};
	struct mcp *m;
	char *line;
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		m = client_new(MCP_2025_11_25, MCP_PUSH_AUTO);
		back.answer = rows[i].answer;
		line = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
				 "\"tools/call\",\"params\":{\"name\":\"%s\","
				 "\"arguments\":%s}}",
		    rows[i].tool, rows[i].arguments);
		(void)say(m, line);
		hears(rows[i].wants, rows[i].name);
		if (rows[i].fields != NULL)
			is_str(back.fields, rows[i].fields, "its fields");
		else
			is_str(back.op, "", "nothing was asked");
		free(line);
		client_free(m);
	}
}

static void
test_large(void)
{
	struct mcp *m = client_new(MCP_2025_11_25, MCP_PUSH_AUTO);
	struct buf b;
	size_t i;

	buf_init(&b, SIZE_MAX / 2);
	buf_adds(&b, "{\"entries\":[");
	for (i = 0; i < 9; i++)
		buf_addf(&b,
		    "%s{\"key\":\"k%zu\",\"value\":\"%015000d\",\"version\":1}",
		    i > 0 ? "," : "", i, 0);
	buf_adds(&b, "],\"next\":\"k8\"}");
	back.answer = buf_str(&b);
	(void)say(m, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\","
		     "\"params\":{\"name\":\"list_state\"}}");
	hears("\"k2\"|\"next\":\"k2\"", "a page ends when it is large");
	ok(strstr(said(), "\"k3\"") == NULL, "and has no more");
	buf_clear(&b);
	buf_adds(&b, "{\"memories\":[");
	for (i = 0; i < 3; i++)
		buf_addf(&b,
		    "%s{\"id\":\"m%zu\",\"content\":\"%050000d\",\"tags\":[]}",
		    i > 0 ? "," : "", i, 0);
	buf_adds(&b, "]}");
	back.answer = buf_str(&b);
	deaf();
	(void)say(m, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\","
		     "\"params\":{\"name\":\"recall\",\"arguments\":"
		     "{\"query\":\"x\"}}}");
	hears("\"m2\"|\"cut\":true", "texts are cut when it is large");
	ok(heard_n < 120000, "and it is not that large");
	buf_free(&b);
	client_free(m);
}

static struct mcp_message
message(const char *id, const char *priority, const char *text)
{
	return (struct mcp_message){ .id = id,
		.from = "bob",
		.from_key = "k",
		.from_member = "m",
		.to = "you",
		.priority = priority,
		.sent_at = "2026-11-20T12:00:00.000Z",
		.reply_to = "",
		.subtype = "",
		.mesh = "app",
		.encrypted = true,
		.text = text,
		.length = strlen(text) };
}

static void
arrives(struct mcp *m, const char *id, const char *priority, const char *text)
{
	const struct mcp_message msg = message(id, priority, text);

	if (mcp_inbox_add(back.inbox, &msg))
		mcp_arrived(m, &msg);
}

#define CALL(n, tool, args)                                            \
	"{\"jsonrpc\":\"2.0\",\"id\":" n ",\"method\":\"tools/call\"," \
	"\"params\":{\"name\":\"" tool "\",\"arguments\":" args        \
	",\"_meta\":{\"progressToken\":\"t\"}}}"

static void
test_messages(void)
{
	struct mcp *m = client_new(MCP_2025_11_25, MCP_PUSH_AUTO);

	arrives(m, "00000000000000000000000000000002", "low", "second");
	arrives(m, "00000000000000000000000000000001", "now", "");
	arrives(m, "00000000000000000000000000000001", "now", "again");
	back.more = 3;
	(void)say(m, CALL("1", "get_state", "{\"key\":\"k\"}"));
	hears("\"unread\":{\"count\":5,\"highest\":\"now\"}}",
	    "each result ends with the unread ones");
	deaf();
	(void)say(m, CALL("1", "get_state", "{}"));
	hears("isError\":true|5 unread messages, highest priority now",
	    "so does one that failed");
	deaf();
	back.more = 0;
	(void)say(m, CALL("1", "check_messages", "{\"limit\":1}"));
	hears("\"message_id\":\"00000000000000000000000000000001\"|"
	      "\"text\":\"\"}],\"more\":true,\"unread\":{\"count\":1,"
	      "\"highest\":\"low\"}",
	    "the oldest, and what is left");
	is_str(back.acked, "", "not acked before it has arrived");
	mcp_written(m);
	is_str(back.acked, "1", "but then");
	mcp_written(m);
	is_str(back.acked, "1", "once");
	deaf();
	(void)say(m, CALL("1", "check_messages", "{}"));
	hears("second", "the other one");
	(void)say(m, CALL("1", "check_messages", "{}"));
	hears("\"messages\":[],\"more\":false,\"unread\":{\"count\":0}",
	    "and no more");
	mcp_written(m);
	is_str(back.acked, "12", "acked");
	arrives(m, "00000000000000000000000000000003", "next", "x");
	arrives(m, "0000000000000000000000000000000a", "next", "x");
	(void)say(m,
	    CALL("1", "ack", "{\"ids\":\"00000000000000000000000000000003\"}"));
	is_str(back.acked, "123", "by ack");
	(void)say(m, CALL("1", "ack",
			 "{\"ids\":[\"0000000000000000000000000000000A\"]"
			 "}"));
	is_str(back.acked, "123a", "whatever the letters");
	arrives(m, "00000000000000000000000000000004", "next", "x");
	back.error = (struct mcp_error){ "ambiguous_target", "Two." };
	(void)say(m, CALL("1", "send_message",
			 "{\"to\":\"b\",\"message\":\"x\",\"reply_to\":"
			 "\"00000000000000000000000000000004\"}"));
	is_str(back.acked, "123a", "an answer that failed is none");
	hears("Two. list_peers shows the keys. (ambiguous_target)",
	    "and says what to do");
	back.error.code = NULL;
	(void)say(m, CALL("1", "send_message",
			 "{\"to\":\"b\",\"message\":\"x\",\"reply_to\":"
			 "\"00000000000000000000000000000004\"}"));
	is_str(back.acked, "123a4", "an answer acks");
	client_free(m);
}

static void
test_waiting(void)
{
	struct mcp *m = client_new(MCP_2025_11_25, MCP_PUSH_AUTO);

	(void)say(m, CALL("1", "wait_for_message", "{\"seconds\":20}"));
	is_str(said(), "", "it waits");
	now_ms += 10000;
	mcp_tick(m);
	hears("notifications/progress|\"progressToken\":\"t\"|"
	      "\"progress\":10,\"total\":20",
	    "and says so");
	ok(mcp_due(m) <= now_ms + 10000, "it wants to be called");
	deaf();
	arrives(m, "00000000000000000000000000000001", "next", "hello");
	hears("\"id\":1|hello|\"more\":false", "until a message comes");
	mcp_written(m);
	is_str(back.acked, "1", "which is acked");
	deaf();
	(void)say(m, CALL("2", "wait_for_message", "{\"seconds\":1}"));
	now_ms += 1001;
	mcp_tick(m);
	hears("\"id\":2|\"messages\":[]", "or the time is over");
	deaf();
	(void)say(m, CALL("3", "wait_for_message", "{}"));
	is_int((int64_t)mcp_pending(m), 1, "one waits");
	(void)say(m, "{\"jsonrpc\":\"2.0\",\"method\":"
		     "\"notifications/cancelled\",\"params\":{\"requestId\":3}"
		     "}");
	is_int((int64_t)mcp_pending(m), 0, "until it is cancelled");
	arrives(m, "00000000000000000000000000000002", "next", "later");
	is_str(said(), "", "and gets nothing");
	(void)say(m, CALL("4", "wait_for_message", "{}"));
	hears("\"id\":4|later", "the next one has it, at once");
	deaf();
	(void)say(m, CALL("5", "wait_for_message", "{}"));
	mcp_stop(m);
	hears("\"id\":5|\"messages\":[]", "nothing waits at the end");
	client_free(m);

	m = client_new(MCP_2025_11_25, MCP_PUSH_AUTO);
	back.answer = NULL;
	(void)say(m, CALL("\"x\"", "get_state", "{\"key\":\"k\"}"));
	(void)say(m, "{\"jsonrpc\":\"2.0\",\"method\":"
		     "\"notifications/cancelled\",\"params\":{\"requestId\":"
		     "\"x\"}}");
	is_int(back.forgotten, 1, "the backend is told of a cancellation");
	(void)say(m, CALL("\"y\"", "get_state", "{\"key\":\"k\"}"));
	client_free(m);
	is_int(back.forgotten, 2, "and of the end");
}

/* How far a file is, and the end of what was begun for a message. */
static void
test_files(void)
{
	struct mcp *m = client_new(MCP_2025_11_25, MCP_PUSH_OFF);
	struct mcp_config remote = {
		.backend = &backend,
		.out = client_out,
		.revision = MCP_2025_11_25,
		.is_remote = true,
		.version = "1",
	};

	back.answer = NULL;
	(void)say(m, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\","
		     "\"params\":{\"_meta\":{\"progressToken\":\"t\"},\"name\":"
		     "\"send_message\",\"arguments\":{\"to\":\"b\",\"message\":"
		     "\"x\",\"files\":[\"p\",\"q\"]}}}");
	is_str(back.op, "share", "the first file");
	mcp_progress(back.ask, 10, 100);
	hears("\"progressToken\":\"t\"|\"progress\":10,\"total\":100",
	    "how far it is");
	deaf();
	mcp_progress(back.ask, 20, 100);
	is_str(said(), "", "but not all the time");
	now_ms += 1000;
	mcp_progress(back.ask, 5, 100);
	is_str(said(), "", "nor backwards");
	mcp_answer(back.ask, NULL, "{\"fileId\":\"" ID1 "\",\"size\":100}",
	    strlen("{\"fileId\":\"" ID1 "\",\"size\":100}"));
	is_str(back.fields, "q;;;;;1;-1", "then the second");
	mcp_progress(back.ask, 1, 7);
	hears("\"progress\":101,\"total\":107", "after the first");
	deaf();
	back.answer = "{}";
	mcp_answer(back.ask,
	    &(const struct mcp_error){ "bad_argument", "No q." }, NULL, 0);
	is_str(back.op, "delete_file", "when one cannot be");
	is_str(back.fields, "\"fileId\":\"" ID1 "\"", "the others are not");
	hears("isError\":true|No q. (bad_argument)", "and why");
	client_free(m);

	memset(&back, 0, sizeof(back));
	back.answer = "{}";
	back.inbox = mcp_inbox_new();
	deaf();
	m = mcp_new(&remote);
	(void)say(m, CALL("1", "send_message",
			 "{\"to\":\"b\",\"message\":\"x\",\"file\":\"p\"}"));
	hears("p is no id of a file|share_file with attachment",
	    "elsewhere there are no paths");
	is_str(back.op, "", "and none is asked for");
	deaf();
	(void)say(
	    m, CALL("2", "share_file", "{\"name\":\"n\",\"path\":\"p\"}"));
	hears("no argument \\\"path\\\"", "nor taken");
	(void)say(m, CALL("3", "share_file", "{\"name\":\"n\",\"size\":9}"));
	is_str(back.fields, ";;n;;;0;9", "but links");
	client_free(m);
}

#define INITIALIZE(client)                                                \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\","        \
	"\"params\":{\"protocolVersion\":\"2025-11-25\",\"clientInfo\":{" \
	"\"name\":\"" client "\"}}}"
#define INITIALIZED \
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"

static void
test_push(void)
{
	struct mcp *m = client_new(MCP_UNKNOWN, MCP_PUSH_AUTO);
	const struct mcp_change change = { "plan", "{\"step\":2}", "bob",
		"2026-11-20T12:00:00.000Z", 3 };
	int i;

	(void)say(m, "{\"jsonrpc\":\"2.0\",\"id\":1,"
		     "\"method\":\"server/discover\",\"params\":{\"_meta\":{"
		     "\"io.modelcontextprotocol/protocolVersion\":"
		     "\"2026-07-28\",\"io.modelcontextprotocol/"
		     "clientCapabilities\":{},\"io.modelcontextprotocol/"
		     "clientInfo\":{\"name\":\"claude-code\"}}}}");
	hears("-32601", "Claude Code shall say initialize");
	deaf();
	arrives(m, "00000000000000000000000000000001", "now", "early");
	(void)say(m, INITIALIZE("claude-code"));
	hears("\"experimental\":{\"claude/channel\":{}}", "with a channel");
	deaf();
	(void)say(m, INITIALIZED);
	arrives(m, "00000000000000000000000000000002", "next", "soon");
	mcp_changed(m, &change);
	mcp_tick(m);
	is_str(said(), "", "not before it is ready");
	now_ms += 3000;
	is_int(mcp_due(m), now_ms, "which it is then");
	mcp_tick(m);
	hears("notifications/claude/channel|\"content\":\"early\"|"
	      "\"content\":\"soon\"|\"from_name\":\"bob\"|"
	      "\"encrypted\":\"yes\"|\"priority\":\"now\"",
	    "both are pushed");
	is_str(back.acked, "", "and not acked by that");
	deaf();
	arrives(m, "00000000000000000000000000000003", "next", "at once");
	hears("at once", "later ones at once");
	deaf();
	mcp_changed(m, &change);
	hears("\"content\":\"plan = {\\\"step\\\":2}\"|\"kind\":"
	      "\"state_change\"|\"version\":\"3\"|\"updated_by\":\"bob\"",
	    "changes of state, too");
	for (i = 0; i < 20; i++)
		mcp_changed(m, &change);
	now_ms += 60000;
	deaf();
	mcp_changed(m, &change);
	hears("\"not_told_before\":\"11\"", "but not all the time");
	deaf();
	(void)say(m, CALL("1", "check_messages", "{\"limit\":2}"));
	deaf();
	mcp_tick(m);
	hears("\"kind\":\"reminder\"|\"count\":\"1\"",
	    "what is not used is told again");
	deaf();
	now_ms += 60000;
	mcp_tick(m);
	is_str(said(), "", "not all the time");
	now_ms += 300000;
	mcp_tick(m);
	hears("reminder", "but once more");
	deaf();
	now_ms += 3000000;
	mcp_tick(m);
	is_str(said(), "", "and no more");
	client_free(m);

	m = client_new(MCP_UNKNOWN, MCP_PUSH_AUTO);
	(void)say(m, INITIALIZE("other"));
	ok(strstr(said(), "experimental") == NULL, "others have no channel");
	(void)say(m, INITIALIZED);
	deaf();
	now_ms += 4000;
	arrives(m, "00000000000000000000000000000001", "now", "x");
	mcp_tick(m);
	is_str(said(), "", "and get no push");
	client_free(m);
	m = client_new(MCP_UNKNOWN, MCP_PUSH_ON);
	(void)say(m, INITIALIZE("other"));
	hears("claude/channel", "unless that is said");
	client_free(m);
	m = client_new(MCP_UNKNOWN, MCP_PUSH_OFF);
	(void)say(m, INITIALIZE("claude-code"));
	ok(strstr(said(), "experimental") == NULL, "nor has who shall not");
	client_free(m);
}

static void
test_subscriptions(void)
{
	struct mcp *m = client_new(MCP_2025_11_25, MCP_PUSH_AUTO);
	const struct mcp_change change = { "a b/c", "1", "", "", 1 };

	(void)say(m, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		     "\"resources/subscribe\",\"params\":{\"uri\":"
		     "\"linnet://memory/x\"}}");
	hears("-32602|not of this", "what does not change");
	(void)say(m, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		     "\"resources/subscribe\",\"params\":{\"uri\":"
		     "\"linnet://state/a%20b%2Fc\"}}");
	(void)say(m, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		     "\"resources/subscribe\",\"params\":{\"uri\":"
		     "\"linnet://inbox\"}}");
	deaf();
	mcp_changed(m, &change);
	hears("notifications/resources/updated|"
	      "\"uri\":\"linnet://state/a%20b%2Fc\"",
	    "told of by the URI that was asked for");
	deaf();
	arrives(m, "00000000000000000000000000000001", "now", "x");
	hears("\"uri\":\"linnet://inbox\"", "the inbox");
	(void)say(m, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		     "\"resources/unsubscribe\",\"params\":{\"uri\":"
		     "\"linnet://inbox\"}}");
	deaf();
	arrives(m, "00000000000000000000000000000002", "now", "x");
	is_str(said(), "", "not any more");
	(void)say(m, "{\"jsonrpc\":\"2.0\",\"id\":\"listen:0\",\"method\":"
		     "\"subscriptions/listen\",\"params\":{" META
		     ",\"notifications\":{\"toolsListChanged\":true,"
		     "\"resourceSubscriptions\":[\"linnet://inbox\","
		     "\"linnet://memory/x\"]}}}");
	hears("notifications/subscriptions/acknowledged|"
	      "subscriptionId\":\"listen:0\"|"
	      "\"notifications\":{\"resourceSubscriptions\":["
	      "\"linnet://inbox\"]}",
	    "listening");
	deaf();
	arrives(m, "00000000000000000000000000000003", "now", "x");
	hears("resources/updated|subscriptionId\":\"listen:0\"", "it is told");
	deaf();
	mcp_stop(m);
	hears("\"id\":\"listen:0\",\"result\":{\"resultType\":\"complete\"|"
	      "subscriptionId\":\"listen:0\"",
	    "and ends with a result");
	client_free(m);
}

static void
test_resources(void)
{
	struct mcp *m = client_new(MCP_2025_11_25, MCP_PUSH_AUTO);

	arrives(m, "00000000000000000000000000000001", "now", "hello");
	(void)say(m, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		     "\"resources/list\"}");
	hears("linnet://inbox|skill://linnet/SKILL.md|\"nextCursor\":\"s\"",
	    "what is always there");
	is_str(back.op, "", "without asking");
	deaf();
	back.answer = "{\"entries\":[{\"key\":\"a b\"}],\"next\":\"a b\"}";
	(void)say(m, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		     "\"resources/list\",\"params\":{\"cursor\":\"s\"}}");
	hears(
	    "\"uri\":\"linnet://state/a%20b\"|\"nextCursor\":\"sa b\"", "keys");
	is_str(back.fields, "\"limit\":50", "a page of them");
	(void)say(m, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		     "\"resources/list\",\"params\":{\"cursor\":\"sa b\"}}");
	is_str(back.fields, "\"limit\":50,\"after\":\"a b\"", "the next");
	deaf();
	back.answer = "{\"memories\":[{\"id\":\"" ID1 "\",\"content\":\"x\","
		      "\"rememberedBy\":\"bob\"}],\"next\":\"9." ID1 "\"}";
	(void)say(m, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		     "\"resources/list\",\"params\":{\"cursor\":\"m\"}}");
	hears("\"uri\":\"linnet://memory/" ID1 "\"|by bob", "memories");
	hears("\"nextCursor\":\"f\"", "not all of them");
	deaf();
	(void)say(m, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		     "\"resources/read\",\"params\":{\"uri\":"
		     "\"linnet://memory/" ID1 "\"}}");
	hears("\\\"content\\\":\\\"x\\\"|application/json", "one of them");
	is_str(back.fields, "\"id\":\"" ID1 "\"", "by its id");
	deaf();
	back.answer = "{\"files\":[{\"id\":\"" ID1 "\",\"name\":\"n\","
		      "\"uploadedBy\":\"bob\",\"mimeType\":\"x/y\","
		      "\"size\":7}],\"more\":true,\"next\":\"" ID1 "\"}";
	(void)say(m, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		     "\"resources/list\",\"params\":{\"cursor\":\"f\"}}");
	hears("\"uri\":\"linnet://file/" ID1 "\"|of bob, 7 bytes|\"x/y\"",
	    "files");
	ok(strstr(said(), "nextCursor") == NULL, "not all of them, either");
	deaf();
	back.answer = "{\"fileId\":\"" ID1 "\",\"name\":\"n\",\"size\":3,"
		      "\"mimeType\":\"x/y\",\"blob\":\"AAEC\"}";
	(void)say(m, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		     "\"resources/read\",\"params\":{\"uri\":"
		     "\"linnet://file/" ID1 "\"}}");
	hears("\"mimeType\":\"x/y\",\"blob\":\"AAEC\"", "one of them");
	is_str(back.fields, ID1 ";;65536;1", "to look at it");
	deaf();
	(void)say(m, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		     "\"resources/read\",\"params\":{\"uri\":"
		     "\"linnet://inbox\"}}");
	hears("\\\"text\\\":\\\"hello\\\"", "the inbox");
	mcp_written(m);
	is_str(back.acked, "", "which acks nothing");
	deaf();
	back.answer = "{\"key\":\"k\",\"value\":null,\"version\":0}";
	(void)say(m, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		     "\"resources/read\",\"params\":{\"uri\":"
		     "\"linnet://state/k\"}}");
	hears("-32002", "a key that is not there");
	deaf();
	back.error = (struct mcp_error){ "closed", "It broke off." };
	(void)say(m, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		     "\"resources/read\",\"params\":{\"uri\":"
		     "\"linnet://state/k\"}}");
	hears("-32603|It broke off.", "nor can be had now");
	client_free(m);
}

/* The texts that stand in an agent's context all the time. */
static void
test_guide(void)
{
	size_t n;

	ok(strlen(mcp_guide) < 6000, "the guide has %zu bytes",
	    strlen(mcp_guide));
	ok(str_starts(mcp_guide_skill(&n), "---\nname: linnet\n"), "a skill");
	is_int((int64_t)n, (int64_t)strlen(mcp_guide_skill(&n)), "its size");
}

int
main(void)
{
	crypto_start();
	test_protocol();
	test_revisions();
	test_tools();
	test_large();
	test_messages();
	test_waiting();
	test_files();
	test_push();
	test_subscriptions();
	test_resources();
	test_guide();
	free(heard);
	return tap_done();
}
