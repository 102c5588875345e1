/* SPDX-License-Identifier: ISC */
/*
 * cli: linnet(1), a client of liblinnet.
 *
 * A command is a row of the table in cli_commands.c and a function in the file
 * of its noun.  A function returns an exit status of sysexits.h, and has said
 * why on stderr when it is not 0.  Most ask the broker one thing and print the
 * answer: those are a struct cli_question.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdio.h>

#include "base/base.h"
#include "linnet.h"

struct cli;
struct cli_mesh;

struct cli_command {
	struct usage_command usage;
	int (*run)(struct cli *c);
};

/* What a command works with: options, arguments, output. */
struct cli {
	struct usage_line line;
	const char *config_file; /* NULL: where it always is */
	const char *mesh;	 /* NULL: the one that was chosen */
	bool json;
	bool quiet;
	char **argv; /* arguments */
	int argc;
	struct pool pool; /* of the whole run */
	FILE *out;
	bool unwritten; /* out failed, and that was said */
	bool tty;	/* out is a terminal */
	bool colour;
};

/*
 * cli.c: what is done around each command.
 */
/* The whole program, but for exit(3). */
int cli_main(int argc, char **argv);

/*
 * cli_commands.c: the table of commands.
 */
extern const struct cli_command cli_commands[]; /* ended by a NULL name */
/* For usage_*(). */
const struct usage *cli_commands_usage(void);

/*
 * cli_help.c: what people see of it.
 */
int cli_help(struct cli *c);
int cli_completion(struct cli *c);

/*
 * cli_args.c: what was given to a command.
 */
/* The value of an option ("" without one), or NULL. */
const char *cli_given(const struct cli *c, const char *name);
/* All values of an option, ended by NULL; NULL: none. */
const char *const *cli_given_all(struct cli *c, const char *name);
/* Words of an option between commas or spaces, ended by NULL, of the pool;
 * NULL: it was not given. */
const char *const *cli_given_words(struct cli *c, const char *name);
/* A JSON object of an option, or NULL; false: it was none, and that was said:
 * EX_DATAERR. */
bool cli_given_object(
    const struct cli *c, const char *name, const char **object);
/* A number of an option, from 1; `otherwise` without it; -2: it was none, and
 * that was said. */
int64_t cli_given_num(const struct cli *c, const char *name, int64_t otherwise);
/* A time like 30s, in ms; likewise. */
int64_t cli_given_time(
    const struct cli *c, const char *name, int64_t otherwise);
/* The end of such a time from now, in ms since 1970; 0: none was given.
 * false: it was no time, and that was said. */
bool cli_given_expiry(const struct cli *c, const char *name, int64_t *at);
/* Arguments from the nth on, joined by spaces, or stdin when the only one is
 * "-" or there is none and stdin is no terminal.  UTF-8, without the last
 * newline.  NULL: *status says why. */
const char *cli_args_text(struct cli *c, int n, size_t *len, int *status);

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
/* All is out; or the exit status when it could not be written, which is said
 * once. */
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

/* A column of a list that the broker sends: the member of each row. */
struct cli_column {
	const char *head;
	const char *key;
	enum {
		CELL_TEXT,
		CELL_NUMBER,
		CELL_TIME,   /* milliseconds since 1970 */
		CELL_TEXTS,  /* an array of them */
		CELL_GROUPS, /* names with roles */
		CELL_VALUE,  /* any JSON */
	} kind;
};
/* Prints the array j[list]; false: it has no row. */
bool cli_table_list(struct cli *c, const struct json *j, size_t list,
    const struct cli_column *columns);

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
/* A value for people: a string as its text, all else as JSON; lines as in
 * cli_print_escape(). */
const char *cli_json_text(
    struct cli *c, const struct json *j, size_t at, int lines);
/* Texts of an array: "a, b". */
const char *cli_json_texts(
    struct cli *c, const struct json *j, size_t i, const char *key);
/* Names of groups, with roles: "dev, ops:lead". */
const char *cli_json_groups(struct cli *c, const struct json *j, size_t i);

/*
 * cli_file_place.c
 */
/* The last part of a path; NULL: it has none. */
const char *cli_file_base(const char *path);
/* A file of any name, as one of a directory here: no path, not hidden, nothing
 * that a terminal obeys. */
char *cli_file_safe_name(struct pool *pool, const char *name);
/* Gives a file, which is called part until then, its name, and the mode that
 * new files have.  false and errno: EEXIST if there is one and it shall not be
 * replaced. */
bool cli_file_finish(int fd, const char *part, const char *name, bool replace);
/* The same with a name that is free in a directory, made of any name: its path,
 * or NULL and errno. */
char *cli_file_settle(struct pool *pool, int fd, const char *part,
    const char *dir, const char *name);

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
	char *ca_file; /* authorities of the broker; "": the system's */
	/* What is said of every inbox, "" for what is not. */
	char *status;
	char *summary;
	char *visible; /* "no" */
	char *avatar, *title, *bio;
	char *capabilities; /* a line each */
	struct cli_group *groups;
	size_t ngroups;
	char *more; /* members that we do not know, as JSON */
};

