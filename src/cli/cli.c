/* SPDX-License-Identifier: ISC */
/*
 * The table of commands, and what is done around each: options, help, output.
 * The manual's list of commands is what `linnet help --mdoc` prints from here.
 */
#include "config.h"

#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum {
	GLOBAL_MESH,
	GLOBAL_CONFIG,
	GLOBAL_JSON,
	GLOBAL_QUIET,
	GLOBAL_HELP,
	GLOBAL_VERSION
};

static const struct cli_option cli_globals[] = {
	[GLOBAL_MESH] = { "mesh", 'm', "slug",
	    "The mesh to work in; needed when several were joined." },
	[GLOBAL_CONFIG] = { "config", 'c', "file",
	    "Configuration instead of ~/.linnet/config.json." },
	[GLOBAL_JSON] = { "json", 'j', NULL,
	    "JSON for programs: one value, or one a line where messages "
	    "follow each other." },
	[GLOBAL_QUIET] = { "quiet", 'q', NULL,
	    "No remarks on stderr, only errors." },
	[GLOBAL_HELP] = { "help", 'h', NULL, "Help, of a command after one." },
	[GLOBAL_VERSION] = { "version", 'V', NULL, "The version." },
	{ NULL, 0, NULL, NULL },
};

static const struct cli_option join_options[] = {
	{ "name", 'n', "name", "Name under which others see you." },
	{ NULL, 0, NULL, NULL },
};

static const struct cli_option send_options[] = {
	{ "priority", 'p', "priority",
	    "now: pushed at once; next: when the recipient is idle, the "
	    "default; low: the same, and less urgent." },
	{ NULL, 0, NULL, NULL },
};

static const struct cli_option inbox_options[] = {
	{ "follow", 'f', NULL,
	    "Go on waiting for messages; connects again by itself." },
	{ "timeout", 't', "time",
	    "Wait so long (as 30s or 5m) for a message when none is there." },
	{ NULL, 0, NULL, NULL },
};

static const struct cli_option peers_options[] = {
	{ "all", 'a', NULL, "Also members who are not connected." },
	{ "group", 'g', "group", "Only those in this group." },
	{ NULL, 0, NULL, NULL },
};

static const struct cli_option group_options[] = {
	{ "role", 'r', "role", "Your role in the group, in free words." },
	{ NULL, 0, NULL, NULL },
};

static const struct cli_option remember_options[] = {
	{ "tag", 't', "tag", "A label; may be given more than once." },
	{ NULL, 0, NULL, NULL },
};

static const struct cli_option help_options[] = {
	{ "mdoc", 0, NULL, NULL }, /* for the manual */
	{ NULL, 0, NULL, NULL },
};

static const struct cli_option no_options[] = {
	{ NULL, 0, NULL, NULL },
};

static const struct cli_command cli_commands[] = {
	{ "join", NULL, "link", 1, 1, join_options, cli_join,
	    "Join a mesh with an invite link.",
	    "A new key pair is made and kept in the configuration, together "
	    "with what the broker says. The owner's signature on the invite "
	    "is checked first. Joining again a mesh that was joined before "
	    "keeps the keys. With - for the link it is read from standard "
	    "input." },
	{ "list", "ls", "", 0, 0, no_options, cli_list,
	    "List the meshes that were joined.", NULL },
	{ "send", NULL, "target [text ...]", 1, -1, send_options, cli_send,
	    "Send a message and print its id.",
	    "The target is a name, a public key, @group, @all, or * for "
	    "everybody. The text is read from standard input when it is - or "
	    "missing. To a name or key it is encrypted so that only that peer "
	    "can read it; to groups and everybody it is not. When the "
	    "connection breaks off, the send is repeated, and stored once." },
	{ "inbox", NULL, "", 0, 0, inbox_options, cli_inbox,
	    "Print the messages that wait, the oldest first.",
	    "A message is acknowledged after it was printed, and not pushed "
	    "again then; one that was printed when the inbox was interrupted "
	    "may come once more, with the same id. Ends when none is waiting. "
	    "Elsewhere than on a terminal a message is a line of seven "
	    "fields: time, sender, target, priority, encrypted or clear, id, "
	    "text." },
	{ "message status", NULL, "id", 1, 1, no_options, cli_message_status,
	    "Say where a message is, for each recipient.", NULL },
	{ "peers", "who", "", 0, 0, peers_options, cli_peers,
	    "List who is connected.", NULL },
	{ "group join", NULL, "name", 1, 1, group_options, cli_group_join,
	    "Be in a group from now on.",
	    "Groups are kept in the configuration: every later inbox says "
	    "them when it connects. One that is running does not change." },
	{ "group leave", NULL, "name", 1, 1, no_options, cli_group_leave,
	    "Leave a group.", NULL },
	{ "state get", NULL, "key", 1, 1, no_options, cli_state_get,
	    "Print the value of a shared key.",
	    "A string is printed as it is, anything else as JSON." },
	{ "state set", NULL, "key [value ...]", 1, -1, no_options,
	    cli_state_set, "Set a shared key.",
	    "A value that is JSON is taken as such, anything else as a "
	    "string; with --json it must be JSON. It is read from standard "
	    "input when it is - or missing." },
	{ "state list", NULL, "", 0, 0, no_options, cli_state_list,
	    "List all shared keys.", NULL },
	{ "remember", NULL, "[text ...]", 0, -1, remember_options,
	    cli_memory_remember, "Store a text for the mesh and print its id.",
	    "The text is read from standard input when it is - or missing." },
	{ "recall", NULL, "word ...", 1, -1, no_options, cli_memory_recall,
	    "Find remembered texts that have all the words, in any form.",
	    NULL },
	{ "forget", NULL, "id", 1, 1, no_options, cli_memory_forget,
	    "Remove a remembered text.", NULL },
	{ "help", NULL, "[command]", 0, 2, help_options, cli_help,
	    "Print help, of a command or of all.", NULL },
	{ NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL },
};

