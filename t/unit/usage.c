/* SPDX-License-Identifier: ISC */
/* Help, manual and completion from a small table. */
#include "base/base.h"
#include "tap.h"

static const struct usage_option none[] = {
	{ NULL, 0, NULL, NULL },
};
static const struct usage_option globals[] = {
	{ "config", 'c', "file", "Where it's written." },
	{ "json", 0, NULL, "JSON. Not text." },
	{ NULL, 0, NULL, NULL },
};
static const struct usage_option fly_options[] = {
	{ "colour", 0, "red|blue", "What: colour." },
	{ "hidden", 0, NULL, NULL },
	{ NULL, 0, NULL, NULL },
};
static const struct usage_command commands[] = {
	{ "kite fly", NULL, "name up|down", fly_options, "Fly a kite.",
	    "It has \\ and .dots. Twice." },
	{ "kite list", "ls", "", none, "List kites.", NULL },
	{ "help", NULL, "[command]", none, "Help.", NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL },
};
static const struct usage usage = { "kites", "kites(1)", globals, commands };

static void
test_choice(void)
{
	static const struct {
		const char *arg;
		size_t n;
		const char *want;
	} rows[] = {
		{ "a|bc|d", 0, "a" },
		{ "a|bc|d", 1, "bc" },
		{ "a|bc|d", 2, "d" },
		{ "a|bc|d", 3, NULL },
		{ "name", 0, NULL },
		{ "", 0, NULL },
		{ NULL, 0, NULL },
	};
	struct slice s;
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		s = usage_choice(rows[i].arg, rows[i].n);
		if (rows[i].want == NULL)
			ok(s.p == NULL, "no choice %zu of %s", rows[i].n,
			    rows[i].arg != NULL ? rows[i].arg : "nothing");
		else
			ok(s.p != NULL && s.n == strlen(rows[i].want) &&
				memcmp(s.p, rows[i].want, s.n) == 0,
			    "choice %zu of %s", rows[i].n, rows[i].arg);
	}
}

static void
has(struct buf *b, const char *want, bool there)
{
	ok((strstr(buf_str(b), want) != NULL) == there, "%s: %s",
	    there ? "has" : "has not", want);
}

static void
test_text(void)
{
	const char *p;
	struct buf b;

	buf_init(&b, 65536);
	usage_help(&usage, &b);
	has(&b, "  kite fly name up|down ", true);
	has(&b, "-c, --config file", true);
	buf_clear(&b);
	usage_help_of(&usage, &commands[0], &b);
	has(&b, "usage: kites kite fly [option ...] name up|down\n", true);
	has(&b, "--colour red|blue", true);
	has(&b, "hidden", false);
	buf_clear(&b);
	usage_mdoc(&usage, &b);
	has(&b, ".It Ic kite fly Ar name Ar up | down\n", true);
	has(&b, ".It Ic help Oo Ar command Oc\n", true);
	has(&b, ".It Fl -colour Ar red | blue\n", true);
	has(&b, "It has \\e and .dots.\nTwice.\n", true);
	has(&b, "Also called\n.Ic ls .\n", true);
	has(&b, "hidden", false);
	buf_clear(&b);
	usage_help(&usage, &b);
	for (p = buf_str(&b); *p != '\0'; p += strcspn(p, "\n") + 1)
		if (strcspn(p, "\n") > 80)
			break;
	ok(*p == '\0', "no line is longer than 80 characters");
	buf_free(&b);
}

static void
test_complete(void)
{
	struct buf b;

	buf_init(&b, 65536);
	ok(!usage_complete(&usage, "csh", &b), "no such shell");
	ok(usage_complete(&usage, "bash", &b), "bash");
	has(&b, "--config|-c|--colour) ((i++)) ;;", true);
	has(&b, "' ') list=( 'kite' 'help' ) ;;", true);
	has(&b, "'kite ') list=( 'fly' 'list' ) ;;", true);
	has(&b, "(( ${#said[@]} == 3 )) && list=( up down )", true);
	has(&b, "'kite fly'' --colour') list=( red blue ) ;;", true);
	has(&b, "*' --config' | *' -c') compopt -o default; return ;;", true);
	has(&b, "hidden", false);
	buf_clear(&b);
	ok(usage_complete(&usage, "zsh", &b), "zsh");
	has(&b, "'--colour:What\\: colour'", true);
	has(&b, "'--config:Where it'\\''s written'", true);
	has(&b, "'kite:fly, list'", true);
	buf_clear(&b);
	ok(usage_complete(&usage, "fish", &b), "fish");
	has(&b,
	    "complete -c kites -n \"__kites_at 'kite fly'\" -l colour -x -a "
	    "'red blue' -d 'What: colour'\n",
	    true);
	has(&b, "complete -c kites -l json -d 'JSON'\n", true);
	buf_free(&b);
}

int
main(void)
{
	test_choice();
	test_text();
	test_complete();
	return tap_done();
}
