/* SPDX-License-Identifier: ISC */
/*
 * Telling sessions that something waits for them: those of a member, of whom
 * any one will do, and one that has left this process while it was written to.
 */
#include <stdlib.h>

#include "core/domain.h"

#define DELIVERY_NUDGED_MAX 8

static void
delivery_nudge_session(struct session *s)
{
	if (delivery_is_stuck(s))
		delivery_put_off(s);
	else
		delivery_drain(s);
}

/* Takes everything, and at once. */
static bool
delivery_is_free(const struct session *s)
{
	return s->info.status == STATUS_IDLE && !delivery_is_behind(s);
}

/* Nudges sessions of a member, those that are free or the others. */
static unsigned
delivery_nudge_member(const struct roster_set *set, bool is_free)
{
	struct roster_link *l;
	struct session *s;
	unsigned n = 0;

	LIST_FOREACH (l, &set->links, entry) {
		s = l->session;
		if (s->client == NULL || s->info.control ||
		    delivery_is_free(s) != is_free)
			continue;
		delivery_nudge_session(s);
		if (++n == DELIVERY_NUDGED_MAX)
			break;
	}
	return n;
}

void
delivery_nudge(struct mesh *m, const struct id *recipient)
{
	struct session *s = roster_by_id(&m->roster, recipient);
	struct roster_set *set;
	struct roster_link *l;

	if (s != NULL) {
		visitor_nudge(s);
		if (s->client != NULL)
			delivery_nudge_session(s);
		return;
	}
	set = roster_member(&m->roster, recipient);
	if (set == NULL)
		return;
	LIST_FOREACH (l, &set->links, entry)
		visitor_nudge(l->session);
	if (delivery_nudge_member(set, true) == 0)
		(void)delivery_nudge_member(set, false);
}

/* Something waits for a session: tells it, if it is there. */
static void
delivery_tell(struct core *c, const struct id *mesh, const struct id *session)
{
	struct mesh *m = mesh_find(c, mesh);
	struct session *s =
	    m != NULL ? roster_by_id(&m->roster, session) : NULL;

	if (s == NULL || !s->info.live)
		return;
	if (s->client != NULL)
		delivery_nudge(m, session);
	else
		event_nudge(c, mesh, session);
}

/* Who had a place in a crowd. */
struct gone {
	struct core *core;
	struct id mesh;
	struct id session;
};

/* What a session left behind is in its row. */
static void
delivery_left(void *arg, const struct db_result *r)
{
	struct gone *a = arg;

	if (db_status(r) == DB_OK)
		delivery_tell(a->core, &a->mesh, &a->session);
	free(a);
}

void
delivery_gone(struct core *c, const struct id *mesh, const struct id *session,
    struct crowd *crowd, uint32_t place)
{
	struct gone *a;

	if (crowd == NULL) {
		delivery_tell(c, mesh, session);
		return;
	}
	a = xcalloc(1, sizeof(*a));
	a->core = c;
	a->mesh = *mesh;
	a->session = *session;
	crowd_leave(crowd, place, session, delivery_left, a);
}
