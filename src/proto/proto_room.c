/* SPDX-License-Identifier: ISC */
/*
 * /parties/channel-room/<channel_id>?after=SEQ: a WebSocket that is one
 * channel, message after message; linnet-rest(7), STREAMS.
 *
 * Whether the channel is there is known before the upgrade.
 */
#include <string.h>

#include "proto/proto_live.h"

#define ROOM_GONE 1008 /* RFC 6455 7.4.1 */

static void
room_encode(struct request *r, const void *out)
{
	struct live *l = LIVE_OF(r->client);
	struct live_wire *wire;
	struct json_writer w;

	(void)out;
	if (!l->open) {
		if (r->error != ERR_NONE)
			live_encode_error(r);
		return;
	}
	wire = r->wire = pool_zalloc(&r->pool, sizeof(*wire));
	if (r->error != ERR_NONE) {
		w = live_begin(l, "error");
		live_write_error(&w, r->error, r->error_text, true);
		encode_details(&w, r);
	} else
		w = live_begin(l, "pong");
	wire->answer = live_frame(l, &w);
}

static void
room_answer(struct request *r)
{
	struct live *l = LIVE_OF(r->client);

	if (l->open || r->error != ERR_NONE)
		live_answer(r);
	else
		(void)live_upgrade(l);
}

/* What its parts of type text say, a line each. */
static void
room_text(struct json_writer *w, struct json *j, struct slice parts)
{
	size_t at, payload, text;
	const struct json_node *n;
	struct pool pool;
	struct buf b;
	char *s;

	buf_init(&b, SIZE_MAX / 2);
	pool_init(&pool);
	if (json_read(j, parts.p, parts.n) == 0 &&
	    j->nodes[0].type == JSON_ARRAY)
		for (at = JSON_FIRST(0); at < j->nodes[0].end;
		     at = j->nodes[at].end) {
			n = &j->nodes[json_get(j, at, "type")];
			payload = json_get(j, at, "payload");
			text = payload > 0 ? json_get(j, payload, "text") : 0;
			if (n->type != JSON_STRING || n->n != 4 ||
			    memcmp(n->p, "text", 4) != 0 || text == 0 ||
			    j->nodes[text].type != JSON_STRING)
				continue;
			if (b.len > 0)
				buf_addc(&b, '\n');
			s = pool_alloc(&pool, j->nodes[text].n + 1);
			buf_add(&b, s, json_unescape(&j->nodes[text], s));
		}
	if (b.failed)
		fatalx("out of memory");
	json_key(w, "text");
	json_strn(w, b.len > 0 ? b.data : "", b.len);
	pool_free(&pool);
	buf_free(&b);
}

static void
room_message_of(struct live *l, struct json_writer *w, const struct post *p)
{
	json_key(w, "seq");
	json_num(w, p->seq);
	json_key(w, "id");
	json_id(w, &p->id);
	json_key(w, "channelId");
	json_id(w, &p->channel);
	json_key(w, "author");
	json_object(w);
	json_key(w, "id");
	json_id(w, &p->member);
	json_key(w, "name");
	json_strn(w, p->by_name.p, p->by_name.n);
	json_object_end(w);
	json_key(w, "parts");
	json_raw(w, p->parts.p, p->parts.n);
	room_text(w, &l->peer->proto->told, p->parts);
	if (!id_is_null(&p->reply_to)) {
		json_key(w, "replyToId");
		json_id(w, &p->reply_to);
	}
	json_key(w, "createdAt");
	json_time(w, p->created_ms);
	if (p->edited_ms != 0) {
		json_key(w, "editedAt");
		json_time(w, p->edited_ms);
	}
	if (p->redacted_ms != 0) {
		json_key(w, "redactedAt");
		json_time(w, p->redacted_ms);
	}
}

static uint64_t
room_push(struct client *c, struct event *e)
{
	struct event_wire *wire = &e->wire[LIVE_WIRE_ROOM];
	struct live *l = LIVE_OF(c);
	struct json_writer w;

	if (wire->data == NULL) {
		w = live_begin(l, "message");
		room_message_of(l, &w, e->entry->post);
		wire->data = live_frame(l, &w);
		wire->free = live_frame_free;
	}
	return conn_send(l->peer->conn, wire->data);
}

static void
room_followed(
    struct client *c, const struct id *id, enum follow_state state, int64_t at)
{
	static const char gone[] =
	    "The channel is no more, or not for you any more.";
	struct live *l = LIVE_OF(c);
	struct json_writer w;

	if (state == FOLLOW_LOST) {
		w = live_begin(l, "error");
		live_write_error(&w, ERR_FORBIDDEN, gone, true);
		live_send(l, &w);
		conn_close(l->peer->conn, NET_END_REFUSED, ROOM_GONE, gone);
		return;
	}
	w = live_begin(l, "subscribed");
	json_key(&w, "channelId");
	json_id(&w, id);
	json_key(&w, "lastSeq");
	json_num(&w, at);
	live_send(l, &w);
}

static const struct client_calls room_calls = {
	.encode = room_encode,
	.answer = room_answer,
	.discard = live_discard,
	.push = room_push,
	.followed = room_followed,
	.want_written = live_want_written,
	.pause = live_pause,
	.close = live_close_ws,
	.address = proto_address,
};

static void
room_heard(struct live *l, const char *s, size_t n)
{
	struct json *j = &l->peer->proto->json;
	struct request *r = client_request(&l->peer->client);

	r->size = n;
	if (json_read(j, s, n) != 0 || j->nodes[0].type != JSON_OBJECT)
		op_refuse(r, ERR_MALFORMED, "A message is a JSON object.");
	else if (live_says(j, "ping"))
		op_nothing(r);
	else
		op_refuse(r, ERR_UNKNOWN_TYPE,
		    "Here one listens, and may say {\"type\":\"ping\"}; "
		    "messages are posted with POST /v1/messages.");
}

const struct live_kind room_live = {
	.calls = &room_calls,
	.entered = live_run,
	.message = room_heard,
};

void
room_request(struct proto *p, struct conn *c, const struct http_request *h,
    struct slice channel)
{
	struct live *l = live_new(p, c, h, &room_live);

	l->op = "follow_channel";
	l->in.flags = FOLLOW_POSTS;
	if (!live_channel(l, channel))
		live_refuse(l, ERR_MALFORMED,
		    "The channel's name must be text in UTF-8.");
	else if (!h->upgrade)
		live_refuse(l, ERR_MALFORMED,
		    "This is a WebSocket; GET /v1/streams/{streamId}/messages "
		    "has the messages.");
	else if (live_number(h, "after", FOLLOW_NEW, 0, &l->in.after))
		live_enter(l, h);
	else
		live_refuse(l, ERR_MALFORMED,
		    "after is the last seq that was seen: a number.");
}
