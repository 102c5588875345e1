/* SPDX-License-Identifier: ISC */
/*
 * set status, summary, visible, profile: what a member says of itself.  A
 * session of one command ends with it, and so would what it says; it is kept
 * in the configuration, for every inbox to say, and one that follows sees when
 * the configuration changes.
 */
#include "cli/cli.h"

#include <string.h>
#include <sysexits.h>

#define PRESENCE_CAPABILITIES 32

static void
presence_said(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct cli *c = arg;

	(void)l;
	if (reply->error != NULL)
		cli_print_note(c, "%s", reply->error->message);
}

/* The lines of a text; good as long as the text. */
static const char *const *
presence_lines(struct cli *c, const char *text)
{
	const char **lines =
	    pool_alloc(&c->pool, (PRESENCE_CAPABILITIES + 1) * sizeof(*lines));
	size_t n = 0, len;

	for (; *text != '\0' && n < PRESENCE_CAPABILITIES;
	     text += len + (text[len] != '\0')) {
		len = strcspn(text, "\n");
		lines[n++] = pool_strndup(&c->pool, text, len);
	}
	lines[n] = NULL;
	return lines;
}

void
cli_presence_say(struct cli *c, struct linnet *l, const struct cli_mesh *m)
{
	const struct linnet_profile profile = {
		.avatar = m->avatar,
		.title = m->title,
		.bio = m->bio,
		.capabilities = presence_lines(c, m->capabilities),
	};

	/* What cannot be asked now is asked when it connects again. */
	if (m->status[0] != '\0')
		(void)linnet_set_status(l, m->status, presence_said, c);
	if (m->summary[0] != '\0')
		(void)linnet_set_summary(l, m->summary, presence_said, c);
	if (m->visible[0] != '\0')
		(void)linnet_set_visible(
		    l, strcmp(m->visible, "no") != 0, presence_said, c);
	if (m->avatar[0] != '\0' || m->title[0] != '\0' || m->bio[0] != '\0' ||
	    m->capabilities[0] != '\0')
		(void)linnet_set_profile(l, &profile, presence_said, c);
}

/* One change of the configuration, under its lock. */
static int
presence_change(struct cli *c,
    void (*change)(struct cli *c, struct cli_mesh *m, const char *text),
    const char *text)
{
	struct cli_config f;
	struct cli_mesh *m;
	int status;

	if ((status = cli_config_load(&f, c->config_file, true)) == 0 &&
	    (m = cli_config_mesh(&f, c->mesh, &status)) != NULL) {
		change(c, m, text);
		if ((status = cli_config_save(&f)) == 0)
			cli_print_note(c, "every inbox says so from now on");
	}
	cli_config_free(&f);
	return status;
}

static void
change_status(struct cli *c, struct cli_mesh *m, const char *text)
{
	(void)c;
	cli_config_set(&m->status, text);
}

int
cli_set_status(struct cli *c)
{
	return presence_change(c, change_status, c->argv[0]);
}

static void
change_summary(struct cli *c, struct cli_mesh *m, const char *text)
{
	(void)c;
	cli_config_set(&m->summary, text);
}

int
cli_set_summary(struct cli *c)
{
	const char *text;
	size_t n;
	int status;

	if ((text = cli_args_text(c, 0, &n, &status)) == NULL)
		return status;
	return presence_change(c, change_summary, text);
}

static void
change_visible(struct cli *c, struct cli_mesh *m, const char *text)
{
	(void)c;
	cli_config_set(&m->visible, text);
}

int
cli_set_visible(struct cli *c)
{
	return presence_change(c, change_visible, c->argv[0]);
}

/* What is not given stays. */
static void
change_profile(struct cli *c, struct cli_mesh *m, const char *text)
{
	const char *const *can = cli_given_all(c, "capability");
	struct {
		const char *option;
		char **field;
	} texts[] = {
		{ "avatar", &m->avatar },
		{ "title", &m->title },
		{ "bio", &m->bio },
	};
	struct buf b;
	size_t i;

	(void)text;
	for (i = 0; i < NELEM(texts); i++)
		if (cli_given(c, texts[i].option) != NULL)
			cli_config_set(
			    texts[i].field, cli_given(c, texts[i].option));
	if (can == NULL)
		return;
	buf_init(&b, SIZE_MAX / 2);
	for (; *can != NULL; can++)
		buf_addf(&b, "%s%s", b.len > 0 ? "\n" : "", *can);
	cli_config_set(&m->capabilities, b.len > 0 ? buf_str(&b) : "");
	buf_free(&b);
}

int
cli_set_profile(struct cli *c)
{
	if (c->line.ngiven == 0) {
		cli_print_error("what? Say --title, --bio, --avatar or "
				"--capability; empty words take one away");
		return EX_USAGE;
	}
	return presence_change(c, change_profile, NULL);
}
