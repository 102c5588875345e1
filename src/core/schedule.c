/* SPDX-License-Identifier: ISC */
/*
 * schedule, list_scheduled, cancel_scheduled: messages for later, once or by a
 * cron line.
 *
 * A schedule is a row and nothing else: no process remembers it, and jobs is
 * told only when it has to wake up for it.  Who is meant is found out when it
 * is due.
 */
#include <inttypes.h>
#include <string.h>

#include "core/schedule.h"

#define SCHEDULE_AHEAD_MS (366 * INT64_C(86400000))
#define SCHEDULE_AHEAD_DAYS 366
#define SCHEDULE_TIME_MAX 253402300799999 /* the end of the year 9999 */
#define SCHEDULE_LIST_MAX 1000

/* The first is what is meant when nothing is said. */
static const char *const schedule_priorities[] = { "now", "next", "low", NULL };

struct schedule_in {
	struct list to;
	struct slice message;
	struct slice nonce;
	struct slice ciphertext;
	int priority; /* of schedule_priorities */
	int64_t deliver_ms;
	struct slice cron;
	int64_t until_ms;
	int subtype;
};

#define IN(field) offsetof(struct schedule_in, field)
static const struct field schedule_in_fields[] = {
	{ "to", F_TARGET, IN(to), 1, 1000, FIELD_REQUIRED, NULL, NULL, 0,
	    "As targetSpec of send; looked up when the message is due." },
	{ "message", F_STR, IN(message), 1, INT32_MAX, 0, NULL, NULL, 0,
	    "Its text, which the server can read; delivered in base64 as "
	    "ciphertext." },
	{ "nonce", F_STR, IN(nonce), 0, 1024, 0, NULL, NULL, 0,
	    "Instead of message, with ciphertext: handed on as it is." },
	{ "ciphertext", F_STR, IN(ciphertext), 0, INT32_MAX, 0, NULL, NULL, 0,
	    "Instead of message, with nonce: handed on as it is." },
	{ "priority", F_ENUM, IN(priority), 0, 0, 0, schedule_priorities, NULL,
	    0, "As in send; now when absent." },
	{ "deliverAt", F_INT, IN(deliver_ms), 0, SCHEDULE_TIME_MAX, 0, NULL,
	    NULL, 0,
	    "When, in milliseconds since 1970: at most 366 days ahead; at once "
	    "when it is over. With cron: not before." },
	{ "cron", F_STR, IN(cron), 1, 256, 0, NULL, NULL, 0,
	    "Again and again: minute, hour, day of the month, month and "
	    "weekday, in UTC." },
	{ "until", F_INT, IN(until_ms), 1, SCHEDULE_TIME_MAX, 0, NULL, NULL, 0,
	    "With cron: not after, in milliseconds since 1970." },
	{ "subtype", F_ENUM, IN(subtype), 0, 0, 0, table_subtypes, NULL, 0,
	    "reminder: the push says so." },
	{ .type = F_END },
};
#undef IN

struct schedule_out {
	struct id id;
	int64_t due_ms;
	struct slice cron;
};

