/* SPDX-License-Identifier: ISC */
/*
 * Meshes that applications make, and end.  The platform makes them; an owner
 * ends one.  One that ends is archived: nobody gets in any more, and what its
 * journal says stays, until who runs the server deletes it.
 *
 * The mesh's key pair is made here.  Its secret half, which signs invites and
 * is the owner's key, is in the answer to create_workspace and nowhere else.
 */
#include <stdio.h>
#include <string.h>

#include "core/channel.h"
#include "core/people.h"

#define ADMIN_NAME_MAX 256
#define ADMIN_SLUG_MAX 64

struct make_in {
	struct slice name;
	struct slice slug;
	struct slice owner;
	int kind;
};

#define IN(field) offsetof(struct make_in, field)
static const struct field org_fields[] = {
	{ "name", F_NAME, IN(name), 1, ADMIN_NAME_MAX, FIELD_REQUIRED, NULL,
	    NULL, 0, "What people call it." },
	{ .type = F_END },
};
static const struct field workspace_fields[] = {
	{ "name", F_NAME, IN(name), 1, ADMIN_NAME_MAX, FIELD_REQUIRED, NULL,
	    NULL, 0, "What people call it." },
	{ "slug", F_STR, IN(slug), 1, ADMIN_SLUG_MAX, 0, NULL, NULL, 0,
	    "Short name of a-z, 0-9 and -, which no other has; one is made "
	    "when absent." },
	{ "ownerName", F_NAME, IN(owner), 1, 128, FIELD_LIMIT(LIMIT_NAME), NULL,
	    NULL, 0, "Name of its owner; owner when absent." },
	{ "ownerKind", F_ENUM, IN(kind), 0, 0, 0, table_kinds, NULL, 0,
	    "What its owner is; agent when absent." },
	{ .type = F_END },
};
#undef IN

struct workspace_row {
	struct id id;
	struct slice slug;
	struct slice name;
};

#define ROW(field) offsetof(struct workspace_row, field)
static const struct field workspace_row_fields[] = {
	{ "id", F_ID, ROW(id), 0, 0, 0, NULL, NULL, 0, "Its id." },
	{ "slug", F_STR, ROW(slug), 0, 0, 0, NULL, NULL, 0, "Its short name." },
	{ "name", F_STR, ROW(name), 0, 0, 0, NULL, NULL, 0,
	    "What people call it." },
	{ .type = F_END },
};
#undef ROW

struct make_out {
	struct workspace_row mesh;
	struct id owner;
	struct id token_id;
	struct slice token;
	struct slice secret;
};

#define OUT(field) offsetof(struct make_out, field)
static const struct field org_out_fields[] = {
	{ "orgId", F_ID, OUT(mesh.id), 0, 0, 0, NULL, NULL, 0, "The mesh." },
	{ .type = F_END },
};
static const struct field workspace_out_fields[] = {
	{ "workspace", F_ROW, OUT(mesh), 0, 0, 0, NULL, workspace_row_fields,
	    sizeof(struct workspace_row), "The mesh." },
	{ "workspaceId", F_ID, OUT(mesh.id), 0, 0, 0, NULL, NULL, 0,
	    "Its id." },
	{ "orgId", F_ID, OUT(mesh.id), 0, 0, 0, NULL, NULL, 0, "The same." },
	{ "ownerId", F_ID, OUT(owner), 0, 0, 0, NULL, NULL, 0,
	    "Its owner, a member." },
	{ "owner_token", F_STR, OUT(token), 0, 0, 0, NULL, NULL, 0,
	    "The owner's token; it is not shown again." },
	{ "tokenId", F_ID, OUT(token_id), 0, 0, 0, NULL, NULL, 0,
	    "The token's id." },
	{ "ownerSecretKey", F_STR, OUT(secret), 0, 0, 0, NULL, NULL, 0,
	    "The owner's secret key, which signs invites; it is not stored." },
	{ .type = F_END },
};
#undef OUT

/* Of the request's pool. */
struct making {
	struct request *request;
	struct make_out out;
	struct token_new token;
	char slug[ADMIN_SLUG_MAX + 1];
	uint8_t pub[CRYPTO_KEY_LEN];
	uint8_t secret[CRYPTO_SECRET_LEN];
	char secret_hex[2 * CRYPTO_SECRET_LEN + 1];
};

