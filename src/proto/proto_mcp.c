/* SPDX-License-Identifier: ISC */
/*
 * /mcp: the Model Context Protocol over HTTP ("Streamable HTTP").
 *
 * Each POST stands for itself: it is made by whom its token says, it is
 * answered on its own connection, and nothing is kept in this process when it
 * is answered.  So it does not matter which process has the next one.  Of the
 * sessions that revisions before 2026-07-28 have, the revision, what was
 * subscribed to and what was answered are in the database, where the stream of
 * a GET, and a request that waits for an answer, look again and again what they
 * are.
 *
 * An answer is JSON, unless there is something to say before it: then it is a
 * stream of events, of which the answer is the last.  A client that closes its
 * side has cancelled its request.  Messages that an answer has are acked when
 * the kernel has taken all of it.
 */
#include "config.h"

#include "proto/proto_mcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MCP_QUIET_MS 15000   /* then something is said on a stream */
#define MCP_STREAM_MS 900000 /* a token is looked at again after that */
#define MCP_LOOK_MS 2000     /* at what a session has subscribed to */

static void
mcp_http_free(struct mcp_http *m)
{
	LIST_REMOVE(m, entry);
	m->peer->mcp = NULL;
	mcp_free(m->mcp);
	mcp_file_gone(m);
	mcp_inbox_free(m->inbox);
	pool_free(&m->pool);
	free(m);
}

void
mcp_http_gone(struct peer *peer)
{
	mcp_http_free(peer->mcp);
}

/* It is answered, and the connection is for the next request. */
static void
mcp_http_over(struct mcp_http *m)
{
	struct peer *peer = m->peer;
	struct conn *c = peer->conn;

	conn_want_written(c, false);
	client_gone(&peer->client, false);
	mcp_http_free(m);
	proto_peer_over(peer);
	if (peer->proto->draining)
		conn_close(c, NET_END_SHUTDOWN, 0, "");
}

void
mcp_http_written(struct peer *peer, uint64_t pos)
{
	struct mcp_http *m = peer->mcp;

	if (!m->is_answered || pos < m->end)
		return;
	if (m->mcp != NULL && peer->client.session != NULL)
		mcp_written(m->mcp);
	mcp_http_over(m);
}

static struct slice
mcp_http_keep(struct mcp_http *m, struct slice s)
{
	if (s.p == NULL)
		return s;
	return (struct slice){ pool_strndup(&m->pool, s.p, s.n), s.n };
}

/*
 * What goes out.
 */
static void
mcp_http_stream(struct mcp_http *m)
{
	m->is_streaming = true;
	m->began_ms = m->spoke_ms = clock_mono();
	conn_chunked(m->peer->conn, 200, "text/event-stream",
	    pool_printf(&m->pool,
		"%sCache-Control: no-cache\r\nX-Accel-Buffering: no\r\n",
		m->headers));
}

static void
mcp_http_event(struct mcp_http *m, const struct mcp_out *o)
{
	struct conn *c = m->peer->conn;
	struct buf b;

	if (!m->is_streaming)
		mcp_http_stream(m);
	buf_init(&b, SIZE_MAX / 2);
	buf_adds(&b, "event: message\ndata: ");
	buf_add(&b, o->text, o->n);
	buf_adds(&b, "\n\n");
	if (b.failed)
		fatalx("out of memory");
	conn_chunk(c, b.data, b.len);
	buf_free(&b);
	m->spoke_ms = clock_mono();
}

static void
mcp_http_answered(struct mcp_http *m)
{
	m->is_answered = true;
	m->end = conn_queued(m->peer->conn);
	conn_want_written(m->peer->conn, true);
}

static void
mcp_http_out(void *arg, const struct mcp_out *o)
{
	struct mcp_http *m = arg;

	if (m->is_answered || (!o->answer && !m->streams))
		return;
	if (!o->answer || m->is_streaming)
		mcp_http_event(m, o);
	else
		conn_reply(m->peer->conn, o->http, "application/json",
		    m->headers, o->text, o->n);
	if (!o->answer)
		return;
	conn_chunked_end(m->peer->conn);
	mcp_http_answered(m);
}

/*
 * A request.
 */
