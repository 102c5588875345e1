/* SPDX-License-Identifier: ISC */
/*
 * An S3 service as a store.  Objects are shared/FILE in the bucket mesh-MESH,
 * or mesh-MESH/shared/FILE in one bucket for all.
 */
#include "store/store_s3.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S3_MESH "mesh-"
#define S3_SHARED "shared/"
#define S3_QUERY_MAX 4096

void
store_s3_name(const struct store_s3 *s, const struct store_key *key,
    char bucket[S3_BUCKET_MAX], char object[S3_KEY_MAX])
{
	char mesh[ID_HEX_LEN + 1], file[ID_HEX_LEN + 1];

	id_hex(&key->mesh, mesh);
	id_hex(&key->file, file);
	if (s->bucket[0] != '\0') {
		str_copy(bucket, s->bucket, S3_BUCKET_MAX);
		snprintf(object, S3_KEY_MAX, S3_MESH "%s/" S3_SHARED "%s", mesh,
		    file);
	} else {
		snprintf(bucket, S3_BUCKET_MAX, S3_MESH "%s", mesh);
		snprintf(object, S3_KEY_MAX, S3_SHARED "%s", file);
	}
}

/* Takes an id off a text; false: there is none. */
static bool
s3_take_id(const char **s, const char *before, struct id *id)
{
	size_t n = strlen(before);

	if (strncmp(*s, before, n) != 0 ||
	    strnlen(*s + n, ID_HEX_LEN) < ID_HEX_LEN ||
	    id_parse(id, *s + n, ID_HEX_LEN) == -1)
		return false;
	*s += n + ID_HEX_LEN;
	return true;
}

/* The object that a bucket and a key name; false: it is not one of ours. */
static bool
s3_key(const struct store_s3 *s, const char *bucket, const char *object,
    struct store_key *key)
{
	if (s->bucket[0] == '\0')
		return s3_take_id(&bucket, S3_MESH, &key->mesh) &&
		       bucket[0] == '\0' &&
		       s3_take_id(&object, S3_SHARED, &key->file) &&
		       object[0] == '\0';
	return s3_take_id(&object, S3_MESH, &key->mesh) &&
	       s3_take_id(&object, "/" S3_SHARED, &key->file) &&
	       object[0] == '\0';
}

static int
s3_remove(struct store *st, const struct store_key *key)
{
	char bucket[S3_BUCKET_MAX], object[S3_KEY_MAX];
	struct s3_request r = { .method = "DELETE",
		.bucket = bucket,
		.object = object,
		.query = "" };
	int error;

	store_s3_name((struct store_s3 *)st, key, bucket, object);
	error = store_s3_do((struct store_s3 *)st, &r);
	store_s3_done(&r);
	return error == ENOENT ? 0 : error;
}

/* The size alone. */
static int
s3_head(
    struct store_s3 *s, const char *bucket, const char *object, int64_t *size)
{
	struct s3_request r = { .method = "HEAD",
		.bucket = bucket,
		.object = object,
		.query = "" };
	int error = store_s3_do(s, &r);

	*size = r.size;
	store_s3_done(&r);
	return error == 0 && *size < 0 ? EIO : error;
}

static int
s3_get(struct store *st, const struct store_key *key, uint64_t offset,
    uint64_t length, struct store_sink *sink)
{
	struct store_s3 *s = (struct store_s3 *)st;
	char bucket[S3_BUCKET_MAX], object[S3_KEY_MAX], range[64];
	struct s3_request r = { .method = "GET",
		.bucket = bucket,
		.object = object,
		.query = "",
		.sink = sink,
		.first = offset,
		.most = length };
	int error = ERANGE;
	int64_t size;

	store_s3_name(s, key, bucket, object);
	if (offset > 0 || length != STORE_ALL) {
		r.range = range;
		if (length > INT64_MAX - offset)
			snprintf(range, sizeof(range), "bytes=%llu-",
			    (unsigned long long)offset);
		else
			snprintf(range, sizeof(range), "bytes=%llu-%llu",
			    (unsigned long long)offset,
			    (unsigned long long)(offset + length - 1));
	}
	if (length > 0) {
		error = store_s3_do(s, &r);
		store_s3_done(&r);
	}
	if (error != ERANGE)
		return error;
	/* No bytes are no range, and yet a size. */
	error = s3_head(s, bucket, object, &size);
	if (error == 0 && offset > (uint64_t)size)
		error = ERANGE;
	return error != 0 ? error : sink->begin(sink->arg, (uint64_t)size);
}

