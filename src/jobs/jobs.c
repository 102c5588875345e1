/* SPDX-License-Identifier: ISC */
/*
 * The jobs process: brings the schema up to date before anybody serves, then
 * does by the clock what no client asks for.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/jobs.h"
#include "jobs/jobs_courier.h"
#include "role/role.h"

#define JOBS_CONNECT_MS 30000

static struct jobs {
	struct role role;	       /* first: a role is a jobs here */
	struct id live[IPC_PROCS_MAX]; /* incarnations of this host's workers */
	size_t nlive;
	unsigned seconds;
	bool outdated;	   /* the master knows */
	struct event *due; /* when something scheduled is */
	int64_t due_ms;	   /* clock_mono(); INT64_MAX: it is not set */
} jobs_self;

/* Each job, and every how many seconds. */
static void jobs_reap(struct jobs *j);
static void
jobs_due(struct jobs *j)
{
	upkeep_due(j->role.core);
}

/* The schema has become too new: the host leaves in order. */
static void
jobs_outdated(void *arg, const char *why)
{
	struct jobs *j = arg;

	if (j->outdated)
		return;
	j->outdated = true;
	log_error("%s; draining", why);
	role_send(&j->role, IPC_OUTDATED, NULL);
}

static unsigned
jobs_lease_seconds(const struct jobs *j)
{
	return (unsigned)(j->role.core->limits.host_ms / 1000);
}

/* Renewed three times before it is over. */
static void
jobs_lease(struct jobs *j)
{
	if (j->seconds % (jobs_lease_seconds(j) / 3) != 0)
		return;
	upkeep_lease(j->role.core, jobs_outdated, j);
	token_key_say(j->role.core);
}

static void
jobs_depth(struct jobs *j)
{
	upkeep_depth(j->role.core);
}

/* Not before the other hosts had time to renew their leases: perhaps the
 * database was away for all. */
static void
jobs_hosts(struct jobs *j)
{
	if (j->seconds >= jobs_lease_seconds(j))
		upkeep_hosts(j->role.core);
}

static void
jobs_visitors(struct jobs *j)
{
	upkeep_visitors(j->role.core);
}

static void
jobs_clean(struct jobs *j)
{
	upkeep_clean(j->role.core);
}

/* Those that other hosts know of. */
static void
jobs_schedules(struct jobs *j)
{
	schedule_look(j->role.core);
}

/* The journals of which nobody told, and what was found in them. */
static void
jobs_units(struct jobs *j)
{
	unit_look(j->role.core);
	search_settle(j->role.core);
}

/* As often as checkpoints are to be made, and at least each minute. */
static void
jobs_audit(struct jobs *j)
{
	int64_t seconds = j->role.core->limits.audit_ms / 1000;

	if (seconds > 0 && j->seconds % (seconds < 60 ? seconds : 60) == 0)
		audit_jobs_look(j->role.core);
}

static void
jobs_files(struct jobs *j)
{
	file_jobs_sweep(j->role.core);
}

static void
jobs_repair(struct jobs *j)
{
	file_repair(j->role.core);
}

static const struct job {
	unsigned seconds;
	void (*fn)(struct jobs *j);
} jobs_table[] = {
	{ 1, jobs_due },
	{ 1, jobs_reap },
	{ 5, jobs_schedules },
	{ 10, jobs_units },
	{ 1, jobs_lease },
	{ 2, jobs_hosts },
	{ 1, jobs_visitors },
	{ 30, jobs_depth },
	{ 60, jobs_clean },
	{ 2, jobs_files },
	{ 1, jobs_audit },
	{ 5, jobs_repair },
};

static void
jobs_reap(struct jobs *j)
{
	upkeep_reap(j->role.core, j->live, j->nlive);
}

static void
jobs_add_live(struct jobs *j, const struct id *id)
{
	if (j->nlive < NELEM(j->live))
		j->live[j->nlive++] = *id;
}

static void
jobs_proc_live(struct ipc_peer *p, struct ipc_msg *m, void *arg)
{
	const struct ipc_incarnation *i = m->payload;

	(void)p;
	jobs_add_live(arg, &i->id);
}

static void
jobs_proc_gone(struct ipc_peer *p, struct ipc_msg *m, void *arg)
{
	const struct ipc_incarnation *gone = m->payload;
	struct jobs *j = arg;
	size_t i;

	(void)p;
	for (i = 0; i < j->nlive; i++)
		if (id_same(&j->live[i], &gone->id)) {
			j->live[i] = j->live[--j->nlive];
			break;
		}
	jobs_reap(j);
}

