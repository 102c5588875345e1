/* SPDX-License-Identifier: ISC */
/*
 * Messages to channels: stored, numbered and written to the journal in one
 * transaction, then told to who follows.
 */
#include <inttypes.h>
#include <string.h>

#include "core/grant.h"

struct post_in {
	struct slice channel;
	int stream;
	struct slice text;
	struct list parts;
	struct slice client_id;
	struct id reply_to;
	bool asks;
};

#define IN(field) offsetof(struct post_in, field)
static const struct field post_in_fields[] = {
	{ "channel", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX,
	    FIELD_REQUIRED | FIELD_MESH, NULL, NULL, 0,
	    "Channel or thread: its id; or a channel's name." },
	{ "streamId", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX,
	    FIELD_REQUIRED | FIELD_REST, NULL, NULL, 0,
	    "Channel or thread: its id; or a channel's name." },
	{ "streamType", F_ENUM, IN(stream), 0, 0, FIELD_REST, channel_streams,
	    NULL, 0, "What it is; its id is enough." },
	{ "text", F_STR, IN(text), 1, INT32_MAX, 0, NULL, NULL, 0,
	    "What to say; the same as one part of type text." },
	{ "parts", F_ROWS, IN(parts), 1, POST_PARTS_MAX, 0, NULL,
	    post_part_fields, sizeof(struct post_part),
	    "What to say, in parts, instead of text." },
	{ "client_message_id", F_STR, IN(client_id), 1, POST_CLIENT_ID_MAX,
	    FIELD_MESH, NULL, NULL, 0,
	    "The sender's own id; a post repeated with it is the same "
	    "message." },
	{ "idempotencyKey", F_STR, IN(client_id), 1, POST_CLIENT_ID_MAX,
	    FIELD_REST, NULL, NULL, 0,
	    "The sender's own id, unless the header Idempotency-Key has it; "
	    "a message repeated with it is the same one, whatever it says." },
	{ "replyToId", F_ID, IN(reply_to), 0, 0, 0, NULL, NULL, 0,
	    "The message that it answers." },
	{ "autoRequestOnDeny", F_BOOL, IN(asks), 0, 0, 0, NULL, NULL, 0,
	    "Where a permission is lacking, ask for it; the answer says so." },
	{ .type = F_END },
};
#undef IN

struct post_out {
	struct id id;
	struct id channel;
	int64_t seq;
	int64_t created_ms;
	bool repeated;
	struct slice client_id;
	bool denied;
	struct id permission;
	struct slice capability;
	struct slice resource;
	struct id resource_id;
};

#define OUT(field) offsetof(struct post_out, field)
static const struct field post_out_fields[] = {
	{ "messageId", F_ID, OUT(id), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "The message's id." },
	{ "channelId", F_ID, OUT(channel), 0, 0, FIELD_OMIT | FIELD_MESH, NULL,
	    NULL, 0, "The channel's." },
	{ "streamId", F_ID, OUT(channel), 0, 0, FIELD_OMIT | FIELD_REST, NULL,
	    NULL, 0, "The channel's, or thread's." },
	{ "seq", F_INT, OUT(seq), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "Its place in the channel; from 1, without gaps." },
	{ "streamSeq", F_INT, OUT(seq), 0, 0, FIELD_OMIT | FIELD_REST, NULL,
	    NULL, 0, "The same." },
	{ "createdAt", F_TIME, OUT(created_ms), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "When it was stored." },
	{ "duplicate", F_BOOL, OUT(repeated), 0, 0, FIELD_OMIT | FIELD_MESH,
	    NULL, NULL, 0, "It was posted before, with the same id." },
	{ "idempotent", F_BOOL, OUT(repeated), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "It was posted before, with the same id." },
	{ "client_message_id", F_STR, OUT(client_id), 0, 0,
	    FIELD_OMIT | FIELD_MESH, NULL, NULL, 0, "That of the request." },
	{ "idempotencyKey", F_STR, OUT(client_id), 0, 0, FIELD_REST, NULL, NULL,
	    0, "That of the request." },
	{ "denied", F_BOOL, OUT(denied), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "It was not posted: a permission is lacking, and was asked for." },
	{ "requestId", F_ID, OUT(permission), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "The request for it." },
	{ "capability", F_STR, OUT(capability), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "What is lacking." },
	{ "resourceType", F_STR, OUT(resource), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "On what: channel, or thread." },
	{ "resourceId", F_ID, OUT(resource_id), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "On which." },
	{ .type = F_END },
};
#undef OUT

