/* SPDX-License-Identifier: ISC */
/*
 * How durable streams end: closed, committed as one message of the channel that
 * they are for, or deleted.
 *
 * A commit closes first, so that nothing comes behind what is posted, and posts
 * under an id that is the stream's own: whatever dies between the message and
 * the note of it, the next try finds the same message.
 */
#include <string.h>

#include "core/channel.h"
#include "core/durable.h"

#define END_WHY_MAX 500
#define END_KEY_MAX 120

void
durable_tell(struct core *c, const struct id *mesh, const struct id *durable)
{
	struct entry e = { .mesh = *mesh, .channel = *durable, .n = 1 };

	durable_news(c, durable);
	event_entry(c, &e);
}

void
durable_entry(
    struct core *c, const struct id *mesh, const struct id *channel, int64_t n)
{
	struct entry e = { .mesh = *mesh, .channel = *channel, .n = n };

	follow_news(c, channel, n);
	event_entry(c, &e);
}

struct end_in {
	struct id durable;
	struct slice why;
	struct slice key;
	struct ending_stream *ending; /* while it is posted */
};

#define IN(field) offsetof(struct end_in, field)
static const struct field close_fields[] = {
	{ "durableStreamId", F_ID, IN(durable), 0, 0, FIELD_REQUIRED, NULL,
	    NULL, 0, "The durable stream." },
	{ "reason", F_STR, IN(why), 0, END_WHY_MAX, 0, NULL, NULL, 0, "Why." },
	{ .type = F_END },
};
static const struct field commit_fields[] = {
	{ "durableStreamId", F_ID, IN(durable), 0, 0, FIELD_REQUIRED, NULL,
	    NULL, 0, "The durable stream." },
	{ "idempotencyKey", F_STR, IN(key), 1, END_KEY_MAX, 0, NULL, NULL, 0,
	    "The message's client_message_id; made when absent." },
	{ .type = F_END },
};
static const struct field delete_fields[] = {
	{ "durableStreamId", F_ID, IN(durable), 0, 0, FIELD_REQUIRED, NULL,
	    NULL, 0, "The durable stream." },
	{ .type = F_END },
};
#undef IN

struct end_out {
	struct id durable;
	int state;
	int64_t chunks;
	int64_t bytes;
	struct id post;
	int64_t seq;
};

#define OUT(field) offsetof(struct end_out, field)
static const struct field close_out_fields[] = {
	{ "durableStreamId", F_ID, OUT(durable), 0, 0, 0, NULL, NULL, 0,
	    "The durable stream." },
	{ "status", F_ENUM, OUT(state), 0, 0, 0, durable_states, NULL, 0,
	    "It is closed." },
	{ "offset", F_INT, OUT(chunks), 0, 0, 0, NULL, NULL, 0,
	    "Its last chunk." },
	{ "chunkCount", F_INT, OUT(chunks), 0, 0, 0, NULL, NULL, 0,
	    "The same." },
	{ .type = F_END },
};
static const struct field commit_out_fields[] = {
	{ "durableStreamId", F_ID, OUT(durable), 0, 0, 0, NULL, NULL, 0,
	    "The durable stream." },
	{ "status", F_ENUM, OUT(state), 0, 0, 0, durable_states, NULL, 0,
	    "It is committed." },
	{ "committedMessageId", F_ID, OUT(post), 0, 0, 0, NULL, NULL, 0,
	    "The message." },
	{ "streamSeq", F_INT, OUT(seq), 0, 0, 0, NULL, NULL, 0, "Its place." },
	{ "chunkCount", F_INT, OUT(chunks), 0, 0, 0, NULL, NULL, 0,
	    "Chunks that it is made of." },
	{ "byteCount", F_INT, OUT(bytes), 0, 0, 0, NULL, NULL, 0,
	    "Their bytes." },
	{ .type = F_END },
};
static const struct field delete_out_fields[] = {
	{ "durableStreamId", F_ID, OUT(durable), 0, 0, 0, NULL, NULL, 0,
	    "The durable stream that is no more." },
	{ .type = F_END },
};
#undef OUT

