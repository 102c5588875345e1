/* SPDX-License-Identifier: ISC */
/*
 * Files of tools over HTTP.  The agent's own are on another machine: what is
 * small stands in the call or in its answer, and passes through memory here;
 * for the rest there are links, with the command that uses them.
 *
 * Like an upload or download (proto_file.c) such a piece of work outlives its
 * request where the database or the storage has still to answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/proto_mcp.h"

#define FILE_NONE "This server stores no files (files.store)."

struct mcp_file {
	LIST_ENTRY(mcp_file) entry;
	struct mcp_http *m;  /* NULL: the request is gone */
	struct mcp_ask *ask; /* NULL: nobody wants the answer */
	struct core *core;
	struct pool pool;
	struct file_link link;
	struct transfer *transfer;
	unsigned waits; /* answers that are to come of the database */
	bool asking;	/* the answer of an operation is to come */
	bool claimed;
	/* Of a share. */
	const char *bytes; /* NULL: by a link */
	size_t n;
	size_t done;
	/* Of a fetch. */
	size_t most;
	bool look;
	struct buf in;
	struct slice member_name;
	/* What is known of the file. */
	const char *id;
	const char *name;
	const char *mime;
	const char *sha256;
	const char *path; /* of the link */
	const char *until;
	int64_t size;
};

static struct mcp_file *
file_new(struct mcp_http *m, struct mcp_ask *ask)
{
	struct mcp_file *f = xcalloc(1, sizeof(*f));

	f->m = m;
	f->ask = ask;
	f->core = m->peer->proto->core;
	f->asking = true;
	pool_init(&f->pool);
	buf_init(&f->in, SIZE_MAX / 2);
	f->member_name =
	    (struct slice){ pool_strndup(&f->pool, m->who.member_name.p,
				m->who.member_name.n),
		    m->who.member_name.n };
	f->link.mesh = m->who.mesh_id;
	f->link.member = m->who.member_id;
	LIST_INSERT_HEAD(&m->files, f, entry);
	return f;
}

/* Gives up what is under way, and is gone when nothing of it has to come. */
static void
file_end(struct mcp_file *f)
{
	if (f->transfer != NULL)
		f->core->storage->close(f->transfer);
	f->transfer = NULL;
	if (f->claimed)
		file_unclaim(f->core, &f->link);
	f->claimed = false;
	if (f->asking || f->waits > 0)
		return;
	if (f->m != NULL)
		LIST_REMOVE(f, entry);
	buf_free(&f->in);
	pool_free(&f->pool);
	free(f);
}

void
mcp_file_forget(struct mcp_http *m, const struct mcp_ask *ask)
{
	struct mcp_file *f;

	LIST_FOREACH (f, &m->files, entry)
		if (f->ask == ask) {
			f->ask = NULL;
			file_end(f);
			return;
		}
}

void
mcp_file_gone(struct mcp_http *m)
{
	struct mcp_file *f;

	while ((f = LIST_FIRST(&m->files)) != NULL) {
		LIST_REMOVE(f, entry);
		f->m = NULL;
		f->ask = NULL;
		/* Its operation answers nobody. */
		f->asking = false;
		file_end(f);
	}
}

/* Answers who asked, if somebody is there; that may be the end of it all. */
static void
file_tell(
    struct mcp_file *f, const struct mcp_error *e, const char *text, size_t n)
{
	struct mcp_ask *ask = f->ask;

	f->ask = NULL;
	f->waits++;
	if (ask != NULL)
		mcp_answer(ask, e, text, n);
	f->waits--;
	file_end(f);
}

static void
file_fail(struct mcp_file *f, enum err e, const char *text)
{
	const struct mcp_error error = { table_errors[e].name,
		text != NULL ? text : table_errors[e].text };

	file_tell(f, &error, NULL, 0);
}

/*
 * Answers.
 */
static void
file_text(struct json_writer *w, const char *key, const char *value)
{
	json_key(w, key);
	json_str(w, value);
}

static void
file_answer_begin(
    const struct mcp_file *f, struct json_writer *w, struct buf *b)
{
	buf_init(b, SIZE_MAX / 2);
	json_start(w, b);
	json_object(w);
	file_text(w, "fileId", f->id);
	file_text(w, "name", f->name);
}

static void
file_answer_end(struct mcp_file *f, struct json_writer *w, struct buf *b)
{
	json_object_end(w);
	if (b->failed)
		fatalx("out of memory");
	file_tell(f, NULL, b->data, b->len);
	buf_free(b);
}

/* A name as a word of a shell and a file there, whatever it is. */
static const char *
file_word(struct mcp_file *f)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz"
				    "0123456789._-";
	char *s = pool_strndup(&f->pool, f->name, strlen(f->name)), *p;

	for (p = s; *p != '\0'; p++)
		if (strchr(plain, *p) == NULL ||
		    (p == s && (*p == '.' || *p == '-')))
			*p = '_';
	return s;
}

