/* SPDX-License-Identifier: ISC */
/*
 * The context of one process: its database connections, its place on the bus,
 * the meshes it serves.
 *
 * Four connections.  One answers questions; the others gather writes into
 * commits.  What becomes of sessions and deliveries has one of its own: so a
 * sender does not wait for the marks of what was sent before.  So have
 * channels: what is written to them waits for other processes.  And no two
 * processes wait for each other: a transaction that makes delivery rows, and
 * one that marks them before they are there, each touch them in the order of
 * their keys, once.
 */
#include <stdlib.h>
#include <string.h>

#include "core/channel.h"
#include "core/durable.h"
#include "core/file.h"
#include "core/grant.h"
#include "core/webhook.h"

#define CORE_READ_MAX 512
#define CORE_CONNECTIONS 4 /* master_cluster.c counts on it */
#define CORE_BATCH_ROWS 4096
#define CORE_QUEUE_ROWS 200000

static void
core_reload(struct core *c)
{
	struct hash_entry *e, *next;
	size_t i;

	token_told(c, NULL, NULL);
	follow_reload(c);
	permission_wait_over(c, NULL);
	HASH_FOREACH (e, next, i, &c->meshes)
		mesh_reload(CONTAINER(e, struct mesh, by_id));
}

static void
core_db_state(struct core *c)
{
	uint64_t n = (uint64_t)db_up(c->reads) + (uint64_t)db_up(c->writes) +
		     (uint64_t)db_up(c->marks) + (uint64_t)db_up(c->journal);
	bool up = n == CORE_CONNECTIONS;

	c->counters[METRIC_DB_UP] = n;
	if (up == c->up)
		return;
	c->up = up;
	if (!up)
		audience_forget(c); /* another may come up */
	if (up) {
		/* While it was away things happened of which nobody told. */
		session_catch_up(c);
		core_reload(c);
	}
	if (c->db_state != NULL)
		c->db_state(c->arg, up);
}

static void
core_state_cb(void *arg, bool up)
{
	struct core *c = arg;

	(void)up;
	/* The first call may come while the last is not open yet. */
	if (c->reads != NULL && c->writes != NULL && c->marks != NULL &&
	    c->journal != NULL)
		core_db_state(c);
}

struct core *
core_new(const struct core_config *config)
{
	struct core *c = xcalloc(1, sizeof(*c));
	struct db_config db;

	c->limits = *config->limits;
	c->host = config->host;
	c->incarnation = config->incarnation;
	str_copy(c->host_name, config->host_name, sizeof(c->host_name));
	c->bus = config->bus;
	c->proc = bus_self(config->bus);
	c->relay = config->relay;
	c->counters = bus_counters(config->bus, c->proc);
	c->receive = event_receive;
	c->lost = core_reload;
	c->db_state = config->db_state;
	c->arg = config->arg;
	crypto_random_bytes(&c->generation, sizeof(c->generation));
	hash_init(&c->meshes);
	hash_init(&c->hook_rates);
	hash_init(&c->followed);
	hash_init(&c->durable_waits);
	LIST_INIT(&c->durable_waiting);
	LIST_INIT(&c->busy);
	LIST_INIT(&c->waiters);
	TAILQ_INIT(&c->late);
	TAILQ_INIT(&c->multicasts);
	TAILQ_INIT(&c->crowds);
	TAILQ_INIT(&c->dirty_crowds);
	TAILQ_INIT(&c->endings);
	TAILQ_INIT(&c->kicks);
	LIST_INIT(&c->deputies);
	LIST_INIT(&c->visiting);
	LIST_INIT(&c->nudged);
	LIST_INIT(&c->transfers);
	TAILQ_INIT(&c->unclaims);
	c->audit_keys = config->audit_keys;
	if (config->audit_seed != NULL)
		memcpy(c->audit_seed, config->audit_seed, CRYPTO_KEY_LEN);
	token_open(c, config->token_key);
	memcpy(c->platform, config->platform, sizeof(c->platform));
	file_link_open(c, config->token_key);
	visitor_open(c, config->token_key);
	hash_init(&c->rates);

	memset(&db, 0, sizeof(db));
	db.conninfo = config->conninfo;
	db.name = config->name;
	db.deadline_ms = c->limits.request_ms;
	db.batch_max = CORE_BATCH_ROWS;
	db.queue_max = CORE_QUEUE_ROWS;
	db.state = core_state_cb;
	db.arg = c;
	db.warm = DB_WARM_BATCHES;
	c->writes = db_open(config->base, &db);
	c->marks = db_open(config->base, &db);
	db.lock = STMT_journal_lock;
	c->journal = db_open(config->base, &db);
	db.warm = DB_WARM_QUERIES;
	c->reads = db_open(config->base, &db);
	return c;
}

void
core_free(struct core *c)
{
	db_close(c->writes);
	db_close(c->marks);
	db_close(c->journal);
	db_close(c->reads);
	session_close(c);
	schedule_close(c);
	unit_close(c);
	file_jobs_close(c);
	webhook_close(c);
	durable_close(c);
	file_watch_close(c);
	moderation_close(c);
	permission_wait_close(c);
	follow_close(c);
	deputy_turn(c);
	mesh_free_all(c);
	hook_close(c);
	rate_close(c);
	token_close(c);
	free(c->overtaken);
	crypto_wipe(c->file_key, sizeof(c->file_key));
	crypto_wipe(c->visitor_key, sizeof(c->visitor_key));
	free(c->slots);
	free(c);
}

static void
core_receive(void *arg, unsigned from, uint16_t type, const char *p, size_t n)
{
	struct core *c = arg;

	c->receive(c, from, type, p, n);
}

bool
core_read(struct core *c)
{
	bool lost;
	unsigned n;

	n = bus_read(c->bus, CORE_READ_MAX, core_receive, c, &lost);
	if (lost) {
		core_count(c, BUS_LOST);
		log_warn("fell behind the bus; reading the database");
		c->lost(c);
	}
	return n == CORE_READ_MAX;
}

void
core_look(struct core *c)
{
	if (c->looked)
		return;
	c->looked = true;
	(void)core_read(c);
}

void
core_turn(struct core *c)
{
	c->looked = false;
	moderation_turn(c);
	message_record(c);
	crowd_turn(c);
	visitor_turn(c);
	follow_turn(c);
	deputy_turn(c);
	db_flush(c->writes);
	db_flush(c->marks);
	db_flush(c->journal);
	db_flush(c->reads);
	bus_flush(c->bus);
}

void
core_tick(struct core *c)
{
	c->counters[METRIC_SESSIONS] = c->sessions;
	presence_tick(c);
	delivery_tick(c);
	follow_tick(c);
	permission_wait_tick(c);
	durable_tick(c);
	hook_tick(c);
	rate_tick(c);
	token_tick(c);
	visitor_tick(c);
	file_tick(c);
	mesh_tick(c);
}

uint64_t
core_metric(struct core *c, enum metric m)
{
	bool same = table_metrics[m].type == METRIC_TYPE_SAME;
	uint64_t sum = 0, v;
	unsigned i;

	for (i = 0; i < bus_procs(c->bus); i++) {
		v = bus_counters(c->bus, i)[m];
		sum = !same ? sum + v : v > sum ? v : sum;
	}
	return sum;
}
