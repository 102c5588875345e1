/* SPDX-License-Identifier: ISC */
/*
 * Members of channels.  Of a public one they say who takes part; of a private
 * one, who may know of it.
 */
#include <limits.h>
#include <string.h>

#include "core/grant.h"

#define MEMBERS_PAGE 100
#define MEMBERS_PAGE_MAX 500
#define MEMBERS_NEXT (ID_HEX_LEN + 1) /* then the name */

static const char *const channel_roles[] = { "member", "admin", "owner", NULL };

struct join_in {
	struct slice channel;
	struct slice member;
	int role;
	struct slice word; /* the same, in the client's own */
};

#define IN(field) offsetof(struct join_in, field)
#define CHANNEL_FIELD                                                  \
	{ "channel", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX,         \
		FIELD_REQUIRED | FIELD_MESH, NULL, NULL, 0,            \
		"Channel: its id, or its name." },                     \
	{                                                              \
		"channelId", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX, \
		    FIELD_REQUIRED | FIELD_REST, NULL, NULL, 0,        \
		    "Channel: its id, or its name."                    \
	}
#define MEMBER_FIELD                                                        \
	{ "member", F_STR, IN(member), 1, 256, FIELD_REQUIRED | FIELD_MESH, \
		NULL, NULL, 0, "Who: a member's id, key or name." },        \
	{                                                                   \
		"actorId", F_STR, IN(member), 1, 256,                       \
		    FIELD_REQUIRED | FIELD_REST, NULL, NULL, 0,             \
		    "Who: a member's id, key or name."                      \
	}
static const struct field join_fields[] = {
	CHANNEL_FIELD,
	{ .type = F_END },
};
static const struct field add_fields[] = {
	CHANNEL_FIELD,
	MEMBER_FIELD,
	{ "role", F_ENUM, IN(role), 0, 0, FIELD_MESH, channel_roles, NULL, 0,
	    "What it is there; member when absent." },
	{ "role", F_NAME, IN(word), 1, 64, FIELD_REST, NULL, NULL, 0,
	    "What it is there; member when absent. owner and admin manage "
	    "the channel, any other word is as member." },
	{ .type = F_END },
};
static const struct field remove_fields[] = {
	CHANNEL_FIELD,
	MEMBER_FIELD,
	{ .type = F_END },
};
#undef IN

struct join_out {
	bool ok;
	struct id channel;
	struct id member;
	struct slice role;
	bool changed;
};

