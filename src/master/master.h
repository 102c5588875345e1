/* SPDX-License-Identifier: ISC */
/*
 * master: the process that starts all others, hands them their work, and
 * starts them again when they die.  It owns the listeners, the bus, the state
 * directory, the private PostgreSQL and the control socket, and reads nothing
 * that a client sends.
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include <sys/queue.h>
#include <sys/types.h>

#include "base/base.h"
#include "ipc/ipc.h"
#include "net/net.h"

struct bus;
struct conf;
struct event;
struct event_base;
struct json_writer;
struct master_listener;
struct master_postgres;
struct master_tls;
struct master_trace;

/* What the command line says. */
struct master_args {
	const char *path;	    /* of the configuration, absolute */
	bool path_given;	    /* a file that is missing is an error */
	const char *const *options; /* -o, in order */
	size_t noptions;
	bool foreground; /* -f or -d: says on stdout where it listens */
	bool debug;	 /* -d: log.level debug, whatever is configured */
	int waiter;	 /* who started a daemon reads here; -1: nobody */
};

/* A life goes down this list, and may skip. */
enum master_phase {
	MASTER_DATABASE,      /* start: PostgreSQL is not up yet */
	MASTER_JOBS,	      /* start: jobs is not ready yet */
	MASTER_OTHERS,	      /* start: workers and relay are not */
	MASTER_SERVE,	      /* clients are accepted */
	MASTER_DRAIN,	      /* clients are told to go */
	MASTER_STOP,	      /* the processes are told to end */
	MASTER_STOP_DATABASE, /* PostgreSQL is */
	MASTER_OVER,
};

enum master_how {
	MASTER_GENTLY, /* drain first */
	MASTER_FAST,
	MASTER_NOW, /* by force */
};

/* What a role may touch. */
enum master_may {
	MASTER_NET = 1, /* gets the clients' connections */
	MASTER_DB = 2,
	MASTER_BUS = 4,
	MASTER_OUT = 8,	   /* opens connections to elsewhere */
	MASTER_STORE = 16, /* writes below files.dir */
};

struct master_role {
	const char *name;
	enum ipc_role role;
	int (*entry)(char **argv);
	unsigned may;
	/* While the daemon starts, this many of them may die before one is
	 * ready, and then the start has failed.  Later there is no end to
	 * starting them again. */
	unsigned tries;
	const struct ipc_handler *handlers;
	size_t nhandlers;
};

/* One process of a role.  The place stays when the process dies. */
struct master_child {
	struct master *m;
	const struct master_role *role;
	unsigned number; /* of the role, from 1 */
	unsigned proc;	 /* on the bus */
	pid_t pid;	 /* 0: none runs */
	struct ipc_peer *peer;
	struct id incarnation;
	struct event *timer; /* none runs: when to start; else when to kill */
	int64_t started_ms;
	int64_t delay_ms; /* before the next start */
	unsigned restarts;
	bool ready;
	bool drained;
	bool db_up;
	unsigned conns;	 /* as the process said last */
	unsigned handed; /* connections that it got since */
	/* Connections that it gets at the end of this turn. */
	struct ipc_conns batch;
	int batch_fds[IPC_FDS_MAX];
};

struct master {
	const struct master_args *args;
	struct conf *conf;
	struct event_base *base;
	struct event *signals[5];
	struct event *deadline; /* of draining and stopping */
	enum master_phase phase;
	int64_t started_ms;
	int status; /* to exit with */
	int waiter; /* as in the arguments; -1 when it was told */

	/* master_state.c */
	bool root; /* it was started as root */
	uid_t uid; /* of the user that everything runs as */
	gid_t gid;
	char *user;
	int lock_fd;
	struct id host;
	uint8_t token_key[CRYPTO_KEY_LEN];
	uint8_t audit_key[CRYPTO_KEY_LEN]; /* the public half of: */
	uint8_t audit_seed[CRYPTO_KEY_LEN];
	uint8_t platform[CRYPTO_DIGEST_LEN];

	/* master_spawn.c */
	struct bus *bus;
	int bus_fd;
	int wake[IPC_PROCS_MAX];
	unsigned procs; /* on the bus, this one included */
	unsigned relay; /* its number on the bus */
	const char *exe;
	struct master_child *children;
	unsigned nchildren;

	/* master_accept.c */
	struct master_listener **listeners;
	size_t nlisteners;
	struct event *accept_pause;
	int accept_reserve; /* a descriptor to give up when there are none */
	int64_t accept_warned_ms;
	bool accepting;

