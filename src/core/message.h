/* SPDX-License-Identifier: ISC */
/*
 * A message on its way to the database, for message.c, which sends it, and
 * message_put.c, which knows its rows.
 */
#ifndef CORE_MESSAGE_H
#define CORE_MESSAGE_H

#include "core/domain.h"

/* Of the request's pool. */
struct multicast {
	TAILQ_ENTRY(multicast) entry;
	struct request *request;
	struct message message;
	struct id sender_session;
	struct slice client_id;
	uint8_t fingerprint[CRYPTO_DIGEST_LEN];
	struct target *to;
	const struct message_due *due; /* it was scheduled, or NULL */
	bool ends;		       /* before the time that all are held */
	bool pushed;		       /* before it is stored */
	struct crowding *crowds;       /* of its recipients */
	size_t ncrowds, crowds_cap;
};

/* Recipients that one process has, when they are recorded together. */
struct crowding {
	struct id host;
	unsigned proc;
	uint32_t n;
	struct crowd *crowd; /* in this process, or NULL */
	struct id audience;
	int64_t said_ms; /* when its list was given to the database, or 0 */
};

/* Gives the recipients that a process has a place in a crowd, where they are
 * enough. */
void message_gather(struct multicast *m);
/* The parameters of message_insert or schedule_send. */
void message_put(struct db_params *p, struct core *c, struct multicast *m);
/* They were stored. */
void message_put_done(struct multicast *m);

#endif /* CORE_MESSAGE_H */
