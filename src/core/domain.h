/* SPDX-License-Identifier: ISC */
/*
 * domain: what the files of core share with each other and with nobody else:
 * the roster of a mesh, its sessions, what is under way to them, and the rules
 * that hold for them.
 */
#ifndef CORE_DOMAIN_H
#define CORE_DOMAIN_H

#include "core/core.h"
#include "core/token.h"

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
	uint8_t belief;	 /* what its peers here were told; announce.c */
	int64_t used_ms; /* a visitor: its last use we heard of; 0: none */
	LIST_HEAD(, deputy) visits; /* clients of it here; visitor.c */
	bool reading;		    /* what the database has of it */
	bool hears; /* its client understands what is told of peers */
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
	TAILQ_HEAD(roster_gone, session) gone; /* by the time they ended */
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
/* One that ended before a time, or NULL. */
struct session *roster_ended(const struct roster *r, int64_t before_ms);
/* What few sessions say, of more: NULL when that is nothing. */
const struct session_more *roster_more(const struct session_more *more);
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
 * role.c: what members may do.
 */
/* ROLE_MEMBER for every other name. */
enum member_role role_find(struct slice name);
/* Of the sessions of a member with this role. */
uint64_t role_scopes(struct slice name);

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
	unsigned loads; /* in the second since loads_ms */
	int64_t loads_ms;
	unsigned users;		      /* clients and requests that need it */
	LIST_HEAD(, deputy) watching; /* deputies that want news of it */
	int64_t unused_ms;
	int64_t since_ms;     /* clock_mono(): it is told of what happens */
	int64_t state_ms;     /* the newest state change seen */
	struct hash versions; /* newest version pushed, by state key */
	TAILQ_HEAD(, state_version) deleted; /* of those, by time */
	struct hash blocks;		     /* by the two members; block.c */
	struct hash quotas;		     /* by what is counted; quota.c */
	int64_t max[QUOTA_MAX]; /* what it may hold, 0: as configured */
	uint64_t told;		/* how often members changed; member.c */
	struct hash graves;	/* sessions that ended lately, by id */
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
/* Drains every session and loads the roster again: events were lost. */
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
/* The roster of the mesh has it now, as info says.  A connection of it that
 * this process has is closed.  Nobody is told. */
struct session *session_put(struct mesh *m, const struct session_info *info);
/* The lease is over, or nobody knows of it any more. */
void session_remove(struct session *s);
/* The database opened it: the client speaks for it from now on.  The mesh
 * stays in use until it ends. */
struct session *session_enter(
    struct mesh *m, const struct session_info *info, struct client *client);
/* Writes down that a session is over, tells the others; the roster is not
 * touched. */
void session_ended(
    struct core *c, const struct session_info *info, bool returns);
/* The session is not its client's any more: the connection goes.  The roster
 * is not touched. */
void session_drop(struct session *s, enum err why);
/* The client's session is over. */
void session_end(struct client *c, bool returns);
/* The session of this process with this ref, or NULL.  A ref names a
 * connection's hold on a session: bus process, generation, slot. */
struct session *session_by_ref(const struct core *c, uint64_t ref);
/* The roster entry changed: writes it down, tells the others, and then answers
 * the request, if there is one, with out, which is of its pool. */
void session_changed(struct session *s, struct request *r, void *out);
/* Ends a session of this process: its client is told why, and how its close
 * code says whether it may come back. */
void session_expel(struct session *s, enum err why, struct slice reason);
/* Its member has another role now; nobody is told. */
void session_set_role(struct session *s, struct slice role);
/* Forgets the ends that could not be stored: the process ends itself. */
void session_close(struct core *c);
/* Forgets who ended before a time (clock_mono()). */
void session_forget(struct mesh *m, int64_t before_ms);
/* Writes down what could not be written while the database was away. */
void session_catch_up(struct core *c);
/* What the roster has of a session is newer than this. */
bool session_is_newer(const struct session *s, const struct session_info *info);
/* This hold of it, or a later one, is over: what was read is older. */
bool session_is_buried(
    const struct mesh *m, const struct session_info *info, bool *returns);
