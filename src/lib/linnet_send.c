/* SPDX-License-Identifier: ISC */
/*
 * send: a name is looked up first, then the message is sealed, once, and asked
 * for as a request that may be repeated.
 */
#include "lib/lib.h"

#include <stdlib.h>
#include <string.h>

/* A message whose recipient is being looked up. */
struct sending {
	struct linnet_outgoing message;
	linnet_reply_fn *fn;
	void *arg;
	struct pool pool;
};

static void
sending_free(struct sending *s)
{
	pool_free(&s->pool);
	free(s);
}

static int
send_to(struct linnet *l, const char *target, const struct linnet_outgoing *m,
    linnet_reply_fn *fn, void *arg)
{
	struct buf b;
	int r = -1;

	buf_init(&b, SIZE_MAX / 2);
	if (linnet_message_seal(&b, l, target, m, &l->error) == 0) {
		if (buf_str(&b) == NULL)
			fatalx("out of memory");
		r = linnet_request(l, "send", b.data, LINNET_REPEAT, fn, arg);
	}
	buf_free(&b);
	return r;
}

static void
send_resolved(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct sending *s = arg;
	struct linnet_reply failed = *reply;
	struct linnet_error e;
	char key[LINNET_KEY_SIZE];

	if (reply->error == NULL) {
		failed = (struct linnet_reply){ .error = &e };
		if (linnet_target_find(
			key, reply->text, reply->n, s->message.to, &e) == 0) {
			if (send_to(l, key, &s->message, s->fn, s->arg) == 0) {
				sending_free(s);
				return;
			}
			e = l->error;
		}
	}
	s->fn(s->arg, l, &failed);
	sending_free(s);
}

/* NULL, or what is wrong. */
static const char *
send_problem(const struct linnet_outgoing *m)
{
	static const char *const priorities[] = { "now", "next", "low" };
	size_t i;

	if (m->to == NULL || m->to[0] == '\0')
		return "There is no recipient.";
	if (!str_utf8(m->to, strlen(m->to)))
		return "The recipient is not UTF-8.";
	if (m->length > 0 && !str_utf8(m->text, m->length))
		return "The text is not UTF-8.";
	if (m->id != NULL &&
	    (m->id[0] == '\0' || strlen(m->id) > LINNET_ID_MAX ||
		!str_utf8(m->id, strlen(m->id))))
		return "The id of a message has 1 to 128 bytes of UTF-8.";
	if (m->priority == NULL)
		return NULL;
	for (i = 0; i < NELEM(priorities); i++)
		if (strcmp(priorities[i], m->priority) == 0)
			return NULL;
	return "The priority is one of now, next, low.";
}

int
linnet_send(struct linnet *l, const struct linnet_outgoing *m,
    linnet_reply_fn *fn, void *arg)
{
	const char *problem = send_problem(m);
	char key[LINNET_KEY_SIZE];
	struct sending *s;
	size_t i;

	if (problem != NULL) {
		linnet_error_set(&l->error, "bad_argument", "%s", problem);
		return -1;
	}
	if (linnet_target_is_many(m->to))
		return send_to(l, m->to, m, fn, arg);
	if (linnet_target_is_key(m->to)) {
		for (i = 0; i < sizeof(key); i++)
			key[i] = (char)(m->to[i] >= 'A' && m->to[i] <= 'F'
					    ? m->to[i] + 'a' - 'A'
					    : m->to[i]);
		return send_to(l, key, m, fn, arg);
	}
	s = xcalloc(1, sizeof(*s));
	pool_init(&s->pool);
	s->message = *m;
	s->message.to = pool_strndup(&s->pool, m->to, strlen(m->to));
	s->message.text = pool_strndup(&s->pool, m->text, m->length);
	if (m->priority != NULL)
		s->message.priority =
		    pool_strndup(&s->pool, m->priority, strlen(m->priority));
	if (m->id != NULL)
		s->message.id = pool_strndup(&s->pool, m->id, strlen(m->id));
	s->fn = fn;
	s->arg = arg;
	return linnet_request(
	    l, "list_peers", "\"all\":true", LINNET_REPEAT, send_resolved, s);
}

int
linnet_send_wait(struct linnet *l, const struct linnet_outgoing *m,
    struct linnet_reply *reply)
{
	struct linnet_answer a = { 0 };

	*reply = (struct linnet_reply){ .error = &l->error };
	if (l->running) {
		linnet_error_set(
		    &l->error, "busy", "A callback cannot wait for an answer.");
		return -1;
	}
	if (linnet_send(l, m, linnet_answered, &a) != 0)
		return -1;
	return linnet_answer_wait(l, &a, reply);
}
