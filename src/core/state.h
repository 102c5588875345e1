/* SPDX-License-Identifier: ISC */
/*
 * The inside of shared state: what state.c (changes), state_list.c (reading),
 * state_push.c (telling) and state_watch.c (who wants to be told) share.
 */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include "core/domain.h"

#define STATE_KEY_MAX 256 /* bytes; stmts.sql knows it */
#define STATE_PAGE_MAX 1000

/*
 * state_list.c
 */
/* A key as it is answered. */
struct state_out {
	struct slice key;
	struct slice value; /* {NULL, 0}: there is no such key */
	struct slice by;
	int64_t updated_ms;
	int64_t version;
};
extern const struct field state_out_fields[];

struct state_page {
	struct slice prefix;
	struct list entries;
	bool more;
	struct slice next;
};
/* Reads keys with a prefix that come after another one ({NULL, 0}: all);
 * limit 0: as many as there are. */
void state_page_ask(struct request *r, struct slice prefix, struct slice after,
    int64_t limit, db_fn *fn);
/* Takes them from the answer; false after failing the request. */
bool state_page_read(struct request *r, const struct db_result *res,
    int64_t limit, struct state_page *page) MUST_CHECK;

/*
 * state_push.c: tells the sessions of this process of a change.
 */
void state_push(struct mesh *m, const struct state_change *s);

/*
 * state_watch.c: does the session want to know of the key?
 */
bool state_wants(const struct session *s, struct slice key);

#endif
