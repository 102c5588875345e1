/* SPDX-License-Identifier: ISC */
/*
 * Records of notices.
 */
#include <string.h>

#include "core/event_record.h"

void
event_notice(struct core *c, const struct notice *n)
{
	struct buf b;

	event_buf(c, &b);
	event_pack_id(&b, &n->mesh);
	event_pack_id(&b, &n->to);
	event_pack_id(&b, &n->about);
	event_pack_num(&b, (uint64_t)n->kind);
	event_pack_num(&b, (uint64_t)n->at_ms);
	event_pack_text(&b, n->payload);
	(void)event_publish(c, EVENT_NOTICE, event_mesh_procs(c, &n->mesh), &b);
	buf_free(&b);
}

void
event_receive_notice(struct core *c, struct event_in *in, unsigned from)
{
	struct notice n;
	uint64_t kind;

	(void)from;
	memset(&n, 0, sizeof(n));
	event_take_bytes(in, n.mesh.b, ID_LEN);
	event_take_bytes(in, n.to.b, ID_LEN);
	event_take_bytes(in, n.about.b, ID_LEN);
	kind = event_take_num(in);
	n.at_ms = (int64_t)event_take_num(in);
	n.payload = event_take_text(in);
	if (kind >= NOTICE_MAX || n.payload.n == 0)
		in->bad = true;
	n.kind = (enum notice_kind)kind;
	if (!in->bad)
		notice_told(c, &n);
}
