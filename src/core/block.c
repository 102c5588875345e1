/* SPDX-License-Identifier: ISC */
/*
 * What members do not want of each other.
 *
 * Every process that serves a mesh has all its blocks in memory.  Each change
 * has a version from the database; an older one never overrules a newer one,
 * whichever way it came.  That somebody wants all of another again is an entry
 * too: else an older record would bring the block back.
 */
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"

#define BLOCK_ALL (BLOCK_DM | BLOCK_BROADCAST | BLOCK_STATE)

static const struct block_kind {
	const char *name;
	enum block what;
} block_kinds[] = {
	{ "dm", BLOCK_DM },
	{ "broadcast", BLOCK_BROADCAST },
	{ "state", BLOCK_STATE },
};

struct block_entry {
	struct hash_entry hash;
	uint8_t key[2 * ID_LEN]; /* who blocks, whom */
	unsigned what;
	int64_t version;
};

static struct block_entry *
block_find(const struct mesh *m, const uint8_t key[2 * ID_LEN])
{
	struct hash_entry *e = hash_find(&m->blocks, key, 2 * ID_LEN);

	return e != NULL ? CONTAINER(e, struct block_entry, hash) : NULL;
}

static void
block_key(
    uint8_t key[2 * ID_LEN], const struct id *member, const struct id *other)
{
	memcpy(key, member->b, ID_LEN);
	memcpy(key + ID_LEN, other->b, ID_LEN);
}

bool
block_has(const struct mesh *m, const struct id *member, const struct id *other,
    enum block what)
{
	uint8_t key[2 * ID_LEN];
	const struct block_entry *b;

	if (m->blocks.count == 0)
		return false;
	block_key(key, member, other);
	b = block_find(m, key);
	return b != NULL && (b->what & what) != 0;
}

void
block_told(struct mesh *m, const struct id *member, const struct id *other,
    unsigned what, int64_t version)
{
	uint8_t key[2 * ID_LEN];
	struct block_entry *b;

	block_key(key, member, other);
	if ((b = block_find(m, key)) == NULL) {
		b = xcalloc(1, sizeof(*b));
		memcpy(b->key, key, sizeof(key));
		hash_insert(&m->blocks, &b->hash, b->key, sizeof(b->key));
	}
	if (version <= b->version)
		return;
	b->what = what;
	b->version = version;
}

void
block_load(struct mesh *m, const struct db_result *r)
{
	struct id member, other;
	size_t i;

	for (i = 0; i < db_rows(r); i++) {
		db_id(r, i, 0, &member);
		db_id(r, i, 1, &other);
		block_told(m, &member, &other, (unsigned)db_int(r, i, 2),
		    db_int(r, i, 3));
	}
}

void
block_forget(struct mesh *m)
{
	struct hash_entry *e, *next;
	size_t i;

	HASH_FOREACH (e, next, i, &m->blocks)
		free(CONTAINER(e, struct block_entry, hash));
	hash_free(&m->blocks);
}

struct block_in {
	struct slice target;
	struct list what;
};

#define IN(field) offsetof(struct block_in, field)
static const struct field block_fields[] = {
	{ "target", F_STR, IN(target), 1, 256, FIELD_REQUIRED, NULL, NULL, 0,
	    "Member: its id, public key or name, or the key of a session." },
	{ "what", F_STRS, IN(what), 1, NELEM(block_kinds), 0, NULL, NULL, 0,
	    "dm: its direct messages; broadcast: its messages to groups and "
	    "to everybody; state: its changes of shared state. All of them "
	    "when absent." },
	{ .type = F_END },
};
#undef IN

struct block_row {
	struct id member;
	uint8_t key[CRYPTO_KEY_LEN];
	struct slice name;
	struct list what;
	int64_t at_ms;
};

#define ROW(field) offsetof(struct block_row, field)
#define BLOCK_ROW                                                              \
	{ "memberId", F_ID, ROW(member), 0, 0, 0, NULL, NULL, 0,               \
		"The member that is blocked." },                               \
	    { "pubkey", F_KEY, ROW(key), 0, 0, FIELD_NULLABLE, NULL, NULL, 0,  \
		    "Its public key; null: it has none." },                    \
	    { "name", F_STR, ROW(name), 0, 0, 0, NULL, NULL, 0, "Its name." }, \
	{                                                                      \
		"what", F_STRS, ROW(what), 0, 0, 0, NULL, NULL, 0,             \
		    "What of it is blocked now; empty: nothing."               \
	}
static const struct field block_ack_fields[] = {
	BLOCK_ROW,
	{ .type = F_END },
};

static const struct field block_row_fields[] = {
	BLOCK_ROW,
	{ "blockedAt", F_TIME, ROW(at_ms), 0, 0, 0, NULL, NULL, 0, "Since." },
	{ .type = F_END },
};
#undef ROW

struct block_list_out {
	struct list blocks;
};

static const struct field block_list_fields[] = {
	{ "blocks", F_ROWS, offsetof(struct block_list_out, blocks), 0, 0, 0,
	    NULL, block_row_fields, sizeof(struct block_row),
	    "Whom the member blocks." },
	{ .type = F_END },
};

static const struct field no_fields[] = {
	{ .type = F_END },
};

