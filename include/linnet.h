/* SPDX-License-Identifier: ISC */
/*
 * liblinnet: a client of a Linnet mesh.
 *
 *	struct linnet_config config = { .url = ..., .mesh_id = ..., ... };
 *	struct linnet_error error;
 *	struct linnet *l = linnet_new(&config, &error);
 *
 *	if (l == NULL || linnet_open(l) != 0) ...
 *	while (linnet_wait(l, -1) >= 0)
 *		;	// callbacks are called in here
 *	linnet_free(l);
 *
 * Texts are UTF-8 and end with a NUL.  Ids are 32 hex digits, public keys 64,
 * secret keys 128 (the seed, then the public key).
 *
 * What fails returns -1 or NULL; why is in a struct linnet_error: that of the
 * call, or linnet_last_error().  Running out of memory ends the process.
 *
 * Threads: a struct linnet, and what was handed out for it, is used by one
 * thread at a time.  Different ones do not know of each other, and the
 * functions without one may be called by any thread at any time.
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

#define LINNET_KEY_SIZE 65     /* of a public key with its NUL */
#define LINNET_SECRET_SIZE 129 /* of a secret key with its NUL */

struct linnet;

/*
 * Errors: a code, for programs, and a sentence that says what to do.  The
 * codes of the broker are listed in linnet-protocol(7).  The library's own:
 *	bad_argument	what the caller gave cannot be right
 *	bad_url		no ws://, http:// or unix: URL
 *	bad_invite	no invite can be read from the link
 *	unsupported	this library cannot do that (wss://)
 *	no_host		the host has no address
 *	unreachable	nobody answers at the address
 *	timeout		no answer in time
 *	closed		the connection ended before the answer came
 *	kicked		the broker ended the session for good
 *	protocol	the other side does not speak as it should
 *	busy		called from within a callback, where it must not be
 */
struct linnet_error {
	char code[64];
	char message[512];
};

/* The exit status of sysexits.h that fits an error code; 70 when the code is
 * unknown. */
int linnet_exit_status(const char *code);

/*
 * A member's key pair, new, in hex.  The caller keeps the secret and wipes it.
 */
void linnet_new_key(
    char public_key[LINNET_KEY_SIZE], char secret_key[LINNET_SECRET_SIZE]);

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
 * Asking again with the same key is safe.  NULL and *error on failure; the
 * caller frees the result, which wipes the hook token.
 */
struct linnet_membership *linnet_join(const struct linnet_invite *invite,
    const char *public_key, const char *display_name, int timeout_ms,
    struct linnet_error *error);
void linnet_membership_free(struct linnet_membership *membership);

/*
 * A message that arrived.  Good during the callback only.
 */
enum linnet_secrecy {
	LINNET_UNREADABLE, /* not for our key, and no text: text is NULL */
	LINNET_CLEAR,	   /* everybody on the way could read it */
	LINNET_SEALED,	   /* encrypted to us by the key of the sender */
};

struct linnet_message {
	const char *id; /* for linnet_ack(); receivers drop repeats by it */
	const char *mesh_id;
	const char *sender_key; /* who sealed it; write back to it */
	const char *sender_member_key;
	const char *sender_member_id;
	const char *sender_name;
	const char *target;	/* as the sender wrote it */
	const char *priority;	/* now, next or low */
	const char *created_at; /* RFC 3339 */
	enum linnet_secrecy secrecy;
	const char *text; /* may hold a NUL: see length */
	size_t length;	  /* bytes */
};

struct linnet_state_change {
	const char *key;
	const char *value; /* JSON */
	const char *updated_by;
	const char *updated_at; /* RFC 3339, or "" */
	int64_t version;	/* 0: the broker does not count */
};

/*
 * Callbacks, called from linnet_run() and what calls it.  They may call
 * linnet_request(), linnet_send(), linnet_ack() and linnet_close(), but not
 * what waits, and not linnet_free().  Each may be NULL.
 */
struct linnet_callbacks {
	/* hello was accepted.  text: the broker's hello_ack, JSON. */
	void (*open)(void *arg, struct linnet *l, const char *text, size_t n);
	void (*message)(
	    void *arg, struct linnet *l, const struct linnet_message *m);
	void (*state)(
	    void *arg, struct linnet *l, const struct linnet_state_change *s);
	/* The connection is over, whoever ended it.  code: of the WebSocket
	 * close (RFC 6455 7.4), 1006 without one. */
	void (*closed)(void *arg, struct linnet *l, int code,
	    const struct linnet_error *why);
};

struct linnet_group {
	const char *name;
	const char *role; /* may be NULL */
};

/*
 * Everything is copied; url and the ids and keys are needed, the rest may be
 * zero.
 */
