/* SPDX-License-Identifier: ISC */
/*
 * Files: shared, fetched, and sent with messages.
 *
 * The backend moves the bytes, which takes time; here is what an agent says and
 * is told of them.  A file that goes with a message is shared first, for nobody
 * yet, and deleted again if the message cannot be sent.
 */
#include "mcp/mcp_request.h"

#include <stdlib.h>
#include <string.h>

#define FILE_TEXT 32768 /* more does not belong into an agent's context */
#define FILE_PROGRESS_MS 500
#define FILE_TEXT_MIME "text/plain; charset=utf-8"

static bool
file_is_text(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (((unsigned char)s[i] < ' ' && s[i] != '\n' &&
			s[i] != '\r' && s[i] != '\t') ||
		    s[i] == 0x7f)
			return false;
	return str_utf8(s, n);
}

bool
mcp_file_give(struct json_writer *w, const char *p, size_t n, bool blob)
{
	char *b64;

	if (file_is_text(p, n)) {
		json_key(w, "text");
		json_strn(w, p, n);
		return true;
	}
	if (!blob)
		return false;
	b64 = xmalloc(CRYPTO_B64_LEN(n));
	crypto_base64(b64, p, n, CRYPTO_B64_STD);
	json_key(w, "blob");
	json_str(w, b64);
	free(b64);
	return true;
}

void
mcp_progress(struct mcp_ask *a, int64_t done, int64_t size)
{
	struct mcp_request *r = CONTAINER(a, struct mcp_request, ask);
	struct json_writer w;
	struct buf b;

	clock_update();
	/* It may only rise, also where something is done again. */
	if (r->progress.n == 0 || clock_mono() < r->progress_ms ||
	    r->progress_base + done <= r->progress_done)
		return;
	r->progress_ms = clock_mono() + FILE_PROGRESS_MS;
	r->progress_done = r->progress_base + done;
	mcp_note(&w, &b, "notifications/progress");
	json_key(&w, "progressToken");
	json_raw(&w, r->progress.p, r->progress.n);
	json_key(&w, "progress");
	json_num(&w, r->progress_done);
	json_key(&w, "total");
	json_num(&w, r->progress_base + size);
	if (r->revision >= MCP_2025_03_26) {
		json_key(&w, "message");
		json_str(&w, "Bytes of the file.");
	}
	mcp_note_end(r->m, &w, &b, r->tag);
}

/*
 * share_file and get_file.
 */
/* A text of the arguments in the pool; NULL: it is not there. */
static const char *
file_arg(struct mcp_request *r, const struct json *j, size_t at,
    const char *name, size_t *n)
{
	size_t v = json_get(j, at, name);
	char *s;

	if (v == 0 || j->nodes[v].type != JSON_STRING)
		return NULL;
	s = pool_alloc(&r->pool, j->nodes[v].n + 1);
	*n = json_unescape(&j->nodes[v], s);
	s[*n] = '\0';
	return s;
}

/* NULL, or what is wrong. */
static const char *
share_content(
    struct mcp_request *r, const struct json *j, size_t at, struct mcp_share *s)
{
	size_t n, e = json_get(j, at, "encoding");
	bool base64 = e != 0 && json_is(&j->nodes[e], "base64");
	const char *text = file_arg(r, j, at, "content", &n);
	char *out, *plain;
	ptrdiff_t bytes;
	size_t i, len = 0;

	if (text == NULL)
		return e != 0 ? "encoding is of content, and there is none."
			      : NULL;
	s->bytes = text;
	s->n = n;
	if (!base64) {
		if (s->mime == NULL)
			s->mime = FILE_TEXT_MIME;
		return NULL;
	}
	out = pool_alloc(&r->pool, n + 1);
	plain = pool_alloc(&r->pool, n + 1);
	/* base64(1) breaks its lines. */
	for (i = 0; i < n; i++)
		if (strchr(" \t\r\n", text[i]) == NULL)
			plain[len++] = text[i];
	bytes = crypto_unbase64(out, n, plain, len, CRYPTO_B64_STD);
	if (bytes < 0)
		return "content is no base64: it has characters other than "
		       "A-Z, a-z, 0-9, + and /, or the = at its end are "
		       "missing.";
	s->bytes = out;
	s->n = (size_t)bytes;
	return NULL;
}

void
mcp_file_share(struct mcp_request *r, const struct json *j, size_t at)
{
	const struct mcp_config *c = &r->m->config;
	struct mcp_share s = { .size = -1 };
	size_t n, tags = json_get(j, at, "tags");
	const char *problem;
	struct slice raw;

	s.path = file_arg(r, j, at, "path", &n);
	s.name = file_arg(r, j, at, "name", &n);
	s.mime = file_arg(r, j, at, "mime_type", &n);
	s.attached = mcp_json_bool(j, at, "attachment");
	if (tags != 0 && j->nodes[tags].type == JSON_ARRAY) {
		raw = mcp_json_raw(j, tags);
		s.tags = pool_strndup(&r->pool, raw.p, raw.n);
	}
	if (json_int(&j->nodes[json_get(j, at, "size")], &s.size) != 0)
		s.size = -1;
	problem = share_content(r, j, at, &s);
	if (problem == NULL && s.path == NULL && s.name == NULL)
		problem = "name is missing: content alone has none.";
	if (problem != NULL) {
		mcp_tool_fail(r, "%s", problem);
		return;
	}
	r->ask = (struct mcp_ask){ true, mcp_tool_answered };
	c->backend->share(c->backend_arg, &r->ask, &s);
}

