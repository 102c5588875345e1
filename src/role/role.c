/* SPDX-License-Identifier: ISC */
/*
 * The life of a process of linnetd.
 *
 * Every role takes the same steps in the same order: hear from the master who
 * it is, read the configuration, map the bus, give up privileges, prepare,
 * open, close the sandbox, loop.  Then a turn of the loop is: wait; handle
 * what comes; read the bus; write out; start the next commit; wake others.
 * Everything that a turn gathers goes together, so that under load batches
 * form by themselves.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "role/role.h"

#define ROLE_CONNINFO_MAX 65536

static void
role_webhook_limits(const struct conf *c, struct webhook_limits *l)
{
	const struct conf_list *allow = &c->webhook_allow;

	*l = (struct webhook_limits){
		.on = c->webhook_enabled,
		.http = c->webhook_http,
		.most = c->limit_webhooks,
		.parallel = c->webhook_parallel,
		.timeout_ms = c->webhook_timeout,
		.tries = c->webhook_tries,
		.retry_min_ms = c->webhook_retry_min,
		.retry_max_ms = c->webhook_retry_max,
		.give_up_ms = c->webhook_give_up,
		.keep_ms = c->webhook_keep,
	};
	while (l->nallow < allow->n && l->nallow < WEBHOOK_NETS_MAX) {
		const char *s = allow->v[l->nallow];

		/* The master has checked it: this is our own bug. */
		if (ip_net_parse(&l->allow[l->nallow++], s, strlen(s)) == -1)
			fatalx("webhook.allow %s", s);
	}
}

static void
role_limits(const struct conf *c, struct core_limits *l)
{
	*l = (struct core_limits){
		.hold_ms = c->mesh_hold,
		.keep_ms = c->mesh_keep,
		.ack_ms = c->mesh_ack_time,
		.lease_ms = c->mesh_lease,
		.visit_ms = c->mesh_visit,
		.host_ms = c->host_lease,
		.status_ms = c->mesh_status_time,
		.clock_ms = c->mesh_clock_window,
		.request_ms = c->limit_request_time,
		.quotas = {
			[QUOTA_SESSIONS] = c->limit_sessions,
			[QUOTA_QUEUE] = c->limit_queue,
			[QUOTA_RECIPIENT_QUEUE] = c->limit_recipient_queue,
			[QUOTA_STATE_KEYS] = c->limit_state_keys,
			[QUOTA_STATE_BYTES] = c->limit_state_bytes,
			[QUOTA_MEMORIES] = c->limit_memories,
			[QUOTA_FILES] = c->limit_files,
			[QUOTA_STORAGE] = c->limit_storage,
			[QUOTA_FILE_BYTES] = c->limit_file_bytes,
		},
		.blocks = c->limit_blocks,
		.rates = {
			[RATE_MEMBER] = { c->rate_member, c->rate_member_burst },
			[RATE_NOW] = { c->rate_now, c->rate_now_burst },
			[RATE_PAIR] = { c->rate_pair, c->rate_pair_burst },
			[RATE_REQUESTS] = { c->rate_requests,
			    c->rate_requests_burst },
			[RATE_REFUSED] = { c->rate_refused,
			    c->rate_refused_burst },
			[RATE_HELLO] = { c->rate_hello, c->rate_hello_burst },
			[RATE_LOGIN] = { c->rate_login, c->rate_login_burst },
		},
		.output = c->limit_output,
		.unacked = c->limit_unacked,
		.pending = c->limit_pending,
		.targets = c->limit_targets,
		.groups = c->limit_groups,
		.watches = c->limit_watches,
		.member_sessions = c->limit_member_sessions,
		.fields = {
			[LIMIT_NAME] = c->limit_name,
			[LIMIT_GROUP_NAME] = c->limit_group_name,
			[LIMIT_STATE_KEY] = c->limit_state_key,
			[LIMIT_STATE_VALUE] = c->limit_state_value,
			[LIMIT_MEMORY] = c->limit_memory,
		},
		.peer_events = c->limit_peer_events,
		.schedules = c->limit_schedules,
		.tokens = c->limit_tokens,
		.token_ms = c->token_max_time,
		.login_ms = c->token_login_time,
		.audit_ms = c->audit_checkpoint_time,
		.transfer_ms = c->files_transfer_time,
		.hook_rate = c->hook_rate,
		.hook_loopback = c->hook_loopback,
		.memory = c->memory_units,
	};
	role_webhook_limits(c, &l->webhook);
	l->durable = (struct durable_limits){
		.on = c->durable_enabled,
		.most = c->limit_durable_streams,
		.bytes = c->limit_durable_bytes,
		.ttl_ms = c->durable_ttl,
		.ttl_max_ms = c->durable_max_ttl,
	};
}

