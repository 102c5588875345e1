/* SPDX-License-Identifier: ISC */
/*
 * How far a member has read.  It goes forwards only, unless somebody says that
 * it shall go back: what comes late from another device changes nothing.
 */
#include <string.h>

#include "core/channel.h"

struct cursor_in {
	struct slice channel;
	int64_t seen;
	int64_t acked;
	bool back;
};

#define IN(field) offsetof(struct cursor_in, field)
static const struct field cursor_fields[] = {
	{ "channel", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX, FIELD_REQUIRED,
	    NULL, NULL, 0, "Channel or thread: its id; or a channel's name." },
	{ "seq", F_INT, IN(seen), 0, INT64_MAX, FIELD_ABSENT, NULL, NULL, 0,
	    "The last one that was read; the newest one when absent." },
	{ "acked", F_INT, IN(acked), 0, INT64_MAX, FIELD_ABSENT, NULL, NULL, 0,
	    "The last one that was dealt with, where that differs." },
	{ "back", F_BOOL, IN(back), 0, 0, 0, NULL, NULL, 0,
	    "Also when it goes back." },
	{ .type = F_END },
};
#undef IN

struct cursor_out {
	struct id channel;
	int64_t seen;
	int64_t acked;
	int64_t unread;
};

#define OUT(field) offsetof(struct cursor_out, field)
static const struct field cursor_out_fields[] = {
	{ "channelId", F_ID, OUT(channel), 0, 0, 0, NULL, NULL, 0,
	    "The channel, or thread." },
	{ "seq", F_INT, OUT(seen), 0, 0, 0, NULL, NULL, 0,
	    "The last one that was read." },
	{ "acked", F_INT, OUT(acked), 0, 0, 0, NULL, NULL, 0,
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
	struct cursor_out out = { .channel = c->id };

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

const struct op op_mark_read = {
	.name = "mark_read",
	.scope = SCOPE_CHANNELS_READ,
	.reply = "channel_cursor",
	.in = cursor_fields,
	.in_size = sizeof(struct cursor_in),
	.out = cursor_out_fields,
	.exec = cursor_exec,
	.text = "Say how far you have read in a channel or a thread.",
};
