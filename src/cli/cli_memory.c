/* SPDX-License-Identifier: ISC */
/*
 * remember, recall, forget, memory list, memory restore.
 */
#include "cli/cli.h"

#include <string.h>
#include <sysexits.h>

static const struct cli_column memory_columns[] = {
	{ "ID", "id", CELL_TEXT },
	{ "BY", "rememberedBy", CELL_TEXT },
	{ "WHEN", "rememberedAt", CELL_TEXT },
	{ "TAGS", "tags", CELL_TEXTS },
	{ "TEXT", "content", CELL_TEXT },
	{ NULL, NULL, CELL_TEXT },
};

static int
remember_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	return linnet_remember(l, arg, cli_given_all(c, "tag"),
	    cli_given(c, "language"), linnet_keep, r);
}

static int
remember_print(struct cli *c, const struct json *j)
{
	if (!c->json)
		fprintf(c->out, "%s\n", cli_json_safe(c, j, 0, "id"));
	return 0;
}

int
cli_memory_remember(struct cli *c)
{
	static const struct cli_question q = {
		.ask = remember_ask,
		.print = remember_print,
	};
	const char *text;
	size_t n;
	int status;

	if ((text = cli_args_text(c, 0, &n, &status)) == NULL)
		return status;
	return cli_ask(c, &q, text);
}

/* What recall and list choose by. */
static int
memory_query(struct cli *c, struct linnet_memory_query *query)
{
	query->tags = cli_given_all(c, "tag");
	query->by = cli_given(c, "by");
	query->language = cli_given(c, "language");
	query->after = cli_given(c, "after");
	query->forgotten = cli_given(c, "forgotten") != NULL;
	query->limit = cli_given_num(c, "limit", 0);
	return query->limit < 0 ? EX_USAGE : 0;
}

static int
recall_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)c;
	return linnet_recall(l, arg, linnet_keep, r);
}

int
cli_memory_recall(struct cli *c)
{
	static const struct cli_question q = {
		.ask = recall_ask,
		.list = "memories",
		.columns = memory_columns,
		.none = "nothing was remembered that has all of this",
	};
	struct linnet_memory_query query = { .query = "" };
	size_t n;
	int status;

	if ((status = memory_query(c, &query)) != 0)
		return status;
	/* All with a tag, or by somebody, need no words. */
	if ((c->argc > 0 || (query.tags == NULL && query.by == NULL)) &&
	    (query.query = cli_args_text(c, 0, &n, &status)) == NULL)
		return status;
	return cli_ask(c, &q, &query);
}

static int
list_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)c;
	return linnet_list_memories(l, arg, linnet_keep, r);
}

int
cli_memory_list(struct cli *c)
{
	static const struct cli_question q = {
		.ask = list_ask,
		.list = "memories",
		.columns = memory_columns,
		.none = "nothing is remembered that fits",
	};
	struct linnet_memory_query query = { .query = NULL };
	int status;

	if ((status = memory_query(c, &query)) != 0)
		return status;
	return cli_ask(c, &q, &query);
}

/* The broker is content when there is no such memory; a person is not. */
static int
memory_was(struct cli *c, const struct json *j, const char *key)
{
	if (json_get(j, 0, key) == 0 || cli_json_bool(j, 0, key))
		return 0;
	cli_print_error("there is no memory %s%s", c->argv[0],
	    strcmp(key, "restored") == 0 ? " that was forgotten" : "");
	return EX_NOINPUT;
}

static int
forget_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_forget(l, c->argv[0], linnet_keep, r);
}

static int
forget_print(struct cli *c, const struct json *j)
{
	return memory_was(c, j, "forgotten");
}

int
cli_memory_forget(struct cli *c)
{
	static const struct cli_question q = {
		.ask = forget_ask,
		.print = forget_print,
	};

	return cli_ask(c, &q, NULL);
}

static int
restore_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_restore(l, c->argv[0], linnet_keep, r);
}

static int
restore_print(struct cli *c, const struct json *j)
{
	return memory_was(c, j, "restored");
}

int
cli_memory_restore(struct cli *c)
{
	static const struct cli_question q = {
		.ask = restore_ask,
		.print = restore_print,
	};

	return cli_ask(c, &q, NULL);
}
