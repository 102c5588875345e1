/* SPDX-License-Identifier: ISC */
/*
 * search: everything that one may see, by words.
 */
#include "cli/cli.h"

#include <string.h>
#include <sysexits.h>

static int
search_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)c;
	return linnet_search(l, arg, linnet_keep, r);
}

int
cli_search(struct cli *c)
{
	static const struct cli_column columns[] = {
		{ "KIND", "kind", CELL_TEXT },
		{ "ID", "entityId", CELL_TEXT },
		{ "SINCE", "updatedAt", CELL_TEXT },
		{ "BY", "name", CELL_TEXT },
		{ "CHANNEL", "channelId", CELL_TEXT },
		{ "TITLE", "title", CELL_TEXT },
		{ "TEXT", "snippet", CELL_TEXT },
		{ NULL, NULL, CELL_TEXT },
	};
	static const struct cli_question q = {
		.ask = search_ask,
		.list = "hits",
		.columns = columns,
		.none = "nothing was found",
	};
	struct linnet_search s = {
		.types = cli_given_words(c, "types"),
		.channel = cli_given(c, "channel"),
		.limit = cli_given_num(c, "limit", 0),
		.after = cli_given(c, "after"),
	};
	int status = 0;
	size_t n;

	if (s.limit < 0)
		return EX_USAGE;
	if (s.types != NULL && s.types[0] == NULL) {
		cli_print_error("--types wants words with commas between, as "
				"channel,message");
		return EX_USAGE;
	}
	s.query = cli_args_text(c, 0, &n, &status);
	return s.query != NULL ? cli_ask(c, &q, &s) : status;
}
