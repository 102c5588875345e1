/* SPDX-License-Identifier: ISC */
/*
 * The life of the daemon: its start, in the order of enum master_phase, its
 * signals, and its end.
 *
 * Nothing waits.  Whatever happens (a process is ready, a process died, a
 * signal came) changes something and calls master_advance(), which looks
 * whether the present phase is over; so a signal is obeyed in every phase,
 * and no order of events needs a thought of its own.
 *
 * Nothing outlives us.  At an orderly end every process was reaped before we
 * exit.  When we are killed the others get SIGKILL from the kernel and
 * PostgreSQL SIGINT, a fast shutdown (PR_SET_PDEATHSIG), and the next start
 * waits for the end of that.
 */
#include "config.h" /* prctl(2) */

#include "master/master.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"

/* Workers count limit.drain_time themselves; so much later we do not wait for
 * them any more. */
#define DRAIN_MORE_MS 1000
/* From SIGTERM to SIGKILL for a process that does not end. */
#define STOP_MS 5000

static const char *const phase_names[] = {
	[MASTER_DATABASE] = "starting",
	[MASTER_JOBS] = "starting",
	[MASTER_OTHERS] = "starting",
	[MASTER_SERVE] = "serving",
	[MASTER_DRAIN] = "draining",
	[MASTER_STOP] = "stopping",
	[MASTER_STOP_DATABASE] = "stopping",
	[MASTER_OVER] = "stopped",
};

const char *
master_phase_name(const struct master *m)
{
	return phase_names[m->phase];
}

int64_t
master_now(void)
{
	clock_update();
	return clock_mono();
}

void
master_timer(struct event *ev, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_del(ev);
	if (ms >= 0 && event_add(ev, &tv) == -1)
		fatalx("no timer");
}

/*
 * Start.
 */

/* Tells who started the daemon how that went; see linnetd.c. */
static void
tell_waiter(struct master *m, const char *text)
{
	if (m->waiter == -1)
		return;
	if (write(m->waiter, text, strlen(text)) == -1)
		log_debug("nobody waits for the start");
	close(m->waiter);
	m->waiter = -1;
}

