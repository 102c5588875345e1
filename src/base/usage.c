/* SPDX-License-Identifier: ISC */
/*
 * Help and manual from a table of commands.  What begins with a capital in the
 * one does so in the other: the texts are the table's, word for word.
 */
#include <stdio.h>
#include <string.h>

#include "base/base.h"

#define USAGE_LEFT 26  /* columns of names, before their texts */
#define USAGE_WIDTH 80 /* of a line */

struct slice
usage_choice(const char *arg, size_t n)
{
	size_t len;

	if (arg == NULL || strchr(arg, '|') == NULL)
		return (struct slice){ NULL, 0 };
	for (;;) {
		len = strcspn(arg, "|");
		if (n-- == 0)
			return (struct slice){ arg, len };
		if (arg[len] == '\0')
			return (struct slice){ NULL, 0 };
		arg += len + 1;
	}
}

static bool
usage_is_told(const struct usage_option *o)
{
	return o->text != NULL;
}

static bool
usage_any_told(const struct usage_option *o)
{
	for (; o->name != NULL; o++)
		if (usage_is_told(o))
			return true;
	return false;
}

/* Words of a text, in lines that are indented by so many columns. */
static void
usage_wrap(struct buf *b, const char *s, size_t indent)
{
	size_t at = indent, n;

	for (; *s != '\0'; s += n) {
		s += strspn(s, " ");
		n = strcspn(s, " ");
		if (at > indent && at + 1 + n > USAGE_WIDTH) {
			buf_addf(b, "\n%*s", (int)indent, "");
			at = indent;
		}
		buf_addf(b, "%s%.*s", at > indent ? " " : "", (int)n, s);
		at += n + (at > indent);
	}
	buf_addc(b, '\n');
}

/* A name and its text; a long name has a line of its own. */
static void
usage_line(struct buf *b, const char *left, const char *text)
{
	if (strlen(left) < USAGE_LEFT - 2)
		buf_addf(b, "  %-*s", USAGE_LEFT - 2, left);
	else
		buf_addf(b, "  %s\n%*s", left, USAGE_LEFT, "");
	usage_wrap(b, text, USAGE_LEFT);
}

static void
usage_options(const struct usage_option *o, struct buf *b)
{
	char left[128];
	size_t n;

	for (; o->name != NULL; o++) {
		if (!usage_is_told(o))
			continue;
		n = 0;
		if (o->letter != 0)
			n = (size_t)snprintf(
			    left, sizeof(left), "-%c, ", o->letter);
		snprintf(left + n, sizeof(left) - n, "--%s%s%s", o->name,
		    o->arg != NULL ? " " : "", o->arg != NULL ? o->arg : "");
		usage_line(b, left, o->text);
	}
}

void
usage_help(const struct usage *u, struct buf *b)
{
	const struct usage_command *m;
	char left[128];

	buf_addf(
	    b, "usage: %s [option ...] command [argument ...]\n\n", u->program);
	for (m = u->commands; m->name != NULL; m++) {
		snprintf(left, sizeof(left), "%s %s", m->name, m->args);
		usage_line(b, left, m->text);
	}
	buf_addc(b, '\n');
	usage_options(u->options, b);
	buf_addf(b, "\n%s help COMMAND says more; so does %s.\n", u->program,
	    u->manual);
}

void
usage_help_of(
    const struct usage *u, const struct usage_command *m, struct buf *b)
{
	bool options = usage_any_told(m->options);

	buf_addf(b, "usage: %s %s%s%s%s\n\n", u->program, m->name,
	    options ? " [option ...]" : "", m->args[0] != '\0' ? " " : "",
	    m->args);
	usage_wrap(b, m->text, 0);
	if (m->more != NULL)
		usage_wrap(b, m->more, 0);
	if (m->alias != NULL)
		buf_addf(b, "Also called: %s\n", m->alias);
	if (options) {
		buf_addc(b, '\n');
		usage_options(m->options, b);
	}
}

