/* SPDX-License-Identifier: ISC */
/*
 * Downloads: all of a file, or a range of it, as the peer reads it.
 *
 * What a file is called and what it is are its uploader's words: an answer has
 * them as data, and nothing that a browser would show or run.
 */
#include "config.h" /* memmem(3) */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/proto_file.h"

#define FILE_HEADERS_MAX 4096

void
file_get_read(struct file_work *w)
{
	core_count(w->core, FILES_READ);
	/* Who has the end has all, as far as it wanted it. */
	if (w->done == w->size)
		file_accessed(w->core, &w->link, w->member_name);
}

static void
get_data(void *arg, const char *p, size_t n)
{
	struct file_work *w = arg;
	struct peer *peer = w->peer;
	bool more;

	if (peer == NULL)
		return;
	w->done += n;
	w->max -= n;
	w->core->counters[METRIC_FILE_BYTES_DOWN] += n;
	if (w->max > 0) {
		more = conn_answer(peer->conn, p, n);
		if (!more)
			w->core->storage->want(w->transfer, false);
		return;
	}
	file_get_read(w);
	w->core->storage->close(w->transfer);
	w->transfer = NULL;
	(void)conn_answer(peer->conn, p, n);
	file_work_leave(w);
	file_work_free(w);
}

/* A sign that means a path, or more than itself, to some reader. */
static bool
get_is_odd(char ch)
{
	return ch < ' ' || ch > '~' || strchr("\"\\/%:*?<>|", ch) != NULL;
}

/* Of RFC 6266, with both names; dots alone would be a directory. */
void
file_get_disposition(struct buf *b, struct slice name)
{
	bool dots = true;
	size_t i;
	char ch;

	for (i = 0; i < name.n; i++)
		dots = dots && name.p[i] == '.';
	buf_adds(b, "attachment; filename=\"");
	for (i = 0; i < name.n; i++)
		buf_addc(b, dots || get_is_odd(name.p[i]) ? '_' : name.p[i]);
	buf_adds(b, "\"; filename*=UTF-8''");
	for (i = 0; i < name.n; i++) {
		ch = dots ? '_' : name.p[i];
		if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
		    (ch >= '0' && ch <= '9') ||
		    (ch != '\0' && strchr("-._~!#$&+^`|", ch) != NULL))
			buf_addc(b, ch);
		else
			buf_addf(b, "%%%02X", (uint8_t)ch);
	}
}

static void
get_etag(const struct file_work *w, char etag[2 * FILE_SHA256_LEN + 3])
{
	etag[0] = '"';
	crypto_hex(etag + 1, w->sha256, FILE_SHA256_LEN);
	etag[2 * FILE_SHA256_LEN + 1] = '"';
	etag[2 * FILE_SHA256_LEN + 2] = '\0';
}

/* The headers of an answer from its w->done to w->max bytes behind it. */
static void
get_headers(const struct file_work *w, struct buf *b, bool part)
{
	char etag[2 * FILE_SHA256_LEN + 3], hex[ID_HEX_LEN + 1];

	get_etag(w, etag);
	buf_init(b, FILE_HEADERS_MAX);
	buf_adds(b, w->cors);
	buf_addf(b,
	    "ETag: %s\r\nAccept-Ranges: bytes\r\n"
	    "X-Content-Type-Options: nosniff\r\n"
	    "Content-Security-Policy: default-src 'none'; sandbox\r\n"
	    "Cross-Origin-Resource-Policy: same-site\r\n"
	    "Cache-Control: private, no-cache\r\n",
	    etag);
	buf_adds(b, "Content-Disposition: ");
	file_get_disposition(b, w->name);
	buf_adds(b, "\r\n");
	if (w->artifact)
		buf_addf(b,
		    "X-Artifact-Id: %s\r\nX-Artifact-Size: %" PRIu64
		    "\r\nX-Artifact-Sha256: %.*s\r\n",
		    id_hex(&w->link.file, hex), w->size, 2 * FILE_SHA256_LEN,
		    etag + 1);
	if (part)
		buf_addf(b,
		    "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64
		    "\r\n",
		    w->done, w->done + w->max - 1, w->size);
}

