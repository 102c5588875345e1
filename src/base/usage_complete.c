/* SPDX-License-Identifier: ISC */
/*
 * Completion of command lines from a table of commands.
 *
 * The three scripts do the same: they sort the words before the cursor into
 * options and others, of which the first two say where on the command line one
 * is ("mesh create", "mesh " before the second word, " " before the first), and
 * offer what the table has for that place.  An option that has an argument has
 * it wherever its name stands, so two commands may not differ in that.
 */
#include <string.h>

#include "base/base.h"

#define COMPLETE_FILE "file" /* an argument that names one */
#define COMPLETE_ARGUMENTS 4 /* that are looked at */

/* The pattern of the first two words when this command was said; a command of
 * one word has any word, or none, behind it. */
static void
complete_at(struct buf *b, const struct usage_command *m)
{
	buf_addf(b, strchr(m->name, ' ') != NULL ? "'%s'" : "'%s '*", m->name);
}

/* Is this command the first of those that begin with its first word? */
static bool
complete_is_first(const struct usage *u, const struct usage_command *m)
{
	size_t n = strcspn(m->name, " ");
	const struct usage_command *before;

	for (before = u->commands; before != m; before++)
		if (strncmp(before->name, m->name, n) == 0 &&
		    before->name[n] == ' ')
			return false;
	return true;
}

static struct slice
complete_first(const struct usage_command *m)
{
	return (struct slice){ m->name, strcspn(m->name, " ") };
}

/* Are both of two words, of which the first is the same? */
static bool
complete_shares(const struct usage_command *a, const struct usage_command *b)
{
	struct slice x = complete_first(a), y = complete_first(b);

	return x.n == y.n && memcmp(x.p, y.p, x.n) == 0 &&
	       a->name[x.n] == ' ' && b->name[y.n] == ' ';
}

/* The first sentence, for between quotes, without its full stop; backslashes
 * before the characters of `special`. */
static void
complete_text(struct buf *b, const char *s, const char *special)
{
	for (; *s != '\0' && !(s[0] == '.' && (s[1] == ' ' || s[1] == '\0'));
	     s++) {
		if (*s == '\'')
			buf_adds(b, "'\\''");
		else {
			if (strchr(special, *s) != NULL)
				buf_addc(b, '\\');
			buf_addc(b, *s);
		}
	}
}

/* What a first word of several commands is about. */
static void
complete_seconds(const struct usage *u, const struct usage_command *m,
    struct buf *b, const char *between)
{
	const struct usage_command *o;
	bool any = false;

	for (o = u->commands; o->name != NULL; o++) {
		if (!complete_shares(o, m))
			continue;
		buf_addf(
		    b, "%s%s", any ? between : "", strchr(o->name, ' ') + 1);
		any = true;
	}
}

static void
complete_choices(struct buf *b, const char *arg)
{
	struct slice c;
	size_t i;

	for (i = 0; (c = usage_choice(arg, i)).p != NULL; i++)
		buf_addf(b, "%s" SLICE_FMT, i > 0 ? " " : "", SLICE_ARG(c));
}

/* The nth argument, from 0, when it is one of a few words; else "". */
static const char *
complete_argument(const struct usage_command *m, size_t n, char word[128])
{
	const char *p = m->args;
	size_t len;

	for (;; p += len) {
		p += strspn(p, " []");
		len = strcspn(p, " []");
		if (len == 0)
			return "";
		if (n-- == 0)
			break;
	}
	if (len > 127)
		return "";
	memcpy(word, p, len);
	word[len] = '\0';
	return usage_choice(word, 0).p != NULL ? word : "";
}

/* All options with an argument, as patterns with | between. */
static void
complete_with_argument(
    struct buf *b, const struct usage_option *o, bool *any, const char *between)
{
	for (; o->name != NULL; o++) {
		if (o->arg == NULL || o->text == NULL)
			continue;
		buf_addf(b, "%s--%s", *any ? between : "", o->name);
		if (o->letter != 0)
			buf_addf(b, "%s-%c", between, o->letter);
		*any = true;
	}
}

static void
complete_skip(const struct usage *u, struct buf *b, const char *between)
{
	const struct usage_command *m;
	bool any = false;

	complete_with_argument(b, u->options, &any, between);
	for (m = u->commands; m->name != NULL; m++)
		complete_with_argument(b, m->options, &any, between);
}

