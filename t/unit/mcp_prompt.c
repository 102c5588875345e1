/* SPDX-License-Identifier: ISC */
/*
 * mcp: prompts, what completes their arguments, and the questions to the
 * client by which what they lack is asked for.
 */
#include <stdlib.h>

#include "mcp/mcp.h"
#include "mcp/mcp_request.h"
#include "tap.h"

static int64_t wall_ms = 1000000;
int64_t __wrap_clock_wall(void);
int64_t
__wrap_clock_wall(void)
{
	return wall_ms;
}

/*
 * The mesh: answers what the row says, and remembers the question.
 */
static struct {
	char asked[512];
	const char *answer; /* NULL: an error */
} mesh;

static void
mesh_call(void *arg, struct mcp_ask *a, const char *op, const char *fields)
{
	const struct mcp_error e = { "unreachable", "Nobody is there." };

	(void)arg;
	snprintf(mesh.asked, sizeof(mesh.asked), "%s {%s}", op, fields);
	if (mesh.answer != NULL)
		mcp_answer(a, NULL, mesh.answer, strlen(mesh.answer));
	else
		mcp_answer(a, &e, NULL, 0);
}

static const struct mcp_backend backend = { .call = mesh_call };

static char *heard;

static void
client_out(void *arg, const struct mcp_out *o)
{
	struct json j;

	(void)arg;
	json_init(&j, 100000, 100);
	if (json_read(&j, o->text, o->n) != 0)
		ok(false, "JSON: %.*s", (int)o->n, o->text);
	json_free(&j);
	free(heard);
	heard = xmalloc(o->n + 1);
	memcpy(heard, o->text, o->n);
	heard[o->n] = '\0';
}

static const uint8_t keys[2][CRYPTO_KEY_LEN] = { { 1 }, { 2 } };

struct who {
	enum mcp_revision revision;
	enum mcp_tools tools;
	size_t key;
	const char *principal;
};

/* What a client of its own is answered; each has a connection of its own, as
 * over HTTP. */
static const char *
answer(const struct who *w, const char *method, const char *params)
{
	const struct mcp_config c = {
		.backend = &backend,
		.out = client_out,
		.revision = w->revision,
		.tools = w->tools,
		.version = "1.2.3",
		.key = keys[w->key],
		.principal = w->principal,
	};
	struct mcp *m = mcp_new(&c);
	char *line =
	    xasprintf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\","
		      "\"params\":{%s}}",
		method, params);

	free(heard);
	heard = xstrdup("");
	mesh.asked[0] = '\0';
	(void)mcp_input(m, line, strlen(line), NULL);
	free(line);
	mcp_free(m);
	return heard;
}

/* Everything of `wants`, between bars, is there; what begins with ! is not. */
static void
has(const char *text, const char *wants, const char *name)
{
	char *copy = xstrdup(wants), *rest = copy, *want;
	bool good = true;

	while (good && (want = strsep(&rest, "|")) != NULL)
		good = want[0] == '!' ? strstr(text, want + 1) == NULL
				      : strstr(text, want) != NULL;
	if (!ok(good, "%s", name))
		printf("# want %s\n# got %s\n", wants, text);
	free(copy);
}

#define META(can)                                                     \
	",\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":"    \
	"\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities" \
	"\":{" can "}}"
#define FORMS META("\"elicitation\":{\"form\":{}}")
#define PEERS                                                         \
	"{\"peers\":[{\"displayName\":\"Zo\\u00e9\",\"groups\":["     \
	"{\"name\":\"dev\"}]},{\"displayName\":\"zack\",\"groups\":[" \
	"{\"name\":\"dev\"},{\"name\":\"qa/ui\"}]},{\"displayName\":" \
	"\"bob\"},{\"displayName\":\"bob\"},{\"displayName\":"        \
	"\"oscar\"}]}"

static const struct who old = { MCP_2025_11_25, MCP_TOOLS_FULL, 0, "p" };
static const struct who modern = { MCP_2026_07_28, MCP_TOOLS_FULL, 0, "p" };

