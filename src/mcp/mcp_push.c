/* SPDX-License-Identifier: ISC */
/*
 * Waking an agent: notifications of Claude Code's channels, which it takes as
 * if somebody had typed them.
 *
 *	notifications/claude/channel {content, meta}
 *
 * One value of meta that is no text has the whole notification dropped without
 * a word; so has one that comes before the host is ready, a while after it
 * said initialized.  Nothing tells whether it arrived: what the agent did not
 * use by then is told again, twice.
 *
 * content is what a peer wrote; what we know of it is in meta, where a peer
 * cannot forge it.
 */
#include "mcp/mcp_request.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUSH_READY_MS 3000
#define PUSH_CONTENT_MAX 8192
#define PUSH_NOTICES_MAX 256
#define PUSH_CHANGES_BURST 10
#define PUSH_CHANGES_PER_S (20.0 / 60)

static const int64_t push_again_ms[] = { 60000, 300000 };

/* What is not there is not told. */
static void
push_meta(struct json_writer *w, const char *key, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return;
	json_key(w, key);
	json_str(w, value);
}

static void
push_begin(struct json_writer *w, struct buf *b, const char *content, size_t n)
{
	mcp_note(w, b, "notifications/claude/channel");
	json_key(w, "content");
	json_strn(w, content, n);
	json_key(w, "meta");
	json_object(w);
}

/* A notification as text, to be sent later. */
static void
push_keep(struct mcp_notice *n, struct json_writer *w, struct buf *b)
{
	json_object_end(w); /* meta */
	json_object_end(w); /* params */
	json_object_end(w);
	if (b->failed)
		fatalx("out of memory");
	n->text = b->data;
	n->n = b->len;
}

static void
push_send(struct mcp *m, struct json_writer *w, struct buf *b)
{
	json_object_end(w); /* meta */
	mcp_note_end(m, w, b, NULL);
}

static bool
push_is_open(const struct mcp *m)
{
	return m->pushes && m->initialized && !m->stopping && !m->held &&
	       clock_mono() >= m->push_ms;
}

/* Is there somebody to tell, or may there be? */
static bool
push_is_wanted(const struct mcp *m)
{
	return m->config.push != MCP_PUSH_OFF && (!m->initialized || m->pushes);
}

static void
notice_free(struct mcp *m, struct mcp_notice *n)
{
	TAILQ_REMOVE(&m->notices, n, entry);
	m->nnotices--;
	free(n->text);
	free(n);
}

void
mcp_push_free(struct mcp *m)
{
	while (!TAILQ_EMPTY(&m->notices))
		notice_free(m, TAILQ_FIRST(&m->notices));
}

void
mcp_push_ready(struct mcp *m)
{
	clock_update();
	m->push_ms = clock_mono() + PUSH_READY_MS;
	if (!m->pushes)
		mcp_push_free(m);
}

static void
notice_send(struct mcp *m, struct mcp_notice *n)
{
	const struct mcp_out o = { .text = n->text, .n = n->n, .http = 200 };

	m->config.out(m->config.out_arg, &o);
	free(n->text);
	n->text = NULL;
	n->due_ms = clock_mono() + push_again_ms[0];
}

void
mcp_push_message(struct mcp *m, const struct mcp_message *message)
{
	const char *content = message->text;
	size_t len = message->length;
	struct mcp_notice *n;
	struct json_writer w;
	char *text = NULL, seq[24] = "";
	struct buf b;

	if (!push_is_wanted(m) || strlen(message->id) > ID_HEX_LEN)
		return;
	if (content == NULL)
		text = xstrdup("This message is encrypted to another key.");
	else if (len > PUSH_CONTENT_MAX)
		text = xasprintf("This message has %zu bytes: read it with "
				 "check_messages.",
		    len);
	if (text != NULL) {
		content = text;
		len = strlen(text);
	}
	push_begin(&w, &b, content, len);
	push_meta(&w, "kind", "message");
	push_meta(&w, "message_id", message->id);
	push_meta(&w, "from_name", message->from);
	push_meta(&w, "from_key", message->from_key);
	push_meta(&w, "to", message->to);
	if (message->seq > 0)
		snprintf(seq, sizeof(seq), "%" PRId64, message->seq);
	push_meta(&w, "seq", seq);
	push_meta(&w, "priority", message->priority);
	push_meta(&w, "sent_at", message->sent_at);
	push_meta(&w, "reply_to", message->reply_to);
	push_meta(&w, "subtype", message->subtype);
	push_meta(&w, "mesh", message->mesh);
	push_meta(&w, "encrypted", message->encrypted ? "yes" : "no");
	push_meta(&w, "files", message->files);
	free(text);
	n = xcalloc(1, sizeof(*n));
	(void)str_copy(n->id, message->id, sizeof(n->id));
	push_keep(n, &w, &b);
	TAILQ_INSERT_TAIL(&m->notices, n, entry);
	if (++m->nnotices > PUSH_NOTICES_MAX)
		notice_free(m, TAILQ_FIRST(&m->notices));
	clock_update();
	if (push_is_open(m))
		notice_send(m, n);
}

