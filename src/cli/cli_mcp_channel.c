/* SPDX-License-Identifier: ISC */
/*
 * Channels that an agent follows: what others say there goes to its inbox, as
 * messages do, and how far it has read is what it acknowledged, without a gap
 * in what came.
 *
 * Nobody holds back what is said in a channel.  When much waits for the agent
 * its channels are not followed any further, and again, from where they were,
 * when it has read: nothing is lost, and nothing grows without end.
 *
 * What the agent itself said does not come back to it; it is known by its
 * client_message_id.  Others may be of the same member.
 */
#include "cli/cli_mcp.h"

#include <stdlib.h>
#include <string.h>

#define CHANNEL_HEARD_MAX 200
#define CHANNEL_HEARD_LOW 100
#define CHANNEL_AGAIN_MS 1000
#define CHANNEL_SAID 256 /* ids of the agent's own that are remembered */
#define CHANNEL_SAID_MAX 256

struct mesh_channel {
	TAILQ_ENTRY(mesh_channel) entry; /* until the end: asks point to it */
	struct mesh_channels *of;
	bool on;
	bool paused;	  /* what comes is for later */
	bool resuming;	  /* it was asked for */
	int64_t again_ms; /* not before, by clock_mono() */
	char id[ID_HEX_LEN + 1];
	char *label; /* as the agent knows it, with # */
	int64_t seq; /* of the last message that came */
	int64_t read;
	int64_t marked;
};

/* A message that the agent has not acknowledged. */
struct mesh_heard {
	TAILQ_ENTRY(mesh_heard) entry;
	struct mesh_channel *channel;
	int64_t seq;
	char id[ID_HEX_LEN + 1];
};

struct mesh_channels {
	struct mcp_mesh *h;
	TAILQ_HEAD(, mesh_channel) channels;
	TAILQ_HEAD(, mesh_heard) heard;
	size_t nheard;
	char *said[CHANNEL_SAID];
	size_t nsaid; /* ever */
};

struct mesh_channels *
cli_mcp_channels_new(struct mcp_mesh *h)
{
	struct mesh_channels *v = xcalloc(1, sizeof(*v));

	v->h = h;
	TAILQ_INIT(&v->channels);
	TAILQ_INIT(&v->heard);
	return v;
}

static void
heard_free(struct mesh_channels *v, struct mesh_heard *m)
{
	TAILQ_REMOVE(&v->heard, m, entry);
	v->nheard--;
	free(m);
}

void
cli_mcp_channels_free(struct mesh_channels *v)
{
	struct mesh_channel *c;
	size_t i;

	while (!TAILQ_EMPTY(&v->heard))
		heard_free(v, TAILQ_FIRST(&v->heard));
	while ((c = TAILQ_FIRST(&v->channels)) != NULL) {
		TAILQ_REMOVE(&v->channels, c, entry);
		free(c->label);
		free(c);
	}
	for (i = 0; i < CHANNEL_SAID; i++)
		free(v->said[i]);
	free(v);
}

static struct mesh_channel *
channel_find(const struct mesh_channels *v, const char *id)
{
	struct mesh_channel *c;

	TAILQ_FOREACH (c, &v->channels, entry)
		if (strcmp(c->id, id) == 0)
			return c;
	return NULL;
}

bool
cli_mcp_channel_follows(const struct mesh_channels *v, const char *id)
{
	const struct mesh_channel *c = channel_find(v, id);

	return c != NULL && c->on;
}

/*
 * What comes.
 */
static bool
channel_is_own(const struct mesh_channels *v, const struct linnet_entry *e)
{
	size_t i;

	if (e->client_id[0] == '\0' ||
	    strcmp(e->member_id, v->h->s.mesh->member_id) != 0)
		return false;
	for (i = 0; i < CHANNEL_SAID && v->said[i] != NULL; i++)
		if (strcmp(v->said[i], e->client_id) == 0)
			return true;
	return false;
}

