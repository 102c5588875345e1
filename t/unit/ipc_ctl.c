/* SPDX-License-Identifier: ISC */
/*
 * The control socket: a server in a child process, clients here.  The server
 * ends when this program does.
 */
#include "config.h"

#include "ipc/ipc.h"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tap.h"

#define WAIT_MS 20000

static char dir[] = "/tmp/linnet-ctl-XXXXXX";
static char *path;
static pid_t server;
static struct ipc_ctl_call *held; /* a call that "release" answers */

/* Answers with the words, a bar after each. */
static void
reply_words(struct ipc_ctl_call *call, char **words, size_t n)
{
	struct buf b;
	size_t i;

	buf_init(&b, IPC_TAIL_MAX);
	for (i = 0; i < n; i++)
		buf_addf(&b, "%s|", words[i]);
	if (words[n] != NULL)
		buf_adds(&b, "not ended");
	ipc_ctl_reply(call, 0, b.data, b.len);
	buf_free(&b);
}

static void
serve(struct ipc_ctl_call *call, char **words, size_t n, void *arg)
{
	size_t len;
	char *text;

	(void)arg;
	if (strcmp(words[0], "status") == 0) {
		ipc_ctl_reply(call, (uint32_t)atoi(words[1]), NULL, 0);
	} else if (strcmp(words[0], "bytes") == 0) {
		len = (size_t)atoi(words[1]);
		text = xmalloc(len);
		memset(text, 'b', len);
		ipc_ctl_reply(call, 0, text, len);
		free(text);
	} else if (strcmp(words[0], "hold") == 0) {
		held = call;
	} else if (strcmp(words[0], "release") == 0) {
		ipc_ctl_reply(held, 7, "late", 4);
		ipc_ctl_reply(call, 0, "released", 8);
	} else {
		reply_words(call, words, n);
	}
}

