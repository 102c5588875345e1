/* SPDX-License-Identifier: ISC */
/*
 * store: where the bytes of files are, behind one interface: a directory, or
 * an S3 service.  An object is found by its mesh and its file, is written once
 * as a whole, and never changed.
 *
 * Every function waits, and may be called by several threads at once.  None
 * keeps more of an object in memory than STORE_PIECE bytes and what a library
 * below has.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <sys/types.h>

#include "base/base.h"

#define STORE_PIECE (64 * 1024)
#define STORE_ALL UINT64_MAX /* a length: to the end, or unknown */
#define STORE_SHA256_LEN 32

struct store_key {
	struct id mesh;
	struct id file;
};

/*
 * store.c: what all stores have in common.
 */
/*
 * Where the bytes of a put come from.  read waits for at least one byte and
 * returns how many, 0 at the end, -1 and errno; more bytes or fewer than length
 * are EMSGSIZE, other bytes than `want` says EILSEQ, and nothing is kept then.
 */
struct store_source {
	ssize_t (*read)(void *arg, void *buf, size_t n);
	void *arg;
	uint64_t length;     /* or STORE_ALL */
	const uint8_t *want; /* the SHA-256 that it has to have, or NULL */
	/* Filled in: */
	uint64_t size;
	uint8_t sha256[STORE_SHA256_LEN];
	/* The store's own: */
	void *sha;
	bool ended;
	int error;
};

/* Where the bytes of a get go; both return 0, or an errno that ends it. */
struct store_sink {
	/* Once, before the first byte: the size of the whole object. */
	int (*begin)(void *arg, uint64_t size);
	int (*write)(void *arg, const void *p, size_t n);
	void *arg;
};

struct store_object {
	struct store_key key;
	uint64_t size;
	int64_t stored_ms; /* clock_wall() of the storage */
};

struct store;
/* false ends the list. */
typedef bool store_list_fn(void *arg, const struct store_object *o);

/* All return 0 or an errno. */
int store_put(struct store *st, const struct store_key *key,
    struct store_source *src) MUST_CHECK;
/* From offset on, length bytes or what there is.  ENOENT; ERANGE: offset is
 * behind the end; what the sink said. */
int store_get(struct store *st, const struct store_key *key, uint64_t offset,
    uint64_t length, struct store_sink *sink) MUST_CHECK;
/* What is not there is deleted, too. */
int store_delete(struct store *st, const struct store_key *key) MUST_CHECK;
/* ECANCELED: the function ended it. */
int store_list(struct store *st, store_list_fn *fn, void *arg) MUST_CHECK;
/* Removes what is left of puts whose process died. */
int store_sweep(struct store *st) MUST_CHECK;
/* Appends a URL that gets the object without credentials for so long, with that
 * Content-Disposition.  ENOTSUP: this store has none. */
int store_presign(struct store *st, const struct store_key *key,
    unsigned seconds, const char *disposition, struct buf *out) MUST_CHECK;
/* Ends what waits for the network, soon; what follows fails. */
void store_stop(struct store *st);
bool store_is_stopped(const struct store *st);
void store_free(struct store *st);

/* For the stores: bytes of the source, counted and hashed; 0 at the end, when
 * the whole has the size that it shall have.  -1: src->error. */
ssize_t store_read(struct store_source *src, void *buf, size_t n);

/* A store; the first member of each. */
struct store {
	int (*put)(struct store *st, const struct store_key *key,
	    struct store_source *src);
	int (*get)(struct store *st, const struct store_key *key,
	    uint64_t offset, uint64_t length, struct store_sink *sink);
	int (*remove)(struct store *st, const struct store_key *key);
	int (*list)(struct store *st, store_list_fn *fn, void *arg);
	int (*sweep)(struct store *st);
	int (*presign)(struct store *st, const struct store_key *key,
	    unsigned seconds, const char *disposition, struct buf *out);
	void (*free)(struct store *st);
	bool stopped;
};

/*
 * store_dir.c: a directory: MESH/xx/FILE, where xx are the last two digits of
 * FILE; what is being put is in tmp.
 */
