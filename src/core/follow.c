/* SPDX-License-Identifier: ISC */
/*
 * Who is told of what happens in a channel: from a place in the journal on,
 * every entry once, in their order.
 *
 * A follower knows the last entry that it was told of, and an entry says which
 * one was before it.  If that is the same it is pushed; if not, or the client
 * has not taken what it was sent before, the journal is read from there, a page
 * at a time, until there is nothing behind it.  So it is the same whether an
 * entry comes from this process, by a record, late, or not at all.
 *
 * Each page asks again whether the member may see the channel.
 */
#include <stdlib.h>
#include <string.h>

#include "core/channel.h"

#define FOLLOW_PAGE 100
#define FOLLOW_MAX 1000 /* of a connection */

/* A channel that somebody here follows. */
struct followed {
	struct hash_entry by_id;
	struct id id;
	LIST_HEAD(, follow) follows;
};

struct follow {
	LIST_ENTRY(follow) of_channel;
	LIST_ENTRY(follow) of_client;
	LIST_ENTRY(follow) off; /* while it is put off */
	struct followed *channel;
	struct client *client; /* NULL: it has left while this reads */
	int64_t last;	       /* the entry that it was told of */
	uint64_t pos;	       /* where in the output its last message ends */
	size_t bytes;	       /* that were pushed since it was empty */
	bool reading;
	bool again;   /* something came meanwhile */
	bool behind;  /* it goes on when the output was taken */
	bool put_off; /* until the next follow_tick() */
};

static struct followed *
followed_find(const struct core *c, const struct id *channel)
{
	struct hash_entry *e = hash_find(&c->followed, channel->b, ID_LEN);

	return e != NULL ? CONTAINER(e, struct followed, by_id) : NULL;
}

static struct followed *
followed_get(struct core *c, const struct id *channel)
{
	struct followed *f = followed_find(c, channel);

	if (f != NULL)
		return f;
	f = xcalloc(1, sizeof(*f));
	f->id = *channel;
	hash_insert(&c->followed, &f->by_id, f->id.b, ID_LEN);
	return f;
}

/* Out of all lists; memory stays while it reads. */
static void
follow_remove(struct follow *w)
{
	struct followed *f = w->channel;

	LIST_REMOVE(w, of_channel);
	LIST_REMOVE(w, of_client);
	if (w->put_off)
		LIST_REMOVE(w, off);
	if (LIST_EMPTY(&f->follows)) {
		hash_remove(&w->client->core->followed, &f->by_id);
		free(f);
	}
	w->channel = NULL;
	w->client = NULL;
	if (!w->reading)
		free(w);
}

void
follow_end(struct client *c)
{
	struct follow *w;

	while ((w = LIST_FIRST(&c->follows)) != NULL)
		follow_remove(w);
}

static struct follow *
follow_find(const struct client *c, const struct id *channel, int64_t *count)
{
	struct follow *w, *found = NULL;

	*count = 0;
	LIST_FOREACH (w, &c->follows, of_client) {
		if (id_same(&w->channel->id, channel))
			found = w;
		(*count)++;
	}
	return found;
}

static void
follow_push(struct follow *w, struct event *e)
{
	const struct entry *n = e->entry;

	w->last = n->n;
	w->bytes += n->payload.n + (n->post != NULL ? n->post->parts.n : 0);
	w->pos = client_push(w->client, e);
	client_want_written(w->client, WRITTEN_FOLLOW, true);
}

/* The rest of the output is for answers and for others. */
static bool
follow_is_full(const struct follow *w)
{
	return w->bytes > (size_t)w->client->core->limits.output / 4;
}

/* The database did not answer. */
static void
follow_put_off(struct follow *w)
{
	if (w->put_off)
		return;
	w->put_off = true;
	LIST_INSERT_HEAD(&w->client->core->put_off, w, off);
}

/* The channel is no more, or not for this member. */
static void
follow_lost(struct follow *w)
{
	struct entry none = { .channel = w->channel->id };
	struct event e;

	event_init(&e, EVENT_ENTRY, &none);
	(void)client_push(w->client, &e);
	event_fini(&e);
	follow_remove(w);
}

static void follow_page(void *arg, const struct db_result *res);

