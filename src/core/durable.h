/* SPDX-License-Identifier: ISC */
/*
 * Durable streams: text that comes in chunks, numbered from 1, and can be read
 * from any of them on while more come.  One may be for a channel or thread,
 * whose members see it, and end there as one message.  Each has a time after
 * which it is not there any more.
 *
 * The chunks are rows with text, or rows that say where in the storage of files
 * their text is: there the chunks of one append are one object.
 */
#ifndef CORE_DURABLE_H
#define CORE_DURABLE_H

#include "core/domain.h"

extern const char *const durable_states[];

enum durable_storage {
	DURABLE_ROWS,
	DURABLE_FILES
};

struct durable {
	struct id id;
	struct id member;
	struct id channel; /* or zero */
	struct slice content_type;
	struct slice metadata; /* JSON */
	int storage;
	int state;
	int64_t chunks;
	int64_t bytes;
	struct slice why;
	struct id post; /* or zero */
	int64_t post_seq;
	int64_t created_ms;
	int64_t updated_ms;
	int64_t closed_ms;
	int64_t expires_ms;
};
extern const struct field durable_fields[];

/*
 * durable.c
 */
/* Fails the request where there are none on this server. */
bool durable_is_on(struct request *r) MUST_CHECK;
void durable_unknown(struct request *r);
void durable_forbidden(struct request *r);
/* Who asks: the mesh, the member, and whether it reads those of others. */
void durable_who(struct db_params *p, const struct request *r);
bool durable_writes_all(const struct request *r);
/* Did it come by the route of those in the storage? */
bool durable_wants_files(const struct request *r);
/* Which of both kinds it is about: by HTTP its route says, else any. */
void durable_put_storage(struct db_params *p, const struct request *r);
/* Finds one that the member may see and calls fn, with it in the request's
 * pool; or fails the request. */
typedef void durable_fn(struct request *r, struct durable *d);
void durable_find(struct request *r, const struct id *id, durable_fn *fn);

/*
 * durable_end.c
 */
/* Something became of it: who waits for that reads it, here and elsewhere. */
void durable_tell(
    struct core *c, const struct id *mesh, const struct id *durable);
/* A line about it was written to the journal of its channel, at n. */
void durable_entry(
    struct core *c, const struct id *mesh, const struct id *channel, int64_t n);

/*
 * durable_store.c: chunks that go to the storage.
 */
#define DURABLE_NO_FILES                                                       \
	"This server stores no files (files.store); POST /v1/durable-streams " \
	"begins one that needs none."
/* They are stored, then they are chunks, or neither.  Calls fn with what
 * STMT_durable_object_append answers, or with less; or fails the request. */
void durable_store(struct request *r, const struct id *durable,
    const struct slice *texts, size_t n, db_fn *fn, void *arg);

/*
 * durable_fetch.c: and back.
 */
struct durable_piece {
	struct id object;
	int64_t place;
	int64_t bytes;
	uint8_t sha256[CRYPTO_DIGEST_LEN];
	struct slice text; /* of the pool: filled in */
};
/* So many at the beginning are there; of the first other one e and text say
 * why it is not. */
typedef void durable_fetched_fn(
    void *arg, size_t good, enum err e, const char *text);
/* Pieces of the request's pool, those of an object together.  Calls fn once, at
 * once or later.  Their texts are one behind the other. */
void durable_fetch(struct request *r, const struct id *mesh,
    struct durable_piece *v, size_t n, durable_fetched_fn *fn, void *arg);

/*
 * durable_read.c: reading, and waiting for what comes.
 */
void durable_news(struct core *c, const struct id *durable);
/* Once a second. */
void durable_tick(struct core *c);
/* Fails those who wait: the process ends itself. */
void durable_close(struct core *c);

#endif
