/* SPDX-License-Identifier: ISC */
/*
 * The operations of the broker: each is a type, its fields, and whether it may
 * be repeated when its answer was lost.  Those may not that would then be done
 * twice (remember, schedule, create_token), or find what they themselves had
 * changed (a condition on a version).
 */
#include "lib/lib.h"

#include <inttypes.h>
#include <stdio.h>

int
linnet_ops_ask(const struct linnet_ops_call *c, const char *names, ...)
{
	struct buf b;
	va_list ap;
	int r;

	buf_init(&b, SIZE_MAX / 2);
	va_start(ap, names);
	linnet_request_fields(&b, names, ap);
	va_end(ap);
	r = linnet_request(c->l, c->type, b.data, c->flags, c->fn, c->arg);
	buf_free(&b);
	return r;
}

int
linnet_mesh_info(struct linnet *l, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("mesh_info"), "");
}

int
linnet_message_status(
    struct linnet *l, const char *message_id, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(
	    OPS_REPEAT("message_status"), "messageId:s", message_id);
}

int
linnet_list_peers(struct linnet *l, bool all, const char *group,
    linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(
	    OPS_REPEAT("list_peers"), "all:b group:s", all, group);
}

int
linnet_set_status(
    struct linnet *l, const char *status, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("set_status"), "status:s", status);
}

int
linnet_set_summary(
    struct linnet *l, const char *summary, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("set_summary"), "summary:s", summary);
}

int
linnet_set_visible(
    struct linnet *l, bool visible, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("set_visible"), "visible:b", visible);
}

int
linnet_set_profile(struct linnet *l, const struct linnet_profile *profile,
    linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("set_profile"),
	    "avatar:s title:s bio:s capabilities:a", profile->avatar,
	    profile->title, profile->bio, profile->capabilities);
}

int
linnet_set_stats(struct linnet *l, const struct linnet_stats *stats,
    linnet_reply_fn *fn, void *arg)
{
	const struct {
		const char *name;
		int64_t value;
	} rows[] = {
		{ "messagesIn", stats->messages_in },
		{ "messagesOut", stats->messages_out },
		{ "toolCalls", stats->tool_calls },
		{ "uptime", stats->uptime },
		{ "errors", stats->errors },
	};
	struct json_writer w;
	struct buf b;
	size_t i;
	int r;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_object(&w);
	for (i = 0; i < NELEM(rows); i++) {
		if (rows[i].value < 0)
			continue;
		json_key(&w, rows[i].name);
		json_num(&w, rows[i].value);
	}
	json_object_end(&w);
	r = linnet_ops_ask(OPS_REPEAT("set_stats"), "stats:j", buf_str(&b));
	buf_free(&b);
	return r;
}

int
linnet_join_group(struct linnet *l, const char *name, const char *role,
    linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(
	    OPS_REPEAT("join_group"), "name:s role:s", name, role);
}

int
linnet_leave_group(
    struct linnet *l, const char *name, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("leave_group"), "name:s", name);
}

int
linnet_get_state(
    struct linnet *l, const char *key, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("get_state"), "key:s", key);
}

int
linnet_set_state(struct linnet *l, const char *key, const char *value,
    int64_t if_version, linnet_reply_fn *fn, void *arg)
{
	if (if_version < 0)
		return linnet_ops_ask(
		    OPS_REPEAT("set_state"), "key:s value:j", key, value);
	return linnet_ops_ask(OPS_ONCE("set_state"),
	    "key:s value:j ifVersion:i", key, value, if_version);
}

int
linnet_delete_state(struct linnet *l, const char *key, int64_t if_version,
    linnet_reply_fn *fn, void *arg)
{
	if (if_version < 0)
		return linnet_ops_ask(OPS_REPEAT("delete_state"), "key:s", key);
	return linnet_ops_ask(
	    OPS_ONCE("delete_state"), "key:s ifVersion:i", key, if_version);
}

int
linnet_list_state(
    struct linnet *l, const char *prefix, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("list_state"), "prefix:s", prefix);
}

int
linnet_remember(struct linnet *l, const char *content, const char *const *tags,
    const char *language, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_ONCE("remember"),
	    "content:s tags:a language:s", content, tags, language);
}

const char *
linnet_ops_number(char text[24], int64_t n)
{
	snprintf(text, 24, "%" PRId64, n);
	return n != 0 ? text : NULL;
}

int
linnet_recall(struct linnet *l, const struct linnet_memory_query *q,
    linnet_reply_fn *fn, void *arg)
{
	char limit[24];

	return linnet_ops_ask(OPS_REPEAT("recall"),
	    "query:s language:s tags:a by:s limit:j after:s", q->query,
	    q->language, q->tags, q->by, linnet_ops_number(limit, q->limit),
	    q->after);
}