/* A message on its way, of the request's pool. */
struct posting {
	struct request *request;
	struct post post;
	struct slice channel; /* as it was asked for */
	bool is_thread;
	size_t nparts;
	struct post_refs refs;
	struct slice lacks; /* of a denied one */
	post_fn *done;
	struct journal_text line; /* of the journal */
	struct id event;	  /* of that line */
};

extern const struct op op_post;

/* n, before: of its entry. */
static void
post_tell(struct core *c, const struct posting *g, int64_t n, int64_t before)
{
	const struct post *p = &g->post;
	struct entry e = { .mesh = p->mesh,
		.channel = p->channel,
		.id = g->event,
		.n = n,
		.before = before,
		.type = { POST_ENTRY, strlen(POST_ENTRY) },
		.seq = p->seq,
		.at_ms = p->created_ms,
		.post = p };

	e.payload.p =
	    pool_printf(&g->request->pool, SLICE_FMT "%" PRId64 SLICE_FMT,
		SLICE_ARG(g->line.head), p->seq, SLICE_ARG(g->line.tail));
	e.payload.n = strlen(e.payload.p);

	follow_entry(c, &e);
	event_entry(c, &e);
	if (g->refs.nmentions + g->refs.ncommands == 0)
		return;
	/* Its other lines are next to it. */
	e = (struct entry){ .mesh = p->mesh,
		.channel = p->channel,
		.n = n + (int64_t)(g->refs.nmentions + g->refs.ncommands) };
	follow_news(c, &e.channel, e.n);
	event_entry(c, &e);
	post_refs_tell(c, p, &g->refs);
}

static void
post_asked(struct request *r, const struct id *permission)
{
	const struct posting *g = r->context;
	const char *type = g->is_thread ? "thread" : "channel";
	struct post_out out = { .denied = true,
		.permission = *permission,
		.capability = g->lacks,
		.resource = { type, strlen(type) },
		.resource_id = g->post.channel };

	op_reply(r, &out);
}

static void
post_denied(struct posting *g, struct slice lacks)
{
	struct request *r = g->request;
	const struct post_in *in = r->in;

	if (r->op != &op_post || !in->asks || r->client == NULL ||
	    r->client->session == NULL) {
		grant_lacks(r, lacks, g->is_thread, &g->post.channel);
		return;
	}
	g->lacks = grant_keep(r, lacks);
	permission_ask_post(r,
	    &(struct permission_post){ .post = &g->post,
		.is_thread = g->is_thread,
		.parts = &in->parts,
		.text = in->text,
		.refs = &g->refs,
		.lacks = g->lacks },
	    post_asked);
}

static void
posted(void *arg, const struct db_result *res)
{
	struct posting *g = arg;
	struct request *r = g->request;
	struct post *p = &g->post;
	bool repeated;

	if (op_db_failed(r, res))
		return;
	switch (db_int(res, 0, 0)) {
	case 0:
		break;
	case 1:
		channel_unknown(r, g->channel);
		return;
	case 3:
		post_denied(g, db_text(res, 0, 7));
		return;
	default:
		op_fail(r, ERR_ID_CONFLICT,
		    "Another message was posted with this "
		    "client_message_id.");
		return;
	}
	db_id(res, 0, 1, &p->id);
	p->seq = db_int(res, 0, 2);
	p->created_ms = db_time(res, 0, 3);
	repeated = db_bool(res, 0, 4);
	if (!repeated) {
		core_count(r->core, POSTS);
		post_tell(r->core, g, db_int(res, 0, 5), db_int(res, 0, 6));
	}
	g->done(r, p, repeated);
}

/* The line about it; that its parts are what they are is not for the journal.
 */
static void
post_line(struct db_params *row, struct posting *g)
{
	const struct post *p = &g->post;
	struct journal_line l;

	journal_begin(&l, row);
	json_key(&l.w, "actorId");
	json_id(&l.w, &p->member);
	json_key(&l.w, "createdAt");
	json_time(&l.w, p->created_ms);
	json_key(&l.w, "messageId");
	json_id(&l.w, &p->id);
	json_key(&l.w, "orgId");
	json_id(&l.w, &p->mesh);
	json_key(&l.w, "partCount");
	json_num(&l.w, (int64_t)g->nparts);
	json_key(&l.w, "streamId");
	json_id(&l.w, &p->channel);
	journal_hole(&l, "streamSeq");
	json_key(&l.w, "streamType");
	json_str(&l.w, g->is_thread ? "thread" : "channel");
	journal_text(&l, &g->request->pool, &g->line);
	g->event = journal_end(&l, 0, POST_ENTRY);
}

