/* SPDX-License-Identifier: ISC */
/*
 * jobs: what has to happen by the clock: the schema at the start, deliveries
 * that came due, sessions of lost processes, old rows.
 */
#ifndef JOBS_JOBS_H
#define JOBS_JOBS_H

/* The life of the jobs process; returns its exit status. */
int jobs(char **argv);

#endif
