/* SPDX-License-Identifier: ISC */
/*
 * The inside of a record on the bus.
 *
 * A record is its fields in the order in which the two functions of its type
 * name them: one packs, the other (event_receive_<noun>) takes; numbers as the
 * machine has them (the bus does not leave it), bytes with a length before.
 * The first field is the mesh; in records for those who hold certain sessions
 * the second is the host on which these are (see event_host()).  Whoever takes
 * trusts nothing: a field that does not fit makes the whole record void.
 *
 * Hosts of two versions may run at once: bump EVENT_FORMAT with every change
 * of a record and of events.def.  What comes in another format is not read;
 * that something came makes the host read its database.
 */
#ifndef CORE_EVENT_RECORD_H
#define CORE_EVENT_RECORD_H

#include "core/domain.h"

#define EVENT_FORMAT 4

/* A buffer that fails at the greatest size of a record. */
void event_buf(struct core *c, struct buf *b);
void event_pack_num(struct buf *b, uint64_t v);
void event_pack_id(struct buf *b, const struct id *id);
/* The beginning of a record for holders. */
void event_pack_place(
    struct buf *b, const struct id *mesh, const struct id *host);
/* {NULL, 0} stays that, and differs from an empty text. */
void event_pack_text(struct buf *b, struct slice s);
/* Those of a mesh's processes that are not this one. */
uint64_t event_mesh_procs(const struct core *c, const struct id *mesh);
/* False when the record is too large for the ring: nobody was told. */
bool event_publish(
    struct core *c, enum event_type type, uint64_t to, const struct buf *b);

/* A record that is being taken apart. */
struct event_in {
	const char *p;
	size_t left;
	bool bad;
};
void event_take_bytes(struct event_in *in, void *out, size_t n);
uint64_t event_take_num(struct event_in *in);
/* A place on another host than this makes the record void. */
void event_take_place(struct core *c, struct event_in *in, struct id *mesh);
void event_take_skip(struct event_in *in, size_t n);
/* The text stays in the record. */
struct slice event_take_text(struct event_in *in);

/* The part of an ENTRY record that says where there is something to read. */
#define EVENT_ENTRY_HEAD (2 * ID_LEN + sizeof(uint64_t))

/* See event_refer(). */
void event_refer_deliver(
    const char *p, size_t n, size_t max, event_part_fn *fn, void *arg);

typedef void event_receive_fn(
    struct core *c, struct event_in *in, unsigned from);
#define EVENT(id, noun, to, text) event_receive_fn event_receive_##noun;
#include "core/events.def"
#undef EVENT

#endif