/* Calls fn with each bucket of ours; 0 or an errno. */
static int
s3_each_bucket(struct store_s3 *s,
    int (*fn)(struct store_s3 *s, const char *bucket, void *arg), void *arg)
{
	struct s3_request r = {
		.method = "GET", .bucket = "", .object = "", .query = ""
	};
	char bucket[S3_BUCKET_MAX];
	struct slice at, name;
	int error;

	if (s->bucket[0] != '\0')
		return fn(s, s->bucket, arg);
	error = store_s3_do(s, &r);
	at = (struct slice){ r.reply.data, r.reply.len };
	while (error == 0 && store_xml_next(&at, "Name", &name)) {
		if (name.n >= sizeof(bucket) ||
		    name.n != sizeof(S3_MESH) - 1 + ID_HEX_LEN ||
		    memcmp(name.p, S3_MESH, sizeof(S3_MESH) - 1) != 0)
			continue;
		memcpy(bucket, name.p, name.n);
		bucket[name.n] = '\0';
		error = fn(s, bucket, arg);
	}
	store_s3_done(&r);
	return error;
}

/* The text of an element inside of another one; false: there is none. */
static bool
s3_text(struct slice in, const char *name, struct buf *out)
{
	struct slice text;

	buf_clear(out);
	if (!store_xml_next(&in, name, &text))
		return false;
	store_xml_text(out, text);
	return !out->failed;
}

struct s3_list {
	store_list_fn *fn;
	void *arg;
};

static int
s3_list_one(struct store_s3 *s, const char *bucket, struct slice entry,
    struct s3_list *list)
{
	struct store_object o = { 0 };
	struct buf text;
	bool ours;

	buf_init(&text, S3_QUERY_MAX);
	ours = s3_text(entry, "Key", &text) &&
	       s3_key(s, bucket, buf_str(&text), &o.key);
	if (ours && s3_text(entry, "Size", &text))
		o.size = strtoull(buf_str(&text), NULL, 10);
	if (ours && s3_text(entry, "LastModified", &text) &&
	    clock_parse(buf_str(&text), text.len, &o.stored_ms) == -1)
		o.stored_ms = store_s3_now();
	buf_free(&text);
	return ours && !list->fn(list->arg, &o) ? ECANCELED : 0;
}

/* One page; next is the word for the one after it, empty at the end. */
static int
s3_list_page(struct store_s3 *s, const char *bucket, struct s3_list *list,
    struct buf *next)
{
	struct s3_request r = {
		.method = "GET", .bucket = bucket, .object = ""
	};
	struct slice at, entry;
	struct buf query;
	int error;

	buf_init(&query, S3_QUERY_MAX);
	if (next->len > 0) {
		buf_adds(&query, "continuation-token=");
		store_sigv4_encode(&query, buf_str(next), false);
		buf_addc(&query, '&');
	}
	buf_adds(&query, "list-type=2");
	r.query = buf_str(&query);
	error = store_s3_do(s, &r);
	at = (struct slice){ r.reply.data, r.reply.len };
	(void)s3_text(at, "NextContinuationToken", next);
	while (error == 0 && store_xml_next(&at, "Contents", &entry))
		error = s3_list_one(s, bucket, entry, list);
	store_s3_done(&r);
	buf_free(&query);
	return error;
}

static int
s3_list_bucket(struct store_s3 *s, const char *bucket, void *arg)
{
	struct buf next;
	int error;

	buf_init(&next, S3_QUERY_MAX);
	do
		error = s3_list_page(s, bucket, arg, &next);
	while (error == 0 && next.len > 0);
	buf_free(&next);
	return error;
}

static int
s3_list(struct store *st, store_list_fn *fn, void *arg)
{
	struct s3_list list = { fn, arg };

	return s3_each_bucket((struct store_s3 *)st, s3_list_bucket, &list);
}

/* An upload that began so long ago that nobody works at it. */
static void
s3_sweep_one(struct store_s3 *s, const char *bucket, struct slice entry)
{
	struct store_key key;
	struct buf object, id, since;
	int64_t at;

	buf_init(&object, S3_QUERY_MAX);
	buf_init(&id, S3_QUERY_MAX);
	buf_init(&since, S3_QUERY_MAX);
	if (s3_text(entry, "Key", &object) && s3_text(entry, "UploadId", &id) &&
	    s3_text(entry, "Initiated", &since) &&
	    clock_parse(buf_str(&since), since.len, &at) == 0 &&
	    store_s3_now() - at > s->abandoned_ms &&
	    s3_key(s, bucket, buf_str(&object), &key) &&
	    store_s3_abort(s, bucket, buf_str(&object), buf_str(&id)) == 0)
		log_info("S3: removed what was left of an upload of %s",
		    buf_str(&object));
	buf_free(&object);
	buf_free(&id);
	buf_free(&since);
}

/* One page is enough: the next hour has the next.  A service without uploads
 * of parts has none that were left. */
static int
s3_sweep_bucket(struct store_s3 *s, const char *bucket, void *arg)
{
	struct s3_request r = { .method = "GET",
		.bucket = bucket,
		.object = "",
		.query = "uploads=" };
	struct slice at, entry;
	int error = store_s3_do(s, &r);

	(void)arg;
	at = (struct slice){ r.reply.data, r.reply.len };
	while (error == 0 && store_xml_next(&at, "Upload", &entry))
		s3_sweep_one(s, bucket, entry);
	store_s3_done(&r);
	return error == ENOTSUP || error == ENOENT ? 0 : error;
}

