/* SPDX-License-Identifier: ISC */
/*
 * The sending of webhooks, in the jobs process of each host.
 *
 * A run is one webhook that this host has claimed: its next event is read,
 * sent, and what became of it stored, before the one behind it is read.  A
 * claim ends by itself when its host does not come back; what was sent and not
 * stored is then sent again, with the same id.
 *
 * What is not taken is tried again after a time that doubles, of which a part
 * is left to chance, so that many do not come back at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "core/domain.h"
#include "core/webhook.h"

/* Longer than a request and what is stored of it take. */
#define SEND_CLAIM_MS(l) ((l)->timeout_ms + 60000)
/* So many for one webhook; then others have their turn. */
#define SEND_RUN 100
/* A key of tokens that differs is looked for again. */
#define SEND_FOREIGN_MS 60000
#define SEND_RETRY_MAX_MS (INT64_C(86400) * 1000)
#define SEND_ERROR_MAX 256
#define SEND_HEADER_MAX 128
/* Of HTTP: the endpoint says that it is no more. */
#define SEND_GONE 410

struct run {
	LIST_ENTRY(run) entry;
	struct webhooks *all;
	struct id webhook;
	struct id mesh;
	struct id claim;
	char *endpoint;
	char secret[WEBHOOK_SECRET_MAX];
	size_t secret_len;
	unsigned sent;
	/* What is under way. */
	struct id delivery;
	int64_t n;
	int64_t tries;
	bool again; /* out of turn */
	char *type;
};

struct webhooks {
	struct core *core;
	const struct courier *courier;
	void *courier_arg;
	LIST_HEAD(, run) runs;
	int64_t nruns;
	bool claiming;
	bool more;    /* perhaps others wait */
	bool started; /* what an earlier process had is free */
};

static void run_next(struct run *u);
static void send_claim(struct webhooks *w);

void
webhook_open(struct core *c, const struct courier *courier, void *courier_arg)
{
	struct webhooks *w = xcalloc(1, sizeof(*w));

	w->core = c;
	w->courier = courier;
	w->courier_arg = courier_arg;
	LIST_INIT(&w->runs);
	c->webhooks = w;
}

static void
run_free(struct run *u)
{
	LIST_REMOVE(u, entry);
	u->all->nruns--;
	crypto_wipe(u->secret, sizeof(u->secret));
	free(u->endpoint);
	free(u->type);
	free(u);
}

void
webhook_close(struct core *c)
{
	struct webhooks *w = c->webhooks;
	struct run *u;

	if (w == NULL)
		return;
	while ((u = LIST_FIRST(&w->runs)) != NULL)
		run_free(u);
	free(w);
	c->webhooks = NULL;
}

/* Done with it, for so long. */
static void
run_end(struct run *u, int64_t rest_ms)
{
	struct webhooks *w = u->all;
	struct db_params *p = db_params(STMT_webhook_free);

	db_put_id(p, &u->webhook);
	db_put_id(p, &u->claim);
	db_put_int(p, rest_ms);
	db_query(w->core->reads, p, NULL, NULL);
	run_free(u);
	if (w->more)
		send_claim(w);
}

/* Roles whose members see what is not in a channel. */
static void
send_put_roles(struct db_params *p)
{
	struct slice v[ROLE_MAX];
	size_t n = 0, i;

	for (i = 0; i < ROLE_MAX; i++)
		if (table_roles[i].scopes & SCOPE_BIT(SCOPE_AUDIT_READ))
			v[n++] = (struct slice){ table_roles[i].name,
				strlen(table_roles[i].name) };
	db_put_texts(p, v, n);
}

/* The time to wait: a part, by chance, of what doubles with each try; and not
 * less than the endpoint asked for. */
