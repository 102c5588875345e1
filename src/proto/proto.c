/* SPDX-License-Identifier: ISC */
/*
 * The connections of a process: what net reports goes to the protocol that
 * speaks on the connection.
 *
 * A connection that speaks has a peer as its data.  The peer outlives the
 * connection until the end of the turn, because core may be in the middle of
 * something with it.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/proto.h"
#include "proto/proto_file.h"

#define PROTO_JSON_NODES 65536
#define PROTO_JSON_DEPTH 64
#define PROTO_OUT_MAX (256u << 20)
#define PROTO_OUT_KEPT (1u << 20)
/* RFC 6455 7.4.1: how a client says goodbye. */
#define PROTO_NORMAL 1000
#define PROTO_AWAY 1001
#define PROTO_RESTART 1012 /* RFC 6455 7.4.2: service restart */

struct proto *
proto_new(struct core *core, const char *const *origins, bool metrics)
{
	struct proto *p = xcalloc(1, sizeof(*p));

	p->core = core;
	p->origins = origins;
	p->metrics = metrics;
	p->started_ms = clock_mono();
	json_init(&p->json, PROTO_JSON_NODES, PROTO_JSON_DEPTH);
	json_init(&p->told, PROTO_JSON_NODES, PROTO_JSON_DEPTH);
	buf_init(&p->out, PROTO_OUT_MAX);
	LIST_INIT(&p->lives);
	LIST_INIT(&p->mcps);
	LIST_INIT(&p->over);
	return p;
}

void
proto_free(struct proto *p)
{
	proto_turn(p);
	json_free(&p->json);
	json_free(&p->told);
	buf_free(&p->out);
	openapi_http_free(p->openapi);
	free(p);
}

struct peer *
proto_peer(struct proto *p, struct conn *c, const struct client_calls *calls)
{
	struct peer *peer = xcalloc(1, sizeof(*peer));

	client_init(
	    &peer->client, p->core, calls, net_addr_is_loopback(conn_peer(c)));
	peer->proto = p;
	peer->conn = c;
	conn_set_data(c, peer);
	return peer;
}

bool
proto_address(const struct client *c, uint8_t out[CLIENT_ADDRESS])
{
	const struct peer *peer =
	    CONTAINER((struct client *)c, struct peer, client);

	uint32_t n;

	memset(out, 0, CLIENT_ADDRESS);
	if (peer->conn == NULL)
		return false;
	n = net_addr_key(conn_peer(peer->conn), out);
	/* Four bytes are another address than eight that begin like them. */
	out[CLIENT_ADDRESS - 1] = (uint8_t)n;
	return n > 0;
}

void
proto_peer_over(struct peer *peer)
{
	conn_set_data(peer->conn, NULL);
	peer->conn = NULL;
	LIST_INSERT_HEAD(&peer->proto->over, peer, over);
}

void
proto_turn(struct proto *p)
{
	struct peer *peer;

	while ((peer = LIST_FIRST(&p->over)) != NULL) {
		LIST_REMOVE(peer, over);
		free(peer);
	}
	/* One large answer is no reason to keep its memory. */
	if (p->out.cap > PROTO_OUT_KEPT)
		buf_free(&p->out);
}

void
proto_tick(struct proto *p)
{
	mcp_http_tick(p);
	live_tick(p);
}

static void
proto_request(void *arg, struct conn *c, struct http_request *r)
{
	http_route(arg, c, r);
}

static void
proto_message(void *arg, struct conn *c, enum ws_op op, const char *p, size_t n)
{
	struct peer *peer = conn_data(c);

	(void)arg;
	(void)op;
	if (peer->live != NULL)
		live_message(peer, p, n);
	else
		mesh_protocol_message(peer, p, n);
}

static void
proto_written(void *arg, struct conn *c, uint64_t pos)
{
	struct peer *peer = conn_data(c);

	(void)arg;
	if (peer != NULL && peer->mcp != NULL)
		mcp_http_written(peer, pos);
	else if (peer != NULL && peer->live != NULL)
		live_written(peer, pos);
	else if (peer != NULL)
		client_written(&peer->client, pos);
}

static void
proto_closed(void *arg, struct conn *c, enum net_end why, uint16_t code)
{
	struct peer *peer = conn_data(c);

	(void)arg;
	if (peer == NULL)
		return;
	log_debug("connection ended: %s, code %u", net_end_name(why), code);
	if (peer->file != NULL)
		file_gone(peer->file);
	peer->file = NULL;
	client_gone(&peer->client, code != PROTO_NORMAL && code != PROTO_AWAY);
	if (peer->mcp != NULL)
		mcp_http_gone(peer);
	if (peer->live != NULL)
		live_gone(peer);
	proto_peer_over(peer);
}

static bool
proto_streams(void *arg, const struct http_request *r)
{
	(void)arg;
	return file_streams(r);
}

static size_t
proto_body(void *arg, struct conn *c, const char *p, size_t n)
{
	struct peer *peer = conn_data(c);

	(void)arg;
	return file_put_body(peer != NULL ? peer->file : NULL, p, n);
}

static void
proto_room(void *arg, struct conn *c)
{
	struct peer *peer = conn_data(c);

	(void)arg;
	file_get_room(peer != NULL ? peer->file : NULL);
}

const struct net_handler proto_handler = {
	.request = proto_request,
	.message = proto_message,
	.written = proto_written,
	.closed = proto_closed,
	.streams = proto_streams,
	.body = proto_body,
	.room = proto_room,
};

static void
proto_drain_conn(void *arg, struct conn *c)
{
	struct peer *peer = conn_data(c);

	(void)arg;
	/* It is about to answer, and closes then. */
	if (peer != NULL && peer->mcp != NULL)
		return;
	if (peer != NULL && peer->live != NULL) {
		live_stop(peer);
		return;
	}
	conn_close(c, NET_END_SHUTDOWN, PROTO_RESTART, "service restart");
}

void
proto_drain(struct proto *p)
{
	p->draining = true;
	mcp_http_stop(p);
	net_each(p->net, proto_drain_conn, p);
}
