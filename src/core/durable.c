/* SPDX-License-Identifier: ISC */
/*
 * Durable streams: made, found, listed, deleted.
 */
#include <inttypes.h>
#include <string.h>

#include "core/channel.h"
#include "core/durable.h"

#define DURABLE_TYPE_MAX 120
#define DURABLE_METADATA_MAX 16384
#define DURABLE_PAGE 50
#define DURABLE_PAGE_MAX 200

const char *const durable_states[] = { "open", "closed", "committed", NULL };
static const char *const durable_storages[] = { "rows", "files", NULL };
static const char *const durable_targets[] = { "channel", "thread", NULL };

bool
durable_is_on(struct request *r)
{
	if (r->core->limits.durable.on)
		return true;
	op_fail(r, ERR_UNKNOWN_TYPE,
	    "Durable streams are turned off on this server "
	    "(durable.enabled).");
	return false;
}

void
durable_unknown(struct request *r)
{
	op_fail(r, ERR_NOT_FOUND, "There is no such durable stream for you.");
}

void
durable_forbidden(struct request *r)
{
	if (!op_left(r))
		op_deny(r, SCOPE_STREAM_WRITE, "org",
		    &r->client->session->mesh->id);
}

bool
durable_writes_all(const struct request *r)
{
	return (r->client->scopes & SCOPE_BIT(SCOPE_STREAM_WRITE)) != 0;
}

bool
durable_wants_files(const struct request *r)
{
	return strstr(r->route, "/durable-streams-storage") != NULL;
}

void
durable_put_storage(struct db_params *p, const struct request *r)
{
	if (r->route == NULL)
		db_put_null(p);
	else
		db_put_int(
		    p, durable_wants_files(r) ? DURABLE_FILES : DURABLE_ROWS);
}

void
durable_who(struct db_params *p, const struct request *r)
{
	const struct session *s = r->client->session;

	db_put_id(p, &s->mesh->id);
	db_put_id(p, &s->info.member);
	db_put_bool(p, (r->client->scopes & SCOPE_BIT(SCOPE_STREAM_READ)) != 0);
}

