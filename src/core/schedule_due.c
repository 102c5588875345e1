/* SPDX-License-Identifier: ISC */
/*
 * Sends what was scheduled and is due; the jobs process of every host does it.
 *
 * A due message is a send like any other, from a client without a connection
 * that is its sender's deputy: a shot.  All hosts may try; the commit that
 * stores the message takes the row, or notes its next time, so that each time
 * is sent once.  What was missed while nobody was there is sent when somebody
 * is: once, however often a cron line had named a time meanwhile.
 *
 * Nothing here is remembered but when to look again: the rows know the rest.
 */
#include <stdlib.h>
#include <string.h>

#include "core/schedule.h"

/* At one look; there is another one when they are through. */
#define SCHEDULE_SHOTS 64

struct shot {
	LIST_ENTRY(shot) entry;
	struct core *core;
	struct client client;
	struct message_due due;
	struct pool pool;
	enum err error;
	char *error_text;
};
LIST_HEAD(shots, shot);

struct schedules {
	int64_t next_ms; /* clock_mono() */
	bool looking;
	bool more; /* there were as many as may be */
	struct shots shots;
	struct shots over; /* freed at the end of the turn */
};

void
schedule_open(struct core *c)
{
	c->schedules = xcalloc(1, sizeof(*c->schedules));
	c->schedules->next_ms = INT64_MAX;
	LIST_INIT(&c->schedules->shots);
	LIST_INIT(&c->schedules->over);
	event_want_schedules(c);
}

int64_t
schedule_next(const struct core *c)
{
	return c->schedules->next_ms;
}

static void
schedule_sooner(struct schedules *s, int64_t wait_ms)
{
	int64_t at = clock_mono() + (wait_ms > 0 ? wait_ms : 0);

	if (at < s->next_ms)
		s->next_ms = at;
}

void
schedule_told(struct core *c, int64_t due_ms)
{
	schedule_sooner(c->schedules, due_ms - clock_wall());
}

static struct slice
shot_text(struct shot *h, struct slice s)
{
	return (struct slice){ pool_dup(&h->pool, s.p, s.n), s.n };
}

/* What could not be sent says so in its row.  One whose database is away is
 * tried again; one that another host took is that host's. */
static void
shot_failed(struct shot *h, const char *why)
{
	struct db_params *p = db_params(STMT_schedule_fail);

	core_count(h->core, SCHEDULED_FAILED);
	db_put_id(p, &h->due.schedule);
	db_put_int(p, h->due.due_ms);
	db_put_str(p, why);
	db_put_int(p, h->due.next_ms);
	db_query(h->core->reads, p, NULL, NULL);
	if (h->due.next_ms > 0)
		schedule_told(h->core, h->due.next_ms);
}

static void
shot_over(struct shot *h)
{
	struct schedules *s = h->core->schedules;

	LIST_REMOVE(h, entry);
	LIST_INSERT_HEAD(&s->over, h, entry);
	if (h->client.deputy != NULL)
		deputy_end(&h->client);
	if (LIST_EMPTY(&s->shots) && s->more)
		schedule_sooner(s, 0);
}

static void
shot_encode(struct request *r, const void *out)
{
	struct shot *h = CONTAINER(r->client, struct shot, client);

	(void)out;
	h->error = r->error;
	if (r->error != ERR_NONE)
		h->error_text = pool_strndup(
		    &h->pool, r->error_text, strlen(r->error_text));
}

static void
shot_answer(struct request *r)
{
	struct shot *h = CONTAINER(r->client, struct shot, client);

	switch (h->error) {
	case ERR_NONE:
		core_count(h->core, SCHEDULED_SENT);
		if (h->due.next_ms > 0)
			schedule_told(h->core, h->due.next_ms);
		break;
	case ERR_NOT_FOUND:
	case ERR_UNAVAILABLE:
	case ERR_OVERLOADED:
		break;
	default:
		shot_failed(h, h->error_text);
	}
	shot_over(h);
}

static void
shot_discard(struct request *r)
{
	(void)r;
}

static uint64_t
shot_push(struct client *c, struct event *e)
{
	(void)c;
	(void)e;
	return 0;
}

static void
shot_switch(struct client *c, bool on)
{
	(void)c;
	(void)on;
}

static void
shot_close(struct client *c, enum err why, const char *text)
{
	(void)c;
	(void)why;
	(void)text;
}

/* It asks one thing, and is in no roster: nothing else comes to it. */
static const struct client_calls shot_calls = {
	.hides = FIELD_REST,
	.encode = shot_encode,
	.answer = shot_answer,
	.discard = shot_discard,
	.push = shot_push,
	.want_written = shot_switch,
	.pause = shot_switch,
	.close = shot_close,
};

static void
shot_go(void *arg, bool good)
{
	struct shot *h = arg;

	if (good)
		message_send_due(client_request(&h->client), &h->due);
	else
		shot_over(h);
}

static void
shot_sender(struct session_info *i, const struct db_result *r, size_t row)
{
	struct slice key;

	memset(i, 0, sizeof(*i));
	db_id(r, row, 1, &i->mesh);
	db_id(r, row, 2, &i->member);
	db_id(r, row, 3, &i->id);
	key = db_bytes(r, row, 4);
	if (key.n == CRYPTO_KEY_LEN)
		memcpy(i->key, key.p, key.n);
	key = db_bytes(r, row, 5);
	if (key.n == CRYPTO_KEY_LEN)
		memcpy(i->member_key, key.p, key.n);
	i->name = db_text(r, row, 6);
	i->control = db_bool(r, row, 7);
}

