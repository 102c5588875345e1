/* SPDX-License-Identifier: ISC */
/*
 * list, use, leave: the meshes of the configuration.
 */
#include "cli/cli.h"

#include <string.h>
#include <sysexits.h>

static const char *
list_groups(struct cli *c, const struct cli_mesh *m)
{
	const char *text = "";
	size_t i;

	for (i = 0; i < m->ngroups; i++)
		text = pool_printf(&c->pool, "%s%s%s%s%s", text,
		    i > 0 ? ", " : "", m->groups[i].name,
		    m->groups[i].role[0] != '\0' ? ":" : "", m->groups[i].role);
	return cli_print_safe(c, text);
}

static void
list_json(struct cli *c, const struct cli_config *f)
{
	const struct cli_mesh *m;
	struct json_writer w;
	struct buf b;
	size_t i, k;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_array(&w);
	for (i = 0; i < f->n; i++) {
		m = &f->meshes[i];
		json_object(&w);
		json_key(&w, "slug");
		json_str(&w, m->slug);
		json_key(&w, "name");
		json_str(&w, m->name);
		json_key(&w, "meshId");
		json_str(&w, m->mesh_id);
		json_key(&w, "memberId");
		json_str(&w, m->member_id);
		json_key(&w, "pubkey");
		json_str(&w, m->public_key);
		json_key(&w, "brokerUrl");
		json_str(&w, m->broker_url);
		json_key(&w, "joinedAt");
		json_str(&w, m->joined_at);
		json_key(&w, "chosen");
		json_bool(&w, strcmp(m->mesh_id, f->chosen) == 0);
		json_key(&w, "groups");
		json_array(&w);
		for (k = 0; k < m->ngroups; k++)
			json_str(&w, m->groups[k].name);
		json_array_end(&w);
		json_object_end(&w);
	}
	json_array_end(&w);
	cli_print_json(c, b.data, b.len);
	buf_free(&b);
}

int
cli_list(struct cli *c)
{
	static const char *const head[] = { "MESH", "NAME", "BROKER", "GROUPS",
		"KEY", "CHOSEN", NULL };
	struct cli_config f;
	struct cli_table t;
	size_t i;
	int status;

	if ((status = cli_config_load(&f, c->config_file, false)) != 0) {
		cli_config_free(&f);
		return status;
	}
	if (c->json) {
		list_json(c, &f);
		cli_config_free(&f);
		return 0;
	}
	cli_table_init(&t, head);
	for (i = 0; i < f.n; i++) {
		const struct cli_mesh *m = &f.meshes[i];

		cli_table_add(c, &t, cli_print_safe(c, m->slug));
		cli_table_add(c, &t, cli_print_safe(c, m->name));
		cli_table_add(c, &t, cli_print_safe(c, m->broker_url));
		cli_table_add(c, &t, list_groups(c, m));
		cli_table_add(c, &t, cli_print_safe(c, m->public_key));
		cli_table_add(
		    c, &t, strcmp(m->mesh_id, f.chosen) == 0 ? "chosen" : "");
	}
	cli_table_print(c, &t);
	if (f.n == 0)
		cli_print_note(c, "no mesh was joined yet");
	cli_config_free(&f);
	return 0;
}

/* One change of the configuration, under its lock, to the mesh that is named.
 */
static int
mesh_change(struct cli *c,
    void (*change)(struct cli *c, struct cli_config *f, struct cli_mesh *m))
{
	struct cli_config f;
	struct cli_mesh *m;
	int status;

	if ((status = cli_config_load(&f, c->config_file, true)) == 0 &&
	    (m = cli_config_mesh(&f, c->argv[0], &status)) != NULL) {
		change(c, &f, m);
		status = cli_config_save(&f);
	}
	cli_config_free(&f);
	return status;
}

static void
mesh_use(struct cli *c, struct cli_config *f, struct cli_mesh *m)
{
	(void)c;
	cli_config_set(&f->chosen, m->mesh_id);
}

int
cli_use(struct cli *c)
{
	return mesh_change(c, mesh_use);
}

static void
mesh_leave(struct cli *c, struct cli_config *f, struct cli_mesh *m)
{
	cli_print_note(c,
	    "the keys for %s are gone; who runs it can remove the member %s",
	    m->slug, m->member_id);
	cli_config_drop(f, m);
}

int
cli_leave(struct cli *c)
{
	return mesh_change(c, mesh_leave);
}
