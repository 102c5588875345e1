/* SPDX-License-Identifier: ISC */
/*
 * Units of memory: passages of what was said in channels, each there while one
 * of the messages that said it is.
 */
#ifndef CORE_UNIT_H
#define CORE_UNIT_H

#include "core/domain.h"

/*
 * unit_text.c: what of a text is worth remembering.  Nothing here asks anybody:
 * the same text gives the same units.
 */
#define UNIT_CHUNKS 8	 /* of one part of a message, its first ones */
#define UNIT_CHARS 280	 /* of a chunk */
#define UNIT_SUMMARY 140 /* characters */
#define UNIT_KEYWORDS 16
/* The passages of a text: all of it when it is short, else its sentences; white
 * space is one space, fillers ("ok", "thanks") are left out.  Returns how many;
 * they are of the pool. */
size_t unit_chunks(
    struct pool *pool, struct slice text, struct slice v[UNIT_CHUNKS]);
/* Two passages with one hash are the same one: their case does not count. */
void unit_hash(
    struct pool *pool, struct slice chunk, uint8_t out[CRYPTO_SHA256_LEN]);
/* It, or its beginning and an ellipsis. */
struct slice unit_summary(struct pool *pool, struct slice chunk);
/* Its words, each once, in lower case, without those that say little. */
size_t unit_keywords(
    struct pool *pool, struct slice chunk, struct slice v[UNIT_KEYWORDS]);

/*
 * unit.c: units, as they are told of.
 */
struct unit {
	struct id id;
	struct id mesh;
	struct id channel; /* zero: it is not for who asks */
	struct slice channel_type;
	struct slice visibility;
	bool private;
	struct slice content;
	struct slice summary;
	struct list keywords;
	struct id member;
	struct list sources;
	bool promoted;
	int64_t promoted_ms;
	struct id promoted_by;
	struct slice promoted_summary;
	int64_t created_ms;
	int64_t updated_ms;
};
extern const struct field unit_fields[];
/* From a column on; texts are the answer's. */
void unit_read(struct request *r, struct unit *u, const struct db_result *res,
    size_t row, unsigned column);
/* False after failing a request of who may not read channels, or where nothing
 * is remembered of them. */
bool unit_may(struct request *r) MUST_CHECK;

#endif
