/* SPDX-License-Identifier: ISC */
/*
 * Messages that come: read, waited for, acknowledged.
 *
 * A message that an answer has is taken from the unread ones at once, so that
 * two answers do not have it, and acked when the answer has reached the
 * agent's host.  A request that is cancelled before has taken nothing.
 */
#include "mcp/mcp_request.h"

#include <string.h>

#define MESSAGE_WAIT_S 30
#define MESSAGE_READ_MAX 50

static size_t
message_limit(const struct json *j, size_t at)
{
	int64_t limit = at != 0 ? mcp_json_int(j, at, "limit") : 0;

	if (limit <= 0)
		return MCP_PAGE;
	return limit < MESSAGE_READ_MAX ? (size_t)limit : MESSAGE_READ_MAX;
}

static bool
message_take(struct mcp *m, const char *id)
{
	mcp_push_forget(m, id);
	return m->config.backend->take(m->config.backend_arg, id);
}

/* What the answer lists is the agent's. */
static void
message_take_all(struct mcp_request *r, const struct json *j, size_t list)
{
	size_t at, n = 0;
	const char *id;

	for (at = JSON_FIRST(list); at < j->nodes[list].end;
	     at = j->nodes[at].end)
		n++;
	r->taken = pool_alloc(&r->pool, (n + 1) * sizeof(*r->taken));
	for (at = JSON_FIRST(list); at < j->nodes[list].end;
	     at = j->nodes[at].end) {
		id = mcp_json_str(&r->pool, j, at, "id");
		if (id == NULL || !message_take(r->m, id))
			continue;
		r->taken[r->ntaken++] = (struct slice){ id, strlen(id) };
	}
	if (r->ntaken > 0)
		mcp_subscribe_told(r->m, URI_INBOX);
}

static void
message_give(struct mcp_request *r, const struct json *j)
{
	size_t list = mcp_json_in(j, 0, "messages", JSON_ARRAY);
	struct json_writer w;

	if (list != 0)
		message_take_all(r, j, list);
	json_start(&w, &r->result);
	json_object(&w);
	mcp_project(&w, r->tool->out, j, 0, NULL);
	mcp_tool_end(r);
}

static void
message_checked(
    struct mcp_request *r, const struct mcp_error *e, const struct json *j)
{
	if (e != NULL)
		mcp_tool_failed(r, e);
	else
		message_give(r, j);
}

void
mcp_message_check(struct mcp_request *r, const struct json *j, size_t at)
{
	r->limit = message_limit(j, at);
	mcp_ask_messages(r, r->limit, true, message_checked);
}

/*
 * Waiting.
 */
static void
message_looked(
    struct mcp_request *r, const struct mcp_error *e, const struct json *j)
{
	size_t list = e == NULL ? mcp_json_in(j, 0, "messages", JSON_ARRAY) : 0;
	bool some = list != 0 && JSON_FIRST(list) < j->nodes[list].end;

	if (!mcp_wait_over(r, e != NULL || some))
		return;
	if (e != NULL)
		mcp_tool_failed(r, e);
	else
		message_give(r, j);
}

static void
message_look(struct mcp_request *r)
{
	mcp_ask_messages(r, r->limit, true, message_looked);
}

void
mcp_message_wait(struct mcp_request *r, const struct json *j, size_t at)
{
	int64_t s = at != 0 ? mcp_json_int(j, at, "seconds") : 0;

	r->limit = message_limit(j, at);
	mcp_wait_begin(r, s > 0 ? s : MESSAGE_WAIT_S, message_look,
	    "Waiting for a message.");
}

void
mcp_message_arrived(struct mcp *m)
{
	struct mcp_request *r, *next;

	/* The one that has waited longest gets it. */
	for (r = TAILQ_FIRST(&m->requests); r != NULL; r = next) {
		next = TAILQ_NEXT(r, entry);
		if (r->until_ms != 0 && r->look == message_look) {
			mcp_wait_look(r);
			return;
		}
	}
}

/*
 * Acks.
 */
void
mcp_message_used(struct mcp *m, const char *text)
{
	char hex[ID_HEX_LEN + 1];
	struct id id;

	if (id_parse(&id, text, strlen(text)) != 0)
		return;
	(void)message_take(m, id_hex(&id, hex));
	m->config.backend->ack(m->config.backend_arg, hex);
	mcp_subscribe_told(m, URI_INBOX);
}

void
mcp_message_ack(struct mcp_request *r, const struct json *j, size_t at)
{
	size_t ids = json_get(j, at, "ids"), i;
	struct json_writer w;
	size_t end = j->nodes[ids].end;

	json_start(&w, &r->result);
	json_object(&w);
	json_key(&w, "acknowledged");
	json_array(&w);
	for (i = j->nodes[ids].type == JSON_ARRAY ? JSON_FIRST(ids) : ids;
	     i < end; i = j->nodes[i].end) {
		const char *id = mcp_json_text(&r->pool, &j->nodes[i]);

		mcp_message_used(r->m, id);
		json_str(&w, id);
	}
	json_array_end(&w);
	mcp_tool_end(r);
}
