/* SPDX-License-Identifier: ISC */
/*
 * Requests for permissions: opened by who lacks one, and told to who may give
 * it.
 *
 * One that is about a channel is there for who opened it, and for those who
 * see the channel and may decide (permission_shows() in sql/).  What it is for
 * may quote what was said there: the journal has its digest, and what is pushed
 * has neither.
 */
#include <string.h>

#include "core/grant.h"

#define PERMISSION_OPEN_MAX 100 /* of a member */
#define PERMISSION_CONTEXT_MAX 16384
#define PERMISSION_KEY_MAX 256

#define Q(field) offsetof(struct permission, field)
const struct field permission_fields[] = {
	{ "requestId", F_ID, Q(id), 0, 0, 0, NULL, NULL, 0, "Its id." },
	{ "actorId", F_ID, Q(member), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "Who asks." },
	{ "memberId", F_ID, Q(member), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "Who asks." },
	{ "name", F_STR, Q(name), 0, 0, 0, NULL, NULL, 0, "Its name." },
	{ "action", F_STR, Q(action), 0, 0, 0, NULL, NULL, 0,
	    "The capability that is lacking." },
	{ "resourceType", F_STR, Q(type), 0, 0, 0, NULL, NULL, 0,
	    "On what: org, channel, thread ..." },
	{ "resourceId", F_STR, Q(resource), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "On which; null: on all." },
	{ "status", F_STR, Q(status), 0, 0, 0, NULL, NULL, 0,
	    "open, approved or denied." },
	{ "context", F_JSON, Q(context), 0, 0, 0, NULL, NULL, 0,
	    "What it is for." },
	{ "notes", F_STR, Q(notes), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "What who decided said." },
	{ "grantId", F_ID, Q(grant), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "The grant that it led to." },
	{ "commandId", F_ID, Q(command), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "The command that it is about." },
	{ "createdAt", F_TIME, Q(created_ms), 0, 0, 0, NULL, NULL, 0,
	    "When it was opened." },
	{ "resolvedAt", F_TIME, Q(resolved_ms), 0, 0, FIELD_NULLABLE, NULL,
	    NULL, 0, "When it was decided." },
	{ .type = F_END },
};
#undef Q

void
permission_line(struct db_params *row, int64_t k, const struct id *mesh,
    const struct permission *q)
{
	uint8_t digest[CRYPTO_DIGEST_LEN];
	struct journal_line l;

	crypto_digest(digest, q->context.p, q->context.n, NULL);
	journal_begin(&l, row);
	json_text_at(&l.w, "action", q->action);
	json_key(&l.w, "actorId");
	json_id(&l.w, &q->member);
	json_key(&l.w, "context");
	json_object(&l.w);
	json_key(&l.w, "digest");
	json_hex(&l.w, digest, sizeof(digest));
	json_object_end(&l.w);
	json_key(&l.w, "orgId");
	json_id(&l.w, mesh);
	json_key(&l.w, "requestId");
	json_id(&l.w, &q->id);
	json_text_at(&l.w, "resourceId", q->resource);
	json_text_at(&l.w, "resourceType", q->type);
	journal_end(&l, k, "permission_request.created");
}

/* One that is being opened, of the request's pool. */
struct permission_opening {
	struct request *request;
	struct id mesh;
	struct permission permission;
	struct slice client_id;
	permission_fn *done;
};

static void
permission_made(void *arg, const struct db_result *res)
{
	struct permission_opening *o = arg;
	struct request *r = o->request;
	struct id id;

	if (op_db_failed(r, res))
		return;
	if (db_int(res, 0, 0) != 0) {
		r->error_limit = r->error_used = PERMISSION_OPEN_MAX;
		op_fail(r, ERR_QUOTA,
		    "You have %d requests open; wait until some are decided, "
		    "or deny those that you need no more.",
		    PERMISSION_OPEN_MAX);
		return;
	}
	db_id(res, 0, 1, &id);
	if (!db_bool(res, 0, 2))
		permission_tell(r->core, &o->mesh, &o->permission);
	o->done(r, &id);
}

