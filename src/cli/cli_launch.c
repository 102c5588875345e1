/* SPDX-License-Identifier: ISC */
/*
 * launch: an agent, started as somebody in a mesh.
 *
 * Who it is goes with it in its environment, where linnet mcp and linnet hook,
 * which its host starts, find it.  What was in ours of an agent around us is
 * not passed on.  This process becomes the agent: its terminal, signals and
 * exit status are the agent's.
 */
#include "cli/cli_host.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

struct launch {
	struct cli *c;
	bool ask;
	const struct host *host;
	const char *program;
	char **args; /* of the agent */
	int nargs;
	struct cli_config config;
	struct cli_mesh *mesh;
	const char *name, *role, *groups; /* NULL: none was said */
};

static int
launch_wrong(const char *what, const char *value, const char *why)
{
	cli_print_error("--%s \"%s\": %s", what, value, why);
	return EX_DATAERR;
}

/* The program: of the host that was said, or of the first that is here. */
static int
launch_find(struct launch *l)
{
	struct cli *c = l->c;
	const struct host *h;

	l->args = c->argv;
	l->nargs = c->argc;
	if (c->argc > 0 && (l->host = cli_host(c->argv[0])) != NULL) {
		l->args++;
		l->nargs--;
		l->program = cli_host_program(c, l->host->program);
		if (l->program == NULL)
			cli_print_error("there is no program %s in the search "
					"path; is %s installed?",
			    l->host->program, l->host->title);
		return l->program != NULL ? 0 : EX_UNAVAILABLE;
	}
	for (h = cli_hosts; h->name != NULL && l->program == NULL; h++)
		if ((l->program = cli_host_program(c, h->program)) != NULL)
			l->host = h;
	if (l->program == NULL)
		cli_print_error("no agent was found in the search path; "
				"install one of %s",
		    HOST_NAMES);
	return l->program != NULL ? 0 : EX_UNAVAILABLE;
}

/* Joins as linnet join does, and works in that mesh. */
static int
launch_join(struct launch *l, const char *link)
{
	struct cli sub = *l->c;
	struct linnet_invite *invite;
	struct linnet_error e;
	char *argv[] = { pool_strndup(&l->c->pool, link, strlen(link)), NULL };
	int status;

	if ((invite = linnet_invite_read(link, &e)) == NULL)
		return cli_print_failure(&e);
	l->c->mesh =
	    pool_strndup(&l->c->pool, invite->mesh_id, strlen(invite->mesh_id));
	linnet_invite_free(invite);
	sub.argv = argv;
	sub.argc = 1;
	sub.json = false;
	sub.out = stderr;
	status = cli_join(&sub);
	l->c->pool = sub.pool;
	return status;
}

/* Which mesh, of several: a number or slug. */
static int
launch_ask_mesh(struct launch *l)
{
	struct cli *c = l->c;
	const char *answer;
	struct buf b;
	size_t i;

	buf_init(&b, 4096);
	for (i = 0; i < l->config.n; i++)
		buf_addf(&b, "%s%s", i > 0 ? ", " : "",
		    cli_print_safe(c, l->config.meshes[i].slug));
	answer = cli_prompt_line(c,
	    pool_printf(&c->pool, "Mesh (%s)", b.len > 0 ? buf_str(&b) : ""),
	    l->config.meshes[0].slug);
	buf_free(&b);
	if (answer == NULL)
		return EX_NOINPUT;
	c->mesh = answer;
	return 0;
}

static int
launch_mesh(struct launch *l)
{
	struct cli *c = l->c;
	const char *link = cli_given(c, "join");
	int status;

	if (link != NULL && (status = launch_join(l, link)) != 0)
		return status;
	if ((status = cli_config_load(&l->config, c->config_file, false)) != 0)
		return status;
	if (l->config.n == 0 && l->ask) {
		cli_config_free(&l->config);
		link = cli_prompt_line(c, "Invite link", NULL);
		if (link == NULL || link[0] == '\0')
			return EX_NOINPUT;
		if ((status = launch_join(l, link)) != 0 ||
		    (status = cli_config_load(
			 &l->config, c->config_file, false)) != 0)
			return status;
	}
	if (c->mesh == NULL && l->config.n > 1 && l->ask &&
	    cli_config_find(&l->config, l->config.chosen) == NULL &&
	    (status = launch_ask_mesh(l)) != 0)
		return status;
	l->mesh = cli_config_mesh(&l->config, c->mesh, &status);
	return l->mesh != NULL ? 0 : status;
}

/* An option, or a line of an answer; *value stays NULL when neither is there.
 */
static int
launch_option(struct launch *l, const char *option, const char *question,
    const char *otherwise, const char **value)
{
	*value = cli_given(l->c, option);
	if (*value != NULL || !l->ask)
		return 0;
	*value = cli_prompt_line(l->c, question, otherwise);
	if (*value == NULL)
		return EX_NOINPUT;
	if ((*value)[0] == '\0')
		*value = NULL;
	return 0;
}

/* Every group is a name, and a role behind a colon. */
static int
launch_check_groups(const char *groups)
{
	const char *p = groups;
	size_t n, name;

	for (; *p != '\0'; p += n + (p[n] == ',')) {
		n = strcspn(p, ",");
		name = strcspn(p, ":");
		if (name > n)
			name = n;
		if (!str_is_name(p, name) ||
		    (name < n && !str_is_name(p + name + 1, n - name - 1)))
			return launch_wrong(
			    "groups", groups, "it looks like dev:lead,ops");
	}
	return 0;
}

