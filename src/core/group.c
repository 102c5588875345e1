/* SPDX-License-Identifier: ISC */
/*
 * Groups of a session: labels by which messages find it.  Roles are free
 * words, which nobody here interprets.
 */
#include <string.h>

#include "core/domain.h"

struct group_in {
	struct slice name;
	struct slice role;
};

static const struct field join_group_fields[] = {
	{ "name", F_NAME, offsetof(struct group_in, name), 1, 128,
	    FIELD_REQUIRED | FIELD_LIMIT(LIMIT_GROUP_NAME), NULL, NULL, 0,
	    "Group; a/b is below a." },
	{ "role", F_STR, offsetof(struct group_in, role), 0, 128, 0, NULL, NULL,
	    0, "The session's role in it." },
	{ .type = F_END },
};

static const struct field leave_group_fields[] = {
	{ "name", F_NAME, offsetof(struct group_in, name), 1, 128,
	    FIELD_REQUIRED, NULL, NULL, 0, "Group." },
	{ .type = F_END },
};

static const struct field row_fields[] = {
	{ "name", F_STR, offsetof(struct group_in, name), 0, 0, 0, NULL, NULL,
	    0, "Group." },
	{ "role", F_STR, offsetof(struct group_in, role), 0, 0, FIELD_OMIT,
	    NULL, NULL, 0, "Role." },
	{ .type = F_END },
};

struct group_out {
	struct list groups;
};

static const struct field group_out_fields[] = {
	{ "groups", F_ROWS, offsetof(struct group_out, groups), 0, 0, 0, NULL,
	    row_fields, sizeof(struct group_in), "The session's groups now." },
	{ .type = F_END },
};

static bool
group_same(struct slice a, struct slice b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* Each of its sessions stands in the groups above it too. */
#define GROUP_DEPTH 8

/* No empty part: not "/a", "a/" or "a//b"; no '@', which marks a group. */
static bool
group_is_name(struct slice s)
{
	size_t i, depth = 1;

	if (s.n == 0 || s.p[0] == '/' || s.p[s.n - 1] == '/' || s.p[0] == '@')
		return false;
	for (i = 1; i < s.n; i++) {
		if (s.p[i] != '/')
			continue;
		if (s.p[i - 1] == '/' || ++depth > GROUP_DEPTH)
			return false;
	}
	return true;
}

enum err
group_check(struct request *r, const struct slice *groups, size_t n)
{
	size_t i, k;

	if ((int64_t)n > r->core->limits.groups) {
		r->error_limit = r->core->limits.groups;
		r->error_used = (int64_t)n;
		return op_error(r, ERR_QUOTA,
		    "A session may be in %lld groups, this would be %zu.",
		    (long long)r->core->limits.groups, n);
	}
	for (i = 0; i < n; i++) {
		if (!group_is_name(groups[2 * i]))
			return op_error(r, ERR_MALFORMED,
			    "\"" SLICE_FMT "\" is no name for a group: it "
			    "begins with @ or /, ends with /, or has // or "
			    "more than %d parts.",
			    SLICE_ARG(groups[2 * i]), GROUP_DEPTH);
		for (k = 0; k < i; k++)
			if (group_same(groups[2 * i], groups[2 * k]))
				return op_error(r, ERR_MALFORMED,
				    "The group \"" SLICE_FMT
				    "\" is there twice.",
				    SLICE_ARG(groups[2 * i]));
	}
	return ERR_NONE;
}

/* Puts new groups into the roster, tells of them, and answers. */
static void
group_set(struct request *r, struct slice *groups, size_t n)
{
	struct session *s = r->client->session;
	struct session_info info = s->info;
	struct group_out *out = pool_alloc(&r->pool, sizeof(*out));
	size_t i;

	/* Some of them are texts of the entry that is about to change. */
	for (i = 0; i < 2 * n; i++)
		groups[i].p = pool_dup(&r->pool, groups[i].p, groups[i].n);
	info.groups = groups;
	info.ngroups = n;
	roster_put(&s->mesh->roster, &info);
	out->groups = (struct list){ groups, n };
	session_changed(s, r, out);
}

static void
join_group_exec(struct request *r, void *arg)
{
	const struct group_in *in = arg;
	struct session *s = r->client->session;
	const struct session_info *i = &s->info;
	struct slice *groups =
	    pool_alloc(&r->pool, (2 * i->ngroups + 2) * sizeof(*groups));
	size_t k, n = i->ngroups;

	if (n > 0)
		memcpy(groups, i->groups, 2 * n * sizeof(*groups));
	for (k = 0; k < n; k++)
		if (group_same(groups[2 * k], in->name))
			break;
	groups[2 * k] = in->name;
	groups[2 * k + 1] =
	    in->role.p != NULL ? in->role : (struct slice){ "", 0 };
	if (k == n)
		n++;
	if (group_check(r, groups, n) != ERR_NONE) {
		op_fail(r, r->error, NULL);
		return;
	}
	group_set(r, groups, n);
	/* What was sent to the group while it was away may wait. */
	delivery_drain(s);
}

static void
leave_group_exec(struct request *r, void *arg)
{
	const struct group_in *in = arg;
	const struct session_info *i = &r->client->session->info;
	struct slice *groups =
	    pool_alloc(&r->pool, (2 * i->ngroups + 1) * sizeof(*groups));
	size_t k, n = 0;

	for (k = 0; k < i->ngroups; k++) {
		if (group_same(i->groups[2 * k], in->name))
			continue;
		groups[2 * n] = i->groups[2 * k];
		groups[2 * n + 1] = i->groups[2 * k + 1];
		n++;
	}
	group_set(r, groups, n);
}

const struct op op_join_group = {
	.name = "join_group",
	.scope = SCOPE_PRESENCE_WRITE,
	.reply = "groups",
	.flags = OP_QUIET | OP_PRESENCE,
	.in = join_group_fields,
	.in_size = sizeof(struct group_in),
	.out = group_out_fields,
	.exec = join_group_exec,
	.text = "Enter a group, or change the role in it.",
};

const struct op op_leave_group = {
	.name = "leave_group",
	.scope = SCOPE_PRESENCE_WRITE,
	.reply = "groups",
	.flags = OP_QUIET | OP_PRESENCE,
	.in = leave_group_fields,
	.in_size = sizeof(struct group_in),
	.out = group_out_fields,
	.exec = leave_group_exec,
	.text = "Leave a group; not being in it is fine.",
};
