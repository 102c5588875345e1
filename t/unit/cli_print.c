/* SPDX-License-Identifier: ISC */
/* cli_print.c, cli_table.c: what peers write cannot move a cursor, and tables
 * are for people or for programs. */
#include "cli/cli.h"

#include <stdlib.h>

#include "tap.h"

static const struct {
	const char *in;
	int lines;
	const char *out;
} rows[] = {
	{ "plain text", CLI_ONE_LINE, "plain text" },
	{ "Gr\xc3\xbc\xc3\x9f\x65 \xe4\xb8\xad\xf0\x9f\x90\xa6", CLI_ONE_LINE,
	    "Gr\xc3\xbc\xc3\x9f\x65 \xe4\xb8\xad\xf0\x9f\x90\xa6" },
	{ "\033[2Jgone\007", CLI_ONE_LINE, "\\x1b[2Jgone\\x07" },
	{ "a\r\nb\tc", CLI_ONE_LINE, "a\\x0d\\nb\\tc" },
	{ "a\nb\tc\n", 0, "a\nb\tc\n" },
	{ "a\nb\n", 2, "a\n  b\n" },
	{ "\x7f\xc2\x9b"
	  "31m",
	    CLI_ONE_LINE, "\\x7f\\u{9b}31m" },
	{ "abc\xe2\x80\xae"
	  "cba",
	    CLI_ONE_LINE, "abc\\u{202e}cba" },
	{ "\xe2\x81\xa6"
	  "x\xe2\x81\xa9",
	    0, "\\u{2066}x\\u{2069}" },
	{ "\xe2\x80\xa8", 0, "\\u{2028}" },
	{ "\xf3\xa0\x81\x81", CLI_ONE_LINE, "\\u{e0041}" },
	{ "\xff\xc0\x80", CLI_ONE_LINE, "\\xff\\xc0\\x80" },
	/* Joiners belong to scripts and to pictures. */
	{ "\xe2\x80\x8d", CLI_ONE_LINE, "\xe2\x80\x8d" },
	{ "", CLI_ONE_LINE, "" },
};

static void
test_escape(void)
{
	struct buf b;
	size_t i;

	buf_init(&b, 4096);
	for (i = 0; i < NELEM(rows); i++) {
		buf_clear(&b);
		cli_print_escape(
		    &b, rows[i].in, strlen(rows[i].in), rows[i].lines);
		is_str(buf_str(&b), rows[i].out, "row %zu", i);
	}
	buf_free(&b);
}

static void
test_table(bool tty, const char *want)
{
	static const char *const head[] = { "NAME", "N", "REST", NULL };
	static const char *const cells[] = { "b\xc3\xbc", "1", "a rest",
		"longer", "22", "" };
	struct cli c = { .tty = tty };
	struct cli_table t;
	char *text = NULL;
	size_t n = 0, i;

	pool_init(&c.pool);
	c.out = open_memstream(&text, &n);
	cli_table_init(&t, head);
	for (i = 0; i < NELEM(cells); i++)
		cli_table_add(&c, &t, cells[i]);
	cli_table_print(&c, &t);
	fclose(c.out);
	is_str(text, want, "a table %s a terminal", tty ? "on" : "without");
	free(text);
	pool_free(&c.pool);
}

int
main(void)
{
	test_escape();
	test_table(true, "NAME    N   REST\n"
			 "b\xc3\xbc      1   a rest\n"
			 "longer  22  \n");
	test_table(false, "b\xc3\xbc\t1\ta rest\nlonger\t22\t\n");
	return tap_done();
}
