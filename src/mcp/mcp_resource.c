/* SPDX-License-Identifier: ISC */
/*
 * Resources: the inbox, keys of state, memories, files, and our skill.
 *
 *	linnet://inbox		messages that are unread, and stay so
 *	linnet://state/KEY	KEY percent-encoded (RFC 3986 2.1)
 *	linnet://memory/ID
 *	linnet://file/ID	small ones; of others what there is to know
 *	skill://linnet/SKILL.md
 *
 * A list begins with what is always there, so that its first page needs no
 * broker, and goes on with the keys, page by page, and the newest memories and
 * files: the others are for recall and list_files to find.  Cursors are "m",
 * "f", or "s" and what `after` of list_state has to be.
 */
#include "mcp/mcp_request.h"

#include <string.h>

#define RESOURCE_JSON "application/json"
#define RESOURCE_PAGE "50"
#define RESOURCE_FILE 65536 /* bytes */

void
mcp_uri_add(struct buf *b, const char *prefix, const char *rest, size_t n)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~/:@";
	size_t i;

	buf_adds(b, prefix);
	for (i = 0; i < n; i++)
		if (rest[i] != '\0' && strchr(plain, rest[i]) != NULL)
			buf_addc(b, rest[i]);
		else
			buf_addf(b, "%%%02X", (unsigned char)rest[i]);
	if (buf_str(b) == NULL)
		fatalx("out of memory");
}

const char *
mcp_uri_rest(struct pool *p, const char *uri, const char *prefix)
{
	uint8_t byte;
	char *out;
	size_t n = 0;

	if (!str_starts(uri, prefix) || uri[strlen(prefix)] == '\0')
		return NULL;
	uri += strlen(prefix);
	out = pool_alloc(p, strlen(uri) + 1);
	for (; *uri != '\0'; uri++) {
		if (*uri != '%') {
			out[n++] = *uri;
			continue;
		}
		if (strlen(uri) < 3 ||
		    crypto_unhex(&byte, 1, uri + 1, 2) != 0 || byte == 0)
			return NULL;
		out[n++] = (char)byte;
		uri += 2;
	}
	out[n] = '\0';
	return str_utf8(out, n) ? out : NULL;
}

static void
resource_add(struct json_writer *w, const char *uri, const char *name,
    const char *text, const char *type)
{
	json_object(w);
	json_key(w, "uri");
	json_str(w, uri);
	json_key(w, "name");
	json_str(w, name);
	json_key(w, "description");
	json_str(w, text);
	json_key(w, "mimeType");
	json_str(w, type);
	json_object_end(w);
}

static void
resource_list_end(struct mcp_request *r, const char *cursor)
{
	json_array_end(&r->w);
	if (cursor != NULL) {
		json_key(&r->w, "nextCursor");
		json_str(&r->w, cursor);
	}
	mcp_result_cache(r, 0, false);
	mcp_result_end(r);
}

static struct json_writer *
resource_list_begin(struct mcp_request *r, const char *what)
{
	struct json_writer *w = mcp_result(r);

	json_key(w, what);
	json_array(w);
	return w;
}

static void
resource_failed(struct mcp_request *r, const struct mcp_error *e)
{
	mcp_fail(r, RPC_INTERNAL, 200, "%s (%s)", e->message, e->code);
}

static void
resource_not_found(struct mcp_request *r)
{
	struct json_writer w;
	struct buf data;

	buf_init(&data, SIZE_MAX / 2);
	json_start(&w, &data);
	json_object(&w);
	json_key(&w, "uri");
	json_str(&w, r->uri);
	json_object_end(&w);
	mcp_fail_data(r,
	    r->revision < MCP_2026_07_28 ? RPC_RESOURCE : RPC_PARAMS, 400,
	    buf_str(&data), "There is no such resource.");
	buf_free(&data);
}

/*
 * Lists.
 */
static void
resource_keys(
    struct mcp_request *r, const struct mcp_error *e, const struct json *j)
{
	struct json_writer *w;
	const char *key, *next;
	struct buf uri;
	size_t list, i;

