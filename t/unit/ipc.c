/* SPDX-License-Identifier: ISC */
/*
 * Messages between processes: what msgs.def does not allow is refused before
 * a handler sees it, and no descriptor is lost or left open.
 */
#include "ipc/ipc.h"

#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tap.h"

/* The header as ipc_frame.c has it: what a hostile process may write. */
struct raw {
	uint16_t magic;
	uint16_t version;
	uint16_t type;
	uint16_t nfds;
	uint32_t tail;
	uint32_t zero;
};
#define RAW_MAGIC 0x4c4e

static const struct {
	const char *name;
	unsigned from;
	unsigned to;
	size_t size;
	unsigned fds;
	bool tail;
} msgs[] = {
#define MSG(name, from, to, payload, fds, tail, text) \
	{ #name, IPC_##from, IPC_##to, sizeof(payload), fds, tail },
#include "ipc/msgs.def"
#undef MSG
};

static const enum ipc_role roles[] = {
	IPC_MASTER,
	IPC_WORKER,
	IPC_RELAY,
	IPC_JOBS,
	IPC_CTL,
	IPC_FILES,
};

static int pair[2];
static char *inbuf;
static int null_fd;

static unsigned
count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (d != NULL && readdir(d) != NULL)
		n++;
	if (d != NULL)
		closedir(d);
	return n;
}

/* One packet with anything in it. */
static void
raw_send(const void *p, size_t n, unsigned nfds)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * 64)];
	} control;
	struct iovec iov = { (void *)(uintptr_t)p, n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;
	unsigned i;

	memset(&control, 0, sizeof(control));
	if (nfds > 0) {
		mh.msg_control = control.room;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		for (i = 0; i < nfds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &null_fd,
			    sizeof(int));
	}
	if (sendmsg(pair[0], &mh, MSG_NOSIGNAL) != (ssize_t)n)
		perror("sendmsg");
}

/* A message of a type with so many payload bytes, descriptors, tail bytes. */
static void
raw_message(unsigned type, size_t size, unsigned nfds, size_t tail)
{
	size_t n = sizeof(struct raw) + size + tail;
	char *p = xcalloc(1, n + sizeof(uint32_t));
	struct raw h = {
		.magic = RAW_MAGIC,
		.version = IPC_VERSION,
		.type = (uint16_t)type,
		.nfds = (uint16_t)nfds,
		.tail = (uint32_t)tail,
	};
	uint32_t count = nfds;

	memcpy(p, &h, sizeof(h));
	/* A payload with several descriptors begins with their number. */
	if (type < NELEM(msgs) && msgs[type].fds > 1)
		memcpy(p + sizeof(h), &count, sizeof(count));
	raw_send(p, n, nfds);
	free(p);
}

/* Receives; "" for an accepted message, else what is wrong. */
static const char *
receive(enum ipc_role from, enum ipc_role to)
{
	const char *why = "";
	struct ipc_msg m;

	switch (ipc_frame_recv(pair[1], from, to, inbuf, &m, &why)) {
	case IPC_GOT_MSG:
		ipc_frame_done(&m);
		return "";
	case IPC_GOT_NONE:
		return "none";
	case IPC_GOT_EOF:
		return "eof";
	case IPC_GOT_ERROR:
		return "error";
	case IPC_GOT_REFUSED:
		return why;
	}
	return "?";
}

/* The first single role in a set. */
static enum ipc_role
one_of(unsigned set)
{
	size_t i;

	for (i = 0; i < NELEM(roles); i++) {
		if (set & roles[i])
			return roles[i];
	}
	return 0;
}

static void
test_names(void)
{
	size_t i, good = 0;

	for (i = 0; i < NELEM(msgs); i++)
		good += strcmp(ipc_name((unsigned)i), msgs[i].name) == 0;
	is_int(good, IPC_TYPES, "every type has its name");
	is_str(ipc_name(IPC_TYPES), "?", "and others none");
	for (i = good = 0; i < NELEM(roles); i++)
		good += ipc_role_parse(ipc_role_name(roles[i])) == roles[i];
	is_int(good, NELEM(roles), "roles and their names");
	is_str(ipc_role_name(IPC_ANY), "?", "a set is no role");
	is_int(ipc_role_parse("wizard"), 0, "no such role");
	ok((IPC_ANY & (IPC_MASTER | IPC_CTL)) == 0,
	    "any process is none of master and linnetctl");
}