static void
end_cb(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

/* Serves until TERM; tells its parent through ready that it does. */
static void __attribute__((noreturn)) serve_forever(int ready)
{
	struct event_base *base = event_base_new();
	struct ipc_ctl_server *s;
	struct event *end;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	end = evsignal_new(base, SIGTERM, end_cb, base);
	event_add(end, NULL);
	s = ipc_ctl_listen(base, path, serve, NULL);
	if (s == NULL)
		_exit(errno == EADDRINUSE ? 2 : 3);
	if (write(ready, "r", 1) != 1)
		_exit(4);
	event_base_dispatch(base);
	ipc_ctl_close(s);
	event_free(end);
	event_base_free(base);
	exit(0);
}

/* Starts a server; its pid, or 0 and *status when it did not begin. */
static pid_t
start_server(int *status)
{
	int ready[2];
	char c;
	pid_t pid;

	if (pipe(ready) == -1)
		exit(1);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(ready[0]);
		serve_forever(ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1) {
		waitpid(pid, status, 0);
		*status = WIFEXITED(*status) ? WEXITSTATUS(*status) : -1;
		pid = 0;
	}
	close(ready[0]);
	return pid;
}

static int
stop_server(int sig)
{
	int status = -1;

	kill(server, sig);
	waitpid(server, &status, 0);
	server = 0;
	return status;
}

static void
start_or_die(void)
{
	int status = 0;

	server = start_server(&status);
	if (server == 0) {
		printf("Bail out! the server ended with status %d\n", status);
		exit(1);
	}
}

static void
cleanup(void)
{
	if (server > 0)
		stop_server(SIGKILL);
}

/* A call; the answer is "status:text" or the name of the error.  The caller
 * frees it. */
static char *
call(const char *w0, const char *w1, const char *w2, int64_t timeout_ms)
{
	const char *words[] = { w0, w1, w2, NULL };
	uint32_t status = 99;
	struct buf b;
	char *s;

	buf_init(&b, IPC_CTL_REPLY_MAX);
	if (ipc_ctl_call(path, words, timeout_ms, &status, &b) == -1)
		s = xstrdup(strerror(errno));
	else
		s = xasprintf("%u:%s", status, buf_str(&b));
	buf_free(&b);
	return s;
}

static void
is_call(const char *w0, const char *w1, const char *w2, const char *want,
    const char *name)
{
	char *s = call(w0, w1, w2, WAIT_MS);

	is_str(s, want, "%s", name);
	free(s);
}

static void
test_calls(void)
{
	struct stat st;
	char *s;

	is_call("one", NULL, NULL, "0:one|", "a word comes back");
	is_call("a b", "", "c", "0:a b||c|", "words with spaces, and none");
	is_call("status", "42", NULL, "42:", "a status without a text");
	s = call("bytes", "600000", NULL, WAIT_MS);
	is_int(strlen(s), 600002, "an answer of several parts");
	ok(strspn(s + 2, "b") == 600000, "is whole");
	free(s);
	s = call("bytes", "131072", NULL, WAIT_MS);
	is_int(strlen(s), 131074, "an answer of exactly one part");
	free(s);
	is_call("bytes", "1048577", NULL, "1:", "one that is too long fails");
	ok(stat(path, &st) == 0 && S_ISSOCK(st.st_mode) &&
		(st.st_mode & 0777) == 0600,
	    "the socket is for its owner only");
}

static void
test_request_too_long(void)
{
	char *word = xmalloc(IPC_TAIL_MAX + 1);
	char *s;

	memset(word, 'w', IPC_TAIL_MAX);
	word[IPC_TAIL_MAX] = '\0';
	s = call(word, NULL, NULL, WAIT_MS);
	is_str(s, strerror(EMSGSIZE), "a request that is too long");
	free(s);
	/* With its own NUL it fills the message, with the bar the answer. */
	word[IPC_TAIL_MAX - 1] = '\0';
	s = call(word, NULL, NULL, WAIT_MS);
	is_int(strlen(s), 2 + IPC_TAIL_MAX, "the longest request");
	free(s);
	free(word);
}

/* A client of its own making. */
static int
raw_client(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	str_copy(sun.sun_path, path, sizeof(sun.sun_path));
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

static int
raw_request(int fd, const char *tail, size_t n)
{
	struct ipc_ctl head = { 0 };

	return ipc_frame_send(
	    fd, IPC_CTL, IPC_MASTER, IPC_CTL_REQUEST, &head, tail, n, NULL, 0);
}

/* Does the server close this client? */
static bool
is_dropped(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char c;

	return poll(&pfd, 1, WAIT_MS) == 1 && recv(fd, &c, 1, 0) <= 0;
}

static void
test_malformed(void)
{
	char many[2 * (IPC_CTL_WORDS_MAX + 1)];
	static const struct {
		const char *tail;
		size_t n;
	} rows[] = {
		{ "", 0 },
		{ "a", 1 },
		{ "a\0b", 3 },
	};
	size_t i;
	int fd;

	for (i = 0; i < NELEM(rows); i++) {
		fd = raw_client();
		ok(raw_request(fd, rows[i].tail, rows[i].n) == 0 &&
			is_dropped(fd),
		    "malformed request %zu", i);
		close(fd);
	}
	for (i = 0; i < sizeof(many); i++)
		many[i] = i % 2 == 0 ? 'w' : '\0';
	fd = raw_client();
	ok(raw_request(fd, many, sizeof(many)) == 0 && is_dropped(fd),
	    "too many words");
	close(fd);
	fd = raw_client();
	ok(send(fd, "hello", 5, 0) == 5 && is_dropped(fd), "no message");
	close(fd);
	fd = raw_client();
	ok(raw_request(fd, "hold", 5) == 0 && raw_request(fd, "x", 2) == 0 &&
		is_dropped(fd),
	    "a second request before the answer");
	close(fd);
	is_call("release", NULL, NULL, "0:released",
	    "a call whose client is gone is answered to nobody");
	is_call("one", NULL, NULL, "0:one|", "and the server serves");
}

static void
test_late(void)
{
	struct ipc_msg m;
	const struct ipc_ctl *head;
	const char *why;
	char *buf = xmalloc(IPC_BUF_SIZE), *s;
	struct pollfd pfd;
	int fd;

	s = call("hold", NULL, NULL, 50);
	is_str(s, strerror(ETIMEDOUT), "a call waits no longer than it says");
	free(s);
	is_call("release", NULL, NULL, "0:released", "and is over");

	fd = raw_client();
	ok(raw_request(fd, "hold", 5) == 0, "a call");
	/* The server reads in any order; this one is answered in any case. */
	do {
		s = call("one", NULL, NULL, WAIT_MS);
		free(s);
		pfd = (struct pollfd){ .fd = fd, .events = POLLOUT };
	} while (poll(&pfd, 1, WAIT_MS) != 1);
	is_call("release", NULL, NULL, "0:released", "is answered later");
	pfd.events = POLLIN;
	poll(&pfd, 1, WAIT_MS);
	ok(ipc_frame_recv(fd, IPC_MASTER, IPC_CTL, buf, &m, &why) ==
		    IPC_GOT_MSG &&
		(head = m.payload)->status == 7 && head->more == 0 &&
		strcmp(m.tail, "late") == 0,
	    "with its own answer");
	close(fd);
	free(buf);
}

static void
test_crowd(void)
{
	int64_t end = clock_usec() + WAIT_MS * 1000;
	int fds[33], i;
	bool good;
	char *s;

	for (i = 0; i < 33; i++)
		fds[i] = raw_client();
	ok(is_dropped(fds[32]), "a client too many is dropped");
	for (i = 0; i < 33; i++)
		close(fds[i]);
	/* The server sees them go in its own time. */
	do {
		s = call("one", NULL, NULL, WAIT_MS);
		good = strcmp(s, "0:one|") == 0;
		free(s);
	} while (!good && clock_usec() < end);
	ok(good, "room comes back");
}

/* As user nobody, with a socket that lets it connect. */
static void
test_stranger(void)
{
	int status = -1;
	pid_t pid;
	char *s;

	if (geteuid() != 0) {
		ok(true, "strangers # SKIP needs root");
		return;
	}
	chmod(path, 0666);
	chmod(dir, 0755);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (setresuid(65534, 65534, 65534) == -1)
			_exit(2);
		s = call("one", NULL, NULL, WAIT_MS);
		_exit(strcmp(s, strerror(ECONNRESET)) != 0 &&
		      strcmp(s, strerror(EPIPE)) != 0);
	}
	waitpid(pid, &status, 0);
	is_int(status, 0, "another user is not heard");
	chmod(dir, 0700);
	chmod(path, 0600);
}

static void
write_file(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd == -1 || write(fd, "x", 1) != 1)
		perror(name);
	close(fd);
}

