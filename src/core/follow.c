/* SPDX-License-Identifier: ISC */
/*
 * Who is told of what happens in a channel, or in a mesh: from a place in the
 * journal on, every line once, in their order.
 *
 * A follower knows the last line that it was told of, and an entry says which
 * one about its channel was before it.  If that is the same it is pushed; if
 * not, or the client has not taken what it was sent before, the journal is read
 * from there, a page at a time, until there is nothing behind it.  So it is the
 * same whether an entry comes from this process, by a record, late, or not at
 * all.  Who follows a mesh always reads: only the database knows which lines
 * are for whom.
 *
 * Each page asks again whether the member may see the channel.  What is pushed
 * does not ask: who is taken out of a channel is so by an entry of it, which
 * comes before.  Of a thread that is not true, so it is always read.
 *
 * A client reads one page at a time, whatever it follows, and none while its
 * output is not taken: what it costs does not grow with what there is to tell.
 */
#include <stdlib.h>
#include <string.h>

#include "core/channel.h"

#define FOLLOW_PAGE 100
#define FOLLOW_PAGE_LINES 1000 /* without what messages say */
#define FOLLOW_LINE 512	       /* bytes around what an entry says */

/* A channel or a mesh that somebody here follows, or waits for. */
struct topic {
	struct hash_entry by_id;
	struct id id;
	LIST_HEAD(, follow) follows;
	LIST_HEAD(, follow_wait) waits;
	LIST_HEAD(, topic) threads; /* of a channel: those that are followed */
	struct topic *root;	    /* of a thread */
	LIST_ENTRY(topic) of_root;
};

struct follow {
	LIST_ENTRY(follow) of_topic;
	LIST_ENTRY(follow) of_client;
	TAILQ_ENTRY(follow) due;
	LIST_ENTRY(follow) off; /* while it is put off */
	struct topic *topic;
	struct follower *who; /* NULL: it has left while this reads */
	unsigned flags;
	bool mesh;	/* it follows all of a mesh */
	int64_t last;	/* the line that it was told of */
	int64_t until;	/* that was the last when it began */
	int64_t after;	/* messages up to this seq are not told */
	int64_t seq;	/* the greatest that was told */
	bool reading;	/* a page is on its way */
	bool again;	/* something came meanwhile */
	bool is_due;	/* it waits for its turn to read */
	bool put_off;	/* until the next follow_tick() */
	bool caught_up; /* which the client was told */
	bool gap;	/* which the client is to be told */
};

/* A client that follows something. */
struct follower {
	struct client *client;
	LIST_HEAD(, follow) follows;
	TAILQ_HEAD(, follow) due;
	struct follow *reading;
	size_t bytes; /* that were pushed since the output was taken */
	uint64_t pos; /* where in the output they end */
};

/* A request that waits for something new. */
struct follow_wait {
	LIST_ENTRY(follow_wait) of_topic;
	LIST_ENTRY(follow_wait) waits;
	struct topic *topic;
	struct request *request;
	LIST_ENTRY(follow_wait) woken;
	follow_wait_fn *fn; /* NULL: it reads at the moment */
	int64_t until_ms;
	bool missed; /* something came while it read */
	bool is_woken;
};

static struct topic *
topic_find(const struct core *c, const struct id *id)
{
	struct hash_entry *e = hash_find(&c->followed, id->b, ID_LEN);

	return e != NULL ? CONTAINER(e, struct topic, by_id) : NULL;
}

static struct topic *
topic_get(struct core *c, const struct id *id)
{
	struct topic *t = topic_find(c, id);

	if (t != NULL)
		return t;
	t = xcalloc(1, sizeof(*t));
	t->id = *id;
	hash_insert(&c->followed, &t->by_id, t->id.b, ID_LEN);
	return t;
}

/* Who is in a channel decides who may see its threads. */
static void
topic_root(struct core *c, struct topic *t, const struct id *root)
{
	if (t->root != NULL || id_is_null(root))
		return;
	t->root = topic_get(c, root);
	LIST_INSERT_HEAD(&t->root->threads, t, of_root);
}

static void
topic_put(struct core *c, struct topic *t)
{
	struct topic *root = t->root;

	if (!LIST_EMPTY(&t->follows) || !LIST_EMPTY(&t->waits) ||
	    !LIST_EMPTY(&t->threads))
		return;
	if (root != NULL)
		LIST_REMOVE(t, of_root);
	hash_remove(&c->followed, &t->by_id);
	free(t);
	if (root != NULL)
		topic_put(c, root);
}

