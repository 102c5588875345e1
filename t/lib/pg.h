/* SPDX-License-Identifier: ISC */
/*
 * A PostgreSQL server of one's own for a unit test: in a directory under /tmp,
 * on a unix socket, as our child.  PostgreSQL refuses root: then it runs as
 * user postgres.  A keeper process waits for the end of the test, however it
 * comes, and then stops the server and removes the directory.
 */
#ifndef LIB_PG_H
#define LIB_PG_H

#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libpq-fe.h>

static struct {
	char bin[256];
	char dir[64];
	char data[80];
	char conninfo[160];
	pid_t pid; /* the postmaster */
	pid_t test;
	pid_t keeper;
	int keeper_fd; /* closed with the end of the test */
} pg;

/* Stops trying after so long. */
#define PG_PATIENCE_MS 30000

static inline void
pg_pause(void)
{
	poll(NULL, 0, 10);
}

/* Runs a program as the server's user; its output goes to a file. */
static inline pid_t
pg_spawn(const char *const *argv)
{
	struct passwd *pw = getpwnam("postgres");
	char log[96];
	pid_t pid = fork();
	int fd;

	if (pid != 0)
		return pid;
	snprintf(log, sizeof(log), "%s/log", pg.dir);
	if (geteuid() == 0 &&
	    (pw == NULL || setgroups(0, NULL) != 0 || setgid(pw->pw_gid) != 0 ||
		setuid(pw->pw_uid) != 0))
		_exit(127);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd == -1 || dup2(fd, 1) == -1 || dup2(fd, 2) == -1 ||
	    chdir(pg.dir) != 0)
		_exit(127);
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

/*
 * Signals a process, if it is one of this server: its directory is the
 * server's data.  Every kill() of a test goes through here: a pid that came
 * from an answer may be -1, and that means every process there is.
 */
static inline bool
pg_signal(pid_t pid, int sig)
{
	char path[64], cwd[256];
	ssize_t n;

	if (pid <= 1)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
	n = readlink(path, cwd, sizeof(cwd) - 1);
	if (n <= 0)
		return false;
	cwd[n] = '\0';
	return strcmp(cwd, pg.data) == 0 && kill(pid, sig) == 0;
}

/* All processes of the server; returns how many there are. */
static inline int
pg_signal_all(int sig)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	int count = 0;

	while (proc != NULL && (e = readdir(proc)) != NULL)
		count += pg_signal(atoi(e->d_name), sig);
	if (proc != NULL)
		closedir(proc);
	return count;
}

/* Waits for the end of the postmaster; false when it does not come. */
static inline bool
pg_reap(int patience_ms)
{
	for (; patience_ms > 0; patience_ms -= 10) {
		if (waitpid(pg.pid, NULL, WNOHANG) != 0) {
			pg.pid = 0;
			return true;
		}
		pg_pause();
	}
	return false;
}

/* Ends the postmaster: SIGINT in order, SIGKILL without a last word. */
static inline void
pg_down(int sig)
{
	if (pg_signal(pg.pid, sig))
		pg_reap(PG_PATIENCE_MS);
}

/* Waits for the end of the test, then cleans up. */
static inline void
pg_keep(int fd)
{
	char command[128], c;
	int null = open("/dev/null", O_RDWR), tries;

	/* Nobody shall wait for us because we hold his pipe. */
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	setsid();
	while (read(fd, &c, 1) > 0)
		;
	pg_signal_all(SIGCONT);
	for (tries = 0; pg_signal_all(SIGQUIT) > 0 && tries < 500; tries++)
		pg_pause();
	while (pg_signal_all(SIGKILL) > 0)
		pg_pause();
	snprintf(command, sizeof(command), "rm -rf %s", pg.dir);
	_exit(system(command) != 0);
}

static inline void
pg_cleanup(void)
{
	if (pg.test != getpid())
		return;
	close(pg.keeper_fd);
	waitpid(pg.keeper, NULL, 0);
}

