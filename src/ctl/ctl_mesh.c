/* SPDX-License-Identifier: ISC */
/*
 * Meshes: made, found, listed, shown.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "ctl/ctl.h"

static bool
mesh_is_slug(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n <= 64 && s[0] != '-' && s[n - 1] != '-' &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

void
ctl_mesh_make(struct ctl *c, struct ctl_mesh *m, const char *slug,
    const char *name, bool keep)
{
	uint8_t sealed[CTL_SEALED_LEN], root[CRYPTO_KEY_LEN];
	struct db_params *p;

	if (!mesh_is_slug(slug))
		ctl_fail(EX_DATAERR,
		    "\"%s\" is no short name: use a-z, 0-9 and -, at most 64 "
		    "characters",
		    slug);
	if (!str_is_name(name, strlen(name)) || strlen(name) > 256)
		ctl_fail(EX_DATAERR, "the name of the mesh is no name");
	memset(m, 0, sizeof(*m));
	id_new(&m->id);
	str_copy(m->slug, slug, sizeof(m->slug));
	str_copy(m->name, name, sizeof(m->name));
	crypto_new_pair(m->owner, m->secret);
	m->has_secret = true;
	crypto_random_bytes(root, sizeof(root));
	crypto_base64(m->root_key, root, sizeof(root), CRYPTO_B64_URL);

	p = db_params(STMT_mesh_create);
	db_put_id(p, &m->id);
	db_put_str(p, m->slug);
	db_put_str(p, m->name);
	db_put_bytes(p, m->owner, sizeof(m->owner));
	if (keep) {
		ctl_seal(c, m, sealed);
		db_put_bytes(p, sealed, sizeof(sealed));
	} else
		db_put_null(p);
	db_put_str(p, m->root_key);
	if (ctl_query_rows(c, p) == 0)
		ctl_fail(EX_DATAERR,
		    "there is a mesh \"%s\" already; choose another name",
		    slug);
}

struct mesh_found {
	struct ctl *c;
	struct ctl_mesh *m;
	unsigned flags;
	bool found;
};

static void
mesh_text(const struct db_result *r, unsigned col, char *out, size_t size)
{
	struct slice s = db_text(r, 0, col);

	snprintf(out, size, SLICE_FMT, SLICE_ARG(s));
}

static void
mesh_found(void *arg, const struct db_result *r)
{
	struct mesh_found *f = arg;
	struct slice key;

	if (db_rows(r) == 0)
		return;
	f->found = true;
	db_id(r, 0, 0, &f->m->id);
	mesh_text(r, 1, f->m->slug, sizeof(f->m->slug));
	mesh_text(r, 2, f->m->name, sizeof(f->m->name));
	key = db_bytes(r, 0, 3);
	if (key.n == CRYPTO_KEY_LEN)
		memcpy(f->m->owner, key.p, key.n);
	if (f->flags & CTL_MESH_SECRET && !db_null(r, 0, 4))
		ctl_unseal(f->c, f->m, db_bytes(r, 0, 4));
	mesh_text(r, 5, f->m->root_key, sizeof(f->m->root_key));
	f->m->archived = !db_null(r, 0, 6);
}

void
ctl_mesh_find(
    struct ctl *c, struct ctl_mesh *m, const char *slug, unsigned flags)
{
	struct mesh_found f = { c, m, flags, false };
	struct db_params *p = db_params(STMT_mesh_find);

	memset(m, 0, sizeof(*m));
	db_put_str(p, slug);
	ctl_query(c, p, mesh_found, &f);
	if (!f.found)
		ctl_fail(EX_NOINPUT,
		    "there is no mesh \"%s\"; linnetctl mesh list shows all",
		    slug);
	if (m->archived && (flags & CTL_MESH_ARCHIVED) == 0)
		ctl_fail(EX_NOINPUT,
		    "mesh %s is archived; linnetctl mesh unarchive %s opens "
		    "it again",
		    slug, slug);
}

static void
mesh_print_made(struct ctl *c, const struct ctl_mesh *m, bool show)
{
	char hex[2 * CRYPTO_SECRET_LEN + 1], id[ID_HEX_LEN + 1];
	struct json_writer w;
	struct buf b;

	crypto_hex(hex, m->secret, sizeof(m->secret));
	if (c->json) {
		buf_init(&b, 65536);
		json_start(&w, &b);
		json_object(&w);
		json_key(&w, "meshId");
		json_id(&w, &m->id);
		json_key(&w, "slug");
		json_str(&w, m->slug);
		json_key(&w, "name");
		json_str(&w, m->name);
		json_key(&w, "ownerPubkey");
		json_hex(&w, m->owner, sizeof(m->owner));
		if (show) {
			json_key(&w, "ownerSecretKey");
			json_str(&w, hex);
		}
		json_object_end(&w);
		ctl_print_json(&b);
	} else {
		printf("mesh %s made, id %s\n", m->slug, id_hex(&m->id, id));
		if (show)
			printf(
			    "owner's secret key, shown this once: %s\n", hex);
		printf("next: linnetctl invite create %s\n", m->slug);
	}
	crypto_wipe(hex, sizeof(hex));
}

void
ctl_mesh_create(struct ctl *c)
{
	const char *name = ctl_given(c, "name");
	bool show = ctl_given(c, "show-key") != NULL;
	struct ctl_mesh m;

	ctl_mesh_make(
	    c, &m, c->args[0], name != NULL ? name : c->args[0], !show);
	mesh_print_made(c, &m, show);
	crypto_wipe(&m, sizeof(m));
}

void
ctl_mesh_list(struct ctl *c)
{
	static const struct ctl_column columns[] = {
		{ "SLUG", "slug", CTL_TEXT, 1 },
		{ "NAME", "name", CTL_TEXT, 2 },
		{ "MEMBERS", "members", CTL_INT, 5 },
		{ "SESSIONS", "sessions", CTL_INT, 6 },
		{ "CREATED", "createdAt", CTL_TIME, 3 },
		{ "ARCHIVED", "archivedAt", CTL_TIME, 4 },
		{ "ID", "meshId", CTL_ID, 0 },
	};

	ctl_print_rows(c, db_params(STMT_mesh_list), columns, NELEM(columns));
}

/* What a mesh may have: as people and JSON call it, the option that holds
 * where the mesh has no limit of its own, columns of mesh_show. */
