/* SPDX-License-Identifier: ISC */
/*
 * Who is in a mesh: every process that serves the mesh has the whole roster in
 * memory, loaded once and kept by events.
 *
 * A session is found by its id and its key, and stands in sets that share a
 * member, a name or a group.  A session of group "a/b" also stands in the set
 * of "a", so that a message to @a finds it without a search.  Nothing here
 * decides or tells; session.c and presence.c do.
 */
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"

void
roster_init(struct roster *r)
{
	memset(r, 0, sizeof(*r));
	hash_init(&r->by_id);
	hash_init(&r->by_key);
	hash_init(&r->members);
	hash_init(&r->member_keys);
	hash_init(&r->names);
	hash_init(&r->groups);
	TAILQ_INIT(&r->sessions);
	TAILQ_INIT(&r->gone);
	LIST_INIT(&r->locals);
}

void
roster_fini(struct roster *r)
{
	struct session *s;

	while ((s = TAILQ_FIRST(&r->sessions)) != NULL)
		roster_remove(r, s);
	hash_free(&r->by_id);
	hash_free(&r->by_key);
	hash_free(&r->members);
	hash_free(&r->member_keys);
	hash_free(&r->names);
	hash_free(&r->groups);
}

static struct roster_set *
roster_set(const struct hash *h, const void *key, size_t n)
{
	struct hash_entry *e = hash_find(h, key, n);

	return e != NULL ? CONTAINER(e, struct roster_set, hash) : NULL;
}

static struct roster_set *
roster_new_set(struct hash *h, const void *key, size_t n, size_t extra)
{
	struct roster_set *set = xcalloc(1, sizeof(*set) + n + extra);

	memcpy(set->key, key, n);
	set->in = h;
	LIST_INIT(&set->links);
	hash_insert(h, &set->hash, set->key, n);
	return set;
}

static void
roster_link(struct roster_set *set, struct roster_link *link, struct session *s)
{
	link->set = set;
	link->session = s;
	LIST_INSERT_HEAD(&set->links, link, entry);
	set->count++;
}

static void
roster_enter(struct hash *h, const void *key, size_t n,
    struct roster_link *link, struct session *s)
{
	struct roster_set *set = roster_set(h, key, n);

	if (set == NULL)
		set = roster_new_set(h, key, n, 0);
	roster_link(set, link, s);
}

/* A member's sessions are found by the member's id and by its key. */
static void
roster_enter_member(struct roster *r, struct session *s)
{
	const struct session_info *i = &s->info;
	struct roster_set *set = roster_set(&r->members, i->member.b, ID_LEN);

	if (set == NULL) {
		set = roster_new_set(
		    &r->members, i->member.b, ID_LEN, CRYPTO_KEY_LEN);
		memcpy(set->key + ID_LEN, i->member_key, CRYPTO_KEY_LEN);
		hash_insert(&r->member_keys, &set->alias, set->key + ID_LEN,
		    CRYPTO_KEY_LEN);
	}
	roster_link(set, &s->by_member, s);
}

static void
roster_leave(struct roster *r, struct roster_link *link)
{
	struct roster_set *set = link->set;

	if (set == NULL)
		return;
	LIST_REMOVE(link, entry);
	link->set = NULL;
	if (--set->count > 0)
		return;
	hash_remove(set->in, &set->hash);
	if (set->in == &r->members)
		hash_remove(&r->member_keys, &set->alias);
	free(set);
}

static bool
roster_in_group(const struct session *s, const struct roster_set *set)
{
	size_t i;

	for (i = 0; i < s->ngroups; i++)
		if (set != NULL && s->groups[i].set == set)
			return true;
	return false;
}

/* Enters the group and the groups above it, each once. */
static void
roster_enter_group(struct roster *r, struct session *s, struct slice name)
{
	size_t n;

	for (n = name.n; n > 0; n--) {
		if (n < name.n && name.p[n] != '/')
			continue;
		if (roster_in_group(s, roster_set(&r->groups, name.p, n)))
			continue;
		roster_enter(
		    &r->groups, name.p, n, &s->groups[s->ngroups++], s);
	}
}