static void
mcp_http_client(struct mcp_http *m, bool is_kept)
{
	char token[ID_HEX_LEN + 1];
	struct mcp_config config = {
		.backend = &mcp_mesh_backend,
		.backend_arg = m,
		.out = mcp_http_out,
		.out_arg = m,
		.revision = m->revision,
		.is_passing = true,
		.is_kept = is_kept,
		.is_remote = true,
		.push = MCP_PUSH_OFF,
		.version = PACKAGE_VERSION,
		.name = m->who.name.p,
		.mesh = pool_strndup(&m->pool, m->who.mesh.p, m->who.mesh.n),
		.key = m->key,
		/* A question needs a stream to go out on, and a session to
		 * leave the answer with. */
		.can = m->session.p != NULL && m->streams ? m->can : 0,
		.principal = pool_strndup(
		    &m->pool, id_hex(&m->who.token, token), ID_HEX_LEN),
	};

	crypto_random_bytes(&config.nonce, sizeof(config.nonce));
	token_key_for(m->peer->proto->core, "linnet questions of MCP", m->key);
	m->mcp = mcp_new(&config);
	/* Whoever waits may be gone before there is an answer. */
	conn_wait(m->peer->conn);
}

static void
mcp_http_start(struct mcp_http *m, bool is_kept)
{
	mcp_http_client(m, is_kept);
	if (m->peer->proto->draining)
		mcp_stop(m->mcp);
	if (!mcp_input(m->mcp, m->body.p, m->body.n, m)) {
		conn_reply(m->peer->conn, 202, NULL, m->headers, NULL, 0);
		mcp_http_answered(m);
	} else if (mcp_pending(m->mcp) > 0)
		deputy_watch(&m->peer->client, mcp_mesh_news);
}

static void
mcp_http_post(struct mcp_http *m)
{
	struct proto *p = m->peer->proto;
	enum mcp_revision first;
	bool is_json;

	buf_clear(&p->out);
	if (!mcp_head_revision(m, &p->json, &m->revision, &p->out)) {
		conn_reply(m->peer->conn, 400, "application/json", m->headers,
		    p->out.data, p->out.len);
		mcp_http_answered(m);
		return;
	}
	is_json = m->revision < MCP_2026_07_28 &&
		  json_read(&p->json, m->body.p, m->body.n) == 0;
	if (is_json && (first = mcp_head_initialize(&p->json)) != MCP_UNKNOWN) {
		m->session = (struct slice){ NULL, 0 };
		mcp_mesh_session(m, "begin",
		    pool_printf(&m->pool, "\"revision\":\"%s\",\"can\":%u",
			mcp_revision_name(first),
			mcp_can(&p->json, json_get(&p->json, 0, "params"))));
	} else if (is_json && m->session.p != NULL &&
		   mcp_ask_is_answer(&p->json))
		mcp_ask_leave(m);
	else if (m->revision < MCP_2026_07_28 && m->session.p != NULL)
		mcp_mesh_session(m, "find", "");
	else
		mcp_http_start(m, false);
}

void
mcp_http_known(struct mcp_http *m)
{
	deputy_who(&m->peer->client, &m->who);
	/* The session may have another one later. */
	m->who.name = mcp_http_keep(m, m->who.name);
	if (m->verb == MCP_POST)
		mcp_http_post(m);
	else
		mcp_mesh_session(m, m->verb == MCP_GET ? "find" : "end", "");
}

/*
 * Sessions.
 */
static void
mcp_http_end_stream(struct mcp_http *m)
{
	conn_chunked_end(m->peer->conn);
	mcp_http_answered(m);
}

static void
mcp_http_resume(struct mcp_http *m, const struct json *j)
{
	size_t list = json_get(j, 0, "subscriptions"), at, n = 0;
	const char **uris;
	struct pool p;
	char *s;

	pool_init(&p);
	uris = pool_alloc(&p, (j->nodes[list].end - list + 1) * sizeof(*uris));
	for (at = JSON_FIRST(list); at < j->nodes[list].end;
	     at = j->nodes[at].end) {
		s = pool_alloc(&p, j->nodes[at].n + 1);
		s[json_unescape(&j->nodes[at], s)] = '\0';
		uris[n++] = s;
	}
	mcp_resume(m->mcp, uris, n);
	pool_free(&p);
}

/* What comes now goes to this stream of the session, and to no other. */
static void
mcp_http_listen(struct mcp_http *m, const struct json *j)
{
	struct mcp_http *other, *next;

	LIST_FOREACH_SAFE (other, &m->peer->proto->mcps, entry, next)
		if (other != m && other->verb == MCP_GET &&
		    other->is_streaming && !other->is_answered &&
		    other->session.n == m->session.n &&
		    memcmp(other->session.p, m->session.p, m->session.n) == 0 &&
		    id_same(&other->who.token, &m->who.token))
			mcp_http_end_stream(other);
	mcp_http_client(m, true);
	mcp_http_stream(m);
	conn_chunk(m->peer->conn, ":\n\n", 3);
	mcp_http_resume(m, j);
	deputy_watch(&m->peer->client, mcp_mesh_news);
}

