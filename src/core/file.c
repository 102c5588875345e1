/* SPDX-License-Identifier: ISC */
/*
 * share_file, get_file and delete_file: what may be done with a file.  Its
 * bytes come and go over HTTP, by a link that the answer has.
 */
#include <string.h>

#include "core/domain.h"
#include "core/file.h"

#define FILE_MIME "application/octet-stream"
#define FILE_BYTES_MAX INT64_C(1125899906842624)

#define IN(field) offsetof(struct share_in, field)
static const struct field share_fields[] = {
	{ "name", F_STR, IN(name), 1, FILE_NAME_MAX, FIELD_REQUIRED, NULL, NULL,
	    0, "What it is called, in any script; no path." },
	{ "size", F_INT, IN(size), 0, FILE_BYTES_MAX, FIELD_ABSENT, NULL, NULL,
	    0,
	    "Bytes that will come; when absent, as many as a file of the mesh "
	    "may have are reserved until they came." },
	{ "mimeType", F_STR, IN(mime), 1, FILE_MIME_MAX, 0, NULL, NULL, 0,
	    "What it is; application/octet-stream when absent." },
	{ "tags", F_STRS, IN(tags), 0, FILE_TAGS_MAX, 0, NULL, NULL, 0,
	    "Labels, by which it is found." },
	{ "attachment", F_BOOL, IN(attached), 0, 0, 0, NULL, NULL, 0,
	    "It is not for the whole mesh but for the recipients of messages "
	    "that name it in files, until all of them have read it, and for 24 "
	    "hours at most." },
	{ "sha256", F_STR, IN(sha256), 64, 64, 0, NULL, NULL, 0,
	    "Of the bytes, 64 hex digits: others are refused." },
	{ .type = F_END },
};
#undef IN

#define OUT(field) offsetof(struct share_out, field)
static const struct field share_out_fields[] = {
	{ "fileId", F_ID, OUT(file), 0, 0, 0, NULL, NULL, 0, "The file's id." },
	{ "url", F_STR, OUT(url), 0, 0, 0, NULL, NULL, 0,
	    "Where to PUT the bytes, once, without another credential; relative "
	    "to the server." },
	{ "expiresAt", F_TIME, OUT(until_ms), 0, 0, 0, NULL, NULL, 0,
	    "Until then that has to begin." },
	{ "maxBytes", F_INT, OUT(size), 0, 0, 0, NULL, NULL, 0,
	    "More are refused." },
	{ .type = F_END },
};
#undef OUT

struct file_in {
	struct id file;
};

static const struct field file_fields[] = {
	{ "fileId", F_ID, offsetof(struct file_in, file), 0, 0, FIELD_REQUIRED,
	    NULL, NULL, 0, "The file's id." },
	{ .type = F_END },
};

struct url_out {
	struct id file;
	struct slice url;
	struct slice name;
	int64_t size;
	struct slice mime;
	struct slice sha256;
	int64_t until_ms;
};

#define OUT(field) offsetof(struct url_out, field)
static const struct field url_out_fields[] = {
	{ "fileId", F_ID, OUT(file), 0, 0, 0, NULL, NULL, 0, "The file's id." },
	{ "url", F_STR, OUT(url), 0, 0, 0, NULL, NULL, 0,
	    "Where to GET it, without another credential; relative to the "
	    "server." },
	{ "name", F_STR, OUT(name), 0, 0, 0, NULL, NULL, 0,
	    "What it is called; data, not a path." },
	{ "size", F_INT, OUT(size), 0, 0, 0, NULL, NULL, 0, "Bytes." },
	{ "mimeType", F_STR, OUT(mime), 0, 0, 0, NULL, NULL, 0,
	    "What its uploader says it is." },
	{ "sha256", F_STR, OUT(sha256), 0, 0, 0, NULL, NULL, 0,
	    "Of its bytes." },
	{ "expiresAt", F_TIME, OUT(until_ms), 0, 0, 0, NULL, NULL, 0,
	    "Until then the download has to begin." },
	{ .type = F_END },
};
#undef OUT

struct delete_out {
	struct id id;
	struct id message;
	bool queued;
	bool deleted;
};

#define OUT(field) offsetof(struct delete_out, field)
static const struct field delete_out_fields[] = {
	{ "id", F_ID, OUT(id), 0, 0, 0, NULL, NULL, 0, "The file's id." },
	{ "messageId", F_ID, OUT(message), 0, 0, 0, NULL, NULL, 0,
	    "The same, for older clients." },
	{ "queued", F_BOOL, OUT(queued), 0, 0, 0, NULL, NULL, 0,
	    "Always false." },
	{ "deleted", F_BOOL, OUT(deleted), 0, 0, 0, NULL, NULL, 0,
	    "There was such a file." },
	{ .type = F_END },
};
#undef OUT

