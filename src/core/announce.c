/* SPDX-License-Identifier: ISC */
/*
 * What the sessions of this process are told of their peers: that one joined,
 * returned or left, is shown again or hidden.
 *
 * Nobody sends these around.  Each process compares what its roster says of a
 * session with what it has told of it (its belief), and tells the difference:
 * so the roster may come by a record or, after a loss, from the database, and
 * each change is told once.  What is told is not stored: who is not there does
 * not hear of it.
 */
#include <string.h>

#include "core/domain.h"

enum belief {
	BELIEF_NONE, /* it is not there */
	BELIEF_HIDDEN,
	BELIEF_SHOWN
};

static enum belief
announce_truth(const struct session *s)
{
	if (s->info.control)
		return BELIEF_NONE;
	return s->info.hidden ? BELIEF_HIDDEN : BELIEF_SHOWN;
}

static void
announce_push(struct session *s, enum peer_change_kind kind)
{
	const struct mesh *m = s->mesh;
	struct peer_change change;
	struct session *to;
	struct event e;

	/* Each of n who come is told to n. */
	if ((int64_t)m->roster.live > m->core->limits.peer_events)
		return;
	memset(&change, 0, sizeof(change));
	change.kind = kind;
	change.peer = &s->info;
	change.at_ms = clock_wall();
	id_new(&change.id);
	event_init(&e, EVENT_SESSION, &change);
	LIST_FOREACH (to, &m->roster.locals, local)
		if (to != s && to->hears)
			(void)client_push(to->client, &e);
	event_fini(&e);
}

void
announce(struct session *s)
{
	enum belief before = s->belief, now = announce_truth(s);

	s->belief = (uint8_t)now;
	if (before == now)
		return;
	if (now == BELIEF_SHOWN && before == BELIEF_HIDDEN)
		announce_push(s, PEER_VISIBLE);
	else if (now == BELIEF_SHOWN)
		announce_push(
		    s, s->info.seen_ms > 0 ? PEER_RETURNED : PEER_JOINED);
	else if (before == BELIEF_SHOWN)
		announce_push(
		    s, now == BELIEF_HIDDEN ? PEER_HIDDEN : PEER_LEFT);
}

void
announce_left(struct session *s)
{
	if (s->belief == BELIEF_SHOWN)
		announce_push(s, PEER_LEFT);
	s->belief = BELIEF_NONE;
}

void
announce_known(struct session *s)
{
	s->belief = (uint8_t)announce_truth(s);
}
