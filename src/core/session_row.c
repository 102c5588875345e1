/* SPDX-License-Identifier: ISC */
/*
 * A session as the statements session_roster and session_row tell of it.  Its
 * texts and groups are good until the next row is read.
 */
#include <string.h>

#include "core/domain.h"

#define SESSION_GROUPS_MAX 4096

static void
session_row_key(uint8_t key[CRYPTO_KEY_LEN], struct slice bytes)
{
	if (bytes.n == CRYPTO_KEY_LEN)
		memcpy(key, bytes.p, CRYPTO_KEY_LEN);
}

static void
session_row_more(struct session_row *out, const struct db_result *r, size_t row)
{
	out->more.role = db_text(r, row, 25);
	out->more.channel = db_text(r, row, 26);
	out->more.profile = db_text(r, row, 27);
	out->more.stats = db_text(r, row, 28);
	out->info.more = roster_more(&out->more);
}

void
session_row(struct session_row *out, const struct core *c,
    const struct id *mesh, const struct db_result *r, size_t row)
{
	static struct slice groups[SESSION_GROUPS_MAX];
	struct session_info *i = &out->info;

	memset(out, 0, sizeof(*out));
	i->mesh = *mesh;
	db_id(r, row, 0, &i->id);
	db_id(r, row, 1, &i->member);
	session_row_key(i->key, db_bytes(r, row, 2));
	session_row_key(i->member_key, db_bytes(r, row, 3));
	i->name = db_text(r, row, 4);
	i->name_folded = db_text(r, row, 5);
	i->client_session = db_text(r, row, 6);
	i->pid = db_int(r, row, 7);
	i->cwd = db_text(r, row, 8);
	i->hostname = db_text(r, row, 9);
	i->peer_type = db_text(r, row, 10);
	i->model = db_text(r, row, 11);
	i->control = db_bool(r, row, 12);
	i->acks = db_bool(r, row, 13);
	i->status = (uint8_t)db_int(r, row, 14);
	i->source = (uint8_t)db_int(r, row, 15);
	if (!db_null(r, row, 16))
		i->summary = db_text(r, row, 16);
	i->ngroups = db_texts(r, row, 17, groups, NELEM(groups)) / 2;
	i->groups = groups;
	db_id(r, row, 18, &i->host);
	i->ref = (uint64_t)db_int(r, row, 19);
	i->proc =
	    (uint8_t)(id_same(&i->host, &c->host) ? SESSION_REF_PROC(i->ref)
						  : c->relay);
	i->connected_ms = db_time(r, row, 20);
	i->live = true;
	i->role = db_text(r, row, 22);
	i->member_name = db_text(r, row, 23);
	i->hidden = db_bool(r, row, 24);
	session_row_more(out, r, row);
	i->seen_ms = db_null(r, row, 29) ? 0 : db_time(r, row, 29);
	i->active_ms = db_null(r, row, 32) ? 0 : db_time(r, row, 32);
	out->ended_ms = db_null(r, row, 21) ? 0 : db_time(r, row, 21);
	out->revoked = db_bool(r, row, 30);
	out->banned = !db_null(r, row, 31);
	out->reason = db_text(r, row, 31);
}