static int
launch_who(struct launch *l)
{
	int status;

	if ((status = launch_option(
		 l, "name", "Name", l->config.display_name, &l->name)) != 0 ||
	    (status = launch_option(
		 l, "role", "Role (may be empty)", NULL, &l->role)) != 0 ||
	    (status = launch_option(l, "groups",
		 "Groups, as dev:lead,ops (may be empty)", NULL, &l->groups)) !=
		0)
		return status;
	if (l->name == NULL && l->config.display_name[0] != '\0')
		l->name = l->config.display_name;
	if (l->name != NULL && !str_is_name(l->name, strlen(l->name)))
		return launch_wrong(
		    "name", l->name, "a name is not empty, and can be seen");
	if (l->role != NULL && l->role[0] != '\0' &&
	    !str_is_name(l->role, strlen(l->role)))
		return launch_wrong(
		    "role", l->role, "a role is a line that can be seen");
	return l->groups != NULL ? launch_check_groups(l->groups) : 0;
}

/* The host starts linnet mcp only if its configuration says so. */
static int
launch_install(struct launch *l)
{
	const char *question;
	bool yes = cli_given(l->c, "yes") != NULL;

	if (cli_install_is_done(l->c, l->host))
		return 0;
	if (l->ask) {
		question = pool_printf(&l->c->pool,
		    "%s does not have linnet yet; install it?", l->host->title);
		yes = cli_prompt_yes(l->c, question);
	}
	if (yes)
		return cli_install_host(l->c, l->host, true);
	cli_print_note(l->c, "%s does not have linnet; do: linnet install %s",
	    l->host->title, l->host->name);
	return 0;
}

static void
launch_put(const char *name, const char *value)
{
	if (value != NULL ? setenv(name, value, 1) != 0 : unsetenv(name) != 0)
		fatal("%s", name);
}

static int
launch_environment(struct launch *l)
{
	const struct cli_slot_of of = { "launch", l->config.file,
		l->mesh->mesh_id, l->name };
	struct cli_slot slot;
	char *copy, *path;

	if (!cli_slot(l->c, &slot, &of)) {
		cli_print_error("cannot keep sessions beside %s: %s",
		    l->config.file, strerror(errno));
		return EX_CANTCREAT;
	}
	launch_put("LINNET_MESH", l->mesh->mesh_id);
	launch_put("LINNET_NAME", l->name);
	launch_put("LINNET_ROLE", l->role);
	launch_put("LINNET_GROUPS", l->groups);
	launch_put("LINNET_SESSION", slot.session);
	if (l->c->config_file == NULL)
		return 0;
	/* Others know only the directory. */
	if ((path = realpath(l->c->config_file, NULL)) == NULL)
		fatal("%s", l->c->config_file);
	copy = xstrdup(path);
	if (strcmp(basename(copy), "config.json") != 0) {
		cli_print_error("an agent finds its configuration by its "
				"directory; %s has to be called config.json",
		    path);
		free(copy);
		free(path);
		return EX_USAGE;
	}
	launch_put("LINNET_CONFIG", dirname(path));
	free(copy);
	free(path);
	return 0;
}

static char **
launch_args(const struct launch *l)
{
	const char *option = l->host->option;
	char **argv =
	    pool_alloc(&l->c->pool, ((size_t)l->nargs + 3) * sizeof(*argv));
	size_t name = option != NULL ? strcspn(option, "=") : 0;
	int i, n = 0;

	for (i = 0; i < l->nargs && option != NULL; i++)
		if (strncmp(l->args[i], option, name) == 0)
			option = NULL;
	argv[n++] = pool_strndup(
	    &l->c->pool, l->host->program, strlen(l->host->program));
	if (option != NULL)
		argv[n++] = pool_strndup(&l->c->pool, option, strlen(option));
	for (i = 0; i < l->nargs; i++)
		argv[n++] = l->args[i];
	argv[n] = NULL;
	return argv;
}

static int
launch_run(struct launch *l)
{
	struct cli *c = l->c;
	int status;

	if ((status = launch_find(l)) != 0 || (status = launch_mesh(l)) != 0 ||
	    (status = launch_who(l)) != 0 ||
	    (status = launch_install(l)) != 0 ||
	    (status = launch_environment(l)) != 0)
		return status;
	cli_print_note(c, "starting %s as %s%s%s%s in %s", l->host->title,
	    l->name != NULL ? cli_print_safe(c, l->name)
			    : cli_print_safe(c, "its member"),
	    l->role != NULL ? " (" : "",
	    l->role != NULL ? cli_print_safe(c, l->role) : "",
	    l->role != NULL ? ")" : "", cli_print_safe(c, l->mesh->slug));
	fflush(NULL);
	execv(l->program, launch_args(l));
	cli_print_error("%s: %s", l->program, strerror(errno));
	return EX_UNAVAILABLE;
}

int
cli_launch(struct cli *c)
{
	struct launch l = { .c = c };
	int status;

	l.ask = cli_given(c, "yes") == NULL && cli_prompt_can();
	l.config.lock = -1;
	status = launch_run(&l);
	cli_config_free(&l.config);
	return status;
}
