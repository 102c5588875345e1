/* SPDX-License-Identifier: ISC */
/*
 * hello: how a connection becomes a session.
 *
 * It is checked here (clock, signature) and in one statement there (member,
 * replay, session key, capacity).  The roster of the mesh is loaded before the
 * session is opened, so that from its first moment nothing is missed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/core.h"

#define HELLO_CONTROL "control-plane"
#define HELLO_CAN_ACK "client_ack"

struct group_in {
	struct slice name;
	struct slice role;
};

static const struct field group_fields[] = {
	{ "name", F_NAME, offsetof(struct group_in, name), 1, 128,
	    FIELD_REQUIRED, NULL, NULL, 0, "Group; a/b is a group below a." },
	{ "role", F_STR, offsetof(struct group_in, role), 0, 128, FIELD_OMIT,
	    NULL, NULL, 0, "The session's role in it, in free words." },
	{ .type = F_END },
};

struct hello_in {
	struct id mesh;
	struct id member;
	struct slice pubkey;
	struct slice session_pubkey;
	struct slice name;
	struct slice client_session;
	int64_t pid;
	struct slice cwd;
	struct slice hostname;
	struct slice peer_type;
	struct slice peer_role;
	struct slice model;
	struct list capabilities;
	struct list groups;
	int64_t timestamp;
	uint8_t signature[CRYPTO_SIG_LEN];
};

#define IN(field) offsetof(struct hello_in, field)
static const struct field hello_in_fields[] = {
	{ "meshId", F_ID, IN(mesh), 0, 0, FIELD_REQUIRED, NULL, NULL, 0,
	    "Mesh to enter." },
	{ "memberId", F_ID, IN(member), 0, 0, FIELD_REQUIRED, NULL, NULL, 0,
	    "Member that enters; it must own the key." },
	{ "pubkey", F_STR, IN(pubkey), 64, 64, FIELD_REQUIRED, NULL, NULL, 0,
	    "The member's Ed25519 public key, in hex." },
	{ "sessionPubkey", F_STR, IN(session_pubkey), 0, 64, 0, NULL, NULL, 0,
	    "A key of this session alone, to be addressed and encrypted to." },
	{ "displayName", F_NAME, IN(name), 0, 128, 0, NULL, NULL, 0,
	    "Name of the session; else the member's." },
	{ "sessionId", F_STR, IN(client_session), 0, 256, 0, NULL, NULL, 0,
	    "What makes it the same session when it connects again." },
	{ "pid", F_INT, IN(pid), 0, INT64_MAX, 0, NULL, NULL, 0,
	    "Process, for hooks to find the session." },
	{ "cwd", F_STR, IN(cwd), 0, 4096, 0, NULL, NULL, 0,
	    "Directory, for hooks to find the session." },
	{ "hostname", F_STR, IN(hostname), 0, 256, 0, NULL, NULL, 0,
	    "Host that the client runs on." },
	{ "peerType", F_STR, IN(peer_type), 0, 32, 0, NULL, NULL, 0,
	    "ai, human or connector." },
	{ "peerRole", F_STR, IN(peer_role), 0, 32, 0, NULL, NULL, 0,
	    "control-plane: connected to do something; neither listed nor "
	    "written to." },
	{ "model", F_STR, IN(model), 0, 128, 0, NULL, NULL, 0,
	    "Model that the agent runs." },
	{ "capabilities", F_STRS, IN(capabilities), 0, 32, 0, NULL, NULL, 0,
	    "What the client can do; client_ack: it acks every message." },
	{ "groups", F_ROWS, IN(groups), 0, 1000, 0, NULL, group_fields,
	    sizeof(struct group_in), "Groups to be in from the start." },
	{ "timestamp", F_INT, IN(timestamp), 0, INT64_MAX, FIELD_REQUIRED, NULL,
	    NULL, 0, "Milliseconds since 1970." },
	{ "signature", F_SIG, IN(signature), 0, 0, FIELD_REQUIRED, NULL, NULL,
	    0, "By the member's key over meshId|memberId|pubkey|timestamp." },
	{ .type = F_END },
};
#undef IN

struct hello_out {
	struct id session;
	struct slice member_name;
	struct slice mesh_slug;
	bool restored;
	struct slice summary;
	struct list groups;
	int64_t ack_seconds;
};

#define OUT(field) offsetof(struct hello_out, field)
static const struct field hello_out_fields[] = {
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
	    group_fields, sizeof(struct group_in),
	    "Its groups, when restored." },
	{ .type = F_END },
};
#undef OUT

/* A hello on its way through the database. */
struct hello {
	struct request *request;
	const struct hello_in *in;
	struct session_info info;
	uint8_t ident[CRYPTO_DIGEST_LEN];
	struct mesh *mesh;
};

/* Why the database did not open the session; column numbers are those of
 * session_open. */
static enum err
hello_refusal(const struct db_result *r)
{
	if (db_rows(r) == 0 || db_null(r, 0, 0))
		return ERR_UNAUTHORIZED;
	if (db_bool(r, 0, 3))
		return ERR_REVOKED;
	if (db_bool(r, 0, 4))
		return ERR_BAD_SESSION_PUBKEY;
	if (db_bool(r, 0, 6))
		return ERR_REPLAYED;
	if (db_bool(r, 0, 5))
		return ERR_CAPACITY;
	return db_null(r, 0, 7) ? ERR_INTERNAL : ERR_NONE;
}

