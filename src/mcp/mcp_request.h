/* SPDX-License-Identifier: ISC */
/*
 * mcp from the inside: a client, its requests, the table of tools.
 */
#ifndef MCP_MCP_REQUEST_H
#define MCP_MCP_REQUEST_H

#include <sys/queue.h>

#include "base/base.h"
#include "mcp/mcp.h"

#define MCP_NODES 65536u /* of a message of the client */
#define MCP_DEPTH 64u
#define MCP_ANSWER_NODES ((size_t)1 << 22) /* of one of the backend */
#define MCP_ID_MAX 512u
#define MCP_BATCH_MAX 100u
#define MCP_PAGE 20 /* rows of a list, when nothing is said */
#define MCP_PAGE_MAX 100
#define MCP_PAGE_BYTES 40000u /* after which a list ends its page */

/* JSON-RPC 2.0, and those of MCP. */
#define RPC_PARSE (-32700)
#define RPC_REQUEST (-32600)
#define RPC_METHOD (-32601)
#define RPC_PARAMS (-32602)
#define RPC_INTERNAL (-32603)
#define RPC_RESOURCE (-32002)	/* not found, up to 2025-11-25 */
#define RPC_CAPABILITY (-32021) /* the client has it not */
#define RPC_VERSION (-32022)

#define META_VERSION "io.modelcontextprotocol/protocolVersion"
#define META_CLIENT "io.modelcontextprotocol/clientInfo"
#define META_CAPABILITIES "io.modelcontextprotocol/clientCapabilities"
#define META_SERVER "io.modelcontextprotocol/serverInfo"
#define META_SUBSCRIPTION "io.modelcontextprotocol/subscriptionId"
#define EXTENSION_SKILLS "io.modelcontextprotocol/skills"
#define CHANNEL "claude/channel"

/*
 * Tools.
 */
enum mcp_type {
	M_END,
	M_TEXT,
	M_ID,	/* 32 hex digits */
	M_IDS,	/* one, or an array of them */
	M_ENUM, /* one of names */
	M_INT,	/* min to max */
	M_BOOL,
	M_JSON,	   /* any value */
	M_TEXTS,   /* array */
	M_TARGET,  /* text or array of texts */
	M_TIME,	   /* RFC 3339; there, too */
	M_MS,	   /* RFC 3339; there milliseconds since 1970 */
	M_DELAY,   /* seconds from now; there milliseconds since 1970 */
	M_SECONDS, /* seconds; there milliseconds */
	M_FLAG,	   /* true; there the first of names */
	M_FILE,	   /* text: a path or id, see mcp_file_attach() */
	M_FILES,   /* array of these */
	M_ROWS,	   /* array of objects */
	M_ROW,	   /* object */
};

/* An argument of a tool, or a member of its result. */
struct mcp_field {
	const char *name;
	const char *as; /* in the mesh protocol; NULL: not there */
	enum mcp_type type;
	unsigned flags;
	int64_t min; /* of an int; bytes of a text, items of an array */
	int64_t max; /* 0: no limit */
	const char *const *names;
	const struct mcp_field *rows;
	const char *text;
};
#define M_REQUIRED 0x01 /* in: must be there; out: is always there */
#define M_CUT 0x02	/* out: cut when the page is full; `cut` says so */
#define M_EMPTY 0x04	/* out: told also when it is "" */

/* How the rows of a list are divided into pages. */
enum mcp_paging {
	PAGE_NONE,
	PAGE_THERE,  /* the broker does it: limit, after, next */
	PAGE_KEYS,   /* the same, and after is the key of the last row */
	PAGE_IDS,    /* or its id */
	PAGE_OFFSET, /* it gives all of them; after counts rows */
};

enum mcp_kind {
	TOOL_CALL, /* an operation, and its answer */
	TOOL_SEND,
	TOOL_CHECK,
	TOOL_WAIT,
	TOOL_ACK,
	TOOL_SHARE,
	TOOL_FETCH,
	TOOL_CHANNEL,
	TOOL_PERMISSION,
};