/* Of the request's pool. */
struct ending_stream {
	struct request *request;
	struct id mesh;
	struct id by;
	bool reads; /* also those of others */
	bool writes;
	bool commits;
	struct id channel;
	int storage;
	struct slice key;
	/* Of one whose chunks are in the storage. */
	struct durable_piece *pieces;
	size_t npieces;
	int64_t bytes;
	struct end_out out;
};

static void commit_text(struct ending_stream *g);

/* Of a code of durable_end; false: the request has failed, and is no more. */
static bool
end_allows(const struct ending_stream *g, int64_t code)
{
	struct request *r = g->request;

	/* One that is closed can be committed. */
	if (code == 0 || (code == 3 && g->commits))
		return true;
	if (code == 1)
		durable_unknown(r);
	else if (code == 2)
		durable_forbidden(r);
	else
		op_fail(r, ERR_MALFORMED,
		    "The durable stream is not open any more.");
	return false;
}

static void
ended(void *arg, const struct db_result *res)
{
	struct ending_stream *g = arg;
	struct request *r = g->request;
	struct id channel;

	if (op_db_failed(r, res))
		return;
	if (!end_allows(g, db_int(res, 0, 0)))
		return;
	if (g->out.state == DURABLE_CLOSED)
		g->out.chunks = db_int(res, 0, 1);
	durable_tell(r->core, &g->mesh, &g->out.durable);
	if (!db_null(res, 0, 2) && !db_null(res, 0, 4)) {
		db_id(res, 0, 4, &channel);
		durable_entry(r->core, &g->mesh, &channel, db_int(res, 0, 2));
	}
	if (g->commits && g->out.state == DURABLE_CLOSED)
		commit_text(g);
	else
		op_reply(r, &g->out);
}

static void
end_line(struct db_params *row, const struct ending_stream *g, struct slice why)
{
	struct journal_line l;

	journal_begin(&l, row);
	json_key(&l.w, "actorId");
	json_id(&l.w, &g->by);
	if (g->out.state == DURABLE_COMMITTED) {
		json_key(&l.w, "committedMessageId");
		json_id(&l.w, &g->out.post);
	}
	json_key(&l.w, "durableStreamId");
	json_id(&l.w, &g->out.durable);
	json_key(&l.w, "orgId");
	json_id(&l.w, &g->mesh);
	if (why.n > 0) {
		json_key(&l.w, "reason");
		json_strn(&l.w, why.p, why.n);
	}
	journal_end(&l, 0,
	    g->out.state == DURABLE_COMMITTED ? "durable_stream.committed"
					      : "durable_stream.closed");
}

/* Closes it, or notes what it became. */
static void
end_store(struct ending_stream *g, struct slice why)
{
	bool committed = g->out.state == DURABLE_COMMITTED;
	char at[CLOCK_RFC3339_LEN + 1];
	struct db_params *p;

	clock_format(clock_wall(), at);
	p = journal_row(g->request->core, STMT_durable_end, &g->mesh, ended, g);
	db_alone(p, &g->out.durable);
	db_put_id(p, &g->out.durable);
	db_put_id(p, &g->mesh);
	db_put_id(p, &g->by);
	db_put_bool(p, g->reads);
	db_put_bool(p, g->writes);
	db_put_id(p, committed ? &g->out.post : NULL);
	if (committed)
		db_put_int(p, g->out.seq);
	else
		db_put_null(p);
	db_put_text(p, why.n > 0 ? why.p : NULL, why.n);
	db_put_str(p, at);
	durable_put_storage(p, g->request);
	end_line(p, g, why);
}

static struct ending_stream *
end_begin(struct request *r, const struct id *durable)
{
	struct ending_stream *g = pool_zalloc(&r->pool, sizeof(*g));

	g->request = r;
	g->mesh = r->client->session->mesh->id;
	g->by = r->client->session->info.member;
	g->reads = (r->client->scopes & SCOPE_BIT(SCOPE_STREAM_READ)) != 0;
	g->writes = durable_writes_all(r);
	g->out.durable = *durable;
	g->out.state = DURABLE_CLOSED;
	return g;
}

static void
close_durable_stream_exec(struct request *r, void *arg)
{
	const struct end_in *in = arg;

	if (durable_is_on(r))
		end_store(end_begin(r, &in->durable), in->why);
}

/*
 * commit_durable_stream: found, closed, read, posted, noted.
 */
