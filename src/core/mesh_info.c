/* SPDX-License-Identifier: ISC */
/*
 * A mesh in a few numbers and names, and what else later clients of claudemesh
 * ask for when they begin.  What Linnet does not have is empty, as in a mesh
 * that has none of it.
 */
#include <string.h>

#include "core/domain.h"

#define MESH_INFO_KEYS 1000

struct mesh_tasks {
	int64_t open;
	int64_t claimed;
	int64_t done;
};

#define TASK(field) offsetof(struct mesh_tasks, field)
static const struct field task_fields[] = {
	{ "open", F_INT, TASK(open), 0, 0, 0, NULL, NULL, 0, "Always 0." },
	{ "claimed", F_INT, TASK(claimed), 0, 0, 0, NULL, NULL, 0,
	    "Always 0." },
	{ "done", F_INT, TASK(done), 0, 0, 0, NULL, NULL, 0, "Always 0." },
	{ .type = F_END },
};
#undef TASK

struct mesh_group {
	struct slice name;
	struct slice role;
};

static const struct field group_fields[] = {
	{ "name", F_STR, offsetof(struct mesh_group, name), 0, 0, 0, NULL, NULL,
	    0, "Group." },
	{ "role", F_STR, offsetof(struct mesh_group, role), 0, 0, FIELD_OMIT,
	    NULL, NULL, 0, "Role in it." },
	{ .type = F_END },
};

struct mesh_info {
	struct id mesh;
	struct slice slug;
	int64_t peers;
	struct list groups;
	struct list keys;
	int64_t nkeys;
	int64_t memories;
	int64_t files;
	struct mesh_tasks tasks;
	struct list none;
	struct slice name;
	struct list own_groups;
};

#define INFO(field) offsetof(struct mesh_info, field)
static const struct field mesh_info_fields[] = {
	{ "mesh", F_ID, INFO(mesh), 0, 0, 0, NULL, NULL, 0, "The mesh's id." },
	{ "slug", F_STR, INFO(slug), 0, 0, 0, NULL, NULL, 0, "Its name." },
	{ "peers", F_INT, INFO(peers), 0, 0, 0, NULL, NULL, 0,
	    "How many sessions list_peers shows." },
	{ "groups", F_STRS, INFO(groups), 0, 0, 0, NULL, NULL, 0,
	    "Groups that they are in, each with @ before it." },
	{ "stateKeys", F_STRS, INFO(keys), 0, 0, 0, NULL, NULL, 0,
	    "The first 1000 state keys." },
	{ "stateKeyCount", F_INT, INFO(nkeys), 0, 0, 0, NULL, NULL, 0,
	    "How many there are." },
	{ "memoryCount", F_INT, INFO(memories), 0, 0, 0, NULL, NULL, 0,
	    "Memories that are not forgotten." },
	{ "fileCount", F_INT, INFO(files), 0, 0, 0, NULL, NULL, 0,
	    "Always 0." },
	{ "tasks", F_ROW, INFO(tasks), 0, 0, 0, NULL, task_fields,
	    sizeof(struct mesh_tasks), "None here." },
	{ "streams", F_STRS, INFO(none), 0, 0, 0, NULL, NULL, 0, "None here." },
	{ "tables", F_STRS, INFO(none), 0, 0, 0, NULL, NULL, 0, "None here." },
	{ "collections", F_STRS, INFO(none), 0, 0, 0, NULL, NULL, 0,
	    "None here." },
	{ "yourName", F_STR, INFO(name), 0, 0, 0, NULL, NULL, 0,
	    "The asking session's name." },
	{ "yourGroups", F_ROWS, INFO(own_groups), 0, 0, 0, NULL, group_fields,
	    sizeof(struct mesh_group), "Its groups." },
	{ .type = F_END },
};
#undef INFO

static const struct field no_fields[] = {
	{ .type = F_END },
};

static bool
mesh_info_shows(const struct session *s, const struct session *to)
{
	return s->info.live && !s->info.control && (!s->info.hidden || s == to);
}

/* Does anybody in the group show? */
static bool
mesh_info_group(const struct roster_set *set, const struct session *to)
{
	const struct roster_link *l;

	LIST_FOREACH (l, &set->links, entry)
		if (mesh_info_shows(l->session, to))
			return true;
	return false;
}