/*
 * bash and zsh: a case for the words that may follow, and one for what an
 * option takes.
 */
struct shell {
	const char *open;  /* of a pattern */
	const char *count; /* of the words that are no options */
	const char *prev;  /* the word before */
	bool texts;	   /* shows them beside the words */
};

static const struct shell shell_bash = {
	.open = "",
	.count = "${#said[@]}",
	.prev = "$prev",
};
static const struct shell shell_zsh = {
	.open = "(",
	.count = "$#said",
	.prev = "${words[CURRENT-1]}",
	.texts = true,
};

static void
complete_item(struct buf *b, const struct shell *sh, const char *before,
    struct slice name, const char *text)
{
	buf_addf(b, " '%s" SLICE_FMT, before, SLICE_ARG(name));
	if (sh->texts) {
		buf_addc(b, ':');
		complete_text(b, text, ":\\");
	}
	buf_addc(b, '\'');
}

static void
complete_option_items(
    struct buf *b, const struct shell *sh, const struct usage_option *o)
{
	for (; o->name != NULL; o++)
		if (o->text != NULL)
			complete_item(b, sh, "--",
			    (struct slice){ o->name, strlen(o->name) },
			    o->text);
}

/* The first words, and the second ones of each. */
static void
complete_command_words(
    const struct usage *u, const struct shell *sh, struct buf *b)
{
	const struct usage_command *m, *o;
	struct buf seconds;
	const char *second;

	buf_addf(b, "\t%s' ') list=(", sh->open);
	for (m = u->commands; m->name != NULL; m++) {
		if (!complete_is_first(u, m))
			continue;
		buf_init(&seconds, 4096);
		if (strchr(m->name, ' ') != NULL)
			complete_seconds(u, m, &seconds, ", ");
		complete_item(b, sh, "", complete_first(m),
		    seconds.len > 0 ? buf_str(&seconds) : m->text);
		buf_free(&seconds);
	}
	buf_adds(b, " ) ;;\n");
	for (m = u->commands; m->name != NULL; m++) {
		if (strchr(m->name, ' ') == NULL || !complete_is_first(u, m))
			continue;
		buf_addf(b, "\t%s'" SLICE_FMT " ') list=(", sh->open,
		    SLICE_ARG(complete_first(m)));
		for (o = m; o->name != NULL; o++)
			if (complete_shares(o, m)) {
				second = strchr(o->name, ' ') + 1;
				complete_item(b, sh, "",
				    (struct slice){ second, strlen(second) },
				    o->text);
			}
		buf_adds(b, " ) ;;\n");
	}
}

static void
complete_command_case(
    const struct usage_command *m, const struct shell *sh, struct buf *b)
{
	size_t taken = strchr(m->name, ' ') != NULL ? 2 : 1, i;
	char word[128];
	struct buf say;

	buf_init(&say, 65536);
	if (m->options->name != NULL && m->options->text != NULL) {
		buf_adds(&say, "\t\toptions+=(");
		complete_option_items(&say, sh, m->options);
		buf_adds(&say, " )\n");
	}
	for (i = 0; i < COMPLETE_ARGUMENTS; i++) {
		if (*complete_argument(m, i, word) == '\0')
			continue;
		buf_addf(&say, "\t\t(( %s == %zu )) && list=( ", sh->count,
		    taken + i);
		complete_choices(&say, word);
		buf_adds(&say, " )\n");
	}
	if (say.len > 0) {
		buf_addf(b, "\t%s", sh->open);
		complete_at(b, m);
		buf_addf(b, ")\n%s\t\t;;\n", buf_str(&say));
	}
	buf_free(&say);
}

/* What stands behind the options of a command (NULL: of all). */
static void
complete_values(const struct usage_command *m, const struct usage_option *o,
    const struct shell *sh, struct buf *b)
{
	const char *file = sh->texts ? "_files" : "compopt -o default";

	for (; o->name != NULL; o++) {
		if (o->arg == NULL || o->text == NULL)
			continue;
		buf_addf(b, "\t%s", sh->open);
		if (m == NULL)
			buf_adds(b, "*");
		else
			complete_at(b, m);
		buf_addf(b, "' --%s'", o->name);
		if (m == NULL && o->letter != 0)
			buf_addf(b, " | *' -%c'", o->letter);
		buf_adds(b, ") ");
		if (usage_choice(o->arg, 0).p != NULL) {
			buf_adds(b, "list=( ");
			complete_choices(b, o->arg);
			buf_adds(b, " ) ;;\n");
		} else
			buf_addf(b, "%s%sreturn ;;\n",
			    strcmp(o->arg, COMPLETE_FILE) == 0 ? file : "",
			    strcmp(o->arg, COMPLETE_FILE) == 0 ? "; " : "");
	}
}

