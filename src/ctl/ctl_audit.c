/* SPDX-License-Identifier: ISC */
/*
 * The audit trail: verifying it, checkpoints, and the key that signs these.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "ctl/ctl_audit.h"

/* Nobody else waits on this connection. */
#define AUDIT_SLICE 10000

bool
ctl_audit_given(const struct ctl *c, struct ctl_audit_keys *k)
{
	size_t i;

	memset(k, 0, sizeof(*k));
	k->v = xcalloc(c->line.ngiven + 1, CRYPTO_KEY_LEN);
	for (i = 0; i < c->line.ngiven; i++) {
		const char *hex = c->line.given[i].value;

		if (strcmp(c->line.given[i].option->name, "key") != 0)
			continue;
		if (crypto_unhex(k->v[k->keys.n++], CRYPTO_KEY_LEN, hex,
			strlen(hex)) != 0)
			ctl_fail(EX_USAGE,
			    "--key \"%s\" is no public key of 64 hex digits; "
			    "linnetctl audit key shows that of this server",
			    hex);
	}
	k->keys.v = (const uint8_t(*)[CRYPTO_KEY_LEN])k->v;
	return k->keys.n > 0;
}

static void
audit_seed(struct ctl *c, uint8_t seed[CRYPTO_KEY_LEN], const char *what)
{
	char *error;

	if (conf_audit_key(c->conf, seed, &error) != 0)
		ctl_fail(EX_NOPERM,
		    "%s; the key of linnetd is needed: be its user or root%s",
		    error, what);
}

static void
audit_public(struct ctl *c, uint8_t key[CRYPTO_KEY_LEN], const char *what)
{
	uint8_t seed[CRYPTO_KEY_LEN], secret[CRYPTO_SECRET_LEN];

	audit_seed(c, seed, what);
	crypto_seed_pair(key, secret, seed);
	crypto_wipe(seed, sizeof(seed));
	crypto_wipe(secret, sizeof(secret));
}

/* Those of --key; or the server's own, and those that it trusts. */
static void
audit_keys(struct ctl *c, struct ctl_audit_keys *k)
{
	size_t i, n = c->conf->audit_trust.n;

	if (ctl_audit_given(c, k))
		return;
	free(k->v);
	k->v = xcalloc(n + 1, CRYPTO_KEY_LEN);
	audit_public(c, k->v[0], ", or say with --key whose checkpoints count");
	for (i = 0; i < n; i++)
		if (!conf_audit_trust(c->conf, i, k->v[i + 1]))
			fatalx("audit.trust: no key");
	k->keys.v = (const uint8_t(*)[CRYPTO_KEY_LEN])k->v;
	k->keys.n = n + 1;
}

void
ctl_audit_key(struct ctl *c)
{
	char hex[2 * CRYPTO_KEY_LEN + 1];
	const char *const pairs[] = { "key", hex, NULL };
	uint8_t key[CRYPTO_KEY_LEN];

	audit_public(c, key, "");
	crypto_hex(hex, key, sizeof(key));
	ctl_print_done(c, pairs, "%s", hex);
}

struct audit_slugs {
	char **v;
	size_t n;
};

static void
audit_slugs(void *arg, const struct db_result *r)
{
	struct audit_slugs *s = arg;
	size_t i;

	s->n = db_rows(r);
	s->v = xcalloc(s->n + 1, sizeof(*s->v));
	for (i = 0; i < s->n; i++) {
		struct slice slug = db_text(r, i, 1);

		s->v[i] = xstrndup(slug.p, slug.n);
	}
}

void
ctl_audit_each(struct ctl *c, const char *slug, ctl_audit_fn *fn, void *arg)
{
	struct audit_slugs s = { NULL, 0 };
	struct ctl_mesh m;
	size_t i;

	if (slug != NULL) {
		ctl_mesh_find(c, &m, slug, CTL_MESH_ARCHIVED);
		fn(c, &m, arg);
		return;
	}
	ctl_query(c, db_params(STMT_mesh_list), audit_slugs, &s);
	for (i = 0; i < s.n; i++) {
		ctl_mesh_find(c, &m, s.v[i], CTL_MESH_ARCHIVED);
		fn(c, &m, arg);
		free(s.v[i]);
	}
	free(s.v);
}

