/* SPDX-License-Identifier: ISC */
/*
 * base: what every other layer stands on.  No events, no policy, no I/O but
 * the log.  A section per file, in the order of their names.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NELEM(a) (sizeof(a) / sizeof((a)[0]))

/* The struct that embeds MEMBER, from a pointer to the member. */
#define CONTAINER(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Bytes that belong to somebody else; not terminated. */
struct slice {
	const char *p;
	size_t n;
};

#define SLICE_FMT "%.*s"
#define SLICE_ARG(s) (int)(s).n, (s).p

/*
 * alloc.c: memory.  The x functions are for sizes that we chose: they never
 * return NULL, running out is fatal.  A size that a client chose goes through
 * alloc_try() after its limit was checked.
 */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xreallocarray(void *p, size_t count, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
void *xmemdup(const void *p, size_t n);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* NULL and errno when there is no memory. */
void *alloc_try(size_t size) MUST_CHECK;

/*
 * bucket.c: token buckets, by clock_mono().
 */
struct bucket {
	int64_t at_ms;
	double tokens;
};
/* Takes n of a bucket that holds `burst` and gains `per_second`.  0, or the
 * milliseconds to wait; nothing is taken then. */
int64_t bucket_take(
    struct bucket *b, double n, double burst, double per_second) MUST_CHECK;
/* The same without taking them. */
int64_t bucket_look(
    struct bucket *b, double n, double burst, double per_second) MUST_CHECK;

/*
 * buf.c: bytes that grow up to a ceiling.  An add past the ceiling (or past
 * memory) changes nothing and leaves `failed` set; later adds are ignored, so
 * that a writer checks once, at its end.
 */
struct buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max; /* ceiling in bytes */
	bool failed;
};

void buf_init(struct buf *b, size_t max);
/* Frees the memory; the buf is empty and usable afterwards. */
void buf_free(struct buf *b);
/* Forgets the content and the failure, keeps the memory. */
void buf_clear(struct buf *b);
/* Room for n more bytes at data + len; the caller then adds to len. NULL and
 * failed when that is past the ceiling. */