/* The link, and the command for it: nothing in it needs more than quotes. */
static void
file_link(struct mcp_file *f, struct json_writer *w, const char *command)
{
	const char *url = pool_printf(&f->pool, "%s%s", f->m->base, f->path);

	file_text(w, "url", url);
	file_text(w, "curl", pool_printf(&f->pool, "%s '%s'", command, url));
	file_text(w, "expiresAt", f->until);
}

/* Reads what an operation answered, and keeps it; false: it failed. */
static bool
file_answered(
    struct mcp_file *f, const struct mcp_error *e, const char *text, size_t n)
{
	struct json *j = &f->m->peer->proto->json;

	f->asking = false;
	if (f->ask == NULL || e != NULL) {
		file_tell(f, e, NULL, 0);
		return false;
	}
	if (json_read(j, text, n) != 0)
		fatalx("an answer about a file: %s", j->error);
	f->id = mcp_mesh_str(&f->pool, j, 0, "fileId");
	f->path = mcp_mesh_str(&f->pool, j, 0, "url");
	f->until = mcp_mesh_str(&f->pool, j, 0, "expiresAt");
	if (id_parse(&f->link.file, f->id, strlen(f->id)) != 0)
		fatalx("a file without an id");
	return true;
}

static int64_t
file_number(const struct json *j, const char *key)
{
	int64_t n;

	return json_int(&j->nodes[json_get(j, 0, key)], &n) == 0 ? n : 0;
}

/*
 * Sharing.
 */
static void
share_stored(void *arg, enum err e, const char *text, const struct file_info *i)
{
	char hex[2 * FILE_SHA256_LEN + 1];
	struct mcp_file *f = arg;
	struct json_writer w;
	struct buf b;

	f->waits--;
	if (e != ERR_NONE) {
		file_fail(f, e, text);
		return;
	}
	crypto_hex(hex, i->sha256, sizeof(i->sha256));
	file_answer_begin(f, &w, &b);
	json_key(&w, "uploaded");
	json_bool(&w, true);
	json_key(&w, "size");
	json_num(&w, i->size);
	file_text(&w, "sha256", hex);
	file_answer_end(f, &w, &b);
}

static void
share_answer(void *arg, const struct storage_answer *a)
{
	struct mcp_file *f = arg;
	const char *text;
	enum err e;

	if (a->error != 0) {
		e = file_storage_error(a->error, &text);
		file_fail(f, e, text);
		return;
	}
	f->claimed = false;
	f->waits++;
	file_store(f->core, &f->link, a->size, a->sha256, share_stored, f);
}

static void
share_room(void *arg)
{
	const struct storage *s;
	struct mcp_file *f = arg;
	size_t n;

	if (f->bytes == NULL)
		return;
	s = f->core->storage;
	while (f->done < f->n) {
		n = s->write(f->transfer, f->bytes + f->done, f->n - f->done);
		if (n == 0)
			return;
		f->done += n;
	}
	f->bytes = NULL;
	s->finish(f->transfer);
}

static void
file_ended(void *arg, bool whole)
{
	struct mcp_file *f = arg;

	f->transfer = NULL;
	if (f->waits == 0 && !whole)
		file_fail(f, ERR_UNAVAILABLE,
		    "The storage broke off; try again later.");
}

static const struct transfer_calls share_calls = {
	.answer = share_answer,
	.room = share_room,
	.ended = file_ended,
};

static bool
file_begin(struct mcp_file *f, enum storage_what what,
    const struct transfer_calls *calls, uint64_t length)
{
	const struct core *c = f->core;
	const struct storage_order o = { .what = what,
		.mesh = f->link.mesh,
		.file = f->link.file,
		.length = length };

	f->transfer = c->storage->begin(c->storage_arg, &o, calls, f);
	if (f->transfer == NULL)
		file_fail(f, ERR_UNAVAILABLE,
		    "The storage does not answer; try again later.");
	return f->transfer != NULL;
}

static void
share_claimed(
    void *arg, enum err e, const char *text, const struct file_info *i)
{
	struct mcp_file *f = arg;

	(void)i;
	f->waits--;
	f->claimed = e == ERR_NONE;
	if (f->ask == NULL)
		file_end(f);
	else if (e != ERR_NONE)
		file_fail(f, e, text);
	else if (file_begin(f, STORAGE_PUT, &share_calls, f->n))
		share_room(f);
}

static void
share_link(struct mcp_file *f, int64_t max)
{
	struct json_writer w;
	struct buf b;

	file_answer_begin(f, &w, &b);
	json_key(&w, "uploaded");
	json_bool(&w, false);
	file_link(f, &w, "curl --fail-with-body -T FILE");
	json_key(&w, "maxBytes");
	json_num(&w, max);
	file_answer_end(f, &w, &b);
}

static void
share_made(void *arg, const struct mcp_error *e, const char *text, size_t n)
{
	struct mcp_file *f = arg;

	if (!file_answered(f, e, text, n))
		return;
	if (f->bytes == NULL) {
		share_link(
		    f, file_number(&f->m->peer->proto->json, "maxBytes"));
		return;
	}
	f->link.upload = true;
	f->waits++;
	file_claim(f->core, &f->link, share_claimed, f);
}

