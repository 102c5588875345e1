/* SPDX-License-Identifier: ISC */
/*
 * The life of the private PostgreSQL: made at the first start, served, started
 * again when it dies, stopped last.
 *
 *	WAIT -> (INIT -> CREATE ->) START -> UP -> ... -> STOP -> OFF
 *	  ^                           |      |
 *	  +---------- DELAY <---------+------+	it died
 *
 * WAIT is for who still works in the cluster: the server of a master that was
 * killed, or the sessions of a server that was.  Nothing is started before
 * the last of them is gone.  It is for whoever reads the log to see what
 * PostgreSQL says: its stderr comes through a pipe.  The pipe never blocks
 * PostgreSQL; what finds no room is lost.
 */
#include "config.h" /* environ */

#include "master/master.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"

#define TICK_MS 50
#define DELAY_MIN_MS 200
#define DELAY_MAX_MS 5000
#define DELAY_FORGET_MS 30000
/* Starting includes recovery after a crash, which must not be cut short: it
 * would begin again. */
#define START_MS 600000
#define START_TELL_MS 10000
/* Ending: politely, then at once, then by force. */
#define QUIT_MS 20000
#define KILL_MS 25000
#define TRIES 3

enum pg_state {
	PG_OFF,
	PG_WAIT,
	PG_INIT,
	PG_CREATE,
	PG_START,
	PG_UP,
	PG_DELAY,
	PG_STOP,
};

struct master_postgres {
	struct master *m;
	struct master_cluster cl;
	enum pg_state state;
	int64_t since_ms;   /* of the state */
	int64_t started_ms; /* clock_wall() */
	int64_t told_ms;
	pid_t pid; /* of the program that the state is about; 0: none */
	int sent;  /* the strongest signal so far to what must end */
	int64_t delay_ms;
	unsigned restarts;
	bool was_up;
	struct event *timer;
	struct event *output;
	int out; /* -1: none */
	char line[1024];
	size_t line_len;
};

static const char *const pg_names[] = {
	[PG_OFF] = "stopped",
	[PG_WAIT] = "waiting",
	[PG_INIT] = "creating",
	[PG_CREATE] = "creating",
	[PG_START] = "starting",
	[PG_UP] = "up",
	[PG_DELAY] = "waiting",
	[PG_STOP] = "stopping",
};

static void
pg_enter(struct master_postgres *pg, enum pg_state state, int64_t timer_ms)
{
	pg->state = state;
	pg->since_ms = pg->told_ms = master_now();
	pg->sent = 0;
	master_timer(pg->timer, timer_ms);
}

static int64_t
pg_age(const struct master_postgres *pg)
{
	return master_now() - pg->since_ms;
}

/*
 * What PostgreSQL says.
 */

static enum log_level
pg_level(const struct master_postgres *pg, const char *line)
{
	/* What it tells clients that come too early, or are sent away. */
	if (pg->state == PG_STOP ||
	    str_starts(line, "FATAL:  the database system is "))
		return LOG_DEBUG;
	/* One of its processes crashed, and took the others with it. */
	if (str_starts(line, "LOG:  server process "))
		return LOG_WARN;
	if (str_starts(line, "LOG:") || str_starts(line, "HINT:") ||
	    str_starts(line, "DETAIL:") || str_starts(line, "NOTICE:"))
		return LOG_DEBUG;
	return LOG_WARN;
}

static void
pg_say(struct master_postgres *pg)
{
	pg->line[pg->line_len] = '\0';
	if (pg->line_len > 0 && pg_level(pg, pg->line) == LOG_WARN)
		log_warn("postgres: %s", pg->line);
	else if (pg->line_len > 0)
		log_debug("postgres: %s", pg->line);
	pg->line_len = 0;
}

static void
pg_close_output(struct master_postgres *pg)
{
	if (pg->out == -1)
		return;
	pg_say(pg);
	event_free(pg->output);
	close(pg->out);
	pg->out = -1;
}

/* Reads some; false when there is nothing, or no more. */
static bool
pg_read(struct master_postgres *pg)
{
	char data[4096];
	ssize_t n, i;

	n = read(pg->out, data, sizeof(data));
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		pg_close_output(pg);
		return false;
	}
	for (i = 0; i < n; i++) {
		if (data[i] == '\n' || pg->line_len + 1 == sizeof(pg->line))
			pg_say(pg);
		if (data[i] != '\n')
			pg->line[pg->line_len++] = data[i];
	}
	return true;
}

static void
pg_output_cb(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	pg_read(arg);
}

/* A program was started, or not. */
static void
pg_started(struct master_postgres *pg, enum pg_state state, pid_t pid, int out)
{
	if (pid == -1) {
		log_error("starting PostgreSQL: %s", strerror(errno));
		pg_enter(pg, PG_DELAY, pg->delay_ms);
		if (pg->m->phase == MASTER_DATABASE)
			master_fail(pg->m, "PostgreSQL cannot be started");
		return;
	}
	pg->pid = pid;
	pg->started_ms = clock_wall();
	pg->out = out;
	pg->output =
	    event_new(pg->m->base, out, EV_READ | EV_PERSIST, pg_output_cb, pg);
	if (pg->output == NULL || event_add(pg->output, NULL) == -1)
		fatalx("no event for PostgreSQL");
	pg_enter(pg, state, TICK_MS);
}