/* A file on its way to its row. */
struct sharing {
	struct request *request;
	const struct share_in *in;
	const struct id *channel; /* that it is kept with, or NULL */
	file_made_fn *fn;
	struct file_link link;
	int64_t size;
	uint8_t sha256[FILE_SHA256_LEN];
	struct slice by;
	struct slice folded;
	struct quota_need needs[2];
};

static void
share_stored(void *arg, const struct db_result *res)
{
	struct sharing *s = arg;
	struct request *r = s->request;

	if (op_db_failed(r, res))
		return;
	s->fn(r, &s->link, s->size);
}

static void
share_store(struct request *r, void *arg)
{
	struct sharing *s = arg;
	const struct share_in *in = s->in;
	struct db_params *p = db_params(STMT_file_put);
	char *folded = pool_alloc(&r->pool, 2 * in->name.n + 1);

	db_put_id(p, &s->link.file);
	db_put_id(p, &s->link.mesh);
	db_put_id(p, &s->link.member);
	db_put_text(p, s->by.p, s->by.n);
	db_put_text(p, s->folded.p, s->folded.n);
	db_put_text(p, in->name.p, in->name.n);
	db_put_text(p, folded, str_fold(folded, in->name.p, in->name.n));
	if (in->mime.n > 0)
		db_put_text(p, in->mime.p, in->mime.n);
	else
		db_put_str(p, FILE_MIME);
	db_put_texts(p, in->tags.v, in->tags.n);
	db_put_bool(p, in->attached);
	db_put_int(p, s->size);
	if (in->sha256.n > 0)
		db_put_bytes(p, s->sha256, sizeof(s->sha256));
	else
		db_put_null(p);
	db_put_id(p, s->channel);
	db_query(r->core->reads, p, share_stored, s);
}

/* RFC 9110 8.3.1, without what few need: a header is made of it. */
static bool
share_is_mime(struct slice s)
{
	size_t i, slashes = 0;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '/')
			slashes++;
		else if (s.p[i] < ' ' || s.p[i] > '~' || s.p[i] == ',')
			return false;
	}
	return slashes == 1 && s.p[0] != '/' && s.p[s.n - 1] != '/';
}

/* C0, DEL and C1, which a terminal could obey. */
static bool
share_has_control(struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if ((uint8_t)s.p[i] < ' ' || s.p[i] == 0x7f)
			return true;
		if ((uint8_t)s.p[i] == 0xc2 && i + 1 < s.n &&
		    (uint8_t)s.p[i + 1] < 0xa0)
			return true;
	}
	return false;
}

static const char *
share_refuse(const struct share_in *in, uint8_t sha256[FILE_SHA256_LEN])
{
	const struct slice *tags = in->tags.v;
	size_t i;

	if (!str_utf8(in->name.p, in->name.n))
		return "Its name must be UTF-8.";
	if (share_has_control(in->name))
		return "Its name has a control character.";
	for (i = 0; i < in->tags.n; i++) {
		if (tags[i].n == 0 || tags[i].n > FILE_TAG_MAX)
			return "A tag is empty, or longer than 128 bytes.";
		if (!str_utf8(tags[i].p, tags[i].n) ||
		    share_has_control(tags[i]))
			return "A tag is not UTF-8, or has a control "
			       "character.";
	}
	if (in->mime.n > 0 && !share_is_mime(in->mime))
		return "Its type is no media type; text/plain is one.";
	if (in->sha256.n > 0 && crypto_unhex(sha256, FILE_SHA256_LEN,
				    in->sha256.p, in->sha256.n) != 0)
		return "sha256 must be 64 hex digits.";
	return NULL;
}

static struct slice
file_keep(struct request *r, struct slice s)
{
	return (struct slice){ pool_dup(&r->pool, s.p, s.n), s.n };
}

void
file_by(struct file_link *l, const struct client *c)
{
	const struct deputy *d = c->deputy;

	l->mesh = c->session->mesh->id;
	l->member = c->session->info.member;
	if (d == NULL || id_is_null(&d->token.id))
		return;
	l->token = d->token.id;
	if (l->until_s > d->token.expires_ms / 1000)
		l->until_s = d->token.expires_ms / 1000;
}