static void
share_fields(struct buf *b, const struct mcp_share *s)
{
	struct json_writer w;

	json_start(&w, b);
	file_text(&w, "name", s->name);
	if (s->bytes != NULL || s->size >= 0) {
		json_key(&w, "size");
		json_num(&w, s->bytes != NULL ? (int64_t)s->n : s->size);
	}
	if (s->mime != NULL)
		file_text(&w, "mimeType", s->mime);
	if (s->tags != NULL) {
		json_key(&w, "tags");
		json_raw(&w, s->tags, strlen(s->tags));
	}
	json_key(&w, "attachment");
	json_bool(&w, s->attached);
	if (buf_str(b) == NULL)
		fatalx("out of memory");
}

void
mcp_file_share_http(void *arg, struct mcp_ask *ask, const struct mcp_share *s)
{
	struct mcp_file *f = file_new(arg, ask);
	struct buf b;

	f->name = pool_strndup(&f->pool, s->name, strlen(s->name));
	f->n = s->n;
	if (s->bytes != NULL)
		f->bytes = pool_dup(&f->pool, s->bytes, s->n + 1);
	if (f->core->storage == NULL) {
		f->asking = false;
		file_fail(f, ERR_UNAVAILABLE, FILE_NONE);
		return;
	}
	buf_init(&b, SIZE_MAX / 2);
	share_fields(&b, s);
	mcp_mesh_op(f->m, "share_file", b.data, share_made, f);
	buf_free(&b);
}

/*
 * Getting.
 */
/* With its bytes, if they are here and something can be made of them. */
static void
fetch_answer(struct mcp_file *f, bool here)
{
	struct json_writer w;
	bool given = false;
	struct buf b;

	file_answer_begin(f, &w, &b);
	json_key(&w, "size");
	json_num(&w, f->size);
	file_text(&w, "mimeType", f->mime);
	file_text(&w, "sha256", f->sha256);
	if (here)
		given = mcp_file_give(
		    &w, f->in.len > 0 ? f->in.data : "", f->in.len, f->look);
	if (given)
		file_accessed(f->core, &f->link, f->member_name);
	else
		file_link(f, &w,
		    pool_printf(&f->pool, "curl -f -o '%s'", file_word(f)));
	file_answer_end(f, &w, &b);
}

static void
fetch_begun(void *arg, const struct storage_answer *a)
{
	struct mcp_file *f = arg;
	const char *text;
	enum err e;

	if (a->error != 0) {
		e = file_storage_error(a->error, &text);
		file_fail(f, e, text);
	} else
		f->core->storage->want(f->transfer, true);
}

static void
fetch_data(void *arg, const char *p, size_t n)
{
	struct mcp_file *f = arg;

	buf_add(&f->in, p, n);
	if (f->in.failed)
		fatalx("out of memory");
	if (f->in.len < (size_t)f->size)
		return;
	f->core->storage->close(f->transfer);
	f->transfer = NULL;
	fetch_answer(f, true);
}

static const struct transfer_calls fetch_calls = {
	.answer = fetch_begun,
	.data = fetch_data,
	.ended = file_ended,
};

static void
fetch_found(void *arg, const struct mcp_error *e, const char *text, size_t n)
{
	struct mcp_file *f = arg;
	const struct json *j;

	if (!file_answered(f, e, text, n))
		return;
	j = &f->m->peer->proto->json;
	f->name = mcp_mesh_str(&f->pool, j, 0, "name");
	f->mime = mcp_mesh_str(&f->pool, j, 0, "mimeType");
	f->sha256 = mcp_mesh_str(&f->pool, j, 0, "sha256");
	f->size = file_number(j, "size");
	if (f->size > (int64_t)f->most || f->core->storage == NULL)
		fetch_answer(f, false);
	else if (f->size == 0)
		fetch_answer(f, true);
	else
		(void)file_begin(
		    f, STORAGE_GET, &fetch_calls, (uint64_t)f->size);
}

void
mcp_file_fetch_http(
    void *arg, struct mcp_ask *ask, const struct mcp_fetch *what)
{
	struct mcp_file *f = file_new(arg, ask);

	f->most = what->most;
	f->look = what->look;
	mcp_mesh_op(f->m, "get_file",
	    pool_printf(&f->pool, "\"fileId\":\"%s\"", what->id), fetch_found,
	    f);
}

/*
 * Where links lead: to the server, as the client called it.
 */
const char *
mcp_file_base(
    struct pool *pool, const struct conn *c, const struct http_request *r)
{
	struct slice host = http_header(r, "host");
	struct slice proto = http_header(r, "x-forwarded-proto");
	bool tls =
	    conn_is_tls(c) || (proto.n == strlen("https") &&
				  strncasecmp(proto.p, "https", proto.n) == 0);
	size_t i;

	for (i = 0; i < host.n; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyz"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			   "0123456789.-_:[]",
			host.p[i]) == NULL ||
		    host.p[i] == '\0')
			return "";
	if (host.n == 0)
		return "";
	return pool_printf(
	    pool, "http%s://" SLICE_FMT, tls ? "s" : "", SLICE_ARG(host));
}