static const struct mesh_limit {
	const char *heading;
	const char *key;
	enum conf_at option;
	unsigned used, own;
} mesh_limits[] = {
	{ "SESSIONS", "sessions", CONF_AT_limit_sessions, 10, 16 },
	{ "QUEUE", "queue", CONF_AT_limit_queue, 11, 17 },
	{ "RECIPIENT-QUEUE", "recipientQueue", CONF_AT_limit_recipient_queue,
	    12, 18 },
	{ "STATE-KEYS", "stateKeys", CONF_AT_limit_state_keys, 13, 19 },
	{ "STATE-BYTES", "stateBytes", CONF_AT_limit_state_bytes, 14, 20 },
	{ "MEMORIES", "memories", CONF_AT_limit_memories, 15, 21 },
	{ "FILES", "files", CONF_AT_limit_files, 25, 22 },
	{ "STORAGE", "storage", CONF_AT_limit_storage, 26, 23 },
	{ "FILE-BYTES", "fileBytes", CONF_AT_limit_file_bytes, 27, 24 },
};

static int64_t
mesh_limit(const struct ctl *c, const struct db_result *r,
    const struct mesh_limit *l, bool *own)
{
	const int64_t *all = conf_value(c->conf, &conf_options[l->option]);

	*own = !db_null(r, 0, l->own);
	return *own ? db_int(r, 0, l->own) : *all;
}

static const struct ctl_column mesh_columns[] = {
	{ "SLUG", "slug", CTL_TEXT, 1 },
	{ "NAME", "name", CTL_TEXT, 2 },
	{ "ID", "meshId", CTL_ID, 0 },
	{ "CREATED", "createdAt", CTL_TIME, 3 },
	{ "ARCHIVED", "archivedAt", CTL_TIME, 4 },
	{ "OWNER", "ownerPubkey", CTL_KEY, 5 },
	{ "OWNER-KEY", "ownerKeyStored", CTL_BOOL, 6 },
	{ "MEMBERS", "members", CTL_INT, 7 },
	{ "BANNED", "banned", CTL_INT, 8 },
	{ "INVITES", "openInvites", CTL_INT, 9 },
	{ "CHANNELS", "channels", CTL_INT, 28 },
	{ "POSTS", "channelMessages", CTL_INT, 29 },
};

static void
mesh_shown_json(struct ctl *c, const struct db_result *r)
{
	const struct mesh_limit *l;
	struct json_writer w;
	struct buf b;
	bool own;

	buf_init(&b, 65536);
	json_start(&w, &b);
	json_object(&w);
	ctl_write_row(&w, r, 0, mesh_columns, NELEM(mesh_columns));
	json_key(&w, "limits");
	json_object(&w);
	for (l = mesh_limits; l < mesh_limits + NELEM(mesh_limits); l++) {
		json_key(&w, l->key);
		json_object(&w);
		json_key(&w, "used");
		json_num(&w, db_int(r, 0, l->used));
		json_key(&w, "limit");
		json_num(&w, mesh_limit(c, r, l, &own));
		json_key(&w, "own");
		json_bool(&w, own);
		json_object_end(&w);
	}
	json_object_end(&w);
	json_object_end(&w);
	ctl_print_json(&b);
}

static void
mesh_print_limit(
    struct ctl *c, const struct db_result *r, const struct mesh_limit *l)
{
	int64_t used = db_int(r, 0, l->used), limit;
	bool own;

	limit = mesh_limit(c, r, l, &own);
	if (isatty(STDOUT_FILENO) == 1)
		printf("%-17s%" PRId64 " of %" PRId64 "%s\n", l->heading, used,
		    limit, own ? ", its own limit" : "");
	else
		printf("%s\t%" PRId64 "\t%" PRId64 "\t%s\n", l->heading, used,
		    limit, own ? "own" : "-");
}

static void
mesh_shown(void *arg, const struct db_result *r)
{
	const struct mesh_limit *l;
	struct ctl *c = arg;

	if (db_rows(r) == 0)
		return;
	if (c->json) {
		mesh_shown_json(c, r);
		return;
	}
	ctl_print_row(r, 0, mesh_columns, NELEM(mesh_columns));
	for (l = mesh_limits; l < mesh_limits + NELEM(mesh_limits); l++)
		mesh_print_limit(c, r, l);
}

void
ctl_mesh_show(struct ctl *c)
{
	struct db_params *p;
	struct ctl_mesh m;

	ctl_mesh_find(c, &m, c->args[0], CTL_MESH_ARCHIVED);
	p = db_params(STMT_mesh_show);
	db_put_id(p, &m.id);
	ctl_query(c, p, mesh_shown, c);
}