struct linnet_config {
	const char *url; /* ws://host[:port][/ws], http://..., unix:/path */
	const char *mesh_id;
	const char *member_id;
	const char *public_key;
	const char *secret_key;
	/* Name of the session; NULL: the member's. */
	const char *name;
	/* What makes it the same session when it comes again; NULL: random, and
	 * the same for every connection of this struct linnet. */
	const char *session_id;
	/* Where it works; hooks find the session by it.  NULL: nowhere. */
	const char *cwd;
	/* Connected only to do something: gets no messages, is not listed. */
	bool control;
	const struct linnet_group *groups;
	size_t ngroups;
	int connect_ms;	    /* until hello is answered; 0: 10 s */
	int request_ms;	    /* until a request is answered; 0: 30 s */
	size_t max_message; /* bytes that the broker may send; 0: 16 MiB */
	struct linnet_callbacks callbacks;
	void *arg; /* of the callbacks */
};

/* NULL: bad_argument, bad_url, unsupported.  Connects to nothing yet. */
struct linnet *linnet_new(
    const struct linnet_config *config, struct linnet_error *error);
/* Ends the connection without a word, forgets open requests without calling
 * anybody, wipes the secret key.  To the broker the session is lost and may
 * return: for a while it keeps its place in its groups. */
void linnet_free(struct linnet *l);

/* Begins to connect.  Names are looked up here, which may wait for a name
 * server; the rest goes on in linnet_run().  Also for connecting again, after
 * `closed`.  -1: no_host, unreachable; busy when there is a connection. */
int linnet_connect(struct linnet *l);
/* Connects and waits until hello is answered. */
int linnet_open(struct linnet *l);
/* Says goodbye: the session does not return.  `closed` follows from
 * linnet_run(), when the broker has answered, or after a second. */
void linnet_close(struct linnet *l);
/* Was hello accepted, and is it not over? */
bool linnet_is_open(const struct linnet *l);
/* Why the last call failed, or the last connection ended.  Good until the next
 * call. */
const struct linnet_error *linnet_last_error(const struct linnet *l);

/*
 * For how many milliseconds to wait before connecting again; each call counts
 * as a try.  Full jitter: random below 0.5 s, doubled with each try up to
 * 30 s; 0 when the broker said that it restarts (1012).  -1: the broker will
 * refuse again, see linnet_last_error().
 */
int linnet_retry_delay(struct linnet *l);

/*
 * A loop of the caller's: wait for linnet_events() (as of poll(2)) on
 * linnet_fd(), at most linnet_timeout() ms, then call linnet_run().  All three
 * may change with every call here.  fd is -1 without a connection, timeout -1
 * when only the descriptor matters.
 */
int linnet_fd(const struct linnet *l);
short linnet_events(const struct linnet *l);
int linnet_timeout(const struct linnet *l);
/* Does what can be done without waiting.  -1: there is no connection (any
 * more). */
int linnet_run(struct linnet *l);

/* The library's own loop: waits for something to do, at most timeout_ms (-1:
 * as long as it takes), and does it.  1: something was done; 0: the time is
 * over; -1: there is no connection (any more). */
int linnet_wait(struct linnet *l, int timeout_ms);

/*
 * Requests of the mesh protocol, linnet-protocol(7).  fields: the members of
 * the request beside its type, as JSON without the braces; NULL: none.
 *
 * The answer comes by fn, once: error is NULL and text the answer, JSON; or
 * error says what went wrong, and text is the broker's error, or NULL.  Both
 * are good during the call.  Requests asked before hello was accepted go out
 * after it.  -1, and no call: bad_argument.
 *
 * A request with LINNET_REPEAT may be carried out twice without harm: when
 * the connection ends before the answer it is kept, and sent again over the
 * next connection of the same struct linnet.
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
/* The same, and waits; connects again for LINNET_REPEAT.  0 and the answer in
 * *reply, good until the next call that waits; -1 otherwise, *reply is the
 * broker's error then, if it sent one. */
int linnet_call(struct linnet *l, const char *type, const char *fields,
    unsigned flags, struct linnet_reply *reply);

/*
 * Sending.  To a key (64 hex digits) or a display name the text is encrypted
 * so that only that peer can read it, authenticated by our key; a name is
 * looked up among the members, whatever its case.  To * (everybody), @all and
 * @group it goes in clear.
 *
 * The answer is the broker's ack: messageId, queued, recipients, duplicate.
 * It is safe against a lost connection, as LINNET_REPEAT: a message is stored
 * once, by its id.  Errors of our own: bad_argument, unknown_target,
 * ambiguous_target.
 */
struct linnet_outgoing {
	const char *to;
	const char *text;
	size_t length;	      /* bytes */
	const char *priority; /* now, next, low; NULL: next */
	const char *id;	      /* the sender's own, at most 128 bytes; NULL:
				 random */
};
int linnet_send(struct linnet *l, const struct linnet_outgoing *m,
    linnet_reply_fn *fn, void *arg);
/* The same, and waits, as linnet_call(). */
int linnet_send_wait(struct linnet *l, const struct linnet_outgoing *m,
    struct linnet_reply *reply);

/* Answers for a message that arrived: it is not pushed again.  Without a
 * connection it does nothing: the message comes again, and is acked then. */
void linnet_ack(struct linnet *l, const char *message_id);

#ifdef __cplusplus
}
#endif

#endif
