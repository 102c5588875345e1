/* SPDX-License-Identifier: ISC */
/*
 * Servers: started in a directory of their own, ended with all their
 * processes, and the directory removed, also when linnet-bench fails.  A
 * server that stays behind would be in the way of the next figures, so the
 * kernel is asked to end it should we be killed.
 */
#include "config.h"

#include "bench/bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVER_MAX 64
#define SERVER_START_NS 60000000000
#define SERVER_STOP_NS 30000000000
#define SERVER_POLL_NS 10000000
#define SERVER_TREE 4096

/* Those that run, for the end of this process. */
static struct bench_server *server_all[SERVER_MAX];
static pid_t server_owner;

static void
server_end_all(void)
{
	size_t i;

	if (getpid() != server_owner)
		return;
	for (i = 0; i < SERVER_MAX; i++)
		if (server_all[i] != NULL)
			bench_server_stop(server_all[i]);
}

static void
server_keep(struct bench_server *s)
{
	size_t i;

	if (server_owner == 0 && atexit(server_end_all) != 0)
		fatalx("atexit");
	server_owner = getpid();
	for (i = 0; i < SERVER_MAX; i++)
		if (server_all[i] == NULL) {
			server_all[i] = s;
			return;
		}
	fatalx("more than %d servers", SERVER_MAX);
}

void
bench_server_pin(const char *cpus)
{
	const char *p = cpus;
	cpu_set_t set;
	long from, to;
	char *end;

	CPU_ZERO(&set);
	do {
		from = to = strtol(p, &end, 10);
		if (*end == '-')
			to = strtol(end + 1, &end, 10);
		if (end == p || (*end != ',' && *end != '\0') || from < 0 ||
		    to < from || to >= CPU_SETSIZE)
			fatalx("%s: not a list of processors", cpus);
		for (; from <= to; from++)
			CPU_SET((size_t)from, &set);
		p = end + 1;
	} while (*end == ',');
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		log_warn("processors %s are not all here: any will do", cpus);
}

static void
server_output(const struct bench_server *s, const char *name, int to)
{
	char file[128];
	int fd;

	snprintf(file, sizeof(file), "%s/%s", s->dir, name);
	fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0 || dup2(fd, to) < 0)
		_exit(126);
}

void
bench_server_spawn(
    struct bench_server *s, char *const *argv, const struct bench_options *o)
{
	char threads[32];
	int null;

	fflush(NULL);
	if ((s->pid = bench_proc_fork(SIGTERM)) < 0)
		fatal("fork");
	if (s->pid > 0) {
		s->child = true;
		return;
	}
	(void)setsid(); /* what a terminal sends is for us */
	if (o->server_cpus != NULL)
		bench_server_pin(o->server_cpus);
	if (o->threads > 0) {
		snprintf(
		    threads, sizeof(threads), "%lld", (long long)o->threads);
		(void)setenv("GOMAXPROCS", threads, 1);
	}
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	(void)dup2(null, STDIN_FILENO);
	server_output(s, "out", STDOUT_FILENO);
	server_output(s, "log", STDERR_FILENO);
	execvp(argv[0], argv);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void
server_show_log(const struct bench_server *s)
{
	char file[128], text[4096];
	size_t n;
	FILE *f;

	snprintf(file, sizeof(file), "%s/log", s->dir);
	if ((f = fopen(file, "re")) == NULL)
		return;
	if (fseek(f, -(long)sizeof(text), SEEK_END) != 0)
		rewind(f);
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	fwrite(text, 1, n, stderr);
}

bool
bench_server_ended(struct bench_server *s)
{
	int status;

	if (!s->child || waitpid(s->pid, &status, WNOHANG) != s->pid)
		return !s->child && s->pid == -1;
	log_error("%s ended with status %#x", s->peer->name, (unsigned)status);
	server_show_log(s);
	s->child = false;
	s->pid = -1;
	return true;
}

static int
server_remove(
    const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static bool
server_all_gone(const pid_t *pids, size_t n, int signal)
{
	bool gone = true;
	size_t i;

	for (i = 0; i < n; i++)
		if (kill(pids[i], signal) == 0)
			gone = false;
	return gone;
}

void
bench_server_stop(struct bench_server *s)
{
	static pid_t pids[SERVER_TREE];
	int64_t end = bench_proc_now() + SERVER_STOP_NS;
	size_t n, i;
	int status;

	for (i = 0; i < SERVER_MAX; i++)
		if (server_all[i] == s)
			server_all[i] = NULL;
	if (s->child) {
		n = bench_proc_tree(s->pid, pids, SERVER_TREE);
		(void)kill(s->pid, SIGTERM);
		while (waitpid(s->pid, &status, WNOHANG) == 0 &&
		       bench_proc_now() < end)
			bench_proc_sleep_until(
			    bench_proc_now() + SERVER_POLL_NS);
		/* What it left behind has no time. */
		end = bench_proc_now() + SERVER_STOP_NS / 10;
		while (!server_all_gone(pids, n, 0) && bench_proc_now() < end) {
			(void)waitpid(s->pid, &status, WNOHANG);
			bench_proc_sleep_until(
			    bench_proc_now() + SERVER_POLL_NS);
		}
		(void)server_all_gone(pids, n, SIGKILL);
		(void)waitpid(s->pid, &status, WNOHANG);
	}
	bench_tls_client_free(s->where.tls);
	if (s->dir[0] != '\0')
		(void)nftw(s->dir, server_remove, 32, FTW_DEPTH | FTW_PHYS);
	free(s);
}

/* A port that nobody has now. */
static unsigned
server_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) != 0)
		fatal("a free port");
	close(fd);
	return ntohs(a.sin_port);
}

