/* SPDX-License-Identifier: ISC */
/*
 * What a session says of itself, and who is there.
 *
 * A status has a source: a hook of the agent's host knows better than the
 * agent, for as long as its word is fresh.  dnd is the session's own wish and
 * only the session lifts it.  `working` that nobody confirms becomes idle.
 * Whatever made the status admit more, the messages that waited go out.
 */
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"

#define PRESENCE_FRESH_MS 30000

struct set_status_in {
	int status;
};

static const struct field set_status_fields[] = {
	{ "status", F_ENUM, offsetof(struct set_status_in, status), 0, 0,
	    FIELD_REQUIRED, table_statuses, NULL, 0,
	    "idle: everything is pushed; working, dnd: only what is urgent." },
	{ .type = F_END },
};

static const struct field set_status_out_fields[] = {
	{ "status", F_ENUM, offsetof(struct set_status_in, status), 0, 0, 0,
	    table_statuses, NULL, 0, "The status now." },
	{ .type = F_END },
};

struct set_summary_in {
	struct slice summary;
};

static const struct field set_summary_fields[] = {
	{ "summary", F_STR, offsetof(struct set_summary_in, summary), 0, 4096,
	    0, NULL, NULL, 0, "What it works on, in a sentence or two." },
	{ .type = F_END },
};

static const struct field set_summary_out_fields[] = {
	{ "summary", F_STR, offsetof(struct set_summary_in, summary), 0, 0, 0,
	    NULL, NULL, 0, "The summary now." },
	{ .type = F_END },
};

static void
presence_watch(struct session *s, bool on)
{
	/* Those of who has no connection are for jobs. */
	on = on && s->client != NULL;
	if (on && !s->is_busy)
		LIST_INSERT_HEAD(&s->mesh->core->busy, s, busy);
	else if (!on && s->is_busy)
		LIST_REMOVE(s, busy);
	s->is_busy = on;
}

void
presence_opened(struct session *s)
{
	presence_watch(s, s->info.status == STATUS_WORKING);
}

/* Answers the request, if there is one, when all is said. */
static void
presence_set(struct session *s, enum status status, enum status_source source,
    struct request *r)
{
	bool opens = status == STATUS_IDLE && s->info.status != STATUS_IDLE;
	struct set_status_in *out = r != NULL ? r->in : NULL;

	s->status_ms = clock_wall();
	if (out != NULL)
		out->status = (int)status;
	if (s->info.status == status && s->info.source == source &&
	    !visitor_is(&s->info)) {
		if (r != NULL)
			op_reply(r, out);
		return;
	}
	s->info.status = (uint8_t)status;
	s->info.source = (uint8_t)source;
	presence_watch(s, status == STATUS_WORKING);
	session_changed(s, r, out);
	if (opens)
		delivery_drain(s);
}

/* The source that a status has when one says it; the same status from a lower
 * source confirms it and no more. */
static enum status_source
presence_source(
    const struct session *s, enum status status, enum status_source source)
{
	bool fresh = clock_wall() - s->status_ms < PRESENCE_FRESH_MS;

	return status == s->info.status && source < s->info.source && fresh
		   ? s->info.source
		   : source;
}

void
presence_hook(struct session *s, enum status status)
{
	if (s->info.status != STATUS_DND)
		presence_set(
		    s, status, presence_source(s, status, SOURCE_HOOK), NULL);
}

void
presence_tick(struct core *c)
{
	int64_t before = clock_wall() - c->limits.status_ms;
	struct session *s, *next;

	if (c->limits.status_ms == 0)
		return;
	LIST_FOREACH_SAFE (s, &c->busy, busy, next) {
		if (s->status_ms > before)
			continue;
		core_count(c, STATUS_EXPIRED);
		presence_set(s, STATUS_IDLE, SOURCE_NONE, NULL);
	}
}

static void
set_status_exec(struct request *r, void *arg)
{
	const struct set_status_in *in = arg;
	struct session *s = r->client->session;
	enum status status = (enum status)in->status;

	presence_set(s, status, presence_source(s, status, SOURCE_MANUAL), r);
}

static void
set_summary_exec(struct request *r, void *arg)
{
	struct set_summary_in *in = arg;
	struct session *s = r->client->session;
	struct session_info info = s->info;

	if (in->summary.p == NULL)
		in->summary = (struct slice){ "", 0 };
	info.summary = in->summary;
	roster_put(&s->mesh->roster, &info);
	session_changed(s, r, in);
}

struct list_peers_in {
	bool all;
	struct slice group;
};

static const struct field list_peers_fields[] = {
	{ "all", F_BOOL, offsetof(struct list_peers_in, all), 0, 0, 0, NULL,
	    NULL, 0, "Lost sessions that may return, and absent members too." },
	{ "group", F_STR, offsetof(struct list_peers_in, group), 0, 128, 0,
	    NULL, NULL, 0, "Only those in this group." },
	{ .type = F_END },
};

struct peer_group {
	struct slice name;
	struct slice role;
};

