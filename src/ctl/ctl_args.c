/* SPDX-License-Identifier: ISC */
/*
 * What was given to a command: read by the table, then made into numbers,
 * times and consent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config.h"
#include "ctl/ctl.h"

static void
args_help(FILE *f, const struct usage_line *l)
{
	struct buf b;

	buf_init(&b, 1u << 20);
	if (l->command != NULL)
		usage_help_of(l->usage, l->command, &b);
	else
		usage_help(l->usage, &b);
	fwrite(b.data, 1, b.len, f);
	buf_free(&b);
}

void
ctl_args_read(struct ctl *c, int argc, char **argv)
{
	const struct usage *u = table_usage();
	bool help;
	int status;

	if ((status = usage_read(&c->line, u, argc, argv)) != 0)
		ctl_fail(status, "%s", c->line.error);
	if (ctl_given(c, "version") != NULL) {
		printf("linnetctl %s\n", PACKAGE_VERSION);
		exit(0);
	}
	help = ctl_given(c, "help") != NULL;
	if (help || c->line.command == NULL) {
		args_help(help ? stdout : stderr, &c->line);
		exit(help ? 0 : EX_USAGE);
	}
	if ((status = usage_check(&c->line)) != 0)
		ctl_fail(status, "%s", c->line.error);
	c->command = &table_commands[c->line.command - u->commands];
	c->args = c->line.words;
	c->nargs = c->line.nwords;
	c->json = ctl_given(c, "json") != NULL;
}

const char *
ctl_given(const struct ctl *c, const char *name)
{
	return usage_given(&c->line, name);
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
