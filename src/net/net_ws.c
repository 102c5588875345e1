/* SPDX-License-Identifier: ISC */
/*
 * WebSocket (RFC 6455): the upgrade, and messages read by wslay.
 *
 * A wslay context is 8.8 KB, so a connection has one only while a frame or a
 * message is incomplete; between messages it is in a pool.  wslay does not
 * say when it is between frames, and it would read on past a message after
 * which the layer above wants no more.  So it is fed exactly one frame at a
 * time: we look at the header only for where the frame ends, wslay judges it.
 *
 * wslay 1.1.1 checks the reason of a close frame piece by piece and skips two
 * bytes of each, so control frames are given to it whole.  It never buffers a
 * message, never writes, and its queue of control frames is emptied as it
 * fills: it would grow with every ping of a peer that does not read.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wslay/wslay.h>

#include "net/net_conn.h"

/* RFC 6455 4.2.2 */
#define WS_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define WS_KEY_LEN 24 /* base64 of 16 bytes */

/* RFC 6455 5.5 */
#define WS_CONTROL_MAX 125
#define WS_REASON_MAX (WS_CONTROL_MAX - 2)

#define WS_EMPTY_MAX 1000   /* fragments without a byte, in a row */
#define WS_IDLE_MAX 32	    /* readers in the pool */
#define WS_KEEP (16 * 1024) /* message memory that a reader keeps */

struct net_ws {
	struct net_ws *next; /* in the pool */
	wslay_event_context_ptr ctx;
	struct conn *c;
	const char *p; /* input that wslay has not taken yet */
	size_t n;
	uint64_t left; /* of the frame that wslay is reading */
	struct buf msg;
	int64_t since_ms;   /* the message at hand began */
	const char *reason; /* of a violation */
	uint16_t code;	    /* of a violation, or 0 */
	uint8_t why;	    /* enum net_end of it */
	uint8_t op;	    /* of the message at hand */
	bool control;	    /* the frame at hand is a control frame */
	bool open;	    /* a message is incomplete */
	bool ended;	    /* the context cannot be used again */
	unsigned empty;	    /* fragments without a byte, in a row */
};

/* What wslay found wrong, by the code it would close with. */
static const struct {
	uint16_t code;
	enum net_end why;
	const char *reason;
} ws_violations[] = {
	{ 1007, NET_END_PROTOCOL, "text is not UTF-8" },
	{ 1009, NET_END_TOO_BIG, "message too big" },
	{ 1011, NET_END_LIMIT, "out of memory" },
	{ 1002, NET_END_PROTOCOL, "protocol error" },
};