static void
role_log_level(const struct conf *c)
{
	enum log_level level;

	if (log_parse_level(c->log_level, &level) == 0)
		log_set_level(level);
}

void
role_send(struct role *r, enum ipc_type type, const void *payload)
{
	/* A master that is gone ends the process by its closed callback. */
	if (ipc_send(r->master, type, payload, NULL, 0, NULL, 0) != 0)
		log_debug("%s to the master was lost", ipc_name(type));
}

void
role_reload(struct ipc_peer *p, struct ipc_msg *m, void *arg)
{
	struct role *r = arg;
	struct conf *old = r->conf, *c = conf_new();
	char *error;

	(void)p;
	if (conf_read(c, "reload", m->tail, m->tail_len, &error) != 0) {
		/* The master has checked it: this is our own bug. */
		log_error("%s", error);
		free(error);
		conf_free(c);
		return;
	}
	r->conf = c;
	role_limits(c, &r->core->limits);
	role_log_level(c);
	if (r->desc->reload != NULL)
		r->desc->reload(r);
	conf_free(old);
}

void
role_log(struct ipc_peer *p, struct ipc_msg *m, void *arg)
{
	(void)p;
	(void)arg;
	if (dup2(m->fds[0], STDERR_FILENO) == -1)
		log_warn("the log stays the old file: %s", strerror(errno));
}

/* Without a master nobody brings work or starts us again. */
static void
role_master_gone(struct ipc_peer *p, void *arg)
{
	struct role *r = arg;

	(void)p;
	r->stop = true;
}

static void
role_database_up(void *arg, bool up)
{
	struct role *r = arg;

	if (!up)
		log_warn("the database does not answer; requests wait");
	else if (r->ready)
		log_info("the database answers again");
	else {
		r->ready = true;
		role_send(r, IPC_READY, NULL);
	}
	if (r->desc->database_up != NULL)
		r->desc->database_up(r, up);
}

static void
role_tick_cb(int fd, short what, void *arg)
{
	struct role *r = arg;

	(void)fd;
	(void)what;
	clock_update();
	core_tick(r->core);
	if (r->desc->tick_second != NULL)
		r->desc->tick_second(r);
}

