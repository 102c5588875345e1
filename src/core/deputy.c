/* SPDX-License-Identifier: ISC */
/*
 * Clients that act for a member by what they are allowed, and not by a key:
 * who sends what was scheduled, and who shows a token.
 *
 * Operations ask their client's session who is acting.  A deputy has a session
 * of its own for them: no index has it, no record tells of it, and nothing is
 * delivered to it.  So what is about a session itself is not for deputies; the
 * gate sees to that.  One that has come by (visitor.c) has a session that all
 * know instead.
 *
 * A deputy holds its mesh as a session does.  Its memory stays until the end
 * of the turn: an operation may be in the middle of something with it.
 */
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"

static void
deputy_free(struct deputy *d)
{
	free(d->session.recent);
	pool_free(&d->pool);
	free(d);
}

static void
deputy_text(struct deputy *d, struct slice *s)
{
	if (s->p != NULL)
		s->p = pool_strndup(&d->pool, s->p, s->n);
}

static void
deputy_meshed(void *arg, struct mesh *m)
{
	struct deputy *d = arg;
	struct client *c = d->client;
	deputy_fn *fn = d->fn;

	d->waits = false;
	arg = d->arg;
	if (c == NULL) {
		if (m != NULL)
			mesh_put(m);
		deputy_free(d);
		fn(arg, false);
		return;
	}
	if (m != NULL) {
		d->session.mesh = m;
		c->session = &d->session;
		c->scopes = d->scopes | SCOPE_BIT(SCOPE_PUBLIC);
	}
	fn(arg, m != NULL);
}

void
deputy_begin(struct client *c, const struct session_info *info,
    const struct token *t, uint64_t scopes, deputy_fn *fn, void *arg)
{
	struct deputy *d = xcalloc(1, sizeof(*d));
	struct session_info *i = &d->session.info;

	if (c->session != NULL || c->deputy != NULL)
		fatalx("a client that is somebody already");
	pool_init(&d->pool);
	*i = *info;
	deputy_text(d, &i->name);
	deputy_text(d, &i->member_name);
	deputy_text(d, &i->role);
	i->live = true;
	i->host = c->core->host;
	i->proc = (uint8_t)c->core->proc;
	i->connected_ms = clock_wall();
	if (t != NULL) {
		d->token = *t;
		deputy_text(d, &d->token.name);
		deputy_text(d, &d->token.slug);
		d->token.member_name = i->member_name;
		d->token.role = i->role;
		d->shown = true;
	}
	d->scopes = scopes;
	d->fn = fn;
	d->arg = arg;
	d->client = c;
	d->waits = true;
	c->deputy = d;
	mesh_get(c->core, &i->mesh, deputy_meshed, d);
}

void
deputy_end(struct client *c)
{
	struct deputy *d = c->deputy;

	visitor_leave(d);
	token_unwatch(d);
	c->deputy = NULL;
	c->session = NULL;
	c->scopes = SCOPE_BIT(SCOPE_PUBLIC);
	d->client = NULL;
	if (d->waits)
		return;
	if (d->session.mesh != NULL)
		mesh_put(d->session.mesh);
	LIST_INSERT_HEAD(&c->core->deputies, d, over);
}

void
deputy_watch(struct client *c, deputy_news *fn)
{
	struct deputy *d = c->deputy;

	if (d->visits == NULL)
		return;
	if (d->news == NULL)
		LIST_INSERT_HEAD(&d->session.mesh->watching, d, watching);
	d->news = fn;
}

void
deputy_who(const struct client *c, struct deputy_who *out)
{
	const struct session_info *i = &c->session->info;

	out->token = c->deputy->token.id;
	out->mesh_id = i->mesh;
	out->member_id = i->member;
	out->name = i->name;
	out->member_name = c->deputy->token.member_name;
	memcpy(out->key, i->key, sizeof(out->key));
	memcpy(out->member_key, i->member_key, sizeof(out->member_key));
	out->mesh = c->deputy->token.slug;
}

const struct token *
deputy_token(const struct client *c)
{
	return c->deputy != NULL && c->deputy->shown ? &c->deputy->token : NULL;
}

void
deputy_turn(struct core *c)
{
	struct deputy *d;

	while ((d = LIST_FIRST(&c->deputies)) != NULL) {
		LIST_REMOVE(d, over);
		deputy_free(d);
	}
}