#define ROW(field) offsetof(struct durable, field)
const struct field durable_fields[] = {
	{ "durableStreamId", F_ID, ROW(id), 0, 0, 0, NULL, NULL, 0,
	    "The durable stream." },
	{ "actorId", F_ID, ROW(member), 0, 0, 0, NULL, NULL, 0,
	    "Whose it is." },
	{ "targetStreamId", F_ID, ROW(channel), 0, 0, FIELD_NULLABLE, NULL,
	    NULL, 0, "The channel or thread that it is for, or null." },
	{ "contentType", F_STR, ROW(content_type), 0, 0, 0, NULL, NULL, 0,
	    "What its member says that it is." },
	{ "metadata", F_JSON, ROW(metadata), 0, 0, 0, NULL, NULL, 0,
	    "What its member says of it." },
	{ "storage", F_ENUM, ROW(storage), 0, 0, 0, durable_storages, NULL, 0,
	    "Where its chunks are: in the database, or where files are." },
	{ "status", F_ENUM, ROW(state), 0, 0, 0, durable_states, NULL, 0,
	    "Can more come?" },
	{ "offset", F_INT, ROW(chunks), 0, 0, 0, NULL, NULL, 0,
	    "Its last chunk; 0: there is none." },
	{ "chunkCount", F_INT, ROW(chunks), 0, 0, 0, NULL, NULL, 0,
	    "The same." },
	{ "byteCount", F_INT, ROW(bytes), 0, 0, 0, NULL, NULL, 0,
	    "Bytes of all of them." },
	{ "reason", F_STR, ROW(why), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "Why it was closed." },
	{ "committedMessageId", F_ID, ROW(post), 0, 0, FIELD_NULLABLE, NULL,
	    NULL, 0, "The message that it became, or null." },
	{ "streamSeq", F_INT, ROW(post_seq), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "That one's place." },
	{ "createdAt", F_TIME, ROW(created_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it was made." },
	{ "updatedAt", F_TIME, ROW(updated_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it changed." },
	{ "closedAt", F_TIME, ROW(closed_ms), 0, 0, FIELD_NULLABLE, NULL, NULL,
	    0, "When it was closed." },
	{ "expiresAt", F_TIME, ROW(expires_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it goes." },
	{ .type = F_END },
};
#undef ROW

static struct slice
durable_keep(struct request *r, struct slice s)
{
	return (struct slice){ pool_dup(&r->pool, s.p, s.n), s.n };
}

/* A row of durable_find or durable_list. */
static void
durable_row(
    struct request *r, struct durable *d, const struct db_result *res, size_t i)
{
	db_id(res, i, 0, &d->id);
	db_id(res, i, 1, &d->member);
	if (!db_null(res, i, 2))
		db_id(res, i, 2, &d->channel);
	d->content_type = durable_keep(r, db_text(res, i, 3));
	d->metadata = durable_keep(r, db_text(res, i, 4));
	d->state = (int)db_int(res, i, 5);
	d->chunks = db_int(res, i, 6);
	d->bytes = db_int(res, i, 7);
	if (!db_null(res, i, 8))
		d->why = durable_keep(r, db_text(res, i, 8));
	if (!db_null(res, i, 9))
		db_id(res, i, 9, &d->post);
	if (!db_null(res, i, 10))
		d->post_seq = db_int(res, i, 10);
	d->created_ms = db_time(res, i, 11);
	d->updated_ms = db_time(res, i, 12);
	if (!db_null(res, i, 13))
		d->closed_ms = db_time(res, i, 13);
	d->expires_ms = db_time(res, i, 14);
	d->storage = (int)db_int(res, i, 15);
}

struct durable_query {
	struct request *request;
	durable_fn *fn;
};

static void
durable_found(void *arg, const struct db_result *res)
{
	struct durable_query *q = arg;
	struct request *r = q->request;
	struct durable *d;

	if (op_db_failed(r, res) || op_left(r))
		return;
	if (db_rows(res) == 0) {
		durable_unknown(r);
		return;
	}
	d = pool_zalloc(&r->pool, sizeof(*d));
	durable_row(r, d, res, 0);
	q->fn(r, d);
}

void
durable_find(struct request *r, const struct id *id, durable_fn *fn)
{
	struct durable_query *q = pool_alloc(&r->pool, sizeof(*q));
	struct db_params *p = db_params(STMT_durable_find);

	*q = (struct durable_query){ r, fn };
	db_put_id(p, id);
	durable_who(p, r);
	durable_put_storage(p, r);
	db_query(r->core->reads, p, durable_found, q);
}

/*
 * create_durable_stream
 */
struct create_in {
	struct id channel;
	int target;
	struct slice content_type;
	struct slice metadata;
	int64_t ttl_s;
	int storage;
};

#define IN(field) offsetof(struct create_in, field)
static const struct field create_fields[] = {
	{ "targetStreamId", F_ID, IN(channel), 0, 0, 0, NULL, NULL, 0,
	    "The channel or thread that it is for, whose members see it." },
	{ "targetStreamType", F_ENUM, IN(target), 0, 0, 0, durable_targets,
	    NULL, 0, "Which of both; the id says it as well." },
	{ "contentType", F_STR, IN(content_type), 1, DURABLE_TYPE_MAX, 0, NULL,
	    NULL, 0, "What it is; text/plain when absent." },
	{ "metadata", F_JSON, IN(metadata), 2, DURABLE_METADATA_MAX, 0, NULL,
	    NULL, 0, "What to keep with it, an object." },
	{ "ttlSeconds", F_INT, IN(ttl_s), 1, 3153600000, 0, NULL, NULL, 0,
	    "It goes after so long, durable.max_ttl at most; durable.ttl when "
	    "absent." },
	{ "storage", F_ENUM, IN(storage), 0, 0, FIELD_MESH, durable_storages,
	    NULL, 0,
	    "Where its chunks are to be: rows, in the database, when absent; "
	    "files, where files are." },
	{ .type = F_END },
};
#undef IN

struct create_out {
	struct id id;
	int state;
	int64_t chunks;
	int64_t expires_ms;
};

#define OUT(field) offsetof(struct create_out, field)
static const struct field create_out_fields[] = {
	{ "durableStreamId", F_ID, OUT(id), 0, 0, 0, NULL, NULL, 0,
	    "The durable stream." },
	{ "status", F_ENUM, OUT(state), 0, 0, 0, durable_states, NULL, 0,
	    "It is open." },
	{ "offset", F_INT, OUT(chunks), 0, 0, 0, NULL, NULL, 0,
	    "Its last chunk: there is none." },
	{ "chunkCount", F_INT, OUT(chunks), 0, 0, 0, NULL, NULL, 0,
	    "The same." },
	{ "expiresAt", F_TIME, OUT(expires_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it goes." },
	{ .type = F_END },
};
#undef OUT

/* Of the request's pool. */
struct creating {
	struct request *request;
	struct id mesh;
	struct create_out out;
};

static void
created(void *arg, const struct db_result *res)
{
	const struct creating *g = arg;
	struct request *r = g->request;
	const struct create_in *in = r->in;

	if (op_db_failed(r, res))
		return;
	switch (db_int(res, 0, 0)) {
	case 0:
		if (!db_null(res, 0, 1) && !id_is_null(&in->channel))
			durable_entry(
			    r->core, &g->mesh, &in->channel, db_int(res, 0, 1));
		op_reply(r, &g->out);
		break;
	case 1:
		op_fail(r, ERR_NOT_FOUND,
		    "There is no such channel for you; list_channels has those "
		    "that there are.");
		break;
	default:
		r->error_limit = r->error_used = r->core->limits.durable.most;
		op_fail(r, ERR_QUOTA,
		    "You have %" PRId64 " durable streams, which is as many as "
		    "you may; delete some.",
		    r->core->limits.durable.most);
		break;
	}
}

static void
create_line(struct db_params *row, const struct session *s,
    const struct creating *g, const struct create_in *in)
{
	struct journal_line l;

	journal_begin(&l, row);
	json_key(&l.w, "createdByActorId");
	json_id(&l.w, &s->info.member);
	json_key(&l.w, "durableStreamId");
	json_id(&l.w, &g->out.id);
	json_key(&l.w, "orgId");
	json_id(&l.w, &s->mesh->id);
	json_key(&l.w, "streamId");
	if (id_is_null(&in->channel))
		json_null(&l.w);
	else
		json_id(&l.w, &in->channel);
	journal_end(&l, 0, "durable_stream.created");
}

static void
create_durable_stream_exec(struct request *r, void *arg)
{
	const struct durable_limits *l = &r->core->limits.durable;
	const struct session *s = r->client->session;
	const struct create_in *in = arg;
	int storage = r->route == NULL ? in->storage : durable_wants_files(r);
	int64_t ttl_ms = in->ttl_s > 0 ? in->ttl_s * 1000 : l->ttl_ms;
	char at[CLOCK_RFC3339_LEN + 1];
	struct creating *g;
	struct db_params *p;

	if (!durable_is_on(r))
		return;
	if (storage == DURABLE_FILES && r->core->storage == NULL) {
		op_fail(r, ERR_UNAVAILABLE, DURABLE_NO_FILES);
		return;
	}
	if (in->metadata.n > 0 && in->metadata.p[0] != '{') {
		op_fail(r, ERR_MALFORMED, "metadata: must be an object.");
		return;
	}
	if (ttl_ms > l->ttl_max_ms)
		ttl_ms = l->ttl_max_ms;
	g = pool_zalloc(&r->pool, sizeof(*g));
	g->request = r;
	g->mesh = s->mesh->id;
	id_new(&g->out.id);
	clock_format(clock_wall(), at);
	g->out.expires_ms = clock_wall() + ttl_ms;
	p = journal_row(r->core, STMT_durable_make, &s->mesh->id, created, g);
	db_put_id(p, &g->out.id);
	db_put_id(p, &s->mesh->id);
	db_put_id(p, &s->info.member);
	db_put_id(p, id_is_null(&in->channel) ? NULL : &in->channel);
	if (in->content_type.n > 0)
		db_put_text(p, in->content_type.p, in->content_type.n);
	else
		db_put_str(p, "text/plain");
	if (in->metadata.n > 0)
		db_put_text(p, in->metadata.p, in->metadata.n);
	else
		db_put_str(p, "{}");
	db_put_int(p, ttl_ms);
	db_put_int(p, l->most);
	db_put_str(p, at);
	db_put_int(p, storage);
	create_line(p, s, g, in);
}

/*
 * get_durable_stream, list_durable_streams
 */
struct which_in {
	struct id durable;
};

static const struct field which_fields[] = {
	{ "durableStreamId", F_ID, offsetof(struct which_in, durable), 0, 0,
	    FIELD_REQUIRED, NULL, NULL, 0, "The durable stream." },
	{ .type = F_END },
};

static void
got(struct request *r, struct durable *d)
{
	op_reply(r, d);
}

static void
get_durable_stream_exec(struct request *r, void *arg)
{
	const struct which_in *in = arg;

	if (durable_is_on(r))
		durable_find(r, &in->durable, got);
}

struct list_in {
	struct id before;
	int64_t limit;
};

#define IN(field) offsetof(struct list_in, field)
static const struct field list_fields[] = {
	{ "before", F_ID, IN(before), 0, 0, 0, NULL, NULL, 0,
	    "Only those made before this one." },
	{ "limit", F_INT, IN(limit), 1, DURABLE_PAGE_MAX, 0, NULL, NULL, 0,
	    "At most so many; 50 when absent." },
	{ .type = F_END },
};
#undef IN

struct list_out {
	struct list streams;
	bool more;
	struct id next;
};

static const struct field list_out_fields[] = {
	{ "durableStreams", F_ROWS, offsetof(struct list_out, streams), 0, 0, 0,
	    NULL, durable_fields, sizeof(struct durable), "The newest first." },
	{ "more", F_BOOL, offsetof(struct list_out, more), 0, 0, FIELD_OMIT,
	    NULL, NULL, 0, "There are more, before the last one." },
	{ "next", F_ID, offsetof(struct list_out, next), 0, 0, FIELD_OMIT, NULL,
	    NULL, 0, "There are more: before for the next page." },
	{ .type = F_END },
};

static int64_t
list_limit(const struct list_in *in)
{
	return in->limit > 0 ? in->limit : DURABLE_PAGE;
}

static void
listed(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct list_out out = { .more = false };
	size_t i, n, most = (size_t)list_limit(r->in);
	struct durable *v;

	if (op_db_failed(r, res))
		return;
	n = db_rows(res);
	out.more = n > most;
	n = out.more ? most : n;
	v = pool_zalloc(&r->pool, (n + 1) * sizeof(*v));
	for (i = 0; i < n; i++)
		durable_row(r, &v[i], res, i);
	out.streams = (struct list){ v, n };
	if (out.more)
		out.next = v[n - 1].id;
	op_reply(r, &out);
}

static void
list_durable_streams_exec(struct request *r, void *arg)
{
	const struct session *s = r->client->session;
	const struct list_in *in = arg;
	struct db_params *p;
	struct id last;

	if (!durable_is_on(r))
		return;
	memset(last.b, 0xff, sizeof(last.b));
	p = db_params(STMT_durable_list);
	db_put_id(p, &s->info.member);
	db_put_id(p, &s->mesh->id);
	db_put_id(p, id_is_null(&in->before) ? &last : &in->before);
	db_put_int(p, list_limit(in) + 1);
	durable_put_storage(p, r);
	db_query(r->core->reads, p, listed, r);
}

const struct op op_create_durable_stream = {
	.name = "create_durable_stream",
	.scope = SCOPE_CHANNELS_WRITE,
	.rest = { "POST /v1/durable-streams",
	    "POST /v1/durable-streams-storage" },
	.reply = "durable_stream_created",
	.flags = OP_OWN,
	.in = create_fields,
	.in_size = sizeof(struct create_in),
	.out = create_out_fields,
	.exec = create_durable_stream_exec,
	.text = "Begin a text that comes in chunks, and can be read meanwhile.",
};

const struct op op_get_durable_stream = {
	.name = "get_durable_stream",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "GET /v1/durable-streams/{durableStreamId}",
	    "GET /v1/durable-streams/{durableStreamId}/head",
	    "GET /v1/durable-streams-storage/{durableStreamId}",
	    "GET /v1/durable-streams-storage/{durableStreamId}/head" },
	.reply = "durable_stream",
	.in = which_fields,
	.in_size = sizeof(struct which_in),
	.out = durable_fields,
	.exec = get_durable_stream_exec,
	.text = "How far a durable stream is.",
};

const struct op op_list_durable_streams = {
	.name = "list_durable_streams",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "GET /v1/durable-streams",
	    "GET /v1/durable-streams-storage" },
	.reply = "durable_streams",
	.in = list_fields,
	.in_size = sizeof(struct list_in),
	.out = list_out_fields,
	.exec = list_durable_streams_exec,
	.text = "One's own durable streams.",
};
