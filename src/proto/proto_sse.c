/* SPDX-License-Identifier: ISC */
/*
 * Streams of events over HTTP (text/event-stream, as EventSource reads it):
 * what happens in a channel, or in the mesh; linnet-rest(7), STREAMS.
 *
 * The id of an event is its own, by which whoever comes again
 * goes on (Last-Event-ID).
 */
#include <stdlib.h>
#include <string.h>

#include "proto/proto_live.h"

#define SSE_RETRY "retry: 2000\n\n"
#define SSE_TYPE "text/event-stream"

static void
sse_encode(struct request *r, const void *out)
{
	(void)out;
	if (r->error != ERR_NONE)
		live_encode_error(r);
}

static void
sse_answer(struct request *r)
{
	struct live *l = LIVE_OF(r->client);
	struct conn *c = l->peer->conn;

	if (r->error != ERR_NONE) {
		live_answer(r);
		return;
	}
	conn_chunked(c, 200, SSE_TYPE,
	    pool_printf(&l->pool,
		"%sCache-Control: no-cache\r\nX-Accel-Buffering: no\r\n",
		l->cors));
	conn_chunk(c, SSE_RETRY, sizeof(SSE_RETRY) - 1);
	l->open = true;
	l->spoke_ms = clock_mono();
}

static void
sse_say(struct live *l, const struct buf *b)
{
	if (b->failed)
		fatalx("an event larger than any answer");
	conn_chunk(l->peer->conn, b->data, b->len);
	l->spoke_ms = clock_mono();
}

/* In JSON a line ends only between values, where a space does as well. */
static void
sse_one_line(struct buf *b, size_t from)
{
	size_t i;

	for (i = from; i < b->len; i++)
		if (b->data[i] == '\n' || b->data[i] == '\r')
			b->data[i] = ' ';
}

static struct buf *
sse_event(struct proto *p, const struct entry *e)
{
	struct buf *b = &p->out;
	char id[ID_HEX_LEN + 1];
	struct json_writer w;
	size_t from;

	buf_clear(b);
	buf_addf(b, "id: %s\ndata: ", id_hex(&e->id, id));
	from = b->len;
	json_start(&w, b);
	json_object(&w);
	encode_fields(&w, entry_fields, e, FIELD_MESH);
	if (e->post != NULL) {
		json_key(&w, "message");
		json_object(&w);
		encode_fields(&w, post_fields, e->post, FIELD_MESH);
		json_object_end(&w);
	}
	json_object_end(&w);
	sse_one_line(b, from);
	buf_adds(b, "\n\n");
	return b;
}

static void
sse_wire_free(void *data)
{
	buf_free(data);
	free(data);
}

static uint64_t
sse_push(struct client *c, struct event *e)
{
	struct event_wire *wire = &e->wire[LIVE_WIRE_SSE];
	struct live *l = LIVE_OF(c);
	struct buf *b;

	if (wire->data == NULL) {
		const struct buf *text = sse_event(l->peer->proto, e->entry);

		b = xcalloc(1, sizeof(*b));
		buf_init(b, SIZE_MAX / 2);
		buf_add(b, text->data, text->len);
		b->failed |= text->failed;
		wire->data = b;
		wire->free = sse_wire_free;
	}
	sse_say(l, wire->data);
	return conn_queued(l->peer->conn);
}

/* The last that is said; whoever comes again hears why. */
static void
sse_end(struct live *l, enum err why, const char *text)
{
	struct buf *b = &l->peer->proto->out;
	struct json_writer w;

	if (l->ended)
		return;
	buf_clear(b);
	buf_adds(b, "event: end\ndata: ");
	json_start(&w, b);
	json_object(&w);
	live_write_error(&w, why, text, true);
	json_object_end(&w);
	buf_adds(b, "\n\n");
	sse_say(l, b);
	conn_chunked_end(l->peer->conn);
	live_end(l);
}

static void
sse_followed(
    struct client *c, const struct id *id, enum follow_state state, int64_t at)
{
	struct live *l = LIVE_OF(c);
	struct buf *b = &l->peer->proto->out;
	struct json_writer w;

