/* SPDX-License-Identifier: ISC */
/*
 * Upkeep: what has to be done by the clock and not by a client.  Each piece
 * is one statement that takes a bounded number of rows and that any number of
 * hosts may run at once; when it found as many as it may take it runs again.
 */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "core/domain.h"

#define UPKEEP_CROWDS 16 /* each is many rows */
#define UPKEEP_ROWS 1000 /* deliveries that are due */
#define UPKEEP_SESSIONS_MS (7 * 86400000LL)
/* Whoever missed changes for longer has lost its sessions too. */
#define UPKEEP_STATE_MS 3600000
/* Much longer than audience.c trusts what it knows. */
#define UPKEEP_AUDIENCE_MS 86400000LL
/* So long its member can see what became of a token, or of a request. */
#define UPKEEP_TOKENS_MS (30 * 86400000LL)
#define UPKEEP_MCP_MS INT64_C(86400000)

/* Sessions of processes that died are over: their rows, and everybody's
 * roster. */
static void
upkeep_reaped(void *arg, const struct db_result *r)
{
	struct core *c = arg;
	struct id id, mesh, member;
	size_t i;

	if (db_status(r) != DB_OK)
		return;
	for (i = 0; i < db_rows(r); i++) {
		db_id(r, i, 0, &id);
		db_id(r, i, 1, &mesh);
		db_id(r, i, 2, &member);
		event_gone(c, &mesh, &id, (uint64_t)db_int(r, i, 3), true);
		if (db_int(r, i, 4) > 0)
			event_nudge(c, &mesh, &member);
	}
	if (db_rows(r) > 0)
		log_info("%zu sessions of lost processes ended", db_rows(r));
}

void
upkeep_reap(struct core *c, const struct id *live, size_t n)
{
	struct db_params *p = db_params(STMT_session_reap);
	struct slice text[BUS_PROCS_MAX];
	char hex[BUS_PROCS_MAX][ID_HEX_LEN + 1];
	size_t i;

	for (i = 0; i < n && i < BUS_PROCS_MAX; i++)
		text[i] =
		    (struct slice){ id_hex(&live[i], hex[i]), ID_HEX_LEN };
	db_put_id(p, &c->host);
	db_put_texts(p, text, i);
	db_query(c->reads, p, upkeep_reaped, c);
	p = db_params(STMT_file_reap);
	db_put_id(p, &c->host);
	db_put_texts(p, text, i);
	db_query(c->reads, p, NULL, NULL);
}

/* Those of hosts that do not renew their lease too. */
void
upkeep_hosts(struct core *c)
{
	struct db_params *p = db_params(STMT_host_reap);

	db_put_id(p, &c->host);
	db_query(c->reads, p, upkeep_reaped, c);
}

static void
upkeep_visitors_reaped(void *arg, const struct db_result *r)
{
	struct core *c = arg;
	struct id id, mesh, member;
	size_t i;

	if (db_status(r) != DB_OK)
		return;
	for (i = 0; i < db_rows(r); i++) {
		db_id(r, i, 0, &id);
		db_id(r, i, 1, &mesh);
		db_id(r, i, 2, &member);
		event_gone(
		    c, &mesh, &id, (uint64_t)db_int(r, i, 3), db_bool(r, i, 5));
		if (db_int(r, i, 4) > 0)
			event_nudge(c, &mesh, &member);
	}
}

static void
upkeep_visitors_rested(void *arg, const struct db_result *r)
{
	struct slice key;
	struct id mesh;
	size_t i;

	if (db_status(r) != DB_OK)
		return;
	for (i = 0; i < db_rows(r); i++) {
		db_id(r, i, 0, &mesh);
		key = db_bytes(r, i, 1);
		if (key.n == CRYPTO_KEY_LEN)
			visitor_read(arg, &mesh, (const uint8_t *)key.p);
	}
}