#define OUT(field) offsetof(struct schedule_out, field)
static const struct field schedule_out_fields[] = {
	{ "scheduledId", F_ID, OUT(id), 0, 0, 0, NULL, NULL, 0,
	    "What to cancel it by." },
	{ "deliverAt", F_INT, OUT(due_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it is due first, in milliseconds since 1970." },
	{ "cron", F_STR, OUT(cron), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "As it came." },
	{ .type = F_END },
};
#undef OUT

static enum priority
schedule_priority(const struct schedule_in *in)
{
	return (enum priority)(PRIORITY_NOW - in->priority);
}

/* When it is due first.  False after failing the request. */
static bool
schedule_first(struct request *r, const struct schedule_in *in, int64_t *due_ms)
{
	char error[CRON_ERROR_MAX];
	int64_t now = clock_wall();
	struct cron cron;

	*due_ms = in->deliver_ms;
	if (in->deliver_ms > now + SCHEDULE_AHEAD_MS) {
		op_fail(r, ERR_MALFORMED,
		    "deliverAt is %" PRId64 " days ahead; at most %d.",
		    (in->deliver_ms - now) / 86400000, SCHEDULE_AHEAD_DAYS);
		return false;
	}
	if (in->cron.n == 0) {
		if (in->until_ms > 0)
			op_fail(r, ERR_MALFORMED, "until goes with cron.");
		else if (in->deliver_ms == 0)
			op_fail(r, ERR_MALFORMED,
			    "deliverAt is missing: when, in milliseconds "
			    "since 1970; or cron.");
		else
			return true;
		return false;
	}
	if (cron_parse(&cron, in->cron, error) != 0) {
		op_fail(r, ERR_MALFORMED, "cron must be %s.", error);
		return false;
	}
	/* deliverAt may be the very minute that is named. */
	*due_ms = cron_next(
	    &cron, in->deliver_ms > now ? in->deliver_ms - 60000 : now);
	if (*due_ms < in->deliver_ms)
		*due_ms = cron_next(&cron, *due_ms);
	if (in->until_ms > 0 && *due_ms > in->until_ms) {
		op_fail(r, ERR_MALFORMED,
		    "until is before the first time that cron names.");
		return false;
	}
	return true;
}

/* Is there one body, in one of the two ways? */
static bool
schedule_has_body(struct request *r, const struct schedule_in *in)
{
	bool plain = in->message.p != NULL;

	if (plain && (in->nonce.p != NULL || in->ciphertext.p != NULL))
		op_fail(r, ERR_MALFORMED,
		    "message is there, and nonce or ciphertext too: one of "
		    "both.");
	else if (!plain && in->ciphertext.p == NULL)
		op_fail(r, ERR_MALFORMED,
		    "message is missing: the text to send; or nonce and "
		    "ciphertext.");
	else if (!plain && in->nonce.p == NULL)
		op_fail(r, ERR_MALFORMED,
		    "nonce is missing: it goes with ciphertext.");
	else
		return true;
	return false;
}

/* A schedule on its way to the database; of the request's pool. */
struct schedule {
	struct request *request;
	struct id mesh;
	struct schedule_out out;
};

static void
schedule_stored(void *arg, const struct db_result *res)
{
	struct schedule *s = arg;
	struct request *r = s->request;

	if (op_db_failed(r, res))
		return;
	if (db_rows(res) == 0) {
		r->error_limit = r->error_used = r->core->limits.schedules;
		op_fail(r, ERR_QUOTA,
		    "You have %" PRId64 " scheduled messages, which is as many "
		    "as you may; cancel some.",
		    r->core->limits.schedules);
		return;
	}
	event_schedule(r->core, &s->mesh, s->out.due_ms);
	op_reply(r, &s->out);
}

static void
schedule_store(struct schedule *s, const struct schedule_in *in)
{
	static const uint8_t none[CRYPTO_KEY_LEN];
	const struct session_info *i = &s->request->client->session->info;
	const struct slice *nonce = &in->nonce;
	const struct slice *body =
	    nonce->p != NULL ? &in->ciphertext : &in->message;
	struct db_params *p = db_params(STMT_schedule_put);

	db_put_id(p, &s->out.id);
	db_put_id(p, &s->mesh);
	db_put_id(p, &i->member);
	db_put_id(p, &i->id);
	db_put_bytes(p,
	    memcmp(i->key, none, sizeof(none)) != 0 ? i->key : i->member_key,
	    CRYPTO_KEY_LEN);
	db_put_text(p, i->name.p, i->name.n);
	db_put_bool(p, i->control);
	db_put_texts(p, in->to.v, in->to.n);
	db_put_int(p, schedule_priority(in));
	db_put_int(p, in->subtype);
	db_put_text(p, nonce->p, nonce->n);
	db_put_text(p, body->p, body->n);
	db_put_text(p, in->cron.p, in->cron.n);
	if (in->until_ms > 0)
		db_put_int(p, in->until_ms);
	else
		db_put_null(p);
	db_put_int(p, s->out.due_ms);
	db_put_int(p, s->request->core->limits.schedules);
	db_query(s->request->core->reads, p, schedule_stored, s);
}

static void
schedule_exec(struct request *r, void *arg)
{
	const struct schedule_in *in = arg;
	struct schedule *s = pool_zalloc(&r->pool, sizeof(*s));

	if ((int64_t)in->to.n > r->core->limits.targets) {
		r->error_limit = r->core->limits.targets;
		r->error_used = (int64_t)in->to.n;
		op_fail(r, ERR_QUOTA,
		    "A message may have %" PRId64 " targets, this one has %zu.",
		    r->core->limits.targets, in->to.n);
		return;
	}
	if (message_is_post(&in->to)) {
		op_fail(r, ERR_MALFORMED,
		    "Nothing is scheduled for channels; post it when it is "
		    "time.");
		return;
	}
	if (!schedule_has_body(r, in) || !schedule_first(r, in, &s->out.due_ms))
		return;
	/* Now, as nobody is there to be told when it is sent. */
	if (rate_message(r, schedule_priority(in)) != ERR_NONE) {
		op_fail(r, r->error, NULL);
		return;
	}
	s->request = r;
	s->mesh = r->client->session->mesh->id;
	id_new(&s->out.id);
	s->out.cron = in->cron;
	schedule_store(s, in);
}

const struct op op_schedule = {
	.name = "schedule",
	.scope = SCOPE_MESSAGES_WRITE,
	.reply = "scheduled_ack",
	.in = schedule_in_fields,
	.in_size = sizeof(struct schedule_in),
	.out = schedule_out_fields,
	.exec = schedule_exec,
	.text = "Send a message later, once or again and again.",
};

struct list_in {
	bool all;
};

static const struct field list_in_fields[] = {
	{ "all", F_BOOL, offsetof(struct list_in, all), 0, 0, 0, NULL, NULL, 0,
	    "Those of all members; needs mesh:moderate." },
	{ .type = F_END },
};

struct list_row {
	struct id id;
	struct slice to;
	struct slice message;
	bool encrypted;
	int64_t due_ms;
	int64_t created_ms;
	struct slice cron;
	int64_t sent;
	int64_t until_ms;
	int subtype;
	int priority;
	int64_t last_ms;
	struct slice last_error;
	bool pending;
	struct slice by_name;
};

#define ROW(field) offsetof(struct list_row, field)
static const struct field list_row_fields[] = {
	{ "id", F_ID, ROW(id), 0, 0, 0, NULL, NULL, 0, "Its scheduledId." },
	{ "to", F_STR, ROW(to), 0, 0, 0, NULL, NULL, 0,
	    "Its targets, joined by commas." },
	{ "message", F_STR, ROW(message), 0, 0, 0, NULL, NULL, 0,
	    "Its text, up to 500 characters; empty when it is encrypted." },
	{ "encrypted", F_BOOL, ROW(encrypted), 0, 0, 0, NULL, NULL, 0,
	    "The server cannot read it." },
	{ "deliverAt", F_INT, ROW(due_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it is due next, or was due, in milliseconds since 1970." },
	{ "createdAt", F_INT, ROW(created_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it was scheduled, in milliseconds since 1970." },
	{ "cron", F_STR, ROW(cron), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "Its cron line." },
	{ "firedCount", F_INT, ROW(sent), 0, 0, 0, NULL, NULL, 0,
	    "How often it was sent." },
	{ "until", F_INT, ROW(until_ms), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "Not after, in milliseconds since 1970." },
	{ "subtype", F_ENUM, ROW(subtype), 0, 0, 0, table_subtypes, NULL, 0,
	    "message or reminder." },
	{ "priority", F_ENUM, ROW(priority), 0, 0, 0, table_priorities, NULL, 0,
	    "As in send." },
	{ "lastAt", F_INT, ROW(last_ms), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "When it was last sent or tried, in milliseconds since 1970." },
	{ "lastError", F_STR, ROW(last_error), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "Why it could not be sent then." },
	{ "pending", F_BOOL, ROW(pending), 0, 0, 0, NULL, NULL, 0,
	    "It is still to be sent; false: it failed, and is shown until it "
	    "is cancelled or mesh.keep is over." },
	{ "senderName", F_STR, ROW(by_name), 0, 0, 0, NULL, NULL, 0,
	    "Who scheduled it." },
	{ .type = F_END },
};
#undef ROW

struct list_out {
	struct list messages;
};

static const struct field list_out_fields[] = {
	{ "messages", F_ROWS, offsetof(struct list_out, messages), 0, 0, 0,
	    NULL, list_row_fields, sizeof(struct list_row),
	    "The next one first; up to 1000." },
	{ .type = F_END },
};

static int64_t
list_time(const struct db_result *res, size_t i, unsigned col)
{
	return db_null(res, i, col) ? 0 : db_time(res, i, col);
}

static struct slice
list_text(const struct db_result *res, size_t i, unsigned col)
{
	return db_null(res, i, col) ? (struct slice){ NULL, 0 }
				    : db_text(res, i, col);
}

static void
list_answer(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct list_out out;
	struct list_row *row;
	size_t i;

	if (op_db_failed(r, res))
		return;
	row = pool_zalloc(&r->pool, (db_rows(res) + 1) * sizeof(*row));
	out.messages = (struct list){ row, db_rows(res) };
	for (i = 0; i < db_rows(res); i++, row++) {
		db_id(res, i, 0, &row->id);
		row->to = db_text(res, i, 1);
		row->encrypted = db_bool(res, i, 2);
		row->message = db_text(res, i, 3);
		row->due_ms = list_time(res, i, 4);
		row->created_ms = db_time(res, i, 5);
		row->cron = list_text(res, i, 6);
		row->sent = db_int(res, i, 7);
		row->until_ms = list_time(res, i, 8);
		row->subtype = (int)db_int(res, i, 9);
		row->priority = (int)db_int(res, i, 10);
		row->last_ms = list_time(res, i, 11);
		row->last_error = list_text(res, i, 12);
		row->pending = db_bool(res, i, 13);
		row->by_name = db_text(res, i, 14);
	}
	op_reply(r, &out);
}

static bool
schedule_may_moderate(const struct client *c)
{
	return c->scopes & SCOPE_BIT(SCOPE_MESH_MODERATE);
}

static void
list_exec(struct request *r, void *arg)
{
	const struct list_in *in = arg;
	const struct session *s = r->client->session;
	struct db_params *p;

	if (in->all && !schedule_may_moderate(r->client)) {
		op_fail(r, ERR_FORBIDDEN,
		    "all needs the scope %s, which this session lacks.",
		    table_scopes[SCOPE_MESH_MODERATE]);
		return;
	}
	p = db_params(STMT_schedule_list);
	db_put_id(p, &s->mesh->id);
	db_put_id(p, in->all ? NULL : &s->info.member);
	db_put_int(p, SCHEDULE_LIST_MAX);
	db_query(r->core->reads, p, list_answer, r);
}

const struct op op_list_scheduled = {
	.name = "list_scheduled",
	.scope = SCOPE_MESSAGES_READ,
	.reply = "scheduled_list",
	.in = list_in_fields,
	.in_size = sizeof(struct list_in),
	.out = list_out_fields,
	.exec = list_exec,
	.text = "One's own messages that are still to be sent, or failed.",
};

struct cancel_in {
	struct id id;
};

static const struct field cancel_in_fields[] = {
	{ "scheduledId", F_ID, offsetof(struct cancel_in, id), 0, 0,
	    FIELD_REQUIRED, NULL, NULL, 0, "Which one." },
	{ .type = F_END },
};

struct cancel_out {
	struct id id;
	bool done;
};

#define OUT(field) offsetof(struct cancel_out, field)
static const struct field cancel_out_fields[] = {
	{ "scheduledId", F_ID, OUT(id), 0, 0, 0, NULL, NULL, 0, "As asked." },
	{ "ok", F_BOOL, OUT(done), 0, 0, 0, NULL, NULL, 0,
	    "It will not be sent. false: the caller has no such one; perhaps "
	    "it was sent." },
	{ .type = F_END },
};
#undef OUT

static void
cancel_answer(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct cancel_out out;

	if (op_db_failed(r, res))
		return;
	out.id = ((struct cancel_in *)r->in)->id;
	out.done = db_rows(res) > 0;
	op_reply(r, &out);
}

static void
cancel_exec(struct request *r, void *arg)
{
	const struct cancel_in *in = arg;
	const struct session *s = r->client->session;
	struct db_params *p = db_params(STMT_schedule_cancel);

	db_put_id(p, &in->id);
	db_put_id(p, &s->mesh->id);
	db_put_id(p, &s->info.member);
	db_put_bool(p, schedule_may_moderate(r->client));
	db_query(r->core->reads, p, cancel_answer, r);
}

const struct op op_cancel_scheduled = {
	.name = "cancel_scheduled",
	.scope = SCOPE_MESSAGES_WRITE,
	.reply = "cancel_scheduled_ack",
	.in = cancel_in_fields,
	.in_size = sizeof(struct cancel_in),
	.out = cancel_out_fields,
	.exec = cancel_exec,
	.text = "Have a scheduled message not sent; one's own, or with "
		"mesh:moderate another's.",
};