#define OUT(field) offsetof(struct join_out, field)
static const struct field join_out_fields[] = {
	{ "ok", F_BOOL, OUT(ok), 0, 0, FIELD_REST, NULL, NULL, 0, "true." },
	{ "channelId", F_ID, OUT(channel), 0, 0, 0, NULL, NULL, 0,
	    "The channel." },
	{ "memberId", F_ID, OUT(member), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "The member." },
	{ "actorId", F_ID, OUT(member), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The member." },
	{ "role", F_STR, OUT(role), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "What it is there now; null: no member." },
	{ "changed", F_BOOL, OUT(changed), 0, 0, 0, NULL, NULL, 0,
	    "It was not that before." },
	{ .type = F_END },
};
#undef OUT

/* A change of who is in a channel, of the request's pool. */
struct joining {
	struct request *request;
	struct channel *channel;
	struct id mesh;
	struct id by;
	struct join_out out;
	char at[CLOCK_RFC3339_LEN + 1];
};

static void
join_line(struct db_params *row, const struct joining *j)
{
	const struct join_out *o = &j->out;
	struct journal_line l;

	journal_begin(&l, row);
	json_key(&l.w, "actorId");
	json_id(&l.w, &o->member);
	if (o->role.p != NULL) {
		json_key(&l.w, "addedByActorId");
		json_id(&l.w, &j->by);
	}
	json_key(&l.w, "channelId");
	json_id(&l.w, &o->channel);
	json_key(&l.w, "orgId");
	json_id(&l.w, &j->mesh);
	if (o->role.p == NULL) {
		json_key(&l.w, "removedByActorId");
		json_id(&l.w, &j->by);
	}
	json_key(&l.w, "role");
	if (o->role.p != NULL)
		json_strn(&l.w, o->role.p, o->role.n);
	else
		json_null(&l.w);
	json_key(&l.w, "scope");
	json_str(&l.w, "channel");
	journal_end(&l, 0, "membership.updated");
}

/* Those who follow it read the entry, and so learn whether they still may. */
static void
join_tell(struct core *c, const struct joining *j, int64_t n)
{
	struct entry e = { .mesh = j->mesh, .channel = j->out.channel, .n = n };

	follow_news(c, &e.channel, e.n);
	event_entry(c, &e);
}

static void
joined(void *arg, const struct db_result *res)
{
	struct joining *j = arg;
	struct request *r = j->request;
	const struct join_in *in = r->in;

	if (op_db_failed(r, res))
		return;
	switch (db_int(res, 0, 0)) {
	case 0:
		break;
	case 1:
		channel_unknown(r, in->channel);
		return;
	case 2:
		op_deny(r, SCOPE_CHANNEL_ADMIN, "channel", &j->out.channel);
		return;
	default:
		op_fail(r, ERR_UNKNOWN_TARGET, "That member is gone.");
		return;
	}
	j->out.changed = db_bool(res, 0, 1);
	if (j->out.changed)
		join_tell(r->core, j, db_int(res, 0, 2));
	op_reply(r, &j->out);
}

static void
join_store(struct joining *j)
{
	struct request *r = j->request;
	struct id about = j->out.channel;
	struct db_params *p;
	size_t i;

	for (i = 0; i < ID_LEN; i++)
		about.b[i] ^= j->out.member.b[i];
	clock_format(clock_wall(), j->at);
	p = journal_row(r->core, STMT_channel_join, &j->mesh, joined, j);
	db_alone(p, &about);
	db_put_id(p, &j->mesh);
	db_put_id(p, &j->out.channel);
	db_put_id(p, &j->out.member);
	db_put_id(p, &j->by);
	db_put_text(p, j->out.role.p, j->out.role.n);
	db_put_str(p, j->at);
	db_put_bool(p, grant_has(r->client, SCOPE_CHANNEL_ADMIN));
	db_put_bool(p, grant_owns(r->client));
	join_line(p, j);
}

static struct joining *
join_begin(struct request *r, struct channel *c, const char *role)
{
	const struct session *s = r->client->session;
	struct joining *j = pool_zalloc(&r->pool, sizeof(*j));

	j->out.ok = true;
	j->request = r;
	j->channel = c;
	j->mesh = s->mesh->id;
	j->by = s->info.member;
	j->out.channel = channel_is_thread(c) ? c->root : c->id;
	j->out.member = j->by;
	if (role != NULL)
		j->out.role = (struct slice){ role, strlen(role) };
	r->context = j;
	return j;
}

static void
join_found(struct request *r, struct channel *c)
{
	struct joining *j = join_begin(r, c, channel_roles[0]);

	/* Who is in it keeps its role. */
	if (c->role.p != NULL)
		j->out.role = c->role;
	join_store(j);
}

static void
leave_found(struct request *r, struct channel *c)
{
	join_store(join_begin(r, c, NULL));
}

static void
add_named(struct request *r, const struct member *m)
{
	struct joining *j = r->context;

	j->out.member = m->id;
	join_store(j);
}

static void
add_found(struct request *r, struct channel *c)
{
	const struct join_in *in = r->in;
	struct joining *j;

	j = join_begin(r, c, channel_roles[in->role]);
	if (in->word.n > 0)
		j->out.role = in->word;
	member_named(r, in->member, add_named);
}

static void
remove_found(struct request *r, struct channel *c)
{
	const struct join_in *in = r->in;

	(void)join_begin(r, c, NULL);
	member_named(r, in->member, add_named);
}

#define JOIN_EXEC(what)                                       \
	static void what##_exec(struct request *r, void *arg) \
	{                                                     \
		const struct join_in *in = arg;               \
                                                              \
		channel_find(r, in->channel, what##_found);   \
	}
JOIN_EXEC(join)
JOIN_EXEC(leave)
JOIN_EXEC(add)
JOIN_EXEC(remove)

/*
 * list_channel_members
 */
struct members_in {
	struct slice channel;
	int64_t limit;
	struct slice after;
};

#define IN(field) offsetof(struct members_in, field)
static const struct field members_fields[] = {
	CHANNEL_FIELD,
	{ "limit", F_INT, IN(limit), 1, MEMBERS_PAGE_MAX, FIELD_MESH, NULL,
	    NULL, 0, "At most so many; 100 when absent." },
	{ "limit", F_INT, IN(limit), 1, MEMBERS_PAGE_MAX,
	    FIELD_REST | FIELD_CLAMP, NULL, NULL, 0,
	    "At most so many; 500 when absent." },
	{ "after", F_STR, IN(after), MEMBERS_NEXT, 1024, 0, NULL, NULL, 0,
	    "Only who comes after: next of the page before." },
	{ .type = F_END },
};
#undef IN

struct member_row {
	struct id id;
	struct slice name;
	struct slice role;
	int64_t joined_ms;
	bool online;
	struct slice status;
};

#define ROW(field) offsetof(struct member_row, field)
static const struct field member_row_fields[] = {
	{ "memberId", F_ID, ROW(id), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "The member." },
	{ "actorId", F_ID, ROW(id), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "The member." },
	{ "name", F_STR, ROW(name), 0, 0, 0, NULL, NULL, 0, "Its name." },
	{ "role", F_STR, ROW(role), 0, 0, 0, NULL, NULL, 0,
	    "What it is there." },
	{ "joinedAt", F_TIME, ROW(joined_ms), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "Since when." },
	{ "createdAt", F_TIME, ROW(joined_ms), 0, 0, FIELD_REST, NULL, NULL, 0,
	    "Since when." },
	{ "online", F_BOOL, ROW(online), 0, 0, 0, NULL, NULL, 0,
	    "It has a session that others see." },
	{ "status", F_STR, ROW(status), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "The most idle one of its sessions: idle, working or dnd." },
	{ .type = F_END },
};
#undef ROW

struct members_out {
	struct id channel;
	struct list members;
	struct slice next;
};

#define OUT(field) offsetof(struct members_out, field)
static const struct field members_out_fields[] = {
	{ "channelId", F_ID, OUT(channel), 0, 0, 0, NULL, NULL, 0,
	    "The channel." },
	{ "members", F_ROWS, OUT(members), 0, 0, 0, NULL, member_row_fields,
	    sizeof(struct member_row), "By name." },
	{ "next", F_STR, OUT(next), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "There are more: after for the next page." },
	{ .type = F_END },
};
#undef OUT

static int64_t
members_limit(const struct request *r)
{
	const struct members_in *in = r->in;

	return op_page(r, in->limit, MEMBERS_PAGE, MEMBERS_PAGE_MAX);
}

/* Is the member there, as its peers may know? */
static void
members_presence(const struct mesh *m, struct member_row *row)
{
	const struct roster_set *set = roster_member(&m->roster, &row->id);
	const struct roster_link *l;
	const struct session_info *i;
	unsigned status = UINT_MAX;

	if (set == NULL)
		return;
	LIST_FOREACH (l, &set->links, entry) {
		i = &l->session->info;
		if (i->live && !i->hidden && !i->control && i->status < status)
			status = i->status;
	}
	row->online = status != UINT_MAX;
	if (!row->online)
		return;
	row->status.p = table_statuses[status];
	row->status.n = strlen(row->status.p);
}

static void
members_found(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct members_out *out = r->context;
	size_t i, n, limit = (size_t)members_limit(r);
	struct member_row *rows;
	char hex[ID_HEX_LEN + 1], *next;

	if (op_db_failed(r, res))
		return;
	n = db_rows(res) < limit ? db_rows(res) : limit;
	rows = pool_zalloc(&r->pool, (n + 1) * sizeof(*rows));
	for (i = 0; i < n; i++) {
		db_id(res, i, 0, &rows[i].id);
		rows[i].name = db_text(res, i, 1);
		rows[i].role = db_text(res, i, 3);
		rows[i].joined_ms = db_time(res, i, 4);
		if (r->client != NULL)
			members_presence(r->client->session->mesh, &rows[i]);
	}
	out->members = (struct list){ rows, n };
	if (db_rows(res) > limit) {
		next = pool_printf(&r->pool, "%s " SLICE_FMT,
		    id_hex(&rows[n - 1].id, hex), SLICE_ARG(rows[n - 1].name));
		out->next = (struct slice){ next, strlen(next) };
	}
	op_reply(r, out);
}

static void
members_channel(struct request *r, struct channel *c)
{
	const struct members_in *in = r->in;
	struct members_out *out = pool_zalloc(&r->pool, sizeof(*out));
	struct db_params *p;
	struct slice name = { "", 0 };
	struct id after;
	char *folded;

	memset(&after, 0, sizeof(after));
	if (in->after.n > 0) {
		if (id_parse(&after, in->after.p, ID_HEX_LEN) != 0) {
			op_fail(
			    r, ERR_MALFORMED, "after is no next of a page.");
			return;
		}
		name = (struct slice){ in->after.p + MEMBERS_NEXT,
			in->after.n - MEMBERS_NEXT };
	}
	folded = pool_alloc(&r->pool, 2 * name.n + 1);
	out->channel = c->id;
	r->context = out;
	p = db_params(STMT_channel_members);
	db_put_id(p, &c->id);
	db_put_id(p, &r->client->session->info.member);
	db_put_text(p, folded, str_fold(folded, name.p, name.n));
	db_put_id(p, &after);
	db_put_int(p, members_limit(r) + 1);
	db_query(r->core->reads, p, members_found, r);
}

static void
members_exec(struct request *r, void *arg)
{
	const struct members_in *in = arg;

	channel_find(r, in->channel, members_channel);
}

const struct op op_join_channel = {
	.name = "join_channel",
	.scope = SCOPE_CHANNELS_WRITE,
	.rest = { "POST /v1/channels/{channelId}/join" },
	.reply = "channel_membership",
	.in = join_fields,
	.in_size = sizeof(struct join_in),
	.out = join_out_fields,
	.exec = join_exec,
	.text = "Be a member of a channel that you see.",
};

const struct op op_leave_channel = {
	.name = "leave_channel",
	.scope = SCOPE_CHANNELS_WRITE,
	.rest = { "POST /v1/channels/{channelId}/leave" },
	.reply = "channel_membership",
	.in = join_fields,
	.in_size = sizeof(struct join_in),
	.out = join_out_fields,
	.exec = leave_exec,
	.text = "Be no member of a channel any more; who leaves a private one "
		"does not see it again.",
};

const struct op op_add_channel_member = {
	.name = "add_channel_member",
	.scope = SCOPE_CHANNEL_ADMIN,
	.rest = { "POST /v1/channels/{channelId}/members" },
	.reply = "channel_membership",
	.flags = OP_GRANTABLE,
	.in = add_fields,
	.in_size = sizeof(struct join_in),
	.out = join_out_fields,
	.exec = add_exec,
	.text = "Make somebody a member of a channel, or give it another role "
		"there; for its owners and admins.",
};

const struct op op_remove_channel_member = {
	.name = "remove_channel_member",
	.scope = SCOPE_CHANNEL_ADMIN,
	.rest = { "DELETE /v1/channels/{channelId}/members/{actorId}" },
	.reply = "channel_membership",
	.flags = OP_GRANTABLE,
	.in = remove_fields,
	.in_size = sizeof(struct join_in),
	.out = join_out_fields,
	.exec = remove_exec,
	.text = "Take somebody out of a channel; for its owners and admins.",
};

const struct op op_list_channel_members = {
	.name = "list_channel_members",
	.scope = SCOPE_CHANNELS_READ,
	.rest = { "GET /v1/channels/{channelId}/members" },
	.reply = "channel_members",
	.in = members_fields,
	.in_size = sizeof(struct members_in),
	.out = members_out_fields,
	.exec = members_exec,
	.text = "Who is in a channel.",
};