void
master_fail(struct master *m, const char *fmt, ...)
{
	char text[1024], told[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error("%s", text);
	snprintf(told, sizeof(told), "%s (see %s/linnetd.log)", text,
	    m->conf->state_dir);
	tell_waiter(m, told);
	m->status = EXIT_FAILURE;
	master_end(m, MASTER_FAST);
}

/* All that is ready is told before the first client can ask for it. */
static void
serve(struct master *m)
{
	size_t i;

	m->phase = MASTER_SERVE;
	for (i = 0; i < m->nlisteners; i++)
		master_accept_tell(m, i);
	tell_waiter(m, "+");
	master_accept_update(m);
}

/*
 * End.
 */

static void
over(struct master *m)
{
	m->phase = MASTER_OVER;
	event_base_loopbreak(m->base);
}

static void
stop_children(struct master *m, bool force)
{
	m->phase = MASTER_STOP;
	master_spawn_stop(m, force);
	master_timer(m->deadline, STOP_MS);
}

void
master_end(struct master *m, enum master_how how)
{
	bool first = m->phase < MASTER_DRAIN;

	if (how == MASTER_GENTLY && (!first || m->phase < MASTER_SERVE))
		how = MASTER_FAST;
	if (how == MASTER_FAST && m->phase >= MASTER_STOP)
		how = MASTER_NOW;
	if (first) {
		log_info(how == MASTER_GENTLY ? "draining" : "stopping");
		master_accept_close(m);
	}
	if (how == MASTER_GENTLY) {
		m->phase = MASTER_DRAIN;
		master_spawn_drain(m);
		master_timer(
		    m->deadline, m->conf->limit_drain_time + DRAIN_MORE_MS);
	} else if (m->phase < MASTER_STOP_DATABASE) {
		stop_children(m, how == MASTER_NOW);
	}
	if (how == MASTER_NOW)
		master_postgres_stop(m, true);
	master_advance(m);
}

void
master_advance(struct master *m)
{
	enum master_phase was;

	do {
		was = m->phase;
		if (was == MASTER_DATABASE && master_postgres_is_up(m)) {
			m->phase = MASTER_JOBS;
			master_spawn_start(m, IPC_JOBS);
		} else if (was == MASTER_JOBS &&
			   master_spawn_is_ready(m, IPC_JOBS)) {
			m->phase = MASTER_OTHERS;
			master_spawn_start(
			    m, IPC_WORKER | IPC_RELAY | IPC_FILES);
		} else if (was == MASTER_OTHERS &&
			   master_spawn_is_ready(m, IPC_ANY)) {
			serve(m);
		} else if (was == MASTER_DRAIN && master_spawn_is_drained(m)) {
			stop_children(m, false);
		} else if (was == MASTER_STOP && master_spawn_is_gone(m)) {
			event_del(m->deadline);
			m->phase = MASTER_STOP_DATABASE;
			master_postgres_stop(m, false);
		} else if (was == MASTER_STOP_DATABASE &&
			   master_postgres_is_gone(m)) {
			over(m);
		}
	} while (m->phase != was && m->phase != MASTER_OVER);
}

static void
deadline_cb(int fd, short what, void *arg)
{
	struct master *m = arg;

	(void)fd;
	(void)what;
	if (m->phase == MASTER_DRAIN) {
		log_info("connections are left after limit.drain_time");
		stop_children(m, false);
	} else if (m->phase == MASTER_STOP) {
		log_warn("processes do not end; they are killed");
		master_spawn_stop(m, true);
	}
	master_advance(m);
}

/*
 * Signals.
 */

static void
set_log_level(const struct master *m)
{
	enum log_level level;

	if (m->args->debug)
		log_set_level(LOG_DEBUG);
	else if (log_parse_level(m->conf->log_level, &level) == 0)
		log_set_level(level);
}

const char *
master_log_level(struct master *m, const char *level)
{
	enum log_level parsed;
	char *error;

	if (log_parse_level(level, &parsed) != 0)
		return "there is no such level: error, warn, info, debug";
	if (m->args->debug)
		return "linnetd was started with -d and logs everything";
	if (conf_put(m->conf, &conf_options[CONF_AT_log_level], level,
		CONF_LINE, &error) == -1)
		fatalx("%s", error);
	set_log_level(m);
	master_spawn_reload(m);
	return NULL;
}

/* A daemon's log, from now on; at a reload, the one that has taken the place
 * of a file that was moved away.  -1 and errno. */
static int
open_log(struct master *m)
{
	char *path;
	int fd, r = -1;

	if (m->args->foreground)
		return 0;
	path = master_state_path(m, "linnetd.log");
	fd = open(
	    path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd != -1) {
		r = dup2(fd, STDERR_FILENO) == -1 ? -1 : 0;
		close(fd);
	}
	free(path);
	return r;
}

static void
reopen_log(struct master *m)
{
	if (m->args->foreground)
		return;
	if (open_log(m) == -1)
		log_warn("the log stays the old file: %s", strerror(errno));
	else
		master_spawn_log(m);
}

/* What a reload brings; all of it is there before any of it is used. */
struct reload {
	struct conf *conf;
	struct master_tls *tls;
	struct master_accept_next listeners;
};

/* NULL, or what is wrong, and nothing is left of it. */
static char *
reload_prepare(struct master *m, struct reload *r)
{
	char *error;

	if (m->phase >= MASTER_DRAIN)
		return xstrdup("linnetd is stopping");
	r->conf = master_conf(m->args, &error);
	if (r->conf == NULL)
		return error;
	r->tls = master_tls_read(r->conf, &error);
	if (r->tls != NULL) {
		error = master_accept_prepare(m, r->conf, &r->listeners);
		if (error == NULL)
			return NULL;
	}
	master_tls_free(r->tls);
	conf_free(r->conf);
	return error;
}

/* The names of those that a reload can, or cannot, change. */
static void
reload_names(struct json_writer *w, const char *key, bool reloadable,
    const struct conf_option **changed, size_t n)
{
	size_t i;

	json_key(w, key);
	json_array(w);
	for (i = 0; i < n; i++) {
		if (changed[i]->reload == reloadable)
			json_str(w, changed[i]->name);
	}
	json_array_end(w);
}

static void
reload_commit(struct master *m, struct reload *r, struct json_writer *w)
{
	const struct conf_option *changed[CONF_COUNT];
	size_t n, i;

	n = conf_changes(m->conf, r->conf, changed);
	for (i = 0; i < n; i++) {
		if (!changed[i]->reload)
			log_warn("reload: %s needs a restart, and stays as it "
				 "is until then",
			    changed[i]->name);
	}
	if (w != NULL) {
		reload_names(w, "changed", true, changed, n);
		reload_names(w, "restart", false, changed, n);
	}
	conf_keep(r->conf, m->conf);
	conf_free(m->conf);
	m->conf = r->conf;
	master_tls_free(m->tls);
	m->tls = r->tls;
	set_log_level(m);
	log_info("configuration reloaded; options that differ: %zu", n);
	/* The text for the others has the ports that were bound.  Nobody is
	 * accepted before we are back in the loop, and then all is in force. */
	master_accept_commit(m, &r->listeners);
	master_spawn_reload(m);
	master_spawn_tls(m, true);
}

char *
master_reload(struct master *m, struct json_writer *w)
{
	struct reload r;
	char *error;

	reopen_log(m);
	master_state_root(m, true);
	error = reload_prepare(m, &r);
	master_state_root(m, false);
	if (error == NULL)
		reload_commit(m, &r, w);
	else
		log_error("reload refused, all stays as it was: %s", error);
	return error;
}

static void
hup_cb(int sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	free(master_reload(arg, NULL));
}

static void
end_cb(int sig, short what, void *arg)
{
	(void)what;
	master_end(arg, sig == SIGTERM	? MASTER_GENTLY
			: sig == SIGINT ? MASTER_FAST
					: MASTER_NOW);
}

/* Orphans of our children come to us too; reaping is all they need. */
static void
chld_cb(int sig, short what, void *arg)
{
	struct master *m = arg;
	int status;
	pid_t pid;

	(void)sig;
	(void)what;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (!master_spawn_reaped(m, pid, status) &&
		    !master_postgres_reaped(m, pid, status))
			log_debug("orphan %d ended", (int)pid);
	}
}

