/* SPDX-License-Identifier: ISC */
/*
 * Many sends in one system call: io_uring(7), where the kernel has it.
 *
 * The sends are carried out while they are handed in, so everything is over
 * when net_uring_send() returns: no buffer outlives the call, and no answer is
 * waited for.  The ring is restricted to sending before it is enabled: what
 * the sandbox forbids cannot be done through it either.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "net/net_conn.h"

#ifdef HAVE_URING

#include <liburing.h>

struct net_uring {
	struct io_uring ring;
};

/* The kernel of Debian 12 knows these; an older one gets a ring without. */
#define URING_FLAGS (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)

static int
uring_open(struct io_uring *ring)
{
	struct io_uring_restriction allowed[] = {
		{ .opcode = IORING_RESTRICTION_SQE_OP,
		    .sqe_op = IORING_OP_SEND },
	};
	const unsigned flags[] = { URING_FLAGS, 0 };
	size_t i;
	int r = -1;

	for (i = 0; i < NELEM(flags); i++)
		if ((r = io_uring_queue_init(NET_URING_OPS, ring,
			 flags[i] | IORING_SETUP_R_DISABLED)) == 0)
			break;
	if (r != 0)
		return r;
	if ((r = io_uring_register((unsigned)ring->ring_fd,
		 IORING_REGISTER_RESTRICTIONS, allowed, NELEM(allowed))) == 0 &&
	    (r = io_uring_register((unsigned)ring->ring_fd,
		 IORING_REGISTER_ENABLE_RINGS, NULL, 0)) == 0)
		return 0;
	io_uring_queue_exit(ring);
	return r;
}

struct net_uring *
net_uring_new(void)
{
	struct net_uring *u = xcalloc(1, sizeof(*u));
	int r = uring_open(&u->ring);

	if (r == 0)
		return u;
	log_info("no io_uring: %s", strerror(-r));
	free(u);
	return NULL;
}

void
net_uring_free(struct net_uring *u)
{
	if (u == NULL)
		return;
	io_uring_queue_exit(&u->ring);
	free(u);
}

static void
uring_put(struct net_uring *u, const struct net_uring_op *op, size_t i)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	if (sqe == NULL)
		fatalx("io_uring: no room");
	io_uring_prep_send(
	    sqe, op->fd, op->p, op->n, MSG_DONTWAIT | MSG_NOSIGNAL);
	io_uring_sqe_set_data64(sqe, i);
}

void
net_uring_send(struct net_uring *u, struct net_uring_op *ops, size_t n)
{
	struct io_uring_cqe *cqe;
	size_t i;
	int r;

	for (i = 0; i < n; i++)
		uring_put(u, &ops[i], i);
	do {
		r = io_uring_submit_and_wait(&u->ring, (unsigned)n);
	} while (r == -EINTR);
	for (i = 0; i < n; i++) {
		do {
			r = io_uring_wait_cqe(&u->ring, &cqe);
		} while (r == -EINTR);
		/* The buffers are lent to the kernel: there is no way on. */
		if (r != 0)
			fatalx("io_uring: %s", strerror(-r));
		ops[io_uring_cqe_get_data64(cqe)].result = cqe->res;
		io_uring_cqe_seen(&u->ring, cqe);
	}
}

#else

struct net_uring *
net_uring_new(void)
{
	return NULL;
}

void
net_uring_free(struct net_uring *u)
{
	(void)u;
}

void
net_uring_send(struct net_uring *u, struct net_uring_op *ops, size_t n)
{
	(void)u;
	(void)ops;
	(void)n;
}

#endif