/* Names of the bits, of the pool. */
static struct list
block_names(struct pool *pool, unsigned what)
{
	struct slice *v = pool_alloc(pool, NELEM(block_kinds) * sizeof(*v));
	struct list names = { v, 0 };
	size_t i;

	for (i = 0; i < NELEM(block_kinds); i++)
		if (what & block_kinds[i].what)
			v[names.n++] = (struct slice){ block_kinds[i].name,
				strlen(block_kinds[i].name) };
	return names;
}

/* The bits of what was asked; 0 after failing the request. */
static unsigned
block_bits(struct request *r, const struct list *what)
{
	const struct slice *v = what->v;
	unsigned bits = 0;
	size_t i, k;

	if (what->n == 0)
		return BLOCK_ALL;
	for (i = 0; i < what->n; i++) {
		for (k = 0; k < NELEM(block_kinds); k++)
			if (strlen(block_kinds[k].name) == v[i].n &&
			    memcmp(block_kinds[k].name, v[i].p, v[i].n) == 0)
				break;
		if (k == NELEM(block_kinds)) {
			op_fail(r, ERR_MALFORMED,
			    "what[%zu] is none of dm, broadcast, state.", i);
			return 0;
		}
		bits |= block_kinds[k].what;
	}
	return bits;
}

/* A block that is changed, on its way. */
struct block_change {
	struct request *request;
	unsigned add;
	unsigned drop;
	struct id mesh;
	struct id by;
	struct block_row row;
};

static void
block_stored(void *arg, const struct db_result *res)
{
	struct block_change *ch = arg;
	struct request *r = ch->request;
	struct mesh *m = mesh_find(r->core, &ch->mesh);
	unsigned what = 0;

	if (op_db_failed(r, res))
		return;
	if (db_rows(res) > 0) {
		what = (unsigned)db_int(res, 0, 0);
		if (m != NULL)
			block_told(m, &ch->by, &ch->row.member, what,
			    db_int(res, 0, 1));
		event_block(r->core, &ch->mesh, &ch->by, &ch->row.member, what,
		    db_int(res, 0, 1));
	} else if (ch->add != 0) {
		r->error_limit = r->error_used = r->core->limits.blocks;
		op_fail(r, ERR_QUOTA,
		    "Members that you block: %lld of %lld. Unblock some.",
		    (long long)r->error_used, (long long)r->error_limit);
		return;
	}
	ch->row.what = block_names(&r->pool, what);
	op_reply(r, &ch->row);
}

static void
block_member(struct request *r, const struct member *m)
{
	struct block_change *ch = r->context;
	const struct session *s = r->client->session;
	struct db_params *p;

	if (id_same(&m->id, &s->info.member)) {
		op_fail(r, ERR_FORBIDDEN, "You cannot block yourself.");
		return;
	}
	ch->mesh = s->mesh->id;
	ch->by = s->info.member;
	ch->row.member = m->id;
	memcpy(ch->row.key, m->key, sizeof(m->key));
	ch->row.name = m->name;
	p = db_params(STMT_block_put);
	db_put_id(p, &ch->by);
	db_put_id(p, &m->id);
	db_put_id(p, &ch->mesh);
	db_put_int(p, ch->add);
	db_put_int(p, ch->drop);
	db_put_int(p, r->core->limits.blocks);
	db_query(r->core->reads, p, block_stored, ch);
}

static void
block_change(struct request *r, const struct block_in *in, bool add)
{
	struct block_change *ch = pool_zalloc(&r->pool, sizeof(*ch));
	unsigned bits = block_bits(r, &in->what);

	if (bits == 0)
		return;
	ch->request = r;
	if (add)
		ch->add = bits;
	else
		ch->drop = bits;
	r->context = ch;
	member_named(r, in->target, block_member);
}

static void
block_exec(struct request *r, void *arg)
{
	block_change(r, arg, true);
}

static void
unblock_exec(struct request *r, void *arg)
{
	block_change(r, arg, false);
}

static void
block_listed(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct block_list_out out;
	struct block_row *v;
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
		v[i].what = block_names(&r->pool, (unsigned)db_int(res, i, 3));
		v[i].at_ms = db_time(res, i, 4);
	}
	out.blocks = (struct list){ v, n };
	op_reply(r, &out);
}

static void
list_blocks_exec(struct request *r, void *arg)
{
	struct db_params *p = db_params(STMT_block_list);

	(void)arg;
	db_put_id(p, &r->client->session->info.member);
	db_query(r->core->reads, p, block_listed, r);
}

const struct op op_block = {
	.name = "block",
	.scope = SCOPE_MEMBER,
	.reply = "block_ack",
	.in = block_fields,
	.in_size = sizeof(struct block_in),
	.out = block_ack_fields,
	.exec = block_exec,
	.text = "Take no more of a member, for all sessions of one's own.",
};

const struct op op_unblock = {
	.name = "unblock",
	.scope = SCOPE_MEMBER,
	.reply = "unblock_ack",
	.in = block_fields,
	.in_size = sizeof(struct block_in),
	.out = block_ack_fields,
	.exec = unblock_exec,
	.text = "Take again what was blocked of a member.",
};

const struct op op_list_blocks = {
	.name = "list_blocks",
	.scope = SCOPE_MEMBER,
	.reply = "blocks_list",
	.in = no_fields,
	.out = block_list_fields,
	.exec = list_blocks_exec,
	.text = "Whom one blocks.",
};
