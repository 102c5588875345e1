/* SPDX-License-Identifier: ISC */
/*
 * hook_set_status: an agent's host reports that the agent works or is idle.
 *
 * The caller proves with a member's hook token which mesh is meant; on this
 * machine, where the operator allows it, no token is needed.  The session is
 * found by its id, else by process and directory, else by directory; when it
 * is not there yet the status waits ten seconds for it.
 */
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"

struct hook_in {
	struct slice cwd;
	int status;
	int64_t pid;
	struct slice client_session;
	struct slice token; /* put by the protocol, from the header */
};

#define IN(field) offsetof(struct hook_in, field)
static const struct field hook_in_fields[] = {
	{ "cwd", F_STR, IN(cwd), 1, 4096, FIELD_REQUIRED, NULL, NULL, 0,
	    "Directory of the agent." },
	{ "status", F_ENUM, IN(status), 0, 0, FIELD_REQUIRED, table_statuses,
	    NULL, 0, "idle, working or dnd." },
	{ "pid", F_INT, IN(pid), 0, INT64_MAX, 0, NULL, NULL, 0,
	    "Process of the agent." },
	{ "session_id", F_STR, IN(client_session), 0, 256, 0, NULL, NULL, 0,
	    "The agent's session id." },
	{ "token", F_STR, IN(token), 0, 256, 0, NULL, NULL, 0,
	    "The member's hook token, unless Authorization: Bearer has it." },
	{ .type = F_END },
};
#undef IN

struct hook_out {
	bool ok;
	struct id presence;
	bool pending;
};

#define OUT(field) offsetof(struct hook_out, field)
static const struct field hook_out_fields[] = {
	{ "ok", F_BOOL, OUT(ok), 0, 0, 0, NULL, NULL, 0, "true." },
	{ "presence_id", F_ID, OUT(presence), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "The session whose status it is." },
	{ "pending", F_BOOL, OUT(pending), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "There is no such session yet." },
	{ .type = F_END },
};
#undef OUT

struct hook {
	struct request *request;
	bool has_mesh;
	struct id mesh;
	struct id member;
};

static void
hook_waits(void *arg, const struct db_result *r)
{
	struct hook *h = arg;
	struct hook_out out = { .ok = true, .pending = true };

	if (!op_db_failed(h->request, r))
		op_reply(h->request, &out);
}

static void
hook_wait(struct hook *h)
{
	const struct hook_in *in = h->request->in;
	struct db_params *p = db_params(STMT_pending_status_put);

	db_put_id(p, h->has_mesh ? &h->member : NULL);
	db_put_text(p, in->client_session.n > 0 ? in->client_session.p : "",
	    in->client_session.n);
	db_put_int(p, in->pid);
	db_put_text(p, in->cwd.p, in->cwd.n);
	db_put_int(p, in->status);
	db_query(h->request->core->reads, p, hook_waits, h);
}

/* The session is told where it is. */
static void
hook_matched(void *arg, const struct db_result *r)
{
	struct hook *h = arg;
	struct core *c = h->request->core;
	const struct hook_in *in = h->request->in;
	struct hook_out out = { .ok = true };
	struct session *s;
	struct id mesh, host;
	uint64_t ref;

	if (op_db_failed(h->request, r))
		return;
	if (db_rows(r) == 0) {
		hook_wait(h);
		return;
	}
	db_id(r, 0, 0, &out.presence);
	db_id(r, 0, 1, &mesh);
	ref = (uint64_t)db_int(r, 0, 2);
	db_id(r, 0, 3, &host);
	if (!id_same(&host, &c->host))
		event_status(c, c->relay, &host, &mesh, &out.presence,
		    (enum status)in->status);
	else if ((s = session_by_ref(c, ref)) != NULL)
		presence_hook(s, (enum status)in->status);
	else
		event_status(c, SESSION_REF_PROC(ref), &host, &mesh,
		    &out.presence, (enum status)in->status);
	op_reply(h->request, &out);
}

static void
hook_match(struct hook *h)
{
	const struct hook_in *in = h->request->in;
	struct db_params *p = db_params(STMT_session_hooked);

	db_put_id(p, h->has_mesh ? &h->mesh : NULL);
	db_put_text(p, in->client_session.n > 0 ? in->client_session.p : "",
	    in->client_session.n);
	db_put_int(p, in->pid);
	db_put_text(p, in->cwd.p, in->cwd.n);
	db_put_id(p, h->has_mesh ? &h->member : NULL);
	db_query(h->request->core->reads, p, hook_matched, h);
}

