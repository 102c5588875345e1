/* SPDX-License-Identifier: ISC */
/*
 * join: a new member of a mesh, by an invite.
 *
 * The configuration stays locked from looking whether there is a key already
 * to writing the new one, so that two joins make one member.
 */
#include "cli/cli.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

/* --name, the name of the configuration, or the user's. */
static const char *
join_name(struct cli *c, const struct cli_config *f)
{
	const char *name = cli_given(c, "name");
	const struct passwd *pw;

	if (name != NULL)
		return name;
	if (f->display_name[0] != '\0')
		return f->display_name;
	if ((pw = getpwuid(geteuid())) != NULL && pw->pw_name[0] != '\0')
		return pool_strndup(&c->pool, pw->pw_name, strlen(pw->pw_name));
	return "anonymous";
}

/* The mesh as it was joined before, or a new one with new keys. */
static struct cli_mesh *
join_mesh(struct cli_config *f, const struct linnet_invite *invite)
{
	char pub[LINNET_KEY_SIZE], secret[LINNET_SECRET_SIZE];
	struct cli_mesh *m;
	size_t i;

	for (i = 0; i < f->n; i++)
		if (strcmp(f->meshes[i].mesh_id, invite->mesh_id) == 0 &&
		    f->meshes[i].secret_key[0] != '\0')
			return &f->meshes[i];
	m = cli_config_add(f);
	linnet_new_key(pub, secret);
	cli_config_set(&m->public_key, pub);
	cli_config_set(&m->secret_key, secret);
	crypto_wipe(secret, sizeof(secret));
	return m;
}

static void
join_fill(struct cli_mesh *m, const struct linnet_invite *invite,
    const struct linnet_membership *got)
{
	char now[CLOCK_RFC3339_LEN + 1];

	cli_config_set(&m->mesh_id, invite->mesh_id);
	cli_config_set(&m->member_id, got->member_id);
	cli_config_set(&m->slug,
	    got->mesh_slug[0] != '\0' ? got->mesh_slug : invite->mesh_slug);
	cli_config_set(&m->name, got->mesh_name);
	cli_config_set(&m->broker_url, invite->broker_url);
	/* It is given out once; a later join does not bring it again. */
	if (got->hook_token != NULL)
		cli_config_set(&m->hook_token, got->hook_token);
	if (m->joined_at[0] == '\0') {
		clock_update();
		clock_format(clock_wall(), now);
		cli_config_set(&m->joined_at, now);
	}
}

static void
join_print(struct cli *c, const struct cli_mesh *m, bool already)
{
	struct json_writer w;
	struct buf b;

	if (c->json) {
		buf_init(&b, SIZE_MAX / 2);
		json_start(&w, &b);
		json_object(&w);
		json_key(&w, "meshId");
		json_str(&w, m->mesh_id);
		json_key(&w, "slug");
		json_str(&w, m->slug);
		json_key(&w, "memberId");
		json_str(&w, m->member_id);
		json_key(&w, "pubkey");
		json_str(&w, m->public_key);
		json_key(&w, "alreadyMember");
		json_bool(&w, already);
		json_object_end(&w);
		cli_print_json(c, b.data, b.len);
		buf_free(&b);
	} else if (!c->quiet)
		fprintf(c->out, "%s %s as %s\n",
		    already ? "You are in" : "Joined",
		    cli_print_safe(c, m->slug), m->public_key);
}

/* Authorities are kept by their full name, for commands of other directories.
 * 0, or an exit status. */
static int
join_tls(struct cli *c, struct cli_mesh *m, struct linnet_tls *tls)
{
	const char *file = cli_given(c, "ca-file");
	char *path;

	if (file != NULL) {
		if ((path = realpath(file, NULL)) == NULL) {
			cli_print_error("%s: %s", file, strerror(errno));
			return EX_NOINPUT;
		}
		cli_config_set(&m->ca_file, path);
		free(path);
	}
	if (m->ca_file[0] != '\0')
		tls->ca_file = m->ca_file;
	return 0;
}

int
cli_join(struct cli *c)
{
	struct linnet_tls tls = { .ca_file = NULL };
	struct linnet_membership *got = NULL;
	struct linnet_invite *invite;
	struct linnet_error e;
	struct cli_config f;
	struct cli_mesh *m;
	const char *link;
	size_t n;
	int status;

	if ((link = cli_args_text(c, 0, &n, &status)) == NULL)
		return status;
	if ((invite = linnet_invite_read(link, &e)) == NULL)
		return cli_print_failure(&e);
	if ((status = cli_config_load(&f, c->config_file, true)) != 0)
		goto fail;
	m = join_mesh(&f, invite);
	if ((status = join_tls(c, m, &tls)) != 0)
		goto fail;
	got = linnet_join(invite, m->public_key, join_name(c, &f), &tls, 0, &e);
	if (got == NULL) {
		status = cli_print_failure(&e);
		goto fail;
	}
	join_fill(m, invite, got);
	if ((status = cli_config_save(&f)) == 0)
		join_print(c, m, got->already);
fail:
	linnet_membership_free(got);
	linnet_invite_free(invite);
	cli_config_free(&f);
	return status;
}
