/* SPDX-License-Identifier: ISC */
/*
 * The mesh protocol: one JSON object per WebSocket message, with its `type`.
 *
 * A request may carry `_reqId` and `id` (any string or number); both come back
 * in its answer.  An operation that older clients do not wait for is answered
 * only then.  Pushes are encoded once for all who get them.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/proto.h"

#define MESH_WIRE 0 /* index into event.wire */
#define MESH_ECHO_MAX 512
#define MESH_LARGE_MAX ((size_t)256 << 20)

/* What a request keeps until its answer is sent; of its pool. */
struct mesh_wire {
	struct slice id; /* raw JSON, or {NULL, 0} */
	struct slice reqid;
	struct frame *answer;
};

static void
mesh_frame_free(void *frame)
{
	frame_unref(frame);
}

static struct frame *
mesh_frame(struct buf *b)
{
	return frame_ws(WS_TEXT, b->data, b->len);
}

static bool
mesh_has_field(const struct field *fields, const char *name)
{
	const struct field *f;

	for (f = fields; f != NULL && f->type != F_END; f++)
		if (strcmp(f->name, name) == 0)
			return true;
	return false;
}

static void
mesh_write_error(struct json_writer *w, const struct request *r)
{
	const struct slice *names = r->error_names.v;
	size_t i;

	json_key(w, "type");
	json_str(w, "error");
	json_key(w, "code");
	json_str(w, table_errors[r->error].name);
	json_key(w, "message");
	json_str(w, r->error_text);
	if (r->error_names.n > 0) {
		json_key(w, "candidates");
		json_array(w);
		for (i = 0; i < r->error_names.n; i++)
			json_strn(w, names[i].p, names[i].n);
		json_array_end(w);
	}
	encode_details(w, r);
}

/* A single answer always fits into the output of its connection, however large:
 * of all of them together there must be an end. */
static bool
mesh_is_too_much(const struct buf *b)
{
	return b->len > FRAME_LARGE && frame_large() + b->len > MESH_LARGE_MAX;
}

static void
mesh_encode(struct request *r, const void *out)
{
	struct peer *peer = CONTAINER(r->client, struct peer, client);
	struct mesh_wire *wire = r->wire;
	struct buf *b = &peer->proto->out;
	struct json_writer w;
	bool own_id = false;

	if (out != NULL && r->op->flags & OP_QUIET && wire->id.p == NULL &&
	    wire->reqid.p == NULL)
		return;
	buf_clear(b);
	json_start(&w, b);
	json_object(&w);
	if (r->error != ERR_NONE)
		mesh_write_error(&w, r);
	else {
		json_key(&w, "type");
		json_str(&w, r->op->reply);
		own_id = mesh_has_field(r->op->out, "id");
	}
	if (wire->id.p != NULL && !own_id) {
		json_key(&w, "id");
		json_raw(&w, wire->id.p, wire->id.n);
	} else if (r->error == ERR_NONE && !own_id &&
		   r->op->flags & OP_ECHOES) {
		json_key(&w, "id");
		json_str(&w, "");
	}
	if (wire->reqid.p != NULL) {
		json_key(&w, "_reqId");
		json_raw(&w, wire->reqid.p, wire->reqid.n);
	}
	if (r->error == ERR_NONE)
		encode_fields(&w, r->op->out, out, FIELD_REST);
	json_object_end(&w);
	if (b->failed || mesh_is_too_much(b)) {
		(void)op_error(r, b->failed ? ERR_TOO_BIG : ERR_OVERLOADED,
		    b->failed ? "The answer would be too large."
			      : "Too many large answers are on their way; ask "
				"for less, or try again.");
		mesh_encode(r, NULL);
		return;
	}
	wire->answer = mesh_frame(b);
}

static void
mesh_answer(struct request *r)
{
	struct peer *peer = CONTAINER(r->client, struct peer, client);
	struct mesh_wire *wire = r->wire;

	if (r->error == ERR_NONE && r->op->flags & OP_OPENS)
		conn_trust(peer->conn);
	if (wire->answer == NULL)
		return;
	(void)conn_send(peer->conn, wire->answer);
	frame_unref(wire->answer);
	wire->answer = NULL;
}