struct mcp_tool {
	const char *name;
	const char *title;
	const char *text;
	const char *op;
	enum mcp_kind kind;
	bool core; /* also among the few of MCP_TOOLS_CORE */
	enum mcp_paging paging;
	unsigned hints;
	const struct mcp_field *in;  /* ended by M_END */
	const struct mcp_field *out; /* the same, without unread */
	const char *const *need;     /* one of these at least, or NULL */
};
#define HINT_READ 0x01	      /* changes nothing */
#define HINT_DESTRUCTIVE 0x02 /* takes something away */
#define HINT_IDEMPOTENT 0x04  /* a second time changes nothing */
#define HINT_LOCAL 0x08	      /* it has paths of the agent's machine */
#define HINT_REMOTE 0x10      /* instead of that one, where there are none */

extern const struct mcp_tool mcp_tools[]; /* ended by a NULL name */
/* NULL: there is none, or this client does not have it. */
const struct mcp_tool *mcp_tool_find(
    const struct mcp_config *c, struct slice name);
bool mcp_tool_is_in(const struct mcp_tool *t, const struct mcp_config *c);
/* From the most urgent on, NULL-ended. */
extern const char *const mcp_priorities[];

/*
 * Prompts.
 */
/* What completes the value of an argument, or a part of a URI. */
enum mcp_source {
	COMPLETE_NOTHING,
	COMPLETE_TARGETS, /* peers and groups, as send_message takes them */
	COMPLETE_GROUPS,
	COMPLETE_KEYS, /* of the state */
	COMPLETE_TAGS,
	COMPLETE_MEMORIES, /* ids */
	COMPLETE_FILES,	   /* the same */
};

struct mcp_prompt_arg {
	const char *name; /* NULL: there are no more */
	const char *title;
	const char *description;
	bool required;
	enum mcp_source source;
};

struct mcp_prompt {
	const char *name;
	const char *title;
	const char *description;
	const char *text; /* see mcp_prompt.c */
	struct mcp_prompt_arg args[4];
};

/*
 * Requests.
 */
struct mcp_batch {
	size_t left;
	void *tag;
	struct buf answers; /* with commas between them */
};

struct mcp_request;
typedef void mcp_method_fn(struct mcp_request *r, size_t params);
typedef void mcp_ask_fn(
    struct mcp_request *r, const struct mcp_error *e, const struct json *j);

struct mcp_ask {
	bool open;
	mcp_ask_fn *fn;
};

struct mcp_listen; /* mcp_subscribe.c */

/* What a client lets itself be asked, as it says. */
#define CAN_ELICIT 0x01
#define CAN_SAMPLE 0x02
#define CAN_ROOTS 0x04

struct mcp_request {
	TAILQ_ENTRY(mcp_request) entry;
	struct mcp *m;
	struct mcp_batch *batch;
	void *tag;
	struct slice id; /* JSON */
	const char *method;
	mcp_method_fn *fn;
	struct slice progress; /* token, JSON; or {NULL, 0} */
	enum mcp_revision revision;
	struct pool pool;
	struct mcp_ask ask; /* one at a time */
	struct buf out;	    /* the answer */
	struct json_writer w;
	/* Of a call of a tool. */
	const struct mcp_tool *tool;
	size_t limit;
	size_t offset;
	const char *reply_to;
	struct buf result;   /* structured content, without its end */
	bool failed;	     /* it is a sentence that says what went wrong */
	struct slice *taken; /* ids of messages that the answer has */
	size_t ntaken;
	/* Of one that waits; 0: it does not. */
	int64_t until_ms;
	int64_t began_ms;
	int64_t look_ms;     /* when to look for messages again */
	int64_t progress_ms; /* when to say that it still waits, or goes on */
	bool looking;
	bool again; /* something arrived meanwhile */
	void (*look)(struct mcp_request *r);
	const char *waits; /* for what, in a sentence */
	/* Of one that asks the client, see mcp_input.c. */
	unsigned can; /* CAN_ */
	uint8_t input_digest[CRYPTO_DIGEST_LEN];
	const char *input_state;   /* that came back; NULL: none */
	size_t input_answers;	   /* the node, or 0 */
	struct slice input_params; /* to be read again, JSON */
	struct mcp_asked *asked;   /* before 2026-07-28 */
	size_t nasked;
	size_t nopen; /* of them, without an answer */
	/* Of a prompt. */
	const struct mcp_prompt *prompt;
	unsigned missing; /* a bit for each argument */
	/* Of a completion. */
	enum mcp_source source;
	const char *typed;
	/* Of one that has to do with files. */
	struct mcp_attach *attach; /* mcp_file.c */
	int64_t progress_base;	   /* bytes of files before this one */
	int64_t progress_done;	   /* that were told */
	/* Of a read or list of resources. */
	const char *uri;
	const char *key; /* or the channel that is posted to, or the request
			  * for a permission that is waited for */
	struct mcp_listen *listen;
};

