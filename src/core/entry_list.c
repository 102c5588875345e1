/* SPDX-License-Identifier: ISC */
/*
 * channel_events, mesh_events: pages of the journal, which may wait until
 * there is something for them.
 */
#include <string.h>

#include "core/channel.h"

#define EVENTS_PAGE 200
#define EVENTS_PAGE_MAX 500

struct events_in {
	struct slice channel;
	int64_t from_seq;
	int64_t after;
	int64_t limit;
	int64_t wait;
};

#define IN(field) offsetof(struct events_in, field)
#define FIELD_LIMIT_PAGE                                                      \
	{                                                                     \
		"limit", F_INT, IN(limit), 1, EVENTS_PAGE_MAX, 0, NULL, NULL, \
		    0, "At most so many; 200 when absent."                    \
	}
#define FIELD_WAIT                                                             \
	{                                                                      \
		"wait", F_INT, IN(wait), 0, FOLLOW_WAIT_MAX, FIELD_REST, NULL, \
		    NULL, 0,                                                   \
		    "Where there is nothing yet, wait so many seconds for "    \
		    "it."                                                      \
	}
static const struct field channel_events_fields[] = {
	{ "channel", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX,
	    FIELD_REQUIRED | FIELD_MESH, NULL, NULL, 0,
	    "Channel or thread: its id; or a channel's name." },
	{ "streamId", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX,
	    FIELD_REQUIRED | FIELD_REST, NULL, NULL, 0,
	    "Channel or thread: its id; or a channel's name." },
	{ "fromSeq", F_INT, IN(from_seq), -1, INT64_MAX, 0, NULL, NULL, 0,
	    "Of what came with messages: what is behind this seq; -1: of "
	    "everything, from the beginning." },
	{ "after", F_INT, IN(after), 0, INT64_MAX, FIELD_ABSENT, NULL, NULL, 0,
	    "Of everything: what is behind this n of the journal." },
	FIELD_LIMIT_PAGE,
	FIELD_WAIT,
	{ .type = F_END },
};
static const struct field mesh_events_fields[] = {
	{ "after", F_INT, IN(after), 0, INT64_MAX, 0, NULL, NULL, 0,
	    "What is behind this n of the journal." },
	FIELD_LIMIT_PAGE,
	FIELD_WAIT,
	{ .type = F_END },
};
#undef IN

struct events_out {
	struct list events;
	int64_t next;
	bool more;
	/* Not fields: */
	struct id id;
	bool mesh;
	bool by_seq;
	struct follow_wait *wait;
};

#define OUT(field) offsetof(struct events_out, field)
static const struct field events_out_fields[] = {
	{ "events", F_ROWS, OUT(events), 0, 0, 0, NULL, entry_fields,
	    sizeof(struct entry), "In the order in which they happened." },
	{ "next", F_INT, OUT(next), 0, 0, 0, NULL, NULL, 0,
	    "To ask for what comes then, as `after`; where fromSeq was given, "
	    "as that." },
	{ "more", F_BOOL, OUT(more), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "There is more already." },
	{ .type = F_END },
};
#undef OUT

static void events_ask(struct request *r);

/* Who asked for what is behind a seq goes on at one: of those that came with
 * a message, all or none. */
static size_t
events_cut(const struct entry *v, size_t n, int64_t next)
{
	size_t i = n;

	while (i > 0 && v[i - 1].seq == next)
		i--;
	return i > 0 ? i : n;
}

static void
events_rows(struct request *r, const struct db_result *res, int64_t limit)
{
	struct events_out *out = r->context;
	struct entry *v = pool_zalloc(&r->pool, (size_t)limit * sizeof(*v));
	struct post p;
	const size_t rows = db_null(res, 0, ENTRY_N) ? 0 : db_rows(res);
	size_t i, n = 0;
	int64_t last = 0;

	for (i = 0; i < rows && n < (size_t)limit; i++) {
		last = db_int(res, i, ENTRY_N);
		if (db_null(res, i, ENTRY_TYPE))
			continue;
		entry_read(&v[n], &p, res, i);
		v[n].post = NULL;
		v[n].type.p = pool_dup(&r->pool, v[n].type.p, v[n].type.n);
		v[n].payload.p =
		    pool_dup(&r->pool, v[n].payload.p, v[n].payload.n);
		n++;
	}
	out->more = i < rows ||
		    (!out->by_seq && i > 0 && last < db_int(res, 0, ENTRY_END));
	if (out->by_seq && i < rows)
		n = events_cut(v, n, db_int(res, i, ENTRY_SEQ));
	if (out->by_seq && n > 0)
		out->next = v[n - 1].seq;
	else if (!out->by_seq && last > out->next)
		out->next = last;
	out->events = (struct list){ v, n };
}