void
file_make(struct request *r, const struct share_in *in,
    const struct id *channel, file_made_fn *fn)
{
	const struct session *s = r->client->session;
	struct sharing *f = pool_zalloc(&r->pool, sizeof(*f));
	int64_t max = quota_max(s->mesh, QUOTA_FILE_BYTES);
	const char *wrong = share_refuse(in, f->sha256);

	if (wrong != NULL) {
		op_fail(r, ERR_MALFORMED, "%s", wrong);
		return;
	}
	if (in->size > max) {
		r->error_limit = max;
		r->error_used = in->size;
		op_fail(r, ERR_TOO_BIG,
		    "A file of this mesh may have %lld bytes, this one has "
		    "%lld.",
		    (long long)max, (long long)in->size);
		return;
	}
	f->request = r;
	f->in = in;
	f->channel = channel;
	f->fn = fn;
	f->size = in->size == FILE_ANY_SIZE ? max : in->size;
	f->link = (struct file_link){ .upload = true,
		.until_s = clock_wall() / 1000 + FILE_UPLOAD_S };
	file_by(&f->link, r->client);
	id_new(&f->link.file);
	f->by = file_keep(r, s->info.name);
	f->folded = file_keep(r, s->info.name_folded);
	/* A token's session has no name of its own. */
	if (f->folded.n == 0 && f->by.n > 0) {
		char *folded = pool_alloc(&r->pool, 2 * f->by.n + 1);

		f->folded.n = str_fold(folded, f->by.p, f->by.n);
		f->folded.p = folded;
	}
	f->needs[0] = (struct quota_need){ QUOTA_FILES, 1, &f->link.mesh };
	f->needs[1] =
	    (struct quota_need){ QUOTA_STORAGE, f->size, &f->link.mesh };
	quota_take(r, (struct slice){ NULL, 0 }, f->needs, 2, share_store, f);
}

static void
share_made(struct request *r, const struct file_link *l, int64_t size)
{
	const struct share_in *in = r->in;
	struct share_out out = { .file = l->file,
		.url = file_link_make(&r->pool, r->core, l, in->name),
		.until_ms = l->until_s * 1000,
		.size = size,
		.mesh = l->mesh,
		.member = l->member,
		.token = l->token };

	op_reply(r, &out);
}

static void
share_exec(struct request *r, void *arg)
{
	file_make(r, arg, NULL, share_made);
}

struct getting {
	struct request *request;
	struct file_link link;
};

static void
get_found(void *arg, enum err e, const char *text, const struct file_info *f)
{
	struct getting *g = arg;
	struct request *r = g->request;
	char hex[2 * FILE_SHA256_LEN + 1];
	struct url_out out;

	if (e != ERR_NONE) {
		op_fail(r, e, "%s", text);
		return;
	}
	crypto_hex(hex, f->sha256, sizeof(f->sha256));
	out = (struct url_out){ .file = g->link.file,
		.name = f->name,
		.size = f->size,
		.mime = f->mime,
		.sha256 = { hex, sizeof(hex) - 1 },
		.until_ms = g->link.until_s * 1000 };
	out.url = file_link_make(&r->pool, r->core, &g->link, f->name);
	op_reply(r, &out);
}

static void
get_exec(struct request *r, void *arg)
{
	struct getting *g = pool_zalloc(&r->pool, sizeof(*g));
	const struct file_in *in = arg;

	g->request = r;
	g->link = (struct file_link){ .file = in->file,
		.until_s = clock_wall() / 1000 + FILE_DOWNLOAD_S };
	file_by(&g->link, r->client);
	file_find(r->core, &g->link, get_found, g);
}

static void
delete_done(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct file_in *in = r->in;
	struct delete_out out = { in->file, in->file, false, false };

	if (op_db_failed(r, res))
		return;
	if (db_rows(res) > 0 && !db_bool(res, 0, 0) && db_bool(res, 0, 1)) {
		op_fail(r, ERR_FORBIDDEN,
		    "Only who shared it, an admin or an owner deletes it.");
		return;
	}
	out.deleted = db_rows(res) > 0 && db_bool(res, 0, 0);
	op_reply(r, &out);
}

static void
delete_exec(struct request *r, void *arg)
{
	const struct client *c = r->client;
	const struct file_in *in = arg;
	struct db_params *p = db_params(STMT_file_delete);

	db_put_id(p, &c->session->mesh->id);
	db_put_id(p, &in->file);
	db_put_id(p, &c->session->info.member);
	db_put_bool(p, (c->scopes & SCOPE_BIT(SCOPE_MESH_MODERATE)) != 0);
	db_query(r->core->reads, p, delete_done, r);
}

const struct op op_share_file = {
	.name = "share_file",
	.scope = SCOPE_FILES_WRITE,
	.reply = "file_upload",
	.in = share_fields,
	.in_size = sizeof(struct share_in),
	.out = share_out_fields,
	.exec = share_exec,
	.text = "Share a file with the mesh, or make one that a message can "
		"have; then its bytes are sent to the url.",
};

const struct op op_get_file = {
	.name = "get_file",
	.scope = SCOPE_FILES_READ,
	.rest = { "GET /v1/files/{fileId}" },
	.reply = "file_url",
	.in = file_fields,
	.in_size = sizeof(struct file_in),
	.out = url_out_fields,
	.exec = get_exec,
	.text = "Ask where a file can be read.",
};

const struct op op_delete_file = {
	.name = "delete_file",
	.scope = SCOPE_FILES_WRITE,
	.rest = { "DELETE /v1/files/{fileId}" },
	.reply = "ack",
	.in = file_fields,
	.in_size = sizeof(struct file_in),
	.out = delete_out_fields,
	.exec = delete_exec,
	.text = "Delete a file; that it is not there is fine.",
};
