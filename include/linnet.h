/* SPDX-License-Identifier: ISC */
/*
 * liblinnet: a client of a Linnet mesh.  liblinnet(3) has a whole program.
 *
 *	struct linnet_config config = { .url = ..., .mesh_id = ..., ... };
 *	struct linnet_error error;
 *	struct linnet *l = linnet_new(&config, &error);
 *
 *	if (l == NULL || linnet_connect(l) != 0) ...
 *	(void)linnet_run(l);	// callbacks are called in here
 *	linnet_free(l);
 *
 * Texts are UTF-8 and end with a NUL; what is handed in is copied.  Ids are 32
 * hex digits, public keys 64, secret keys 128 (the seed, then the public key).
 *
 * What fails returns -1 or NULL; why is in a struct linnet_error: that of the
 * call, or linnet_last_error().  Running out of memory ends the process.
 *
 * Threads: a struct linnet, and what was handed out for it, is used by one
 * thread at a time.  Different ones do not know of each other, and the
 * functions without one may be called by any thread at any time.
 *
 * Blocking: only linnet_open(), linnet_wait(), linnet_run(), linnet_finish(),
 * linnet_call(), linnet_send_wait() and linnet_join() wait for the network.
 * But the name of a host is looked up with getaddrinfo(3), which may wait for
 * a name server, whenever a connection begins, which is in linnet_process().
 * Addresses in digits and unix: URLs are not looked up.
 *
 * Signals: writing to a connection that the peer has closed raises none.
 */
#ifndef LINNET_H
#define LINNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
/* What is declared here is all that the shared library exports. */
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#define LINNET_KEY_SIZE 65	    /* of a public key with its NUL */
#define LINNET_SECRET_SIZE 129	    /* of a secret key with its NUL */
#define LINNET_ATTESTATION_SIZE 512 /* of an attestation with its NUL */

struct linnet;
struct linnet_entry;  /* linnet_channels.h */
struct linnet_notice; /* linnet_permissions.h */

/*
 * Errors: a code, for programs, and a sentence that says what to do.  The
 * codes of the broker are listed in linnet-protocol(7).  The library's own:
 *	bad_argument	what the caller gave cannot be right
 *	bad_url		no ws://, wss://, http://, https:// or unix: URL
 *	bad_invite	no invite can be read from the link
 *	unsupported	the broker cannot do that
 *	no_host		the host has no address
 *	unreachable	nobody answers at the address
 *	bad_certificate	the host does not prove that it is the one of the URL
 *	tls		TLS failed otherwise
 *	timeout		no answer in time
 *	closed		the connection ended before the answer came
 *	queue_full	too much waits for an answer; nothing was queued
 *	protocol	the other side does not speak as it should
 *	busy		called from within a callback, where it must not be, or
 *			there is a connection already
 */
struct linnet_error {
	char code[64];
	char message[512];
};

/* The exit status of sysexits.h that fits an error code; 70 when the code is
 * unknown. */
int linnet_exit_status(const char *code);

/* The version of the library, as "0.1.0". */
const char *linnet_version(void);

/*
 * A key pair, new, in hex: of a member, or of a session.  The caller keeps the
 * secret and wipes it.
 */
void linnet_new_key(
    char public_key[LINNET_KEY_SIZE], char secret_key[LINNET_SECRET_SIZE]);

/*
 * The word of a member that a session key speaks for it, for lifetime_s
 * seconds (at most 86400; 0: 12 hours) from now.  Whoever has it and the
 * secret key of the session can connect without the member's secret key.  It
 * is no secret.  -1 and *error: bad_argument.
 */
int linnet_attest(const char *member_secret_key, const char *session_public_key,
    int64_t lifetime_s, char attestation[LINNET_ATTESTATION_SIZE],
    struct linnet_error *error);

/*
 * How TLS (1.2 or newer) makes sure of the other side, for wss:// and
 * https://.  Zero is right where the system's authorities are.
 */
