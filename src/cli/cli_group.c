/* SPDX-License-Identifier: ISC */
/*
 * group join and group leave.  A session of one command ends with it, and so
 * would its groups; they are kept in the configuration, for every later
 * session to say in its hello.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define GROUP_MAX 128

/* The name without the @ with which it is addressed; NULL: it is none. */
static const char *
group_name(const char *name)
{
	size_t n;

	if (name[0] == '@')
		name++;
	n = strlen(name);
	if (n > 0 && n <= GROUP_MAX && str_is_name(name, n) && name[0] != '@' &&
	    name[0] != '/' && name[n - 1] != '/' &&
	    strstr(name, "//") == NULL && strcmp(name, "all") != 0)
		return name;
	cli_print_error("\"%s\" cannot be a group: its name has up to 128 "
			"bytes that can be seen, does not begin with @ or /, "
			"does not end with /, and is not \"all\"",
	    name);
	return NULL;
}

static struct cli_group *
group_find(struct cli_mesh *m, const char *name)
{
	size_t i;

	for (i = 0; i < m->ngroups; i++)
		if (strcmp(m->groups[i].name, name) == 0)
			return &m->groups[i];
	return NULL;
}

static void
group_put(struct cli_mesh *m, const char *name, const char *role)
{
	struct cli_group *g = group_find(m, name);

	if (g == NULL) {
		m->groups =
		    xreallocarray(m->groups, m->ngroups + 1, sizeof(*g));
		g = &m->groups[m->ngroups++];
		g->name = xstrdup(name);
		g->role = NULL;
	}
	cli_config_set(&g->role, role != NULL ? role : "");
}

static bool
group_drop(struct cli_mesh *m, const char *name)
{
	struct cli_group *g = group_find(m, name);

	if (g == NULL)
		return false;
	free(g->name);
	free(g->role);
	memmove(
	    g, g + 1, (size_t)(m->groups + m->ngroups - g - 1) * sizeof(*g));
	m->ngroups--;
	return true;
}

/* One change of the configuration, under its lock. */
static int
group_change(struct cli *c, bool join)
{
	const char *name = group_name(c->argv[0]), *role = cli_given(c, "role");
	struct cli_config f;
	struct cli_mesh *m;
	bool changed = true;
	int status;

	if (name == NULL)
		return EX_USAGE;
	if ((status = cli_config_load(&f, c->config_file, true)) != 0)
		goto fail;
	if ((m = cli_config_mesh(&f, c->mesh, &status)) == NULL)
		goto fail;
	if (join)
		group_put(m, name, role);
	else
		changed = group_drop(m, name);
	if (changed)
		status = cli_config_save(&f);
	if (status == 0 && join)
		cli_print_note(c, "in %s from the next inbox on", name);
	else if (status == 0)
		cli_print_note(c,
		    changed ? "no longer in %s from the next "
			      "inbox on"
			    : "you were not in %s",
		    name);
fail:
	cli_config_free(&f);
	return status;
}

int
cli_group_join(struct cli *c)
{
	return group_change(c, true);
}

int
cli_group_leave(struct cli *c)
{
	return group_change(c, false);
}
