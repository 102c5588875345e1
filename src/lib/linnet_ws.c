/* SPDX-License-Identifier: ISC */
/*
 * WebSocket frames (RFC 6455), by wslay.
 *
 * wslay would take memory for a frame by its header alone and keep a chunk per
 * fragment; so it buffers nothing, and a message is gathered here, under the
 * limit.  A broker that pings and does not read would grow wslay's queue; so
 * nothing is read while too much waits to be written.
 *
 * wslay takes 1012 and 1013 for no close codes (they were registered after
 * RFC 6455) and answers a close that bears one as an error; so what a close
 * frame says is gathered here as well.
 *
 * Nothing in here may free the context: the callbacks are called by it.  The
 * end is noted, and linnet_ws_run() reports it.
 */
#include "lib/lib.h"

#include <poll.h>
#include <string.h>
#include <wslay/wslay.h>

#define WS_TURN (256 * 1024)  /* bytes read in one turn */
#define WS_QUEUE (256 * 1024) /* bytes queued past which nothing is read */
#define WS_QUEUE_COUNT 1000   /* the same in messages: pongs may be empty */
#define WS_KEEP (64 * 1024)   /* message memory that is kept */

static ssize_t
ws_recv_cb(
    wslay_event_context_ptr ctx, uint8_t *buf, size_t len, int flags, void *arg)
{
	struct linnet_ws *w = arg;
	ptrdiff_t n = 0;

	(void)flags;
	if (w->first->len > 0) {
		n = (ptrdiff_t)(len < w->first->len ? len : w->first->len);
		memcpy(buf, w->first->data, (size_t)n);
		buf_drain(w->first, (size_t)n);
		return n;
	}
	if (w->budget > 0)
		n = linnet_socket_read(&w->l->socket, buf, len);
	if (n > 0) {
		w->budget -= (size_t)n < w->budget ? (size_t)n : w->budget;
		w->l->heard_ms = linnet_now();
		w->l->pinged = false;
		return n;
	}
	w->eof |= n < 0;
	wslay_event_set_error(
	    ctx, n < 0 ? WSLAY_ERR_CALLBACK_FAILURE : WSLAY_ERR_WOULDBLOCK);
	return -1;
}

static ssize_t
ws_send_cb(wslay_event_context_ptr ctx, const uint8_t *data, size_t len,
    int flags, void *arg)
{
	struct linnet_ws *w = arg;
	ptrdiff_t n;

	(void)flags;
	if ((n = linnet_socket_write(&w->l->socket, data, len)) > 0)
		return n;
	wslay_event_set_error(
	    ctx, n < 0 ? WSLAY_ERR_CALLBACK_FAILURE : WSLAY_ERR_WOULDBLOCK);
	return -1;
}

static int
ws_mask_cb(wslay_event_context_ptr ctx, uint8_t *buf, size_t len, void *arg)
{
	(void)ctx;
	(void)arg;
	crypto_random_bytes(buf, len);
	return 0;
}

static void
ws_too_big(struct linnet_ws *w)
{
	w->too_big = true;
	linnet_ws_close(w, WSLAY_CODE_MESSAGE_TOO_BIG);
	wslay_event_shutdown_read(w->ctx);
}

static void
ws_frame_start_cb(wslay_event_context_ptr ctx,
    const struct wslay_event_on_frame_recv_start_arg *a, void *arg)
{
	struct linnet_ws *w = arg;

	(void)ctx;
	w->opcode = a->opcode;
	if (!wslay_is_ctrl_frame(a->opcode) && !w->too_big &&
	    a->payload_length > w->message.max - w->message.len)
		ws_too_big(w);
}

static void
ws_take_close(struct linnet_ws *w, const uint8_t *p, size_t n)
{
	if (n > sizeof(w->close) - w->nclose)
		n = sizeof(w->close) - w->nclose;
	if (n > 0)
		memcpy(w->close + w->nclose, p, n);
	w->nclose += n;
}

static void
ws_chunk_cb(wslay_event_context_ptr ctx,
    const struct wslay_event_on_frame_recv_chunk_arg *a, void *arg)
{
	struct linnet_ws *w = arg;

	(void)ctx;
	if (w->opcode == WSLAY_CONNECTION_CLOSE)
		ws_take_close(w, a->data, a->data_length);
	if (wslay_is_ctrl_frame(w->opcode) || w->too_big || a->data_length == 0)
		return;
	buf_add(&w->message, a->data, a->data_length);
	if (w->message.failed)
		ws_too_big(w);
}

static void
ws_message_cb(wslay_event_context_ptr ctx,
    const struct wslay_event_on_msg_recv_arg *a, void *arg)
{
	struct linnet_ws *w = arg;

	(void)ctx;
	if (wslay_is_ctrl_frame(a->opcode) || w->too_big)
		return;
	linnet_receive(
	    w->l, w->message.len > 0 ? w->message.data : "", w->message.len);
	buf_clear(&w->message);
	if (w->message.cap > WS_KEEP)
		buf_free(&w->message);
}