struct linnet_tls {
	const char *ca_file; /* authorities, PEM; NULL and no ca_dir: those of
				the system */
	const char *ca_dir;  /* the same, as openssl-rehash(1) makes it */
	/* Believe anybody: whoever is on the way can read and change
	 * everything that is not end-to-end encrypted. */
	bool insecure;
};

/*
 * Invites.  link: linnet://join/TOKEN, http(s)://host/join/TOKEN,
 * ic://join/TOKEN, or the token alone.  What the invite says is believed only
 * after the owner's signature over it was checked; whether the owner is the
 * mesh's owner only the broker can tell.
 */
struct linnet_invite {
	const char *token;
	const char *mesh_id;
	const char *mesh_slug;
	const char *broker_url;
	const char *role;
	const char *owner_key;
	int64_t expires_at;  /* seconds since 1970 */
	const char *payload; /* the token's JSON */
};

/* NULL: bad_invite, invite_bad_signature.  The caller frees it. */
struct linnet_invite *linnet_invite_read(
    const char *link, struct linnet_error *error);
void linnet_invite_free(struct linnet_invite *invite);

/* What a new member has to keep beside its keys. */
struct linnet_membership {
	const char *member_id;
	const char *mesh_slug;
	const char *mesh_name;
	const char *hook_token; /* a secret; NULL: was given out before */
	bool already;		/* was a member; the invite was not used */
};

/*
 * Joins the mesh of an invite: asks its broker over HTTP, and waits for the
 * answer, at most timeout_ms (0: 10 s) for each of connecting and answering.
 * tls may be NULL.  Asking again with the same key is safe.  NULL and *error
 * on failure; the caller frees the result, which wipes the hook token.
 */
struct linnet_membership *linnet_join(const struct linnet_invite *invite,
    const char *public_key, const char *display_name,
    const struct linnet_tls *tls, int timeout_ms, struct linnet_error *error);
void linnet_membership_free(struct linnet_membership *membership);

/*
 * What the hook of an agent's host tells the broker over HTTP: that the agent
 * works, or is idle.  The session, which another process has, is found by its
 * session_id, else by where it works.  *found, unless NULL: is there one?  When
 * not, the status waits a few seconds for it.  Waits at most timeout_ms (0: 10
 * s) for each of connecting and answering.  -1: *error.
 */
struct linnet_hook {
	const char *url;
	const char *token;	/* the member's hook token, a secret */
	const char *status;	/* idle, working, dnd */
	const char *cwd;	/* where the agent works */
	const char *session_id; /* of the session, or NULL */
	int64_t pid;		/* its process, or 0 */
	struct linnet_tls tls;
};
int linnet_hook_status(const struct linnet_hook *hook, bool *found,
    int timeout_ms, struct linnet_error *error);

/*
 * What the library is doing about its connection.
 *
 *	STOPPED -> CONNECTING -> OPEN -> CLOSING -> STOPPED
 *		      ^	 |	  |
 *		      |	 v	  |
 *		     WAITING <----+
 *
 * Once linnet_connect() was called it connects again by itself whenever the
 * connection cannot be made or is lost, after a random delay below 0.5 s that
 * doubles with each try up to 30 s; at once when the broker restarts (close
 * code 1012), later when it is overloaded (1013).  It stops when that makes no
 * sense: when hello is refused for good, the session was kicked, banned or
 * replaced by one elsewhere, when the other side is no broker, and after
 * linnet_close().
 */
enum linnet_phase {
	LINNET_STOPPED,
	LINNET_CONNECTING,
	LINNET_OPEN,	/* hello was accepted */
	LINNET_WAITING, /* to connect again */
	LINNET_CLOSING, /* our goodbye is on its way */
};

struct linnet_change {
	enum linnet_phase phase; /* the new one */
	int delay_ms;		 /* WAITING: until the next try */
	/* WAITING and STOPPED: the code of the WebSocket close (RFC 6455 7.4,
	 * linnet-protocol(7)), 1006 without one, 0 without a connection; and
	 * why. */
	int close_code;
	const struct linnet_error *error;
	const char *text; /* OPEN: the broker's hello_ack, JSON */
	size_t n;	  /* its bytes */
};

