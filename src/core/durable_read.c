/* SPDX-License-Identifier: ISC */
/*
 * Chunks of durable streams: put at the end, and read, also those that are
 * still to come.
 *
 * Who waits is known here before the database is asked: what comes between the
 * question and its answer makes it ask again.
 */
#include <stdlib.h>
#include <string.h>

#include "core/channel.h"
#include "core/durable.h"

#define CHUNKS_MAX 1000 /* of one request */
#define CHUNK_MAX (1 << 20)
#define READ_PAGE 200
#define READ_PAGE_MAX 2000
#define READ_TIMEOUT_MS 30000
#define READ_TIMEOUT_MAX_MS 120000
/* Of a page, which ends behind the chunk that has the last of them; and objects
 * that it is in. */
#define READ_BYTES (1 << 20)
#define READ_OBJECTS 200

/*
 * append_durable_chunks
 */
struct chunk {
	struct slice text;
};

static const struct field chunk_fields[] = {
	{ "text", F_STR, offsetof(struct chunk, text), 1, CHUNK_MAX,
	    FIELD_REQUIRED, NULL, NULL, 0, "What it says." },
	{ .type = F_END },
};

struct append_in {
	struct id durable;
	struct list chunks;
};

#define IN(field) offsetof(struct append_in, field)
static const struct field append_fields[] = {
	{ "durableStreamId", F_ID, IN(durable), 0, 0, FIELD_REQUIRED, NULL,
	    NULL, 0, "The durable stream." },
	{ "chunks", F_ROWS, IN(chunks), 1, CHUNKS_MAX, FIELD_REQUIRED, NULL,
	    chunk_fields, sizeof(struct chunk), "What comes next, in order." },
	{ .type = F_END },
};
#undef IN

struct append_out {
	struct id durable;
	int64_t appended;
	int64_t chunks;
	int64_t bytes;
};

#define OUT(field) offsetof(struct append_out, field)
static const struct field append_out_fields[] = {
	{ "durableStreamId", F_ID, OUT(durable), 0, 0, 0, NULL, NULL, 0,
	    "The durable stream." },
	{ "appended", F_INT, OUT(appended), 0, 0, 0, NULL, NULL, 0,
	    "Chunks that were added." },
	{ "offset", F_INT, OUT(chunks), 0, 0, 0, NULL, NULL, 0,
	    "Its last chunk now." },
	{ "chunkCount", F_INT, OUT(chunks), 0, 0, 0, NULL, NULL, 0,
	    "The same." },
	{ "byteCount", F_INT, OUT(bytes), 0, 0, 0, NULL, NULL, 0,
	    "Bytes of all of them." },
	{ .type = F_END },
};
#undef OUT

struct appending {
	struct request *request;
	struct id mesh;
	struct slice *texts;
};

static void
appended(void *arg, const struct db_result *res)
{
	const struct appending *g = arg;
	struct request *r = g->request;
	const struct append_in *in = r->in;
	struct append_out out = { .durable = in->durable };

	if (op_db_failed(r, res))
		return;
	switch (db_rows(res) == 0 ? 1 : db_int(res, 0, 0)) {
	case 0:
		break;
	case 1:
		durable_unknown(r);
		return;
	case 2:
		durable_forbidden(r);
		return;
	case 3:
		op_fail(r, ERR_MALFORMED,
		    "The durable stream is not open any more.");
		return;
	case 5:
		durable_store(
		    r, &in->durable, g->texts, in->chunks.n, appended, arg);
		return;
	case 6:
		op_fail(r, ERR_UNAVAILABLE,
		    "The storage took too long, and nothing was added; try "
		    "again.");
		return;
	default:
		r->error_limit = r->core->limits.durable.bytes;
		op_fail(r, ERR_TOO_BIG,
		    "The durable stream would be longer than "
		    "limit.durable_bytes; commit it and begin another one.");
		return;
	}
	out.chunks = db_int(res, 0, 1);
	out.bytes = db_int(res, 0, 2);
	out.appended = db_int(res, 0, 3);
	durable_tell(r->core, &g->mesh, &in->durable);
	op_reply(r, &out);
}

