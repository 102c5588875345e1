/* SPDX-License-Identifier: ISC */
/*
 * A message as rows: its own, one for each recipient, and one for those whom
 * a process has when they are many (crowd.c).
 */
#include <string.h>

#include "core/message.h"
#include "core/schedule.h"

/* Rows that nobody holds are looked at again after this time, in case the
 * process that should have told the recipient died. */
#define MESSAGE_RECHECK_MS 5000

static struct crowding *
message_crowding(struct multicast *m, const struct id *host, unsigned proc)
{
	struct crowding *g;
	size_t i;

	for (i = 0; i < m->ncrowds; i++)
		if (m->crowds[i].proc == proc &&
		    id_same(&m->crowds[i].host, host))
			return &m->crowds[i];
	if (m->ncrowds == m->crowds_cap) {
		m->crowds_cap = m->crowds_cap > 0 ? 2 * m->crowds_cap : 16;
		g = pool_alloc(&m->request->pool, m->crowds_cap * sizeof(*g));
		if (m->ncrowds > 0)
			memcpy(g, m->crowds, m->ncrowds * sizeof(*g));
		m->crowds = g;
	}
	g = &m->crowds[m->ncrowds++];
	*g = (struct crowding){ .host = *host, .proc = proc };
	return g;
}

/* The crowd that a recipient may belong to; NULL: it waits for itself. */
static struct crowding *
message_crowd_of(struct multicast *m, const struct recipient *r)
{
	if (r->ref == 0 || !r->admits || r->member)
		return NULL;
	return message_crowding(m, &r->host, SESSION_REF_PROC(r->ref));
}

void
message_gather(struct multicast *m)
{
	struct crowding *g;
	size_t i;

	for (i = 0; i < m->to->n; i++)
		if ((g = message_crowd_of(m, &m->to->v[i])) != NULL)
			m->to->v[i].place = ++g->n;
	for (i = 0; i < m->to->n; i++)
		if ((g = message_crowd_of(m, &m->to->v[i])) != NULL &&
		    g->n < CROWD_MIN)
			m->to->v[i].place = 0;
}

/* The row of a recipient: how far it is, and who has it. */
static void
message_put_recipient(struct db_params *p, struct core *c,
    const struct multicast *m, struct recipient *r)
{
	enum delivery state = DELIVERY_QUEUED;
	struct session *s;
	bool held = r->ref != 0 && r->admits;

	if (m->pushed && r->proc == c->proc && r->ref != 0 &&
	    (s = session_by_ref(c, r->ref)) != NULL) {
		state = delivery_now(s, &m->message.id, &r->behind);
		delivery_recorded(s, &m->message.id);
	}
	db_put_id(p, &r->id);
	db_put_int(p, state);
	db_put_id(p, held ? &r->holder : NULL);
	db_put_int(p, held ? c->limits.ack_ms : MESSAGE_RECHECK_MS);
}

/* The row of a crowd: its recipients, and how far those here are. */
static void
message_put_crowd(
    struct db_params *p, struct core *c, struct multicast *m, size_t k)
{
	struct crowding *g = &m->crowds[k];
	struct recipient *r;
	struct session *s;
	uint8_t *ids = pool_alloc(&m->request->pool, (size_t)g->n * ID_LEN);
	uint8_t *none;
	size_t i, n = 0;

	for (i = 0; i < m->to->n; i++) {
		r = &m->to->v[i];
		if (r->place == 0 || message_crowd_of(m, r) != g)
			continue;
		memcpy(ids + n++ * ID_LEN, r->id.b, ID_LEN);
		if (g->crowd != NULL && (s = session_by_ref(c, r->ref)) != NULL)
			(void)delivery_now(s, &m->message.id, &r->behind);
	}
	db_put_null(p);
	db_put_int(p, g->proc);
	db_put_id(p, &g->host);
	db_put_int(p, c->limits.ack_ms);
	audience_id(&g->audience, ids, n * ID_LEN);
	db_put_id(p, &g->audience);
	if (audience_known(c, &g->audience))
		db_put_null(p);
	else {
		db_put_bytes(p, ids, n * ID_LEN);
		g->said_ms = clock_mono();
	}
	if (g->crowd != NULL)
		crowd_put(p, g->crowd, n);
	else {
		none = pool_zalloc(&m->request->pool, n * CROWD_MARK_LEN);
		db_put_bytes(p, none, n * CROWD_MARK_LEN);
		db_put_int(p, (int64_t)n);
	}
}

static void
message_put_recipients(struct db_params *p, struct core *c, struct multicast *m)
{
	size_t i;

	for (i = 0; i < m->to->n; i++) {
		if (m->to->v[i].place != 0)
			continue;
		db_more(p);
		message_put_recipient(p, c, m, &m->to->v[i]);
		if (m->due != NULL)
			continue;
		db_put_null(p);
		db_put_null(p);
		db_put_null(p);
		db_put_null(p);
	}
	for (i = 0; i < m->ncrowds; i++)
		if (m->crowds[i].n >= CROWD_MIN) {
			db_more(p);
			message_put_crowd(p, c, m, i);
		}
}

void
message_put(struct db_params *p, struct core *c, struct multicast *m)
{
	const struct message *g = &m->message;
	struct slice more[MESSAGE_MORE];
	size_t n = message_more_texts(g->more, more);

	db_put_id(p, &g->id);
	db_put_id(p, &g->mesh);
	db_put_id(p, &g->sender_member);
	db_put_id(p, &m->sender_session);
	db_put_bytes(p, g->sender_key, CRYPTO_KEY_LEN);
	db_put_text(p, g->sender_name.p, g->sender_name.n);
	db_put_text(p, g->target.p, g->target.n);
	db_put_int(p, g->priority);
	db_put_text(p, g->nonce.p, g->nonce.n);
	db_put_text(p, g->ciphertext.p, g->ciphertext.n);
	db_put_text(
	    p, m->client_id.n > 0 ? m->client_id.p : NULL, m->client_id.n);
	db_put_bytes(p, m->fingerprint, sizeof(m->fingerprint));
	db_put_int(p, g->created_ms);
	db_put_int(p, g->expires_ms - g->created_ms);
	if (n > 0)
		db_put_texts(p, more, n);
	else
		db_put_null(p);
	if (m->due != NULL) {
		db_put_id(p, &m->due->schedule);
		db_put_int(p, m->due->due_ms);
		db_put_int(p, m->due->next_ms);
	}
	message_put_recipients(p, c, m);
}

void
message_put_done(struct multicast *m)
{
	size_t i;

	for (i = 0; i < m->ncrowds; i++)
		if (m->crowds[i].said_ms != 0)
			audience_stored(m->request->core,
			    &m->crowds[i].audience, m->crowds[i].said_ms);
}