/*
 * A message that arrived.  Good during the callback only.
 */
enum linnet_secrecy {
	LINNET_UNREADABLE, /* not for our keys, and no text: text is NULL */
	LINNET_CLEAR,	   /* everybody on the way could read it */
	LINNET_SEALED,	   /* encrypted to us by the key of the sender */
};

/* What goes with a message: linnet_get_file() asks for it by its id. */
struct linnet_attachment {
	const char *id;
	const char *name; /* data, not a path */
	int64_t size;
};

struct linnet_message {
	const char *id; /* for linnet_ack() */
	const char *mesh_id;
	const char *sender_key; /* who sealed it; write back to it */
	const char *sender_member_key;
	const char *sender_member_id;
	const char *sender_name;
	const char *target;	/* as the sender wrote it */
	const char *priority;	/* now, next or low */
	const char *created_at; /* RFC 3339 */
	const char *reply_to;	/* id of the message that it answers, or "" */
	const char *subtype;	/* "reminder", or "" */
	enum linnet_secrecy secrecy;
	const char *text; /* may hold a NUL: see length */
	size_t length;	  /* bytes */
	bool again;	  /* see config.repeats */
	const char *json; /* the whole push, for what is not above */
	size_t json_length;
	const struct linnet_attachment *files;
	size_t nfiles;
};

struct linnet_state_change {
	const char *key;
	const char *value; /* JSON; NULL: the key was deleted */
	const char *updated_by;
	const char *updated_at; /* RFC 3339, or "" */
	int64_t version;	/* 0: the broker does not count */
};

/* Another session of the mesh came, went or changed. */
struct linnet_peer {
	const char *event; /* joined, left, returned, hidden, visible */
	const char *name;
	const char *key;
	const char *member_key;
	const char *last_seen_at; /* RFC 3339, or "" */
	const char *summary;	  /* or "" */
	const char *json;	  /* the whole push */
	size_t json_length;
};

/*
 * Callbacks, called from linnet_process() and what calls it; `phase` also from
 * linnet_close().  They may call everything but what waits and
 * linnet_process(), which are `busy`, and linnet_free(), which is a fault.
 * What they get is good until they return.  Each may be NULL.
 */
struct linnet_callbacks {
	void (*phase)(
	    void *arg, struct linnet *l, const struct linnet_change *c);
	void (*message)(
	    void *arg, struct linnet *l, const struct linnet_message *m);
	void (*state)(
	    void *arg, struct linnet *l, const struct linnet_state_change *s);
	void (*peer)(void *arg, struct linnet *l, const struct linnet_peer *p);
	/* What a later broker may send beside these: its type and JSON. */
	void (*other)(void *arg, struct linnet *l, const char *type,
	    const char *text, size_t n);
	void (*entry)(
	    void *arg, struct linnet *l, const struct linnet_entry *e);
	void (*notice)(
	    void *arg, struct linnet *l, const struct linnet_notice *n);
};

struct linnet_group {
	const char *name;
	const char *role; /* may be NULL */
};

/*
 * Everything is copied; the rest of what is not needed may be zero.
 *
 * Who we are: url, mesh_id and member_id are needed, and either the member's
 * keys, or the keys of a session and the member's word for it:
 *
 *	public_key, secret_key		 a session of this member.  Its session
 *					 key is made by the library; with
 *					 session_id always the same one
 *	and session_key			 the same with a session key that the
 *					 caller keeps
 *	session_key, attestation	 a session without the member's secret
 *	and no_session_key		 what is sent to the member comes here;
 *					 the session has no key of its own
 *
 * Others find a session by its name or key and encrypt to its key.  What they
 * send while it is away waits for this same session: a program that is to get
 * it after it was started again gives a session_id or a session_key, and the
 * same one each time.
 */
