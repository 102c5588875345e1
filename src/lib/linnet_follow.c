/* SPDX-License-Identifier: ISC */
/*
 * Channels that are followed.  The broker's following ends with the connection,
 * so the place where each of them is stays here, and the next connection goes
 * on there: behind the last message, by its seq, and behind the last event that
 * came after that message, by its id.  A message that is not behind it came
 * before, and is dropped.
 *
 * One that is on was answered: its channel and its place are known.  What was
 * asked and not answered is asked again as any request.  An entry stays until
 * linnet_free(), since requests on their way point to it.
 */
#include "lib/lib.h"

#include <stdlib.h>
#include <string.h>

struct linnet_follow {
	TAILQ_ENTRY(linnet_follow) entry;
	bool on;
	bool asked;    /* by the program, and not answered */
	bool resuming; /* asked for again, likewise */
	linnet_reply_fn *fn;
	void *arg;
	int64_t after; /* as it was asked for */
	int64_t seq;
	char event[ID_HEX_LEN + 1]; /* "": the message is the last thing */
	char id[ID_HEX_LEN + 1];
};

static struct linnet_follow *
follow_find(const struct linnet *l, const char *id)
{
	struct linnet_follow *w;

	TAILQ_FOREACH (w, &l->follows, entry)
		if (w->on && strcmp(w->id, id) == 0)
			return w;
	return NULL;
}

/* One that nothing points to. */
static struct linnet_follow *
follow_new(struct linnet *l)
{
	struct linnet_follow *w;

	TAILQ_FOREACH (w, &l->follows, entry)
		if (!w->on && !w->asked && !w->resuming)
			return w;
	w = xcalloc(1, sizeof(*w));
	TAILQ_INSERT_TAIL(&l->follows, w, entry);
	return w;
}

void
linnet_follow_forget(struct linnet *l)
{
	struct linnet_follow *w;

	while ((w = TAILQ_FIRST(&l->follows)) != NULL) {
		TAILQ_REMOVE(&l->follows, w, entry);
		free(w);
	}
}

/*
 * What comes.
 */
static void
follow_tell(struct linnet *l, const struct linnet_entry *e)
{
	if (l->config.callbacks.entry != NULL)
		l->config.callbacks.entry(l->config.arg, l, e);
}

/* The texts of the parts of a message. */
static const char *
follow_text(struct pool *p, const struct json *j, size_t parts)
{
	const char *text = "", *more;
	size_t at, payload;

	for (at = JSON_FIRST(parts); at < j->nodes[parts].end;
	     at = j->nodes[at].end) {
		if (strcmp(linnet_json_str(p, j, at, "type"), "text") != 0 ||
		    (payload = json_get(j, at, "payload")) == 0)
			continue;
		more = linnet_json_str(p, j, payload, "text");
		text = text[0] == '\0' ? more
				       : pool_printf(p, "%s\n%s", text, more);
	}
	return text;
}

/* The JSON of an array or object at a key, or "null". */
static const char *
follow_raw(struct pool *p, const struct json *j, size_t at)
{
	return at != 0 ? pool_strndup(p, j->nodes[at].p, j->nodes[at].n)
		       : "null";
}

static void
follow_message(struct linnet *l, struct linnet_follow *w,
    struct linnet_entry *e, struct pool *p)
{
	const struct json *j = &l->json;
	size_t parts = json_get(j, 0, "parts");

	e->seq = linnet_json_int(j, 0, "seq");
	if (e->seq <= w->seq)
		return;
	w->seq = e->seq;
	w->event[0] = '\0';
	if (parts != 0 && j->nodes[parts].type != JSON_ARRAY)
		parts = 0;
	e->event = "message.appended";
	e->at = linnet_json_str(p, j, 0, "createdAt");
	e->id = linnet_json_str(p, j, 0, "messageId");
	e->member_id = linnet_json_str(p, j, 0, "memberId");
	e->name = linnet_json_str(p, j, 0, "name");
	e->text = parts != 0 ? follow_text(p, j, parts) : "";
	e->parts = parts != 0 ? follow_raw(p, j, parts) : "[]";
	e->reply_to = linnet_json_str(p, j, 0, "replyToId");
	e->client_id = linnet_json_str(p, j, 0, "client_message_id");
	follow_tell(l, e);
}

static void
follow_event(struct linnet *l, struct linnet_follow *w, struct linnet_entry *e,
    struct pool *p)
{
	const struct json *j = &l->json;
	const char *id = linnet_json_str(p, j, 0, "eventId");

	if (id[0] != '\0')
		(void)str_copy(w->event, id, sizeof(w->event));
	e->event = linnet_json_str(p, j, 0, "event");
	e->at = linnet_json_str(p, j, 0, "at");
	e->payload = follow_raw(p, j, json_get(j, 0, "payload"));
	follow_tell(l, e);
}

#define NO_ENTRY                                                        \
	{                                                               \
		.event = "closed", .at = "", .id = "", .member_id = "", \
		.name = "", .text = "", .parts = "[]", .reply_to = "",  \
		.client_id = "", .payload = "null", .json = "{}",       \
		.json_length = 2                                        \
	}

