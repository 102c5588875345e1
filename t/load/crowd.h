/* SPDX-License-Identifier: ISC */
/*
 * crowd: many sessions of two members from one process.  crowd.c connects and
 * frames; what the sessions do is the program's.
 */
#ifndef LOAD_CROWD_H
#define LOAD_CROWD_H

#include "base/base.h"

enum crowd_state {
	CROWD_NEW,
	CROWD_CONNECT,
	CROWD_UPGRADE,
	CROWD_HELLO,
	CROWD_OPEN,
	CROWD_GONE,
};

struct crowd_conn {
	int fd;
	enum crowd_state state;
	unsigned number;
	unsigned place;	  /* which of the addresses */
	unsigned refused; /* times that nobody was there */
	struct buf in;
	struct buf out;
	char key[2 * CRYPTO_KEY_LEN + 1]; /* of the session, for its life */
	void *data;			  /* the program's */
};

/* What the program makes of it. */
struct crowd_calls {
	void (*open)(struct crowd_conn *c);
	void (*message)(struct crowd_conn *c, const char *p, size_t n);
	/* Closed or refused; crowd_connect() may try again. */
	void (*gone)(struct crowd_conn *c);
};

struct crowd {
	struct crowd_conn *conns;
	unsigned n;	   /* sessions wanted */
	unsigned opened;   /* connected so far */
	unsigned opening;  /* on their way */
	unsigned ready;	   /* open now */
	unsigned gone;	   /* lost so far */
	bool acks;	   /* say that pushes are acked */
	const char *group; /* all but the first are in it, or NULL */
	const struct crowd_calls *calls;
};
extern struct crowd crowd;

/* seed: a file with the output of `linnetctl seed`. */
void crowd_start(const char *host, const char *ports, const char *seed,
    unsigned n, const struct crowd_calls *calls);
/* Connects one that is new or gone. */
void crowd_connect(struct crowd_conn *c);
/* Waits for events at most so long, and handles them; new sessions are
 * connected a few at a time. */
void crowd_turn(int timeout_ms);
/* Queues one message. */
void crowd_send(struct crowd_conn *c, const char *p, size_t n);
void crowd_flush(struct crowd_conn *c);
/* Does a JSON message begin with this? */
bool crowd_is(const char *p, size_t n, const char *start);

#endif
