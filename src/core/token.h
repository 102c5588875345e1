/* SPDX-License-Identifier: ISC */
/*
 * Inside of tokens.
 *
 * A token is wat_ and 48 characters of base64url: 32 random bytes, then 4 by
 * which a mistyped one is told from one that nobody has.  The database has a
 * digest of it under a key that is not in the database.
 */
#ifndef CORE_TOKEN_H
#define CORE_TOKEN_H

#include "core/core.h"

/*
 * token_text.c: is it whole, as it was made?
 */
bool token_check(struct slice text) MUST_CHECK;

/*
 * token.c: what this process knows of them.
 */
/* One that somebody shows. */
struct token {
	struct id id;
	struct id mesh;
	struct id member;
	struct slice name;
	struct slice slug; /* of the mesh */
	struct slice member_name;
	struct slice role;
	uint64_t granted; /* scopes that it was made with */
	uint64_t scopes;  /* those of them that its member has now */
	int64_t created_ms;
	int64_t expires_ms;
	bool login; /* somebody showed a password for it */
	uint8_t digest[CRYPTO_DIGEST_LEN];
};
void token_open(struct core *c, const uint8_t key[CRYPTO_KEY_LEN]);
void token_close(struct core *c);
/* Whatever is known of the tokens of a member (NULL: of a mesh; and without
 * that: of all) may be over. */
void token_told(struct core *c, const struct id *mesh, const struct id *member);
/* Once a second: forgets what is too old. */
void token_tick(struct core *c);
/* The key of this host, for a token that is made. */
const uint8_t *token_key(const struct core *c);

/*
 * token_ops.c: a new one.
 */
struct token_new {
	struct id id;
	char text[TOKEN_LEN + 1];
	uint8_t digest[CRYPTO_DIGEST_LEN];
	uint8_t key_name[TOKEN_KEY_NAME_LEN];
	struct list scopes; /* their names, of the request's pool */
	int64_t expires_ms;
	const struct id *parent; /* with which it ends, or NULL */
};
/* Makes it; nobody knows of it yet.  It ends when the token ends by which it is
 * asked for, and not later than that. */
void token_new(struct request *r, struct token_new *t, uint64_t scopes,
    int64_t expires_ms);
/* Fails what was to make one by a token that ended meanwhile. */
void token_parent_over(struct request *r);
/* Scopes by their names, of which the request's client, and who has this role,
 * may give each; all of these when there are none.  0 after failing it. */
uint64_t token_scopes_asked(
    struct request *r, const struct list *asked, struct slice role);
/* When one ends that is asked for until then (0: as long as may be); 0 after
 * failing the request. */
int64_t token_expires_asked(struct request *r, int64_t asked_ms);

/*
 * token_watch.c: connections that stay.
 */
struct deputy;
/* A client that shows a token is closed when that is not good any more. */
void token_watch(struct client *c);
void token_unwatch(struct deputy *d);
/* As token_told(); and once a second. */
void token_watch_told(
    struct core *c, const struct id *mesh, const struct id *member);
void token_watch_tick(struct core *c);

#endif
