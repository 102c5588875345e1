/* SPDX-License-Identifier: ISC */
/*
 * Grants: what a member may do beside what its role and its tokens let it do;
 * requests for them, which somebody approves or denies; and commands, which
 * are approved in the same way.
 *
 * A grant gives one capability, which is a scope that is a deed
 * ("message:append") or a word of applications ("tool:execute:x"), on one
 * thing, or on all of a type.  The statement that does a deed looks for the
 * grant and uses it up (grant_take() in sql/), under the lock of the mesh's
 * journal: of two who come at once for its last use one is late.
 */
#ifndef CORE_GRANT_H
#define CORE_GRANT_H

#include "core/channel.h"

#define GRANT_WORD_MAX 128 /* bytes of a capability, a type, an id */
#define GRANT_PAGE 100
#define GRANT_PAGE_MAX 500

/*
 * grant.c: who may do what.
 */
/* Does the client act with this scope? */
bool grant_has(const struct client *c, enum scope scope);
/* What is a member's because it wrote it, or owns it, is also for its client to
 * change.  A token that may only read is no such client. */
bool grant_owns(const struct client *c);
/* Those of these bits that the client lacks, as grant_take() in sql/ wants
 * them; NULL: none.  Of the request's pool. */
const char *grant_needs(struct request *r, uint64_t scopes);
/* Fails a request for which somebody lacks this capability (of a scope).  It is
 * about a channel, or a thread. */
void grant_lacks(struct request *r, struct slice capability, bool is_thread,
    const struct id *channel);
/* Is a thing of this type a channel or thread? */
bool grant_is_stream(struct slice type) MUST_CHECK;
/* Does a capability, on a channel or thread, give nothing beyond that? */
bool grant_stays(struct slice capability) MUST_CHECK;
/* A row's parameter: what a request lacks to decide about grants, or null. */
void grant_put_needs(struct db_params *p, struct request *r);
/* What a grant, or a request for one, is about. */
struct grant_what {
	struct slice capability;
	struct slice type;
	struct slice id; /* {NULL, 0}: all of the type */
	struct slice constraints;
	int64_t expires_ms;
	int64_t max_uses;
};
/* Fails a request for what no grant can give, or nothing would keep; else id is
 * as it is compared. */
bool grant_check(struct request *r, struct grant_what *w) MUST_CHECK;
/* Puts the line of a new grant into a row. */
void grant_line(struct db_params *row, int64_t k, const struct id *mesh,
    const struct id *id, const struct id *member, const struct id *by,
    const struct grant_what *w);
/* An id that somebody gave, as text; a null id where it is none, which nothing
 * has. */
struct id grant_id(struct slice text);
struct slice grant_keep(struct request *r, struct slice s);

/*
 * permission.c: requests.
 */
/* One that somebody opened. */
struct permission {
	struct id id;
	struct id member; /* who asks */
	struct slice name;
	struct slice action;
	struct slice type;
	struct slice resource; /* or {NULL, 0} */
	struct slice status;
	struct slice context;
	struct slice notes;
	struct id grant;
	struct id command;
	int64_t created_ms;
	int64_t resolved_ms;
};
extern const struct field permission_fields[];
/* Opens one for who asks (action, type, resource and context say what), or
 * finds the open one that it opened with the same id of its own ({NULL, 0}: it
 * has none), and calls done with its id; or fails the request. */
typedef void permission_fn(struct request *r, const struct id *permission);
void permission_begin(struct request *r, const struct permission *what,
    struct slice client_id, permission_fn *done);
/* Puts the line of a new request into a row. */
void permission_line(struct db_params *row, int64_t k, const struct id *mesh,
    const struct permission *q);

/*
 * permission_tell.c: who is told.
 */
/* Tells who may decide it, or who asked how it ended. */
void permission_tell(
    struct core *c, const struct id *mesh, const struct permission *q);

/*
 * permission_list.c: what is known of them.
 */
