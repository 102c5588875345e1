/* SPDX-License-Identifier: ISC */
/*
 * Invites: what the owner signs, and the link that carries it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "ctl/ctl.h"

#define INVITE_VERSION 1
#define INVITE_USES_MAX 1000000
#define INVITE_EXPIRES_MS (7 * 86400000LL)
#define INVITE_EXPIRES_MIN_MS 1000

/* The JSON of the token, signed; see core/invite.c for what is signed.  Its
 * id is there to make it another token than one of the same second. */
static void
invite_write(struct buf *b, const struct id *invite, const struct ctl_mesh *m,
    const char *url, int64_t expires, const char *role)
{
	char id[ID_HEX_LEN + 1], owner[2 * CRYPTO_KEY_LEN + 1];
	uint8_t sig[CRYPTO_SIG_LEN];
	struct json_writer w;
	char *text;

	id_hex(&m->id, id);
	crypto_hex(owner, m->owner, sizeof(m->owner));
	text = xasprintf("%d|%s|%s|%s|%" PRId64 "|%s|%s|%s", INVITE_VERSION, id,
	    m->slug, url, expires, m->root_key, role, owner);
	crypto_make_sig(sig, text, strlen(text), m->secret);
	free(text);
	json_start(&w, b);
	json_object(&w);
	json_key(&w, "v");
	json_num(&w, INVITE_VERSION);
	json_key(&w, "mesh_id");
	json_str(&w, id);
	json_key(&w, "mesh_slug");
	json_str(&w, m->slug);
	json_key(&w, "broker_url");
	json_str(&w, url);
	json_key(&w, "expires_at");
	json_num(&w, expires);
	json_key(&w, "mesh_root_key");
	json_str(&w, m->root_key);
	json_key(&w, "role");
	json_str(&w, role);
	json_key(&w, "owner_pubkey");
	json_str(&w, owner);
	json_key(&w, "signature");
	json_hex(&w, sig, sizeof(sig));
	json_key(&w, "invite_id");
	json_id(&w, invite);
	json_object_end(&w);
}

char *
ctl_invite_make(struct ctl *c, const struct ctl_mesh *m, struct id *id,
    const char *role, int64_t uses, int64_t expires_ms)
{
	uint8_t digest[CRYPTO_DIGEST_LEN];
	struct db_params *p;
	struct buf b;
	char *token, *url = ctl_daemon_url(c);

	buf_init(&b, 65536);
	id_new(id);
	invite_write(&b, id, m, url, expires_ms / 1000, role);
	if (b.failed)
		ctl_fail(EX_DATAERR, "the invite is too long");
	token = xmalloc(CRYPTO_B64_LEN(b.len));
	crypto_base64(token, b.data, b.len, CRYPTO_B64_URL);
	crypto_digest(digest, token, strlen(token), NULL);
	p = db_params(STMT_invite_create);
	db_put_id(p, id);
	db_put_id(p, &m->id);
	db_put_bytes(p, digest, sizeof(digest));
	db_put_str(p, role);
	db_put_int(p, uses);
	db_put_int(p, expires_ms);
	ctl_query(c, p, NULL, NULL);
	buf_free(&b);
	free(url);
	return token;
}

/* The owner's secret key from a file, for a mesh whose key is not here. */
static void
invite_owner_key(struct ctl_mesh *m, const char *file)
{
	bool here = strcmp(file, "-") == 0;
	char hex[2 * CRYPTO_SECRET_LEN + 2];
	size_t n;
	FILE *f;

	if ((f = here ? stdin : fopen(file, "re")) == NULL)
		ctl_fail(EX_NOINPUT, "%s: %s", file, strerror(errno));
	n = fread(hex, 1, sizeof(hex) - 1, f);
	if (!here)
		fclose(f);
	while (n > 0 && (hex[n - 1] == '\n' || hex[n - 1] == '\r'))
		n--;
	if (crypto_unhex(m->secret, CRYPTO_SECRET_LEN, hex, n) != 0)
		ctl_fail(EX_DATAERR,
		    "%s is no secret key: 128 hex digits are expected", file);
	crypto_wipe(hex, sizeof(hex));
	if (memcmp(m->secret + CRYPTO_SECRET_LEN - CRYPTO_KEY_LEN, m->owner,
		CRYPTO_KEY_LEN) != 0)
		ctl_fail(EX_NOPERM, "%s is not the key of the owner of mesh %s",
		    file, m->slug);
	m->has_secret = true;
}

