/* SPDX-License-Identifier: ISC */
/*
 * Messages of channels that change: their author says something else, or it is
 * taken back, which leaves its place; and what others think of it.
 */
#include <string.h>

#include "core/grant.h"

#define POST_WHY_MAX 500
#define REACTION_MAX 64

struct change_in {
	struct id message;
	struct slice text;
	struct list parts;
	struct slice why;
	struct slice reaction;
	bool remove;
};

#define IN(field) offsetof(struct change_in, field)
static const struct field edit_fields[] = {
	{ "messageId", F_ID, IN(message), 0, 0, FIELD_REQUIRED, NULL, NULL, 0,
	    "The message." },
	{ "text", F_STR, IN(text), 1, INT32_MAX, 0, NULL, NULL, 0,
	    "What it says now; the same as one part of type text." },
	{ "parts", F_ROWS, IN(parts), 1, POST_PARTS_MAX, 0, NULL,
	    post_part_fields, sizeof(struct post_part),
	    "What it says now, in parts, instead of text." },
	{ .type = F_END },
};
static const struct field redact_fields[] = {
	{ "messageId", F_ID, IN(message), 0, 0, FIELD_REQUIRED, NULL, NULL, 0,
	    "The message." },
	{ "reason", F_STR, IN(why), 0, POST_WHY_MAX, 0, NULL, NULL, 0, "Why." },
	{ .type = F_END },
};
static const struct field react_fields[] = {
	{ "messageId", F_ID, IN(message), 0, 0, FIELD_REQUIRED, NULL, NULL, 0,
	    "The message." },
	{ "reaction", F_NAME, IN(reaction), 1, REACTION_MAX, FIELD_REQUIRED,
	    NULL, NULL, 0, "A character, or a word." },
	{ "remove", F_BOOL, IN(remove), 0, 0, 0, NULL, NULL, 0,
	    "Take it back." },
	{ .type = F_END },
};
static const struct field unreact_fields[] = {
	{ "messageId", F_ID, IN(message), 0, 0, FIELD_REQUIRED, NULL, NULL, 0,
	    "The message." },
	{ "reaction", F_NAME, IN(reaction), 1, REACTION_MAX, FIELD_REQUIRED,
	    NULL, NULL, 0, "As it was given." },
	{ .type = F_END },
};
#undef IN

struct change_out {
	bool ok;
	struct id message;
	struct id channel;
	bool changed;
	int64_t count;
};

#define OUT(field) offsetof(struct change_out, field)
#define OK_FIELD                                                        \
	{                                                               \
		"ok", F_BOOL, OUT(ok), 0, 0, FIELD_REST, NULL, NULL, 0, \
		    "true."                                             \
	}
static const struct field change_out_fields[] = {
	OK_FIELD,
	{ "messageId", F_ID, OUT(message), 0, 0, 0, NULL, NULL, 0,
	    "The message." },
	{ "channelId", F_ID, OUT(channel), 0, 0, 0, NULL, NULL, 0,
	    "Its channel, or thread." },
	{ "changed", F_BOOL, OUT(changed), 0, 0, 0, NULL, NULL, 0,
	    "It was not so before." },
	{ .type = F_END },
};
static const struct field react_out_fields[] = {
	OK_FIELD,
	{ "messageId", F_ID, OUT(message), 0, 0, 0, NULL, NULL, 0,
	    "The message." },
	{ "channelId", F_ID, OUT(channel), 0, 0, 0, NULL, NULL, 0,
	    "Its channel, or thread." },
	{ "changed", F_BOOL, OUT(changed), 0, 0, 0, NULL, NULL, 0,
	    "It was not so before." },
	{ "count", F_INT, OUT(count), 0, 0, 0, NULL, NULL, 0,
	    "How many there are of this reaction now." },
	{ .type = F_END },
};
#undef OUT

/* Of the request's pool. */
struct change {
	struct request *request;
	struct id mesh;
	struct id by;
	int64_t at_ms;
	char at[CLOCK_RFC3339_LEN + 1];
};

