/* SPDX-License-Identifier: ISC */
/*
 * core: what Linnet does.  Meshes, members, sessions, messages, state and
 * memory, with their rules; operations behind one gate.  No sockets, no wire
 * formats: a protocol (src/proto) hands in decoded structs and is called back
 * with structs.
 *
 * One process has one struct core.  All of it runs in one thread, in turns of
 * the event loop: requests and bus records come in, core_turn() at the end of
 * the turn lets out what was gathered.
 */
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include <sys/queue.h>

#include "base/base.h"
#include "bus/bus.h"
#include "core/audit.h"
#include "core/limits.h"
#include "core/table.h"
#include "db/db.h"

#ifndef LIST_FOREACH_SAFE
#define LIST_FOREACH_SAFE(var, head, field, tmp)                  \
	for ((var) = LIST_FIRST(head);                            \
	     (var) != NULL && ((tmp) = LIST_NEXT(var, field), 1); \
	     (var) = (tmp))
#endif
#ifndef TAILQ_FOREACH_SAFE
#define TAILQ_FOREACH_SAFE(var, head, field, tmp)                  \
	for ((var) = TAILQ_FIRST(head);                            \
	     (var) != NULL && ((tmp) = TAILQ_NEXT(var, field), 1); \
	     (var) = (tmp))
#endif

struct core;
struct mesh;
struct session;
struct client;
struct request;
struct event;
struct state_change;
struct entry;
struct notice;
struct schedules;
struct units;
struct trace;
struct deputy;
struct tokens;
struct audit_job;
struct webhooks;

/* What became of following something; see follow.h. */
enum follow_state {
	FOLLOW_CAUGHT_UP, /* all that was there at first was told; at: the
			   * greatest seq of that, or what it began after */
	FOLLOW_GAP,	  /* it is not known where it should begin: it does a
			   * little before the time of that */
	FOLLOW_LOST,	  /* the channel is no more, or not for the member: it
			   * is over */
};

/*
 * op.c: operations and their gate.
 *
 * An operation is a descriptor beside its handler and a row of ops.def.  Its
 * fields say how a protocol decodes its input into a struct and encodes the
 * output struct: offsets, limits and texts, which the manuals print.
 */
enum field_type {
	F_END,
	F_STR,	  /* struct slice: text, without NUL */
	F_NAME,	  /* struct slice: text that people see as a name */
	F_ENUM,	  /* int: index in `names` */
	F_KEY,	  /* uint8_t[32] from 64 hex digits; zero when absent */
	F_SIG,	  /* uint8_t[64] from 128 hex digits */
	F_ID,	  /* struct id from 32 hex digits */
	F_INT,	  /* int64_t */
	F_BOOL,	  /* bool */
	F_TIME,	  /* int64_t, ms; RFC 3339 on the wire, "" for 0 (out only) */
	F_JSON,	  /* struct slice: any JSON value, as it came */
	F_STRS,	  /* struct list of struct slice */
	F_TARGET, /* the same, from one string or an array of strings */
	F_ROWS,	  /* struct list of the struct that `rows` describes */
	F_ROW,	  /* the struct that `rows` describes, embedded */
};

struct list {
	void *v;
	size_t n;
};

struct field {
	const char *name; /* on the wire */
	enum field_type type;
	size_t offset;
	int64_t min; /* bytes of text, value of an int, items of a list */
	int64_t max;
	unsigned flags;
	const char *const *names; /* F_ENUM */
	const struct field *rows; /* F_ROWS, F_ROW */
	size_t row_size;
	const char *text;
};
#define FIELD_REQUIRED 0x01 /* in: must be there */
#define FIELD_NULLABLE                                                     \
	0x02		  /* out: null when the slice is {NULL, 0}, the id \
			   * or key is all zero, or so is the first        \
			   * field of a row */
#define FIELD_OMIT 0x04	  /* out: left out in that case */
#define FIELD_ABSENT 0x08 /* in: an int is -1 when it is absent */
/* in: over HTTP an int beyond its limits becomes the limit */
#define FIELD_CLAMP 0x10
/* It is on one door only: over HTTP, or everywhere else.  So one value has the
 * name that the clients of each expect. */
