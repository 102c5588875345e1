/* SPDX-License-Identifier: ISC */
/*
 * Those who wait until a request for a permission is decided: asked again when
 * it may have been, which the bus tells, and when their time is over.
 */
#include "core/grant.h"

void
permission_wait_enter(struct permission_waiter *w, bool asks)
{
	w->asks = asks;
	w->told = false;
	LIST_INSERT_HEAD(&w->request->core->waiters, w, entry);
}

bool
permission_wait_leave(struct permission_waiter *w)
{
	LIST_REMOVE(w, entry);
	return w->told;
}

static void
permission_wait_end(struct permission_waiter *w)
{
	struct request *r = w->request;

	if (w->asks) {
		w->told = true;
		return;
	}
	(void)permission_wait_leave(w);
	/* A deputy's session goes with its mesh. */
	if (!op_left(r))
		w->fn(w);
}

void
permission_wait_over(struct core *c, const struct id *permission)
{
	struct permission_waiter *w, *next;

	LIST_FOREACH_SAFE (w, &c->waiters, entry, next)
		if (permission == NULL || id_same(&w->id, permission))
			permission_wait_end(w);
}

void
permission_wait_tick(struct core *c)
{
	struct permission_waiter *w, *next;

	LIST_FOREACH_SAFE (w, &c->waiters, entry, next)
		if (!w->asks &&
		    (w->request->client == NULL || clock_mono() >= w->until_ms))
			permission_wait_end(w);
}

void
permission_wait_close(struct core *c)
{
	struct permission_waiter *w;

	/* The database has answered whoever asks. */
	while ((w = LIST_FIRST(&c->waiters)) != NULL) {
		LIST_REMOVE(w, entry);
		op_fail(w->request, ERR_UNAVAILABLE, NULL);
	}
}
