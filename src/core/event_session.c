/* SPDX-License-Identifier: ISC */
/*
 * Records about sessions: what one is now, that it is gone, and what a hook
 * says of its status.
 */
#include <string.h>

#include "core/event_record.h"

#define EVENT_GROUPS_MAX 4096

static void
pack_session(struct buf *b, const struct session_info *s)
{
	static const struct session_more none;
	const struct session_more *m = s->more != NULL ? s->more : &none;
	const struct slice texts[] = { s->name, s->name_folded, s->member_name,
		s->role, s->client_session, s->cwd, s->hostname, s->peer_type,
		s->model, s->summary, m->role, m->channel, m->profile,
		m->stats };
	size_t i;

	event_pack_id(b, &s->mesh);
	event_pack_id(b, &s->id);
	event_pack_id(b, &s->member);
	event_pack_id(b, &s->host);
	event_pack_num(b, s->ref);
	buf_add(b, s->key, sizeof(s->key));
	buf_add(b, s->member_key, sizeof(s->member_key));
	event_pack_num(b, s->status);
	event_pack_num(b, s->source);
	event_pack_num(b, s->control);
	event_pack_num(b, s->acks);
	event_pack_num(b, s->hidden);
	event_pack_num(b, (uint64_t)s->connected_ms);
	event_pack_num(b, (uint64_t)s->seen_ms);
	event_pack_num(b, (uint64_t)s->active_ms);
	event_pack_num(b, (uint64_t)s->pid);
	for (i = 0; i < NELEM(texts); i++)
		event_pack_text(b, texts[i]);
	event_pack_num(b, s->ngroups);
	for (i = 0; i < 2 * s->ngroups; i++)
		event_pack_text(b, s->groups[i]);
}

/* The groups go to room, which has EVENT_GROUPS_MAX slices. */
static void
take_session(struct event_in *c, struct session_info *s, struct slice *room,
    struct session_more *more)
{
	struct slice *const texts[] = { &s->name, &s->name_folded,
		&s->member_name, &s->role, &s->client_session, &s->cwd,
		&s->hostname, &s->peer_type, &s->model, &s->summary,
		&more->role, &more->channel, &more->profile, &more->stats };
	size_t i;

	memset(s, 0, sizeof(*s));
	event_take_bytes(c, s->mesh.b, ID_LEN);
	event_take_bytes(c, s->id.b, ID_LEN);
	event_take_bytes(c, s->member.b, ID_LEN);
	event_take_bytes(c, s->host.b, ID_LEN);
	s->ref = event_take_num(c);
	event_take_bytes(c, s->key, sizeof(s->key));
	event_take_bytes(c, s->member_key, sizeof(s->member_key));
	s->status = (uint8_t)event_take_num(c);
	s->source = (uint8_t)event_take_num(c);
	s->control = event_take_num(c) != 0;
	s->acks = event_take_num(c) != 0;
	s->hidden = event_take_num(c) != 0;
	s->connected_ms = (int64_t)event_take_num(c);
	s->seen_ms = (int64_t)event_take_num(c);
	s->active_ms = (int64_t)event_take_num(c);
	s->pid = (int64_t)event_take_num(c);
	for (i = 0; i < NELEM(texts); i++)
		*texts[i] = event_take_text(c);
	s->more = roster_more(more);
	s->ngroups = event_take_num(c);
	if (s->status > STATUS_DND || s->ngroups > EVENT_GROUPS_MAX / 2)
		c->bad = true;
	s->groups = room;
	for (i = 0; !c->bad && i < 2 * s->ngroups; i++)
		room[i] = event_take_text(c);
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
	event_pack_id(&b, mesh);
	event_pack_id(&b, id);
	event_pack_num(&b, ref);
	event_pack_num(&b, returns);
	(void)event_publish(c, EVENT_GONE, event_mesh_procs(c, mesh), &b);
	buf_free(&b);
}

void
event_status(struct core *c, unsigned proc, const struct id *host,
    const struct id *mesh, const struct id *session, enum status status)
{
	struct buf b;

	event_buf(c, &b);
	event_pack_place(&b, mesh, host);
	event_pack_id(&b, session);
	event_pack_num(&b, status);
	(void)event_publish(c, EVENT_STATUS, BUS_BIT(proc), &b);
	buf_free(&b);
}

void
event_receive_session(struct core *c, struct event_in *in, unsigned from)
{
	static struct slice room[EVENT_GROUPS_MAX];
	struct session_more more;
	struct session_info info;

	take_session(in, &info, room, &more);
	if (in->bad)
		return;
	info.proc = (uint8_t)from;
	session_told(c, &info);
}

void
event_receive_gone(struct core *c, struct event_in *in, unsigned from)
{
	struct id mesh, id;
	uint64_t ref;
	bool returns;

	(void)from;
	event_take_bytes(in, mesh.b, ID_LEN);
	event_take_bytes(in, id.b, ID_LEN);
	ref = event_take_num(in);
	returns = event_take_num(in) != 0;
	if (!in->bad)
		session_told_gone(c, &mesh, &id, ref, returns);
}

void
event_receive_status(struct core *c, struct event_in *in, unsigned from)
{
	struct id mesh, id;
	struct session *s;
	struct mesh *m;
	uint64_t status;

	(void)from;
	event_take_place(c, in, &mesh);
	event_take_bytes(in, id.b, ID_LEN);
	status = event_take_num(in);
	if (in->bad || status > STATUS_DND || (m = mesh_find(c, &mesh)) == NULL)
		return;
	if ((s = roster_by_id(&m->roster, &id)) != NULL && s->client != NULL)
		presence_hook(s, (enum status)status);
}