/* A message that waits for an agent, as far as it was told of it. */
struct mcp_notice {
	TAILQ_ENTRY(mcp_notice) entry;
	char id[ID_HEX_LEN + 1];
	char *text; /* of the notification; NULL: it was sent */
	size_t n;
	unsigned again; /* how often it was told again */
	int64_t due_ms;
};

struct mcp_subscription {
	TAILQ_ENTRY(mcp_subscription) entry;
	struct mcp_listen *listen; /* NULL: of resources/subscribe */
	char *match;		   /* the URI as mcp_subscribe_told() has it */
	char uri[];
};

struct mcp {
	struct mcp_config config;
	enum mcp_revision revision; /* MCP_UNKNOWN before initialize */
	bool initialized;	    /* the client said so */
	bool pushes;
	bool held; /* by mcp_hold() */
	int log_level;
	unsigned can;	     /* CAN_, as initialize said */
	uint64_t nquestions; /* that were asked so far */
	struct json json;    /* what is being read */
	TAILQ_HEAD(, mcp_request) requests;
	size_t nrequests;
	/* Ids whose answers were handed out, not yet written. */
	char (*written)[ID_HEX_LEN + 1];
	size_t nwritten, capwritten;
	/* mcp_push.c */
	TAILQ_HEAD(, mcp_notice) notices;
	size_t nnotices;
	int64_t push_ms; /* not before */
	struct bucket changes;
	unsigned missed; /* changes of state that were not told */
	/* mcp_subscribe.c */
	TAILQ_HEAD(subscriptions, mcp_subscription) subscriptions;
	size_t nsubscriptions;
	bool stopping; /* nothing more will come in */
};

/*
 * mcp.c
 */
/* Asks the backend; fn gets the answer, once, perhaps at once. */
void mcp_ask_op(
    struct mcp_request *r, const char *op, const char *fields, mcp_ask_fn *fn);
void mcp_ask_messages(
    struct mcp_request *r, size_t limit, bool take, mcp_ask_fn *fn);
void mcp_ask_subscribe(
    struct mcp_request *r, const char *uri, bool on, mcp_ask_fn *fn);
void mcp_ask_unread(struct mcp_request *r, mcp_ask_fn *fn);
/* What a request has taken is acked when it is written. */
void mcp_request_used(struct mcp_request *r);
/* Carries out a request, or a notification. */
void mcp_requested(
    struct mcp_request *r, const struct json_node *method, size_t params);
/* Carries it out, also a second time. */
void mcp_request_run(struct mcp_request *r, size_t params);
void mcp_notified(struct mcp *m, const struct json_node *method, size_t params);

/*
 * mcp_rpc.c
 */
/* Begins the result of a request; the caller adds members to the writer and
 * calls mcp_result_end(), which frees the request. */
struct json_writer *mcp_result(struct mcp_request *r);
/* The same of another type than "complete", which modern clients are told. */
struct json_writer *mcp_result_as(struct mcp_request *r, const char *type);
void mcp_result_end(struct mcp_request *r);
/* An empty one. */
void mcp_result_empty(struct mcp_request *r);
/* How long a result may be kept, which modern clients are told: by anybody
 * who asks (is_public), or by this one. */
void mcp_result_cache(struct mcp_request *r, int64_t ttl_ms, bool is_public);
/* Fails a request with a sentence, and frees it.  http: the status that it has
 * in a modern request. */
