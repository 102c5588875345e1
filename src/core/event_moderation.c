/* SPDX-License-Identifier: ISC */
/*
 * Records about members: that something about one changed, that a session has
 * to end, and what one blocks of another.
 */
#include <stdlib.h>
#include <string.h>

#include "core/event_record.h"

void
event_member(struct core *c, const struct id *mesh, const struct id *member,
    enum err why, int64_t at_ms, struct slice reason)
{
	struct buf b;

	event_buf(c, &b);
	event_pack_id(&b, mesh);
	event_pack_id(&b, member);
	event_pack_num(&b, why);
	event_pack_num(&b, (uint64_t)at_ms);
	event_pack_text(&b, reason);
	(void)event_publish(c, EVENT_MEMBER, event_mesh_procs(c, mesh), &b);
	buf_free(&b);
}

static void
event_pack_kick(struct buf *b, const struct id *mesh, const struct id *host,
    const struct id *session, uint64_t ref, enum err why, int64_t before_ms,
    struct slice reason)
{
	event_pack_place(b, mesh, host);
	event_pack_id(b, session);
	event_pack_num(b, ref);
	event_pack_num(b, why);
	event_pack_num(b, (uint64_t)before_ms);
	event_pack_text(b, reason);
}

void
event_kick(struct core *c, const struct session_info *s, enum err why,
    int64_t before_ms, struct slice reason)
{
	struct buf b;

	event_buf(c, &b);
	event_pack_kick(
	    &b, &s->mesh, &s->host, &s->id, s->ref, why, before_ms, reason);
	(void)event_publish(c, EVENT_KICK, BUS_BIT(s->proc), &b);
	buf_free(&b);
}

void
event_block(struct core *c, const struct id *mesh, const struct id *member,
    const struct id *other, unsigned what, int64_t version)
{
	struct buf b;

	event_buf(c, &b);
	event_pack_id(&b, mesh);
	event_pack_id(&b, member);
	event_pack_id(&b, other);
	event_pack_num(&b, what);
	event_pack_num(&b, (uint64_t)version);
	(void)event_publish(c, EVENT_BLOCK, event_mesh_procs(c, mesh), &b);
	buf_free(&b);
}

void
event_receive_member(struct core *c, struct event_in *in, unsigned from)
{
	struct id mesh, member;
	uint64_t why, at_ms;
	struct slice reason;

	(void)from;
	event_take_bytes(in, mesh.b, ID_LEN);
	event_take_bytes(in, member.b, ID_LEN);
	why = event_take_num(in);
	at_ms = event_take_num(in);
	reason = event_take_text(in);
	if (why >= ERR_MAX)
		in->bad = true;
	if (!in->bad)
		member_told(
		    c, &mesh, &member, (enum err)why, (int64_t)at_ms, reason);
}

void
event_receive_kick(struct core *c, struct event_in *in, unsigned from)
{
	struct id mesh, id;
	uint64_t ref, why, before_ms;
	struct slice reason;

	(void)from;
	event_take_place(c, in, &mesh);
	event_take_bytes(in, id.b, ID_LEN);
	ref = event_take_num(in);
	why = event_take_num(in);
	before_ms = event_take_num(in);
	reason = event_take_text(in);
	if (why >= ERR_MAX)
		in->bad = true;
	if (!in->bad)
		moderation_told(c, &mesh, &id, ref, (enum err)why,
		    (int64_t)before_ms, reason);
}

void
event_receive_block(struct core *c, struct event_in *in, unsigned from)
{
	struct id mesh, member, other;
	uint64_t what, version;
	struct mesh *m;

	(void)from;
	event_take_bytes(in, mesh.b, ID_LEN);
	event_take_bytes(in, member.b, ID_LEN);
	event_take_bytes(in, other.b, ID_LEN);
	what = event_take_num(in);
	version = event_take_num(in);
	if (!in->bad && (m = mesh_find(c, &mesh)) != NULL)
		block_told(
		    m, &member, &other, (unsigned)what, (int64_t)version);
}

bool
event_changed(struct core *c, const char *text)
{
	size_t n = strlen(text);
	struct id mesh, member;

	if (n == ID_HEX_LEN && id_parse(&mesh, text, n) == 0) {
		event_reload(c, &mesh);
		return true;
	}
	if (n != 2 * ID_HEX_LEN + 1 || text[ID_HEX_LEN] != ' ' ||
	    id_parse(&mesh, text, ID_HEX_LEN) != 0 ||
	    id_parse(&member, text + ID_HEX_LEN + 1, ID_HEX_LEN) != 0)
		return false;
	event_member(c, &mesh, &member, ERR_NONE, 0, (struct slice){ NULL, 0 });
	return true;
}

bool
event_kicked(struct core *c, const char *text)
{
	struct id mesh, session;
	unsigned long long ref;
	struct buf b;
	char *end;

	if (strlen(text) < 2 * (ID_HEX_LEN + 1) || text[ID_HEX_LEN] != ' ' ||
	    text[2 * ID_HEX_LEN + 1] != ' ' ||
	    id_parse(&mesh, text, ID_HEX_LEN) != 0 ||
	    id_parse(&session, text + ID_HEX_LEN + 1, ID_HEX_LEN) != 0)
		return false;
	text += 2 * (ID_HEX_LEN + 1);
	ref = strtoull(text, &end, 10);
	if (end == text || *end != ' ')
		return false;
	event_buf(c, &b);
	event_pack_kick(&b, &mesh, &c->host, &session, ref, ERR_KICKED, 0,
	    (struct slice){ end + 1, strlen(end + 1) });
	(void)event_publish(c, EVENT_KICK, event_mesh_procs(c, &mesh), &b);
	buf_free(&b);
	return true;
}
