/* SPDX-License-Identifier: ISC */
/*
 * Peers: a socket in an event loop, with handlers by type, and a queue of
 * bounded size for when the socket is full.
 *
 * Order is kept: as long as anything waits in the queue, nothing is sent past
 * it.  A queued message owns duplicates of its descriptors.  A handler or the
 * closed function may close its peer while we are still using it, so a peer
 * that is busy is only marked, and freed when it is no longer.
 */
#include "ipc/ipc.h"

#include <sys/queue.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IPC_QUEUE_BYTES (1024 * 1024)
#define IPC_QUEUE_FDS 256
#define IPC_TURN_MESSAGES 64
#define IPC_AGAIN_USEC 10000

struct ipc_item {
	TAILQ_ENTRY(ipc_item) entry;
	enum ipc_type type;
	char *payload;
	char *tail;
	size_t tail_len;
	int fds[IPC_FDS_MAX];
	unsigned nfds;
};
TAILQ_HEAD(ipc_items, ipc_item);

struct ipc_peer {
	char *name;
	int fd;
	enum ipc_role self;
	enum ipc_role peer;
	const struct ipc_handler *handlers;
	size_t nhandlers;
	ipc_closed_fn *closed;
	void *arg;
	struct event *read;
	struct event *write;
	struct event *again; /* after an error that poll(2) cannot see pass */
	struct ipc_items queue;
	size_t queued;
	size_t queued_fds;
	bool over; /* nothing is sent or received any more */
	bool busy;
	bool closing; /* ipc_close() while busy */
	void *buf;
};

/* What becomes of a message that could not be sent. */
enum ipc_retry {
	IPC_NEVER,
	IPC_WRITABLE, /* when the socket is writable again */
	IPC_LATER,    /* kernel memory, too many descriptors under way */
};

static size_t
ipc_item_size(const struct ipc_item *it)
{
	return sizeof(*it) + ipc_payload_size(it->type) + it->tail_len;
}

static void
ipc_item_free(struct ipc_item *it)
{
	unsigned i;

	for (i = 0; i < it->nfds; i++)
		close(it->fds[i]);
	/* It may have been a key. */
	if (it->payload != NULL)
		crypto_wipe(it->payload, ipc_payload_size(it->type));
	if (it->tail != NULL)
		crypto_wipe(it->tail, it->tail_len);
	free(it->payload);
	free(it->tail);
	free(it);
}

/* NULL and errno when a descriptor cannot be duplicated. */
static struct ipc_item *
ipc_item_new(enum ipc_type type, const void *payload, const void *tail,
    size_t tail_len, const int *fds, unsigned nfds)
{
	struct ipc_item *it = xcalloc(1, sizeof(*it));
	int fd, saved;

	it->type = type;
	for (; it->nfds < nfds; it->nfds++) {
		fd = fcntl(fds[it->nfds], F_DUPFD_CLOEXEC, 0);
		if (fd == -1) {
			saved = errno;
			ipc_item_free(it);
			errno = saved;
			return NULL;
		}
		it->fds[it->nfds] = fd;
	}
	if (payload != NULL)
		it->payload = xmemdup(payload, ipc_payload_size(type));
	if (tail_len > 0)
		it->tail = xmemdup(tail, tail_len);
	it->tail_len = tail_len;
	return it;
}

static void
ipc_queue_drop(struct ipc_peer *p)
{
	struct ipc_item *it;

	while ((it = TAILQ_FIRST(&p->queue)) != NULL) {
		TAILQ_REMOVE(&p->queue, it, entry);
		ipc_item_free(it);
	}
	p->queued = 0;
	p->queued_fds = 0;
}

static void
ipc_free(struct ipc_peer *p)
{
	ipc_queue_drop(p);
	event_free(p->read);
	event_free(p->write);
	event_free(p->again);
	close(p->fd);
	free(p->buf);
	free(p->name);
	free(p);
}

/* The peer is gone: tells its owner, once. */
static void
ipc_end(struct ipc_peer *p)
{
	p->over = true;
	event_del(p->read);
	event_del(p->write);
	event_del(p->again);
	ipc_queue_drop(p);
	p->closed(p, p->arg);
}

static void
ipc_dispatch(struct ipc_peer *p, struct ipc_msg *m)
{
	size_t i;

	for (i = 0; i < p->nhandlers; i++) {
		if (p->handlers[i].type == m->type) {
			p->handlers[i].fn(p, m, p->arg);
			ipc_frame_done(m);
			return;
		}
	}
	ipc_frame_done(m);
	log_warn(
	    "ipc: %s from %s is not expected here", ipc_name(m->type), p->name);
	ipc_end(p);
}

/* Receives one message; false: no more for now. */
static bool
ipc_read_one(struct ipc_peer *p)
{
	struct ipc_msg m;
	const char *why;

	switch (ipc_frame_recv(p->fd, p->peer, p->self, p->buf, &m, &why)) {
	case IPC_GOT_MSG:
		ipc_dispatch(p, &m);
		return !p->over;
	case IPC_GOT_NONE:
		return false;
	case IPC_GOT_EOF:
		log_debug("ipc: %s closed its end", p->name);
		break;
	case IPC_GOT_ERROR:
		log_warn("ipc: %s: %s", p->name, strerror(errno));
		break;
	case IPC_GOT_REFUSED:
		log_warn("ipc: a message from %s (%s) %s", p->name,
		    ipc_name(m.type), why);
		break;
	}
	ipc_end(p);
	return false;
}

