/* SPDX-License-Identifier: ISC */
/*
 * Meshes and their members.
 *
 * The owner's secret key signs invites.  It is kept in the database, sealed
 * with a key that is a file in state_dir, so that neither is worth anything
 * without the other; or only the owner has it (mesh create --show-key).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "ctl/ctl.h"

#define MESH_SEALED_LEN \
	(CRYPTO_NONCE_LEN + CRYPTO_SECRET_LEN + CRYPTO_BOX_EXTRA)

/* Makes the sealing key as a new file; false when there is one already. */
static bool
mesh_seal_key_make(const char *path, uint8_t secret[CRYPTO_SECRET_LEN])
{
	uint8_t pub[CRYPTO_KEY_LEN];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0) {
		if (errno == EEXIST)
			return false;
		ctl_fail(EX_CANTCREAT, "%s: %s", path, strerror(errno));
	}
	crypto_new_pair(pub, secret);
	if (write(fd, secret, CRYPTO_SECRET_LEN) != CRYPTO_SECRET_LEN ||
	    fsync(fd) != 0 || close(fd) != 0)
		ctl_fail(EX_IOERR, "%s: %s", path, strerror(errno));
	return true;
}

static void
mesh_seal_key(struct ctl *c, uint8_t secret[CRYPTO_SECRET_LEN])
{
	char *path = xasprintf("%s/seal.key", c->conf->state_dir);
	struct stat st;
	int fd;

	if (!mesh_seal_key_make(path, secret)) {
		if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
			ctl_fail(EX_NOPERM, "%s: %s", path, strerror(errno));
		if (fstat(fd, &st) != 0 || (st.st_mode & 077) != 0)
			ctl_fail(EX_CONFIG,
			    "%s can be read by others; chmod 600 it", path);
		if (read(fd, secret, CRYPTO_SECRET_LEN) != CRYPTO_SECRET_LEN)
			ctl_fail(EX_DATAERR, "%s is no sealing key", path);
		close(fd);
	}
	free(path);
}

/* The public half stands behind the seed. */
static const uint8_t *
mesh_public(const uint8_t secret[CRYPTO_SECRET_LEN])
{
	return secret + CRYPTO_SECRET_LEN - CRYPTO_KEY_LEN;
}

static void
mesh_seal(
    struct ctl *c, const struct ctl_mesh *m, uint8_t sealed[MESH_SEALED_LEN])
{
	uint8_t key[CRYPTO_SECRET_LEN];

	mesh_seal_key(c, key);
	if (crypto_seal(sealed + CRYPTO_NONCE_LEN, sealed, m->secret,
		CRYPTO_SECRET_LEN, mesh_public(key), key) != 0)
		ctl_fail(EX_SOFTWARE, "the owner's key could not be sealed");
	crypto_wipe(key, sizeof(key));
}

static void
mesh_unseal(struct ctl *c, struct ctl_mesh *m, struct slice sealed)
{
	uint8_t key[CRYPTO_SECRET_LEN];

	if (sealed.n != MESH_SEALED_LEN)
		return;
	mesh_seal_key(c, key);
	if (crypto_open(m->secret, (const uint8_t *)sealed.p,
		sealed.p + CRYPTO_NONCE_LEN, sealed.n - CRYPTO_NONCE_LEN,
		mesh_public(key), key) != 0)
		ctl_fail(EX_NOPERM,
		    "%s/seal.key is not the key with which this mesh's owner "
		    "key was sealed; give the owner's key with --owner-key",
		    c->conf->state_dir);
	crypto_wipe(key, sizeof(key));
	m->has_secret = true;
}

static void
mesh_made(void *arg, const struct db_result *r)
{
	*(bool *)arg = db_rows(r) > 0;
}

