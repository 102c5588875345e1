/* SPDX-License-Identifier: ISC */
/*
 * send: names are looked up first, then the message is sealed, once, and asked
 * for as a request that may be repeated.
 *
 * Messages go out in the order of the calls: while the names of one are being
 * looked up, all later ones wait behind it.  Without a connection names are
 * not looked up at all, since who is there by then may be another session.
 */
#include "lib/lib.h"

#include <stdlib.h>
#include <string.h>

/* A message whose recipients may have to be looked up. */
struct linnet_sending {
	TAILQ_ENTRY(linnet_sending) entry;
	struct linnet_outgoing message; /* copied */
	const char **targets;
	char (*keys)[LINNET_KEY_SIZE]; /* of each; "": unknown, or many */
	size_t n;
	int ms;
	linnet_reply_fn *fn;
	void *arg;
	bool failed;
	struct linnet_error error;
	struct pool pool;
};

/* One call that became several messages. */
struct send_part {
	struct linnet_parts *of;
	const char *to; /* JSON */
	char *answer;	/* JSON, or NULL */
	size_t n;
	struct linnet_error error;
};

struct linnet_parts {
	TAILQ_ENTRY(linnet_parts) entry;
	size_t n;
	size_t left;
	struct send_part *parts;
	linnet_reply_fn *fn;
	void *arg;
	struct pool pool;
};

static void
sending_free(struct linnet_sending *s)
{
	pool_free(&s->pool);
	free(s);
}

static void
parts_free(struct linnet *l, struct linnet_parts *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		free(p->parts[i].answer);
	TAILQ_REMOVE(&l->partses, p, entry);
	pool_free(&p->pool);
	free(p);
}

void
linnet_send_forget(struct linnet *l)
{
	struct linnet_sending *s;

	while ((s = TAILQ_FIRST(&l->sendings)) != NULL) {
		TAILQ_REMOVE(&l->sendings, s, entry);
		sending_free(s);
	}
	while (!TAILQ_EMPTY(&l->partses))
		parts_free(l, TAILQ_FIRST(&l->partses));
}

static const char *
send_target_problem(const char *to)
{
	if (to[0] == '\0')
		return "There is no recipient.";
	return str_utf8(to, strlen(to)) ? NULL : "The recipient is not UTF-8.";
}

/* NULL, or what is wrong. */
static const char *
send_problem(const struct linnet_outgoing *m)
{
	static const char *const priorities[] = { "now", "next", "low" };
	const char *problem = send_target_problem(m->to != NULL ? m->to : "");
	size_t i;

	for (i = 0; problem == NULL && m->also != NULL && m->also[i] != NULL;
	     i++) {
		problem = send_target_problem(m->also[i]);
		if (problem == NULL &&
		    (m->to[0] == '#' || m->also[i][0] == '#'))
			problem = "A channel is the only target of what is "
				  "sent to it.";
	}
	if (problem != NULL)
		return problem;
	if (m->length > 0 && !str_utf8(m->text, m->length))
		return "The text is not UTF-8.";
	if (m->id != NULL &&
	    (m->id[0] == '\0' || strlen(m->id) > LINNET_ID_MAX ||
		!str_utf8(m->id, strlen(m->id))))
		return "The id of a message has 1 to 100 bytes of UTF-8.";
	if (m->reply_to != NULL && !str_utf8(m->reply_to, strlen(m->reply_to)))
		return "The id of the message to answer is not UTF-8.";
	for (i = 0; m->files != NULL && m->files[i] != NULL; i++)
		if (!str_utf8(m->files[i], strlen(m->files[i])))
			return "The id of a file is not UTF-8.";
	if (m->ttl_ms < 0)
		return "The time to live is negative.";
	if (m->priority == NULL)
		return NULL;
	for (i = 0; i < NELEM(priorities); i++)
		if (strcmp(priorities[i], m->priority) == 0)
			return NULL;
	return "The priority is one of now, next, low.";
}

static const char *
send_copy(struct pool *p, const char *s)
{
	return s != NULL ? pool_strndup(p, s, strlen(s)) : NULL;
}

static const char *const *
send_copy_all(struct pool *p, const char *const *v)
{
	const char **copy;
	size_t n = 0, i;

	if (v == NULL || v[0] == NULL)
		return NULL;
	while (v[n] != NULL)
		n++;
	copy = pool_zalloc(p, (n + 1) * sizeof(*copy));
	for (i = 0; i < n; i++)
		copy[i] = send_copy(p, v[i]);
	return copy;
}