/* The answer begins: true, bytes are to follow. */
static bool
get_begin(struct file_work *w)
{
	bool part = w->max < w->size, more;
	struct buf b;

	get_headers(w, &b, part);
	w->began = true;
	more = conn_answer_begin(w->peer->conn, part ? 206 : 200,
	    pool_strndup(&w->pool, w->mime.p, w->mime.n), buf_str(&b), w->max);
	buf_free(&b);
	return more;
}

static void
get_answer(void *arg, const struct storage_answer *a)
{
	struct file_work *w = arg;

	if (a->error == 0 && a->size != w->size) {
		log_error("a stored file has %" PRIu64 " bytes instead of "
			  "%" PRIu64,
		    a->size, w->size);
		file_work_fail(w, ERR_INTERNAL, NULL);
	} else if (a->error != 0) {
		file_work_refused(w, a);
	} else if (get_begin(w))
		w->core->storage->want(w->transfer, true);
}

static void
get_ended(void *arg, bool whole)
{
	struct file_work *w = arg;

	(void)whole;
	/* It was complete when this is not called any more. */
	w->transfer = NULL;
	log_warn("the storage broke off a download");
	file_work_fail(w, ERR_UNAVAILABLE,
	    "The storage broke off; ask for the rest with Range.");
}

static const struct transfer_calls get_calls = {
	.answer = get_answer,
	.data = get_data,
	.ended = get_ended,
};

void
file_get_room(struct file_work *w)
{
	if (w != NULL && w->transfer != NULL)
		w->core->storage->want(w->transfer, true);
}

/* Is the tag one of a list?  No other tag can have it inside.  (RFC 9110
 * 13.1.1, 13.1.2; what is weak is the same here, as nothing changes.) */
static bool
get_names(struct slice list, const char *etag)
{
	return (list.n == 1 && list.p[0] == '*') ||
	       memmem(list.p, list.n, etag, strlen(etag)) != NULL;
}

/* What can be said without the bytes; true: that was all. */
static bool
get_short(struct file_work *w)
{
	char etag[2 * FILE_SHA256_LEN + 3], range[64];
	struct buf b;

	get_etag(w, etag);
	if (w->if_match.n > 0 && !get_names(w->if_match, etag)) {
		conn_reply(w->peer->conn, 412, NULL, w->cors, NULL, 0);
		file_work_leave(w);
		return true;
	}
	if (w->if_none.n > 0 && get_names(w->if_none, etag)) {
		get_headers(w, &b, false);
		conn_reply(w->peer->conn, 304, NULL, buf_str(&b), NULL, 0);
		buf_free(&b);
		file_work_leave(w);
		return true;
	}
	switch (http_range(&w->request, w->size, etag, &w->done, &w->max)) {
	case HTTP_RANGE_BAD:
		snprintf(range, sizeof(range),
		    "Content-Range: bytes */%" PRIu64 "\r\n", w->size);
		conn_reply(w->peer->conn, 416, NULL, range, NULL, 0);
		file_work_leave(w);
		return true;
	case HTTP_RANGE_NONE:
	case HTTP_RANGE_PART:
		break;
	}
	if (!w->head && w->max > 0)
		return false;
	if (!w->head)
		file_get_read(w);
	(void)get_begin(w);
	file_work_leave(w);
	return true;
}

void
file_get_found(
    void *arg, enum err e, const char *text, const struct file_info *f)
{
	struct file_work *w = arg;
	const struct core *c = w->core;
	struct storage_order o = {
		.what = STORAGE_GET,
		.mesh = w->link.mesh,
		.file = w->link.file,
		.member = w->link.member,
	};

	w->waits--;
	if (w->peer == NULL || e != ERR_NONE) {
		file_work_fail(w, e, text);
		return;
	}
	w->size = (uint64_t)f->size;
	w->name = file_work_keep(w, f->name);
	w->mime = file_work_keep(w, f->mime);
	w->member_name = file_work_keep(w, f->member_name);
	memcpy(w->sha256, f->sha256, sizeof(w->sha256));
	if (get_short(w)) {
		file_work_free(w);
		return;
	}
	if (c->storage->links(c->storage_arg)) {
		file_redirect(w);
		return;
	}
	o.offset = w->done;
	o.length = w->max;
	(void)file_work_begin(w, &o, &get_calls);
}