void
mcp_push_change(struct mcp *m, const struct mcp_change *change)
{
	char number[24];
	struct json_writer w;
	struct buf b, text;

	clock_update();
	if (!push_is_open(m))
		return;
	/* Who changes state all the time shall not fill the agent's mind. */
	if (bucket_take(
		&m->changes, 1, PUSH_CHANGES_BURST, PUSH_CHANGES_PER_S) != 0) {
		m->missed++;
		return;
	}
	buf_init(&text, SIZE_MAX / 2);
	if (change->value == NULL)
		buf_addf(&text, "%s was deleted", change->key);
	else if (strlen(change->value) > PUSH_CONTENT_MAX)
		buf_addf(&text,
		    "%s was set to a value of %zu bytes: read it "
		    "with get_state",
		    change->key, strlen(change->value));
	else
		buf_addf(&text, "%s = %s", change->key, change->value);
	push_begin(&w, &b, text.data, text.len);
	push_meta(&w, "kind", "state_change");
	push_meta(&w, "key", change->key);
	push_meta(&w, "updated_by", change->by);
	push_meta(&w, "updated_at", change->at);
	snprintf(number, sizeof(number), "%" PRId64, change->version);
	push_meta(&w, "version", number);
	push_meta(&w, "mesh", m->config.mesh);
	if (m->missed > 0) {
		snprintf(number, sizeof(number), "%u", m->missed);
		push_meta(&w, "not_told_before", number);
		m->missed = 0;
	}
	push_send(m, &w, &b);
	buf_free(&text);
}

void
mcp_push_forget(struct mcp *m, const char *id)
{
	struct mcp_notice *n;

	TAILQ_FOREACH (n, &m->notices, entry)
		if (strcmp(n->id, id) == 0) {
			notice_free(m, n);
			return;
		}
}

int64_t
mcp_push_due(const struct mcp *m)
{
	const struct mcp_notice *n;
	int64_t due = INT64_MAX, at;

	if (!m->pushes || !m->initialized || m->stopping || m->held)
		return due;
	TAILQ_FOREACH (n, &m->notices, entry) {
		at = n->text != NULL ? m->push_ms : n->due_ms;
		if (at < due)
			due = at;
	}
	return due;
}

/* One notification for all that was told and not used. */
static void
push_remind(struct mcp *m, unsigned count)
{
	struct json_writer w;
	char number[24];
	struct buf b;
	char *text;

	text = xasprintf("%u message%s pushed to you and not acknowledged yet: "
			 "answer, call ack, or read with check_messages.",
	    count, count == 1 ? " was" : "s were");
	push_begin(&w, &b, text, strlen(text));
	push_meta(&w, "kind", "reminder");
	snprintf(number, sizeof(number), "%u", count);
	push_meta(&w, "count", number);
	push_meta(&w, "mesh", m->config.mesh);
	push_send(m, &w, &b);
	free(text);
}

void
mcp_push_tick(struct mcp *m)
{
	struct mcp_notice *n;
	unsigned late = 0;

	if (!push_is_open(m))
		return;
	TAILQ_FOREACH (n, &m->notices, entry) {
		if (n->text != NULL)
			notice_send(m, n);
		else if (n->due_ms <= clock_mono()) {
			late++;
			n->due_ms = ++n->again < NELEM(push_again_ms)
					? clock_mono() + push_again_ms[n->again]
					: INT64_MAX;
		}
	}
	if (late > 0)
		push_remind(m, late);
}
