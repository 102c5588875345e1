/* SPDX-License-Identifier: ISC */
/*
 * cli_edit: JSON files that belong to others, changed as text.
 */
#ifndef CLI_CLI_EDIT_H
#define CLI_CLI_EDIT_H

#include "cli/cli.h"

struct cli_edit {
	struct buf text;   /* the file, as it is to be */
	struct buf plain;  /* the same, comments as CLI_EDIT_COMMENT */
	struct buf strict; /* the same, as JSON */
	struct json j;	   /* of strict */
	bool comments;	   /* it may have some, and trailing commas */
	char error[256];   /* a sentence, after -1 */
};

/* Takes a text; one that is empty or blank is {}.  -1: it is no JSON object. In
 * any case cli_edit_free() follows. */
int cli_edit_init(
    struct cli_edit *e, const char *text, size_t n, bool comments) MUST_CHECK;
void cli_edit_free(struct cli_edit *e);
/*
 * A path is names with / between them.  *at is the node, or 0 when there is
 * none.  -1: what is on the way is no object, or there twice.
 */
int cli_edit_find(struct cli_edit *e, const char *path, size_t *at) MUST_CHECK;
/* Adds a member, with the objects on the way; the path must not be there. */
int cli_edit_add(
    struct cli_edit *e, const char *path, const char *json) MUST_CHECK;
/* Adds an element to an array, which is made when it is not there. */
int cli_edit_append(
    struct cli_edit *e, const char *path, const char *json) MUST_CHECK;
/* Puts a value in the place of another. */
int cli_edit_replace(
    struct cli_edit *e, size_t at, const char *json) MUST_CHECK;
/* Removes a value, and its name. */
int cli_edit_remove(struct cli_edit *e, size_t at) MUST_CHECK;
/* The array or object that a node is in. */
size_t cli_edit_parent(const struct cli_edit *e, size_t at);

#endif
