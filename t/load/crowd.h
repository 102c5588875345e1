/* SPDX-License-Identifier: ISC */
/*
 * crowd: many sessions of two members from one process, on top of what
 * linnet-bench is made of.  What the sessions do is the program's.
 */
#ifndef LOAD_CROWD_H
#define LOAD_CROWD_H

#include "bench/bench.h"

struct crowd_conn {
	struct bench_conn *conn;
	unsigned number;
	unsigned place;		  /* which of the addresses */
	unsigned refused;	  /* times that nobody was there */
	char key[BENCH_KEY_SIZE]; /* of the session, for its life */
	void *data;		  /* the program's */
};

/* What the program makes of it. */
struct crowd_calls {
	void (*open)(struct crowd_conn *c);
	void (*message)(struct crowd_conn *c, const char *p, size_t n);
	/* Closed or refused; crowd_connect() may try again, later. */
	void (*gone)(struct crowd_conn *c);
};

struct crowd {
	struct crowd_conn *conns;
	unsigned n;	/* sessions wanted */
	unsigned ready; /* open now */
	unsigned gone;	/* lost so far */
	bool acks;	/* say that pushes are acked */
	bool group;	/* all but the first are in @g0 */
	const struct crowd_calls *calls;
};
extern struct crowd crowd;

/* seed: a file with the output of `linnetctl seed`. */
void crowd_start(const char *host, const char *ports, const char *seed,
    unsigned n, const struct crowd_calls *calls);
/* Connects one that is new or gone. */
void crowd_connect(struct crowd_conn *c);
bool crowd_is_open(const struct crowd_conn *c);
bool crowd_is_gone(const struct crowd_conn *c);
/* Waits for events at most so long, and handles them; new sessions are
 * connected a few at a time. */
void crowd_turn(int timeout_ms);
/* Queues one message, which goes at the end of the turn. */
void crowd_send(struct crowd_conn *c, const char *p, size_t n);
void crowd_flush(void);
/* Does a JSON message begin with this? */
bool crowd_is(const char *p, size_t n, const char *start);

#endif
