/* SPDX-License-Identifier: ISC */
/*
 * The bytes of files, over HTTP on connections of their own, by the links that
 * share_file and get_file answer.  These wait.
 *
 * A broker may lead a download on to the service where the file is (once, and
 * never from TLS to none).
 *
 * A download goes on where an earlier one ended: what is in the file already
 * is a part of what the SHA-256 is of, so a wrong part cannot stay.
 */
#include "lib/lib.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_PIECE 65536
#define FILE_ANSWER_MAX 65536
#define FILE_SHA256_LEN 32

struct file_job {
	struct linnet *l;
	const struct linnet_transfer *t;
	struct linnet_error *e;
	struct linnet_socket socket;
	struct crypto_sha256 *sha;
	int64_t done; /* bytes */
	int64_t told_ms;
	/* Where the broker led to; NULL: nowhere. */
	char *moved;
	struct linnet_url url;
	struct ssl_ctx_st *tls;
	struct buf in; /* of the answer */
	struct linnet_http head;
};

static int
file_fail(struct file_job *f, const char *code, const char *text)
{
	linnet_error_set(f->e, code, "%s", text);
	return -1;
}

static int
file_errno(struct file_job *f, const char *what)
{
	linnet_error_set(f->e, "bad_argument", "The file cannot be %s: %s.",
	    what, strerror(errno));
	return -1;
}

static void
file_tell(struct file_job *f, bool now)
{
	int64_t at = linnet_now();

	if (f->t->progress == NULL || (!now && at - f->told_ms < 100))
		return;
	f->told_ms = at;
	f->t->progress(f->t->arg, f->done, f->t->size);
}

/* Nothing moved for as long as a request may take. */
static int64_t
file_deadline(const struct file_job *f)
{
	return linnet_now() + f->l->config.request_ms;
}

static int
file_wait(struct file_job *f, short events, int64_t deadline)
{
	if (linnet_http_wait(&f->socket, events, deadline) == 0)
		return 0;
	return file_fail(f, "timeout",
	    "The broker stopped in the middle of the file; try again.");
}

static int
file_broken(struct file_job *f)
{
	return file_fail(f, "unavailable",
	    "The connection broke in the middle of the file; try again.");
}

/* 1: all of p was written; 0: the broker has something to say; -1. */
static int
file_write(struct file_job *f, const char *p, size_t n)
{
	int64_t deadline = file_deadline(f);
	struct pollfd said;
	ptrdiff_t r;

	while (n > 0) {
		r = linnet_socket_write(&f->socket, p, n);
		if (r < 0)
			return 0;
		p += r;
		n -= (size_t)r;
		if (r > 0) {
			deadline = file_deadline(f);
			continue;
		}
		said = (struct pollfd){ .fd = f->socket.fd, .events = POLLIN };
		if (f->socket.ssl == NULL && poll(&said, 1, 0) == 1)
			return 0;
		if (file_wait(f, POLLOUT, deadline) != 0)
			return -1;
	}
	return 1;
}

/* Reads some of the answer; 0: it is over; -1. */
static int
file_read(struct file_job *f)
{
	int64_t deadline = file_deadline(f);
	char piece[FILE_PIECE];
	ptrdiff_t n;

	while ((n = linnet_socket_read(&f->socket, piece, sizeof(piece))) == 0)
		if (file_wait(f, POLLIN, deadline) != 0)
			return -1;
	if (n < 0)
		return 0;
	buf_add(&f->in, piece, (size_t)n);
	if (!f->in.failed)
		return 1;
	return file_fail(f, "protocol", "The answer is too long.");
}

static int
file_read_head(struct file_job *f)
{
	int r = 0, n;

	while ((r = linnet_http_read(&f->head, f->in.data, f->in.len)) == 0) {
		if ((n = file_read(f)) <= 0)
			return n < 0 ? -1 : file_broken(f);
	}
	if (r < 0)
		return file_fail(
		    f, "protocol", "What answers does not speak HTTP.");
	f->head.text = f->in.data;
	return 0;
}

/* The whole of an answer that is not a file. */
static int
file_read_rest(struct file_job *f)
{
	int64_t n = linnet_http_length(&f->head);
	int r;

	while (n < 0 || f->in.len < f->head.head + (size_t)n) {
		if ((r = file_read(f)) < 0)
			return -1;
		if (r == 0)
			break;
	}
	f->head.text = f->in.data;
	return 0;
}

static int
file_refused(struct file_job *f)
{
	if (file_read_rest(f) == 0)
		linnet_http_error(f->e, &f->head, f->in.data + f->head.head,
		    f->in.len - f->head.head);
	return -1;
}