/* What the roster has of it. */
static void
mesh_info_fill(struct request *r, struct mesh_info *info)
{
	const struct session *to = r->client->session, *s;
	const struct roster *ro = &to->mesh->roster;
	struct slice *groups =
	    pool_alloc(&r->pool, (ro->groups.count + 1) * sizeof(*groups));
	const struct hash_entry *e, *next;
	char *name;
	size_t i;

	info->mesh = to->mesh->id;
	info->name = to->info.name;
	info->own_groups = (struct list){ to->info.groups, to->info.ngroups };
	TAILQ_FOREACH (s, &ro->sessions, entry)
		info->peers += mesh_info_shows(s, to);
	info->groups.v = groups;
	HASH_FOREACH (e, next, i, &ro->groups) {
		if (!mesh_info_group(CONTAINER(e, struct roster_set, hash), to))
			continue;
		name = pool_alloc(&r->pool, e->keylen + 1);
		name[0] = '@';
		memcpy(name + 1, e->key, e->keylen);
		groups[info->groups.n++] =
		    (struct slice){ name, e->keylen + 1 };
	}
}

static void
mesh_info_read(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct mesh_info info;
	struct slice *keys;

	if (op_db_failed(r, res))
		return;
	memset(&info, 0, sizeof(info));
	/* Nobody is there to be told, or the mesh is no more. */
	if (r->client == NULL || r->client->session == NULL ||
	    db_rows(res) == 0) {
		op_fail(r, ERR_NOT_FOUND, "The mesh was archived.");
		return;
	}
	mesh_info_fill(r, &info);
	info.slug = db_text(res, 0, 0);
	keys = pool_alloc(&r->pool, MESH_INFO_KEYS * sizeof(*keys));
	info.keys.v = keys;
	info.keys.n = db_texts(res, 0, 1, keys, MESH_INFO_KEYS);
	info.nkeys = db_int(res, 0, 2);
	info.memories = db_int(res, 0, 3);
	op_reply(r, &info);
}

static void
mesh_info_exec(struct request *r, void *arg)
{
	struct db_params *p = db_params(STMT_mesh_summary);

	(void)arg;
	db_put_id(p, &r->client->session->mesh->id);
	db_put_int(p, MESH_INFO_KEYS);
	db_query(r->core->reads, p, mesh_info_read, r);
}

struct skills_in {
	struct slice query;
};

static const struct field skills_fields[] = {
	{ "query", F_STR, offsetof(struct skills_in, query), 0, 1024, 0, NULL,
	    NULL, 0, "What to look for." },
	{ .type = F_END },
};

static const struct field skill_fields[] = {
	{ "name", F_STR, offsetof(struct skills_in, query), 1, 256,
	    FIELD_REQUIRED, NULL, NULL, 0, "Name." },
	{ .type = F_END },
};

struct skills_out {
	struct list skills;
	struct slice skill;
};

static const struct field skills_out_fields[] = {
	{ "skills", F_STRS, offsetof(struct skills_out, skills), 0, 0, 0, NULL,
	    NULL, 0, "Always empty." },
	{ .type = F_END },
};

static const struct field skill_out_fields[] = {
	{ "skill", F_JSON, offsetof(struct skills_out, skill), 0, 0,
	    FIELD_NULLABLE, NULL, NULL, 0, "Always null: there is no such." },
	{ .type = F_END },
};

static void
skills_exec(struct request *r, void *arg)
{
	const struct skills_out none = { .skills = { NULL, 0 } };

	(void)arg;
	op_reply(r, &none);
}

const struct op op_mesh_info = {
	.name = "mesh_info",
	.scope = SCOPE_PRESENCE_READ,
	.reply = "mesh_info_result",
	.in = no_fields,
	.out = mesh_info_fields,
	.exec = mesh_info_exec,
	.text = "The mesh in a few numbers and names.",
};

const struct op op_list_skills = {
	.name = "list_skills",
	.scope = SCOPE_MEMBER,
	.reply = "skill_list",
	.in = skills_fields,
	.in_size = sizeof(struct skills_in),
	.out = skills_out_fields,
	.exec = skills_exec,
	.text = "Linnet keeps no skills, which is what this says to clients "
		"that ask for them when they begin.",
};

const struct op op_get_skill = {
	.name = "get_skill",
	.scope = SCOPE_MEMBER,
	.reply = "skill_data",
	.in = skill_fields,
	.in_size = sizeof(struct skills_in),
	.out = skill_out_fields,
	.exec = skills_exec,
	.text = "The same for one of them.",
};