/* Plain text goes as clients send it to groups: in base64, with a nonce that
 * nobody needs. */
static void
shot_body(struct shot *h, const struct db_result *r, size_t row)
{
	struct message_due *d = &h->due;
	struct slice body = db_text(r, row, 12);
	uint8_t random[CRYPTO_NONCE_LEN];
	char *text;

	if (!db_null(r, row, 11)) {
		d->nonce = shot_text(h, db_text(r, row, 11));
		d->ciphertext = shot_text(h, body);
		return;
	}
	crypto_random_bytes(random, sizeof(random));
	text = pool_alloc(&h->pool, CRYPTO_B64_LEN(sizeof(random)));
	crypto_base64(text, random, sizeof(random), CRYPTO_B64_STD);
	d->nonce = (struct slice){ text, strlen(text) };
	text = pool_alloc(&h->pool, CRYPTO_B64_LEN(body.n));
	crypto_base64(text, body.p, body.n, CRYPTO_B64_STD);
	d->ciphertext = (struct slice){ text, strlen(text) };
}

static void
shot_targets(struct shot *h, const struct db_result *r, size_t row)
{
	static struct slice v[FIELD_TARGETS];
	struct list *to = &h->due.targets;
	struct slice *copy;
	size_t i;

	to->n = db_texts(r, row, 8, v, NELEM(v));
	to->v = copy = pool_alloc(&h->pool, (to->n + 1) * sizeof(*copy));
	for (i = 0; i < to->n; i++)
		copy[i] = shot_text(h, v[i]);
}

/* The next time after now; 0 when there is none. */
static int64_t
shot_again(const struct db_result *r, size_t row, int64_t due_ms)
{
	char error[CRON_ERROR_MAX];
	int64_t now = clock_wall(), next;
	struct cron cron;

	if (db_null(r, row, 13) ||
	    cron_parse(&cron, db_text(r, row, 13), error) != 0)
		return 0;
	next = cron_next(&cron, now > due_ms ? now : due_ms);
	if (!db_null(r, row, 14) && next > db_time(r, row, 14))
		return 0;
	return next;
}

/* One row of schedule_due. */
static void
shot_new(struct core *c, const struct db_result *r, size_t row)
{
	struct shot *h = xcalloc(1, sizeof(*h));
	struct session_info sender;
	struct slice barred;

	h->core = c;
	pool_init(&h->pool);
	client_init(&h->client, c, &shot_calls, false);
	db_id(r, row, 0, &h->due.schedule);
	shot_targets(h, r, row);
	h->due.priority = (enum priority)db_int(r, row, 9);
	h->due.subtype = (enum subtype)db_int(r, row, 10);
	shot_body(h, r, row);
	h->due.due_ms = db_time(r, row, 15);
	h->due.next_ms = shot_again(r, row, h->due.due_ms);
	LIST_INSERT_HEAD(&c->schedules->shots, h, entry);
	if (db_null(r, row, 16)) {
		shot_sender(&sender, r, row);
		deputy_begin(&h->client, &sender, NULL,
		    SCOPE_BIT(SCOPE_MESSAGES_WRITE), shot_go, h);
		return;
	}
	barred = shot_text(h, db_text(r, row, 16));
	shot_failed(h, pool_strndup(&h->pool, barred.p, barred.n));
	shot_over(h);
}

static bool
schedule_is_under_way(const struct schedules *s, const struct id *id)
{
	const struct shot *h;

	LIST_FOREACH (h, &s->shots, entry)
		if (id_same(&h->due.schedule, id))
			return true;
	return false;
}

static void
schedule_due(void *arg, const struct db_result *r)
{
	struct core *c = arg;
	struct schedules *s = c->schedules;
	struct id id;
	size_t i;

	s->looking = false;
	if (db_status(r) != DB_OK)
		return;
	s->more = db_rows(r) == SCHEDULE_SHOTS;
	for (i = 0; i < db_rows(r); i++) {
		db_id(r, i, 0, &id);
		if (!schedule_is_under_way(s, &id))
			shot_new(c, r, i);
	}
}

static void
schedule_known(void *arg, const struct db_result *r)
{
	struct core *c = arg;

	if (db_status(r) == DB_OK && db_rows(r) > 0 && !db_null(r, 0, 0))
		schedule_sooner(c->schedules, db_int(r, 0, 0));
}

/*
 * First when the next one is due, then what is: one that comes due in between
 * is seen.
 */
void
schedule_look(struct core *c)
{
	struct schedules *s = c->schedules;
	struct db_params *p;

	s->next_ms = INT64_MAX;
	if (s->looking) {
		/* What is being read may be too old. */
		schedule_sooner(s, 10);
		return;
	}
	s->looking = true;
	db_query(c->reads, db_params(STMT_schedule_next), schedule_known, c);
	p = db_params(STMT_schedule_due);
	db_put_int(p, SCHEDULE_SHOTS);
	db_query(c->reads, p, schedule_due, c);
}

static void
schedule_free(struct shots *shots)
{
	struct shot *h, *next;

	LIST_FOREACH_SAFE (h, shots, entry, next) {
		LIST_REMOVE(h, entry);
		pool_free(&h->pool);
		free(h);
	}
}

void
schedule_turn(struct core *c)
{
	schedule_free(&c->schedules->over);
}

/* The database is closed: whatever was under way has ended. */
void
schedule_close(struct core *c)
{
	if (c->schedules == NULL)
		return;
	schedule_free(&c->schedules->over);
	schedule_free(&c->schedules->shots);
	free(c->schedules);
	c->schedules = NULL;
}
