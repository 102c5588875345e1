/* SPDX-License-Identifier: ISC */
/*
 * Records about schedules, for the jobs process of this host: that of another
 * one finds them when it looks.
 */
#include "core/event_record.h"

/* In place of a mesh: who wants this, wants the schedules of all. */
static const struct id every;

void
event_want_schedules(struct core *c)
{
	bus_interest_add(c->bus, &every);
}

void
event_schedule(struct core *c, const struct id *mesh, int64_t due_ms)
{
	struct buf b;

	event_buf(c, &b);
	event_pack_id(&b, mesh);
	event_pack_num(&b, (uint64_t)due_ms);
	(void)event_publish(c, EVENT_SCHEDULE, event_mesh_procs(c, &every), &b);
	buf_free(&b);
}

void
event_receive_schedule(struct core *c, struct event_in *in, unsigned from)
{
	struct id mesh;
	int64_t due;

	(void)from;
	event_take_bytes(in, mesh.b, ID_LEN);
	due = (int64_t)event_take_num(in);
	if (!in->bad && c->schedules != NULL)
		schedule_told(c, due);
}
