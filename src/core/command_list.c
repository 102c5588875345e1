/* SPDX-License-Identifier: ISC */
/*
 * Which commands there are; and they go.
 */
#include <string.h>

#include "core/grant.h"

#define COMMANDS_NEXT (ID_HEX_LEN + 1) /* then the name */

/*
 * list_commands
 */
struct commands_in {
	struct slice channel;
	int64_t limit;
	struct slice after;
};

#define IN(field) offsetof(struct commands_in, field)
static const struct field commands_fields[] = {
	{ "channel", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX, FIELD_MESH, NULL,
	    NULL, 0, "Those of this channel, too: its id, or its name." },
	{ "channelId", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX, FIELD_REST,
	    NULL, NULL, 0, "Those of this channel, too." },
	{ "limit", F_INT, IN(limit), 1, GRANT_PAGE_MAX, FIELD_MESH, NULL, NULL,
	    0, "At most so many; 100 when absent." },
	{ "limit", F_INT, IN(limit), 1, GRANT_PAGE_MAX, FIELD_REST, NULL, NULL,
	    0, "At most so many; 500 when absent." },
	{ "after", F_STR, IN(after), COMMANDS_NEXT,
	    COMMANDS_NEXT + GRANT_WORD_MAX, 0, NULL, NULL, 0,
	    "Only those behind this one: next of the page before." },
	{ .type = F_END },
};
#undef IN

struct command_row {
	struct id id;
	struct id mesh;
	struct id channel;
	struct slice name;
	struct id owner;
	struct slice owner_name;
	struct slice text;
	struct slice schema;
	struct slice status;
	struct id request;
	int64_t created_ms;
};

