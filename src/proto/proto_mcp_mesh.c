/* SPDX-License-Identifier: ISC */
/*
 * The mesh behind the tools of a request over HTTP: operations, run as the
 * session of the token that was shown.
 *
 * The server has the key of that session, and opens what was encrypted to it;
 * it has no key of the member.  What is sent is not encrypted: here, at its end
 * of the line, it is in clear in any case.  Messages are taken for one answer,
 * see read_messages: what is not acked, because the answer did not arrive, is
 * unread again.
 */
#include "proto/proto_mcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESH_BUF_MAX (SIZE_MAX / 2)
#define MESH_NOBODY "00000000000000000000000000000000" /* half of a key */

enum mesh_kind {
	MESH_ENTER,
	MESH_ACK,
	MESH_SESSION,
	MESH_SUBSCRIBE,
	MESH_FILE,
	MESH_CALL,
	MESH_SEND,
	MESH_MESSAGES,
	MESH_UNREAD,
};

/* What an operation keeps until its answer is used; of its pool. */
struct mesh_wire {
	enum mesh_kind kind;
	struct mcp_ask *ask; /* NULL: nobody wants the answer */
	struct slice to;     /* of a message that is sent, JSON */
	size_t limit;
	mcp_mesh_fn *fn; /* MESH_FILE */
	void *arg;
	const char *text; /* the answer, JSON */
	size_t n;
};

static struct mcp_http *
mesh_http(const struct client *c)
{
	return CONTAINER((struct client *)c, struct peer, client)->mcp;
}

/*
 * Answers.
 */
static void
mesh_encode(struct request *r, const void *out)
{
	struct peer *peer = CONTAINER(r->client, struct peer, client);
	struct mesh_wire *wire = r->wire;
	struct buf *b = &peer->proto->out;
	struct json_writer w;

	if (r->error != ERR_NONE || wire->kind <= MESH_ACK)
		return;
	buf_clear(b);
	json_start(&w, b);
	json_object(&w);
	if (wire->kind == MESH_SEND) {
		json_key(&w, "messages");
		json_array(&w);
		json_object(&w);
		json_key(&w, "to");
		json_raw(&w, wire->to.p, wire->to.n);
	}
	encode_fields(&w, r->op->out, out, FIELD_REST);
	if (wire->kind == MESH_SEND) {
		json_object_end(&w);
		json_array_end(&w);
	}
	json_object_end(&w);
	if (b->failed) {
		(void)op_error(
		    r, ERR_TOO_BIG, "The answer would be too large.");
		return;
	}
	wire->text = pool_dup(&r->pool, b->data, b->len);
	wire->n = b->len;
}

const char *
mcp_mesh_str(struct pool *p, const struct json *j, size_t at, const char *key)
{
	size_t i = json_get(j, at, key);
	char *s;

	if (i == 0 || j->nodes[i].type != JSON_STRING)
		return "";
	s = pool_alloc(p, j->nodes[i].n + 1);
	s[json_unescape(&j->nodes[i], s)] = '\0';
	return s;
}

/* Text that was not encrypted has no control characters but those of layout;
 * what was looks like noise. */
static bool
mesh_is_text(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (((unsigned char)s[i] < ' ' && s[i] != '\n' &&
			s[i] != '\r' && s[i] != '\t') ||
		    s[i] == 0x7f)
			return false;
	return str_utf8(s, n);
}

static bool
mesh_is_name(const char *target, struct slice name)
{
	return strlen(target) == name.n && memcmp(target, name.p, name.n) == 0;
}

static bool
mesh_is_key(const char *target, const uint8_t key[CRYPTO_KEY_LEN])
{
	char hex[2 * CRYPTO_KEY_LEN + 1];

	crypto_hex(hex, key, CRYPTO_KEY_LEN);
	return strcmp(target, hex) == 0;
}

static const char *
mesh_to(const struct mcp_http *m, const char *target)
{
	if (mesh_is_key(target, m->who.key) ||
	    mesh_is_key(target, m->who.member_key) ||
	    mesh_is_name(target, m->who.name) ||
	    mesh_is_name(target, m->who.member_name))
		return "you";
	return target;
}

