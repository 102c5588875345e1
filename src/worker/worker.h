/* SPDX-License-Identifier: ISC */
/*
 * worker: serves clients.  Its connections come from the master, what happens
 * elsewhere comes over the bus, the truth is in the database.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

/* The life of a worker process; returns its exit status. */
int worker(char **argv);

#endif
