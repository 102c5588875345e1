/* SPDX-License-Identifier: ISC */
/*
 * Connections of commands: who we are comes from the configuration.
 *
 * A command that asks one thing connects as control-plane: it is not listed
 * and gets no messages, which would be lost with it.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static struct linnet_group *
session_groups(struct cli *c, const struct cli_mesh *m)
{
	struct linnet_group *g =
	    pool_alloc(&c->pool, (m->ngroups + 1) * sizeof(*g));
	size_t i;

	for (i = 0; i < m->ngroups; i++)
		g[i] = (struct linnet_group){ m->groups[i].name,
			m->groups[i].role };
	return g;
}

int
cli_session_find(struct cli *c, struct cli_session *s)
{
	int status;

	s->linnet = NULL;
	s->mesh = NULL;
	if ((status = cli_config_load(&s->config, c->config_file, false)) != 0)
		return status;
	s->mesh = cli_config_mesh(&s->config, c->mesh, &status);
	return s->mesh != NULL ? 0 : status;
}

int
cli_session_make(
    struct cli *c, struct cli_session *s, const struct linnet_config *with)
{
	struct linnet_config config = *with;
	struct linnet_error e;

	config.url = s->mesh->broker_url;
	config.mesh_id = s->mesh->mesh_id;
	config.member_id = s->mesh->member_id;
	config.public_key = s->mesh->public_key;
	config.secret_key = s->mesh->secret_key;
	if (s->mesh->ca_file[0] != '\0')
		config.tls.ca_file = s->mesh->ca_file;
	if (!config.control && config.groups == NULL) {
		config.groups = session_groups(c, s->mesh);
		config.ngroups = s->mesh->ngroups;
	}
	if ((s->linnet = linnet_new(&config, &e)) != NULL)
		return 0;
	cli_print_error("%s: the mesh %s: %s (%s)", s->config.file,
	    s->mesh->slug, e.message, e.code);
	return EX_CONFIG;
}

int
cli_session_new(
    struct cli *c, struct cli_session *s, const struct linnet_config *with)
{
	int status = cli_session_find(c, s);

	return status != 0 ? status : cli_session_make(c, s, with);
}

int
cli_session_open(struct cli *c, struct cli_session *s)
{
	int status =
	    cli_session_new(c, s, &(struct linnet_config){ .control = true });

	if (status == 0 && linnet_open(s->linnet) != 0)
		status = cli_print_failure(linnet_last_error(s->linnet));
	return status;
}

void
cli_session_close(struct cli_session *s)
{
	if (s->linnet != NULL) {
		linnet_close(s->linnet);
		while (linnet_wait(s->linnet, -1) >= 0)
			;
		linnet_free(s->linnet);
	}
	cli_config_free(&s->config);
}