static void
follow_read(struct follow *w)
{
	struct client *c = w->client;
	struct db_params *p;

	if (w->reading) {
		w->again = true;
		return;
	}
	if (w->bytes > 0) {
		w->behind = true;
		return;
	}
	w->reading = true;
	w->again = w->behind = false;
	p = db_params(STMT_events_after);
	db_put_id(p, &w->channel->id);
	db_put_id(p, &c->session->info.member);
	db_put_int(p, w->last);
	db_put_int(p, FOLLOW_PAGE);
	db_query(c->core->reads, p, follow_page, w);
}

/* A row of events_after. */
static void
entry_read(
    struct entry *n, struct post *p, const struct db_result *res, size_t row)
{
	memset(n, 0, sizeof(*n));
	n->n = db_int(res, row, 0);
	n->type = db_text(res, row, 2);
	if (!db_null(res, row, 3))
		n->seq = db_int(res, row, 3);
	n->payload = db_text(res, row, 4);
	n->at_ms = db_time(res, row, 5);
	db_id(res, row, 16, &n->mesh);
	db_id(res, row, 17, &n->channel);
	if (db_null(res, row, 6))
		return;
	post_read(p, res, row, 6);
	n->post = p;
}

static void
follow_page(void *arg, const struct db_result *res)
{
	struct follow *w = arg;
	struct entry entry;
	struct post p;
	struct event e;
	size_t i, n;

	w->reading = false;
	if (w->client == NULL) {
		free(w);
		return;
	}
	if (db_status(res) != DB_OK) {
		follow_put_off(w);
		return;
	}
	if ((n = db_rows(res)) == 0) {
		follow_lost(w);
		return;
	}
	n -= db_null(res, 0, 0);
	for (i = 0; i < n && !follow_is_full(w); i++) {
		entry_read(&entry, &p, res, i);
		event_init(&e, EVENT_ENTRY, &entry);
		follow_push(w, &e);
		event_fini(&e);
	}
	if (w->again || i < n || n == FOLLOW_PAGE)
		follow_read(w);
}

static void
follow_tell(struct follow *w, struct event *e)
{
	if (e->entry->n <= w->last)
		return;
	if (e->entry->before > w->last || w->reading || w->behind ||
	    w->put_off || follow_is_full(w))
		follow_read(w);
	else
		follow_push(w, e);
}

void
follow_entry(struct core *c, const struct entry *entry)
{
	struct followed *f = followed_find(c, &entry->channel);
	struct follow *w;
	struct event e;

	if (f == NULL)
		return;
	event_init(&e, EVENT_ENTRY, entry);
	LIST_FOREACH (w, &f->follows, of_channel)
		follow_tell(w, &e);
	event_fini(&e);
}

void
follow_news(struct core *c, const struct id *channel, int64_t n)
{
	struct followed *f = followed_find(c, channel);
	struct follow *w;

	if (f != NULL)
		LIST_FOREACH (w, &f->follows, of_channel)
			if (n == 0 || n > w->last)
				follow_read(w);
}

void
follow_reload(struct core *c)
{
	struct hash_entry *e, *next;
	struct follow *w;
	size_t i;

	HASH_FOREACH (e, next, i, &c->followed)
		LIST_FOREACH (w, &CONTAINER(e, struct followed, by_id)->follows,
		    of_channel)
			follow_read(w);
}

void
follow_written(struct client *c, uint64_t pos)
{
	struct follow *w;
	bool more = false;

	LIST_FOREACH (w, &c->follows, of_client) {
		if (w->pos > pos) {
			more = true;
			continue;
		}
		w->bytes = 0;
		if (w->behind)
			follow_read(w);
	}
	if (!more)
		client_want_written(c, WRITTEN_FOLLOW, false);
}

void
follow_tick(struct core *c)
{
	struct follow *w;

	while ((w = LIST_FIRST(&c->put_off)) != NULL) {
		LIST_REMOVE(w, off);
		w->put_off = false;
		follow_read(w);
	}
}

/*
 * follow_channel, unfollow_channel
 */
struct follow_in {
	struct slice channel;
	int64_t after;
};

#define IN(field) offsetof(struct follow_in, field)
static const struct field follow_fields[] = {
	{ "channel", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX, FIELD_REQUIRED,
	    NULL, NULL, 0, "Channel or thread: its id; or a channel's name." },
	{ "after", F_INT, IN(after), 0, INT64_MAX, FIELD_ABSENT, NULL, NULL, 0,
	    "The last seq that was seen; without it only what is new comes." },
	{ .type = F_END },
};
static const struct field unfollow_fields[] = {
	{ "channel", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX, FIELD_REQUIRED,
	    NULL, NULL, 0, "Channel or thread: its id; or a channel's name." },
	{ .type = F_END },
};
#undef IN

