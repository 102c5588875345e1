/* SPDX-License-Identifier: ISC */
/*
 * One request to S3.  A handle of libcurl keeps its connection; handles that
 * nobody uses wait in the store for the next one who needs one.
 *
 * A body of bytes goes out in chunks that are signed one by one
 * (STREAMING-AWS4-HMAC-SHA256-PAYLOAD): nothing has to be read twice, or kept,
 * to be signed, and the service notices when a byte was changed.
 */
#include "config.h" /* strcasestr(3) */

#include "store/store_s3.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define HTTP_EMPTY \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HTTP_STREAM "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
/* "10000;chunk-signature=" and what is around a chunk. */
#define HTTP_CHUNK_HEAD 96
#define HTTP_HEADERS 8
#define HTTP_TEXT_MAX 8192
#define HTTP_TRIES 3
#define HTTP_CONNECT_MS 10000

/* A request under way. */
struct http {
	struct store_s3 *s;
	struct s3_request *r;
	CURL *curl;
	struct curl_slist *headers;
	struct sigv4_chain chain;
	char *piece;	/* a chunk, as it is sent */
	size_t at, len; /* in it */
	uint64_t left;	/* of what is sent, or for the sink */
	bool last;	/* the chunk that says so is made */
	bool begun;	/* the sink, or the body */
	int error;	/* that a callback found */
};

int64_t
store_s3_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static CURL *
http_take(struct store_s3 *s)
{
	CURL *curl = NULL;

	pthread_mutex_lock(&s->lock);
	if (s->nidle > 0)
		curl = s->idle[--s->nidle];
	pthread_mutex_unlock(&s->lock);
	return curl != NULL ? curl : curl_easy_init();
}

static void
http_give(struct store_s3 *s, CURL *curl)
{
	bool kept = false;

	curl_easy_reset(curl);
	pthread_mutex_lock(&s->lock);
	if (s->nidle < S3_IDLE_MAX) {
		s->idle[s->nidle++] = curl;
		kept = true;
	}
	pthread_mutex_unlock(&s->lock);
	if (!kept)
		curl_easy_cleanup(curl);
}

void
store_s3_place(const struct store_s3 *s, const char *bucket, const char *object,
    struct buf *host, struct buf *path)
{
	if (bucket[0] != '\0' && !s->path_style)
		buf_addf(host, "%s.", bucket);
	buf_adds(host, s->host);
	buf_addc(path, '/');
	if (bucket[0] != '\0' && s->path_style) {
		buf_adds(path, bucket);
		if (object[0] != '\0')
			buf_addc(path, '/');
	}
	store_sigv4_encode(path, object, true);
}

/* Bytes of the body with the signatures between them. */
static uint64_t
http_stream_length(uint64_t length)
{
	const uint64_t around =
	    sizeof(";chunk-signature=") - 1 + SIGV4_HEX_LEN + 4;
	uint64_t full = length / STORE_PIECE, rest = length % STORE_PIECE;
	char hex[24];
	uint64_t n;

	n = full * ((uint64_t)snprintf(hex, sizeof(hex), "%x", STORE_PIECE) +
		       around + STORE_PIECE);
	if (rest > 0)
		n += (uint64_t)snprintf(
			 hex, sizeof(hex), "%llx", (unsigned long long)rest) +
		     around + rest;
	return n + 1 + around;
}

/* Makes the next chunk: a head of known length before bytes that are read to
 * where they stay.  0 or an errno. */
