/* SPDX-License-Identifier: ISC */
/*
 * Requests for permissions are decided: in one transaction the request ends,
 * and the grant is there, or the command that waited for it.
 */
#include <string.h>

#include "core/grant.h"

#define NOTES_MAX 2000

struct end_in {
	struct slice id;
	bool approve;
	struct slice notes;
	int64_t expires_ms;
	int64_t max_uses;
};

#define IN(field) offsetof(struct end_in, field)
static const struct field end_fields[] = {
	{ "requestId", F_STR, IN(id), 1, GRANT_WORD_MAX, FIELD_REQUIRED, NULL,
	    NULL, 0, "The request." },
	{ "approve", F_BOOL, IN(approve), 0, 0, FIELD_REQUIRED, NULL, NULL, 0,
	    "true: give what is asked for; false: do not, or no longer ask "
	    "for it." },
	{ "notes", F_STR, IN(notes), 0, NOTES_MAX, 0, NULL, NULL, 0,
	    "What to say about it, to who asked." },
	{ "expiresAt", F_TIME, IN(expires_ms), 0, 0, 0, NULL, NULL, 0,
	    "How long it is given; for good when absent." },
	{ "maxUses", F_INT, IN(max_uses), 1, INT32_MAX, 0, NULL, NULL, 0,
	    "How often; without end when absent." },
	{ .type = F_END },
};
#undef IN

struct end_out {
	bool ok;
	struct id id;
	struct slice status;
	struct id grant;
	struct id command;
};

#define OUT(field) offsetof(struct end_out, field)
static const struct field end_out_fields[] = {
	{ "ok", F_BOOL, OUT(ok), 0, 0, FIELD_REST, NULL, NULL, 0, "true." },
	{ "requestId", F_ID, OUT(id), 0, 0, 0, NULL, NULL, 0, "The request." },
	{ "status", F_STR, OUT(status), 0, 0, 0, NULL, NULL, 0,
	    "approved or denied." },
	{ "grantId", F_ID, OUT(grant), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "The grant that there is now." },
	{ "commandId", F_ID, OUT(command), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "The command that it was about." },
	{ .type = F_END },
};
#undef OUT

/* Of the request's pool. */
struct ending_ask {
	struct request *request;
	struct id mesh;
	struct permission permission;
	struct slice command_name;
	struct end_out out;
};

static void
end_done(void *arg, const struct db_result *res)
{
	struct ending_ask *e = arg;
	struct request *r = e->request;
	const struct end_in *in = r->in;

	if (op_db_failed(r, res))
		return;
	switch (db_int(res, 0, 0)) {
	case 0:
		permission_tell(r->core, &e->mesh, &e->permission);
		op_reply(r, &e->out);
		break;
	case 1:
		permission_unknown(r, in->id);
		break;
	case 2:
		op_deny(r, SCOPE_GRANT_CREATE, "org", &e->mesh);
		break;
	default:
		op_fail(r, ERR_MALFORMED,
		    "The request is not open any more: it was decided.");
		break;
	}
}

static void
end_line(struct db_params *row, const struct ending_ask *e, const struct id *by,
    const struct end_in *in)
{
	bool command = !id_is_null(&e->out.command);
	struct journal_line l;

	journal_begin(&l, row);
	json_key(&l.w, "commandId");
	if (command)
		json_id(&l.w, &e->out.command);
	else {
		json_null(&l.w);
		json_key(&l.w, "expiresAt");
		json_time(&l.w, in->approve ? in->expires_ms : 0);
	}
	json_key(&l.w, "grantId");
	if (id_is_null(&e->out.grant))
		json_null(&l.w);
	else
		json_id(&l.w, &e->out.grant);
	if (!command) {
		json_key(&l.w, "maxUses");
		if (in->approve && in->max_uses > 0)
			json_num(&l.w, in->max_uses);
		else
			json_null(&l.w);
	}
	json_key(&l.w, "orgId");
	json_id(&l.w, &e->mesh);
	json_key(&l.w, "requestId");
	json_id(&l.w, &e->permission.id);
	json_key(&l.w, "resolverActorId");
	json_id(&l.w, by);
	json_key(&l.w, "status");
	json_str(&l.w, in->approve ? "approved" : "denied");
	journal_end(&l, 1, "permission_request.resolved");
}

static void
end_lines(struct db_params *row, const struct ending_ask *e,
    const struct id *by, const struct end_in *in)
{
	const struct permission *q = &e->permission;
	bool channel = grant_is_stream(q->type); /* else it is the mesh */
	struct grant_what what = { .capability = q->action,
		.type = q->type,
		.id = q->resource,
		.expires_ms = in->expires_ms,
		.max_uses = in->max_uses };

	if (!id_is_null(&e->out.grant))
		grant_line(
		    row, 0, &e->mesh, &e->out.grant, &q->member, by, &what);
	end_line(row, e, by, in);
	if (in->approve && e->command_name.p != NULL)
		command_line(row, 2, &e->mesh,
		    &(struct command){ .id = q->command,
			.request = q->id,
			.channel = channel ? grant_id(q->resource)
					   : (struct id){ { 0 } },
			.name = e->command_name,
			.owner = q->member },
		    by);
}