struct linnet_config {
	/* ws://host[:port][/ws], wss://..., http(s)://..., unix:/path */
	const char *url;
	const char *mesh_id;
	const char *member_id;
	const char *public_key;
	const char *secret_key;
	const char *session_key; /* secret */
	const char *attestation; /* of linnet_attest() */
	/* Free words, the member's own: what makes it the same session when it
	 * comes again.  NULL: random, and the same for every connection of this
	 * struct linnet. */
	const char *session_id;
	bool no_session_key;
	/* Connected only to do something: gets no messages, is not listed, has
	 * no session key; what it sends is from the member. */
	bool control;
	/* Name of the session; NULL: the member's. */
	const char *name;
	/* Where it works; hooks find the session by it.  NULL: nowhere. */
	const char *cwd;
	/* What others see of it in list_peers; NULL: nothing. */
	const char *peer_type; /* ai, human, connector */
	const char *channel;
	const char *model;
	const char *role; /* in free words; gives no rights */
	const struct linnet_group *groups;
	size_t ngroups;
	struct linnet_tls tls;

	bool once;     /* never connect again by itself */
	bool auto_ack; /* ack each message when `message` has returned */
	/* Show messages that were shown before, too, with `again` true.
	 * Without it they are dropped, and acked once more if they were. */
	bool repeats;
	int connect_ms;		/* until hello is answered; 0: 10 s */
	int request_ms;		/* until a request is answered; 0: 30 s */
	int send_ms;		/* until a send is acked, over however many
				   connections; 0: as long as it takes */
	size_t max_message;	/* bytes that the broker may send; 0: 16 MiB */
	size_t max_queue;	/* requests that wait for an answer; 0: 1000 */
	size_t max_queue_bytes; /* their bytes; 0: 64 MiB */
	size_t max_seen;	/* message ids remembered; 0: 4096 */
	struct linnet_callbacks callbacks;
	void *arg; /* of the callbacks */
};

/* NULL: bad_argument, bad_url, bad_certificate (the authorities cannot be
 * read).  Connects to nothing yet. */
struct linnet *linnet_new(
    const struct linnet_config *config, struct linnet_error *error);
/* Ends the connection without a word, forgets open requests without calling
 * anybody, wipes the secret keys.  To the broker the session is lost and may
 * return: for a while it keeps its place in its groups.  l may be NULL. */
void linnet_free(struct linnet *l);

/* Has it connect, and do so again whenever it is needed: all of it goes on in
 * linnet_process(), and what goes wrong is told by `phase`.  -1: busy, when it
 * is not STOPPED. */
int linnet_connect(struct linnet *l);
/* Connects and waits until hello is answered, at most config.connect_ms.  -1
 * when this one connection cannot be made: it is STOPPED then.  Afterwards it
 * connects again by itself as after linnet_connect(). */
int linnet_open(struct linnet *l);
/* Says goodbye: the session does not return.  STOPPED follows from
 * linnet_process(), when the broker has answered, or after a second; what
 * waits for an answer fails with `closed` then. */
void linnet_close(struct linnet *l);
enum linnet_phase linnet_phase(const struct linnet *l);
/* Is it OPEN? */
bool linnet_is_open(const struct linnet *l);
/* Why the last call failed, or the last connection ended.  Good until the next
 * call. */
const struct linnet_error *linnet_last_error(const struct linnet *l);
/* Requests and sends that wait for an answer. */
size_t linnet_pending(const struct linnet *l);
/* The public key under which others know the session: its session key, or the
 * member's.  Lives as long as l. */
const char *linnet_key(const struct linnet *l);
/* A newer attestation, for the next connection.  -1: bad_argument. */
int linnet_set_attestation(struct linnet *l, const char *attestation);

/*
 * A loop of the caller's: wait for linnet_events() (as of poll(2)) on
 * linnet_fd(), at most linnet_timeout() ms, then call linnet_process().  Ask
 * all three again after every call of this library.  fd is -1, and only the
 * timeout counts, while there is no connection; timeout is -1 when only the
 * descriptor matters.  The descriptor is the library's: watch it, no more.
 */