struct invite {
	struct id id;
	const char *role;
	int64_t uses;
	int64_t expires_ms;
	char *token;
	char *link;
};

static void
invite_print(const struct ctl *c, const struct invite *v)
{
	struct json_writer w;
	struct buf b;

	if (!c->json) {
		printf("%s\n", v->link);
		if (ctl_given(c, "qr") != NULL)
			ctl_qr_print(v->link);
		return;
	}
	buf_init(&b, 65536);
	json_start(&w, &b);
	json_object(&w);
	json_key(&w, "inviteId");
	json_id(&w, &v->id);
	json_key(&w, "link");
	json_str(&w, v->link);
	json_key(&w, "token");
	json_str(&w, v->token);
	json_key(&w, "role");
	json_str(&w, v->role);
	json_key(&w, "uses");
	json_num(&w, v->uses);
	json_key(&w, "expiresAt");
	json_time(&w, v->expires_ms);
	json_object_end(&w);
	ctl_print_json(&b);
}

void
ctl_invite_create(struct ctl *c)
{
	const char *role = ctl_given(c, "role"),
		   *file = ctl_given(c, "owner-key");
	struct invite v = {
		.role = role != NULL ? role : "member",
		.uses = ctl_given_num(c, "uses", 1, INVITE_USES_MAX, 1),
		.expires_ms = ctl_given_time(
		    c, "expires", INVITE_EXPIRES_MIN_MS, INVITE_EXPIRES_MS),
	};
	struct ctl_mesh m;

	if (ctl_given(c, "qr") != NULL)
		ctl_qr_check();
	ctl_mesh_find(c, &m, c->args[0], file == NULL ? CTL_MESH_SECRET : 0);
	if (file != NULL)
		invite_owner_key(&m, file);
	if (!m.has_secret)
		ctl_fail(EX_NOINPUT,
		    "only the owner of mesh %s has its key; give it with "
		    "--owner-key FILE",
		    m.slug);
	v.expires_ms += clock_wall();
	v.token = ctl_invite_make(c, &m, &v.id, v.role, v.uses, v.expires_ms);
	crypto_wipe(m.secret, sizeof(m.secret));
	v.link = xasprintf("linnet://join/%s", v.token);
	invite_print(c, &v);
	free(v.link);
	free(v.token);
}

void
ctl_invite_list(struct ctl *c)
{
	static const struct ctl_column columns[] = {
		{ "ID", "inviteId", CTL_ID, 0 },
		{ "STATE", "state", CTL_TEXT, 7 },
		{ "ROLE", "role", CTL_TEXT, 1 },
		{ "USED", "used", CTL_INT, 2 },
		{ "USES", "uses", CTL_INT, 3 },
		{ "CREATED", "createdAt", CTL_TIME, 4 },
		{ "EXPIRES", "expiresAt", CTL_TIME, 5 },
		{ "REVOKED", "revokedAt", CTL_TIME, 6 },
	};
	struct db_params *p;
	struct ctl_mesh m;

	ctl_mesh_find(c, &m, c->args[0], CTL_MESH_ARCHIVED);
	p = db_params(STMT_invite_list);
	db_put_id(p, &m.id);
	ctl_print_rows(c, p, columns, NELEM(columns));
}

struct invite_revoke {
	bool found;
	bool before; /* it was revoked already */
};

static void
invite_revoked(void *arg, const struct db_result *r)
{
	struct invite_revoke *v = arg;

	v->found = db_rows(r) > 0;
	v->before = v->found && !db_bool(r, 0, 0);
}

void
ctl_invite_revoke(struct ctl *c)
{
	const char *text = c->args[0];
	const char *const pairs[] = { "inviteId", text, NULL };
	struct db_params *p = db_params(STMT_invite_revoke);
	struct invite_revoke v = { false, false };
	struct id id;

	if (id_parse(&id, text, strlen(text)) != 0)
		ctl_fail(EX_USAGE,
		    "an invite is revoked by its id, 32 hex digits; linnetctl "
		    "invite list MESH shows it");
	db_put_id(p, &id);
	ctl_query(c, p, invite_revoked, &v);
	if (!v.found)
		ctl_fail(EX_NOINPUT,
		    "there is no invite %s; linnetctl invite list MESH shows "
		    "those of a mesh",
		    text);
	ctl_print_done(c, pairs,
	    v.before ? "invite %s was revoked before" : "invite %s revoked",
	    text);
}
