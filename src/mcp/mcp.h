/* SPDX-License-Identifier: ISC */
/*
 * mcp: the Model Context Protocol, by which the host of an agent gives it
 * tools.  One implementation for every transport: it is handed the text of
 * JSON-RPC messages and hands out others; what it knows of the mesh it asks a
 * backend, by the operations of the mesh protocol.
 *
 *	mcp.c		a client, and what it sends
 *	mcp_rpc.c	JSON-RPC 2.0: envelopes, answers, batches
 *	mcp_hello.c	revisions, and what we say of ourselves
 *	mcp_tool.c	calls of tools; mcp_tools.c: the table of them
 *	mcp_args.c	arguments checked; mcp_project.c: answers made
 *			mcp_schema.c: the JSON Schemas of both
 *	mcp_message.c	messages: read, waited for, acknowledged
 *	mcp_wait.c	calls that wait
 *	mcp_channel.c	channels; mcp_channel_table.c: their tools
 *	mcp_permission.c permissions that are asked for;
 *			mcp_permission_table.c: their tools, those of commands,
 *			and search
 *	mcp_file.c	files: shared, fetched, sent with messages;
 *			mcp_file_table.c: their tools
 *	mcp_inbox.c	messages that arrived, for backends that are pushed to
 *	mcp_resource.c	resources; mcp_subscribe.c: who is told of changes
 *	mcp_prompt.c	prompts; mcp_complete.c: what could be typed there
 *	mcp_input.c	questions to the client
 *	mcp_push.c	waking an agent
 *	mcp_guide.c	what an agent is told of the use of all this
 *
 * Specifications: modelcontextprotocol.io, revisions 2024-11-05 to 2026-07-28.
 * The last one is "modern": each request says all that is to know.  Those
 * before begin with `initialize`.
 */
#ifndef MCP_MCP_H
#define MCP_MCP_H

#include "base/base.h"

enum mcp_revision {
	MCP_UNKNOWN, /* no initialize came yet */
	MCP_2024_11_05,
	MCP_2025_03_26,
	MCP_2025_06_18,
	MCP_2025_11_25,
	MCP_2026_07_28,
};

enum mcp_tools {
	MCP_TOOLS_FULL,
	MCP_TOOLS_CORE,
	MCP_TOOLS_NONE,
};
extern const char *const mcp_tools_names[]; /* by enum, NULL-ended */

/* Are messages pushed as notifications of Claude Code's channels? */
enum mcp_push {
	MCP_PUSH_AUTO, /* when the client says that it is Claude Code */
	MCP_PUSH_ON,
	MCP_PUSH_OFF,
};
extern const char *const mcp_push_names[];

struct mcp;
struct mcp_ask;

struct mcp_error {
	const char *code; /* as in the mesh protocol */
	const char *message;
};

/* A file to share: what is handed in is good during the call. */
struct mcp_share {
	const char *path;  /* on the agent's machine; NULL: bytes */
	const char *bytes; /* NULL: they come later, by a link */
	size_t n;
	const char *name; /* NULL: that of the path */
	const char *mime; /* or NULL */
	const char *tags; /* an array, JSON; or NULL */
	bool attached;	  /* for recipients of messages, not for the mesh */
	int64_t size;	  /* of what comes later; -1: it is not known */
};

/* One to get. */
struct mcp_fetch {
	const char *id;
	const char *path; /* on the agent's machine; NULL: there is none */
	size_t most;	  /* a text of so many bytes is answered as it is */
	bool look;	  /* bytes, too; and nothing else is done with it */
};

/*
 * What there is behind the tools.  A question (ask) is answered once, with
 * mcp_answer(), at once or later; unless it was forgotten.
 */
