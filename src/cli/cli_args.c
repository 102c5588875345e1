/* SPDX-License-Identifier: ISC */
/*
 * Command lines.  Options may stand anywhere before a lone --, so which word
 * is the command is known only while reading: options of the program are
 * recognised everywhere, options of the command after it.  A word that begins
 * with - and holds a blank is text that somebody wants to send.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define ARGS_TEXT_MAX ((size_t)16 << 20)
#define ARGS_NEAR_MAX 64

struct reading {
	struct cli *c;
	const struct cli_command *commands;
	const struct cli_option *globals;
	char **argv;
	int argc;
	int at;
	char *words[2]; /* those of the command */
	int nwords;
};

static bool
args_is_word(const char *name, const char *word, size_t n)
{
	return strlen(word) == n && memcmp(name, word, n) == 0;
}

/* Says which command may have been meant. */
static void
args_unknown(const struct cli_command *commands, char *const *words, int n)
{
	const char *names[ARGS_NEAR_MAX + 1], *near;
	const struct cli_command *m;
	size_t count = 0, first = strlen(words[0]);
	struct buf b;

	buf_init(&b, 1024);
	for (m = commands; m->name != NULL; m++)
		if (strncmp(m->name, words[0], first) == 0 &&
		    m->name[first] == ' ')
			buf_addf(&b, "%s%s", b.len > 0 ? ", " : "", m->name);
	if (b.len > 0) {
		cli_print_error(
		    "%s wants one more word: %s", words[0], buf_str(&b));
		buf_free(&b);
		return;
	}
	buf_free(&b);
	for (m = commands; m->name != NULL && count < ARGS_NEAR_MAX; m++)
		names[count++] = m->name;
	names[count] = NULL;
	near = str_nearest(words[0], names);
	if (near == NULL && n > 1) {
		char *both = xasprintf("%s %s", words[0], words[1]);

		near = str_nearest(both, names);
		free(both);
	}
	if (near != NULL)
		cli_print_error("there is no command \"%s\"; did you mean "
				"\"%s\"?",
		    words[0], near);
	else
		cli_print_error("there is no command \"%s\"; linnet help "
				"lists them",
		    words[0]);
}

static const struct cli_command *
args_match(
    const struct cli_command *commands, char *const *words, int n, int *taken)
{
	const struct cli_command *m;
	const char *space;

	for (m = commands; m->name != NULL; m++) {
		space = strchr(m->name, ' ');
		if (space == NULL &&
		    (strcmp(m->name, words[0]) == 0 ||
			(m->alias != NULL &&
			    strcmp(m->alias, words[0]) == 0))) {
			*taken = 1;
			return m;
		}
		if (space != NULL && n > 1 &&
		    args_is_word(
			m->name, words[0], (size_t)(space - m->name)) &&
		    strcmp(space + 1, words[1]) == 0) {
			*taken = 2;
			return m;
		}
	}
	return NULL;
}

const struct cli_command *
cli_args_find(const struct cli_command *commands, char *const *words,
    int nwords, int *taken)
{
	const struct cli_command *m =
	    args_match(commands, words, nwords, taken);

	if (m == NULL)
		args_unknown(commands, words, nwords);
	return m;
}

static const struct cli_option *
args_option(const struct cli_option *o, const char *name, size_t n)
{
	for (; o != NULL && o->name != NULL; o++)
		if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
			return o;
	return NULL;
}

