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

/*
 * Tables: errors.def, scopes.def, metrics.def, events.def.
 */
enum err {
	ERR_NONE,
#define ERR(id, name, http, rpc, status, close, text) ERR_##id,
#include "core/errors.def"
#undef ERR
	ERR_MAX
};

struct err_desc {
	const char *name;
	int http;
	int rpc;
	int exit;
	int close;
	const char *text;
};
extern const struct err_desc table_errors[ERR_MAX];

enum scope {
	SCOPE_UNSET,
#define SCOPE(id, name, text) SCOPE_##id,
#include "core/scopes.def"
#undef SCOPE
	SCOPE_MAX
};
#define SCOPE_BIT(s) (UINT32_C(1) << (s))
extern const char *const table_scopes[SCOPE_MAX];

enum metric {
#define METRIC(id, name, type, label, text) METRIC_##id,
#include "core/metrics.def"
#undef METRIC
	METRIC_MAX
};

enum metric_type {
	METRIC_TYPE_COUNT,
	METRIC_TYPE_GAUGE
};
struct metric_desc {
	const char *name;
	enum metric_type type;
	const char *label;
	const char *text;
};
extern const struct metric_desc table_metrics[METRIC_MAX];

enum event_type {
	EVENT_UNSET,
#define EVENT(id, noun, to, text) EVENT_##id,
#include "core/events.def"
#undef EVENT
	EVENT_MAX
};
extern const char *const table_events[EVENT_MAX];

enum priority {
	PRIORITY_LOW,
	PRIORITY_NEXT,
	PRIORITY_NOW
};
extern const char *const table_priorities[]; /* by enum, NULL-ended */
enum status {
	STATUS_IDLE,
	STATUS_WORKING,
	STATUS_DND
};
extern const char *const table_statuses[];
/* Who said so; a higher one is not overruled by a lower one while fresh. */
enum status_source {
	SOURCE_NONE,
	SOURCE_MANUAL,
	SOURCE_HOOK
};
enum delivery {
	DELIVERY_QUEUED,
	DELIVERY_PUSHED,
	DELIVERY_ACKED,
	DELIVERY_EXPIRED
};
extern const char *const table_deliveries[];

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
#define FIELD_NULLABLE                                                      \
	0x02		   /* out: null when the slice is {NULL, 0}, the id \
			    * or key is all zero */
#define FIELD_OMIT 0x04	   /* out: left out in that case */
#define FIELD_ELEMENT 4096 /* bytes of one string in F_STRS and F_TARGET */

struct op {
	const char *name; /* the mesh protocol's message type, metric label */
	enum scope scope;
	const char *rest;  /* "POST /join" or NULL */
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
	enum request_state state;
	bool holds; /* none may begin behind it yet */
	struct pool pool;
	void *in;
	void *context; /* the handler's own, of the pool */
	void *wire;    /* the protocol's own: request id, then the answer */
	int64_t started_ms;
	enum err error; /* of a failed one */
	char *error_text;
	struct list error_names; /* slices: near names, candidates */
};

/* What a protocol does for core.  Each is called from core_turn() or from
 * within op_run(), never from a callback of the protocol's own. */
struct client_calls {
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
	/* Ends the connection, after what is queued. */
	void (*close)(struct client *c, enum err why, const char *text);
};

/* One connection, from core's side; embedded in the protocol's struct. */
struct client {
	const struct client_calls *calls;
	struct core *core;
	struct session *session; /* after hello */
	uint32_t scopes;
	bool loopback; /* the peer is on this machine */
	bool paused;
	unsigned pending;
	TAILQ_HEAD(, request) requests;
};

void client_init(struct client *c, struct core *core,
    const struct client_calls *calls, bool loopback);
/* The connection is gone: its session ends, its requests are forgotten when
 * they end.  returns: it was lost and may come back; else it said goodbye. */
void client_gone(struct client *c, bool returns);
/* What is under way goes on without its client: a message that was sent is
 * sent.  What has not begun never will. */
void client_forget(struct client *c);
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
/* A request of the client's does not hold back the others any more. */
void op_go_on(struct client *c);
/* A request that is no operation, refused in its turn.  fmt NULL: the error's
 * own sentence, here and in op_fail(). */