char *buf_reserve(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_addc(struct buf *b, char c);
void buf_adds(struct buf *b, const char *s);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Big-endian integers. */
void buf_add16(struct buf *b, uint16_t v);
void buf_add32(struct buf *b, uint32_t v);
void buf_add64(struct buf *b, uint64_t v);
/* Drops n bytes from the front. */
void buf_drain(struct buf *b, size_t n);
/* Ends the content with a NUL that len does not count, and returns data;
 * NULL when failed. */
const char *buf_str(struct buf *b);

/*
 * clock.c: one reading of the clocks for a whole turn of the event loop.
 */
/* Reads the clocks.  Every loop calls it once a turn. */
void clock_update(void);
/* Milliseconds since some start, never going back: for timers. */
int64_t clock_mono(void);
/* Milliseconds since 1970 UTC: for what people and the database see. */
int64_t clock_wall(void);
/* Microseconds, read now: for measuring. */
int64_t clock_usec(void);
#define CLOCK_RFC3339_LEN 24
/* Writes 2026-11-20T12:00:00.000Z and a NUL. */
void clock_format(int64_t wall_ms, char out[CLOCK_RFC3339_LEN + 1]);
/* Reads an RFC 3339 time, of any offset from UTC and with any fraction, of
 * which milliseconds are kept; -1 when it is none. */
int clock_parse(const char *s, size_t n, int64_t *wall_ms) MUST_CHECK;

/*
 * crypto.c: the few primitives that Linnet uses, from libsodium but for SHA-1.
 */
#define CRYPTO_KEY_LEN 32    /* Ed25519 public key */
#define CRYPTO_SECRET_LEN 64 /* Ed25519 secret key: seed, then public key */
#define CRYPTO_SIG_LEN 64
#define CRYPTO_DIGEST_LEN 32 /* BLAKE2b-256 */
#define CRYPTO_NONCE_LEN 24  /* crypto_box */

/* Once per process, before anything else here and before hash.c and id.c;
 * fatal when it fails. */
void crypto_start(void);
void crypto_random_bytes(void *p, size_t n);
void crypto_new_pair(
    uint8_t pub[CRYPTO_KEY_LEN], uint8_t secret[CRYPTO_SECRET_LEN]);
/* The pair that a seed of 32 bytes always gives. */
void crypto_seed_pair(uint8_t pub[CRYPTO_KEY_LEN],
    uint8_t secret[CRYPTO_SECRET_LEN], const uint8_t seed[CRYPTO_KEY_LEN]);
void crypto_make_sig(uint8_t sig[CRYPTO_SIG_LEN], const void *msg, size_t n,
    const uint8_t secret[CRYPTO_SECRET_LEN]);
/* Strict Ed25519: canonical S, no small-order keys (RFC 8032 5.1.7). */
bool crypto_check_sig(const uint8_t sig[CRYPTO_SIG_LEN], const void *msg,
    size_t n, const uint8_t pub[CRYPTO_KEY_LEN]) MUST_CHECK;
/* Keyed when key is not NULL (32 bytes). */
void crypto_digest(uint8_t out[CRYPTO_DIGEST_LEN], const void *msg, size_t n,
    const uint8_t *key);
/* SHA-1, which only RFC 6455 4.2.2 asks for. */
void crypto_sha1(uint8_t out[20], const void *msg, size_t n);
/* RFC 2104 with SHA-256; a key of any length. */
#define CRYPTO_HMAC_LEN 32
void crypto_hmac(uint8_t out[CRYPTO_HMAC_LEN], const void *key, size_t keylen,
    const void *msg, size_t n);
/* FIPS 180-4. */
#define CRYPTO_SHA256_LEN 32
void crypto_sha256(uint8_t out[CRYPTO_SHA256_LEN], const void *msg, size_t n);
/* The same of bytes that come one after the other. */
struct crypto_sha256;
struct crypto_sha256 *crypto_sha256_new(void);
void crypto_sha256_add(struct crypto_sha256 *s, const void *p, size_t n);
void crypto_sha256_end(struct crypto_sha256 *s, uint8_t out[CRYPTO_SHA256_LEN]);
void crypto_sha256_free(struct crypto_sha256 *s);
/* Constant time. */
bool crypto_same(const void *a, const void *b, size_t n) MUST_CHECK;
void crypto_wipe(void *p, size_t n);
/* A password as it is stored, by argon2id (RFC 9106), and: is it this one, 1 or
 * 0?  Each takes 64 MiB and some 100 ms; -1: there is no memory. */
#define CRYPTO_PASSWORD_LEN 128 /* with NUL */
int crypto_password(
    char out[CRYPTO_PASSWORD_LEN], const char *s, size_t n) MUST_CHECK;
int crypto_password_is(const char *stored, const char *s, size_t n) MUST_CHECK;
/*
 * crypto_box between Ed25519 keys (converted to X25519).  seal: out has room
 * for n + CRYPTO_BOX_EXTRA bytes, nonce is chosen and written.  open: out has
 * room for n - CRYPTO_BOX_EXTRA.  -1: a bad key, or not from that sender.
 */
#define CRYPTO_BOX_EXTRA 16
int crypto_seal(void *out, uint8_t nonce[CRYPTO_NONCE_LEN], const void *msg,
    size_t n, const uint8_t to[CRYPTO_KEY_LEN],
    const uint8_t secret[CRYPTO_SECRET_LEN]) MUST_CHECK;
/* The same with a nonce of the caller's, who never gives it to two different
 * messages. */
int crypto_seal_as(void *out, const uint8_t nonce[CRYPTO_NONCE_LEN],
    const void *msg, size_t n, const uint8_t to[CRYPTO_KEY_LEN],
    const uint8_t secret[CRYPTO_SECRET_LEN]) MUST_CHECK;
int crypto_open(void *out, const uint8_t nonce[CRYPTO_NONCE_LEN],
    const void *box, size_t n, const uint8_t from[CRYPTO_KEY_LEN],
    const uint8_t secret[CRYPTO_SECRET_LEN]) MUST_CHECK;
/* For who has the key: out has n + CRYPTO_LOCK_EXTRA bytes; unlock: n less
 * those. -1: it was not locked with this key. */
#define CRYPTO_LOCK_EXTRA 40
void crypto_lock(
    void *out, const void *msg, size_t n, const uint8_t key[CRYPTO_KEY_LEN]);
int crypto_unlock(void *out, const void *box, size_t n,
    const uint8_t key[CRYPTO_KEY_LEN]) MUST_CHECK;
/* Lower-case hex and a NUL: out has 2 * n + 1 bytes. */
void crypto_hex(char *out, const void *p, size_t n);
/* Exactly 2 * n hex digits of either case, or -1. */
int crypto_unhex(void *out, size_t n, const char *hex, size_t len) MUST_CHECK;
enum crypto_b64 {
	CRYPTO_B64_STD,
	CRYPTO_B64_URL
}; /* padded; unpadded */
#define CRYPTO_B64_LEN(n) (((n) + 2) / 3 * 4 + 1)
/* out has CRYPTO_B64_LEN(n) bytes. */
void crypto_base64(char *out, const void *p, size_t n, enum crypto_b64 kind);
/* Strict.  Returns the decoded length (out has room for max), or -1. */
ptrdiff_t crypto_unbase64(void *out, size_t max, const char *s, size_t n,
    enum crypto_b64 kind) MUST_CHECK;

/*
 * hash.c: a multimap keyed by bytes, intrusive: the entry lives in the
 * caller's struct, the key in the caller's memory.  SipHash with a random
 * key, so that a client cannot choose collisions.
 */
struct hash_entry {
	struct hash_entry *next;
	struct hash_entry **at; /* the pointer that points here */
	const void *key;
	uint32_t keylen;
	uint32_t hash;
};

struct hash {
	struct hash_entry **slots;
	size_t nslots; /* a power of two, or 0 while empty */
	size_t count;
};

/* After crypto_start(). */
void hash_init(struct hash *h);
/* Frees the slots; the entries are the caller's. */
void hash_free(struct hash *h);
/* The newest entry with this key, or NULL. */
struct hash_entry *hash_find(
    const struct hash *h, const void *key, size_t keylen);
/* The next older entry with the same key as e, or NULL. */
struct hash_entry *hash_find_next(const struct hash_entry *e);
void hash_insert(
    struct hash *h, struct hash_entry *e, const void *key, size_t keylen);
void hash_remove(struct hash *h, struct hash_entry *e);
/* Any order.  The present entry may be removed while walking, no other. */
#define HASH_FOREACH(e, tmp, i, h)              \
	for ((i) = 0; (i) < (h)->nslots; (i)++) \
		for ((e) = (h)->slots[i];       \
		     (e) != NULL && ((tmp) = (e)->next, 1); (e) = (tmp))

/*
 * id.c: UUIDv7 (RFC 9562 5.7), written as 32 lower-case hex digits.  Ids of
 * one process only rise.
 */
#define ID_LEN 16
#define ID_HEX_LEN 32
struct id {
	uint8_t b[ID_LEN];
};

/* Takes the time of clock_wall(); runs ahead of it when that stands still for
 * thousands of ids, or was set back. */
void id_new(struct id *id);
bool id_is_null(const struct id *id);
bool id_same(const struct id *a, const struct id *b);
/* Writes 32 digits and a NUL, returns out. */
char *id_hex(const struct id *id, char out[ID_HEX_LEN + 1]);
/* Exactly 32 hex digits of either case; -1 leaves id as it was. */
int id_parse(struct id *id, const char *s, size_t n) MUST_CHECK;
/* The least id of a time: all ids made before it are smaller. */
void id_at(struct id *id, int64_t wall_ms);
/* The milliseconds since 1970 that the id carries. */
int64_t id_time(const struct id *id);

/*
 * ip.c: addresses and networks, of IPv4 and IPv6.
 */
#define IP_TEXT_LEN 45
struct ip {
	uint8_t b[16]; /* of IPv4: mapped */
};
struct ip_net {
	struct ip ip;
	unsigned bits; /* of these 128 */
};
/* -1: none.  Without brackets, and without a zone. */
int ip_parse(struct ip *ip, const char *s, size_t n) MUST_CHECK;
bool ip_is_v4(const struct ip *ip);
/* As people write it, and a NUL; returns out. */
char *ip_text(const struct ip *ip, char out[IP_TEXT_LEN + 1]);
/* "10.0.0.0/8", "fd00::/8", or an address, which is a network of one; -1: none.
 */
int ip_net_parse(struct ip_net *net, const char *s, size_t n) MUST_CHECK;
bool ip_net_has(const struct ip_net *net, const struct ip *ip);
/* NULL: everybody on the Internet may mean it; else what it is instead:
 * "loopback", "private-use" ... (IANA Special-Purpose Address Registries). */
const char *ip_special(const struct ip *ip);

/*
 * json_read.c: RFC 8259, strict, without an allocation per value: the text is
 * checked once and becomes a flat array of nodes that point into it.
 * Duplicate keys are left to the caller, who knows which keys matter.
 */
enum json_type {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_node {
	const char *p;	 /* raw text; of a string, what is between the quotes */
	uint32_t n;	 /* its bytes */
	uint32_t end;	 /* index of the node after this value and all in it */
	uint8_t type;	 /* enum json_type */
	uint8_t escaped; /* a string with a backslash in it */
	uint16_t depth;	 /* containers around it */
};

struct json {
	struct json_node *nodes; /* kept between readings */
	size_t count;
	size_t cap;
	size_t max_nodes;
	unsigned max_depth;
	const char *error; /* a sentence, after -1 */
	size_t error_at;   /* byte offset */
};

/* max_nodes: values and keys of a text; max_depth: containers in each other,
 * 0 allows none. */
void json_init(struct json *j, size_t max_nodes, unsigned max_depth);
void json_free(struct json *j);
/*
 * Reads one value that fills the text but for white space; node 0 is it.
 * In an object keys and values alternate.  The nodes are good until the next
 * reading and while the text lives.  -1: j->error and j->error_at.
 */
int json_read(struct json *j, const char *text, size_t n) MUST_CHECK;
/* Index of the first child of node i; equals nodes[i].end when there is none.
 * The next sibling of node c is nodes[c].end. */
#define JSON_FIRST(i) ((i) + 1)
/* The bytes of a string node without escapes, which are at most its n; returns
 * their number.  \u0000 becomes a NUL like any other. */
size_t json_unescape(const struct json_node *node, char *out);
/* -1: no number without fraction and exponent, or it does not fit. */
int json_int(const struct json_node *node, int64_t *v) MUST_CHECK;
/* Does the string node say exactly this? */
bool json_is(const struct json_node *node, const char *s);
/* Index of the value of the first such key of node i; 0 when there is none or
 * i is no object. */
size_t json_get(const struct json *j, size_t i, const char *key);

/*
 * json_write.c: the writer puts commas and escapes; the caller nests.
 */
struct json_writer {
	struct buf *b;
	bool comma;
};

void json_start(struct json_writer *w, struct buf *b);
void json_object(struct json_writer *w);
void json_object_end(struct json_writer *w);
void json_array(struct json_writer *w);
void json_array_end(struct json_writer *w);
void json_key(struct json_writer *w, const char *key);
void json_str(struct json_writer *w, const char *s);
void json_strn(struct json_writer *w, const char *s, size_t n);
void json_num(struct json_writer *w, int64_t v);
void json_bool(struct json_writer *w, bool v);
void json_null(struct json_writer *w);
/* A value that is JSON already, not empty. */
void json_raw(struct json_writer *w, const char *text, size_t n);
void json_hex(struct json_writer *w, const void *p, size_t n);
void json_id(struct json_writer *w, const struct id *id);
/* A member: text, or null where there is none (s.p NULL); an id, or null for
 * the null id. */
void json_text_at(struct json_writer *w, const char *key, struct slice s);
void json_id_at(struct json_writer *w, const char *key, const struct id *id);
/* An RFC 3339 time, or null for 0. */
void json_time(struct json_writer *w, int64_t wall_ms);

/*
 * log.c: one line per record on stderr, bytes from peers escaped.  Levels as
 * syslog has them; under systemd each line begins with its <N>.
 */
enum log_level {
	LOG_ERROR,
	LOG_WARN,
	LOG_INFO,
	LOG_DEBUG
};

/* tag: "linnetd[worker 1]" and the like; kept, not copied.  Lines that stderr
 * does not take at once are dropped, counted, and the count is logged. */
void log_start(const char *tag, enum log_level level);
void log_set_level(enum log_level level);
enum log_level log_level(void);
/* -1 when there is no such level. */
int log_parse_level(const char *s, enum log_level *level) MUST_CHECK;
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* fatal adds strerror(errno).  Both end the process with status 1. */
void fatal(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));
void fatalx(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));

