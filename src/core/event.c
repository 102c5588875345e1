/* SPDX-License-Identifier: ISC */
/*
 * Events: records on the bus, and what is pushed to clients.
 *
 * A record is its fields in the order in which the two functions of its type
 * name them: pack_* writes, take_* reads; numbers as the machine has them
 * (the bus does not leave it), bytes with a length before.  The first field
 * is the mesh.  Whoever reads trusts nothing: a field that does not fit makes
 * the whole record void.
 */
#include <string.h>

#include "core/core.h"

#define EVENT_RECORD_START 256
#define EVENT_GROUPS_MAX 4096

struct cursor {
	const char *p;
	size_t left;
	bool bad;
};

static void
pack_num(struct buf *b, uint64_t v)
{
	buf_add(b, &v, sizeof(v));
}

static void
pack_id(struct buf *b, const struct id *id)
{
	buf_add(b, id->b, ID_LEN);
}

/* A length of all ones is "none", which differs from empty. */
static void
pack_text(struct buf *b, struct slice s)
{
	uint32_t n = s.p == NULL ? UINT32_MAX : (uint32_t)s.n;

	buf_add(b, &n, sizeof(n));
	if (s.p != NULL)
		buf_add(b, s.p, s.n);
}

static void
take_bytes(struct cursor *c, void *out, size_t n)
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

static uint64_t
take_num(struct cursor *c)
{
	uint64_t v;

	take_bytes(c, &v, sizeof(v));
	return v;
}

