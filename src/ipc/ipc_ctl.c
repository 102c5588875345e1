/* SPDX-License-Identifier: ISC */
/*
 * The control socket: linnetctl asks, the master answers.  Both ends are
 * here, so that the form of a request is in one place: words with a NUL after
 * each.  An answer longer than one message goes in parts.
 *
 * A connection carries one request at a time, and the call that stands for it
 * lives until ipc_ctl_reply(), also when its client is gone before: the
 * master may be waiting for the database.  So connection and call know each
 * other, and who ends first takes itself out of the other.
 */
#include "config.h" /* struct ucred */

#include "ipc/ipc.h"

#include <sys/file.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IPC_CTL_CLIENTS_MAX 32
#define IPC_CTL_BACKLOG 16
#define IPC_CTL_FAILED 1 /* status of an answer that could not be sent */

struct ipc_ctl_conn {
	TAILQ_ENTRY(ipc_ctl_conn) entry;
	struct ipc_ctl_server *server;
	struct ipc_peer *peer;
	struct ipc_ctl_call *call; /* under way, or NULL */
};
TAILQ_HEAD(ipc_ctl_conns, ipc_ctl_conn);

struct ipc_ctl_call {
	struct ipc_ctl_conn *conn; /* NULL: the client is gone */
	char *text;		   /* of the words */
	char *words[IPC_CTL_WORDS_MAX + 1];
	size_t nwords;
};

struct ipc_ctl_server {
	struct event_base *base;
	struct event *accept;
	struct event *resume; /* after a time without descriptors */
	int fd;
	char *path;
	dev_t dev; /* of the socket that we made */
	ino_t ino;
	ipc_ctl_fn *fn;
	void *arg;
	struct ipc_ctl_conns conns;
	unsigned nconns;
};

