/* SPDX-License-Identifier: ISC */
/*
 * Our own server: a linnetd with a private database in its directory, without
 * the limits that protect it from clients like these, and a mesh.
 */
#include "config.h"

#include "bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINNETD_START_NS 120000000000
#define LINNETD_POLL_NS 10000000

static const char *const linnetd_settings[] = {
	"rate.member 0",
	"rate.now 0",
	"rate.pair 0",
	"rate.requests 0",
	"rate.refused 0",
	"limit.member_sessions 1000000",
	"limit.sessions 1000000",
	"limit.pending 4096",
	"limit.handshake_time 60s",
	"limit.hello_time 60s",
	"log.level warn",
};

static bool
linnetd_is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       access(path, X_OK) == 0;
}

char *
bench_linnetd_program(const char *name, const char *given)
{
	static const char *const beside[] = { "", "../sbin/" };
	char self[4096], *path, *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t i;

	if (given != NULL && strcmp(name, "linnetd") == 0)
		return xstrdup(given);
	/* linnetctl is beside the linnetd that was given. */
	if (given != NULL)
		str_copy(self, given, sizeof(self));
	else
		self[n > 0 ? n : 0] = '\0';
	if ((slash = strrchr(self, '/')) != NULL)
		slash[1] = '\0';
	for (i = 0; slash != NULL && i < NELEM(beside); i++) {
		path = xasprintf("%s%s%s", self, beside[i], name);
		if (linnetd_is_program(path))
			return path;
		free(path);
	}
	return xstrdup(name);
}

/* Files that linnetd reads before it is somebody else, and one that it may
 * only read when it owns it. */
static int
linnetd_tls(struct bench_server *s, char ***argv, const struct bench_options *o)
{
	char cert[128], key[128];

	if (!o->tls)
		return 0;
	snprintf(cert, sizeof(cert), "%s/cert.pem", s->dir);
	snprintf(key, sizeof(key), "%s/key.pem", s->dir);
	if (bench_tls_make(cert, key) != 0 || chmod(key, 0600) != 0)
		return -1;
	*(*argv)++ = xstrdup("-o");
	*(*argv)++ = xasprintf("tls.certificate %s", cert);
	*(*argv)++ = xstrdup("-o");
	*(*argv)++ = xasprintf("tls.key %s", key);
	return 0;
}

static void
linnetd_set(char ***argv, const char *setting)
{
	*(*argv)++ = xstrdup("-o");
	*(*argv)++ = xstrdup(setting);
}

static int
linnetd_spawn(struct bench_server *s, const struct bench_options *o)
{
	char *argv[2 * (NELEM(linnetd_settings) + BENCH_SETTINGS_MAX) + 32];
	char **at = argv;
	size_t i;

	*at++ = bench_linnetd_program("linnetd", o->linnetd);
	*at++ = xstrdup("-f");
	*at++ = xstrdup("-o");
	*at++ = xasprintf("state_dir %s/state", s->dir);
	*at++ = xstrdup("-o");
	*at++ = xasprintf("listen %s127.0.0.1:0", o->tls ? "tls:" : "");
	*at++ = xstrdup("-o");
	*at++ = xasprintf("workers %lld", (long long)o->threads);
	if (linnetd_tls(s, &at, o) != 0)
		return -1;
	for (i = 0; i < NELEM(linnetd_settings); i++)
		linnetd_set(&at, linnetd_settings[i]);
	for (i = 0; i < o->nsettings; i++)
		linnetd_set(&at, o->settings[i]);
	*at = NULL;
	bench_server_spawn(s, argv, o);
	for (at = argv; *at != NULL; at++)
		free(*at);
	return 0;
}

/* The port of "listening on 127.0.0.1:7900", or 0. */
static unsigned
linnetd_port(const struct bench_server *s)
{
	char file[128], line[256];
	const char *colon;
	unsigned port = 0;
	FILE *f;

	snprintf(file, sizeof(file), "%s/out", s->dir);
	if ((f = fopen(file, "re")) == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		if (str_starts(line, "listening on ") &&
		    strchr(line, '\n') != NULL &&
		    (colon = strrchr(line, ':')) != NULL)
			port = (unsigned)strtoul(colon + 1, NULL, 10);
	fclose(f);
	return port;
}

static int
linnetd_seed(struct bench_server *s, const struct bench_options *o)
{
	char *argv[] = { bench_linnetd_program("linnetctl", o->linnetd),
		xstrdup("-o"), xasprintf("state_dir %s/state", s->dir),
		xstrdup("seed"), NULL };
	char *file = xasprintf("%s/seed", s->dir);
	int fd, status = -1;
	pid_t pid;
	size_t i;

	if ((pid = fork()) < 0)
		fatal("fork");
	if (pid == 0) {
		fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
			execvp(argv[0], argv);
		fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status == 0)
		bench_mesh_read_seed(&s->seed, file);
	else
		log_error("linnetctl seed: status %#x", (unsigned)status);
	free(file);
	for (i = 0; argv[i] != NULL; i++)
		free(argv[i]);
	return status == 0 ? 0 : -1;
}

int
bench_linnetd_start(struct bench_server *s, const struct bench_options *o)
{
	int64_t end = bench_proc_now() + LINNETD_START_NS;

	if (linnetd_spawn(s, o) != 0)
		return -1;
	while ((s->port = linnetd_port(s)) == 0) {
		if (bench_server_ended(s) || bench_proc_interrupted())
			return -1;
		if (bench_proc_now() > end) {
			log_error("linnetd does not listen");
			return -1;
		}
		bench_proc_sleep_until(bench_proc_now() + LINNETD_POLL_NS);
	}
	s->where.address.sin_port = htons((uint16_t)s->port);
	return linnetd_seed(s, o);
}
