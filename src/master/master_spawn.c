/* SPDX-License-Identifier: ISC */
/*
 * The other processes: the role table, the bus between them, their start,
 * and what happens when one dies.
 *
 * A death is normal: the process is reaped, its interest in the bus is
 * cleared, jobs hears of it, and after a delay that grows from one death to
 * the next a new process takes the place, under a new incarnation.  A process
 * that hung up on us, or that we cannot talk to, is killed; from then on it is
 * a death like any other.  Everything that is done for a death is done in
 * child_gone(), once, whatever was noticed first.
 */
#include "config.h" /* sched_getaffinity(2) */

#include "master/master.h"

#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <event2/event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/bus.h"
#include "conf/conf.h"
#include "files/files.h"
#include "jobs/jobs.h"
#include "relay/relay.h"
#include "worker/worker.h"

#define WORKERS_MAX 60
#define DELAY_MIN_MS 100
#define DELAY_MAX_MS 5000
/* After so long a life the delay begins anew. */
#define DELAY_FORGET_MS 30000
/* A process that hung up has so long to end by itself. */
#define HANGUP_MS 1000

static void child_ready(struct ipc_peer *p, struct ipc_msg *msg, void *arg);
static void child_load(struct ipc_peer *p, struct ipc_msg *msg, void *arg);
static void child_drained(struct ipc_peer *p, struct ipc_msg *msg, void *arg);
static void child_outdated(struct ipc_peer *p, struct ipc_msg *msg, void *arg);

static const struct ipc_handler from_worker[] = {
	{ IPC_READY, child_ready },
	{ IPC_LOAD, child_load },
	{ IPC_DRAINED, child_drained },
};

static const struct ipc_handler from_jobs[] = {
	{ IPC_READY, child_ready },
	{ IPC_OUTDATED, child_outdated },
};

static const struct ipc_handler from_others[] = {
	{ IPC_READY, child_ready },
};

static const struct master_role roles[] = {
	{
	    .name = "worker",
	    .role = IPC_WORKER,
	    .entry = worker,
	    .may = MASTER_NET | MASTER_DB | MASTER_BUS,
	    .tries = 3,
	    .handlers = from_worker,
	    .nhandlers = NELEM(from_worker),
	},
	{
	    .name = "relay",
	    .role = IPC_RELAY,
	    .entry = relay,
	    .may = MASTER_DB | MASTER_BUS,
	    .tries = 3,
	    .handlers = from_others,
	    .nhandlers = NELEM(from_others),
	},
	/* A configuration that does not work does not work the next time. */
	{
	    .name = "files",
	    .role = IPC_FILES,
	    .entry = files,
	    .may = MASTER_OUT | MASTER_STORE,
	    .tries = 1,
	    .handlers = from_others,
	    .nhandlers = NELEM(from_others),
	},
	/* It brings the schema up to date, and will not do better the next
	 * time. */
	{
	    .name = "jobs",
	    .role = IPC_JOBS,
	    .entry = jobs,
	    .may = MASTER_DB | MASTER_BUS | MASTER_OUT,
	    .tries = 1,
	    .handlers = from_jobs,
	    .nhandlers = NELEM(from_jobs),
	},
};

const struct master_role *
master_spawn_role(const char *name)
{
	size_t i;

	for (i = 0; i < NELEM(roles); i++) {
		if (strcmp(roles[i].name, name) == 0)
			return &roles[i];
	}
	return NULL;
}

static bool
child_is(const struct master_child *c, unsigned set)
{
	return ((unsigned)c->role->role & set) != 0;
}

/* For a child without a peer, or with one that does not listen any more, the
 * message is not needed: its death follows. */
static int
child_send(struct master_child *c, enum ipc_type type, const void *payload,
    const void *tail, size_t tail_len)
{
	if (c->peer == NULL)
		return -1;
	if (ipc_send(c->peer, type, payload, tail, tail_len, NULL, 0) == 0)
		return 0;
	log_warn("%s to %s %u was lost: %s", ipc_name(type), c->role->name,
	    c->number, strerror(errno));
	return -1;
}

