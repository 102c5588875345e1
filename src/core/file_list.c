/* SPDX-License-Identifier: ISC */
/*
 * Which files there are for a member, and who has read one.
 */
#include <string.h>

#include "core/domain.h"
#include "core/file.h"

#define FILE_PAGE 50
#define FILE_PAGE_MAX 100
#define FILE_READERS_MAX 100
#define FILE_BY_MAX 256

struct list_in {
	struct slice query;
	struct slice from;
	struct list tags;
	int64_t limit;
	struct slice after;
};

#define IN(field) offsetof(struct list_in, field)
static const struct field list_fields[] = {
	{ "query", F_STR, IN(query), 0, FILE_NAME_MAX, 0, NULL, NULL, 0,
	    "Only those that have this in their name, in any case, or as a "
	    "tag." },
	{ "from", F_STR, IN(from), 0, FILE_BY_MAX, 0, NULL, NULL, 0,
	    "Only those of this uploader: a member's public key, or a name as "
	    "uploadedBy tells it, in any case." },
	{ "tags", F_STRS, IN(tags), 0, FILE_TAGS_MAX, 0, NULL, NULL, 0,
	    "Only those that have all of these labels." },
	{ "limit", F_INT, IN(limit), 1, FILE_PAGE_MAX, 0, NULL, NULL, 0,
	    "At most so many; 50 when absent." },
	{ "after", F_STR, IN(after), 1, ID_HEX_LEN, 0, NULL, NULL, 0,
	    "Only what comes after: next of the page before, when the same was "
	    "asked." },
	{ .type = F_END },
};
#undef IN

struct file_row {
	struct id id;
	struct slice name;
	int64_t size;
	struct slice mime;
	struct list tags;
	struct slice by;
	struct slice by_key;
	int64_t created_ms;
	bool persistent;
	struct slice sha256;
	int64_t expires_ms;
};

#define ROW(field) offsetof(struct file_row, field)
static const struct field file_row_fields[] = {
	{ "id", F_ID, ROW(id), 0, 0, 0, NULL, NULL, 0, "The file's id." },
	{ "name", F_STR, ROW(name), 0, 0, 0, NULL, NULL, 0, "Its name." },
	{ "size", F_INT, ROW(size), 0, 0, 0, NULL, NULL, 0, "Bytes." },
	{ "mimeType", F_STR, ROW(mime), 0, 0, 0, NULL, NULL, 0,
	    "What its uploader says it is." },
	{ "tags", F_STRS, ROW(tags), 0, 0, 0, NULL, NULL, 0, "Labels." },
	{ "uploadedBy", F_STR, ROW(by), 0, 0, 0, NULL, NULL, 0, "By whom." },
	{ "uploadedByKey", F_STR, ROW(by_key), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "That member's public key." },
	{ "uploadedAt", F_TIME, ROW(created_ms), 0, 0, 0, NULL, NULL, 0,
	    "When." },
	{ "persistent", F_BOOL, ROW(persistent), 0, 0, 0, NULL, NULL, 0,
	    "It is for the mesh, and stays; else it came with a message." },
	{ "sha256", F_STR, ROW(sha256), 0, 0, 0, NULL, NULL, 0,
	    "Of its bytes." },
	{ "expiresAt", F_TIME, ROW(expires_ms), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "When it goes." },
	{ .type = F_END },
};
#undef ROW

struct list_out {
	struct list files;
	bool more;
	struct slice next;
};

#define OUT(field) offsetof(struct list_out, field)
static const struct field list_out_fields[] = {
	{ "files", F_ROWS, OUT(files), 0, 0, 0, NULL, file_row_fields,
	    sizeof(struct file_row), "The newest first." },
	{ "more", F_BOOL, OUT(more), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "There are more." },
	{ "next", F_STR, OUT(next), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "What after has to be for the next page." },
	{ .type = F_END },
};
#undef OUT

struct status_in {
	struct id file;
};

static const struct field status_fields[] = {
	{ "fileId", F_ID, offsetof(struct status_in, file), 0, 0,
	    FIELD_REQUIRED, NULL, NULL, 0, "The file's id." },
	{ .type = F_END },
};

struct access_row {
	struct slice name;
	struct slice key;
	int64_t last_ms;
	int64_t first_ms;
	int64_t times;
};