struct mcp_backend {
	/* An operation of the mesh protocol, linnet-protocol(7).  fields: the
	 * members of its request beside type, as JSON without the braces; good
	 * during the call.  The answer is the broker's.
	 * But for send, whose fields are to (text or array of texts), message
	 * (text), priority, replyToId, ttl, id: how it is encrypted is the
	 * backend's.  It answers {"messages":[{"to":...}]}, of each to
	 * messageId, recipients, duplicate, blocked as in the ack; or error,
	 * a sentence.
	 * After follow_channel what others say there arrives as messages, until
	 * unfollow_channel; where nothing arrives, it is not asked. */
	void (*call)(
	    void *arg, struct mcp_ask *a, const char *op, const char *fields);
	/* Up to so many messages that were not used, the oldest first, which
	 * stay what they are: {"messages":[...],"more":bool}, of each the
	 * members of struct mcp_message but for data.  take: they will be
	 * taken. */
	void (*messages)(void *arg, struct mcp_ask *a, size_t limit, bool take);
	/* How many there are: {"count":2,"highest":"now"}; without highest
	 * when there is none. */
	void (*unread)(void *arg, struct mcp_ask *a);
	/* The agent has a message: it is not unread any more; false: it was
	 * not.  What is taken is acked later, when the agent's host has it. */
	bool (*take)(void *arg, const char *id);
	/* But the host did not get the answer: it is unread again. */
	void (*untake)(void *arg, const char *id);
	void (*ack)(void *arg, const char *id);
	/* Shares a file: {"fileId","name","uploaded",...}, with size and sha256
	 * when it is there, else with url, curl, expiresAt, maxBytes. */
	void (*share)(void *arg, struct mcp_ask *a, const struct mcp_share *s);
	/* Gets one: {"fileId","name","size","mimeType","sha256"}, and text or
	 * blob by mcp_file_give(), or path, or url, curl and expiresAt; of a
	 * large one to look at none of these. */
	void (*fetch)(void *arg, struct mcp_ask *a, const struct mcp_fetch *f);
	/* resources/subscribe of a client of which nothing is remembered here:
	 * remembers it elsewhere.  NULL: never asked. */
	void (*subscribe)(
	    void *arg, struct mcp_ask *a, const char *uri, bool on);
	/* The answer is not wanted any more: it may be a long time away, or
	 * never come, and mcp_answer() must not be called. */
	void (*forget)(void *arg, struct mcp_ask *a);
};

/* One JSON-RPC message, or a batch of them, for the client; no newline in it.
 * Good during the call. */
struct mcp_out {
	const char *text;
	size_t n;
	void *tag;   /* of the message that it answers or is about, or NULL */
	bool answer; /* the last thing that is said to that message */
	int http;    /* status that it has over HTTP: 200, 400, 404 */
};

struct mcp_config {
	const struct mcp_backend *backend;
	void *backend_arg;
	void (*out)(void *arg, const struct mcp_out *o);
	void *out_arg;
	/* The revision, where the transport knows it (HTTP has a header);
	 * MCP_UNKNOWN where initialize says it. */
	enum mcp_revision revision;
	enum mcp_tools tools;
	/* Nothing is remembered of the client from one request to the next. */
	bool is_passing;
	bool is_kept;	/* but for what it subscribed to */
	bool is_remote; /* the agent's files are not where we run */
	enum mcp_push push;
	const char *version; /* of the server; kept, as those below */
	const char *name;    /* under which others know the agent, or NULL */
	const char *mesh;    /* its slug, or NULL */
	/* A request of ours may go to the client in the middle of one of its
	 * own, and its answer comes here; so questions can be asked also in
	 * the revisions before 2026-07-28. */
	bool is_duplex;
	/* What the client lets itself be asked, where initialize said it
	 * before, see mcp_can(); and a number that makes questions different
	 * from those of others to the same client. */
	unsigned can;
	uint64_t nonce;
	/* What a client brings back is signed with this, CRYPTO_KEY_LEN bytes,
	 * for this principal; both are kept. */
	const uint8_t *key;
	const char *principal;
};

/* One client: of a stdio connection, or of an HTTP request or session. */
struct mcp *mcp_new(const struct mcp_config *c);
/* Forgets what is under way.  m may be NULL. */
void mcp_free(struct mcp *m);
/* A revision by its name; MCP_UNKNOWN: we do not speak it. */
enum mcp_revision mcp_revision(const char *name, size_t n);
const char *mcp_revision_name(enum mcp_revision r);

/* A message of the client.  What is handed out because of it has the tag.
 * Text that is none is answered with an error.  False: there is nothing to
 * answer. */
bool mcp_input(struct mcp *m, const char *text, size_t n, void *tag);
/* One that was larger than the transport takes, in bytes. */
void mcp_refuse(struct mcp *m, size_t max, void *tag);
/* For a client that is_kept: it said initialize before, and has subscribed to
 * these.  A second time: as it is now; it is told of those that are new. */
