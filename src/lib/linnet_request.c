/* SPDX-License-Identifier: ISC */
/*
 * Requests, until they are answered.
 *
 * A request is written down whole, with its _reqId; so one that may be
 * repeated goes out again over the next connection exactly as it was, and a
 * send that was stored the first time is recognised by its id.  They stay in
 * the order in which they were asked, which is that of their answers.  An
 * answer that fits no request is for one whose time was over: dropped.
 */
#include "lib/lib.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNKNOWN_OUTCOME "It is not known whether the request was carried out."

static void
request_end(struct linnet *l, struct linnet_requests *from,
    struct linnet_pending *q, const struct linnet_reply *reply)
{
	TAILQ_REMOVE(from, q, entry);
	l->npending--;
	l->pending_bytes -= q->n;
	if (q->fn != NULL)
		q->fn(q->arg, l, reply);
	free(q);
}

static void
request_fail(struct linnet *l, struct linnet_requests *from,
    struct linnet_pending *q, const char *code, const char *text,
    const char *more)
{
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
linnet_request_room(struct linnet *l, size_t n)
{
	if (l->step == LINNET_STEP_NONE && l->lost.code[0] != '\0') {
		l->error = l->lost;
		return -1;
	}
	if (l->npending < l->config.max_queue &&
	    l->pending_bytes + n <= l->config.max_queue_bytes)
		return 0;
	linnet_error_set(&l->error, "queue_full",
	    "%zu requests of %zu bytes wait for an answer; wait for some of "
	    "them.",
	    l->npending, l->pending_bytes);
	return -1;
}

static struct linnet_pending *
request_new(struct linnet *l, const struct buf *b, unsigned flags, int ms,
    linnet_reply_fn *fn, void *arg)
{
	struct linnet_pending *q = xcalloc(1, sizeof(*q) + b->len);

	q->id = l->next_id;
	q->deadline = ms > 0 ? linnet_now() + ms : INT64_MAX;
	q->flags = flags;
	q->fn = fn;
	q->arg = arg;
	q->n = b->len;
	memcpy(q->text, b->data, b->len);
	return q;
}

int
linnet_request_within(struct linnet *l, const char *type, const char *fields,
    unsigned flags, int ms, linnet_reply_fn *fn, void *arg)
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
	if (!request_is_object(&b, &l->error) ||
	    (!(flags & LINNET_MADE_ROOM) &&
		linnet_request_room(l, b.len) != 0)) {
		buf_free(&b);
		return -1;
	}
	q = request_new(l, &b, flags, ms, fn, arg);
	buf_free(&b);
	TAILQ_INSERT_TAIL(&l->requests, q, entry);
	l->npending++;
	l->pending_bytes += q->n;
	if (q->deadline < l->pending_until)
		l->pending_until = q->deadline;
	if (l->step == LINNET_STEP_OPEN)
		request_put(l, q);
	return 0;
}

int
linnet_request(struct linnet *l, const char *type, const char *fields,
    unsigned flags, linnet_reply_fn *fn, void *arg)
{
	return linnet_request_within(
	    l, type, fields, flags, l->config.request_ms, fn, arg);
}

size_t
linnet_pending(const struct linnet *l)
{
	return l->npending;
}

void
linnet_request_flush(struct linnet *l)
{
	struct linnet_pending *q;

	TAILQ_FOREACH (q, &l->requests, entry)
		if (!q->sent)
			request_put(l, q);
}

int64_t
linnet_request_deadline(const struct linnet *l)
{
	return l->pending_until;
}

/* Takes those that `over` accepts out of the list, so that callbacks may ask
 * again meanwhile. */
static void
request_take(struct linnet *l, struct linnet_requests *taken,
    bool (*over)(const struct linnet_pending *q, int64_t now))
{
	int64_t now = linnet_now();
	struct linnet_pending *q, *next;

	TAILQ_INIT(taken);
	l->pending_until = INT64_MAX;
	for (q = TAILQ_FIRST(&l->requests); q != NULL; q = next) {
		next = TAILQ_NEXT(q, entry);
		if (over(q, now)) {
			TAILQ_REMOVE(&l->requests, q, entry);
			TAILQ_INSERT_TAIL(taken, q, entry);
		} else if (q->deadline < l->pending_until)
			l->pending_until = q->deadline;
	}
}

static bool
request_is_late(const struct linnet_pending *q, int64_t now)
{
	return q->deadline <= now;
}

static bool
request_is_lost(const struct linnet_pending *q, int64_t now)
{
	(void)now;
	return q->sent && !(q->flags & LINNET_REPEAT);
}

static bool
request_is_any(const struct linnet_pending *q, int64_t now)
{
	(void)q;
	(void)now;
	return true;
}

void
linnet_request_expire(struct linnet *l)
{
	struct linnet_requests over;

	if (linnet_now() < l->pending_until)
		return;
	request_take(l, &over, request_is_late);
	while (!TAILQ_EMPTY(&over))
		request_fail(l, &over, TAILQ_FIRST(&over), "timeout",
		    l->step == LINNET_STEP_OPEN
			? "The broker does not answer in time."
			: "There was no connection to the broker in time.",
		    UNKNOWN_OUTCOME);
}