#define FIELD_REST 0x20
#define FIELD_MESH 0x40
/* in: an option may lower max. */
#define FIELD_LIMIT(l) ((unsigned)(l) << 8)
#define FIELD_LIMIT_OF(flags) ((flags) >> 8)
#define FIELD_ELEMENT 4096 /* bytes of one string in F_STRS and F_TARGET */
#define FIELD_TARGETS 1000 /* items of F_TARGET */

#define OP_ROUTES 5
struct op {
	const char *name; /* the mesh protocol's message type, metric label */
	enum scope scope;
	const char *rest[OP_ROUTES]; /* "POST /join", ..., NULL-ended */
	int rest_status;	     /* of its answer over HTTP; 0: 200 */
	const char *reply; /* type of the answer on the mesh protocol */
	unsigned flags;
	const struct field *in;
	size_t in_size;
	const struct field *out;
	void (*exec)(struct request *r, void *in);
	const char *text;
};
/* Without a request id the mesh protocol's client expects no answer. */
#define OP_QUIET 0x01
/* May begin while an earlier one of the same kind is still under way. */
#define OP_PIPELINED 0x02
/* Reached over HTTP only. */
#define OP_REST_ONLY 0x04
/* Opens the session: its failure ends the connection. */
#define OP_OPENS 0x08
/* The answer has an `id` also when the request had none. */
#define OP_ECHOES 0x10
/* Answers what others did: counted by rate.requests only where its handler
 * says so. */
#define OP_UNCOUNTED 0x20
/* For who said hello: it is about the connection, or what tokens may do. */
#define OP_SESSION 0x40
/* About a session that others see: for who said hello or came by. */
#define OP_PRESENCE 0x100
/* For who is nobody yet: nobody gets more attempts by showing a token. */
#define OP_STRANGER 0x80
/* A member that lacks its scope may have been granted it: the handler looks,
 * where request.by_grant says so. */
#define OP_GRANTABLE 0x200
/* Of what is a member's own, as what it makes by it: also for whom a back end
 * acts, with whatever scopes (grant_owns()). */
#define OP_OWN 0x800
/* For connections that stay, and hear of things. */
#define OP_HEARS 0x400

/* NULL-ended, in the order of ops.def. */
extern const struct op *const op_table[];
const struct op *op_find(const char *name, size_t n);
/* NULL, or what is wrong with the tables; the daemon does not start then. */
const char *op_check(void);

enum request_state {
	REQUEST_WAITS,
	REQUEST_RUNS,
	REQUEST_DONE
};

/* One operation that a client asked for.  Made by a protocol, answered exactly
 * once, in the order of asking. */
struct request {
	TAILQ_ENTRY(request) entry;
	struct core *core;
	struct client *client; /* NULL when the client went away */
	const struct op *op;
	const char *route; /* of it, by which this came; or NULL */
	enum request_state state;
	bool holds;    /* none may begin behind it yet */
	bool told;     /* all that others hear of it is on its way to them */
	bool by_grant; /* its scope is missing: only a grant makes it good */
	struct pool pool;
	void *in;
	void *context;		  /* the handler's own, of the pool */
	struct quota_hold *quota; /* what it took, or NULL */
	void *wire; /* the protocol's own: request id, then the answer */
	int64_t started_ms;
	size_t size;	/* bytes of what came */
	enum err error; /* of a failed one */
	char *error_text;
	struct list error_names;  /* slices: near names, candidates */
	const char *error_at;	  /* of the input: JSON pointer, or NULL */
	const char *error_reason; /* in a word, or NULL */
	/* Of what was not permitted: SCOPE_UNSET, or what is missing; and for
	 * what thing, or NULL and {NULL, 0}. */
	enum scope error_scope;
	const char *error_resource;
	struct slice error_resource_id;
	/* Of a limit that was reached: what it is, what was used, and when to
	 * try again (0: not by waiting). */
	int64_t error_limit;
	int64_t error_used;
	int64_t error_retry_ms;
	int64_t error_version; /* of ERR_VERSION_CONFLICT: the present one */
};

