/* SPDX-License-Identifier: ISC */
/*
 * What is under way to the sessions of this process.
 *
 * A session that gets messages has an outbox; each message in it is a parcel:
 *
 *	sent ----> written ----> acked ----> (marked in the database, freed)
 *
 * sent: handed to the connection.  written: the kernel has it; the row says
 * pushed, or, for a client that never acks, acked.  acked: the client said so.
 * A parcel stays until the database has its last word, and until a drain that
 * was under way then has ended: it may have found the row before, and answers
 * on another connection.
 *
 * What cannot be pushed now stays in the database: because the status forbids
 * it (parked: the change of status drains it), or because the window of
 * unacked messages or half of the connection's output is full, or older ones
 * are still to come (backlog: acks and writes drain it).  While there is a
 * backlog nothing overtakes it: the drain brings everything in the order of
 * ids.
 *
 * A parcel that is not acked in time comes back by itself: due_at of its row
 * passes, jobs frees the row and nudges, and whichever session of the member
 * drains first has it.
 */
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"

enum parcel_state {
	PARCEL_SENT,
	PARCEL_WRITTEN,
	PARCEL_ACKED
};

struct parcel {
	TAILQ_ENTRY(parcel) entry;
	struct outbox *box;
	struct crowd *crowd; /* that has its mark; NULL: it has a row */
	uint32_t place;
	struct id message;
	struct id recipient;
	enum priority priority;
	enum parcel_state state;
	enum delivery marked; /* what the database knows */
	bool marking;	      /* a mark is under way */
	bool stored;	      /* there may be marks */
	size_t size;	      /* bytes that are not written */
	uint64_t pos;
	int64_t pushed_ms;
};

struct outbox {
	struct session *session;
	TAILQ_HEAD(parcels, parcel) parcels; /* in the order of pushing */
	struct parcel *unwritten;	     /* the first that is not written */
	struct id newest; /* the greatest id that was among them */
	unsigned unacked;
	size_t bytes;	  /* of the parcels that are not written */
	unsigned parking; /* rows that are being given back */
	bool draining;
	bool again;   /* something came while draining */
	bool backlog; /* older ones wait in the database */
	bool is_late;
	TAILQ_ENTRY(outbox) late;
};

/* A session from a database callback: it may be gone by then. */
struct delivery_arg {
	struct core *core;
	uint64_t ref;
	struct id message;
	enum delivery state;
	size_t limit;
};

static struct outbox *
outbox_get(struct session *s)
{
	struct outbox *o = s->outbox;

	if (o == NULL) {
		o = s->outbox = xcalloc(1, sizeof(*o));
		o->session = s;
		TAILQ_INIT(&o->parcels);
	}
	return o;
}

static void
outbox_no_longer_late(struct outbox *o)
{
	struct core *c = o->session->mesh->core;

	TAILQ_REMOVE(&c->late, o, late);
	c->nlate--;
	o->is_late = false;
}

static void
outbox_free(struct outbox *o)
{
	struct parcel *p;

	while ((p = TAILQ_FIRST(&o->parcels)) != NULL) {
		TAILQ_REMOVE(&o->parcels, p, entry);
		free(p);
	}
	if (o->is_late)
		outbox_no_longer_late(o);
	o->session->outbox = NULL;
	free(o);
}

/* An idle session has no outbox. */
static void
outbox_rest(struct outbox *o)
{
	if (TAILQ_EMPTY(&o->parcels) && !o->draining && !o->backlog &&
	    !o->is_late && o->parking == 0)
		outbox_free(o);
}

static void
outbox_put_off(struct outbox *o)
{
	if (o->is_late)
		return;
	o->is_late = true;
	TAILQ_INSERT_TAIL(&o->session->mesh->core->late, o, late);
	o->session->mesh->core->nlate++;
}

/* Ids rise with time: what is new is seldom here, and that is seen at once. */
static struct parcel *
parcel_find(const struct outbox *o, const struct id *message)
{
	struct parcel *p;

	if (o == NULL || memcmp(message->b, o->newest.b, ID_LEN) > 0)
		return NULL;
	TAILQ_FOREACH (p, &o->parcels, entry)
		if (id_same(&p->message, message))
			return p;
	return NULL;
}

/* The same for one that was pushed in this turn. */
static struct parcel *
parcel_find_new(const struct outbox *o, const struct id *message)
{
	struct parcel *p;

	if (o == NULL)
		return NULL;
	TAILQ_FOREACH_REVERSE(p, &o->parcels, parcels, entry)
	if (id_same(&p->message, message))
		return p;
	return NULL;
}

