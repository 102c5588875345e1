/* SPDX-License-Identifier: ISC */
/*
 * request_permission: asks for what an agent lacks, and waits until somebody
 * has decided.
 *
 * A request has an id of its own, made of what it asks for: an agent that asks
 * again while one is open waits for the same.
 */
#include "mcp/mcp_request.h"

#include <string.h>

#define PERMISSION_WAIT_S 30

/* What to do about it. */
static const char *
permission_advice(const char *status)
{
	if (strcmp(status, "approved") == 0)
		return "You may: do now what was refused.";
	if (strcmp(status, "denied") == 0)
		return "You may not. Do not look for a way around it: do "
		       "without, or tell your user.";
	return "Nobody has decided yet. Go on with other work, and wait again "
	       "with request_permission and this request_id.";
}

static void
permission_looked(
    struct mcp_request *r, const struct mcp_error *e, const struct json *j)
{
	size_t at = e == NULL ? mcp_json_in(j, 0, "request", JSON_OBJECT) : 0;
	const char *status =
	    at != 0 ? mcp_json_str(&r->pool, j, at, "status") : NULL;
	struct json_writer w;

	if (status == NULL)
		status = "";
	if (!mcp_wait_over(r, e != NULL || strcmp(status, "open") != 0))
		return;
	if (e != NULL) {
		mcp_tool_failed(r, e);
		return;
	}
	json_start(&w, &r->result);
	json_object(&w);
	mcp_project(&w, r->tool->out, j, at, NULL);
	json_key(&w, "advice");
	json_str(&w, permission_advice(status));
	mcp_tool_end(r);
}

static void
permission_look(struct mcp_request *r)
{
	mcp_ask_op(r, "get_permission_request",
	    pool_printf(&r->pool, "\"requestId\":\"%s\"", r->key),
	    permission_looked);
}

static void
permission_wait(struct mcp_request *r)
{
	mcp_wait_begin(
	    r, (int64_t)r->limit, permission_look, "Waiting for a decision.");
}

static void
permission_opened(
    struct mcp_request *r, const struct mcp_error *e, const struct json *j)
{
	if (e == NULL)
		r->key = mcp_json_str(&r->pool, j, 0, "requestId");
	if (e != NULL)
		mcp_tool_failed(r, e);
	else if (r->key == NULL)
		mcp_tool_fail(r, "The broker's answer cannot be read.");
	else
		permission_wait(r);
}

/* The fields, and beside them what it is for, and the id. */
static void
permission_fields(
    struct mcp_request *r, struct buf *b, const struct json *j, size_t args)
{
	const char *reason = mcp_json_str(&r->pool, j, args, "reason");
	char hex[2 * CRYPTO_DIGEST_LEN + 1];
	uint8_t digest[CRYPTO_DIGEST_LEN];
	struct json_writer w;
	struct buf more;

	mcp_args_fields(b, r->tool, j, args);
	if (buf_str(b) == NULL)
		fatalx("out of memory");
	crypto_digest(digest, b->data, b->len, NULL);
	crypto_hex(hex, digest, sizeof(digest));
	buf_init(&more, SIZE_MAX / 2);
	json_start(&w, &more);
	json_key(&w, "idempotencyKey");
	json_str(&w, hex);
	if (reason != NULL) {
		json_key(&w, "context");
		json_object(&w);
		json_key(&w, "reason");
		json_str(&w, reason);
		json_object_end(&w);
	}
	buf_addf(b, ",%s", buf_str(&more));
	buf_free(&more);
}

void
mcp_permission_request(struct mcp_request *r, const struct json *j, size_t args)
{
	size_t seconds = json_get(j, args, "seconds");
	const char *what = mcp_json_str(&r->pool, j, args, "capability");
	const char *type = mcp_json_str(&r->pool, j, args, "resource_type");
	struct buf fields;

	r->limit = seconds != 0 && j->nodes[seconds].type != JSON_NULL
		       ? (size_t)mcp_json_int(j, args, "seconds")
		       : PERMISSION_WAIT_S;
	r->key = mcp_json_str(&r->pool, j, args, "request_id");
	if (r->key != NULL && what != NULL) {
		mcp_tool_fail(r, "Give either capability, to ask, or "
				 "request_id, to wait again.");
		return;
	}
	if (r->key != NULL) {
		permission_wait(r);
		return;
	}
	if (type == NULL) {
		mcp_tool_fail(r, "resource_type is missing: org, channel or "
				 "thread, as the error says.");
		return;
	}
	buf_init(&fields, SIZE_MAX / 2);
	permission_fields(r, &fields, j, args);
	if (buf_str(&fields) == NULL)
		fatalx("out of memory");
	mcp_ask_op(r, "request_permission", fields.data, permission_opened);
	buf_free(&fields);
}

bool
mcp_decided(struct mcp *m, const char *request_id)
{
	struct mcp_request *r, *next;
	bool found = false;

	for (r = TAILQ_FIRST(&m->requests); r != NULL; r = next) {
		next = TAILQ_NEXT(r, entry);
		if (r->until_ms == 0 || r->look != permission_look ||
		    strcmp(r->key, request_id) != 0)
			continue;
		found = true;
		mcp_wait_look(r);
	}
	return found;
}