/* Whether a code may be in a close frame (RFC 6455 7.4, and the registry). */
static bool
ws_code_ok(uint16_t code)
{
	return (code >= 1000 && code <= 1003) ||
	       (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

struct frame *
net_ws_close_frame(uint16_t code, const char *reason)
{
	char payload[2 + WS_REASON_MAX];
	size_t n = reason != NULL ? strlen(reason) : 0;

	if (!ws_code_ok(code))
		return frame_ws(WS_CLOSE, NULL, 0);
	if (n > WS_REASON_MAX) {
		/* Not in the middle of a character. */
		n = WS_REASON_MAX;
		while (n > 0 && ((uint8_t)reason[n] & 0xc0) == 0x80)
			n--;
	}
	if (n > 0 && !str_utf8(reason, n))
		n = 0;
	payload[0] = (char)(code >> 8);
	payload[1] = (char)code;
	if (n > 0)
		memcpy(payload + 2, reason, n);
	return frame_ws(WS_CLOSE, payload, n + 2);
}

/* Ends the connection after this call of wslay_event_recv(). */
static void
ws_fail(struct net_ws *w, uint16_t code, enum net_end why, const char *reason)
{
	if (w->code == 0) {
		w->code = code;
		w->why = (uint8_t)why;
		w->reason = reason;
	}
	w->ended = true;
	wslay_event_shutdown_read(w->ctx);
}

/* How many bytes the frame at p has; 0 while that cannot be said, or while a
 * control frame is not here whole. */
static uint64_t
ws_frame_size(const uint8_t *p, size_t n)
{
	uint64_t payload = 0;
	size_t head = 2, i;

	if (n < head)
		return 0;
	if ((p[1] & 0x7f) == 126)
		head += 2;
	else if ((p[1] & 0x7f) == 127)
		head += 8;
	else
		payload = p[1] & 0x7f;
	if (n < head)
		return 0;
	for (i = 2; i < head; i++)
		payload = payload << 8 | p[i];
	if (p[1] & 0x80)
		head += 4;
	/* Lengths that are malformed wslay refuses by the header. */
	if (payload > INT64_MAX)
		payload = 0;
	if ((p[0] & 0x08) && (p[1] & 0x7f) <= WS_CONTROL_MAX &&
	    n < head + payload)
		return 0;
	return head + payload;
}

static ssize_t
ws_recv_cb(
    wslay_event_context_ptr ctx, uint8_t *buf, size_t len, int flags, void *arg)
{
	struct net_ws *w = arg;

	(void)flags;
	/* The next frame only when its message may be taken. */
	if (w->left == 0 && conn_may_consume(w->c))
		w->left = ws_frame_size((const uint8_t *)w->p, w->n);
	if (len > w->n)
		len = w->n;
	if (len > w->left)
		len = (size_t)w->left;
	if (len == 0) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	memcpy(buf, w->p, len);
	w->p += len;
	w->n -= len;
	w->left -= len;
	return (ssize_t)len;
}

/* What wslay would send is thrown away: net_out.c sends. */
static ssize_t
ws_send_cb(wslay_event_context_ptr ctx, const uint8_t *data, size_t len,
    int flags, void *arg)
{
	(void)ctx;
	(void)data;
	(void)flags;
	(void)arg;
	return (ssize_t)len;
}

static void
ws_frame_start_cb(wslay_event_context_ptr ctx,
    const struct wslay_event_on_frame_recv_start_arg *a, void *arg)
{
	struct net_ws *w = arg;
	const struct net_limits *l = &w->c->net->limits;

	(void)ctx;
	w->control = wslay_is_ctrl_frame(a->opcode);
	if (w->control) {
		/* RFC 6455 5.5.1: a code has two bytes. */
		if (a->opcode == WSLAY_CONNECTION_CLOSE &&
		    a->payload_length == 1)
			ws_fail(w, 1002, NET_END_PROTOCOL, "bad close frame");
		return;
	}
	if (a->opcode != WSLAY_CONTINUATION_FRAME)
		w->op = a->opcode;
	w->open = !a->fin;
	w->msg.max = w->c->is_trusted ? l->message : l->message_early;
	/* Not before the message is accepted is there memory for it. */
	if (a->payload_length > w->msg.max ||
	    w->msg.len + a->payload_length > w->msg.max)
		ws_fail(w, 1009, NET_END_TOO_BIG, "message too big");
	if (a->payload_length > 0)
		w->empty = 0;
	else if (!a->fin && ++w->empty > WS_EMPTY_MAX)
		ws_fail(w, 1008, NET_END_PROTOCOL, "too many empty fragments");
}

static void
ws_chunk_cb(wslay_event_context_ptr ctx,
    const struct wslay_event_on_frame_recv_chunk_arg *a, void *arg)
{
	struct net_ws *w = arg;

	(void)ctx;
	if (w->control || w->code != 0 || a->data_length == 0 ||
	    w->c->state >= CONN_CLOSING)
		return;
	buf_add(&w->msg, a->data, a->data_length);
	if (w->msg.failed)
		ws_fail(w, 1011, NET_END_LIMIT, "out of memory");
}

static void
ws_frame_end_cb(wslay_event_context_ptr ctx, void *arg)
{
	struct net_ws *w = arg;

	(void)ctx;
	/* A control frame in the middle gives a message no more time. */
	if (!w->open)
		w->since_ms = clock_mono();
}

static void
ws_take_message(struct net_ws *w)
{
	struct conn *c = w->c;
	struct net *n = c->net;

	if (c->state == CONN_WS) {
		n->stats.messages_in++;
		n->handler->message(n->arg, c, (enum ws_op)w->op,
		    w->msg.len > 0 ? w->msg.data : "", w->msg.len);
	}
	buf_clear(&w->msg);
	w->empty = 0;
}

/* RFC 6455 5.5.1 and 7.1.1: answered with the same code. */
static void
ws_take_close(struct net_ws *w, uint16_t code)
{
	struct conn *c = w->c;
	struct frame *f;

	w->ended = true;
	c->peer_closed = 1;
	c->deaf = 1;
	if (c->state == CONN_WS) {
		f = net_ws_close_frame(code, NULL);
		conn_push(c, f);
		frame_unref(f);
		conn_closing(c, NET_END_PEER, code != 0 ? code : 1005);
	} else if (c->state == CONN_LINGER) {
		conn_die(c, (enum net_end)c->why);
	}
}

static void
ws_message_cb(wslay_event_context_ptr ctx,
    const struct wslay_event_on_msg_recv_arg *a, void *arg)
{
	struct net_ws *w = arg;

	if (w->code != 0)
		return;
	switch (a->opcode) {
	case WSLAY_TEXT_FRAME:
	case WSLAY_BINARY_FRAME:
		ws_take_message(w);
		break;
	case WSLAY_CONNECTION_CLOSE:
		ws_take_close(w, a->status_code);
		break;
	case WSLAY_PING:
		if (w->c->state == CONN_WS)
			conn_push_pong(w->c, a->msg, a->msg_length);
		(void)wslay_event_send(ctx);
		break;
	default:
		break;
	}
}

static const struct wslay_event_callbacks ws_callbacks = {
	.recv_callback = ws_recv_cb,
	.send_callback = ws_send_cb,
	.on_frame_recv_start_callback = ws_frame_start_cb,
	.on_frame_recv_chunk_callback = ws_chunk_cb,
	.on_frame_recv_end_callback = ws_frame_end_cb,
	.on_msg_recv_callback = ws_message_cb,
};

static void
ws_free(struct net_ws *w)
{
	wslay_event_context_free(w->ctx);
	buf_free(&w->msg);
	free(w);
}

/* Borrows a reader.  False when there is no memory for one. */
static bool
ws_get(struct conn *c)
{
	struct net *n = c->net;
	struct net_ws *w;

	if ((w = n->ws_idle) != NULL) {
		n->ws_idle = w->next;
		n->ws_idle_count--;
	} else {
		w = xcalloc(1, sizeof(*w));
		if (wslay_event_context_server_init(
			&w->ctx, &ws_callbacks, w) != 0) {
			free(w);
			return false;
		}
		wslay_event_config_set_no_buffering(w->ctx, 1);
		buf_init(&w->msg, 0);
	}
	w->c = c;
	w->since_ms = clock_mono();
	c->ws = w;
	n->ws_lent++;
	return true;
}

static bool
ws_is_clean(const struct net_ws *w)
{
	return w->left == 0 && !w->open && !w->ended;
}

void
conn_ws_put(struct conn *c)
{
	struct net *n = c->net;
	struct net_ws *w = c->ws;

	if (w == NULL)
		return;
	c->ws = NULL;
	n->ws_lent--;
	if (!ws_is_clean(w) || n->ws_idle_count >= WS_IDLE_MAX) {
		ws_free(w);
		return;
	}
	if (w->msg.cap > WS_KEEP)
		buf_free(&w->msg);
	w->empty = 0;
	w->c = NULL;
	w->next = n->ws_idle;
	n->ws_idle = w;
	n->ws_idle_count++;
}

void
net_ws_fini(struct net *n)
{
	struct net_ws *w;

	while ((w = n->ws_idle) != NULL) {
		n->ws_idle = w->next;
		ws_free(w);
	}
}

int64_t
conn_ws_since(const struct conn *c)
{
	return c->ws != NULL ? c->ws->since_ms : -1;
}

/* wslay stopped by itself: which rule was broken it tells only through the
 * close frame that it would send, or not at all. */
static void
ws_find_violation(struct net_ws *w, int rc)
{
	uint16_t code = 1002;
	size_t i;

	if (rc == WSLAY_ERR_NOMEM) {
		code = 1011;
	} else if (rc == 0) {
		(void)wslay_event_send(w->ctx);
		code = wslay_event_get_status_code_sent(w->ctx);
	}
	for (i = 0; i < NELEM(ws_violations) - 1; i++)
		if (ws_violations[i].code == code)
			break;
	ws_fail(w, ws_violations[i].code, ws_violations[i].why,
	    ws_violations[i].reason);
}

/* RFC 6455 7.1.7.  What was queued before goes out before the close frame. */
static void
ws_violated(struct conn *c, const struct net_ws *w)
{
	c->deaf = 1;
	if (c->state == CONN_WS)
		conn_close(c, (enum net_end)w->why, w->code, w->reason);
	else if (c->state == CONN_LINGER)
		conn_die(c, (enum net_end)c->why);
}

size_t
conn_feed_ws(struct conn *c, const char *p, size_t n)
{
	struct net_ws *w;
	size_t used;
	int rc;

	if (c->ws == NULL && !ws_get(c)) {
		conn_die(c, NET_END_LIMIT);
		return n;
	}
	w = c->ws;
	w->p = p;
	w->n = n;
	rc = wslay_event_recv(w->ctx);
	if (c->state == CONN_DEAD)
		return n;
	if (!w->ended && (rc != 0 || !wslay_event_get_read_enabled(w->ctx)))
		ws_find_violation(w, rc);
	if (w->code != 0)
		ws_violated(c, w);
	used = c->deaf ? n : n - w->n;
	/* Bytes that are left, and may be read, are a part of a header. */
	if (w->ended || (ws_is_clean(w) && (used == n || !conn_may_consume(c))))
		conn_ws_put(c);
	return used;
}

/* A header that must be there once; {NULL, 0} when it is not. */
static struct slice
ws_header(const struct http_request *r, const char *name)
{
	struct slice value = { NULL, 0 };
	size_t i, n = strlen(name), count = 0;

	for (i = 0; i < r->nheaders; i++)
		if (r->headers[i].name.n == n &&
		    strncasecmp(r->headers[i].name.p, name, n) == 0) {
			value = r->headers[i].value;
			count++;
		}
	return count == 1 ? value : (struct slice){ NULL, 0 };
}

static bool
ws_same(struct slice a, const char *p, size_t n)
{
	return a.n == n && strncasecmp(a.p, p, n) == 0;
}

/* A page of another site may not use its visitor's browser to talk to us
 * (RFC 6455 10.2).  Other programs send no Origin. */
static bool
ws_origin_ok(const struct conn *c, const struct http_request *r)
{
	const char *const *o = c->net->limits.origins;
	struct slice origin = ws_header(r, "Origin");
	struct slice host = http_header(r, "Host");
	size_t scheme = 0;

	if (http_header(r, "Origin").p == NULL)
		return true;
	if (origin.p == NULL)
		return false;
	for (; o != NULL && *o != NULL; o++)
		if (strcmp(*o, "*") == 0 || ws_same(origin, *o, strlen(*o)))
			return true;
	if (origin.n > 7 && strncasecmp(origin.p, "http://", 7) == 0)
		scheme = 7;
	else if (origin.n > 8 && strncasecmp(origin.p, "https://", 8) == 0)
		scheme = 8;
	origin.p += scheme;
	origin.n -= scheme;
	return scheme > 0 && ws_same(origin, host.p, host.n);
}

/* NULL, or what is wrong with an upgrade request (RFC 6455 4.2.1). */
static const char *
ws_check(const struct conn *c, const struct http_request *r, int *status)
{
	struct slice key = ws_header(r, "Sec-WebSocket-Key");
	uint8_t nonce[16];

	*status = 400;
	if (r->method.n != 3 || memcmp(r->method.p, "GET", 3) != 0)
		return "A WebSocket begins with GET.";
	if (r->minor != 1)
		return "A WebSocket begins with HTTP/1.1.";
	if (r->content_length > 0)
		return "An upgrade request has no body.";
	*status = 426;
	if (!r->upgrade)
		return "This is for WebSocket connections.";
	if (!ws_same(ws_header(r, "Sec-WebSocket-Version"), "13", 2))
		return "This server speaks WebSocket version 13.";
	*status = 400;
	if (key.n != WS_KEY_LEN ||
	    crypto_unbase64(nonce, sizeof(nonce), key.p, key.n,
		CRYPTO_B64_STD) != (ptrdiff_t)sizeof(nonce))
		return "Sec-WebSocket-Key is not 16 bytes of base64.";
	*status = 403;
	if (!ws_origin_ok(c, r))
		return "Pages of this origin may not connect.";
	return NULL;
}

static void
ws_accept(struct conn *c, struct slice key)
{
	char text[WS_KEY_LEN + sizeof(WS_GUID)], accept[CRYPTO_B64_LEN(20)];
	uint8_t digest[20];
	struct frame *f;
	struct buf b;

	memcpy(text, key.p, WS_KEY_LEN);
	memcpy(text + WS_KEY_LEN, WS_GUID, sizeof(WS_GUID));
	crypto_sha1(digest, text, sizeof(text) - 1);
	crypto_base64(accept, digest, sizeof(digest), CRYPTO_B64_STD);
	buf_init(&b, 512);
	buf_addf(&b,
	    "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\n"
	    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\n"
	    "\r\n",
	    accept);
	f = frame_raw(b.data, b.len);
	buf_free(&b);
	conn_push(c, f);
	frame_unref(f);
}

int
conn_upgrade(struct conn *c, const struct http_request *r)
{
	const char *wrong;
	int status;

	if (c->state != CONN_HTTP || !c->is_busy)
		return -1;
	if ((wrong = ws_check(c, r, &status)) != NULL) {
		conn_reply_error(c, status, wrong,
		    status == 426 ? "Connection: Upgrade\r\n"
				    "Upgrade: websocket\r\n"
				    "Sec-WebSocket-Version: 13\r\n"
				  : NULL);
		return -1;
	}
	ws_accept(c, ws_header(r, "Sec-WebSocket-Key"));
	c->is_busy = 0;
	c->need = 0;
	c->state = CONN_WS;
	c->is_ws = 1;
	c->code = 1006;
	c->since_ms = c->heard_ms = clock_mono();
	c->net->stats.upgraded++;
	conn_timer(c);
	conn_rearm(c);
	return 0;
}