/* Opens a box for the session: its text, in the pool; NULL: it is none. */
static const char *
mesh_unseal(const struct mcp_http *m, struct pool *p, const char *nonce64,
    const char *from_key, const char *box, size_t n)
{
	uint8_t nonce[CRYPTO_NONCE_LEN], from[CRYPTO_KEY_LEN];
	char *text;

	if (n < CRYPTO_BOX_EXTRA ||
	    crypto_unhex(from, sizeof(from), from_key, strlen(from_key)) != 0 ||
	    crypto_unbase64(nonce, sizeof(nonce), nonce64, strlen(nonce64),
		CRYPTO_B64_STD) != (ptrdiff_t)sizeof(nonce))
		return NULL;
	text = pool_alloc(p, n - CRYPTO_BOX_EXTRA + 1);
	return visitor_unseal(&m->peer->client, text, nonce, box, n, from)
		   ? text
		   : NULL;
}

/* A row of read_messages into the inbox. */
static void
mesh_message(
    struct mcp_http *m, struct pool *p, const struct json *j, size_t at)
{
	const char *cipher = mcp_mesh_str(p, j, at, "ciphertext");
	const size_t max = strlen(cipher);
	const char *from_key = mcp_mesh_str(p, j, at, "senderPubkey");
	char *bytes = pool_alloc(p, max + 1);
	ptrdiff_t n = crypto_unbase64(bytes, max, cipher, max, CRYPTO_B64_STD);
	const char *text =
	    n < 0 ? NULL
		  : mesh_unseal(m, p, mcp_mesh_str(p, j, at, "nonce"), from_key,
			bytes, (size_t)n);
	bool sealed = text != NULL;
	bool clear = !sealed && n >= 0 && mesh_is_text(bytes, (size_t)n);
	struct mcp_message out = {
		.id = mcp_mesh_str(p, j, at, "messageId"),
		.from = mcp_mesh_str(p, j, at, "senderName"),
		.from_key = from_key,
		.from_member = mcp_mesh_str(p, j, at, "senderMemberPubkey"),
		.to = mesh_to(m, mcp_mesh_str(p, j, at, "targetSpec")),
		.priority = mcp_mesh_str(p, j, at, "priority"),
		.sent_at = mcp_mesh_str(p, j, at, "createdAt"),
		.reply_to = mcp_mesh_str(p, j, at, "replyToId"),
		.subtype = mcp_mesh_str(p, j, at, "subtype"),
		.mesh = m->who.mesh.p,
		.encrypted = !clear,
		.text = clear ? bytes : text,
		.length = clear	   ? (size_t)n
			  : sealed ? (size_t)n - CRYPTO_BOX_EXTRA
				   : 0,
	};
	size_t files = json_get(j, at, "files");

	if (files != 0)
		out.files =
		    pool_strndup(p, j->nodes[files].p, j->nodes[files].n);

	/* Who sent it without a session is reached by the member's key. */
	if (str_starts(out.from_key, MESH_NOBODY))
		out.from_key = out.from_member;
	if (strcmp(out.subtype, table_subtypes[SUBTYPE_MESSAGE]) == 0)
		out.subtype = "";
	(void)mcp_inbox_add(m->inbox, &out);
}

static int64_t
mesh_waiting(const struct json *j)
{
	int64_t n;

	return json_int(&j->nodes[json_get(j, 0, "waiting")], &n) == 0 ? n : 0;
}

static void
mesh_messages(struct mcp_http *m, const struct mesh_wire *wire, struct buf *b)
{
	struct json *j = &m->peer->proto->json;
	size_t list, at;
	int64_t waiting;
	struct pool p;

	if (json_read(j, wire->text, wire->n) != 0)
		fatalx("read_messages: %s", j->error);
	pool_init(&p);
	list = json_get(j, 0, "messages");
	for (at = JSON_FIRST(list); at < j->nodes[list].end;
	     at = j->nodes[at].end)
		mesh_message(m, &p, j, at);
	waiting = mesh_waiting(j);
	pool_free(&p);
	mcp_inbox_list(m->inbox, b, wire->limit, waiting > 0);
}

static void
mesh_unread(struct mcp_http *m, const struct mesh_wire *wire, struct buf *b)
{
	struct json *j = &m->peer->proto->json;
	int64_t waiting;
	struct pool p;

	if (json_read(j, wire->text, wire->n) != 0)
		fatalx("read_messages: %s", j->error);
	pool_init(&p);
	waiting = mesh_waiting(j);
	mcp_inbox_unread(
	    m->inbox, b, waiting, mcp_mesh_str(&p, j, 0, "highest"));
	pool_free(&p);
}

