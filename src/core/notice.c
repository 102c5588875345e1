/* SPDX-License-Identifier: ISC */
/*
 * Who is told of a notice: the sessions of a member, or of all who may decide
 * about grants, of which the database says who is behind a wall, and who else
 * decides there.  Nothing keeps one: what it tells of is in the database, where
 * who was away finds it.
 */
#include "core/grant.h"
#include "core/notice.h"

static unsigned
notice_bits(const struct notice *n, const struct id *member)
{
	size_t i;

	for (i = 0; i < n->ninsiders; i++)
		if (id_same(&n->insiders[i].member, member))
			return n->insiders[i].bits;
	return 0;
}

static bool
notice_is_for(const struct notice *n, const struct session *s)
{
	unsigned bits;

	if (s->client == NULL)
		return false;
	if (!id_is_null(&n->to))
		return id_same(&s->info.member, &n->to);
	bits = notice_bits(n, &s->info.member);
	if (bits & NOTICE_GRANTED)
		return true;
	if (bits & NOTICE_MANAGES && grant_owns(s->client))
		return true;
	return (!n->walled || bits & NOTICE_DECIDES) &&
	       grant_has(s->client, SCOPE_GRANT_CREATE);
}

void
notice_told(struct core *c, const struct notice *n)
{
	struct mesh *m = mesh_find(c, &n->mesh);
	struct session *s, *next;
	struct event e;

	if (n->kind == NOTICE_PERMISSION_RESOLVED)
		permission_wait_over(c, &n->about);
	if (m == NULL)
		return;
	event_init(&e, EVENT_NOTICE, n);
	LIST_FOREACH_SAFE (s, &m->roster.locals, local, next)
		if (notice_is_for(n, s))
			(void)client_push(s->client, &e);
	event_fini(&e);
}

void
notice(struct core *c, const struct notice *n)
{
	notice_told(c, n);
	event_notice(c, n);
}