struct follow_out {
	struct id channel;
	int64_t seq;
	bool existed;
};

#define OUT(field) offsetof(struct follow_out, field)
static const struct field follow_out_fields[] = {
	{ "channelId", F_ID, OUT(channel), 0, 0, 0, NULL, NULL, 0,
	    "The channel, or thread." },
	{ "lastSeq", F_INT, OUT(seq), 0, 0, 0, NULL, NULL, 0,
	    "Of its newest message: up to there comes what was said before." },
	{ .type = F_END },
};
static const struct field unfollow_out_fields[] = {
	{ "channelId", F_ID, OUT(channel), 0, 0, 0, NULL, NULL, 0,
	    "The channel, or thread." },
	{ "existed", F_BOOL, OUT(existed), 0, 0, 0, NULL, NULL, 0,
	    "It was followed." },
	{ .type = F_END },
};
#undef OUT

/* From a place of the journal on. */
static void
follow_begin(struct request *r, const struct channel *ch, int64_t last)
{
	struct follow_out out = { .channel = ch->id, .seq = ch->seq };
	struct client *c = r->client;
	struct follow *w;
	int64_t count;

	if ((w = follow_find(c, &ch->id, &count)) != NULL)
		follow_remove(w);
	else if (count >= FOLLOW_MAX) {
		r->error_limit = FOLLOW_MAX;
		r->error_used = count;
		op_fail(r, ERR_QUOTA,
		    "A connection may follow %d channels; unfollow some.",
		    FOLLOW_MAX);
		return;
	}
	w = xcalloc(1, sizeof(*w));
	w->client = c;
	w->channel = followed_get(c->core, &ch->id);
	w->last = last;
	LIST_INSERT_HEAD(&w->channel->follows, w, of_channel);
	LIST_INSERT_HEAD(&c->follows, w, of_client);
	/* Also what was said since it was found; its answer comes later. */
	follow_read(w);
	op_reply(r, &out);
}

static void
follow_placed(void *arg, const struct db_result *res)
{
	struct request *r = arg;

	if (op_db_failed(r, res))
		return;
	if (r->client == NULL || r->client->session == NULL)
		op_fail(r, ERR_UNAVAILABLE, NULL);
	else
		follow_begin(
		    r, r->context, db_rows(res) > 0 ? db_int(res, 0, 0) : 0);
}

static void
follow_found(struct request *r, struct channel *ch)
{
	const struct follow_in *in = r->in;
	struct db_params *p;

	if (in->after == -1) {
		follow_begin(r, ch, ch->last_n);
		return;
	}
	r->context = ch;
	p = db_params(STMT_event_place);
	db_put_id(p, &ch->id);
	db_put_int(p, in->after);
	db_query(r->core->reads, p, follow_placed, r);
}

static void
follow_channel_exec(struct request *r, void *arg)
{
	const struct follow_in *in = arg;

	channel_find(r, in->channel, follow_found);
}

static void
unfollow_found(struct request *r, struct channel *ch)
{
	struct follow_out out = { .channel = ch->id };
	struct follow *w;
	int64_t count;

	if ((w = follow_find(r->client, &ch->id, &count)) != NULL) {
		follow_remove(w);
		out.existed = true;
	}
	op_reply(r, &out);
}

static void
unfollow_channel_exec(struct request *r, void *arg)
{
	const struct follow_in *in = arg;

	channel_find(r, in->channel, unfollow_found);
}

const struct op op_follow_channel = {
	.name = "follow_channel",
	.scope = SCOPE_CHANNELS_READ,
	.reply = "channel_followed",
	.flags = OP_SESSION,
	.in = follow_fields,
	.in_size = sizeof(struct follow_in),
	.out = follow_out_fields,
	.exec = follow_channel_exec,
	.text = "Be told of what happens in a channel or a thread, from a "
		"message on, everything once and in order, until the "
		"connection ends.",
};

const struct op op_unfollow_channel = {
	.name = "unfollow_channel",
	.scope = SCOPE_CHANNELS_READ,
	.reply = "channel_unfollowed",
	.flags = OP_SESSION,
	.in = unfollow_fields,
	.in_size = sizeof(struct follow_in),
	.out = unfollow_out_fields,
	.exec = unfollow_channel_exec,
	.text = "Be told of it no more.",
};
