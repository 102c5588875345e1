/* SPDX-License-Identifier: ISC */
/*
 * What an agent says of itself: status, summary, groups.  The broker may forget
 * a session, or a later connection be another session to it; so it is kept
 * here, and said again.
 */
#include "cli/cli_mcp.h"

#include <stdlib.h>
#include <string.h>

static struct mesh_group *
mesh_group(struct mcp_mesh *h, const char *name)
{
	struct mesh_group *g;

	TAILQ_FOREACH (g, &h->groups, entry)
		if (strcmp(g->name, name) == 0)
			return g;
	return NULL;
}

static void
mesh_group_drop(struct mcp_mesh *h, struct mesh_group *g)
{
	TAILQ_REMOVE(&h->groups, g, entry);
	free(g->name);
	free(g->role);
	free(g);
}

static void
mesh_group_add(
    struct mcp_mesh *h, const char *name, const char *role, bool first)
{
	struct mesh_group *g = mesh_group(h, name);

	if (g == NULL) {
		g = xcalloc(1, sizeof(*g));
		g->name = xstrdup(name);
		g->first = first;
		TAILQ_INSERT_TAIL(&h->groups, g, entry);
	}
	g->left = false;
	free(g->role);
	g->role = xstrdup(role);
}

/* Reads fields as they were asked for; the caller frees j and the text. */
char *
cli_mcp_fields(struct json *j, const char *fields)
{
	char *text = xasprintf("{%s}", fields);

	json_init(j, 1u << 16, 64);
	if (json_read(j, text, strlen(text)) != 0)
		fatalx("fields of a tool: %s", j->error);
	return text;
}

/* Something was done that a later connection has to hear of. */
void
cli_mcp_said(struct mcp_mesh *h, const struct mesh_ask *a)
{
	static const char *const ops[] = { "set_status", "set_summary",
		"join_group", "leave_group", NULL };
	struct cli c = { .out = NULL };
	const char *const *op = ops;
	struct mesh_group *g;
	struct json j;
	char *text;

	while (*op != NULL && strcmp(*op, a->op) != 0)
		op++;
	if (*op == NULL)
		return;
	pool_init(&c.pool);
	text = cli_mcp_fields(&j, a->fields);
	switch (op - ops) {
	case 0:
		free(h->status);
		h->status = xstrdup(cli_json_str(&c, &j, 0, "status"));
		break;
	case 1:
		free(h->summary);
		h->summary = xstrdup(cli_json_str(&c, &j, 0, "summary"));
		break;
	case 2:
		mesh_group_add(h, cli_json_str(&c, &j, 0, "name"),
		    cli_json_str(&c, &j, 0, "role"), false);
		break;
	default:
		g = mesh_group(h, cli_json_str(&c, &j, 0, "name"));
		if (g != NULL && g->first)
			g->left = true;
		else if (g != NULL)
			mesh_group_drop(h, g);
	}
	json_free(&j);
	free(text);
	pool_free(&c.pool);
}

/* Over a connection that is not the first: the hello had the groups of the
 * beginning. */
void
cli_mcp_say_again(struct mcp_mesh *h)
{
	struct linnet *l = h->s.linnet;
	struct mesh_group *g;

	if (h->summary != NULL)
		(void)linnet_set_summary(l, h->summary, NULL, NULL);
	/* A `working` of before is over. */
	if (h->status != NULL && strcmp(h->status, "dnd") == 0)
		(void)linnet_set_status(l, h->status, NULL, NULL);
	TAILQ_FOREACH (g, &h->groups, entry)
		if (g->left)
			(void)linnet_leave_group(l, g->name, NULL, NULL);
		else
			(void)linnet_join_group(l, g->name,
			    g->role[0] != '\0' ? g->role : NULL, NULL, NULL);
}

/* LINNET_GROUPS, or the groups of the configuration. */
static void
mesh_read_groups(struct mcp_mesh *h)
{
	const char *text = getenv(MCP_ENV_GROUPS);
	const struct cli_mesh *m = h->s.mesh;
	char *copy, *name, *role, *rest;
	size_t i;

	if (text == NULL) {
		for (i = 0; i < m->ngroups; i++)
			mesh_group_add(
			    h, m->groups[i].name, m->groups[i].role, true);
		return;
	}
	rest = copy = xstrdup(text);
	while ((name = strsep(&rest, ",")) != NULL) {
		if ((role = strchr(name, ':')) != NULL)
			*role++ = '\0';
		name += name[0] == '@';
		if (name[0] != '\0')
			mesh_group_add(h, name, role != NULL ? role : "", true);
	}
	free(copy);
}

const struct linnet_group *
cli_mcp_groups(struct mcp_mesh *h, size_t *n)
{
	struct linnet_group *groups;
	struct mesh_group *g;

	if (TAILQ_EMPTY(&h->groups))
		mesh_read_groups(h);
	*n = 0;
	TAILQ_FOREACH (g, &h->groups, entry)
		(*n)++;
	groups = pool_alloc(&h->c->pool, (*n + 1) * sizeof(*groups));
	*n = 0;
	TAILQ_FOREACH (g, &h->groups, entry)
		groups[(*n)++] = (struct linnet_group){ g->name, g->role };
	return groups;
}

void
cli_mcp_forget(struct mcp_mesh *h)
{
	while (!TAILQ_EMPTY(&h->groups))
		mesh_group_drop(h, TAILQ_FIRST(&h->groups));
	free(h->summary);
	free(h->status);
}
