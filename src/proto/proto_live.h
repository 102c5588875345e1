/* SPDX-License-Identifier: ISC */
/*
 * Connections of applications that stay: what they have in common.  Each
 * begins as a GET that says who asks; then it becomes a WebSocket, or an answer
 * without an end.
 */
#ifndef PROTO_PROTO_LIVE_H
#define PROTO_PROTO_LIVE_H

#include "proto/proto.h"

/* Index into event.wire. */
#define LIVE_WIRE_EVENTS 1 /* proto_ws.c */
#define LIVE_WIRE_ROOM 2   /* proto_room.c */
#define LIVE_WIRE_SSE 3	   /* proto_sse.c */

struct live;
struct live_kind {
	const struct client_calls *calls;
	/* It is known who asks; the request is to be answered.  What it asks
	 * for is in l->in, for the operation l->op. */
	void (*entered)(struct live *l, struct request *r);
	/* A WebSocket's message. */
	void (*message)(struct live *l, const char *s, size_t n);
	/* The server ends. */
	void (*stop)(struct live *l);
};

/* What a request keeps until its answer is sent; of its pool, and first in
 * what a protocol keeps. */
struct live_wire {
	struct frame *answer;
	struct slice body; /* of HTTP */
};

struct live {
	LIST_ENTRY(live) entry;
	struct peer *peer;
	const struct live_kind *kind;
	struct pool pool;
	struct http_request head; /* its headers, for the upgrade */
	const char *cors;	  /* lines, or "" */
	const char *op;		  /* of proto_room.c and proto_sse.c */
	struct follow_in in;
	bool open;	  /* upgraded, or the answer has begun */
	bool ended;	  /* the answer has an end */
	uint64_t end;	  /* where in the output */
	int64_t spoke_ms; /* when something was last sent */
};

#define LIVE_OF(c) CONTAINER(c, struct peer, client)->live

/*
 * proto_live.c
 */
/* Finds out who asks, then kind->entered(); or refuses. */
struct live *live_new(struct proto *p, struct conn *c,
    const struct http_request *h, const struct live_kind *kind);
void live_enter(struct live *l, const struct http_request *h);
/* The same for a request that is wrong: fmt says why. */
void live_refuse(struct live *l, enum err e, const char *text);
/* Does l->op with l->in. */
void live_run(struct live *l, struct request *r);
/* client_calls of a connection that is not open: the answer to a request that
 * failed, after which it is over. */
void live_encode_error(struct request *r);
/* Sends that, or a frame; becomes a WebSocket before its first. */
void live_answer(struct request *r);
void live_discard(struct request *r);
/* Becomes a WebSocket; false: it does not, and is over. */
bool live_upgrade(struct live *l);
struct slice live_keep(struct live *l, struct slice s);
/* Which channel part of a path means: its bytes; false: they are no text. */
bool live_channel(struct live *l, struct slice part) MUST_CHECK;
/* Digits, perhaps with a sign, of a number that is not less than min. */
bool live_digits(struct slice s, int64_t min, int64_t *out) MUST_CHECK;
/* The same of a key of the query, or none; false: it is no such number. */
bool live_number(const struct http_request *h, const char *key, int64_t none,
    int64_t min, int64_t *out) MUST_CHECK;
/* Is this the type of a message? */
bool live_says(const struct json *j, const char *type);
/* Its answer ends; it is over when that was sent. */
void live_end(struct live *l);

/* What a WebSocket says: begun, written by the caller, sent. */
struct json_writer live_begin(struct live *l, const char *type);
void live_send(struct live *l, struct json_writer *w);
struct frame *live_frame(struct live *l, struct json_writer *w);
/* An error as message-layer has it: error, and its code. */
void live_write_error(
    struct json_writer *w, enum err e, const char *text, bool with_code);
/* Shared by the calls of all. */
void live_pause(struct client *c, bool on);
void live_want_written(struct client *c, bool on);
void live_close_ws(struct client *c, enum err why, const char *text);
void live_frame_free(void *frame);

/*
 * proto_ws.c, proto_room.c, proto_sse.c
 */
extern const struct live_kind ws_live;
extern const struct live_kind room_live;
extern const struct live_kind sse_live;
/* Is it a request for a stream of events?  Then it is dealt with. */
bool sse_request(struct proto *p, struct conn *c, const struct http_request *h);
/* after=SEQ of the query: it goes on behind that. */
void room_request(struct proto *p, struct conn *c, const struct http_request *h,
    struct slice channel);

#endif
