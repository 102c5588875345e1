/* SPDX-License-Identifier: ISC */
/*
 * Channels: what is said there, and what else a tool of theirs does, by an
 * action that stands for an operation.
 *
 * A message to a channel is posted, not sent: send_message is the one tool for
 * both.  What a message says is a text to agents, unless there is more in it.
 */
#include "mcp/mcp_request.h"

#include <string.h>

/*
 * send_message to a #channel.
 */
static bool
channel_is_target(const struct json_node *v)
{
	return v->type == JSON_STRING && v->n > 1 && v->p[0] == '#';
}

/* The channel among the targets of a message; 0: none.  *alone: it is the only
 * one. */
static size_t
channel_target(const struct json *j, size_t to, bool *alone)
{
	size_t at, found = 0, n = 0;

	*alone = true;
	if (j->nodes[to].type != JSON_ARRAY)
		return channel_is_target(&j->nodes[to]) ? to : 0;
	for (at = JSON_FIRST(to); at < j->nodes[to].end;
	     at = j->nodes[at].end) {
		n++;
		if (channel_is_target(&j->nodes[at]))
			found = at;
	}
	*alone = n == 1;
	return found;
}

static bool
channel_has(const struct json *j, size_t args, const char *name)
{
	size_t at = json_get(j, args, name);

	return at != 0 && j->nodes[at].type != JSON_NULL;
}

/* Why a message cannot be posted; NULL: it can. */
static const char *
channel_problem(
    struct mcp_request *r, const struct json *j, size_t args, bool alone)
{
	static const char *const others[] = { "ttl_seconds", "file", "files",
		NULL };
	size_t i;

	if (!alone)
		return "A #channel is the only target of what is sent to it: "
		       "send it to the others once more.";
	for (i = 0; others[i] != NULL; i++)
		if (channel_has(j, args, others[i]))
			return pool_printf(&r->pool,
			    "%s is not for a #channel: what is said there "
			    "stays. Share files with share_file, and say their "
			    "ids.",
			    others[i]);
	return NULL;
}

static void
channel_copy(struct json_writer *w, const struct json *j, size_t args,
    const char *name, const char *as)
{
	struct slice raw;

	if (!channel_has(j, args, name))
		return;
	raw = mcp_json_raw(j, json_get(j, args, name));
	json_key(w, as);
	json_raw(w, raw.p, raw.n);
}

static void
channel_posted(
    struct mcp_request *r, const struct mcp_error *e, const struct json *j)
{
	struct json_writer w;
	struct slice raw;
	struct json sent;
	struct buf b;

	if (e != NULL) {
		mcp_tool_failed(r, e);
		return;
	}
	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_object(&w);
	json_key(&w, "messages");
	json_array(&w);
	json_object(&w);
	json_key(&w, "to");
	json_str(&w, r->key);
	raw = mcp_json_raw(j, 0);
	/* The members of the answer, which has some. */
	json_raw(&w, raw.p + 1, raw.n - 2);
	json_object_end(&w);
	json_array_end(&w);
	json_object_end(&w);
	json_init(&sent, MCP_ANSWER_NODES, UINT16_MAX);
	if (b.failed || json_read(&sent, b.data, b.len) != 0)
		fatalx("the answer to a post");
	json_start(&w, &r->result);
	json_object(&w);
	mcp_project(&w, r->tool->out, &sent, 0, NULL);
	json_free(&sent);
	buf_free(&b);
	if (r->reply_to != NULL)
		mcp_message_used(r->m, r->reply_to);
	mcp_tool_end(r);
}

