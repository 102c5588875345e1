/* SPDX-License-Identifier: ISC */
/*
 * Which channels and threads there are for a member, and what it has not read
 * there.
 */
#include <string.h>

#include "core/channel.h"

#define LIST_PAGE 100
#define LIST_PAGE_MAX 500
#define LIST_AFTER (ID_HEX_LEN + 1) /* then the name */

struct list_in {
	struct slice channel; /* of threads */
	bool joined;
	int64_t limit;
	struct slice after;
};

#define IN(field) offsetof(struct list_in, field)
/* Over REST there are clients that know no pages. */
#define LIMIT_FIELD                                                            \
	{ "limit", F_INT, IN(limit), 1, LIST_PAGE_MAX, FIELD_MESH, NULL, NULL, \
		0, "At most so many; 100 when absent." },                      \
	{                                                                      \
		"limit", F_INT, IN(limit), 1, LIST_PAGE_MAX,                   \
		    FIELD_REST | FIELD_CLAMP, NULL, NULL, 0,                   \
		    "At most so many; 500 when absent."                        \
	}
static const struct field channels_fields[] = {
	{ "joined", F_BOOL, IN(joined), 0, 0, 0, NULL, NULL, 0,
	    "Only those that you are a member of." },
	LIMIT_FIELD,
	{ "after", F_STR, IN(after), LIST_AFTER, 1024, 0, NULL, NULL, 0,
	    "Only those that come after: next of the page before." },
	{ .type = F_END },
};
static const struct field threads_fields[] = {
	{ "channel", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX,
	    FIELD_REQUIRED | FIELD_MESH, NULL, NULL, 0,
	    "Channel: its id, or its name." },
	{ "channelId", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX,
	    FIELD_REQUIRED | FIELD_REST, NULL, NULL, 0,
	    "Channel: its id, or its name." },
	LIMIT_FIELD,
	{ "after", F_STR, IN(after), ID_HEX_LEN, ID_HEX_LEN, 0, NULL, NULL, 0,
	    "Only those that come after: next of the page before." },
	{ .type = F_END },
};
#undef IN

struct channel_row {
	struct id id;
	struct id parent;
	struct slice name;
	struct slice topic;
	bool private;
	int64_t seq;
	int64_t unread;
	struct slice role;
	int64_t created_ms;
	struct slice by_name;
	struct id by;
	int visibility;
};

