/* SPDX-License-Identifier: ISC */
/*
 * Every HTTP request, by its path: the WebSocket, the health of the service,
 * its metrics, and the operations that have a route.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config.h"
#include "proto/proto.h"
#include "proto/proto_file.h"
#include "proto/proto_rest.h"

#define HTTP_METHODS "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

typedef void http_fn(
    struct proto *p, struct conn *c, const struct http_request *r);

static bool
http_is(struct slice s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

const char *
http_cors(const struct proto *p, const struct http_request *r,
    char out[HTTP_CORS_MAX])
{
	struct slice origin = http_header(r, "origin");
	const char *const *o;

	if (origin.n == 0 || origin.n > HTTP_CORS_MAX / 2)
		return NULL;
	for (o = p->origins; *o != NULL; o++)
		if (strcmp(*o, "*") == 0 ||
		    (strlen(*o) == origin.n &&
			strncasecmp(*o, origin.p, origin.n) == 0))
			break;
	if (*o == NULL)
		return NULL;
	snprintf(out, HTTP_CORS_MAX,
	    "Access-Control-Allow-Origin: " SLICE_FMT "\r\nVary: Origin\r\n"
	    "Access-Control-Expose-Headers: ETag, Link, Location, RateLimit, "
	    "RateLimit-Policy, Retry-After, WWW-Authenticate\r\n",
	    SLICE_ARG(origin));
	return out;
}

static void
http_reply(struct proto *p, struct conn *c, const struct http_request *r,
    int status, const char *type, const void *body, size_t n)
{
	char cors[HTTP_CORS_MAX];

	conn_reply(c, status, type, http_cors(p, r, cors), body, n);
}

static void
http_reply_json(
    struct proto *p, struct conn *c, const struct http_request *r, int status)
{
	http_reply(
	    p, c, r, status, "application/json", p->out.data, p->out.len);
}

void
http_refuse(struct conn *c, const struct http_request *r, int status,
    const char *code, const char *text, const char *headers)
{
	bool problem = r->path.n > 4 && memcmp(r->path.p, "/v1/", 4) == 0;
	struct json_writer w;
	struct buf b;

	buf_init(&b, 4096);
	json_start(&w, &b);
	json_object(&w);
	if (problem)
		rest_error_problem(
		    &w, status, code, http_status_text(status), text);
	else {
		json_key(&w, "error");
		json_str(&w, code);
		json_key(&w, "code");
		json_str(&w, code);
		json_key(&w, "message");
		json_str(&w, text);
	}
	json_object_end(&w);
	conn_reply(c, status,
	    problem ? "application/problem+json" : "application/json", headers,
	    b.data, b.len);
	buf_free(&b);
}

/* The state of the service, with a status that fits it. */
static void
http_state(struct proto *p, struct conn *c, const struct http_request *r,
    bool good, const char *word)
{
	struct json_writer w;

	buf_clear(&p->out);
	json_start(&w, &p->out);
	json_object(&w);
	json_key(&w, "ok");
	json_bool(&w, good);
	json_key(&w, "status");
	json_str(&w, word);
	json_key(&w, "db");
	json_str(&w, p->core->up ? "up" : "down");
	json_key(&w, "version");
	json_str(&w, PACKAGE_VERSION);
	json_key(&w, "gitSha");
	json_str(&w, "unknown");
	json_key(&w, "uptime");
	json_num(&w, (clock_mono() - p->started_ms) / 1000);
	json_object_end(&w);
	http_reply_json(p, c, r, good ? 200 : 503);
}

static void
http_health(struct proto *p, struct conn *c, const struct http_request *r)
{
	http_state(p, c, r, p->core->up, p->core->up ? "ok" : "degraded");
}

static void
http_ready(struct proto *p, struct conn *c, const struct http_request *r)
{
	bool good = p->core->up && !p->draining;

	http_state(p, c, r, good,
	    good	  ? "ready"
	    : p->draining ? "draining"
			  : "waiting for the database");
}

/* Whoever gets this answer talks to a loop that turns. */
static void
http_live(struct proto *p, struct conn *c, const struct http_request *r)
{
	http_state(p, c, r, true, "alive");
}

