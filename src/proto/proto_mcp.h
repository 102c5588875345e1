/* SPDX-License-Identifier: ISC */
/*
 * MCP over HTTP from the inside: a request (proto_mcp.c), what its head has to
 * say (proto_mcp_head.c), the mesh behind it (proto_mcp_mesh.c), and questions
 * to its client (proto_mcp_ask.c).
 */
#ifndef PROTO_PROTO_MCP_H
#define PROTO_PROTO_MCP_H

#include "mcp/mcp.h"
#include "proto/proto.h"

enum mcp_verb {
	MCP_POST,
	MCP_GET,
	MCP_DELETE,
};

/* A request to /mcp: a client of MCP of its own, whose peer acts by a token. */
struct mcp_http {
	LIST_ENTRY(mcp_http) entry;
	struct peer *peer;
	struct mcp *mcp; /* NULL until the token is known */
	struct mcp_inbox *inbox;
	struct pool pool;
	struct slice body;
	struct slice cors;	     /* headers */
	struct slice version;	     /* MCP-Protocol-Version; {NULL, 0}: none */
	struct slice method;	     /* Mcp-Method */
	struct slice name;	     /* Mcp-Name */
	struct slice session;	     /* Mcp-Session-Id */
	const char *base;	     /* of links: https://host, or "" */
	LIST_HEAD(, mcp_file) files; /* proto_mcp_file.c */
	enum mcp_verb verb;
	enum mcp_revision revision;
	const char *headers; /* of the answer; that of the session, too */
	bool is_reply;	     /* the body is an answer of the client */
	unsigned can;	     /* what the session's client can be asked */
	bool is_looking;     /* what the session is now */
	int64_t looked_ms;
	struct visit visit; /* as whom it comes */
	struct deputy_who who;
	uint8_t key[CRYPTO_KEY_LEN]; /* of what a client brings back */
	bool streams;		     /* the client takes a stream of events */
	bool is_streaming;
	bool is_answered;
	uint64_t end;	  /* of the answer, in the output */
	int64_t began_ms; /* the stream */
	int64_t spoke_ms; /* the last event */
};

/*
 * proto_mcp_head.c
 */
/* Why a request is refused before it is known who makes it. */
struct mcp_refusal {
	int status;
	const char *code;
	const char *text;
	const char *headers; /* or NULL */
};
/* NULL, or what is wrong. */
const struct mcp_refusal *mcp_head_check(
    const struct proto *p, const struct http_request *r);
/* The revision that an initialize leads to, or MCP_UNKNOWN if it is none. */
enum mcp_revision mcp_head_initialize(const struct json *j);
/* Does it take a stream of events? */
bool mcp_head_streams(const struct http_request *r);
/* Which revision it is in.  false: its head and its body do not fit together,
 * or nobody speaks it: error has a JSON-RPC error. */
bool mcp_head_revision(const struct mcp_http *m, struct json *j,
    enum mcp_revision *revision, struct buf *error) MUST_CHECK;

/*
 * proto_mcp_mesh.c
 */
/* The token is good: false with a status when it was not.  Then fn. */
extern const struct mcp_backend mcp_mesh_backend; /* arg: struct mcp_http */
extern const struct client_calls mcp_mesh_calls;
/* Finds out whose token it is, and calls mcp_http_known() or
 * mcp_http_refused(). */
void mcp_mesh_enter(struct mcp_http *m, struct slice bearer, size_t n);
void mcp_http_known(struct mcp_http *m);
void mcp_http_refused(struct mcp_http *m, const struct request *r);
/* Its session ended. */
void mcp_http_ended(struct mcp_http *m, enum err why, const char *text);
/* Does something with the request's session, see core/mcp_session.c; more: JSON
 * or "".  Answered by mcp_http_session(): e is ERR_NONE, and at is the answer,
 * or not. */
void mcp_mesh_session(struct mcp_http *m, const char *action, const char *more);
void mcp_http_session(
    struct mcp_http *m, const struct request *r, const struct json *j);
/* The streams of a session shall look what it is now. */
void mcp_http_look(struct mcp_http *m);
/*
 * proto_mcp_ask.c
 */
bool mcp_ask_is_answer(const struct json *j);
/* The body is one: leaves it with the session; and it is there. */
void mcp_ask_leave(struct mcp_http *m);
void mcp_ask_left(struct mcp_http *m);
/* What the session is now, for a request that waits. */
void mcp_ask_found(struct mcp_http *m, const struct json *j);
void mcp_ask_tick(struct mcp_http *m);
/* Runs an operation for who asks; fn has its answer, JSON, unless the request
 * is gone before. */
typedef void mcp_mesh_fn(
    void *arg, const struct mcp_error *e, const char *text, size_t n);
void mcp_mesh_op(struct mcp_http *m, const char *op, const char *fields,
    mcp_mesh_fn *fn, void *arg);
/* A text of object 0 in the pool; "": it is not there. */
const char *mcp_mesh_str(
    struct pool *p, const struct json *j, size_t at, const char *key);
/*
 * proto_mcp_file.c
 */
/* mcp_backend.share and fetch. */
void mcp_file_share_http(
    void *arg, struct mcp_ask *ask, const struct mcp_share *s);
void mcp_file_fetch_http(
    void *arg, struct mcp_ask *ask, const struct mcp_fetch *what);
void mcp_file_forget(struct mcp_http *m, const struct mcp_ask *ask);
/* The request is gone. */
void mcp_file_gone(struct mcp_http *m);
const char *mcp_file_base(
    struct pool *pool, const struct conn *c, const struct http_request *r);

/* Told of what the deputy hears. */
void mcp_mesh_news(struct client *c, const struct state_change *s);

#endif