static struct change *
change_begin(struct request *r)
{
	const struct session *s = r->client->session;
	struct change *c = pool_zalloc(&r->pool, sizeof(*c));

	c->request = r;
	c->mesh = s->mesh->id;
	c->by = s->info.member;
	c->at_ms = clock_wall();
	clock_format(c->at_ms, c->at);
	return c;
}

extern const struct op op_redact_post;

static void
changed(void *arg, const struct db_result *res)
{
	const struct change *c = arg;
	struct request *r = c->request;
	const struct change_in *in = r->in;
	struct change_out out = { .ok = true, .message = in->message };
	struct entry e = { .mesh = c->mesh };

	if (op_db_failed(r, res))
		return;
	switch (db_int(res, 0, 0)) {
	case 0:
		break;
	case 1:
		op_fail(r, ERR_NOT_FOUND, "There is no such message for you.");
		return;
	case 2:
		db_id(res, 0, 2, &out.channel);
		if (r->op == &op_redact_post)
			op_deny(r, SCOPE_MESSAGE_REDACT,
			    db_bool(res, 0, 4) ? "thread" : "channel",
			    &out.channel);
		else
			op_fail(r, ERR_FORBIDDEN,
			    "Only who wrote it can change it.");
		return;
	default:
		op_fail(r, ERR_NOT_FOUND, "The message was taken back.");
		return;
	}
	out.changed = db_bool(res, 0, 1);
	db_id(res, 0, 2, &out.channel);
	if (out.changed) {
		e.channel = out.channel;
		e.n = db_int(res, 0, 3);
		follow_news(r->core, &e.channel, e.n);
		event_entry(r->core, &e);
	}
	if (in->reaction.n > 0)
		out.count = db_int(res, 0, 4);
	op_reply(r, &out);
}

static void
edit_line(struct db_params *p, const struct change *c, struct id message,
    size_t nparts)
{
	struct journal_line l;

	journal_begin(&l, p);
	json_key(&l.w, "actorId");
	json_id(&l.w, &c->by);
	json_key(&l.w, "editedAt");
	json_time(&l.w, c->at_ms);
	json_key(&l.w, "messageId");
	json_id(&l.w, &message);
	json_key(&l.w, "orgId");
	json_id(&l.w, &c->mesh);
	json_key(&l.w, "partCount");
	json_num(&l.w, (int64_t)nparts);
	journal_hole(&l, "streamId");
	journal_end(&l, 0, "message.edited");
}

static void
redact_line(
    struct db_params *p, const struct change *c, const struct change_in *in)
{
	struct journal_line l;

	journal_begin(&l, p);
	json_key(&l.w, "messageId");
	json_id(&l.w, &in->message);
	json_key(&l.w, "orgId");
	json_id(&l.w, &c->mesh);
	json_key(&l.w, "reason");
	json_strn(&l.w, in->why.n > 0 ? in->why.p : "", in->why.n);
	json_key(&l.w, "redactedAt");
	json_time(&l.w, c->at_ms);
	json_key(&l.w, "redactedByActorId");
	json_id(&l.w, &c->by);
	journal_hole(&l, "streamId");
	journal_end(&l, 0, "message.redacted");
}

static struct db_params *
change_row(struct change *c, struct slice parts)
{
	struct request *r = c->request;
	const struct change_in *in = r->in;
	uint8_t fingerprint[CRYPTO_DIGEST_LEN];
	struct db_params *p =
	    journal_row(r->core, STMT_post_change, &c->mesh, changed, c);

	db_alone(p, &in->message);
	db_put_id(p, &c->mesh);
	db_put_id(p, &in->message);
	db_put_id(p, &c->by);
	db_put_text(p, parts.p, parts.n);
	db_put_bool(p, grant_has(r->client, SCOPE_MESSAGE_REDACT));
	db_put_text(p, in->why.p, in->why.n);
	db_put_str(p, c->at);
	if (parts.p == NULL)
		db_put_null(p);
	else {
		crypto_digest(fingerprint, parts.p, parts.n, NULL);
		db_put_bytes(p, fingerprint, sizeof(fingerprint));
	}
	db_put_bool(p, grant_owns(r->client));
	return p;
}