static void
mesh_discard(struct request *r)
{
	struct mesh_wire *wire = r->wire;

	if (wire != NULL && wire->answer != NULL)
		frame_unref(wire->answer);
	r->wire = NULL;
}

static void
mesh_write_text(struct json_writer *w, const char *key, struct slice s)
{
	if (s.n == 0)
		return;
	json_key(w, key);
	json_strn(w, s.p, s.n);
}

static void
mesh_write_more(struct json_writer *w, const struct message_more *m)
{
	mesh_write_text(w, "client_message_id", m->client_id);
	mesh_write_text(w, "request_fingerprint", m->fingerprint);
	mesh_write_text(w, "replyToId", m->reply_to);
	if (m->subtype != SUBTYPE_MESSAGE) {
		json_key(w, "subtype");
		json_str(w, table_subtypes[m->subtype]);
	}
	if (m->files.n > 0) {
		json_key(w, "files");
		json_raw(w, m->files.p, m->files.n);
	}
}

static void
mesh_write_push(struct json_writer *w, const struct message *m)
{
	json_key(w, "type");
	json_str(w, "push");
	json_key(w, "messageId");
	json_id(w, &m->id);
	json_key(w, "meshId");
	json_id(w, &m->mesh);
	json_key(w, "senderPubkey");
	json_hex(w, m->sender_key, CRYPTO_KEY_LEN);
	json_key(w, "priority");
	json_str(w, table_priorities[m->priority]);
	json_key(w, "nonce");
	json_strn(w, m->nonce.p, m->nonce.n);
	json_key(w, "ciphertext");
	json_strn(w, m->ciphertext.p, m->ciphertext.n);
	json_key(w, "createdAt");
	json_time(w, m->created_ms);
	json_key(w, "senderMemberPubkey");
	json_hex(w, m->sender_member_key, CRYPTO_KEY_LEN);
	json_key(w, "senderMemberId");
	json_id(w, &m->sender_member);
	json_key(w, "senderName");
	json_strn(w, m->sender_name.p, m->sender_name.n);
	json_key(w, "targetSpec");
	json_strn(w, m->target.p, m->target.n);
	if (m->more != NULL)
		mesh_write_more(w, m->more);
}

static void
mesh_write_state(struct json_writer *w, const struct state_change *s)
{
	json_key(w, "type");
	json_str(w, "state_change");
	json_key(w, "key");
	json_strn(w, s->key.p, s->key.n);
	json_key(w, "value");
	if (s->value.p != NULL)
		json_raw(w, s->value.p, s->value.n);
	else {
		json_null(w);
		json_key(w, "deleted");
		json_bool(w, true);
	}
	json_key(w, "updatedBy");
	json_strn(w, s->by_name.p, s->by_name.n);
	json_key(w, "updatedAt");
	json_time(w, s->updated_ms);
	json_key(w, "version");
	json_num(w, s->version);
}

