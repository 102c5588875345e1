/* SPDX-License-Identifier: ISC */
/*
 * ipc: messages between the processes of one linnetd, and between linnetctl
 * and the master.  msgs.def is the only list of messages; what it does not
 * allow (sender, receiver, size, descriptors, bytes behind) is refused before
 * a handler runs, and ends the connection.
 *
 * A message is one packet of a SOCK_SEQPACKET unix socket: a header, a fixed
 * payload, bytes (the tail), and descriptors.
 */
#ifndef IPC_IPC_H
#define IPC_IPC_H

#include <sys/socket.h>
#include <sys/types.h>

#include "base/base.h"
#include "ipc/files.h"

struct event_base;

#define IPC_VERSION 6
#define IPC_FDS_MAX 16
#define IPC_PROCS_MAX 64
#define IPC_TAIL_MAX (128 * 1024)

/* A set of roles is an or of them. */
enum ipc_role {
	IPC_MASTER = 1,
	IPC_WORKER = 2,
	IPC_RELAY = 4,
	IPC_JOBS = 8,
	IPC_CTL = 16, /* linnetctl */
	IPC_FILES = 32,
	IPC_FILES_USER = IPC_WORKER | IPC_JOBS, /* it orders from files */
	IPC_ANY = IPC_WORKER | IPC_RELAY | IPC_JOBS | IPC_FILES,
};

enum ipc_type {
#define MSG(name, from, to, payload, fds, tail, text) IPC_##name,
#include "ipc/msgs.def"
#undef MSG
	IPC_TYPES
};

/* Payloads.  No pointers.  One with more than one descriptor begins with
 * their number as an uint32_t. */
struct ipc_none {
	uint8_t none;
};

struct ipc_config {
	struct id incarnation; /* of this process */
	struct id host;
	uint32_t version; /* IPC_VERSION */
	uint32_t role;
	uint32_t number; /* of that role, from 1 */
	uint32_t proc;	 /* on the bus */
	uint32_t procs;
	uint32_t relay; /* the relay's number on the bus */
	uint32_t uid;	/* to run as when the process is root; 0: stay */
	uint32_t gid;
	uint8_t token_key[CRYPTO_KEY_LEN];  /* zero for who has no use for it */
	uint8_t audit_key[CRYPTO_KEY_LEN];  /* the public half of: */
	uint8_t audit_seed[CRYPTO_KEY_LEN]; /* for jobs; else zero */
	uint8_t
	    platform[CRYPTO_DIGEST_LEN]; /* of the platform's key, or zero */
};

struct ipc_bus {
	uint32_t procs;
	uint32_t self;
	uint64_t ring; /* bytes */
};

struct ipc_proc_id {
	uint32_t proc; /* on the bus */
};

/* The process at the other end. */
struct ipc_channel {
	uint32_t role;
	uint32_t proc; /* its number among the processes */
};

struct ipc_conns {
	uint32_t n; /* 1 to IPC_FDS_MAX; as many descriptors */
	struct {
		struct sockaddr_storage ss;
		socklen_t len;
		uint32_t tls; /* 0 or 1 */
	} addr[IPC_FDS_MAX];
};

/* The tail is the chain, chain_len bytes, and then the key. */
struct ipc_tls_cert {
	uint32_t count;	 /* of the set; 0: it is empty, and there is no tail */
	uint32_t number; /* in the set, from 0 */
	uint32_t chain_len;
};

#define IPC_TICKET_LEN 80
struct ipc_tls_tickets {
	uint32_t n;
	uint8_t keys[2][IPC_TICKET_LEN];
};

#define IPC_TRACE_TYPE 64
#define IPC_TRACE_SESSION 512
/* What is told of: empty texts and a null id stand for all. */
struct ipc_trace {
	struct id mesh;
	char type[IPC_TRACE_TYPE];
	char session[IPC_TRACE_SESSION]; /* id in hex, or name */
};

struct ipc_load {
	uint32_t conns;
	uint32_t db_up; /* 0 or 1 */
};

struct ipc_incarnation {
	struct id id;
	uint32_t proc; /* on the bus */
};

struct ipc_ctl {
	uint32_t status; /* of a reply: 0 is success */
	uint32_t more;	 /* 1: another part of this reply follows */
};

/*
 * ipc_frame.c: one message on a socket, checked against the table.
 */
struct ipc_msg {
	enum ipc_type type;
	const void *payload; /* the struct that the table names */
	const char *tail; /* a NUL follows it, which tail_len does not count */
	size_t tail_len;
	int fds[IPC_FDS_MAX]; /* a handler that keeps one puts -1 there */
	unsigned nfds;
};

