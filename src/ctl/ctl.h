/* SPDX-License-Identifier: ISC */
/*
 * ctl: linnetctl(8), the operator's tool.  What concerns the running daemon
 * goes through its control socket; what concerns meshes goes to the database,
 * whether the daemon runs or not, and the daemons that use it are told by
 * NOTIFY.
 *
 * A command is a row of the table in ctl_table.c and a function in the file of
 * its noun; it returns when it succeeded, and else ends in ctl_fail().
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include "base/base.h"
#include "conf/conf.h"
#include "core/core.h"
#include "db/db.h"

struct ctl;

enum ctl_needs {
	CTL_NOTHING,
	CTL_DAEMON,
	CTL_DATABASE
};

struct ctl_command {
	const char *name; /* one word, or two */
	const char *args;
	const struct usage_option *options;
	enum ctl_needs needs;
	void (*run)(struct ctl *c);
	const char *text; /* as in struct usage_command */
	const char *more;
};

/* What a command works with. */
struct ctl {
	struct usage_line line;
	const struct ctl_command *command;
	struct conf *conf; /* of the daemon */
	bool json;
	struct db_sync *db; /* of commands that need the database */
	char **args;	    /* without the options */
	int nargs;
};

/*
 * ctl_table.c: the table of commands.
 */
extern const struct ctl_command table_commands[]; /* ended by a NULL name */
extern const struct usage_option table_globals[]; /* ended by a NULL name */
/* For usage_*(); freed when the program ends. */
const struct usage *table_usage(void);

/*
 * ctl_args.c: the command line.
 */
/* Sorts it into options, the command and its arguments; exits when that
 * fails, or when it asks for help or the version. */
void ctl_args_read(struct ctl *c, int argc, char **argv);
/* The value of the last option of this name, or NULL. */
const char *ctl_given(const struct ctl *c, const char *name);
/* A number of an option, or `otherwise` without it. */
int64_t ctl_given_num(const struct ctl *c, const char *name, int64_t min,
    int64_t max, int64_t otherwise);
/* A time in ms, likewise. */
int64_t ctl_given_time(
    const struct ctl *c, const char *name, int64_t min, int64_t otherwise);
/* What is done cannot be undone: exits unless --yes was given or `word` is
 * typed on a terminal.  fmt says what will be done. */