void mcp_fail(struct mcp_request *r, int code, int http, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* The same with data, JSON. */
void mcp_fail_data(struct mcp_request *r, int code, int http, const char *data,
    const char *text);
/* A request of ours to the client; id: in quotes. */
void mcp_question(struct mcp_request *r, const char *id, const char *method,
    const char *params);
/* Begins a notification; mcp_note_end() sends it, about what has the tag. */
void mcp_note(struct json_writer *w, struct buf *b, const char *method);
void mcp_note_end(
    struct mcp *m, struct json_writer *w, struct buf *b, void *tag);
/* true: something is or will be answered. */
bool mcp_read(struct mcp *m, const char *text, size_t n, void *tag);
/* The request is over, answered or not. */
void mcp_request_free(struct mcp_request *r);
/* An error that answers no request. */
void mcp_rpc_broken(struct mcp *m, void *tag, int code, const char *text);

/* A value as JSON text. */
struct slice mcp_json_raw(const struct json *j, size_t at);
/* The string at a key of object i, in the pool; NULL: there is none, or it has
 * a NUL. */
const char *mcp_json_str(
    struct pool *p, const struct json *j, size_t i, const char *key);
/* The same of a node. */
const char *mcp_json_text(struct pool *p, const struct json_node *node);
int64_t mcp_json_int(const struct json *j, size_t i, const char *key);
bool mcp_json_bool(const struct json *j, size_t i, const char *key);
/* The object or array at a key; 0: there is none. */
size_t mcp_json_in(
    const struct json *j, size_t i, const char *key, enum json_type type);

/*
 * Methods: each answers the request.  params: the node, or 0.
 */
/* A text of params; NULL: there is none. */
const char *mcp_param(struct mcp_request *r, size_t params, const char *key);
mcp_method_fn mcp_hello_initialize, mcp_hello_discover;
mcp_method_fn mcp_tool_list, mcp_tool_call;
mcp_method_fn mcp_resource_list, mcp_resource_templates, mcp_resource_read;
mcp_method_fn mcp_subscribe, mcp_unsubscribe, mcp_subscribe_listen;
mcp_method_fn mcp_guide_skills, mcp_guide_get;
mcp_method_fn mcp_prompt_list, mcp_prompt_get, mcp_complete;
/* Checks what a modern request says of itself; false: it was answered. */
bool mcp_hello_modern(struct mcp_request *r, size_t meta);
extern const char *const mcp_revision_names[];
/* The guide of those who have a shell and no tools. */
extern const char mcp_guide_command[];
/* level, as in RFC 5424; -1: there is none. */
int mcp_log_level(const char *name);

/*
 * mcp_args.c, mcp_schema.c, mcp_project.c
 */
/* NULL, or a sentence that says what to mend, of the pool.  at: the value of
 * arguments, or 0. */
const char *mcp_args_check(
    struct pool *p, const struct mcp_tool *t, const struct json *j, size_t at);
/* The fields of the operation; mcp_args_check() found nothing wrong. */
void mcp_args_fields(
    struct buf *out, const struct mcp_tool *t, const struct json *j, size_t at);
void mcp_schema(struct json_writer *w, const struct mcp_tool *t, bool in);
/* Appends the members of a result as an open object: the caller closes it. */
struct mcp_page {
	enum mcp_paging paging;
	size_t limit;
	size_t offset;
};
void mcp_project(struct json_writer *w, const struct mcp_field *fields,
    const struct json *j, size_t at, const struct mcp_page *page);

/*
 * mcp_tool.c
 */
/* Ends a call: r->result has what there is to say. */
void mcp_tool_end(struct mcp_request *r);
void mcp_tool_fail(struct mcp_request *r, const char *fmt, ...)
    PRINTF_LIKE(2, 3);
void mcp_tool_failed(struct mcp_request *r, const struct mcp_error *e);

/* The result of a call is made of an answer. */
mcp_ask_fn mcp_tool_answered;

/*
 * mcp_file.c
 */
#define MCP_FILE_CONTENT (1 << 20) /* bytes of one that stands in a call */
void mcp_file_share(struct mcp_request *r, const struct json *j, size_t at);
void mcp_file_fetch(struct mcp_request *r, const struct json *j, size_t at);
void mcp_file_ask(
    struct mcp_request *r, const struct mcp_fetch *f, mcp_ask_fn *fn);
/* Sends a message with its files; false: it has none. */
bool mcp_file_attach(
    struct mcp_request *r, const struct json *j, size_t at, const char *fields);

/*
 * mcp_file_table.c
 */
extern const struct mcp_field mcp_file_share_in[], mcp_file_share_out[],
    mcp_file_link_in[], mcp_file_link_out[], mcp_file_get_in[],
    mcp_file_get_out[], mcp_file_url_in[], mcp_file_url_out[],
    mcp_file_list_in[], mcp_file_list_out[], mcp_file_status_in[],
    mcp_file_status_out[], mcp_file_delete_in[], mcp_file_delete_out[],
    mcp_file_message_rows[];
extern const char *const mcp_file_share_need[];

/*
 * mcp_channel.c
 */
/* Says something in a channel; false: it is for others. */
bool mcp_channel_send(struct mcp_request *r, size_t args);
void mcp_channel_call(struct mcp_request *r, size_t args);

/*
 * mcp_channel_table.c
 */
extern const struct mcp_field mcp_channel_part_rows[], mcp_channel_create_in[],
    mcp_channel_thread_in[], mcp_channel_made_out[], mcp_channel_list_in[],
    mcp_channel_list_out[], mcp_channel_read_in[], mcp_channel_read_out[],
    mcp_channel_mark_in[], mcp_channel_mark_out[], mcp_channel_follow_in[],
    mcp_channel_follow_out[], mcp_channel_change_in[], mcp_channel_change_out[],
    mcp_channel_member_in[], mcp_channel_member_out[], mcp_channel_members_in[],
    mcp_channel_members_out[];

/*
 * mcp_message.c
 */
void mcp_message_check(struct mcp_request *r, const struct json *j, size_t at);
void mcp_message_wait(struct mcp_request *r, const struct json *j, size_t at);
void mcp_message_ack(struct mcp_request *r, const struct json *j, size_t at);
/* The agent answered a message: it has it. */
void mcp_message_used(struct mcp *m, const char *text);
void mcp_message_arrived(struct mcp *m);

/*
 * mcp_wait.c
 */
/* look: asks whether there is what is waited for, and calls mcp_wait_over()
 * with the answer; text: for whom progress is told, kept. */
typedef void mcp_wait_fn(struct mcp_request *r);
void mcp_wait_begin(struct mcp_request *r, int64_t seconds, mcp_wait_fn *look,
    const char *text);
/* Something may have come. */
void mcp_wait_look(struct mcp_request *r);
/* true: it ends, as it was found or the time is over; false: it goes on, and
 * may have looked again. */
bool mcp_wait_over(struct mcp_request *r, bool found);
/* When a request that waits has something to do. */
int64_t mcp_wait_due(const struct mcp_request *r);
void mcp_wait_tick(struct mcp_request *r);
/* Does not wait any longer. */
void mcp_wait_end(struct mcp_request *r);

/*
 * mcp_permission.c
 */
/* Asks for a permission, and waits. */
void mcp_permission_request(
    struct mcp_request *r, const struct json *j, size_t args);

/*
 * mcp_permission_table.c
 */
extern const struct mcp_field mcp_permission_in[], mcp_permission_out[],
    mcp_permission_list_in[], mcp_permission_list_out[],
    mcp_permission_resolve_in[], mcp_permission_resolve_out[], mcp_command_in[],
    mcp_command_out[], mcp_command_list_in[], mcp_command_list_out[],
    mcp_search_in[], mcp_search_out[];
extern const char *const mcp_permission_need[];

/*
 * mcp_subscribe.c
 */
/* uri: NULL: all of them. */
void mcp_subscribe_told(struct mcp *m, const char *uri);
/* The request of a listen is over. */
void mcp_subscribe_end(struct mcp_request *r);
/* The server ends it. */
void mcp_subscribe_close(struct mcp_request *r);
void mcp_subscribe_free(struct mcp *m);
#define URI_INBOX "linnet://inbox"
#define URI_STATE "linnet://state/"
#define URI_MEMORY "linnet://memory/"
#define URI_FILE "linnet://file/"
#define URI_SKILL "skill://linnet/SKILL.md"
/* What stands behind a prefix of a URI, percent-decoded; NULL: it is not so,
 * or is no text. */
const char *mcp_uri_rest(struct pool *p, const char *uri, const char *prefix);
void mcp_uri_add(struct buf *b, const char *prefix, const char *rest, size_t n);

/*
 * mcp_input.c: questions to the client
 */
struct mcp_input {
	const char *key;
	const char *method; /* such as elicitation/create */
	const char *params; /* JSON */
};
/* Bits of what a client declares, of the node of its capabilities. */
unsigned mcp_input_can(const struct json *j, size_t capabilities);
/* Reads what a request brings again; false: it was answered with an error. */
bool mcp_input_read(struct mcp_request *r, size_t params);
/* The answer to a question, an object; 0: there is none. */
size_t mcp_input_answer(const struct mcp_request *r, const char *key);
/* The content of a form that the user sent; 0: there is none. */
size_t mcp_input_accepted(const struct mcp_request *r, const char *key);
/* An answer to a question of ours came; at: its node. */
void mcp_input_answered(struct mcp *m, size_t at);
/* They are not wanted any more: the client is told so. */
void mcp_input_drop(struct mcp_request *r);
/* None will come any more. */
void mcp_input_end(struct mcp_request *r);
/* Asks the client, and carries out the request again when it has answered.
 * state: comes back with the answers, or NULL; of characters that JSON need not
 * escape. */
void mcp_input_require(struct mcp_request *r, const struct mcp_input *in,
    size_t n, const char *state);

/*
 * mcp_complete.c
 */
/* Asks the mesh for what a source has that begins with a text; fn gets the
 * answer. */
void mcp_complete_ask(struct mcp_request *r, enum mcp_source source,
    const char *typed, mcp_ask_fn *fn);
/* Writes up to 100 values of it, in an array; how many there are, or 101. */
size_t mcp_complete_values(
    struct mcp_request *r, const struct json *j, struct json_writer *w);

/*
 * mcp_prompt.c
 */
/* NULL: there is none. */
const struct mcp_prompt *mcp_prompt_find(
    const struct mcp_config *c, const char *name);
/* An argument that was given, of a name of n bytes; NULL: it was not. */
const char *mcp_prompt_value(
    struct mcp_request *r, size_t params, const char *name, size_t n);
/* Around the messages of a result. */
struct json_writer *mcp_prompt_begin(
    struct mcp_request *r, const struct mcp_prompt *p);
void mcp_prompt_end(struct mcp_request *r);

#ifdef MCP_FIXTURES
/*
 * t/mcp/mcp_fixture.c: in test builds only
 */
/* true: it was answered. */
bool mcp_fixture(struct mcp_request *r, const char *method, size_t params);
void mcp_fixture_tools(struct json_writer *w);
/* NULL: there is none. */
const struct mcp_prompt *mcp_fixture_prompt(const char *name);
const struct mcp_prompt *mcp_fixture_prompt_at(size_t i);
bool mcp_fixture_prompt_get(
    struct mcp_request *r, const struct mcp_prompt *p, size_t params);
/*
 * t/mcp/mcp_fixture_ask.c
 */
/* true: it was answered; false: it has its answers, or is none of these. */
bool mcp_fixture_ask(struct mcp_request *r, const char *name, size_t params);
const char *mcp_fixture_ask_name(size_t i);
bool mcp_fixture_asks(const char *name);
#endif

/*
 * mcp_push.c
 */
void mcp_push_ready(struct mcp *m);
void mcp_push_message(struct mcp *m, const struct mcp_message *message);
void mcp_push_change(struct mcp *m, const struct mcp_change *change);
/* The agent has it. */
void mcp_push_forget(struct mcp *m, const char *id);
int64_t mcp_push_due(const struct mcp *m);
void mcp_push_tick(struct mcp *m);
void mcp_push_free(struct mcp *m);

#endif
