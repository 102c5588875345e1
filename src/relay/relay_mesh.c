/* SPDX-License-Identifier: ISC */
/*
 * Which host serves which mesh: so that a record goes to those only whom it
 * concerns.
 *
 * A worker that begins to read a mesh says so on the bus.  When it is the
 * first of its host, the host writes that down and tells the others; each of
 * them becomes interested in the mesh on its own bus, for this host, and then
 * tells it to read the mesh once more.  So nothing falls between: what was
 * committed before that interest is in what is read, what is committed later
 * is sent.  A host that comes to know of a pair from the table, because it has
 * just started or was away, does the same.
 *
 * The relay's own bit on the bus is set for what other hosts serve, never for
 * what this host serves: that is seen from the bits of the others.
 */
#include <stdlib.h>
#include <string.h>

#include "relay/relay_process.h"

/* A mesh that nobody has served for so long is given up. */
#define MESH_IDLE_MS 60000
#define MESH_SAY_MAX 1000

struct relay_mesh *
relay_mesh_find(const struct relay *r, const struct id *id)
{
	struct hash_entry *e = hash_find(&r->meshes, id->b, ID_LEN);

	return e != NULL ? CONTAINER(e, struct relay_mesh, hash) : NULL;
}

static struct relay_mesh *
hosts_get(struct relay *r, const struct id *id)
{
	struct relay_mesh *m = relay_mesh_find(r, id);

	if (m != NULL)
		return m;
	m = xcalloc(1, sizeof(*m));
	m->id = *id;
	LIST_INIT(&m->hosts);
	hash_insert(&r->meshes, &m->hash, m->id.b, ID_LEN);
	return m;
}

static void
hosts_unsay(struct relay *r, struct relay_mesh *m)
{
	if (!m->is_unsaid)
		return;
	TAILQ_REMOVE(&r->unsaid, m, unsaid);
	m->is_unsaid = false;
}

static void
hosts_rest(struct relay *r, struct relay_mesh *m)
{
	if (m->here || !LIST_EMPTY(&m->hosts))
		return;
	hosts_unsay(r, m);
	hash_remove(&r->meshes, &m->hash);
	free(m);
}

static void
hosts_drop(struct relay *r, struct relay_mesh *m, struct relay_pair *p)
{
	LIST_REMOVE(p, entry);
	free(p);
	r->pairs--;
	if (LIST_EMPTY(&m->hosts))
		bus_interest_drop(r->role.bus, &m->id);
}

/* Its row, and its word to the others, go with the next flush. */
static void
hosts_say(struct relay *r, struct relay_mesh *m)
{
	if (m->is_unsaid)
		return;
	m->is_unsaid = true;
	TAILQ_INSERT_TAIL(&r->unsaid, m, unsaid);
}

void
relay_mesh_serve(struct relay *r, const struct id *id)
{
	struct relay_mesh *m = hosts_get(r, id);

	m->used_ms = clock_mono();
	if (m->here)
		return;
	m->here = true;
	hosts_say(r, m);
}

void
relay_mesh_served(struct relay *r, const struct id *host, const struct id *id)
{
	struct relay_mesh *m = hosts_get(r, id);
	struct relay_pair *p;

	LIST_FOREACH (p, &m->hosts, entry)
		if (id_same(&p->host, host)) {
			p->round = r->round;
			return;
		}
	if (LIST_EMPTY(&m->hosts))
		bus_interest_add(r->role.bus, &m->id);
	p = xcalloc(1, sizeof(*p));
	p->host = *host;
	p->round = r->round;
	LIST_INSERT_HEAD(&m->hosts, p, entry);
	r->pairs++;
	/* Until now nobody told that host of the mesh. */
	relay_tell(r, host, EVENT_RELOAD, (const char *)id->b, ID_LEN);
}

void
relay_mesh_repeat(struct relay *r)
{
	struct hash_entry *e, *next;
	struct relay_mesh *m;
	size_t i;

	HASH_FOREACH (e, next, i, &r->meshes) {
		m = CONTAINER(e, struct relay_mesh, hash);
		if (m->here)
			hosts_say(r, m);
	}
}

static void
hosts_own(void *arg, const struct db_result *res)
{
	struct relay *r = arg;
	struct id id;
	size_t i;

	if (db_status(res) != DB_OK) {
		r->again = true;
		return;
	}
	for (i = 0; i < db_rows(res); i++) {
		db_id(res, i, 0, &id);
		relay_mesh_serve(r, &id);
	}
}

