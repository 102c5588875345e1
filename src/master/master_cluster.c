/* SPDX-License-Identifier: ISC */
/*
 * The programs and the files of the private PostgreSQL.
 *
 * A cluster is made under another name and renamed when it is complete, with
 * the database in it: what is called state_dir/postgres can be served, or was
 * not made by us.
 *
 * Two servers in one cluster destroy it, and so does one server beside the
 * orphaned sessions of another.  PostgreSQL guards itself by postmaster.pid,
 * but takes any live process of that number for a server, and after a crash
 * in a container the number is soon somebody else's.  So we look at who works
 * in the directory (a server and its sessions do, all of them), and remove
 * the files only when nobody does.
 */
#include "config.h" /* close_range(2), pipe2(2) */

#include "master/master.h"

#include <sys/prctl.h>
#include <sys/stat.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"

#define POSTGRES_ROOT "/usr/lib/postgresql"
/* Of each process (core.c opens them); and for processes that start while
 * others end, and people with psql(1). */
#define CONNECTIONS_PROCESS 4
#define CONNECTIONS_SPARE 32
#define CONNECTIONS_MIN 64
#define LOCK_LINES 8 /* of postmaster.pid, miscadmin.h of PostgreSQL */

void
master_cluster_open(struct master *m, struct master_cluster *cl)
{
	cl->bin = NULL;
	cl->data = master_state_path(m, "postgres");
	cl->fresh = master_state_path(m, "postgres.new");
	cl->run = master_state_path(m, "run");
	cl->state = xstrdup(m->conf->state_dir);
}

void
master_cluster_close(struct master_cluster *cl)
{
	free(cl->bin);
	free(cl->data);
	free(cl->fresh);
	free(cl->run);
	free(cl->state);
}

/* The first line of a file in the cluster; false when there is none. */
static bool
cluster_line(
    const struct master_cluster *cl, const char *name, char *out, size_t size)
{
	char *path = xasprintf("%s/%s", cl->data, name);
	FILE *f = fopen(path, "re");
	bool found = f != NULL && fgets(out, (int)size, f) != NULL;

	if (f != NULL)
		fclose(f);
	free(path);
	if (found)
		out[strcspn(out, "\n")] = '\0';
	return found;
}

bool
master_cluster_exists(const struct master_cluster *cl)
{
	char version[16];

	return cluster_line(cl, "PG_VERSION", version, sizeof(version));
}

/* The greatest version below POSTGRES_ROOT; 0 when there is none. */
static int
cluster_newest(void)
{
	DIR *d = opendir(POSTGRES_ROOT);
	int64_t version, newest = 0;
	struct dirent *e;
	char *path;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (str_num(e->d_name, 10, 1000, &version) != NULL)
			continue;
		path = xasprintf(POSTGRES_ROOT "/%d/bin/initdb", (int)version);
		if (access(path, X_OK) == 0 && version > newest)
			newest = version;
		free(path);
	}
	if (d != NULL)
		closedir(d);
	return (int)newest;
}

char *
master_cluster_find(struct master *m, struct master_cluster *cl)
{
	char version[16], *program, *wrong = NULL;

	free(cl->bin);
	/* A cluster is read by the version that made it, and no other. */
	if (m->conf->postgres_bin[0] != '\0') {
		cl->bin = xstrdup(m->conf->postgres_bin);
	} else {
		if (!cluster_line(cl, "PG_VERSION", version, sizeof(version)))
			snprintf(
			    version, sizeof(version), "%d", cluster_newest());
		cl->bin = xasprintf(POSTGRES_ROOT "/%s/bin", version);
		if (strcmp(version, "0") == 0)
			return xstrdup(
			    "there is no PostgreSQL below " POSTGRES_ROOT
			    ": install it (apt install postgresql), or name "
			    "its directory with the option postgres_bin, or "
			    "another server with the option database");
	}
	program = xasprintf("%s/postgres", cl->bin);
	if (access(program, X_OK) == -1)
		wrong = xasprintf("%s cannot be run (%s), and the database in "
				  "%s needs it",
		    program, strerror(errno), cl->data);
	free(program);
	return wrong;
}

