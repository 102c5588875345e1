/* SPDX-License-Identifier: ISC */
/*
 * A client: what it asks for, and what becomes of it.
 *
 * A request goes to the function of its method, which answers it at once, or
 * asks the backend and answers in the function that gets the answer.  A
 * backend may answer while it is being asked, and the request may be gone
 * then: whoever asks does nothing more with it.
 */
#include "mcp/mcp_request.h"

#include <stdlib.h>
#include <string.h>

static const char *const log_levels[] = { "debug", "info", "notice", "warning",
	"error", "critical", "alert", "emergency", NULL };
#define LOG_LEVEL_FIRST 3 /* until the client chooses */

struct mcp *
mcp_new(const struct mcp_config *c)
{
	struct mcp *m = xcalloc(1, sizeof(*m));

	m->config = *c;
	m->revision = c->revision;
	m->log_level = LOG_LEVEL_FIRST;
	m->can = c->can;
	json_init(&m->json, MCP_NODES, MCP_DEPTH);
	TAILQ_INIT(&m->requests);
	TAILQ_INIT(&m->notices);
	TAILQ_INIT(&m->subscriptions);
	return m;
}

void
mcp_free(struct mcp *m)
{
	struct mcp_request *r;

	if (m == NULL)
		return;
	while ((r = TAILQ_FIRST(&m->requests)) != NULL) {
		/* Nobody is there to whom a batch could be answered. */
		if (r->batch != NULL)
			buf_clear(&r->batch->answers);
		mcp_request_free(r);
	}
	mcp_push_free(m);
	mcp_subscribe_free(m);
	json_free(&m->json);
	free(m->written);
	free(m);
}

size_t
mcp_pending(const struct mcp *m)
{
	return m->nrequests;
}

bool
mcp_input(struct mcp *m, const char *text, size_t n, void *tag)
{
	return mcp_read(m, text, n, tag);
}

void
mcp_refuse(struct mcp *m, size_t max, void *tag)
{
	char *text = xasprintf(
	    "A message has at most %zu bytes; this one was not read.", max);

	mcp_rpc_broken(m, tag, RPC_REQUEST, text);
	free(text);
}

/*
 * Asking the backend.
 */
static void
ask_open(struct mcp_request *r, mcp_ask_fn *fn)
{
	r->ask.open = true;
	r->ask.fn = fn;
}

void
mcp_ask_op(
    struct mcp_request *r, const char *op, const char *fields, mcp_ask_fn *fn)
{
	const struct mcp_config *c = &r->m->config;

	ask_open(r, fn);
	c->backend->call(c->backend_arg, &r->ask, op, fields);
}

void
mcp_ask_messages(struct mcp_request *r, size_t limit, bool take, mcp_ask_fn *fn)
{
	const struct mcp_config *c = &r->m->config;

	ask_open(r, fn);
	c->backend->messages(c->backend_arg, &r->ask, limit, take);
}

void
mcp_ask_subscribe(
    struct mcp_request *r, const char *uri, bool on, mcp_ask_fn *fn)
{
	const struct mcp_config *c = &r->m->config;

	ask_open(r, fn);
	c->backend->subscribe(c->backend_arg, &r->ask, uri, on);
}

void
mcp_ask_unread(struct mcp_request *r, mcp_ask_fn *fn)
{
	const struct mcp_config *c = &r->m->config;

	ask_open(r, fn);
	c->backend->unread(c->backend_arg, &r->ask);
}

void
mcp_answer(
    struct mcp_ask *a, const struct mcp_error *e, const char *text, size_t n)
{
	static const struct mcp_error bad = { "protocol",
		"The broker's answer cannot be read." };
	struct mcp_request *r = CONTAINER(a, struct mcp_request, ask);
	struct json j;

	a->open = false;
	json_init(&j, MCP_ANSWER_NODES, UINT16_MAX);
	if (e == NULL &&
	    (json_read(&j, text, n) != 0 || j.nodes[0].type != JSON_OBJECT))
		e = &bad;
	a->fn(r, e, e == NULL ? &j : NULL);
	json_free(&j);
}

/*
 * Acks: what an answer has taken is acked when the answer has arrived.
 */
void
mcp_request_used(struct mcp_request *r)
{
	struct mcp *m = r->m;
	size_t i;

	if (m->nwritten + r->ntaken > m->capwritten) {
		m->capwritten = 2 * m->capwritten + r->ntaken;
		m->written = xreallocarray(
		    m->written, m->capwritten, sizeof(*m->written));
	}
	for (i = 0; i < r->ntaken; i++)
		(void)str_copy(m->written[m->nwritten++], r->taken[i].p,
		    sizeof(*m->written));
	r->ntaken = 0;
}