static void
made(void *arg, const struct db_result *res)
{
	struct making *m = arg;
	struct request *r = m->request;

	if (op_db_failed(r, res))
		return;
	if (!db_bool(res, 0, 0)) {
		op_fail(r, ERR_ID_CONFLICT,
		    "There is a mesh \"%s\" already; take another slug.",
		    m->slug);
		return;
	}
	op_reply(r, &m->out);
	crypto_wipe(m->secret, sizeof(m->secret));
}

static void
make_put_mesh(struct db_params *p, struct making *m)
{
	uint8_t root[CRYPTO_KEY_LEN];
	char root_key[CRYPTO_B64_LEN(sizeof(root))];

	crypto_random_bytes(root, sizeof(root));
	crypto_base64(root_key, root, sizeof(root), CRYPTO_B64_URL);
	db_put_id(p, &m->out.mesh.id);
	db_put_text(p, m->out.mesh.slug.p, m->out.mesh.slug.n);
	db_put_text(p, m->out.mesh.name.p, m->out.mesh.name.n);
	db_put_bytes(p, m->pub, sizeof(m->pub));
	db_put_str(p, root_key);
}

/* Nobody is its owner: the platform acts for its members. */
static void
make_put_nobody(struct db_params *p)
{
	db_put_id(p, NULL);
	db_put_str(p, NULL);
	db_put_str(p, NULL);
	db_put_str(p, NULL);
	db_put_id(p, NULL);
	db_put_bytes(p, NULL, 0);
	db_put_bytes(p, NULL, 0);
	db_put_texts(p, NULL, 0);
	db_put_null(p);
}

static void
make_put_owner(struct db_params *p, struct making *m)
{
	struct request *r = m->request;
	const struct make_in *in = r->in;
	const struct token_new *t = &m->token;
	struct slice name =
	    in->owner.n > 0 ? in->owner : (struct slice){ "owner", 5 };
	char *folded = pool_alloc(&r->pool, 2 * name.n + 1);

	db_put_id(p, &m->out.owner);
	db_put_text(p, name.p, name.n);
	db_put_text(p, folded, str_fold(folded, name.p, name.n));
	db_put_str(p, table_kinds[in->kind]);
	db_put_id(p, &t->id);
	db_put_bytes(p, t->digest, sizeof(t->digest));
	db_put_bytes(p, t->key_name, sizeof(t->key_name));
	db_put_texts(p, t->scopes.v, t->scopes.n);
	db_put_int(p, t->expires_ms);
}

static bool
make_is_slug(struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-", s.p[i]) ==
		    NULL)
			return false;
	return s.n > 0 && s.p[0] != '-' && s.p[s.n - 1] != '-';
}

/* NULL after failing the request. */
static struct making *
make_begin(struct request *r)
{
	const struct make_in *in = r->in;
	struct making *m = pool_zalloc(&r->pool, sizeof(*m));
	char hex[ID_HEX_LEN + 1];

	if (in->slug.n > 0 && !make_is_slug(in->slug)) {
		op_fail(r, ERR_MALFORMED,
		    "slug must be of a-z, 0-9 and -, without - at either "
		    "end.");
		return NULL;
	}
	m->request = r;
	id_new(&m->out.mesh.id);
	if (in->slug.n > 0)
		snprintf(
		    m->slug, sizeof(m->slug), SLICE_FMT, SLICE_ARG(in->slug));
	else
		snprintf(m->slug, sizeof(m->slug), "org-%s",
		    id_hex(&m->out.mesh.id, hex));
	m->out.mesh.slug = (struct slice){ m->slug, strlen(m->slug) };
	m->out.mesh.name = in->name;
	crypto_new_pair(m->pub, m->secret);
	return m;
}

static void
create_org_exec(struct request *r, void *arg)
{
	struct making *m = make_begin(r);
	struct db_params *p;

	(void)arg;
	if (m == NULL)
		return;
	p = db_params(STMT_mesh_make);
	make_put_mesh(p, m);
	make_put_nobody(p);
	db_query(r->core->reads, p, made, m);
}