static void
hook_known(void *arg, const struct db_result *r)
{
	struct hook *h = arg;

	if (op_db_failed(h->request, r))
		return;
	if (db_rows(r) == 0) {
		op_fail(h->request, ERR_UNAUTHORIZED,
		    "No member has this hook token.");
		return;
	}
	db_id(r, 0, 0, &h->member);
	db_id(r, 0, 1, &h->mesh);
	h->has_mesh = true;
	hook_match(h);
}

/* Buckets of recent callers; forgotten when they are full again.  Callers that
 * come when there are very many share one. */
#define HOOK_RATES_MAX 65536

struct hook_rate {
	struct hash_entry hash;
	int64_t at_ms;
	double tokens;
	uint8_t key[CRYPTO_DIGEST_LEN];
};

static bool
hook_allowed(struct core *c, const struct hook_in *in)
{
	double most = (double)c->limits.hook_rate;
	uint8_t key[CRYPTO_DIGEST_LEN];
	struct hash_entry *e;
	struct hook_rate *rate;
	int64_t now = clock_mono();

	crypto_digest(key, in->cwd.p, in->cwd.n, NULL);
	memcpy(key, &in->pid, sizeof(in->pid));
	if (c->hook_rates.count >= HOOK_RATES_MAX &&
	    hash_find(&c->hook_rates, key, sizeof(key)) == NULL)
		memset(key, 0, sizeof(key));
	if ((e = hash_find(&c->hook_rates, key, sizeof(key))) != NULL)
		rate = CONTAINER(e, struct hook_rate, hash);
	else {
		rate = xcalloc(1, sizeof(*rate));
		memcpy(rate->key, key, sizeof(key));
		rate->tokens = most;
		rate->at_ms = now;
		hash_insert(
		    &c->hook_rates, &rate->hash, rate->key, sizeof(rate->key));
	}
	rate->tokens += (double)(now - rate->at_ms) * most / 60000.0;
	if (rate->tokens > most)
		rate->tokens = most;
	rate->at_ms = now;
	if (rate->tokens < 1)
		return false;
	rate->tokens--;
	return true;
}

void
hook_close(struct core *c)
{
	struct hash_entry *e, *next;
	size_t i;

	HASH_FOREACH (e, next, i, &c->hook_rates)
		free(CONTAINER(e, struct hook_rate, hash));
	hash_free(&c->hook_rates);
}

void
hook_tick(struct core *c)
{
	struct hash_entry *e, *next;
	struct hook_rate *rate;
	size_t i;

	HASH_FOREACH (e, next, i, &c->hook_rates) {
		rate = CONTAINER(e, struct hook_rate, hash);
		if (clock_mono() - rate->at_ms < 60000)
			continue;
		hash_remove(&c->hook_rates, e);
		free(rate);
	}
}

static void
hook_exec(struct request *r, void *arg)
{
	const struct hook_in *in = arg;
	struct hook *h = pool_zalloc(&r->pool, sizeof(*h));
	uint8_t digest[CRYPTO_DIGEST_LEN];
	struct db_params *p;

	h->request = r;
	core_count(r->core, HOOKS);
	if (!hook_allowed(r->core, in)) {
		core_count(r->core, HOOKS_LIMITED);
		op_fail(r, ERR_RATE_LIMITED,
		    "More than %lld calls a minute from one process.",
		    (long long)r->core->limits.hook_rate);
		return;
	}
	if (in->token.n > 0) {
		crypto_digest(digest, in->token.p, in->token.n, NULL);
		p = db_params(STMT_hook_member);
		db_put_bytes(p, digest, sizeof(digest));
		db_query(r->core->reads, p, hook_known, h);
	} else if (r->client->loopback && r->core->limits.hook_loopback)
		hook_match(h);
	else
		op_fail(r, ERR_UNAUTHORIZED,
		    "A hook token is needed: Authorization: Bearer lnh_...");
}

const struct op op_hook_set_status = {
	.name = "hook_set_status",
	.scope = SCOPE_PUBLIC,
	.rest = { "POST /hook/set-status" },
	.reply = "hook_status",
	.flags = OP_REST_ONLY,
	.in = hook_in_fields,
	.in_size = sizeof(struct hook_in),
	.out = hook_out_fields,
	.exec = hook_exec,
	.text = "Report that an agent works or is idle, for its session.",
};