/* The child between fork and exec: in the terminal's foreground it would be
 * interrupted together with us, and not last. */
static void __attribute__((noreturn)) cluster_child(
    const struct master *m, char **argv, int in, int out, int sig, pid_t parent)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t none;
	int i, null;

	for (i = 1; i < NSIG; i++)
		sigaction(i, &sa, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null == -1 || dup2(in != -1 ? in : null, STDIN_FILENO) == -1 ||
	    dup2(null, STDOUT_FILENO) == -1 || dup2(out, STDERR_FILENO) == -1)
		_exit(126);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	setsid();
	umask(077);
	/* Here master_cluster_signal() finds initdb(1), which stays. */
	if (master_state_become(m) == 0 && chdir(m->conf->state_dir) == 0 &&
	    prctl(PR_SET_PDEATHSIG, sig) == 0 && getppid() == parent)
		execv(argv[0], argv);
	dprintf(STDERR_FILENO, "FATAL:  %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* sig is what it gets when we die. */
static pid_t
cluster_start(const struct master *m, char **argv, int in, int sig, int *out)
{
	pid_t pid, self = getpid();
	sigset_t all, old;
	int fds[2], saved;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) == -1)
		return -1;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	pid = fork();
	if (pid == 0)
		cluster_child(m, argv, in, fds[1], sig, self);
	saved = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(fds[1]);
	if (pid == -1) {
		close(fds[0]);
		errno = saved;
		return -1;
	}
	*out = fds[0];
	return pid;
}

/* Vectors of arguments, made of strings that are owned. */
struct cluster_argv {
	char *v[64];
	size_t n;
};

static void PRINTF_LIKE(2, 3)
    cluster_arg(struct cluster_argv *a, const char *fmt, ...)
{
	struct buf b;
	va_list ap;
	int n;

	if (a->n + 1 == NELEM(a->v))
		fatalx("too many arguments for PostgreSQL");
	buf_init(&b, 65536);
	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || buf_reserve(&b, (size_t)n + 1) == NULL)
		fatalx("an argument for PostgreSQL is too long");
	va_start(ap, fmt);
	vsnprintf(b.data, (size_t)n + 1, fmt, ap);
	va_end(ap);
	a->v[a->n++] = b.data;
	a->v[a->n] = NULL;
}

static void PRINTF_LIKE(2, 3)
    cluster_set(struct cluster_argv *a, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	cluster_arg(a, "-c");
	cluster_arg(a, "%s", text);
}

/* Its words come to us, and from us into the one log.  They must not hold
 * what clients sent: no detail and no statements. */
static void
cluster_set_log(struct cluster_argv *a)
{
	cluster_set(a, "logging_collector=off");
	cluster_set(a, "log_destination=stderr");
	cluster_set(a, "log_line_prefix=");
	cluster_set(a, "log_error_verbosity=terse");
	cluster_set(a, "log_min_error_statement=panic");
	cluster_set(a, "log_checkpoints=off");
}

static pid_t
cluster_run(
    const struct master *m, struct cluster_argv *a, int in, int sig, int *out)
{
	pid_t pid = cluster_start(m, a->v, in, sig, out);
	int saved = errno;
	size_t i;

	for (i = 0; i < a->n; i++)
		free(a->v[i]);
	errno = saved;
	return pid;
}

static int
cluster_remove_cb(
    const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* C.UTF-8 sorts by code points, on every machine alike. */
static const char *
cluster_locale(void)
{
	locale_t l = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);

	if (l == (locale_t)0)
		return "C";
	freelocale(l);
	return "C.UTF-8";
}

pid_t
master_cluster_init(struct master *m, const struct master_cluster *cl, int *out)
{
	struct cluster_argv a = { .n = 0 };

	/* What an earlier one left that was interrupted. */
	if (nftw(cl->fresh, cluster_remove_cb, 16, FTW_DEPTH | FTW_PHYS) ==
		-1 &&
	    errno != ENOENT)
		return -1;
	cluster_arg(&a, "%s/initdb", cl->bin);
	cluster_arg(&a, "--pgdata=%s", cl->fresh);
	cluster_arg(&a, "--username=linnet");
	cluster_arg(&a, "--auth-local=trust");
	cluster_arg(&a, "--auth-host=reject");
	cluster_arg(&a, "--encoding=UTF8");
	cluster_arg(&a, "--locale=%s", cluster_locale());
	cluster_arg(&a, "--data-checksums");
	return cluster_run(m, &a, -1, SIGTERM, out);
}

