/* SPDX-License-Identifier: ISC */
/*
 * The end of a durable stream as it comes (text/event-stream): GET
 * /v1/durable-streams/ID/tail?offset=N.  It is read page after page, as
 * read_durable_stream with `live` does, until it is over.
 *
 * An answer lasts a minute.  Then EventSource comes again, with the id of the
 * last event (Last-Event-ID), and shows anew who it is; so it does where it
 * does not read as fast as chunks come.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/proto_rest.h"

#define TAIL_OP "read_durable_stream"
#define TAIL_LAST_MS 60000
/* Silence before a comment; and how many chunks at a time. */
#define TAIL_WAIT_MS 15000
#define TAIL_PAGE 50
#define TAIL_RETRY "retry: 1000\n"
#define TAIL_HEADERS "Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n"
#define TAIL_ID_MAX 128

static const char *const tail_routes[] = {
	"/v1/durable-streams/{durableStreamId}/tail",
	"/v1/durable-streams-storage/{durableStreamId}/tail",
};

/* One request is under way as long as it lives, and has it as its wire. */
struct tail {
	char id[TAIL_ID_MAX + 1]; /* as it was asked for */
	const char *route;
	char cors[HTTP_CORS_MAX + sizeof(TAIL_HEADERS)]; /* lines */
	int64_t offset;
	int64_t until_ms; /* clock_mono() */
	bool open;	  /* the answer has begun */
	bool ends;
	struct buf out;
};

static void
tail_free(struct tail *t)
{
	buf_free(&t->out);
	free(t);
}

static void
tail_event(struct tail *t, const char *name, const struct durable_page *page)
{
	const struct durable_chunk *v = page->chunks.v;
	struct json_writer w;
	char id[ID_HEX_LEN + 1];
	size_t i;

	buf_addf(
	    &t->out, "event: %s\nid: %" PRId64 "\ndata: ", name, page->next);
	json_start(&w, &t->out);
	json_object(&w);
	json_key(&w, "durableStreamId");
	json_str(&w, id_hex(&page->durable, id));
	json_key(&w, "offset");
	json_num(&w, page->next);
	if (strcmp(name, "chunks") == 0) {
		json_key(&w, "items");
		json_array(&w);
		for (i = 0; i < page->chunks.n; i++) {
			json_object(&w);
			encode_fields(
			    &w, durable_chunk_fields, &v[i], FIELD_MESH);
			json_object_end(&w);
		}
		json_array_end(&w);
	}
	json_object_end(&w);
	buf_adds(&t->out, "\n\n");
}

static void
tail_page(struct tail *t, const struct durable_page *page)
{
	struct durable_page from = *page;

	if (!t->open) {
		from.next = from.after;
		buf_adds(&t->out, TAIL_RETRY);
		tail_event(t, "ready", &from);
	}
	if (page->chunks.n > 0)
		tail_event(t, "chunks", page);
	else if (t->open && page->state == DURABLE_OPEN)
		buf_adds(&t->out, ":\n\n");
	t->offset = page->next;
	if (page->state != DURABLE_OPEN && page->up_to_date) {
		tail_event(t, "eof", page);
		t->ends = true;
	}
}

/* Before the answer has begun an error is one as everywhere; behind that it is
 * an event. */
static void
tail_error(struct tail *t, const struct request *r)
{
	struct json_writer w;

	t->ends = true;
	if (t->open)
		buf_adds(&t->out, "event: error\ndata: ");
	json_start(&w, &t->out);
	json_object(&w);
	if (t->open) {
		json_key(&w, "message");
		json_str(&w, r->error_text);
	} else
		rest_error(&w, r, table_errors[r->error].http);
	json_object_end(&w);
	if (t->open)
		buf_adds(&t->out, "\n\n");
}

static void
tail_encode(struct request *r, const void *out)
{
	struct tail *t = r->wire;

	buf_clear(&t->out);
	if (r->error != ERR_NONE)
		tail_error(t, r);
	else
		tail_page(t, out);
	if (t->out.failed)
		fatalx("out of memory");
}

static void tail_next(struct request *r);

static void
tail_answer(struct request *r)
{
	struct peer *peer = CONTAINER(r->client, struct peer, client);
	struct tail *t = r->wire;
	struct request *next;

	if (!t->open && r->error != ERR_NONE)
		conn_reply(peer->conn, table_errors[r->error].http,
		    "application/problem+json", t->cors, t->out.data,
		    t->out.len);
	else {
		if (!t->open)
			conn_chunked(
			    peer->conn, 200, "text/event-stream", t->cors);
		t->open = true;
		conn_chunk(peer->conn, t->out.data, t->out.len);
		if (!t->ends && clock_mono() < t->until_ms &&
		    !peer->proto->draining) {
			next = client_request(&peer->client);
			next->wire = t;
			tail_next(next);
			return;
		}
		conn_chunked_end(peer->conn);
	}
	tail_free(t);
	client_gone(&peer->client, false);
	proto_peer_over(peer);
}

