/* SPDX-License-Identifier: ISC */
/*
 * Keeping order: sessions are ended (kick, disconnect), members are banned.
 *
 * Who ended the session of another process is answered when that process has
 * said that it is over, or, of one that was not stale after all, what it did
 * last: only the process that has a session knows that for certain.  The
 * journal has it before it is done.
 *
 * Nobody acts on a greater role than its own, nor on itself.
 */
#include <string.h>

#include "core/channel.h"

#define MODERATION_REASON_MAX 200
#define MODERATION_WAIT_MS 2000
#define MODERATION_BANS_MAX 10000
#define MODERATION_KEY_HEX (2 * CRYPTO_KEY_LEN)

struct kick_in {
	struct slice target;
	int64_t stale_ms;
	bool all;
	struct slice reason;
};

#define IN(field) offsetof(struct kick_in, field)
static const struct field kick_fields[] = {
	{ "target", F_STR, IN(target), 1, 256, 0, NULL, NULL, 0,
	    "Session or member: an id, a public key or a name. This, stale or "
	    "all must be there." },
	{ "stale", F_INT, IN(stale_ms), 1, INT64_MAX, 0, NULL, NULL, 0,
	    "Sessions that asked for nothing for so many milliseconds." },
	{ "all", F_BOOL, IN(all), 0, 0, 0, NULL, NULL, 0,
	    "true: all sessions that the role allows." },
	{ "reason", F_STR, IN(reason), 0, MODERATION_REASON_MAX, 0, NULL, NULL,
	    0, "Told with the close code." },
	{ .type = F_END },
};
#undef IN

struct kick_out {
	struct list names;
	int64_t affected;
	int64_t skipped;
};

#define OUT(field) offsetof(struct kick_out, field)
static const struct field kick_out_fields[] = {
	{ "kicked", F_STRS, OUT(names), 0, 0, 0, NULL, NULL, 0,
	    "Names of the sessions that ended." },
	{ "affected", F_INT, OUT(affected), 0, 0, 0, NULL, NULL, 0,
	    "How many they are." },
	{ "skipped_control_plane", F_INT, OUT(skipped), 0, 0, FIELD_OMIT, NULL,
	    NULL, 0,
	    "Sessions that are connected to do something, and were left "
	    "alone; a key or an id ends them too." },
	{ .type = F_END },
};
#undef OUT

/* A session that has to end. */
struct kick_one {
	struct id id;
	struct id member;
	uint64_t ref;
	struct slice name;
};

struct kick {
	TAILQ_ENTRY(kick) entry;
	struct request *request;
	struct id mesh;
	enum err why;
	struct slice reason;
	int64_t before_ms; /* active since then: not stale; 0: all the same */
	int64_t deadline_ms;
	struct kick_one *v;
	size_t n;
	int64_t skipped;
	bool found;    /* somebody is meant */
	bool outranks; /* somebody whose role is greater */
	bool self;
};

static bool
moderation_is_active(const struct session *s, int64_t before_ms)
{
	return before_ms != 0 && s->info.active_ms > before_ms;
}

void
moderation_told(struct core *c, const struct id *mesh, const struct id *id,
    uint64_t ref, enum err why, int64_t before_ms, struct slice reason)
{
	struct mesh *m = mesh_find(c, mesh);
	struct session *s = m != NULL ? roster_by_id(&m->roster, id) : NULL;

	/* Who said so has written it down. */
	if (s != NULL && visitor_is(&s->info)) {
		session_told_gone(c, mesh, id, ref, why == ERR_DISCONNECTED);
		return;
	}
	if (s == NULL || s->client == NULL || s->info.ref != ref)
		return;
	if (moderation_is_active(s, before_ms))
		event_session(c, &s->info);
	else
		session_expel(s, why, reason);
}

/* Is it decided: over, or not stale?  *over: the former. */
static bool
kick_one_settled(const struct kick *k, const struct mesh *m,
    const struct kick_one *o, bool *over)
{
	const struct session *s =
	    m != NULL ? roster_by_id(&m->roster, &o->id) : NULL;

	*over = s == NULL || !s->info.live || s->info.ref != o->ref;
	return *over || moderation_is_active(s, k->before_ms);
}

static void
kick_answer(struct kick *k)
{
	struct request *r = k->request;
	const struct mesh *m = mesh_find(r->core, &k->mesh);
	struct kick_out out = { .skipped = k->skipped };
	struct slice *names = pool_alloc(&r->pool, (k->n + 1) * sizeof(*names));
	bool over;
	size_t i;

	out.names.v = names;
	for (i = 0; i < k->n; i++) {
		(void)kick_one_settled(k, m, &k->v[i], &over);
		if (over)
			names[out.names.n++] = k->v[i].name;
	}
	out.affected = (int64_t)out.names.n;
	op_reply(r, &out);
}