/* The turn after the wake-up reads the bus; nothing to do here. */
static void
role_wake_cb(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static void
role_enter(struct role *r, char **argv)
{
	struct ipc_start *s = &r->start;
	char *error;
	unsigned i;

	ipc_proc_enter(r->desc->role, argv, s);
	clock_update();
	crypto_start();
	str_start();
	r->conf = conf_new();
	if (conf_read(r->conf, "master", s->text, s->text_len, &error) != 0)
		fatalx("%s", error);
	role_log_level(r->conf);
	if ((r->base = event_base_new()) == NULL)
		fatal("event_base_new");
	if (r->desc->enter != NULL)
		r->desc->enter(r);
	if ((r->bus = bus_open(s->bus_fd, s->bus.self)) == NULL)
		fatal("bus");
	close(s->bus_fd);
	for (i = 0; i < IPC_PROCS_MAX; i++)
		if (s->wake[i] >= 0)
			bus_set_wake(r->bus, i, s->wake[i]);
}

/* Where the private database's socket is, nothing else is reachable. */
static void
role_drop(struct role *r, struct buf *conninfo)
{
	bool chrooted =
	    geteuid() == 0 && strcmp(r->conf->database, "private") == 0;
	char *root = chrooted ? xasprintf("%s/run", r->conf->state_dir) : NULL;
	struct ipc_privs privs = { r->start.config.uid, r->start.config.gid,
		root };

	conf_conninfo(r->conf, chrooted, conninfo);
	ipc_drop(&privs);
	free(root);
}

/* Whose checkpoints count: this server's own, first, and those that are named.
 */
static void
role_audit_keys(struct role *r)
{
	const struct conf *c = r->conf;
	size_t i;

	r->audit_keys = xcalloc(c->audit_trust.n + 1, CRYPTO_KEY_LEN);
	memcpy(r->audit_keys[0], r->start.config.audit_key, CRYPTO_KEY_LEN);
	for (i = 0; i < c->audit_trust.n; i++)
		if (!conf_audit_trust(c, i, r->audit_keys[i + 1]))
			fatalx("audit.trust: no key");
}

static void
role_open(struct role *r, const char *conninfo)
{
	const struct timeval second = { 1, 0 };
	const struct ipc_config *me = &r->start.config;
	struct core_limits limits;
	struct core_config config;

	r->conninfo = conninfo;
	r->master =
	    ipc_open(r->base, IPC_PROC_FD, "master", r->desc->role, IPC_MASTER,
		r->desc->handlers, r->desc->nhandlers, role_master_gone, r);
	role_limits(r->conf, &limits);
	memset(&config, 0, sizeof(config));
	config.base = r->base;
	config.conninfo = conninfo;
	config.name = r->desc->database;
	config.bus = r->bus;
	config.relay = me->relay;
	config.host = me->host;
	config.incarnation = me->incarnation;
	config.host_name = r->conf->host_name;
	config.token_key = me->token_key;
	role_audit_keys(r);
	config.audit_keys = (struct audit_keys){
		(const uint8_t(*)[CRYPTO_KEY_LEN])r->audit_keys,
		r->conf->audit_trust.n + 1,
	};
	config.audit_seed = me->audit_seed;
	config.platform = me->platform;
	config.limits = &limits;
	config.db_state = role_database_up;
	config.arg = r;
	r->core = core_new(&config);
	crypto_wipe(
	    r->start.config.token_key, sizeof(r->start.config.token_key));
	crypto_wipe(
	    r->start.config.audit_seed, sizeof(r->start.config.audit_seed));
	if (r->desc->open != NULL)
		r->desc->open(r);
	r->tick = event_new(r->base, -1, EV_PERSIST, role_tick_cb, r);
	r->wake = event_new(r->base, r->start.wake[me->proc],
	    EV_READ | EV_PERSIST, role_wake_cb, r);
	if (r->tick == NULL || r->wake == NULL ||
	    event_add(r->tick, &second) != 0 || event_add(r->wake, NULL) != 0)
		fatal("event_add");
}

static void
role_loop(struct role *r)
{
	int flags;
	bool more = false;

	while (!r->stop) {
		flags = EVLOOP_ONCE;
		if (more || !bus_sleep(r->bus))
			flags |= EVLOOP_NONBLOCK;
		if (event_base_loop(r->base, flags) < 0)
			fatal("event_base_loop");
		bus_awake(r->bus);
		clock_update();
		more = core_read(r->core);
		if (r->desc->flush != NULL)
			r->desc->flush(r);
		core_turn(r->core);
		if (r->desc->turn != NULL)
			r->desc->turn(r);
	}
}

static void
role_close(struct role *r)
{
	if (r->desc->close != NULL)
		r->desc->close(r);
	core_free(r->core);
	bus_close(r->bus);
	event_free(r->tick);
	event_free(r->wake);
	ipc_close(r->files);
	ipc_close(r->master);
	event_base_free(r->base);
	conf_free(r->conf);
	free(r->audit_keys);
	free(r->start.text);
}

int
role_run(struct role *r, const struct role_desc *desc, char **argv)
{
	struct buf conninfo;

	r->desc = desc;
	role_enter(r, argv);
	buf_init(&conninfo, ROLE_CONNINFO_MAX);
	role_drop(r, &conninfo);
	if (desc->prepare != NULL)
		desc->prepare(r, buf_str(&conninfo));
	role_open(r, buf_str(&conninfo));
	buf_free(&conninfo);
	ipc_sandbox(IPC_MAY_NETWORK | desc->may);
	role_loop(r);
	role_close(r);
	return 0;
}