/* Tells jobs of a worker. */
static void
child_announce(struct master_child *c, enum ipc_type type)
{
	struct ipc_incarnation inc = { c->incarnation, c->proc };
	struct master *m = c->m;
	unsigned i;

	if (!child_is(c, IPC_WORKER))
		return;
	for (i = 0; i < m->nchildren; i++) {
		struct master_child *to = &m->children[i];

		if (child_is(to, IPC_JOBS) && to->peer != NULL &&
		    child_send(to, type, &inc, NULL, 0) == -1)
			kill(to->pid, SIGKILL);
	}
}

static void
child_ready(struct ipc_peer *p, struct ipc_msg *msg, void *arg)
{
	struct master_child *c = arg;

	(void)p;
	(void)msg;
	if (c->ready)
		return;
	c->ready = true;
	log_debug("%s %u (process %d) is ready", c->role->name, c->number,
	    (int)c->pid);
	master_accept_update(c->m);
	master_advance(c->m);
}

/* It has told the log why. */
static void
child_outdated(struct ipc_peer *p, struct ipc_msg *msg, void *arg)
{
	struct master_child *c = arg;

	(void)p;
	(void)msg;
	if (c->m->phase < MASTER_DRAIN)
		master_end(c->m, MASTER_GENTLY);
}

static void
child_load(struct ipc_peer *p, struct ipc_msg *msg, void *arg)
{
	const struct ipc_load *load = msg->payload;
	struct master_child *c = arg;

	(void)p;
	c->conns = load->conns;
	c->handed = 0;
	c->db_up = load->db_up != 0;
}

static void
child_drained(struct ipc_peer *p, struct ipc_msg *msg, void *arg)
{
	struct master_child *c = arg;

	(void)p;
	(void)msg;
	c->drained = true;
	master_advance(c->m);
}

static void
child_hangup(struct ipc_peer *p, void *arg)
{
	struct master_child *c = arg;

	ipc_close(p);
	c->peer = NULL;
	c->ready = false;
	master_accept_update(c->m);
	master_timer(c->timer, HANGUP_MS);
}

/* How a child begins: see ipc_proc_enter(). */
static int
child_brief_config(struct master_child *c)
{
	struct master *m = c->m;
	struct ipc_config config = {
		.incarnation = c->incarnation,
		.host = m->host,
		.version = IPC_VERSION,
		.role = c->role->role,
		.number = c->number,
		.proc = c->proc,
		.procs = m->procs,
		.relay = m->relay,
		.uid = m->root ? m->uid : 0,
		.gid = m->root ? m->gid : 0,
	};
	struct buf text;
	int r = -1;

	if (c->role->role != IPC_RELAY)
		memcpy(config.token_key, m->token_key, sizeof(m->token_key));
	memcpy(config.audit_key, m->audit_key, sizeof(m->audit_key));
	if (c->role->role == IPC_JOBS)
		memcpy(config.audit_seed, m->audit_seed, sizeof(m->audit_seed));
	if (c->role->role == IPC_WORKER)
		memcpy(config.platform, m->platform, sizeof(m->platform));
	buf_init(&text, IPC_TAIL_MAX);
	master_conf_text(m, &text);
	if (!text.failed)
		r = child_send(c, IPC_CONFIG, &config, text.data, text.len);
	if (text.data != NULL)
		crypto_wipe(text.data, text.len);
	crypto_wipe(&config, sizeof(config));
	buf_free(&text);
	return r;
}

static int
child_brief_bus(struct master_child *c)
{
	struct master *m = c->m;
	struct ipc_bus bus = {
		.procs = m->procs,
		.self = c->proc,
		.ring = (uint64_t)m->conf->bus_ring,
	};
	struct ipc_proc_id id;

	if (ipc_send(c->peer, IPC_BUS_MAP, &bus, NULL, 0, &m->bus_fd, 1) == -1)
		return -1;
	for (id.proc = 0; id.proc < m->nchildren; id.proc++) {
		if (ipc_send(c->peer, IPC_BUS_WAKE, &id, NULL, 0,
			&m->wake[id.proc], 1) == -1)
			return -1;
	}
	return 0;
}

/* A new channel from c to another one, which may just have died: the one that
 * follows it gets its own.  -1 and errno. */
