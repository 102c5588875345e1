/* SPDX-License-Identifier: ISC */
/*
 * How a hello whose signatures are good becomes a session.
 *
 * One statement checks what only the database knows (member, replay, session
 * key, capacity) and opens it.  The roster of the mesh is loaded before, so
 * that from its first moment nothing is missed.
 */
#include <string.h>

#include "core/hello.h"

#define HELLO_CONTROL "control-plane"
#define HELLO_CAN_ACK "client_ack"

const struct field hello_group_fields[] = {
	{ "name", F_NAME, offsetof(struct hello_group, name), 1, 128,
	    FIELD_REQUIRED | FIELD_LIMIT(LIMIT_GROUP_NAME), NULL, NULL, 0,
	    "Group; a/b is a group below a." },
	{ "role", F_STR, offsetof(struct hello_group, role), 0, 128, FIELD_OMIT,
	    NULL, NULL, 0, "The session's role in it, in free words." },
	{ .type = F_END },
};

struct hello_out {
	struct id session;
	struct slice member_name;
	struct slice mesh_slug;
	bool restored;
	struct slice summary;
	struct list groups;
	int64_t seen_ms;
	struct slice stats;
	int64_t version;
};

#define OUT(field) offsetof(struct hello_out, field)
const struct field hello_out_fields[] = {
	{ "presenceId", F_ID, OUT(session), 0, 0, 0, NULL, NULL, 0,
	    "The session's id." },
	{ "memberDisplayName", F_STR, OUT(member_name), 0, 0, 0, NULL, NULL, 0,
	    "The name under which others see it." },
	{ "meshSlug", F_STR, OUT(mesh_slug), 0, 0, 0, NULL, NULL, 0,
	    "Short name of the mesh." },
	{ "restored", F_BOOL, OUT(restored), 0, 0, 0, NULL, NULL, 0,
	    "The session was here before and has what it had." },
	{ "lastSummary", F_STR, OUT(summary), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "Its summary, when restored." },
	{ "restoredGroups", F_ROWS, OUT(groups), 0, 0, FIELD_OMIT, NULL,
	    hello_group_fields, sizeof(struct hello_group),
	    "Its groups, when restored." },
	{ "restoredStats", F_JSON, OUT(stats), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "Its stats, when restored." },
	{ "lastSeenAt", F_TIME, OUT(seen_ms), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "When it was here before; not there for a session never seen." },
	{ "protocolVersion", F_INT, OUT(version), 0, 0, FIELD_OMIT, NULL, NULL,
	    0, "As the hello said." },
	{ .type = F_END },
};
#undef OUT

static enum err
hello_banned(struct request *r, const struct db_result *res)
{
	struct slice why = db_text(res, 0, 26), by = db_text(res, 0, 27);

	return op_error(r, ERR_BANNED,
	    "You were banned from this mesh by " SLICE_FMT "%s" SLICE_FMT
	    ". Ask an owner or admin of it to unban you.",
	    SLICE_ARG(by), why.n > 0 ? ": " : "", SLICE_ARG(why));
}

/* Why the database did not open the session; column numbers are those of
 * session_open. */
static enum err
hello_refusal(struct hello *h, const struct db_result *r)
{
	if (db_rows(r) == 0 || db_null(r, 0, 0))
		return ERR_UNAUTHORIZED;
	if (!db_bool(r, 0, 17))
		return h->proven ? ERR_PARENT_MEMBER_ID_MISMATCH
				 : ERR_UNAUTHORIZED;
	if (db_bool(r, 0, 3))
		return ERR_REVOKED;
	if (db_bool(r, 0, 25))
		return hello_banned(h->request, r);
	if (db_bool(r, 0, 4))
		return op_error(h->request, ERR_BAD_SESSION_PUBKEY, "%s",
		    table_errors[ERR_BAD_SESSION_PUBKEY].text);
	if (db_bool(r, 0, 18))
		return op_error(h->request, ERR_BAD_SESSION_PUBKEY,
		    "The session key was proven before: take it up with "
		    "session_hello.");
	if (db_bool(r, 0, 6))
		return ERR_REPLAYED;
	if (db_bool(r, 0, 5))
		return ERR_CAPACITY;
	/* Known before, or from who was first in this very moment. */
	if (db_bool(r, 0, 28) || db_null(r, 0, 7))
		return op_error(h->request, ERR_UNAVAILABLE,
		    "Another hello opened this session, and was said later "
		    "than this one; say hello again.");
	return ERR_NONE;
}

