/* SPDX-License-Identifier: ISC */
/*
 * Questions to a client of a revision before 2026-07-28: they go out on the
 * stream of the request that they are about, and each answer is a POST of its
 * own, which any process of any host may get.  So answers are left with the
 * session, where the one that asked looks for them while it waits.
 */
#include "proto/proto_mcp.h"

#include <string.h>

#define ASK_LOOK_MS 500

bool
mcp_ask_is_answer(const struct json *j)
{
	size_t id = j->nodes[0].type == JSON_OBJECT ? json_get(j, 0, "id") : 0;

	return id != 0 && j->nodes[id].type == JSON_STRING &&
	       json_get(j, 0, "method") == 0 &&
	       (json_get(j, 0, "result") != 0 || json_get(j, 0, "error") != 0);
}

static void
ask_session(struct mcp_http *m, const char *action, struct slice answer)
{
	struct json_writer w;
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_key(&w, "answer");
	json_strn(&w, answer.p, answer.n);
	if (buf_str(&b) == NULL)
		fatalx("out of memory");
	mcp_mesh_session(m, action, b.data);
	buf_free(&b);
}

void
mcp_ask_leave(struct mcp_http *m)
{
	m->is_reply = true;
	ask_session(m, "answer", m->body);
}

void
mcp_ask_left(struct mcp_http *m)
{
	struct mcp_http *other;

	LIST_FOREACH (other, &m->peer->proto->mcps, entry)
		if (other->verb == MCP_POST &&
		    other->session.n == m->session.n &&
		    memcmp(other->session.p, m->session.p, m->session.n) == 0)
			other->looked_ms = 0;
}

/* j is the worker's, and what is asked here overwrites it. */
void
mcp_ask_found(struct mcp_http *m, const struct json *j)
{
	size_t list = json_get(j, 0, "answers"), at, n = 0, i;
	struct slice *answers;
	char *s;

	m->is_looking = false;
	m->looked_ms = clock_mono();
	if (m->is_answered)
		return;
	answers = pool_alloc(
	    &m->pool, (j->nodes[list].end - list + 1) * sizeof(*answers));
	for (at = JSON_FIRST(list); at < j->nodes[list].end;
	     at = j->nodes[at].end) {
		s = pool_alloc(&m->pool, j->nodes[at].n + 1);
		answers[n].p = s;
		answers[n++].n = json_unescape(&j->nodes[at], s);
	}
	for (i = 0; i < n && !m->is_answered; i++)
		if (mcp_awaits(m->mcp, answers[i].p, answers[i].n)) {
			ask_session(m, "taken", answers[i]);
			(void)mcp_input(m->mcp, answers[i].p, answers[i].n, m);
		}
}

void
mcp_ask_tick(struct mcp_http *m)
{
	if (m->verb != MCP_POST || m->is_looking || m->is_answered ||
	    !mcp_asks(m->mcp) || clock_mono() - m->looked_ms < ASK_LOOK_MS)
		return;
	m->is_looking = true;
	mcp_mesh_session(m, "find", "");
}