	(void)id;
	(void)at;
	if (state == FOLLOW_LOST)
		sse_end(l, ERR_FORBIDDEN,
		    "The stream is no more, or not for you any more.");
	if (state != FOLLOW_GAP)
		return;
	/* Without an id: who comes again before an event hears it again. */
	buf_clear(b);
	buf_adds(b, "event: gap\ndata: ");
	json_start(&w, b);
	json_object(&w);
	json_key(&w, "after");
	json_strn(&w, l->in.place.p, l->in.place.n);
	json_object_end(&w);
	buf_adds(b, "\n\n");
	sse_say(l, b);
}

static void
sse_close(struct client *c, enum err why, const char *text)
{
	struct live *l = LIVE_OF(c);

	if (l->open)
		sse_end(l, why, text);
	else
		conn_close(l->peer->conn, NET_END_REFUSED, 0, "");
}

static void
sse_stop(struct live *l)
{
	conn_chunked_end(l->peer->conn);
	live_end(l);
}

static const struct client_calls sse_calls = {
	.encode = sse_encode,
	.answer = sse_answer,
	.discard = live_discard,
	.push = sse_push,
	.followed = sse_followed,
	.want_written = live_want_written,
	.pause = live_pause,
	.close = sse_close,
	.address = proto_address,
};

const struct live_kind sse_live = {
	.calls = &sse_calls,
	.entered = live_run,
	.stop = sse_stop,
};

/* Does the client take this type, by name? */
static bool
sse_takes(const struct http_request *h, const char *type)
{
	struct slice v = http_header(h, "accept");
	const size_t n = strlen(type);
	size_t i;

	for (i = 0; v.n >= n && i <= v.n - n; i++)
		if (memcmp(v.p + i, type, n) == 0)
			return true;
	return false;
}

/* Where it begins; false: what it says is none.  Whether a place is one is for
 * core to say. */
static bool
sse_place(struct live *l, const struct http_request *h)
{
	struct slice last = http_header(h, "last-event-id");
	struct follow_in *in = &l->in;
	char at[ENTRY_PLACE_MAX + 1];
	ptrdiff_t n;

	in->after = FOLLOW_NEW;
	if (last.n > 0) {
		in->place = live_keep(l, last);
		return true;
	}
	n = http_query(h, "after", at, sizeof(at));
	if (n > 0)
		in->place = live_keep(l, (struct slice){ at, (size_t)n });
	if (n > 0 || http_query_count(h, "after") > 0)
		return n > 0;
	if (in->channel.n == 0)
		return true;
	if (!live_number(h, "fromSeq", FOLLOW_NEW - 2, -1, &in->after))
		return false;
	in->after = in->after == FOLLOW_NEW	  ? FOLLOW_ALL
		    : in->after == FOLLOW_NEW - 2 ? FOLLOW_NEW
						  : in->after;
	return true;
}

/* "/v1/streams/{streamId}/events", or another last part. */
static bool
sse_stream(struct slice path, const char *last, struct slice *stream)
{
	static const char first[] = "/v1/streams/";
	const size_t a = sizeof(first) - 1, z = strlen(last);

	if (path.n <= a + z || memcmp(path.p, first, a) != 0 ||
	    memcmp(path.p + path.n - z, last, z) != 0)
		return false;
	*stream = (struct slice){ path.p + a, path.n - a - z };
	return memchr(stream->p, '/', stream->n) == NULL;
}

bool
sse_request(struct proto *p, struct conn *c, const struct http_request *h)
{
	static const char mesh[] = "/v1/events";
	struct slice stream = { NULL, 0 };
	bool wants = sse_takes(h, SSE_TYPE);
	struct live *l;

	if (sse_stream(h->path, "/events", &stream))
		wants |= !sse_takes(h, "application/json");
	else if (!sse_stream(h->path, "/subscribe", &stream) &&
		 (h->path.n != sizeof(mesh) - 1 ||
		     memcmp(h->path.p, mesh, h->path.n) != 0))
		return false;
	if (!wants)
		return false;
	l = live_new(p, c, h, &sse_live);
	l->op = stream.n > 0 ? "follow_channel" : "follow_mesh";
	l->in.flags = FOLLOW_LINES;
	if (!live_channel(l, stream))
		live_refuse(l, ERR_MALFORMED,
		    "The channel's name must be text in UTF-8.");
	else if (sse_place(l, h))
		live_enter(l, h);
	else
		live_refuse(l, ERR_MALFORMED,
		    "Last-Event-ID and after are the id of the last event that "
		    "was seen, or 0; fromSeq is the seq of a message.");
	return true;
}