static void
parcel_free(struct outbox *o, struct parcel *p)
{
	if (p->crowd != NULL) {
		crowd_forget(p->crowd, p->place);
		(void)crowd_rest(p->crowd);
	}
	if (o->unwritten == p)
		o->unwritten = TAILQ_NEXT(p, entry);
	o->bytes -= p->size;
	TAILQ_REMOVE(&o->parcels, p, entry);
	free(p);
}

static struct delivery_arg *
delivery_arg(const struct session *s)
{
	struct delivery_arg *a = xcalloc(1, sizeof(*a));

	a->core = s->mesh->core;
	a->ref = s->info.ref;
	return a;
}

static enum delivery
parcel_delivery(const struct parcel *p)
{
	switch (p->state) {
	case PARCEL_ACKED:
		return DELIVERY_ACKED;
	case PARCEL_WRITTEN:
		return DELIVERY_PUSHED;
	case PARCEL_SENT:
		break;
	}
	return DELIVERY_QUEUED;
}

static void parcel_mark(struct outbox *o, struct parcel *p);

static void
parcel_marked(void *arg, const struct db_result *r)
{
	struct delivery_arg *a = arg;
	struct session *s = session_by_ref(a->core, a->ref);
	struct outbox *o = s != NULL ? s->outbox : NULL;
	struct parcel *p = parcel_find(o, &a->message);

	if (p != NULL) {
		p->marking = false;
		if (db_status(r) == DB_OK)
			p->marked = a->state;
		if (p->marked == DELIVERY_ACKED) {
			if (!o->draining)
				parcel_free(o, p);
			outbox_rest(o);
		} else if (db_status(r) != DB_OK)
			outbox_put_off(o);
		else
			parcel_mark(o, p);
	}
	free(a);
}

/* Tells the database how far the parcel is, one mark at a time. */
static void
parcel_mark(struct outbox *o, struct parcel *p)
{
	const struct session *s = o->session;
	const struct core_limits *l = &s->mesh->core->limits;
	enum delivery state = parcel_delivery(p);
	struct delivery_arg *a;
	struct db_params *row;

	if (p->crowd != NULL) {
		crowd_mark(p->crowd, p->place, state);
		return;
	}
	if (!p->stored || p->marking || state <= p->marked)
		return;
	a = delivery_arg(s);
	a->message = p->message;
	a->state = state;
	p->marking = true;
	row = db_row_patient(
	    a->core->marks, STMT_delivery_mark, parcel_marked, a);
	db_put_id(row, &p->message);
	db_put_id(row, &p->recipient);
	db_put_id(row, &s->mesh->id);
	db_put_id(row, &s->info.id);
	db_put_int(row, p->priority);
	db_put_int(row, state);
	db_put_int(row, clock_wall());
	db_put_int(row, l->ack_ms);
	db_put_int(row, l->hold_ms);
}

static void
parcel_acked(struct outbox *o, struct parcel *p)
{
	if (p->state == PARCEL_ACKED)
		return;
	p->state = PARCEL_ACKED;
	o->unacked--;
	core_count(o->session->mesh->core, ACKED);
	parcel_mark(o, p);
}

void
delivery_written(struct session *s, uint64_t pos)
{
	struct outbox *o = s->outbox;
	struct parcel *p, *next;

	if (o == NULL)
		return;
	for (p = o->unwritten; p != NULL && p->pos <= pos; p = next) {
		next = TAILQ_NEXT(p, entry);
		o->unwritten = next;
		o->bytes -= p->size;
		p->size = 0;
		if (p->state != PARCEL_SENT)
			continue;
		p->state = PARCEL_WRITTEN;
		p->pushed_ms = clock_mono();
		if (s->info.acks)
			parcel_mark(o, p);
		else
			parcel_acked(o, p);
	}
	if (o->unwritten == NULL)
		client_want_written(s->client, WRITTEN_DELIVERY, false);
	if (o->backlog && o->bytes == 0 &&
	    o->unacked < (unsigned)s->mesh->core->limits.unacked)
		delivery_drain(s);
}

/*
 * A drain passes over rows that are locked.  While rows of its own are being
 * given back it would miss them, and bring younger ones first: it waits.
 */
