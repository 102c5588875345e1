/* SPDX-License-Identifier: ISC */
/*
 * What passes, as whoever looks on sees it.  Of a request it takes what tables
 * say: a target is a field of that type or name, a message's id one called
 * messageId.  So an operation needs nothing of its own here.
 */
#include <string.h>

#include "core/domain.h"

static const struct field *
trace_field(const struct field *f, enum field_type type, const char *name)
{
	for (; f != NULL && f->type != F_END; f++)
		if (f->type == type &&
		    (name == NULL || strcmp(f->name, name) == 0))
			return f;
	return NULL;
}

/* Whom or what the request means. */
static void
trace_target(struct trace *t, const struct request *r)
{
	static const char *const names[] = { "target", "key", "prefix",
		"name" };
	const struct field *f = trace_field(r->op->in, F_TARGET, NULL);
	const struct list *list;
	size_t i;

	if (f != NULL) {
		list = (const void *)((const char *)r->in + f->offset);
		t->targets = list->n;
		if (list->n > 0)
			t->target = *(const struct slice *)list->v;
		return;
	}
	for (i = 0; i < NELEM(names); i++) {
		f = trace_field(r->op->in, F_STR, names[i]);
		if (f == NULL)
			f = trace_field(r->op->in, F_NAME, names[i]);
		if (f == NULL)
			continue;
		memcpy(&t->target, (const char *)r->in + f->offset,
		    sizeof(t->target));
		t->targets = t->target.n > 0;
		return;
	}
}

static void
trace_message(struct trace *t, const struct field *fields, const void *in)
{
	const struct field *f = trace_field(fields, F_ID, "messageId");

	if (f != NULL && in != NULL)
		memcpy(&t->message, (const char *)in + f->offset,
		    sizeof(t->message));
}

static const struct session_info *
trace_who(const struct client *c)
{
	return c->session != NULL ? &c->session->info : NULL;
}

void
trace_request(const struct request *r, const void *out)
{
	struct trace t = {
		.what = TRACE_REQUEST,
		.session = trace_who(r->client),
		.type = r->op != NULL ? r->op->name : "?",
		.size = r->size,
		.result = r->error,
		.took_ms = clock_mono() - r->started_ms,
	};

	if (r->op != NULL && r->in != NULL) {
		trace_target(&t, r);
		trace_message(&t, r->op->in, r->in);
		trace_message(&t, r->op->out, out);
	}
	r->core->trace(r->core->arg, &t);
}

void
trace_push(const struct client *c, const struct event *e)
{
	struct trace t = { .what = TRACE_PUSH, .session = trace_who(c) };

	switch (e->type) {
	case EVENT_DELIVER:
		t.type = "push";
		t.sender = e->message->sender_name;
		t.target = e->message->target;
		t.message = e->message->id;
		t.size = e->message->ciphertext.n;
		break;
	case EVENT_STATE:
		t.type = "state_change";
		t.sender = e->state->by_name;
		t.target = e->state->key;
		t.size = e->state->value.n;
		break;
	case EVENT_ENTRY:
		t.type = "channel_event";
		t.size = e->entry->payload.n;
		if (e->entry->post == NULL)
			break;
		t.type = "channel_message";
		t.sender = e->entry->post->by_name;
		t.message = e->entry->post->id;
		t.size = e->entry->post->parts.n;
		break;
	case EVENT_NOTICE:
		t.type = table_notices[e->notice->kind];
		t.message = e->notice->about;
		t.size = e->notice->payload.n;
		break;
	default:
		t.type = table_peer_changes[e->peer->kind];
		t.sender = e->peer->peer->name;
		break;
	}
	t.targets = t.target.n > 0;
	c->core->trace(c->core->arg, &t);
}

void
trace_end(const struct session *s)
{
	const struct trace t = {
		.what = TRACE_END,
		.session = &s->info,
		.type = "end",
	};

	s->mesh->core->trace(s->mesh->core->arg, &t);
}