static void
test_directions(void)
{
	size_t t, f, r, wrong = 0, allowed = 0;
	bool want, got;

	for (t = 0; t < NELEM(msgs); t++) {
		for (f = 0; f < NELEM(roles); f++) {
			for (r = 0; r < NELEM(roles); r++) {
				raw_message(
				    (unsigned)t, msgs[t].size, msgs[t].fds, 0);
				want = (msgs[t].from & roles[f]) != 0 &&
				       (msgs[t].to & roles[r]) != 0;
				got = *receive(roles[f], roles[r]) == '\0';
				wrong += want != got;
				allowed += got;
			}
		}
	}
	is_int(wrong, 0, "every direction is as the table says");
	ok(allowed >= NELEM(msgs), "and every message goes somewhere");
}

static void
test_shapes(void)
{
	unsigned before = count_fds(), t;
	const char *got;

	for (t = 0; t < NELEM(msgs); t++) {
		enum ipc_role from = one_of(msgs[t].from);
		enum ipc_role to = one_of(msgs[t].to);

		raw_message(t, msgs[t].size - 1, msgs[t].fds, 0);
		is_str(receive(from, to), "has the wrong size",
		    "%s with a byte less", msgs[t].name);
		raw_message(t, msgs[t].size + 1, msgs[t].fds, 0);
		is_str(receive(from, to), "has the wrong size",
		    "%s with a byte more", msgs[t].name);
		raw_message(t, msgs[t].size, msgs[t].fds, 1);
		got = receive(from, to);
		is_str(got, msgs[t].tail ? "" : "has bytes after the payload",
		    "%s with a tail", msgs[t].name);
		raw_message(t, msgs[t].size, msgs[t].fds + 1, 0);
		got = receive(from, to);
		ok(strstr(got, "descriptors") != NULL,
		    "%s with a descriptor more: %s", msgs[t].name, got);
		if (msgs[t].fds > 0) {
			raw_message(t, msgs[t].size, 0, 0);
			is_str(receive(from, to),
			    "has the wrong number of descriptors",
			    "%s without its descriptor", msgs[t].name);
		}
	}
	is_int(count_fds(), before, "no descriptor of those stays open");
}

static void
test_headers(void)
{
	static const struct {
		struct raw h;
		size_t n;
		const char *why;
	} rows[] = {
		{ { RAW_MAGIC, IPC_VERSION, IPC_START, 0, 0, 0 }, 17, "" },
		{ { RAW_MAGIC, IPC_VERSION, IPC_START, 0, 0, 0 }, 15,
		    "is shorter than a header" },
		{ { RAW_MAGIC, IPC_VERSION, IPC_START, 0, 0, 0 }, 1,
		    "is shorter than a header" },
		{ { 0, IPC_VERSION, IPC_START, 0, 0, 0 }, 17, "is no message" },
		{ { RAW_MAGIC, IPC_VERSION, IPC_START, 0, 0, 1 }, 17,
		    "is no message" },
		{ { RAW_MAGIC, IPC_VERSION + 1, IPC_START, 0, 0, 0 }, 17,
		    "is of another version of Linnet" },
		{ { RAW_MAGIC, IPC_VERSION, IPC_TYPES, 0, 0, 0 }, 17,
		    "has an unknown type" },
		{ { RAW_MAGIC, IPC_VERSION, 65535, 0, 0, 0 }, 17,
		    "has an unknown type" },
		{ { RAW_MAGIC, IPC_VERSION, IPC_START, 1, 0, 0 }, 17,
		    "has the wrong number of descriptors" },
		{ { RAW_MAGIC, IPC_VERSION, IPC_RELOAD, 0, UINT32_MAX, 0 }, 17,
		    "has the wrong size" },
		{ { RAW_MAGIC, IPC_VERSION, IPC_RELOAD, 0, 2, 0 }, 18,
		    "has the wrong size" },
	};
	char packet[64] = { 0 };
	char *big = xcalloc(1, IPC_BUF_SIZE);
	unsigned before = count_fds();
	struct raw h = rows[0].h;
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		memcpy(packet, &rows[i].h, sizeof(rows[i].h));
		raw_send(packet, rows[i].n, 0);
		is_str(receive(IPC_MASTER, IPC_WORKER), rows[i].why,
		    "header %zu", i);
	}
	memcpy(big, &h, sizeof(h));
	raw_send(big, IPC_BUF_SIZE, 0);
	is_str(receive(IPC_MASTER, IPC_WORKER), "is longer than any message",
	    "a long packet");
	raw_send(big, 17, 40);
	is_str(receive(IPC_MASTER, IPC_WORKER),
	    "has more descriptors than any message", "40 descriptors");
	is_int(count_fds(), before, "all of which are closed");
	is_str(receive(IPC_MASTER, IPC_WORKER), "none", "nothing more came");
	free(big);
}