void
mcp_written(struct mcp *m)
{
	size_t i;

	for (i = 0; i < m->nwritten; i++)
		m->config.backend->ack(m->config.backend_arg, m->written[i]);
	m->nwritten = 0;
}

/*
 * Methods.
 */
static void
request_ping(struct mcp_request *r, size_t params)
{
	(void)params;
	mcp_result_empty(r);
}

int
mcp_log_level(const char *name)
{
	int i;

	for (i = 0; log_levels[i] != NULL; i++)
		if (strcmp(log_levels[i], name) == 0)
			return i;
	return -1;
}

static void
request_log_level(struct mcp_request *r, size_t params)
{
	const char *name = mcp_param(r, params, "level");
	int level = name != NULL ? mcp_log_level(name) : -1;

	if (level < 0) {
		mcp_fail(r, RPC_PARAMS, 400,
		    "The level is one of debug, info, notice, warning, error, "
		    "critical, alert, emergency.");
		return;
	}
	r->m->log_level = level;
	mcp_result_empty(r);
}

#define LEGACY 0x01
#define MODERN 0x02
#define EARLY 0x04   /* also before initialize */
#define LASTING 0x08 /* of a client that stays */

static const struct method {
	const char *name;
	mcp_method_fn *fn;
	unsigned when;
} methods[] = {
	{ "initialize", mcp_hello_initialize, LEGACY | EARLY },
	{ "server/discover", mcp_hello_discover, MODERN },
	{ "ping", request_ping, LEGACY | EARLY },
	{ "logging/setLevel", request_log_level, LEGACY },
	{ "tools/list", mcp_tool_list, LEGACY | MODERN },
	{ "tools/call", mcp_tool_call, LEGACY | MODERN },
	{ "resources/list", mcp_resource_list, LEGACY | MODERN },
	{ "resources/templates/list", mcp_resource_templates, LEGACY | MODERN },
	{ "resources/read", mcp_resource_read, LEGACY | MODERN },
	{ "resources/subscribe", mcp_subscribe, LEGACY | LASTING },
	{ "resources/unsubscribe", mcp_unsubscribe, LEGACY | LASTING },
	{ "subscriptions/listen", mcp_subscribe_listen, MODERN },
	{ "prompts/list", mcp_prompt_list, LEGACY | MODERN },
	{ "prompts/get", mcp_prompt_get, LEGACY | MODERN },
	{ "completion/complete", mcp_complete, LEGACY | MODERN },
	{ "skills/list", mcp_guide_skills, LEGACY | MODERN },
	{ "skills/get", mcp_guide_get, LEGACY | MODERN },
};

static void
request_unknown(struct mcp_request *r, const struct json_node *method)
{
	const char *name = mcp_json_text(&r->pool, method);

	mcp_fail(r, RPC_METHOD, 404, "There is no method %.100s here.",
	    name != NULL ? name : "of this name");
}

void
mcp_requested(
    struct mcp_request *r, const struct json_node *method, size_t params)
{
	const struct json *j = &r->m->json;
	size_t meta =
	    params != 0 ? mcp_json_in(j, params, "_meta", JSON_OBJECT) : 0;
	size_t token = meta != 0 ? json_get(j, meta, "progressToken") : 0;
	const struct method *f = methods;
	bool modern;

	while (f < methods + NELEM(methods) && !json_is(method, f->name))
		f++;
	if (f == methods + NELEM(methods))
		f = NULL;
	modern = (meta != 0 && json_get(j, meta, META_VERSION) != 0) ||
		 r->m->config.revision == MCP_2026_07_28 ||
		 (f != NULL && f->when == MODERN);
	if (modern && !mcp_hello_modern(r, meta))
		return;
	if (f == NULL || !(f->when & (modern ? MODERN : LEGACY)) ||
	    (f->when & LASTING && r->m->config.is_passing &&
		!r->m->config.is_kept)) {
		request_unknown(r, method);
		return;
	}
	r->method = f->name;
	r->fn = f->fn;
	if (!modern)
		r->can = r->m->can;
	if (!modern && r->revision == MCP_UNKNOWN && !(f->when & EARLY)) {
		mcp_fail(r, RPC_REQUEST, 400,
		    "Say initialize first; or, in revision 2026-07-28, put "
		    "\"" META_VERSION "\" into _meta of each request.");
		return;
	}
	if (token != 0 && (j->nodes[token].type == JSON_STRING ||
			      j->nodes[token].type == JSON_NUMBER)) {
		r->progress = mcp_json_raw(j, token);
		r->progress.p =
		    pool_strndup(&r->pool, r->progress.p, r->progress.n);
	}
	mcp_request_run(r, params);
}

