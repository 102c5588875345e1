/* SPDX-License-Identifier: ISC */
/*
 * /v1/ws: message-layer's protocol for those who want to be told what happens
 * in channels; linnet-rest(7), STREAMS.
 *
 * A subscription is replayed whole, then the client is told that it is
 * subscribed, then comes what is new.
 */
#include <string.h>

#include "proto/proto_live.h"

enum ws_kind {
	WS_KIND_WELCOME,
	WS_KIND_PONG,
	WS_KIND_SUBSCRIBE,
	WS_KIND_UNSUBSCRIBE,
	WS_KIND_BAD, /* without a code */
};

struct ws_wire {
	struct live_wire live;
	enum ws_kind kind;
	struct slice stream;
};

struct ws_in {
	struct slice stream;
	int type;
	int64_t from;
};

static const char *const ws_types[] = { "channel", "thread", NULL };
#define IN(field) offsetof(struct ws_in, field)
static const struct field ws_fields[] = {
	{ "streamId", F_STR, IN(stream), 1, 128, FIELD_REQUIRED, NULL, NULL, 0,
	    "Channel or thread." },
	{ "streamType", F_ENUM, IN(type), 0, 0, 0, ws_types, NULL, 0,
	    "Which of both." },
	{ "fromSeq", F_INT, IN(from), -1, INT64_MAX, 0, NULL, NULL, 0,
	    "The last seq that was seen." },
	{ .type = F_END },
};
#undef IN

static void
ws_stream(struct json_writer *w, struct slice stream)
{
	json_key(w, "streamId");
	json_strn(w, stream.p, stream.n);
}

/* What one may not see is as what is not there; message-layer's clients know
 * the first. */
static struct json_writer
ws_failed(struct live *l, const struct request *r, const struct ws_wire *wire)
{
	struct json_writer w = live_begin(l, "error");
	enum err e = r->error;

	if (e == ERR_NOT_FOUND)
		e = ERR_FORBIDDEN;
	live_write_error(&w, e, r->error_text,
	    wire->kind != WS_KIND_BAD && e != ERR_ID_CONFLICT);
	if (e == ERR_ID_CONFLICT)
		ws_stream(&w, wire->stream);
	encode_details(&w, r);
	return w;
}

static void
ws_encode(struct request *r, const void *out)
{
	struct live *l = LIVE_OF(r->client);
	struct ws_wire *wire = r->wire;
	const struct session *s = r->client->session;
	struct deputy_who who;
	struct json_writer w;

	(void)out;
	if (!l->open && r->error != ERR_NONE) {
		live_encode_error(r);
		return;
	}
	if (wire->kind == WS_KIND_UNSUBSCRIBE &&
	    (r->error == ERR_NONE || r->error == ERR_NOT_FOUND)) {
		w = live_begin(l, "unsubscribed");
		ws_stream(&w, wire->stream);
	} else if (r->error != ERR_NONE)
		w = ws_failed(l, r, wire);
	else if (wire->kind == WS_KIND_PONG)
		w = live_begin(l, "pong");
	else if (wire->kind == WS_KIND_WELCOME && s != NULL) {
		deputy_who(r->client, &who);
		w = live_begin(l, "welcome");
		json_key(&w, "actorId");
		json_id(&w, &who.member_id);
		json_key(&w, "orgId");
		json_id(&w, &who.mesh_id);
	} else
		return;
	wire->live.answer = live_frame(l, &w);
}

static uint64_t
ws_push(struct client *c, struct event *e)
{
	struct event_wire *wire = &e->wire[LIVE_WIRE_EVENTS];
	struct live *l = LIVE_OF(c);
	struct json_writer w;

	if (wire->data == NULL) {
		w = live_begin(l, "event");
		json_key(&w, "event");
		json_object(&w);
		/* Without its place in the journal: as message-layer. */
		encode_fields(&w, entry_fields + 1, e->entry, FIELD_MESH);
		json_object_end(&w);
		wire->data = live_frame(l, &w);
		wire->free = live_frame_free;
	}
	return conn_send(l->peer->conn, wire->data);
}