	if (e != NULL) {
		resource_failed(r, e);
		return;
	}
	w = resource_list_begin(r, "resources");
	list = mcp_json_in(j, 0, "entries", JSON_ARRAY);
	for (i = JSON_FIRST(list); list != 0 && i < j->nodes[list].end;
	     i = j->nodes[i].end) {
		if ((key = mcp_json_str(&r->pool, j, i, "key")) == NULL)
			continue;
		buf_init(&uri, SIZE_MAX / 2);
		mcp_uri_add(&uri, URI_STATE, key, strlen(key));
		resource_add(w, uri.data, key, "A key of the shared state.",
		    RESOURCE_JSON);
		buf_free(&uri);
	}
	next = mcp_json_str(&r->pool, j, 0, "next");
	resource_list_end(r, next != NULL && next[0] != '\0'
				 ? pool_printf(&r->pool, "s%s", next)
				 : "m");
}

static void
resource_memories(
    struct mcp_request *r, const struct mcp_error *e, const struct json *j)
{
	struct json_writer *w;
	const char *id, *by;
	size_t list, i;

	if (e != NULL) {
		resource_failed(r, e);
		return;
	}
	w = resource_list_begin(r, "resources");
	list = mcp_json_in(j, 0, "memories", JSON_ARRAY);
	for (i = JSON_FIRST(list); list != 0 && i < j->nodes[list].end;
	     i = j->nodes[i].end) {
		id = mcp_json_str(&r->pool, j, i, "id");
		by = mcp_json_str(&r->pool, j, i, "rememberedBy");
		if (id == NULL)
			continue;
		resource_add(w, pool_printf(&r->pool, URI_MEMORY "%s", id),
		    pool_printf(&r->pool, "memory %s", id),
		    pool_printf(&r->pool, "Remembered by %s.",
			by != NULL ? by : "a member"),
		    RESOURCE_JSON);
	}
	resource_list_end(r, "f");
}

static void
resource_files(
    struct mcp_request *r, const struct mcp_error *e, const struct json *j)
{
	const char *id, *name, *by, *type;
	struct json_writer *w;
	size_t list, i;

	if (e != NULL) {
		resource_failed(r, e);
		return;
	}
	w = resource_list_begin(r, "resources");
	list = mcp_json_in(j, 0, "files", JSON_ARRAY);
	for (i = JSON_FIRST(list); list != 0 && i < j->nodes[list].end;
	     i = j->nodes[i].end) {
		id = mcp_json_str(&r->pool, j, i, "id");
		name = mcp_json_str(&r->pool, j, i, "name");
		by = mcp_json_str(&r->pool, j, i, "uploadedBy");
		type = mcp_json_str(&r->pool, j, i, "mimeType");
		if (id == NULL || name == NULL || by == NULL || type == NULL)
			continue;
		resource_add(w, pool_printf(&r->pool, URI_FILE "%s", id), name,
		    pool_printf(&r->pool, "A file of %s, %lld bytes.", by,
			(long long)mcp_json_int(j, i, "size")),
		    type);
	}
	resource_list_end(r, NULL);
}

/* Asks for a page after a place. */
static void
resource_ask(
    struct mcp_request *r, const char *op, const char *after, mcp_ask_fn *fn)
{
	struct json_writer w;
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_key(&w, "limit");
	json_raw(&w, RESOURCE_PAGE, strlen(RESOURCE_PAGE));
	if (after[0] != '\0') {
		json_key(&w, "after");
		json_str(&w, after);
	}
	mcp_ask_op(r, op, buf_str(&b), fn);
	buf_free(&b);
}