pid_t
master_cluster_create(
    struct master *m, const struct master_cluster *cl, int *out)
{
	static const char sql[] = "create database linnet\n";
	struct cluster_argv a = { .n = 0 };
	int fds[2], saved;
	pid_t pid = -1;

	if (pipe2(fds, O_CLOEXEC) == -1)
		return -1;
	/* A new pipe takes it at once. */
	if (write(fds[1], sql, sizeof(sql) - 1) == (ssize_t)sizeof(sql) - 1) {
		close(fds[1]);
		fds[1] = -1;
		cluster_arg(&a, "%s/postgres", cl->bin);
		cluster_arg(&a, "--single");
		cluster_arg(&a, "-D");
		cluster_arg(&a, "%s", cl->fresh);
		cluster_set(&a, "exit_on_error=on");
		cluster_set_log(&a);
		cluster_arg(&a, "postgres");
		pid = cluster_run(m, &a, fds[0], SIGTERM, out);
	}
	saved = errno;
	close(fds[0]);
	if (fds[1] != -1)
		close(fds[1]);
	errno = saved;
	return pid;
}

/* What the promises of linnetd(8) and its processes need goes here.  The rest
 * (128 MB of buffers, 1 GB of WAL) is as initdb(1) wrote it into
 * postgresql.conf, which is the operator's to change. */
pid_t
master_cluster_serve(
    struct master *m, const struct master_cluster *cl, int *out)
{
	unsigned connections =
	    CONNECTIONS_PROCESS * m->procs + CONNECTIONS_SPARE;
	struct cluster_argv a = { .n = 0 };

	if (connections < CONNECTIONS_MIN)
		connections = CONNECTIONS_MIN;
	cluster_arg(&a, "%s/postgres", cl->bin);
	cluster_arg(&a, "-D");
	cluster_arg(&a, "%s", cl->data);
	cluster_set(&a, "listen_addresses=");
	cluster_set(&a, "port=5432");
	cluster_set(&a, "unix_socket_directories=\"%s\"", cl->run);
	cluster_set(&a, "unix_socket_permissions=0700");
	cluster_set(&a, "max_connections=%u", connections);
	cluster_set(&a, "fsync=on");
	cluster_set(&a, "full_page_writes=on");
	cluster_set(&a, "synchronous_commit=on");
	/* Nobody replicates it; without the records for that a commit is a
	 * tenth cheaper. */
	cluster_set(&a, "wal_level=minimal");
	cluster_set(&a, "max_wal_senders=0");
	cluster_set(&a, "jit=off");
	/* A search reads rows all over: together, where they are not in memory.
	 */
	cluster_set(&a, "effective_io_concurrency=32");
	cluster_set(&a, "timezone=UTC");
	cluster_set(&a, "cluster_name=linnet");
	cluster_set_log(&a);
	/* SIGINT is a fast shutdown. */
	return cluster_run(m, &a, -1, SIGINT, out);
}

int
master_cluster_finish(const struct master_cluster *cl)
{
	char *parent;
	int fd, r;

	if (rename(cl->fresh, cl->data) == -1)
		return -1;
	parent =
	    xstrndup(cl->data, (size_t)(strrchr(cl->data, '/') - cl->data));
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(parent);
	if (fd == -1)
		return -1;
	r = fsync(fd);
	close(fd);
	return r;
}

/* The lines of postmaster.pid; returns how many there are. */
static unsigned
cluster_lock(const struct master_cluster *cl, char lines[LOCK_LINES][64])
{
	char *path = xasprintf("%s/postmaster.pid", cl->data), line[1024];
	FILE *f = fopen(path, "re");
	unsigned n = 0;

	free(path);
	if (f == NULL)
		return 0;
	while (n < LOCK_LINES && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n ")] = '\0';
		str_copy(lines[n++], line, sizeof(lines[0]));
	}
	fclose(f);
	return n;
}