static const struct wslay_event_callbacks ws_callbacks = {
	.recv_callback = ws_recv_cb,
	.send_callback = ws_send_cb,
	.genmask_callback = ws_mask_cb,
	.on_frame_recv_start_callback = ws_frame_start_cb,
	.on_frame_recv_chunk_callback = ws_chunk_cb,
	.on_msg_recv_callback = ws_message_cb,
};

void
linnet_ws_open(struct linnet_ws *w, struct linnet *l, struct buf *first)
{
	*w = (struct linnet_ws){ .l = l, .first = first };
	if (wslay_event_context_client_init(&w->ctx, &ws_callbacks, w) != 0)
		fatalx("out of memory");
	wslay_event_config_set_no_buffering(w->ctx, 1);
	buf_init(&w->message, l->config.max_message);
}

void
linnet_ws_free(struct linnet_ws *w)
{
	if (w->ctx == NULL)
		return;
	wslay_event_context_free(w->ctx);
	buf_free(&w->message);
	w->ctx = NULL;
}

static void
ws_queue(struct linnet_ws *w, uint8_t opcode, const char *text, size_t n)
{
	struct wslay_event_msg m = {
		.opcode = opcode, .msg = (const uint8_t *)text, .msg_length = n
	};

	/* WSLAY_ERR_NO_MORE_MSG: a close is queued; what is open is failed by
	 * the end of the connection. */
	if (wslay_event_queue_msg(w->ctx, &m) == WSLAY_ERR_NOMEM)
		fatalx("out of memory");
}

void
linnet_ws_send(struct linnet_ws *w, const char *text, size_t n)
{
	ws_queue(w, WSLAY_TEXT_FRAME, text, n);
}

void
linnet_ws_ping(struct linnet_ws *w)
{
	ws_queue(w, WSLAY_PING, NULL, 0);
}

/* wslay sends a close frame before all that is queued, and then nothing: a
 * goodbye waits until that is written. */
static void
ws_goodbye(struct linnet_ws *w)
{
	if (w->goodbye == 0 ||
	    (w->goodbye == WSLAY_CODE_NORMAL_CLOSURE &&
		wslay_event_get_queued_msg_count(w->ctx) > 0))
		return;
	if (wslay_event_queue_close(w->ctx, w->goodbye, NULL, 0) ==
	    WSLAY_ERR_NOMEM)
		fatalx("out of memory");
	w->goodbye = 0;
}

static int
ws_write(struct linnet_ws *w)
{
	if (wslay_event_want_write(w->ctx) && wslay_event_send(w->ctx) != 0)
		return -1;
	if (w->goodbye == 0)
		return 0;
	ws_goodbye(w);
	return wslay_event_send(w->ctx);
}

void
linnet_ws_close(struct linnet_ws *w, uint16_t code)
{
	if (w->close_sent)
		return;
	w->close_sent = true;
	w->goodbye = code;
	ws_goodbye(w);
}

static bool
ws_may_read(const struct linnet_ws *w)
{
	return wslay_event_want_read(w->ctx) &&
	       wslay_event_get_queued_msg_length(w->ctx) < WS_QUEUE &&
	       wslay_event_get_queued_msg_count(w->ctx) < WS_QUEUE_COUNT;
}

short
linnet_ws_events(const struct linnet_ws *w)
{
	return (short)((ws_may_read(w) ? POLLIN : 0) |
		       (wslay_event_want_write(w->ctx) ? POLLOUT : 0) |
		       w->l->socket.wants);
}

bool
linnet_ws_more(const struct linnet_ws *w)
{
	return w->ctx != NULL && w->l->socket.ssl != NULL && ws_may_read(w) &&
	       linnet_tls_pending(&w->l->socket);
}

int
linnet_ws_run(struct linnet_ws *w)
{
	bool lost = false;

	w->budget = WS_TURN;
	if (ws_may_read(w) && wslay_event_recv(w->ctx) != 0) {
		lost = w->eof; /* the socket's end, not the broker's fault */
		w->eof = true;
	}
	if (ws_write(w) != 0)
		w->eof = true;
	/* wslay closes by itself when it cannot go on reading. */
	if (!lost && w->nclose < 2 && !w->close_sent &&
	    wslay_event_get_close_sent(w->ctx) &&
	    !wslay_event_get_close_received(w->ctx))
		linnet_refuse(w->l, "protocol",
		    "The broker sent what is no WebSocket frame or no UTF-8.");
	if (w->eof)
		return -1;
	/* Both have said goodbye, or one has and cannot hear. */
	return wslay_event_want_read(w->ctx) || wslay_event_want_write(w->ctx)
		   ? 0
		   : -1;
}

int
linnet_ws_closed(const struct linnet_ws *w, char reason[124])
{
	size_t n = w->nclose > 2 ? w->nclose - 2 : 0;

	reason[0] = '\0';
	if (w->ctx == NULL)
		return 0;
	if (w->nclose < 2)
		return wslay_event_get_close_received(w->ctx) ? 1005 : 0;
	if (n > 0 && str_utf8((const char *)w->close + 2, n)) {
		memcpy(reason, w->close + 2, n);
		reason[n] = '\0';
	}
	return w->close[0] << 8 | w->close[1];
}