static void
test_list(void)
{
	const struct who first = { MCP_2024_11_05, MCP_TOOLS_CORE, 0, "p" };
	const struct who none = { MCP_2025_06_18, MCP_TOOLS_NONE, 0, "p" };

	has(answer(&old, "prompts/list", ""),
	    "\"name\":\"inbox\",\"title\":|\"name\":\"handoff\"|"
	    "{\"name\":\"to\",\"title\":\"To\"|\"required\":true|!nextCursor|"
	    "!ttlMs",
	    "prompts");
	has(answer(&first, "prompts/list", ""), "\"name\":\"inbox\"|!title",
	    "without titles where there are none");
	has(answer(&modern, "prompts/list", "\"x\":1" META("")),
	    "\"ttlMs\":|\"cacheScope\":\"public\"", "how long it is good");
	has(answer(&none, "prompts/list", ""), "\"prompts\":[]",
	    "none without tools");
	has(answer(&none, "prompts/get", "\"name\":\"inbox\""), "-32602",
	    "and none to get");
	has(answer(&old, "prompts/list", "\"cursor\":\"2\""),
	    "\"prompts\":[{\"name\":\"ask\"|!\"who\"", "a cursor");
	has(answer(&old, "prompts/list", "\"cursor\":\"900\""), "-32602|cursor",
	    "past the end");
	has(answer(&old, "prompts/list", "\"cursor\":\"-1\""), "-32602",
	    "one that is none");
}

static void
test_get(void)
{
	static const struct {
		const char *name;
		const char *params;
		const char *wants;
	} rows[] = {
		{ "without arguments", "\"name\":\"inbox\"",
		    "\"role\":\"user\"|check_messages|\"description\":" },
		{ "what is not given is not there", "\"name\":\"who\"",
		    "Call list_peers, page by page|!with group" },
		{ "what is",
		    "\"name\":\"who\",\"arguments\":{\"group\":"
		    "\"dev\"}",
		    "Call list_peers with group \\\"dev\\\", page" },
		{ "empty is not given",
		    "\"name\":\"who\",\"arguments\":{\"group\":\"\"}",
		    "Call list_peers, page by page" },
		{ "null is no arguments", "\"name\":\"who\",\"arguments\":null",
		    "Call list_peers, page by page" },
		{ "an argument is not read again",
		    "\"name\":\"ask\",\"arguments\":{\"to\":\"{question}\","
		    "\"question\":\"<a> {to} \\\"\\u00fc\\\"\"}",
		    "Ask {question} in the mesh|<a> {to} \\\"" },
		{ "what is missing",
		    "\"name\":\"ask\",\"arguments\":{\"to\":\"bob\"}",
		    "-32602|question is missing. What to ask. It takes: to "
		    "(required), question (required)." },
		{ "what there is not",
		    "\"name\":\"ask\",\"arguments\":{\"quesion\":\"x\"}",
		    "-32602|did you mean \\\"question\\\"?" },
		{ "what takes nothing",
		    "\"name\":\"inbox\",\"arguments\":{\"x\":\"y\"}",
		    "-32602|It takes: no arguments." },
		{ "a number", "\"name\":\"who\",\"arguments\":{\"group\":3}",
		    "-32602|group must be a text" },
		{ "U+0000",
		    "\"name\":\"who\",\"arguments\":{\"group\":\"a\\u0000\"}",
		    "-32602|group must be a text" },
		{ "no object", "\"name\":\"who\",\"arguments\":[\"dev\"]",
		    "-32602|object of texts" },
		{ "no such prompt", "\"name\":\"rm\"",
		    "-32602|no prompt rm; prompts/list" },
		{ "no name", "\"title\":\"inbox\"", "-32602|without a name" },
	};
	char *params, *big;
	size_t i;

	for (i = 0; i < NELEM(rows); i++)
		has(answer(&old, "prompts/get", rows[i].params), rows[i].wants,
		    rows[i].name);
	big = xmalloc(20001);
	memset(big, 'x', 20000);
	big[20000] = '\0';
	params =
	    xasprintf("\"name\":\"who\",\"arguments\":{\"group\":\"%s\"}", big);
	has(answer(&old, "prompts/get", params),
	    "-32602|20000 bytes, and may have 16384", "too long");
	free(params);
	free(big);
}

#define REF(kind, what) \
	"\"ref\":{\"type\":\"ref/" kind "\"," what "},\"argument\":"
