/* SPDX-License-Identifier: ISC */
/*
 * Command lines, read by a table of commands.  Options may stand anywhere
 * before a lone --, so which word is the command is known only while reading:
 * options of the program are recognised everywhere, options of the command
 * after it.  A word that begins with - and holds a blank, or goes on with a
 * digit, is text.
 *
 * Arguments are moved to the front of argv, where they were read already.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/base.h"

#define READ_NEAR_MAX 128 /* names that an unknown one is compared with */

struct reading {
	struct usage_line *line;
	char **argv;
	int argc;
	int at;
	char *name[2]; /* words of the command's name */
	int nname;
};

static int read_wrong(struct usage_line *l, int status, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

static int
read_wrong(struct usage_line *l, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->error, sizeof(l->error), fmt, ap);
	va_end(ap);
	return status;
}

/* How many of the words the command's name is; 0: another. */
static int
read_match(const struct usage_command *m, char *const *words, int n)
{
	const char *second = strchr(m->name, ' ');
	size_t len =
	    second != NULL ? (size_t)(second - m->name) : strlen(m->name);

	if (n < 1)
		return 0;
	if (m->alias != NULL && strcmp(m->alias, words[0]) == 0)
		return 1;
	if (strlen(words[0]) != len || memcmp(m->name, words[0], len) != 0)
		return 0;
	if (second == NULL)
		return 1;
	return n > 1 && strcmp(second + 1, words[1]) == 0 ? 2 : 0;
}

const struct usage_command *
usage_find(const struct usage *u, char *const *words, int n)
{
	const struct usage_command *m;

	for (m = u->commands; m->name != NULL; m++)
		if (read_match(m, words, n) != 0)
			return m;
	return NULL;
}

/* Second words of the commands that begin with this one. */
static void
read_seconds(const struct usage *u, const char *first, struct buf *b)
{
	const struct usage_command *m;
	size_t n = strlen(first);

	for (m = u->commands; m->name != NULL; m++)
		if (strncmp(m->name, first, n) == 0 && m->name[n] == ' ')
			buf_addf(
			    b, "%s%s", b->len > 0 ? ", " : "", m->name + n + 1);
}

/* Of a word that commands begin with: what follows it; false: none does. */
static bool
read_half(struct usage_line *l, char *const *words, int n)
{
	struct buf b;
	bool half;

	buf_init(&b, sizeof(l->error));
	read_seconds(l->usage, words[0], &b);
	half = b.len > 0 && buf_str(&b) != NULL;
	if (half && n == 1)
		(void)read_wrong(l, EX_USAGE, "%s wants one more word: %s",
		    words[0], buf_str(&b));
	else if (half)
		(void)read_wrong(l, EX_USAGE,
		    "there is no command \"%s %s\"; %s wants one of: %s",
		    words[0], words[1], words[0], buf_str(&b));
	buf_free(&b);
	return half;
}

int
usage_unknown(struct usage_line *l, char *const *words, int n)
{
	const char *names[READ_NEAR_MAX + 1], *near, *program;
	const struct usage_command *m;
	char said[256];
	size_t count = 0;

	program = l->usage->program;
	if (n == 1 && read_half(l, words, n))
		return EX_USAGE;
	for (m = l->usage->commands; m->name != NULL; m++)
		if (count < READ_NEAR_MAX)
			names[count++] = m->name;
	names[count] = NULL;
	snprintf(said, sizeof(said), "%s%s%s", words[0], n > 1 ? " " : "",
	    n > 1 ? words[1] : "");
	if ((near = str_nearest(said, names)) == NULL) {
		if (n > 1 && read_half(l, words, n))
			return EX_USAGE;
		near = str_nearest(words[0], names);
		snprintf(said, sizeof(said), "%s", words[0]);
	}
	if (near != NULL)
		return read_wrong(l, EX_USAGE,
		    "there is no command \"%s\"; did you mean \"%s\"?", said,
		    near);
	return read_wrong(l, EX_USAGE,
	    "there is no command \"%s\"; %s help lists them", words[0],
	    program);
}

static const struct usage_option *
read_option(const struct usage_option *o, const char *name, size_t n)
{
	for (; o != NULL && o->name != NULL; o++)
		if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
			return o;
	return NULL;
}