static int64_t
send_wait(const struct webhook_limits *l, int64_t tries, int64_t asked_ms)
{
	int64_t most = l->retry_min_ms, ms;
	uint64_t chance;

	for (; tries > 1 && most < l->retry_max_ms; tries--)
		most *= 2;
	if (most > l->retry_max_ms)
		most = l->retry_max_ms;
	crypto_random_bytes(&chance, sizeof(chance));
	ms = (int64_t)(chance % (uint64_t)(most + 1));
	if (asked_ms > SEND_RETRY_MAX_MS)
		asked_ms = SEND_RETRY_MAX_MS;
	return ms > asked_ms ? ms : asked_ms;
}

struct outcome {
	struct run *run;
	bool ends; /* it is tried again later */
	bool gone; /* the endpoint said so */
};

/* Its journal says why. */
static void
run_disable(struct run *u, bool gone)
{
	core_count(u->all->core, WEBHOOKS_DISABLED);
	webhook_disable(u->all->core, &u->mesh, &u->webhook,
	    gone ? "The endpoint said that it is gone (410)."
		 : "The endpoint took nothing for too long.");
	run_free(u);
}

static void
run_stored(void *arg, const struct db_result *res)
{
	struct outcome *o = arg;
	struct run *u = o->run;
	bool ends = o->ends, gone = o->gone;

	free(o);
	if (db_status(res) != DB_OK || db_rows(res) == 0)
		/* Somebody else has it, or will. */
		run_free(u);
	else if (gone ||
		 db_int(res, 0, 0) > u->all->core->limits.webhook.give_up_ms)
		run_disable(u, gone);
	else if (ends)
		run_free(u);
	else if (++u->sent >= SEND_RUN)
		run_end(u, 0);
	else
		run_next(u);
}

/* As in webhook_delivery. */
enum send_state {
	SEND_WAITS,
	SEND_DELIVERED,
	SEND_DEAD
};

static enum send_state
run_state(const struct run *u, const struct courier_answer *a)
{
	if (a->status >= 200 && a->status < 300)
		return SEND_DELIVERED;
	if (u->again || a->status == SEND_GONE ||
	    u->tries >= u->all->core->limits.webhook.tries)
		return SEND_DEAD;
	return SEND_WAITS;
}

static void
run_count(struct core *c, enum send_state state)
{
	if (state == SEND_DELIVERED)
		core_count(c, WEBHOOKS_DELIVERED);
	else if (state == SEND_DEAD)
		core_count(c, WEBHOOKS_DEAD);
	else
		core_count(c, WEBHOOKS_RETRIED);
}

/* A text for the database: what of bytes is UTF-8, without NUL. */
static void
run_put_text(struct db_params *p, struct slice s)
{
	size_t n = s.n;
	const char *nul = n > 0 ? memchr(s.p, '\0', n) : NULL;

	if (nul != NULL)
		n = (size_t)(nul - s.p);
	/* A cut may go through a character; what is none at all is left out. */
	for (size_t k = 0; k < 4 && n > 0 && !str_utf8(s.p, n); k++)
		n--;
	if (n == 0 || !str_utf8(s.p, n))
		db_put_null(p);
	else
		db_put_text(p, s.p, n);
}

/* Stores what became of what was under way. */
static void
run_sent(void *arg, const struct courier_answer *a)
{
	struct run *u = arg;
	struct core *c = u->all->core;
	struct outcome *o = xcalloc(1, sizeof(*o));
	struct db_params *p = db_params(STMT_webhook_result);
	char error[SEND_ERROR_MAX];
	enum send_state state;

	u->tries++;
	state = run_state(u, a);
	run_count(c, state);
	o->run = u;
	o->ends = state == SEND_WAITS;
	o->gone = a->status == SEND_GONE;
	if (a->status != 0 && a->error == NULL)
		snprintf(
		    error, sizeof(error), "It answered %d.", (int)a->status);
	else
		str_copy(
		    error, a->error != NULL ? a->error : "", sizeof(error));
	db_put_id(p, &u->webhook);
	db_put_id(p, &u->claim);
	db_put_id(p, &u->delivery);
	db_put_int(p, u->n);
	db_put_int(p, (int64_t)state);
	db_put_int(p, u->tries);
	if (a->status != 0)
		db_put_int(p, a->status);
	else
		db_put_null(p);
	db_put_str(p, state == SEND_DELIVERED ? NULL : error);
	run_put_text(p, a->body);
	db_put_int(p, send_wait(&c->limits.webhook, u->tries, a->retry_ms));
	db_put_str(p, u->type);
	db_put_bool(p, u->again);
	db_query(c->reads, p, run_stored, o);
}