#define ROW(field) offsetof(struct access_row, field)
static const struct field access_fields[] = {
	{ "peerName", F_STR, ROW(name), 0, 0, 0, NULL, NULL, 0, "Who." },
	{ "memberPubkey", F_STR, ROW(key), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "That member's public key." },
	{ "accessedAt", F_TIME, ROW(last_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it was last read to its end." },
	{ "firstAt", F_TIME, ROW(first_ms), 0, 0, 0, NULL, NULL, 0,
	    "And first." },
	{ "times", F_INT, ROW(times), 0, 0, 0, NULL, NULL, 0, "How often." },
	{ .type = F_END },
};
#undef ROW

struct status_out {
	struct id file;
	struct slice name;
	struct list accesses;
	bool more;
	struct list unread;
};

#define OUT(field) offsetof(struct status_out, field)
static const struct field status_out_fields[] = {
	{ "fileId", F_ID, OUT(file), 0, 0, 0, NULL, NULL, 0, "The file's id." },
	{ "name", F_STR, OUT(name), 0, 0, 0, NULL, NULL, 0, "Its name." },
	{ "accesses", F_ROWS, OUT(accesses), 0, 0, 0, NULL, access_fields,
	    sizeof(struct access_row), "Who read it, the last first." },
	{ "more", F_BOOL, OUT(more), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "There are more." },
	{ "unread", F_STRS, OUT(unread), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "Names of those who were sent it and have not read it." },
	{ .type = F_END },
};
#undef OUT

static struct slice
list_hex(struct request *r, struct slice bytes)
{
	char *hex = pool_alloc(&r->pool, 2 * bytes.n + 1);

	if (bytes.n == 0)
		return (struct slice){ NULL, 0 };
	crypto_hex(hex, bytes.p, bytes.n);
	return (struct slice){ hex, 2 * bytes.n };
}

static void
list_row(struct request *r, const struct db_result *res, size_t i,
    struct file_row *row)
{
	struct slice *tags =
	    pool_alloc(&r->pool, FILE_TAGS_MAX * sizeof(*tags));

	memset(row, 0, sizeof(*row));
	db_id(res, i, 0, &row->id);
	row->name = db_text(res, i, 1);
	row->size = db_int(res, i, 2);
	row->mime = db_text(res, i, 3);
	row->tags.v = tags;
	row->tags.n = db_texts(res, i, 4, tags, FILE_TAGS_MAX);
	row->by = db_text(res, i, 5);
	row->created_ms = db_time(res, i, 6);
	row->persistent = !db_bool(res, i, 7);
	row->sha256 = list_hex(r, db_bytes(res, i, 8));
	if (!db_null(res, i, 9))
		row->expires_ms = db_time(res, i, 9);
	row->by_key = list_hex(r, db_bytes(res, i, 10));
}

static void
list_found(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct list_in *in = r->in;
	size_t i, n, limit = in->limit > 0 ? (size_t)in->limit : FILE_PAGE;
	struct list_out out = { .more = false };
	struct file_row *rows;
	char *hex;

	if (op_db_failed(r, res))
		return;
	n = db_rows(res);
	out.more = n > limit;
	if (out.more)
		n = limit;
	rows = pool_alloc(&r->pool, (n + 1) * sizeof(*rows));
	for (i = 0; i < n; i++)
		list_row(r, res, i, &rows[i]);
	out.files = (struct list){ rows, n };
	if (out.more) {
		hex = pool_alloc(&r->pool, ID_HEX_LEN + 1);
		out.next =
		    (struct slice){ id_hex(&rows[n - 1].id, hex), ID_HEX_LEN };
	}
	op_reply(r, &out);
}

/* As names are compared; null when it is empty. */
static void
list_put_folded(struct request *r, struct db_params *p, struct slice s)
{
	char *folded;

	if (s.n == 0) {
		db_put_text(p, NULL, 0);
		return;
	}
	folded = pool_alloc(&r->pool, 2 * s.n + 1);
	db_put_text(p, folded, str_fold(folded, s.p, s.n));
}

static void
list_exec(struct request *r, void *arg)
{
	const struct session *s = r->client->session;
	const struct list_in *in = arg;
	uint8_t key[CRYPTO_KEY_LEN];
	bool is_key =
	    crypto_unhex(key, sizeof(key), in->from.p, in->from.n) == 0;
	struct db_params *p;
	struct id before;

	memset(before.b, 0xff, ID_LEN);
	if (in->after.n > 0 &&
	    id_parse(&before, in->after.p, in->after.n) != 0) {
		op_fail(r, ERR_MALFORMED, "after is no next of a page.");
		return;
	}
	p = db_params(STMT_file_list);
	db_put_id(p, &s->mesh->id);
	db_put_id(p, &s->info.member);
	list_put_folded(r, p, in->query);
	db_put_text(p, in->query.n > 0 ? in->query.p : NULL, in->query.n);
	list_put_folded(r, p, is_key ? (struct slice){ NULL, 0 } : in->from);
	if (is_key)
		db_put_bytes(p, key, sizeof(key));
	else
		db_put_null(p);
	db_put_texts(p, in->tags.v, in->tags.n);
	db_put_id(p, &before);
	db_put_int(p, (in->limit > 0 ? in->limit : FILE_PAGE) + 1);
	db_query(r->core->reads, p, list_found, r);
}

/* Three questions, one after the other. */
struct asking_status {
	struct request *request;
	struct file_link link;
	struct status_out out;
};

static void
status_unread(void *arg, const struct db_result *res)
{
	struct asking_status *q = arg;
	struct slice *names;
	size_t i, n;

	if (op_db_failed(q->request, res))
		return;
	n = db_rows(res);
	names = pool_alloc(&q->request->pool, (n + 1) * sizeof(*names));
	for (i = 0; i < n; i++)
		names[i] = db_text(res, i, 0);
	q->out.unread = (struct list){ names, n };
	op_reply(q->request, &q->out);
}

static struct slice
status_keep(struct request *r, struct slice s)
{
	return (struct slice){ pool_dup(&r->pool, s.p, s.n), s.n };
}

static void
status_accesses(void *arg, const struct db_result *res)
{
	struct asking_status *q = arg;
	struct request *r = q->request;
	struct access_row *rows;
	struct db_params *p;
	size_t i, n;

	if (op_db_failed(r, res))
		return;
	n = db_rows(res);
	q->out.more = n > FILE_READERS_MAX;
	if (q->out.more)
		n = FILE_READERS_MAX;
	rows = pool_alloc(&r->pool, (n + 1) * sizeof(*rows));
	for (i = 0; i < n; i++)
		rows[i] = (struct access_row){
			.name = status_keep(r, db_text(res, i, 0)),
			.key = list_hex(r, db_bytes(res, i, 1)),
			.first_ms = db_time(res, i, 2),
			.last_ms = db_time(res, i, 3),
			.times = db_int(res, i, 4),
		};
	q->out.accesses = (struct list){ rows, n };
	p = db_params(STMT_file_unread);
	db_put_id(p, &q->link.file);
	db_put_int(p, FILE_READERS_MAX);
	db_query(r->core->reads, p, status_unread, q);
}

static void
status_found(void *arg, enum err e, const char *text, const struct file_info *f)
{
	struct asking_status *q = arg;
	struct request *r = q->request;
	struct db_params *p;

	if (e != ERR_NONE) {
		op_fail(r, e, "%s", text);
		return;
	}
	q->out.file = q->link.file;
	q->out.name = status_keep(r, f->name);
	p = db_params(STMT_file_readers);
	db_put_id(p, &q->link.file);
	db_put_int(p, FILE_READERS_MAX + 1);
	db_query(r->core->reads, p, status_accesses, q);
}

static void
status_exec(struct request *r, void *arg)
{
	const struct session *s = r->client->session;
	struct asking_status *q = pool_zalloc(&r->pool, sizeof(*q));
	const struct status_in *in = arg;

	q->request = r;
	q->link = (struct file_link){
		.mesh = s->mesh->id, .file = in->file, .member = s->info.member
	};
	file_find(r->core, &q->link, status_found, q);
}

const struct op op_list_files = {
	.name = "list_files",
	.scope = SCOPE_FILES_READ,
	.rest = { "GET /v1/files" },
	.reply = "file_list",
	.in = list_fields,
	.in_size = sizeof(struct list_in),
	.out = list_out_fields,
	.exec = list_exec,
	.text = "List the files of the mesh, and those that were sent to you.",
};

const struct op op_file_status = {
	.name = "file_status",
	.scope = SCOPE_FILES_READ,
	.rest = { "GET /v1/files/{fileId}/status" },
	.reply = "file_status_result",
	.in = status_fields,
	.in_size = sizeof(struct status_in),
	.out = status_out_fields,
	.exec = status_exec,
	.text = "Ask who has read a file, and when.",
};
