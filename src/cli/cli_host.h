/* SPDX-License-Identifier: ISC */
/*
 * Hosts of agents, and what linnet writes into their files.
 */
#ifndef CLI_CLI_HOST_H
#define CLI_CLI_HOST_H

#include <sys/stat.h>

#include "cli/cli.h"

/*
 * cli_host.c: the table of hosts.
 */
enum host_format {
	HOST_END,
	HOST_JSON,
	HOST_JSONC, /* with comments and trailing commas */
	HOST_TOML,
	HOST_OWN, /* a file of ours, whole */
};

enum host_kind {
	HOST_SERVER = 1, /* how linnet mcp is started */
	HOST_HOOK,	 /* an element of an array: what an event runs */
	HOST_NEEDED,	 /* a member without which it takes none of it */
};

/*
 * In what is written, $P is the program as JSON, $A its first arguments
 * ("--config", ...) as JSON with a comma behind them, and $H the shell's words
 * for both, followed by "hook", within a JSON text.
 */
struct host_entry {
	enum host_kind kind;
	const char *path;
	const char *value; /* JSON; lines of a table; a file */
};

struct host_file {
	const char *variable; /* a directory instead of home, or NULL */
	const char *below;    /* the file, below that */
	const char *home;     /* the same, below home */
	const char *instead;  /* another ending, when that file is there */
	enum host_format format;
	const struct host_entry *entries; /* ended by a kind 0 */
};

struct host {
	const char *name;
	const char *title;
	const char *program; /* that launch starts */
	/* Options before those of the user, or NULL; left out when the user
	 * gives one that begins like it. */
	const char *option;
	const char *dir_variable, *dir; /* who has this has the host */
	const char *note;	       /* what is left to do after installing */
	const struct host_file *files; /* ended by HOST_END */
};

#define HOST_NAMES "claude|codex|gemini|opencode|cursor|vscode"
extern const struct host cli_hosts[]; /* ended by a NULL name */
/* NULL: there is no such host. */
const struct host *cli_host(const char *name);
/* Is the host used on this machine, by this user? */
bool cli_host_found(struct cli *c, const struct host *h);
/* Where a file of it is; NULL: there is no home. */
const char *cli_host_path(struct cli *c, const struct host_file *f);
/* A program of the search path, or NULL. */
const char *cli_host_program(struct cli *c, const char *name);
/* This program, by a name that stays. */
const char *cli_host_self(struct cli *c);
/* What is written, with $P, $A and $H. */
const char *cli_host_value(struct cli *c, const char *value);
/* Is this command one of ours?  "linnet" with any directory, and for hooks with
 * "hook" behind it. */
bool cli_host_is_ours(const char *command, bool hook);

/*
 * cli_install.c: what a host's files say of linnet.
 */
/* Does a host have all of it?  Says what cannot be read. */
bool cli_install_is_done(struct cli *c, const struct host *h);
/* Installs, without asking when yes is set.  0, or an exit status. */
int cli_install_host(struct cli *c, const struct host *h, bool yes);

/*
 * cli_toml.c: one table in a TOML file.
 */
/* Adds it, or gives the one that is there the first of the lines, which is its
 * command.  NULL, or what is wrong with the file. */
const char *cli_toml_add(
    struct buf *text, const char *table, const char *lines);
/* Removes it, if its command is ours. */
const char *cli_toml_drop(struct buf *text, const char *table);
bool cli_toml_has(const struct buf *text, const char *table);

/*
 * cli_foreign.c: files of others.
 */
struct cli_foreign {
	char *name;
	char *path; /* without links */
	bool there;
	struct stat stat;
	struct buf text;
};
/* Reads it; one that is not there is empty.  0, or an exit status; then
 * cli_foreign_free() in any case. */
int cli_foreign_read(struct cli_foreign *f, const char *name);
void cli_foreign_free(struct cli_foreign *f);
/* May it be changed?  0, or an exit status. */
int cli_foreign_check(const struct cli_foreign *f);
/* Replaces it, or removes it with a NULL.  0, or an exit status. */
int cli_foreign_replace(
    const struct cli_foreign *f, const char *text, size_t n);
/* Writes a file with its directories; owner may be NULL.  -1: errno. */
int cli_foreign_put(const char *path, const char *text, size_t n, mode_t mode,
    const struct stat *owner);

/*
 * cli_diff.c: prints the lines that differ.
 */
void cli_diff_print(
    struct cli *c, const struct buf *old, const struct buf *new);

#endif
