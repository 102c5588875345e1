/* SPDX-License-Identifier: ISC */
/*
 * Commands that members offer, in a channel or in all: who posts one has it
 * done by its owner (post_refs.c).  Somebody who may grant has to allow one,
 * in the way that other permissions are asked for.
 */
#include <string.h>

#include "core/grant.h"

#define COMMAND_NAME_MAX 64
#define COMMAND_TEXT_MAX 1000
#define COMMAND_SCHEMA_MAX 8192
#define COMMANDS_MAX 200 /* of a member */

struct register_in {
	struct slice name;
	struct slice text;
	struct slice schema;
	struct slice channel;
};

#define IN(field) offsetof(struct register_in, field)
static const struct field register_fields[] = {
	{ "name", F_STR, IN(name), 1, COMMAND_NAME_MAX, FIELD_REQUIRED, NULL,
	    NULL, 0, "What it is called by: letters, digits, _ and -." },
	{ "description", F_STR, IN(text), 0, COMMAND_TEXT_MAX, 0, NULL, NULL, 0,
	    "What it does, for who might use it." },
	{ "argsSchema", F_JSON, IN(schema), 2, COMMAND_SCHEMA_MAX, 0, NULL,
	    NULL, 0, "Its arguments: an object, for who might use it." },
	{ "channel", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX, FIELD_MESH, NULL,
	    NULL, 0, "Only in this channel, by its id or name." },
	{ "channelId", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX, FIELD_REST,
	    NULL, NULL, 0, "Only in this channel." },
	{ .type = F_END },
};
#undef IN

struct register_out {
	struct id command;
	struct id request;
};