/*
 * From state to state.
 */

static void
pg_serve(struct master_postgres *pg)
{
	int out = -1;
	pid_t pid;

	pid = master_cluster_serve(pg->m, &pg->cl, &out);
	pg_started(pg, PG_START, pid, out);
}

/* Nobody works in the cluster. */
static void
pg_begin(struct master_postgres *pg)
{
	struct master *m = pg->m;
	char *wrong;
	int out = -1;
	pid_t pid;

	wrong = master_cluster_find(m, &pg->cl);
	/* A cluster that vanishes while it is served is not made anew: that
	 * would look as if all was well. */
	if (wrong == NULL && pg->was_up && !master_cluster_exists(&pg->cl))
		wrong = xasprintf("the cluster %s is gone", pg->cl.data);
	if (wrong != NULL) {
		log_error("PostgreSQL: %s", wrong);
		pg_enter(pg, PG_DELAY, DELAY_MAX_MS);
		if (m->phase == MASTER_DATABASE)
			master_fail(m, "%s", wrong);
		free(wrong);
	} else if (master_cluster_exists(&pg->cl)) {
		master_cluster_unlock(&pg->cl);
		pg_serve(pg);
	} else {
		log_info("making the database in %s", pg->cl.data);
		pid = master_cluster_init(m, &pg->cl, &out);
		pg_started(pg, PG_INIT, pid, out);
	}
}

/* Asks more and more urgently; politely goes to the server only. */
static void
pg_urge(struct master_postgres *pg)
{
	int64_t age = pg_age(pg);
	int sig = age >= KILL_MS ? SIGKILL : age >= QUIT_MS ? SIGQUIT : SIGINT;

	if (sig == pg->sent)
		return;
	/* A stronger signal that was sent before its time stays. */
	if (pg->sent == SIGKILL || (pg->sent == SIGQUIT && sig == SIGINT))
		return;
	if (sig != SIGINT)
		log_warn("PostgreSQL in %s does not end; it gets %s",
		    pg->cl.data, sig == SIGKILL ? "SIGKILL" : "SIGQUIT");
	pg->sent = sig;
	if (pg->pid != 0)
		kill(pg->pid, sig);
	master_cluster_signal(&pg->cl, sig);
}

static void
pg_wait(struct master_postgres *pg)
{
	if (master_cluster_signal(&pg->cl, 0) == 0) {
		pg_begin(pg);
		return;
	}
	if (pg->sent == 0 && !pg->was_up)
		log_info(
		    "another PostgreSQL works in %s; it is ended", pg->cl.data);
	pg_urge(pg);
	if (pg->m->phase == MASTER_DATABASE && pg_age(pg) >= KILL_MS + 5000)
		master_fail(pg->m,
		    "another PostgreSQL works in %s and cannot "
		    "be ended",
		    pg->cl.data);
}

static void
pg_check_start(struct master_postgres *pg)
{
	int64_t now = master_now();

	if (master_cluster_is_ready(&pg->cl, pg->pid, pg->started_ms)) {
		log_info("PostgreSQL serves (process %d)", (int)pg->pid);
		pg->was_up = true;
		pg_enter(pg, PG_UP, -1);
		master_advance(pg->m);
		return;
	}
	if (now - pg->told_ms >= START_TELL_MS) {
		pg->told_ms = now;
		log_info("PostgreSQL is still starting; after a crash it "
			 "recovers first");
	}
	if (pg->m->phase == MASTER_DATABASE && pg_age(pg) >= START_MS)
		master_fail(pg->m, "PostgreSQL does not get ready");
}

static void
pg_off(struct master_postgres *pg)
{
	pg->state = PG_OFF;
	event_del(pg->timer);
	pg_close_output(pg);
	master_advance(pg->m);
}

static void
pg_timer_cb(int fd, short what, void *arg)
{
	struct master_postgres *pg = arg;

	(void)fd;
	(void)what;
	switch (pg->state) {
	case PG_WAIT:
		pg_wait(pg);
		break;
	case PG_START:
		pg_check_start(pg);
		break;
	case PG_DELAY:
		pg_enter(pg, PG_WAIT, 0);
		return;
	case PG_STOP:
		if (pg->pid == 0 && master_cluster_signal(&pg->cl, 0) == 0) {
			pg_off(pg);
			return;
		}
		pg_urge(pg);
		break;
	default:
		return;
	}
	/* Still there: look again. */
	if (pg->state == PG_WAIT || pg->state == PG_START ||
	    pg->state == PG_STOP)
		master_timer(pg->timer, TICK_MS);
}