/* What a message says: its text, or all of it where there is more. */
static const char *
channel_text(struct pool *p, const struct linnet_entry *e)
{
	struct linnet_json *j = linnet_json_read(e->parts, strlen(e->parts));
	const char *type, *text = e->text;
	size_t i, n;

	if (j == NULL)
		return text;
	n = linnet_json_count(j, "");
	for (i = 0; i < n; i++) {
		type = linnet_json_get(j, pool_printf(p, "%zu.type", i));
		if (type == NULL || strcmp(type, "text") != 0)
			text = e->parts;
	}
	linnet_json_free(j);
	return text;
}

static void
channel_pause(struct mesh_channel *c)
{
	struct linnet *l = c->of->h->s.linnet;

	if (linnet_unfollow_channel(l, c->id, NULL, NULL) == 0)
		c->paused = true;
}

static void
channel_hear(struct mesh_channel *c, const struct linnet_entry *e)
{
	struct mesh_channels *v = c->of;
	struct mcp_message out = {
		.id = e->id,
		.from = e->name,
		.from_key = "",
		.from_member = "",
		.to = c->label,
		.priority = "next",
		.sent_at = e->at,
		.reply_to = e->reply_to,
		.subtype = "",
		.mesh = v->h->s.mesh->slug,
		.seq = e->seq,
	};
	struct mesh_heard *m;
	struct pool p;

	pool_init(&p);
	out.text = channel_text(&p, e);
	out.length = strlen(out.text);
	if (mcp_inbox_add(v->h->inbox, &out)) {
		m = xcalloc(1, sizeof(*m));
		m->channel = c;
		m->seq = e->seq;
		(void)str_copy(m->id, e->id, sizeof(m->id));
		TAILQ_INSERT_TAIL(&v->heard, m, entry);
		v->nheard++;
		mcp_arrived(v->h->mcp, &out);
	}
	pool_free(&p);
	if (v->nheard >= CHANNEL_HEARD_MAX && !c->paused)
		channel_pause(c);
}

/* As far as nothing waits. */
static void
channel_read(struct mesh_channel *c)
{
	const struct mesh_heard *m;
	int64_t read = c->seq;

	TAILQ_FOREACH (m, &c->of->heard, entry)
		if (m->channel == c && m->seq <= read)
			read = m->seq - 1;
	if (read > c->read)
		c->read = read;
}

static void
channel_closed(struct mesh_channel *c)
{
	char *text;

	if (!c->on)
		return;
	c->on = c->paused = false;
	text = xasprintf("%s is no more, or not for you any more; it is not "
			 "followed.",
	    c->label);
	mcp_log(c->of->h->mcp, "warning", text);
	free(text);
}

void
cli_mcp_channel_entry(void *arg, struct linnet *l, const struct linnet_entry *e)
{
	struct mcp_mesh *h = arg;
	struct mesh_channel *c = channel_find(h->channels, e->channel_id);

	(void)l;
	if (c == NULL || !c->on)
		return;
	if (strcmp(e->event, "closed") == 0)
		channel_closed(c);
	if (e->seq <= 0 || c->paused)
		return;
	c->seq = e->seq;
	if (!channel_is_own(h->channels, e))
		channel_hear(c, e);
	channel_read(c);
}

bool
cli_mcp_channel_ack(struct mesh_channels *v, const char *id)
{
	struct mesh_channel *c;
	struct mesh_heard *m;

	TAILQ_FOREACH (m, &v->heard, entry)
		if (strcmp(m->id, id) == 0)
			break;
	if (m == NULL)
		return false;
	c = m->channel;
	heard_free(v, m);
	channel_read(c);
	return true;
}

/*
 * What is asked.
 */
static void
channel_resumed(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct mesh_channel *c = arg;

	(void)l;
	c->resuming = false;
	if (reply->error == NULL)
		c->paused = false;
	else if (strcmp(reply->error->code, "not_found") == 0)
		channel_closed(c);
	else /* what passes */
		c->again_ms = clock_mono() + CHANNEL_AGAIN_MS;
}

void
cli_mcp_channel_turn(struct mesh_channels *v)
{
	struct linnet *l = v->h->s.linnet;
	struct mesh_channel *c;

	if (v->h->lost_ms != 0 || l == NULL)
		return;
	TAILQ_FOREACH (c, &v->channels, entry) {
		if (!c->on)
			continue;
		if (c->paused && !c->resuming &&
		    v->nheard < CHANNEL_HEARD_LOW &&
		    clock_mono() >= c->again_ms &&
		    linnet_follow_channel(
			l, c->id, c->seq, channel_resumed, c) == 0)
			c->resuming = true;
		if (c->read > c->marked &&
		    linnet_mark_read(l, c->id, c->read, false, NULL, NULL) == 0)
			c->marked = c->read;
	}
}