static int
http_chunk(struct http *h)
{
	size_t want = h->left < STORE_PIECE ? (size_t)h->left : STORE_PIECE;
	char *data = h->piece + HTTP_CHUNK_HEAD, head[HTTP_CHUNK_HEAD];
	size_t n = 0;
	ssize_t got;
	int len;

	while (n < want) {
		got = h->r->read(h->r->arg, data + n, want - n);
		if (got == -1)
			return errno;
		if (got == 0)
			return EMSGSIZE;
		n += (size_t)got;
	}
	h->left -= n;
	h->last = n == 0;
	store_sigv4_chunk(&h->chain, data, n);
	len = snprintf(head, sizeof(head), "%zx;chunk-signature=%s\r\n", n,
	    h->chain.signature);
	h->at = HTTP_CHUNK_HEAD - (size_t)len;
	memcpy(h->piece + h->at, head, (size_t)len);
	memcpy(data + n, "\r\n", 2);
	h->len = HTTP_CHUNK_HEAD + n + 2;
	return 0;
}

static size_t
http_read_cb(char *out, size_t size, size_t n, void *arg)
{
	struct http *h = arg;
	size_t room = size * n, k;

	h->begun = true;
	if (h->r->read == NULL) {
		k = h->left < room ? (size_t)h->left : room;
		memcpy(out, h->r->text + h->r->text_len - h->left, k);
		h->left -= k;
		return k;
	}
	if (h->at == h->len) {
		if (h->last)
			return 0;
		if ((h->error = http_chunk(h)) != 0)
			return CURL_READFUNC_ABORT;
	}
	k = h->len - h->at < room ? h->len - h->at : room;
	memcpy(out, h->piece + h->at, k);
	h->at += k;
	return k;
}

/* The text of a header, or NULL when it is another one. */
static const char *
http_header(const char *line, const char *name)
{
	size_t n = strlen(name);

	if (strncasecmp(line, name, n) != 0 || line[n] != ':')
		return NULL;
	line += n + 1;
	return line + strspn(line, " \t");
}

static size_t
http_header_cb(char *p, size_t size, size_t n, void *arg)
{
	struct http *h = arg;
	long long first, all;
	char line[512];
	const char *v;

	n *= size;
	if (n >= sizeof(line))
		return n;
	memcpy(line, p, n);
	line[n] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	if (str_starts(line, "HTTP/")) {
		h->r->size = -1;
		h->r->etag[0] = '\0';
	} else if ((v = http_header(line, "etag")) != NULL) {
		str_copy(h->r->etag, v, sizeof(h->r->etag));
	} else if ((v = http_header(line, "content-range")) != NULL &&
		   sscanf(v, "bytes %lld-%*d/%lld", &first, &all) == 2) {
		h->r->start = first;
		h->r->size = all;
	} else if ((v = http_header(line, "content-length")) != NULL &&
		   h->r->size == -1) {
		h->r->size = strtoll(v, NULL, 10);
	}
	return n;
}