int linnet_fd(const struct linnet *l);
short linnet_events(const struct linnet *l);
int linnet_timeout(const struct linnet *l);
/* Does what can be done without waiting, also when nothing happened.  0; -1:
 * it is STOPPED. */
int linnet_process(struct linnet *l);

/* The library's own loop.  One turn: waits for something to do, at most
 * timeout_ms (-1: as long as it takes), and does it.  1: something was done;
 * 0: the time is over, or a signal came; -1: it is STOPPED. */
int linnet_wait(struct linnet *l, int timeout_ms);
/* Turns until it is STOPPED.  0 after linnet_close(), else -1. */
int linnet_run(struct linnet *l);

/*
 * Requests of the mesh protocol, linnet-protocol(7).  fields: the members of
 * the request beside its type, as JSON without the braces, or NULL; see
 * linnet_fields().
 *
 * The answer comes by fn, once: error is NULL and text the answer, JSON; or
 * error says what went wrong, and text is the broker's error, or NULL.  Both
 * are good during the call.  fn may be NULL: nobody is told.  -1, and no call:
 * bad_argument, queue_full, or why it is STOPPED after a failure.
 *
 * While there is no connection a request waits for one, at most
 * config.request_ms.  When the connection ends before the answer it fails with
 * `closed`: it is not known whether it was carried out.  One with
 * LINNET_REPEAT may be carried out twice without harm, and is sent again over
 * the next connection instead.
 */
struct linnet_reply {
	const struct linnet_error *error;
	const char *text;
	size_t n;
};
typedef void linnet_reply_fn(
    void *arg, struct linnet *l, const struct linnet_reply *reply);
#define LINNET_REPEAT 0x01u
int linnet_request(struct linnet *l, const char *type, const char *fields,
    unsigned flags, linnet_reply_fn *fn, void *arg);

/*
 * Makes fields: names with their kinds, then a value for each:
 *	linnet_fields("key:s value:j ifVersion:i", "plan", "[1,2]", (int64_t)3)
 * s a text, j JSON, a texts (const char *const *, ended by NULL), i int64_t,
 * b int, true or false.  A NULL leaves its member out.  The caller frees the
 * result with free(3).
 */
char *linnet_fields(const char *names, ...);

/*
 * Waiting for an answer: give linnet_keep as fn and a zeroed result as arg of
 * any request, then wait for it with linnet_finish().  Several may be under
 * way.
 *
 *	struct linnet_result r = { 0 };
 *	if (linnet_get_state(l, "plan", linnet_keep, &r) == 0 &&
 *	    linnet_finish(l, &r) == 0)
 *		puts(r.text);
 *	linnet_result_free(&r);
 */
struct linnet_result {
	bool done;
	struct linnet_error error; /* its code is "" when it went well */
	char *text;		   /* the broker's answer, or NULL */
	size_t n;
};
void linnet_keep(void *arg, struct linnet *l, const struct linnet_reply *reply);
/* Turns of the loop until the result is there.  -1: it is an error, which is
 * linnet_last_error() too; or nothing that was asked keeps its answer there. */
int linnet_finish(struct linnet *l, struct linnet_result *r);
/* Frees the text and zeroes the result, which may be used again. */
void linnet_result_free(struct linnet_result *r);

/* linnet_request() and linnet_finish() in one: the answer in *reply is good
 * until the next call that waits.  -1: *reply has the error, and the broker's
 * text if it sent one. */
int linnet_call(struct linnet *l, const char *type, const char *fields,
    unsigned flags, struct linnet_reply *reply);

/*
 * Answers are JSON, to be read with any library, or with these.  path: names
 * and indices with dots between them, as "peers.0.displayName"; "" is all.
 */
struct linnet_json;
/* NULL: it is no JSON.  The caller frees it. */
struct linnet_json *linnet_json_read(const char *text, size_t n);
void linnet_json_free(struct linnet_json *j);
/* A text as it is, anything else as JSON; NULL when it is not there, or null.
 * Lives as long as j. */
