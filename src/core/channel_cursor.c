/* SPDX-License-Identifier: ISC */
/*
 * How far a member has read.  It goes forwards only, unless somebody says that
 * it shall go back: what comes late from another device changes nothing.
 */
#include <string.h>

#include "core/channel.h"

struct cursor_in {
	struct slice channel;
	int stream;
	int64_t seen;
	int64_t acked;
	bool back;
};

#define IN(field) offsetof(struct cursor_in, field)
static const struct field cursor_fields[] = {
	{ "channel", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX,
	    FIELD_REQUIRED | FIELD_MESH, NULL, NULL, 0,
	    "Channel or thread: its id; or a channel's name." },
	{ "streamId", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX,
	    FIELD_REQUIRED | FIELD_REST, NULL, NULL, 0,
	    "Channel or thread: its id; or a channel's name." },
	{ "streamType", F_ENUM, IN(stream), 0, 0, FIELD_REST, channel_streams,
	    NULL, 0, "What it is; its id is enough." },
	{ "seq", F_INT, IN(seen), 0, INT64_MAX, FIELD_ABSENT | FIELD_MESH, NULL,
	    NULL, 0,
	    "The last one that was read; the newest one when absent." },
	{ "lastSeenSeq", F_INT, IN(seen), 0, INT64_MAX,
	    FIELD_ABSENT | FIELD_REST, NULL, NULL, 0,
	    "The last one that was read; the newest one when absent." },
	{ "lastSeq", F_INT, IN(seen), 0, INT64_MAX, FIELD_ABSENT | FIELD_REST,
	    NULL, NULL, 0, "The same." },
	{ "acked", F_INT, IN(acked), 0, INT64_MAX, FIELD_ABSENT | FIELD_MESH,
	    NULL, NULL, 0,
	    "The last one that was dealt with, where that differs." },
	{ "lastAckSeq", F_INT, IN(acked), 0, INT64_MAX,
	    FIELD_ABSENT | FIELD_REST, NULL, NULL, 0,
	    "The last one that was dealt with, where that differs." },
	{ "back", F_BOOL, IN(back), 0, 0, 0, NULL, NULL, 0,
	    "Also when it goes back." },
	{ .type = F_END },
};
#undef IN

struct cursor_out {
	bool ok;
	struct id channel;
	int64_t seen;
	int64_t acked;
	int64_t unread;
};

