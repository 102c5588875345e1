/* SPDX-License-Identifier: ISC */
/*
 * What people see of the table of commands: help, the manual's list (linnet
 * help --mdoc), completion in shells.
 */
#include "cli/cli.h"

#define HELP_MAX (1u << 20)

static void
help_print(struct cli *c, struct buf *b)
{
	fwrite(b->data, 1, b->len, c->out);
	buf_free(b);
}

int
cli_help(struct cli *c)
{
	const struct usage *u = c->line.usage;
	int status = 0;
	struct buf b;

	buf_init(&b, HELP_MAX);
	if (cli_given(c, "mdoc") != NULL)
		usage_mdoc(u, &b);
	else if (c->argc == 0)
		usage_help(u, &b);
	else if (!usage_help_words(u, c->argv, c->argc, &b)) {
		status = usage_unknown(&c->line, c->argv, c->argc);
		cli_print_error("%s", c->line.error);
	}
	help_print(c, &b);
	return status;
}

int
cli_completion(struct cli *c)
{
	struct buf b;

	buf_init(&b, HELP_MAX);
	if (!usage_complete(c->line.usage, c->argv[0], &b))
		fatalx("no shell %s", c->argv[0]);
	help_print(c, &b);
	return 0;
}