/* Another process (or this one) says what a session is now, or that it is
 * gone. */
void session_told(struct core *c, const struct session_info *info);
void session_told_gone(struct core *c, const struct id *mesh,
    const struct id *id, uint64_t ref, bool returns);

/*
 * session_row.c: what the database has of a session.  The texts are good until
 * another row is read.
 */
struct session_row {
	struct session_info info;
	struct session_more more;
	int64_t ended_ms; /* 0: it has not */
	bool revoked;	  /* its member */
	bool banned;
	struct slice reason;
};
void session_row(struct session_row *out, const struct core *c,
    const struct id *mesh, const struct db_result *r, size_t row);

/*
 * visitor.c: sessions that no process has, since they have no connection.
 */
/* In place of a process, in a ref. */
#define VISITOR_PROC 0xffu
bool visitor_is(const struct session_info *i);
/* From the key of tokens. */
void visitor_open(struct core *c, const uint8_t key[CRYPTO_KEY_LEN]);
/* As session_changed(), which calls it. */
void visitor_changed(struct session *s, struct request *r, void *out);
/* It is not there any more: who is with it here is told so. */
void visitor_over(struct session *s);
/* Something may wait for it, or for any session of the mesh here. */
void visitor_nudge(const struct session *s);
void visitor_missed(struct mesh *m);
/* Another key of state: tells those who want to know. */
void visitor_state(struct mesh *m, const struct state_change *s);
/* The client does not visit a session any more, if it did. */
void visitor_leave(struct deputy *d);
/* Reads what the database has of one by its key, and tells all. */
void visitor_read(
    struct core *c, const struct id *mesh, const uint8_t key[CRYPTO_KEY_LEN]);
/* At the end of a turn: tells who was nudged. */
void visitor_turn(struct core *c);
/* Once a second: who still listens uses its session. */
void visitor_tick(struct core *c);

/*
 * announce.c: what the sessions of this process are told of their peers.
 */
/* It is connected, or changed: says to the others what they do not know. */
void announce(struct session *s);
/* It does not come back. */
void announce_left(struct session *s);
/* The others know of it as it is. */
void announce_known(struct session *s);

/*
 * deputy.c: clients that act for a member, by what they are allowed and not by
 * a key.
 */
struct deputy {
	LIST_ENTRY(deputy) over;
	LIST_ENTRY(deputy) watching; /* on its mesh's list, when news is set */
	deputy_news *news;
	struct client *client;	     /* NULL: it went away */
	struct session session;	     /* its client's, when the mesh is there */
	struct session *visits;	     /* the same when it has come by, or NULL */
	LIST_ENTRY(deputy) visit;    /* on the list of that session */
	LIST_ENTRY(deputy) visiting; /* and in core */
	LIST_ENTRY(deputy) nudged;   /* in core: it is to hear of something */
	bool is_nudged;
	uint8_t secret[CRYPTO_SECRET_LEN]; /* of the session that it visits */
	struct pool pool;		   /* what the session says */
	struct token token;
	bool shown;		    /* it acts by that token */
	bool vouched;		    /* by a back end, with that token */
	LIST_ENTRY(deputy) watched; /* in core, see token_watch.c */
	struct token_asking *asking;
	bool is_watched;
	bool is_doubtful; /* the token is to be looked at again */
	bool waits;	  /* for its mesh */
	uint64_t scopes;
	void (*fn)(void *arg, bool good);
	void *arg;
};
/* good: the client acts for the member.  Else the mesh could not be read, or
 * the client is gone. */
typedef void deputy_fn(void *arg, bool good);
/* From now on the client is a deputy, until it is gone or deputy_end().  info
 * says for whom: mesh, member, keys, names and role, which are copied; its id
 * stands for the session in what is stored.  t: its token, or NULL.  Calls fn
 * once, at once or later. */
