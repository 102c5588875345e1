/* SPDX-License-Identifier: ISC */
/*
 * Files over HTTP: PUT and GET with a link that share_file and get_file
 * answered, and POST with a token, which does what share_file does and takes
 * the bytes at once.
 *
 * The bytes pass through: what the storage does not take stays with the peer,
 * what the peer does not take stays with the storage.
 *
 * A piece of work outlives its connection where the database has still to
 * answer, and where all bytes have come: such a file is stored though nobody
 * hears of it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/proto_file.h"
#include "proto/proto_rest.h"

#define FILE_URL_MAX 8192
#define FILE_ARTIFACTS "/v1/artifacts/"

void
file_work_free(struct file_work *w)
{
	if (w->peer != NULL || w->transfer != NULL || w->waits > 0)
		return;
	file_unwatch(w->core, &w->watch);
	buf_free(&w->url);
	pool_free(&w->pool);
	free(w);
}

/* The connection has been answered, or will be by whoever has it now. */
void
file_work_leave(struct file_work *w)
{
	struct peer *peer = w->peer;

	if (peer == NULL)
		return;
	w->peer = NULL;
	peer->file = NULL;
	client_gone(&peer->client, false);
	proto_peer_over(peer);
}

void
file_work_close(struct file_work *w)
{
	const struct core *c = w->core;

	if (w->transfer != NULL)
		c->storage->close(w->transfer);
	w->transfer = NULL;
	file_unwatch(w->core, &w->watch);
	if (w->claimed)
		file_unclaim(w->core, &w->link);
	w->claimed = false;
}

void
file_work_reply(struct file_work *w, int status, const char *headers)
{
	const struct buf *b = &w->proto->out;
	char all[HTTP_CORS_MAX + 128];

	snprintf(all, sizeof(all), "%s%s", w->cors, headers);
	conn_reply(w->peer->conn, status,
	    w->artifact && status >= 400 ? "application/problem+json"
					 : "application/json",
	    all, b->data, b->len);
	file_work_leave(w);
}

/* Answers with an error, and gives up the rest. */
void
file_work_fail(struct file_work *w, enum err e, const char *text)
{
	int status = w->status != 0 ? w->status : table_errors[e].http;
	struct json_writer j;

	if (w->began || e == ERR_UNAVAILABLE)
		core_count(w->core, FILES_BROKEN);
	else
		core_count(w->core, FILES_REFUSED);
	file_work_close(w);
	if (w->peer != NULL && w->began) {
		/* Too late for another answer: it ends before its length. */
		conn_drop(w->peer->conn, NET_END_LIMIT);
		return;
	}
	if (w->peer != NULL) {
		text = text != NULL ? text : table_errors[e].text;
		buf_clear(&w->proto->out);
		json_start(&j, &w->proto->out);
		json_object(&j);
		if (w->artifact)
			rest_error_members(&j, e, status, text);
		else
			rest_error_plain(&j, e, text);
		json_object_end(&j);
		file_work_reply(w, status,
		    status == 401
			? "WWW-Authenticate: Bearer realm=\"linnet\"\r\n"
			: "");
	}
	file_work_free(w);
}

void
file_work_refused(struct file_work *w, const struct storage_answer *a)
{
	const char *text;
	enum err e = file_storage_error(a->error, &text);
	struct buf b;

	buf_init(&b, 256);
	if (a->error == EUSERS) {
		buf_addf(&b,
		    "This member has %" PRIu64 " files on their way already, "
		    "and may have no more (files.member_transfers); wait for "
		    "one of them to end.",
		    a->size);
		text = buf_str(&b);
	}
	file_work_fail(w, e, text);
	buf_free(&b);
}

/* Who lost the right to a transfer does not get the rest of it. */
static void
file_work_barred(void *arg)
{
	struct file_work *w = arg;

	/* What is with the database is stored or not within a moment. */
	if (w->waits == 0)
		file_work_fail(w, ERR_FORBIDDEN,
		    "The member or its token may not do this any more.");
}