static void
mesh_session(struct mcp_http *m, const struct request *r)
{
	const struct mesh_wire *wire = r->wire;
	struct json *j = &m->peer->proto->json;

	if (r->error == ERR_NONE && json_read(j, wire->text, wire->n) != 0)
		fatalx("mcp_session: %s", j->error);
	mcp_http_session(m, r, r->error == ERR_NONE ? j : NULL);
}

static void
mesh_answer(struct request *r)
{
	struct mcp_http *m = mesh_http(r->client);
	struct mesh_wire *wire = r->wire;
	struct mcp_error e;
	struct buf b;

	if (wire->kind == MESH_ENTER) {
		if (r->error != ERR_NONE)
			mcp_http_refused(m, r);
		else
			mcp_http_known(m);
		return;
	}
	if (wire->kind == MESH_SESSION) {
		mesh_session(m, r);
		return;
	}
	if (wire->kind == MESH_SUBSCRIBE && r->error == ERR_NONE)
		mcp_http_look(m);
	if (r->error != ERR_NONE)
		e = (struct mcp_error){ table_errors[r->error].name,
			r->error_text };
	if (wire->kind == MESH_FILE) {
		wire->fn(wire->arg, r->error != ERR_NONE ? &e : NULL,
		    wire->text, wire->n);
		return;
	}
	if (wire->ask == NULL)
		return;
	if (r->error != ERR_NONE) {
		mcp_answer(wire->ask, &e, NULL, 0);
		return;
	}
	if (wire->kind != MESH_MESSAGES && wire->kind != MESH_UNREAD) {
		mcp_answer(wire->ask, NULL, wire->text, wire->n);
		return;
	}
	buf_init(&b, MESH_BUF_MAX);
	if (wire->kind == MESH_MESSAGES)
		mesh_messages(m, wire, &b);
	else
		mesh_unread(m, wire, &b);
	if (b.failed)
		fatalx("out of memory");
	mcp_answer(wire->ask, NULL, b.data, b.len);
	buf_free(&b);
}

static void
mesh_discard(struct request *r)
{
	r->wire = NULL;
}

static uint64_t
mesh_push(struct client *c, struct event *e)
{
	(void)c;
	(void)e;
	fatalx("a push to a client that is not connected");
}

static void
mesh_switch(struct client *c, bool on)
{
	(void)c;
	(void)on;
}

static void
mesh_close(struct client *c, enum err why, const char *text)
{
	mcp_http_ended(mesh_http(c), why, text);
}

const struct client_calls mcp_mesh_calls = {
	.hides = FIELD_REST,
	.encode = mesh_encode,
	.answer = mesh_answer,
	.discard = mesh_discard,
	.push = mesh_push,
	.want_written = mesh_switch,
	.pause = mesh_switch,
	.close = mesh_close,
	.address = proto_address,
};

/*
 * Questions.
 */
static struct mesh_wire *
mesh_request(struct mcp_http *m, enum mesh_kind kind, struct mcp_ask *ask,
    struct request **r)
{
	struct mesh_wire *wire;

	*r = client_request(&m->peer->client);
	wire = pool_zalloc(&(*r)->pool, sizeof(*wire));
	wire->kind = kind;
	wire->ask = ask;
	(*r)->wire = wire;
	return wire;
}

static enum err
mesh_decode(struct request *r, const struct op *op, void *in, void *arg)
{
	return decode_object(r, arg, 0, op->in, in);
}

static void
mesh_run(
    struct mcp_http *m, struct request *r, const char *op, const char *fields)
{
	struct json *j = &m->peer->proto->json;
	const char *text = pool_printf(&r->pool, "{%s}", fields);

	r->size = strlen(text);
	if (json_read(j, text, r->size) != 0)
		op_refuse(r, ERR_MALFORMED, "The arguments are too much: %s",
		    j->error);
	else
		op_run(r, op, strlen(op), mesh_decode, j);
}

static void
mesh_entered(struct request *r)
{
	op_reply(r, NULL);
}

static void
mesh_known(struct request *r)
{
	/* The token is not what the gate would count. */
	if (rate_request(r) != ERR_NONE)
		op_fail(r, r->error, NULL);
	else
		visitor_enter(r, &mesh_http(r->client)->visit, mesh_entered);
}

