/* SPDX-License-Identifier: ISC */
/* usage_read.c: where options and commands may stand, and what is refused. */
#include "base/base.h"

#include <stdlib.h>
#include <sysexits.h>

#include "tap.h"

static const struct usage_option globals[] = {
	{ "mesh", 'm', "slug", "" },
	{ "json", 'j', NULL, "" },
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option options[] = {
	{ "priority", 'p', "now|low", "" },
	{ "file", 0, "file", "" },
	{ "tag", 't', "tag", "" },
	{ NULL, 0, NULL, NULL },
};

static const struct usage_command commands[] = {
	{ "send", "tell", "[a ...]", options, "", NULL },
	{ "state get", NULL, "key", options, "", NULL },
	{ "state list", NULL, "[a] [b]", options, "", NULL },
	{ "set", NULL, "on|off", options, "", NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL },
};

static const struct usage usage = { "linnet", "linnet(1)", globals, commands };

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
	{ { "send", "--priority=", "bob" }, EX_USAGE, NULL },
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
	{ { "state", "set", "-5" }, EX_USAGE, NULL },
	{ { "send", "bob", "-5" }, 0, "send(bob,-5)" },
	{ { "send", "-p", "soon", "bob" }, EX_USAGE, NULL },
	{ { "send", "--file", "\xff" }, 0, "send()file=\xff" },
	{ { "send", "-t", "\xff" }, EX_DATAERR, NULL },
	{ { "send", "\xff" }, EX_DATAERR, NULL },
	{ { "state", "get" }, EX_USAGE, NULL },
	{ { "state", "get", "k", "l" }, EX_USAGE, NULL },
	{ { "state", "list", "a", "b" }, 0, "state list(a,b)" },
	{ { "state", "list", "a", "b", "c" }, EX_USAGE, NULL },
	{ { "set", "on" }, 0, "set(on)" },
	{ { "set", "of" }, EX_USAGE, NULL },
};

static void
describe(const struct usage_line *c, struct buf *b)
{
	size_t i;
	int k;

	buf_clear(b);
	buf_addf(b, "%s(", c->command != NULL ? c->command->name : "none");
	for (k = 0; k < c->nwords; k++)
		buf_addf(b, "%s%s", k > 0 ? "," : "", c->words[k]);
	buf_addc(b, ')');
	for (i = 0; i < c->ngiven; i++)
		buf_addf(b, "%s%s=%s", i > 0 ? "," : "",
		    c->given[i].option->name, c->given[i].value);
}

/* Reads a command line; `kept` keeps its words, which reading moves. */
static int
read_words(struct usage_line *l, const char *const *words, char **kept)
{
	char *argv[WORDS_MAX + 1];
	int argc = 1, status;

	kept[0] = argv[0] = strdup("linnet");
	for (; argc <= WORDS_MAX && words[argc - 1] != NULL; argc++)
		kept[argc] = argv[argc] = strdup(words[argc - 1]);
	kept[argc] = NULL;
	status = usage_read(l, &usage, argc, argv);
	if (status == 0 && l->command != NULL)
		status = usage_check(l);
	memmove(kept + WORDS_MAX + 2, argv, sizeof(argv));
	l->words = kept + WORDS_MAX + 2;
	return status;
}

static void
forget_words(char **kept)
{
	for (; *kept != NULL; kept++)
		free(*kept);
}

static void
test_rows(void)
{
	char *kept[2 * WORDS_MAX + 3];
	struct usage_line l;
	struct buf b;
	size_t i;

	buf_init(&b, 4096);
	for (i = 0; i < NELEM(rows); i++) {
		is_int(read_words(&l, rows[i].argv, kept), rows[i].status,
		    "row %zu", i);
		ok((l.error[0] == '\0') == (rows[i].status == 0),
		    "a sentence when it is wrong");
		if (rows[i].read != NULL) {
			describe(&l, &b);
			is_str(buf_str(&b), rows[i].read, "as it was meant");
		}
		forget_words(kept);
	}
	buf_free(&b);
}

static void
test_errors(void)
{
	static const struct {
		const char *argv[3];
		const char *error;
	} errors[] = {
		{ { "sned", "x" },
		    "there is no command \"sned\"; did you mean \"send\"?" },
		{ { "stat", "lits" }, "there is no command \"stat lits\"; did "
				      "you mean \"state list\"?" },
		{ { "state" }, "state wants one more word: get, list" },
		{ { "state", "frobnicate" },
		    "there is no command \"state frobnicate\"; state wants "
		    "one of: get, list" },
		{ { "send", "--prioriti=x" },
		    "there is no option --prioriti; did you mean --priority?" },
		{ { "send", "-p" }, "--priority wants a value: now|low" },
		{ { "set", "x" }, "\"x\" is none of on|off" },
	};
	char *kept[2 * WORDS_MAX + 3];
	struct usage_line l;
	size_t i;

	for (i = 0; i < NELEM(errors); i++) {
		ok(read_words(&l, errors[i].argv, kept) != 0, "error %zu", i);
		is_str(l.error, errors[i].error, "says so");
		forget_words(kept);
	}
}

int
main(void)
{
	test_rows();
	test_errors();
	return tap_done();
}
