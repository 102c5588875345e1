/* SPDX-License-Identifier: ISC */
/*
 * Channels end: from one moment on they are not there, and then what was said
 * in them goes, in pieces (upkeep.c).  The journal keeps that they were.
 */
#include <string.h>

#include "core/grant.h"

struct close_in {
	struct slice channel;
};

static const struct field close_fields[] = {
	{ "channel", F_STR, offsetof(struct close_in, channel), 1,
	    CHANNEL_WHICH_MAX, FIELD_REQUIRED | FIELD_MESH, NULL, NULL, 0,
	    "Channel or thread: its id; or a channel's name." },
	{ "channelId", F_STR, offsetof(struct close_in, channel), 1,
	    CHANNEL_WHICH_MAX, FIELD_REQUIRED | FIELD_REST, NULL, NULL, 0,
	    "Channel or thread: its id; or a channel's name." },
	{ .type = F_END },
};

struct close_out {
	bool ok;
	struct id channel;
	int64_t threads;
};

static const struct field close_out_fields[] = {
	{ "ok", F_BOOL, offsetof(struct close_out, ok), 0, 0, FIELD_REST, NULL,
	    NULL, 0, "true." },
	{ "channelId", F_ID, offsetof(struct close_out, channel), 0, 0, 0, NULL,
	    NULL, 0, "The channel that is no more." },
	{ "threads", F_INT, offsetof(struct close_out, threads), 0, 0, 0, NULL,
	    NULL, 0, "How many threads went with it." },
	{ .type = F_END },
};

/* Of the request's pool. */
struct closing {
	struct request *request;
	struct id mesh;
	bool is_thread;
	struct close_out out;
};

static void
close_line(struct db_params *row, const struct closing *g, const struct id *by)
{
	struct journal_line l;

	journal_begin(&l, row);
	json_key(&l.w, "channelId");
	json_id(&l.w, &g->out.channel);
	json_key(&l.w, "deletedByActorId");
	json_id(&l.w, by);
	json_key(&l.w, "kind");
	json_str(&l.w, "channel.deleted");
	json_key(&l.w, "orgId");
	json_id(&l.w, &g->mesh);
	journal_hole(&l, "threadCount");
	journal_end(&l, 0, "audit.logged");
}

static void
closed(void *arg, const struct db_result *res)
{
	struct closing *g = arg;
	struct request *r = g->request;
	const struct close_in *in = r->in;
	struct entry e = { .mesh = g->mesh };
	size_t i;

	if (op_db_failed(r, res))
		return;
	switch (db_int(res, 0, 0)) {
	case 0:
		break;
	case 1:
		channel_unknown(r, in->channel);
		return;
	default:
		op_deny(r, SCOPE_CHANNEL_ADMIN,
		    g->is_thread ? "thread" : "channel", &g->out.channel);
		return;
	}
	g->out.ok = true;
	g->out.threads = db_int(res, 0, 2);
	for (i = 0; i < db_rows(res); i++) {
		if (db_null(res, i, 3))
			continue;
		db_id(res, i, 3, &e.channel);
		follow_news(r->core, &e.channel, 0);
		event_entry(r->core, &e);
	}
	op_reply(r, &g->out);
}

static void
close_found(struct request *r, struct channel *c)
{
	const struct session *s = r->client->session;
	struct closing *g = pool_zalloc(&r->pool, sizeof(*g));
	char at[CLOCK_RFC3339_LEN + 1];
	struct db_params *p;

	g->request = r;
	g->mesh = s->mesh->id;
	g->is_thread = channel_is_thread(c);
	g->out.channel = c->id;
	clock_format(clock_wall(), at);
	p = journal_row(r->core, STMT_channel_close, &g->mesh, closed, g);
	db_alone(p, &c->id);
	db_put_id(p, &g->mesh);
	db_put_id(p, &c->id);
	db_put_id(p, &s->info.member);
	db_put_bool(p, grant_has(r->client, SCOPE_CHANNEL_ADMIN));
	db_put_str(p, at);
	db_put_bool(p, grant_owns(r->client));
	close_line(p, g, &s->info.member);
}

static void
delete_channel_exec(struct request *r, void *arg)
{
	const struct close_in *in = arg;

	channel_find(r, in->channel, close_found);
}

const struct op op_delete_channel = {
	.name = "delete_channel",
	.scope = SCOPE_CHANNEL_ADMIN,
	.rest = { "DELETE /v1/channels/{channelId}" },
	.reply = "channel_deleted",
	.flags = OP_GRANTABLE,
	.in = close_fields,
	.in_size = sizeof(struct close_in),
	.out = close_out_fields,
	.exec = delete_channel_exec,
	.text = "Delete a channel and all that was said in it, with its "
		"threads; or a thread. For its owners and admins.",
};