/* "CONN_NEW"; "?" for a number that is no type. */
const char *ipc_name(unsigned type);
/* "worker"; "?" for what is not one role. */
const char *ipc_role_name(enum ipc_role role);
/* 0 when there is no such role. */
enum ipc_role ipc_role_parse(const char *name);
/* A connected pair, non-blocking, close-on-exec.  -1 and errno. */
int ipc_pair(int fds[2]) MUST_CHECK;
size_t ipc_payload_size(enum ipc_type type);
/* Fatal when the table does not allow this message: it is our own bug.  For
 * payload NULL see ipc_frame_send(). */
void ipc_frame_check(enum ipc_role from, enum ipc_role to, enum ipc_type type,
    const void *payload, size_t tail_len, unsigned nfds);
/*
 * Sends one message that `from` may send to `to`; anything else is our own
 * bug and fatal.  payload NULL stands for a struct ipc_none.  The descriptors
 * stay the caller's.  -1 and errno: EAGAIN when the socket is full, EMSGSIZE
 * when the tail is longer than IPC_TAIL_MAX or the socket takes.
 */
int ipc_frame_send(int fd, enum ipc_role from, enum ipc_role to,
    enum ipc_type type, const void *payload, const void *tail, size_t tail_len,
    const int *fds, unsigned nfds) MUST_CHECK;
enum ipc_got {
	IPC_GOT_MSG,
	IPC_GOT_NONE,	 /* nothing there now */
	IPC_GOT_EOF,	 /* the other end is closed */
	IPC_GOT_ERROR,	 /* errno */
	IPC_GOT_REFUSED, /* *why is a sentence; its descriptors are closed */
};
/* Receives one message that `from` may send to `to`.  buf has
 * IPC_BUF_SIZE bytes and holds what m points at; the descriptors are
 * close-on-exec and the caller's: see ipc_frame_done(). */
#define IPC_BUF_SIZE (IPC_TAIL_MAX + 4096)
enum ipc_got ipc_frame_recv(int fd, enum ipc_role from, enum ipc_role to,
    void *buf, struct ipc_msg *m, const char **why) MUST_CHECK;
/* Overwrites payload and tail, which held a secret. */
void ipc_frame_wipe(struct ipc_msg *m);
/* Closes the descriptors that nobody took. */
void ipc_frame_done(struct ipc_msg *m);
/* Messages of a type that this process sent and received. */
void ipc_count(enum ipc_type type, uint64_t *sent, uint64_t *received);

/*
 * ipc.c: peers: a socket in an event loop, with a queue for when it is full.
 */
struct ipc_peer;
/* m is good during the call; descriptors not taken are closed after it.  The
 * handler may close the peer. */
typedef void ipc_fn(struct ipc_peer *p, struct ipc_msg *m, void *arg);
/* The peer is gone: end of file, an error, or a message that was refused (it
 * is logged).  Called once, from the loop, never by ipc_send() or ipc_close().
 * Nothing can be sent any more; the owner calls ipc_close(), now or later. */
typedef void ipc_closed_fn(struct ipc_peer *p, void *arg);

struct ipc_handler {
	enum ipc_type type;
	ipc_fn *fn;
};

/*
 * Takes the descriptor.  name is for the log ("worker 1"), copied; self and
 * peer are the roles at both ends; the handlers live as long as the peer.  A
 * message that has no handler is refused.
 */
struct ipc_peer *ipc_open(struct event_base *base, int fd, const char *name,
    enum ipc_role self, enum ipc_role peer, const struct ipc_handler *handlers,
    size_t nhandlers, ipc_closed_fn *closed, void *arg);
/* NULL does nothing.  What is queued is lost. */
void ipc_close(struct ipc_peer *p);
/*
 * Sends now, or queues when the socket is full; takes ownership of nothing:
 * the caller closes its descriptors after the call.  For the rest see
 * ipc_frame_send().  -1 and errno: EPIPE when the peer is gone (its closed
 * function follows or was called), ENOBUFS when the queue is full, EMSGSIZE,
 * EMFILE; nothing was sent.
 */
int ipc_send(struct ipc_peer *p, enum ipc_type type, const void *payload,
    const void *tail, size_t tail_len, const int *fds,
    unsigned nfds) MUST_CHECK;
/* Bytes that wait in the queue. */
size_t ipc_queued(const struct ipc_peer *p);

/*
 * ipc_proc.c: processes: the master starts them, and each begins with the
 * same steps.
 */