/* Out of all lists; memory stays while it reads. */
static void
follow_remove(struct follow *w)
{
	struct follower *f = w->who;

	LIST_REMOVE(w, of_topic);
	LIST_REMOVE(w, of_client);
	if (w->put_off)
		LIST_REMOVE(w, off);
	if (w->is_due)
		TAILQ_REMOVE(&f->due, w, due);
	if (f->reading == w)
		f->reading = NULL;
	topic_put(f->client->core, w->topic);
	w->topic = NULL;
	w->who = NULL;
	if (!w->reading)
		free(w);
}

void
follow_end(struct client *c)
{
	struct follower *f = c->follower;
	struct follow *w;

	if (f == NULL)
		return;
	while ((w = LIST_FIRST(&f->follows)) != NULL)
		follow_remove(w);
	free(f);
	c->follower = NULL;
}

static struct follow *
follow_find(const struct client *c, const struct id *id, int64_t *count)
{
	struct follow *w, *found = NULL;

	*count = 0;
	if (c->follower == NULL)
		return NULL;
	LIST_FOREACH (w, &c->follower->follows, of_client) {
		if (id_same(&w->topic->id, id))
			found = w;
		(*count)++;
	}
	return found;
}

bool
follow_stop(struct client *c, const struct id *id)
{
	int64_t count;
	struct follow *w = follow_find(c, id, &count);

	if (w == NULL)
		return false;
	follow_remove(w);
	return true;
}

/* The rest of the output is for answers and for others. */
static bool
follow_is_full(const struct follower *f)
{
	return f->bytes > (size_t)f->client->core->limits.output / 4;
}

static bool
follow_wants(const struct follow *w, const struct entry *n)
{
	if (n->seq > 0 && n->seq <= w->after)
		return false;
	return !(w->flags & FOLLOW_POSTS) || n->post != NULL;
}

static void
follow_push(struct follow *w, struct event *e)
{
	const struct entry *n = e->entry;
	struct follower *f = w->who;

	w->last = n->n;
	if (!follow_wants(w, n))
		return;
	if (n->seq > w->seq)
		w->seq = n->seq;
	f->bytes += FOLLOW_LINE + n->payload.n +
		    (n->post != NULL ? n->post->parts.n : 0);
	f->pos = client_push(f->client, e);
	client_want_written(f->client, WRITTEN_FOLLOW, true);
}

/* The database did not answer. */
static void
follow_put_off(struct follow *w)
{
	if (w->put_off)
		return;
	w->put_off = true;
	LIST_INSERT_HEAD(&w->who->client->core->put_off, w, off);
}

/* The channel is no more, or not for this member. */
static void
follow_lost(struct follow *w)
{
	struct client *c = w->who->client;
	const struct id id = w->topic->id;

	follow_remove(w);
	c->calls->followed(c, &id, FOLLOW_LOST, 0);
}

static void follow_page(void *arg, const struct db_result *res);

static void
follow_ask(struct follow *w)
{
	const struct client *c = w->who->client;
	const bool bare = (w->flags & FOLLOW_BARE) != 0;
	struct db_params *p =
	    db_params(w->mesh ? STMT_mesh_events_after : STMT_events_after);

	w->reading = true;
	w->again = false;
	db_put_id(p, &w->topic->id);
	db_put_id(p, &c->session->info.member);
	db_put_int(p, w->last);
	db_put_int(p, bare || w->mesh ? FOLLOW_PAGE_LINES : FOLLOW_PAGE);
	db_put_bool(p, !bare);
	if (w->mesh)
		db_put_bool(p, entry_sees_all(c));
	db_query(c->core->reads, p, follow_page, w);
}

/* Reads for the one whose turn it is, if there is room for that. */
static void
follow_go(struct follower *f)
{
	struct follow *w;

	if (f->reading != NULL || follow_is_full(f) ||
	    f->client->session == NULL || (w = TAILQ_FIRST(&f->due)) == NULL)
		return;
	TAILQ_REMOVE(&f->due, w, due);
	w->is_due = false;
	f->reading = w;
	follow_ask(w);
}

/* There may be something to be read. */
static void
follow_read(struct follow *w)
{
	if (w->reading) {
		w->again = true;
		return;
	}
	if (w->put_off)
		return;
	if (!w->is_due)
		TAILQ_INSERT_TAIL(&w->who->due, w, due);
	w->is_due = true;
	follow_go(w->who);
}

