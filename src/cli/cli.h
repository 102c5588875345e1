/* SPDX-License-Identifier: ISC */
/*
 * cli: linnet(1), a client of liblinnet.
 *
 * A command is a row of the table in cli.c and a function in the file of its
 * noun.  A function returns an exit status of sysexits.h, and has said why on
 * stderr when it is not 0.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdio.h>

#include "base/base.h"
#include "linnet.h"

#define CLI_OPTIONS_MAX 128 /* given on one command line */

struct cli;
struct cli_mesh;

struct cli_option {
	const char *name; /* --name */
	char letter;	  /* -n, or 0 */
	const char *arg;  /* what follows it, or NULL */
	const char *text;
};

struct cli_command {
	const char *name; /* one word, or two */
	const char *alias;
	const char *args;
	int min, max;			  /* arguments; max -1: any number */
	const struct cli_option *options; /* ended by a NULL name */
	int (*run)(struct cli *c);
	const char *text; /* a line */
	const char *more; /* sentences for the manual */
};

/* What a command works with: options, arguments, output. */
struct cli {
	const struct cli_command *command;
	const char *config_file; /* NULL: where it always is */
	const char *mesh;
	bool json;
	bool quiet;
	bool help;
	bool version;
	char **argv; /* arguments */
	int argc;
	struct {
		const struct cli_option *option;
		const char *value;
	} given[CLI_OPTIONS_MAX];
	size_t ngiven;
	struct pool pool; /* of the whole run */
	FILE *out;
	bool tty; /* out is a terminal */
	bool colour;
};

/*
 * cli.c: the table of commands.
 */
/* The whole program, but for exit(3). */
int cli_main(int argc, char **argv);
/* The value of an option of the command ("" without one), or NULL. */
const char *cli_given(const struct cli *c, const char *name);

/*
 * cli_args.c: command lines.
 */
/* Sorts argv into c: options where they stand, and the words between them.
 * The command is found by its words.  0, or an exit status. */
int cli_args_read(struct cli *c, int argc, char **argv,
    const struct cli_command *commands, const struct cli_option *globals);
const struct cli_command *cli_args_find(const struct cli_command *commands,
    char *const *words, int nwords, int *taken);
/* Arguments from the nth on, joined by spaces, or stdin when the only one is
 * "-" or there is none and stdin is no terminal.  UTF-8, without the last
 * newline.  NULL: *status says why. */
const char *cli_args_text(struct cli *c, int n, size_t *len, int *status);
/* A time like 30s, in ms; -1: it was none, and that was said. */
int64_t cli_args_time(const char *option, const char *value);

/*
 * cli_print.c: what people and programs see.
 */
/* Writes to stderr: "linnet: ..." */
void cli_print_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The error of liblinnet, and its exit status. */
int cli_print_failure(const struct linnet_error *e);
/* Something nice to know, on stderr, unless --quiet. */
void cli_print_note(const struct cli *c, const char *fmt, ...)
    PRINTF_LIKE(2, 3);
/* Text from elsewhere, with what could move a cursor or turn a line around
 * made visible.  lines: newlines and tabs stay, and every line after the
 * first is indented by as many spaces. */
#define CLI_ONE_LINE (-1)
void cli_print_escape(struct buf *b, const char *s, size_t n, int lines);
/* The same into the pool, on one line. */
const char *cli_print_safe(struct cli *c, const char *s);
/* A line of JSON. */
void cli_print_json(struct cli *c, const char *text, size_t n);
/* All is out; or the exit status when it could not be written. */
int cli_print_end(struct cli *c);

/* A table: rows of cells, aligned with a head on a terminal, separated by tabs
 * elsewhere.  Cells are kept as they are given: of the pool. */
struct cli_table {
	const char *const *head; /* NULL-ended */
	const char **cells;
	size_t columns, n, cap;
};
void cli_table_init(struct cli_table *t, const char *const *head);
void cli_table_add(struct cli *c, struct cli_table *t, const char *cell);
void cli_table_print(struct cli *c, struct cli_table *t);

