/* SPDX-License-Identifier: ISC */
/*
 * upkeep: what is done by the clock and not by a client, in the jobs process of
 * each host.
 */
#ifndef CORE_UPKEEP_H
#define CORE_UPKEEP_H

#include "core/core.h"

/*
 * schedule.c: messages for later.  schedule_due.c: sends what is due; in the
 * jobs process of each host.
 */
void schedule_open(struct core *c);
void schedule_close(struct core *c);
/* Reads what is due, and when the next one is. */
void schedule_look(struct core *c);
/* When to look again, by clock_mono(); INT64_MAX: nobody knows. */
int64_t schedule_next(const struct core *c);
/* Something is due at a time of clock_wall(). */
void schedule_told(struct core *c, int64_t due_ms);
/* At the end of a turn: frees what is over. */
void schedule_turn(struct core *c);

/*
 * unit_derive.c: makes units of memory of what is in the journals, in the jobs
 * process of each host.
 */
void unit_open(struct core *c);
void unit_close(struct core *c);
/* There may be something new in the journal of a mesh. */
void unit_told(struct core *c, const struct id *mesh);
/* Looks for meshes whose journals were not read to their end. */
void unit_look(struct core *c);
/* Search finds what is new with less effort from then on. */
void search_settle(struct core *c);
/* At the end of a turn: goes on. */
void unit_turn(struct core *c);
/* When there is something to do, by clock_mono(); INT64_MAX: nobody knows. */
int64_t unit_next(const struct core *c);

/*
 * upkeep.c: what jobs does, by statements that any number of hosts may run.
 */
void upkeep_reap(struct core *c, const struct id *live, size_t n);
void upkeep_hosts(struct core *c);
/* Those who show tokens and were not here for long, or may not be. */
void upkeep_visitors(struct core *c);
void upkeep_due(struct core *c);
/* Calls back when the schema has become too new for this program. */
void upkeep_lease(
    struct core *c, void (*outdated)(void *arg, const char *why), void *arg);
void upkeep_clean(struct core *c);
void upkeep_depth(struct core *c);

#endif
