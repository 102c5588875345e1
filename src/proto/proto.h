/* SPDX-License-Identifier: ISC */
/*
 * proto: the client protocols.  Each maps what is on the wire to an operation
 * of core and its answer back, and does no more.  Names, limits and types come
 * from the operations' descriptors; a new protocol is one file here.
 */
#ifndef PROTO_PROTO_H
#define PROTO_PROTO_H

#include "base/base.h"
#include "core/core.h"
#include "net/net.h"

/*
 * proto.c: the connections of a process, handed to their protocol.
 */
struct peer;
struct mcp_http;
struct openapi_document;
struct live;
struct proto {
	struct core *core;
	struct net *net;
	struct json json; /* of the message at hand */
	struct buf out;	  /* of the answer at hand */
	const char *const *origins;
	bool metrics; /* serve /metrics? */
	bool draining;
	int64_t started_ms;
	struct openapi_document *openapi; /* NULL: nobody asked */
	struct json told;		  /* of what is told */
	LIST_HEAD(, mcp_http) mcps;	  /* requests to /mcp */
	LIST_HEAD(, live) lives;	  /* see proto_live.h */
	LIST_HEAD(, peer) over; /* to be freed at the end of the turn */
};

/* origins: as in net_limits; lives as long as the proto. */
struct proto *proto_new(
    struct core *core, const char *const *origins, bool metrics);
void proto_free(struct proto *p);
/* What net calls; its argument is the proto. */
extern const struct net_handler proto_handler;
/* Once a second. */
void proto_tick(struct proto *p);
/* At the end of a turn: frees the peers whose connection is over. */
void proto_turn(struct proto *p);
/* Tells every client to reconnect, and takes no more. */
void proto_drain(struct proto *p);

/* A connection's speaker; the protocols embed what they need behind it. */
struct peer {
	struct client client;
	struct proto *proto;
	struct conn *conn;	/* NULL when it is gone */
	struct mcp_http *mcp;	/* its request to /mcp, or NULL */
	struct file_work *file; /* proto_file.c's, or NULL */
	struct live *live;	/* proto_live.c's, or NULL */
	LIST_ENTRY(peer) over;
};
struct peer *proto_peer(
    struct proto *p, struct conn *c, const struct client_calls *calls);
/* client_calls.address of every protocol. */
bool proto_address(const struct client *c, uint8_t out[CLIENT_ADDRESS]);
/* The connection has no speaker any more; freed at the end of the turn. */
void proto_peer_over(struct peer *p);

/*
 * proto_decode.c: JSON to the struct that fields describe.
 */
/* Node i of j is an object.  ERR_NONE, or an error whose text, in the request,
 * names the field. */
enum err decode_object(struct request *r, const struct json *j, size_t i,
    const struct field *fields, void *out);

/*
 * proto_encode.c: structs to JSON.
 */
/* The members of an object, without its braces; hides: see client_calls. */
void encode_fields(struct json_writer *w, const struct field *fields,
    const void *in, unsigned hides);
/* What an error has beside its text: the numbers of a limit that was reached,
 * a version, the permission that is missing. */
void encode_details(struct json_writer *w, const struct request *r);

/*
 * proto_mesh.c: the mesh protocol: JSON objects over WebSocket, linnet-
 * protocol(7).
 */
void mesh_protocol_open(struct proto *p, struct conn *c);
void mesh_protocol_message(struct peer *peer, const char *s, size_t n);

/*
 * proto_rest.c: operations with a route of their own.
 */
#define REST_ALLOW_MAX 64
/* Does the operation whose route it is; false when it is nobody's.  allow gets
 * the methods of routes with this path, or "". */
bool rest_request(struct proto *p, struct conn *c, const struct http_request *r,
    char allow[static REST_ALLOW_MAX]);

/*
 * proto_tail.c: the end of a durable stream, as it comes.
 */
/* Is it a request for that?  Then it is dealt with. */
bool tail_request(
    struct proto *p, struct conn *c, const struct http_request *h);

/*
 * proto_mcp.c: the Model Context Protocol, linnet-mcp(7).
 */
void mcp_http_route(
    struct proto *p, struct conn *c, const struct http_request *r);
/* As client_written(), and: the connection of its peer is gone. */
void mcp_http_written(struct peer *peer, uint64_t pos);
void mcp_http_gone(struct peer *peer);
/* Once a second; and: ends what waits, since the server does. */
void mcp_http_tick(struct proto *p);
void mcp_http_stop(struct proto *p);

/*
 * proto_live.c: connections of applications that stay, linnet-rest(7).
 */
/* Is it for one of these?  Then it is dealt with. */
bool live_request(
    struct proto *p, struct conn *c, const struct http_request *r);
/* Of the connection of a peer that is one: a WebSocket's message; as
 * client_written(); it is gone; the server ends. */
void live_message(struct peer *peer, const char *s, size_t n);
void live_written(struct peer *peer, uint64_t pos);
void live_gone(struct peer *peer);
void live_stop(struct peer *peer);
/* Once a second. */
void live_tick(struct proto *p);

/*
 * proto_http.c: every request, by its path.
 */
void http_route(struct proto *p, struct conn *c, const struct http_request *r);
/* The token of a request (RFC 6750 2.1); {NULL, 0}: it shows none. */
struct slice http_bearer(const struct http_request *r);
/* Answers with an error: a problem of RFC 9457 where the path is of /v1. */
void http_refuse(struct conn *c, const struct http_request *r, int status,
    const char *code, const char *text, const char *headers);
/* Headers that let a web page of an allowed origin read the answer, in out. */
#define HTTP_CORS_MAX 512
const char *http_cors(const struct proto *p, const struct http_request *r,
    char out[HTTP_CORS_MAX]);

/*
 * proto_enter.c: who asks.
 */
/* The client acts for whom a request's credential says, and fn is called, at
 * once or later; or the request is refused.  A credential is a token, or a
 * service key and the principal for whom it is used; it is in the headers, or
 * for an upgrade to WebSocket it may be in the query. */
void proto_enter(struct request *r, const struct http_request *h, token_fn *fn);
/* Is this request shown the platform's key? */
bool proto_is_platform(const struct proto *p, const struct http_request *h);

/* The class of errors with this status: NOT_FOUND. */
const char *rest_error_class(int http);

/*
 * proto_openapi.c: what is served over HTTP, as OpenAPI 3.1 has it.  limits:
 * as in core_limits.fields, or NULL.
 */
void openapi_write(struct buf *b, const int64_t limits[LIMIT_MAX]);
/* The status of an operation's success. */
int openapi_op_status(const struct op *op);

/*
 * proto_openapi_http.c: GET /openapi.json.
 */
void openapi_http_reply(
    struct proto *p, struct conn *c, const struct http_request *r);
void openapi_http_free(struct openapi_document *d);

/*
 * proto_metrics.c: /metrics in the text format of Prometheus.
 */
void metrics_write(struct core *c, struct buf *b);

#endif