void
hello_refuse(struct request *r, enum err e)
{
	core_count(r->core, HELLO_REFUSED);
	/* Some say more than their code. */
	if (r->error_text != NULL)
		op_fail(r, e, NULL);
	else
		op_fail(r, e, "hello rejected: %s", table_errors[e].name);
}

/*
 * It was opened, but its client is gone, or the same session was opened again
 * after it.  An older connection of the session is over in any case.
 */
static void
hello_too_late(struct hello *h)
{
	struct request *r = h->request;
	struct core *c = r->core;

	session_release(c, h->info.ref);
	if (r->client == NULL) {
		session_told(c, &h->info);
		event_session(c, &h->info);
		session_ended(c, &h->info, true);
	}
	mesh_put(h->mesh);
	op_fail(r, ERR_SESSION_REPLACED, NULL);
}

/* Older clients would show what is told of peers as a message. */
static bool
hello_hears(const struct hello *h)
{
	return !h->info.control &&
	       (h->proven || h->in->version > 0 || h->in->capabilities.n > 0);
}

static void
hello_opened(void *arg, const struct db_result *r)
{
	static struct slice groups[2000];
	struct hello *h = arg;
	struct request *req = h->request;
	struct client *client = req->client;
	struct core *c = req->core;
	struct session *s;
	struct hello_out out;
	enum err e = ERR_NONE;

	if (db_status(r) != DB_OK || (e = hello_refusal(h, r)) != ERR_NONE) {
		session_release(c, h->info.ref);
		mesh_put(h->mesh);
		if (!op_db_failed(req, r))
			hello_refuse(req, e);
		return;
	}
	db_id(r, 0, 7, &h->info.id);
	h->info.member_name = db_text(r, 0, 1);
	h->info.role = db_text(r, 0, 2);
	h->info.name = db_text(r, 0, 8);
	h->info.name_folded = db_text(r, 0, 9);
	h->info.status = (uint8_t)db_int(r, 0, 10);
	h->info.source = (uint8_t)db_int(r, 0, 11);
	h->info.summary = db_text(r, 0, 12);
	if (db_null(r, 0, 12))
		h->info.summary = (struct slice){ NULL, 0 };
	h->info.ngroups = db_texts(r, 0, 13, groups, NELEM(groups)) / 2;
	h->info.groups = groups;
	h->info.live = true;
	h->info.connected_ms = db_time(r, 0, 16);
	h->info.hidden = db_bool(r, 0, 19);
	h->more.role = db_text(r, 0, 20);
	h->more.channel = db_text(r, 0, 21);
	h->more.profile = db_text(r, 0, 22);
	h->more.stats = db_text(r, 0, 23);
	h->info.more = roster_more(&h->more);
	h->info.seen_ms = db_null(r, 0, 24) ? 0 : db_time(r, 0, 24);
	s = roster_by_id(&h->mesh->roster, &h->info.id);
	if (client == NULL || (s != NULL && session_is_newer(s, &h->info))) {
		hello_too_late(h);
		return;
	}
	s = session_enter(h->mesh, &h->info, client);
	s->hears = hello_hears(h);
	core_count(c, HELLO_OK);
	memset(&out, 0, sizeof(out));
	out.session = s->info.id;
	out.member_name = s->info.name;
	out.mesh_slug = db_text(r, 0, 14);
	out.restored = db_bool(r, 0, 15);
	if (out.restored) {
		out.summary = s->info.summary;
		out.groups = (struct list){ s->info.groups, s->info.ngroups };
		out.stats = h->more.stats;
	}
	out.seen_ms = s->info.seen_ms;
	out.version = h->in->version;
	event_session(c, &s->info);
	/* It may have been opened before, and answered after, a change. */
	if (h->told != h->mesh->told)
		member_told(c, &h->info.mesh, &h->info.member, ERR_NONE, 0,
		    (struct slice){ NULL, 0 });
	op_reply(req, &out);
	presence_opened(s);
	delivery_drain(s);
}

