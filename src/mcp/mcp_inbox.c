/* SPDX-License-Identifier: ISC */
/*
 * Messages that were pushed to a backend and wait for the agent.  Nothing
 * bounds them here: a broker has only so many under way to a session that does
 * not ack.
 */
#include "mcp/mcp_request.h"

#include <stdlib.h>
#include <string.h>

struct inbox_message {
	TAILQ_ENTRY(inbox_message) entry;
	struct hash_entry by_id;
	unsigned priority; /* index in mcp_priorities */
	bool taken;
	size_t n;
	char *json;
	char id[];
};

struct mcp_inbox {
	TAILQ_HEAD(inbox_messages, inbox_message)
	messages; /* by id, which rises with time */
	struct hash by_id;
	size_t taken;
};

struct mcp_inbox *
mcp_inbox_new(void)
{
	struct mcp_inbox *b = xcalloc(1, sizeof(*b));

	TAILQ_INIT(&b->messages);
	hash_init(&b->by_id);
	return b;
}

static void
inbox_free(struct mcp_inbox *b, struct inbox_message *m)
{
	b->taken -= m->taken;
	TAILQ_REMOVE(&b->messages, m, entry);
	hash_remove(&b->by_id, &m->by_id);
	free(m->json);
	free(m);
}

void
mcp_inbox_free(struct mcp_inbox *b)
{
	if (b == NULL)
		return;
	while (!TAILQ_EMPTY(&b->messages))
		inbox_free(b, TAILQ_FIRST(&b->messages));
	hash_free(&b->by_id);
	free(b);
}

static struct inbox_message *
inbox_find(const struct mcp_inbox *b, const char *id)
{
	struct hash_entry *e = hash_find(&b->by_id, id, strlen(id));

	return e != NULL ? CONTAINER(e, struct inbox_message, by_id) : NULL;
}

static void
inbox_text(struct json_writer *w, const char *key, const char *text)
{
	if (text[0] == '\0')
		return;
	json_key(w, key);
	json_str(w, text);
}

static void
inbox_write(struct buf *out, const struct mcp_message *m)
{
	struct json_writer w;

	json_start(&w, out);
	json_object(&w);
	json_key(&w, "id");
	json_str(&w, m->id);
	inbox_text(&w, "from", m->from);
	inbox_text(&w, "fromKey", m->from_key);
	inbox_text(&w, "fromMember", m->from_member);
	inbox_text(&w, "to", m->to);
	inbox_text(&w, "priority", m->priority);
	inbox_text(&w, "sentAt", m->sent_at);
	inbox_text(&w, "replyTo", m->reply_to);
	inbox_text(&w, "subtype", m->subtype);
	inbox_text(&w, "mesh", m->mesh);
	if (m->seq > 0) {
		json_key(&w, "seq");
		json_num(&w, m->seq);
	}
	json_key(&w, "encrypted");
	json_bool(&w, m->encrypted);
	json_key(&w, "text");
	if (m->text != NULL)
		json_strn(&w, m->text, m->length);
	else
		json_null(&w);
	if (m->files != NULL) {
		json_key(&w, "files");
		json_raw(&w, m->files, strlen(m->files));
	}
	json_object_end(&w);
	if (out->failed)
		fatalx("out of memory");
}

bool
mcp_inbox_add(struct mcp_inbox *b, const struct mcp_message *message)
{
	const size_t n = strlen(message->id);
	struct inbox_message *m, *after;
	struct buf json;

	if (n > ID_HEX_LEN || inbox_find(b, message->id) != NULL)
		return false;
	m = xcalloc(1, sizeof(*m) + n + 1);
	memcpy(m->id, message->id, n + 1);
	while (mcp_priorities[m->priority + 1] != NULL &&
	       strcmp(mcp_priorities[m->priority], message->priority) != 0)
		m->priority++;
	buf_init(&json, SIZE_MAX / 2);
	inbox_write(&json, message);
	m->json = json.data;
	m->n = json.len;
	TAILQ_FOREACH_REVERSE(after, &b->messages, inbox_messages, entry)
	if (strcmp(after->id, m->id) < 0)
		break;
	if (after != NULL)
		TAILQ_INSERT_AFTER(&b->messages, after, m, entry);
	else
		TAILQ_INSERT_HEAD(&b->messages, m, entry);
	hash_insert(&b->by_id, &m->by_id, m->id, n);
	return true;
}

bool
mcp_inbox_take(struct mcp_inbox *b, const char *id)
{
	struct inbox_message *m = inbox_find(b, id);

	if (m == NULL || m->taken)
		return false;
	m->taken = true;
	b->taken++;
	return true;
}

void
mcp_inbox_untake(struct mcp_inbox *b, const char *id)
{
	struct inbox_message *m = inbox_find(b, id);

	if (m == NULL || !m->taken)
		return;
	m->taken = false;
	b->taken--;
}

void
mcp_inbox_drop(struct mcp_inbox *b, const char *id)
{
	struct inbox_message *m = inbox_find(b, id);

	if (m != NULL)
		inbox_free(b, m);
}

size_t
mcp_inbox_count(const struct mcp_inbox *b)
{
	return b->by_id.count - b->taken;
}

void
mcp_inbox_unread(const struct mcp_inbox *b, struct buf *out, int64_t more,
    const char *highest)
{
	const struct inbox_message *m;
	unsigned top = 0, mine = UINT32_MAX;

	while (mcp_priorities[top] != NULL &&
	       strcmp(mcp_priorities[top], highest) != 0)
		top++;
	TAILQ_FOREACH (m, &b->messages, entry)
		if (!m->taken && m->priority < mine)
			mine = m->priority;
	if (mine < top)
		top = mine;
	buf_addf(out, "{\"count\":%lld",
	    (long long)mcp_inbox_count(b) + (long long)more);
	if (mcp_priorities[top] != NULL)
		buf_addf(out, ",\"highest\":\"%s\"", mcp_priorities[top]);
	buf_addc(out, '}');
}

void
mcp_inbox_list(
    const struct mcp_inbox *b, struct buf *out, size_t limit, bool more)
{
	const struct inbox_message *m;
	size_t begin = out->len, n = 0;

	buf_adds(out, "{\"messages\":[");
	TAILQ_FOREACH (m, &b->messages, entry) {
		if (m->taken)
			continue;
		if (n == limit ||
		    (n > 0 && out->len - begin + m->n > MCP_PAGE_BYTES)) {
			more = true;
			break;
		}
		buf_addf(out, "%s", n++ > 0 ? "," : "");
		buf_add(out, m->json, m->n);
	}
	buf_addf(out, "],\"more\":%s}", more ? "true" : "false");
	if (out->failed)
		fatalx("out of memory");
}
