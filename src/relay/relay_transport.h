/* SPDX-License-Identifier: ISC */
/*
 * relay_transport: how records travel from host to host.  What an
 * implementation owes stands in linnet-internals(7); in short: a host is
 * addressed by its id, what one host sends to another arrives in the order of
 * sending or not at all, and who may have missed something is told so before
 * it gets anything that came after.
 */
#ifndef RELAY_RELAY_TRANSPORT_H
#define RELAY_RELAY_TRANSPORT_H

#include "base/base.h"

struct core;
struct event_base;
struct relay_transport;

struct relay_transport_config {
	struct event_base *base;
	const char *conninfo;
	struct core *core;
	int64_t deadline_ms;
	struct id host;	       /* this one */
	struct id incarnation; /* of this process */
	/* A record of another host; good during the call. */
	void (*receive)(
	    void *arg, const struct id *from, const char *p, size_t n);
	/* Records of a host may have been lost. */
	void (*lost)(void *arg, const struct id *from);
	/* It carries now; also after it did not for a while, in which
	 * anything of anybody may have been lost. */
	void (*up)(void *arg);
	void *arg;
};

struct relay_transport_type {
	const char *name;
	size_t record_max; /* bytes, at least 1,024 */
	/* Never from within a callback: open and close. */
	struct relay_transport *(*open)(const struct relay_transport_config *c);
	/* To a host, or to all others (NULL).  It goes with the next flush;
	 * when it cannot, it is lost, and the receiver is told. */
	void (*send)(struct relay_transport *t, const struct id *to,
	    const char *p, size_t n);
	/* At the end of each turn. */
	void (*flush)(struct relay_transport *t);
	void (*close)(struct relay_transport *t);
};

/* relay_postgres.c */
extern const struct relay_transport_type relay_postgres;

#endif