static void
roster_set_groups(struct roster *r, struct session *s)
{
	size_t i, k, most = 0;

	for (i = 0; i < s->info.ngroups; i++) {
		const struct slice *name = &s->info.groups[2 * i];

		for (most++, k = 0; k < name->n; k++)
			most += name->p[k] == '/';
	}
	s->groups = most > 0 ? xcalloc(most, sizeof(*s->groups)) : NULL;
	s->ngroups = 0;
	for (i = 0; i < s->info.ngroups; i++)
		roster_enter_group(r, s, s->info.groups[2 * i]);
}

static void
roster_clear_groups(struct roster *r, struct session *s)
{
	size_t i;

	for (i = 0; i < s->ngroups; i++)
		roster_leave(r, &s->groups[i]);
	free(s->groups);
	s->groups = NULL;
	s->ngroups = 0;
}

const struct session_more *
roster_more(const struct session_more *more)
{
	return more->role.n + more->channel.n + more->profile.n +
			   more->stats.n >
		       0
		   ? more
		   : NULL;
}

/* All texts of a session stand in one block, behind what it has more than
 * others and its group slices. */
static void
roster_copy_texts(struct session *s)
{
	struct session_info *i = &s->info;
	struct session_more more;
	struct slice *const all[] = { &i->name, &i->name_folded,
		&i->member_name, &i->role, &i->client_session, &i->cwd,
		&i->hostname, &i->peer_type, &i->model, &i->summary, &more.role,
		&more.channel, &more.profile, &more.stats };
	const struct slice *groups = i->groups;
	size_t head = i->more != NULL ? sizeof(more) : 0;
	size_t n = 2 * i->ngroups, size = head + n * sizeof(struct slice), k;
	char *block, *p;

	memset(&more, 0, sizeof(more));
	if (i->more != NULL)
		more = *i->more;
	for (k = 0; k < NELEM(all); k++)
		size += all[k]->n;
	for (k = 0; k < n; k++)
		size += groups[k].n;
	block = xmalloc(size > 0 ? size : 1);
	i->groups = (struct slice *)(void *)(block + head);
	p = block + head + n * sizeof(struct slice);
	for (k = 0; k < n; k++) {
		if (groups[k].n > 0)
			memcpy(p, groups[k].p, groups[k].n);
		i->groups[k] = (struct slice){ p, groups[k].n };
		p += groups[k].n;
	}
	for (k = 0; k < NELEM(all); k++) {
		if (all[k]->p == NULL)
			continue;
		if (all[k]->n > 0)
			memcpy(p, all[k]->p, all[k]->n);
		all[k]->p = p;
		p += all[k]->n;
	}
	if (i->more != NULL)
		i->more = memcpy(block, &more, sizeof(more));
	s->texts = block;
}

static bool
roster_has_key(const struct session_info *i)
{
	static const uint8_t none[CRYPTO_KEY_LEN];

	return memcmp(i->key, none, sizeof(none)) != 0;
}

static void
roster_index(struct roster *r, struct session *s)
{
	struct session_info *i = &s->info;

	hash_insert(&r->by_id, &s->by_id, i->id.b, ID_LEN);
	if (roster_has_key(i))
		hash_insert(&r->by_key, &s->by_key, i->key, CRYPTO_KEY_LEN);
	roster_enter_member(r, s);
	hash_insert(&r->names, &s->by_name, i->name_folded.p, i->name_folded.n);
	roster_set_groups(r, s);
	r->live += i->live;
}

static void
roster_unindex(struct roster *r, struct session *s)
{
	r->live -= s->info.live;
	hash_remove(&r->by_id, &s->by_id);
	if (roster_has_key(&s->info))
		hash_remove(&r->by_key, &s->by_key);
	roster_leave(r, &s->by_member);
	hash_remove(&r->names, &s->by_name);
	roster_clear_groups(r, s);
}

struct session *
roster_put(struct roster *r, const struct session_info *info)
{
	struct session *s = roster_by_id(r, &info->id);
	char *old = NULL;

	if (s == NULL) {
		s = xcalloc(1, sizeof(*s));
		TAILQ_INSERT_TAIL(&r->sessions, s, entry);
	} else {
		if (!s->info.live)
			TAILQ_REMOVE(&r->gone, s, gone);
		roster_unindex(r, s);
		old = s->texts;
		if (s->info.connected_ms != info->connected_ms) {
			TAILQ_REMOVE(&r->sessions, s, entry);
			TAILQ_INSERT_TAIL(&r->sessions, s, entry);
		}
	}
	s->info = *info;
	roster_copy_texts(s);
	roster_index(r, s);
	if (!info->live)
		TAILQ_INSERT_TAIL(&r->gone, s, gone);
	/* info may have pointed into the old texts. */
	free(old);
	return s;
}

