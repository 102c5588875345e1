/* SPDX-License-Identifier: ISC */
/*
 * role: what worker, relay and jobs have in common: how a process of linnetd
 * begins, what it stands on, and the turn of its loop.
 */
#ifndef ROLE_ROLE_H
#define ROLE_ROLE_H

#include "base/base.h"
#include "bus/bus.h"
#include "conf/conf.h"
#include "core/core.h"
#include "ipc/ipc.h"

struct event;
struct event_base;

struct role {
	const struct role_desc *desc;
	struct ipc_start start; /* what the master said */
	struct conf *conf;
	const char *conninfo; /* good until open() returned */
	struct event_base *base;
	struct ipc_peer *master;
	struct ipc_peer *files; /* NULL: that process does not run */
	struct bus *bus;
	struct core *core;
	uint8_t (*audit_keys)[CRYPTO_KEY_LEN]; /* core's */
	struct event *tick;
	struct event *wake;
	bool ready; /* the master knows that it serves */
	bool stop;
};

/* A role: what it does at each step.  Any function may be NULL. */
struct role_desc {
	enum ipc_role role;
	const char *database; /* name of its database connections */
	unsigned may;	      /* of enum ipc_may, beside the network */
	const struct ipc_handler *handlers;
	size_t nhandlers;
	/* Before privileges are given up, with the loop's base; may wait. */
	void (*enter)(struct role *r);
	/* Before the database is used; may wait. */
	void (*prepare)(struct role *r, const char *conninfo);
	/* core is there. */
	void (*open)(struct role *r);
	/* The database went or came. */
	void (*database_up)(struct role *r, bool up);
	/* After the bus was read: writes out what was gathered. */
	void (*flush)(struct role *r);
	/* The turn is over. */
	void (*turn)(struct role *r);
	/* Once a second. */
	void (*tick_second)(struct role *r);
	/* r->conf is new; the old one is freed afterwards. */
	void (*reload)(struct role *r);
	void (*close)(struct role *r);
};

/* The life of a process: everything from its first step to its exit status. */
int role_run(struct role *r, const struct role_desc *desc, char **argv);
/* To the master; a loss is logged. */
void role_send(struct role *r, enum ipc_type type, const void *payload);
/* The handlers of IPC_RELOAD and IPC_LOG. */
void role_reload(struct ipc_peer *p, struct ipc_msg *m, void *arg);
void role_log(struct ipc_peer *p, struct ipc_msg *m, void *arg);

/*
 * role_files.c: orders to the files process.
 */
/* The handler of IPC_FILES_CHANNEL. */
void role_files_channel(struct ipc_peer *p, struct ipc_msg *m, void *arg);
/*
 * Sends the order; version is filled in.  Returns the end of a non-blocking
 * socket where the transfer is, as ipc/files.h says: the caller's.  -1 and
 * errno: ENOTCONN when the files process does not run just now.
 */
int role_files(struct role *r, struct files_order *o) MUST_CHECK;

/*
 * role_beside.c: jobs of core beside the loop, from now on.
 */
struct role_beside;
struct role_beside *role_beside_open(struct role *r);
/* Before core_free(); the clients are gone. */
void role_beside_close(struct role_beside *b);

/*
 * role_transfer.c: the storage of core, by such orders.
 */
void role_transfers(struct role *r);

#endif
