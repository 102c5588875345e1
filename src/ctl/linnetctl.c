/* SPDX-License-Identifier: ISC */
/*
 * linnetctl(8): main.  A command is a row of a table; options may stand
 * anywhere behind it.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config.h"
#include "ctl/ctl.h"

#define LINNETCTL_CONF SYSCONFDIR "/linnet/linnetd.conf"

static const struct command {
	const char *words; /* one or two */
	const char *usage;
	int min;
	int max;
	void (*fn)(struct ctl *c);
	const char *text;
} linnetctl_commands[] = {
	{ "status", "", 0, 0, ctl_daemon_status,
	    "the daemon and its processes" },
	{ "ping", "", 0, 0, ctl_daemon_word, "does the daemon answer?" },
	{ "reload", "", 0, 0, ctl_daemon_word, "read the configuration again" },
	{ "drain", "", 0, 0, ctl_daemon_word,
	    "tell every client to reconnect, then stop" },
	{ "stop", "", 0, 0, ctl_daemon_word, "stop at once" },
	{ "mesh create", "SLUG", 1, 1, ctl_mesh_create, "make a mesh" },
	{ "mesh list", "", 0, 0, ctl_mesh_list, "all meshes" },
	{ "member list", "MESH", 1, 1, ctl_member_list,
	    "the members of a mesh" },
	{ "invite create", "MESH", 1, 1, ctl_invite_create,
	    "make an invite; prints the join link" },
	{ "seed", "", 0, 0, ctl_seed,
	    "make a mesh with two members, for tests; prints JSON" },
};

enum {
	OPT_JSON = 256,
	OPT_NAME,
	OPT_ROLE,
	OPT_USES,
	OPT_EXPIRES,
	OPT_URL,
	OPT_OWNER_KEY,
	OPT_SHOW_KEY
};

static const struct option linnetctl_options[] = {
	{ "json", no_argument, NULL, OPT_JSON },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "role", required_argument, NULL, OPT_ROLE },
	{ "uses", required_argument, NULL, OPT_USES },
	{ "expires", required_argument, NULL, OPT_EXPIRES },
	{ "url", required_argument, NULL, OPT_URL },
	{ "owner-key", required_argument, NULL, OPT_OWNER_KEY },
	{ "show-key", no_argument, NULL, OPT_SHOW_KEY },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static void
linnetctl_help(FILE *f)
{
	size_t i;

	fprintf(f, "usage: linnetctl [-c file] [-o 'key value'] [--json] "
		   "command ...\n\n");
	for (i = 0; i < NELEM(linnetctl_commands); i++) {
		const struct command *k = &linnetctl_commands[i];

		fprintf(f, "  %-14s %-6s %s\n", k->words, k->usage, k->text);
	}
	fprintf(f, "\noptions of mesh create: --name NAME --show-key\n"
		   "options of invite create: --role member|admin --uses N "
		   "--expires 7d --url URL\n    --owner-key FILE\n"
		   "See linnetctl(8).\n");
}

/* How many words of the command line the command's name takes; 0: another. */
static int
linnetctl_match(const struct command *k, char **words, int n)
{
	const char *second = strchr(k->words, ' ');
	size_t len =
	    second != NULL ? (size_t)(second - k->words) : strlen(k->words);

	if (n < 1 || strlen(words[0]) != len ||
	    strncmp(k->words, words[0], len) != 0)
		return 0;
	if (second == NULL)
		return 1;
	return n > 1 && strcmp(second + 1, words[1]) == 0 ? 2 : 0;
}