void mcp_resume(struct mcp *m, const char *const *uris, size_t n);
/* Everything that was handed out has reached the client's side. */
void mcp_written(struct mcp *m);
/* The client of this message does not want an answer any more. */
void mcp_cancel(struct mcp *m, const void *tag);
/* Nothing more will come in: ends what only waits. */
void mcp_stop(struct mcp *m);
/* What a client lets itself be asked, by the params of its initialize. */
unsigned mcp_can(const struct json *j, size_t params);
/* Does a request wait for answers of the client; is this one of them? */
bool mcp_asks(const struct mcp *m);
bool mcp_awaits(struct mcp *m, const char *text, size_t n);
/* Requests that are not answered. */
size_t mcp_pending(const struct mcp *m);
/* When mcp_tick() wants to be called, by clock_mono(); INT64_MAX: never. */
int64_t mcp_due(const struct mcp *m);
void mcp_tick(struct mcp *m);

/* Answers a question: with an error, or with text, JSON.  The ask is gone
 * afterwards. */
void mcp_answer(
    struct mcp_ask *a, const struct mcp_error *e, const char *text, size_t n);

/* How far a file is that was asked for, as the client wants to know it. */
void mcp_progress(struct mcp_ask *a, int64_t done, int64_t size);
/* Writes the member text, or blob if that is wanted and it is no text; false:
 * neither. */
bool mcp_file_give(struct json_writer *w, const char *p, size_t n, bool blob);

/* A message of a peer.  Texts that are "" are not there. */
struct mcp_message {
	const char *id;
	const char *from;	 /* name */
	const char *from_key;	 /* to write back to */
	const char *from_member; /* key of the member */
	const char *to;		 /* as the sender wrote it */
	const char *priority;
	const char *sent_at;
	const char *reply_to;
	const char *subtype; /* or the kind of a notice */
	const char *mesh;    /* slug */
	bool encrypted;
	int64_t seq;	   /* its place in a channel, which is `to`; or 0 */
	const char *text;  /* UTF-8; NULL: it cannot be read here */
	size_t length;	   /* bytes */
	const char *files; /* id, name and size of each, JSON; or NULL */
};
/* Events: a message arrived that nobody asked for; a key of state was changed
 * by somebody else (value NULL: deleted); the number of unread messages may
 * have changed; something to know for whoever looks after the client. */
void mcp_arrived(struct mcp *m, const struct mcp_message *message);
/* One may have arrived, in a backend that is not pushed to. */
void mcp_waiting(struct mcp *m);
struct mcp_change {
	const char *key;
	const char *value; /* JSON */
	const char *by;
	const char *at;
	int64_t version;
};
void mcp_changed(struct mcp *m, const struct mcp_change *change);
/* A request for a permission was decided.  true: a call waits for that, and
 * will answer with it; false: the agent has to be told. */
bool mcp_decided(struct mcp *m, const char *request_id);
/* Changes may have been missed: who asked for them shall look. */
void mcp_missed(struct mcp *m);
/* What arrives now was asked for: an answer will have it, and it is not pushed
 * before. */
void mcp_hold(struct mcp *m, bool on);
/* level: as in RFC 5424 6.2.1: debug, info, notice, warning, error ... */
void mcp_log(struct mcp *m, const char *level, const char *text);

/*
 * mcp_inbox.c: for a backend to which messages are pushed.
 */
struct mcp_inbox;
struct mcp_inbox *mcp_inbox_new(void);
void mcp_inbox_free(struct mcp_inbox *b);
/* false: it is there already. */
bool mcp_inbox_add(struct mcp_inbox *b, const struct mcp_message *message);
/* As take and untake of the backend. */
bool mcp_inbox_take(struct mcp_inbox *b, const char *id);
void mcp_inbox_untake(struct mcp_inbox *b, const char *id);
/* It was acked. */
void mcp_inbox_drop(struct mcp_inbox *b, const char *id);
/* Unread ones. */
size_t mcp_inbox_count(const struct mcp_inbox *b);
/* {"count":...}: and so many more, of which the highest priority is that, or
 * "". */
void mcp_inbox_unread(const struct mcp_inbox *b, struct buf *out, int64_t more,
    const char *highest);
/* {"messages":...}; more: there are others elsewhere. */
void mcp_inbox_list(
    const struct mcp_inbox *b, struct buf *out, size_t limit, bool more);

/*
 * mcp_tools.c: appends the list of tools in mdoc(7).
 */
void mcp_tools_mdoc(struct buf *b);

/*
 * mcp_prompt.c: the same of prompts.
 */
void mcp_prompts_mdoc(struct buf *b);

/*
 * mcp_guide.c: the guide for agents; and the same as a skill, a file SKILL.md.
 */
extern const char mcp_guide[];
const char *mcp_guide_skill(size_t *n);

#endif
