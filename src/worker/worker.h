/* SPDX-License-Identifier: ISC */
/*
 * worker: serves clients.  Its connections come from the master, what happens
 * elsewhere comes over the bus, the truth is in the database.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

struct ipc_msg;
struct ipc_peer;
struct role;

/* The life of a worker process; returns its exit status. */
int worker(char **argv);

/*
 * worker_trace.c: what passes, for linnetctl trace.
 */
/* The handler of IPC_TRACE. */
void worker_trace(struct ipc_peer *p, struct ipc_msg *m, void *arg);
/* Once a second: forgets traces that nobody reads. */
void worker_trace_tick(struct role *r);

#endif