#define CLIENT_ADDRESS 16 /* bytes */

/* What a protocol does for core.  Each is called from core_turn() or from
 * within op_run(), never from a callback of the protocol's own. */
struct client_calls {
	/* FIELD_REST or FIELD_MESH: fields that its door does not have. */
	unsigned hides;
	/* The answer (out is NULL for an error): make it, keep it in r->wire;
	 * send it when `answer` is called. */
	void (*encode)(struct request *r, const void *out);
	void (*answer)(struct request *r);
	/* Frees r->wire of a request whose client went away. */
	void (*discard)(struct request *r);
	/* Sends an event; returns the position of its end in the output. */
	uint64_t (*push)(struct client *c, struct event *e);
	/* Calls client_written() when output reached the kernel. */
	void (*want_written)(struct client *c, bool on);
	void (*pause)(struct client *c, bool on);
	/* What became of what it follows, see follow.h. */
	void (*followed)(struct client *c, const struct id *id,
	    enum follow_state state, int64_t at);
	/* Ends the connection, after what is queued. */
	void (*close)(struct client *c, enum err why, const char *text);
	/* What stands for the peer where addresses are counted; false: it has
	 * none (a unix socket). */
	bool (*address)(const struct client *c, uint8_t out[CLIENT_ADDRESS]);
};

/* One connection, from core's side; embedded in the protocol's struct. */
struct client {
	const struct client_calls *calls;
	struct core *core;
	struct session *session; /* after hello, or its deputy's */
	struct deputy *deputy;	 /* it acts without one of its own, or NULL */
	uint64_t scopes;
	bool loopback; /* the peer is on this machine */
	bool hears;    /* it can be told of things, and has `followed` */
	bool paused;
	unsigned pending;
	struct bucket rate; /* of its requests */
	TAILQ_HEAD(, request) requests;
	LIST_HEAD(, state_watch) watches;
	struct follower *follower; /* or NULL */
	unsigned written;	   /* bits of who wants client_written() */
};

void client_init(struct client *c, struct core *core,
    const struct client_calls *calls, bool loopback);
/* The connection is gone: its session ends, its requests are forgotten when
 * they end.  returns: it was lost and may come back; else it said goodbye. */
void client_gone(struct client *c, bool returns);
/* What is under way goes on without its client: a message that was sent is
 * sent.  What has not begun never will. */
void client_forget(struct client *c);
/* Sends an event; see client_calls.push. */
uint64_t client_push(struct client *c, struct event *e);
/* The kernel has taken the output up to this position. */
void client_written(struct client *c, uint64_t pos);

/* A new request of the client's, which is answered by op.c. */
struct request *client_request(struct client *c);
void client_request_free(struct request *r);
/* Decodes what came into op->in; ERR_NONE, or an error after op_error().
 */
typedef enum err request_decode(
    struct request *r, const struct op *op, void *in, void *arg);
/* The gate: finds the operation, checks scope, quota and input, runs it in
 * its turn.  The request is answered by itself in any case. */
void op_run(struct request *r, const char *name, size_t n,
    request_decode *decode, void *arg);
/* It came by HTTP, with the names and the defaults of REST. */
bool op_is_rest(const struct request *r) MUST_CHECK;
/* How many a list gives: its limit, or without one (0) a page; over REST the
 * most that there may be, as many of its clients know of no pages. */
int64_t op_page(const struct request *r, int64_t limit, int64_t page,
    int64_t most) MUST_CHECK;
/* A request of the client's does not hold back the others any more. */
void op_go_on(struct client *c);
/* A request that is no operation, refused in its turn.  fmt NULL: the error's
 * own sentence, here and in op_fail(). */