static struct slice
take_text(struct cursor *c)
{
	struct slice s = { NULL, 0 };
	uint32_t n;

	take_bytes(c, &n, sizeof(n));
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
	else
		e->state = what;
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
static uint64_t
event_mesh_procs(const struct core *c, const struct id *mesh)
{
	return bus_interest(c->bus, mesh) & ~BUS_BIT(c->proc);
}

/* False when the record is too large for the ring. */
static bool
event_publish(
    struct core *c, enum event_type type, uint64_t to, const struct buf *b)
{
	struct slice part = { b->data, b->len };

	if (b->failed)
		return false;
	return to == 0 || bus_publish(c->bus, type, to, &part, 1) == 0;
}

static void
event_buf(struct core *c, struct buf *b)
{
	buf_init(b, bus_record_max(c->bus));
	(void)buf_reserve(b, EVENT_RECORD_START);
}

static void
pack_session(struct buf *b, const struct session_info *s)
{
	const struct slice texts[] = { s->name, s->name_folded, s->member_name,
		s->role, s->client_session, s->cwd, s->hostname, s->peer_type,
		s->model, s->summary };
	size_t i;

	pack_id(b, &s->mesh);
	pack_id(b, &s->id);
	pack_id(b, &s->member);
	pack_num(b, s->ref);
	buf_add(b, s->key, sizeof(s->key));
	buf_add(b, s->member_key, sizeof(s->member_key));
	pack_num(b, s->status);
	pack_num(b, s->source);
	pack_num(b, s->control);
	pack_num(b, s->acks);
	pack_num(b, (uint64_t)s->connected_ms);
	pack_num(b, (uint64_t)s->active_ms);
	pack_num(b, (uint64_t)s->pid);
	for (i = 0; i < NELEM(texts); i++)
		pack_text(b, texts[i]);
	pack_num(b, s->ngroups);
	for (i = 0; i < 2 * s->ngroups; i++)
		pack_text(b, s->groups[i]);
}

/* The groups go to room, which has EVENT_GROUPS_MAX slices. */
static void
take_session(struct cursor *c, struct session_info *s, struct slice *room)
{
	struct slice *const texts[] = { &s->name, &s->name_folded,
		&s->member_name, &s->role, &s->client_session, &s->cwd,
		&s->hostname, &s->peer_type, &s->model, &s->summary };
	size_t i;

	memset(s, 0, sizeof(*s));
	take_bytes(c, s->mesh.b, ID_LEN);
	take_bytes(c, s->id.b, ID_LEN);
	take_bytes(c, s->member.b, ID_LEN);
	s->ref = take_num(c);
	take_bytes(c, s->key, sizeof(s->key));
	take_bytes(c, s->member_key, sizeof(s->member_key));
	s->status = (uint8_t)take_num(c);
	s->source = (uint8_t)take_num(c);
	s->control = take_num(c) != 0;
	s->acks = take_num(c) != 0;
	s->connected_ms = (int64_t)take_num(c);
	s->active_ms = (int64_t)take_num(c);
	s->pid = (int64_t)take_num(c);
	for (i = 0; i < NELEM(texts); i++)
		*texts[i] = take_text(c);
	s->ngroups = take_num(c);
	if (s->status > STATUS_DND || s->ngroups > EVENT_GROUPS_MAX / 2)
		c->bad = true;
	s->groups = room;
	for (i = 0; !c->bad && i < 2 * s->ngroups; i++)
		room[i] = take_text(c);
	s->live = true;
}

void
event_session(struct core *c, const struct session_info *s)
{
	struct buf b;

	event_buf(c, &b);
	pack_session(&b, s);
	if (!event_publish(c, EVENT_SESSION, event_mesh_procs(c, &s->mesh), &b))
		log_error("a session's record does not fit the bus");
	buf_free(&b);
}

void
event_gone(struct core *c, const struct id *mesh, const struct id *id,
    uint64_t ref, bool returns)
{
	struct buf b;

	event_buf(c, &b);
	pack_id(&b, mesh);
	pack_id(&b, id);
	pack_num(&b, ref);
	pack_num(&b, returns);
	(void)event_publish(c, EVENT_GONE, event_mesh_procs(c, mesh), &b);
	buf_free(&b);
}

static void
pack_message(struct buf *b, const struct message *m)
{
	pack_id(b, &m->mesh);
	pack_id(b, &m->id);
	pack_id(b, &m->sender_member);
	buf_add(b, m->sender_key, sizeof(m->sender_key));
	buf_add(b, m->sender_member_key, sizeof(m->sender_member_key));
	pack_num(b, m->priority);
	pack_num(b, (uint64_t)m->created_ms);
	pack_text(b, m->sender_name);
	pack_text(b, m->target);
	pack_text(b, m->nonce);
	pack_text(b, m->ciphertext);
}

static void
take_message(struct cursor *c, struct message *m)
{
	take_bytes(c, m->mesh.b, ID_LEN);
	take_bytes(c, m->id.b, ID_LEN);
	take_bytes(c, m->sender_member.b, ID_LEN);
	take_bytes(c, m->sender_key, sizeof(m->sender_key));
	take_bytes(c, m->sender_member_key, sizeof(m->sender_member_key));
	m->priority = (enum priority)take_num(c);
	m->created_ms = (int64_t)take_num(c);
	m->sender_name = take_text(c);
	m->target = take_text(c);
	m->nonce = take_text(c);
	m->ciphertext = take_text(c);
	if (m->priority > PRIORITY_NOW)
		c->bad = true;
}

/*
 * Refs follow the message until the record is full; the next record takes the
 * rest.
 */
bool
event_deliver(struct core *c, const struct message *m,
    const struct delivery_to *to, size_t n, uint64_t procs)
{
	const size_t each = sizeof(uint64_t) + sizeof(uint32_t) + 1;
	struct buf b;
	size_t head, i, room;

	event_buf(c, &b);
	pack_message(&b, m);
	head = b.len;
	if (b.failed || b.len > b.max / 2) {
		buf_free(&b);
		return false;
	}
	room = (b.max - head - sizeof(uint64_t)) / each;
	while (n > 0) {
		size_t now = n < room ? n : room;

		b.len = head;
		pack_num(&b, now);
		for (i = 0; i < now; i++) {
			pack_num(&b, to[i].ref);
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
	pack_id(&b, mesh);
	pack_id(&b, recipient);
	(void)event_publish(c, EVENT_NUDGE, event_mesh_procs(c, mesh), &b);
	buf_free(&b);
}

void
event_state(struct core *c, const struct state_change *s)
{
	struct buf b;

	event_buf(c, &b);
	pack_id(&b, &s->mesh);
	pack_id(&b, &s->by_session);
	pack_num(&b, (uint64_t)s->version);
	pack_num(&b, (uint64_t)s->updated_ms);
	pack_text(&b, s->key);
	pack_text(&b, s->by_name);
	pack_text(&b, s->value);
	if (!event_publish(c, EVENT_STATE, event_mesh_procs(c, &s->mesh), &b)) {
		/* Too large to carry: the key and the version say enough for
		 * the others to read the value. */
		b.failed = false;
		b.len = 0;
		pack_id(&b, &s->mesh);
		(void)event_publish(
		    c, EVENT_STATE, event_mesh_procs(c, &s->mesh), &b);
	}
	buf_free(&b);
}

void
event_reload(struct core *c, const struct id *mesh)
{
	static const struct id every;
	uint64_t to = mesh != NULL ? event_mesh_procs(c, mesh)
				   : BUS_ALL & ~BUS_BIT(c->proc);
	struct buf b;

	event_buf(c, &b);
	pack_id(&b, mesh != NULL ? mesh : &every);
	(void)event_publish(c, EVENT_RELOAD, to, &b);
	buf_free(&b);
}

void
event_status(struct core *c, unsigned proc, const struct id *mesh,
    const struct id *session, enum status status)
{
	struct buf b;

	event_buf(c, &b);
	pack_id(&b, mesh);
	pack_id(&b, session);
	pack_num(&b, status);
	(void)event_publish(c, EVENT_STATUS, BUS_BIT(proc), &b);
	buf_free(&b);
}

static void
receive_session(struct core *c, struct cursor *in, unsigned from)
{
	static struct slice room[EVENT_GROUPS_MAX];
	struct session_info info;

	take_session(in, &info, room);
	if (in->bad)
		return;
	info.proc = (uint8_t)from;
	session_told(c, &info);
}

static void
receive_gone(struct core *c, struct cursor *in, unsigned from)
{
	struct id mesh, id;
	uint64_t ref;
	bool returns;

	(void)from;
	take_bytes(in, mesh.b, ID_LEN);
	take_bytes(in, id.b, ID_LEN);
	ref = take_num(in);
	returns = take_num(in) != 0;
	if (!in->bad)
		session_told_gone(c, &mesh, &id, ref, returns);
}

static void
receive_deliver(struct core *c, struct cursor *in, unsigned from)
{
	struct message m;
	struct event e;
	struct session *s;
	uint64_t n, ref;
	uint32_t check;
	char member;

	(void)from;
	take_message(in, &m);
	n = take_num(in);
	if (in->bad)
		return;
	event_init(&e, EVENT_DELIVER, &m);
	while (n-- > 0 && !in->bad) {
		ref = take_num(in);
		take_bytes(in, &check, sizeof(check));
		take_bytes(in, &member, 1);
		if (in->bad || SESSION_REF_PROC(ref) != c->proc)
			continue;
		/* A session that is gone: what it held is freed when it ends,
		 * or comes due. */
		if ((s = session_by_ref(c, ref)) == NULL ||
		    !id_same(&s->mesh->id, &m.mesh) ||
		    check != session_check(&s->info.id))
			continue;
		delivery_offer(
		    s, member ? &s->info.member : &s->info.id, &m, &e, true);
	}
	event_fini(&e);
}

static void
receive_nudge(struct core *c, struct cursor *in, unsigned from)
{
	struct id mesh, recipient;
	struct mesh *m;

	(void)from;
	take_bytes(in, mesh.b, ID_LEN);
	take_bytes(in, recipient.b, ID_LEN);
	if (!in->bad && (m = mesh_find(c, &mesh)) != NULL)
		delivery_nudge(m, &recipient);
}

static void
receive_state(struct core *c, struct cursor *in, unsigned from)
{
	struct state_change s;
	struct mesh *m;

	(void)from;
	take_bytes(in, s.mesh.b, ID_LEN);
	if (!in->bad && in->left == 0) {
		if ((m = mesh_find(c, &s.mesh)) != NULL)
			state_catch_up(m);
		return;
	}
	take_bytes(in, s.by_session.b, ID_LEN);
	s.version = (int64_t)take_num(in);
	s.updated_ms = (int64_t)take_num(in);
	s.key = take_text(in);
	s.by_name = take_text(in);
	s.value = take_text(in);
	if (!in->bad)
		state_told(c, &s);
}

static void
receive_status(struct core *c, struct cursor *in, unsigned from)
{
	struct id mesh, id;
	struct session *s;
	struct mesh *m;
	uint64_t status;

	(void)from;
	take_bytes(in, mesh.b, ID_LEN);
	take_bytes(in, id.b, ID_LEN);
	status = take_num(in);
	if (in->bad || status > STATUS_DND || (m = mesh_find(c, &mesh)) == NULL)
		return;
	if ((s = roster_by_id(&m->roster, &id)) != NULL && s->client != NULL)
		presence_hook(s, (enum status)status);
}

static void
receive_reload(struct core *c, struct cursor *in, unsigned from)
{
	struct hash_entry *e, *next;
	struct mesh *m;
	struct id mesh;
	size_t i;

	(void)from;
	take_bytes(in, mesh.b, ID_LEN);
	if (in->bad)
		return;
	HASH_FOREACH (e, next, i, &c->meshes) {
		m = CONTAINER(e, struct mesh, by_id);
		if (id_is_null(&mesh) || id_same(&mesh, &m->id))
			mesh_reload(m);
	}
}

typedef void receive_fn(struct core *c, struct cursor *in, unsigned from);
static receive_fn *const receivers[EVENT_MAX] = {
	[EVENT_SESSION] = receive_session,
	[EVENT_GONE] = receive_gone,
	[EVENT_DELIVER] = receive_deliver,
	[EVENT_NUDGE] = receive_nudge,
	[EVENT_STATE] = receive_state,
	[EVENT_STATUS] = receive_status,
	[EVENT_RELOAD] = receive_reload,
};

void
event_receive(
    struct core *c, unsigned from, uint16_t type, const char *p, size_t n)
{
	struct cursor in = { p, n, false };

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
