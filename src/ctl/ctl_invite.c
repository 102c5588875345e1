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
#define INVITE_EXPIRES "7d"

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
ctl_invite_make(struct ctl *c, const struct ctl_mesh *m, const char *role,
    int64_t uses, int64_t expires_ms)
{
	uint8_t digest[CRYPTO_DIGEST_LEN];
	struct db_params *p;
	struct buf b;
	struct id id;
	char *token, *url = ctl_daemon_url(c);

	buf_init(&b, 65536);
	id_new(&id);
	invite_write(&b, &id, m, url, expires_ms / 1000, role);
	if (b.failed)
		ctl_fail(EX_DATAERR, "the invite is too long");
	token = xmalloc(CRYPTO_B64_LEN(b.len));
	crypto_base64(token, b.data, b.len, CRYPTO_B64_URL);
	crypto_digest(digest, token, strlen(token), NULL);
	p = db_params(STMT_invite_create);
	db_put_id(p, &id);
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
invite_owner_key(struct ctl *c, struct ctl_mesh *m)
{
	char hex[2 * CRYPTO_SECRET_LEN + 2];
	size_t n;
	FILE *f;

	if ((f = fopen(c->owner_key, "re")) == NULL)
		ctl_fail(EX_NOINPUT, "%s: %s", c->owner_key, strerror(errno));
	n = fread(hex, 1, sizeof(hex) - 1, f);
	fclose(f);
	while (n > 0 && (hex[n - 1] == '\n' || hex[n - 1] == '\r'))
		n--;
	if (crypto_unhex(m->secret, CRYPTO_SECRET_LEN, hex, n) != 0)
		ctl_fail(EX_DATAERR,
		    "%s is no secret key: 128 hex digits are expected",
		    c->owner_key);
	crypto_wipe(hex, sizeof(hex));
	if (memcmp(m->secret + CRYPTO_SECRET_LEN - CRYPTO_KEY_LEN, m->owner,
		CRYPTO_KEY_LEN) != 0)
		ctl_fail(EX_NOPERM, "%s is not the key of the owner of mesh %s",
		    c->owner_key, m->slug);
	m->has_secret = true;
}

void
ctl_invite_create(struct ctl *c)
{
	const char *role = c->role != NULL ? c->role : "member", *wrong;
	char when[CLOCK_RFC3339_LEN + 1];
	int64_t uses = 1, expires = 0;
	struct json_writer w;
	struct ctl_mesh m;
	struct buf b;
	char *token, *link;

	if (strcmp(role, "member") != 0 && strcmp(role, "admin") != 0)
		ctl_fail(EX_USAGE, "--role is member or admin");
	if (c->uses != NULL &&
	    (wrong = str_num(c->uses, 1, INVITE_USES_MAX, &uses)) != NULL)
		ctl_fail(EX_USAGE, "--uses %s", wrong);
	wrong = str_duration(
	    c->expires != NULL ? c->expires : INVITE_EXPIRES, &expires);
	if (wrong != NULL)
		ctl_fail(EX_USAGE, "--expires %s", wrong);
	if (expires < 1000)
		ctl_fail(EX_USAGE, "--expires is too short");
	ctl_database(c);
	ctl_mesh_find(c, &m, c->args[0]);
	if (c->owner_key != NULL)
		invite_owner_key(c, &m);
	if (!m.has_secret)
		ctl_fail(EX_NOINPUT,
		    "only the owner of mesh %s has its key; give it with "
		    "--owner-key FILE",
		    m.slug);
	expires += clock_wall();
	token = ctl_invite_make(c, &m, role, uses, expires);
	crypto_wipe(m.secret, sizeof(m.secret));
	link = xasprintf("linnet://join/%s", token);
	clock_format(expires, when);
	if (c->json) {
		buf_init(&b, 65536);
		json_start(&w, &b);
		json_object(&w);
		json_key(&w, "link");
		json_str(&w, link);
		json_key(&w, "token");
		json_str(&w, token);
		json_key(&w, "role");
		json_str(&w, role);
		json_key(&w, "uses");
		json_num(&w, uses);
		json_key(&w, "expiresAt");
		json_str(&w, when);
		json_object_end(&w);
		ctl_print_json(&b);
	} else
		printf("%s\n", link);
	free(link);
	free(token);
}