static void
complete_cases(const struct usage *u, const struct shell *sh, struct buf *b)
{
	const struct usage_command *m;

	buf_adds(b, "\toptions=(");
	complete_option_items(b, sh, u->options);
	buf_adds(b, " )\n\tcase $at in\n");
	complete_command_words(u, sh, b);
	for (m = u->commands; m->name != NULL; m++)
		complete_command_case(m, sh, b);
	buf_addf(b, "\tesac\n\tcase \"$at %s\" in\n", sh->prev);
	for (m = u->commands; m->name != NULL; m++)
		complete_values(m, m->options, sh, b);
	complete_values(NULL, u->options, sh, b);
	buf_adds(b, "\tesac\n");
}

static void
complete_bash(const struct usage *u, struct buf *b)
{
	buf_addf(b,
	    "# bash completion of %s; made from its table.\n"
	    "_%s()\n{\n"
	    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} i at\n"
	    "\tlocal prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	    "\tlocal -a said list options\n\n"
	    "\tCOMPREPLY=()\n"
	    "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	    "\t\tcase ${COMP_WORDS[i]} in\n\t\t",
	    u->manual, u->program);
	complete_skip(u, b, "|");
	buf_adds(b, ") ((i++)) ;;\n"
		    "\t\t-*) ;;\n"
		    "\t\t*) said+=(\"${COMP_WORDS[i]}\") ;;\n"
		    "\t\tesac\n\tdone\n"
		    "\tat=\"${said[0]} ${said[1]}\"\n");
	complete_cases(u, &shell_bash, b);
	buf_addf(b,
	    "\t[[ $cur == -* ]] && list=(\"${options[@]}\")\n"
	    "\tCOMPREPLY=($(compgen -W \"${list[*]}\" -- \"$cur\"))\n"
	    "}\ncomplete -F _%s %s\n",
	    u->program, u->program);
}

static void
complete_zsh(const struct usage *u, struct buf *b)
{
	buf_addf(b,
	    "#compdef %s\n"
	    "# zsh completion of %s; made from its table.\n"
	    "_%s()\n{\n"
	    "\tlocal -a said list options\n"
	    "\tlocal i at\n\n"
	    "\tfor (( i = 2; i < CURRENT; i++ )); do\n"
	    "\t\tcase ${words[i]} in\n\t\t(",
	    u->program, u->manual, u->program);
	complete_skip(u, b, "|");
	buf_adds(b, ") (( i++ )) ;;\n"
		    "\t\t(-*) ;;\n"
		    "\t\t(*) said+=(\"${words[i]}\") ;;\n"
		    "\t\tesac\n\tdone\n"
		    "\tat=\"${said[1]} ${said[2]}\"\n");
	complete_cases(u, &shell_zsh, b);
	buf_addf(b,
	    "\tif [[ ${words[CURRENT]} == -* ]]; then\n"
	    "\t\t_describe -o option options\n"
	    "\telif (( $#list )); then\n"
	    "\t\t_describe command list\n"
	    "\tfi\n}\n_%s \"$@\"\n",
	    u->program);
}

/*
 * fish: a line for each thing.
 */
static void
complete_fish_at(
    const struct usage *u, struct buf *b, const char *pattern, size_t words)
{
	buf_addf(b, "complete -c %s -n \"__%s_at '%s'", u->program, u->program,
	    pattern);
	if (words > 0)
		buf_addf(b, " %zu", words);
	buf_adds(b, "\" ");
}

static void
complete_fish_option(struct buf *b, const struct usage_option *o)
{
	buf_addf(b, "-l %s", o->name);
	if (o->letter != 0)
		buf_addf(b, " -s %c", o->letter);
	if (o->arg != NULL && strcmp(o->arg, COMPLETE_FILE) == 0)
		buf_adds(b, " -r -F");
	else if (o->arg != NULL)
		buf_adds(b, " -x");
	if (usage_choice(o->arg, 0).p != NULL) {
		buf_adds(b, " -a '");
		complete_choices(b, o->arg);
		buf_addc(b, '\'');
	}
	buf_adds(b, " -d '");
	complete_text(b, o->text, "\\");
	buf_adds(b, "'\n");
}