bool
file_work_begin(struct file_work *w, const struct storage_order *o,
    const struct transfer_calls *calls)
{
	struct core *c = w->core;

	w->transfer = c->storage->begin(c->storage_arg, o, calls, w);
	if (w->transfer == NULL) {
		file_work_fail(w, ERR_UNAVAILABLE,
		    "The storage does not answer; try again later.");
		return false;
	}
	w->watch = (struct file_watch){
		.link = &w->link, .barred = file_work_barred, .arg = w
	};
	file_watch(c, &w->watch);
	return true;
}

struct slice
file_work_keep(struct file_work *w, struct slice s)
{
	return (struct slice){ pool_dup(&w->pool, s.p, s.n), s.n };
}

/*
 * Who may: a link, or a token.
 */
static uint64_t
file_push(struct client *c, struct event *e)
{
	(void)c;
	(void)e;
	fatalx("a push to a client without a session");
}

static void
file_switch(struct client *c, bool on)
{
	(void)c;
	(void)on;
}

static void
file_close(struct client *c, enum err why, const char *text)
{
	(void)c;
	(void)why;
	(void)text;
}

static void
file_discard(struct request *r)
{
	r->wire = NULL;
}

/* An artifact is there: whoever asks reads it as it would the file. */
static void
content_encode(struct request *r, const struct artifact_answer *out)
{
	struct file_work *w = CONTAINER(r->client, struct peer, client)->file;

	w->link.until_s = INT64_MAX;
	file_by(&w->link, r->client);
	w->deleted = out->artifact.deleted;
}

/* share_file was done: the link that it made is used here. */
static void
file_encode(struct request *r, const void *arg)
{
	struct file_work *w = CONTAINER(r->client, struct peer, client)->file;
	const struct share_out *out = arg;

	if (out == NULL)
		return;
	if (w->artifact) {
		content_encode(r, arg);
		return;
	}
	w->link.mesh = out->mesh;
	w->link.file = out->file;
	w->link.member = out->member;
	w->link.token = out->token;
	w->link.upload = true;
}

static void
file_answer_op(struct request *r)
{
	struct file_work *w = CONTAINER(r->client, struct peer, client)->file;

	char text[64], hex[ID_HEX_LEN + 1];

	if (r->error != ERR_NONE)
		file_work_fail(w, r->error, r->error_text);
	else if (w->deleted) {
		snprintf(text, sizeof(text), "artifact deleted: %s",
		    id_hex(&w->link.file, hex));
		file_work_fail(w, ERR_NOT_FOUND, text);
	} else if (w->artifact) {
		w->waits++;
		file_find(w->core, &w->link, file_get_found, w);
	} else
		file_put_claim(w);
}

static const struct client_calls file_calls = {
	.hides = FIELD_MESH,
	.encode = file_encode,
	.answer = file_answer_op,
	.discard = file_discard,
	.push = file_push,
	.want_written = file_switch,
	.pause = file_switch,
	.close = file_close,
	.address = proto_address,
};