static void
test_complete(void)
{
	static const struct {
		const char *name;
		const char *params;
		const char *mesh;
		const char *asked;
		const char *wants;
	} rows[] = {
		{ "peers and groups",
		    REF("prompt", "\"name\":\"ask\"") "{\"name\":\"to\","
						      "\"value\":\"\"}",
		    PEERS, "list_peers {}",
		    "[\"@dev\",\"@qa/ui\",\"bob\",\"oscar\",\"zack\",\"Zo\xc3\xa9\"],"
		    "\"hasMore\":false" },
		{ "those that begin so first, in any case",
		    REF("prompt", "\"name\":\"ask\"") "{\"name\":\"to\","
						      "\"value\":\"ZO\"}",
		    PEERS, "list_peers {}", "[\"Zo\xc3\xa9\"]" },
		{ "then those that have it",
		    REF("prompt", "\"name\":\"ask\"") "{\"name\":\"to\","
						      "\"value\":\"O\"}",
		    PEERS, "list_peers {}",
		    "[\"oscar\",\"bob\",\"Zo\xc3\xa9\"]" },
		{ "groups",
		    REF("prompt", "\"name\":\"who\"") "{\"name\":\"group\","
						      "\"value\":\"q\"}",
		    PEERS, "list_peers {}", "[\"qa/ui\"]" },
		{ "labels",
		    REF("prompt", "\"name\":\"learned\"") "{\"name\":\"tag\","
							  "\"value\":\"b\"}",
		    "{\"memories\":[{\"id\":\"1\",\"tags\":[\"build\",\"x\"]},"
		    "{\"id\":\"2\",\"tags\":[\"build\"]}],\"next\":\"1.2\"}",
		    "list_memories {\"limit\":50}",
		    "[\"build\"],\"hasMore\":true" },
		{ "what nothing is known of",
		    REF("prompt", "\"name\":\"ask\"") "{\"name\":\"question\","
						      "\"value\":\"w\"}",
		    NULL, "", "\"values\":[],\"hasMore\":false" },
		{ "keys",
		    REF("resource",
			"\"uri\":\"linnet://state/{key}\"") "{"
							    "\"name\":\"key\",\"value\":\"b\"}",
		    "{\"entries\":[{\"key\":\"build/a\",\"value\":1},"
		    "{\"key\":\"build/b\",\"value\":2}],\"next\":\"build/b\"}",
		    "list_state {\"limit\":20,\"prefix\":\"b\"}",
		    "[\"build/a\",\"build/b\"],\"hasMore\":true" },
		{ "ids",
		    REF("resource",
			"\"uri\":\"linnet://memory/{id}\"") "{"
							    "\"name\":\"id\",\"value\":\"0\"}",
		    "{\"memories\":[{\"id\":\"01\"},{\"id\":\"11\"}]}",
		    "list_memories {\"limit\":50}", "[\"01\"]" },
		{ "those of files",
		    REF("resource",
			"\"uri\":\"linnet://file/{id}\"") "{"
							  "\"name\":\"id\",\"value\":\"0\"}",
		    "{\"files\":[{\"id\":\"02\"},{\"id\":\"12\"}]}",
		    "list_files {\"limit\":50}", "[\"02\"]" },
		{ "a mesh that is away",
		    REF("prompt", "\"name\":\"ask\"") "{\"name\":\"to\","
						      "\"value\":\"\"}",
		    NULL, "list_peers {}", "-32603|Nobody is there." },
		{ "no such prompt",
		    REF("prompt", "\"name\":\"rm\"") "{\"name\":\"to\","
						     "\"value\":\"\"}",
		    NULL, "", "-32602|no prompt rm with an argument to" },
		{ "no such argument",
		    REF("prompt", "\"name\":\"ask\"") "{\"name\":\"x\","
						      "\"value\":\"\"}",
		    NULL, "", "-32602|no prompt ask with an argument x" },
		{ "no such template",
		    REF("resource",
			"\"uri\":\"linnet://inbox\"") "{"
						      "\"name\":\"key\",\"value\":\"\"}",
		    NULL, "", "-32602|no resource template linnet://inbox" },
		{ "no such kind",
		    REF("tool", "\"name\":\"ask\"") "{\"name\":\"to\","
						    "\"value\":\"\"}",
		    NULL, "", "-32602|ref/prompt or ref/resource" },
		{ "no value",
		    REF("prompt", "\"name\":\"ask\"") "{\"name\":\"to\"}", NULL,
		    "", "-32602|a name and a value" },
		{ "no argument", REF("prompt", "\"name\":\"ask\"") "3", NULL,
		    "", "-32602|a name and a value" },
		{ "nothing", "\"x\":1", NULL, "", "-32602|ref/prompt" },
	};
	struct buf b;
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		mesh.answer = rows[i].mesh;
		has(answer(&old, "completion/complete", rows[i].params),
		    rows[i].wants, rows[i].name);
		is_str(mesh.asked, rows[i].asked, "%s: what is asked",
		    rows[i].name);
	}
	buf_init(&b, SIZE_MAX / 2);
	buf_adds(&b, "{\"peers\":[");
	for (i = 0; i < 9000; i++)
		buf_addf(&b, "%s{\"displayName\":\"n%04zu\"}", i > 0 ? "," : "",
		    8999 - i);
	buf_adds(&b, "]}");
	mesh.answer = buf_str(&b);
	has(answer(&old, "completion/complete", rows[0].params),
	    "\"n4904\"|\"hasMore\":true", "of many, some");
	i = 0;
	for (const char *s = heard; (s = strstr(s, "\"n")) != NULL; s++)
		i++;
	is_int(i, 100, "a hundred of them");
	buf_free(&b);
}