static void
permission_store(struct permission_opening *o)
{
	struct request *r = o->request;
	struct permission *q = &o->permission;
	char at[CLOCK_RFC3339_LEN + 1];
	struct db_params *p;

	q->created_ms = clock_wall();
	clock_format(q->created_ms, at);
	p = journal_row(
	    r->core, STMT_permission_make, &o->mesh, permission_made, o);
	db_put_id(p, &q->id);
	db_put_id(p, &o->mesh);
	db_put_id(p, &q->member);
	db_put_text(p, q->action.p, q->action.n);
	db_put_text(p, q->type.p, q->type.n);
	db_put_text(p, q->resource.p, q->resource.n);
	db_put_text(p, q->context.p, q->context.n);
	db_put_text(p, o->client_id.p, o->client_id.n);
	db_put_str(p, at);
	db_put_int(p, PERMISSION_OPEN_MAX);
	permission_line(p, 0, &o->mesh, q);
}

void
permission_begin(struct request *r, const struct permission *what,
    struct slice client_id, permission_fn *done)
{
	const struct session *s = r->client->session;
	struct permission_opening *o = pool_zalloc(&r->pool, sizeof(*o));

	o->request = r;
	o->mesh = s->mesh->id;
	o->permission = *what;
	id_new(&o->permission.id);
	o->permission.member = s->info.member;
	o->permission.name = grant_keep(r, s->info.member_name);
	o->client_id = client_id;
	o->done = done;
	permission_store(o);
}

/*
 * request_permission
 */
struct ask_in {
	struct slice action;
	struct slice type;
	struct slice resource;
	struct slice context;
	struct slice client_id;
};

#define IN(field) offsetof(struct ask_in, field)
static const struct field ask_fields[] = {
	{ "action", F_STR, IN(action), 1, GRANT_WORD_MAX, FIELD_REQUIRED, NULL,
	    NULL, 0,
	    "The capability that you lack, as an error names it: "
	    "message:append ..." },
	{ "resourceType", F_STR, IN(type), 1, GRANT_WORD_MAX, FIELD_REQUIRED,
	    NULL, NULL, 0, "On what: org, channel, thread ..." },
	{ "resourceId", F_STR, IN(resource), 0, GRANT_WORD_MAX, 0, NULL, NULL,
	    0, "On which, by its id; on all when absent." },
	{ "context", F_JSON, IN(context), 2, PERMISSION_CONTEXT_MAX, 0, NULL,
	    NULL, 0,
	    "What it is for, for who decides: an object of your own." },
	{ "idempotencyKey", F_STR, IN(client_id), 1, PERMISSION_KEY_MAX, 0,
	    NULL, NULL, 0,
	    "Your own id: while the request is open, one that is repeated "
	    "with it is the same." },
	{ .type = F_END },
};
#undef IN

struct ask_out {
	struct id id;
};

static const struct field ask_out_fields[] = {
	{ "requestId", F_ID, offsetof(struct ask_out, id), 0, 0, 0, NULL, NULL,
	    0, "The request; wait for it, or ask how it stands." },
	{ .type = F_END },
};

static void
ask_done(struct request *r, const struct id *permission)
{
	struct ask_out out = { .id = *permission };

	op_reply(r, &out);
}

/* An object, or nothing: what the journal has the digest of has no doubt. */
static bool
ask_check(struct request *r, struct slice *context)
{
	if (context->n == 0 || context->p[0] == 'n') {
		*context = (struct slice){ "{}", 2 };
		return true;
	}
	if (context->p[0] == '{')
		return true;
	op_fail(r, ERR_MALFORMED, "context must be an object.");
	return false;
}

static void
request_permission_exec(struct request *r, void *arg)
{
	const struct ask_in *in = arg;
	struct grant_what what = {
		.capability = in->action, .type = in->type, .id = in->resource
	};
	struct permission q = {
		.action = in->action, .type = in->type, .context = in->context
	};
	struct slice key = { NULL, 0 };

	if (!ask_check(r, &q.context) || !grant_check(r, &what))
		return;
	q.resource = what.id;
	if (in->client_id.n > 0) {
		key.p = pool_printf(
		    &r->pool, "ask " SLICE_FMT, SLICE_ARG(in->client_id));
		key.n = strlen(key.p);
	}
	permission_begin(r, &q, key, ask_done);
}

const struct op op_request_permission = {
	.name = "request_permission",
	.scope = SCOPE_MEMBER,
	.rest = { "POST /v1/permission-requests" },
	.reply = "permission_requested",
	.in = ask_fields,
	.in_size = sizeof(struct ask_in),
	.out = ask_out_fields,
	.exec = request_permission_exec,
	.text = "Ask those who may give permissions for one that you lack.",
};
