/* SPDX-License-Identifier: ISC */
/*
 * Inside of scheduled messages: cron lines, and what message.c sends when one
 * is due.
 */
#ifndef CORE_SCHEDULE_H
#define CORE_SCHEDULE_H

#include "core/domain.h"

/*
 * cron.c: lines as crontab(5) has them, in UTC: five fields with lists,
 * ranges, steps and English names; Sunday is 0 or 7.
 */
#define CRON_FIELDS 5
#define CRON_ERROR_MAX 160
struct cron {
	uint64_t minutes; /* bit n: minute n; and so on */
	uint32_t hours;
	uint32_t days;
	uint16_t months;
	uint8_t weekdays;
	bool either; /* a day needs one of days and weekdays, else both */
};
/* -1: what a line must be, in words, is in error. */
int cron_parse(
    struct cron *c, struct slice line, char error[CRON_ERROR_MAX]) MUST_CHECK;
/* The first time (ms since 1970) that the line names after the minute of
 * after_ms, which is not negative; -1: never, which cron_parse() refuses. */
int64_t cron_next(const struct cron *c, int64_t after_ms);

/*
 * message.c: one that is due.
 */
/* A scheduled message that is due. */
struct message_due {
	struct id schedule;
	int64_t due_ms;
	int64_t next_ms; /* when it is due again; 0: no more */
	struct list targets;
	enum priority priority;
	enum subtype subtype;
	struct slice nonce;
	struct slice ciphertext;
};
/* Sends it for the session of the request's client.  Of all who try, on any
 * host, one succeeds; the others fail with ERR_NOT_FOUND. */
void message_send_due(struct request *r, struct message_due *due);
/* Is one of the targets a channel?  Nothing is scheduled for these. */
bool message_is_post(const struct list *targets);

#endif