static void
mcp_http_session_get(
    struct mcp_http *m, const struct request *r, const struct json *j)
{
	m->is_looking = false;
	m->looked_ms = clock_mono();
	if (m->is_answered)
		return;
	if (m->mcp == NULL && j == NULL)
		mcp_http_refused(m, r);
	else if (m->mcp == NULL)
		mcp_http_listen(m, j);
	else if (j != NULL)
		mcp_http_resume(m, j);
	else if (r->error == ERR_NOT_FOUND)
		mcp_http_end_stream(m);
}

void
mcp_http_session(
    struct mcp_http *m, const struct request *r, const struct json *j)
{
	const char *revision;
	int64_t can;

	if (m->verb == MCP_GET) {
		mcp_http_session_get(m, r, j);
		return;
	}
	/* A request waits for answers: what was looked for, or was taken. */
	if (m->mcp != NULL) {
		if (j != NULL)
			mcp_ask_found(m, j);
		else if (r->error == ERR_NOT_FOUND && !m->is_answered)
			mcp_stop(m->mcp);
		else
			m->is_looking = false;
		return;
	}
	if (j == NULL) {
		mcp_http_refused(m, r);
		return;
	}
	if (m->verb == MCP_DELETE) {
		conn_reply(m->peer->conn, 204, NULL, m->headers, NULL, 0);
		mcp_http_answered(m);
		return;
	}
	if (m->is_reply) {
		conn_reply(m->peer->conn, 202, NULL, m->headers, NULL, 0);
		mcp_http_answered(m);
		mcp_ask_left(m);
		return;
	}
	if (json_int(&j->nodes[json_get(j, 0, "can")], &can) == 0)
		m->can = (unsigned)can;
	if (m->session.p == NULL)
		m->headers = pool_printf(&m->pool,
		    SLICE_FMT "Mcp-Session-Id: %s\r\n", SLICE_ARG(m->cors),
		    mcp_mesh_str(&m->pool, j, 0, "sessionId"));
	else if (m->version.p == NULL) {
		revision = mcp_mesh_str(&m->pool, j, 0, "revision");
		m->revision = mcp_revision(revision, strlen(revision));
	}
	mcp_http_start(m, true);
}

void
mcp_http_look(struct mcp_http *m)
{
	struct mcp_http *other;

	LIST_FOREACH (other, &m->peer->proto->mcps, entry)
		if (other->verb == MCP_GET &&
		    other->session.n == m->session.n &&
		    memcmp(other->session.p, m->session.p, m->session.n) == 0)
			other->looked_ms = 0;
}

static void
mcp_http_say(struct proto *p, struct conn *c, const struct mcp_refusal *why,
    const char *headers)
{
	struct json_writer w;

	buf_clear(&p->out);
	json_start(&w, &p->out);
	json_object(&w);
	json_key(&w, "error");
	json_str(&w, why->code);
	json_key(&w, "code");
	json_str(&w, why->code);
	json_key(&w, "message");
	json_str(&w, why->text);
	json_object_end(&w);
	conn_reply(c, why->status, "application/json", headers, p->out.data,
	    p->out.len);
}

void
mcp_http_ended(struct mcp_http *m, enum err why, const char *text)
{
	const struct mcp_refusal refusal = { table_errors[why].http,
		table_errors[why].name, text, NULL };

	if (m->is_answered)
		return;
	if (m->is_streaming) {
		mcp_http_end_stream(m);
		return;
	}
	mcp_http_say(m->peer->proto, m->peer->conn, &refusal, m->cors.p);
	mcp_http_answered(m);
}

void
mcp_http_refused(struct mcp_http *m, const struct request *r)
{
	const struct err_desc *e = &table_errors[r->error];
	const struct mcp_refusal why = { e->http, e->name, r->error_text,
		NULL };
	const char *headers = m->cors.p;

	if (m->is_answered)
		return;
	if (e->http == 401)
		headers = pool_printf(&m->pool,
		    SLICE_FMT "WWW-Authenticate: Bearer realm=\"linnet\", "
			      "error=\"invalid_token\"\r\n",
		    SLICE_ARG(m->cors));
	mcp_http_say(m->peer->proto, m->peer->conn, &why, headers);
	mcp_http_answered(m);
}

