/* SPDX-License-Identifier: ISC */
/*
 * What memory.c (remembering, forgetting) and memory_search.c (finding) share.
 */
#ifndef CORE_MEMORY_H
#define CORE_MEMORY_H

#include "core/domain.h"

#define MEMORY_TAGS_MAX 64
#define MEMORY_LANGUAGE_MAX 64 /* bytes of a name */
#define MEMORY_LANGUAGE "english"

/* Calls fn when there is such a language, else fails the request with those
 * that there are. */
typedef void memory_fn(struct request *r, void *arg);
void memory_check_language(
    struct request *r, struct slice language, memory_fn *fn, void *arg);

#endif