static void
test_paths(void)
{
	struct event_base *base = event_base_new();
	char *was = path, long_path[200];
	struct ipc_ctl_server *s;
	struct stat st;
	int status = 0;

	is_int(start_server(&status), 0, "a second server does not begin");
	is_int(status, 2, "because the address is in use");
	is_call("one", NULL, NULL, "0:one|", "the first one serves");

	ok(stop_server(SIGKILL) != 0 && stat(path, &st) == 0,
	    "a server that is killed leaves its socket");
	is_call("one", NULL, NULL, strerror(ECONNREFUSED), "nobody serves");
	start_or_die();
	is_call("one", NULL, NULL, "0:one|", "a new one takes its place");
	is_int(stop_server(SIGTERM), 0, "the end");
	ok(stat(path, &st) == -1, "takes the socket away");
	is_call("one", NULL, NULL, strerror(ENOENT), "nobody is there");

	write_file(path);
	s = ipc_ctl_listen(base, path, serve, NULL);
	ok(s == NULL && errno == EEXIST, "a file is not replaced");
	ok(stat(path, &st) == 0 && st.st_size == 1, "and not harmed");
	unlink(path);

	memset(long_path, 'a', sizeof(long_path));
	long_path[0] = '/';
	long_path[sizeof(long_path) - 1] = '\0';
	path = long_path;
	s = ipc_ctl_listen(base, path, serve, NULL);
	ok(s == NULL && errno == ENAMETOOLONG, "a long path");
	is_call("one", NULL, NULL, strerror(ENAMETOOLONG), "for a client too");
	path = xasprintf("%s/none/ctl", dir);
	s = ipc_ctl_listen(base, path, serve, NULL);
	ok(s == NULL && errno == ENOENT, "a directory that is not there");
	free(path);
	path = was;

	s = ipc_ctl_listen(base, path, serve, NULL);
	unlink(path);
	write_file(path);
	ipc_ctl_close(s);
	ok(stat(path, &st) == 0, "what others put there stays");
	unlink(path);
	ipc_ctl_close(NULL);
	event_base_free(base);
}

int
main(void)
{
	if (mkdtemp(dir) == NULL) {
		perror(dir);
		return 1;
	}
	path = xasprintf("%s/ctl", dir);
	atexit(cleanup);
	log_start("t", LOG_ERROR);
	start_or_die();
	test_calls();
	test_request_too_long();
	test_malformed();
	test_late();
	test_crowd();
	test_stranger();
	test_paths();
	rmdir(dir);
	free(path);
	return tap_done();
}