static bool
kick_is_settled(const struct kick *k)
{
	const struct mesh *m = mesh_find(k->request->core, &k->mesh);
	bool over;
	size_t i;

	if (clock_mono() >= k->deadline_ms)
		return true;
	for (i = 0; i < k->n; i++)
		if (!kick_one_settled(k, m, &k->v[i], &over))
			return false;
	return true;
}

void
moderation_turn(struct core *c)
{
	struct kick *k, *next;

	TAILQ_FOREACH_SAFE (k, &c->kicks, entry, next)
		if (kick_is_settled(k)) {
			TAILQ_REMOVE(&c->kicks, k, entry);
			kick_answer(k);
		}
}

void
moderation_close(struct core *c)
{
	struct kick *k;

	while ((k = TAILQ_FIRST(&c->kicks)) != NULL) {
		TAILQ_REMOVE(&c->kicks, k, entry);
		op_fail(k->request, ERR_UNAVAILABLE, NULL);
	}
}

/* Adds a session that is meant, unless the asker may not end it. */
static void
kick_add(struct kick *k, struct session *s)
{
	struct request *r = k->request;
	const struct session *by = r->client->session;
	struct kick_one *o = &k->v[k->n];

	if (!s->info.live || moderation_is_active(s, k->before_ms))
		return;
	k->found = true;
	if (s == by)
		k->self = true;
	else if (role_find(s->info.role) > role_find(by->info.role))
		k->outranks = true;
	else {
		o->id = s->info.id;
		o->member = s->info.member;
		o->ref = s->info.ref;
		o->name = (struct slice){ pool_dup(&r->pool, s->info.name.p,
					      s->info.name.n),
			s->info.name.n };
		k->n++;
	}
}

static void
kick_add_listed(struct kick *k, struct session *s)
{
	if (!s->info.control)
		kick_add(k, s);
	else if (s->info.live && s != k->request->client->session)
		k->skipped++;
}

static void
kick_add_member(struct kick *k, const struct roster_set *set)
{
	struct roster_link *l;

	if (set != NULL)
		LIST_FOREACH (l, &set->links, entry)
			kick_add(k, l->session);
}

/* Sessions of a name; false after failing: of several members. */
static bool
kick_add_named(struct kick *k, const struct roster *ro, struct slice name)
{
	struct request *r = k->request;
	char *folded = pool_alloc(&r->pool, 2 * name.n + 1);
	struct session *s =
	    roster_name(ro, folded, str_fold(folded, name.p, name.n));
	const struct id *member = NULL;

	for (; s != NULL; s = roster_name_next(s)) {
		if (member != NULL && !s->info.control &&
		    !id_same(member, &s->info.member)) {
			op_fail(r, ERR_AMBIGUOUS_TARGET,
			    "Sessions of several members are called "
			    "\"" SLICE_FMT "\"; use an id or a key.",
			    SLICE_ARG(name));
			return false;
		}
		if (!s->info.control)
			member = &s->info.member;
		kick_add_listed(k, s);
	}
	return true;
}

static bool
kick_add_target(struct kick *k, const struct roster *ro, struct slice t)
{
	uint8_t key[CRYPTO_KEY_LEN];
	struct session *s;
	struct id id;

	if (id_parse(&id, t.p, t.n) == 0) {
		if ((s = roster_by_id(ro, &id)) != NULL)
			kick_add(k, s);
		else
			kick_add_member(k, roster_member(ro, &id));
	} else if (t.n == MODERATION_KEY_HEX &&
		   crypto_unhex(key, sizeof(key), t.p, t.n) == 0) {
		if ((s = roster_by_key(ro, key)) != NULL)
			kick_add(k, s);
		else
			kick_add_member(k, roster_member_key(ro, key));
	}
	return k->found || kick_add_named(k, ro, t);
}

/* Why nobody of those who are meant can be ended. */
static void
kick_refuse(struct kick *k, struct slice target)
{
	struct request *r = k->request;

	if (k->outranks)
		op_fail(r, ERR_FORBIDDEN,
		    "\"" SLICE_FMT "\" has a greater role than you.",
		    SLICE_ARG(target));
	else if (k->self)
		op_fail(r, ERR_FORBIDDEN,
		    "This is your own session; close it instead.");
	else
		op_fail(r, ERR_UNKNOWN_TARGET,
		    "Nobody who is connected here has the id, key or name "
		    "\"" SLICE_FMT "\".",
		    SLICE_ARG(target));
}