void
mcp_mesh_enter(struct mcp_http *m, struct slice bearer, size_t n)
{
	struct request *r;

	(void)mesh_request(m, MESH_ENTER, NULL, &r);
	r->size = n;
	token_enter(r, bearer, mesh_known);
}

void
mcp_mesh_op(struct mcp_http *m, const char *op, const char *fields,
    mcp_mesh_fn *fn, void *arg)
{
	struct mesh_wire *wire;
	struct request *r;

	wire = mesh_request(m, MESH_FILE, NULL, &r);
	wire->fn = fn;
	wire->arg = arg;
	mesh_run(m, r, op, fields);
}

static const char *
mesh_session_fields(
    struct mcp_http *m, struct pool *p, const char *action, const char *more)
{
	char hex[ID_HEX_LEN + 1];
	struct id id = { { 0 } };

	if (m->session.p != NULL &&
	    id_parse(&id, m->session.p, m->session.n) != 0)
		memset(&id, 0, sizeof(id));
	return pool_printf(p, "\"action\":\"%s\",\"sessionId\":\"%s\"%s%s",
	    action, id_hex(&id, hex), more[0] != '\0' ? "," : "", more);
}

void
mcp_mesh_session(struct mcp_http *m, const char *action, const char *more)
{
	struct request *r;

	(void)mesh_request(m, MESH_SESSION, NULL, &r);
	mesh_run(m, r, "mcp_session",
	    mesh_session_fields(m, &r->pool, action, more));
}

static void
mesh_backend_subscribe(void *arg, struct mcp_ask *ask, const char *uri, bool on)
{
	struct mcp_http *m = arg;
	struct json_writer w;
	struct request *r;
	struct buf b;

	(void)mesh_request(m, MESH_SUBSCRIBE, ask, &r);
	buf_init(&b, MESH_BUF_MAX);
	json_start(&w, &b);
	json_key(&w, "uri");
	json_str(&w, uri);
	if (buf_str(&b) == NULL)
		fatalx("out of memory");
	mesh_run(m, r, "mcp_session",
	    mesh_session_fields(
		m, &r->pool, on ? "subscribe" : "unsubscribe", b.data));
	buf_free(&b);
}

/* A JSON text as a raw value of object 0. */
static struct slice
mesh_raw(const struct json *j, const char *key)
{
	size_t at = json_get(j, 0, key);
	const struct json_node *v = &j->nodes[at];
	size_t quotes = v->type == JSON_STRING;

	return at != 0 ? (struct slice){ v->p - quotes, v->n + 2 * quotes }
		       : (struct slice){ NULL, 0 };
}

static void
mesh_copy(struct json_writer *w, const struct json *j, const char *key,
    const char *as)
{
	struct slice raw = mesh_raw(j, key);

	if (raw.n == 0)
		return;
	json_key(w, as);
	json_raw(w, raw.p, raw.n);
}

/* The fields of send, of those of the backend's; see mcp_backend. */
static void
mesh_write_send(struct buf *out, struct pool *p, const struct json *j)
{
	const char *text = mcp_mesh_str(p, j, 0, "message");
	uint8_t random[CRYPTO_NONCE_LEN];
	char *b64 = pool_alloc(p, strlen(text) * 4 / 3 + 64);
	char id[2 * ID_LEN + 1];
	struct json_writer w;

	json_start(&w, out);
	mesh_copy(&w, j, "to", "targetSpec");
	if (json_get(j, 0, "priority") == 0) {
		json_key(&w, "priority");
		json_str(&w, table_priorities[PRIORITY_NEXT]);
	}
	mesh_copy(&w, j, "priority", "priority");
	crypto_random_bytes(random, sizeof(random));
	crypto_base64(b64, random, sizeof(random), CRYPTO_B64_STD);
	json_key(&w, "nonce");
	json_str(&w, b64);
	crypto_base64(b64, text, strlen(text), CRYPTO_B64_STD);
	json_key(&w, "ciphertext");
	json_str(&w, b64);
	if (json_get(j, 0, "id") == 0) {
		crypto_hex(id, random, ID_LEN);
		json_key(&w, "client_message_id");
		json_str(&w, id);
	}
	mesh_copy(&w, j, "id", "client_message_id");
	mesh_copy(&w, j, "replyToId", "replyToId");
	mesh_copy(&w, j, "ttl", "ttl");
	mesh_copy(&w, j, "files", "files");
}