static const struct field peer_group_fields[] = {
	{ "name", F_STR, offsetof(struct peer_group, name), 0, 0, 0, NULL, NULL,
	    0, "Group." },
	{ "role", F_STR, offsetof(struct peer_group, role), 0, 0, FIELD_OMIT,
	    NULL, NULL, 0, "Role in it." },
	{ .type = F_END },
};

static const char *const peer_statuses[] = { "idle", "working", "dnd",
	"offline", NULL };
#define PEER_OFFLINE 3

struct peer {
	uint8_t key[CRYPTO_KEY_LEN];
	uint8_t member_key[CRYPTO_KEY_LEN];
	struct slice name;
	int status;
	struct slice summary;
	struct list groups;
	struct slice client_session;
	int64_t connected_ms;
	struct id presence;
	struct id member;
	struct slice role;
	struct slice cwd;
	struct slice hostname;
	struct slice peer_type;
	struct slice model;
	bool visible;
	struct session_more more;
};

#define PEER(field) offsetof(struct peer, field)
static const struct field peer_fields[] = {
	{ "pubkey", F_KEY, PEER(key), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "The session's key, or the member's; to write and encrypt to. "
	    "null: a member that has none." },
	{ "displayName", F_STR, PEER(name), 0, 0, 0, NULL, NULL, 0, "Name." },
	{ "status", F_ENUM, PEER(status), 0, 0, 0, peer_statuses, NULL, 0,
	    "Status." },
	{ "summary", F_STR, PEER(summary), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,
	    "What it works on." },
	{ "groups", F_ROWS, PEER(groups), 0, 0, 0, NULL, peer_group_fields,
	    sizeof(struct peer_group), "Its groups." },
	{ "sessionId", F_STR, PEER(client_session), 0, 0, 0, NULL, NULL, 0,
	    "The client's own id for it." },
	{ "connectedAt", F_TIME, PEER(connected_ms), 0, 0, 0, NULL, NULL, 0,
	    "Since when." },
	{ "presenceId", F_ID, PEER(presence), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "The session." },
	{ "memberId", F_ID, PEER(member), 0, 0, 0, NULL, NULL, 0,
	    "The member." },
	{ "memberPubkey", F_KEY, PEER(member_key), 0, 0, FIELD_NULLABLE, NULL,
	    NULL, 0, "The member's key; null: it has none." },
	{ "role", F_STR, PEER(role), 0, 0, 0, NULL, NULL, 0,
	    "The member's role in the mesh." },
	{ "cwd", F_STR, PEER(cwd), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "Directory." },
	{ "hostname", F_STR, PEER(hostname), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "Host." },
	{ "peerType", F_STR, PEER(peer_type), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "ai, human or connector." },
	{ "model", F_STR, PEER(model), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "Model." },
	{ "sessionRole", F_STR, PEER(more.role), 0, 0, FIELD_OMIT, NULL, NULL,
	    0, "The session's role, as its hello said." },
	{ "channel", F_STR, PEER(more.channel), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "As its hello said." },
	{ "visible", F_BOOL, PEER(visible), 0, 0, 0, NULL, NULL, 0,
	    "false only for the asker, when it is hidden." },
	{ "profile", F_JSON, PEER(more.profile), 0, 0, FIELD_OMIT, NULL, NULL,
	    0, "As set_profile said." },
	{ "stats", F_JSON, PEER(more.stats), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "As set_stats said." },
	{ .type = F_END },
};
#undef PEER

struct list_peers_out {
	struct list peers;
};

static const struct field list_peers_out_fields[] = {
	{ "peers", F_ROWS, offsetof(struct list_peers_out, peers), 0, 0, 0,
	    NULL, peer_fields, sizeof(struct peer),
	    "Connected sessions, oldest first; then those that may return; "
	    "then absent members." },
	{ .type = F_END },
};

static void
peer_fill(struct peer *p, const struct session *s)
{
	static const uint8_t none[CRYPTO_KEY_LEN];
	const struct session_info *i = &s->info;

	memset(p, 0, sizeof(*p));
	memcpy(p->member_key, i->member_key, CRYPTO_KEY_LEN);
	memcpy(p->key,
	    memcmp(i->key, none, sizeof(none)) != 0 ? i->key : i->member_key,
	    CRYPTO_KEY_LEN);
	p->name = i->name;
	p->status = i->live ? i->status : PEER_OFFLINE;
	p->summary = i->summary;
	p->groups = (struct list){ i->groups, i->ngroups };
	p->client_session = i->client_session;
	p->connected_ms = i->connected_ms;
	p->presence = i->id;
	p->member = i->member;
	p->role = i->role;
	p->cwd = i->cwd;
	p->hostname = i->hostname;
	p->peer_type = i->peer_type;
	p->model = i->model;
	p->visible = !i->hidden;
	if (i->more != NULL)
		p->more = *i->more;
}

/* Who is hidden sees itself. */
static bool
peer_is_shown(const struct session *s, const struct session *to)
{
	return !s->info.control && (!s->info.hidden || s == to);
}

static bool
peer_member_is_shown(const struct roster_set *set, const struct session *to)
{
	const struct roster_link *l;

	if (set != NULL)
		LIST_FOREACH (l, &set->links, entry)
			if (l->session->info.live &&
			    peer_is_shown(l->session, to))
				return true;
	return false;
}