/* The number in the payload and the descriptors must agree. */
static void
test_conns_count(void)
{
	static const struct {
		uint32_t n;
		unsigned nfds;
		const char *why;
	} rows[] = {
		{ 1, 1, "" },
		{ 16, 16, "" },
		{ 2, 1, "has the wrong number of descriptors" },
		{ 1, 2, "has the wrong number of descriptors" },
		{ 0, 0, "has the wrong number of descriptors" },
		{ 17, 17, "has the wrong number of descriptors" },
		{ UINT32_MAX, 16, "has the wrong number of descriptors" },
	};
	size_t i, n = sizeof(struct raw) + sizeof(struct ipc_conns);
	char *p = xcalloc(1, n);
	unsigned before = count_fds();

	for (i = 0; i < NELEM(rows); i++) {
		struct raw h = { RAW_MAGIC, IPC_VERSION, IPC_CONN_NEW,
			(uint16_t)rows[i].nfds, 0, 0 };

		memcpy(p, &h, sizeof(h));
		memcpy(p + sizeof(h), &rows[i].n, sizeof(rows[i].n));
		raw_send(p, n, rows[i].nfds);
		is_str(receive(IPC_MASTER, IPC_WORKER), rows[i].why,
		    "%u clients with %u descriptors", rows[i].n, rows[i].nfds);
	}
	is_int(count_fds(), before, "no descriptor of those stays open");
	free(p);
}

/* Runs fn in a child, whose stderr is closed; its exit status. */
static int
status_of(void (*fn)(void))
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(null_fd, STDERR_FILENO);
		fn();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
bad_direction(void)
{
	ipc_frame_check(IPC_WORKER, IPC_MASTER, IPC_START, NULL, 0, 0);
}

static void
bad_tail(void)
{
	ipc_frame_check(IPC_MASTER, IPC_WORKER, IPC_START, NULL, 1, 0);
}

static void
bad_payload(void)
{
	ipc_frame_check(IPC_WORKER, IPC_MASTER, IPC_LOAD, NULL, 0, 0);
}

static void
bad_fds(void)
{
	struct ipc_bus bus = { 0 };

	ipc_frame_check(IPC_MASTER, IPC_WORKER, IPC_BUS_MAP, &bus, 0, 0);
}

static void
good_message(void)
{
	ipc_frame_check(IPC_MASTER, IPC_WORKER, IPC_RELOAD, NULL, 1, 0);
}

static void
test_own_bugs(void)
{
	is_int(status_of(bad_direction), 1, "sending the wrong way is fatal");
	is_int(status_of(bad_tail), 1, "an extra tail too");
	is_int(status_of(bad_payload), 1, "a missing payload too");
	is_int(status_of(bad_fds), 1, "a missing descriptor too");
	is_int(status_of(good_message), 0, "a good message is not");
}

/*
 * Peers.
 */
static struct event_base *base;
static struct got {
	unsigned calls;
	unsigned closed;
	unsigned fds;
	unsigned cloexec;
	uint32_t next; /* LOAD messages count up */
	bool in_order;
	size_t tail_len;
	int kept;
	bool close_me;
	char word[16];
} got;

static void
on_closed(struct ipc_peer *p, void *arg)
{
	struct got *g = arg;

	(void)p;
	g->closed++;
}

static void
on_closed_close(struct ipc_peer *p, void *arg)
{
	on_closed(p, arg);
	ipc_close(p);
}

static void
on_load(struct ipc_peer *p, struct ipc_msg *m, void *arg)
{
	const struct ipc_load *load = m->payload;
	struct got *g = arg;

	g->calls++;
	g->in_order = g->in_order && load->conns == g->next++;
	if (g->close_me)
		ipc_close(p);
}

static void
on_conns(struct ipc_peer *p, struct ipc_msg *m, void *arg)
{
	struct got *g = arg;
	unsigned i;

	(void)p;
	g->calls++;
	g->fds += m->nfds;
	for (i = 0; i < m->nfds; i++)
		g->cloexec += (fcntl(m->fds[i], F_GETFD) & FD_CLOEXEC) != 0;
	if (g->kept == -1) {
		g->kept = m->fds[0];
		m->fds[0] = -1;
	}
}

static void
on_reload(struct ipc_peer *p, struct ipc_msg *m, void *arg)
{
	struct got *g = arg;

	(void)p;
	g->calls++;
	g->tail_len = m->tail_len;
	str_copy(g->word, m->tail, sizeof(g->word));
}