/* Asks for one that the client may see, by its id; and reads the answer, whose
 * texts it has, or fails the request. */
void permission_find(
    struct request *r, struct slice which, db_fn *fn, void *arg);
bool permission_found(struct request *r, const struct db_result *res,
    struct slice which, struct permission *out) MUST_CHECK;
#define PERMISSION_COMMAND_NAME 14 /* a column of that answer, or null */
/* Does who asked decide about grants? */
bool permission_decides(const struct db_result *res) MUST_CHECK;
/* Fails a request: for its client there is no such one. */
void permission_unknown(struct request *r, struct slice which);

/*
 * permission_post.c: a message that was not posted.
 */
struct permission_post {
	const struct post *post;
	bool is_thread;
	const struct list *parts;
	struct slice text; /* in place of parts */
	const struct post_refs *refs;
	struct slice lacks; /* the capability */
};
/* As permission_begin(), for what it takes to post it. */
void permission_ask_post(
    struct request *r, const struct permission_post *m, permission_fn *done);

/*
 * permission_wait.c: requests that are waited for.
 */
struct permission_waiter {
	LIST_ENTRY(permission_waiter) entry;
	struct request *request; /* whose pool has this */
	struct id id;
	int64_t until_ms; /* of clock_mono() */
	/* Asks again: it may have ended, or the time is over. */
	void (*fn)(struct permission_waiter *w);
	bool asks; /* the database, now */
	bool told; /* meanwhile that it ended */
};
void permission_wait_enter(struct permission_waiter *w, bool asks);
/* Was it told since it entered? */
bool permission_wait_leave(struct permission_waiter *w);
/* It ended; NULL: nobody knows which did. */
void permission_wait_over(struct core *c, const struct id *permission);
/* Once a second. */
void permission_wait_tick(struct core *c);
/* Fails those that still wait: the process ends itself. */
void permission_wait_close(struct core *c);

/*
 * command.c: commands that members offer.
 */
struct command {
	struct id id;
	struct id request; /* for it; or zero */
	struct id channel; /* or zero: in all */
	struct slice name;
	struct id owner;
	struct slice owner_name;
};
/* Puts the line of one that is there from now on into a row; by: who allowed
 * it. */
void command_line(struct db_params *row, int64_t k, const struct id *mesh,
    const struct command *c, const struct id *by);
/* Tells of the request for one: it is open (status {NULL, 0}), or ended. */
void command_tell(struct core *core, const struct id *mesh,
    const struct command *c, struct slice status);

/*
 * post_refs.c: who and what a message calls.
 */
struct post_mention {
	size_t part;
	struct id member;
	struct slice label;
	int64_t start; /* -1: it did not say */
	int64_t end;
};
struct post_command {
	size_t part;
	struct slice text; /* as it was called */
	struct slice owner_name;
	struct slice name;
	struct slice invocation;
	struct slice args; /* JSON, or {NULL, 0} */
	struct slice keys; /* JSON: those of args */
	struct id command; /* or zero: nobody has registered it */
	struct id owner;
	bool sees; /* its owner may see the channel */
};
/* Of a message, of the request's pool. */
struct post_refs {
	struct post_mention *mentions;
	size_t nmentions;
	struct post_command *commands;
	size_t ncommands;
};
/* Reads parts, which were checked.  False: the request failed. */
bool post_refs_read(struct request *r, const struct list *parts,
    struct post_refs *out) MUST_CHECK;
/* Looks up who is meant, and calls fn; or fails the request. */
typedef void post_refs_fn(struct request *r);
void post_refs_find(struct request *r, const struct channel *c,
    struct post_refs *refs, post_refs_fn *fn);
/* Their lines, behind the message's own. */
void post_refs_lines(struct db_params *row, const struct post *p,
    bool is_thread, const struct post_refs *refs);
/* It was posted: tells them. */
void post_refs_tell(
    struct core *c, const struct post *p, const struct post_refs *refs);

#endif
