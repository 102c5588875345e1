/* SPDX-License-Identifier: ISC */
/*
 * What a hook of an agent's host reports: POST /hook/set-status, with the
 * member's hook token, for a session that another process has.
 */
#include "lib/lib.h"

#include <string.h>

#define HOOK_ANSWER_MAX (64 * 1024)

static void
hook_write(struct buf *out, const struct linnet_hook *h)
{
	struct json_writer w;

	json_start(&w, out);
	json_object(&w);
	json_key(&w, "status");
	json_str(&w, h->status);
	json_key(&w, "cwd");
	json_str(&w, h->cwd);
	json_key(&w, "token");
	json_str(&w, h->token);
	if (h->session_id != NULL) {
		json_key(&w, "session_id");
		json_str(&w, h->session_id);
	}
	if (h->pid > 0) {
		json_key(&w, "pid");
		json_num(&w, h->pid);
	}
	json_object_end(&w);
}

int
linnet_hook_status(const struct linnet_hook *h, bool *found, int timeout_ms,
    struct linnet_error *error)
{
	struct ssl_ctx_st *ctx = NULL;
	struct buf body, answer;
	struct linnet_url url;
	struct json j;
	int r = -1;

	linnet_start();
	if (linnet_url_read(&url, h->url, error) != 0)
		return -1;
	if (url.tls && (ctx = linnet_tls_new(&h->tls, error)) == NULL)
		return -1;
	buf_init(&body, SIZE_MAX / 2);
	buf_init(&answer, HOOK_ANSWER_MAX);
	json_init(&j, LINNET_JSON_NODES, LINNET_JSON_DEPTH);
	hook_write(&body, h);
	if (linnet_http_post(&url, ctx, "/hook/set-status", &body, &answer,
		timeout_ms > 0 ? timeout_ms : LINNET_CONNECT_MS, error) != 0)
		goto fail;
	if (json_read(&j, answer.data, answer.len) != 0 ||
	    !linnet_json_bool(&j, 0, "ok")) {
		linnet_error_set(error, "protocol",
		    "The answer to the hook is none; is it a Linnet broker?");
		goto fail;
	}
	if (found != NULL)
		*found = json_get(&j, 0, "presence_id") != 0;
	r = 0;
fail:
	if (body.data != NULL)
		crypto_wipe(body.data, body.len);
	json_free(&j);
	buf_free(&answer);
	buf_free(&body);
	linnet_tls_free(ctx);
	return r;
}