void
roster_remove(struct roster *r, struct session *s)
{
	if (!s->info.live)
		TAILQ_REMOVE(&r->gone, s, gone);
	roster_unindex(r, s);
	TAILQ_REMOVE(&r->sessions, s, entry);
	if (s->client != NULL)
		LIST_REMOVE(s, local);
	free(s->texts);
	free(s);
}

void
roster_end(struct roster *r, struct session *s, int64_t now_ms)
{
	struct session *before;

	if (!s->info.live)
		return;
	s->info.live = false;
	s->ended_ms = now_ms;
	r->live--;
	TAILQ_FOREACH_REVERSE(before, &r->gone, roster_gone, gone)
	if (before->ended_ms <= now_ms)
		break;
	if (before != NULL)
		TAILQ_INSERT_AFTER(&r->gone, before, s, gone);
	else
		TAILQ_INSERT_HEAD(&r->gone, s, gone);
}

struct session *
roster_ended(const struct roster *r, int64_t before_ms)
{
	struct session *s = TAILQ_FIRST(&r->gone);

	return s != NULL && s->ended_ms < before_ms ? s : NULL;
}

struct session *
roster_by_id(const struct roster *r, const struct id *id)
{
	struct hash_entry *e = hash_find(&r->by_id, id->b, ID_LEN);

	return e != NULL ? CONTAINER(e, struct session, by_id) : NULL;
}

struct session *
roster_by_key(const struct roster *r, const uint8_t key[CRYPTO_KEY_LEN])
{
	struct hash_entry *e = hash_find(&r->by_key, key, CRYPTO_KEY_LEN);

	return e != NULL ? CONTAINER(e, struct session, by_key) : NULL;
}

struct roster_set *
roster_member(const struct roster *r, const struct id *member)
{
	return roster_set(&r->members, member->b, ID_LEN);
}

struct roster_set *
roster_member_key(const struct roster *r, const uint8_t key[CRYPTO_KEY_LEN])
{
	struct hash_entry *e = hash_find(&r->member_keys, key, CRYPTO_KEY_LEN);

	return e != NULL ? CONTAINER(e, struct roster_set, alias) : NULL;
}

struct session *
roster_name(const struct roster *r, const char *folded, size_t n)
{
	struct hash_entry *e = hash_find(&r->names, folded, n);

	return e != NULL ? CONTAINER(e, struct session, by_name) : NULL;
}

struct session *
roster_name_next(const struct session *s)
{
	struct hash_entry *e = hash_find_next(&s->by_name);

	return e != NULL ? CONTAINER(e, struct session, by_name) : NULL;
}

struct roster_set *
roster_group(const struct roster *r, const char *name, size_t n)
{
	return roster_set(&r->groups, name, n);
}

uint64_t
roster_mark(struct roster *r)
{
	return ++r->mark;
}

bool
roster_admits(enum status status, enum priority priority)
{
	return status == STATUS_IDLE || priority == PRIORITY_NOW;
}

static bool
roster_better(
    const struct session *a, const struct session *b, enum priority priority)
{
	bool aa = roster_admits(a->info.status, priority);
	bool ba = roster_admits(b->info.status, priority);

	if (aa != ba)
		return aa;
	/* Who is connected gets it now. */
	if (visitor_is(&a->info) != visitor_is(&b->info))
		return visitor_is(&b->info);
	if (a->info.status != b->info.status)
		return a->info.status < b->info.status;
	return a->info.active_ms > b->info.active_ms;
}

struct session *
roster_best(const struct roster_set *member, enum priority priority,
    const struct session *from)
{
	struct session *best = NULL;
	struct roster_link *l;

	LIST_FOREACH (l, &member->links, entry) {
		struct session *s = l->session;

		if (!s->info.live || s->info.control)
			continue;
		if (best == NULL || best == from ||
		    (s != from && roster_better(s, best, priority)))
			best = s;
	}
	return best;
}