struct slice
http_bearer(const struct http_request *r)
{
	static const char scheme[] = "Bearer ";
	const size_t n = sizeof(scheme) - 1;
	struct slice v = http_header(r, "authorization");

	if (v.n <= n || strncasecmp(v.p, scheme, n) != 0)
		return (struct slice){ NULL, 0 };
	v.p += n;
	v.n -= n;
	/* RFC 9110 11.4: one space or more. */
	while (v.n > 0 && *v.p == ' ') {
		v.p++;
		v.n--;
	}
	return v.n > 0 ? v : (struct slice){ NULL, 0 };
}

static void
http_metrics(struct proto *p, struct conn *c, const struct http_request *r)
{
	if (!p->metrics) {
		http_refuse(c, r, 404, "not_found",
		    "Metrics are switched off (http.metrics).", NULL);
		return;
	}
	buf_clear(&p->out);
	metrics_write(p->core, &p->out);
	http_reply(
	    p, c, r, 200, "text/plain; version=0.0.4", p->out.data, p->out.len);
}

static void
http_ws(struct proto *p, struct conn *c, const struct http_request *r)
{
	if (p->draining) {
		http_refuse(c, r, 503, "draining",
		    "The server restarts; connect again at once.",
		    "Retry-After: 1\r\n");
		return;
	}
	if (conn_upgrade(c, r) == 0)
		mesh_protocol_open(p, c);
}

static void
http_index(struct proto *p, struct conn *c, const struct http_request *r)
{
	static const char text[] =
	    "Linnet " PACKAGE_VERSION ": agents connect to /ws, see "
	    "linnet-protocol(7).\n";

	http_reply(
	    p, c, r, 200, "text/plain; charset=utf-8", text, sizeof(text) - 1);
}

static const struct http_path {
	const char *path;
	http_fn *fn;
} http_paths[] = {
	{ "/", http_index },
	{ "/ws", http_ws },
	{ "/health", http_health },
	{ "/health/ready", http_ready },
	{ "/readyz", http_ready },
	{ "/livez", http_live },
	{ "/metrics", http_metrics },
	{ "/openapi.json", openapi_http_reply },
};

static void
http_options(struct proto *p, struct conn *c, const struct http_request *r)
{
	char cors[HTTP_CORS_MAX], headers[HTTP_CORS_MAX + 512];
	const char *allowed = http_cors(p, r, cors);

	snprintf(headers, sizeof(headers), "Allow: " HTTP_METHODS "\r\n%s%s",
	    allowed != NULL ? allowed : "",
	    allowed != NULL ? "Access-Control-Allow-Methods: " HTTP_METHODS
			      "\r\nAccess-Control-Allow-Headers: "
			      "Content-Type, Authorization, "
			      "X-Principal, X-Api-Key, Idempotency-Key, "
			      "If-Match, If-None-Match, Range, "
			      "MCP-Protocol-Version, Mcp-Method, Mcp-Name, "
			      "Mcp-Session-Id, Last-Event-ID\r\n"
			    : "");
	conn_reply(c, 204, NULL, headers, NULL, 0);
}

void
http_route(struct proto *p, struct conn *c, const struct http_request *r)
{
	bool reads = http_is(r->method, "GET") || http_is(r->method, "HEAD");
	char allow[REST_ALLOW_MAX], headers[REST_ALLOW_MAX + 32];
	size_t i;

	if (http_is(r->method, "OPTIONS")) {
		http_options(p, c, r);
		return;
	}
	if (http_is(r->path, "/mcp")) {
		mcp_http_route(p, c, r);
		return;
	}
	if (file_request(p, c, r))
		return;
	for (i = 0; i < NELEM(http_paths); i++) {
		if (!http_is(r->path, http_paths[i].path))
			continue;
		if (reads)
			http_paths[i].fn(p, c, r);
		else
			http_refuse(c, r, 405, "method_not_allowed",
			    "This path is read with GET.",
			    "Allow: GET, HEAD, OPTIONS\r\n");
		return;
	}
	if (live_request(p, c, r) || tail_request(p, c, r) ||
	    rest_request(p, c, r, allow))
		return;
	if (allow[0] != '\0') {
		snprintf(
		    headers, sizeof(headers), "Allow: %s, OPTIONS\r\n", allow);
		http_refuse(c, r, 405, "method_not_allowed",
		    "This path takes another method.", headers);
	} else
		http_refuse(c, r, 404, "not_found",
		    "There is nothing here; agents connect to /ws, and "
		    "/openapi.json says what else there is.",
		    NULL);
}