static struct linnet_sending *
sending_new(
    const struct linnet_outgoing *m, int ms, linnet_reply_fn *fn, void *arg)
{
	struct linnet_sending *s = xcalloc(1, sizeof(*s));
	uint8_t random[ID_LEN];
	char id[2 * ID_LEN + 1];
	size_t n = 1, i;

	pool_init(&s->pool);
	while (m->also != NULL && m->also[n - 1] != NULL)
		n++;
	s->n = n;
	s->targets = pool_alloc(&s->pool, n * sizeof(*s->targets));
	s->keys = pool_zalloc(&s->pool, n * sizeof(*s->keys));
	for (i = 0; i < n; i++)
		s->targets[i] =
		    send_copy(&s->pool, i == 0 ? m->to : m->also[i - 1]);
	s->message = *m;
	s->message.text =
	    pool_strndup(&s->pool, m->length > 0 ? m->text : "", m->length);
	s->message.priority = send_copy(&s->pool, m->priority);
	s->message.reply_to = send_copy(&s->pool, m->reply_to);
	s->message.files = send_copy_all(&s->pool, m->files);
	crypto_random_bytes(random, sizeof(random));
	crypto_hex(id, random, sizeof(random));
	s->message.id = send_copy(&s->pool, m->id != NULL ? m->id : id);
	s->ms = ms;
	s->fn = fn;
	s->arg = arg;
	return s;
}

/* Does this target share the message in clear? */
static bool
sending_is_clear(const struct linnet_sending *s, size_t i)
{
	return s->message.clear || linnet_target_is_many(s->targets[i]);
}

/* Finds keys without asking; true: they are all known. */
static bool
sending_resolve(struct linnet *l, struct linnet_sending *s)
{
	uint8_t key[CRYPTO_KEY_LEN];
	const char *to, *known;
	bool all = true;
	size_t i;

	for (i = 0; i < s->n; i++) {
		to = s->targets[i];
		if (sending_is_clear(s, i) || s->keys[i][0] != '\0')
			continue;
		if (crypto_unhex(key, sizeof(key), to, strlen(to)) == 0)
			crypto_hex(s->keys[i], key, sizeof(key));
		else if (l->step == LINNET_STEP_OPEN &&
			 (known = linnet_names_find(&l->names, to)) != NULL)
			(void)str_copy(s->keys[i], known, LINNET_KEY_SIZE);
		else
			all = false;
	}
	return all;
}

/* The targets of one message, as JSON: target i, or, when that is in clear,
 * all that are. */
static void
send_targets(struct buf *out, const struct linnet_sending *s, size_t i)
{
	struct json_writer w;
	size_t k, n = 0;

	for (k = 0; k < s->n; k++)
		n += sending_is_clear(s, k);
	json_start(&w, out);
	if (!sending_is_clear(s, i) || n == 1) {
		json_str(&w, s->targets[i]);
	} else {
		json_array(&w);
		for (k = 0; k < s->n; k++)
			if (sending_is_clear(s, k))
				json_str(&w, s->targets[k]);
		json_array_end(&w);
	}
	if (buf_str(out) == NULL)
		fatalx("out of memory");
}

/* The message of target i. */
static int
send_put(struct linnet *l, const struct linnet_sending *s, size_t i,
    const char *id, linnet_reply_fn *fn, void *arg)
{
	struct buf b, to;
	int r = 0;

	buf_init(&b, SIZE_MAX / 2);
	buf_init(&to, SIZE_MAX / 2);
	if (sending_is_clear(s, i)) {
		send_targets(&to, s, i);
		linnet_message_clear(&b, l,
		    &(const struct slice){ to.data, to.len }, &s->message, id);
	} else
		r = linnet_message_seal(
		    &b, l, s->keys[i], &s->message, id, &l->error);
	if (buf_str(&b) == NULL)
		fatalx("out of memory");
	if (r == 0)
		r = linnet_request_within(l, "send", b.data,
		    LINNET_REPEAT | LINNET_MADE_ROOM, s->ms, fn, arg);
	buf_free(&to);
	buf_free(&b);
	return r;
}

/* All parts are answered. */
static void
parts_end(struct linnet *l, struct linnet_parts *p)
{
	struct linnet_reply reply = { 0 };
	struct json_writer w;
	struct buf b;
	size_t i;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_object(&w);
	json_key(&w, "answers");
	json_array(&w);
	for (i = 0; i < p->n; i++) {
		const struct send_part *part = &p->parts[i];

		json_object(&w);
		json_key(&w, "to");
		json_raw(&w, part->to, strlen(part->to));
		json_key(&w, "answer");
		if (part->answer != NULL)
			json_raw(&w, part->answer, part->n);
		else
			json_null(&w);
		json_object_end(&w);
		if (reply.error == NULL && part->error.code[0] != '\0')
			reply.error = &part->error;
	}
	json_array_end(&w);
	json_object_end(&w);
	if ((reply.text = buf_str(&b)) == NULL)
		fatalx("out of memory");
	reply.n = b.len;
	if (p->fn != NULL)
		p->fn(p->arg, l, &reply);
	buf_free(&b);
	parts_free(l, p);
}

static void
part_answered(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct send_part *part = arg;

	if (reply->text != NULL) {
		part->answer = xstrndup(reply->text, reply->n);
		part->n = reply->n;
	}
	if (reply->error != NULL)
		part->error = *reply->error;
	if (--part->of->left == 0)
		parts_end(l, part->of);
}

/* Is it the first target of its message? */
static bool
sending_begins(const struct linnet_sending *s, size_t i)
{
	size_t k;

	for (k = 0; k < i && sending_is_clear(s, i); k++)
		if (sending_is_clear(s, k))
			return false;
	return true;
}

