/* SPDX-License-Identifier: ISC */
/*
 * Clients and the requests they made: op.c answers them.
 */
#include <stdlib.h>
#include <string.h>

#include "core/channel.h"

void
client_init(struct client *c, struct core *core,
    const struct client_calls *calls, bool loopback)
{
	memset(c, 0, sizeof(*c));
	c->core = core;
	c->calls = calls;
	c->loopback = loopback;
	c->scopes = SCOPE_BIT(SCOPE_PUBLIC);
	TAILQ_INIT(&c->requests);
}

void
client_written(struct client *c, uint64_t pos)
{
	if (c->session != NULL)
		delivery_written(c->session, pos);
	follow_written(c, pos);
}

void
client_want_written(struct client *c, unsigned who, bool on)
{
	const unsigned before = c->written;

	c->written = on ? c->written | who : c->written & ~who;
	if ((before != 0) != (c->written != 0))
		c->calls->want_written(c, c->written != 0);
}

uint64_t
client_push(struct client *c, struct event *e)
{
	if (c->core->trace != NULL)
		trace_push(c, e);
	return c->calls->push(c, e);
}

void
client_request_free(struct request *r)
{
	free(r->error_text);
	pool_free(&r->pool);
	free(r);
}

struct request *
client_request(struct client *c)
{
	struct request *r;

	/* Who asks may know of something that the bus has told and that was
	 * not read yet.  It may be that this session was replaced: so before
	 * there is a request. */
	core_look(c->core);
	r = xcalloc(1, sizeof(*r));
	r->core = c->core;
	r->client = c;
	r->started_ms = clock_mono();
	pool_init(&r->pool);
	TAILQ_INSERT_TAIL(&c->requests, r, entry);
	c->pending++;
	if (!c->paused && c->pending >= (unsigned)c->core->limits.pending) {
		c->paused = true;
		c->calls->pause(c, true);
	}
	return r;
}

void
client_forget(struct client *c)
{
	struct request *r, *next;

	TAILQ_FOREACH_SAFE (r, &c->requests, entry, next) {
		TAILQ_REMOVE(&c->requests, r, entry);
		r->client = NULL;
		c->calls->discard(r);
		if (r->state != REQUEST_RUNS)
			client_request_free(r);
	}
	c->pending = 0;
}

void
client_gone(struct client *c, bool returns)
{
	if (c->deputy != NULL)
		deputy_end(c);
	else if (c->session != NULL)
		session_end(c, returns);
	client_forget(c);
	state_unwatch(c);
	follow_end(c);
}