	/* master_tls.c */
	struct master_tls *tls;
	struct ipc_tls_tickets tickets;
	struct event *ticket_timer;

	/* master_trace.c */
	LIST_HEAD(, master_trace) traces;
	unsigned ntraces;

	struct master_postgres *postgres; /* NULL: it is somebody else's */
	struct ipc_ctl_server *ctl;
};

/*
 * master.c: the life of the daemon.
 */
/* Takes over configuration and certificates; returns the exit status. */
int master(
    const struct master_args *args, struct conf *conf, struct master_tls *tls);
/* Something that the phase may have waited for has happened. */
void master_advance(struct master *m);
/* Ends the daemon; asked again while it ends, it hastens. */
void master_end(struct master *m, enum master_how how);
/* The start has failed, for this reason. */
void master_fail(struct master *m, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Reads the configuration and the certificates again, and opens the log
 * again.  NULL, or why all stays as it was: a sentence, the caller's to free,
 * and logged.  When w is not NULL, the members "changed" and "restart" (what
 * differs but stays until a restart) are written to it. */
char *master_reload(struct master *m, struct json_writer *w);
/* Changes log.level for all processes, until the next reload.  NULL, or what is
 * wrong. */
const char *master_log_level(struct master *m, const char *level);
const char *master_phase_name(const struct master *m);
/* Reads the clocks; milliseconds of clock_mono(). */
int64_t master_now(void);
/* A one-shot timer; it is set anew when it runs already. */
void master_timer(struct event *ev, int64_t ms);

/*
 * master_conf.c: the configuration, from file and command line.
 */
/* Read and checked as a whole; NULL and *error, the caller's to free. */
struct conf *master_conf(const struct master_args *args, char **error);
/* As -T prints it: without passwords. */
void master_conf_print(const struct conf *c, struct buf *out);
/* For the other processes: with the ports that were bound. */
void master_conf_text(const struct master *m, struct buf *out);

/*
 * master_state.c: who we are, and the state directory.  Fatal where it fails.
 */
void master_state_user(struct master *m);
/* Makes and locks the directory. */
void master_state_open(struct master *m);
/* What lies in it; the caller's to free. */
char *master_state_path(const struct master *m, const char *name);
/* Started as root, the master gives up what it does not need, and works as
 * the service user from now on. */
void master_state_drop(struct master *m);
/* Root again for a moment, and back: to start a child, to read the
 * configuration.  Does nothing for a master that never was root. */
void master_state_root(const struct master *m, bool on);
/* In a process that was forked and will be something else: the service user
 * for good, without new privileges.  -1 and errno. */
int master_state_become(const struct master *m) MUST_CHECK;
/* Gives the directory back. */
void master_state_close(struct master *m);

/*
 * master_spawn.c: the role table and the processes.
 */
/* NULL: no such role. */
const struct master_role *master_spawn_role(const char *name);
/* Makes the bus and a place for each process.  Fatal where it fails. */
void master_spawn_open(struct master *m);
void master_spawn_close(struct master *m);
/* Starts those of the roles (a set) that do not run. */
void master_spawn_start(struct master *m, unsigned roles);
bool master_spawn_is_ready(const struct master *m, unsigned roles);
/* A process has ended; false: it was none of these. */
bool master_spawn_reaped(struct master *m, pid_t pid, int status);
/* "killed by signal 9", "exit status 1" */
void master_spawn_why(int status, char *out, size_t size);
void master_spawn_reload(struct master *m);
/* Passes on the certificates, or only the keys of tickets. */
void master_spawn_tls(struct master *m, bool certificates);
/* Passes on stderr. */
void master_spawn_log(struct master *m);
void master_spawn_drain(struct master *m);
bool master_spawn_is_drained(const struct master *m);
/* No more starting; those that run are told to end, or killed. */
void master_spawn_stop(struct master *m, bool force);
bool master_spawn_is_gone(const struct master *m);

/*
 * master_accept.c: the listeners.
 */
/* Binds every address.  Fatal where it fails. */
void master_accept_open(struct master *m);
/* Accepts when there is a worker to take connections, else lets them wait. */
void master_accept_update(struct master *m);
void master_accept_close(struct master *m);
/* A reload in two steps.  Prepared: what is new is bound.  NULL, or what is
 * wrong, a sentence that is the caller's to free, and nothing is changed.  Then
 * one of the others, after which next is over. */
struct master_accept_next {
	struct {
		struct master_listener *l;
		struct net_addr asked;
		bool tls;
	} * v;
	size_t n;
};
char *master_accept_prepare(struct master *m, const struct conf *c,
    struct master_accept_next *next) MUST_CHECK;
void master_accept_commit(struct master *m, struct master_accept_next *next);
void master_accept_abandon(struct master *m, struct master_accept_next *next);
/* Says that it listens there. */
void master_accept_tell(const struct master *m, size_t i);
/* The bound address, after "tls:" where clients must speak TLS. */
const char *master_accept_name(const struct master *m, size_t i);
unsigned master_accept_port(const struct master *m, size_t i);

/*
 * master_tls.c: certificates, and keys of session tickets.
 */
/* Reads and checks what the configuration names; what is odd but no error is
 * logged.  NULL and *error, the caller's to free. */
struct master_tls *master_tls_read(const struct conf *c, char **error);
void master_tls_free(struct master_tls *t);
/* Makes the first key of tickets. */
void master_tls_open(struct master *m);
void master_tls_close(struct master *m);
/* To a worker: the keys of tickets, and the certificates.  -1 and errno. */
int master_tls_send(
    const struct master *m, struct ipc_peer *p, bool certificates) MUST_CHECK;
/* NULL: there are not so many. */
const struct net_tls_cert *master_tls_cert(const struct master *m, size_t i);

/*
 * master_trace.c: what passes, told to linnetctl.
 */
/* Begins a trace in all workers; *reader, the caller's, is where its records
 * come, one in each message, until it is closed.  NULL, or what is wrong. */
const char *master_trace_begin(
    struct master *m, const struct ipc_trace *what, int *reader) MUST_CHECK;
/* To a new worker: the traces that run. */
void master_trace_send(const struct master *m, struct ipc_peer *p);
void master_trace_close(struct master *m);

/*
 * master_postgres.c: the private PostgreSQL.
 */
/* Does nothing when the database is another's. */
void master_postgres_open(struct master *m);
bool master_postgres_is_up(const struct master *m);
bool master_postgres_reaped(struct master *m, pid_t pid, int status);
void master_postgres_stop(struct master *m, bool force);
bool master_postgres_is_gone(const struct master *m);
void master_postgres_close(struct master *m);
/* 0: none runs. */
pid_t master_postgres_pid(const struct master *m);
unsigned master_postgres_restarts(const struct master *m);
const char *master_postgres_state(const struct master *m);

/*
 * master_cluster.c: the programs and the files of PostgreSQL.
 */
struct master_cluster {
	char *bin;   /* where its programs are */
	char *data;  /* the cluster */
	char *fresh; /* one that is being made */
	char *run;   /* where its socket is */
	char *state; /* the state directory, around them all */
};
void master_cluster_open(struct master *m, struct master_cluster *cl);
void master_cluster_close(struct master_cluster *cl);
/* Is there a cluster? */
bool master_cluster_exists(const struct master_cluster *cl);
/* Finds the programs.  NULL, or what is wrong: a sentence, the caller's to
 * free. */
char *master_cluster_find(struct master *m, struct master_cluster *cl);
/* Each starts a program, and returns its pid; -1 and errno.  *out is the end
 * of a pipe from which its words for people are read. */
pid_t master_cluster_init(
    struct master *m, const struct master_cluster *cl, int *out);
pid_t master_cluster_create(
    struct master *m, const struct master_cluster *cl, int *out);
pid_t master_cluster_serve(
    struct master *m, const struct master_cluster *cl, int *out);
/* The fresh cluster becomes the one that is served.  -1 and errno. */
int master_cluster_finish(const struct master_cluster *cl) MUST_CHECK;
/* Does the server with this pid accept connections? */
bool master_cluster_is_ready(
    const struct master_cluster *cl, pid_t pid, int64_t started_ms);
/* Signals the processes that work in the cluster, or that make one; returns
 * how many there are.  sig 0 only counts, sig SIGINT goes to the server's
 * first process alone. */
unsigned master_cluster_signal(const struct master_cluster *cl, int sig);
/* When nobody works in the cluster: removes locks that name a process which is
 * not the server. */
void master_cluster_unlock(const struct master_cluster *cl);

/*
 * master_ctl.c: requests on the control socket.
 */
/* Fatal where it fails. */
void master_ctl_open(struct master *m);

#endif
