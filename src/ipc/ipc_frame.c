/* SPDX-License-Identifier: ISC */
/*
 * One message on a socket: header, payload, tail and descriptors in one
 * packet, and the one place where a received message is held against
 * msgs.def.
 *
 * Every descriptor that the kernel hands over is either in an accepted
 * message or closed here: a refusal must not leak what came with it.  So the
 * room for descriptors is one more than any message may have, and what came
 * is collected before anything else is looked at.
 */
#include "ipc/ipc.h"

#include <sys/uio.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define IPC_MAGIC 0x4c4e

/* Of a size that leaves the payload behind it aligned. */
struct ipc_header {
	uint16_t magic;
	uint16_t version;
	uint16_t type;
	uint16_t nfds;
	uint32_t tail; /* bytes */
	uint32_t zero;
};
_Static_assert(sizeof(struct ipc_header) == 16, "the payload is not aligned");

static const struct ipc_desc {
	const char *name;
	unsigned from; /* set of roles */
	unsigned to;
	size_t size;
	unsigned fds; /* most descriptors */
	bool tail;
} ipc_descs[IPC_TYPES] = {
#define MSG(name, from, to, payload, fds, tail, text) \
	[IPC_##name] = {                              \
		#name,                                \
		IPC_##from,                           \
		IPC_##to,                             \
		sizeof(payload),                      \
		fds,                                  \
		tail,                                 \
	},
#include "ipc/msgs.def"
#undef MSG
};