bool
linnet_follow_receive(
    struct linnet *l, const struct json_node *type, const char *text, size_t n)
{
	struct linnet_entry e = NO_ENTRY;
	bool message = json_is(type, "channel_message");
	bool closed = json_is(type, "channel_closed");
	struct linnet_follow *w;
	struct pool p;

	if (!message && !closed && !json_is(type, "channel_event"))
		return false;
	pool_init(&p);
	e.channel_id = linnet_json_str(&p, &l->json, 0, "channelId");
	e.json = text;
	e.json_length = n;
	if ((w = follow_find(l, e.channel_id)) == NULL)
		;
	else if (message)
		follow_message(l, w, &e, &p);
	else if (closed) {
		w->on = false;
		follow_tell(l, &e);
	} else
		follow_event(l, w, &e, &p);
	pool_free(&p);
	return true;
}

/*
 * Asking for it again.
 */
static void
follow_lost(
    struct linnet *l, struct linnet_follow *w, const struct linnet_reply *reply)
{
	struct linnet_entry e = NO_ENTRY;
	char id[ID_HEX_LEN + 1];

	w->on = false;
	(void)str_copy(id, w->id, sizeof(id));
	e.channel_id = id;
	if (reply->text != NULL) {
		e.json = reply->text;
		e.json_length = reply->n;
	}
	follow_tell(l, &e);
}

static void
follow_resumed(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	const struct linnet_error *error = reply->error;
	struct linnet_follow *w = arg;

	w->resuming = false;
	/* The end of a connection is none of the following. */
	if (error == NULL || !w->on || l->step != LINNET_STEP_OPEN)
		return;
	if (strcmp(error->code, "timeout") != 0 &&
	    !linnet_error_passes(error->code)) {
		follow_lost(l, w, reply);
		return;
	}
	/* What is said meanwhile must not be missed. */
	linnet_refuse(l, error->code, "%s", error->message);
	l->deadline = 0;
}

static void
follow_resume(struct linnet *l, struct linnet_follow *w)
{
	char *fields = linnet_fields("channel:s after:i afterEvent:s", w->id,
	    w->seq, w->event[0] != '\0' ? w->event : NULL);

	if (linnet_request_within(l, "follow_channel", fields, LINNET_MADE_ROOM,
		l->config.request_ms, follow_resumed, w) != 0)
		fatalx("fields that are no JSON");
	w->resuming = true;
	free(fields);
}

void
linnet_follow_again(struct linnet *l)
{
	struct linnet_follow *w;

	TAILQ_FOREACH (w, &l->follows, entry)
		if (w->on)
			follow_resume(l, w);
}

/*
 * Asking for it.
 */
static void
follow_end(
    struct linnet *l, struct linnet_follow *w, const struct linnet_reply *reply)
{
	linnet_reply_fn *fn = w->fn;
	void *arg = w->arg;

	w->asked = false;
	if (fn != NULL)
		fn(arg, l, reply);
}

static void
followed(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct linnet_follow *w = arg, *other;
	const char *id, *event;
	struct pool p;

	if (reply->error != NULL) {
		follow_end(l, w, reply);
		return;
	}
	pool_init(&p);
	id = linnet_json_str(&p, &l->json, 0, "channelId");
	/* The broker has forgotten where that was. */
	if ((other = follow_find(l, id)) != NULL)
		other->on = false;
	event = linnet_json_str(&p, &l->json, 0, "lastEventId");
	(void)str_copy(w->id, id, sizeof(w->id));
	(void)str_copy(w->event, event, sizeof(w->event));
	w->seq =
	    w->after >= 0 ? w->after : linnet_json_int(&l->json, 0, "lastSeq");
	w->on = true;
	pool_free(&p);
	follow_end(l, w, reply);
}

static void
unfollowed(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct linnet_follow *w = arg, *other;
	struct pool p;

	if (reply->error == NULL) {
		pool_init(&p);
		other = follow_find(
		    l, linnet_json_str(&p, &l->json, 0, "channelId"));
		if (other != NULL)
			other->on = false;
		pool_free(&p);
	}
	follow_end(l, w, reply);
}

static int
follow_ask(struct linnet *l, const char *type, const char *fields,
    linnet_reply_fn *done, const struct linnet_follow *what)
{
	struct linnet_follow *w = follow_new(l);

	if (linnet_request(l, type, fields, LINNET_REPEAT, done, w) != 0)
		return -1;
	w->asked = true;
	w->fn = what->fn;
	w->arg = what->arg;
	w->after = what->after;
	return 0;
}

int
linnet_follow_channel(struct linnet *l, const char *channel, int64_t after,
    linnet_reply_fn *fn, void *arg)
{
	const struct linnet_follow what = {
		.fn = fn, .arg = arg, .after = after
	};
	char *fields = after >= 0
			   ? linnet_fields("channel:s after:i", channel, after)
			   : linnet_fields("channel:s", channel);
	int r = follow_ask(l, "follow_channel", fields, followed, &what);

	free(fields);
	return r;
}

int
linnet_unfollow_channel(
    struct linnet *l, const char *channel, linnet_reply_fn *fn, void *arg)
{
	const struct linnet_follow what = { .fn = fn, .arg = arg };
	char *fields = linnet_fields("channel:s", channel);
	int r = follow_ask(l, "unfollow_channel", fields, unfollowed, &what);

	free(fields);
	return r;
}
