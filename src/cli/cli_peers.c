/* SPDX-License-Identifier: ISC */
/*
 * peers: who is connected, and who could be.
 */
#include "cli/cli.h"

static int
peers_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	const char *group = cli_given(c, "group");

	(void)arg;
	if (group != NULL && group[0] == '@')
		group++;
	return linnet_list_peers(
	    l, cli_given(c, "all") != NULL, group, linnet_keep, r);
}

int
cli_peers(struct cli *c)
{
	static const struct cli_column columns[] = {
		{ "NAME", "displayName", CELL_TEXT },
		{ "STATUS", "status", CELL_TEXT },
		{ "GROUPS", "groups", CELL_GROUPS },
		{ "HOST", "hostname", CELL_TEXT },
		{ "KEY", "pubkey", CELL_TEXT },
		{ "SUMMARY", "summary", CELL_TEXT },
		{ NULL, NULL, CELL_TEXT },
	};
	static const struct cli_question q = {
		.ask = peers_ask,
		.list = "peers",
		.columns = columns,
		.none = "nobody is connected",
	};

	return cli_ask(c, &q, NULL);
}