/* As later clients of claudemesh know it. */
static void
mesh_write_peer(struct json_writer *w, const struct peer_change *c)
{
	static const uint8_t none[CRYPTO_KEY_LEN];
	const struct session_info *s = c->peer;
	size_t i;

	json_key(w, "type");
	json_str(w, "push");
	json_key(w, "subtype");
	json_str(w, "system");
	json_key(w, "event");
	json_str(w, table_peer_changes[c->kind]);
	json_key(w, "eventData");
	json_object(w);
	json_key(w, "name");
	json_strn(w, s->name.p, s->name.n);
	json_key(w, "displayName");
	json_strn(w, s->name.p, s->name.n);
	json_key(w, "pubkey");
	json_hex(w,
	    crypto_same(s->key, none, sizeof(none)) ? s->member_key : s->key,
	    CRYPTO_KEY_LEN);
	json_key(w, "memberPubkey");
	json_hex(w, s->member_key, CRYPTO_KEY_LEN);
	json_key(w, "presenceId");
	json_id(w, &s->id);
	json_key(w, "groups");
	json_array(w);
	for (i = 0; i < s->ngroups; i++) {
		json_object(w);
		json_key(w, "name");
		json_strn(w, s->groups[2 * i].p, s->groups[2 * i].n);
		if (s->groups[2 * i + 1].n > 0) {
			json_key(w, "role");
			json_strn(
			    w, s->groups[2 * i + 1].p, s->groups[2 * i + 1].n);
		}
		json_object_end(w);
	}
	json_array_end(w);
	if (c->kind == PEER_RETURNED) {
		json_key(w, "lastSeenAt");
		json_time(w, s->seen_ms);
		json_key(w, "summary");
		if (s->summary.p != NULL)
			json_strn(w, s->summary.p, s->summary.n);
		else
			json_null(w);
	}
	json_object_end(w);
	json_key(w, "messageId");
	json_id(w, &c->id);
	json_key(w, "meshId");
	json_id(w, &s->mesh);
	json_key(w, "senderPubkey");
	json_str(w, "system");
	json_key(w, "priority");
	json_str(w, "low");
	json_key(w, "nonce");
	json_str(w, "");
	json_key(w, "ciphertext");
	json_str(w, "");
	json_key(w, "createdAt");
	json_time(w, c->at_ms);
}

static void
mesh_write_entry(struct json_writer *w, const struct entry *e)
{
	json_key(w, "type");
	if (e->post != NULL) {
		json_str(w, "channel_message");
		encode_fields(w, post_fields, e->post, FIELD_REST);
		json_key(w, "eventId");
		json_id(w, &e->id);
		return;
	}
	json_str(w, "channel_event");
	json_key(w, "channelId");
	if (id_is_null(&e->channel))
		json_null(w);
	else
		json_id(w, &e->channel);
	if (!id_is_null(&e->id)) {
		json_key(w, "eventId");
		json_id(w, &e->id);
	}
	json_key(w, "event");
	json_strn(w, e->type.p, e->type.n);
	json_key(w, "at");
	json_time(w, e->at_ms);
	json_key(w, "payload");
	json_raw(w, e->payload.p, e->payload.n);
}

static void
mesh_write_notice(struct json_writer *w, const struct notice *n)
{
	json_key(w, "type");
	json_str(w, table_notices[n->kind]);
	json_key(w, "at");
	json_time(w, n->at_ms);
	json_key(w, "payload");
	json_raw(w, n->payload.p, n->payload.n);
}

static struct frame *
mesh_encode_event(struct proto *p, const struct event *e)
{
	struct json_writer w;

	buf_clear(&p->out);
	json_start(&w, &p->out);
	json_object(&w);
	if (e->type == EVENT_DELIVER)
		mesh_write_push(&w, e->message);
	else if (e->type == EVENT_STATE)
		mesh_write_state(&w, e->state);
	else if (e->type == EVENT_ENTRY)
		mesh_write_entry(&w, e->entry);
	else if (e->type == EVENT_NOTICE)
		mesh_write_notice(&w, e->notice);
	else
		mesh_write_peer(&w, e->peer);
	json_object_end(&w);
	if (p->out.failed)
		fatalx("an event larger than any answer");
	return mesh_frame(&p->out);
}

static uint64_t
mesh_push(struct client *c, struct event *e)
{
	struct peer *peer = CONTAINER(c, struct peer, client);
	struct event_wire *wire = &e->wire[MESH_WIRE];

	if (wire->data == NULL) {
		wire->data = mesh_encode_event(peer->proto, e);
		wire->free = mesh_frame_free;
	}
	return conn_send(peer->conn, wire->data);
}

static void
mesh_followed(
    struct client *c, const struct id *id, enum follow_state state, int64_t at)
{
	struct peer *peer = CONTAINER(c, struct peer, client);
	struct json_writer w;
	struct frame *f;

