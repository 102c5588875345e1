/* SPDX-License-Identifier: ISC */
/*
 * read_messages: what waits for a visitor, to which nobody can push, as the
 * answer.
 *
 * What an answer has is pushed, and held for mesh.ack_time: by the visitor, who
 * may ask for it again, or, when it is taken, by the answer, so that of two
 * answers to one visitor only one has it.  What is not acked by then is
 * anybody's again.
 */
#include <string.h>

#include "core/domain.h"

#define READ_MAX 100
#define READ_COUNT_MAX 1000
#define READ_BYTES 32768 /* after the first; as coded */

struct read_in {
	int64_t limit;
	bool take;
};

#define IN(field) offsetof(struct read_in, field)
static const struct field read_in_fields[] = {
	{ "limit", F_INT, IN(limit), 0, READ_MAX, 0, NULL, NULL, 0,
	    "At most so many; none when absent: the answer says what waits." },
	{ "take", F_BOOL, IN(take), 0, 0, 0, NULL, NULL, 0,
	    "No other answer has them for mesh.ack_time; ack them with "
	    "client_ack." },
	{ .type = F_END },
};
#undef IN

struct read_row {
	struct id id;
	uint8_t sender_key[CRYPTO_KEY_LEN];
	uint8_t sender_member_key[CRYPTO_KEY_LEN];
	struct id sender_member;
	struct slice sender_name;
	int priority;
	struct slice nonce;
	struct slice ciphertext;
	int64_t created_ms;
	struct slice target;
	struct slice reply_to;
	int subtype;
	struct slice files;
};