/* The state of a question, as JSON text. */
static char *
state_of(const char *text)
{
	const char *s = strstr(text, "\"requestState\":\"");

	if (!ok(s != NULL, "a state"))
		return xstrdup("");
	s += strlen("\"requestState\":\"");
	return xasprintf("%.*s", (int)strcspn(s, "\""), s);
}

#define ANSWER(content)                                              \
	",\"inputResponses\":{\"arguments\":{\"action\":\"accept\"," \
	"\"content\":{" content "}}}"
#define HANDOFF "\"name\":\"handoff\""

static void
test_ask(void)
{
	const struct who other = { MCP_2026_07_28, MCP_TOOLS_FULL, 0, "q" };
	const struct who stranger = { MCP_2026_07_28, MCP_TOOLS_FULL, 1, "p" };
	static const struct {
		const char *name;
		const char *params;
		const char *wants;
	} rows[] = {
		{ "one that cannot be asked", HANDOFF META(""),
		    "-32602|to is missing" },
		{ "one that can only follow links",
		    HANDOFF META("\"elicitation\":{\"url\":{}}"),
		    "-32602|to is missing" },
		{ "one that says nothing of forms",
		    HANDOFF META("\"elicitation\":{}"), "input_required" },
		{ "one that can", HANDOFF FORMS,
		    "\"resultType\":\"input_required\"|\"arguments\":{"
		    "\"method\":\"elicitation/create\"|\"mode\":\"form\"|"
		    "\"enum\":[\"@dev\",\"@qa/ui\",\"bob\",|"
		    "\"required\":[\"to\"]|\"task\":{\"type\":\"string\"" },
		{ "only for what is missing",
		    HANDOFF ",\"arguments\":{\"task\":\"t\"}" FORMS,
		    "input_required|!\"task\"" },
		{ "and for nothing when nothing is",
		    HANDOFF ",\"arguments\":{\"to\":\"bob\"}" FORMS,
		    "\"resultType\":\"complete\"|over to bob in" },
		{ "an answer",
		    HANDOFF FORMS ANSWER("\"to\":\"bob\",\"task\":\"tests\""),
		    "complete|over to bob in the mesh: tests. If" },
		{ "what was given stays",
		    HANDOFF ",\"arguments\":{\"task\":\"mine\"}" FORMS ANSWER(
			"\"to\":\"bob\",\"task\":\"other\""),
		    "complete|to bob in the mesh: mine. If" },
		{ "an answer that lacks it",
		    HANDOFF FORMS ANSWER("\"task\":\"x\""),
		    "-32602|to is missing" },
		{ "an answer that is no text",
		    HANDOFF FORMS ANSWER("\"to\":[\"bob\"]"),
		    "-32602|to must be a text" },
		{ "more than was asked", HANDOFF FORMS ANSWER("\"too\":\"x\""),
		    "-32602|did you mean \\\"to\\\"?" },
		{ "an answer to something else",
		    HANDOFF FORMS ",\"inputResponses\":{\"x\":{}}",
		    "input_required" },
		{ "no answer",
		    HANDOFF FORMS ",\"inputResponses\":{\"arguments\":"
				  "{\"action\":\"decline\"}}",
		    "-32602|to is missing" },
		{ "what is no answer",
		    HANDOFF FORMS ",\"inputResponses\":{\"arguments\":3}",
		    "input_required" },
		{ "answers that are none",
		    HANDOFF FORMS ",\"inputResponses\":[]",
		    "-32602|inputResponses" },
		{ "a state that is none", HANDOFF FORMS ",\"requestState\":3",
		    "-32602|requestState" },
		{ "a short one", HANDOFF FORMS ",\"requestState\":\"a.1.b\"",
		    "-32602|requestState" },
	};
	char *state, *again, *wrong;
	size_t i;

	mesh.answer = PEERS;
	for (i = 0; i < NELEM(rows); i++)
		has(answer(&modern, "prompts/get", rows[i].params),
		    rows[i].wants, rows[i].name);
	mesh.answer = NULL;
	has(answer(&modern, "prompts/get", HANDOFF FORMS),
	    "input_required|!enum", "nobody to choose from");
	has(answer(&old, "prompts/get", HANDOFF ANSWER("\"to\":\"bob\"")),
	    "-32602|to is missing", "an earlier revision has no such answers");

	mesh.answer = PEERS;
	state = state_of(answer(&modern, "prompts/get", HANDOFF FORMS));
	again = xasprintf(HANDOFF FORMS
	    ",\"requestState\":\"%s\"" ANSWER("\"to\":\"bob\""),
	    state);
	has(answer(&modern, "prompts/get", again), "complete|to bob",
	    "with its state");
	has(answer(&other, "prompts/get", again), "-32602|requestState",
	    "of somebody else");
	has(answer(&stranger, "prompts/get", again), "-32602|requestState",
	    "of another server");
	wall_ms += 3600001;
	has(answer(&modern, "prompts/get", again), "-32602|requestState",
	    "too late");
	wall_ms -= 3600001;
	wrong = xasprintf(
	    "\"name\":\"ask\"" FORMS ",\"requestState\":\"%s\"", state);
	has(answer(&modern, "prompts/get", wrong), "-32602|requestState",
	    "for another prompt");
	free(wrong);
	wrong = xasprintf(HANDOFF ",\"arguments\":{\"task\":\"t\"}" FORMS
				  ",\"requestState\":\"%s\"",
	    state);
	has(answer(&modern, "prompts/get", wrong), "-32602|requestState",
	    "with other arguments");
	free(wrong);
	for (i = 0; state[i] != '\0'; i++) {
		wrong =
		    xasprintf(HANDOFF FORMS ",\"requestState\":\"%s\"", state);
		wrong[strlen(wrong) - strlen(state) - 1 + i] ^= 1;
		if (strstr(answer(&modern, "prompts/get", wrong), "-32602") ==
		    NULL)
			break;
		free(wrong);
		wrong = NULL;
	}
	is_int(i, strlen(state), "no byte of it can be another");
	free(wrong);
	free(again);
	free(state);
}