void
linnet_request_lost(struct linnet *l, const struct linnet_error *why, bool all)
{
	struct linnet_requests over;
	struct linnet_pending *q;

	request_take(l, &over, all ? request_is_any : request_is_lost);
	while (!TAILQ_EMPTY(&over))
		request_fail(l, &over, TAILQ_FIRST(&over), why->code,
		    why->message, UNKNOWN_OUTCOME);
	/* The others go out again. */
	TAILQ_FOREACH (q, &l->requests, entry)
		q->sent = false;
}

void
linnet_request_too_big(struct linnet *l, const struct linnet_error *why)
{
	struct linnet_pending *q, *largest = NULL;

	TAILQ_FOREACH (q, &l->requests, entry)
		if (q->sent && (largest == NULL || q->n > largest->n))
			largest = q;
	if (largest != NULL)
		request_fail(
		    l, &l->requests, largest, why->code, why->message, "");
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

/* Whom or what may have been meant, as far as there is room. */
static void
request_candidates(
    struct linnet_error *e, struct pool *p, const struct json *j, size_t at)
{
	const struct json_node *node;
	size_t i, n = strlen(e->message);
	char *name;

	for (i = JSON_FIRST(at); i < j->nodes[at].end; i = j->nodes[i].end) {
		node = &j->nodes[i];
		if (node->type != JSON_STRING)
			break;
		name = pool_alloc(p, (size_t)node->n + 1);
		name[json_unescape(node, name)] = '\0';
		if (n + strlen(name) + sizeof(" Candidates: .") >
		    sizeof(e->message))
			break;
		n += (size_t)snprintf(e->message + n, sizeof(e->message) - n,
		    "%s%s", i == JSON_FIRST(at) ? " Candidates: " : ", ", name);
	}
	if (i != JSON_FIRST(at))
		(void)str_copy(e->message + n, ".", sizeof(e->message) - n);
}

static void
request_failed(struct linnet *l, struct linnet_error *e)
{
	size_t at = json_get(&l->json, 0, "candidates");
	struct pool p;

	pool_init(&p);
	linnet_error_set(e, linnet_json_str(&p, &l->json, 0, "code"), "%s",
	    linnet_json_str(&p, &l->json, 0, "message"));
	/* Of a name that nobody has the message says what is near. */
	if (at != 0 && l->json.nodes[at].type == JSON_ARRAY &&
	    strcmp(e->code, "unknown_target") != 0)
		request_candidates(e, &p, &l->json, at);
	pool_free(&p);
}

void
linnet_request_answered(
    struct linnet *l, bool is_error, const char *text, size_t n)
{
	int64_t id = linnet_json_int(&l->json, 0, "_reqId");
	struct linnet_reply reply = { .text = text, .n = n };
	struct linnet_pending *q;
	struct linnet_error e;

	TAILQ_FOREACH (q, &l->requests, entry)
		if (q->id == id && q->sent)
			break;
	if (q == NULL)
		return;
	if (is_error) {
		request_failed(l, &e);
		reply.error = &e;
	}
	request_end(l, &l->requests, q, &reply);
}

static void
request_texts(struct json_writer *w, const char *const *texts)
{
	json_array(w);
	for (; *texts != NULL; texts++)
		json_str(w, *texts);
	json_array_end(w);
}

/* One member, whose value is the next argument. */
static void
request_field(struct json_writer *w, const char *name, char kind, va_list *ap)
{
	const void *p = NULL;
	int64_t number = 0;

	if (kind == 'i')
		number = va_arg(*ap, int64_t);
	else if (kind == 'b')
		number = va_arg(*ap, int);
	else if ((p = va_arg(*ap, const void *)) == NULL)
		return;
	json_key(w, name);
	switch (kind) {
	case 's':
		json_str(w, p);
		break;
	case 'j':
		json_raw(w, p, strlen(p));
		break;
	case 'a':
		request_texts(w, p);
		break;
	case 'b':
		json_bool(w, number != 0);
		break;
	default:
		json_num(w, number);
	}
}

void
linnet_request_fields(struct buf *out, const char *names, va_list ap)
{
	struct json_writer w;
	char name[64];
	va_list rest;
	size_t n;

	va_copy(rest, ap);
	json_start(&w, out);
	while (*names != '\0') {
		n = strcspn(names, ":");
		if (n >= sizeof(name) || names[n] == '\0' ||
		    names[n + 1] == '\0' ||
		    strchr("sjaib", names[n + 1]) == NULL)
			fatalx("linnet_fields: \"%s\" is no name:kind", names);
		memcpy(name, names, n);
		name[n] = '\0';
		request_field(&w, name, names[n + 1], &rest);
		names += n + 2;
		names += strspn(names, " ");
	}
	va_end(rest);
	if (buf_str(out) == NULL)
		fatalx("out of memory");
}

char *
linnet_fields(const char *names, ...)
{
	struct buf b;
	va_list ap;

	buf_init(&b, SIZE_MAX / 2);
	va_start(ap, names);
	linnet_request_fields(&b, names, ap);
	va_end(ap);
	return b.data;
}