/* It was told of all up to w->last. */
static void
follow_mark(struct follow *w)
{
	struct client *c = w->who->client;

	if (w->caught_up || w->last < w->until)
		return;
	w->caught_up = true;
	c->calls->followed(c, &w->topic->id, FOLLOW_CAUGHT_UP,
	    w->seq > w->after ? w->seq : w->after);
}

/* Before the first that it is told. */
static void
follow_gap(struct follow *w)
{
	struct client *c = w->who->client;

	if (!w->gap)
		return;
	w->gap = false;
	c->calls->followed(c, &w->topic->id, FOLLOW_GAP, 0);
}

/* Tells of the rows as far as there is room; true: there may be more. */
static bool
follow_rows(struct follow *w, const struct db_result *res)
{
	const size_t n = db_rows(res);
	const int64_t end = db_int(res, 0, ENTRY_END);
	struct entry entry;
	struct post p;
	struct event e;
	size_t i;

	if (db_null(res, 0, ENTRY_N) && w->last < end)
		w->last = end;
	for (i = 0; i < n && !db_null(res, i, ENTRY_N); i++) {
		if (follow_is_full(w->who))
			return true;
		if (db_null(res, i, ENTRY_TYPE)) {
			w->last = db_int(res, i, ENTRY_N);
			continue;
		}
		entry_read(&entry, &p, res, i);
		event_init(&e, EVENT_ENTRY, &entry);
		follow_push(w, &e);
		event_fini(&e);
	}
	return w->last < end;
}

static void
follow_page(void *arg, const struct db_result *res)
{
	struct follow *w = arg;
	struct follower *f = w->who;

	w->reading = false;
	if (f == NULL) {
		free(w);
		return;
	}
	f->reading = NULL;
	if (db_status(res) != DB_OK)
		follow_put_off(w);
	else if (db_rows(res) == 0)
		follow_lost(w);
	else {
		follow_gap(w);
		if (follow_rows(w, res) || w->again)
			follow_read(w);
		follow_mark(w);
	}
	follow_go(f);
}

static void
follow_tell(struct follow *w, struct event *e)
{
	if (e->entry->n <= w->last)
		return;
	if (w->mesh || w->topic->root != NULL || e->entry->before > w->last ||
	    w->reading || w->is_due || w->put_off || follow_is_full(w->who) ||
	    (w->flags & FOLLOW_LINES && e->entry->payload.p == NULL))
		follow_read(w);
	else
		follow_push(w, e);
}

/* It goes on at the end of the turn. */
static void
wait_wake(struct follow_wait *w)
{
	w->missed = true;
	if (w->fn == NULL || w->is_woken)
		return;
	w->is_woken = true;
	LIST_INSERT_HEAD(&w->request->core->woken, w, woken);
}

static void
topic_wake(struct topic *t)
{
	struct follow_wait *w;

	LIST_FOREACH (w, &t->waits, of_topic)
		wait_wake(w);
}

/* Something happened in the channel of these: it may be about who is there. */
static void
follow_threads(struct topic *channel)
{
	struct follow *w, *next;
	struct topic *t;

	LIST_FOREACH (t, &channel->threads, of_root)
		LIST_FOREACH_SAFE (w, &t->follows, of_topic, next)
			follow_read(w);
}

void
follow_mesh(struct core *c, const struct id *mesh, int64_t n)
{
	struct topic *t = topic_find(c, mesh);
	struct follow *w;

	if (t == NULL)
		return;
	LIST_FOREACH (w, &t->follows, of_topic)
		if (n == 0 || n > w->last)
			follow_read(w);
	topic_wake(t);
}

void
follow_entry(struct core *c, const struct entry *entry)
{
	struct topic *t = topic_find(c, &entry->channel);
	struct follow *w;
	struct event e;

	if (t == NULL)
		return;
	event_init(&e, EVENT_ENTRY, entry);
	LIST_FOREACH (w, &t->follows, of_topic)
		follow_tell(w, &e);
	event_fini(&e);
	topic_wake(t);
}

void
follow_news(struct core *c, const struct id *channel, int64_t n)
{
	struct topic *t = topic_find(c, channel);
	struct follow *w;

	if (t == NULL)
		return;
	LIST_FOREACH (w, &t->follows, of_topic)
		if (n == 0 || n > w->last)
			follow_read(w);
	follow_threads(t);
	topic_wake(t);
}