/*
 * cli_json.c: answers of the broker.
 */
/* Reads an answer; 0, or EX_PROTOCOL after saying so. */
int cli_json_read(struct json *j, const struct linnet_reply *reply);
/* The string at a key, as it is; "" when there is none. */
const char *cli_json_str(
    struct cli *c, const struct json *j, size_t i, const char *key);
/* The same, safe to print on one line. */
const char *cli_json_safe(
    struct cli *c, const struct json *j, size_t i, const char *key);
int64_t cli_json_int(const struct json *j, size_t i, const char *key);
bool cli_json_bool(const struct json *j, size_t i, const char *key);
/* A value of any type as its JSON text. */
struct slice cli_json_raw(const struct json *j, size_t at);
/* The array or object at a key; 0 when there is none. */
size_t cli_json_list(const struct json *j, size_t i, const char *key);
/* Names of groups, with roles: "dev, ops:lead". */
const char *cli_json_groups(struct cli *c, const struct json *j, size_t i);

/*
 * cli_config.c: ~/.linnet/config.json.
 */
struct cli_group {
	char *name;
	char *role; /* "" for none */
};

struct cli_mesh {
	char *mesh_id;
	char *member_id;
	char *slug;
	char *name;
	char *public_key;
	char *secret_key;
	char *broker_url;
	char *hook_token; /* "" for none */
	char *joined_at;
	struct cli_group *groups;
	size_t ngroups;
	char *more; /* members that we do not know, as JSON */
};

struct cli_config {
	char *file;
	char *display_name; /* "" for none */
	char *more;
	struct cli_mesh *meshes;
	size_t n;
	int lock; /* descriptor, or -1 */
};

/* Reads the configuration; one that is not there is empty.  lock: keeps others
 * from changing it until cli_config_free().  0, or an exit status. */
int cli_config_load(struct cli_config *f, const char *file, bool lock);
/* Writes it whole, or not at all. */
int cli_config_save(const struct cli_config *f);
void cli_config_free(struct cli_config *f);
/* The mesh that is meant; NULL: it was said why, *status is set. */
struct cli_mesh *cli_config_mesh(
    struct cli_config *f, const char *wanted, int *status);
/* A new, empty one. */
struct cli_mesh *cli_config_add(struct cli_config *f);
/* Replaces a text of the configuration. */
void cli_config_set(char **field, const char *value);

/*
 * cli_session.c: a connection as the member that the configuration says.
 */
struct cli_session {
	struct cli_config config;
	struct cli_mesh *mesh;
	struct linnet *linnet;
};
/* Connects for one thing and gets no messages.  0, or an exit status. */
int cli_session_open(struct cli *c, struct cli_session *s);
/* The same without connecting, for those with a loop: as an ordinary session
 * with callbacks. */
int cli_session_new(
    struct cli *c, struct cli_session *s, const struct linnet_config *with);
void cli_session_close(struct cli_session *s);
/* Connects, asks one thing, and reads the answer into j, which the caller
 * frees in any case.  0, or an exit status. */
int cli_session_ask(struct cli *c, struct cli_session *s, const char *type,
    const struct buf *fields, unsigned flags, struct json *j,
    struct linnet_reply *reply);

/*
 * The commands, in the files of their nouns.
 */
int cli_join(struct cli *c);
int cli_list(struct cli *c);
int cli_send(struct cli *c);
int cli_inbox(struct cli *c);
int cli_message_status(struct cli *c);
int cli_peers(struct cli *c);
int cli_group_join(struct cli *c);
int cli_group_leave(struct cli *c);
int cli_state_get(struct cli *c);
int cli_state_set(struct cli *c);
int cli_state_list(struct cli *c);
int cli_memory_remember(struct cli *c);
int cli_memory_recall(struct cli *c);
int cli_memory_forget(struct cli *c);
int cli_help(struct cli *c);

#endif
