/* SPDX-License-Identifier: ISC */
/*
 * What became of the deliveries of a webhook, those that were given up among
 * them, which can be sent once more.
 */
#include <string.h>

#include "core/domain.h"
#include "core/webhook.h"

#define LOG_PAGE 50
#define LOG_PAGE_MAX 200

/* From the second on as in webhook_delivery. */
enum log_state {
	LOG_ANY,
	LOG_WAITING,
	LOG_DELIVERED,
	LOG_DEAD,
	LOG_AGAIN
};
static const char *const log_states[] = { "any", "waiting", "delivered", "dead",
	"again", NULL };

struct log_in {
	struct id webhook;
	int state;
	struct id before;
	int64_t limit;
};

#define IN(field) offsetof(struct log_in, field)
static const struct field log_fields[] = {
	{ "subscriptionId", F_ID, IN(webhook), 0, 0, FIELD_REQUIRED, NULL, NULL,
	    0, "The webhook." },
	{ "state", F_ENUM, IN(state), 0, 0, 0, log_states, NULL, 0,
	    "Only those: waiting for another try, delivered, dead (given up), "
	    "again (to be sent once more)." },
	{ "before", F_ID, IN(before), 0, 0, 0, NULL, NULL, 0,
	    "Only those before this one: the last deliveryId of the page "
	    "before." },
	{ "limit", F_INT, IN(limit), 1, LOG_PAGE_MAX, 0, NULL, NULL, 0,
	    "At most so many; 50 when absent." },
	{ .type = F_END },
};
#undef IN

struct log_row {
	struct id id;
	struct id event;
	struct slice type;
	int state;
	int64_t tries;
	int64_t status;
	struct slice error;
	struct slice response;
	int64_t created_ms;
	int64_t tried_ms;
};