void op_refuse(struct request *r, enum err e, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* The same of one that is answered with nothing. */
void op_nothing(struct request *r);
/* Sets the text of an error; returns e. */
enum err op_error(struct request *r, enum err e, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* The two ways in which a handler ends; the request is gone afterwards. */
void op_reply(struct request *r, const void *out);
void op_fail(struct request *r, enum err e, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Fails a request for which a member has neither this scope nor a grant;
 * resource: of what kind the thing is ("channel"), as grants have it. */
void op_deny(struct request *r, enum scope scope, const char *resource,
    const struct id *resource_id);
/* op_fail() for a database result that is not DB_OK; true then. */
bool op_db_failed(struct request *r, const struct db_result *res);
/* op_fail() for a request whose client, or its session, left while something
 * was asked for it; true then.  Whoever goes on with either asks this first. */
bool op_left(struct request *r) MUST_CHECK;

/*
 * token_text.c, token.c: tokens; token.h has what only core needs of them.
 */
#define TOKEN_LEN 52
#define TOKEN_KEY_NAME_LEN 8
void token_make(char text[TOKEN_LEN + 1]);
/* What is stored of one; and what the key for that is known by. */
void token_digest(uint8_t out[CRYPTO_DIGEST_LEN], struct slice text,
    const uint8_t key[CRYPTO_KEY_LEN]);
void token_key_name(
    uint8_t out[TOKEN_KEY_NAME_LEN], const uint8_t key[CRYPTO_KEY_LEN]);
/* Bits of scopes by their names, and of what they include.  *wrong: n, or the
 * first that is none. */
uint64_t token_scopes(const struct slice *names, size_t n, size_t *wrong);
/* All that a member of this role can give to a token. */
uint64_t token_scopes_of(struct slice role);
/* In the order of scopes.def, without those that another one includes; returns
 * how many. */
size_t token_scope_names(uint64_t scopes, struct slice v[SCOPE_MAX]);
/* The client, which has calls->address, showed this text: it acts for the
 * token's member, with the token's scopes, and fn is called, at once or later;
 * or the request is refused.  A client for each request: nothing tells it that
 * the token was revoked. */
typedef void token_fn(struct request *r);
void token_enter(struct request *r, struct slice text, token_fn *fn);
/* A client that acts for a token's member hears that a key of state was changed
 * by somebody else, or, where s is NULL, that a message may wait for it. */
typedef void deputy_news(struct client *c, const struct state_change *s);
void deputy_watch(struct client *c, deputy_news *fn);
/* Of such a client that has come by: its token; as whom it acts, and where. */
struct deputy_who {
	struct id token;
	struct id mesh_id;
	struct id member_id;
	struct slice name; /* of its session */
	uint8_t key[CRYPTO_KEY_LEN];
	struct slice member_name;
	uint8_t member_key[CRYPTO_KEY_LEN];
	struct slice mesh; /* slug */
};
void deputy_who(const struct client *c, struct deputy_who *out);
/* A key for one use, which all hosts have that have the key of tokens. */
void token_key_for(
    const struct core *c, const char *use, uint8_t out[CRYPTO_KEY_LEN]);
/* After a lease: tells other hosts the key, and the log if theirs differs. */
void token_key_say(struct core *c);

/*
 * event.c: what goes over the bus and, once encoded for each protocol, to the
 * clients.
 */
#define EVENT_WIRES 4
struct event_wire {
	void *data;
	void (*free)(void *data);
};

/* What few messages have; handed on as it came. */
struct message_more {
	struct slice client_id; /* as client_message_id */
	struct slice fingerprint;
	struct slice reply_to;
	enum subtype subtype;
	struct slice files; /* JSON, made by file_attach.c */
};

struct message {
	struct id id;
	struct id mesh;
	struct id sender_member;
	uint8_t sender_key[CRYPTO_KEY_LEN];
	uint8_t sender_member_key[CRYPTO_KEY_LEN];
	struct slice sender_name;
	struct slice target;
	enum priority priority;
	struct slice nonce;
	struct slice ciphertext;
	int64_t created_ms;
	int64_t expires_ms;
	const struct message_more *more; /* NULL when all of it is empty */
};

struct state_change {
	struct id mesh;
	struct slice key;
	struct slice value; /* {NULL, 0}: the key was deleted */
	int64_t version;
	struct slice by_name;
	struct id by_session;
	struct id by_member;
	int64_t updated_ms;
};

/* What others are told of a session; announce.c. */
enum peer_change_kind {
	PEER_JOINED,
	PEER_RETURNED,
	PEER_LEFT,
	PEER_VISIBLE,
	PEER_HIDDEN
};
extern const char *const table_peer_changes[];

struct peer_change {
	enum peer_change_kind kind;
	struct id id; /* of this change */
	const struct session_info *peer;
	int64_t at_ms;
};

/* Something to push, shared by all who get it: each protocol encodes it once
 * and keeps the result in its own wire. */
struct event {
	enum event_type type; /* _DELIVER, _STATE, _SESSION, _ENTRY, _NOTICE */
	union {
		const struct message *message;
		const struct state_change *state;
		const struct peer_change *peer;
		const struct entry *entry;
		const struct notice *notice;
	};
	struct event_wire wire[EVENT_WIRES];
};
void event_init(struct event *e, enum event_type type, const void *what);
void event_fini(struct event *e);

/* What few sessions say of themselves; empty: nothing. */
struct session_more {
	struct slice role; /* in free words, not its member's */
	struct slice channel;
	struct slice profile; /* JSON, made by profile.c */
	struct slice stats;
};

/* The bus process that a session's ref names. */
#define SESSION_REF_PROC(ref) ((unsigned)((ref) >> 56))

/* A session as the bus and the database tell of it. */
struct session_info {
	struct id id;
	struct id mesh;
	struct id member;
	struct id host;
	uint64_t ref;
	uint8_t key[CRYPTO_KEY_LEN]; /* zero: has none */
	uint8_t member_key[CRYPTO_KEY_LEN];
	uint8_t proc; /* bus process that has it, or that leads to its host */
	uint8_t status;
	uint8_t source;
	bool control;
	bool acks;
	bool live;
	bool hidden; /* not shown to others, and in no multicast */
	int64_t connected_ms;
	int64_t seen_ms;   /* when it was here before that; 0: never */
	int64_t active_ms; /* when it last asked for something */
	int64_t pid;
	struct slice name;
	struct slice name_folded;
	struct slice member_name;
	struct slice role;
	struct slice client_session;
	struct slice cwd;
	struct slice hostname;
	struct slice peer_type;
	struct slice model;
	struct slice summary;		 /* {NULL, 0}: none */
	struct slice *groups;		 /* name, role, name, role ... */
	size_t ngroups;			 /* pairs */
	const struct session_more *more; /* NULL when all of it is empty */
};

/* Each publishes one record, to the processes that its row of events.def
 * names. */
void event_session(struct core *c, const struct session_info *s);
void event_gone(struct core *c, const struct id *mesh, const struct id *id,
    uint64_t ref, bool returns);
struct delivery_to {
	uint64_t ref;
	struct id id;	/* the session's */
	bool member;	/* the recipient is its member, not the session */
	uint32_t place; /* in the crowd of its process, or 0 */
};
/* For sessions of one host, which procs have or lead to.  stored: it is in the
 * database; else this process puts it there soon.  A message that is too large
 * for the bus must be stored: they are told to read it. */
void event_deliver(struct core *c, const struct message *m,
    const struct id *host, const struct delivery_to *to, size_t n,
    uint64_t procs, bool stored);
void event_nudge(
    struct core *c, const struct id *mesh, const struct id *recipient);
void event_state(struct core *c, const struct state_change *s);
void event_schedule(struct core *c, const struct id *mesh, int64_t due_ms);
/* jobs wants what event_schedule() tells. */
void event_want_schedules(struct core *c);
/* All of the mesh (NULL: of every mesh) shall read the database. */
void event_reload(struct core *c, const struct id *mesh);
/* The relay shall know that this host serves the mesh. */
void event_serves(struct core *c, const struct id *mesh);
void event_status(struct core *c, unsigned proc, const struct id *host,
    const struct id *mesh, const struct id *session, enum status status);
/* why: ERR_NONE, or why its sessions that began before at_ms have to end. */
void event_member(struct core *c, const struct id *mesh,
    const struct id *member, enum err why, int64_t at_ms, struct slice reason);
void event_kick(struct core *c, const struct session_info *s, enum err why,
    int64_t before_ms, struct slice reason);
void event_entry(struct core *c, const struct entry *e);
void event_notice(struct core *c, const struct notice *n);
/* jobs wants what event_entry() tells of any mesh. */
void event_want_entries(struct core *c);
void event_block(struct core *c, const struct id *mesh, const struct id *member,
    const struct id *other, unsigned what, int64_t version);
/* A program that has no place on the bus changed a mesh ("MESH", in hex) or a
 * member ("MESH MEMBER"): tells this host's processes.  False: malformed. */
bool event_changed(struct core *c, const char *text);
/* The same for a session that has to end: "MESH SESSION REF REASON".  Each host
 * tells its own processes, of which one may have it. */
bool event_kicked(struct core *c, const char *text);
/* Applies a record from the bus.  Malformed ones are logged and dropped. */
void event_receive(
    struct core *c, unsigned from, uint16_t type, const char *p, size_t n);

/*
 * event_relay.c: what the relay has to know of records.
 */
/* Changes with the layout of records and the order of bytes in them. */
uint8_t event_format(void);
/* The host that a record is for; false: it is for all that serve its mesh. */
bool event_host(uint16_t type, const char *p, size_t n, struct id *host);
/* Calls fn with records of at most max bytes (at least 256) that do for one
 * that is larger: what they refer to is read from the database. */
typedef void event_part_fn(void *arg, uint16_t type, const char *p, size_t n);
void event_refer(uint16_t type, const char *p, size_t n, size_t max,
    event_part_fn *fn, void *arg);

/*
 * core.c: the context of one process.
 */
/* Work that would hold up the loop.  It is of who asked for it until done is
 * called, in the loop; work may run beside it, and touches nothing else. */
struct core_job {
	STAILQ_ENTRY(core_job) entry;
	void (*work)(struct core_job *job);
	void (*done)(struct core_job *job);
};

struct core {
	struct core_limits limits;
	struct id host;
	struct id incarnation;
	char host_name[65];
	unsigned proc;
	struct bus *bus;
	struct db *reads;
	struct db *writes;
	struct db *marks;   /* writes: sessions and deliveries */
	struct db *journal; /* writes: channels */
	bool up;	    /* all connections work */
	bool looked;	    /* at the bus, in this turn */
	void (*db_state)(void *arg, bool up);
	void *arg;
	/* What becomes of a bus record: event_receive(), but for the relay. */
	void (*receive)(struct core *c, unsigned from, uint16_t type,
	    const char *p, size_t n);
	/* What becomes of a loss of records: all meshes are read again. */
	void (*lost)(struct core *c);
	uint64_t *counters; /* by enum metric */
	struct hash meshes;
	struct hash hook_rates;
	struct session **slots; /* by the slot of their ref */
	size_t nslots;
	size_t free_slot; /* where to look for a free one */
	uint32_t generation;
	uint64_t sessions;
	TAILQ_HEAD(, ending) endings; /* sessions whose end is not stored */
	unsigned relay; /* bus process that leads to other hosts */
	LIST_HEAD(, session) busy;
	TAILQ_HEAD(, outbox) late; /* whose drain was put off */
	size_t nlate;
	struct hash followed; /* channels and meshes */
	LIST_HEAD(, follow) put_off;
	LIST_HEAD(, permission_waiter) waiters;
	LIST_HEAD(, follow_wait) waits;
	LIST_HEAD(, follow_wait) woken;
	struct hash durable_waits; /* for chunks, by stream */
	LIST_HEAD(, durable_wait) durable_waiting;
	struct overtaken *overtaken; /* NULL: no drain brought anything yet */
	TAILQ_HEAD(, multicast) multicasts; /* pushed, not recorded yet */
	int64_t recorded_ms;		    /* when the last of them was */
	TAILQ_HEAD(crowd_list, crowd) crowds;
	struct audience {
		struct id id;
		int64_t until_ms; /* the database has it for certain */
	} audiences[256];
	TAILQ_HEAD(, crowd) dirty_crowds;   /* that have something to say */
	TAILQ_HEAD(, kick) kicks;	    /* waiting for other processes */
	struct hash rates;		    /* buckets of rate.c */
	int64_t rates_ms;		    /* when they were looked at */
	struct schedules *schedules;	    /* in jobs, else NULL */
	struct units *units;		    /* in jobs, else NULL */
	uint32_t sweeping;		    /* what upkeep.c is cleaning */
	struct audit_keys audit_keys;	    /* the first is this server's */
	uint8_t audit_seed[CRYPTO_KEY_LEN]; /* of that, in jobs */
	struct audit_job *audit_job;	    /* a checkpoint on its way */
	LIST_HEAD(, deputy) deputies;	    /* that are over */
	LIST_HEAD(, deputy) visiting; /* clients with a visitor's session */
	LIST_HEAD(, deputy) nudged;   /* of those, who is to hear of it */
	LIST_HEAD(, deputy) watched;  /* whose tokens are looked at */
	struct tokens *tokens;
	uint8_t file_key[CRYPTO_KEY_LEN]; /* of links, see file.h */
	uint8_t visitor_key[CRYPTO_KEY_LEN];
	uint8_t platform[CRYPTO_DIGEST_LEN];
	LIST_HEAD(, file_watch) transfers; /* under way, see file.h */
	TAILQ_HEAD(, file_claim) unclaims; /* that the database shall hear */
	int64_t transfers_ms;		   /* when they were looked at */
	struct file_jobs *file_jobs;	   /* in jobs, else NULL */
	struct webhooks *webhooks;	   /* in jobs, else NULL */
	struct file_repair *file_repair;   /* in jobs, else NULL */
	const struct storage *storage;	   /* NULL: there is none */
	void *storage_arg;
	/* Does a job beside the loop; false: too many wait.  NULL: there is
	 * nothing beside it, and jobs are done in it. */
	bool (*beside)(void *arg, struct core_job *job);
	void *beside_arg;
	/* Told of what passes; NULL: nobody looks on.  Gets arg. */
	void (*trace)(void *arg, const struct trace *t);
};

struct core_config {
	struct event_base *base;
	const char *conninfo;
	const char *name; /* of the database connections */
	struct bus *bus;
	unsigned relay;
	struct id host;
	struct id incarnation;
	const char *host_name;
	const uint8_t *token_key;     /* CRYPTO_KEY_LEN bytes */
	struct audit_keys audit_keys; /* live as long as core */
	const uint8_t *audit_seed;    /* CRYPTO_KEY_LEN bytes */
	const uint8_t *platform; /* CRYPTO_DIGEST_LEN bytes; see principal.h */
	const struct core_limits *limits;
	void (*db_state)(void *arg, bool up);
	void *arg;
};
struct core *core_new(const struct core_config *config);
void core_free(struct core *c);
/* Handles bus records; true when there may be more. */
bool core_read(struct core *c);
/* The same, once a turn. */
void core_look(struct core *c);
/* After the output of the turn was written: records and flushes. */
void core_turn(struct core *c);
/* Once a second. */
void core_tick(struct core *c);
/* A metric over all processes. */
uint64_t core_metric(struct core *c, enum metric m);
#define core_count(c, m) ((c)->counters[METRIC_##m]++)

/* Parts of this face. */
#include "core/durable_page.h"
#include "core/entry.h"
#include "core/file.h"
#include "core/notice.h"
#include "core/follow.h"
#include "core/principal.h"
#include "core/trace.h"
#include "core/upkeep.h"
#include "core/visitor.h"
#include "core/webhook.h"

#endif