void
mcp_request_run(struct mcp_request *r, size_t params)
{
#ifdef MCP_FIXTURES
	if (mcp_fixture(r, r->method, params))
		return;
#endif
	r->fn(r, params);
}

static void
notified_cancelled(struct mcp *m, size_t params)
{
	size_t at = params != 0 ? json_get(&m->json, params, "requestId") : 0;
	struct mcp_request *r;
	struct slice id;

	if (at == 0)
		return;
	id = mcp_json_raw(&m->json, at);
	TAILQ_FOREACH (r, &m->requests, entry)
		if (r->id.n == id.n && memcmp(r->id.p, id.p, id.n) == 0) {
			mcp_input_drop(r);
			mcp_request_free(r);
			return;
		}
}

void
mcp_notified(struct mcp *m, const struct json_node *method, size_t params)
{
	if (json_is(method, "notifications/cancelled"))
		notified_cancelled(m, params);
	else if (json_is(method, "notifications/initialized") &&
		 !m->initialized && m->revision != MCP_UNKNOWN) {
		m->initialized = true;
		mcp_push_ready(m);
	}
}

void
mcp_cancel(struct mcp *m, const void *tag)
{
	struct mcp_request *r, *next;

	for (r = TAILQ_FIRST(&m->requests); r != NULL; r = next) {
		next = TAILQ_NEXT(r, entry);
		if (r->tag == tag)
			mcp_request_free(r);
	}
}

void
mcp_stop(struct mcp *m)
{
	struct mcp_request *r, *next;

	m->stopping = true;
	for (r = TAILQ_FIRST(&m->requests); r != NULL; r = next) {
		next = TAILQ_NEXT(r, entry);
		if (r->listen != NULL)
			mcp_subscribe_close(r);
		else if (r->until_ms != 0)
			mcp_wait_end(r);
		else if (r->nopen > 0)
			mcp_input_end(r);
	}
}

/*
 * Events and time.
 */
void
mcp_arrived(struct mcp *m, const struct mcp_message *message)
{
	mcp_message_arrived(m);
	mcp_push_message(m, message);
	mcp_subscribe_told(m, URI_INBOX);
}

void
mcp_waiting(struct mcp *m)
{
	mcp_message_arrived(m);
	mcp_subscribe_told(m, URI_INBOX);
}

void
mcp_changed(struct mcp *m, const struct mcp_change *change)
{
	struct buf uri;

	mcp_push_change(m, change);
	if (m->nsubscriptions == 0)
		return;
	buf_init(&uri, SIZE_MAX / 2);
	mcp_uri_add(&uri, URI_STATE, change->key, strlen(change->key));
	mcp_subscribe_told(m, buf_str(&uri));
	buf_free(&uri);
}

void
mcp_missed(struct mcp *m)
{
	mcp_subscribe_told(m, NULL);
}

void
mcp_hold(struct mcp *m, bool on)
{
	m->held = on;
}

void
mcp_log(struct mcp *m, const char *level, const char *text)
{
	struct json_writer w;
	struct buf b;

	if (!m->initialized || mcp_log_level(level) < m->log_level)
		return;
	mcp_note(&w, &b, "notifications/message");
	json_key(&w, "level");
	json_str(&w, level);
	json_key(&w, "logger");
	json_str(&w, "linnet");
	json_key(&w, "data");
	json_str(&w, text);
	mcp_note_end(m, &w, &b, NULL);
}

int64_t
mcp_due(const struct mcp *m)
{
	int64_t due = mcp_push_due(m), at;
	const struct mcp_request *r;

	TAILQ_FOREACH (r, &m->requests, entry)
		if ((at = mcp_wait_due(r)) < due)
			due = at;
	return due;
}

void
mcp_tick(struct mcp *m)
{
	struct mcp_request *r, *next;
	int64_t now = clock_mono();

	for (r = TAILQ_FIRST(&m->requests); r != NULL; r = next) {
		next = TAILQ_NEXT(r, entry);
		if (mcp_wait_due(r) <= now)
			mcp_wait_tick(r);
	}
	mcp_push_tick(m);
}
