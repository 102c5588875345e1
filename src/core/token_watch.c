/* SPDX-License-Identifier: ISC */
/*
 * Connections that stay, of who shows a token, or for whom a back end acts:
 * each is closed when its credential is not good any more, or not enough.
 *
 * Whatever makes a token worth less is told as a change of its member
 * (token_told()), and its time is known; then the database is asked what it is
 * worth.  Without an answer it is asked again: a token is good until it is
 * known not to be.
 */
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"

/* A question about a deputy's token; NULL: it has left. */
struct token_asking {
	struct deputy *deputy;
};

static void
token_watch_end(struct deputy *d, enum err why, const char *text)
{
	struct client *c = d->client;

	token_unwatch(d);
	/* Also for a request that waits. */
	c->scopes = d->scopes = SCOPE_BIT(SCOPE_PUBLIC);
	c->calls->close(c, why, text);
}

/* What a token is worth now, 0 for nothing, after its connection is closed. */
static uint64_t
token_watch_worth(struct deputy *d, const struct db_result *res)
{
	struct slice names[SCOPE_MAX];
	size_t n, wrong;

	if (db_rows(res) == 0 || !db_null(res, 0, 11))
		token_watch_end(d, ERR_UNAUTHORIZED,
		    "The token was revoked; make a new one.");
	else if (db_int(res, 0, 16) <= 0)
		token_watch_end(d, ERR_UNAUTHORIZED,
		    "The token has expired; make a new one.");
	else if (db_bool(res, 0, 12))
		token_watch_end(d, ERR_REVOKED, "The membership was revoked.");
	else if (!db_null(res, 0, 14))
		token_watch_end(
		    d, ERR_BANNED, "The member was banned from the mesh.");
	else if (db_bool(res, 0, 13))
		token_watch_end(d, ERR_FORBIDDEN, "The mesh is archived.");
	else {
		n = db_texts(res, 0, 5, names, NELEM(names));
		return token_scopes(names, n, &wrong) &
		       token_scopes_of(db_text(res, 0, 8));
	}
	return 0;
}

static void
token_watch_lacks(struct deputy *d, const char *text)
{
	token_watch_end(d, ERR_FORBIDDEN, text);
}

/* A back end acts for a member as long as it may, and the member is there. */
static void
token_watch_member(void *arg, const struct db_result *res)
{
	struct token_asking *a = arg;
	struct deputy *d = a->deputy;

	free(a);
	if (d == NULL)
		return;
	d->asking = NULL;
	if (db_status(res) != DB_OK)
		d->is_doubtful = true;
	else if (db_rows(res) == 0)
		token_watch_lacks(d, "actor is not in org");
}

static void
token_watch_ask_member(struct core *c, struct token_asking *a)
{
	const struct session_info *i = &a->deputy->session.info;
	struct db_params *p = db_params(STMT_principal_find);

	db_put_id(p, &i->mesh);
	db_put_id(p, &i->member);
	db_query(c->reads, p, token_watch_member, a);
}

static void
token_watch_answer(void *arg, const struct db_result *res)
{
	struct token_asking *a = arg;
	struct deputy *d = a->deputy;
	uint64_t scopes;

	if (d == NULL || db_status(res) != DB_OK) {
		if (d != NULL) {
			d->asking = NULL;
			d->is_doubtful = true;
		}
		free(a);
		return;
	}
	if ((scopes = token_watch_worth(d, res)) != 0 && d->vouched &&
	    scopes & SCOPE_BIT(SCOPE_SERVICE)) {
		token_watch_ask_member(d->client->core, a);
		return;
	}
	d->asking = NULL;
	free(a);
	if (scopes == 0)
		return;
	if (d->vouched) {
		token_watch_lacks(
		    d, "The token is not good for acting for others any more.");
		return;
	}
	d->scopes = scopes;
	d->client->scopes = scopes | SCOPE_BIT(SCOPE_PUBLIC);
	if (!(scopes & SCOPE_BIT(SCOPE_CHANNELS_READ)))
		token_watch_lacks(d,
		    "The member's role does not let it read channels any "
		    "more.");
}

static void
token_watch_ask(struct core *c, struct deputy *d)
{
	struct token_asking *a;
	struct db_params *p;

	/* What is on its way may be from before. */
	d->is_doubtful = d->asking != NULL;
	if (d->is_doubtful)
		return;
	a = xcalloc(1, sizeof(*a));
	a->deputy = d;
	d->asking = a;
	if (!d->shown && !d->vouched) {
		token_watch_ask_member(c, a);
		return;
	}
	p = db_params(STMT_token_find);
	db_put_bytes(p, d->token.digest, sizeof(d->token.digest));
	db_query(c->reads, p, token_watch_answer, a);
}

void
token_watch(struct client *c)
{
	struct deputy *d = c->deputy;

	if (d == NULL || d->is_watched)
		return;
	d->is_watched = true;
	LIST_INSERT_HEAD(&c->core->watched, d, watched);
	/* It may have been revoked since it was looked at. */
	token_watch_ask(c->core, d);
}

void
token_unwatch(struct deputy *d)
{
	if (!d->is_watched)
		return;
	d->is_watched = false;
	LIST_REMOVE(d, watched);
	if (d->asking != NULL)
		d->asking->deputy = NULL;
	d->asking = NULL;
}

void
token_watch_told(struct core *c, const struct id *mesh, const struct id *member)
{
	struct deputy *d;

	LIST_FOREACH (d, &c->watched, watched)
		if ((mesh == NULL || id_same(mesh, &d->session.info.mesh)) &&
		    (member == NULL || id_same(member, &d->token.member) ||
			id_same(member, &d->session.info.member)))
			token_watch_ask(c, d);
}

void
token_watch_tick(struct core *c)
{
	int64_t now = clock_wall();
	struct deputy *d;

	LIST_FOREACH (d, &c->watched, watched)
		if (d->is_doubtful ||
		    (d->token.expires_ms > 0 && now >= d->token.expires_ms))
			token_watch_ask(c, d);
}