void
upkeep_visitors(struct core *c)
{
	struct db_params *p = db_params(STMT_visitor_reap);

	db_put_int(p, c->limits.visit_ms);
	db_query(c->reads, p, upkeep_visitors_reaped, c);
	if (c->limits.status_ms == 0)
		return;
	p = db_params(STMT_visitor_rest);
	db_put_int(p, c->limits.status_ms);
	db_query(c->reads, p, upkeep_visitors_rested, c);
}

/* What was not brought to an end in time, up to so many rows at a time. */
static const struct {
	enum db_stmt stmt;
	int64_t rows;
} upkeep_dues[] = {
	{ STMT_crowd_due, UPKEEP_CROWDS },
	{ STMT_delivery_due, UPKEEP_ROWS },
};

struct upkeep_due {
	struct core *core;
	size_t which;
};

static void upkeep_due_of(struct core *c, size_t which);

static void
upkeep_dued(void *arg, const struct db_result *r)
{
	struct upkeep_due *d = arg;
	struct id recipient, mesh;
	size_t i, n = db_status(r) == DB_OK ? db_rows(r) : 0;

	for (i = 0; i < n; i++) {
		if (db_null(r, i, 0))
			continue;
		db_id(r, i, 0, &recipient);
		db_id(r, i, 1, &mesh);
		event_nudge(d->core, &mesh, &recipient);
	}
	if (n > 0 && db_bool(r, 0, 2))
		upkeep_due_of(d->core, d->which);
	free(d);
}

static void
upkeep_due_of(struct core *c, size_t which)
{
	struct db_params *p = db_params(upkeep_dues[which].stmt);
	struct upkeep_due *d = xcalloc(1, sizeof(*d));

	d->core = c;
	d->which = which;
	db_put_int(p, upkeep_dues[which].rows);
	db_put_int(p, c->limits.ack_ms);
	db_query(c->reads, p, upkeep_dued, d);
}

void
upkeep_due(struct core *c)
{
	size_t i;

	for (i = 0; i < NELEM(upkeep_dues); i++)
		upkeep_due_of(c, i);
}

struct upkeep_lease {
	struct core *core;
	void (*outdated)(void *arg, const char *why);
	void *arg;
};

static void
upkeep_leased(void *arg, const struct db_result *r)
{
	struct upkeep_lease *l = arg;
	char *why = NULL;

	if (db_status(r) == DB_OK) {
		if (db_bool(r, 0, 0)) {
			log_warn("the lease of this host was over: others may "
				 "have ended its sessions");
			event_reload(l->core, NULL);
		}
		why = db_migrate_refusal(db_int(r, 0, 1), db_int(r, 0, 2));
	}
	if (why != NULL)
		l->outdated(l->arg, why);
	free(why);
	free(l);
}

void
upkeep_lease(
    struct core *c, void (*outdated)(void *arg, const char *why), void *arg)
{
	struct db_params *p = db_params(STMT_host_lease);
	struct upkeep_lease *l = xcalloc(1, sizeof(*l));

	l->core = c;
	l->outdated = outdated;
	l->arg = arg;
	db_put_id(p, &c->host);
	db_put_str(p, c->host_name);
	db_put_str(p, PACKAGE_VERSION);
	db_put_int(p, c->limits.host_ms);
	db_query(c->reads, p, upkeep_leased, l);
}

static int64_t
upkeep_hello_age(const struct core_limits *l)
{
	return 2 * l->clock_ms + 60000;
}

static int64_t
upkeep_message_age(const struct core_limits *l)
{
	return l->keep_ms;
}

static int64_t
upkeep_session_age(const struct core_limits *l)
{
	return UPKEEP_SESSIONS_MS + l->hold_ms;
}

static int64_t
upkeep_state_age(const struct core_limits *l)
{
	(void)l;
	return UPKEEP_STATE_MS;
}

static int64_t
upkeep_audience_age(const struct core_limits *l)
{
	(void)l;
	return UPKEEP_AUDIENCE_MS;
}

static int64_t
upkeep_token_age(const struct core_limits *l)
{
	(void)l;
	return UPKEEP_TOKENS_MS;
}

/* Once one is closed nothing is added to it. */
static int64_t
upkeep_channel_age(const struct core_limits *l)
{
	(void)l;
	return 0;
}