struct cli_config {
	char *file;
	char *display_name; /* "" for none */
	char *chosen;	    /* id of the mesh to work in; "" for none */
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
/* The one of this id, or NULL. */
struct cli_mesh *cli_config_find(struct cli_config *f, const char *mesh_id);
/* Forgets a mesh, and its keys. */
void cli_config_drop(struct cli_config *f, struct cli_mesh *m);
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
 * with callbacks; in the groups of the configuration, unless `with` has some.
 */
int cli_session_new(
    struct cli *c, struct cli_session *s, const struct linnet_config *with);
/* Its two steps: what the configuration says, and the session. */
int cli_session_find(struct cli *c, struct cli_session *s);
int cli_session_make(
    struct cli *c, struct cli_session *s, const struct linnet_config *with);
void cli_session_close(struct cli_session *s);

/*
 * cli_slot.c: which session an agent is.
 */
struct cli_slot {
	const char *session; /* its id, of the pool */
	int fd;
};
/* What agents are told apart by, besides their directory. */
struct cli_slot_of {
	const char *use; /* "mcp", "launch" */
	const char *config_file;
	const char *mesh_id;
	const char *name; /* or NULL */
};
/* The session is always the same for an agent that is started with the same of
 * these in this directory, and another one while that is running.  It is taken
 * for as long as this process, or one that it becomes, runs.  False, with
 * errno: it cannot be kept. */
bool cli_slot(
    struct cli *c, struct cli_slot *slot, const struct cli_slot_of *of);
/* Takes a session that the agent was given, for as long.  One that just ends
 * is waited for, a second at most.  False: somebody else is this session, as
 * when an agent starts another one and leaves it the environment. */
bool cli_slot_take(struct cli *c, struct cli_slot *slot,
    const char *config_file, const char *session);
/* Notes something short at it, and reads what the owner of one has noted, of
 * the pool: of a session, or else of the only one that runs there with these.
 * NULL: there is none. */
void cli_slot_note(const struct cli_slot *slot, const char *text, size_t n);
const char *cli_slot_noted(struct cli *c, const struct cli_slot_of *of,
    const char *cwd, const char *session);

/*
 * cli_ask.c: connect, ask, check, print.
 */
struct cli_question {
	/* Asks by one of liblinnet's operations, with linnet_keep and r. */
	int (*ask)(struct cli *c, struct linnet *l, const void *arg,
	    struct linnet_result *r);
	/* A list is in this member of the answer, and has these columns;
	 * `none` says that it is empty. */
	const char *list;
	const struct cli_column *columns;
	const char *none;
	/* Prints the rest for people; NULL: nothing.  An exit status. */
	int (*print)(struct cli *c, const struct json *j);
};
int cli_ask(struct cli *c, const struct cli_question *q, const void *arg);
/* The same over a connection that is there, into j, which the caller frees in
 * any case. */
int cli_ask_over(struct cli *c, struct linnet *l, const struct cli_question *q,
    const void *arg, struct linnet_result *r, struct json *j);

/*
 * cli_follow.c: sessions that go on until they are told to stop.
 */
/* Turns of the loop until a signal to stop came, *status is not 0, or no time
 * is left: *heard_ms is when something was heard last, timeout_ms -1 has no
 * end.  tick, which may be NULL, is called about every second.  Then says
 * goodbye.  0, or an exit status. */
struct cli_follow {
	int64_t timeout_ms;
	int64_t heard_ms; /* of clock_mono() */
	int status;
	void (*tick)(void *arg);
	void *arg;
};
int cli_follow(struct linnet *l, struct cli_follow *f);
/* Something was heard. */
void cli_follow_heard(struct cli_follow *f);
/* From now on cli_follow() ends at a signal to stop. */
void cli_follow_catch(void);
bool cli_follow_stopped(void);

/*
 * cli_presence.c: what a member says of itself.  It is kept in the
 * configuration, and every inbox says it.
 */
/* Says what the configuration has, over a connection that is OPEN. */
void cli_presence_say(
    struct cli *c, struct linnet *l, const struct cli_mesh *m);
int cli_set_status(struct cli *c);
int cli_set_summary(struct cli *c);
int cli_set_visible(struct cli *c);
int cli_set_profile(struct cli *c);

/*
 * cli_prompt.c: questions to a person.
 */
/* Is there one? */
bool cli_prompt_can(void);
/* A line of an answer, `otherwise` (or "") when it is empty; NULL: no answer
 * will come. */
const char *cli_prompt_line(
    struct cli *c, const char *question, const char *otherwise);
bool cli_prompt_yes(struct cli *c, const char *question);

/*
 * cli_notice.c: what the broker tells a member at once.
 */
/* A line of what happened, safe to print, of the pool; and the id of what it
 * is about. */
const char *cli_notice_text(struct cli *c, const struct linnet_notice *n);
const char *cli_notice_id(const struct linnet_notice *n);

/*
 * cli_screen.c: the whole terminal.
 */
enum cli_key {
	KEY_NONE, /* nothing was typed */
	KEY_UP,
	KEY_DOWN,
	KEY_PAGE_UP,
	KEY_PAGE_DOWN,
	KEY_NEXT,
	KEY_QUIT,
	KEY_OTHER,
};
/* Takes the terminal; false: there is none. */
bool cli_screen_start(void);
/* Gives it back, if it was taken. */
void cli_screen_end(void);
/* Its size changed since this was asked. */
bool cli_screen_resized(void);
void cli_screen_size(int *rows, int *columns);
/* Appends as much of a text, which is safe to print, as fits. */
void cli_screen_line(struct buf *b, const char *safe, int columns);
/* Shows lines, as many as the terminal has. */
void cli_screen_show(const struct buf *lines);
/* The next key, without waiting. */
enum cli_key cli_screen_key(void);

/*
 * The commands, in the files of their nouns.
 */
int cli_join(struct cli *c);
int cli_list(struct cli *c);
int cli_use(struct cli *c);
int cli_leave(struct cli *c);
int cli_status(struct cli *c);
int cli_doctor(struct cli *c);
int cli_install(struct cli *c);
int cli_uninstall(struct cli *c);
int cli_hook(struct cli *c);
int cli_launch(struct cli *c);
int cli_send(struct cli *c);
int cli_inbox(struct cli *c);
int cli_message_status(struct cli *c);
int cli_message_edit(struct cli *c);
int cli_message_redact(struct cli *c);
int cli_message_react(struct cli *c);
/* What a message in a channel shall say, from --parts or the text of the
 * arguments from the second on.  0, or an exit status. */
int cli_post_said(struct cli *c, struct linnet_post *p);
/* send, to a #channel. */
int cli_post_send(struct cli *c);
int cli_channel_create(struct cli *c);
int cli_channel_list(struct cli *c);
int cli_channel_join(struct cli *c);
int cli_channel_leave(struct cli *c);
int cli_channel_members(struct cli *c);
int cli_channel_add(struct cli *c);
int cli_channel_remove(struct cli *c);
int cli_channel_delete(struct cli *c);
int cli_thread_create(struct cli *c);
int cli_thread_list(struct cli *c);
int cli_replay(struct cli *c);
int cli_replay_follow(struct cli *c);
int cli_replay_read(struct cli *c);
int cli_replay_mark(struct cli *c);
int cli_grant_create(struct cli *c);
int cli_grant_list(struct cli *c);
int cli_grant_revoke(struct cli *c);
int cli_grant_check(struct cli *c);
int cli_request_create(struct cli *c);
int cli_request_list(struct cli *c);
int cli_request_show(struct cli *c);
int cli_request_approve(struct cli *c);
int cli_request_deny(struct cli *c);
int cli_command_register(struct cli *c);
int cli_command_list(struct cli *c);
int cli_command_delete(struct cli *c);
int cli_search(struct cli *c);
int cli_schedule_add(struct cli *c);
int cli_schedule_list(struct cli *c);
int cli_schedule_cancel(struct cli *c);
int cli_peers(struct cli *c);
int cli_watch(struct cli *c);
int cli_group_join(struct cli *c);
int cli_group_leave(struct cli *c);
int cli_state_get(struct cli *c);
int cli_state_set(struct cli *c);
int cli_state_delete(struct cli *c);
int cli_state_list(struct cli *c);
int cli_state_watch(struct cli *c);
/* A change as a line of JSON. */
void cli_state_print_json(struct cli *c, const struct linnet_state_change *s);
int cli_memory_remember(struct cli *c);
int cli_memory_recall(struct cli *c);
int cli_memory_list(struct cli *c);
int cli_memory_forget(struct cli *c);
int cli_memory_restore(struct cli *c);
int cli_token_create(struct cli *c);
int cli_token_list(struct cli *c);
int cli_token_revoke(struct cli *c);
int cli_file_share(struct cli *c);
int cli_file_get(struct cli *c);
int cli_file_list(struct cli *c);
int cli_file_status(struct cli *c);
int cli_file_delete(struct cli *c);
/* Uploads files for a message; *ids are of the pool.  0, or an exit status. */
int cli_file_attach(struct cli *c, struct linnet *l, const char *const *paths,
    const char *const **ids);
int cli_block(struct cli *c);
int cli_unblock(struct cli *c);
int cli_blocks(struct cli *c);
int cli_kick(struct cli *c);
int cli_disconnect(struct cli *c);
int cli_ban(struct cli *c);
int cli_unban(struct cli *c);
int cli_bans(struct cli *c);
int cli_mcp(struct cli *c);

#endif