void deputy_begin(struct client *c, const struct session_info *info,
    const struct token *t, uint64_t scopes, deputy_fn *fn, void *arg);
void deputy_end(struct client *c);
/* The token by which a client acts, or NULL. */
const struct token *deputy_token(const struct client *c);
/* At the end of a turn: frees what is over. */
void deputy_turn(struct core *c);

/*
 * quota.c: how much a mesh may hold.  What is there is counted in the
 * database; of what is left a process takes an eighth in advance, so that it
 * counts again only when that is used up.  The nearer the limit, the oftener
 * it counts: the limit is passed by no more than one for each process.
 */
/* What a request is about to add. */
struct quota_need {
	enum quota quota;
	int64_t n;
	const struct id *of; /* the recipient or the mesh */
};
typedef void quota_fn(struct request *r, void *arg);
struct quota_hold;
/* What a new mesh may hold, and as the database has it. */
void quota_init(struct mesh *m);
void quota_load(struct mesh *m, const struct db_result *r);
/* What the mesh may hold. */
int64_t quota_max(const struct mesh *m, enum quota quota);
/* Calls fn when there is room for all of it, at once or later, or fails the
 * request.  key: the state key that is set, else {NULL, 0}: what it has
 * already is not added again. */
void quota_take(struct request *r, struct slice key,
    const struct quota_need *needs, size_t n, quota_fn *fn, void *arg);
/* The request is done: what it took is stored, or will not be. */
void quota_release(struct request *r);
/* Forgets what was not needed lately, and all of it. */
void quota_tick(struct mesh *m);
void quota_forget(struct mesh *m);

/*
 * member.c: what a member is, while its sessions are here.
 */
/* A member, as somebody named it. */
struct member {
	struct id id;
	uint8_t key[CRYPTO_KEY_LEN];
	struct slice name; /* of the request's pool */
	enum member_role role;
	bool banned;
};
typedef void member_fn(struct request *r, const struct member *m);
/* Who is meant: by member id, key of the member or of a session, or name.
 * Calls fn later, or fails the request: unknown or ambiguous. */
void member_named(struct request *r, struct slice target, member_fn *fn);
/* Something changed: sessions of the member that began before at_ms end for
 * the reason, unless it is ERR_NONE, and what the member is now is read from
 * the database. */
void member_told(struct core *c, const struct id *mesh, const struct id *member,
    enum err why, int64_t at_ms, struct slice reason);
/* The same here and for the others. */
void member_changed(struct core *c, const struct id *mesh,
    const struct id *member, enum err why, int64_t at_ms, struct slice reason);
/* A session of this process: what the database has of its member. */
void member_is(struct session *s, struct slice role, bool revoked, bool banned,
    struct slice reason);

/*
 * moderation.c: ends of sessions that somebody asks for.
 */
/* A session of this process, by a record: ends it for the reason, unless it
 * was active since before_ms (0: all the same), which is told. */
void moderation_told(struct core *c, const struct id *mesh, const struct id *id,
    uint64_t ref, enum err why, int64_t before_ms, struct slice reason);
/* At the end of a turn: answers what the others have answered. */
void moderation_turn(struct core *c);
/* Fails what is not answered: the process ends itself. */
void moderation_close(struct core *c);

/*
 * block.c: what members do not want of each other.
 */
enum block {
	BLOCK_DM = 1,
	BLOCK_BROADCAST = 2,
	BLOCK_STATE = 4
};
/* Does the member block this of the other? */
bool block_has(const struct mesh *m, const struct id *member,
    const struct id *other, enum block what);
void block_told(struct mesh *m, const struct id *member, const struct id *other,
    unsigned what, int64_t version);
/* Puts in what the database has of the mesh. */
void block_load(struct mesh *m, const struct db_result *r);
void block_forget(struct mesh *m);

