/* SPDX-License-Identifier: ISC */
/*
 * Sending, for tools: liblinnet encrypts, and makes several messages of one
 * that has several targets; here each gets a row of the answer.
 */
#include "cli/cli_mcp.h"

#include <stdlib.h>
#include <string.h>

/* One message of the answer: what its ack says, or why there is none. */
static void
mesh_sent_one(struct json_writer *w, const struct json *j, size_t ack,
    struct slice to, const struct linnet_error *e)
{
	static const char *const members[] = { "messageId", "recipients",
		"duplicate", "blocked" };
	struct slice raw;
	size_t i, at;

	json_object(w);
	json_key(w, "to");
	json_raw(w, to.p, to.n);
	if (ack != SIZE_MAX && (at = json_get(j, ack, "message")) != 0) {
		json_key(w, "error");
		raw = cli_json_raw(j, at);
		json_raw(w, raw.p, raw.n);
	} else if (ack == SIZE_MAX) {
		json_key(w, "error");
		json_str(w, e != NULL ? e->message : "It was not sent.");
	} else
		for (i = 0; i < NELEM(members); i++) {
			if ((at = json_get(j, ack, members[i])) == 0)
				continue;
			json_key(w, members[i]);
			raw = cli_json_raw(j, at);
			json_raw(w, raw.p, raw.n);
		}
	json_object_end(w);
}

/* Writes the messages of an answer; how many of them were sent. */
static size_t
mesh_sent_all(struct buf *b, const struct mesh_ask *a, const struct json *j,
    const struct linnet_error *e)
{
	size_t list = cli_json_list(j, 0, "answers"), at, ack, n = 0;
	struct json_writer w;
	struct json fields;
	char *text;

	json_start(&w, b);
	json_object(&w);
	json_key(&w, "messages");
	json_array(&w);
	if (list == 0) {
		text = cli_mcp_fields(&fields, a->fields);
		mesh_sent_one(&w, j, e == NULL ? 0 : SIZE_MAX,
		    cli_json_raw(&fields, json_get(&fields, 0, "to")), e);
		n += e == NULL;
		json_free(&fields);
		free(text);
	}
	for (at = JSON_FIRST(list); list != 0 && at < j->nodes[list].end;
	     at = j->nodes[at].end) {
		ack = cli_json_list(j, at, "answer");
		n += ack != 0 && json_get(j, ack, "messageId") != 0;
		mesh_sent_one(&w, j, ack != 0 ? ack : SIZE_MAX,
		    cli_json_raw(j, json_get(j, at, "to")), e);
	}
	json_array_end(&w);
	json_object_end(&w);
	return n;
}

static void
mesh_sent(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct mesh_ask *a = arg;
	struct json j;
	struct buf b;

	(void)l;
	buf_init(&b, SIZE_MAX / 2);
	if (reply->text == NULL || cli_json_read(&j, reply) != 0)
		cli_mcp_fail(a, reply->error);
	else {
		/* Of several some may have been sent all the same. */
		if (mesh_sent_all(&b, a, &j, reply->error) == 0 &&
		    reply->error != NULL)
			cli_mcp_fail(a, reply->error);
		else
			cli_mcp_answer(a, &b);
		json_free(&j);
	}
	buf_free(&b);
}

/* The texts of an array, ended by NULL. */
static const char **
mesh_texts(struct cli *c, const struct json *j, size_t at)
{
	const struct json_node *v = &j->nodes[at];
	const char **list =
	    pool_zalloc(&c->pool, (v->end - at + 1) * sizeof(*list));
	size_t i, n = 0;

	for (i = JSON_FIRST(at); i < v->end; i = j->nodes[i].end) {
		char *s = pool_alloc(&c->pool, j->nodes[i].n + 1);

		s[json_unescape(&j->nodes[i], s)] = '\0';
		list[n++] = s;
	}
	return list;
}

/* Target and the others of a send; the first is returned. */
static const char *
mesh_targets(struct cli *c, const struct json *j, const char *const **others)
{
	size_t at = json_get(j, 0, "to");
	const char **list;

	if (j->nodes[at].type == JSON_STRING)
		return cli_json_str(c, j, 0, "to");
	list = mesh_texts(c, j, at);
	*others = list + 1;
	return list[0];
}

static const char *const *
mesh_files(struct cli *c, const struct json *j)
{
	size_t at = json_get(j, 0, "files");

	return at != 0 ? mesh_texts(c, j, at) : NULL;
}

void
cli_mcp_send(struct mesh_ask *a)
{
	struct linnet *l = a->h->s.linnet;
	struct cli c = { .out = NULL };
	struct linnet_outgoing m = { .also = NULL };
	const char *reply_to, *id, *priority;
	struct json j;
	char *text;
	int r;

	pool_init(&c.pool);
	text = cli_mcp_fields(&j, a->fields);
	m.to = mesh_targets(&c, &j, &m.also);
	m.text = cli_json_str(&c, &j, 0, "message");
	m.length = strlen(m.text);
	priority = cli_json_str(&c, &j, 0, "priority");
	reply_to = cli_json_str(&c, &j, 0, "replyToId");
	id = cli_json_str(&c, &j, 0, "id");
	m.priority = priority[0] != '\0' ? priority : NULL;
	m.reply_to = reply_to[0] != '\0' ? reply_to : NULL;
	m.id = id[0] != '\0' ? id : NULL;
	m.ttl_ms = cli_json_int(&j, 0, "ttl");
	m.files = mesh_files(&c, &j);
	r = linnet_send(l, &m, mesh_sent, a);
	json_free(&j);
	free(text);
	pool_free(&c.pool);
	if (r != 0)
		cli_mcp_fail(a, linnet_last_error(l));
}