static int
child_channel(struct master_child *c, struct master_child *other)
{
	struct ipc_channel to_c = { c->role->role, c->proc };
	struct ipc_channel to_other = { other->role->role, other->proc };
	int fds[2], r;

	if (ipc_pair(fds) == -1)
		return -1;
	r = ipc_send(
	    c->peer, IPC_FILES_CHANNEL, &to_other, NULL, 0, &fds[0], 1);
	if (r == 0 &&
	    ipc_send(other->peer, IPC_FILES_CHANNEL, &to_c, NULL, 0, &fds[1],
		1) == -1 &&
	    errno != EPIPE)
		r = -1;
	close(fds[0]);
	close(fds[1]);
	return r;
}

/* Between the files process and those that order from it. */
static int
child_channels(struct master_child *c)
{
	struct master *m = c->m;
	unsigned i;

	for (i = 0; i < m->nchildren; i++) {
		struct master_child *to = &m->children[i];

		if (to == c || to->peer == NULL ||
		    !((child_is(c, IPC_FILES) &&
			  child_is(to, IPC_FILES_USER)) ||
			(child_is(to, IPC_FILES) &&
			    child_is(c, IPC_FILES_USER))))
			continue;
		if (child_channel(c, to) == -1)
			return -1;
	}
	return 0;
}

static int
child_brief(struct master_child *c)
{
	struct master *m = c->m;
	unsigned i;

	if (child_brief_config(c) == -1)
		return -1;
	if ((c->role->may & MASTER_BUS) != 0 && child_brief_bus(c) == -1)
		return -1;
	for (i = 0; i < m->nchildren && child_is(c, IPC_JOBS); i++) {
		struct master_child *w = &m->children[i];
		struct ipc_incarnation inc = { w->incarnation, w->proc };

		if (child_is(w, IPC_WORKER) && w->pid != 0 &&
		    child_send(c, IPC_PROC_LIVE, &inc, NULL, 0) == -1)
			return -1;
	}
	if (child_send(c, IPC_START, NULL, NULL, 0) == -1 ||
	    child_channels(c) == -1)
		return -1;
	if ((c->role->may & MASTER_NET) == 0)
		return 0;
	master_trace_send(m, c->peer);
	return master_tls_send(m, c->peer, true);
}

static void
child_delay(struct master_child *c)
{
	master_timer(c->timer, c->delay_ms);
	c->delay_ms *= 2;
	if (c->delay_ms > DELAY_MAX_MS)
		c->delay_ms = DELAY_MAX_MS;
}

static void
child_start(struct master_child *c)
{
	struct master *m = c->m;
	char name[32];
	int fd;

	master_state_root(m, true);
	c->pid = ipc_proc_start(m->exe, c->role->role, &fd);
	master_state_root(m, false);
	if (c->pid == -1) {
		log_error("starting %s %u: %s", c->role->name, c->number,
		    strerror(errno));
		c->pid = 0;
		child_delay(c);
		return;
	}
	c->started_ms = master_now();
	id_new(&c->incarnation);
	c->ready = c->drained = c->db_up = false;
	c->conns = c->handed = 0;
	snprintf(name, sizeof(name), "%s %u", c->role->name, c->number);
	c->peer = ipc_open(m->base, fd, name, IPC_MASTER, c->role->role,
	    c->role->handlers, c->role->nhandlers, child_hangup, c);
	/* Before its first session, so that none is taken for a dead one's. */
	child_announce(c, IPC_PROC_LIVE);
	if (child_brief(c) == -1) {
		log_error("%s %u cannot be told what to do: %s", c->role->name,
		    c->number, strerror(errno));
		kill(c->pid, SIGKILL);
	}
}

/* None runs: it is time to start one.  One runs: it has hung up, and has not
 * ended since. */
static void
child_timer_cb(int fd, short what, void *arg)
{
	struct master_child *c = arg;

	(void)fd;
	(void)what;
	if (c->pid != 0) {
		log_warn("%s %u (process %d) does not end; it is killed",
		    c->role->name, c->number, (int)c->pid);
		kill(c->pid, SIGKILL);
	} else {
		child_start(c);
	}
}