static void
commit_posted(struct request *r, const struct post *p, bool repeated)
{
	struct ending_stream *g = ((const struct end_in *)r->in)->ending;

	(void)repeated;
	g->out.state = DURABLE_COMMITTED;
	g->out.post = p->id;
	g->out.seq = p->seq;
	end_store(g, (struct slice){ NULL, 0 });
}

static void
commit_post(struct ending_stream *g, struct slice text)
{
	const struct list none = { NULL, 0 };
	struct request *r = g->request;
	struct slice channel;
	struct post what;
	char *hex;

	if (op_left(r))
		return;
	if (text.n == 0) {
		op_fail(r, ERR_MALFORMED,
		    "There is nothing in it that could be a message.");
		return;
	}
	g->out.bytes = (int64_t)text.n;
	hex = pool_alloc(&r->pool, ID_HEX_LEN + 1);
	channel = (struct slice){ id_hex(&g->channel, hex), ID_HEX_LEN };
	/* By its id there is one, whoever else commits it now. */
	what = (struct post){ .id = g->out.durable,
		.client_id = g->key,
		.parts = post_parts(r, &none, text) };
	post_begin(r, channel, &what, &none, commit_posted);
}

static void
commit_read(void *arg, const struct db_result *res)
{
	struct ending_stream *g = arg;

	if (op_db_failed(g->request, res))
		return;
	commit_post(g, db_null(res, 0, 0) ? (struct slice){ NULL, 0 }
					  : db_text(res, 0, 0));
}

/* Pieces are one behind the other. */
static void
commit_fetched(void *arg, size_t good, enum err e, const char *text)
{
	struct ending_stream *g = arg;

	if (good < g->npieces)
		op_fail(g->request, e, "%s", text);
	else
		commit_post(
		    g, (struct slice){ good > 0 ? g->pieces[0].text.p : NULL,
			   (size_t)g->bytes });
}

static void
commit_objects(void *arg, const struct db_result *res)
{
	struct ending_stream *g = arg;
	struct request *r = g->request;
	struct durable_piece *v;
	size_t i, n;

	if (op_db_failed(r, res))
		return;
	n = db_rows(res);
	g->pieces = v = pool_zalloc(&r->pool, (n + 1) * sizeof(*v));
	g->npieces = n;
	for (i = 0; i < n; i++) {
		struct slice sha = db_bytes(res, i, 2);

		db_id(res, i, 0, &v[i].object);
		v[i].bytes = db_int(res, i, 1);
		g->bytes += v[i].bytes;
		if (sha.n == sizeof(v[i].sha256))
			memcpy(v[i].sha256, sha.p, sha.n);
	}
	durable_fetch(r, &g->mesh, v, n, commit_fetched, g);
}

static void
commit_text(struct ending_stream *g)
{
	bool files = g->storage == DURABLE_FILES;
	struct db_params *p =
	    db_params(files ? STMT_durable_objects : STMT_durable_text);

	db_put_id(p, &g->out.durable);
	db_query(g->request->core->reads, p,
	    files ? commit_objects : commit_read, g);
}

static struct slice
commit_key(struct request *r, const struct end_in *in, const struct durable *d,
    const struct id *by)
{
	char id[ID_HEX_LEN + 1], member[ID_HEX_LEN + 1], *text;

	if (in->key.n > 0)
		return in->key;
	text = pool_printf(&r->pool, "%s-commit-%s-%s",
	    d->storage == DURABLE_FILES ? "dss" : "durable-stream",
	    id_hex(&d->id, id), id_hex(by, member));
	return (struct slice){ text, strlen(text) };
}

static void
commit_found(struct request *r, struct durable *d)
{
	struct end_in *in = r->in;
	struct ending_stream *g = end_begin(r, &d->id);

	if (d->state == DURABLE_COMMITTED) {
		g->out.state = d->state;
		g->out.post = d->post;
		g->out.seq = d->post_seq;
		g->out.chunks = d->chunks;
		g->out.bytes = d->bytes;
		op_reply(r, &g->out);
		return;
	}
	if (d->storage == DURABLE_FILES && r->core->storage == NULL) {
		op_fail(r, ERR_UNAVAILABLE, DURABLE_NO_FILES);
		return;
	}
	if (id_is_null(&d->channel)) {
		op_fail(r, ERR_MALFORMED,
		    "The durable stream is for no channel in which it could "
		    "be a message.");
		return;
	}
	g->commits = true;
	g->channel = d->channel;
	g->storage = d->storage;
	g->key = commit_key(r, in, d, &g->by);
	in->ending = g;
	end_store(g, (struct slice){ NULL, 0 });
}

