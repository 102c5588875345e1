/* SPDX-License-Identifier: ISC */
/*
 * Records about state.  One without a value is a deletion.  One that is the
 * mesh alone was too large: whoever gets it reads the database.
 */
#include "core/event_record.h"

void
event_state(struct core *c, const struct state_change *s)
{
	struct buf b;

	event_buf(c, &b);
	event_pack_id(&b, &s->mesh);
	event_pack_id(&b, &s->by_session);
	event_pack_id(&b, &s->by_member);
	event_pack_num(&b, (uint64_t)s->version);
	event_pack_num(&b, (uint64_t)s->updated_ms);
	event_pack_text(&b, s->key);
	event_pack_text(&b, s->by_name);
	event_pack_text(&b, s->value);
	if (!event_publish(c, EVENT_STATE, event_mesh_procs(c, &s->mesh), &b)) {
		/* Too large to carry: the key and the version say enough for
		 * the others to read the value. */
		b.failed = false;
		b.len = 0;
		event_pack_id(&b, &s->mesh);
		(void)event_publish(
		    c, EVENT_STATE, event_mesh_procs(c, &s->mesh), &b);
	}
	buf_free(&b);
}

void
event_receive_state(struct core *c, struct event_in *in, unsigned from)
{
	struct state_change s;
	struct mesh *m;

	(void)from;
	event_take_bytes(in, s.mesh.b, ID_LEN);
	if (!in->bad && in->left == 0) {
		if ((m = mesh_find(c, &s.mesh)) != NULL)
			state_catch_up(m);
		return;
	}
	event_take_bytes(in, s.by_session.b, ID_LEN);
	event_take_bytes(in, s.by_member.b, ID_LEN);
	s.version = (int64_t)event_take_num(in);
	s.updated_ms = (int64_t)event_take_num(in);
	s.key = event_take_text(in);
	s.by_name = event_take_text(in);
	s.value = event_take_text(in);
	if (!in->bad)
		state_told(c, &s);
}
