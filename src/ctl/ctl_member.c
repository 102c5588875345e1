/* SPDX-License-Identifier: ISC */
/*
 * Members, and who is meant by one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "ctl/ctl.h"

#define MEMBER_KEY_HEX (2 * CRYPTO_KEY_LEN)

void
ctl_put_who(struct db_params *p, const char *who)
{
	size_t n = strlen(who);
	char *folded = xmalloc(2 * n + 1);
	uint8_t key[CRYPTO_KEY_LEN];
	struct id id;

	db_put_id(p, id_parse(&id, who, n) == 0 ? &id : NULL);
	if (n == MEMBER_KEY_HEX && crypto_unhex(key, sizeof(key), who, n) == 0)
		db_put_bytes(p, key, sizeof(key));
	else
		db_put_null(p);
	db_put_text(p, folded, str_fold(folded, who, n));
	free(folded);
}

struct member_found {
	struct ctl_member *member;
	size_t n;
	struct buf keys;
};

static void
member_found(void *arg, const struct db_result *r)
{
	struct member_found *f = arg;
	char hex[MEMBER_KEY_HEX + 1];
	struct slice key;
	struct id id;
	size_t i;

	f->n = db_rows(r);
	for (i = 0; i < f->n; i++) {
		key = db_bytes(r, i, 1);
		if (key.n == CRYPTO_KEY_LEN) {
			memcpy(f->member->key, key.p, key.n);
			crypto_hex(hex, key.p, key.n);
		} else {
			db_id(r, i, 0, &id);
			id_hex(&id, hex);
		}
		buf_addf(&f->keys, "\n  %s", hex);
	}
	if (f->n != 1)
		return;
	db_id(r, 0, 0, &f->member->id);
	key = db_text(r, 0, 2);
	snprintf(f->member->name, sizeof(f->member->name), SLICE_FMT,
	    SLICE_ARG(key));
	key = db_text(r, 0, 3);
	snprintf(f->member->role, sizeof(f->member->role), SLICE_FMT,
	    SLICE_ARG(key));
	f->member->banned = db_bool(r, 0, 4);
}

void
ctl_member_find(struct ctl *c, const struct ctl_mesh *m,
    struct ctl_member *member, const char *who)
{
	struct member_found f = { .member = member };
	struct db_params *p = db_params(STMT_member_named);

	memset(member, 0, sizeof(*member));
	buf_init(&f.keys, 4096);
	db_put_id(p, &m->id);
	ctl_put_who(p, who);
	ctl_query(c, p, member_found, &f);
	if (f.n == 0)
		ctl_fail(EX_NOUSER,
		    "mesh %s has no member \"%s\"; linnetctl member list %s "
		    "shows all",
		    m->slug, who, m->slug);
	if (f.n > 1)
		ctl_fail(EX_NOUSER,
		    "several members are called \"%s\"; say the key or id of one:%s",
		    who, buf_str(&f.keys));
	buf_free(&f.keys);
}

void
ctl_member_list(struct ctl *c)
{
	static const struct ctl_column columns[] = {
		{ "NAME", "name", CTL_TEXT, 1 },
		{ "KIND", "kind", CTL_TEXT, 7 },
		{ "ROLE", "role", CTL_TEXT, 3 },
		{ "SESSIONS", "sessions", CTL_INT, 6 },
		{ "JOINED", "joinedAt", CTL_TIME, 4 },
		{ "REVOKED", "revokedAt", CTL_TIME, 5 },
		{ "ID", "memberId", CTL_ID, 0 },
		{ "KEY", "pubkey", CTL_KEY, 2 },
	};
	struct db_params *p;
	struct ctl_mesh m;

	ctl_mesh_find(c, &m, c->args[0], CTL_MESH_ARCHIVED);
	p = db_params(STMT_member_list);
	db_put_id(p, &m.id);
	ctl_print_rows(c, p, columns, NELEM(columns));
}

static const struct ctl_column member_columns[] = {
	{ "NAME", "name", CTL_TEXT, 1 },
	{ "KIND", "kind", CTL_TEXT, 14 },
	{ "ROLE", "role", CTL_TEXT, 3 },
	{ "ID", "memberId", CTL_ID, 0 },
	{ "KEY", "pubkey", CTL_KEY, 2 },
	{ "JOINED", "joinedAt", CTL_TIME, 4 },
	{ "REVOKED", "revokedAt", CTL_TIME, 5 },
	{ "BANNED", "bannedAt", CTL_TIME, 6 },
	{ "BANNED-BY", "bannedBy", CTL_TEXT, 7 },
	{ "REASON", "banReason", CTL_TEXT, 8 },
	{ "SESSIONS", "sessions", CTL_INT, 9 },
	{ "SEEN", "seenAt", CTL_TIME, 10 },
	{ "QUEUE", "queued", CTL_INT, 11 },
	{ "HOOK-TOKEN", "hasHookToken", CTL_BOOL, 12 },
	{ "PASSWORD", "hasPassword", CTL_BOOL, 15 },
};

static void
member_shown(void *arg, const struct db_result *r)
{
	struct ctl *c = arg;
	struct json_writer w;
	struct buf b;

	if (db_rows(r) == 0)
		return;
	if (!c->json) {
		ctl_print_row(r, 0, member_columns, NELEM(member_columns));
		return;
	}
	buf_init(&b, 65536);
	json_start(&w, &b);
	json_object(&w);
	ctl_write_row(&w, r, 0, member_columns, NELEM(member_columns));
	json_object_end(&w);
	ctl_print_json(&b);
}

void
ctl_member_show(struct ctl *c)
{
	struct ctl_member member;
	struct ctl_mesh m;
	struct db_params *p;

	ctl_mesh_find(c, &m, c->args[0], CTL_MESH_ARCHIVED);
	/* An id may be a revoked member's, whom nobody means otherwise. */
	if (id_parse(&member.id, c->args[1], strlen(c->args[1])) != 0)
		ctl_member_find(c, &m, &member, c->args[1]);
	p = db_params(STMT_member_show);
	db_put_id(p, &member.id);
	db_put_id(p, &m.id);
	if (ctl_query_rows(c, p) == 0)
		ctl_member_find(c, &m, &member, c->args[1]);
	p = db_params(STMT_member_show);
	db_put_id(p, &member.id);
	db_put_id(p, &m.id);
	ctl_query(c, p, member_shown, c);
}

