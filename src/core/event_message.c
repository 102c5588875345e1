/* SPDX-License-Identifier: ISC */
/*
 * Records about messages: those that sessions shall have now, and that
 * something waits in the database.
 */
#include "core/event_record.h"

static void
pack_message(struct buf *b, const struct message *m)
{
	event_pack_id(b, &m->mesh);
	event_pack_id(b, &m->id);
	event_pack_id(b, &m->sender_member);
	buf_add(b, m->sender_key, sizeof(m->sender_key));
	buf_add(b, m->sender_member_key, sizeof(m->sender_member_key));
	event_pack_num(b, m->priority);
	event_pack_num(b, (uint64_t)m->created_ms);
	event_pack_text(b, m->sender_name);
	event_pack_text(b, m->target);
	event_pack_text(b, m->nonce);
	event_pack_text(b, m->ciphertext);
}

static void
take_message(struct event_in *c, struct message *m)
{
	event_take_bytes(c, m->mesh.b, ID_LEN);
	event_take_bytes(c, m->id.b, ID_LEN);
	event_take_bytes(c, m->sender_member.b, ID_LEN);
	event_take_bytes(c, m->sender_key, sizeof(m->sender_key));
	event_take_bytes(c, m->sender_member_key, sizeof(m->sender_member_key));
	m->priority = (enum priority)event_take_num(c);
	m->created_ms = (int64_t)event_take_num(c);
	m->sender_name = event_take_text(c);
	m->target = event_take_text(c);
	m->nonce = event_take_text(c);
	m->ciphertext = event_take_text(c);
	if (m->priority > PRIORITY_NOW)
		c->bad = true;
}

/*
 * Refs follow the message until the record is full; the next record takes the
 * rest.
 */
bool
event_deliver(struct core *c, const struct message *m,
    const struct delivery_to *to, size_t n, uint64_t procs, bool stored)
{
	const size_t each = sizeof(uint64_t) + sizeof(uint32_t) + 1;
	struct buf b;
	size_t head, i, room;

	event_buf(c, &b);
	pack_message(&b, m);
	event_pack_num(&b, stored ? STORED : STORED_SOON);
	head = b.len;
	if (b.failed || b.len > b.max / 2) {
		buf_free(&b);
		return false;
	}
	room = (b.max - head - sizeof(uint64_t)) / each;
	while (n > 0) {
		size_t now = n < room ? n : room;

		b.len = head;
		event_pack_num(&b, now);
		for (i = 0; i < now; i++) {
			event_pack_num(&b, to[i].ref);
			buf_add(&b, &to[i].check, sizeof(to[i].check));
			buf_addc(&b, (char)to[i].member);
		}
		if (!event_publish(c, EVENT_DELIVER, procs, &b))
			log_error("a delivery does not fit the bus");
		to += now;
		n -= now;
	}
	buf_free(&b);
	return true;
}

void
event_nudge(struct core *c, const struct id *mesh, const struct id *recipient)
{
	struct buf b;

	event_buf(c, &b);
	event_pack_id(&b, mesh);
	event_pack_id(&b, recipient);
	(void)event_publish(c, EVENT_NUDGE, event_mesh_procs(c, mesh), &b);
	buf_free(&b);
}

void
event_receive_deliver(struct core *c, struct event_in *in, unsigned from)
{
	struct message m;
	struct event e;
	struct session *s;
	uint64_t n, ref, stored;
	uint32_t check;
	char member;

	(void)from;
	take_message(in, &m);
	stored = event_take_num(in);
	n = event_take_num(in);
	if (stored > STORED_SOON)
		in->bad = true;
	if (in->bad)
		return;
	event_init(&e, EVENT_DELIVER, &m);
	while (n-- > 0 && !in->bad) {
		ref = event_take_num(in);
		event_take_bytes(in, &check, sizeof(check));
		event_take_bytes(in, &member, 1);
		if (in->bad || SESSION_REF_PROC(ref) != c->proc)
			continue;
		/* A session that is gone: what it held is freed when it ends,
		 * or comes due. */
		if ((s = session_by_ref(c, ref)) == NULL ||
		    !id_same(&s->mesh->id, &m.mesh) ||
		    check != session_check(&s->info.id))
			continue;
		delivery_offer(s, member ? &s->info.member : &s->info.id, &m,
		    &e, (enum stored)stored);
	}
	event_fini(&e);
}

void
event_receive_nudge(struct core *c, struct event_in *in, unsigned from)
{
	struct id mesh, recipient;
	struct mesh *m;

	(void)from;
	event_take_bytes(in, mesh.b, ID_LEN);
	event_take_bytes(in, recipient.b, ID_LEN);
	if (!in->bad && (m = mesh_find(c, &mesh)) != NULL)
		delivery_nudge(m, &recipient);
}