/* As whom it comes: name and hidden of the query.  NULL, or what is wrong. */
static const char *
mcp_http_visit(struct mcp_http *m, const struct http_request *r)
{
	const size_t max =
	    (size_t)m->peer->client.core->limits.fields[LIMIT_NAME];
	char *name = pool_alloc(&m->pool, r->query.n + 1);
	ptrdiff_t n = http_query(r, "name", name, r->query.n + 1);
	char hidden[8];

	m->visit.hidden = -1;
	if (http_query_count(r, "name") > 0) {
		m->visit.name = (struct slice){ name, (size_t)(n > 0 ? n : 0) };
		if (n <= 0 || (size_t)n > max || !str_is_name(name, (size_t)n))
			return pool_printf(&m->pool,
			    "The name in the query has to be 1 to %zu bytes "
			    "of text that people can read.",
			    max);
	}
	n = http_query(r, "hidden", hidden, sizeof(hidden));
	if (n == 4 && memcmp(hidden, "true", 4) == 0)
		m->visit.hidden = 1;
	else if (n == 5 && memcmp(hidden, "false", 5) == 0)
		m->visit.hidden = 0;
	else if (http_query_count(r, "hidden") > 0)
		return "hidden in the query has to be true or false.";
	return NULL;
}

void
mcp_http_route(struct proto *p, struct conn *c, const struct http_request *r)
{
	const struct mcp_refusal *why = mcp_head_check(p, r);
	struct slice bearer = http_bearer(r);
	char cors[HTTP_CORS_MAX], headers[HTTP_CORS_MAX + 256];
	bool readable = http_cors(p, r, cors) != NULL;
	struct mcp_refusal wrong = { 400, "malformed", NULL, NULL };
	struct mcp_http *m;

	if (why != NULL) {
		snprintf(headers, sizeof(headers), "%s%s", readable ? cors : "",
		    why->headers != NULL ? why->headers : "");
		mcp_http_say(p, c, why, headers);
		return;
	}
	m = xcalloc(1, sizeof(*m));
	pool_init(&m->pool);
	m->peer = proto_peer(p, c, &mcp_mesh_calls);
	m->peer->mcp = m;
	LIST_INSERT_HEAD(&p->mcps, m, entry);
	m->inbox = mcp_inbox_new();
	m->body = mcp_http_keep(m, r->body);
	m->cors = mcp_http_keep(m, (struct slice){ readable ? cors : "",
				       readable ? strlen(cors) : 0 });
	m->version = mcp_http_keep(m, http_header(r, "mcp-protocol-version"));
	m->method = mcp_http_keep(m, http_header(r, "mcp-method"));
	m->name = mcp_http_keep(m, http_header(r, "mcp-name"));
	m->session = mcp_http_keep(m, http_header(r, "mcp-session-id"));
	m->headers = m->cors.p;
	m->base = mcp_file_base(&m->pool, c, r);
	LIST_INIT(&m->files);
	m->verb = r->method.p[0] == 'P'	  ? MCP_POST
		  : r->method.p[0] == 'G' ? MCP_GET
					  : MCP_DELETE;
	m->streams = mcp_head_streams(r);
	wrong.text = mcp_http_visit(m, r);
	if (wrong.text != NULL) {
		mcp_http_say(p, c, &wrong, m->cors.p);
		mcp_http_answered(m);
		return;
	}
	mcp_mesh_enter(m, bearer, r->body.n);
}

/*
 * Time.
 */
/* It does not go on, but may say so. */
static void
mcp_http_leave(struct mcp_http *m)
{
	if (m->verb == MCP_GET)
		mcp_http_end_stream(m);
	else
		mcp_stop(m->mcp);
}

static void
mcp_http_tick_one(struct mcp_http *m)
{
	if (mcp_due(m->mcp) <= clock_mono())
		mcp_tick(m->mcp);
	mcp_ask_tick(m);
	if (!m->is_streaming || m->is_answered)
		return;
	if (clock_mono() - m->began_ms >= MCP_STREAM_MS) {
		mcp_http_leave(m);
		return;
	}
	if (clock_mono() - m->spoke_ms >= MCP_QUIET_MS) {
		conn_chunk(m->peer->conn, ":\n\n", 3);
		m->spoke_ms = clock_mono();
	}
	if (m->verb == MCP_GET && !m->is_looking &&
	    clock_mono() - m->looked_ms >= MCP_LOOK_MS) {
		m->is_looking = true;
		mcp_mesh_session(m, "find", "");
	}
}

void
mcp_http_tick(struct proto *p)
{
	struct mcp_http *m, *next;

	LIST_FOREACH_SAFE (m, &p->mcps, entry, next)
		if (m->mcp != NULL && !m->is_answered)
			mcp_http_tick_one(m);
}

void
mcp_http_stop(struct proto *p)
{
	struct mcp_http *m, *next;

	LIST_FOREACH_SAFE (m, &p->mcps, entry, next)
		if (m->mcp != NULL && !m->is_answered)
			mcp_http_leave(m);
}
