/* SPDX-License-Identifier: ISC */
/*
 * Lines of the journal: as the database answers them, and as they are told.
 */
#include <string.h>

#include "core/channel.h"

/* Columns of events_after, mesh_events_after and events_page. */
#define ENTRY_PAYLOAD 3
#define ENTRY_AT 4
#define ENTRY_CHANNEL 5
#define ENTRY_MESH 6
#define ENTRY_POST 8
#define ENTRY_ID 21

#define ENTRY(field) offsetof(struct entry, field)
const struct field entry_fields[] = {
	{ "id", F_ID, ENTRY(id), 0, 0, 0, NULL, NULL, 0,
	    "Its own id, by which one goes on behind it." },
	{ "type", F_STR, ENTRY(type), 0, 0, 0, NULL, NULL, 0,
	    "What happened, as message.appended." },
	{ "payload", F_JSON, ENTRY(payload), 0, 0, 0, NULL, NULL, 0,
	    "To whom and what, and by whom." },
	{ "orgId", F_ID, ENTRY(mesh), 0, 0, 0, NULL, NULL, 0, "The mesh." },
	{ "streamId", F_ID, ENTRY(channel), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "The channel, or thread; null: it is about none." },
	{ "streamSeq", F_INT, ENTRY(seq), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "Of the message that came; null: none came." },
	{ "createdAt", F_TIME, ENTRY(at_ms), 0, 0, 0, NULL, NULL, 0, "When." },
	{ .type = F_END },
};
#undef ENTRY

void
entry_read(
    struct entry *n, struct post *p, const struct db_result *res, size_t row)
{
	memset(n, 0, sizeof(*n));
	n->n = db_int(res, row, ENTRY_N);
	n->type = db_text(res, row, ENTRY_TYPE);
	if (!db_null(res, row, ENTRY_SEQ))
		n->seq = db_int(res, row, ENTRY_SEQ);
	n->payload = db_text(res, row, ENTRY_PAYLOAD);
	n->at_ms = db_time(res, row, ENTRY_AT);
	if (!db_null(res, row, ENTRY_CHANNEL))
		db_id(res, row, ENTRY_CHANNEL, &n->channel);
	db_id(res, row, ENTRY_MESH, &n->mesh);
	if (!db_null(res, row, ENTRY_ID))
		db_id(res, row, ENTRY_ID, &n->id);
	if (db_null(res, row, ENTRY_POST))
		return;
	post_read(p, res, row, ENTRY_POST);
	n->post = p;
}

bool
entry_sees_all(const struct client *c)
{
	return (c->scopes & SCOPE_BIT(SCOPE_AUDIT_READ)) != 0;
}