/* It does not wait any more. */
static struct events_out *
events_over(struct request *r)
{
	struct events_out *out = r->context;

	if (out->wait != NULL)
		follow_wait_end(out->wait);
	out->wait = NULL;
	return out;
}

static void
events_read(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct events_in *in = r->in;
	struct events_out *out = r->context;

	if (db_status(res) != DB_OK) {
		(void)events_over(r);
		(void)op_db_failed(r, res);
		return;
	}
	if (db_rows(res) == 0) {
		(void)events_over(r);
		channel_unknown(r, in->channel);
		return;
	}
	events_rows(r, res, in->limit > 0 ? in->limit : EVENTS_PAGE);
	if (out->events.n == 0 && out->more)
		events_ask(r);
	else if (out->events.n > 0 || out->wait == NULL ||
		 !follow_wait_more(out->wait, events_ask))
		op_reply(r, events_over(r));
}

static void
events_ask(struct request *r)
{
	const struct events_in *in = r->in;
	struct events_out *out = r->context;
	int64_t limit = in->limit > 0 ? in->limit : EVENTS_PAGE;
	struct db_params *p;
	enum err e;

	if ((e = follow_wait_may(r)) != ERR_NONE) {
		(void)events_over(r);
		op_fail(r, e, "The token is not good any more.");
		return;
	}
	p = db_params(out->mesh	    ? STMT_mesh_events_after
		      : out->by_seq ? STMT_events_of_posts
				    : STMT_events_after);
	db_put_id(p, &out->id);
	db_put_id(p, &r->client->session->info.member);
	db_put_int(p, out->next);
	db_put_int(p, limit + 1);
	if (!out->by_seq)
		db_put_bool(p, false);
	if (out->mesh)
		db_put_bool(p, entry_sees_all(r->client));
	db_query(r->core->reads, p, events_read, r);
}

static void
events_begin(struct request *r, struct events_out *out)
{
	const struct events_in *in = r->in;

	r->context = out;
	if (in->wait > 0)
		out->wait = follow_wait_begin(r, &out->id, in->wait * 1000);
	events_ask(r);
}

static void
channel_events_found(struct request *r, struct channel *ch)
{
	const struct events_in *in = r->in;
	struct events_out *out = pool_zalloc(&r->pool, sizeof(*out));

	out->id = ch->id;
	out->by_seq = in->after == -1 && in->from_seq >= 0;
	if (in->after >= 0)
		out->next = in->after;
	else if (out->by_seq)
		out->next = in->from_seq;
	events_begin(r, out);
}

static void
channel_events_exec(struct request *r, void *arg)
{
	const struct events_in *in = arg;

	channel_find(r, in->channel, channel_events_found);
}

static void
mesh_events_exec(struct request *r, void *arg)
{
	const struct events_in *in = arg;
	struct events_out *out = pool_zalloc(&r->pool, sizeof(*out));

	out->id = r->client->session->mesh->id;
	out->mesh = true;
	out->next = in->after;
	events_begin(r, out);
}

const struct op op_channel_events = {
	.name = "channel_events",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "GET /v1/streams/{streamId}/subscribe",
	    "GET /v1/streams/{streamId}/events" },
	.reply = "channel_events",
	.in = channel_events_fields,
	.in_size = sizeof(struct events_in),
	.out = events_out_fields,
	.exec = channel_events_exec,
	.text = "Read what happened in a channel or a thread.",
};

const struct op op_mesh_events = {
	.name = "mesh_events",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "GET /v1/events" },
	.reply = "mesh_events",
	.in = mesh_events_fields,
	.in_size = sizeof(struct events_in),
	.out = events_out_fields,
	.exec = mesh_events_exec,
	.text = "Read what happened in the channels of the mesh that one may "
		"see, and what is about oneself or, for who keeps order, about "
		"no channel.",
};
