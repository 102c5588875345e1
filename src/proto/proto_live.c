/* SPDX-License-Identifier: ISC */
/*
 * Connections of applications that stay: who asks, how they begin and end.
 *
 * What is asked for is looked at before the connection becomes a stream, so
 * that who may not have it gets an answer of HTTP.  Nothing that core calls
 * ends a client at once: core may be in the middle of telling it something.
 */
#include "proto/proto_live.h"
#include "proto/proto_rest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIVE_QUIET_MS 15000 /* then something is said on a stream */
#define LIVE_NORMAL 1000    /* RFC 6455 7.4.1 */
#define LIVE_POLICY 1008

static void
live_free(struct live *l)
{
	LIST_REMOVE(l, entry);
	l->peer->live = NULL;
	pool_free(&l->pool);
	free(l);
}

void
live_gone(struct peer *peer)
{
	live_free(peer->live);
}

/* The connection is for the next request. */
static void
live_over(struct live *l)
{
	struct peer *peer = l->peer;
	struct conn *c = peer->conn;

	conn_want_written(c, false);
	client_gone(&peer->client, false);
	live_free(l);
	proto_peer_over(peer);
	if (peer->proto->draining)
		conn_close(c, NET_END_SHUTDOWN, 0, "");
}

void
live_written(struct peer *peer, uint64_t pos)
{
	struct live *l = peer->live;

	if (l->ended && pos >= l->end)
		live_over(l);
	else
		client_written(&peer->client, pos);
}

void
live_end(struct live *l)
{
	l->ended = true;
	l->end = conn_queued(l->peer->conn);
	conn_want_written(l->peer->conn, true);
}

void
live_message(struct peer *peer, const char *s, size_t n)
{
	peer->live->kind->message(peer->live, s, n);
}

void
live_stop(struct peer *peer)
{
	struct live *l = peer->live;

	if (!l->open)
		conn_close(peer->conn, NET_END_SHUTDOWN, 0, "");
	else if (conn_is_ws(peer->conn))
		conn_close(peer->conn, NET_END_SHUTDOWN, LIVE_NORMAL,
		    "server closing");
	else if (!l->ended)
		l->kind->stop(l);
}

/* Something says that the connection lives: WebSockets have pings. */
void
live_tick(struct proto *p)
{
	int64_t now = clock_mono();
	struct live *l;

	LIST_FOREACH (l, &p->lives, entry) {
		if (!l->open || l->ended || conn_is_ws(l->peer->conn) ||
		    now - l->spoke_ms < LIVE_QUIET_MS)
			continue;
		conn_chunk(l->peer->conn, ":\n\n", 3);
		l->spoke_ms = now;
	}
}

/*
 * Who asks.
 */
struct slice
live_keep(struct live *l, struct slice s)
{
	return (struct slice){ pool_strndup(&l->pool, s.p, s.n), s.n };
}

bool
live_channel(struct live *l, struct slice part)
{
	char *text = pool_alloc(&l->pool, part.n + 1);

	l->in.channel = (struct slice){ text, http_path_text(part, text) };
	return str_utf8(text, l->in.channel.n);
}

struct live *
live_new(struct proto *p, struct conn *c, const struct http_request *h,
    const struct live_kind *kind)
{
	struct live *l = xcalloc(1, sizeof(*l));
	char cors[HTTP_CORS_MAX];
	size_t i;

	pool_init(&l->pool);
	l->kind = kind;
	l->peer = proto_peer(p, c, kind->calls);
	l->peer->live = l;
	l->peer->client.hears = true;
	LIST_INSERT_HEAD(&p->lives, l, entry);
	/* It is upgraded when it is known who asks. */
	l->head = *h;
	l->head.method = live_keep(l, h->method);
	for (i = 0; i < h->nheaders; i++) {
		l->head.headers[i].name = live_keep(l, h->headers[i].name);
		l->head.headers[i].value = live_keep(l, h->headers[i].value);
	}
	l->cors = http_cors(p, h, cors) != NULL
		      ? live_keep(l, (struct slice){ cors, strlen(cors) }).p
		      : "";
	return l;
}