void
ctl_verdicts_begin(struct ctl_verdicts *v, struct ctl *c)
{
	memset(v, 0, sizeof(*v));
	v->c = c;
	buf_init(&v->b, CTL_JSON_MAX);
	json_start(&v->w, &v->b);
	json_array(&v->w);
}

static void
verdict_json(struct json_writer *w, const struct ctl_verdict *one)
{
	const struct audit *a = one->audit;
	bool valid = audit_is_valid(a);

	json_object(w);
	json_key(w, "mesh");
	json_str(w, one->slug);
	json_key(w, "meshId");
	json_id(w, &a->mesh);
	json_key(w, "valid");
	json_bool(w, valid);
	json_key(w, "firstBadIndex");
	if (valid)
		json_null(w);
	else
		json_num(w, a->bad - 1);
	json_key(w, "total");
	json_num(w, a->head);
	json_key(w, "problem");
	if (valid)
		json_null(w);
	else
		json_str(w, a->problem);
	if (one->at > 0 && !valid) {
		json_key(w, "line");
		json_num(w, (int64_t)one->at);
	}
	json_key(w, "checkpoints");
	json_num(w, a->checkpoints);
	json_key(w, "checkpointed");
	json_num(w, a->checkpointed);
	if (a->checkpoints > 0) {
		json_key(w, "key");
		json_hex(w, a->key, sizeof(a->key));
		json_key(w, "trusted");
		json_bool(w, !one->anybody);
	}
	json_object_end(w);
}

void
ctl_verdicts_add(struct ctl_verdicts *v, const struct ctl_verdict *one)
{
	const struct audit *a = one->audit;
	char *slug = ctl_safe(one->slug, strlen(one->slug));
	char key[2 * CRYPTO_KEY_LEN + 1];

	v->bad = v->bad || !audit_is_valid(a);
	if (v->c->json)
		verdict_json(&v->w, one);
	else if (!audit_is_valid(a) && one->at > 0)
		printf("mesh %s: NOT VALID: %s (line %zu of the file)\n", slug,
		    a->problem, one->at);
	else if (!audit_is_valid(a))
		printf("mesh %s: NOT VALID: %s\n", slug, a->problem);
	else if (a->checkpoints == 0)
		printf("mesh %s: %" PRId64 " lines are valid; no checkpoint "
		       "vouches for them\n",
		    slug, a->head);
	else
		printf("mesh %s: %" PRId64 " lines are valid; checkpoints: "
		       "%" PRId64 ", which vouch up to line %" PRId64 "\n",
		    slug, a->head, a->checkpoints, a->checkpointed);
	if (!v->c->json && audit_is_valid(a) && a->checkpoints > 0 &&
	    one->anybody) {
		crypto_hex(key, a->key, sizeof(a->key));
		printf("mesh %s: signed with %s; is that your server's "
		       "(linnetctl audit key)? With --key it is asked here\n",
		    slug, key);
	}
	free(slug);
}

int
ctl_verdicts_end(struct ctl_verdicts *v)
{
	json_array_end(&v->w);
	if (v->c->json)
		ctl_print_json(&v->b);
	else
		buf_free(&v->b);
	return v->bad ? EX_DATAERR : 0;
}

static void
audit_answer(void *arg, const struct db_result *r)
{
	audit_take(arg, r);
}

static void
audit_run(struct ctl *c, struct audit *a)
{
	struct db_params *p;

	while ((p = audit_next(a)) != NULL)
		ctl_query(c, p, audit_answer, a);
}

struct audit_verifying {
	struct ctl_verdicts verdicts;
	struct ctl_audit_keys keys;
};

static void
audit_verify_mesh(struct ctl *c, const struct ctl_mesh *m, void *arg)
{
	struct audit_verifying *v = arg;
	struct ctl_verdict one = { .slug = m->slug };
	struct audit a;

	audit_begin(&a, &m->id, &v->keys.keys, AUDIT_SLICE, false);
	audit_run(c, &a);
	one.audit = &a;
	ctl_verdicts_add(&v->verdicts, &one);
}

