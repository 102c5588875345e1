/* SPDX-License-Identifier: ISC */
/*
 * A process that moves the bytes of one file, which may take hours, while we
 * go on answering: it has a connection of its own, hashes, and waits for the
 * disk.  It tells how far it is over a pipe, and how it ended; it ends when
 * it is killed, and when we are gone.
 */
#include "config.h" /* close_range(2) */

#include "cli/cli_mcp.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_FILE 3
#define CHILD_PIPE 4
#define CHILD_ABOVE 16

_Static_assert(sizeof(struct mesh_word) <= PIPE_BUF, "a word is whole");

static void
child_say(const struct mesh_word *w)
{
	ssize_t n = write(CHILD_PIPE, w, sizeof(*w));

	/* Who asked is gone. */
	if (n != (ssize_t)sizeof(*w))
		_exit(1);
}

static void
child_progress(void *arg, int64_t done, int64_t size)
{
	struct mesh_word w = { .done = done };

	(void)arg;
	(void)size;
	child_say(&w);
}

/* Nothing of what we have open is the child's, but these. */
static void
child_enter(pid_t parent, int file, int pipe)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
	int null = open("/dev/null", O_RDWR);
	size_t i;

	for (i = 0; i < NELEM(signals); i++)
		(void)signal(signals[i], SIG_DFL);
	file = fcntl(file, F_DUPFD, CHILD_ABOVE);
	pipe = fcntl(pipe, F_DUPFD, CHILD_ABOVE);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent ||
	    null == -1 || dup2(null, STDIN_FILENO) == -1 ||
	    dup2(null, STDOUT_FILENO) == -1 || dup2(file, CHILD_FILE) == -1 ||
	    dup2(pipe, CHILD_PIPE) == -1 ||
	    close_range(CHILD_PIPE + 1, UINT_MAX, 0) == -1)
		_exit(1);
}

static void
child_run(struct linnet *l, struct linnet_transfer *t, bool upload)
{
	struct mesh_word w = { .ended = true };
	int r;

	t->fd = CHILD_FILE;
	t->progress = child_progress;
	if (upload)
		r = linnet_upload(l, t, w.sha256, &w.error);
	else
		r = linnet_download(l, t, &w.error);
	if (r == 0 && !upload && fsync(CHILD_FILE) == -1 && errno != EINVAL) {
		r = -1;
		str_copy(w.error.code, "bad_argument", sizeof(w.error.code));
		snprintf(w.error.message, sizeof(w.error.message),
		    "The file cannot be written: %s.", strerror(errno));
	}
	w.failed = r != 0;
	w.done = t->size;
	child_say(&w);
	_exit(0);
}

int
cli_mcp_child_start(struct mesh_child *ch, struct linnet *l,
    const struct linnet_transfer *transfer, bool upload)
{
	struct linnet_transfer t = *transfer;
	pid_t parent = getpid();
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) == -1)
		return -1;
	ch->pid = fork();
	if (ch->pid == 0) {
		child_enter(parent, t.fd, fds[1]);
		child_run(l, &t, upload);
	}
	close(fds[1]);
	if (ch->pid == -1 || fcntl(fds[0], F_SETFL, O_NONBLOCK) == -1) {
		close(fds[0]);
		if (ch->pid > 0)
			cli_mcp_child_end(ch);
		return -1;
	}
	ch->fd = fds[0];
	return 0;
}

bool
cli_mcp_child_read(struct mesh_child *ch, struct mesh_word *w)
{
	ssize_t n = read(ch->fd, w, sizeof(*w));

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n == (ssize_t)sizeof(*w)) {
		if (w->ended)
			cli_mcp_child_end(ch);
		return true;
	}
	cli_mcp_child_end(ch);
	*w = (struct mesh_word){ .ended = true, .failed = true };
	str_copy(w->error.code, "unavailable", sizeof(w->error.code));
	str_copy(w->error.message,
	    "What moved the bytes of the file ended too early; try again.",
	    sizeof(w->error.message));
	return true;
}

void
cli_mcp_child_end(struct mesh_child *ch)
{
	if (ch->pid > 0) {
		(void)kill(ch->pid, SIGKILL);
		while (waitpid(ch->pid, NULL, 0) == -1 && errno == EINTR)
			;
	}
	if (ch->fd != -1)
		close(ch->fd);
	ch->pid = 0;
	ch->fd = -1;
}
