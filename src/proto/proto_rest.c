/* SPDX-License-Identifier: ISC */
/*
 * Operations with a route of their own: a JSON body in, or for GET and DELETE
 * what the path and the query say (proto_rest_args.c); a JSON body out, also of
 * an error (proto_rest_error.c).
 *
 * Each request is a client of its own, which acts for whom its credential says
 * (proto_enter.c); one without has no session.  Where it is for strangers only
 * (OP_STRANGER) a credential is not looked at.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/proto_rest.h"

/* What a request keeps until its answer is sent; of its pool. */
struct rest_wire {
	const struct op *op;
	const char *route;   /* of those of op */
	struct slice bearer; /* of an operation that asks for it itself */
	struct slice key;    /* Idempotency-Key */
	struct slice args;   /* the path's, where there is a body */
	struct slice in;
	struct slice path; /* as they came, of what has pages */
	struct slice query;
	struct slice headers;
	struct rest_etag etag;
	const char *tag; /* headers of a good answer, or "" */
	char *body;
	size_t n;
};

static struct slice
rest_keep(struct request *r, struct slice s)
{
	return (struct slice){ pool_strndup(&r->pool, s.p, s.n), s.n };
}

/* The lines so far, and those in b. */
static struct slice
rest_more(struct request *r, struct buf *b)
{
	const struct rest_wire *wire = r->wire;

	buf_add(b, wire->headers.p, wire->headers.n);
	return rest_keep(r, (struct slice){ b->data, b->len });
}

static int
rest_status(const struct request *r)
{
	const struct rest_wire *wire = r->wire;

	if (r->error == ERR_VERSION_CONFLICT && wire->etag.condition != -1)
		return 412;
	if (r->error == ERR_NONE && wire->etag.same)
		return 304;
	if (r->error == ERR_NONE && r->op->rest_status != 0)
		return r->op->rest_status;
	return table_errors[r->error].http;
}

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
	if (r->error == ERR_NONE) {
		encode_fields(&w, r->op->out, out, FIELD_MESH);
		wire->tag = rest_etag_headers(r, out, &wire->etag);
	} else if (rest_error_is_plain(wire->route)) {
		rest_error_plain(&w, r->error, r->error_text);
		encode_details(&w, r);
	} else
		rest_error(&w, r, rest_status(r));
	json_object_end(&w);
	wire->body = pool_dup(&r->pool, b->data, b->len);
	wire->n = b->len;
	buf_clear(b);
	if (r->error == ERR_NONE && wire->path.n > 0)
		rest_page_header(b, r->op, wire->path, wire->query, out);
	wire->headers = rest_more(r, b);
}

/* RFC 6750 3: what to come with.  RFC 9110 10.2.3: when. */
static const char *
rest_headers(struct request *r)
{
	const struct rest_wire *wire = r->wire;

	if (table_errors[r->error].http == 401)
		return pool_printf(&r->pool,
		    SLICE_FMT "WWW-Authenticate: Bearer realm=\"linnet\"\r\n",
		    SLICE_ARG(wire->headers));
	if (r->error != ERR_NONE && r->error_retry_ms > 0)
		return pool_printf(&r->pool,
		    SLICE_FMT "Retry-After: %" PRId64 "\r\n",
		    SLICE_ARG(wire->headers), (r->error_retry_ms + 999) / 1000);
	if (r->error == ERR_NONE && wire->tag[0] != '\0')
		return pool_printf(&r->pool, SLICE_FMT "%s",
		    SLICE_ARG(wire->headers), wire->tag);
	return wire->headers.p;
}

static void
rest_answer(struct request *r)
{
	struct peer *peer = CONTAINER(r->client, struct peer, client);
	struct rest_wire *wire = r->wire;
	const int status = rest_status(r);

	buf_clear(&peer->proto->out);
	rest_page_rates(&peer->proto->out, r);
	wire->headers = rest_more(r, &peer->proto->out);
	conn_reply(peer->conn, status,
	    r->error == ERR_NONE || rest_error_is_plain(wire->route)
		? "application/json"
		: "application/problem+json",
	    rest_headers(r), wire->body, status == 304 ? 0 : wire->n);
	client_gone(&peer->client, false);
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
	.hides = FIELD_MESH,
	.encode = rest_encode,
	.answer = rest_answer,
	.discard = rest_discard,
	.push = rest_push,
	.want_written = rest_switch,
	.pause = rest_switch,
	.close = rest_close,
	.address = proto_address,
};