/* An upload that a process began that is no more. */
static bool
s3_sweep_note(void *arg, char *text)
{
	char *object = strchr(text, '\n'), *id, *end;
	int error;

	if (object == NULL || (id = strchr(object + 1, '\n')) == NULL ||
	    (end = strchr(id + 1, '\n')) == NULL)
		return true;
	*object++ = *id++ = *end = '\0';
	if ((error = store_s3_abort(arg, text, object, id)) != 0)
		return error == ENOENT;
	log_info("S3: removed what was left of an upload of %s", object);
	return true;
}

static int
s3_sweep(struct store *st)
{
	struct store_s3 *s = (struct store_s3 *)st;
	int error = store_sweep(s->spool);

	store_dir_notes(s->spool, s3_sweep_note, s);

	return error != 0 ? error : s3_each_bucket(s, s3_sweep_bucket, NULL);
}

static int
s3_presign(struct store *st, const struct store_key *key, unsigned seconds,
    const char *disposition, struct buf *out)
{
	struct store_s3 *s = (struct store_s3 *)st;
	char bucket[S3_BUCKET_MAX], object[S3_KEY_MAX];
	struct sigv4_header header = { .name = "host" };
	struct sigv4_request r = { .method = "GET",
		.query = "",
		.headers = &header,
		.nheaders = 1,
		.payload = "UNSIGNED-PAYLOAD" };
	struct buf host, path, more;

	buf_init(&host, S3_QUERY_MAX);
	buf_init(&path, S3_QUERY_MAX);
	/* What was uploaded is data: no browser shall show or run it. */
	buf_init(&more, S3_QUERY_MAX);
	buf_adds(&more, "response-content-disposition=");
	store_sigv4_encode(&more, disposition, false);
	buf_adds(&more, "&response-content-type=application%2Foctet-stream");
	r.query = buf_str(&more);
	store_s3_name(s, key, bucket, object);
	store_s3_place(s, bucket, object, &host, &path);
	header.value = buf_str(&host);
	r.path = buf_str(&path);
	store_sigv4_date(r.date, store_s3_now());
	buf_addf(out, "%s://%s%s?", s->scheme, header.value, r.path);
	if (more.failed || path.failed) {
		buf_free(&more);
		buf_free(&path);
		buf_free(&host);
		return E2BIG;
	}
	store_sigv4_presign(&s->key, &r, seconds, out);
	buf_free(&more);
	buf_free(&path);
	buf_free(&host);
	return 0;
}

static void
s3_wipe(const char *secret)
{
	char *s = (char *)(uintptr_t)secret;

	crypto_wipe(s, strlen(s));
	free(s);
}

static void
s3_free(struct store *st)
{
	struct store_s3 *s = (struct store_s3 *)st;
	unsigned i;

	for (i = 0; i < s->nidle; i++)
		curl_easy_cleanup(s->idle[i]);
	store_free(s->spool);
	pthread_mutex_destroy(&s->lock);
	s3_wipe(s->key.secret);
	s3_wipe(s->key.key_id);
	s3_wipe(s->key.region);
	free(s->scheme);
	free(s->host);
	free(s->bucket);
	free(s->ca_file);
	free(s);
	curl_global_cleanup();
}

/* Without the port that the scheme has by itself: libcurl does not name it,
 * and what is signed is what is sent. */
static void
s3_set_endpoint(struct store_s3 *s, const char *endpoint)
{
	const char *host = strstr(endpoint, "://");
	const char *port;
	size_t n;

	s->scheme = xstrndup(endpoint, (size_t)(host - endpoint));
	s->host = xstrdup(host + 3);
	port = strcmp(s->scheme, "https") == 0 ? ":443" : ":80";
	n = strlen(s->host);
	if (n > strlen(port) && strcmp(s->host + n - strlen(port), port) == 0)
		s->host[n - strlen(port)] = '\0';
}

struct store *
store_s3_open(const struct store_s3_config *c, char **error)
{
	struct store_s3 *s;

	if (strstr(c->endpoint, "://") == NULL) {
		*error = xstrdup("files.s3_endpoint is no URL");
		return NULL;
	}
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		*error = xstrdup("libcurl does not start");
		return NULL;
	}
	s = xcalloc(1, sizeof(*s));
	s3_set_endpoint(s, c->endpoint);
	s->bucket = xstrdup(c->bucket);
	s->ca_file = xstrdup(c->ca_file);
	s->path_style = c->path_style;
	s->idle_ms = c->idle_ms;
	s->abandoned_ms = c->abandoned_ms;
	s->key.key_id = xstrdup(c->key_id);
	s->key.secret = xstrdup(c->secret);
	s->key.region = xstrdup(c->region);
	s->key.service = "s3";
	s->spool = c->spool;
	pthread_mutex_init(&s->lock, NULL);
	s->store = (struct store){
		.put = store_s3_put,
		.get = s3_get,
		.remove = s3_remove,
		.list = s3_list,
		.sweep = s3_sweep,
		.presign = s3_presign,
		.free = s3_free,
	};
	return &s->store;
}