int
linnet_list_memories(struct linnet *l, const struct linnet_memory_query *q,
    linnet_reply_fn *fn, void *arg)
{
	char limit[24];

	return linnet_ops_ask(OPS_REPEAT("list_memories"),
	    "tags:a by:s limit:j after:s forgotten:b", q->tags, q->by,
	    linnet_ops_number(limit, q->limit), q->after, q->forgotten);
}

int
linnet_forget(
    struct linnet *l, const char *memory_id, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("forget"), "memoryId:s", memory_id);
}

int
linnet_restore(
    struct linnet *l, const char *memory_id, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("restore"), "memoryId:s", memory_id);
}

int
linnet_schedule(struct linnet *l, const struct linnet_later *m,
    linnet_reply_fn *fn, void *arg)
{
	const char *subtype = m->reminder ? "reminder" : NULL;
	char at[24], until[24];
	int64_t due = m->deliver_at;

	/* At once is any time that is over. */
	if (due <= 0 && m->cron == NULL)
		due = 1;
	return linnet_ops_ask(OPS_ONCE("schedule"),
	    "to:s message:s priority:s cron:s subtype:s deliverAt:j until:j",
	    m->to, m->message, m->priority, m->cron, subtype,
	    linnet_ops_number(at, due), linnet_ops_number(until, m->until));
}

int
linnet_list_scheduled(
    struct linnet *l, bool all, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("list_scheduled"), "all:b", all);
}

int
linnet_cancel_scheduled(
    struct linnet *l, const char *scheduled_id, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(
	    OPS_REPEAT("cancel_scheduled"), "scheduledId:s", scheduled_id);
}

int
linnet_block(struct linnet *l, const char *target, const char *const *what,
    linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(
	    OPS_REPEAT("block"), "target:s what:a", target, what);
}

int
linnet_unblock(struct linnet *l, const char *target, const char *const *what,
    linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(
	    OPS_REPEAT("unblock"), "target:s what:a", target, what);
}

int
linnet_list_blocks(struct linnet *l, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("list_blocks"), "");
}

int
linnet_create_token(struct linnet *l, const struct linnet_token *t,
    linnet_reply_fn *fn, void *arg)
{
	char at[CLOCK_RFC3339_LEN + 1];

	if (t->expires_at != 0)
		clock_format(t->expires_at, at);
	return linnet_ops_ask(OPS_ONCE("create_token"),
	    "name:s scopes:a expiresAt:s", t->name, t->scopes,
	    t->expires_at != 0 ? at : NULL);
}

int
linnet_list_tokens(struct linnet *l, const struct linnet_token_query *q,
    linnet_reply_fn *fn, void *arg)
{
	char limit[24];

	return linnet_ops_ask(OPS_REPEAT("list_tokens"),
	    "target:s all:b limit:j after:s", q->target, q->all,
	    linnet_ops_number(limit, q->limit), q->after);
}

int
linnet_revoke_token(
    struct linnet *l, const char *token_id, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(
	    OPS_REPEAT("revoke_token"), "tokenId:s", token_id);
}

int
linnet_share_file(struct linnet *l, const struct linnet_file *f,
    linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_ONCE("share_file"),
	    "name:s size:i mimeType:s sha256:s tags:a attachment:b", f->name,
	    f->size, f->mime_type, f->sha256, f->tags, f->attachment);
}

int
linnet_get_file(
    struct linnet *l, const char *file_id, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("get_file"), "fileId:s", file_id);
}

int
linnet_list_files(struct linnet *l, const struct linnet_file_query *q,
    linnet_reply_fn *fn, void *arg)
{
	char limit[24];

	return linnet_ops_ask(OPS_REPEAT("list_files"),
	    "query:s from:s tags:a limit:j after:s", q->query, q->from, q->tags,
	    linnet_ops_number(limit, q->limit), q->after);
}

int
linnet_file_status(
    struct linnet *l, const char *file_id, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("file_status"), "fileId:s", file_id);
}

int
linnet_delete_file(
    struct linnet *l, const char *file_id, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("delete_file"), "fileId:s", file_id);
}

int
linnet_kick(struct linnet *l, const char *target, const char *reason,
    linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(
	    OPS_ONCE("kick"), "target:s reason:s", target, reason);
}

int
linnet_disconnect(struct linnet *l, const char *target, const char *reason,
    linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(
	    OPS_ONCE("disconnect"), "target:s reason:s", target, reason);
}

int
linnet_ban(struct linnet *l, const char *target, const char *reason,
    linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(
	    OPS_REPEAT("ban"), "target:s reason:s", target, reason);
}

int
linnet_unban(
    struct linnet *l, const char *target, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("unban"), "target:s", target);
}

int
linnet_list_bans(struct linnet *l, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("list_bans"), "");
}