static bool
rest_reads(const char *route)
{
	return str_starts(route, "GET ");
}

/* What is asked for stands in the body and the path; else in path and query.
 */
static bool
rest_has_body(const char *route)
{
	return !rest_reads(route) && !str_starts(route, "DELETE ");
}

static bool
rest_is(struct slice s, const char *text, size_t n)
{
	return s.n == n && memcmp(s.p, text, n) == 0;
}

/* "POST /join": does it have this path, and this method?  HEAD is a GET. */
static bool
rest_matches(const char *route, const struct http_request *h, bool *method)
{
	const char *path = strchr(route, ' ') + 1;

	if (!rest_args_match(path, h->path))
		return false;
	*method = rest_is(h->method, route, (size_t)(path - route) - 1) ||
		  (rest_reads(route) && rest_is(h->method, "HEAD", 4));
	return true;
}

/* Idempotency-Key is what the field of that name would be. */
static enum err
rest_key(struct request *r, const struct field *f, struct slice *out)
{
	const struct rest_wire *wire = r->wire;

	if ((int64_t)wire->key.n > f->max)
		return op_error(r, ERR_TOO_BIG,
		    "Idempotency-Key is longer than %" PRId64 " bytes.",
		    f->max);
	if (!str_utf8(wire->key.p, wire->key.n))
		return op_error(
		    r, ERR_MALFORMED, "Idempotency-Key must be text in UTF-8.");
	*out = wire->key;
	return ERR_NONE;
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
	if (e == ERR_MALFORMED && rest_args_is_id(op, wire->route, r->error_at))
		return op_error(r, ERR_NOT_FOUND,
		    "%s is the id of nothing: an id is 32 hex digits.",
		    r->error_at + 1);
	if (e == ERR_NONE)
		e = rest_etag_decode(r, op, in, &wire->etag);
	/* What belongs into a header; the body may have it too. */
	for (f = op->in; e == ERR_NONE && f->type != F_END; f++) {
		s = (struct slice *)(void *)((char *)in + f->offset);
		if (strcmp(f->name, "token") == 0 && wire->bearer.n > 0)
			*s = wire->bearer;
		if (strcmp(f->name, "idempotencyKey") == 0 && s->n == 0)
			e = rest_key(r, f, s);
	}
	return e;
}

/* Does the operation check a credential of its own kind? */
static bool
rest_asks(const struct op *op)
{
	const struct field *f;

	for (f = op->in; f->type != F_END; f++)
		if (strcmp(f->name, "token") == 0)
			return true;
	return false;
}

/* Reads what is asked for, with what the path says; else refuses it. */
static bool
rest_read(struct request *r)
{
	struct proto *p = CONTAINER(r->client, struct peer, client)->proto;
	struct rest_wire *wire = r->wire;

	/* Where the path says all, a body may have nothing to say. */
	if (wire->in.n == 0 && wire->args.n > 0)
		wire->in = (struct slice){ "{}", 2 };
	if (wire->in.n == 0)
		op_refuse(r, ERR_MALFORMED, "The body is empty; send JSON.");
	else if (json_read(&p->json, wire->in.p, wire->in.n) != 0)
		op_refuse(r, ERR_MALFORMED, "No JSON, at byte %zu: %s",
		    p->json.error_at, p->json.error);
	else if (p->json.nodes[0].type != JSON_OBJECT)
		op_refuse(r, ERR_MALFORMED, "The body must be a JSON object.");
	else if (wire->args.n == 0)
		return true;
	else {
		wire->in = rest_args_merge(wire->args, wire->in, &r->pool);
		if (json_read(&p->json, wire->in.p, wire->in.n) == 0)
			return true;
		op_refuse(r, ERR_MALFORMED, "No JSON: %s", p->json.error);
	}
	return false;
}