/*
 * Before 2026-07-28: the question is a request of ours.
 */
static struct mcp *
client_new(const char *version, const char *can, bool is_duplex)
{
	const struct mcp_config c = {
		.backend = &backend,
		.out = client_out,
		.version = "1.2.3",
		.is_duplex = is_duplex,
		.key = keys[0],
		.principal = "",
	};
	struct mcp *m = mcp_new(&c);
	char *line = xasprintf(
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\","
	    "\"params\":{\"protocolVersion\":\"%s\",\"capabilities\":{%s}}}",
	    version, can);

	(void)mcp_input(m, line, strlen(line), NULL);
	free(line);
	return m;
}

static const char *
say(struct mcp *m, const char *line)
{
	free(heard);
	heard = xstrdup("");
	(void)mcp_input(m, line, strlen(line), NULL);
	return heard;
}

#define GET                                                                             \
	"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"prompts/get\",\"params\":{" HANDOFF \
	"}}"
#define REPLY(id, more) "{\"jsonrpc\":\"2.0\",\"id\":\"" id "\"," more "}"
#define ACCEPT "\"result\":{\"action\":\"accept\",\"content\":{\"to\":\"bob\"}}"

static void
test_ask_before(void)
{
	static const struct {
		const char *name;
		const char *line;
		const char *wants;
		size_t pending;
	} rows[] = {
		{ "an answer", REPLY("linnet-0-1", ACCEPT),
		    "\"id\":7,\"result\"|over to bob in|!resultType", 0 },
		{ "no answer",
		    REPLY("linnet-0-1", "\"result\":{\"action\":\"cancel\"}"),
		    "\"id\":7|-32602|to is missing", 0 },
		{ "one that lacks it",
		    REPLY("linnet-0-1", "\"result\":{\"action\":\"accept\","
					"\"content\":{}}"),
		    "\"id\":7|-32602|to is missing", 0 },
		{ "one that is no text",
		    REPLY("linnet-0-1", "\"result\":{\"action\":\"accept\","
					"\"content\":{\"to\":3}}"),
		    "\"id\":7|-32602|to must be a text", 0 },
		{ "an error",
		    REPLY("linnet-0-1", "\"error\":{\"code\":-1,"
					"\"message\":\"no\"}"),
		    "\"id\":7|-32602|to is missing", 0 },
		{ "a result that is none", REPLY("linnet-0-1", "\"result\":[]"),
		    "\"id\":7|-32602|to is missing", 0 },
		{ "an answer to another question", REPLY("linnet-0-2", ACCEPT),
		    "", 1 },
		{ "a number for an id",
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", "", 1 },
		{ "a request that is cancelled",
		    "{\"jsonrpc\":\"2.0\",\"method\":"
		    "\"notifications/cancelled\",\"params\":{\"requestId\":7}}",
		    "notifications/cancelled\"|"
		    "\"requestId\":\"linnet-0-1\"",
		    0 },
	};
	const char *asked = "\"id\":\"linnet-0-1\",\"method\":"
			    "\"elicitation/create\"|\"enum\":[\"@dev\"|"
			    "!\"result\"|!requestState";
	struct mcp *m;
	size_t i;

	mesh.answer = PEERS;
	for (i = 0; i < NELEM(rows); i++) {
		m = client_new("2025-11-25", "\"elicitation\":{}", true);
		has(say(m, GET), asked, "before: a question");
		is_int(mcp_pending(m), 1, "which waits");
		has(say(m, rows[i].line), rows[i].wants, rows[i].name);
		is_int(mcp_pending(m), rows[i].pending, "and is over or not");
		if (rows[i].wants[0] == '\0')
			is_str(heard, "", "nothing is said");
		else
			is_str(say(m, rows[i].line), "", "once");
		mcp_free(m);
	}
	m = client_new("2025-11-25", "\"elicitation\":{}", true);
	(void)say(m, GET);
	mcp_stop(m);
	has(heard, "\"id\":7|-32603|was not answered", "the server ends");
	is_int(mcp_pending(m), 0, "and nothing waits");
	mcp_free(m);
	m = client_new("2025-11-25", "\"elicitation\":{}", true);
	for (i = 0; i < 16; i++)
		(void)say(m, GET);
	has(say(m, GET), "-32603|Too many questions", "too many");
	has(say(m, REPLY("linnet-0-1", ACCEPT)), "over to bob",
	    "until one is over");
	has(say(m, GET), "\"linnet-0-17\"", "then another");
	mcp_free(m);

	m = client_new("2025-11-25", "", true);
	has(say(m, GET), "-32602|to is missing", "who cannot be asked");
	mcp_free(m);
	m = client_new("2025-03-26", "\"elicitation\":{}", true);
	has(say(m, GET), "-32602|to is missing",
	    "a revision without questions");
	mcp_free(m);
	m = client_new("2025-11-25", "\"elicitation\":{}", false);
	has(say(m, GET), "-32602|to is missing", "a transport without answers");
	mcp_free(m);
}

int
main(void)
{
	crypto_start();
	test_list();
	test_get();
	test_complete();
	test_ask();
	test_ask_before();
	free(heard);
	return tap_done();
}