void
live_refuse(struct live *l, enum err e, const char *text)
{
	op_refuse(client_request(&l->peer->client), e, "%s", text);
}

static void
live_entered(struct request *r)
{
	struct live *l = LIVE_OF(r->client);

	l->kind->entered(l, r);
}

void
live_enter(struct live *l, const struct http_request *h)
{
	struct request *r = client_request(&l->peer->client);
	struct http_request head = *h;

	if (l->peer->proto->draining)
		op_refuse(r, ERR_UNAVAILABLE,
		    "The server restarts; connect again at once.");
	else {
		/* Browsers give no headers to EventSource either. */
		head.upgrade = true;
		conn_wait(l->peer->conn);
		proto_enter(r, &head, live_entered);
	}
}

static enum err
live_decode(struct request *r, const struct op *op, void *in, void *arg)
{
	const struct live *l = arg;

	(void)r;
	(void)op;
	*(struct follow_in *)in = l->in;
	return ERR_NONE;
}

void
live_run(struct live *l, struct request *r)
{
	op_run(r, l->op, strlen(l->op), live_decode, l);
}

/*
 * Answers of HTTP.
 */
void
live_encode_error(struct request *r)
{
	struct buf *b = &LIVE_OF(r->client)->peer->proto->out;
	struct live_wire *wire = pool_zalloc(&r->pool, sizeof(*wire));
	struct json_writer w;

	buf_clear(b);
	json_start(&w, b);
	json_object(&w);
	rest_error(&w, r, table_errors[r->error].http);
	json_object_end(&w);
	wire->body =
	    (struct slice){ pool_dup(&r->pool, b->data, b->len), b->len };
	r->wire = wire;
}

static void
live_answer_error(struct request *r)
{
	struct live *l = LIVE_OF(r->client);
	const struct live_wire *wire = r->wire;
	const int status = table_errors[r->error].http;
	const char *more = "";

	if (status == 401)
		more = "WWW-Authenticate: Bearer realm=\"linnet\"\r\n";
	else if (r->error_retry_ms > 0)
		more = pool_printf(&l->pool, "Retry-After: %" PRId64 "\r\n",
		    (r->error_retry_ms + 999) / 1000);
	else if (status == 503)
		more = "Retry-After: 1\r\n";
	conn_reply(l->peer->conn, status, "application/problem+json",
	    pool_printf(&l->pool, "%s%s", l->cors, more), wire->body.p,
	    wire->body.n);
	live_over(l);
}

void
live_discard(struct request *r)
{
	struct live_wire *wire = r->wire;

	if (wire != NULL && wire->answer != NULL)
		frame_unref(wire->answer);
	r->wire = NULL;
}

void
live_answer(struct request *r)
{
	struct live *l = LIVE_OF(r->client);
	struct live_wire *wire = r->wire;

	if (!l->open && r->error != ERR_NONE) {
		live_answer_error(r);
		return;
	}
	if (wire != NULL && wire->answer != NULL &&
	    (l->open || live_upgrade(l)))
		(void)conn_send(l->peer->conn, wire->answer);
	live_discard(r);
}

bool
live_upgrade(struct live *l)
{
	if (conn_upgrade(l->peer->conn, &l->head) != 0) {
		live_over(l);
		return false;
	}
	conn_trust(l->peer->conn);
	l->open = true;
	return true;
}

/*
 * What clients say.
 */
bool
live_digits(struct slice s, int64_t min, int64_t *out)
{
	char text[24], *end;

	if (s.n == 0 || s.n >= sizeof(text) ||
	    (s.p[0] != '-' && (s.p[0] < '0' || s.p[0] > '9')))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	errno = 0;
	*out = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0' && end == text + s.n && *out >= min;
}