static void
delivery_parked(void *arg, const struct db_result *r)
{
	struct delivery_arg *a = arg;
	struct session *s = session_by_ref(a->core, a->ref);
	struct outbox *o = s != NULL ? s->outbox : NULL;

	(void)r;
	if (o != NULL && o->parking > 0 && --o->parking == 0) {
		if (o->backlog)
			delivery_drain(s);
		else
			outbox_rest(o);
	}
	free(a);
}

static void
delivery_park(
    struct session *s, const struct id *message, const struct id *recipient)
{
	struct db_params *p = db_row(s->mesh->core->marks, STMT_delivery_park,
	    delivery_parked, delivery_arg(s));

	outbox_get(s)->parking++;
	db_put_id(p, message);
	db_put_id(p, recipient);
	db_put_id(p, &s->info.id);
}

/* As above, of one in a crowd. */
static void
delivery_leave(struct session *s, struct crowd *k, uint32_t place)
{
	outbox_get(s)->parking++;
	crowd_leave(k, place, &s->info.id, delivery_parked, delivery_arg(s));
}

/* It came late, and is not for anybody any more. */
static bool
message_is_over(const struct message *m)
{
	return m->expires_ms <= clock_wall();
}

static size_t
message_size(const struct message *m)
{
	return m->nonce.n + m->ciphertext.n;
}

/* How much may be unwritten: the rest of the output is for answers. */
static size_t
outbox_room(const struct outbox *o)
{
	return (size_t)o->session->mesh->core->limits.output / 2;
}

/* One message always has room, however large. */
static bool
outbox_is_full(const struct outbox *o, const struct message *m)
{
	return o->unacked >= (unsigned)o->session->mesh->core->limits.unacked ||
	       (o->bytes > 0 && o->bytes + message_size(m) > outbox_room(o));
}

static void
parcel_push(struct outbox *o, const struct id *recipient,
    const struct message *m, struct event *e, bool stored, struct crowd *crowd,
    uint32_t place)
{
	static const enum metric pushed[] = { METRIC_PUSHED_LOW,
		METRIC_PUSHED_NEXT, METRIC_PUSHED_NOW };
	struct client *c = o->session->client;
	struct parcel *p = xcalloc(1, sizeof(*p));

	p->box = o;
	p->message = m->id;
	p->recipient = *recipient;
	p->priority = m->priority;
	p->stored = stored;
	p->size = message_size(m);
	o->bytes += p->size;
	p->pushed_ms = clock_mono();
	p->pos = client_push(c, e);
	TAILQ_INSERT_TAIL(&o->parcels, p, entry);
	if (memcmp(m->id.b, o->newest.b, ID_LEN) > 0)
		o->newest = m->id;
	o->unacked++;
	c->core->counters[pushed[m->priority]]++;
	if (o->unwritten == NULL) {
		o->unwritten = p;
		client_want_written(c, WRITTEN_DELIVERY, true);
	}
	if (crowd != NULL) {
		p->crowd = crowd;
		p->place = place;
		crowd_enter(crowd, place, p);
	}
}

/* It was pushed, and no ack came in time. */
static bool
parcel_is_stale(const struct outbox *o, const struct parcel *p)
{
	return p->state == PARCEL_WRITTEN &&
	       clock_mono() - p->pushed_ms >=
		   o->session->mesh->core->limits.ack_ms;
}

/*
 * What was not acked in time is the database's again (due_at); it comes back
 * with a drain, to this session or another one.
 */
static void
outbox_forget_stale(struct outbox *o)
{
	struct parcel *p, *next;

	TAILQ_FOREACH_SAFE (p, &o->parcels, entry, next)
		if (parcel_is_stale(o, p)) {
			o->unacked--;
			parcel_free(o, p);
		}
}

/* What the database had the last word of while a drain was under way. */
static void
outbox_forget_acked(struct outbox *o)
{
	struct parcel *p, *next;

	TAILQ_FOREACH_SAFE (p, &o->parcels, entry, next)
		if (p->marked == DELIVERY_ACKED)
			parcel_free(o, p);
}

void
delivery_offer(struct session *s, const struct id *recipient,
    const struct message *m, struct event *e, enum stored stored,
    struct crowd *crowd, uint32_t place)
{
	struct outbox *o;