static const struct ipc_handler jobs_from_master[] = {
	{ IPC_PROC_LIVE, jobs_proc_live },
	{ IPC_PROC_GONE, jobs_proc_gone },
	{ IPC_FILES_CHANNEL, role_files_channel },
	{ IPC_RELOAD, role_reload },
	{ IPC_LOG, role_log },
};

/* Nobody serves before the schema is what this program needs. */
static void
jobs_migrate(struct role *r, const char *conninfo)
{
	struct db_sync *s;
	char *error;
	int n;

	(void)r;
	if ((s = db_sync_open(conninfo, JOBS_CONNECT_MS, &error)) == NULL)
		fatalx("%s", error);
	if ((n = db_migrate(s)) < 0)
		fatalx("%s", db_sync_error(s));
	if (n > 0)
		log_info("%d schema changes made, version %d", n,
		    db_migrate_wanted());
	db_sync_close(s);
}

static void
jobs_due_cb(int fd, short what, void *arg)
{
	struct jobs *j = arg;

	(void)fd;
	(void)what;
	clock_update();
	j->due_ms = INT64_MAX;
	if (j->role.core->up && schedule_next(j->role.core) <= clock_mono())
		schedule_look(j->role.core);
}

/* Sleeps until the next one is due; then the turn looks at units. */
static void
jobs_turn(struct role *r)
{
	struct jobs *j = (struct jobs *)r;
	int64_t at, wait;
	struct timeval tv;

	schedule_turn(r->core);
	unit_turn(r->core);
	at = schedule_next(r->core);
	if (at > unit_next(r->core))
		at = unit_next(r->core);
	if (at == j->due_ms)
		return;
	j->due_ms = at;
	if (at == INT64_MAX) {
		event_del(j->due);
		return;
	}
	wait = at > clock_mono() ? at - clock_mono() : 0;
	tv.tv_sec = (time_t)(wait / 1000);
	tv.tv_usec = (suseconds_t)(wait % 1000 * 1000);
	if (event_add(j->due, &tv) != 0)
		fatal("event_add");
}

static void
jobs_enter(struct role *r)
{
	if (r->conf->webhook_enabled)
		jobs_courier_enter(r);
}

static void
jobs_close(struct role *r)
{
	if (r->conf->webhook_enabled)
		jobs_courier_close();
	event_free(((struct jobs *)r)->due);
}

static void
jobs_open(struct role *r)
{
	struct jobs *j = (struct jobs *)r;
	unsigned i;

	for (i = 0; i < r->start.nlive; i++)
		jobs_add_live(j, &r->start.live[i].id);
	schedule_open(r->core);
	unit_open(r->core);
	file_jobs_open(r->core);
	role_transfers(r);
	if (r->conf->webhook_enabled)
		jobs_courier_open(r);
	j->due_ms = INT64_MAX;
	if ((j->due = event_new(r->base, -1, 0, jobs_due_cb, j)) == NULL)
		fatal("event_new");
}

/* Of what was done while the answer was lost nobody was told. */
static void
jobs_database_up(struct role *r, bool up)
{
	if (!up)
		return;
	((struct jobs *)r)->seconds = 0;
	upkeep_lease(r->core, jobs_outdated, r);
	event_reload(r->core, NULL);
}

static void
jobs_tick(struct role *r)
{
	struct jobs *j = (struct jobs *)r;
	size_t i;

	if (!r->core->up)
		return;
	for (i = 0; i < NELEM(jobs_table); i++)
		if (j->seconds % jobs_table[i].seconds == 0)
			jobs_table[i].fn(j);
	j->seconds++;
}

static const struct role_desc jobs_desc = {
	.role = IPC_JOBS,
	.database = "linnetd jobs",
	.handlers = jobs_from_master,
	.nhandlers = NELEM(jobs_from_master),
	.enter = jobs_enter,
	.prepare = jobs_migrate,
	.open = jobs_open,
	.database_up = jobs_database_up,
	.turn = jobs_turn,
	.tick_second = jobs_tick,
	.close = jobs_close,
};

int
jobs(char **argv)
{
	return role_run(&jobs_self.role, &jobs_desc, argv);
}
