/* SPDX-License-Identifier: ISC */
/*
 * What is done around each command: the command line, help, output.
 */
#include "config.h"

#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define HELP_MAX (1u << 20)

static bool
cli_wants_colour(bool tty)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return tty && (no == NULL || no[0] == '\0') && term != NULL &&
	       strcmp(term, "dumb") != 0;
}

static void
cli_usage(const struct cli *c, FILE *out)
{
	struct buf b;

	buf_init(&b, HELP_MAX);
	if (c->line.command != NULL)
		usage_help_of(c->line.usage, c->line.command, &b);
	else
		usage_help(c->line.usage, &b);
	fwrite(b.data, 1, b.len, out);
	buf_free(&b);
}

static void
cli_start(struct cli *c)
{
	const char *mesh = getenv("LINNET_MESH");

	c->config_file = cli_given(c, "config");
	c->mesh = cli_given(c, "mesh");
	if (c->mesh == NULL && mesh != NULL && mesh[0] != '\0')
		c->mesh = mesh;
	c->json = cli_given(c, "json") != NULL;
	c->quiet = cli_given(c, "quiet") != NULL;
	c->argv = c->line.words;
	c->argc = c->line.nwords;
}

static int
cli_run(struct cli *c)
{
	const struct usage *u = c->line.usage;
	bool help = cli_given(c, "help") != NULL;
	int status;

	if (cli_given(c, "version") != NULL) {
		fprintf(c->out, "linnet %s\n", PACKAGE_VERSION);
		return 0;
	}
	if (help || c->line.command == NULL) {
		cli_usage(c, help ? c->out : stderr);
		return help ? 0 : EX_USAGE;
	}
	if ((status = usage_check(&c->line)) != 0) {
		cli_print_error("%s", c->line.error);
		return status;
	}
	cli_start(c);
	return cli_commands[c->line.command - u->commands].run(c);
}

int
cli_main(int argc, char **argv)
{
	struct cli c = { .out = stdout };
	int status, end;

	pool_init(&c.pool);
	c.tty = isatty(STDOUT_FILENO) == 1;
	c.colour = cli_wants_colour(c.tty);
	status = usage_read(&c.line, cli_commands_usage(), argc, argv);
	if (status == 0)
		status = cli_run(&c);
	else
		cli_print_error("%s", c.line.error);
	end = cli_print_end(&c);
	pool_free(&c.pool);
	return status != 0 ? status : end;
}