static inline bool
pg_start_keeper(void)
{
	int fds[2];

	if (pipe(fds) != 0 || fcntl(fds[1], F_SETFD, FD_CLOEXEC) != 0)
		return false;
	pg.keeper = fork();
	if (pg.keeper == 0) {
		close(fds[1]);
		pg_keep(fds[0]);
	}
	close(fds[0]);
	pg.keeper_fd = fds[1];
	pg.test = getpid();
	return pg.keeper > 0 && atexit(pg_cleanup) == 0;
}

static inline void
pg_notice(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

/* A connection that waits, for the test's own questions. */
static inline PGconn *
pg_connect(void)
{
	PGconn *c = PQconnectdb(pg.conninfo);

	if (PQstatus(c) != CONNECTION_OK) {
		PQfinish(c);
		return NULL;
	}
	PQsetNoticeProcessor(c, pg_notice, NULL);
	return c;
}

/* Starts the server and waits until it answers. */
static inline bool
pg_up(void)
{
	char postgres[300], socket_dir[96];
	const char *argv[] = { postgres, "-D", pg.data, "-c",
		"listen_addresses=", "-c", socket_dir, "-c",
		"max_connections=40", "-c", "shared_buffers=64MB", "-c",
		"max_wal_size=2GB", NULL };
	int patience = PG_PATIENCE_MS;
	PGconn *c;

	snprintf(postgres, sizeof(postgres), "%s/postgres", pg.bin);
	snprintf(socket_dir, sizeof(socket_dir), "unix_socket_directories=%s",
	    pg.dir);
	for (; patience > 0; patience -= 10) {
		/* It refuses to start while backends of the last one live. */
		if (pg.pid <= 0 || waitpid(pg.pid, NULL, WNOHANG) != 0)
			pg.pid = pg_spawn(argv);
		c = pg_connect();
		if (c != NULL) {
			PQfinish(c);
			return true;
		}
		pg_pause();
	}
	return false;
}

static inline bool
pg_initdb(void)
{
	char initdb[300];
	const char *argv[] = { initdb, "-D", pg.data, "-U", "postgres", "-A",
		"trust", "-E", "UTF8", "--locale=C", "--no-sync", NULL };
	int status;
	pid_t pid;

	snprintf(initdb, sizeof(initdb), "%s/initdb", pg.bin);
	pid = pg_spawn(argv);
	return waitpid(pid, &status, 0) == pid && status == 0;
}

/* Makes and starts a server.  False: there is no PostgreSQL here. */
static inline bool
pg_start(void)
{
	struct passwd *pw = getpwnam("postgres");
	glob_t found;

	if (geteuid() == 0 && pw == NULL)
		return false;
	if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) != 0)
		return false;
	snprintf(
	    pg.bin, sizeof(pg.bin), "%s", found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	snprintf(pg.dir, sizeof(pg.dir), "/tmp/linnet-pg-XXXXXX");
	if (mkdtemp(pg.dir) == NULL)
		return false;
	snprintf(pg.data, sizeof(pg.data), "%s/data", pg.dir);
	snprintf(pg.conninfo, sizeof(pg.conninfo),
	    "host=%s user=postgres dbname=postgres", pg.dir);
	if (!pg_start_keeper())
		return false;
	if (geteuid() == 0 && chown(pg.dir, pw->pw_uid, pw->pw_gid) != 0)
		return false;
	return pg_initdb() && pg_up();
}

/* Runs SQL on c and returns the first value as a number, -1 when it fails. */
static inline long long
pg_number(PGconn *c, const char *sql)
{
	PGresult *res = PQexec(c, sql);
	long long v = -1;

	if (PQresultStatus(res) == PGRES_TUPLES_OK && PQntuples(res) > 0)
		v = atoll(PQgetvalue(res, 0, 0));
	else if (PQresultStatus(res) == PGRES_COMMAND_OK)
		v = 0;
	else
		printf("# %s", PQresultErrorMessage(res));
	PQclear(res);
	return v;
}

#endif
