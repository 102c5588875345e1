/* SPDX-License-Identifier: ISC */
/*
 * Requests, their answers, and what else the broker sends.
 *
 * A request is written down whole, with its _reqId, until it is answered; so
 * one that may be repeated goes out again over the next connection exactly as
 * it was, and a send that was stored the first time is recognised by its id.
 * An answer that fits no request is for one whose time was over: dropped.
 */
#include "lib/lib.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define UNKNOWN_OUTCOME "It is not known whether the request was carried out."

static void
request_end(struct linnet *l, struct linnet_requests *from,
    struct linnet_pending *q, const struct linnet_reply *reply)
{
	TAILQ_REMOVE(from, q, entry);
	q->fn(q->arg, l, reply);
	free(q);
}

static void
request_fail(struct linnet *l, struct linnet_requests *from, const char *code,
    const char *text, const char *more)
{
	struct linnet_pending *q = TAILQ_FIRST(from);
	struct linnet_error e;
	struct linnet_reply reply = { .error = &e };

	if (!q->sent)
		more = "";
	linnet_error_set(
	    &e, code, "%s%s%s", text, more[0] != '\0' ? " " : "", more);
	request_end(l, from, q, &reply);
}

static void
request_put(struct linnet *l, struct linnet_pending *q)
{
	q->sent = true;
	linnet_ws_send(&l->ws, q->text, q->n);
}

/* Is it one JSON object? */
static bool
request_is_object(const struct buf *b, struct linnet_error *e)
{
	struct json j;
	bool good;

	json_init(&j, LINNET_JSON_NODES, LINNET_JSON_DEPTH);
	good = json_read(&j, b->data, b->len) == 0 &&
	       j.nodes[0].type == JSON_OBJECT;
	if (!good)
		linnet_error_set(e, "bad_argument",
		    "The fields of the request are no members of a JSON "
		    "object.");
	json_free(&j);
	return good;
}

int
linnet_request(struct linnet *l, const char *type, const char *fields,
    unsigned flags, linnet_reply_fn *fn, void *arg)
{
	struct linnet_pending *q;
	struct json_writer w;
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_object(&w);
	json_key(&w, "type");
	json_str(&w, type);
	json_key(&w, "_reqId");
	json_num(&w, ++l->next_id);
	if (fields != NULL && fields[0] != '\0')
		buf_addf(&b, ",%s", fields);
	json_object_end(&w);
	if (b.failed)
		fatalx("out of memory");
	if (!request_is_object(&b, &l->error)) {
		buf_free(&b);
		return -1;
	}
	q = xcalloc(1, sizeof(*q) + b.len);
	q->id = l->next_id;
	q->deadline = linnet_now() + l->config.request_ms;
	q->flags = flags;
	q->fn = fn;
	q->arg = arg;
	q->n = b.len;
	memcpy(q->text, b.data, b.len);
	buf_free(&b);
	TAILQ_INSERT_TAIL(&l->requests, q, entry);
	if (l->phase == LINNET_OPEN)
		request_put(l, q);
	return 0;
}

void
linnet_request_flush(struct linnet *l)
{
	struct linnet_pending *q;

	TAILQ_FOREACH (q, &l->requests, entry)
		request_put(l, q);
}

int64_t
linnet_request_deadline(const struct linnet *l)
{
	const struct linnet_pending *q = TAILQ_FIRST(&l->requests);

	/* All have the same time, so the first is the earliest. */
	return q != NULL ? q->deadline : INT64_MAX;
}

void
linnet_request_expire(struct linnet *l)
{
	int64_t now = linnet_now();

	while (linnet_request_deadline(l) <= now)
		request_fail(l, &l->requests, "timeout",
		    "The broker does not answer in time.", UNKNOWN_OUTCOME);
}

void
linnet_request_lost(struct linnet *l, const struct linnet_error *why, bool all)
{
	struct linnet_requests over = TAILQ_HEAD_INITIALIZER(over);
	struct linnet_pending *q, *next;

	for (q = TAILQ_FIRST(&l->requests); q != NULL; q = next) {
		next = TAILQ_NEXT(q, entry);
		if (!all && (q->flags & LINNET_REPEAT))
			continue;
		TAILQ_REMOVE(&l->requests, q, entry);
		TAILQ_INSERT_TAIL(&over, q, entry);
	}
	while (!TAILQ_EMPTY(&over))
		request_fail(l, &over, why->code, why->message,
		    strcmp(why->code, "closed") == 0 ? UNKNOWN_OUTCOME : "");
}

void
linnet_request_forget(struct linnet *l)
{
	struct linnet_pending *q;

	while ((q = TAILQ_FIRST(&l->requests)) != NULL) {
		TAILQ_REMOVE(&l->requests, q, entry);
		free(q);
	}
}