#define OUT(field) offsetof(struct register_out, field)
static const struct field register_out_fields[] = {
	{ "commandId", F_ID, OUT(command), 0, 0, 0, NULL, NULL, 0,
	    "The command." },
	{ "requestId", F_ID, OUT(request), 0, 0, FIELD_NULLABLE | FIELD_MESH,
	    NULL, NULL, 0,
	    "The request to allow it; null: you may, and it is there." },
	{ "requestId", F_ID, OUT(request), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The request to allow it." },
	{ .type = F_END },
};
#undef OUT

/* Of the request's pool. */
struct registering {
	struct request *request;
	struct id mesh;
	struct command command;
	struct slice text;
	struct slice schema;
	struct slice context;
};

static void
command_write(struct json_writer *w, const char *key, struct slice s)
{
	json_key(w, key);
	json_strn(w, s.n > 0 ? s.p : "", s.n);
}

void
command_line(struct db_params *row, int64_t k, const struct id *mesh,
    const struct command *c, const struct id *by)
{
	struct journal_line l;

	journal_begin(&l, row);
	json_id_at(&l.w, "channelId", &c->channel);
	json_id_at(&l.w, "commandId", &c->id);
	command_write(&l.w, "name", c->name);
	json_id_at(&l.w, "orgId", mesh);
	json_id_at(&l.w, "ownerActorId", &c->owner);
	json_id_at(&l.w, "requestId", &c->request);
	json_id_at(&l.w, "resolverActorId", by);
	journal_end(&l, k, "command.registered");
}

static void
command_line_asked(struct db_params *row, const struct registering *g)
{
	const struct command *c = &g->command;
	struct journal_line l;

	journal_begin(&l, row);
	json_id_at(&l.w, "channelId", &c->channel);
	json_id_at(&l.w, "commandId", &c->id);
	command_write(&l.w, "description", g->text);
	command_write(&l.w, "name", c->name);
	json_id_at(&l.w, "orgId", &g->mesh);
	json_id_at(&l.w, "ownerActorId", &c->owner);
	json_id_at(&l.w, "requestId", &c->request);
	journal_end(&l, 0, "command.registration_requested");
}

static struct slice
command_context(struct request *r, const struct registering *g)
{
	const struct command *c = &g->command;
	struct json_writer w;
	struct slice out;
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_object(&w);
	json_key(&w, "kind");
	json_str(&w, "command.register");
	json_id_at(&w, "commandId", &c->id);
	command_write(&w, "name", c->name);
	command_write(&w, "description", g->text);
	json_id_at(&w, "channelId", &c->channel);
	json_id_at(&w, "ownerActorId", &c->owner);
	json_object_end(&w);
	out = (struct slice){ pool_strndup(&r->pool, b.data, b.len), b.len };
	buf_free(&b);
	return out;
}

void
command_tell(struct core *core, const struct id *mesh, const struct command *c,
    struct slice status)
{
	bool channel = !id_is_null(&c->channel);
	char hex[ID_HEX_LEN + 1];
	struct permission q = { .id = c->request,
		.member = c->owner,
		.name = c->owner_name,
		.action = { "command:register", strlen("command:register") },
		.status = status,
		.command = c->id,
		.created_ms = clock_wall() };

	q.type = channel ? (struct slice){ "channel", 7 }
			 : (struct slice){ "org", 3 };
	q.resource.p = id_hex(channel ? &c->channel : mesh, hex);
	q.resource.n = ID_HEX_LEN;
	if (status.p != NULL)
		q.resolved_ms = q.created_ms;
	permission_tell(core, mesh, &q);
}

static void
registered(void *arg, const struct db_result *res)
{
	const struct registering *g = arg;
	const struct command *c = &g->command;
	struct request *r = g->request;
	const struct register_in *in = r->in;
	struct register_out out = { .command = c->id, .request = c->request };

	if (op_db_failed(r, res))
		return;
	switch (db_int(res, 0, 0)) {
	case 0:
		if (!id_is_null(&c->request))
			command_tell(
			    r->core, &g->mesh, c, (struct slice){ NULL, 0 });
		op_reply(r, &out);
		break;
	case 1:
		channel_unknown(r, in->channel);
		break;
	case 2:
		op_fail(r, ERR_MALFORMED,
		    "You have a command '" SLICE_FMT "' there already, or have "
		    "asked for it.",
		    SLICE_ARG(c->name));
		break;
	default:
		r->error_limit = r->error_used = COMMANDS_MAX;
		op_fail(r, ERR_QUOTA, "You have %d commands; delete some.",
		    COMMANDS_MAX);
		break;
	}
}

static void
register_store(struct registering *g)
{
	const struct command *c = &g->command;
	struct request *r = g->request;
	bool active = id_is_null(&c->request);
	char at[CLOCK_RFC3339_LEN + 1];
	struct db_params *p;

	clock_format(clock_wall(), at);
	p = journal_row(r->core, STMT_command_make, &g->mesh, registered, g);
	db_put_id(p, &c->id);
	db_put_id(p, &g->mesh);
	db_put_id(p, id_is_null(&c->channel) ? NULL : &c->channel);
	db_put_text(p, c->name.p, c->name.n);
	db_put_id(p, &c->owner);
	db_put_text(p, g->text.n > 0 ? g->text.p : "", g->text.n);
	db_put_text(p, g->schema.p, g->schema.n);
	db_put_bool(p, active);
	db_put_id(p, active ? NULL : &c->request);
	db_put_text(p, g->context.p, g->context.n);
	db_put_str(p, at);
	db_put_int(p, COMMANDS_MAX);
	if (active)
		command_line(p, 0, &g->mesh, c, &c->owner);
	else
		command_line_asked(p, g);
}

static void
register_in_channel(struct request *r, struct channel *ch)
{
	const struct session *s = r->client->session;
	const struct register_in *in = r->in;
	struct registering *g = pool_zalloc(&r->pool, sizeof(*g));
	struct command *c = &g->command;

	g->request = r;
	g->mesh = s->mesh->id;
	id_new(&c->id);
	/* Over REST there is always something to approve: its clients do. */
	if (op_is_rest(r) || !grant_has(r->client, SCOPE_GRANT_CREATE))
		id_new(&c->request);
	if (ch != NULL)
		c->channel = channel_is_thread(ch) ? ch->root : ch->id;
	c->name = in->name;
	c->owner = s->info.member;
	c->owner_name = grant_keep(r, s->info.member_name);
	g->text = in->text;
	g->schema = in->schema.n > 0 && in->schema.p[0] == '{'
			? in->schema
			: (struct slice){ "{}", 2 };
	g->context = command_context(r, g);
	register_store(g);
}

/* Blanks around it are not its own. */
static bool
register_name(struct slice *name)
{
	size_t i;

	while (name->n > 0 && name->p[0] == ' ')
		*name = (struct slice){ name->p + 1, name->n - 1 };
	while (name->n > 0 && name->p[name->n - 1] == ' ')
		name->n--;
	for (i = 0; i < name->n; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY"
			   "Z0123456789_-",
			name->p[i]) == NULL)
			return false;
	return name->n > 0;
}

static void
register_command_exec(struct request *r, void *arg)
{
	struct register_in *in = arg;

	if (!register_name(&in->name))
		op_fail(r, ERR_MALFORMED,
		    "name: a command is called by letters, digits, _ and -.");
	else if (in->schema.n > 0 && in->schema.p[0] != '{' &&
		 in->schema.p[0] != 'n')
		op_fail(r, ERR_MALFORMED, "argsSchema must be an object.");
	else if (in->channel.n > 0)
		channel_find(r, in->channel, register_in_channel);
	else
		register_in_channel(r, NULL);
}

const struct op op_register_command = {
	.name = "register_command",
	.scope = SCOPE_MEMBER,
	.rest = { "POST /v1/commands" },
	.rest_status = 201,
	.reply = "command_registered",
	.in = register_fields,
	.in_size = sizeof(struct register_in),
	.out = register_out_fields,
	.exec = register_command_exec,
	.text = "Offer a command to those who post in channels. Who may grant "
		"has to allow it.",
};