static bool
file_is(struct slice s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static struct file_work *
work_new(struct proto *p, struct conn *c, const struct http_request *h)
{
	struct file_work *w = xcalloc(1, sizeof(*w));

	w->core = p->core;
	w->proto = p;
	pool_init(&w->pool);
	buf_init(&w->url, FILE_URL_MAX);
	w->peer = proto_peer(p, c, &file_calls);
	w->peer->file = w;
	w->length = h->chunked ? UINT64_MAX : h->content_length;
	w->head = file_is(h->method, "HEAD");
	(void)http_cors(p, h, w->cors);
	return w;
}

static bool
link_token(const struct http_request *h, struct file_link *l)
{
	char id[ID_HEX_LEN + 1];
	ptrdiff_t n = http_query(h, "token", id, sizeof(id));

	/* One that cannot be read is not in the signature either. */
	return n < 0 ||
	       (n == ID_HEX_LEN && id_parse(&l->token, id, ID_HEX_LEN) == 0);
}

/* The part of the link that the query has; false: it is none. */
static bool
link_read(const struct http_request *h, struct file_link *l,
    char sig[FILE_SIG_HEX + 1])
{
	char id[ID_HEX_LEN + 1], number[24];

	return http_query(h, "mesh", id, sizeof(id)) == ID_HEX_LEN &&
	       id_parse(&l->mesh, id, ID_HEX_LEN) == 0 &&
	       http_query(h, "member", id, sizeof(id)) == ID_HEX_LEN &&
	       id_parse(&l->member, id, ID_HEX_LEN) == 0 && link_token(h, l) &&
	       http_query(h, "until", number, sizeof(number)) > 0 &&
	       str_num(number, 0, INT64_MAX, &l->until_s) == NULL &&
	       http_query(h, "sig", sig, FILE_SIG_HEX + 1) == FILE_SIG_HEX;
}

/* Is the link good for this?  Else the request was refused. */
static bool
link_check(struct file_work *w, const struct http_request *h, bool upload)
{
	char sig[FILE_SIG_HEX + 1];
	enum err e = ERR_UNAUTHORIZED;

	w->link.upload = upload;
	if (link_read(h, &w->link, sig))
		e = file_link_check(w->core, &w->link, sig, FILE_SIG_HEX);
	if (e == ERR_NONE && w->core->storage != NULL)
		return true;
	if (e == ERR_NONE)
		file_work_fail(w, ERR_UNAVAILABLE,
		    "This server stores no files (files.store).");
	else if (e == ERR_EXPIRED)
		file_work_fail(w, ERR_FORBIDDEN,
		    upload
			? "This link has expired; share_file makes a new "
			  "one."
			: "This link has expired; get_file makes a new one.");
	else
		file_work_fail(w, ERR_FORBIDDEN,
		    upload ? "This is no link for an upload; share_file makes "
			     "one."
			   : "This is no link to a file; get_file makes one.");
	return false;
}

static void
file_put(struct proto *p, struct conn *c, const struct http_request *h,
    const struct id *file)
{
	struct file_work *w = work_new(p, c, h);

	const char *wrong;

	w->link.file = *file;
	if (!link_check(w, h, true))
		return;
	if ((wrong = file_post_body(w, h)) != NULL)
		file_work_fail(w, ERR_MALFORMED, wrong);
	else
		file_put_claim(w);
}

static void
work_keep_header(
    struct file_work *w, const struct http_request *h, const char *name)
{
	struct slice v = http_header(h, name);

	if (v.p == NULL)
		return;
	w->request.headers[w->request.nheaders++] = (struct http_header){
		.name = { name, strlen(name) },
		.value = file_work_keep(w, v),
	};
}

/* What a download is asked for. */
static void
get_keep(struct file_work *w, const struct http_request *h)
{
	work_keep_header(w, h, "range");
	work_keep_header(w, h, "if-range");
	w->if_match = file_work_keep(w, http_header(h, "if-match"));
	w->if_none = file_work_keep(w, http_header(h, "if-none-match"));
}

static void
file_get(struct proto *p, struct conn *c, const struct http_request *h,
    const struct id *file)
{
	struct file_work *w = work_new(p, c, h);

	w->link.file = *file;
	if (!link_check(w, h, false))
		return;
	get_keep(w, h);
	w->waits++;
	file_find(p->core, &w->link, file_get_found, w);
}

static enum err
post_decode(struct request *r, const struct op *op, void *in, void *arg)
{
	const struct file_work *w = arg;

	(void)r;
	(void)op;
	memcpy(in, &w->share, sizeof(w->share));
	return ERR_NONE;
}

static void
post_go(struct request *r)
{
	struct file_work *w = CONTAINER(r->client, struct peer, client)->file;

	if (w->share.name.n == 0 || w->share.name.n > FILE_NAME_MAX)
		op_refuse(r, ERR_MALFORMED,
		    "The name of the file is missing, or longer than %d bytes "
		    "(name in the query, or X-File-Name).",
		    FILE_NAME_MAX);
	else if (w->share.mime.n > FILE_MIME_MAX)
		op_refuse(r, ERR_MALFORMED, "Content-Type is too long.");
	else
		op_run(r, "share_file", strlen("share_file"), post_decode, w);
}

static void
file_post(struct proto *p, struct conn *c, const struct http_request *h)
{
	struct file_work *w = work_new(p, c, h);
	struct slice bearer = http_bearer(h);
	const char *wrong;
	struct request *r;

	if (p->core->storage == NULL) {
		file_work_fail(w, ERR_UNAVAILABLE,
		    "This server stores no files (files.store).");
		return;
	}
	if (bearer.n == 0) {
		file_work_fail(w, ERR_UNAUTHORIZED,
		    "An upload needs a token (Authorization: Bearer wat_...); "
		    "linnet token create makes one.");
		return;
	}
	if ((wrong = file_post_body(w, h)) != NULL ||
	    (wrong = file_post_read(w, h)) != NULL) {
		file_work_fail(w, ERR_MALFORMED, wrong);
		return;
	}
	r = client_request(&w->peer->client);
	token_enter(r, bearer, post_go);
}

static enum err
content_decode(struct request *r, const struct op *op, void *in, void *arg)
{
	const struct file_work *w = arg;

	(void)r;
	memcpy((char *)in + op->in[0].offset, &w->link.file, sizeof(struct id));
	return ERR_NONE;
}

static void
content_go(struct request *r)
{
	struct file_work *w = CONTAINER(r->client, struct peer, client)->file;

	op_run(r, "get_artifact", strlen("get_artifact"), content_decode, w);
}

/* The bytes of an artifact, for who shows a credential. */
static void
file_content(struct proto *p, struct conn *c, const struct http_request *h)
{
	struct file_work *w = work_new(p, c, h);

	w->artifact = true;
	get_keep(w, h);
	if (p->core->storage == NULL)
		file_work_fail(w, ERR_UNAVAILABLE,
		    "This server stores no files (files.store).");
	else if (id_parse(&w->link.file, h->path.p + strlen(FILE_ARTIFACTS),
		     ID_HEX_LEN) != 0)
		file_work_fail(
		    w, ERR_NOT_FOUND, "There is no such artifact for you.");
	else
		proto_enter(client_request(&w->peer->client), h, content_go);
}

/* "/v1/artifacts/ID/content" */
static bool
file_is_content(const struct http_request *h)
{
	return rest_args_match(FILE_ARTIFACTS "{artifactId}/content", h->path);
}

static bool
file_is_post(struct slice path)
{
	return file_is(path, "/v1/files") || file_is(path, "/upload");
}

bool
file_streams(const struct http_request *h)
{
	struct id file;

	return (file_is(h->method, "POST") && file_is_post(h->path)) ||
	       (file_is(h->method, "PUT") &&
		   file_link_path(h->path, &file) == 0);
}

static void
file_refuse_method(
    struct conn *c, const struct http_request *h, const char *headers)
{
	http_refuse(c, h, 405, "method_not_allowed",
	    "This path takes another method.", headers);
}

/* Operations have a path of theirs, and no link's query: a file may have the
 * name of one. */
static bool
file_is_operation(const struct http_request *h, bool post)
{
	if (post)
		return file_is(h->path, "/v1/files") &&
		       (file_is(h->method, "GET") ||
			   file_is(h->method, "HEAD"));
	return h->query.n == 0 && !file_is(h->method, "PUT") &&
	       (rest_args_match("/v1/files/{fileId}", h->path) ||
		   rest_args_match("/v1/files/{fileId}/status", h->path));
}

bool
file_request(struct proto *p, struct conn *c, const struct http_request *h)
{
	bool post = file_is_post(h->path);
	struct id file;

	if (file_is_content(h)) {
		if (file_is(h->method, "GET") || file_is(h->method, "HEAD"))
			file_content(p, c, h);
		else
			file_refuse_method(
			    c, h, "Allow: GET, HEAD, OPTIONS\r\n");
		return true;
	}
	if (!post && file_link_path(h->path, &file) != 0)
		return false;
	if (file_is_operation(h, post))
		return false;
	if (post && file_is(h->method, "POST"))
		file_post(p, c, h);
	else if (post)
		file_refuse_method(c, h, "Allow: GET, HEAD, POST, OPTIONS\r\n");
	else if (file_is(h->method, "PUT"))
		file_put(p, c, h, &file);
	else if (file_is(h->method, "GET") || file_is(h->method, "HEAD"))
		file_get(p, c, h, &file);
	else
		file_refuse_method(c, h, "Allow: GET, HEAD, PUT, OPTIONS\r\n");
	return true;
}

void
file_gone(struct file_work *w)
{
	w->peer = NULL;
	/* What came as a whole is kept. */
	if (!w->finished) {
		if (w->transfer != NULL)
			core_count(w->core, FILES_BROKEN);
		file_work_close(w);
	}
	file_work_free(w);
}
