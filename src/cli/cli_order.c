/* SPDX-License-Identifier: ISC */
/*
 * kick, disconnect, ban, unban, bans: for who keeps order.
 */
#include "cli/cli.h"

typedef int order_fn(struct linnet *l, const char *target, const char *reason,
    linnet_reply_fn *fn, void *arg);

struct order {
	order_fn *op;
};

static int
order_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	const struct order *o = arg;

	return o->op(l, c->argv[0], cli_given(c, "reason"), linnet_keep, r);
}

static int
order_print(struct cli *c, const struct json *j)
{
	cli_print_note(c, "%lld %s ended",
	    (long long)cli_json_int(j, 0, "affected"),
	    cli_json_int(j, 0, "affected") == 1 ? "session" : "sessions");
	return 0;
}

static int
order_run(struct cli *c, order_fn *op)
{
	static const struct cli_question q = {
		.ask = order_ask,
		.print = order_print,
	};

	return cli_ask(c, &q, &(struct order){ op });
}

int
cli_kick(struct cli *c)
{
	return order_run(c, linnet_kick);
}

int
cli_disconnect(struct cli *c)
{
	return order_run(c, linnet_disconnect);
}

int
cli_ban(struct cli *c)
{
	return order_run(c, linnet_ban);
}

static int
unban_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_unban(l, c->argv[0], linnet_keep, r);
}

int
cli_unban(struct cli *c)
{
	static const struct cli_question q = { .ask = unban_ask };

	return cli_ask(c, &q, NULL);
}

static int
bans_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)c;
	(void)arg;
	return linnet_list_bans(l, linnet_keep, r);
}

int
cli_bans(struct cli *c)
{
	static const struct cli_column columns[] = {
		{ "NAME", "name", CELL_TEXT },
		{ "BY", "bannedBy", CELL_TEXT },
		{ "WHEN", "bannedAt", CELL_TEXT },
		{ "KEY", "pubkey", CELL_TEXT },
		{ "REASON", "reason", CELL_TEXT },
		{ NULL, NULL, CELL_TEXT },
	};
	static const struct cli_question q = {
		.ask = bans_ask,
		.list = "bans",
		.columns = columns,
		.none = "nobody is banned",
	};

	return cli_ask(c, &q, NULL);
}
