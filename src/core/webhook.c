/* SPDX-License-Identifier: ISC */
/*
 * Webhooks as members see them: made, listed, turned on and off, deleted.
 *
 * One is its member's; who may see those of others may turn them off as well.
 * How its deliveries go depends on all that its member may see, and is told to
 * others only of one that is for a channel (webhook_tells() in sql/).
 * What its maker might see then is noted with it, so that a token gets nothing
 * by a webhook that it would not get by itself.
 */
#include <inttypes.h>
#include <string.h>

#include "core/channel.h"
#include "core/webhook.h"

#define WEBHOOK_TYPES_MAX 64
#define WEBHOOK_TYPE_LEN 64
#define WEBHOOK_PAGE 50
#define WEBHOOK_PAGE_MAX 200

static bool
webhook_is_on(struct request *r)
{
	if (r->core->limits.webhook.on)
		return true;
	op_fail(r, ERR_UNKNOWN_TYPE,
	    "Webhooks are turned off on this server (webhook.enabled).");
	return false;
}

static bool
webhook_sees_all(const struct request *r)
{
	return (r->client->scopes & SCOPE_BIT(SCOPE_WEBHOOK_READ)) != 0;
}

static void
webhook_unknown(struct request *r)
{
	op_fail(r, ERR_NOT_FOUND,
	    "There is no such webhook for you; list_webhooks has those that "
	    "there are.");
}

/*
 * create_webhook
 */
struct create_in {
	struct slice endpoint;
	struct list types;
	struct id channel;
	struct slice secret;
};

#define IN(field) offsetof(struct create_in, field)
static const struct field create_fields[] = {
	{ "endpoint", F_STR, IN(endpoint), 1, WEBHOOK_URL_MAX, FIELD_REQUIRED,
	    NULL, NULL, 0, "URL that events are sent to, by POST." },
	{ "eventTypes", F_STRS, IN(types), 1, WEBHOOK_TYPES_MAX, FIELD_REQUIRED,
	    NULL, NULL, 0,
	    "Types of the events, such as message.appended; * for all." },
	{ "streamId", F_ID, IN(channel), 0, 0, 0, NULL, NULL, 0,
	    "Only what happens in this channel or thread." },
	{ "secret", F_STR, IN(secret), WEBHOOK_SECRET_MIN, WEBHOOK_SECRET_MAX,
	    0, NULL, NULL, 0,
	    "What to sign with: whsec_ and base64, or any text; made when "
	    "absent." },
	{ .type = F_END },
};
#undef IN

struct create_out {
	struct id id;
	struct slice secret;
};

#define OUT(field) offsetof(struct create_out, field)
static const struct field create_out_fields[] = {
	{ "subscriptionId", F_ID, OUT(id), 0, 0, 0, NULL, NULL, 0,
	    "The webhook's id." },
	{ "secret", F_STR, OUT(secret), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "What its deliveries are signed with, when it was made here; it is "
	    "not shown again." },
	{ .type = F_END },
};
#undef OUT

/* Of the request's pool. */
struct creating {
	struct request *request;
	struct create_out out;
	char secret[WEBHOOK_SECRET_LEN + 1];
};

static void
created_not(struct request *r, bool is_thread)
{
	const struct create_in *in = r->in;

	if (op_left(r))
		return;
	if (id_is_null(&in->channel))
		op_deny(r, SCOPE_WEBHOOK_SUBSCRIBE, "org",
		    &r->client->session->mesh->id);
	else
		op_deny(r, SCOPE_WEBHOOK_SUBSCRIBE,
		    is_thread ? "thread" : "channel", &in->channel);
}

static void
created(void *arg, const struct db_result *res)
{
	struct creating *g = arg;
	struct request *r = g->request;

	if (op_db_failed(r, res))
		return;
	switch (db_int(res, 0, 0)) {
	case 0:
		op_reply(r, &g->out);
		break;
	case 1:
		op_fail(r, ERR_NOT_FOUND,
		    "There is no such channel for you; list_channels has those "
		    "that there are.");
		break;
	case 3:
		created_not(r, db_bool(res, 0, 1));
		break;
	default:
		r->error_limit = r->error_used = r->core->limits.webhook.most;
		op_fail(r, ERR_QUOTA,
		    "You have %" PRId64 " webhooks, which is as many as you "
		    "may; delete some.",
		    r->core->limits.webhook.most);
		break;
	}
}