bool
mcp_channel_send(struct mcp_request *r, size_t args)
{
	const struct json *j = &r->m->json;
	uint8_t random[ID_LEN];
	char id[2 * ID_LEN + 1];
	struct json_writer w;
	const char *problem;
	struct buf fields;
	bool alone;
	size_t to = channel_target(j, json_get(j, args, "to"), &alone);

	if (to == 0) {
		if (!channel_has(j, args, "parts"))
			return false;
		mcp_tool_fail(r, "parts are for a #channel; to others give "
				 "message.");
		return true;
	}
	if ((problem = channel_problem(r, j, args, alone)) != NULL) {
		mcp_tool_fail(r, "%s", problem);
		return true;
	}
	r->key = mcp_json_text(&r->pool, &j->nodes[to]);
	buf_init(&fields, SIZE_MAX / 2);
	json_start(&w, &fields);
	json_key(&w, "channel");
	json_str(&w, r->key);
	channel_copy(&w, j, args, "message", "text");
	channel_copy(&w, j, args, "parts", "parts");
	channel_copy(&w, j, args, "reply_to", "replyToId");
	channel_copy(&w, j, args, "id", "client_message_id");
	if (!channel_has(j, args, "id")) {
		crypto_random_bytes(random, sizeof(random));
		crypto_hex(id, random, sizeof(random));
		json_key(&w, "client_message_id");
		json_str(&w, id);
	}
	if (buf_str(&fields) == NULL)
		fatalx("out of memory");
	mcp_ask_op(r, "post", fields.data, channel_posted);
	buf_free(&fields);
	return true;
}

/*
 * read_channel
 */
/* The texts of the parts; *more: there is something else among them. */
static const char *
channel_text(struct pool *p, const struct json *j, size_t parts, bool *more)
{
	const char *text = "", *s;
	size_t at, payload;

	*more = false;
	for (at = JSON_FIRST(parts); at < j->nodes[parts].end;
	     at = j->nodes[at].end) {
		payload = mcp_json_in(j, at, "payload", JSON_OBJECT);
		if (!json_is(&j->nodes[json_get(j, at, "type")], "text") ||
		    payload == 0 ||
		    (s = mcp_json_str(p, j, payload, "text")) == NULL) {
			*more = true;
			continue;
		}
		text = text[0] == '\0' ? s : pool_printf(p, "%s\n%s", text, s);
	}
	return text;
}

/* A message with its text; its parts only when they say more. */
static void
channel_message(struct mcp_request *r, struct json_writer *w,
    const struct json *j, size_t at)
{
	size_t parts = mcp_json_in(j, at, "parts", JSON_ARRAY), i, value;
	struct slice raw;
	bool more = false;

	json_object(w);
	if (parts != 0) {
		json_key(w, "text");
		json_str(w, channel_text(&r->pool, j, parts, &more));
	}
	for (i = JSON_FIRST(at); i < j->nodes[at].end;
	     i = j->nodes[value].end) {
		value = i + 1;
		if (value == parts && !more)
			continue;
		json_key(w, mcp_json_text(&r->pool, &j->nodes[i]));
		raw = mcp_json_raw(j, value);
		json_raw(w, raw.p, raw.n);
	}
	json_object_end(w);
}

static void
channel_read(
    struct mcp_request *r, const struct mcp_error *e, const struct json *j)
{
	const struct mcp_page page = {
		.paging = PAGE_THERE,
		.limit = r->limit,
	};
	struct json_writer w;
	size_t list, at;
	struct json texts;
	struct buf b;

	if (e != NULL) {
		mcp_tool_failed(r, e);
		return;
	}
	list = mcp_json_in(j, 0, "messages", JSON_ARRAY);
	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_object(&w);
	json_key(&w, "messages");
	json_array(&w);
	for (at = JSON_FIRST(list); list != 0 && at < j->nodes[list].end;
	     at = j->nodes[at].end)
		channel_message(r, &w, j, at);
	json_array_end(&w);
	json_key(&w, "lastSeq");
	json_num(&w, mcp_json_int(j, 0, "lastSeq"));
	json_key(&w, "more");
	json_bool(&w, mcp_json_bool(j, 0, "more"));
	json_object_end(&w);
	json_init(&texts, MCP_ANSWER_NODES, UINT16_MAX);
	if (b.failed || json_read(&texts, b.data, b.len) != 0)
		fatalx("the answer to read_channel");
	json_start(&w, &r->result);
	json_object(&w);
	mcp_project(&w, r->tool->out, &texts, 0, &page);
	json_free(&texts);
	buf_free(&b);
	mcp_tool_end(r);
}

/*
 * Tools with several operations.
 */