static int
file_begin(struct file_job *f, struct buf *request)
{
	int64_t deadline = linnet_now() + f->l->config.connect_ms;
	bool moved = f->moved != NULL;
	int r;

	/* A link is a path of this broker: it leads nowhere else. */
	if (f->t->url == NULL || f->t->url[0] != '/' ||
	    strpbrk(f->t->url, " \r\n\t") != NULL)
		return file_fail(
		    f, "bad_argument", "The link is no path of the broker.");
	if (linnet_http_connect(&f->socket, moved ? &f->url : &f->l->url,
		moved ? f->tls : f->l->tls, deadline, f->e) != 0)
		return -1;
	r = file_write(f, request->data, request->len);
	return r > 0 ? 0 : r < 0 ? -1 : file_broken(f);
}

static void
file_open(struct file_job *f, struct linnet *l, const struct linnet_transfer *t,
    struct linnet_error *e)
{
	memset(f, 0, sizeof(*f));
	f->l = l;
	f->t = t;
	f->e = e;
	f->sha = crypto_sha256_new();
	linnet_socket_init(&f->socket);
	buf_init(&f->in, FILE_ANSWER_MAX + 2 * FILE_PIECE);
}

static void
file_close(struct file_job *f)
{
	linnet_socket_close(&f->socket);
	linnet_tls_free(f->tls);
	free(f->moved);
	crypto_sha256_free(f->sha);
	buf_free(&f->in);
}

static void
file_hex(struct file_job *f, char hex[LINNET_SHA256_SIZE])
{
	uint8_t sum[FILE_SHA256_LEN];

	crypto_sha256_end(f->sha, sum);
	crypto_hex(hex, sum, sizeof(sum));
}

/* Sends the file; the answer may come before its end. */
static int
upload_bytes(struct file_job *f)
{
	char piece[FILE_PIECE];
	size_t want;
	ssize_t n;
	int r;

	while (f->done < f->t->size) {
		want = sizeof(piece);
		if (f->t->size - f->done < (int64_t)want)
			want = (size_t)(f->t->size - f->done);
		if ((n = read(f->t->fd, piece, want)) == -1)
			return file_errno(f, "read");
		if (n == 0)
			return file_fail(f, "bad_argument",
			    "The file became shorter while it was read.");
		crypto_sha256_add(f->sha, piece, (size_t)n);
		if ((r = file_write(f, piece, (size_t)n)) <= 0)
			return r;
		f->done += n;
		file_tell(f, false);
	}
	return 1;
}

static int
upload_check(struct file_job *f, char sha256[LINNET_SHA256_SIZE])
{
	struct pool p;
	struct json j;
	int r = 0;

	file_hex(f, sha256);
	pool_init(&p);
	json_init(&j, LINNET_JSON_NODES, LINNET_JSON_DEPTH);
	if (json_read(
		&j, f->in.data + f->head.head, f->in.len - f->head.head) != 0 ||
	    strcmp(linnet_json_str(&p, &j, 0, "sha256"), sha256) != 0)
		r = file_fail(f, "protocol",
		    "The broker has stored other bytes than were sent.");
	json_free(&j);
	pool_free(&p);
	return r;
}

int
linnet_upload(struct linnet *l, const struct linnet_transfer *t,
    char sha256[LINNET_SHA256_SIZE], struct linnet_error *error)
{
	struct file_job f;
	struct buf b;
	int r;

	file_open(&f, l, t, error);
	buf_init(&b, FILE_ANSWER_MAX);
	buf_addf(&b,
	    "PUT %s HTTP/1.0\r\nHost: %s\r\n"
	    "Content-Type: application/octet-stream\r\n"
	    "Content-Length: %" PRId64 "\r\nUser-Agent: liblinnet\r\n\r\n",
	    t->url, l->url.authority, t->size);
	r = file_begin(&f, &b);
	if (r == 0)
		r = upload_bytes(&f) < 0 ? -1 : 0;
	if (r == 0)
		r = file_read_head(&f);
	if (r == 0 && f.head.status != 201)
		r = file_refused(&f);
	else if (r == 0 && (r = file_read_rest(&f)) == 0)
		r = upload_check(&f, sha256);
	if (r == 0)
		file_tell(&f, true);
	buf_free(&b);
	file_close(&f);
	return r;
}

/* What is there of an earlier try, or from the begin when it is too much. */
static int
download_resume(struct file_job *f)
{
	char piece[FILE_PIECE];
	struct stat st;
	ssize_t n;

	if (fstat(f->t->fd, &st) == -1)
		return file_errno(f, "read");
	if (st.st_size > f->t->size) {
		if (ftruncate(f->t->fd, 0) == -1)
			return file_errno(f, "written");
		st.st_size = 0;
	}
	while (f->done < st.st_size) {
		n = pread(f->t->fd, piece, sizeof(piece), f->done);
		if (n <= 0)
			return file_errno(f, "read");
		crypto_sha256_add(f->sha, piece, (size_t)n);
		f->done += n;
	}
	return 0;
}