/* As pg_ctl(1) does it.  The file may be that of an earlier server that had
 * the same number. */
bool
master_cluster_is_ready(
    const struct master_cluster *cl, pid_t pid, int64_t started_ms)
{
	char lines[LOCK_LINES][64];
	int64_t n;

	if (cluster_lock(cl, lines) < LOCK_LINES)
		return false;
	if (str_num(lines[0], 1, INT32_MAX, &n) != NULL || n != pid)
		return false;
	if (str_num(lines[2], 0, INT64_MAX, &n) != NULL ||
	    n < started_ms / 1000 - 2)
		return false;
	return strcmp(lines[7], "ready") == 0;
}

/* Is it a PostgreSQL in one of our directories?  A person's shell may be
 * there as well. */
static bool
cluster_is_inside(const char *pid, const struct stat *dirs, size_t ndirs)
{
	static const char *const programs[] = {
		"postgres",
		"postmaster",
		"initdb",
	};
	char path[64], comm[32] = "";
	bool known = false;
	struct stat st;
	size_t i;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.16s/cwd", pid);
	if (stat(path, &st) == -1)
		return false;
	snprintf(path, sizeof(path), "/proc/%.16s/comm", pid);
	if ((f = fopen(path, "re")) == NULL)
		return false;
	if (fgets(comm, sizeof(comm), f) == NULL)
		comm[0] = '\0';
	fclose(f);
	comm[strcspn(comm, "\n")] = '\0';
	for (i = 0; i < NELEM(programs); i++)
		known = known || strcmp(comm, programs[i]) == 0;
	if (!known)
		return false;
	for (i = 0; i < ndirs; i++) {
		if (st.st_dev == dirs[i].st_dev && st.st_ino == dirs[i].st_ino)
			return true;
	}
	return false;
}

unsigned
master_cluster_signal(const struct master_cluster *cl, int sig)
{
	const char *names[] = { cl->data, cl->fresh, cl->state };
	char lines[LOCK_LINES][64];
	struct stat dirs[NELEM(names)];
	size_t ndirs = 0, i;
	const char *first;
	unsigned found = 0;
	struct dirent *e;
	DIR *proc;

	for (i = 0; i < NELEM(names); i++)
		ndirs += stat(names[i], &dirs[ndirs]) == 0;
	if (ndirs == 0)
		return 0;
	first = cluster_lock(cl, lines) > 0 ? lines[0] : "";
	proc = opendir("/proc");
	if (proc == NULL)
		return 0;
	while ((e = readdir(proc)) != NULL) {
		if (!isdigit((unsigned char)e->d_name[0]) ||
		    !cluster_is_inside(e->d_name, dirs, ndirs))
			continue;
		found++;
		if (sig != 0 &&
		    (sig != SIGINT || strcmp(e->d_name, first) == 0) &&
		    kill((pid_t)strtol(e->d_name, NULL, 10), sig) == -1)
			log_debug("process %s: %s", e->d_name, strerror(errno));
	}
	closedir(proc);
	return found;
}

/* PostgreSQL itself finds out that a process is gone, but not that it is
 * another one, or a zombie. */
static void
cluster_unlock(const char *path)
{
	char line[64] = "";
	FILE *f = fopen(path, "re");
	int64_t pid;

	if (f == NULL)
		return;
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	fclose(f);
	line[strcspn(line, "\n ")] = '\0';
	if (str_num(line, 1, INT32_MAX, &pid) != NULL ||
	    (kill((pid_t)pid, 0) == -1 && errno == ESRCH))
		return;
	log_info("%s names process %lld, which is no server: it is removed",
	    path, (long long)pid);
	if (unlink(path) == -1)
		log_warn("%s: %s", path, strerror(errno));
}

void
master_cluster_unlock(const struct master_cluster *cl)
{
	char *cluster = xasprintf("%s/postmaster.pid", cl->data);
	char *sock = xasprintf("%s/.s.PGSQL.5432.lock", cl->run);

	cluster_unlock(cluster);
	cluster_unlock(sock);
	free(cluster);
	free(sock);
}