bool
usage_help_words(
    const struct usage *u, char *const *words, int n, struct buf *b)
{
	const struct usage_command *m;
	size_t len = strlen(words[0]);
	bool any = false;

	if (n > 1 && (m = usage_find(u, words, n)) != NULL) {
		usage_help_of(u, m, b);
		return true;
	}
	for (m = u->commands; n == 1 && m->name != NULL; m++) {
		if ((strncmp(m->name, words[0], len) != 0 ||
			(m->name[len] != '\0' && m->name[len] != ' ')) &&
		    (m->alias == NULL || strcmp(m->alias, words[0]) != 0))
			continue;
		if (any)
			buf_addc(b, '\n');
		usage_help_of(u, m, b);
		any = true;
	}
	return any;
}

/* Prose of mdoc(7): a sentence a line, and nothing that is taken for a macro
 * or an escape. */
static void
usage_mdoc_text(struct buf *b, const char *s)
{
	bool start = true;

	for (; *s != '\0'; s++) {
		if (start && (*s == '.' || *s == '\''))
			buf_adds(b, "\\&");
		start = false;
		if (*s == '\\')
			buf_adds(b, "\\e");
		else if (s[0] == '.' && s[1] == ' ') {
			buf_adds(b, ".\n");
			s++;
			start = true;
		} else
			buf_addc(b, *s);
	}
	buf_addc(b, '\n');
}

/* "a|b" with spaces between. */
static void
usage_mdoc_word(struct buf *b, const char *s, size_t n)
{
	buf_adds(b, " Ar ");
	for (; n > 0; n--, s++)
		if (*s == '|')
			buf_adds(b, " | ");
		else
			buf_addc(b, *s);
}

/* "mesh [text ...]": what is in brackets may be missing. */
static void
usage_mdoc_args(struct buf *b, const char *p)
{
	bool open = false;
	size_t n;

	while (*p != '\0') {
		if (*p == ' ') {
			p++;
		} else if (*p == '[') {
			buf_adds(b, " Oo");
			open = true;
			p++;
		} else if (*p == ']') {
			buf_adds(b, " Oc");
			open = false;
			p++;
		} else {
			n = strcspn(p, open ? "]" : " [");
			usage_mdoc_word(b, p, n);
			p += n;
		}
	}
}

static void
usage_mdoc_options(struct buf *b, const struct usage_option *o)
{
	if (!usage_any_told(o))
		return;
	buf_adds(b, ".Bl -tag -width Ds\n");
	for (; o->name != NULL; o++) {
		if (!usage_is_told(o))
			continue;
		buf_adds(b, ".It");
		if (o->letter != 0)
			buf_addf(b, " Fl %c ,", o->letter);
		buf_addf(b, " Fl -%s", o->name);
		if (o->arg != NULL)
			usage_mdoc_word(b, o->arg, strlen(o->arg));
		buf_addc(b, '\n');
		usage_mdoc_text(b, o->text);
	}
	buf_adds(b, ".El\n");
}

void
usage_mdoc(const struct usage *u, struct buf *b)
{
	const struct usage_command *m;

	buf_adds(b,
	    ".Sh OPTIONS\nThey stand before the command or after it.\n"
	    "A word that begins with - and is none stands behind --.\n");
	usage_mdoc_options(b, u->options);
	buf_adds(b, ".Sh COMMANDS\n.Bl -tag -width Ds\n");
	for (m = u->commands; m->name != NULL; m++) {
		buf_addf(b, ".It Ic %s", m->name);
		usage_mdoc_args(b, m->args);
		buf_addc(b, '\n');
		usage_mdoc_text(b, m->text);
		if (m->more != NULL)
			usage_mdoc_text(b, m->more);
		if (m->alias != NULL)
			buf_addf(b, "Also called\n.Ic %s .\n", m->alias);
		usage_mdoc_options(b, m->options);
	}
	buf_adds(b, ".El\n");
}
