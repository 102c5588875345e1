/* SPDX-License-Identifier: ISC */
/*
 * Records about messages: those that sessions shall have now, and that
 * something waits in the database.
 */
#include "core/event_record.h"

static void
pack_message(struct buf *b, const struct message *m)
{
	struct slice v[MESSAGE_MORE];
	size_t i, n = message_more_texts(m->more, v);

	event_pack_id(b, &m->id);
	event_pack_id(b, &m->sender_member);
	buf_add(b, m->sender_key, sizeof(m->sender_key));
	buf_add(b, m->sender_member_key, sizeof(m->sender_member_key));
	event_pack_num(b, m->priority);
	event_pack_num(b, (uint64_t)m->created_ms);
	event_pack_num(b, (uint64_t)m->expires_ms);
	event_pack_text(b, m->sender_name);
	event_pack_text(b, m->target);
	event_pack_text(b, m->nonce);
	event_pack_text(b, m->ciphertext);
	event_pack_num(b, n);
	for (i = 0; i < n; i++)
		event_pack_text(b, v[i]);
}

static void
take_message(struct event_in *c, struct message *m, struct message_more *more)
{
	struct slice v[MESSAGE_MORE];
	uint64_t i, n;

	event_take_bytes(c, m->id.b, ID_LEN);
	event_take_bytes(c, m->sender_member.b, ID_LEN);
	event_take_bytes(c, m->sender_key, sizeof(m->sender_key));
	event_take_bytes(c, m->sender_member_key, sizeof(m->sender_member_key));
	m->priority = (enum priority)event_take_num(c);
	m->created_ms = (int64_t)event_take_num(c);
	m->expires_ms = (int64_t)event_take_num(c);
	m->sender_name = event_take_text(c);
	m->target = event_take_text(c);
	m->nonce = event_take_text(c);
	m->ciphertext = event_take_text(c);
	if ((n = event_take_num(c)) > MESSAGE_MORE)
		c->bad = true;
	for (i = 0; i < n && !c->bad; i++)
		v[i] = event_take_text(c);
	m->more = message_more(more, v, c->bad ? 0 : n);
	if (m->priority > PRIORITY_NOW)
		c->bad = true;
}

/* How many holders follow, and each: where the session is, its id, whether the
 * message is for it or for its member, and its place in a crowd. */
#define HOLDER_SIZE (sizeof(uint64_t) + ID_LEN + 1 + sizeof(uint32_t))

static void
pack_holders(struct buf *b, const struct delivery_to *to, size_t n)
{
	size_t i;

	event_pack_num(b, n);
	for (i = 0; i < n; i++) {
		event_pack_num(b, to[i].ref);
		event_pack_id(b, &to[i].id);
		buf_addc(b, (char)to[i].member);
		buf_add(b, &to[i].place, sizeof(to[i].place));
	}
}

struct holder {
	struct id id;
	bool here; /* this process had it */
	bool member;
	uint32_t place;
};

/* The holder's session in this process; NULL: it is gone, or another process
 * has it. */
static struct session *
take_holder(struct core *c, struct event_in *in, const struct id *mesh,
    struct holder *h)
{
	uint64_t ref = event_take_num(in);
	struct session *s;
	struct mesh *m;
	char flag;

	event_take_bytes(in, h->id.b, ID_LEN);
	event_take_bytes(in, &flag, 1);
	event_take_bytes(in, &h->place, sizeof(h->place));
	h->member = flag != 0;
	h->here = !in->bad && SESSION_REF_PROC(ref) == c->proc;
	if (!h->here)
		return NULL;
	if ((s = session_by_ref(c, ref)) != NULL &&
	    id_same(&s->info.id, &h->id))
		return s;
	/* It may have come back since, over another connection. */
	m = mesh_find(c, mesh);
	s = m != NULL ? roster_by_id(&m->roster, &h->id) : NULL;
	return s != NULL && s->client != NULL ? s : NULL;
}

/* After what stands in b; the next record takes those for whom there is no
 * room in this one. */
static void
publish_holders(struct core *c, enum event_type type, uint64_t procs,
    struct buf *b, const struct delivery_to *to, size_t n)
{
	size_t head = b->len, now;
	size_t room = (b->max - head - sizeof(uint64_t)) / HOLDER_SIZE;

	for (; n > 0; to += now, n -= now) {
		now = n < room ? n : room;
		b->len = head;
		pack_holders(b, to, now);
		if (!event_publish(c, type, procs, b))
			log_error("a record for holders does not fit the bus");
	}
}