static void
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

	if (db_status(r) != DB_OK || (e = hello_refusal(r)) != ERR_NONE) {
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
	s = roster_by_id(&h->mesh->roster, &h->info.id);
	if (client == NULL || (s != NULL && session_is_newer(s, &h->info))) {
		hello_too_late(h);
		return;
	}
	s = session_enter(h->mesh, &h->info, client);
	core_count(c, HELLO_OK);
	memset(&out, 0, sizeof(out));
	out.session = s->info.id;
	out.member_name = s->info.name;
	out.mesh_slug = db_text(r, 0, 14);
	out.restored = db_bool(r, 0, 15);
	if (out.restored) {
		out.summary = s->info.summary;
		out.groups = (struct list){ s->info.groups, s->info.ngroups };
	}
	event_session(c, &s->info);
	op_reply(req, &out);
	presence_opened(s);
	delivery_drain(s);
}

static void
hello_open(void *arg, struct mesh *m)
{
	struct hello *h = arg;
	struct request *r = h->request;
	struct core *c = r->core;
	struct session_info *i = &h->info;
	char *folded = NULL;
	struct db_params *p;
	size_t n = 0;

	if (m == NULL) {
		session_release(c, i->ref);
		op_fail(r, ERR_UNAVAILABLE, NULL);
		return;
	}
	h->mesh = m;
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
	if (h->in->session_pubkey.n > 0)
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
	if ((int64_t)m->roster.live >= c->limits.sessions)
		db_put_int(p, c->limits.sessions);
	else
		db_put_null(p);
	db_put_id(p, &i->member);
}

/* Signature and clock: what needs no database. */
static enum err
hello_check(
    struct request *r, const struct hello_in *in, struct session_info *i)
{
	const struct core *c = r->core;
	char text[2 * ID_HEX_LEN + 64 + 32], mesh[ID_HEX_LEN + 1],
	    member[ID_HEX_LEN + 1];
	int64_t skew = clock_wall() - in->timestamp;
	int n;

	if (skew > c->limits.clock_ms || skew < -c->limits.clock_ms)
		return ERR_TIMESTAMP_SKEW;
	if (crypto_unhex(
		i->member_key, CRYPTO_KEY_LEN, in->pubkey.p, in->pubkey.n) != 0)
		return op_error(r, ERR_MALFORMED,
		    "pubkey must be 64 hex chars (32 bytes).");
	n = snprintf(text, sizeof(text), "%s|%s|" SLICE_FMT "|%" PRId64,
	    id_hex(&in->mesh, mesh), id_hex(&in->member, member),
	    SLICE_ARG(in->pubkey), in->timestamp);
	if (!crypto_check_sig(in->signature, text, (size_t)n, i->member_key))
		return ERR_BAD_SIGNATURE;
	if (in->session_pubkey.n > 0 &&
	    crypto_unhex(i->key, CRYPTO_KEY_LEN, in->session_pubkey.p,
		in->session_pubkey.n) != 0)
		return ERR_BAD_SESSION_PUBKEY;
	return ERR_NONE;
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
	if (in->session_pubkey.n > 0) {
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
hello_can(const struct hello_in *in, const char *what)
{
	const struct slice *v = in->capabilities.v;
	size_t i;

	for (i = 0; i < in->capabilities.n; i++)
		if (v[i].n == strlen(what) && memcmp(v[i].p, what, v[i].n) == 0)
			return true;
	return false;
}

/* What was not said is empty. */
static struct slice
hello_text(struct slice s)
{
	return s.p != NULL ? s : (struct slice){ "", 0 };
}

static void
hello_exec(struct request *r, void *arg)
{
	const struct hello_in *in = arg;
	struct hello *h;
	struct session_info *i;
	enum err e;

	if (r->client->session != NULL) {
		op_fail(r, ERR_HELLO_AGAIN, NULL);
		return;
	}
	h = pool_zalloc(&r->pool, sizeof(*h));
	h->request = r;
	h->in = in;
	i = &h->info;
	if ((e = hello_check(r, in, i)) != ERR_NONE ||
	    (e = group_check(r, (const struct slice *)in->groups.v,
		 in->groups.n)) != ERR_NONE) {
		hello_refuse(r, e);
		return;
	}
	hello_ident(h, &r->pool);
	id_new(&i->id);
	i->mesh = in->mesh;
	i->member = in->member;
	i->name = in->name;
	i->client_session = hello_text(in->client_session);
	i->pid = in->pid;
	i->cwd = hello_text(in->cwd);
	i->hostname = hello_text(in->hostname);
	i->peer_type = hello_text(in->peer_type);
	i->model = hello_text(in->model);
	i->control =
	    in->peer_role.n == strlen(HELLO_CONTROL) &&
	    memcmp(in->peer_role.p, HELLO_CONTROL, in->peer_role.n) == 0;
	i->acks = hello_can(in, HELLO_CAN_ACK);
	/* A group_in is two slices, as session_info has them. */
	i->groups = in->groups.v;
	i->ngroups = in->groups.n;
	i->connected_ms = clock_wall();
	i->active_ms = i->connected_ms;
	i->proc = (uint8_t)r->core->proc;
	i->ref = session_reserve(r->core);
	mesh_get(r->core, &in->mesh, hello_open, h);
}

const struct op op_hello = {
	.name = "hello",
	.scope = SCOPE_PUBLIC,
	.reply = "hello_ack",
	.flags = OP_OPENS,
	.in = hello_in_fields,
	.in_size = sizeof(struct hello_in),
	.out = hello_out_fields,
	.exec = hello_exec,
	.text = "Enter a mesh as a member: the first message of a connection.",
};