void
master_spawn_why(int status, char *out, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(out, size, "killed by signal %d (%s)%s",
		    WTERMSIG(status), strsignal(WTERMSIG(status)),
		    WCOREDUMP(status) ? ", core dumped" : "");
	else
		snprintf(out, size, "exit status %d", WEXITSTATUS(status));
}

/* It has ended, and everything that it held is given back. */
static void
child_gone(struct master_child *c)
{
	event_del(c->timer);
	ipc_close(c->peer);
	c->peer = NULL;
	c->pid = 0;
	c->ready = c->db_up = false;
	c->conns = c->handed = 0;
	bus_interest_clear(c->m->bus, c->proc);
	child_announce(c, IPC_PROC_GONE);
}

static void
child_died(struct master_child *c, int status)
{
	struct master *m = c->m;
	pid_t pid = c->pid;
	bool was_ready = c->ready;
	char why[96];

	child_gone(c);
	master_spawn_why(status, why, sizeof(why));
	if (m->phase >= MASTER_DRAIN) {
		log_debug("%s %u (process %d) ended: %s", c->role->name,
		    c->number, (int)pid, why);
		return;
	}
	c->restarts++;
	if (m->phase < MASTER_SERVE && !was_ready &&
	    c->restarts >= c->role->tries) {
		master_fail(
		    m, "%s did not become ready: %s", c->role->name, why);
		return;
	}
	if (master_now() - c->started_ms >= DELAY_FORGET_MS)
		c->delay_ms = DELAY_MIN_MS;
	log_warn("%s %u (process %d) ended: %s; the next one starts in "
		 "%lld ms",
	    c->role->name, c->number, (int)pid, why, (long long)c->delay_ms);
	child_delay(c);
}

bool
master_spawn_reaped(struct master *m, pid_t pid, int status)
{
	unsigned i;

	for (i = 0; i < m->nchildren; i++) {
		if (m->children[i].pid != pid)
			continue;
		child_died(&m->children[i], status);
		master_accept_update(m);
		master_advance(m);
		return true;
	}
	return false;
}

/* Restarted children must be of this very program, which a package upgrade
 * may have replaced.  Under valgrind(1) /proc/self/exe is another one. */
static const char *
spawn_exe(void)
{
	static char path[4096];
	struct stat st, self;
	ssize_t n;

	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (n == -1)
		fatal("/proc/self/exe");
	path[n] = '\0';
	if (stat("/proc/self/exe", &self) == 0 &&
	    (stat(path, &st) == -1 ||
		(st.st_dev == self.st_dev && st.st_ino == self.st_ino)))
		return "/proc/self/exe";
	return path;
}

static unsigned
spawn_workers(const struct conf *c)
{
	cpu_set_t set;
	int n = 1;

	if (c->workers != 0)
		return (unsigned)c->workers;
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	return (unsigned)(n > WORKERS_MAX ? WORKERS_MAX : n);
}

static void
spawn_place(struct master *m, const struct master_role *role, unsigned number)
{
	struct master_child *c = &m->children[m->nchildren];

	c->m = m;
	c->role = role;
	c->number = number;
	c->proc = m->nchildren++;
	c->delay_ms = DELAY_MIN_MS;
	c->timer = event_new(m->base, -1, 0, child_timer_cb, c);
	m->wake[c->proc] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->timer == NULL || m->wake[c->proc] == -1)
		fatal("starting");
}

void
master_spawn_open(struct master *m)
{
	unsigned workers = spawn_workers(m->conf), i, n;
	size_t r;

	m->exe = spawn_exe();
	m->children = xcalloc(workers + NELEM(roles) - 1, sizeof(*m->children));
	for (r = 0; r < NELEM(roles); r++) {
		n = roles[r].role == IPC_WORKER ? workers : 1;
		if (roles[r].role == IPC_RELAY)
			m->relay = m->nchildren;
		for (i = 1; i <= n; i++)
			spawn_place(m, &roles[r], i);
	}
	/* The master clears the interest of the dead; it has a number for
	 * that, but nobody writes to it and it writes to nobody. */
	m->procs = m->nchildren + 1;
	m->bus_fd = bus_create(m->procs, (size_t)m->conf->bus_ring);
	if (m->bus_fd == -1)
		fatal("bus: memory for %u processes", m->procs);
	m->bus = bus_open(m->bus_fd, m->procs - 1);
	if (m->bus == NULL)
		fatal("bus");
}

