/* SPDX-License-Identifier: ISC */
/*
 * ctl: linnetctl(8), the operator's tool.  What concerns the running daemon
 * goes through its control socket; what concerns meshes goes to the database,
 * whether the daemon runs or not.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include "base/base.h"
#include "conf/conf.h"
#include "core/core.h"
#include "db/db.h"

/*
 * ctl.c: the command table, what a command is given, and how it ends.
 */
struct ctl {
	struct conf *conf;
	bool json;
	struct db_sync *db; /* after ctl_database() */
	char **args;	    /* of the command, its options taken out */
	int nargs;
	const char *word; /* the command's name */
	/* Options. */
	const char *name;
	const char *role;
	const char *uses;
	const char *expires;
	const char *url;
	const char *owner_key;
	bool show_key;
};

/* Says what is wrong and what to do, and exits with a status of sysexits(3).
 */
void ctl_fail(int status, const char *fmt, ...) PRINTF_LIKE(2, 3)
    __attribute__((noreturn));
/* Connects to the database, whose schema must be this program's; exits when
 * that fails. */
void ctl_database(struct ctl *c);
/* Runs a statement that must succeed; exits when it does not. */
void ctl_query(struct ctl *c, struct db_params *p, db_fn *fn, void *arg);

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
#define CTL_COLUMNS_MAX 16
enum ctl_type {
	CTL_TEXT,
	CTL_INT,
	CTL_ID,
	CTL_KEY,
	CTL_TIME
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
/* Prints what was written as JSON, with a newline. */
void ctl_print_json(struct buf *b);

/*
 * ctl_mesh.c, ctl_invite.c, ctl_daemon.c, ctl_seed.c: the commands.
 */
void ctl_mesh_create(struct ctl *c);
void ctl_mesh_list(struct ctl *c);
void ctl_member_list(struct ctl *c);
void ctl_invite_create(struct ctl *c);
void ctl_daemon_status(struct ctl *c);
void ctl_daemon_word(struct ctl *c);
void ctl_seed(struct ctl *c);

/* A mesh, with its owner's keys. */
struct ctl_mesh {
	struct id id;
	char slug[129];
	char name[257];
	char root_key[64];
	uint8_t owner[CRYPTO_KEY_LEN];
	uint8_t secret[CRYPTO_SECRET_LEN];
	bool has_secret;
};
/* Makes a mesh with new owner keys. */
void ctl_mesh_make(
    struct ctl *c, struct ctl_mesh *m, const char *slug, const char *name);
/* Finds a mesh; exits when there is none. */
void ctl_mesh_find(struct ctl *c, struct ctl_mesh *m, const char *slug);
/* Makes a member with new keys. */
void ctl_member_make(struct ctl *c, const struct ctl_mesh *m, const char *name,
    const char *role, struct id *id, uint8_t pub[CRYPTO_KEY_LEN],
    uint8_t secret[CRYPTO_SECRET_LEN]);
/* Makes an invite; the token is the caller's to free. */
char *ctl_invite_make(struct ctl *c, const struct ctl_mesh *m, const char *role,
    int64_t uses, int64_t expires_ms);
/* The WebSocket URL that clients shall use; the caller's to free. */
char *ctl_daemon_url(struct ctl *c);

#endif
