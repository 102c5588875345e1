/* SPDX-License-Identifier: ISC */
/*
 * The command line.  getopt_long(3) knows the options of all commands; whether
 * one belongs to the command that was said is looked at when that is known, as
 * options may stand before it.  So two commands may not differ in whether an
 * option of one name has an argument.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config.h"
#include "ctl/ctl.h"

#define ARGS_OPTIONS_MAX 128
#define ARGS_FIRST 1000 /* what getopt_long(3) returns of the first one */

/* Every option that there is, once. */
struct args_options {
	const struct usage_option *v[ARGS_OPTIONS_MAX];
	size_t n;
};

static void
args_add(struct args_options *all, const struct usage_option *o)
{
	size_t i;

	for (; o->name != NULL; o++) {
		for (i = 0; i < all->n; i++)
			if (strcmp(all->v[i]->name, o->name) == 0)
				break;
		if (i < all->n)
			continue;
		if (all->n == ARGS_OPTIONS_MAX)
			fatalx("too many options");
		all->v[all->n++] = o;
	}
}

static const struct usage_option *
args_option(const struct usage_option *o, const char *name)
{
	for (; o->name != NULL; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

/* Only options of all commands have letters. */
static const struct usage_option *
args_letter(char letter)
{
	const struct usage_option *o;

	for (o = table_globals; o->name != NULL; o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

static void
args_help(FILE *f, const struct ctl_command *k)
{
	const struct usage *u = table_usage();
	struct buf b;

	buf_init(&b, 1u << 20);
	if (k != NULL)
		usage_help_of(u, &u->commands[k - table_commands], &b);
	else
		usage_help(u, &b);
	fwrite(b.data, 1, b.len, f);
	buf_free(&b);
}

/* How many words of the command line the command's name takes; 0: another. */
static int
args_match(const struct ctl_command *k, char **words, int n)
{
	const char *second = strchr(k->name, ' ');
	size_t len =
	    second != NULL ? (size_t)(second - k->name) : strlen(k->name);

	if (n < 1 || strlen(words[0]) != len ||
	    strncmp(k->name, words[0], len) != 0)
		return 0;
	if (second == NULL)
		return 1;
	return n > 1 && strcmp(second + 1, words[1]) == 0 ? 2 : 0;
}

static void __attribute__((noreturn)) args_unknown(char **words, int n)
{
	const char *names[ARGS_OPTIONS_MAX], *near;
	const struct ctl_command *k;
	size_t count = 0, len = strlen(words[0]);
	char said[256];
	struct buf b;

	buf_init(&b, 4096);
	for (k = table_commands; k->name != NULL; k++) {
		if (count + 1 < NELEM(names))
			names[count++] = k->name;
		if (strncmp(k->name, words[0], len) == 0 && k->name[len] == ' ')
			buf_addf(&b, "%s%s", b.len > 0 ? ", " : "",
			    k->name + len + 1);
	}
	names[count] = NULL;
	snprintf(said, sizeof(said), "%s%s%s", words[0], n > 1 ? " " : "",
	    n > 1 ? words[1] : "");
	near = str_nearest(said, names);
	if (near == NULL)
		near = str_nearest(words[0], names);
	if (n == 1 && b.len > 0)
		ctl_fail(EX_USAGE, "%s wants one more word: %s", words[0],
		    buf_str(&b));
	if (near != NULL)
		ctl_fail(EX_USAGE,
		    "there is no command \"%s\"; did you mean \"%s\"?", said,
		    near);
	ctl_fail(EX_USAGE,
	    "there is no command \"%s\"; linnetctl help lists them", said);
}

static void
args_command(struct ctl *c, char **words, int n)
{
	const struct ctl_command *k;
	int taken;

	if (n == 0)
		return;
	for (k = table_commands; k->name != NULL; k++) {
		if ((taken = args_match(k, words, n)) == 0)
			continue;
		c->command = k;
		c->args = words + taken;
		c->nargs = n - taken;
		return;
	}
	args_unknown(words, n);
}

/* Is the text one of those that "a|b" allows? */
static void
args_check_choice(const char *what, const char *arg, const char *text)
{
	struct slice s;
	size_t i;

	for (i = 0; (s = usage_choice(arg, i)).p != NULL; i++)
		if (strlen(text) == s.n && memcmp(s.p, text, s.n) == 0)
			return;
	if (i > 0)
		ctl_fail(EX_USAGE, "%s\"%s\" is none of %s", what, text, arg);
}

/* What was given must be of this command, and text. */
static void
args_check(struct ctl *c)
{
	const struct ctl_command *k = c->command;
	char what[128], arg[128];
	const char *p;
	size_t i, n;
	int a;

	if (c->nargs < k->min || c->nargs > k->max)
		ctl_fail(EX_USAGE, "%s; usage: linnetctl %s%s%s",
		    c->nargs < k->min ? "something is missing"
				      : "there is too much",
		    k->name, *k->args != '\0' ? " " : "", k->args);
	for (i = 0; i < c->ngiven; i++) {
		const struct usage_option *o = c->given[i].option;

		if (args_option(k->options, o->name) == NULL &&
		    args_option(table_globals, o->name) == NULL)
			ctl_fail(EX_USAGE,
			    "%s has no option --%s; linnetctl help %s lists "
			    "its options",
			    k->name, o->name, k->name);
		snprintf(what, sizeof(what), "--%s ", o->name);
		args_check_choice(what, o->arg, c->given[i].value);
	}
	p = k->args;
	for (a = 0; a < c->nargs; a++, p += n) {
		if (!str_utf8(c->args[a], strlen(c->args[a])))
			ctl_fail(EX_DATAERR, "an argument is not UTF-8");
		p += strspn(p, " []");
		n = strcspn(p, " []");
		snprintf(arg, sizeof(arg), "%.*s", (int)n, p);
		args_check_choice("", arg, c->args[a]);
	}
}

static void
args_give(struct ctl *c, const struct usage_option *o)
{
	if (c->ngiven == CTL_OPTIONS_MAX)
		ctl_fail(EX_USAGE, "there are more than %d options",
		    CTL_OPTIONS_MAX);
	c->given[c->ngiven].option = o;
	c->given[c->ngiven++].value = o->arg != NULL ? optarg : "";
}

static void
args_options(struct ctl *c, int argc, char **argv)
{
	static struct option longs[ARGS_OPTIONS_MAX + 1];
	struct args_options all = { .n = 0 };
	const struct ctl_command *k;
	const struct usage_option *o;
	size_t i;
	int opt;

	opterr = 0;
	args_add(&all, table_globals);
	for (k = table_commands; k->name != NULL; k++)
		args_add(&all, k->options);
	for (i = 0; i < all.n; i++)
		longs[i] = (struct option){ all.v[i]->name,
			all.v[i]->arg != NULL, NULL, ARGS_FIRST + (int)i };
	while ((opt = getopt_long(argc, argv, ":c:hjo:V", longs, NULL)) != -1) {
		if (opt >= ARGS_FIRST)
			o = all.v[opt - ARGS_FIRST];
		else if (opt == '?' || opt == ':')
			ctl_fail(EX_USAGE,
			    opt == '?' ? "there is no option %s; linnetctl "
					 "help lists them"
				       : "%s wants a value; linnetctl help "
					 "says which",
			    argv[optind - 1]);
		else
			o = args_letter((char)opt);
		args_give(c, o);
	}
}

void
ctl_args_read(struct ctl *c, int argc, char **argv)
{
	args_options(c, argc, argv);
	if (ctl_given(c, "version") != NULL) {
		printf("linnetctl %s\n", PACKAGE_VERSION);
		exit(0);
	}
	args_command(c, argv + optind, argc - optind);
	if (ctl_given(c, "help") != NULL || c->command == NULL) {
		args_help(
		    ctl_given(c, "help") != NULL ? stdout : stderr, c->command);
		exit(ctl_given(c, "help") != NULL ? 0 : EX_USAGE);
	}
	args_check(c);
	c->json = ctl_given(c, "json") != NULL;
}

const char *
ctl_given(const struct ctl *c, const char *name)
{
	size_t i;

	for (i = c->ngiven; i-- > 0;)
		if (strcmp(c->given[i].option->name, name) == 0)
			return c->given[i].value;
	return NULL;
}

int64_t
ctl_given_num(const struct ctl *c, const char *name, int64_t min, int64_t max,
    int64_t otherwise)
{
	const char *text = ctl_given(c, name), *wrong;
	int64_t v = otherwise;

	if (text != NULL && (wrong = str_num(text, min, max, &v)) != NULL)
		ctl_fail(EX_USAGE, "--%s \"%s\" %s; it is from %lld to %lld",
		    name, text, wrong, (long long)min, (long long)max);
	return v;
}

int64_t
ctl_given_time(
    const struct ctl *c, const char *name, int64_t min, int64_t otherwise)
{
	const char *text = ctl_given(c, name), *wrong;
	int64_t v = otherwise;
	char least[32];

	if (text == NULL)
		return v;
	if ((wrong = str_duration(text, &v)) != NULL)
		ctl_fail(EX_USAGE, "--%s \"%s\" %s; it looks like 30s or 7d",
		    name, text, wrong);
	if (v < min) {
		str_print_duration(least, min);
		ctl_fail(EX_USAGE, "--%s is too short; it is at least %s", name,
		    least);
	}
	return v;
}

void
ctl_confirm(const struct ctl *c, const char *word, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	if (ctl_given(c, "yes") != NULL)
		return;
	fputs("linnetctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	if (isatty(STDIN_FILENO) != 1)
		ctl_fail(EX_USAGE, "nobody can be asked here; nothing was "
				   "done, add --yes to do it");
	fprintf(stderr, "Type %s to do it: ", word);
	if (fgets(line, sizeof(line), stdin) == NULL)
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (strcmp(line, word) != 0)
		ctl_fail(EX_TEMPFAIL, "nothing was done");
}