/* Who asks is known. */
static void
rest_go(struct request *r)
{
	struct proto *p = CONTAINER(r->client, struct peer, client)->proto;
	const struct rest_wire *wire = r->wire;

	if (rest_read(r))
		op_run(
		    r, wire->op->name, strlen(wire->op->name), rest_decode, p);
}

/* What the request asks for; false: it was refused. */
static bool
rest_take(struct request *r, const struct http_request *h)
{
	struct rest_wire *wire = r->wire;
	struct slice *to = rest_has_body(wire->route) ? &wire->args : &wire->in;
	const char *bad = NULL;

	if (rest_has_body(wire->route))
		wire->in = h->body;
	if (to == &wire->in || strchr(wire->route, '{') != NULL)
		bad = rest_args(wire->op, wire->route, h, &r->pool, to);
	if (bad != NULL) {
		r->error_at = pool_printf(&r->pool, "/%s", bad);
		op_refuse(r, ERR_MALFORMED,
		    "%s cannot be read: it has to be there once, where a list "
		    "has commas between, and to be text in UTF-8, with two hex "
		    "digits after each %%.",
		    bad);
		return false;
	}
	if (rest_page_has(wire->op, wire->route)) {
		wire->path = rest_keep(r, h->path);
		wire->query = rest_keep(r, h->query);
	}
	wire->key = rest_keep(r, http_header(h, "idempotency-key"));
	rest_etag_read(&wire->etag, h, rest_reads(wire->route), &r->pool);
	return true;
}

static void
rest_run(struct proto *p, struct conn *c, const struct http_request *h,
    const struct op *op, const char *route)
{
	struct peer *peer = proto_peer(p, c, &rest_calls);
	struct request *r = client_request(&peer->client);
	struct rest_wire *wire = pool_zalloc(&r->pool, sizeof(*wire));
	struct slice bearer = http_bearer(h);
	char cors[HTTP_CORS_MAX];

	r->wire = wire;
	r->op = wire->op = op;
	wire->route = r->route = route;
	r->size = h->body.n;
	if (!rest_take(r, h))
		return;
	if (http_cors(p, h, cors) != NULL)
		wire->headers =
		    rest_keep(r, (struct slice){ cors, strlen(cors) });
	if (op->scope == SCOPE_PLATFORM && proto_is_platform(p, h))
		peer->client.scopes |= SCOPE_BIT(SCOPE_PLATFORM);
	else if (op->scope == SCOPE_PLATFORM) {
		op_refuse(r, ERR_UNAUTHORIZED,
		    "It needs the platform's key, in X-Platform-Key; who runs "
		    "the server has it (platform.key_file).");
		return;
	} else if (bearer.n > 0 && rest_asks(op))
		wire->bearer = rest_keep(r, bearer);
	else if (op->scope != SCOPE_PUBLIC ||
		 (bearer.n > 0 && !(op->flags & OP_STRANGER))) {
		/* The body may be gone before it is known whose token it is. */
		wire->in = rest_keep(r, wire->in);
		proto_enter(r, h, rest_go);
		return;
	}
	rest_go(r);
}

/* Adds the method of a route to those that a path takes, once: two routes may
 * be of one path. */
static void
rest_allow(char allow[static REST_ALLOW_MAX], const char *route)
{
	const size_t n = strlen(allow), len = strcspn(route, " ");
	const char *at;

	for (at = allow; *at != '\0'; at += strspn(at, ", ")) {
		const size_t m = strcspn(at, ",");

		if (m == len && memcmp(at, route, len) == 0)
			return;
		at += m;
	}
	(void)snprintf(allow + n, REST_ALLOW_MAX - n, "%s%.*s%s",
	    n > 0 ? ", " : "", (int)len, route,
	    rest_reads(route) ? ", HEAD" : "");
}

bool
rest_request(struct proto *p, struct conn *c, const struct http_request *h,
    char allow[static REST_ALLOW_MAX])
{
	const struct op *const *o;
	const char *const *route;
	bool method;

	allow[0] = '\0';
	for (o = op_table; *o != NULL; o++)
		for (route = (*o)->rest; *route != NULL; route++) {
			if (!rest_matches(*route, h, &method))
				continue;
			if (method) {
				rest_run(p, c, h, *o, *route);
				return true;
			}
			rest_allow(allow, *route);
		}
	return false;
}