static void
kick_end_all(struct kick *k, struct mesh *m)
{
	struct core *c = k->request->core;
	struct session *s;
	size_t i;

	for (i = 0; i < k->n; i++) {
		if ((s = roster_by_id(&m->roster, &k->v[i].id)) == NULL)
			continue;
		if (s->client != NULL)
			session_expel(s, k->why, k->reason);
		else if (visitor_is(&s->info))
			session_ended(c, &s->info, k->why == ERR_DISCONNECTED);
		else
			event_kick(
			    c, &s->info, k->why, k->before_ms, k->reason);
	}
}

static void
kick_noted(void *arg, const struct db_result *res)
{
	struct kick *k = arg;
	struct request *r = k->request;
	struct mesh *m;

	if (op_db_failed(r, res))
		return;
	if ((m = mesh_find(r->core, &k->mesh)) != NULL)
		kick_end_all(k, m);
	k->deadline_ms = clock_mono() + MODERATION_WAIT_MS;
	TAILQ_INSERT_TAIL(&r->core->kicks, k, entry);
}

static void
kick_line(struct db_params *row, const struct kick *k, size_t i)
{
	struct journal_line l;

	journal_begin(&l, row);
	json_key(&l.w, "actorId");
	json_id(&l.w, &k->v[i].member);
	json_key(&l.w, "kickedByActorId");
	json_id(&l.w, &k->request->client->session->info.member);
	json_key(&l.w, "orgId");
	json_id(&l.w, &k->mesh);
	json_key(&l.w, "reason");
	json_strn(&l.w, k->reason.p, k->reason.n);
	json_key(&l.w, "sessionId");
	json_id(&l.w, &k->v[i].id);
	journal_end(&l, (int64_t)i,
	    k->why == ERR_DISCONNECTED ? "session.disconnected"
				       : "session.kicked");
}

/* Nobody's session is ended of which the journal does not tell. */
static void
kick_note(struct kick *k)
{
	struct core *c = k->request->core;
	char at[CLOCK_RFC3339_LEN + 1];
	struct db_params *row;
	size_t i;

	if (k->n == 0) {
		kick_answer(k);
		return;
	}
	clock_format(clock_wall(), at);
	row = journal_row(c, STMT_journal_add, &k->mesh, kick_noted, k);
	db_put_id(row, &k->mesh);
	db_put_str(row, at);
	for (i = 0; i < k->n; i++)
		kick_line(row, k, i);
}

static void
kick_run(struct request *r, const struct kick_in *in, enum err why)
{
	struct mesh *m = r->client->session->mesh;
	struct kick *k;
	struct session *s;

	if ((in->target.n > 0) + (in->stale_ms > 0) + in->all != 1) {
		op_fail(r, ERR_MALFORMED,
		    "Exactly one of target, stale and all must be there.");
		return;
	}
	k = pool_zalloc(&r->pool, sizeof(*k));
	k->request = r;
	k->mesh = m->id;
	k->why = why;
	k->reason = in->reason;
	if (in->stale_ms > 0 && in->stale_ms < clock_wall())
		k->before_ms = clock_wall() - in->stale_ms;
	else if (in->stale_ms > 0)
		k->before_ms = 1; /* before anybody was active */
	k->v = pool_zalloc(&r->pool, (m->roster.live + 1) * sizeof(*k->v));
	if (in->target.n == 0) {
		TAILQ_FOREACH (s, &m->roster.sessions, entry)
			kick_add_listed(k, s);
	} else if (!kick_add_target(k, &m->roster, in->target))
		return;
	else if (k->n == 0 && k->skipped == 0) {
		kick_refuse(k, in->target);
		return;
	}
	kick_note(k);
}

static void
kick_exec(struct request *r, void *arg)
{
	kick_run(r, arg, ERR_KICKED);
}

static void
disconnect_exec(struct request *r, void *arg)
{
	kick_run(r, arg, ERR_DISCONNECTED);
}

struct ban_in {
	struct slice target;
	struct slice reason;
};

#define IN(field) offsetof(struct ban_in, field)
static const struct field ban_fields[] = {
	{ "target", F_STR, IN(target), 1, 256, FIELD_REQUIRED, NULL, NULL, 0,
	    "Member: its id, public key or name, or the key of a session." },
	{ "reason", F_STR, IN(reason), 0, MODERATION_REASON_MAX, 0, NULL, NULL,
	    0, "Told to the member, and by list_bans." },
	{ .type = F_END },
};