static void
edit_post_exec(struct request *r, void *arg)
{
	const struct change_in *in = arg;
	struct post_refs refs; /* it calls nobody again */
	struct change *c;

	if (!post_parts_check(r, &in->parts, in->text) ||
	    !post_refs_read(r, &in->parts, &refs))
		return;
	c = change_begin(r);
	edit_line(change_row(c, post_parts(r, &in->parts, in->text)), c,
	    in->message, in->parts.n > 0 ? in->parts.n : 1);
}

static void
redact_post_exec(struct request *r, void *arg)
{
	struct change *c = change_begin(r);

	redact_line(change_row(c, (struct slice){ NULL, 0 }), c, arg);
}

static void
react_line(
    struct db_params *p, const struct change *c, const struct change_in *in)
{
	struct journal_line l;

	journal_begin(&l, p);
	json_key(&l.w, "actorId");
	json_id(&l.w, &c->by);
	json_key(&l.w, "messageId");
	json_id(&l.w, &in->message);
	json_key(&l.w, "orgId");
	json_id(&l.w, &c->mesh);
	json_key(&l.w, "reaction");
	json_strn(&l.w, in->reaction.p, in->reaction.n);
	journal_hole(&l, "streamId");
	journal_end(&l, 0, in->remove ? "reaction.removed" : "reaction.added");
}

static void
react_exec(struct request *r, void *arg)
{
	const struct change_in *in = arg;
	struct change *c = change_begin(r);
	struct db_params *p =
	    journal_row(r->core, STMT_post_react, &c->mesh, changed, c);

	db_put_id(p, &c->mesh);
	db_put_id(p, &in->message);
	db_put_id(p, &c->by);
	db_put_text(p, in->reaction.p, in->reaction.n);
	db_put_bool(p, !in->remove);
	db_put_str(p, c->at);
	react_line(p, c, in);
}

static void
unreact_exec(struct request *r, void *arg)
{
	struct change_in *in = arg;

	in->remove = true;
	react_exec(r, in);
}

const struct op op_edit_post = {
	.name = "edit_post",
	.scope = SCOPE_CHANNELS_WRITE,
	.rest = { "PATCH /v1/messages/{messageId}" },
	.reply = "post_changed",
	.in = edit_fields,
	.in_size = sizeof(struct change_in),
	.out = change_out_fields,
	.exec = edit_post_exec,
	.text = "Say something else in a message that you posted.",
};

const struct op op_redact_post = {
	.name = "redact_post",
	.scope = SCOPE_MESSAGE_REDACT,
	.rest = { "POST /v1/messages/{messageId}/redact" },
	.reply = "post_changed",
	.flags = OP_GRANTABLE,
	.in = redact_fields,
	.in_size = sizeof(struct change_in),
	.out = change_out_fields,
	.exec = redact_post_exec,
	.text = "Take back what a message said; its place stays. For who "
		"posted it, and owners and admins of the channel.",
};

const struct op op_react = {
	.name = "react",
	.scope = SCOPE_CHANNELS_WRITE,
	.rest = { "POST /v1/messages/{messageId}/reactions" },
	.reply = "reaction_result",
	.in = react_fields,
	.in_size = sizeof(struct change_in),
	.out = react_out_fields,
	.exec = react_exec,
	.text = "Say in a character or a word what you think of a message.",
};

const struct op op_unreact = {
	.name = "unreact",
	.scope = SCOPE_CHANNELS_WRITE,
	.rest = { "DELETE /v1/messages/{messageId}/reactions/{reaction}" },
	.reply = "reaction_result",
	.flags = OP_REST_ONLY,
	.in = unreact_fields,
	.in_size = sizeof(struct change_in),
	.out = react_out_fields,
	.exec = unreact_exec,
	.text = "Take back what you said of a message.",
};