static const char *
channel_label(struct pool *p, const char *name)
{
	return name[0] == '#' ? name : pool_printf(p, "#%s", name);
}

/* Follows it from now on, as the agent calls it. */
static void
channel_put(struct mesh_channels *v, const struct json *j, struct cli *c,
    const struct json *fields)
{
	const char *id = cli_json_str(c, j, 0, "channelId");
	struct mesh_channel *ch = channel_find(v, id);

	if (ch == NULL) {
		ch = xcalloc(1, sizeof(*ch));
		ch->of = v;
		(void)str_copy(ch->id, id, sizeof(ch->id));
		TAILQ_INSERT_TAIL(&v->channels, ch, entry);
	}
	free(ch->label);
	ch->label = xstrdup(
	    channel_label(&c->pool, cli_json_str(c, fields, 0, "channel")));
	ch->on = true;
	ch->paused = false;
	ch->again_ms = 0;
	/* What is behind this comes; how far was read before is not known. */
	ch->seq = json_get(fields, 0, "after") != 0
		      ? cli_json_int(fields, 0, "after")
		      : cli_json_int(j, 0, "lastSeq");
	ch->read = ch->marked = ch->seq;
}

static void
channel_answered(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct mesh_ask *a = arg;
	struct mesh_channels *v = a->h->channels;
	struct cli c = { .out = NULL };
	struct mesh_channel *ch;
	struct json j, fields;
	char *text;
	struct buf b;

	(void)l;
	if (reply->error != NULL) {
		cli_mcp_fail(a, reply->error);
		return;
	}
	pool_init(&c.pool);
	text = cli_mcp_fields(&fields, a->fields);
	if (cli_json_read(&j, reply) != 0)
		fatalx("the answer to %s", a->op);
	if (strcmp(a->op, "follow_channel") == 0)
		channel_put(v, &j, &c, &fields);
	else if ((ch = channel_find(v, cli_json_str(&c, &j, 0, "channelId"))) !=
		 NULL)
		ch->on = ch->paused = false;
	json_free(&fields);
	json_free(&j);
	free(text);
	pool_free(&c.pool);
	buf_init(&b, SIZE_MAX / 2);
	buf_add(&b, reply->text, reply->n);
	cli_mcp_answer(a, &b);
	buf_free(&b);
}

static void
channel_said(struct mesh_channels *v, const char *id)
{
	char **place = &v->said[v->nsaid % CHANNEL_SAID];

	/* The broker refuses it. */
	if (id[0] == '\0' || strlen(id) > CHANNEL_SAID_MAX)
		return;
	v->nsaid++;
	free(*place);
	*place = xstrdup(id);
}

bool
cli_mcp_channel_call(struct mesh_ask *a)
{
	bool follow = strcmp(a->op, "follow_channel") == 0;
	bool unfollow = strcmp(a->op, "unfollow_channel") == 0;
	struct linnet *l = a->h->s.linnet;
	struct cli c = { .out = NULL };
	struct json fields;
	const char *channel;
	char *text;
	int r = 0;

	if (!follow && !unfollow && strcmp(a->op, "post") != 0)
		return false;
	pool_init(&c.pool);
	text = cli_mcp_fields(&fields, a->fields);
	channel = cli_json_str(&c, &fields, 0, "channel");
	if (follow)
		r = linnet_follow_channel(l, channel,
		    json_get(&fields, 0, "after") != 0
			? cli_json_int(&fields, 0, "after")
			: LINNET_NEWEST,
		    channel_answered, a);
	else if (unfollow)
		r = linnet_unfollow_channel(l, channel, channel_answered, a);
	else
		channel_said(a->h->channels,
		    cli_json_str(&c, &fields, 0, "client_message_id"));
	json_free(&fields);
	free(text);
	pool_free(&c.pool);
	if (r != 0)
		cli_mcp_fail(a, linnet_last_error(l));
	return follow || unfollow;
}