const char *
cli_given(const struct cli *c, const char *name)
{
	size_t i;

	for (i = c->ngiven; i-- > 0;)
		if (strcmp(c->given[i].option->name, name) == 0)
			return c->given[i].value;
	return NULL;
}

static void
cli_print_options(FILE *out, const struct cli_option *o)
{
	char left[64];

	for (; o->name != NULL; o++) {
		if (o->text == NULL)
			continue;
		if (o->letter != 0)
			snprintf(left, sizeof(left), "-%c, --%s %s", o->letter,
			    o->name, o->arg != NULL ? o->arg : "");
		else
			snprintf(left, sizeof(left), "    --%s %s", o->name,
			    o->arg != NULL ? o->arg : "");
		fprintf(out, "  %-27s%s\n", left, o->text);
	}
}

static void
cli_usage(FILE *out)
{
	const struct cli_command *m;
	char left[64];

	fprintf(out, "usage: linnet [option ...] command [argument ...]\n\n");
	for (m = cli_commands; m->name != NULL; m++) {
		snprintf(left, sizeof(left), "%s %s", m->name, m->args);
		fprintf(out, "  %-27s%s\n", left, m->text);
	}
	fprintf(out, "\n");
	cli_print_options(out, cli_globals);
	fprintf(out, "\nlinnet help COMMAND says more; so does linnet(1).\n");
}

static void
cli_usage_of(FILE *out, const struct cli_command *m)
{
	fprintf(out, "usage: linnet %s%s%s%s\n\n%s\n", m->name,
	    m->options->name != NULL && m->options->text != NULL
		? " [option ...]"
		: "",
	    m->args[0] != '\0' ? " " : "", m->args, m->text);
	if (m->more != NULL)
		fprintf(out, "%s\n", m->more);
	if (m->alias != NULL)
		fprintf(out, "Also called: %s\n", m->alias);
	if (m->options->name != NULL && m->options->text != NULL) {
		fprintf(out, "\n");
		cli_print_options(out, m->options);
	}
}

/* Prose of mdoc(7): a sentence a line. */
static void
cli_mdoc_text(FILE *out, const char *s)
{
	for (; *s != '\0'; s++) {
		if (s[0] == '.' && s[1] == ' ') {
			fprintf(out, ".\n");
			s++;
		} else
			fputc(*s, out);
	}
	fputc('\n', out);
}

static void
cli_mdoc_args(FILE *out, const char *args)
{
	const char *p = args;
	size_t n;
	bool open;

	for (; *p != '\0'; p += n) {
		open = *p == '[';
		p += open || *p == ' ';
		if (*p == '[') {
			open = true;
			p++;
		}
		n = open ? strcspn(p, "]") : strcspn(p, "[");
		while (!open && n > 0 && p[n - 1] == ' ')
			n--;
		if (n > 0)
			fprintf(out, " %sAr %.*s%s", open ? "Oo " : "", (int)n,
			    p, open ? " Oc" : "");
		n += open;
	}
}

