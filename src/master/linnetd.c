/* SPDX-License-Identifier: ISC */
/*
 * linnetd(8): the command line, and becoming a daemon.  `linnetd -x role` is
 * how the master starts the other processes from the same program.
 *
 * A daemon forks before it has anything (locks, sockets, an event loop), and
 * whoever started it waits on a pipe until it serves or has said why not.
 */
#include "config.h" /* pipe2(2) */

#include "master/master.h"

#include <sys/wait.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "conf/conf.h"

#define CONF_PATH SYSCONFDIR "/linnet/linnetd.conf"
#define OPTIONS_MAX 1024

enum action {
	SERVE,
	CHECK, /* -t */
	PRINT, /* -T */
};

static void __attribute__((noreturn)) usage(void)
{
	fputs(
	    "usage: linnetd [-dfTtV] [-c file] [-o 'option value']\n", stderr);
	exit(EX_USAGE);
}

static void
version(void)
{
	printf("linnetd %s\n", PACKAGE_VERSION);
	printf("features: http websocket mesh private-postgresql%s\n",
#ifdef LINNET_SANITIZERS
	    " sanitizers"
#else
	    " sandbox"
#endif
	);
	printf(
	    "libevent %s, configuration %s\n", event_get_version(), CONF_PATH);
}

/* Output that could not be written is an error like any other. */
static int
flushed(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "linnetd: standard output: %s\n", strerror(errno));
	return EX_IOERR;
}

/* -t and -T. */
static int
show(const struct conf *c, enum action action)
{
	struct buf b;

	if (action == CHECK) {
		puts("configuration OK");
		return flushed(EX_OK);
	}
	buf_init(&b, 2 * CONF_TEXT_MAX);
	master_conf_print(c, &b);
	fwrite(b.data, 1, b.len, stdout);
	buf_free(&b);
	return flushed(EX_OK);
}

/* What the daemon says into the pipe: nothing but "+" when it serves, else
 * why it does not; nothing at all when stderr has the reason. */
static void __attribute__((noreturn)) wait_for_daemon(int fd, pid_t pid)
{
	char text[1024];
	size_t n = 0;
	ssize_t got;

	waitpid(pid, NULL, 0);
	while (n < sizeof(text) &&
	       ((got = read(fd, text + n, sizeof(text) - n)) > 0 ||
		   (got == -1 && errno == EINTR)))
		n += got > 0 ? (size_t)got : 0;
	if (n == 1 && text[0] == '+')
		_exit(EXIT_SUCCESS);
	if (n > 0)
		fprintf(stderr, "linnetd: %.*s\n", (int)n, text);
	_exit(EXIT_FAILURE);
}

/* Returns in the daemon, with the pipe to the process that waits. */
static int
daemonize(void)
{
	int fds[2], null;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		fatal("becoming a daemon");
	if (pid > 0) {
		close(fds[1]);
		wait_for_daemon(fds[0], pid);
	}
	close(fds[0]);
	/* The leader of the new session ends, so that no terminal can become
	 * that session's. */
	if (setsid() == -1 || (pid = fork()) == -1)
		fatal("becoming a daemon");
	if (pid > 0)
		_exit(EXIT_SUCCESS);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null == -1 || dup2(null, STDIN_FILENO) == -1 ||
	    dup2(null, STDOUT_FILENO) == -1)
		fatal("/dev/null");
	close(null);
	return fds[1];
}

/* 0, 1 and 2 are there, so that nothing else can become one of them. */
static void
open_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd == -1)
		fatal("/dev/null");
	close(fd);
}

static char *
absolute(const char *path)
{
	char *cwd, *r;

	if (path[0] == '/')
		return xstrdup(path);
	cwd = getcwd(NULL, 0);
	if (cwd == NULL)
		fatal("the working directory");
	r = xasprintf("%s/%s", cwd, path);
	free(cwd);
	return r;
}

#ifdef LINNET_SANITIZERS
/* The leak checker asks this.  A process whose root is another directory has
 * no /proc, without which it cannot look. */
int __lsan_is_turned_off(void);

int
__lsan_is_turned_off(void)
{
	return access("/proc/self/task", R_OK) == -1;
}
#endif

static int
run_role(const char *name, char **argv)
{
	const struct master_role *role = master_spawn_role(name);

	if (role == NULL)
		usage();
	return role->entry(argv);
}

/* Can the keys be read that the configuration names?  Those that a start makes
 * are not made. */
static bool
check_keys(const struct conf *c, char **error)
{
	uint8_t key[CRYPTO_KEY_LEN] = { 0 }, digest[CRYPTO_DIGEST_LEN];
	char *why;
	bool good =
	    (c->token_key[0] == '\0' || conf_token_key(c, key, error) == 0) &&
	    (c->audit_key[0] == '\0' || conf_audit_key(c, key, error) == 0);

	if (good && conf_platform_digest(c, key, digest, &why) != 0) {
		*error = xasprintf("platform.key_file: %s", why);
		free(why);
		good = false;
	}
	crypto_wipe(key, sizeof(key));
	return good;
}

static int
run(struct master_args *args, enum action action)
{
	struct master_tls *tls = NULL;
	struct conf *c;
	char *error;
	int r;

	c = master_conf(args, &error);
	if (c == NULL ||
	    (action != PRINT && (tls = master_tls_read(c, &error)) == NULL) ||
	    (action == CHECK && !check_keys(c, &error))) {
		fprintf(stderr, "linnetd: %s\n", error);
		free(error);
		master_tls_free(tls);
		conf_free(c);
		return EX_CONFIG;
	}
	if (action != SERVE) {
		r = show(c, action);
		master_tls_free(tls);
		conf_free(c);
		return r;
	}
	if (!args->foreground)
		args->waiter = daemonize();
	return master(args, c, tls);
}

int
main(int argc, char **argv)
{
	static const char *options[OPTIONS_MAX];
	struct master_args args = { .options = options, .waiter = -1 };
	enum action action = SERVE;
	const char *path = CONF_PATH;
	int ch;

	open_standard();
	log_start("linnetd", LOG_INFO);
	while ((ch = getopt(argc, argv, "c:dfo:TtVx:")) != -1) {
		switch (ch) {
		case 'c':
			path = optarg;
			args.path_given = true;
			break;
		case 'd':
			args.debug = args.foreground = true;
			break;
		case 'f':
			args.foreground = true;
			break;
		case 'o':
			if (args.noptions == OPTIONS_MAX)
				usage();
			options[args.noptions++] = optarg;
			break;
		case 'T':
			action = PRINT;
			break;
		case 't':
			action = CHECK;
			break;
		case 'V':
			version();
			return flushed(EX_OK);
		case 'x':
			return run_role(optarg, argv);
		default:
			usage();
		}
	}
	if (optind != argc)
		usage();
	crypto_start();
	clock_update();
	args.path = absolute(path);
	ch = run(&args, action);
	free((char *)(uintptr_t)args.path);
	return ch;
}
