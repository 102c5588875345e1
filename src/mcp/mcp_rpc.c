/* SPDX-License-Identifier: ISC */
/*
 * JSON-RPC 2.0 (jsonrpc.org/specification) as MCP has it: ids are texts or
 * whole numbers, params are an object, and batches are in the revisions up to
 * 2025-03-26 only.
 *
 * Whatever comes in that is a request is answered exactly once, by
 * mcp_result_end() or mcp_fail(), unless it is cancelled; answers of a batch
 * are gathered and go out together.
 */
#include "mcp/mcp_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RPC_BUF_MAX (SIZE_MAX / 2)
#define RPC_REQUESTS_MAX 1000

/* JSON of others may have line breaks between its values, where they are the
 * same as spaces; in texts they are escaped. */
static void
rpc_one_line(struct buf *b)
{
	size_t i;

	for (i = 0; i < b->len; i++)
		if (b->data[i] == '\n' || b->data[i] == '\r')
			b->data[i] = ' ';
}

static void
rpc_out(struct mcp *m, struct buf *b, void *tag, bool answer, int http)
{
	const struct mcp_out o = {
		.text = b->data,
		.n = b->len,
		.tag = tag,
		.answer = answer,
		.http = http,
	};

	if (b->failed)
		fatalx("out of memory");
	rpc_one_line(b);
	m->config.out(m->config.out_arg, &o);
}

/* One part of a batch is done. */
static void
rpc_batch_left(struct mcp *m, struct mcp_batch *batch)
{
	if (--batch->left > 0)
		return;
	if (batch->answers.len > 0) {
		buf_addc(&batch->answers, ']');
		rpc_out(m, &batch->answers, batch->tag, true, 200);
	}
	buf_free(&batch->answers);
	free(batch);
}

static void
rpc_answer(
    struct mcp *m, struct mcp_batch *batch, struct buf *b, void *tag, int http)
{
	if (batch == NULL) {
		rpc_out(m, b, tag, true, http);
		return;
	}
	buf_addc(&batch->answers, batch->answers.len == 0 ? '[' : ',');
	buf_add(&batch->answers, b->data, b->len);
}

static void
rpc_error(struct buf *b, struct slice id, int code, const char *text,
    const char *data)
{
	struct json_writer w;

	json_start(&w, b);
	json_object(&w);
	json_key(&w, "jsonrpc");
	json_str(&w, "2.0");
	json_key(&w, "id");
	if (id.n > 0)
		json_raw(&w, id.p, id.n);
	else
		json_null(&w);
	json_key(&w, "error");
	json_object(&w);
	json_key(&w, "code");
	json_num(&w, code);
	json_key(&w, "message");
	json_str(&w, text);
	if (data != NULL) {
		json_key(&w, "data");
		json_raw(&w, data, strlen(data));
	}
	json_object_end(&w);
	json_object_end(&w);
}

static void
rpc_broken(struct mcp *m, struct mcp_batch *batch, void *tag, int code,
    const char *text)
{
	struct buf b;

	buf_init(&b, RPC_BUF_MAX);
	rpc_error(&b, (struct slice){ NULL, 0 }, code, text, NULL);
	rpc_answer(m, batch, &b, tag, 400);
	buf_free(&b);
}

void
mcp_rpc_broken(struct mcp *m, void *tag, int code, const char *text)
{
	rpc_broken(m, NULL, tag, code, text);
}

/*
 * Results.
 */
struct json_writer *
mcp_result(struct mcp_request *r)
{
	return mcp_result_as(r, "complete");
}

struct json_writer *
mcp_result_as(struct mcp_request *r, const char *type)
{
	struct json_writer *w = &r->w;

	buf_clear(&r->out);
	json_start(w, &r->out);
	json_object(w);
	json_key(w, "jsonrpc");
	json_str(w, "2.0");
	json_key(w, "id");
	json_raw(w, r->id.p, r->id.n);
	json_key(w, "result");
	json_object(w);
	if (r->revision < MCP_2026_07_28)
		return w;
	json_key(w, "resultType");
	json_str(w, type);
	json_key(w, "_meta");
	json_object(w);
	json_key(w, META_SERVER);
	json_object(w);
	json_key(w, "name");
	json_str(w, "linnet");
	json_key(w, "version");
	json_str(w, r->m->config.version);
	json_object_end(w);
	if (r->listen != NULL) {
		json_key(w, META_SUBSCRIPTION);
		json_raw(w, r->id.p, r->id.n);
	}
	json_object_end(w);
	return w;
}

void
mcp_result_end(struct mcp_request *r)
{
	json_object_end(&r->w);
	json_object_end(&r->w);
	rpc_answer(r->m, r->batch, &r->out, r->tag, 200);
	mcp_request_used(r);
	mcp_request_free(r);
}

void
mcp_result_empty(struct mcp_request *r)
{
	(void)mcp_result(r);
	mcp_result_end(r);
}