	(void)at;
	if (state != FOLLOW_LOST)
		return;
	buf_clear(&peer->proto->out);
	json_start(&w, &peer->proto->out);
	json_object(&w);
	json_key(&w, "type");
	json_str(&w, "channel_closed");
	json_key(&w, "channelId");
	json_id(&w, id);
	json_object_end(&w);
	f = mesh_frame(&peer->proto->out);
	(void)conn_send(peer->conn, f);
	frame_unref(f);
}

static void
mesh_want_written(struct client *c, bool on)
{
	conn_want_written(CONTAINER(c, struct peer, client)->conn, on);
}

static void
mesh_pause(struct client *c, bool on)
{
	conn_pause(CONTAINER(c, struct peer, client)->conn, on);
}

static void
mesh_close(struct client *c, enum err why, const char *text)
{
	int code = table_errors[why].close;

	conn_close(CONTAINER(c, struct peer, client)->conn, NET_END_REFUSED,
	    (uint16_t)(code != 0 ? code : 1008), text);
}

static const struct client_calls mesh_calls = {
	.hides = FIELD_REST,
	.encode = mesh_encode,
	.answer = mesh_answer,
	.discard = mesh_discard,
	.push = mesh_push,
	.followed = mesh_followed,
	.want_written = mesh_want_written,
	.pause = mesh_pause,
	.close = mesh_close,
	.address = proto_address,
};

void
mesh_protocol_open(struct proto *p, struct conn *c)
{
	proto_peer(p, c, &mesh_calls)->client.hears = true;
}

/* A string or number that comes back as it came. */
static struct slice
mesh_echo(struct request *r, const struct json *j, const char *key)
{
	size_t i = json_get(j, 0, key);
	const struct json_node *n = &j->nodes[i];
	size_t quotes = n->type == JSON_STRING;

	if (i == 0 || (n->type != JSON_STRING && n->type != JSON_NUMBER) ||
	    n->n > MESH_ECHO_MAX)
		return (struct slice){ NULL, 0 };
	return (struct slice){
		pool_dup(&r->pool, n->p - quotes, n->n + 2 * quotes),
		n->n + 2 * quotes,
	};
}

static enum err
mesh_decode(struct request *r, const struct op *op, void *in, void *arg)
{
	return decode_object(r, arg, 0, op->in, in);
}

void
mesh_protocol_message(struct peer *peer, const char *s, size_t n)
{
	struct json *j = &peer->proto->json;
	struct request *r = client_request(&peer->client);
	struct mesh_wire *wire = pool_zalloc(&r->pool, sizeof(*wire));
	const struct json_node *type;
	const struct op *op;
	char name[128];
	size_t i;

	r->wire = wire;
	r->size = n;
	if (json_read(j, s, n) != 0) {
		op_refuse(r, ERR_MALFORMED, "No JSON, at byte %zu: %s",
		    j->error_at, j->error);
		return;
	}
	if (j->nodes[0].type != JSON_OBJECT) {
		op_refuse(r, ERR_MALFORMED, "A message is a JSON object.");
		return;
	}
	wire->id = mesh_echo(r, j, "id");
	wire->reqid = mesh_echo(r, j, "_reqId");
	i = json_get(j, 0, "type");
	type = &j->nodes[i];
	if (i == 0 || type->type != JSON_STRING) {
		op_refuse(r, ERR_MALFORMED,
		    "type is missing: a string that names the message.");
		return;
	}
	if (type->n >= sizeof(name)) {
		op_refuse(r, ERR_UNKNOWN_TYPE, NULL);
		return;
	}
	n = json_unescape(type, name);
	op = op_find(name, n);
	if (op != NULL && op->flags & OP_REST_ONLY) {
		op_refuse(r, ERR_UNKNOWN_TYPE, "%s is done over HTTP: %s.",
		    op->name, op->rest[0]);
		return;
	}
	op_run(r, name, n, mesh_decode, j);
}