/* -1: ENAMETOOLONG. */
static int
ipc_ctl_address(const char *path, struct sockaddr_un *sun)
{
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	if (str_copy(sun->sun_path, path, sizeof(sun->sun_path)) <
	    sizeof(sun->sun_path))
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

static int
ipc_ctl_socket(void)
{
	return socket(
	    AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static void
ipc_ctl_conn_free(struct ipc_ctl_conn *c)
{
	if (c->call != NULL)
		c->call->conn = NULL;
	ipc_close(c->peer);
	TAILQ_REMOVE(&c->server->conns, c, entry);
	c->server->nconns--;
	free(c);
}

static void
ipc_ctl_closed(struct ipc_peer *p, void *arg)
{
	(void)p;
	ipc_ctl_conn_free(arg);
}

/* Splits the tail into words; -1 when it is none. */
static int
ipc_ctl_words(struct ipc_ctl_call *call, const char *tail, size_t n)
{
	char *p;

	if (n == 0 || tail[n - 1] != '\0')
		return -1;
	call->text = xmemdup(tail, n);
	for (p = call->text; p < call->text + n; p += strlen(p) + 1) {
		if (call->nwords == IPC_CTL_WORDS_MAX)
			return -1;
		call->words[call->nwords++] = p;
	}
	return 0;
}

static void
ipc_ctl_call_free(struct ipc_ctl_call *call)
{
	free(call->text);
	free(call);
}

static void
ipc_ctl_request(struct ipc_peer *p, struct ipc_msg *m, void *arg)
{
	struct ipc_ctl_conn *c = arg;
	struct ipc_ctl_call *call = xcalloc(1, sizeof(*call));

	(void)p;
	if (c->call != NULL ||
	    ipc_ctl_words(call, m->tail, m->tail_len) == -1) {
		log_warn("ipc: a malformed request on the control socket");
		ipc_ctl_call_free(call);
		ipc_ctl_conn_free(c);
		return;
	}
	call->conn = c;
	c->call = call;
	c->server->fn(call, call->words, call->nwords, c->server->arg);
}

static const struct ipc_handler ipc_ctl_handlers[] = {
	{ IPC_CTL_REQUEST, ipc_ctl_request },
};

void
ipc_ctl_reply_fd(struct ipc_ctl_call *call, int fd)
{
	/* A client that is gone needs none, and no answer either. */
	if (call->conn != NULL &&
	    ipc_send(call->conn->peer, IPC_CTL_FD, NULL, NULL, 0, &fd, 1) == -1)
		log_warn("ipc: a descriptor on the control socket: %s",
		    strerror(errno));
}

void
ipc_ctl_reply(
    struct ipc_ctl_call *call, uint32_t status, const char *text, size_t n)
{
	struct ipc_ctl head = { .status = status };
	struct ipc_ctl_conn *c = call->conn;
	size_t part;

	ipc_ctl_call_free(call);
	if (c == NULL)
		return;
	c->call = NULL;
	if (n > IPC_CTL_REPLY_MAX) {
		log_warn("ipc: an answer of %zu bytes is too long", n);
		head.status = IPC_CTL_FAILED;
		n = 0;
	}
	do {
		part = n < IPC_TAIL_MAX ? n : IPC_TAIL_MAX;
		head.more = part < n;
		if (ipc_send(c->peer, IPC_CTL_REPLY, &head, text, part, NULL,
			0) == -1) {
			log_warn("ipc: an answer on the control socket: %s",
			    strerror(errno));
			ipc_ctl_conn_free(c);
			return;
		}
		text += part;
		n -= part;
	} while (head.more);
}

/* Root and our own user may ask. */
static bool
ipc_ctl_is_allowed(int fd)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == -1)
		return false;
	if (cred.uid == 0 || cred.uid == geteuid())
		return true;
	log_warn(
	    "ipc: user %u may not use the control socket", (unsigned)cred.uid);
	return false;
}

static void
ipc_ctl_accept_cb(int fd, short what, void *arg)
{
	static const struct timeval pause = { 1, 0 };
	struct ipc_ctl_server *s = arg;
	struct ipc_ctl_conn *c;
	int client;

	(void)what;
	client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (client == -1) {
		/* Whoever waits still does: the loop would spin. */
		if (errno == EMFILE || errno == ENFILE) {
			event_del(s->accept);
			event_add(s->resume, &pause);
		}
		return;
	}
	if (s->nconns >= IPC_CTL_CLIENTS_MAX || !ipc_ctl_is_allowed(client)) {
		close(client);
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->server = s;
	TAILQ_INSERT_TAIL(&s->conns, c, entry);
	s->nconns++;
	c->peer = ipc_open(s->base, client, "linnetctl", IPC_MASTER, IPC_CTL,
	    ipc_ctl_handlers, NELEM(ipc_ctl_handlers), ipc_ctl_closed, c);
}

static void
ipc_ctl_resume_cb(int fd, short what, void *arg)
{
	struct ipc_ctl_server *s = arg;

	(void)fd;
	(void)what;
	event_add(s->accept, NULL);
}

/* Is the socket at the path one that nobody listens to?  -1: no, and errno. */
static int
ipc_ctl_is_stale(const char *path, const struct sockaddr_un *sun)
{
	struct stat st;
	int fd, r;

	if (lstat(path, &st) == -1)
		return -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	fd = ipc_ctl_socket();
	if (fd == -1)
		return -1;
	r = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	if (r == -1 && errno == ECONNREFUSED)
		r = 0;
	else {
		errno = EADDRINUSE;
		r = -1;
	}
	close(fd);
	return r;
}

/* Binds, with no moment at which others may connect. */
static int
ipc_ctl_bind(int fd, const char *path, const struct sockaddr_un *sun)
{
	mode_t old = umask(0177);
	int r;

	r = bind(fd, (const struct sockaddr *)sun, sizeof(*sun));
	if (r == -1 && errno == EADDRINUSE &&
	    ipc_ctl_is_stale(path, sun) == 0 && unlink(path) == 0)
		r = bind(fd, (const struct sockaddr *)sun, sizeof(*sun));
	umask(old);
	return r;
}

/* The directory, locked: of two daemons that find the same stale socket, one
 * removes and binds while the other waits.  -1 and errno. */
static int
ipc_ctl_lock(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir;
	int fd;

	if (slash == NULL)
		dir = xstrdup(".");
	else
		dir = xstrndup(path, slash == path ? 1 : slash - path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	if (fd != -1 && flock(fd, LOCK_EX) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

struct ipc_ctl_server *
ipc_ctl_listen(
    struct event_base *base, const char *path, ipc_ctl_fn *fn, void *arg)
{
	struct ipc_ctl_server *s = NULL;
	struct sockaddr_un sun;
	struct stat st;
	int sock = -1, lock = -1, saved;

	if (ipc_ctl_address(path, &sun) == -1 ||
	    (lock = ipc_ctl_lock(path)) == -1 ||
	    (sock = ipc_ctl_socket()) == -1 ||
	    ipc_ctl_bind(sock, path, &sun) == -1 ||
	    listen(sock, IPC_CTL_BACKLOG) == -1 || lstat(path, &st) == -1)
		goto fail;
	close(lock);
	s = xcalloc(1, sizeof(*s));
	s->base = base;
	s->fd = sock;
	s->path = xstrdup(path);
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	s->fn = fn;
	s->arg = arg;
	TAILQ_INIT(&s->conns);
	s->accept =
	    event_new(base, sock, EV_READ | EV_PERSIST, ipc_ctl_accept_cb, s);
	s->resume = event_new(base, -1, 0, ipc_ctl_resume_cb, s);
	if (s->accept == NULL || s->resume == NULL ||
	    event_add(s->accept, NULL) == -1)
		fatalx("ipc: no event for the control socket");
	return s;

fail:
	saved = errno;
	if (sock != -1)
		close(sock);
	if (lock != -1)
		close(lock);
	errno = saved;
	return NULL;
}

void
ipc_ctl_close(struct ipc_ctl_server *s)
{
	struct ipc_ctl_conn *c;
	struct stat st;

	if (s == NULL)
		return;
	while ((c = TAILQ_FIRST(&s->conns)) != NULL)
		ipc_ctl_conn_free(c);
	/* Another daemon may have its own there by now. */
	if (lstat(s->path, &st) == 0 && st.st_dev == s->dev &&
	    st.st_ino == s->ino)
		unlink(s->path);
	event_free(s->accept);
	event_free(s->resume);
	close(s->fd);
	free(s->path);
	free(s);
}

/* Waits until the socket is ready or the time is over; -1 and errno. */
static int
ipc_ctl_wait(int fd, short events, int64_t deadline_usec)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int64_t left;
	int r;

	for (;;) {
		left = deadline_usec - clock_usec();
		if (left <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		left = (left + 999) / 1000;
		r = poll(&pfd, 1, left < INT32_MAX ? (int)left : INT32_MAX);
		if (r > 0)
			return 0;
		if (r == -1 && errno != EINTR)
			return -1;
	}
}

/* A connected socket; -1 and errno.  EAGAIN from connect(2) says that the
 * backlog is full: the daemon is there, but does not answer. */
static int
ipc_ctl_connect(const char *path)
{
	struct sockaddr_un sun;
	int fd, saved;

	if (ipc_ctl_address(path, &sun) == -1)
		return -1;
	fd = ipc_ctl_socket();
	if (fd == -1)
		return -1;
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1) {
		saved = errno == EAGAIN ? ETIMEDOUT : errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* A part of an answer; true: the last one. */
static bool
ipc_ctl_got(struct ipc_msg *m, uint32_t *status, struct buf *reply, int *got)
{
	const struct ipc_ctl *head = m->payload;

	if (m->type == IPC_CTL_FD) {
		if (*got == -1) {
			*got = m->fds[0];
			m->fds[0] = -1;
		}
		ipc_frame_done(m);
		return false;
	}
	*status = head->status;
	buf_add(reply, m->tail, m->tail_len);
	return head->more == 0;
}

/* Receives the parts of an answer; -1 and errno. */
static int
ipc_ctl_receive(int fd, void *buf, int64_t deadline, uint32_t *status,
    struct buf *reply, int *got)
{
	const char *why;
	struct ipc_msg m;
	bool more = true;

	while (more) {
		switch (
		    ipc_frame_recv(fd, IPC_MASTER, IPC_CTL, buf, &m, &why)) {
		case IPC_GOT_MSG:
			more = !ipc_ctl_got(&m, status, reply, got);
			break;
		case IPC_GOT_NONE:
			if (ipc_ctl_wait(fd, POLLIN, deadline) == -1)
				return -1;
			break;
		case IPC_GOT_EOF:
			errno = ECONNRESET;
			return -1;
		case IPC_GOT_ERROR:
			return -1;
		case IPC_GOT_REFUSED:
			errno = EPROTO;
			return -1;
		}
	}
	if (reply->failed) {
		errno = EMSGSIZE;
		return -1;
	}
	return 0;
}

int
ipc_ctl_call(const char *path, const char *const *words, int64_t timeout_ms,
    uint32_t *status, struct buf *reply)
{
	int fd, r;

	r = ipc_ctl_call_fd(path, words, timeout_ms, status, reply, &fd);
	if (fd != -1)
		close(fd);
	return r;
}

int
ipc_ctl_call_fd(const char *path, const char *const *words, int64_t timeout_ms,
    uint32_t *status, struct buf *reply, int *got)
{
	int64_t deadline = clock_usec() + timeout_ms * 1000;
	struct ipc_ctl head = { 0 };
	void *buf = NULL;
	struct buf tail;
	int fd, r = -1, saved;

	*got = -1;
	buf_init(&tail, IPC_TAIL_MAX);
	fd = ipc_ctl_connect(path);
	if (fd == -1)
		goto done;
	for (; *words != NULL; words++)
		buf_add(&tail, *words, strlen(*words) + 1);
	if (tail.failed) {
		errno = EMSGSIZE;
		goto done;
	}
	if (ipc_frame_send(fd, IPC_CTL, IPC_MASTER, IPC_CTL_REQUEST, &head,
		tail.data, tail.len, NULL, 0) == -1)
		goto done;
	buf = xmalloc(IPC_BUF_SIZE);
	r = ipc_ctl_receive(fd, buf, deadline, status, reply, got);
done:
	saved = errno;
	buf_free(&tail);
	free(buf);
	if (fd != -1)
		close(fd);
	errno = saved;
	return r;
}