void
mcp_result_cache(struct mcp_request *r, int64_t ttl_ms, bool is_public)
{
	if (r->revision < MCP_2026_07_28)
		return;
	json_key(&r->w, "ttlMs");
	json_num(&r->w, ttl_ms);
	json_key(&r->w, "cacheScope");
	json_str(&r->w, is_public ? "public" : "private");
}

void
mcp_fail_data(struct mcp_request *r, int code, int http, const char *data,
    const char *text)
{
	buf_clear(&r->out);
	rpc_error(&r->out, r->id, code, text, data);
	rpc_answer(r->m, r->batch, &r->out, r->tag,
	    r->revision < MCP_2026_07_28 ? 200 : http);
	mcp_request_free(r);
}

void
mcp_fail(struct mcp_request *r, int code, int http, const char *fmt, ...)
{
	struct buf b;
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	buf_init(&b, RPC_BUF_MAX);
	if (n < 0 || (text = buf_reserve(&b, (size_t)n + 1)) == NULL)
		fatalx("out of memory");
	va_start(ap, fmt);
	(void)vsnprintf(text, (size_t)n + 1, fmt, ap);
	va_end(ap);
	mcp_fail_data(r, code, http, NULL, text);
	buf_free(&b);
}

/*
 * Notifications, and requests of ours.
 */
void
mcp_question(struct mcp_request *r, const char *id, const char *method,
    const char *params)
{
	struct json_writer w;
	struct buf b;

	buf_init(&b, RPC_BUF_MAX);
	json_start(&w, &b);
	json_object(&w);
	json_key(&w, "jsonrpc");
	json_str(&w, "2.0");
	json_key(&w, "id");
	json_str(&w, id);
	json_key(&w, "method");
	json_str(&w, method);
	json_key(&w, "params");
	json_raw(&w, params, strlen(params));
	json_object_end(&w);
	rpc_out(r->m, &b, r->tag, false, 200);
	buf_free(&b);
}

void
mcp_note(struct json_writer *w, struct buf *b, const char *method)
{
	buf_init(b, RPC_BUF_MAX);
	json_start(w, b);
	json_object(w);
	json_key(w, "jsonrpc");
	json_str(w, "2.0");
	json_key(w, "method");
	json_str(w, method);
	json_key(w, "params");
	json_object(w);
}

void
mcp_note_end(struct mcp *m, struct json_writer *w, struct buf *b, void *tag)
{
	json_object_end(w);
	json_object_end(w);
	rpc_out(m, b, tag, false, 200);
	buf_free(b);
}

/*
 * Reading.
 */
struct slice
mcp_json_raw(const struct json *j, size_t at)
{
	const struct json_node *v = &j->nodes[at];
	size_t quotes = v->type == JSON_STRING;

	return (struct slice){ v->p - quotes, v->n + 2 * quotes };
}

const char *
mcp_json_text(struct pool *p, const struct json_node *node)
{
	char *s;
	size_t n;

	if (node->type != JSON_STRING)
		return NULL;
	s = pool_alloc(p, node->n + 1);
	n = json_unescape(node, s);
	s[n] = '\0';
	return memchr(s, '\0', n) == NULL ? s : NULL;
}

const char *
mcp_json_str(struct pool *p, const struct json *j, size_t i, const char *key)
{
	size_t at = json_get(j, i, key);

	return at != 0 ? mcp_json_text(p, &j->nodes[at]) : NULL;
}

int64_t
mcp_json_int(const struct json *j, size_t i, const char *key)
{
	size_t at = json_get(j, i, key);
	int64_t v;

	return at != 0 && j->nodes[at].type == JSON_NUMBER &&
		       json_int(&j->nodes[at], &v) == 0
		   ? v
		   : 0;
}

bool
mcp_json_bool(const struct json *j, size_t i, const char *key)
{
	size_t at = json_get(j, i, key);

	return at != 0 && j->nodes[at].type == JSON_TRUE;
}

size_t
mcp_json_in(
    const struct json *j, size_t i, const char *key, enum json_type type)
{
	size_t at = json_get(j, i, key);

	return at != 0 && j->nodes[at].type == type ? at : 0;
}

const char *
mcp_param(struct mcp_request *r, size_t params, const char *key)
{
	return params != 0 ? mcp_json_str(&r->pool, &r->m->json, params, key)
			   : NULL;
}

static struct mcp_request *
rpc_request(struct mcp *m, struct mcp_batch *batch, size_t id, void *tag)
{
	struct mcp_request *r = xcalloc(1, sizeof(*r));
	struct slice raw = mcp_json_raw(&m->json, id);

	r->m = m;
	r->batch = batch;
	r->tag = tag;
	r->revision = m->revision;
	pool_init(&r->pool);
	buf_init(&r->out, RPC_BUF_MAX);
	buf_init(&r->result, RPC_BUF_MAX);
	r->id.p = pool_strndup(&r->pool, raw.p, raw.n);
	r->id.n = raw.n;
	TAILQ_INSERT_TAIL(&m->requests, r, entry);
	m->nrequests++;
	if (batch != NULL)
		batch->left++;
	return r;
}

