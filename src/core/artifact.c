/* SPDX-License-Identifier: ISC */
/*
 * get_artifact, list_artifacts and delete_artifact: what is kept with channels.
 * The bytes are read as those of files (proto_file.c).
 */
#include <string.h>

#include "core/artifact.h"
#include "core/grant.h"

#define ARTIFACT_PAGE 100
#define ARTIFACT_PAGE_MAX 500

#define OUT(field) offsetof(struct artifact_out, field)
const struct field artifact_fields[] = {
	{ "id", F_ID, OUT(id), 0, 0, 0, NULL, NULL, 0, "The artifact's id." },
	{ "orgId", F_ID, OUT(mesh), 0, 0, 0, NULL, NULL, 0, "Its mesh." },
	{ "streamId", F_ID, OUT(channel), 0, 0, 0, NULL, NULL, 0,
	    "The channel or thread that it is kept with." },
	{ "streamType", F_STR, OUT(stream_type), 0, 0, 0, NULL, NULL, 0,
	    "channel or thread." },
	{ "filename", F_STR, OUT(name), 0, 0, 0, NULL, NULL, 0,
	    "What it is called; data, not a path." },
	{ "contentType", F_STR, OUT(mime), 0, 0, 0, NULL, NULL, 0,
	    "What who kept it says it is." },
	{ "size", F_INT, OUT(size), 0, 0, 0, NULL, NULL, 0, "Bytes." },
	{ "sha256", F_STR, OUT(sha256), 0, 0, 0, NULL, NULL, 0,
	    "Of its bytes." },
	{ "storageKind", F_STR, OUT(storage), 0, 0, 0, NULL, NULL, 0,
	    "Where they are: local-fs or s3." },
	{ "createdByActorId", F_ID, OUT(member), 0, 0, 0, NULL, NULL, 0,
	    "Who kept it." },
	{ "createdAt", F_TIME, OUT(created_ms), 0, 0, 0, NULL, NULL, 0,
	    "When." },
	{ "deleted", F_BOOL, OUT(deleted), 0, 0, 0, NULL, NULL, 0,
	    "Its bytes are gone." },
	{ "deletedAt", F_TIME, OUT(deleted_ms), 0, 0, FIELD_NULLABLE, NULL,
	    NULL, 0, "When." },
	{ "deletedByActorId", F_ID, OUT(deleted_by), 0, 0, FIELD_NULLABLE, NULL,
	    NULL, 0, "Who did that." },
	{ .type = F_END },
};
#undef OUT

const struct field artifact_answer_fields[] = {
	{ "artifact", F_ROW, offsetof(struct artifact_answer, artifact), 0, 0,
	    0, NULL, artifact_fields, sizeof(struct artifact_out),
	    "What is kept." },
	{ .type = F_END },
};

struct artifact_in {
	struct id artifact;
	struct slice why;
};

#define IN(field) offsetof(struct artifact_in, field)
static const struct field artifact_in_fields[] = {
	{ "artifactId", F_ID, IN(artifact), 0, 0, FIELD_REQUIRED, NULL, NULL, 0,
	    "The artifact." },
	{ .type = F_END },
};
static const struct field delete_fields[] = {
	{ "artifactId", F_ID, IN(artifact), 0, 0, FIELD_REQUIRED, NULL, NULL, 0,
	    "The artifact." },
	{ "reason", F_STR, IN(why), 0, 1000, 0, NULL, NULL, 0,
	    "Why; it is kept in the journal." },
	{ .type = F_END },
};
#undef IN

struct delete_out {
	bool ok;
	struct id artifact;
};
static const struct field delete_out_fields[] = {
	{ "ok", F_BOOL, offsetof(struct delete_out, ok), 0, 0, 0, NULL, NULL, 0,
	    "true." },
	{ "artifactId", F_ID, offsetof(struct delete_out, artifact), 0, 0, 0,
	    NULL, NULL, 0, "The artifact whose bytes are gone." },
	{ .type = F_END },
};

struct list_in {
	struct slice channel;
	bool deleted;
	struct id after;
	int64_t limit;
};

#define IN(field) offsetof(struct list_in, field)
static const struct field list_fields[] = {
	{ "channel", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX,
	    FIELD_REQUIRED | FIELD_MESH, NULL, NULL, 0,
	    "Channel or thread: its id; or a channel's name." },
	{ "streamId", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX,
	    FIELD_REQUIRED | FIELD_REST, NULL, NULL, 0,
	    "Channel or thread: its id; or a channel's name." },
	{ "includeDeleted", F_BOOL, IN(deleted), 0, 0, 0, NULL, NULL, 0,
	    "Also those whose bytes are gone." },
	{ "after", F_ID, IN(after), 0, 0, 0, NULL, NULL, 0,
	    "Those after this one: next of the answer before." },
	{ "limit", F_INT, IN(limit), 1, ARTIFACT_PAGE_MAX,
	    FIELD_MESH | FIELD_CLAMP, NULL, NULL, 0,
	    "At most so many; 100 when absent." },
	{ "limit", F_INT, IN(limit), 1, ARTIFACT_PAGE_MAX,
	    FIELD_REST | FIELD_CLAMP, NULL, NULL, 0,
	    "At most so many; 500 when absent." },
	{ .type = F_END },
};
#undef IN