static void
server_config(struct bench_server *s, const struct bench_options *o)
{
	char file[128], *text;
	FILE *f;

	if (s->peer->config == NULL)
		return;
	snprintf(file, sizeof(file), "%s/config", s->dir);
	text = bench_peer_expand(s->peer->config, s, o);
	if ((f = fopen(file, "we")) == NULL || fputs(text, f) < 0 ||
	    fclose(f) != 0)
		fatal("%s", file);
	free(text);
}

static bool
server_answers(const struct bench_server *s)
{
	const struct sockaddr_in *a = &s->where.address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool there;

	if (fd < 0)
		fatal("socket");
	there = connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0;
	close(fd);
	return there;
}

/* One that is not ours: started by its row of the table. */
static int
server_start_peer(struct bench_server *s, const struct bench_options *o)
{
	int64_t end = bench_proc_now() + SERVER_START_NS;
	char *argv[16] = { NULL };
	size_t i;

	s->port = server_port();
	s->port2 = server_port();
	s->where.address.sin_port = htons((uint16_t)s->port);
	server_config(s, o);
	for (i = 0; s->peer->start[i] != NULL && i + 1 < NELEM(argv); i++)
		argv[i] = bench_peer_expand(s->peer->start[i], s, o);
	bench_server_spawn(s, argv, o);
	for (i = 0; argv[i] != NULL; i++)
		free(argv[i]);
	while (!server_answers(s)) {
		if (bench_server_ended(s) || bench_proc_interrupted())
			return -1;
		if (bench_proc_now() > end) {
			log_error("%s does not listen", s->peer->name);
			server_show_log(s);
			return -1;
		}
		bench_proc_sleep_until(bench_proc_now() + SERVER_POLL_NS);
	}
	return s->peer->started != NULL ? s->peer->started(s) : 0;
}

/* One that runs already. */
static int
server_use(struct bench_server *s, const struct bench_options *o)
{
	char *copy = xstrdup(o->address), *port = strrchr(copy, ':');
	const char *error;
	int64_t n = 0;

	if (port != NULL)
		*port++ = '\0';
	if (port == NULL ||
	    inet_pton(AF_INET, copy, &s->where.address.sin_addr) != 1 ||
	    (error = str_num(port, 1, 65535, &n)) != NULL)
		fatalx("%s is not an IPv4 address and a port", o->address);
	s->where.address.sin_port = htons((uint16_t)n);
	free(copy);
	s->pid = (pid_t)o->pid;
	if (!s->peer->ours)
		return 0;
	if (o->seed == NULL)
		fatalx("--address of a linnetd wants --seed");
	bench_mesh_read_seed(&s->seed, o->seed);
	return 0;
}

struct bench_server *
bench_server_start(const struct bench_peer *p, const struct bench_options *o)
{
	struct bench_server *s = xcalloc(1, sizeof(*s));
	int status;

	s->peer = p;
	s->where = (struct bench_where){
		.address = { .sin_family = AF_INET,
		    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) },
		.websocket = p->websocket,
		.path = p->path,
		.dialect = p->dialect,
		.tls = o->tls ? bench_tls_client() : NULL,
	};
	server_keep(s);
	if (o->address != NULL)
		status = server_use(s, o);
	else {
		str_copy(s->dir, "/tmp/linnet-bench.XXXXXX", sizeof(s->dir));
		if (mkdtemp(s->dir) == NULL || chmod(s->dir, 0755) != 0)
			fatal("%s", s->dir);
		status = p->ours ? bench_linnetd_start(s, o)
				 : server_start_peer(s, o);
	}
	if (status == 0)
		return s;
	bench_server_stop(s);
	return NULL;
}
