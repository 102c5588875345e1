/* SPDX-License-Identifier: ISC */
/*
 * channel_events, mesh_events: pages of the journal, which may wait until
 * there is something for them.
 */
#include <string.h>

#include "core/channel.h"

#define EVENTS_PAGE 200
#define EVENTS_PAGE_MAX 500
/* A page ends where it has so many bytes. */
#define EVENTS_BYTES ((size_t)1 << 20)

struct events_in {
	struct slice channel;
	int64_t from_seq;
	struct slice after;
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
#define FIELD_AFTER                                                           \
	{                                                                     \
		"after", F_STR, IN(after), 1, ENTRY_PLACE_MAX, 0, NULL, NULL, \
		    0,                                                        \
		    "Of everything: what is behind the event of this id, or " \
		    "the `next` of a page; 0: from the first on."             \
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
	FIELD_AFTER,
	FIELD_LIMIT_PAGE,
	FIELD_WAIT,
	{ .type = F_END },
};
static const struct field mesh_events_fields[] = {
	FIELD_AFTER,
	FIELD_LIMIT_PAGE,
	FIELD_WAIT,
	{ .type = F_END },
};
#undef IN

struct events_out {
	struct list events;
	struct slice next;
	int64_t next_seq;
	bool more;
	bool gap;
	/* Not fields: */
	struct entry *v;
	size_t bytes;
	int64_t last; /* line, or seq, that was looked at */
	struct id id;
	bool mesh;
	bool by_seq;
	struct follow_wait *wait;
};

#define OUT(field) offsetof(struct events_out, field)
static const struct field events_out_fields[] = {
	{ "events", F_ROWS, OUT(events), 0, 0, 0, NULL, entry_fields,
	    sizeof(struct entry), "In the order in which they happened." },
	{ "next", F_STR, OUT(next), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "To ask for what comes then, as `after`." },
	{ "nextSeq", F_INT, OUT(next_seq), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "The same as `fromSeq`, where that was given." },
	{ "more", F_BOOL, OUT(more), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "There is more already." },
	{ "gap", F_BOOL, OUT(gap), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "The event of `after` is not known: this begins a little before "
	    "its time, and some may come twice." },
	{ .type = F_END },
};
#undef OUT

static void events_ask(struct request *r);

static int64_t
events_limit(const struct events_in *in)
{
	return in->limit > 0 ? in->limit : EVENTS_PAGE;
}

/* A row, of which the answer's texts do not stay. */
static void
events_take(
    struct request *r, struct entry *e, const struct db_result *res, size_t row)
{
	struct post p;

	entry_read(e, &p, res, row);
	e->post = NULL;
	e->type.p = pool_dup(&r->pool, e->type.p, e->type.n);
	e->payload.p = pool_dup(&r->pool, e->payload.p, e->payload.n);
}

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

/* What came with messages behind a seq. */
static void
events_rows_by_seq(struct request *r, const struct db_result *res, size_t limit)
{
	struct events_out *out = r->context;
	const size_t rows = db_null(res, 0, ENTRY_N) ? 0 : db_rows(res);
	size_t n;

	for (n = 0; n < rows && n < limit; n++)
		events_take(r, &out->v[n], res, n);
	out->more = n < rows;
	if (out->more)
		n = events_cut(out->v, n, db_int(res, n, ENTRY_SEQ));
	if (n > 0)
		out->last = out->next_seq = out->v[n - 1].seq;
	out->events = (struct list){ out->v, n };
}

/*
 * Everything behind a line.  A page is full, and there is more, by what the
 * member may see alone; so it goes on until it has that, or there are no more
 * lines.  True: it has to.
 */
static bool
events_rows(struct request *r, const struct db_result *res, size_t limit)
{
	struct events_out *out = r->context;
	const size_t rows = db_null(res, 0, ENTRY_N) ? 0 : db_rows(res);
	struct entry *e;
	size_t i;

	for (i = 0; i < rows; i++) {
		if (!db_null(res, i, ENTRY_TYPE)) {
			out->more = out->events.n == limit ||
				    out->bytes >= EVENTS_BYTES;
			if (out->more)
				break;
			e = &out->v[out->events.n++];
			events_take(r, e, res, i);
			out->bytes += e->payload.n;
		}
		out->last = db_int(res, i, ENTRY_N);
	}
	return !out->more && rows > 0 && out->last < db_int(res, 0, ENTRY_END);
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
	if (out->by_seq)
		events_rows_by_seq(r, res, (size_t)events_limit(in));
	else if (events_rows(r, res, (size_t)events_limit(in))) {
		events_ask(r);
		return;
	}
	if (out->events.n == 0 && out->wait != NULL &&
	    follow_wait_more(out->wait, events_ask))
		return;
	if (!out->by_seq && r->client != NULL && r->client->session != NULL)
		out->next = entry_place_text(r, out->last);
	op_reply(r, events_over(r));
}

static void
events_ask(struct request *r)
{
	const struct events_in *in = r->in;
	struct events_out *out = r->context;
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
	db_put_int(p, out->last);
	/* Of a mesh there may be many that are not for the member. */
	db_put_int(p, out->mesh ? EVENTS_PAGE_MAX + 1 : events_limit(in) + 1);
	if (!out->by_seq)
		db_put_bool(p, false);
	if (out->mesh)
		db_put_bool(p, entry_sees_all(r->client));
	db_query(r->core->reads, p, events_read, r);
}

static void
events_begin(struct request *r)
{
	const struct events_in *in = r->in;
	struct events_out *out = r->context;

	if (in->wait > 0)
		out->wait = follow_wait_begin(r, &out->id, in->wait * 1000);
	events_ask(r);
}

static void
events_behind(void *arg, int64_t n, bool known)
{
	struct request *r = arg;
	struct events_out *out = r->context;

	out->last = n;
	out->gap = !known;
	events_begin(r);
}

static void
events_place(struct request *r, struct events_out *out)
{
	const struct events_in *in = r->in;

	r->context = out;
	out->v =
	    pool_zalloc(&r->pool, (size_t)events_limit(in) * sizeof(*out->v));
	out->events.v = out->v;
	if (out->by_seq) {
		events_begin(r);
		return;
	}
	entry_place(r, in->after, events_behind, r);
}

static void
channel_events_found(struct request *r, struct channel *ch)
{
	const struct events_in *in = r->in;
	struct events_out *out = pool_zalloc(&r->pool, sizeof(*out));

	out->id = ch->id;
	out->by_seq = in->after.n == 0 && in->from_seq >= 0;
	if (out->by_seq)
		out->last = out->next_seq = in->from_seq;
	events_place(r, out);
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
	struct events_out *out = pool_zalloc(&r->pool, sizeof(*out));

	(void)arg;
	out->id = r->client->session->mesh->id;
	out->mesh = true;
	events_place(r, out);
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
