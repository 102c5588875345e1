/* SPDX-License-Identifier: ISC */
/*
 * What becomes of a mesh: limits, name, archived, deleted.  The database is
 * changed first, then the daemons are told: who misses the telling reads the
 * same some time later.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "ctl/ctl.h"

/* In the order of the parameters of mesh_set. */
static const struct mesh_setting {
	const char *option;
	enum conf_at range;
} mesh_settings[] = {
	{ "sessions", CONF_AT_limit_sessions },
	{ "queue", CONF_AT_limit_queue },
	{ "recipient-queue", CONF_AT_limit_recipient_queue },
	{ "state-keys", CONF_AT_limit_state_keys },
	{ "state-bytes", CONF_AT_limit_state_bytes },
	{ "memories", CONF_AT_limit_memories },
	{ "files", CONF_AT_limit_files },
	{ "storage", CONF_AT_limit_storage },
	{ "file-bytes", CONF_AT_limit_file_bytes },
};

/* Puts the new value of a limit; false: it stays. */
static bool
mesh_put_setting(
    const struct ctl *c, struct db_params *p, const struct mesh_setting *set)
{
	const struct conf_option *o = &conf_options[set->range];
	const char *text = ctl_given(c, set->option), *wrong;
	int64_t v;

	if (text == NULL || strcmp(text, "default") == 0) {
		db_put_null(p);
		return text != NULL;
	}
	wrong = o->type == CONF_SIZE ? str_size(text, &v)
				     : str_num(text, o->min, o->max, &v);
	if (wrong == NULL && (v < o->min || v > o->max))
		wrong = v < o->min ? "is too small" : "is too large";
	if (wrong != NULL)
		ctl_fail(EX_USAGE,
		    "--%s \"%s\" %s; it is from %" PRId64 " to %" PRId64
		    ", or default",
		    set->option, text, wrong, o->min, o->max);
	db_put_int(p, v);
	return true;
}

static int64_t
mesh_bits(const struct ctl *c)
{
	int64_t bits = 0;
	size_t i;

	for (i = 0; i < NELEM(mesh_settings); i++)
		if (ctl_given(c, mesh_settings[i].option) != NULL)
			bits |= INT64_C(1) << i;
	return bits;
}

void
ctl_mesh_set(struct ctl *c)
{
	const char *const pairs[] = { "slug", c->args[0], NULL };
	struct db_params *p;
	struct ctl_mesh m;
	size_t i;

	if (mesh_bits(c) == 0)
		ctl_fail(EX_USAGE, "nothing to set; linnetctl help mesh set "
				   "lists what there is");
	ctl_mesh_find(c, &m, c->args[0], CTL_MESH_ARCHIVED);
	p = db_params(STMT_mesh_set);
	db_put_id(p, &m.id);
	db_put_int(p, mesh_bits(c));
	for (i = 0; i < NELEM(mesh_settings); i++)
		(void)mesh_put_setting(c, p, &mesh_settings[i]);
	ctl_query(c, p, NULL, NULL);
	ctl_tell(c, &m.id, NULL);
	ctl_print_done(c, pairs, "mesh %s set; linnetctl mesh show %s says how",
	    m.slug, m.slug);
}

void
ctl_mesh_rename(struct ctl *c)
{
	const char *name = c->args[1];
	const char *const pairs[] = { "slug", c->args[0], "name", name, NULL };
	struct db_params *p;
	struct ctl_mesh m;

	if (!str_is_name(name, strlen(name)) || strlen(name) > 256)
		ctl_fail(EX_DATAERR, "the name of the mesh is no name");
	ctl_mesh_find(c, &m, c->args[0], CTL_MESH_ARCHIVED);
	p = db_params(STMT_mesh_rename);
	db_put_id(p, &m.id);
	db_put_str(p, name);
	ctl_query(c, p, NULL, NULL);
	ctl_print_done(c, pairs, "mesh %s is called %s now", m.slug, name);
}

static void
mesh_archived(void *arg, const struct db_result *r)
{
	int64_t *sessions = arg;

	*sessions = db_rows(r) > 0 ? db_int(r, 0, 0) : -1;
}

void
ctl_mesh_archive(struct ctl *c)
{
	const char *const pairs[] = { "slug", c->args[0], NULL };
	struct db_params *p;
	struct ctl_mesh m;
	int64_t sessions;

	ctl_mesh_find(c, &m, c->args[0], CTL_MESH_ARCHIVED);
	p = db_params(STMT_mesh_archive);
	db_put_id(p, &m.id);
	ctl_query(c, p, mesh_archived, &sessions);
	if (sessions < 0) {
		ctl_print_done(c, pairs, "mesh %s is archived already", m.slug);
		return;
	}
	ctl_tell(c, &m.id, NULL);
	ctl_print_done(c, pairs,
	    "mesh %s archived; sessions that ended: %" PRId64, m.slug,
	    sessions);
}

void
ctl_mesh_unarchive(struct ctl *c)
{
	const char *const pairs[] = { "slug", c->args[0], NULL };
	struct db_params *p;
	struct ctl_mesh m;

	ctl_mesh_find(c, &m, c->args[0], CTL_MESH_ARCHIVED);
	p = db_params(STMT_mesh_unarchive);
	db_put_id(p, &m.id);
	ctl_query(c, p, NULL, NULL);
	ctl_print_done(c, pairs,
	    m.archived ? "mesh %s is open again" : "mesh %s is open", m.slug);
}

/* What goes with a mesh. */
struct mesh_content {
	int64_t members, sessions, queue, keys, memories, files, channels,
	    posts;
};

static void
mesh_content(void *arg, const struct db_result *r)
{
	struct mesh_content *m = arg;

	if (db_rows(r) == 0)
		return;
	m->members = db_int(r, 0, 7);
	m->sessions = db_int(r, 0, 10);
	m->queue = db_int(r, 0, 11);
	m->keys = db_int(r, 0, 13);
	m->memories = db_int(r, 0, 15);
	m->files = db_int(r, 0, 25);
	m->channels = db_int(r, 0, 28);
	m->posts = db_int(r, 0, 29);
}

void
ctl_mesh_delete(struct ctl *c)
{
	const char *const pairs[] = { "slug", c->args[0], NULL };
	struct mesh_content has = { 0 };
	struct db_params *p;
	struct ctl_mesh m;

	ctl_mesh_find(c, &m, c->args[0], CTL_MESH_ARCHIVED);
	p = db_params(STMT_mesh_show);
	db_put_id(p, &m.id);
	ctl_query(c, p, mesh_content, &has);
	ctl_confirm(c, m.slug,
	    "mesh %s goes for good, with all that is in it: members %" PRId64
	    ", sessions %" PRId64 ", messages that wait %" PRId64
	    ", channels %" PRId64 " with messages %" PRId64
	    ", state keys %" PRId64 ", memories %" PRId64 ", files %" PRId64,
	    m.slug, has.members, has.sessions, has.queue, has.channels,
	    has.posts, has.keys, has.memories, has.files);
	p = db_params(STMT_mesh_delete);
	db_put_id(p, &m.id);
	ctl_query(c, p, NULL, NULL);
	ctl_tell(c, &m.id, NULL);
	ctl_print_done(c, pairs, "mesh %s deleted", m.slug);
}
