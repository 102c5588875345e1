/* SPDX-License-Identifier: ISC */
/*
 * follow_channel, unfollow_channel, follow_mesh: where following begins.
 *
 * A place in the journal is found before anything is read from there.  What is
 * stored meanwhile is behind it, and so is told.
 */
#include <string.h>

#include "core/channel.h"

#define IN(field) offsetof(struct follow_in, field)
static const struct field follow_fields[] = {
	{ "channel", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX, FIELD_REQUIRED,
	    NULL, NULL, 0, "Channel or thread: its id; or a channel's name." },
	{ "after", F_INT, IN(after), 0, INT64_MAX, FIELD_ABSENT, NULL, NULL, 0,
	    "The last seq that was seen; without it only what is new comes." },
	{ "afterEvent", F_ID, IN(event), 0, 0, 0, NULL, NULL, 0,
	    "With after: the last eventId that was seen behind that message." },
	{ .type = F_END },
};
static const struct field unfollow_fields[] = {
	{ "channel", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX, FIELD_REQUIRED,
	    NULL, NULL, 0, "Channel or thread: its id; or a channel's name." },
	{ .type = F_END },
};
static const struct field follow_mesh_fields[] = {
	{ "after", F_STR, IN(place), 1, ENTRY_PLACE_MAX, 0, NULL, NULL, 0,
	    "The id of the last event that was seen, or the next of a page; 0: "
	    "from the first on; "
	    "without it only what is new comes." },
	{ .type = F_END },
};
#undef IN

struct follow_out {
	struct id channel;
	int64_t seq;
	struct id event;
	bool existed;
	bool gap;
};

#define OUT(field) offsetof(struct follow_out, field)
static const struct field follow_out_fields[] = {
	{ "channelId", F_ID, OUT(channel), 0, 0, 0, NULL, NULL, 0,
	    "The channel, or thread." },
	{ "lastSeq", F_INT, OUT(seq), 0, 0, 0, NULL, NULL, 0,
	    "Of its newest message: up to there comes what was said before." },
	{ "lastEventId", F_ID, OUT(event), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "Without after: of the last event, behind which this begins." },
	{ .type = F_END },
};
static const struct field unfollow_out_fields[] = {
	{ "channelId", F_ID, OUT(channel), 0, 0, 0, NULL, NULL, 0,
	    "The channel, or thread." },
	{ "existed", F_BOOL, OUT(existed), 0, 0, 0, NULL, NULL, 0,
	    "It was followed." },
	{ .type = F_END },
};
static const struct field follow_mesh_out_fields[] = {
	{ "gap", F_BOOL, OUT(gap), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "That event is not known: this begins a little before its time, "
	    "and some may come twice." },
	{ .type = F_END },
};
#undef OUT

/* A place that is looked for, of the request's pool. */
struct following {
	struct request *request;
	struct follow_out out;
	struct id id; /* of what is followed */
	struct follow_start start;
};

/* May it?  Else it is told why not. */
static bool
follow_checked(struct request *r, const struct id *id)
{
	const struct follow_in *in = r->in;

	switch (follow_may(r->client, id)) {
	case FOLLOW_MAY_AGAIN:
		if (!(in->flags & FOLLOW_ONCE))
			return true;
		op_fail(r, ERR_ID_CONFLICT, "already subscribed");
		return false;
	case FOLLOW_MAY_NOT:
		r->error_limit = FOLLOW_MAX;
		r->error_used = FOLLOW_MAX;
		op_fail(r, ERR_QUOTA,
		    "A connection may follow %d channels; unfollow some.",
		    FOLLOW_MAX);
		return false;
	case FOLLOW_MAY:
		break;
	}
	return true;
}

/* From a line of the journal on.  What comes, comes after the answer. */
static void
follow_from(struct following *g, int64_t last)
{
	struct request *r = g->request;

	if (!follow_checked(r, &g->id))
		return;
	g->start.last = last;
	follow_begin(r->client, &g->id, &g->start);
	op_reply(r, &g->out);
}

/* Behind an event that the client named. */
static void
follow_behind(void *arg, int64_t n, bool known)
{
	struct following *g = arg;

	g->start.gap = g->out.gap = !known;
	follow_from(g, n);
}

