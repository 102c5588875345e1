/* SPDX-License-Identifier: ISC */
/*
 * Events: records on the bus, and what is pushed to clients.  How a record is
 * put together and taken apart; who does that for which record stands in
 * events.def.
 */
#include <string.h>

#include "core/event_record.h"

#define EVENT_RECORD_START 256

void
event_pack_num(struct buf *b, uint64_t v)
{
	buf_add(b, &v, sizeof(v));
}

void
event_pack_id(struct buf *b, const struct id *id)
{
	buf_add(b, id->b, ID_LEN);
}

void
event_pack_place(struct buf *b, const struct id *mesh, const struct id *host)
{
	event_pack_id(b, mesh);
	event_pack_id(b, host);
}

/* A length of all ones is "none", which differs from empty. */
void
event_pack_text(struct buf *b, struct slice s)
{
	uint32_t n = s.p == NULL ? UINT32_MAX : (uint32_t)s.n;

	buf_add(b, &n, sizeof(n));
	if (s.p != NULL)
		buf_add(b, s.p, s.n);
}

void
event_take_bytes(struct event_in *c, void *out, size_t n)
{
	if (c->bad || c->left < n) {
		c->bad = true;
		memset(out, 0, n);
		return;
	}
	memcpy(out, c->p, n);
	c->p += n;
	c->left -= n;
}

void
event_take_skip(struct event_in *in, size_t n)
{
	if (in->left < n) {
		in->bad = true;
		return;
	}
	in->p += n;
	in->left -= n;
}

void
event_take_place(struct core *c, struct event_in *in, struct id *mesh)
{
	struct id host;

	event_take_bytes(in, mesh->b, ID_LEN);
	event_take_bytes(in, host.b, ID_LEN);
	if (!id_same(&host, &c->host))
		in->bad = true;
}

uint64_t
event_take_num(struct event_in *c)
{
	uint64_t v;

	event_take_bytes(c, &v, sizeof(v));
	return v;
}

struct slice
event_take_text(struct event_in *c)
{
	struct slice s = { NULL, 0 };
	uint32_t n;

	event_take_bytes(c, &n, sizeof(n));
	if (c->bad || n == UINT32_MAX)
		return s;
	if (n > c->left) {
		c->bad = true;
		return s;
	}
	s = (struct slice){ c->p, n };
	c->p += n;
	c->left -= n;
	return s;
}

void
event_init(struct event *e, enum event_type type, const void *what)
{
	memset(e, 0, sizeof(*e));
	e->type = type;
	if (type == EVENT_DELIVER)
		e->message = what;
	else if (type == EVENT_STATE)
		e->state = what;
	else if (type == EVENT_ENTRY)
		e->entry = what;
	else if (type == EVENT_NOTICE)
		e->notice = what;
	else
		e->peer = what;
}

void
event_fini(struct event *e)
{
	size_t i;

	for (i = 0; i < EVENT_WIRES; i++)
		if (e->wire[i].data != NULL)
			e->wire[i].free(e->wire[i].data);
}

/* Those of a mesh's processes that are not this one. */
uint64_t
event_mesh_procs(const struct core *c, const struct id *mesh)
{
	return bus_interest(c->bus, mesh) & ~BUS_BIT(c->proc);
}

/* False when the record is too large for the ring. */
bool
event_publish(
    struct core *c, enum event_type type, uint64_t to, const struct buf *b)
{
	struct slice part = { b->data, b->len };

	if (b->failed)
		return false;
	return to == 0 || bus_publish(c->bus, type, to, &part, 1) == 0;
}

void
event_buf(struct core *c, struct buf *b)
{
	buf_init(b, bus_record_max(c->bus));
	(void)buf_reserve(b, EVENT_RECORD_START);
}

void
event_reload(struct core *c, const struct id *mesh)
{
	static const struct id every;
	uint64_t to = mesh != NULL ? event_mesh_procs(c, mesh)
				   : BUS_ALL & ~BUS_BIT(c->proc);
	struct buf b;

	event_buf(c, &b);
	event_pack_id(&b, mesh != NULL ? mesh : &every);
	(void)event_publish(c, EVENT_RELOAD, to, &b);
	buf_free(&b);
}

void
event_serves(struct core *c, const struct id *mesh)
{
	struct buf b;

	event_buf(c, &b);
	event_pack_id(&b, mesh);
	(void)event_publish(c, EVENT_SERVES, BUS_BIT(c->relay), &b);
	buf_free(&b);
}

/* The relay's own; it takes its records apart itself. */
void
event_receive_serves(struct core *c, struct event_in *in, unsigned from)
{
	(void)c;
	(void)in;
	(void)from;
}

void
event_receive_reload(struct core *c, struct event_in *in, unsigned from)
{
	struct hash_entry *e, *next;
	struct mesh *m;
	struct id mesh;
	size_t i;

	(void)from;
	event_take_bytes(in, mesh.b, ID_LEN);
	if (in->bad)
		return;
	HASH_FOREACH (e, next, i, &c->meshes) {
		m = CONTAINER(e, struct mesh, by_id);
		if (id_is_null(&mesh) || id_same(&mesh, &m->id))
			mesh_reload(m);
	}
}

static event_receive_fn *const receivers[EVENT_MAX] = {
#define EVENT(id, noun, to, text) [EVENT_##id] = event_receive_##noun,
#include "core/events.def"
#undef EVENT
};

void
event_receive(
    struct core *c, unsigned from, uint16_t type, const char *p, size_t n)
{
	struct event_in in = { p, n, false };

	if (type == EVENT_UNSET || type >= EVENT_MAX) {
		log_warn("bus: a record of unknown type %u from process %u",
		    type, from);
		return;
	}
	receivers[type](c, &in, from);
	if (in.bad)
		log_warn("bus: a malformed %s record from process %u",
		    table_events[type], from);
}