/* An answer to a request of ours. */
static void
request_answered(struct linnet *l, bool is_error, const char *text, size_t n)
{
	int64_t id = linnet_json_int(&l->json, 0, "_reqId");
	struct linnet_reply reply = { .text = text, .n = n };
	struct linnet_pending *q;
	struct linnet_error e;
	struct pool p;

	TAILQ_FOREACH (q, &l->requests, entry)
		if (q->id == id && q->sent)
			break;
	if (q == NULL)
		return;
	if (is_error) {
		pool_init(&p);
		linnet_error_set(&e, linnet_json_str(&p, &l->json, 0, "code"),
		    "%s", linnet_json_str(&p, &l->json, 0, "message"));
		pool_free(&p);
		reply.error = &e;
	}
	request_end(l, &l->requests, q, &reply);
}

static void
receive_push(struct linnet *l)
{
	struct linnet_message m;
	struct pool p;

	pool_init(&p);
	if (linnet_message_read(&m, &p, &l->json, l->secret) == 0 &&
	    l->config.callbacks.message != NULL)
		l->config.callbacks.message(l->config.arg, l, &m);
	pool_free(&p);
}

static void
receive_state(struct linnet *l)
{
	const struct json *j = &l->json;
	size_t at = json_get(j, 0, "value");
	const struct json_node *v = &j->nodes[at];
	struct linnet_state_change s;
	size_t quotes;
	struct pool p;

	if (l->config.callbacks.state == NULL || at == 0)
		return;
	pool_init(&p);
	quotes = v->type == JSON_STRING;
	s.key = linnet_json_str(&p, j, 0, "key");
	s.value = pool_strndup(&p, v->p - quotes, v->n + 2 * quotes);
	s.updated_by = linnet_json_str(&p, j, 0, "updatedBy");
	s.updated_at = linnet_json_str(&p, j, 0, "updatedAt");
	s.version = linnet_json_int(j, 0, "version");
	l->config.callbacks.state(l->config.arg, l, &s);
	pool_free(&p);
}

static void
receive_greeting(
    struct linnet *l, const struct json_node *type, const char *text, size_t n)
{
	const char *code, *message;
	struct pool p;

	if (json_is(type, "hello_ack")) {
		linnet_opened(l, text, n);
		return;
	}
	if (!json_is(type, "error"))
		return;
	pool_init(&p);
	code = linnet_json_str(&p, &l->json, 0, "code");
	message = linnet_json_str(&p, &l->json, 0, "message");
	linnet_refuse(l, code[0] != '\0' ? code : "protocol", "%s", message);
	pool_free(&p);
}

void
linnet_receive(struct linnet *l, const char *text, size_t n)
{
	const struct json_node *type;
	size_t at;
	bool is_error;

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
	if (l->phase == LINNET_GREETING) {
		receive_greeting(l, type, text, n);
		return;
	}
	is_error = json_is(type, "error");
	if (json_get(&l->json, 0, "_reqId") != 0)
		request_answered(l, is_error, text, n);
	else if (json_is(type, "push"))
		receive_push(l);
	else if (json_is(type, "state_change"))
		receive_state(l);
	/* Later brokers may say more; it is not for us. */
}

void
linnet_answered(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct linnet_answer *a = arg;

	a->done = true;
	a->has_text = reply->text != NULL;
	if ((a->failed = reply->error != NULL))
		a->error = *reply->error;
	buf_clear(&l->reply);
	if (reply->text != NULL)
		buf_add(&l->reply, reply->text, reply->n);
	if (buf_str(&l->reply) == NULL)
		fatalx("out of memory");
}

/* Connects again for the sake of the requests that wait. */
static void
answer_reconnect(struct linnet *l)
{
	int64_t left = linnet_request_deadline(l) - linnet_now();
	struct linnet_error why = l->lost;
	int delay = linnet_retry_delay(l);

	if (delay < 0) {
		linnet_request_lost(l, &why, true);
		return;
	}
	if (left < 0)
		left = 0;
	(void)poll(NULL, 0, delay < left ? delay : (int)left);
	linnet_request_expire(l);
	if (!TAILQ_EMPTY(&l->requests))
		(void)linnet_connect(l);
}

int
linnet_answer_wait(
    struct linnet *l, struct linnet_answer *a, struct linnet_reply *reply)
{
	while (!a->done) {
		if (l->phase == LINNET_IDLE)
			answer_reconnect(l);
		else
			(void)linnet_wait(l, -1);
	}
	*reply = (struct linnet_reply){ 0 };
	if (a->has_text) {
		reply->text = l->reply.data;
		reply->n = l->reply.len;
	}
	if (!a->failed)
		return 0;
	l->error = a->error;
	reply->error = &l->error;
	return -1;
}

int
linnet_call(struct linnet *l, const char *type, const char *fields,
    unsigned flags, struct linnet_reply *reply)
{
	struct linnet_answer a = { 0 };

	*reply = (struct linnet_reply){ .error = &l->error };
	if (l->running) {
		linnet_error_set(
		    &l->error, "busy", "A callback cannot wait for an answer.");
		return -1;
	}
	if (linnet_request(l, type, fields, flags, linnet_answered, &a) != 0)
		return -1;
	return linnet_answer_wait(l, &a, reply);
}

void
linnet_ack(struct linnet *l, const char *message_id)
{
	struct json_writer w;
	struct buf b;

	if (l->phase != LINNET_OPEN)
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
