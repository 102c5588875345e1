/* SPDX-License-Identifier: ISC */
/*
 * Transfers under way.  A link is looked at when its transfer begins; but a
 * gigabyte takes its time, and who was banned or whose token was revoked
 * meanwhile shall not have the rest.  So every few seconds the database is
 * asked about all of them at once: it knows what any host has changed, and no
 * mesh has to be held for it.
 *
 * And claims that were given up: a row that stays claimed can be uploaded by
 * nobody for a day, so what the database did not hear is said again.
 */
#include <stdlib.h>

#include "core/domain.h"
#include "core/file.h"

#define WATCH_MS 3000
#define WATCH_MAX 2048 /* asked for at once */

struct file_claim {
	TAILQ_ENTRY(file_claim) entry;
	struct core *core;
	struct id file;
	struct id claim;
};

void
file_watch(struct core *c, struct file_watch *w)
{
	LIST_INSERT_HEAD(&c->transfers, w, entry);
	if (w->link->upload)
		core_count(c, FILES_UP);
	else
		core_count(c, FILES_DOWN);
}

void
file_unwatch(struct core *c, struct file_watch *w)
{
	if (w->link == NULL)
		return;
	if (w->link->upload)
		c->counters[METRIC_FILES_UP]--;
	else
		c->counters[METRIC_FILES_DOWN]--;
	LIST_REMOVE(w, entry);
	w->link = NULL;
}

static void
watch_answer(void *arg, const struct db_result *r)
{
	struct file_watch *w, *next;
	struct core *c = arg;
	struct id member, token;
	size_t i;

	if (db_status(r) != DB_OK)
		return;
	for (i = 0; i < db_rows(r); i++) {
		db_id(r, i, 0, &member);
		db_id(r, i, 1, &token);
		LIST_FOREACH_SAFE (w, &c->transfers, entry, next)
			if (id_same(&w->link->member, &member) &&
			    id_same(&w->link->token, &token))
				w->barred(w->arg);
	}
}

static void
watch_ask(struct core *c)
{
	struct db_params *p = db_params(STMT_file_barred);
	struct slice *members = xcalloc(2 * WATCH_MAX, sizeof(*members));
	struct slice *tokens = members + WATCH_MAX;
	const struct file_watch *w;
	struct pool pool;
	char *hex;
	size_t n = 0;

	pool_init(&pool);
	LIST_FOREACH (w, &c->transfers, entry) {
		if (n == WATCH_MAX)
			break;
		hex = pool_alloc(&pool, 2 * (ID_HEX_LEN + 1));
		members[n].p = id_hex(&w->link->member, hex);
		tokens[n].p = id_hex(&w->link->token, hex + ID_HEX_LEN + 1);
		members[n].n = tokens[n].n = ID_HEX_LEN;
		n++;
	}
	db_put_texts(p, members, n);
	db_put_texts(p, tokens, n);
	db_query(c->reads, p, watch_answer, c);
	pool_free(&pool);
	free(members);
}

static void
claim_answer(void *arg, const struct db_result *r)
{
	struct file_claim *u = arg;

	if (db_status(r) == DB_UNAVAILABLE)
		TAILQ_INSERT_TAIL(&u->core->unclaims, u, entry);
	else
		free(u);
}

static void
claim_give_up(struct file_claim *u)
{
	struct db_params *p = db_params(STMT_file_unclaim);

	db_put_id(p, &u->file);
	db_put_id(p, &u->claim);
	db_query(u->core->reads, p, claim_answer, u);
}

void
file_unclaim(struct core *c, const struct file_link *l)
{
	struct file_claim *u = xcalloc(1, sizeof(*u));

	u->core = c;
	u->file = l->file;
	u->claim = l->claim;
	claim_give_up(u);
}

void
file_tick(struct core *c)
{
	TAILQ_HEAD(, file_claim) again = TAILQ_HEAD_INITIALIZER(again);
	struct file_claim *u;

	if (!LIST_EMPTY(&c->transfers) &&
	    clock_mono() - c->transfers_ms >= WATCH_MS) {
		c->transfers_ms = clock_mono();
		watch_ask(c);
	}
	if (!c->up)
		return;
	TAILQ_CONCAT(&again, &c->unclaims, entry);
	while ((u = TAILQ_FIRST(&again)) != NULL) {
		TAILQ_REMOVE(&again, u, entry);
		claim_give_up(u);
	}
}

void
file_watch_close(struct core *c)
{
	struct file_claim *u;

	while ((u = TAILQ_FIRST(&c->unclaims)) != NULL) {
		TAILQ_REMOVE(&c->unclaims, u, entry);
		free(u);
	}
}