/* The journal does not have the whole endpoint: there may be a secret in it. */
static void
create_line(struct db_params *row, const struct session *s,
    const struct creating *g, const struct create_in *in, const char *host)
{
	const struct slice *v = in->types.v;
	struct journal_line l;
	size_t i;

	journal_begin(&l, row);
	json_key(&l.w, "actorId");
	json_id(&l.w, &s->info.member);
	json_key(&l.w, "endpointHost");
	json_str(&l.w, host);
	json_key(&l.w, "eventTypes");
	json_array(&l.w);
	for (i = 0; i < in->types.n; i++)
		json_strn(&l.w, v[i].p, v[i].n);
	json_array_end(&l.w);
	json_key(&l.w, "orgId");
	json_id(&l.w, &s->mesh->id);
	json_key(&l.w, "streamId");
	if (id_is_null(&in->channel))
		json_null(&l.w);
	else
		json_id(&l.w, &in->channel);
	json_key(&l.w, "subscriptionId");
	json_id(&l.w, &g->out.id);
	journal_end(&l, 0, "webhook.created");
}

/* May it be told of what is not in a channel?  What a back end with the
 * platform's key says is not for the member's role to take away. */
static int64_t
create_audits(const struct client *c)
{
	if (!(c->scopes & SCOPE_BIT(SCOPE_AUDIT_READ)))
		return 0;
	if (c->deputy != NULL && !c->deputy->vouched && deputy_token(c) == NULL)
		return 2;
	return 1;
}

static void
create_store(struct request *r, const struct create_in *in, const char *host)
{
	const struct session *s = r->client->session;
	struct creating *g = pool_zalloc(&r->pool, sizeof(*g));
	uint8_t box[WEBHOOK_SECRET_MAX + CRYPTO_LOCK_EXTRA];
	struct slice secret = in->secret;
	char at[CLOCK_RFC3339_LEN + 1];
	struct db_params *p;

	g->request = r;
	id_new(&g->out.id);
	if (secret.n == 0) {
		webhook_secret_make(g->secret);
		secret = g->out.secret =
		    (struct slice){ g->secret, WEBHOOK_SECRET_LEN };
	}
	webhook_secret_lock(r->core, &g->out.id, secret, box);
	clock_format(clock_wall(), at);
	p = journal_row(r->core, STMT_webhook_make, &s->mesh->id, created, g);
	db_put_id(p, &g->out.id);
	db_put_id(p, &s->mesh->id);
	db_put_id(p, &s->info.member);
	db_put_text(p, in->endpoint.p, in->endpoint.n);
	db_put_texts(p, in->types.v, in->types.n);
	db_put_id(p, id_is_null(&in->channel) ? NULL : &in->channel);
	db_put_int(p, create_audits(r->client));
	db_put_bytes(p, box, secret.n + CRYPTO_LOCK_EXTRA);
	db_put_int(p, r->core->limits.webhook.most);
	db_put_str(p, at);
	db_put_bool(p, r->by_grant);
	create_line(p, s, g, in, host);
}

static bool
create_types_good(struct request *r, const struct list *types)
{
	const struct slice *v = types->v;
	size_t i;

	for (i = 0; i < types->n; i++)
		if (v[i].n == 0 || v[i].n > WEBHOOK_TYPE_LEN) {
			op_fail(r, ERR_MALFORMED,
			    "eventTypes[%zu]: must be of 1 to %d bytes.", i,
			    WEBHOOK_TYPE_LEN);
			return false;
		}
	return true;
}

static void
create_webhook_exec(struct request *r, void *arg)
{
	const struct create_in *in = arg;
	struct webhook_url url;
	const char *why;

	if (!webhook_is_on(r) || !create_types_good(r, &in->types))
		return;
	if ((r->client->scopes & SCOPE_BIT(SCOPE_CHANNELS_READ)) == 0) {
		op_fail(r, ERR_FORBIDDEN,
		    "A webhook gets what happens in channels: it also needs "
		    "the scope %s.",
		    table_scopes[SCOPE_CHANNELS_READ]);
		return;
	}
	why = webhook_url(&url, in->endpoint, &r->core->limits.webhook);
	if (why != NULL) {
		r->error_reason = why;
		op_fail(r, ERR_WEBHOOK_ENDPOINT_BLOCKED,
		    "The endpoint cannot be used: %s. It must be %s, and a "
		    "host that everybody on the Internet can reach.",
		    why,
		    r->core->limits.webhook.http ? "http:// or https://"
						 : "https://");
		return;
	}
	create_store(r, in, url.host);
}

