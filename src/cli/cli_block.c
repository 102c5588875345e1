/* SPDX-License-Identifier: ISC */
/*
 * block, unblock, blocks: whom one does not want to hear.
 */
#include "cli/cli.h"

/* The options that were given are what is meant; none: all of it. */
static const char *const *
block_what(const struct cli *c)
{
	static const char *const kinds[] = { "dm", "broadcast", "state" };
	static const char *what[NELEM(kinds) + 1];
	size_t i, n = 0;

	for (i = 0; i < NELEM(kinds); i++)
		if (cli_given(c, kinds[i]) != NULL)
			what[n++] = kinds[i];
	what[n] = NULL;
	return n > 0 ? what : NULL;
}

static int
block_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_block(l, c->argv[0], block_what(c), linnet_keep, r);
}

static int
unblock_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_unblock(l, c->argv[0], block_what(c), linnet_keep, r);
}

static int
blocks_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)c;
	(void)arg;
	return linnet_list_blocks(l, linnet_keep, r);
}

static int
block_print(struct cli *c, const struct json *j)
{
	const char *what = cli_json_texts(c, j, 0, "what");

	if (what[0] == '\0')
		cli_print_note(
		    c, "%s is not blocked", cli_json_str(c, j, 0, "name"));
	else
		cli_print_note(c, "blocked of %s: %s",
		    cli_json_str(c, j, 0, "name"), what);
	return 0;
}

int
cli_block(struct cli *c)
{
	static const struct cli_question q = {
		.ask = block_ask,
		.print = block_print,
	};

	return cli_ask(c, &q, NULL);
}

int
cli_unblock(struct cli *c)
{
	static const struct cli_question q = {
		.ask = unblock_ask,
		.print = block_print,
	};

	return cli_ask(c, &q, NULL);
}

int
cli_blocks(struct cli *c)
{
	static const struct cli_column columns[] = {
		{ "NAME", "name", CELL_TEXT },
		{ "WHAT", "what", CELL_TEXTS },
		{ "SINCE", "blockedAt", CELL_TEXT },
		{ "KEY", "pubkey", CELL_TEXT },
		{ NULL, NULL, CELL_TEXT },
	};
	static const struct cli_question q = {
		.ask = blocks_ask,
		.list = "blocks",
		.columns = columns,
		.none = "you block nobody",
	};

	return cli_ask(c, &q, NULL);
}
