/* SPDX-License-Identifier: ISC */
/*
 * files: the process that waits for disks and for S3, so that no other has
 * to.  Orders and answers are in ipc/files.h.
 */
#ifndef FILES_FILES_H
#define FILES_FILES_H

#include "base/base.h"
#include "ipc/ipc.h"

struct store;

/* The life of the files process; returns its exit status. */
int files(char **argv);

/*
 * files_transfer.c: one order, from its socket to the store or back.
 */
struct files_limits {
	int64_t idle_ms;     /* the other end is silent for so long */
	int64_t transfer_ms; /* the whole takes so long */
	unsigned member;     /* transfers of one member; 0: any number */
};
/* Answers, moves the bytes, closes the descriptor.  Waits.  Calls over before
 * the other end can know that it is over, and perhaps begin the next one. */
void files_transfer(struct store *st, const struct files_limits *limits,
    const struct files_order *o, int fd, void (*over)(void *arg), void *arg);
/* An answer without a transfer; does not wait.  Closes the descriptor. */
void files_transfer_refuse(int fd, int error, uint64_t size);
int64_t files_transfer_now(void);

/*
 * files_pool.c: threads, and the orders that wait for one.
 */
struct files_pool;
struct files_pool *files_pool_new(
    struct store *st, const struct files_limits *limits, unsigned threads);
/* Takes the descriptor; -1 is for a sweep of the store, without an order.
 * True: something waits for a thread. */
bool files_pool_add(struct files_pool *p, const struct files_order *o, int fd);
/* Refuses what has waited for too long; true: something waits still. */
bool files_pool_expire(struct files_pool *p);
void files_pool_set_member(struct files_pool *p, unsigned member);
/* Ends the transfers under way, refuses those that wait, joins the threads. */
void files_pool_free(struct files_pool *p);

#endif