static void
commit_durable_stream_exec(struct request *r, void *arg)
{
	const struct end_in *in = arg;

	if (durable_is_on(r))
		durable_find(r, &in->durable, commit_found);
}

/*
 * delete_durable_stream
 */
static void
deleted(void *arg, const struct db_result *res)
{
	struct ending_stream *g = arg;
	struct request *r = g->request;

	if (op_db_failed(r, res))
		return;
	if (db_int(res, 0, 0) == 1)
		durable_unknown(r);
	else if (db_int(res, 0, 0) == 2)
		durable_forbidden(r);
	else {
		durable_tell(r->core, &g->mesh, &g->out.durable);
		op_reply(r, &g->out);
	}
}

static void
delete_line(struct db_params *row, const struct ending_stream *g)
{
	struct journal_line l;

	journal_begin(&l, row);
	json_key(&l.w, "deletedByActorId");
	json_id(&l.w, &g->by);
	json_key(&l.w, "durableStreamId");
	json_id(&l.w, &g->out.durable);
	json_key(&l.w, "orgId");
	json_id(&l.w, &g->mesh);
	journal_end(&l, 0, "durable_stream.deleted");
}

static void
delete_durable_stream_exec(struct request *r, void *arg)
{
	const struct end_in *in = arg;
	char at[CLOCK_RFC3339_LEN + 1];
	struct ending_stream *g;
	struct db_params *p;

	if (!durable_is_on(r))
		return;
	g = end_begin(r, &in->durable);
	clock_format(clock_wall(), at);
	p = journal_row(r->core, STMT_durable_delete, &g->mesh, deleted, g);
	db_alone(p, &g->out.durable);
	db_put_id(p, &g->out.durable);
	db_put_id(p, &g->mesh);
	db_put_id(p, &g->by);
	db_put_bool(p, g->reads);
	db_put_bool(p, g->writes);
	db_put_str(p, at);
	durable_put_storage(p, r);
	delete_line(p, g);
}

const struct op op_close_durable_stream = {
	.name = "close_durable_stream",
	.scope = SCOPE_CHANNELS_WRITE,
	.rest = { "POST /v1/durable-streams/{durableStreamId}/close",
	    "POST /v1/durable-streams-storage/{durableStreamId}/close" },
	.reply = "durable_stream_closed",
	.flags = OP_OWN,
	.in = close_fields,
	.in_size = sizeof(struct end_in),
	.out = close_out_fields,
	.exec = close_durable_stream_exec,
	.text = "Say that no more comes.",
};

const struct op op_commit_durable_stream = {
	.name = "commit_durable_stream",
	.scope = SCOPE_MESSAGE_APPEND,
	.rest = { "POST /v1/durable-streams/{durableStreamId}/commit",
	    "POST /v1/durable-streams-storage/{durableStreamId}/commit" },
	.reply = "durable_stream_committed",
	.flags = OP_GRANTABLE,
	.in = commit_fields,
	.in_size = sizeof(struct end_in),
	.out = commit_out_fields,
	.exec = commit_durable_stream_exec,
	.text = "Close a durable stream and post all of it as one message to "
		"the channel or thread that it is for; once, however often "
		"it is asked.",
};

const struct op op_delete_durable_stream = {
	.name = "delete_durable_stream",
	.scope = SCOPE_CHANNELS_WRITE,
	.rest = { "DELETE /v1/durable-streams/{durableStreamId}",
	    "DELETE /v1/durable-streams-storage/{durableStreamId}" },
	.reply = "durable_stream_deleted",
	.flags = OP_OWN,
	.in = delete_fields,
	.in_size = sizeof(struct end_in),
	.out = delete_out_fields,
	.exec = delete_durable_stream_exec,
	.text = "Delete a durable stream; a message that it became stays.",
};
