/* SPDX-License-Identifier: ISC */
/*
 * Operations with a route of their own: a JSON body in, a JSON body out.  An
 * error is its HTTP status and {"ok":false,"error":CODE,"code":CODE,
 * "message":TEXT}.
 *
 * Each request is a client of its own, without a session.
 */
#include <string.h>
#include <strings.h>

#include "proto/proto.h"

#define REST_BEARER "Bearer "

/* What a request keeps until its answer is sent; of its pool. */
struct rest_wire {
	const struct json *json;
	struct slice bearer;
	struct slice cors;
	char *body;
	size_t n;
};

static void
rest_encode(struct request *r, const void *out)
{
	struct peer *peer = CONTAINER(r->client, struct peer, client);
	struct rest_wire *wire = r->wire;
	struct buf *b = &peer->proto->out;
	struct json_writer w;

	buf_clear(b);
	json_start(&w, b);
	json_object(&w);
	if (r->error != ERR_NONE) {
		json_key(&w, "ok");
		json_bool(&w, false);
		json_key(&w, "error");
		json_str(&w, table_errors[r->error].name);
		json_key(&w, "code");
		json_str(&w, table_errors[r->error].name);
		json_key(&w, "message");
		json_str(&w, r->error_text);
		encode_numbers(&w, r);
	} else
		encode_fields(&w, r->op->out, out);
	json_object_end(&w);
	wire->body = pool_dup(&r->pool, b->data, b->len);
	wire->n = b->len;
}

static void
rest_answer(struct request *r)
{
	struct peer *peer = CONTAINER(r->client, struct peer, client);
	const struct rest_wire *wire = r->wire;

	conn_reply(peer->conn, table_errors[r->error].http, "application/json",
	    wire->cors.p, wire->body, wire->n);
	proto_peer_over(peer);
}

static void
rest_discard(struct request *r)
{
	r->wire = NULL;
}

static uint64_t
rest_push(struct client *c, struct event *e)
{
	(void)c;
	(void)e;
	fatalx("a push to a client without a session");
}

static void
rest_switch(struct client *c, bool on)
{
	(void)c;
	(void)on;
}

static void
rest_close(struct client *c, enum err why, const char *text)
{
	(void)c;
	(void)why;
	(void)text;
}

static const struct client_calls rest_calls = {
	.encode = rest_encode,
	.answer = rest_answer,
	.discard = rest_discard,
	.push = rest_push,
	.want_written = rest_switch,
	.pause = rest_switch,
	.close = rest_close,
	.address = proto_address,
};

/* "POST /join": does it have this path, and this method? */
static bool
rest_matches(const char *route, const struct http_request *h, bool *method)
{
	const char *path = strchr(route, ' ') + 1;

	if (strlen(path) != h->path.n ||
	    memcmp(path, h->path.p, h->path.n) != 0)
		return false;
	*method = (size_t)(path - route) - 1 == h->method.n &&
		  memcmp(route, h->method.p, h->method.n) == 0;
	return true;
}

static enum err
rest_decode(struct request *r, const struct op *op, void *in, void *arg)
{
	struct proto *p = arg;
	struct rest_wire *wire = r->wire;
	const struct field *f;
	struct slice *s;
	enum err e;

	e = decode_object(r, &p->json, 0, op->in, in);
	/* A credential belongs into the header; the body may have it too. */
	for (f = op->in; e == ERR_NONE && f->type != F_END; f++) {
		s = (struct slice *)(void *)((char *)in + f->offset);
		if (strcmp(f->name, "token") == 0 && wire->bearer.n > 0)
			*s = wire->bearer;
	}
	return e;
}

static struct slice
rest_bearer(struct request *r, const struct http_request *h)
{
	const size_t n = strlen(REST_BEARER);
	struct slice v = http_header(h, "authorization");

	if (v.n <= n || strncasecmp(v.p, REST_BEARER, n) != 0)
		return (struct slice){ NULL, 0 };
	return (
	    struct slice){ pool_strndup(&r->pool, v.p + n, v.n - n), v.n - n };
}

static void
rest_run(struct proto *p, struct conn *c, const struct http_request *h,
    const struct op *op)
{
	struct peer *peer = proto_peer(p, c, &rest_calls);
	struct request *r = client_request(&peer->client);
	struct rest_wire *wire = pool_zalloc(&r->pool, sizeof(*wire));
	char cors[HTTP_CORS_MAX];

	r->wire = wire;
	r->op = op;
	r->size = h->body.n;
	wire->bearer = rest_bearer(r, h);
	if (http_cors(p, h, cors) != NULL) {
		wire->cors.n = strlen(cors);
		wire->cors.p = pool_strndup(&r->pool, cors, wire->cors.n);
	}
	if (h->body.n == 0)
		op_refuse(r, ERR_MALFORMED, "The body is empty; send JSON.");
	else if (json_read(&p->json, h->body.p, h->body.n) != 0)
		op_refuse(r, ERR_MALFORMED, "No JSON: %s at byte %zu.",
		    p->json.error, p->json.error_at);
	else if (p->json.nodes[0].type != JSON_OBJECT)
		op_refuse(r, ERR_MALFORMED, "The body must be a JSON object.");
	else
		op_run(r, op->name, strlen(op->name), rest_decode, p);
}

bool
rest_request(struct proto *p, struct conn *c, const struct http_request *h,
    const char **allow)
{
	const struct op *const *o;
	bool method;

	*allow = NULL;
	for (o = op_table; *o != NULL; o++) {
		if ((*o)->rest == NULL || !rest_matches((*o)->rest, h, &method))
			continue;
		if (method) {
			rest_run(p, c, h, *o);
			return true;
		}
		*allow = (*o)->rest;
	}
	return false;
}
