/* SPDX-License-Identifier: ISC */
/*
 * What the broker sends: the answer to hello, answers, and pushes, each to the
 * one who waits for it.
 */
#include "lib/lib.h"

#include <string.h>

static void
receive_ack(struct linnet *l, const char *message_id)
{
	struct json_writer w;
	struct buf b;

	if (l->step != LINNET_STEP_OPEN)
		return;
	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_object(&w);
	json_key(&w, "type");
	json_str(&w, "client_ack");
	json_key(&w, "brokerMessageId");
	json_str(&w, message_id);
	json_object_end(&w);
	linnet_ws_send(&l->ws, b.data, b.len);
	buf_free(&b);
}

void
linnet_ack(struct linnet *l, const char *message_id)
{
	struct linnet_seen_id *seen = linnet_seen_find(&l->seen, message_id);

	if (seen != NULL)
		seen->acked = true;
	receive_ack(l, message_id);
}

static void
receive_message(struct linnet *l, const char *text, size_t n)
{
	const struct linnet_callbacks *to = &l->config.callbacks;
	struct linnet_seen_id *seen;
	struct linnet_message m;
	struct pool p;

	pool_init(&p);
	if (to->message == NULL ||
	    linnet_message_read(&m, &p, &l->json, &l->id) != 0)
		goto fail;
	seen = linnet_seen_find(&l->seen, m.id);
	m.again = seen != NULL;
	if (seen != NULL && !l->config.repeats) {
		/* One that is not acked yet is still with the program. */
		if (seen->acked)
			receive_ack(l, m.id);
		goto fail;
	}
	if (seen == NULL)
		linnet_seen_add(&l->seen, m.id);
	m.json = text;
	m.json_length = n;
	to->message(l->config.arg, l, &m);
	if (l->config.auto_ack)
		linnet_ack(l, m.id);
fail:
	pool_free(&p);
}

static void
receive_peer(struct linnet *l, const char *text, size_t n)
{
	static const char prefix[] = "peer_";
	const struct json *j = &l->json;
	size_t at = json_get(j, 0, "eventData");
	struct linnet_peer peer = { .json = text, .json_length = n };
	struct pool p;

	pool_init(&p);
	peer.event = linnet_json_str(&p, j, 0, "event");
	if (!str_starts(peer.event, prefix) || at == 0) {
		if (l->config.callbacks.other != NULL)
			l->config.callbacks.other(
			    l->config.arg, l, "push", text, n);
		goto fail;
	}
	linnet_names_forget(&l->names);
	peer.event += sizeof(prefix) - 1;
	peer.name = linnet_json_str(&p, j, at, "displayName");
	peer.key = linnet_json_str(&p, j, at, "pubkey");
	peer.member_key = linnet_json_str(&p, j, at, "memberPubkey");
	peer.last_seen_at = linnet_json_str(&p, j, at, "lastSeenAt");
	peer.summary = linnet_json_str(&p, j, at, "summary");
	if (l->config.callbacks.peer != NULL)
		l->config.callbacks.peer(l->config.arg, l, &peer);
fail:
	pool_free(&p);
}

static void
receive_push(struct linnet *l, const char *text, size_t n)
{
	size_t at = json_get(&l->json, 0, "subtype");

	/* What the server tells of peers is no message from one. */
	if (at != 0 && l->json.nodes[at].type == JSON_STRING &&
	    json_is(&l->json.nodes[at], "system"))
		receive_peer(l, text, n);
	else
		receive_message(l, text, n);
}

void
linnet_receive_state(struct linnet *l, size_t i)
{
	const struct json *j = &l->json;
	size_t at = json_get(j, i, "value");
	const struct json_node *v = &j->nodes[at];
	struct linnet_state_change s = { 0 };
	size_t quotes;
	struct pool p;

	if (l->config.callbacks.state == NULL)
		return;
	pool_init(&p);
	if (at != 0 && !linnet_json_bool(j, i, "deleted")) {
		quotes = v->type == JSON_STRING;
		s.value = pool_strndup(&p, v->p - quotes, v->n + 2 * quotes);
	}
	s.key = linnet_json_str(&p, j, i, "key");
	s.updated_by = linnet_json_str(&p, j, i, "updatedBy");
	s.updated_at = linnet_json_str(&p, j, i, "updatedAt");
	s.version = linnet_json_int(j, i, "version");
	l->config.callbacks.state(l->config.arg, l, &s);
	pool_free(&p);
}

/* A refused hello, with what there is to do about it. */
static void
receive_refusal(struct linnet *l)
{
	char now[CLOCK_RFC3339_LEN + 1];
	const char *code, *message;
	struct pool p;

	pool_init(&p);
	code = linnet_json_str(&p, &l->json, 0, "code");
	message = linnet_json_str(&p, &l->json, 0, "message");
	clock_format(linnet_wall(), now);
	if (strcmp(code, "unknown_message_type") == 0 && l->attested &&
	    l->id.member)
		linnet_greet_plainly(l);
	else if (strcmp(code, "unknown_message_type") == 0 && l->attested)
		linnet_refuse(l, "unsupported",
		    "The broker does not know sessions that connect with an "
		    "attestation; use a newer one, or the member's secret "
		    "key.");
	else if (strcmp(code, "timestamp_skew") == 0)
		linnet_refuse(l, code, "%s Here it is %s.", message, now);
	else
		linnet_refuse(
		    l, code[0] != '\0' ? code : "protocol", "%s", message);
	l->retry_after_ms =
	    (int)(linnet_json_int(&l->json, 0, "retryAfterMs") & INT32_MAX);
	pool_free(&p);
}

static void
receive_greeting(
    struct linnet *l, const struct json_node *type, const char *text, size_t n)
{
	if (json_is(type, "hello_ack"))
		linnet_opened(l, text, n);
	else if (json_is(type, "error"))
		receive_refusal(l);
}

static void
receive_other(struct linnet *l, const char *text, size_t n)
{
	struct pool p;

	if (l->config.callbacks.other == NULL)
		return;
	pool_init(&p);
	l->config.callbacks.other(l->config.arg, l,
	    linnet_json_str(&p, &l->json, 0, "type"), text, n);
	pool_free(&p);
}

void
linnet_receive(struct linnet *l, const char *text, size_t n)
{
	const struct json_node *type;
	size_t at;

	/* After a refusal, and after our own goodbye, nothing counts. */
	if (l->ending.code[0] != '\0')
		return;
	if (json_read(&l->json, text, n) != 0 ||
	    (at = json_get(&l->json, 0, "type")) == 0 ||
	    l->json.nodes[at].type != JSON_STRING) {
		linnet_refuse(l, "protocol",
		    "The broker sent what is no message of the mesh "
		    "protocol.");
		return;
	}
	type = &l->json.nodes[at];
	if (l->step == LINNET_STEP_HELLO)
		receive_greeting(l, type, text, n);
	else if (json_get(&l->json, 0, "_reqId") != 0)
		linnet_request_answered(l, json_is(type, "error"), text, n);
	else if (json_is(type, "push"))
		receive_push(l, text, n);
	else if (json_is(type, "state_change"))
		linnet_receive_state(l, 0);
	else if (!linnet_follow_receive(l, type, text, n) &&
		 !linnet_permission_receive(l, type, text, n))
		receive_other(l, text, n);
}
