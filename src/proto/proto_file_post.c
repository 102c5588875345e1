/* SPDX-License-Identifier: ISC */
/*
 * What an upload says of itself in its head: for POST what share_file is asked
 * for, in the query or in the headers that claudemesh has for that; and of any
 * upload, what its body is.
 *
 * What is not understood is refused: a file that was meant for a few shall not
 * be there for all because of a word.
 */
#include <string.h>

#include "proto/proto_file.h"

#define POST_TEXT_MAX 4096

static bool
post_is(struct slice s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

/* Is there such a key, whatever its value looks like? */
static bool
post_has(const struct http_request *h, const char *key)
{
	struct slice q = h->query;
	size_t n = strlen(key);
	const char *end;

	while (q.n > 0) {
		if (q.n >= n && memcmp(q.p, key, n) == 0 &&
		    (q.n == n || q.p[n] == '=' || q.p[n] == '&'))
			return true;
		if ((end = memchr(q.p, '&', q.n)) == NULL)
			break;
		q.n -= (size_t)(end + 1 - q.p);
		q.p = end + 1;
	}
	return false;
}

/* A value of the query, or of a header; false: it cannot be read. */
static bool
post_value(struct file_work *w, const struct http_request *h, const char *key,
    const char *header, struct slice *out)
{
	char text[POST_TEXT_MAX];
	ptrdiff_t n;

	*out = (struct slice){ NULL, 0 };
	if (post_has(h, key)) {
		if ((n = http_query(h, key, text, sizeof(text))) < 0)
			return false;
		*out = file_work_keep(w, (struct slice){ text, (size_t)n });
	} else if (header != NULL) {
		*out = file_work_keep(w, http_header(h, header));
	}
	return true;
}

/* a,b,c, or a JSON array of strings; false: there are too many. */
static bool
post_tags(struct file_work *w, struct slice s)
{
	struct slice *tags =
	    pool_alloc(&w->pool, FILE_TAGS_MAX * sizeof(*tags));
	size_t i, begin = 0, n = 0;
	char ch;

	for (i = 0; i <= s.n; i++) {
		ch = i < s.n ? s.p[i] : ',';
		if (ch == '\0' || strchr(",[]\"", ch) == NULL)
			continue;
		while (begin < i && s.p[begin] == ' ')
			begin++;
		if (i > begin && n == FILE_TAGS_MAX)
			return false;
		if (i > begin)
			tags[n++] = (struct slice){ s.p + begin, i - begin };
		begin = i + 1;
	}
	w->share.tags = (struct list){ tags, n };
	return true;
}

static const char *
post_attached(struct file_work *w, const struct http_request *h)
{
	struct slice word = http_header(h, "x-persistent");

	w->share.attached = post_is(word, "false");
	if (word.p != NULL && !w->share.attached && !post_is(word, "true"))
		return "X-Persistent is neither true nor false.";
	if (!post_has(h, "attachment"))
		return NULL;
	if (!post_value(w, h, "attachment", NULL, &word) ||
	    (!post_is(word, "true") && !post_is(word, "false")))
		return "attachment is neither true nor false.";
	w->share.attached = post_is(word, "true");
	return NULL;
}

const char *
file_post_read(struct file_work *w, const struct http_request *h)
{
	struct slice tags;

	if (!post_value(w, h, "name", "x-file-name", &w->share.name))
		return "name cannot be read: it is malformed, or too long.";
	if (!post_value(w, h, "tags", "x-tags", &tags))
		return "tags cannot be read: they are malformed, or too long.";
	if (!post_tags(w, tags))
		return "There are more than 32 tags.";
	if (!post_value(w, h, "sha256", NULL, &w->share.sha256) ||
	    (post_has(h, "sha256") && w->share.sha256.n == 0))
		return "sha256 must be 64 hex digits.";
	w->share.mime = file_work_keep(w, http_header(h, "content-type"));
	w->share.size = h->chunked ? FILE_ANY_SIZE : (int64_t)h->content_length;
	return post_attached(w, h);
}

const char *
file_post_body(struct file_work *w, const struct http_request *h)
{
	struct slice coding = http_header(h, "content-encoding");

	if (!h->chunked && http_header(h, "content-length").p == NULL) {
		w->status = 411;
		return "An upload needs a Content-Length, or comes in chunks.";
	}
	if (http_header(h, "content-range").p != NULL)
		return "A file comes as a whole: Content-Range is not "
		       "understood.";
	if (coding.n > 0 && !post_is(coding, "identity")) {
		w->status = 415;
		return "The bytes of a file are stored as they come: send them "
		       "without a Content-Encoding.";
	}
	return NULL;
}