#define IPC_PROC_FD 3 /* where a child finds its socket */
/*
 * Starts `exe -x role` with one end of a new pair at IPC_PROC_FD, /dev/null
 * at 0 and 1, stderr, and nothing else.  Returns the pid, and in *fd the other
 * end; -1 and errno.
 */
pid_t ipc_proc_start(const char *exe, enum ipc_role role, int *fd) MUST_CHECK;

/* What the master tells a process before it begins. */
struct ipc_start {
	struct ipc_config config;
	char *text; /* configuration; the caller's to free */
	size_t text_len;
	struct ipc_bus bus;
	int bus_fd;		 /* -1: the role has no bus */
	int wake[IPC_PROCS_MAX]; /* eventfds by process; -1 where none is */
	struct ipc_incarnation live[IPC_PROCS_MAX]; /* PROC_LIVE (jobs) */
	unsigned nlive;
};
/*
 * The first call of `linnetd -x role`: signals, the end of the master, then
 * CONFIG, BUS_MAP, BUS_WAKE, PROC_LIVE and START from IPC_PROC_FD, the title
 * in argv, and the tag of the log.  Fatal when anything is amiss.  Afterwards
 * IPC_PROC_FD is the caller's, for ipc_open().
 */
void ipc_proc_enter(enum ipc_role role, char **argv, struct ipc_start *s);

struct ipc_privs {
	uid_t uid; /* used when the process is root; 0: stay */
	gid_t gid;
	const char *root; /* chroot to it when root; NULL: no */
};
/*
 * Gives up privileges for good: chroot, groups, user, capabilities, new
 * privileges, core dumps; umask 077.  Fatal when a step fails.
 */
void ipc_drop(const struct ipc_privs *privs);

/*
 * ipc_sandbox.c: the last step before the loop: the system calls that a role
 * may make from now on.  Anything else kills the process (SIGSYS), but for a
 * few that fail with EPERM.  No new process, no program, no executable memory;
 * what is not in `may` is not possible either.  Threads made later are in it,
 * too.  Does nothing when built with sanitizers.
 */
enum ipc_may {
	IPC_MAY_NETWORK = 1, /* sockets that are not unix sockets */
	IPC_MAY_FILES = 2,   /* change files and names */
	IPC_MAY_THREADS = 4, /* make threads */
};
void ipc_sandbox(unsigned may);

/*
 * ipc_fence.c: from now on only what is below dir can be changed, and nothing
 * else be read, or with read_all everything.  For this thread and those that
 * it makes, after ipc_drop().  Does nothing where the kernel has no Landlock,
 * or when built with sanitizers.
 */
void ipc_fence(const char *dir, bool read_all);

/*
 * ipc_ctl.c: the control socket.
 */
struct ipc_ctl_server;
struct ipc_ctl_call;
#define IPC_CTL_WORDS_MAX 64
#define IPC_CTL_REPLY_MAX (1024 * 1024)
/* A request; the words are NULL-ended and good until the reply. */
typedef void ipc_ctl_fn(
    struct ipc_ctl_call *call, char **words, size_t nwords, void *arg);
/*
 * Listens at path (mode 0600), in place of a socket that nobody serves any
 * more.  Only root and our own user are heard.  NULL and errno: EADDRINUSE
 * when somebody serves it, EEXIST when it is no socket, ENAMETOOLONG.
 */
struct ipc_ctl_server *ipc_ctl_listen(
    struct event_base *base, const char *path, ipc_ctl_fn *fn, void *arg);
/* Removes the socket; calls under way lose their client. */
void ipc_ctl_close(struct ipc_ctl_server *s);
/* Exactly once per call, in the function or later; ends the call.  status 0 is
 * success. */
void ipc_ctl_reply(
    struct ipc_ctl_call *call, uint32_t status, const char *text, size_t n);
/* Before the reply: a descriptor goes with it, and stays the caller's. */
void ipc_ctl_reply_fd(struct ipc_ctl_call *call, int fd);
/*
 * The client: sends NULL-ended words, waits, appends the answer to reply.
 * Returns 0, or -1 and errno: ENOENT or ECONNREFUSED when no daemon runs,
 * EACCES, ECONNRESET or EPIPE when it does not hear us, ETIMEDOUT, EPROTO
 * (another version), EMSGSIZE.
 */
int ipc_ctl_call(const char *path, const char *const *words, int64_t timeout_ms,
    uint32_t *status, struct buf *reply) MUST_CHECK;
/* The same where a descriptor may come with the answer: the caller's, or -1. */
int ipc_ctl_call_fd(const char *path, const char *const *words,
    int64_t timeout_ms, uint32_t *status, struct buf *reply,
    int *fd) MUST_CHECK;

#endif
