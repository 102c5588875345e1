/* SPDX-License-Identifier: ISC */
/* cli_args.c: where options and commands may stand, and what is refused. */
#include "cli/cli.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "tap.h"

static const struct cli_option globals[] = {
	{ "mesh", 'm', "slug", "" },
	{ "json", 'j', NULL, "" },
	{ NULL, 0, NULL, NULL },
};

static const struct cli_option own[] = {
	{ "priority", 'p', "priority", "" },
	{ "tag", 't', "tag", "" },
	{ NULL, 0, NULL, NULL },
};

static const struct cli_command commands[] = {
	{ "send", "tell", "", 0, -1, own, NULL, "", NULL },
	{ "state get", NULL, "", 0, -1, own, NULL, "", NULL },
	{ "state list", NULL, "", 0, -1, own, NULL, "", NULL },
	{ NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL },
};

#define WORDS_MAX 10
static const struct {
	const char *argv[WORDS_MAX];
	int status;
	const char *read; /* command(arguments)option=value */
} rows[] = {
	{ { "send", "bob", "hi" }, 0, "send(bob,hi)" },
	{ { "tell", "bob" }, 0, "send(bob)" },
	{ { "send", "-p", "now", "bob" }, 0, "send(bob)priority=now" },
	{ { "send", "bob", "hi", "--priority", "now" }, 0,
	    "send(bob,hi)priority=now" },
	{ { "send", "--priority=now", "bob" }, 0, "send(bob)priority=now" },
	{ { "send", "--priority=", "bob" }, 0, "send(bob)priority=" },
	{ { "send", "-pnow", "bob" }, 0, "send(bob)priority=now" },
	{ { "-j", "--mesh", "x", "send", "bob" }, 0, "send(bob)json=,mesh=x" },
	{ { "send", "-jmx", "bob" }, 0, "send(bob)json=,mesh=x" },
	{ { "send", "bob", "-t", "a", "-t", "b" }, 0, "send(bob)tag=a,tag=b" },
	{ { "send", "bob", "--", "--json", "-p" }, 0, "send(bob,--json,-p)" },
	{ { "send", "bob", "-" }, 0, "send(bob,-)" },
	{ { "send", "bob", "- a list\n- of things" }, 0,
	    "send(bob,- a list\n- of things)" },
	{ { "state", "get", "k" }, 0, "state get(k)" },
	{ { "state", "-j", "get", "k" }, 0, "state get(k)json=" },
	{ { "-j" }, 0, "none()json=" },
	{ { NULL }, 0, "none()" },
	{ { "sned" }, EX_USAGE, NULL },
	{ { "state" }, EX_USAGE, NULL },
	{ { "state", "gte" }, EX_USAGE, NULL },
	{ { "send", "--prioriti", "now" }, EX_USAGE, NULL },
	{ { "send", "-x" }, EX_USAGE, NULL },
	{ { "send", "-p" }, EX_USAGE, NULL },
	{ { "send", "--json=1" }, EX_USAGE, NULL },
	{ { "--priority", "now", "send" }, EX_USAGE, NULL },
};

static void
describe(const struct cli *c, struct buf *b)
{
	size_t i;
	int k;

	buf_clear(b);
	buf_addf(b, "%s(", c->command != NULL ? c->command->name : "none");
	for (k = 0; k < c->argc; k++)
		buf_addf(b, "%s%s", k > 0 ? "," : "", c->argv[k]);
	buf_addc(b, ')');
	for (i = 0; i < c->ngiven; i++)
		buf_addf(b, "%s%s=%s", i > 0 ? "," : "",
		    c->given[i].option->name, c->given[i].value);
}

static void
test_rows(void)
{
	char *argv[WORDS_MAX + 1];
	struct cli c;
	struct buf b;
	size_t i;
	int argc, status;

	buf_init(&b, 4096);
	for (i = 0; i < NELEM(rows); i++) {
		memset(&c, 0, sizeof(c));
		argv[0] = strdup("linnet");
		for (argc = 1; rows[i].argv[argc - 1] != NULL; argc++)
			argv[argc] = strdup(rows[i].argv[argc - 1]);
		status = cli_args_read(&c, argc, argv, commands, globals);
		is_int(status, rows[i].status, "row %zu", i);
		if (rows[i].read != NULL) {
			describe(&c, &b);
			is_str(buf_str(&b), rows[i].read, "as it was meant");
		}
		while (argc > 0)
			free(argv[--argc]);
		pool_free(&c.pool);
	}
	buf_free(&b);
}

/* Text from arguments, or from standard input. */
static void
test_text(void)
{
	static const struct {
		const char *args[3];
		const char *input; /* NULL: none is read */
		const char *text;  /* NULL: the status */
		int status;
	} texts[] = {
		{ { "a", "b c" }, NULL, "a b c", 0 },
		{ { "-" }, "one\ntwo\n", "one\ntwo", 0 },
		{ { NULL }, "piped\n\n", "piped\n", 0 },
		{ { "-", "x" }, NULL, "- x", 0 },
		{ { "-" }, "\n", NULL, EX_NOINPUT },
		{ { "" }, NULL, NULL, EX_NOINPUT },
		{ { "-" }, "\xff\xfe", NULL, EX_DATAERR },
	};
	int in = dup(STDIN_FILENO), fd[2], status;
	size_t i, n;

	for (i = 0; i < NELEM(texts); i++) {
		struct cli c = { .argv = (char **)(uintptr_t)texts[i].args };
		const char *got;

		while (c.argc < 3 && texts[i].args[c.argc] != NULL)
			c.argc++;
		if (pipe(fd) != 0)
			abort();
		if (texts[i].input != NULL &&
		    write(fd[1], texts[i].input, strlen(texts[i].input)) < 0)
			abort();
		close(fd[1]);
		dup2(fd[0], STDIN_FILENO);
		close(fd[0]);
		status = 0;
		got = cli_args_text(&c, 0, &n, &status);
		is_str(got, texts[i].text, "text %zu", i);
		is_int(status, texts[i].status, "its status");
		pool_free(&c.pool);
	}
	dup2(in, STDIN_FILENO);
	close(in);
}

int
main(void)
{
	/* What is said about mistakes is not looked at here. */
	if (freopen("/dev/null", "w", stderr) == NULL)
		return 1;
	test_rows();
	test_text();
	is_int(cli_args_time("timeout", "5m"), 300000, "a time");
	is_int(cli_args_time("timeout", "soon"), -1, "no time");
	return tap_done();
}