/* May who manages the channel that it is about decide so?  What would reach
 * beyond the channel is not for it to give. */
static bool
end_manages(const struct ending_ask *e)
{
	const struct end_in *in = e->request->in;

	return grant_owns(e->request->client) &&
	       (!in->approve || !id_is_null(&e->out.command) ||
		   grant_stays(e->permission.action));
}

static void
end_store(struct ending_ask *e)
{
	struct request *r = e->request;
	const struct session *s = r->client->session;
	const struct end_in *in = r->in;
	char at[CLOCK_RFC3339_LEN + 1];
	struct db_params *p;

	e->permission.resolved_ms = clock_wall();
	clock_format(e->permission.resolved_ms, at);
	p = journal_row(r->core, STMT_permission_end, &e->mesh, end_done, e);
	db_alone(p, &e->permission.id);
	db_put_id(p, &e->permission.id);
	db_put_id(p, &e->mesh);
	db_put_id(p, &s->info.member);
	db_put_bool(p, in->approve);
	db_put_text(p, in->notes.p, in->notes.n);
	db_put_id(p, id_is_null(&e->out.grant) ? NULL : &e->out.grant);
	db_put_time(p, in->expires_ms);
	if (in->max_uses > 0)
		db_put_int(p, in->max_uses);
	else
		db_put_null(p);
	db_put_str(p, at);
	grant_put_needs(p, r);
	db_put_id(p, id_is_null(&e->out.command) ? NULL : &e->out.command);
	db_put_bool(p, end_manages(e));
	end_lines(p, e, &s->info.member, in);
}

/* What was asked for does not change. */
static void
end_keep(struct ending_ask *e, const struct permission *q)
{
	struct request *r = e->request;
	const struct end_in *in = r->in;
	struct permission *k = &e->permission;

	*k = *q;
	k->name = grant_keep(r, q->name);
	k->action = grant_keep(r, q->action);
	k->type = grant_keep(r, q->type);
	k->resource = grant_keep(r, q->resource);
	k->context = grant_keep(r, q->context);
	k->status = in->approve ? (struct slice){ "approved", 8 }
				: (struct slice){ "denied", 6 };
	if (in->approve && id_is_null(&q->command))
		id_new(&k->grant);
	e->out = (struct end_out){ .ok = true,
		.id = q->id,
		.status = k->status,
		.grant = k->grant,
		.command = q->command };
}

static void
end_found(void *arg, const struct db_result *res)
{
	struct ending_ask *e = arg;
	struct request *r = e->request;
	const struct end_in *in = r->in;
	struct permission q;

	/* Whose business it is not does not learn which there are. */
	if (db_status(res) == DB_OK && db_null(res, 0, 1) &&
	    !permission_decides(res)) {
		op_deny(r, SCOPE_GRANT_CREATE, "org", &e->mesh);
		return;
	}
	if (!permission_found(r, res, in->id, &q))
		return;
	if (op_left(r))
		return;
	if (q.resolved_ms > 0) {
		op_fail(r, ERR_MALFORMED,
		    "The request is not open any more: it was " SLICE_FMT ".",
		    SLICE_ARG(q.status));
		return;
	}
	end_keep(e, &q);
	if (!db_null(res, 0, PERMISSION_COMMAND_NAME))
		e->command_name =
		    grant_keep(r, db_text(res, 0, PERMISSION_COMMAND_NAME));
	end_store(e);
}

static void
resolve_permission_exec(struct request *r, void *arg)
{
	const struct end_in *in = arg;
	struct ending_ask *e;

	if (in->expires_ms > 0 && in->expires_ms <= clock_wall()) {
		op_fail(r, ERR_MALFORMED, "expiresAt is over.");
		return;
	}
	e = pool_zalloc(&r->pool, sizeof(*e));
	e->request = r;
	e->mesh = r->client->session->mesh->id;
	permission_find(r, in->id, end_found, e);
}

const struct op op_resolve_permission = {
	.name = "resolve_permission",
	.scope = SCOPE_GRANT_CREATE,
	.rest = { "POST /v1/permission-requests/{requestId}/resolve" },
	.reply = "permission_resolution",
	.flags = OP_GRANTABLE,
	.in = end_fields,
	.in_size = sizeof(struct end_in),
	.out = end_out_fields,
	.exec = resolve_permission_exec,
	.text = "Approve a request for a permission, which makes the grant, or "
		"deny it; one's own can be taken back so. What is about a "
		"channel its owners and admins decide, too.",
};