struct list_out {
	struct list rows;
	struct id next;
};
static const struct field list_out_fields[] = {
	{ "artifacts", F_ROWS, offsetof(struct list_out, rows), 0, 0, 0, NULL,
	    artifact_fields, sizeof(struct artifact_out),
	    "The first one first." },
	{ "next", F_ID, offsetof(struct list_out, next), 0, 0, FIELD_OMIT, NULL,
	    NULL, 0, "There may be more: after for them." },
	{ .type = F_END },
};

void
artifact_read(struct artifact_out *a, const struct core *c, struct pool *pool,
    const struct db_result *res, size_t row)
{
	struct slice sha256 = db_bytes(res, row, 7);
	char *hex = pool_alloc(pool, 2 * sha256.n + 1);

	memset(a, 0, sizeof(*a));
	db_id(res, row, 0, &a->id);
	db_id(res, row, 1, &a->mesh);
	db_id(res, row, 2, &a->channel);
	a->stream_type = db_bool(res, row, 3)
			     ? (struct slice){ "thread", strlen("thread") }
			     : (struct slice){ "channel", strlen("channel") };
	a->name = db_text(res, row, 4);
	a->mime = db_text(res, row, 5);
	a->size = db_int(res, row, 6);
	crypto_hex(hex, sha256.p, sha256.n);
	a->sha256 = (struct slice){ hex, 2 * sha256.n };
	if (c->storage != NULL) {
		a->storage.p = c->storage->kind(c->storage_arg);
		a->storage.n = strlen(a->storage.p);
	}
	db_id(res, row, 8, &a->member);
	a->created_ms = db_time(res, row, 9);
	a->deleted = !db_null(res, row, 10);
	if (!a->deleted)
		return;
	a->deleted_ms = db_time(res, row, 10);
	db_id(res, row, 11, &a->deleted_by);
}

void
artifact_tell(
    struct core *c, const struct artifact_out *a, int64_t n, int64_t before)
{
	struct entry e = {
		.mesh = a->mesh, .channel = a->channel, .n = n, .before = before
	};

	follow_news(c, &e.channel, e.n);
	event_entry(c, &e);
}

struct finding {
	struct request *request;
	artifact_fn *fn;
};

static void
found(void *arg, const struct db_result *res)
{
	struct finding *f = arg;
	struct request *r = f->request;
	struct artifact_out *a;

	if (op_db_failed(r, res) || op_left(r))
		return;
	if (db_rows(res) == 0) {
		op_fail(r, ERR_NOT_FOUND,
		    "There is no such artifact for you; list_artifacts has "
		    "those of a channel.");
		return;
	}
	a = pool_zalloc(&r->pool, sizeof(*a));
	artifact_read(a, r->core, &r->pool, res, 0);
	f->fn(r, a);
}

void
artifact_find(struct request *r, const struct id *id, artifact_fn *fn)
{
	const struct session *s = r->client->session;
	struct finding *f = pool_zalloc(&r->pool, sizeof(*f));
	struct db_params *p = db_params(STMT_artifact_find);

	f->request = r;
	f->fn = fn;
	db_put_id(p, &s->mesh->id);
	db_put_id(p, &s->info.member);
	db_put_id(p, id);
	db_query(r->core->reads, p, found, f);
}

static void
get_found(struct request *r, struct artifact_out *a)
{
	struct artifact_answer out = { *a };

	op_reply(r, &out);
}

static void
get_exec(struct request *r, void *arg)
{
	const struct artifact_in *in = arg;

	artifact_find(r, &in->artifact, get_found);
}

struct deleting {
	struct request *request;
	struct artifact_out artifact;
};

static void
delete_done(void *arg, const struct db_result *res)
{
	struct deleting *d = arg;
	struct request *r = d->request;
	struct delete_out out = { true, d->artifact.id };

	if (op_db_failed(r, res))
		return;
	switch (db_int(res, 0, 0)) {
	case 0:
		break;
	case 1:
		op_fail(r, ERR_NOT_FOUND, "There is no such artifact for you.");
		return;
	default:
		op_deny(r, SCOPE_ARTIFACT_ADMIN,
		    d->artifact.stream_type.p[0] == 't' ? "thread" : "channel",
		    &d->artifact.channel);
		return;
	}
	if (!db_null(res, 0, 1))
		artifact_tell(r->core, &d->artifact, db_int(res, 0, 1),
		    db_int(res, 0, 2));
	op_reply(r, &out);
}

