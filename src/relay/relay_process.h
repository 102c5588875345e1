/* SPDX-License-Identifier: ISC */
/*
 * relay_process: what the files of the relay share.
 */
#ifndef RELAY_RELAY_PROCESS_H
#define RELAY_RELAY_PROCESS_H

#include <sys/queue.h>

#include "relay/relay_transport.h"
#include "role/role.h"

/* A mesh that this host or another one serves. */
struct relay_mesh {
	struct hash_entry hash;
	struct id id;
	LIST_HEAD(, relay_pair) hosts;	/* the others that serve it */
	TAILQ_ENTRY(relay_mesh) unsaid; /* of this host's */
	bool here;			/* this host serves it */
	bool is_unsaid; /* and the database does not know that yet */
	int64_t used_ms;
};

struct relay_pair {
	LIST_ENTRY(relay_pair) entry;
	struct id host;
	unsigned round; /* of reading, that last confirmed it */
};

struct relay {
	struct role role; /* first: a role is a relay here */
	const struct relay_transport_type *type;
	struct relay_transport *transport;
	struct hash meshes;
	TAILQ_HEAD(, relay_mesh) unsaid;
	size_t pairs;
	unsigned round;
	unsigned seconds;
	bool missed; /* something was not told to the others */
	bool behind; /* they may have told what did not arrive */
	bool again;  /* what this host serves has to be said again */
};

/*
 * relay.c
 */
/* To a host (NULL: to all others), whatever its size. */
void relay_tell(struct relay *r, const struct id *to, uint16_t type,
    const char *p, size_t n);

/*
 * relay_mesh.c: who serves what.
 */
struct relay_mesh *relay_mesh_find(const struct relay *r, const struct id *id);
/* A process of this host begins to serve it: the others are told. */
void relay_mesh_serve(struct relay *r, const struct id *id);
/* Another host says that it does. */
void relay_mesh_served(
    struct relay *r, const struct id *host, const struct id *id);
/* Tells the others again of all that this host serves. */
void relay_mesh_repeat(struct relay *r);
/* Reads what the database knows of this host, and of the others. */
void relay_mesh_read_own(struct relay *r);
void relay_mesh_read(struct relay *r);
/* Writes down what is new. */
void relay_mesh_flush(struct relay *r);
/* Once a second: gives up what this host has not served for a while. */
void relay_mesh_tick(struct relay *r);
void relay_mesh_close(struct relay *r);

#endif
