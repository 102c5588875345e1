/* SPDX-License-Identifier: ISC */
/*
 * Storing in S3.  What fits in one part is one request; more is an upload of
 * many parts, which appears when it is completed and is aborted when it is
 * not.  A part's length must be known before it is sent: where the source does
 * not say how many bytes come, each part first goes to a file without a name.
 */
#include "store/store_s3.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define S3_PART ((uint64_t)16 * 1024 * 1024)
#define S3_PARTS_MAX 10000
#define S3_XML_MAX (4 * 1024 * 1024)
#define S3_QUERY_MAX 4096
#define S3_ABORTS 3

struct s3_put {
	struct store_s3 *s;
	struct store_source *src;
	char bucket[S3_BUCKET_MAX];
	char object[S3_KEY_MAX];
	struct buf upload; /* the id */
	struct buf parts;  /* as CompleteMultipartUpload wants them */
	int spool;	   /* -1: there is none */
	int note;	   /* of the upload, for who comes after a crash */
	char note_name[STORE_NOTE_LEN + 1];
};

static ssize_t
s3_read_source(void *arg, void *buf, size_t n)
{
	struct store_source *src = arg;
	ssize_t got = store_read(src, buf, n);

	if (got == -1)
		errno = src->error;
	return got;
}

static ssize_t
s3_read_spool(void *arg, void *buf, size_t n)
{
	return read(((struct s3_put *)arg)->spool, buf, n);
}

/* Where the bytes of a request come from. */
static void
s3_body(struct s3_put *p, struct s3_request *r, uint64_t length)
{
	r->length = length;
	if (p->spool != -1) {
		r->read = s3_read_spool;
		r->arg = p;
	} else {
		r->read = s3_read_source;
		r->arg = p->src;
	}
}

/* Up to one part of the source to the spool; 0 or an errno. */
static int
s3_fill_spool(struct s3_put *p, uint64_t *length)
{
	char *buf = alloc_try(STORE_PIECE), *at;
	ssize_t n = 0, put;
	int error = 0;

	*length = 0;
	if (buf == NULL)
		return ENOMEM;
	if (ftruncate(p->spool, 0) == -1 || lseek(p->spool, 0, SEEK_SET) == -1)
		error = errno;
	/* Parts are a whole number of pieces. */
	while (error == 0 && *length < S3_PART &&
	       (n = store_read(p->src, buf, STORE_PIECE)) > 0) {
		*length += (uint64_t)n;
		for (at = buf; n > 0 && error == 0; at += put, n -= put)
			if ((put = write(p->spool, at, (size_t)n)) == -1) {
				error = errno;
				put = 0;
			}
	}
	free(buf);
	if (error == 0 && n == -1)
		error = p->src->error;
	if (error == 0 && lseek(p->spool, 0, SEEK_SET) == -1)
		error = errno;
	return error;
}

/* The bucket of a mesh is made with its first file. */
static int
s3_make_bucket(struct s3_put *p)
{
	struct s3_request r = {
		.method = "HEAD", .bucket = p->bucket, .object = "", .query = ""
	};
	struct buf text;
	int error;

	if (p->s->bucket[0] != '\0')
		return 0;
	error = store_s3_do(p->s, &r);
	store_s3_done(&r);
	if (error != ENOENT)
		return error;
	r = (struct s3_request){
		.method = "PUT", .bucket = p->bucket, .object = "", .query = ""
	};
	buf_init(&text, S3_QUERY_MAX);
	if (strcmp(p->s->key.region, "us-east-1") != 0) {
		buf_addf(&text,
		    "<CreateBucketConfiguration><LocationConstraint>%s"
		    "</LocationConstraint></CreateBucketConfiguration>",
		    p->s->key.region);
		r.text = buf_str(&text);
		r.text_len = text.len;
	}
	error = store_s3_do(p->s, &r);
	/* Another one may have made it meanwhile. */
	if (r.status == 409)
		error = 0;
	store_s3_done(&r);
	buf_free(&text);
	return error;
}

static int
s3_put_whole(struct s3_put *p, uint64_t length)
{
	struct s3_request r = { .method = "PUT",
		.bucket = p->bucket,
		.object = p->object,
		.query = "" };
	int error;

	s3_body(p, &r, length);
	error = store_s3_do(p->s, &r);
	store_s3_done(&r);
	return error;
}

/* Without a note, the upload is found by its age, too. */
static void
s3_note(struct s3_put *p)
{
	struct buf text;

	buf_init(&text, STORE_NOTE_MAX);
	buf_addf(
	    &text, "%s\n%s\n%s\n", p->bucket, p->object, buf_str(&p->upload));
	if (!text.failed)
		p->note =
		    store_dir_note(p->s->spool, buf_str(&text), p->note_name);
	buf_free(&text);
}

static int
s3_begin(struct s3_put *p)
{
	struct s3_request r = { .method = "POST",
		.bucket = p->bucket,
		.object = p->object,
		.query = "uploads=" };
	struct slice at, id;
	int error = store_s3_do(p->s, &r);

	at = (struct slice){ r.reply.data, r.reply.len };
	if (error == 0 && !store_xml_next(&at, "UploadId", &id))
		error = EIO;
	if (error == 0)
		store_xml_text(&p->upload, id);
	store_s3_done(&r);
	if (error == 0)
		s3_note(p);
	return error;
}