/* The member that the first two arguments name. */
static void
member_meant(struct ctl *c, struct ctl_mesh *m, struct ctl_member *member)
{
	ctl_mesh_find(c, m, c->args[0], CTL_MESH_ARCHIVED);
	ctl_member_find(c, m, member, c->args[1]);
}

void
ctl_member_role(struct ctl *c)
{
	const char *role = c->args[2];
	const char *const pairs[] = { "role", role, NULL };
	struct ctl_member member;
	struct db_params *p;
	struct ctl_mesh m;

	member_meant(c, &m, &member);
	if (memcmp(member.key, m.owner, CRYPTO_KEY_LEN) == 0)
		ctl_fail(EX_NOPERM,
		    "%s has the key of mesh %s itself, and is always its "
		    "owner",
		    member.name, m.slug);
	p = db_params(STMT_member_role);
	db_put_id(p, &member.id);
	db_put_str(p, role);
	ctl_query(c, p, NULL, NULL);
	ctl_tell(c, &m.id, &member.id);
	ctl_print_done(
	    c, pairs, "%s is %s of mesh %s now", member.name, role, m.slug);
}

void
ctl_member_rename(struct ctl *c)
{
	const char *name = c->args[2];
	const char *const pairs[] = { "name", name, NULL };
	char folded[2 * 256 + 1];
	struct ctl_member member;
	struct db_params *p;
	struct ctl_mesh m;

	if (strlen(name) > (size_t)c->conf->limit_name || strlen(name) > 256 ||
	    !str_is_name(name, strlen(name)))
		ctl_fail(EX_DATAERR,
		    "\"%s\" is no name: at most %lld bytes, without blanks "
		    "around and characters that cannot be seen",
		    name, (long long)c->conf->limit_name);
	member_meant(c, &m, &member);
	p = db_params(STMT_member_rename);
	db_put_id(p, &member.id);
	db_put_str(p, name);
	db_put_text(p, folded, str_fold(folded, name, strlen(name)));
	ctl_query(c, p, NULL, NULL);
	ctl_tell(c, &m.id, &member.id);
	ctl_print_done(c, pairs, "%s is called %s now", member.name, name);
}

void
ctl_member_revoke(struct ctl *c)
{
	char id[ID_HEX_LEN + 1];
	const char *const pairs[] = { "memberId", id, NULL };
	struct ctl_member member;
	struct db_params *p;
	struct ctl_mesh m;

	member_meant(c, &m, &member);
	id_hex(&member.id, id);
	ctl_confirm(c, member.name,
	    "the membership of %s in mesh %s ends for good; its key cannot "
	    "join again",
	    member.name, m.slug);
	p = db_params(STMT_member_revoke);
	db_put_id(p, &member.id);
	ctl_query(c, p, NULL, NULL);
	ctl_tell(c, &m.id, &member.id);
	ctl_print_done(c, pairs, "%s is no member of mesh %s any more",
	    member.name, m.slug);
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