#define MSG(name, from, to, payload, fds, tail, text)                         \
	_Static_assert((fds) <= IPC_FDS_MAX, #name ": too many descriptors"); \
	_Static_assert(sizeof(payload) <= 4000, #name ": too large");
#include "ipc/msgs.def"
#undef MSG

static const struct {
	enum ipc_role role;
	const char *name;
} ipc_roles[] = {
	{ IPC_MASTER, "master" },
	{ IPC_WORKER, "worker" },
	{ IPC_RELAY, "relay" },
	{ IPC_JOBS, "jobs" },
	{ IPC_CTL, "ctl" },
	{ IPC_FILES, "files" },
};

static struct {
	uint64_t sent[IPC_TYPES];
	uint64_t received[IPC_TYPES];
} ipc_counts;

const char *
ipc_name(unsigned type)
{
	return type < IPC_TYPES ? ipc_descs[type].name : "?";
}

const char *
ipc_role_name(enum ipc_role role)
{
	size_t i;

	for (i = 0; i < NELEM(ipc_roles); i++) {
		if (ipc_roles[i].role == role)
			return ipc_roles[i].name;
	}
	return "?";
}

enum ipc_role
ipc_role_parse(const char *name)
{
	size_t i;

	for (i = 0; i < NELEM(ipc_roles); i++) {
		if (strcmp(ipc_roles[i].name, name) == 0)
			return ipc_roles[i].role;
	}
	return 0;
}

void
ipc_count(enum ipc_type type, uint64_t *sent, uint64_t *received)
{
	*sent = ipc_counts.sent[type];
	*received = ipc_counts.received[type];
}

size_t
ipc_payload_size(enum ipc_type type)
{
	return ipc_descs[type].size;
}

/* The send buffer is made large enough for the longest message; where the
 * system does not allow that, such a message fails with EMSGSIZE. */
int
ipc_pair(int fds[2])
{
	int size = 2 * IPC_BUF_SIZE;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, fds) == -1)
		return -1;
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

/* Is this number of descriptors right for the payload? */
static bool
ipc_fds_fit(const struct ipc_desc *d, const void *payload, unsigned nfds)
{
	uint32_t n;

	if (d->fds <= 1)
		return nfds == d->fds;
	memcpy(&n, payload, sizeof(n));
	return n >= 1 && n <= d->fds && n == nfds;
}

void
ipc_frame_check(enum ipc_role from, enum ipc_role to, enum ipc_type type,
    const void *payload, size_t tail_len, unsigned nfds)
{
	const struct ipc_desc *d = &ipc_descs[type];

	if (type >= IPC_TYPES || (d->from & from) == 0 || (d->to & to) == 0)
		fatalx("ipc: %s may not send %s to %s", ipc_role_name(from),
		    ipc_name(type), ipc_role_name(to));
	if (payload == NULL && d->size > sizeof(struct ipc_none))
		fatalx("ipc: %s without its payload", d->name);
	if ((tail_len > 0 && !d->tail) || !ipc_fds_fit(d, payload, nfds))
		fatalx("ipc: %s with %zu bytes and %u descriptors", d->name,
		    tail_len, nfds);
}

int
ipc_frame_send(int fd, enum ipc_role from, enum ipc_role to, enum ipc_type type,
    const void *payload, const void *tail, size_t tail_len, const int *fds,
    unsigned nfds)
{
	static const struct ipc_none none;
	struct ipc_header h = {
		.magic = IPC_MAGIC,
		.version = IPC_VERSION,
		.type = (uint16_t)type,
		.nfds = (uint16_t)nfds,
		.tail = (uint32_t)tail_len,
	};
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
	} control = { 0 };
	struct iovec iov[3];
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = 3 };
	struct cmsghdr *c;
	ssize_t n;

	ipc_frame_check(from, to, type, payload, tail_len, nfds);
	if (tail_len > IPC_TAIL_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	if (payload == NULL)
		payload = &none;
	iov[0] = (struct iovec){ &h, sizeof(h) };
	iov[1] =
	    (struct iovec){ (void *)(uintptr_t)payload, ipc_descs[type].size };
	iov[2] = (struct iovec){ (void *)(uintptr_t)tail, tail_len };
	if (nfds > 0) {
		mh.msg_control = control.room;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
	}
	do
		n = sendmsg(fd, &mh, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return -1;
	ipc_counts.sent[type]++;
	log_debug("ipc: %s -> %s %s, %zu bytes, %u descriptors",
	    ipc_role_name(from), ipc_role_name(to), ipc_name(type), tail_len,
	    nfds);
	return 0;
}

/* Collects the descriptors of a packet; what has no room is closed, and
 * counted all the same. */
static void
ipc_take_fds(struct msghdr *mh, struct ipc_msg *m)
{
	struct cmsghdr *c;
	size_t i, n;
	int fd;

	for (c = CMSG_FIRSTHDR(mh); c != NULL; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(
			    &fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (m->nfds < IPC_FDS_MAX)
				m->fds[m->nfds] = fd;
			else
				close(fd);
			m->nfds++;
		}
	}
}

/* NULL when the packet is one that the table allows, else what is wrong; fills
 * in the rest of m. */
static const char *
ipc_refuse(enum ipc_role from, enum ipc_role to, char *buf, size_t n, int flags,
    struct ipc_msg *m)
{
	const struct ipc_desc *d;
	struct ipc_header h;

	if (flags & MSG_CTRUNC)
		return "has more descriptors than any message";
	if (flags & MSG_TRUNC)
		return "is longer than any message";
	if (n < sizeof(h))
		return "is shorter than a header";
	memcpy(&h, buf, sizeof(h));
	if (h.magic != IPC_MAGIC || h.zero != 0)
		return "is no message";
	if (h.version != IPC_VERSION)
		return "is of another version of Linnet";
	if (h.type >= IPC_TYPES)
		return "has an unknown type";
	m->type = h.type;
	d = &ipc_descs[h.type];
	if ((d->from & from) == 0 || (d->to & to) == 0)
		return "has the wrong direction";
	if (h.tail > IPC_TAIL_MAX || n != sizeof(h) + d->size + h.tail)
		return "has the wrong size";
	if (h.tail > 0 && !d->tail)
		return "has bytes after the payload";
	m->payload = buf + sizeof(h);
	m->tail = buf + sizeof(h) + d->size;
	m->tail_len = h.tail;
	if (h.nfds != m->nfds || !ipc_fds_fit(d, m->payload, m->nfds))
		return "has the wrong number of descriptors";
	return NULL;
}

void
ipc_frame_wipe(struct ipc_msg *m)
{
	crypto_wipe((void *)(uintptr_t)m->payload, ipc_descs[m->type].size);
	crypto_wipe((void *)(uintptr_t)m->tail, m->tail_len);
}

void
ipc_frame_done(struct ipc_msg *m)
{
	unsigned i;

	for (i = 0; i < m->nfds && i < IPC_FDS_MAX; i++) {
		if (m->fds[i] != -1)
			close(m->fds[i]);
	}
	m->nfds = 0;
}

enum ipc_got
ipc_frame_recv(int fd, enum ipc_role from, enum ipc_role to, void *buf,
    struct ipc_msg *m, const char **why)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * (IPC_FDS_MAX + 1))];
	} control;
	struct iovec iov = { buf, IPC_BUF_SIZE - 1 };
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	ssize_t n;

	memset(m, 0, sizeof(*m));
	m->type = IPC_TYPES;
	/* ECONNRESET is told once when the other end closed with bytes unread;
	 * what it sent before is still there. */
	do
		n = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC);
	while (n == -1 && (errno == EINTR || errno == ECONNRESET));
	if (n == -1)
		return errno == EAGAIN ? IPC_GOT_NONE : IPC_GOT_ERROR;
	ipc_take_fds(&mh, m);
	/* A packet of no bytes looks like the end, and is treated so. */
	if (n == 0) {
		ipc_frame_done(m);
		return IPC_GOT_EOF;
	}
	*why = ipc_refuse(from, to, buf, (size_t)n, mh.msg_flags, m);
	if (*why != NULL) {
		ipc_frame_done(m);
		return IPC_GOT_REFUSED;
	}
	((char *)buf)[n] = '\0';
	ipc_counts.received[m->type]++;
	log_debug("ipc: %s <- %s %s, %zu bytes, %u descriptors",
	    ipc_role_name(to), ipc_role_name(from), ipc_name(m->type),
	    m->tail_len, m->nfds);
	return IPC_GOT_MSG;
}