void ctl_confirm(const struct ctl *c, const char *word, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/*
 * ctl.c: how a command ends, and the database.
 */
/* Says what is wrong and what to do, and exits with a status of sysexits(3).
 */
void ctl_fail(int status, const char *fmt, ...) PRINTF_LIKE(2, 3)
    __attribute__((noreturn));
/* Connects to the database, whose schema must be this program's; exits when
 * that fails. */
void ctl_database(struct ctl *c);
/* The same, but false where it cannot be reached. */
bool ctl_database_try(struct ctl *c);
/* Runs a statement that must succeed; exits when it does not. */
void ctl_query(struct ctl *c, struct db_params *p, db_fn *fn, void *arg);
/* The same; returns how many rows there were. */
size_t ctl_query_rows(struct ctl *c, struct db_params *p);
/* Tells the daemons that a member (NULL: the mesh) changed. */
void ctl_tell(struct ctl *c, const struct id *mesh, const struct id *member);

/*
 * ctl_out.c: answers: rows for people, or JSON.
 */
struct ctl_table;
/* Headings are NULL-ended. */
struct ctl_table *ctl_table_new(const char *const *headings);
/* As many texts as headings; copied, and made fit for a terminal. */
void ctl_table_row(struct ctl_table *t, const char *const *texts);
/* Aligned on a terminal, else with tabs; frees it. */
void ctl_table_print(struct ctl_table *t);
/* A column of an answer: heading, key in JSON, type, column of the result. */
#define CTL_COLUMNS_MAX 24
enum ctl_type {
	CTL_TEXT,
	CTL_INT,
	CTL_BOOL,
	CTL_ID,
	CTL_KEY,
	CTL_TIME,
	CTL_TEXTS,  /* an array of them */
	CTL_STATUS, /* of a session */
	CTL_WORKER  /* of its ref */
};
struct ctl_column {
	const char *heading;
	const char *key;
	enum ctl_type type;
	unsigned at;
};
/* Runs a statement and prints its rows, as a table or as JSON. */
void ctl_print_rows(struct ctl *c, struct db_params *p,
    const struct ctl_column *columns, size_t n);
/* A row of an answer as members of the object that was begun. */
void ctl_write_row(struct json_writer *w, const struct db_result *r, size_t row,
    const struct ctl_column *columns, size_t n);
/* The same for people, a line for each column. */
void ctl_print_row(const struct db_result *r, size_t row,
    const struct ctl_column *columns, size_t n);
/* Prints what was written as JSON, with a newline. */
void ctl_print_json(struct buf *b);
#define CTL_JSON_MAX (256u << 20)
/* An answer that is one sentence; or, with --json, an object of the pairs of
 * key and text, which are NULL-ended. */
void ctl_print_done(const struct ctl *c, const char *const *pairs,
    const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Text of others made fit for a terminal; the caller's to free. */
char *ctl_safe(const char *s, size_t n);

/*
 * ctl_qr.c
 */
/* Exits when this program was built without what draws QR codes. */
void ctl_qr_check(void);
/* Prints the text as a QR code of blocks, two modules in each character. */
void ctl_qr_print(const char *text);

/*
 * ctl_mesh.c: meshes, and what the commands know of one.
 */
struct ctl_mesh {
	struct id id;
	char slug[129];
	char name[257];
	char root_key[64];
	uint8_t owner[CRYPTO_KEY_LEN];
	uint8_t secret[CRYPTO_SECRET_LEN];
	bool has_secret;
	bool archived;
};
#define CTL_MESH_SECRET 0x01   /* its owner's secret key is needed */
#define CTL_MESH_ARCHIVED 0x02 /* it may be archived */
/* Finds a mesh; exits when there is none. */
void ctl_mesh_find(
    struct ctl *c, struct ctl_mesh *m, const char *slug, unsigned flags);
/* Makes a mesh with new owner keys; the secret one is kept sealed. */
void ctl_mesh_make(struct ctl *c, struct ctl_mesh *m, const char *slug,
    const char *name, bool keep);

/*
 * ctl_seal.c: the owners' secret keys, as the database has them.
 */
#define CTL_SEALED_LEN (CRYPTO_NONCE_LEN + CRYPTO_SECRET_LEN + CRYPTO_BOX_EXTRA)
void ctl_seal(
    struct ctl *c, const struct ctl_mesh *m, uint8_t sealed[CTL_SEALED_LEN]);
void ctl_unseal(struct ctl *c, struct ctl_mesh *m, struct slice sealed);

/*
 * ctl_member.c
 */
struct ctl_member {
	struct id id;
	uint8_t key[CRYPTO_KEY_LEN];
	char name[520];
	char role[16];
	bool banned;
};
/* Who is meant by an id, a public key or a name; exits when that is nobody, or
 * several. */
void ctl_member_find(struct ctl *c, const struct ctl_mesh *m,
    struct ctl_member *member, const char *who);
/* Makes a member with new keys. */
void ctl_member_make(struct ctl *c, const struct ctl_mesh *m, const char *name,
    const char *role, struct id *id, uint8_t pub[CRYPTO_KEY_LEN],
    uint8_t secret[CRYPTO_SECRET_LEN]);
/* Adds what a person said to a statement: an id, a key, a folded name. */
void ctl_put_who(struct db_params *p, const char *who);

/*
 * ctl_invite.c, ctl_daemon.c
 */
/* Makes an invite; the token is the caller's to free. */
char *ctl_invite_make(struct ctl *c, const struct ctl_mesh *m, struct id *id,
    const char *role, int64_t uses, int64_t expires_ms);
/* The WebSocket URL that clients shall use; the caller's to free. */
char *ctl_daemon_url(struct ctl *c);
/* Asks the daemon, with NULL-ended words; exits when nobody answers or the
 * answer is an error.  *fd is a descriptor that came with it, or -1; NULL: none
 * is expected. */
void ctl_daemon_ask(
    struct ctl *c, const char *const *words, struct buf *reply, int *fd);

/*
 * The commands, in the files of their nouns.
 */
void ctl_status(struct ctl *c);
void ctl_ping(struct ctl *c);
void ctl_reload(struct ctl *c);
void ctl_drain(struct ctl *c);
void ctl_stop(struct ctl *c);
void ctl_log_level(struct ctl *c);
void ctl_trace(struct ctl *c);
void ctl_host_list(struct ctl *c);
void ctl_session_list(struct ctl *c);
void ctl_kick(struct ctl *c);
void ctl_mesh_create(struct ctl *c);
void ctl_mesh_list(struct ctl *c);
void ctl_mesh_show(struct ctl *c);
void ctl_mesh_set(struct ctl *c);
void ctl_mesh_rename(struct ctl *c);
void ctl_mesh_archive(struct ctl *c);
void ctl_mesh_unarchive(struct ctl *c);
void ctl_mesh_delete(struct ctl *c);
void ctl_member_create(struct ctl *c);
void ctl_member_password(struct ctl *c);
void ctl_member_list(struct ctl *c);
void ctl_member_show(struct ctl *c);
void ctl_member_role(struct ctl *c);
void ctl_member_rename(struct ctl *c);
void ctl_member_revoke(struct ctl *c);
void ctl_ban(struct ctl *c);
void ctl_unban(struct ctl *c);
void ctl_bans(struct ctl *c);
void ctl_invite_create(struct ctl *c);
void ctl_invite_list(struct ctl *c);
void ctl_invite_revoke(struct ctl *c);
void ctl_token_create(struct ctl *c);
void ctl_token_list(struct ctl *c);
void ctl_token_revoke(struct ctl *c);
void ctl_audit_verify(struct ctl *c);
void ctl_audit_export(struct ctl *c);
void ctl_audit_checkpoint(struct ctl *c);
void ctl_audit_key(struct ctl *c);
void ctl_seed(struct ctl *c);
void ctl_help(struct ctl *c);
void ctl_completion(struct ctl *c);

#endif
