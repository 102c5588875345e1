/* SPDX-License-Identifier: ISC */
/*
 * The recipients of a multicast that this process has, when they are many: one
 * row of the database says of all of them how far they are, so that a message
 * to a thousand costs a few rows and not some thousands.
 *
 * Its sender's process makes the row with the message; from then on only the
 * process that pushes writes it, and always all that it knows: a mark is a
 * byte for the state and two times.  One mark is under way at a time; what
 * changes meanwhile goes with the next.  So the whole costs two or three
 * updates, however the acks are spread.
 *
 * A recipient for whom that is not enough leaves the crowd (crowd_leave): it
 * has a row of its own then, like that of a direct message, and waits as such.
 * Whoever finds a crowd that was not brought to an end in time splits it
 * (crowd_due): then all that is left has rows of its own, and what a process
 * still knows of it goes there.
 */
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"

#define CROWD_OWN 4 /* a mark: see sql/0001_init.sql */
/* Who left is looked at again after this time, in case nobody else does. */
#define CROWD_LEFT_MS 5000
#define CROWD_TIME_MAX 0xffffff
/* A message that is not stored by then never will be: its sender was not
 * answered. */
#define CROWD_STORE_MS 60000

struct crowd {
	TAILQ_ENTRY(crowd) entry;
	TAILQ_ENTRY(crowd) dirty_entry;
	struct core *core;
	struct id message;
	struct id mesh;
	enum priority priority;
	int64_t created_ms;
	int64_t expires_ms;
	struct parcel **parcels; /* NULL: none, or no longer */
	uint8_t *marks;
	uint8_t *said; /* the marks that are under way */
	uint32_t n, cap, nsaid;
	uint32_t nparcels;
	uint32_t done; /* that wait for nothing */
	int64_t since_ms;
	bool stored; /* there is a row, or soon */
	bool dirty;
};

static uint8_t *
crowd_at(const struct crowd *k, uint32_t i)
{
	return k->marks + (size_t)i * CROWD_MARK_LEN;
}

static void
crowd_put_time(const struct crowd *k, uint8_t out[3])
{
	int64_t ms = clock_wall() - k->created_ms;

	ms = ms < 0 ? 0 : ms > CROWD_TIME_MAX ? CROWD_TIME_MAX : ms;
	out[0] = (uint8_t)(ms >> 16);
	out[1] = (uint8_t)(ms >> 8);
	out[2] = (uint8_t)ms;
}

static int64_t
crowd_time(const struct crowd *k, const uint8_t in[3])
{
	return k->created_ms + (in[0] << 16) + (in[1] << 8) + in[2];
}

static void
crowd_grow(struct crowd *k, uint32_t n)
{
	uint32_t old = k->cap;

	if (n <= old)
		return;
	k->cap = n > 2 * old ? n : 2 * old;
	k->marks = xreallocarray(k->marks, k->cap, CROWD_MARK_LEN);
	k->parcels = xreallocarray(k->parcels, k->cap, sizeof(struct parcel *));
	memset(crowd_at(k, old), 0, (size_t)(k->cap - old) * CROWD_MARK_LEN);
	memset(k->parcels + old, 0, (k->cap - old) * sizeof(struct parcel *));
}

struct crowd *
crowd_new(struct core *c, const struct message *m, size_t n, bool stored)
{
	struct crowd *k = xcalloc(1, sizeof(*k));

	k->core = c;
	k->message = m->id;
	k->mesh = m->mesh;
	k->priority = m->priority;
	k->created_ms = m->created_ms;
	k->expires_ms = m->expires_ms;
	k->stored = stored;
	k->since_ms = clock_mono();
	crowd_grow(k, (uint32_t)n);
	TAILQ_INSERT_TAIL(&c->crowds, k, entry);
	return k;
}

struct crowd *
crowd_find(struct core *c, const struct id *message)
{
	struct crowd *k;

	/* The rest of a crowd comes right after its beginning. */
	TAILQ_FOREACH_REVERSE(k, &c->crowds, crowd_list, entry)
	if (id_same(&k->message, message))
		return k;
	return NULL;
}

static void
crowd_dirty(struct crowd *k)
{
	if (k->dirty)
		return;
	k->dirty = true;
	TAILQ_INSERT_TAIL(&k->core->dirty_crowds, k, dirty_entry);
}

static void
crowd_clean(struct crowd *k)
{
	if (!k->dirty)
		return;
	k->dirty = false;
	TAILQ_REMOVE(&k->core->dirty_crowds, k, dirty_entry);
}

static void
crowd_free(struct crowd *k)
{
	TAILQ_REMOVE(&k->core->crowds, k, entry);
	free(k->parcels);
	free(k->marks);
	free(k->said);
	free(k);
}

bool
crowd_rest(struct crowd *k)
{
	if (k->said != NULL || k->dirty || k->nparcels > 0 || !k->stored)
		return false;
	crowd_free(k);
	return true;
}