void op_refuse(struct request *r, enum err e, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Sets the text of an error; returns e. */
enum err op_error(struct request *r, enum err e, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* The two ways in which a handler ends; the request is gone afterwards. */
void op_reply(struct request *r, const void *out);
void op_fail(struct request *r, enum err e, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* op_fail() for a database result that is not DB_OK; true then. */
bool op_db_failed(struct request *r, const struct db_result *res);

/*
 * event.c: what goes over the bus and, once encoded for each protocol, to the
 * clients.
 */
#define EVENT_WIRES 4
struct event_wire {
	void *data;
	void (*free)(void *data);
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
};

struct state_change {
	struct id mesh;
	struct slice key;
	struct slice value;
	int64_t version;
	struct slice by_name;
	struct id by_session;
	int64_t updated_ms;
};

/* Something to push, shared by all who get it: each protocol encodes it once
 * and keeps the result in its own wire. */
struct event {
	enum event_type type; /* EVENT_DELIVER or EVENT_STATE */
	union {
		const struct message *message;
		const struct state_change *state;
	};
	struct event_wire wire[EVENT_WIRES];
};
void event_init(struct event *e, enum event_type type, const void *what);
void event_fini(struct event *e);

/* A session as the bus and the database tell of it. */
struct session_info {
	struct id id;
	struct id mesh;
	struct id member;
	uint64_t ref;
	uint8_t key[CRYPTO_KEY_LEN]; /* zero: has none */
	uint8_t member_key[CRYPTO_KEY_LEN];
	uint8_t proc; /* bus process that has it, or that leads to its host */
	uint8_t status;
	uint8_t source;
	bool control;
	bool acks;
	bool live;
	int64_t connected_ms;
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
	struct slice summary; /* {NULL, 0}: none */
	struct slice *groups; /* name, role, name, role ... */
	size_t ngroups;	      /* pairs */
};

/* Each publishes one record, to the processes that its row of events.def
 * names. */
void event_session(struct core *c, const struct session_info *s);
void event_gone(struct core *c, const struct id *mesh, const struct id *id,
    uint64_t ref, bool returns);
struct delivery_to {
	uint64_t ref;
	uint32_t check; /* session_check() of the session */
	bool member;	/* the recipient is its member, not the session */
};
/* False: the message is too large for the bus, nobody was told.  stored: it
 * is in the database; else this process puts it there soon. */
bool event_deliver(struct core *c, const struct message *m,
    const struct delivery_to *to, size_t n, uint64_t procs, bool stored);
void event_nudge(
    struct core *c, const struct id *mesh, const struct id *recipient);
void event_state(struct core *c, const struct state_change *s);
/* All of the mesh (NULL: of every mesh) shall read the database. */
void event_reload(struct core *c, const struct id *mesh);
void event_status(struct core *c, unsigned proc, const struct id *mesh,
    const struct id *session, enum status status);
/* Applies a record from the bus.  Malformed ones are logged and dropped. */
void event_receive(
    struct core *c, unsigned from, uint16_t type, const char *p, size_t n);

/*
 * roster.c: who is in a mesh.  Indexes by id, key, member, name and group;
 * nothing is found by walking.
 */
struct roster_set; /* the sessions that share a member or a group */
struct roster_link {
	LIST_ENTRY(roster_link) entry; /* among the set's */
	struct roster_set *set;
	struct session *session;
};
LIST_HEAD(roster_links, roster_link);
struct roster_set {
	struct hash_entry hash;
	struct hash *in;
	struct roster_links links;
	size_t count;
	struct hash_entry alias; /* of a member's set: its public key */
	char key[];
};

struct session {
	struct session_info info; /* its slices point into texts */
	char *texts;
	struct mesh *mesh;
	struct hash_entry by_id;
	struct hash_entry by_key;
	struct roster_link by_member;
	struct hash_entry by_name;
	struct roster_link *groups;
	size_t ngroups;		    /* those above its own included */
	TAILQ_ENTRY(session) entry; /* in the mesh, by time of connecting */
	LIST_ENTRY(session) local;  /* in the mesh, those of this process */
	TAILQ_ENTRY(session) gone;  /* in the mesh, those that may return */
	LIST_ENTRY(session) busy;   /* in core, those whose status expires */
	int64_t ended_ms;	    /* of one that is not live */
	int64_t status_ms;	    /* when the status was last confirmed */
	uint64_t mark;		    /* against collecting it twice */
	uint64_t load;		    /* the loading that last confirmed it */
	bool is_busy;
	bool dirty;	       /* changed, and not written down */
	struct client *client; /* NULL: another process has it */
	struct outbox *outbox; /* messages under way, or NULL */
	struct recent *recent; /* what it sent lately, or NULL */
};

struct roster {
	struct hash by_id;
	struct hash by_key;
	struct hash members;
	struct hash member_keys;
	struct hash names;
	struct hash groups;
	TAILQ_HEAD(, session) sessions;
	TAILQ_HEAD(, session) gone; /* by the time they ended */
	LIST_HEAD(, session) locals;
	size_t live;
	uint64_t mark;
};

void roster_init(struct roster *r);
void roster_fini(struct roster *r);
/* Adds it, or changes it to what info says; info is copied. */
struct session *roster_put(struct roster *r, const struct session_info *info);
void roster_remove(struct roster *r, struct session *s);
/* It is not connected any more, but may return. */
void roster_end(struct roster *r, struct session *s, int64_t now_ms);
/* Removes those that ended before a time and are not under a client. */
void roster_forget(struct roster *r, int64_t before_ms);
struct session *roster_by_id(const struct roster *r, const struct id *id);
struct session *roster_by_key(
    const struct roster *r, const uint8_t key[CRYPTO_KEY_LEN]);
/* NULL when nobody; the sets live as long as they have sessions. */
struct roster_set *roster_member(
    const struct roster *r, const struct id *member);
struct roster_set *roster_member_key(
    const struct roster *r, const uint8_t key[CRYPTO_KEY_LEN]);
/* A session with this name, as str_fold() writes it, and the next one. */
struct session *roster_name(
    const struct roster *r, const char *folded, size_t n);
struct session *roster_name_next(const struct session *s);
/* Those in the group or in one below it ("a" has those of "a/b"). */
struct roster_set *roster_group(
    const struct roster *r, const char *name, size_t n);
/* A new mark: sessions whose mark equals it were collected already. */
uint64_t roster_mark(struct roster *r);
/* The session of a member that shall get a message to the member: idle before
 * working before dnd, then the one that was active last, and `from` itself
 * only when there is no other; NULL when none that is connected takes
 * messages. */
struct session *roster_best(const struct roster_set *member,
    enum priority priority, const struct session *from);
/* Does the status let such a message through?  design.md, promise 8. */
bool roster_admits(enum status status, enum priority priority);

/*
 * mesh.c: the meshes that this process serves.
 */
struct mesh {
	struct hash_entry by_id;
	struct core *core;
	struct id id;
	struct roster roster;
	bool loaded;
	bool loading;
	bool stale;	/* what is being loaded is too old: load again */
	uint64_t load;	/* number of the present loading */
	unsigned users; /* clients and requests that need it */
	int64_t unused_ms;
	int64_t state_ms;     /* the newest state change seen */
	struct hash versions; /* newest version pushed, by state key */
	struct hash graves;   /* sessions that ended lately, by id */
	TAILQ_HEAD(graves, grave) buried; /* the same, by time */
	TAILQ_HEAD(, mesh_wait) waits;
};
typedef void mesh_fn(void *arg, struct mesh *m);
/* Calls fn when the roster is loaded: at once, or later; with NULL when the
 * database does not answer.  The caller owes mesh_put(). */
void mesh_get(struct core *c, const struct id *id, mesh_fn *fn, void *arg);
void mesh_put(struct mesh *m);
/* The mesh if this process serves it now, loaded or not. */
struct mesh *mesh_find(struct core *c, const struct id *id);
/* Loads the roster again (events were lost), then drains every session. */
void mesh_reload(struct mesh *m);
/* Frees meshes unused for a while, and forgets sessions past their lease. */
void mesh_tick(struct core *c);
/* Frees all of them; the clients are gone. */
void mesh_free_all(struct core *c);

/*
 * session.c: from hello to the end of the connection.
 */
/* A ref for a session that is about to be opened, or given back. */
uint64_t session_reserve(struct core *c);
void session_release(struct core *c, uint64_t ref);
/* The database opened it: the client speaks for it from now on.  The mesh
 * stays in use until it ends. */
struct session *session_enter(
    struct mesh *m, const struct session_info *info, struct client *client);
/* Writes down that a session is over, tells the others; the roster is not
 * touched. */
void session_ended(
    struct core *c, const struct session_info *info, bool returns);
/* The client's session is over. */
void session_end(struct client *c, bool returns);
/* The session of this process with this ref, or NULL.  A ref names a
 * connection's hold on a session: bus process, generation, slot. */
struct session *session_by_ref(const struct core *c, uint64_t ref);
/* Refs of two hosts may be equal; together with this they are not. */
uint32_t session_check(const struct id *id);
#define SESSION_REF_PROC(ref) ((unsigned)((ref) >> 56))
/* The roster entry changed: writes it down, tells the others, and then answers
 * the request, if there is one, with out, which is of its pool. */
void session_changed(struct session *s, struct request *r, void *out);
/* Forgets the ends that could not be stored: the process ends itself. */
void session_close(struct core *c);
/* Forgets who ended before a time (clock_mono()). */
void session_forget(struct mesh *m, int64_t before_ms);
/* Writes down what could not be written while the database was away. */
void session_catch_up(struct core *c);
/* What the roster has of a session is newer than this. */
bool session_is_newer(const struct session *s, const struct session_info *info);
/* Another process (or this one) says what a session is now, or that it is
 * gone. */
void session_told(struct core *c, const struct session_info *info);
void session_told_gone(struct core *c, const struct id *mesh,
    const struct id *id, uint64_t ref, bool returns);

/*
 * target.c: who is meant.
 */
struct recipient {
	struct id id;
	bool member;	  /* id is a member's, of whom any session will do */
	uint64_t ref;	  /* the connected session that shall have it, or 0 */
	struct id holder; /* its id */
	uint8_t proc;	  /* where it is */
	bool admits;	  /* its status lets the message through */
	bool behind; /* older messages are before this one in its backlog */
};
struct target {
	struct recipient *v;
	size_t n;
	size_t cap;
	bool multicast; /* nothing but groups, @all and * */
};
typedef void target_fn(struct request *r, struct target *t);
/* Resolves the targets of a message from a session; each recipient once.
 * Calls fn at once or later, or fails the request.  The memory is the
 * request's. */
void target_resolve(struct request *r, const struct list *targets,
    enum priority priority, target_fn *fn);

/*
 * message.c: send and message_status.  delivery.c: what is under way to the
 * sessions of this process.
 */
/* Is a message in the database? */
enum stored {
	STORED,
	STORED_SOON, /* another process is putting it there */
	STORED_HERE, /* this one will, at the end of the turn */
};
/* A message for a session of this process: pushed, or left to the drain. */
void delivery_offer(struct session *s, const struct id *recipient,
    const struct message *m, struct event *e, enum stored stored);
/* The output reached the kernel up to pos. */
void delivery_written(struct session *s, uint64_t pos);
/* The client acked. */
void delivery_ack(struct session *s, const struct id *message);
/* Pushes what waits in the database, as far as the status allows. */
void delivery_drain(struct session *s);
/* Something may wait for a member or a session. */
void delivery_nudge(struct mesh *m, const struct id *recipient);
/* The session is over: gives back what it held. */
void delivery_fini(struct session *s);
/* Once a second: drains that were put off. */
void delivery_tick(struct core *c);

/*
 * A multicast is pushed before it is stored; these carry what became of it in
 * this turn into its rows.  *behind: it has to wait for older ones.
 */
enum delivery delivery_now(
    struct session *s, const struct id *message, bool *behind);
/* From now on marks may follow: the row was put down. */
void delivery_recorded(struct session *s, const struct id *message);
/* Stores the multicasts of the turn. */
void message_record(struct core *c);

/*
 * group.c: groups of a session.
 */
/* name, role, name, role ...: are the names good, distinct, and not too many?
 * Else the error, with its text in the request. */
enum err group_check(struct request *r, const struct slice *groups, size_t n);

/*
 * presence.c: status, summary, groups, peers, hooks.
 */
/* A hook says so: sets the status unless the session wants peace. */
void presence_hook(struct session *s, enum status status);
/* A session is there: watches a status that it came with. */
void presence_opened(struct session *s);
/* Once a second: a status that nobody confirmed becomes idle. */
void presence_tick(struct core *c);

/*
 * hook.c: forgets the rates of callers that were quiet.
 */
void hook_tick(struct core *c);
void hook_close(struct core *c);

/*
 * state.c: shared state.
 */
void state_told(struct core *c, const struct state_change *s);
/* Frees what a mesh remembers of versions. */
void state_forget(struct mesh *m);
/* Pushes what changed since m->state_ms (events were lost). */
void state_catch_up(struct mesh *m);

/*
 * upkeep.c: what jobs does, by statements that any number of hosts may run.
 */
void upkeep_reap(struct core *c, const struct id *live, size_t n);
void upkeep_hosts(struct core *c);
void upkeep_due(struct core *c);
void upkeep_lease(struct core *c);
void upkeep_clean(struct core *c);
void upkeep_depth(struct core *c);

/*
 * core.c: the context of one process.
 */
struct core_limits {
	int64_t hold_ms;
	int64_t keep_ms;
	int64_t ack_ms;
	int64_t lease_ms;
	int64_t status_ms;
	int64_t clock_ms;
	int64_t request_ms;
	int64_t sessions;
	int64_t output; /* bytes */
	int64_t unacked;
	int64_t pending;
	int64_t targets;
	int64_t groups;
	int64_t hook_rate; /* per minute */
	bool hook_loopback;
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
	struct db *marks; /* writes: sessions and deliveries */
	bool up;	  /* all connections work */
	bool looked;	  /* at the bus, in this turn */
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
	TAILQ_HEAD(, multicast) multicasts; /* pushed, not recorded yet */
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

#endif