static int
s3_put_part(struct s3_put *p, unsigned number, uint64_t length)
{
	struct s3_request r = {
		.method = "PUT", .bucket = p->bucket, .object = p->object
	};
	struct buf query;
	int error;

	buf_init(&query, S3_QUERY_MAX);
	buf_addf(&query, "partNumber=%u&uploadId=", number);
	store_sigv4_encode(&query, buf_str(&p->upload), false);
	r.query = buf_str(&query);
	s3_body(p, &r, length);
	error = store_s3_do(p->s, &r);
	if (error == 0 && r.etag[0] == '\0')
		error = EIO;
	buf_addf(&p->parts,
	    "<Part><PartNumber>%u</PartNumber><ETag>%s</ETag></Part>", number,
	    r.etag);
	store_s3_done(&r);
	buf_free(&query);
	return error;
}

/* The status comes before the work is done: an error may follow a 200. */
static int
s3_complete(struct s3_put *p)
{
	struct s3_request r = {
		.method = "POST", .bucket = p->bucket, .object = p->object
	};
	struct slice at, text;
	struct buf query;
	int error;

	buf_adds(&p->parts, "</CompleteMultipartUpload>");
	if (p->parts.failed)
		return EFBIG;
	buf_init(&query, S3_QUERY_MAX);
	buf_adds(&query, "uploadId=");
	store_sigv4_encode(&query, buf_str(&p->upload), false);
	r.query = buf_str(&query);
	r.text = buf_str(&p->parts);
	r.text_len = p->parts.len;
	error = store_s3_do(p->s, &r);
	at = (struct slice){ r.reply.data, r.reply.len };
	if (error == 0 && !store_xml_next(&at, "ETag", &text))
		error = EIO;
	store_s3_done(&r);
	buf_free(&query);
	return error;
}

int
store_s3_abort(struct store_s3 *s, const char *bucket, const char *object,
    const char *upload)
{
	struct s3_request r = {
		.method = "DELETE", .bucket = bucket, .object = object
	};
	struct buf query;
	int error;

	buf_init(&query, S3_QUERY_MAX);
	buf_adds(&query, "uploadId=");
	store_sigv4_encode(&query, upload, false);
	r.query = buf_str(&query);
	error = store_s3_do(s, &r);
	store_s3_done(&r);
	buf_free(&query);
	return error;
}

/* A part that is on its way when its upload is aborted may stay: the service
 * says that there is no such upload when there is nothing left (Amazon S3 API
 * Reference, AbortMultipartUpload).  False: another sweep has to do it. */
static bool
s3_give_up(struct s3_put *p)
{
	struct timespec wait = { 0, 100000000 };
	int error, i;

	for (i = 0; i < S3_ABORTS; i++) {
		error = store_s3_abort(
		    p->s, p->bucket, p->object, buf_str(&p->upload));
		if (error != 0)
			return error == ENOENT;
		nanosleep(&wait, NULL);
		wait.tv_nsec *= 2;
	}
	return false;
}

/* A part of what is left; more than usual where there would be too many. */
static uint64_t
s3_part_length(uint64_t total, uint64_t done)
{
	uint64_t part = S3_PART;

	if (total / part >= S3_PARTS_MAX)
		part = total / S3_PARTS_MAX + 1;
	return total - done < part ? total - done : part;
}

/* first: bytes that the spool has already. */
static int
s3_put_parts(struct s3_put *p, uint64_t first)
{
	uint64_t total = p->src->length, done = 0, n = first;
	unsigned number;
	int error;

	if ((error = s3_begin(p)) != 0)
		return error;
	buf_adds(&p->parts,
	    "<CompleteMultipartUpload "
	    "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	for (number = 1;; number++) {
		if (p->spool == -1)
			n = s3_part_length(total, done);
		if (n == 0)
			break;
		if (number > S3_PARTS_MAX)
			return EFBIG;
		if ((error = s3_put_part(p, number, n)) != 0)
			return error;
		done += n;
		if (p->spool != -1 && (error = s3_fill_spool(p, &n)) != 0)
			return error;
	}
	return s3_complete(p);
}

static int
s3_put_any(struct s3_put *p)
{
	uint64_t n = p->src->length;
	char none;
	int error;

	/* Where bytes are promised, the last of them brings the end. */
	if (n == 0 && store_read(p->src, &none, 1) == -1)
		return p->src->error;
	if ((error = s3_make_bucket(p)) != 0)
		return error;
	if (n == STORE_ALL) {
		if ((p->spool = store_dir_spool(p->s->spool)) == -1)
			return errno;
		if ((error = s3_fill_spool(p, &n)) != 0)
			return error;
		return p->src->ended || n < S3_PART ? s3_put_whole(p, n)
						    : s3_put_parts(p, n);
	}
	return n <= S3_PART ? s3_put_whole(p, n) : s3_put_parts(p, 0);
}

int
store_s3_put(
    struct store *st, const struct store_key *key, struct store_source *src)
{
	struct s3_put p = {
		.s = (struct store_s3 *)st, .src = src, .spool = -1, .note = -1
	};
	bool over = true;
	int error;

	buf_init(&p.upload, S3_QUERY_MAX);
	buf_init(&p.parts, S3_XML_MAX);
	store_s3_name(p.s, key, p.bucket, p.object);
	error = s3_put_any(&p);
	if (error != 0 && p.upload.len > 0)
		over = s3_give_up(&p);
	if (p.note != -1 && over)
		store_dir_forget(p.s->spool, p.note, p.note_name);
	else if (p.note != -1)
		close(p.note);
	/* Perhaps it was stored, and only the answer was lost. */
	if (error != 0 && src->ended && store_delete(st, key) != 0)
		log_warn("S3: %s/%s may be there, though it was not stored",
		    p.bucket, p.object);
	if (p.spool != -1)
		close(p.spool);
	buf_free(&p.upload);
	buf_free(&p.parts);
	return error;
}