/*
 * attestation.c: proof of session keys.
 */
/* The member's word that a session key is its own until a time.  Keys are 64
 * lower-case hex digits, as they were signed. */
struct attestation {
	struct slice member_key;
	struct slice session_key;
	int64_t expires_ms;
	uint8_t signature[CRYPTO_SIG_LEN];
};
#define ATTESTATION_TTL_MS (24 * INT64_C(3600000))
/* 64 lower-case hex digits; -1: something else. */
int attestation_key(uint8_t key[CRYPTO_KEY_LEN], struct slice hex) MUST_CHECK;
/* ERR_NONE, ERR_EXPIRED, ERR_TTL_TOO_LONG or ERR_BAD_SIGNATURE. */
enum err attestation_check(const struct attestation *a,
    const uint8_t member_key[CRYPTO_KEY_LEN], int64_t now_ms) MUST_CHECK;
/* Is the hello itself signed by the attested session key? */
bool attestation_check_hello(const struct attestation *a, const struct id *mesh,
    int64_t timestamp, const uint8_t signature[CRYPTO_SIG_LEN],
    const uint8_t session_key[CRYPTO_KEY_LEN]) MUST_CHECK;

/*
 * target.c: who is meant.
 */
struct recipient {
	struct id id;
	bool member;	  /* id is a member's, of whom any session will do */
	uint64_t ref;	  /* the connected session that shall have it, or 0 */
	struct id who;	  /* the member that id is, or is a session of */
	struct id holder; /* the session's id */
	struct id host;	  /* where it is */
	uint8_t proc;	  /* the same, or what leads there */
	bool admits;	  /* its status lets the message through */
	bool behind;	/* older messages are before this one in its backlog */
	bool told;	/* its host was */
	uint32_t place; /* in the crowd of its process, from 1; 0: in none */
};
struct target {
	struct recipient *v;
	size_t n;
	size_t cap;
	bool multicast;	     /* nothing but groups, @all and * */
	struct list blocked; /* slices: targets that want nothing from it */
};
typedef void target_fn(struct request *r, struct target *t);
/* As one text: as it came, or joined by commas. */
struct slice target_text(struct pool *pool, const struct list *targets);
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
struct crowd;
struct parcel;
/* A message for a session of this process: pushed, or left to the drain.  It
 * has this place in a crowd, or 0. */
void delivery_offer(struct session *s, const struct id *recipient,
    const struct message *m, struct event *e, enum stored stored,
    struct crowd *crowd, uint32_t place);
/* A session that was to have a message has left this process: if it is there
 * elsewhere it is told, and its place in a crowd becomes a row. */
void delivery_gone(struct core *c, const struct id *mesh,
    const struct id *session, struct crowd *crowd, uint32_t place);
/* The output reached the kernel up to pos. */
void delivery_written(struct session *s, uint64_t pos);
/* The client acked; false: nothing like that is under way to it. */
bool delivery_ack(struct session *s, const struct id *message) MUST_CHECK;
/* Then it may have come over an earlier connection. */
void delivery_ack_earlier(struct session *s, const struct id *message);
/* Pushes what waits in the database, as far as the status allows. */
void delivery_drain(struct session *s);
/* Something that it did not ack was freed: let another session have it. */
bool delivery_is_stuck(const struct session *s);
/* Older messages wait for it in the database. */
bool delivery_is_behind(const struct session *s);
/* It drains with the next delivery_tick(). */
void delivery_put_off(struct session *s);
/* How many messages more may be under way to it, and so many bytes. */
size_t delivery_room(struct session *s, size_t *bytes);
/* Pushes a row of delivery_claim, unless it is under way already; one that was
 * not pulled only if the status allows it. */
void delivery_claimed(
    struct session *s, const struct db_result *r, size_t row, bool pulled);
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
/* The database has the last word of a parcel in a crowd. */
void delivery_settled(struct parcel *p);
/* Its crowd is no more: it has a row of its own. */
void delivery_alone(struct parcel *p);