static const struct ipc_handler at_master[] = {
	{ IPC_LOAD, on_load },
};
static const struct ipc_handler at_worker[] = {
	{ IPC_CONN_NEW, on_conns },
	{ IPC_RELOAD, on_reload },
};

static struct ipc_peer *
open_master(int fd, ipc_closed_fn *closed)
{
	return ipc_open(base, fd, "worker 1", IPC_MASTER, IPC_WORKER, at_master,
	    NELEM(at_master), closed, &got);
}

static struct ipc_peer *
open_worker(int fd)
{
	return ipc_open(base, fd, "master", IPC_WORKER, IPC_MASTER, at_worker,
	    NELEM(at_worker), on_closed, &got);
}

static void
got_clear(void)
{
	memset(&got, 0, sizeof(got));
	got.in_order = true;
	got.kept = -1;
}

static void
new_pair(int fds[2])
{
	if (ipc_pair(fds) == -1) {
		perror("ipc_pair");
		exit(1);
	}
}

/* Turns the loop until nothing is ready. */
static void
turn(void)
{
	int i;

	for (i = 0; i < 100; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
test_descriptors(void)
{
	struct ipc_conns conns = { .n = 16 };
	int fds[2], client[16], i, r;
	struct ipc_peer *m, *w;
	unsigned before = count_fds();
	uint64_t sent, received;

	got_clear();
	new_pair(fds);
	m = open_master(fds[0], on_closed);
	w = open_worker(fds[1]);
	for (i = 0; i < 16; i++)
		client[i] = dup(null_fd);
	r = ipc_send(m, IPC_CONN_NEW, &conns, NULL, 0, client, 16);
	is_int(r, 0, "16 descriptors in a message");
	for (i = 0; i < 16; i++)
		close(client[i]);
	turn();
	is_int(got.fds, 16, "arrive");
	is_int(got.cloexec, 16, "close-on-exec");
	ok(got.kept != -1 && fcntl(got.kept, F_GETFD) != -1,
	    "one that the handler keeps stays open");
	close(got.kept);
	ipc_count(IPC_CONN_NEW, &sent, &received);
	ok(sent >= 1 && received >= 1, "it was counted");
	ipc_close(m);
	ipc_close(w);
	is_int(count_fds(), before, "the others were closed");
}

static void
test_tail(void)
{
	char *tail = xmalloc(IPC_TAIL_MAX + 1);
	struct ipc_peer *m, *w;
	int fds[2];

	got_clear();
	new_pair(fds);
	m = open_master(fds[0], on_closed);
	w = open_worker(fds[1]);
	memset(tail, 'x', IPC_TAIL_MAX + 1);
	ok(ipc_send(m, IPC_RELOAD, NULL, tail, IPC_TAIL_MAX + 1, NULL, 0) ==
		    -1 &&
		errno == EMSGSIZE,
	    "a tail that is too long is refused");
	ok(ipc_send(m, IPC_RELOAD, NULL, tail, IPC_TAIL_MAX, NULL, 0) == 0,
	    "the longest is sent");
	turn();
	is_int(got.tail_len, IPC_TAIL_MAX, "and arrives");
	ok(ipc_send(m, IPC_RELOAD, NULL, "word", 4, NULL, 0) == 0,
	    "a short one after it");
	turn();
	is_str(got.word, "word", "ends with a NUL");
	ipc_close(m);
	ipc_close(w);
	free(tail);
}

static void
test_queue(void)
{
	struct ipc_load load = { 0, 1 };
	struct ipc_peer *m, *w;
	int fds[2], n = 0;

	got_clear();
	new_pair(fds);
	w = open_worker(fds[1]);
	/* The master's end reads nothing until it is a peer. */
	for (;; n++) {
		load.conns = (uint32_t)n;
		if (ipc_send(w, IPC_LOAD, &load, NULL, 0, NULL, 0) == -1)
			break;
	}
	ok(errno == ENOBUFS && n > 1000, "%d messages fill the queue", n);
	ok(ipc_queued(w) > 0, "which is not empty");
	m = open_master(fds[0], on_closed);
	turn();
	while (ipc_queued(w) > 0)
		event_base_loop(base, EVLOOP_ONCE);
	turn();
	is_int(got.calls, n, "all that were taken arrive");
	ok(got.in_order, "in order");
	ipc_close(m);
	ipc_close(w);
}

static void
test_queued_descriptors(void)
{
	struct ipc_conns conns = { .n = 16 };
	int fds[2], client[16], i, n;
	unsigned before = count_fds();
	struct ipc_peer *m, *w;

	got_clear();
	new_pair(fds);
	m = open_master(fds[0], on_closed);
	for (i = 0; i < 16; i++)
		client[i] = dup(null_fd);
	for (n = 0;; n++) {
		if (ipc_send(m, IPC_CONN_NEW, &conns, NULL, 0, client, 16) ==
		    -1)
			break;
	}
	ok(errno == ENOBUFS && ipc_queued(m) > 0,
	    "%d messages with descriptors fill the queue", n);
	for (i = 0; i < 16; i++)
		close(client[i]);
	w = open_worker(fds[1]);
	while (ipc_queued(m) > 0)
		event_base_loop(base, EVLOOP_ONCE);
	turn();
	is_int(got.fds, n * 16, "the caller's copies are not needed");
	close(got.kept);

	for (i = 0; i < 16; i++)
		client[i] = dup(null_fd);
	ipc_close(w);
	turn();
	new_pair(fds);
	ipc_close(m);
	m = open_master(fds[0], on_closed);
	while (ipc_send(m, IPC_CONN_NEW, &conns, NULL, 0, client, 16) == 0)
		continue;
	for (i = 0; i < 16; i++)
		close(client[i]);
	ipc_close(m);
	close(fds[1]);
	is_int(count_fds(), before, "a peer that is closed drops its queue");
}

static void
test_end(void)
{
	struct ipc_load load = { 0, 0 };
	struct ipc_peer *m, *w;
	int fds[2];

	got_clear();
	new_pair(fds);
	m = open_master(fds[0], on_closed);
	w = open_worker(fds[1]);
	if (ipc_send(m, IPC_RELOAD, NULL, NULL, 0, NULL, 0) == -1 ||
	    ipc_send(w, IPC_LOAD, &load, NULL, 0, NULL, 0) == -1)
		perror("ipc_send");
	ipc_close(w); /* with a message unread */
	turn();
	is_int(got.calls, 1, "what was sent before the end arrives");
	is_int(got.closed, 1, "then the peer is gone");
	turn();
	is_int(got.closed, 1, "which is said once");
	ok(ipc_send(m, IPC_RELOAD, NULL, NULL, 0, NULL, 0) == -1 &&
		errno == EPIPE,
	    "nothing can be sent any more");
	ipc_close(m);
	ipc_close(NULL);
}

static void
test_refusal_ends(void)
{
	struct ipc_peer *m;
	int fds[2];

	got_clear();
	new_pair(pair);
	m = open_master(pair[1], on_closed_close);
	raw_message(IPC_LOAD, sizeof(struct ipc_load), 1, 0);
	raw_message(IPC_LOAD, sizeof(struct ipc_load), 0, 0);
	turn();
	is_int(got.closed, 1, "a refused message ends the peer");
	is_int(got.calls, 0, "before any handler");
	close(pair[0]);

	got_clear();
	new_pair(pair);
	m = open_master(pair[1], on_closed_close);
	raw_message(IPC_READY, sizeof(struct ipc_none), 0, 0);
	turn();
	is_int(got.closed, 1, "so does one without a handler");
	close(pair[0]);

	got_clear();
	got.close_me = true;
	new_pair(pair);
	m = open_master(pair[1], on_closed);
	raw_message(IPC_LOAD, sizeof(struct ipc_load), 0, 0);
	raw_message(IPC_LOAD, sizeof(struct ipc_load), 0, 0);
	turn();
	is_int(got.calls, 1, "a handler may close its peer");
	is_int(got.closed, 0, "and is not told so");
	close(pair[0]);

	/* A peer that dies while messages wait in the queue. */
	got_clear();
	new_pair(fds);
	m = open_master(fds[0], on_closed_close);
	while (ipc_send(m, IPC_RELOAD, NULL, "x", 1, NULL, 0) == 0)
		continue;
	close(fds[1]);
	turn();
	is_int(got.closed, 1, "a peer that dies with a full queue is gone");
}

int
main(void)
{
	inbuf = xmalloc(IPC_BUF_SIZE);
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	base = event_base_new();
	log_start("t", LOG_ERROR);

	new_pair(pair);
	test_names();
	test_directions();
	test_shapes();
	test_headers();
	test_conns_count();
	test_own_bugs();
	close(pair[0]);
	is_str(receive(IPC_MASTER, IPC_WORKER), "eof", "the end of file");
	close(pair[1]);

	test_descriptors();
	test_tail();
	test_queue();
	test_queued_descriptors();
	test_end();
	test_refusal_ends();

	event_base_free(base);
	close(null_fd);
	free(inbuf);
	return tap_done();
}