bool
live_number(const struct http_request *h, const char *key, int64_t none,
    int64_t min, int64_t *out)
{
	char value[24];
	ptrdiff_t n = http_query(h, key, value, sizeof(value));

	if (n >= 0)
		return live_digits(
		    (struct slice){ value, (size_t)n }, min, out);
	*out = none;
	return http_query_count(h, key) == 0;
}

bool
live_says(const struct json *j, const char *type)
{
	const size_t i = json_get(j, 0, "type");
	const struct json_node *n = &j->nodes[i];

	return i > 0 && n->type == JSON_STRING && n->n == strlen(type) &&
	       memcmp(n->p, type, n->n) == 0;
}

/*
 * Frames.
 */
struct json_writer
live_begin(struct live *l, const char *type)
{
	struct buf *b = &l->peer->proto->out;
	struct json_writer w;

	buf_clear(b);
	json_start(&w, b);
	json_object(&w);
	json_key(&w, "type");
	json_str(&w, type);
	return w;
}

struct frame *
live_frame(struct live *l, struct json_writer *w)
{
	struct buf *b = &l->peer->proto->out;

	json_object_end(w);
	if (b->failed)
		fatalx("a frame larger than any answer");
	return frame_ws(WS_TEXT, b->data, b->len);
}

void
live_send(struct live *l, struct json_writer *w)
{
	struct frame *f = live_frame(l, w);

	(void)conn_send(l->peer->conn, f);
	frame_unref(f);
}

void
live_write_error(
    struct json_writer *w, enum err e, const char *text, bool with_code)
{
	char code[64];
	size_t i;

	json_key(w, "error");
	json_str(w, text);
	if (!with_code)
		return;
	json_key(w, "code");
	if (e == ERR_MALFORMED)
		json_str(w, "VALIDATION");
	else if (e == ERR_FORBIDDEN)
		json_str(w, "PERMISSION_DENIED");
	else {
		str_copy(code, table_errors[e].name, sizeof(code));
		for (i = 0; code[i] != '\0'; i++)
			if (code[i] >= 'a' && code[i] <= 'z')
				code[i] = (char)(code[i] - 'a' + 'A');
		json_str(w, code);
	}
}

void
live_frame_free(void *frame)
{
	frame_unref(frame);
}

void
live_pause(struct client *c, bool on)
{
	conn_pause(LIVE_OF(c)->peer->conn, on);
}

void
live_want_written(struct client *c, bool on)
{
	const struct live *l = LIVE_OF(c);

	conn_want_written(l->peer->conn, on || l->ended);
}

void
live_close_ws(struct client *c, enum err why, const char *text)
{
	const int code = table_errors[why].close;
	const struct live *l = LIVE_OF(c);

	conn_close(l->peer->conn, NET_END_REFUSED,
	    (uint16_t)(code != 0 ? code : LIVE_POLICY), text);
}

/*
 * Which one is meant.
 */
static bool
live_is(struct slice s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

bool
live_request(struct proto *p, struct conn *c, const struct http_request *h)
{
	static const char room[] = "/parties/channel-room/";
	const size_t n = sizeof(room) - 1;

	bool get = live_is(h->method, "GET"), ws = live_is(h->path, "/v1/ws");

	if (!ws && (h->path.n <= n || memcmp(h->path.p, room, n) != 0 ||
		       memchr(h->path.p + n, '/', h->path.n - n) != NULL))
		return get && sse_request(p, c, h);
	if (!get)
		http_refuse(c, h, 405, "method_not_allowed",
		    "This path is a WebSocket, which begins with GET.",
		    "Allow: GET, OPTIONS\r\n");
	else if (ws)
		live_enter(live_new(p, c, h, &ws_live), h);
	else
		room_request(
		    p, c, h, (struct slice){ h->path.p + n, h->path.n - n });
	return true;
}