static void
ws_followed(
    struct client *c, const struct id *id, enum follow_state state, int64_t at)
{
	struct live *l = LIVE_OF(c);
	struct json_writer w;

	if (state == FOLLOW_LOST) {
		w = live_begin(l, "error");
		live_write_error(&w, ERR_FORBIDDEN,
		    "The stream is no more, or not for you any more.", true);
		json_key(&w, "streamId");
		json_id(&w, id);
		live_send(l, &w);
		w = live_begin(l, "unsubscribed");
	} else if (state == FOLLOW_CAUGHT_UP)
		w = live_begin(l, "subscribed");
	else
		return;
	json_key(&w, "streamId");
	json_id(&w, id);
	if (state == FOLLOW_CAUGHT_UP) {
		json_key(&w, "lastSeq");
		json_num(&w, at == FOLLOW_ALL ? -1 : at);
	}
	live_send(l, &w);
}

static const struct client_calls ws_calls = {
	.encode = ws_encode,
	.answer = live_answer,
	.discard = live_discard,
	.push = ws_push,
	.followed = ws_followed,
	.want_written = live_want_written,
	.pause = live_pause,
	.close = live_close_ws,
	.address = proto_address,
};

static void
ws_entered(struct live *l, struct request *r)
{
	(void)l;
	r->wire = pool_zalloc(&r->pool, sizeof(struct ws_wire));
	op_reply(r, NULL);
}

/* What is asked for, to the input of follow_channel and unfollow_channel. */
static enum err
ws_decode(struct request *r, const struct op *op, void *arg, void *json)
{
	struct follow_in *out = arg;
	struct ws_wire *wire = r->wire;
	struct ws_in in = { .from = 0 };
	struct id id;
	enum err e;

	(void)op;
	if ((e = decode_object(r, json, 0, ws_fields, &in)) != ERR_NONE)
		return e;
	wire->stream = in.stream;
	if (id_parse(&id, in.stream.p, in.stream.n) != 0)
		return op_error(r, ERR_NOT_FOUND,
		    "There is no stream " SLICE_FMT " for you.",
		    SLICE_ARG(in.stream));
	out->channel = in.stream;
	out->after = in.from == -1 ? FOLLOW_ALL : in.from;
	out->flags = FOLLOW_LINES | FOLLOW_BARE | FOLLOW_ONCE;
	return ERR_NONE;
}

static void
ws_message(struct live *l, const char *s, size_t n)
{
	static const char follow[] = "follow_channel",
			  unfollow[] = "unfollow_channel";
	struct json *j = &l->peer->proto->json;
	struct request *r = client_request(&l->peer->client);
	struct ws_wire *wire = pool_zalloc(&r->pool, sizeof(*wire));

	r->wire = wire;
	r->size = n;
	wire->kind = WS_KIND_BAD;
	if (json_read(j, s, n) != 0 || j->nodes[0].type != JSON_OBJECT) {
		op_refuse(r, ERR_MALFORMED, "invalid json");
		return;
	}
	if (live_says(j, "ping")) {
		wire->kind = WS_KIND_PONG;
		op_nothing(r);
	} else if (live_says(j, "subscribe")) {
		wire->kind = WS_KIND_SUBSCRIBE;
		op_run(r, follow, sizeof(follow) - 1, ws_decode, j);
	} else if (live_says(j, "unsubscribe")) {
		wire->kind = WS_KIND_UNSUBSCRIBE;
		op_run(r, unfollow, sizeof(unfollow) - 1, ws_decode, j);
	} else
		op_refuse(r, ERR_UNKNOWN_TYPE, "unknown message type");
}

const struct live_kind ws_live = {
	.calls = &ws_calls,
	.entered = ws_entered,
	.message = ws_message,
};