/* Too large to carry: it is stored, let them read it. */
static void
event_waits(struct core *c, const struct id *mesh, const struct id *host,
    const struct delivery_to *to, size_t n, uint64_t procs)
{
	struct buf b;

	event_buf(c, &b);
	event_pack_place(&b, mesh, host);
	publish_holders(c, EVENT_WAITS, procs, &b, to, n);
	buf_free(&b);
}

void
event_deliver(struct core *c, const struct message *m, const struct id *host,
    const struct delivery_to *to, size_t n, uint64_t procs, bool stored)
{
	struct buf b;

	event_buf(c, &b);
	event_pack_place(&b, &m->mesh, host);
	pack_message(&b, m);
	event_pack_num(&b, stored ? STORED : STORED_SOON);
	if (b.failed || b.len > b.max / 2)
		event_waits(c, &m->mesh, host, to, n, procs);
	else
		publish_holders(c, EVENT_DELIVER, procs, &b, to, n);
	buf_free(&b);
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

/* A crowd too large for one record goes on in the next. */
static struct crowd *
take_crowd(struct core *c, const struct message *m, uint32_t place, uint64_t n)
{
	struct crowd *k = place > 1 ? crowd_find(c, &m->id) : NULL;

	return k != NULL ? k : crowd_new(c, m, (size_t)n + 1, true);
}

void
event_receive_deliver(struct core *c, struct event_in *in, unsigned from)
{
	struct message_more more;
	struct message m;
	struct event e;
	struct crowd *crowd = NULL;
	struct session *s;
	struct holder h;
	uint64_t n, stored;

	(void)from;
	event_take_place(c, in, &m.mesh);
	take_message(in, &m, &more);
	stored = event_take_num(in);
	n = event_take_num(in);
	if (stored > STORED_SOON)
		in->bad = true;
	if (in->bad)
		return;
	event_init(&e, EVENT_DELIVER, &m);
	while (n-- > 0 && !in->bad) {
		s = take_holder(c, in, &m.mesh, &h);
		if (!h.here)
			continue;
		if (h.place != 0 && crowd == NULL)
			crowd = take_crowd(c, &m, h.place, n);
		if (s == NULL) {
			delivery_gone(c, &m.mesh, &h.id,
			    h.place != 0 ? crowd : NULL, h.place);
			continue;
		}
		delivery_offer(s, h.member ? &s->info.member : &s->info.id, &m,
		    &e, (enum stored)stored, h.place != 0 ? crowd : NULL,
		    h.place);
	}
	event_fini(&e);
	if (crowd != NULL)
		(void)crowd_rest(crowd);
}

void
event_receive_waits(struct core *c, struct event_in *in, unsigned from)
{
	struct session *s;
	struct holder h;
	struct id mesh;
	uint64_t n;

	(void)from;
	event_take_place(c, in, &mesh);
	n = event_take_num(in);
	while (n-- > 0 && !in->bad)
		if ((s = take_holder(c, in, &mesh, &h)) != NULL)
			delivery_drain(s);
}

/*
 * A DELIVER record for a narrow way: several, if the message itself is small,
 * else WAITS for its holders.
 */
void
event_refer_deliver(
    const char *p, size_t n, size_t max, event_part_fn *fn, void *arg)
{
	struct event_in in = { p, n, false };
	enum event_type type = EVENT_DELIVER;
	struct message_more more;
	struct message m;
	struct buf b;
	uint64_t holders;
	size_t head, now, room;

	event_take_skip(&in, 2 * ID_LEN);
	take_message(&in, &m, &more);
	(void)event_take_num(&in);
	head = n - in.left;
	holders = event_take_num(&in);
	if (in.bad || in.left != holders * HOLDER_SIZE)
		return;
	if (head + sizeof(holders) + HOLDER_SIZE > max) {
		type = EVENT_WAITS;
		head = 2 * ID_LEN;
	}
	room = (max - head - sizeof(holders)) / HOLDER_SIZE;
	buf_init(&b, max);
	for (; holders > 0; holders -= now, in.p += now * HOLDER_SIZE) {
		now = holders < room ? holders : room;
		buf_clear(&b);
		buf_add(&b, p, head);
		event_pack_num(&b, now);
		buf_add(&b, in.p, now * HOLDER_SIZE);
		fn(arg, type, b.data, b.len);
	}
	buf_free(&b);
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