void
crowd_enter(struct crowd *k, uint32_t place, struct parcel *p)
{
	uint32_t i = place - 1;

	crowd_grow(k, i + 1);
	if (i >= k->n)
		k->n = i + 1;
	k->parcels[i] = p;
	k->nparcels++;
}

static struct parcel *
crowd_take(struct crowd *k, uint32_t i)
{
	struct parcel *p = k->parcels[i];

	if (p != NULL) {
		k->parcels[i] = NULL;
		k->nparcels--;
	}
	return p;
}

void
crowd_forget(struct crowd *k, uint32_t place)
{
	(void)crowd_take(k, place - 1);
}

void
crowd_mark(struct crowd *k, uint32_t place, enum delivery state)
{
	uint8_t *mark = crowd_at(k, place - 1);

	if (mark[0] >= state)
		return;
	if (mark[0] == DELIVERY_QUEUED)
		crowd_put_time(k, mark + 1);
	if (state == DELIVERY_ACKED) {
		crowd_put_time(k, mark + 4);
		k->done++;
	}
	mark[0] = (uint8_t)state;
	crowd_dirty(k);
}

void
crowd_leave(struct crowd *k, uint32_t place, const struct id *recipient,
    db_fn *fn, void *arg)
{
	uint32_t i = place - 1;
	struct db_params *p;
	uint8_t *mark;

	crowd_grow(k, i + 1);
	if (i >= k->n)
		k->n = i + 1;
	mark = crowd_at(k, i);
	p = db_row(k->core->marks, STMT_crowd_leave, fn, arg);
	db_put_id(p, &k->message);
	db_put_id(p, recipient);
	db_put_id(p, &k->mesh);
	db_put_int(p, k->priority);
	db_put_int(p, mark[0] == DELIVERY_PUSHED);
	db_put_int(p, crowd_time(k, mark + 1));
	db_put_int(p, k->expires_ms);
	db_put_int(p, CROWD_LEFT_MS);
	mark[0] = CROWD_OWN;
	k->done++;
	crowd_dirty(k);
	(void)crowd_take(k, i);
}

/* It was split, or never stored: its parcels stand for themselves. */
static void
crowd_dissolve(struct crowd *k)
{
	struct parcel *p;
	uint32_t i;

	for (i = 0; i < k->n; i++)
		if ((p = crowd_take(k, i)) != NULL)
			delivery_alone(p);
	crowd_clean(k);
}

/* What was said stands in the database. */
static void
crowd_settle(struct crowd *k)
{
	struct parcel *p;
	uint32_t i;

	for (i = 0; i < k->nsaid; i++)
		if (k->said[i] == DELIVERY_ACKED &&
		    (p = crowd_take(k, i)) != NULL)
			delivery_settled(p);
}

static void
crowd_marked(void *arg, const struct db_result *r)
{
	struct crowd *k = arg;

	if (db_status(r) != DB_OK || db_rows(r) == 0)
		crowd_dirty(k);
	else if (db_bool(r, 0, 0))
		crowd_settle(k);
	else if (db_bool(r, 0, 1) ||
		 clock_mono() - k->since_ms > CROWD_STORE_MS)
		crowd_dissolve(k);
	else
		crowd_dirty(k);
	free(k->said);
	k->said = NULL;
	(void)crowd_rest(k);
}

static void
crowd_say(struct crowd *k)
{
	struct db_params *p;
	uint32_t i;

	crowd_clean(k);
	k->nsaid = k->n;
	k->said = xmalloc(k->n);
	for (i = 0; i < k->n; i++)
		k->said[i] = *crowd_at(k, i);
	p = db_row_patient(k->core->marks, STMT_crowd_mark, crowd_marked, k);
	db_put_id(p, &k->message);
	db_put_id(p, &k->core->host);
	db_put_int(p, k->core->proc);
	db_put_bytes(p, k->marks, (size_t)k->n * CROWD_MARK_LEN);
	db_put_int(p, k->done);
}

void
crowd_turn(struct core *c)
{
	struct crowd *k, *next;

	if (!c->up)
		return;
	TAILQ_FOREACH_SAFE (k, &c->dirty_crowds, dirty_entry, next)
		if (k->stored && k->said == NULL)
			crowd_say(k);
}

void
crowd_put(struct db_params *p, struct crowd *k, size_t n)
{
	size_t i;

	crowd_grow(k, (uint32_t)n);
	db_put_bytes(p, k->marks, n * CROWD_MARK_LEN);
	db_put_int(p, (int64_t)n - k->done);
	k->stored = true;
	crowd_clean(k);
	for (i = 0; i < k->n; i++)
		if (crowd_at(k, (uint32_t)i)[0] == DELIVERY_ACKED &&
		    k->parcels[i] != NULL)
			delivery_settled(crowd_take(k, (uint32_t)i));
	(void)crowd_rest(k);
}
