/* SPDX-License-Identifier: ISC */
/*
 * What a request says of itself in its head, and whether that is so.
 *
 * A web page of elsewhere may not ask, also not by a name that it had resolve
 * to this machine: of pages of "this very host" only those count whose host is
 * an address, or localhost.  Others are named in http.origin.
 *
 * From 2026-07-28 on the head repeats of the body what those on the way want
 * to know (SEP-2243); who would believe one and not the other could be fooled,
 * so they have to be the same.
 */
#include "proto/proto_mcp.h"

#include <string.h>
#include <strings.h>

#define HEAD_VERSION "io.modelcontextprotocol/protocolVersion"
#define HEAD_BASE64 "=?base64?"
#define HEAD_MISMATCH (-32020)
#define HEAD_UNSUPPORTED (-32022)

static bool
head_is(struct slice s, const char *text)
{
	return s.n == strlen(text) && strncasecmp(s.p, text, s.n) == 0;
}

static bool
head_same(struct slice a, struct slice b)
{
	return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

/* Is it an address, or localhost?  Then no name that somebody else rules was
 * resolved to find it. */
static bool
head_is_address(struct slice host)
{
	size_t n = host.n, i;

	if (n > 0 && host.p[0] == '[')
		return true;
	while (n > 0 && host.p[n - 1] >= '0' && host.p[n - 1] <= '9')
		n--;
	host.n = n > 0 && host.p[n - 1] == ':' ? n - 1 : host.n;
	if (head_is(host, "localhost"))
		return true;
	for (i = 0; i < host.n; i++)
		if (host.p[i] != '.' && (host.p[i] < '0' || host.p[i] > '9'))
			return false;
	return host.n > 0;
}

static bool
head_origin(const struct proto *p, const struct http_request *r)
{
	struct slice origin = http_header(r, "origin");
	struct slice host = http_header(r, "host");
	const char *const *o;

	if (origin.p == NULL)
		return true;
	for (o = p->origins; o != NULL && *o != NULL; o++)
		if (strcmp(*o, "*") == 0 || head_is(origin, *o))
			return true;
	if (origin.n > 7 && strncasecmp(origin.p, "http://", 7) == 0) {
		origin.p += 7;
		origin.n -= 7;
	} else if (origin.n > 8 && strncasecmp(origin.p, "https://", 8) == 0) {
		origin.p += 8;
		origin.n -= 8;
	} else
		return false;
	return head_same(origin, host) && head_is_address(host);
}

/* The next of the values between commas, without what follows a semicolon. */
static bool
head_next(struct slice *list, struct slice *value)
{
	const char *comma;
	size_t n;

	if (list->n == 0)
		return false;
	comma = memchr(list->p, ',', list->n);
	n = comma != NULL ? (size_t)(comma - list->p) : list->n;
	*value = (struct slice){ list->p, n };
	list->p += n + (comma != NULL);
	list->n -= n + (comma != NULL);
	while (value->n > 0 && (value->p[0] == ' ' || value->p[0] == '\t')) {
		value->p++;
		value->n--;
	}
	for (n = 0; n < value->n && value->p[n] != ';' && value->p[n] != ' ' &&
		    value->p[n] != '\t';
	     n++)
		;
	value->n = n;
	return true;
}

/* RFC 9110 12.5.1, as far as it matters. */
static bool
head_accepts(const struct http_request *r, const char *type)
{
	struct slice list, value;
	size_t i, major = (size_t)(strchr(type, '/') - type) + 1;
	bool any = false;

	for (i = 0; i < r->nheaders; i++) {
		if (!head_is(r->headers[i].name, "accept"))
			continue;
		any = true;
		list = r->headers[i].value;
		while (head_next(&list, &value))
			if (head_is(value, type) || head_is(value, "*/*") ||
			    (value.n == major + 1 && value.p[major] == '*' &&
				strncasecmp(value.p, type, major) == 0))
				return true;
	}
	return !any;
}

bool
mcp_head_streams(const struct http_request *r)
{
	return http_header(r, "accept").p != NULL &&
	       head_accepts(r, "text/event-stream");
}

const struct mcp_refusal *
mcp_head_check(const struct proto *p, const struct http_request *r)
{
	static const struct mcp_refusal origin = { 403, "forbidden",
		"Pages of this origin may not do that; who runs the server "
		"can add it to http.origin.",
		NULL };
	static const struct mcp_refusal method = { 405, "method_not_allowed",
		"MCP is spoken here with POST; GET and DELETE are for sessions, "
		"which revisions before 2026-07-28 have.",
		"Allow: GET, POST, DELETE, OPTIONS\r\n" };
	static const struct mcp_refusal stream = { 406, "not_acceptable",
		"Accept text/event-stream.", NULL };
	static const struct mcp_refusal session = { 400, "malformed",
		"The header Mcp-Session-Id is missing: what the answer to "
		"initialize had.",
		NULL };
	static const struct mcp_refusal drain = { 503, "draining",
		"The server restarts; try again at once.",
		"Retry-After: 1\r\n" };
	static const struct mcp_refusal accept = { 406, "not_acceptable",
		"Accept application/json and text/event-stream.", NULL };
	static const struct mcp_refusal type = { 415, "unsupported_type",
		"The Content-Type has to be application/json.", NULL };
	static const struct mcp_refusal token = { 401, "unauthorized",
		"Show the token of a member: Authorization: Bearer wat_...; "
		"linnet token create makes one.",
		"WWW-Authenticate: Bearer realm=\"linnet\"\r\n" };
	struct slice v = http_header(r, "content-type"), t;
	bool post = head_is(r->method, "POST");

	if (!head_origin(p, r))
		return &origin;
	if ((!post && !head_is(r->method, "GET") &&
		!head_is(r->method, "DELETE")) ||
	    (!post && head_is(http_header(r, "mcp-protocol-version"),
			  mcp_revision_name(MCP_2026_07_28))))
		return &method;
	if (p->draining)
		return &drain;
	if (head_is(r->method, "GET") && !mcp_head_streams(r))
		return &stream;
	if (!post && http_header(r, "mcp-session-id").p == NULL)
		return &session;
	if (post && !head_accepts(r, "application/json"))
		return &accept;
	if (post && (!head_next(&v, &t) || !head_is(t, "application/json")))
		return &type;
	if (http_bearer(r).n == 0)
		return &token;
	return NULL;
}

enum mcp_revision
mcp_head_initialize(const struct json *j)
{
	size_t method = json_get(j, 0, "method");
	size_t params = json_get(j, 0, "params"), at;
	enum mcp_revision v;

	if (j->nodes[0].type != JSON_OBJECT || method == 0 || params == 0 ||
	    json_get(j, 0, "id") == 0 ||
	    !json_is(&j->nodes[method], "initialize") ||
	    j->nodes[params].type != JSON_OBJECT)
		return MCP_UNKNOWN;
	at = json_get(j, params, "protocolVersion");
	if (at == 0 || j->nodes[at].type != JSON_STRING)
		return MCP_UNKNOWN;
	v = mcp_revision(j->nodes[at].p, j->nodes[at].n);
	return v == MCP_UNKNOWN || v > MCP_2025_11_25 ? MCP_2025_11_25 : v;
}

/*
 * Head and body.
 */
struct head_body {
	struct json *j;
	struct slice id; /* JSON */
	struct slice version;
	struct slice method;
	size_t params;
	bool is_one; /* an object, not a batch */
};

/* A text without escapes is seldom another one. */
static struct slice
head_text(struct pool *pool, const struct json *j, size_t at, const char *key)
{
	size_t i = json_get(j, at, key);
	char *s;

	if (i == 0 || j->nodes[i].type != JSON_STRING)
		return (struct slice){ NULL, 0 };
	s = pool_alloc(pool, j->nodes[i].n + 1);
	return (struct slice){ s, json_unescape(&j->nodes[i], s) };
}

static void
head_read(struct head_body *b, struct pool *pool, struct json *j)
{
	size_t meta = 0, id;

	memset(b, 0, sizeof(*b));
	b->j = j;
	b->is_one = j->nodes[0].type == JSON_OBJECT;
	if (!b->is_one)
		return;
	id = json_get(j, 0, "id");
	if (id != 0 && (j->nodes[id].type == JSON_STRING ||
			   j->nodes[id].type == JSON_NUMBER)) {
		bool quotes = j->nodes[id].type == JSON_STRING;

		b->id = (struct slice){ j->nodes[id].p - quotes,
			j->nodes[id].n + 2 * (size_t)quotes };
	}
	b->method = head_text(pool, j, 0, "method");
	b->params = json_get(j, 0, "params");
	if (b->params != 0 && j->nodes[b->params].type == JSON_OBJECT)
		meta = json_get(j, b->params, "_meta");
	else
		b->params = 0;
	if (meta != 0 && j->nodes[meta].type == JSON_OBJECT)
		b->version = head_text(pool, j, meta, HEAD_VERSION);
}

static bool
head_fail(struct buf *out, const struct head_body *b, int code,
    const char *requested, const char *text)
{
	struct json_writer w;

	json_start(&w, out);
	json_object(&w);
	json_key(&w, "jsonrpc");
	json_str(&w, "2.0");
	json_key(&w, "id");
	if (b->id.n > 0)
		json_raw(&w, b->id.p, b->id.n);
	else
		json_null(&w);
	json_key(&w, "error");
	json_object(&w);
	json_key(&w, "code");
	json_num(&w, code);
	json_key(&w, "message");
	json_str(&w, text);
	if (requested != NULL) {
		json_key(&w, "data");
		json_object(&w);
		json_key(&w, "supported");
		json_array(&w);
		json_str(&w, mcp_revision_name(MCP_2026_07_28));
		json_array_end(&w);
		json_key(&w, "requested");
		json_str(&w, requested);
		json_object_end(&w);
	}
	json_object_end(&w);
	json_object_end(&w);
	return false;
}

/* A value of a head: as it is, or in base64 with a mark. */
static struct slice
head_decode(struct pool *pool, struct slice v)
{
	const size_t n = sizeof(HEAD_BASE64) - 1;
	ptrdiff_t len;
	char *out;

	if (v.n < n + 2 || strncasecmp(v.p, HEAD_BASE64, n) != 0 ||
	    memcmp(v.p + v.n - 2, "?=", 2) != 0)
		return v;
	out = pool_alloc(pool, v.n);
	len = crypto_unbase64(out, v.n, v.p + n, v.n - n - 2, CRYPTO_B64_STD);
	return len >= 0 ? (struct slice){ out, (size_t)len }
			: (struct slice){ NULL, 0 };
}

static bool
head_equal(struct slice a, struct slice b)
{
	return a.p != NULL && b.p != NULL && a.n == b.n &&
	       memcmp(a.p, b.p, a.n) == 0;
}

/* The member of params that Mcp-Name has, or NULL. */
static const char *
head_name_of(struct slice method)
{
	if (head_is(method, "tools/call") || head_is(method, "prompts/get"))
		return "name";
	return head_is(method, "resources/read") ? "uri" : NULL;
}

/* What a request of 2026-07-28 repeats; NULL, or what is wrong. */
static const char *
head_repeats(
    const struct mcp_http *m, struct pool *pool, const struct head_body *b)
{
	const char *key;

	if (!b->is_one)
		return NULL;
	if (b->version.p != NULL && !head_equal(b->version, m->version))
		return "MCP-Protocol-Version is not the revision that _meta "
		       "says.";
	if (b->method.p == NULL)
		return NULL;
	if (m->method.p == NULL)
		return "The header Mcp-Method is missing: the method of the "
		       "body.";
	if (!head_equal(head_decode(pool, m->method), b->method))
		return "The header Mcp-Method is not the method of the body.";
	key = head_name_of(b->method);
	if (key == NULL)
		return NULL;
	if (m->name.p == NULL)
		return "The header Mcp-Name is missing: the name or uri that "
		       "params has.";
	if (b->params != 0 && !head_equal(head_decode(pool, m->name),
				  head_text(pool, b->j, b->params, key)))
		return "The header Mcp-Name is not the name or uri that "
		       "params has.";
	return NULL;
}

bool
mcp_head_revision(const struct mcp_http *m, struct json *j,
    enum mcp_revision *revision, struct buf *error)
{
	struct pool *pool = (struct pool *)&m->pool;
	struct head_body b;
	const char *wrong;

	*revision = mcp_revision(m->version.p, m->version.n);
	/* What is no JSON is answered by mcp. */
	if (json_read(j, m->body.p, m->body.n) != 0) {
		if (m->version.p == NULL)
			*revision = MCP_2025_03_26;
		return true;
	}
	head_read(&b, pool, j);
	if (m->version.p == NULL) {
		if (b.version.p != NULL)
			return head_fail(error, &b, HEAD_MISMATCH, NULL,
			    "The header MCP-Protocol-Version is missing: the "
			    "revision that _meta says.");
		*revision = head_is(b.method, "initialize") ? MCP_UNKNOWN
							    : MCP_2025_03_26;
		return true;
	}
	if (b.version.p != NULL && !head_equal(b.version, m->version))
		return head_fail(error, &b, HEAD_MISMATCH, NULL,
		    "MCP-Protocol-Version is not the revision that _meta "
		    "says.");
	if (*revision == MCP_UNKNOWN)
		return head_fail(error, &b, HEAD_UNSUPPORTED,
		    pool_strndup(pool, m->version.p, m->version.n),
		    "This revision of MCP is not spoken here.");
	if (*revision < MCP_2026_07_28)
		return b.version.p == NULL ||
		       head_fail(error, &b, HEAD_MISMATCH, NULL,
			   "A revision before 2026-07-28 is not said in "
			   "_meta.");
	wrong = head_repeats(m, pool, &b);
	return wrong == NULL ||
	       head_fail(error, &b, HEAD_MISMATCH, NULL, wrong);
}