void
follow_reload(struct core *c)
{
	struct hash_entry *e, *next;
	struct follow_wait *wait;
	struct follow *w;
	struct topic *t;
	size_t i;

	HASH_FOREACH (e, next, i, &c->followed) {
		t = CONTAINER(e, struct topic, by_id);
		LIST_FOREACH (w, &t->follows, of_topic)
			follow_read(w);
	}
	LIST_FOREACH (wait, &c->waits, waits)
		wait_wake(wait);
}

void
follow_written(struct client *c, uint64_t pos)
{
	struct follower *f = c->follower;

	if (f == NULL || pos < f->pos)
		return;
	f->bytes = 0;
	client_want_written(c, WRITTEN_FOLLOW, false);
	follow_go(f);
}

void
follow_begin(
    struct client *c, const struct id *id, const struct follow_start *start)
{
	struct follow *w;

	(void)follow_stop(c, id);
	if (c->follower == NULL) {
		c->follower = xcalloc(1, sizeof(*c->follower));
		c->follower->client = c;
		TAILQ_INIT(&c->follower->due);
	}
	w = xcalloc(1, sizeof(*w));
	w->who = c->follower;
	w->topic = topic_get(c->core, id);
	topic_root(c->core, w->topic, &start->root);
	w->flags = start->flags;
	w->mesh = start->mesh;
	w->last = start->last;
	w->until = start->until;
	w->after = start->after;
	w->gap = start->gap;
	LIST_INSERT_HEAD(&w->topic->follows, w, of_topic);
	LIST_INSERT_HEAD(&w->who->follows, w, of_client);
	token_watch(c);
	follow_read(w);
}

enum follow_may
follow_may(const struct client *c, const struct id *id)
{
	int64_t count;

	if (follow_find(c, id, &count) != NULL)
		return FOLLOW_MAY_AGAIN;
	return count < FOLLOW_MAX ? FOLLOW_MAY : FOLLOW_MAY_NOT;
}

/*
 * Requests that wait.
 */
struct follow_wait *
follow_wait_begin(struct request *r, const struct id *id, int64_t ms)
{
	struct follow_wait *w = pool_zalloc(&r->pool, sizeof(*w));

	w->request = r;
	w->until_ms = clock_mono() + ms;
	w->topic = topic_get(r->core, id);
	LIST_INSERT_HEAD(&w->topic->waits, w, of_topic);
	LIST_INSERT_HEAD(&r->core->waits, w, waits);
	token_watch(r->client);
	return w;
}

enum err
follow_wait_may(const struct request *r)
{
	const struct client *c = r->client;

	if (c == NULL || c->session == NULL)
		return ERR_UNAVAILABLE;
	return c->scopes & SCOPE_BIT(r->op->scope) ? ERR_NONE
						   : ERR_UNAUTHORIZED;
}

bool
follow_wait_more(struct follow_wait *w, follow_wait_fn *fn)
{
	if (w->request->client == NULL || clock_mono() >= w->until_ms)
		return false;
	w->fn = fn;
	if (w->missed)
		wait_wake(w);
	return true;
}

void
follow_wait_end(struct follow_wait *w)
{
	struct core *c = w->request->core;

	LIST_REMOVE(w, of_topic);
	LIST_REMOVE(w, waits);
	if (w->is_woken)
		LIST_REMOVE(w, woken);
	topic_put(c, w->topic);
}

void
follow_turn(struct core *c)
{
	struct follow_wait *w;
	follow_wait_fn *fn;

	while ((w = LIST_FIRST(&c->woken)) != NULL) {
		LIST_REMOVE(w, woken);
		w->is_woken = w->missed = false;
		fn = w->fn;
		w->fn = NULL;
		fn(w->request);
	}
}

void
follow_tick(struct core *c)
{
	struct follow_wait *wait;
	struct follow *w;

	while ((w = LIST_FIRST(&c->put_off)) != NULL) {
		LIST_REMOVE(w, off);
		w->put_off = false;
		follow_read(w);
	}
	LIST_FOREACH (wait, &c->waits, waits)
		if (clock_mono() >= wait->until_ms ||
		    wait->request->client == NULL)
			wait_wake(wait);
}

void
follow_close(struct core *c)
{
	struct follow_wait *w;
	struct request *r;

	while ((w = LIST_FIRST(&c->waits)) != NULL) {
		r = w->request;
		follow_wait_end(w);
		if (r->client == NULL)
			client_request_free(r);
	}
	hash_free(&c->followed);
}