static bool
peer_in_group(const struct session *s, const struct roster_set *group)
{
	size_t i;

	for (i = 0; i < s->ngroups; i++)
		if (s->groups[i].set == group)
			return true;
	return false;
}

static int
peer_cmp(const void *va, const void *vb)
{
	const struct peer *a = va, *b = vb;

	if (a->connected_ms != b->connected_ms)
		return a->connected_ms < b->connected_ms ? -1 : 1;
	return memcmp(a->presence.b, b->presence.b, ID_LEN);
}

/* Adds the connected ones, or those that were lost; of a group, or of all.  The
 * roster has them as this process heard of them. */
static size_t
peers_add(struct peer *peers, size_t n, const struct session *to, bool live,
    const struct roster_set *group)
{
	const struct session *s;
	struct peer *first = peers + n;

	TAILQ_FOREACH (s, &to->mesh->roster.sessions, entry)
		if (s->info.live == live && peer_is_shown(s, to) &&
		    (group == NULL || peer_in_group(s, group)))
			peer_fill(&peers[n++], s);
	qsort(first, (size_t)(peers + n - first), sizeof(*first), peer_cmp);
	return n;
}

/* Room for all of the roster and some more.  Messages by name are held for who
 * may return, so who looks up names with `all` is told of them. */
static struct peer *
peers_present(
    struct request *r, const struct list_peers_in *in, size_t more, size_t *n)
{
	const struct session *to = r->client->session;
	const struct roster *ro = &to->mesh->roster;
	const struct roster_set *group = NULL;
	struct peer *peers;

	peers =
	    pool_alloc(&r->pool, (ro->by_id.count + more + 1) * sizeof(*peers));
	*n = 0;
	if (in->group.n > 0 &&
	    (group = roster_group(ro, in->group.p, in->group.n)) == NULL)
		return peers;
	*n = peers_add(peers, *n, to, true, group);
	if (in->all)
		*n = peers_add(peers, *n, to, false, group);
	return peers;
}

/* member_list has every member; those without a session are added. */
static void
peers_absent(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct list_peers_out out;
	struct peer *peers, *p;
	const struct roster_set *set;
	struct slice key;
	struct id id;
	size_t i, n;

	if (op_db_failed(r, res))
		return;
	if (r->client == NULL) {
		op_fail(r, ERR_UNAVAILABLE, NULL);
		return;
	}
	peers = peers_present(r, r->in, db_rows(res), &n);
	for (i = 0; i < db_rows(res); i++) {
		db_id(res, i, 0, &id);
		set = roster_member(&r->client->session->mesh->roster, &id);
		if (!db_null(res, i, 5) ||
		    peer_member_is_shown(set, r->client->session))
			continue;
		p = &peers[n++];
		memset(p, 0, sizeof(*p));
		p->member = id;
		p->name = db_text(res, i, 1);
		p->status = PEER_OFFLINE;
		p->visible = true;
		p->role = db_text(res, i, 3);
		p->client_session = (struct slice){ "", 0 };
		key = db_bytes(res, i, 2);
		if (key.n == CRYPTO_KEY_LEN) {
			memcpy(p->key, key.p, key.n);
			memcpy(p->member_key, key.p, key.n);
		}
	}
	out.peers = (struct list){ peers, n };
	op_reply(r, &out);
}

static void
list_peers_exec(struct request *r, void *arg)
{
	const struct list_peers_in *in = arg;
	struct list_peers_out out;
	struct db_params *p;

	if (in->all && in->group.n == 0) {
		p = db_params(STMT_member_list);
		db_put_id(p, &r->client->session->mesh->id);
		db_query(r->core->reads, p, peers_absent, r);
		return;
	}
	out.peers.v = peers_present(r, in, 0, &out.peers.n);
	op_reply(r, &out);
}

const struct op op_set_status = {
	.name = "set_status",
	.scope = SCOPE_PRESENCE_WRITE,
	.reply = "status",
	.flags = OP_QUIET | OP_PRESENCE,
	.in = set_status_fields,
	.in_size = sizeof(struct set_status_in),
	.out = set_status_out_fields,
	.exec = set_status_exec,
	.text = "Say whether the session may be disturbed.",
};

const struct op op_set_summary = {
	.name = "set_summary",
	.scope = SCOPE_PRESENCE_WRITE,
	.reply = "summary",
	.flags = OP_QUIET | OP_PRESENCE,
	.in = set_summary_fields,
	.in_size = sizeof(struct set_summary_in),
	.out = set_summary_out_fields,
	.exec = set_summary_exec,
	.text = "Say what the session works on.",
};

const struct op op_list_peers = {
	.name = "list_peers",
	.scope = SCOPE_PRESENCE_READ,
	.reply = "peers_list",
	.in = list_peers_fields,
	.in_size = sizeof(struct list_peers_in),
	.out = list_peers_out_fields,
	.exec = list_peers_exec,
	.text = "Who is connected to the mesh.",
};
