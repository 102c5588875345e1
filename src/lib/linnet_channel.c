/* SPDX-License-Identifier: ISC */
/*
 * The operations of channels.  A post has an id of its own, so that it may be
 * repeated; what is made once, and would be there already the second time, may
 * not.
 */
#include "lib/lib.h"

#include <inttypes.h>
#include <stdio.h>

int
linnet_create_channel(struct linnet *l, const struct linnet_channel *c,
    linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_ONCE("create_channel"),
	    "name:s topic:s private:b", c->name, c->topic, c->is_private);
}

int
linnet_create_thread(struct linnet *l, const char *channel,
    const char *message_id, bool is_private, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_ONCE("create_thread"),
	    "channel:s messageId:s private:b", channel, message_id, is_private);
}

int
linnet_delete_channel(
    struct linnet *l, const char *channel, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_ONCE("delete_channel"), "channel:s", channel);
}

int
linnet_list_channels(struct linnet *l, const struct linnet_channel_query *q,
    linnet_reply_fn *fn, void *arg)
{
	char limit[24];

	return linnet_ops_ask(OPS_REPEAT("list_channels"),
	    "joined:b limit:j after:s", q->joined,
	    linnet_ops_number(limit, q->limit), q->after);
}

int
linnet_list_threads(struct linnet *l, const char *channel,
    const struct linnet_channel_query *q, linnet_reply_fn *fn, void *arg)
{
	char limit[24];

	return linnet_ops_ask(OPS_REPEAT("list_threads"),
	    "channel:s limit:j after:s", channel,
	    linnet_ops_number(limit, q->limit), q->after);
}

int
linnet_list_channel_members(struct linnet *l, const char *channel,
    const struct linnet_channel_query *q, linnet_reply_fn *fn, void *arg)
{
	char limit[24];

	return linnet_ops_ask(OPS_REPEAT("list_channel_members"),
	    "channel:s limit:j after:s", channel,
	    linnet_ops_number(limit, q->limit), q->after);
}

int
linnet_join_channel(
    struct linnet *l, const char *channel, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("join_channel"), "channel:s", channel);
}

int
linnet_leave_channel(
    struct linnet *l, const char *channel, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_ONCE("leave_channel"), "channel:s", channel);
}

int
linnet_add_channel_member(struct linnet *l, const char *channel,
    const char *member, const char *role, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("add_channel_member"),
	    "channel:s member:s role:s", channel, member, role);
}

int
linnet_remove_channel_member(struct linnet *l, const char *channel,
    const char *member, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("remove_channel_member"),
	    "channel:s member:s", channel, member);
}

int
linnet_post(struct linnet *l, const struct linnet_post *p, linnet_reply_fn *fn,
    void *arg)
{
	uint8_t random[ID_LEN];
	char id[2 * ID_LEN + 1];

	crypto_random_bytes(random, sizeof(random));
	crypto_hex(id, random, sizeof(random));
	return linnet_ops_ask(OPS_REPEAT("post"),
	    "channel:s text:s parts:j replyToId:s client_message_id:s",
	    p->channel, p->text, p->parts, p->reply_to,
	    p->id != NULL ? p->id : id);
}

int
linnet_edit_post(struct linnet *l, const char *message_id, const char *text,
    const char *parts, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("edit_post"),
	    "messageId:s text:s parts:j", message_id, text, parts);
}

int
linnet_redact_post(struct linnet *l, const char *message_id, const char *reason,
    linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("redact_post"), "messageId:s reason:s",
	    message_id, reason);
}

int
linnet_react(struct linnet *l, const char *message_id, const char *reaction,
    bool take_back, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("react"),
	    "messageId:s reaction:s remove:b", message_id, reaction, take_back);
}

/* A seq that is left out when it is LINNET_NEWEST. */
static const char *
channel_seq(char text[24], int64_t seq)
{
	snprintf(text, 24, "%" PRId64, seq);
	return seq >= 0 ? text : NULL;
}

int
linnet_read_channel(struct linnet *l, const char *channel, int64_t after,
    int64_t limit, linnet_reply_fn *fn, void *arg)
{
	char seq[24], most[24];

	return linnet_ops_ask(OPS_REPEAT("read_channel"),
	    "channel:s after:j limit:j", channel, channel_seq(seq, after),
	    linnet_ops_number(most, limit));
}

int
linnet_mark_read(struct linnet *l, const char *channel, int64_t seq, bool back,
    linnet_reply_fn *fn, void *arg)
{
	char number[24];

	return linnet_ops_ask(OPS_REPEAT("mark_read"), "channel:s seq:j back:b",
	    channel, channel_seq(number, seq), back);
}