static const struct cli_option *
args_letter(const struct cli_option *o, char letter)
{
	for (; o != NULL && o->name != NULL; o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

static const struct cli_option *
args_own(const struct reading *r)
{
	return r->c->command != NULL ? r->c->command->options : NULL;
}

static int
args_no_option(const struct reading *r, const char *word)
{
	const char *names[ARGS_NEAR_MAX + 1], *near = NULL;
	const struct cli_option *o;
	size_t n = 0;

	for (o = r->globals; o->name != NULL && n < ARGS_NEAR_MAX; o++)
		names[n++] = o->name;
	for (o = args_own(r); o != NULL && o->name != NULL; o++)
		if (n < ARGS_NEAR_MAX && o->text != NULL)
			names[n++] = o->name;
	names[n] = NULL;
	if (word[1] == '-')
		near = str_nearest(word + 2, names);
	if (near != NULL)
		cli_print_error(
		    "there is no option %s; did you mean --%s?", word, near);
	else if (r->c->command != NULL)
		cli_print_error("%s has no option %s; what begins with - and "
				"is none stands behind --",
		    r->c->command->name, word);
	else
		cli_print_error("there is no option %s before a command; "
				"linnet help lists them",
		    word);
	return EX_USAGE;
}

/* Puts an option down, with the value that follows it. */
static int
args_give(struct reading *r, const struct cli_option *o, const char *value)
{
	struct cli *c = r->c;

	if (o->arg == NULL && value != NULL) {
		cli_print_error("--%s takes no value", o->name);
		return EX_USAGE;
	}
	if (o->arg != NULL && value == NULL) {
		if (r->at + 1 >= r->argc) {
			cli_print_error("--%s wants a %s", o->name, o->arg);
			return EX_USAGE;
		}
		value = r->argv[++r->at];
	}
	if (c->ngiven == CLI_OPTIONS_MAX) {
		cli_print_error(
		    "there are more than %d options", CLI_OPTIONS_MAX);
		return EX_USAGE;
	}
	c->given[c->ngiven].option = o;
	c->given[c->ngiven++].value = value != NULL ? value : "";
	return 0;
}

static int
args_long(struct reading *r, const char *word)
{
	const char *name = word + 2, *value = strchr(name, '=');
	size_t n = value != NULL ? (size_t)(value - name) : strlen(name);
	const struct cli_option *o = args_option(args_own(r), name, n);

	if (o == NULL)
		o = args_option(r->globals, name, n);
	if (o == NULL)
		return args_no_option(r, word);
	return args_give(r, o, value != NULL ? value + 1 : NULL);
}

/* -jq, -mslug, -m slug */
static int
args_short(struct reading *r, const char *word)
{
	const struct cli_option *o;
	const char *p;
	int status;

	for (p = word + 1; *p != '\0'; p++) {
		if ((o = args_letter(args_own(r), *p)) == NULL &&
		    (o = args_letter(r->globals, *p)) == NULL)
			return args_no_option(r, word);
		if (o->arg != NULL)
			return args_give(r, o, p[1] != '\0' ? p + 1 : NULL);
		if ((status = args_give(r, o, NULL)) != 0)
			return status;
	}
	return 0;
}

static bool
args_is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0' &&
	       strpbrk(word, " \t\n") == NULL;
}

/* A word that is no option: of the command's name, or an argument. */
static void
args_word(struct reading *r, char *word)
{
	struct cli *c = r->c;
	int taken;

	if (c->command != NULL) {
		c->argv[c->argc++] = word;
		return;
	}
	if (r->nwords < 2)
		r->words[r->nwords++] = word;
	c->command = args_match(r->commands, r->words, r->nwords, &taken);
}

/* Is this the first word of names that have two? */
static bool
args_begins(const struct reading *r)
{
	const struct cli_command *m;
	size_t n = strlen(r->words[0]);

	for (m = r->commands; m->name != NULL; m++)
		if (strncmp(m->name, r->words[0], n) == 0 && m->name[n] == ' ')
			return true;
	return false;
}

int
cli_args_read(struct cli *c, int argc, char **argv,
    const struct cli_command *commands, const struct cli_option *globals)
{
	struct reading r = { .c = c,
		.commands = commands,
		.globals = globals,
		.argv = argv,
		.argc = argc };
	bool words = false;
	int status = 0;

	c->argv = pool_alloc(&c->pool, (size_t)(argc + 1) * sizeof(*c->argv));
	for (r.at = 1; r.at < argc; r.at++) {
		char *word = argv[r.at];

		if (!words && strcmp(word, "--") == 0) {
			words = true;
			continue;
		}
		if (!words && args_is_option(word)) {
			status = word[1] == '-' ? args_long(&r, word)
						: args_short(&r, word);
			if (status != 0)
				return status;
			continue;
		}
		args_word(&r, word);
		if (c->command == NULL && (r.nwords == 2 || !args_begins(&r)))
			break;
	}
	if (c->command == NULL && r.nwords > 0) {
		args_unknown(commands, r.words, r.nwords);
		return EX_USAGE;
	}
	return 0;
}

static const char *
args_bad_text(int *status, int why, const char *text)
{
	*status = why;
	cli_print_error("%s", text);
	return NULL;
}

static const char *
args_stdin(struct cli *c, size_t *len, int *status)
{
	struct buf b;
	const char *s;
	char *room;
	ssize_t n;

	buf_init(&b, ARGS_TEXT_MAX);
	do {
		if ((room = buf_reserve(&b, 4096)) == NULL) {
			buf_free(&b);
			return args_bad_text(status, EX_DATAERR,
			    "what comes from standard input is too long");
		}
		n = read(STDIN_FILENO, room, 4096);
		if (n > 0)
			b.len += (size_t)n;
	} while (n > 0 || (n == -1 && errno == EINTR));
	if (n == -1) {
		cli_print_error("standard input: %s", strerror(errno));
		buf_free(&b);
		*status = EX_NOINPUT;
		return NULL;
	}
	if (b.len > 0 && b.data[b.len - 1] == '\n')
		b.len--;
	*len = b.len;
	s = pool_strndup(&c->pool, b.len > 0 ? b.data : "", b.len);
	buf_free(&b);
	return s;
}

const char *
cli_args_text(struct cli *c, int n, size_t *len, int *status)
{
	bool dash = c->argc == n + 1 && strcmp(c->argv[n], "-") == 0;
	const char *s;
	struct buf b;

	if (dash || c->argc <= n) {
		if (!dash && isatty(STDIN_FILENO) == 1)
			return args_bad_text(status, EX_USAGE,
			    "there is no text; give it as an argument, or - "
			    "and type it");
		if ((s = args_stdin(c, len, status)) == NULL)
			return NULL;
	} else {
		buf_init(&b, ARGS_TEXT_MAX);
		for (; n < c->argc; n++) {
			buf_adds(&b, c->argv[n]);
			if (n + 1 < c->argc)
				buf_addc(&b, ' ');
		}
		*len = b.len;
		s = b.failed ? NULL
			     : pool_strndup(
				   &c->pool, b.len > 0 ? b.data : "", b.len);
		buf_free(&b);
		if (s == NULL)
			return args_bad_text(
			    status, EX_DATAERR, "the text is too long");
	}
	if (*len == 0)
		return args_bad_text(
		    status, EX_NOINPUT, "the text is empty; nothing was done");
	if (!str_utf8(s, *len) || memchr(s, '\0', *len) != NULL)
		return args_bad_text(
		    status, EX_DATAERR, "the text is not UTF-8");
	return s;
}

int64_t
cli_args_time(const char *option, const char *value)
{
	const char *wrong;
	int64_t ms;

	if ((wrong = str_duration(value, &ms)) != NULL) {
		cli_print_error("--%s %s %s; it looks like 30s or 5m", option,
		    value, wrong);
		return -1;
	}
	return ms;
}
