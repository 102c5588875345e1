/* SPDX-License-Identifier: ISC */
/*
 * conf: linnetd.conf(5).  options.def is the only list of options: struct
 * conf, the parser, the ranges, the defaults, the printer and the manual are
 * all made from it.
 *
 * The caller makes the defaults, loads the file over them, sets -o over both,
 * and checks:
 *	c = conf_new(); conf_load(c, ...); conf_set(c, ...)...; conf_check(c)
 * When a step fails, the conf is good for conf_free() only.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/base.h"

/* What conf_check() lets through prints as at most so many bytes, so that a
 * configuration fits into one message between processes. */
#define CONF_TEXT_MAX (128 * 1024)

struct conf_list {
	char **v; /* NULL-ended, also when empty */
	size_t n;
};

/* Index of each option in conf_options. */
enum conf_at {
#define OPT(name, field, type, min, max, value, reload, text) CONF_AT_##field,
#include "conf/options.def"
#undef OPT
	CONF_COUNT
};

struct conf {
#define CONF_FIELD_STR char *
#define CONF_FIELD_INT int64_t
#define CONF_FIELD_BOOL bool
#define CONF_FIELD_TIME int64_t /* milliseconds */
#define CONF_FIELD_SIZE int64_t /* bytes */
#define CONF_FIELD_LIST struct conf_list
#define OPT(name, field, type, min, max, value, reload, text) \
	CONF_FIELD_##type field;
#include "conf/options.def"
#undef OPT
	uint8_t origin[CONF_COUNT]; /* enum conf_origin of each value */
};

/* Where a value came from; a later one goes over an earlier one. */
enum conf_origin {
	CONF_DEFAULT,
	CONF_FILE,
	CONF_LINE, /* -o */
};

enum conf_type {
	CONF_STR,
	CONF_INT,
	CONF_BOOL,
	CONF_TIME,
	CONF_SIZE,
	CONF_LIST,
};

struct conf_option {
	const char *name; /* "limit.head" */
	enum conf_type type;
	int64_t min;	   /* STR: bytes, LIST: entries */
	int64_t max;	   /* likewise */
	const char *value; /* the default as it would be written */
	bool reload;	   /* may HUP change it? */
	const char *text;  /* for the manual */
	size_t offset;	   /* of the field in struct conf */
};

/* CONF_COUNT rows in the order of options.def. */
extern const struct conf_option conf_options[];

/*
 * conf.c: values.
 */
/* The defaults; the caller's, ended by conf_free(). */
struct conf *conf_new(void);
void conf_free(struct conf *c);
/* NULL when there is none. */
const struct conf_option *conf_find(const char *name);
/* The field of an option, of the type that CONF_FIELD_ of its type names. */
void *conf_field(struct conf *c, const struct conf_option *o);
const void *conf_value(const struct conf *c, const struct conf_option *o);
/*
 * Reads one word into the field.  For a list, the first word from an origin
 * takes the place of all from earlier ones, further words are added, and an
 * empty word empties it.  -1: *error is a sentence, the caller's to free.
 */
int conf_put(struct conf *c, const struct conf_option *o, const char *word,
    enum conf_origin origin, char **error) MUST_CHECK;
/* What no single range says: options against each other, and forms of text.
 * -1: *error is a sentence, the caller's to free. */
int conf_check(const struct conf *c, char **error) MUST_CHECK;
/* The options whose values differ, in the order of the table; out has
 * CONF_COUNT places.  Returns how many.  option->reload tells which of them
 * need no restart. */
size_t conf_changes(
    const struct conf *a, const struct conf *b, const struct conf_option **out);
/* For a reload: gives c the values that old has for all options that only a
 * restart may change, so that c says what is in force. */
void conf_keep(struct conf *c, const struct conf *old);

/*
 * conf_parse.c: the text.  All return 0, or -1 and *error: a sentence that
 * begins with "file:line:column: " (conf_set: with "-o: "), the caller's to
 * free.
 */
/* Reads a file and what it includes over the defaults. */
int conf_load(struct conf *c, const char *path, char **error) MUST_CHECK;
/* Reads what conf_print() wrote, without includes; name is for errors. */
int conf_read(struct conf *c, const char *name, const char *text, size_t n,
    char **error) MUST_CHECK;
/* Sets one option from "key value" over defaults and file.  The first one for
 * a list replaces the list, further ones add to it. */
int conf_set(struct conf *c, const char *line, char **error) MUST_CHECK;

/*
 * conf_print.c: the canonical text: every option with its value, which
 * conf_read() reads back to the same conf.
 */
void conf_print(const struct conf *c, struct buf *b);
/* The value of one option as it stands in the file; for a list all entries,
 * a space between. */
void conf_print_value(
    const struct conf *c, const struct conf_option *o, struct buf *b);

/*
 * conf_files.c: where files are.
 */
/* NULL, or what is wrong with the options of files: a sentence. */
const char *conf_files_check(const struct conf *c);
/*
 * conf_webhook.c: the same for webhooks.
 */
const char *conf_webhook_check(const struct conf *c);

/* The directory; the caller's to free. */
char *conf_files_dir(const struct conf *c);

/*
 * conf_database.c: where the database is.
 */
/* Does linnetd run a PostgreSQL of its own? */
bool conf_is_private(const struct conf *c);
/* Appends libpq's connection string.  chrooted: for a process whose root is
 * state_dir/run, where the socket of the private database is. */
void conf_conninfo(const struct conf *c, bool chrooted, struct buf *out);
/* Appends the option `database` with *** in place of each password. */
void conf_mask_database(const struct conf *c, struct buf *out);

/*
 * conf_secret.c: files that others may not read.
 */
/* Can a word name such a file? */
bool conf_is_file(const char *s);
/* Where the file of an option is: its word, or credential:NAME, one that the
 * service manager passes on.  NULL and *error; else the caller's to free. */
char *conf_secret_path(const char *word, char **error) MUST_CHECK;
/* Appends a file of at most max bytes.  Give out the room for them before, so
 * that no copy of a secret stays behind.  secret: others may not be able to
 * read it.  -1 and *error. */
int conf_secret_read(const char *path, bool secret, size_t max, struct buf *out,
    char **error) MUST_CHECK;
/* The key under which tokens are stored; in state_dir it is made when it is
 * not there.  -1: *error is a sentence, the caller's to free. */
int conf_token_key(
    const struct conf *c, uint8_t key[CRYPTO_KEY_LEN], char **error) MUST_CHECK;
/* The same of the key that signs checkpoints: the seed of an Ed25519 pair. */
int conf_audit_key(const struct conf *c, uint8_t seed[CRYPTO_KEY_LEN],
    char **error) MUST_CHECK;
/* Entry i of audit.trust; false: it is no key. */
bool conf_audit_trust(
    const struct conf *c, size_t i, uint8_t key[CRYPTO_KEY_LEN]) MUST_CHECK;
/* The digest of platform.key_file under that key; zero: there is none.  As
 * before. */
int conf_platform_digest(const struct conf *c,
    const uint8_t key[CRYPTO_KEY_LEN], uint8_t digest[CRYPTO_DIGEST_LEN],
    char **error) MUST_CHECK;

#endif