static const struct {
	int sig;
	event_callback_fn cb;
} signals[] = {
	{ SIGCHLD, chld_cb },
	{ SIGTERM, end_cb },
	{ SIGINT, end_cb },
	{ SIGQUIT, end_cb },
	{ SIGHUP, hup_cb },
};

static void
open_signals(struct master *m)
{
	size_t i;

	_Static_assert(NELEM(m->signals) == NELEM(signals), "signals");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	for (i = 0; i < NELEM(signals); i++) {
		m->signals[i] =
		    evsignal_new(m->base, signals[i].sig, signals[i].cb, m);
		if (m->signals[i] == NULL ||
		    event_add(m->signals[i], NULL) == -1)
			fatalx("no event for signal %d", signals[i].sig);
	}
}

/*
 * All of it.
 */

static void
raise_limits(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &r) == -1)
			log_debug("descriptor limit: %s", strerror(errno));
	}
}

static void
start(struct master *m)
{
	m->started_ms = master_now();
	set_log_level(m);
	raise_limits();
	umask(077);
	/* Orphans of PostgreSQL must not linger as zombies: their numbers
	 * would stand in the way of its next start. */
	if (chdir("/") == -1 || prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
		fatal("starting");
	m->base = event_base_new();
	if (m->base == NULL)
		fatalx("starting: no event base");
	m->deadline = event_new(m->base, -1, 0, deadline_cb, m);
	if (m->deadline == NULL)
		fatalx("starting: no event");
	open_signals(m);
	master_state_user(m);
	master_state_open(m);
	master_accept_open(m);
	master_state_drop(m);
	master_tls_open(m);
	master_spawn_open(m);
	master_ctl_open(m);
	if (open_log(m) == -1)
		fatal("%s/linnetd.log", m->conf->state_dir);
	log_info(
	    "linnetd %s starts (process %d)", PACKAGE_VERSION, (int)getpid());
	m->phase = MASTER_DATABASE;
	master_postgres_open(m);
	master_advance(m);
}

static void
finish(struct master *m)
{
	size_t i;

	log_info("linnetd ends");
	ipc_ctl_close(m->ctl);
	master_trace_close(m);
	master_spawn_close(m);
	master_tls_close(m);
	master_postgres_close(m);
	for (i = 0; i < NELEM(m->signals); i++)
		event_free(m->signals[i]);
	event_free(m->deadline);
	event_base_free(m->base);
	conf_free(m->conf);
	master_state_close(m);
}

int
master(
    const struct master_args *args, struct conf *conf, struct master_tls *tls)
{
	struct master m = {
		.args = args,
		.conf = conf,
		.tls = tls,
		.waiter = args->waiter,
	};

	start(&m);
	while (m.phase != MASTER_OVER) {
		if (event_base_loop(m.base, EVLOOP_ONCE) == -1)
			fatalx("the event loop failed");
	}
	finish(&m);
	return m.status;
}