void
master_spawn_close(struct master *m)
{
	unsigned i;

	for (i = 0; i < m->nchildren; i++) {
		event_free(m->children[i].timer);
		close(m->wake[i]);
	}
	bus_close(m->bus);
	close(m->bus_fd);
	free(m->children);
}

void
master_spawn_start(struct master *m, unsigned set)
{
	unsigned i;

	for (i = 0; i < m->nchildren; i++) {
		if (child_is(&m->children[i], set) && m->children[i].pid == 0)
			child_start(&m->children[i]);
	}
}

bool
master_spawn_is_ready(const struct master *m, unsigned set)
{
	unsigned i;

	for (i = 0; i < m->nchildren; i++) {
		if (child_is(&m->children[i], set) && !m->children[i].ready)
			return false;
	}
	return true;
}

void
master_spawn_reload(struct master *m)
{
	struct buf text;
	unsigned i;

	buf_init(&text, IPC_TAIL_MAX);
	master_conf_text(m, &text);
	if (text.failed)
		log_error("the configuration is too long to be passed on");
	for (i = 0; i < m->nchildren && !text.failed; i++) {
		struct master_child *c = &m->children[i];

		/* One that missed it would go on with the old one; its
		 * successor has the new one. */
		if (c->peer != NULL &&
		    child_send(c, IPC_RELOAD, NULL, text.data, text.len) == -1)
			kill(c->pid, SIGKILL);
	}
	if (text.data != NULL)
		crypto_wipe(text.data, text.len);
	buf_free(&text);
}

void
master_spawn_tls(struct master *m, bool certificates)
{
	struct master_child *c;
	unsigned i;

	for (i = 0; i < m->nchildren; i++) {
		c = &m->children[i];
		if ((c->role->may & MASTER_NET) == 0 || c->peer == NULL ||
		    master_tls_send(m, c->peer, certificates) == 0)
			continue;
		log_warn("%s %u does not get the keys for TLS: %s",
		    c->role->name, c->number, strerror(errno));
		kill(c->pid, SIGKILL);
	}
}

void
master_spawn_log(struct master *m)
{
	static const int fd = STDERR_FILENO;
	struct master_child *c;
	unsigned i;

	for (i = 0; i < m->nchildren; i++) {
		c = &m->children[i];
		if (c->peer != NULL &&
		    ipc_send(c->peer, IPC_LOG, NULL, NULL, 0, &fd, 1) == -1)
			log_warn("%s %u goes on with the old log: %s",
			    c->role->name, c->number, strerror(errno));
	}
}

void
master_spawn_drain(struct master *m)
{
	unsigned i;

	for (i = 0; i < m->nchildren; i++) {
		struct master_child *c = &m->children[i];

		if (c->pid == 0)
			event_del(c->timer);
		if (child_is(c, IPC_WORKER) &&
		    (!c->ready ||
			child_send(c, IPC_DRAIN, NULL, NULL, 0) == -1))
			c->drained = true;
	}
}

bool
master_spawn_is_drained(const struct master *m)
{
	unsigned i;

	for (i = 0; i < m->nchildren; i++) {
		const struct master_child *c = &m->children[i];

		if (child_is(c, IPC_WORKER) && c->pid != 0 && !c->drained)
			return false;
	}
	return true;
}

/* One that serves ends by itself when we hang up; one that does not may not
 * listen yet. */
void
master_spawn_stop(struct master *m, bool force)
{
	unsigned i;

	for (i = 0; i < m->nchildren; i++) {
		struct master_child *c = &m->children[i];

		event_del(c->timer);
		if (c->pid != 0 && (force || !c->ready))
			kill(c->pid, force ? SIGKILL : SIGTERM);
		ipc_close(c->peer);
		c->peer = NULL;
	}
}

bool
master_spawn_is_gone(const struct master *m)
{
	unsigned i;

	for (i = 0; i < m->nchildren; i++) {
		if (m->children[i].pid != 0)
			return false;
	}
	return true;
}