static void
complete_fish_word(struct buf *b, struct slice word, const char *text)
{
	buf_addf(b, "-a " SLICE_FMT " -d '", SLICE_ARG(word));
	complete_text(b, text, "\\");
	buf_adds(b, "'\n");
}

/* The words of a command's name. */
static void
complete_fish_name(
    const struct usage *u, const struct usage_command *m, struct buf *b)
{
	const char *second = strchr(m->name, ' ');
	struct buf text, at;

	buf_init(&text, 4096);
	buf_init(&at, 128);
	if (complete_is_first(u, m)) {
		if (second != NULL)
			complete_seconds(u, m, &text, ", ");
		complete_fish_at(u, b, " ", 0);
		complete_fish_word(b, complete_first(m),
		    second != NULL ? buf_str(&text) : m->text);
	}
	if (second != NULL) {
		buf_addf(&at, SLICE_FMT " ", SLICE_ARG(complete_first(m)));
		complete_fish_at(u, b, buf_str(&at), 0);
		complete_fish_word(b,
		    (struct slice){ second + 1, strlen(second + 1) }, m->text);
	}
	buf_free(&text);
	buf_free(&at);
}

static void
complete_fish_command(
    const struct usage *u, const struct usage_command *m, struct buf *b)
{
	bool two = strchr(m->name, ' ') != NULL;
	const struct usage_option *o;
	char word[128];
	struct buf at;
	size_t i;

	complete_fish_name(u, m, b);
	buf_init(&at, 128);
	buf_addf(&at, "%s%s", m->name, two ? "" : " *");
	for (i = 0; i < COMPLETE_ARGUMENTS; i++) {
		if (*complete_argument(m, i, word) == '\0')
			continue;
		complete_fish_at(u, b, buf_str(&at), (two ? 2 : 1) + i);
		buf_adds(b, "-a '");
		complete_choices(b, word);
		buf_adds(b, "'\n");
	}
	for (o = m->options; o->name != NULL; o++) {
		if (o->text == NULL)
			continue;
		complete_fish_at(u, b, buf_str(&at), 0);
		complete_fish_option(b, o);
	}
	buf_free(&at);
}

static void
complete_fish(const struct usage *u, struct buf *b)
{
	const struct usage_command *m;
	const struct usage_option *o;

	buf_addf(b,
	    "# fish completion of %s; made from its table.\n"
	    "function __%s_at\n"
	    "\tset -l said\n"
	    "\tset -l words (commandline -opc)\n"
	    "\tset -e words[1]\n"
	    "\twhile set -q words[1]\n"
	    "\t\tswitch $words[1]\n"
	    "\t\t\tcase ",
	    u->manual, u->program);
	complete_skip(u, b, " ");
	buf_addf(b,
	    "\n\t\t\t\tset -e words[1]\n"
	    "\t\t\tcase '-*'\n"
	    "\t\t\tcase '*'\n"
	    "\t\t\t\tset -a said $words[1]\n"
	    "\t\tend\n"
	    "\t\tset -q words[1]; and set -e words[1]\n"
	    "\tend\n"
	    "\tstring match -q -- $argv[1] \"$said[1] $said[2]\"; or return\n"
	    "\ttest -z \"$argv[2]\"; or test (count $said) -eq \"$argv[2]\"\n"
	    "end\n"
	    "complete -c %s -f\n",
	    u->program);
	for (o = u->options; o->name != NULL; o++) {
		if (o->text == NULL)
			continue;
		buf_addf(b, "complete -c %s ", u->program);
		complete_fish_option(b, o);
	}
	for (m = u->commands; m->name != NULL; m++)
		complete_fish_command(u, m, b);
}

bool
usage_complete(const struct usage *u, const char *shell, struct buf *b)
{
	static const struct {
		const char *name;
		void (*make)(const struct usage *u, struct buf *b);
	} shells[] = {
		{ "bash", complete_bash },
		{ "zsh", complete_zsh },
		{ "fish", complete_fish },
	};
	size_t i;

	for (i = 0; i < NELEM(shells); i++)
		if (strcmp(shells[i].name, shell) == 0) {
			shells[i].make(u, b);
			return true;
		}
	return false;
}