void
relay_mesh_read_own(struct relay *r)
{
	struct db_params *p = db_params(STMT_relay_served);

	db_put_id(p, &r->role.start.config.host);
	db_query(r->role.core->reads, p, hosts_own, r);
}

/* Pairs that were told of since the question was asked stay. */
static void
hosts_others(void *arg, const struct db_result *res)
{
	struct relay *r = arg;
	struct hash_entry *e, *next;
	struct relay_pair *p, *after;
	struct relay_mesh *m;
	struct id host, id;
	size_t i;

	if (db_status(res) != DB_OK)
		return;
	for (i = 0; i < db_rows(res); i++) {
		db_id(res, i, 0, &host);
		db_id(res, i, 1, &id);
		relay_mesh_served(r, &host, &id);
	}
	HASH_FOREACH (e, next, i, &r->meshes) {
		m = CONTAINER(e, struct relay_mesh, hash);
		LIST_FOREACH_SAFE (p, &m->hosts, entry, after)
			if (p->round != r->round)
				hosts_drop(r, m, p);
		hosts_rest(r, m);
	}
}

void
relay_mesh_read(struct relay *r)
{
	struct db_params *p = db_params(STMT_relay_meshes);

	r->round++;
	db_put_id(p, &r->role.start.config.host);
	db_query(r->role.core->reads, p, hosts_others, r);
}

static void
hosts_said(void *arg, const struct db_result *res)
{
	struct relay *r = arg;

	if (db_status(res) != DB_OK)
		r->again = true;
}

/* A statement about meshes of this host. */
static void
hosts_write(
    struct relay *r, enum db_stmt stmt, struct relay_mesh *const *v, size_t n)
{
	char hex[MESH_SAY_MAX][ID_HEX_LEN + 1];
	struct slice text[MESH_SAY_MAX];
	struct db_params *p;
	size_t i;

	if (n == 0)
		return;
	for (i = 0; i < n; i++)
		text[i] =
		    (struct slice){ id_hex(&v[i]->id, hex[i]), ID_HEX_LEN };
	p = db_params(stmt);
	db_put_id(p, &r->role.start.config.host);
	db_put_texts(p, text, n);
	db_query(r->role.core->reads, p, hosts_said, r);
}

/* The row is committed before the word goes out, over the same connection: who
 * has just begun to listen finds one or hears the other. */
void
relay_mesh_flush(struct relay *r)
{
	struct relay_mesh *v[MESH_SAY_MAX], *m;
	size_t n = 0, i;

	if (!r->role.core->up)
		return;
	while (n < NELEM(v) && (m = TAILQ_FIRST(&r->unsaid)) != NULL) {
		hosts_unsay(r, m);
		v[n++] = m;
	}
	hosts_write(r, STMT_relay_serve, v, n);
	for (i = 0; i < n; i++)
		relay_tell(
		    r, NULL, EVENT_SERVES, (const char *)v[i]->id.b, ID_LEN);
}

/* Does a process of this host serve it? */
static bool
hosts_is_used(const struct relay *r, const struct relay_mesh *m)
{
	return (bus_interest(r->role.bus, &m->id) &
		   ~BUS_BIT(bus_self(r->role.bus))) != 0;
}

void
relay_mesh_tick(struct relay *r)
{
	struct relay_mesh *v[MESH_SAY_MAX], *m;
	struct hash_entry *e, *next;
	size_t n = 0, i;

	HASH_FOREACH (e, next, i, &r->meshes) {
		m = CONTAINER(e, struct relay_mesh, hash);
		if (!m->here || n == NELEM(v))
			continue;
		if (hosts_is_used(r, m))
			m->used_ms = clock_mono();
		else if (clock_mono() - m->used_ms > MESH_IDLE_MS) {
			m->here = false;
			v[n++] = m;
		}
	}
	if (n == 0)
		return;
	hosts_write(r, STMT_relay_unserve, v, n);
	for (i = 0; i < n; i++)
		hosts_rest(r, v[i]);
}

void
relay_mesh_close(struct relay *r)
{
	struct hash_entry *e, *next;
	struct relay_pair *p;
	struct relay_mesh *m;
	size_t i;

	HASH_FOREACH (e, next, i, &r->meshes) {
		m = CONTAINER(e, struct relay_mesh, hash);
		while ((p = LIST_FIRST(&m->hosts)) != NULL)
			hosts_drop(r, m, p);
		free(m);
	}
	hash_free(&r->meshes);
}