#define ROW(field) offsetof(struct log_row, field)
static const struct field log_row_fields[] = {
	{ "deliveryId", F_ID, ROW(id), 0, 0, 0, NULL, NULL, 0,
	    "The delivery's id, the same each time it is tried." },
	{ "eventId", F_ID, ROW(event), 0, 0, 0, NULL, NULL, 0,
	    "The event's id." },
	{ "eventType", F_STR, ROW(type), 0, 0, 0, NULL, NULL, 0, "Its type." },
	{ "state", F_ENUM, ROW(state), 0, 0, 0, log_states, NULL, 0,
	    "What became of it." },
	{ "tries", F_INT, ROW(tries), 0, 0, 0, NULL, NULL, 0,
	    "How often it was tried." },
	{ "status", F_INT, ROW(status), 0, 0, 0, NULL, NULL, 0,
	    "HTTP status of the last answer; 0: there was none." },
	{ "error", F_STR, ROW(error), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "Why it was not taken." },
	{ "response", F_STR, ROW(response), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "How the body of the last answer begins." },
	{ "createdAt", F_TIME, ROW(created_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it was tried first." },
	{ "triedAt", F_TIME, ROW(tried_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it was tried last." },
	{ .type = F_END },
};
#undef ROW

struct log_out {
	struct list deliveries;
	bool more;
	struct id next;
};

static const struct field log_out_fields[] = {
	{ "deliveries", F_ROWS, offsetof(struct log_out, deliveries), 0, 0, 0,
	    NULL, log_row_fields, sizeof(struct log_row),
	    "The newest event first." },
	{ "more", F_BOOL, offsetof(struct log_out, more), 0, 0, FIELD_OMIT,
	    NULL, NULL, 0, "There are more." },
	{ "next", F_ID, offsetof(struct log_out, next), 0, 0, FIELD_OMIT, NULL,
	    NULL, 0, "There are more: before for the next page." },
	{ .type = F_END },
};

static bool
log_is_on(struct request *r)
{
	if (r->core->limits.webhook.on)
		return true;
	op_fail(r, ERR_UNKNOWN_TYPE,
	    "Webhooks are turned off on this server (webhook.enabled).");
	return false;
}

/* Who asks, and whether it sees those of others. */
static void
log_who(struct db_params *p, const struct request *r)
{
	const struct session *s = r->client->session;

	db_put_id(p, &s->mesh->id);
	db_put_id(p, &s->info.member);
	db_put_bool(
	    p, (r->client->scopes & SCOPE_BIT(SCOPE_WEBHOOK_READ)) != 0);
}

static int64_t
log_limit(const struct log_in *in)
{
	return in->limit > 0 ? in->limit : LOG_PAGE;
}

static void
log_read(struct log_row *d, const struct db_result *res, size_t i)
{
	db_id(res, i, 1, &d->id);
	db_id(res, i, 2, &d->event);
	d->type = db_text(res, i, 3);
	d->state = (int)db_int(res, i, 4) + LOG_WAITING;
	d->tries = db_int(res, i, 5);
	if (!db_null(res, i, 6))
		d->status = db_int(res, i, 6);
	if (!db_null(res, i, 7))
		d->error = db_text(res, i, 7);
	if (!db_null(res, i, 8))
		d->response = db_text(res, i, 8);
	d->created_ms = db_time(res, i, 9);
	d->tried_ms = db_time(res, i, 10);
}

static void
log_answer(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct log_out out = { .more = false };
	size_t i, n, most = (size_t)log_limit(r->in);
	struct log_row *v;

	if (op_db_failed(r, res))
		return;
	n = db_rows(res);
	if (n == 0) {
		op_fail(r, ERR_NOT_FOUND,
		    "There is no such webhook for you; list_webhooks has those "
		    "that there are.");
		return;
	}
	if (!db_bool(res, 0, 0)) {
		op_fail(r, ERR_FORBIDDEN,
		    "What became of the deliveries of a webhook that is not "
		    "for one channel only its own member is told.");
		return;
	}
	n -= db_null(res, 0, 1);
	out.more = n > most;
	n = out.more ? most : n;
	v = pool_zalloc(&r->pool, (n + 1) * sizeof(*v));
	for (i = 0; i < n; i++)
		log_read(&v[i], res, i);
	out.deliveries = (struct list){ v, n };
	if (out.more)
		out.next = v[n - 1].id;
	op_reply(r, &out);
}

static void
list_webhook_deliveries_exec(struct request *r, void *arg)
{
	const struct log_in *in = arg;
	struct db_params *p;

	if (!log_is_on(r))
		return;
	p = db_params(STMT_webhook_deliveries);
	log_who(p, r);
	db_put_id(p, &in->webhook);
	if (in->state == LOG_ANY)
		db_put_null(p);
	else
		db_put_int(p, in->state - LOG_WAITING);
	db_put_id(p, id_is_null(&in->before) ? NULL : &in->before);
	db_put_int(p, log_limit(in) + 1);
	db_query(r->core->reads, p, log_answer, r);
}

struct again_in {
	struct id delivery;
};

static const struct field again_fields[] = {
	{ "deliveryId", F_ID, offsetof(struct again_in, delivery), 0, 0,
	    FIELD_REQUIRED, NULL, NULL, 0, "The delivery." },
	{ .type = F_END },
};

struct again_out {
	struct id delivery;
	struct id webhook;
};

static const struct field again_out_fields[] = {
	{ "deliveryId", F_ID, offsetof(struct again_out, delivery), 0, 0, 0,
	    NULL, NULL, 0, "The delivery." },
	{ "subscriptionId", F_ID, offsetof(struct again_out, webhook), 0, 0, 0,
	    NULL, NULL, 0, "Its webhook." },
	{ .type = F_END },
};

static void
again_answer(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct again_in *in = r->in;
	struct again_out out = { .delivery = in->delivery };

	if (op_db_failed(r, res))
		return;
	if (db_rows(res) == 0)
		op_fail(r, ERR_NOT_FOUND,
		    "There is no such delivery for you; "
		    "list_webhook_deliveries has those that there are.");
	else if (!db_bool(res, 0, 0))
		op_fail(r, ERR_ID_CONFLICT,
		    "The webhook is turned off; set_webhook turns it on.");
	else if (db_int(res, 0, 1) + LOG_WAITING == LOG_WAITING)
		op_fail(r, ERR_ID_CONFLICT,
		    "It is still being tried, and will be by itself.");
	else {
		db_id(res, 0, 2, &out.webhook);
		op_reply(r, &out);
	}
}

static void
retry_webhook_delivery_exec(struct request *r, void *arg)
{
	const struct again_in *in = arg;
	struct db_params *p;

	if (!log_is_on(r))
		return;
	p = db_params(STMT_webhook_again);
	log_who(p, r);
	db_put_id(p, &in->delivery);
	db_query(r->core->reads, p, again_answer, r);
}

const struct op op_list_webhook_deliveries = {
	.name = "list_webhook_deliveries",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "GET /v1/webhooks/subscriptions/{subscriptionId}/deliveries" },
	.reply = "webhook_deliveries",
	.in = log_fields,
	.in_size = sizeof(struct log_in),
	.out = log_out_fields,
	.exec = list_webhook_deliveries_exec,
	.text = "What became of the deliveries of a webhook; state dead has "
		"those that were given up.",
};

const struct op op_retry_webhook_delivery = {
	.name = "retry_webhook_delivery",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "POST /v1/webhooks/deliveries/{deliveryId}/retry" },
	.reply = "webhook_delivery_retried",
	.in = again_fields,
	.in_size = sizeof(struct again_in),
	.out = again_out_fields,
	.exec = retry_webhook_delivery_exec,
	.text = "Send a delivery that is over once more, now and out of turn.",
};