void
ctl_audit_verify(struct ctl *c)
{
	const char *file = ctl_given(c, "file");
	struct audit_verifying v;
	int status;

	if (file != NULL && c->nargs > 0)
		ctl_fail(EX_USAGE,
		    "--file says what to verify; a mesh is of the database");
	if (file != NULL) {
		ctl_audit_file(c, file);
		return;
	}
	audit_keys(c, &v.keys);
	ctl_database(c);
	ctl_verdicts_begin(&v.verdicts, c);
	ctl_audit_each(
	    c, c->nargs > 0 ? c->args[0] : NULL, audit_verify_mesh, &v);
	free(v.keys.v);
	status = ctl_verdicts_end(&v.verdicts);
	if (status != 0)
		ctl_fail(status, "the audit trail is not what it was");
}

struct audit_signing {
	struct ctl_audit_keys keys;
	uint8_t seed[CRYPTO_KEY_LEN];
	struct json_writer w;
	struct buf b;
};

static void
audit_checkpoint_told(struct ctl *c, struct audit_signing *s,
    const struct ctl_mesh *m, const struct audit_checkpoint *k, bool made)
{
	char hex[2 * CRYPTO_SHA256_LEN + 1];

	crypto_hex(hex, k->hash, sizeof(k->hash));
	if (!c->json) {
		printf(made ? "mesh %s: checkpoint of line %" PRId64
			      ", hash %s\n"
			    : "mesh %s: line %" PRId64
			      " has a checkpoint already, hash %s\n",
		    m->slug, k->n, hex);
		return;
	}
	json_object(&s->w);
	json_key(&s->w, "mesh");
	json_str(&s->w, m->slug);
	json_key(&s->w, "meshId");
	json_id(&s->w, &m->id);
	json_key(&s->w, "n");
	json_num(&s->w, k->n);
	json_key(&s->w, "hash");
	json_str(&s->w, hex);
	json_key(&s->w, "made");
	json_bool(&s->w, made);
	if (made) {
		json_key(&s->w, "at");
		json_time(&s->w, k->at_ms);
		json_key(&s->w, "key");
		json_hex(&s->w, k->key, sizeof(k->key));
		json_key(&s->w, "signature");
		json_hex(&s->w, k->signature, sizeof(k->signature));
	}
	json_object_end(&s->w);
}

static void
audit_checkpoint_mesh(struct ctl *c, const struct ctl_mesh *m, void *arg)
{
	struct audit_signing *s = arg;
	struct audit_checkpoint k = { .mesh = m->id, .at_ms = clock_wall() };
	struct audit a;
	bool made;

	audit_begin(&a, &m->id, &s->keys.keys, AUDIT_SLICE, true);
	audit_run(c, &a);
	if (!audit_is_valid(&a))
		ctl_fail(EX_DATAERR,
		    "the journal of mesh %s is not what it was: %s; no "
		    "checkpoint is made of it",
		    m->slug, a.problem);
	if (a.n == 0)
		return;
	k.n = a.n;
	memcpy(k.hash, a.hash, sizeof(k.hash));
	audit_sign(&k, s->seed);
	made = ctl_query_rows(c, audit_checkpoint_put(&k)) > 0;
	audit_checkpoint_told(c, s, m, &k, made);
}

void
ctl_audit_checkpoint(struct ctl *c)
{
	struct audit_signing s;

	audit_keys(c, &s.keys);
	audit_seed(c, s.seed, "");
	buf_init(&s.b, CTL_JSON_MAX);
	json_start(&s.w, &s.b);
	json_array(&s.w);
	ctl_audit_each(
	    c, c->nargs > 0 ? c->args[0] : NULL, audit_checkpoint_mesh, &s);
	crypto_wipe(s.seed, sizeof(s.seed));
	free(s.keys.v);
	json_array_end(&s.w);
	if (c->json)
		ctl_print_json(&s.b);
	else
		buf_free(&s.b);
}
