/* SPDX-License-Identifier: ISC */
/*
 * message_status: what became of a message, for each recipient.
 *
 * `status` has the words that claudemesh's clients know; `state` has ours,
 * which are exact.
 */
#include <string.h>

#include "core/domain.h"

enum held {
	HELD_DELIVERED,
	HELD_HELD,
	HELD_DISCONNECTED,
	HELD_EXPIRED
};
static const char *const held_names[] = { "delivered", "held", "disconnected",
	"expired", NULL };

struct status_in {
	struct id message;
};

static const struct field status_in_fields[] = {
	{ "messageId", F_ID, offsetof(struct status_in, message), 0, 0,
	    FIELD_REQUIRED, NULL, NULL, 0, "Message that one sent or got." },
	{ .type = F_END },
};

struct status_row {
	struct slice name;
	uint8_t key[CRYPTO_KEY_LEN];
	int status;
	int state;
	int64_t pushed_ms;
	int64_t acked_ms;
	int64_t pushes;
	int64_t expired_ms;
};

#define ROW(field) offsetof(struct status_row, field)
static const struct field status_row_fields[] = {
	{ "name", F_STR, ROW(name), 0, 0, 0, NULL, NULL, 0,
	    "The recipient's name." },
	{ "pubkey", F_KEY, ROW(key), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "Its key; null: it has none." },
	{ "status", F_ENUM, ROW(status), 0, 0, 0, held_names, NULL, 0,
	    "delivered; held: it is connected; disconnected; expired." },
	{ "state", F_ENUM, ROW(state), 0, 0, 0, table_deliveries, NULL, 0,
	    "queued, pushed, acked or expired." },
	{ "pushedAt", F_TIME, ROW(pushed_ms), 0, 0, FIELD_NULLABLE, NULL, NULL,
	    0, "When it was first written to the recipient." },
	{ "ackedAt", F_TIME, ROW(acked_ms), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "When the recipient had it." },
	{ "pushes", F_INT, ROW(pushes), 0, 0, 0, NULL, NULL, 0,
	    "How often it was pushed." },
	{ "expiredAt", F_TIME, ROW(expired_ms), 0, 0, FIELD_NULLABLE, NULL,
	    NULL, 0, "When it expired." },
	{ .type = F_END },
};
#undef ROW

struct status_out {
	struct id message;
	struct slice target;
	bool delivered;
	int64_t delivered_ms;
	int64_t created_ms;
	int64_t expires_ms;
	struct list recipients;
};

#define OUT(field) offsetof(struct status_out, field)
static const struct field status_out_fields[] = {
	{ "messageId", F_ID, OUT(message), 0, 0, 0, NULL, NULL, 0,
	    "The message." },
	{ "targetSpec", F_STR, OUT(target), 0, 0, 0, NULL, NULL, 0,
	    "What it was sent to." },
	{ "delivered", F_BOOL, OUT(delivered), 0, 0, 0, NULL, NULL, 0,
	    "Every recipient has it." },
	{ "deliveredAt", F_TIME, OUT(delivered_ms), 0, 0, FIELD_NULLABLE, NULL,
	    NULL, 0, "When the last one had it." },
	{ "createdAt", F_TIME, OUT(created_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it was sent." },
	{ "expiresAt", F_TIME, OUT(expires_ms), 0, 0, FIELD_NULLABLE, NULL,
	    NULL, 0, "When it will no longer be held." },
	{ "recipients", F_ROWS, OUT(recipients), 0, 0, 0, NULL,
	    status_row_fields, sizeof(struct status_row), "Each recipient." },
	{ .type = F_END },
};
#undef OUT

/* Is the recipient, a session or a member, connected now? */
static bool
status_is_live(const struct mesh *m, const struct id *recipient)
{
	const struct session *s = roster_by_id(&m->roster, recipient);
	const struct roster_set *set;

	if (s != NULL)
		return s->info.live;
	set = roster_member(&m->roster, recipient);
	return set != NULL && roster_best(set, PRIORITY_NOW, NULL) != NULL;
}

static void
status_row(struct status_row *row, const struct mesh *m,
    const struct db_result *r, size_t i)
{
	static const enum held words[] = { HELD_HELD, HELD_HELD, HELD_DELIVERED,
		HELD_EXPIRED };
	struct slice key = db_bytes(r, i, 6);
	struct id recipient;

	row->state = (int)db_int(r, i, 2);
	row->pushed_ms = db_null(r, i, 3) ? 0 : db_time(r, i, 3);
	row->acked_ms = db_null(r, i, 4) ? 0 : db_time(r, i, 4);
	row->name = db_text(r, i, 5);
	if (key.n == CRYPTO_KEY_LEN)
		memcpy(row->key, key.p, key.n);
	row->pushes = db_int(r, i, 8);
	row->expired_ms = row->state == DELIVERY_EXPIRED ? db_time(r, i, 7) : 0;
	db_id(r, i, 9, &recipient);
	row->status = (int)words[row->state];
	if (row->status == HELD_HELD && !status_is_live(m, &recipient))
		row->status = HELD_DISCONNECTED;
}

static void
status_answer(void *arg, const struct db_result *r)
{
	struct request *req = arg;
	struct status_out out;
	struct status_row *rows;
	size_t i, n = 0;

	if (op_db_failed(req, r))
		return;
	if (db_rows(r) == 0 || req->client == NULL) {
		op_fail(req, ERR_NOT_FOUND,
		    "There is no such message that you sent or got.");
		return;
	}
	memset(&out, 0, sizeof(out));
	out.message = ((struct status_in *)req->in)->message;
	out.target = db_text(r, 0, 0);
	out.created_ms = db_time(r, 0, 1);
	out.delivered = true;
	rows = pool_zalloc(&req->pool, db_rows(r) * sizeof(*rows));
	for (i = 0; i < db_rows(r); i++) {
		/* A message without recipients has one empty row. */
		if (db_null(r, i, 2))
			continue;
		status_row(&rows[n], req->client->session->mesh, r, i);
		if (rows[n].state != DELIVERY_ACKED) {
			out.delivered = false;
			out.expires_ms = db_time(r, i, 7);
		} else if (rows[n].acked_ms > out.delivered_ms)
			out.delivered_ms = rows[n].acked_ms;
		n++;
	}
	if (!out.delivered)
		out.delivered_ms = 0;
	out.recipients = (struct list){ rows, n };
	op_reply(req, &out);
}

static void
status_exec(struct request *r, void *arg)
{
	const struct status_in *in = arg;
	const struct session *s = r->client->session;
	struct db_params *p = db_params(STMT_message_status);

	db_put_id(p, &in->message);
	db_put_id(p, &s->mesh->id);
	db_put_id(p, &s->info.member);
	db_put_id(p, &s->info.id);
	db_query(r->core->reads, p, status_answer, r);
}

const struct op op_message_status = {
	.name = "message_status",
	.scope = SCOPE_MESSAGES_READ,
	.reply = "message_status_result",
	.in = status_in_fields,
	.in_size = sizeof(struct status_in),
	.out = status_out_fields,
	.exec = status_exec,
	.text = "What became of a message, for every recipient.",
};