void
mcp_resource_list(struct mcp_request *r, size_t params)
{
	const char *cursor = mcp_param(r, params, "cursor");
	struct json_writer *w;

	if (cursor != NULL && cursor[0] == 's') {
		resource_ask(r, "list_state", cursor + 1, resource_keys);
		return;
	}
	if (cursor != NULL && strcmp(cursor, "m") == 0) {
		resource_ask(r, "list_memories", "", resource_memories);
		return;
	}
	if (cursor != NULL && strcmp(cursor, "f") == 0) {
		resource_ask(r, "list_files", "", resource_files);
		return;
	}
	if (cursor != NULL) {
		mcp_fail(r, RPC_PARAMS, 400,
		    "The cursor is not one that resources/list gave.");
		return;
	}
	w = resource_list_begin(r, "resources");
	resource_add(w, URI_INBOX, "inbox",
	    "Messages that you have not read; reading it does not acknowledge "
	    "them.",
	    RESOURCE_JSON);
	resource_add(w, URI_SKILL, "linnet",
	    "How to work with other agents in a Linnet mesh.", "text/markdown");
	resource_list_end(r, "s");
}

static void
resource_template(struct json_writer *w, const char *uri, const char *name,
    const char *text, const char *type)
{
	json_object(w);
	json_key(w, "uriTemplate");
	json_str(w, uri);
	json_key(w, "name");
	json_str(w, name);
	json_key(w, "description");
	json_str(w, text);
	if (type != NULL) {
		json_key(w, "mimeType");
		json_str(w, type);
	}
	json_object_end(w);
}

void
mcp_resource_templates(struct mcp_request *r, size_t params)
{
	struct json_writer *w = resource_list_begin(r, "resourceTemplates");

	(void)params;
	resource_template(w, URI_STATE "{key}", "state",
	    "A key of the shared state, with its value and version.",
	    RESOURCE_JSON);
	resource_template(w, URI_MEMORY "{id}", "memory",
	    "A text that was remembered, by its id.", RESOURCE_JSON);
	resource_template(w, URI_FILE "{id}", "file",
	    "A file, by its id; of one that is large only what it is.", NULL);
	resource_list_end(r, NULL);
}

/*
 * Reading.
 */
static struct json_writer *
resource_give_begin(struct mcp_request *r, const char *type)
{
	struct json_writer *w = mcp_result(r);

	json_key(w, "contents");
	json_array(w);
	json_object(w);
	json_key(w, "uri");
	json_str(w, r->uri);
	json_key(w, "mimeType");
	json_str(w, type);
	return w;
}

static void
resource_give_end(struct mcp_request *r, int64_t ttl_ms)
{
	json_object_end(&r->w);
	json_array_end(&r->w);
	mcp_result_cache(r, ttl_ms, ttl_ms > 0);
	mcp_result_end(r);
}

static void
resource_give(struct mcp_request *r, const char *text, size_t n,
    const char *type, int64_t ttl_ms)
{
	struct json_writer *w = resource_give_begin(r, type);

	json_key(w, "text");
	json_strn(w, text, n);
	resource_give_end(r, ttl_ms);
}

/* text or blob, JSON. */
static void
resource_give_raw(
    struct mcp_request *r, const char *what, struct slice raw, const char *type)
{
	struct json_writer *w = resource_give_begin(r, type);

	json_key(w, what);
	json_raw(w, raw.p, raw.n);
	resource_give_end(r, 0);
}

/* The part of an answer that a tool would give. */
static void
resource_project(struct mcp_request *r, const char *tool, const char *list,
    const struct json *j, size_t at)
{
	const struct mcp_config all = { .tools = MCP_TOOLS_FULL };
	const struct mcp_field *fields =
	    mcp_tool_find(&all, (struct slice){ tool, strlen(tool) })->out;
	struct json_writer w;

	if (list != NULL) {
		while (strcmp(fields->name, list) != 0)
			fields++;
		fields = fields->rows;
	}
	json_start(&w, &r->result);
	json_object(&w);
	mcp_project(&w, fields, j, at, NULL);
	json_object_end(&w);
	if (r->result.failed)
		fatalx("out of memory");
	resource_give(r, r->result.data, r->result.len, RESOURCE_JSON, 0);
}

static void
resource_inbox(
    struct mcp_request *r, const struct mcp_error *e, const struct json *j)
{
	if (e != NULL)
		resource_failed(r, e);
	else
		resource_project(r, "check_messages", NULL, j, 0);
}

static void
resource_key(
    struct mcp_request *r, const struct mcp_error *e, const struct json *j)
{
	if (e != NULL)
		resource_failed(r, e);
	else if (mcp_json_int(j, 0, "version") == 0)
		resource_not_found(r);
	else
		resource_project(r, "get_state", NULL, j, 0);
}