	if (s->client == NULL || message_is_over(m) ||
	    overtaken_is(s->mesh->core, s->info.ref, &m->id))
		return;
	if (!roster_admits(s->info.status, m->priority)) {
		if (crowd != NULL)
			delivery_leave(s, crowd, place);
		else if (stored != STORED_HERE)
			delivery_park(s, &m->id, recipient);
		return;
	}
	o = outbox_get(s);
	if (parcel_find(o, &m->id) != NULL)
		return;
	if (o->draining || o->backlog || outbox_is_full(o, m)) {
		o->again = o->backlog = true;
		/* The next drain may be too early to find it. */
		if (stored == STORED_SOON)
			outbox_put_off(o);
		if (crowd != NULL)
			delivery_leave(s, crowd, place);
		return;
	}
	parcel_push(o, recipient, m, e, stored != STORED_HERE, crowd, place);
}

enum delivery
delivery_now(struct session *s, const struct id *message, bool *behind)
{
	const struct parcel *p = parcel_find_new(s->outbox, message);

	*behind = p == NULL;
	return p != NULL ? parcel_delivery(p) : DELIVERY_QUEUED;
}

void
delivery_recorded(struct session *s, const struct id *message)
{
	struct parcel *p = parcel_find_new(s->outbox, message);

	if (p == NULL || p->crowd != NULL)
		return;
	p->stored = true;
	p->marked = parcel_delivery(p);
	if (p->marked == DELIVERY_ACKED) {
		parcel_free(s->outbox, p);
		outbox_rest(s->outbox);
	}
}

void
delivery_ack_earlier(struct session *s, const struct id *message)
{
	struct db_params *p =
	    db_row(s->mesh->core->marks, STMT_delivery_ack, NULL, NULL);

	db_put_id(p, message);
	db_put_id(p, &s->info.id);
	db_put_id(p, &s->info.member);
}

bool
delivery_ack(struct session *s, const struct id *message)
{
	struct outbox *o = s->outbox;
	struct parcel *p = parcel_find(o, message);

	/* Who acks once is taken at its word from then on. */
	s->info.acks = true;
	if (p == NULL)
		return false;
	parcel_acked(o, p);
	if (o->backlog &&
	    o->unacked <= (unsigned)s->mesh->core->limits.unacked / 2)
		delivery_drain(s);
	return true;
}

void
delivery_read(struct delivery_row *out, const struct mesh *mesh,
    const struct db_result *r, size_t row)
{
	struct message *m = &out->message;
	struct slice key;

	memset(m, 0, sizeof(*m));
	db_id(r, row, 0, &m->id);
	db_id(r, row, 1, &out->recipient);
	m->mesh = mesh->id;
	db_id(r, row, 2, &m->sender_member);
	key = db_bytes(r, row, 3);
	if (key.n == CRYPTO_KEY_LEN)
		memcpy(m->sender_key, key.p, key.n);
	m->sender_name = db_text(r, row, 4);
	m->priority = (enum priority)db_int(r, row, 5);
	m->nonce = db_text(r, row, 6);
	m->ciphertext = db_text(r, row, 7);
	m->created_ms = db_time(r, row, 8);
	m->target = db_text(r, row, 9);
	key = db_bytes(r, row, 10);
	if (key.n == CRYPTO_KEY_LEN)
		memcpy(m->sender_member_key, key.p, key.n);
	out->pushes = db_int(r, row, 11);
	m->expires_ms = db_time(r, row, 13);
	if (!db_null(r, row, 14))
		m->more = message_more(&out->more, out->texts,
		    db_texts(r, row, 14, out->texts, NELEM(out->texts)));
}

void
delivery_claimed(
    struct session *s, const struct db_result *r, size_t row, bool pulled)
{
	struct delivery_row d;
	const struct message *m = &d.message;
	struct event e;

	delivery_read(&d, s->mesh, r, row);
	if (parcel_find(s->outbox, &m->id) != NULL || message_is_over(m))
		return;
	if (!pulled && !roster_admits(s->info.status, m->priority)) {
		delivery_park(s, &m->id, &d.recipient);
		return;
	}
	if (d.pushes > 0)
		core_count(s->mesh->core, PUSHED_AGAIN);
	event_init(&e, EVENT_DELIVER, m);
	parcel_push(outbox_get(s), &d.recipient, m, &e, true, NULL, 0);
	overtaken_note(s->mesh->core, s->info.ref, &m->id);
	event_fini(&e);
}