static long
http_status(struct http *h)
{
	long status = 0;

	curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static bool
http_is_done(long status)
{
	return status >= 200 && status < 300;
}

/* The first byte of an object, or its end when it has none. */
static int
http_begin(struct http *h)
{
	struct s3_request *r = h->r;

	if (h->begun)
		return 0;
	h->begun = true;
	/* Not every service has ranges, and the whole is a wrong answer. */
	if ((r->range != NULL) != (http_status(h) == 206) || r->size < 0 ||
	    (r->range != NULL && (uint64_t)r->start != r->first))
		return EIO;
	return r->sink->begin(r->sink->arg, (uint64_t)r->size);
}

static size_t
http_write_cb(char *p, size_t size, size_t n, void *arg)
{
	struct http *h = arg;
	size_t k;

	n *= size;
	if (h->r->sink == NULL || !http_is_done(http_status(h))) {
		buf_add(&h->r->reply, p, n);
		return h->r->reply.failed ? 0 : n;
	}
	h->error = http_begin(h);
	/* Some send more than the range. */
	k = h->left < n ? (size_t)h->left : n;
	h->left -= k;
	if (h->error == 0 && k > 0)
		h->error = h->r->sink->write(h->r->sink->arg, p, k);
	return h->error == 0 ? n : 0;
}

static int
http_progress_cb(
    void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct http *h = arg;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return store_is_stopped(&h->s->store);
}

static void
http_add_header(struct http *h, const char *name, const char *value)
{
	char *line = xasprintf("%s: %s", name, value);
	struct curl_slist *more = curl_slist_append(h->headers, line);

	free(line);
	if (more == NULL)
		fatalx("no memory for a header");
	h->headers = more;
}

/* The headers in the order of their names, the signature, and the same for
 * libcurl, which adds Host and Content-Length itself. */
static void
http_sign(struct http *h, const char *host, const char *path)
{
	struct s3_request *r = h->r;
	struct sigv4_header v[HTTP_HEADERS];
	char sum[SIGV4_HEX_LEN + 1] = HTTP_EMPTY, length[24];
	struct sigv4_request q = { .method = r->method,
		.path = path,
		.query = r->query,
		.headers = v,
		.payload = sum };
	struct buf auth;
	size_t i;

	if (r->text != NULL)
		store_sigv4_sha256(sum, r->text, r->text_len);
	if (r->read != NULL)
		q.payload = HTTP_STREAM;
	snprintf(length, sizeof(length), "%llu", (unsigned long long)r->length);
	store_sigv4_date(q.date, store_s3_now());
	if (r->read != NULL)
		v[q.nheaders++] =
		    (struct sigv4_header){ "content-encoding", "aws-chunked" };
	v[q.nheaders++] = (struct sigv4_header){ "host", host };
	if (r->range != NULL)
		v[q.nheaders++] = (struct sigv4_header){ "range", r->range };
	v[q.nheaders++] =
	    (struct sigv4_header){ "x-amz-content-sha256", q.payload };
	v[q.nheaders++] = (struct sigv4_header){ "x-amz-date", q.date };
	if (r->read != NULL)
		v[q.nheaders++] =
		    (struct sigv4_header){ "x-amz-decoded-content-length",
			    length };
	buf_init(&auth, HTTP_TEXT_MAX);
	store_sigv4_sign(&h->s->key, &q, &auth, &h->chain);
	for (i = 0; i < q.nheaders; i++)
		if (strcmp(v[i].name, "host") != 0)
			http_add_header(h, v[i].name, v[i].value);
	http_add_header(h, "authorization", buf_str(&auth));
	buf_free(&auth);
}

static void
http_set_body(struct http *h)
{
	struct s3_request *r = h->r;
	CURL *c = h->curl;
	uint64_t n = r->text_len;

	if (strcmp(r->method, "HEAD") == 0)
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
	h->left = r->sink != NULL ? r->most : r->text_len;
	if (r->read != NULL) {
		h->left = r->length;
		n = http_stream_length(r->length);
	}
	if (r->text == NULL && r->read == NULL &&
	    (strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0 ||
		strcmp(r->method, "DELETE") == 0))
		return;
	curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)n);
	curl_easy_setopt(c, CURLOPT_READFUNCTION, http_read_cb);
	curl_easy_setopt(c, CURLOPT_READDATA, h);
}

static void
http_set(struct http *h)
{
	struct store_s3 *s = h->s;
	CURL *c = h->curl;
	struct buf host, path;
	char *url;

	buf_init(&host, HTTP_TEXT_MAX);
	buf_init(&path, HTTP_TEXT_MAX);
	store_s3_place(s, h->r->bucket, h->r->object, &host, &path);
	http_sign(h, buf_str(&host), buf_str(&path));
	url = xasprintf("%s://%s%s%s%s", s->scheme, buf_str(&host),
	    buf_str(&path), h->r->query[0] != '\0' ? "?" : "", h->r->query);
	curl_easy_setopt(c, CURLOPT_URL, url);
	free(url);
	buf_free(&host);
	buf_free(&path);
	http_set_body(h);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, h->headers);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, http_header_cb);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, h);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, http_write_cb);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, http_progress_cb);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, h);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, (long)STORE_PIECE);
	curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, (long)STORE_PIECE);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_MS);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(
	    c, CURLOPT_LOW_SPEED_TIME, (long)(s->idle_ms / 1000 + 1));
	if (s->ca_file[0] != '\0')
		curl_easy_setopt(c, CURLOPT_CAINFO, s->ca_file);
}