static void
resource_memory(
    struct mcp_request *r, const struct mcp_error *e, const struct json *j)
{
	size_t list = e == NULL ? mcp_json_in(j, 0, "memories", JSON_ARRAY) : 0;

	if (e != NULL && strcmp(e->code, "malformed") != 0)
		resource_failed(r, e);
	else if (list == 0 || JSON_FIRST(list) == j->nodes[list].end)
		resource_not_found(r);
	else
		resource_project(r, "recall", "memories", j, JSON_FIRST(list));
}

/* What there is to know of a file that is too large, as the tool tells it. */
static void
resource_file_link(struct mcp_request *r, const struct json *j)
{
	const struct mcp_tool *t = mcp_tool_find(
	    &(const struct mcp_config){ .is_remote = r->m->config.is_remote },
	    (struct slice){ "get_file", strlen("get_file") });
	struct json_writer w;

	json_start(&w, &r->result);
	json_object(&w);
	mcp_project(&w, t->out, j, 0, NULL);
	json_key(&w, "hint");
	json_str(&w, "It is too large to be read here: get_file gets it.");
	json_object_end(&w);
	if (r->result.failed)
		fatalx("out of memory");
	resource_give(r, r->result.data, r->result.len, RESOURCE_JSON, 0);
}

static void
resource_file(
    struct mcp_request *r, const struct mcp_error *e, const struct json *j)
{
	const char *type;
	size_t text, blob;
	struct slice raw;

	if (e != NULL) {
		if (strcmp(e->code, "not_found") == 0)
			resource_not_found(r);
		else
			resource_failed(r, e);
		return;
	}
	text = json_get(j, 0, "text");
	blob = json_get(j, 0, "blob");
	if (text == 0 && blob == 0) {
		resource_file_link(r, j);
		return;
	}
	type = mcp_json_str(&r->pool, j, 0, "mimeType");
	raw = mcp_json_raw(j, text != 0 ? text : blob);
	resource_give_raw(r, text != 0 ? "text" : "blob", raw,
	    type != NULL ? type : "application/octet-stream");
}

/* Asks for one thing by its name. */
static void
resource_ask_one(struct mcp_request *r, const char *op, const char *field,
    const char *value, mcp_ask_fn *fn)
{
	struct json_writer w;
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_key(&w, field);
	json_str(&w, value);
	mcp_ask_op(r, op, buf_str(&b), fn);
	buf_free(&b);
}

static void
resource_read_file(struct mcp_request *r, const struct mcp_fetch *f)
{
	struct id id;

	if (id_parse(&id, f->id, strlen(f->id)) != 0)
		resource_not_found(r);
	else
		mcp_file_ask(r, f, resource_file);
}

void
mcp_resource_read(struct mcp_request *r, size_t params)
{
	struct mcp_fetch fetch = { .most = RESOURCE_FILE, .look = true };
	const char *rest, *skill;
	size_t n;

	r->uri = mcp_param(r, params, "uri");
	if (r->uri == NULL)
		mcp_fail(r, RPC_PARAMS, 400, "The member uri is missing.");
	else if (strcmp(r->uri, URI_INBOX) == 0)
		mcp_ask_messages(r, MCP_PAGE, false, resource_inbox);
	else if (strcmp(r->uri, URI_SKILL) == 0) {
		skill = mcp_guide_skill(&n);
		resource_give(r, skill, n, "text/markdown", 3600000);
	} else if ((rest = mcp_uri_rest(&r->pool, r->uri, URI_STATE)) != NULL)
		resource_ask_one(r, "get_state", "key", rest, resource_key);
	else if ((rest = mcp_uri_rest(&r->pool, r->uri, URI_MEMORY)) != NULL)
		resource_ask_one(
		    r, "list_memories", "id", rest, resource_memory);
	else if ((fetch.id = mcp_uri_rest(&r->pool, r->uri, URI_FILE)) != NULL)
		resource_read_file(r, &fetch);
	else
		resource_not_found(r);
}
