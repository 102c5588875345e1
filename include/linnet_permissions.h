/* SPDX-License-Identifier: ISC */
/*
 * Permissions, commands and search: the part of linnet.h, which includes it,
 * that is about them.  Operations are as those there.
 *
 * capability: what may be done, as the error `forbidden` names it
 * ("message:append"), or a word of applications.  resource_type and
 * resource_id: on what, as "channel" and an id; without an id: on all of the
 * type.  Times are milliseconds since 1970.
 */
#ifndef LINNET_H
#include "linnet.h"
#endif
#ifndef LINNET_PERMISSIONS_H
#define LINNET_PERMISSIONS_H

/*
 * Grants: for who may give them.
 */
struct linnet_grant {
	const char *member; /* id, key or name */
	const char *capability;
	const char *resource_type;
	const char *resource_id; /* or NULL */
	int64_t expires_at;	 /* 0: it does not */
	int64_t max_uses;	 /* 0: without end */
	const char *constraints; /* JSON: an object; or NULL */
};
int linnet_create_grant(struct linnet *l, const struct linnet_grant *g,
    linnet_reply_fn *fn, void *arg);
/* reason may be NULL. */
int linnet_revoke_grant(struct linnet *l, const char *grant_id,
    const char *reason, linnet_reply_fn *fn, void *arg);
/* All that a member has. */
int linnet_revoke_grants(struct linnet *l, const char *member,
    const char *reason, linnet_reply_fn *fn, void *arg);
/* What is NULL or 0 does not choose. */
struct linnet_permission_query {
	const char *member; /* list_grants: NULL: our own */
	int64_t limit;	    /* of results */
	const char *after;  /* next of the page before */
};
int linnet_list_grants(struct linnet *l,
    const struct linnet_permission_query *q, linnet_reply_fn *fn, void *arg);
/* Is it permitted, by our role in the mesh or by a grant?  What one may as
 * owner or admin of a channel is not asked.  Of g: capability; member (NULL:
 * we), resource_type and resource_id (NULL: any). */
int linnet_check_grant(struct linnet *l, const struct linnet_grant *g,
    linnet_reply_fn *fn, void *arg);

/*
 * Requests for a permission that we lack.  While one is open, another one with
 * the same id is the same.
 */
struct linnet_permission {
	const char *action; /* the capability */
	const char *resource_type;
	const char *resource_id; /* or NULL */
	const char *context; /* JSON: an object that says what for; or NULL */
	const char *id;	     /* our own, at most 256 bytes; NULL: random */
};
int linnet_request_permission(struct linnet *l,
    const struct linnet_permission *p, linnet_reply_fn *fn, void *arg);
/* Open ones: our own, and those that we may decide. */
int linnet_list_permission_requests(struct linnet *l,
    const struct linnet_permission_query *q, linnet_reply_fn *fn, void *arg);
int linnet_get_permission_request(
    struct linnet *l, const char *request_id, linnet_reply_fn *fn, void *arg);
struct linnet_resolution {
	const char *request_id;
	bool approve;
	const char *notes;  /* for who asked, or NULL */
	int64_t expires_at; /* of the grant; 0: it does not */
	int64_t max_uses;   /* 0: without end */
};
int linnet_resolve_permission(struct linnet *l,
    const struct linnet_resolution *s, linnet_reply_fn *fn, void *arg);

/*
 * Commands, which those who post call.
 */
struct linnet_command {
	const char *name;	 /* letters, digits, _ and - */
	const char *description; /* or NULL */
	const char *args_schema; /* JSON: an object; or NULL */
	const char *channel;	 /* only there, by id or name; NULL: anywhere */
};
int linnet_register_command(struct linnet *l, const struct linnet_command *c,
    linnet_reply_fn *fn, void *arg);
struct linnet_command_query {
	const char *channel; /* also those of this one */
	int64_t limit;
	const char *after;
};
int linnet_list_commands(struct linnet *l, const struct linnet_command_query *q,
    linnet_reply_fn *fn, void *arg);
int linnet_delete_command(
    struct linnet *l, const char *command_id, linnet_reply_fn *fn, void *arg);

/*
 * Search, among all that we may see.
 */
struct linnet_search {
	const char *query;
	const char *const *types; /* member, channel, thread, message, memory;
				   * ended by NULL; NULL: all of them */
	const char *channel;	  /* only there, by id or name; or NULL */
	int64_t limit;
	const char *after;
};
int linnet_search(struct linnet *l, const struct linnet_search *s,
    linnet_reply_fn *fn, void *arg);

/*
 * What is told at once to whom it concerns, and is kept for nobody: who was
 * away finds it by asking.  Good during the callback only; what it does not
 * say is "" and 0.
 */
struct linnet_notice {
	/* "permission_request": somebody asks for a permission, told to who
	 * may give it; "permission_resolved": ours was decided;
	 * "command_invoked": somebody calls a command of ours; "mention":
	 * somebody mentions us. */
	const char *kind;
	const char *at;	       /* RFC 3339 */
	const char *member_id; /* who asks, calls, mentions */
	const char *name;      /* its name */
	/* Of a permission. */
	const char *request_id;
	const char *action;
	const char *resource_type;
	const char *resource_id;
	const char *status; /* approved, denied */
	const char *grant_id;
	/* Of a command, and of a permission that is about one. */
	const char *command_id;
	const char *command;
	const char *invocation_id;
	const char *args; /* JSON; "null": none, or the message has them */
	/* Of a command and a mention: the message. */
	const char *channel_id;
	const char *message_id;
	int64_t seq;
	const char *label; /* how we were called */
	const char *json;  /* the whole push */
	size_t json_length;
};

#endif