const char *linnet_json_get(struct linnet_json *j, const char *path);
/* Members of an array or object, 0 of anything else. */
size_t linnet_json_count(struct linnet_json *j, const char *path);

/*
 * Sending.  To a key (64 hex digits) or a display name the text is encrypted
 * so that only that peer can read it, authenticated by our key; a name is
 * looked up among sessions and members, whatever its case.  To * (everybody),
 * @all and @group it goes in clear.
 *
 * The answer is the broker's ack: messageId, queued, recipients, duplicate.
 * A send is safe against lost connections: it waits for the next one, is sent
 * again when the answer was lost, and is stored once, by its id.  Messages are
 * sent in the order of the calls.  Errors of our own: bad_argument,
 * queue_full, unknown_target, ambiguous_target.
 *
 * With several targets the groups among them get one message, in which the
 * broker addresses nobody twice, and each peer gets one of its own.  The
 * answer comes when all are answered: {"answers":[{"to":...,"answer":{...}}]},
 * in the order of the targets, and error is the first that went wrong.
 */
struct linnet_outgoing {
	const char *to;
	const char *const *also; /* more targets, ended by NULL; or NULL */
	const char *text;
	size_t length;	      /* bytes */
	const char *priority; /* now, next, low; NULL: next */
	const char *id;	      /* the sender's own, at most 100 bytes; NULL:
				 random */
	const char *reply_to; /* id of the message that it answers, or NULL */
	int64_t ttl_ms;	      /* after that it is not delivered; 0: it is */
	bool clear;	      /* do not encrypt, whoever it is for */
	const char *const *files; /* ids of files that go with it, ended by
				     NULL; or NULL */
};
int linnet_send(struct linnet *l, const struct linnet_outgoing *m,
    linnet_reply_fn *fn, void *arg);
/* The same, and waits, at most config.request_ms; as linnet_call(). */
int linnet_send_wait(struct linnet *l, const struct linnet_outgoing *m,
    struct linnet_reply *reply);

/* Answers for a message that arrived: it is safe here, and not pushed again.
 * Without a connection that is remembered, and said when it comes again. */
void linnet_ack(struct linnet *l, const char *message_id);

/*
 * The operations of the broker, each called as its type, linnet-protocol(7),
 * which says what they do, what their texts may be and what the answer has.
 * They are linnet_request()s with these fields: fn, arg, -1 and what happens
 * without a connection are as there.  What may be carried out twice without
 * harm is, as with LINNET_REPEAT.  A text that may be NULL is left out then.
 */

/* What became of a message that one sent or got. */
int linnet_message_status(
    struct linnet *l, const char *message_id, linnet_reply_fn *fn, void *arg);

/* The mesh in numbers. */
int linnet_mesh_info(struct linnet *l, linnet_reply_fn *fn, void *arg);
/* Who is here; all: also members who are not connected.  group may be NULL. */
int linnet_list_peers(struct linnet *l, bool all, const char *group,
    linnet_reply_fn *fn, void *arg);
/* status: idle, working or dnd.  A `working` that is not said again ends. */
int linnet_set_status(
    struct linnet *l, const char *status, linnet_reply_fn *fn, void *arg);
int linnet_set_summary(
    struct linnet *l, const char *summary, linnet_reply_fn *fn, void *arg);
int linnet_set_visible(
    struct linnet *l, bool visible, linnet_reply_fn *fn, void *arg);
/* What is NULL stays as it was. */
struct linnet_profile {
	const char *avatar;
	const char *title;
	const char *bio;
	const char *const *capabilities; /* ended by NULL */
};
int linnet_set_profile(struct linnet *l, const struct linnet_profile *profile,
    linnet_reply_fn *fn, void *arg);
/* What is -1 stays as it was. */
struct linnet_stats {
	int64_t messages_in;
	int64_t messages_out;
	int64_t tool_calls;
	int64_t uptime; /* seconds */
	int64_t errors;
};
int linnet_set_stats(struct linnet *l, const struct linnet_stats *stats,
    linnet_reply_fn *fn, void *arg);
