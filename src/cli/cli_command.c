/* SPDX-License-Identifier: ISC */
/*
 * command register, list, delete: what members offer to those who post.
 */
#include "cli/cli.h"

#include <sysexits.h>

static int
register_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)c;
	return linnet_register_command(l, arg, linnet_keep, r);
}

static int
register_print(struct cli *c, const struct json *j)
{
	const char *request = cli_json_safe(c, j, 0, "requestId");

	if (!c->json)
		fprintf(c->out, "%s\n", cli_json_safe(c, j, 0, "commandId"));
	if (request[0] != '\0')
		cli_print_note(c,
		    "it is there when somebody who may grant approves the "
		    "request %s",
		    request);
	return 0;
}

int
cli_command_register(struct cli *c)
{
	static const struct cli_question q = {
		.ask = register_ask,
		.print = register_print,
	};
	struct linnet_command command = {
		.name = c->argv[0],
		.description = cli_given(c, "description"),
		.channel = cli_given(c, "channel"),
	};

	if (!cli_given_object(c, "schema", &command.args_schema))
		return EX_DATAERR;
	return cli_ask(c, &q, &command);
}

static int
list_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)c;
	return linnet_list_commands(l, arg, linnet_keep, r);
}

int
cli_command_list(struct cli *c)
{
	static const struct cli_column columns[] = {
		{ "NAME", "name", CELL_TEXT },
		{ "OWNER", "owner", CELL_TEXT },
		{ "CHANNEL", "channelId", CELL_TEXT },
		{ "ARGUMENTS", "argsSchema", CELL_VALUE },
		{ "ID", "commandId", CELL_TEXT },
		{ "DESCRIPTION", "description", CELL_TEXT },
		{ NULL, NULL, CELL_TEXT },
	};
	static const struct cli_question q = {
		.ask = list_ask,
		.list = "commands",
		.columns = columns,
		.none = "there are no commands; offer one with command "
			"register",
	};
	const struct linnet_command_query query = {
		.channel = cli_given(c, "channel"),
		.limit = cli_given_num(c, "limit", 0),
		.after = cli_given(c, "after"),
	};

	return query.limit >= 0 ? cli_ask(c, &q, &query) : EX_USAGE;
}

static int
delete_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_delete_command(l, c->argv[0], linnet_keep, r);
}

int
cli_command_delete(struct cli *c)
{
	static const struct cli_question q = { .ask = delete_ask };

	return cli_ask(c, &q, NULL);
}
