/* SPDX-License-Identifier: ISC */
/*
 * channel and thread; and what is done to a message in one: message edit,
 * redact, react.  What is said there is in cli_replay.c.
 */
#include "cli/cli.h"

#include <string.h>
#include <sysexits.h>

static int
channel_print_id(struct cli *c, const struct json *j)
{
	if (!c->json)
		fprintf(c->out, "%s\n", cli_json_safe(c, j, 0, "channelId"));
	return 0;
}

static int
create_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	const struct linnet_channel channel = {
		.name = c->argv[0],
		.topic = cli_given(c, "topic"),
		.is_private = cli_given(c, "private") != NULL,
	};

	(void)arg;
	return linnet_create_channel(l, &channel, linnet_keep, r);
}

int
cli_channel_create(struct cli *c)
{
	static const struct cli_question q = {
		.ask = create_ask,
		.print = channel_print_id,
	};

	return cli_ask(c, &q, NULL);
}

static int
delete_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_delete_channel(l, c->argv[0], linnet_keep, r);
}

int
cli_channel_delete(struct cli *c)
{
	static const struct cli_question q = { .ask = delete_ask };

	return cli_ask(c, &q, NULL);
}

/* Which page; false: it was said what is wrong. */
static bool
channel_page(struct cli *c, struct linnet_channel_query *query)
{
	query->joined = cli_given(c, "joined") != NULL;
	query->after = cli_given(c, "after");
	query->limit = cli_given_num(c, "limit", 0);
	return query->limit >= 0;
}

static int
list_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)c;
	return linnet_list_channels(l, arg, linnet_keep, r);
}

int
cli_channel_list(struct cli *c)
{
	static const struct cli_column columns[] = {
		{ "NAME", "name", CELL_TEXT },
		{ "UNREAD", "unread", CELL_NUMBER },
		{ "MESSAGES", "lastSeq", CELL_NUMBER },
		{ "PRIVATE", "private", CELL_VALUE },
		{ "ROLE", "role", CELL_TEXT },
		{ "ID", "channelId", CELL_TEXT },
		{ "TOPIC", "topic", CELL_TEXT },
		{ NULL, NULL, CELL_TEXT },
	};
	static const struct cli_question q = {
		.ask = list_ask,
		.list = "channels",
		.columns = columns,
		.none = "there are no channels; make one with channel create",
	};
	struct linnet_channel_query query;

	return channel_page(c, &query) ? cli_ask(c, &q, &query) : EX_USAGE;
}

static int
members_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	return linnet_list_channel_members(l, c->argv[0], arg, linnet_keep, r);
}

int
cli_channel_members(struct cli *c)
{
	static const struct cli_column columns[] = {
		{ "NAME", "name", CELL_TEXT },
		{ "ROLE", "role", CELL_TEXT },
		{ "STATUS", "status", CELL_TEXT },
		{ "SINCE", "joinedAt", CELL_TEXT },
		{ "ID", "memberId", CELL_TEXT },
		{ NULL, NULL, CELL_TEXT },
	};
	static const struct cli_question q = {
		.ask = members_ask,
		.list = "members",
		.columns = columns,
		.none = "it has no members",
	};
	struct linnet_channel_query query;

	return channel_page(c, &query) ? cli_ask(c, &q, &query) : EX_USAGE;
}

/*
 * Who is in it.
 */
static int
join_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_join_channel(l, c->argv[0], linnet_keep, r);
}

static int
leave_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_leave_channel(l, c->argv[0], linnet_keep, r);
}

static int
add_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_add_channel_member(
	    l, c->argv[0], c->argv[1], cli_given(c, "role"), linnet_keep, r);
}

static int
remove_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_remove_channel_member(
	    l, c->argv[0], c->argv[1], linnet_keep, r);
}

static int
member_print(struct cli *c, const struct json *j)
{
	if (!cli_json_bool(j, 0, "changed"))
		cli_print_note(c, "nothing was changed: it was so already");
	return 0;
}

int
cli_channel_join(struct cli *c)
{
	static const struct cli_question q = {
		.ask = join_ask,
		.print = member_print,
	};

	return cli_ask(c, &q, NULL);
}

int
cli_channel_leave(struct cli *c)
{
	static const struct cli_question q = {
		.ask = leave_ask,
		.print = member_print,
	};

	return cli_ask(c, &q, NULL);
}

int
cli_channel_add(struct cli *c)
{
	static const struct cli_question q = {
		.ask = add_ask,
		.print = member_print,
	};

	return cli_ask(c, &q, NULL);
}

int
cli_channel_remove(struct cli *c)
{
	static const struct cli_question q = {
		.ask = remove_ask,
		.print = member_print,
	};

	return cli_ask(c, &q, NULL);
}

/*
 * Threads.
 */
static int
thread_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_create_thread(l, c->argv[0], c->argv[1],
	    cli_given(c, "private") != NULL, linnet_keep, r);
}

int
cli_thread_create(struct cli *c)
{
	static const struct cli_question q = {
		.ask = thread_ask,
		.print = channel_print_id,
	};

	return cli_ask(c, &q, NULL);
}

static int
threads_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	return linnet_list_threads(l, c->argv[0], arg, linnet_keep, r);
}

int
cli_thread_list(struct cli *c)
{
	static const struct cli_column columns[] = {
		{ "ID", "channelId", CELL_TEXT },
		{ "MESSAGE", "messageId", CELL_TEXT },
		{ "UNREAD", "unread", CELL_NUMBER },
		{ "MESSAGES", "lastSeq", CELL_NUMBER },
		{ "PRIVATE", "private", CELL_VALUE },
		{ "SINCE", "createdAt", CELL_TEXT },
		{ "BY", "createdBy", CELL_TEXT },
		{ NULL, NULL, CELL_TEXT },
	};
	static const struct cli_question q = {
		.ask = threads_ask,
		.list = "threads",
		.columns = columns,
		.none = "it has no threads",
	};
	struct linnet_channel_query query;

	return channel_page(c, &query) ? cli_ask(c, &q, &query) : EX_USAGE;
}

/*
 * Messages that change.
 */
static int
edit_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	const struct linnet_post *p = arg;

	return linnet_edit_post(
	    l, c->argv[0], p->text, p->parts, linnet_keep, r);
}

int
cli_message_edit(struct cli *c)
{
	static const struct cli_question q = { .ask = edit_ask };
	struct linnet_post p = { .text = NULL };
	int status = cli_post_said(c, &p);

	return status != 0 ? status : cli_ask(c, &q, &p);
}

static int
redact_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_redact_post(
	    l, c->argv[0], cli_given(c, "reason"), linnet_keep, r);
}

int
cli_message_redact(struct cli *c)
{
	static const struct cli_question q = {
		.ask = redact_ask,
		.print = member_print,
	};

	return cli_ask(c, &q, NULL);
}

static int
react_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_react(l, c->argv[0], c->argv[1],
	    cli_given(c, "remove") != NULL, linnet_keep, r);
}

int
cli_message_react(struct cli *c)
{
	static const struct cli_question q = {
		.ask = react_ask,
		.print = member_print,
	};

	return cli_ask(c, &q, NULL);
}