static void
cli_mdoc_options(FILE *out, const struct cli_option *o)
{
	fprintf(out, ".Bl -tag -width Ds\n");
	for (; o->name != NULL; o++) {
		if (o->letter != 0)
			fprintf(out, ".It Fl %c , Fl -%s", o->letter, o->name);
		else
			fprintf(out, ".It Fl -%s", o->name);
		fprintf(out, o->arg != NULL ? " Ar %s\n" : "\n", o->arg);
		cli_mdoc_text(out, o->text);
	}
	fprintf(out, ".El\n");
}

static void
cli_mdoc(FILE *out)
{
	const struct cli_command *m;

	fprintf(out, ".Sh OPTIONS\nThey stand before the command or after "
		     "it.\nA word that begins with - and is none stands behind "
		     "--.\n");
	cli_mdoc_options(out, cli_globals);
	fprintf(out, ".Sh COMMANDS\n.Bl -tag -width Ds\n");
	for (m = cli_commands; m->name != NULL; m++) {
		fprintf(out, ".It Ic %s", m->name);
		cli_mdoc_args(out, m->args);
		fprintf(out, "\n");
		cli_mdoc_text(out, m->text);
		if (m->more != NULL)
			cli_mdoc_text(out, m->more);
		if (m->alias != NULL)
			fprintf(out, "Also called\n.Ic %s .\n", m->alias);
		if (m->options->name != NULL && m->options->text != NULL)
			cli_mdoc_options(out, m->options);
	}
	fprintf(out, ".El\n");
}

int
cli_help(struct cli *c)
{
	const struct cli_command *m;
	int taken;

	if (cli_given(c, "mdoc") != NULL)
		cli_mdoc(c->out);
	else if (c->argc == 0)
		cli_usage(c->out);
	else {
		m = cli_args_find(cli_commands, c->argv, c->argc, &taken);
		if (m == NULL)
			return EX_USAGE;
		cli_usage_of(c->out, m);
	}
	return 0;
}

static void
cli_read_globals(struct cli *c)
{
	c->mesh = cli_given(c, cli_globals[GLOBAL_MESH].name);
	c->config_file = cli_given(c, cli_globals[GLOBAL_CONFIG].name);
	c->json = cli_given(c, cli_globals[GLOBAL_JSON].name) != NULL;
	c->quiet = cli_given(c, cli_globals[GLOBAL_QUIET].name) != NULL;
	c->help = cli_given(c, cli_globals[GLOBAL_HELP].name) != NULL;
	c->version = cli_given(c, cli_globals[GLOBAL_VERSION].name) != NULL;
}

static bool
cli_wants_colour(bool tty)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return tty && (no == NULL || no[0] == '\0') && term != NULL &&
	       strcmp(term, "dumb") != 0;
}

/* Arguments go into JSON; the name of a file need not be text. */
static bool
cli_is_text(const struct cli *c)
{
	size_t i;
	int k;

	for (k = 0; k < c->argc; k++)
		if (!str_utf8(c->argv[k], strlen(c->argv[k])))
			return false;
	for (i = 0; i < c->ngiven; i++)
		if (c->given[i].option != &cli_globals[GLOBAL_CONFIG] &&
		    !str_utf8(c->given[i].value, strlen(c->given[i].value)))
			return false;
	return true;
}

static int
cli_run(struct cli *c)
{
	const struct cli_command *m = c->command;

	if (c->version) {
		fprintf(c->out, "linnet %s\n", PACKAGE_VERSION);
		return 0;
	}
	if (c->help || m == NULL) {
		if (m != NULL)
			cli_usage_of(c->out, m);
		else
			cli_usage(c->help ? c->out : stderr);
		return c->help ? 0 : EX_USAGE;
	}
	if (c->argc < m->min || (m->max >= 0 && c->argc > m->max)) {
		cli_print_error("%s: %s; usage: linnet %s %s", m->name,
		    c->argc < m->min ? "something is missing"
				     : "there is too much",
		    m->name, m->args);
		return EX_USAGE;
	}
	if (!cli_is_text(c)) {
		cli_print_error("%s: an argument is not UTF-8", m->name);
		return EX_DATAERR;
	}
	return m->run(c);
}

int
cli_main(int argc, char **argv)
{
	struct cli c = { .out = stdout };
	int status, end;

	pool_init(&c.pool);
	c.tty = isatty(STDOUT_FILENO) == 1;
	c.colour = cli_wants_colour(c.tty);
	status = cli_args_read(&c, argc, argv, cli_commands, cli_globals);
	if (status == 0) {
		cli_read_globals(&c);
		status = cli_run(&c);
	}
	end = cli_print_end(&c);
	pool_free(&c.pool);
	return status != 0 ? status : end;
}