void
mcp_file_fetch(struct mcp_request *r, const struct json *j, size_t at)
{
	size_t n;
	const struct mcp_fetch f = {
		.id = mcp_json_str(&r->pool, j, at, "id"),
		.path = file_arg(r, j, at, "path", &n),
		.most = FILE_TEXT,
	};

	mcp_file_ask(r, &f, mcp_tool_answered);
}

void
mcp_file_ask(struct mcp_request *r, const struct mcp_fetch *f, mcp_ask_fn *fn)
{
	const struct mcp_config *c = &r->m->config;

	r->ask = (struct mcp_ask){ true, fn };
	c->backend->fetch(c->backend_arg, &r->ask, f);
}

/*
 * Files of a message.
 */
struct mcp_attach {
	const char *fields; /* of the send */
	const char **files; /* paths, and ids, which those become */
	bool *shared;	    /* here, for this message */
	size_t n;
	size_t at;
	struct mcp_error error;
};

static bool
attach_is_id(const char *s)
{
	struct id id;

	return id_parse(&id, s, strlen(s)) == 0;
}

static void attach_next(struct mcp_request *r);

/* The message was not sent: nobody needs what was shared for it. */
static void
attach_undo(
    struct mcp_request *r, const struct mcp_error *e, const struct json *j)
{
	struct mcp_attach *a = r->attach;

	(void)e;
	(void)j;
	while (a->n > 0 && !a->shared[a->n - 1])
		a->n--;
	if (a->n == 0) {
		mcp_tool_failed(r, &a->error);
		return;
	}
	a->n--;
	mcp_ask_op(r, "delete_file",
	    pool_printf(&r->pool, "\"fileId\":\"%s\"", a->files[a->n]),
	    attach_undo);
}

static void
attach_failed(struct mcp_request *r, const struct mcp_error *e)
{
	struct mcp_attach *a = r->attach;

	a->error.code = pool_strndup(&r->pool, e->code, strlen(e->code));
	a->error.message =
	    pool_strndup(&r->pool, e->message, strlen(e->message));
	attach_undo(r, NULL, NULL);
}

static void
attach_sent(
    struct mcp_request *r, const struct mcp_error *e, const struct json *j)
{
	if (e != NULL)
		attach_failed(r, e);
	else
		mcp_tool_answered(r, e, j);
}

static void
attach_shared(
    struct mcp_request *r, const struct mcp_error *e, const struct json *j)
{
	struct mcp_attach *a = r->attach;
	const char *id =
	    e == NULL ? mcp_json_str(&r->pool, j, 0, "fileId") : NULL;

	if (e != NULL) {
		attach_failed(r, e);
		return;
	}
	r->progress_base += mcp_json_int(j, 0, "size");
	a->shared[a->at] = true;
	a->files[a->at++] = id != NULL ? id : "";
	attach_next(r);
}

static void
attach_send(struct mcp_request *r)
{
	const struct mcp_attach *a = r->attach;
	struct json_writer w;
	struct buf b;
	size_t i;

	buf_init(&b, SIZE_MAX / 2);
	buf_adds(&b, a->fields);
	buf_addc(&b, ',');
	json_start(&w, &b);
	json_key(&w, "files");
	json_array(&w);
	for (i = 0; i < a->n; i++)
		json_str(&w, a->files[i]);
	json_array_end(&w);
	if (buf_str(&b) == NULL)
		fatalx("out of memory");
	mcp_ask_op(r, r->tool->op, b.data, attach_sent);
	buf_free(&b);
}

static void
attach_next(struct mcp_request *r)
{
	const struct mcp_config *c = &r->m->config;
	struct mcp_attach *a = r->attach;
	struct mcp_share s = { .attached = true, .size = -1 };

	while (a->at < a->n && attach_is_id(a->files[a->at]))
		a->at++;
	if (a->at == a->n) {
		attach_send(r);
		return;
	}
	s.path = a->files[a->at];
	r->ask = (struct mcp_ask){ true, attach_shared };
	c->backend->share(c->backend_arg, &r->ask, &s);
}

static void
attach_add(
    struct mcp_request *r, struct mcp_attach *a, const struct json_node *v)
{
	a->files[a->n++] = mcp_json_text(&r->pool, v);
}

bool
mcp_file_attach(
    struct mcp_request *r, const struct json *j, size_t at, const char *fields)
{
	size_t one = json_get(j, at, "file"), all = json_get(j, at, "files");
	struct mcp_attach *a = pool_zalloc(&r->pool, sizeof(*a));
	size_t i, max = one != 0 || all == 0 ? 1 : j->nodes[all].end - all;

	a->files = pool_alloc(&r->pool, max * sizeof(*a->files));
	a->shared = pool_zalloc(&r->pool, max * sizeof(*a->shared));
	if (one != 0 && j->nodes[one].type == JSON_STRING)
		attach_add(r, a, &j->nodes[one]);
	else if (all != 0 && j->nodes[all].type == JSON_ARRAY)
		for (i = JSON_FIRST(all); i < j->nodes[all].end;
		     i = j->nodes[i].end)
			attach_add(r, a, &j->nodes[i]);
	if (a->n == 0)
		return false;
	for (i = 0; i < a->n && r->m->config.is_remote; i++)
		if (!attach_is_id(a->files[i])) {
			mcp_tool_fail(r,
			    "%.100s is no id of a file: your paths are not on "
			    "this server. share_file with attachment gives an "
			    "id.",
			    a->files[i]);
			return true;
		}
	a->fields = pool_strndup(&r->pool, fields, strlen(fields));
	r->attach = a;
	attach_next(r);
	return true;
}
