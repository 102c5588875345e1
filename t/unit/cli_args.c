/* SPDX-License-Identifier: ISC */
/* cli_args.c: text from arguments or standard input, numbers and times. */
#include "cli/cli.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "tap.h"

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

static void
test_given(void)
{
	static const struct usage_option option = { "x", 0, "what", "" };
	static const struct {
		const char *value;
		int64_t num, time;
	} rows[] = {
		{ "5m", -2, 300000 },
		{ "soon", -2, -2 },
		{ "7", 7, 7000 },
		{ "0", -2, 0 },
		{ "-3", -2, -2 },
	};
	struct cli c = { .line = { .ngiven = 1 } };
	size_t i;

	is_int(cli_given_num(&(struct cli){ .json = false }, "x", 5), 5,
	    "a number that was not given");
	for (i = 0; i < NELEM(rows); i++) {
		c.line.given[0].option = &option;
		c.line.given[0].value = rows[i].value;
		is_int(cli_given_num(&c, "x", 5), rows[i].num, "%s as a number",
		    rows[i].value);
		is_int(cli_given_time(&c, "x", 5), rows[i].time, "as a time");
	}
}

int
main(void)
{
	/* What is said about mistakes is not looked at here. */
	if (freopen("/dev/null", "w", stderr) == NULL)
		return 1;
	test_text();
	test_given();
	return tap_done();
}