/*
 * pull.c: what an answer of delivery_waiting says.
 */
void pull_waiting(
    const struct db_result *res, int64_t *waiting, struct slice *highest);

/*
 * client.c: who wants to know when output was taken.
 */
#define WRITTEN_DELIVERY 0x01
#define WRITTEN_FOLLOW 0x02
void client_want_written(struct client *c, unsigned who, bool on);

/*
 * overtaken.c: a drain brought a message to a session; did one lately?
 */
void overtaken_note(struct core *c, uint64_t ref, const struct id *message);
bool overtaken_is(const struct core *c, uint64_t ref, const struct id *message);

/*
 * crowd.c: the recipients of a multicast that this process has, recorded
 * together.  Places count from 1.
 */
#define CROWD_MIN 16	 /* fewer have a row each */
#define CROWD_MARK_LEN 7 /* bytes of a mark; see sql/0001_init.sql */
/* n: places that may come, if that is known.  stored: its row is there, or
 * another process makes it. */
struct crowd *crowd_new(
    struct core *c, const struct message *m, size_t n, bool stored);
/* The one of a message that has come before; NULL: none. */
struct crowd *crowd_find(struct core *c, const struct id *message);
/* A parcel is under way to a place. */
void crowd_enter(struct crowd *k, uint32_t place, struct parcel *p);
/* It is gone, and nobody knows how it ended. */
void crowd_forget(struct crowd *k, uint32_t place);
/* How far it is.  Said to the database at the end of the turn. */
void crowd_mark(struct crowd *k, uint32_t place, enum delivery state);
/* The recipient gets a row of its own, in which it waits; fn when it is there.
 */
void crowd_leave(struct crowd *k, uint32_t place, const struct id *recipient,
    db_fn *fn, void *arg);
/* The marks of the first n places for its row, which is made now, and how many
 * of them wait.  k may be gone afterwards. */
void crowd_put(struct db_params *p, struct crowd *k, size_t n);
/* Frees it if nothing is left to do; true: it did. */
bool crowd_rest(struct crowd *k);
/* Says what changed in this turn. */
void crowd_turn(struct core *c);

/*
 * audience.c: lists of recipients of crowds that are in the database already.
 */
/* The id of a list: of the n bytes of its ids. */
void audience_id(struct id *id, const uint8_t *recipients, size_t n);
/* The database has the list: its id will do. */
bool audience_known(struct core *c, const struct id *id);
/* It got the list, in a statement of that time of clock_mono(). */
void audience_stored(struct core *c, const struct id *id, int64_t at_ms);
/* Perhaps the database has none of them. */
void audience_forget(struct core *c);

/*
 * message_more.c: the same as texts, for the bus and the database, and back.
 */
#define MESSAGE_MORE 5
#define MESSAGE_MORE_OLD 4 /* without files */
/* Returns how many: none when more is NULL. */
size_t message_more_texts(
    const struct message_more *more, struct slice v[MESSAGE_MORE]);
/* A row of delivery_claim or delivery_peek; texts are the result's. */
struct delivery_row {
	struct message message;
	struct message_more more;
	struct slice texts[MESSAGE_MORE];
	struct id recipient;
	int64_t pushes;
};
void delivery_read(struct delivery_row *out, const struct mesh *mesh,
    const struct db_result *r, size_t row);
/* NULL for none; else *more, which points into the texts. */
const struct message_more *message_more(
    struct message_more *more, const struct slice *v, size_t n);

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
 * state_push.c: what the sessions of this process are told of shared state.
 */
void state_told(struct core *c, const struct state_change *s);
/* Frees what a mesh remembers of versions. */
void state_forget(struct mesh *m);
/* Pushes what changed since m->state_ms (events were lost). */
void state_catch_up(struct mesh *m);
/* Forgets what the client watches: its connection is over. */
void state_unwatch(struct client *c);

#endif