static void
create_workspace_exec(struct request *r, void *arg)
{
	const char *owner = table_roles[ROLE_OWNER].name;
	struct making *m = make_begin(r);
	struct db_params *p;

	(void)arg;
	if (m == NULL)
		return;
	id_new(&m->out.owner);
	token_new(r, &m->token,
	    token_scopes_of((struct slice){ owner, strlen(owner) }) &
		~SCOPE_BIT(SCOPE_SERVICE),
	    clock_wall() + r->core->limits.token_ms);
	m->out.token_id = m->token.id;
	m->out.token = (struct slice){ m->token.text, TOKEN_LEN };
	crypto_hex(m->secret_hex, m->secret, sizeof(m->secret));
	m->out.secret = (struct slice){ m->secret_hex, 2 * sizeof(m->secret) };
	p = db_params(STMT_mesh_make);
	make_put_mesh(p, m);
	make_put_owner(p, m);
	db_query(r->core->reads, p, made, m);
}

/*
 * delete_org
 */
struct end_in {
	struct id mesh;
};

static const struct field end_fields[] = {
	{ "orgId", F_ID, offsetof(struct end_in, mesh), 0, 0, FIELD_REQUIRED,
	    NULL, NULL, 0, "The mesh, your own." },
	{ .type = F_END },
};

struct end_out {
	bool ok;
	struct id mesh;
	int64_t sessions;
};

#define OUT(field) offsetof(struct end_out, field)
static const struct field end_out_fields[] = {
	{ "ok", F_BOOL, OUT(ok), 0, 0, 0, NULL, NULL, 0, "true." },
	{ "orgId", F_ID, OUT(mesh), 0, 0, 0, NULL, NULL, 0, "The mesh." },
	{ "sessions", F_INT, OUT(sessions), 0, 0, 0, NULL, NULL, 0,
	    "How many sessions ended with it." },
	{ .type = F_END },
};
#undef OUT

static void
ended(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct end_in *in = r->in;
	struct end_out out = { .ok = true, .mesh = in->mesh };
	struct mesh *m;

	if (op_db_failed(r, res))
		return;
	if (db_rows(res) > 0) {
		out.sessions = db_int(res, 0, 0);
		event_reload(r->core, &in->mesh);
		if ((m = mesh_find(r->core, &in->mesh)) != NULL)
			mesh_reload(m);
	}
	op_reply(r, &out);
}

static void
delete_org_exec(struct request *r, void *arg)
{
	const struct end_in *in = arg;
	const struct session *s = r->client->session;
	struct db_params *p;

	if (!id_same(&in->mesh, &s->mesh->id)) {
		op_fail(
		    r, ERR_FORBIDDEN, "principal cannot delete another org");
		return;
	}
	p = db_params(STMT_mesh_close);
	db_put_id(p, &s->mesh->id);
	db_put_id(p, &s->info.member);
	db_query(r->core->reads, p, ended, r);
}

const struct op op_create_org = {
	.name = "create_org",
	.scope = SCOPE_PLATFORM,
	.rest = { "POST /v1/orgs" },
	.reply = "org_created",
	.flags = OP_REST_ONLY,
	.in = org_fields,
	.in_size = sizeof(struct make_in),
	.out = org_out_fields,
	.exec = create_org_exec,
	.text = "Make a mesh without members, as the platform.",
};

const struct op op_create_workspace = {
	.name = "create_workspace",
	.scope = SCOPE_PLATFORM,
	.rest = { "POST /v1/workspaces" },
	.reply = "workspace_created",
	.flags = OP_REST_ONLY,
	.in = workspace_fields,
	.in_size = sizeof(struct make_in),
	.out = workspace_out_fields,
	.exec = create_workspace_exec,
	.text = "Make a mesh with its owner, as the platform; its owner acts "
		"by the token.",
};

const struct op op_delete_org = {
	.name = "delete_org",
	.scope = SCOPE_MESH_OWN,
	.rest = { "DELETE /v1/orgs/{orgId}" },
	.reply = "org_deleted",
	.flags = OP_REST_ONLY,
	.in = end_fields,
	.in_size = sizeof(struct end_in),
	.out = end_out_fields,
	.exec = delete_org_exec,
	.text = "End a mesh: its sessions end, and nobody gets in. What it "
		"holds, its journal above all, stays for who runs the server, "
		"who may open it again or delete it.",
};