static void
tail_discard(struct request *r)
{
	tail_free(r->wire);
	r->wire = NULL;
}

static uint64_t
tail_push(struct client *c, struct event *e)
{
	(void)c;
	(void)e;
	fatalx("a push to a client without a session");
}

static void
tail_switch(struct client *c, bool on)
{
	(void)c;
	(void)on;
}

static void
tail_close(struct client *c, enum err why, const char *text)
{
	(void)c;
	(void)why;
	(void)text;
}

static const struct client_calls tail_calls = {
	.hides = FIELD_MESH,
	.encode = tail_encode,
	.answer = tail_answer,
	.discard = tail_discard,
	.push = tail_push,
	.want_written = tail_switch,
	.pause = tail_switch,
	.close = tail_close,
	.address = proto_address,
};

/* The operation gets what any other client of it would say. */
static enum err
tail_decode(struct request *r, const struct op *op, void *in, void *arg)
{
	struct proto *p = arg;
	const struct tail *t = r->wire;
	struct json_writer w;
	enum err e = ERR_MALFORMED;
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_object(&w);
	json_key(&w, "durableStreamId");
	json_str(&w, t->id);
	json_key(&w, "offset");
	json_num(&w, t->offset);
	json_key(&w, "limit");
	json_num(&w, TAIL_PAGE);
	if (t->open) {
		json_key(&w, "live");
		json_bool(&w, true);
		json_key(&w, "timeoutMs");
		json_num(&w, TAIL_WAIT_MS);
	}
	json_object_end(&w);
	if (!b.failed && json_read(&p->json, b.data, b.len) == 0)
		e = decode_object(r, &p->json, 0, op->in, in);
	buf_free(&b);
	return e;
}

static void
tail_next(struct request *r)
{
	struct proto *p = CONTAINER(r->client, struct peer, client)->proto;

	r->route = ((const struct tail *)r->wire)->route;
	op_run(r, TAIL_OP, strlen(TAIL_OP), tail_decode, p);
}

static bool
tail_number(struct slice s, int64_t *out)
{
	char text[24], *end;

	if (s.n == 0 || s.n >= 20 || s.p[0] < '0' || s.p[0] > '9')
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	*out = strtoll(text, &end, 10);
	return *end == '\0';
}

/* Where to begin: behind the last event that it had, or as the query says. */
static bool
tail_offset(struct tail *t, const struct http_request *h)
{
	struct slice last = http_header(h, "last-event-id");
	char text[24];
	ptrdiff_t n = http_query(h, "offset", text, sizeof(text));

	if (last.n > 0)
		return tail_number(last, &t->offset);
	if (n < 0)
		return true;
	return (size_t)n < sizeof(text) &&
	       tail_number((struct slice){ text, (size_t)n }, &t->offset);
}

static bool
tail_matches(const struct http_request *h, const char **route, struct slice *id)
{
	static const char tail[] = "/tail";
	const char *p;
	size_t i;

	for (i = 0; i < NELEM(tail_routes); i++)
		if (rest_args_match(tail_routes[i], h->path)) {
			*route = tail_routes[i];
			p = h->path.p + strcspn(tail_routes[i], "{");
			*id = (struct slice){ p,
				(size_t)(h->path.p + h->path.n - p) -
				    (sizeof(tail) - 1) };
			return true;
		}
	return false;
}

bool
tail_request(struct proto *p, struct conn *c, const struct http_request *h)
{
	struct request *r;
	const char *route;
	struct peer *peer;
	struct slice id;
	struct tail *t;

	if (!tail_matches(h, &route, &id))
		return false;
	if (h->method.n != 3 || memcmp(h->method.p, "GET", 3) != 0) {
		http_refuse(c, h, 405, "method_not_allowed",
		    "This path is read with GET.", "Allow: GET, OPTIONS\r\n");
		return true;
	}
	t = xcalloc(1, sizeof(*t));
	t->route = route;
	buf_init(&t->out, SIZE_MAX / 2);
	t->until_ms = clock_mono() + TAIL_LAST_MS;
	(void)http_cors(p, h, t->cors);
	snprintf(t->cors + strlen(t->cors), sizeof(t->cors) - strlen(t->cors),
	    "%s", TAIL_HEADERS);
	peer = proto_peer(p, c, &tail_calls);
	r = client_request(&peer->client);
	r->wire = t;
	r->op = op_find(TAIL_OP, strlen(TAIL_OP));
	if (id.n > TAIL_ID_MAX || !str_utf8(id.p, id.n))
		op_refuse(r, ERR_NOT_FOUND,
		    "There is no such durable stream for you.");
	else if (!tail_offset(t, h))
		op_refuse(r, ERR_MALFORMED,
		    "offset, and Last-Event-ID: must be a number from 0 on.");
	else {
		memcpy(t->id, id.p, id.n);
		proto_enter(r, h, tail_next);
	}
	return true;
}