static void
append_durable_chunks_exec(struct request *r, void *arg)
{
	const struct append_in *in = arg;
	const struct chunk *v = in->chunks.v;
	struct slice *texts;
	struct appending *g;
	struct db_params *p;
	struct id put;
	size_t i;

	if (!durable_is_on(r))
		return;
	g = pool_zalloc(&r->pool, sizeof(*g));
	g->request = r;
	g->mesh = r->client->session->mesh->id;
	g->texts = texts = pool_alloc(&r->pool, in->chunks.n * sizeof(*texts));
	for (i = 0; i < in->chunks.n; i++)
		texts[i] = v[i].text;
	if (r->route != NULL && durable_wants_files(r)) {
		durable_store(
		    r, &in->durable, texts, in->chunks.n, appended, g);
		return;
	}
	id_new(&put);
	p = db_params(STMT_durable_append);
	db_put_id(p, &in->durable);
	durable_who(p, r);
	db_put_bool(p, durable_writes_all(r));
	db_put_id(p, &put);
	db_put_texts(p, texts, in->chunks.n);
	db_put_int(p, r->core->limits.durable.bytes);
	durable_put_storage(p, r);
	db_query(r->core->reads, p, appended, g);
}

/*
 * read_durable_stream
 */
struct read_in {
	struct id durable;
	int64_t after;
	int64_t limit;
	bool live;
	int64_t timeout_ms;
};

#define IN(field) offsetof(struct read_in, field)
static const struct field read_fields[] = {
	{ "durableStreamId", F_ID, IN(durable), 0, 0, FIELD_REQUIRED, NULL,
	    NULL, 0, "The durable stream." },
	{ "offset", F_INT, IN(after), 0, INT64_MAX, 0, NULL, NULL, 0,
	    "The last chunk that was read; 0: none." },
	{ "limit", F_INT, IN(limit), 1, READ_PAGE_MAX, 0, NULL, NULL, 0,
	    "At most so many chunks; 200 when absent." },
	{ "live", F_BOOL, IN(live), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "Where there are none, wait until some come, or it ends." },
	{ "timeoutMs", F_INT, IN(timeout_ms), 50, READ_TIMEOUT_MAX_MS,
	    FIELD_REST, NULL, NULL, 0,
	    "Wait so long; 30000 when absent. Answers come up to a second "
	    "later." },
	{ .type = F_END },
};
#undef IN

