/* SPDX-License-Identifier: ISC */
/*
 * Channels: the part of linnet.h, which includes it, that is about them.
 * Operations are as those there.
 *
 * channel: an id, or a name with or without #, of a channel or a thread, which
 * is a channel that belongs to a message of another one.  message_id: the id of
 * a message in a channel.
 */
#ifndef LINNET_H
#include "linnet.h"
#endif
#ifndef LINNET_CHANNELS_H
#define LINNET_CHANNELS_H

struct linnet_channel {
	const char *name;
	const char *topic; /* or NULL */
	bool is_private;   /* only its members know of it */
};
int linnet_create_channel(struct linnet *l, const struct linnet_channel *c,
    linnet_reply_fn *fn, void *arg);
int linnet_create_thread(struct linnet *l, const char *channel,
    const char *message_id, bool is_private, linnet_reply_fn *fn, void *arg);
int linnet_delete_channel(
    struct linnet *l, const char *channel, linnet_reply_fn *fn, void *arg);
/* What is NULL or 0 does not choose. */
struct linnet_channel_query {
	bool joined;	   /* list_channels: only where we are a member */
	int64_t limit;	   /* of results */
	const char *after; /* next of the page before */
};
int linnet_list_channels(struct linnet *l, const struct linnet_channel_query *q,
    linnet_reply_fn *fn, void *arg);
int linnet_list_threads(struct linnet *l, const char *channel,
    const struct linnet_channel_query *q, linnet_reply_fn *fn, void *arg);
int linnet_list_channel_members(struct linnet *l, const char *channel,
    const struct linnet_channel_query *q, linnet_reply_fn *fn, void *arg);
int linnet_join_channel(
    struct linnet *l, const char *channel, linnet_reply_fn *fn, void *arg);
int linnet_leave_channel(
    struct linnet *l, const char *channel, linnet_reply_fn *fn, void *arg);
/* member: its id, key or name; role: member, admin or owner; NULL: member. */
int linnet_add_channel_member(struct linnet *l, const char *channel,
    const char *member, const char *role, linnet_reply_fn *fn, void *arg);
int linnet_remove_channel_member(struct linnet *l, const char *channel,
    const char *member, linnet_reply_fn *fn, void *arg);
/* Says something.  It is stored once, however often it had to be sent. */
struct linnet_post {
	const char *channel;
	const char *text;     /* or NULL, and */
	const char *parts;    /* JSON: an array of {"type", "payload"} */
	const char *reply_to; /* id of the message that it answers, or NULL */
	const char *id; /* the sender's own, at most 256 bytes; NULL: random */
};
int linnet_post(struct linnet *l, const struct linnet_post *p,
    linnet_reply_fn *fn, void *arg);
/* text or parts; the other one is NULL. */
int linnet_edit_post(struct linnet *l, const char *message_id, const char *text,
    const char *parts, linnet_reply_fn *fn, void *arg);
int linnet_redact_post(struct linnet *l, const char *message_id,
    const char *reason, linnet_reply_fn *fn, void *arg);
int linnet_react(struct linnet *l, const char *message_id, const char *reaction,
    bool take_back, linnet_reply_fn *fn, void *arg);
/* What was said after a seq, at most limit messages (0: 50); LINNET_NEWEST: the
 * last ones. */
#define LINNET_NEWEST (-1)
int linnet_read_channel(struct linnet *l, const char *channel, int64_t after,
    int64_t limit, linnet_reply_fn *fn, void *arg);
/* How far we have read: to a seq, or LINNET_NEWEST.  back: also when that is
 * less than before; without it 0 only asks. */
int linnet_mark_read(struct linnet *l, const char *channel, int64_t seq,
    bool back, linnet_reply_fn *fn, void *arg);
/* The callback `entry` is told of what happens in the channel behind the
 * message of this seq (0: from the beginning), everything once and in order;
 * LINNET_NEWEST: of what is new.  Once it was answered the library goes on by
 * itself over later connections, where the last one ended. */
int linnet_follow_channel(struct linnet *l, const char *channel, int64_t after,
    linnet_reply_fn *fn, void *arg);
int linnet_unfollow_channel(
    struct linnet *l, const char *channel, linnet_reply_fn *fn, void *arg);

/*
 * What happened in a channel that is followed.  Good during the callback only.
 */
struct linnet_entry {
	const char *channel_id; /* of the channel, or thread */
	/* "message.appended": a new message; "closed": the channel is no more,
	 * or not for us, and not followed any more; "message.edited" and others
	 * of linnet-protocol(7). */
	const char *event;
	const char *at; /* RFC 3339, or "" */
	/* Of a new message; else "" and 0. */
	const char *id;
	int64_t seq;
	const char *member_id;
	const char *name;
	const char *text;  /* of its parts of type text, a line break between */
	const char *parts; /* JSON */
	const char *reply_to;  /* id of the message that it answers, or "" */
	const char *client_id; /* the sender's own, or "" */
	/* Of anything else: JSON. */
	const char *payload;
	const char *json; /* the whole push, or the error that closed it */
	size_t json_length;
};

#endif
