/* SPDX-License-Identifier: ISC */
/*
 * Whom a name means.  A direct message is encrypted to a key, so the name is
 * looked up here and not by the broker: among all members and their sessions,
 * whatever its case.  Of one peer its own key is taken; a name that several
 * sessions of one member have means the member; two members of a name are
 * one too many.  A session that was lost and may return is meant when nobody
 * else of its member is connected under its name.
 */
#include "lib/lib.h"

#include <stdlib.h>
#include <string.h>

bool
linnet_target_is_many(const char *to)
{
	return to[0] == '@' || to[0] == '#' || strcmp(to, "*") == 0;
}

bool
linnet_target_is_key(const char *to)
{
	uint8_t key[CRYPTO_KEY_LEN];

	return crypto_unhex(key, sizeof(key), to, strlen(to)) == 0;
}

static const char *
target_fold(struct pool *p, const char *name)
{
	const size_t n = strlen(name);
	char *folded = pool_alloc(p, 2 * n + 1);

	folded[str_fold(folded, name, n)] = '\0';
	return folded;
}

struct target_found {
	size_t count;
	bool here;	 /* they are connected */
	const char *key; /* of the first; no key: it has none */
	const char *member;
	const char *who; /* the member's id, or what else tells it */
	bool several;	 /* members */
	const char **names;
	const char **folded;
	size_t n;
};

static void
target_look(struct target_found *f, struct pool *p, const struct json *j,
    size_t peers, const char *want)
{
	const char *name, *key, *member, *who;
	size_t at, size;
	bool here;

	size = (j->nodes[peers].end - peers + 1) * sizeof(*f->names);
	f->names = pool_zalloc(p, size);
	f->folded = pool_zalloc(p, size);
	for (at = JSON_FIRST(peers); at < j->nodes[peers].end;
	     at = j->nodes[at].end) {
		name = linnet_json_str(p, j, at, "displayName");
		key = linnet_json_str(p, j, at, "pubkey");
		member = linnet_json_str(p, j, at, "memberPubkey");
		who = linnet_json_str(p, j, at, "memberId");
		if (name[0] == '\0')
			continue;
		f->names[f->n] = name;
		f->folded[f->n] = target_fold(p, name);
		if (strcmp(f->folded[f->n++], want) != 0)
			continue;
		/* Brokers of before members were listed. */
		if (member[0] == '\0' && who[0] == '\0')
			member = key;
		if (who[0] == '\0')
			who = member;
		here =
		    strcmp(linnet_json_str(p, j, at, "status"), "offline") != 0;
		if (f->count > 0 && strcmp(f->who, who) != 0)
			f->several = true;
		if (f->count > 0 && f->here && !here)
			continue;
		if (here && !f->here)
			f->count = 0;
		if (f->count++ == 0) {
			f->here = here;
			f->key = key;
			f->member = member;
			f->who = who;
		}
	}
}

static void
target_unknown(const struct target_found *f, const char *name, const char *want,
    struct linnet_error *e)
{
	const char *near = str_nearest(want, f->folded);
	size_t i;

	for (i = 0; near != NULL && f->folded[i] != near;)
		i++;
	if (near != NULL)
		linnet_error_set(e, "unknown_target",
		    "Nobody here is called \"%.128s\". Did you mean "
		    "\"%.128s\"?",
		    name, f->names[i]);
	else
		linnet_error_set(e, "unknown_target",
		    "Nobody here is called \"%.128s\"; list all peers to see "
		    "who could be.",
		    name);
}

int
linnet_target_find(char key[LINNET_KEY_SIZE], const char *peers, size_t n,
    const char *name, struct linnet_error *e)
{
	struct target_found f = { 0 };
	const char *want, *found;
	struct json j;
	struct pool p;
	size_t at;
	int r = -1;

	json_init(&j, LINNET_JSON_NODES, LINNET_JSON_DEPTH);
	pool_init(&p);
	if (json_read(&j, peers, n) != 0 ||
	    (at = json_get(&j, 0, "peers")) == 0 ||
	    j.nodes[at].type != JSON_ARRAY) {
		linnet_error_set(
		    e, "protocol", "The broker's list of peers is none.");
		goto fail;
	}
	want = target_fold(&p, name);
	target_look(&f, &p, &j, at, want);
	if (f.several) {
		linnet_error_set(e, "ambiguous_target",
		    "Several members are called \"%.128s\"; use the public "
		    "key of the one you mean.",
		    name);
		goto fail;
	}
	if (f.count == 0) {
		target_unknown(&f, name, want, e);
		goto fail;
	}
	found = f.count > 1 ? f.member : f.key;
	if (!linnet_target_is_key(found)) {
		linnet_error_set(e, "bad_argument",
		    "\"%.128s\" has no key to encrypt to: write to it in a "
		    "channel, or without encryption.",
		    name);
		goto fail;
	}
	(void)str_copy(key, found, LINNET_KEY_SIZE);
	r = 0;
fail:
	pool_free(&p);
	json_free(&j);
	return r;
}

/*
 * Names that were looked up, so that not every message asks again.  They are
 * few, and forgotten all at once: by their age, when peers come or go, and
 * when the connection is a new one.
 */
struct names_entry {
	struct hash_entry hash;
	char key[LINNET_KEY_SIZE];
	char name[];
};

void
linnet_names_init(struct linnet_names *t)
{
	hash_init(&t->names);
}

void
linnet_names_forget(struct linnet_names *t)
{
	struct hash_entry *e, *next;
	size_t i;

	HASH_FOREACH (e, next, i, &t->names)
		free(CONTAINER(e, struct names_entry, hash));
	hash_free(&t->names);
}

const char *
linnet_names_find(struct linnet_names *t, const char *name)
{
	struct hash_entry *e;

	if (t->names.count > 0 && linnet_now() - t->since_ms >= LINNET_NAMES_MS)
		linnet_names_forget(t);
	e = hash_find(&t->names, name, strlen(name));
	return e != NULL ? CONTAINER(e, struct names_entry, hash)->key : NULL;
}

void
linnet_names_add(struct linnet_names *t, const char *name, const char *key)
{
	const size_t n = strlen(name);
	struct names_entry *e = xcalloc(1, sizeof(*e) + n + 1);

	if (t->names.count == 0)
		t->since_ms = linnet_now();
	(void)str_copy(e->key, key, sizeof(e->key));
	memcpy(e->name, name, n + 1);
	hash_insert(&t->names, &e->hash, e->name, n);
}