static const struct channel_action {
	const char *tool;
	const char *action; /* NULL: an argument chooses it, or it is the only
			     * one */
	const char *with;   /* that argument */
	const char *op;
	const char *need; /* another argument that must be there, or NULL */
	const char *more; /* one that may */
	const char *fields;
} channel_actions[] = {
	{ "change_message", "edit", NULL, "edit_post", "text", NULL, NULL },
	{ "change_message", "redact", NULL, "redact_post", NULL, "reason",
	    NULL },
	{ "change_message", "react", NULL, "react", "reaction", NULL, NULL },
	{ "change_message", "unreact", NULL, "react", "reaction", NULL,
	    "\"remove\":true" },
	{ "change_channel_members", "join", NULL, "join_channel", NULL, NULL,
	    NULL },
	{ "change_channel_members", "leave", NULL, "leave_channel", NULL, NULL,
	    NULL },
	{ "change_channel_members", "add", NULL, "add_channel_member", "member",
	    "role", NULL },
	{ "change_channel_members", "remove", NULL, "remove_channel_member",
	    "member", NULL, NULL },
	{ "list_channels", NULL, "threads_of", "list_threads", NULL, NULL,
	    NULL },
	{ "list_channels", NULL, NULL, "list_channels", NULL, NULL, NULL },
	{ "follow_channel", NULL, "stop", "unfollow_channel", NULL, NULL,
	    NULL },
	{ "follow_channel", NULL, NULL, "follow_channel", NULL, NULL, NULL },
	{ "read_channel", NULL, NULL, "read_channel", NULL, NULL, NULL },
};

static bool
channel_fits(const struct channel_action *a, const struct json *j, size_t args)
{
	size_t at = 0;

	if (a->action != NULL)
		return json_is(
		    &j->nodes[json_get(j, args, "action")], a->action);
	if (a->with == NULL)
		return true;
	if (args != 0)
		at = json_get(j, args, a->with);
	return at != 0 && j->nodes[at].type != JSON_NULL &&
	       j->nodes[at].type != JSON_FALSE;
}

static const struct channel_action *
channel_action(const struct mcp_request *r, const struct json *j, size_t args)
{
	size_t i;

	for (i = 0; i < NELEM(channel_actions); i++)
		if (strcmp(channel_actions[i].tool, r->tool->name) == 0 &&
		    channel_fits(&channel_actions[i], j, args))
			return &channel_actions[i];
	fatalx("no operation of %s", r->tool->name);
}

/* Arguments that do not go with the action; NULL: they do. */
static const char *
channel_mismatch(struct mcp_request *r, const struct channel_action *a,
    const struct json *j, size_t args)
{
	const struct mcp_field *f;

	if (a->action == NULL)
		return NULL;
	if (a->need != NULL && !channel_has(j, args, a->need))
		return pool_printf(
		    &r->pool, "The action %s needs %s.", a->action, a->need);
	for (f = r->tool->in; f->type != M_END; f++)
		if (!(f->flags & M_REQUIRED) && channel_has(j, args, f->name) &&
		    (a->need == NULL || strcmp(a->need, f->name) != 0) &&
		    (a->more == NULL || strcmp(a->more, f->name) != 0))
			return pool_printf(&r->pool,
			    "%s does not go with the action %s. %s", f->name,
			    a->action, f->text);
	return NULL;
}

void
mcp_channel_call(struct mcp_request *r, size_t args)
{
	const struct json *j = &r->m->json;
	const struct channel_action *a = channel_action(r, j, args);
	const char *problem = channel_mismatch(r, a, j, args);
	struct buf fields;

	if (problem != NULL) {
		mcp_tool_fail(r, "%s", problem);
		return;
	}
	buf_init(&fields, SIZE_MAX / 2);
	mcp_args_fields(&fields, r->tool, j, args);
	if (a->fields != NULL)
		buf_addf(&fields, ",%s", a->fields);
	if (buf_str(&fields) == NULL)
		fatalx("out of memory");
	mcp_ask_op(r, a->op, fields.data,
	    strcmp(a->op, "read_channel") == 0 ? channel_read
					       : mcp_tool_answered);
	buf_free(&fields);
}
