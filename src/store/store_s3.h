/* SPDX-License-Identifier: ISC */
/*
 * What the files of the S3 store share.
 */
#ifndef STORE_STORE_S3_H
#define STORE_STORE_S3_H

#include <curl/curl.h>
#include <pthread.h>

#include "store/store.h"

#define S3_IDLE_MAX 16 /* connections that are kept */
/* A list has 1000 entries. */
#define S3_REPLY_MAX (4 * 1024 * 1024)
#define S3_ETAG_MAX 128
#define S3_WHY_MAX 128
#define S3_BUCKET_MAX 64
#define S3_KEY_MAX (16 + 2 * ID_HEX_LEN)

struct store_s3 {
	struct store store; /* first */
	char *scheme;	    /* "https" */
	char *host;	    /* as it stands in a Host header */
	char *bucket;	    /* "": one for each mesh */
	char *ca_file;
	bool path_style;
	int64_t idle_ms;
	int64_t abandoned_ms;
	struct sigv4_key key;
	struct store *spool;
	pthread_mutex_t lock; /* of what follows */
	CURL *idle[S3_IDLE_MAX];
	unsigned nidle;
};

/* A request and its answer. */
struct s3_request {
	const char *method;
	const char *bucket; /* "": of the service */
	const char *object; /* "": of the bucket */
	const char *query;  /* canonical */
	const char *range;  /* NULL: the whole */
	uint64_t first;	    /* byte of the range */
	uint64_t most;	    /* bytes for the sink */
	/* The body: a text, or bytes that are read and signed on their way. */
	const char *text;
	size_t text_len;
	ssize_t (*read)(void *arg, void *buf, size_t n);
	void *arg;
	uint64_t length;
	/* Where the body of a 200 or 206 goes; NULL: to reply. */
	struct store_sink *sink;
	/* The answer: */
	long status;
	int64_t size;  /* of the object; -1: not said */
	int64_t start; /* of the range that came */
	char etag[S3_ETAG_MAX];
	char why[S3_WHY_MAX]; /* it did not work, in words */
	struct buf reply;     /* NUL-terminated; freed by store_s3_done() */
};

/*
 * store_s3_http.c: one request.
 */
/* 0 when the service did it (2xx), else an errno: ENOENT, ERANGE, EACCES, EIO,
 * ETIMEDOUT, ENOTSUP, what the sink said.  Tried again where that may help and
 * nothing was read or written yet; what is the service's fault is logged. */
int store_s3_do(struct store_s3 *s, struct s3_request *r);
void store_s3_done(struct s3_request *r);
/* Host, and encoded path: both are appended. */
void store_s3_place(const struct store_s3 *s, const char *bucket,
    const char *object, struct buf *host, struct buf *path);
int64_t store_s3_now(void);

/*
 * store_s3_put.c: storing, in one piece or in parts.
 */
int store_s3_put(
    struct store *st, const struct store_key *key, struct store_source *src);
/* ENOENT: there is no such upload. */
int store_s3_abort(struct store_s3 *s, const char *bucket, const char *object,
    const char *upload);

/*
 * store_s3.c
 */
void store_s3_name(const struct store_s3 *s, const struct store_key *key,
    char bucket[S3_BUCKET_MAX], char object[S3_KEY_MAX]);

#endif