static const struct field unban_fields[] = {
	{ "target", F_STR, IN(target), 1, 256, FIELD_REQUIRED, NULL, NULL, 0,
	    "Member: its id, public key or name." },
	{ .type = F_END },
};
#undef IN

struct ban_row {
	struct id member;
	uint8_t key[CRYPTO_KEY_LEN];
	struct slice name;
	struct slice reason;
	struct slice by;
	int64_t at_ms;
	int64_t affected;
};

#define ROW(field) offsetof(struct ban_row, field)
#define BAN_WHO                                                               \
	{ "memberId", F_ID, ROW(member), 0, 0, 0, NULL, NULL, 0,              \
		"The member." },                                              \
	    { "pubkey", F_KEY, ROW(key), 0, 0, FIELD_NULLABLE, NULL, NULL, 0, \
		    "Its public key; null: it has none." },                   \
	{                                                                     \
		"name", F_STR, ROW(name), 0, 0, 0, NULL, NULL, 0, "Its name." \
	}
static const struct field unban_out_fields[] = {
	BAN_WHO,
	{ .type = F_END },
};

static const struct field ban_out_fields[] = {
	BAN_WHO,
	{ "reason", F_STR, ROW(reason), 0, 0, 0, NULL, NULL, 0, "Why." },
	{ "bannedAt", F_TIME, ROW(at_ms), 0, 0, 0, NULL, NULL, 0, "When." },
	{ "affected", F_INT, ROW(affected), 0, 0, 0, NULL, NULL, 0,
	    "How many sessions it had." },
	{ .type = F_END },
};

static const struct field ban_row_fields[] = {
	BAN_WHO,
	{ "reason", F_STR, ROW(reason), 0, 0, 0, NULL, NULL, 0, "Why." },
	{ "bannedBy", F_STR, ROW(by), 0, 0, 0, NULL, NULL, 0,
	    "Name of who did it." },
	{ "bannedAt", F_TIME, ROW(at_ms), 0, 0, 0, NULL, NULL, 0, "When." },
	{ .type = F_END },
};
#undef ROW

struct bans_out {
	struct list bans;
};

static const struct field bans_fields[] = {
	{ "bans", F_ROWS, offsetof(struct bans_out, bans), 0, 0, 0, NULL,
	    ban_row_fields, sizeof(struct ban_row),
	    "Members that are banned, the oldest ban first." },
	{ .type = F_END },
};

static const struct field no_fields[] = {
	{ .type = F_END },
};

/* A ban, or the end of one, on its way. */
struct ban_change {
	struct request *request;
	struct id mesh;
	struct ban_row row;
};

static int64_t
ban_count(const struct core *c, const struct id *mesh, const struct id *member)
{
	const struct mesh *m = mesh_find((struct core *)c, mesh);
	const struct roster_set *set =
	    m != NULL ? roster_member(&m->roster, member) : NULL;
	const struct roster_link *l;
	int64_t n = 0;

	if (set != NULL)
		LIST_FOREACH (l, &set->links, entry)
			n += l->session->info.live;
	return n;
}

static void
ban_stored(void *arg, const struct db_result *res)
{
	struct ban_change *b = arg;
	struct request *r = b->request;

	if (op_db_failed(r, res))
		return;
	b->row.at_ms = db_time(res, 0, 0);
	b->row.affected = ban_count(r->core, &b->mesh, &b->row.member);
	member_changed(r->core, &b->mesh, &b->row.member, ERR_BANNED,
	    b->row.at_ms + 1, b->row.reason);
	op_reply(r, &b->row);
}

static struct ban_change *
ban_change(struct request *r, const struct member *m)
{
	struct ban_change *b = pool_zalloc(&r->pool, sizeof(*b));

	b->request = r;
	b->mesh = r->client->session->mesh->id;
	b->row.member = m->id;
	memcpy(b->row.key, m->key, sizeof(m->key));
	b->row.name = m->name;
	return b;
}