static void
mesh_send(struct mcp_http *m, struct mcp_ask *ask, const char *fields)
{
	struct json *j = &m->peer->proto->json;
	struct mesh_wire *wire;
	struct request *r;
	const char *text;
	struct slice to;
	struct buf b;

	wire = mesh_request(m, MESH_SEND, ask, &r);
	text = pool_printf(&r->pool, "{%s}", fields);
	if (json_read(j, text, strlen(text)) != 0) {
		op_refuse(
		    r, ERR_MALFORMED, "The message is too much: %s", j->error);
		return;
	}
	to = mesh_raw(j, "to");
	wire->to = (struct slice){ pool_strndup(&r->pool, to.p, to.n), to.n };
	buf_init(&b, MESH_BUF_MAX);
	mesh_write_send(&b, &r->pool, j);
	if (buf_str(&b) == NULL)
		fatalx("out of memory");
	mesh_run(m, r, "send", b.data);
	buf_free(&b);
}

static void
mesh_backend_call(
    void *arg, struct mcp_ask *ask, const char *op, const char *fields)
{
	struct mcp_http *m = arg;
	struct request *r;

	if (strcmp(op, "send") == 0) {
		mesh_send(m, ask, fields);
		return;
	}
	(void)mesh_request(m, MESH_CALL, ask, &r);
	mesh_run(m, r, op, fields != NULL ? fields : "");
}

static void
mesh_backend_messages(void *arg, struct mcp_ask *ask, size_t limit, bool take)
{
	struct mcp_http *m = arg;
	struct request *r;
	struct mesh_wire *wire = mesh_request(m, MESH_MESSAGES, ask, &r);

	wire->limit = limit;
	mesh_run(m, r, "read_messages",
	    pool_printf(&r->pool, "\"limit\":%zu,\"take\":%s", limit,
		take ? "true" : "false"));
}

static void
mesh_backend_unread(void *arg, struct mcp_ask *ask)
{
	struct mcp_http *m = arg;
	struct request *r;

	(void)mesh_request(m, MESH_UNREAD, ask, &r);
	mesh_run(m, r, "read_messages", "");
}

static bool
mesh_backend_take(void *arg, const char *id)
{
	struct mcp_http *m = arg;

	return mcp_inbox_take(m->inbox, id);
}

static void
mesh_backend_untake(void *arg, const char *id)
{
	struct mcp_http *m = arg;

	mcp_inbox_untake(m->inbox, id);
}

static void
mesh_backend_ack(void *arg, const char *id)
{
	struct mcp_http *m = arg;
	struct request *r;

	(void)mesh_request(m, MESH_ACK, NULL, &r);
	mesh_run(m, r, "client_ack",
	    pool_printf(&r->pool, "\"brokerMessageId\":\"%s\"", id));
}

static void
mesh_backend_forget(void *arg, struct mcp_ask *ask)
{
	struct mcp_http *m = arg;
	struct mesh_wire *wire;
	struct request *r;

	mcp_file_forget(m, ask);
	TAILQ_FOREACH (r, &m->peer->client.requests, entry) {
		wire = r->wire;
		if (wire->ask == ask)
			wire->ask = NULL;
	}
}

const struct mcp_backend mcp_mesh_backend = {
	.call = mesh_backend_call,
	.messages = mesh_backend_messages,
	.unread = mesh_backend_unread,
	.take = mesh_backend_take,
	.untake = mesh_backend_untake,
	.ack = mesh_backend_ack,
	.share = mcp_file_share_http,
	.fetch = mcp_file_fetch_http,
	.subscribe = mesh_backend_subscribe,
	.forget = mesh_backend_forget,
};

/*
 * News.
 */
void
mcp_mesh_news(struct client *c, const struct state_change *s)
{
	struct mcp_http *m = mesh_http(c);
	char at[CLOCK_RFC3339_LEN + 1];
	struct mcp_change change;
	struct pool p;

	if (m->is_answered)
		return;
	if (s == NULL) {
		mcp_waiting(m->mcp);
		return;
	}
	pool_init(&p);
	clock_format(s->updated_ms, at);
	change = (struct mcp_change){
		.key = pool_strndup(&p, s->key.p, s->key.n),
		.value = s->value.p != NULL
			     ? pool_strndup(&p, s->value.p, s->value.n)
			     : NULL,
		.by = pool_strndup(&p, s->by_name.p, s->by_name.n),
		.at = at,
		.version = s->version,
	};
	mcp_changed(m->mcp, &change);
	pool_free(&p);
}
