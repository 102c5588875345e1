/* SPDX-License-Identifier: ISC */
/*
 * linnet-dump from the inside.
 */
#ifndef DUMP_DUMP_H
#define DUMP_DUMP_H

#include "core/core.h"

/*
 * dump.c: lists and prose in mdoc(7).
 */
void dump_begin(void);
void dump_end(void);
/* Prose on lines of its own, a sentence a line. */
void dump_text(const char *s);
/* "what:" and a list of fields.  in: what a request takes.  hides: FIELD_REST
 * or FIELD_MESH. */
void dump_op_fields(
    const char *what, const struct field *f, bool in, unsigned hides);

/*
 * dump_rest.c: what linnet-rest(7) has, and the OpenAPI document.
 */
void dump_print_classes(void);
void dump_print_openapi(void);
void dump_print_paths(void);
void dump_print_routes(void);

#endif