#define ROW(field) offsetof(struct read_row, field)
static const struct field read_row_fields[] = {
	{ "messageId", F_ID, ROW(id), 0, 0, 0, NULL, NULL, 0, "Its id." },
	{ "senderPubkey", F_KEY, ROW(sender_key), 0, 0, 0, NULL, NULL, 0,
	    "The key of the session that sent it." },
	{ "senderMemberPubkey", F_KEY, ROW(sender_member_key), 0, 0, 0, NULL,
	    NULL, 0, "The key of its member." },
	{ "senderMemberId", F_ID, ROW(sender_member), 0, 0, 0, NULL, NULL, 0,
	    "The member's id." },
	{ "senderName", F_STR, ROW(sender_name), 0, 0, 0, NULL, NULL, 0,
	    "The name under which it was sent." },
	{ "priority", F_ENUM, ROW(priority), 0, 0, 0, table_priorities, NULL, 0,
	    "How urgent it is." },
	{ "nonce", F_STR, ROW(nonce), 0, 0, 0, NULL, NULL, 0, "As it came." },
	{ "ciphertext", F_STR, ROW(ciphertext), 0, 0, 0, NULL, NULL, 0,
	    "As it came." },
	{ "createdAt", F_TIME, ROW(created_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it was sent." },
	{ "targetSpec", F_STR, ROW(target), 0, 0, 0, NULL, NULL, 0,
	    "To whom." },
	{ "replyToId", F_STR, ROW(reply_to), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "The message that it answers." },
	{ "subtype", F_ENUM, ROW(subtype), 0, 0, 0, table_subtypes, NULL, 0,
	    "What it is." },
	{ "files", F_JSON, ROW(files), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "What goes with it: an array of id, name and size." },
	{ .type = F_END },
};
#undef ROW

struct read_out {
	struct list messages;
	int64_t waiting;
	struct slice highest;
};

#define OUT(field) offsetof(struct read_out, field)
static const struct field read_out_fields[] = {
	{ "messages", F_ROWS, OUT(messages), 0, 0, 0, NULL, read_row_fields,
	    sizeof(struct read_row), "The oldest first." },
	{ "waiting", F_INT, OUT(waiting), 0, 0, 0, NULL, NULL, 0,
	    "How many wait, up to 1000; with those that were only looked at." },
	{ "highest", F_STR, OUT(highest), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "The highest priority of those." },
	{ .type = F_END },
};
#undef OUT

static void
read_counted(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct read_out *out = r->context;

	if (op_db_failed(r, res))
		return;
	pull_waiting(res, &out->waiting, &out->highest);
	op_reply(r, out);
}

static void
read_count(struct request *r)
{
	const struct session *s = r->client != NULL ? r->client->session : NULL;
	struct db_params *p;

	/* What was taken is freed in time. */
	if (s == NULL) {
		op_reply(r, r->context);
		return;
	}
	p = db_params(STMT_delivery_waiting);
	db_put_id(p, &s->info.id);
	db_put_id(p, &s->info.member);
	db_put_int(p, READ_COUNT_MAX);
	db_put_bool(p, true);
	db_query(r->core->reads, p, read_counted, r);
}

static struct slice
read_keep(struct request *r, struct slice s)
{
	return (struct slice){ pool_strndup(&r->pool, s.p, s.n), s.n };
}

static void
read_row(struct request *r, struct read_row *out, const struct message *m)
{
	out->id = m->id;
	memcpy(out->sender_key, m->sender_key, CRYPTO_KEY_LEN);
	memcpy(out->sender_member_key, m->sender_member_key, CRYPTO_KEY_LEN);
	out->sender_member = m->sender_member;
	out->sender_name = read_keep(r, m->sender_name);
	out->priority = (int)m->priority;
	out->nonce = read_keep(r, m->nonce);
	out->ciphertext = read_keep(r, m->ciphertext);
	out->created_ms = m->created_ms;
	out->target = read_keep(r, m->target);
	if (m->more == NULL)
		return;
	out->reply_to = read_keep(r, m->more->reply_to);
	out->subtype = (int)m->more->subtype;
	if (m->more->files.n > 0)
		out->files = read_keep(r, m->more->files);
}

static void
read_found(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct read_out *out = r->context;
	struct delivery_row d;
	struct read_row *rows;
	size_t i;

	if (op_db_failed(r, res))
		return;
	if (r->client != NULL && r->client->session != NULL) {
		rows =
		    pool_zalloc(&r->pool, (db_rows(res) + 1) * sizeof(*rows));
		for (i = 0; i < db_rows(res); i++) {
			delivery_read(&d, r->client->session->mesh, res, i);
			read_row(r, &rows[i], &d.message);
		}
		out->messages = (struct list){ rows, db_rows(res) };
	}
	read_count(r);
}

static void
read_messages_exec(struct request *r, void *arg)
{
	const struct read_in *in = arg;
	const struct session *s = r->client->session;
	const struct core_limits *l = &r->core->limits;
	struct db_params *p;
	struct id holder;

	if (!visitor_is(&s->info)) {
		op_fail(r, ERR_FORBIDDEN,
		    "What is for this session is pushed to it; pull has that "
		    "done for what its status holds back.");
		return;
	}
	r->context = pool_zalloc(&r->pool, sizeof(struct read_out));
	if (in->limit == 0) {
		read_count(r);
		return;
	}
	holder = s->info.id;
	if (in->take)
		crypto_random_bytes(holder.b, sizeof(holder.b));
	p = db_params(STMT_delivery_take);
	db_put_id(p, &holder);
	db_put_id(p, &s->info.id);
	db_put_id(p, &s->info.member);
	db_put_int(p, in->limit);
	db_put_int(p, l->ack_ms);
	db_put_int(p, READ_BYTES);
	db_query(r->core->reads, p, read_found, r);
}

const struct op op_read_messages = {
	.name = "read_messages",
	.scope = SCOPE_MESSAGES_READ,
	.reply = "messages",
	.in = read_in_fields,
	.in_size = sizeof(struct read_in),
	.out = read_out_fields,
	.exec = read_messages_exec,
	.text = "Read messages that wait for the session or its member, the "
		"oldest first: for programs that use /mcp, to which nothing is "
		"pushed.",
};