#define ROW(field) offsetof(struct durable_chunk, field)
const struct field durable_chunk_fields[] = {
	{ "offset", F_INT, ROW(n), 0, 0, 0, NULL, NULL, 0, "Its number." },
	{ "text", F_STR, ROW(text), 0, 0, 0, NULL, NULL, 0, "What it says." },
	{ "createdAt", F_TIME, ROW(created_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it came." },
	{ .type = F_END },
};
#undef ROW

#define OUT(field) offsetof(struct durable_page, field)
static const struct field read_out_fields[] = {
	{ "durableStreamId", F_ID, OUT(durable), 0, 0, 0, NULL, NULL, 0,
	    "The durable stream." },
	{ "status", F_ENUM, OUT(state), 0, 0, 0, durable_states, NULL, 0,
	    "Can more come?" },
	{ "fromOffset", F_INT, OUT(after), 0, 0, 0, NULL, NULL, 0,
	    "As asked." },
	{ "nextOffset", F_INT, OUT(next), 0, 0, 0, NULL, NULL, 0,
	    "What offset is to be for the next page." },
	{ "upToDate", F_BOOL, OUT(up_to_date), 0, 0, 0, NULL, NULL, 0,
	    "There is nothing behind it now." },
	{ "chunks", F_ROWS, OUT(chunks), 0, 0, 0, NULL, durable_chunk_fields,
	    sizeof(struct durable_chunk), "In order." },
	{ .type = F_END },
};
#undef OUT

/* Of the request's pool; known by the stream while it is live. */
struct durable_wait {
	struct hash_entry by_id;
	LIST_ENTRY(durable_wait) entry;
	struct request *request;
	struct id durable;
	struct id mesh;
	struct id member;
	bool every;
	int64_t until_ms; /* clock_mono(); 0: it does not wait */
	bool asking;
	bool again;
	/* The page, while the storage is asked for it. */
	struct durable_page out;
	struct durable_piece *pieces;
	int64_t last;
};

static void
wait_end(struct durable_wait *w)
{
	if (w->until_ms == 0)
		return;
	hash_remove(&w->request->core->durable_waits, &w->by_id);
	LIST_REMOVE(w, entry);
	w->until_ms = 0;
}

static int64_t
read_limit(const struct read_in *in)
{
	return in->limit > 0 ? in->limit : READ_PAGE;
}

static void read_answer(void *arg, const struct db_result *res);

static void
read_ask(struct durable_wait *w)
{
	const struct read_in *in = w->request->in;
	struct db_params *p = db_params(STMT_durable_read);

	w->asking = true;
	w->again = false;
	db_put_id(p, &w->durable);
	db_put_id(p, &w->mesh);
	db_put_id(p, &w->member);
	db_put_bool(p, w->every);
	db_put_int(p, in->after);
	db_put_int(p, read_limit(in));
	db_put_int(p, READ_BYTES);
	durable_put_storage(p, w->request);
	db_query(w->request->core->reads, p, read_answer, w);
}

/* The page ends before what cannot be read, if that is not its first. */
static void
read_end(struct durable_wait *w, size_t n)
{
	const struct durable_chunk *v = w->out.chunks.v;

	w->out.chunks.n = n;
	w->out.next = n > 0 ? v[n - 1].n : w->out.after;
	w->out.up_to_date = w->out.next >= w->last;
	op_reply(w->request, &w->out);
}

static void
read_fetched(void *arg, size_t good, enum err e, const char *text)
{
	struct durable_wait *w = arg;
	struct durable_chunk *v = w->out.chunks.v;
	size_t i;

	if (good == 0) {
		op_fail(w->request, e, "%s", text);
		return;
	}
	for (i = 0; i < good; i++)
		v[i].text = w->pieces[i].text;
	read_end(w, good);
}

static void
read_piece(struct durable_piece *piece, const struct db_result *res, size_t i)
{
	struct slice sha = db_bytes(res, i, 8);

	db_id(res, i, 5, &piece->object);
	piece->place = db_int(res, i, 6);
	piece->bytes = db_int(res, i, 7);
	if (sha.n == sizeof(piece->sha256))
		memcpy(piece->sha256, sha.p, sha.n);
}

static void
read_reply(struct durable_wait *w, const struct db_result *res, size_t n)
{
	struct request *r = w->request;
	const struct read_in *in = r->in;
	struct durable_chunk *v = pool_zalloc(&r->pool, (n + 1) * sizeof(*v));
	bool files = n > 0 && db_null(res, 0, 4);
	size_t i, objects = 0;

	w->out = (struct durable_page){ .durable = w->durable,
		.state = (int)db_int(res, 0, 0),
		.after = in->after,
		.chunks = { v, n } };
	w->last = db_int(res, 0, 1);
	if (files)
		w->pieces = pool_zalloc(&r->pool, n * sizeof(*w->pieces));
	for (i = 0; i < n; i++) {
		v[i].n = db_int(res, i, 2);
		v[i].created_ms = db_time(res, i, 3);
		if (!files) {
			v[i].text = db_text(res, i, 4);
			continue;
		}
		read_piece(&w->pieces[i], res, i);
		if (i > 0 &&
		    id_same(&w->pieces[i].object, &w->pieces[i - 1].object))
			continue;
		if (++objects > READ_OBJECTS)
			break;
	}
	if (files)
		durable_fetch(r, &w->mesh, w->pieces, i, read_fetched, w);
	else
		read_end(w, n);
}

static void
read_answer(void *arg, const struct db_result *res)
{
	struct durable_wait *w = arg;
	struct request *r = w->request;
	const struct read_in *in = r->in;
	enum err e;
	size_t n;

	w->asking = false;
	if (db_status(res) == DB_OK && db_rows(res) > 0) {
		n = db_rows(res) - db_null(res, 0, 2);
		if (n == 0 && db_int(res, 0, 0) == DURABLE_OPEN &&
		    r->client != NULL && w->until_ms > clock_mono()) {
			if (w->again)
				read_ask(w);
			return;
		}
		wait_end(w);
		e = in->live ? follow_wait_may(r) : ERR_NONE;
		if (e != ERR_NONE)
			op_fail(r, e, "The token is not good any more.");
		else
			read_reply(w, res, n);
		return;
	}
	wait_end(w);
	if (!op_db_failed(r, res))
		durable_unknown(r);
}

static void
read_durable_stream_exec(struct request *r, void *arg)
{
	const struct session *s = r->client->session;
	const struct read_in *in = arg;
	struct core *c = r->core;
	struct durable_wait *w;

	if (!durable_is_on(r))
		return;
	w = pool_zalloc(&r->pool, sizeof(*w));
	w->request = r;
	w->durable = in->durable;
	w->mesh = s->mesh->id;
	w->member = s->info.member;
	w->every = (r->client->scopes & SCOPE_BIT(SCOPE_STREAM_READ)) != 0;
	if (in->live) {
		w->until_ms =
		    clock_mono() +
		    (in->timeout_ms > 0 ? in->timeout_ms : READ_TIMEOUT_MS);
		hash_insert(&c->durable_waits, &w->by_id, w->durable.b, ID_LEN);
		LIST_INSERT_HEAD(&c->durable_waiting, w, entry);
		token_watch(r->client);
	}
	read_ask(w);
}

void
durable_news(struct core *c, const struct id *durable)
{
	struct hash_entry *e, *next;

	for (e = hash_find(&c->durable_waits, durable->b, ID_LEN); e != NULL;
	     e = next) {
		struct durable_wait *w =
		    CONTAINER(e, struct durable_wait, by_id);

		next = hash_find_next(e);
		if (w->asking)
			w->again = true;
		else
			read_ask(w);
	}
}

/* Its time is over, or its client has gone: a last look. */
void
durable_tick(struct core *c)
{
	struct durable_wait *w, *next;

	LIST_FOREACH_SAFE (w, &c->durable_waiting, entry, next)
		if (!w->asking &&
		    (w->until_ms <= clock_mono() || w->request->client == NULL))
			read_ask(w);
}

void
durable_close(struct core *c)
{
	struct durable_wait *w;
	struct request *r;

	while ((w = LIST_FIRST(&c->durable_waiting)) != NULL) {
		r = w->request;
		wait_end(w);
		op_fail(r, ERR_UNAVAILABLE, NULL);
	}
	hash_free(&c->durable_waits);
}

const struct op op_append_durable_chunks = {
	.name = "append_durable_chunks",
	.scope = SCOPE_CHANNELS_WRITE,
	.rest = { "POST /v1/durable-streams/{durableStreamId}/chunks",
	    "POST /v1/durable-streams-storage/{durableStreamId}/chunks" },
	.reply = "durable_chunks_appended",
	.flags = OP_OWN,
	.in = append_fields,
	.in_size = sizeof(struct append_in),
	.out = append_out_fields,
	.exec = append_durable_chunks_exec,
	.text = "Put chunks at the end of a durable stream, all or none.",
};

const struct op op_read_durable_stream = {
	.name = "read_durable_stream",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "GET /v1/durable-streams/{durableStreamId}/read",
	    "GET /v1/durable-streams-storage/{durableStreamId}/read" },
	.reply = "durable_chunks",
	.in = read_fields,
	.in_size = sizeof(struct read_in),
	.out = read_out_fields,
	.exec = read_durable_stream_exec,
	.text = "Chunks of a durable stream behind one.",
};
