/* SPDX-License-Identifier: ISC */
/*
 * Search: finding members, channels, threads, messages and memory.  What a
 * member may not see is not among what it finds, and leaves no trace there.
 */
#ifndef CORE_SEARCH_H
#define CORE_SEARCH_H

#include "core/domain.h"

/* In the order of search_page() in sql/. */
enum search_kind {
	SEARCH_MEMBER,
	SEARCH_CHANNEL,
	SEARCH_THREAD,
	SEARCH_MESSAGE,
	SEARCH_UNIT,   /* of memory, from messages */
	SEARCH_MEMORY, /* that somebody remembered */
	SEARCH_KINDS
};
#define SEARCH_BIT(kind) (INT64_C(1) << (kind))
#define SEARCH_QUERY_MAX 1024
#define SEARCH_CURSOR_MAX 160

/*
 * search_text.c: what is looked for, and places in what is found.
 */
/* A query as names are compared: its words without marks around them, and all
 * of them as one text.  Of the pool. */
#define SEARCH_WORDS 8
struct search_words {
	struct slice v[SEARCH_WORDS];
	size_t n;
	struct slice whole;
};
void search_words(
    struct pool *pool, struct slice query, struct search_words *out);

/* Where a page begins.  What is found comes in rounds, each of the newest
 * messages that the one before had not, and in a round by its score. */
struct search_place {
	int64_t at_ms; /* of the first page: ages are counted to it */
	int64_t below; /* the round; INT64_MAX: the first one */
	int64_t until; /* its end, -1: not known yet */
	int64_t score; /* of the last find; INT64_MAX: from its beginning */
	int64_t kind;
	struct id id;
};
void search_begin(struct search_place *p, int64_t at_ms, int64_t below);
/* As clients carry it, sealed with a key; -1: it is none. */
int search_read_place(struct slice s, const uint8_t key[CRYPTO_KEY_LEN],
    struct search_place *p) MUST_CHECK;
struct slice search_place_text(struct pool *pool,
    const uint8_t key[CRYPTO_KEY_LEN], const struct search_place *p);
/* Score in thousandths, as a JSON number. */
struct slice search_score(struct pool *pool, int64_t score);
/* At most so many characters, the last one an ellipsis when there is more. */
struct slice search_cut(struct pool *pool, struct slice s, size_t chars);

/*
 * search.c: pages.
 */
struct search_ask {
	struct slice query;
	int64_t kinds;
	struct id channel; /* only what is there; or zero */
	int64_t limit;
	struct search_place from;
};
/* Where a page begins, by what a client says; -1 after failing the request. */
int search_from(struct request *r, struct slice after,
    struct search_place *from) MUST_CHECK;
/* Puts what search_page() wants. */
void search_put(
    struct request *r, struct db_params *p, const struct search_ask *ask);
/* How many rows of its answer, from row 1 on, are for this page, and the cursor
 * of the next one, or {NULL, 0}.  Columns 0 to 2 are kind, id and score. */
size_t search_rows(struct request *r, const struct db_result *res,
    const struct search_ask *ask, struct slice *next);
/* A text[] of an answer, of the request's pool. */
struct list search_texts(
    struct request *r, const struct db_result *res, size_t row, unsigned col);

#endif