static void
delete_line(struct db_params *row, const struct artifact_out *a,
    const struct id *by, const char *at, struct slice why)
{
	struct journal_line l;

	journal_begin(&l, row);
	json_key(&l.w, "artifactId");
	json_id(&l.w, &a->id);
	json_key(&l.w, "deletedAt");
	json_str(&l.w, at);
	json_key(&l.w, "deletedByActorId");
	json_id(&l.w, by);
	json_key(&l.w, "orgId");
	json_id(&l.w, &a->mesh);
	json_key(&l.w, "reason");
	json_strn(&l.w, why.p != NULL ? why.p : "", why.n);
	json_key(&l.w, "streamId");
	json_id(&l.w, &a->channel);
	json_key(&l.w, "streamType");
	json_strn(&l.w, a->stream_type.p, a->stream_type.n);
	journal_end(&l, 0, "artifact.deleted");
}

static void
delete_found(struct request *r, struct artifact_out *a)
{
	const struct session *s = r->client->session;
	const struct artifact_in *in = r->in;
	struct deleting *d = pool_zalloc(&r->pool, sizeof(*d));
	char at[CLOCK_RFC3339_LEN + 1];
	struct db_params *p;

	d->request = r;
	d->artifact = *a;
	clock_format(clock_wall(), at);
	p = journal_row(
	    r->core, STMT_artifact_delete, &a->mesh, delete_done, d);
	db_alone(p, &a->id);
	db_put_id(p, &a->mesh);
	db_put_id(p, &a->id);
	db_put_id(p, &s->info.member);
	db_put_bool(p, grant_has(r->client, SCOPE_ARTIFACT_ADMIN));
	db_put_text(p, in->why.p, in->why.n);
	db_put_str(p, at);
	db_put_bool(p, grant_owns(r->client));
	delete_line(p, a, &s->info.member, at, in->why);
}

static void
delete_exec(struct request *r, void *arg)
{
	const struct artifact_in *in = arg;

	artifact_find(r, &in->artifact, delete_found);
}

static void
listed(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct list_in *in = r->in;
	struct list_out out = { .rows.n = db_rows(res) };
	struct artifact_out *v;
	size_t i;

	if (op_db_failed(r, res))
		return;
	out.rows.v = v = pool_zalloc(&r->pool, (out.rows.n + 1) * sizeof(*v));
	for (i = 0; i < out.rows.n; i++)
		artifact_read(&v[i], r->core, &r->pool, res, i);
	if (out.rows.n == (size_t)in->limit)
		out.next = v[out.rows.n - 1].id;
	op_reply(r, &out);
}

static void
list_found(struct request *r, struct channel *c)
{
	const struct session *s = r->client->session;
	struct list_in *in = r->in;
	struct db_params *p = db_params(STMT_artifact_list);

	in->limit = op_page(r, in->limit, ARTIFACT_PAGE, ARTIFACT_PAGE_MAX);
	db_put_id(p, &c->id);
	db_put_id(p, &s->info.member);
	db_put_id(p, &in->after);
	db_put_bool(p, in->deleted);
	db_put_int(p, in->limit);
	db_query(r->core->reads, p, listed, r);
}

static void
list_exec(struct request *r, void *arg)
{
	const struct list_in *in = arg;

	channel_find(r, in->channel, list_found);
}

const struct op op_get_artifact = {
	.name = "get_artifact",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "GET /v1/artifacts/{artifactId}" },
	.reply = "artifact",
	.in = artifact_in_fields,
	.in_size = sizeof(struct artifact_in),
	.out = artifact_answer_fields,
	.exec = get_exec,
	.text = "What is known of something that is kept with a channel.",
};

const struct op op_list_artifacts = {
	.name = "list_artifacts",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "GET /v1/streams/{streamId}/artifacts" },
	.reply = "artifacts",
	.in = list_fields,
	.in_size = sizeof(struct list_in),
	.out = list_out_fields,
	.exec = list_exec,
	.text = "What is kept with a channel or a thread.",
};

const struct op op_delete_artifact = {
	.name = "delete_artifact",
	.scope = SCOPE_ARTIFACT_ADMIN,
	.rest = { "DELETE /v1/artifacts/{artifactId}" },
	.reply = "artifact_deleted",
	.flags = OP_GRANTABLE,
	.in = delete_fields,
	.in_size = sizeof(struct artifact_in),
	.out = delete_out_fields,
	.exec = delete_exec,
	.text = "Delete the bytes of an artifact: for who kept it, and who has "
		"a hand in the channel. That it was there is remembered.",
};