/* The body of a delivery; the same each time. */
static void
run_body(const struct run *u, const struct db_result *res, struct buf *b)
{
	struct slice payload = db_text(res, 0, 7);
	struct json_writer w;
	struct id id;

	json_start(&w, b);
	json_object(&w);
	json_key(&w, "deliveryId");
	json_id(&w, &u->delivery);
	json_key(&w, "subscriptionId");
	json_id(&w, &u->webhook);
	json_key(&w, "event");
	json_object(&w);
	json_key(&w, "type");
	json_str(&w, u->type);
	json_key(&w, "payload");
	json_raw(&w, payload.p, payload.n);
	json_key(&w, "orgId");
	json_id(&w, &u->mesh);
	json_key(&w, "streamId");
	if (db_null(res, 0, 8))
		json_null(&w);
	else {
		db_id(res, 0, 8, &id);
		json_id(&w, &id);
	}
	json_key(&w, "streamSeq");
	if (db_null(res, 0, 9))
		json_null(&w);
	else
		json_num(&w, db_int(res, 0, 9));
	json_key(&w, "createdAt");
	json_time(&w, db_time(res, 0, 10));
	json_object_end(&w);
	json_object_end(&w);
	if (b->failed)
		fatalx("out of memory");
}

static void
run_post(struct run *u, struct slice body)
{
	struct slice secret = { u->secret, u->secret_len };
	struct webhooks *w = u->all;
	char id[ID_HEX_LEN + 1], v[6][SEND_HEADER_MAX];
	char sig[WEBHOOK_SIGNATURE_LEN + 1], hex[2 * CRYPTO_HMAC_LEN + 1];
	const char *headers[] = { "Content-Type: application/json", v[0], v[1],
		v[2], v[3], v[4], v[5], NULL };
	int64_t at_s = clock_wall() / 1000;
	struct courier_answer none = { .status = 0 };
	struct courier_post post = {
		.headers = headers, .body = body, .n = (uint64_t)u->tries
	};
	struct webhook_url url;

	id_hex(&u->delivery, id);
	webhook_sign(sig, secret, id, at_s, body);
	webhook_sign_body(hex, secret, body);
	snprintf(v[0], sizeof(v[0]), "webhook-id: %s", id);
	snprintf(
	    v[1], sizeof(v[1]), "webhook-timestamp: %lld", (long long)at_s);
	snprintf(v[2], sizeof(v[2]), "webhook-signature: %s", sig);
	snprintf(v[3], sizeof(v[3]), "x-message-layer-delivery-id: %s", id);
	snprintf(v[4], sizeof(v[4]), "x-message-layer-event-type: %s", u->type);
	snprintf(v[5], sizeof(v[5]), "x-message-layer-signature: %s", hex);
	/* What was allowed may be so no more. */
	none.error = webhook_url(&url,
	    (struct slice){ u->endpoint, strlen(u->endpoint) },
	    &w->core->limits.webhook);
	post.url = &url;
	if (none.error != NULL)
		run_sent(u, &none);
	else
		w->courier->post(w->courier_arg, &post, run_sent, u);
}