/* What is wrong with an id; NULL: nothing. */
static const char *
rpc_id_problem(const struct json_node *id)
{
	int64_t v;

	if (id->type == JSON_STRING || id->type == JSON_NUMBER) {
		if (id->n > MCP_ID_MAX)
			return "The id of a request has at most 512 bytes.";
		if (id->type == JSON_STRING || json_int(id, &v) == 0)
			return NULL;
	}
	return "The id of a request is a text or a whole number.";
}

/* true: it is a request, which is or will be answered. */
static bool
rpc_message(struct mcp *m, size_t at, struct mcp_batch *batch, void *tag)
{
	const struct json *j = &m->json;
	size_t version, method, id, params;
	const char *problem;
	struct mcp_request *r;

	id = json_get(j, at, "id");
	method = json_get(j, at, "method");
	version = json_get(j, at, "jsonrpc");
	params = json_get(j, at, "params");
	/* An answer. */
	if (method == 0 && j->nodes[at].type == JSON_OBJECT &&
	    (json_get(j, at, "result") != 0 || json_get(j, at, "error") != 0)) {
		if (batch == NULL)
			mcp_input_answered(m, at);
		return false;
	}
	problem = id != 0 ? rpc_id_problem(&j->nodes[id]) : NULL;
	if (j->nodes[at].type != JSON_OBJECT)
		problem = "A message is a JSON object.";
	else if (problem == NULL &&
		 (version == 0 || j->nodes[version].type != JSON_STRING ||
		     !json_is(&j->nodes[version], "2.0")))
		problem = "The member jsonrpc is not \"2.0\".";
	else if (problem == NULL &&
		 (method == 0 || j->nodes[method].type != JSON_STRING))
		problem = "The member method is missing, or is no text.";
	if (problem != NULL && (id == 0 || rpc_id_problem(&j->nodes[id]))) {
		rpc_broken(m, batch, tag, RPC_REQUEST, problem);
		return true;
	}
	if (id == 0) {
		mcp_notified(m, &j->nodes[method], params);
		return false;
	}
	r = rpc_request(m, batch, id, tag);
	if (problem != NULL)
		mcp_fail(r, RPC_REQUEST, 400, "%s", problem);
	else if (params != 0 && j->nodes[params].type != JSON_OBJECT)
		mcp_fail(r, RPC_PARAMS, 400,
		    "The member params is not a JSON object.");
	else if (m->nrequests > RPC_REQUESTS_MAX)
		mcp_fail(r, RPC_INTERNAL, 400,
		    "Too many requests wait for an answer; wait for some.");
	else
		mcp_requested(r, &j->nodes[method], params);
	return true;
}

static bool
rpc_read_batch(struct mcp *m, void *tag)
{
	const struct json *j = &m->json;
	struct mcp_batch *batch;
	size_t at, n = 0;
	bool answers = false;

	for (at = JSON_FIRST(0); at < j->nodes[0].end; at = j->nodes[at].end)
		n++;
	if (m->revision == MCP_UNKNOWN || m->revision > MCP_2025_03_26) {
		rpc_broken(m, NULL, tag, RPC_REQUEST,
		    "This revision of MCP has no batches; send one message "
		    "at a time.");
		return true;
	}
	if (n == 0 || n > MCP_BATCH_MAX) {
		rpc_broken(m, NULL, tag, RPC_REQUEST,
		    "A batch has 1 to 100 messages.");
		return true;
	}
	batch = xcalloc(1, sizeof(*batch));
	buf_init(&batch->answers, RPC_BUF_MAX);
	batch->tag = tag;
	batch->left = 1;
	for (at = JSON_FIRST(0); at < j->nodes[0].end; at = j->nodes[at].end)
		answers = rpc_message(m, at, batch, tag) || answers;
	rpc_batch_left(m, batch);
	return answers;
}

bool
mcp_read(struct mcp *m, const char *text, size_t n, void *tag)
{
	char *sentence;

	if (json_read(&m->json, text, n) != 0) {
		sentence = xasprintf("This is not JSON, at byte %zu: %s",
		    m->json.error_at, m->json.error);
		rpc_broken(m, NULL, tag, RPC_PARSE, sentence);
		free(sentence);
		return true;
	}
	if (m->json.nodes[0].type == JSON_ARRAY)
		return rpc_read_batch(m, tag);
	return rpc_message(m, 0, NULL, tag);
}

void
mcp_request_free(struct mcp_request *r)
{
	struct mcp *m = r->m;
	size_t i;

	if (r->ask.open)
		m->config.backend->forget(m->config.backend_arg, &r->ask);
	for (i = 0; i < r->ntaken; i++)
		m->config.backend->untake(m->config.backend_arg, r->taken[i].p);
	if (r->listen != NULL)
		mcp_subscribe_end(r);
	TAILQ_REMOVE(&m->requests, r, entry);
	m->nrequests--;
	if (r->batch != NULL)
		rpc_batch_left(m, r->batch);
	buf_free(&r->out);
	buf_free(&r->result);
	pool_free(&r->pool);
	free(r);
}