#define ROW(field) offsetof(struct channel_row, field)
static const struct field channel_row_fields[] = {
	{ "channelId", F_ID, ROW(id), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "Its id." },
	{ "id", F_ID, ROW(id), 0, 0, FIELD_REST, NULL, NULL, 0, "Its id." },
	{ "name", F_STR, ROW(name), 0, 0, 0, NULL, NULL, 0, "Its name." },
	{ "topic", F_STR, ROW(topic), 0, 0, 0, NULL, NULL, 0,
	    "What it is about." },
	{ "private", F_BOOL, ROW(private), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "Only its members know of it." },
	{ "visibility", F_ENUM, ROW(visibility), 0, 0, FIELD_REST,
	    channel_visibilities, NULL, 0,
	    "private: only its members know of it." },
	{ "lastSeq", F_INT, ROW(seq), 0, 0, 0, NULL, NULL, 0,
	    "Of the newest message; 0: there is none." },
	{ "unread", F_INT, ROW(unread), 0, 0, 0, NULL, NULL, 0,
	    "Messages behind what you have read." },
	{ "role", F_STR, ROW(role), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "What you are there; absent: no member." },
	{ "createdAt", F_TIME, ROW(created_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it was made." },
	{ "createdByActorId", F_ID, ROW(by), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "By which member." },
	{ "createdBy", F_STR, ROW(by_name), 0, 0, 0, NULL, NULL, 0,
	    "By whom." },
	{ .type = F_END },
};
static const struct field thread_row_fields[] = {
	{ "channelId", F_ID, ROW(id), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "The thread's id." },
	{ "id", F_ID, ROW(id), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The thread's id." },
	{ "messageId", F_ID, ROW(parent), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "The message that it is about." },
	{ "parentMessageId", F_ID, ROW(parent), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The message that it is about." },
	{ "private", F_BOOL, ROW(private), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "Only members of its channel may read it." },
	{ "visibility", F_ENUM, ROW(visibility), 0, 0, FIELD_REST,
	    channel_visibilities, NULL, 0,
	    "private: only members of its channel may read it." },
	{ "lastSeq", F_INT, ROW(seq), 0, 0, 0, NULL, NULL, 0,
	    "Of the newest message; 0: there is none." },
	{ "unread", F_INT, ROW(unread), 0, 0, 0, NULL, NULL, 0,
	    "Messages behind what you have read." },
	{ "createdAt", F_TIME, ROW(created_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it was begun." },
	{ "createdByActorId", F_ID, ROW(by), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "By which member." },
	{ "createdBy", F_STR, ROW(by_name), 0, 0, 0, NULL, NULL, 0,
	    "By whom." },
	{ .type = F_END },
};
#undef ROW

struct list_out {
	struct list rows;
	struct slice next;
};

#define OUT(field) offsetof(struct list_out, field)
static const struct field channels_out_fields[] = {
	{ "channels", F_ROWS, OUT(rows), 0, 0, 0, NULL, channel_row_fields,
	    sizeof(struct channel_row), "By name." },
	{ "next", F_STR, OUT(next), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "There are more: after for the next page." },
	{ .type = F_END },
};
static const struct field threads_out_fields[] = {
	{ "threads", F_ROWS, OUT(rows), 0, 0, 0, NULL, thread_row_fields,
	    sizeof(struct channel_row), "The oldest first." },
	{ "next", F_STR, OUT(next), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "There are more: after for the next page." },
	{ .type = F_END },
};
#undef OUT

/* How many there may be, and rows for them. */
static size_t
list_limit(const struct request *r)
{
	const struct list_in *in = r->in;

	return (size_t)op_page(r, in->limit, LIST_PAGE, LIST_PAGE_MAX);
}

static void
list_reply(struct request *r, const struct db_result *res,
    void (*read)(struct channel_row *, const struct db_result *, size_t))
{
	size_t i, limit = list_limit(r);
	size_t n = db_rows(res) < limit ? db_rows(res) : limit;
	struct channel_row *rows =
	    pool_zalloc(&r->pool, (n + 1) * sizeof(*rows));
	struct list_out out = { .rows = { rows, n } };
	char hex[ID_HEX_LEN + 1], *next;

	for (i = 0; i < n; i++) {
		read(&rows[i], res, i);
		rows[i].visibility =
		    rows[i].private ? VISIBILITY_PRIVATE : VISIBILITY_PUBLIC;
	}
	if (db_rows(res) > limit) {
		id_hex(&rows[n - 1].id, hex);
		next = rows[n - 1].name.n == 0
			   ? pool_printf(&r->pool, "%s", hex)
			   : pool_printf(&r->pool, "%s " SLICE_FMT, hex,
				 SLICE_ARG(rows[n - 1].name));
		out.next = (struct slice){ next, strlen(next) };
	}
	op_reply(r, &out);
}

static int64_t
list_unread(int64_t seq, int64_t seen)
{
	return seq > seen ? seq - seen : 0;
}

static void
channel_row(struct channel_row *c, const struct db_result *res, size_t i)
{
	db_id(res, i, 0, &c->id);
	c->name = db_text(res, i, 1);
	c->topic = db_text(res, i, 2);
	c->private = db_bool(res, i, 3);
	c->seq = db_int(res, i, 4);
	if (!db_null(res, i, 5))
		c->role = db_text(res, i, 5);
	c->unread = list_unread(c->seq, db_int(res, i, 6));
	c->created_ms = db_time(res, i, 7);
	c->by_name = db_text(res, i, 8);
	db_id(res, i, 9, &c->by);
}

static void
thread_row(struct channel_row *c, const struct db_result *res, size_t i)
{
	db_id(res, i, 0, &c->id);
	db_id(res, i, 1, &c->parent);
	c->private = db_bool(res, i, 2);
	c->seq = db_int(res, i, 3);
	c->unread = list_unread(c->seq, db_int(res, i, 4));
	c->created_ms = db_time(res, i, 5);
	c->by_name = db_text(res, i, 6);
	db_id(res, i, 7, &c->by);
}

static void
channels_found(void *arg, const struct db_result *res)
{
	if (!op_db_failed(arg, res))
		list_reply(arg, res, channel_row);
}

static void
threads_found(void *arg, const struct db_result *res)
{
	if (!op_db_failed(arg, res))
		list_reply(arg, res, thread_row);
}

/* Where a page begins; -1 after failing the request. */
static int
list_after(struct request *r, struct slice after, struct id *id)
{
	memset(id, 0, sizeof(*id));
	if (after.n == 0 || id_parse(id, after.p, ID_HEX_LEN) == 0)
		return 0;
	op_fail(r, ERR_MALFORMED, "after is no next of a page.");
	return -1;
}

static void
list_channels_exec(struct request *r, void *arg)
{
	const struct session *s = r->client->session;
	const struct list_in *in = arg;
	struct slice name = { "", 0 };
	struct db_params *p;
	struct id after;
	char *folded;

	if (list_after(r, in->after, &after) != 0)
		return;
	if (in->after.n > 0)
		name = (struct slice){ in->after.p + LIST_AFTER,
			in->after.n - LIST_AFTER };
	folded = pool_alloc(&r->pool, 2 * name.n + 1);
	p = db_params(STMT_channel_list);
	db_put_id(p, &s->mesh->id);
	db_put_id(p, &s->info.member);
	db_put_text(p, folded, str_fold(folded, name.p, name.n));
	db_put_id(p, &after);
	db_put_bool(p, in->joined);
	db_put_int(p, (int64_t)list_limit(r) + 1);
	db_query(r->core->reads, p, channels_found, r);
}

static void
list_threads_of(struct request *r, struct channel *c)
{
	const struct list_in *in = r->in;
	struct db_params *p;
	struct id after;

	if (list_after(r, in->after, &after) != 0)
		return;
	p = db_params(STMT_thread_list);
	db_put_id(p, &c->id);
	db_put_id(p, &r->client->session->info.member);
	db_put_id(p, &after);
	db_put_int(p, (int64_t)list_limit(r) + 1);
	db_query(r->core->reads, p, threads_found, r);
}

static void
list_threads_exec(struct request *r, void *arg)
{
	const struct list_in *in = arg;

	channel_find(r, in->channel, list_threads_of);
}

const struct op op_list_channels = {
	.name = "list_channels",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "GET /v1/channels" },
	.reply = "channels",
	.in = channels_fields,
	.in_size = sizeof(struct list_in),
	.out = channels_out_fields,
	.exec = list_channels_exec,
	.text = "List the channels that you may see, and what you have not "
		"read there.",
};

const struct op op_list_threads = {
	.name = "list_threads",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "GET /v1/channels/{channelId}/threads" },
	.reply = "threads",
	.in = threads_fields,
	.in_size = sizeof(struct list_in),
	.out = threads_out_fields,
	.exec = list_threads_exec,
	.text = "List the threads of a channel.",
};