/*
 * pool.c: memory of one request: many small pieces, freed together.
 */
struct pool_block;
struct pool {
	struct pool_block *blocks;
	size_t used; /* bytes handed out */
};

void pool_init(struct pool *p);
void pool_free(struct pool *p);
/* Aligned for any type, not zeroed.  Never NULL: what goes in was limited
 * before. */
void *pool_alloc(struct pool *p, size_t n);
void *pool_zalloc(struct pool *p, size_t n);
void *pool_dup(struct pool *p, const void *src, size_t n);
/* With a NUL after it. */
char *pool_strndup(struct pool *p, const char *s, size_t n);
char *pool_printf(struct pool *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * str.c: strings, numbers with units, names.
 */
/* Loads what str_fold() needs from the system; before a chroot(2), else at the
 * first need.  Fatal when it fails. */
void str_start(void);
/* strlcpy(3) of the BSDs: the length of src; cut when that is >= size. */
size_t str_copy(char *dst, const char *src, size_t size);
bool str_utf8(const char *s, size_t n) MUST_CHECK;
/* Length of the first code point in bytes; 0 when it is no valid UTF-8. */
size_t str_char(const char *s, size_t n, uint32_t *cp) MUST_CHECK;
/* Writes a code point, which needs at most 4 bytes; returns how many. */
size_t str_put_char(char out[4], uint32_t cp);
/* Number of code points of valid UTF-8. */
size_t str_chars(const char *s, size_t n);
/* May people see this as a name?  Valid UTF-8 without control, bidi,
 * zero-width or tag characters, not blank at either end, not empty; joiners
 * only where letters and emoji need them. */
bool str_is_name(const char *s, size_t n) MUST_CHECK;
/* Lower case of valid UTF-8, code point by code point; out has room for
 * 2 * n + 1 bytes.  Returns the length. */
size_t str_fold(char *out, const char *s, size_t n);
/* Edit distance in bytes with transpositions, at most max + 1; for near names:
 * of strings past 128 bytes only equal ones are near. */
unsigned str_distance(
    const char *a, size_t an, const char *b, size_t bn, unsigned max);
/* The string of a NULL-ended list that is nearest to s and likely meant, or
 * NULL. */
const char *str_nearest(const char *s, const char *const *list);
/* Whole decimal number in range.  NULL, or what is wrong with it: "is not a
 * number", "is too small", "is too large"; the next two also say "has an
 * unknown unit".  Only NULL sets the value. */
const char *str_num(
    const char *s, int64_t min, int64_t max, int64_t *v) MUST_CHECK;
/* Number with ms, s, m, h or d (none: seconds) into milliseconds. */
const char *str_duration(const char *s, int64_t *ms) MUST_CHECK;
/* Number with k, m or g (powers of 1024; none: bytes). */
const char *str_size(const char *s, int64_t *bytes) MUST_CHECK;
/* What the two above read back, in the largest unit that leaves no rest. */
void str_print_duration(char out[32], int64_t ms);
void str_print_size(char out[32], int64_t bytes);
bool str_starts(const char *s, const char *prefix);

/*
 * usage.c, usage_complete.c and usage_read.c: a program's commands and options
 * in one table, and what is made from it: help, the manual, completion in
 * shells, and the reading of command lines.
 */
struct usage_option {
	const char *name; /* --name */
	char letter;	  /* -n, or 0 */
	/* What follows it, or NULL.  "a|b" are all there are; "file" is one. */
	const char *arg;
	const char *text; /* sentences; NULL: not told of */
};

struct usage_command {
	const char *name;  /* one word, or two */
	const char *alias; /* or NULL */
	/* "mesh [name ...]", "a|b"; as above */
	const char *args;
	const struct usage_option *options; /* ended by a NULL name */
	const char *text;		    /* a sentence */
	const char *more;		    /* sentences, or NULL */
};

struct usage {
	const char *program;
	const char *manual;		      /* "linnetctl(8)" */
	const struct usage_option *options;   /* of all commands */
	const struct usage_command *commands; /* ended by a NULL name */
};

/* Appends the list of all commands. */
void usage_help(const struct usage *u, struct buf *b);
/* Appends what is to know of one. */
void usage_help_of(
    const struct usage *u, const struct usage_command *m, struct buf *b);
/* Appends what is to know of the command of these words, or of all that begin
 * with the only one; false: there is none. */
bool usage_help_words(
    const struct usage *u, char *const *words, int n, struct buf *b);
/* Appends the sections OPTIONS and COMMANDS in mdoc(7). */
void usage_mdoc(const struct usage *u, struct buf *b);
#define USAGE_SHELLS "bash|zsh|fish"
/* Appends a script for a shell; false: there is no such shell. */
bool usage_complete(const struct usage *u, const char *shell, struct buf *b);
/* The nth of the words of "a|b|c", {NULL, 0} behind the last one; nothing of a
 * text without |. */
struct slice usage_choice(const char *arg, size_t n);

#define USAGE_GIVEN_MAX 128 /* options on one command line */

/* A command line, as it was read. */
struct usage_line {
	const struct usage *usage;
	const struct usage_command *command; /* NULL: none was said */
	char **words;			     /* its arguments */
	int nwords;
	struct {
		const struct usage_option *option;
		const char *value; /* "" of one that has none */
	} given[USAGE_GIVEN_MAX];
	size_t ngiven;
	char error[512]; /* a sentence that says what to do */
};

/* Sorts argv, which it changes, into the command, options and arguments.  0,
 * or an exit status of sysexits(3). */
int usage_read(struct usage_line *l, const struct usage *u, int argc,
    char **argv) MUST_CHECK;
/* Checks what was given to the command: how much, whether it is text, and one
 * of "a|b|c" where the table has that.  0, or an exit status. */
int usage_check(struct usage_line *l) MUST_CHECK;
/* The value of the last option of this name ("" without one), or NULL. */
const char *usage_given(const struct usage_line *l, const char *name);
/* The command whose name the words begin with; NULL: none. */
const struct usage_command *usage_find(
    const struct usage *u, char *const *words, int n);
/* Says in l->error which command may have been meant; an exit status. */
int usage_unknown(struct usage_line *l, char *const *words, int n);

#endif