/* initdb, or the server that makes the database, has ended. */
static void
pg_made(struct master_postgres *pg, int status)
{
	enum pg_state state = pg->state;
	char why[96];
	int out = -1;
	pid_t pid;

	pg_close_output(pg);
	if (status != 0) {
		master_spawn_why(status, why, sizeof(why));
		pg_enter(pg, PG_DELAY, pg->delay_ms);
		master_fail(pg->m, "making the database failed: %s: %s",
		    state == PG_INIT ? "initdb" : "postgres --single", why);
	} else if (state == PG_INIT) {
		pid = master_cluster_create(pg->m, &pg->cl, &out);
		pg_started(pg, PG_CREATE, pid, out);
	} else if (master_cluster_finish(&pg->cl) == -1) {
		pg_enter(pg, PG_DELAY, pg->delay_ms);
		master_fail(pg->m, "%s cannot become %s: %s", pg->cl.fresh,
		    pg->cl.data, strerror(errno));
	} else {
		pg_serve(pg);
	}
}

/* The server has ended although nobody told it to. */
static void
pg_died(struct master_postgres *pg, int status)
{
	char why[96];

	pg_close_output(pg);
	master_spawn_why(status, why, sizeof(why));
	pg->restarts++;
	if (pg->state == PG_UP && pg_age(pg) >= DELAY_FORGET_MS)
		pg->delay_ms = DELAY_MIN_MS;
	log_warn("PostgreSQL ended: %s; it is started again in %lld ms", why,
	    (long long)pg->delay_ms);
	pg_enter(pg, PG_DELAY, pg->delay_ms);
	pg->delay_ms *= 2;
	if (pg->delay_ms > DELAY_MAX_MS)
		pg->delay_ms = DELAY_MAX_MS;
	if (pg->m->phase == MASTER_DATABASE && pg->restarts >= TRIES)
		master_fail(pg->m, "PostgreSQL does not start: %s", why);
}

bool
master_postgres_reaped(struct master *m, pid_t pid, int status)
{
	struct master_postgres *pg = m->postgres;
	unsigned turns;

	if (pg == NULL || pg->pid != pid)
		return false;
	pg->pid = 0;
	/* Its last words; a pipe holds no more than this. */
	for (turns = 0; turns < 64 && pg->out != -1 && pg_read(pg); turns++)
		continue;
	switch (pg->state) {
	case PG_INIT:
	case PG_CREATE:
		pg_made(pg, status);
		break;
	case PG_STOP:
		master_timer(pg->timer, 0);
		break;
	default:
		pg_died(pg, status);
		break;
	}
	return true;
}

/* libpq and the server take defaults from the environment, and whoever starts
 * us may have some for another server. */
static void
pg_clean_environment(void)
{
	char name[128], **e = environ;
	size_t n;

	while (e != NULL && *e != NULL) {
		n = strcspn(*e, "=");
		if (!str_starts(*e, "PG") || n >= sizeof(name)) {
			e++;
			continue;
		}
		memcpy(name, *e, n);
		name[n] = '\0';
		unsetenv(name);
		e = environ;
	}
}

void
master_postgres_open(struct master *m)
{
	struct master_postgres *pg;

	if (!conf_is_private(m->conf))
		return;
	pg_clean_environment();
	pg = xcalloc(1, sizeof(*pg));
	pg->m = m;
	pg->out = -1;
	pg->delay_ms = DELAY_MIN_MS;
	master_cluster_open(m, &pg->cl);
	pg->timer = event_new(m->base, -1, 0, pg_timer_cb, pg);
	if (pg->timer == NULL)
		fatalx("no event for PostgreSQL");
	m->postgres = pg;
	pg_enter(pg, PG_WAIT, 0);
}

bool
master_postgres_is_up(const struct master *m)
{
	return m->postgres == NULL || m->postgres->state == PG_UP;
}

void
master_postgres_stop(struct master *m, bool force)
{
	struct master_postgres *pg = m->postgres;
	bool making;

	if (pg == NULL || pg->state == PG_OFF)
		return;
	making = pg->state == PG_INIT || pg->state == PG_CREATE;
	if (pg->state != PG_STOP)
		pg_enter(pg, PG_STOP, 0);
	if (making)
		kill(pg->pid, SIGTERM);
	if (force && pg->sent != SIGKILL) {
		pg->sent = SIGQUIT;
		if (pg->pid != 0)
			kill(pg->pid, SIGQUIT);
		master_cluster_signal(&pg->cl, SIGQUIT);
	}
}

bool
master_postgres_is_gone(const struct master *m)
{
	return m->postgres == NULL || m->postgres->state == PG_OFF;
}

void
master_postgres_close(struct master *m)
{
	struct master_postgres *pg = m->postgres;

	if (pg == NULL)
		return;
	pg_close_output(pg);
	event_free(pg->timer);
	master_cluster_close(&pg->cl);
	free(pg);
	m->postgres = NULL;
}

pid_t
master_postgres_pid(const struct master *m)
{
	const struct master_postgres *pg = m->postgres;

	return pg != NULL && (pg->state == PG_UP || pg->state == PG_START ||
				 pg->state == PG_STOP)
		   ? pg->pid
		   : 0;
}

unsigned
master_postgres_restarts(const struct master *m)
{
	return m->postgres != NULL ? m->postgres->restarts : 0;
}

const char *
master_postgres_state(const struct master *m)
{
	return m->postgres != NULL ? pg_names[m->postgres->state] : "external";
}