/* The groups of a session are the broker's to remember, but a new broker, or
 * one that forgot the session, has those of config.groups.  role may be NULL.
 */
int linnet_join_group(struct linnet *l, const char *name, const char *role,
    linnet_reply_fn *fn, void *arg);
int linnet_leave_group(
    struct linnet *l, const char *name, linnet_reply_fn *fn, void *arg);

/* State.  value: JSON.  if_version: change it only when this is its version (0:
 * only when there is no value), or LINNET_ANY_VERSION. */
#define LINNET_ANY_VERSION (-1)
int linnet_get_state(
    struct linnet *l, const char *key, linnet_reply_fn *fn, void *arg);
int linnet_set_state(struct linnet *l, const char *key, const char *value,
    int64_t if_version, linnet_reply_fn *fn, void *arg);
int linnet_delete_state(struct linnet *l, const char *key, int64_t if_version,
    linnet_reply_fn *fn, void *arg);
/* prefix of the keys, or NULL. */
int linnet_list_state(
    struct linnet *l, const char *prefix, linnet_reply_fn *fn, void *arg);
/* Which changes the callback `state` is told of: those of keys that begin with
 * one of the prefixes that are watched ("": all).  Without any it is told of
 * all, a control session of none.  The library watches again when it has
 * connected again, and then tells `state` of all the keys that there are,
 * since some may have changed meanwhile. */
int linnet_watch_state(
    struct linnet *l, const char *prefix, linnet_reply_fn *fn, void *arg);
int linnet_unwatch_state(
    struct linnet *l, const char *prefix, linnet_reply_fn *fn, void *arg);

/* Memory.  tags: ended by NULL, or NULL; language: whose words they are, or
 * NULL. */
int linnet_remember(struct linnet *l, const char *content,
    const char *const *tags, const char *language, linnet_reply_fn *fn,
    void *arg);
/* What is NULL or 0 does not choose. */
struct linnet_memory_query {
	const char *query;	 /* recall; needed there, may be empty */
	const char *language;	 /* recall */
	const char *const *tags; /* those that have all of these */
	const char *by;		 /* author: a key or name */
	int64_t limit;		 /* of results */
	const char *after;	 /* next of the page before */
	bool forgotten;		 /* list_memories: those that can be restored */
};
int linnet_recall(struct linnet *l, const struct linnet_memory_query *q,
    linnet_reply_fn *fn, void *arg);
int linnet_list_memories(struct linnet *l, const struct linnet_memory_query *q,
    linnet_reply_fn *fn, void *arg);
int linnet_forget(
    struct linnet *l, const char *memory_id, linnet_reply_fn *fn, void *arg);
int linnet_restore(
    struct linnet *l, const char *memory_id, linnet_reply_fn *fn, void *arg);

/* Messages of later.  The broker can read them.  Times in milliseconds since
 * 1970; cron, with five fields in UTC, may be NULL. */
struct linnet_later {
	const char *to;
	const char *message;
	const char *priority; /* NULL: now */
	const char *cron;
	int64_t deliver_at; /* 0: at once; with cron: not before */
	int64_t until;	    /* with cron: not after; 0: no end */
	bool reminder;	    /* the message says that it is one */
};
int linnet_schedule(struct linnet *l, const struct linnet_later *m,
    linnet_reply_fn *fn, void *arg);
/* all: also those of others, for who keeps order. */
int linnet_list_scheduled(
    struct linnet *l, bool all, linnet_reply_fn *fn, void *arg);
int linnet_cancel_scheduled(
    struct linnet *l, const char *scheduled_id, linnet_reply_fn *fn, void *arg);

/* Not to hear of a member.  target: its id, key or name; what: dm, broadcast,
 * state, ended by NULL; NULL: all of it. */
int linnet_block(struct linnet *l, const char *target, const char *const *what,
    linnet_reply_fn *fn, void *arg);
int linnet_unblock(struct linnet *l, const char *target,
    const char *const *what, linnet_reply_fn *fn, void *arg);