static int64_t
upkeep_mcp_age(const struct core_limits *l)
{
	(void)l;
	return UPKEEP_MCP_MS;
}

static int64_t
upkeep_webhook_age(const struct core_limits *l)
{
	return l->webhook.keep_ms;
}

/* What has to go, by its age.  Ids begin with their time. */
static const struct upkeep_broom {
	enum db_stmt stmt;
	bool by_id;
	int64_t (*age)(const struct core_limits *l);
} upkeep_brooms[] = {
	{ STMT_upkeep_hellos, false, upkeep_hello_age },
	{ STMT_schedule_clean, false, upkeep_message_age },
	{ STMT_upkeep_messages, true, upkeep_message_age },
	{ STMT_upkeep_audiences, false, upkeep_audience_age },
	{ STMT_upkeep_deliveries, true, upkeep_message_age },
	{ STMT_upkeep_sessions, false, upkeep_session_age },
	{ STMT_upkeep_state, false, upkeep_state_age },
	{ STMT_upkeep_tokens, false, upkeep_token_age },
	{ STMT_upkeep_mcp_sessions, false, upkeep_mcp_age },
	{ STMT_upkeep_channels, false, upkeep_channel_age },
	{ STMT_upkeep_grants, false, upkeep_token_age },
	{ STMT_upkeep_permissions, false, upkeep_token_age },
	{ STMT_upkeep_webhooks, false, upkeep_webhook_age },
	{ STMT_upkeep_durable, false, upkeep_channel_age },
};

struct upkeep_sweep {
	struct core *core;
	size_t broom;
};

static void upkeep_sweep(struct core *c, size_t broom);

/* A table that fills faster than one statement a minute empties it. */
static void
upkeep_swept(void *arg, const struct db_result *r)
{
	struct upkeep_sweep *s = arg;

	s->core->sweeping &= ~(UINT32_C(1) << s->broom);
	if (db_status(r) == DB_OK && db_rows(r) > 0 && db_bool(r, 0, 0))
		upkeep_sweep(s->core, s->broom);
	free(s);
}

static void
upkeep_sweep(struct core *c, size_t broom)
{
	const struct upkeep_broom *b = &upkeep_brooms[broom];
	struct upkeep_sweep *s;
	struct db_params *p;
	struct id before;

	/* The last time is not over yet. */
	if (c->sweeping & UINT32_C(1) << broom)
		return;
	c->sweeping |= UINT32_C(1) << broom;
	s = xcalloc(1, sizeof(*s));
	s->core = c;
	s->broom = broom;
	p = db_params(b->stmt);
	if (b->by_id) {
		id_at(&before, clock_wall() - b->age(&c->limits));
		db_put_id(p, &before);
	} else
		db_put_int(p, b->age(&c->limits));
	db_query(c->reads, p, upkeep_swept, s);
}

void
upkeep_clean(struct core *c)
{
	size_t i;

	for (i = 0; i < NELEM(upkeep_brooms); i++)
		upkeep_sweep(c, i);
	db_query(c->reads, db_params(STMT_upkeep_pending), NULL, NULL);
	db_query(c->reads, db_params(STMT_upkeep_gone_hosts), NULL, NULL);
}

static void
upkeep_counted(void *arg, const struct db_result *r)
{
	struct core *c = arg;

	if (db_status(r) == DB_OK && db_rows(r) > 0)
		c->counters[METRIC_QUEUE_DEPTH] = (uint64_t)db_int(r, 0, 0);
}

static void
upkeep_files(void *arg, const struct db_result *r)
{
	struct core *c = arg;

	if (db_status(r) != DB_OK || db_rows(r) == 0)
		return;
	c->counters[METRIC_FILES] = (uint64_t)db_int(r, 0, 0);
	c->counters[METRIC_FILES_BYTES] = (uint64_t)db_int(r, 0, 1);
}

void
upkeep_depth(struct core *c)
{
	db_query(c->reads, db_params(STMT_queue_depth), upkeep_counted, c);
	db_query(c->reads, db_params(STMT_file_count), upkeep_files, c);
}