#define ROW(field) offsetof(struct command_row, field)
static const struct field command_row_fields[] = {
	{ "id", F_ID, ROW(id), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The command." },
	{ "commandId", F_ID, ROW(id), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "The command." },
	{ "orgId", F_ID, ROW(mesh), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The mesh." },
	{ "channelId", F_ID, ROW(channel), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "Only there; null: in all channels." },
	{ "name", F_STR, ROW(name), 0, 0, 0, NULL, NULL, 0,
	    "What it is called by." },
	{ "ownerActorId", F_ID, ROW(owner), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "Who does it." },
	{ "ownerMemberId", F_ID, ROW(owner), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "Who does it." },
	{ "owner", F_STR, ROW(owner_name), 0, 0, 0, NULL, NULL, 0,
	    "Its name: where several have a command of one name, OWNER:NAME "
	    "says which." },
	{ "description", F_STR, ROW(text), 0, 0, 0, NULL, NULL, 0,
	    "What it does." },
	{ "argsSchema", F_JSON, ROW(schema), 0, 0, 0, NULL, NULL, 0,
	    "Its arguments." },
	{ "status", F_STR, ROW(status), 0, 0, 0, NULL, NULL, 0, "active." },
	{ "permissionRequestId", F_ID, ROW(request), 0, 0, FIELD_NULLABLE, NULL,
	    NULL, 0, "The request by which it was allowed." },
	{ "createdAt", F_TIME, ROW(created_ms), 0, 0, 0, NULL, NULL, 0,
	    "Since when." },
	{ .type = F_END },
};
#undef ROW

struct commands_out {
	struct list commands;
	struct slice next;
};

#define OUT(field) offsetof(struct commands_out, field)
static const struct field commands_out_fields[] = {
	{ "commands", F_ROWS, OUT(commands), 0, 0, 0, NULL, command_row_fields,
	    sizeof(struct command_row), "By name." },
	{ "next", F_STR, OUT(next), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "There are more: after for the next page." },
	{ .type = F_END },
};
#undef OUT

static int64_t
commands_limit(const struct request *r)
{
	const struct commands_in *in = r->in;

	return op_page(r, in->limit, GRANT_PAGE, GRANT_PAGE_MAX);
}

static void
commands_read(struct command_row *c, const struct id *mesh,
    const struct db_result *res, size_t i)
{
	memset(c, 0, sizeof(*c));
	c->mesh = *mesh;
	db_id(res, i, 0, &c->id);
	if (!db_null(res, i, 1))
		db_id(res, i, 1, &c->channel);
	c->name = db_text(res, i, 2);
	db_id(res, i, 3, &c->owner);
	c->owner_name = db_text(res, i, 4);
	c->text = db_text(res, i, 5);
	c->schema = db_text(res, i, 6);
	c->status = (struct slice){ "active", strlen("active") };
	if (!db_null(res, i, 7))
		db_id(res, i, 7, &c->request);
	c->created_ms = db_time(res, i, 8);
}

static void
commands_listed(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct id *mesh = r->context;
	size_t i, n, limit = (size_t)commands_limit(r);
	char hex[ID_HEX_LEN + 1];
	struct commands_out out;
	struct command_row *rows;

	if (op_db_failed(r, res))
		return;
	memset(&out, 0, sizeof(out));
	n = db_rows(res) < limit ? db_rows(res) : limit;
	rows = pool_alloc(&r->pool, (n + 1) * sizeof(*rows));
	for (i = 0; i < n; i++)
		commands_read(&rows[i], mesh, res, i);
	out.commands = (struct list){ rows, n };
	if (db_rows(res) > limit) {
		out.next.p = pool_printf(&r->pool, "%s " SLICE_FMT,
		    id_hex(&rows[n - 1].id, hex),
		    SLICE_ARG(db_text(res, n - 1, 9)));
		out.next.n = strlen(out.next.p);
	}
	op_reply(r, &out);
}

/* ch: or NULL. */
static void
commands_ask(struct request *r, struct channel *ch)
{
	const struct session *s = r->client->session;
	const struct commands_in *in = r->in;
	struct db_params *p;
	struct id after;

	memset(&after, 0, sizeof(after));
	if (in->after.n > 0 && id_parse(&after, in->after.p, ID_HEX_LEN) != 0) {
		op_fail(r, ERR_MALFORMED, "after is no next of a page.");
		return;
	}
	r->context = pool_dup(&r->pool, &s->mesh->id, sizeof(s->mesh->id));
	p = db_params(STMT_command_list);
	db_put_id(p, &s->mesh->id);
	if (ch == NULL)
		db_put_null(p);
	else
		db_put_id(p, channel_is_thread(ch) ? &ch->root : &ch->id);
	if (in->after.n > 0)
		db_put_text(p, in->after.p + COMMANDS_NEXT,
		    in->after.n - COMMANDS_NEXT);
	else
		db_put_str(p, "");
	db_put_id(p, &after);
	db_put_int(p, commands_limit(r) + 1);
	db_query(r->core->reads, p, commands_listed, r);
}

static void
list_commands_exec(struct request *r, void *arg)
{
	const struct commands_in *in = arg;

	if (in->channel.n > 0)
		channel_find(r, in->channel, commands_ask);
	else
		commands_ask(r, NULL);
}

/*
 * delete_command
 */
struct drop_in {
	struct slice id;
};

static const struct field drop_fields[] = {
	{ "commandId", F_STR, offsetof(struct drop_in, id), 1, GRANT_WORD_MAX,
	    FIELD_REQUIRED, NULL, NULL, 0, "The command." },
	{ .type = F_END },
};

struct drop_out {
	bool ok;
	struct id id;
};

static const struct field drop_out_fields[] = {
	{ "ok", F_BOOL, offsetof(struct drop_out, ok), 0, 0, FIELD_REST, NULL,
	    NULL, 0, "true." },
	{ "commandId", F_ID, offsetof(struct drop_out, id), 0, 0, 0, NULL, NULL,
	    0, "The command that is no more." },
	{ .type = F_END },
};

/* Of the request's pool. */
struct dropping {
	struct request *request;
	struct id mesh;
	struct command command;
};

static void
drop_unknown(struct request *r)
{
	const struct drop_in *in = r->in;

	op_fail(r, ERR_NOT_FOUND,
	    "There is no command \"" SLICE_FMT "\" for you.",
	    SLICE_ARG(in->id));
}

static void
dropped(void *arg, const struct db_result *res)
{
	struct dropping *d = arg;
	struct request *r = d->request;
	struct drop_out out = { .ok = true, .id = d->command.id };

	if (op_db_failed(r, res))
		return;
	switch (db_int(res, 0, 0)) {
	case 0:
		if (db_bool(res, 0, 1))
			command_tell(r->core, &d->mesh, &d->command,
			    (struct slice){ "denied", strlen("denied") });
		op_reply(r, &out);
		break;
	case 1:
		drop_unknown(r);
		break;
	default:
		if (id_is_null(&d->command.channel))
			op_deny(r, SCOPE_GRANT_CREATE, "org", &d->mesh);
		else
			op_deny(r, SCOPE_CHANNEL_ADMIN, "channel",
			    &d->command.channel);
		break;
	}
}

static void
drop_lines(struct db_params *row, const struct dropping *d, const struct id *by)
{
	const struct command *c = &d->command;
	struct journal_line l;

	journal_begin(&l, row);
	json_id_at(&l.w, "channelId", &c->channel);
	json_id_at(&l.w, "commandId", &c->id);
	json_id_at(&l.w, "deletedByActorId", by);
	json_key(&l.w, "name");
	json_strn(&l.w, c->name.p, c->name.n);
	json_id_at(&l.w, "orgId", &d->mesh);
	json_id_at(&l.w, "ownerActorId", &c->owner);
	journal_end(&l, 0, "command.deleted");
	if (id_is_null(&c->request))
		return;
	journal_begin(&l, row);
	json_id_at(&l.w, "commandId", &c->id);
	json_key(&l.w, "grantId");
	json_null(&l.w);
	json_id_at(&l.w, "orgId", &d->mesh);
	json_id_at(&l.w, "requestId", &c->request);
	json_id_at(&l.w, "resolverActorId", by);
	json_key(&l.w, "status");
	json_str(&l.w, "denied");
	journal_end(&l, 1, "permission_request.resolved");
}

static void
drop_store(struct dropping *d)
{
	struct request *r = d->request;
	const struct session *s = r->client->session;
	char at[CLOCK_RFC3339_LEN + 1];
	struct db_params *p;

	clock_format(clock_wall(), at);
	p = journal_row(r->core, STMT_command_drop, &d->mesh, dropped, d);
	db_alone(p, &d->command.id);
	db_put_id(p, &d->command.id);
	db_put_id(p, &d->mesh);
	db_put_id(p, &s->info.member);
	db_put_str(p, at);
	db_put_bool(p, grant_has(r->client, SCOPE_GRANT_CREATE));
	db_put_bool(p, grant_has(r->client, SCOPE_CHANNEL_ADMIN));
	db_put_bool(p, grant_owns(r->client));
	drop_lines(p, d, &s->info.member);
}

static void
drop_found(void *arg, const struct db_result *res)
{
	struct dropping *d = arg;
	struct request *r = d->request;
	struct command *c = &d->command;

	if (op_db_failed(r, res) || op_left(r))
		return;
	if (db_rows(res) == 0) {
		drop_unknown(r);
		return;
	}
	if (!db_null(res, 0, 0))
		db_id(res, 0, 0, &c->channel);
	c->name = grant_keep(r, db_text(res, 0, 1));
	db_id(res, 0, 2, &c->owner);
	c->owner_name = grant_keep(r, db_text(res, 0, 5));
	if (!db_bool(res, 0, 3) && !db_null(res, 0, 4))
		db_id(res, 0, 4, &c->request);
	drop_store(d);
}

static void
delete_command_exec(struct request *r, void *arg)
{
	const struct session *s = r->client->session;
	const struct drop_in *in = arg;
	struct dropping *d = pool_zalloc(&r->pool, sizeof(*d));
	struct db_params *p = db_params(STMT_command_get);

	d->request = r;
	d->mesh = s->mesh->id;
	d->command.id = grant_id(in->id);
	db_put_id(p, &d->mesh);
	db_put_id(p, &d->command.id);
	db_put_id(p, &s->info.member);
	db_query(r->core->reads, p, drop_found, d);
}

const struct op op_list_commands = {
	.name = "list_commands",
	.scope = SCOPE_MEMBER,
	.rest = { "GET /v1/commands" },
	.reply = "commands_list",
	.in = commands_fields,
	.in_size = sizeof(struct commands_in),
	.out = commands_out_fields,
	.exec = list_commands_exec,
	.text = "Commands that can be called in what is posted: in all "
		"channels, and in one.",
};

const struct op op_delete_command = {
	.name = "delete_command",
	.scope = SCOPE_MEMBER,
	.rest = { "DELETE /v1/commands/{commandId}" },
	.reply = "command_deleted",
	.in = drop_fields,
	.in_size = sizeof(struct drop_in),
	.out = drop_out_fields,
	.exec = delete_command_exec,
	.text =
	    "Offer a command no more: for its owner, who may grant, and who "
	    "manages its channel.",
};