/* The code that S3 gives, for the log; "" when there is none. */
static void
http_code(const struct s3_request *r, struct buf *out)
{
	struct slice at = { r->reply.data, r->reply.len }, code;

	if (r->reply.len > 0 && store_xml_next(&at, "Code", &code))
		store_xml_text(out, code);
}

/* What the answer means. */
static int
http_error(struct http *h)
{
	struct s3_request *r = h->r;
	struct buf code;
	int error = EIO;

	if (http_is_done(r->status))
		return 0;
	/* Where something is to be stored, it is the bucket that is missing. */
	if (r->status == 404 && r->object[0] != '\0' &&
	    (strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0 ||
		strcmp(r->method, "DELETE") == 0))
		return ENOENT;
	if (r->status == 404 && r->object[0] == '\0' &&
	    strcmp(r->method, "HEAD") == 0)
		return ENOENT;
	if (r->status == 416)
		return ERANGE;
	if (r->status == 403 || r->status == 401)
		error = EACCES;
	if (r->status == 501)
		error = ENOTSUP;
	buf_init(&code, HTTP_TEXT_MAX);
	http_code(r, &code);
	snprintf(r->why, sizeof(r->why), "%ld %s", r->status, buf_str(&code));
	buf_free(&code);
	return r->status == 404 ? ENOENT : error;
}

static int
http_failed(struct http *h, CURLcode code)
{
	struct s3_request *r = h->r;

	if (h->error != 0)
		return h->error;
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return ECANCELED;
	str_copy(r->why, curl_easy_strerror(code), sizeof(r->why));
	return code == CURLE_OPERATION_TIMEDOUT ? ETIMEDOUT : EIO;
}

/* *again: it may go better the next time. */
static int
http_once(struct store_s3 *s, struct s3_request *r, bool *again)
{
	struct http h = { .s = s, .r = r };
	CURLcode code;
	int error;

	if ((h.curl = http_take(s)) == NULL)
		return ENOMEM;
	if (r->read != NULL &&
	    (h.piece = alloc_try(HTTP_CHUNK_HEAD + STORE_PIECE + 2)) == NULL) {
		http_give(s, h.curl);
		return ENOMEM;
	}
	buf_clear(&r->reply);
	r->size = -1;
	http_set(&h);
	code = curl_easy_perform(h.curl);
	r->status = http_status(&h);
	r->why[0] = '\0';
	*again = !(h.begun && (r->read != NULL || r->sink != NULL)) &&
		 (code != CURLE_OK || r->status >= 500) && r->status != 501;
	if (code != CURLE_OK)
		error = http_failed(&h, code);
	else
		error = http_error(&h);
	if (error == 0 && r->sink != NULL)
		error = http_begin(&h);
	curl_slist_free_all(h.headers);
	free(h.piece);
	crypto_wipe(&h.chain, sizeof(h.chain));
	http_give(s, h.curl);
	return error;
}

int
store_s3_do(struct store_s3 *s, struct s3_request *r)
{
	struct timespec wait = { 0, 200000000 };
	bool again;
	int error, i;

	buf_init(&r->reply, S3_REPLY_MAX);
	r->why[0] = '\0';
	for (i = 1;; i++) {
		again = false;
		error = http_once(s, r, &again);
		if (error == 0 || !again || i == HTTP_TRIES ||
		    error == ECANCELED)
			break;
		nanosleep(&wait, NULL);
		wait.tv_nsec *= 2;
	}
	if (error != 0 && error != ENOTSUP && r->why[0] != '\0')
		log_warn("S3: %s of %s/%s: %s", r->method, r->bucket, r->object,
		    r->why);
	return error;
}

void
store_s3_done(struct s3_request *r)
{
	buf_free(&r->reply);
}