#define OUT(field) offsetof(struct cursor_out, field)
static const struct field cursor_out_fields[] = {
	{ "ok", F_BOOL, OUT(ok), 0, 0, FIELD_REST, NULL, NULL, 0, "true." },
	{ "channelId", F_ID, OUT(channel), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "The channel, or thread." },
	{ "streamId", F_ID, OUT(channel), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The channel, or thread." },
	{ "seq", F_INT, OUT(seen), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "The last one that was read." },
	{ "lastSeenSeq", F_INT, OUT(seen), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The last one that was read." },
	{ "acked", F_INT, OUT(acked), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "The last one that was dealt with." },
	{ "lastAckSeq", F_INT, OUT(acked), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The last one that was dealt with." },
	{ "unread", F_INT, OUT(unread), 0, 0, 0, NULL, NULL, 0,
	    "Messages behind that." },
	{ .type = F_END },
};
#undef OUT

static void
cursor_set(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct channel *c = r->context;
	struct cursor_out out = { .ok = true, .channel = c->id };

	if (op_db_failed(r, res))
		return;
	if (db_rows(res) == 0) {
		channel_unknown(r, ((const struct cursor_in *)r->in)->channel);
		return;
	}
	out.seen = db_int(res, 0, 0);
	out.acked = db_int(res, 0, 1);
	out.unread =
	    db_int(res, 0, 2) > out.seen ? db_int(res, 0, 2) - out.seen : 0;
	op_reply(r, &out);
}

static void
cursor_found(struct request *r, struct channel *c)
{
	const struct cursor_in *in = r->in;
	int64_t seen = in->seen >= 0 ? in->seen : c->seq;
	int64_t acked = in->acked >= 0 ? in->acked : seen;
	struct db_params *p;

	/* Clients of REST may count on, and are told where they are. */
	if (op_is_rest(r)) {
		seen = seen < c->seq ? seen : c->seq;
		acked = acked < c->seq ? acked : c->seq;
	}
	if (seen > c->seq || acked > c->seq) {
		op_fail(r, ERR_MALFORMED,
		    "The newest message is %lld; nobody has read further.",
		    (long long)c->seq);
		return;
	}
	r->context = c;
	p = db_params(STMT_cursor_set);
	db_put_id(p, &c->id);
	db_put_id(p, &r->client->session->info.member);
	db_put_int(p, seen);
	db_put_int(p, acked);
	db_put_bool(p, in->back);
	db_query(r->core->reads, p, cursor_set, r);
}

static void
cursor_exec(struct request *r, void *arg)
{
	const struct cursor_in *in = arg;

	channel_find(r, in->channel, cursor_found);
}

/*
 * read_cursor
 */
struct where_in {
	struct slice channel;
};

static const struct field where_fields[] = {
	{ "channel", F_STR, offsetof(struct where_in, channel), 1,
	    CHANNEL_WHICH_MAX, FIELD_REQUIRED | FIELD_MESH, NULL, NULL, 0,
	    "Channel or thread: its id; or a channel's name." },
	{ "streamId", F_STR, offsetof(struct where_in, channel), 1,
	    CHANNEL_WHICH_MAX, FIELD_REQUIRED | FIELD_REST, NULL, NULL, 0,
	    "Channel or thread: its id; or a channel's name." },
	{ .type = F_END },
};

struct cursor_row {
	int64_t updated_ms; /* 0: there is none */
	int64_t seen;
	int64_t acked;
};

#define ROW(field) offsetof(struct cursor_row, field)
static const struct field cursor_row_fields[] = {
	{ "updatedAt", F_TIME, ROW(updated_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it was set." },
	{ "lastSeenSeq", F_INT, ROW(seen), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The last one that was read." },
	{ "lastAckSeq", F_INT, ROW(acked), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The last one that was dealt with." },
	{ "seq", F_INT, ROW(seen), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "The last one that was read." },
	{ "acked", F_INT, ROW(acked), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "The last one that was dealt with." },
	{ .type = F_END },
};
#undef ROW

struct where_out {
	struct id channel;
	struct cursor_row cursor;
	int64_t seen;
	int64_t unread;
};

#define OUT(field) offsetof(struct where_out, field)
static const struct field where_out_fields[] = {
	{ "channelId", F_ID, OUT(channel), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "The channel, or thread." },
	{ "streamId", F_ID, OUT(channel), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The channel, or thread." },
	{ "cursor", F_ROW, OUT(cursor), 0, 0, FIELD_NULLABLE, NULL,
	    cursor_row_fields, sizeof(struct cursor_row),
	    "How far you have read; null: you have not." },
	{ "lastSeq", F_INT, OUT(seen), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The last one that was read, or 0." },
	{ "unread", F_INT, OUT(unread), 0, 0, 0, NULL, NULL, 0,
	    "Messages behind that." },
	{ .type = F_END },
};
#undef OUT

static void
where_got(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct channel *c = r->context;
	struct where_out out = { .channel = c->id };
	int64_t seq;

	if (op_db_failed(r, res))
		return;
	if (db_rows(res) == 0) {
		channel_unknown(r, ((const struct where_in *)r->in)->channel);
		return;
	}
	if (!db_null(res, 0, 3))
		out.cursor = (struct cursor_row){ db_time(res, 0, 3),
			db_int(res, 0, 1), db_int(res, 0, 2) };
	out.seen = out.cursor.seen;
	seq = db_int(res, 0, 0);
	out.unread = seq > out.seen ? seq - out.seen : 0;
	op_reply(r, &out);
}

static void
where_found(struct request *r, struct channel *c)
{
	struct db_params *p = db_params(STMT_cursor_get);

	r->context = c;
	db_put_id(p, &c->id);
	db_put_id(p, &r->client->session->info.member);
	db_query(r->core->reads, p, where_got, r);
}

static void
where_exec(struct request *r, void *arg)
{
	const struct where_in *in = arg;

	channel_find(r, in->channel, where_found);
}

const struct op op_read_cursor = {
	.name = "read_cursor",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "GET /v1/streams/{streamId}/cursor" },
	.reply = "cursor",
	.in = where_fields,
	.in_size = sizeof(struct where_in),
	.out = where_out_fields,
	.exec = where_exec,
	.text = "How far you have read in a channel or a thread.",
};

const struct op op_mark_read = {
	.name = "mark_read",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "POST /v1/cursors" },
	.reply = "channel_cursor",
	.in = cursor_fields,
	.in_size = sizeof(struct cursor_in),
	.out = cursor_out_fields,
	.exec = cursor_exec,
	.text = "Say how far you have read in a channel or a thread.",
};