static int
download_take(struct file_job *f, const char *p, size_t n)
{
	ssize_t r;

	if ((int64_t)n > f->t->size - f->done)
		return file_fail(
		    f, "protocol", "More bytes came than the file has.");
	crypto_sha256_add(f->sha, p, n);
	while (n > 0) {
		if ((r = pwrite(f->t->fd, p, n, f->done)) == -1)
			return file_errno(f, "written");
		p += r;
		n -= (size_t)r;
		f->done += r;
	}
	file_tell(f, false);
	return 0;
}

static int
download_bytes(struct file_job *f)
{
	int r;

	buf_drain(&f->in, f->head.head);
	for (;;) {
		if (download_take(f, f->in.data, f->in.len) != 0)
			return -1;
		buf_clear(&f->in);
		if (f->done == f->t->size)
			return 0;
		if ((r = file_read(f)) <= 0)
			return r < 0 ? -1 : file_broken(f);
	}
}

/* Where the answer leads; from then on the download is from there. */
static int
download_move(struct file_job *f)
{
	struct slice to = linnet_http_header(&f->head, "location");
	char origin[512] = "";
	const char *path;

	f->moved = xstrndup(to.p != NULL ? to.p : "", to.n);
	path = strstr(f->moved, "://");
	path = path != NULL ? strchr(path + 3, '/') : NULL;
	if ((!str_starts(f->moved, "http://") &&
		!str_starts(f->moved, "https://")) ||
	    path == NULL || (size_t)(path - f->moved) >= sizeof(origin) ||
	    strpbrk(path, " \r\n\t") != NULL)
		return file_fail(f, "protocol",
		    "The broker leads to a storage that is no URL.");
	memcpy(origin, f->moved, (size_t)(path - f->moved));
	if (linnet_url_read(&f->url, origin, f->e) != 0)
		return -1;
	if (f->l->url.tls && !f->url.tls)
		return file_fail(f, "protocol",
		    "The broker leads to a storage without TLS; ask its "
		    "operator (files.s3_redirect).");
	if (f->url.tls &&
	    (f->tls = linnet_tls_new(&f->l->config.tls, f->e)) == NULL)
		return -1;
	memmove(f->moved, path, strlen(path) + 1);
	linnet_socket_close(&f->socket);
	linnet_socket_init(&f->socket);
	buf_clear(&f->in);
	return 0;
}

static int
download_ask(struct file_job *f)
{
	bool moved = f->moved != NULL;
	struct buf b;
	int r;

	buf_init(&b, FILE_ANSWER_MAX);
	buf_addf(&b, "GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: liblinnet\r\n",
	    moved ? f->moved : f->t->url,
	    moved ? f->url.authority : f->l->url.authority);
	if (f->done > 0)
		buf_addf(&b, "Range: bytes=%" PRId64 "-\r\n", f->done);
	/* Another server has other tags; the SHA-256 tells in the end. */
	if (f->done > 0 && !moved)
		buf_addf(&b, "If-Range: \"%s\"\r\n", f->t->sha256);
	buf_adds(&b, "\r\n");
	r = file_begin(f, &b);
	buf_free(&b);
	return r != 0 ? -1 : file_read_head(f);
}

static int
download_begin(struct file_job *f)
{
	if (download_ask(f) != 0)
		return -1;
	if ((f->head.status == 307 || f->head.status == 302) &&
	    (download_move(f) != 0 || download_ask(f) != 0))
		return -1;
	if (f->head.status == 206 && f->done > 0)
		return 0;
	if (f->head.status != 200)
		return file_refused(f);
	/* All of it, though a part was asked for. */
	if (f->done > 0) {
		crypto_sha256_free(f->sha);
		f->sha = crypto_sha256_new();
		f->done = 0;
	}
	return 0;
}

int
linnet_download(struct linnet *l, const struct linnet_transfer *t,
    struct linnet_error *error)
{
	char sha256[LINNET_SHA256_SIZE];
	struct file_job f;
	int r;

	file_open(&f, l, t, error);
	r = download_resume(&f);
	if (r == 0 && f.done < t->size && (r = download_begin(&f)) == 0)
		r = download_bytes(&f);
	if (r == 0) {
		file_tell(&f, true);
		file_hex(&f, sha256);
		if (t->sha256 != NULL && strcmp(sha256, t->sha256) != 0) {
			/* The next try begins anew. */
			(void)!ftruncate(t->fd, 0);
			r = file_fail(&f, "unavailable",
			    "The bytes are not those that were shared (their "
			    "SHA-256 is another one); try again.");
		}
	}
	file_close(&f);
	return r;
}