static void
post_store(struct posting *g)
{
	struct request *r = g->request;
	const struct post *p = &g->post;
	uint8_t fingerprint[CRYPTO_DIGEST_LEN];
	char at[CLOCK_RFC3339_LEN + 1];
	struct db_params *row;
	uint64_t needs = SCOPE_BIT(SCOPE_MESSAGE_APPEND);

	if (g->refs.ncommands > 0)
		needs |= SCOPE_BIT(SCOPE_COMMAND_INVOKE);
	crypto_digest(fingerprint, p->parts.p, p->parts.n, NULL);
	clock_format(p->created_ms, at);
	row = journal_row(r->core, STMT_post_put, &p->mesh, posted, g);
	db_put_id(row, &p->id);
	db_put_id(row, &p->mesh);
	db_put_id(row, &p->channel);
	db_put_id(row, &p->member);
	db_put_text(row, p->by_name.p, p->by_name.n);
	db_put_text(
	    row, p->client_id.n > 0 ? p->client_id.p : NULL, p->client_id.n);
	db_put_bytes(row, fingerprint, sizeof(fingerprint));
	db_put_id(row, id_is_null(&p->reply_to) ? NULL : &p->reply_to);
	db_put_text(row, p->parts.p, p->parts.n);
	db_put_str(row, at);
	/* Over REST a key stands for the message, whatever it says. */
	db_put_bool(row, !op_is_rest(r));
	db_put_str(row, grant_needs(r, needs));
	post_line(row, g);
	post_refs_lines(row, p, g->is_thread, &g->refs);
}

/* It is known who is meant: what comes behind it may begin. */
static void
post_referred(struct request *r)
{
	post_store(r->context);
	if (r->holds) {
		r->holds = false;
		op_go_on(r->client);
	}
}

static void
post_found(struct request *r, struct channel *c)
{
	const struct session *s = r->client->session;
	struct posting *g = r->context;
	struct post *p = &g->post;

	g->is_thread = channel_is_thread(c);
	if (id_is_null(&p->id))
		id_new(&p->id);
	p->mesh = s->mesh->id;
	p->channel = c->id;
	p->member = s->info.member;
	p->by_name =
	    (struct slice){ pool_dup(&r->pool, s->info.name.p, s->info.name.n),
		    s->info.name.n };
	p->created_ms = clock_wall();
	post_refs_find(r, c, &g->refs, post_referred);
}

void
post_begin(struct request *r, struct slice channel, const struct post *what,
    const struct list *parts, post_fn *done)
{
	struct posting *g = pool_zalloc(&r->pool, sizeof(*g));

	g->request = r;
	g->post = *what;
	g->channel = channel;
	g->nparts = parts->n > 0 ? parts->n : 1;
	g->done = done;
	if (!post_refs_read(r, parts, &g->refs))
		return;
	r->holds = g->refs.nmentions + g->refs.ncommands > 0;
	r->context = g;
	channel_find(r, channel, post_found);
}

static void
post_done(struct request *r, const struct post *p, bool repeated)
{
	struct post_out out = { .id = p->id,
		.channel = p->channel,
		.seq = p->seq,
		.created_ms = p->created_ms,
		.repeated = repeated,
		.client_id = p->client_id };

	op_reply(r, &out);
}

static void
post_exec(struct request *r, void *arg)
{
	const struct post_in *in = arg;
	struct post what;

	if (!post_parts_check(r, &in->parts, in->text))
		return;
	if (op_is_rest(r) && in->client_id.n == 0) {
		op_fail(r, ERR_MALFORMED,
		    "idempotencyKey is missing: give it, or the header "
		    "Idempotency-Key; with it a message that is sent again is "
		    "the same one.");
		return;
	}
	if (rate_message(r, PRIORITY_NEXT) != ERR_NONE) {
		op_fail(r, r->error, NULL);
		return;
	}
	what = (struct post){ .client_id = in->client_id,
		.reply_to = in->reply_to,
		.parts = post_parts(r, &in->parts, in->text) };
	post_begin(r, in->channel, &what, &in->parts, post_done);
}

const struct op op_post = {
	.name = "post",
	.scope = SCOPE_MESSAGE_APPEND,
	.rest = { "POST /v1/messages", "POST /v1/streams/{streamId}/messages",
	    "POST /v1/channels/{streamId}/messages" },
	.reply = "posted",
	.flags = OP_PIPELINED | OP_GRANTABLE,
	.in = post_in_fields,
	.in_size = sizeof(struct post_in),
	.out = post_out_fields,
	.exec = post_exec,
	.text = "Say something in a channel or a thread, for good.",
};