int linnet_list_blocks(struct linnet *l, linnet_reply_fn *fn, void *arg);

/* Tokens, by which programs without the member's key act for it over HTTP.
 * The answer to making one has it, that once: it is a secret.  What is NULL or
 * 0 is left to the broker. */
struct linnet_token {
	const char *name;
	const char *const *scopes; /* ended by NULL */
	int64_t expires_at;	   /* milliseconds since 1970 */
};
int linnet_create_token(struct linnet *l, const struct linnet_token *t,
    linnet_reply_fn *fn, void *arg);
struct linnet_token_query {
	const char *target; /* of this member, for who keeps order */
	bool all;	    /* of all members, likewise */
	int64_t limit;	    /* of results */
	const char *after;  /* next of the page before */
};
int linnet_list_tokens(struct linnet *l, const struct linnet_token_query *q,
    linnet_reply_fn *fn, void *arg);
int linnet_revoke_token(
    struct linnet *l, const char *token_id, linnet_reply_fn *fn, void *arg);

/* Files.  share_file answers an id and a link for linnet_upload(), get_file a
 * link for linnet_download() with size and sha256. */
struct linnet_file {
	const char *name; /* needed; data, not a path */
	int64_t size;
	const char *mime_type; /* or NULL */
	const char *sha256;    /* or NULL: other bytes are refused */
	const char *const *tags;
	bool attachment; /* for recipients of messages, not for the mesh */
};
int linnet_share_file(struct linnet *l, const struct linnet_file *f,
    linnet_reply_fn *fn, void *arg);
int linnet_get_file(
    struct linnet *l, const char *file_id, linnet_reply_fn *fn, void *arg);
/* What is NULL or 0 does not choose. */
struct linnet_file_query {
	const char *query; /* a part of the name, or a tag */
	const char *from;  /* uploader: a key or name */
	const char *const *tags;
	int64_t limit;
	const char *after; /* next of the page before */
};
int linnet_list_files(struct linnet *l, const struct linnet_file_query *q,
    linnet_reply_fn *fn, void *arg);
int linnet_file_status(
    struct linnet *l, const char *file_id, linnet_reply_fn *fn, void *arg);
int linnet_delete_file(
    struct linnet *l, const char *file_id, linnet_reply_fn *fn, void *arg);

/*
 * The bytes of a file, over a connection of their own to the broker of l,
 * which need not be connected.  These wait, and are not for callbacks.
 *
 * An upload reads size bytes from fd, and answers their SHA-256, which is that
 * of what was stored.  A download writes to fd, a file: what is in it is taken
 * for the begin, of an earlier try, and only the rest is asked for; all of it
 * must have sha256, unless that is NULL.  progress, which may be NULL, is told
 * ten times a second.  -1 and *error.
 */
#define LINNET_SHA256_SIZE 65
struct linnet_transfer {
	const char *url; /* as it was answered */
	int fd;
	int64_t size;
	const char *sha256;
	void (*progress)(void *arg, int64_t done, int64_t size);
	void *arg;
};
int linnet_upload(struct linnet *l, const struct linnet_transfer *t,
    char sha256[LINNET_SHA256_SIZE], struct linnet_error *error);
int linnet_download(struct linnet *l, const struct linnet_transfer *t,
    struct linnet_error *error);

/* For who keeps order.  reason may be NULL.  Sessions that are kicked shall not
 * come back, those that are disconnected may. */
int linnet_kick(struct linnet *l, const char *target, const char *reason,
    linnet_reply_fn *fn, void *arg);
int linnet_disconnect(struct linnet *l, const char *target, const char *reason,
    linnet_reply_fn *fn, void *arg);
int linnet_ban(struct linnet *l, const char *target, const char *reason,
    linnet_reply_fn *fn, void *arg);
int linnet_unban(
    struct linnet *l, const char *target, linnet_reply_fn *fn, void *arg);
int linnet_list_bans(struct linnet *l, linnet_reply_fn *fn, void *arg);

#include "linnet_channels.h"
#include "linnet_permissions.h"

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
