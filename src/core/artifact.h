/* SPDX-License-Identifier: ISC */
/*
 * Artifacts: files that are kept with a channel or a thread, for who may see
 * that.  What was kept is remembered when its bytes are gone.
 */
#ifndef CORE_ARTIFACT_H
#define CORE_ARTIFACT_H

#include "core/channel.h"
#include "core/file.h"

extern const struct field artifact_fields[];
extern const struct field artifact_answer_fields[];

/*
 * artifact.c: which one is meant.
 */
/* Calls fn with one that the member may see, of the request's pool; or fails
 * the request. */
typedef void artifact_fn(struct request *r, struct artifact_out *a);
void artifact_find(struct request *r, const struct id *id, artifact_fn *fn);
/* Reads a row of these; texts are the answer's, or of the pool. */
void artifact_read(struct artifact_out *a, const struct core *c,
    struct pool *pool, const struct db_result *res, size_t row);
/* Tells who follows its channel. */
void artifact_tell(
    struct core *c, const struct artifact_out *a, int64_t n, int64_t before);

#endif
