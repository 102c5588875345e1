/* SPDX-License-Identifier: ISC */
/*
 * Records about channels: that there is an entry in the journal, and, if there
 * is room, what it is.
 */
#include <string.h>

#include "core/channel.h"
#include "core/durable.h"
#include "core/event_record.h"

/* In place of a mesh: who wants this, wants the entries of all. */
static const struct id every_entry = { .b = { 0xff } };

void
event_want_entries(struct core *c)
{
	bus_interest_add(c->bus, &every_entry);
}

static void
pack_post(struct buf *b, const struct post *p)
{
	event_pack_id(b, &p->id);
	event_pack_id(b, &p->member);
	event_pack_id(b, &p->reply_to);
	event_pack_num(b, (uint64_t)p->created_ms);
	event_pack_text(b, p->by_name);
	event_pack_text(b, p->client_id);
	event_pack_text(b, p->parts);
}

static void
take_post(struct event_in *in, const struct entry *e, struct post *p)
{
	memset(p, 0, sizeof(*p));
	p->mesh = e->mesh;
	p->channel = e->channel;
	p->seq = e->seq;
	event_take_bytes(in, p->id.b, ID_LEN);
	event_take_bytes(in, p->member.b, ID_LEN);
	event_take_bytes(in, p->reply_to.b, ID_LEN);
	p->created_ms = (int64_t)event_take_num(in);
	p->by_name = event_take_text(in);
	p->client_id = event_take_text(in);
	p->parts = event_take_text(in);
}

void
event_entry(struct core *c, const struct entry *e)
{
	uint64_t to =
	    event_mesh_procs(c, &e->mesh) | event_mesh_procs(c, &every_entry);
	struct buf b;

	follow_mesh(c, &e->mesh, e->n);
	event_buf(c, &b);
	event_pack_id(&b, &e->mesh);
	event_pack_id(&b, &e->channel);
	event_pack_num(&b, (uint64_t)e->n);
	if (e->type.p != NULL) {
		event_pack_num(&b, (uint64_t)e->before);
		event_pack_num(&b, (uint64_t)e->seq);
		event_pack_num(&b, (uint64_t)e->at_ms);
		event_pack_text(&b, e->type);
		event_pack_text(&b, e->payload);
		event_pack_id(&b, &e->id);
	}
	if (e->post != NULL)
		pack_post(&b, e->post);
	if (!event_publish(c, EVENT_ENTRY, to, &b)) {
		b.failed = false;
		b.len = EVENT_ENTRY_HEAD;
		(void)event_publish(c, EVENT_ENTRY, to, &b);
	}
	buf_free(&b);
}

void
event_receive_entry(struct core *c, struct event_in *in, unsigned from)
{
	struct entry e;
	struct post p;

	(void)from;
	memset(&e, 0, sizeof(e));
	event_take_bytes(in, e.mesh.b, ID_LEN);
	event_take_bytes(in, e.channel.b, ID_LEN);
	e.n = (int64_t)event_take_num(in);
	if (!in->bad) {
		unit_told(c, &e.mesh);
		follow_mesh(c, &e.mesh, e.n);
	}
	if (!in->bad && in->left == 0) {
		follow_news(c, &e.channel, e.n);
		durable_news(c, &e.channel);
		return;
	}
	e.before = (int64_t)event_take_num(in);
	e.seq = (int64_t)event_take_num(in);
	e.at_ms = (int64_t)event_take_num(in);
	e.type = event_take_text(in);
	e.payload = event_take_text(in);
	event_take_bytes(in, e.id.b, ID_LEN);
	if (!in->bad && in->left > 0) {
		take_post(in, &e, &p);
		e.post = &p;
	}
	if (!in->bad)
		follow_entry(c, &e);
}