static void
run_found(void *arg, const struct db_result *res)
{
	struct run *u = arg;
	struct slice type;
	struct buf b;

	if (db_status(res) != DB_OK || db_rows(res) == 0) {
		run_free(u);
		return;
	}
	if (!db_bool(res, 0, 0)) {
		if (db_bool(res, 0, 1) && ++u->sent < SEND_RUN)
			run_next(u);
		else
			run_end(u, 0);
		return;
	}
	u->again = db_bool(res, 0, 2);
	db_id(res, 0, 3, &u->delivery);
	u->tries = db_int(res, 0, 4);
	u->n = db_int(res, 0, 5);
	type = db_text(res, 0, 6);
	free(u->type);
	u->type = xstrndup(type.p, type.n);
	buf_init(&b, SIZE_MAX / 2);
	run_body(u, res, &b);
	run_post(u, (struct slice){ b.data, b.len });
	buf_free(&b);
}

static void
run_next(struct run *u)
{
	struct core *c = u->all->core;
	struct db_params *p = db_params(STMT_webhook_next);

	db_put_id(p, &u->webhook);
	db_put_id(p, &u->claim);
	db_put_int(p, SEND_CLAIM_MS(&c->limits.webhook));
	send_put_roles(p);
	db_query(c->reads, p, run_found, u);
}

static void
run_begin(struct webhooks *w, const struct id *claim,
    const struct db_result *res, size_t row)
{
	struct slice endpoint = db_text(res, row, 2);
	struct run *u = xcalloc(1, sizeof(*u));
	ptrdiff_t n;

	u->all = w;
	u->claim = *claim;
	db_id(res, row, 0, &u->webhook);
	db_id(res, row, 1, &u->mesh);
	u->endpoint = xstrndup(endpoint.p, endpoint.n);
	LIST_INSERT_HEAD(&w->runs, u, entry);
	w->nruns++;
	n = webhook_secret_unlock(
	    w->core, &u->webhook, db_bytes(res, row, 3), u->secret);
	if (n < 0) {
		log_warn("a webhook waits for a host that has the key of "
			 "tokens (token.key) with which it was made");
		run_end(u, SEND_FOREIGN_MS);
		return;
	}
	u->secret_len = (size_t)n;
	run_next(u);
}

struct claiming {
	struct webhooks *all;
	struct id claim;
	int64_t asked;
};

static void
send_claimed(void *arg, const struct db_result *res)
{
	struct claiming *g = arg;
	struct webhooks *w = g->all;
	size_t i, n = db_status(res) == DB_OK ? db_rows(res) : 0;

	w->claiming = false;
	w->more = (int64_t)n == g->asked;
	for (i = 0; i < n; i++)
		run_begin(w, &g->claim, res, i);
	free(g);
}

static void
send_claim(struct webhooks *w)
{
	const struct webhook_limits *l = &w->core->limits.webhook;
	struct db_params *p;
	struct claiming *g;

	if (w->claiming || w->nruns >= l->parallel)
		return;
	w->claiming = true;
	w->more = false;
	g = xcalloc(1, sizeof(*g));
	g->all = w;
	g->asked = l->parallel - w->nruns;
	id_new(&g->claim);
	p = db_params(STMT_webhook_claim);
	db_put_id(p, &g->claim);
	db_put_id(p, &w->core->host);
	db_put_int(p, g->asked);
	db_put_int(p, SEND_CLAIM_MS(l));
	db_query(w->core->reads, p, send_claimed, g);
}

static void
send_freed(void *arg, const struct db_result *res)
{
	struct webhooks *w = arg;

	w->started = db_status(res) == DB_OK;
	w->claiming = false;
}

void
webhook_look(struct core *c)
{
	struct webhooks *w = c->webhooks;
	struct db_params *p;

	if (!c->limits.webhook.on || w->claiming)
		return;
	if (w->started) {
		send_claim(w);
		return;
	}
	w->claiming = true;
	p = db_params(STMT_webhook_free_host);
	db_put_id(p, &c->host);
	db_query(c->reads, p, send_freed, w);
}