static const struct usage_option *
read_letter(const struct usage_option *o, char letter)
{
	for (; o != NULL && o->name != NULL; o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

static const struct usage_option *
read_own(const struct usage_line *l)
{
	return l->command != NULL ? l->command->options : NULL;
}

static size_t
read_names(const struct usage_option *o, const char **names, size_t n)
{
	for (; o != NULL && o->name != NULL && n < READ_NEAR_MAX; o++)
		if (o->text != NULL)
			names[n++] = o->name;
	return n;
}

static int
read_no_option(struct usage_line *l, const char *word)
{
	const char *names[READ_NEAR_MAX + 1], *near = NULL;
	char said[64];
	size_t n;

	snprintf(said, sizeof(said), "%.*s", (int)strcspn(word, "="), word);
	n = read_names(l->usage->options, names, 0);
	n = read_names(read_own(l), names, n);
	names[n] = NULL;
	if (word[1] == '-')
		near = str_nearest(said + 2, names);
	if (near != NULL)
		return read_wrong(l, EX_USAGE,
		    "there is no option %s; did you mean --%s?", said, near);
	if (l->command != NULL)
		return read_wrong(l, EX_USAGE,
		    "%s has no option %s; %s help %s lists its options, and "
		    "what is none stands behind --",
		    l->command->name, said, l->usage->program,
		    l->command->name);
	return read_wrong(l, EX_USAGE,
	    "there is no option %s before a command; %s help lists those of "
	    "all commands",
	    said, l->usage->program);
}

/* Puts an option down, with the value that follows it. */
static int
read_give(struct reading *r, const struct usage_option *o, const char *value)
{
	struct usage_line *l = r->line;

	if (o->arg == NULL && value != NULL)
		return read_wrong(l, EX_USAGE, "--%s takes no value", o->name);
	if (o->arg != NULL && value == NULL) {
		if (r->at + 1 >= r->argc)
			return read_wrong(l, EX_USAGE, "--%s wants a value: %s",
			    o->name, o->arg);
		value = r->argv[++r->at];
	}
	if (l->ngiven == USAGE_GIVEN_MAX)
		return read_wrong(l, EX_USAGE, "there are more than %d options",
		    USAGE_GIVEN_MAX);
	l->given[l->ngiven].option = o;
	l->given[l->ngiven++].value = value != NULL ? value : "";
	return 0;
}

static int
read_long(struct reading *r, const char *word)
{
	const char *name = word + 2, *value = strchr(name, '=');
	size_t n = value != NULL ? (size_t)(value - name) : strlen(name);
	const struct usage_option *o = read_option(read_own(r->line), name, n);

	if (o == NULL)
		o = read_option(r->line->usage->options, name, n);
	if (o == NULL)
		return read_no_option(r->line, word);
	return read_give(r, o, value != NULL ? value + 1 : NULL);
}

/* -jq, -mslug, -m slug */
static int
read_short(struct reading *r, const char *word)
{
	const struct usage_option *o;
	const char *p;
	int status;

	for (p = word + 1; *p != '\0'; p++) {
		if ((o = read_letter(read_own(r->line), *p)) == NULL &&
		    (o = read_letter(r->line->usage->options, *p)) == NULL)
			return read_no_option(r->line, word);
		if (o->arg != NULL)
			return read_give(r, o, p[1] != '\0' ? p + 1 : NULL);
		if ((status = read_give(r, o, NULL)) != 0)
			return status;
	}
	return 0;
}

static bool
read_is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0' &&
	       strchr("0123456789", word[1]) == NULL &&
	       strpbrk(word, " \t\n") == NULL;
}

/* A word that is no option: of the command's name, or an argument. */
static int
read_word(struct reading *r, char *word)
{
	struct usage_line *l = r->line;
	struct buf b;
	bool more;

	if (l->command != NULL) {
		l->words[l->nwords++] = word;
		return 0;
	}
	r->name[r->nname++] = word;
	l->command = usage_find(l->usage, r->name, r->nname);
	if (l->command != NULL)
		return 0;
	buf_init(&b, sizeof(l->error));
	read_seconds(l->usage, r->name[0], &b);
	more = r->nname == 1 && b.len > 0;
	buf_free(&b);
	if (more)
		return 0;
	/* What follows may tell which command was meant. */
	if (r->nname == 1 && r->at + 1 < r->argc)
		r->name[r->nname++] = r->argv[r->at + 1];
	return usage_unknown(l, r->name, r->nname);
}

int
usage_read(struct usage_line *l, const struct usage *u, int argc, char **argv)
{
	struct reading r = { .line = l, .argv = argv, .argc = argc };
	bool words = false;
	int status = 0;

	memset(l, 0, sizeof(*l));
	l->usage = u;
	l->words = argv;
	for (r.at = 1; r.at < argc && status == 0; r.at++) {
		char *word = argv[r.at];

		if (!words && strcmp(word, "--") == 0)
			words = true;
		else if (words || !read_is_option(word))
			status = read_word(&r, word);
		else if (word[1] == '-')
			status = read_long(&r, word);
		else
			status = read_short(&r, word);
	}
	if (status == 0 && l->command == NULL && r.nname > 0 &&
	    usage_given(l, "help") == NULL)
		status = usage_unknown(l, r.name, r.nname);
	return status;
}

/* The next word of "a [b ...]", without brackets. */
static struct slice
read_spec(const char **args)
{
	const char *p = *args + strspn(*args, " []");
	size_t n = strcspn(p, " []");

	*args = p + n;
	return (struct slice){ p, n };
}

/* How many arguments there may be; *max is -1 without an end. */
static void
read_arity(const char *args, int *min, int *max)
{
	const char *bracket = strchr(args, '[');
	struct slice s;

	*min = *max = 0;
	while ((s = read_spec(&args)).n > 0) {
		if (s.n == 3 && memcmp(s.p, "...", 3) == 0) {
			*max = -1;
			return;
		}
		*max += 1;
		if (bracket == NULL || s.p < bracket)
			*min += 1;
	}
}

/* Is the text one of those that "a|b" allows? */
static bool
read_allows(const char *arg, const char *text)
{
	struct slice s;
	size_t i;

	for (i = 0; (s = usage_choice(arg, i)).p != NULL; i++)
		if (strlen(text) == s.n && memcmp(s.p, text, s.n) == 0)
			return true;
	return i == 0;
}

static int
read_check_words(struct usage_line *l)
{
	const char *args = l->command->args;
	struct slice s = { NULL, 0 }, next;
	char arg[128];
	int i;

	for (i = 0; i < l->nwords; i++) {
		if (!str_utf8(l->words[i], strlen(l->words[i])))
			return read_wrong(
			    l, EX_DATAERR, "an argument is not UTF-8");
		next = read_spec(&args);
		if (next.n > 0 && *next.p != '.')
			s = next;
		snprintf(arg, sizeof(arg), "%.*s", (int)s.n, s.p);
		if (!read_allows(arg, l->words[i]))
			return read_wrong(l, EX_USAGE, "\"%s\" is none of %s",
			    l->words[i], arg);
	}
	return 0;
}

int
usage_check(struct usage_line *l)
{
	const struct usage_command *m = l->command;
	int min, max;
	size_t i;

	read_arity(m->args, &min, &max);
	if (l->nwords < min || (max >= 0 && l->nwords > max))
		return read_wrong(l, EX_USAGE, "%s; usage: %s %s%s%s",
		    l->nwords < min ? "something is missing"
				    : "there is too much",
		    l->usage->program, m->name, m->args[0] != '\0' ? " " : "",
		    m->args);
	for (i = 0; i < l->ngiven; i++) {
		const struct usage_option *o = l->given[i].option;
		const char *value = l->given[i].value;

		if (!read_allows(o->arg, value))
			return read_wrong(l, EX_USAGE,
			    "--%s \"%s\" is none of %s", o->name, value,
			    o->arg);
		/* The name of a file need not be text. */
		if ((o->arg == NULL || strcmp(o->arg, "file") != 0) &&
		    !str_utf8(value, strlen(value)))
			return read_wrong(l, EX_DATAERR,
			    "the value of --%s is not UTF-8", o->name);
	}
	return read_check_words(l);
}

const char *
usage_given(const struct usage_line *l, const char *name)
{
	size_t i;

	for (i = l->ngiven; i-- > 0;)
		if (strcmp(l->given[i].option->name, name) == 0)
			return l->given[i].value;
	return NULL;
}