/* NULL and errno. */
struct store *store_dir_open(const char *path);
/* For another store: a file in tmp that has no name any more.  -1 and errno. */
int store_dir_spool(struct store *st) MUST_CHECK;
/* For another store: notes of what it has begun elsewhere, which outlive this
 * process.  -1 and errno, or a descriptor that holds the note for a living
 * one; name is filled in. */
#define STORE_NOTE_LEN 25
#define STORE_NOTE_MAX 4096
int store_dir_note(struct store *st, const char *text,
    char name[STORE_NOTE_LEN + 1]) MUST_CHECK;
void store_dir_forget(struct store *st, int fd, const char *name);
/* Calls fn with each that nobody holds; true: it is done with. */
typedef bool store_note_fn(void *arg, char *text);
void store_dir_notes(struct store *st, store_note_fn *fn, void *arg);

/*
 * store_s3.c: a bucket, or without a name one bucket for each mesh.
 */
struct store_s3_config {
	const char *endpoint; /* "https://s3.eu-central-1.amazonaws.com" */
	const char *region;
	const char *bucket; /* "": mesh-MESH for each mesh */
	const char *key_id;
	const char *secret;
	const char *ca_file;  /* "": the system's */
	bool path_style;      /* the bucket is in the path, not in the name */
	int64_t idle_ms;      /* the service is silent for so long: ETIMEDOUT */
	int64_t abandoned_ms; /* older uploads are removed by store_sweep() */
	struct store *spool;  /* a directory, for bytes of unknown number */
};
/* Copies all but the spool, which becomes the store's.  NULL and *error, the
 * caller's to free. */
struct store *store_s3_open(const struct store_s3_config *c, char **error);

/*
 * store_sigv4.c: AWS Signature Version 4 (AWS General Reference, "Signature
 * Version 4 signing process"; Amazon S3 API Reference, "Authenticating
 * Requests").
 */
#define SIGV4_DATE_LEN 16 /* "20130524T000000Z" */
#define SIGV4_HEX_LEN 64

struct sigv4_key {
	const char *key_id;
	const char *secret;
	const char *region;
	const char *service; /* "s3" */
};

struct sigv4_header {
	const char *name; /* lower case */
	const char *value;
};

struct sigv4_request {
	const char *method;
	const char *path;		    /* encoded, begins with a slash */
	const char *query;		    /* canonical: encoded, sorted; "" */
	const struct sigv4_header *headers; /* sorted; host is one of them */
	size_t nheaders;
	const char
	    *payload; /* SHA-256 in hex, or the word that stands for it */
	char date[SIGV4_DATE_LEN + 1];
};

/* What signs the chunks after a request. */
struct sigv4_chain {
	uint8_t key[32];
	char date[SIGV4_DATE_LEN + 1];
	char scope[128];
	char signature[SIGV4_HEX_LEN + 1]; /* the last one */
};

void store_sigv4_date(char out[SIGV4_DATE_LEN + 1], int64_t wall_ms);
void store_sigv4_sha256(char out[SIGV4_HEX_LEN + 1], const void *p, size_t n);
/* Appends s as it stands in a path or a query (RFC 3986 unreserved); slash: a
 * slash is left as it is. */
void store_sigv4_encode(struct buf *out, const char *s, bool slash);
/* Appends the value of the Authorization header.  chain may be NULL. */
void store_sigv4_sign(const struct sigv4_key *key,
    const struct sigv4_request *r, struct buf *out, struct sigv4_chain *chain);
/* Appends the query of a URL that is signed for so many seconds; what r->query
 * has goes behind, where its names must sort. */
void store_sigv4_presign(const struct sigv4_key *key,
    const struct sigv4_request *r, unsigned seconds, struct buf *out);
/* Signs the next chunk: the signature is in chain->signature. */
void store_sigv4_chunk(struct sigv4_chain *chain, const void *p, size_t n);

/*
 * store_xml.c: as much of XML as the answers of S3 need.
 */
/* The text of the next element of that name at or after *at, and *at behind
 * it; false: there is none.  Nested elements stay in the text. */
bool store_xml_next(
    struct slice *at, const char *name, struct slice *text) MUST_CHECK;
/* Appends the text with its entities resolved. */
void store_xml_text(struct buf *out, struct slice text);

#endif