static void
ipc_read_cb(int fd, short what, void *arg)
{
	struct ipc_peer *p = arg;
	unsigned i;

	(void)fd;
	(void)what;
	p->busy = true;
	for (i = 0; i < IPC_TURN_MESSAGES && ipc_read_one(p); i++)
		continue;
	p->busy = false;
	if (p->closing)
		ipc_free(p);
}

static enum ipc_retry
ipc_retry_after(int error)
{
	switch (error) {
	case EAGAIN:
		return IPC_WRITABLE;
	case ENOBUFS:
	case ENOMEM:
	case ETOOMANYREFS:
		return IPC_LATER;
	}
	return IPC_NEVER;
}

static void
ipc_wait(struct ipc_peer *p, enum ipc_retry retry)
{
	static const struct timeval later = { 0, IPC_AGAIN_USEC };

	if (retry == IPC_WRITABLE)
		event_add(p->write, NULL);
	else
		event_add(p->again, &later);
}

/* Sends what waits.  After an error that stays, the socket is shut down, so
 * that the loop finds its end as if the peer had closed it. */
static void
ipc_write_cb(int fd, short what, void *arg)
{
	struct ipc_peer *p = arg;
	struct ipc_item *it;
	enum ipc_retry retry;

	(void)fd;
	(void)what;
	while ((it = TAILQ_FIRST(&p->queue)) != NULL) {
		if (ipc_frame_send(p->fd, p->self, p->peer, it->type,
			it->payload, it->tail, it->tail_len, it->fds,
			it->nfds) == -1) {
			retry = ipc_retry_after(errno);
			if (retry != IPC_NEVER) {
				ipc_wait(p, retry);
				return;
			}
			log_warn("ipc: %s to %s: %s", ipc_name(it->type),
			    p->name, strerror(errno));
			ipc_queue_drop(p);
			shutdown(p->fd, SHUT_RDWR);
			return;
		}
		TAILQ_REMOVE(&p->queue, it, entry);
		p->queued -= ipc_item_size(it);
		p->queued_fds -= it->nfds;
		ipc_item_free(it);
	}
}

struct ipc_peer *
ipc_open(struct event_base *base, int fd, const char *name, enum ipc_role self,
    enum ipc_role peer, const struct ipc_handler *handlers, size_t nhandlers,
    ipc_closed_fn *closed, void *arg)
{
	struct ipc_peer *p = xcalloc(1, sizeof(*p));

	p->name = xstrdup(name);
	p->fd = fd;
	p->self = self;
	p->peer = peer;
	p->handlers = handlers;
	p->nhandlers = nhandlers;
	p->closed = closed;
	p->arg = arg;
	p->buf = xmalloc(IPC_BUF_SIZE);
	TAILQ_INIT(&p->queue);
	p->read = event_new(base, fd, EV_READ | EV_PERSIST, ipc_read_cb, p);
	p->write = event_new(base, fd, EV_WRITE, ipc_write_cb, p);
	p->again = event_new(base, -1, 0, ipc_write_cb, p);
	if (p->read == NULL || p->write == NULL || p->again == NULL ||
	    event_add(p->read, NULL) == -1)
		fatalx("ipc: no event for %s", name);
	return p;
}

void
ipc_close(struct ipc_peer *p)
{
	if (p == NULL)
		return;
	if (p->busy) {
		p->closing = true;
		p->over = true;
	} else {
		ipc_free(p);
	}
}

/* Queues a message that could not be sent yet. */
static int
ipc_enqueue(struct ipc_peer *p, struct ipc_item *it)
{
	if (p->queued + ipc_item_size(it) > IPC_QUEUE_BYTES ||
	    p->queued_fds + it->nfds > IPC_QUEUE_FDS) {
		ipc_item_free(it);
		errno = ENOBUFS;
		return -1;
	}
	TAILQ_INSERT_TAIL(&p->queue, it, entry);
	p->queued += ipc_item_size(it);
	p->queued_fds += it->nfds;
	return 0;
}

int
ipc_send(struct ipc_peer *p, enum ipc_type type, const void *payload,
    const void *tail, size_t tail_len, const int *fds, unsigned nfds)
{
	enum ipc_retry retry;
	struct ipc_item *it;

	ipc_frame_check(p->self, p->peer, type, payload, tail_len, nfds);
	if (p->over || tail_len > IPC_TAIL_MAX) {
		errno = p->over ? EPIPE : EMSGSIZE;
		return -1;
	}
	if (TAILQ_EMPTY(&p->queue)) {
		if (ipc_frame_send(p->fd, p->self, p->peer, type, payload, tail,
			tail_len, fds, nfds) == 0)
			return 0;
		retry = ipc_retry_after(errno);
		if (retry == IPC_NEVER)
			return -1;
		ipc_wait(p, retry);
	}
	it = ipc_item_new(type, payload, tail, tail_len, fds, nfds);
	return it == NULL ? -1 : ipc_enqueue(p, it);
}

size_t
ipc_queued(const struct ipc_peer *p)
{
	return p->queued;
}