/*
 * list_webhooks
 */
struct list_in {
	bool disabled;
	struct id before;
	int64_t limit;
};

#define IN(field) offsetof(struct list_in, field)
static const struct field list_fields[] = {
	{ "includeDisabled", F_BOOL, IN(disabled), 0, 0, 0, NULL, NULL, 0,
	    "Also those that are turned off." },
	{ "before", F_ID, IN(before), 0, 0, 0, NULL, NULL, 0,
	    "Only those made before this one." },
	{ "limit", F_INT, IN(limit), 1, WEBHOOK_PAGE_MAX, FIELD_MESH, NULL,
	    NULL, 0, "At most so many; 50 when absent." },
	{ "limit", F_INT, IN(limit), 1, WEBHOOK_PAGE_MAX, FIELD_REST, NULL,
	    NULL, 0, "At most so many; 200 when absent." },
	{ .type = F_END },
};
#undef IN

struct webhook_row {
	struct id id;
	struct id mesh;
	struct id member;
	struct slice endpoint;
	struct list types;
	struct id channel;
	bool enabled;
	struct slice why;
	int64_t created_ms;
	int64_t failing_ms;
	int64_t tries;
	int64_t retry_ms;
};

#define ROW(field) offsetof(struct webhook_row, field)
static const struct field webhook_row_fields[] = {
	{ "id", F_ID, ROW(id), 0, 0, 0, NULL, NULL, 0, "The webhook's id." },
	{ "orgId", F_ID, ROW(mesh), 0, 0, 0, NULL, NULL, 0, "The mesh's." },
	{ "actorId", F_ID, ROW(member), 0, 0, 0, NULL, NULL, 0,
	    "Whose it is." },
	{ "endpoint", F_STR, ROW(endpoint), 0, 0, 0, NULL, NULL, 0,
	    "Where it goes." },
	{ "eventTypes", F_STRS, ROW(types), 0, 0, 0, NULL, NULL, 0,
	    "What is sent." },
	{ "streamId", F_ID, ROW(channel), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "Of this channel or thread only, or null." },
	{ "enabled", F_BOOL, ROW(enabled), 0, 0, 0, NULL, NULL, 0,
	    "It is on." },
	{ "createdAt", F_TIME, ROW(created_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it was made." },
	{ "disabledReason", F_STR, ROW(why), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "Why the server turned it off." },
	{ "failingSince", F_TIME, ROW(failing_ms), 0, 0, FIELD_OMIT, NULL, NULL,
	    0, "Since then its endpoint took nothing." },
	{ "tries", F_INT, ROW(tries), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "How often its next event was tried, if it was." },
	{ "retryAt", F_TIME, ROW(retry_ms), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "When it is tried again." },
	{ .type = F_END },
};
#undef ROW

struct list_out {
	struct list webhooks;
	bool more;
	struct id next;
};

static const struct field list_out_fields[] = {
	{ "subscriptions", F_ROWS, offsetof(struct list_out, webhooks), 0, 0, 0,
	    NULL, webhook_row_fields, sizeof(struct webhook_row),
	    "The newest first." },
	{ "more", F_BOOL, offsetof(struct list_out, more), 0, 0, FIELD_OMIT,
	    NULL, NULL, 0, "There are more, before the last one." },
	{ "next", F_ID, offsetof(struct list_out, next), 0, 0, FIELD_OMIT, NULL,
	    NULL, 0, "There are more: before for the next page." },
	{ .type = F_END },
};

static void
list_row(struct webhook_row *w, struct pool *pool, const struct db_result *res,
    size_t i)
{
	struct slice *types =
	    pool_alloc(pool, WEBHOOK_TYPES_MAX * sizeof(*types));

	db_id(res, i, 0, &w->id);
	db_id(res, i, 1, &w->member);
	w->endpoint = db_text(res, i, 2);
	w->types.n = db_texts(res, i, 3, types, WEBHOOK_TYPES_MAX);
	w->types.v = types;
	if (!db_null(res, i, 4))
		db_id(res, i, 4, &w->channel);
	w->enabled = db_bool(res, i, 5);
	if (!db_null(res, i, 6))
		w->why = db_text(res, i, 6);
	w->created_ms = db_time(res, i, 7);
	if (!db_null(res, i, 8))
		w->failing_ms = db_time(res, i, 8);
	w->tries = db_int(res, i, 9);
	if (!db_null(res, i, 10))
		w->retry_ms = db_time(res, i, 10);
}

static int64_t
webhook_limit(const struct request *r)
{
	const struct list_in *in = r->in;

	return op_page(r, in->limit, WEBHOOK_PAGE, WEBHOOK_PAGE_MAX);
}

static void
listed(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct list_out out = { .more = false };
	struct webhook_row *v;
	size_t i, n, most = (size_t)webhook_limit(r);

	if (op_db_failed(r, res) || op_left(r))
		return;
	n = db_rows(res);
	out.more = n > most;
	n = out.more ? most : n;
	v = pool_zalloc(&r->pool, (n + 1) * sizeof(*v));
	for (i = 0; i < n; i++) {
		list_row(&v[i], &r->pool, res, i);
		v[i].mesh = r->client->session->mesh->id;
	}
	out.webhooks = (struct list){ v, n };
	if (out.more)
		out.next = v[n - 1].id;
	op_reply(r, &out);
}

static void
list_webhooks_exec(struct request *r, void *arg)
{
	static const struct id last = { { 255, 255, 255, 255, 255, 255, 255,
	    255, 255, 255, 255, 255, 255, 255, 255, 255 } };
	const struct session *s = r->client->session;
	const struct list_in *in = arg;
	struct db_params *p;

	if (!webhook_is_on(r))
		return;
	p = db_params(STMT_webhook_list);
	db_put_id(p, &s->mesh->id);
	db_put_id(p, &s->info.member);
	db_put_bool(p, webhook_sees_all(r));
	db_put_bool(p, in->disabled);
	db_put_id(p, id_is_null(&in->before) ? &last : &in->before);
	db_put_int(p, webhook_limit(r) + 1);
	db_query(r->core->reads, p, listed, r);
}

/*
 * set_webhook, delete_webhook; and what the server turns off
 */
struct change_in {
	struct id webhook;
	bool enabled;
	bool skip;
};

#define IN(field) offsetof(struct change_in, field)
static const struct field set_fields[] = {
	{ "subscriptionId", F_ID, IN(webhook), 0, 0, FIELD_REQUIRED, NULL, NULL,
	    0, "The webhook." },
	{ "enabled", F_BOOL, IN(enabled), 0, 0, FIELD_REQUIRED, NULL, NULL, 0,
	    "On or off. One that is turned on goes on behind the last event "
	    "that it had." },
	{ "skip", F_BOOL, IN(skip), 0, 0, 0, NULL, NULL, 0,
	    "Leave out what happened until now." },
	{ .type = F_END },
};
static const struct field delete_fields[] = {
	{ "subscriptionId", F_ID, IN(webhook), 0, 0, FIELD_REQUIRED, NULL, NULL,
	    0, "The webhook." },
	{ .type = F_END },
};
#undef IN

struct change_out {
	struct id webhook;
	bool ok;
};

static const struct field change_out_fields[] = {
	{ "ok", F_BOOL, offsetof(struct change_out, ok), 0, 0, 0, NULL, NULL, 0,
	    "It is so." },
	{ "subscriptionId", F_ID, offsetof(struct change_out, webhook), 0, 0, 0,
	    NULL, NULL, 0, "The webhook." },
	{ .type = F_END },
};

static void
changed(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct change_in *in = r->in;
	struct change_out out = { in->webhook, true };

	if (op_db_failed(r, res))
		return;
	if (db_int(res, 0, 0) != 0)
		webhook_unknown(r);
	else
		op_reply(r, &out);
}

/* What is to become of one, and by whom; nobody: the server. */
struct change {
	const struct id *mesh;
	const struct id *webhook;
	const struct id *member;
	bool every; /* also one of somebody else */
	bool removes;
	bool enabled;
	bool skips;
	const char *why;
};

static void
change_line(struct db_params *row, const struct change *c)
{
	struct journal_line l;

	journal_begin(&l, row);
	json_key(&l.w, "actorId");
	if (c->member != NULL)
		json_id(&l.w, c->member);
	else
		json_null(&l.w);
	if (!c->removes) {
		json_key(&l.w, "enabled");
		json_bool(&l.w, c->enabled);
	}
	json_key(&l.w, "orgId");
	json_id(&l.w, c->mesh);
	if (c->why != NULL) {
		json_key(&l.w, "reason");
		json_str(&l.w, c->why);
	}
	json_key(&l.w, "subscriptionId");
	json_id(&l.w, c->webhook);
	journal_end(&l, 0, c->removes ? "webhook.deleted" : "webhook.updated");
}

static void
change(struct core *core, const struct change *c, db_fn *fn, void *arg)
{
	struct db_params *p =
	    journal_row(core, STMT_webhook_change, c->mesh, fn, arg);
	char at[CLOCK_RFC3339_LEN + 1];

	clock_format(clock_wall(), at);
	db_alone(p, c->webhook);
	db_put_id(p, c->mesh);
	db_put_id(p, c->webhook);
	db_put_id(p, c->member);
	db_put_bool(p, c->every);
	db_put_bool(p, c->removes);
	db_put_bool(p, c->enabled);
	db_put_bool(p, c->skips);
	db_put_str(p, c->why);
	db_put_str(p, at);
	change_line(p, c);
}

static void
change_asked(struct request *r, const struct change_in *in, bool removes)
{
	const struct session *s = r->client->session;
	struct change c = { .mesh = &s->mesh->id,
		.webhook = &in->webhook,
		.member = &s->info.member,
		.every = webhook_sees_all(r),
		.removes = removes,
		.enabled = in->enabled,
		.skips = in->skip };

	if (webhook_is_on(r))
		change(r->core, &c, changed, r);
}

void
webhook_disable(struct core *core, const struct id *mesh,
    const struct id *webhook, const char *why)
{
	struct change c = { .mesh = mesh, .webhook = webhook, .why = why };

	change(core, &c, NULL, NULL);
}

static void
set_webhook_exec(struct request *r, void *arg)
{
	change_asked(r, arg, false);
}

static void
delete_webhook_exec(struct request *r, void *arg)
{
	change_asked(r, arg, true);
}

const struct op op_create_webhook = {
	.name = "create_webhook",
	.scope = SCOPE_WEBHOOK_SUBSCRIBE,
	.flags = OP_GRANTABLE,
	.rest = { "POST /v1/webhooks/subscriptions" },
	.reply = "webhook_created",
	.in = create_fields,
	.in_size = sizeof(struct create_in),
	.out = create_out_fields,
	.exec = create_webhook_exec,
	.text = "Have events sent to a URL, signed, in their order, each until "
		"it was taken; those that the member may see at that time.",
};

const struct op op_list_webhooks = {
	.name = "list_webhooks",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "GET /v1/webhooks/subscriptions" },
	.reply = "webhooks",
	.in = list_fields,
	.in_size = sizeof(struct list_in),
	.out = list_out_fields,
	.exec = list_webhooks_exec,
	.text =
	    "One's own webhooks and how they do; with webhook:read those of "
	    "all. How one does that is not for one channel only its own "
	    "member is told.",
};

const struct op op_set_webhook = {
	.name = "set_webhook",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "PATCH /v1/webhooks/subscriptions/{subscriptionId}" },
	.reply = "webhook_set",
	.in = set_fields,
	.in_size = sizeof(struct change_in),
	.out = change_out_fields,
	.exec = set_webhook_exec,
	.text = "Turn a webhook on or off.",
};

const struct op op_delete_webhook = {
	.name = "delete_webhook",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "DELETE /v1/webhooks/subscriptions/{subscriptionId}" },
	.reply = "webhook_deleted",
	.in = delete_fields,
	.in_size = sizeof(struct change_in),
	.out = change_out_fields,
	.exec = delete_webhook_exec,
	.text = "Delete a webhook with its log.",
};