static bool
mesh_is_slug(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n <= 64 && s[0] != '-' && s[n - 1] != '-' &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

void
ctl_mesh_make(
    struct ctl *c, struct ctl_mesh *m, const char *slug, const char *name)
{
	uint8_t sealed[MESH_SEALED_LEN], root[CRYPTO_KEY_LEN];
	struct db_params *p;
	bool made = false;

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
	if (c->show_key)
		db_put_null(p);
	else {
		mesh_seal(c, m, sealed);
		db_put_bytes(p, sealed, sizeof(sealed));
	}
	db_put_str(p, m->root_key);
	ctl_query(c, p, mesh_made, &made);
	if (!made)
		ctl_fail(EX_DATAERR,
		    "there is a mesh \"%s\" already; choose another name",
		    slug);
}

struct mesh_found {
	struct ctl *c;
	struct ctl_mesh *m;
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
	if (f->c->owner_key == NULL && !db_null(r, 0, 4))
		mesh_unseal(f->c, f->m, db_bytes(r, 0, 4));
	mesh_text(r, 5, f->m->root_key, sizeof(f->m->root_key));
}

void
ctl_mesh_find(struct ctl *c, struct ctl_mesh *m, const char *slug)
{
	struct mesh_found f = { c, m, false };
	struct db_params *p = db_params(STMT_mesh_find);

	memset(m, 0, sizeof(*m));
	db_put_str(p, slug);
	ctl_query(c, p, mesh_found, &f);
	if (!f.found)
		ctl_fail(EX_NOINPUT,
		    "there is no mesh \"%s\"; linnetctl mesh list shows all",
		    slug);
}

void
ctl_mesh_create(struct ctl *c)
{
	char hex[2 * CRYPTO_SECRET_LEN + 1], id[ID_HEX_LEN + 1];
	struct json_writer w;
	struct ctl_mesh m;
	struct buf b;

	ctl_database(c);
	ctl_mesh_make(
	    c, &m, c->args[0], c->name != NULL ? c->name : c->args[0]);
	crypto_hex(hex, m.secret, sizeof(m.secret));
	if (c->json) {
		buf_init(&b, 65536);
		json_start(&w, &b);
		json_object(&w);
		json_key(&w, "meshId");
		json_id(&w, &m.id);
		json_key(&w, "slug");
		json_str(&w, m.slug);
		json_key(&w, "name");
		json_str(&w, m.name);
		json_key(&w, "ownerPubkey");
		json_hex(&w, m.owner, sizeof(m.owner));
		if (c->show_key) {
			json_key(&w, "ownerSecretKey");
			json_str(&w, hex);
		}
		json_object_end(&w);
		ctl_print_json(&b);
	} else {
		printf("mesh %s made, id %s\n", m.slug, id_hex(&m.id, id));
		if (c->show_key)
			printf(
			    "owner's secret key, shown this once: %s\n", hex);
		printf("next: linnetctl invite create %s\n", m.slug);
	}
	crypto_wipe(hex, sizeof(hex));
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
		{ "ID", "meshId", CTL_ID, 0 },
	};

	ctl_database(c);
	ctl_print_rows(c, db_params(STMT_mesh_list), columns, NELEM(columns));
}

void
ctl_member_list(struct ctl *c)
{
	static const struct ctl_column columns[] = {
		{ "NAME", "name", CTL_TEXT, 1 },
		{ "ROLE", "role", CTL_TEXT, 3 },
		{ "SESSIONS", "sessions", CTL_INT, 6 },
		{ "JOINED", "joinedAt", CTL_TIME, 4 },
		{ "REVOKED", "revokedAt", CTL_TIME, 5 },
		{ "ID", "memberId", CTL_ID, 0 },
		{ "KEY", "pubkey", CTL_KEY, 2 },
	};
	struct db_params *p;
	struct ctl_mesh m;

	ctl_database(c);
	c->owner_key = ""; /* its secret is not needed */
	ctl_mesh_find(c, &m, c->args[0]);
	p = db_params(STMT_member_list);
	db_put_id(p, &m.id);
	ctl_print_rows(c, p, columns, NELEM(columns));
}

void
ctl_member_make(struct ctl *c, const struct ctl_mesh *m, const char *name,
    const char *role, struct id *id, uint8_t pub[CRYPTO_KEY_LEN],
    uint8_t secret[CRYPTO_SECRET_LEN])
{
	struct db_params *p = db_params(STMT_member_create);
	char folded[520];

	id_new(id);
	crypto_new_pair(pub, secret);
	db_put_id(p, id);
	db_put_id(p, &m->id);
	db_put_bytes(p, pub, CRYPTO_KEY_LEN);
	db_put_str(p, name);
	db_put_text(p, folded, str_fold(folded, name, strlen(name)));
	db_put_str(p, role);
	ctl_query(c, p, NULL, NULL);
}
