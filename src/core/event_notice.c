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
	size_t i;

	event_buf(c, &b);
	event_pack_id(&b, &n->mesh);
	event_pack_id(&b, &n->to);
	event_pack_id(&b, &n->about);
	event_pack_num(&b, (uint64_t)n->kind);
	event_pack_num(&b, (uint64_t)n->at_ms);
	event_pack_text(&b, n->payload);
	event_pack_num(&b, n->walled);
	event_pack_num(&b, n->ninsiders);
	for (i = 0; i < n->ninsiders; i++) {
		event_pack_id(&b, &n->insiders[i].member);
		event_pack_num(&b, n->insiders[i].bits);
	}
	(void)event_publish(c, EVENT_NOTICE, event_mesh_procs(c, &n->mesh), &b);
	buf_free(&b);
}

static void
event_take_insiders(struct event_in *in, struct notice *n,
    struct notice_insider v[NOTICE_INSIDERS_MAX])
{
	uint64_t i, most = event_take_num(in);

	if (most > NOTICE_INSIDERS_MAX) {
		in->bad = true;
		return;
	}
	for (i = 0; i < most; i++) {
		event_take_bytes(in, v[i].member.b, ID_LEN);
		v[i].bits = (uint8_t)event_take_num(in);
	}
	n->insiders = v;
	n->ninsiders = most;
}

void
event_receive_notice(struct core *c, struct event_in *in, unsigned from)
{
	struct notice_insider insiders[NOTICE_INSIDERS_MAX];
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
	n.walled = event_take_num(in) != 0;
	event_take_insiders(in, &n, insiders);
	if (kind >= NOTICE_MAX || n.payload.n == 0)
		in->bad = true;
	n.kind = (enum notice_kind)kind;
	if (!in->bad)
		notice_told(c, &n);
}