static void
send_parts(struct linnet *l, const struct linnet_sending *s, size_t n)
{
	struct linnet_parts *p = xcalloc(1, sizeof(*p));
	struct send_part *part;
	const char *id;
	struct buf to;
	size_t i;

	pool_init(&p->pool);
	TAILQ_INSERT_TAIL(&l->partses, p, entry);
	p->fn = s->fn;
	p->arg = s->arg;
	p->parts = pool_zalloc(&p->pool, n * sizeof(*p->parts));
	/* One more, so that it does not end before all are asked. */
	p->left = n + 1;
	for (i = 0; i < s->n; i++) {
		if (!sending_begins(s, i))
			continue;
		part = &p->parts[p->n];
		part->of = p;
		buf_init(&to, SIZE_MAX / 2);
		send_targets(&to, s, i);
		part->to = pool_strndup(&p->pool, to.data, to.len);
		buf_free(&to);
		id = s->message.id;
		if (p->n > 0)
			id = pool_printf(&p->pool, "%s:%zu", id, p->n);
		p->n++;
		if (send_put(l, s, i, id, part_answered, part) != 0) {
			part->error = l->error;
			p->left--;
		}
	}
	if (--p->left == 0)
		parts_end(l, p);
}

/* All keys are known. */
static int
sending_put(struct linnet *l, const struct linnet_sending *s)
{
	size_t i, n = 0;

	for (i = 0; i < s->n; i++)
		n += sending_begins(s, i);
	if (n == 1)
		return send_put(l, s, 0, s->message.id, s->fn, s->arg);
	send_parts(l, s, n);
	return 0;
}

static void
sending_fail(struct linnet *l, const struct linnet_sending *s,
    const struct linnet_error *why)
{
	struct linnet_error e = *why;
	struct linnet_reply reply = { .error = &e };

	if (s->fn != NULL)
		s->fn(s->arg, l, &reply);
}

/* What was counted for it while it waited. */
static void
sending_leave(struct linnet *l, struct linnet_sending *s)
{
	TAILQ_REMOVE(&l->sendings, s, entry);
	l->npending--;
	l->pending_bytes -= s->message.length;
}

static void send_listed(
    void *arg, struct linnet *l, const struct linnet_reply *reply);

/* Sends what can be sent, and asks who the next names are. */
static void
send_advance(struct linnet *l)
{
	struct linnet_sending *s;

	while ((s = TAILQ_FIRST(&l->sendings)) != NULL) {
		if (!s->failed && !sending_resolve(l, s)) {
			if (l->looking)
				return;
			l->looking = true;
			if (linnet_request_within(l, "list_peers",
				"\"all\":true",
				LINNET_REPEAT | LINNET_MADE_ROOM, s->ms,
				send_listed, NULL) == 0)
				return;
			l->looking = false;
			s->failed = true;
			s->error = l->error;
		}
		sending_leave(l, s);
		if (s->failed)
			sending_fail(l, s, &s->error);
		else if (sending_put(l, s) != 0)
			sending_fail(l, s, &l->error);
		sending_free(s);
	}
}

/* Whom the names of a message mean. */
static void
sending_look(
    struct linnet *l, struct linnet_sending *s, const char *peers, size_t n)
{
	size_t i;

	if (sending_resolve(l, s))
		return;
	for (i = 0; i < s->n && !s->failed; i++) {
		if (sending_is_clear(s, i) || s->keys[i][0] != '\0')
			continue;
		if (linnet_target_find(
			s->keys[i], peers, n, s->targets[i], &s->error) != 0)
			s->failed = true;
		else
			linnet_names_add(&l->names, s->targets[i], s->keys[i]);
	}
}

static void
send_listed(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct linnet_sending *s;

	(void)arg;
	l->looking = false;
	TAILQ_FOREACH (s, &l->sendings, entry) {
		if (reply->error == NULL) {
			sending_look(l, s, reply->text, reply->n);
			continue;
		}
		s->failed = true;
		s->error = *reply->error;
		/* The time of the others is not over. */
		if (strcmp(s->error.code, "timeout") == 0)
			break;
	}
	send_advance(l);
}

int
linnet_send_within(struct linnet *l, const struct linnet_outgoing *m, int ms,
    linnet_reply_fn *fn, void *arg)
{
	const char *problem = send_problem(m);
	struct linnet_sending *s;
	int r = 0;

	if (problem != NULL) {
		linnet_error_set(&l->error, "bad_argument", "%s", problem);
		return -1;
	}
	if (linnet_request_room(l, m->length) != 0)
		return -1;
	s = sending_new(m, ms, fn, arg);
	if (TAILQ_EMPTY(&l->sendings) && sending_resolve(l, s)) {
		r = sending_put(l, s);
		sending_free(s);
		return r;
	}
	TAILQ_INSERT_TAIL(&l->sendings, s, entry);
	l->npending++;
	l->pending_bytes += m->length;
	send_advance(l);
	return 0;
}

int
linnet_send(struct linnet *l, const struct linnet_outgoing *m,
    linnet_reply_fn *fn, void *arg)
{
	return linnet_send_within(l, m, l->config.send_ms, fn, arg);
}