static void
delivery_drained(void *arg, const struct db_result *r)
{
	struct delivery_arg *a = arg;
	struct session *s = session_by_ref(a->core, a->ref);
	struct outbox *o = s != NULL ? s->outbox : NULL;
	size_t i, n, waited;

	/* Without the session its end frees what was claimed. */
	if (o != NULL) {
		o->draining = false;
		n = db_status(r) == DB_OK ? db_rows(r) : 0;
		waited = n > 0 ? (size_t)db_int(r, 0, 12) : 0;
		for (i = 0; i < n; i++)
			delivery_claimed(s, r, i, false);
		outbox_forget_acked(o);
		if (db_status(r) != DB_OK)
			outbox_put_off(o);
		else if (waited == a->limit || waited > n || o->again)
			delivery_drain(s);
		else {
			o->backlog = false;
			outbox_rest(o);
		}
	}
	free(a);
}

size_t
delivery_room(struct session *s, size_t *bytes)
{
	const size_t most = (size_t)s->mesh->core->limits.unacked;
	struct outbox *o = s->outbox;
	size_t unacked = 0, used = 0;

	*bytes = (size_t)s->mesh->core->limits.output / 2;
	if (o != NULL) {
		outbox_forget_stale(o);
		unacked = o->unacked;
		used = o->bytes;
	}
	*bytes -= used < *bytes ? used : *bytes;
	return unacked < most ? most - unacked : 0;
}

void
delivery_drain(struct session *s)
{
	const struct core_limits *l = &s->mesh->core->limits;
	struct delivery_arg *a;
	struct db_params *p;
	struct outbox *o;

	if (s->client == NULL || s->info.control)
		return;
	o = outbox_get(s);
	o->backlog = true;
	if (o->draining) {
		o->again = true;
		return;
	}
	outbox_forget_stale(o);
	if (o->unacked >= (unsigned)l->unacked || o->bytes > 0 ||
	    o->parking > 0)
		return;
	o->draining = true;
	o->again = false;
	core_count(s->mesh->core, DRAINS);
	a = delivery_arg(s);
	a->limit = (size_t)l->unacked - o->unacked;
	p = db_params(STMT_delivery_claim);
	db_put_id(p, &s->info.id);
	db_put_id(p, &s->info.member);
	db_put_int(
	    p, s->info.status == STATUS_IDLE ? PRIORITY_LOW : PRIORITY_NOW);
	db_put_int(p, (int64_t)a->limit);
	db_put_int(p, l->ack_ms);
	db_put_int(p, (int64_t)outbox_room(o));
	db_query(a->core->reads, p, delivery_drained, a);
}

bool
delivery_is_stuck(const struct session *s)
{
	const struct parcel *p;

	if (s->outbox == NULL)
		return false;
	TAILQ_FOREACH (p, &s->outbox->parcels, entry)
		if (parcel_is_stale(s->outbox, p))
			return true;
	return false;
}

void
delivery_put_off(struct session *s)
{
	outbox_put_off(outbox_get(s));
}

bool
delivery_is_behind(const struct session *s)
{
	return s->outbox != NULL && s->outbox->backlog;
}

/* The session ends, and its place in a crowd is to be taken by a row. */
static void
parcel_abandon(struct session *s, struct parcel *p)
{
	struct crowd *k = p->crowd;

	p->crowd = NULL;
	if (p->state == PARCEL_ACKED)
		crowd_forget(k, p->place);
	else
		delivery_gone(
		    s->mesh->core, &s->mesh->id, &p->recipient, k, p->place);
	(void)crowd_rest(k);
}

void
delivery_settled(struct parcel *p)
{
	struct outbox *o = p->box;

	p->crowd = NULL;
	parcel_free(o, p);
	outbox_rest(o);
}

void
delivery_alone(struct parcel *p)
{
	p->crowd = NULL;
	p->stored = true;
	parcel_mark(p->box, p);
}

void
delivery_fini(struct session *s)
{
	struct parcel *p;

	if (s->outbox == NULL)
		return;
	TAILQ_FOREACH (p, &s->outbox->parcels, entry) {
		if (p->crowd != NULL) {
			parcel_abandon(s, p);
			continue;
		}
		/* What was acked while an earlier mark was under way. */
		p->marking = false;
		if (p->state == PARCEL_ACKED)
			parcel_mark(s->outbox, p);
	}
	outbox_free(s->outbox);
}

void
delivery_tick(struct core *c)
{
	struct parcel *p, *next;
	struct outbox *o;
	size_t n;

	/* Those that are put off meanwhile go behind. */
	for (n = c->nlate; n > 0 && (o = TAILQ_FIRST(&c->late)) != NULL; n--) {
		outbox_no_longer_late(o);
		TAILQ_FOREACH_SAFE (p, &o->parcels, entry, next)
			parcel_mark(o, p);
		delivery_drain(o->session);
	}
}