static void
follow_placed(void *arg, const struct db_result *res)
{
	struct following *g = arg;
	struct request *r = g->request;
	const struct follow_in *in = r->in;

	if (op_db_failed(r, res) || op_left(r))
		return;
	if (in->after == FOLLOW_NEW && !db_null(res, 0, 1))
		db_id(res, 0, 1, &g->out.event);
	follow_from(g, db_null(res, 0, 0) ? 0 : db_int(res, 0, 0));
}

static void
follow_found(struct request *r, struct channel *ch)
{
	const struct follow_in *in = r->in;
	struct following *g = pool_zalloc(&r->pool, sizeof(*g));
	struct db_params *p;

	g->request = r;
	g->id = g->out.channel = ch->id;
	g->out.seq = ch->seq;
	g->start.flags = in->flags;
	g->start.root = ch->root;
	g->start.until = ch->last_n;
	if (in->place.n > 0) {
		entry_place(r, in->place, follow_behind, g);
		return;
	}
	if (in->after == FOLLOW_ALL) {
		follow_from(g, 0);
		return;
	}
	g->start.after = in->after == FOLLOW_NEW ? ch->seq : in->after;
	p = db_params(STMT_follow_place);
	db_put_id(p, &ch->id);
	if (in->after == FOLLOW_NEW)
		db_put_null(p);
	else
		db_put_int(p, in->after);
	db_put_id(p, in->after != FOLLOW_NEW && !id_is_null(&in->event)
			 ? &in->event
			 : NULL);
	db_put_int(p, ch->last_n);
	db_put_id(p, &r->client->session->mesh->id);
	db_query(r->core->reads, p, follow_placed, g);
}

static void
follow_channel_exec(struct request *r, void *arg)
{
	const struct follow_in *in = arg;

	channel_find(r, in->channel, follow_found);
}

static void
unfollow_reply(struct request *r, const struct id *channel)
{
	struct follow_out out = { .channel = *channel };

	out.existed = follow_stop(r->client, channel);
	op_reply(r, &out);
}

static void
unfollow_found(struct request *r, struct channel *ch)
{
	unfollow_reply(r, &ch->id);
}

/* What is followed need not be there any more. */
static void
unfollow_channel_exec(struct request *r, void *arg)
{
	const struct follow_in *in = arg;
	struct id id;

	if (id_parse(&id, in->channel.p, in->channel.n) == 0 &&
	    follow_may(r->client, &id) == FOLLOW_MAY_AGAIN)
		unfollow_reply(r, &id);
	else
		channel_find(r, in->channel, unfollow_found);
}

static void
follow_mesh_found(void *arg, const struct db_result *res)
{
	struct following *g = arg;
	struct request *r = g->request;
	const struct follow_in *in = r->in;

	if (op_db_failed(r, res))
		return;
	if (r->client == NULL || r->client->session == NULL ||
	    db_rows(res) == 0) {
		op_fail(r, ERR_UNAVAILABLE, NULL);
		return;
	}
	g->start.until = db_int(res, 0, 0);
	if (in->place.n > 0)
		entry_place(r, in->place, follow_behind, g);
	else
		follow_from(g, g->start.until);
}

static void
follow_mesh_exec(struct request *r, void *arg)
{
	const struct follow_in *in = arg;
	struct following *g = pool_zalloc(&r->pool, sizeof(*g));
	struct db_params *p = db_params(STMT_journal_end);

	g->request = r;
	g->id = r->client->session->mesh->id;
	g->start.flags = in->flags;
	g->start.mesh = true;
	db_put_id(p, &g->id);
	db_query(r->core->reads, p, follow_mesh_found, g);
}

const struct op op_follow_channel = {
	.name = "follow_channel",
	.scope = SCOPE_CHANNELS_READ,
	.reply = "channel_followed",
	.flags = OP_HEARS,
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
	.flags = OP_HEARS,
	.in = unfollow_fields,
	.in_size = sizeof(struct follow_in),
	.out = unfollow_out_fields,
	.exec = unfollow_channel_exec,
	.text = "Be told of it no more.",
};

const struct op op_follow_mesh = {
	.name = "follow_mesh",
	.scope = SCOPE_CHANNELS_READ,
	.reply = "mesh_followed",
	.flags = OP_HEARS,
	.in = follow_mesh_fields,
	.in_size = sizeof(struct follow_in),
	.out = follow_mesh_out_fields,
	.exec = follow_mesh_exec,
	.text = "Be told of what happens in all channels of the mesh that one "
		"may see, and of what is about oneself or, for who keeps "
		"order, about no channel: behind an event, or what is new.",
};