static void __attribute__((noreturn)) linnetctl_unknown(char **words, int n)
{
	const char *names[NELEM(linnetctl_commands) + 1];
	const char *near;
	char said[256];
	size_t i;

	for (i = 0; i < NELEM(linnetctl_commands); i++)
		names[i] = linnetctl_commands[i].words;
	names[i] = NULL;
	snprintf(said, sizeof(said), "%s%s%s", words[0], n > 1 ? " " : "",
	    n > 1 ? words[1] : "");
	near = str_nearest(said, names);
	if (near == NULL)
		near = str_nearest(words[0], names);
	if (near != NULL)
		ctl_fail(EX_USAGE,
		    "there is no command \"%s\"; did you mean \"%s\"?", said,
		    near);
	ctl_fail(
	    EX_USAGE, "there is no command \"%s\"; see linnetctl --help", said);
}

static void
linnetctl_run(struct ctl *c, char **words, int n)
{
	const struct command *k;
	int taken;

	for (k = linnetctl_commands;
	     k < linnetctl_commands + NELEM(linnetctl_commands); k++) {
		if ((taken = linnetctl_match(k, words, n)) == 0)
			continue;
		c->args = words + taken;
		c->nargs = n - taken;
		c->word = k->words;
		if (c->nargs < k->min || c->nargs > k->max)
			ctl_fail(EX_USAGE, "usage: linnetctl %s %s", k->words,
			    k->usage);
		k->fn(c);
		return;
	}
	linnetctl_unknown(words, n);
}

static void
linnetctl_option(struct ctl *c, int opt)
{
	switch (opt) {
	case OPT_JSON:
		c->json = true;
		break;
	case OPT_NAME:
		c->name = optarg;
		break;
	case OPT_ROLE:
		c->role = optarg;
		break;
	case OPT_USES:
		c->uses = optarg;
		break;
	case OPT_EXPIRES:
		c->expires = optarg;
		break;
	case OPT_URL:
		c->url = optarg;
		break;
	case OPT_OWNER_KEY:
		c->owner_key = optarg;
		break;
	case OPT_SHOW_KEY:
		c->show_key = true;
		break;
	case 'h':
		linnetctl_help(stdout);
		exit(0);
	case 'V':
		printf("linnetctl %s\n", PACKAGE_VERSION);
		exit(0);
	default:
		linnetctl_help(stderr);
		exit(EX_USAGE);
	}
}

/* The configuration of the daemon says where it is. */
static void
linnetctl_conf(
    struct ctl *c, const char *file, const char *const *set, size_t nset)
{
	char *error;
	size_t i;

	c->conf = conf_new();
	if (file != NULL || access(LINNETCTL_CONF, R_OK) == 0)
		if (conf_load(c->conf, file != NULL ? file : LINNETCTL_CONF,
			&error) != 0)
			ctl_fail(EX_CONFIG, "%s", error);
	for (i = 0; i < nset; i++)
		if (conf_set(c->conf, set[i], &error) != 0)
			ctl_fail(EX_CONFIG, "%s", error);
	if (conf_check(c->conf, &error) != 0)
		ctl_fail(EX_CONFIG, "%s", error);
}

int
main(int argc, char **argv)
{
	const char *set[64], *file = NULL;
	struct ctl c;
	size_t nset = 0;
	int opt;

	memset(&c, 0, sizeof(c));
	log_start("linnetctl", LOG_WARN);
	clock_update();
	crypto_start();
	while ((opt = getopt_long(
		    argc, argv, "c:o:hV", linnetctl_options, NULL)) != -1) {
		if (opt == 'c')
			file = optarg;
		else if (opt == 'o' && nset < NELEM(set))
			set[nset++] = optarg;
		else if (opt == 'o')
			ctl_fail(EX_USAGE, "too many -o");
		else
			linnetctl_option(&c, opt);
	}
	if (optind == argc) {
		linnetctl_help(stderr);
		return EX_USAGE;
	}
	linnetctl_conf(&c, file, set, nset);
	linnetctl_run(&c, argv + optind, argc - optind);
	if (c.db != NULL)
		db_sync_close(c.db);
	conf_free(c.conf);
	if (fflush(stdout) != 0 || ferror(stdout))
		ctl_fail(EX_IOERR, "the output could not be written");
	return 0;
}