static void
ban_member(struct request *r, const struct member *m)
{
	const struct ban_in *in = r->in;
	const struct session *by = r->client->session;
	struct ban_change *b;
	struct db_params *p;

	if (id_same(&m->id, &by->info.member)) {
		op_fail(r, ERR_FORBIDDEN, "You cannot ban yourself.");
		return;
	}
	if (m->role > role_find(by->info.role)) {
		op_fail(r, ERR_FORBIDDEN,
		    "\"" SLICE_FMT "\" is %s, which is more than you are.",
		    SLICE_ARG(m->name), table_roles[m->role].name);
		return;
	}
	b = ban_change(r, m);
	b->row.reason = in->reason.n > 0 ? in->reason : (struct slice){ "", 0 };
	p = db_params(STMT_ban_put);
	db_put_id(p, &m->id);
	db_put_id(p, &b->mesh);
	db_put_text(p, b->row.reason.p, b->row.reason.n);
	db_put_id(p, &by->info.member);
	db_put_text(p, by->info.name.p, by->info.name.n);
	db_query(r->core->reads, p, ban_stored, b);
}

static void
ban_exec(struct request *r, void *arg)
{
	const struct ban_in *in = arg;

	member_named(r, in->target, ban_member);
}

static void
ban_dropped(void *arg, const struct db_result *res)
{
	struct ban_change *b = arg;
	struct request *r = b->request;

	if (!op_db_failed(r, res))
		op_reply(r, &b->row);
}

static void
unban_member(struct request *r, const struct member *m)
{
	struct ban_change *b;
	struct db_params *p;

	if (!m->banned) {
		op_fail(r, ERR_NOT_FOUND,
		    "\"" SLICE_FMT "\" is not banned; list_bans says who is.",
		    SLICE_ARG(m->name));
		return;
	}
	b = ban_change(r, m);
	p = db_params(STMT_ban_drop);
	db_put_id(p, &m->id);
	db_put_id(p, &b->mesh);
	db_put_id(p, &r->client->session->info.member);
	db_query(r->core->reads, p, ban_dropped, b);
}

static void
unban_exec(struct request *r, void *arg)
{
	const struct ban_in *in = arg;

	member_named(r, in->target, unban_member);
}

static void
bans_listed(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct bans_out out;
	struct ban_row *v;
	struct slice key;
	size_t i, n;

	if (op_db_failed(r, res))
		return;
	n = db_rows(res);
	v = pool_zalloc(&r->pool, (n + 1) * sizeof(*v));
	for (i = 0; i < n; i++) {
		db_id(res, i, 0, &v[i].member);
		key = db_bytes(res, i, 1);
		if (key.n == sizeof(v[i].key))
			memcpy(v[i].key, key.p, key.n);
		v[i].name = db_text(res, i, 2);
		v[i].reason = db_text(res, i, 3);
		v[i].by = db_text(res, i, 4);
		v[i].at_ms = db_time(res, i, 5);
	}
	out.bans = (struct list){ v, n };
	op_reply(r, &out);
}

static void
list_bans_exec(struct request *r, void *arg)
{
	struct db_params *p = db_params(STMT_ban_list);

	(void)arg;
	db_put_id(p, &r->client->session->mesh->id);
	db_put_int(p, MODERATION_BANS_MAX);
	db_query(r->core->reads, p, bans_listed, r);
}

const struct op op_kick = {
	.name = "kick",
	.scope = SCOPE_MESH_MODERATE,
	.reply = "kick_ack",
	.in = kick_fields,
	.in_size = sizeof(struct kick_in),
	.out = kick_out_fields,
	.exec = kick_exec,
	.text = "End sessions of others, with close code 4001.",
};

const struct op op_disconnect = {
	.name = "disconnect",
	.scope = SCOPE_MESH_MODERATE,
	.reply = "disconnect_ack",
	.in = kick_fields,
	.in_size = sizeof(struct kick_in),
	.out = kick_out_fields,
	.exec = disconnect_exec,
	.text =
	    "End connections of others, with close code 1000: their sessions "
	    "may return within the lease and have what they had.",
};

const struct op op_ban = {
	.name = "ban",
	.scope = SCOPE_MESH_MODERATE,
	.reply = "ban_ack",
	.in = ban_fields,
	.in_size = sizeof(struct ban_in),
	.out = ban_out_fields,
	.exec = ban_exec,
	.text = "Keep a member out: its sessions end with close code 4002, and "
		"it is not let in until unban. What is held for it stays.",
};

const struct op op_unban = {
	.name = "unban",
	.scope = SCOPE_MESH_MODERATE,
	.reply = "unban_ack",
	.in = unban_fields,
	.in_size = sizeof(struct ban_in),
	.out = unban_out_fields,
	.exec = unban_exec,
	.text = "Let a banned member in again.",
};

const struct op op_list_bans = {
	.name = "list_bans",
	.scope = SCOPE_MESH_MODERATE,
	.reply = "bans_list",
	.in = no_fields,
	.out = bans_fields,
	.exec = list_bans_exec,
	.text = "Who is banned.",
};
