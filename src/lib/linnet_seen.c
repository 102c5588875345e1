/* SPDX-License-Identifier: ISC */
/*
 * The messages that came lately, by id: delivery is at least once, and the
 * program shall see each once.  The oldest is forgotten first, so there must
 * be more of them than a broker has under way to one session.
 */
#include "lib/lib.h"

#include <stdlib.h>
#include <string.h>

void
linnet_seen_init(struct linnet_seen *s, size_t max)
{
	hash_init(&s->ids);
	TAILQ_INIT(&s->order);
	s->max = max;
}

static void
seen_drop(struct linnet_seen *s, struct linnet_seen_id *i)
{
	hash_remove(&s->ids, &i->hash);
	TAILQ_REMOVE(&s->order, i, entry);
	free(i);
}

void
linnet_seen_free(struct linnet_seen *s)
{
	while (!TAILQ_EMPTY(&s->order))
		seen_drop(s, TAILQ_FIRST(&s->order));
	hash_free(&s->ids);
}

struct linnet_seen_id *
linnet_seen_find(struct linnet_seen *s, const char *id)
{
	struct hash_entry *e = hash_find(&s->ids, id, strlen(id));

	return e != NULL ? CONTAINER(e, struct linnet_seen_id, hash) : NULL;
}

void
linnet_seen_add(struct linnet_seen *s, const char *id)
{
	const size_t n = strlen(id);
	struct linnet_seen_id *i;

	/* No broker of ours makes such ids; one that did would only have its
	 * repeats shown. */
	if (n > LINNET_SEEN_ID_MAX)
		return;
	i = xcalloc(1, sizeof(*i));
	memcpy(i->id, id, n + 1);
	hash_insert(&s->ids, &i->hash, i->id, n);
	TAILQ_INSERT_TAIL(&s->order, i, entry);
	if (s->ids.count > s->max)
		seen_drop(s, TAILQ_FIRST(&s->order));
}
