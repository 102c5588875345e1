/* SPDX-License-Identifier: ISC */
/*
 * What was said in a channel, from a place on.
 */
#include <string.h>

#include "core/channel.h"

#define POST_PAGE 50
#define POST_PAGE_BYTES ((size_t)1 << 20)

#define POST(field) offsetof(struct post, field)
const struct field post_fields[] = {
	{ "messageId", F_ID, POST(id), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "The message's id." },
	{ "id", F_ID, POST(id), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The message's id." },
	{ "channelId", F_ID, POST(channel), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "The channel, or thread." },
	{ "streamId", F_ID, POST(channel), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The channel, or thread." },
	{ "seq", F_INT, POST(seq), 0, 0, 0, NULL, NULL, 0,
	    "Its place there; from 1, without gaps." },
	{ "streamSeq", F_INT, POST(seq), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The same." },
	{ "memberId", F_ID, POST(member), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "Who said it." },
	{ "actorId", F_ID, POST(member), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "Who said it." },
	{ "name", F_STR, POST(by_name), 0, 0, 0, NULL, NULL, 0,
	    "By what name." },
	{ "parts", F_JSON, POST(parts), 0, 0, 0, NULL, NULL, 0,
	    "What was said: an array of index, type and payload; empty when "
	    "it was redacted." },
	{ "replyToId", F_ID, POST(reply_to), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "The message that it answers." },
	{ "client_message_id", F_STR, POST(client_id), 0, 0,
	    FIELD_OMIT | FIELD_MESH, NULL, NULL, 0, "The sender's own id." },
	{ "idempotencyKey", F_STR, POST(client_id), 0, 0,
	    FIELD_OMIT | FIELD_REST, NULL, NULL, 0, "The sender's own id." },
	{ "reactions", F_JSON, POST(reactions), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "What others think of it: an array of reaction, count and "
	    "names." },
	{ "createdAt", F_TIME, POST(created_ms), 0, 0, 0, NULL, NULL, 0,
	    "When." },
	{ "editedAt", F_TIME, POST(edited_ms), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "When it was last changed." },
	{ "redactedAt", F_TIME, POST(redacted_ms), 0, 0,
	    FIELD_OMIT | FIELD_MESH, NULL, NULL, 0,
	    "When what it said was taken back." },
	{ "redacted", F_BOOL, POST(redacted), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "What it said was taken back." },
	{ "redactedAt", F_TIME, POST(redacted_ms), 0, 0,
	    FIELD_NULLABLE | FIELD_REST, NULL, NULL, 0, "When." },
	{ .type = F_END },
};
#undef POST

void
post_read(struct post *p, const struct db_result *res, size_t row, unsigned c)
{
	memset(p, 0, sizeof(*p));
	db_id(res, row, c, &p->id);
	p->seq = db_int(res, row, c + 1);
	db_id(res, row, c + 2, &p->member);
	p->by_name = db_text(res, row, c + 3);
	if (!db_null(res, row, c + 4))
		p->client_id = db_text(res, row, c + 4);
	if (!db_null(res, row, c + 5))
		db_id(res, row, c + 5, &p->reply_to);
	p->parts = db_text(res, row, c + 6);
	p->created_ms = db_time(res, row, c + 7);
	if (!db_null(res, row, c + 8))
		p->edited_ms = db_time(res, row, c + 8);
	if (!db_null(res, row, c + 9))
		p->redacted_ms = db_time(res, row, c + 9);
	p->redacted = p->redacted_ms != 0;
	db_id(res, row, c + 10, &p->mesh);
	db_id(res, row, c + 11, &p->channel);
	if (!db_null(res, row, c + 12))
		p->reactions = db_text(res, row, c + 12);
}

void
post_ask(struct core *c, const struct id *channel, const struct id *member,
    int64_t after, int64_t limit, db_fn *fn, void *arg)
{
	struct db_params *p = db_params(STMT_posts_after);

	db_put_id(p, channel);
	db_put_id(p, member);
	db_put_int(p, after);
	db_put_int(p, limit);
	db_query(c->reads, p, fn, arg);
}

/*
 * read_channel
 */
struct read_in {
	struct slice channel;
	int64_t after;
	int64_t limit;
	int64_t wait;
};

#define IN(field) offsetof(struct read_in, field)
static const struct field read_fields[] = {
	{ "channel", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX,
	    FIELD_REQUIRED | FIELD_MESH, NULL, NULL, 0,
	    "Channel or thread: its id; or a channel's name." },
	{ "streamId", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX,
	    FIELD_REQUIRED | FIELD_REST, NULL, NULL, 0,
	    "Channel or thread: its id; or a channel's name." },
	{ "after", F_INT, IN(after), 0, INT64_MAX, FIELD_ABSENT | FIELD_MESH,
	    NULL, NULL, 0,
	    "What comes after this seq; without it the newest messages." },
	{ "afterSeq", F_INT, IN(after), 0, INT64_MAX, FIELD_REST | FIELD_CLAMP,
	    NULL, NULL, 0, "What comes after this seq; 0 when absent." },
	{ "after", F_INT, IN(after), 0, INT64_MAX, FIELD_REST | FIELD_CLAMP,
	    NULL, NULL, 0, "The same." },
	{ "limit", F_INT, IN(limit), 1, POST_PAGE_MAX, FIELD_MESH, NULL, NULL,
	    0, "At most so many; 50 when absent." },
	{ "limit", F_INT, IN(limit), 1, POST_PAGE_MAX, FIELD_REST | FIELD_CLAMP,
	    NULL, NULL, 0, "At most so many; 50 when absent." },
	{ "wait", F_INT, IN(wait), 0, FOLLOW_WAIT_MAX, FIELD_REST, NULL, NULL,
	    0, "Where there is nothing yet, wait so many seconds for it." },
	{ .type = F_END },
};
#undef IN

struct read_out {
	struct id channel;
	struct list posts;
	int64_t seq;
	bool more;
	int64_t next;
	/* Not fields: */
	int64_t after;
	struct follow_wait *wait;
};

#define OUT(field) offsetof(struct read_out, field)
static const struct field read_out_fields[] = {
	{ "channelId", F_ID, OUT(channel), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "The channel, or thread." },
	{ "streamId", F_ID, OUT(channel), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The channel, or thread." },
	{ "messages", F_ROWS, OUT(posts), 0, 0, 0, NULL, post_fields,
	    sizeof(struct post), "In the order of their seq." },
	{ "lastSeq", F_INT, OUT(seq), 0, 0, 0, NULL, NULL, 0,
	    "Of the newest message." },
	{ "more", F_BOOL, OUT(more), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "There are more, after the last of these." },
	{ "next", F_INT, OUT(next), 0, 0, FIELD_REST | FIELD_OMIT, NULL, NULL,
	    0, "There are more: after for the next page." },
	{ .type = F_END },
};
#undef OUT

static void read_ask(struct request *r);

/* It does not wait any more. */
static struct read_out *
read_over(struct request *r)
{
	struct read_out *out = r->context;

	if (out->wait != NULL)
		follow_wait_end(out->wait);
	out->wait = NULL;
	return out;
}

static void
read_done(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct read_out *out = r->context;
	struct post *v;
	size_t i, n, bytes = 0;

	if (db_status(res) != DB_OK) {
		(void)read_over(r);
		(void)op_db_failed(r, res);
		return;
	}
	if ((n = db_rows(res)) == 0) {
		(void)read_over(r);
		channel_unknown(r, ((const struct read_in *)r->in)->channel);
		return;
	}
	n -= db_null(res, 0, 0);
	if (n == 0 && out->wait != NULL &&
	    follow_wait_more(out->wait, read_ask))
		return;
	v = pool_alloc(&r->pool, (n + 1) * sizeof(*v));
	/* One always fits. */
	for (i = 0; i < n && (i == 0 || bytes < POST_PAGE_BYTES); i++) {
		post_read(&v[i], res, i, 0);
		bytes += v[i].parts.n;
	}
	out->posts = (struct list){ v, i };
	if (i > 0 && v[i - 1].seq > out->seq)
		out->seq = v[i - 1].seq;
	out->more = i > 0 && v[i - 1].seq < out->seq;
	if (out->more)
		out->next = v[i - 1].seq;
	op_reply(r, read_over(r));
}

static void
read_ask(struct request *r)
{
	const struct read_in *in = r->in;
	struct read_out *out = r->context;
	enum err e;

	if ((e = follow_wait_may(r)) != ERR_NONE) {
		(void)read_over(r);
		op_fail(r, e, "The token is not good any more.");
		return;
	}
	post_ask(r->core, &out->channel, &r->client->session->info.member,
	    out->after, in->limit > 0 ? in->limit : POST_PAGE, read_done, r);
}

static void
read_found(struct request *r, struct channel *c)
{
	const struct read_in *in = r->in;
	int64_t limit = in->limit > 0 ? in->limit : POST_PAGE;
	struct read_out *out = pool_zalloc(&r->pool, sizeof(*out));

	out->after = in->after;
	if (in->after == -1)
		out->after = c->seq > limit ? c->seq - limit : 0;
	out->channel = c->id;
	out->seq = c->seq;
	r->context = out;
	if (in->wait > 0)
		out->wait = follow_wait_begin(r, &c->id, in->wait * 1000);
	read_ask(r);
}

static void
read_channel_exec(struct request *r, void *arg)
{
	const struct read_in *in = arg;

	channel_find(r, in->channel, read_found);
}

const struct op op_read_channel = {
	.name = "read_channel",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "GET /v1/streams/{streamId}/messages",
	    "GET /v1/channels/{streamId}/messages" },
	.reply = "channel_messages",
	.in = read_fields,
	.in_size = sizeof(struct read_in),
	.out = read_out_fields,
	.exec = read_channel_exec,
	.text = "Read what was said in a channel or a thread.",
};