static bool
hello_is_same(struct slice a, struct slice b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* Has the member as many sessions as it may have?  One that comes back under
 * its key or its own word for it is none more. */
static bool
hello_is_too_many(const struct hello *h)
{
	const struct session_info *i = &h->info;
	const struct roster_set *set =
	    roster_member_key(&h->mesh->roster, i->member_key);
	const struct roster_link *l;
	int64_t n = 0;

	if (set == NULL ||
	    (int64_t)set->count < h->request->core->limits.member_sessions)
		return false;
	LIST_FOREACH (l, &set->links, entry) {
		const struct session_info *o = &l->session->info;

		if (h->in->session_key.n > 0
			? memcmp(o->key, i->key, CRYPTO_KEY_LEN) == 0
			: i->client_session.n > 0 &&
			      hello_is_same(
				  o->client_session, i->client_session))
			return false;
		n += o->live;
	}
	return n >= h->request->core->limits.member_sessions;
}

/* What is known before the database is asked. */
static enum err
hello_check_roster(const struct hello *h)
{
	struct request *r = h->request;

	if (hello_is_too_many(h))
		return op_error(r, ERR_CAPACITY,
		    "A member may have %lld sessions at a time; end one.",
		    (long long)r->core->limits.member_sessions);
	return rate_hello(r, h->mesh, h->info.member_key);
}

static void
hello_loaded(void *arg, struct mesh *m)
{
	struct hello *h = arg;
	struct request *r = h->request;
	struct core *c = r->core;
	struct session_info *i = &h->info;
	char *folded = NULL;
	struct db_params *p;
	enum err e;
	size_t n = 0;

	if (m == NULL) {
		session_release(c, i->ref);
		op_fail(r, ERR_UNAVAILABLE, NULL);
		return;
	}
	h->mesh = m;
	h->told = m->told;
	if ((e = hello_check_roster(h)) != ERR_NONE) {
		session_release(c, i->ref);
		mesh_put(m);
		hello_refuse(r, e);
		return;
	}
	if (i->name.n > 0) {
		folded = pool_alloc(&r->pool, 2 * i->name.n + 1);
		n = str_fold(folded, i->name.p, i->name.n);
	}
	p = db_row(c->marks, STMT_session_open, hello_opened, h);
	db_put_id(p, &i->id);
	db_put_id(p, &i->mesh);
	db_put_bytes(p, i->member_key, CRYPTO_KEY_LEN);
	db_put_bytes(p, h->in->signature, CRYPTO_SIG_LEN);
	db_put_bytes(p, h->ident, sizeof(h->ident));
	if (h->in->session_key.n > 0)
		db_put_bytes(p, i->key, CRYPTO_KEY_LEN);
	else
		db_put_null(p);
	db_put_text(p, i->name.n > 0 ? i->name.p : NULL, i->name.n);
	db_put_text(p, folded, n);
	db_put_text(p, i->client_session.p, i->client_session.n);
	db_put_int(p, i->pid);
	db_put_text(p, i->cwd.p, i->cwd.n);
	db_put_text(p, i->hostname.p, i->hostname.n);
	db_put_text(p, i->peer_type.p, i->peer_type.n);
	db_put_text(p, i->model.p, i->model.n);
	db_put_bool(p, i->control);
	db_put_bool(p, i->acks);
	db_put_texts(p, i->groups, 2 * i->ngroups);
	db_put_id(p, &c->host);
	db_put_id(p, &c->incarnation);
	db_put_int(p, (int64_t)i->ref);
	db_put_int(p, i->connected_ms);
	db_put_int(p, c->limits.lease_ms);
	if ((int64_t)m->roster.live >= quota_max(m, QUOTA_SESSIONS))
		db_put_int(p, quota_max(m, QUOTA_SESSIONS));
	else
		db_put_null(p);
	db_put_id(p, &i->member);
	db_put_text(p, h->more.role.p, h->more.role.n);
	db_put_text(p, h->more.channel.p, h->more.channel.n);
	db_put_bool(p, h->proven);
	db_put_int(p, h->in->timestamp);
}

enum err
hello_check_clock(const struct request *r, const struct hello_in *in)
{
	int64_t window = r->core->limits.clock_ms;
	int64_t skew = clock_wall() - in->timestamp;

	return skew > window || skew < -window ? ERR_TIMESTAMP_SKEW : ERR_NONE;
}

/* What makes it the same session next time: its key, or the member's word. */
static void
hello_ident(struct hello *h, struct pool *pool)
{
	const struct hello_in *in = h->in;
	size_t n = CRYPTO_KEY_LEN + in->client_session.n;
	uint8_t *text;

	/* A key is a digest of itself here: else who claims the digest of
	 * another's member and session id as its key would be that session. */
	if (in->session_key.n > 0) {
		crypto_digest(h->ident, h->info.key, CRYPTO_KEY_LEN, NULL);
	} else if (in->client_session.n > 0) {
		text = pool_alloc(pool, n);
		memcpy(text, h->info.member_key, CRYPTO_KEY_LEN);
		memcpy(text + CRYPTO_KEY_LEN, in->client_session.p,
		    in->client_session.n);
		crypto_digest(h->ident, text, n, NULL);
	} else
		crypto_random_bytes(h->ident, sizeof(h->ident));
}

static bool
hello_is(struct slice s, const char *what)
{
	return s.n == strlen(what) && memcmp(s.p, what, s.n) == 0;
}

static bool
hello_can(const struct hello_in *in, const char *what)
{
	const struct slice *v = in->capabilities.v;
	size_t i;

	for (i = 0; i < in->capabilities.n; i++)
		if (hello_is(v[i], what))
			return true;
	return false;
}

/* What was not said is empty. */
static struct slice
hello_text(struct slice s)
{
	return s.p != NULL ? s : (struct slice){ "", 0 };
}

struct hello *
hello_new(struct request *r, const struct hello_in *in)
{
	struct hello *h;

	if (r->client->session != NULL) {
		op_fail(r, ERR_HELLO_AGAIN, NULL);
		return NULL;
	}
	h = pool_zalloc(&r->pool, sizeof(*h));
	h->request = r;
	h->in = in;
	return h;
}

void
hello_open(struct hello *h)
{
	struct request *r = h->request;
	const struct hello_in *in = h->in;
	struct session_info *i = &h->info;
	enum err e =
	    group_check(r, (const struct slice *)in->groups.v, in->groups.n);

	if (e != ERR_NONE) {
		hello_refuse(r, e);
		return;
	}
	hello_ident(h, &r->pool);
	id_new(&i->id);
	i->mesh = in->mesh;
	i->member = in->member;
	i->host = r->core->host;
	i->name = in->name;
	i->client_session = hello_text(in->client_session);
	i->pid = in->pid;
	i->cwd = hello_text(in->cwd);
	i->hostname = hello_text(in->hostname);
	i->peer_type = hello_text(in->peer_type);
	i->model = hello_text(in->model);
	i->control = hello_is(in->peer_role, HELLO_CONTROL) ||
		     hello_is(in->role, HELLO_CONTROL);
	h->more.role =
	    i->control ? (struct slice){ "", 0 } : hello_text(in->role);
	h->more.channel = hello_text(in->channel);
	i->acks = hello_can(in, HELLO_CAN_ACK);
	/* A hello_group is two slices, as session_info has them. */
	i->groups = in->groups.v;
	i->ngroups = in->groups.n;
	i->connected_ms = clock_wall();
	i->active_ms = i->connected_ms;
	i->proc = (uint8_t)r->core->proc;
	i->ref = session_reserve(r->core);
	mesh_get(r->core, &in->mesh, hello_loaded, h);
}
